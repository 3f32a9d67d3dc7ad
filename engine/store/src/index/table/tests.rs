//! A table of keys beside a plain map, and what it counts.

use super::*;
use crate::record::layout::FORM_LIMIT;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::HashMap;

const DATABASE: DatabaseId = DatabaseId(3);
const SEED: HashSeed = HashSeed(9);

fn new() -> (KeyTable, Arc<ChunkPool>) {
    let pool = Arc::new(ChunkPool::default());
    (KeyTable::new(DATABASE, SEED, &pool), pool)
}

fn hash(key: &[u8]) -> KeyHash {
    SEED.hash(DATABASE, key)
}

fn hot(table: &KeyTable, key: &[u8]) -> Position {
    match table.find(hash(key), key) {
        Found::Hot(position) => position,
        Found::Cold(_) => panic!("{key:?} is in memory"),
    }
}

#[test]
fn keys_sink_come_back_and_are_counted() {
    let (mut table, pool) = new();
    for number in 0..5000_u32 {
        let key = number.to_le_bytes();
        table.insert(hash(&key), &RecordParts::new(1, &key, &[7; 101]));
    }
    assert_eq!((table.len(), table.hot()), (5000, 5000));
    let full = table.heap().live_bytes;
    for number in 0..2500_u32 {
        let key = number.to_le_bytes();
        let position = hot(&table, &key);
        let address = Address::new(number, 1).expect("in range");
        table.sink(position, hash(&key), address);
    }
    assert_eq!((table.len(), table.hot()), (5000, 2500));
    assert_eq!(table.heap().live_bytes, full / 2);
    for number in 0..2500_u32 {
        let key = number.to_le_bytes();
        let Found::Cold(candidates) = table.find(hash(&key), &key) else {
            panic!("key {number} is cold");
        };
        let (position, _) = *candidates
            .iter()
            .find(|(_, address)| address.page() == number)
            .expect("its slot is there");
        table.replace(position, hash(&key), &RecordParts::new(1, &key, &[8; 101]));
    }
    assert_eq!(table.heap().live_bytes, full);
    drop(table);
    assert_eq!(pool.lent_bytes(), 0);
}

#[test]
fn a_record_that_moves_is_found_again() {
    let (mut table, _) = new();
    table.insert(hash(b"key"), &RecordParts::new(1, b"key", b"value"));
    let position = hot(&table, b"key");
    table.replace(
        position,
        hash(b"key"),
        &RecordParts::new(2, b"key", &[1; 1000]),
    );
    table.set_expiry(position, Some(UnixMillis(5)));
    assert_eq!(table.expiries().count, 1);
    let position = hot(&table, b"key");
    let found = table.record(position).map(|it| it.parts().value.to_vec());
    assert_eq!(found, Some(vec![1; 1000]));
    table.remove(position);
    assert_eq!(
        (table.record_bytes(), table.expiries().count, table.len()),
        (0, 0, 0)
    );
}

#[test]
fn compaction_wins_what_died_and_keeps_the_rest() {
    let (mut table, pool) = new();
    let value = [5; 300];
    for number in 0..20_000_u32 {
        let key = number.to_le_bytes();
        table.insert(hash(&key), &RecordParts::new(1, &key, &value));
    }
    // Every third stays: without compaction no chunk would become free.
    for number in (0..20_000_u32).filter(|number| number % 3 > 0) {
        let key = number.to_le_bytes();
        let position = hot(&table, &key);
        table.remove(position);
    }
    pool.set_short(true);
    let before = pool.lent_bytes();
    let won = table.compact(usize::MAX);
    let after = pool.lent_bytes();
    assert!(
        won > before / 2 && after <= before - won,
        "{before}, {after}, {won}"
    );
    let heap = table.heap();
    assert!(heap.dead_bytes * 8 <= after, "{heap:?}");
    assert!(heap.compactions > 0);
    for number in (0..20_000_u32).step_by(3) {
        let key = number.to_le_bytes();
        let record = table.record(hot(&table, &key)).expect("it is hot");
        assert_eq!(record.parts(), RecordParts::new(1, &key, &value));
    }
}

/// What a key takes beside itself and its value, bytes.
fn beside(keys: u32, value_bytes: usize, expiry: Option<UnixMillis>) -> f64 {
    let (mut table, _) = new();
    let value = vec![1; value_bytes];
    for number in 0..keys {
        let key = format!("key:{number:012}");
        let parts = RecordParts {
            expiry,
            ..RecordParts::new(1, key.as_bytes(), &value)
        };
        table.insert(hash(key.as_bytes()), &parts);
    }
    let bytes = table.record_bytes() + table.index_bytes();
    bytes as f64 / f64::from(keys) - 16.0 - value_bytes as f64
}

#[test]
fn a_key_in_memory_costs_little_beside_itself_and_its_value() {
    for (value_bytes, few, many) in [
        (8, 23.0, 19.0),
        (64, 23.0, 19.5),
        (256, 24.0, 20.0),
        (1024, 25.0, 25.0),
    ] {
        // As many as a shard has of a million keys, and of forty.
        for (keys, most) in [(1000, few), (40_000, many)] {
            let bytes = beside(keys, value_bytes, None);
            println!("{keys} keys, values of {value_bytes}: {bytes:.2}");
            assert!(bytes <= most, "{bytes} bytes at {value_bytes}");
            let expires = beside(keys, value_bytes, Some(UnixMillis(1)));
            assert!(expires <= most + 9.5, "{expires} bytes at {value_bytes}");
        }
    }
}

