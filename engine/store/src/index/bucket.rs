//! A bucket: one cache line of seven slots and the home bucket of each.
//!
//! Owns a line's bytes. Does not know which bucket it is. Under the shard's
//! lock, any thread.
//!
//! ```text
//! +---------------------+-----------+----------------------------+
//! | slots 7 x 8         | homes 7x1 | stashed 1                  |
//! +---------------------+-----------+----------------------------+
//! ```
//!
//! INVARIANT: `homes[i]` means something only while `slots[i]` is not empty. It
//! is what lets a key be removed, moved aside and scanned without asking a hot
//! record for its hash.

use super::Slot;
use super::slot::Wanted;

/// Slots in a bucket.
pub(super) const SLOTS: usize = 7;

/// One cache line.
#[derive(Clone, Default)]
#[repr(C, align(64))]
pub(super) struct Bucket {
    slots: [Slot; SLOTS],
    homes: [u8; SLOTS],
    /// How many keys whose home is this bucket are in the segment's stash.
    pub(super) stashed: u8,
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    pub(super) fn free(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_empty()).count()
    }

    /// Puts a slot into a free place; whether there was one.
    pub(super) fn put(&mut self, home: u8, slot: Slot) -> bool {
        let Some(index) = self.slots.iter().position(|slot| slot.is_empty()) else {
            return false;
        };
        self.slots[index] = slot;
        self.homes[index] = home;
        true
    }

    pub(super) fn slot(&self, index: usize) -> Slot {
        self.slots[index]
    }

    pub(super) fn set(&mut self, index: usize, slot: Slot) {
        self.slots[index] = slot;
    }

    /// Empties a place; which slot was there and its home.
    pub(super) fn take(&mut self, index: usize) -> (Slot, u8) {
        (std::mem::take(&mut self.slots[index]), self.homes[index])
    }

    /// The place of some key whose home is `home`.
    pub(super) fn find_home(&self, home: u8) -> Option<usize> {
        self.occupied()
            .find_map(|(index, found, _)| (found == home).then_some(index))
    }

    /// Calls `visit` with place and slot of whatever may be the key of `home` that is
    /// `wanted`, until it says that it has found it. Whether it has.
    #[inline]
    pub(super) fn any_match(
        &self,
        home: u8,
        wanted: Wanted,
        mut visit: impl FnMut(usize, Slot) -> bool,
    ) -> bool {
        let mut places = self.matches(home, wanted);
        while places != 0 {
            let index = places.trailing_zeros() as usize;
            if visit(index, self.slots[index]) {
                return true;
            }
            places &= places - 1;
        }
        false
    }

    /// A bit for each place whose slot may be the key of `home` that is `wanted`. All are
    /// compared whatever is found: which place a key has cannot be foretold, and a branch
    /// foretold wrongly costs more than all comparisons.
    #[inline]
    fn matches(&self, home: u8, wanted: Wanted) -> u32 {
        let mut places = 0;
        for index in 0..SLOTS {
            let is_match = wanted.may_be(self.slots[index]) & (self.homes[index] == home);
            places |= u32::from(is_match) << index;
        }
        places
    }

    /// Place, home and slot of each key.
    pub(super) fn occupied(&self) -> impl Iterator<Item = (usize, u8, Slot)> + '_ {
        (0..SLOTS)
            .map(|index| (index, self.homes[index], self.slots[index]))
            .filter(|(_, _, slot)| !slot.is_empty())
    }
}
