//! The full sorted set: a tree of the entries in their order, and a table of the
//! members with their scores.
//!
//! Owns that both agree, and the serialised form. Does not know limits. Runs on
//! whichever thread holds the shard; a clone may be read on any other.
//!
//! INVARIANT: a member is in the table with a score exactly if the tree has that
//! entry.

use super::entries::{self, Entry};
use super::tree::Tree;
use crate::hash::FullHash;
use thermocline_base::codec::put_varint;
use thermocline_base::{CodecError, HashSeed, Random, Reader};

/// A sorted set of any size. Its clone is a capture: later changes to either are
/// not seen by the other.
#[derive(Clone, Debug)]
pub struct FullSortedSet {
    tree: Tree,
    scores: FullHash,
}

/// The score that the table holds.
fn score_of(value: &[u8]) -> f64 {
    value
        .first_chunk()
        .map_or(0.0, |bytes| f64::from_le_bytes(*bytes))
}

impl FullSortedSet {
    /// An empty sorted set whose members are spread by `seed`.
    #[must_use]
    pub fn new(seed: HashSeed) -> Self {
        Self {
            tree: Tree::new(),
            scores: FullHash::new(seed),
        }
    }

    /// How many members it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether it has no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tree.len() == 0
    }

    /// The bytes its nodes take on the heap, as this root sees them: nodes
    /// shared with a capture count in both.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes() + self.scores.heap_bytes()
    }

    /// The score of `member`.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).map(|entry| score_of(entry.1))
    }

    /// How many entries are `before`: those that are come first in the order.
    pub fn position(&self, before: impl Fn(Entry<'_>) -> bool) -> usize {
        self.tree.position(before)
    }

    pub(super) fn leaf_of(&self, rank: usize) -> (&[u8], usize) {
        self.tree.leaf_of(rank)
    }

    /// Gives a member this score, which is a number.
    pub(crate) fn set(&mut self, (score, member): Entry<'_>) {
        if let Some(old) = self.score(member) {
            if old.to_bits() == score.to_bits() {
                return;
            }
            if self.tree.rescore((old, member), score) {
                self.scores.set((member, &score.to_le_bytes(), None));
                return;
            }
            self.tree.remove((old, member));
        }
        self.scores.set((member, &score.to_le_bytes(), None));
        self.tree.insert((score, member));
    }

    /// Takes a member out; whether it was there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        let Some(score) = self.score(member) else {
            return false;
        };
        self.scores.remove(member);
        self.tree.remove((score, member))
    }

    /// One step of a scan: see [`FullHash::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(Entry<'a>)) -> u64 {
        self.scores
            .scan(cursor, count, |entry| visit((score_of(entry.1), entry.0)))
    }

    /// A random entry: see [`FullHash::random`].
    pub fn random(&self, random: &mut Random) -> Option<Entry<'_>> {
        let entry = self.scores.random(random, |_| true)?;
        Some((score_of(entry.1), entry.0))
    }

    /// The set of these entries, which are strictly ascending; `None` if a
    /// member stands twice.
    pub(crate) fn from_sorted(seed: HashSeed, sorted: &[Entry<'_>]) -> Option<Self> {
        let mut scores = FullHash::new(seed);
        for (score, member) in sorted {
            if !scores.set((member, &score.to_le_bytes(), None)) {
                return None;
            }
        }
        let tree = Tree::from_sorted(sorted.iter().copied());
        Some(Self { tree, scores })
    }

    /// Appends the serialised form: seed, count, entries.
    pub(crate) fn serialize_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.scores.seed().0.to_le_bytes());
        put_varint(out, self.len() as u64);
        let mut rank = 0;
        while rank < self.len() {
            // Leaf after leaf, each as it stands.
            let (body, _) = self.leaf_of(rank);
            let before = rank;
            rank += entries::Entries::new(body).count();
            out.extend_from_slice(body);
            if rank == before {
                break;
            }
        }
    }

    /// Reads what [`Self::serialize_into`] wrote, checking every entry, their
    /// order and the count.
    pub(crate) fn deserialize(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let seed = HashSeed(reader.u64()?);
        let sorted = super::packed::checked_entries(&mut reader)?;
        Self::from_sorted(seed, &sorted)
            .ok_or_else(|| reader.invalid("sorted set member, it stands twice"))
    }
}
