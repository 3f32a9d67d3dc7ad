//! Changing the keys of an access: each change is applied at once, and its effect
//! kept for the frame.
//!
//! Owns what else a change touches: the tier's copies, those who watch or wait for
//! the key. Does not append. Under the shards' locks, any thread.

use super::held::tell_watchers;
use super::{Access, EFFECTS, KeyId};
use crate::address::Address;
use crate::effect::{Effect, KeyRef};
use crate::objects::OBJECT_FORM;
use crate::observe::{Change, EventClass};
use crate::record::RecordParts;
use crate::resolve::{Resolved, State};
use crate::waiting::Ticket;
use smallvec::SmallVec;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::{DatabaseId, UnixMillis};
use thermocline_types::{Form, TypeError, Update, Value, ValueRef};

/// What a record holds of a value: its form and bytes.
type Kept = (u8, SmallVec<[u8; 4]>);

impl<'k> Access<'_, 'k> {
    /// Brings a cold key into memory as it is: its record is clean if
    /// `is_clean`, else about to change.
    pub(super) fn install(&mut self, id: usize, is_clean: bool) {
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
    pub(super) fn forget_old(&mut self, id: usize) {
        let position = self.position(id);
        let resolved = &mut self.keys[id];
        match &mut resolved.state {
            State::Absent => {}
            State::Cold(cold) => {
                self.deaths.push((cold.address, cold.bytes));
                let nothing = Value::Inline {
                    form: Form::StringBytes,
                    bytes: Vec::new(),
                };
                if let Value::Object(object) = std::mem::replace(&mut cold.value, nothing) {
                    self.store.discard(Some(object));
                }
            }
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
                    self.store.discard(shard.objects.remove(&number));
                }
            }
        }
    }

    /// Puts a dirty record where the key is or will be.
    pub(super) fn put_record(
        &mut self,
        id: usize,
        form: u8,
        value: &[u8],
        expiry: Option<UnixMillis>,
    ) {
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
        self.note_before(id);
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
        const FORM: u8 = Form::StringBytes as u8;
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
        self.note_before(id);
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
        let is_seen = update.is_seen() || self.peek_key(self.id(key)).is_none();
        self.update_key(key, update, is_seen)
    }

    /// As [`Access::update`], of a change that clients do not see: those that watch or track
    /// the key are not told.
    ///
    /// # Errors
    /// As [`Access::update`].
    pub fn update_unseen(&mut self, key: KeyId, update: &Update<'_>) -> Result<(), TypeError> {
        self.update_key(key, update, false)
    }

    fn update_key(
        &mut self,
        key: KeyId,
        update: &Update<'_>,
        is_seen: bool,
    ) -> Result<(), TypeError> {
        let id = self.id(key);
        self.remove_hidden(id);
        let old = self.peek_key(id);
        update.check(old.map(|entry| entry.value))?;
        let expiry = old.and_then(|entry| entry.expiry);
        let is_large = matches!(old.map(|entry| entry.value), Some(ValueRef::Object(_)));
        self.note_before(id);
        if matches!(self.keys[id].state, State::Cold(_)) {
            self.install(id, false);
        }
        if self.overwrite(id, update) {
            self.log_update(id, update);
        } else {
            let copy = self.copy_on_tier(id);
            let changed = if is_large {
                self.change_object(id, update)?
            } else {
                let current = self.copied_value(id);
                let value = thermocline_types::apply(current, update, &self.store.limits())?;
                (!value.as_ref().is_empty_collection()).then(|| self.keep(id, value))
            };
            let Some((form, bytes)) = changed else {
                self.delete_key(id);
                return Ok(());
            };
            self.deaths.extend(copy);
            self.log_update(id, update);
            self.put_record(id, form, &bytes, expiry);
        }
        self.changed(id);
        if let Some(expiry) = update.earliest_field_expiry() {
            self.store.control.note_field_expiry(expiry);
        }
        if update.may_serve() {
            self.may_serve(id);
        }
        if is_seen {
            self.seen(id);
        }
        Ok(())
    }

    /// Puts what `update` makes of nothing in the place of whatever the key holds, its
    /// expiry too. To observers it is no new key if it was there.
    ///
    /// # Errors
    /// As `Update::check`; nothing has changed then.
    pub fn replace(&mut self, key: KeyId, update: &Update<'_>) -> Result<(), TypeError> {
        update.check(None)?;
        let told = self.changes.len();
        let was_there = self.delete(key);
        self.update(key, update)?;
        if was_there {
            let mut place = 0;
            self.changes.retain(|change| {
                place += 1;
                let class = match change {
                    Change::Event { class, .. } if place > told => Some(*class),
                    _ => None,
                };
                class != Some(EventClass::New)
            });
        }
        Ok(())
    }

    fn log_update(&mut self, id: usize, update: &Update<'_>) {
        if self.may_log() {
            let resolved = &self.keys[id];
            let key = KeyRef {
                database: resolved.database,
                key: resolved.key,
            };
            Effect::encode_update_into(&mut self.effects, key, |out| update.encode_into(out));
        }
    }

    /// Writes bytes into a small string where it lies: bitmaps are changed so, byte by byte.
    /// False if the update is another one or needs another record; nothing has changed then.
    fn overwrite(&mut self, id: usize, update: &Update<'_>) -> bool {
        let Update::StringSetRange { offset, bytes } = update else {
            return false;
        };
        let Some(position) = self.position(id) else {
            return false;
        };
        let resolved = &self.keys[id];
        let shard = &mut *self.guards[resolved.guard].shard;
        let Some(table) = shard.table_mut(resolved.database) else {
            return false;
        };
        let record = table.record(position);
        let is_raw = record.is_some_and(|record| record.parts().form == Form::StringRaw as u8);
        let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
        is_raw && table.overwrite(position, offset, bytes)
    }

    fn keep(&mut self, id: usize, value: Value) -> Kept {
        let guard = self.keys[id].guard;
        self.guards[guard].shard.objects.keep(value)
    }

    /// The copy that the tier has of a hot key's record, and about how many bytes it takes
    /// there.
    fn copy_on_tier(&mut self, id: usize) -> Option<(Address, u32)> {
        let position = self.position(id)?;
        let resolved = &self.keys[id];
        let shard = &self.guards[resolved.guard].shard;
        let record = shard.table(resolved.database)?.record(position)?;
        let address = record.address()?;
        let hint = (self.store).copy_bytes_hint(address, &record.parts(), &shard.objects);
        Some((address, hint))
    }

    /// Changes a hot key's object where it lies. What its record holds from now on; `None`
    /// if the collection is empty now.
    fn change_object(&mut self, id: usize, update: &Update<'_>) -> Result<Option<Kept>, TypeError> {
        let Some(position) = self.position(id) else {
            return Ok(None);
        };
        let limits = self.store.limits();
        let resolved = &self.keys[id];
        let shard = &mut *self.guards[resolved.guard].shard;
        let table = shard.table(resolved.database);
        let Some(record) = table.and_then(|table| table.record(position)) else {
            return Ok(None);
        };
        let number: SmallVec<[u8; 4]> = record.parts().value.into();
        let changed = shard.objects.change(&number, |object| {
            let small = thermocline_types::apply_in_place(object, update, &limits)?;
            let is_empty = small.is_none() && ValueRef::Object(object).is_empty_collection();
            Ok::<_, TypeError>((small, is_empty))
        });
        match changed.transpose()? {
            None | Some((None, true)) => Ok(None),
            Some((None, false)) => Ok(Some((OBJECT_FORM, number))),
            Some((Some(small), _)) if small.as_ref().is_empty_collection() => Ok(None),
            Some((Some(small), _)) => {
                shard.objects.remove(&number);
                Ok(Some(shard.objects.keep(small)))
            }
        }
    }

    /// A copy of the hot key's value, which is no object.
    fn copied_value(&mut self, id: usize) -> Option<Value> {
        let position = self.position(id)?;
        let resolved = &self.keys[id];
        let shard = &self.guards[resolved.guard].shard;
        let parts = shard.table(resolved.database)?.record(position)?.parts();
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
        self.note_before(id);
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

    pub(super) fn delete_key(&mut self, id: usize) -> bool {
        if self.position(id).is_none() {
            return false;
        }
        self.note_before(id);
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

    /// Adds an effect on a key to the frame of this access.
    fn log<'e>(&mut self, id: usize, effect: impl FnOnce(KeyRef<'e>) -> Effect<'e>)
    where
        'k: 'e,
    {
        if !self.may_log() {
            return;
        }
        let resolved = &self.keys[id];
        let key = KeyRef {
            database: resolved.database,
            key: resolved.key,
        };
        effect(key).encode_into(&mut self.effects);
    }

    /// Whether effects are kept, for which there is a buffer then.
    fn may_log(&mut self) -> bool {
        let is_kept = self.store.log.is_kept();
        if is_kept && self.effects.capacity() == 0 {
            self.effects = EFFECTS.take();
        }
        is_kept
    }

    pub(crate) fn log_effect(&mut self, effect: &Effect<'_>) {
        effect.encode_into(&mut self.effects);
    }

    /// A key was changed, as everybody may see.
    fn touched(&mut self, id: usize) {
        self.changed(id);
        self.may_serve(id);
        self.seen(id);
    }

    /// Tells those that watch or track the key that it was changed.
    fn seen(&mut self, id: usize) {
        let resolved = &self.keys[id];
        let watchers = &self.guards[resolved.guard].shard.watchers;
        let journal = self.journal.as_deref_mut();
        tell_watchers(journal, watchers, resolved.database, resolved.key);
        // What the server keeps for itself is no key of anybody.
        if self.store.observed.wants_changes() && resolved.database != DatabaseId::SYSTEM {
            self.changes.push(Change::Key(resolved.key));
        }
    }

    /// A key was changed: the next image has to hold it.
    fn changed(&mut self, id: usize) {
        let resolved = &self.keys[id];
        let guard = &mut self.guards[resolved.guard];
        guard.wrote = true;
        if !is_planted(Bug::StalePiece) {
            guard.shard.changed.insert(resolved.hash);
        }
    }

    /// Who waits for the key may go on.
    fn may_serve(&mut self, id: usize) {
        let resolved = &self.keys[id];
        let guard = &mut self.guards[resolved.guard];
        let is_waited = (guard.shard.queues).is_waited(resolved.database, resolved.key);
        if is_waited && !self.raised.contains(&id) {
            // Named when the access ends: SWAPDB may follow.
            self.raised.push(id);
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
    pub(super) fn raise(&mut self) {
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
}
