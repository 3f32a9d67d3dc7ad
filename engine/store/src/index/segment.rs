//! A segment: 8 to 64 buckets that hold the keys of one range of stored hashes.
//!
//! Owns the buckets and where in them a key may lie: in its home bucket, in the
//! one after it, or in the stash at the end. Does not own how segments are
//! found, grow or split. Under the shard's lock, any thread.
//!
//! The home of a key is a multiply-shift of the stored hash's bits below the
//! depth, so homes ascend with stored hashes; a scan relies on it. A chained
//! segment is all stash: it exists only where splitting cannot help.
//!
//! INVARIANT: of a segment that is not chained, `stashed` of each main bucket
//! is the number of stash slots whose home it is.

use super::Slot;
use super::groups::Buckets;
use super::slot::Wanted;
use thermocline_base::KeyHash;

/// Sizes of a segment in buckets: whole groups.
pub(super) const SIZES: [usize; 7] = [8, 16, 32, 40, 48, 56, 64];
/// Ends a chain of segments.
pub(super) const NO_SEGMENT: u32 = u32::MAX;

/// See the module.
pub(super) struct Segment {
    pub(super) buckets: Buckets,
    /// The lowest stored hash of the range.
    pub(super) low: u32,
    /// The chained segment that goes on with the same range.
    pub(super) next: u32,
    /// How many high bits of the stored hash the range fixes.
    pub(super) depth: u8,
    /// Buckets that are homes; 0 in a chained segment.
    main: u8,
}

impl Segment {
    pub(super) fn new(buckets: usize, low: u32, depth: u8) -> Self {
        let stash = (buckets / 16).max(1);
        Self {
            main: (buckets - stash) as u8,
            ..Self::chained(buckets, low, depth)
        }
    }

    pub(super) fn chained(buckets: usize, low: u32, depth: u8) -> Self {
        Self {
            buckets: Buckets::new(buckets),
            low,
            next: NO_SEGMENT,
            depth,
            main: 0,
        }
    }

    /// How many stored hashes the range has.
    pub(super) fn width(&self) -> u64 {
        1 << self.range_bits()
    }

    fn range_bits(&self) -> u32 {
        KeyHash::STORED_BITS - u32::from(self.depth)
    }

    /// The next larger size, `None` at the largest.
    pub(super) fn larger(&self) -> Option<usize> {
        SIZES.into_iter().find(|&size| size > self.buckets.len())
    }

    pub(super) fn home(&self, stored: u32) -> usize {
        let offset = u64::from(stored) & (self.width() - 1);
        ((offset * u64::from(self.main)) >> self.range_bits()) as usize
    }

    /// The lowest stored hash above all whose home is `home`.
    pub(super) fn home_end(&self, home: usize) -> u64 {
        let main = u64::from(self.main).max(1);
        u64::from(self.low) + ((home as u64 + 1) << self.range_bits()).div_ceil(main)
    }

    /// The bucket beside `home` in which its keys may lie; of the last one it is the first.
    pub(super) fn after(&self, home: usize) -> usize {
        if home + 1 == usize::from(self.main) {
            0
        } else {
            home + 1
        }
    }

    /// Puts a key where it may lie; `false`, changing nothing, if all is full.
    pub(super) fn insert(&mut self, stored: u32, slot: Slot) -> bool {
        let main = usize::from(self.main);
        if main == 0 {
            return self
                .buckets
                .iter_mut_from(0)
                .any(|bucket| bucket.put(0, slot));
        }
        let home = self.home(stored);
        let next = self.after(home);
        let (home_free, next_free) = (self.buckets[home].free(), self.buckets[next].free());
        let chosen = if home_free >= next_free { home } else { next };
        if self.buckets[chosen].put(home as u8, slot) {
            return true;
        }
        // Both are full: a key at home in `next` may step on, or one that
        // stepped into `home` may step back.
        let before = (home + main - 1) % main;
        for (from, owner, to) in [(next, next, self.after(next)), (home, before, before)] {
            if self.buckets[to].free() > 0
                && let Some(index) = self.buckets[from].find_home(owner as u8)
            {
                let (moved, owner) = self.buckets[from].take(index);
                self.buckets[to].put(owner, moved);
                return self.buckets[from].put(home as u8, slot);
            }
        }
        let mut stash = self.buckets.iter_mut_from(main);
        let is_stashed = stash.any(|bucket| bucket.put(home as u8, slot));
        drop(stash);
        if is_stashed {
            self.buckets[home].stashed += 1;
        }
        is_stashed
    }

    /// Empties a place and says what was there.
    pub(super) fn remove(&mut self, bucket: usize, index: usize) -> Slot {
        let (slot, home) = self.buckets[bucket].take(index);
        if self.main > 0 && bucket >= usize::from(self.main) && !slot.is_empty() {
            self.buckets[usize::from(home)].stashed -= 1;
        }
        slot
    }

    /// Calls `visit` with the bucket, place and slot of whatever may be the key of `stored`,
    /// until it says that it has found it. Whether it has.
    #[inline]
    pub(super) fn any_match(
        &self,
        stored: u32,
        mut visit: impl FnMut(usize, usize, Slot) -> bool,
    ) -> bool {
        let main = usize::from(self.main);
        let wanted = Wanted::new(stored);
        let mut first_of_stash = 0;
        let mut home = 0;
        if main > 0 {
            home = self.home(stored);
            for at in [home, self.after(home)] {
                let bucket = &self.buckets[at];
                if bucket.any_match(home as u8, wanted, |place, slot| visit(at, place, slot)) {
                    return true;
                }
            }
            if self.buckets[home].stashed == 0 {
                return false;
            }
            first_of_stash = main;
        }
        (first_of_stash..self.buckets.len()).any(|at| {
            let bucket = &self.buckets[at];
            bucket.any_match(home as u8, wanted, |place, slot| visit(at, place, slot))
        })
    }

    /// How many buckets there are, and how many of them are homes.
    #[cfg(test)]
    pub(super) fn main_buckets(&self) -> (usize, usize) {
        (self.buckets.len(), usize::from(self.main))
    }

    /// Bucket, place and slot of each key whose home is `home`.
    pub(super) fn of_home(&self, home: usize) -> impl Iterator<Item = (usize, usize, Slot)> + '_ {
        let main = usize::from(self.main);
        let near = if main == 0 {
            [None, None]
        } else {
            [Some(home), Some(self.after(home))]
        };
        let stash = if main == 0 || self.buckets[home].stashed > 0 {
            main..self.buckets.len()
        } else {
            0..0
        };
        near.into_iter().flatten().chain(stash).flat_map(move |at| {
            self.buckets[at]
                .occupied()
                .filter(move |&(_, found, _)| usize::from(found) == home)
                .map(move |(index, _, slot)| (at, index, slot))
        })
    }

    /// Bucket, place and slot of each key.
    pub(super) fn occupied(&self) -> impl Iterator<Item = (usize, usize, Slot)> + '_ {
        self.buckets.iter().enumerate().flat_map(|(at, bucket)| {
            bucket
                .occupied()
                .map(move |(index, _, slot)| (at, index, slot))
        })
    }
}
