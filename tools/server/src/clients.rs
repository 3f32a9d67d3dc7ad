//! Who is connected: what CLIENT LIST shows and how CLIENT KILL reaches a connection.
//!
//! Owns one shared entry for each connection. Its thread writes what changes with every
//! batch as plain atomics; names change under a lock. INVARIANT: a connection registers its
//! waker before it looks at `end` the first time, so a call to end it is never missed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    Ordering::Relaxed,
};
use std::task::Waker;

use parking_lot::Mutex;
use thermocline_commands::Parked;
use thermocline_commands::blocking::Unblock;

use crate::registry;

use crate::inbox::Inbox;

/// How long a client may take to say who it is, where it has to.
const STRANGER_WAIT_NS: u64 = 60_000_000_000;

/// What a client calls itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientNames {
    pub(crate) name: String,
    pub(crate) library: String,
    pub(crate) library_version: String,
}

/// Whether a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It goes on.
    No,
    /// After what it is doing: the server stops.
    Soon,
    /// At once.
    Now,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    /// `ip:port`, or `path:0` of a unix socket.
    pub(crate) address: String,
    pub(crate) local_address: String,
    pub(crate) descriptor: i32,
    pub(crate) is_unix: bool,
    /// By the server's monotonic clock, ns.
    pub(crate) connected_at_ns: u64,
    /// By the server's monotonic clock, ns.
    pub(crate) used_at_ns: AtomicU64,
    pub(crate) names: Mutex<ClientNames>,
    pub(crate) database: AtomicU8,
    pub(crate) version: AtomicU8,
    /// Commands queued in a transaction; -1 outside of one.
    pub(crate) queued: AtomicI64,
    pub(crate) watched: AtomicU32,
    /// Its entry of the registry.
    pub(crate) last_command: AtomicU16,
    pub(crate) no_evict: AtomicBool,
    pub(crate) no_touch: AtomicBool,
    /// Whether it understands redirections.
    pub(crate) can_redirect: AtomicBool,
    pub(crate) is_blocked: AtomicBool,
    pub(crate) input_bytes: AtomicU64,
    pub(crate) output_bytes: AtomicU64,
    pub(crate) commands: AtomicU64,
    /// Bytes read and not yet run.
    pub(crate) query_bytes: AtomicU64,
    /// Bytes of replies the socket did not take.
    pub(crate) pending_bytes: AtomicU64,
    /// Memory of its read buffer that nothing was read into, bytes.
    pub(crate) spare_query_bytes: AtomicU64,
    /// Buffers of replies the socket did not take.
    pub(crate) chunks: AtomicU64,
    /// Bytes of the command that waits for its keys.
    pub(crate) waiting_bytes: AtomicU64,
    /// Bytes of its transaction's queue.
    pub(crate) queued_bytes: AtomicU64,
    /// Memory it holds beyond its entry and its inbox, bytes.
    pub(crate) held_bytes: AtomicU64,
    /// Since when it is to say who it is, ns; 0 once it has, or where nobody has to.
    pub(crate) stranger_since_ns: AtomicU64,
    /// Since when the pending bytes are above the soft limit, ns; 0 if they are not.
    pub(crate) above_soft_since_ns: AtomicU64,
    /// The wait for keys that it is in.
    parked: Mutex<Option<Arc<Parked>>>,
    /// What other connections have for it.
    pub(crate) inbox: Inbox,
    /// To how many channels, patterns and shard channels it is subscribed.
    pub(crate) subscriptions: [AtomicU32; 3],
    pub(crate) is_monitor: AtomicBool,
    /// The client that gets its invalidations, 0 for itself; -1 while it does not track.
    pub(crate) tracking_redirection: AtomicI64,
    pub(crate) tracking_is_broadcast: AtomicBool,
    /// Whether the client to redirect to is gone.
    pub(crate) tracking_is_broken: AtomicBool,
    end: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

impl Client {
    /// A connection that has just come up.
    pub(crate) fn new(
        id: u64,
        address: String,
        local_address: String,
        descriptor: i32,
        is_unix: bool,
        now_ns: u64,
    ) -> Self {
        Self {
            id,
            address,
            local_address,
            descriptor,
            is_unix,
            connected_at_ns: now_ns,
            used_at_ns: AtomicU64::new(now_ns),
            names: Mutex::new(ClientNames::default()),
            database: AtomicU8::new(0),
            version: AtomicU8::new(2),
            queued: AtomicI64::new(-1),
            watched: AtomicU32::new(0),
            last_command: AtomicU16::new(u16::MAX),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            can_redirect: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            input_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            query_bytes: AtomicU64::new(0),
            pending_bytes: AtomicU64::new(0),
            spare_query_bytes: AtomicU64::new(0),
            chunks: AtomicU64::new(0),
            waiting_bytes: AtomicU64::new(0),
            queued_bytes: AtomicU64::new(0),
            held_bytes: AtomicU64::new(0),
            stranger_since_ns: AtomicU64::new(0),
            above_soft_since_ns: AtomicU64::new(0),
            parked: Mutex::new(None),
            inbox: Inbox::default(),
            subscriptions: std::array::from_fn(|_| AtomicU32::new(0)),
            is_monitor: AtomicBool::new(false),
            tracking_redirection: AtomicI64::new(-1),
            tracking_is_broadcast: AtomicBool::new(false),
            tracking_is_broken: AtomicBool::new(false),
            end: AtomicU8::new(0),
            waker: Mutex::new(None),
        }
    }

