//! Any bytes as requests: no panic, and the same requests however they arrive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_server::resp::{Decoded, Decoder, Limits, ProtocolError};

/// The requests in `bytes`, of which the decoder sees `step` more at a time.
fn requests(bytes: &[u8], step: usize) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let limits = Limits {
        line_bytes: 64,
        arguments: 100,
        bulk_bytes: 200,
        unauthenticated: bytes.first().is_some_and(|byte| byte % 2 == 0),
    };
    let mut decoder = Decoder::new();
    let mut found = Vec::new();
    let (mut start, mut end) = (0, step.min(bytes.len()));
    loop {
        let mut arguments = Vec::new();
        let consumed = match decoder.decode(&bytes[start..end], &limits, &mut arguments) {
            Err(error) => return (found, Some(error)),
            Ok(Decoded::Request { bytes, consumed }) => {
                assert!(!arguments.is_empty());
                let words = arguments.iter().map(|range| bytes[range.clone()].to_vec());
                found.push(words.collect());
                consumed
            }
            Ok(Decoded::Empty { consumed }) => {
                assert!(arguments.is_empty());
                consumed
            }
            Ok(Decoded::Incomplete { needed }) => {
                assert!(needed > 0);
                0
            }
        };
        start += consumed;
        if consumed == 0 {
            if end == bytes.len() {
                return (found, None);
            }
            end = (end + step).min(bytes.len());
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let whole = requests(bytes, bytes.len().max(1));
    assert_eq!(requests(bytes, 1), whole);
    assert_eq!(requests(bytes, 7), whole);
});
