//! Scripts, and transactions that hold any: what stands around them, and the books that are
//! kept of their commands.
//!
//! Owns what a script does beside its keys until it has ended: counts, lines for those who
//! monitor, lines of the log. Whatever is taken back is forgotten here too. The connection's
//! task, or a thread of its own for a script that takes long.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;

use thermocline_base::{Lsn, Random};
use thermocline_commands::scripts::LogLevel;
use thermocline_commands::table::{Command, Flag};
use thermocline_commands::{
    Aside, Call, CommandError, Executor, ReplyBuffer, ScriptRan, Scripted, Watched, Written,
    executor,
};
use thermocline_store::{Fault, FaultSet, Statistics};

use super::Runner;
use super::books::{Booked, Remarkable};
use super::exec::run_holding;
use super::hooks::remember_later;
use crate::commands::{Invocation, select_argument};
use crate::hub::{Hub, MONITOR};
use crate::registry;
use crate::server::Server;
use crate::session::Session;

/// Lines of one script that are kept for those who monitor.
const SHOWN_MAX: usize = 10_000;

/// How a command of the connection ended.
pub(super) enum Ended {
    Done,
    /// A watched key has changed.
    Changed,
    /// See [`ScriptRan::Long`].
    Long,
    /// See [`ScriptRan::Busy`].
    Busy,
    /// See [`ScriptRan::Paused`]; for how long yet, in ms.
    Paused(u64),
}

/// A command of a script, for those who monitor.
pub(super) struct Shown {
    number: u16,
    database: u8,
    words: Vec<Vec<u8>>,
}

/// What is counted of a command of a script.
#[derive(Clone, Copy, Default)]
struct Counts {
    calls: u64,
    failed: u64,
    spent_ns: u64,
}

/// What the commands of a script leave in the books.
#[derive(Default)]
pub(super) struct Notes {
    /// What is counted by command.
    calls: BTreeMap<u16, Counts>,
    /// The last that are to be logged, those of a transaction among them.
    remarkable: VecDeque<(u16, Remarkable, Vec<Vec<u8>>)>,
    /// The calls of the transaction so far.
    booked: Vec<Booked>,
    /// Refused calls by command.
    rejected: BTreeMap<u16, u64>,
    /// Whether the error that the script ended with is among `errors`.
    is_error_counted: bool,
    errors: Vec<Vec<u8>>,
    pub(super) shown: Vec<Shown>,
    lines: Vec<(LogLevel, Vec<u8>)>,
}

struct Surroundings<'a> {
    server: &'a Server,
    session: &'a mut Session,
    executor: &'a Executor,
    faults: &'a FaultSet,
    random: Random,
    lsn: Lsn,
    /// Taken with nothing held.
    snapshot: Option<Statistics>,
    database: u8,
    notes: Notes,
}

/// Commands of the server that need no statistics of the store.
fn needs_no_statistics(command: &Command) -> bool {
    matches!(
        command.name,
        "publish" | "spublish" | "ping" | "echo" | "time" | "select" | "wait" | "debug"
    )
}

impl Surroundings<'_> {
    /// Keeps a call for the logs, if there is something to log about it.
    fn note_remarkable(
        &mut self,
        call: &Call<'_>,
        spent_ns: u64,
        reply: Written<'_>,
        request: &[&[u8]],
    ) {
        let found = Remarkable::find(self.server, spent_ns, reply.len(), request);
        if let Some(remarkable) = found {
            let kept = &mut self.notes.remarkable;
            if kept.len() == SHOWN_MAX {
                kept.pop_front();
            }
            let words = call.arguments.iter().map(|word| word.to_vec()).collect();
            kept.push_back((registry::number(call.command), remarkable, words));
        }
    }
}

