//! From a name to the key: is it in memory, on the tier, or nowhere?
//!
//! Owns the lookup of one key of an access, its verification against pages
//! read, and the application of effects that wait since the start. Does not
//! read. Under the shard's lock, any thread.

use crate::address::Address;
use crate::effect::{Effect, KeyRef};
use crate::fault::{Fault, FaultSet, ReadRequest};
use crate::index::{Found, Position};
use crate::record::RecordParts;
use crate::shard::Shard;
use crate::store::Store;
use crate::tier::{Extent, StoredValue, TierRecord};
use smallvec::SmallVec;
use std::cell::RefCell;
use thermocline_base::{DatabaseId, KeyHash, UnixMillis};
use thermocline_types::{Form, Limits, Update, Value};

/// A key's value as it was read from the tier, verified.
pub(crate) struct Cold {
    pub(crate) address: Address,
    /// What its record takes on the tier.
    pub(crate) bytes: u32,
    pub(crate) value: Value,
    pub(crate) expiry: Option<UnixMillis>,
}

/// What is known of a key.
pub(crate) enum State {
    Absent,
    Hot,
    Cold(Box<Cold>),
}

/// A key of an access.
pub(crate) struct Resolved<'k> {
    pub(crate) database: DatabaseId,
    pub(crate) key: &'k [u8],
    pub(crate) hash: KeyHash,
    /// Which of the access's guards holds its shard.
    pub(crate) guard: usize,
    pub(crate) state: State,
    /// Whether it has expired and could not be removed: as good as absent.
    pub(crate) is_hidden: bool,
    /// Where its slot was, and the epoch in which that is true.
    at: Option<(Position, u64)>,
}

impl<'k> Resolved<'k> {
    pub(crate) fn new(database: DatabaseId, key: &'k [u8], hash: KeyHash) -> Self {
        Self {
            database,
            key,
            hash,
            guard: 0,
            state: State::Absent,
            is_hidden: false,
            at: None,
        }
    }

    /// Where the key's slot is; `None` if it has none.
    pub(crate) fn find(&self, shard: &Shard) -> Option<Position> {
        if let Some((position, epoch)) = self.at
            && epoch == shard.epoch
        {
            return Some(position);
        }
        let table = shard.table(self.database)?;
        match (&self.state, table.find(self.hash, self.key)) {
            (State::Hot, Found::Hot(position)) => Some(position),
            (State::Cold(cold), Found::Cold(candidates)) => candidates
                .iter()
                .find(|(_, address)| *address == cold.address)
                .map(|(position, _)| *position),
            _ => None,
        }
    }

    /// As [`Resolved::find`], remembering the answer.
    pub(crate) fn position(&mut self, shard: &Shard) -> Option<Position> {
        if matches!(self.state, State::Absent) {
            return None;
        }
        let position = self.find(shard)?;
        self.at = Some((position, shard.epoch));
        Some(position)
    }

    /// Finds out about the key; what must be read first goes to `reads`.
    pub(crate) fn resolve(
        &mut self,
        store: &Store,
        shard: &mut Shard,
        faults: &FaultSet,
        reads: &mut SmallVec<[ReadRequest; 2]>,
    ) -> Result<(), Fault> {
        self.state = State::Absent;
        self.at = None;
        let name = KeyRef {
            database: self.database,
            key: self.key,
        };
        let waits = shard.pending.contains(name);
        let found = match shard.table(self.database) {
            Some(table) => table.find(self.hash, self.key),
            None => Found::Cold(SmallVec::new()),
        };
        let candidates = match found {
            Found::Hot(position) => {
                debug_assert!(!waits, "a hot key has no effects that wait");
                self.state = State::Hot;
                self.at = Some((position, shard.epoch));
                return Ok(());
            }
            Found::Cold(candidates) => candidates,
        };
        let mut verified = None;
        let before = reads.len();
        for (position, address) in candidates {
            let place = store.volume.place(address);
            let page = faults.get(address).filter(|page| page.place == place);
            let Some(page) = page else {
                reads.push(ReadRequest { address, place });
                continue;
            };
            let record = page.find(self.database, self.key).map_err(damaged)?;
            if let Some(record) = record {
                if !missing_parts(store, &record, faults, reads) {
                    verified = Some((position, address, record));
                }
                break;
            }
        }
        if verified.is_none() && reads.len() > before {
            return Ok(());
        }
        // Found or not, what was still to be read for this key is not needed.
        reads.truncate(before);
        if waits {
            return self.apply_pending(store, shard, faults, verified);
        }
        if let Some((position, address, record)) = verified {
            note_parts(store, address, &record, faults);
            self.state = State::Cold(Box::new(Cold {
                address,
                bytes: record.encoded_bytes() as u32,
                value: store.decode(&record, faults)?,
                expiry: record.expiry,
            }));
            self.at = Some((position, shard.epoch));
        }
        Ok(())
    }

