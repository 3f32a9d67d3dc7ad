//! The counters behind INFO that belong to the server and not to the store.
//!
//! Owns one set of counters for each I/O thread. INVARIANT: only its thread adds to a set,
//! so adding is a plain load and store; every thread may read, and sums are taken then.
//! `CONFIG RESETSTAT` raises a generation: a set of an older one counts as empty, and its
//! thread empties it before it adds again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::histogram::Histogram;

/// Most different error codes that are counted apart if scripts can make them up.
const ERROR_CODES: usize = 128;
/// What the others are counted as.
const OVERFLOW: &str = "ERRORSTATS_OVERFLOW";
/// Samples behind a rate; one is taken every [`SAMPLE_MS`].
const SAMPLES: usize = 16;
/// Milliseconds between two samples.
pub(crate) const SAMPLE_MS: u64 = 100;

/// A count with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds, on the owning thread only.
    pub(crate) fn add(&self, more: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// The count so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn clear(&self) {
        self.0.store(0, Relaxed);
    }
}

/// What is counted of one command.
#[derive(Debug, Default)]
pub(crate) struct CommandCell {
    pub(crate) calls: Counter,
    /// Time spent, waits for the tier included, in ns.
    pub(crate) spent_ns: Counter,
    /// Refused before they ran.
    pub(crate) rejected: Counter,
    /// Answered with an error.
    pub(crate) failed: Counter,
    pub(crate) latencies: Histogram,
}

/// Reads of the tier by one thread.
#[derive(Debug, Default)]
pub(crate) struct TierReads {
    /// From when a read was begun until its page was handed out.
    pub(crate) latencies: Histogram,
    /// How many are under way; a reset leaves it.
    under_way: AtomicU64,
    /// When one was handed out last, or the first of those under way was begun, by the
    /// monotonic clock.
    moved_ns: AtomicU64,
}

impl TierReads {
    /// Counts a read that begins, on the owning thread only.
    pub(crate) fn begin(&self, now_ns: u64) {
        let under_way = self.under_way.load(Relaxed);
        if under_way == 0 {
            self.moved_ns.store(now_ns, Relaxed);
        }
        self.under_way.store(under_way + 1, Relaxed);
    }

    /// Counts one that has ended, on the owning thread only.
    pub(crate) fn end(&self, begun_ns: u64, now_ns: u64) {
        let under_way = self.under_way.load(Relaxed);
        self.under_way.store(under_way.saturating_sub(1), Relaxed);
        self.moved_ns.store(now_ns, Relaxed);
        self.latencies.record(now_ns.saturating_sub(begun_ns));
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> u64 {
        self.under_way.load(Relaxed)
    }

    /// For how long none has ended though some are under way, in ns: what a disk that hangs
    /// shows.
    pub(crate) fn stalled_ns(&self, now_ns: u64) -> u64 {
        match self.under_way() {
            0 => 0,
            _ => now_ns.saturating_sub(self.moved_ns.load(Relaxed)),
        }
    }
}

/// The counters of one I/O thread.
#[derive(Debug)]
pub(crate) struct ThreadStatistics {
    generation: AtomicU64,
    pub(crate) connections: Counter,
    pub(crate) commands: Counter,
    pub(crate) input_bytes: Counter,
    pub(crate) output_bytes: Counter,
    pub(crate) reads: Counter,
    pub(crate) writes: Counter,
    pub(crate) error_replies: Counter,
    pub(crate) tier_reads: TierReads,
    /// One for each entry of the registry.
    pub(crate) cells: Vec<CommandCell>,
}

impl ThreadStatistics {
    fn new(commands: usize) -> Self {
        Self {
            generation: AtomicU64::new(0),
            connections: Counter::default(),
            commands: Counter::default(),
            input_bytes: Counter::default(),
            output_bytes: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            error_replies: Counter::default(),
            tier_reads: TierReads::default(),
            cells: std::iter::repeat_with(CommandCell::default)
                .take(commands)
                .collect(),
        }
    }

