//! From a request to its reply: find the keys, lock them, run the handler,
//! log the effects.
//!
//! Owns nothing; every thread runs it. Does not know sessions: AUTH, SELECT,
//! CLIENT, MULTI's queue and their kin are the server's.
//!
//! A fault leaves everything as it was: the caller has the pages read (or
//! waits) and runs the same call again with them in the fault set.

mod aside;
mod blocked;
mod route;
mod scripted;
mod transaction;

use crate::blocking::{Block, Waiters};
use crate::context::{Context, Failure, Reader};
use crate::error::CommandError;
use crate::reply::ReplyBuffer;
use crate::scripts::Scripts;
use crate::table::{self, Command, Flag, KeyFlag, KeyFlags};
pub use aside::{Aside, NothingAside};
pub use blocked::Ran;
use route::{Keys, Names, Quick, Reach, Route};
pub use scripted::{ScriptRan, Scripted};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use thermocline_base::{Lsn, Random};
use thermocline_store::{Access, Fault, FaultSet, KeyId, KeyName, Store};
pub use transaction::Beside;

/// A request whose command is known and whose arity is right.
#[derive(Clone, Copy, Debug)]
pub struct Call<'k> {
    /// Its entry of the table.
    pub command: &'static Command,
    /// The number of the session's database.
    pub database: u8,
    /// The request, the command's name included.
    pub arguments: &'k [&'k [u8]],
}

/// A call that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The reply may leave once [`Store::may_acknowledge`] this.
    pub lsn: Lsn,
}

/// The keys that must not have changed since the client began to watch them.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'k> {
    /// Their names. Their shards are locked together with those of the calls: the flag is
    /// looked at under the locks that the calls run under.
    pub names: &'k [KeyName<'k>],
    /// Set once one has changed: see [`Store::watch`].
    pub changed: &'k AtomicBool,
}

/// See the module.
pub struct Executor {
    store: Arc<Store>,
    waiters: Arc<Waiters>,
    scripts: Arc<Scripts>,
    string_max_bytes: usize,
}

/// What every call of one access has in common.
struct Surroundings<'c> {
    faults: &'c FaultSet,
    random: &'c mut Random,
    /// Names of keys beyond those of the request.
    further: &'c [Box<[u8]>],
    /// Whether a script runs the command.
    is_nested: bool,
}

/// How one call is run.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// Whether it may wait for its keys.
    may_wait: bool,
    /// Whether observers are told that it ran: see [`thermocline_store::Change::Aside`].
    is_told: bool,
}

/// How a handler ended.
enum Handled {
    /// Its reply or error is written.
    Replied,
    /// It has to wait for its keys.
    Blocks(Box<Block>),
    /// It has to run again with these keys too.
    Further(Vec<Box<[u8]>>),
}

/// What became of one try at a call.
enum Tried {
    Ran(Ran),
    /// It has to be tried again with these keys too.
    Further(Vec<Box<[u8]>>),
}

impl Executor {
    /// An executor on `store`; `waiters` are those of all executors on it.
    #[must_use]
    pub fn new(store: Arc<Store>, waiters: Arc<Waiters>, string_max_bytes: usize) -> Self {
        Self {
            store,
            waiters,
            scripts: Arc::new(Scripts::new(thermocline_base::Clock::default())),
            string_max_bytes,
        }
    }

    /// Has it share `scripts` with all executors on its store.
    #[must_use]
    pub fn with_scripts(self, scripts: Arc<Scripts>) -> Self {
        Self { scripts, ..self }
    }

    /// Whether a handler here runs the command; the others are the server's.
    #[must_use]
    pub fn handles(command: &Command) -> bool {
        Route::find(command).is_some()
    }

    /// Runs one call; its reply or error is appended to `reply`. The caller has
    /// asked [`Store::admit`] before, if the command is a write. A command that may
    /// wait does not: see [`Executor::run_or_park`].
    ///
    /// # Errors
    /// What is missing; nothing was changed or written.
    ///
    /// # Panics
    /// For a command that is not handled here.
    pub fn run(
        &self,
        call: Call<'_>,
        reply: &mut ReplyBuffer,
        faults: &FaultSet,
        random: &mut Random,
    ) -> Result<Done, Fault> {
        match self.run_call(call, Manner::default(), reply, faults, random)? {
            Ran::Done(done) => Ok(done),
            Ran::Parked(_) => unreachable!("it may not wait"),
        }
    }

