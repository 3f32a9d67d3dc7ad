//! Commands that change fields: HSET, HMSET, HSETNX, HDEL, HGETDEL, HINCRBY,
//! HINCRBYFLOAT.
//!
//! Owns their replies and the one update each makes. INVARIANT: everything that
//! can fail is looked at before the update.

use super::options::parse_fields;
use super::{repeated, reply_value, seen};
use crate::arguments::parse_integer;
use crate::context::{Context, Failure};
use crate::error::CommandError;
use thermocline_base::UnixMillis;
use thermocline_store::EventClass;
use thermocline_types::number::{self, LongDouble};
use thermocline_types::{HashEntry, HashRef, Update};

pub(super) fn hset(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let created = set_pairs(context, "hset")?;
    context.reply.integer(created as i64);
    Ok(())
}

pub(super) fn hmset(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    set_pairs(context, "hmset")?;
    context.reply.simple("OK");
    Ok(())
}

/// Sets the fields given; how many were not there before. Their expire times
/// are gone afterwards.
fn set_pairs(context: &mut Context<'_, '_, '_>, command: &'static str) -> Result<usize, Failure> {
    let (pairs, rest) = context.arguments[2..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(CommandError::WrongArity(command).into());
    }
    let now = context.now();
    let hash = seen(context.access, context.keys[0])?;
    let mut created: Vec<&[u8]> = pairs.iter().map(|[field, _]| *field).collect();
    created.retain(|field| hash.is_none_or(|hash| !hash.contains(field, now)));
    created.sort_unstable();
    created.dedup();
    let created = created.len();
    let fields: Vec<HashEntry<'_>> = pairs
        .iter()
        .map(|[field, value]| (*field, *value, None))
        .collect();
    context.update(0, &Update::HashSet { fields })?;
    context.notify(EventClass::Hash, "hset", 0);
    Ok(created)
}

pub(super) fn hsetnx(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (now, field, value) = (context.now(), context.argument(2), context.argument(3));
    let hash = seen(context.access, context.keys[0])?;
    let absent = hash.is_none_or(|hash| !hash.contains(field, now));
    if absent {
        set_one(context, (field, value, None))?;
        context.notify(EventClass::Hash, "hset", 0);
    }
    context.reply.integer(i64::from(absent));
    Ok(())
}

fn set_one(context: &mut Context<'_, '_, '_>, entry: HashEntry<'_>) -> Result<(), Failure> {
    let fields = vec![entry];
    context.update(0, &Update::HashSet { fields })
}

/// Those of `fields` that the hash holds, expired or not, each once: what is
/// to be deleted; and how many of them are live.
pub(super) fn held<'k>(
    hash: HashRef<'_>,
    fields: &[&'k [u8]],
    now: UnixMillis,
) -> (Vec<&'k [u8]>, usize) {
    let mut held = fields.to_vec();
    held.sort_unstable();
    held.dedup();
    let mut live = 0;
    held.retain(|field| {
        let entry = hash.get(field, thermocline_types::hash::SHOW_EXPIRED);
        let is_live = |(.., expiry): HashEntry<'_>| expiry.is_none_or(|expiry| now <= expiry);
        live += usize::from(entry.is_some_and(is_live));
        entry.is_some()
    });
    (held, live)
}

pub(super) fn hdel(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let now = context.now();
    let hash = seen(context.access, context.keys[0])?;
    let (fields, deleted) = match hash {
        Some(hash) => held(hash, &context.arguments[2..], now),
        None => (Vec::new(), 0),
    };
    delete_fields(context, fields, deleted)?;
    context.reply.integer(deleted as i64);
    Ok(())
}

/// HGETDEL key FIELDS number field …; a field named again is gone by then.
pub(super) fn hgetdel(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let now = context.now();
    let fields = parse_fields(&context.arguments[2..], CommandError::InvalidFieldCount)?;
    let hash = seen(context.access, context.keys[0])?;
    context.reply.array(fields.len());
    for (field, gone) in fields.iter().zip(repeated(fields)) {
        reply_value(context.reply, hash.filter(|_| !gone), field, now);
    }
    let (fields, live) = hash.map_or((Vec::new(), 0), |hash| held(hash, fields, now));
    delete_fields(context, fields, live)
}

/// Deletes fields that are there, of which so many had not expired.
fn delete_fields(
    context: &mut Context<'_, '_, '_>,
    fields: Vec<&[u8]>,
    live: usize,
) -> Result<(), Failure> {
    if fields.is_empty() {
        return Ok(());
    }
    if fields.len() > live {
        context.notify(EventClass::Hash, "hexpired", 0);
    }
    context.update(0, &Update::HashDelete { fields })?;
    if live > 0 {
        context.notify(EventClass::Hash, "hdel", 0);
    }
    context.notify_if_gone(0);
    Ok(())
}

pub(super) fn hincrby(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (now, field) = (context.now(), context.argument(2));
    let increment = parse_integer(context.argument(3))?;
    let hash = seen(context.access, context.keys[0])?;
    let (value, expiry) = match hash.and_then(|hash| hash.get(field, now)) {
        Some((_, value, expiry)) => {
            let value = parse_integer(value).map_err(|_| CommandError::HashValueNotInteger)?;
            (value, expiry)
        }
        None => (0, None),
    };
    let sum = value.checked_add(increment).ok_or(CommandError::Overflow)?;
    set_one(context, (field, &number::integer_bytes(sum), expiry))?;
    context.notify(EventClass::Hash, "hincrby", 0);
    context.reply.integer(sum);
    Ok(())
}

pub(super) fn hincrbyfloat(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (now, field) = (context.now(), context.argument(2));
    let increment = LongDouble::parse(context.argument(3)).ok_or(CommandError::NotFloat)?;
    if !increment.is_finite() {
        return Err(CommandError::IncrementNotFinite.into());
    }
    let hash = seen(context.access, context.keys[0])?;
    let (value, expiry) = match hash.and_then(|hash| hash.get(field, now)) {
        Some((_, value, expiry)) => (LongDouble::parse(value), expiry),
        None => (LongDouble::parse(b"0"), None),
    };
    let value = value.ok_or(CommandError::HashValueNotFloat)?;
    let sum = value
        .checked_add(increment)
        .ok_or(CommandError::NotFinite)?;
    let sum = sum.to_string();
    set_one(context, (field, sum.as_bytes(), expiry))?;
    context.notify(EventClass::Hash, "hincrbyfloat", 0);
    context.reply.bulk(sum.as_bytes());
    Ok(())
}
