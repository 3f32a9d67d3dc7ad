//! The parts all RDB values are made of: lengths, numbers, and strings in
//! their plain, integer and LZF forms.
//!
//! ```text
//! 00xxxxxx                    6-bit length
//! 01xxxxxx x8                 14-bit length, big-endian
//! 10000000 x32 / 10000001 x64 32- or 64-bit length, big-endian
//! 110000tt                    string: i8, i16 LE, i32 LE, or LZF
//! ```
//!
//! Pure; runs on any thread. INVARIANT: a read never passes the end of the
//! payload, and an LZF string grows by what its own bytes produce, not by the
//! size it declares.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::RdbError;
use crate::number::integer_bytes;

pub(super) const LENGTH_14_BIT: u8 = 0x40;
pub(super) const LENGTH_32_BIT: u8 = 0x80;
pub(super) const LENGTH_64_BIT: u8 = 0x81;
pub(super) const STRING_I8: u8 = 0xc0;
pub(super) const STRING_I16: u8 = 0xc1;
pub(super) const STRING_I32: u8 = 0xc2;
pub(super) const STRING_LZF: u8 = 0xc3;

/// Reads the value part of a payload, or a listpack or ziplist within it.
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    offset: usize,
    limit_bytes: usize,
    left_in_limit: usize,
}

impl<'a> Decoder<'a> {
    /// Strings read will together take at most `limit_bytes`.
    pub(super) fn new(bytes: &'a [u8], limit_bytes: usize) -> Self {
        Self {
            bytes,
            offset: 0,
            limit_bytes,
            left_in_limit: limit_bytes,
        }
    }

    pub(super) fn bad(&self, expected: &'static str) -> RdbError {
        RdbError::BadFormat {
            offset: self.offset,
            expected,
        }
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offset == self.bytes.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], RdbError> {
        let end = self.offset.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.offset..end));
        let taken = taken.ok_or(self.bad("more bytes"))?;
        self.offset = self.offset.saturating_add(count);
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], RdbError> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.bad("more bytes"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, RdbError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u64(&mut self) -> Result<u64, RdbError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, RdbError> {
        self.array().map(i64::from_le_bytes)
    }

    /// Accounts for `count` decoded bytes.
    pub(super) fn charge(&mut self, count: usize) -> Result<(), RdbError> {
        let left = self.left_in_limit.checked_sub(count);
        self.left_in_limit = left.ok_or(RdbError::TooLarge {
            limit_bytes: self.limit_bytes,
        })?;
        Ok(())
    }

    /// A count or a number; string forms are refused.
    pub(super) fn length(&mut self) -> Result<u64, RdbError> {
        let first = self.u8()?;
        self.length_after(first)
    }

    fn length_after(&mut self, first: u8) -> Result<u64, RdbError> {
        match first {
            0..LENGTH_14_BIT => Ok(u64::from(first)),
            LENGTH_14_BIT..LENGTH_32_BIT => {
                Ok(u64::from(u16::from_be_bytes([first & 0x3f, self.u8()?])))
            }
            LENGTH_32_BIT => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            LENGTH_64_BIT => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(self.bad("a length")),
        }
    }

    fn usize_length(&mut self) -> Result<usize, RdbError> {
        let length = self.length()?;
        usize::try_from(length).map_err(|_| self.bad("a length in memory"))
    }

    /// A string in any of its forms, counted against the limit.
    pub(super) fn string(&mut self) -> Result<Vec<u8>, RdbError> {
        let string = self.string_up_to(self.limit_bytes)?;
        self.charge(string.len())?;
        Ok(string)
    }

    /// A string that is only the wrapping of a packed list: not counted against
    /// the limit, since its entries are. Entries of a byte or two take up to
    /// four times that packed, so a list over four times the limit and a page
    /// holds more than the limit in any case.
    pub(super) fn blob(&mut self) -> Result<Vec<u8>, RdbError> {
        self.string_up_to(self.limit_bytes.saturating_mul(4).saturating_add(4096))
    }

    /// A string that decompresses to at most `largest_bytes`.
    fn string_up_to(&mut self, largest_bytes: usize) -> Result<Vec<u8>, RdbError> {
        let first = self.u8()?;
        match first {
            STRING_I8 => Ok(integer_bytes(i64::from(i8::from_le_bytes(self.array()?)))),
            STRING_I16 => Ok(integer_bytes(i64::from(i16::from_le_bytes(self.array()?)))),
            STRING_I32 => Ok(integer_bytes(i64::from(i32::from_le_bytes(self.array()?)))),
            STRING_LZF => {
                let compressed_bytes = self.usize_length()?;
                let size_bytes = self.usize_length()?;
                let compressed = self.take(compressed_bytes)?;
                if size_bytes > largest_bytes {
                    return Err(RdbError::TooLarge {
                        limit_bytes: self.limit_bytes,
                    });
                }
                decompress(compressed, size_bytes).ok_or(self.bad("an LZF string"))
            }
            _ => {
                let length = self.length_after(first)?;
                let length = usize::try_from(length).map_err(|_| self.bad("a length in memory"))?;
                Ok(self.take(length)?.to_vec())
            }
        }
    }
}

/// Undoes LZF; `None` unless exactly `size_bytes` come out. Grows with what was
/// really produced: one control byte yields 264 bytes at most.
///
/// ```text
/// 000lllll                    l+1 literal bytes follow
/// lllooooo o8                 copy l+2 bytes from o+1 bytes back (l = 1..6)
/// 111ooooo l8 o8              the same with l = 7 + l8
/// ```
pub(super) fn decompress(compressed: &[u8], size_bytes: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::new();
    let mut rest = compressed;
    while let Some((control, after)) = rest.split_first() {
        rest = after;
        let control = usize::from(*control);
        if control < 32 {
            let (literal, after) = rest.split_at_checked(control.checked_add(1)?)?;
            out.extend_from_slice(literal);
            rest = after;
        } else {
            let mut length = control.checked_shr(5)?;
            if length == 7 {
                let (more, after) = rest.split_first()?;
                length = length.checked_add(usize::from(*more))?;
                rest = after;
            }
            let (low, after) = rest.split_first()?;
            rest = after;
            let distance = (control & 31)
                .checked_mul(256)?
                .checked_add(usize::from(*low))?;
            let mut from = out.len().checked_sub(distance.checked_add(1)?)?;
            // Byte by byte: the copy may overlap what it writes.
            for _ in 0..length.checked_add(2)? {
                out.push(*out.get(from)?);
                from = from.checked_add(1)?;
            }
        }
        if out.len() > size_bytes {
            return None;
        }
    }
    (out.len() == size_bytes).then_some(out)
}
