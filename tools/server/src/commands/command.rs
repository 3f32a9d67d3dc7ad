//! COMMAND: what the command table says, as replies.
//!
//! Owns the shape of the replies. The facts are the table's.

use thermocline_commands::CommandError;
use thermocline_commands::ReplyBuffer;
use thermocline_commands::glob::{Case, matches};
use thermocline_commands::table::{
    self, Argument, Category, Command, KeyFlags, KeySearch, KeySpec, get_keys,
};

use super::{CommandResult, Family, Invocation, Outcome};

pub(super) static COMMANDS: Family = &[
    ("command", all),
    ("command|count", count),
    ("command|docs", docs),
    ("command|getkeys", keys),
    ("command|getkeysandflags", keys_and_flags),
    ("command|help", help),
    ("command|info", info),
    ("command|list", list),
];

/// The entry of a name such as `get` or `client|list`.
fn named(name: &[u8]) -> Option<&'static Command> {
    match name.iter().position(|byte| *byte == b'|') {
        None => table::lookup(name),
        Some(bar) => table::lookup(&name[..bar])?.subcommand(&name[bar + 1..]),
    }
}

fn all(invocation: &mut Invocation<'_>) -> CommandResult {
    let commands = table::all();
    invocation.reply.array(commands.len());
    for command in commands {
        describe(command, invocation.reply);
    }
    Ok(Outcome::Done)
}

fn count(invocation: &mut Invocation<'_>) -> CommandResult {
    let count = i64::try_from(table::all().len()).unwrap_or(i64::MAX);
    invocation.reply.integer(count);
    Ok(Outcome::Done)
}

fn info(invocation: &mut Invocation<'_>) -> CommandResult {
    let names = &invocation.arguments[2..];
    if names.is_empty() {
        return all(invocation);
    }
    invocation.reply.array(names.len());
    for name in names {
        match named(name) {
            Some(command) => describe(command, invocation.reply),
            None => invocation.reply.null(),
        }
    }
    Ok(Outcome::Done)
}

/// Ten elements, the last of them the subcommands alike.
fn describe(command: &'static Command, reply: &mut ReplyBuffer) {
    reply.array(10);
    reply.bulk(command.name.as_bytes());
    reply.integer(command.arity.into());
    reply.set(command.flags.iter().count());
    for flag in command.flags.iter() {
        reply.simple(flag.name());
    }
    reply.integer(command.first_key.into());
    reply.integer(command.last_key.into());
    reply.integer(command.key_step.into());
    reply.set(command.categories.iter().count());
    for category in command.categories.iter() {
        reply.simple(&format!("@{}", category.name()));
    }
    reply.set(command.tips.len());
    for tip in command.tips {
        reply.bulk(tip.as_bytes());
    }
    reply.set(command.keys.len());
    for keys in command.keys {
        describe_keys(keys, reply);
    }
    reply.array(command.subcommands.len());
    for subcommand in command.subcommands {
        describe(subcommand, reply);
    }
}

fn describe_keys(keys: &KeySpec, reply: &mut ReplyBuffer) {
    if let KeySearch::Unknown { notes } = keys.search {
        reply.map(4);
        reply.bulk(b"notes");
        reply.bulk(notes.as_bytes());
        reply.bulk(b"flags");
        flags(keys.flags, reply);
        for part in ["begin_search", "find_keys"] {
            reply.bulk(part.as_bytes());
            reply.map(2);
            reply.bulk(b"type");
            reply.bulk(b"unknown");
            reply.bulk(b"spec");
            reply.map(0);
        }
        return;
    }
    let has_notes = !keys.notes.is_empty();
    reply.map(3 + usize::from(has_notes));
    if has_notes {
        reply.bulk(b"notes");
        reply.bulk(keys.notes.as_bytes());
    }
    reply.bulk(b"flags");
    flags(keys.flags, reply);
    reply.bulk(b"begin_search");
    reply.map(2);
    reply.bulk(b"type");
    if let KeySearch::StoreOption { word } | KeySearch::Keyword { word } = keys.search {
        reply.bulk(b"keyword");
        reply.bulk(b"spec");
        reply.map(2);
        reply.bulk(b"keyword");
        reply.bulk(word.as_bytes());
        reply.bulk(b"startfrom");
        reply.integer(keys.start.into());
    } else {
        reply.bulk(b"index");
        reply.bulk(b"spec");
        numbers(&[("index", keys.start.into())], reply);
    }
    reply.bulk(b"find_keys");
    reply.map(2);
    reply.bulk(b"type");
    match keys.search {
        KeySearch::Range { last } => {
            reply.bulk(b"range");
            reply.bulk(b"spec");
            let step = keys.step.into();
            numbers(
                &[("lastkey", last.into()), ("keystep", step), ("limit", 0)],
                reply,
            );
        }
        KeySearch::StoreOption { .. } => {
            reply.bulk(b"range");
            reply.bulk(b"spec");
            let step = keys.step.into();
            numbers(&[("lastkey", 0), ("keystep", step), ("limit", 0)], reply);
        }
        KeySearch::Keyword { .. } => {
            reply.bulk(b"range");
            reply.bulk(b"spec");
            let step = keys.step.into();
            numbers(&[("lastkey", -1), ("keystep", step), ("limit", 2)], reply);
        }
        KeySearch::Counted { count, first } => {
            reply.bulk(b"keynum");
            reply.bulk(b"spec");
            let step = keys.step.into();
            let (count, first) = (count.into(), first.into());
            numbers(
                &[("keynumidx", count), ("firstkey", first), ("keystep", step)],
                reply,
            );
        }
        KeySearch::Unknown { .. } => {}
    }
}

