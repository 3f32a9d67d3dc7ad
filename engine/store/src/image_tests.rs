//! Tests of the image's format: round trips, order, damage, hostile bytes.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::*;
use crate::address::Address;
use crate::index::Slot;
use crate::manifest::ImageReference;
use proptest::prelude::*;
use thermocline_base::checksum::crc32;
use thermocline_base::limits::SHARD_COUNT;
use thermocline_base::{DatabaseId, KeyHash, ShardId};

const NUMBER: u64 = 42;
const SHARD: ShardId = ShardId(1023);
const OFFSET: u64 = 8192;

fn slot(stored: u32, page: u32) -> Slot {
    let hash = KeyHash(u64::from(stored) << (64 - KeyHash::SHARD_BITS - KeyHash::STORED_BITS));
    Slot::cold(Address::new(page, 1).unwrap(), hash)
}

fn piece(databases: &[(DatabaseId, Vec<Slot>)]) -> Vec<u8> {
    let mut builder = PieceBuilder::new(NUMBER, SHARD);
    for (database, slots) in databases {
        builder.begin_database(*database);
        slots.iter().for_each(|&slot| builder.push(slot));
    }
    builder.finish()
}

fn decode(bytes: &[u8]) -> Result<Vec<(DatabaseId, Vec<Slot>)>, FormatError> {
    decode_piece(bytes, &file_name(NUMBER), OFFSET, NUMBER, SHARD)
}

fn sample() -> Vec<(DatabaseId, Vec<Slot>)> {
    vec![
        (
            DatabaseId(3),
            vec![slot(0, 9), slot(7, 1).with_frequency(3), slot(7, 2)],
        ),
        (DatabaseId(9), vec![slot((1 << 29) - 1, (1 << 28) - 1)]),
    ]
}

/// Writes the length and the CRC of a piece anew, as a careful enemy would.
fn reseal(bytes: &mut [u8]) {
    let length = bytes.len() as u32;
    bytes[PIECE_BYTES_OFFSET..PIECE_HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32(&bytes[PIECE_MAGIC_OFFSET..]);
    bytes[..PIECE_MAGIC_OFFSET].copy_from_slice(&checksum.to_le_bytes());
}

fn corruption_of<T: std::fmt::Debug>(result: Result<T, FormatError>) -> Corruption {
    match result {
        Err(FormatError::Corruption(corruption)) => corruption,
        other => panic!("expected corruption, found {other:?}"),
    }
}

fn directory() -> (Directory, ImageReference) {
    let mut pieces = vec![PieceReference::default(); SHARD_COUNT];
    pieces[5] = PieceReference {
        file: NUMBER - 1,
        offset: 1 << 40,
        bytes: 4096,
    };
    pieces[6] = PieceReference {
        file: NUMBER,
        offset: 100,
        bytes: 24,
    };
    let directory = Directory {
        number: NUMBER,
        key_count: 512,
        pieces,
    };
    let image = ImageReference {
        number: NUMBER,
        bytes: 124 + Directory::encoded_bytes() as u64,
        crc32: directory.crc32(),
    };
    (directory, image)
}

/// Decodes as if the manifest named exactly these bytes.
fn decode_resealed(bytes: &[u8], image: ImageReference) -> Result<Directory, FormatError> {
    let crc32 = crc32(bytes);
    Directory::decode(bytes, &ImageReference { crc32, ..image })
}

#[test]
fn files_are_named_by_their_number() {
    assert_eq!(file_name(7), "image/0000000007.image");
    assert_eq!(file_name(u64::MAX), "image/18446744073709551615.image");
}

#[test]
fn an_image_of_version_1_opens_for_ever() {
    let golden = include_bytes!("golden/image-piece-v1");
    assert_eq!(decode(golden).unwrap(), sample());
    assert_eq!(piece(&sample()), golden);
    let (directory, image) = directory();
    let golden = include_bytes!("golden/image-directory-v1");
    assert_eq!(Directory::decode(golden, &image).unwrap(), directory);
    assert_eq!(directory.encode(), golden);
}

#[test]
fn databases_without_keys_leave_no_trace() {
    let mut databases = sample();
    databases.insert(1, (DatabaseId(4), Vec::new()));
    databases.push((DatabaseId(10), Vec::new()));
    assert_eq!(piece(&databases), piece(&sample()));
    assert_eq!(piece(&[]).len(), PIECE_HEADER_BYTES);
    assert_eq!(decode(&piece(&[])).unwrap(), []);
}

#[test]
fn every_flipped_bit_and_truncation_is_corruption() {
    let bytes = piece(&sample());
    let (directory, image) = directory();
    let directory_bytes = directory.encode();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(
            corruption_of(decode(&damaged)).offset >= OFFSET,
            "bit {bit}"
        );
    }
    for length in 0..bytes.len() {
        corruption_of(decode(&bytes[..length]));
    }
    let mut damaged = directory_bytes.clone();
    for bit in 0..damaged.len() * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        corruption_of(Directory::decode(&damaged, &image));
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..directory_bytes.len() {
        corruption_of(decode_resealed(&directory_bytes[..length], image));
    }
}

