//! A closed or open loop of requests over many connections.
//!
//! Owns the shape of a load, its threads and what came of it. Each thread
//! waits for its few connections in one epoll and sends raw bytes, so that a
//! core of load can outrun a core of server. Does not own the server.

use crate::address::Address;
use crate::connection::Connection;
use crate::keys::{Order, Picker};
use crate::pace::Schedule;
use crate::values::Values;
use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};
use thermocline_base::Random;
use thiserror::Error;

/// A load that receives nothing for this long has hung.
const SILENCE: Duration = Duration::from_secs(120);
/// How often the end of the time is looked for while nothing arrives.
const WAIT: Duration = Duration::from_millis(50);

/// What a load speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2.
    Resp,
    /// The meta commands of memcached.
    Memcached,
}

/// When a connection sends again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refill {
    /// A whole pipeline once the last one is answered, as `redis-benchmark`.
    Whole,
    /// One request for each reply: always a whole pipeline on the way.
    Each,
}

/// Which requests are sent; the decision is random.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Parts that are SET.
    pub sets: u64,
    /// Parts that are GET.
    pub gets: u64,
}

impl Mix {
    /// Nothing but GET.
    pub const GET: Self = Self { sets: 0, gets: 1 };
    /// Nothing but SET.
    pub const SET: Self = Self { sets: 1, gets: 0 };

    pub(crate) const fn is_set(self, random: &mut Random) -> bool {
        random.below(self.sets + self.gets) < self.sets
    }
}

/// A load.
#[derive(Clone)]
pub struct Workload<'a> {
    /// Which keys, in which order; a finite order ends the load.
    pub order: Order,
    /// What is written, and what every GET must find.
    pub values: Values,
    /// The version of a key's value.
    pub version: fn(u64) -> u32,
    /// GET or SET.
    pub mix: Mix,
    /// Connections in all, at least 1.
    pub connections: usize,
    /// Requests on the way on each, at least 1.
    pub pipeline: usize,
    /// When a connection sends again in a closed loop.
    pub refill: Refill,
    /// Requests a second of an open loop, over all connections; latencies
    /// count from the moment a request was due. A closed loop without.
    pub pace_per_second: Option<f64>,
    /// Threads, each with its share of the connections.
    pub threads: usize,
    /// The end of the load, unless its order ends first.
    pub duration: Option<Duration>,
    /// The end of the load too, once it is true.
    pub stop: Option<&'a AtomicBool>,
    /// Of the random order and mix.
    pub seed: u64,
    /// Whether a key that a GET does not find is written next.
    pub set_missing: bool,
    /// After how many seconds what is written expires.
    pub expiry_seconds: Option<fn(u64) -> u32>,
    /// What the server speaks.
    pub protocol: Protocol,
    /// Where keys whose SET was acknowledged are noted.
    pub acknowledged: Option<&'a KeySet>,
}

