//! What the keeper is asked for, and what it says of its work.
//!
//! Owns the wake-up of the keeper and the notices that tasks wait for. Does
//! none of the work. Any thread.

use crate::durable::DurableWaits;
use crate::keeper::BackupReport;
use crate::manifest::Manifest;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use thermocline_base::{KeyHash, Lsn, UnixMillis};
use tokio::sync::{Notify, oneshot};

/// What is known of checkpoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckpointState {
    /// The highest request that a finished checkpoint answers.
    pub(crate) served: u64,
    pub(crate) is_running: bool,
    /// Why the last one failed, if it did.
    pub(crate) failure: Option<String>,
    /// Unix seconds of the last that became durable.
    pub(crate) at_s: i64,
    pub(crate) took_ms: i64,
    pub(crate) count: u64,
    /// Changes that had been made when the last one began.
    pub(crate) changes: u64,
    /// Where a restart would begin to replay.
    pub(crate) lsn: Lsn,
}

/// A backup that is asked for.
pub(crate) struct BackupRequest {
    /// The directory to be made.
    pub(crate) path: PathBuf,
    /// Told how it ended.
    pub(crate) done: oneshot::Sender<Result<BackupReport, String>>,
}

/// See the module.
pub(crate) struct Control {
    backups: Mutex<VecDeque<BackupRequest>>,
    wake: Mutex<bool>,
    woken: Condvar,
    /// Whether the keeper sleeps: only then a wake-up costs a lock.
    sleeping: AtomicBool,
    stop: AtomicBool,
    last_checkpoint: AtomicBool,
    requested: AtomicU64,
    checkpoint: Mutex<CheckpointState>,
    /// Of `checkpoint`, for those who ask often.
    checkpoint_lsn: AtomicU64,
    wanted: Mutex<VecDeque<KeyHash>>,
    settled: AtomicBool,
    /// Why that cannot be, as far as it shows now.
    damage: Mutex<Option<String>>,
    /// How often in a row no room could be made.
    relief_failures: AtomicU32,
    tier_full: AtomicBool,
    /// Why the tier could not be written when it was tried last.
    tier_failure: Mutex<Option<String>>,
    /// No field of a hash in memory that was given an expiry since the keeper looked last
    /// expires before this, in Unix ms.
    field_expiry_ms: AtomicI64,
    /// Told when shards have come up or the tail is applied.
    pub(crate) loaded: Notify,
    /// Told when a checkpoint has ended.
    pub(crate) checkpointed: Notify,
    /// Told when more of the log is durable.
    pub(crate) durable: DurableWaits,
}

