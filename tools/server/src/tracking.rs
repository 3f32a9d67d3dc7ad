//! Client-side caching: which clients are to hear that a key has changed.
//!
//! Owns the table of keys that clients have read and that of prefixes they listen to. Does
//! not know commands. Any thread; the table of keys is cut into parts with a lock each.
//!
//! The order of reads and changes is that of the commands, within a transaction or script too:
//! a client is told of a change if it read the key before, and not if it read the key after.
//!
//! INVARIANT: a client's read of a key is remembered under the lock that the key was read
//! under. So a change is either seen by the read, or it finds the client in the table; and since
//! a letter is taken only between requests, an invalidation never overtakes the reply it is
//! about. Only an XREAD that had to wait is remembered a little later, when its client's task
//! takes the reply.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;
use thermocline_base::Lsn;
use thermocline_commands::{ReplyBuffer, Version};

use crate::clients::Client;
use crate::inbox::{Form, Letter, Text};
use crate::post::Post;

/// Parts of the table of keys.
const PARTS: usize = 64;
/// What a key of the table takes beside its bytes, with a reader or two.
const KEY_BYTES: u64 = 96;

/// A client that is told of changes.
#[derive(Debug)]
pub(crate) struct Tracker {
    pub(crate) client: Arc<Client>,
    /// Who gets the invalidations instead.
    pub(crate) redirection: Option<Arc<Client>>,
    /// Whether it hears of all keys with its prefixes instead of those it read.
    pub(crate) is_broadcast: bool,
    /// Whether it is spared its own changes.
    pub(crate) is_spared_own: bool,
    /// Whether the client to redirect to was found gone.
    pub(crate) is_broken: AtomicBool,
}

impl Tracker {
    /// Gives the invalidation of these keys to whom they are for.
    fn tell(&self, post: &Post, keys: &Arc<Text>, lsn: Lsn) {
        let form = Form::Invalidation {
            is_redirected: self.redirection.is_some(),
        };
        let bytes = Arc::clone(keys);
        let letter = Letter { form, bytes, lsn };
        match &self.redirection {
            None => post.deliver(&self.client, letter),
            Some(other) if !other.inbox.is_closed() => post.deliver(other, letter),
            Some(other) => {
                self.is_broken.store(true, Relaxed);
                self.client.tracking_is_broken.store(true, Relaxed);
                let letter = Letter {
                    form: Form::BrokenRedirection(other.id),
                    bytes: Text::new([]),
                    lsn,
                };
                post.deliver(&self.client, letter);
            }
        }
    }
}

/// What is told of the changes of one command, transaction or script. The client that ran it
/// hears of them behind everything else, as in the reference.
pub(crate) struct Telling<'p> {
    post: &'p Post,
    /// The client, 0 for none.
    source: u64,
    lsn: Lsn,
    /// What that client is still to be told.
    own: Vec<(Arc<Tracker>, Arc<Text>)>,
}

impl<'p> Telling<'p> {
    pub(crate) const fn new(post: &'p Post, source: u64, lsn: Lsn) -> Self {
        let own = Vec::new();
        Self {
            post,
            source,
            lsn,
            own,
        }
    }

    pub(crate) const fn lsn(&self) -> Lsn {
        self.lsn
    }

    fn is_own(&self, tracker: &Tracker) -> bool {
        tracker.client.id == self.source
    }

    fn tell(&mut self, tracker: &Arc<Tracker>, keys: &Arc<Text>) {
        if self.is_own(tracker) {
            self.own.push((Arc::clone(tracker), Arc::clone(keys)));
        } else {
            tracker.tell(self.post, keys, self.lsn);
        }
    }

    /// Tells the client that ran it, after everything but what is broadcast.
    pub(crate) fn tell_own(&mut self) {
        for (tracker, keys) in self.own.drain(..) {
            tracker.tell(self.post, &keys, self.lsn);
        }
    }
}

type Readers = SmallVec<[u64; 2]>;
type Listeners = BTreeMap<u64, Arc<Tracker>>;

