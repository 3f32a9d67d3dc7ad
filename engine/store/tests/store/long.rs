//! Values longer than a segment sink, come back, are relocated and survive.

use crate::support::{Held, Opened};
use std::sync::Arc;
use thermocline_base::Random;
use thermocline_store::access::KEY_BYTES_MAX;
use thermocline_store::{Fault, FaultSet, KeyName, PageReader, Store};
use thermocline_types::Update;
use thermocline_wal::Policy;

/// Longer than the first read of a head takes.
static LONG_KEY: [u8; 600_000] = [b'k'; 600_000];
const NAME: KeyName<'static> = KeyName {
    database: 0,
    key: &LONG_KEY,
};

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..bytes / 8)
        .flat_map(|_| random.next_u64().to_le_bytes())
        .collect()
}

#[test]
fn a_value_longer_than_a_segment_sinks_in_parts() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    opened.store.settings().set_maxmemory_bytes(64 << 20);
    opened.store.settings().set_tier_max_bytes(16 * (32 << 20));
    let long = noise(1, 50 << 20);
    opened.set(0, NAME.key, &long, None);
    let cold = |opened: &Opened| opened.store.statistics().cold_keys;
    let wait_until_cold = |opened: &mut Opened, number: u64| {
        // Other keys push it out.
        let mut key = number * 10_000;
        while cold(opened) == 0 || opened.store.statistics().record_bytes > 48 << 20 {
            opened.set(1, &key.to_le_bytes(), &noise(key, 40_000), None);
            key += 1;
        }
    };
    wait_until_cold(&mut opened, 1);
    assert!(opened.get(0, NAME.key) == Some((Held::String(long.clone()), None)));
    opened.checkpoint();
    opened.close(false);

    // After a restart, and changed there.
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    assert!(opened.get(0, NAME.key) == Some((Held::String(long.clone()), None)));
    opened
        .with(&[NAME], |access, _| {
            Ok(access.update(0, &Update::StringAppend(b"end")))
        })
        .expect("it is a string");
    let mut changed = long;
    changed.extend_from_slice(b"end");
    opened.checkpoint();

    // Cleaning moves its parts.
    opened.store.settings().set_maxmemory_bytes(64 << 20);
    opened.store.settings().set_tier_max_bytes(16 * (32 << 20));
    opened.store.settings().set_checkpoint_wal_bytes(16 << 20);
    let mut round = 0;
    while opened.store.statistics().segments_cleaned < 12 {
        for key in 0..500_u64 {
            opened.set(
                1,
                &key.to_le_bytes(),
                &noise(round << 32 | key, 40_000),
                None,
            );
        }
        round += 1;
    }
    assert!(opened.get(0, NAME.key) == Some((Held::String(changed.clone()), None)));
    opened.close(true);
    let offline = crate::offline::read(directory.path());
    assert!(offline.get(&(0, NAME.key.to_vec())) == Some(&(Held::String(changed.clone()), None)));
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 3);
    assert!(opened.get(0, NAME.key) == Some((Held::String(changed), None)));
    assert!(opened.delete(0, NAME.key));
    assert!(opened.get(0, NAME.key).is_none());
    opened.close(true);
}

#[test]
fn the_longest_key_sinks_with_a_long_value_and_a_longer_one_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    let mut key = vec![b'k'; KEY_BYTES_MAX + 1];
    opened.try_get(&key).expect_err("the key is too long");
    key.pop();
    let value = noise(1, 34 << 20);
    opened.set(0, &key, &value, None);
    opened.checkpoint();
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    assert!(opened.get(0, &key) == Some((Held::String(value), None)));
    opened.close(false);
}

const BIG: KeyName<'static> = KeyName {
    database: 0,
    key: b"big",
};

/// A hash of so many fields, with a checkpoint behind it.
fn with_big_hash(opened: &mut Opened, fields: u32) {
    let names: Vec<_> = (0..fields)
        .map(|number| format!("field {number}"))
        .collect();
    opened.with(&[BIG], |access, _| {
        let fields = names.iter();
        let fields = fields.map(|name| (name.as_bytes(), &b"value"[..], None));
        let update = Update::HashSet {
            fields: fields.collect(),
        };
        access.update(0, &update).expect("it makes a hash");
        Ok(())
    });
    opened.checkpoint();
}

