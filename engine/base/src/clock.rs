//! Time is injected: the daemon uses the system's, a simulation its own.

use crate::UnixMillis;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NS_PER_MS: u64 = 1_000_000;

/// Where the time comes from. Clones share one time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The operating system's clocks, and when this clock was made: by the monotonic one, ns.
    System(u64),
    /// A time that moves only when it is told to.
    Simulated(SimulatedTime),
    /// A wall clock that moves only when it is told to, with the operating system's
    /// monotonic one.
    Standing {
        /// What the wall clock shows, in Unix milliseconds.
        wall_ms: Arc<AtomicI64>,
        /// When this clock was made, as for [`Clock::System`].
        start_ns: u64,
    },
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The operating system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::System(system_monotonic_ns())
    }

    /// A wall clock that shows `wall` until it is moved, so that nothing expires
    /// meanwhile, while delays go by as usual.
    #[must_use]
    pub fn standing(wall: UnixMillis) -> Self {
        Self::Standing {
            wall_ms: Arc::new(AtomicI64::new(wall.0)),
            start_ns: system_monotonic_ns(),
        }
    }

    /// Moves a standing wall clock forward, never back; others do not move.
    pub fn move_to(&self, wall: UnixMillis) {
        if let Self::Standing { wall_ms, .. } = self {
            wall_ms.fetch_max(wall.0, Ordering::Relaxed);
        }
    }

    /// The wall clock: for expiry. May jump.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        match self {
            Self::System(_) => {
                #[expect(clippy::disallowed_methods, reason = "this is the replacement")]
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                UnixMillis(since.map_or(0, |since| since.as_millis() as i64))
            }
            Self::Simulated(time) => time.wall(),
            Self::Standing { wall_ms, .. } => UnixMillis(wall_ms.load(Ordering::Relaxed)),
        }
    }

    /// Time since this clock was made; never jumps: for delays and latencies.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns())
    }

    /// [`Clock::monotonic`] in ns: it is read with every command.
    #[must_use]
    #[inline]
    pub fn monotonic_ns(&self) -> u64 {
        match self {
            Self::System(start_ns) | Self::Standing { start_ns, .. } => {
                system_monotonic_ns().saturating_sub(*start_ns)
            }
            Self::Simulated(time) => time.read_ns(),
        }
    }
}

fn system_monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec as u64)
}

/// The two clocks of a simulation. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct SimulatedTime {
    monotonic_ns: Arc<AtomicU64>,
    /// What the wall clock shows when the other is at 0, in ms.
    wall_start_ms: Arc<AtomicI64>,
    pace_ns: Arc<AtomicU64>,
}

impl SimulatedTime {
    /// A time that starts at `wall`.
    #[must_use]
    pub fn new(wall: UnixMillis) -> Self {
        let time = Self::default();
        time.wall_start_ms.store(wall.0, Ordering::Relaxed);
        time
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by_ms: i64) {
        let by_ns = u64::try_from(by_ms).unwrap_or(0).saturating_mul(NS_PER_MS);
        self.monotonic_ns.fetch_add(by_ns, Ordering::Relaxed);
    }

    /// Sets the wall clock, as an operator or NTP may, in either direction.
    pub fn jump(&self, wall: UnixMillis) {
        let start_ms = wall.0.saturating_sub(self.monotonic_ms());
        self.wall_start_ms.store(start_ms, Ordering::Relaxed);
    }

    /// From now on each reading of the monotonic clock moves both on by
    /// `pace_ns`, as if work took time: what works in slices comes to their end. Gives
    /// what it was before.
    pub fn set_pace_ns(&self, pace_ns: u64) -> u64 {
        self.pace_ns.swap(pace_ns, Ordering::Relaxed)
    }

    fn read_ns(&self) -> u64 {
        let pace_ns = self.pace_ns.load(Ordering::Relaxed);
        self.monotonic_ns.fetch_add(pace_ns, Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> i64 {
        let ns = self.monotonic_ns.load(Ordering::Relaxed);
        i64::try_from(ns / NS_PER_MS).unwrap_or(i64::MAX)
    }

    fn wall(&self) -> UnixMillis {
        let start_ms = self.wall_start_ms.load(Ordering::Relaxed);
        UnixMillis(start_ms.saturating_add(self.monotonic_ms()))
    }
}
