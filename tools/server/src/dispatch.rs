//! Runs one request of a connection: checks, transaction queue, executor or server command
//! (`exec` for EXEC), and the books that are kept of it (`books`).
//!
//! Owns what a connection needs to run requests, the reply under construction included.
//! Does not read or write sockets and never waits: a [`Step`] says what to wait for, after
//! which the same request is run again. One connection's task.

mod books;
mod exec;
mod hooks;
mod parked;
mod plain;
mod script;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use thermocline_base::{Lsn, Random};
use thermocline_commands::table::{self, Command, Flag};
use thermocline_commands::{
    Call, CommandError, Executor, MachineLease, Mark, Parked, Ran, ReplyBuffer, Version, executor,
};
use thermocline_store::{Admission, Fault, FaultSet};
use tracing::warn;

pub(crate) use parked::Resumed;

use crate::commands::{
    Invocation, Outcome, Refusal, ServerCommand, Wait, busy_text, debug_refusal,
    forbidden_while_subscribed, is_for_no_monitor, module_refusal,
};
use crate::gate::Passage;
use crate::hub::{Hub, TRACKING};
use crate::registry::{self, Runs};
use crate::server::Server;
use crate::session::Session;
use crate::statistics::ThreadStatistics;

/// How long a write waits for memory before it is refused, in ns.
const MEMORY_WAIT_NS: u64 = 5_000_000_000;
/// How long a script waits before it asks for the machine again, in ms.
const MACHINE_WAIT_MS: u64 = 10;

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Step {
    /// Its reply is written.
    Done,
    /// Its reply is written, and the connection ends with it.
    Close,
    /// It has to run again once this is resolved.
    Fault(Fault),
    /// It has to run again once memory was freed.
    Memory,
    /// It has to run again once the pause has ended or so many ms have passed.
    Paused(u64),
    /// It is run; the connection writes the reply after a wait.
    Wait(Wait),
    /// It waits for its keys.
    Parked(Arc<Parked>),
    /// It is a script that takes long: it has to run again on a thread of its own.
    Script,
}

/// Where a reply begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    mark: Mark,
    offset: usize,
}

/// See the module.
pub(crate) struct Runner {
    pub(crate) server: Arc<Server>,
    pub(crate) statistics: Arc<ThreadStatistics>,
    pub(crate) session: Session,
    pub(crate) reply: ReplyBuffer,
    pub(crate) faults: FaultSet,
    /// Every reply written so far depends on the log up to here.
    pub(crate) lsn: Lsn,
    /// An error that the next request gets instead of being run: why its reads failed.
    pub(crate) verdict: Option<String>,
    /// Commands run since the counters were last written.
    pub(crate) answered: u64,
    executor: Executor,
    /// Of the scripts of a batch.
    lease: MachineLease,
    bulk_bytes: u64,
    random: Random,
    /// The end of the previous request: the start of the next.
    now_ns: u64,
    /// When the request at hand was run the first time.
    started_ns: Option<u64>,
    /// Since when the request at hand waits for memory.
    starved_since_ns: Option<u64>,
    /// Whether a script may take its time: this is no I/O thread.
    pub(crate) is_patient: bool,
    /// Of the script at hand, the same at each try: where its chance begins, and its time.
    script_seed: Option<u64>,
    script_now: Option<thermocline_base::UnixMillis>,
    /// What the script at hand ran, for those who monitor.
    script_shown: Vec<script::Shown>,
    /// The calls of the transaction at hand, if it holds scripts.
    script_booked: Vec<books::Booked>,
    /// Whether the error it ends with is in the books already.
    is_error_counted: bool,
    /// What the short road asks before each request; `None` until it is looked at again.
    plain: Option<plain::Plain>,
}

impl Runner {
    /// A runner for a new connection.
    pub(crate) fn new(
        server: &Arc<Server>,
        statistics: &Arc<ThreadStatistics>,
        session: Session,
    ) -> Self {
        let bulk_bytes = server.live.bulk_bytes.load(Relaxed);
        Self {
            server: Arc::clone(server),
            statistics: Arc::clone(statistics),
            session,
            reply: ReplyBuffer::default(),
            faults: FaultSet::new(),
            lsn: Lsn::ZERO,
            verdict: None,
            answered: 0,
            executor: executor_for(server, bulk_bytes),
            lease: MachineLease::default(),
            bulk_bytes,
            random: Random::new(server.seed()),
            now_ns: 0,
            started_ns: None,
            starved_since_ns: None,
            is_patient: false,
            script_seed: None,
            script_now: None,
            script_shown: Vec::new(),
            script_booked: Vec::new(),
            is_error_counted: false,
            plain: None,
        }
    }