impl Aside for Surroundings<'_> {
    fn database(&mut self) -> &mut u8 {
        &mut self.database
    }

    fn is_prepared(&self, command: &Command) -> bool {
        self.snapshot.is_some() || needs_no_statistics(command)
    }

    fn prepare(&mut self) {
        self.snapshot = Some(self.server.store.statistics());
    }

    fn run(&mut self, call: &Call<'_>, is_nested: bool, reply: &mut ReplyBuffer) {
        Hub::begin_aside();
        if is_nested && call.command.name == "select" {
            match select_argument(self.server, call.arguments[1]) {
                Ok(database) => {
                    self.database = database;
                    reply.simple("OK");
                }
                Err(error) => reply.refuse(&error),
            }
            return;
        }
        let without = Statistics::default();
        let invocation = Invocation {
            server: self.server,
            session: self.session,
            reply,
            arguments: call.arguments,
            executor: self.executor,
            faults: self.faults,
            random: &mut self.random,
            lsn: self.lsn,
            snapshot: Some(self.snapshot.as_ref().unwrap_or(&without)),
        };
        run_holding(invocation, call.command);
    }

    fn now_ns(&self) -> u64 {
        self.server.now_ns()
    }

    fn note_queued(&mut self, call: &Call<'_>, spent_ns: u64, reply: Written<'_>) -> bool {
        self.note_remarkable(call, spent_ns, reply, call.arguments);
        let mut booked = Booked::new(spent_ns, reply);
        if std::mem::take(&mut self.notes.is_error_counted) {
            booked.error = None;
        }
        self.notes.booked.push(booked);
        remember_later(self.session, call.command, call.arguments)
    }

    fn note(&mut self, call: &Call<'_>, spent_ns: u64, reply: Written<'_>) -> bool {
        // The request is the script's, whatever words it gives its commands.
        self.note_remarkable(call, spent_ns, reply, &[]);
        let number = registry::number(call.command);
        let counts = self.notes.calls.entry(number).or_default();
        counts.calls += 1;
        counts.spent_ns += spent_ns;
        if let Some(text) = reply.error() {
            counts.failed += 1;
            if self.notes.errors.len() < SHOWN_MAX {
                self.notes.errors.push(text.to_vec());
            }
        }
        let hooks = self.server.hub.hooks();
        if hooks & MONITOR != 0 && self.notes.shown.len() < SHOWN_MAX {
            let words = call.arguments.iter().map(|word| word.to_vec()).collect();
            self.notes.shown.push(Shown {
                number,
                database: call.database,
                words,
            });
        }
        remember_later(self.session, call.command, call.arguments)
    }

    fn refusal(&mut self, command: &Command) -> Option<CommandError> {
        let takes_memory = command.flags.contains(Flag::Denyoom) || Executor::is_scripted(command);
        executor::refusal(&self.server.store.admit(takes_memory))
    }

    fn allows(&self, command: &Command) -> bool {
        command.name == "debug" && self.server.live.scripts_may_debug.load(Relaxed)
    }

    fn note_refused(&mut self, command: Option<&'static Command>, error: &[u8]) {
        if let Some(command) = command {
            let number = registry::number(command);
            *self.notes.rejected.entry(number).or_default() += 1;
        }
        if self.notes.errors.len() < SHOWN_MAX {
            self.notes.errors.push(error.to_vec());
        }
    }

    fn note_counted(&mut self) {
        self.notes.is_error_counted = true;
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        self.notes.lines.push((level, text.to_vec()));
    }

    fn abandon(&mut self) {
        self.notes = Notes::default();
        self.server.hub.end_transaction(None);
    }
}

