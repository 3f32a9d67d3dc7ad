//! Where a call goes: its handler, its keys, and how much it locks.
//!
//! Owns the link from a command to its handler and the keys that stand in another
//! database. Does not own where keys stand in a request: the table does. Built
//! once, read-only after that.

use super::Call;
use crate::arguments::{parse_copy, parse_database};
use crate::context::{Handler, Reader};
use crate::handlers::{DATABASES, FAMILIES, READERS};
use crate::table::{self, Command, KeySearch, KeySpec};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::sync::LazyLock;
use thermocline_store::{KeyId, KeyName};

/// The keys of one call, or of all calls of a transaction.
pub(super) type Names<'k> = SmallVec<[KeyName<'k>; 4]>;

/// Which of the names are a call's.
pub(super) type Keys = SmallVec<[KeyId; 4]>;

/// How a command runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) handler: Handler,
    pub(super) reach: Reach,
    pub(super) quick: Option<Quick>,
    /// Where the key stands, if there is always one and it is of the session's database.
    only_key: Option<usize>,
}

/// A command that has a short road where its request has no options.
#[derive(Clone, Copy, Debug)]
pub(super) enum Quick {
    /// SET.
    Set,
    /// One that replies to what its key holds.
    Read(Reader),
}

impl Quick {
    fn of(command: &Command) -> Option<Self> {
        match command.name {
            "set" => Some(Self::Set),
            name => {
                let mut readers = READERS.iter();
                let found = readers.find(|(reader, _)| *reader == name);
                found.map(|(_, reader)| Self::Read(*reader))
            }
        }
    }
}

/// What a command touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The keys the table tells.
    Keys,
    /// The keys the table tells, and others that depend on what the first holds.
    FurtherKeys,
    /// COPY: the second of them may be in another database.
    CopyKeys,
    /// MOVE: its key, and that key in another database.
    MoveKeys,
    /// No keys; it looks at a whole database, shard after shard.
    Database,
    /// No keys; it changes whole databases, all shards at once.
    AllShards,
}

impl Reach {
    fn of(command: &Command) -> Self {
        match command.name {
            "sort" | "sort_ro" => Self::FurtherKeys,
            "copy" => Self::CopyKeys,
            "move" => Self::MoveKeys,
            "dbsize" | "keys" | "randomkey" | "scan" => Self::Database,
            "flushall" | "flushdb" | "swapdb" => Self::AllShards,
            _ => Self::Keys,
        }
    }

    /// Whether it is of a whole database.
    pub(super) const fn is_whole(self) -> bool {
        matches!(self, Self::Database | Self::AllShards)
    }
}

/// Where the one key of the command stands, if it has always one.
fn only_key(command: &Command) -> Option<usize> {
    match command.keys {
        [
            KeySpec {
                start,
                search: KeySearch::Range { last: 0 },
                ..
            },
        ] => usize::try_from(*start).ok(),
        _ => None,
    }
}

/// The routes by `Command::index`; `None` for what the server runs itself.
static ROUTES: LazyLock<Box<[Option<Route>]>> = LazyLock::new(|| {
    let handlers: HashMap<&str, Handler> = FAMILIES
        .iter()
        .flat_map(|family| family.iter().copied())
        .collect();
    let route = |command: &Command| {
        let handler = *handlers.get(command.name)?;
        let reach = Reach::of(command);
        Some(Route {
            handler,
            reach,
            quick: Quick::of(command),
            only_key: only_key(command).filter(|_| reach == Reach::Keys),
        })
    };
    table::entries().map(route).collect()
});

impl Route {
    /// The route of a command; `None` for what the server runs itself.
    pub(super) fn find(command: &Command) -> Option<Self> {
        ROUTES.get(command.index).copied().flatten()
    }

    /// Appends the call's keys to `names`. `resolve` says which number a database
    /// has in the access. A request that breaks its command's rules names no
    /// keys, or fewer: its handler refuses it before it looks at one.
    pub(super) fn add_names<'k>(
        self,
        call: &Call<'k>,
        resolve: impl Fn(u8) -> u8,
        names: &mut Names<'k>,
    ) {
        let database = resolve(call.database);
        if let Some(position) = self.only_key {
            let key = call.arguments.get(position);
            if let Some(key) = key {
                names.push(KeyName { database, key });
            }
            return;
        }
        for range in table::request_keys(call.command, call.arguments) {
            names.extend(range.positions().map(|position| KeyName {
                database,
                key: call.arguments[position],
            }));
        }
        match (self.reach, call.arguments) {
            (Reach::CopyKeys, [_, _, _, options @ ..]) => {
                let other = parse_copy(options, DATABASES).ok();
                let other = other.and_then(|options| options.database);
                if let (Some(other), Some(target)) = (other, names.last_mut()) {
                    target.database = resolve(other);
                }
            }
            (Reach::MoveKeys, [_, key, other]) => {
                if let Ok(other) = parse_database(other, DATABASES) {
                    let database = resolve(other);
                    names.push(KeyName { database, key });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<(u8, String)> {
        let arguments: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let command = table::find(&arguments).expect("is a command");
        let call = Call {
            command,
            database: 2,
            arguments: &arguments,
        };
        let mut names = Names::new();
        let route = Route::find(command).expect("has a handler");
        route.add_names(&call, |number| number, &mut names);
        names
            .iter()
            .map(|name| {
                let key = String::from_utf8_lossy(name.key).into_owned();
                (name.database, key)
            })
            .collect()
    }

    fn named(expected: &[(u8, &str)]) -> Vec<(u8, String)> {
        expected
            .iter()
            .map(|(database, key)| (*database, (*key).to_owned()))
            .collect()
    }

    #[test]
    fn keys_of_other_databases_are_found() {
        for (line, expected) in [
            ("GET a", &[(2, "a")][..]),
            ("mset a 1 b 2", &[(2, "a"), (2, "b")]),
            ("object encoding a", &[(2, "a")]),
            ("copy a b", &[(2, "a"), (2, "b")]),
            ("copy a b db 5 replace", &[(2, "a"), (5, "b")]),
            ("copy a b db 5 db 6", &[(2, "a"), (6, "b")]),
            ("copy a b db 16", &[(2, "a"), (2, "b")]),
            ("copy a b db", &[(2, "a"), (2, "b")]),
            ("move a 7", &[(2, "a"), (7, "a")]),
            ("move a 16", &[(2, "a")]),
            ("msetex 9 a 1", &[]),
            ("scan 0", &[]),
            ("flushall", &[]),
        ] {
            assert_eq!(names(line), named(expected), "{line}");
        }
    }

    #[test]
    fn every_handler_belongs_to_a_command() {
        let commands: Vec<&str> = table::entries().map(|command| command.name).collect();
        for (name, _) in FAMILIES.iter().flat_map(|family| family.iter()) {
            assert!(commands.contains(name), "{name}");
        }
    }

    #[test]
    fn every_command_on_the_data_set_has_one_handler() {
        let handled: Vec<&str> = FAMILIES
            .iter()
            .flat_map(|family| family.iter().map(|(name, _)| *name))
            .collect();
        for command in table::entries() {
            let keyspace =
                command.categories.contains(table::Category::Keyspace) || !command.keys.is_empty();
            // WATCH takes keys and is of the session; shard channels are no keys.
            let is_of_server = command.name == "watch"
                || command.group == table::Group::Scripting
                || command.flags.contains(table::Flag::Pubsub);
            if keyspace && command.subcommands.is_empty() && !is_of_server {
                let count = handled.iter().filter(|name| **name == command.name).count();
                assert_eq!(count, 1, "{}", command.name);
            }
        }
    }
}
