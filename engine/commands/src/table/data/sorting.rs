//! Table entries of SORT and SORT_RO.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

const BY_AND_GET: &str = "For the optional BY/GET keyword. It is marked 'unknown' because the \
    key names derive from the content of the key we sort";
const STORE: &str = "For the optional STORE keyword. It is marked 'unknown' because the keyword \
    can appear anywhere in the argument array";

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new(
        "sort",
        -2,
        Group::Generic,
        "1.0.0",
        "Sorts the elements in a list, a set, or a sorted set, optionally storing the result.",
    )
    .flags(&[Flag::Denyoom, Flag::Movablekeys, Flag::Write])
    .categories(&[
        Category::Dangerous,
        Category::List,
        Category::Set,
        Category::Slow,
        Category::SortedSet,
        Category::Write,
    ])
    .legacy_range(1, 1, 1)
    .keys(&[
        KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]),
        KeySpec::unknown(BY_AND_GET, &[KeyFlag::ReadOnly, KeyFlag::Access]),
        KeySpec::unknown(STORE, &[KeyFlag::Overwrite, KeyFlag::Update]),
    ]),
    Command::new(
        "sort_ro",
        -2,
        Group::Generic,
        "7.0.0",
        "Returns the sorted elements of a list, a set, or a sorted set.",
    )
    .flags(&[Flag::Movablekeys, Flag::Readonly])
    .categories(&[
        Category::Dangerous,
        Category::List,
        Category::Read,
        Category::Set,
        Category::Slow,
        Category::SortedSet,
    ])
    .legacy_range(1, 1, 1)
    .keys(&[
        KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]),
        KeySpec::unknown(BY_AND_GET, &[KeyFlag::ReadOnly, KeyFlag::Access]),
    ]),
];
