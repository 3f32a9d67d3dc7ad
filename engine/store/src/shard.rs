//! One of the 1,024 lock-protected parts of the key space.
//!
//! Owns its keys, one table for each database that has some here, their large
//! values, where the effects stand that wait since the start, the flags of watchers and the
//! queues of those who wait.
//! Does not own the log or the tier. Under its lock, any thread.
//!
//! INVARIANT: `changed` gets the range of a key from whatever makes the last image untrue
//! about it: a change of the key, a relocation on the tier. A dirty record
//! that is written is no such thing: its change has set it, or the image that
//! had it written names the new place.

use crate::image::RangeSet;
use crate::index::KeyTable;
use crate::objects::Objects;
use crate::record::ChunkPool;
use crate::references::References;
use crate::waiting::Queues;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thermocline_base::{DatabaseId, HashSeed, KeyHash, Lsn};

/// Chunks of a table that are emptied under one hold of the lock.
const COMPACTED_CHUNKS: usize = 4;

/// What a shard counts; summed up when asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) expired: u64,
    /// Fields of hashes that expired.
    pub(crate) expired_fields: u64,
    pub(crate) evicted: u64,
    pub(crate) promotions: u64,
    pub(crate) demotions: u64,
}

type WatchedKey = (DatabaseId, Box<[u8]>);

/// Who watches which key of a shard.
#[derive(Default)]
pub(crate) struct Watchers(HashMap<WatchedKey, Vec<Arc<AtomicBool>>>);

impl Watchers {
    pub(crate) fn add(&mut self, database: DatabaseId, key: &[u8], flag: &Arc<AtomicBool>) {
        let list = self.0.entry((database, key.into())).or_default();
        list.push(Arc::clone(flag));
    }

    pub(crate) fn remove(&mut self, database: DatabaseId, key: &[u8], flag: &Arc<AtomicBool>) {
        let owned: WatchedKey = (database, key.into());
        if let Some(list) = self.0.get_mut(&owned) {
            list.retain(|other| !Arc::ptr_eq(other, flag));
            if list.is_empty() {
                self.0.remove(&owned);
            }
        }
    }

    /// The flags of those who watch the key.
    pub(crate) fn flags(&self, database: DatabaseId, key: &[u8]) -> &[Arc<AtomicBool>] {
        if self.0.is_empty() {
            return &[];
        }
        let owned: WatchedKey = (database, key.into());
        self.0.get(&owned).map_or(&[], Vec::as_slice)
    }

    /// The key has changed.
    pub(crate) fn touch(&self, database: DatabaseId, key: &[u8]) {
        for flag in self.flags(database, key) {
            flag.store(true, Ordering::Release);
        }
    }

    /// The watched keys of a database.
    pub(crate) fn keys_of(&self, database: DatabaseId) -> impl Iterator<Item = &[u8]> {
        let keys = self.0.keys().filter(move |(of, _)| *of == database);
        keys.map(|(_, key)| &**key)
    }

    /// Takes what is watched of a database.
    pub(crate) fn take(&mut self, database: DatabaseId) -> Vec<Watched> {
        let taken = self.0.extract_if(|(of, _), _| *of == database);
        taken.map(|((_, key), flags)| (key, flags)).collect()
    }
}

/// A key and the flags of those who watch it.
pub(crate) type Watched = (Box<[u8]>, Vec<Arc<AtomicBool>>);

/// See the module.
pub(crate) struct Shard {
    /// Where the tables' records get their memory.
    pool: Arc<ChunkPool>,
    /// The first inline: most directories use one database.
    tables: SmallVec<[KeyTable; 1]>,
    pub(crate) objects: Objects,
    /// Where the log holds more.
    pub(crate) references: References,
    pub(crate) watchers: Watchers,
    /// Those who wait for keys of it.
    pub(crate) queues: Queues,
    pub(crate) counters: Counters,
    /// The end of the last frame that changed a key here.
    pub(crate) last_lsn: Lsn,
    /// Why its part of the image cannot come up, or its tail not be applied.
    pub(crate) damage: Option<String>,
    /// Whether its part of the image has come up.
    pub(crate) is_loaded: bool,
    /// What the next image must write anew.
    pub(crate) changed: RangeSet,
    /// Grows with every insert and removal: positions found before are void.
    pub(crate) epoch: u64,
    /// Memory of this shard as it was last added to the store's sum.
    pub(crate) counted_bytes: usize,
}

