//! Everything by which one client hears of what another does: channels, events of keys,
//! client-side caching, MONITOR.
//!
//! Owns the word that says which of these are in use, and hears the store's changes. Does not
//! own the tables. Any thread.
//!
//! INVARIANT: while no client tracks and none monitors, a request pays one load of that word.
//! INVARIANT: no lock of the store is taken here, for the store tells its changes under them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;
use thermocline_base::Lsn;
use thermocline_store::{Change, Observer, Store};

use crate::clients::Client;
use crate::config::events::Events;
use crate::inbox::{Form, Letter, Text};
use crate::post::Post;
use crate::pubsub::{Kind, PubSub};
use crate::tracking::{Telling, Tracker, Tracking};

/// Some client has its keys tracked.
pub(crate) const TRACKING: u8 = 1;
/// Some client monitors.
pub(crate) const MONITOR: u8 = 2;

/// What one command did beside the store.
enum Aside {
    /// It published this, to whom.
    Published(Vec<(Arc<Client>, Letter)>),
    /// It read these keys, which are tracked for this client.
    Read(u64, Vec<Box<[u8]>>),
}

thread_local! {
    /// The client whose command runs on this thread, as far as some client tracks or it is a
    /// transaction or script; 0 for none.
    static SOURCE: Cell<u64> = const { Cell::new(0) };
    /// What the commands of this thread's transaction did, or its one command, for each
    /// [`Change::Aside`] that the store will tell of.
    static HELD: RefCell<VecDeque<Aside>> = const { RefCell::new(VecDeque::new()) };
}

/// See the module.
pub(crate) struct Hub {
    pub(crate) pubsub: PubSub,
    pub(crate) tracking: Tracking,
    pub(crate) post: Post,
    hooks: AtomicU8,
    /// Held while `hooks` and what is asked of the store change together.
    switching: Mutex<()>,
    monitors: RwLock<Vec<Arc<Client>>>,
    events: RwLock<Events>,
}

impl Hub {
    pub(crate) fn new(post: Post) -> Self {
        Self {
            pubsub: PubSub::default(),
            tracking: Tracking::default(),
            post,
            hooks: AtomicU8::new(0),
            switching: Mutex::new(()),
            monitors: RwLock::default(),
            events: RwLock::default(),
        }
    }

    /// What of [`TRACKING`] and [`MONITOR`] is in use: the cheap question asked for every
    /// request.
    pub(crate) fn hooks(&self) -> u8 {
        self.hooks.load(Relaxed)
    }

    fn switch(&self, hook: u8, is_used: bool) {
        if is_used {
            self.hooks.fetch_or(hook, Relaxed);
        } else {
            self.hooks.fetch_and(!hook, Relaxed);
        }
    }

    /// The client whose command runs next on this thread.
    pub(crate) fn set_source(id: u64) {
        SOURCE.set(id);
    }

