//! The books that are kept of every request: time, errors, the slow log.
//!
//! Owns what of a request goes where, secrets left out. The connection's task.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use smallvec::SmallVec;
use thermocline_commands::table::{self, Command, Flag};
use thermocline_commands::{Executor, Mark, Written};

use super::{Place, Runner, Step};
use crate::commands::moment;
use crate::hub::MONITOR;
use crate::registry;
use crate::server::Server;
use crate::session::Replies;
use crate::slowlog::{SlowEntry, shortened, shortened_name};

impl Runner {
    /// Books a request that ran: time, errors, the slow log.
    pub(super) fn finish(
        &mut self,
        number: u16,
        started_ns: u64,
        place: Place,
        words: &[&[u8]],
        step: Step,
    ) -> Step {
        let begun_ns = self.now_ns;
        let tracks_latency = self.server.live.latency_tracking.load(Relaxed);
        let spent_ns = self.count_call(number, started_ns, tracks_latency);
        // Without what it waited for: since the end of the request before it, or of the wait.
        let ran_ns = self.now_ns.saturating_sub(begun_ns);
        let failed = self.reply.last(place.offset).is_error();
        if failed && let Some(cell) = self.statistics.cells.get(usize::from(number)) {
            cell.failed.add(1);
        }
        if failed && !std::mem::take(&mut self.is_error_counted) {
            let is_custom = registry::all()
                .get(usize::from(number))
                .is_some_and(|command| Executor::is_scripted(command));
            self.count_error(place.offset, is_custom);
        }
        let reply_bytes = self.reply.last(place.offset).len();
        self.note_slow(number, spent_ns, reply_bytes, words);
        if self.server.hotkeys.is_active() {
            let command = registry::all().get(usize::from(number));
            if let Some(command) = command {
                self.note_hot(command, words, ran_ns, reply_bytes);
            }
        }
        if self.server.hub.hooks() & MONITOR != 0 {
            let is_script = !self.script_shown.is_empty()
                || registry::all()
                    .get(usize::from(number))
                    .is_some_and(|command| command.flags.contains(Flag::SkipMonitor));
            if is_script {
                self.show_script(number, words);
            } else {
                self.show_request(number, self.session.database, words);
            }
        }
        self.settle_reply(place.mark);
        self.end_request(number);
        step
    }

    /// Counts a call that ends now; the time it took, in ns.
    pub(super) fn count_call(&mut self, number: u16, started_ns: u64, tracks_latency: bool) -> u64 {
        let now_ns = self.server.now_ns();
        let spent_ns = now_ns.saturating_sub(started_ns);
        self.now_ns = now_ns;
        self.count_spent(number, spent_ns, tracks_latency);
        spent_ns
    }

    /// Counts a call that took so long.
    pub(super) fn count_spent(&mut self, number: u16, spent_ns: u64, tracks_latency: bool) {
        self.answered += 1;
        if let Some(cell) = self.statistics.cells.get(usize::from(number)) {
            cell.calls.add(1);
            cell.spent_ns.add(spent_ns);
            if tracks_latency {
                cell.latencies.record(spent_ns);
            }
        }
    }

    /// Takes the reply written since `mark` back if the client wants none: CLIENT REPLY.
    pub(super) fn settle_reply(&mut self, mark: Mark) {
        let is_pushed = std::mem::take(&mut self.session.is_pushing);
        if self.session.replies != Replies::On && !self.session.end_reply() && !is_pushed {
            self.reply.rollback(mark);
        }
    }

    /// Logs the request if it was slow, or it or its reply large.
    pub(super) fn note_slow(
        &self,
        number: u16,
        spent_ns: u64,
        reply_bytes: usize,
        words: &[&[u8]],
    ) {
        let remarkable = Remarkable::find(&self.server, spent_ns, reply_bytes, words);
        if let Some(remarkable) = remarkable {
            self.log_remarkable(number, &remarkable, words);
        }
    }

