//! Any value as a RESTORE payload with the right checksum: no panic, and what is
//! read is written so that it reads the same.
#![no_main]

use crc_fast::{CrcAlgorithm, checksum};
use libfuzzer_sys::fuzz_target;
use thermocline_types::rdb::{self, RdbError};
use thermocline_types::{Limits, Value};

/// The newest version read.
const VERSION: u16 = 80;
/// What the strings of a value may take together.
const LIMIT_BYTES: usize = 1 << 20;

fuzz_target!(|value: &[u8]| {
    let mut payload = value.to_vec();
    payload.extend_from_slice(&VERSION.to_le_bytes());
    let crc = checksum(CrcAlgorithm::Crc64Redis, &payload);
    payload.extend_from_slice(&crc.to_le_bytes());
    let read = match rdb::restore(&payload, LIMIT_BYTES) {
        Err(error) => {
            assert_ne!(error, RdbError::VersionOrChecksum);
            return;
        }
        Ok(read) => read,
    };
    for is_compact in [false, true] {
        let written = rdb::dump(&read, is_compact);
        let again = rdb::restore(&written, usize::MAX).expect("what was written can be read");
        // A list may come back in other nodes.
        if !matches!(read, rdb::RdbValue::List(_)) {
            assert_eq!(again, read);
        }
    }
    let kept = match read {
        rdb::RdbValue::List(list) => Value::from_list(list, &Limits::default()),
        rdb::RdbValue::Stream(stream) => Value::from_stream(*stream),
        _ => return,
    };
    let mut bytes = Vec::new();
    let form = kept.serialize_into(&mut bytes);
    Value::deserialize(form, &bytes).expect("what is kept can be read back");
});
