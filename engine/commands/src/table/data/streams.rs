//! Table entries of the commands on streams.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("xack", -4, Group::Stream, "5.0.0",
            "Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Stream, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    // Redis 8.2; Valkey has no such command.
    Command::new("xackdel", -6, Group::Stream, "8.2.0",
            "Acknowledges and deletes one or multiple messages for a stream consumer group.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Stream, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update, KeyFlag::Delete])]),
    Command::new("xadd", -5, Group::Stream, "5.0.0",
            "Appends a new message to a stream. Creates the key if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Stream, Category::Write])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("xautoclaim", -6, Group::Stream, "6.2.0",
            "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to a consumer group member.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Stream, Category::Write])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("xclaim", -6, Group::Stream, "5.0.0",
            "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered to a consumer group member.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Stream, Category::Write])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("xdel", -3, Group::Stream, "5.0.0",
            "Returns the number of messages after removing them from a stream.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Stream, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    // Redis 8.2; Valkey has no such command.
    Command::new("xdelex", -5, Group::Stream, "8.2.0",
            "Deletes one or multiple entries from the stream.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Stream, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("xgroup", -2, Group::Stream, "5.0.0",
            "A container for consumer groups commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("xgroup|create", -5, Group::Stream, "5.0.0",
                    "Creates a consumer group.")
                .flags(&[Flag::Denyoom, Flag::Write])
                .categories(&[Category::Slow, Category::Stream, Category::Write])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
            Command::new("xgroup|createconsumer", 5, Group::Stream, "6.2.0",
                    "Creates a consumer in a consumer group.")
                .flags(&[Flag::Denyoom, Flag::Write])
                .categories(&[Category::Slow, Category::Stream, Category::Write])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
            Command::new("xgroup|delconsumer", 5, Group::Stream, "5.0.0",
                    "Deletes a consumer from a consumer group.")
                .flags(&[Flag::Write])
                .categories(&[Category::Slow, Category::Stream, Category::Write])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
            Command::new("xgroup|destroy", 4, Group::Stream, "5.0.0",
                    "Destroys a consumer group.")
                .flags(&[Flag::Write])
                .categories(&[Category::Slow, Category::Stream, Category::Write])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
            Command::new("xgroup|help", 2, Group::Stream, "5.0.0",
                    "Returns helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Slow, Category::Stream]),
            Command::new("xgroup|setid", -5, Group::Stream, "5.0.0",
                    "Sets the last-delivered ID of a consumer group.")
                .flags(&[Flag::Write])
                .categories(&[Category::Slow, Category::Stream, Category::Write])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
        ]),
    Command::new("xinfo", -2, Group::Stream, "5.0.0",
            "A container for stream introspection commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("xinfo|consumers", 4, Group::Stream, "5.0.0",
                    "Returns a list of the consumers in a consumer group.")
                .flags(&[Flag::Readonly])
                .categories(&[Category::Read, Category::Slow, Category::Stream])
                .tips(&["nondeterministic_output"])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
            Command::new("xinfo|groups", 3, Group::Stream, "5.0.0",
                    "Returns a list of the consumer groups of a stream.")
                .flags(&[Flag::Readonly])
                .categories(&[Category::Read, Category::Slow, Category::Stream])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
            Command::new("xinfo|help", 2, Group::Stream, "5.0.0",
                    "Returns helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Slow, Category::Stream]),
            Command::new("xinfo|stream", -3, Group::Stream, "5.0.0",
                    "Returns information about a stream.")
                .flags(&[Flag::Readonly])
                .categories(&[Category::Read, Category::Slow, Category::Stream])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
        ]),
    Command::new("xlen", 2, Group::Stream, "5.0.0",
            "Returns the number of messages in a stream.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::Stream])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("xpending", -3, Group::Stream, "5.0.0",
            "Returns the information and entries from a stream consumer group's pending entries list.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::Stream])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("xrange", -4, Group::Stream, "5.0.0",
            "Returns the messages from a stream within a range of IDs.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::Stream])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("xread", -4, Group::Stream, "5.0.0",
            "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.")
        .flags(&[Flag::Blocking, Flag::Movablekeys, Flag::Readonly])
        .categories(&[Category::Blocking, Category::Read, Category::Slow, Category::Stream])
        .keys(&[KeySpec::after_keyword("STREAMS", 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("xreadgroup", -7, Group::Stream, "5.0.0",
            "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.")
        .flags(&[Flag::Blocking, Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Blocking, Category::Slow, Category::Stream, Category::Write])
        .keys(&[KeySpec::after_keyword("STREAMS", 4, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("xrevrange", -4, Group::Stream, "5.0.0",
            "Returns the messages from a stream within a range of IDs in reverse order.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::Stream])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("xsetid", -3, Group::Stream, "5.0.0",
            "An internal command for replicating stream values.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Stream, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("xtrim", -4, Group::Stream, "5.0.0",
            "Deletes messages from the beginning of a stream.")
        .flags(&[Flag::Write])
        .categories(&[Category::Slow, Category::Stream, Category::Write])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
];