impl Control {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        Self {
            wake: Mutex::new(false),
            woken: Condvar::new(),
            sleeping: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            last_checkpoint: AtomicBool::new(false),
            backups: Mutex::default(),
            requested: AtomicU64::new(0),
            checkpoint: Mutex::new(CheckpointState {
                took_ms: -1,
                lsn: manifest.checkpoint_lsn,
                ..CheckpointState::default()
            }),
            checkpoint_lsn: AtomicU64::new(manifest.checkpoint_lsn.0),
            wanted: Mutex::default(),
            settled: AtomicBool::new(false),
            damage: Mutex::default(),
            relief_failures: AtomicU32::new(0),
            tier_full: AtomicBool::new(false),
            tier_failure: Mutex::default(),
            field_expiry_ms: AtomicI64::new(i64::MAX),
            loaded: Notify::new(),
            checkpointed: Notify::new(),
            durable: DurableWaits::default(),
        }
    }

    /// Has the keeper look for fields that have expired at `expiry`.
    pub(crate) fn note_field_expiry(&self, expiry: UnixMillis) {
        self.field_expiry_ms.fetch_min(expiry.0, Ordering::Relaxed);
    }

    /// The earliest expiry noted and not taken; `i64::MAX` where there is none.
    pub(crate) fn field_expiry(&self) -> UnixMillis {
        UnixMillis(self.field_expiry_ms.load(Ordering::Relaxed))
    }

    /// Takes what was noted: whoever looks at all hashes from now on meets it.
    pub(crate) fn take_field_expiry(&self) {
        self.field_expiry_ms.store(i64::MAX, Ordering::Relaxed);
    }

    /// Returns once `holds`, looking again whenever `notify` is told.
    pub(crate) async fn wait(notify: &Notify, holds: impl Fn() -> bool) {
        loop {
            let told = notify.notified();
            tokio::pin!(told);
            // From here on nothing is missed.
            told.as_mut().enable();
            if holds() {
                return;
            }
            told.await;
        }
    }

    /// Has the keeper look around now.
    pub(crate) fn wake(&self) {
        if self.sleeping.load(Ordering::Relaxed) {
            *self.wake.lock() = true;
            self.woken.notify_one();
        }
    }

    /// The keeper sleeps until it is woken, at most `limit`.
    pub(crate) fn sleep(&self, limit: Duration) {
        let mut woken = self.wake.lock();
        if !*woken && !self.is_stopping() {
            self.sleeping.store(true, Ordering::Relaxed);
            self.woken.wait_for(&mut woken, limit);
            self.sleeping.store(false, Ordering::Relaxed);
        }
        *woken = false;
    }

    pub(crate) fn stop(&self, checkpoint: bool) {
        self.last_checkpoint.store(checkpoint, Ordering::Release);
        self.stop.store(true, Ordering::Release);
        *self.wake.lock() = true;
        self.woken.notify_one();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(crate) fn wants_last_checkpoint(&self) -> bool {
        self.last_checkpoint.load(Ordering::Acquire)
    }

    /// Asks for a checkpoint; its ticket.
    pub(crate) fn request_checkpoint(&self) -> u64 {
        let ticket = self.requested.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        ticket
    }

    /// The highest ticket given out.
    pub(crate) fn request_backup(&self, request: BackupRequest) {
        self.backups.lock().push_back(request);
        self.wake();
    }

    pub(crate) fn take_backup(&self) -> Option<BackupRequest> {
        self.backups.lock().pop_front()
    }

    pub(crate) fn requested(&self) -> u64 {
        self.requested.load(Ordering::Acquire)
    }

    pub(crate) fn checkpoint(&self) -> CheckpointState {
        self.checkpoint.lock().clone()
    }

    pub(crate) fn with_checkpoint(&self, change: impl FnOnce(&mut CheckpointState)) {
        let mut state = self.checkpoint.lock();
        change(&mut state);
        self.checkpoint_lsn.store(state.lsn.0, Ordering::Relaxed);
    }

    /// Where a restart would begin to replay.
    pub(crate) fn checkpoint_lsn(&self) -> Lsn {
        Lsn(self.checkpoint_lsn.load(Ordering::Relaxed))
    }

    /// Asks for what the image and the log hold for these keys.
    pub(crate) fn want(&self, keys: &[KeyHash]) {
        self.wanted.lock().extend(keys);
        self.wake();
    }

    /// Takes at most `most` of the keys asked for, those that have waited longest.
    pub(crate) fn take_wanted(&self, most: usize) -> Vec<KeyHash> {
        let mut wanted = self.wanted.lock();
        let count = most.min(wanted.len());
        wanted.drain(..count).collect()
    }

    /// Not everything can come up: those who wait for it are told why.
    pub(crate) fn set_damage(&self, reason: String) {
        *self.damage.lock() = Some(reason);
        self.loaded.notify_waiters();
    }

    pub(crate) fn damage(&self) -> Option<String> {
        self.damage.lock().clone()
    }

    pub(crate) fn set_settled(&self) {
        *self.damage.lock() = None;
        self.settled.store(true, Ordering::Release);
        self.loaded.notify_waiters();
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// The keeper tried to make room; whether it could.
    pub(crate) fn note_relief(&self, freed: bool) {
        let failures = if freed {
            0
        } else {
            self.relief_failures
                .load(Ordering::Relaxed)
                .saturating_add(1)
        };
        self.relief_failures.store(failures, Ordering::Relaxed);
    }

    /// Notes whether the tier can take no more than is in it.
    pub(crate) fn set_tier_full(&self, is_full: bool) {
        self.tier_full.store(is_full, Ordering::Relaxed);
    }

    /// Whether the tier can take no more than is in it.
    pub(crate) fn is_tier_full(&self) -> bool {
        self.tier_full.load(Ordering::Relaxed)
    }

    /// Notes that the disk took, or why it did not take, what sinks.
    pub(crate) fn set_tier_failure(&self, failure: Option<String>) {
        *self.tier_failure.lock() = failure;
    }

    /// Why the disk did not take what should sink, when it was tried last.
    pub(crate) fn tier_failure(&self) -> Option<String> {
        self.tier_failure.lock().clone()
    }

    /// Whether nothing can be freed: writes are refused. One failure says
    /// little, as keys that were changed while they were written stay.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        const FAILURES: u32 = 4;
        self.relief_failures.load(Ordering::Relaxed) >= FAILURES
    }
}
