//! After the start: bringing up each shard's part of the image, and applying
//! the log's tail.
//!
//! Owns the order: keys that someone waits for first, then one shard after
//! another, then what is left in the log. The keeper's thread.

use super::Keeper;
use crate::fault::{Fault, FaultSet};
use crate::index::Location;
use crate::recovery;
use crate::resolve::Resolved;
use smallvec::SmallVec;
use std::time::Duration;
use thermocline_base::{DatabaseId, KeyHash, ShardId};

/// How long one round of loading lasts before other work is looked at.
pub(super) const SLICE: Duration = Duration::from_millis(20);
/// The rest between two tries to read what could not be read.
pub(super) const REST: Duration = Duration::from_secs(1);
/// Keys whose waiting effects are applied together.
const KEYS: usize = 256;

impl Keeper {
    /// Brings shards up for a while; true while there are more.
    pub(super) fn load(&mut self) -> bool {
        let end = self.store.clock.monotonic() + SLICE;
        while self.store.clock.monotonic() < end {
            if let Some(hash) = self.store.control.wanted() {
                self.load_shard(hash.shard());
                self.load_effects(hash);
                continue;
            }
            if self.next_load >= self.store.shards.len() {
                return !self.apply_tail();
            }
            self.load_shard(ShardId(self.next_load as u16));
            self.next_load += 1;
        }
        self.store.control.loaded.notify_waiters();
        true
    }

    /// Reads the shard's pieces of the image and makes its keys known.
    fn load_shard(&mut self, id: ShardId) {
        let store = &self.store;
        if store.shards[id.index()].lock().is_loaded {
            return;
        }
        let read = recovery::read_pieces(&store.disk, &self.directory, id);
        let mut shard = store.shards[id.index()].lock();
        shard.references.sort();
        match read {
            Ok(databases) => {
                let map = store.database_map();
                for (database, slots) in databases {
                    if !map.lives(database) {
                        continue;
                    }
                    let (table, _) = shard.table_or_new(database, store.seed);
                    let locations = slots.iter().filter_map(|slot| slot.location());
                    store
                        .volume
                        .records_found(locations.filter_map(Location::address));
                    for slot in slots {
                        if let Some(stored) = slot.cold_stored() {
                            table.insert_cold(KeyHash::from_stored(id, stored), slot);
                        }
                    }
                }
                shard.is_loaded = true;
                shard.damage = None;
                shard.epoch += 1;
                store.recount(&mut shard);
            }
            Err(error) => {
                tracing::error!(shard = id.0, %error, "a part of the index cannot be read");
                shard.damage = Some(error.to_string());
            }
        }
        drop(shard);
        store.control.loaded.notify_waiters();
    }

    /// Applies waiting effects for a while; true when none are left.
    fn apply_tail(&mut self) -> bool {
        let end = self.store.clock.monotonic() + SLICE;
        if self.store.clock.monotonic() < self.load_rests_until {
            return true;
        }
        let mut damage = None;
        for index in 0..self.store.shards.len() {
            let id = ShardId(index as u16);
            loop {
                let keys = {
                    let shard = self.store.shards[index].lock();
                    if shard.damage.is_some() {
                        damage.clone_from(&shard.damage);
                        break;
                    }
                    shard.pending.some_keys(KEYS)
                };
                if keys.is_empty() {
                    break;
                }
                self.apply_keys(id, &keys);
                // Memory comes first: what was applied is hot.
                self.observe();
                self.relieve(4);
                if self.store.clock.monotonic() >= end {
                    return false;
                }
            }
        }
        if let Some(reason) = damage {
            // Not settled: no checkpoint may forget what cannot be read.
            self.store.control.set_damage(reason);
            self.load_again();
            return true;
        }
        if self.read_tail() {
            return false;
        }
        tracing::info!("everything has come up");
        self.store.control.set_settled();
        true
    }

    /// Tries the shards that could not be read once more, now and then: the
    /// disk may have come back.
    fn load_again(&mut self) {
        self.load_rests_until = self.store.clock.monotonic() + REST;
        for index in 0..self.store.shards.len() {
            self.load_shard(ShardId(index as u16));
            // One that has come up lacks changes of the log's tail. They are still
            // to be had from there, or wait: so they are tried again, too.
            let mut shard = self.store.shards[index].lock();
            if shard.is_loaded {
                shard.damage = None;
            }
        }
    }

    /// Applies the effects that wait on `keys`, reading what they need at once.
    fn apply_keys(&mut self, id: ShardId, keys: &[(DatabaseId, Box<[u8]>)]) {
        /// The slots may move while their pages are read; not for ever.
        const TRIES: usize = 100;
        let mut faults = FaultSet::new();
        let mut done = Vec::new();
        for _ in 0..TRIES {
            let reads = self.try_apply(id, keys, &faults);
            if reads.is_empty() {
                return;
            }
            self.reader.read_all(&reads, &mut done);
            let mut failure = None;
            for fetched in done.drain(..) {
                match fetched.page {
                    Ok(page) => faults.insert(fetched.request.address, page),
                    Err(error) => failure = Some(error),
                }
            }
            if let Some(error) = failure {
                tracing::error!(%error, "the tier cannot be read; trying again");
                if self.store.control.is_stopping() {
                    self.store.control.set_damage(error.to_string());
                    return;
                }
                self.store.log.wait(SLICE);
            }
        }
    }

    fn try_apply(
        &self,
        id: ShardId,
        keys: &[(DatabaseId, Box<[u8]>)],
        faults: &FaultSet,
    ) -> SmallVec<[crate::fault::ReadRequest; 2]> {
        let mut reads = SmallVec::new();
        let mut shard = self.store.shards[id.index()].lock();
        for (database, key) in keys {
            let hash = self.store.seed.hash(*database, key);
            let mut resolved = Resolved::new(*database, key, hash);
            let outcome = resolved.resolve(&self.store, &mut shard, faults, &mut reads);
            if let Err(Fault::Damaged(reason)) = outcome {
                tracing::error!(reason, "a change of the log's tail cannot be applied");
                shard.damage = Some(reason);
                return SmallVec::new();
            }
        }
        reads
    }
}
