//! Commands that wait for a sorted set: BZPOPMIN, BZPOPMAX, BZMPOP.
//!
//! Owns what they wait for. Does not own the waiting: they ask for it, and are run
//! again as they are.

use super::pop::{End, first_present, parse_many, reply_many, take};
use crate::arguments::parse_timeout_s;
use crate::blocking::Block;
use crate::context::{Context, Failure};
use thermocline_types::ValueKind;

pub(super) fn bzpopmin(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    pop(context, End::Least)
}

pub(super) fn bzpopmax(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    pop(context, End::Greatest)
}

/// BZPOPMIN key [key …] timeout.
fn pop(context: &mut Context<'_, '_, '_>, end: End) -> Result<(), Failure> {
    let last = context.arguments.len() - 1;
    let timeout_ms = parse_timeout_s(context.argument(last), context.now())?;
    let Some(index) = first_present(context)? else {
        let keys = 0..context.keys.len();
        return Err(Block::new(keys, ValueKind::SortedSet, timeout_ms).into());
    };
    let name = context.argument(1 + index);
    let entries = take(context, index, end, 1)?;
    context.reply.array(3);
    context.reply.bulk(name);
    for (score, member) in &entries {
        context.reply.bulk(member);
        context.reply.double(*score);
    }
    Ok(())
}

/// BZMPOP timeout numkeys key … MIN|MAX [COUNT count].
pub(super) fn bzmpop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (end, count) = parse_many(&context.arguments[2..])?;
    let timeout_ms = parse_timeout_s(context.argument(1), context.now())?;
    let Some(index) = first_present(context)? else {
        let keys = 0..context.keys.len();
        return Err(Block::new(keys, ValueKind::SortedSet, timeout_ms).into());
    };
    reply_many(context, index, 3, end, count)
}