    fn clear(&self) {
        let counters = [
            &self.connections,
            &self.commands,
            &self.input_bytes,
            &self.output_bytes,
            &self.reads,
            &self.writes,
            &self.error_replies,
        ];
        counters.into_iter().for_each(Counter::clear);
        self.tier_reads.latencies.clear();
        for cell in &self.cells {
            let counters = [&cell.calls, &cell.spent_ns, &cell.rejected, &cell.failed];
            counters.into_iter().for_each(Counter::clear);
            cell.latencies.clear();
        }
    }
}

/// Counts at one moment, for rates.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    at_ms: u64,
    commands: u64,
    input_bytes: u64,
    output_bytes: u64,
}

/// What happens in a second just now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    pub(crate) commands: u64,
    pub(crate) input_kilobytes: f64,
    pub(crate) output_kilobytes: f64,
}

/// The counters of the whole server.
#[derive(Debug)]
pub(crate) struct Statistics {
    threads: Vec<Arc<ThreadStatistics>>,
    generation: AtomicU64,
    /// Connections turned away at `maxclients` or by protected mode.
    pub(crate) rejected_connections: AtomicU64,
    pub(crate) query_buffer_disconnections: AtomicU64,
    /// Clients ended for what all of them held.
    pub(crate) evicted_clients: AtomicU64,
    pub(crate) output_buffer_disconnections: AtomicU64,
    /// Clients that did not authenticate in time.
    pub(crate) strangers_disconnected: AtomicU64,
    pub(crate) denied_authentications: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
    samples: Mutex<Vec<Sample>>,
}

impl Statistics {
    /// Counters for that many threads and entries of the registry.
    pub(crate) fn new(threads: usize, commands: usize) -> Self {
        Self {
            threads: (0..threads)
                .map(|_| Arc::new(ThreadStatistics::new(commands)))
                .collect(),
            generation: AtomicU64::new(0),
            rejected_connections: AtomicU64::new(0),
            query_buffer_disconnections: AtomicU64::new(0),
            evicted_clients: AtomicU64::new(0),
            output_buffer_disconnections: AtomicU64::new(0),
            strangers_disconnected: AtomicU64::new(0),
            denied_authentications: AtomicU64::new(0),
            errors: Mutex::new(BTreeMap::new()),
            samples: Mutex::new(Vec::new()),
        }
    }

    /// The set of the thread of that number.
    pub(crate) fn of_thread(&self, index: usize) -> Arc<ThreadStatistics> {
        Arc::clone(&self.threads[index])
    }

    /// Empties the thread's set if a reset was asked for; called by its thread.
    pub(crate) fn refresh(&self, own: &ThreadStatistics) {
        let generation = self.generation.load(Relaxed);
        if own.generation.load(Relaxed) != generation {
            own.clear();
            own.generation.store(generation, Relaxed);
        }
    }

    /// The sets that count.
    pub(crate) fn current(&self) -> impl Iterator<Item = &ThreadStatistics> {
        let generation = self.generation.load(Relaxed);
        self.threads
            .iter()
            .map(Arc::as_ref)
            .filter(move |set| set.generation.load(Relaxed) == generation)
    }

    /// The reads of the tier by every thread.
    pub(crate) fn tier_reads(&self) -> impl Iterator<Item = &TierReads> {
        self.threads.iter().map(|set| &set.tier_reads)
    }

    /// The sum over all threads.
    pub(crate) fn sum(&self, counter: impl Fn(&ThreadStatistics) -> u64) -> u64 {
        self.current().map(counter).sum()
    }

    /// Counts an error reply by its code, the first word of `text`. What `is_custom`, made up by
    /// a script, gets a count of its own only while there are few.
    pub(crate) fn count_error(&self, text: &[u8], is_custom: bool) {
        let code = text.split(u8::is_ascii_whitespace).next();
        let code = String::from_utf8_lossy(code.unwrap_or_default());
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(code.as_ref()) {
            *count += 1;
        } else if errors.len() < ERROR_CODES || !is_custom {
            errors.insert(code.into_owned(), 1);
        } else {
            *errors.entry(OVERFLOW.to_owned()).or_default() += 1;
        }
    }

    /// Every error code with its count.
    pub(crate) fn errors(&self) -> Vec<(String, u64)> {
        let errors = self.errors.lock();
        errors
            .iter()
            .map(|(code, count)| (code.clone(), *count))
            .collect()
    }

