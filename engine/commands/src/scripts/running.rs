//! The run at hand, as the machine's clockwork and other clients know of it.
//!
//! Owns when a run has to end and why. INVARIANT: a script is either told to end or has
//! marked that it writes, never both: both happen under one lock. Any thread.

use super::PATIENCE_NS;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use thermocline_base::Clock;

/// Why a run has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum End {
    /// It goes on.
    No = 0,
    /// It has run for longer than its thread has time.
    Long = 1,
    /// SCRIPT KILL.
    KilledScript = 2,
    /// FUNCTION KILL.
    KilledFunction = 3,
    /// The server ends.
    Aborted = 4,
}

impl End {
    const fn of(number: u8) -> Self {
        match number {
            1 => Self::Long,
            2 => Self::KilledScript,
            3 => Self::KilledFunction,
            4 => Self::Aborted,
            _ => Self::No,
        }
    }
}

/// Why nothing was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillError {
    /// Nothing runs.
    NotBusy,
    /// It has written.
    Unkillable,
    /// It is a script, and FUNCTION KILL was asked for.
    IsScript,
    /// It is a function, and SCRIPT KILL was asked for.
    IsFunction,
}

/// A script that runs for long.
#[derive(Clone, Debug)]
pub struct RunningScript {
    /// Whether a function was called, rather than a script.
    pub is_function: bool,
    /// The request.
    pub words: Vec<Box<[u8]>>,
    /// How long it runs, in ms.
    pub spent_ms: u64,
}

#[derive(Debug)]
struct Run {
    is_function: bool,
    words: Vec<Box<[u8]>>,
    started_ns: u64,
    has_written: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Clock,
    /// [`End`] of the run at hand.
    end: AtomicU8,
    /// When the run at hand becomes one that takes long; `u64::MAX` for never.
    deadline_ns: AtomicU64,
    run: Mutex<Option<Run>>,
}

impl Watch {
    pub(super) const fn new(clock: Clock) -> Self {
        Self {
            clock,
            end: AtomicU8::new(0),
            deadline_ns: AtomicU64::new(u64::MAX),
            run: Mutex::new(None),
        }
    }

    /// A run begins under the machine's lock, with little time or with all there is.
    pub(super) fn begin(&self, is_patient: bool) {
        let deadline_ns = if is_patient {
            u64::MAX
        } else {
            self.clock.monotonic_ns().saturating_add(PATIENCE_NS)
        };
        self.deadline_ns.store(deadline_ns, Relaxed);
        if self.end() == End::Long {
            self.end.store(End::No as u8, Relaxed);
        }
    }

    /// As [`Watch::begin`], for the text of a library, which has to end by itself.
    pub(super) fn begin_load(&self, limit_ns: u64) {
        let now_ns = self.clock.monotonic_ns();
        self.deadline_ns
            .store(now_ns.saturating_add(limit_ns), Relaxed);
    }

    pub(super) fn end(&self) -> End {
        End::of(self.end.load(Relaxed))
    }

    /// Whether the run at hand has to end, and why.
    pub(super) fn check(&self) -> End {
        let end = self.end();
        if end == End::No && self.clock.monotonic_ns() >= self.deadline_ns.load(Relaxed) {
            self.end.store(End::Long as u8, Relaxed);
            return End::Long;
        }
        end
    }

    /// The script is about to write; why it may not.
    pub(super) fn note_write(&self) -> End {
        let mut run = self.run.lock();
        let end = self.end();
        if let (End::No, Some(run)) = (end, run.as_mut()) {
            run.has_written = true;
        }
        end
    }

    pub(super) fn begin_long(&self, is_function: bool, words: &[&[u8]]) {
        let mut run = self.run.lock();
        if self.end() != End::Aborted {
            self.end.store(End::No as u8, Relaxed);
        }
        *run = Some(Run {
            is_function,
            words: words.iter().map(|word| (*word).into()).collect(),
            started_ns: self.clock.monotonic_ns(),
            has_written: false,
        });
    }

    pub(super) fn end_long(&self) {
        let mut run = self.run.lock();
        if self.end() != End::Aborted {
            self.end.store(End::No as u8, Relaxed);
        }
        *run = None;
    }

    pub(super) fn running(&self) -> Option<RunningScript> {
        let run = self.run.lock();
        run.as_ref().map(|run| RunningScript {
            is_function: run.is_function,
            words: run.words.clone(),
            spent_ms: self.clock.monotonic_ns().saturating_sub(run.started_ns) / 1_000_000,
        })
    }

    pub(super) fn kill(&self, is_function: bool) -> Result<(), KillError> {
        let run = self.run.lock();
        let run = run.as_ref().ok_or(KillError::NotBusy)?;
        if run.has_written {
            return Err(KillError::Unkillable);
        }
        let end = match (run.is_function, is_function) {
            (true, false) => return Err(KillError::IsFunction),
            (false, true) => return Err(KillError::IsScript),
            (true, true) => End::KilledFunction,
            (false, false) => End::KilledScript,
        };
        self.end.store(end as u8, Relaxed);
        Ok(())
    }

    pub(super) fn abort(&self) {
        let _run = self.run.lock();
        self.end.store(End::Aborted as u8, Relaxed);
    }
}
