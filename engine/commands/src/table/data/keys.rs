//! Table entries of the commands on whole keys and databases.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("copy", -3, Group::Generic, "6.2.0",
            "Copies the value of a key to a new key.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Keyspace, Category::Slow, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]), KeySpec::range(2, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update])]),
    Command::new("dbsize", 1, Group::Server, "1.0.0",
            "Returns the number of keys in the database.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Keyspace, Category::Read])
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"]),
    Command::new("del", -2, Group::Generic, "1.0.0",
            "Deletes one or more keys.")
        .flags(&[Flag::Write])
        .categories(&[Category::Keyspace, Category::Slow, Category::Write])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::Remove, KeyFlag::Delete])]),
    Command::new("dump", 2, Group::Generic, "2.6.0",
            "Returns a serialized representation of the value stored at a key.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Keyspace, Category::Read, Category::Slow])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("exists", -2, Group::Generic, "1.0.0",
            "Determines whether one or more keys exist.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Keyspace, Category::Read])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly])]),
    Command::new("expire", -3, Group::Generic, "1.0.0",
            "Sets the expiration time of a key in seconds.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Keyspace, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("expireat", -3, Group::Generic, "1.2.0",
            "Sets the expiration time of a key to a Unix timestamp.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Keyspace, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("expiretime", 2, Group::Generic, "7.0.0",
            "Returns the expiration time of a key as a Unix timestamp.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Keyspace, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("flushall", -1, Group::Server, "1.0.0",
            "Removes all keys from all databases.")
        .flags(&[Flag::Write])
        .categories(&[Category::Dangerous, Category::Keyspace, Category::Slow, Category::Write])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    Command::new("flushdb", -1, Group::Server, "1.0.0",
            "Removes all keys from the current database.")
        .flags(&[Flag::Write])
        .categories(&[Category::Dangerous, Category::Keyspace, Category::Slow, Category::Write])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    Command::new("keys", 2, Group::Generic, "1.0.0",
            "Returns all key names that match a pattern.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Dangerous, Category::Keyspace, Category::Read, Category::Slow])
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"]),
    Command::new("move", 3, Group::Generic, "1.0.0",
            "Moves a key to another database.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Keyspace, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("object", -2, Group::Generic, "2.2.3",
            "A container for object introspection commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("object|encoding", 3, Group::Generic, "2.2.3",
                    "Returns the internal encoding of an object.")
                .flags(&[Flag::Readonly])
                .categories(&[Category::Keyspace, Category::Read, Category::Slow])
                .tips(&["nondeterministic_output"])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly])]),
            Command::new("object|freq", 3, Group::Generic, "4.0.0",
                    "Returns the logarithmic access frequency counter of an object.")
                .flags(&[Flag::Readonly])
                .categories(&[Category::Keyspace, Category::Read, Category::Slow])
                .tips(&["nondeterministic_output"])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly])]),
            Command::new("object|help", 2, Group::Generic, "6.2.0",
                    "Returns helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Keyspace, Category::Slow]),
            Command::new("object|idletime", 3, Group::Generic, "2.2.3",
                    "Returns the time since the last access to an object.")
                .flags(&[Flag::Readonly])
                .categories(&[Category::Keyspace, Category::Read, Category::Slow])
                .tips(&["nondeterministic_output"])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly])]),
            Command::new("object|refcount", 3, Group::Generic, "2.2.3",
                    "Returns the reference count of a value of a key.")
                .flags(&[Flag::Readonly])
                .categories(&[Category::Keyspace, Category::Read, Category::Slow])
                .tips(&["nondeterministic_output"])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly])]),
        ]),
    Command::new("persist", 2, Group::Generic, "2.2.0",
            "Removes the expiration time of a key.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Keyspace, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("pexpire", -3, Group::Generic, "2.6.0",
            "Sets the expiration time of a key in milliseconds.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Keyspace, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("pexpireat", -3, Group::Generic, "2.6.0",
            "Sets the expiration time of a key to a Unix milliseconds timestamp.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Keyspace, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("pexpiretime", 2, Group::Generic, "7.0.0",
            "Returns the expiration time of a key as a Unix milliseconds timestamp.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Keyspace, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("pttl", 2, Group::Generic, "2.6.0",
            "Returns the expiration time in milliseconds of a key.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Keyspace, Category::Read])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("randomkey", 1, Group::Generic, "1.0.0",
            "Returns a random key name from the database.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Keyspace, Category::Read, Category::Slow])
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]),
    Command::new("rename", 3, Group::Generic, "1.0.0",
            "Renames a key and overwrites the destination.")
        .flags(&[Flag::Write])
        .categories(&[Category::Keyspace, Category::Slow, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]), KeySpec::range(2, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update])]),
    Command::new("renamenx", 3, Group::Generic, "1.0.0",
            "Renames a key only when the target key name doesn't exist.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Keyspace, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]), KeySpec::range(2, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Insert])]),
    Command::new("restore", -4, Group::Generic, "2.6.0",
            "Creates a key from the serialized representation of a value.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Dangerous, Category::Keyspace, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update])]),
    Command::new("scan", -2, Group::Generic, "2.8.0",
            "Iterates over the key names in the database.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Keyspace, Category::Read, Category::Slow])
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]),
    Command::new("swapdb", 3, Group::Server, "4.0.0",
            "Swaps two databases.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Dangerous, Category::Fast, Category::Keyspace, Category::Write]),
    Command::new("touch", -2, Group::Generic, "3.2.1",
            "Returns the number of existing keys out of those specified after updating the time they were last accessed.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Keyspace, Category::Read])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly])]),
    Command::new("ttl", 2, Group::Generic, "1.0.0",
            "Returns the expiration time in seconds of a key.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Keyspace, Category::Read])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("type", 2, Group::Generic, "1.0.0",
            "Determines the type of value stored at a key.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Keyspace, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("unlink", -2, Group::Generic, "4.0.0",
            "Asynchronously deletes one or more keys.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Keyspace, Category::Write])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .legacy_range(1, -1, 1)
        .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::Remove, KeyFlag::Delete])]),
];
