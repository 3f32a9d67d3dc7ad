//! The ring by itself. That appenders and the flusher may run in any order of steps is
//! shown by `shuttled`.

use crate::frame::{FRAME_HEADER_BYTES, frame_bytes};
use crate::ring::Ring;
use thermocline_base::Lsn;

#[test]
fn full_ring_refuses_credit_until_released() {
    let ring = Ring::new(4096, 4096, Lsn(80));
    let first = ring.try_credit(3000).expect("the ring is empty");
    assert!(ring.try_credit(3000).is_none());
    let appended = ring.append(first, &[&[7; 1000], &[8; 3]]);
    assert_eq!(appended.end, Lsn(80 + 1048));
    assert_eq!(
        ring.published(Lsn(80)).map(|frame| frame.length),
        Some(1003)
    );
    let mut payload = vec![1; 1008];
    ring.copy_payload(Lsn(80), &mut payload);
    assert_eq!(payload[999..], [7, 8, 8, 8, 0, 0, 0, 0, 0]);
    ring.release(Lsn(80), appended.end);
    drop(ring.try_credit(3900).expect("all was given back"));
}

#[test]
fn parts_of_any_length_follow_each_other() {
    let bytes: Vec<u8> = (1..=60).collect();
    for (first, second) in (0..20).flat_map(|first| (0..20).map(move |it| (first, it))) {
        let ring = Ring::new(4096, 4096, Lsn(4096 - 64));
        let credit = ring.try_credit(60).expect("the ring is empty");
        let (start, rest) = bytes.split_at(first);
        let (middle, end) = rest.split_at(second);
        let appended = ring.append(credit, &[start, middle, end]);
        let mut payload = [0; 64];
        ring.copy_payload(appended.start, &mut payload);
        assert_eq!(payload[..60], bytes, "{first} and {second}");
        assert_eq!(payload[60..], [0; 4]);
    }
}

#[test]
fn concurrent_appends_are_whole_and_contiguous() {
    let ring = Ring::new(1 << 16, 4096, Lsn(0));
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let ring = &ring;
            scope.spawn(move || {
                for size in 0..100 {
                    let credit = ring.try_credit(size).expect("room for all");
                    ring.append(credit, &[&vec![thread + 1; size]]);
                }
            });
        }
    });
    let mut at = Lsn(0);
    let mut count = 0;
    while let Some(frame) = ring.published(at) {
        let mut payload = vec![0; frame_bytes(frame.length as usize) - FRAME_HEADER_BYTES];
        ring.copy_payload(at, &mut payload);
        payload.truncate(frame.length as usize);
        assert!(payload.windows(2).all(|pair| pair[0] == pair[1]));
        at = at.advance(frame_bytes(frame.length as usize) as u64);
        count += 1;
    }
    assert_eq!((count, at), (400, ring.appended_lsn()));
}
