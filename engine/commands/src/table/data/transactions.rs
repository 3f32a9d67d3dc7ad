//! Table entries of the commands on transactions.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new(
        "discard",
        1,
        Group::Transactions,
        "2.0.0",
        "Discards a transaction.",
    )
    .flags(&[
        Flag::AllowBusy,
        Flag::Fast,
        Flag::Loading,
        Flag::Noscript,
        Flag::Stale,
    ])
    .categories(&[Category::Fast, Category::Transaction]),
    Command::new(
        "exec",
        1,
        Group::Transactions,
        "1.2.0",
        "Executes all commands in a transaction.",
    )
    .flags(&[
        Flag::Loading,
        Flag::Noscript,
        Flag::SkipCommandlog,
        Flag::Stale,
    ])
    .categories(&[Category::Slow, Category::Transaction]),
    Command::new(
        "multi",
        1,
        Group::Transactions,
        "1.2.0",
        "Starts a transaction.",
    )
    .flags(&[
        Flag::AllowBusy,
        Flag::Fast,
        Flag::Loading,
        Flag::NoMulti,
        Flag::Noscript,
        Flag::Stale,
    ])
    .categories(&[Category::Fast, Category::Transaction]),
    Command::new(
        "unwatch",
        1,
        Group::Transactions,
        "2.2.0",
        "Forgets about watched keys of a transaction.",
    )
    .flags(&[
        Flag::AllowBusy,
        Flag::Fast,
        Flag::Loading,
        Flag::Noscript,
        Flag::Stale,
    ])
    .categories(&[Category::Fast, Category::Transaction]),
    Command::new(
        "watch",
        -2,
        Group::Transactions,
        "2.2.0",
        "Monitors changes to keys to determine the execution of a transaction.",
    )
    .flags(&[
        Flag::AllowBusy,
        Flag::Fast,
        Flag::Loading,
        Flag::NoMulti,
        Flag::Noscript,
        Flag::Stale,
    ])
    .categories(&[Category::Fast, Category::Transaction])
    .legacy_range(1, -1, 1)
    .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly])]),
];
