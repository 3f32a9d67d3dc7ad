//! The packed set: few members, each behind its length, in the order they were
//! added.
//!
//! Owns the layout (`FORMAT.md`, "Packed set"). Does not know limits. Runs on
//! whichever thread holds the shard.
//!
//! INVARIANT: bytes that passed [`PackedSet::check`] hold as many members as
//! their count says and none twice. Others are still safe to walk: walking ends
//! at the first bad member.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::hash::packed::has_duplicate;
use thermocline_base::codec::{put_length_prefixed, put_varint};
use thermocline_base::{CodecError, Reader};

/// A packed set read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedSet<'a> {
    count: usize,
    body: &'a [u8],
}

impl<'a> PackedSet<'a> {
    /// Reads the count only; unreadable bytes give an empty set.
    #[must_use]
    pub fn trusted(bytes: &'a [u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let count = reader.varint().unwrap_or_default();
        Self {
            count: usize::try_from(count).unwrap_or_default(),
            body: reader.rest(),
        }
    }

    /// Reads and checks every member, the count, and that none stands twice.
    ///
    /// # Errors
    /// [`CodecError`], with the offset of the fault in `bytes`.
    pub fn check(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let count = reader.varint()?;
        let mut members = Vec::new();
        while !reader.is_empty() {
            members.push(reader.length_prefixed()?);
        }
        if members.len() as u64 != count {
            return Err(reader.invalid("set member count"));
        }
        if has_duplicate(members) {
            return Err(reader.invalid("set member, it stands twice"));
        }
        Ok(Self::trusted(bytes))
    }

    /// A set of `count` members whose bytes are `body`.
    pub(crate) const fn new(count: usize, body: &'a [u8]) -> Self {
        Self { count, body }
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

    /// Whether `member` is in it.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        // As in the search for a field: ends tell most members apart.
        let (length, last) = (member.len(), member.last());
        self.iter()
            .any(|one| one.len() == length && one.last() == last && one == member)
    }

    /// The members in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = Reader::new(self.body);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            reader.length_prefixed().ok()
        })
    }

    /// The serialised set of these members, which all differ.
    pub(crate) fn bytes_of<'m>(members: impl Iterator<Item = &'m [u8]>) -> Vec<u8> {
        let mut body = Vec::new();
        let mut count = 0_u64;
        for member in members {
            put_length_prefixed(&mut body, member);
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
    fn bytes_are_as_format_md_rules_them() {
        let bytes = PackedSet::bytes_of([&b"ab"[..], b""].into_iter());
        assert_eq!(bytes, [2, 2, b'a', b'b', 0]);
        let set = PackedSet::check(&bytes).expect("is well-formed");
        assert_eq!((set.len(), set.iter().last()), (2, Some(&b""[..])));
    }

    #[test]
    fn duplicates_and_wrong_counts_are_refused() {
        for bytes in [
            &[][..],
            &[1],
            &[2, 1, b'a', 1, b'a'],
            &[1, 2, b'a'],
            &[0, 1, b'a'],
        ] {
            assert!(PackedSet::check(bytes).is_err(), "{bytes:?}");
            assert!(PackedSet::trusted(bytes).iter().count() < 3);
        }
    }
}
