//! The last commands sent, to tell what led to a difference.
//!
//! Owns what is remembered of them: a bounded number.

use super::resp::{Command, shown};
use super::sweep;
use std::collections::VecDeque;

/// Commands that are remembered.
const REMEMBERED: usize = 200_000;
/// Commands on a key that are told.
const TOLD: usize = 25;
/// Commands that are written to a file.
const WRITTEN: usize = 5000;
/// Longer words are cut when told, bytes.
const TOLD_WORD_BYTES: usize = 80;

/// See the module.
#[derive(Default)]
pub(super) struct History {
    commands: VecDeque<(u64, usize, Command)>,
    count: u64,
}

impl History {
    /// Remembers a command on a connection; its index.
    pub(super) fn push(&mut self, connection: usize, command: &Command) -> u64 {
        if self.commands.len() == REMEMBERED {
            self.commands.pop_front();
        }
        let index = self.count;
        self.commands
            .push_back((index, connection, command.clone()));
        self.count += 1;
        index
    }

    /// Remembers commands on a connection; the index of the first.
    pub(super) fn push_all(&mut self, connection: usize, commands: &[Command]) -> u64 {
        let first = self.count;
        for command in commands {
            self.push(connection, command);
        }
        first
    }

    /// The last commands that share a key with this one, the latest last.
    pub(super) fn related(&self, command: &Command) -> String {
        let mut keys: Vec<_> = command.iter().filter(|word| is_key(word)).collect();
        if command[0].eq_ignore_ascii_case(b"exec") {
            keys.extend(self.watched());
        }
        if keys.is_empty() {
            // A key of a hostile command may be any word; most often it is the last.
            keys.extend(command.last());
        }
        let related = self.commands.iter().rev().filter(|(_, connection, other)| {
            let on_key = other.iter().any(|word| keys.contains(&word));
            let is_global = other.first().is_some_and(|name| is_global(name));
            // What a comparison of all keys sent changes nothing.
            (on_key || is_global) && *connection != sweep::CONNECTION
        });
        let mut lines: Vec<String> = related.take(TOLD).map(line).collect();
        lines.reverse();
        lines.join("\n")
    }

    /// The keys that the connection of the last command watched before it, and that
    /// transaction's.
    fn watched(&self) -> Vec<&Vec<u8>> {
        let last = self.commands.back().map(|(_, connection, _)| *connection);
        let of_it = (self.commands.iter().rev())
            .filter(|(_, connection, _)| Some(*connection) == last)
            .skip(1);
        let before = of_it.take_while(|(_, _, other)| !other[0].eq_ignore_ascii_case(b"exec"));
        let watches = before.filter(|(_, _, other)| other[0].eq_ignore_ascii_case(b"watch"));
        watches.flat_map(|(_, _, other)| &other[1..]).collect()
    }

    /// The last commands on all keys, one a line.
    pub(super) fn last(&self) -> String {
        let skipped = self.commands.len().saturating_sub(WRITTEN);
        let lines = self.commands.iter().skip(skipped).map(line);
        lines.map(|line| line + "\n").collect()
    }
}

fn line((index, connection, command): &(u64, usize, Command)) -> String {
    let told = shown(&command.iter().map(|word| cut(word)).collect());
    format!("  #{index} (connection {connection}) {told}")
}

/// Whether it looks like a key of the generator: a short prefix, a colon.
pub(super) fn is_key(word: &[u8]) -> bool {
    word.iter().take(4).any(|byte| *byte == b':')
}

/// Commands that concern every key.
fn is_global(name: &[u8]) -> bool {
    const GLOBAL: [&[u8]; 3] = [b"swapdb", b"flushdb", b"flushall"];
    GLOBAL
        .iter()
        .any(|global| name.eq_ignore_ascii_case(global))
}

fn cut(word: &[u8]) -> Vec<u8> {
    let mut word = word.to_vec();
    if word.len() > TOLD_WORD_BYTES {
        let left = word.len() - TOLD_WORD_BYTES;
        word.truncate(TOLD_WORD_BYTES);
        word.extend_from_slice(format!("...{left} more").as_bytes());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::resp::command;

    #[test]
    fn commands_on_the_same_key_are_told_in_order() {
        let mut history = History::default();
        history.push(0, &command(&["SET", "s:1", "a"]));
        history.push(1, &command(&["SET", "s:2", "b"]));
        history.push(2, &command(&["SWAPDB", "1", "2"]));
        history.push(sweep::CONNECTION, &command(&["PTTL", "s:1"]));
        let get = command(&["GET", "s:1"]);
        history.push(0, &get);
        let told = history.related(&get);
        let told: Vec<&str> = told.lines().collect();
        assert_eq!(
            told,
            [
                "  #0 (connection 0) SET s:1 a",
                "  #2 (connection 2) SWAPDB 1 2",
                "  #4 (connection 0) GET s:1",
            ]
        );
    }
}
