//! The short road of one plain key: read it, or set its string, under its shard's lock.
//!
//! Owns nothing: it does what an [`Access`](crate::Access) to that key does, without the
//! lists an access keeps for several keys. It takes only keys about which one look at the
//! index tells all; whatever else there is to do, such as a read of the tier, an expiry to
//! be logged, an effect that waits since the start, or someone to be told, is left to an
//! access: `None`, and nothing was changed then. Does not wait for the disk, and does no I/O. Any thread.
//!
//! INVARIANT: as in `access`, a change is applied under its shard's lock, and its frame is
//! appended before that lock is let go.

use crate::access::{self, Entry, KEY_BYTES_MAX, KeyName};
use crate::effect::{Effect, KeyRef};
use crate::index::table::Look;
use crate::objects::OBJECT_FORM;
use crate::record::RecordParts;
use crate::shard::Shard;
use crate::store::Store;
use parking_lot::MutexGuard;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::{DatabaseId, KeyHash, Lsn, UnixMillis};
use thermocline_types::Form;
use thermocline_types::value::STRING_INLINE_MAX_BYTES;

/// A key's shard, locked, and where to look in it.
pub(crate) struct Held<'s> {
    pub(crate) shard: MutexGuard<'s, Shard>,
    pub(crate) database: DatabaseId,
    pub(crate) hash: KeyHash,
}

impl Store {
    /// Calls `show` with what the key holds, `None` if it is not there: a use of the key,
    /// as [`Access::get`](crate::Access::get) is, or no more than a look that counts, as
    /// [`Access::count_look`](crate::Access::count_look) is. The position up to which the
    /// log has to be durable before what was seen may be told.
    pub fn read_quick(
        &self,
        name: KeyName<'_>,
        now: UnixMillis,
        is_use: bool,
        show: impl FnOnce(Option<Entry<'_>>),
    ) -> Option<Lsn> {
        let mut held = self.hold(name)?;
        let shard = &mut *held.shard;
        let Some((table, objects)) = shard.table_and_objects(held.database) else {
            shard.counters.misses += 1;
            show(None);
            return Some(shard.last_lsn);
        };
        match table.look(held.hash, name.key) {
            Look::Unclear => return None,
            Look::Absent => {
                shard.counters.misses += 1;
                show(None);
            }
            Look::Hot(position) => {
                let record = if is_use {
                    table.use_record(position)?
                } else {
                    table.record(position)?
                };
                let parts = record.parts();
                let expiry = parts.expiry;
                if expiry.is_some_and(|expiry| expiry < now) {
                    return None;
                }
                show(Some(Entry {
                    value: objects.value(&parts),
                    expiry,
                }));
                shard.counters.hits += 1;
            }
        }
        Some(shard.last_lsn)
    }

    /// The key holds this string and does not expire, whatever it held; as
    /// [`Access::put_string`](crate::Access::put_string). The position up to which the log
    /// has to be durable before that may be told.
    pub fn set_quick(&self, name: KeyName<'_>, now: UnixMillis, value: &[u8]) -> Option<Lsn> {
        const FORM: u8 = Form::StringBytes as u8;
        if value.len() > STRING_INLINE_MAX_BYTES {
            return None;
        }
        let mut held = self.hold(name)?;
        let shard = &mut *held.shard;
        let (table, objects) = shard.table_or_new(held.database, self.seed);
        let parts = RecordParts::new(FORM, name.key, value);
        let mut death = None;
        let is_counted;
        match table.look(held.hash, name.key) {
            Look::Unclear => return None,
            Look::Absent => {
                table.insert(held.hash, &parts);
                shard.epoch += 1;
                is_counted = false;
            }
            Look::Hot(position) => {
                let old = table.record(position)?.parts();
                if old.form == OBJECT_FORM || old.expiry.is_some_and(|expiry| expiry < now) {
                    return None;
                }
                if let Some(address) = old.address {
                    death = Some((address, self.copy_bytes_hint(address, &old, objects)));
                }
                let before_bytes = table.record_bytes();
                table.replace(position, held.hash, &parts);
                is_counted = table.record_bytes() == before_bytes;
            }
        }
        if self.log.is_kept() {
            let effect = Effect::Put {
                key: KeyRef {
                    database: held.database,
                    key: name.key,
                },
                form: FORM,
                value,
                expiry: None,
            };
            shard.last_lsn = access::with_effects(|effects| {
                effect.encode_into(effects);
                self.log.append(effects)
            });
        }
        if !is_planted(Bug::StalePiece) {
            shard.changed.insert(held.hash);
        }
        shard.watchers.touch(held.database, name.key);
        self.note_change();
        if !is_counted {
            self.recount(shard);
        }
        let seen = shard.last_lsn;
        drop(held);
        if let Some((address, bytes)) = death {
            self.volume.record_died(address, u64::from(bytes));
        }
        Some(seen)
    }

    /// Locks the key's shard, unless something there may wait for the key.
    pub(crate) fn hold(&self, name: KeyName<'_>) -> Option<Held<'_>> {
        if name.key.len() > KEY_BYTES_MAX {
            return None;
        }
        let database = self.identity(name.database);
        let hash = self.seed.hash(database, name.key);
        let shard = self.shards[hash.shard().index()].lock();
        // A flush or a swap changes the identities under all locks: with one held they stay.
        let is_plain = self.identity(name.database) == database
            && shard.has_come_up(hash)
            && shard.damage.is_none()
            && shard.queues.is_empty()
            && self.observed.is_idle();
        is_plain.then_some(Held {
            shard,
            database,
            hash,
        })
    }
}
