//! Commands on the bits of strings; bit 0 is the highest of the first byte.
//!
//! Owns their meaning. Does not know how a string is kept. Handlers run under the locks of the
//! access, on any thread.
//!
//! A command that may change bits leaves the string in the form that OBJECT ENCODING calls
//! `raw`, as Valkey does, even if no bit changes.
//!
//! Use order: `range` and `operation` stand alone; `field` and this file use them.

mod field;
mod operation;
mod range;

use crate::arguments::{parse_bit_offset, parse_integer};
use crate::context::{Context, Failure, Handler};
use crate::error::{BitsError, CommandError};
use operation::Operation;
use range::{RangeUnit, bits_between, count_ones, first_bit};
use thermocline_types::{Update, Value};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("bitcount", bitcount),
    ("bitfield", field::bitfield),
    ("bitfield_ro", field::bitfield_ro),
    ("bitop", bitop),
    ("bitpos", bitpos),
    ("getbit", getbit),
    ("setbit", setbit),
];

fn setbit(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let offset = parse_bit_offset(context.argument(2), None, context.string_max_bytes)?;
    let bit = match parse_integer(context.argument(3)) {
        Ok(bit @ (0 | 1)) => bit as u8,
        _ => return Err(BitsError::NotBit.into()),
    };
    let (byte, place) = (offset >> 3, 7 - (offset & 7));
    let (old, is_raw) = match context.peek(0) {
        None => (None, false),
        Some(entry) => {
            let found = entry.value.string()?.get(byte as usize).copied();
            (found, entry.value.is_raw_string())
        }
    };
    let before = old.unwrap_or(0);
    let after = before & !(1 << place) | bit << place;
    let update = Update::StringSetRange {
        offset: byte,
        bytes: &[after],
    };
    if old != Some(after) {
        context.update(0, &update)?;
    } else if !is_raw {
        context.update_unseen(0, &update)?;
    }
    context.reply.integer((before >> place & 1).into());
    Ok(())
}

fn getbit(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let offset = parse_bit_offset(context.argument(2), None, context.string_max_bytes)?;
    let bytes = context.string(0)?.unwrap_or_default();
    let byte = bytes.get((offset >> 3) as usize).copied().unwrap_or(0);
    context
        .reply
        .integer((byte >> (7 - (offset & 7)) & 1).into());
    Ok(())
}

/// `start`, `end` and unit as BITCOUNT and BITPOS take them.
fn parse_range(words: &[&[u8]]) -> Result<(i64, Option<i64>, RangeUnit), CommandError> {
    let (start, end, unit) = match words {
        [] => return Ok((0, None, RangeUnit::Byte)),
        [start] => (start, None, None),
        [start, end] => (start, Some(end), None),
        [start, end, unit] => (start, Some(end), Some(unit)),
        _ => return Err(CommandError::Syntax),
    };
    let start = parse_integer(start)?;
    let unit = match unit {
        None => RangeUnit::Byte,
        Some(unit) if unit.eq_ignore_ascii_case(b"bit") => RangeUnit::Bit,
        Some(unit) if unit.eq_ignore_ascii_case(b"byte") => RangeUnit::Byte,
        Some(_) => return Err(CommandError::Syntax),
    };
    let end = end.map(|end| parse_integer(end)).transpose()?;
    Ok((start, end, unit))
}

fn bitcount(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (start, end, unit) = parse_range(&context.arguments[2..])?;
    let bytes = context.string(0)?.unwrap_or_default();
    // Not for BITPOS, where both become the first.
    let is_backward = start < 0 && end.is_some_and(|end| end < 0 && start > end);
    let bits = bits_between(bytes.len(), start, end, unit).filter(|_| !is_backward);
    let count = bits.map_or(0, |bits| count_ones(bytes, bits));
    context.reply.integer(count as i64);
    Ok(())
}

fn bitpos(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let bit = match parse_integer(context.argument(2))? {
        0 => false,
        1 => true,
        _ => return Err(BitsError::NotBitArgument.into()),
    };
    let (start, end, unit) = parse_range(&context.arguments[3..])?;
    let position = match context.string(0)? {
        // Zeros without an end.
        None => (!bit).then_some(0),
        Some(bytes) => bits_between(bytes.len(), start, end, unit).and_then(|bits| {
            let found = first_bit(bytes, bits, bit);
            // Behind a string are zeros, unless an end was given.
            found.or((!bit && end.is_none()).then_some(bytes.len() as u64 * 8))
        }),
    };
    context.reply.integer(position.map_or(-1, |at| at as i64));
    Ok(())
}

fn bitop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let sources = context.keys.len() - 1;
    let operation = Operation::parse(context.argument(1), sources)?;
    let mut strings = Vec::with_capacity(sources);
    for key in &context.keys[1..] {
        let entry = context.access.peek(*key);
        strings.push(match entry {
            None => &[][..],
            Some(entry) => entry.value.string()?,
        });
    }
    let result = operation.combine(&strings);
    let length = result.len();
    if result.is_empty() {
        context.delete(0);
    } else {
        context.put(0, Value::from_raw_string(result)?, None);
    }
    context.reply.integer(length as i64);
    Ok(())
}
