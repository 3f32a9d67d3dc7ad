//! Any bytes as the payload of a manifest with the right checksum: no panic, and what is
//! read is written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_base::checksum::crc32_parts;
use thermocline_store::manifest::{MAGIC, Manifest, VERSION};

fuzz_target!(|payload: &[u8]| {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC.to_le_bytes());
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let crc = crc32_parts(&[&bytes, payload]);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(payload);
    if let Ok(manifest) = Manifest::decode(&bytes) {
        let written = manifest.encode().expect("what was read can be written");
        let again = Manifest::decode(&written).expect("what was written can be read");
        assert_eq!(again, manifest);
    }
});
