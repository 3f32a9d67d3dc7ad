//! HGETEX and HSETEX: values and expire times of fields in one command.
//!
//! Owns the order in which their conditions are looked at, which is Valkey's.
//! INVARIANT: a time that has passed deletes the fields at once, so no update
//! ever holds one.

use super::expire::{delete_expired, expire_fields};
use super::options::{
    FieldExpiry, FieldOptions, Fields, Presence, parse_field_time, parse_hgetex, parse_hsetex,
};
use super::write::held;
use super::{repeated, reply_value, seen, used};
use crate::context::{Context, Failure};
use thermocline_base::UnixMillis;
use thermocline_store::EventClass;
use thermocline_types::{HashEntry, HashRef, Update};

/// HSETEX key [NX | XX] [FNX | FXX] [EX | PX | EXAT | PXAT time | KEEPTTL]
/// FIELDS number field value …
pub(super) fn hsetex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let now = context.now();
    let (options, pairs) = parse_hsetex(&context.arguments[1..])?;
    let (pairs, _) = pairs.as_chunks::<2>();
    let hash = seen(context.access, context.keys[0])?;
    if !holds(options.key, hash.is_some()) {
        context.reply.integer(0);
        return Ok(());
    }
    let expiry = time_of(options, now, "hsetex")?;
    let present = |field: &[u8]| hash.is_some_and(|hash| hash.contains(field, now));
    if !pairs
        .iter()
        .all(|[field, _]| holds(options.field, present(field)))
    {
        context.reply.integer(0);
        return Ok(());
    }
    if expiry.is_some_and(|expiry| expiry <= now) {
        let fields: Vec<&[u8]> = pairs.iter().map(|[field, _]| *field).collect();
        let was_there = hash.is_some();
        let fields = hash.map_or(Vec::new(), |hash| held(hash, &fields, now).0);
        // They are set and expire at once, told as such.
        if !was_there {
            context.notify(EventClass::New, "new", 0);
        }
        context.notify(EventClass::Hash, "hset", 0);
        context.notify(EventClass::Hash, "hexpire", 0);
        if fields.is_empty() {
            context.notify(EventClass::Hash, "hexpired", 0);
            context.notify_if_gone(0);
        }
        expire_fields(context, fields)?;
    } else {
        let kept = |field: &[u8]| match options.expiry {
            FieldExpiry::Keep => hash.and_then(|hash| hash.get(field, now)?.2),
            _ => expiry,
        };
        let fields: Vec<HashEntry<'_>> = pairs
            .iter()
            .map(|[field, value]| (*field, *value, kept(field)))
            .collect();
        context.update(0, &Update::HashSet { fields })?;
        context.notify(EventClass::Hash, "hset", 0);
        if expiry.is_some() {
            context.notify(EventClass::Hash, "hexpire", 0);
        }
    }
    context.reply.integer(1);
    Ok(())
}

fn holds(condition: Option<Presence>, present: bool) -> bool {
    match condition {
        None => true,
        Some(Presence::Absent) => !present,
        Some(Presence::Present) => present,
    }
}

fn time_of(
    options: FieldOptions<'_>,
    now: UnixMillis,
    command: &'static str,
) -> Result<Option<UnixMillis>, Failure> {
    let FieldExpiry::Time(unit, time) = options.expiry else {
        return Ok(None);
    };
    Ok(Some(parse_field_time(time, unit, now, command)?))
}

/// HGETEX key [EX | PX | EXAT | PXAT time | PERSIST] FIELDS number field …
pub(super) fn hgetex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let now = context.now();
    let (options, fields) = parse_hgetex(&context.arguments[1..])?;
    let hash = used(context.access, context.keys[0])?;
    let expiry = time_of(options, now, "hgetex")?;
    let delete = expiry.is_some_and(|expiry| expiry <= now);
    context.reply.array(fields.len());
    for (field, again) in fields.iter().zip(repeated(fields)) {
        // What the command deletes is gone when it is named again.
        let hash = hash.filter(|_| !(delete && again));
        reply_value(context.reply, hash, field, now);
    }
    let Some(hash) = hash else { return Ok(()) };
    if delete {
        let (fields, _) = held(hash, fields, now);
        expire_fields(context, fields)?;
    } else if expiry.is_some() || options.expiry == FieldExpiry::Remove {
        let changed = changed_by(hash, fields, expiry, now);
        let is_told = match expiry {
            Some(_) => fields.iter().any(|field| hash.contains(field, now)),
            None => !changed.is_empty(),
        };
        for field in changed {
            context.update(0, &Update::HashExpire { field, expiry })?;
        }
        if is_told {
            let event = if expiry.is_some() {
                "hexpire"
            } else {
                "hpersist"
            };
            context.notify(EventClass::Hash, event, 0);
        }
        delete_expired(context, fields)?;
    }
    Ok(())
}

/// Those of `fields` that are there and expire at another time.
fn changed_by<'k>(
    hash: HashRef<'_>,
    fields: Fields<'_, 'k>,
    expiry: Option<UnixMillis>,
    now: UnixMillis,
) -> Vec<&'k [u8]> {
    let mut changed = fields.to_vec();
    changed.sort_unstable();
    changed.dedup();
    changed.retain(|field| {
        let entry = hash.get(field, now);
        entry.is_some_and(|(_, _, present)| present != expiry)
    });
    changed
}
