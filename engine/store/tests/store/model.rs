//! Random operations on a store with little memory and on a plain map.

use crate::support::{Held, Opened};
use std::collections::BTreeMap;
use thermocline_base::{Random, UnixMillis};
use thermocline_store::KeyName;
use thermocline_types::Update;
use thermocline_wal::Policy;

type Model = BTreeMap<(u8, Vec<u8>), (Held, Option<UnixMillis>)>;

fn value(random: &mut Random) -> Vec<u8> {
    let bytes = match random.below(100) {
        0 => 20_000 + random.below(60_000),
        1..=9 => random.below(6000),
        _ => random.below(400),
    };
    let number = random.next_u64();
    (0..bytes)
        .map(|at| (number >> (at % 8 * 8)) as u8 ^ (at / 64) as u8)
        .collect()
}

fn step(opened: &mut Opened, model: &mut Model, random: &mut Random) {
    let database = u8::from(random.chance(10));
    let key = format!("key:{}", random.below(20_000)).into_bytes();
    let name = KeyName {
        database,
        key: &key,
    };
    let entry = (database, key.clone());
    match random.below(100) {
        0..45 => {
            let value = value(random);
            let expiry = random
                .chance(4)
                .then(|| UnixMillis(opened.store.now().0 + 3_600_000 + random.below(1000) as i64));
            if expiry.is_none() && random.chance(2) {
                opened.set_quick(database, &key, &value);
            } else {
                opened.set(database, &key, &value, expiry);
            }
            model.insert(entry, (Held::String(value), expiry));
        }
        45..75 => {
            let held = if random.chance(2) {
                opened.get_quick(database, &key)
            } else {
                opened.get(database, &key)
            };
            assert_eq!(held, model.get(&entry).cloned(), "{entry:?}");
        }
        75..82 => {
            assert_eq!(
                opened.delete(database, &key),
                model.remove(&entry).is_some()
            );
        }
        82..88 => {
            opened.admit();
            let expiry = random
                .chance(2)
                .then(|| UnixMillis(opened.store.now().0 + 7_200_000));
            let was = opened.with(&[name], |access, _| Ok(access.set_expiry(0, expiry)));
            let held = model.get_mut(&entry);
            assert_eq!(was, held.is_some());
            if let Some(held) = held {
                held.1 = expiry;
            }
        }
        88..92 => {
            opened.admit();
            let added = value(random);
            let outcome = opened.with(&[name], |access, _| {
                Ok(access.update(0, &Update::StringAppend(&added)))
            });
            match model.get_mut(&entry) {
                Some((Held::Hash(_), _)) => assert!(outcome.is_err()),
                Some((Held::String(bytes), _)) => bytes.extend_from_slice(&added),
                None => {
                    model.insert(entry, (Held::String(added), None));
                }
            }
        }
        _ => {
            opened.admit();
            let field = format!("field:{}", random.below(8)).into_bytes();
            let value = value(random);
            let delete = random.chance(4);
            let update = if delete {
                Update::HashDelete {
                    fields: vec![&field],
                }
            } else {
                Update::HashSet {
                    fields: vec![(&field, &value, None)],
                }
            };
            let outcome = opened.with(&[name], |access, _| Ok(access.update(0, &update)));
            match model.get_mut(&entry) {
                Some((Held::String(_), _)) => assert!(outcome.is_err()),
                Some((Held::Hash(fields), _)) => {
                    fields.retain(|(known, _)| *known != field);
                    if !delete {
                        fields.push((field, value));
                        fields.sort();
                    }
                    if fields.is_empty() {
                        model.remove(&entry);
                    }
                }
                None if delete => assert!(outcome.is_err()),
                None => {
                    model.insert(entry, (Held::Hash(vec![(field, value)]), None));
                }
            }
        }
    }
}

fn compare_all(opened: &mut Opened, model: &Model) {
    for database in 0..2 {
        let keys: Vec<_> = (model.keys())
            .filter(|(of, _)| *of == database)
            .map(|(_, key)| key.clone())
            .collect();
        assert_eq!(opened.keys(database), keys);
        assert_eq!(opened.len(database), keys.len() as u64);
    }
    for ((database, key), held) in model {
        let found = opened.get(*database, key);
        assert!(found.as_ref() == Some(held), "key {key:?}: {found:?}");
    }
}

fn run(seed: u64, steps: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut random = Random::new(seed);
    let mut model = Model::new();
    for round in 0..4 {
        let mut opened = Opened::open(
            directory.path(),
            Some(Policy::EverySecond),
            random.next_u64(),
        );
        opened.store.settings().set_maxmemory_bytes(4 << 20);
        for at in 0..steps {
            step(&mut opened, &mut model, &mut random);
            if at % (steps / 3) == steps / 4 {
                opened.checkpoint();
            }
        }
        compare_all(&mut opened, &model);
        let statistics = opened.store.statistics();
        assert!(statistics.demotions > 0, "nothing sank: {statistics:?}");
        assert!(statistics.tier_reads > 0, "nothing was read");
        if round == 2 {
            opened.with_all(|access| {
                access.swap(0, 1).expect("it has settled");
            });
            model = std::mem::take(&mut model)
                .into_iter()
                .map(|((database, key), held)| ((1 - database, key), held))
                .collect();
            compare_all(&mut opened, &model);
            opened.with_all(|access| access.flush(Some(1)).expect("it has settled"));
            model.retain(|(database, _), _| *database != 1);
        }
        opened.close(round % 2 == 0);
    }
    let mut opened = Opened::open(directory.path(), None, 5);
    compare_all(&mut opened, &model);
    opened.close(false);
}

#[test]
fn random_operations_agree_with_a_map() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    println!("SEED={seed}");
    run(seed, 20_000);
}
