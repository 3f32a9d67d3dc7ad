//! The entries of a hash as bytes, one after another, and the packed hash made
//! of them: what a small hash is in memory, in the log and on disk.
//!
//! Owns the layout of an entry (`FORMAT.md`, "Hash entry"). Does not know
//! hashing, limits or the clock. Runs on whichever thread holds the shard.
//!
//! INVARIANT: a body that passed [`PackedHash::check`] decodes to its last
//! byte, holds as many entries as its count says and no field twice. A body
//! that did not is still safe to walk: walking ends at the first bad entry.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::HashEntry;
use std::ops::Range;
use thermocline_base::codec::{put_length_prefixed, put_varint, varint_bytes};
use thermocline_base::{CodecError, Reader, UnixMillis};

/// Flag bit of an entry that carries an expiry.
const FLAG_EXPIRY: u8 = 1;

/// Up to this many fields are compared pairwise when looking for duplicates;
/// more are sorted first.
const PAIRWISE_FIELDS: usize = 16;

/// Appends one entry.
pub(crate) fn put_entry(out: &mut Vec<u8>, (field, value, expiry): HashEntry<'_>) {
    out.push(if expiry.is_some() { FLAG_EXPIRY } else { 0 });
    put_length_prefixed(out, field);
    put_length_prefixed(out, value);
    if let Some(expiry) = expiry {
        out.extend_from_slice(&expiry.0.to_le_bytes());
    }
}

/// Reads one entry.
#[inline]
pub(crate) fn next_entry<'a>(reader: &mut Reader<'a>) -> Result<HashEntry<'a>, CodecError> {
    let flags = reader.u8()?;
    if flags & !FLAG_EXPIRY != 0 {
        return Err(reader.invalid("hash entry flags"));
    }
    let field = reader.length_prefixed()?;
    let value = reader.length_prefixed()?;
    let expiry = if flags & FLAG_EXPIRY == 0 {
        None
    } else {
        Some(UnixMillis(reader.i64()?))
    };
    Ok((field, value, expiry))
}

/// Walks the entries of a body, each with the range of its bytes.
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
    type Item = (Range<usize>, HashEntry<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let start = self.reader.offset();
        let entry = next_entry(&mut self.reader).ok()?;
        Some((start..self.reader.offset(), entry))
    }
}

/// The entry of `field` in `body`.
pub(crate) fn find<'a>(body: &'a [u8], field: &[u8]) -> Option<(Range<usize>, HashEntry<'a>)> {
    let mut at = 0_usize;
    loop {
        let rest = body.get(at..).filter(|rest| !rest.is_empty())?;
        if let Some(passed_bytes) = passed(rest, field) {
            at = at.saturating_add(passed_bytes);
            continue;
        }
        let mut reader = Reader::new(rest);
        let entry = next_entry(&mut reader).ok()?;
        let end = at.saturating_add(reader.offset());
        if entry.0 == field {
            return Some((at..end, entry));
        }
        at = end;
    }
}

/// The bytes of the first entry, if they are easily counted and its field is another one:
/// names of one hash often have one length and begin alike, so ends tell most apart.
#[inline]
fn passed(rest: &[u8], field: &[u8]) -> Option<usize> {
    let (flags, field_bytes) = (*rest.first()?, *rest.get(1)?);
    let value_at = usize::from(field_bytes).wrapping_add(2);
    let value_bytes = *rest.get(value_at)?;
    if flags > FLAG_EXPIRY || (field_bytes | value_bytes) >= 0x80 {
        return None;
    }
    let may_be_it = usize::from(field_bytes) == field.len()
        && (field.is_empty() || rest.get(value_at.wrapping_sub(1)) == field.last());
    let expiry_bytes = usize::from(flags).wrapping_mul(8);
    let end = value_at
        .wrapping_add(1)
        .wrapping_add(usize::from(value_bytes))
        .wrapping_add(expiry_bytes);
    (!may_be_it && end <= rest.len()).then_some(end)
}

/// What [`set`] and [`remove`] took out of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    /// The bytes its entry took.
    pub(crate) entry_bytes: usize,
    /// Its expiry.
    pub(crate) expiry: Option<UnixMillis>,
}

/// Makes room for so many more bytes at the end.
pub(crate) fn reserve(body: &mut Vec<u8>, added_bytes: usize) {
    if body.capacity().saturating_sub(body.len()) < added_bytes {
        // An eighth of slack: a node is small, so doubling would waste more
        // memory than the copies it saves.
        body.reserve_exact(added_bytes.saturating_add(body.len() >> 3));
    }
}

/// Appends `entry`, whose field is not there; the bytes it takes.
pub(crate) fn append(body: &mut Vec<u8>, entry: HashEntry<'_>) -> usize {
    let before = body.len();
    reserve(body, entry_bytes(entry));
    put_entry(body, entry);
    body.len().saturating_sub(before)
}

/// The bytes that an entry takes.
fn entry_bytes((field, value, expiry): HashEntry<'_>) -> usize {
    let prefixed = |bytes: &[u8]| bytes.len().saturating_add(varint_bytes(bytes.len() as u64));
    let expiry_bytes = if expiry.is_some() { 8 } else { 0 };
    prefixed(field)
        .saturating_add(prefixed(value))
        .saturating_add(expiry_bytes)
        .saturating_add(1)
}

