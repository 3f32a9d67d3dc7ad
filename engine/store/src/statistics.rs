//! The numbers behind INFO.
//!
//! Owns their names and units, and gathers them. Any thread.

use crate::index::Expiries;
use crate::shard::{Counters, Shard};
use crate::store::Store;
use std::sync::atomic::Ordering::Relaxed;
use thermocline_base::DatabaseId;
use thermocline_base::limits::DATABASE_COUNT;
use thermocline_wal::SyncTimes;

/// See [`crate::Store::statistics`].
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// For each database: keys, and keys in memory that expire.
    pub databases: [DatabaseStatistics; 16],
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys that expired.
    pub expired_keys: u64,
    /// Fields of hashes that expired.
    pub expired_fields: u64,
    /// Keys that the policy took.
    pub evicted_keys: u64,
    /// Keys whose value is in memory.
    pub hot_keys: u64,
    /// Keys of which only the slot is in memory.
    pub cold_keys: u64,
    /// Memory of records in bytes: chunks as a whole, what lies outside them
    /// as the allocator rounds it.
    pub record_bytes: u64,
    /// Of that, the records that are there, without large objects.
    pub heap_live_bytes: u64,
    /// Of that, the places of records that are gone.
    pub heap_dead_bytes: u64,
    /// Of that, ends of chunks that hold no record or none yet.
    pub heap_tail_bytes: u64,
    /// Chunks of records.
    pub heap_chunks: u64,
    /// Chunks emptied to win the places of records that are gone.
    pub heap_compactions: u64,
    /// What was copied for that, in bytes.
    pub heap_compacted_bytes: u64,
    /// Memory for chunks that is not in use now, in bytes.
    pub heap_idle_bytes: u64,
    /// Memory of the index, in bytes.
    pub index_bytes: u64,
    /// Memory of the log's ring, of the tier's buffers and dictionaries, and for
    /// chunks not in use, in bytes.
    pub buffer_bytes: u64,
    /// Memory of the references to effects that wait since the start, in bytes.
    pub pending_bytes: u64,
    /// Effects of the log's tail that wait since the start, those of one frame on one key
    /// counted once.
    pub pending_effects: u64,
    /// Shards that have not come up since the start.
    pub shards_not_loaded: u64,
    /// The sum of all memory that is counted, in bytes.
    pub used_bytes: u64,
    /// Most of the above there was, in bytes.
    pub peak_bytes: u64,
    /// Segments of the tier that are not free.
    pub segments_used: u64,
    /// Bytes of live records on the tier; a hint.
    pub tier_live_bytes: u64,
    /// What the tier takes on the disk, in bytes.
    pub tier_used_bytes: u64,
    /// What it may take, in bytes.
    pub tier_max_bytes: u64,
    /// Pages or runs read for commands.
    pub tier_reads: u64,
    /// Bytes of them.
    pub tier_read_bytes: u64,
    /// Bytes written to the tier.
    pub tier_written_bytes: u64,
    /// Values written to the tier, before compression, in bytes.
    pub demoted_raw_bytes: u64,
    /// The same as stored, in bytes.
    pub demoted_stored_bytes: u64,
    /// Keys that sank.
    pub demotions: u64,
    /// Keys that came back to memory.
    pub promotions: u64,
    /// Segments cleaned.
    pub segments_cleaned: u64,
    /// Records moved by cleaning.
    pub relocations: u64,
    /// Log positions.
    pub appended_lsn: u64,
    /// Below it everything was handed to the kernel.
    pub written_lsn: u64,
    /// Below it everything survives a power cut.
    pub durable_lsn: u64,
    /// Where the log that is still there begins.
    pub oldest_lsn: u64,
    /// When that part was begun, in Unix ms; 0 if that is not known.
    pub oldest_log_ms: i64,
    /// Where a restart would begin to replay.
    pub checkpoint_lsn: u64,
    /// How long syncs of the log take.
    pub log_syncs: SyncTimes,
    /// Whether the log refuses writes, and why.
    pub log_failure: Option<String>,
    /// Whether a checkpoint runs.
    pub checkpoint_running: bool,
    /// When the last one was durable, Unix seconds.
    pub last_checkpoint_at_s: i64,
    /// How long the last one took, in ms; -1 before the first.
    pub last_checkpoint_ms: i64,
    /// Why the last one failed, if it did.
    pub checkpoint_failure: Option<String>,
    /// Checkpoints made durable since the start.
    pub checkpoints: u64,
    /// Changes since the last checkpoint.
    pub changes_since_checkpoint: u64,
    /// The identity of the log's history.
    pub history: u64,
}

/// One database in [`Statistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseStatistics {
    /// Keys.
    pub keys: u64,
    /// Keys in memory that expire.
    pub expiries: Expiries,
}

