//! Which code runs a command.
//!
//! Owns the link from each entry of the command table, subcommands included, to its runner.
//! Does not run anything. Built once, read-only after that, any thread.

use std::sync::LazyLock;

use thermocline_commands::Executor;
use thermocline_commands::table::{self, Command};

use crate::commands::{self, ServerCommand};

/// What runs a command.
#[derive(Clone, Copy)]
pub(crate) enum Runs {
    /// The executor: it works on keys.
    Executor,
    /// EXEC: the executor, with the session's queue.
    Transaction,
    /// The executor, with the machine of the scripts.
    Script,
    /// A function of the server.
    Server(ServerCommand),
}

/// By [`Command::index`].
static RUNS: LazyLock<Vec<Runs>> = LazyLock::new(|| {
    table::entries()
        .map(|entry| match commands::find(entry.name) {
            Some(run) => Runs::Server(run),
            None if entry.name == "exec" => Runs::Transaction,
            None if Executor::is_scripted(entry) => Runs::Script,
            None => Runs::Executor,
        })
        .collect()
});

/// By [`Command::index`].
static ENTRIES: LazyLock<Vec<&'static Command>> = LazyLock::new(|| table::entries().collect());

/// All entries; an entry's index is its position.
pub(crate) fn all() -> &'static [&'static Command] {
    &ENTRIES
}

/// What runs the command.
pub(crate) fn runner(command: &Command) -> Runs {
    RUNS[command.index]
}

/// The name of the entry of that index; `NULL` where there is none, as Valkey shows it.
pub(crate) fn name(index: u16) -> &'static str {
    all()
        .get(usize::from(index))
        .map_or("NULL", |entry| entry.name)
}

/// The index of an entry as it is kept for a client.
pub(crate) fn number(command: &Command) -> u16 {
    u16::try_from(command.index).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_run_by_exactly_one() {
        for entry in all() {
            // A container without a subcommand never passes its arity.
            let is_container = !entry.subcommands.is_empty() && !entry.accepts(1);
            let by_executor = Executor::handles(entry);
            match runner(entry) {
                Runs::Executor => assert!(by_executor || is_container, "{}", entry.name),
                Runs::Transaction | Runs::Script | Runs::Server(_) => {
                    assert!(!by_executor, "{}", entry.name);
                }
            }
            assert_eq!(name(number(entry)), entry.name);
        }
        assert_eq!(name(u16::MAX), "NULL");
    }

    #[test]
    fn every_function_of_the_server_has_an_entry() {
        for (name, _) in commands::ALL.iter().flat_map(|family| family.iter()) {
            assert!(all().iter().any(|entry| entry.name == *name), "{name}");
        }
    }
}
