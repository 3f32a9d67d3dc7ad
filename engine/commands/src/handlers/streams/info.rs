//! XINFO: what there is to know of a stream, its groups and consumers.
//!
//! Owns what is shown. Runs under the locks of the access.
//!
//! `radix-tree-keys` are the nodes of the stream. `radix-tree-nodes` are the nodes that
//! Redis's tree over their ids would have; of a stream of very many nodes, as counting them
//! takes time, only the nodes themselves.

use super::{open, put_entries, put_entry, put_help, put_id};
use crate::arguments::parse_integer;
use crate::context::{Context, Failure};
use crate::error::{CommandError, StreamError};
use crate::reply::ReplyBuffer;
use thermocline_types::stream::{Consumer, ENTRIES_READ_UNKNOWN, Group};
use thermocline_types::{Stream, StreamId};

/// Entries, and pending entries, that FULL shows without a count.
const FULL_COUNT: usize = 10;
/// Nodes above which those of the tree are not counted.
const COUNTED_NODES: usize = 4096;

const HELP: &[&str] = &[
    "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
    "HELP",
    "    Print this help.",
];

pub(super) fn help(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    put_help(context.reply, HELP);
    Ok(())
}

fn put_name(reply: &mut ReplyBuffer, name: &str) {
    reply.bulk(name.as_bytes());
}

fn put_number(reply: &mut ReplyBuffer, name: &str, number: i64) {
    put_name(reply, name);
    reply.integer(number);
}

pub(super) fn consumers(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (key, name, now_ms) = (context.argument(2), context.argument(3), context.now().0);
    let (stream, reply) = open(context)?;
    let stream = stream.ok_or(CommandError::NoSuchKey)?;
    let group = stream
        .group(name)
        .ok_or_else(|| StreamError::no_group(key, name))?;
    reply.array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        reply.map(4);
        put_name(reply, "name");
        reply.bulk(name);
        put_number(reply, "pending", consumer.pending_len() as i64);
        put_number(
            reply,
            "idle",
            now_ms.saturating_sub(consumer.seen_at.0).max(0),
        );
        let inactive_ms = consumer
            .active_at
            .map_or(-1, |at| now_ms.saturating_sub(at.0));
        put_number(reply, "inactive", inactive_ms);
    }
    Ok(())
}

/// `entries-read` and `lag`, null where they are not known.
fn put_progress(reply: &mut ReplyBuffer, stream: &Stream, group: &Group) {
    put_name(reply, "entries-read");
    match group.entries_read {
        ENTRIES_READ_UNKNOWN => reply.null(),
        read => reply.integer(read),
    }
    put_name(reply, "lag");
    match stream.lag(group) {
        None => reply.null(),
        Some(lag) => reply.integer(lag),
    }
}

pub(super) fn groups(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (stream, reply) = open(context)?;
    let stream = stream.ok_or(CommandError::NoSuchKey)?;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        put_name(reply, "name");
        reply.bulk(name);
        put_number(reply, "consumers", group.consumers().len() as i64);
        put_number(reply, "pending", group.pending_len() as i64);
        put_name(reply, "last-delivered-id");
        put_id(reply, group.last_id);
        put_progress(reply, stream, group);
    }
    Ok(())
}

pub(super) fn stream(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let subcommand = context.argument(1);
    let words = &context.arguments[3..];
    let (stream, reply) = open(context)?;
    let stream = stream.ok_or(CommandError::NoSuchKey)?;
    let syntax = || StreamError::subcommand_syntax("XINFO", subcommand);
    let is = |word: &[u8], name: &[u8]| word.eq_ignore_ascii_case(name);
    let full = match words {
        [] => None,
        [full] if is(full, b"full") => Some(FULL_COUNT),
        [full, count, number] if is(full, b"full") && is(count, b"count") => {
            let number = parse_integer(number)?;
            // 0 shows all.
            Some(match usize::try_from(number) {
                Ok(0) => usize::MAX,
                Ok(count) => count,
                Err(_) => FULL_COUNT,
            })
        }
        _ => return Err(syntax().into()),
    };
    reply.map(if full.is_some() { 9 } else { 10 });
    put_numbers(reply, stream);
    match full {
        None => put_ends(reply, stream),
        Some(count) => put_full(reply, stream, count),
    }
    Ok(())
}

