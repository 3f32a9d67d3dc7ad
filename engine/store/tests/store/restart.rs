//! What is left after a restart.

use crate::support::{Held, Opened};
use thermocline_base::UnixMillis;
use thermocline_store::FaultSet;
use thermocline_wal::Policy;

#[test]
fn a_log_without_a_checkpoint_is_replayed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::Always), 1);
    opened.set(0, b"a", b"one", None);
    opened.set(0, b"b", &[7; 3_000_000], Some(UnixMillis(i64::MAX)));
    opened.set(0, b"a", b"two", None);
    opened.set(0, b"c", b"gone", None);
    assert!(opened.delete(0, b"c"));
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::Always), 2);
    opened.settle();
    assert_eq!(
        opened.get(0, b"a"),
        Some((Held::String(b"two".to_vec()), None))
    );
    let long = opened.get(0, b"b").expect("the chain is whole");
    assert_eq!(
        long,
        (Held::String(vec![7; 3_000_000]), Some(UnixMillis(i64::MAX)))
    );
    assert_eq!(opened.get(0, b"c"), None);
    assert_eq!(opened.len(0), 2);
    opened.close(true);
}

/// A chain's first frame starts at position 0 here, which must not be taken
/// for the mark of a new chain.
#[test]
fn a_log_that_begins_with_a_chain_is_replayed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::Always), 1);
    opened.set(0, b"long", &[7; 3_000_000], None);
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::Always), 2);
    assert_eq!(
        opened.get(0, b"long"),
        Some((Held::String(vec![7; 3_000_000]), None))
    );
    opened.close(false);
}

#[test]
fn a_checkpoint_and_the_log_behind_it_make_one_state() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    for number in 0..2000_u32 {
        opened.set(0, &number.to_le_bytes(), b"before", None);
    }
    opened.checkpoint();
    for number in 1000..3000_u32 {
        opened.set(0, &number.to_le_bytes(), b"after", None);
    }
    for number in 0..500_u32 {
        assert!(opened.delete(0, &number.to_le_bytes()));
    }
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    for number in 0..3000_u32 {
        let expected = match number {
            0..500 => None,
            500..1000 => Some((Held::String(b"before".to_vec()), None)),
            _ => Some((Held::String(b"after".to_vec()), None)),
        };
        assert_eq!(
            opened.get(0, &number.to_le_bytes()),
            expected,
            "key {number}"
        );
    }
    assert_eq!(opened.len(0), 2500);
    opened.close(false);
}

/// More than one pass goes through such a tail, and keys are asked for while the
/// passes go on.
#[test]
fn a_tail_longer_than_memory_is_read_by_need_and_in_passes() {
    const KEYS: u32 = 3000;
    let value = |number: u32, version: u8| {
        let mut value = vec![version; 6000];
        value.extend(number.to_le_bytes());
        value
    };
    let directory = tempfile::tempdir().expect("a directory");
    let open = |seed| {
        let opened = Opened::open(directory.path(), Some(Policy::EverySecond), seed);
        opened.store.settings().set_maxmemory_bytes(8 << 20);
        opened
    };
    let mut opened = open(1);
    for number in 0..KEYS {
        opened.set(0, &number.to_le_bytes(), &value(number, 1), None);
    }
    opened.checkpoint();
    for number in 0..KEYS {
        if number % 3 == 0 {
            opened.append(0, &number.to_le_bytes(), b" and more");
        } else {
            opened.set(0, &number.to_le_bytes(), &value(number, 2), None);
            opened.append(0, &number.to_le_bytes(), b" and then");
        }
    }
    opened.set(0, b"long", &[7; 2_000_000], None);
    opened.abandon();
    let mut opened = open(2);
    let mut waited = false;
    for number in (0..KEYS).rev() {
        waited |= opened.store.statistics().pending_effects > 0;
        let expected = match number % 3 {
            0 => [value(number, 1), b" and more".to_vec()].concat(),
            _ => [value(number, 2), b" and then".to_vec()].concat(),
        };
        let found = opened.get(0, &number.to_le_bytes());
        assert!(
            found == Some((Held::String(expected), None)),
            "key {number}"
        );
    }
    assert!(waited, "the tail was not waited for");
    let long = opened.get(0, b"long");
    assert!(long == Some((Held::String(vec![7; 2_000_000]), None)));
    assert_eq!(opened.len(0), u64::from(KEYS) + 1);
    assert_eq!(opened.store.statistics().pending_effects, 0);
    opened.close(false);
}

#[test]
fn expired_keys_are_gone_and_stay_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    let soon = UnixMillis(opened.store.now().0 + 50);
    for number in 0..100_u32 {
        opened.set(0, &number.to_le_bytes(), b"short-lived", Some(soon));
    }
    opened.checkpoint();
    while opened.store.now() <= soon || opened.len(0) > 0 {
        opened.rest();
    }
    assert_eq!(opened.store.statistics().expired_keys, 100);
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    assert_eq!(opened.len(0), 0);
    opened.close(false);
}

