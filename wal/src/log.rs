//! The log as its users see it: recover, open, append, wait, retire.
//!
//! Owns what appenders and the flusher share: the ring, the positions, the
//! policy, the status, the subscribers. Every method of [`Wal`] runs on any
//! thread, and none waits for the disk but [`Wal::recover`] and [`Wal::open`].
//!
//! INVARIANT: `appended_lsn ≥ written_lsn ≥ durable_lsn`.

use crate::ahead::SEGMENT_MAX_BYTES;
use crate::error::WalError;
use crate::flusher::Flusher;
use crate::frame::SEGMENT_HEADER_BYTES;
use crate::recover::{self, Recovered};
use crate::ring::{Appended, Credit, Ring};
use crate::salvage::{self, Salvaged};
use crate::scan::Frame;
use crate::segments::Segments;
use crate::sync_times::{SyncTimes, Syncs};
use crate::wake::Wake;
use parking_lot::Mutex;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{Clock, Lsn, UnixMillis};
use thermocline_disk::Disk;

/// The largest frame of any log, header included, in bytes.
pub const FRAME_MAX_BYTES: usize = 4 << 20;

/// When what was written is synced (`appendfsync`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// In every step that finds something not durable.
    Always = 0,
    /// Half a second after the last sync began.
    #[default]
    EverySecond = 1,
    /// Only when asked to, when a segment ends, or to free the ring.
    Never = 2,
}

/// Whether the log takes writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It does.
    #[default]
    Ready,
    /// The disk fails: nothing becomes durable, and the flusher tries again.
    Refusing {
        /// What the disk said last.
        reason: String,
    },
}

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct WalOptions {
    /// Its directory, below the data directory.
    pub directory: String,
    /// Size of a segment's file in bytes: rounded up to pages, 64 KiB to 1 GiB.
    pub segment_bytes: u64,
    /// Size of the ring in bytes: rounded up to a power of two of at least
    /// 4 KiB. A quarter of it bounds a frame.
    pub ring_bytes: usize,
    /// When to sync.
    pub policy: Policy,
    /// Where the time comes from.
    pub clock: Clock,
}

type Subscriber = Box<dyn Fn(Lsn) + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) ring: Ring,
    pub(crate) written: AtomicU64,
    durable: AtomicU64,
    pub(crate) wanted: AtomicU64,
    pub(crate) retire_below: AtomicU64,
    pub(crate) retire_until_ms: AtomicI64,
    pub(crate) oldest: AtomicU64,
    pub(crate) oldest_ms: AtomicI64,
    pub(crate) syncs: Syncs,
    policy: AtomicU8,
    history: (u64, Lsn),
    status: Mutex<Status>,
    is_ready: AtomicBool,
    subscribers: Mutex<Vec<Subscriber>>,
    wake: Wake,
}

