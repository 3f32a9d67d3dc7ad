//! Table entries of the commands on the server itself.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("backup", 2, Group::Server, "0.1.0",
            "Makes a checkpoint and a copy of it in a new directory.")
        .flags(&[Flag::Admin, Flag::NoAsyncLoading, Flag::NoMulti, Flag::Noscript])
        .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
    Command::new("bgrewriteaof", 1, Group::Server, "1.0.0",
            "Asynchronously rewrites the append-only file to disk.")
        .flags(&[Flag::Admin, Flag::NoAsyncLoading, Flag::Noscript])
        .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
    Command::new("bgsave", -1, Group::Server, "1.0.0",
            "Asynchronously saves the database(s) to disk.")
        .flags(&[Flag::Admin, Flag::NoAsyncLoading, Flag::Noscript])
        .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
    Command::new("command", -1, Group::Server, "2.8.13",
            "Returns detailed information about all commands.")
        .flags(&[Flag::Loading, Flag::Stale])
        .categories(&[Category::Connection, Category::Slow])
        .tips(&["nondeterministic_output_order"])
        .subcommands(&[
            Command::new("command|count", 2, Group::Server, "2.8.13",
                    "Returns a count of commands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("command|docs", -2, Group::Server, "7.0.0",
                    "Returns documentary information about one, multiple or all commands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow])
                .tips(&["nondeterministic_output_order"]),
            Command::new("command|getkeys", -3, Group::Server, "2.8.13",
                    "Extracts the key names from an arbitrary command.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("command|getkeysandflags", -3, Group::Server, "7.0.0",
                    "Extracts the key names and access flags for an arbitrary command.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("command|help", 2, Group::Server, "5.0.0",
                    "Returns helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow]),
            Command::new("command|info", -2, Group::Server, "2.8.13",
                    "Returns information about one, multiple or all commands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow])
                .tips(&["nondeterministic_output_order"]),
            Command::new("command|list", -2, Group::Server, "7.0.0",
                    "Returns a list of command names.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Connection, Category::Slow])
                .tips(&["nondeterministic_output_order"]),
        ]),
    Command::new("commandlog", -2, Group::Server, "8.1.0",
            "A container for command log commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("commandlog|get", 4, Group::Server, "8.1.0",
                    "Returns the specified command log's entries.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "nondeterministic_output"]),
            Command::new("commandlog|help", 2, Group::Server, "8.1.0",
                    "Shows helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Slow]),
            Command::new("commandlog|len", 3, Group::Server, "8.1.0",
                    "Returns the number of entries in the specified type of command log.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]),
            Command::new("commandlog|reset", 3, Group::Server, "8.1.0",
                    "Clears all entries from the specified type of command log.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
        ]),
    Command::new("config", -2, Group::Server, "2.0.0",
            "A container for server configuration commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("config|get", -3, Group::Server, "2.0.0",
                    "Returns the effective values of configuration parameters.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
            Command::new("config|help", 2, Group::Server, "5.0.0",
                    "Returns helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Slow]),
            Command::new("config|resetstat", 2, Group::Server, "2.0.0",
                    "Resets the server's statistics.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
            Command::new("config|rewrite", 2, Group::Server, "2.8.0",
                    "Persists the effective configuration to file.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
            Command::new("config|set", -4, Group::Server, "2.0.0",
                    "Sets configuration parameters in-flight.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
        ]),
    Command::new("debug", -2, Group::Server, "1.0.0",
            "A container for debugging commands.")
        .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
        .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
    Command::new("hotkeys", -2, Group::Server, "8.6.0",
            "A container for hotkeys tracking commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("hotkeys|get", 2, Group::Server, "8.6.0",
                    "Returns lists of top K hotkeys depending on metrics chosen in HOTKEYS START command.")
                .flags(&[Flag::Admin, Flag::Noscript])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]),
            Command::new("hotkeys|help", 2, Group::Server, "8.6.1",
                    "Return helpful text about HOTKEYS command parameters.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Slow]),
            Command::new("hotkeys|reset", 2, Group::Server, "8.6.0",
                    "Release the resources used for hotkey tracking.")
                .flags(&[Flag::Admin, Flag::Noscript])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:special"]),
            Command::new("hotkeys|start", -2, Group::Server, "8.6.0",
                    "Starts hotkeys tracking.")
                .flags(&[Flag::Admin, Flag::Noscript])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:special"]),
            Command::new("hotkeys|stop", 2, Group::Server, "8.6.0",
                    "Stops hotkeys tracking.")
                .flags(&[Flag::Admin, Flag::Noscript])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:special"]),
        ]),
    Command::new("info", -1, Group::Server, "1.0.0",
            "Returns information and statistics about the server.")
        .flags(&[Flag::Loading, Flag::Stale])
        .categories(&[Category::Dangerous, Category::Slow])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    Command::new("lastsave", 1, Group::Server, "1.0.0",
            "Returns the Unix timestamp of the last successful save to disk.")
        .flags(&[Flag::Fast, Flag::Loading, Flag::Stale])
        .categories(&[Category::Admin, Category::Dangerous, Category::Fast])
        .tips(&["nondeterministic_output"]),
    Command::new("latency", -2, Group::Server, "2.8.13",
            "A container for latency diagnostics commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("latency|doctor", 2, Group::Server, "2.8.13",
                    "Returns a human-readable latency analysis report.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
            Command::new("latency|graph", 3, Group::Server, "2.8.13",
                    "Returns a latency graph for an event.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
            Command::new("latency|help", 2, Group::Server, "2.8.13",
                    "Returns helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Slow]),
            Command::new("latency|histogram", -2, Group::Server, "7.0.0",
                    "Returns the cumulative distribution of latencies of a subset or all commands.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
            Command::new("latency|history", 3, Group::Server, "2.8.13",
                    "Returns timestamp-latency samples for an event.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
            Command::new("latency|latest", 2, Group::Server, "2.8.13",
                    "Returns the latest latency samples for all events.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
            Command::new("latency|reset", -2, Group::Server, "2.8.13",
                    "Resets the latency data for one or more events.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:agg_sum"]),
        ]),
    Command::new("lolwut", -1, Group::Server, "5.0.0",
            "Displays computer art and the server version.")
        .flags(&[Flag::Fast, Flag::Readonly])
        .categories(&[Category::Fast, Category::Read]),
    Command::new("memory", -2, Group::Server, "4.0.0",
            "A container for memory diagnostics commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("memory|doctor", 2, Group::Server, "4.0.0",
                    "Outputs a memory problems report.")
                .categories(&[Category::Slow])
                .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
            Command::new("memory|help", 2, Group::Server, "4.0.0",
                    "Returns helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Slow]),
            Command::new("memory|malloc-stats", 2, Group::Server, "4.0.0",
                    "Returns the allocator statistics.")
                .flags(&[Flag::Loading])
                .categories(&[Category::Slow])
                .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
            Command::new("memory|purge", 2, Group::Server, "4.0.0",
                    "Asks the allocator to release memory.")
                .flags(&[Flag::Loading])
                .categories(&[Category::Slow])
                .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
            Command::new("memory|stats", 2, Group::Server, "4.0.0",
                    "Returns details about memory usage.")
                .categories(&[Category::Slow])
                .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
            Command::new("memory|usage", -3, Group::Server, "4.0.0",
                    "Estimates the memory usage of a key.")
                .flags(&[Flag::Readonly])
                .categories(&[Category::Read, Category::Slow])
                .legacy_range(2, 2, 1)
                .keys(&[KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly])]),
        ]),
    Command::new("module", -2, Group::Server, "4.0.0",
            "A container for module commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("module|help", 2, Group::Server, "5.0.0",
                    "Returns helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Slow]),
            Command::new("module|list", 2, Group::Server, "4.0.0",
                    "Returns all loaded modules.")
                .flags(&[Flag::Admin, Flag::Noscript])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["nondeterministic_output_order"]),
            Command::new("module|load", -3, Group::Server, "4.0.0",
                    "Loads a module.")
                .flags(&[Flag::Admin, Flag::NoAsyncLoading, Flag::Noscript])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
            Command::new("module|loadex", -3, Group::Server, "7.0.0",
                    "Loads a module using extended parameters.")
                .flags(&[Flag::Admin, Flag::NoAsyncLoading, Flag::Noscript])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
            Command::new("module|unload", 3, Group::Server, "4.0.0",
                    "Unloads a module.")
                .flags(&[Flag::Admin, Flag::NoAsyncLoading, Flag::Noscript])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
        ]),
    Command::new("monitor", 1, Group::Server, "1.0.0",
            "Listens for all requests received by the server in real-time.")
        .flags(&[Flag::Admin, Flag::Loading, Flag::Noscript, Flag::Stale])
        .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
    Command::new("role", 1, Group::Server, "2.8.12",
            "Returns the replication role.")
        .flags(&[Flag::Fast, Flag::Loading, Flag::Noscript, Flag::Stale])
        .categories(&[Category::Admin, Category::Dangerous, Category::Fast]),
    Command::new("save", 1, Group::Server, "1.0.0",
            "Synchronously saves the database(s) to disk.")
        .flags(&[Flag::Admin, Flag::NoAsyncLoading, Flag::NoMulti, Flag::Noscript])
        .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
    Command::new("shutdown", -1, Group::Server, "1.0.0",
            "Synchronously saves the database(s) to disk and shuts down the server.")
        .flags(&[Flag::Admin, Flag::AllowBusy, Flag::Loading, Flag::NoMulti, Flag::Noscript, Flag::Stale])
        .categories(&[Category::Admin, Category::Dangerous, Category::Slow]),
    Command::new("slowlog", -2, Group::Server, "2.2.12",
            "A container for slow log commands.")
        .categories(&[Category::Slow])
        .subcommands(&[
            Command::new("slowlog|get", -2, Group::Server, "2.2.12",
                    "Returns the slow log's entries.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "nondeterministic_output"]),
            Command::new("slowlog|help", 2, Group::Server, "6.2.0",
                    "Shows helpful text about the different subcommands.")
                .flags(&[Flag::Loading, Flag::Stale])
                .categories(&[Category::Slow]),
            Command::new("slowlog|len", 2, Group::Server, "2.2.12",
                    "Returns the number of entries in the slow log.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]),
            Command::new("slowlog|reset", 2, Group::Server, "2.2.12",
                    "Clears all entries from the slow log.")
                .flags(&[Flag::Admin, Flag::Loading, Flag::Stale])
                .categories(&[Category::Admin, Category::Dangerous, Category::Slow])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
        ]),
    Command::new("time", 1, Group::Server, "2.6.0",
            "Returns the server time.")
        .flags(&[Flag::Fast, Flag::Loading, Flag::Stale])
        .categories(&[Category::Fast])
        .tips(&["nondeterministic_output"]),
    Command::new("wait", 3, Group::Generic, "3.0.0",
            "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.")
        .flags(&[Flag::Blocking])
        .categories(&[Category::Blocking, Category::Connection, Category::Slow])
        .tips(&["request_policy:all_shards", "response_policy:agg_min"]),
    Command::new("waitaof", 4, Group::Generic, "7.2.0",
            "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the primary and/or replicas.")
        .flags(&[Flag::Blocking])
        .categories(&[Category::Blocking, Category::Connection, Category::Slow])
        .tips(&["request_policy:all_shards", "response_policy:agg_min"]),
];