fn numbers(pairs: &[(&str, i64)], reply: &mut ReplyBuffer) {
    reply.map(pairs.len());
    for (name, number) in pairs {
        reply.bulk(name.as_bytes());
        reply.integer(*number);
    }
}

fn flags(flags: KeyFlags, reply: &mut ReplyBuffer) {
    reply.set(flags.iter().count());
    for flag in flags.iter() {
        reply.simple(flag.name());
    }
}

fn docs(invocation: &mut Invocation<'_>) -> CommandResult {
    let names = &invocation.arguments[2..];
    let commands: Vec<&'static Command> = if names.is_empty() {
        table::all().to_vec()
    } else {
        names.iter().filter_map(|name| named(name)).collect()
    };
    invocation.reply.map(commands.len());
    for command in commands {
        document(command, invocation.reply);
    }
    Ok(Outcome::Done)
}

/// A name and the map of what is known of it.
fn document(command: &'static Command, reply: &mut ReplyBuffer) {
    let known = table::documentation(command.name);
    let complexity = known.map_or("", |known| known.complexity);
    let arguments = known.map_or(&[][..], |known| &known.arguments);
    let texts = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
        ("complexity", complexity),
    ];
    let texts = texts.iter().filter(|(_, text)| !text.is_empty());
    reply.bulk(command.name.as_bytes());
    reply.map(
        texts.clone().count()
            + usize::from(!arguments.is_empty())
            + usize::from(!command.subcommands.is_empty()),
    );
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        document_arguments(arguments, reply);
    }
    if !command.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(command.subcommands.len());
        for subcommand in command.subcommands {
            document(subcommand, reply);
        }
    }
}

/// A list of maps, in the order of Valkey's fields. Groups are nested a few levels deep.
fn document_arguments(arguments: &[Argument], reply: &mut ReplyBuffer) {
    reply.array(arguments.len());
    for argument in arguments {
        let before = [
            ("name", Some(argument.name)),
            ("type", Some(argument.kind)),
            ("display_text", argument.display_text),
        ];
        let after = [
            ("token", argument.token),
            ("since", argument.since),
            ("deprecated_since", argument.deprecated_since),
        ];
        let fields = before.iter().chain(&after);
        reply.map(
            fields.filter(|(_, value)| value.is_some()).count()
                + usize::from(argument.key_spec_index.is_some())
                + usize::from(!argument.flags.is_empty())
                + usize::from(!argument.arguments.is_empty()),
        );
        document_fields(&before, reply);
        if let Some(index) = argument.key_spec_index {
            reply.bulk(b"key_spec_index");
            reply.integer(index);
        }
        document_fields(&after, reply);
        if !argument.flags.is_empty() {
            reply.bulk(b"flags");
            reply.set(argument.flags.len());
            argument.flags.iter().for_each(|flag| reply.simple(flag));
        }
        if !argument.arguments.is_empty() {
            reply.bulk(b"arguments");
            document_arguments(&argument.arguments, reply);
        }
    }
}

fn document_fields(fields: &[(&str, Option<&str>)], reply: &mut ReplyBuffer) {
    for (name, value) in fields {
        if let Some(value) = value {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        }
    }
}

