//! Any bytes go into the pure scanner: it must neither panic nor leave them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_base::Lsn;
use thermocline_wal::frame::{SegmentHeader, offset};
use thermocline_wal::scan::{Scanner, Verdict};

fuzz_target!(|bytes: &[u8]| {
    let _ = SegmentHeader::decode(bytes);
    // The identity of the first frame, so that mutations reach the later checks.
    let identity = bytes
        .get(offset::IDENTITY..offset::LSN)
        .and_then(|field| field.try_into().ok())
        .map_or(0, u64::from_le_bytes);
    let mut scanner = Scanner::new(bytes, identity, Lsn::ZERO, Lsn::ZERO);
    let mut end = Lsn::ZERO;
    for frame in scanner.by_ref() {
        assert_eq!(frame.start, end);
        assert!(frame.end > frame.start);
        end = frame.end;
    }
    assert!(end.0 <= bytes.len() as u64);
    let verdict = scanner.verdict();
    assert_eq!(verdict.at(), end);
    if let Verdict::Corrupt {
        at,
        claimed_durable,
        ..
    } = verdict
    {
        assert!(claimed_durable > at);
    }
});
