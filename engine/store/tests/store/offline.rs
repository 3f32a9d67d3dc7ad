//! What the offline reader sees of a directory that a store has left.

use crate::support::{Held, Opened, held};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use thermocline_base::{Random, UnixMillis};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::KeyName;
use thermocline_store::offline::{KeyVisitor, Offline, OfflineKey};
use thermocline_store::tier::Corruption;
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
    let disk = Disk::open(directory, BackendChoice::Posix).expect("the directory opens");
    let mut damage = |damage| panic!("{damage}");
    let opened = Offline::open(&disk, &mut damage).expect("it can be read");
    let (offline, tail) = opened.expect("it holds data");
    let mut collect = Collect(Keys::new());
    let visited = offline.visit_keys(tail, &mut collect);
    visited.expect("all can be read");
    collect.0
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
