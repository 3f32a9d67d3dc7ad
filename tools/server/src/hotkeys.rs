//! Which keys take the most time and bytes, while somebody asks: the state behind HOTKEYS.
//!
//! Owns the one session and its sums. Does not know commands: it is told keys and amounts.
//! Any thread; while no session is active, a request costs one load of a flag.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::heavy_hitters::HeavyHitters;

/// Counters for each key that is asked for: what lies below is less sure.
const COUNTERS_PER_KEY: usize = 8;
const COUNTERS_MIN: usize = 128;

/// What a session is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Whether time is summed.
    pub(crate) by_time: bool,
    /// Whether bytes are summed.
    pub(crate) by_bytes: bool,
    /// How many keys are reported.
    pub(crate) count: usize,
    /// `None`: until it is stopped.
    pub(crate) duration_s: Option<u64>,
    /// One command in this many is looked at.
    pub(crate) sample_one_in: u64,
}

/// What a session takes note of at its start and its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// Monotonic.
    pub(crate) now_ns: u64,
    pub(crate) unix_ms: i64,
    /// What the process has used.
    pub(crate) user_ms: u64,
    pub(crate) system_ms: u64,
}

#[derive(Debug)]
struct Session {
    wish: Wish,
    start: Moment,
    /// None while it is active.
    end: Option<Moment>,
    by_time: HeavyHitters,
    by_bytes: HeavyHitters,
    /// Bytes of the commands that were looked at.
    sampled_bytes: u64,
}

/// The largest sums of keys, the largest first.
type Sums = Vec<(Arc<[u8]>, u64)>;

/// What HOTKEYS GET tells.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) wish: Wish,
    pub(crate) is_active: bool,
    pub(crate) start_unix_ms: i64,
    pub(crate) duration_ms: u64,
    pub(crate) user_ms: u64,
    pub(crate) system_ms: u64,
    /// Time and bytes of all commands with keys.
    pub(crate) all_ns: u64,
    pub(crate) all_bytes: u64,
    pub(crate) sampled_bytes: u64,
    pub(crate) by_time_ns: Sums,
    pub(crate) by_bytes: Sums,
}

/// A session is active.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Active;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct HotKeys {
    is_active: AtomicBool,
    all_ns: AtomicU64,
    all_bytes: AtomicU64,
    /// When the active session ends by itself.
    end_ns: AtomicU64,
    sample_one_in: AtomicU64,
    session: Mutex<Option<Session>>,
}

impl HotKeys {
    /// Whether requests are to be told of.
    pub(crate) fn is_active(&self) -> bool {
        self.is_active.load(Relaxed)
    }

    /// One command in this many is to be recorded.
    pub(crate) fn sample_one_in(&self) -> u64 {
        self.sample_one_in.load(Relaxed)
    }

