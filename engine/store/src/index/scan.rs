//! Walking the keys of an index in the order of their stored hashes.
//!
//! Owns the cursor's meaning: all keys of a lower stored hash were visited.
//! That holds whatever grew, split, sank or rose since the cursor was given,
//! because a key's stored hash never changes. Under the shard's lock, any
//! thread.

use super::segment::NO_SEGMENT;
use super::{Index, Slot};
use crate::record::RawRecord;
use thermocline_base::KeyHash;

/// Empty homes a call passes for each key asked for before it gives up with
/// fewer.
const HOMES_PER_KEY: usize = 10;

impl Index {
    /// Visits keys with a stored hash of at least `cursor`, at least `count`
    /// of them unless there are no more or long stretches are empty, and
    /// returns the cursor to go on with, `None` at the end. Start with 0.
    ///
    /// Keys of equal hashes are visited in one call, so more than `count` may
    /// be. A key present from the first call to the last is visited at least
    /// once, whatever happens to the others in between. The visitor gets the
    /// stored hash, at most 29 bits; within a call the order is unspecified.
    pub fn scan(
        &self,
        cursor: u32,
        count: usize,
        hasher: &impl Fn(RawRecord) -> KeyHash,
        mut visit: impl FnMut(u32, Slot),
    ) -> Option<u32> {
        let mut at = u64::from(cursor);
        let mut visited = 0;
        let mut homes_left = count.max(1).saturating_mul(HOMES_PER_KEY);
        while !self.directory.is_empty() && at >> KeyHash::STORED_BITS == 0 {
            if visited >= count.max(1) || homes_left == 0 {
                return Some(at as u32);
            }
            homes_left -= 1;
            let head = self.head(at as u32);
            let segment = &self.segments[head as usize];
            let left = count.max(1) - visited;
            let mut offer = |slot: Slot| {
                let stored = slot.stored(hasher);
                if u64::from(stored) >= at {
                    visit(stored, slot);
                    visited += 1;
                }
            };
            let is_chained = segment.next != NO_SEGMENT;
            if !is_chained
                && at <= u64::from(segment.low)
                && segment.occupied().take(left + 1).count() <= left
            {
                // All of it is asked for: one pass instead of one a home.
                segment.occupied().for_each(|(_, _, slot)| offer(slot));
                at = u64::from(segment.low) + segment.width();
            } else if !is_chained {
                let home = segment.home(at as u32);
                segment.of_home(home).for_each(|(_, _, slot)| offer(slot));
                at = segment.home_end(home);
            } else {
                // Chained segments have no homes: the range goes as a whole.
                for index in self.chain(head) {
                    self.segments[index as usize]
                        .occupied()
                        .for_each(|(_, _, slot)| offer(slot));
                }
                at = u64::from(segment.low) + segment.width();
            }
        }
        None
    }
}
