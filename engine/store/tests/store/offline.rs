//! What the offline reader sees of a directory that a store has left.

use crate::support::{Held, Opened, held};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use thermocline_base::{Clock, Random, UnixMillis};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::offline::{KeyVisitor, ManifestSource, Moment, Offline, OfflineKey};
use thermocline_store::tier::Corruption;
use thermocline_store::{KeyName, StoreError};
use thermocline_types::Update;
use thermocline_wal::Policy;

pub(crate) type Keys = BTreeMap<(u8, Vec<u8>), (Held, Option<UnixMillis>)>;

struct Collect(Keys);

impl KeyVisitor for Collect {
    fn key(&mut self, key: OfflineKey<'_>) -> ControlFlow<()> {
        let value = (held(key.value), key.expiry);
        let before = self.0.insert((key.database, key.key.to_vec()), value);
        assert_eq!(before, None, "each key is yielded once");
        ControlFlow::Continue(())
    }

    fn damage(&mut self, damage: Corruption) {
        panic!("{damage}");
    }
}

pub(crate) fn read(directory: &Path) -> Keys {
    read_at(directory, None).expect("it can be read")
}

fn read_at(directory: &Path, moment: Option<Moment>) -> Result<Keys, StoreError> {
    let disk = Disk::open(directory, BackendChoice::Posix).expect("the directory opens");
    let mut damage = |damage| panic!("{damage}");
    let opened = Offline::open_at(&disk, &disk, moment, &mut damage)?;
    let (offline, tail) = opened.expect("it holds data");
    let mut collect = Collect(Keys::new());
    let visited = offline.visit_keys(tail, &mut collect);
    visited.expect("all can be read");
    Ok(collect.0)
}

#[test]
fn the_data_of_a_time_are_found_again() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path();
    let life = |at_ms: i64, keys: &[&[u8]], checkpoint: bool| {
        let disk = Disk::open(path, BackendChoice::Posix).expect("the directory opens");
        let clock = Clock::standing(UnixMillis(at_ms));
        let opened = Opened::on_clock(disk, Some(Policy::Always), 7, clock);
        let mut opened = opened.expect("the store opens");
        for key in keys {
            opened.set(0, key, b"v", None);
        }
        opened.close(checkpoint);
    };
    life(1_000_000, &[b"a"], false);
    life(2_000_000, &[b"b"], false);
    life(3_000_000, &[b"c"], false);
    let names = |at_ms: i64| -> Option<Vec<u8>> {
        let keys = read_at(path, Some(Moment::Time(UnixMillis(at_ms)))).ok()?;
        Some(keys.into_keys().flat_map(|(_, key)| key).collect())
    };
    // Each life told its time at its end: at the same time it is there already.
    for (at_ms, expected) in [
        (999_999, &b""[..]),
        (1_000_000, b"a"),
        (1_999_999, b"a"),
        (2_000_000, b"ab"),
        (3_000_000, b"abc"),
        (i64::MAX, b"abc"),
    ] {
        assert_eq!(names(at_ms).as_deref(), Some(expected), "{at_ms}");
    }
    // The image cannot be undone.
    life(4_000_000, &[b"d"], true);
    assert_eq!(names(4_000_000).as_deref(), Some(&b"abcd"[..]));
    let refused = read_at(path, Some(Moment::Time(UnixMillis(3_999_999))));
    let first = Some(UnixMillis(4_000_000));
    assert!(
        matches!(&refused, Err(StoreError::NotAtTime { first: it, .. }) if *it == first),
        "{:?}",
        refused.err()
    );
}