fn put_numbers(reply: &mut ReplyBuffer, stream: &Stream) {
    put_number(reply, "length", stream.len() as i64);
    put_number(reply, "radix-tree-keys", stream.nodes_len() as i64);
    put_number(reply, "radix-tree-nodes", tree_nodes(stream) as i64);
    put_name(reply, "last-generated-id");
    put_id(reply, stream.last_id());
    put_name(reply, "max-deleted-entry-id");
    put_id(reply, stream.max_deleted_id());
    put_number(reply, "entries-added", stream.entries_added() as i64);
    put_name(reply, "recorded-first-entry-id");
    put_id(reply, stream.first_id());
}

fn put_ends(reply: &mut ReplyBuffer, stream: &Stream) {
    let all = || StreamId::MIN..=StreamId::MAX;
    put_number(reply, "groups", stream.groups().len() as i64);
    let ends = [
        ("first-entry", stream.range(all()).next()),
        ("last-entry", stream.range_back(all()).next()),
    ];
    for (name, entry) in ends {
        put_name(reply, name);
        match entry {
            None => reply.null(),
            Some(entry) => put_entry(reply, &entry),
        }
    }
}

fn put_full(reply: &mut ReplyBuffer, stream: &Stream, count: usize) {
    put_name(reply, "entries");
    put_entries(
        reply,
        stream.range(StreamId::MIN..=StreamId::MAX).take(count),
    );
    put_name(reply, "groups");
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(7);
        put_name(reply, "name");
        reply.bulk(name);
        put_name(reply, "last-delivered-id");
        put_id(reply, group.last_id);
        put_progress(reply, stream, group);
        put_number(reply, "pel-count", group.pending_len() as i64);
        put_name(reply, "pending");
        reply.array(group.pending_len().min(count));
        for (id, pending) in group.pending_from(StreamId::MIN).take(count) {
            reply.array(4);
            put_id(reply, id);
            reply.bulk(&pending.consumer);
            reply.integer(pending.delivered_at.0);
            reply.integer(pending.deliveries as i64);
        }
        put_name(reply, "consumers");
        reply.array(group.consumers().len());
        for (name, consumer) in group.consumers() {
            put_consumer(reply, group, name, consumer, count);
        }
    }
}

fn put_consumer(
    reply: &mut ReplyBuffer,
    group: &Group,
    name: &[u8],
    consumer: &Consumer,
    count: usize,
) {
    reply.map(5);
    put_name(reply, "name");
    reply.bulk(name);
    put_number(reply, "seen-time", consumer.seen_at.0);
    put_number(
        reply,
        "active-time",
        consumer.active_at.map_or(-1, |at| at.0),
    );
    put_number(reply, "pel-count", consumer.pending_len() as i64);
    put_name(reply, "pending");
    reply.array(consumer.pending_len().min(count));
    for id in consumer.pending_from(StreamId::MIN).take(count) {
        let pending = group.pending(id);
        let known = pending.map_or((0, 0), |it| (it.delivered_at.0, it.deliveries));
        reply.array(3);
        put_id(reply, id);
        reply.integer(known.0);
        reply.integer(known.1 as i64);
    }
}

/// The nodes of a radix tree over the ids of the stream's nodes, sixteen bytes each.
fn tree_nodes(stream: &Stream) -> usize {
    if stream.nodes_len() > COUNTED_NODES {
        return stream.nodes_len();
    }
    let keys: Vec<[u8; 16]> = stream.nodes().map(|(id, _)| id.to_be_bytes()).collect();
    match keys.as_slice() {
        // The root is there without a key.
        [] => 1,
        keys => subtree_nodes(keys, 0),
    }
}

/// The nodes below `depth` bytes that these sorted keys share: at most sixteen levels.
fn subtree_nodes(keys: &[[u8; 16]], depth: usize) -> usize {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return 0;
    };
    let pairs = first[depth..].iter().zip(&last[depth..]);
    let shared = pairs.take_while(|(one, two)| one == two).count();
    let branch = depth + shared;
    // A run of shared bytes is one node.
    let run = usize::from(shared > 0);
    if branch == first.len() {
        return run + 1;
    }
    let children = keys.chunk_by(|one, two| one[branch] == two[branch]);
    run + 1
        + children
            .map(|keys| subtree_nodes(keys, branch + 1))
            .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_have_the_nodes_of_redis() {
        let key = |number: u64| StreamId::new(number, 0).to_be_bytes();
        // Figures of Valkey 9.1.2 for streams of these nodes.
        assert_eq!(subtree_nodes(&[key(1)], 0), 2);
        assert_eq!(subtree_nodes(&[key(101), key(201)], 0), 6);
    }
}
