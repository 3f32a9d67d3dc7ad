//! The 64 ranges that a shard's keys are cut into for the image, by the first bits of
//! their stored hash.
//!
//! Owns which range a key is of. What changes between two images is noted by range, so that
//! the next one writes the ranges that changed and not the shard. Pure.

use std::ops::Range;
use thermocline_base::KeyHash;

/// How many bits of the stored hash name the range.
const RANGE_BITS: u32 = 6;
/// How many stored hashes a range spans.
const RANGE_WIDTH: u32 = 1 << (KeyHash::STORED_BITS - RANGE_BITS);

/// Some of the ranges of a shard: bit i stands for the range i.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RangeSet(pub u64);

impl RangeSet {
    /// None of them.
    pub const EMPTY: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);

    /// Adds the range of a key.
    pub fn insert(&mut self, hash: KeyHash) {
        self.insert_stored(hash.stored());
    }

    /// Adds the range of a stored hash.
    pub fn insert_stored(&mut self, stored: u32) {
        self.0 |= Self::bit(stored);
    }

    /// Whether the range of a stored hash is one of them.
    #[must_use]
    pub fn contains_stored(self, stored: u32) -> bool {
        self.0 & Self::bit(stored) != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are, 64 at most.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The ranges of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The stored hashes of these ranges, ascending; neighbours as one.
    pub fn spans(self) -> impl Iterator<Item = Range<u32>> {
        let mut left = self.0;
        let mut first = 0_u32;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let begin = first.saturating_add(left.trailing_zeros());
            left = left.checked_shr(left.trailing_zeros()).unwrap_or(0);
            let length = left.trailing_ones();
            left = left.checked_shr(length).unwrap_or(0);
            let end = begin.saturating_add(length);
            first = end;
            Some(begin.saturating_mul(RANGE_WIDTH)..end.saturating_mul(RANGE_WIDTH))
        })
    }

    /// The bit of a stored hash's range; a hash beyond the 29 bits has none.
    fn bit(stored: u32) -> u64 {
        1_u64.checked_shl(stored / RANGE_WIDTH).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const END: u32 = 1 << KeyHash::STORED_BITS;

    #[test]
    fn all_ranges_are_one_span() {
        assert!(RangeSet::ALL.spans().eq(std::iter::once(0..END)));
        assert_eq!(RangeSet::EMPTY.spans().count(), 0);
        assert_eq!(
            RangeSet(1 << 63 | 1).spans().collect::<Vec<_>>(),
            [0..RANGE_WIDTH, END - RANGE_WIDTH..END]
        );
    }

    proptest! {
        #[test]
        fn a_hash_is_in_a_span_exactly_if_its_range_is_in_the_set(
            bits in any::<u64>(), stored in 0..END,
        ) {
            let set = RangeSet(bits);
            let spans: Vec<_> = set.spans().collect();
            prop_assert_eq!(
                spans.iter().any(|span| span.contains(&stored)),
                set.contains_stored(stored)
            );
            prop_assert!(spans.is_sorted_by(|one, next| one.end < next.start));
            let mut more = set;
            more.insert_stored(stored);
            prop_assert!(more.contains_stored(stored));
            prop_assert_eq!(more.0 & bits, bits);
        }
    }
}
