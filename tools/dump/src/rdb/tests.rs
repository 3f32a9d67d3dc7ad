//! What is written is read back, and what is damaged is refused.

use super::*;
use proptest::prelude::*;
use thermocline_base::UnixMillis;
use thermocline_types::rdb::{FileVersion, RdbValue, put_string, read_value};

fn file(version: FileVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        RdbWriter::new(&mut bytes, version, UnixMillis(1_700_000_000_000)).expect("memory");
    let mut out = Vec::new();
    let mut scratch = Vec::new();
    put_database(&mut out, 3);
    for (key, expiry, value) in [
        ("a", None, "text".to_owned()),
        ("17", Some(UnixMillis(1_900_000_000_000)), "12".to_owned()),
        ("long", None, "0123456789 ".repeat(300_000)),
    ] {
        let value = RdbValue::String(value.into_bytes());
        put_key(
            &mut out,
            &mut scratch,
            key.as_bytes(),
            expiry,
            &value,
            true,
            version,
        )
        .expect("no fields");
    }
    writer.write(&out).expect("memory");
    writer.finish().expect("memory");
    bytes
}

/// Reads a few bytes at a time.
struct Slow<'a>(&'a [u8]);

impl std::io::Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(7);
        self.0.read(&mut buffer[..most])
    }
}

type Read = (u64, Vec<u8>, Option<i64>, usize);

fn read(bytes: &[u8]) -> Result<Vec<Read>, RdbFileError> {
    let mut reader = RdbReader::new(Slow(bytes))?;
    let version = reader.version();
    let mut keys = Vec::new();
    while let Some(element) = reader.next_element()? {
        if let Element::Key(raw) = element {
            let value = read_value(raw.kind, version, raw.value, 1 << 30);
            let Ok(RdbValue::String(value)) = value else {
                continue;
            };
            let key = raw.name(1 << 20).unwrap_or_default();
            keys.push((raw.database, key, raw.expiry.map(|it| it.0), value.len()));
        }
    }
    assert!(matches!(reader.next_element(), Ok(None)));
    reader.expect_nothing_more()?;
    Ok(keys)
}

#[test]
fn what_is_written_is_read_back_by_a_reader_that_gets_little_at_a_time() {
    for version in [
        FileVersion::Redis5,
        FileVersion::Redis72,
        FileVersion::Valkey9,
    ] {
        let keys = read(&file(version)).expect("it is whole");
        let expected = [
            (3, b"a".to_vec(), None, 4),
            (3, b"17".to_vec(), Some(1_900_000_000_000), 2),
            (3, b"long".to_vec(), None, 3_300_000),
        ];
        assert_eq!(keys, expected);
    }
    assert!(file(FileVersion::Redis70).starts_with(b"REDIS0010"));
    assert!(file(FileVersion::Valkey9).starts_with(b"VALKEY080"));
}

#[test]
fn every_truncation_and_every_flipped_bit_is_found() {
    let mut small = Vec::new();
    let writer = RdbWriter::new(&mut small, FileVersion::Redis72, UnixMillis(0));
    let mut writer = writer.expect("memory");
    let mut out = Vec::new();
    let value = RdbValue::Set(vec![b"a".to_vec(), b"b".to_vec()]);
    put_key(
        &mut out,
        &mut Vec::new(),
        b"key",
        None,
        &value,
        true,
        FileVersion::Redis72,
    )
    .expect("no fields");
    writer.write(&out).expect("memory");
    writer.finish().expect("memory");
    assert!(read(&small).is_ok());
    for end in 0..small.len() {
        let cut = read(&small[..end]);
        assert!(
            matches!(cut, Err(RdbFileError::Truncated { .. })),
            "{end}: {cut:?}"
        );
    }
    for bit in 0..small.len() * 8 {
        let mut flipped = small.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn a_length_that_nothing_stands_behind_is_not_allocated() {
    let mut bytes = b"REDIS0011\x00\x01k\x81".to_vec();
    bytes.extend_from_slice(&(1_u64 << 30).to_be_bytes());
    assert!(matches!(read(&bytes), Err(RdbFileError::Truncated { .. })));
    bytes.truncate(bytes.len() - 8);
    bytes.extend_from_slice(&u64::MAX.to_be_bytes());
    assert!(read(&bytes).is_err());
}

#[test]
fn what_is_beside_the_keys_is_told_or_skipped() {
    let mut bytes = b"REDIS0010".to_vec();
    bytes.extend_from_slice(b"\xf5");
    put_string(&mut bytes, b"#!lua name=l\nredis.register_function('f', f)");
    // Sizes, use, slots, an expiry in seconds.
    bytes.extend_from_slice(b"\xfe\x01\xfb\x02\x01\xf9\x05\xf8\x40\x70\xf4\x01\x02\x03");
    bytes.extend_from_slice(b"\xfd\x0a\x00\x00\x00\x00\x01k\x01v");
    // What a module keeps: id, when, its parts; then a value of its type.
    bytes.extend_from_slice(b"\xf7\x05\x02\x01\x05\x03abc\x02\x07\x00");
    bytes.extend_from_slice(
        b"\x07\x01m\x05\x03\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    );
    bytes.extend_from_slice(b"\xff\x00\x00\x00\x00\x00\x00\x00\x00");
    let mut reader = RdbReader::new(&bytes[..]).expect("a header");
    assert!(
        matches!(reader.next_element(), Ok(Some(Element::Function { code, .. })) if !code.is_empty())
    );
    let Ok(Some(Element::Key(raw))) = reader.next_element() else {
        panic!("a key");
    };
    assert_eq!((raw.database, raw.expiry), (1, Some(UnixMillis(10_000))));
    assert!(matches!(reader.next_element(), Ok(Some(Element::Module))));
    let Ok(Some(Element::Key(raw))) = reader.next_element() else {
        panic!("a key");
    };
    assert_eq!((raw.kind, raw.expiry), (7, None));
    assert!(matches!(reader.next_element(), Ok(None)));
    assert!(!reader.has_crc());
}

#[test]
fn other_files_are_refused() {
    for header in [
        "REDIS0000",
        "REDIS0099",
        "VALKEY079",
        "VALKEYabc",
        "nonsense!",
        "REDIS+011",
    ] {
        let refused = read(header.as_bytes());
        assert!(
            matches!(refused, Err(RdbFileError::Bad { offset: 0, .. })),
            "{header}"
        );
    }
    let unknown = read(b"REDIS0011\x63\x01k\x01v");
    assert!(
        matches!(unknown, Err(RdbFileError::Bad { offset: 10, .. })),
        "{unknown:?}"
    );
}

proptest! {
    #[test]
    fn whatever_the_bytes_reading_ends(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&[b"VALKEY080".as_slice(), &bytes].concat());
    }
}