    /// Whether the connection is to end.
    pub(crate) fn end(&self) -> End {
        match self.end.load(Ordering::Acquire) {
            0 => End::No,
            1 => End::Soon,
            _ => End::Now,
        }
    }

    /// It waits for keys.
    pub(crate) fn begin_wait(&self, parked: &Arc<Parked>) {
        self.is_blocked.store(true, Relaxed);
        let command = registry::number(parked.command());
        self.last_command.store(command, Relaxed);
        *self.parked.lock() = Some(Arc::clone(parked));
    }

    /// It waits for keys no more.
    pub(crate) fn end_wait(&self) {
        *self.parked.lock() = None;
        self.is_blocked.store(false, Relaxed);
    }

    /// Whether it waits for something else: the disk, a pause.
    pub(crate) fn waits_for_no_key(&self) -> bool {
        self.is_blocked.load(Relaxed) && self.parked.lock().is_none()
    }

    /// CLIENT UNBLOCK. Whether it was waiting for keys.
    pub(crate) fn unblock(&self, how: Unblock) -> bool {
        let parked = self.parked.lock().clone();
        parked.is_some_and(|parked| parked.unblock(how))
    }

    /// Where the connection's task is woken.
    pub(crate) fn register(&self, waker: &Waker) {
        *self.waker.lock() = Some(waker.clone());
    }

    /// Ends the connection and wakes it for it.
    pub(crate) fn ask_to_end(&self, end: End) {
        self.end_when_woken(end);
        self.wake();
    }

    /// As [`Client::ask_to_end`], for one that somebody wakes soon.
    pub(crate) fn end_when_woken(&self, end: End) {
        self.end.fetch_max(end as u8, Ordering::AcqRel);
    }

    /// Has the connection's task look at its inbox and at its end.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.lock().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Whether it is subscribed to anything.
    pub(crate) fn is_subscribed(&self) -> bool {
        let mut counts = self.subscriptions.iter();
        counts.any(|count| count.load(Relaxed) > 0)
    }

    /// Whether keys are tracked for it.
    pub(crate) fn is_tracking(&self) -> bool {
        self.tracking_redirection.load(Relaxed) >= 0
    }

    /// Bytes of replies and letters that the socket did not take yet.
    pub(crate) fn unread_bytes(&self) -> u64 {
        self.pending_bytes.load(Relaxed) + self.inbox.bytes()
    }

    /// The letters of CLIENT LIST's `flags`.
    pub(crate) fn flags(&self) -> String {
        let mut flags = String::new();
        for (set, letter) in [
            (self.is_monitor.load(Relaxed), 'O'),
            (self.is_subscribed(), 'P'),
            (self.queued.load(Relaxed) >= 0, 'x'),
            (self.is_blocked.load(Relaxed), 'b'),
            (self.is_tracking(), 't'),
            (self.tracking_is_broken.load(Relaxed), 'R'),
            (self.tracking_is_broadcast.load(Relaxed), 'B'),
            (self.end() == End::Now, 'A'),
            (self.is_unix, 'U'),
            (self.no_evict.load(Relaxed), 'e'),
            (self.no_touch.load(Relaxed), 'T'),
        ] {
            if set {
                flags.push(letter);
            }
        }
        if flags.is_empty() {
            flags.push('N');
        }
        flags
    }

