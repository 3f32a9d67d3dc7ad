//! Commands on one string: set it, get it, change a part of it.
//!
//! Owns their meaning. Does not know how a string is kept. Runs under the locks
//! of the access.

use super::readers;
use crate::arguments::{Condition, ExpireTime, ExpireUnit, Expiry};
use crate::arguments::{parse_getex, parse_integer, parse_set};
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;
use thermocline_base::UnixMillis;
use thermocline_store::EventClass;
use thermocline_types::Update;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("append", append),
    ("delifeq", delifeq),
    ("get", |context| context.read(readers::GET)),
    ("getdel", getdel),
    ("getex", getex),
    ("getrange", getrange),
    ("getset", getset),
    ("psetex", psetex),
    ("set", set),
    ("setex", setex),
    ("setnx", setnx),
    ("setrange", setrange),
    ("strlen", |context| context.read(readers::STRLEN)),
    ("substr", getrange),
];

fn set(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let value = context.argument(2);
    let options = &context.arguments[3..];
    if options.is_empty() {
        context.put_string(0, value, None);
        context.notify(EventClass::String, "set", 0);
        context.reply.simple("OK");
        return Ok(());
    }
    let options = parse_set(options, context.now().0)?;
    if options.get {
        context.reply_string(0)?;
    }
    let present = context.peek(0);
    let allowed = match options.condition {
        None => true,
        Some(Condition::Absent) => present.is_none(),
        Some(Condition::Present) => present.is_some(),
        Some(Condition::Equals(wanted)) => match present {
            None => false,
            Some(entry) => entry.value.string()? == wanted,
        },
    };
    if allowed {
        let expiry = match options.expiry {
            Expiry::Unspecified | Expiry::Remove => None,
            Expiry::Keep => present.and_then(|entry| entry.expiry),
            Expiry::At(at_ms) => Some(UnixMillis(at_ms)),
        };
        let was_there = present.is_some();
        context.put_string(0, value, expiry);
        match options.expiry {
            Expiry::At(at_ms) if at_ms <= context.now().0 => {
                if was_there {
                    context.expired(0);
                }
            }
            Expiry::At(_) => notify_set_expiring(context),
            _ => context.notify(EventClass::String, "set", 0),
        }
    }
    match (options.get, allowed) {
        (true, _) => {}
        (false, true) => context.reply.simple("OK"),
        (false, false) => context.reply.null(),
    }
    Ok(())
}

fn setnx(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let absent = context.peek(0).is_none();
    if absent {
        context.put_string(0, context.argument(2), None);
        context.notify(EventClass::String, "set", 0);
    }
    context.reply.integer(absent.into());
    Ok(())
}

fn setex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    set_expiring(context, ExpireUnit::Seconds, "setex")
}

fn psetex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    set_expiring(context, ExpireUnit::Milliseconds, "psetex")
}

fn set_expiring(
    context: &mut Context<'_, '_, '_>,
    unit: ExpireUnit,
    command: &'static str,
) -> Result<(), Failure> {
    let value = parse_integer(context.argument(2))?;
    let time = ExpireTime { value, unit };
    let at_ms = time.resolve_positive(context.now().0, command)?;
    context.put_string(0, context.argument(3), Some(UnixMillis(at_ms)));
    notify_set_expiring(context);
    context.reply.simple("OK");
    Ok(())
}

/// A string was set together with its expiry.
fn notify_set_expiring(context: &mut Context<'_, '_, '_>) {
    context.notify(EventClass::String, "set", 0);
    context.notify(EventClass::Generic, "expire", 0);
}

fn getset(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    context.reply_string(0)?;
    context.put_string(0, context.argument(2), None);
    context.notify(EventClass::String, "set", 0);
    Ok(())
}

fn getdel(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    context.reply_string(0)?;
    if context.delete(0) {
        context.notify(EventClass::Generic, "del", 0);
    }
    Ok(())
}

