//! Table entries of the commands on sets.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("sadd", -3, Group::Set, "1.0.0",
            "Adds one or more members to a set. Creates the key if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Set, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("scard", 2, Group::Set, "1.0.0",
            "Returns the number of members in a set.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::Set])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("sdiff", -2, Group::Set, "1.0.0",
            "Returns the difference of multiple sets.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Set, Category::Slow])
        .tips(&["nondeterministic_output_order"])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("sdiffstore", -3, Group::Set, "1.0.0",
            "Stores the difference of multiple sets in a key.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Set, Category::Slow, Category::Write])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::range(2, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("sinter", -2, Group::Set, "1.0.0",
            "Returns the intersect of multiple sets.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Set, Category::Slow])
        .tips(&["nondeterministic_output_order"])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("sintercard", -3, Group::Set, "7.0.0",
            "Returns the number of members of the intersect of multiple sets.")
        .flags(&[Flag::Movablekeys, Flag::Readonly])
        .categories(&[Category::Read, Category::Set, Category::Slow])
        .keys(&[KeySpec::counted(1, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("sinterstore", -3, Group::Set, "1.0.0",
            "Stores the intersect of multiple sets in a key.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Set, Category::Slow, Category::Write])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::range(2, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("sismember", 3, Group::Set, "1.0.0",
            "Determines whether a member belongs to a set.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::Set])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("smembers", 2, Group::Set, "1.0.0",
            "Returns all members of a set.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Set, Category::Slow])
        .tips(&["nondeterministic_output_order"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("smismember", -3, Group::Set, "6.2.0",
            "Determines whether multiple members belong to a set.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::Set])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("smove", 4, Group::Set, "1.0.0",
            "Moves a member from one set to another.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Set, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]), KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("spop", -2, Group::Set, "1.0.0",
            "Returns one or more random members from a set after removing them. Deletes the set if the last member was popped.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Set, Category::Write])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("srandmember", -2, Group::Set, "1.0.0",
            "Gets one or multiple random members from a set.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Set, Category::Slow])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("srem", -3, Group::Set, "1.0.0",
            "Removes one or more members from a set. Deletes the set if the last member was removed.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Set, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("sscan", -3, Group::Set, "2.8.0",
            "Iterates over members of a set.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Set, Category::Slow])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("sunion", -2, Group::Set, "1.0.0",
            "Returns the union of multiple sets.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Set, Category::Slow])
        .tips(&["nondeterministic_output_order"])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("sunionstore", -3, Group::Set, "1.0.0",
            "Stores the union of multiple sets in a key.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Set, Category::Slow, Category::Write])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::range(2, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
];
