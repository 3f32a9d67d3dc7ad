//! Segments that are mostly garbage are written anew, and nothing is lost.

use crate::support::{Held, Opened};
use thermocline_base::{Random, UnixMillis};
use thermocline_store::{Admission, KeyName, Policy as Eviction};
use thermocline_wal::Policy;

const SEGMENT_BYTES: u64 = 32 << 20;

fn value(key: u32, version: u32) -> Vec<u8> {
    let mut random = Random::new(u64::from(key) << 32 | u64::from(version));
    (0..500)
        .flat_map(|_| random.next_u64().to_le_bytes())
        .collect()
}

#[test]
fn overwriting_for_ever_takes_bounded_space() {
    const KEYS: u32 = 5000;
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    opened.store.settings().set_maxmemory_bytes(4 << 20);
    opened
        .store
        .settings()
        .set_tier_max_bytes(8 * SEGMENT_BYTES);
    opened.store.settings().set_checkpoint_wal_bytes(16 << 20);
    let mut versions = vec![0; KEYS as usize];
    let mut random = Random::new(3);
    for number in 0..KEYS {
        opened.set(0, &number.to_le_bytes(), &value(number, 0), None);
    }
    let mut cleaned = 0;
    while cleaned < 6 {
        for _ in 0..1000 {
            let number = random.below(u64::from(KEYS)) as u32;
            versions[number as usize] += 1;
            let bytes = value(number, versions[number as usize]);
            opened.set(0, &number.to_le_bytes(), &bytes, None);
        }
        let statistics = opened.store.statistics();
        cleaned = statistics.segments_cleaned;
        assert!(statistics.segments_used <= 8, "{statistics:?}");
    }
    let check = |opened: &mut Opened| {
        for number in 0..KEYS {
            let expected = Held::String(value(number, versions[number as usize]));
            let found = opened.get(0, &number.to_le_bytes());
            assert!(found == Some((expected, None)), "key {number}");
        }
    };
    check(&mut opened);
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    opened.store.settings().set_maxmemory_bytes(4 << 20);
    check(&mut opened);
    opened.close(true);
}

/// Adds keys from `number` on until memory and tier are full: the next one.
fn fill_until_refused(opened: &mut Opened, mut number: u32) -> u32 {
    loop {
        let mut waited = 0;
        loop {
            match opened.store.admit(true) {
                Admission::Go => break,
                Admission::OutOfMemory => return number,
                _ => opened.rest(),
            }
            waited += 1;
            assert!(waited < 10_000, "neither room nor a refusal");
        }
        put(opened, number);
        number += 1;
        assert!(number < 100_000, "the tier is never full");
    }
}

fn put(opened: &mut Opened, number: u32) {
    let key = number.to_le_bytes();
    let name = KeyName {
        database: 0,
        key: &key,
    };
    opened.with(&[name], |access, _| {
        access.put_string(0, &value(number, 0), None);
        Ok(())
    });
}

/// As [`put`], once there is room.
fn put_patiently(opened: &mut Opened, number: u32) {
    let mut waited = 0;
    while opened.store.admit(true) != Admission::Go {
        opened.rest();
        waited += 1;
        assert!(waited < 10_000, "{:?}", opened.store.statistics());
    }
    put(opened, number);
}

#[test]
fn a_full_tier_refuses_writes_or_evicts_by_the_policy() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    opened.store.settings().set_maxmemory_bytes(4 << 20);
    opened
        .store
        .settings()
        .set_tier_max_bytes(4 * SEGMENT_BYTES);
    opened.store.settings().set_checkpoint_wal_bytes(16 << 20);
    let mut number = 0_u32;
    // A checkpoint can be made all the same, or nothing would ever be freed; the
    // tier is full soon after.
    for _ in 0..4 {
        number = fill_until_refused(&mut opened, number);
        opened.checkpoint();
        let statistics = opened.store.statistics();
        assert!(statistics.segments_used <= 6, "{statistics:?}");
    }
    // Nothing is lost, reads go on.
    assert_eq!(opened.len(0), u64::from(number));
    for key in (0..number).step_by(97) {
        let held = opened.get(0, &key.to_le_bytes());
        assert!(
            held == Some((Held::String(value(key, 0)), None)),
            "key {key}"
        );
    }
    // Room comes back with what is deleted.
    for key in 0..number / 2 {
        assert!(opened.delete(0, &key.to_le_bytes()));
    }
    for key in 0..number / 4 {
        put_patiently(&mut opened, key);
    }
    for key in (0..number / 4).chain(number / 2..number).step_by(97) {
        let held = opened.get(0, &key.to_le_bytes());
        assert!(
            held == Some((Held::String(value(key, 0)), None)),
            "key {key}"
        );
    }
    // With a policy that lets keys go, writes go on too.
    opened.store.settings().set_policy(Eviction::AllKeysLru);
    // How much fits before one has to go depends on how far the cleaner has come.
    let mut keys = number..number + 100_000;
    while opened.store.statistics().evicted_keys == 0 {
        put_patiently(&mut opened, keys.next().expect("no key has to go"));
    }
    for key in keys.take(2000) {
        put_patiently(&mut opened, key);
    }
    opened.checkpoint();
    opened.close(false);
}

#[test]
fn a_new_expiry_makes_garbage_of_the_old_copy() {
    const KEYS: u32 = 500;
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    for number in 0..KEYS {
        put(&mut opened, number);
    }
    opened.checkpoint();
    let once = opened.store.statistics().tier_live_bytes;
    for round in 0..6 {
        let expiry = UnixMillis(opened.store.now().0 + 1_000_000 + round);
        for number in 0..KEYS {
            let key = number.to_le_bytes();
            let name = KeyName {
                database: 0,
                key: &key,
            };
            let set = opened.with(&[name], |access, _| Ok(access.set_expiry(0, Some(expiry))));
            assert!(set);
        }
        opened.checkpoint();
    }
    let statistics = opened.store.statistics();
    assert!(
        statistics.tier_live_bytes < once * 2,
        "once {once}: {statistics:?}"
    );
    opened.close(false);
}

#[test]
fn what_a_flush_empties_is_garbage_on_the_tier() {
    let directory = tempfile::tempdir().expect("a directory");
    for round in 0..2 {
        let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), round + 1);
        opened.settle();
        if round == 0 {
            // Nearly a segment: cleaning has no other reason.
            for number in 0..7500 {
                put(&mut opened, number);
            }
            opened.set(0, b"long", &vec![9; 100_000], None);
            opened.checkpoint();
            // Both times: known since they were written, and found at the start.
            opened.close(true);
            continue;
        }
        assert!(opened.store.statistics().tier_live_bytes > 0);
        opened.with_all(|access| access.flush(None).expect("it has settled"));
        let mut waited = 0;
        while opened.store.statistics().tier_live_bytes > 0 {
            opened.rest();
            waited += 1;
            assert!(waited < 10_000, "{:?}", opened.store.statistics());
        }
        opened.close(false);
    }
}

#[test]
fn a_large_value_that_is_overwritten_leaves_as_much_garbage() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    let large: Vec<u8> = (0..25).flat_map(|part| value(7, part)).collect();
    for round in 0..8_u8 {
        for number in 0..20_u32 {
            let mut bytes = large.clone();
            bytes[0] = round;
            opened.set(0, &number.to_le_bytes(), &bytes, None);
        }
        opened.checkpoint();
    }
    let statistics = opened.store.statistics();
    assert!(
        statistics.tier_live_bytes < 20 * 100_000 * 2,
        "{statistics:?}"
    );
    opened.close(false);
}
