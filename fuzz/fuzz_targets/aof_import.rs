//! Any bytes as an append-only file: reading ends, within the bytes that are there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_dump::aof::{Item, RequestReader};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = RequestReader::new(bytes, 0);
    let mut read_bytes = 0;
    while let Ok(Some(item)) = reader.next_item() {
        if let Item::Request(arguments) = item {
            read_bytes += arguments.iter().map(Vec::len).sum::<usize>();
        }
        assert!(reader.offset() <= bytes.len() as u64);
    }
    assert!(read_bytes <= bytes.len());
});
