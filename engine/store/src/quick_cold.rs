//! The short road of one plain string on the tier: name its page, or read it from there.
//!
//! Owns nothing: it does what an [`Access`](crate::Access) to that key does, without the
//! lists an access keeps for several keys, and without a value of its own: the bytes go
//! from the page to whoever wants them. It takes only what [`Store::read_quick`] found
//! unclear, and of that only whole strings that neither have expired nor come up now; the
//! rest is left to an access: `None`, and nothing was changed then. Does no I/O. Any thread.

use crate::access::{Entry, KeyName};
use crate::fault::{Fault, FaultSet, ReadRequest};
use crate::index::table::Found;
use crate::quick::Held;
use crate::resolve::damaged;
use crate::store::Store;
use crate::tier::{EAGER_MAX_BYTES, Extent, StoredValue, TierRecord};
use smallvec::SmallVec;
use std::cell::RefCell;
use thermocline_base::{Lsn, UnixMillis};
use thermocline_types::{Form, ValueRef};

thread_local! {
    /// Where values are decompressed, at most [`EAGER_MAX_BYTES`].
    static VALUE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Store {
    /// Calls `show` with the string that the key holds on the tier, if its page is in
    /// `faults`: a use of the key, as [`Access::get`](crate::Access::get) is. The position
    /// up to which the log has to be durable before what was seen may be told; or which
    /// pages must be read first, or what is damaged.
    pub fn read_quick_cold(
        &self,
        name: KeyName<'_>,
        now: UnixMillis,
        faults: &FaultSet,
        show: impl FnOnce(Entry<'_>),
    ) -> Option<Result<Lsn, Fault>> {
        let mut held = self.hold(name)?;
        let Found::Cold(candidates) = held.find(name) else {
            return None;
        };
        let mut reads: SmallVec<[ReadRequest; 2]> = SmallVec::new();
        for (position, address) in candidates {
            let place = self.volume.place(address);
            let page = faults.get(address).filter(|page| page.place == place);
            let Some(page) = page else {
                reads.push(ReadRequest { address, place });
                continue;
            };
            let record = match page.find(held.database, name.key) {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                Err(corruption) => return Some(Err(damaged(corruption))),
            };
            let form = plain_form(&record, now)?;
            let table = held.shard.table_mut(held.database)?;
            if table.slot(position).frequency() > 0 && self.may_promote() {
                return None;
            }
            let shown = self.show_string(&record, form, show);
            if let Err(fault) = shown {
                return Some(Err(fault));
            }
            table.set_frequency(position, 1);
            held.shard.counters.hits += 1;
            return Some(Ok(held.shard.last_lsn));
        }
        (!reads.is_empty()).then_some(Err(Fault::Reads(reads)))
    }

    /// Adds to `wanted` the pages that a read of the key would want beyond `faults`, as far
    /// as one look at the index tells. Whether it tells.
    pub fn wants_quick(
        &self,
        name: KeyName<'_>,
        faults: &FaultSet,
        wanted: &mut Vec<ReadRequest>,
    ) -> bool {
        let Some(held) = self.hold(name) else {
            return false;
        };
        let Found::Cold(candidates) = held.find(name) else {
            return true;
        };
        let before = wanted.len();
        for (_, address) in candidates {
            let place = self.volume.place(address);
            let request = ReadRequest { address, place };
            if faults.holds(&request) {
                // Whether it is the key, and whole, is not looked at here.
                wanted.truncate(before);
                return false;
            }
            wanted.push(request);
        }
        true
    }

    fn show_string(
        &self,
        record: &TierRecord<'_>,
        form: Form,
        show: impl FnOnce(Entry<'_>),
    ) -> Result<(), Fault> {
        let expiry = record.expiry;
        if let StoredValue::Raw(bytes) = record.value {
            let value = ValueRef::Inline { form, bytes };
            show(Entry { value, expiry });
            return Ok(());
        }
        VALUE.with_borrow_mut(|room| {
            let bytes = self.with_decompressor(|decompressor| {
                decompressor
                    .decompress_into(record.value, room)
                    .map_err(damaged)
            })?;
            let value = ValueRef::Inline { form, bytes };
            show(Entry { value, expiry });
            Ok(())
        })
    }
}

impl Held<'_> {
    fn find(&self, name: KeyName<'_>) -> Found {
        let table = self.shard.table(self.database);
        table.map_or_else(
            || Found::Cold(SmallVec::new()),
            |table| table.find(self.hash, name.key),
        )
    }
}

/// The form of a string that can be shown as it stands, if the record is one.
fn plain_form(record: &TierRecord<'_>, now: UnixMillis) -> Option<Form> {
    let raw_bytes = match record.value {
        StoredValue::Raw(bytes) => bytes.len() as u64,
        StoredValue::Compressed { raw_bytes, .. } => raw_bytes,
    };
    let is_plain = record.extent == Extent::Whole
        && raw_bytes <= EAGER_MAX_BYTES
        && record.expiry.is_none_or(|expiry| expiry >= now);
    let form = Form::from_u8(record.form).ok().filter(|_| is_plain)?;
    matches!(form, Form::StringBytes | Form::StringRaw).then_some(form)
}
