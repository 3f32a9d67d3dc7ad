//! Effects of the log's tail for the offline tool, which has memory for all of them:
//! each waits on its key until the walk comes to it.
//!
//! Owns the waiting effects and the rule which of them count. Does not read
//! the log, load records or apply anything. One table for each shard.
//!
//! INVARIANT: the effects of a key are in the order of the log, and a put or
//! delete is only ever the first: whatever came before it is dropped when it
//! arrives, because no state before it can be seen any more.
//!
//! Which effects count, given the record that the checkpoint's image names:
//!
//! - a list that begins with a put or a delete replaces the record, whatever
//!   its LSN: every later effect on the key is in the list too;
//! - otherwise an effect counts exactly if its frame starts at or above the
//!   record's LSN, which is exclusive: the record contains all frames that
//!   start below it;
//! - otherwise, without a record, all count, from nothing: the key was born
//!   after the checkpoint began.

use crate::effect::{Effect, KeyRef};
use hashbrown::{Equivalent, HashMap};
use thermocline_base::codec::{CodecError, Reader};
use thermocline_base::{DatabaseId, Lsn};

/// What one waiting effect takes beside its bytes, in bytes.
const EFFECT_OVERHEAD_BYTES: usize = size_of::<PendingEffect>();
/// What one key with waiting effects takes beside its bytes, in bytes.
const KEY_OVERHEAD_BYTES: usize = size_of::<Key>() + size_of::<Vec<PendingEffect>>();

type Key = (DatabaseId, Box<[u8]>);

/// Looks a key up without owning it: the fields hash as the tuple's do.
impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.database == key.0 && self.key == &*key.1
    }
}

/// An effect that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEffect {
    /// Where its frame starts in the log.
    pub frame_start: Lsn,
    bytes: Box<[u8]>,
}

impl PendingEffect {
    /// The effect itself.
    ///
    /// # Errors
    /// None in practice: the bytes are our own encoding. Given instead of a
    /// panic.
    pub fn effect(&self) -> Result<Effect<'_>, CodecError> {
        Effect::decode(&mut Reader::new(&self.bytes))
    }
}

/// The waiting effects of one shard.
#[derive(Debug, Default)]
pub struct Pending {
    keys: HashMap<Key, Vec<PendingEffect>>,
    bytes: usize,
}

impl Pending {
    /// How many keys have waiting effects.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// What the table holds of memory, in bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// Adds `effect` of the frame that starts at `frame_start`. Effects on the
    /// map of databases belong to no key and are not kept here.
    pub fn push(&mut self, frame_start: Lsn, effect: &Effect<'_>) {
        let Some(key) = effect.key() else { return };
        let mut encoded = Vec::new();
        effect.encode_into(&mut encoded);
        let owned: Key = (key.database, key.key.into());
        let list = match self.keys.entry(owned) {
            hashbrown::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            hashbrown::hash_map::Entry::Vacant(entry) => {
                self.bytes += key_bytes(key);
                entry.insert(Vec::new())
            }
        };
        if effect.replaces_key() {
            self.bytes -= list.drain(..).map(|old| effect_bytes(&old)).sum::<usize>();
        }
        let added = PendingEffect {
            frame_start,
            bytes: encoded.into_boxed_slice(),
        };
        self.bytes += effect_bytes(&added);
        list.push(added);
    }

    /// Whether `key` has waiting effects.
    #[must_use]
    pub fn contains(&self, key: KeyRef<'_>) -> bool {
        !self.keys.is_empty() && self.keys.contains_key(&key)
    }

    /// Takes the effects of `key` that count, in order, given the LSN of the
    /// record that the image names, if it names one.
    pub fn take(&mut self, key: KeyRef<'_>, record_lsn: Option<Lsn>) -> Vec<PendingEffect> {
        let Some(mut list) = self.keys.remove(&key) else {
            return Vec::new();
        };
        self.bytes -= key_bytes(key) + list.iter().map(effect_bytes).sum::<usize>();
        let replaces = list
            .first()
            .and_then(|first| first.effect().ok())
            .is_some_and(|effect| effect.replaces_key());
        if let (false, Some(lsn)) = (replaces, record_lsn) {
            list.retain(|effect| effect.frame_start >= lsn);
        }
        list
    }

