//! Streams in RDB form.
//!
//! ```text
//! nodes: count, then id (16 bytes big-endian, a string) and listpack (a string) of each
//! length | last id | first id | highest deleted id | entries added     (the last three since 7.0)
//! groups: count, then of each
//!   name | last id | entries read (since 7.0)
//!   pending: count, then id (16 bytes) | delivered at (i64 ms) | deliveries
//!   consumers: count, then name | seen at | active at (since 7.2) | count of ids | ids (16 bytes)
//! ```
//!
//! Reads and writes all three versions. Pure; runs on any thread. INVARIANT: what is
//! read has been checked as a stream from the disk is.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::RdbError;
use super::encode::{put_length, put_string};
use super::primitive::Decoder;
use crate::stream::{Group, Stream, StreamId, StreamNumbers, StreamParts};
use std::collections::HashMap;
use thermocline_base::UnixMillis;

/// What a version has beyond the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StreamVersion {
    /// Redis 5.
    First,
    /// Redis 7.0: counts of entries added and read.
    Counts,
    /// Redis 7.2: when a consumer was active.
    Activity,
}

const NEVER: i64 = -1;

fn put_id(out: &mut Vec<u8>, id: StreamId) {
    put_length(out, id.ms);
    put_length(out, id.sequence);
}

/// Appends a stream.
pub(super) fn put(out: &mut Vec<u8>, stream: &Stream, version: StreamVersion) {
    put_length(out, stream.nodes_len() as u64);
    for (id, node) in stream.nodes() {
        put_string(out, &id.to_be_bytes());
        put_string(out, node.bytes());
    }
    put_length(out, stream.len());
    put_id(out, stream.last_id());
    if version >= StreamVersion::Counts {
        put_id(out, stream.first_id());
        put_id(out, stream.max_deleted_id());
        put_length(out, stream.entries_added());
    }
    put_length(out, stream.groups().len() as u64);
    for (name, group) in stream.groups() {
        put_string(out, name);
        put_id(out, group.last_id);
        if version >= StreamVersion::Counts {
            put_length(out, group.entries_read.cast_unsigned());
        }
        put_length(out, group.pending_len() as u64);
        for (id, pending) in group.pending_from(StreamId::MIN) {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(&pending.delivered_at.0.to_le_bytes());
            put_length(out, pending.deliveries);
        }
        put_length(out, group.consumers().len() as u64);
        for (name, consumer) in group.consumers() {
            put_string(out, name);
            out.extend_from_slice(&consumer.seen_at.0.to_le_bytes());
            if version >= StreamVersion::Activity {
                let active = consumer.active_at.map_or(NEVER, |at| at.0);
                out.extend_from_slice(&active.to_le_bytes());
            }
            put_length(out, consumer.pending_len() as u64);
            for id in consumer.pending_from(StreamId::MIN) {
                out.extend_from_slice(&id.to_be_bytes());
            }
        }
    }
}

fn id(decoder: &mut Decoder<'_>) -> Result<StreamId, RdbError> {
    Ok(StreamId::new(decoder.length()?, decoder.length()?))
}

fn raw_id(decoder: &mut Decoder<'_>) -> Result<StreamId, RdbError> {
    decoder.array().map(StreamId::from_be_bytes)
}

/// Reads a stream.
pub(super) fn stream(
    decoder: &mut Decoder<'_>,
    version: StreamVersion,
) -> Result<Stream, RdbError> {
    let mut parts = StreamParts::default();
    for _ in 0..decoder.length()? {
        let key = decoder.string()?;
        let key = key
            .try_into()
            .map_err(|_| decoder.bad("an id of 16 bytes"))?;
        let listpack = decoder.string()?;
        let added = parts.add_node(StreamId::from_be_bytes(key), listpack);
        added.map_err(|expected| decoder.bad(expected))?;
    }
    let length = decoder.length()?;
    let last_id = id(decoder)?;
    let mut numbers = StreamNumbers {
        length,
        last_id,
        max_deleted_id: StreamId::MIN,
        entries_added: length,
    };
    if version >= StreamVersion::Counts {
        // The first id follows from the entries.
        id(decoder)?;
        numbers.max_deleted_id = id(decoder)?;
        numbers.entries_added = decoder.length()?;
    }
    let set = parts.set_numbers(numbers);
    set.map_err(|expected| decoder.bad(expected))?;
    for _ in 0..decoder.length()? {
        group(decoder, version, &mut parts)?;
    }
    Ok(parts.build())
}

fn group(
    decoder: &mut Decoder<'_>,
    version: StreamVersion,
    parts: &mut StreamParts,
) -> Result<(), RdbError> {
    let name = decoder.string()?;
    let last_id = id(decoder)?;
    let entries_read = if version >= StreamVersion::Counts {
        decoder.length()?.cast_signed()
    } else {
        parts.stream().entries_read_at(last_id)
    };
    let added = parts.add_group(&name, Group::new(last_id, entries_read));
    added.map_err(|expected| decoder.bad(expected))?;
    let mut deliveries = HashMap::new();
    for _ in 0..decoder.length()? {
        let id = raw_id(decoder)?;
        let delivery = (UnixMillis(decoder.i64()?), decoder.length()?);
        if deliveries.insert(id, delivery).is_some() {
            return Err(decoder.bad("an entry pending once"));
        }
    }
    for _ in 0..decoder.length()? {
        let consumer = decoder.string()?;
        let seen = UnixMillis(decoder.i64()?);
        let active = if version >= StreamVersion::Activity {
            Some(decoder.i64()?)
                .filter(|at| *at != NEVER)
                .map(UnixMillis)
        } else {
            Some(seen)
        };
        let added = parts.add_consumer(&name, &consumer, seen, active);
        added.map_err(|expected| decoder.bad(expected))?;
        for _ in 0..decoder.length()? {
            let id = raw_id(decoder)?;
            let delivery = deliveries.remove(&id);
            let delivery = delivery.ok_or(decoder.bad("an entry pending for its group"))?;
            let added = parts.add_pending(&name, &consumer, id, delivery);
            added.map_err(|expected| decoder.bad(expected))?;
        }
    }
    if deliveries.is_empty() {
        Ok(())
    } else {
        Err(decoder.bad("a consumer for each pending entry"))
    }
}
