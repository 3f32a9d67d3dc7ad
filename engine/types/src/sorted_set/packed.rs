//! The packed sorted set: a count and the entries in their order.
//!
//! Owns the layout (`FORMAT.md`, "Packed sorted set"). Does not know limits.
//! Runs on whichever thread holds the shard.
//!
//! INVARIANT: bytes that passed [`PackedSortedSet::check`] hold as many entries
//! as their count says, strictly ascending, and no member twice. Others are
//! still safe to walk.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::entries::{self, Entries, Entry};
use crate::hash::packed::has_duplicate;
use thermocline_base::codec::put_varint;
use thermocline_base::{CodecError, Reader};

/// A packed sorted set read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedSortedSet<'a> {
    count: usize,
    body: &'a [u8],
}

/// Reads a count and as many strictly ascending entries, to the end.
pub(super) fn checked_entries<'a>(reader: &mut Reader<'a>) -> Result<Vec<Entry<'a>>, CodecError> {
    let count = reader.varint()?;
    let mut sorted: Vec<Entry<'a>> = Vec::new();
    while !reader.is_empty() {
        let entry = entries::next(reader)?;
        if sorted
            .last()
            .is_some_and(|last| entries::order(*last, entry).is_ge())
        {
            return Err(reader.invalid("sorted set order"));
        }
        sorted.push(entry);
    }
    if sorted.len() as u64 != count {
        return Err(reader.invalid("sorted set member count"));
    }
    Ok(sorted)
}

impl<'a> PackedSortedSet<'a> {
    /// Reads the count only; unreadable bytes give an empty sorted set.
    #[must_use]
    pub fn trusted(bytes: &'a [u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let count = reader.varint().unwrap_or_default();
        Self::new(usize::try_from(count).unwrap_or_default(), reader.rest())
    }

    /// A sorted set of `count` entries whose bytes are `body`.
    pub(crate) const fn new(count: usize, body: &'a [u8]) -> Self {
        Self { count, body }
    }

    /// Reads and checks every entry, their order, the count, and that no member
    /// stands twice.
    ///
    /// # Errors
    /// [`CodecError`], with the offset of the fault in `bytes`.
    pub fn check(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let sorted = checked_entries(&mut reader)?;
        if has_duplicate(sorted.iter().map(|entry| entry.1).collect()) {
            return Err(reader.invalid("sorted set member, it stands twice"));
        }
        Ok(Self::trusted(bytes))
    }

    /// How many members it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries' bytes, without the count.
    pub(super) const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        Entries::new(self.body).map(|(_, entry)| entry)
    }

    /// The serialised sorted set of these entries, which are in their order.
    pub(crate) fn bytes_of<'m>(sorted: impl Iterator<Item = Entry<'m>>) -> Vec<u8> {
        let mut body = Vec::new();
        let mut count = 0_u64;
        for entry in sorted {
            entries::put(&mut body, entry);
            count = count.saturating_add(1);
        }
        let mut bytes = Vec::new();
        put_varint(&mut bytes, count);
        bytes.extend_from_slice(&body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_order_wrong_counts_and_duplicates_are_refused() {
        let bytes_of = |sorted: &[Entry<'_>]| PackedSortedSet::bytes_of(sorted.iter().copied());
        let right = bytes_of(&[(1.0, b"a"), (1.0, b"b"), (2.0, b"")]);
        assert_eq!(PackedSortedSet::check(&right).map(|set| set.len()), Ok(3));
        for wrong in [
            bytes_of(&[(1.0, b"b"), (1.0, b"a")]),
            bytes_of(&[(2.0, b"a"), (1.0, b"b")]),
            bytes_of(&[(0.0, b"a"), (-0.0, b"a")]),
            bytes_of(&[(1.0, b"a"), (2.0, b"a")]),
            bytes_of(&[(f64::NAN, b"a")]),
            [&[4][..], right.get(1..).unwrap_or_default()].concat(),
            Vec::new(),
        ] {
            assert!(PackedSortedSet::check(&wrong).is_err(), "{wrong:?}");
        }
    }
}
