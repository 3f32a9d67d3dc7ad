//! MULTI, DISCARD, WATCH, UNWATCH. EXEC is the dispatcher's.
//!
//! Owns nothing beyond the calls on the session.

use thermocline_commands::CommandError;
use thermocline_store::KeyName;

use super::{CommandResult, Family, Invocation, Outcome};

pub(super) static COMMANDS: Family = &[
    ("discard", discard),
    ("multi", multi),
    ("unwatch", unwatch),
    ("watch", watch),
];

fn multi(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.session.begin();
    invocation.ok()
}

fn discard(invocation: &mut Invocation<'_>) -> CommandResult {
    if invocation.session.transaction.is_none() {
        return Err(CommandError::DiscardWithoutMulti.into());
    }
    invocation.session.end_transaction(&invocation.server.store);
    invocation.ok()
}

fn watch(invocation: &mut Invocation<'_>) -> CommandResult {
    let (store, database) = (&invocation.server.store, invocation.session.database);
    let keys = &invocation.arguments[1..];
    let names: Vec<KeyName<'_>> = keys.iter().map(|key| KeyName { database, key }).collect();
    // A key that had expired before it was watched does not change by being removed.
    if let Err(fault) = store.remove_expired(&names, invocation.faults) {
        return Ok(Outcome::Fault(fault));
    }
    for key in keys {
        invocation.session.watch(&invocation.server.store, key);
    }
    invocation.ok()
}

fn unwatch(invocation: &mut Invocation<'_>) -> CommandResult {
    // As part of a transaction it comes too late to change anything.
    if !invocation.is_in_transaction() {
        invocation.session.unwatch(&invocation.server.store);
    }
    invocation.ok()
}
