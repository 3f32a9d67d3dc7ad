//! S3-FIFO over numbered keys: a good policy that the daemon is held against.
//!
//! J. Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP
//! 2023, algorithm 1: a small queue of a tenth of the room, a main queue, and
//! a ghost queue of names as long as the main one. Owns the three queues, with
//! one entry a key beside them. Pure.

use std::collections::VecDeque;

/// Where a key is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Small,
    Main,
    Ghost,
}

/// A cache of a fixed number of keys.
pub(super) struct S3Fifo {
    places: Vec<Place>,
    /// Hits since a key came or was spared, at most 3.
    uses: Vec<u8>,
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    /// Names that came back meanwhile stay in it until their turn.
    ghost: VecDeque<u32>,
    capacity: usize,
    small_capacity: usize,
}

impl S3Fifo {
    /// An empty cache of `capacity` keys out of `keys`.
    pub(super) fn new(keys: usize, capacity: usize) -> Self {
        Self {
            places: vec![Place::Nowhere; keys],
            uses: vec![0; keys],
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghost: VecDeque::new(),
            capacity,
            small_capacity: (capacity / 10).max(1),
        }
    }

    /// Uses `key`, which afterwards is held; whether it was.
    pub(super) fn touch(&mut self, key: u32) -> bool {
        if self.capacity == 0 {
            return false;
        }
        let place = self.places[key as usize];
        if matches!(place, Place::Small | Place::Main) {
            let uses = &mut self.uses[key as usize];
            *uses = (*uses + 1).min(3);
            return true;
        }
        while self.small.len() + self.main.len() >= self.capacity {
            self.evict();
        }
        // Asked again: making room may have pushed the name out of the ghost.
        if self.places[key as usize] == Place::Ghost {
            self.places[key as usize] = Place::Main;
            self.main.push_back(key);
        } else {
            self.places[key as usize] = Place::Small;
            self.small.push_back(key);
        }
        self.uses[key as usize] = 0;
        false
    }

    fn evict(&mut self) {
        if self.small.len() >= self.small_capacity || self.main.is_empty() {
            self.evict_small();
        } else {
            self.evict_main();
        }
    }

    /// Moves what was used twice to the main queue, until one goes.
    fn evict_small(&mut self) {
        while let Some(key) = self.small.pop_front() {
            if self.uses[key as usize] > 1 {
                self.places[key as usize] = Place::Main;
                self.uses[key as usize] = 0;
                self.main.push_back(key);
            } else {
                self.places[key as usize] = Place::Ghost;
                self.remember(key);
                return;
            }
        }
    }

    /// Spares what was used since, until one goes.
    fn evict_main(&mut self) {
        while let Some(key) = self.main.pop_front() {
            if self.uses[key as usize] > 0 {
                self.uses[key as usize] -= 1;
                self.main.push_back(key);
            } else {
                self.places[key as usize] = Place::Nowhere;
                return;
            }
        }
    }

    fn remember(&mut self, key: u32) {
        self.ghost.push_back(key);
        while self.ghost.len() > self.capacity - self.small_capacity.min(self.capacity) {
            let Some(oldest) = self.ghost.pop_front() else {
                return;
            };
            if self.places[oldest as usize] == Place::Ghost {
                self.places[oldest as usize] = Place::Nowhere;
            }
        }
    }
}

/// See [`super::hit_share`].
pub(super) fn hit_share(requests: &[u32], keys: u64, capacity: u64) -> f64 {
    let mut cache = S3Fifo::new(keys as usize, capacity.min(keys) as usize);
    super::hit_share(requests, keys, |key| cache.touch(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermocline_base::Random;

    #[test]
    fn it_never_holds_more_than_its_room() {
        let mut random = Random::new(5);
        for capacity in [0, 1, 2, 7, 20] {
            let mut cache = S3Fifo::new(60, capacity);
            for _ in 0..5000 {
                let below = 1 + random.below(60);
                let key = random.below(below) as u32;
                let was_held = matches!(cache.places[key as usize], Place::Small | Place::Main);
                assert_eq!(cache.touch(key), was_held && capacity > 0);
                assert!(cache.small.len() + cache.main.len() <= capacity);
                let held = cache.places.iter();
                let held = held.filter(|place| matches!(place, Place::Small | Place::Main));
                assert_eq!(held.count(), cache.small.len() + cache.main.len());
            }
        }
    }

    #[test]
    fn a_scan_does_not_push_out_what_is_used() {
        let mut cache = S3Fifo::new(1000, 100);
        for _ in 0..3 {
            for key in 0..50 {
                cache.touch(key);
            }
        }
        for key in 100..1000 {
            cache.touch(key);
        }
        let kept = (0..50).filter(|&key| cache.touch(key)).count();
        assert_eq!(kept, 50);
    }

    #[test]
    fn what_comes_back_soon_goes_to_the_main_queue() {
        let mut cache = S3Fifo::new(100, 20);
        for key in 0..30 {
            cache.touch(key);
        }
        // 0 was pushed out of the small queue and is remembered.
        assert!(!cache.touch(9));
        assert!(cache.places[9] == Place::Main);
    }
}
