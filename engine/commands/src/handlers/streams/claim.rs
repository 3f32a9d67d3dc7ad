//! XCLAIM and XAUTOCLAIM: pending entries given to another consumer.
//!
//! Owns their meaning. Runs under the locks of the access. A pending entry that is no longer
//! in the stream goes when it is met.

use super::{notify_if_new, peek, put_entry, put_id, update};
use crate::arguments::{parse_integer, parse_interval_start, parse_stream_id};
use crate::context::{Context, Failure};
use crate::error::{CommandError, StreamError, streams as errors};
use crate::reply::ReplyBuffer;
use thermocline_base::UnixMillis;
use thermocline_types::stream::Group;
use thermocline_types::{Stream, StreamId, StreamUpdate};

/// Pending entries XAUTOCLAIM looks at for each one it may give.
const ATTEMPTS: usize = 10;
/// The most XAUTOCLAIM is asked for.
const COUNT_MAX: i64 = i64::MAX / 16;

/// The stream and the group named by arguments 1 and 2.
fn find<'a>(context: &'a Context<'_, '_, '_>) -> Result<(&'a Stream, &'a Group), Failure> {
    let (key, name) = (context.argument(1), context.argument(2));
    let stream = peek(context, 0)?;
    let found = stream.and_then(|stream| Some((stream, stream.group(name)?)));
    Ok(found.ok_or_else(|| StreamError::no_key_or_group(key, name))?)
}

/// Notes that the consumer, argument 3, was seen, and active if it got something.
fn touch(context: &mut Context<'_, '_, '_>, is_active: bool) -> Result<(), Failure> {
    let (group, consumer) = (context.argument(2), context.argument(3));
    notify_if_new(context, 0, (group, consumer))?;
    let seen_at = context.now();
    let active_at = is_active.then_some(seen_at);
    update(
        context,
        0,
        StreamUpdate::TouchConsumer {
            group,
            consumer,
            seen_at,
            active_at,
        },
    )
}

fn deliver(
    context: &mut Context<'_, '_, '_>,
    entries: Vec<(StreamId, UnixMillis, u64)>,
) -> Result<(), Failure> {
    let (group, consumer) = (context.argument(2), context.argument(3));
    update(
        context,
        0,
        StreamUpdate::Deliver {
            group,
            consumer,
            entries,
        },
    )
}

fn acknowledge(context: &mut Context<'_, '_, '_>, ids: Vec<StreamId>) -> Result<(), Failure> {
    let group = context.argument(2);
    update(context, 0, StreamUpdate::Acknowledge { group, ids })
}

#[derive(Default)]
struct ClaimOptions {
    is_forced: bool,
    only_ids: bool,
    delivered_at_ms: Option<i64>,
    retries: Option<u64>,
    last_id: StreamId,
}

fn parse_claim(words: &[&[u8]], now_ms: i64) -> Result<ClaimOptions, CommandError> {
    let mut options = ClaimOptions::default();
    let mut rest = words;
    while let [word, after @ ..] = rest {
        rest = after;
        let name = word.to_ascii_lowercase();
        match (name.as_slice(), after) {
            (b"force", _) => options.is_forced = true,
            (b"justid", _) => options.only_ids = true,
            (b"idle", [value, after @ ..]) => {
                let idle_ms = parse_integer(value).map_err(|_| errors::CLAIM_IDLE)?;
                options.delivered_at_ms = Some(now_ms.wrapping_sub(idle_ms));
                rest = after;
            }
            (b"time", [value, after @ ..]) => {
                let at_ms = parse_integer(value).map_err(|_| errors::CLAIM_TIME)?;
                options.delivered_at_ms = Some(at_ms);
                rest = after;
            }
            (b"retrycount", [value, after @ ..]) => {
                let retries = parse_integer(value).map_err(|_| errors::CLAIM_RETRIES)?;
                options.retries = u64::try_from(retries).ok();
                rest = after;
            }
            (b"lastid", [value, after @ ..]) => {
                options.last_id = parse_stream_id(value)?;
                rest = after;
            }
            _ => return Err(StreamError::unknown_claim_option(word).into()),
        }
    }
    // A time to come, or before 1970, is now.
    let given = options.delivered_at_ms;
    options.delivered_at_ms = given.filter(|at_ms| (0..=now_ms).contains(at_ms));
    Ok(options)
}

