//! EXEC: the session's queue, run whole.
//!
//! Owns the order of its steps: what the server's own commands report is taken before any
//! shard is locked, the watched keys are looked at under the locks, and a fault leaves the
//! queue as it was. The connection's task.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use thermocline_base::{Lsn, Random};
use thermocline_commands::table::{Command, Flag};
use thermocline_commands::{Beside, Call, CommandError, Executor, ReplyBuffer, Watched, Written};
use thermocline_store::{Fault, FaultSet, Statistics};

use super::books::Booked;
use super::hooks::remember_later;
use super::script::Ended;
use super::{Runner, Step};
use crate::commands::{Invocation, Outcome, Refusal, Wait, select_argument};
use crate::hub::{Hub, MONITOR};
use crate::registry::{self, Runs};
use crate::server::Server;
use crate::session::{Session, Transaction};

/// The longest DEBUG SLEEP of a transaction or script.
const SLEEP_HOLDING_MAX: Duration = Duration::from_secs(10);

/// Runs one of the server's own commands while keys are held, in a transaction or a script,
/// and writes its one reply. DEBUG SLEEP sleeps on the thread with the keys held, for this is
/// what it is for there: others wait, as all do in the reference. What else has to wait is
/// refused.
pub(super) fn run_holding(mut invocation: Invocation<'_>, command: &'static Command) {
    // The executor asks only for what it has no handler for.
    let Runs::Server(run) = registry::runner(command) else {
        return invocation.reply.refuse(&CommandError::InvalidCommand);
    };
    let mark = invocation.reply.checkpoint();
    let refusal = match run(&mut invocation) {
        Ok(Outcome::Done | Outcome::Close) => return,
        Ok(Outcome::Wait(Wait::Sleep(time))) => {
            std::thread::sleep(time.min(SLEEP_HOLDING_MAX));
            return invocation.reply.simple("OK");
        }
        Ok(Outcome::Wait(_) | Outcome::Fault(_)) => {
            CommandError::NotInTransaction(command.name).into()
        }
        Err(refusal) => refusal,
    };
    invocation.reply.rollback(mark);
    refusal.write(invocation.reply);
}

impl Runner {
    /// Whether the queue writes and whether it may take memory.
    pub(super) fn queued_writes(&self) -> (bool, bool) {
        let queued = self
            .session
            .transaction
            .iter()
            .flat_map(|queue| &queue.queued);
        queued.fold((false, false), |(writes, takes), queued| {
            let denyoom = queued.command.flags.contains(Flag::Denyoom);
            (
                writes || denyoom || queued.command.is_write(),
                takes || denyoom,
            )
        })
    }

    pub(super) fn abort_transaction(
        &mut self,
        command: &'static Command,
        error: &CommandError,
    ) -> Step {
        self.session.end_transaction(&self.server.store);
        let reason = error.to_string();
        let reason = reason.strip_prefix("ERR ").unwrap_or(&reason);
        let text = format!("EXECABORT Transaction discarded because of: {reason}");
        self.reject(Some(command), &Refusal::Text(text))
    }

    /// EXEC. After a fault the transaction is still there.
    pub(super) fn execute(&mut self) -> Result<Ended, Fault> {
        let store = Arc::clone(&self.server.store);
        let Some(transaction) = self.session.transaction.take() else {
            self.reply.refuse(&CommandError::ExecWithoutMulti);
            return Ok(Ended::Done);
        };
        if transaction.failed {
            self.session.end_transaction(&store);
            self.reply.refuse(&CommandError::ExecAborted);
            return Ok(Ended::Done);
        }
        let ran = self.run_queue(&transaction);
        match ran {
            Ok(ended @ (Ended::Done | Ended::Changed)) => {
                self.session.end_transaction(&store);
                Ok(ended)
            }
            again => {
                self.session.transaction = Some(transaction);
                again
            }
        }
    }

