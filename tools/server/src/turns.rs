//! Who of a thread's connections has a turn when.
//!
//! Owns which connections count as those whose requests take long, and their line. All that
//! have something to do have their turns one after the other; of those that take long only
//! one among them: however many ask for much, who asks for little waits for one of them. One
//! thread.

use std::cell::Cell;

use tokio::sync::{Mutex, MutexGuard};

/// A turn that takes as long is a long one, in ns; and nobody's takes longer who has several
/// requests.
pub(crate) const LONG_TURN_NS: u64 = 1_000_000;

/// The turns of a thread.
#[derive(Default)]
pub(crate) struct Turns {
    /// Held by the connection that takes long and has its turn.
    long: Mutex<()>,
    /// How long the first turns of the last connections took, in ns: one that was closed for
    /// what it asked for comes again.
    newcomers_ns: Cell<u64>,
}

/// How long the turns of a connection take.
pub(crate) struct Pace {
    /// Its last turns, each counted half as much as the next, in ns.
    lately_ns: u64,
    /// Whether it has had no turn yet.
    is_new: bool,
}

impl Turns {
    /// The pace that is expected of a new connection.
    pub(crate) fn newcomer(&self) -> Pace {
        Pace {
            lately_ns: self.newcomers_ns.get().min(LONG_TURN_NS),
            is_new: true,
        }
    }

    /// The turn of a connection that takes long, held for as long as it lasts.
    pub(crate) async fn long_turn(&self) -> MutexGuard<'_, ()> {
        self.long.lock().await
    }

    /// Notes how long a turn took, in ns.
    pub(crate) fn note(&self, pace: &mut Pace, spent_ns: u64) {
        // What is long ago counts for two turns at most.
        pace.lately_ns = (pace.lately_ns / 2 + spent_ns).min(2 * LONG_TURN_NS);
        if std::mem::take(&mut pace.is_new) {
            let before_ns = self.newcomers_ns.get();
            let after_ns = before_ns - before_ns / 4 + spent_ns / 4;
            self.newcomers_ns.set(after_ns);
        }
    }
}

impl Pace {
    pub(crate) const fn takes_long(&self) -> bool {
        self.lately_ns >= LONG_TURN_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_turn_is_remembered_for_two() {
        let turns = Turns::default();
        let mut pace = turns.newcomer();
        assert!(!pace.takes_long());
        turns.note(&mut pace, 100 * LONG_TURN_NS);
        for takes_long in [true, true, false] {
            assert_eq!(pace.takes_long(), takes_long);
            turns.note(&mut pace, 10);
        }
    }

    #[test]
    fn newcomers_are_taken_for_what_those_before_them_were() {
        let turns = Turns::default();
        for _ in 0..4 {
            turns.note(&mut turns.newcomer(), 3 * LONG_TURN_NS);
        }
        assert!(turns.newcomer().takes_long());
        for _ in 0..4 {
            turns.note(&mut turns.newcomer(), 10);
        }
        assert!(!turns.newcomer().takes_long());
    }
}