#[test]
fn a_piece_is_refused_elsewhere() {
    let bytes = piece(&sample());
    let at = |number, shard| {
        let result = decode_piece(&bytes, "image/x", OFFSET, number, shard);
        corruption_of(result).offset - OFFSET
    };
    assert_eq!(at(NUMBER + 1, SHARD), PIECE_NUMBER_OFFSET as u64);
    assert_eq!(at(NUMBER, ShardId(0)), PIECE_SHARD_OFFSET as u64);
}

#[test]
fn an_intact_piece_that_breaks_a_rule_is_refused_where_it_does() {
    let first_slot = PIECE_HEADER_BYTES + DATABASE_HEADER_BYTES;
    let second_database = first_slot + 3 * SLOT_BYTES;
    let hot = 1_u64 << 62;
    let cases: [(usize, &[u8], usize); 6] = [
        // A hot slot, an empty one, and one below the slot before.
        (first_slot, &hot.to_le_bytes(), first_slot),
        (first_slot + 8, &[0; 8], first_slot + 8),
        (
            first_slot,
            &slot(8, 1).to_bits().to_le_bytes(),
            first_slot + 8,
        ),
        // The first database again, bytes that are not zero, and no slots.
        (second_database, &[3], second_database),
        (second_database + 4, &[1], second_database + 4),
        (second_database + 8, &[0], second_database + 4),
    ];
    for (at, field, found_at) in cases {
        let mut bytes = piece(&sample());
        bytes[at..at + field.len()].copy_from_slice(field);
        reseal(&mut bytes);
        assert_eq!(
            corruption_of(decode(&bytes)).offset,
            OFFSET + found_at as u64
        );
    }
    let mut bytes = piece(&sample());
    bytes.extend([0; 3]);
    reseal(&mut bytes);
    corruption_of(decode(&bytes));
}

#[test]
fn a_declared_slot_count_is_not_believed() {
    for count in [3, 1 << 20, 1 << 61, u64::MAX] {
        let mut bytes = piece(&sample()[1..]);
        let at = PIECE_HEADER_BYTES + DATABASE_SLOT_COUNT_OFFSET;
        bytes[at..at + 8].copy_from_slice(&u64::to_le_bytes(count));
        reseal(&mut bytes);
        corruption_of(decode(&bytes));
    }
}

#[test]
fn a_directory_of_another_image_or_a_later_version_is_refused() {
    let (directory, image) = directory();
    let bytes = directory.encode();
    let other = ImageReference {
        number: NUMBER + 1,
        ..image
    };
    let start = Directory::offset_bytes(&image).unwrap();
    let corruption = corruption_of(Directory::decode(&bytes, &other));
    assert_eq!(corruption.offset, start + DIRECTORY_NUMBER_OFFSET as u64);
    let mut later = bytes.clone();
    later[DIRECTORY_VERSION_OFFSET] = 2;
    assert!(matches!(
        decode_resealed(&later, image),
        Err(FormatError::NewerVersion { found: 2, .. })
    ));
    later[DIRECTORY_VERSION_OFFSET] = 0;
    corruption_of(decode_resealed(&later, image));
    let short = ImageReference { bytes: 99, ..image };
    corruption_of(Directory::decode(&bytes, &short));
}