    /// Logs a request for what is remarkable about it.
    pub(super) fn log_remarkable(&self, number: u16, remarkable: &Remarkable, words: &[&[u8]]) {
        let Some(entry) = registry::all().get(usize::from(number)) else {
            return;
        };
        let spent_us = remarkable.spent_us;
        if remarkable.is_spike {
            let event = if entry.flags.contains(Flag::Fast) {
                "fast-command"
            } else {
                "command"
            };
            let at_s = self.server.unix_s();
            self.server.latencies.record(event, at_s, spent_us / 1000);
        }
        if entry.flags.contains(Flag::SkipCommandlog) {
            return;
        }
        let (server, live) = (&self.server, &self.server.live);
        for (measure, log, entries) in [
            (
                remarkable.is_slow.then_some(spent_us),
                &server.slowlog,
                &live.slowlog_entries,
            ),
            (
                remarkable.large_request_bytes,
                &server.large_requests,
                &live.large_request_entries,
            ),
            (
                remarkable.large_reply_bytes,
                &server.large_replies,
                &live.large_reply_entries,
            ),
        ] {
            if let Some(measure) = measure {
                let limit = usize::try_from(entries.load(Relaxed)).unwrap_or(usize::MAX);
                log.push(self.log_entry(entry, measure, words), limit);
            }
        }
    }

    /// Tells HOTKEYS of a command with keys.
    pub(super) fn note_hot(
        &mut self,
        command: &Command,
        words: &[&[u8]],
        ran_ns: u64,
        reply_bytes: usize,
    ) {
        let hotkeys = &self.server.hotkeys;
        if hotkeys.is_over(self.now_ns) {
            hotkeys.expire(|| moment(&self.server), self.now_ns);
            return;
        }
        let ranges = table::request_keys(command, words);
        let keys = ranges.iter().flat_map(|range| range.positions());
        let keys: SmallVec<[&[u8]; 4]> = keys.filter_map(|at| words.get(at).copied()).collect();
        if keys.is_empty() {
            return;
        }
        let bytes = (request_bytes(words) + reply_bytes) as u64;
        hotkeys.count(ran_ns, bytes);
        if self.random.chance(hotkeys.sample_one_in()) {
            hotkeys.record(&keys, ran_ns, bytes);
        }
    }

    fn log_entry(&self, command: &Command, measure: u64, words: &[&[u8]]) -> SlowEntry {
        let client = &self.session.client;
        SlowEntry {
            id: 0,
            at_s: self.server.unix_s(),
            measure,
            arguments: shortened(&redacted(command, words)),
            address: client.address.clone(),
            name: shortened_name(&client.names.lock().name),
        }
    }

    pub(super) fn count_error(&self, from: usize, is_custom: bool) {
        let error = self.reply.last(from).error().unwrap_or_default();
        self.server.statistics.count_error(&error, is_custom);
        self.statistics.error_replies.add(1);
    }

    pub(super) fn end_request(&mut self, number: u16) {
        self.session.client.last_command.store(number, Relaxed);
        if self.session.tracking.is_some() {
            self.end_caching(number);
        }
        if self.session.client.inbox.is_filled() {
            self.take_letters();
        }
        self.started_ns = None;
        self.starved_since_ns = None;
        if self.script_seed.is_some() {
            self.end_script();
        }
    }
}

/// What a request is logged for.
pub(super) struct Remarkable {
    spent_us: u64,
    is_slow: bool,
    /// Whether it is a sample of latency.
    is_spike: bool,
    large_request_bytes: Option<u64>,
    large_reply_bytes: Option<u64>,
}

impl Remarkable {
    /// What is remarkable about a request; mostly nothing is.
    pub(super) fn find(
        server: &Server,
        spent_ns: u64,
        reply_bytes: usize,
        words: &[&[u8]],
    ) -> Option<Self> {
        let live = &server.live;
        let spent_us = spent_ns / 1000;
        let threshold_ms = live.latency_threshold_ms.load(Relaxed);
        let reaches = |measure: u64, bound: &AtomicI64| {
            u64::try_from(bound.load(Relaxed)).is_ok_and(|bound| measure >= bound)
        };
        let exceeds = |measure: usize, bound: &AtomicI64| {
            usize::try_from(bound.load(Relaxed)).is_ok_and(|bound| measure > bound)
        };
        // Few requests are large: most need no exact count.
        let rough_bytes: usize = words.iter().map(|word| word.len() + HEAD_BYTES).sum();
        let is_perhaps_large = exceeds(rough_bytes + HEAD_BYTES, &live.large_request_bytes);
        let is_slow = reaches(spent_us, &live.slower_than_us);
        let has_large_reply = exceeds(reply_bytes, &live.large_reply_bytes);
        let is_spike = threshold_ms > 0 && spent_us >= threshold_ms.saturating_mul(1000);
        if !(is_slow || is_perhaps_large || has_large_reply || is_spike) {
            return None;
        }
        let request_bytes = is_perhaps_large.then(|| request_bytes(words));
        let is_large = |bytes: &usize| exceeds(*bytes, &live.large_request_bytes);
        Some(Self {
            spent_us,
            is_slow,
            is_spike,
            large_request_bytes: request_bytes.filter(is_large).map(|bytes| bytes as u64),
            large_reply_bytes: has_large_reply.then_some(reply_bytes as u64),
        })
    }
}

