//! What `COMMAND DOCS` tells beyond the table: how a command's work grows, and its arguments.
//!
//! Owns `documentation.txt`, which stands beside this file, and its syntax: a line a command
//! with its growth, below it a line an argument, one space deeper than what it is a part of:
//! its name, its type and fields `name=value`. Generated once from `COMMAND DOCS` of Valkey
//! 9.1.2 and kept by hand since. Parsed when it is first asked for; read-only, any thread.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What is documented of a command.
#[derive(Debug, Default)]
pub struct Documentation {
    /// How its work grows, as `O(N)`; empty for what depends on the subcommand or a script.
    pub complexity: &'static str,
    /// Its arguments in order, without those of subcommands.
    pub arguments: Vec<Argument>,
}

/// An argument, or a group of some.
#[derive(Debug, Default)]
pub struct Argument {
    /// What it is called.
    pub name: &'static str,
    /// `key`, `string`, `integer`, `double`, `pattern`, `unix-time`, `pure-token`, or for groups
    /// `oneof` and `block`.
    pub kind: &'static str,
    /// What to show a user for it; `None` for groups.
    pub display_text: Option<&'static str>,
    /// Which of the command's key specifications it belongs to.
    pub key_spec_index: Option<i64>,
    /// The word that stands before it, or that it is.
    pub token: Option<&'static str>,
    /// The version that brought it.
    pub since: Option<&'static str>,
    /// The version that deprecated it.
    pub deprecated_since: Option<&'static str>,
    /// `optional`, `multiple`, `multiple_token`.
    pub flags: Vec<&'static str>,
    /// The parts of a group.
    pub arguments: Vec<Self>,
}

/// The documentation of a command, or of a subcommand with its full name.
#[must_use]
pub fn documentation(name: &str) -> Option<&'static Documentation> {
    static ALL: LazyLock<HashMap<&'static str, Documentation>> =
        LazyLock::new(|| parse(include_str!("documentation.txt")));
    ALL.get(name)
}

fn parse(text: &'static str) -> HashMap<&'static str, Documentation> {
    let mut all = HashMap::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, complexity) = line.split_once(' ').unwrap_or((line, ""));
        let arguments = parse_arguments(&mut lines, 1);
        all.insert(
            name,
            Documentation {
                complexity,
                arguments,
            },
        );
    }
    all
}

/// The arguments whose lines begin with `depth` spaces, and their parts.
fn parse_arguments(
    lines: &mut std::iter::Peekable<std::str::Lines<'static>>,
    depth: usize,
) -> Vec<Argument> {
    let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut arguments = Vec::new();
    while let Some(line) = lines.next_if(|line| indentation(line) == depth) {
        let mut argument = parse_argument(line);
        argument.arguments = parse_arguments(lines, depth + 1);
        arguments.push(argument);
    }
    arguments
}

fn parse_argument(line: &'static str) -> Argument {
    let mut words = line.trim_start_matches(' ').split(' ');
    let mut argument = Argument {
        name: words.next().unwrap_or_default(),
        kind: words.next().unwrap_or_default(),
        ..Argument::default()
    };
    if !matches!(argument.kind, "oneof" | "block") {
        argument.display_text = Some(argument.name);
    }
    for (field, value) in words.filter_map(|word| word.split_once('=')) {
        match field {
            "display" => argument.display_text = Some(value),
            "key" => argument.key_spec_index = value.parse().ok(),
            "token" => argument.token = Some(value),
            "since" => argument.since = Some(value),
            "deprecated" => argument.deprecated_since = Some(value),
            _ => argument.flags.extend(value.split(',')),
        }
    }
    argument
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{self, Command};

    const TEXT: &str = include_str!("documentation.txt");

    fn visit(commands: &[Command], seen: &mut Vec<&'static str>) {
        for command in commands {
            let found = documentation(command.name);
            assert!(found.is_some(), "{} is not documented", command.name);
            for argument in &found.expect("just found").arguments {
                if let Some(index) = argument.key_spec_index {
                    let specs = command.keys.len() as i64;
                    assert!(index < specs, "{}: {index} of {specs}", command.name);
                }
            }
            seen.push(command.name);
            visit(command.subcommands, seen);
        }
    }

    #[test]
    fn every_command_is_documented_and_every_line_understood() {
        let mut seen = Vec::new();
        for command in table::all() {
            visit(std::slice::from_ref(*command), &mut seen);
        }
        let kinds = [
            "key",
            "string",
            "integer",
            "double",
            "pattern",
            "unix-time",
            "pure-token",
            "oneof",
            "block",
        ];
        let fields = ["display", "key", "token", "since", "deprecated", "flags"];
        for line in TEXT.lines().filter(|line| line.starts_with(' ')) {
            let mut words = line.trim_start().split(' ').skip(1);
            assert!(kinds.contains(&words.next().expect("a type")), "{line}");
            for word in words {
                let (field, _) = word.split_once('=').expect("a field");
                assert!(fields.contains(&field), "{line}");
            }
        }
    }

    #[test]
    fn a_group_has_its_parts() {
        let set = documentation("set").expect("it is documented");
        assert_eq!(set.complexity, "O(1)");
        let names: Vec<_> = set.arguments.iter().map(|it| it.name).collect();
        assert_eq!(names, ["key", "value", "condition", "get", "expiration"]);
        let condition = &set.arguments[2];
        assert_eq!((condition.kind, condition.display_text), ("oneof", None));
        assert_eq!(condition.flags, ["optional"]);
        let last = condition.arguments.last().expect("it has parts");
        assert_eq!((last.token, last.since), (Some("IFEQ"), Some("8.1.0")));
        assert_eq!(set.arguments[0].key_spec_index, Some(0));
    }
}
