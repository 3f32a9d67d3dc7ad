//! Commands on whole databases: their length, scans, a random key, flush and
//! swap.
//!
//! Owns the cursor of a scan and the change of the map of databases. Runs
//! under an access, so that a transaction may hold such commands: a shard the
//! access holds is used as it is, another is locked for a moment.
//!
//! ```text
//! cursor:  63                     39 38       29 28                  0
//!         +-------------------------+-----------+---------------------+
//!         |            0            |  shard 10 |    stored hash 29   |
//!         +-------------------------+-----------+---------------------+
//! ```

use crate::access::Access;
use crate::access::held::tell_watchers;
use crate::effect::{DatabaseMap, Effect};
use crate::fault::{Fault, FaultSet, ReadRequest};
use crate::image::RangeSet;
use crate::index::{Found, Location};
use crate::observe::Change;
use crate::shard::Shard;
use crate::store::Store;
use smallvec::SmallVec;
use thermocline_base::{DatabaseId, KeyHash, ShardId};
use thermocline_types::{Form, ValueKind};

/// A key met by a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedKey {
    /// The key.
    pub key: Vec<u8>,
    /// What its value is.
    pub kind: ValueKind,
}

/// What a scan met before the names of cold keys are known.
enum Met {
    Hot(ScannedKey),
    /// What to read, and the shard and stored hash of the key there.
    Cold(ReadRequest, ShardId, u32),
}

impl Access<'_, '_> {
    fn with_shard<T>(&mut self, id: ShardId, use_it: impl FnOnce(&mut Shard) -> T) -> T {
        match self.guards.binary_search_by_key(&id, |guard| guard.id) {
            Ok(index) => use_it(&mut self.guards[index].shard),
            Err(_) => {
                let mut shard = self.store.shards[id.index()].lock();
                self.seen = self.seen.max(shard.last_lsn);
                use_it(&mut shard)
            }
        }
    }

    /// How many keys a database has, expired ones that nobody met included.
    ///
    /// # Errors
    /// [`Fault::Unsettled`] shortly after the start.
    pub fn database_len(&mut self, database: u8) -> Result<u64, Fault> {
        self.store.must_be_settled()?;
        let identity = self.store.identity(database);
        let mut len = 0;
        for id in 0..self.store.shards.len() {
            len += self.with_shard(ShardId(id as u16), |shard| {
                shard.table(identity).map_or(0, |table| table.len() as u64)
            });
        }
        Ok(len)
    }

    /// One step of a scan begun with cursor 0: some keys, about `count`, and
    /// the cursor to go on with, 0 at the end. A key that is there throughout
    /// is met at least once.
    ///
    /// # Errors
    /// What must be read first.
    pub fn scan(
        &mut self,
        database: u8,
        cursor: u64,
        count: usize,
        faults: &FaultSet,
    ) -> Result<(u64, Vec<ScannedKey>), Fault> {
        self.store.must_be_settled()?;
        let identity = self.store.identity(database);
        let now = self.now();
        let mut shard = (cursor >> KeyHash::STORED_BITS) as usize;
        let mut stored = (cursor & ((1 << KeyHash::STORED_BITS) - 1)) as u32;
        let mut met = Vec::new();
        let mut next = 0;
        while shard < self.store.shards.len() {
            let left = count.max(1).saturating_sub(met.len());
            if left == 0 {
                next = (shard as u64) << KeyHash::STORED_BITS | u64::from(stored);
                break;
            }
            let store = self.store;
            let id = ShardId(shard as u16);
            let go_on = self.with_shard(id, |shard| {
                let Shard { objects, .. } = &*shard;
                let table = shard.table(identity)?;
                table.scan(stored, left, |stored, slot, record| {
                    if let Some(record) = record {
                        let parts = record.parts();
                        if parts.expiry.is_none_or(|expiry| expiry >= now) {
                            met.push(Met::Hot(ScannedKey {
                                key: parts.key.to_vec(),
                                kind: objects.value(&parts).kind(),
                            }));
                        }
                    } else if let Some(Location::Cold(address)) = slot.location() {
                        let place = store.volume.place(address);
                        met.push(Met::Cold(ReadRequest { address, place }, id, stored));
                    }
                })
            });
            match go_on {
                Some(at) => stored = at,
                None => {
                    shard += 1;
                    stored = 0;
                }
            }
        }
        let seed = self.store.seed;
        let mut reads = SmallVec::new();
        let mut keys = Vec::with_capacity(met.len());
        for one in met {
            match one {
                Met::Hot(key) => keys.push(key),
                Met::Cold(request, shard, stored) => {
                    let page = faults.get(request.address);
                    let Some(page) = page.filter(|page| page.place == request.place) else {
                        reads.push(request);
                        continue;
                    };
                    let records = page
                        .records()
                        .map_err(|it| Fault::Damaged(it.to_string()))?;
                    // A page holds keys of many shards.
                    let found = records.into_iter().find(|record| {
                        let hash = seed.hash(identity, record.key);
                        record.database == identity
                            && (hash.shard(), hash.stored()) == (shard, stored)
                    });
                    let live = found.filter(|it| it.expiry.is_none_or(|expiry| expiry >= now));
                    if let Some(record) = live
                        && let Ok(form) = Form::from_u8(record.form)
                    {
                        keys.push(ScannedKey {
                            key: record.key.to_vec(),
                            kind: form.kind(),
                        });
                    }
                }
            }
        }
        if reads.is_empty() {
            Ok((next, keys))
        } else {
            Err(Fault::Reads(reads))
        }
    }

