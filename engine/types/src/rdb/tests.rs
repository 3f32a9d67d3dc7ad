//! Payloads made by Valkey 9.1.2 (`golden`), hand-made ones of older and other
//! servers, and hostile ones.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::StreamId;

const LIMIT: usize = 1 << 20;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Appends a right footer.
fn sealed(value: &[u8], version: u16) -> Vec<u8> {
    let mut payload = value.to_vec();
    payload.extend_from_slice(&version.to_le_bytes());
    let sum = checksum(CrcAlgorithm::Crc64Redis, &payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    payload
}

fn field(field: &[u8], value: &[u8], expiry: Option<i64>) -> HashField {
    HashField {
        field: field.to_vec(),
        value: value.to_vec(),
        expiry: expiry.map(UnixMillis),
    }
}

#[test]
fn checksum_is_the_one_of_redis() {
    let sum = checksum(CrcAlgorithm::Crc64Redis, b"123456789");
    assert_eq!(sum, 0xe9c6_d914_c4b8_d9ca);
}

#[test]
fn golden_strings_restore() {
    let many = (0..70).collect::<Vec<u8>>();
    let golden: [(&[u8], &str); 14] = [
        (b"", "0000500092b195d1912dc52e"),
        (b"hello", "000568656c6c6f5000ac5816e7fb6647fe"),
        (b"0", "00c0005000576a6ee9660264fc"),
        (b"12", "00c00c5000f30031c0c256db21"),
        (b"-128", "00c0805000564cfbfcb15e3c2d"),
        (b"32767", "00c1ff7f50008670fe4b89a6b2df"),
        (b"-2147483648", "00c200000080500008654eafad07e673"),
        (
            b"2147483648",
            "000a323134373438333634385000289be032d24f111a",
        ),
        (b"007", "00033030375000bd722bead23bdd2d"),
        (
            &[b'a'; 100],
            "00c3094064016161e05700016161500027897c962e3f9585",
        ),
        (
            &many,
            "004046000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40414243444550002f09d826c94ec719",
        ),
        (
            &[b'9'; 20],
            "001439393939393939393939393939393939393939395000a5a72a09c6f5d4e8",
        ),
        (
            &[b'a'; 20],
            "0014616161616161616161616161616161616161616150004c9ea2cf8543cb05",
        ),
        (
            &b"ab".repeat(200),
            "00c30d419002616261e0ff01e07a010161625000f029a805ad8fea6e",
        ),
    ];
    for (value, payload) in golden {
        let restored = restore(&unhex(payload), LIMIT);
        assert_eq!(restored, Ok(RdbValue::String(value.to_vec())));
    }
}

#[test]
fn short_strings_are_dumped_as_the_reference_does() {
    // All but the version and the checksum over it.
    for payload in [
        "0000500092b195d1912dc52e",
        "00c0005000576a6ee9660264fc",
        "00c0805000564cfbfcb15e3c2d",
        "00c1ff7f50008670fe4b89a6b2df",
        "00c200000080500008654eafad07e673",
        "000a323134373438333634385000289be032d24f111a",
        "00033030375000bd722bead23bdd2d",
    ] {
        let payload = unhex(payload);
        let dumped = dump(&restore(&payload, LIMIT).unwrap(), true);
        let value_bytes = payload.len() - FOOTER_BYTES;
        assert_eq!(dumped[..value_bytes], payload[..value_bytes]);
        assert_eq!(dumped, sealed(&payload[..value_bytes], PLAIN_VERSION));
    }
}

#[test]
fn golden_listpack_hashes_restore() {
    let mixed = unhex(
        "10c34064409e1f9e0000001600816602817602816e020c01836e656704dfff02816202c12c0281156302f178ec03816402f2a0860104816502f4005ed0b220340300098167200c0490cd792f08400c046c02e04078e036001042817a028001826c7a03843030313205ff5000a0cdb1784ffad6b1",
    );
    let sixty_four = [b'x'; 64];
    let expected = [
        field(b"f", b"v", None),
        field(b"n", b"12", None),
        field(b"neg", b"-1", None),
        field(b"b", b"300", None),
        field(b"c", b"-5000", None),
        field(b"d", b"100000", None),
        field(b"e", b"3000000000", None),
        field(b"g", b"9000000000000", None),
        field(b"l", &sixty_four, None),
        field(b"z", b"", None),
        field(b"lz", b"0012", None),
    ];
    assert_eq!(
        restore(&mixed, LIMIT),
        Ok(RdbValue::Hash(expected.to_vec()))
    );

    let integers = unhex(
        "104054540000001200826e31037f01826e3203c08002826e3303cfff02826e3403d00002826e3503f1001003826e3603f2ffff7f04826e3703f200008004826e3803f30000800005826e3903f4ffffffffffffff7f09ff500092bac9a6a2b80421",
    );
    let values = [
        "127",
        "128",
        "4095",
        "-4096",
        "4096",
        "8388607",
        "-8388608",
        "8388608",
        "9223372036854775807",
    ];
    let expected = values
        .iter()
        .enumerate()
        .map(|(index, value)| field(format!("n{}", index + 1).as_bytes(), value.as_bytes(), None));
    let expected = RdbValue::Hash(expected.collect());
    assert_eq!(restore(&integers, LIMIT).as_ref(), Ok(&expected));
    // The same listpack is written back; the wrapping may differ by LZF.
    let packed = &integers[3..integers.len() - FOOTER_BYTES];
    let dumped = dump(&expected, true);
    assert_eq!(restore(&dumped, LIMIT).as_ref(), Ok(&expected));
    let mut decoder = Decoder::new(&dumped[1..], LIMIT);
    assert_eq!(decoder.blob().unwrap(), packed);
}

#[test]
fn golden_plain_and_expiring_hashes_restore() {
    assert_eq!(
        restore(&unhex("040201660176016ec00c5000e5e07e82f2f6c05f"), LIMIT),
        Ok(RdbValue::Hash(vec![
            field(b"f", b"v", None),
            field(b"n", b"12", None)
        ]))
    );
    let expiring = "1602016601767bd8c32cbb030000016ec00cffffffffffffffff50001f5953b80d2ce38e";
    let expected = RdbValue::Hash(vec![
        field(b"f", b"v", Some(4_102_444_800_123)),
        field(b"n", b"12", None),
    ]);
    assert_eq!(restore(&unhex(expiring), LIMIT).as_ref(), Ok(&expected));
    assert_eq!(dump(&expected, true), unhex(expiring));
}

#[test]
fn redis_field_expiries_restore() {
    let mut relative = vec![TYPE_REDIS_HASH_EXPIRY];
    relative.extend_from_slice(&1_000_u64.to_le_bytes());
    relative.extend_from_slice(b"\x03\x01\x01a\x011\x00\x01b\x012\x06\x01c\x013");
    assert_eq!(
        restore(&sealed(&relative, 12), LIMIT),
        Ok(RdbValue::Hash(vec![
            field(b"a", b"1", Some(1_000)),
            field(b"b", b"2", None),
            field(b"c", b"3", Some(1_005)),
        ]))
    );
    let fields = restore(&sealed(&relative, 12), LIMIT).unwrap();
    let mut written = Vec::new();
    let kind = write_value(&mut written, &fields, true, FileVersion::Redis74);
    assert_eq!(kind, Ok(TYPE_REDIS_HASH_EXPIRY));
    // Its earliest time and how many fields; numbers take another form than above.
    assert_eq!(written[..10], relative[1..11]);
    assert_eq!(
        read_value(TYPE_REDIS_HASH_EXPIRY, 12, &written, LIMIT).as_ref(),
        Ok(&fields)
    );
    let older = write_value(&mut written, &fields, true, FileVersion::Redis72);
    assert_eq!(older, Err(NoFieldExpiries));
    let mut packed = vec![TYPE_REDIS_HASH_LISTPACK_EXPIRY];
    packed.extend_from_slice(&1_000_u64.to_le_bytes());
    packed.push(22);
    packed.extend_from_slice(
        b"\x16\0\0\0\x06\0\x81a\x02\x01\x01\xc3\xe8\x02\x81b\x02\x02\x01\x00\x01\xff",
    );
    assert_eq!(
        restore(&sealed(&packed, 12), LIMIT),
        Ok(RdbValue::Hash(vec![
            field(b"a", b"1", Some(1_000)),
            field(b"b", b"2", None),
        ]))
    );
    // Type 22 of a Redis release candidate is not Valkey's.
    let early = sealed(b"\x16\x01\x00\x01f\x01v", 12);
    assert_eq!(
        restore(&early, LIMIT),
        Err(RdbError::UnknownType { found: 22 })
    );
}

/// A ziplist of the entries' encoded bodies.
fn ziplist_of(bodies: &[&[u8]]) -> Vec<u8> {
    let mut entries = Vec::new();
    let (mut previous, mut last) = (0_usize, 10);
    for body in bodies {
        last = 10 + entries.len();
        let start = entries.len();
        if previous < 254 {
            entries.push(previous as u8);
        } else {
            entries.push(0xfe);
            entries.extend_from_slice(&(previous as u32).to_le_bytes());
        }
        entries.extend_from_slice(body);
        previous = entries.len() - start;
    }
    let mut out = ((entries.len() + 11) as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&(last as u32).to_le_bytes());
    out.extend_from_slice(&(bodies.len() as u16).to_le_bytes());
    out.extend_from_slice(&entries);
    out.push(0xff);
    out
}

#[test]
fn ziplist_hash_restores() {
    let mut long = vec![0x41, 0x2c];
    long.extend_from_slice(&[b'y'; 300]);
    let packed = ziplist_of(&[
        b"\x01a",
        b"\xf1",
        b"\x01b",
        b"\xfd",
        b"\x01c",
        b"\xfe\x80",
        b"\x01d",
        b"\xc0\x00\x80",
        b"\x01e",
        b"\xf0\xff\xff\xff",
        &long,
        b"\xd0\x00\x00\x00\x80",
        b"\x01g",
        b"\xe0\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x01h",
        b"\x80\0\0\0\x02hi",
    ]);
    let mut value = vec![TYPE_HASH_ZIPLIST, 0x80];
    value.extend_from_slice(&(packed.len() as u32).to_be_bytes());
    value.extend_from_slice(&packed);
    assert_eq!(
        restore(&sealed(&value, 9), LIMIT),
        Ok(RdbValue::Hash(vec![
            field(b"a", b"0", None),
            field(b"b", b"12", None),
            field(b"c", b"-128", None),
            field(b"d", b"-32768", None),
            field(b"e", b"-1", None),
            field(&[b'y'; 300], b"-2147483648", None),
            field(b"g", b"9223372036854775807", None),
            field(b"h", b"hi", None),
        ]))
    );
}

#[test]
fn every_bit_flip_is_refused() {
    let payloads = [
        dump(&RdbValue::String(b"ab".repeat(200)), true),
        dump(
            &RdbValue::Hash(vec![field(b"f", b"v", Some(5)), field(b"g", b"77", None)]),
            true,
        ),
        dump(&RdbValue::Hash(vec![field(b"f", b"v", None)]), true),
    ];
    for payload in payloads {
        for bit in 0..payload.len() * 8 {
            let mut flipped = payload.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(restore(&flipped, LIMIT), Err(RdbError::VersionOrChecksum));
        }
        for cut in 0..payload.len() {
            assert_eq!(
                restore(&payload[..cut], LIMIT),
                Err(RdbError::VersionOrChecksum)
            );
        }
    }
}

#[test]
fn newer_versions_are_refused() {
    let value = b"\x00\x01a";
    assert!(restore(&sealed(value, NEWEST_VERSION), LIMIT).is_ok());
    let newer = restore(&sealed(value, NEWEST_VERSION + 1), LIMIT);
    assert_eq!(newer, Err(RdbError::VersionOrChecksum));
    assert_eq!(
        newer.unwrap_err().to_string(),
        "DUMP payload version or checksum are wrong"
    );
}

#[test]
fn malformed_values_are_refused() {
    let malformed: [&[u8]; 13] = [
        b"",
        b"\x00",
        b"\x00\x02a",
        b"\x00\x01aa",
        b"\x00\xc4",
        b"\x00\x82",
        b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x04\x00",
        b"\x04\x02\x01f\x01a\x01f\x01b",
        b"\x04\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x16\x01\x01f\x01v\xfe\xff\xff\xff\xff\xff\xff\xff",
        b"\x10\x07\x07\0\0\0\0\0\xff",
        b"\x00\xc3\x02\x05\x20\x00",
    ];
    for value in malformed {
        let error = restore(&sealed(value, 80), LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "Bad data format", "{value:02x?}");
    }
}

#[test]
fn decoded_size_is_limited() {
    let payload = dump(&RdbValue::String(vec![b'x'; 20_000]), true);
    assert!(payload.len() < 1_000);
    assert!(restore(&payload, 20_000).is_ok());
    assert_eq!(
        restore(&payload, 19_999),
        Err(RdbError::TooLarge {
            limit_bytes: 19_999
        })
    );
    let declared = b"\x00\xc3\x02\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x00a";
    assert_eq!(
        restore(&sealed(declared, 11), LIMIT),
        Err(RdbError::TooLarge { limit_bytes: LIMIT })
    );
    let hash = dump(
        &RdbValue::Hash(vec![field(b"ab", b"cd", None), field(b"ef", b"gh", None)]),
        true,
    );
    assert!(restore(&hash, 8).is_ok());
    assert_eq!(
        restore(&hash, 7),
        Err(RdbError::TooLarge { limit_bytes: 7 })
    );
}

fn any_string() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        any::<i16>().prop_map(|value| value.to_string().into_bytes()),
        (proptest::collection::vec(any::<u8>(), 1..40), 1..400_usize)
            .prop_map(|(part, times)| part.repeat(times)),
    ]
}

