//! MEMORY, but for USAGE, which works on a key.
//!
//! Owns the names of MEMORY STATS; the numbers are the store's.

use super::{CommandResult, Family, Invocation, Outcome};
use crate::limits;

/// Below this there is nothing worth a diagnosis, in bytes.
const SMALL_BYTES: u64 = 5 << 20;

pub(super) static COMMANDS: Family = &[
    ("memory|doctor", doctor),
    ("memory|help", help),
    ("memory|malloc-stats", allocator),
    ("memory|purge", purge),
    ("memory|stats", stats),
];

enum Number {
    Whole(u64),
    Ratio(f64),
}

fn stats(invocation: &mut Invocation<'_>) -> CommandResult {
    use Number::{Ratio, Whole};
    let found = invocation.statistics();
    let rss_bytes = limits::resident_bytes();
    let keys: u64 = found.databases.iter().map(|database| database.keys).sum();
    let startup = invocation.server.facts.startup_bytes;
    let overhead =
        found.index_bytes + found.buffer_bytes + found.pending_bytes + clients_bytes(invocation);
    let allocated = found.used_bytes + clients_bytes(invocation);
    let dataset = found.record_bytes;
    let net = found.used_bytes.saturating_sub(startup);
    let ratio = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let numbers = [
        ("peak.allocated", Whole(found.peak_bytes)),
        ("total.allocated", Whole(allocated)),
        ("startup.allocated", Whole(startup)),
        ("replication.backlog", Whole(0)),
        ("replicas.repl.buffer", Whole(0)),
        ("clients.slaves", Whole(0)),
        ("clients.normal", Whole(clients_bytes(invocation))),
        ("cluster.links", Whole(0)),
        ("cluster.slot_import", Whole(0)),
        ("cluster.slot_export", Whole(0)),
        ("aof.buffer", Whole(found.buffer_bytes)),
        ("lua.caches", Whole(0)),
        ("functions.caches", Whole(0)),
        ("index.bytes", Whole(found.index_bytes)),
        ("pending.bytes", Whole(found.pending_bytes)),
        ("overhead.total", Whole(overhead)),
        ("keys.count", Whole(keys)),
        ("keys.hot", Whole(found.hot_keys)),
        ("keys.cold", Whole(found.cold_keys)),
        (
            "keys.bytes-per-key",
            Whole(net.checked_div(keys).unwrap_or(0)),
        ),
        ("dataset.bytes", Whole(dataset)),
        ("dataset.percentage", Ratio(100.0 * ratio(dataset, net))),
        (
            "peak.percentage",
            Ratio(100.0 * ratio(found.used_bytes, found.peak_bytes)),
        ),
        ("allocator.allocated", Whole(found.used_bytes)),
        ("allocator.active", Whole(rss_bytes)),
        ("allocator.resident", Whole(rss_bytes)),
        ("allocator.muzzy", Whole(0)),
        ("fragmentation", Ratio(ratio(rss_bytes, found.used_bytes))),
        (
            "fragmentation.bytes",
            Whole(rss_bytes.saturating_sub(found.used_bytes)),
        ),
    ];
    invocation.reply.map(numbers.len());
    for (name, number) in numbers {
        invocation.reply.bulk(name.as_bytes());
        match number {
            Whole(number) => invocation
                .reply
                .integer(i64::try_from(number).unwrap_or(i64::MAX)),
            Ratio(ratio) => invocation.reply.double(ratio),
        }
    }
    Ok(Outcome::Done)
}

/// Bytes that clients hold.
pub(super) fn clients_bytes(invocation: &Invocation<'_>) -> u64 {
    invocation.server.clients.memory_bytes()
}

fn doctor(invocation: &mut Invocation<'_>) -> CommandResult {
    let found = invocation.statistics();
    let rss_bytes = limits::resident_bytes();
    let mut report = String::new();
    if found.used_bytes < SMALL_BYTES {
        report.push_str(
            "Hi Sam, this instance is empty or is using very little memory, my issues detector \
             can't be used in these conditions. Please, leave for your mission on Earth and fill \
             it with some data. The new Sam and I will be back to our programming as soon as I \
             finished rebooting.\n",
        );
    } else {
        if found.peak_bytes > found.used_bytes / 2 * 3 {
            report.push_str(
                " * Peak memory: in the past this instance used more than 150% of the memory it \
                 uses now. The allocator may keep what was freed.\n",
            );
        }
        if rss_bytes > found.used_bytes / 10 * 14 {
            report.push_str(
                " * Fragmentation: the process is more than 1.4 times as large as what is \
                 counted.\n",
            );
        }
        if found.pending_effects > 0 {
            report
                .push_str(" * Restart: effects of the log still wait for their keys to be read.\n");
        }
        if report.is_empty() {
            report.push_str("Hi Sam, I can't find any memory issue in your instance.\n");
        }
    }
    invocation.reply.verbatim(*b"txt", report.as_bytes());
    Ok(Outcome::Done)
}

fn allocator(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation
        .reply
        .bulk(b"Stats not supported for the current allocator");
    Ok(Outcome::Done)
}

fn purge(invocation: &mut Invocation<'_>) -> CommandResult {
    // The allocator gives memory back by itself.
    invocation.ok()
}

fn help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "MEMORY",
        &[
            "DOCTOR",
            "    Return memory problems reports.",
            "MALLOC-STATS",
            "    Return internal statistics report from the memory allocator.",
            "PURGE",
            "    Attempt to purge dirty pages for reclamation by the allocator.",
            "STATS",
            "    Return information about the memory usage of the server.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return memory in bytes used by <key> and its value. Nested values are",
            "    sampled up to <count> times (default: 5, 0 means sample all).",
        ],
    )
}
