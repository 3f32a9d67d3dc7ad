//! XGROUP: consumer groups and their consumers, made and removed.
//!
//! Owns their meaning. Runs under the locks of the access.

use super::{notify, peek, put_help, update};
use crate::arguments::{parse_any_stream_id, parse_integer, parse_stream_id};
use crate::context::{Context, Failure};
use crate::error::{StreamError, streams as errors};
use thermocline_types::stream::{Consumer, ENTRIES_READ_UNKNOWN, Group};
use thermocline_types::{Stream, StreamId, StreamUpdate};

const HELP: &[&str] = &[
    "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
    "HELP",
    "    Print this help.",
];

pub(super) fn help(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    put_help(context.reply, HELP);
    Ok(())
}

/// Whether MKSTREAM is among the options, and the number behind ENTRIESREAD.
fn options(context: &Context<'_, '_, '_>, may_create: bool) -> Result<(bool, i64), Failure> {
    let (mut creates, mut entries_read) = (false, ENTRIES_READ_UNKNOWN);
    let mut rest = &context.arguments[5..];
    while let [word, after @ ..] = rest {
        if may_create && word.eq_ignore_ascii_case(b"mkstream") {
            creates = true;
            rest = after;
            continue;
        }
        let [number, after @ ..] = after else {
            return Err(syntax(context));
        };
        if !word.eq_ignore_ascii_case(b"entriesread") {
            return Err(syntax(context));
        }
        entries_read = parse_integer(number)?;
        if entries_read < ENTRIES_READ_UNKNOWN {
            return Err(errors::NEGATIVE_ENTRIES_READ.into());
        }
        rest = after;
    }
    Ok((creates, entries_read))
}

fn syntax(context: &Context<'_, '_, '_>) -> Failure {
    StreamError::subcommand_syntax("XGROUP", context.argument(1)).into()
}

/// The stream, which has to be there, and its group, if there is one.
fn find<'a>(context: &'a Context<'_, '_, '_>) -> Result<(&'a Stream, Option<&'a Group>), Failure> {
    let stream = peek(context, 0)?.ok_or(errors::NO_STREAM)?;
    Ok((stream, stream.group(context.argument(3))))
}

/// The group, which has to be there.
fn find_group<'a>(context: &'a Context<'_, '_, '_>) -> Result<(&'a Stream, &'a Group), Failure> {
    let (stream, group) = find(context)?;
    let missing = || StreamError::no_group(context.argument(2), context.argument(3));
    Ok((stream, group.ok_or_else(missing)?))
}

pub(super) fn create(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (creates, entries_read) = options(context, true)?;
    let stream = peek(context, 0)?;
    if stream.is_none() && !creates {
        return Err(errors::NO_STREAM.into());
    }
    if context.arguments.len() > 8 {
        return Err(syntax(context));
    }
    let last_id = match context.argument(4) {
        b"$" => stream.map_or(StreamId::MIN, Stream::last_id),
        id => parse_stream_id(id)?,
    };
    let group = context.argument(3);
    if stream.is_some_and(|stream| stream.group(group).is_some()) {
        return Err(errors::BUSY_GROUP.into());
    }
    update(
        context,
        0,
        StreamUpdate::CreateGroup {
            group,
            last_id,
            entries_read,
        },
    )?;
    notify(context, "xgroup-create", 0);
    context.reply.simple("OK");
    Ok(())
}

pub(super) fn set_id(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (_, entries_read) = options(context, false)?;
    let (stream, _) = find_group(context)?;
    if !matches!(context.arguments.len(), 5 | 7) {
        return Err(syntax(context));
    }
    let last_id = match context.argument(4) {
        b"$" => stream.last_id(),
        id => parse_any_stream_id(id, 0)?,
    };
    let group = context.argument(3);
    update(
        context,
        0,
        StreamUpdate::SetGroupId {
            group,
            last_id,
            entries_read,
        },
    )?;
    notify(context, "xgroup-setid", 0);
    context.reply.simple("OK");
    Ok(())
}

pub(super) fn destroy(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (_, found) = find(context)?;
    let is_there = found.is_some();
    if is_there {
        let group = context.argument(3);
        update(context, 0, StreamUpdate::DestroyGroup { group })?;
        notify(context, "xgroup-destroy", 0);
    }
    context.reply.integer(is_there.into());
    Ok(())
}

pub(super) fn create_consumer(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (group, consumer) = (context.argument(3), context.argument(4));
    let (_, found) = find_group(context)?;
    let is_new = found.consumer(consumer).is_none();
    if is_new {
        let (seen_at, active_at) = (context.now(), None);
        let touch = StreamUpdate::TouchConsumer {
            group,
            consumer,
            seen_at,
            active_at,
        };
        update(context, 0, touch)?;
        notify(context, "xgroup-createconsumer", 0);
    }
    context.reply.integer(is_new.into());
    Ok(())
}

pub(super) fn delete_consumer(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let (group, consumer) = (context.argument(3), context.argument(4));
    let (_, found) = find_group(context)?;
    let found = found.consumer(consumer);
    let pending = found.map_or(0, Consumer::pending_len);
    if found.is_some() {
        update(context, 0, StreamUpdate::RemoveConsumer { group, consumer })?;
        notify(context, "xgroup-delconsumer", 0);
    }
    context.reply.integer(pending as i64);
    Ok(())
}