proptest! {
    #[test]
    fn strings_round_trip(bytes in any_string()) {
        let value = RdbValue::String(bytes);
        prop_assert_eq!(restore(&dump(&value, true), LIMIT), Ok(value));
    }

    #[test]
    fn hashes_round_trip(
        fields in proptest::collection::btree_map(
            any_string(),
            (any_string(), proptest::option::weighted(0.1, 0..i64::MAX)),
            1..20,
        ),
    ) {
        let fields: BTreeMap<_, _> = fields;
        let fields = fields.iter().map(|(name, (value, expiry))| field(name, value, *expiry));
        let value = RdbValue::Hash(fields.collect());
        prop_assert_eq!(restore(&dump(&value, true), LIMIT), Ok(value));
    }

    #[test]
    fn large_hashes_round_trip(count in 500..1_200_usize) {
        let fields = (0..count).map(|index| field(index.to_string().as_bytes(), b"", None));
        let value = RdbValue::Hash(fields.collect());
        let payload = dump(&value, true);
        prop_assert_eq!(payload[0] == TYPE_HASH, count > 512);
        prop_assert_eq!(restore(&payload, LIMIT), Ok(value));
    }

    /// CVE-2026-25243: a payload with the right checksum was believed. Here of every kind
    /// whatever its bytes are; `fuzz/fuzz_targets/restore.rs` goes on from real ones.
    #[test]
    fn arbitrary_values_never_panic(
        kind in 0..32_u8,
        rest in proptest::collection::vec(any::<u8>(), 0..200),
        version in 0..82_u16,
    ) {
        let mut value = vec![kind];
        value.extend_from_slice(&rest);
        if let Ok(RdbValue::Hash(fields)) = restore(&sealed(&value, version), LIMIT) {
            prop_assert!(!fields.is_empty());
        }
    }

    #[test]
    fn damaged_values_never_panic(
        fields in proptest::collection::btree_map(any_string(), any_string(), 1..10),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let fields = fields.iter().map(|(name, value)| field(name, value, None));
        let payload = dump(&RdbValue::Hash(fields.collect()), true);
        let mut value = payload[..payload.len() - FOOTER_BYTES].to_vec();
        let at = at.index(value.len());
        value[at] = byte;
        let _ = restore(&sealed(&value, 11), LIMIT);
    }

    #[test]
    fn arbitrary_packed_lists_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut packed = ((bytes.len() + 4) as u32).to_le_bytes().to_vec();
        packed.extend_from_slice(&bytes);
        for entries in [listpack::entries(&packed, 40), ziplist::entries(&packed, 40)] {
            let total: usize = entries.unwrap_or_default().iter().map(Vec::len).sum();
            prop_assert!(total <= 40);
        }
    }
}

