//! The keys with the largest sums of a stream of amounts, in bounded memory.
//!
//! Owns the counters: the Space-Saving algorithm (Metwally, Agrawal, El Abbadi 2005) with
//! amounts. Of `capacity` counters every key with more than one part in `capacity` of the
//! whole is kept. Knows no commands. Whoever holds it locks it.

use std::collections::HashMap;
use std::sync::Arc;

/// Longer keys are not kept, so that memory stays bounded whatever keys there are.
const KEY_MAX_BYTES: usize = 4096;

#[derive(Debug)]
struct Counter {
    key: Arc<[u8]>,
    /// At least what the key had.
    sum: u64,
    /// At most this much of it was another key's.
    error: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct HeavyHitters {
    capacity: usize,
    counters: Vec<Counter>,
    places: HashMap<Arc<[u8]>, usize>,
}

impl HeavyHitters {
    /// Keeps at most `capacity` keys, at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            counters: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// Adds to a key's sum.
    pub(crate) fn add(&mut self, key: &[u8], amount: u64) {
        if let Some(counter) = (self.places.get(key)).and_then(|at| self.counters.get_mut(*at)) {
            counter.sum = counter.sum.saturating_add(amount);
            return;
        }
        if key.len() > KEY_MAX_BYTES {
            return;
        }
        let key: Arc<[u8]> = Arc::from(key);
        if self.counters.len() < self.capacity {
            self.places.insert(Arc::clone(&key), self.counters.len());
            let (sum, error) = (amount, 0);
            self.counters.push(Counter { key, sum, error });
            return;
        }
        // It takes the place of the key with the least, and all its sum as a doubt.
        let least = self.counters.iter_mut().enumerate();
        if let Some((at, counter)) = least.min_by_key(|(_, counter)| counter.sum) {
            self.places.remove(&counter.key);
            self.places.insert(Arc::clone(&key), at);
            counter.key = key;
            counter.error = counter.sum;
            counter.sum = counter.sum.saturating_add(amount);
        }
    }

    /// The keys with the largest sums, the largest first: at most `count`, each with what is
    /// surely its own.
    pub(crate) fn largest(&self, count: usize) -> Vec<(Arc<[u8]>, u64)> {
        let sums = self.counters.iter();
        let sums = sums.map(|counter| (Arc::clone(&counter.key), counter.sum - counter.error));
        let mut sums: Vec<_> = sums.collect();
        sums.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        sums.truncate(count);
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermocline_base::Random;

    #[test]
    fn few_keys_are_summed_exactly() {
        let mut keys = HeavyHitters::new(4);
        for (key, amount) in [("a", 5), ("b", 7), ("a", 4), ("c", 1)] {
            keys.add(key.as_bytes(), amount);
        }
        let largest = keys.largest(2);
        let largest: Vec<_> = largest.iter().map(|(key, sum)| (&key[..], *sum)).collect();
        assert_eq!(largest, [(&b"a"[..], 9), (b"b", 7)]);
    }

    #[test]
    fn the_hot_among_many_are_found_and_not_overstated() {
        let mut keys = HeavyHitters::new(64);
        let mut random = Random::new(7);
        let mut truth = [0; 4];
        for number in 0..100_000 {
            let key = if random.below(10) < 4 {
                let hot = random.below(4);
                truth[hot as usize] += 3;
                format!("hot:{hot}")
            } else {
                format!("cold:{number}")
            };
            keys.add(key.as_bytes(), 3);
        }
        let largest = keys.largest(4);
        assert_eq!(largest.len(), 4);
        for (key, sum) in largest {
            let key = String::from_utf8_lossy(&key).into_owned();
            let hot = key.strip_prefix("hot:").expect("is a hot one");
            let truth: u64 = truth[hot.parse::<usize>().expect("a number")];
            assert!(sum <= truth && sum > truth / 2, "{key}: {sum} of {truth}");
        }
    }

    #[test]
    fn a_key_too_long_to_keep_takes_no_memory() {
        let mut keys = HeavyHitters::new(4);
        keys.add(&vec![0; KEY_MAX_BYTES + 1], 9);
        assert!(keys.largest(4).is_empty());
    }
}