#[test]
fn a_directory_in_use_is_refused() {
    use thermocline_disk::{BackendChoice, Disk, DiskError};
    use thermocline_store::{Store, StoreError, StoreOptions};
    let directory = tempfile::tempdir().expect("a directory");
    let opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    let disk = Disk::open(directory.path(), BackendChoice::Auto).expect("it opens");
    let options = StoreOptions {
        log: None,
        tier: true,
        clock: thermocline_base::Clock::system(),
        seed: 3,
    };
    let second = Store::open(disk, options);
    assert!(matches!(
        second.err(),
        Some(StoreError::Disk(DiskError::Locked { .. }))
    ));
    opened.close(false);
}

#[test]
fn without_a_log_checkpoints_are_made_all_the_same() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), None, 1);
    opened.settle();
    opened.store.settings().set_checkpoint_interval_ms(10);
    opened.set(0, b"key", b"value", None);
    let mut waited = 0;
    while opened.store.statistics().checkpoints == 0 {
        opened.rest();
        waited += 1;
        assert!(waited < 2000, "{:?}", opened.store.statistics());
    }
    opened.close(false);
    let mut opened = Opened::open(directory.path(), None, 2);
    assert_eq!(
        opened.get(0, b"key"),
        Some((Held::String(b"value".to_vec()), None))
    );
    opened.close(false);
}

#[test]
fn a_scan_tells_keys_of_one_page_and_stored_hash_apart() {
    use std::collections::HashMap;
    use thermocline_base::DatabaseId;
    use thermocline_store::manifest::{FILE_NAME, Manifest};
    let directory = tempfile::tempdir().expect("a directory");
    Opened::open(directory.path(), Some(Policy::EverySecond), 1).close(false);
    let bytes = std::fs::read(directory.path().join(FILE_NAME)).expect("it is there");
    let seed = Manifest::decode(&bytes).expect("it is sound").hash_seed;
    let mut seen = HashMap::new();
    let (first, second) = (0_u32..)
        .find_map(|number| {
            let hash = seed.hash(DatabaseId(0), &number.to_le_bytes());
            let before = seen.insert(hash.stored(), (number, hash.shard()));
            let other = before.filter(|(_, shard)| *shard != hash.shard());
            other.map(|(other, _)| (other, number))
        })
        .expect("there are enough numbers");
    let mut keys = vec![first.to_le_bytes().to_vec(), second.to_le_bytes().to_vec()];
    keys.sort();
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    for key in &keys {
        opened.set(0, key, key, None);
    }
    opened.checkpoint();
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 3);
    assert_eq!(opened.keys(0), keys);
    opened.close(false);
}

/// Data is not written to, nor read from, where a link in the directory leads.
#[test]
fn a_linked_part_of_the_directory_is_refused_and_told_what_to_do() {
    use thermocline_disk::{BackendChoice, Disk};
    for name in ["wal", "image", "tier"] {
        let place = tempfile::tempdir().expect("a directory");
        let (data, outside) = (place.path().join("data"), place.path().join(name));
        let mut opened = Opened::open(&data, Some(Policy::EverySecond), 1);
        opened.set(0, b"key", b"value", None);
        opened.close(true);
        let copied = std::process::Command::new("mv")
            .args([data.join(name), outside.clone()])
            .status();
        assert!(copied.is_ok_and(|status| status.success()));
        std::os::unix::fs::symlink(&outside, data.join(name)).expect("a link");
        let disk = Disk::open(&data, BackendChoice::Posix).expect("it opens");
        let refused = Opened::on(disk, Some(Policy::EverySecond), 2).err();
        let told = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(
            told.contains(&format!("{name:?} is a symbolic link")) && told.contains("mount --bind"),
            "{name}: {told}"
        );
    }
}

/// A part of the image that cannot be read fails the keys in it and whatever
/// needs all keys; nobody waits for ever.
#[test]
fn a_damaged_part_of_the_image_is_told_and_hangs_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
    for number in 0..200_u32 {
        opened.set(0, &number.to_le_bytes(), b"value", None);
    }
    opened.checkpoint();
    opened.close(false);
    let image = directory.path().join("image").join("0000000001.image");
    let sound = std::fs::read(&image).expect("it is there");
    let mut damaged = sound.clone();
    damaged[30] ^= 1;
    std::fs::write(&image, &damaged).expect("it can be written");
    let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 2);
    let mut failures = 0;
    for number in 0..200_u32 {
        match opened.try_get(&number.to_le_bytes()) {
            Ok(found) => assert_eq!(found, Some(Held::String(b"value".to_vec()))),
            Err(_) => failures += 1,
        }
    }
    assert!((1..20).contains(&failures), "{failures} keys failed");
    opened.try_len(0).expect_err("some keys are unknown");
    opened.try_checkpoint().expect_err("it would forget them");
    // It may have been the disk: once it can be read all is well.
    std::fs::write(&image, &sound).expect("it can be written");
    while opened.try_len(0).is_err() {
        opened.rest();
    }
    assert_eq!(opened.len(0), 200);
    opened.checkpoint();
    opened.close(false);
}

/// What a scan shows must not be taken back by a power cut either.
#[test]
fn a_scan_is_acknowledged_with_the_writes_it_saw() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::Always), 1);
    opened.settle();
    opened.set(0, b"key", b"value", None);
    let end = opened.store.appended_lsn();
    let faults = FaultSet::new();
    let mut access = opened.store.access(&[], &faults).expect("it needs nothing");
    assert_eq!(access.database_len(0), Ok(1));
    assert_eq!(access.commit(), end);
    opened.close(false);
}
