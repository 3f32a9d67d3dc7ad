//! Fetching ahead what the commands of a pipeline will touch.
//!
//! Owns nothing; a hint to the processor. A lookup is two cache misses, one
//! after the other: the bucket, then the record. Asked for together, those of
//! a whole pipeline overlap. Any thread.

use crate::access::KeyName;
use crate::store::Store;
use smallvec::SmallVec;

impl Store {
    /// Fetches buckets and records of `names` ahead. Nothing is held on return,
    /// and nothing depends on it.
    pub fn prefetch(&self, names: &[KeyName<'_>]) {
        /// More lines at a time than this push each other out.
        const TOGETHER: usize = 64;
        for names in names.chunks(TOGETHER) {
            let mut keys: SmallVec<[_; TOGETHER]> = SmallVec::new();
            for name in names {
                let database = self.identity(name.database);
                let hash = self.seed.hash(database, name.key);
                keys.push((database, hash));
                if let Some(shard) = self.shards[hash.shard().index()].try_lock()
                    && let Some(table) = shard.table(database)
                {
                    table.prefetch_bucket(hash);
                }
            }
            for (database, hash) in keys {
                if let Some(shard) = self.shards[hash.shard().index()].try_lock()
                    && let Some(table) = shard.table(database)
                {
                    table.prefetch_record(hash);
                }
            }
        }
    }
}
