//! The short road of a request: a plain GET or SET while nothing out of the ordinary is on.
//!
//! Owns which requests may take it, and books them as `books` would. What a session is in,
//! and what is asked of the books, changes only with a request of the long road or between
//! batches: it is looked at once and kept until then. What other threads may begin at any
//! time is asked each time. The connection's task.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use thermocline_commands::Call;
use thermocline_commands::table::Command;
use thermocline_store::Admission;

use super::Runner;
use crate::hub::{MONITOR, TRACKING};
use crate::registry;
use crate::session::Replies;

/// What the short road asks before each request.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    /// Whether the session is in no state that changes what a command does.
    is_open: bool,
    tracks_latency: bool,
    /// A request that took as long may be one to be logged.
    slow_ns: u64,
    /// So may one that is as long, or has as long a reply.
    large_bytes: usize,
}

impl Runner {
    /// Runs the request, if it can take the short road; `false` if it cannot: nothing has
    /// happened then.
    pub(super) fn step_plain(&mut self, command: &'static Command, words: &[&[u8]]) -> bool {
        let is_write = match command.name {
            "get" => false,
            "set" => true,
            _ => return false,
        };
        let plain = match self.plain {
            Some(plain) => plain,
            None => self.look(),
        };
        let server = &*self.server;
        if !plain.is_open
            || self.started_ns.is_some()
            || server.gate.is_shut()
            || server.pause.is_possible()
            || server.hub.hooks() & (TRACKING | MONITOR) != 0
            || server.hotkeys.is_active()
            || self.session.client.inbox.is_filled()
            || (is_write && !matches!(server.store.admit(true), Admission::Go))
        {
            return false;
        }
        let place = self.place();
        let call = Call {
            command,
            database: self.session.database,
            arguments: words,
        };
        let ran = self
            .executor
            .run_plain(&call, &mut self.reply, &self.faults);
        let Some(done) = ran else {
            return false;
        };
        self.lsn = self.lsn.max(done.lsn);
        let number = registry::number(command);
        let started_ns = self.now_ns;
        let reply = self.reply.as_bytes();
        if reply.get(place.offset) == Some(&b'-') {
            self.finish(number, started_ns, place, words, super::Step::Done);
            return true;
        }
        let reply_bytes = reply.len() - place.offset;
        let request_bytes: usize = words.iter().map(|word| word.len()).sum();
        let now_ns = self.server.now_ns();
        let spent_ns = now_ns.saturating_sub(started_ns);
        self.now_ns = now_ns;
        self.answered += 1;
        if let Some(cell) = self.statistics.cells.get(usize::from(number)) {
            cell.calls.add(1);
            cell.spent_ns.add(spent_ns);
            if plain.tracks_latency {
                cell.latencies.record(spent_ns);
            }
        }
        if spent_ns >= plain.slow_ns || reply_bytes.max(request_bytes) >= plain.large_bytes {
            self.note_slow(number, spent_ns, reply_bytes, words);
        }
        self.session.client.last_command.store(number, Relaxed);
        true
    }

    fn look(&mut self) -> Plain {
        let session = &self.session;
        let live = &self.server.live;
        let bound = |bound: &AtomicI64| u64::try_from(bound.load(Relaxed)).unwrap_or(u64::MAX);
        let spike_us = match live.latency_threshold_ms.load(Relaxed) {
            0 => u64::MAX,
            ms => ms.saturating_mul(1000),
        };
        let slow_us = bound(&live.slower_than_us).min(spike_us);
        let large_bytes = bound(&live.large_request_bytes).min(bound(&live.large_reply_bytes));
        let plain = Plain {
            is_open: session.is_authenticated
                && session.transaction.is_none()
                && session.replies == Replies::On
                && session.tracking.is_none()
                && !session.subscriptions.is_any()
                && !session.is_monitor
                && !session.is_pushing
                && self.verdict.is_none()
                && !self.is_patient,
            tracks_latency: live.latency_tracking.load(Relaxed),
            slow_ns: slow_us.saturating_mul(1000),
            // Of a request so large the words are more than that.
            large_bytes: usize::try_from(large_bytes / 64).unwrap_or(usize::MAX),
        };
        self.plain = Some(plain);
        plain
    }
}