    /// Runs a call, with the further keys it asks for.
    fn run_call(
        &self,
        call: Call<'_>,
        manner: Manner,
        reply: &mut ReplyBuffer,
        faults: &FaultSet,
        random: &mut Random,
    ) -> Result<Ran, Fault> {
        let route = Route::find(call.command);
        let route = route.expect("the caller runs what has no handler");
        // The short road tells nobody of anything.
        if !manner.is_told
            && let Some(ended) = self.run_plain(&call, reply, faults)
        {
            return ended.map(Ran::Done);
        }
        let mut further = Vec::new();
        loop {
            let mut surroundings = Surroundings {
                faults,
                random,
                further: &further,
                is_nested: false,
            };
            match self.try_route(route, &call, manner, reply, &mut surroundings)? {
                Tried::Ran(ran) => {
                    self.serve_ready(random);
                    return Ok(ran);
                }
                Tried::Further(names) => further = names,
            }
        }
    }

    /// Runs one call if it can take the short road of the commonest requests: a command that
    /// replies to what one key holds, or a plain SET, of a key about which one look tells all.
    /// `None` if it cannot: nothing has happened then, and [`Executor::run`] runs it. The
    /// caller has asked as for that.
    ///
    /// # Errors
    /// As [`Executor::run`]: what is missing; nothing was changed or written.
    #[inline]
    pub fn run_plain(
        &self,
        call: &Call<'_>,
        reply: &mut ReplyBuffer,
        faults: &FaultSet,
    ) -> Option<Result<Done, Fault>> {
        let quick = Route::find(call.command)?.quick?;
        match self.run_quick(quick, call, reply, faults) {
            Some(done) => Some(Ok(done)),
            None => self.run_quick_cold(quick, call, reply, faults),
        }
    }

    /// See [`Executor::run_plain`].
    #[inline]
    fn run_quick(
        &self,
        quick: Quick,
        call: &Call<'_>,
        reply: &mut ReplyBuffer,
        faults: &FaultSet,
    ) -> Option<Done> {
        let name = |key| KeyName {
            database: call.database,
            key,
        };
        let now = faults.now().unwrap_or_else(|| self.store.now());
        let lsn = match (quick, call.arguments) {
            (Quick::Set, [_, key, value]) if value.len() <= self.string_max_bytes => {
                let lsn = self.store.set_quick(name(key), now, value)?;
                reply.simple("OK");
                lsn
            }
            (Quick::Read(reader), [_, key, ..])
                if reader.fits(call.arguments) && !(reader.is_use && faults.leaves_no_trace()) =>
            {
                self.store
                    .read_quick(name(key), now, reader.is_use, |entry| {
                        reader.reply(entry, call.arguments, now, reply);
                    })?
            }
            _ => return None,
        };
        Some(Done { lsn })
    }

    /// Whether the command may have a short road: see [`Executor::run_plain`].
    #[must_use]
    pub fn is_plain(command: &Command) -> bool {
        Route::find(command).is_some_and(|route| route.quick.is_some())
    }

    /// As [`Executor::run_quick`], for a string on the tier.
    fn run_quick_cold(
        &self,
        quick: Quick,
        call: &Call<'_>,
        reply: &mut ReplyBuffer,
        faults: &FaultSet,
    ) -> Option<Result<Done, Fault>> {
        let (name, reader) = quick_read(quick, call)?;
        if !reader.is_use || faults.leaves_no_trace() {
            return None;
        }
        let now = faults.now().unwrap_or_else(|| self.store.now());
        let read = self.store.read_quick_cold(name, now, faults, |entry| {
            reader.reply(Some(entry), call.arguments, now, reply);
        })?;
        Some(read.map(|lsn| Done { lsn }))
    }

