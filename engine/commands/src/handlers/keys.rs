//! Commands on whole keys: whether they are there, what they hold, away with them.
//!
//! Owns their meaning. Does not know values. Runs under the locks of the access.

use super::readers;
use crate::context::{Context, Failure, Handler};
use thermocline_store::EventClass;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("del", delete),
    ("exists", exists),
    ("touch", touch),
    ("type", |context| context.read(readers::TYPE)),
    ("unlink", delete),
];

/// DEL and UNLINK: the memory of a large value is the store's to free in slices
/// either way.
fn delete(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let mut deleted = 0;
    for index in 0..context.keys.len() {
        if context.delete(index) {
            context.notify(EventClass::Generic, "del", index);
            deleted += 1;
        }
    }
    context.reply.integer(deleted);
    Ok(())
}

/// A key named twice counts twice.
fn exists(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let present = (0..context.keys.len())
        .filter(|index| context.look(*index).is_some())
        .count();
    context.reply.integer(present as i64);
    Ok(())
}

fn touch(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let before = context.access.set_leaves_no_trace(false);
    let present = (0..context.keys.len())
        .filter(|index| context.get(*index).is_some())
        .count();
    context.access.set_leaves_no_trace(before);
    context.reply.integer(present as i64);
    Ok(())
}
