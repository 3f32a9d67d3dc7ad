//! Any text as a configuration file: no panic, and a directive is one of its lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_server::config_file::{parse, parse_size};

fuzz_target!(|text: &[u8]| {
    if let Ok(directives) = parse("fuzz.conf", text) {
        let lines = text.split(|byte| *byte == b'\n').count();
        for directive in &directives {
            assert!((1..=lines).contains(&directive.line));
        }
        assert!(directives.len() <= lines);
    }
    let _ = parse_size(&String::from_utf8_lossy(text));
});
