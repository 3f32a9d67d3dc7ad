//! Exact LRU over numbered keys: what the daemon's choice is held against.
//!
//! Owns a list through two arrays, one entry a key. Pure.

const NONE: u32 = u32::MAX;

/// A cache of a fixed number of keys.
pub(super) struct Lru {
    /// Neighbours towards the newer and the older end; `NONE` at an end.
    newer: Vec<u32>,
    older: Vec<u32>,
    is_held: Vec<bool>,
    newest: u32,
    oldest: u32,
    held: usize,
    capacity: usize,
}

impl Lru {
    /// An empty cache of `capacity` keys out of `keys`.
    pub(super) fn new(keys: usize, capacity: usize) -> Self {
        Self {
            newer: vec![NONE; keys],
            older: vec![NONE; keys],
            is_held: vec![false; keys],
            newest: NONE,
            oldest: NONE,
            held: 0,
            capacity,
        }
    }

    /// Uses `key`, which afterwards is the newest; whether it was held.
    pub(super) fn touch(&mut self, key: u32) -> bool {
        if self.capacity == 0 {
            return false;
        }
        let was_held = self.is_held[key as usize];
        if was_held {
            self.unlink(key);
        } else if self.held == self.capacity {
            let oldest = self.oldest;
            self.unlink(oldest);
        }
        self.link_newest(key);
        was_held
    }

    fn unlink(&mut self, key: u32) {
        let (newer, older) = (self.newer[key as usize], self.older[key as usize]);
        match newer {
            NONE => self.newest = older,
            newer => self.older[newer as usize] = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.newer[older as usize] = newer,
        }
        self.is_held[key as usize] = false;
        self.held -= 1;
    }

    fn link_newest(&mut self, key: u32) {
        self.newer[key as usize] = NONE;
        self.older[key as usize] = self.newest;
        match self.newest {
            NONE => self.oldest = key,
            newest => self.newer[newest as usize] = key,
        }
        self.newest = key;
        self.is_held[key as usize] = true;
        self.held += 1;
    }
}

/// See [`super::hit_share`].
pub(super) fn hit_share(requests: &[u32], keys: u64, capacity: u64) -> f64 {
    let mut cache = Lru::new(keys as usize, capacity.min(keys) as usize);
    super::hit_share(requests, keys, |key| cache.touch(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermocline_base::Random;

    #[test]
    fn the_list_agrees_with_a_plain_vector() {
        let mut random = Random::new(5);
        for capacity in [0, 1, 2, 7, 20] {
            let mut cache = Lru::new(20, capacity);
            let mut model: Vec<u32> = Vec::new();
            for _ in 0..2000 {
                let key = random.below(20) as u32;
                let expected = model.contains(&key);
                model.retain(|&other| other != key);
                model.push(key);
                if model.len() > capacity {
                    model.remove(0);
                }
                assert_eq!(cache.touch(key), expected, "capacity {capacity}");
            }
        }
    }

    #[test]
    fn the_fill_counts_as_use() {
        assert_eq!(hit_share(&[8, 9], 10, 2), 1.0);
        assert_eq!(hit_share(&[0, 1], 10, 2), 0.0);
        assert_eq!(hit_share(&[3, 3], 10, 100), 1.0);
    }
}
