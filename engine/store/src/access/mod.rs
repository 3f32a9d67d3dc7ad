//! One command's hold on its keys: their shards are locked, every key is
//! resident, and what changes is applied at once and logged as one frame.
//!
//! Owns the effects until they are appended. Does not wait for the disk, and
//! does no I/O. Any thread.
//!
//! INVARIANT: an access that could not be had has changed nothing a client can
//! see.
//! INVARIANT: a change is applied under its shard's lock, and its frame is
//! appended before that lock is let go.

mod acquire;
mod change;
pub(crate) mod held;

use crate::address::Address;
use crate::fault::{Fault, FaultSet};
use crate::index::Position;
use crate::objects::OBJECT_FORM;
use crate::observe::{Change, EventClass};
use crate::resolve::{Resolved, State};
use crate::shard::Shard;
use crate::store::Store;
use parking_lot::MutexGuard;
use smallvec::SmallVec;
use std::cell::Cell;
use thermocline_base::{DatabaseId, Lsn, ShardId, UnixMillis};
use thermocline_types::{Object, ValueRef};

/// A key as a command names it: the number of its database, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyName<'k> {
    /// The number of the database, below 16.
    pub database: u8,
    /// The key.
    pub key: &'k [u8],
}

/// The number of the database that holds what is no client's: see
/// [`thermocline_base::DatabaseId::SYSTEM`].
pub const SYSTEM_DATABASE: u8 = u8::MAX;

/// Which of an access's keys: the position in the list it was given.
pub type KeyId = usize;

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The value.
    pub value: ValueRef<'a>,
    /// When the key expires.
    pub expiry: Option<UnixMillis>,
}

pub(crate) struct Guard<'s> {
    pub(crate) id: ShardId,
    pub(crate) shard: MutexGuard<'s, Shard>,
    /// Whether a key of it was changed under this guard.
    wrote: bool,
}

thread_local! {
    /// Lent to one access at a time, so that a write allocates no buffer.
    static EFFECTS: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `write` with an empty buffer for effects.
pub(crate) fn with_effects<R>(write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut effects = EFFECTS.take();
    let result = write(&mut effects);
    keep_effects(effects);
    result
}

fn keep_effects(mut effects: Vec<u8>) {
    if effects.capacity() > 0 && effects.capacity() <= KEPT_EFFECTS_BYTES {
        effects.clear();
        EFFECTS.set(effects);
    }
}

/// The longest key, bytes. The tier repeats it beside each part of a long value,
/// and both must fit a segment: a longer one could never sink, and no
/// checkpoint be made of it.
pub const KEY_BYTES_MAX: usize = 16 << 20;
/// A value may grow to this however small `maxmemory` is, in bytes: what a small daemon takes
/// is not its data for the most part.
const VALUE_MAX_LEAST_BYTES: u64 = 8 << 20;
/// A buffer above this is not kept for the next access, bytes.
const KEPT_EFFECTS_BYTES: usize = 1 << 20;

/// See the module.
pub struct Access<'s, 'k> {
    pub(crate) store: &'s Store,
    /// For each name, which of `keys` it is.
    ids: SmallVec<[u32; 4]>,
    names: &'k [KeyName<'k>],
    keys: SmallVec<[Resolved<'k>; 2]>,
    /// Ascending by shard.
    pub(crate) guards: SmallVec<[Guard<'s>; 2]>,
    now: UnixMillis,
    /// Whether reads are no uses: CLIENT NO-TOUCH.
    leaves_no_trace: bool,
    effects: Vec<u8>,
    deaths: SmallVec<[(Address, u32); 2]>,
    /// What observers asked to be told; empty while none does.
    pub(crate) changes: Vec<Change<'k>>,
    /// The end of the last frame that changed a shard which was looked at
    /// without being held.
    pub(crate) seen: Lsn,
    /// Waited keys that were touched.
    raised: Vec<usize>,
    /// Waited keys that have changed with their database.
    pub(crate) moved: Vec<(DatabaseId, Box<[u8]>)>,
    /// How keys were before they were changed; kept by the steps of a script alone.
    pub(crate) journal: Option<Box<held::Journal>>,
    /// What the steps before this one have told.
    told_before: Vec<held::ToldBefore>,
}

impl Store {
    /// Locks the shards of `names` and makes sure that the values are at hand;
    /// names may repeat. Nothing is held after a fault.
    ///
    /// # Errors
    /// What must be read first.
    pub fn access<'s, 'k>(
        &'s self,
        names: &'k [KeyName<'k>],
        faults: &FaultSet,
    ) -> Result<Access<'s, 'k>, Fault> {
        let mut access = Access::new(self, names);
        access.acquire(faults, false)?;
        Ok(access)
    }

    /// As [`Store::access`] with every shard locked: for a transaction that
    /// holds commands on whole databases.
    ///
    /// # Errors
    /// What must be read first.
    pub fn access_all<'s, 'k>(
        &'s self,
        names: &'k [KeyName<'k>],
        faults: &FaultSet,
    ) -> Result<Access<'s, 'k>, Fault> {
        let mut access = Access::new(self, names);
        access.acquire(faults, true)?;
        Ok(access)
    }
}

