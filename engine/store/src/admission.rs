//! When a write may begin, and when a reply may leave.
//!
//! Owns the questions, and the waits for a better answer. Does not own what
//! makes it better: the keeper frees memory, the flusher makes durable. Any
//! thread; nothing here is called under a shard's lock.

use crate::memory::{BEGIN_PERCENT, WAIT_PERCENT};
use crate::store::Store;
use std::time::Duration;
use thermocline_base::Lsn;

/// Whether a write may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Go,
    /// Memory is being freed: wait for [`Store::memory_freed`] and ask again.
    Wait,
    /// The log takes no more before it is written, or before a checkpoint: wait
    /// for [`Store::memory_freed`] and ask again, however long.
    WaitForLog,
    /// No memory can be freed: -OOM.
    OutOfMemory,
    /// The log cannot be written for this reason: -MISCONF.
    LogFails(String),
    /// What would free memory or the log, writing to the tier or a checkpoint,
    /// fails for this reason: -MISCONF.
    DiskFails(String),
}

impl Store {
    /// Whether a write may begin; `needs_memory` says that it may take more.
    #[must_use]
    pub fn admit(&self, needs_memory: bool) -> Admission {
        if !self.log.has_room() {
            return match self.log.failure() {
                Some(reason) => Admission::LogFails(reason),
                None => Admission::WaitForLog,
            };
        }
        if let Some(reason) = self.log.failure().filter(|_| self.log.is_kept()) {
            return Admission::LogFails(reason);
        }
        if self.log_tail_bytes() >= self.log_tail_max_bytes() {
            self.control.wake();
            let failure = self.control.checkpoint().failure;
            return failure.map_or(Admission::WaitForLog, Admission::DiskFails);
        }
        if !needs_memory {
            return Admission::Go;
        }
        // What a checkpoint cannot write below the limit it writes beyond: more
        // of it must not come.
        if self.control.is_tier_full() && !self.settings.policy().evicts_any() {
            return Admission::OutOfMemory;
        }
        if !self.memory.is_above(&self.settings, BEGIN_PERCENT) {
            return Admission::Go;
        }
        self.control.wake();
        if !self.memory.is_above(&self.settings, WAIT_PERCENT) {
            return Admission::Go;
        }
        if !self.control.is_out_of_memory() {
            return Admission::Wait;
        }
        let failure = self.control.tier_failure();
        failure.map_or(Admission::OutOfMemory, Admission::DiskFails)
    }

    /// Bytes of log that a restart would have to apply.
    pub(crate) fn log_tail_bytes(&self) -> u64 {
        let from = self.control.checkpoint_lsn();
        self.log.appended_lsn().bytes_since(from)
    }

    /// From here on writes wait for a checkpoint, so that what a restart has to
    /// apply is bounded. No checkpoint can be made before the last tail is
    /// applied: meanwhile there is room for as much again as makes one due.
    fn log_tail_max_bytes(&self) -> u64 {
        let due_bytes = self.settings.checkpoint_wal_bytes();
        due_bytes.saturating_mul(if self.is_settled() { 2 } else { 3 })
    }

    /// Notes what clients make the server hold, in bytes: keys have so much less.
    pub fn set_client_bytes(&self, bytes: u64) {
        self.memory.set_client_bytes(bytes);
    }

    /// Whether a cold key that is read may take memory.
    pub(crate) fn may_promote(&self) -> bool {
        let above = self.memory.is_above(&self.settings, BEGIN_PERCENT);
        if above {
            self.control.wake();
        }
        !above || !self.memory.is_above(&self.settings, WAIT_PERCENT)
    }

    /// Returns when memory was freed or the log has room again, or after a
    /// while.
    pub async fn memory_freed(&self) {
        const WHILE: Duration = Duration::from_millis(5);
        let _ = tokio::time::timeout(WHILE, self.memory.freed.notified()).await;
    }

    /// Whether a reply that saw the state up to `lsn` may leave now, by
    /// `appendfsync`.
    #[must_use]
    pub fn may_acknowledge(&self, lsn: Lsn) -> bool {
        self.log.may_acknowledge(lsn)
    }

    /// Returns when [`Store::may_acknowledge`] holds.
    pub async fn acknowledgeable(&self, lsn: Lsn) {
        let waits = &self.control.durable;
        waits.wait(lsn, || self.may_acknowledge(lsn)).await;
    }

    /// Where the log ends now: what was done before is below.
    #[must_use]
    pub fn appended_lsn(&self) -> Lsn {
        self.log.appended_lsn()
    }

    /// Returns when everything below `lsn` survives a power cut, asking for a
    /// sync whatever the policy. Without a log at once.
    pub async fn durable(&self, lsn: Lsn) {
        if !self.log.is_kept() {
            return;
        }
        self.log.wal().request_durable(lsn);
        let is_durable = || self.log.wal().durable_lsn() >= lsn;
        self.control.durable.wait(lsn, is_durable).await;
    }
}
