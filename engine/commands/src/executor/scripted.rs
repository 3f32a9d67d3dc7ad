//! Scripts, and transactions that hold any: run in steps, and taken back whole if they lack
//! something.
//!
//! Owns the order of things. The machine of the scripts comes first, then the keys that the
//! requests name, then the calls; each call of a script takes what it needs beyond that as it
//! goes ([`Held`]). Whatever is lacking ends the try: all changes are taken back, every lock
//! is let go, and it begins again, with more keys named from the start or with what was read
//! meanwhile. What ran is in the log as one frame, or not at all.

use super::aside::Aside;
use super::route::{Keys, Names, Route};
use super::transaction::Databases;
use super::{Call, Done, Executor, Handled, Surroundings, Watched};
use crate::error::CommandError;
use crate::reply::ReplyBuffer;
use crate::scripts::{self, Host, LogLevel, MachineLease, Stop, is_of_scripts};
use crate::table::Command;
use std::sync::atomic::Ordering;
use thermocline_base::Random;
use thermocline_store::{Access, Fault, FaultSet, Held, KeyName, Lack, SYSTEM_DATABASE};

/// The key of the system's database that holds the libraries of functions.
const LIBRARIES: KeyName<'_> = KeyName {
    database: SYSTEM_DATABASE,
    key: scripts::LIBRARIES,
};

/// What became of a script or transaction.
#[derive(Debug)]
pub enum ScriptRan {
    /// Its reply is written.
    Done(Done),
    /// A watched key has changed: nothing ran and nothing was written.
    Changed,
    /// It takes long: it has to be run where it keeps nobody waiting. Nothing is changed or
    /// written.
    Long,
    /// Another has the machine for long.
    Busy,
    /// It may write, and writes are paused: nothing is changed or written.
    Paused,
}

/// What is run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Scripted<'k> {
    /// The calls, of which some are of scripts.
    pub calls: &'k [Call<'k>],
    /// Whether they are a transaction, whose reply is an array.
    pub is_transaction: bool,
    /// The keys that must not have changed.
    pub watched: Option<Watched<'k>>,
    /// Whether it may take all the time it wants.
    pub is_patient: bool,
    /// Whether writes are paused, and scripts that may write with them.
    pub is_paused: bool,
    /// Where chance begins; the same at each try, so that a rerun takes the same way.
    pub seed: u64,
}

/// What a try begins with.
#[derive(Default)]
struct Wanted {
    keys: Vec<(u8, Box<[u8]>)>,
    all: bool,
}

/// What became of a try.
enum Tried {
    Ran(Done),
    Changed,
    Stopped(Stop),
}

impl Executor {
    /// Whether the command runs with the machine of scripts: see
    /// [`Executor::run_scripted`].
    #[must_use]
    pub fn is_scripted(command: &Command) -> bool {
        is_of_scripts(command)
    }

    /// Loads the functions that the store keeps, for the start: they are counted from then on,
    /// and the first who calls one does not wait for it. Without any no machine is made.
    ///
    /// # Errors
    /// What is missing; nothing was loaded.
    pub fn load_functions(&self, faults: &FaultSet) -> Result<(), Fault> {
        let names = [LIBRARIES];
        let kept = kept_libraries(&self.store.access(&names, faults)?)?;
        let Some(kept) = kept else {
            return Ok(());
        };
        if let Some(slot) = self.scripts.machine(&mut MachineLease::default()) {
            let machine = self.scripts.made(slot).map_err(Fault::Damaged)?;
            machine.load_kept(Some(&kept));
            self.scripts.note(machine);
        }
        Ok(())
    }

