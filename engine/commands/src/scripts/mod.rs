//! Scripts and functions: the machine that runs them, what they may see, what is kept of
//! them.
//!
//! Owns the one machine of the server and who may use it, the cache of scripts, the libraries
//! of functions as they are loaded, and the run at hand as others may know of it. Does not
//! run commands nor hold keys: its [`Host`] does. What libraries there are stands in the
//! store, beside the keys, and is read from there at the start.
//!
//! INVARIANT: the lock of the machine is taken before any of the store's, and by one script
//! at a time: so a script may take shards as it goes. Who has it may keep it for the next
//! script, and nobody asks for it who holds any of the store's.
//! INVARIANT: a script that has to end does so whatever it catches.
//!
//! Any thread.

mod api;
mod cache;
mod commands;
mod json;
mod libraries;
mod lua;
mod machine;
mod metadata;
mod msgpack;
mod number;
mod packing;
mod replies;
mod returns;
mod run;
mod running;

pub(crate) use commands::Performance;
pub use commands::{LIBRARIES_MAX_BYTES, is_of_scripts};
pub(crate) use machine::Machine;
pub use running::{KillError, RunningScript};

use crate::error::CommandError;
use crate::reply::ReplyBuffer;
use crate::table::Command;
use parking_lot::{ArcMutexGuard, Mutex, RawMutex};
use running::Watch;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use thermocline_base::Clock;
use thermocline_store::Fault;

/// How long a script may run on the thread of its client before it is to be run where it
/// keeps nobody waiting, in ns.
const PATIENCE_NS: u64 = 5_000_000;
/// How long one who wants the machine waits for it at most.
const MACHINE_WAIT: Duration = Duration::from_millis(20);
/// What scripts may take together by default, in bytes.
const MEMORY_BYTES: usize = 256 << 20;

/// The key of the system's database that holds the libraries of functions: a payload of
/// `thermocline_types::rdb::dump_libraries`.
pub const LIBRARIES: &[u8] = b"libraries";

/// The name that a library's text gives itself.
///
/// # Errors
/// Why FUNCTION LOAD would refuse its first line.
pub fn library_name(text: &[u8]) -> Result<Vec<u8>, String> {
    metadata::library(text).map(|parts| parts.name)
}

/// Why a run was abandoned: nothing of it is to stay.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something must be read first.
    Fault(Fault),
    /// It needs these keys, and could not lock them as it met them.
    Widen(Vec<(u8, Box<[u8]>)>),
    /// It needs all shards.
    All,
    /// Its surroundings have to prepare for a command.
    Prepare,
    /// It takes long.
    Long,
    /// Writes are paused, and it may write.
    Paused,
}

/// A level of the server's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// `LOG_DEBUG`.
    Debug,
    /// `LOG_VERBOSE`.
    Verbose,
    /// `LOG_NOTICE`.
    Notice,
    /// `LOG_WARNING`.
    Warning,
}

/// What runs the commands of a script.
pub(crate) trait Host {
    /// Runs a command, its one reply into `reply`.
    fn call(
        &mut self,
        command: &'static Command,
        words: &[&[u8]],
        reply: &mut ReplyBuffer,
    ) -> Result<(), Stop>;
    /// Why the command may not run now, if there is a reason: memory, a failing disk.
    fn refusal(&mut self, command: &Command) -> Option<CommandError>;
    /// Whether scripts may run the command in spite of its flags.
    fn allows(&self, command: &Command) -> bool;
    /// The script's command was refused with this error; `None` if there is no such command.
    fn note_refused(&mut self, command: Option<&'static Command>, error: &[u8]);
    /// The error that the script ends with was counted when its command gave it.
    fn note_counted(&mut self);
    /// Writes to the server's log.
    fn log(&mut self, level: LogLevel, text: &[u8]);
    /// The libraries as they are kept.
    fn libraries(&mut self) -> Result<Option<Vec<u8>>, Stop>;
    /// Keeps these instead; none with `None`.
    fn keep_libraries(&mut self, payload: Option<&[u8]>) -> Result<(), Stop>;
}

/// What INFO tells of scripts and functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptStatistics {
    /// Scripts of EVAL and SCRIPT LOAD that are cached.
    pub scripts: u64,
    /// Scripts of EVAL that had to make room for others.
    pub evicted_scripts: u64,
    /// Bytes of cached scripts.
    pub script_bytes: u64,
    /// Libraries.
    pub libraries: u64,
    /// Their functions.
    pub functions: u64,
    /// Bytes of libraries.
    pub library_bytes: u64,
    /// Bytes of the machine.
    pub machine_bytes: u64,
}

