//! The short road of one plain key, and what leaves it.

use crate::support::{Held, Opened};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thermocline_base::UnixMillis;
use thermocline_disk::AlignedBuffer;
use thermocline_store::{Fault, FaultSet, KeyName};
use thermocline_wal::Policy;

const NAME: KeyName<'_> = KeyName {
    database: 0,
    key: b"key",
};

fn open(directory: &std::path::Path) -> Opened {
    let mut opened = Opened::open(directory, Some(Policy::EverySecond), 1);
    // Has the key's shard come up.
    assert_eq!(opened.get(0, b"key"), None);
    opened
}

/// What the short road shows; `None` if it is not taken.
fn seen(opened: &Opened, now: UnixMillis) -> Option<Option<Vec<u8>>> {
    let mut seen = None;
    opened.store.read_quick(NAME, now, true, |entry| {
        let string = entry.map(|entry| entry.value.string().expect("a string").to_vec());
        seen = Some(string);
    })?;
    seen
}

#[test]
fn a_string_set_on_the_short_road_is_read_there_and_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = open(directory.path());
    let now = opened.store.now();
    assert_eq!(seen(&opened, now), Some(None));
    // Born, overwritten in place, overwritten by another length.
    for value in [&b"first"[..], b"other", b"longer than before"] {
        let lsn = opened.store.set_quick(NAME, now, value);
        assert_eq!(lsn, Some(opened.store.appended_lsn()));
        assert_eq!(seen(&opened, now), Some(Some(value.to_vec())));
        let expected = Some((Held::String(value.to_vec()), None));
        assert_eq!(opened.get(0, b"key"), expected);
    }
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    let expected = Some((Held::String(b"longer than before".to_vec()), None));
    assert_eq!(opened.get(0, b"key"), expected);
    opened.close(false);
}

#[test]
fn a_glance_sees_what_a_use_sees_and_is_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = open(directory.path());
    let now = opened.store.now();
    let expiry = UnixMillis(now.0 + 1_000_000);
    let glance = |opened: &Opened| {
        let mut seen = None;
        opened.store.read_quick(NAME, now, false, |entry| {
            seen = Some(entry.map(|entry| entry.expiry));
        })?;
        seen
    };
    let counts = |opened: &mut Opened| {
        let frequency = opened.with(&[NAME], |access, _| Ok(access.frequency(0)));
        let statistics = opened.store.statistics();
        (frequency, statistics.hits, statistics.misses)
    };
    let (frequency, hits, misses) = counts(&mut opened);
    assert_eq!(glance(&opened), Some(None));
    assert_eq!(counts(&mut opened), (frequency, hits, misses + 1));
    opened.set(0, b"key", b"value", Some(expiry));
    let (frequency, hits, misses) = counts(&mut opened);
    assert_eq!(glance(&opened), Some(Some(Some(expiry))));
    assert_eq!(counts(&mut opened), (frequency, hits + 1, misses));
    assert_eq!(seen(&opened, now), Some(Some(b"value".to_vec())));
    assert_eq!(counts(&mut opened), (frequency + 1, hits + 2, misses));
    opened.close(false);
}

#[test]
fn an_expiry_goes_with_the_old_value_and_an_expired_key_is_left_to_an_access() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = open(directory.path());
    let now = opened.store.now();
    let expiry = UnixMillis(now.0 + 1_000_000);
    opened.set(0, b"key", b"value", Some(expiry));
    let after = UnixMillis(expiry.0 + 1);
    assert_eq!(seen(&opened, expiry), Some(Some(b"value".to_vec())));
    assert_eq!(seen(&opened, after), None);
    let lsn = opened.store.appended_lsn();
    assert_eq!(opened.store.set_quick(NAME, after, b"other"), None);
    assert_eq!(opened.store.appended_lsn(), lsn);
    assert!(opened.store.set_quick(NAME, now, b"other").is_some());
    let expected = Some((Held::String(b"other".to_vec()), None));
    assert_eq!(opened.get(0, b"key"), expected);
    opened.close(false);
}

#[test]
fn a_key_on_the_tier_is_left_to_an_access() {
    let directory = tempfile::tempdir().expect("a directory");
    let value = vec![7; 100];
    let mut opened = open(directory.path());
    opened.set(0, b"key", &value, None);
    opened.close(true);
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    let now = opened.store.now();
    opened.get(0, b"none");
    // The first read of a cold key does not bring it up.
    let expected = Some((Held::String(value), None));
    assert_eq!(opened.get(0, b"key"), expected);
    assert_eq!(seen(&opened, now), None);
    assert_eq!(opened.store.set_quick(NAME, now, b"other"), None);
    assert_eq!(opened.get(0, b"key"), expected);
    opened.close(false);
}

