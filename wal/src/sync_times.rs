//! How long the syncs of the log take: what an operator looks at when a disk is slow or hangs.
//!
//! Owns three figures. The flusher writes them, any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use thermocline_base::Clock;

/// What [`crate::Wal::sync_times`] tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncTimes {
    /// How long the sync that runs now has run; zero while none does.
    pub running: Duration,
    /// How long the last one took.
    pub last: Duration,
    /// How long the longest one took since the log was opened.
    pub longest: Duration,
}

/// See the module; by the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Syncs {
    /// When the one that runs began; 0 while none does.
    begun_ns: AtomicU64,
    last_ns: AtomicU64,
    longest_ns: AtomicU64,
}

impl Syncs {
    /// Times one sync, whether it succeeds or not.
    pub(crate) fn time<T>(&self, clock: &Clock, sync: impl FnOnce() -> T) -> T {
        let begun_ns = clock.monotonic_ns();
        self.begun_ns.store(begun_ns.max(1), Ordering::Relaxed);
        let result = sync();
        let took_ns = clock.monotonic_ns().saturating_sub(begun_ns);
        self.begun_ns.store(0, Ordering::Relaxed);
        self.last_ns.store(took_ns, Ordering::Relaxed);
        self.longest_ns.fetch_max(took_ns, Ordering::Relaxed);
        result
    }

    /// What is known now.
    pub(crate) fn times(&self, clock: &Clock) -> SyncTimes {
        let load = |ns: &AtomicU64| ns.load(Ordering::Relaxed);
        let running_ns = match load(&self.begun_ns) {
            0 => 0,
            begun_ns => clock.monotonic_ns().saturating_sub(begun_ns),
        };
        SyncTimes {
            running: Duration::from_nanos(running_ns),
            last: Duration::from_nanos(load(&self.last_ns)),
            longest: Duration::from_nanos(load(&self.longest_ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermocline_base::SimulatedTime;

    #[test]
    fn a_sync_is_seen_while_it_runs_and_after_it() {
        let time = SimulatedTime::default();
        let clock = Clock::Simulated(time.clone());
        let syncs = Syncs::default();
        time.advance(1000);
        for (took_ms, longest_ms) in [(30, 30), (10, 30)] {
            let took = Duration::from_millis(took_ms);
            let during = syncs.time(&clock, || {
                time.advance(took_ms as i64);
                syncs.times(&clock)
            });
            assert_eq!(during.running, took);
            let after = SyncTimes {
                running: Duration::ZERO,
                last: took,
                longest: Duration::from_millis(longest_ms),
            };
            assert_eq!(syncs.times(&clock), after);
        }
    }
}
