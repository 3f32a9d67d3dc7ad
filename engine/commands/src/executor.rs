//! From a request to its reply: find the keys, lock them, run the handler,
//! log the effects.
//!
//! Owns nothing; every thread runs it. Does not know sessions: AUTH, SELECT,
//! CLIENT, MULTI's queue and their kin are the server's.
//!
//! A fault leaves everything as it was: the caller has the pages read (or
//! waits) and runs the same call again with them in the fault set.

mod route;
mod transaction;

use crate::context::{Context, Failure};
use crate::error::CommandError;
use crate::reply::ReplyBuffer;
use crate::table::Command;
use route::{Keys, Names, Reach, Route};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use thermocline_base::{Lsn, Random};
use thermocline_store::{Access, Fault, FaultSet, KeyId, KeyName, Store};

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
    string_max_bytes: usize,
}

/// What every call of one access has in common.
struct Surroundings<'c> {
    faults: &'c FaultSet,
    random: &'c mut Random,
}

impl Executor {
    /// An executor on `store`.
    #[must_use]
    pub const fn new(store: Arc<Store>, string_max_bytes: usize) -> Self {
        Self {
            store,
            string_max_bytes,
        }
    }

    /// Whether a handler here runs the command; the others are the server's.
    #[must_use]
    pub fn handles(command: &Command) -> bool {
        Route::find(command).is_some()
    }

    /// Runs one call; its reply or error is appended to `reply`. The caller has
    /// asked [`Store::admit`] before, if the command is a write.
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
        let route = Route::find(call.command);
        let route = route.expect("the caller runs what has no handler");
        let mut names = Names::new();
        route.add_names(&call, |number| number, &mut names);
        let mut access = Access::new(&self.store, &names);
        access.acquire(faults, matches!(route.reach, Reach::AllShards))?;
        let keys: Keys = (0..names.len()).collect();
        let mut surroundings = Surroundings { faults, random };
        self.run_handler(route, &call, &keys, &mut access, reply, &mut surroundings)?;
        // Also after an error: it may tell of a change that is not durable yet.
        let lsn = access.finish();
        Ok(Done { lsn })
    }

    /// Runs the handler; `reply` gets its reply or error.
    fn run_handler<'k>(
        &self,
        route: Route,
        call: &Call<'k>,
        keys: &[KeyId],
        access: &mut Access<'_, 'k>,
        reply: &mut ReplyBuffer,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<(), Fault> {
        let mark = reply.checkpoint();
        let outcome = (route.handler)(&mut Context {
            access,
            keys,
            arguments: call.arguments,
            database: call.database,
            reply,
            faults: surroundings.faults,
            random: surroundings.random,
            settings: self.store.settings(),
            string_max_bytes: self.string_max_bytes,
        });
        match outcome {
            Ok(()) => Ok(()),
            Err(Failure::Error(error)) => {
                reply.rollback(mark);
                reply.refuse(&error);
                Ok(())
            }
            Err(Failure::Fault(fault)) => {
                reply.rollback(mark);
                Err(fault)
            }
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
        let mut names = Names::new();
        route.add_names(&call, |number| number, &mut names);
        if names.is_empty() {
            return;
        }
        // Nothing is held longer than the look at it takes: the access is dropped.
        if let Err(Fault::Reads(reads)) = self.store.access(&names, faults) {
            wanted.extend(reads);
        }
    }
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
