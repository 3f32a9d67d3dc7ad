//! The books that are kept of every request: time, errors, the slow log.
//!
//! Owns what of a request goes where, secrets left out. The connection's task.

use std::sync::atomic::Ordering::Relaxed;

use thermocline_commands::table::{Command, Flag};

use super::{Place, Runner, Step};
use crate::registry;
use crate::session::Replies;
use crate::slowlog::{SlowEntry, shortened};

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
        let now_ns = self.server.now_ns();
        let spent_ns = now_ns.saturating_sub(started_ns);
        self.now_ns = now_ns;
        self.answered += 1;
        let failed = self.reply.as_bytes().get(place.offset) == Some(&b'-');
        if let Some(cell) = self.statistics.cells.get(usize::from(number)) {
            cell.calls.add(1);
            cell.spent_ns.add(spent_ns);
            if failed {
                cell.failed.add(1);
            }
            if self.server.live.latency_tracking.load(Relaxed) {
                cell.latencies.record(spent_ns);
            }
        }
        if failed {
            self.count_error(place.offset);
        }
        self.note_slow(number, spent_ns, words);
        if self.session.replies != Replies::On && !self.session.end_reply() {
            self.reply.rollback(place.mark);
        }
        self.end_request(number);
        step
    }

    fn note_slow(&self, number: u16, spent_ns: u64, words: &[&[u8]]) {
        let live = &self.server.live;
        let spent_us = spent_ns / 1000;
        let slower_than_us = live.slower_than_us.load(Relaxed);
        let threshold_ms = live.latency_threshold_ms.load(Relaxed);
        let slow = u64::try_from(slower_than_us).is_ok_and(|bound_us| spent_us >= bound_us);
        let spike = threshold_ms > 0 && spent_us >= threshold_ms.saturating_mul(1000);
        if !slow && !spike {
            return;
        }
        let Some(entry) = registry::all().get(usize::from(number)) else {
            return;
        };
        let at_s = self.server.unix_s();
        if spike {
            let event = if entry.flags.contains(Flag::Fast) {
                "fast-command"
            } else {
                "command"
            };
            self.server.latencies.record(event, at_s, spent_us / 1000);
        }
        if slow && !entry.flags.contains(Flag::SkipCommandlog) {
            let entry = SlowEntry {
                id: 0,
                at_s,
                spent_us,
                arguments: shortened(&redacted(entry, words)),
                address: self.session.client.address.clone(),
                name: self.session.client.names.lock().name.clone(),
            };
            let limit = live.slowlog_entries.load(Relaxed);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            self.server.slowlog.push(entry, limit);
        }
    }

    pub(super) fn count_error(&self, from: usize) {
        let error = self.reply.as_bytes().get(from + 1..).unwrap_or_default();
        self.server.statistics.count_error(error);
        self.statistics.error_replies.add(1);
    }

    pub(super) fn end_request(&mut self, number: u16) {
        self.session.client.last_command.store(number, Relaxed);
        self.started_ns = None;
        self.starved_since_ns = None;
    }
}

/// The request without its secrets.
fn redacted<'a>(command: &Command, words: &[&'a [u8]]) -> Vec<&'a [u8]> {
    const HIDDEN: &[u8] = b"(redacted)";
    let shown = match command.name {
        "auth" => 1,
        "hello" | "config|set" => 2,
        _ => words.len(),
    };
    let word = |(index, word): (usize, &&'a [u8])| if index < shown { *word } else { HIDDEN };
    words.iter().enumerate().map(word).collect()
}
