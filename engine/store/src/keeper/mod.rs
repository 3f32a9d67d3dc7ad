//! The keeper: the one thread that tends the store in the background.
//!
//! Owns the writer of the tier, the manifest, and every hand that goes around
//! the shards: for bringing them up, for demotion and eviction, for expiry.
//! Works in slices of at most about a millisecond under a shard's lock. One
//! thread, so none of its tasks can meet another half-way.
//!
//! Modules, lowest first: `batch` (from memory to the tier), `relieve`, `gathered` (effects
//! of the log's tail), `apply`, `tail`, `load`, `expire`, `fields`, `ballast`, `checkpoint`,
//! `clean`.

mod apply;
mod backup;
mod ballast;
mod batch;
mod checkpoint;
mod clean;
mod expire;
mod fields;
mod gathered;
mod load;
mod relieve;
mod tail;
#[cfg(test)]
mod tail_tests;

pub use backup::BackupReport;

use crate::effect::{Effect, KeyRef};
use crate::image::Directory;
use crate::index::{Location, Position};
use crate::manifest::Manifest;
use crate::memory::SHORT_PERCENT;
use crate::objects::OBJECT_FORM;
use crate::observe::{Change, EventClass};
use crate::reader::PageReader;
use crate::shard::Shard;
use crate::store::{Store, StoreError};
use crate::tier::segment::SEGMENT_BYTES;
use crate::tier::writer::TierWriter;
use batch::Batch;
use fields::FieldSearch;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tail::Tail;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::{DatabaseId, Lsn, ShardId};
use thermocline_wal::FrameReader;

/// How long the keeper sleeps when nothing wakes it.
const REST: Duration = Duration::from_millis(10);
/// How often the process's resident size is looked at.
const OBSERVE_INTERVAL: Duration = Duration::from_millis(50);
/// Shards looked at for dead records each time.
const COMPACTED_SHARDS: usize = 64;
/// Batches of demotion or eviction in one round of all tasks.
const RELIEF_BATCHES: usize = 16;
/// Reads in flight when many records are needed.
const READ_DEPTH: usize = 64;

/// A place on the way around all index segments of all shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hand {
    shard: usize,
    table: usize,
    segment: usize,
}

/// Why the keeper deletes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Expired,
    Evicted,
}

impl Cause {
    fn count(self, shard: &mut Shard) {
        match self {
            Self::Expired => shard.counters.expired += 1,
            Self::Evicted => shard.counters.evicted += 1,
        }
    }

    /// Tells observers that the key is gone, under its shard's lock.
    fn tell(self, store: &Store, database: DatabaseId, key: &[u8], lsn: Lsn) {
        let (class, name) = match self {
            Self::Expired => (EventClass::Expired, "expired"),
            Self::Evicted => (EventClass::Evicted, "evicted"),
        };
        let mut changes: SmallVec<[Change<'_>; 2]> = SmallVec::new();
        if store.observed.wants(class)
            && let Some(database) = store.number(database)
        {
            changes.push(Change::Event {
                class,
                name,
                database,
                key,
            });
        }
        if store.observed.wants_changes() {
            // In the order of the reference, which tells of an expiry before the change.
            let place = match self {
                Self::Expired => changes.len(),
                Self::Evicted => 0,
            };
            changes.insert(place, Change::Key(key));
        }
        if !changes.is_empty() {
            store.observed.tell(&changes, lsn);
        }
    }
}

/// See the module.
pub(crate) struct Keeper {
    store: Arc<Store>,
    writer: TierWriter,
    reader: PageReader,
    batch: Batch,
    /// The last durable manifest and its image's directory.
    manifest: Manifest,
    directory: Directory,
    /// The number of the next image. None is used twice: a manifest whose
    /// replacement failed at its last step may be the one a restart finds.
    next_image: u64,
    /// The next shard to bring up in the background.
    next_load: usize,
    tail: Tail,
    /// The next shard to look at for dead records.
    next_compaction: usize,
    demotion: Hand,
    expiry: Hand,
    fields: FieldSearch,
    observed_at: Duration,
    load_rests_until: Duration,
    checkpointed_at: Duration,
    relief_rests_until: Duration,
    expiry_rests_until: Duration,
    cleaning_rests_until: Duration,
    checkpoint_rests_until: Duration,
}

impl Keeper {
    pub(crate) fn new(
        store: Arc<Store>,
        manifest: Manifest,
        directory: Directory,
        tail: FrameReader,
    ) -> Result<Self, StoreError> {
        let now = store.clock.monotonic();
        Ok(Self {
            writer: TierWriter::new(manifest.dictionaries.clone())?,
            reader: PageReader::new(&store, READ_DEPTH)?,
            batch: Batch::default(),
            tail: Tail::new(tail, manifest.checkpoint_lsn),
            manifest,
            next_image: directory.number + 1,
            directory,
            next_load: 0,
            next_compaction: 0,
            demotion: Hand::default(),
            expiry: Hand::default(),
            fields: FieldSearch::default(),
            observed_at: Duration::ZERO,
            load_rests_until: Duration::ZERO,
            checkpointed_at: now,
            relief_rests_until: Duration::ZERO,
            expiry_rests_until: Duration::ZERO,
            cleaning_rests_until: Duration::ZERO,
            checkpoint_rests_until: Duration::ZERO,
            store,
        })
    }