impl<'s, 'k> Access<'s, 'k> {
    /// An access to `names` that holds nothing yet: [`Access::acquire`] comes
    /// next. (Apart, so that an access is never moved: it is large.)
    #[must_use]
    pub fn new(store: &'s Store, names: &'k [KeyName<'k>]) -> Self {
        Self {
            store,
            ids: SmallVec::new(),
            names,
            keys: SmallVec::new(),
            guards: SmallVec::new(),
            now: UnixMillis(0),
            leaves_no_trace: false,
            effects: Vec::new(),
            deaths: SmallVec::new(),
            changes: Vec::new(),
            seen: Lsn::ZERO,
            raised: Vec::new(),
            moved: Vec::new(),
            journal: None,
            told_before: Vec::new(),
        }
    }

    /// Tells observers that ask for the class of an event of the key, whose database has
    /// this number now.
    pub fn notify(&mut self, class: EventClass, name: &'static str, database: u8, key: KeyId) {
        if self.store.observed.wants(class) {
            self.changes.push(Change::Event {
                class,
                name,
                database,
                key: self.names[key].key,
            });
        }
    }

    /// Tells observers that a command ran now: see [`Change::Aside`].
    pub fn note_aside(&mut self) {
        if self.store.observed.wants_any() {
            self.changes.push(Change::Aside);
        }
    }

    /// Whether observers ask for events of the class.
    #[must_use]
    pub fn wants(&self, class: EventClass) -> bool {
        self.store.observed.wants(class)
    }

    /// As [`Access::notify`], for what the store itself does to the key.
    fn notify_of(&mut self, id: usize, class: EventClass, name: &'static str) {
        if !self.store.observed.wants(class) {
            return;
        }
        let first = self.ids.iter().position(|known| *known as usize == id);
        // What the server keeps for itself is no key of anybody.
        if let Some(first) = first
            && self.names[first].database != SYSTEM_DATABASE
        {
            self.notify(class, name, self.names[first].database, first);
        }
    }

    /// The time of this access, which does not move during it.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// How many databases commands may name, from 0 on.
    #[must_use]
    pub fn databases(&self) -> u32 {
        self.store.settings.databases()
    }

    /// Whether the log takes more without a wait: a command that only reads changes
    /// nothing where it has not.
    #[must_use]
    pub fn log_has_room(&self) -> bool {
        self.store.log.has_room()
    }

    fn id(&self, key: KeyId) -> usize {
        self.ids[key] as usize
    }

    /// Where the key's slot is now; `None` if it has none.
    fn position(&mut self, id: usize) -> Option<Position> {
        let key = &mut self.keys[id];
        key.position(&self.guards[key.guard].shard)
    }

    fn peek_key(&self, id: usize) -> Option<Entry<'_>> {
        let key = &self.keys[id];
        let shard: &Shard = &self.guards[key.guard].shard;
        match &key.state {
            _ if key.is_hidden => None,
            State::Absent => None,
            State::Cold(cold) => Some(Entry {
                value: cold.value.as_ref(),
                expiry: cold.expiry,
            }),
            State::Hot => {
                let position = key.find(shard)?;
                let parts = shard.table(key.database)?.record(position)?.parts();
                Some(Entry {
                    value: shard.objects.value(&parts),
                    expiry: parts.expiry,
                })
            }
        }
    }

