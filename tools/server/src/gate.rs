//! What holds everybody back while a script runs for long.
//!
//! Owns who may run: while the gate is shut, one script and the commands that may always run.
//! Does not run the script. Any thread.
//!
//! A script holds the shards it has met until it ends. So that no thread waits for one of
//! them, no command begins meanwhile: for `busy-reply-threshold` it waits in its
//! connection's task, and after that it is told that the server is busy.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use thermocline_store::Store;
use tokio::sync::Notify;

use crate::session::Watch;

/// Whether a command may run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    /// Not before the script ends, or so many ms have passed.
    Wait(u64),
    /// A script has run for so long that it is told to the client.
    Busy,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct ScriptGate {
    /// Since when it is shut, in ms of the server's monotonic clock, plus 1; 0 if it is open.
    shut_since: AtomicU64,
    opened: Notify,
    /// Keys that are watched no more, of sessions that could not lock their shards.
    left_behind: Mutex<Vec<Watch>>,
}

impl ScriptGate {
    /// Shuts the gate; `false` if another has.
    pub(crate) fn shut(&self, now_ms: u64) -> bool {
        self.shut_since
            .compare_exchange(0, now_ms + 1, SeqCst, SeqCst)
            .is_ok()
    }

    /// Has the keys let go once the gate is opened.
    pub(crate) fn leave_behind(&self, watch: Watch) {
        if !watch.is_empty() {
            self.left_behind.lock().push(watch);
        }
    }

    /// Opens it; nothing is held.
    pub(crate) fn open(&self, store: &Store) {
        for mut watch in std::mem::take(&mut *self.left_behind.lock()) {
            watch.clear(store);
        }
        self.shut_since.store(0, SeqCst);
        self.opened.notify_waiters();
    }

    /// Whether it is shut: one load.
    pub(crate) fn is_shut(&self) -> bool {
        self.shut_since.load(SeqCst) != 0
    }

    /// Whether a command that is none of those that may always run may do so.
    pub(crate) fn passage(&self, now_ms: u64, threshold_ms: u64) -> Passage {
        match self.shut_since.load(SeqCst) {
            0 => Passage::Open,
            since => {
                let spent_ms = now_ms.saturating_sub(since - 1);
                match threshold_ms.checked_sub(spent_ms) {
                    Some(left_ms) if left_ms > 0 => Passage::Wait(left_ms),
                    _ => Passage::Busy,
                }
            }
        }
    }

    /// Returns when it is open, or so many ms have passed.
    pub(crate) async fn opened(&self, left_ms: u64) {
        let opened = self.opened.notified();
        if self.is_shut() {
            let left = Duration::from_millis(left_ms);
            let _ = tokio::time::timeout(left, opened).await;
        }
    }

    /// Returns when it is open.
    pub(crate) async fn is_open(&self) {
        const LOOK_AGAIN_MS: u64 = 1000;
        while self.is_shut() {
            self.opened(LOOK_AGAIN_MS).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_ends_in_a_word_to_the_client() {
        let gate = ScriptGate::default();
        assert_eq!(gate.passage(7, 100), Passage::Open);
        assert!(gate.shut(1000) && !gate.shut(1001) && gate.is_shut());
        assert_eq!(gate.passage(1040, 100), Passage::Wait(60));
        assert_eq!(gate.passage(1100, 100), Passage::Busy);
    }
}