#[test]
fn what_is_intact_behind_damage_of_the_log_is_salvaged() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path();
    let mut opened = Opened::open(path, Some(Policy::Always), 7);
    let keys: Vec<_> = (0..100)
        .map(|key| format!("key {key:03}").into_bytes())
        .collect();
    for key in &keys {
        opened.set(0, key, b"value", None);
    }
    opened.close(false);
    let directory = path.join("wal");
    let segments = directory.read_dir().expect("it is there");
    let needle = b"key 050";
    for segment in segments.map(|entry| entry.expect("it is readable").path()) {
        let mut bytes = std::fs::read(&segment).expect("it is readable");
        if let Some(at) = bytes.windows(needle.len()).position(|it| it == needle) {
            bytes[at] ^= 1;
            std::fs::write(&segment, bytes).expect("it is writable");
        }
    }
    let disk = Disk::open(path, BackendChoice::Posix).expect("the directory opens");
    let mut damages = Vec::new();
    let salvage = Offline::open_to_salvage(&disk, &mut |damage| damages.push(damage));
    let (offline, tail, source) = salvage.expect("it can be read").expect("it holds data");
    assert_eq!(source, ManifestSource::Manifest);
    assert_eq!((damages.len(), tail.summary().gaps.len()), (1, 1));
    let mut collect = Collect(Keys::new());
    offline
        .salvage_keys(tail, &mut collect)
        .expect("it is read");
    let found: Vec<_> = collect.0.into_keys().map(|(_, key)| key).collect();
    let expected: Vec<_> = keys.into_iter().filter(|key| key != needle).collect();
    assert_eq!(found, expected);
}

/// One random change, on the store and on the model.
fn change(opened: &mut Opened, model: &mut Keys, random: &mut Random) {
    let database = random.below(3) as u8;
    let key = format!("key {}", random.below(400)).into_bytes();
    let name = (database, key.clone());
    let names = [KeyName {
        database,
        key: &key,
    }];
    let bytes = vec![random.below(256) as u8; random.below(6000) as usize];
    opened.admit();
    match random.below(100) {
        0..40 => {
            let expiry = random.chance(3).then_some(UnixMillis(i64::MAX));
            opened.set(database, &key, &bytes, expiry);
            model.insert(name, (Held::String(bytes), expiry));
        }
        40..60 => {
            if let Some((Held::Hash(_), _)) = model.get(&name) {
                return;
            }
            opened.with(&names, |access, _| {
                access
                    .update(0, &Update::StringAppend(b"more"))
                    .expect("a string");
                Ok(())
            });
            let empty = (Held::String(Vec::new()), None);
            if let (Held::String(value), _) = model.entry(name).or_insert(empty) {
                value.extend(b"more");
            }
        }
        60..80 => {
            if let Some((Held::String(_), _)) = model.get(&name) {
                return;
            }
            let field = vec![b'f', random.below(5) as u8];
            opened.with(&names, |access, _| {
                let fields = vec![(&field[..], &bytes[..], None)];
                access
                    .update(0, &Update::HashSet { fields })
                    .expect("a hash");
                Ok(())
            });
            let empty = (Held::Hash(Vec::new()), None);
            if let (Held::Hash(fields), _) = model.entry(name).or_insert(empty) {
                fields.retain(|(known, _)| *known != field);
                fields.push((field, bytes));
                fields.sort();
            }
        }
        80..98 => {
            opened.delete(database, &key);
            model.remove(&name);
        }
        98 => {
            opened.settle();
            opened.with_all(|access| access.swap(0, 1).expect("all has come up"));
            let swapped = std::mem::take(model)
                .into_iter()
                .map(|((database, key), held)| {
                    let database = [1, 0, 2][usize::from(database)];
                    ((database, key), held)
                });
            *model = swapped.collect();
        }
        _ => {
            opened.settle();
            opened.with_all(|access| access.flush(Some(2)).expect("all has come up"));
            model.retain(|(database, _), _| *database != 2);
        }
    }
}

#[test]
fn the_offline_reader_sees_what_the_store_held() {
    for seed in 0..4 {
        let directory = tempfile::tempdir().expect("a directory");
        let mut random = Random::new(seed);
        let mut model = Keys::new();
        for life in 0..4 {
            let mut opened = Opened::open(
                directory.path(),
                Some(Policy::EverySecond),
                seed * 10 + life,
            );
            for _ in 0..300 {
                change(&mut opened, &mut model, &mut random);
                if random.below(150) == 0 {
                    opened.checkpoint();
                }
            }
            opened.close(random.chance(2));
            let read = read(directory.path());
            assert_eq!(read.len(), model.len(), "seed {seed}, life {life}");
            for (name, held) in &model {
                assert_eq!(
                    read.get(name),
                    Some(held),
                    "seed {seed}, life {life}, {name:?}"
                );
            }
        }
    }
}
