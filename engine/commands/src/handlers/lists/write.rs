//! Commands that change a list in place: LPUSH, RPUSH and their kin, LINSERT, LREM,
//! LSET, LTRIM.
//!
//! Owns their replies and the one update each makes. INVARIANT: everything that
//! can fail is looked at before the update.

use super::{change, place, range, seen};
use crate::arguments::{parse_integer, parse_symmetric};
use crate::context::{Context, Failure};
use crate::error::CommandError;
use thermocline_types::list::End;
use thermocline_types::{Element, ListUpdate};

pub(super) fn lpush(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    push(context, End::Head, true)
}

pub(super) fn rpush(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    push(context, End::Tail, true)
}

pub(super) fn lpushx(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    push(context, End::Head, false)
}

pub(super) fn rpushx(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    push(context, End::Tail, false)
}

fn push(context: &mut Context<'_, '_, '_>, end: End, makes: bool) -> Result<(), Failure> {
    let before = seen(context.access, context.keys[0])?.map(|list| list.len());
    if before.is_none() && !makes {
        context.reply.integer(0);
        return Ok(());
    }
    let elements = context.arguments[2..].to_vec();
    let len = before.unwrap_or(0) + elements.len();
    change(context, 0, ListUpdate::Push { end, elements })?;
    context.reply.integer(len as i64);
    Ok(())
}

pub(super) fn linsert(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let side = context.argument(2);
    let is_after = side.eq_ignore_ascii_case(b"after");
    if !is_after && !side.eq_ignore_ascii_case(b"before") {
        return Err(CommandError::Syntax.into());
    }
    let pivot = Element::of(context.argument(3));
    let Some(list) = seen(context.access, context.keys[0])? else {
        context.reply.integer(0);
        return Ok(());
    };
    let len = list.len();
    let Some(index) = list.iter().position(|element| element == pivot) else {
        context.reply.integer(-1);
        return Ok(());
    };
    let update = ListUpdate::Insert {
        index: index as u64,
        is_after,
        element: context.argument(4),
    };
    change(context, 0, update)?;
    context.reply.integer(len as i64 + 1);
    Ok(())
}

pub(super) fn lset(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let Some(list) = seen(context.access, context.keys[0])? else {
        return Err(CommandError::NoSuchKey.into());
    };
    let index = parse_integer(context.argument(2))?;
    let index = place(index, list.len()).ok_or(CommandError::IndexOutOfRange)? as u64;
    let element = context.argument(3);
    change(context, 0, ListUpdate::Set { index, element })?;
    context.reply.simple("OK");
    Ok(())
}

pub(super) fn lrem(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let count = parse_symmetric(context.argument(2))?;
    let element = context.argument(3);
    let wanted = Element::of(element);
    let most = match count.unsigned_abs() {
        0 => usize::MAX,
        most => usize::try_from(most).unwrap_or(usize::MAX),
    };
    // From whichever end: as many equal ones are there.
    let list = seen(context.access, context.keys[0])?;
    let removed = list.map_or(0, |list| {
        let equal = list.iter().filter(|held| *held == wanted);
        equal.take(most).count()
    });
    if removed > 0 {
        change(context, 0, ListUpdate::Remove { count, element })?;
    }
    context.reply.integer(removed as i64);
    Ok(())
}

pub(super) fn ltrim(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let first = parse_integer(context.argument(2))?;
    let last = parse_integer(context.argument(3))?;
    if let Some(list) = seen(context.access, context.keys[0])? {
        let range = range(first, last, list.len());
        if range.is_empty() {
            context.delete(0);
        } else if range.len() < list.len() {
            let (start, stop) = (range.start as u64, range.end as u64);
            change(context, 0, ListUpdate::Trim { start, stop })?;
        }
    }
    context.reply.simple("OK");
    Ok(())
}
