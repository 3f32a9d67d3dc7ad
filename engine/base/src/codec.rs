//! A bounds-checked little-endian reader over bytes that are not trusted, and
//! the matching writers.
//!
//! INVARIANT: no length read from the input is believed before it is compared
//! with what is left of the input, so nothing is ever allocated from it.

use thiserror::Error;

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The input ended early.
    #[error("needs {needed_bytes} bytes at offset {offset}, {left_bytes} are left")]
    Truncated {
        /// Where in the input.
        offset: usize,
        /// What the field takes.
        needed_bytes: usize,
        /// What is left.
        left_bytes: usize,
    },
    /// A variable-length number that does not fit 64 bits.
    #[error("overlong number at offset {offset}")]
    Overlong {
        /// Where in the input.
        offset: usize,
    },
    /// A field holds what it must not.
    #[error("invalid {field} at offset {offset}")]
    Invalid {
        /// Where in the input.
        offset: usize,
        /// Which field.
        field: &'static str,
    },
}

/// Reads fields one after another; every read says how far it got or why not.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn left_bytes(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    /// Whether everything was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left_bytes() == 0
    }

    /// All that is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    /// The error that `field`, just read, holds what it must not.
    #[must_use]
    pub const fn invalid(&self, field: &'static str) -> CodecError {
        CodecError::Invalid {
            offset: self.offset,
            field,
        }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if fewer are left.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let end = self.offset.saturating_add(count);
        let Some(taken) = self.bytes.get(self.offset..end) else {
            return Err(self.truncated(count));
        };
        self.offset = end;
        Ok(taken)
    }

    #[cold]
    const fn truncated(&self, needed_bytes: usize) -> CodecError {
        CodecError::Truncated {
            offset: self.offset,
            needed_bytes,
            left_bytes: self.left_bytes(),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Two bytes, little endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if fewer are left.
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes, little endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if fewer are left.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if fewer are left.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little endian, signed.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if fewer are left.
    #[inline]
    pub fn i64(&mut self) -> Result<i64, CodecError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A LEB128 number of one to ten bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end, [`CodecError::Overlong`] above
    /// 64 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, CodecError> {
        // Nearly all of them: lengths of small things.
        if let Some(&byte) = self.bytes.get(self.offset)
            && byte < 0x80
        {
            self.offset = self.offset.saturating_add(1);
            return Ok(u64::from(byte));
        }
        self.long_varint()
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, CodecError> {
        let start = self.offset;
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits.wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError::Overlong { offset: start })
    }

    /// A [`Reader::varint`] that counts bytes of the input still to come.
    ///
    /// # Errors
    /// As [`Reader::varint`], and [`CodecError::Truncated`] if fewer are left.
    #[inline]
    pub fn length(&mut self) -> Result<usize, CodecError> {
        let offset = self.offset;
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if length > self.left_bytes() {
            return Err(CodecError::Truncated {
                offset,
                needed_bytes: length,
                left_bytes: self.left_bytes(),
            });
        }
        Ok(length)
    }

    /// Bytes behind their [`Reader::length`].
    ///
    /// # Errors
    /// As [`Reader::length`].
    #[inline]
    pub fn length_prefixed(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.length()?;
        self.bytes(length)
    }
}

/// Appends `value` as LEB128: seven bits a byte, the lowest first.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`put_varint`] appends for `value`: 1 to 10.
#[must_use]
pub const fn varint_bytes(value: u64) -> usize {
    let bits = 64_u32.saturating_sub(value.leading_zeros());
    if bits == 0 {
        1
    } else {
        bits.div_ceil(7) as usize
    }
}

/// Appends the length of `bytes` as a varint, then the bytes.
pub fn put_length_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varint_reads_back_and_its_size_is_known(value in any::<u64>(), shift in 0..64_u32) {
            let value = value >> shift;
            let mut out = Vec::new();
            put_varint(&mut out, value);
            prop_assert_eq!(out.len(), varint_bytes(value));
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint().unwrap(), value);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::new(&bytes);
            while !reader.is_empty() {
                if reader.length_prefixed().is_err() {
                    break;
                }
            }
            prop_assert!(reader.offset() <= bytes.len());
        }
    }

    #[test]
    fn declared_length_above_the_input_is_refused() {
        let mut out = Vec::new();
        put_varint(&mut out, u64::MAX);
        out.push(7);
        assert!(matches!(
            Reader::new(&out).length_prefixed(),
            Err(CodecError::Truncated { left_bytes: 1, .. })
        ));
    }

    #[test]
    fn overlong_varint_is_refused() {
        assert_eq!(
            Reader::new(&[0xff; 11]).varint(),
            Err(CodecError::Overlong { offset: 0 })
        );
    }
}
