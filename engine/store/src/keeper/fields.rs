//! Expired fields of hashes in memory go without being asked for.
//!
//! Owns the hand that looks for such hashes. The deletion is that of a command:
//! an access to the key, logged as an update. Hashes on the tier keep what has
//! expired, hidden, until they are written. The keeper's thread.

use super::{Hand, Keeper};
use crate::access::KeyName;
use crate::fault::FaultSet;
use crate::observe::EventClass;
use crate::shard::Shard;
use crate::store::Store;
use std::time::Duration;
use thermocline_base::UnixMillis;
use thermocline_types::Update;

/// Time for one round.
const SLICE: Duration = Duration::from_micros(500);
/// The least and the most rest after all keys were met: until the next field
/// expires, as far as one is known. A field that is given an expiry meanwhile ends the rest
/// when its time comes.
const LEAST_REST: Duration = Duration::from_millis(100);
const MOST_REST: Duration = Duration::from_secs(5);
/// Fields deleted under one lock.
const FIELDS: usize = 64;

/// Where the search is.
#[derive(Default)]
pub(super) struct FieldSearch {
    hand: Hand,
    /// Where the hand was after its first step of this time around.
    first: Option<Hand>,
    /// The earliest expiry met this time around that has not passed.
    next_expiry: Option<UnixMillis>,
    rests_until: Duration,
    rests_least_until: Duration,
}

impl Keeper {
    /// Looks around for a short while.
    pub(super) fn expire_fields(&mut self) {
        let store = std::sync::Arc::clone(&self.store);
        let begun = store.clock.monotonic();
        // While nothing may be removed the search does not go on: having met what it has to
        // leave, it would rest for long.
        let is_resting = begun < self.fields.rests_least_until
            || (begun < self.fields.rests_until && store.now() <= store.control.field_expiry());
        if !store.settings.active_expire() || is_resting || !store.may_remove() {
            return;
        }
        if self.fields.first.is_none() {
            store.control.take_field_expiry();
        }
        let mut due = Vec::new();
        loop {
            let now = store.now();
            let search = &mut self.fields;
            let next = &mut search.next_expiry;
            let visited = Self::step(&store, &mut search.hand, |_, shard, table, segment| {
                let earliest = due_hashes(&store, shard, (table, segment), now, &mut due);
                *next = earliest.into_iter().chain(*next).min();
            });
            for (database, key) in due.drain(..) {
                delete_expired(&store, database, &key);
            }
            let is_around = visited.is_none() || search.first == Some(search.hand);
            search.first.get_or_insert(search.hand);
            if is_around {
                let left_ms = search.next_expiry.map_or(i64::MAX, |at| at.0 - now.0);
                let rest = Duration::from_millis(left_ms.max(0).unsigned_abs());
                *search = FieldSearch {
                    hand: search.hand,
                    rests_until: begun + rest.clamp(LEAST_REST, MOST_REST),
                    rests_least_until: begun + LEAST_REST,
                    ..FieldSearch::default()
                };
                return;
            }
            if store.clock.monotonic() >= begun + SLICE {
                return;
            }
        }
    }
}

/// Adds the hashes of one index segment that hold an expired field to `due`;
/// the earliest expiry of the others.
fn due_hashes(
    store: &Store,
    shard: &Shard,
    (table, segment): (usize, usize),
    now: UnixMillis,
    due: &mut Vec<(u8, Vec<u8>)>,
) -> Option<UnixMillis> {
    let table = shard.tables().get(table)?;
    let identities = store.database_map().identities;
    let number = identities.iter().position(|id| *id == table.database())?;
    let mut next = None;
    for (position, _) in table.segment(segment) {
        let Some(record) = table.record(position) else {
            continue;
        };
        let parts = record.parts();
        let Ok(hash) = shard.objects.value(&parts).hash() else {
            continue;
        };
        match hash.earliest_expiry_hint() {
            Some(expiry) if expiry < now => due.push((number as u8, parts.key.to_vec())),
            Some(expiry) => next = Some(next.map_or(expiry, |known: UnixMillis| known.min(expiry))),
            None => {}
        }
    }
    next
}

/// Deletes the fields of a hash that have expired, some at a time.
fn delete_expired(store: &Store, database: u8, key: &[u8]) {
    let names = [KeyName { database, key }];
    let faults = FaultSet::new();
    while store.may_remove() && store.log.failure().is_none() {
        // A key that sank meanwhile is left alone.
        let Ok(mut access) = store.access(&names, &faults) else {
            return;
        };
        let now = access.now();
        let hash = access.peek(0).and_then(|entry| entry.value.hash().ok());
        let fields: Vec<Vec<u8>> = hash
            .map(|hash| hash.expired(now, FIELDS))
            .unwrap_or_default()
            .into_iter()
            .map(<[u8]>::to_vec)
            .collect();
        if fields.is_empty() {
            return;
        }
        let update = Update::HashDelete {
            fields: fields.iter().map(Vec::as_slice).collect(),
        };
        access.notify(EventClass::Hash, "hexpired", database, 0);
        // Of a hash nothing of this can fail.
        let _ = access.update(0, &update);
        if access.peek(0).is_none() {
            access.notify(EventClass::Generic, "del", database, 0);
        }
        access.count_expired_fields(0, fields.len());
        access.commit();
        if fields.len() < FIELDS {
            return;
        }
    }
}