    fn run_queue(&mut self, transaction: &Transaction) -> Result<Ended, Fault> {
        let words: Vec<Vec<&[u8]>> = transaction
            .queued
            .iter()
            .map(|queued| queued.arguments.iter().map(AsRef::as_ref).collect())
            .collect();
        let mut database = self.session.database;
        let mut calls: Vec<Call<'_>> = Vec::with_capacity(words.len());
        let mut needs_statistics = false;
        for (queued, arguments) in transaction.queued.iter().zip(&words) {
            calls.push(Call {
                command: queued.command,
                database,
                arguments,
            });
            if queued.command.name == "select"
                && let Ok(chosen) = select_argument(&self.server, arguments[1])
            {
                database = chosen;
            }
            let runs = registry::runner(queued.command);
            needs_statistics |= matches!(runs, Runs::Server(_));
        }
        if (calls.iter()).any(|call| Executor::is_scripted(call.command)) {
            return self.run_scripted_queue(&calls);
        }
        // Taken before any shard is locked: see the invariant of `commands`.
        let snapshot = if needs_statistics {
            self.server.store.statistics()
        } else {
            Statistics::default()
        };
        // CLIENT TRACKING may be among the calls.
        Hub::set_source(self.session.client.id);
        let watch = std::mem::take(&mut self.session.watch);
        let names = watch.names();
        let mut around = Around {
            server: &self.server,
            session: &mut self.session,
            executor: &self.executor,
            faults: &self.faults,
            random: Random::new(self.random.next_u64()),
            lsn: self.lsn,
            snapshot,
            noted_ns: self.server.now_ns(),
            booked: Vec::with_capacity(calls.len()),
            calls: &calls,
        };
        let ran = self.executor.run_transaction(
            &calls,
            (!names.is_empty()).then_some(Watched {
                names: &names,
                changed: watch.changed(),
            }),
            &mut self.reply,
            &self.faults,
            &mut self.random,
            &mut around,
        );
        let booked = around.booked;
        drop(names);
        self.session.watch = watch;
        if std::mem::take(&mut self.session.resets_statistics) {
            self.server.store.reset_statistics();
        }
        let done = ran.as_ref().ok().and_then(Option::as_ref);
        let lsn = done.map(|done| self.lsn.max(done.lsn).max(self.session.heard_lsn));
        self.server.hub.end_transaction(lsn);
        ran?;
        match lsn {
            Some(lsn) => {
                self.lsn = lsn;
                self.book_queue(&calls, booked, true);
            }
            None => self.reply.null_array(),
        }
        Ok(Ended::Done)
    }

    /// As [`Runner::run_queue`], of a queue that holds scripts.
    fn run_scripted_queue(&mut self, calls: &[Call<'_>]) -> Result<Ended, Fault> {
        let watch = std::mem::take(&mut self.session.watch);
        let names = watch.names();
        let watched = (!names.is_empty()).then_some(Watched {
            names: &names,
            changed: watch.changed(),
        });
        let ran = self.run_scripted(calls, true, watched);
        drop(names);
        self.session.watch = watch;
        match ran? {
            Ended::Done => {
                let shown = std::mem::take(&mut self.script_shown);
                let booked = std::mem::take(&mut self.script_booked);
                self.book_queue(calls, booked, false);
                self.show_nested(shown);
                Ok(Ended::Done)
            }
            Ended::Changed => {
                self.reply.null_array();
                Ok(Ended::Changed)
            }
            again => Ok(again),
        }
    }

    /// Books the calls of a transaction that ran. Like a script's they are logged each for
    /// itself if they were slow, which EXEC is not; among those of scripts that has been done.
    fn book_queue(&mut self, calls: &[Call<'_>], booked: Vec<Booked>, logs: bool) {
        let tracks_latency = self.server.live.latency_tracking.load(Relaxed);
        let counts_keys = self.server.hotkeys.is_active();
        let shows = self.server.hub.hooks() & MONITOR != 0;
        let chosen = calls.iter().skip(1).map(|call| call.database);
        let chosen = chosen.chain([self.session.database]);
        for ((call, database), booked) in calls.iter().zip(chosen).zip(booked) {
            let number = registry::number(call.command);
            let (spent_ns, reply_bytes) = (booked.spent_ns, booked.reply_bytes);
            self.count_spent(number, spent_ns, tracks_latency);
            if booked.has_failed
                && let Some(cell) = self.statistics.cells.get(usize::from(number))
            {
                cell.failed.add(1);
            }
            if let Some(error) = &booked.error {
                let is_custom = Executor::is_scripted(call.command);
                self.server.statistics.count_error(error, is_custom);
                self.statistics.error_replies.add(1);
            }
            if logs {
                self.note_slow(number, spent_ns, reply_bytes, call.arguments);
            }
            if counts_keys {
                self.note_hot(call.command, call.arguments, spent_ns, reply_bytes);
            }
            if shows {
                self.show_request(number, database, call.arguments);
            }
        }
    }
}

/// What stands around a transaction without scripts.
struct Around<'a> {
    server: &'a Server,
    session: &'a mut Session,
    executor: &'a Executor,
    faults: &'a FaultSet,
    random: Random,
    lsn: Lsn,
    /// Taken with nothing held.
    snapshot: Statistics,
    /// When the call before ended, or all began.
    noted_ns: u64,
    booked: Vec<Booked>,
    calls: &'a [Call<'a>],
}

impl Beside for Around<'_> {
    fn run(&mut self, call: &Call<'_>, reply: &mut ReplyBuffer) {
        Hub::begin_aside();
        let invocation = Invocation {
            server: self.server,
            session: self.session,
            reply,
            arguments: call.arguments,
            executor: self.executor,
            faults: self.faults,
            random: &mut self.random,
            lsn: self.lsn,
            snapshot: Some(&self.snapshot),
        };
        run_holding(invocation, call.command);
    }

    fn note(&mut self, reply: Written<'_>) -> bool {
        let call = self.calls.get(self.booked.len());
        let now_ns = self.server.now_ns();
        let spent_ns = now_ns.saturating_sub(self.noted_ns);
        self.noted_ns = now_ns;
        self.booked.push(Booked::new(spent_ns, reply));
        call.is_some_and(|call| remember_later(self.session, call.command, call.arguments))
    }
}
