//! Table entries of the commands on hashes and their fields.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("hdel", -3, Group::Hash, "2.0.0",
            "Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("hexists", 3, Group::Hash, "2.0.0",
            "Determines whether a field exists in a hash.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Hash, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("hexpire", -6, Group::Hash, "9.0.0",
            "Sets expiry time on hash fields.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("hexpireat", -6, Group::Hash, "9.0.0",
            "Sets expiry time on hash fields.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("hexpiretime", -5, Group::Hash, "9.0.0",
            "Returns Unix timestamps in seconds since the epoch at which the given key's field(s) will expire.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Hash, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hget", 3, Group::Hash, "2.0.0",
            "Returns the value of a field in a hash.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Hash, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hgetall", 2, Group::Hash, "2.0.0",
            "Returns all fields and values in a hash.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Hash, Category::Read, Category::Slow])
        .tips(&["nondeterministic_output_order"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hgetdel", -5, Group::Hash, "9.1.0",
            "Returns the values of one or more fields and deletes them from a hash.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("hgetex", -5, Group::Hash, "9.0.0",
            "Gets the value of one or more fields of a given hash key, and optionally sets their expiration time or time-to-live (TTL).")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("hincrby", 4, Group::Hash, "2.0.0",
            "Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("hincrbyfloat", 4, Group::Hash, "2.6.0",
            "Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("hkeys", 2, Group::Hash, "2.0.0",
            "Returns all fields in a hash.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Hash, Category::Read, Category::Slow])
        .tips(&["nondeterministic_output_order"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hlen", 2, Group::Hash, "2.0.0",
            "Returns the number of fields in a hash.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Hash, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("hmget", -3, Group::Hash, "2.0.0",
            "Returns the values of all fields in a hash.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Hash, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hmset", -4, Group::Hash, "2.0.0",
            "Sets the values of multiple fields.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("hpersist", -5, Group::Hash, "9.0.0",
            "Remove the existing expiration on a hash key's field(s).")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("hpexpire", -6, Group::Hash, "9.0.0",
            "Sets expiry time on hash object.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("hpexpireat", -6, Group::Hash, "9.0.0",
            "Sets expiration time on hash field.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("hpexpiretime", -5, Group::Hash, "9.0.0",
            "Returns the Unix timestamp in milliseconds since Unix epoch at which the given key's field(s) will expire.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Hash, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hpttl", -5, Group::Hash, "9.0.0",
            "Returns the remaining time to live in milliseconds of a hash key's field(s) that have an associated expiration.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Hash, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hrandfield", -2, Group::Hash, "6.2.0",
            "Returns one or more random fields from a hash.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Hash, Category::Read, Category::Slow])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hscan", -3, Group::Hash, "2.8.0",
            "Iterates over fields and values of a hash.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Hash, Category::Read, Category::Slow])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hset", -4, Group::Hash, "2.0.0",
            "Creates or modifies the value of a field in a hash.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("hsetex", -6, Group::Hash, "9.0.0",
            "Sets the value of one or more fields of a given hash key, and optionally sets their expiration time.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("hsetnx", 4, Group::Hash, "2.0.0",
            "Sets the value of a field in a hash only when the field doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::Hash, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("hstrlen", 3, Group::Hash, "3.2.0",
            "Returns the length of the value of a field.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Hash, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("httl", -5, Group::Hash, "9.0.0",
            "Returns the remaining time to live (in seconds) of a hash key's field(s) that have an associated expiration.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Hash, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("hvals", 2, Group::Hash, "2.0.0",
            "Returns all values in a hash.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Hash, Category::Read, Category::Slow])
        .tips(&["nondeterministic_output_order"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
];
