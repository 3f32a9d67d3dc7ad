//! The entries of a listpack, one after another: how lists keep their elements
//! in memory, in the log, on disk and in RDB files.
//!
//! ```text
//! entry: encoding and data | their length, readable backwards (1 to 5 bytes)
//! ```
//!
//! Owns one entry and the walks over a body of them, both ways. Does not know
//! counts, headers or end marks. Pure; runs on any thread.
//!
//! INVARIANT: text that is a canonical 64-bit integer is always an integer
//! entry, so two entries are equal exactly if their elements are. A walk over
//! bytes that are no listpack ends early; it never panics.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::number::parse_integer;
use std::ops::Range;
use thermocline_base::{CodecError, Reader};

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// Text that is no canonical integer.
    Bytes(&'a [u8]),
    /// An integer, in decimal to a client.
    Integer(i64),
}

impl<'a> Element<'a> {
    /// The element of this text.
    #[must_use]
    pub fn of(text: &'a [u8]) -> Self {
        parse_integer(text).map_or(Self::Bytes(text), Self::Integer)
    }

    /// Calls `use_it` with the text.
    pub fn with_text<T>(&self, use_it: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Bytes(bytes) => use_it(bytes),
            Self::Integer(value) => use_it(itoa::Buffer::new().format(*value).as_bytes()),
        }
    }

    /// The text.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.with_text(<[u8]>::to_vec)
    }
}

/// Appends the entry of `text`.
pub(crate) fn put(out: &mut Vec<u8>, text: &[u8]) {
    let start = out.len();
    match Element::of(text) {
        Element::Integer(value) => put_integer(out, value),
        Element::Bytes(_) => {
            let [low, high, ..] = text.len().to_le_bytes();
            match text.len() {
                0..=0x3f => out.push(0x80 | low),
                0x40..=0xfff => out.extend_from_slice(&[0xe0 | high, low]),
                length => {
                    out.push(0xf0);
                    // Strings end below 2^32 bytes: see `STRING_MAX_BYTES`.
                    let length = u32::try_from(length).unwrap_or(u32::MAX);
                    out.extend_from_slice(&length.to_le_bytes());
                }
            }
            out.extend_from_slice(text);
        }
    }
    let length = out.len().saturating_sub(start);
    put_backward_length(out, length);
}

fn put_integer(out: &mut Vec<u8>, value: i64) {
    let bytes = value.to_le_bytes();
    let (encoding, width) = match value {
        0..=127 => return out.push(bytes[0]),
        -4096..=4095 => {
            let [low, high, ..] = bytes;
            return out.extend_from_slice(&[0xc0 | (high & 0x1f), low]);
        }
        -0x8000..=0x7fff => (0xf1, 2),
        -0x80_0000..=0x7f_ffff => (0xf2, 3),
        -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
        _ => (0xf4, 8),
    };
    out.push(encoding);
    out.extend_from_slice(bytes.get(..width).unwrap_or_default());
}

/// How many bytes the backward length of so long an entry takes.
const fn backward_length_bytes(length: usize) -> usize {
    match length {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        0x20_0000..=0xfff_ffff => 4,
        _ => 5,
    }
}

/// Seven bits a byte, the highest first, every byte but the first with its top
/// bit set: it reads from its last byte.
fn put_backward_length(out: &mut Vec<u8>, length: usize) {
    let count = backward_length_bytes(length);
    for group in (0..count).rev() {
        let shift = u32::try_from(group.saturating_mul(7)).unwrap_or(0);
        let bits = length.wrapping_shr(shift).to_le_bytes()[0] & 0x7f;
        let is_first = group.saturating_add(1) == count;
        out.push(if is_first { bits } else { bits | 0x80 });
    }
}

/// How many bytes the entry of `text` takes.
#[must_use]
pub(crate) fn entry_bytes(text: &[u8]) -> usize {
    let data = match Element::of(text) {
        Element::Integer(0..=127) => 1,
        Element::Integer(-4096..=4095) => 2,
        Element::Integer(-0x8000..=0x7fff) => 3,
        Element::Integer(-0x80_0000..=0x7f_ffff) => 4,
        Element::Integer(-0x8000_0000..=0x7fff_ffff) => 5,
        Element::Integer(_) => 9,
        Element::Bytes(_) => text.len().saturating_add(match text.len() {
            0..=0x3f => 1,
            0x40..=0xfff => 2,
            _ => 5,
        }),
    };
    data.saturating_add(backward_length_bytes(data))
}

/// Reads one entry, checking its backward length.
pub(crate) fn next<'a>(reader: &mut Reader<'a>) -> Result<Element<'a>, CodecError> {
    let start = reader.offset();
    let element = next_data(reader)?;
    let length = reader.offset().saturating_sub(start);
    let mut expected = Vec::new();
    put_backward_length(&mut expected, length);
    if reader.bytes(expected.len())? != expected {
        return Err(reader.invalid("listpack entry's length"));
    }
    Ok(element)
}