    /// Tends the store until it is closed.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        self.begin();
        while !self.store.control.is_stopping() {
            let is_busy = self.tick();
            if !is_busy {
                self.store.control.sleep(REST);
            }
        }
        self.end()
    }

    /// Comes before the first round.
    pub(crate) fn begin(&self) {
        self.keep_ballast();
    }

    /// Comes after the last round: the last checkpoint, if one is wanted.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        let wants_last = self.store.control.wants_last_checkpoint();
        while wants_last && !self.store.is_settled() && self.store.control.damage().is_none() {
            self.load();
        }
        if wants_last && self.store.is_settled() {
            // What was flushed is garbage in the manifest too.
            while self.bury() {}
            return self.checkpoint();
        }
        Ok(())
    }

    /// One round; whether there is more to do at once.
    pub(crate) fn tick(&mut self) -> bool {
        self.observe();
        let mut is_busy = false;
        if !self.store.is_settled() {
            is_busy |= self.load();
            self.refuse_checkpoints();
            self.refuse_backups();
        }
        is_busy |= self.relieve(RELIEF_BATCHES);
        is_busy |= self.bury();
        if self.store.is_settled() {
            self.expire();
            self.store.observed.settle();
            self.expire_fields();
            if let Some(request) = self.store.control.take_backup() {
                let made = self.backup(&request.path);
                // Who asked may have gone.
                let _ = request.done.send(made);
                is_busy = true;
            }
            if self.is_checkpoint_due() {
                // Its failure is told by whoever asks; it is tried again.
                let _ = self.checkpoint();
            }
            is_busy |= self.clean();
        }
        self.store.observed.settle();
        is_busy
    }

    /// Looks at what the process takes and how far the log is behind.
    fn observe(&mut self) {
        let now = self.store.clock.monotonic();
        let is_short = self
            .store
            .memory
            .is_above(&self.store.settings, SHORT_PERCENT);
        self.store.pool.set_short(is_short);
        // Looks again where the log's end is.
        let _ = self.store.log.is_overdue();
        if now >= self.observed_at + OBSERVE_INTERVAL {
            self.observed_at = now;
            self.compact_some();
            self.store.pool.trim();
            // Where the store is stepped the process is not the store's.
            if !self.store.log.is_stepped()
                && let Some(bytes) = resident_bytes()
            {
                self.store.memory.observe_resident(bytes);
            }
            let limit = self.store.settings.tier_max_bytes();
            let is_short = self.is_device_short();
            let is_full = self.store.volume.with_table(|table| {
                table.set_tier_max_bytes(limit);
                table.set_device_short(is_short);
                table.is_full_of_live()
            });
            self.store.control.set_tier_full(is_full);
            self.store.volume.set_reserve(self.reserve_segments());
            let totals = &self.store.totals;
            let keeper_bytes =
                self.writer.memory_bytes() + self.batch.memory_bytes() + self.tail.memory_bytes();
            totals.keeper_bytes.store(keeper_bytes as u64, Relaxed);
            totals
                .tier_written_bytes
                .store(self.writer.written_bytes, Relaxed);
            totals
                .demoted_raw_bytes
                .store(self.writer.raw_bytes, Relaxed);
            totals
                .demoted_stored_bytes
                .store(self.writer.stored_bytes, Relaxed);
        }
    }

    /// Whether the device has less room left than the reserve, a segment more and the log
    /// up to the next checkpoint may take.
    fn is_device_short(&self) -> bool {
        let segments_bytes = (self.reserve_segments() as u64 + 1) * SEGMENT_BYTES;
        let log_bytes = self.store.settings.checkpoint_wal_bytes();
        let space = self.store.disk.space();
        space.is_ok_and(|space| space.free_bytes < segments_bytes.saturating_add(log_bytes))
    }

    /// Free segments to hold in reserve: one for a cleaning, and for a
    /// checkpoint what may be dirty by the time it is due.
    fn reserve_segments(&self) -> usize {
        let settings = &self.store.settings;
        if !self.store.has_tier {
            return 0;
        }
        let dirty_bytes = settings
            .maxmemory_bytes()
            .min(settings.checkpoint_wal_bytes());
        1 + dirty_bytes.div_ceil(SEGMENT_BYTES) as usize
    }

    /// Moves `hand` to the next index segment that exists, and calls `visit`
    /// with its shard, locked, its table's number and its segment. `None`
    /// after one whole way around without any.
    fn step<T>(
        store: &Store,
        hand: &mut Hand,
        visit: impl FnOnce(ShardId, &mut Shard, usize, usize) -> T,
    ) -> Option<T> {
        for _ in 0..=store.shards.len() {
            let mut shard = store.shards[hand.shard].lock();
            while let Some(table) = shard.tables().get(hand.table) {
                if hand.segment < table.segments() {
                    let segment = hand.segment;
                    hand.segment += 1;
                    let id = ShardId(hand.shard as u16);
                    return Some(visit(id, &mut shard, hand.table, segment));
                }
                hand.table += 1;
                hand.segment = 0;
            }
            hand.table = 0;
            hand.segment = 0;
            hand.shard = (hand.shard + 1) % store.shards.len();
        }
        None
    }

    /// Deletes a hot key and logs it, under its shard's lock.
    fn delete_hot(
        store: &Store,
        shard: &mut Shard,
        database: DatabaseId,
        position: Position,
        cause: Cause,
    ) {
        let Some(table) = shard.table(database) else {
            return;
        };
        let Some(record) = table.record(position) else {
            return;
        };
        let parts = record.parts();
        let key: SmallVec<[u8; 64]> = parts.key.into();
        if let Some(address) = parts.address {
            let bytes = store.copy_bytes_hint(address, &parts, &shard.objects);
            store.volume.record_died(address, u64::from(bytes));
        }
        if parts.form == OBJECT_FORM {
            let number: SmallVec<[u8; 4]> = parts.value.into();
            store.discard(shard.objects.remove(&number));
        }
        Self::delete_slot(store, shard, database, position, &key, cause);
    }

    /// Removes the slot of `key` and logs the deletion, under its shard's lock.
    fn delete_slot(
        store: &Store,
        shard: &mut Shard,
        database: DatabaseId,
        position: Position,
        key: &[u8],
        cause: Cause,
    ) {
        let mut effect = Vec::new();
        Effect::Delete {
            key: KeyRef { database, key },
        }
        .encode_into(&mut effect);
        if !(cause == Cause::Expired && is_planted(Bug::LostDeleteOnExpiry)) {
            shard.last_lsn = store.log.append(&effect);
        }
        if let Some(table) = shard.table_mut(database) {
            table.remove(position);
        }
        shard.epoch += 1;
        shard.changed.insert(store.seed.hash(database, key));
        shard.watchers.touch(database, key);
        if shard.queues.is_waited(database, key) {
            store.raise(database, key);
            store.ready.told.notify_waiters();
        }
        store.note_change();
        cause.count(shard);
        cause.tell(store, database, key, shard.last_lsn);
    }

    /// Frees tables of flushed databases, a slice a round; whether there was
    /// one.
    fn bury(&self) -> bool {
        const SEGMENTS: usize = 64;
        let buried = self.store.exhume();
        let is_busy = buried.is_some();
        if let Some((shard, mut table)) = buried {
            let segments = table.segments();
            for segment in segments.saturating_sub(SEGMENTS)..segments {
                let mut objects: Vec<SmallVec<[u8; 4]>> = Vec::new();
                let mut dead = Vec::new();
                for (position, slot) in table.segment(segment) {
                    dead.extend(slot.location().and_then(Location::address));
                    if let Some(record) = table.record(position) {
                        let parts = record.parts();
                        dead.extend(parts.address);
                        if parts.form == OBJECT_FORM {
                            objects.push(parts.value.into());
                        }
                    }
                    table.remove(position);
                }
                self.store.volume.unread_records_died(&dead);
                if !objects.is_empty() {
                    let mut shard = self.store.shards[shard.index()].lock();
                    for number in objects {
                        self.store.discard(shard.objects.remove(&number));
                    }
                    self.store.recount(&mut shard);
                }
            }
            if !table.is_empty() {
                table.drop_segments(segments.saturating_sub(SEGMENTS));
                self.store.bury(shard, vec![table]);
            }
        }
        is_busy
    }
}

/// What the process takes of memory now, in bytes.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
