//! The command logs (slow commands, large requests, large replies) and the latency events.
//!
//! Owns the entries. Does not time anything. Any thread, under a lock that only slow
//! commands and their readers take.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

/// Most arguments kept of an entry.
const ARGUMENTS: usize = 32;
/// Most bytes kept of an argument.
const ARGUMENT_BYTES: usize = 128;
/// Most bytes kept of a client's name.
const NAME_BYTES: usize = 1024;
/// Samples kept of a latency event.
const SAMPLES: usize = 160;

/// A command that took long, or a request or reply that is large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlowEntry {
    pub(crate) id: u64,
    /// When it ended, Unix seconds.
    pub(crate) at_s: i64,
    /// What it is kept for: microseconds, or bytes of the request or reply.
    pub(crate) measure: u64,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) address: String,
    pub(crate) name: String,
}

#[derive(Debug, Default)]
struct Entries {
    next_id: u64,
    newest_first: VecDeque<SlowEntry>,
}

/// One command log.
#[derive(Debug, Default)]
pub(crate) struct SlowLog {
    entries: Mutex<Entries>,
}

impl SlowLog {
    /// Adds an entry, shortening its arguments as Valkey does, and keeps at most `limit`.
    pub(crate) fn push(&self, mut entry: SlowEntry, limit: usize) {
        let mut entries = self.entries.lock();
        entry.id = entries.next_id;
        entries.next_id += 1;
        entries.newest_first.push_front(entry);
        entries.newest_first.truncate(limit);
    }

    /// The newest entries, at most `count`.
    pub(crate) fn newest(&self, count: usize) -> Vec<SlowEntry> {
        let entries = self.entries.lock();
        entries.newest_first.iter().take(count).cloned().collect()
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().newest_first.len()
    }

    /// Forgets all entries; numbers go on.
    pub(crate) fn clear(&self) {
        self.entries.lock().newest_first.clear();
    }
}

/// A client's name as the slow log keeps it: of a very long one, its beginning.
pub(crate) fn shortened_name(name: &str) -> String {
    let end = name.floor_char_boundary(NAME_BYTES);
    name.get(..end).unwrap_or_default().to_owned()
}

/// The arguments of a request as the slow log keeps them.
pub(crate) fn shortened(arguments: &[&[u8]]) -> Vec<Vec<u8>> {
    let kept = if arguments.len() > ARGUMENTS {
        ARGUMENTS - 1
    } else {
        arguments.len()
    };
    let mut short: Vec<Vec<u8>> = arguments[..kept]
        .iter()
        .map(|argument| match argument.get(ARGUMENT_BYTES..) {
            Some(rest) if !rest.is_empty() => {
                let mut text = argument[..ARGUMENT_BYTES].to_vec();
                text.extend(format!("... ({} more bytes)", rest.len()).into_bytes());
                text
            }
            _ => argument.to_vec(),
        })
        .collect();
    if kept < arguments.len() {
        let more = format!("... ({} more arguments)", arguments.len() - kept);
        short.push(more.into_bytes());
    }
    short
}

/// What is known of one latency event.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatencyEvent {
    /// When, Unix seconds, and how long, in ms; oldest first.
    pub(crate) samples: VecDeque<(i64, u64)>,
    pub(crate) greatest_ms: u64,
    /// Of all spikes since the event was reset, those of one second each counted.
    pub(crate) total_ms: u64,
    pub(crate) count: u64,
}

/// Spikes above `latency-monitor-threshold`.
#[derive(Debug, Default)]
pub(crate) struct LatencyMonitor {
    events: Mutex<BTreeMap<&'static str, LatencyEvent>>,
}

impl LatencyMonitor {
    /// Keeps a spike; of several in one second the worst.
    pub(crate) fn record(&self, event: &'static str, at_s: i64, spent_ms: u64) {
        let mut events = self.events.lock();
        let event = events.entry(event).or_default();
        event.greatest_ms = event.greatest_ms.max(spent_ms);
        event.total_ms = event.total_ms.saturating_add(spent_ms);
        event.count += 1;
        match event.samples.back_mut() {
            Some((last_s, last_ms)) if *last_s == at_s => *last_ms = spent_ms.max(*last_ms),
            _ => event.samples.push_back((at_s, spent_ms)),
        }
        if event.samples.len() > SAMPLES {
            event.samples.pop_front();
        }
    }

    /// All events by name.
    pub(crate) fn events(&self) -> Vec<(&'static str, LatencyEvent)> {
        let events = self.events.lock();
        events
            .iter()
            .map(|(name, event)| (*name, event.clone()))
            .collect()
    }

    /// The event of that name.
    pub(crate) fn event(&self, name: &[u8]) -> Option<LatencyEvent> {
        let events = self.events.lock();
        let mut events = events.iter();
        events
            .find(|(known, _)| known.as_bytes() == name)
            .map(|(_, event)| event.clone())
    }

    /// Forgets the events of those names, all without a name. How many there were.
    pub(crate) fn reset(&self, names: &[&[u8]]) -> usize {
        let mut events = self.events.lock();
        let before = events.len();
        events.retain(|known, _| {
            let named = |name: &&[u8]| known.as_bytes() == *name;
            !names.is_empty() && !names.iter().any(named)
        });
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_requests_are_shortened() {
        let long = vec![b'x'; 200];
        let arguments: Vec<&[u8]> = std::iter::repeat_n(long.as_slice(), 40).collect();
        let short = shortened(&arguments);
        assert_eq!(short.len(), 32);
        assert!(short[0].ends_with(b"... (72 more bytes)"));
        assert_eq!(short[31], b"... (9 more arguments)");
        assert_eq!(shortened(&[b"get", b"a"]), [b"get".to_vec(), b"a".to_vec()]);
    }

    #[test]
    fn the_newest_entries_stay() {
        let log = SlowLog::default();
        for measure in 0..5 {
            let entry = SlowEntry {
                id: 0,
                at_s: 0,
                measure,
                arguments: Vec::new(),
                address: String::new(),
                name: String::new(),
            };
            log.push(entry, 3);
        }
        let ids: Vec<u64> = log.newest(9).iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [4, 3, 2]);
        log.clear();
        assert_eq!(log.len(), 0);
    }

    #[test]
    fn spikes_of_one_second_are_one_sample() {
        let monitor = LatencyMonitor::default();
        monitor.record("command", 1, 5);
        monitor.record("command", 1, 9);
        monitor.record("command", 2, 3);
        assert!(monitor.event(b"COMMAND").is_none());
        let event = monitor.event(b"command").unwrap();
        assert_eq!((event.total_ms, event.count), (17, 3));
        assert_eq!(event.samples, [(1, 9), (2, 3)]);
        assert_eq!(event.greatest_ms, 9);
        assert_eq!(monitor.reset(&[b"other"]), 0);
        assert_eq!(monitor.reset(&[]), 1);
    }
}
