//! Bit offsets, and the operations of BITFIELD.
//!
//! Owns their syntax. Pure functions, called by any thread.

use super::{is, parse_integer};
use crate::error::{BitsError, CommandError};

/// An offset in bits, below eight times `string_max_bytes`; with a `width` it may be a number
/// of integers of so many bits, with `#` in front.
///
/// # Errors
/// [`BitsError::InvalidOffset`].
pub fn parse_bit_offset(
    bytes: &[u8],
    width: Option<u8>,
    string_max_bytes: usize,
) -> Result<u64, CommandError> {
    let (digits, unit) = match (bytes, width) {
        ([b'#', digits @ ..], Some(width)) => (digits, width),
        _ => (bytes, 1),
    };
    let offset = parse_integer(digits).ok();
    let offset = offset.and_then(|offset| offset.checked_mul(unit.into()));
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    let offset = offset.filter(|offset| offset >> 3 < string_max_bytes as u64);
    offset.ok_or(BitsError::InvalidOffset.into())
}

/// An integer of 1 to 64 bits inside of a string; an unsigned one has at most 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    /// Whether it has a sign.
    pub is_signed: bool,
    /// How many bits.
    pub bits: u8,
}

/// What happens to a result that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Its low bits stay.
    Wrap,
    /// It becomes the nearest that fits.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// What is done with one integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldAction {
    /// It is read.
    Get,
    /// It is replaced; its old value is the reply.
    Set(i64, Overflow),
    /// It is added to; its new value is the reply.
    Increment(i64, Overflow),
}

/// One operation of BITFIELD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldOperation {
    /// Which integer.
    pub field: FieldType,
    /// Where it begins, in bits.
    pub offset: u64,
    /// What is done.
    pub action: FieldAction,
}

fn parse_field_type(bytes: &[u8]) -> Result<FieldType, CommandError> {
    let (is_signed, digits, most) = match bytes {
        [b'i', digits @ ..] => (true, digits, 64),
        [b'u', digits @ ..] => (false, digits, 63),
        _ => return Err(BitsError::InvalidFieldType.into()),
    };
    // The reference reads it as a C string.
    let digits = digits.split(|byte| *byte == 0).next().unwrap_or_default();
    let bits = parse_integer(digits).ok();
    let bits = bits.filter(|bits| (1..=most).contains(bits));
    let bits = bits.and_then(|bits| u8::try_from(bits).ok());
    let bits = bits.ok_or(BitsError::InvalidFieldType)?;
    Ok(FieldType { is_signed, bits })
}

/// The operations that follow the key of BITFIELD.
///
/// # Errors
/// [`CommandError::Syntax`], [`CommandError::NotInteger`], [`BitsError::InvalidFieldType`],
/// [`BitsError::InvalidOffset`], [`BitsError::InvalidOverflow`].
pub fn parse_field_operations(
    words: &[&[u8]],
    string_max_bytes: usize,
) -> Result<Vec<FieldOperation>, CommandError> {
    let mut operations = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut rest = words;
    while let [name, after @ ..] = rest {
        let (is_set, is_increment) = (is(name, "set"), is(name, "incrby"));
        match after {
            [behaviour, after @ ..] if is(name, "overflow") => {
                overflow = match *behaviour {
                    word if is(word, "wrap") => Overflow::Wrap,
                    word if is(word, "sat") => Overflow::Saturate,
                    word if is(word, "fail") => Overflow::Fail,
                    _ => return Err(BitsError::InvalidOverflow.into()),
                };
                rest = after;
            }
            [field, offset, after @ ..] if is(name, "get") => {
                let field = parse_field_type(field)?;
                let offset = parse_bit_offset(offset, Some(field.bits), string_max_bytes)?;
                let action = FieldAction::Get;
                operations.push(FieldOperation {
                    field,
                    offset,
                    action,
                });
                rest = after;
            }
            [field, offset, value, after @ ..] if is_set || is_increment => {
                let field = parse_field_type(field)?;
                let offset = parse_bit_offset(offset, Some(field.bits), string_max_bytes)?;
                let value = parse_integer(value)?;
                let action = if is_set {
                    FieldAction::Set(value, overflow)
                } else {
                    FieldAction::Increment(value, overflow)
                };
                operations.push(FieldOperation {
                    field,
                    offset,
                    action,
                });
                rest = after;
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    Ok(operations)
}
