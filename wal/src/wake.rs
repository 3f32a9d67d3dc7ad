//! The flusher's sleep, and how those that publish end it.
//!
//! Owns whether the flusher sleeps. Does not know what it waits for: each side brings its
//! own look at that. Any thread wakes, one sleeps.

use super::sync::{AtomicBool, Condvar, Mutex, Ordering, fence};
use std::time::Duration;

/// See the module.
pub(crate) struct Wake {
    sleeping: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Wake {
    pub(crate) fn new() -> Self {
        Self {
            sleeping: AtomicBool::new(false),
            lock: Mutex::new(()),
            woken: Condvar::new(),
        }
    }

    /// To be called after publishing; costs a look if nobody sleeps.
    ///
    /// ORDERING: the caller published, then looks whether the flusher sleeps;
    /// the flusher says that it sleeps, then looks for what is published. The
    /// two fences let at most one of them miss the other.
    pub(crate) fn wake_if_sleeping(&self) {
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Wakes the flusher if it sleeps, or is about to. The lock has it be either before its
    /// look at what is published, or asleep.
    pub(crate) fn wake(&self) {
        let _guard = self.lock.lock();
        self.woken.notify_one();
    }

    /// Sleeps until woken, `limit` at most, unless there `is_work`.
    pub(crate) fn sleep_unless(&self, is_work: impl FnOnce() -> bool, limit: Duration) {
        let mut guard = self.lock.lock();
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !is_work() {
            self.woken.wait_for(&mut guard, limit);
        }
        self.sleeping.store(false, Ordering::Relaxed);
    }
}