impl Workload<'_> {
    /// One pass over `order` with 50 connections and pipelines of 16 on two
    /// threads, every value at version 1.
    #[must_use]
    pub const fn pass(order: Order, values: Values, mix: Mix) -> Self {
        Self {
            order,
            values,
            version: |_| 1,
            mix,
            connections: 50,
            pipeline: 16,
            refill: Refill::Whole,
            pace_per_second: None,
            threads: 2,
            duration: None,
            stop: None,
            seed: 1,
            set_missing: false,
            expiry_seconds: None,
            protocol: Protocol::Resp,
            acknowledged: None,
        }
    }

    /// Sends the load to `address`, such as a port of the loopback, and waits
    /// for its end.
    ///
    /// # Errors
    /// The server cannot be reached, goes away, or does not answer for two
    /// minutes. What was acknowledged until then is noted all the same.
    pub fn run(&self, address: impl Into<Address>) -> Result<Outcome, LoadError> {
        let address = address.into();
        let mut shares: Vec<Vec<Connection>> = Vec::new();
        shares.resize_with(self.threads.clamp(1, self.connections.max(1)), Vec::new);
        let count = shares.len();
        for index in 0..self.connections.max(1) {
            if let Some(share) = shares.get_mut(index % count) {
                share.push(Connection::new(address.connect()?));
            }
        }
        let picker = Picker::new(self.order.clone());
        let begin = Instant::now();
        let results: Vec<std::thread::Result<_>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0_u64..)
                .zip(shares)
                .map(|(index, share)| {
                    let picker = picker.clone();
                    let random = Random::new(Random::new(self.seed ^ (index << 32)).next_u64());
                    let schedule = self
                        .pace_per_second
                        .map(|pace| Schedule::new(begin, pace, count, index));
                    scope.spawn(move || self.run_thread(share, &picker, random, begin, schedule))
                })
                .collect();
            threads.into_iter().map(ScopedJoinHandle::join).collect()
        });
        let mut total = Outcome::default();
        for result in results {
            total.add(&result.map_err(|_| LoadError::Panicked)??);
        }
        total.elapsed = begin.elapsed();
        Ok(total)
    }

    fn run_thread(
        &self,
        mut connections: Vec<Connection>,
        picker: &Picker,
        mut random: Random,
        begin: Instant,
        mut schedule: Option<Schedule>,
    ) -> Result<Outcome, LoadError> {
        let mut outcome = Outcome::default();
        let wake = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        for (index, connection) in (0_u64..).zip(&mut connections) {
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
            epoll::add(&wake, &connection.stream, EventData::new_u64(index), flags)
                .map_err(io::Error::from)?;
            if schedule.is_none() {
                connection.fill(self, picker, &mut random, false)?;
            }
        }
        let mut events = Vec::with_capacity(connections.len());
        let mut last_event = Instant::now();
        let mut turn = 0;
        loop {
            let mut wait = WAIT;
            if let Some(due) = &mut schedule {
                let is_open =
                    self.send_due(&mut connections, picker, &mut random, due, &mut turn)?;
                match is_open {
                    Some(until_next) => wait = wait.min(until_next),
                    None => schedule = None,
                }
                if self.is_over(begin) {
                    schedule = None;
                }
            }
            let is_open = schedule.is_some();
            if !is_open && connections.iter().all(Connection::is_idle) {
                break;
            }
            let wait = Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(wait.subsec_nanos()),
            };
            events.clear();
            match epoll::wait(&wake, spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            if !events.is_empty() {
                last_event = Instant::now();
            } else if last_event.elapsed() > SILENCE
                && connections.iter().any(|connection| !connection.is_idle())
            {
                return Err(LoadError::Silent);
            }
            let stopping = self.is_over(begin);
            for event in &events {
                let index = event.data.u64() as usize;
                if let Some(connection) = connections.get_mut(index) {
                    connection.receive(self, &mut outcome)?;
                    // An open loop sends when a request is due, not here.
                    let stopping = stopping || self.pace_per_second.is_some();
                    connection.fill(self, picker, &mut random, stopping)?;
                }
            }
        }
        Ok(outcome)
    }

    /// Whether the time is up or the end was called.
    fn is_over(&self, begin: Instant) -> bool {
        // ORDERING: only the flag itself is shared.
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
            || self.duration.is_some_and(|limit| begin.elapsed() >= limit)
    }

    /// Sends what is due, to the connections in turn; gives the time until the
    /// next is due, `None` at the end of the order. What no connection has room
    /// for stays due.
    fn send_due(
        &self,
        connections: &mut [Connection],
        picker: &Picker,
        random: &mut Random,
        schedule: &mut Schedule,
        turn: &mut usize,
    ) -> Result<Option<Duration>, LoadError> {
        let now = Instant::now();
        let mut full = 0;
        let mut has_ended = false;
        while full < connections.len() && !has_ended && schedule.next_due() <= now {
            *turn = (*turn + 1) % connections.len().max(1);
            let Some(connection) = connections.get_mut(*turn) else {
                break;
            };
            if !connection.has_room(self) {
                full += 1;
                continue;
            }
            full = 0;
            if let Some(due) = schedule.take(now) {
                has_ended = !connection.push(self, picker, random, due);
            }
        }
        for connection in connections.iter_mut() {
            connection.flush()?;
        }
        if has_ended {
            return Ok(None);
        }
        if full > 0 {
            return Ok(Some(WAIT)); // a reply wakes
        }
        Ok(Some(schedule.next_due().saturating_duration_since(now)))
    }
}