/// Reads and decodes until the key is at hand, or if `ends_early` has been decoded once;
/// how often something was decoded.
fn bring_up(store: &Arc<Store>, faults: &mut FaultSet, ends_early: bool) -> usize {
    let mut reader = PageReader::new(store, 8).expect("a queue opens");
    let mut decoded = 0;
    // The record may move meanwhile, and is read again then.
    for _ in 0..100 {
        match store.access(&[BIG], faults).map(drop) {
            Err(Fault::Reads(reads)) => {
                let mut done = Vec::new();
                reader.read_all(&reads, &mut done);
                for fetched in done {
                    faults.insert(fetched.request.address, fetched.page.expect("it is there"));
                }
            }
            Err(Fault::Long(longs)) => {
                // Without the pages there is nothing to decode.
                let nothing = store.decode_long(longs[0].clone(), &FaultSet::new());
                assert!(nothing.expect("no damage is seen").is_none());
                store.decode_all(longs, faults).expect("it is sound");
                decoded += 1;
                if ends_early {
                    return decoded;
                }
            }
            Err(fault) => panic!("{fault:?}"),
            Ok(()) => return decoded,
        }
    }
    panic!("it does not come up");
}

/// Nobody decodes a long value while its shard is locked, and what was decoded holds only
/// as long as the key is what it was.
#[test]
fn a_long_value_is_decoded_apart_from_the_lock() {
    const FIELDS: u32 = 20_000;
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    with_big_hash(&mut opened, FIELDS);
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    opened.settle();
    let store = Arc::clone(&opened.store);
    let mut faults = FaultSet::new();
    assert!(
        bring_up(&store, &mut faults, false) > 0,
        "it is not decoded apart"
    );
    // An access that has to begin again finds it; the next command does not.
    assert_eq!(bring_up(&store, &mut faults, false), 0);
    faults.forget_decoded();
    assert!(
        bring_up(&store, &mut faults, false) > 0,
        "it is not decoded apart"
    );
    let held = opened.get(0, BIG.key).expect("it is there");
    let Held::Hash(fields) = held.0 else {
        panic!("it was a hash");
    };
    assert_eq!(fields.len(), FIELDS as usize);
    // What was decoded counts no more once the key has changed.
    let mut faults = FaultSet::new();
    bring_up(&store, &mut faults, true);
    opened.set(0, BIG.key, b"a string now", None);
    let names = [BIG];
    let mut access = store.access(&names, &faults).expect("it is in memory");
    let string = access.get(0).map(|entry| held_string(entry.value));
    assert_eq!(string, Some(b"a string now".to_vec()));
    drop(access);
    opened.close(false);
}

fn held_string(value: thermocline_types::ValueRef<'_>) -> Vec<u8> {
    value.string().expect("it is a string").to_vec()
}

/// A large value that goes, by whatever way, is freed.
#[test]
fn large_values_that_go_leave_no_memory_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    opened.settle();
    let record_bytes = |opened: &Opened| opened.store.statistics().record_bytes;
    for way in 0..3 {
        with_big_hash(&mut opened, 20_000);
        assert!(record_bytes(&opened) > 200 << 10);
        match way {
            0 => assert!(opened.delete(0, BIG.key)),
            1 => opened.with_all(|access| access.flush(Some(0)).expect("it is settled")),
            _ => opened.set(0, BIG.key, b"short", None),
        }
        let mut waited = 0;
        while record_bytes(&opened) > 100 << 10 {
            opened.rest();
            waited += 1;
            assert!(waited < 2000, "way {way}: {} bytes", record_bytes(&opened));
        }
    }
    opened.close(false);
}

/// Values that shrink ask for no new memory, and still give back what they had.
#[test]
fn values_that_shrink_leave_no_memory_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    opened.settle();
    let long = noise(1, 304);
    for number in 0..40_000_u32 {
        opened.set(0, &number.to_le_bytes(), &long, None);
    }
    // Every fourth stays, so that hardly a chunk is free by itself.
    for number in (0..40_000_u32).filter(|number| number % 4 > 0) {
        opened.set(0, &number.to_le_bytes(), b"short", None);
    }
    let mut waited = 0;
    loop {
        let statistics = opened.store.statistics();
        if statistics.heap_dead_bytes * 2 <= statistics.record_bytes {
            break;
        }
        opened.rest();
        waited += 1;
        assert!(waited < 2000, "{statistics:?}");
    }
    for number in (0..40_000_u32).step_by(97) {
        let expected = if number % 4 == 0 { &long[..] } else { b"short" };
        let held = opened.get(0, &number.to_le_bytes());
        assert!(held == Some((Held::String(expected.to_vec()), None)));
    }
    opened.close(false);
}