impl Store {
    /// The numbers behind INFO, taken now: each shard is looked at for a moment.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut statistics = Statistics {
            tier_reads: self.totals.tier_reads.load(Relaxed),
            tier_read_bytes: self.totals.tier_read_bytes.load(Relaxed),
            tier_written_bytes: self.totals.tier_written_bytes.load(Relaxed),
            demoted_raw_bytes: self.totals.demoted_raw_bytes.load(Relaxed),
            demoted_stored_bytes: self.totals.demoted_stored_bytes.load(Relaxed),
            segments_cleaned: self.totals.segments_cleaned.load(Relaxed),
            relocations: self.totals.relocations.load(Relaxed),
            peak_bytes: self.memory.peak_bytes(),
            heap_idle_bytes: self.pool.idle_bytes() as u64,
            appended_lsn: self.log.appended_lsn().0,
            written_lsn: self.log.wal().written_lsn().0,
            durable_lsn: self.log.wal().durable_lsn().0,
            oldest_lsn: self.log.wal().oldest_lsn().0,
            oldest_log_ms: self.log.wal().oldest_at().0,
            log_syncs: self.log.wal().sync_times(&self.clock),
            log_failure: self.log.failure(),
            history: self.log.wal().history().0,
            tier_max_bytes: self.settings.tier_max_bytes(),
            changes_since_checkpoint: self.changes_since_checkpoint(),
            ..Statistics::default()
        };
        self.volume.with_table(|table| {
            statistics.segments_used = table.segments_used() as u64;
            statistics.tier_used_bytes = table.used_bytes();
            statistics.tier_live_bytes = table.total_live_bytes();
        });
        let checkpoint = self.control.checkpoint();
        statistics.checkpoint_lsn = checkpoint.lsn.0;
        statistics.checkpoint_running = checkpoint.is_running;
        statistics.last_checkpoint_at_s = checkpoint.at_s;
        statistics.last_checkpoint_ms = checkpoint.took_ms;
        statistics.checkpoint_failure = checkpoint.failure;
        statistics.checkpoints = checkpoint.count;
        // A script that holds all shards may yet take its change of the map back.
        let identities = {
            let _shard = self.shards[0].lock();
            self.database_map().identities
        };
        for shard in &self.shards {
            statistics.add(&shard.lock(), &identities);
        }
        statistics.buffer_bytes = self.log.wal().ring_bytes()
            + self.totals.keeper_bytes.load(Relaxed)
            + statistics.heap_idle_bytes;
        statistics.used_bytes =
            self.memory.data_bytes() + statistics.pending_bytes + statistics.buffer_bytes;
        statistics
    }

    /// Sets hits, misses, expired, evicted and the counts of movements back to
    /// 0: CONFIG RESETSTAT.
    pub fn reset_statistics(&self) {
        for shard in &self.shards {
            shard.lock().counters = Counters::default();
        }
        self.totals.tier_reads.store(0, Relaxed);
        self.totals.tier_read_bytes.store(0, Relaxed);
    }
}

impl Statistics {
    fn add(&mut self, shard: &Shard, identities: &[DatabaseId; DATABASE_COUNT]) {
        self.hits += shard.counters.hits;
        self.misses += shard.counters.misses;
        self.expired_keys += shard.counters.expired;
        self.expired_fields += shard.counters.expired_fields;
        self.evicted_keys += shard.counters.evicted;
        self.promotions += shard.counters.promotions;
        self.demotions += shard.counters.demotions;
        self.pending_effects += shard.references.len() as u64;
        self.pending_bytes += shard.references.memory_bytes() as u64;
        self.shards_not_loaded += u64::from(!shard.is_loaded);
        self.record_bytes += shard.objects.heap_bytes() as u64;
        for table in shard.tables() {
            if table.database() != DatabaseId::SYSTEM {
                self.hot_keys += table.hot() as u64;
                self.cold_keys += (table.len() - table.hot()) as u64;
            }
            self.record_bytes += table.record_bytes() as u64;
            let heap = table.heap();
            self.heap_live_bytes += heap.live_bytes as u64;
            self.heap_dead_bytes += heap.dead_bytes as u64;
            self.heap_tail_bytes += heap.tail_bytes as u64;
            self.heap_chunks += heap.chunks as u64;
            self.heap_compactions += heap.compactions;
            self.heap_compacted_bytes += heap.compacted_bytes;
            self.index_bytes += table.index_bytes() as u64;
            let number = identities.iter().position(|id| *id == table.database());
            if let Some(database) = number.and_then(|at| self.databases.get_mut(at)) {
                database.keys += table.len() as u64;
                database.expiries.add_all(table.expiries());
            }
        }
    }
}
