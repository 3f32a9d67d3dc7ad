//! Commands that take elements at the ends of lists: LPOP, RPOP, LMPOP, LMOVE,
//! RPOPLPUSH.
//!
//! Owns their replies, which the commands that wait share. INVARIANT: everything
//! that can fail is looked at before the first update.

use super::{change, reply_element, seen};
use crate::arguments::{PopOptions, parse_end, parse_pop, parse_pop_count};
use crate::context::{Context, Failure};
use crate::error::CommandError;
use thermocline_store::EventClass;
use thermocline_types::list::End;
use thermocline_types::{Element, ListRef, ListUpdate};

pub(super) fn lpop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    pop(context, End::Head, "lpop")
}

pub(super) fn rpop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    pop(context, End::Tail, "rpop")
}

fn pop(context: &mut Context<'_, '_, '_>, end: End, command: &'static str) -> Result<(), Failure> {
    let count = match context.arguments {
        [_, _] => None,
        [_, _, count] => Some(parse_pop_count(count)?),
        _ => return Err(CommandError::WrongArity(command).into()),
    };
    let Some(list) = seen(context.access, context.keys[0])? else {
        match count {
            Some(_) => context.reply.null_array(),
            None => context.reply.null(),
        }
        return Ok(());
    };
    match count {
        Some(0) => {
            context.reply.array(0);
            return Ok(());
        }
        Some(count) => {
            context.reply.array(count.min(list.len()));
        }
        None => {}
    }
    let count = count.unwrap_or(1).min(list.len());
    for element in taken(list, end, count) {
        reply_element(context.reply, element);
    }
    take(context, 0, end, count)
}

/// The elements that a pop takes, in its order.
pub(super) fn taken<'a>(
    list: ListRef<'a>,
    end: End,
    count: usize,
) -> impl Iterator<Item = Element<'a>> {
    let (head, tail) = match end {
        End::Head => (count, 0),
        End::Tail => (0, count),
    };
    list.iter().take(head).chain(list.iter().rev().take(tail))
}

/// Takes elements from the list of key number `index`.
pub(super) fn take(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    end: End,
    count: usize,
) -> Result<(), Failure> {
    let count = count as u64;
    change(context, index, ListUpdate::Pop { end, count })?;
    notify_taken(context, index, end);
    Ok(())
}

/// Tells that an element of key number `index` was taken from this end.
fn notify_taken(context: &mut Context<'_, '_, '_>, index: usize, end: End) {
    let event = match end {
        End::Head => "lpop",
        End::Tail => "rpop",
    };
    context.notify(EventClass::List, event, index);
    context.notify_if_gone(index);
}

/// The first of the command's first `keys` keys that holds a list, and its length.
pub(super) fn first_list(
    context: &Context<'_, '_, '_>,
    keys: usize,
) -> Result<Option<(usize, usize)>, Failure> {
    for (index, key) in context.keys.iter().take(keys).enumerate() {
        if let Some(list) = seen(context.access, *key)? {
            return Ok(Some((index, list.len())));
        }
    }
    Ok(None)
}

pub(super) fn lmpop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let options = parse_pop(&context.arguments[1..])?;
    if !pop_first(context, options, 2)? {
        context.reply.null_array();
    }
    Ok(())
}

/// Pops from the first key that holds a list and replies its name and what was
/// popped; the keys stand in the request from `first_key` on. Whether there was one.
pub(super) fn pop_first(
    context: &mut Context<'_, '_, '_>,
    options: PopOptions,
    first_key: usize,
) -> Result<bool, Failure> {
    let Some((index, len)) = first_list(context, options.keys)? else {
        return Ok(false);
    };
    let count = options.count.min(len);
    context.reply.array(2);
    context.reply.bulk(context.argument(first_key + index));
    context.reply.array(count);
    if let Some(list) = seen(context.access, context.keys[index])? {
        for element in taken(list, options.end, count) {
            reply_element(context.reply, element);
        }
    }
    take(context, index, options.end, count)?;
    Ok(true)
}

pub(super) fn lmove(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let from = parse_end(context.argument(3))?;
    let to = parse_end(context.argument(4))?;
    if !move_element(context, from, to)? {
        context.reply.null();
    }
    Ok(())
}

pub(super) fn rpoplpush(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    if !move_element(context, End::Tail, End::Head)? {
        context.reply.null();
    }
    Ok(())
}

/// Moves an element from the list of key 0 to that of key 1, and replies it. Whether
/// there was one.
pub(super) fn move_element(
    context: &mut Context<'_, '_, '_>,
    from: End,
    to: End,
) -> Result<bool, Failure> {
    let Some(list) = seen(context.access, context.keys[0])? else {
        return Ok(false);
    };
    let Some(element) = taken(list, from, 1).next() else {
        return Ok(false);
    };
    let element = element.to_vec();
    seen(context.access, context.keys[1])?;
    let pushed = match to {
        End::Head => "lpush",
        End::Tail => "rpush",
    };
    if context.argument(1) == context.argument(2) {
        // One change: a list of one element must not go in between.
        change(context, 0, ListUpdate::Rotate { from, to })?;
        context.notify(EventClass::List, pushed, 0);
        notify_taken(context, 0, from);
    } else {
        let elements = vec![&element[..]];
        change(context, 1, ListUpdate::Push { end: to, elements })?;
        context.notify(EventClass::List, pushed, 1);
        take(context, 0, from, 1)?;
    }
    context.reply.bulk(&element);
    Ok(true)
}