    /// Runs a script, or a transaction that holds scripts, or a command on what is kept of
    /// them. The machine stays in `lease`.
    ///
    /// # Errors
    /// What is missing; nothing was changed or written.
    pub fn run_scripted(
        &self,
        scripted: Scripted<'_>,
        reply: &mut ReplyBuffer,
        faults: &FaultSet,
        aside: &mut dyn Aside,
        lease: &mut MachineLease,
    ) -> Result<ScriptRan, Fault> {
        let Some(slot) = self.scripts.machine(lease) else {
            return Ok(ScriptRan::Busy);
        };
        let machine = self.scripts.made(slot).map_err(Fault::Damaged)?;
        let before = self.scripts.statistics();
        let mut wanted = Wanted::default();
        let ran = loop {
            let mark = reply.checkpoint();
            let mut random = Random::new(scripted.seed);
            let mut try_ = Try {
                executor: self,
                faults,
                random: &mut random,
                aside,
                held: None,
            };
            let tried = try_.run(&scripted, &wanted, machine, reply);
            let stop = match tried {
                Tried::Ran(done) => {
                    self.scripts.note(machine);
                    break Ok(ScriptRan::Done(done));
                }
                Tried::Changed => break Ok(ScriptRan::Changed),
                Tried::Stopped(stop) => stop,
            };
            // Dropped, what is held is rolled back.
            drop(try_);
            reply.rollback(mark);
            machine.forget_libraries();
            self.scripts.note_libraries(&before);
            aside.abandon();
            match stop {
                Stop::Fault(fault) => break Err(fault),
                Stop::Long => break Ok(ScriptRan::Long),
                Stop::Paused => break Ok(ScriptRan::Paused),
                Stop::All => wanted.all = true,
                Stop::Widen(keys) => wanted.keys.extend(keys),
                Stop::Prepare => aside.prepare(),
            }
        };
        self.serve_ready(&mut Random::new(scripted.seed));
        ran
    }
}

/// One try.
struct Try<'t> {
    executor: &'t Executor,
    faults: &'t FaultSet,
    random: &'t mut Random,
    aside: &'t mut dyn Aside,
    held: Option<Held<'t>>,
}

impl<'t> Try<'t> {
    fn run(
        &mut self,
        scripted: &Scripted<'_>,
        wanted: &Wanted,
        machine: &mut scripts::Machine,
        reply: &mut ReplyBuffer,
    ) -> Tried {
        let mut names = Names::new();
        let mut databases = Databases::new();
        for call in scripted.calls {
            add_names(call, &databases, &mut names);
            databases.follow(call, self.executor.store.settings().databases());
        }
        names.extend(wanted.keys.iter().map(|(database, key)| KeyName {
            database: *database,
            key,
        }));
        if let Some(watched) = scripted.watched {
            names.extend(watched.names.iter().copied());
        }
        let mut access = Access::new(&self.executor.store, &names);
        access.keep_journal();
        if let Err(fault) = access.acquire(self.faults, wanted.all) {
            return Tried::Stopped(Stop::Fault(fault));
        }
        let watched = scripted.watched;
        if watched.is_some_and(|watched| watched.changed.load(Ordering::Acquire)) {
            return Tried::Changed;
        }
        self.held = Some(access.suspend());
        if scripted.is_transaction {
            reply.array(scripted.calls.len());
        }
        for call in scripted.calls {
            let begun_ns = self.aside.now_ns();
            let from = reply.len();
            *self.aside.database() = call.database;
            let performed = if is_of_scripts(call.command) {
                let performed = machine.perform(scripts::Performance {
                    command: call.command,
                    words: call.arguments,
                    is_patient: scripted.is_patient,
                    is_paused: scripted.is_paused,
                    host: self,
                    reply,
                });
                if scripted.is_transaction {
                    // A later call of it may ask for the counts.
                    self.executor.scripts.note(machine);
                }
                performed
            } else {
                self.run_call(call, false, reply)
            };
            if let Err(stop) = performed {
                return Tried::Stopped(stop);
            }
            if scripted.is_transaction {
                let spent_ns = self.aside.now_ns().saturating_sub(begun_ns);
                if self.aside.note_queued(call, spent_ns, reply.last(from)) {
                    self.note_aside();
                }
            }
        }
        let lsn = self.held.take().map(Held::finish).unwrap_or_default();
        Tried::Ran(Done { lsn })
    }

    /// Runs a command that is none of scripts.
    fn run_call(
        &mut self,
        call: &Call<'_>,
        is_nested: bool,
        reply: &mut ReplyBuffer,
    ) -> Result<(), Stop> {
        let Some(route) = Route::find(call.command) else {
            if !self.aside.is_prepared(call.command) {
                return Err(Stop::Prepare);
            }
            self.aside.run(call, is_nested, reply);
            self.note_aside();
            return Ok(());
        };
        if route.reach.is_whole() && !self.held.as_ref().is_some_and(Held::holds_all) {
            return Err(Stop::All);
        }
        let mut further: Vec<Box<[u8]>> = Vec::new();
        loop {
            let mark = reply.checkpoint();
            match self.run_handled(route, call, is_nested, &further, reply)? {
                Handled::Replied => return Ok(()),
                Handled::Blocks(block) => {
                    reply.rollback(mark);
                    reply.nil(block.nil);
                    return Ok(());
                }
                Handled::Further(names) => further = names,
            }
        }
    }

