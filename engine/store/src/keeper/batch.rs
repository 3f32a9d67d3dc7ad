//! From memory to the tier: capture under the lock, write without it, and let
//! the records know.
//!
//! Owns the captured records between those steps. Does not choose them. The
//! keeper's thread.
//!
//! 1. Under its shard's lock a dirty record is copied, with the log's end as
//!    its LSN, and marked as being written. Any change takes the mark away.
//! 2. Without a lock the copies are compressed, placed and written.
//! 3. Under the lock again: a record that still has the mark is what was
//!    written, so it is clean, and may sink; the copy of another is garbage.
//!
//! INVARIANT: a batch is finished before the next begins, and step 3 goes
//! backwards, so of a record captured twice the later copy counts.

use super::Keeper;
use crate::address::Address;
use crate::index::{Found, KeyTable, Position};
use crate::objects::{OBJECT_FORM, Objects};
use crate::shard::Shard;
use crate::store::Store;
use crate::tier::Stream;
use crate::tier::writer::{NewRecord, WriteError};
use smallvec::SmallVec;
use std::ops::Range;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::{DatabaseId, KeyHash, Lsn, ShardId, UnixMillis};
use thermocline_types::{Form, Object, ValueRef};

/// A batch is written once it holds about this much.
pub(super) const BATCH_BYTES: usize = 1 << 20;

enum Source {
    Bytes(u8, Range<usize>),
    Object(Object),
}

struct Captured {
    shard: ShardId,
    database: DatabaseId,
    hash: KeyHash,
    lsn: Lsn,
    expiry: Option<UnixMillis>,
    key: Range<usize>,
    source: Source,
    /// Filled in by [`Keeper::place_batch`].
    written: Option<(Address, u32)>,
}

/// Captured records; see the module.
#[derive(Default)]
pub(super) struct Batch {
    arena: Vec<u8>,
    records: Vec<Captured>,
    /// What the captured objects hold beside the arena.
    object_bytes: usize,
    /// Of `records`, how many are placed.
    placed: usize,
}

impl Batch {
    /// How much is captured, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.arena.len() + self.object_bytes
    }

    /// What is held of memory, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.arena.capacity() + self.records.capacity() * size_of::<Captured>() + self.object_bytes
    }

    /// How many records are captured.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Forgets all that is captured: the records stay dirty in memory, their
    /// marks mean nothing.
    pub(super) fn clear(&mut self) {
        self.arena.clear();
        self.arena.shrink_to(BATCH_BYTES * 2);
        self.records.clear();
        self.object_bytes = 0;
        self.placed = 0;
    }

    /// Where record `index` was placed.
    pub(super) fn address(&self, index: usize) -> Option<Address> {
        Some(self.records.get(index)?.written?.0)
    }

    /// Copies the dirty record at `position` and marks it.
    pub(super) fn capture(
        &mut self,
        shard: ShardId,
        table: &mut KeyTable,
        objects: &Objects,
        position: Position,
        lsn: Lsn,
    ) {
        let Some(hash) = table.hash(position) else {
            return;
        };
        let Some(record) = table.record(position) else {
            return;
        };
        let parts = record.parts();
        let start = self.arena.len();
        self.arena.extend_from_slice(parts.key);
        let key = start..self.arena.len();
        let source = match objects.value(&parts) {
            ValueRef::Object(object) => {
                self.object_bytes += object.heap_bytes();
                Source::Object(object.clone())
            }
            ValueRef::Inline { bytes, .. } => {
                self.arena.extend_from_slice(bytes);
                Source::Bytes(parts.form, key.end..self.arena.len())
            }
        };
        self.records.push(Captured {
            shard,
            database: table.database(),
            hash,
            lsn,
            expiry: parts
                .expiry
                .filter(|_| !is_planted(Bug::ExpiryLostInDemotion)),
            key,
            source,
            written: None,
        });
        table.mark_writing(position);
    }
}

impl Keeper {
    /// Places all that is captured and not placed yet. A large object is
    /// serialised here, from its clone.
    pub(super) fn place_batch(&mut self) -> Result<(), WriteError> {
        let now = self.store.now();
        let mut serialized = Vec::new();
        while let Some(captured) = self.batch.records.get_mut(self.batch.placed) {
            let (form, value): (u8, &[u8]) = match &captured.source {
                Source::Bytes(form, range) => (*form, &self.batch.arena[range.clone()]),
                Source::Object(object) => {
                    serialized.clear();
                    let form: Form = ValueRef::Object(object).serialize_into(&mut serialized);
                    (form as u8, &serialized)
                }
            };
            let record = NewRecord {
                lsn: captured.lsn,
                database: captured.database,
                form,
                expiry: captured.expiry,
                key: &self.batch.arena[captured.key.clone()],
                value,
            };
            let stream = Stream::of(captured.expiry, now, false);
            let store = &self.store;
            let placed = self.writer.place(
                &store.volume,
                stream,
                captured.hash,
                &record,
                now,
                &mut |dictionary| store.publish_dictionary(dictionary),
            )?;
            captured.written = Some((placed.address, placed.bytes));
            self.batch.placed += 1;
        }
        Ok(())
    }

    /// Writes the batch and makes its records clean; with `sink` they leave the
    /// memory. How many did become what was asked.
    pub(super) fn finish_batch(&mut self, sink: bool) -> Result<usize, WriteError> {
        let written = self
            .place_batch()
            .and_then(|()| self.writer.flush(&self.store.volume, self.store.now()));
        let mut batch = std::mem::take(&mut self.batch);
        let result = written.map(|()| self.settle_batch(&mut batch, sink));
        batch.clear();
        self.batch = batch;
        result
    }

    fn settle_batch(&self, batch: &mut Batch, sink: bool) -> usize {
        let mut settled = 0;
        let mut records = batch.records.iter().rev().peekable();
        while let Some(first) = records.peek() {
            let id = first.shard;
            let mut shard = self.store.shards[id.index()].lock();
            while let Some(captured) = records.next_if(|captured| captured.shard == id) {
                let key = &batch.arena[captured.key.clone()];
                let Some((address, bytes)) = captured.written else {
                    continue;
                };
                if settle(&self.store, &mut shard, captured, key, address, sink) {
                    settled += 1;
                } else {
                    self.store.volume.record_died(address, u64::from(bytes));
                }
            }
            if sink {
                shard.compact();
            }
            self.store.recount(&mut shard);
        }
        settled
    }
}

/// Makes the record clean if it still is what was captured.
fn settle(
    store: &Store,
    shard: &mut Shard,
    captured: &Captured,
    key: &[u8],
    address: Address,
    sink: bool,
) -> bool {
    let Some(table) = shard.table(captured.database) else {
        return false;
    };
    let Found::Hot(position) = table.find(captured.hash, key) else {
        return false;
    };
    let Some(record) = table.record(position) else {
        return false;
    };
    if !record.is_writing() && !is_planted(Bug::SettledWithoutMark) {
        return false;
    }
    let parts = record.parts();
    if let Some(outdated) = parts.address {
        let bytes = store.copy_bytes_hint(outdated, &parts, &shard.objects);
        store.volume.record_died(outdated, u64::from(bytes));
    }
    let object: Option<SmallVec<[u8; 4]>> = (parts.form == OBJECT_FORM).then(|| parts.value.into());
    if sink {
        shard.counters.demotions += 1;
        if let Some(number) = object {
            store.discard(shard.objects.remove(&number));
        }
    }
    let Some(table) = shard.table_mut(captured.database) else {
        return false;
    };
    if sink {
        table.sink(position, captured.hash, address);
    } else {
        table.set_address(position, address);
    }
    true
}
