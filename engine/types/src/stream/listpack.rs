//! Listpacks, the packed lists that the nodes of a stream are.
//!
//! ```text
//! total bytes u32 LE | count u16 LE (65535: unknown) | elements | ff
//! element: encoding and data | their length, readable backwards (1 to 5 bytes)
//! ```
//!
//! Owns their bytes, which are those of Redis: a text that is an integer is kept as one. Does
//! not know what the elements mean. Pure; runs on any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::string::canonical_integer;
use std::borrow::Cow;

/// Bytes before the elements.
pub(super) const HEADER_BYTES: usize = 6;
const END: u8 = 0xff;
const UNKNOWN_COUNT: u16 = u16::MAX;

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element<'a> {
    Integer(i64),
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    /// The text it stands for.
    pub(super) fn text(self) -> Cow<'a, [u8]> {
        match self {
            Self::Integer(number) => {
                Cow::Owned(itoa::Buffer::new().format(number).as_bytes().to_vec())
            }
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }
}

/// An empty one.
pub(super) fn new() -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes.push(END);
    finish(&mut bytes, 0);
    bytes
}

/// Appends elements that `put` writes, `added` of them.
pub(super) fn append(bytes: &mut Vec<u8>, added: usize, put: impl FnOnce(&mut Vec<u8>)) {
    bytes.pop();
    put(bytes);
    bytes.push(END);
    finish(bytes, added);
}

/// Replaces the element at `at` by an integer.
pub(super) fn replace(bytes: &mut Vec<u8>, at: usize, number: i64) {
    let Some((_, next)) = element(bytes, at) else {
        return;
    };
    let mut encoded = Vec::with_capacity(10);
    put_integer(&mut encoded, number);
    bytes.splice(at..next, encoded);
    finish(bytes, 0);
}

/// Writes the header after a change.
fn finish(bytes: &mut [u8], added: usize) {
    let total = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let Some((header, _)) = bytes.split_first_chunk_mut::<HEADER_BYTES>() else {
        return;
    };
    let [.., low, high] = *header;
    let mut count = u16::from_le_bytes([low, high]);
    if count != UNKNOWN_COUNT {
        let more = usize::from(count).saturating_add(added);
        count = u16::try_from(more).unwrap_or(UNKNOWN_COUNT);
    }
    let [a, b, c, d] = total.to_le_bytes();
    let [low, high] = count.to_le_bytes();
    *header = [a, b, c, d, low, high];
}

/// The element at `at` and where the next is; `None` at the end, or for what is none.
pub(super) fn element(bytes: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let rest = bytes.get(at..)?;
    let (first, after) = rest.split_first()?;
    let (head_bytes, data_bytes) = match *first {
        0..=0x7f => (1_usize, 0_usize),
        0x80..=0xbf => (1, usize::from(first & 0x3f)),
        0xc0..=0xdf => (2, 0),
        0xe0..=0xef => (
            2,
            usize::from(first & 0x0f) << 8 | usize::from(*after.first()?),
        ),
        0xf0 => {
            let length = u32::from_le_bytes(*after.first_chunk()?);
            (5, usize::try_from(length).ok()?)
        }
        0xf1 => (3, 0),
        0xf2 => (4, 0),
        0xf3 => (5, 0),
        0xf4 => (9, 0),
        _ => return None,
    };
    let data = rest.get(head_bytes..head_bytes.checked_add(data_bytes)?)?;
    let element = match *first {
        0..=0x7f => Element::Integer(i64::from(*first)),
        0xc0..=0xdf => {
            // 13 bits in two's complement: moved to the top of 16 and back.
            let raw = u16::from_be_bytes([first & 0x1f, *after.first()?]);
            let number = i16::from_le_bytes(raw.wrapping_shl(3).to_le_bytes()).wrapping_shr(3);
            Element::Integer(i64::from(number))
        }
        0xf1 => Element::Integer(i64::from(i16::from_le_bytes(*after.first_chunk()?))),
        0xf2 => {
            let [low, middle, high] = *after.first_chunk()?;
            let number = i32::from_le_bytes([0, low, middle, high]).wrapping_shr(8);
            Element::Integer(i64::from(number))
        }
        0xf3 => Element::Integer(i64::from(i32::from_le_bytes(*after.first_chunk()?))),
        0xf4 => Element::Integer(i64::from_le_bytes(*after.first_chunk()?)),
        _ => Element::Bytes(data),
    };
    let length = head_bytes.checked_add(data_bytes)?;
    let next = at
        .checked_add(length)?
        .checked_add(backward_bytes(length))?;
    (next <= bytes.len()).then_some((element, next))
}

/// Where the element begins that ends at `end`; `None` for the first and for what is none.
pub(super) fn before(bytes: &[u8], end: usize) -> Option<usize> {
    let elements = bytes.get(HEADER_BYTES..end)?;
    let mut length = 0_usize;
    for (width, byte) in (1_usize..=5).zip(elements.iter().rev()) {
        let shift = u32::try_from(width.wrapping_sub(1)).ok()?.wrapping_mul(7);
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            let begin = elements.len().checked_sub(length.checked_add(width)?)?;
            return begin.checked_add(HEADER_BYTES);
        }
    }
    None
}

/// The integer at `at` and where the next element is.
pub(super) fn integer(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    match element(bytes, at)? {
        (Element::Integer(number), next) => Some((number, next)),
        (Element::Bytes(_), _) => None,
    }
}