/// Puts `entry` in the place of the one with its field, or at the end.
pub(crate) fn set(body: &mut Vec<u8>, entry: HashEntry<'_>) -> Option<Removed> {
    let Some((at, (.., expiry))) = find(body, entry.0) else {
        append(body, entry);
        return None;
    };
    let removed = Removed {
        entry_bytes: at.len(),
        expiry,
    };
    let added_bytes = entry_bytes(entry);
    // The new one is written at the end and moved to its place from there:
    // nothing is allocated but for what the body grows by.
    let end = body.len();
    reserve(body, added_bytes);
    put_entry(body, entry);
    if added_bytes == at.len() {
        body.copy_within(end.., at.start);
        body.truncate(end);
    } else {
        if let Some(tail) = body.get_mut(at.start..) {
            tail.rotate_right(added_bytes);
        }
        let start = at.start.saturating_add(added_bytes);
        body.drain(start..start.saturating_add(at.len()));
    }
    Some(removed)
}

/// Takes out the entry of `field`.
pub(crate) fn remove(body: &mut Vec<u8>, field: &[u8]) -> Option<Removed> {
    let (at, (_, _, expiry)) = find(body, field)?;
    let entry_bytes = at.len();
    body.drain(at);
    Some(Removed {
        entry_bytes,
        expiry,
    })
}

/// A packed hash read in place: its count, then its entries in the order they
/// were first set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedHash<'a> {
    count: usize,
    body: &'a [u8],
}

impl<'a> PackedHash<'a> {
    /// Reads the count only; the entries are trusted to have been checked.
    /// Unreadable bytes give an empty hash.
    #[must_use]
    pub fn trusted(bytes: &'a [u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let count = reader.varint().unwrap_or_default();
        Self {
            count: usize::try_from(count).unwrap_or_default(),
            body: reader.rest(),
        }
    }

    /// Reads and checks every entry, the count, and that no field stands twice.
    ///
    /// # Errors
    /// [`CodecError`], with the offset of the fault in `bytes`.
    pub fn check(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let count = reader.varint()?;
        let body = reader.rest();
        let mut fields = Vec::new();
        while !reader.is_empty() {
            fields.push(next_entry(&mut reader)?.0);
        }
        if fields.len() as u64 != count {
            return Err(reader.invalid("hash field count"));
        }
        let entries = fields.len();
        if has_duplicate(fields) {
            return Err(reader.invalid("hash field, it stands twice"));
        }
        Ok(Self {
            count: entries,
            body,
        })
    }

    /// How many fields it holds, expired ones included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds no field.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries' bytes, without the count.
    #[must_use]
    pub(crate) const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Appends the serialised hash of `count` entries whose bytes are `body`.
    pub(crate) fn put(out: &mut Vec<u8>, count: usize, body: &[u8]) {
        put_varint(out, count as u64);
        out.extend_from_slice(body);
    }
}

/// The bytes of a small collection: how many entries, then the body of them.
pub(crate) fn with_count(count: usize, mut body: Vec<u8>) -> Vec<u8> {
    let end = body.len();
    put_varint(&mut body, count as u64);
    let count_bytes = body.len().saturating_sub(end);
    body.rotate_right(count_bytes);
    body
}

/// Whether two of them are the same.
pub(crate) fn has_duplicate(mut fields: Vec<&[u8]>) -> bool {
    if fields.len() <= PAIRWISE_FIELDS {
        let mut left = fields.as_slice();
        while let Some((first, rest)) = left.split_first() {
            if rest.contains(first) {
                return true;
            }
            left = rest;
        }
        return false;
    }
    fields.sort_unstable();
    fields
        .iter()
        .zip(fields.iter().skip(1))
        .any(|(one, next)| one == next)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn packed(entries: &[HashEntry<'_>]) -> Vec<u8> {
        let mut body = Vec::new();
        for entry in entries {
            put_entry(&mut body, *entry);
        }
        let mut out = Vec::new();
        PackedHash::put(&mut out, entries.len(), &body);
        out
    }

    #[test]
    fn bytes_are_as_format_md_rules_them() {
        let bytes = packed(&[
            (b"f", b"vw", None),
            (b"", b"x", Some(UnixMillis(0x0102_0304_0506_0708))),
        ]);
        let ruled = [
            2, 0, 1, b'f', 2, b'v', b'w', 1, 0, 1, b'x', 8, 7, 6, 5, 4, 3, 2, 1,
        ];
        assert_eq!(bytes, ruled);
        assert_eq!(PackedHash::check(&bytes).map(|hash| hash.len()), Ok(2));
    }

    #[test]
    fn duplicates_and_wrong_counts_are_refused() {
        assert!(PackedHash::check(&packed(&[(b"a", b"", None), (b"a", b"", None)])).is_err());
        let names: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        let mut entries: Vec<HashEntry<'_>> = names
            .iter()
            .map(|name| (name.as_bytes(), &b""[..], None))
            .collect();
        assert!(PackedHash::check(&packed(&entries)).is_ok());
        entries.push((b"7", b"", None));
        assert!(PackedHash::check(&packed(&entries)).is_err());
        let mut wrong = packed(&[(b"a", b"", None)]);
        wrong[0] = 2;
        assert!(PackedHash::check(&wrong).is_err());
    }

    #[test]
    fn set_replaces_in_place_and_remove_closes_the_gap() {
        let mut body = Vec::new();
        assert_eq!(set(&mut body, (b"a", b"1", None)), None);
        assert_eq!(set(&mut body, (b"b", b"2", Some(UnixMillis(5)))), None);
        assert!(set(&mut body, (b"a", b"longer", None)).is_some());
        assert_eq!(
            remove(&mut body, b"b").map(|removed| removed.expiry),
            Some(Some(UnixMillis(5)))
        );
        assert_eq!(remove(&mut body, b"b"), None);
        let left: Vec<_> = Entries::new(&body).map(|(_, entry)| entry).collect();
        assert_eq!(left, [(&b"a"[..], &b"longer"[..], None)]);
    }
}
