//! A stream as bytes: what stands in the tier, in the log, and between RDB and memory.
//!
//! Owns the bytes (`FORMAT.md`, "Stream") and [`StreamParts`], which checks what a stream is
//! built from. Trusts nothing. Pure; runs on any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{Group, Node, Stream, StreamId};
use std::sync::Arc;
use thermocline_base::codec::{put_length_prefixed, put_varint};
use thermocline_base::{CodecError, Reader, UnixMillis};

/// The numbers of a stream besides what its entries tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StreamNumbers {
    pub(crate) length: u64,
    pub(crate) last_id: StreamId,
    pub(crate) max_deleted_id: StreamId,
    pub(crate) entries_added: u64,
}

/// A stream being built from parts that are not trusted; each says what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct StreamParts {
    stream: Stream,
    last_node_end: Option<StreamId>,
}

impl StreamParts {
    /// Adds a node behind the others.
    pub(crate) fn add_node(&mut self, id: StreamId, listpack: Vec<u8>) -> Result<(), &'static str> {
        let (mut node, end) = Node::checked(id, listpack).ok_or("a node of a stream")?;
        if self.last_node_end.is_some_and(|end| id <= end) {
            return Err("nodes in the order of their ids");
        }
        node.shrink();
        self.last_node_end = Some(end);
        self.stream.length = self.stream.length.saturating_add(node.live());
        self.stream.node_bytes = self.stream.node_bytes.saturating_add(node.heap_bytes());
        self.stream.nodes.insert(id, Arc::new(node));
        Ok(())
    }

    /// Sets the numbers, once all nodes are there.
    pub(crate) fn set_numbers(&mut self, numbers: StreamNumbers) -> Result<(), &'static str> {
        if numbers.length != self.stream.length {
            return Err("as many entries as counted");
        }
        if self.last_node_end.is_some_and(|end| end > numbers.last_id) {
            return Err("a last id above all entries");
        }
        self.stream.last_id = numbers.last_id;
        self.stream.max_deleted_id = numbers.max_deleted_id;
        self.stream.entries_added = numbers.entries_added;
        self.stream.find_first();
        Ok(())
    }

    /// The stream so far.
    pub(crate) const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Adds a group.
    pub(crate) fn add_group(&mut self, name: &[u8], group: Group) -> Result<(), &'static str> {
        if self.stream.group(name).is_some() {
            return Err("groups that differ");
        }
        self.stream.add_group(name, group);
        Ok(())
    }

    /// Adds a consumer to a group that is there.
    pub(crate) fn add_consumer(
        &mut self,
        group: &[u8],
        name: &[u8],
        seen: UnixMillis,
        active: Option<UnixMillis>,
    ) -> Result<(), &'static str> {
        let found = self.stream.group(group);
        if found.is_none_or(|group| group.consumer(name).is_some()) {
            return Err("consumers that differ");
        }
        self.stream
            .change_group(group, |group| group.touch(name, seen, active));
        Ok(())
    }

    /// Makes an entry pending for a consumer that is there.
    pub(crate) fn add_pending(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        id: StreamId,
        (delivered_at, deliveries): (UnixMillis, u64),
    ) -> Result<(), &'static str> {
        if self
            .stream
            .group(group)
            .is_none_or(|group| group.pending(id).is_some())
        {
            return Err("an entry pending once");
        }
        self.stream.change_group(group, |group| {
            group.deliver(id, consumer, delivered_at, deliveries);
        });
        Ok(())
    }

    /// The stream.
    pub(crate) fn build(self) -> Stream {
        self.stream
    }
}

const NEVER: i64 = -1;

/// Appends the bytes.
pub(crate) fn serialize(stream: &Stream, out: &mut Vec<u8>) {
    put_varint(out, stream.length);
    stream.last_id.put(out);
    stream.max_deleted_id.put(out);
    put_varint(out, stream.entries_added);
    put_varint(out, stream.nodes_len() as u64);
    for (id, node) in stream.nodes() {
        id.put(out);
        put_length_prefixed(out, node.bytes());
    }
    put_varint(out, stream.groups().len() as u64);
    for (name, group) in stream.groups() {
        put_length_prefixed(out, name);
        group.last_id.put(out);
        out.extend_from_slice(&group.entries_read.to_le_bytes());
        put_varint(out, group.consumers().len() as u64);
        for (name, consumer) in group.consumers() {
            put_length_prefixed(out, name);
            out.extend_from_slice(&consumer.seen_at.0.to_le_bytes());
            let active = consumer.active_at.map_or(NEVER, |at| at.0);
            out.extend_from_slice(&active.to_le_bytes());
            put_varint(out, consumer.pending_len() as u64);
            for id in consumer.pending_from(StreamId::MIN) {
                id.put(out);
                let pending = group.pending(id);
                let (at, deliveries) =
                    pending.map_or((0, 0), |it| (it.delivered_at.0, it.deliveries));
                out.extend_from_slice(&at.to_le_bytes());
                put_varint(out, deliveries);
            }
        }
    }
}

/// Reads what [`serialize`] wrote.
pub(crate) fn deserialize(bytes: &[u8]) -> Result<Stream, CodecError> {
    let mut reader = Reader::new(bytes);
    let mut parts = StreamParts::default();
    let numbers = StreamNumbers {
        length: reader.varint()?,
        last_id: StreamId::read(&mut reader)?,
        max_deleted_id: StreamId::read(&mut reader)?,
        entries_added: reader.varint()?,
    };
    for _ in 0..reader.varint()? {
        let id = StreamId::read(&mut reader)?;
        let listpack = reader.length_prefixed()?.to_vec();
        let added = parts.add_node(id, listpack);
        added.map_err(|field| reader.invalid(field))?;
    }
    let set = parts.set_numbers(numbers);
    set.map_err(|field| reader.invalid(field))?;
    for _ in 0..reader.varint()? {
        read_group(&mut reader, &mut parts)?;
    }
    if !reader.is_empty() {
        return Err(reader.invalid("end of the stream"));
    }
    Ok(parts.build())
}

fn read_group(reader: &mut Reader<'_>, parts: &mut StreamParts) -> Result<(), CodecError> {
    let group = reader.length_prefixed()?;
    let last_id = StreamId::read(reader)?;
    let entries_read = reader.i64()?;
    let added = parts.add_group(group, Group::new(last_id, entries_read));
    added.map_err(|field| reader.invalid(field))?;
    for _ in 0..reader.varint()? {
        let name = reader.length_prefixed()?;
        let seen = UnixMillis(reader.i64()?);
        let active = Some(reader.i64()?).filter(|at| *at != NEVER);
        let added = parts.add_consumer(group, name, seen, active.map(UnixMillis));
        added.map_err(|field| reader.invalid(field))?;
        for _ in 0..reader.varint()? {
            let id = StreamId::read(reader)?;
            let delivery = (UnixMillis(reader.i64()?), reader.varint()?);
            let added = parts.add_pending(group, name, id, delivery);
            added.map_err(|field| reader.invalid(field))?;
        }
    }
    Ok(())
}
