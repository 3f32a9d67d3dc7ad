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

use crate::address::Address;
use crate::effect::{Effect, KeyRef};
use crate::fault::{Fault, FaultSet, ReadRequest};
use crate::index::Position;
use crate::objects::OBJECT_FORM;
use crate::observe::{Change, EventClass};
use crate::record::RecordParts;
use crate::resolve::{Resolved, State};
use crate::shard::Shard;
use crate::store::Store;
use crate::waiting::Ticket;
use hashbrown::HashMap;
use parking_lot::MutexGuard;
use smallvec::SmallVec;
use std::cell::Cell;
use thermocline_base::{DatabaseId, KeyHash, Lsn, ShardId, UnixMillis};
use thermocline_types::{TypeError, Update, Value, ValueRef};

/// A key as a command names it: the number of its database, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyName<'k> {
    /// The number of the database, below 16.
    pub database: u8,
    /// The key.
    pub key: &'k [u8],
}

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

/// Above this many names, repeated ones are found by a map.
const LINEAR_NAMES: usize = 16;

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
        }
    }

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
    fn name_keys(&mut self) {
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
    fn first_names(&self) -> SmallVec<[u8; 4]> {
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

    fn resolve(&mut self, faults: &FaultSet) -> Result<(), Fault> {
        let mut reads: SmallVec<[ReadRequest; 2]> = SmallVec::new();
        let mut recovering: SmallVec<[KeyHash; 2]> = SmallVec::new();
        for key in &mut self.keys {
            let guard = &mut self.guards[key.guard];
            if let Some(reason) = &guard.shard.damage {
                return Err(Fault::Damaged(reason.clone()));
            }
            if guard.shard.has_come_up(key.hash) {
                key.resolve(self.store, &mut guard.shard, faults, &mut reads)?;
            } else {
                recovering.push(key.hash);
            }
        }
        if !recovering.is_empty() {
            Err(Fault::Recovering(recovering))
        } else if !reads.is_empty() {
            Err(Fault::Reads(reads))
        } else {
            Ok(())
        }
    }

    /// Every disappearance of a key is logged, an expiry too. A log without room
    /// must not be waited for under a lock, least of all by a read: the key is
    /// hidden then.
    fn remove_expired(&mut self) {
        for key in 0..self.keys.len() {
            let resolved = &self.keys[key];
            let shard = &self.guards[resolved.guard].shard;
            let expires = match resolved.state {
                State::Absent => false,
                State::Hot => (shard.table(resolved.database)).is_some_and(|it| it.expiring() > 0),
                State::Cold(_) => true,
            };
            if !expires {
                continue;
            }
            let expiry = self.peek_key(key).and_then(|entry| entry.expiry);
            if expiry.is_some_and(|expiry| expiry < self.now) {
                self.keys[key].is_hidden = true;
                if self.store.log.has_room() {
                    self.remove_hidden(key);
                }
            }
        }
    }

    /// Removes a key that has expired and is still there, before it is written.
    fn remove_hidden(&mut self, id: usize) {
        if std::mem::take(&mut self.keys[id].is_hidden) {
            self.delete_key(id);
            let guard = self.keys[id].guard;
            self.guards[guard].shard.counters.expired += 1;
            self.notify_of(id, EventClass::Expired, "expired");
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

    /// Tells observers that a command that is none of the store's ran now.
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
        if let Some(first) = first {
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

    /// Brings a cold key into memory as it is: its record is clean if
    /// `is_clean`, else about to change.
    fn install(&mut self, id: usize, is_clean: bool) {
        let Some(position) = self.position(id) else {
            return;
        };
        let resolved = &mut self.keys[id];
        let State::Cold(cold) = std::mem::replace(&mut resolved.state, State::Hot) else {
            resolved.state = State::Hot;
            return;
        };
        let shard = &mut *self.guards[resolved.guard].shard;
        let (form, value) = shard.objects.keep(cold.value);
        let parts = RecordParts {
            form,
            expiry: cold.expiry,
            address: is_clean.then_some(cold.address),
            is_clean,
            key: resolved.key,
            value: &value,
        };
        if let Some(table) = shard.table_mut(resolved.database) {
            table.replace(position, resolved.hash, &parts);
        }
        if !is_clean {
            self.deaths.push((cold.address, cold.bytes));
        }
        let guard = resolved.guard;
        self.store.recount(&mut self.guards[guard].shard);
    }

    /// The key will have another value: frees what the old one held beside its
    /// record, and notes the death of a copy on the tier.
    fn forget_old(&mut self, id: usize) {
        let position = self.position(id);
        let resolved = &self.keys[id];
        match &resolved.state {
            State::Absent => {}
            State::Cold(cold) => self.deaths.push((cold.address, cold.bytes)),
            State::Hot => {
                let shard = &mut *self.guards[resolved.guard].shard;
                let table = shard.table(resolved.database);
                let record = position.zip(table).and_then(|(at, table)| table.record(at));
                let Some(parts) = record.map(crate::record::Record::parts) else {
                    return;
                };
                if let Some(address) = parts.address {
                    let bytes = self.store.copy_bytes_hint(address, &parts, &shard.objects);
                    self.deaths.push((address, bytes));
                }
                if parts.form == OBJECT_FORM {
                    let number: SmallVec<[u8; 4]> = parts.value.into();
                    shard.objects.remove(&number);
                }
            }
        }
    }

    /// Puts a dirty record where the key is or will be.
    fn put_record(&mut self, id: usize, form: u8, value: &[u8], expiry: Option<UnixMillis>) {
        let position = self.position(id);
        let resolved = &mut self.keys[id];
        let parts = RecordParts {
            expiry,
            ..RecordParts::new(form, resolved.key, value)
        };
        let shard = &mut *self.guards[resolved.guard].shard;
        let (table, _) = shard.table_or_new(resolved.database, self.store.seed);
        match position {
            Some(position) => table.replace(position, resolved.hash, &parts),
            None => {
                table.insert(resolved.hash, &parts);
                shard.epoch += 1;
            }
        }
        resolved.state = State::Hot;
        if position.is_none() {
            self.notify_of(id, EventClass::New, "new");
        }
    }

    /// The key holds this value and expiry, whatever it held. The value is not
    /// an empty collection. An expiry that has passed deletes the key instead.
    pub fn put(&mut self, key: KeyId, value: Value, expiry: Option<UnixMillis>) {
        let id = self.id(key);
        self.remove_hidden(id);
        if self.has_passed(expiry) {
            self.delete_key(id);
            return;
        }
        let mut serialized = Vec::new();
        let form = value.serialize_into(&mut serialized) as u8;
        self.log(id, |key| Effect::Put {
            key,
            form,
            value: &serialized,
            expiry,
        });
        self.forget_old(id);
        let guard = self.keys[id].guard;
        let (form, bytes) = self.guards[guard].shard.objects.keep(value);
        self.put_record(id, form, &bytes, expiry);
        self.touched(id);
    }

    /// As [`Access::put`] with a string of at most `STRING_MAX_BYTES` that was
    /// set whole.
    pub fn put_string(&mut self, key: KeyId, bytes: &[u8], expiry: Option<UnixMillis>) {
        const FORM: u8 = thermocline_types::Form::StringBytes as u8;
        if bytes.len() > thermocline_types::value::STRING_INLINE_MAX_BYTES {
            if let Ok(value) = Value::from_string(bytes.to_vec()) {
                self.put(key, value, expiry);
            }
            return;
        }
        let id = self.id(key);
        self.remove_hidden(id);
        if self.has_passed(expiry) {
            self.delete_key(id);
            return;
        }
        self.log(id, |key| Effect::Put {
            key,
            form: FORM,
            value: bytes,
            expiry,
        });
        self.forget_old(id);
        self.put_record(id, FORM, bytes, expiry);
        self.touched(id);
    }

    /// Changes the value, or makes one where the update can; a collection left
    /// empty takes its key along.
    ///
    /// # Errors
    /// As `Update::check`; nothing has changed then.
    pub fn update(&mut self, key: KeyId, update: &Update<'_>) -> Result<(), TypeError> {
        let id = self.id(key);
        self.remove_hidden(id);
        let old = self.peek_key(id);
        update.check(old.map(|entry| entry.value))?;
        let expiry = old.and_then(|entry| entry.expiry);
        let current = self.take_value(id);
        let value = thermocline_types::apply(current, update, &self.store.limits())?;
        if value.as_ref().is_empty_collection() {
            self.delete_key(id);
            return Ok(());
        }
        let mut encoded = Vec::new();
        update.encode_into(&mut encoded);
        self.log(id, |key| Effect::Update {
            key,
            update: &encoded,
        });
        let guard = self.keys[id].guard;
        let (form, bytes) = self.guards[guard].shard.objects.keep(value);
        self.put_record(id, form, &bytes, expiry);
        self.touched(id);
        Ok(())
    }

    /// The key's value as one's own; the record keeps only the shell of one,
    /// to be replaced or deleted next.
    fn take_value(&mut self, id: usize) -> Option<Value> {
        if matches!(self.keys[id].state, State::Cold(_)) {
            self.install(id, false);
        }
        let position = self.position(id)?;
        let resolved = &self.keys[id];
        let shard = &mut *self.guards[resolved.guard].shard;
        let parts = shard.table(resolved.database)?.record(position)?.parts();
        if let Some(address) = parts.address {
            let bytes = self.store.copy_bytes_hint(address, &parts, &shard.objects);
            self.deaths.push((address, bytes));
        }
        if parts.form == OBJECT_FORM {
            let number: SmallVec<[u8; 4]> = parts.value.into();
            return shard.objects.remove(&number).map(Value::Object);
        }
        Some(shard.objects.value(&parts).capture())
    }

    /// Changes when the key expires, to never with `None`; a time that has
    /// passed deletes it. Whether the key was there.
    pub fn set_expiry(&mut self, key: KeyId, expiry: Option<UnixMillis>) -> bool {
        let id = self.id(key);
        self.remove_hidden(id);
        if self.has_passed(expiry) {
            return self.delete_key(id);
        }
        if matches!(self.keys[id].state, State::Cold(_)) {
            self.install(id, false);
        }
        let Some(position) = self.position(id) else {
            return false;
        };
        self.log(id, |key| Effect::Expire { key, expiry });
        let resolved = &self.keys[id];
        let shard = &mut *self.guards[resolved.guard].shard;
        if let Some(table) = shard.table_mut(resolved.database) {
            table.set_expiry(position, expiry);
        }
        self.touched(id);
        true
    }

    /// Whether a key with this new expiry would not live at all. (One that it
    /// has already lives to the end of its millisecond.)
    fn has_passed(&self, expiry: Option<UnixMillis>) -> bool {
        expiry.is_some_and(|expiry| expiry <= self.now)
    }

    /// Deletes the key. Whether it was there.
    pub fn delete(&mut self, key: KeyId) -> bool {
        let id = self.id(key);
        self.remove_hidden(id);
        self.delete_key(id)
    }

    fn delete_key(&mut self, id: usize) -> bool {
        let Some(position) = self.position(id) else {
            return false;
        };
        self.log(id, |key| Effect::Delete { key });
        self.forget_old(id);
        let resolved = &mut self.keys[id];
        resolved.state = State::Absent;
        let shard = &mut *self.guards[resolved.guard].shard;
        if let Some(table) = shard.table_mut(resolved.database) {
            table.remove(position);
        }
        shard.epoch += 1;
        self.touched(id);
        true
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

    /// Adds an effect on a key to the frame of this access.
    fn log<'e>(&mut self, id: usize, effect: impl FnOnce(KeyRef<'e>) -> Effect<'e>)
    where
        'k: 'e,
    {
        if !self.store.log.is_kept() {
            return;
        }
        if self.effects.capacity() == 0 {
            self.effects = EFFECTS.take();
        }
        let resolved = &self.keys[id];
        let key = KeyRef {
            database: resolved.database,
            key: resolved.key,
        };
        effect(key).encode_into(&mut self.effects);
    }

    pub(crate) fn log_effect(&mut self, effect: &Effect<'_>) {
        effect.encode_into(&mut self.effects);
    }

    /// A key was changed.
    fn touched(&mut self, id: usize) {
        let resolved = &self.keys[id];
        let guard = &mut self.guards[resolved.guard];
        guard.wrote = true;
        guard.shard.changed = true;
        guard.shard.watchers.touch(resolved.database, resolved.key);
        let is_waited = (guard.shard.queues).is_waited(resolved.database, resolved.key);
        if is_waited && !self.raised.contains(&id) {
            // Named when the access ends: SWAPDB may follow.
            self.raised.push(id);
        }
        if self.store.observed.wants_changes() {
            self.changes.push(Change::Key(resolved.key));
        }
    }

    /// Has the ticket join the queue at the key until `Store::unwait`: once the
    /// key has been touched, it is among the ready keys. `wants_absence`: also if
    /// it is gone then.
    pub fn wait(&mut self, key: KeyId, ticket: Ticket, wants_absence: bool) {
        let id = self.id(key);
        let resolved = &self.keys[id];
        let queues = &mut self.guards[resolved.guard].shard.queues;
        queues.add(resolved.database, resolved.key, ticket, wants_absence);
    }

    /// What became ready, in the order in which it was touched.
    fn raise(&mut self) {
        for id in std::mem::take(&mut self.raised) {
            let resolved = &self.keys[id];
            self.store.raise(resolved.database, resolved.key);
        }
        for (database, key) in std::mem::take(&mut self.moved) {
            self.store.raise(database, &key);
        }
    }

    /// Every guard's shard was changed, by a flush or a swap.
    pub(crate) fn touched_all(&mut self) {
        for guard in &mut self.guards {
            guard.wrote = true;
            guard.shard.changed = true;
            guard.shard.epoch += 1;
        }
    }

    /// The keys of the database `old` are those of `new` from now on, which is
    /// empty: a flush. A name means the database that had its number when the
    /// access began, so a swap changes nothing here.
    pub(crate) fn follow_flush(&mut self, old: DatabaseId, new: DatabaseId) {
        for key in self.keys.iter_mut().filter(|key| key.database == old) {
            let hash = self.store.seed.hash(new, key.key);
            *key = Resolved::new(new, key.key, hash);
            let shard = hash.shard();
            key.guard = self.guards.partition_point(|guard| guard.id < shard);
        }
    }

    /// Appends what has changed to the log as one frame and lets the keys go.
    /// What was read and changed is durable once the log is up to the position
    /// returned.
    pub fn commit(mut self) -> Lsn {
        self.finish()
    }

    /// As [`Access::commit`]; nothing is held afterwards.
    pub fn finish(&mut self) -> Lsn {
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
