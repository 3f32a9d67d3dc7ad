//! Fetching ahead what the commands of a pipeline will touch.
//!
//! Owns nothing; a hint to the processor. A lookup is three cache misses,
//! one after the other: the shard, the bucket, the record. Asked for together,
//! those of a whole pipeline overlap. Any thread.

use crate::access::KeyName;
use crate::index::KeyTable;
use crate::index::table::prefetch_all;
use crate::store::Store;
use smallvec::SmallVec;
use thermocline_base::{DatabaseId, KeyHash};

/// Names at a time: the lines of more push each other out.
const TOGETHER: usize = 64;

impl Store {
    /// Fetches shards, buckets and records of `names` ahead. Nothing is held on return,
    /// and nothing depends on it.
    pub fn prefetch(&self, names: &[KeyName<'_>]) {
        for names in names.chunks(TOGETHER) {
            let mut keys: SmallVec<[(DatabaseId, KeyHash); TOGETHER]> = SmallVec::new();
            for name in names {
                let database = self.identity(name.database);
                let hash = self.seed.hash(database, name.key);
                prefetch_all(&self.shards[hash.shard().index()]);
                keys.push((database, hash));
            }
            for &(database, hash) in &keys {
                self.with_table(database, hash, KeyTable::prefetch_bucket);
            }
            for &(database, hash) in &keys {
                self.with_table(database, hash, KeyTable::prefetch_record);
            }
        }
    }

    fn with_table(&self, database: DatabaseId, hash: KeyHash, fetch: fn(&KeyTable, KeyHash)) {
        if let Some(shard) = self.shards[hash.shard().index()].try_lock()
            && let Some(table) = shard.table(database)
        {
            fetch(table, hash);
        }
    }
}