/// Appends an integer.
pub(super) fn put_integer(out: &mut Vec<u8>, number: i64) {
    let start = out.len();
    let bytes = number.to_le_bytes();
    let [low, high, ..] = bytes;
    match number {
        0..=127 => out.push(low),
        -4096..=4095 => out.extend_from_slice(&[0xc0 | high & 0x1f, low]),
        _ => {
            let (encoding, width) = match number {
                -0x8000..=0x7fff => (0xf1, 2),
                -0x80_0000..=0x7f_ffff => (0xf2, 3),
                -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
                _ => (0xf4, 8),
            };
            out.push(encoding);
            out.extend(bytes.into_iter().take(width));
        }
    }
    put_backward(out, start);
}

/// Appends a text, as an integer if it is one.
pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    if let Some(number) = canonical_integer(text) {
        return put_integer(out, number);
    }
    let start = out.len();
    let [low, high, ..] = text.len().to_le_bytes();
    match text.len() {
        0..64 => out.push(0x80 | low),
        64..4096 => out.extend_from_slice(&[0xe0 | high & 0x0f, low]),
        length => {
            out.push(0xf0);
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
    out.extend_from_slice(text);
    put_backward(out, start);
}

/// Bytes of an element's length behind it: seven bits each.
const fn backward_bytes(length: usize) -> usize {
    match length {
        0..=0x7f => 1,
        0x80..=0x3ffe => 2,
        0x3fff..=0x1f_fffe => 3,
        0x1f_ffff..=0xfff_fffe => 4,
        _ => 5,
    }
}

/// Appends the length of the element that begins at `start`, the highest bits first, all but
/// the first byte with their top bit set.
fn put_backward(out: &mut Vec<u8>, start: usize) {
    let length = out.len().saturating_sub(start);
    put_length(out, length);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let bytes = backward_bytes(length);
    for place in (0..bytes).rev() {
        let shift = u32::try_from(place).unwrap_or(0).saturating_mul(7);
        let [low, ..] = length.wrapping_shr(shift).to_le_bytes();
        let mark = if place.saturating_add(1) == bytes {
            0
        } else {
            0x80
        };
        out.push(low & 0x7f | mark);
    }
}

/// Whether `bytes` are a whole listpack, its lengths and count included.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let Some(([a, b, c, d, low, high], _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return false;
    };
    if usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok() != Some(bytes.len()) {
        return false;
    }
    let (mut at, mut count) = (HEADER_BYTES, 0_usize);
    while let Some((_, next)) = element(bytes, at) {
        let whole = bytes.get(at..next).unwrap_or_default();
        // The width of the length decides where it begins.
        let parts = (1..=5).find_map(|width| {
            let length = whole.len().checked_sub(width)?;
            whole
                .split_at_checked(length)
                .filter(|_| backward_bytes(length) == width)
        });
        let Some((data, backward)) = parts else {
            return false;
        };
        let mut expected = Vec::with_capacity(5);
        put_length(&mut expected, data.len());
        if expected != backward {
            return false;
        }
        at = next;
        count = count.saturating_add(1);
    }
    let stored = u16::from_le_bytes([*low, *high]);
    let is_counted = stored == UNKNOWN_COUNT || usize::from(stored) == count;
    is_counted && bytes.get(at..) == Some(&[END])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn elements_read_back_at_every_width() {
        let numbers = [
            0,
            127,
            128,
            4095,
            4096,
            -1,
            -4096,
            -4097,
            32767,
            -32768,
            32768,
            8_388_607,
            -8_388_608,
            8_388_608,
            i64::from(i32::MAX),
            i64::from(i32::MIN),
            i64::MAX,
            i64::MIN,
        ];
        let texts = [
            "",
            "a",
            "007",
            "-0",
            &"x".repeat(63),
            &"x".repeat(64),
            &"x".repeat(4096),
        ];
        let long = "y".repeat(20_000);
        let mut bytes = new();
        for number in numbers {
            append(&mut bytes, 1, |out| {
                put_text(out, number.to_string().as_bytes());
            });
        }
        for text in texts.iter().copied().chain([long.as_str()]) {
            append(&mut bytes, 1, |out| put_text(out, text.as_bytes()));
        }
        assert!(is_whole(&bytes));
        let mut at = HEADER_BYTES;
        for number in numbers {
            let (found, next) = integer(&bytes, at).unwrap();
            assert_eq!(found, number);
            at = next;
        }
        for text in texts.iter().copied().chain([long.as_str()]) {
            let (found, next) = element(&bytes, at).unwrap();
            assert_eq!(found, Element::Bytes(text.as_bytes()));
            at = next;
        }
        assert_eq!(element(&bytes, at), None);
        let (mut forward, mut at) = (Vec::new(), HEADER_BYTES);
        while let Some((_, next)) = element(&bytes, at) {
            forward.push(at);
            at = next;
        }
        while let Some(begin) = before(&bytes, at) {
            assert_eq!(forward.pop(), Some(begin));
            at = begin;
        }
        assert_eq!((forward.len(), at), (0, HEADER_BYTES));
    }

    #[test]
    fn integers_are_replaced_and_damage_is_seen() {
        let mut bytes = new();
        append(&mut bytes, 2, |out| {
            put_integer(out, 5);
            put_text(out, b"text");
        });
        replace(&mut bytes, HEADER_BYTES, 100_000);
        assert!(is_whole(&bytes));
        assert_eq!(integer(&bytes, HEADER_BYTES).unwrap().0, 100_000);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x80;
            let same_text = damaged[..HEADER_BYTES + 1] == bytes[..HEADER_BYTES + 1];
            assert!(!is_whole(&damaged) || same_text, "{at}");
            assert!(!is_whole(&bytes[..at]));
        }
    }
}