fn getex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let options = parse_getex(&context.arguments[2..], context.now().0)?;
    context.reply_string(0)?;
    match options.expiry {
        Expiry::Unspecified | Expiry::Keep => {}
        Expiry::Remove => remove_expiry(context),
        Expiry::At(at_ms) => {
            if context.set_expiry(0, Some(UnixMillis(at_ms))) {
                if at_ms <= context.now().0 {
                    context.expired(0);
                } else {
                    context.notify(EventClass::Generic, "expire", 0);
                }
            }
        }
    }
    Ok(())
}

/// Takes the expiry away, without an effect where there is none.
fn remove_expiry(context: &mut Context<'_, '_, '_>) {
    if context.peek(0).is_some_and(|entry| entry.expiry.is_some()) {
        context.set_expiry(0, None);
        context.notify(EventClass::Generic, "persist", 0);
    }
}

fn delifeq(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let equal = match context.peek(0) {
        None => false,
        Some(entry) => entry.value.string()? == context.argument(2),
    };
    if equal {
        context.delete(0);
        context.notify(EventClass::Generic, "del", 0);
    }
    context.reply.integer(equal.into());
    Ok(())
}

fn append(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let added = context.argument(2);
    let present_bytes = string_bytes(context)?.unwrap_or(0);
    let length = grown(context, present_bytes as u64, added.len())?;
    context.update(0, &Update::StringAppend(added))?;
    context.notify(EventClass::String, "append", 0);
    context.reply.integer(length);
    Ok(())
}

fn setrange(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let offset = parse_integer(context.argument(2))?;
    let offset = u64::try_from(offset).map_err(|_| CommandError::OffsetOutOfRange)?;
    let written = context.argument(3);
    let present_bytes = string_bytes(context)?.unwrap_or(0) as i64;
    if written.is_empty() {
        context.reply.integer(present_bytes);
        return Ok(());
    }
    let end = grown(context, offset, written.len())?;
    let bytes = written;
    context.update(0, &Update::StringSetRange { offset, bytes })?;
    context.notify(EventClass::String, "setrange", 0);
    context.reply.integer(end.max(present_bytes));
    Ok(())
}

/// How long the string at key 0 is, in bytes.
fn string_bytes(context: &Context<'_, '_, '_>) -> Result<Option<usize>, Failure> {
    match context.peek(0) {
        None => Ok(None),
        Some(entry) => Ok(Some(entry.value.string()?.len())),
    }
}

/// `offset + added`, if a string may be that long.
fn grown(context: &Context<'_, '_, '_>, offset: u64, added: usize) -> Result<i64, CommandError> {
    let bytes = offset.saturating_add(added as u64);
    if bytes > context.string_max_bytes as u64 {
        return Err(CommandError::StringTooLong);
    }
    i64::try_from(bytes).map_err(|_| CommandError::StringTooLong)
}

fn getrange(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let start = parse_integer(context.argument(2))?;
    let end = parse_integer(context.argument(3))?;
    match context.access.get(context.keys[0]) {
        None => context.reply.bulk(b""),
        Some(entry) => context.reply.bulk(range(entry.value.string()?, start, end)),
    }
    Ok(())
}

/// The bytes from `start` to `end`, both included; negative ones count from
/// behind.
fn range(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let length = bytes.len() as i64;
    let from_behind = |index: i64| {
        let index = if index < 0 { index + length } else { index };
        index.max(0)
    };
    let (start, end) = (from_behind(start), from_behind(end).min(length - 1));
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) => bytes.get(start..=end).unwrap_or_default(),
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_as_in_valkey() {
        for (start, end, expected) in [
            (0, -1, "hello"),
            (1, 3, "ell"),
            (-3, -2, "ll"),
            (-2, -3, ""),
            (-100, 1, "he"),
            (-100, -50, "h"),
            (4, 100, "o"),
            (5, 100, ""),
            (3, 1, ""),
            (i64::MIN, i64::MAX, "hello"),
            (i64::MAX, i64::MIN, ""),
            (i64::MIN, i64::MIN, "h"),
            (i64::MAX, i64::MAX, ""),
        ] {
            let found = range(b"hello", start, end);
            assert_eq!(found, expected.as_bytes(), "{start} {end}");
        }
        assert_eq!(range(b"", 0, -1), b"");
        assert_eq!(range(b"", i64::MIN, 0), b"");
    }
}