/// What the short road to the tier shows or wants; `None` if it is not taken.
fn seen_cold(
    opened: &Opened,
    now: UnixMillis,
    faults: &FaultSet,
) -> Option<Result<Vec<u8>, Fault>> {
    let mut seen = Vec::new();
    let read = opened.store.read_quick_cold(NAME, now, faults, |entry| {
        seen = entry.value.string().expect("a string").to_vec();
    })?;
    Some(read.map(|_| seen))
}

#[test]
fn a_string_on_the_tier_is_shown_from_its_page_once_and_comes_up_on_the_second_read() {
    // One that is kept as it is, and one that is compressed.
    let noise = (0..100_u8).map(|byte| byte.wrapping_mul(151)).collect();
    for value in [noise, b"text ".repeat(300)] {
        let directory = tempfile::tempdir().expect("a directory");
        let mut opened = open(directory.path());
        let expiry = UnixMillis(opened.store.now().0 + 1_000_000);
        opened.set(0, b"key", &value, Some(expiry));
        opened.close(true);
        let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
        opened.settle();
        let (now, after) = (opened.store.now(), UnixMillis(expiry.0 + 1));
        let mut faults = FaultSet::new();
        let mut wanted = Vec::new();
        assert!(opened.store.wants_quick(NAME, &faults, &mut wanted));
        let fault = seen_cold(&opened, now, &faults)
            .expect("taken")
            .unwrap_err();
        assert!(matches!(&fault, Fault::Reads(reads) if **reads == *wanted && reads.len() == 1));
        opened.satisfy(fault, &mut faults);
        // Whether the page holds the key is not looked at ahead.
        wanted.clear();
        assert!(!opened.store.wants_quick(NAME, &faults, &mut wanted));
        assert!(wanted.is_empty());
        assert_eq!(seen_cold(&opened, after, &faults), None, "it has expired");
        let before = opened.store.statistics().hits;
        assert_eq!(seen_cold(&opened, now, &faults), Some(Ok(value.clone())));
        assert_eq!(opened.store.statistics().hits, before + 1);
        assert_eq!(seen(&opened, now), None, "the first read leaves it cold");
        assert_eq!(seen_cold(&opened, now, &faults), None);
        let expected = Some((Held::String(value.clone()), Some(expiry)));
        assert_eq!(opened.get(0, b"key"), expected);
        assert_eq!(seen(&opened, now), Some(Some(value)));
        assert!(opened.store.wants_quick(NAME, &faults, &mut wanted));
        assert!(wanted.is_empty(), "nothing is to be read for a hot key");
        opened.close(false);
    }
}

#[test]
fn a_damaged_page_is_not_shown_on_the_short_road() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = open(directory.path());
    opened.set(0, b"key", &[7; 100], None);
    opened.close(true);
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    opened.settle();
    let now = opened.store.now();
    let mut faults = FaultSet::new();
    let fault = seen_cold(&opened, now, &faults)
        .expect("taken")
        .unwrap_err();
    let Fault::Reads(reads) = fault.clone() else {
        panic!("{fault:?}");
    };
    opened.satisfy(fault, &mut faults);
    let mut page = faults.get(reads[0].address).expect("it was read").clone();
    let mut bytes = AlignedBuffer::new(page.bytes.len());
    bytes.copy_from_slice(&page.bytes);
    bytes[4000] ^= 1;
    page.bytes = Arc::new(bytes);
    faults.insert(reads[0].address, page);
    let seen = seen_cold(&opened, now, &faults);
    assert!(matches!(seen, Some(Err(Fault::Damaged(_)))), "{seen:?}");
    opened.close(false);
}

#[test]
fn whoever_watches_the_key_learns_of_a_change_on_the_short_road() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = open(directory.path());
    let changed = Arc::new(AtomicBool::new(false));
    opened.store.watch(NAME, &changed);
    let now = opened.store.now();
    assert!(seen(&opened, now).is_some());
    assert!(!changed.load(Ordering::Acquire));
    assert!(opened.store.set_quick(NAME, now, b"value").is_some());
    assert!(changed.load(Ordering::Acquire));
    // A use counts on either road.
    let frequency = |opened: &Opened| {
        let access = opened.store.access(&[NAME], &FaultSet::new());
        access.expect("it is in memory").frequency(0)
    };
    let before = frequency(&opened);
    seen(&opened, now);
    assert_eq!(frequency(&opened), before + 1);
    opened.close(false);
}

#[test]
fn a_change_that_someone_is_to_be_told_of_is_left_to_an_access() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = open(directory.path());
    let now = opened.store.now();
    opened.store.ask_for_changes(true);
    assert_eq!(opened.store.set_quick(NAME, now, b"value"), None);
    opened.store.ask_for_changes(false);
    // Someone waits for the key.
    opened.with(&[NAME], |access, _| {
        access.wait(0, 7, false);
        Ok(())
    });
    assert_eq!(opened.store.set_quick(NAME, now, b"value"), None);
    assert_eq!(opened.get(0, b"key"), None);
    opened.store.unwait(NAME, 7);
    assert!(opened.store.set_quick(NAME, now, b"value").is_some());
    opened.close(false);
}