/// What the books are told of a call of a transaction.
pub(super) struct Booked {
    pub(super) spent_ns: u64,
    pub(super) reply_bytes: usize,
    /// The error it replied with, if that is not in the books yet.
    pub(super) error: Option<Box<[u8]>>,
    pub(super) has_failed: bool,
}

impl Booked {
    pub(super) fn new(spent_ns: u64, reply: Written<'_>) -> Self {
        let error = reply.error();
        Self {
            spent_ns,
            reply_bytes: reply.len(),
            has_failed: error.is_some(),
            error: error.map(|error| error.trim_ascii_end().into()),
        }
    }
}

/// More bytes than stand around a word of a request.
const HEAD_BYTES: usize = 32;

/// Bytes of the request as an array of bulk strings.
fn request_bytes(words: &[&[u8]]) -> usize {
    let head_bytes = |number: usize| 3 + number.checked_ilog10().unwrap_or(0) as usize + 1;
    let bytes = words
        .iter()
        .map(|word| head_bytes(word.len()) + word.len() + 2);
    head_bytes(words.len()) + bytes.sum::<usize>()
}

/// Parameters of CONFIG SET whose values nobody sees.
const SECRETS: [&[u8]; 7] = [
    b"requirepass",
    b"primaryauth",
    b"primaryuser",
    b"masterauth",
    b"masteruser",
    b"tls-key-file-pass",
    b"tls-client-key-file-pass",
];

/// The request without its secrets.
pub(super) fn redacted<'a>(command: &Command, words: &[&'a [u8]]) -> Vec<&'a [u8]> {
    const HIDDEN: &[u8] = b"(redacted)";
    let is_hidden = |index: usize| match command.name {
        "auth" => index > 0,
        // The value of a parameter that is a secret.
        "config|set" => {
            let name = index.checked_sub(1).and_then(|at| words.get(at));
            index > 2
                && index % 2 == 1
                && name.is_some_and(|name| {
                    SECRETS
                        .iter()
                        .any(|secret| name.eq_ignore_ascii_case(secret))
                })
        }
        // The user and password after AUTH.
        "hello" => {
            let is_auth = |back: usize| {
                let at = index.checked_sub(back).filter(|at| *at > 1);
                let word = at.and_then(|at| words.get(at));
                word.is_some_and(|word| word.eq_ignore_ascii_case(b"auth"))
            };
            is_auth(1) || is_auth(2)
        }
        _ => false,
    };
    let word = |(index, word): (usize, &&'a [u8])| if is_hidden(index) { HIDDEN } else { *word };
    words.iter().enumerate().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        for (line, shown) in [
            ("auth me pw", "auth (redacted) (redacted)"),
            (
                "HELLO 3 AUTH me pw SETNAME x",
                "HELLO 3 AUTH (redacted) (redacted) SETNAME x",
            ),
            (
                "config set RequirePass pw maxmemory 1gb",
                "config set RequirePass (redacted) maxmemory 1gb",
            ),
            ("set auth pw", "set auth pw"),
        ] {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let command = table::find(&words).expect("is a command");
            let hidden = redacted(command, &words).join(&b' ');
            assert_eq!(String::from_utf8_lossy(&hidden), shown);
        }
    }

    #[test]
    fn a_request_is_counted_as_it_is_sent() {
        let sent = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n0123456789\r\n";
        assert_eq!(request_bytes(&[b"SET", b"k", b"0123456789"]), sent.len());
    }
}
