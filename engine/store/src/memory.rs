//! How much memory there is and how much is used.
//!
//! Owns the sum of what the shards count and what the process is seen to take
//! beyond it, and what clients hold, as the server counts it. Does not free anything: the keeper does. Any thread.
//!
//! `maxmemory` means the process. What the allocator, the stacks, the clients
//! and the log take beyond the counted data is measured, not guessed: the
//! keeper looks at the resident size now and then, and the data's budget is
//! what is left.

use crate::settings::Settings;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use tokio::sync::Notify;

/// Demotion begins at this share of the budget, and ends at the next, percent.
pub(crate) const BEGIN_PERCENT: u64 = 92;
pub(crate) const END_PERCENT: u64 = 90;
/// From this share of the budget on memory is spared, percent.
pub(crate) const SHORT_PERCENT: u64 = 80;
/// From this share of the budget on writers wait, percent.
pub(crate) const WAIT_PERCENT: u64 = 98;

/// See the module.
#[derive(Default)]
pub(crate) struct Memory {
    data_bytes: AtomicI64,
    peak_bytes: AtomicU64,
    /// What clients hold. It comes and goes faster than the resident size is
    /// looked at.
    client_bytes: AtomicU64,
    /// What the process takes beyond `data_bytes` and `client_bytes`.
    overhead_bytes: AtomicU64,
    /// Told when memory was freed.
    pub(crate) freed: Notify,
}

impl Memory {
    /// A shard takes `after` bytes instead of `before`.
    pub(crate) fn moved(&self, before: usize, after: usize) {
        self.data_bytes
            .fetch_add(after as i64 - before as i64, Relaxed);
    }

    /// What the data takes, bytes.
    pub(crate) fn data_bytes(&self) -> u64 {
        u64::try_from(self.data_bytes.load(Relaxed)).unwrap_or(0)
    }

    /// Notes what clients hold, bytes.
    pub(crate) fn set_client_bytes(&self, bytes: u64) {
        self.client_bytes.store(bytes, Relaxed);
    }

    /// Notes the process's resident bytes.
    pub(crate) fn observe_resident(&self, resident_bytes: u64) {
        self.peak_bytes.fetch_max(resident_bytes, Relaxed);
        let counted = self.data_bytes() + self.client_bytes.load(Relaxed);
        let overhead = resident_bytes.saturating_sub(counted);
        // Half of the way at a time: one sample may catch a passing buffer.
        let before = self.overhead_bytes.load(Relaxed);
        let next = if before == 0 {
            overhead
        } else {
            before.midpoint(overhead)
        };
        self.overhead_bytes.store(next, Relaxed);
    }

    /// The most the process took, bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Relaxed)
    }

    /// What the process takes beyond the data, bytes.
    pub(crate) fn overhead_bytes(&self) -> u64 {
        self.overhead_bytes.load(Relaxed)
    }

    /// What the data may take, bytes; `None` without a limit. Never below half
    /// of `maxmemory`: a limit too small for the process itself would
    /// otherwise leave no room for a key.
    pub(crate) fn budget_bytes(&self, settings: &Settings) -> Option<u64> {
        let limit = settings.maxmemory_bytes();
        if limit == 0 {
            return None;
        }
        let others = self.overhead_bytes() + self.client_bytes.load(Relaxed);
        let left = limit.saturating_sub(others);
        Some(left.max(limit / 2))
    }

    /// Whether the data takes at least `percent` of its budget.
    pub(crate) fn is_above(&self, settings: &Settings, percent: u64) -> bool {
        self.budget_bytes(settings)
            .is_some_and(|budget| self.data_bytes() > budget / 100 * percent)
    }
}
