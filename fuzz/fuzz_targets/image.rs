//! Any bytes as a piece of an image, and as its directory, with the right checksums: no
//! panic, and what is read keeps the image's rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_base::ShardId;
use thermocline_base::checksum::crc32;
use thermocline_store::image::{
    DIRECTORY_MAGIC, Directory, PIECE_BYTES_OFFSET, PIECE_CRC_OFFSET, PIECE_DATABASE_COUNT_OFFSET,
    PIECE_HEADER_BYTES, PIECE_MAGIC, PIECE_MAGIC_OFFSET, PIECE_NUMBER_OFFSET, PIECE_SHARD_OFFSET,
    VERSION, decode_piece,
};
use thermocline_store::manifest::ImageReference;

const NUMBER: u64 = 7;
const SHARD: ShardId = ShardId(3);

fn piece(database_count: u8, body: &[u8]) {
    let mut bytes = vec![0; PIECE_HEADER_BYTES];
    bytes.extend_from_slice(body);
    let length = bytes.len() as u32;
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(PIECE_MAGIC_OFFSET, &PIECE_MAGIC.to_le_bytes());
    put(PIECE_NUMBER_OFFSET, &NUMBER.to_le_bytes());
    put(PIECE_SHARD_OFFSET, &SHARD.0.to_le_bytes());
    put(
        PIECE_DATABASE_COUNT_OFFSET,
        &u16::from(database_count).to_le_bytes(),
    );
    put(PIECE_BYTES_OFFSET, &length.to_le_bytes());
    let crc = crc32(&bytes[PIECE_MAGIC_OFFSET..]);
    bytes[PIECE_CRC_OFFSET..PIECE_CRC_OFFSET + 4].copy_from_slice(&crc.to_le_bytes());
    if let Ok(databases) = decode_piece(&bytes, "image", 0, NUMBER, SHARD) {
        assert_eq!(databases.len(), usize::from(database_count));
        assert!(databases.is_sorted_by(|one, other| one.0 < other.0));
        assert!(databases.iter().all(|(_, slots)| !slots.is_empty()));
    }
}

fn directory(body: &[u8]) {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&DIRECTORY_MAGIC.to_le_bytes());
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&1024_u32.to_le_bytes());
    bytes.extend_from_slice(&NUMBER.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes.resize(Directory::encoded_bytes(), 0);
    let image = ImageReference {
        number: NUMBER,
        bytes: bytes.len() as u64 + 4096,
        crc32: crc32(&bytes),
    };
    if let Ok(directory) = Directory::decode(&bytes, &image) {
        assert_eq!(directory.encode(), bytes);
    }
}

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (database_count, body) = input;
    piece(database_count, &body);
    directory(&body);
});