impl Shared {
    pub(crate) fn durable_lsn(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    pub(crate) fn policy(&self) -> Policy {
        match self.policy.load(Ordering::Relaxed) {
            0 => Policy::Always,
            1 => Policy::EverySecond,
            _ => Policy::Never,
        }
    }

    fn wanted_lsn(&self) -> Lsn {
        Lsn(self.wanted.load(Ordering::Acquire))
    }

    /// Whether the flusher should not sleep over what is published: someone
    /// waits for it, or for the room it takes. Otherwise it writes what has
    /// gathered now and then, for far fewer wake-ups and writes.
    pub(crate) fn is_urgent(&self) -> bool {
        self.policy() == Policy::Always
            || self.wanted_lsn() > self.durable_lsn()
            || self.ring.free_bytes() < self.ring.bytes() / 4 * 3
    }

    pub(crate) fn set_status(&self, status: Status) {
        let mut held = self.status.lock();
        self.is_ready
            .store(status == Status::Ready, Ordering::Release);
        *held = status;
    }

    pub(crate) fn advance_durable(&self, to: Lsn) {
        self.durable.store(to.0, Ordering::Release);
        for subscriber in self.subscribers.lock().iter() {
            subscriber(to);
        }
    }
}

/// A handle on the log; clones share it.
#[derive(Clone)]
pub struct Wal {
    shared: Arc<Shared>,
}

impl Wal {
    /// Reads the log of `directory` and visits in order every frame, watermarks
    /// and seals included, from position `from` on, which must be the start of
    /// a frame or the end of the log. On return all that was visited is
    /// durable. Without any file and with `from` zero the log is new.
    ///
    /// # Errors
    /// [`WalError::Corruption`] if what had been durable is damaged, or the log
    /// does not reach `must_reach`; [`WalError::Missing`] if no segment holds
    /// `from`; what the disk refused.
    pub fn recover(
        disk: &Disk,
        directory: &str,
        from: Lsn,
        must_reach: Lsn,
        visit: &mut dyn FnMut(Frame<'_>),
    ) -> Result<Recovered, WalError> {
        recover::recover(disk, directory, from, must_reach, visit)
    }

    /// As [`Wal::recover`], but nothing is synced and no file is opened to be
    /// written: for looking at a log that nobody goes on with.
    ///
    /// # Errors
    /// As [`Wal::recover`].
    pub fn read(
        disk: &Disk,
        directory: &str,
        from: Lsn,
        must_reach: Lsn,
        visit: &mut dyn FnMut(Frame<'_>),
    ) -> Result<Recovered, WalError> {
        recover::read(disk, directory, from, must_reach, visit)
    }

    /// Reads what is intact of a log whatever its damage, from position `from` on, without
    /// it from the oldest segment on: tells each intact frame and, between them, what is
    /// lost. Syncs and changes nothing.
    ///
    /// # Errors
    /// What the disk refused before anything could be read.
    pub fn salvage(
        disk: &Disk,
        directory: &str,
        from: Option<Lsn>,
        tell: &mut dyn FnMut(Salvaged<'_>),
    ) -> Result<Recovered, WalError> {
        salvage::salvage(disk, directory, from, tell)
    }

    /// Opens the log where `recovered` ends, in a new segment with a fresh
    /// identity from `seed`, which must be random. On return that segment is
    /// durable; on a device without room for it the log refuses writes until
    /// there is some. The flusher is the caller's to step, or to [`spawn`].
    ///
    /// # Errors
    /// What the disk refused.
    pub fn open(
        disk: &Disk,
        options: WalOptions,
        recovered: &Recovered,
        seed: u64,
    ) -> Result<(Self, Flusher), WalError> {
        let page = PAGE_BYTES as u64;
        let segment_bytes =
            (options.segment_bytes.clamp(64 << 10, SEGMENT_MAX_BYTES)).next_multiple_of(page);
        let room = segment_bytes as usize - SEGMENT_HEADER_BYTES;
        let ring_bytes = options.ring_bytes.max(PAGE_BYTES).next_power_of_two();
        let frame_max_bytes = FRAME_MAX_BYTES.min(room).min(ring_bytes / 4);
        let directory = options.directory;
        let segments = Segments::new(disk.clone(), directory, segment_bytes, recovered, seed)?;
        let start = recovered.end;
        let shared = Arc::new(Shared {
            ring: Ring::new(ring_bytes, frame_max_bytes, start),
            written: AtomicU64::new(start.0),
            durable: AtomicU64::new(start.0),
            wanted: AtomicU64::new(0),
            retire_below: AtomicU64::new(0),
            retire_until_ms: AtomicI64::new(i64::MAX),
            oldest_ms: AtomicI64::new(
                recovered
                    .segments
                    .first()
                    .map_or(0, |it| it.header.begun_at.0),
            ),
            oldest: AtomicU64::new(
                recovered
                    .segments
                    .first()
                    .map_or(recovered.end.0, |it| it.header.start_lsn.0),
            ),
            syncs: Syncs::default(),
            policy: AtomicU8::new(options.policy as u8),
            history: segments.history(),
            status: Mutex::default(),
            is_ready: AtomicBool::new(true),
            subscribers: Mutex::default(),
            wake: Wake::new(),
        });
        let mut flusher = Flusher::new(
            Arc::clone(&shared),
            segments,
            options.clock,
            segment_bytes,
            frame_max_bytes,
        );
        match flusher.step() {
            // What was recovered is durable without it, and retiring is what may
            // make room.
            Err(WalError::Disk(error)) if error.io_error_kind() == ErrorKind::StorageFull => {}
            stepped => drop(stepped?),
        }
        Ok((Self { shared }, flusher))
    }

    /// Room for one frame of at most `payload_bytes`; `None` if the ring is too
    /// full now, or the frame larger than a frame may be. To be taken before
    /// any lock.
    #[must_use]
    pub fn try_credit(&self, payload_bytes: usize) -> Option<Credit<'_>> {
        self.shared.ring.try_credit(payload_bytes)
    }

    /// Appends one frame whose payload is the concatenation of `parts`. Never
    /// blocks. Nothing is durable on return.
    ///
    /// # Panics
    /// If the payload is larger than the credit, or the credit another log's.
    pub fn append(&self, credit: Credit<'_>, parts: &[&[u8]]) -> Appended {
        let appended = self.shared.ring.append(credit, parts);
        if self.shared.is_urgent() {
            self.shared.wake.wake_if_sleeping();
        }
        appended
    }

    /// Where the next frame will start.
    #[must_use]
    pub fn appended_lsn(&self) -> Lsn {
        self.shared.ring.appended_lsn()
    }

    /// Everything below was handed to the kernel.
    #[must_use]
    pub fn written_lsn(&self) -> Lsn {
        Lsn(self.shared.written.load(Ordering::Acquire))
    }

    /// How long syncs take, by `clock`, which must be the one that the log was opened with.
    #[must_use]
    pub fn sync_times(&self, clock: &Clock) -> SyncTimes {
        self.shared.syncs.times(clock)
    }

    /// Where the oldest part of the log begins that is still there.
    #[must_use]
    pub fn oldest_lsn(&self) -> Lsn {
        Lsn(self.shared.oldest.load(Ordering::Acquire))
    }

    /// Everything below survives a power cut.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.shared.durable_lsn()
    }

    /// Room for frames now, in bytes.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.shared.ring.free_bytes()
    }

