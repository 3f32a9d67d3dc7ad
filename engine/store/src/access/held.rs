//! An access in steps: what a script holds from one of its calls to the next, and how all of
//! it is taken back.
//!
//! Owns the journal of how keys were before their first change. Does not run calls, nor does
//! it decide when to give up. Any thread, one at a time.
//!
//! A script names its keys as it goes, so its access cannot be had at once. Each call has an
//! access of its own that takes over what the ones before it hold: [`Access::resume`] and
//! [`Access::suspend`]. What the calls change goes into one frame at the end.
//!
//! A flush or a swap is a change of the map of databases, and the map from before takes it
//! back: all shards are held then, so nobody has used the new one, and what was flushed is
//! only let go at the end.
//!
//! INVARIANT: a shard that is locked stays locked until [`Held::finish`] or
//! [`Held::rollback`], so nobody sees a part of it.
//! INVARIANT: a shard below one that is held is only tried, never waited for: the order of
//! all locks is ascending.

use super::{Access, Guard, KeyName};
use crate::address::Address;
use crate::effect::DatabaseMap;
use crate::fault::{Fault, FaultSet};
use crate::index::Found;
use crate::observe::{Change, EventClass};
use crate::resolve::{Resolved, State};
use crate::shard::Watchers;
use crate::store::Store;
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thermocline_base::{DatabaseId, KeyHash, Lsn, ShardId, UnixMillis};
use thermocline_types::Value;

/// How often a shard that is held by another is tried before the script gives up.
const TRIES: usize = 64;

type OwnedKey = (DatabaseId, Box<[u8]>);

/// How a key was before its first change.
struct Before {
    key: OwnedKey,
    hash: KeyHash,
    value: Option<(Value, Option<UnixMillis>)>,
}

/// What has to be done to have everything as it was.
#[derive(Default)]
pub(crate) struct Journal {
    before: Vec<Before>,
    known: HashSet<OwnedKey>,
    /// The map of databases before the first flush or swap. What was flushed stays where it
    /// is until the end, under an identity that no number has.
    map: Option<DatabaseMap>,
    /// The flags of those who watch what was changed, by where they lie: they are set at the
    /// end. Kept rather than the keys, for a flush or a swap gives a watched key another
    /// identity.
    touched: HashMap<usize, Arc<AtomicBool>>,
}

/// Tells those who watch a key that it was changed: at the end, if that may yet be taken back.
pub(crate) fn tell_watchers(
    journal: Option<&mut Journal>,
    watchers: &Watchers,
    database: DatabaseId,
    key: &[u8],
) {
    let Some(journal) = journal else {
        return watchers.touch(database, key);
    };
    for flag in watchers.flags(database, key) {
        let kept = journal.touched.entry(Arc::as_ptr(flag).addr());
        kept.or_insert_with(|| Arc::clone(flag));
    }
}

/// A change that observers are told of at the end.
enum OwnedChange {
    Key(Box<[u8]>),
    Event(EventClass, &'static str, u8, Box<[u8]>),
    Flushed,
    Aside,
}

impl OwnedChange {
    fn of(change: Change<'_>) -> Self {
        match change {
            Change::Key(key) => Self::Key(key.into()),
            Change::Event {
                class,
                name,
                database,
                key,
            } => Self::Event(class, name, database, key.into()),
            Change::Flushed => Self::Flushed,
            Change::Aside => Self::Aside,
        }
    }

    fn borrowed(&self) -> Change<'_> {
        match self {
            Self::Key(key) => Change::Key(key),
            Self::Event(class, name, database, key) => Change::Event {
                class: *class,
                name,
                database: *database,
                key,
            },
            Self::Flushed => Change::Flushed,
            Self::Aside => Change::Aside,
        }
    }
}

/// Why a step could not have its keys. What was held still is.
#[derive(Debug)]
pub enum Lack {
    /// Something must be read first.
    Fault(Fault),
    /// Another holds a shard that may not be waited for.
    Contended,
}

/// See the module. One that is dropped is rolled back.
pub struct Held<'s> {
    store: &'s Store,
    guards: SmallVec<[Guard<'s>; 2]>,
    now: UnixMillis,
    leaves_no_trace: bool,
    effects: Vec<u8>,
    deaths: SmallVec<[(Address, u32); 2]>,
    changes: Vec<OwnedChange>,
    seen: Lsn,
    raised: Vec<OwnedKey>,
    journal: Box<Journal>,
}

