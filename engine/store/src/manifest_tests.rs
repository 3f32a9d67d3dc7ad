//! Tests of the manifest: round trips, versions, damage.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::*;
use proptest::prelude::*;

fn sample() -> Manifest {
    Manifest {
        hash_seed: HashSeed(0x1122_3344_5566_7788),
        shard_count: 1024,
        databases: DatabaseMap {
            identities: std::array::from_fn(|number| DatabaseId(number as u32 + 4)),
            next: DatabaseId(20),
        },
        databases_lsn: Lsn(90),
        dictionaries: vec![Dictionary {
            id: 3,
            bytes: vec![1, 2, 3],
        }],
        segments: vec![SegmentEntry {
            number: SegmentNumber(7),
            incarnation: Incarnation(8),
            live_bytes: 9,
            sealed_at: UnixMillis(10),
        }],
        image: Some(ImageReference {
            number: 5,
            bytes: 4096,
            crc32: 6,
        }),
        checkpoint_lsn: Lsn(100),
        end_lsn: Lsn(200),
        histories: vec![History {
            id: 1 << 64 | 2,
            start_lsn: Lsn(0),
        }],
    }
}

/// Writes the length and the CRC anew, as a well-meaning program would.
fn reseal(bytes: &mut [u8]) {
    let payload_bytes = (bytes.len() - HEADER_BYTES) as u32;
    bytes[PAYLOAD_BYTES_OFFSET..CRC_OFFSET].copy_from_slice(&payload_bytes.to_le_bytes());
    let crc = checksum(&bytes[..CRC_OFFSET], &bytes[HEADER_BYTES..]);
    bytes[CRC_OFFSET..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_manifest_of_version_1_opens_for_ever() {
    let golden = include_bytes!("golden/manifest-v1");
    assert_eq!(Manifest::decode(golden).unwrap(), sample());
    assert_eq!(sample().encode().unwrap(), golden);
}

#[test]
fn every_flipped_bit_is_corruption() {
    let bytes = sample().encode().unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(
            Manifest::decode(&damaged),
            Err(FormatError::Corruption(_))
        ));
    }
}

#[test]
fn every_truncation_and_extension_is_corruption() {
    let mut bytes = sample().encode().unwrap();
    for length in 0..bytes.len() {
        assert!(matches!(
            Manifest::decode(&bytes[..length]),
            Err(FormatError::Corruption(_))
        ));
    }
    bytes.push(0);
    assert!(Manifest::decode(&bytes).is_err());
    reseal(&mut bytes);
    assert!(matches!(
        Manifest::decode(&bytes),
        Err(FormatError::Corruption(_))
    ));
}

#[test]
fn a_newer_version_is_refused_by_its_name_and_version_0_is_corrupt() {
    let mut bytes = sample().encode().unwrap();
    bytes[VERSION_OFFSET] = 2;
    reseal(&mut bytes);
    assert!(matches!(
        Manifest::decode(&bytes),
        Err(FormatError::NewerVersion {
            found: 2,
            newest: 1,
            ..
        })
    ));
    bytes[VERSION_OFFSET] = 0;
    reseal(&mut bytes);
    assert!(matches!(
        Manifest::decode(&bytes),
        Err(FormatError::Corruption(_))
    ));
}

#[test]
fn corruption_says_where_and_what() {
    let mut bytes = sample().encode().unwrap();
    bytes[CRC_OFFSET] ^= 1;
    let Err(FormatError::Corruption(corruption)) = Manifest::decode(&bytes) else {
        panic!("a wrong CRC is corruption");
    };
    assert_eq!(corruption.file, FILE_NAME);
    assert_eq!(corruption.offset, CRC_OFFSET as u64);
    assert!(corruption.expected.starts_with("manifest CRC"));
    assert_ne!(corruption.expected, corruption.found);
}

