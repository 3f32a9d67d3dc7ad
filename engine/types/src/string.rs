//! Strings: how `OBJECT ENCODING` names them and how `APPEND` and `SETRANGE`
//! change their bytes.
//!
//! Owns no storage: a string is its bytes. Does not know forms or keys. Runs on
//! whichever thread holds the shard.
//!
//! INVARIANT: no string grows above [`STRING_MAX_BYTES`].

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::value::TypeError;
use thermocline_base::limits::STRING_MAX_BYTES;

/// The longest string that `OBJECT ENCODING` calls `embstr`, in bytes.
pub const EMBEDDED_MAX_BYTES: usize = 44;

/// The integer whose canonical decimal form `bytes` are, if they are one of 64
/// bits: no plus, no leading zero, no `-0`.
#[must_use]
pub fn canonical_integer(bytes: &[u8]) -> Option<i64> {
    let number: i64 = str::from_utf8(bytes.get(..bytes.len().min(21))?)
        .ok()?
        .parse()
        .ok()?;
    (itoa::Buffer::new().format(number).as_bytes() == bytes).then_some(number)
}

/// The encoding name of a string that was set whole.
pub(crate) fn encoding_name(bytes: &[u8]) -> &'static str {
    if canonical_integer(bytes).is_some() {
        "int"
    } else if bytes.len() <= EMBEDDED_MAX_BYTES {
        "embstr"
    } else {
        "raw"
    }
}

/// The length after appending, checked.
pub(crate) fn appended_bytes(current: usize, added: usize) -> Result<usize, TypeError> {
    bounded(current.saturating_add(added))
}

/// The length after writing `added` bytes at `offset`, checked.
pub(crate) fn ranged_bytes(current: usize, offset: u64, added: usize) -> Result<usize, TypeError> {
    if added == 0 {
        return Ok(current);
    }
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    Ok(bounded(offset.saturating_add(added))?.max(current))
}

/// `bytes` if a string, a field or a value may be that long.
pub(crate) const fn bounded(bytes: usize) -> Result<usize, TypeError> {
    if bytes > STRING_MAX_BYTES {
        return Err(TypeError::TooLarge { bytes });
    }
    Ok(bytes)
}

/// Writes `added` at `offset`, filling a gap with zeros. Writing nothing
/// changes nothing, whatever the offset.
pub(crate) fn set_range(bytes: &mut Vec<u8>, offset: u64, added: &[u8]) -> Result<(), TypeError> {
    let length = ranged_bytes(bytes.len(), offset, added.len())?;
    bytes.resize(length, 0);
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    if let Some(place) = bytes.get_mut(start..start.saturating_add(added.len())) {
        place.copy_from_slice(added);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_are_int() {
        for (text, name) in [
            ("0", "int"),
            ("-1", "int"),
            ("9223372036854775807", "int"),
            ("-9223372036854775808", "int"),
            ("9223372036854775808", "embstr"),
            ("+1", "embstr"),
            ("01", "embstr"),
            ("-0", "embstr"),
            (" 1", "embstr"),
            ("", "embstr"),
        ] {
            assert_eq!(encoding_name(text.as_bytes()), name, "{text:?}");
        }
        assert_eq!(encoding_name(&[b'x'; 44]), "embstr");
        assert_eq!(encoding_name(&[b'x'; 45]), "raw");
        assert_eq!(encoding_name(&[b'1'; 45]), "raw");
    }

    #[test]
    fn ranges_pad_with_zeros_and_are_bounded() {
        let mut bytes = b"ab".to_vec();
        set_range(&mut bytes, 4, b"xy").expect("is small");
        assert_eq!(bytes, b"ab\0\0xy");
        set_range(&mut bytes, 1, b"Z").expect("is small");
        assert_eq!(bytes, b"aZ\0\0xy");
        set_range(&mut bytes, u64::MAX, b"").expect("changes nothing");
        assert_eq!(bytes, b"aZ\0\0xy");
        let too_far = STRING_MAX_BYTES as u64;
        assert!(set_range(&mut bytes, too_far, b"x").is_err());
        assert!(set_range(&mut bytes, u64::MAX, b"x").is_err());
        assert_eq!(bytes.len(), 6);
    }
}