    /// Behind a batch: others may have the machine of the scripts.
    pub(crate) fn end_lease(&mut self) {
        self.lease = MachineLease::default();
    }

    /// Before a batch or after a wait: takes the time and what changed meanwhile.
    pub(crate) fn refresh(&mut self) {
        self.now_ns = self.server.now_ns();
        self.plain = None;
        self.faults.set_now(Some(self.server.store.now()));
        let bulk_bytes = self.server.live.bulk_bytes.load(Relaxed);
        if bulk_bytes != self.bulk_bytes {
            self.bulk_bytes = bulk_bytes;
            self.executor = executor_for(&self.server, bulk_bytes);
        }
    }

    /// The time of the last refresh or request, in ns.
    pub(crate) const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The longest argument, in bytes.
    pub(crate) const fn bulk_bytes(&self) -> u64 {
        self.bulk_bytes
    }

    /// The executor.
    pub(crate) const fn executor(&self) -> &Executor {
        &self.executor
    }

    /// Runs an internal call with the connection's fault set, its reply into `reply`.
    pub(crate) fn run_aside(
        &mut self,
        call: Call<'_>,
        reply: &mut ReplyBuffer,
    ) -> Result<(), Fault> {
        Hub::set_source(self.session.client.id);
        let done = self
            .executor
            .run(call, reply, &self.faults, &mut self.random)?;
        self.lsn = self.lsn.max(done.lsn);
        Ok(())
    }

    /// Runs one request, whose command was resolved before, if it is known and its arity
    /// right.
    pub(crate) fn step(&mut self, command: Option<&'static Command>, words: &[&[u8]]) -> Step {
        if let Some(command) = command
            && let Some(step) = self.step_plain(command, words)
        {
            return step;
        }
        self.plain = None;
        let started_ns = *self.started_ns.get_or_insert(self.now_ns);
        let place = self.place();
        let Some(command) = command else {
            return self.step_unknown(words);
        };
        if let Some(error) = self.forbidden(command) {
            return self.reject(Some(command), &error.into());
        }
        if command.name == "debug"
            && let Some(refusal) = debug_refusal(&self.server, &self.session.client)
        {
            return self.reject(Some(command), &refusal);
        }
        if let Some(refusal) = module_refusal(command) {
            return self.reject(Some(command), &refusal);
        }
        if self.server.gate.is_shut()
            && !self.is_patient
            && let Some(step) = self.wait_for_script(command)
        {
            return step;
        }
        let is_exec = command.name == "exec";
        let is_write = command.is_write() || command.flags.contains(Flag::Denyoom);
        let (writes, takes_memory) = if is_exec {
            self.queued_writes()
        } else {
            (is_write, command.flags.contains(Flag::Denyoom))
        };
        // What would reach replicas as a write does; of scripts only those that may write, which
        // their machine knows.
        let reaches_replicas = writes || matches!(command.name, "publish" | "spublish" | "pfcount");
        if let Some(left_ms) = self.server.paused_ms(command, reaches_replicas) {
            let number = registry::number(command);
            self.session.client.last_command.store(number, Relaxed);
            return Step::Paused(left_ms);
        }
        // Behind the pause: no memory is freed by eviction before it ends.
        if writes {
            match self.admit(takes_memory) {
                Ok(true) => {}
                Ok(false) => return Step::Memory,
                Err(error) if is_exec => return self.abort_transaction(command, &error),
                Err(error) => return self.reject(Some(command), &error.into()),
            }
        }
        if self.session.transaction.is_some() && is_queued(command) {
            return self.queue(command, words);
        }
        let number = registry::number(command);
        if let Some(text) = self.verdict.take() {
            self.reply.error(&text);
            return self.finish(number, started_ns, place, words, Step::Done);
        }
        let is_tracked =
            self.server.hub.hooks() & TRACKING != 0 && self.before_tracked(command, words);
        let step = match registry::runner(command) {
            Runs::Executor => {
                let call = Call {
                    command,
                    database: self.session.database,
                    arguments: words,
                };
                let ran = self.executor.run_or_park(
                    call,
                    is_tracked,
                    &mut self.reply,
                    &self.faults,
                    &mut self.random,
                );
                if is_tracked {
                    // What ran was told of; after a fault it reads again.
                    self.server.hub.end_transaction(None);
                }
                match ran {
                    Ok(Ran::Parked(parked)) => return Step::Parked(parked),
                    Ok(Ran::Done(done)) => {
                        self.lsn = self.lsn.max(done.lsn);
                        Step::Done
                    }
                    // All pages at once would be too many: in steps.
                    Err(Fault::Reads(_)) if command.name == "keys" => {
                        return Step::Wait(Wait::Keys(words[1].to_vec()));
                    }
                    Err(fault) => return Step::Fault(fault),
                }
            }
            Runs::Transaction => {
                let ran = self.execute();
                self.show_traces();
                match ran {
                    Ok(script::Ended::Done | script::Ended::Changed) => Step::Done,
                    Ok(script::Ended::Long) => return Step::Script,
                    Ok(script::Ended::Busy) => return Step::Paused(MACHINE_WAIT_MS),
                    Ok(script::Ended::Paused(left_ms)) => return Step::Paused(left_ms),
                    Err(fault) => return Step::Fault(fault),
                }
            }
            Runs::Script => {
                let call = Call {
                    command,
                    database: self.session.database,
                    arguments: words,
                };
                if !is_write
                    && !command.flags.contains(Flag::Readonly)
                    && matches!(self.admit(true), Ok(false))
                {
                    return Step::Memory;
                }
                match self.run_scripted(&[call], false, None) {
                    Ok(script::Ended::Done | script::Ended::Changed) => Step::Done,
                    Ok(script::Ended::Long) => return Step::Script,
                    Ok(script::Ended::Busy) => return Step::Paused(MACHINE_WAIT_MS),
                    Ok(script::Ended::Paused(left_ms)) => return Step::Paused(left_ms),
                    Err(fault) => return Step::Fault(fault),
                }
            }
            Runs::Server(run) => match self.serve(run, words) {
                Outcome::Done => Step::Done,
                Outcome::Close => Step::Close,
                Outcome::Fault(fault) => return Step::Fault(fault),
                Outcome::Wait(wait) => return Step::Wait(wait),
            },
        };
        self.finish(number, started_ns, place, words, step)
    }

