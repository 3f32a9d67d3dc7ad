//! Commands on many strings at once: MGET, MSET, MSETNX, MSETEX.
//!
//! Owns their meaning. Does not know how the keys are found: key number n of the
//! command stands before value number n. Runs under the locks of the access.

use crate::arguments::{Condition, Expiry, parse_msetex};
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;
use thermocline_base::UnixMillis;
use thermocline_store::EventClass;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("mget", mget),
    ("mset", mset),
    ("msetex", msetex),
    ("msetnx", msetnx),
];

fn mget(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    context.reply.array(context.keys.len());
    for key in context.keys {
        let entry = context.access.get(*key);
        match entry.map(|entry| entry.value.string()) {
            Some(Ok(bytes)) => context.reply.bulk(bytes),
            None | Some(Err(_)) => context.reply.null(),
        }
    }
    Ok(())
}

fn mset(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let pairs = pairs(context, "mset")?;
    put_all(context, pairs, Expiry::Unspecified);
    context.reply.simple("OK");
    Ok(())
}

fn msetnx(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let pairs = pairs(context, "msetnx")?;
    put_all_if(context, pairs, Some(Condition::Absent), Expiry::Unspecified);
    Ok(())
}

fn msetex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let arguments = context.arguments;
    let options = parse_msetex(&arguments[1..], context.now().0)?;
    put_all_if(context, options.pairs, options.condition, options.expiry);
    Ok(())
}

/// Keys and values in turn, all the request after its name.
fn pairs<'c, 'k>(
    context: &Context<'c, '_, 'k>,
    command: &'static str,
) -> Result<&'c [&'k [u8]], CommandError> {
    match context.arguments {
        [_, pairs @ ..] if pairs.len() % 2 == 0 => Ok(pairs),
        _ => Err(CommandError::WrongArity(command)),
    }
}

/// Sets all or none, and replies whether.
fn put_all_if(
    context: &mut Context<'_, '_, '_>,
    pairs: &[&[u8]],
    condition: Option<Condition<'_>>,
    expiry: Expiry,
) {
    let mut present = (0..context.keys.len()).map(|index| context.peek(index).is_some());
    let allowed = match condition {
        None => true,
        Some(Condition::Absent) => !present.any(|present| present),
        Some(_) => present.all(|present| present),
    };
    drop(present);
    if allowed {
        put_all(context, pairs, expiry);
    }
    context.reply.integer(allowed.into());
}

fn put_all(context: &mut Context<'_, '_, '_>, pairs: &[&[u8]], expiry: Expiry) {
    for index in 0..context.keys.len() {
        let Some(value) = pairs.get(2 * index + 1) else {
            break;
        };
        let given = expiry;
        let expiry = match given {
            Expiry::Unspecified | Expiry::Remove => None,
            Expiry::Keep => context.peek(index).and_then(|entry| entry.expiry),
            Expiry::At(at_ms) => Some(UnixMillis(at_ms)),
        };
        context.put_string(index, value, expiry);
        context.notify(EventClass::String, "set", index);
        if matches!(given, Expiry::At(_)) {
            context.notify(EventClass::Generic, "expire", index);
            if context.peek(index).is_none() {
                context.expired(index);
            }
        }
    }
}