fn keys(invocation: &mut Invocation<'_>) -> CommandResult {
    let request = &invocation.arguments[2..];
    let ranges = get_keys(request)?;
    let count = ranges.iter().map(|range| range.count).sum();
    invocation.reply.array(count);
    for position in ranges.iter().flat_map(|range| range.positions()) {
        invocation.reply.bulk(request[position]);
    }
    Ok(Outcome::Done)
}

fn keys_and_flags(invocation: &mut Invocation<'_>) -> CommandResult {
    let request = &invocation.arguments[2..];
    let ranges = get_keys(request)?;
    let count = ranges.iter().map(|range| range.count).sum();
    invocation.reply.array(count);
    for range in &ranges {
        for position in range.positions() {
            invocation.reply.array(2);
            invocation.reply.bulk(request[position]);
            flags(range.flags, invocation.reply);
        }
    }
    Ok(Outcome::Done)
}

fn list(invocation: &mut Invocation<'_>) -> CommandResult {
    let every = || {
        let commands = table::all().iter();
        commands.flat_map(|command| std::iter::once(*command).chain(command.subcommands))
    };
    let names: Vec<&str> = match invocation.arguments.get(2..).unwrap_or_default() {
        [] => every().map(|command| command.name).collect(),
        [filter, kind, value] if filter.eq_ignore_ascii_case(b"filterby") => {
            let found: Vec<&'static Command> = if kind.eq_ignore_ascii_case(b"module") {
                Vec::new()
            } else if kind.eq_ignore_ascii_case(b"aclcat") {
                let category = Category::from_name(value);
                every()
                    .filter(|command| {
                        category.is_some_and(|category| command.categories.contains(category))
                    })
                    .collect()
            } else if kind.eq_ignore_ascii_case(b"pattern") {
                every()
                    .filter(|command| {
                        *value == b"*" || matches(value, command.name.as_bytes(), Case::Insensitive)
                    })
                    .collect()
            } else {
                return Err(CommandError::Syntax.into());
            };
            found.into_iter().map(|command| command.name).collect()
        }
        _ => return Err(CommandError::Syntax.into()),
    };
    invocation.reply.array(names.len());
    for name in names {
        invocation.reply.bulk(name.as_bytes());
    }
    Ok(Outcome::Done)
}

fn help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "COMMAND",
        &[
            "(no subcommand)",
            "    Return details about all commands.",
            "COUNT",
            "    Return the total number of commands in this server.",
            "LIST",
            "    Return a list of all commands in this server.",
            "INFO [<command-name> ...]",
            "    Return details about multiple commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "DOCS [<command-name> ...]",
            "    Return documentation details about multiple commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "GETKEYS <full-command>",
            "    Return the keys from a full command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys and the access flags from a full command.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_described_as_valkey_does() {
        let mut reply = ReplyBuffer::default();
        describe(named(b"GET").unwrap(), &mut reply);
        let expected = "*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n\
            *3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n\
            +access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n\
            *2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n\
            $4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\
            \r\n*0\r\n";
        assert_eq!(String::from_utf8_lossy(&reply.as_bytes()), expected);
    }

    #[test]
    fn arguments_are_documented_as_valkey_does() {
        let arguments = &table::documentation("bitpos").unwrap().arguments;
        let mut reply = ReplyBuffer::default();
        document_arguments(&arguments[..1], &mut reply);
        document_arguments(&arguments[2].arguments[..1], &mut reply);
        document_arguments(&table::documentation("ping").unwrap().arguments, &mut reply);
        let expected = "*1\r\n*8\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n\
            $12\r\ndisplay_text\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n\
            *1\r\n*6\r\n$4\r\nname\r\n$5\r\nstart\r\n$4\r\ntype\r\n$7\r\ninteger\r\n\
            $12\r\ndisplay_text\r\n$5\r\nstart\r\n\
            *1\r\n*8\r\n$4\r\nname\r\n$7\r\nmessage\r\n$4\r\ntype\r\n$6\r\nstring\r\n\
            $12\r\ndisplay_text\r\n$7\r\nmessage\r\n$5\r\nflags\r\n*1\r\n+optional\r\n";
        assert_eq!(String::from_utf8_lossy(&reply.as_bytes()), expected);
    }

    #[test]
    fn subcommands_are_found_by_their_full_name() {
        assert_eq!(named(b"client|LIST").unwrap().name, "client|list");
        assert!(named(b"client|").is_none() && named(b"|").is_none());
    }
}