/// Why a load did not come to its end.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The server is gone or talks nonsense.
    #[error("the load lost its connection: {0}")]
    Connection(#[from] io::Error),
    /// Requests were on the way and no reply came.
    #[error("the server did not answer for two minutes")]
    Silent,
    /// A defect of the load itself.
    #[error("a thread of the load panicked")]
    Panicked,
}

/// What came of a load.
#[derive(Clone, Default)]
pub struct Outcome {
    /// Requests answered.
    pub requests: u64,
    /// Those of them that were acknowledged SETs.
    pub sets: u64,
    /// GETs whose value was another.
    pub wrong: u64,
    /// GETs that found nothing.
    pub missing: u64,
    /// Requests answered with an error.
    pub errors: u64,
    /// The text of one of the errors.
    pub first_error: Option<String>,
    /// From the first request to the last reply.
    pub elapsed: Duration,
    /// Of each answered GET.
    pub get_latency: Latency,
    /// Of each acknowledged SET.
    pub set_latency: Latency,
}

impl Outcome {
    /// Requests a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The latency of all requests.
    #[must_use]
    pub fn latency(&self) -> Latency {
        let mut both = self.get_latency.clone();
        both.add(&self.set_latency);
        both
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.sets += other.sets;
        self.wrong += other.wrong;
        self.missing += other.missing;
        self.errors += other.errors;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
        self.get_latency.add(&other.get_latency);
        self.set_latency.add(&other.set_latency);
    }
}

/// How long requests took, from being handed to the socket to being read, to
/// three digits.
#[derive(Clone)]
pub struct Latency(Histogram<u64>);

/// What is slower counts as this slow.
const SLOWEST: Duration = Duration::from_secs(600);

impl Default for Latency {
    fn default() -> Self {
        // A histogram without bounds would not record what it has no room for.
        match Histogram::new_with_bounds(1, SLOWEST.as_nanos() as u64, 3) {
            Ok(histogram) => Self(histogram),
            Err(_) => unreachable!("the bounds are in order and three digits allowed"),
        }
    }
}

impl Latency {
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds);
    }

    fn add(&mut self, other: &Self) {
        // Fails only where the bounds differ; they are all the same.
        let _ = self.0.add(&other.0);
    }

    /// The latency that `percent` of the requests did not exceed, in µs.
    #[must_use]
    pub fn percentile_us(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1000.0
    }

    /// The longest, in µs.
    #[must_use]
    pub fn max_us(&self) -> f64 {
        self.0.max() as f64 / 1000.0
    }
}

/// A set of key numbers that threads fill together.
pub struct KeySet(Vec<AtomicU64>);

impl KeySet {
    /// An empty set for numbers below `keys`.
    #[must_use]
    pub fn new(keys: u64) -> Self {
        let words = usize::try_from(keys.div_ceil(64)).unwrap_or(usize::MAX);
        let mut set = Vec::new();
        set.resize_with(words, AtomicU64::default);
        Self(set)
    }

    /// Adds a number; one beyond the set's room is left out.
    pub fn insert(&self, id: u64) {
        if let Some(word) = self.0.get((id / 64) as usize) {
            // ORDERING: read only after the threads that write are joined.
            word.fetch_or(1 << (id % 64), Ordering::Relaxed);
        }
    }

    /// The numbers in it, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0_u64..).zip(&self.0).flat_map(|(index, word)| {
            let word = word.load(Ordering::Relaxed);
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| index * 64 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_kept_to_three_digits() {
        let mut latency = Latency::default();
        for us in 1..=1000 {
            latency.record(Duration::from_micros(us));
        }
        let mut total = Latency::default();
        total.add(&latency);
        total.record(Duration::from_secs(3600));
        let is_near = |found: f64, wanted: f64| (found - wanted).abs() < wanted / 200.0;
        assert!(is_near(total.percentile_us(50.0), 500.0));
        assert!(is_near(total.percentile_us(99.0), 991.0));
        assert!(is_near(total.max_us(), SLOWEST.as_secs_f64() * 1e6));
    }

    #[test]
    fn a_key_set_gives_back_what_it_was_given() {
        let set = KeySet::new(130);
        for id in [129, 0, 64, 63, 64, 5000] {
            set.insert(id);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
    }
}
