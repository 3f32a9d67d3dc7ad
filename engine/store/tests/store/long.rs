//! Values longer than a segment sink, come back, are relocated and survive.

use crate::support::{Held, Opened};
use thermocline_base::Random;
use thermocline_store::KeyName;
use thermocline_store::access::KEY_BYTES_MAX;
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
