//! After the start: bringing up each shard's part of the image, and applying
//! the log's tail.
//!
//! Owns the order: keys that someone waits for by turns with one shard after another,
//! then with what is left in the log, so that neither starves. The keeper's thread.

use super::Keeper;
use crate::index::Location;
use crate::recovery;
use std::time::Duration;
use thermocline_base::{KeyHash, ShardId};

/// How long one round of loading lasts before other work is looked at.
pub(super) const SLICE: Duration = Duration::from_millis(20);
/// The rest between two tries to read what could not be read.
pub(super) const REST: Duration = Duration::from_secs(1);

impl Keeper {
    /// Brings shards up, then applies the log's tail, for a while; true while there is
    /// more to do at once.
    pub(super) fn load(&mut self) -> bool {
        let end = self.store.clock.monotonic() + SLICE;
        let mut is_busy = true;
        while is_busy && self.store.clock.monotonic() < end {
            let were_wanted = self.load_wanted();
            is_busy = self.load_next() || were_wanted;
        }
        is_busy
    }

    /// One step of what nobody waits for; false if there is none now.
    fn load_next(&mut self) -> bool {
        if self.next_load < self.store.shards.len() {
            self.load_shard(ShardId(self.next_load as u16));
            self.next_load += 1;
            return true;
        }
        if self.store.is_settled() || self.store.clock.monotonic() < self.load_rests_until {
            return false;
        }
        if self.read_tail() {
            return true;
        }
        let mut shards = self.store.shards.iter();
        let damage = shards.find_map(|shard| shard.lock().damage.clone());
        if let Some(reason) = damage {
            // Not settled: no checkpoint may forget what cannot be read.
            self.store.control.set_damage(reason);
            self.load_again();
            return false;
        }
        tracing::info!("everything has come up");
        self.store.control.set_settled();
        false
    }

    /// Reads the shard's pieces of the image and makes its keys known.
    pub(super) fn load_shard(&mut self, id: ShardId) {
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

    /// Tries the shards that could not be read once more, now and then: the
    /// disk may have come back.
    fn load_again(&mut self) {
        self.load_rests_until = self.store.clock.monotonic() + REST;
        for index in 0..self.store.shards.len() {
            self.load_shard(ShardId(index as u16));
            // One that has come up lacks changes of the log's tail. They are still
            // to be had from there, or wait: so they are tried again, too.
            let mut shard = self.store.shards[index].lock();
            if shard.is_loaded && !self.tail.is_lost(ShardId(index as u16)) {
                shard.damage = None;
            }
        }
    }
}
