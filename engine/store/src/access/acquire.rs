//! Having the keys at hand: their shards locked, their values resident.
//!
//! Owns the order of the locks and what is missing. Does not change a value, but
//! for keys that have expired. Any thread.

use super::{Access, Guard, KEY_BYTES_MAX, KeyName};
use crate::fault::{Fault, FaultSet, ReadRequest};
use crate::observe::EventClass;
use crate::resolve::{Resolved, State};
use hashbrown::HashMap;
use smallvec::SmallVec;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::{KeyHash, ShardId};

/// Above this many names, repeated ones are found by a map.
const LINEAR_NAMES: usize = 16;

impl Access<'_, '_> {
    /// Locks the shards of the names, or `all` there are, and makes sure that
    /// the values are at hand. Nothing is held after a fault.
    ///
    /// # Errors
    /// What must be read first; [`Fault::Damaged`] for a key that is longer than
    /// [`KEY_BYTES_MAX`].
    pub fn acquire(&mut self, faults: &FaultSet, all: bool) -> Result<(), Fault> {
        self.now = faults.now().unwrap_or_else(|| self.store.now());
        self.leaves_no_trace = faults.leaves_no_trace();
        if self.names.iter().any(|name| name.key.len() > KEY_BYTES_MAX) {
            let limit_mib = KEY_BYTES_MAX >> 20;
            return Err(Fault::Damaged(format!(
                "a key is longer than {limit_mib} MiB"
            )));
        }
        loop {
            self.name_keys();
            self.lock(all);
            // A flush or a swap changes the identities under all locks: with
            // any of them held they stay.
            let store = self.store;
            let is_stable = match (self.names, self.keys.as_slice()) {
                ([name], [key]) => store.identity(name.database) == key.database,
                _ => (self.keys.iter().zip(self.first_names()))
                    .all(|(key, name)| store.identity(name) == key.database),
            };
            if is_stable {
                break;
            }
            self.guards.clear();
        }
        let resolved = self.resolve(faults);
        if resolved.is_err() {
            self.guards.clear();
        } else {
            self.remove_expired();
        }
        resolved
    }

    /// Fills `keys` and `ids`: one key for each different name.
    pub(super) fn name_keys(&mut self) {
        self.keys.clear();
        self.ids.clear();
        if let [name] = self.names {
            let database = self.store.identity(name.database);
            let hash = self.store.seed.hash(database, name.key);
            self.keys.push(Resolved::new(database, name.key, hash));
            self.ids.push(0);
            return;
        }
        let mut known: HashMap<KeyName<'_>, u32> = HashMap::new();
        for (position, name) in self.names.iter().enumerate() {
            let repeated = if self.names.len() <= LINEAR_NAMES {
                let before = self.names.iter().take(position);
                before
                    .zip(&self.ids)
                    .find_map(|(other, id)| (other == name).then_some(*id))
            } else {
                known.get(name).copied()
            };
            let id = repeated.unwrap_or(self.keys.len() as u32);
            if repeated.is_none() {
                let database = self.store.identity(name.database);
                let hash = self.store.seed.hash(database, name.key);
                self.keys.push(Resolved::new(database, name.key, hash));
                if self.names.len() > LINEAR_NAMES {
                    known.insert(*name, id);
                }
            }
            self.ids.push(id);
        }
    }

    /// The number of the database of each of `keys`.
    pub(super) fn first_names(&self) -> SmallVec<[u8; 4]> {
        let mut numbers: SmallVec<[u8; 4]> = SmallVec::new();
        for (name, &id) in self.names.iter().zip(&self.ids) {
            if id as usize == numbers.len() {
                numbers.push(name.database);
            }
        }
        numbers
    }

    /// Locks in ascending order, the order of all accesses.
    fn lock(&mut self, all: bool) {
        if let ([key], false) = (self.keys.as_mut_slice(), all) {
            let id = key.hash.shard();
            key.guard = 0;
            self.guards.push(Guard {
                id,
                shard: self.store.shards[id.index()].lock(),
                wrote: false,
            });
            return;
        }
        let mut shards: SmallVec<[ShardId; 4]> = if all {
            (0..self.store.shards.len())
                .map(|id| ShardId(id as u16))
                .collect()
        } else {
            self.keys.iter().map(|key| key.hash.shard()).collect()
        };
        shards.sort_unstable();
        shards.dedup();
        for id in shards {
            let shard = self.store.shards[id.index()].lock();
            self.guards.push(Guard {
                id,
                shard,
                wrote: false,
            });
        }
        for key in &mut self.keys {
            let shard = key.hash.shard();
            key.guard = self.guards.partition_point(|guard| guard.id < shard);
        }
    }

    pub(super) fn resolve(&mut self, faults: &FaultSet) -> Result<(), Fault> {
        let mut longs = Vec::new();
        let mut reads: SmallVec<[ReadRequest; 2]> = SmallVec::new();
        let mut recovering: SmallVec<[KeyHash; 2]> = SmallVec::new();
        for key in &mut self.keys {
            let guard = &self.guards[key.guard];
            if let Some(reason) = &guard.shard.damage {
                return Err(Fault::Damaged(reason.clone()));
            }
            if guard.shard.has_come_up(key.hash) {
                key.resolve(self.store, &guard.shard, faults, &mut reads, &mut longs)?;
            } else {
                recovering.push(key.hash);
            }
        }
        if !recovering.is_empty() {
            Err(Fault::Recovering(recovering))
        } else if !reads.is_empty() {
            Err(Fault::Reads(reads))
        } else if !longs.is_empty() {
            Err(Fault::Long(longs))
        } else {
            Ok(())
        }
    }

    /// Every disappearance of a key is logged, an expiry too. A log without room
    /// must not be waited for under a lock, least of all by a read: the key is
    /// hidden then, as it is while expired keys are to stay.
    pub(super) fn remove_expired(&mut self) {
        for key in 0..self.keys.len() {
            let resolved = &self.keys[key];
            let shard = &self.guards[resolved.guard].shard;
            let expires = match resolved.state {
                State::Absent => false,
                State::Hot => {
                    (shard.table(resolved.database)).is_some_and(|it| it.expiries().count > 0)
                }
                State::Cold(_) => true,
            };
            if !expires {
                continue;
            }
            let expiry = self.peek_key(key).and_then(|entry| entry.expiry);
            if expiry.is_some_and(|expiry| expiry < self.now) {
                self.keys[key].is_hidden = true;
                if self.store.may_remove() && !is_planted(Bug::ExpiredOnlyHidden) {
                    self.remove_hidden(key);
                }
            }
        }
    }

    /// Removes a key that has expired and is still there, before it is written.
    pub(super) fn remove_hidden(&mut self, id: usize) {
        if std::mem::take(&mut self.keys[id].is_hidden) {
            self.notify_of(id, EventClass::Expired, "expired");
            self.delete_key(id);
            let guard = self.keys[id].guard;
            self.guards[guard].shard.counters.expired += 1;
        }
    }
}
