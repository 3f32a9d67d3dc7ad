//! What a connection has said about itself and what it holds across requests.
//!
//! Owns the chosen database, authentication, the queue of a transaction, the watched keys
//! and the reply mode. Does not run anything. One connection's task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use std::collections::BTreeSet;

use thermocline_base::Lsn;
use thermocline_commands::ReplyBuffer;
use thermocline_commands::table::Command;
use thermocline_store::{KeyName, Store};

use crate::clients::Client;
use crate::pubsub::Subscriptions;
use crate::server::Server;
use crate::tracking::Tracker;

/// Bytes of letters that are put between two replies at once.
const LETTER_BYTES: u64 = 256 * 1024;

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
    pub(crate) is_authenticated: bool,
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

/// What a watched key takes beside its name, in bytes.
const WATCHED_BYTES: usize = 64;

/// The keys a session watches.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    keys: Vec<(u8, Box<[u8]>)>,
    /// About what they take, here and in the store.
    bytes: usize,
    /// Set by the store when one changes; a fresh one for each set of keys, so that a late
    /// change to keys let go cannot spoil the next transaction.
    changed: Arc<AtomicBool>,
}

impl Watch {
    fn add(&mut self, store: &Store, database: u8, key: &[u8]) {
        let known = |(other, name): &(u8, Box<[u8]>)| *other == database && **name == *key;
        if !self.keys.iter().any(known) {
            store.watch(KeyName { database, key }, &self.changed);
            self.keys.push((database, key.into()));
            self.bytes += 2 * (key.len() + WATCHED_BYTES);
        }
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
    /// The session of a client that has just connected.
    pub(crate) fn new(client: Arc<Client>, is_authenticated: bool) -> Self {
        Self {
            client,
            database: 0,
            is_authenticated,
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
        let bytes: usize = words
            .iter()
            .map(|word| word.len() + size_of::<Box<[u8]>>())
            .sum();
        transaction.bytes += bytes;
        transaction.queued.push(Queued { command, arguments });
        let queued = i64::try_from(transaction.queued.len()).unwrap_or(i64::MAX);
        self.client.queued.store(queued, Relaxed);
        transaction.bytes
    }

    /// Bytes of what was queued and is watched.
    pub(crate) fn held_bytes(&self) -> usize {
        let queued = self.transaction.as_ref().map_or(0, |it| it.bytes);
        queued + self.watch.bytes
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
        let mut session = Session::new(Arc::new(client), true);
        session.replies = Replies::SkipNext;
        let sent: Vec<bool> = (0..3).map(|_| session.end_reply()).collect();
        assert_eq!(sent, [false, false, true]);
        session.replies = Replies::Off;
        assert!(!session.end_reply() && !session.end_reply());
    }

    #[test]
    fn a_transaction_counts_what_it_holds() {
        let client = Client::new(1, String::new(), String::new(), 0, false, 0);
        let mut session = Session::new(Arc::new(client), true);
        let command = thermocline_commands::table::lookup(b"get").unwrap();
        assert_eq!(session.queue(command, &[b"get", b"a"]), 0);
        session.begin();
        let once = session.queue(command, &[b"get", b"a"]);
        assert_eq!(session.queue(command, &[b"get", b"a"]), 2 * once);
        assert_eq!(session.client.queued.load(Relaxed), 2);
    }
}
