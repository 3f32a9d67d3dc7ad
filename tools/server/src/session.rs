//! What a connection has said about itself and what it holds across requests.
//!
//! Owns the chosen database, authentication, the queue of a transaction, the watched keys
//! and the reply mode. Does not run anything. One connection's task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use std::collections::{BTreeSet, HashSet};

use thermocline_base::Lsn;
use thermocline_commands::ReplyBuffer;
use thermocline_commands::table::Command;
use thermocline_store::{KeyName, Store};

use crate::clients::{Client, ClientNames};
use crate::pubsub::Subscriptions;
use crate::server::Server;
use crate::tracking::Tracker;

/// Bytes of letters that are put between two replies at once.
const LETTER_BYTES: u64 = 256 * 1024;

/// Names let go before other connections get their turn.
const SLICE_NAMES: usize = 500;

/// Which of the keys a session reads are tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CachingMode {
    /// All.
    Always,
    /// Those of the command after CLIENT CACHING YES.
    OptIn,
    /// All but those of the command after CLIENT CACHING NO.
    OptOut,
}

/// What a session asked for with CLIENT TRACKING.
#[derive(Debug)]
pub(crate) struct SessionTracking {
    pub(crate) tracker: Arc<Tracker>,
    pub(crate) mode: CachingMode,
    /// Whether CLIENT CACHING came before the command.
    pub(crate) is_caching_named: bool,
    pub(crate) prefixes: BTreeSet<Box<[u8]>>,
    /// About what the prefixes take, here and in the table.
    pub(crate) held_bytes: usize,
}

/// Whether replies are sent: CLIENT REPLY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replies {
    /// All are.
    #[default]
    On,
    /// None is.
    Off,
    /// Not that of this command nor that of the next.
    SkipNext,
    /// Not that of this command.
    Skip,
}

/// A command of a transaction.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) command: &'static Command,
    pub(crate) arguments: Vec<Box<[u8]>>,
}

/// A transaction being queued.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) queued: Vec<Queued>,
    /// Bytes of all arguments.
    pub(crate) bytes: usize,
    /// Whether a command could not be queued.
    pub(crate) failed: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Arc<Client>,
    pub(crate) database: u8,
    /// Changed by [`Session::authenticate`].
    pub(crate) is_authenticated: bool,
    name_bytes: usize,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) replies: Replies,
    pub(crate) watch: Watch,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) tracking: Option<SessionTracking>,
    pub(crate) is_monitor: bool,
    /// Whether the reply at hand leaves whatever the reply mode is.
    pub(crate) is_pushing: bool,
    /// What was written of letters depends on the log up to here.
    pub(crate) heard_lsn: Lsn,
    /// Whether the store's counters are set back once the transaction has ended.
    pub(crate) resets_statistics: bool,
}

/// What a queued command takes beside its words, and a word beside its bytes, at most: its
/// place in a list that may have twice as many, and what the allocator rounds up.
const QUEUED_BYTES: usize = 2 * size_of::<Queued>() + 16;
const WORD_BYTES: usize = size_of::<Box<[u8]>>() + 16;

/// What a watched key takes beside its name, here and in the store, in bytes.
const WATCHED_BYTES: usize = 192;

/// The keys a session watches.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    keys: HashSet<(u8, Box<[u8]>)>,
    /// About what they take, here and in the store.
    bytes: usize,
    /// Set by the store when one changes; a fresh one for each set of keys, so that a late
    /// change to keys let go cannot spoil the next transaction.
    changed: Arc<AtomicBool>,
}

impl Watch {
    fn add(&mut self, store: &Store, database: u8, key: &[u8]) {
        if self.keys.insert((database, key.into())) {
            store.watch(KeyName { database, key }, &self.changed);
            self.bytes += WATCHED_BYTES + 2 * key.len();
        }
    }

