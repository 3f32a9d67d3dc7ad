//! The expire times of fields: HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HTTL,
//! HPTTL, HEXPIRETIME, HPEXPIRETIME, HPERSIST.
//!
//! Owns the numbers replied for each field. Does not own when an expired field
//! goes. INVARIANT: a time that has passed deletes the field at once, so no
//! update ever holds one.

use super::options::{Fields, parse_expire_fields, parse_field_time, parse_fields};
use super::write::held;
use super::{repeated, seen, used};
use crate::arguments::{ExpireCondition, ExpireUnit};
use crate::context::{Context, Failure};
use crate::error::CommandError;
use thermocline_base::UnixMillis;
use thermocline_store::EventClass;
use thermocline_types::Update;

/// The field or its hash is not there.
const NO_FIELD: i64 = -2;
/// The field does not expire.
const NO_EXPIRY: i64 = -1;
/// The condition forbids the change.
const REFUSED: i64 = 0;
/// The expire time was set or removed.
const CHANGED: i64 = 1;
/// The time has passed, so the field was deleted.
const DELETED: i64 = 2;

pub(super) fn hexpire(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    set_time(context, ExpireUnit::Seconds, "hexpire")
}

pub(super) fn hpexpire(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    set_time(context, ExpireUnit::Milliseconds, "hpexpire")
}

pub(super) fn hexpireat(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    set_time(context, ExpireUnit::UnixSeconds, "hexpireat")
}

pub(super) fn hpexpireat(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    set_time(context, ExpireUnit::UnixMilliseconds, "hpexpireat")
}

fn set_time(
    context: &mut Context<'_, '_, '_>,
    unit: ExpireUnit,
    command: &'static str,
) -> Result<(), Failure> {
    let now = context.now();
    let (condition, fields) = parse_expire_fields(&context.arguments[3..])?;
    let point = parse_field_time(context.argument(2), unit, now, command)?;
    seen(context.access, context.keys[0])?;
    context.reply.array(fields.len());
    if point <= now {
        delete_allowed(context, condition, fields, point)?;
        return delete_expired(context, fields);
    }
    let mut changed = false;
    for field in fields {
        // Looked up anew each time: the same field may stand here twice.
        let code = match expiry_of(context, field)? {
            None => NO_FIELD,
            Some(present) if !allows(condition, present, point) => REFUSED,
            Some(_) => {
                let expiry = Some(point);
                context.update(0, &Update::HashExpire { field, expiry })?;
                changed = true;
                CHANGED
            }
        };
        context.reply.integer(code);
    }
    if changed {
        context.notify(EventClass::Hash, "hexpire", 0);
    }
    delete_expired(context, fields)
}

fn allows(condition: ExpireCondition, present: Option<UnixMillis>, point: UnixMillis) -> bool {
    condition.allows(present.map(|present| present.0), point.0)
}

/// When a live field expires (`Some(None)`: never); `None` if it is not there.
fn expiry_of(
    context: &Context<'_, '_, '_>,
    field: &[u8],
) -> Result<Option<Option<UnixMillis>>, Failure> {
    let hash = seen(context.access, context.keys[0])?;
    let entry = hash.and_then(|hash| hash.get(field, context.now()));
    Ok(entry.map(|entry| entry.2))
}

/// The fields whose condition holds go, all in one update.
fn delete_allowed(
    context: &mut Context<'_, '_, '_>,
    condition: ExpireCondition,
    fields: Fields<'_, '_>,
    point: UnixMillis,
) -> Result<(), Failure> {
    let mut deleted = Vec::new();
    for (field, again) in fields.iter().zip(repeated(fields)) {
        let code = match expiry_of(context, field)? {
            None => NO_FIELD,
            Some(present) if !allows(condition, present, point) => REFUSED,
            Some(_) if again => NO_FIELD,
            Some(_) => {
                deleted.push(*field);
                DELETED
            }
        };
        context.reply.integer(code);
    }
    expire_fields(context, deleted)
}

