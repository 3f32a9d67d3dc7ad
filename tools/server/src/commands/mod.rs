//! The commands that do not work on keys: sessions, configuration, introspection.
//!
//! Owns the functions and how each is called. Does not own what it reports on. A function
//! runs on its connection's thread and never waits: it says what to wait for.
//!
//! INVARIANT: inside a transaction a function runs under the locks of shards, so it calls
//! nothing of the store that takes one; statistics were taken before.

mod client;
mod client_list;
mod command;
mod commandlog;
mod config;
pub(crate) mod connection;
mod debug;
mod hotkeys;
mod info;
mod info_sections;
mod info_store;
mod introspect;
mod memory;
mod module;
mod monitor;
mod persistence;
mod pubsub;
mod scripts;
mod tracking;
mod transaction;

pub(crate) use connection::select_argument;
pub(crate) use debug::debug_refusal;
pub(crate) use hotkeys::moment;
pub(crate) use module::module_refusal;
pub(crate) use monitor::is_refused as is_for_no_monitor;
pub(crate) use monitor::is_shown as is_shown_to_monitors;
pub(crate) use monitor::line as monitor_line;
pub(crate) use pubsub::forbidden_while_subscribed;
pub(crate) use scripts::busy_text;

use std::path::PathBuf;
use std::time::Duration;

use thermocline_base::{Lsn, Random};
use thermocline_commands::{CommandError, Executor, ReplyBuffer};
use thermocline_store::{Fault, FaultSet, Statistics};

use crate::server::Server;
use crate::session::Session;

/// What a function works with.
pub(crate) struct Invocation<'a> {
    pub(crate) server: &'a Server,
    pub(crate) session: &'a mut Session,
    pub(crate) reply: &'a mut ReplyBuffer,
    /// The request, the command's name included.
    pub(crate) arguments: &'a [&'a [u8]],
    pub(crate) executor: &'a Executor,
    pub(crate) faults: &'a FaultSet,
    pub(crate) random: &'a mut Random,
    /// The log position the connection's replies depend on.
    pub(crate) lsn: Lsn,
    /// The numbers of the store, taken before a transaction began; `None` outside of one.
    pub(crate) snapshot: Option<&'a Statistics>,
}

impl Invocation<'_> {
    /// Whether the command is part of a transaction.
    pub(crate) const fn is_in_transaction(&self) -> bool {
        self.snapshot.is_some()
    }

    /// The numbers of the store.
    pub(crate) fn statistics(&self) -> Statistics {
        self.snapshot
            .cloned()
            .unwrap_or_else(|| self.server.store.statistics())
    }

    /// Argument `index`, which the arity or a check has assured, as text.
    pub(crate) fn text(&self, index: usize) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.arguments.get(index).copied().unwrap_or_default())
    }

    /// Whether argument `index` is that keyword, letter case ignored.
    pub(crate) fn is(&self, index: usize, keyword: &str) -> bool {
        let argument = self.arguments.get(index).copied().unwrap_or_default();
        argument.eq_ignore_ascii_case(keyword.as_bytes())
    }

    /// The reply OK.
    pub(crate) fn ok(&mut self) -> CommandResult {
        self.reply.simple("OK");
        Ok(Outcome::Done)
    }

    /// An array of lines, as HELP replies: `title` and the lines that close every help.
    pub(crate) fn help(&mut self, title: &str, lines: &[&str]) -> CommandResult {
        let first = format!("{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        self.reply.array(lines.len() + 3);
        self.reply.simple(&first);
        for line in lines
            .iter()
            .copied()
            .chain(["HELP", "    Print this help."])
        {
            self.reply.simple(line);
        }
        Ok(Outcome::Done)
    }
}

/// How a function ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The reply is written.
    Done,
    /// The reply is written, and the connection ends with it.
    Close,
    /// The connection writes the reply after a wait.
    Wait(Wait),
    /// Something must be read first; nothing was written.
    Fault(Fault),
}

/// What a connection waits for before it writes a reply.
#[derive(Debug)]
pub(crate) enum Wait {
    /// A checkpoint that begins now: then OK, or its error.
    Checkpoint,
    /// A backup in this new directory: then what it is made of, or its error.
    Backup(PathBuf),
    /// Time: then OK.
    Sleep(Duration),
    /// The log up to here, at most so long (`None`: for ever): WAITAOF.
    Durable(Lsn, Option<Duration>),
    /// A last checkpoint if wanted, then the end of the daemon; errors are for the client
    /// unless `force`.
    Shutdown { checkpoint: bool, force: bool },
    /// A digest of all keys, or of each of these.
    Digest(Vec<Vec<u8>>),
    /// The names that match this pattern, of keys that are not all in memory.
    Keys(Vec<u8>),
    /// Keys to be made: how many, their prefix, the size of their values.
    Populate {
        count: u64,
        prefix: Vec<u8>,
        value_bytes: Option<usize>,
    },
}

/// Why a command has an error as its reply.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// One of the commands' errors.
    Command(CommandError),
    /// A text, its code first.
    Text(String),
}

impl Refusal {
    /// Writes the error.
    pub(crate) fn write(&self, reply: &mut ReplyBuffer) {
        match self {
            Self::Command(error) => reply.refuse(error),
            Self::Text(text) => reply.error(text),
        }
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

/// A refusal with the code `ERR`.
pub(crate) fn refuse(text: impl std::fmt::Display) -> Refusal {
    Refusal::Text(format!("ERR {text}"))
}

/// What a function gives.
pub(crate) type CommandResult = Result<Outcome, Refusal>;
/// A command of the server.
pub(crate) type ServerCommand = fn(&mut Invocation<'_>) -> CommandResult;
/// Commands by the name of their entry in the table.
pub(crate) type Family = &'static [(&'static str, ServerCommand)];

/// All families.
pub(crate) static ALL: &[Family] = &[
    client::COMMANDS,
    client_list::COMMANDS,
    command::COMMANDS,
    commandlog::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    debug::COMMANDS,
    hotkeys::COMMANDS,
    info::COMMANDS,
    introspect::COMMANDS,
    memory::COMMANDS,
    module::COMMANDS,
    monitor::COMMANDS,
    persistence::COMMANDS,
    pubsub::COMMANDS,
    scripts::COMMANDS,
    tracking::COMMANDS,
    transaction::COMMANDS,
];

/// The function for the entry of that name.
pub(crate) fn find(name: &str) -> Option<ServerCommand> {
    let mut commands = ALL.iter().flat_map(|family| family.iter());
    commands
        .find(|(known, _)| *known == name)
        .map(|(_, run)| *run)
}