/// A stream with a deleted entry, two groups and two consumers, and an empty one.
const GOLDEN_STREAMS: [&str; 2] = [
    "1501100000018bcfe568000000000000000000c3405a406415640000001f00030101010201846e616d6505816e\
     0200200c000020010b8676616c756530070001050140220001a011053107c3e802052024400180240332\
     07c7d020120200010920030e0101856f74686572068178020601ff03810000018bcfe56809008100\
     00018bcfe5680000810000018bcfe568010104020167000081ffffffffffffffff010000018bcfe568\
     000000000000000000e86be5cf8b010000030205616c696365071e4614a2010000071e4614a20100\
     00010000018bcfe56800000000000000000003626f62081e4614a2010000ffffffffffffffff000168\
     810000018bcfe568090004000050005296fb8b6b53f516",
    "15000000000000000000010167000081ffffffffffffffff0000500030071a7da9024b0f",
];

#[test]
fn golden_streams_restore_and_dump_to_what_restores_alike() {
    for (place, golden) in GOLDEN_STREAMS.iter().enumerate() {
        let golden = restore(&unhex(golden), LIMIT).unwrap();
        assert_eq!(restore(&dump(&golden, false), LIMIT).as_ref(), Ok(&golden));
        let RdbValue::Stream(stream) = golden else {
            panic!("a stream")
        };
        if place == 1 {
            assert_eq!((stream.len(), stream.groups().len()), (0, 1));
            continue;
        }
        let ids = stream
            .range(StreamId::MIN..=StreamId::MAX)
            .map(|it| it.id.to_string());
        let expected = ["1700000000000-0", "1700000000002-2", "1700000000009-0"];
        assert_eq!(ids.collect::<Vec<_>>(), expected);
        assert_eq!((stream.len(), stream.entries_added()), (3, 4));
        assert_eq!(stream.max_deleted_id().to_string(), "1700000000001-1");
        let group = stream.group(b"g").unwrap();
        let (id, pending) = group.pending_from(StreamId::MIN).next().unwrap();
        assert_eq!(
            (id.to_string().as_str(), pending.deliveries),
            ("1700000000000-0", 3)
        );
        assert_eq!(pending.delivered_at, UnixMillis(1_700_000_001_000));
        assert_eq!(group.consumer(b"bob").unwrap().active_at, None);
        assert_eq!(stream.group(b"h").unwrap().entries_read, 4);
    }
}