impl<'s, 'k> Access<'s, 'k> {
    /// Has every change from now on be one that can be taken back; before
    /// [`Access::acquire`].
    pub fn keep_journal(&mut self) {
        self.journal = Some(Box::default());
    }

    /// An access to `names` that goes on from what is held; [`Access::acquire_more`] comes
    /// next.
    #[must_use]
    pub fn resume(held: Held<'s>, names: &'k [KeyName<'k>]) -> Self {
        let mut held = held;
        let mut access = Self::new(held.store, names);
        access.guards = std::mem::take(&mut held.guards);
        access.now = held.now;
        access.leaves_no_trace = held.leaves_no_trace;
        access.effects = std::mem::take(&mut held.effects);
        access.deaths = std::mem::take(&mut held.deaths);
        access.seen = held.seen;
        access.moved = std::mem::take(&mut held.raised);
        access.journal = Some(std::mem::take(&mut held.journal));
        access.told_before = std::mem::take(&mut held.changes)
            .into_iter()
            .map(ToldBefore)
            .collect();
        access
    }

    /// Ends a step, keeping all that it holds.
    ///
    /// # Panics
    /// Without a journal.
    #[must_use]
    pub fn suspend(mut self) -> Held<'s> {
        let mut raised = std::mem::take(&mut self.moved);
        for id in std::mem::take(&mut self.raised) {
            let key = &self.keys[id];
            raised.push((key.database, key.key.into()));
        }
        let before = std::mem::take(&mut self.told_before);
        let mut changes: Vec<OwnedChange> = before.into_iter().map(|told| told.0).collect();
        changes.extend(self.changes.drain(..).map(OwnedChange::of));
        Held {
            store: self.store,
            guards: std::mem::take(&mut self.guards),
            now: self.now,
            leaves_no_trace: self.leaves_no_trace,
            effects: std::mem::take(&mut self.effects),
            deaths: std::mem::take(&mut self.deaths),
            changes,
            seen: self.seen,
            raised,
            journal: self.journal.take().expect("a step keeps a journal"),
        }
    }

    /// Locks the shards of the names that are not held yet and makes sure that the values
    /// are at hand. After a lack the step is to be suspended: what it held it still holds.
    ///
    /// # Errors
    /// What keeps it from having them.
    pub fn acquire_more(&mut self, faults: &FaultSet) -> Result<(), Lack> {
        if self
            .names
            .iter()
            .any(|name| name.key.len() > super::KEY_BYTES_MAX)
        {
            let limit_mib = super::KEY_BYTES_MAX >> 20;
            let reason = format!("a key is longer than {limit_mib} MiB");
            return Err(Lack::Fault(Fault::Damaged(reason)));
        }
        // With a shard held the identities stay; without one nothing has happened.
        loop {
            self.name_keys();
            let is_first = self.guards.is_empty();
            self.lock_more()?;
            let store = self.store;
            let mut named = self.keys.iter().zip(self.first_names());
            if named.all(|(key, name)| store.identity(name) == key.database) {
                break;
            }
            if is_first {
                self.guards.clear();
            }
        }
        self.resolve(faults).map_err(Lack::Fault)?;
        self.remove_expired();
        Ok(())
    }

    fn lock_more(&mut self) -> Result<(), Lack> {
        let mut shards: SmallVec<[ShardId; 4]> =
            self.keys.iter().map(|key| key.hash.shard()).collect();
        shards.sort_unstable();
        shards.dedup();
        for id in shards {
            let Err(place) = self.guards.binary_search_by_key(&id, |guard| guard.id) else {
                continue;
            };
            let mutex = &self.store.shards[id.index()];
            let shard = if place == self.guards.len() {
                mutex.lock()
            } else {
                let tried = (0..TRIES).find_map(|_| {
                    let tried = mutex.try_lock();
                    if tried.is_none() {
                        std::hint::spin_loop();
                    }
                    tried
                });
                tried.ok_or(Lack::Contended)?
            };
            let guard = Guard {
                id,
                shard,
                wrote: false,
            };
            self.guards.insert(place, guard);
        }
        for key in &mut self.keys {
            let shard = key.hash.shard();
            key.guard = self.guards.partition_point(|guard| guard.id < shard);
        }
        Ok(())
    }

    /// Before a key is changed: how it is.
    pub(super) fn note_before(&mut self, id: usize) {
        let Some(mut journal) = self.journal.take() else {
            return;
        };
        let resolved = &self.keys[id];
        let key: OwnedKey = (resolved.database, resolved.key.into());
        if journal.known.insert(key.clone()) {
            // A key that has expired and is hidden is still there.
            let is_hidden = std::mem::take(&mut self.keys[id].is_hidden);
            let value = self
                .peek_key(id)
                .map(|entry| (entry.value.capture(), entry.expiry));
            self.keys[id].is_hidden = is_hidden;
            let hash = self.keys[id].hash;
            journal.before.push(Before { key, hash, value });
        }
        self.journal = Some(journal);
    }