    fn try_route(
        &self,
        route: Route,
        call: &Call<'_>,
        manner: Manner,
        reply: &mut ReplyBuffer,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<Tried, Fault> {
        let mut names = Names::new();
        route.add_names(call, |number| number, &mut names);
        names.extend(surroundings.further.iter().map(|key| KeyName {
            database: call.database,
            key,
        }));
        let mut access = Access::new(&self.store, &names);
        let all = matches!(route.reach, Reach::AllShards);
        access.acquire(surroundings.faults, all)?;
        let keys: Keys = (0..names.len()).collect();
        let handled = self.run_handler(route, call, &keys, &mut access, reply, surroundings)?;
        let mut parked = None;
        match handled {
            Handled::Replied => {}
            Handled::Further(names) => return Ok(Tried::Further(names)),
            Handled::Blocks(block) if manner.may_wait => {
                let place = (&names, reply.version());
                parked = Some(self.park(call, &block, &keys, &mut access, place));
            }
            Handled::Blocks(block) => reply.nil(block.nil),
        }
        if manner.is_told {
            access.note_aside();
        }
        // Also after an error: it may tell of a change that is not durable yet.
        let lsn = access.finish();
        let ran = parked.map_or(Ran::Done(Done { lsn }), Ran::Parked);
        Ok(Tried::Ran(ran))
    }

    /// Runs the handler; `reply` gets its reply or error, or nothing if it has not
    /// replied.
    fn run_handler<'k>(
        &self,
        route: Route,
        call: &Call<'k>,
        keys: &[KeyId],
        access: &mut Access<'_, 'k>,
        reply: &mut ReplyBuffer,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<Handled, Fault> {
        if grows_too_large(call, access, keys) {
            reply.refuse(&CommandError::ValueTooLarge);
            return Ok(Handled::Replied);
        }
        let mark = reply.checkpoint();
        let outcome = (route.handler)(&mut Context {
            access,
            keys,
            further: surroundings.further,
            is_nested: surroundings.is_nested,
            arguments: call.arguments,
            database: call.database,
            reply,
            faults: surroundings.faults,
            random: surroundings.random,
            settings: self.store.settings(),
            string_max_bytes: self.string_max_bytes,
        });
        let Err(failure) = outcome else {
            return Ok(Handled::Replied);
        };
        reply.rollback(mark);
        match failure {
            Failure::Error(error) => {
                reply.refuse(&error);
                Ok(Handled::Replied)
            }
            Failure::Block(block) => Ok(Handled::Blocks(block)),
            Failure::Further(names) => Ok(Handled::Further(names)),
            Failure::Fault(fault) => Err(fault),
        }
    }

    /// The pages that a later call of the same pipeline will want, as far as
    /// that shows now: they are read together.
    pub fn read_ahead(
        &self,
        call: Call<'_>,
        faults: &FaultSet,
        wanted: &mut Vec<thermocline_store::ReadRequest>,
    ) {
        let Some(route) = Route::find(call.command) else {
            return;
        };
        let read = route.quick.and_then(|quick| quick_read(quick, &call));
        if read.is_some_and(|(name, _)| self.store.wants_quick(name, faults, wanted)) {
            return;
        }
        let mut names = Names::new();
        route.add_names(&call, |number| number, &mut names);
        if names.is_empty() {
            return;
        }
        // Nothing is held longer than the look at it takes: the access is dropped.
        match self.store.access(&names, faults) {
            Err(Fault::Reads(reads)) => wanted.extend(reads),
            Err(Fault::Recovering(keys)) => self.store.hydrate_soon(&keys),
            _ => {}
        }
    }
}

/// The key that the call reads, if that is all it does.
fn quick_read<'k>(quick: Quick, call: &Call<'k>) -> Option<(KeyName<'k>, Reader)> {
    match (quick, call.arguments) {
        (Quick::Read(reader), arguments @ &[_, key, ..]) if reader.fits(arguments) => {
            let database = call.database;
            Some((KeyName { database, key }, reader))
        }
        _ => None,
    }
}

/// Whether the call may add to a collection that already takes as much memory as a value may.
/// (Strings are refused by the length that they would have.)
fn grows_too_large(call: &Call<'_>, access: &Access<'_, '_>, keys: &[KeyId]) -> bool {
    let Some(most) = access.value_max_bytes() else {
        return false;
    };
    let is_large = |key: &KeyId| access.collection_bytes(*key) > most;
    if !call.command.flags.contains(Flag::Denyoom) || !keys.iter().any(is_large) {
        return false;
    }
    // What is put in the place of a value does not add to it.
    let grows = |flags: KeyFlags| {
        flags.contains(KeyFlag::ReadWrite)
            && (flags.contains(KeyFlag::Insert) || flags.contains(KeyFlag::Update))
    };
    let ranges = table::request_keys(call.command, call.arguments);
    let grown = ranges
        .iter()
        .flat_map(|range| std::iter::repeat_n(grows(range.flags), range.count));
    keys.iter()
        .zip(grown)
        .any(|(key, grows)| grows && is_large(key))
}

/// The text for a client whose write is not admitted.
#[must_use]
pub fn refusal(admission: &thermocline_store::Admission) -> Option<CommandError> {
    use thermocline_store::Admission;
    match admission {
        Admission::Go | Admission::Wait | Admission::WaitForLog => None,
        Admission::OutOfMemory => Some(CommandError::OutOfMemory),
        Admission::LogFails(reason) => Some(CommandError::LogFailing(reason.as_str().into())),
        Admission::DiskFails(reason) => Some(CommandError::DiskFailing(reason.as_str().into())),
    }
}