    /// Tracks for a client: see [`Tracking::set`].
    pub(crate) fn track<'p>(
        &self,
        store: &Store,
        tracker: &Arc<Tracker>,
        prefixes: impl IntoIterator<Item = &'p [u8]>,
    ) {
        let _whole = self.switching.lock();
        self.tracking.set(tracker, prefixes);
        store.ask_for_changes(true);
        self.switch(TRACKING, true);
    }

    /// Tracks no more for a client.
    pub(crate) fn untrack(&self, store: &Store, client: &Client) {
        let _whole = self.switching.lock();
        self.tracking.unset(client);
        if self.tracking.clients() == 0 {
            store.ask_for_changes(false);
            self.switch(TRACKING, false);
            // What was read is of no use, and no change would take it away.
            let mut telling = Telling::new(&self.post, 0, Lsn::ZERO);
            self.tracking.invalidate_all(&mut telling);
        }
    }

    /// Sets how many keys are tracked at most; 0 is no limit.
    pub(crate) fn set_most_tracked_keys(&self, most: u64) {
        self.tracking.set_most_keys(&self.post, most);
        self.post.wake();
    }

    /// Sets what the table of tracked keys may take, in bytes; 0 is no limit.
    pub(crate) fn set_most_tracked_bytes(&self, most: u64) {
        self.tracking.set_most_bytes(&self.post, most);
        self.post.wake();
    }

    /// Shows a client every command from now on.
    pub(crate) fn add_monitor(&self, client: &Arc<Client>) {
        let _whole = self.switching.lock();
        self.monitors.write().push(Arc::clone(client));
        self.switch(MONITOR, true);
    }

    /// Shows a client no more commands.
    pub(crate) fn remove_monitor(&self, client: &Client) {
        let _whole = self.switching.lock();
        let mut monitors = self.monitors.write();
        monitors.retain(|monitor| monitor.id != client.id);
        self.switch(MONITOR, !monitors.is_empty());
    }

    /// Shows a line of MONITOR to those who monitor. Nothing is held.
    pub(crate) fn show(&self, line: Vec<u8>) {
        let letter = Letter {
            form: Form::Line,
            bytes: Text::new(line),
            lsn: Lsn::ZERO,
        };
        for monitor in &*self.monitors.read() {
            self.post.deliver(monitor, letter.clone());
        }
        self.post.wake();
    }

    /// Sends a message to the subscribers of a channel or shard channel. How many there were.
    /// Nothing is held.
    pub(crate) fn publish(&self, kind: Kind, channel: &[u8], message: &[u8], lsn: Lsn) -> usize {
        let deliver = &mut |client: &Arc<Client>, letter| self.post.deliver(client, letter);
        let receivers = self.pubsub.publish_as(kind, channel, message, lsn, deliver);
        self.post.wake();
        receivers
    }

    /// As [`Hub::publish`] within a transaction: the message is kept on this thread until the
    /// transaction is in the log, and comes between the events of the commands around it.
    pub(crate) fn publish_later(&self, kind: Kind, channel: &[u8], message: &[u8]) -> usize {
        let keep = &mut |client: &Arc<Client>, letter| {
            HELD.with_borrow_mut(|asides| {
                if let Some(Aside::Published(letters)) = asides.back_mut() {
                    letters.push((Arc::clone(client), letter));
                }
            });
        };
        (self.pubsub).publish_as(kind, channel, message, Lsn::ZERO, keep)
    }

    /// The next command of a transaction that is none of the store's begins on this thread.
    pub(crate) fn begin_aside() {
        HELD.with_borrow_mut(|asides| asides.push_back(Aside::Published(Vec::new())));
    }

    /// The command that runs on this thread reads keys that are tracked for the client: they
    /// are remembered once the store tells that it ran.
    pub(crate) fn remember_later(id: u64, keys: Vec<Box<[u8]>>) {
        HELD.with_borrow_mut(|asides| asides.push_back(Aside::Read(id, keys)));
    }

    /// The transaction or command on this thread is over: sends what was kept of it and is not
    /// sent yet, or forgets it without an `lsn`. Nothing is held.
    pub(crate) fn end_transaction(&self, lsn: Option<Lsn>) {
        while let Some(aside) = HELD.with_borrow_mut(VecDeque::pop_front) {
            if let Some(lsn) = lsn {
                self.follow(aside, &mut Telling::new(&self.post, 0, lsn));
            }
        }
        self.post.wake();
    }

    fn follow(&self, aside: Aside, telling: &mut Telling<'_>) {
        match aside {
            Aside::Published(letters) => {
                for (client, mut letter) in letters {
                    letter.lsn = telling.lsn();
                    self.post.deliver(&client, letter);
                }
            }
            // The client may have stopped to track in the same transaction.
            Aside::Read(id, keys) if self.hooks() & TRACKING != 0 => {
                for key in keys {
                    self.tracking.remember(telling, &key, id);
                }
            }
            Aside::Read(..) => {}
        }
    }

    /// Publishes these events of keys from now on: `notify-keyspace-events`.
    pub(crate) fn set_events(&self, store: &Store, events: Events) {
        *self.events.write() = events;
        store.ask_for_events(events.classes());
    }

    /// Publishes an event on its channels.
    fn publish_event(&self, name: &str, database: u8, key: &[u8], lsn: Lsn) {
        let events = *self.events.read();
        let deliver = &mut |client: &Arc<Client>, letter| self.post.deliver(client, letter);
        let mut channel = Vec::new();
        if events.by_key {
            channel.extend_from_slice(format!("__keyspace@{database}__:").as_bytes());
            channel.extend_from_slice(key);
            self.pubsub.publish(&channel, name.as_bytes(), lsn, deliver);
        }
        if events.by_event {
            let channel = format!("__keyevent@{database}__:{name}");
            self.pubsub.publish(channel.as_bytes(), key, lsn, deliver);
        }
    }
}

impl Observer for Hub {
    fn observe(&self, changes: &[Change<'_>], lsn: Lsn) {
        let mut keys: SmallVec<[&[u8]; 8]> = SmallVec::new();
        let mut telling = Telling::new(&self.post, SOURCE.get(), lsn);
        for change in changes {
            match change {
                Change::Key(key) => {
                    keys.push(key);
                    self.tracking.invalidate(&mut telling, key);
                }
                Change::Aside => {
                    if let Some(aside) = HELD.with_borrow_mut(VecDeque::pop_front) {
                        self.follow(aside, &mut telling);
                    }
                }
                Change::Flushed => self.tracking.invalidate_all(&mut telling),
                Change::Event {
                    name,
                    database,
                    key,
                    ..
                } => self.publish_event(name, *database, key, lsn),
            }
        }
        telling.tell_own();
        self.tracking.broadcast(&telling, &keys);
    }

    fn settle(&self) {
        self.post.wake();
    }
}