#[test]
fn older_streams_restore_with_what_they_do_not_tell() {
    use super::encode::{put_length, put_string};
    use crate::{Limits, StreamUpdate, Update, apply};
    let id = StreamId::new(5, 0);
    let fields: Vec<&[u8]> = vec![b"f", b"v"];
    let add = Update::Stream(StreamUpdate::Add { id, fields });
    let made = apply(None, &add, &Limits::default()).unwrap();
    let made = made.as_ref().stream().unwrap().clone();
    // As Redis 5 writes it: without counts, and without activity.
    let mut value = vec![TYPE_STREAM];
    put_length(&mut value, 1);
    for (id, node) in made.nodes() {
        put_string(&mut value, &id.to_be_bytes());
        put_string(&mut value, node.bytes());
    }
    // Length and last id; then a group with its name and last id.
    value.extend([1, 5, 0, 1, 1, b'g', 5, 0]);
    // What is pending: delivered at 100, once; and for whom, who was seen at 100.
    let delivered = 100_i64.to_le_bytes();
    value.push(1);
    value.extend(id.to_be_bytes());
    value.extend(delivered);
    value.extend([1, 1, 1, b'c']);
    value.extend(delivered);
    value.push(1);
    value.extend(id.to_be_bytes());
    let payload = sealed(&value, 9);
    let Ok(RdbValue::Stream(stream)) = restore(&payload, LIMIT) else {
        panic!("{:?}", restore(&payload, LIMIT))
    };
    assert_eq!((stream.len(), stream.entries_added()), (1, 1));
    assert_eq!(stream.first_id(), StreamId::new(5, 0));
    let group = stream.group(b"g").unwrap();
    assert_eq!(group.entries_read, 1);
    assert_eq!(
        group.consumer(b"c").unwrap().active_at,
        Some(UnixMillis(100))
    );
    assert_eq!(group.pending(StreamId::new(5, 0)).unwrap().deliveries, 1);
}

#[test]
fn damaged_streams_are_refused_or_are_others() {
    let golden = unhex(GOLDEN_STREAMS[0]);
    let value = &golden[..golden.len() - FOOTER_BYTES];
    for at in 1..value.len() {
        assert!(restore(&sealed(&value[..at], 11), LIMIT).is_err(), "{at}");
        for flip in [1, 0x40, 0xff] {
            let mut damaged = value.to_vec();
            damaged[at] ^= flip;
            if let Ok(RdbValue::Stream(stream)) = restore(&sealed(&damaged, 11), LIMIT) {
                let entries = stream.range(StreamId::MIN..=StreamId::MAX).count();
                assert_eq!(entries as u64, stream.len());
            }
        }
    }
}
