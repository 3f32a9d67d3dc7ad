//! XDELEX and XACKDEL of Redis 8.2: entries deleted with regard to the groups that have them.
//!
//! Owns their meaning. Runs under the locks of the access.

use super::{notify, peek, update};
use crate::arguments::{References, parse_counted_ids, parse_stream_id};
use crate::context::{Context, Failure};
use thermocline_types::{StreamId, StreamUpdate};

/// What became of an entry.
const NOT_FOUND: i64 = -1;
const DELETED: i64 = 1;
/// A group has it still.
const STAYS: i64 = 2;

/// Ends that these entries are pending, in all groups.
pub(super) fn forget(context: &mut Context<'_, '_, '_>, ids: &[StreamId]) -> Result<(), Failure> {
    let mut found: Vec<(Vec<u8>, Vec<StreamId>)> = Vec::new();
    if let Some(stream) = peek(context, 0)? {
        for (name, group) in stream.groups() {
            let pending = ids
                .iter()
                .copied()
                .filter(|id| group.pending(*id).is_some());
            let pending: Vec<StreamId> = pending.collect();
            if !pending.is_empty() {
                found.push((name.to_vec(), pending));
            }
        }
    }
    for (name, ids) in found {
        let group = &name;
        update(context, 0, StreamUpdate::Acknowledge { group, ids })?;
    }
    Ok(())
}

/// Deletes one entry, if the references to it allow; what became of it.
fn delete(
    context: &mut Context<'_, '_, '_>,
    id: StreamId,
    references: References,
) -> Result<i64, Failure> {
    let Some(stream) = peek(context, 0)? else {
        return Ok(NOT_FOUND);
    };
    // A group refers to what it has yet to read or to acknowledge, be it there or not.
    if references == References::Acknowledged && stream.is_referenced(id) {
        return Ok(STAYS);
    }
    let is_there = stream.contains(id);
    if references == References::Delete {
        forget(context, &[id])?;
    }
    if !is_there {
        return Ok(NOT_FOUND);
    }
    let (ids, is_remembered) = (vec![id], true);
    update(context, 0, StreamUpdate::Delete { ids, is_remembered })?;
    Ok(DELETED)
}

/// The ids; none of them is looked at where there is nothing that could have them.
fn parse_ids(words: &[&[u8]]) -> Result<Vec<StreamId>, Failure> {
    let ids: Result<_, _> = words.iter().map(|id| parse_stream_id(id)).collect();
    Ok(ids?)
}

/// That no id is found.
fn find_none(context: &mut Context<'_, '_, '_>, count: usize) {
    context.reply.array(count);
    for _ in 0..count {
        context.reply.integer(NOT_FOUND);
    }
}

pub(super) fn xdelex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let is_there = peek(context, 0)?.is_some();
    let (references, words) = parse_counted_ids(&context.arguments[2..])?;
    if !is_there {
        find_none(context, words.len());
        return Ok(());
    }
    let ids = parse_ids(words)?;
    context.reply.array(ids.len());
    let mut is_changed = false;
    for id in ids {
        let outcome = delete(context, id, references)?;
        is_changed |= outcome == DELETED;
        context.reply.integer(outcome);
    }
    if is_changed {
        notify(context, "xdel", 0);
    }
    Ok(())
}

pub(super) fn xackdel(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let group = context.argument(2);
    context.look(0);
    let is_there = peek(context, 0)?.is_some_and(|stream| stream.group(group).is_some());
    let (references, words) = parse_counted_ids(&context.arguments[3..])?;
    if !is_there {
        find_none(context, words.len());
        return Ok(());
    }
    let ids = parse_ids(words)?;
    context.reply.array(ids.len());
    let mut is_changed = false;
    for id in ids {
        let found = peek(context, 0)?.and_then(|stream| stream.group(group));
        let outcome = if found.is_some_and(|group| group.pending(id).is_some()) {
            let ids = vec![id];
            update(context, 0, StreamUpdate::Acknowledge { group, ids })?;
            let outcome = delete(context, id, references)?;
            is_changed |= outcome == DELETED;
            match outcome {
                // It was deleted before: nothing is left of it now.
                NOT_FOUND => DELETED,
                outcome => outcome,
            }
        } else {
            NOT_FOUND
        };
        context.reply.integer(outcome);
    }
    if is_changed {
        notify(context, "xdel", 0);
    }
    Ok(())
}
