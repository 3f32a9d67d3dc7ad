//! The index against a plain map. Records are only numbers here: the hash of
//! the record at address 8·n is looked up by n.

use super::*;
use crate::address::Address;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use thermocline_base::Random;

fn hash(stored: u32) -> KeyHash {
    KeyHash(u64::from(stored) << 25)
}

fn spread(key: u32) -> u32 {
    hash_of(u64::from(key)).stored()
}

fn hash_of(key: u64) -> KeyHash {
    thermocline_base::HashSeed(7).hash(thermocline_base::DatabaseId(0), &key.to_le_bytes())
}

fn cold(key: u32, stored: u32) -> Slot {
    Slot::cold(Address::from_bits(key).expect("31 bits"), hash(stored))
}

fn hot(key: u32, stored: u32) -> Slot {
    let record = RawRecord::from_exposed((key as usize + 1) << 3).expect("not null");
    Slot::hot(record, hash(stored))
}

fn key_of(slot: Slot) -> u32 {
    match slot.location().expect("not empty") {
        Location::Hot(record) => (record.to_exposed() >> 3) as u32 - 1,
        Location::Cold(address) => address.to_bits(),
    }
}

fn find(index: &Index, key: u32, stored: u32) -> Option<Position> {
    let mut found = None;
    index.for_each_match(hash(stored), |position, slot| {
        assert_eq!(index.get(position), slot);
        if key_of(slot) == key {
            assert!(found.replace(position).is_none(), "a key has one slot");
        }
    });
    found
}

fn scan_all(index: &Index, count: usize, hasher: &impl Fn(RawRecord) -> KeyHash) -> Vec<u32> {
    let (mut keys, mut cursor) = (Vec::new(), Some(0));
    while let Some(at) = cursor {
        cursor = index.scan(at, count, hasher, |_, slot| keys.push(key_of(slot)));
        assert!(cursor.is_none_or(|next| next > at));
    }
    keys.sort_unstable();
    keys
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn index_agrees_with_a_map(
        // Few hash bits make floods of equal hashes.
        hash_mask in prop_oneof![Just(u32::MAX >> 3), Just(0x1000_0fff), Just(0x1000_0000)],
        operations in proptest::collection::vec((0..10_u8, 0..1500_u32), 0..3000),
    ) {
        let stored = |key: u32| spread(key) & hash_mask;
        let hasher = |record: RawRecord| hash(stored((record.to_exposed() >> 3) as u32 - 1));
        let mut index = Index::new();
        let mut model: HashMap<u32, Slot> = HashMap::new();
        for (kind, key) in operations {
            let found = find(&index, key, stored(key));
            prop_assert_eq!(found.map(|position| index.get(position)), model.get(&key).copied());
            let slot = if kind % 2 == 0 { hot(key, stored(key)) } else { cold(key, stored(key)) };
            let slot = slot.with_frequency(kind % 4);
            match (kind, found) {
                (0..2, Some(position)) => {
                    prop_assert_eq!(Some(index.remove(position)), model.remove(&key));
                }
                (_, Some(position)) => {
                    index.set(position, slot);
                    model.insert(key, slot);
                }
                (_, None) => {
                    index.insert(hash(stored(key)), slot, &hasher);
                    model.insert(key, slot);
                }
            }
            prop_assert_eq!(index.len(), model.len());
        }
        let mut keys: Vec<u32> = model.keys().copied().collect();
        keys.sort_unstable();
        prop_assert_eq!(scan_all(&index, 10, &hasher), &keys[..]);
        let mut swept: Vec<u32> = (0..index.segments())
            .flat_map(|segment| index.segment_slots(segment))
            .map(|(position, slot)| {
                assert_eq!(index.get(position), slot);
                key_of(slot)
            })
            .collect();
        swept.sort_unstable();
        prop_assert_eq!(swept, keys);
    }
}

#[test]
fn a_key_costs_at_most_twelve_bytes_on_average() {
    let hasher = |record: RawRecord| hash_of((record.to_exposed() >> 3) as u64 - 1);
    let mut index = Index::new();
    let (mut sum, mut samples, mut worst) = (0.0, 0_u32, 0.0_f64);
    for key in 0..60_000_u32 {
        let slot = if key % 2 == 0 {
            hot(key, spread(key))
        } else {
            cold(key, spread(key))
        };
        index.insert(hash(spread(key)), slot, &hasher);
        if key >= 1000 && key % 100 == 0 {
            let bytes_per_key = index.memory_bytes() as f64 / index.len() as f64;
            sum += bytes_per_key;
            worst = worst.max(bytes_per_key);
            samples += 1;
        }
    }
    let average = sum / f64::from(samples);
    println!("bytes per key: average {average:.2}, worst {worst:.2}");
    assert!(average <= 12.0, "{average}");
    assert!(worst <= 14.0, "{worst}");
    assert!((0..60_000).all(|key| find(&index, key, spread(key)).is_some()));
}

