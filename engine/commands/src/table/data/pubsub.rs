//! Table entries of the commands on channels.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new(
        "psubscribe",
        -2,
        Group::PubSub,
        "2.0.0",
        "Listens for messages published to channels that match one or more patterns.",
    )
    .flags(&[Flag::Loading, Flag::Noscript, Flag::Pubsub, Flag::Stale])
    .categories(&[Category::Pubsub, Category::Slow]),
    Command::new(
        "publish",
        3,
        Group::PubSub,
        "2.0.0",
        "Posts a message to a channel.",
    )
    .flags(&[Flag::Fast, Flag::Loading, Flag::Pubsub, Flag::Stale])
    .categories(&[Category::Fast, Category::Pubsub]),
    Command::new(
        "pubsub",
        -2,
        Group::PubSub,
        "2.8.0",
        "A container for Pub/Sub commands.",
    )
    .categories(&[Category::Slow])
    .subcommands(&[
        Command::new(
            "pubsub|channels",
            -2,
            Group::PubSub,
            "2.8.0",
            "Returns the active channels.",
        )
        .flags(&[Flag::Loading, Flag::Pubsub, Flag::Stale])
        .categories(&[Category::Pubsub, Category::Slow]),
        Command::new(
            "pubsub|help",
            2,
            Group::PubSub,
            "6.2.0",
            "Returns helpful text about the different subcommands.",
        )
        .flags(&[Flag::Loading, Flag::Stale])
        .categories(&[Category::Slow]),
        Command::new(
            "pubsub|numpat",
            2,
            Group::PubSub,
            "2.8.0",
            "Returns a count of unique pattern subscriptions.",
        )
        .flags(&[Flag::Loading, Flag::Pubsub, Flag::Stale])
        .categories(&[Category::Pubsub, Category::Slow]),
        Command::new(
            "pubsub|numsub",
            -2,
            Group::PubSub,
            "2.8.0",
            "Returns a count of subscribers to channels.",
        )
        .flags(&[Flag::Loading, Flag::Pubsub, Flag::Stale])
        .categories(&[Category::Pubsub, Category::Slow]),
        Command::new(
            "pubsub|shardchannels",
            -2,
            Group::PubSub,
            "7.0.0",
            "Returns the active shard channels.",
        )
        .flags(&[Flag::Loading, Flag::Pubsub, Flag::Stale])
        .categories(&[Category::Pubsub, Category::Slow]),
        Command::new(
            "pubsub|shardnumsub",
            -2,
            Group::PubSub,
            "7.0.0",
            "Returns the count of subscribers of shard channels.",
        )
        .flags(&[Flag::Loading, Flag::Pubsub, Flag::Stale])
        .categories(&[Category::Pubsub, Category::Slow]),
    ]),
    Command::new(
        "punsubscribe",
        -1,
        Group::PubSub,
        "2.0.0",
        "Stops listening to messages published to channels that match one or more patterns.",
    )
    .flags(&[Flag::Loading, Flag::Noscript, Flag::Pubsub, Flag::Stale])
    .categories(&[Category::Pubsub, Category::Slow]),
    Command::new(
        "spublish",
        3,
        Group::PubSub,
        "7.0.0",
        "Posts a message to a shard channel.",
    )
    .flags(&[Flag::Fast, Flag::Loading, Flag::Pubsub, Flag::Stale])
    .categories(&[Category::Fast, Category::Pubsub])
    .legacy_range(1, 1, 1)
    .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::NotKey])]),
    Command::new(
        "ssubscribe",
        -2,
        Group::PubSub,
        "7.0.0",
        "Listens for messages published to shard channels.",
    )
    .flags(&[Flag::Loading, Flag::Noscript, Flag::Pubsub, Flag::Stale])
    .categories(&[Category::Pubsub, Category::Slow])
    .legacy_range(1, -1, 1)
    .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::NotKey])]),
    Command::new(
        "subscribe",
        -2,
        Group::PubSub,
        "2.0.0",
        "Listens for messages published to channels.",
    )
    .flags(&[Flag::Loading, Flag::Noscript, Flag::Pubsub, Flag::Stale])
    .categories(&[Category::Pubsub, Category::Slow]),
    Command::new(
        "sunsubscribe",
        -1,
        Group::PubSub,
        "7.0.0",
        "Stops listening to messages posted to shard channels.",
    )
    .flags(&[Flag::Loading, Flag::Noscript, Flag::Pubsub, Flag::Stale])
    .categories(&[Category::Pubsub, Category::Slow])
    .legacy_range(1, -1, 1)
    .keys(&[KeySpec::range(1, -1, 1, &[KeyFlag::NotKey])]),
    Command::new(
        "unsubscribe",
        -1,
        Group::PubSub,
        "2.0.0",
        "Stops listening to messages posted to channels.",
    )
    .flags(&[Flag::Loading, Flag::Noscript, Flag::Pubsub, Flag::Stale])
    .categories(&[Category::Pubsub, Category::Slow]),
];
