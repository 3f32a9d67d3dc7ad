//! The commands on streams: what each name runs, and what they share.
//!
//! Owns how entries and ids look in replies. Does not own streams. Handlers run under the
//! locks of the access, on any thread.
//!
//! What is logged holds the ids, times and counts a command came to, so replay needs no
//! clock. A stream that has no entries left stays.
//!
//! Use order: the files of handlers use this one, and not each other.

mod claim;
mod entries;
mod extended;
mod groups;
mod info;
mod pending;
mod read;

use super::readers;
use crate::context::{Context, Failure, Handler};
use crate::reply::ReplyBuffer;
use smallvec::SmallVec;
use thermocline_store::EventClass;
use thermocline_types::stream::StreamEntry;
use thermocline_types::{Stream, StreamId, StreamUpdate, Update};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("xack", pending::xack),
    ("xackdel", extended::xackdel),
    ("xadd", entries::xadd),
    ("xautoclaim", claim::xautoclaim),
    ("xclaim", claim::xclaim),
    ("xdel", entries::xdel),
    ("xdelex", extended::xdelex),
    ("xgroup|create", groups::create),
    ("xgroup|createconsumer", groups::create_consumer),
    ("xgroup|delconsumer", groups::delete_consumer),
    ("xgroup|destroy", groups::destroy),
    ("xgroup|help", groups::help),
    ("xgroup|setid", groups::set_id),
    ("xinfo|consumers", info::consumers),
    ("xinfo|groups", info::groups),
    ("xinfo|help", info::help),
    ("xinfo|stream", info::stream),
    ("xlen", |context| context.read(readers::XLEN)),
    ("xpending", pending::xpending),
    ("xrange", |context| entries::range(context, false)),
    ("xread", |context| read::read(context, false)),
    ("xreadgroup", |context| read::read(context, true)),
    ("xrevrange", |context| entries::range(context, true)),
    ("xsetid", entries::xsetid),
    ("xtrim", entries::xtrim),
];

/// The stream of key number `index`; not a use of it.
fn peek<'a>(context: &'a Context<'_, '_, '_>, index: usize) -> Result<Option<&'a Stream>, Failure> {
    match context.peek(index) {
        None => Ok(None),
        Some(entry) => Ok(Some(entry.value.stream()?)),
    }
}

/// The stream of key 0; a use of it. With the reply, so that both may be held.
fn open<'a>(
    context: &'a mut Context<'_, '_, '_>,
) -> Result<(Option<&'a Stream>, &'a mut ReplyBuffer), Failure> {
    let stream = match context.access.get(context.keys[0]) {
        None => None,
        Some(entry) => Some(entry.value.stream()?),
    };
    Ok((stream, context.reply))
}

fn update(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    update: StreamUpdate<'_>,
) -> Result<(), Failure> {
    context.update(index, &Update::Stream(update))
}

/// Tells subscribers of an event of the stream of key number `index`.
fn notify(context: &mut Context<'_, '_, '_>, event: &'static str, index: usize) {
    context.notify(EventClass::Stream, event, index);
}

/// Tells that a consumer was made by being named, if it is not in the group yet: before it
/// is touched.
fn notify_if_new(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    (group, consumer): (&[u8], &[u8]),
) -> Result<(), Failure> {
    let group = peek(context, index)?.and_then(|stream| stream.group(group));
    if group.is_some_and(|group| group.consumer(consumer).is_none()) {
        notify(context, "xgroup-createconsumer", index);
    }
    Ok(())
}

fn put_id(reply: &mut ReplyBuffer, id: StreamId) {
    let (mut ms, mut sequence) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut text = SmallVec::<[u8; 41]>::new();
    text.extend_from_slice(ms.format(id.ms).as_bytes());
    text.push(b'-');
    text.extend_from_slice(sequence.format(id.sequence).as_bytes());
    reply.bulk(&text);
}

fn put_entry(reply: &mut ReplyBuffer, entry: &StreamEntry<'_>) {
    reply.array(2);
    put_id(reply, entry.id);
    reply.array(entry.len().saturating_mul(2));
    for (name, value) in entry.fields() {
        reply.bulk(&name);
        reply.bulk(&value);
    }
}

/// The entries as one array.
fn put_entries<'a>(reply: &mut ReplyBuffer, entries: impl Iterator<Item = StreamEntry<'a>>) {
    let entries: Vec<_> = entries.collect();
    reply.array(entries.len());
    for entry in &entries {
        put_entry(reply, entry);
    }
}

fn put_help(reply: &mut ReplyBuffer, lines: &[&str]) {
    reply.array(lines.len());
    for line in lines {
        reply.simple(line);
    }
}