impl Runner {
    /// Runs a script, or the calls of a transaction that holds any.
    pub(super) fn run_scripted(
        &mut self,
        calls: &[Call<'_>],
        is_transaction: bool,
        watched: Option<Watched<'_>>,
    ) -> Result<Ended, Fault> {
        // The same at each try of the request: see `Scripted::seed`.
        let random = &mut self.random;
        let seed = *self.script_seed.get_or_insert_with(|| random.next_u64());
        if let Some(now) = self.faults.now() {
            let now = *self.script_now.get_or_insert(now);
            self.faults.set_now(Some(now));
        }
        Hub::set_source(self.session.client.id);
        let mut surroundings = Surroundings {
            server: &self.server,
            session: &mut self.session,
            executor: &self.executor,
            faults: &self.faults,
            random: Random::new(seed),
            lsn: self.lsn,
            snapshot: None,
            database: 0,
            notes: Notes::default(),
        };
        let paused_ms = self.server.writes_paused_ms();
        let scripted = Scripted {
            is_paused: paused_ms.is_some(),
            calls,
            is_transaction,
            watched,
            is_patient: self.is_patient,
            seed,
        };
        let ran = self.executor.run_scripted(
            scripted,
            &mut self.reply,
            &self.faults,
            &mut surroundings,
            &mut self.lease,
        );
        let notes = std::mem::take(&mut surroundings.notes);
        if std::mem::take(&mut self.session.resets_statistics) {
            self.server.store.reset_statistics();
        }
        let done = match &ran {
            Ok(ScriptRan::Done(done)) => Some(*done),
            _ => None,
        };
        let lsn = done.map(|done| self.lsn.max(done.lsn).max(self.session.heard_lsn));
        self.server.hub.end_transaction(lsn);
        if let Some(lsn) = lsn {
            self.lsn = lsn;
            self.keep_notes(notes);
        }
        Ok(match ran? {
            ScriptRan::Done(_) => Ended::Done,
            ScriptRan::Changed => Ended::Changed,
            ScriptRan::Long => Ended::Long,
            ScriptRan::Busy => Ended::Busy,
            ScriptRan::Paused => Ended::Paused(paused_ms.unwrap_or(0)),
        })
    }

    fn keep_notes(&mut self, notes: Notes) {
        for (number, counts) in notes.calls {
            if let Some(cell) = self.statistics.cells.get(usize::from(number)) {
                cell.calls.add(counts.calls);
                cell.failed.add(counts.failed);
                cell.spent_ns.add(counts.spent_ns);
            }
            self.answered += counts.calls;
        }
        for (number, remarkable, words) in &notes.remarkable {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            self.log_remarkable(*number, remarkable, &words);
        }
        self.script_booked = notes.booked;
        for (number, calls) in notes.rejected {
            if let Some(cell) = self.statistics.cells.get(usize::from(number)) {
                cell.rejected.add(calls);
            }
        }
        self.is_error_counted = notes.is_error_counted;
        for error in &notes.errors {
            self.server.statistics.count_error(error, false);
            self.statistics.error_replies.add(1);
        }
        for (level, text) in notes.lines {
            let text = String::from_utf8_lossy(&text).into_owned();
            match level {
                LogLevel::Debug => tracing::trace!("{text}"),
                LogLevel::Verbose => tracing::debug!("{text}"),
                LogLevel::Notice => tracing::info!("{text}"),
                LogLevel::Warning => tracing::warn!("{text}"),
            }
        }
        self.script_shown = notes.shown;
    }

    /// Shows those who monitor what the script of the request ran, behind the request.
    pub(super) fn show_script(&mut self, number: u16, words: &[&[u8]]) {
        let shown = std::mem::take(&mut self.script_shown);
        if self.server.hub.hooks() & MONITOR == 0 {
            return;
        }
        self.show_request(number, self.session.database, words);
        self.show_nested(shown);
    }

    /// Shows commands of scripts.
    pub(super) fn show_nested(&self, shown: Vec<Shown>) {
        for line in shown {
            let words: Vec<&[u8]> = line.words.iter().map(Vec::as_slice).collect();
            self.show_line(line.number, line.database, "lua", &words);
        }
    }

    /// After a request: the next one begins with a chance and time of its own.
    pub(super) fn end_script(&mut self) {
        self.script_seed = None;
        self.script_now = None;
        self.script_shown.clear();
        self.script_booked.clear();
        self.is_error_counted = false;
    }

    /// How long a script may keep others from an answer, in ms.
    pub(super) fn busy_threshold_ms(&self) -> u64 {
        self.server.live.busy_threshold_ms.load(Relaxed)
    }
}