    /// Whole seconds since it connected.
    pub(crate) fn age_s(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.connected_at_ns) / 1_000_000_000
    }

    /// Whole seconds since its last request.
    pub(crate) fn idle_s(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.used_at_ns.load(Relaxed)) / 1_000_000_000
    }

    /// Whether it has been asked for too long who it is.
    pub(crate) fn is_stranger_too_long(&self, now_ns: u64) -> bool {
        let since_ns = self.stranger_since_ns.load(Relaxed);
        since_ns > 0 && now_ns.saturating_sub(since_ns) > STRANGER_WAIT_NS
    }

    /// Appends the line of CLIENT LIST, its end included.
    pub(crate) fn describe(&self, command: &str, now_ns: u64, out: &mut String) {
        let names = self.names.lock().clone();
        let pending = self.unread_bytes();
        let [channels, patterns, shard_channels] =
            [0, 1, 2].map(|kind| self.subscriptions[kind].load(Relaxed));
        let query = self.query_bytes.load(Relaxed);
        let spare = self.spare_query_bytes.load(Relaxed);
        let (waiting, queued) = (&self.waiting_bytes, &self.queued_bytes);
        let (waiting, queued) = (waiting.load(Relaxed), queued.load(Relaxed));
        let events = if pending > 0 { "rw" } else { "r" };
        let capabilities = if self.can_redirect.load(Relaxed) {
            "r"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} capa={capabilities} \
             db={} sub={channels} psub={patterns} ssub={shard_channels} multi={} watch={} qbuf={query} qbuf-free={spare} \
             argv-mem={waiting} multi-mem={queued} rbs=0 rbp=0 obl=0 oll={} omem={pending} tot-mem={} events={events} \
             cmd={command} user=default redir={} resp={} lib-name={} lib-ver={} tot-net-in={} \
             tot-net-out={} tot-cmds={}",
            self.id,
            self.address,
            self.local_address,
            self.descriptor,
            names.name,
            self.age_s(now_ns),
            self.idle_s(now_ns),
            self.flags(),
            self.database.load(Relaxed),
            self.queued.load(Relaxed),
            self.watched.load(Relaxed),
            self.chunks.load(Relaxed) + u64::from(self.inbox.is_filled()),
            self.memory_bytes(),
            self.tracking_redirection.load(Relaxed),
            self.version.load(Relaxed),
            names.library,
            names.library_version,
            self.input_bytes.load(Relaxed),
            self.output_bytes.load(Relaxed),
            self.commands.load(Relaxed),
        );
    }
}

/// All connections of the server.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    last_id: AtomicU64,
    count: AtomicUsize,
    /// The sum of what they hold beyond their entries and inboxes.
    pub(crate) held_bytes: AtomicU64,
    /// At most what those of them hold that are not to be evicted: see `client_memory`.
    pub(crate) spared_bytes: AtomicU64,
    /// About what those of them hold that were evicted and have not gone yet.
    pub(crate) ending_bytes: AtomicU64,
    /// What the store was told last that all hold, their tracked keys included.
    pub(crate) told_bytes: AtomicU64,
    /// Held while one looks for whom to evict.
    pub(crate) evicting: Mutex<()>,
    by_id: Mutex<BTreeMap<u64, Arc<Client>>>,
}

impl Clients {
    /// A number no client had before.
    pub(crate) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Relaxed) + 1
    }

    /// Takes a place among at most `limit` clients; [`Clients::leave`] gives it back.
    pub(crate) fn take_place(&self, limit: u64) -> bool {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let taken = self.count.fetch_update(Relaxed, Relaxed, |count| {
            (count < limit).then_some(count + 1)
        });
        taken.is_ok()
    }

    /// Lists a client that has a place.
    pub(crate) fn enter(&self, client: &Arc<Client>) {
        self.by_id.lock().insert(client.id, Arc::clone(client));
    }

    /// Forgets a client and gives its place back.
    pub(crate) fn leave(&self, client: &Client) {
        self.by_id.lock().remove(&client.id);
        self.hold(client, 0);
        self.count.fetch_sub(1, Relaxed);
    }

    /// How many places are taken.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// The client of that number.
    pub(crate) fn find(&self, id: u64) -> Option<Arc<Client>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// All clients, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        self.by_id.lock().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(clients: &Clients) -> Arc<Client> {
        let id = clients.next_id();
        Arc::new(Client::new(
            id,
            "1.2.3.4:5".into(),
            "1.2.3.4:6".into(),
            9,
            false,
            0,
        ))
    }

    #[test]
    fn places_are_limited_and_come_back() {
        let clients = Clients::default();
        assert!(clients.take_place(1) && !clients.take_place(1));
        let one = client(&clients);
        clients.enter(&one);
        assert_eq!(clients.all().len(), 1);
        clients.leave(&one);
        assert!(clients.all().is_empty() && clients.take_place(1));
    }

    #[test]
    fn an_end_is_never_taken_back() {
        let client = client(&Clients::default());
        client.ask_to_end(End::Now);
        client.ask_to_end(End::Soon);
        assert_eq!(client.end(), End::Now);
        assert_eq!(client.flags(), "A");
    }

    #[test]
    fn the_line_has_the_fields_of_valkey_in_order() {
        let client = client(&Clients::default());
        client.names.lock().name = "me".into();
        let mut line = String::new();
        client.describe("client|list", 2_500_000_000, &mut line);
        let fields: Vec<&str> = line
            .trim_end()
            .split(' ')
            .map(|field| field.split_once('=').unwrap().0)
            .collect();
        let expected = "id addr laddr fd name age idle flags capa db sub psub ssub multi watch \
            qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir \
            resp lib-name lib-ver tot-net-in tot-net-out tot-cmds";
        assert_eq!(fields, expected.split_whitespace().collect::<Vec<_>>());
        assert!(line.contains(" name=me age=2 idle=2 flags=N "));
    }
}
