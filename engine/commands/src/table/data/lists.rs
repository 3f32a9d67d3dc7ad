//! Table entries of the commands on lists.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("blmove", 6, Group::List, "6.2.0",
            "Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available otherwise. Deletes the list if the last element was moved.")
        .flags(&[Flag::Blocking, Flag::Denyoom, Flag::Write])
        .categories(&[Category::Blocking, Category::List, Category::Slow, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]), KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("blmpop", -5, Group::List, "7.0.0",
            "Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the list if the last element was popped.")
        .flags(&[Flag::Blocking, Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Blocking, Category::List, Category::Slow, Category::Write])
        .keys(&[KeySpec::counted(2, 0, 1, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("blpop", -3, Group::List, "2.0.0",
            "Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.")
        .flags(&[Flag::Blocking, Flag::Write])
        .categories(&[Category::Blocking, Category::List, Category::Slow, Category::Write])
        .legacy_range(1, -2, 1)
        .keys(&[KeySpec::range(1, -2, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("brpop", -3, Group::List, "2.0.0",
            "Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.")
        .flags(&[Flag::Blocking, Flag::Write])
        .categories(&[Category::Blocking, Category::List, Category::Slow, Category::Write])
        .legacy_range(1, -2, 1)
        .keys(&[KeySpec::range(1, -2, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("brpoplpush", 4, Group::List, "2.2.0",
            "Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available otherwise. Deletes the list if the last element was popped.")
        .flags(&[Flag::Blocking, Flag::Denyoom, Flag::Write])
        .categories(&[Category::Blocking, Category::List, Category::Slow, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]), KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("lindex", 3, Group::List, "1.0.0",
            "Returns an element from a list by its index.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::List, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("linsert", 5, Group::List, "2.2.0",
            "Inserts an element before or after another element in a list.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::List, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("llen", 2, Group::List, "1.0.0",
            "Returns the length of a list.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::List, Category::Read])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("lmove", 5, Group::List, "6.2.0",
            "Returns an element after popping it from one list and pushing it to another. Deletes the list if the last element was moved.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::List, Category::Slow, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]), KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("lmpop", -4, Group::List, "7.0.0",
            "Returns multiple elements from a list after removing them. Deletes the list if the last element was popped.")
        .flags(&[Flag::Movablekeys, Flag::Write])
        .categories(&[Category::List, Category::Slow, Category::Write])
        .keys(&[KeySpec::counted(1, 0, 1, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("lpop", -2, Group::List, "1.0.0",
            "Returns and removes one or more elements from the beginning of a list. Deletes the list if the last element was popped.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::List, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("lpos", -3, Group::List, "6.0.6",
            "Returns the index of matching elements in a list.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::List, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("lpush", -3, Group::List, "1.0.0",
            "Prepends one or more elements to a list. Creates the key if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::List, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("lpushx", -3, Group::List, "2.2.0",
            "Prepends one or more elements to a list only when the list exists.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::List, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("lrange", 4, Group::List, "1.0.0",
            "Returns a range of elements from a list.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::List, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("lrem", 4, Group::List, "1.0.0",
            "Removes elements from a list. Deletes the list if the last element was removed.")
        .flags(&[Flag::Write])
        .categories(&[Category::List, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("lset", 4, Group::List, "1.0.0",
            "Sets the value of an element in a list by its index.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::List, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("ltrim", 4, Group::List, "1.0.0",
            "Removes elements from both ends of a list. Deletes the list if all elements were trimmed.")
        .flags(&[Flag::Write])
        .categories(&[Category::List, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("rpop", -2, Group::List, "1.0.0",
            "Returns and removes one or more elements from the end of a list. Deletes the list if the last element was popped.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::List, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("rpoplpush", 3, Group::List, "1.2.0",
            "Returns the last element of a list after removing and pushing it to another list. Deletes the list if the last element was popped.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::List, Category::Slow, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]), KeySpec::range(2, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("rpush", -3, Group::List, "1.0.0",
            "Appends one or more elements to a list. Creates the key if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::List, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
    Command::new("rpushx", -3, Group::List, "2.2.0",
            "Appends one or more elements to a list only when the list exists.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::List, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Insert])]),
];
