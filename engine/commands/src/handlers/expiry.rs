//! When keys expire: EXPIRE, TTL and their kin.
//!
//! Owns their meaning. Does not own what becomes of an expired key. Runs under
//! the locks of the access. The log gets the absolute time; a time that has
//! passed deletes the key.

use super::readers;
use crate::arguments::{ExpireUnit, parse_expire};
use crate::context::{Context, Failure, Handler};
use thermocline_base::UnixMillis;
use thermocline_store::EventClass;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("expire", |context| {
        expire(context, ExpireUnit::Seconds, "expire")
    }),
    ("expireat", |context| {
        expire(context, ExpireUnit::UnixSeconds, "expireat")
    }),
    ("expiretime", |context| tell(context, seconds)),
    ("persist", persist),
    ("pexpire", |context| {
        expire(context, ExpireUnit::Milliseconds, "pexpire")
    }),
    ("pexpireat", |context| {
        expire(context, ExpireUnit::UnixMilliseconds, "pexpireat")
    }),
    ("pexpiretime", |context| tell(context, |at_ms| at_ms)),
    ("pttl", |context| context.read(readers::PTTL)),
    ("ttl", |context| context.read(readers::TTL)),
];

fn expire(
    context: &mut Context<'_, '_, '_>,
    unit: ExpireUnit,
    command: &'static str,
) -> Result<(), Failure> {
    let arguments = context.arguments;
    let (at_ms, condition) = parse_expire(
        context.argument(2),
        &arguments[3..],
        unit,
        context.now().0,
        command,
    )?;
    let allowed = context.peek(0).is_some_and(|entry| {
        let present_ms = entry.expiry.map(|expiry| expiry.0);
        condition.allows(present_ms, at_ms)
    });
    if allowed {
        if at_ms <= context.now().0 {
            context.delete(0);
            context.expired(0);
        } else {
            context.set_expiry(0, Some(UnixMillis(at_ms)));
            context.notify(EventClass::Generic, "expire", 0);
        }
    }
    context.reply.integer(allowed.into());
    Ok(())
}

fn persist(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let expires = context.peek(0).is_some_and(|entry| entry.expiry.is_some());
    if expires {
        context.set_expiry(0, None);
        context.notify(EventClass::Generic, "persist", 0);
    }
    context.reply.integer(expires.into());
    Ok(())
}

/// Replies what `answer` makes of the key's expiry and the time, both in Unix
/// milliseconds; -1 for a key that does not expire, -2 for none.
fn tell(context: &mut Context<'_, '_, '_>, unit: fn(i64) -> i64) -> Result<(), Failure> {
    let number = match context.look(0) {
        None => -2,
        Some(entry) => match entry.expiry {
            None => -1,
            Some(expiry) => unit(expiry.0),
        },
    };
    context.reply.integer(number);
    Ok(())
}

pub(super) fn left_ms(at_ms: i64, now_ms: i64) -> i64 {
    at_ms.saturating_sub(now_ms).max(0)
}

/// Rounded to the nearest.
pub(super) fn seconds(milliseconds: i64) -> i64 {
    milliseconds.saturating_add(500) / 1000
}
