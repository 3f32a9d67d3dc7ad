//! Commands that read one set: SCARD, SISMEMBER, SMISMEMBER, SMEMBERS,
//! SRANDMEMBER, SSCAN.
//!
//! Owns their replies. INVARIANT: nothing here changes a key.

use super::super::draw::REPEATED_MAX_BYTES;
use super::{source, used};
use crate::arguments::{ScanTarget, parse_cursor, parse_integer, parse_scan};
use crate::context::{Context, Failure};
use crate::error::CommandError;
use crate::glob::{Case, matches};
use thermocline_types::set::Member;

pub(super) fn smembers(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let set = used(context.access, context.keys[0])?;
    context.reply.set(set.map_or(0, |set| set.len()));
    if let Some(set) = set {
        // Walked from inside: an iterator of every form is slow to ask step by step.
        set.iter().for_each(|member| context.reply.bulk(&member));
    }
    Ok(())
}

/// SRANDMEMBER key [count]. A negative count allows repetition.
pub(super) fn srandmember(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let count = match &context.arguments[2..] {
        [] => None,
        [count] => Some(parse_count(count)?),
        _ => return Err(CommandError::Syntax.into()),
    };
    let set = used(context.access, context.keys[0])?;
    let Some(count) = count else {
        match set.and_then(|set| set.random(context.random)) {
            Some(member) => context.reply.bulk(&member),
            None => context.reply.null(),
        }
        return Ok(());
    };
    let members = match set {
        None => Vec::new(),
        Some(set) => {
            let drawn = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            if count >= 0 {
                source(set).unique(drawn, context.random)
            } else {
                let bytes_of = |member: &Member<'_>| member.len();
                source(set)
                    .repeating(drawn, context.random, bytes_of, REPEATED_MAX_BYTES)
                    .ok_or(CommandError::OutOfRange)?
            }
        }
    };
    context.reply.array(members.len());
    for member in members {
        context.reply.bulk(&member);
    }
    Ok(())
}

/// A count whose negative can be told.
fn parse_count(bytes: &[u8]) -> Result<i64, CommandError> {
    let count = parse_integer(bytes)?;
    if count == i64::MIN {
        return Err(CommandError::OutOfBounds {
            least: -i64::MAX,
            greatest: i64::MAX,
        });
    }
    Ok(count)
}

/// SSCAN key cursor [MATCH pattern] [COUNT count]. Options are read only where
/// there is a set to scan, as in Valkey.
pub(super) fn sscan(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let cursor = parse_cursor(context.argument(2))?;
    let Some(set) = used(context.access, context.keys[0])? else {
        context.reply.array(2);
        context.reply.bulk(b"0");
        context.reply.array(0);
        return Ok(());
    };
    let options = parse_scan(&context.arguments[3..], ScanTarget::Set)?;
    let count = usize::try_from(options.count).unwrap_or(usize::MAX);
    let (next, mut members) = set.scan(cursor, count);
    if let Some(pattern) = options.pattern {
        members.retain(|member| matches(pattern, member, Case::Sensitive));
    }
    context.reply.array(2);
    context.reply.bulk(next.to_string().as_bytes());
    context.reply.array(members.len());
    for member in members {
        context.reply.bulk(&member);
    }
    Ok(())
}
