//! Table entries of the commands on scripts and functions.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new(
        "eval",
        -3,
        Group::Scripting,
        "2.6.0",
        "Executes a server-side Lua script.",
    )
    .flags(&[
        Flag::Movablekeys,
        Flag::NoMandatoryKeys,
        Flag::Noscript,
        Flag::SkipMonitor,
        Flag::Stale,
    ])
    .categories(&[Category::Scripting, Category::Slow])
    .keys(&[KeySpec::counted(
        2,
        0,
        1,
        1,
        &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update],
    )
    .notes("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")]),
    Command::new(
        "eval_ro",
        -3,
        Group::Scripting,
        "7.0.0",
        "Executes a read-only server-side Lua script.",
    )
    .flags(&[
        Flag::Movablekeys,
        Flag::NoMandatoryKeys,
        Flag::Noscript,
        Flag::Readonly,
        Flag::SkipMonitor,
        Flag::Stale,
    ])
    .categories(&[Category::Scripting, Category::Slow])
    .keys(&[
        KeySpec::counted(2, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]).notes(
            "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
        ),
    ]),
    Command::new(
        "evalsha",
        -3,
        Group::Scripting,
        "2.6.0",
        "Executes a server-side Lua script by SHA1 digest.",
    )
    .flags(&[
        Flag::Movablekeys,
        Flag::NoMandatoryKeys,
        Flag::Noscript,
        Flag::SkipMonitor,
        Flag::Stale,
    ])
    .categories(&[Category::Scripting, Category::Slow])
    .keys(&[KeySpec::counted(
        2,
        0,
        1,
        1,
        &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update],
    )]),
    Command::new(
        "evalsha_ro",
        -3,
        Group::Scripting,
        "7.0.0",
        "Executes a read-only server-side Lua script by SHA1 digest.",
    )
    .flags(&[
        Flag::Movablekeys,
        Flag::NoMandatoryKeys,
        Flag::Noscript,
        Flag::Readonly,
        Flag::SkipMonitor,
        Flag::Stale,
    ])
    .categories(&[Category::Scripting, Category::Slow])
    .keys(&[KeySpec::counted(
        2,
        0,
        1,
        1,
        &[KeyFlag::ReadOnly, KeyFlag::Access],
    )]),
    Command::new(
        "fcall",
        -3,
        Group::Scripting,
        "7.0.0",
        "Invokes a function.",
    )
    .flags(&[
        Flag::Movablekeys,
        Flag::NoMandatoryKeys,
        Flag::Noscript,
        Flag::SkipMonitor,
        Flag::Stale,
    ])
    .categories(&[Category::Scripting, Category::Slow])
    .keys(&[KeySpec::counted(
        2,
        0,
        1,
        1,
        &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update],
    )
    .notes("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")]),
    Command::new(
        "fcall_ro",
        -3,
        Group::Scripting,
        "7.0.0",
        "Invokes a read-only function.",
    )
    .flags(&[
        Flag::Movablekeys,
        Flag::NoMandatoryKeys,
        Flag::Noscript,
        Flag::Readonly,
        Flag::SkipMonitor,
        Flag::Stale,
    ])
    .categories(&[Category::Scripting, Category::Slow])
    .keys(&[
        KeySpec::counted(2, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]).notes(
            "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
        ),
    ]),
    Command::new(
        "function",
        -2,
        Group::Scripting,
        "7.0.0",
        "A container for function commands.",
    )
    .categories(&[Category::Slow])
    .subcommands(&[
        Command::new(
            "function|delete",
            3,
            Group::Scripting,
            "7.0.0",
            "Deletes a library and its functions.",
        )
        .flags(&[Flag::Noscript, Flag::Write])
        .categories(&[Category::Scripting, Category::Slow, Category::Write])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
        Command::new(
            "function|dump",
            2,
            Group::Scripting,
            "7.0.0",
            "Dumps all libraries into a serialized binary payload.",
        )
        .flags(&[Flag::Noscript])
        .categories(&[Category::Scripting, Category::Slow]),
        Command::new(
            "function|flush",
            -2,
            Group::Scripting,
            "7.0.0",
            "Deletes all libraries and functions.",
        )
        .flags(&[Flag::Noscript, Flag::Write])
        .categories(&[Category::Scripting, Category::Slow, Category::Write])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
        Command::new(
            "function|help",
            2,
            Group::Scripting,
            "7.0.0",
            "Returns helpful text about the different subcommands.",
        )
        .flags(&[Flag::Loading, Flag::Stale])
        .categories(&[Category::Scripting, Category::Slow]),
        Command::new(
            "function|kill",
            2,
            Group::Scripting,
            "7.0.0",
            "Terminates a function during execution.",
        )
        .flags(&[Flag::AllowBusy, Flag::Noscript])
        .categories(&[Category::Scripting, Category::Slow])
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
        Command::new(
            "function|list",
            -2,
            Group::Scripting,
            "7.0.0",
            "Returns information about all libraries.",
        )
        .flags(&[Flag::Noscript])
        .categories(&[Category::Scripting, Category::Slow])
        .tips(&["nondeterministic_output_order"]),
        Command::new(
            "function|load",
            -3,
            Group::Scripting,
            "7.0.0",
            "Creates a library.",
        )
        .flags(&[Flag::Denyoom, Flag::Noscript, Flag::Write])
        .categories(&[Category::Scripting, Category::Slow, Category::Write])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
        Command::new(
            "function|restore",
            -3,
            Group::Scripting,
            "7.0.0",
            "Restores all libraries from a payload.",
        )
        .flags(&[Flag::Denyoom, Flag::Noscript, Flag::Write])
        .categories(&[Category::Scripting, Category::Slow, Category::Write])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
        Command::new(
            "function|stats",
            2,
            Group::Scripting,
            "7.0.0",
            "Returns information about a function during execution.",
        )
        .flags(&[Flag::AllowBusy, Flag::Noscript])
        .categories(&[Category::Scripting, Category::Slow])
        .tips(&[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ]),
    ]),
    Command::new(
        "script",
        -2,
        Group::Scripting,
        "2.6.0",
        "A container for Lua scripts management commands.",
    )
    .categories(&[Category::Slow])
    .subcommands(&[
        Command::new(
            "script|debug",
            -3,
            Group::Scripting,
            "3.2.0",
            "Sets the debug mode of server-side Lua scripts.",
        )
        .flags(&[Flag::Noscript])
        .categories(&[Category::Scripting, Category::Slow]),
        Command::new(
            "script|exists",
            -3,
            Group::Scripting,
            "2.6.0",
            "Determines whether server-side Lua scripts exist in the script cache.",
        )
        .flags(&[Flag::Noscript, Flag::Stale])
        .categories(&[Category::Scripting, Category::Slow])
        .tips(&[
            "request_policy:all_shards",
            "response_policy:agg_logical_and",
        ]),
        Command::new(
            "script|flush",
            -2,
            Group::Scripting,
            "2.6.0",
            "Removes all server-side Lua scripts from the script cache.",
        )
        .flags(&[Flag::Noscript, Flag::Stale])
        .categories(&[Category::Scripting, Category::Slow])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
        Command::new(
            "script|help",
            2,
            Group::Scripting,
            "5.0.0",
            "Returns helpful text about the different subcommands.",
        )
        .flags(&[Flag::Loading, Flag::Stale])
        .categories(&[Category::Scripting, Category::Slow]),
        Command::new(
            "script|kill",
            2,
            Group::Scripting,
            "2.6.0",
            "Terminates a server-side Lua script during execution.",
        )
        .flags(&[Flag::AllowBusy, Flag::Noscript])
        .categories(&[Category::Scripting, Category::Slow])
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
        Command::new(
            "script|load",
            3,
            Group::Scripting,
            "2.6.0",
            "Loads a server-side Lua script to the script cache.",
        )
        .flags(&[Flag::Noscript, Flag::Stale])
        .categories(&[Category::Scripting, Category::Slow])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
        Command::new(
            "script|show",
            3,
            Group::Scripting,
            "8.0.0",
            "Show server-side Lua script in the script cache.",
        )
        .flags(&[Flag::Noscript, Flag::Stale])
        .categories(&[Category::Scripting, Category::Slow]),
    ]),
];