#[test]
fn memory_comes_back_when_sizes_shift() {
    let (mut table, pool) = new();
    for number in 0..2000_u32 {
        table.insert(
            hash(&number.to_le_bytes()),
            &RecordParts::new(1, &number.to_le_bytes(), b""),
        );
    }
    for value_bytes in [64, 200, 1024, 300, 3000, 100, 8] {
        let value = vec![1; value_bytes];
        // In an order that leaves a few of each chunk to the end.
        for number in (0..2000_u32).map(|number| number * 771 % 2000) {
            let key = number.to_le_bytes();
            table.replace(
                hot(&table, &key),
                hash(&key),
                &RecordParts::new(1, &key, &value),
            );
        }
        pool.trim();
        let heap = table.heap();
        let memory = table.record_bytes() + pool.idle_bytes();
        let allowed = heap.live_bytes * 3 / 2 + (2 << 20);
        assert!(memory <= allowed, "{memory} at {value_bytes}: {heap:?}");
    }
    for number in 0..2000_u32 {
        let key = number.to_le_bytes();
        let record = table.record(hot(&table, &key)).expect("it is hot");
        assert_eq!(record.parts(), RecordParts::new(1, &key, &[1; 8]));
    }
}

/// What the model knows of a key in memory.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    form: u8,
    expiry: Option<UnixMillis>,
    address: Option<Address>,
    is_clean: bool,
    value: Vec<u8>,
}

fn check(table: &KeyTable, model: &HashMap<u16, Known>) -> Result<(), TestCaseError> {
    let mut live = 0;
    for (number, known) in model {
        let key = number.to_le_bytes();
        let position = hot(table, &key);
        let parts = table.record(position).expect("it is hot").parts();
        let expected = RecordParts {
            form: known.form,
            expiry: known.expiry,
            address: known.address,
            is_clean: known.is_clean,
            key: &key,
            value: &known.value,
        };
        prop_assert_eq!(parts, expected);
        live += table.bytes_at(position);
    }
    let mut expiries = Expiries::default();
    model.values().for_each(|known| expiries.add(known.expiry));
    prop_assert_eq!((table.hot(), table.expiries()), (model.len(), expiries));
    prop_assert_eq!(table.heap().live_bytes, live);
    Ok(())
}

proptest! {
    /// The same changes on a table and on a plain map.
    #[test]
    fn a_table_is_a_map_whatever_moves(
        steps in vec((0..8_u8, 0..400_u16, 0..40_usize, any::<u8>()), 0..1500),
        scale in 1..300_usize,
    ) {
        let (mut table, pool) = new();
        let mut model: HashMap<u16, Known> = HashMap::new();
        let mut sunk: HashMap<u16, Address> = HashMap::new();
        for (step, (kind, number, length, byte)) in steps.into_iter().enumerate() {
            let key = number.to_le_bytes();
            let address = Address::new(step as u32, 1).expect("in range");
            let expiry = (byte > 200).then_some(UnixMillis(i64::from(byte)));
            match (kind, model.get_mut(&number)) {
                (0..=3, known) => {
                    let value = vec![byte; length * scale];
                    let parts = RecordParts { expiry, ..RecordParts::new(byte % FORM_LIMIT, &key, &value) };
                    match (known.is_some(), sunk.remove(&number)) {
                        (true, _) => table.replace(hot(&table, &key), hash(&key), &parts),
                        (false, None) => table.insert(hash(&key), &parts),
                        (false, Some(at)) => {
                            let Found::Cold(candidates) = table.find(hash(&key), &key) else {
                                panic!("it is cold");
                            };
                            let found = candidates.iter().find(|(_, address)| *address == at);
                            table.replace(found.expect("its slot").0, hash(&key), &parts);
                        }
                    }
                    let form = byte % FORM_LIMIT;
                    model.insert(number, Known { form, expiry, address: None, is_clean: false, value });
                }
                (4, Some(_)) => {
                    table.remove(hot(&table, &key));
                    model.remove(&number);
                }
                (5, Some(known)) => {
                    table.set_expiry(hot(&table, &key), expiry);
                    (known.expiry, known.is_clean) = (expiry, false);
                }
                (6, Some(known)) => {
                    table.set_address(hot(&table, &key), address);
                    (known.address, known.is_clean) = (Some(address), true);
                }
                (7, Some(_)) if byte < 128 => {
                    table.sink(hot(&table, &key), hash(&key), address);
                    model.remove(&number);
                    sunk.insert(number, address);
                }
                (7, _) => {
                    table.compact(usize::from(byte % 4));
                }
                _ => {}
            }
            if step % 64 == 0 {
                check(&table, &model)?;
            }
        }
        table.compact(usize::MAX);
        check(&table, &model)?;
        drop(table);
        prop_assert_eq!(pool.lent_bytes(), 0);
    }
}