    /// While a script runs for long: what becomes of a command that may not run beside it.
    fn wait_for_script(&mut self, command: &'static Command) -> Option<Step> {
        let now_ms = self.server.now_ms();
        let passage = self.server.gate.passage(now_ms, self.busy_threshold_ms());
        if command.flags.contains(Flag::AllowBusy) {
            if passage == Passage::Open {
                return None;
            }
            // Both lock the shards of watched keys, which the script may hold.
            match command.name {
                "watch" => return Some(Step::Paused(MACHINE_WAIT_MS)),
                "unwatch" | "discard" | "reset" | "quit" => {
                    let watch = std::mem::take(&mut self.session.watch);
                    self.server.gate.leave_behind(watch);
                }
                _ => {}
            }
            return None;
        }
        match passage {
            Passage::Open => None,
            Passage::Wait(left_ms) => Some(Step::Paused(left_ms)),
            Passage::Busy => {
                let running = self.server.scripts.running();
                let text = busy_text(running.is_some_and(|it| it.is_function));
                if command.name == "exec" {
                    let text = text.strip_prefix("BUSY ").unwrap_or(text);
                    self.session.end_transaction(&self.server.store);
                    let text = format!("EXECABORT Transaction discarded because of: BUSY {text}");
                    return Some(self.reject(Some(command), &Refusal::Text(text)));
                }
                Some(self.reject(Some(command), &Refusal::Text(text.to_owned())))
            }
        }
    }

    /// A request that names no command, or one it does not fit.
    fn step_unknown(&mut self, words: &[&[u8]]) -> Step {
        if is_web_request(words) {
            warn!(
                "possible attack: a web browser's request from {}",
                self.session.client.address
            );
            return Step::Close;
        }
        match table::resolve(words) {
            Ok(command) => self.step(Some(command), words),
            Err(error) => match table::find(words) {
                // As in the original, whatever keeps EXEC from running ends the
                // transaction, even where there is none.
                Some(command) if command.name == "exec" => self.abort_transaction(command, &error),
                command => self.reject(command, &error.into()),
            },
        }
    }

    /// Where the next reply begins.
    pub(crate) fn place(&self) -> Place {
        Place {
            mark: self.reply.checkpoint(),
            offset: self.reply.len(),
        }
    }

    /// Books a request whose reply was written at `place` after a wait.
    pub(crate) fn finish_wait(&mut self, command: &Command, words: &[&[u8]], place: Place) {
        let started_ns = self.started_ns.unwrap_or(self.now_ns);
        let number = registry::number(command);
        self.finish(number, started_ns, place, words, Step::Done);
    }

