//! Commands that wait for their keys: what a handler asks for, and the clients that wait.
//!
//! Owns the list of those who wait and the claim on each. Does not own the queues at the
//! keys (the store does) nor the running of a command (`executor::blocked` does). Any thread.
//!
//! ```text
//!            claimed by who serves            by the client's own task
//!  Waiting ──────────────────────▶ Running ──────────────────────▶ Handed
//!   │  ▲ ▲                          │  │                             │  │
//!   │  │ └──────────────────────────┘  ▼                             │  │
//!   │  └─────────────────────────── Answered ◀───────────────────────┘  │
//!   ▼    (still wanting)                                       (still wanting)
//!  Withdrawn
//! ```
//!
//! INVARIANT: only who moves a client out of `Waiting` may answer it: a timeout, CLIENT
//! UNBLOCK, the end of the connection and a writer exclude each other.

use crate::error::CommandError;
use crate::reply::{ReplyBuffer, Version};
use crate::table::Command;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use std::future::poll_fn;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use thermocline_base::Lsn;
use thermocline_store::{KeyName, Ticket};
use thermocline_types::ValueKind;

/// The nil a command replies where nothing may wait: inside a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nil {
    /// A null.
    Null,
    /// A null array.
    NullArray,
}

/// What a handler asks for that found nothing to reply with: to be run again once one of
/// its keys has changed. It has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which of the command's keys it waits for.
    pub keys: Range<usize>,
    /// What a key must have become.
    pub kind: ValueKind,
    /// Whether a key that is gone, or has become something else, is an event too.
    pub wants_absence: bool,
    /// How long, in ms; `None` for ever.
    pub timeout_ms: Option<u64>,
    /// The reply where nothing may wait. (After a timeout it is a null array.)
    pub nil: Nil,
    /// Arguments by position that stand for something that must not move while the client
    /// waits, such as the `$` of XREAD, and what they stand for.
    pub replaced: Vec<(usize, Vec<u8>)>,
}

impl Block {
    /// A wait for any of `keys` to become a `kind`.
    #[must_use]
    pub const fn new(keys: Range<usize>, kind: ValueKind, timeout_ms: Option<u64>) -> Self {
        Self {
            keys,
            kind,
            wants_absence: false,
            timeout_ms,
            nil: Nil::NullArray,
            replaced: Vec::new(),
        }
    }
}

/// How CLIENT UNBLOCK ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblock {
    /// As its timeout would.
    Timeout,
    /// With an error.
    Error,
}

/// What became of a wait.
#[derive(Debug)]
pub enum Woken {
    /// The reply, and the log position it depends on.
    Answered(ReplyBuffer, Lsn),
    /// The command has to be run by the client's task: something must be read or waited for.
    Handed,
}

#[derive(Debug)]
enum State {
    Waiting,
    /// Somebody runs its command.
    Running,
    /// Its own task is to run the command; whether a key has changed again since.
    Handed {
        again: bool,
    },
    Answered(ReplyBuffer, Lsn),
    Withdrawn,
}

#[derive(Debug)]
struct Inner {
    state: State,
    waker: Option<Waker>,
}

/// A client that waits, its command included.
#[derive(Debug)]
pub struct Parked {
    pub(crate) ticket: Ticket,
    pub(crate) command: &'static Command,
    pub(crate) database: u8,
    arguments: Vec<Box<[u8]>>,
    /// The keys it waits for, of its database.
    pub(crate) keys: Vec<Box<[u8]>>,
    pub(crate) kind: ValueKind,
    pub(crate) wants_absence: bool,
    pub(crate) version: Version,
    /// How long it waits, in ms; `None` for ever.
    pub timeout_ms: Option<u64>,
    inner: Mutex<Inner>,
}

impl Parked {
    pub(crate) fn new(
        ticket: Ticket,
        (command, database): (&'static Command, u8),
        arguments: Vec<Box<[u8]>>,
        keys: Vec<Box<[u8]>>,
        block: &Block,
        version: Version,
    ) -> Self {
        Self {
            ticket,
            command,
            database,
            arguments,
            keys,
            kind: block.kind,
            wants_absence: block.wants_absence,
            version,
            timeout_ms: block.timeout_ms,
            inner: Mutex::new(Inner {
                state: State::Waiting,
                waker: None,
            }),
        }
    }

    /// The command that waits.
    #[must_use]
    pub const fn command(&self) -> &'static Command {
        self.command
    }

