//! Commands that put a value under another key: RENAME, RENAMENX, COPY, MOVE.
//!
//! Owns their meaning. Does not know which database a key is of: key 0 is the
//! source and key 1 the target, wherever they are. Runs under the locks of the
//! access. The log gets the whole value at its new place.

use crate::arguments::{parse_copy, parse_database};
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("copy", copy),
    ("move", move_key),
    ("rename", rename),
    ("renamenx", renamenx),
];

const SOURCE: usize = 0;
const TARGET: usize = 1;

/// Puts the value of the source, with its expiry, under the target. Whether
/// there was one.
fn copy_value(context: &mut Context<'_, '_, '_>) -> bool {
    let Some(entry) = context.peek(SOURCE) else {
        return false;
    };
    let (value, expiry) = (entry.value.capture(), entry.expiry);
    context.put(TARGET, value, expiry);
    true
}

fn rename(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    if context.peek(SOURCE).is_none() {
        return Err(CommandError::NoSuchKey.into());
    }
    if context.argument(1) != context.argument(2) {
        copy_value(context);
        context.delete(SOURCE);
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
        copy_value(context);
        context.delete(SOURCE);
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
    let free = options.replace || context.peek(TARGET).is_none();
    let copied = free && copy_value(context);
    context.reply.integer(copied.into());
    Ok(())
}

fn move_key(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let database = parse_database(context.argument(2), context.access.databases())?;
    if database == context.database {
        return Err(CommandError::SameObject.into());
    }
    let free = context.peek(TARGET).is_none();
    let moved = free && copy_value(context);
    if moved {
        context.delete(SOURCE);
    }
    context.reply.integer(moved.into());
    Ok(())
}
