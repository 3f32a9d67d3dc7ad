//! Commands that wait for a list: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH.
//!
//! Owns what they wait for. Does not own the waiting: they ask for it, and are run
//! again as they are.

use super::pop::{first_list, move_element, pop_first, take, taken};
use super::{reply_element, seen};
use crate::arguments::{parse_end, parse_pop, parse_timeout_s};
use crate::blocking::{Block, Nil};
use crate::context::{Context, Failure};
use thermocline_types::ValueKind;
use thermocline_types::list::End;

pub(super) fn blpop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    pop(context, End::Head)
}

pub(super) fn brpop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    pop(context, End::Tail)
}

fn pop(context: &mut Context<'_, '_, '_>, end: End) -> Result<(), Failure> {
    let last = context.arguments.len() - 1;
    let timeout_ms = parse_timeout_s(context.argument(last), context.now())?;
    let keys = last - 1;
    let Some((index, _)) = first_list(context, keys)? else {
        return Err(Block::new(0..keys, ValueKind::List, timeout_ms).into());
    };
    context.reply.array(2);
    context.reply.bulk(context.argument(1 + index));
    if let Some(list) = seen(context.access, context.keys[index])? {
        for element in taken(list, end, 1) {
            reply_element(context.reply, element);
        }
    }
    take(context, index, end, 1)
}

pub(super) fn blmpop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let options = parse_pop(&context.arguments[2..])?;
    let timeout_ms = parse_timeout_s(context.argument(1), context.now())?;
    if pop_first(context, options, 3)? {
        return Ok(());
    }
    Err(Block::new(0..options.keys, ValueKind::List, timeout_ms).into())
}

pub(super) fn blmove(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let from = parse_end(context.argument(3))?;
    let to = parse_end(context.argument(4))?;
    let timeout_ms = parse_timeout_s(context.argument(5), context.now())?;
    move_or_wait(context, from, to, timeout_ms)
}

pub(super) fn brpoplpush(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let timeout_ms = parse_timeout_s(context.argument(3), context.now())?;
    move_or_wait(context, End::Tail, End::Head, timeout_ms)
}

fn move_or_wait(
    context: &mut Context<'_, '_, '_>,
    from: End,
    to: End,
    timeout_ms: Option<u64>,
) -> Result<(), Failure> {
    if move_element(context, from, to)? {
        return Ok(());
    }
    Err(Block {
        nil: Nil::Null,
        ..Block::new(0..1, ValueKind::List, timeout_ms)
    }
    .into())
}
