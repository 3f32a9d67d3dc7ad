//! Table entries of the commands on string values.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("append", 3, Group::String, "2.0.0",
            "Appends a string to the value of a key. Creates the key if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("decr", 2, Group::String, "1.0.0",
            "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("decrby", 3, Group::String, "1.0.0",
            "Decrements the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("delifeq", 3, Group::String, "9.0.0",
            "Delete key if value matches string.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Remove, KeyFlag::Delete])]),
    Command::new("get", 2, Group::String, "1.0.0",
            "Returns the string value of a key.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::String])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("getdel", 2, Group::String, "6.2.0",
            "Returns the string value of a key after deleting the key.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("getex", -2, Group::String, "6.2.0",
            "Returns the string value of a key after setting its expiration time.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("getrange", 4, Group::String, "2.4.0",
            "Returns a substring of the string stored at a key.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::String])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("getset", 3, Group::String, "1.0.0",
            "Returns the previous string value of a key after setting it to a new value.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("incr", 2, Group::String, "1.0.0",
            "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("incrby", 3, Group::String, "1.0.0",
            "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("incrbyfloat", 3, Group::String, "2.6.0",
            "Increments the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("lcs", -3, Group::String, "7.0.0",
            "Finds the longest common substring.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::String])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("mget", -2, Group::String, "1.0.0",
            "Atomically returns the string values of one or more keys.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::String])
        .tips(&["request_policy:multi_shard"])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("mset", -3, Group::String, "1.0.1",
            "Atomically creates or modifies the string values of one or more keys.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Slow, Category::String, Category::Write])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .legacy_range(1, -1, 2)
        .keys(&[KeySpec::range(1, -1, 2, &[KeyFlag::Overwrite, KeyFlag::Update])]),
    Command::new("msetex", -4, Group::String, "9.1.0",
            "Atomically creates or modifies the string values of one or more keys, and optionally set their expiration.")
        .flags(&[Flag::Denyoom, Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Slow, Category::String, Category::Write])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .keys(&[KeySpec::counted(1, 0, 1, 2, &[KeyFlag::Overwrite, KeyFlag::Update])]),
    Command::new("msetnx", -3, Group::String, "1.0.1",
            "Atomically modifies the string values of one or more keys only when all keys don't exist.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Slow, Category::String, Category::Write])
        .legacy_range(1, -1, 2)
        .keys(&[KeySpec::range(1, -1, 2, &[KeyFlag::Overwrite, KeyFlag::Insert])]),
    Command::new("psetex", 4, Group::String, "2.6.0",
            "Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Slow, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update])]),
    Command::new("set", -3, Group::String, "1.0.0",
            "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Slow, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update, KeyFlag::VariableFlags])]),
    Command::new("setex", 4, Group::String, "2.0.0",
            "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Slow, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update])]),
    Command::new("setnx", 3, Group::String, "1.0.0",
            "Sets the string value of a key only when the key doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Insert])]),
    Command::new("setrange", 4, Group::String, "2.2.0",
            "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Slow, Category::String, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("strlen", 2, Group::String, "2.2.0",
            "Returns the length of a string value.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::String])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("substr", 4, Group::String, "1.0.0",
            "Returns a substring from a string value.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::String])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
];
