//! Commands on whole databases: how many keys, which keys, away with all.
//!
//! Owns their meaning. Does not own what a cursor is. They declare no keys and so
//! are the only handlers that may fault themselves; each does so before it changes
//! anything, and runs again from its beginning.
//!
//! KEYS sees one moment, so all it meets on the disk is in memory at once while it
//! runs here. The server runs it in steps where that matters and no transaction
//! asks for one moment.

use crate::arguments::{ScanTarget, parse_cursor, parse_flush, parse_scan, parse_swapdb};
use crate::context::{Context, Failure, Handler};
use crate::glob::{self, Case};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("dbsize", dbsize),
    ("flushall", flushall),
    ("flushdb", flushdb),
    ("keys", keys),
    ("randomkey", random_key),
    ("scan", scan),
    ("swapdb", swapdb),
];

/// Keys that KEYS takes in one step. A step that faults names all it lacks at
/// once, so a large one is read at depth; a small one bounds what does not match
/// and is dropped after it.
pub(crate) const KEYS_STEP: usize = 1 << 16;

fn dbsize(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let keys = context.access.database_len(context.database)?;
    context.reply.integer(keys as i64);
    Ok(())
}

fn scan(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let cursor = parse_cursor(context.argument(1))?;
    let options = parse_scan(&context.arguments[2..], ScanTarget::Keys)?;
    let count = usize::try_from(options.count).unwrap_or(usize::MAX);
    let (next, mut found) = context
        .access
        .scan(context.database, cursor, count, context.faults)?;
    found.retain(|scanned| {
        let type_fits = options
            .type_name
            .is_none_or(|name| name == scanned.kind.name());
        type_fits
            && options
                .pattern
                .is_none_or(|pattern| fits(pattern, &scanned.key))
    });
    context.reply.array(2);
    context
        .reply
        .bulk(itoa::Buffer::new().format(next).as_bytes());
    context.reply.array(found.len());
    for scanned in &found {
        context.reply.bulk(&scanned.key);
    }
    Ok(())
}

fn keys(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let pattern = context.argument(1);
    let mut found = Vec::new();
    let mut cursor = 0;
    loop {
        let (next, keys) =
            context
                .access
                .scan(context.database, cursor, KEYS_STEP, context.faults)?;
        let keys = keys.into_iter().map(|scanned| scanned.key);
        found.extend(keys.filter(|key| fits(pattern, key)));
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    context.reply.array(found.len());
    for key in &found {
        context.reply.bulk(key);
    }
    Ok(())
}

fn fits(pattern: &[u8], key: &[u8]) -> bool {
    pattern == b"*" || glob::matches(pattern, key, Case::Sensitive)
}

fn random_key(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    match context
        .access
        .random_key(context.database, context.faults)?
    {
        None => context.reply.null(),
        Some(key) => context.reply.bulk(&key),
    }
    Ok(())
}

fn flushdb(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    flush(context, Some(context.database))
}

fn flushall(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    flush(context, None)
}

/// ASYNC and SYNC are one: the keys are gone at once, their memory in slices.
fn flush(context: &mut Context<'_, '_, '_>, database: Option<u8>) -> Result<(), Failure> {
    parse_flush(&context.arguments[1..])?;
    context.access.flush(database)?;
    context.reply.simple("OK");
    Ok(())
}

fn swapdb(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let databases = context.access.databases();
    let (first, second) = parse_swapdb(context.argument(1), context.argument(2), databases)?;
    context.access.swap(first, second)?;
    context.reply.simple("OK");
    Ok(())
}
