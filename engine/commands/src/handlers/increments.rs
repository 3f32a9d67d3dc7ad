//! Strings as numbers: INCR, DECR and their kin.
//!
//! Owns their meaning. Does not know how numbers are printed. Runs under the
//! locks of the access. The expiry stays, and the log gets the result.

use crate::arguments::parse_integer;
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;
use thermocline_store::EventClass;
use thermocline_types::number::LongDouble;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("decr", |context| add(context, -1)),
    ("decrby", decrby),
    ("incr", |context| add(context, 1)),
    ("incrby", incrby),
    ("incrbyfloat", incrbyfloat),
];

fn incrby(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let difference = parse_integer(context.argument(2))?;
    add(context, difference)
}

fn decrby(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let difference = parse_integer(context.argument(2))?;
    let difference = difference
        .checked_neg()
        .ok_or(CommandError::DecrementOverflow)?;
    add(context, difference)
}

fn add(context: &mut Context<'_, '_, '_>, difference: i64) -> Result<(), Failure> {
    let (present, expiry) = match context.peek(0) {
        None => (0, None),
        Some(entry) => (parse_integer(entry.value.string()?)?, entry.expiry),
    };
    let sum = present
        .checked_add(difference)
        .ok_or(CommandError::Overflow)?;
    context.put_string(0, itoa::Buffer::new().format(sum).as_bytes(), expiry);
    context.notify(EventClass::String, "incrby", 0);
    context.reply.integer(sum);
    Ok(())
}

fn incrbyfloat(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (present, expiry) = match context.peek(0) {
        None => (b"0".as_slice(), None),
        Some(entry) => (entry.value.string()?, entry.expiry),
    };
    let present = LongDouble::parse(present).ok_or(CommandError::NotFloat)?;
    let difference = LongDouble::parse(context.argument(2)).ok_or(CommandError::NotFloat)?;
    let sum = present
        .checked_add(difference)
        .ok_or(CommandError::NotFinite)?
        .to_string();
    context.put_string(0, sum.as_bytes(), expiry);
    context.notify(EventClass::String, "incrbyfloat", 0);
    context.reply.bulk(sum.as_bytes());
    Ok(())
}
