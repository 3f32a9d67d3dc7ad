//! Making room in memory: demotion, and eviction where the policy rules.
//!
//! Owns the CLOCK (Corbató, "A paging experiment with the Multics system",
//! 1968) over the slots' two frequency bits, and the choice of victims. The
//! keeper's thread.
//!
//! A key is passed over as often as it was used lately, at most three times,
//! and loses one use each time; then it sinks. One whose copy on the tier is
//! identical leaves without a write. Memory is won when the chunks of the
//! records that sank are emptied, which is done on the way.

use super::batch::BATCH_BYTES;
use super::{Cause, Keeper};
use crate::index::{KeyTable, Location, Position};
use crate::memory::{BEGIN_PERCENT, END_PERCENT};
use crate::objects::OBJECT_FORM;
use crate::record::RecordParts;
use crate::settings::Policy;
use crate::shard::Shard;
use crate::store::Store;
use crate::tier::writer::WriteError;
use crate::tier::{SegmentTable, SpaceState};
use smallvec::SmallVec;
use std::time::Duration;
use thermocline_base::{DatabaseId, ShardId};

/// The rest after nothing could be freed.
const REST: Duration = Duration::from_millis(50);
/// Times around all keys without finding a victim before there is none: one to
/// take each use away, and one more.
const ROUNDS: usize = 4;

impl Keeper {
    /// Makes room if memory is short, with at most `batches` batches, so that a
    /// load that fills it again at once does not keep the keeper from all else;
    /// whether more is to be done.
    pub(super) fn relieve(&mut self, batches: usize) -> bool {
        let store = std::sync::Arc::clone(&self.store);
        if !store.memory.is_above(&store.settings, BEGIN_PERCENT) {
            store.control.note_relief(true);
            self.set_tier_failure(None);
            return false;
        }
        if store.clock.monotonic() < self.relief_rests_until {
            return false;
        }
        for _ in 0..batches {
            if !store.memory.is_above(&store.settings, END_PERCENT) {
                return false;
            }
            // A disk that refuses is no reason to lose a key.
            let freed = match self.demote() {
                Ok(true) => true,
                Ok(false) | Err(WriteError::Full) => self.evict() || self.compact(),
                Err(_) => self.compact(),
            };
            // What has to stay for a while is no reason to refuse writes.
            store.control.note_relief(freed || store.keys_stay());
            store.memory.freed.notify_waiters();
            if !freed {
                self.relief_rests_until = store.clock.monotonic() + REST;
                return false;
            }
            self.observe();
        }
        true
    }

    /// Lets about one batch of records sink; false if none could.
    fn demote(&mut self) -> Result<bool, WriteError> {
        if !self.store.has_tier {
            return Ok(false);
        }
        let may_write = self.store.space_state() != SpaceState::Policy;
        let store = std::sync::Arc::clone(&self.store);
        let mut steps_left = steps(&store);
        let mut dropped_bytes = 0;
        while self.batch.bytes() + dropped_bytes < BATCH_BYTES && steps_left > 0 {
            steps_left -= 1;
            let batch = &mut self.batch;
            let visited = Self::step(&store, &mut self.demotion, |id, shard, table, segment| {
                demote_segment(&store, batch, id, shard, table, segment, may_write)
            });
            match visited {
                Some(bytes) => dropped_bytes += bytes,
                None => break,
            }
        }
        if self.batch.len() == 0 {
            return Ok(dropped_bytes > 0);
        }
        let finished = self.finish_batch(true);
        self.note_tier(&finished);
        let sunk = finished?;
        Ok(sunk > 0 || dropped_bytes > 0)
    }