    /// Why the session may not run the command.
    fn forbidden(&self, command: &'static Command) -> Option<CommandError> {
        if !self.session.is_authenticated && !command.flags.contains(Flag::NoAuth) {
            return Some(CommandError::NotAuthenticated);
        }
        if self.session.subscriptions.is_any()
            && self.reply.version() == Version::Two
            && let Some(error) = forbidden_while_subscribed(command.name)
        {
            return Some(error);
        }
        if self.session.is_monitor && is_for_no_monitor(command) {
            return Some(CommandError::KeysWhileMonitoring);
        }
        let in_transaction = self.session.transaction.is_some();
        (in_transaction && command.flags.contains(Flag::NoMulti))
            .then_some(CommandError::NotInTransaction(command.name))
    }

    /// Whether a write may begin; `false` if it has to wait for memory.
    fn admit(&mut self, takes_memory: bool) -> Result<bool, CommandError> {
        let admission = self.server.store.admit(takes_memory);
        match admission {
            Admission::Wait => {
                let since_ns = *self.starved_since_ns.get_or_insert(self.now_ns);
                if self.now_ns.saturating_sub(since_ns) < MEMORY_WAIT_NS {
                    return Ok(false);
                }
                Err(CommandError::OutOfMemory)
            }
            Admission::WaitForLog => Ok(false),
            refused => executor::refusal(&refused).map_or(Ok(true), Err),
        }
    }

    fn queue(&mut self, command: &'static Command, words: &[&[u8]]) -> Step {
        let bytes = self.session.queue(command, words) as u64;
        let mark = self.reply.checkpoint();
        self.reply.simple("QUEUED");
        self.settle_reply(mark);
        let step = if bytes > self.server.live.query_buffer_bytes.load(Relaxed) {
            Step::Close
        } else {
            Step::Done
        };
        self.end_request(registry::number(command));
        step
    }

    /// Answers a request with an error before it ran; a transaction it should have joined
    /// fails with it.
    fn reject(&mut self, command: Option<&'static Command>, refusal: &Refusal) -> Step {
        let number = command.map_or(u16::MAX, registry::number);
        if let Some(transaction) = &mut self.session.transaction {
            transaction.failed = true;
        }
        if let Some(cell) = self.statistics.cells.get(usize::from(number)) {
            cell.rejected.add(1);
        }
        let place = self.place();
        refusal.write(&mut self.reply);
        self.count_error(place.offset, false);
        self.settle_reply(place.mark);
        self.end_request(number);
        Step::Done
    }

    /// Has later reads be uses of their keys or not, as the client wishes.
    fn show_traces(&mut self) {
        let no_touch = self.session.client.no_touch.load(Relaxed);
        self.faults.set_leaves_no_trace(no_touch);
    }

    /// Runs a command of the server.
    fn serve(&mut self, run: ServerCommand, words: &[&[u8]]) -> Outcome {
        let mark = self.reply.checkpoint();
        let mut invocation = Invocation {
            server: &self.server,
            session: &mut self.session,
            reply: &mut self.reply,
            arguments: words,
            executor: &self.executor,
            faults: &self.faults,
            random: &mut self.random,
            lsn: self.lsn,
            snapshot: None,
        };
        let outcome = run(&mut invocation).unwrap_or_else(|refusal| {
            self.reply.rollback(mark);
            refusal.write(&mut self.reply);
            Outcome::Done
        });
        self.lsn = self.lsn.max(self.session.heard_lsn);
        // CONFIG RESETSTAT is itself the first command that counts.
        self.server.statistics.refresh(&self.statistics);
        // CLIENT NO-TOUCH or RESET may have changed it.
        self.show_traces();
        outcome
    }
}

pub(crate) fn executor_for(server: &Server, bulk_bytes: u64) -> Executor {
    let bulk_bytes = usize::try_from(bulk_bytes).unwrap_or(usize::MAX);
    let (store, waiters) = (Arc::clone(&server.store), Arc::clone(&server.waiters));
    Executor::new(store, waiters, bulk_bytes).with_scripts(Arc::clone(&server.scripts))
}

/// Whether a transaction queues the command; the others act at once.
fn is_queued(command: &Command) -> bool {
    !matches!(
        command.name,
        "exec" | "discard" | "multi" | "watch" | "quit" | "reset"
    )
}

/// Whether the request is a line of HTTP, which a page in a browser may have been made to
/// send here; commands could follow in its body.
fn is_web_request(words: &[&[u8]]) -> bool {
    words.first().is_some_and(|word| {
        word.eq_ignore_ascii_case(b"post") || word.eq_ignore_ascii_case(b"host:")
    })
}
