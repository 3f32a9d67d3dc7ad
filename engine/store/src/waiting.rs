//! Who waits for which key, and which waited keys have changed.
//!
//! Owns the queue of tickets at each waited key of a shard and the store's list
//! of ready keys. Does not know what a ticket stands for, nor when it is served:
//! the executor of commands does. The queues are under their shard's lock, the
//! list has a lock of its own; any thread.
//!
//! INVARIANT: a ticket joins a queue under the lock under which its key was found
//! wanting, and a key becomes ready before the lock is let go under which it
//! changed. So no change is missed.

use crate::access::KeyName;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use thermocline_base::DatabaseId;
use tokio::sync::Notify;

/// Who waits: the lower of two came first.
pub type Ticket = u64;

/// A waited key that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyKey {
    /// The number of its database.
    pub database: u8,
    /// The key.
    pub key: Box<[u8]>,
    /// Only tickets above this one are concerned.
    pub after: Ticket,
}

impl ReadyKey {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> KeyName<'_> {
        KeyName {
            database: self.database,
            key: &self.key,
        }
    }
}

/// Those who wait for one key, and whether each also wants to know when the key
/// is gone.
#[derive(Default)]
pub(crate) struct Queue(BTreeMap<Ticket, bool>);

/// A key and those who wait for it.
pub(crate) type Waited = (Box<[u8]>, Queue);

/// The queues of a shard.
#[derive(Default)]
pub(crate) struct Queues(HashMap<(DatabaseId, Box<[u8]>), Queue>);

impl Queues {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_waited(&self, database: DatabaseId, key: &[u8]) -> bool {
        !self.0.is_empty() && self.0.contains_key(&(database, key.into()))
    }

    pub(crate) fn add(
        &mut self,
        database: DatabaseId,
        key: &[u8],
        ticket: Ticket,
        wants_absence: bool,
    ) {
        let queue = self.0.entry((database, key.into())).or_default();
        queue.0.insert(ticket, wants_absence);
    }

    pub(crate) fn remove(&mut self, database: DatabaseId, key: &[u8], ticket: Ticket) {
        let owned = (database, key.into());
        if let Some(queue) = self.0.get_mut(&owned) {
            queue.0.remove(&ticket);
            if queue.0.is_empty() {
                self.0.remove(&owned);
            }
        }
    }

    /// The first ticket above `after`; of those who want to know of the key's
    /// absence if `absent`.
    pub(crate) fn next(
        &self,
        database: DatabaseId,
        key: &[u8],
        after: Ticket,
        absent: bool,
    ) -> Option<Ticket> {
        let queue = self.0.get(&(database, key.into()))?;
        let mut behind = queue.0.range((Bound::Excluded(after), Bound::Unbounded));
        let found = behind.find(|(_, wants_absence)| !absent || **wants_absence);
        found.map(|(ticket, _)| *ticket)
    }

    /// Takes the queues of a database.
    pub(crate) fn take(&mut self, database: DatabaseId) -> Vec<Waited> {
        let taken = self.0.extract_if(|(of, _), _| *of == database);
        taken.map(|((_, key), queue)| (key, queue)).collect()
    }

    /// Puts a queue where none is.
    pub(crate) fn put(&mut self, database: DatabaseId, (key, queue): Waited) {
        self.0.insert((database, key), queue);
    }
}

/// The ready keys of a store.
#[derive(Default)]
pub(crate) struct Ready {
    keys: Mutex<VecDeque<ReadyKey>>,
    /// Whether there may be any: the cheap question after every command. It stays set while
    /// the last one is being served.
    some: AtomicBool,
    /// Told when a key became ready without a command.
    pub(crate) told: Notify,
}

impl Ready {
    pub(crate) fn push(&self, key: ReadyKey) {
        let mut keys = self.keys.lock();
        keys.push_back(key);
        // ORDERING: under the lock of the list, as its clearing is.
        self.some.store(true, Ordering::Release);
    }

    pub(crate) fn is_some(&self) -> bool {
        self.some.load(Ordering::Acquire)
    }

    pub(crate) fn pop(&self) -> Option<ReadyKey> {
        let mut keys = self.keys.lock();
        let key = keys.pop_front();
        if key.is_none() {
            self.some.store(false, Ordering::Release);
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: DatabaseId = DatabaseId(3);

    #[test]
    fn tickets_leave_a_queue_in_their_order() {
        let mut queues = Queues::default();
        queues.add(DATABASE, b"a", 7, false);
        queues.add(DATABASE, b"a", 5, true);
        queues.add(DATABASE, b"a", 9, true);
        let next = |queues: &Queues, after, absent| queues.next(DATABASE, b"a", after, absent);
        assert_eq!(next(&queues, 0, false), Some(5));
        assert_eq!(next(&queues, 5, false), Some(7));
        assert_eq!(next(&queues, 5, true), Some(9));
        assert_eq!(next(&queues, 9, false), None);
        queues.remove(DATABASE, b"a", 5);
        assert_eq!(next(&queues, 0, false), Some(7));
        queues.remove(DATABASE, b"b", 7);
        queues.remove(DATABASE, b"a", 9);
        assert!(queues.is_waited(DATABASE, b"a"));
        queues.remove(DATABASE, b"a", 7);
        assert!(queues.is_empty() && !queues.is_waited(DATABASE, b"a"));
    }

    #[test]
    fn queues_follow_their_database() {
        let mut queues = Queues::default();
        queues.add(DATABASE, b"a", 1, false);
        queues.add(DatabaseId(4), b"b", 2, false);
        let taken = queues.take(DATABASE);
        assert!(!queues.is_waited(DATABASE, b"a") && queues.is_waited(DatabaseId(4), b"b"));
        for waited in taken {
            queues.put(DatabaseId(5), waited);
        }
        assert_eq!(queues.next(DatabaseId(5), b"a", 0, false), Some(1));
    }

    #[test]
    fn ready_keys_leave_in_their_order() {
        let ready = Ready::default();
        let key = |after| ReadyKey {
            database: 1,
            key: (*b"a").into(),
            after,
        };
        assert!(!ready.is_some());
        ready.push(key(2));
        ready.push(key(1));
        assert_eq!(ready.pop(), Some(key(2)));
        assert!(ready.is_some());
        assert_eq!(ready.pop(), Some(key(1)));
        assert!(ready.is_some() && ready.pop().is_none() && !ready.is_some());
    }
}
