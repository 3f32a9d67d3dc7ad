//! The full set: the table of a full hash, whose fields are the members.
//!
//! Owns the serialised form. Does not know limits, nor the table itself: see
//! [`FullHash`]. Runs on whichever thread holds the shard; a clone may be read
//! on any other.
//!
//! INVARIANT: every value in the table is empty and no field expires.

use crate::hash::FullHash;
use thermocline_base::codec::{put_length_prefixed, put_varint};
use thermocline_base::{CodecError, HashSeed, Random, Reader};

/// A set of any size. Its clone is a capture: later changes to either are not
/// seen by the other.
#[derive(Clone, Debug)]
pub struct FullSet(FullHash);

impl FullSet {
    /// An empty set whose members are spread by `seed`.
    #[must_use]
    pub fn new(seed: HashSeed) -> Self {
        Self(FullHash::new(seed))
    }

    /// How many members it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// See [`FullHash::heap_bytes`].
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// Whether `member` is in it.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.0.get(member).is_some()
    }

    /// Adds a member; whether it is new.
    pub fn insert(&mut self, member: &[u8]) -> bool {
        self.0.set_if_absent(member, &[])
    }

    /// Takes a member out; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.0.remove(member)
    }

    /// All members, in the order of the nodes.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|entry| entry.0)
    }

    /// See [`FullHash::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(&'a [u8])) -> u64 {
        self.0.scan(cursor, count, |entry| visit(entry.0))
    }

    /// See [`FullHash::random`].
    pub fn random(&self, random: &mut Random) -> Option<&[u8]> {
        self.0.random(random, |_| true).map(|entry| entry.0)
    }

    /// Appends the serialised form: seed, count, members.
    pub(crate) fn serialize_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.seed().0.to_le_bytes());
        put_varint(out, self.len() as u64);
        for member in self.iter() {
            put_length_prefixed(out, member);
        }
    }

    /// Reads what [`Self::serialize_into`] wrote, checking every member and the
    /// count.
    pub(crate) fn deserialize(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let mut full = Self::new(HashSeed(reader.u64()?));
        let count = reader.varint()?;
        while !reader.is_empty() {
            if !full.insert(reader.length_prefixed()?) {
                return Err(reader.invalid("set member, it stands twice"));
            }
        }
        if full.len() as u64 != count {
            return Err(reader.invalid("set member count"));
        }
        Ok(full)
    }
}
