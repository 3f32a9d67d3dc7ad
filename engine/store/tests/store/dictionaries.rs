//! Compressed values of several stores in one process.

use crate::support::{Held, Opened};
use thermocline_base::Random;
use thermocline_wal::Policy;

const KEYS: u32 = 6000;

/// Text of one store's vocabulary: what its dictionary knows, another's does not.
fn value(store: u8, number: u32) -> Vec<u8> {
    let mut random = Random::new(u64::from(number) << 8 | u64::from(store));
    let mut vocabulary = Random::new(u64::from(store));
    let words: Vec<String> = (0..200)
        .map(|_| format!("{:06x}", vocabulary.next_u64() >> 40))
        .collect();
    (0..40)
        .flat_map(|_| words[random.below(200) as usize].clone().into_bytes())
        .collect()
}

#[test]
fn a_thread_that_reads_two_stores_mixes_no_dictionaries() {
    let directories: Vec<_> = (0..2)
        .map(|_| tempfile::tempdir().expect("a directory"))
        .collect();
    for (store, directory) in (0_u8..).zip(&directories) {
        let mut opened = Opened::open(directory.path(), Some(Policy::EverySecond), 1);
        for number in 0..KEYS {
            opened.set(0, &number.to_le_bytes(), &value(store, number), None);
        }
        opened.checkpoint();
        let found = opened.store.statistics();
        assert!(
            found.demoted_stored_bytes * 4 < found.demoted_raw_bytes * 3,
            "{} of {} bytes: nothing was compressed",
            found.demoted_stored_bytes,
            found.demoted_raw_bytes
        );
        opened.close(false);
    }
    let mut opened: Vec<_> = directories
        .iter()
        .map(|directory| Opened::open(directory.path(), Some(Policy::EverySecond), 2))
        .collect();
    for number in (0..KEYS).step_by(7) {
        for (store, opened) in (0_u8..).zip(&mut opened) {
            let found = opened.get(0, &number.to_le_bytes());
            let expected = Held::String(value(store, number));
            assert!(found == Some((expected, None)), "key {number} of {store}");
        }
    }
    opened.into_iter().for_each(|opened| opened.close(false));
}
