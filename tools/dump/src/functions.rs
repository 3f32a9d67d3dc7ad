//! Libraries of functions, which a directory keeps beside the keys.
//!
//! Owns how they are told apart from keys, and that the machine of the daemon's
//! scripts, which loads a library into a directory, needs no session around it. A
//! library is its text; what it is called stands in its first line.

use thermocline_commands::error::CommandError;
use thermocline_commands::reply::ReplyBuffer;
use thermocline_commands::scripts::{LIBRARIES, LIBRARIES_MAX_BYTES, LogLevel, library_name};
use thermocline_commands::table::Command;
use thermocline_commands::{Aside, Call};
use thermocline_types::ValueRef;
use thermocline_types::rdb::restore_libraries;

/// The texts of the libraries in what the server keeps under `name`; none in anything
/// else it keeps.
///
/// # Errors
/// Why it is no list of libraries.
pub(crate) fn texts(name: &[u8], value: ValueRef<'_>) -> Result<Vec<Vec<u8>>, String> {
    if name != LIBRARIES {
        return Ok(Vec::new());
    }
    let payload = value.string().map_err(|error| error.to_string())?;
    restore_libraries(payload, LIBRARIES_MAX_BYTES).map_err(|error| error.to_string())
}

/// The name of a library, as it is shown. Names are letters, digits and underscores.
///
/// # Errors
/// What is wrong with the first line of its text.
pub(crate) fn name(text: &[u8]) -> Result<String, String> {
    let name = library_name(text)?;
    Ok(name.escape_ascii().to_string())
}

/// What stands around the commands of functions here: nothing. A library that is loaded
/// runs no command.
#[derive(Default)]
pub(crate) struct NoSession {
    database: u8,
}

impl Aside for NoSession {
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

    fn note(&mut self, _: &Call<'_>, _: u64, _: &[u8]) {}

    fn note_queued(&mut self, _: &Call<'_>, _: u64, _: &[u8]) {}

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
