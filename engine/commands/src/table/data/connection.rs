//! Table entries of the commands on connections.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("auth", -2, Group::Connection, "1.0.0",
            "Authenticates the connection.")
        .flags(&[Flag::AllowBusy, Flag::Fast, Flag::Loading, Flag::NoAuth, Flag::Noscript, Flag::Stale])
        .categories(&[Category::Connection, Category::Fast]),
    Command::new("client", -2, Group::Connection, "2.4.0",
            "A container for client connection commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("client|caching", 3, Group::Connection, "6.0.0",
                    "Instructs the server whether to track the keys in the next request.")
                .flags(&[Flag::AllowBusy, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|capa", -3, Group::Connection, "8.0.0",
                    "A client claims its capability.")
                .flags(&[Flag::AllowBusy, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|getname", 2, Group::Connection, "2.6.9",
                    "Returns the name of the connection.")
                .flags(&[Flag::AllowBusy, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|getredir", 2, Group::Connection, "6.0.0",
                    "Returns the client ID to which the connection's tracking notifications are redirected.")
                .flags(&[Flag::AllowBusy, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|help", 2, Group::Connection, "5.0.0",
                    "Returns helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|id", 2, Group::Connection, "5.0.0",
                    "Returns the unique client ID of the connection.")
                .flags(&[Flag::AllowBusy, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|import-source", 3, Group::Connection, "8.1.0",
                    "Marks this client as an import source when the server is in import mode.")
                .flags(&[Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|info", 2, Group::Connection, "6.2.0",
                    "Returns information about the connection.")
                .flags(&[Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow])
                .tips(&["nondeterministic_output"]),
            Command::new("client|kill", -3, Group::Connection, "2.4.0",
                    "Terminates open connections.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Connection, Category::Dangerous, Category::Slow]),
            Command::new("client|list", -2, Group::Connection, "2.4.0",
                    "Lists open connections.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Connection, Category::Dangerous, Category::Slow])
                .tips(&["nondeterministic_output"]),
            Command::new("client|no-evict", 3, Group::Connection, "7.0.0",
                    "Sets the client eviction mode of the connection.")
                .flags(&[Flag::Admin, Flag::AllowBusy, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Connection, Category::Dangerous, Category::Slow]),
            Command::new("client|no-touch", 3, Group::Connection, "7.2.0",
                    "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.")
                .flags(&[Flag::AllowBusy, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|pause", -3, Group::Connection, "3.0.0",
                    "Suspends commands processing.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Connection, Category::Dangerous, Category::Slow]),
            Command::new("client|reply", 3, Group::Connection, "3.2.0",
                    "Instructs the server whether to reply to commands.")
                .flags(&[Flag::AllowBusy, Flag::Loading, Flag::NoMulti, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|setinfo", 4, Group::Connection, "7.2.0",
                    "Sets information specific to the client or connection.")
                .flags(&[Flag::AllowBusy, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
            Command::new("client|setname", 3, Group::Connection, "2.6.9",
                    "Sets the connection name.")
                .flags(&[Flag::AllowBusy, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
            Command::new("client|tracking", -3, Group::Connection, "6.0.0",
                    "Controls server-assisted client-side caching for the connection.")
                .flags(&[Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|trackinginfo", 2, Group::Connection, "6.2.0",
                    "Returns information about server-assisted client-side caching for the connection.")
                .flags(&[Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("client|unblock", -3, Group::Connection, "5.0.0",
                    "Unblocks a client blocked by a blocking command from a different connection.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Connection, Category::Dangerous, Category::Slow]),
            Command::new("client|unpause", 2, Group::Connection, "6.2.0",
                    "Resumes processing commands from paused clients.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Connection, Category::Dangerous, Category::Slow]),
        ]),
    Command::new("echo", 2, Group::Connection, "1.0.0",
            "Returns the given string.")
        .flags(&[Flag::Fast, Flag::Loading, Flag::Stale])
        .categories(&[Category::Connection, Category::Fast]),
    Command::new("hello", -1, Group::Connection, "6.0.0",
            "Handshakes with the server.")
        .flags(&[Flag::AllowBusy, Flag::Fast, Flag::Loading, Flag::NoAuth, Flag::Noscript, Flag::Stale])
        .categories(&[Category::Connection, Category::Fast]),
    Command::new("ping", -1, Group::Connection, "1.0.0",
            "Returns the server's liveliness response.")
        .flags(&[Flag::Fast])
        .categories(&[Category::Connection, Category::Fast])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    Command::new("quit", -1, Group::Connection, "1.0.0",
            "Closes the connection.")
        .flags(&[Flag::AllowBusy, Flag::Fast, Flag::Loading, Flag::NoAuth, Flag::Noscript, Flag::Stale])
        .categories(&[Category::Connection, Category::Fast]),
    Command::new("reset", 1, Group::Connection, "6.2.0",
            "Resets the connection.")
        .flags(&[Flag::AllowBusy, Flag::Fast, Flag::Loading, Flag::NoAuth, Flag::Noscript, Flag::Stale])
        .categories(&[Category::Connection, Category::Fast]),
    Command::new("select", 2, Group::Connection, "1.0.0",
            "Changes the selected database.")
        .flags(&[Flag::AllowBusy, Flag::Fast, Flag::Loading, Flag::Stale])
        .categories(&[Category::Connection, Category::Fast]),
];
