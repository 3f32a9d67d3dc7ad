//! Any bytes as a piece of an image, and as its directory, with the right checksums: no
//! panic, and what is read keeps the image's rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_base::ShardId;
use thermocline_base::checksum::crc32;
use thermocline_base::limits::SHARD_COUNT;
use thermocline_store::image::{
    DIRECTORY_MAGIC, Directory, PIECE_BYTES_OFFSET, PIECE_CRC_OFFSET, PIECE_DATABASE_COUNT_OFFSET,
    PIECE_HEADER_BYTES, PIECE_MAGIC, PIECE_MAGIC_OFFSET, PIECE_NUMBER_OFFSET, PIECE_RANGES_OFFSET,
    PIECE_SHARD_OFFSET, PieceReference, REFERENCE_BYTES, RangeSet, VERSION, decode_piece,
};
use thermocline_store::manifest::ImageReference;

const NUMBER: u64 = 7;
const SHARD: ShardId = ShardId(3);

fn piece(database_count: u8, ranges: RangeSet, body: &[u8]) {
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
    put(PIECE_RANGES_OFFSET, &ranges.0.to_le_bytes());
    let crc = crc32(&bytes[PIECE_MAGIC_OFFSET..]);
    bytes[PIECE_CRC_OFFSET..PIECE_CRC_OFFSET + 4].copy_from_slice(&crc.to_le_bytes());
    let reference = PieceReference {
        shard: SHARD,
        ranges,
        file: NUMBER,
        offset: 0,
        bytes: length,
    };
    if let Ok(databases) = decode_piece(&bytes, &reference) {
        assert_eq!(databases.len(), usize::from(database_count));
        assert!(databases.is_sorted_by(|one, other| one.0 < other.0));
        for (_, slots) in &databases {
            assert!(!slots.is_empty());
            let stored = slots.iter().map(|slot| slot.cold_stored());
            assert!(stored.is_sorted());
            let mut stored = slots.iter().map(|slot| slot.cold_stored());
            assert!(stored.all(|stored| stored.is_some_and(|stored| ranges.contains_stored(stored))));
        }
    }
}

fn directory(key_count: u64, references: &[u8]) {
    let mut bytes = references.to_vec();
    bytes.truncate(references.len() / REFERENCE_BYTES * REFERENCE_BYTES);
    let count = (bytes.len() / REFERENCE_BYTES) as u32;
    bytes.extend_from_slice(&key_count.to_le_bytes());
    bytes.extend_from_slice(&NUMBER.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&(SHARD_COUNT as u32).to_le_bytes());
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&DIRECTORY_MAGIC.to_le_bytes());
    let image = ImageReference {
        number: NUMBER,
        bytes: bytes.len() as u64 + 4096,
        crc32: crc32(&bytes),
    };
    if let Ok(directory) = Directory::decode(&bytes, &image) {
        assert_eq!(directory.encode(), bytes);
        let of_shards = (0..SHARD_COUNT as u16).map(|shard| directory.of_shard(ShardId(shard)));
        let pieces: usize = of_shards.map(<[PieceReference]>::len).sum();
        assert_eq!(pieces, directory.pieces.len());
    }
}

fuzz_target!(|input: (u8, u64, &[u8])| {
    let (database_count, number, body) = input;
    piece(database_count, RangeSet(number), body);
    directory(number, body);
});
