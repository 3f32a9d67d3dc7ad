//! Entries: added, counted, read by range, deleted, trimmed; and XSETID.
//!
//! Owns their meaning. Runs under the locks of the access. A trim is logged as the id up to
//! which entries go, whatever it was asked for as.

use super::{notify, open, peek, put_entries, put_id, update};
use crate::arguments::{
    NewId, References, parse_add_or_trim, parse_integer, parse_interval_end, parse_interval_start,
    parse_stream_id,
};
use crate::context::{Context, Failure};
use crate::error::{CommandError, streams as errors};
use thermocline_types::stream::{Trim, TrimTo};
use thermocline_types::{Stream, StreamId, StreamUpdate};

/// Bytes of all fields and values of an entry.
const ENTRY_MAX_BYTES: usize = 1 << 30;

pub(super) fn xadd(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let node_entries = context.settings.stream_node_max_entries();
    let options = parse_add_or_trim(context.arguments, true, node_entries)?;
    let fields = &context.arguments[options.fields_at..];
    if fields.is_empty() || !fields.len().is_multiple_of(2) {
        return Err(CommandError::WrongArity("xadd").into());
    }
    if options.id == NewId::Exactly(StreamId::MIN) {
        return Err(errors::ID_ZERO.into());
    }
    let stream = peek(context, 0)?;
    if stream.is_none() && options.no_create {
        context.reply.null();
        return Ok(());
    }
    let last_id = stream.map_or(StreamId::MIN, Stream::last_id);
    if last_id == StreamId::MAX {
        return Err(errors::IDS_EXHAUSTED.into());
    }
    let now_ms = u64::try_from(context.now().0).unwrap_or(0);
    let id = match options.id {
        NewId::Auto if now_ms > last_id.ms => Some(StreamId::new(now_ms, 0)),
        NewId::Auto => last_id.next(),
        NewId::Within(ms) if ms == last_id.ms => {
            let sequence = last_id.sequence.checked_add(1);
            sequence.map(|sequence| StreamId::new(ms, sequence))
        }
        NewId::Within(ms) => Some(StreamId::new(ms, 0)),
        NewId::Exactly(id) => Some(id),
    };
    let id = id.filter(|id| *id > last_id).ok_or(errors::ID_TOO_SMALL)?;
    let bytes = fields
        .iter()
        .fold(0_usize, |sum, text| sum.saturating_add(text.len()));
    if bytes > ENTRY_MAX_BYTES.min(context.string_max_bytes) {
        return Err(errors::TOO_LARGE.into());
    }
    let fields = fields.to_vec();
    update(context, 0, StreamUpdate::Add { id, fields })?;
    notify(context, "xadd", 0);
    if let Some(trim) = options.trim {
        cut(context, trim, options.references)?;
    }
    put_id(context.reply, id);
    Ok(())
}

/// Trims the stream of key 0, which is there; how many entries went.
fn cut(
    context: &mut Context<'_, '_, '_>,
    trim: Trim,
    references: References,
) -> Result<u64, Failure> {
    let Some(stream) = peek(context, 0)? else {
        return Ok(0);
    };
    if references == References::Acknowledged {
        return cut_acknowledged(context, trim);
    }
    let plan = stream.plan_trim(trim);
    if plan.entries == 0 {
        return Ok(0);
    }
    let through = plan.through;
    if references == References::Delete {
        let gone = stream.range(StreamId::MIN..=through).map(|entry| entry.id);
        let gone: Vec<StreamId> = gone.filter(|id| stream.is_pending(*id)).collect();
        super::extended::forget(context, &gone)?;
    }
    update(context, 0, StreamUpdate::Trim { through })?;
    notify(context, "xtrim", 0);
    Ok(plan.entries)
}

/// Trims as far as asked for, leaving what some group has yet to read or to acknowledge.
fn cut_acknowledged(context: &mut Context<'_, '_, '_>, trim: Trim) -> Result<u64, Failure> {
    let Some(stream) = peek(context, 0)? else {
        return Ok(0);
    };
    let most = match trim.to {
        TrimTo::Length(length) => stream.len().saturating_sub(length),
        TrimTo::From(_) => u64::MAX,
    };
    let most = match trim.limit {
        0 => most,
        limit => most.min(limit),
    };
    let end = match trim.to {
        TrimTo::Length(_) => Some(StreamId::MAX),
        TrimTo::From(first) => first.previous(),
    };
    let Some(end) = end else { return Ok(0) };
    let free = stream.range(StreamId::MIN..=end).map(|entry| entry.id);
    let free = free.filter(|id| !stream.is_referenced(*id));
    let ids: Vec<StreamId> = free
        .take(usize::try_from(most).unwrap_or(usize::MAX))
        .collect();
    let count = ids.len() as u64;
    if count > 0 {
        let is_remembered = false;
        update(context, 0, StreamUpdate::Delete { ids, is_remembered })?;
        notify(context, "xtrim", 0);
    }
    Ok(count)
}

