//! How long calls of a command took: counts in buckets of an eighth of a power of two.
//!
//! Owns the buckets, allocated with the first call. One thread records, any thread reads
//! (a reader may miss what is being counted just now).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Latencies below 2^10 ns share one bucket; those from 2^37 ns on the last octave.
const FIRST_OCTAVE: u32 = 10;
const LAST_OCTAVE: u32 = 36;
const BUCKETS: usize = 1 + ((LAST_OCTAVE - FIRST_OCTAVE + 1) * 8) as usize;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: OnceLock<Box<[AtomicU64; BUCKETS]>>,
}

/// The sum of several histograms.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    counts: Vec<u64>,
}

fn bucket(ns: u64) -> usize {
    let octave = 63_u32.saturating_sub(ns.leading_zeros());
    if octave < FIRST_OCTAVE {
        return 0;
    }
    if octave > LAST_OCTAVE {
        return BUCKETS - 1;
    }
    let eighth = (ns >> (octave - 3)) & 7;
    1 + ((octave - FIRST_OCTAVE) * 8) as usize + eighth as usize
}

/// The greatest latency of a bucket, in ns.
fn upper_ns(bucket: usize) -> u64 {
    let Some(above) = bucket.checked_sub(1) else {
        return (1 << FIRST_OCTAVE) - 1;
    };
    let (octave, eighth) = (above / 8, above as u64 % 8);
    let octave = FIRST_OCTAVE + octave as u32;
    ((8 + eighth + 1) << (octave - 3)) - 1
}

impl Histogram {
    /// Counts one call, on the owning thread only.
    pub(crate) fn record(&self, ns: u64) {
        let counts = self
            .counts
            .get_or_init(|| Box::new([const { AtomicU64::new(0) }; BUCKETS]));
        let count = &counts[bucket(ns)];
        count.store(count.load(Relaxed) + 1, Relaxed);
    }

    /// Forgets all calls.
    pub(crate) fn clear(&self) {
        let counts = self
            .counts
            .get()
            .into_iter()
            .flat_map(|counts| counts.iter());
        counts.for_each(|count| count.store(0, Relaxed));
    }
}

impl Distribution {
    /// The sum of `histograms`.
    pub(crate) fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Self {
        let mut counts = vec![0; BUCKETS];
        for histogram in histograms.filter_map(|histogram| histogram.counts.get()) {
            for (sum, count) in counts.iter_mut().zip(histogram.iter()) {
                *sum += count.load(Relaxed);
            }
        }
        Self { counts }
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The latency that `percent` of the calls did not exceed, in microseconds; 0 if there
    /// were none.
    pub(crate) fn percentile_us(&self, percent: f64) -> f64 {
        if self.calls() == 0 {
            return 0.0;
        }
        let wanted = (self.calls() as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        let position = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        upper_ns(position.unwrap_or(0)) as f64 / 1000.0
    }

    /// For powers of two of about a microsecond: its whole microseconds, and how many calls
    /// took no longer; only where that grows.
    pub(crate) fn cumulative(&self) -> Vec<(u64, u64)> {
        let mut pairs: Vec<(u64, u64)> = Vec::new();
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            let ends_octave = bucket % 8 == 0;
            if ends_octave && seen > pairs.last().map_or(0, |(_, calls)| *calls) {
                let bound_ns = upper_ns(bucket) + 1;
                // The spelling of an HDR histogram of two digits: 33, 66, 132 ...
                pairs.push(((bound_ns + bound_ns / 128 - 1) / 1000, seen));
            }
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_lies_in_its_bucket() {
        for ns in (0..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + power / 3]
        }) {
            let bucket = bucket(ns);
            assert!(bucket < BUCKETS);
            if ns < 1 << (LAST_OCTAVE + 1) {
                assert!(ns <= upper_ns(bucket), "{ns}");
                assert!(bucket == 0 || ns > upper_ns(bucket - 1), "{ns}");
            }
        }
    }

    #[test]
    fn distributions_sum_and_rank() {
        let (one, other) = (Histogram::default(), Histogram::default());
        (0..99).for_each(|_| one.record(500));
        other.record(1_000_000);
        let sum = Distribution::of([&one, &other, &Histogram::default()].into_iter());
        assert_eq!(sum.calls(), 100);
        assert!(sum.percentile_us(50.0) < 1.1);
        assert!(sum.percentile_us(100.0) >= 1000.0);
        assert_eq!(sum.cumulative(), [(1, 99), (1056, 100)]);
        one.clear();
        assert_eq!(Distribution::of([&one].into_iter()).calls(), 0);
    }
}
