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
use thermocline_base::{DatabaseId, KeyHash, ShardId};

const NUMBER: u64 = 42;
const SHARD: ShardId = ShardId(1023);
const OFFSET: u64 = 8192;

fn slot(stored: u32, page: u32) -> Slot {
    let hash = KeyHash(u64::from(stored) << (64 - KeyHash::SHARD_BITS - KeyHash::STORED_BITS));
    Slot::cold(Address::new(page, 1).unwrap(), hash)
}

fn piece(databases: &[(DatabaseId, Vec<Slot>)]) -> Vec<u8> {
    let mut builder = PieceBuilder::new(NUMBER, SHARD, RangeSet::ALL);
    for (database, slots) in databases {
        builder.begin_database(*database);
        slots.iter().for_each(|&slot| builder.push(slot));
    }
    builder.finish()
}

const REFERENCE: PieceReference = PieceReference {
    shard: SHARD,
    ranges: RangeSet::ALL,
    file: NUMBER,
    offset: OFFSET,
    bytes: 0,
};

fn decode(bytes: &[u8]) -> Result<Slots, FormatError> {
    decode_piece(bytes, &REFERENCE)
}

fn sample() -> Slots {
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
    bytes[PIECE_BYTES_OFFSET..PIECE_RANGES_OFFSET].copy_from_slice(&length.to_le_bytes());
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
    let reference = |shard, ranges, file, offset| PieceReference {
        shard: ShardId(shard),
        ranges: RangeSet(ranges),
        file,
        offset,
        bytes: 4096,
    };
    let pieces = vec![
        reference(5, u64::MAX, NUMBER - 2, 1 << 40),
        reference(5, 3, NUMBER - 1, 0),
        reference(5, 1 << 63, NUMBER, 100),
        reference(6, u64::MAX, NUMBER, 4196),
    ];
    let directory = Directory {
        number: NUMBER,
        key_count: 512,
        pieces,
    };
    let image = ImageReference {
        number: NUMBER,
        bytes: 8292 + directory.encode().len() as u64,
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
fn an_image_of_version_2_opens_for_ever() {
    let golden = include_bytes!("golden/image-piece-v2");
    assert_eq!(decode(golden).unwrap(), sample());
    assert_eq!(piece(&sample()), golden);
    let (directory, image) = directory();
    let golden = include_bytes!("golden/image-directory-v2");
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
        // A version is told before the CRC: of another one's layout nothing is known.
        assert!(Directory::decode(&damaged, &image).is_err(), "bit {bit}");
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..directory_bytes.len() {
        corruption_of(decode_resealed(&directory_bytes[..length], image));
    }
}

#[test]
fn a_piece_is_refused_elsewhere() {
    let bytes = piece(&sample());
    let at =
        |reference: PieceReference| corruption_of(decode_piece(&bytes, &reference)).offset - OFFSET;
    let file = NUMBER + 1;
    assert_eq!(
        at(PieceReference { file, ..REFERENCE }),
        PIECE_NUMBER_OFFSET as u64
    );
    let shard = ShardId(0);
    assert_eq!(
        at(PieceReference { shard, ..REFERENCE }),
        PIECE_SHARD_OFFSET as u64
    );
    let ranges = RangeSet(1);
    assert_eq!(
        at(PieceReference {
            ranges,
            ..REFERENCE
        }),
        PIECE_RANGES_OFFSET as u64
    );
}

#[test]
fn a_slot_outside_the_ranges_is_refused() {
    let mut bytes = piece(&sample()[1..]);
    let ranges = RangeSet(1);
    bytes[PIECE_RANGES_OFFSET..PIECE_HEADER_BYTES].copy_from_slice(&1_u64.to_le_bytes());
    reseal(&mut bytes);
    let result = decode_piece(
        &bytes,
        &PieceReference {
            ranges,
            ..REFERENCE
        },
    );
    let at = OFFSET as usize + PIECE_HEADER_BYTES + DATABASE_HEADER_BYTES;
    assert_eq!(corruption_of(result).offset, at as u64);
}

#[test]
fn of_each_range_the_newest_piece_counts() {
    let width = 1 << 23;
    let one = DatabaseId(1);
    let two = DatabaseId(2);
    let whole = vec![
        (one, vec![slot(0, 1), slot(width, 1), slot(2 * width, 1)]),
        (two, vec![slot(1, 1)]),
    ];
    let second = vec![(one, vec![slot(3, 2), slot(width + 1, 2)])];
    let third = vec![(one, vec![slot(width + 9, 3)])];
    let merged = merge(vec![
        (RangeSet::ALL, whole.clone()),
        (RangeSet(3), second),
        (RangeSet(2), third),
    ]);
    assert_eq!(
        merged,
        [(
            one,
            vec![slot(3, 2), slot(width + 9, 3), slot(2 * width, 1)]
        )]
    );
    assert_eq!(merge(vec![(RangeSet::ALL, whole.clone())]), whole);
    assert_eq!(merge(Vec::new()), []);
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
    let trailer = Directory::trailer_offset(&image).unwrap();
    let corruption = corruption_of(Directory::decode(&bytes, &other));
    assert_eq!(corruption.offset, trailer + TRAILER_NUMBER_OFFSET as u64);
    let mut later = bytes.clone();
    let version = bytes.len() - DIRECTORY_TRAILER_BYTES + TRAILER_VERSION_OFFSET;
    later[version] = 3;
    assert!(matches!(
        decode_resealed(&later, image),
        Err(FormatError::NewerVersion { found: 3, .. })
    ));
    later[version] = 1;
    corruption_of(decode_resealed(&later, image));
    let short = ImageReference { bytes: 39, ..image };
    corruption_of(Directory::decode(&bytes, &short));
    corruption_of(decode_resealed(&bytes[REFERENCE_BYTES..], image));
}

#[test]
fn a_declared_reference_count_is_not_believed() {
    let (directory, image) = directory();
    let bytes = directory.encode();
    let at = bytes.len() - DIRECTORY_TRAILER_BYTES;
    for count in [5, 300, 9217, u32::MAX] {
        let mut trailer = bytes[at..].to_vec();
        trailer[TRAILER_COUNT_OFFSET..TRAILER_COUNT_OFFSET + 4]
            .copy_from_slice(&u32::to_le_bytes(count));
        let image = ImageReference {
            bytes: if count > 9216 { u64::MAX } else { image.bytes },
            ..image
        };
        match Directory::offset(&trailer, &image) {
            Ok(offset) => {
                assert!(count <= 9216);
                assert_eq!(offset, image.bytes - 40 - u64::from(count) * 32);
                let mut changed = bytes[..at].to_vec();
                changed.extend(trailer);
                corruption_of(decode_resealed(&changed, image));
            }
            Err(_) => assert!(count > 250, "{count}"),
        }
    }
}

#[test]
fn a_directory_names_only_pieces_that_can_be() {
    let (directory, image) = directory();
    let start = image.bytes - directory.encode().len() as u64;
    let last = directory.pieces[3];
    for wrong in [
        PieceReference {
            file: NUMBER + 1,
            ..last
        },
        PieceReference {
            offset: 4197,
            ..last
        },
        PieceReference {
            file: NUMBER - 1,
            offset: u64::MAX,
            ..last
        },
        PieceReference { bytes: 31, ..last },
        PieceReference {
            shard: ShardId(1024),
            ..last
        },
        // Not whole, though it is the first of its shard; before the one before; as old.
        PieceReference {
            ranges: RangeSet(1),
            ..last
        },
        PieceReference {
            shard: ShardId(4),
            ..last
        },
        PieceReference {
            shard: ShardId(5),
            ..last
        },
        PieceReference {
            ranges: RangeSet::EMPTY,
            shard: ShardId(5),
            ..last
        },
    ] {
        let mut directory = directory.clone();
        directory.pieces[3] = wrong;
        let corruption = corruption_of(decode_resealed(&directory.encode(), image));
        let at = (3 * REFERENCE_BYTES) as u64;
        assert_eq!(corruption.offset, start + at, "{wrong:?}");
    }
}

#[test]
fn a_shard_has_few_pieces() {
    let (mut directory, _) = directory();
    directory.pieces = (0..=PIECES_MAX as u64)
        .map(|file| PieceReference {
            ranges: RangeSet::ALL,
            shard: ShardId(7),
            file,
            offset: 0,
            bytes: 32,
        })
        .collect();
    for (length, is_fine) in [(PIECES_MAX, true), (PIECES_MAX + 1, false)] {
        directory.pieces.truncate(length);
        let image = ImageReference {
            number: NUMBER,
            bytes: 8292 + directory.encode().len() as u64,
            crc32: directory.crc32(),
        };
        let decoded = Directory::decode(&directory.encode(), &image);
        assert_eq!(decoded.is_ok(), is_fine);
        let more = directory.pieces[0];
        directory.pieces = (0..=PIECES_MAX as u64)
            .map(|file| PieceReference { file, ..more })
            .collect();
    }
}

#[test]
#[should_panic(expected = "cold slots")]
fn a_slot_of_no_key_is_never_written() {
    let mut builder = PieceBuilder::new(1, SHARD, RangeSet::ALL);
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
        words in proptest::collection::vec((0..16_usize, 0..1_u64 << 14), 0..4),
    ) {
        let (directory, image) = directory();
        let mut bytes = directory.encode();
        for (word, value) in words {
            let at = word * 8;
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        if let Ok(directory) = decode_resealed(&bytes, image) {
            prop_assert_eq!(directory.encode(), bytes);
        }
    }
}
