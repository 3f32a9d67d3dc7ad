//! Any bytes as one record with the right checksum, its value decompressed: no panic,
//! and what is read is written back as it stood.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_base::Reader;
use thermocline_base::checksum::crc32;
use thermocline_store::tier::record::LSN_OFFSET;
use thermocline_store::tier::{Decompressor, StoredValue, TierRecord};

/// Longer values are not made: zstd may repeat a byte a million times.
const RAW_MAX_BYTES: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    let Some(covered) = bytes.get(LSN_OFFSET..) else {
        return;
    };
    let crc = crc32(covered);
    bytes[..LSN_OFFSET].copy_from_slice(&crc.to_le_bytes());
    let Ok(record) = TierRecord::decode(&mut Reader::new(&bytes)) else {
        return;
    };
    let mut written = Vec::new();
    record.encode(&mut written);
    let again = TierRecord::decode(&mut Reader::new(&written));
    assert_eq!(again.as_ref(), Ok(&record));
    assert_eq!(record.encoded_bytes(), written.len());
    let is_small = !matches!(
        record.value,
        StoredValue::Compressed { raw_bytes, .. } if raw_bytes > RAW_MAX_BYTES
    );
    let mut decompressor = Decompressor::new(&[]).expect("no dictionary can be wrong");
    if is_small && let Ok(value) = decompressor.decompress(record.value) {
        assert!(value.len() as u64 <= RAW_MAX_BYTES.max(bytes.len() as u64));
    }
});