    fn run_handled(
        &mut self,
        route: Route,
        call: &Call<'_>,
        is_nested: bool,
        further: &[Box<[u8]>],
        reply: &mut ReplyBuffer,
    ) -> Result<Handled, Stop> {
        let mut names = Names::new();
        route.add_names(call, |number| number, &mut names);
        names.extend(further.iter().map(|key| KeyName {
            database: call.database,
            key,
        }));
        let keys: Keys = (0..names.len()).collect();
        let (executor, faults) = (self.executor, self.faults);
        let random = &mut *self.random;
        Self::step(&mut self.held, &names, faults, |access| {
            let mut surroundings = Surroundings {
                faults,
                random,
                further,
                is_nested,
            };
            executor.run_handler(route, call, &keys, access, reply, &mut surroundings)
        })
    }

    /// Tells observers that a call ran now.
    fn note_aside(&mut self) {
        if let Some(held) = &mut self.held {
            held.note_aside();
        }
    }

    /// Runs a step with its keys at hand.
    fn step<'k, T>(
        held: &mut Option<Held<'t>>,
        names: &'k [KeyName<'k>],
        faults: &FaultSet,
        run: impl FnOnce(&mut Access<'t, 'k>) -> Result<T, Fault>,
    ) -> Result<T, Stop> {
        let before = held
            .take()
            .expect("a try holds something between its steps");
        let mut access = Access::resume(before, names);
        let ran = match access.acquire_more(faults) {
            Ok(()) => run(&mut access).map_err(Stop::Fault),
            Err(Lack::Fault(fault)) => Err(Stop::Fault(fault)),
            Err(Lack::Contended) => Err(Stop::Widen(
                names
                    .iter()
                    .map(|name| (name.database, name.key.into()))
                    .collect(),
            )),
        };
        *held = Some(access.suspend());
        ran
    }
}

/// The libraries as they are kept; the access holds their key alone.
fn kept_libraries(access: &Access<'_, '_>) -> Result<Option<Vec<u8>>, Fault> {
    let entry = access.peek(0);
    let payload = entry.map(|entry| entry.value.string().map(<[u8]>::to_vec));
    let payload = payload.transpose();
    payload.map_err(|error| Fault::Damaged(error.to_string()))
}

/// Names the keys of a request as they are called before any call in front of it exchanges
/// databases.
fn add_names<'k>(call: &Call<'k>, databases: &Databases, names: &mut Names<'k>) {
    if let Some(route) = Route::find(call.command) {
        return route.add_names(call, |number| databases.first_number(number), names);
    }
    if call.command.name.starts_with("function|") {
        return names.push(LIBRARIES);
    }
    if is_of_scripts(call.command) {
        for range in crate::table::request_keys(call.command, call.arguments) {
            names.extend(range.positions().map(|position| KeyName {
                database: databases.first_number(call.database),
                key: call.arguments[position],
            }));
        }
    }
}

impl Host for Try<'_> {
    fn call(
        &mut self,
        command: &'static Command,
        words: &[&[u8]],
        reply: &mut ReplyBuffer,
    ) -> Result<(), Stop> {
        let call = Call {
            command,
            database: *self.aside.database(),
            arguments: words,
        };
        let begun_ns = self.aside.now_ns();
        self.run_call(&call, true, reply)?;
        let spent_ns = self.aside.now_ns().saturating_sub(begun_ns);
        if self.aside.note(&call, spent_ns, reply.last(0)) {
            self.note_aside();
        }
        Ok(())
    }

    fn refusal(&mut self, command: &Command) -> Option<CommandError> {
        self.aside.refusal(command)
    }

    fn allows(&self, command: &Command) -> bool {
        self.aside.allows(command)
    }

    fn note_refused(&mut self, command: Option<&'static Command>, error: &[u8]) {
        self.aside.note_refused(command, error);
    }

    fn note_counted(&mut self) {
        self.aside.note_counted();
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        self.aside.log(level, text);
    }

    fn libraries(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        Self::step(&mut self.held, &[LIBRARIES], self.faults, |access| {
            kept_libraries(access)
        })
    }

    fn keep_libraries(&mut self, payload: Option<&[u8]>) -> Result<(), Stop> {
        Self::step(&mut self.held, &[LIBRARIES], self.faults, |access| {
            match payload {
                Some(payload) => access.put_string(0, payload, None),
                None => {
                    access.delete(0);
                }
            }
            Ok(())
        })
    }
}