/// Deletes fields whose time has come, if there are any.
pub(super) fn expire_fields(
    context: &mut Context<'_, '_, '_>,
    fields: Vec<&[u8]>,
) -> Result<(), Failure> {
    if !fields.is_empty() {
        let count = fields.len();
        context.update(0, &Update::HashDelete { fields })?;
        context.access.count_expired_fields(context.keys[0], count);
        context.notify(EventClass::Hash, "hexpired", 0);
        context.notify_if_gone(0);
    }
    Ok(())
}

/// Deletes those of `fields` that have expired: the command met them.
pub(super) fn delete_expired(
    context: &mut Context<'_, '_, '_>,
    fields: Fields<'_, '_>,
) -> Result<(), Failure> {
    let now = context.now();
    let Some(hash) = seen(context.access, context.keys[0])? else {
        return Ok(());
    };
    if hash
        .earliest_expiry_hint()
        .is_none_or(|earliest| now <= earliest)
    {
        return Ok(());
    }
    let (mut fields, _) = held(hash, fields, now);
    fields.retain(|field| !hash.contains(field, now));
    expire_fields(context, fields)
}

pub(super) fn hpersist(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let fields = parse_fields(&context.arguments[2..], CommandError::InvalidFieldCount)?;
    seen(context.access, context.keys[0])?;
    context.reply.array(fields.len());
    let mut changed = false;
    for field in fields {
        let code = match expiry_of(context, field)? {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(_)) => {
                let expiry = None;
                context.update(0, &Update::HashExpire { field, expiry })?;
                changed = true;
                CHANGED
            }
        };
        context.reply.integer(code);
    }
    if changed {
        context.notify(EventClass::Hash, "hpersist", 0);
    }
    delete_expired(context, fields)
}

pub(super) fn httl(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let now = context.now();
    reply_times(context, |expiry| rounded_seconds(left_ms(expiry, now)))
}

pub(super) fn hpttl(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let now = context.now();
    reply_times(context, |expiry| left_ms(expiry, now))
}

pub(super) fn hexpiretime(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply_times(context, |expiry| rounded_seconds(expiry.0))
}

pub(super) fn hpexpiretime(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply_times(context, |expiry| expiry.0)
}

fn left_ms(expiry: UnixMillis, now: UnixMillis) -> i64 {
    expiry.0.saturating_sub(now.0).max(0)
}

/// To the nearest second, without overflow at the last millisecond there is.
fn rounded_seconds(ms: i64) -> i64 {
    ms / 1000 + i64::from(ms % 1000 >= 500)
}

fn reply_times(
    context: &mut Context<'_, '_, '_>,
    shown: impl Fn(UnixMillis) -> i64,
) -> Result<(), Failure> {
    let now = context.now();
    // A wrong number of fields is a syntax error here and only here.
    let fields = parse_fields(&context.arguments[2..], CommandError::Syntax)?;
    let hash = used(context.access, context.keys[0])?;
    context.reply.array(fields.len());
    for field in fields {
        let entry = hash.and_then(|hash| hash.get(field, now));
        context.reply.integer(match entry {
            None => NO_FIELD,
            Some((_, _, None)) => NO_EXPIRY,
            Some((_, _, Some(expiry))) => shown(expiry),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_to_the_nearest() {
        for (ms, seconds) in [
            (0, 0),
            (499, 0),
            (500, 1),
            (99_999_999_999_499, 99_999_999_999),
            (99_999_999_999_500, 100_000_000_000),
            (i64::MAX, 9_223_372_036_854_776),
        ] {
            assert_eq!(rounded_seconds(ms), seconds);
        }
    }

    #[test]
    fn time_left_is_never_negative() {
        assert_eq!(left_ms(UnixMillis(5), UnixMillis(7)), 0);
        assert_eq!(left_ms(UnixMillis(i64::MAX), UnixMillis(-1)), i64::MAX);
    }
}
