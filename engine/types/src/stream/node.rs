//! A node of a stream: entries in a row, in one listpack.
//!
//! ```text
//! live | deleted | fields | field ... | 0              the names most entries share
//! flags | ms | sequence | value ... | elements         an entry with these names
//! flags | ms | sequence | fields | field | value ... | elements   another
//! ```
//!
//! Owns the layout, which is Redis's. Times and numbers are distances from the id of the node,
//! that of its first entry. A deleted entry keeps its place and is marked; `elements` are
//! those of the entry before it. Pure; runs on any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::StreamId;
use super::listpack::{self, HEADER_BYTES, put_integer, put_text};
use std::borrow::Cow;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// The counters of a node's `Arc`, and the node behind them.
const SHELL_BYTES: usize = 2 * size_of::<usize>() + size_of::<Node>();

/// A node: a whole listpack. Its id stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    bytes: Vec<u8>,
}

/// What stands before the entries.
#[derive(Clone, Copy, Debug)]
struct Head {
    live: i64,
    deleted: i64,
    /// Names that most entries share.
    fields: usize,
    /// Where the first of them is.
    fields_at: usize,
    /// Where the first entry is.
    entries_at: usize,
}

/// An entry where it lies.
#[derive(Clone, Copy, Debug)]
pub struct StreamEntry<'a> {
    /// Its id.
    pub id: StreamId,
    bytes: &'a [u8],
    flags: i64,
    flags_at: usize,
    fields: usize,
    names_at: usize,
    values_at: usize,
}

impl<'a> StreamEntry<'a> {
    /// How many fields.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fields
    }

    /// Whether it has none, which no entry made by a command has.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields == 0
    }

    const fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }

    /// The fields and their values, in order.
    pub fn fields(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)> + use<'a> {
        let entry = *self;
        let (mut name_at, mut value_at) = (entry.names_at, entry.values_at);
        (0..entry.fields).map_while(move |_| {
            let (name, after_name) = listpack::element(entry.bytes, name_at)?;
            if entry.flags & SAME_FIELDS == 0 {
                value_at = after_name;
            }
            let (value, after_value) = listpack::element(entry.bytes, value_at)?;
            value_at = after_value;
            name_at = if entry.flags & SAME_FIELDS == 0 {
                after_value
            } else {
                after_name
            };
            Some((name.text(), value.text()))
        })
    }
}

impl Node {
    /// A node of one entry; `fields` are names and values in turn.
    pub(super) fn new(id: StreamId, fields: &[&[u8]]) -> Self {
        let mut bytes = listpack::new();
        let names = fields.iter().step_by(2);
        let count = names.len();
        listpack::append(&mut bytes, count.saturating_add(4), |out| {
            put_integer(out, 0);
            put_integer(out, 0);
            put_integer(out, i64::try_from(count).unwrap_or(i64::MAX));
            names.for_each(|name| put_text(out, name));
            put_integer(out, 0);
        });
        let mut node = Self { bytes };
        node.append(id, id, fields);
        node
    }

    /// A node of these bytes, if they are one under this id; the last id in it.
    pub(super) fn checked(id: StreamId, bytes: Vec<u8>) -> Option<(Self, StreamId)> {
        if !listpack::is_whole(&bytes) {
            return None;
        }
        let node = Self { bytes };
        let head = node.head()?;
        let (mut at, mut live, mut deleted, mut last) = (head.entries_at, 0_i64, 0_i64, None);
        while listpack::element(&node.bytes, at).is_some() {
            let (entry, next) = node.entry_at(id, head, at)?;
            if last.is_some_and(|last| entry.id <= last) || entry.id < id {
                return None;
            }
            last = Some(entry.id);
            let count = if entry.is_deleted() {
                &mut deleted
            } else {
                &mut live
            };
            *count = count.checked_add(1)?;
            at = next;
        }
        (head.live == live && head.deleted == deleted).then_some((node, last?))
    }