    /// Sets everything back: CONFIG RESETSTAT.
    pub(crate) fn reset(&self) {
        self.generation.fetch_add(1, Relaxed);
        for counter in [
            &self.rejected_connections,
            &self.query_buffer_disconnections,
            &self.evicted_clients,
            &self.output_buffer_disconnections,
            &self.strangers_disconnected,
            &self.denied_authentications,
        ] {
            counter.store(0, Relaxed);
        }
        self.errors.lock().clear();
        self.samples.lock().clear();
    }

    /// Takes a sample for the rates, every [`SAMPLE_MS`].
    pub(crate) fn sample(&self, at_ms: u64) {
        let sample = Sample {
            at_ms,
            commands: self.sum(|set| set.commands.get()),
            input_bytes: self.sum(|set| set.input_bytes.get()),
            output_bytes: self.sum(|set| set.output_bytes.get()),
        };
        let mut samples = self.samples.lock();
        if samples.len() > SAMPLES {
            samples.remove(0);
        }
        samples.push(sample);
    }

    /// The rates over the last samples.
    pub(crate) fn rates(&self) -> Rates {
        let samples = self.samples.lock();
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
            return Rates::default();
        };
        let elapsed_ms = last.at_ms.saturating_sub(first.at_ms);
        if elapsed_ms == 0 {
            return Rates::default();
        }
        let a_second =
            |from: u64, to: u64| to.saturating_sub(from) as f64 * 1000.0 / elapsed_ms as f64;
        Rates {
            commands: a_second(first.commands, last.commands) as u64,
            input_kilobytes: a_second(first.input_bytes, last.input_bytes) / 1024.0,
            output_kilobytes: a_second(first.output_bytes, last.output_bytes) / 1024.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Distribution;

    #[test]
    fn a_reset_hides_a_thread_until_it_counts_again() {
        let statistics = Statistics::new(2, 1);
        let (first, second) = (statistics.of_thread(0), statistics.of_thread(1));
        first.commands.add(3);
        second.commands.add(4);
        assert_eq!(statistics.sum(|set| set.commands.get()), 7);
        statistics.reset();
        assert_eq!(statistics.sum(|set| set.commands.get()), 0);
        statistics.refresh(&first);
        first.commands.add(1);
        assert_eq!(statistics.sum(|set| set.commands.get()), 1);
    }

    #[test]
    fn errors_are_counted_by_code_up_to_a_bound() {
        let statistics = Statistics::new(1, 1);
        statistics.count_error(b"ERR a", false);
        statistics.count_error(b"ERR b", false);
        statistics.count_error(b"WRONGTYPE x", false);
        assert_eq!(
            statistics.errors(),
            [("ERR".to_owned(), 2), ("WRONGTYPE".to_owned(), 1)]
        );
        for index in 0..1000 {
            statistics.count_error(format!("E{index} x").as_bytes(), true);
        }
        assert_eq!(statistics.errors().len(), ERROR_CODES + 1);
        // Two of the codes were there before.
        let surplus = (OVERFLOW.to_owned(), 1000 - (ERROR_CODES as u64 - 2));
        assert!(statistics.errors().contains(&surplus));
        statistics.count_error(b"NOSCRIPT x", false);
        assert!(statistics.errors().contains(&("NOSCRIPT".to_owned(), 1)));
    }

    #[test]
    fn rates_are_a_second() {
        let statistics = Statistics::new(1, 1);
        let set = statistics.of_thread(0);
        assert_eq!(statistics.rates(), Rates::default());
        statistics.sample(0);
        set.commands.add(500);
        set.input_bytes.add(2048);
        statistics.sample(500);
        let rates = statistics.rates();
        assert_eq!(rates.commands, 1000);
        assert!((rates.input_kilobytes - 4.0).abs() < 1e-9);
    }

    #[test]
    fn reads_that_do_not_end_are_seen_to_stall() {
        let reads = TierReads::default();
        assert_eq!(reads.stalled_ns(500), 0);
        reads.begin(1000);
        reads.begin(1200);
        assert_eq!((reads.under_way(), reads.stalled_ns(1500)), (2, 500));
        reads.end(1200, 1600);
        assert_eq!((reads.under_way(), reads.stalled_ns(2000)), (1, 400));
        reads.end(1000, 2100);
        assert_eq!((reads.under_way(), reads.stalled_ns(9000)), (0, 0));
        assert_eq!(Distribution::of([&reads.latencies].into_iter()).calls(), 2);
    }
}