    /// Before the map of databases is changed: how it is. `false` without a journal.
    pub(crate) fn note_map(&mut self, map: DatabaseMap) -> bool {
        if let Some(journal) = &mut self.journal {
            journal.map.get_or_insert(map);
        }
        self.journal.is_some()
    }

    /// Does what waited for the end, from which there is no way back.
    pub(super) fn close_journal(&mut self) {
        let Some(journal) = self.journal.take() else {
            return;
        };
        for flag in journal.touched.values() {
            flag.store(true, Ordering::Release);
        }
        if journal.map.is_some() {
            self.settle_map();
        }
    }

    /// Has the one key of `before` be as it was, without a word in the log.
    fn restore(&mut self, before: Before) {
        let (database, key) = before.key;
        let mut scratch = Access::new(self.store, &[]);
        std::mem::swap(&mut scratch.guards, &mut self.guards);
        scratch.restore_key(database, &key, before.hash, before.value);
        std::mem::swap(&mut scratch.guards, &mut self.guards);
        self.deaths.append(&mut scratch.deaths);
    }

    fn restore_key(
        &mut self,
        database: DatabaseId,
        key: &'k [u8],
        hash: KeyHash,
        value: Option<(Value, Option<UnixMillis>)>,
    ) {
        let mut resolved = Resolved::new(database, key, hash);
        let shard_id = hash.shard();
        resolved.guard = self.guards.partition_point(|guard| guard.id < shard_id);
        let guard = &mut self.guards[resolved.guard];
        guard.wrote = true;
        guard.shard.changed.insert(hash);
        let found = guard.shard.table(database).map(|it| it.find(hash, key));
        // What was changed is in memory, or it is gone: a cold slot is another key's.
        if matches!(found, Some(Found::Hot(_))) {
            resolved.state = State::Hot;
        }
        self.keys.clear();
        self.keys.push(resolved);
        let position = self.position(0);
        self.forget_old(0);
        let guard = self.keys[0].guard;
        match value {
            Some((value, expiry)) => {
                let (form, bytes) = self.guards[guard].shard.objects.keep(value);
                self.put_record(0, form, &bytes, expiry);
            }
            None => {
                if let Some(position) = position {
                    let shard = &mut *self.guards[guard].shard;
                    if let Some(table) = shard.table_mut(database) {
                        table.remove(position);
                    }
                    shard.epoch += 1;
                }
            }
        }
        self.changes.clear();
    }
}

/// A change told by a step before this one.
pub(super) struct ToldBefore(OwnedChange);

impl<'s> Held<'s> {
    /// Whether every shard is held, as commands on whole databases need it.
    #[must_use]
    pub fn holds_all(&self) -> bool {
        self.guards.len() == self.store.shards.len()
    }

    /// As [`Access::note_aside`].
    pub fn note_aside(&mut self) {
        if self.store.observed.wants_any() {
            self.changes.push(OwnedChange::Aside);
        }
    }

    /// Appends all that has changed to the log as one frame and lets everything go: see
    /// [`Access::commit`].
    pub fn finish(mut self) -> Lsn {
        let owned = std::mem::take(&mut self.changes);
        let mut access = Access::new(self.store, &[]);
        access.guards = std::mem::take(&mut self.guards);
        access.effects = std::mem::take(&mut self.effects);
        access.deaths = std::mem::take(&mut self.deaths);
        access.seen = self.seen;
        access.moved = std::mem::take(&mut self.raised);
        access.journal = Some(std::mem::take(&mut self.journal));
        access.changes = owned.iter().map(OwnedChange::borrowed).collect();
        access.finish()
    }

    /// Has everything be as it was and lets it go.
    pub fn rollback(self) {}
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.guards.is_empty() {
            return;
        }
        let mut access = Access::new(self.store, &[]);
        access.guards = std::mem::take(&mut self.guards);
        access.deaths = std::mem::take(&mut self.deaths);
        // By their identities, which the map has nothing to do with.
        for before in std::mem::take(&mut self.journal.before).into_iter().rev() {
            access.restore(before);
        }
        if let Some(map) = self.journal.map {
            access.take_map_back(map);
        }
        access.finish();
    }
}
