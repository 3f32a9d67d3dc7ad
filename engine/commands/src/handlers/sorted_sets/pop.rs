//! Commands that take from an end: ZPOPMIN, ZPOPMAX, ZMPOP.
//!
//! Owns their options and replies, and which of several keys is taken from: the
//! first that is there.

use super::{OwnedEntry, owned, seen, take_out};
use crate::arguments::parse_integer;
use crate::context::{Context, Failure};
use crate::error::CommandError;
use crate::reply::Version;

/// The end that is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Least,
    Greatest,
}

pub(super) fn zpopmin(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    pop(context, End::Least)
}

pub(super) fn zpopmax(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    pop(context, End::Greatest)
}

/// ZPOPMIN key [count].
fn pop(context: &mut Context<'_, '_, '_>, end: End) -> Result<(), Failure> {
    let count = match &context.arguments[2..] {
        [] => None,
        [count] => {
            let count = parse_integer(count).map_err(|_| CommandError::NotPositive)?;
            Some(usize::try_from(count).map_err(|_| CommandError::NotPositive)?)
        }
        _ => return Err(CommandError::Syntax.into()),
    };
    let entries = take(context, 0, end, count.unwrap_or(1))?;
    let is_nested = count.is_some() && context.reply.version() == Version::Three;
    let each = if is_nested { 1 } else { 2 };
    context.reply.array(entries.len() * each);
    for (score, member) in &entries {
        if is_nested {
            context.reply.array(2);
        }
        context.reply.bulk(member);
        context.reply.double(*score);
    }
    Ok(())
}

/// ZMPOP numkeys key … MIN|MAX [COUNT count].
pub(super) fn zmpop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (end, count) = parse_many(&context.arguments[1..])?;
    let first = first_present(context)?;
    let Some(index) = first else {
        context.reply.null_array();
        return Ok(());
    };
    reply_many(context, index, 2, end, count)
}

/// The number of keys, the keys, the end and the count; the keys are passed over.
pub(super) fn parse_many(arguments: &[&[u8]]) -> Result<(End, usize), CommandError> {
    let (keys, rest) = arguments.split_first().ok_or(CommandError::Syntax)?;
    let keys = parse_integer(keys).map_err(|_| CommandError::KeyCountNotPositive)?;
    if keys < 1 {
        return Err(CommandError::KeyCountNotPositive);
    }
    let keys = usize::try_from(keys).map_err(|_| CommandError::Syntax)?;
    let [end, options @ ..] = rest.get(keys..).unwrap_or_default() else {
        return Err(CommandError::Syntax);
    };
    let end = if end.eq_ignore_ascii_case(b"min") {
        End::Least
    } else if end.eq_ignore_ascii_case(b"max") {
        End::Greatest
    } else {
        return Err(CommandError::Syntax);
    };
    match options {
        [] => Ok((end, 1)),
        [option, count, rest @ ..] if option.eq_ignore_ascii_case(b"count") => {
            let count = parse_integer(count).ok().filter(|count| *count > 0);
            let count = count.ok_or(CommandError::CountNotPositive)?;
            if !rest.is_empty() {
                return Err(CommandError::Syntax);
            }
            Ok((end, usize::try_from(count).unwrap_or(usize::MAX)))
        }
        _ => Err(CommandError::Syntax),
    }
}

/// The first of the command's keys that is there, if it is a sorted set.
pub(super) fn first_present(context: &Context<'_, '_, '_>) -> Result<Option<usize>, Failure> {
    for index in 0..context.keys.len() {
        if seen(context.access, context.keys[index])?.is_some() {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// Takes from key number `index`, which stands `before` places into the request, and
/// replies its name and pairs.
pub(super) fn reply_many(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    before: usize,
    end: End,
    count: usize,
) -> Result<(), Failure> {
    let name = context.argument(before + index);
    let entries = take(context, index, end, count)?;
    context.reply.array(2);
    context.reply.bulk(name);
    context.reply.array(entries.len());
    for (score, member) in &entries {
        context.reply.array(2);
        context.reply.bulk(member);
        context.reply.double(*score);
    }
    Ok(())
}

/// Takes at most `count` entries out of key number `index`.
pub(super) fn take(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    end: End,
    count: usize,
) -> Result<Vec<OwnedEntry>, Failure> {
    let Some(set) = seen(context.access, context.keys[index])? else {
        return Ok(Vec::new());
    };
    let held = set.len();
    let count = count.min(held);
    let entries: Vec<OwnedEntry> = match end {
        End::Least => set.range(0..count).map(owned).collect(),
        End::Greatest => set.range_back(held - count..held).map(owned).collect(),
    };
    if !entries.is_empty() {
        let event = match end {
            End::Least => "zpopmin",
            End::Greatest => "zpopmax",
        };
        take_out(context, (index, event), &entries, held)?;
    }
    Ok(entries)
}