#[test]
fn a_directory_names_only_pieces_that_can_be() {
    let (directory, image) = directory();
    let start = Directory::offset_bytes(&image).unwrap();
    let reference = |file, offset, bytes| PieceReference {
        file,
        offset,
        bytes,
    };
    for wrong in [
        reference(NUMBER + 1, 0, 24),
        reference(NUMBER, 101, 24),
        reference(NUMBER - 1, u64::MAX, 24),
        reference(NUMBER, 0, 23),
        reference(NUMBER - 1, 0, 1 << 32),
        reference(NUMBER, 0, 0),
        reference(0, 1, 0),
    ] {
        let mut directory = directory.clone();
        directory.pieces[6] = wrong;
        let corruption = corruption_of(decode_resealed(&directory.encode(), image));
        let at = (DIRECTORY_HEADER_BYTES + 6 * REFERENCE_BYTES) as u64;
        assert_eq!(corruption.offset, start + at, "{wrong:?}");
    }
}

#[test]
#[should_panic(expected = "cold slots")]
fn a_slot_of_no_key_is_never_written() {
    let mut builder = PieceBuilder::new(1, SHARD);
    builder.begin_database(DatabaseId(1));
    builder.push(Slot::EMPTY);
}

#[test]
#[should_panic(expected = "slots ascend")]
fn slots_are_never_written_out_of_order() {
    piece(&[(DatabaseId(1), vec![slot(2, 1), slot(1, 1)])]);
}

#[test]
#[should_panic(expected = "databases ascend")]
fn databases_are_never_written_out_of_order() {
    piece(&[(DatabaseId(1), vec![slot(1, 1)]), (DatabaseId(1), vec![])]);
}

proptest! {
    #[test]
    fn a_piece_reads_back(
        databases in proptest::collection::btree_map(
            any::<u32>(), proptest::collection::vec((0..1_u32 << 29, 0..1_u32 << 28, 0..4_u8), 1..20), 0..4),
    ) {
        let databases: Vec<_> = databases.into_iter().map(|(identity, mut keys)| {
            keys.sort_unstable();
            let slots = keys.into_iter()
                .map(|(stored, page, frequency)| slot(stored, page).with_frequency(frequency));
            (DatabaseId(identity), slots.collect())
        }).collect();
        prop_assert_eq!(decode(&piece(&databases)).unwrap(), databases);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), tail in 0..300_usize) {
        prop_assert!(decode(&bytes).is_err());
        // A valid header and CRC, so that what follows is read.
        let mut sealed = piece(&[]);
        sealed[PIECE_DATABASE_COUNT_OFFSET] = bytes.first().map_or(0, |byte| byte % 3);
        sealed.extend(&bytes[..tail.min(bytes.len())]);
        reseal(&mut sealed);
        if let Ok(databases) = decode(&sealed) {
            prop_assert_eq!(piece(&databases), sealed);
        }
        let (_, image) = directory();
        prop_assert!(decode_resealed(&bytes, image).is_err());
    }

    #[test]
    fn a_hostile_directory_is_refused_or_written_by_us(
        words in proptest::collection::vec((0..SHARD_COUNT * 3, 0..1_u64 << 14), 0..4),
    ) {
        let (directory, image) = directory();
        let mut bytes = directory.encode();
        for (word, value) in words {
            let at = DIRECTORY_HEADER_BYTES + word * 8;
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        if let Ok(directory) = decode_resealed(&bytes, image) {
            prop_assert_eq!(directory.encode(), bytes);
        }
    }
}
