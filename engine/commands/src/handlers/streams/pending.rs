//! XACK and XPENDING: what was delivered and is not acknowledged.
//!
//! Owns their meaning. Runs under the locks of the access.

use super::{peek, put_id, update};
use crate::arguments::{parse_integer, parse_interval, parse_stream_id};
use crate::context::{Context, Failure};
use crate::error::{CommandError, StreamError};
use std::ops::RangeInclusive;
use thermocline_types::stream::{Group, Pending};
use thermocline_types::{StreamId, StreamUpdate};

pub(super) fn xack(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let group = context.argument(2);
    context.look(0);
    if peek(context, 0)?.is_none_or(|stream| stream.group(group).is_none()) {
        context.reply.integer(0);
        return Ok(());
    }
    let ids = context.arguments[3..].iter().map(|id| parse_stream_id(id));
    let mut ids = ids.collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    let found = peek(context, 0)?.and_then(|stream| stream.group(group));
    ids.retain(|id| found.is_some_and(|group| group.pending(*id).is_some()));
    let count = ids.len();
    if count > 0 {
        update(context, 0, StreamUpdate::Acknowledge { group, ids })?;
    }
    context.reply.integer(count as i64);
    Ok(())
}

/// Which pending entries are asked for.
struct Filter<'k> {
    ids: RangeInclusive<StreamId>,
    count: usize,
    min_idle_ms: i64,
    consumer: Option<&'k [u8]>,
}

fn parse_filter<'k>(words: &[&'k [u8]]) -> Result<Filter<'k>, CommandError> {
    let mut min_idle_ms = 0;
    let mut rest = words;
    if let [word, idle, after @ ..] = words
        && word.eq_ignore_ascii_case(b"idle")
    {
        min_idle_ms = parse_integer(idle)?;
        rest = after;
    }
    let (start, end, count, consumer) = match rest {
        [start, end, count] => (start, end, count, None),
        [start, end, count, consumer, ..] => (start, end, count, Some(*consumer)),
        _ => return Err(CommandError::Syntax),
    };
    let count = usize::try_from(parse_integer(count)?).unwrap_or(0);
    Ok(Filter {
        ids: parse_interval(start, end)?,
        count,
        min_idle_ms,
        consumer,
    })
}

pub(super) fn xpending(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let words = &context.arguments[3..];
    if !words.is_empty() && !(3..=6).contains(&words.len()) {
        return Err(CommandError::Syntax.into());
    }
    let filter = if words.is_empty() {
        None
    } else {
        Some(parse_filter(words)?)
    };
    let (key, name, now_ms) = (context.argument(1), context.argument(2), context.now().0);
    let missing = || StreamError::no_key_or_group(key, name);
    let (stream, reply) = super::open(context)?;
    let group = stream
        .and_then(|stream| stream.group(name))
        .ok_or_else(missing)?;
    match filter {
        None => summary(group, reply),
        Some(filter) => {
            let found = chosen(group, &filter, now_ms);
            reply.array(found.len());
            for (id, pending) in found {
                reply.array(4);
                put_id(reply, id);
                reply.bulk(&pending.consumer);
                reply.integer(now_ms.saturating_sub(pending.delivered_at.0).max(0));
                reply.integer(pending.deliveries as i64);
            }
        }
    }
    Ok(())
}

fn summary(group: &Group, reply: &mut crate::reply::ReplyBuffer) {
    reply.array(4);
    reply.integer(group.pending_len() as i64);
    let first = group.pending_from(StreamId::MIN).next().map(|(id, _)| id);
    let (Some(first), Some(last)) = (first, group.last_pending()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    put_id(reply, first);
    put_id(reply, last);
    let busy = || {
        group
            .consumers()
            .filter(|(_, consumer)| consumer.pending_len() > 0)
    };
    reply.array(busy().count());
    for (name, consumer) in busy() {
        reply.array(2);
        reply.bulk(name);
        reply.bulk(
            itoa::Buffer::new()
                .format(consumer.pending_len())
                .as_bytes(),
        );
    }
}

fn chosen<'a>(group: &'a Group, filter: &Filter<'_>, now_ms: i64) -> Vec<(StreamId, &'a Pending)> {
    let (start, end) = filter.ids.clone().into_inner();
    let is_wanted = |(_, pending): &(StreamId, &Pending)| {
        filter.min_idle_ms == 0
            || now_ms.saturating_sub(pending.delivered_at.0) >= filter.min_idle_ms
    };
    let Some(name) = filter.consumer else {
        let found = group.pending_from(start).take_while(|(id, _)| *id <= end);
        return found.filter(is_wanted).take(filter.count).collect();
    };
    let Some(consumer) = group.consumer(name) else {
        return Vec::new();
    };
    let ids = consumer.pending_from(start).take_while(|id| *id <= end);
    let found = ids.filter_map(|id| Some((id, group.pending(id)?)));
    found.filter(is_wanted).take(filter.count).collect()
}