#[test]
fn a_manifest_without_an_identity_for_each_number_is_refused() {
    for count in [15, 17] {
        let mut wire = sample().to_wire();
        wire.databases.0.resize(count, 19);
        let mut bytes = vec![0; HEADER_BYTES];
        bytes.splice(..8, MAGIC.to_le_bytes());
        bytes[VERSION_OFFSET] = 1;
        bytes.extend(options().serialize(&wire).unwrap());
        reseal(&mut bytes);
        let Err(FormatError::Corruption(corruption)) = Manifest::decode(&bytes) else {
            panic!("{count} identities were accepted");
        };
        assert_eq!(corruption.expected, EVERY_NUMBER_HAS_AN_IDENTITY);
    }
}

#[test]
fn a_manifest_that_breaks_a_rule_is_neither_written_nor_read() {
    let breakers: [fn(&mut Manifest); 9] = [
        |manifest| manifest.shard_count = 0,
        |manifest| manifest.shard_count = 2048,
        |manifest| manifest.databases.identities[1] = DatabaseId(4),
        |manifest| manifest.databases.next = DatabaseId(19),
        |manifest| manifest.dictionaries[0].id = 0,
        |manifest| manifest.dictionaries[0].bytes = vec![0; DICTIONARY_MAX_BYTES + 1],
        |manifest| manifest.segments.push(manifest.segments[0]),
        |manifest| manifest.segments[0].incarnation = Incarnation(0),
        |manifest| manifest.checkpoint_lsn = Lsn(201),
    ];
    for breaker in breakers {
        let mut manifest = sample();
        breaker(&mut manifest);
        assert!(matches!(manifest.encode(), Err(FormatError::Encode { .. })));
        let mut bytes = vec![0; HEADER_BYTES];
        bytes.splice(..8, MAGIC.to_le_bytes());
        bytes[VERSION_OFFSET] = 1;
        bytes.extend(options().serialize(&manifest.to_wire()).unwrap());
        reseal(&mut bytes);
        assert!(matches!(
            Manifest::decode(&bytes),
            Err(FormatError::Corruption(_))
        ));
    }
}

#[test]
fn the_largest_tier_fits() {
    let mut manifest = sample();
    manifest.segments = (0..SEGMENTS_MAX as u16)
        .map(|number| SegmentEntry {
            number: SegmentNumber(number),
            incarnation: Incarnation(u64::from(number) + 1),
            live_bytes: u64::MAX,
            sealed_at: UnixMillis(i64::MAX),
        })
        .collect();
    manifest.dictionaries = (1..=DICTIONARIES_MAX as u32)
        .map(|id| Dictionary {
            id,
            bytes: vec![0; DICTIONARY_MAX_BYTES],
        })
        .collect();
    let bytes = manifest.encode().unwrap();
    assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
}

proptest! {
    #[test]
    fn manifests_round_trip(
        seed: u64, lsn: u64, checkpoint in 0..1_u64 << 40, tail in 0..1_u64 << 40, shift in 0..=10_u32,
        numbers in proptest::collection::btree_set(0..SEGMENTS_MAX as u16, 0..50),
        starts in proptest::collection::btree_set(any::<u64>(), 0..5), id: u128, image: bool,
    ) {
        let mut manifest = sample();
        manifest.hash_seed = HashSeed(seed);
        manifest.shard_count = 1 << shift;
        manifest.databases_lsn = Lsn(lsn);
        manifest.checkpoint_lsn = Lsn(checkpoint);
        manifest.end_lsn = Lsn(checkpoint + tail);
        manifest.segments = numbers.into_iter().map(|number| SegmentEntry {
            number: SegmentNumber(number),
            incarnation: Incarnation(seed | 1),
            live_bytes: lsn,
            sealed_at: UnixMillis(checkpoint as i64),
        }).collect();
        manifest.histories = starts.into_iter()
            .map(|start| History { id, start_lsn: Lsn(start) }).collect();
        if !image {
            manifest.image = None;
        }
        prop_assert_eq!(Manifest::decode(&manifest.encode().unwrap()).unwrap(), manifest);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Manifest::decode(&bytes).is_err());
    }

    #[test]
    fn arbitrary_payloads_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = sample().encode().unwrap();
        bytes.truncate(HEADER_BYTES);
        bytes.extend(payload);
        reseal(&mut bytes);
        prop_assert!(Manifest::decode(&bytes).is_err());
    }
}