    /// Applies the effects that wait on the key: it becomes hot or absent.
    fn apply_pending(
        &mut self,
        store: &Store,
        shard: &mut Shard,
        faults: &FaultSet,
        base: Option<(Position, Address, TierRecord<'_>)>,
    ) -> Result<(), Fault> {
        let name = KeyRef {
            database: self.database,
            key: self.key,
        };
        let decoded = match &base {
            Some((_, _, record)) => Some((store.decode(record, faults)?, record.expiry)),
            None => None,
        };
        let lsn = base.as_ref().map(|(_, _, record)| record.lsn);
        let effects = shard.pending.take(name, lsn);
        let mut state = decoded;
        for waiting in &effects {
            let effect = waiting.effect().map_err(|error| error.to_string());
            match effect.and_then(|effect| replay(&store.limits(), state, &effect)) {
                Ok(next) => state = next,
                Err(reason) => {
                    // Without them the key would be what it was before them.
                    shard.pending.put_back(name, effects);
                    return Err(Fault::Damaged(reason));
                }
            }
        }
        let position = base.as_ref().map(|(position, ..)| *position);
        let (table, objects) = shard.table_or_new(self.database, store.seed);
        match (state, position) {
            (None, None) => {}
            (None, Some(position)) => {
                table.remove(position);
                shard.epoch += 1;
            }
            (Some((value, expiry)), position) => {
                let (form, bytes) = objects.keep(value);
                let parts = RecordParts {
                    expiry,
                    ..RecordParts::new(form, self.key, &bytes)
                };
                match position {
                    Some(position) => table.replace(position, self.hash, &parts),
                    None => {
                        table.insert(self.hash, &parts);
                        shard.epoch += 1;
                    }
                }
                self.state = State::Hot;
            }
        }
        if let Some((_, address, record)) = base {
            note_parts(store, address, &record, faults);
            store
                .volume
                .record_died(address, record.encoded_bytes() as u64);
        }
        shard.changed.insert(self.hash);
        store.recount(shard);
        Ok(())
    }
}

pub(crate) type Valued = Option<(Value, Option<UnixMillis>)>;

/// The value and expiry after `effect`, as the live path would leave them.
pub(crate) fn replay(
    limits: &Limits,
    state: Valued,
    effect: &Effect<'_>,
) -> Result<Valued, String> {
    match effect {
        Effect::Put {
            form,
            value,
            expiry,
            ..
        } => {
            let form = Form::from_u8(*form).map_err(|error| error.to_string())?;
            let value = Value::deserialize(form, value).map_err(|error| error.to_string())?;
            Ok(Some((value, *expiry)))
        }
        Effect::Delete { .. } | Effect::Databases(_) => Ok(None),
        Effect::Expire { expiry, .. } => Ok(state.map(|(value, _)| (value, *expiry))),
        Effect::Update { update, .. } => {
            let (value, expiry) = match state {
                Some((value, expiry)) => (Some(value), expiry),
                None => (None, None),
            };
            let update = Update::decode(update).map_err(|error| error.to_string())?;
            let value = thermocline_types::apply(value, &update, limits)
                .map_err(|error| error.to_string())?;
            Ok(Some((value, expiry)))
        }
    }
}

fn damaged(error: impl std::fmt::Display) -> Fault {
    Fault::Damaged(error.to_string())
}

thread_local! {
    static DECOMPRESSOR: RefCell<Option<(u64, crate::tier::Decompressor)>> = const { RefCell::new(None) };
}

/// Asks for the parts of a long value that were not read yet; whether any
/// were missing.
fn missing_parts(
    store: &Store,
    head: &TierRecord<'_>,
    faults: &FaultSet,
    reads: &mut SmallVec<[ReadRequest; 2]>,
) -> bool {
    let before = reads.len();
    for address in head.parts() {
        let place = store.volume.place(address);
        if faults.get(address).is_none_or(|page| page.place != place) {
            reads.push(ReadRequest { address, place });
        }
    }
    reads.len() > before
}

/// Tells the volume where the parts of a long value are, so that they die with
/// their head.
fn note_parts(store: &Store, address: Address, head: &TierRecord<'_>, faults: &FaultSet) {
    if head.extent != Extent::Head {
        return;
    }
    let parts = head.parts().map(|part| {
        let bytes = faults.get(part).map_or(0, |page| page.bytes.len());
        (part, u32::try_from(bytes).unwrap_or(u32::MAX))
    });
    store.volume.note_parts(address, parts.collect());
}

/// Puts the parts of a long value together.
fn join_parts(head: &TierRecord<'_>, faults: &FaultSet) -> Result<Vec<u8>, Fault> {
    let mut stored = Vec::new();
    for address in head.parts() {
        let page = faults
            .get(address)
            .ok_or_else(|| damaged("a part was not read"))?;
        let records = page.records().map_err(damaged)?;
        match records.as_slice() {
            [part]
                if part.extent == Extent::Part
                    && part.database == head.database
                    && part.key == head.key =>
            {
                stored.extend_from_slice(part.value.stored());
            }
            _ => return Err(damaged("a part of a value is not where its head says")),
        }
    }
    Ok(stored)
}

impl Store {
    /// The value of a tier record, trusting nothing about it; the parts of a
    /// long one are in `faults`.
    pub(crate) fn decode(
        &self,
        record: &TierRecord<'_>,
        faults: &FaultSet,
    ) -> Result<Value, Fault> {
        let form = Form::from_u8(record.form).map_err(damaged)?;
        let joined;
        let value = match record.extent {
            Extent::Whole => record.value,
            Extent::Head => {
                joined = join_parts(record, faults)?;
                record.value.with_stored(&joined)
            }
            Extent::Part => return Err(damaged("a part of a value stands for its key")),
        };
        if let StoredValue::Raw(bytes) = value {
            return Value::deserialize(form, bytes).map_err(damaged);
        }
        DECOMPRESSOR.with_borrow_mut(|slot| {
            let epoch = self.dictionary_epoch();
            let stale = slot.as_ref().is_none_or(|(known, _)| *known != epoch);
            if stale {
                let loaded = crate::tier::Decompressor::new(&self.dictionaries());
                *slot = Some((epoch, loaded.map_err(damaged)?));
            }
            let Some((_, decompressor)) = slot else {
                return Err(damaged("no decompressor"));
            };
            let bytes = decompressor.decompress(value).map_err(damaged)?;
            Value::from_serialized(form, bytes).map_err(damaged)
        })
    }
}
