//! Table entries of the commands on HyperLogLogs.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new(
        "pfadd",
        -2,
        Group::HyperLogLog,
        "2.8.9",
        "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
    )
    .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
    .categories(&[Category::Fast, Category::HyperLogLog, Category::Write])
    .legacy_range(1, 1, 1)
    .keys(&[KeySpec::range(
        1,
        0,
        1,
        &[KeyFlag::ReadWrite, KeyFlag::Insert],
    )]),
    Command::new(
        "pfcount",
        -2,
        Group::HyperLogLog,
        "2.8.9",
        "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).",
    )
    .flags(&[Flag::Readonly])
    .categories(&[Category::HyperLogLog, Category::Read, Category::Slow])
    .legacy_range(1, -1, 1)
    .keys(&[KeySpec::range(
        1,
        -1,
        1,
        &[KeyFlag::ReadWrite, KeyFlag::Access],
    )]),
    Command::new(
        "pfdebug",
        3,
        Group::HyperLogLog,
        "2.8.9",
        "Internal commands for debugging HyperLogLog values.",
    )
    .flags(&[Flag::Admin, Flag::Denyoom, Flag::Write])
    .categories(&[
        Category::Admin,
        Category::Dangerous,
        Category::HyperLogLog,
        Category::Slow,
        Category::Write,
    ])
    .legacy_range(2, 2, 1)
    .keys(&[KeySpec::range(
        2,
        0,
        1,
        &[KeyFlag::ReadWrite, KeyFlag::Access],
    )]),
    Command::new(
        "pfmerge",
        -2,
        Group::HyperLogLog,
        "2.8.9",
        "Merges one or more HyperLogLog values into a single key.",
    )
    .flags(&[Flag::Denyoom, Flag::Write])
    .categories(&[Category::HyperLogLog, Category::Slow, Category::Write])
    .legacy_range(1, -1, 1)
    .keys(&[
        KeySpec::range(
            1,
            0,
            1,
            &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Insert],
        ),
        KeySpec::range(2, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]),
    ]),
    Command::new(
        "pfselftest",
        1,
        Group::HyperLogLog,
        "2.8.9",
        "An internal command for testing HyperLogLog values.",
    )
    .flags(&[Flag::Admin])
    .categories(&[
        Category::Admin,
        Category::Dangerous,
        Category::HyperLogLog,
        Category::Slow,
    ]),
];