pub(super) fn xclaim(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    context.look(0);
    find(context)?;
    let min_idle_ms = parse_integer(context.argument(4)).map_err(|_| errors::CLAIM_IDLE_TIME)?;
    let words = &context.arguments[5..];
    let ids = words.iter().map_while(|word| parse_stream_id(word).ok());
    let ids: Vec<StreamId> = ids.collect();
    let now_ms = context.now().0;
    let options = parse_claim(&words[ids.len()..], now_ms)?;
    let (_, group) = find(context)?;
    if options.last_id > group.last_id {
        let (entries_read, last_id) = (group.entries_read, options.last_id);
        let group = context.argument(2);
        update(
            context,
            0,
            StreamUpdate::SetGroupId {
                group,
                last_id,
                entries_read,
            },
        )?;
    }
    touch(context, false)?;
    let mut claimed = context.reply.sibling();
    let mut count = 0;
    for id in ids {
        if claim(context, id, min_idle_ms, &options)? {
            let (stream, _) = find(context)?;
            put_claimed(&mut claimed, stream, id, options.only_ids);
            count += 1;
        }
    }
    if count > 0 {
        touch(context, true)?;
    }
    context.reply.array(count);
    context.reply.append(&claimed);
    Ok(())
}

fn put_claimed(reply: &mut ReplyBuffer, stream: &Stream, id: StreamId, only_id: bool) {
    match stream.entry(id) {
        Some(entry) if !only_id => put_entry(reply, &entry),
        _ => put_id(reply, id),
    }
}

/// Gives one entry to the consumer; whether it did.
fn claim(
    context: &mut Context<'_, '_, '_>,
    id: StreamId,
    min_idle_ms: i64,
    options: &ClaimOptions,
) -> Result<bool, Failure> {
    let now_ms = context.now().0;
    let (stream, group) = find(context)?;
    let pending = group.pending(id);
    if !stream.contains(id) {
        if pending.is_some() {
            acknowledge(context, vec![id])?;
        }
        return Ok(false);
    }
    let before = match pending {
        None if !options.is_forced => return Ok(false),
        // As if it had been delivered once.
        None => 1,
        Some(pending) => {
            let idle_ms = now_ms.wrapping_sub(pending.delivered_at.0);
            if min_idle_ms > 0 && idle_ms < min_idle_ms {
                return Ok(false);
            }
            pending.deliveries
        }
    };
    let deliveries = match options.retries {
        Some(retries) => retries,
        None if options.only_ids => before,
        None => before.saturating_add(1),
    };
    let at = UnixMillis(options.delivered_at_ms.unwrap_or(now_ms));
    deliver(context, vec![(id, at, deliveries)])?;
    Ok(true)
}

pub(super) fn xautoclaim(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let min_idle_ms =
        parse_integer(context.argument(4)).map_err(|_| errors::AUTOCLAIM_IDLE_TIME)?;
    let start = parse_interval_start(context.argument(5))?;
    let (mut count, mut only_ids) = (100, false);
    let mut rest = &context.arguments[6..];
    while let [word, after @ ..] = rest {
        rest = after;
        if word.eq_ignore_ascii_case(b"justid") {
            only_ids = true;
        } else if let [number, after @ ..] = after
            && word.eq_ignore_ascii_case(b"count")
        {
            let number = parse_integer(number).ok();
            let number = number.filter(|number| (1..=COUNT_MAX).contains(number));
            count = number.ok_or(errors::COUNT_NOT_POSITIVE)?;
            rest = after;
        } else {
            return Err(CommandError::Syntax.into());
        }
    }
    let mut count = usize::try_from(count).unwrap_or(usize::MAX);
    let now = context.now();
    context.look(0);
    let (stream, group) = find(context)?;
    let (mut given, mut gone, mut next) = (Vec::new(), Vec::new(), StreamId::MIN);
    let mut attempts = count.saturating_mul(ATTEMPTS);
    for (id, pending) in group.pending_from(start) {
        if attempts == 0 || count == 0 {
            next = id;
            break;
        }
        attempts -= 1;
        if !stream.contains(id) {
            gone.push(id);
            count -= 1;
            continue;
        }
        if min_idle_ms > 0 && now.0.wrapping_sub(pending.delivered_at.0) < min_idle_ms {
            continue;
        }
        let deliveries = pending.deliveries.saturating_add(u64::from(!only_ids));
        given.push((id, now, deliveries));
        count -= 1;
    }
    let mut claimed = context.reply.sibling();
    for (id, _, _) in &given {
        put_claimed(&mut claimed, stream, *id, only_ids);
    }
    let reply = &mut *context.reply;
    reply.array(3);
    put_id(reply, next);
    reply.array(given.len());
    reply.append(&claimed);
    reply.array(gone.len());
    for id in &gone {
        put_id(reply, *id);
    }
    touch(context, !given.is_empty())?;
    if !gone.is_empty() {
        acknowledge(context, gone)?;
    }
    if !given.is_empty() {
        deliver(context, given)?;
    }
    Ok(())
}