    /// Size of the ring, in bytes.
    #[must_use]
    pub fn ring_bytes(&self) -> u64 {
        self.shared.ring.bytes()
    }

    /// When what was written is synced.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.shared.policy()
    }

    /// Asks for a sync up to `lsn` whatever the policy; subscribers hear of it.
    pub fn request_durable(&self, lsn: Lsn) {
        self.shared.wanted.fetch_max(lsn.0, Ordering::AcqRel);
        self.shared.wake.wake_if_sleeping();
    }

    /// When the oldest segment was begun that is still there: what it holds is no older.
    /// 0 if that is not known.
    #[must_use]
    pub fn oldest_at(&self) -> UnixMillis {
        UnixMillis(self.shared.oldest_ms.load(Ordering::Acquire))
    }

    /// Gives up what is below `below`, which no recovery will ask for again, but keeps
    /// what may be younger than `until`, if there is that: a later flusher step recycles
    /// or removes segments wholly given up.
    pub fn retire(&self, below: Lsn, until: Option<UnixMillis>) {
        let until_ms = until.map_or(i64::MAX, |until| until.0);
        self.shared
            .retire_until_ms
            .store(until_ms, Ordering::Release);
        self.shared
            .retire_below
            .fetch_max(below.0, Ordering::AcqRel);
        self.shared.wake.wake_if_sleeping();
    }

    /// Changes when to sync.
    pub fn set_policy(&self, policy: Policy) {
        self.shared.policy.store(policy as u8, Ordering::Relaxed);
        self.shared.wake.wake_if_sleeping();
    }

    /// Whether the log takes writes, without the reason if not.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.is_ready.load(Ordering::Acquire)
    }

    /// Whether the log takes writes; the caller refuses them if not.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.status.lock().clone()
    }

    /// The history's identity and the position where it began.
    #[must_use]
    pub fn history(&self) -> (u64, Lsn) {
        self.shared.history
    }

    /// Has `subscriber` called with each new `durable_lsn`, on the flusher's
    /// thread; it must be quick and must not subscribe.
    pub fn subscribe(&self, subscriber: Box<dyn Fn(Lsn) + Send + Sync>) {
        self.shared.subscribers.lock().push(subscriber);
    }
}

/// A flusher on its own thread.
pub struct FlusherThread {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), WalError>>,
}

/// Runs `flusher` on a thread of its own, which sleeps while nothing is to do.
///
/// # Errors
/// If the thread cannot be had.
pub fn spawn(mut flusher: Flusher) -> std::io::Result<FlusherThread> {
    const TICK: Duration = Duration::from_millis(20);
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let shared = Arc::clone(&flusher.shared);
    let thread = std::thread::Builder::new()
        .name("wal-flusher".to_owned())
        .spawn(move || {
            while !stopping.load(Ordering::Acquire) {
                let step = flusher.step();
                if let Err(error) = &step {
                    tracing::error!(%error, "the log cannot be written; trying again");
                }
                let shared = &flusher.shared;
                if step.as_ref().is_ok_and(|progress| progress.more) && shared.is_urgent() {
                    continue;
                }
                let is_work = || {
                    let missed = step.is_ok()
                        && shared.is_urgent()
                        && (shared.ring.published(shared_written(shared)).is_some()
                            || shared.wanted_lsn() > shared.durable_lsn());
                    missed || stopping.load(Ordering::Acquire)
                };
                shared.wake.sleep_unless(is_work, TICK);
            }
            flusher.close()
        })?;
    Ok(FlusherThread {
        shared,
        stop,
        thread,
    })
}

fn shared_written(shared: &Shared) -> Lsn {
    Lsn(shared.written.load(Ordering::Acquire))
}

impl FlusherThread {
    /// Makes everything appended durable, seals the log and ends the thread. No
    /// append may follow.
    ///
    /// # Errors
    /// What the disk refused: the log is then not sealed.
    ///
    /// # Panics
    /// If the flusher's thread panicked.
    pub fn close(self) -> Result<(), WalError> {
        self.stop.store(true, Ordering::Release);
        self.shared.wake.wake();
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
