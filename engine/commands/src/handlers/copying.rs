//! Commands that put a value under another key: RENAME, RENAMENX, COPY, MOVE.
//!
//! Owns their meaning. Does not know which database a key is of: key 0 is the
//! source and key 1 the target, wherever they are. Runs under the locks of the
//! access. The log gets the whole value at its new place.

use crate::arguments::{parse_copy, parse_database};
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;
use thermocline_store::EventClass;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("copy", copy),
    ("move", move_key),
    ("rename", rename),
    ("renamenx", renamenx),
];

const SOURCE: usize = 0;
const TARGET: usize = 1;

/// Puts the value of the source, with its expiry, under the target in that
/// database. Whether there was one.
fn copy_value(context: &mut Context<'_, '_, '_>, database: u8) -> bool {
    let replaces = context.peek(TARGET).is_some();
    let Some(entry) = context.peek(SOURCE) else {
        return false;
    };
    let (value, expiry) = (entry.value.capture(), entry.expiry);
    context.put(TARGET, value, expiry);
    if replaces {
        // It is a new key all the same.
        context.notify_in(database, EventClass::New, "new", TARGET);
    }
    true
}

/// Moves the value from the source to the target in the same database.
fn rename_value(context: &mut Context<'_, '_, '_>) {
    copy_value(context, context.database);
    context.delete(SOURCE);
    context.notify(EventClass::Generic, "rename_from", SOURCE);
    context.notify(EventClass::Generic, "rename_to", TARGET);
}

fn rename(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    if context.peek(SOURCE).is_none() {
        return Err(CommandError::NoSuchKey.into());
    }
    if context.argument(1) != context.argument(2) {
        rename_value(context);
    }
    context.reply.simple("OK");
    Ok(())
}

fn renamenx(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    if context.peek(SOURCE).is_none() {
        return Err(CommandError::NoSuchKey.into());
    }
    // The same key twice is a target that is there.
    let free = context.peek(TARGET).is_none();
    if free {
        rename_value(context);
    }
    context.reply.integer(free.into());
    Ok(())
}

fn copy(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let options = parse_copy(&context.arguments[3..], context.access.databases())?;
    let database = options.database.unwrap_or(context.database);
    if database == context.database && context.argument(1) == context.argument(2) {
        return Err(CommandError::SameObject.into());
    }
    let is_there = context.look(SOURCE).is_some();
    let free = options.replace || context.peek(TARGET).is_none();
    let copied = is_there && free && copy_value(context, database);
    if copied {
        context.notify_in(database, EventClass::Generic, "copy_to", TARGET);
    }
    context.reply.integer(copied.into());
    Ok(())
}

fn move_key(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let database = parse_database(context.argument(2), context.access.databases())?;
    if database == context.database {
        return Err(CommandError::SameObject.into());
    }
    let free = context.peek(TARGET).is_none();
    let moved = free && copy_value(context, database);
    if moved {
        context.delete(SOURCE);
        context.notify(EventClass::Generic, "move_from", SOURCE);
        context.notify_in(database, EventClass::Generic, "move_to", TARGET);
    }
    context.reply.integer(moved.into());
    Ok(())
}