    /// At most `most` keys with waiting effects, for the background; in order, so
    /// that what follows from few of them does not depend on the table.
    #[must_use]
    pub fn some_keys(&self, most: usize) -> Vec<(DatabaseId, Box<[u8]>)> {
        let mut keys: Vec<_> = self.keys.keys().take(most).cloned().collect();
        keys.sort_unstable();
        keys
    }

    /// Drops the effects on databases that `lives` does not know: a flush made
    /// them void.
    pub fn retain_databases(&mut self, lives: impl Fn(DatabaseId) -> bool) {
        self.retain(|database, _| lives(database));
    }

    /// Drops the effects on keys that `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(DatabaseId, &[u8]) -> bool) {
        let bytes = &mut self.bytes;
        self.keys.retain(|(database, key), list| {
            let keep = keep(*database, key);
            if !keep {
                let key = KeyRef {
                    database: *database,
                    key,
                };
                *bytes -= key_bytes(key) + list.iter().map(effect_bytes).sum::<usize>();
            }
            keep
        });
    }
}

fn key_bytes(key: KeyRef<'_>) -> usize {
    key.key.len() + KEY_OVERHEAD_BYTES
}

fn effect_bytes(effect: &PendingEffect) -> usize {
    effect.bytes.len() + EFFECT_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: KeyRef<'static> = KeyRef {
        database: DatabaseId(7),
        key: b"key",
    };

    fn update(body: &'static [u8]) -> Effect<'static> {
        Effect::Update {
            key: KEY,
            update: body,
        }
    }

    const PUT: Effect<'static> = Effect::Put {
        key: KEY,
        form: 0,
        value: b"value",
        expiry: None,
    };

    fn table(effects: &[(u64, Effect<'static>)]) -> Pending {
        let mut pending = Pending::default();
        for (start, effect) in effects {
            pending.push(Lsn(*start), effect);
        }
        pending
    }

    fn starts(effects: &[PendingEffect]) -> Vec<u64> {
        effects.iter().map(|effect| effect.frame_start.0).collect()
    }

    #[test]
    fn updates_below_the_records_lsn_are_in_it_already() {
        let mut pending = table(&[(8, update(b"a")), (16, update(b"b")), (24, update(b"c"))]);
        assert_eq!(starts(&pending.take(KEY, Some(Lsn(16)))), [16, 24]);
    }

    #[test]
    fn a_put_replaces_the_record_whatever_its_lsn() {
        let mut pending = table(&[(8, update(b"a")), (16, PUT), (24, update(b"c"))]);
        assert_eq!(starts(&pending.take(KEY, Some(Lsn(99)))), [16, 24]);
        let mut pending = table(&[(8, PUT), (16, Effect::Delete { key: KEY })]);
        assert_eq!(starts(&pending.take(KEY, Some(Lsn(99)))), [16]);
    }

    #[test]
    fn a_key_without_a_record_replays_from_nothing() {
        let mut pending = table(&[(8, update(b"a")), (16, update(b"b"))]);
        assert_eq!(starts(&pending.take(KEY, None)), [8, 16]);
    }

    #[test]
    fn effects_read_back_and_are_taken_once() {
        let mut pending = table(&[(8, PUT)]);
        assert!(pending.contains(KEY));
        let keys = pending.some_keys(9);
        assert_eq!(keys, [(KEY.database, Box::from(KEY.key))]);
        let taken = pending.take(KEY, None);
        assert_eq!(taken[0].effect(), Ok(PUT));
        assert!(!pending.contains(KEY));
        assert!(pending.take(KEY, None).is_empty());
    }

    #[test]
    fn memory_returns_to_nothing() {
        let mut pending = table(&[(8, update(b"a")), (16, PUT), (24, update(b"c"))]);
        assert!(pending.memory_bytes() > 0);
        pending.take(KEY, None);
        assert_eq!((pending.memory_bytes(), pending.key_count()), (0, 0));

        let mut pending = table(&[(8, update(b"a"))]);
        pending.retain_databases(|database| database == DatabaseId(7));
        assert_eq!(pending.key_count(), 1);
        pending.retain_databases(|_| false);
        assert_eq!((pending.memory_bytes(), pending.key_count()), (0, 0));
    }

    #[test]
    fn a_change_of_the_map_waits_on_no_key() {
        let map = crate::effect::DatabaseMap {
            identities: std::array::from_fn(|number| DatabaseId(number as u32)),
            next: DatabaseId(16),
        };
        assert_eq!(table(&[(8, Effect::Databases(map))]).key_count(), 0);
    }
}
