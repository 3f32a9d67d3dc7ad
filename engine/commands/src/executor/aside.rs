//! What the server does around a script, or a transaction that holds any.
//!
//! Owns the seam: whatever is not the store's. Whoever has no server to speak of, a tool
//! that loads libraries, has [`NothingAside`].

use super::Call;
use crate::error::CommandError;
use crate::reply::{ReplyBuffer, Written};
use crate::scripts::LogLevel;
use crate::table::Command;

/// What stands around a script or transaction beside the store.
pub trait Aside {
    /// The database that calls run in now: SELECT within a script moves it.
    fn database(&mut self) -> &mut u8;
    /// Whether [`Aside::run`] may be asked to run the command. If not, all is taken back,
    /// and [`Aside::prepare`] called with nothing held.
    fn is_prepared(&self, command: &Command) -> bool;
    /// See [`Aside::is_prepared`].
    fn prepare(&mut self);
    /// Runs a command that has no handler here; it writes the one reply. `is_nested`: it is
    /// a script's, and not the session's own.
    fn run(&mut self, call: &Call<'_>, is_nested: bool, reply: &mut ReplyBuffer);
    /// The time that commands are measured by, in ns.
    fn now_ns(&self) -> u64;
    /// A command of a script has run; it took so long. `reply` is its reply. Whether observers
    /// are to be told that it ran: see [`thermocline_store::Change::Aside`].
    fn note(&mut self, call: &Call<'_>, spent_ns: u64, reply: Written<'_>) -> bool;
    /// As [`Aside::note`], of the next call of the transaction.
    fn note_queued(&mut self, call: &Call<'_>, spent_ns: u64, reply: Written<'_>) -> bool;
    /// Why a command of a script may not run now.
    fn refusal(&mut self, command: &Command) -> Option<CommandError>;
    /// Whether scripts may run the command in spite of its flags.
    fn allows(&self, command: &Command) -> bool;
    /// A command of a script was refused with this error; `None` if there is no such command.
    fn note_refused(&mut self, command: Option<&'static Command>, error: &[u8]);
    /// The error that the script ends with was counted when its command gave it.
    fn note_counted(&mut self);
    /// A script writes to the server's log.
    fn log(&mut self, level: LogLevel, text: &[u8]);
    /// Everything since the start was taken back.
    fn abandon(&mut self);
}

/// Nothing stands around the commands: one without a handler here is unknown, and nobody
/// counts or logs.
#[derive(Debug, Default)]
pub struct NothingAside {
    database: u8,
}

impl Aside for NothingAside {
    fn database(&mut self) -> &mut u8 {
        &mut self.database
    }

    fn is_prepared(&self, _: &Command) -> bool {
        true
    }

    fn prepare(&mut self) {}

    fn run(&mut self, call: &Call<'_>, _: bool, reply: &mut ReplyBuffer) {
        reply.refuse(&CommandError::UnknownCommand(
            call.command.name.as_bytes().into(),
        ));
    }

    fn now_ns(&self) -> u64 {
        0
    }

    fn note(&mut self, _: &Call<'_>, _: u64, _: Written<'_>) -> bool {
        false
    }

    fn note_queued(&mut self, _: &Call<'_>, _: u64, _: Written<'_>) -> bool {
        false
    }

    fn refusal(&mut self, _: &Command) -> Option<CommandError> {
        None
    }

    fn allows(&self, _: &Command) -> bool {
        false
    }

    fn note_refused(&mut self, _: Option<&'static Command>, _: &[u8]) {}

    fn note_counted(&mut self) {}

    fn log(&mut self, _: LogLevel, _: &[u8]) {}

    fn abandon(&mut self) {}
}
