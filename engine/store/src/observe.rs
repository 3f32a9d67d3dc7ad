//! What the store tells of the changes of keys to whoever asked: which keys changed, and the
//! events that commands name.
//!
//! Owns the classes of events and the one word that says what is asked for. Does not know
//! who listens, nor what a message looks like. Any thread.
//!
//! INVARIANT: while nothing is asked for, a change costs one load of that word.
//! INVARIANT: an observer is told under the locks the change was made under, after it was
//! logged, so that what is told of one key comes in the order of its changes. It may queue
//! what it hears, and no more: it takes no lock of the store, and wakes others only when
//! [`Observer::settle`] is called, with nothing held.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use thermocline_base::Lsn;

/// The kind of an event, as `notify-keyspace-events` parts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EventClass {
    /// Of commands on keys of any type, such as `del` and `expire`: `g`.
    Generic = 0,
    /// Of commands on strings: `$`.
    String = 1,
    /// Of commands on lists: `l`.
    List = 2,
    /// Of commands on sets: `s`.
    Set = 3,
    /// Of commands on hashes: `h`.
    Hash = 4,
    /// Of commands on sorted sets: `z`.
    SortedSet = 5,
    /// A key has expired and is gone: `x`.
    Expired = 6,
    /// A key was evicted for want of room: `e`.
    Evicted = 7,
    /// Of commands on streams: `t`.
    Stream = 8,
    /// Of types of modules, which do not exist here: `d`.
    Module = 9,
    /// A read did not find its key: `m`.
    Miss = 10,
    /// A key came to be: `n`.
    New = 11,
}

/// Something that happened to the key space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The key's value or expiry changed, or the key went.
    Key(&'a [u8]),
    /// A command, or the store itself, named what happened.
    Event {
        /// Its kind.
        class: EventClass,
        /// Its name, such as `rename_from`.
        name: &'static str,
        /// The number of the database.
        database: u8,
        /// The key.
        key: &'a [u8],
    },
    /// At least one database was emptied.
    Flushed,
    /// Between the others: a command ran of which whoever ran it wants to hear here: one that
    /// does not work on keys, or a read.
    Aside,
}

/// Who is told; see the module for what it may do.
pub trait Observer: Send + Sync {
    /// What happened in one step, in order. Nobody may see a trace of it before the log may
    /// be acknowledged up to `lsn`.
    fn observe(&self, changes: &[Change<'_>], lsn: Lsn);

    /// Nothing is held any more; called on the thread of [`Observer::observe`] soon after it.
    fn settle(&self);
}

/// The bit of the word that asks for [`Change::Key`] and [`Change::Flushed`]; those below
/// are the classes'.
const CHANGES: u32 = 1 << 31;

/// See the module.
#[derive(Default)]
pub(crate) struct Observed {
    asked: AtomicU32,
    observer: OnceLock<Arc<dyn Observer>>,
}

impl Observed {
    /// Whether nothing at all is asked for.
    pub(crate) fn is_idle(&self) -> bool {
        self.asked.load(Relaxed) == 0
    }

    /// Whether the keys that change are asked for.
    pub(crate) fn wants_changes(&self) -> bool {
        self.asked.load(Relaxed) & CHANGES != 0
    }

    /// Whether anything is asked for.
    pub(crate) fn wants_any(&self) -> bool {
        self.asked.load(Relaxed) != 0
    }

    /// Whether events of the class are asked for.
    pub(crate) fn wants(&self, class: EventClass) -> bool {
        self.asked.load(Relaxed) & (1 << class as u8) != 0
    }

    /// Tells what happened, under the locks.
    pub(crate) fn tell(&self, changes: &[Change<'_>], lsn: Lsn) {
        if let Some(observer) = self.observer.get() {
            observer.observe(changes, lsn);
        }
    }

    /// After [`Observed::tell`], with nothing held.
    pub(crate) fn settle(&self) {
        if let Some(observer) = self.observer.get() {
            observer.settle();
        }
    }
}

impl crate::store::Store {
    /// Who is told from now on; only the first is taken. Nothing is told before it is asked
    /// for.
    pub fn set_observer(&self, observer: Arc<dyn Observer>) {
        // A second one would be a mistake of the daemon's start.
        let _ = self.observed.observer.set(observer);
    }

    /// Asks for the events of these classes, instead of those asked for before.
    pub fn ask_for_events(&self, classes: impl IntoIterator<Item = EventClass>) {
        let bits = classes
            .into_iter()
            .fold(0, |bits, class| bits | 1 << class as u8);
        let _ = (self.observed.asked)
            .fetch_update(Relaxed, Relaxed, |asked| Some(asked & CHANGES | bits));
    }

    /// Asks for every key that changes, or no more.
    pub fn ask_for_changes(&self, asks: bool) {
        if asks {
            self.observed.asked.fetch_or(CHANGES, Relaxed);
        } else {
            self.observed.asked.fetch_and(!CHANGES, Relaxed);
        }
    }
}
