//! What holds everybody back while a script runs for long.
//!
//! Owns who may run: while the gate is shut, one script and the commands that may always run.
//! Does not run the script. Any thread.
//!
//! A script holds the shards it has met until it ends. So that no thread waits for one of
//! them, no command begins meanwhile: for `busy-reply-threshold` it waits in its
//! connection's task, and after that it is told that the server is busy. Scripts that take
//! long come one after the other, and between two of them everybody who has waited has a
//! turn.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use thermocline_store::Store;
use tokio::sync::{MutexGuard, Notify};

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
    /// How many wait until it is opened, or were told that it is and have not had their turn.
    waiting: AtomicUsize,
    /// The place of the script that shuts it.
    place: tokio::sync::Mutex<()>,
    /// Keys that are watched no more, of sessions that could not lock their shards.
    left_behind: Mutex<Vec<Watch>>,
}

impl ScriptGate {
    /// The place of a script that takes long, when its turn has come: the gate is open, and
    /// those who waited for that have passed. Only who has the place may shut the gate.
    pub(crate) async fn place(&self) -> MutexGuard<'_, ()> {
        const LOOK_AGAIN: Duration = Duration::from_millis(1);
        let place = self.place.lock().await;
        while self.is_shut() || self.waiting.load(SeqCst) > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        place
    }

    /// Shuts the gate, which is open.
    pub(crate) fn shut(&self, _place: &MutexGuard<'_, ()>, now_ms: u64) {
        self.shut_since.store(now_ms + 1, SeqCst);
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
            let _waiting = Waiting::new(&self.waiting);
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

/// One who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn the_wait_ends_in_a_word_to_the_client() {
        let gate = ScriptGate::default();
        assert_eq!(gate.passage(7, 100), Passage::Open);
        let place = gate.place.try_lock().unwrap();
        gate.shut(&place, 1000);
        assert!(gate.is_shut());
        assert_eq!(gate.passage(1040, 100), Passage::Wait(60));
        assert_eq!(gate.passage(1100, 100), Passage::Busy);
    }

    #[test]
    fn who_has_waited_passes_before_the_next_script() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        runtime.block_on(async {
            let gate = ScriptGate::default();
            let mut context = Context::from_waker(Waker::noop());
            let first = gate.place().await;
            gate.shut(&first, 0);
            let mut waits = pin!(gate.opened(1_000_000));
            assert!(waits.as_mut().poll(&mut context).is_pending());
            let mut next = pin!(gate.place());
            assert!(next.as_mut().poll(&mut context).is_pending());
            // As `ScriptGate::open` does.
            gate.shut_since.store(0, SeqCst);
            gate.opened.notify_waiters();
            drop(first);
            let too_soon = tokio::time::timeout(Duration::from_millis(50), &mut next).await;
            assert!(too_soon.is_err(), "one who has waited has had no turn");
            assert_eq!(waits.as_mut().poll(&mut context), Poll::Ready(()));
            drop(next.await);
        });
    }
}
