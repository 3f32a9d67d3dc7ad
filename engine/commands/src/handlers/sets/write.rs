//! Commands that change members: SADD, SREM, SPOP, SMOVE.
//!
//! Owns their replies and the updates they make. INVARIANT: everything that can
//! fail is looked at before the first update; a random choice is in the update,
//! so that replay needs none.

use super::{new_form, seen, source};
use crate::arguments::parse_integer;
use crate::context::{Context, Failure};
use crate::error::CommandError;
use thermocline_store::{EventClass, Settings};
use thermocline_types::{SetForm, SetRef, Update};

/// The form that a set gets at least when this many members are to be added.
fn form_for(set: SetRef<'_>, count: usize, settings: &Settings) -> SetForm {
    let most = match set.form() {
        SetForm::Integers => settings.set_max_intset_entries(),
        SetForm::Packed => settings.set_max_listpack_entries(),
        SetForm::Full => usize::MAX,
    };
    if count > most {
        SetForm::Full
    } else {
        SetForm::Integers
    }
}

pub(super) fn sadd(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let given = &context.arguments[2..];
    let set = seen(context.access, context.keys[0])?;
    let at_least = match set {
        None => new_form(given[0], given.len(), context.settings),
        Some(set) => form_for(set, given.len(), context.settings),
    };
    let mut members = given.to_vec();
    members.retain(|member| set.is_none_or(|set| !set.contains(member)));
    let added = match members.as_slice() {
        [] => 0,
        [_] => 1,
        members => {
            let mut different = members.to_vec();
            different.sort_unstable();
            different.dedup();
            different.len()
        }
    };
    if added > 0 {
        context.update(0, &Update::SetAdd { at_least, members })?;
        context.notify(EventClass::Set, "sadd", 0);
    }
    context.reply.integer(added as i64);
    Ok(())
}

pub(super) fn srem(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let mut members = context.arguments[2..].to_vec();
    let set = seen(context.access, context.keys[0])?;
    members.retain(|member| set.is_some_and(|set| set.contains(member)));
    members.sort_unstable();
    members.dedup();
    let removed = members.len();
    if removed > 0 {
        context.update(0, &Update::SetRemove { members })?;
        context.notify(EventClass::Set, "srem", 0);
        context.notify_if_gone(0);
    }
    context.reply.integer(removed as i64);
    Ok(())
}

/// SPOP key [count].
pub(super) fn spop(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    match context.arguments {
        [_, _] => pop_one(context),
        [_, _, count] => {
            let count = parse_integer(count).map_err(|_| CommandError::NotPositive)?;
            let count = usize::try_from(count).map_err(|_| CommandError::NotPositive)?;
            pop_many(context, count)
        }
        _ => Err(CommandError::Syntax.into()),
    }
}

fn pop_one(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let set = seen(context.access, context.keys[0])?;
    let Some(member) = set.and_then(|set| set.random(context.random)) else {
        context.reply.null();
        return Ok(());
    };
    let member = member.to_vec();
    let members = vec![member.as_slice()];
    context.update(0, &Update::SetRemove { members })?;
    notify_popped(context);
    context.reply.bulk(&member);
    Ok(())
}

fn pop_many(context: &mut Context<'_, '_, '_>, count: usize) -> Result<(), Failure> {
    let set = seen(context.access, context.keys[0])?;
    let Some(set) = set.filter(|_| count > 0) else {
        context.reply.set(0);
        return Ok(());
    };
    let is_all = count >= set.len();
    let members = source(set).unique(count, context.random);
    let members: Vec<Vec<u8>> = members.iter().map(|member| member.to_vec()).collect();
    context.reply.set(members.len());
    for member in &members {
        context.reply.bulk(member);
    }
    if is_all {
        context.delete(0);
    } else {
        let members = members.iter().map(Vec::as_slice).collect();
        context.update(0, &Update::SetRemove { members })?;
    }
    notify_popped(context);
    Ok(())
}

fn notify_popped(context: &mut Context<'_, '_, '_>) {
    context.notify(EventClass::Set, "spop", 0);
    context.notify_if_gone(0);
}

/// SMOVE source destination member.
pub(super) fn smove(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let member = context.argument(3);
    let Some(source) = context.peek(0) else {
        context.reply.integer(0);
        return Ok(());
    };
    let found = source.value.set()?.contains(member);
    let target = seen(context.access, context.keys[1])?;
    let at_least = match target {
        None => new_form(member, 1, context.settings),
        Some(_) => SetForm::Integers,
    };
    let is_held = target.is_some_and(|target| target.contains(member));
    // Onto itself it stays where it is.
    if found && context.argument(1) != context.argument(2) {
        let members = vec![member];
        context.update(0, &Update::SetRemove { members })?;
        context.notify(EventClass::Set, "srem", 0);
        context.notify_if_gone(0);
        if !is_held {
            let members = vec![member];
            context.update(1, &Update::SetAdd { at_least, members })?;
            context.notify(EventClass::Set, "sadd", 1);
        }
    }
    context.reply.integer(found.into());
    Ok(())
}
