//! When the requests of an open loop are due.
//!
//! Owns one thread's share of the schedule. A request's latency counts from
//! the moment it was due, not from when it could be sent: a server that stops
//! for a second is charged with every request of that second (the "coordinated
//! omission" of closed loops, as G. Tene calls it). Pure but for the time it
//! is handed.

use std::time::{Duration, Instant};

/// The moments at which one thread's requests are due.
pub(crate) struct Schedule {
    begin: Instant,
    /// Between two requests of this thread.
    interval: Duration,
    /// Requests taken so far.
    taken: u64,
}

impl Schedule {
    /// A thread's part of `per_second` requests a second that `threads` share
    /// from `begin` on; `index` is the thread's number.
    pub(crate) fn new(begin: Instant, per_second: f64, threads: usize, index: u64) -> Self {
        let interval = Duration::from_secs_f64(threads.max(1) as f64 / per_second.max(1e-3));
        let offset = interval.mul_f64(index as f64 / threads.max(1) as f64);
        Self {
            begin: begin + offset,
            interval,
            taken: 0,
        }
    }

    /// When the next request is due.
    pub(crate) fn next_due(&self) -> Instant {
        // A product of floats: an interval of whole nanoseconds would drift.
        self.begin + Duration::from_secs_f64(self.interval.as_secs_f64() * self.taken as f64)
    }

    /// Takes the request that is due by `now`, if one is.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next_due();
        (due <= now).then(|| {
            self.taken += 1;
            due
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_the_rate_and_take_turns() {
        let begin = Instant::now();
        let mut due = Vec::new();
        for index in 0..2 {
            let mut schedule = Schedule::new(begin, 1000.0, 2, index);
            let end = begin + Duration::from_millis(10) - Duration::from_micros(1);
            while let Some(at) = schedule.take(end) {
                due.push((at - begin).as_micros());
            }
        }
        due.sort_unstable();
        assert_eq!(
            due,
            [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000]
        );
    }

    #[test]
    fn what_could_not_be_taken_in_time_stays_due() {
        let begin = Instant::now();
        let mut schedule = Schedule::new(begin, 100.0, 1, 0);
        let late = begin + Duration::from_secs(1);
        assert_eq!(schedule.take(late), Some(begin));
        assert_eq!(schedule.take(late), Some(begin + Duration::from_millis(10)));
        assert_eq!(schedule.take(begin), None);
    }
}
