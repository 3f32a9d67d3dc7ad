//! The command table: static facts of every command, and how a request finds its entry.
//!
//! Owns names, arities, flags, key positions, categories and documentation. It does not own
//! handlers. Invariants: names are lower case and unique; entries are sorted by name, the
//! subcommands of a container too. Built once, read-only after that, used by any thread.

mod data;
mod documentation;
mod flags;
mod keys;
mod names;

use std::sync::LazyLock;

pub use documentation::{Argument, Documentation, documentation};
pub use flags::{Categories, Category, Flag, Flags, KeyFlag, KeyFlags};
pub use keys::{KeyRange, KeyRanges, KeySearch, KeySpec, get_keys, request_keys};

use crate::error::CommandError;

/// Bytes of the longest name [`lookup`] looks for; a longer one cannot be a command.
const NAME_LIMIT_BYTES: usize = 32;

/// The chapter of the documentation a command stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Bits of strings.
    Bitmap,
    /// Connection management.
    Connection,
    /// Keys of any type.
    Generic,
    /// Positions.
    Geo,
    /// Hashes.
    Hash,
    /// Lists.
    List,
    /// Channels and their subscribers.
    PubSub,
    /// Scripts and functions.
    Scripting,
    /// Server management.
    Server,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// HyperLogLogs.
    HyperLogLog,
    /// Streams.
    Stream,
    /// Strings.
    String,
    /// Transactions.
    Transactions,
}

impl Group {
    /// The spelling in `COMMAND DOCS`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::List => "list",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::HyperLogLog => "hyperloglog",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}

/// One entry of the table: a command, a container of subcommands, or a subcommand.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its place in [`entries`]: what belongs to each command may stand in an array.
    pub index: usize,
    /// Lower case; a subcommand has its container's name and a `|` in front.
    pub name: &'static str,
    /// The number of arguments with all names counted; negative: at least that many.
    pub arity: i32,
    /// What the command does or needs.
    pub flags: Flags,
    /// The categories of access control it belongs to.
    pub categories: Categories,
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// Position of the first key, 0 for none or where it depends on the arguments.
    pub first_key: i32,
    /// Position of the last key; negative counts from the end of the request.
    pub last_key: i32,
    /// Distance between keys.
    pub key_step: i32,
    /// Where the keys are.
    pub keys: &'static [KeySpec],
    /// Subcommands, sorted by name.
    pub subcommands: &'static [Command],
    /// The chapter of the documentation.
    pub group: Group,
    /// The version of Redis or Valkey that brought it.
    pub since: &'static str,
    /// One sentence.
    pub summary: &'static str,
}

impl Command {
    const fn new(
        name: &'static str,
        arity: i32,
        group: Group,
        since: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            index: 0,
            name,
            arity,
            flags: Flags::of(&[]),
            categories: Categories::of(&[]),
            tips: &[],
            first_key: 0,
            last_key: 0,
            key_step: 0,
            keys: &[],
            subcommands: &[],
            group,
            since,
            summary,
        }
    }

    const fn flags(mut self, flags: &[Flag]) -> Self {
        self.flags = Flags::of(flags);
        self
    }

    const fn categories(mut self, categories: &[Category]) -> Self {
        self.categories = Categories::of(categories);
        self
    }

    const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    const fn legacy_range(mut self, first: i32, last: i32, step: i32) -> Self {
        self.first_key = first;
        self.last_key = last;
        self.key_step = step;
        self
    }

    const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.keys = keys;
        self
    }

    const fn subcommands(mut self, subcommands: &'static [Self]) -> Self {
        self.subcommands = subcommands;
        self
    }

    /// Whether it changes the data set.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        self.flags.contains(Flag::Write)
    }

    /// Whether a request of that many arguments, names counted, fits the arity.
    #[must_use]
    pub const fn accepts(&self, arguments: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 {
            arguments >= wanted
        } else {
            arguments == wanted
        }
    }

    /// The subcommand of that name, without the container's, letter case ignored.
    #[must_use]
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Self> {
        let prefix = self.name.len().saturating_add(1);
        let subcommands: &'static [Self] = self.subcommands;
        subcommands.iter().find(|subcommand| {
            let own = subcommand.name.as_bytes().get(prefix..).unwrap_or_default();
            own.eq_ignore_ascii_case(name)
        })
    }
}

struct Table {
    sorted: Vec<&'static Command>,
    names: names::Names,
}

/// A copy of the entry with its subcommands, numbered from `next` on.
fn numbered(command: &Command, next: &mut usize) -> Command {
    let mut numbered_command = *command;
    numbered_command.index = *next;
    *next = next.saturating_add(1);
    let subcommands: Vec<Command> = command
        .subcommands
        .iter()
        .map(|subcommand| numbered(subcommand, next))
        .collect();
    numbered_command.subcommands = subcommands.leak();
    numbered_command
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut families: Vec<&'static Command> = data::FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .collect();
    families.sort_unstable_by_key(|command| command.name);
    let mut next = 0;
    let commands: Vec<Command> = families
        .into_iter()
        .map(|command| numbered(command, &mut next))
        .collect();
    // Built once and never dropped, as the table lives as long as the process.
    let commands: &'static [Command] = commands.leak();
    let sorted: Vec<&'static Command> = commands.iter().collect();
    let names = names::Names::new(&sorted);
    Table { sorted, names }
});

/// Every command but the subcommands, sorted by name.
#[must_use]
pub fn all() -> &'static [&'static Command] {
    &TABLE.sorted
}

/// Every entry in the order of its [`Command::index`]: each command, followed by its
/// subcommands.
pub fn entries() -> impl Iterator<Item = &'static Command> {
    all()
        .iter()
        .flat_map(|command| std::iter::once(*command).chain(command.subcommands))
}

/// The command of that name, letter case ignored; it is `None` for subcommands.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    if name.len() > NAME_LIMIT_BYTES {
        return None;
    }
    TABLE.names.find(name)
}

/// The entry of a whole request, subcommand included; the arity is not looked at. A
/// container named alone is its own entry. `None` where either name is unknown.
#[must_use]
pub fn find<A: AsRef<[u8]>>(request: &[A]) -> Option<&'static Command> {
    let command = lookup(request.first()?.as_ref())?;
    match request.get(1) {
        Some(name) if !command.subcommands.is_empty() => command.subcommand(name.as_ref()),
        _ => Some(command),
    }
}

/// The entry of a whole request, with its arity checked.
///
/// # Errors
/// [`CommandError::UnknownCommand`], [`CommandError::UnknownSubcommand`] or
/// [`CommandError::WrongArity`], in that order.
pub fn resolve<A: AsRef<[u8]>>(request: &[A]) -> Result<&'static Command, CommandError> {
    let Some(command) = find(request) else {
        return Err(match request {
            [name, subcommand, ..] if lookup(name.as_ref()).is_some() => {
                CommandError::unknown_subcommand(name.as_ref(), subcommand.as_ref())
            }
            [name, arguments @ ..] => CommandError::unknown_command(name.as_ref(), arguments),
            [] => CommandError::unknown_command::<A>(b"", &[]),
        });
    };
    if command.accepts(request.len()) {
        Ok(command)
    } else {
        Err(CommandError::WrongArity(command.name))
    }
}

#[cfg(test)]
mod tests;
