//! Sorted sets: members with scores, in the order of the scores.
//!
//! Owns the two forms (small ones [`packed`], large ones [`full`]) and the one
//! way to read both, [`SortedSetRef`]. Does not know keys, nor which ranges a
//! command means. When a form is changed is `update`'s. Runs on whichever thread
//! holds the shard, or holds a capture.
//!
//! A rank is a place in the order, the first is 0.

pub mod entries;
pub mod full;
pub mod packed;
mod tree;
pub(crate) mod update;

pub use entries::Entry;
use entries::{Entries, order, position};
pub use full::FullSortedSet;
pub use packed::PackedSortedSet;
use std::ops::Range;
use thermocline_base::Random;

/// A sorted set to read, whichever its form.
#[derive(Clone, Copy, Debug)]
pub enum SortedSetRef<'a> {
    /// A small one, read in place.
    Packed(PackedSortedSet<'a>),
    /// A large one.
    Full(&'a FullSortedSet),
}

impl<'a> SortedSetRef<'a> {
    /// How many members it has. O(1).
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.len(),
            Self::Full(full) => full.len(),
        }
    }

    /// Whether it has no member. O(1).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of `member`.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Packed(packed) => packed
                .iter()
                .find(|entry| entry.1 == member)
                .map(|entry| entry.0),
            Self::Full(full) => full.score(member),
        }
    }

    /// How many entries are `before`: those that are come first in the order.
    /// O(log n) in the full form.
    pub fn position(&self, before: impl Fn(Entry<'_>) -> bool) -> usize {
        match self {
            Self::Packed(packed) => position(packed.body(), &before),
            Self::Full(full) => full.position(before),
        }
    }

    /// The rank of `member`, and its score. O(log n) in the full form.
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        let rank = self.position(|entry| order(entry, (score, member)).is_lt());
        Some((rank, score))
    }

    /// The leaf with the entry of this rank, and which of the leaf's it is.
    fn leaf_of(&self, rank: usize) -> (&'a [u8], usize) {
        match *self {
            Self::Packed(packed) => (packed.body(), rank),
            Self::Full(full) => full.leaf_of(rank),
        }
    }

    /// The entries of these ranks, those that there are, in their order.
    pub fn range(&self, ranks: Range<usize>) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let set = *self;
        let end = ranks.end.min(self.len());
        let mut rank = ranks.start;
        let mut leaf: Option<Entries<'a>> = None;
        std::iter::from_fn(move || {
            if rank >= end {
                return None;
            }
            let next = leaf.as_mut().and_then(Iterator::next);
            let (_, entry) = match next {
                Some(next) => next,
                None => {
                    let (body, skip) = set.leaf_of(rank);
                    let entries = leaf.insert(Entries::new(body));
                    entries.nth(skip)?
                }
            };
            rank = rank.saturating_add(1);
            Some(entry)
        })
    }

    /// The entries of these ranks, those that there are, the last first.
    pub fn range_back(&self, ranks: Range<usize>) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let set = *self;
        let start = ranks.start;
        let mut end = ranks.end.min(self.len());
        let mut leaf: Vec<Entry<'a>> = Vec::new();
        std::iter::from_fn(move || {
            if leaf.is_empty() {
                let last = end.checked_sub(1).filter(|last| *last >= start)?;
                let (body, at) = set.leaf_of(last);
                let wanted = at.saturating_add(1).min(end.saturating_sub(start));
                let skip = at.saturating_add(1).saturating_sub(wanted);
                let entries = Entries::new(body).skip(skip).take(wanted);
                leaf.extend(entries.map(|(_, entry)| entry));
            }
            end = end.saturating_sub(1);
            leaf.pop()
        })
    }

    /// All entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        self.range(0..self.len())
    }

    /// One step of a scan begun with cursor 0: some entries, `count` or a little
    /// more when there are as many, and the cursor to go on with, 0 at the end.
    /// A member that is there throughout the scan is returned at least once,
    /// whatever comes and goes meanwhile. A packed one comes whole.
    #[must_use]
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<Entry<'a>>) {
        match *self {
            Self::Packed(packed) => (0, packed.iter().collect()),
            Self::Full(full) => {
                let mut found = Vec::new();
                let next = full.scan(cursor, count, |entry| found.push(entry));
                (next, found)
            }
        }
    }

    /// A random entry; `None` if there is none.
    pub fn random(&self, random: &mut Random) -> Option<Entry<'a>> {
        match *self {
            Self::Packed(packed) => {
                let at = random.below(packed.len() as u64) as usize;
                packed.iter().nth(at)
            }
            Self::Full(full) => full.random(random),
        }
    }
}