#[derive(Debug, Default)]
struct Counts {
    scripts: AtomicU64,
    evicted_scripts: AtomicU64,
    script_bytes: AtomicU64,
    libraries: AtomicU64,
    functions: AtomicU64,
    library_bytes: AtomicU64,
    machine_bytes: AtomicU64,
}

/// The machine, kept from one script to the next: threads that hand it to each other after each
/// script pay more for that than for the scripts. Given back when it is dropped, which is
/// before its holder waits for anything.
#[derive(Default)]
pub struct MachineLease(Option<ArcMutexGuard<RawMutex, Option<Machine>>>);

/// See the module.
pub struct Scripts {
    machine: Arc<Mutex<Option<Machine>>>,
    watch: Arc<Watch>,
    counts: Counts,
    memory_bytes: AtomicU64,
}

impl Scripts {
    /// No scripts yet; the machine is made once it is needed.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            machine: Arc::default(),
            watch: Arc::new(Watch::new(clock)),
            counts: Counts::default(),
            memory_bytes: AtomicU64::new(MEMORY_BYTES as u64),
        }
    }

    /// What scripts may take together from the next run on, in bytes.
    pub fn set_memory_bytes(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Relaxed);
    }

    /// The machine, for as long as `lease` has it; `None` if another has it for long.
    pub(crate) fn machine<'l>(
        &self,
        lease: &'l mut MachineLease,
    ) -> Option<&'l mut Option<Machine>> {
        if lease.0.is_none() {
            lease.0 = self.machine.try_lock_arc_for(MACHINE_WAIT);
        }
        lease.0.as_deref_mut()
    }

    /// The machine behind its lock, made if there is none.
    pub(crate) fn made<'m>(
        &self,
        slot: &'m mut Option<Machine>,
    ) -> Result<&'m mut Machine, String> {
        if slot.is_none() {
            let machine = Machine::new(&self.watch).map_err(|error| error.to_string())?;
            *slot = Some(machine);
        }
        let machine = slot.as_mut().ok_or("there is no machine")?;
        let bytes = usize::try_from(self.memory_bytes.load(Relaxed)).unwrap_or(usize::MAX);
        machine.set_memory_bytes(bytes);
        Ok(machine)
    }

    /// These are the counts of libraries now; those of before, after what was done to libraries
    /// was taken back.
    pub(crate) fn note_libraries(&self, now: &ScriptStatistics) {
        let counts = &self.counts;
        counts.libraries.store(now.libraries, Relaxed);
        counts.functions.store(now.functions, Relaxed);
        counts.library_bytes.store(now.library_bytes, Relaxed);
    }

    /// After the machine was used: what INFO shows. Libraries that were taken back count as
    /// they did before until those that are kept are loaded again.
    pub(crate) fn note(&self, machine: &Machine) {
        let now = machine.statistics();
        let counts = &self.counts;
        for (count, now) in [
            (&counts.scripts, now.scripts),
            (&counts.evicted_scripts, now.evicted_scripts),
            (&counts.script_bytes, now.script_bytes),
            (&counts.machine_bytes, now.machine_bytes),
        ] {
            count.store(now, Relaxed);
        }
        if machine.is_loaded {
            self.note_libraries(&now);
        }
    }

    /// What INFO tells.
    #[must_use]
    pub fn statistics(&self) -> ScriptStatistics {
        let counts = &self.counts;
        ScriptStatistics {
            scripts: counts.scripts.load(Relaxed),
            evicted_scripts: counts.evicted_scripts.load(Relaxed),
            script_bytes: counts.script_bytes.load(Relaxed),
            libraries: counts.libraries.load(Relaxed),
            functions: counts.functions.load(Relaxed),
            library_bytes: counts.library_bytes.load(Relaxed),
            machine_bytes: counts.machine_bytes.load(Relaxed),
        }
    }

    /// A script begins that may run for long, beside its client's thread.
    pub fn begin_long(&self, is_function: bool, words: &[&[u8]]) {
        self.watch.begin_long(is_function, words);
    }

    /// It has ended.
    pub fn end_long(&self) {
        self.watch.end_long();
    }

    /// The script that runs for long, if one does.
    #[must_use]
    pub fn running(&self) -> Option<RunningScript> {
        self.watch.running()
    }

    /// SCRIPT KILL, or FUNCTION KILL if it `is_function`.
    ///
    /// # Errors
    /// Why there is nothing to kill.
    pub fn kill(&self, is_function: bool) -> Result<(), KillError> {
        self.watch.kill(is_function)
    }

    /// Ends whatever runs, because the server does: what it did is taken back.
    pub fn abort(&self) {
        self.watch.abort();
    }
}
