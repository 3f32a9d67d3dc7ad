//! Any payloads, encoded as frames: the scanner must give them back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_base::Lsn;
use thermocline_wal::frame::{FrameKind, encode_frame};
use thermocline_wal::scan::{Scanner, Verdict};

fuzz_target!(|input: (u64, Vec<Vec<u8>>)| {
    let (identity, payloads) = input;
    let mut bytes = Vec::new();
    for payload in &payloads {
        let at = Lsn(bytes.len() as u64);
        encode_frame(&mut bytes, FrameKind::Data, identity, at, at, payload);
    }
    let mut scanner = Scanner::new(&bytes, identity, Lsn::ZERO, Lsn::ZERO);
    let mut found = 0;
    for (frame, payload) in scanner.by_ref().zip(&payloads) {
        assert_eq!(frame.payload, payload.as_slice());
        found += 1;
    }
    assert_eq!(found, payloads.len());
    let at = Lsn(bytes.len() as u64);
    assert_eq!(scanner.verdict(), Verdict::End { at, sealed: false });
});
