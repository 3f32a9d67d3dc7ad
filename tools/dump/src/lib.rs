//! `thermocline-dump`: what an operator does with a data directory that no
//! daemon holds.
//!
//! Owns the commands and their text, and the files of other servers: [`rdb`] and
//! [`aof`]. Does not know the formats of a data directory (the store's offline reader
//! does) and never changes one but through the store, as the daemon does.
//!
//! Modules, lowest first: `place`, `moment`, [`rdb`], [`failure`], [`filter`], [`arguments`],
//! `functions`, [`mod@line`], [`aof`], `pipeline`, `input`, `new_directory`, `target`, `output`, `walk`, then one for
//! each command.
//!
//! Exit codes:
//!
//! | Code | Meaning |
//! |---|---|
//! | 0 | done; the directory is intact, the two sides are the same |
//! | 1 | damage was found and told, and what is whole was still read; or there is a difference |
//! | 2 | the directory or the output cannot be used, or the arguments are wrong |
//! | 3 | the input is not valid; of a file no key was written |
//! | 141 | nobody reads the output any more |

pub mod aof;
pub mod arguments;
mod copy;
mod diff;
mod digest;
mod dump;
pub mod failure;
pub mod filter;
mod functions;
mod import;
mod input;
mod inspect;
pub mod line;
mod manual;
mod moment;
mod new_directory;
mod output;
mod pipeline;
mod place;
mod progress;
pub mod rdb;
mod repair;
mod report;
mod restore;
mod target;
mod verify;
mod walk;

pub use arguments::Arguments;
pub use failure::{Failure, Outcome};

use arguments::Command;
use std::io::Write;

/// Runs the command. What it is for goes to `output`; summaries and damage go
/// to `messages`, but for `verify`, whose output they are.
///
/// # Errors
/// Why it could not be done.
pub fn run(
    arguments: &Arguments,
    output: &mut dyn Write,
    messages: &mut dyn Write,
) -> Result<Outcome, Failure> {
    match &arguments.command {
        Command::Verify(verify) => verify::run(verify, output),
        Command::Inspect(inspect) => inspect::run(inspect, output, messages),
        Command::Dump(dump) => dump::run(dump, output, messages),
        Command::Restore(restore) => restore::run(restore, messages),
        Command::Import(import) => import::run(import, messages),
        Command::Repair(repair) => repair::run(repair, output, messages),
        Command::Diff(diff) => diff::run(diff, output, messages),
        Command::Completions(completions) => manual::completions(completions, output),
        Command::Man(man) => manual::man(man, output),
    }
}