    /// Lets some of the keys go; whether there are more.
    fn clear_some(&mut self, store: &Store) -> bool {
        let some: Vec<_> = self.keys.iter().take(SLICE_NAMES).cloned().collect();
        for (database, key) in &some {
            let (database, key) = (*database, &**key);
            store.unwatch(KeyName { database, key }, &self.changed);
        }
        for name in &some {
            self.keys.remove(name);
        }
        !self.keys.is_empty()
    }

    pub(crate) fn clear(&mut self, store: &Store) {
        for name in self.names() {
            store.unwatch(name, &self.changed);
        }
        if !self.keys.is_empty() {
            *self = Self::default();
        }
    }

    /// The keys.
    pub(crate) fn names(&self) -> Vec<KeyName<'_>> {
        let keys = self.keys.iter();
        keys.map(|(database, key)| KeyName {
            database: *database,
            key,
        })
        .collect()
    }

    /// Whether no key is watched.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Set once one of the keys has changed.
    pub(crate) fn changed(&self) -> &AtomicBool {
        &self.changed
    }
}

impl Session {
    /// The session of a client that has just connected, and has not said who it is.
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            database: 0,
            is_authenticated: false,
            name_bytes: 0,
            transaction: None,
            replies: Replies::On,
            watch: Watch::default(),
            resets_statistics: false,
            subscriptions: Subscriptions::default(),
            tracking: None,
            is_monitor: false,
            is_pushing: false,
            heard_lsn: Lsn::ZERO,
        }
    }

    /// Chooses the database of later commands.
    pub(crate) fn select(&mut self, database: u8) {
        self.database = database;
        self.client.database.store(database, Relaxed);
    }

    /// Begins a transaction.
    pub(crate) fn begin(&mut self) {
        self.transaction = Some(Transaction::default());
        self.client.queued.store(0, Relaxed);
    }

    /// Queues a command. The bytes the transaction holds now.
    pub(crate) fn queue(&mut self, command: &'static Command, words: &[&[u8]]) -> usize {
        let Some(transaction) = &mut self.transaction else {
            return 0;
        };
        let arguments: Vec<Box<[u8]>> = words.iter().map(|word| (*word).into()).collect();
        let bytes = words.iter().map(|word| word.len() + WORD_BYTES);
        transaction.bytes += QUEUED_BYTES + bytes.sum::<usize>();
        transaction.queued.push(Queued { command, arguments });
        let queued = i64::try_from(transaction.queued.len()).unwrap_or(i64::MAX);
        self.client.queued.store(queued, Relaxed);
        transaction.bytes
    }

    /// About what the session makes the server hold beside its buffers, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        let queued = self.queued_bytes();
        let tracked = self.tracking.as_ref().map_or(0, |it| it.held_bytes);
        queued + self.watch.bytes + self.subscriptions.held_bytes() + tracked + self.name_bytes
    }

    /// Bytes of the transaction's queue.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.transaction.as_ref().map_or(0, |it| it.bytes)
    }

    /// Changes what the client calls itself.
    pub(crate) fn rename(&mut self, change: impl FnOnce(&mut ClientNames)) {
        let mut names = self.client.names.lock();
        change(&mut names);
        let all = [&names.name, &names.library, &names.library_version];
        self.name_bytes = all.into_iter().map(String::len).sum();
    }

    /// Whether the client has said who it is, or need not, from `now_ns` on.
    pub(crate) fn authenticate(&mut self, is_authenticated: bool, now_ns: u64) {
        self.is_authenticated = is_authenticated;
        let since_ns = if is_authenticated { 0 } else { now_ns.max(1) };
        self.client.stranger_since_ns.store(since_ns, Relaxed);
    }

    /// Ends the transaction and lets the watched keys go; gives what was queued.
    pub(crate) fn end_transaction(&mut self, store: &Store) -> Option<Transaction> {
        self.unwatch(store);
        self.client.queued.store(-1, Relaxed);
        self.transaction.take()
    }

    /// Watches a key of the chosen database.
    pub(crate) fn watch(&mut self, store: &Store, key: &[u8]) {
        self.watch.add(store, self.database, key);
        self.show_watched();
    }

    /// Lets all watched keys go.
    pub(crate) fn unwatch(&mut self, store: &Store) {
        self.watch.clear(store);
        self.show_watched();
    }

    fn show_watched(&self) {
        let count = u32::try_from(self.watch.keys.len()).unwrap_or(u32::MAX);
        self.client.watched.store(count, Relaxed);
    }

    /// Writes what came into the inbox: `all` of it or a portion.
    pub(crate) fn write_letters(&mut self, reply: &mut ReplyBuffer, all: bool) {
        let most_bytes = if all { u64::MAX } else { LETTER_BYTES };
        let is_subscribed = self.subscriptions.is_any();
        for letter in self.client.inbox.take(most_bytes) {
            letter.write(reply, is_subscribed);
            self.heard_lsn = self.heard_lsn.max(letter.lsn);
        }
    }

    /// Tracks the keys it reads no more.
    pub(crate) fn untrack(&mut self, server: &Server) {
        if self.tracking.take().is_some() {
            server.hub.untrack(&server.store, &self.client);
            self.client.tracking_redirection.store(-1, Relaxed);
            self.client.tracking_is_broadcast.store(false, Relaxed);
            self.client.tracking_is_broken.store(false, Relaxed);
        }
    }

    /// Before its end: lets some of what may be very much go; whether there is more.
    pub(crate) fn leave_some(&mut self, server: &Server) -> bool {
        self.watch.clear_some(&server.store)
            || self
                .subscriptions
                .clear_some(&server.hub.pubsub, &self.client, SLICE_NAMES)
    }

    /// Hears nothing of others any more: at its end, or RESET.
    pub(crate) fn leave(&mut self, server: &Server) {
        self.subscriptions.clear(&server.hub.pubsub, &self.client);
        self.untrack(server);
        if std::mem::take(&mut self.is_monitor) {
            server.hub.remove_monitor(&self.client);
            self.client.is_monitor.store(false, Relaxed);
        }
    }

    /// Moves the reply mode on after a command. Whether the command's reply is sent.
    pub(crate) fn end_reply(&mut self) -> bool {
        match self.replies {
            Replies::On => true,
            Replies::Off => false,
            Replies::SkipNext => {
                self.replies = Replies::Skip;
                false
            }
            Replies::Skip => {
                self.replies = Replies::On;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_holds_for_itself_and_one_command_more() {
        let client = Client::new(1, String::new(), String::new(), 0, false, 0);
        let mut session = Session::new(Arc::new(client));
        session.replies = Replies::SkipNext;
        let sent: Vec<bool> = (0..3).map(|_| session.end_reply()).collect();
        assert_eq!(sent, [false, false, true]);
        session.replies = Replies::Off;
        assert!(!session.end_reply() && !session.end_reply());
    }

    #[test]
    fn a_stranger_has_a_minute() {
        let client = Client::new(1, String::new(), String::new(), 0, false, 0);
        let mut session = Session::new(Arc::new(client));
        let minute_ns = 60_000_000_000;
        session.authenticate(false, 0);
        let client = Arc::clone(&session.client);
        assert!(!client.is_stranger_too_long(minute_ns));
        assert!(client.is_stranger_too_long(minute_ns + 2));
        session.authenticate(true, 5);
        assert!(!client.is_stranger_too_long(u64::MAX));
        // RESET begins anew.
        session.authenticate(false, minute_ns);
        assert!(!client.is_stranger_too_long(2 * minute_ns));
        assert!(client.is_stranger_too_long(2 * minute_ns + 1));
    }

    #[test]
    fn a_transaction_counts_what_it_holds() {
        let client = Client::new(1, String::new(), String::new(), 0, false, 0);
        let mut session = Session::new(Arc::new(client));
        let command = thermocline_commands::table::lookup(b"get").unwrap();
        assert_eq!(session.queue(command, &[b"get", b"a"]), 0);
        session.begin();
        let once = session.queue(command, &[b"get", b"a"]);
        assert_eq!(session.queue(command, &[b"get", b"a"]), 2 * once);
        assert_eq!(session.client.queued.load(Relaxed), 2);
    }
}