    /// Its request, the command's name included.
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        self.arguments.iter().map(AsRef::as_ref)
    }

    /// About what it takes while it waits, here and in the queues of its keys, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        /// Beside the bytes of an argument, and of a key with its place in a queue.
        const ARGUMENT_BYTES: usize = 16;
        const KEY_BYTES: usize = 160;
        let arguments = self
            .arguments
            .iter()
            .map(|word| word.len() + ARGUMENT_BYTES);
        let keys = self.keys.iter().map(|key| 2 * key.len() + KEY_BYTES);
        arguments.chain(keys).sum()
    }

    /// The keys it waits for.
    pub(crate) fn names(&self) -> impl Iterator<Item = KeyName<'_>> {
        self.keys.iter().map(|key| KeyName {
            database: self.database,
            key,
        })
    }

    /// Returns once the wait has ended, or the client's task has to run the command.
    pub async fn woken(&self) -> Woken {
        poll_fn(|context| {
            let mut inner = self.inner.lock();
            match std::mem::replace(&mut inner.state, State::Withdrawn) {
                State::Answered(reply, lsn) => return Poll::Ready(Woken::Answered(reply, lsn)),
                state => inner.state = state,
            }
            if matches!(inner.state, State::Handed { .. }) {
                return Poll::Ready(Woken::Handed);
            }
            inner.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Ends the wait without serving it. `false` if another was faster: [`Parked::woken`]
    /// tells what it did.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        let mut inner = self.inner.lock();
        let waits = matches!(inner.state, State::Waiting);
        if waits {
            inner.state = State::Withdrawn;
        }
        waits
    }

    /// Ends the wait for CLIENT UNBLOCK. Whether the client was waiting.
    #[must_use]
    pub fn unblock(&self, how: Unblock) -> bool {
        let mut inner = self.inner.lock();
        if !matches!(inner.state, State::Waiting) {
            return false;
        }
        let mut reply = ReplyBuffer::new(self.version);
        match how {
            Unblock::Timeout => reply.null_array(),
            Unblock::Error => reply.refuse(&CommandError::Unblocked),
        }
        inner.answer(reply, Lsn::ZERO);
        true
    }

    /// Takes the right to run the command. `None` if nobody is to; `false` if its own task
    /// is about to, which then looks at the keys once more.
    pub(crate) fn claim(&self) -> Option<bool> {
        let mut inner = self.inner.lock();
        match &mut inner.state {
            State::Waiting => {
                inner.state = State::Running;
                Some(true)
            }
            State::Handed { again } => {
                *again = true;
                Some(false)
            }
            // Running: one at a time serves, see `Waiters::serving`.
            State::Running | State::Answered(..) | State::Withdrawn => None,
        }
    }

    /// Ends a claim with the reply.
    pub(crate) fn answer(&self, reply: ReplyBuffer, lsn: Lsn) {
        self.inner.lock().answer(reply, lsn);
    }

    /// Ends a claim: the client waits on. `false` if a key has changed meanwhile and its
    /// task has to look again.
    pub(crate) fn wait_on(&self) -> bool {
        let mut inner = self.inner.lock();
        match &mut inner.state {
            State::Handed {
                again: again @ true,
            } => {
                *again = false;
                false
            }
            _ => {
                inner.state = State::Waiting;
                true
            }
        }
    }

    /// Whether its own task was to run it.
    pub(crate) fn is_handed(&self) -> bool {
        matches!(self.inner.lock().state, State::Handed { .. })
    }

    /// Ends a claim: the client's own task takes over.
    pub(crate) fn hand_over(&self) {
        let mut inner = self.inner.lock();
        inner.state = State::Handed { again: false };
        inner.wake();
    }
}

impl Inner {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn answer(&mut self, reply: ReplyBuffer, lsn: Lsn) {
        self.state = State::Answered(reply, lsn);
        self.wake();
    }
}

/// All clients that wait, of all threads.
#[derive(Debug, Default)]
pub struct Waiters {
    last_ticket: AtomicU64,
    by_ticket: Mutex<HashMap<Ticket, Arc<Parked>>>,
    /// Held by who serves them: the first to come is the first to be run.
    pub(crate) serving: Mutex<()>,
}

impl Waiters {
    pub(crate) fn next_ticket(&self) -> Ticket {
        self.last_ticket.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn enter(&self, parked: &Arc<Parked>) {
        let entry = Arc::clone(parked);
        self.by_ticket.lock().insert(parked.ticket, entry);
    }

    pub(crate) fn leave(&self, ticket: Ticket) {
        self.by_ticket.lock().remove(&ticket);
    }

    pub(crate) fn find(&self, ticket: Ticket) -> Option<Arc<Parked>> {
        self.by_ticket.lock().get(&ticket).cloned()
    }

    /// How many wait.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_ticket.lock().len()
    }

    /// How many keys are waited for, and of how many of them somebody wants to know when
    /// the key is gone.
    #[must_use]
    pub fn waited_keys(&self) -> (usize, usize) {
        let parked = self.by_ticket.lock();
        let keys = |parked: &&Arc<Parked>| -> Vec<(u8, Box<[u8]>)> {
            let keys = parked.keys.iter();
            keys.map(|key| (parked.database, key.clone())).collect()
        };
        let all: HashSet<_> = parked.values().flat_map(|it| keys(&it)).collect();
        let absences = parked.values().filter(|parked| parked.wants_absence);
        let absences: HashSet<_> = absences.flat_map(|it| keys(&it)).collect();
        (all.len(), absences.len())
    }

    /// How many of them wait with a timeout.
    #[must_use]
    pub fn count_with_timeout(&self) -> usize {
        let parked = self.by_ticket.lock();
        let timed = parked.values().filter(|parked| parked.timeout_ms.is_some());
        timed.count()
    }
}