pub(super) fn xtrim(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let node_entries = context.settings.stream_node_max_entries();
    let options = parse_add_or_trim(context.arguments, false, node_entries)?;
    let trim = options.trim.ok_or(errors::TRIM_MISSING)?;
    let gone = cut(context, trim, options.references)?;
    context.reply.integer(gone as i64);
    Ok(())
}

/// XRANGE, or XREVRANGE.
pub(super) fn range(context: &mut Context<'_, '_, '_>, is_back: bool) -> Result<(), Failure> {
    let (start, end) = if is_back { (3, 2) } else { (2, 3) };
    let start = parse_interval_start(context.argument(start))?;
    let end = parse_interval_end(context.argument(end))?;
    let mut count = None;
    let mut rest = &context.arguments[4..];
    while let [word, number, after @ ..] = rest {
        if !word.eq_ignore_ascii_case(b"count") {
            return Err(CommandError::Syntax.into());
        }
        count = Some(parse_integer(number)?);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(CommandError::Syntax.into());
    }
    let (Some(stream), reply) = open(context)? else {
        context.reply.array(0);
        return Ok(());
    };
    let count = match count {
        Some(count) if count <= 0 => {
            reply.null_array();
            return Ok(());
        }
        Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    if is_back {
        put_entries(reply, stream.range_back(start..=end).take(count));
    } else {
        put_entries(reply, stream.range(start..=end).take(count));
    }
    Ok(())
}

pub(super) fn xdel(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let Some(_) = peek(context, 0)? else {
        context.reply.integer(0);
        return Ok(());
    };
    let ids = context.arguments[2..].iter().map(|id| parse_stream_id(id));
    let mut ids = ids.collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    let stream = peek(context, 0)?;
    ids.retain(|id| stream.is_some_and(|stream| stream.contains(*id)));
    let count = ids.len();
    if count > 0 {
        let is_remembered = true;
        update(context, 0, StreamUpdate::Delete { ids, is_remembered })?;
        notify(context, "xdel", 0);
    }
    context.reply.integer(count as i64);
    Ok(())
}

pub(super) fn xsetid(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let last_id = parse_stream_id(context.argument(2))?;
    let (mut entries_added, mut max_deleted_id) = (None, None);
    let mut rest = &context.arguments[3..];
    while let [word, value, after @ ..] = rest {
        if word.eq_ignore_ascii_case(b"entriesadded") {
            let added = u64::try_from(parse_integer(value)?);
            entries_added = Some(added.map_err(|_| errors::NEGATIVE_ENTRIES_ADDED)?);
        } else if word.eq_ignore_ascii_case(b"maxdeletedid") {
            let deleted = parse_stream_id(value)?;
            if last_id < deleted {
                return Err(errors::BELOW_GIVEN_DELETED.into());
            }
            max_deleted_id = Some(deleted).filter(|id| *id != StreamId::MIN);
        } else {
            return Err(CommandError::Syntax.into());
        }
        rest = after;
    }
    if !rest.is_empty() {
        return Err(CommandError::Syntax.into());
    }
    let stream = peek(context, 0)?.ok_or(CommandError::NoSuchKey)?;
    if last_id < stream.max_deleted_id() {
        return Err(errors::BELOW_DELETED.into());
    }
    if stream.last_entry_id().is_some_and(|last| last_id < last) {
        return Err(errors::BELOW_LAST.into());
    }
    if entries_added.is_some_and(|added| !stream.is_empty() && stream.len() > added) {
        return Err(errors::BELOW_LENGTH.into());
    }
    let set = StreamUpdate::SetId {
        last_id,
        entries_added,
        max_deleted_id,
    };
    update(context, 0, set)?;
    notify(context, "xsetid", 0);
    context.reply.simple("OK");
    Ok(())
}