    /// What the key holds; `None` if it is not there or has expired. Counts as
    /// a use of the key and as a hit or miss in the statistics.
    pub fn get(&mut self, key: KeyId) -> Option<Entry<'_>> {
        let id = self.id(key);
        let position = self.position(id).filter(|_| !self.keys[id].is_hidden);
        let resolved = &self.keys[id];
        let (guard, database) = (resolved.guard, resolved.database);
        let shard = &mut *self.guards[guard].shard;
        let Some(position) = position else {
            shard.counters.misses += 1;
            self.notify_of(id, EventClass::Miss, "keymiss");
            return None;
        };
        shard.counters.hits += 1;
        if self.leaves_no_trace {
            return self.peek_key(id);
        }
        let is_cold = matches!(resolved.state, State::Cold(_));
        let table = shard.table_mut(database)?;
        let frequency = table.slot(position).frequency();
        if is_cold && frequency > 0 && self.store.may_promote() {
            // The second read brings it up; the tier's copy stays its own.
            shard.counters.promotions += 1;
            self.install(id, true);
        } else {
            let next = if is_cold { 1 } else { (frequency + 1).min(3) };
            table.set_frequency(position, next);
        }
        self.peek_key(id)
    }

    /// Counts a look at the key that is no use of it as a hit or a miss: whether it is there.
    pub fn count_look(&mut self, key: KeyId) -> bool {
        let id = self.id(key);
        let is_there = self.peek_key(id).is_some();
        let counters = &mut self.guards[self.keys[id].guard].shard.counters;
        counters.hits += u64::from(is_there);
        counters.misses += u64::from(!is_there);
        is_there
    }

    /// Counts the key as expired: a command gave it a time that has passed, and it is gone.
    pub fn count_expired(&mut self, key: KeyId) {
        let guard = self.keys[self.id(key)].guard;
        self.guards[guard].shard.counters.expired += 1;
    }

    /// Counts so many of the key's fields as expired.
    pub fn count_expired_fields(&mut self, key: KeyId, fields: usize) {
        let guard = self.keys[self.id(key)].guard;
        self.guards[guard].shard.counters.expired_fields += fields as u64;
    }

    /// Has reads of this access be uses or not from now on; how it was. TOUCH
    /// is a use, whatever its client wishes.
    pub const fn set_leaves_no_trace(&mut self, leaves_no_trace: bool) -> bool {
        std::mem::replace(&mut self.leaves_no_trace, leaves_no_trace)
    }

    /// As [`Access::get`], but not a use: for TTL, OBJECT, a write's look at
    /// the old value.
    #[must_use]
    pub fn peek(&self, key: KeyId) -> Option<Entry<'_>> {
        self.peek_key(self.id(key))
    }

    /// How often the key was used lately, 0 to 3; 0 if it is not there.
    #[must_use]
    pub fn frequency(&self, key: KeyId) -> u8 {
        let key = &self.keys[self.id(key)];
        let shard = &self.guards[key.guard].shard;
        let position = key.find(shard).filter(|_| !key.is_hidden);
        let found = position.zip(shard.table(key.database));
        found.map_or(0, |(position, table)| table.slot(position).frequency())
    }

    /// The most that one value may grow to, in bytes; `None` without a bound. Where values
    /// sink to make room, one that has to be in memory whole to be used must leave room for
    /// others.
    #[must_use]
    pub fn value_max_bytes(&self) -> Option<u64> {
        let maxmemory_bytes = self.store.settings.maxmemory_bytes();
        let is_bounded = self.store.has_tier && maxmemory_bytes > 0;
        is_bounded.then(|| (maxmemory_bytes / 4).max(VALUE_MAX_LEAST_BYTES))
    }

    /// What a large collection takes beside its record, in bytes; 0 for any other value.
    #[must_use]
    pub fn collection_bytes(&self, key: KeyId) -> u64 {
        match self.peek(key).map(|entry| entry.value) {
            Some(ValueRef::Object(Object::String { .. })) => 0,
            Some(ValueRef::Object(object)) => object.heap_bytes() as u64,
            _ => 0,
        }
    }

    /// Where in memory the key's record is counted, in bytes; `None` if it is
    /// not there. A cold key takes only its share of the index.
    #[must_use]
    pub fn memory_usage(&self, key: KeyId) -> Option<usize> {
        const INDEX_BYTES_PER_KEY: usize = 11;
        let key = &self.keys[self.id(key)];
        let shard = &self.guards[key.guard].shard;
        let table = shard.table(key.database)?;
        let position = key.find(shard).filter(|_| !key.is_hidden);
        let position = position?;
        let bytes = table.record(position).map_or(0, |record| {
            let parts = record.parts();
            let object = (parts.form == OBJECT_FORM).then(|| shard.objects.get(parts.value));
            let object = object.flatten();
            let heap = object.map_or(0, |it| size_of_val(it) + it.heap_bytes());
            table.bytes_at(position) + heap
        });
        Some(bytes + INDEX_BYTES_PER_KEY)
    }

    /// Appends what has changed to the log as one frame and lets the keys go.
    /// What was read and changed is durable once the log is up to the position
    /// returned.
    pub fn commit(mut self) -> Lsn {
        self.finish()
    }

    /// As [`Access::commit`]; nothing is held afterwards.
    pub fn finish(&mut self) -> Lsn {
        self.close_journal();
        let wrote = self.guards.iter().any(|guard| guard.wrote);
        if wrote {
            if !self.effects.is_empty() {
                let end = self.store.log.append(&self.effects);
                for guard in &mut self.guards {
                    if guard.wrote {
                        guard.shard.last_lsn = end;
                    }
                }
            }
            self.store.note_change();
            for guard in &mut self.guards {
                if guard.wrote {
                    guard.wrote = false;
                    self.store.recount(&mut guard.shard);
                }
            }
        }
        if !self.raised.is_empty() || !self.moved.is_empty() {
            self.raise();
        }
        let seen = self.guards.iter().map(|guard| guard.shard.last_lsn).max();
        if !self.changes.is_empty() {
            self.store
                .observed
                .tell(&self.changes, seen.unwrap_or_default());
        }
        self.guards.clear();
        if !self.changes.is_empty() {
            self.changes.clear();
            self.store.observed.settle();
        }
        for (address, bytes) in self.deaths.drain(..) {
            self.store.volume.record_died(address, u64::from(bytes));
        }
        keep_effects(std::mem::take(&mut self.effects));
        seen.unwrap_or_default().max(self.seen)
    }
}

impl Drop for Access<'_, '_> {
    /// What was changed must reach the log whatever the caller does.
    fn drop(&mut self) {
        if !self.guards.is_empty() {
            self.finish();
        }
    }
}
