//! XREAD and XREADGROUP: what is new in some streams, or what a consumer has pending.
//!
//! Owns their meaning. Runs under the locks of the access; a reader that finds nothing may
//! wait for its keys.
//!
//! INVARIANT: a command that is going to wait changes its keys at most once, to make its
//! consumer: a change wakes those who wait.

use super::{notify_if_new, peek, put_entry, put_id, update};
use crate::arguments::{parse_integer, parse_stream_id, parse_timeout_ms};
use crate::blocking::Block;
use crate::context::{Context, Failure};
use crate::error::{CommandError, StreamError, streams as errors};
use crate::reply::{ReplyBuffer, Version};
use thermocline_base::UnixMillis;
use thermocline_types::ValueKind;
use thermocline_types::stream::{ENTRIES_READ_UNKNOWN, StreamEntry};
use thermocline_types::{Stream, StreamId, StreamUpdate};

#[derive(Default)]
struct Options<'k> {
    /// `Some(None)` waits for ever.
    timeout_ms: Option<Option<u64>>,
    /// 0 is no limit.
    count: usize,
    group: Option<(&'k [u8], &'k [u8])>,
    no_ack: bool,
    /// Where in the request the ids begin.
    ids_at: usize,
}

/// What is read of one stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// What comes after this id.
    After(StreamId),
    /// What its group was not given yet.
    New,
}