    /// Whether the active session's time is over; `expire` ends it.
    pub(crate) fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.end_ns.load(Relaxed)
    }

    /// Begins a session in the place of one that has ended.
    ///
    /// # Errors
    /// One is active.
    pub(crate) fn start(&self, wish: Wish, moment: Moment) -> Result<(), Active> {
        let mut session = self.session.lock();
        if session.as_ref().is_some_and(|it| it.end.is_none()) {
            return Err(Active);
        }
        let counters = wish.count.saturating_mul(COUNTERS_PER_KEY);
        let counters = counters.max(COUNTERS_MIN);
        *session = Some(Session {
            wish,
            start: moment,
            end: None,
            by_time: HeavyHitters::new(counters),
            by_bytes: HeavyHitters::new(counters),
            sampled_bytes: 0,
        });
        let end_ns = wish.duration_s.map_or(u64::MAX, |seconds| {
            let duration_ns = seconds.saturating_mul(1_000_000_000);
            moment.now_ns.saturating_add(duration_ns)
        });
        self.end_ns.store(end_ns, Relaxed);
        self.sample_one_in.store(wish.sample_one_in.max(1), Relaxed);
        self.all_ns.store(0, Relaxed);
        self.all_bytes.store(0, Relaxed);
        self.is_active.store(true, Relaxed);
        Ok(())
    }

    /// Ends the session; false if none was active.
    pub(crate) fn stop(&self, moment: Moment) -> bool {
        let mut session = self.session.lock();
        let active = session.as_mut().filter(|it| it.end.is_none());
        active.is_some_and(|session| {
            self.is_active.store(false, Relaxed);
            session.end = Some(moment);
            true
        })
    }

    /// Ends the session if its time is over.
    pub(crate) fn expire(&self, moment: impl FnOnce() -> Moment, now_ns: u64) {
        if self.is_active() && self.is_over(now_ns) {
            let mut moment = moment();
            moment.now_ns = self.end_ns.load(Relaxed);
            self.stop(moment);
        }
    }

    /// Forgets the session.
    ///
    /// # Errors
    /// It is active.
    pub(crate) fn reset(&self) -> Result<(), Active> {
        let mut session = self.session.lock();
        if session.as_ref().is_some_and(|it| it.end.is_none()) {
            return Err(Active);
        }
        *session = None;
        Ok(())
    }

    /// Counts a command with keys, looked at or not.
    pub(crate) fn count(&self, spent_ns: u64, bytes: u64) {
        self.all_ns.fetch_add(spent_ns, Relaxed);
        self.all_bytes.fetch_add(bytes, Relaxed);
    }

    /// Adds a command's time and bytes to its keys, to each an equal part.
    pub(crate) fn record(&self, keys: &[&[u8]], spent_ns: u64, bytes: u64) {
        let mut session = self.session.lock();
        let Some(session) = session.as_mut().filter(|it| it.end.is_none()) else {
            return;
        };
        let parts = (keys.len() as u64).max(1);
        session.sampled_bytes = session.sampled_bytes.saturating_add(bytes);
        for key in keys {
            if session.wish.by_time {
                session.by_time.add(key, spent_ns / parts);
            }
            if session.wish.by_bytes {
                session.by_bytes.add(key, bytes / parts);
            }
        }
    }

    /// What is known, as of now where the session is active; `None` without one.
    pub(crate) fn report(&self, moment: Moment) -> Option<Report> {
        let session = self.session.lock();
        let session = session.as_ref()?;
        let end = session.end.unwrap_or(moment);
        let start = session.start;
        let count = session.wish.count;
        Some(Report {
            wish: session.wish,
            is_active: session.end.is_none(),
            start_unix_ms: start.unix_ms,
            duration_ms: end.now_ns.saturating_sub(start.now_ns) / 1_000_000,
            user_ms: end.user_ms.saturating_sub(start.user_ms),
            system_ms: end.system_ms.saturating_sub(start.system_ms),
            all_ns: self.all_ns.load(Relaxed),
            all_bytes: self.all_bytes.load(Relaxed),
            sampled_bytes: session.sampled_bytes,
            by_time_ns: session.by_time.largest(count),
            by_bytes: session.by_bytes.largest(count),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish {
        by_time: true,
        by_bytes: true,
        count: 2,
        duration_s: Some(1),
        sample_one_in: 1,
    };

    fn at(now_ns: u64) -> Moment {
        Moment {
            now_ns,
            ..Moment::default()
        }
    }

    #[test]
    fn a_session_ends_when_its_time_is_over_and_its_sums_stay() {
        let hot = HotKeys::default();
        assert!(hot.report(at(0)).is_none());
        assert!(!hot.stop(at(0)));
        assert_eq!(hot.start(WISH, at(5)), Ok(()));
        assert_eq!(hot.start(WISH, at(6)), Err(Active));
        assert_eq!(hot.reset(), Err(Active));
        hot.count(90, 30);
        hot.record(&[b"a", b"b", b"a"], 90, 30);
        hot.expire(|| at(7), 7);
        assert!(hot.is_active());
        let end_ns = 1_000_000_005;
        hot.expire(|| at(end_ns + 300_000_000), end_ns + 300_000_000);
        assert!(!hot.is_active());
        hot.record(&[b"late"], 1000, 1000);
        let report = hot.report(at(9_000_000_000)).expect("there was a session");
        assert!(!report.is_active);
        assert_eq!(report.duration_ms, 1000);
        let sums = |sums: &Sums| -> Vec<(Vec<u8>, u64)> {
            let sums = sums.iter();
            sums.map(|(key, sum)| (key.to_vec(), *sum)).collect()
        };
        let expected = |a, b| vec![(b"a".to_vec(), a), (b"b".to_vec(), b)];
        assert_eq!(sums(&report.by_time_ns), expected(60, 30));
        assert_eq!(sums(&report.by_bytes), expected(20, 10));
        assert_eq!(hot.reset(), Ok(()));
        assert!(hot.report(at(0)).is_none());
    }
}
