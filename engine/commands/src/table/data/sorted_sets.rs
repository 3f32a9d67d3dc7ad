//! Table entries of the commands on sorted sets.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("bzmpop", -5, Group::SortedSet, "7.0.0",
            "Removes and returns a member by score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.")
        .flags(&[Flag::Blocking, Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Blocking, Category::Slow, Category::SortedSet, Category::Write])
        .keys(&[KeySpec::counted(2, 0, 1, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("bzpopmax", -3, Group::SortedSet, "5.0.0",
            "Removes and returns the member with the highest score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.")
        .flags(&[Flag::Blocking, Flag::Fast, Flag::Write])
        .categories(&[Category::Blocking, Category::Fast, Category::SortedSet, Category::Write])
        .legacy_range(1, -2, 1)
        .keys(&[KeySpec::range(1, -2, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("bzpopmin", -3, Group::SortedSet, "5.0.0",
            "Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.")
        .flags(&[Flag::Blocking, Flag::Fast, Flag::Write])
        .categories(&[Category::Blocking, Category::Fast, Category::SortedSet, Category::Write])
        .legacy_range(1, -2, 1)
        .keys(&[KeySpec::range(1, -2, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("zadd", -4, Group::SortedSet, "1.2.0",
            "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("zcard", 2, Group::SortedSet, "1.2.0",
            "Returns the number of members in a sorted set.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly])]),
    Command::new("zcount", 4, Group::SortedSet, "2.0.0",
            "Returns the count of members in a sorted set that have scores within a range.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zdiff", -3, Group::SortedSet, "6.2.0",
            "Returns the difference between multiple sorted sets.")
        .flags(&[Flag::Movablekeys, Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .keys(&[KeySpec::counted(1, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zdiffstore", -4, Group::SortedSet, "6.2.0",
            "Stores the difference of multiple sorted sets in a key.")
        .flags(&[Flag::Denyoom, Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Slow, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::counted(2, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zincrby", 4, Group::SortedSet, "1.2.0",
            "Increments the score of a member in a sorted set.")
        .flags(&[Flag::Denyoom, Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])]),
    Command::new("zinter", -3, Group::SortedSet, "6.2.0",
            "Returns the intersect of multiple sorted sets.")
        .flags(&[Flag::Movablekeys, Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .keys(&[KeySpec::counted(1, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zintercard", -3, Group::SortedSet, "7.0.0",
            "Returns the number of members of the intersect of multiple sorted sets.")
        .flags(&[Flag::Movablekeys, Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .keys(&[KeySpec::counted(1, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zinterstore", -4, Group::SortedSet, "2.0.0",
            "Stores the intersect of multiple sorted sets in a key.")
        .flags(&[Flag::Denyoom, Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Slow, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::counted(2, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zlexcount", 4, Group::SortedSet, "2.8.9",
            "Returns the number of members in a sorted set within a lexicographical range.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zmpop", -4, Group::SortedSet, "7.0.0",
            "Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the sorted set if the last member was popped.")
        .flags(&[Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Slow, Category::SortedSet, Category::Write])
        .keys(&[KeySpec::counted(1, 0, 1, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("zmscore", -3, Group::SortedSet, "6.2.0",
            "Returns the score of one or more members in a sorted set.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zpopmax", -2, Group::SortedSet, "5.0.0",
            "Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("zpopmin", -2, Group::SortedSet, "5.0.0",
            "Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])]),
    Command::new("zrandmember", -2, Group::SortedSet, "6.2.0",
            "Returns one or more random members from a sorted set.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zrange", -4, Group::SortedSet, "1.2.0",
            "Returns members in a sorted set within a range of indexes.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zrangebylex", -4, Group::SortedSet, "2.8.9",
            "Returns members in a sorted set within a lexicographical range.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zrangebyscore", -4, Group::SortedSet, "1.0.5",
            "Returns members in a sorted set within a range of scores.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zrangestore", -5, Group::SortedSet, "6.2.0",
            "Stores a range of members from sorted set in a key.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Slow, Category::SortedSet, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zrank", -3, Group::SortedSet, "2.0.0",
            "Returns the index of a member in a sorted set ordered by ascending scores.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zrem", -3, Group::SortedSet, "1.2.0",
            "Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.")
        .flags(&[Flag::Fast, Flag::Write])
        .categories(&[Category::Fast, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("zremrangebylex", 4, Group::SortedSet, "2.8.9",
            "Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were removed.")
        .flags(&[Flag::Write])
        .categories(&[Category::Slow, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("zremrangebyrank", 4, Group::SortedSet, "2.0.0",
            "Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed.")
        .flags(&[Flag::Write])
        .categories(&[Category::Slow, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("zremrangebyscore", 4, Group::SortedSet, "1.2.0",
            "Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed.")
        .flags(&[Flag::Write])
        .categories(&[Category::Slow, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Delete])]),
    Command::new("zrevrange", -4, Group::SortedSet, "1.2.0",
            "Returns members in a sorted set within a range of indexes in reverse order.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zrevrangebylex", -4, Group::SortedSet, "2.8.9",
            "Returns members in a sorted set within a lexicographical range in reverse order.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zrevrangebyscore", -4, Group::SortedSet, "2.2.0",
            "Returns members in a sorted set within a range of scores in reverse order.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zrevrank", -3, Group::SortedSet, "2.0.0",
            "Returns the index of a member in a sorted set ordered by descending scores.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zscan", -3, Group::SortedSet, "2.8.0",
            "Iterates over members and scores of a sorted set.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .tips(&["nondeterministic_output"])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zscore", 3, Group::SortedSet, "1.2.0",
            "Returns the score of a member in a sorted set.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read, Category::SortedSet])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zunion", -3, Group::SortedSet, "6.2.0",
            "Returns the union of multiple sorted sets.")
        .flags(&[Flag::Movablekeys, Flag::Readonly])
        .categories(&[Category::Read, Category::Slow, Category::SortedSet])
        .keys(&[KeySpec::counted(1, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("zunionstore", -4, Group::SortedSet, "2.0.0",
            "Stores the union of multiple sorted sets in a key.")
        .flags(&[Flag::Denyoom, Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Slow, Category::SortedSet, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::counted(2, 0, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
];
