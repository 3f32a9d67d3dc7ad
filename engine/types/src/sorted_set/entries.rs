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

/// A place among entries, found by [`seek`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Where the entry before it starts, if there is one.
    before: Option<usize>,
    /// Where it is, in bytes.
    at: usize,
}

/// Where the first entry is that is not before `entry`.
fn seek(body: &[u8], entry: Entry<'_>) -> Place {
    let mut place = Place {
        before: None,
        at: 0,
    };
    while let Some(rest) = body.get(place.at..).filter(|rest| !rest.is_empty()) {
        let bytes = lower(rest, entry.0).or_else(|| {
            let mut reader = Reader::new(rest);
            let is_before = next(&mut reader).is_ok_and(|found| order(found, entry).is_lt());
            is_before.then(|| reader.offset())
        });
        let Some(bytes) = bytes else {
            break;
        };
        place.before = Some(place.at);
        place.at = place.at.saturating_add(bytes);
    }
    place
}

/// The bytes of the first entry, if they are easily counted and its score is below this one.
#[inline]
fn lower(rest: &[u8], score: f64) -> Option<usize> {
    let (found, after) = rest.split_first_chunk()?;
    let member_bytes = *after.first()?;
    let end = usize::from(member_bytes)
        .wrapping_add(1)
        .wrapping_add(size_of::<f64>());
    let is_passed = f64::from_le_bytes(*found) < score && member_bytes < 0x80;
    (is_passed && end <= rest.len()).then_some(end)
}

/// The entry that starts at `at`.
fn entry_at(body: &[u8], at: usize) -> Option<(Range<usize>, Entry<'_>)> {
    let (range, entry) = Entries::new(body.get(at..)?).next()?;
    Some((at..at.saturating_add(range.end), entry))
}

/// Puts an entry that is not there in its place.
pub(crate) fn insert(body: &mut Vec<u8>, entry: Entry<'_>) {
    let place = seek(body, entry).at;
    let member_bytes = entry.1.len();
    let added_bytes = member_bytes
        .saturating_add(varint_bytes(member_bytes as u64))
        .saturating_add(size_of::<f64>());
    reserve(body, added_bytes);
    put(body, entry);
    if let Some(tail) = body.get_mut(place..) {
        tail.rotate_right(added_bytes.min(tail.len()));
    }
}

/// Takes out the entry with this score and member; whether it was there.
pub(crate) fn remove(body: &mut Vec<u8>, entry: Entry<'_>) -> bool {
    let found = entry_at(body, seek(body, entry).at);
    let Some((at, _)) = found.filter(|(_, found)| order(*found, entry).is_eq()) else {
        return false;
    };
    body.drain(at);
    true
}

/// Where the score of this entry is, if it may become `score` where it stands: between the
/// entries before and after it, both of which there are.
pub(crate) fn place_to_rescore(body: &[u8], entry: Entry<'_>, score: f64) -> Option<usize> {
    let place = seek(body, entry);
    let (_, before) = entry_at(body, place.before?)?;
    let (range, found) = entry_at(body, place.at)?;
    let (_, after) = entry_at(body, range.end)?;
    let rescored = (score, entry.1);
    let stays = order(found, entry).is_eq()
        && order(before, rescored).is_lt()
        && order(rescored, after).is_lt();
    stays.then_some(place.at)
}

/// Writes another score at a [place](place_to_rescore).
pub(crate) fn rescore(body: &mut [u8], at: usize, score: f64) {
    let end = at.saturating_add(size_of::<f64>());
    if let Some(place) = body.get_mut(at..end) {
        place.copy_from_slice(&score.to_le_bytes());
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
