//! Table entries of the commands on bits of strings.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("bitcount", -2, Group::Bitmap, "2.6.0",
            "Counts the number of set bits (population counting) in a string.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Bitmap, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("bitfield", -2, Group::Bitmap, "3.2.0",
            "Performs arbitrary bitfield integer operations on strings.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Bitmap, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update, KeyFlag::VariableFlags])]),
    Command::new("bitfield_ro", -2, Group::Bitmap, "6.0.0",
            "Performs arbitrary read-only bitfield integer operations on strings.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Bitmap, Category::Fast, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("bitop", -4, Group::Bitmap, "2.6.0",
            "Performs bitwise operations on multiple strings, and stores the result.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Bitmap, Category::Slow, Category::Write])
        .legacy_range(2, -1, 1)
        .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::range(3, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("bitpos", -3, Group::Bitmap, "2.8.7",
            "Finds the first set (1) or clear (0) bit in a string.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Bitmap, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("getbit", 3, Group::Bitmap, "2.2.0",
            "Returns a bit value by offset.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Bitmap, Category::Fast, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("setbit", 4, Group::Bitmap, "2.2.0",
            "Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Bitmap, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
];
