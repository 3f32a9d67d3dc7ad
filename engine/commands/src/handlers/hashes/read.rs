//! Commands that read hashes: HGET, HMGET, HGETALL, HKEYS, HVALS, HEXISTS,
//! HLEN, HSTRLEN, HSCAN, HRANDFIELD.
//!
//! Owns their replies. INVARIANT: nothing here changes a key.

use super::super::draw::REPEATED_MAX_BYTES;
use super::options::parse_random;
use super::random::{repeating, unique};
use super::used;
use crate::arguments::{ScanTarget, parse_cursor, parse_scan};
use crate::context::{Context, Failure};
use crate::error::CommandError;
use crate::glob::{Case, matches};
use crate::reply::{ReplyBuffer, Version};
use thermocline_types::HashEntry;

/// What of each entry is replied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Fields,
    Values,
    Both,
}

pub(super) fn hgetall(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    whole(context, Part::Both)
}

pub(super) fn hkeys(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    whole(context, Part::Fields)
}

pub(super) fn hvals(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    whole(context, Part::Values)
}

fn whole(context: &mut Context<'_, '_, '_>, part: Part) -> Result<(), Failure> {
    let now = context.now();
    let hash = used(context.access, context.keys[0])?;
    let reply = &mut *context.reply;
    let count = hash.map_or(0, |hash| hash.live_len(now));
    if part == Part::Both {
        reply.map(count);
    } else {
        reply.array(count);
    }
    if let Some(hash) = hash {
        // Walked from inside: an iterator of either form is slow to ask step by step.
        hash.iter(now).for_each(|(field, value, _)| {
            if part != Part::Values {
                reply.bulk(field);
            }
            if part != Part::Fields {
                reply.bulk(value);
            }
        });
    }
    Ok(())
}

pub(super) fn hstrlen(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (now, field) = (context.now(), context.argument(2));
    let hash = used(context.access, context.keys[0])?;
    let entry = hash.and_then(|hash| hash.get(field, now));
    let value_bytes = entry.map_or(0, |(_, value, _)| value.len());
    context.reply.integer(value_bytes as i64);
    Ok(())
}

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]. Options are read
/// only where there is a hash to scan, as in Valkey.
pub(super) fn hscan(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let now = context.now();
    let cursor = parse_cursor(context.argument(2))?;
    let Some(hash) = used(context.access, context.keys[0])? else {
        context.reply.array(2);
        context.reply.bulk(b"0");
        context.reply.array(0);
        return Ok(());
    };
    let options = parse_scan(&context.arguments[3..], ScanTarget::Hash)?;
    let count = usize::try_from(options.count).unwrap_or(usize::MAX);
    let (next, mut entries) = hash.scan(cursor, count, now);
    if let Some(pattern) = options.pattern {
        entries.retain(|entry| matches(pattern, entry.0, Case::Sensitive));
    }
    let reply = &mut *context.reply;
    reply.array(2);
    reply.bulk(next.to_string().as_bytes());
    let each = if options.names_only { 1 } else { 2 };
    reply.array(entries.len().saturating_mul(each));
    for (field, value, _) in entries {
        reply.bulk(field);
        if !options.names_only {
            reply.bulk(value);
        }
    }
    Ok(())
}

/// HRANDFIELD key [count [WITHVALUES]]. A negative count allows repetition.
pub(super) fn hrandfield(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let now = context.now();
    let wanted = parse_random(&context.arguments[2..])?;
    let hash = used(context.access, context.keys[0])?;
    let Some(wanted) = wanted else {
        match hash.and_then(|hash| hash.random(context.random, now)) {
            Some((field, _, _)) => context.reply.bulk(field),
            None => context.reply.null(),
        }
        return Ok(());
    };
    let Some(hash) = hash else {
        context.reply.array(0);
        return Ok(());
    };
    let count = usize::try_from(wanted.count.unsigned_abs()).unwrap_or(usize::MAX);
    let entries = if wanted.count >= 0 {
        unique(hash, count, context.random, now)
    } else {
        let drawn = repeating(hash, count, context.random, now, REPEATED_MAX_BYTES);
        drawn.ok_or(CommandError::OutOfRange)?
    };
    reply_random(context.reply, &entries, wanted.values);
    Ok(())
}

/// With values RESP3 gets pairs, RESP2 one flat array.
fn reply_random(reply: &mut ReplyBuffer, entries: &[HashEntry<'_>], values: bool) {
    let paired = values && reply.version() == Version::Three;
    let each = if values && !paired { 2 } else { 1 };
    reply.array(entries.len().saturating_mul(each));
    for (field, value, _) in entries {
        if paired {
            reply.array(2);
        }
        reply.bulk(field);
        if values {
            reply.bulk(value);
        }
    }
}