    /// Tells of a disk that refuses what should sink, and of the end of that.
    fn note_tier(&self, finished: &Result<usize, WriteError>) {
        let control = &self.store.control;
        let failure = match finished {
            Ok(_) | Err(WriteError::Full) => None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = &failure
            && control.tier_failure().is_none()
        {
            tracing::warn!(reason, "keys cannot sink to the tier; trying again");
        }
        self.set_tier_failure(failure);
    }

    fn set_tier_failure(&self, failure: Option<String>) {
        let is_full = failure.is_some();
        let table = |table: &mut SegmentTable| table.set_device_full(is_full);
        self.store.volume.with_table(table);
        self.store.control.set_tier_failure(failure);
    }

    /// Evicts about one batch of keys as the policy says; false if it spares
    /// all.
    fn evict(&mut self) -> bool {
        let store = std::sync::Arc::clone(&self.store);
        let policy = store.settings.policy();
        if policy == Policy::NoEviction || store.keys_stay() {
            return false;
        }
        let mut steps_left = steps(&store);
        let mut freed_bytes = 0;
        while freed_bytes < BATCH_BYTES / 8 && steps_left > 0 {
            steps_left -= 1;
            let visited = Self::step(&store, &mut self.demotion, |_, shard, table, segment| {
                evict_segment(&store, shard, table, segment, policy)
            });
            match visited {
                Some(bytes) => freed_bytes += bytes,
                None => break,
            }
            if !store.memory.is_above(&store.settings, END_PERCENT) {
                break;
            }
        }
        freed_bytes > 0
    }

    /// Wins the places of dead records in the next shards. A heap that needs a
    /// chunk does so by itself; one whose records shrink or go needs none.
    pub(super) fn compact_some(&mut self) {
        for _ in 0..super::COMPACTED_SHARDS.min(self.store.shards.len()) {
            let number = self.next_compaction % self.store.shards.len();
            self.next_compaction = number + 1;
            let mut shard = self.store.shards[number].lock();
            if shard.compact() > 0 {
                self.store.recount(&mut shard);
            }
        }
    }

    /// Wins the places of dead records in all shards, though nothing can sink
    /// or go; false if there are few.
    fn compact(&self) -> bool {
        let mut freed_bytes = 0;
        for shard in &self.store.shards {
            let mut shard = shard.lock();
            freed_bytes += shard.compact();
            self.store.recount(&mut shard);
        }
        freed_bytes > 0
    }
}

/// Index segments to visit before giving up.
fn steps(store: &Store) -> usize {
    let segments = |shard: &parking_lot::Mutex<Shard>| {
        let shard = shard.lock();
        shard.tables().iter().map(KeyTable::segments).sum::<usize>()
    };
    store.shards.iter().map(segments).sum::<usize>() * ROUNDS + 1
}

/// Visits one index segment: clean victims sink, dirty ones are captured. How
/// many bytes left memory.
fn demote_segment(
    store: &Store,
    batch: &mut super::Batch,
    id: ShardId,
    shard: &mut Shard,
    table: usize,
    segment: usize,
    may_write: bool,
) -> usize {
    let lsn = store.log.appended_lsn();
    let mut dropped_bytes = 0;
    let Some(database) = shard.tables().get(table).map(KeyTable::database) else {
        return 0;
    };
    let slots = shard.tables()[table].segment(segment);
    for (position, slot) in slots {
        let Some(table) = shard.table_mut(database) else {
            break;
        };
        if slot.frequency() > 0 {
            table.set_frequency(position, slot.frequency() - 1);
            continue;
        }
        let Some(Location::Hot(_)) = slot.location() else {
            continue;
        };
        let Some((record, hash)) = table.record(position).zip(table.hash(position)) else {
            continue;
        };
        let parts = record.parts();
        if let Some(address) = parts.address.filter(|_| parts.is_clean) {
            dropped_bytes += record.record_bytes();
            let object = object_number(&parts);
            table.sink(position, hash, address);
            shard.counters.demotions += 1;
            if let Some(number) = object {
                let before = shard.objects.heap_bytes();
                store.discard(shard.objects.remove(&number));
                dropped_bytes += before.saturating_sub(shard.objects.heap_bytes());
            }
        } else if may_write {
            capture(batch, id, shard, database, position, lsn);
        }
    }
    shard.compact();
    store.recount(shard);
    dropped_bytes
}

/// Captures a dirty record of a shard.
pub(super) fn capture(
    batch: &mut super::Batch,
    id: ShardId,
    shard: &mut Shard,
    database: DatabaseId,
    position: Position,
    lsn: thermocline_base::Lsn,
) {
    // The table and the objects are parts of the shard that do not touch.
    let objects = std::mem::take(&mut shard.objects);
    if let Some(table) = shard.table_mut(database) {
        batch.capture(id, table, &objects, position, lsn);
    }
    shard.objects = objects;
}

fn object_number(parts: &RecordParts<'_>) -> Option<SmallVec<[u8; 4]>> {
    (parts.form == OBJECT_FORM).then(|| parts.value.into())
}

/// Visits one index segment and evicts its victims. How many bytes left memory.
fn evict_segment(
    store: &Store,
    shard: &mut Shard,
    table: usize,
    segment: usize,
    policy: Policy,
) -> usize {
    let Some(found) = shard.tables().get(table) else {
        return 0;
    };
    let database = found.database();
    if database == DatabaseId::SYSTEM {
        return 0;
    }
    let slots = found.segment(segment);
    let before = shard.memory_bytes();
    let mut victims: SmallVec<[(Position, i64); 64]> = SmallVec::new();
    for (position, slot) in slots {
        // A key that the log's tail still has effects on is not whole yet.
        if shard.references.len() > 0 {
            let hash = shard.table(database).and_then(|it| it.hash(position));
            if hash.is_none_or(|hash| shard.references.contains(hash)) {
                continue;
            }
        }
        let Some(table) = shard.table_mut(database) else {
            break;
        };
        let Some(record) = table.record(position) else {
            continue;
        };
        let expiry = record.expiry();
        if policy.is_volatile() && expiry.is_none() {
            continue;
        }
        let by_use = !matches!(
            policy,
            Policy::AllKeysRandom | Policy::VolatileRandom | Policy::VolatileTtl
        );
        if by_use && slot.frequency() > 0 {
            table.set_frequency(position, slot.frequency() - 1);
            continue;
        }
        victims.push((position, expiry.map_or(i64::MAX, |expiry| expiry.0)));
    }
    if policy == Policy::VolatileTtl {
        // Of what is met together, the quarter that expires soonest.
        victims.sort_unstable_by_key(|(_, expiry)| *expiry);
        victims.truncate(victims.len().div_ceil(4));
    }
    for (position, _) in victims {
        if !store.may_remove() {
            break;
        }
        Keeper::delete_hot(store, shard, database, position, Cause::Evicted);
        // What this one frees may be all that was to be freed.
        shard.compact();
        store.recount(shard);
        if !store.memory.is_above(&store.settings, END_PERCENT) {
            break;
        }
    }
    before.saturating_sub(shard.memory_bytes())
}
