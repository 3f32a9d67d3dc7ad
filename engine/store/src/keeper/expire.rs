//! Expired keys in memory go without being asked for.
//!
//! Owns the hand that looks for them; fields of hashes are `fields`. Keys on
//! the tier expire when they are met, or with their segment (`clean`): until
//! then they count as keys, in DBSIZE too. The keeper's thread.

use super::{Cause, Keeper};
use crate::shard::Shard;
use crate::store::Store;
use std::time::Duration;

/// Time for one round, when few of the keys met had expired.
const SLICE: Duration = Duration::from_micros(500);
/// Time for one round, when many had.
const LONG_SLICE: Duration = Duration::from_millis(5);
/// The rest after a round around the shards ended without a key that expires.
const REST: Duration = Duration::from_millis(100);
/// "Many": one key met in this many.
const MANY: usize = 10;

impl Keeper {
    /// Looks around for a short while.
    pub(super) fn expire(&mut self) {
        let store = std::sync::Arc::clone(&self.store);
        if !store.settings.active_expire() || !store.may_remove() {
            return;
        }
        let begun = store.clock.monotonic();
        if begun < self.expiry_rests_until {
            return;
        }
        let (mut met, mut expired) = (0, 0);
        // Where the hand was after its first step: there again, it has been
        // around, though all keys be in one shard and the clock stand still.
        let mut first = None;
        loop {
            let visited = Self::step(&store, &mut self.expiry, |_, shard, table, segment| {
                expire_segment(&store, shard, table, segment)
            });
            let (segment_met, segment_expired) = visited.unwrap_or((0, 0));
            met += segment_met;
            expired += segment_expired;
            let is_around = visited.is_none() || first == Some(self.expiry);
            first.get_or_insert(self.expiry);
            if is_around && met == 0 {
                self.expiry_rests_until = begun + REST;
            }
            let limit = if expired * MANY > met {
                LONG_SLICE
            } else {
                SLICE
            };
            if is_around || store.clock.monotonic() >= begun + limit {
                return;
            }
        }
    }
}

/// How many expiring keys were met, and how many of them had expired and went.
fn expire_segment(
    store: &Store,
    shard: &mut Shard,
    table: usize,
    segment: usize,
) -> (usize, usize) {
    let Some(found) = shard.tables().get(table) else {
        return (0, 0);
    };
    if found.expiries().count == 0 {
        return (0, 0);
    }
    let now = store.now();
    let database = found.database();
    let (mut met, mut expired) = (0, 0);
    for (position, _) in found.segment(segment) {
        let expiry = shard
            .table(database)
            .and_then(|table| table.record(position)?.expiry());
        let Some(expiry) = expiry else { continue };
        met += 1;
        if expiry < now && store.may_remove() {
            Keeper::delete_hot(store, shard, database, position, Cause::Expired);
            expired += 1;
        }
    }
    if expired > 0 {
        store.recount(shard);
    }
    (met, expired)
}