impl Shard {
    /// A shard without keys whose part of the image has not come up.
    pub(crate) fn new(pool: &Arc<ChunkPool>) -> Self {
        Self {
            pool: Arc::clone(pool),
            tables: SmallVec::new(),
            objects: Objects::default(),
            references: References::default(),
            watchers: Watchers::default(),
            queues: Queues::default(),
            counters: Counters::default(),
            last_lsn: Lsn::ZERO,
            damage: None,
            is_loaded: false,
            changed: RangeSet::EMPTY,
            epoch: 0,
            counted_bytes: 0,
        }
    }

    /// Whether all is here that the image and the log hold for keys of `hash`.
    pub(crate) fn has_come_up(&self, hash: KeyHash) -> bool {
        self.is_loaded && !self.references.contains(hash)
    }

    /// The table of a database, if it has keys here.
    pub(crate) fn table(&self, database: DatabaseId) -> Option<&KeyTable> {
        self.tables
            .iter()
            .find(|table| table.database() == database)
    }

    /// The table of a database, if it has keys here.
    pub(crate) fn table_mut(&mut self, database: DatabaseId) -> Option<&mut KeyTable> {
        self.tables
            .iter_mut()
            .find(|table| table.database() == database)
    }

    /// The table of a database, if it has keys here, and the objects its records name.
    pub(crate) fn table_and_objects(
        &mut self,
        database: DatabaseId,
    ) -> Option<(&mut KeyTable, &Objects)> {
        let mut tables = self.tables.iter_mut();
        let table = tables.find(|table| table.database() == database)?;
        Some((table, &self.objects))
    }

    /// The table of a database and the objects, made if there is none.
    pub(crate) fn table_or_new(
        &mut self,
        database: DatabaseId,
        seed: HashSeed,
    ) -> (&mut KeyTable, &mut Objects) {
        let found = self
            .tables
            .iter()
            .position(|table| table.database() == database);
        let index = found.unwrap_or_else(|| {
            self.tables.push(KeyTable::new(database, seed, &self.pool));
            self.tables.len() - 1
        });
        (&mut self.tables[index], &mut self.objects)
    }

    /// All tables.
    pub(crate) fn tables(&self) -> &[KeyTable] {
        &self.tables
    }

    /// Takes the tables of databases that `lives` does not know.
    pub(crate) fn take_dead(&mut self, lives: impl Fn(DatabaseId) -> bool) -> Vec<KeyTable> {
        let (dead, alive): (Vec<_>, Vec<_>) =
            (self.tables.drain(..)).partition(|table| !lives(table.database()));
        self.tables.extend(alive);
        dead
    }

    /// Wins the places of dead records where there are many, with a copy of at
    /// most [`COMPACTED_CHUNKS`] chunks a table; how many bytes of memory.
    pub(crate) fn compact(&mut self) -> usize {
        let tables = self.tables.iter_mut();
        tables.map(|table| table.compact(COMPACTED_CHUNKS)).sum()
    }

    /// Memory of everything here, bytes, but for effects that wait since the
    /// start: no demotion makes those smaller. They count as what the process
    /// takes beyond the data, and go as the keeper applies them.
    pub(crate) fn memory_bytes(&self) -> usize {
        let tables: usize = (self.tables.iter())
            .map(|table| table.record_bytes() + table.index_bytes())
            .sum();
        tables + self.objects.heap_bytes()
    }
}
