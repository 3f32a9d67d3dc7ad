//! From a name to the key: is it in memory, on the tier, or nowhere?
//!
//! Owns the lookup of one key of an access, its verification against pages
//! read, and what an effect of the log does to a value. Does not read. Under the
//! shard's lock, any thread.

use crate::address::Address;
use crate::effect::Effect;
use crate::fault::{Decoded, DecodedValue, Fault, FaultSet, LongValue, ReadRequest};
use crate::index::{Found, Position};
use crate::shard::Shard;
use crate::store::Store;
use crate::tier::{Extent, StoredValue, TierRecord};
use smallvec::SmallVec;
use std::cell::RefCell;
use thermocline_base::{DatabaseId, KeyHash, UnixMillis};
use thermocline_types::{Form, Limits, Update, Value};

/// A key's value as it was read from the tier, verified.
#[derive(Debug)]
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
        shard: &Shard,
        faults: &FaultSet,
        reads: &mut SmallVec<[ReadRequest; 2]>,
        longs: &mut Vec<LongValue>,
    ) -> Result<(), Fault> {
        self.state = State::Absent;
        self.at = None;
        let found = match shard.table(self.database) {
            Some(table) => table.find(self.hash, self.key),
            None => Found::Cold(SmallVec::new()),
        };
        let candidates = match found {
            Found::Hot(position) => {
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
            let is_long = page.bytes.len() > LONG_BYTES;
            let record = if is_long {
                None
            } else {
                page.find(self.database, self.key).map_err(damaged)?
            };
            if let Some(record) = &record {
                if missing_parts(store, record, faults, reads) {
                    break;
                }
                if record.extent != Extent::Head {
                    verified = Some((position, Cold::decode(store, address, record, faults)?));
                    break;
                }
            } else if !is_long {
                continue;
            }
            let known = faults.decoded(self.database, self.key, address, place);
            if let Some(Decoded::Parts(parts)) = &known
                && missing_of(store, parts.iter().copied(), faults, reads)
            {
                break;
            }
            match known {
                None | Some(Decoded::Parts(_)) => longs.push(LongValue {
                    database: self.database,
                    key: self.key.into(),
                    address,
                    place,
                }),
                Some(Decoded::OtherKey) => {}
                Some(Decoded::Value(cold, parts)) => {
                    if let Some(parts) = parts {
                        store.volume.note_parts(address, parts);
                    }
                    verified = Some((position, *cold));
                    break;
                }
            }
        }
        if verified.is_none() && reads.len() > before {
            return Ok(());
        }
        // Found or not, what was still to be read for this key is not needed.
        reads.truncate(before);
        if let Some((position, cold)) = verified {
            self.state = State::Cold(Box::new(cold));
            self.at = Some((position, shard.epoch));
        }
        Ok(())
    }
}

impl Cold {
    /// The same, whose value is a capture.
    pub(crate) fn capture(&self) -> Self {
        Self {
            value: self.value.as_ref().capture(),
            ..*self
        }
    }

    fn decode(
        store: &Store,
        address: Address,
        record: &TierRecord<'_>,
        faults: &FaultSet,
    ) -> Result<Self, Fault> {
        Ok(Self {
            address,
            bytes: record.encoded_bytes() as u32,
            value: store.decode(record, faults)?,
            expiry: record.expiry,
        })
    }
}

/// What is read of a value longer than this is looked at without its shard's lock, bytes.
const LONG_BYTES: usize = 32 << 10;

impl Store {
    /// Checks and decodes a long value whose pages are in `pages`; `None` if they are not.
    /// It takes a millisecond a few hundred kilobytes, and so belongs on a thread that
    /// serves nobody else.
    ///
    /// # Errors
    /// [`Fault::Damaged`] if the pages are not what was written.
    pub fn decode_long(
        &self,
        long: LongValue,
        pages: &FaultSet,
    ) -> Result<Option<DecodedValue>, Fault> {
        let page = pages.get(long.address);
        let Some(page) = page.filter(|page| page.place == long.place) else {
            return Ok(None);
        };
        let Some(record) = page.find(long.database, &long.key).map_err(damaged)? else {
            let value = Decoded::OtherKey;
            return Ok(Some(DecodedValue { long, value }));
        };
        let is_there = |part: &Address| pages.get(*part).is_some();
        let value = if record.parts().all(|part| is_there(&part)) {
            let cold = Cold::decode(self, long.address, &record, pages)?;
            Decoded::Value(Box::new(cold), parts_of(&record, pages))
        } else {
            Decoded::Parts(record.parts().collect())
        };
        Ok(Some(DecodedValue { long, value }))
    }

    /// As [`Store::decode_long`] for all of them, into `faults`: for threads that may take
    /// their time.
    ///
    /// # Errors
    /// As [`Store::decode_long`].
    pub fn decode_all(&self, longs: Vec<LongValue>, faults: &mut FaultSet) -> Result<(), Fault> {
        for long in longs {
            if let Some(decoded) = self.decode_long(long, faults)? {
                faults.insert_decoded(decoded);
            }
        }
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

pub(crate) fn damaged(error: impl std::fmt::Display) -> Fault {
    Fault::Damaged(error.to_string())
}

thread_local! {
    static DECOMPRESSOR: RefCell<Option<(u64, crate::tier::Decompressor)>> = const { RefCell::new(None) };
}

/// Asks for the parts of a long value that were not read yet; whether any
/// were missing.
pub(crate) fn missing_parts(
    store: &Store,
    head: &TierRecord<'_>,
    faults: &FaultSet,
    reads: &mut SmallVec<[ReadRequest; 2]>,
) -> bool {
    missing_of(store, head.parts(), faults, reads)
}

fn missing_of(
    store: &Store,
    parts: impl Iterator<Item = Address>,
    faults: &FaultSet,
    reads: &mut SmallVec<[ReadRequest; 2]>,
) -> bool {
    let before = reads.len();
    for address in parts {
        let place = store.volume.place(address);
        if faults.get(address).is_none_or(|page| page.place != place) {
            reads.push(ReadRequest { address, place });
        }
    }
    reads.len() > before
}

/// Tells the volume where the parts of a long value are, so that they die with
/// their head.
pub(crate) fn note_parts(
    store: &Store,
    address: Address,
    head: &TierRecord<'_>,
    faults: &FaultSet,
) {
    if let Some(parts) = parts_of(head, faults) {
        store.volume.note_parts(address, parts);
    }
}

/// Where the parts of a long value are and how long each is, bytes.
fn parts_of(head: &TierRecord<'_>, faults: &FaultSet) -> Option<Vec<(Address, u32)>> {
    let parts = head.parts().map(|part| {
        let bytes = faults.get(part).map_or(0, |page| page.bytes.len());
        (part, u32::try_from(bytes).unwrap_or(u32::MAX))
    });
    (head.extent == Extent::Head).then(|| parts.collect())
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
        self.with_decompressor(|decompressor| {
            let bytes = decompressor.decompress(value).map_err(damaged)?;
            Value::from_serialized(form, bytes).map_err(damaged)
        })
    }

    /// Calls `run` with this thread's decompressor, which knows all dictionaries.
    pub(crate) fn with_decompressor<R>(
        &self,
        run: impl FnOnce(&mut crate::tier::Decompressor) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
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
            run(decompressor)
        })
    }
}
