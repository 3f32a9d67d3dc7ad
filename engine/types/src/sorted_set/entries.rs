//! The entries of a sorted set as bytes, in their order: what a packed sorted
//! set and a leaf of a full one hold.
//!
//! Owns the layout of an entry (`FORMAT.md`, "Sorted set entry") and the order:
//! by score, equal scores (0 and -0 are) by member. Does not know counts, limits
//! or trees. Runs on whichever thread holds the shard.
//!
//! INVARIANT: bytes that were checked hold strictly ascending entries and no
//! score that is not a number. Others are still safe to walk: walking ends at
//! the first bad entry.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::hash::packed::reserve;
use std::cmp::Ordering;
use std::ops::Range;
use thermocline_base::codec::{put_length_prefixed, varint_bytes};
use thermocline_base::{CodecError, Reader};

/// A score and the member that has it.
pub type Entry<'a> = (f64, &'a [u8]);

/// The order of sorted sets.
#[inline]
pub(crate) fn order(one: Entry<'_>, other: Entry<'_>) -> Ordering {
    let scores = one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
    scores.then_with(|| one.1.cmp(other.1))
}

/// Appends one entry.
pub(crate) fn put(out: &mut Vec<u8>, (score, member): Entry<'_>) {
    out.extend_from_slice(&score.to_le_bytes());
    put_length_prefixed(out, member);
}

/// Reads one entry, whose score is a number.
#[inline]
pub(crate) fn next<'a>(reader: &mut Reader<'a>) -> Result<Entry<'a>, CodecError> {
    let score = f64::from_bits(reader.u64()?);
    if score.is_nan() {
        return Err(reader.invalid("score, it is not a number"));
    }
    Ok((score, reader.length_prefixed()?))
}

/// Walks entries, each with the range of its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a> {
    reader: Reader<'a>,
}

impl<'a> Entries<'a> {
    /// A walk from the first entry of `body`.
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(body),
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Range<usize>, Entry<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let start = self.reader.offset();
        let entry = next(&mut self.reader).ok()?;
        Some((start..self.reader.offset(), entry))
    }
}

/// How many entries at the start of `body` are `before`: those that are come
/// first.
pub(crate) fn position(body: &[u8], before: &impl Fn(Entry<'_>) -> bool) -> usize {
    Entries::new(body)
        .take_while(|(_, entry)| before(*entry))
        .count()
}

/// Puts an entry that is not there in its place.
pub(crate) fn insert(body: &mut Vec<u8>, entry: Entry<'_>) {
    let place = Entries::new(body)
        .find(|(_, other)| order(*other, entry).is_gt())
        .map_or(body.len(), |(at, _)| at.start);
    let before = body.len();
    let bytes = entry.1.len() as u64;
    let added_bytes = entry
        .1
        .len()
        .saturating_add(varint_bytes(bytes))
        .saturating_add(8);
    reserve(body, added_bytes);
    put(body, entry);
    if let Some(tail) = body.get_mut(place..)
        && place < before
    {
        tail.rotate_right(added_bytes);
    }
}

/// Takes out the entry with this score and member; whether it was there.
pub(crate) fn remove(body: &mut Vec<u8>, entry: Entry<'_>) -> bool {
    let found = Entries::new(body)
        .map(|(at, other)| (at, order(other, entry)))
        .find(|(_, order)| order.is_ge());
    match found {
        Some((at, Ordering::Equal)) => {
            body.drain(at);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn all(body: &[u8]) -> Vec<Entry<'_>> {
        Entries::new(body).map(|(_, entry)| entry).collect()
    }

    #[test]
    fn entries_are_in_the_order_of_scores_and_members() {
        let mut body = Vec::new();
        for entry in [
            (2.0, &b"a"[..]),
            (f64::INFINITY, b"z"),
            (1.0, b"b"),
            (-0.0, b"y"),
            (0.0, b"x"),
            (1.0, b"ba"),
            (f64::NEG_INFINITY, b""),
        ] {
            insert(&mut body, entry);
        }
        let names: Vec<&[u8]> = all(&body).iter().map(|entry| entry.1).collect();
        assert_eq!(names, [&b""[..], b"x", b"y", b"b", b"ba", b"a", b"z"]);
        let signs: Vec<bool> = all(&body)
            .iter()
            .map(|entry| entry.0.is_sign_negative())
            .collect();
        assert_eq!(signs, [true, false, true, false, false, false, false]);
        assert_eq!(position(&body, &|(score, _)| score < 1.0), 3);
        assert!(remove(&mut body, (0.0, b"y")));
        assert!(!remove(&mut body, (1.0, b"a")));
        assert_eq!(all(&body).len(), 6);
    }

    #[test]
    fn bytes_are_as_format_md_rules_them() {
        let mut body = Vec::new();
        put(&mut body, (1.0, b"ab"));
        assert_eq!(body, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 2, b'a', b'b']);
        let mut not_a_number = f64::NAN.to_le_bytes().to_vec();
        not_a_number.push(0);
        assert!(next(&mut Reader::new(&not_a_number)).is_err());
    }
}