#[inline]
fn next_data<'a>(reader: &mut Reader<'a>) -> Result<Element<'a>, CodecError> {
    let first = reader.u8()?;
    Ok(match first {
        0..=0x7f => Element::Integer(i64::from(first)),
        0x80..=0xbf => Element::Bytes(reader.bytes(usize::from(first & 0x3f))?),
        0xc0..=0xdf => {
            // 13 bits in two's complement: moved to the top of 16 and back.
            let raw = u16::from_be_bytes([first & 0x1f, reader.u8()?]).wrapping_shl(3);
            let value = i16::from_le_bytes(raw.to_le_bytes()).wrapping_shr(3);
            Element::Integer(i64::from(value))
        }
        0xe0..=0xef => {
            let length = u16::from_be_bytes([first & 0x0f, reader.u8()?]);
            Element::Bytes(reader.bytes(usize::from(length))?)
        }
        0xf0 => {
            let length = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
            Element::Bytes(reader.bytes(length)?)
        }
        0xf1 => Element::Integer(i64::from(reader.u16()?.cast_signed())),
        0xf2 => {
            let [low, middle, high] = [reader.u8()?, reader.u8()?, reader.u8()?];
            let raw = i32::from_le_bytes([0, low, middle, high]);
            Element::Integer(i64::from(raw.wrapping_shr(8)))
        }
        0xf3 => Element::Integer(i64::from(reader.u32()?.cast_signed())),
        0xf4 => Element::Integer(reader.i64()?),
        _ => return Err(reader.invalid("listpack encoding")),
    })
}

/// The entry that ends at `end`, and where it starts.
fn entry_before(body: &[u8], end: usize) -> Option<(usize, Element<'_>)> {
    let (mut length, mut shift, mut at) = (0_usize, 0_u32, end);
    loop {
        at = at.checked_sub(1)?;
        let byte = *body.get(at)?;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            break;
        }
        shift = shift.checked_add(7).filter(|shift| *shift <= 28)?;
    }
    let start = at.checked_sub(length)?;
    let mut reader = Reader::new(body.get(start..at)?);
    let element = next_data(&mut reader).ok()?;
    reader.is_empty().then_some((start, element))
}

/// Walks the entries of a body from both ends, each with the range of its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a> {
    body: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Entries<'a> {
    /// A walk over all of `body`.
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self {
            body,
            start: 0,
            end: body.len(),
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Range<usize>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.start >= self.end {
            return None;
        }
        let mut reader = Reader::new(self.body.get(self.start..self.end)?);
        let element = next_data(&mut reader).ok()?;
        let length = reader.offset();
        let start = self.start;
        self.start = start
            .checked_add(length)?
            .checked_add(backward_length_bytes(length))?;
        Some((start..self.start, element))
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.start >= self.end {
            return None;
        }
        let (start, element) = entry_before(self.body, self.end)?;
        let end = std::mem::replace(&mut self.end, start);
        Some((start..end, element))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<i64>().prop_map(|value| value.to_string().into_bytes()),
            (any::<i64>(), 0..64_u32).prop_map(|(value, by)| (value >> by).to_string().into()),
            proptest::collection::vec(any::<u8>(), 0..80),
            (0..5000_usize).prop_map(|length| vec![b'x'; length]),
        ]
    }

    proptest! {
        #[test]
        fn entries_read_back_from_both_ends(
            texts in proptest::collection::vec(texts(), 0..12),
            from_the_front in proptest::collection::vec(any::<bool>(), 12),
        ) {
            let mut body = Vec::new();
            for text in &texts {
                let before = body.len();
                put(&mut body, text);
                prop_assert_eq!(body.len() - before, entry_bytes(text));
            }
            let mut reader = Reader::new(&body);
            for text in &texts {
                prop_assert_eq!(&next(&mut reader).unwrap().to_vec(), text);
            }
            prop_assert!(reader.is_empty());
            let mut left = texts.iter();
            let mut entries = Entries::new(&body);
            for front in from_the_front {
                let (expected, found) = if front {
                    (left.next(), entries.next())
                } else {
                    (left.next_back(), entries.next_back())
                };
                prop_assert_eq!(expected.cloned(), found.map(|(_, element)| element.to_vec()));
            }
            prop_assert_eq!(entries.next(), None);
        }

        #[test]
        fn any_bytes_can_be_walked(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let forwards = Entries::new(&body).take(100).count();
            let backwards = Entries::new(&body).rev().take(100).count();
            prop_assert!(forwards <= body.len() && backwards <= body.len());
            let mut reader = Reader::new(&body);
            while !reader.is_empty() && next(&mut reader).is_ok() {}
        }
    }

    #[test]
    fn entries_are_as_the_reference_writes_them() {
        let mut body = Vec::new();
        for text in [&b"5"[..], b"-1", b"300", b"40000", b"a", b"007", b""] {
            put(&mut body, text);
        }
        let ruled = [
            5, 1, 0xdf, 0xff, 2, 0xc1, 0x2c, 2, 0xf2, 0x40, 0x9c, 0, 4, 0x81, b'a', 2, 0x83, b'0',
            b'0', b'7', 4, 0x80, 1,
        ];
        assert_eq!(body, ruled);
    }
}
