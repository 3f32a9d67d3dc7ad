//! Any bytes as an RDB file: read element by element, each value decoded, made a
//! value of the store, and written again. What can be written is read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_commands::scripts::library_name;
use thermocline_dump::rdb::{Element, RdbReader};
use thermocline_types::rdb::{
    FileVersion, Walk, is_compact_kind, read_string, read_value, write_value,
};
use thermocline_types::Limits;

const LIMIT_BYTES: usize = 1 << 24;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = RdbReader::new(bytes) else {
        return;
    };
    let version = reader.version();
    while let Ok(Some(element)) = reader.next_element() {
        let raw = match element {
            Element::Key(raw) => raw,
            Element::Function { code, .. } => {
                if let Ok(text) = read_string(code, LIMIT_BYTES) {
                    let _ = library_name(&text);
                }
                continue;
            }
            Element::Module => continue,
        };
        let _ = read_string(raw.key, LIMIT_BYTES);
        let Ok(value) = read_value(raw.kind, version, raw.value, LIMIT_BYTES) else {
            continue;
        };
        let mut written = Vec::new();
        if let Ok(kind) = write_value(&mut written, &value, true, FileVersion::Valkey9) {
            let mut walk = Walk::new(&written);
            assert_eq!(walk.value(kind), Ok(()));
            assert_eq!(walk.offset(), written.len());
            let again = read_value(kind, FileVersion::Valkey9.number(), &written, usize::MAX);
            assert_eq!(again.as_ref(), Ok(&value));
        }
        let _ = value.into_value(is_compact_kind(raw.kind), &Limits::default());
    }
});