/// See the module.
pub(crate) struct Tracking {
    trackers: RwLock<HashMap<u64, Arc<Tracker>>>,
    prefixes: RwLock<BTreeMap<Box<[u8]>, Listeners>>,
    parts: [Mutex<HashMap<Box<[u8]>, Readers>>; PARTS],
    parting: RandomState,
    keys: AtomicUsize,
    items: AtomicUsize,
    /// About what the table of keys takes.
    bytes: AtomicU64,
    most_keys: AtomicU64,
    /// 0 is no limit.
    most_bytes: AtomicU64,
    /// The part that gives up a key next.
    turn: AtomicUsize,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            trackers: RwLock::default(),
            prefixes: RwLock::default(),
            parts: std::array::from_fn(|_| Mutex::default()),
            parting: RandomState::new(),
            keys: AtomicUsize::new(0),
            items: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            most_bytes: AtomicU64::new(0),
            most_keys: AtomicU64::new(1_000_000),
            turn: AtomicUsize::new(0),
        }
    }
}

impl Tracking {
    /// Tracks for a client, in place of what it asked for before; `prefixes` are all it has,
    /// none of them for one that does not broadcast.
    pub(crate) fn set<'p>(
        &self,
        tracker: &Arc<Tracker>,
        prefixes: impl IntoIterator<Item = &'p [u8]>,
    ) {
        let id = tracker.client.id;
        self.trackers.write().insert(id, Arc::clone(tracker));
        let mut table = self.prefixes.write();
        for prefix in prefixes {
            let listeners = table.entry(prefix.into()).or_default();
            listeners.insert(id, Arc::clone(tracker));
        }
    }

    /// Tracks no more for a client; the keys it read are forgotten when they change.
    pub(crate) fn unset(&self, client: &Client) {
        if self.trackers.write().remove(&client.id).is_none() {
            return;
        }
        self.prefixes.write().retain(|_, listeners| {
            listeners.remove(&client.id);
            !listeners.is_empty()
        });
    }

    /// How many clients are tracked for.
    pub(crate) fn clients(&self) -> usize {
        self.trackers.read().len()
    }

    /// How many keys clients have read and may hold.
    pub(crate) fn keys(&self) -> usize {
        self.keys.load(Relaxed)
    }

    /// How many pairs of a key and a client there are.
    pub(crate) fn items(&self) -> usize {
        self.items.load(Relaxed)
    }

    /// About what the table of keys takes, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// How many prefixes clients listen to.
    pub(crate) fn prefixes(&self) -> usize {
        self.prefixes.read().len()
    }

    /// Sets how many keys are remembered at most; 0 is no limit. What is too much is forgotten.
    pub(crate) fn set_most_keys(&self, post: &Post, most: u64) {
        self.most_keys.store(most, Relaxed);
        self.shrink(post);
    }

    /// Sets what the table of keys may take, in bytes; 0 is no limit. What is too much is
    /// forgotten.
    pub(crate) fn set_most_bytes(&self, post: &Post, most: u64) {
        self.most_bytes.store(most, Relaxed);
        self.shrink(post);
    }

    fn shrink(&self, post: &Post) {
        let mut telling = Telling::new(post, 0, Lsn::ZERO);
        while self.is_too_full() && self.give_up(&mut telling, None) {}
    }

    fn is_too_full(&self) -> bool {
        let is_above = |most: u64, now: u64| most > 0 && now > most;
        is_above(self.most_keys.load(Relaxed), self.keys() as u64)
            || is_above(self.most_bytes.load(Relaxed), self.bytes())
    }

    /// Counts a key that is now in the table.
    fn count_key(&self, key: &[u8]) {
        self.keys.fetch_add(1, Relaxed);
        self.bytes.fetch_add(KEY_BYTES + key.len() as u64, Relaxed);
    }

    /// Counts a key that is gone from the table.
    fn discount_key(&self, key: &[u8]) {
        self.keys.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(KEY_BYTES + key.len() as u64, Relaxed);
    }

    /// Counts readers of keys.
    fn count_items(&self, more: usize) {
        self.items.fetch_add(more, Relaxed);
        self.bytes
            .fetch_add((more * size_of::<u64>()) as u64, Relaxed);
    }

    /// Counts readers of keys that are gone.
    fn discount_items(&self, fewer: usize) {
        self.items.fetch_sub(fewer, Relaxed);
        self.bytes
            .fetch_sub((fewer * size_of::<u64>()) as u64, Relaxed);
    }

    /// Forgets some key other than `kept`, and tells its readers that it has changed; `false`
    /// if there is none.
    fn give_up(&self, telling: &mut Telling<'_>, kept: Option<&[u8]>) -> bool {
        // The parts take turns.
        let turn = self.turn.fetch_add(1, Relaxed);
        let surplus = (0..PARTS).find_map(|step| {
            let part = self.parts[(turn + step) % PARTS].lock();
            part.keys().find(|other| kept != Some(&***other)).cloned()
        });
        if let Some(key) = &surplus {
            self.forget(telling, key, false);
        }
        surplus.is_some()
    }

    fn part(&self, key: &[u8]) -> &Mutex<HashMap<Box<[u8]>, Readers>> {
        &self.parts[self.parting.hash_one(key) as usize % PARTS]
    }

    /// A client has read the key. If that makes too many, the readers of some other key are
    /// told that it has changed, and it is forgotten.
    pub(crate) fn remember(&self, telling: &mut Telling<'_>, key: &[u8], id: u64) {
        {
            let mut part = self.part(key).lock();
            match part.get_mut(key) {
                Some(readers) if readers.contains(&id) => return,
                Some(readers) => readers.push(id),
                None => {
                    part.insert(key.into(), SmallVec::from_slice(&[id]));
                    self.count_key(key);
                }
            }
            self.count_items(1);
        }
        // A long key may take the place of several.
        while self.is_too_full() && self.give_up(telling, Some(key)) {}
    }

    /// The key has changed: tells those who have read it.
    pub(crate) fn invalidate(&self, telling: &mut Telling<'_>, key: &[u8]) {
        self.forget(telling, key, true);
    }

    /// These keys have changed: tells those who listen to their prefixes.
    pub(crate) fn broadcast(&self, telling: &Telling<'_>, keys: &[&[u8]]) {
        if keys.is_empty() {
            return;
        }
        let prefixes = self.prefixes.read();
        if prefixes.is_empty() {
            return;
        }
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        for (prefix, listeners) in &*prefixes {
            let from = keys.partition_point(|key| *key < &**prefix);
            let rest = keys.get(from..).unwrap_or_default();
            let count = rest.partition_point(|key| key.starts_with(prefix));
            if count == 0 {
                continue;
            }
            let text = key_list(&rest[..count]);
            for tracker in listeners.values() {
                if !(tracker.is_spared_own && telling.is_own(tracker)) {
                    tracker.tell(telling.post, &text, telling.lsn);
                }
            }
        }
    }

    /// Forgets who has read the key and tells them; those who are spared their own changes
    /// not, if it is one.
    fn forget(&self, telling: &mut Telling<'_>, key: &[u8], is_change: bool) {
        if self.keys() == 0 {
            return;
        }
        let trackers = self.trackers.read();
        let Some(readers) = self.part(key).lock().remove(key) else {
            return;
        };
        self.discount_key(key);
        self.discount_items(readers.len());
        let text = key_list(&[key]);
        for id in readers {
            // One that broadcasts by now, or tracks no more, read it before that.
            if let Some(tracker) = trackers.get(&id)
                && !tracker.is_broadcast
                && !(is_change && tracker.is_spared_own && telling.is_own(tracker))
            {
                telling.tell(tracker, &text);
            }
        }
    }

    /// Databases were emptied: all keys have to be forgotten.
    pub(crate) fn invalidate_all(&self, telling: &mut Telling<'_>) {
        for part in &self.parts {
            let keys = std::mem::take(&mut *part.lock());
            for (key, readers) in &keys {
                self.discount_key(key);
                self.discount_items(readers.len());
            }
        }
        let all = Text::new([]);
        for tracker in self.trackers.read().values() {
            telling.tell(tracker, &all);
        }
    }
}

/// The keys as the array that ends an invalidation.
fn key_list(keys: &[&[u8]]) -> Arc<Text> {
    let mut text = ReplyBuffer::new(Version::Two);
    text.array(keys.len());
    for key in keys {
        text.bulk(key);
    }
    Text::new(text.as_bytes())
}