#[test]
fn scan_visits_all_that_stay_while_the_index_grows() {
    let hasher = |record: RawRecord| hash_of((record.to_exposed() >> 3) as u64 - 1);
    let mut index = Index::new();
    for key in 0..2000 {
        index.insert(hash(spread(key)), hot(key, spread(key)), &hasher);
    }
    let mut random = Random::new(3);
    let (mut next, mut seen, mut cursor) = (2000, HashSet::new(), Some(0));
    while let Some(at) = cursor {
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        cursor = index.scan(at, 20, &hasher, |stored, slot| {
            seen.insert(key_of(slot));
            *last.entry(stored).or_default() += 1;
        });
        assert!(
            last.keys()
                .all(|&stored| stored >= at && cursor.is_none_or(|next| stored < next))
        );
        for _ in 0..20 {
            index.insert(hash(spread(next)), hot(next, spread(next)), &hasher);
            next += 1;
            // One that stays sinks or rises.
            let key = random.below(2000) as u32;
            let position = find(&index, key, spread(key)).expect("it stays");
            index.set(position, cold(key, spread(key)));
        }
    }
    assert!((0..2000).all(|key| seen.contains(&key)));
    assert!(next > 3000, "the index grew during the scan");
}

#[test]
fn flood_of_equal_hashes_is_chained_and_found() {
    let stored = 0x0abc_def0;
    let hasher = |_: RawRecord| hash(stored);
    let mut index = Index::new();
    for key in 0..3000 {
        index.insert(hash(stored), hot(key, stored), &hasher);
    }
    assert!(index.directory.len() <= 16 * index.segments().next_power_of_two());
    assert!(index.memory_bytes() < 3000 * 24, "{}", index.memory_bytes());
    let mut in_one_step = 0;
    index.scan(stored, 1, &hasher, |_, _| in_one_step += 1);
    assert_eq!(in_one_step, 3000);
    for key in 0..3000 {
        let position = find(&index, key, stored).expect("it was inserted");
        assert_eq!(key_of(index.remove(position)), key);
    }
    assert!(index.is_empty());
    assert_eq!(scan_all(&index, 10, &hasher), []);
}

/// What lookups of `keys` look at, in an index of just them: buckets of 64 bytes and slots
/// that may be the key's, whose records are compared. Hot slots, of which the index knows
/// least.
fn looked_at(keys: &[u32], stored_of: impl Fn(u32) -> u32) -> u64 {
    let hasher = |record: RawRecord| hash(stored_of((record.to_exposed() >> 3) as u32 - 1));
    let mut index = Index::new();
    for &key in keys {
        index.insert(hash(stored_of(key)), hot(key, stored_of(key)), &hasher);
    }
    let mut looks = 0;
    for &key in keys {
        let stored = stored_of(key);
        index.for_each_match(hash(stored), |_, _| looks += 1);
        for at in index.chain(index.head(stored)) {
            let segment = &index.segments[at as usize];
            let (all, main) = segment.main_buckets();
            let is_whole = main == 0 || segment.buckets[segment.home(stored)].stashed > 0;
            let near = if main == 0 { 0 } else { 2 };
            looks += near + if is_whole { (all - main) as u64 } else { 0 };
        }
    }
    looks
}

/// Who knows how keys are hashed but not the directory's seed can only guess one. Keys
/// chosen to fall into one range of the index under the guess, or to have one tag, cost what
/// any keys cost: at most twice as much is looked at. Under the guessed seed itself those of
/// one range cost far more, so they are what they are meant to be.
#[test]
fn keys_that_collide_under_a_guessed_seed_cost_at_most_twice_as_much() {
    const KEYS: usize = 3_000;
    let under = |seed: u64| {
        move |key: u32| {
            let seed = thermocline_base::HashSeed(seed);
            seed.hash(thermocline_base::DatabaseId(0), &key.to_le_bytes())
                .stored()
        }
    };
    let (guessed, actual) = (under(0), under(0x5eed_0f0a_d1ec_0707));
    let chosen = |collides: &dyn Fn(u32) -> bool| -> Vec<u32> {
        (0..u32::MAX)
            .filter(|&key| collides(key))
            .take(KEYS)
            .collect()
    };
    let any: Vec<u32> = (0..KEYS as u32).collect();
    let of_one_range = chosen(&|key| guessed(key) >> (KeyHash::STORED_BITS - 12) == 77);
    let of_one_tag = chosen(&|key| guessed(key) & 0xfff == 77);
    let usual = looked_at(&any, actual);
    let under_the_guess = looked_at(&of_one_range, guessed);
    println!("{KEYS} lookups look at {usual}, under a known seed at {under_the_guess}");
    assert!(under_the_guess > 4 * usual, "{under_the_guess}");
    for keys in [of_one_range, of_one_tag] {
        let looks = looked_at(&keys, actual);
        println!("with keys that were chosen at {looks}");
        assert!(looks <= 2 * usual, "{looks} and {usual}");
    }
}

#[test]
fn new_index_takes_no_memory() {
    let index = Index::new();
    assert_eq!((index.memory_bytes(), index.segments()), (0, 0));
    assert_eq!(index.scan(0, 10, &|_| hash(0), |_, _| {}), None);
    assert_eq!(find(&index, 1, 1), None);
}