    /// The listpack.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.capacity().saturating_add(SHELL_BYTES)
    }

    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    fn head(&self) -> Option<Head> {
        let (live, at) = listpack::integer(&self.bytes, HEADER_BYTES)?;
        let (deleted, at) = listpack::integer(&self.bytes, at)?;
        let (fields, fields_at) = listpack::integer(&self.bytes, at)?;
        let fields = usize::try_from(fields).ok()?;
        // A field takes bytes, so this ends with them whatever the number says.
        let after = (0..fields).try_fold(fields_at, |at, _| {
            listpack::element(&self.bytes, at).map(|(_, next)| next)
        })?;
        let (zero, entries_at) = listpack::integer(&self.bytes, after)?;
        (zero == 0 && live >= 0 && deleted >= 0).then_some(Head {
            live,
            deleted,
            fields,
            fields_at,
            entries_at,
        })
    }

    /// How many entries are not deleted.
    pub(super) fn live(&self) -> u64 {
        self.head()
            .and_then(|head| u64::try_from(head.live).ok())
            .unwrap_or(0)
    }

    /// Whether an entry of these fields goes into another node.
    pub(super) fn is_full_for(
        &self,
        fields: &[&[u8]],
        max_bytes: usize,
        max_entries: usize,
    ) -> bool {
        const LARGEST_BYTES: usize = 1 << 30;
        let max_bytes = if max_bytes == 0 {
            LARGEST_BYTES
        } else {
            max_bytes.min(LARGEST_BYTES)
        };
        let added = fields
            .iter()
            .fold(0_usize, |sum, text| sum.saturating_add(text.len()));
        if self.bytes.len().saturating_add(added) >= max_bytes {
            return true;
        }
        let entries = self
            .head()
            .map_or(0, |head| head.live.saturating_add(head.deleted));
        max_entries > 0 && usize::try_from(entries).unwrap_or(usize::MAX) >= max_entries
    }

    /// Appends an entry whose id is above all here.
    pub(super) fn append(&mut self, node_id: StreamId, id: StreamId, fields: &[&[u8]]) {
        let Some(head) = self.head() else { return };
        let count = fields.len() / 2;
        let is_same = count == head.fields && {
            let mut at = head.fields_at;
            fields.iter().step_by(2).all(|name| {
                let Some((element, next)) = listpack::element(&self.bytes, at) else {
                    return false;
                };
                at = next;
                *element.text() == **name
            })
        };
        let flags = if is_same { SAME_FIELDS } else { 0 };
        let elements = if is_same {
            count.saturating_add(3)
        } else {
            fields.len().saturating_add(4)
        };
        listpack::append(&mut self.bytes, elements.saturating_add(1), |out| {
            put_integer(out, flags);
            put_integer(out, id.ms.wrapping_sub(node_id.ms).cast_signed());
            put_integer(
                out,
                id.sequence.wrapping_sub(node_id.sequence).cast_signed(),
            );
            if is_same {
                fields
                    .iter()
                    .skip(1)
                    .step_by(2)
                    .for_each(|value| put_text(out, value));
            } else {
                put_integer(out, i64::try_from(count).unwrap_or(i64::MAX));
                fields.iter().for_each(|text| put_text(out, text));
            }
            put_integer(out, i64::try_from(elements).unwrap_or(i64::MAX));
        });
        self.set_counts(head.live.saturating_add(1), head.deleted);
    }

    fn set_counts(&mut self, live: i64, deleted: i64) {
        listpack::replace(&mut self.bytes, HEADER_BYTES, live);
        if let Some((_, at)) = listpack::element(&self.bytes, HEADER_BYTES) {
            listpack::replace(&mut self.bytes, at, deleted);
        }
    }

    fn entry_at(
        &self,
        node_id: StreamId,
        head: Head,
        flags_at: usize,
    ) -> Option<(StreamEntry<'_>, usize)> {
        let bytes = self.bytes.as_slice();
        let (flags, at) = listpack::integer(bytes, flags_at)?;
        let (ms, at) = listpack::integer(bytes, at)?;
        let (sequence, at) = listpack::integer(bytes, at)?;
        let id = StreamId::new(
            node_id.ms.wrapping_add(ms.cast_unsigned()),
            node_id.sequence.wrapping_add(sequence.cast_unsigned()),
        );
        let (fields, names_at, values_at, texts, more) = if flags & SAME_FIELDS != 0 {
            (head.fields, head.fields_at, at, head.fields, 3_usize)
        } else {
            let (fields, at) = listpack::integer(bytes, at)?;
            let fields = usize::try_from(fields).ok()?;
            (fields, at, at, fields.checked_mul(2)?, 4)
        };
        let after = (0..texts).try_fold(values_at, |at, _| {
            listpack::element(bytes, at).map(|(_, next)| next)
        })?;
        let (elements, next) = listpack::integer(bytes, after)?;
        let is_right = usize::try_from(elements).ok() == texts.checked_add(more)
            && flags & !(DELETED | SAME_FIELDS) == 0;
        let entry = StreamEntry {
            id,
            bytes,
            flags,
            flags_at,
            fields,
            names_at,
            values_at,
        };
        is_right.then_some((entry, next))
    }

    fn all(&self, node_id: StreamId) -> impl Iterator<Item = StreamEntry<'_>> {
        let head = self.head();
        let mut at = head.map(|head| head.entries_at);
        std::iter::from_fn(move || {
            let (entry, next) = self.entry_at(node_id, head?, at?)?;
            at = Some(next);
            Some(entry)
        })
    }

    /// The entries that are not deleted.
    pub(super) fn entries(&self, node_id: StreamId) -> impl Iterator<Item = StreamEntry<'_>> {
        self.all(node_id).filter(|entry| !entry.is_deleted())
    }

    /// All entries, the last first.
    fn all_back(&self, node_id: StreamId) -> impl Iterator<Item = StreamEntry<'_>> {
        let head = self.head();
        let mut end = self.bytes.len().saturating_sub(1);
        std::iter::from_fn(move || {
            let elements_at = listpack::before(&self.bytes, end)?;
            let (elements, next) = listpack::integer(&self.bytes, elements_at)?;
            // An element takes bytes, so this ends with them whatever the number says.
            let begin =
                (0..elements).try_fold(elements_at, |at, _| listpack::before(&self.bytes, at))?;
            let head = head.filter(|head| next == end && begin >= head.entries_at)?;
            end = begin;
            self.entry_at(node_id, head, begin).map(|(entry, _)| entry)
        })
    }

    /// The entries that are not deleted, the last first.
    pub(super) fn entries_back(&self, node_id: StreamId) -> impl Iterator<Item = StreamEntry<'_>> {
        self.all_back(node_id).filter(|entry| !entry.is_deleted())
    }

    /// The id of the last entry, deleted ones included.
    pub(super) fn last_id(&self, node_id: StreamId) -> StreamId {
        self.all_back(node_id)
            .next()
            .map_or(node_id, |entry| entry.id)
    }

    /// Marks entries as deleted; how many were not before.
    pub(super) fn delete(
        &mut self,
        node_id: StreamId,
        is_chosen: impl Fn(StreamId) -> bool,
    ) -> u64 {
        let chosen: Vec<(usize, i64)> = self
            .entries(node_id)
            .filter(|entry| is_chosen(entry.id))
            .map(|entry| (entry.flags_at, entry.flags))
            .collect();
        let Some(head) = self.head() else { return 0 };
        for (at, flags) in &chosen {
            // Of the same width: nothing moves.
            listpack::replace(&mut self.bytes, *at, flags | DELETED);
        }
        let count = i64::try_from(chosen.len()).unwrap_or(0);
        if count > 0 {
            let live = head.live.saturating_sub(count);
            self.set_counts(live, head.deleted.saturating_add(count));
        }
        chosen.len() as u64
    }
}
