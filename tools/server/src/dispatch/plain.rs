//! The short road of a request: a plain SET, or a plain command that reads one key, while
//! nothing out of the ordinary is on.
//!
//! Owns which requests may take it, and books them as `books` would. What a session is in,
//! and what is asked of the books, changes only with a request of the long road or between
//! batches: it is looked at once and kept until then. What other threads may begin at any
//! time is asked each time. The connection's task.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use thermocline_commands::table::Command;
use thermocline_commands::{Call, Executor};
use thermocline_store::Admission;

use super::{Runner, Step};
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
    /// Runs the request, if it can take the short road; `None` if it cannot: nothing has
    /// happened then.
    pub(super) fn step_plain(
        &mut self,
        command: &'static Command,
        words: &[&[u8]],
    ) -> Option<Step> {
        if !Executor::is_plain(command) {
            return None;
        }
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
            || (command.is_write() && !matches!(server.store.admit(true), Admission::Go))
        {
            return None;
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
        let started_ns = self.now_ns;
        match ran? {
            Ok(done) => self.lsn = self.lsn.max(done.lsn),
            Err(fault) => {
                self.started_ns = Some(started_ns);
                return Some(Step::Fault(fault));
            }
        }
        let number = registry::number(command);
        let reply = self.reply.last(place.offset);
        if reply.is_error() {
            return Some(self.finish(number, started_ns, place, words, Step::Done));
        }
        let reply_bytes = reply.len();
        let request_bytes: usize = words.iter().map(|word| word.len()).sum();
        let spent_ns = self.count_call(number, started_ns, plain.tracks_latency);
        if spent_ns >= plain.slow_ns || reply_bytes.max(request_bytes) >= plain.large_bytes {
            self.note_slow(number, spent_ns, reply_bytes, words);
        }
        self.session.client.last_command.store(number, Relaxed);
        Some(Step::Done)
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
            // A rough sum of words is compared with it, and the bound may be on the whole
            // request, heads and line ends included: those of few words are never 63 times them.
            large_bytes: usize::try_from(large_bytes / 64).unwrap_or(usize::MAX),
        };
        self.plain = Some(plain);
        plain
    }
}