fn parse<'k>(
    words: &[&'k [u8]],
    is_group: bool,
    now: UnixMillis,
) -> Result<Options<'k>, CommandError> {
    let mut options = Options::default();
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let after = &words[at + 1..];
        match (word.to_ascii_lowercase().as_slice(), after) {
            (b"block", [timeout, ..]) => {
                options.timeout_ms = Some(parse_timeout_ms(timeout, now)?);
                at += 2;
            }
            (b"count", [count, ..]) => {
                options.count = usize::try_from(parse_integer(count)?).unwrap_or(0);
                at += 2;
            }
            (b"streams", [_, ..]) => {
                if !after.len().is_multiple_of(2) {
                    let (name, mark) = if is_group {
                        ("xreadgroup", ">")
                    } else {
                        ("xread", "$")
                    };
                    return Err(StreamError::unbalanced(name, mark).into());
                }
                options.ids_at = at + 1 + after.len() / 2;
                break;
            }
            (b"group", [_, _, ..]) if !is_group => return Err(errors::GROUP_OF_READ.into()),
            (b"group", [group, consumer, ..]) => {
                options.group = Some((group, consumer));
                at += 3;
            }
            (b"noack", _) if !is_group => return Err(errors::NOACK_OF_READ.into()),
            (b"noack", _) => {
                options.no_ack = true;
                at += 1;
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    if options.ids_at == 0 {
        return Err(CommandError::Syntax);
    }
    if is_group && options.group.is_none() {
        return Err(errors::GROUP_MISSING.into());
    }
    Ok(options)
}

/// Where reading begins in the stream of key number `index`, checked.
fn start_of(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    options: &Options<'_>,
) -> Result<From, Failure> {
    context.look(index);
    let stream = peek(context, index)?;
    if let Some((group, _)) = options.group
        && stream.is_none_or(|stream| stream.group(group).is_none())
    {
        let key = context.argument(options.ids_at - context.keys.len() + index);
        return Err(StreamError::no_group_to_read(key, group).into());
    }
    let last_id = stream.map_or(StreamId::MIN, Stream::last_id);
    match (context.argument(options.ids_at + index), options.group) {
        (b"$", Some(_)) => Err(errors::LAST_OF_GROUP.into()),
        (b"$", None) => Ok(From::After(last_id)),
        (b"+", Some(_)) => Err(errors::NEWEST_OF_GROUP.into()),
        (b"+", None) => {
            let before = last_id.previous().unwrap_or(StreamId::MIN);
            Ok(From::After(before))
        }
        (b">", Some(_)) => Ok(From::New),
        (b">", None) => Err(errors::NEW_WITHOUT_GROUP.into()),
        (id, _) => match parse_stream_id(id)? {
            StreamId::MAX if options.group.is_some() => Ok(From::New),
            id => Ok(From::After(id)),
        },
    }
}

pub(super) fn read(context: &mut Context<'_, '_, '_>, is_group: bool) -> Result<(), Failure> {
    let options = parse(context.arguments, is_group, context.now())?;
    let streams = 0..context.keys.len();
    let starts = streams.map(|index| start_of(context, index, &options));
    let starts = starts.collect::<Result<Vec<From>, Failure>>()?;
    let mut found = context.reply.sibling();
    let mut count = 0;
    for (index, start) in starts.iter().enumerate() {
        let is_served = match options.group {
            None => read_plain(context, index, *start, &options, &mut found)?,
            Some(_) => read_group(context, index, *start, &options, &mut found)?,
        };
        count += usize::from(is_served);
    }
    if count > 0 {
        match context.reply.version() {
            Version::Two => context.reply.array(count),
            Version::Three => context.reply.map(count),
        }
        context.reply.append(&found);
        return Ok(());
    }
    let Some(timeout_ms) = options.timeout_ms else {
        context.reply.null_array();
        return Ok(());
    };
    let mut block = Block::new(0..context.keys.len(), ValueKind::Stream, timeout_ms);
    block.wants_absence = is_group;
    for (index, start) in starts.iter().enumerate() {
        let position = options.ids_at + index;
        if let (b"$", From::After(id)) = (context.argument(position), start) {
            block.replaced.push((position, id.to_string().into_bytes()));
        }
    }
    Err(block.into())
}

/// Begins the part of the reply that is of key number `index`.
fn put_key(
    context: &Context<'_, '_, '_>,
    index: usize,
    options: &Options<'_>,
    found: &mut ReplyBuffer,
) {
    if found.version() == Version::Two {
        found.array(2);
    }
    found.bulk(context.argument(options.ids_at - context.keys.len() + index));
}

fn limit(options: &Options<'_>) -> usize {
    if options.count == 0 {
        usize::MAX
    } else {
        options.count
    }
}

/// Whether there was something.
fn read_plain(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    start: From,
    options: &Options<'_>,
    found: &mut ReplyBuffer,
) -> Result<bool, Failure> {
    context.get(index);
    let (From::After(after), Some(stream)) = (start, peek(context, index)?) else {
        return Ok(false);
    };
    let Some(first) = after.next() else {
        return Ok(false);
    };
    let entries: Vec<StreamEntry<'_>> = stream
        .range(first..=StreamId::MAX)
        .take(limit(options))
        .collect();
    if entries.is_empty() {
        return Ok(false);
    }
    put_key(context, index, options, found);
    super::put_entries(found, entries.into_iter());
    Ok(true)
}

/// Whether there was something, or the history was asked for.
fn read_group(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    start: From,
    options: &Options<'_>,
    found: &mut ReplyBuffer,
) -> Result<bool, Failure> {
    let Some((group, consumer)) = options.group else {
        return Ok(false);
    };
    let now = context.now();
    let is_served = match start {
        From::After(after) => {
            touch(context, index, (group, consumer), false)?;
            put_key(context, index, options, found);
            history(
                context,
                index,
                (group, consumer),
                after,
                limit(options),
                found,
            )?;
            return Ok(true);
        }
        From::New => {
            let stream = peek(context, index)?;
            let known = stream.and_then(|stream| stream.group(group));
            let last_id = known.map_or(StreamId::MAX, |group| group.last_id);
            let last = stream.and_then(Stream::last_entry_id);
            last.is_some_and(|last| last > last_id)
        }
    };
    if !is_served {
        touch(context, index, (group, consumer), false)?;
        return Ok(false);
    }
    put_key(context, index, options, found);
    let (ids, last_id, entries_read) = fresh(context, index, group, limit(options), found)?;
    touch(context, index, (group, consumer), !options.no_ack)?;
    update(
        context,
        index,
        StreamUpdate::SetGroupId {
            group,
            last_id,
            entries_read,
        },
    )?;
    if !options.no_ack {
        let entries = ids.into_iter().map(|id| (id, now, 1)).collect();
        update(
            context,
            index,
            StreamUpdate::Deliver {
                group,
                consumer,
                entries,
            },
        )?;
    }
    Ok(true)
}

fn touch(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    (group, consumer): (&[u8], &[u8]),
    is_active: bool,
) -> Result<(), Failure> {
    notify_if_new(context, index, (group, consumer))?;
    let seen_at = context.now();
    let active_at = is_active.then_some(seen_at);
    update(
        context,
        index,
        StreamUpdate::TouchConsumer {
            group,
            consumer,
            seen_at,
            active_at,
        },
    )
}

/// Writes the entries that the group was not given yet; their ids, and what the group knows
/// then.
fn fresh(
    context: &Context<'_, '_, '_>,
    index: usize,
    name: &[u8],
    limit: usize,
    found: &mut ReplyBuffer,
) -> Result<(Vec<StreamId>, StreamId, i64), Failure> {
    let stream = peek(context, index)?;
    let group = stream.and_then(|stream| Some((stream, stream.group(name)?)));
    let Some((stream, group)) = group else {
        found.array(0);
        return Ok((Vec::new(), StreamId::MIN, ENTRIES_READ_UNKNOWN));
    };
    let (mut last_id, mut entries_read) = (group.last_id, group.entries_read);
    let first = last_id.next().unwrap_or(StreamId::MAX);
    let entries: Vec<_> = stream.range(first..=StreamId::MAX).take(limit).collect();
    found.array(entries.len());
    for entry in &entries {
        let is_exact = entries_read != ENTRIES_READ_UNKNOWN && last_id >= stream.first_id();
        if is_exact && !stream.may_have_gaps_from(last_id) {
            entries_read = entries_read.saturating_add(1);
        } else if stream.entries_added() > 0 {
            entries_read = stream.entries_read_at(entry.id);
        }
        last_id = entry.id;
        put_entry(found, entry);
    }
    let ids = entries.iter().map(|entry| entry.id).collect();
    Ok((ids, last_id, entries_read))
}

/// Writes what is pending for the consumer after an id: delivered once more.
fn history(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    (group, consumer): (&[u8], &[u8]),
    after: StreamId,
    limit: usize,
    found: &mut ReplyBuffer,
) -> Result<(), Failure> {
    let now = context.now();
    let stream = peek(context, index)?;
    let known = stream.and_then(|stream| Some((stream, stream.group(group)?)));
    let Some((stream, known)) = known else {
        found.array(0);
        return Ok(());
    };
    let first = after.next().unwrap_or(StreamId::MAX);
    let pending = known.consumer(consumer).into_iter();
    let pending = pending.flat_map(|consumer| consumer.pending_from(first));
    let ids: Vec<StreamId> = pending.take(limit).collect();
    found.array(ids.len());
    let mut entries = Vec::new();
    for id in ids {
        let Some(entry) = stream.entry(id) else {
            found.array(2);
            put_id(found, id);
            found.null_array();
            continue;
        };
        put_entry(found, &entry);
        let before = known.pending(id).map_or(0, |pending| pending.deliveries);
        entries.push((id, now, before.saturating_add(1)));
    }
    if entries.is_empty() {
        return Ok(());
    }
    update(
        context,
        index,
        StreamUpdate::Deliver {
            group,
            consumer,
            entries,
        },
    )
}