    /// Some key of a database, at random; `None` if it is empty.
    ///
    /// # Errors
    /// What must be read first. The page that was read is then answered from,
    /// so that the retry ends.
    pub fn random_key(
        &mut self,
        database: u8,
        faults: &FaultSet,
    ) -> Result<Option<Vec<u8>>, Fault> {
        /// Starts that met only expired keys before the search ends.
        const TRIES: usize = 100;
        self.store.must_be_settled()?;
        let identity = self.store.identity(database);
        let seed = self.store.seed;
        let now = self.now();
        let live_key = |page: &crate::fault::FetchedPage| {
            let records = page.records().ok()?;
            records.into_iter().find_map(|record| {
                let lives = record.expiry.is_none_or(|expiry| expiry >= now);
                (record.database == identity && lives).then(|| record.key.to_vec())
            })
        };
        for page in faults.pages() {
            if let Some(key) = live_key(page) {
                let hash = seed.hash(identity, &key);
                let found = self.with_shard(hash.shard(), |shard| {
                    Some(shard.table(identity)?.find(hash, &key))
                });
                if found.is_some_and(|found| found != Found::Cold(SmallVec::new())) {
                    return Ok(Some(key));
                }
            }
        }
        if self.database_len(database)? == 0 {
            return Ok(None);
        }
        let mut random = self.store.random();
        for _ in 0..TRIES {
            let start = random.below(1 << (KeyHash::STORED_BITS + KeyHash::SHARD_BITS));
            for cursor in [start, 0] {
                match self.scan(database, cursor, 1, faults)? {
                    (_, keys) if !keys.is_empty() => {
                        let index = random.below(keys.len() as u64) as usize;
                        return Ok(keys.into_iter().nth(index).map(|it| it.key));
                    }
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// Empties databases: all with `None`. The access holds every shard.
    ///
    /// # Errors
    /// [`Fault::Unsettled`] shortly after the start.
    pub fn flush(&mut self, database: Option<u8>) -> Result<(), Fault> {
        self.store.must_be_settled()?;
        let mut map = self.store.database_map();
        let mut emptied = Vec::new();
        for (number, identity) in (0..).zip(&mut map.identities) {
            if database.is_none_or(|only| only == number) {
                let old = std::mem::replace(identity, map.next);
                map.next = DatabaseId(map.next.0 + 1);
                self.touch_watched(old, &[old]);
                emptied.push((old, *identity));
            }
        }
        self.set_map(map);
        for (old, new) in emptied {
            self.follow_flush(old, new);
        }
        if self.store.observed.wants_changes() {
            self.changes.push(Change::Flushed);
        }
        Ok(())
    }

    /// Exchanges the keys of two databases. The access holds every shard.
    ///
    /// # Errors
    /// [`Fault::Unsettled`] shortly after the start.
    pub fn swap(&mut self, first: u8, second: u8) -> Result<(), Fault> {
        self.store.must_be_settled()?;
        if first == second {
            return Ok(());
        }
        let mut map = self.store.database_map();
        map.identities.swap(usize::from(first), usize::from(second));
        let both = [self.store.identity(first), self.store.identity(second)];
        for database in both {
            self.touch_watched(database, &both);
        }
        self.set_map(map);
        Ok(())
    }

    /// Tells those who watch keys of `database` that are there in any of
    /// `databases`: a key that is in none does not change by a flush or swap.
    fn touch_watched(&mut self, database: DatabaseId, databases: &[DatabaseId]) {
        let seed = self.store.seed;
        let journal = &mut self.journal;
        for guard in &self.guards {
            for key in guard.shard.watchers.keys_of(database) {
                let is_there = databases.iter().any(|&database| {
                    let hash = seed.hash(database, key);
                    let shard = &self.guards[hash.shard().index()].shard;
                    let found = shard.table(database).map(|table| table.find(hash, key));
                    found.is_some_and(|found| found != Found::Cold(SmallVec::new()))
                });
                if is_there {
                    let watchers = &guard.shard.watchers;
                    tell_watchers(journal.as_deref_mut(), watchers, database, key);
                }
            }
        }
    }

    /// Who watches a key watches it by the number of its database: the flags
    /// follow the numbers to their new identities.
    fn move_watchers(&mut self, old: DatabaseMap, new: DatabaseMap) {
        let mut moved = Vec::new();
        for (old, new) in old.identities.into_iter().zip(new.identities) {
            if old != new {
                for guard in &mut self.guards {
                    moved.extend(
                        guard
                            .shard
                            .watchers
                            .take(old)
                            .into_iter()
                            .map(|it| (new, it)),
                    );
                }
            }
        }
        self.move_queues(old, new);
        for (database, (key, flags)) in moved {
            let hash = self.store.seed.hash(database, &key);
            let watchers = &mut self.guards[hash.shard().index()].shard.watchers;
            for flag in &flags {
                watchers.add(database, &key, flag);
            }
        }
    }

    /// So do those who wait for a key, and they look at it again: what was there
    /// may be gone, and what was not may be there. Named by their new identities,
    /// which are in force when the access ends.
    fn move_queues(&mut self, old: DatabaseMap, new: DatabaseMap) {
        let mut moved = Vec::new();
        for (old, new) in old.identities.into_iter().zip(new.identities) {
            for guard in &mut self.guards {
                if old != new && !guard.shard.queues.is_empty() {
                    let taken = guard.shard.queues.take(old);
                    moved.extend(taken.into_iter().map(|waited| (new, waited)));
                }
            }
        }
        for (database, waited) in moved {
            let hash = self.store.seed.hash(database, &waited.0);
            self.moved.push((database, waited.0.clone()));
            let queues = &mut self.guards[hash.shard().index()].shard.queues;
            queues.put(database, waited);
        }
    }

    /// Puts the new map into force, under all locks.
    fn set_map(&mut self, map: DatabaseMap) {
        assert!(
            self.guards.len() == self.store.shards.len(),
            "the map changes only under all locks"
        );
        self.log_effect(&Effect::Databases(map));
        let before = self.store.database_map();
        self.move_watchers(before, map);
        self.store.set_database_map(map);
        self.touched_all();
        if !self.note_map(before) {
            self.settle_map();
        }
    }

    /// Nothing of the change of the map is taken back any more: what was flushed is let go,
    /// and the next image is another one.
    pub(crate) fn settle_map(&mut self) {
        self.bury_dead();
        for guard in &mut self.guards {
            guard.shard.changed = RangeSet::ALL;
        }
    }

    /// Puts the map from before into force again, under all locks. The databases that came
    /// with the other map hold nothing any more.
    pub(crate) fn take_map_back(&mut self, map: DatabaseMap) {
        self.move_watchers(self.store.database_map(), map);
        // Nothing has changed for those who wait.
        self.moved.clear();
        self.store.set_database_map(map);
        self.bury_dead();
    }

    fn bury_dead(&mut self) {
        let map = self.store.database_map();
        for guard in &mut self.guards {
            let dead = guard.shard.take_dead(|id| map.lives(id));
            self.store.bury(guard.id, dead);
        }
    }
}

impl Store {
    /// Fails until all shards have come up and the log's tail is applied.
    pub(crate) fn must_be_settled(&self) -> Result<(), Fault> {
        if self.is_settled() {
            return Ok(());
        }
        Err(self
            .control
            .damage()
            .map_or(Fault::Unsettled, Fault::Damaged))
    }
}
