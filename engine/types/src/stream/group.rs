//! Consumer groups: who reads a stream together, and what each was given and has not
//! acknowledged.
//!
//! Owns the pending entries and the consumers, and counts their memory; the share of the maps
//! of consumers is an estimate. Does not look at the stream's entries, so a pending entry may
//! be one that was deleted. Times are absolute. Runs on whichever thread holds the shard, or
//! holds a capture.
//!
//! INVARIANT: an entry that is pending is so for exactly one consumer, which has it too.

use super::StreamId;
use super::ordered::Ordered;
use std::collections::BTreeMap;
use std::sync::Arc;
use thermocline_base::UnixMillis;

/// A group that does not know how many entries it has read.
pub const ENTRIES_READ_UNKNOWN: i64 = -1;
/// What a consumer takes in the map besides itself and its name, about, bytes.
const CONSUMER_BYTES: usize = 48;

/// An entry that was delivered and is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Who has it.
    pub consumer: Arc<[u8]>,
    /// When it was delivered last.
    pub delivered_at: UnixMillis,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// One who reads for a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// When it last tried to read or claim.
    pub seen_at: UnixMillis,
    /// When it last got something; `None`: never.
    pub active_at: Option<UnixMillis>,
    pending: Ordered<()>,
}

impl Consumer {
    /// How many entries are pending for it.
    #[must_use]
    pub const fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The ids pending for it, from `id` on.
    pub fn pending_from(&self, id: StreamId) -> impl Iterator<Item = StreamId> {
        self.pending.starting_at(id).map(|(id, ())| id)
    }

    fn heap_bytes(&self, name: &[u8]) -> usize {
        CONSUMER_BYTES + size_of::<Self>() + name.len() + self.pending.heap_bytes()
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The last entry that was delivered to it.
    pub last_id: StreamId,
    /// How many entries it has read, or [`ENTRIES_READ_UNKNOWN`].
    pub entries_read: i64,
    pending: Ordered<Pending>,
    consumers: Arc<BTreeMap<Arc<[u8]>, Consumer>>,
    consumer_bytes: usize,
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        let numbers = |it: &Self| (it.last_id, it.entries_read);
        numbers(self) == numbers(other)
            && self.pending == other.pending
            && self.consumers == other.consumers
    }
}

impl Eq for Group {}

impl Group {
    /// A group without consumers.
    #[must_use]
    pub fn new(last_id: StreamId, entries_read: i64) -> Self {
        Self {
            last_id,
            entries_read,
            pending: Ordered::default(),
            consumers: Arc::default(),
            consumer_bytes: 0,
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.pending.heap_bytes() + self.consumer_bytes
    }

    /// How many entries are pending. O(1).
    #[must_use]
    pub const fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// What is known of a pending entry.
    #[must_use]
    pub fn pending(&self, id: StreamId) -> Option<&Pending> {
        self.pending.get(id)
    }

    /// The pending entries from `id` on, in order.
    pub fn pending_from(&self, id: StreamId) -> impl Iterator<Item = (StreamId, &Pending)> {
        self.pending.starting_at(id)
    }

    /// The last pending entry.
    #[must_use]
    pub fn last_pending(&self) -> Option<StreamId> {
        self.pending.last().map(|(id, _)| id)
    }

    /// The consumers by name, in order.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (&[u8], &Consumer)> {
        self.consumers
            .iter()
            .map(|(name, consumer)| (&**name, consumer))
    }

    /// The consumer of that name.
    #[must_use]
    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    /// Changes a consumer, keeping count of its memory.
    fn change_consumer(&mut self, name: &[u8], change: impl FnOnce(&mut Consumer)) {
        if let Some(consumer) = Arc::make_mut(&mut self.consumers).get_mut(name) {
            let before = consumer.heap_bytes(name);
            change(consumer);
            self.consumer_bytes = self.consumer_bytes + consumer.heap_bytes(name) - before;
        }
    }

    /// Notes when a consumer was seen, and when active if it was; makes a missing one.
    pub(super) fn touch(&mut self, name: &[u8], seen: UnixMillis, active: Option<UnixMillis>) {
        if self.consumers.contains_key(name) {
            self.change_consumer(name, |consumer| {
                consumer.seen_at = seen;
                consumer.active_at = active.or(consumer.active_at);
            });
            return;
        }
        let consumer = Consumer {
            seen_at: seen,
            active_at: active,
            pending: Ordered::default(),
        };
        self.consumer_bytes += consumer.heap_bytes(name);
        Arc::make_mut(&mut self.consumers).insert(name.into(), consumer);
    }

    /// Takes a consumer away with all that is pending for it.
    pub(super) fn remove_consumer(&mut self, name: &[u8]) {
        if let Some(consumer) = Arc::make_mut(&mut self.consumers).remove(name) {
            self.consumer_bytes -= consumer.heap_bytes(name);
            for (id, ()) in consumer.pending.iter() {
                self.pending.remove(id);
            }
        }
    }

    /// Makes an entry pending for a consumer that is there, whoever had it before.
    pub(super) fn deliver(&mut self, id: StreamId, name: &[u8], at: UnixMillis, deliveries: u64) {
        let Some((name, _)) = self.consumers.get_key_value(name) else {
            return;
        };
        let pending = Pending {
            consumer: Arc::clone(name),
            delivered_at: at,
            deliveries,
        };
        let name = Arc::clone(name);
        match self.pending.insert(id, pending) {
            Some(before) if before.consumer == name => return,
            Some(before) => self.change_consumer(&before.consumer, |consumer| {
                consumer.pending.remove(id);
            }),
            None => {}
        }
        self.change_consumer(&name, |consumer| {
            consumer.pending.insert(id, ());
        });
    }

    /// Ends that an entry is pending.
    pub(super) fn acknowledge(&mut self, id: StreamId) {
        if let Some(pending) = self.pending.remove(id) {
            self.change_consumer(&pending.consumer, |consumer| {
                consumer.pending.remove(id);
            });
        }
    }
}
