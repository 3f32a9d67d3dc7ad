//! What a change of the configuration sets in motion.
//!
//! Owns which directive moves which switch of the store or the server. A change is applied
//! as a whole under a lock. Any thread.

use std::sync::atomic::Ordering::Relaxed;

use thermocline_store::Policy;

use super::events::Events;
use super::value::class_limits;
use super::{SetError, table};
use crate::server::Server;
use crate::{client_memory, limits};

/// Sets all live directives in motion, at the start.
pub(crate) fn apply_all(server: &Server) {
    for (directive, value) in table::all().iter().zip(server.config.snapshot()) {
        apply(server, directive.name, &value);
    }
}

/// Changes several directives, all or none: CONFIG SET.
///
/// # Errors
/// The first pair that cannot be taken.
pub(crate) fn set(server: &Server, pairs: &[(&str, &str)]) -> Result<(), SetError> {
    let _whole = server.configuring.lock();
    let checked = server.config.check(pairs)?;
    // The one change that the system may refuse goes first; nothing has changed yet.
    for (number, value) in &checked {
        let name = table::all()[*number].name;
        if name == "maxclients" {
            let wanted = value.parse().unwrap_or(u64::MAX);
            let tier_bytes = if server.config.is_yes("tier") {
                server.store.settings().tier_max_bytes()
            } else {
                0
            };
            let files = limits::raise_open_files(wanted, tier_bytes);
            let possible = files.map_or(1, |files| files.clients);
            if possible < wanted {
                let reason = format!(
                    "The operating system is not able to handle the specified number of \
                     clients, try with {possible}"
                );
                return Err(SetError::Failed(name.to_owned(), reason));
            }
        }
    }
    for (number, value) in checked {
        apply(server, table::all()[number].name, &value);
        server.config.replace(number, value);
    }
    Ok(())
}

/// Sets one directive in motion; those without a switch do nothing.
fn apply(server: &Server, name: &str, value: &str) {
    let (live, settings) = (&server.live, server.store.settings());
    let number = || value.parse::<u64>().unwrap_or(0);
    match name {
        "maxmemory" => {
            let wanted_bytes = limits::memory(number(), server.config.is_yes("tier"));
            settings.set_maxmemory_bytes(server.facts.address_space.fit(wanted_bytes));
            limit_clients(server, &server.config.get("maxmemory-clients"));
        }
        "maxmemory-clients" => {
            limit_clients(server, value);
            client_memory::settle(server);
        }
        "maxmemory-policy" => {
            if let Some(policy) = Policy::from_name(value) {
                settings.set_policy(policy);
            }
        }
        "tier-max-bytes" => settings.set_tier_max_bytes(limits::tier(number(), server)),
        "hash-max-listpack-entries" => {
            settings.set_hash_max_listpack_entries(value.parse().unwrap_or(usize::MAX));
        }
        "hash-max-listpack-value" => {
            settings.set_hash_max_listpack_value(value.parse().unwrap_or(usize::MAX));
        }
        "list-max-listpack-size" => {
            settings.set_list_max_listpack_size(value.parse().unwrap_or(-2));
        }
        "set-max-intset-entries" => {
            settings.set_set_max_intset_entries(value.parse().unwrap_or(usize::MAX));
        }
        "set-max-listpack-entries" => {
            settings.set_set_max_listpack_entries(value.parse().unwrap_or(usize::MAX));
        }
        "set-max-listpack-value" => {
            settings.set_set_max_listpack_value(value.parse().unwrap_or(usize::MAX));
        }
        "zset-max-listpack-entries" => {
            settings.set_zset_max_listpack_entries(value.parse().unwrap_or(usize::MAX));
        }
        "zset-max-listpack-value" => {
            settings.set_zset_max_listpack_value(value.parse().unwrap_or(usize::MAX));
        }
        "databases" => settings.set_databases(value.parse().unwrap_or(16)),
        "hll-sparse-max-bytes" => {
            settings.set_hll_sparse_max_bytes(value.parse().unwrap_or(usize::MAX));
        }
        "stream-node-max-bytes" => {
            settings.set_stream_node_max_bytes(value.parse().unwrap_or(0));
        }
        "stream-node-max-entries" => {
            settings.set_stream_node_max_entries(value.parse().unwrap_or(0));
        }
        "checkpoint-wal-bytes" => settings.set_checkpoint_wal_bytes(number()),
        "wal-retention" => settings.set_wal_retention_bytes(number()),
        "wal-retention-seconds" => settings.set_wal_retention_seconds(number()),
        "checkpoint-interval-ms" => settings.set_checkpoint_interval_ms(number()),
        "appendfsync" if server.config.is_yes("appendonly") => {
            server.store.set_log_policy(log_policy(value));
        }
        "maxclients" => live.maxclients.store(number(), Relaxed),
        "timeout" => live.timeout_s.store(number(), Relaxed),
        "tcp-keepalive" => live.tcp_keepalive_s.store(number(), Relaxed),
        "client-output-buffer-limit" => {
            live.set_output_limits(false, class_limits(value, 0));
            live.set_output_limits(true, class_limits(value, 2));
        }
        "notify-keyspace-events" => {
            let events = Events::parse(value).unwrap_or_default();
            server.hub.set_events(&server.store, events);
        }
        "tracking-table-max-keys" => server.hub.set_most_tracked_keys(number()),
        "client-query-buffer-limit" => live.query_buffer_bytes.store(number(), Relaxed),
        "proto-max-bulk-len" => live.bulk_bytes.store(number(), Relaxed),
        "protected-mode" => live.protected_mode.store(value == "yes", Relaxed),
        "requirepass" => live.set_password(value),
        "commandlog-execution-slower-than" => {
            live.slower_than_us
                .store(value.parse().unwrap_or(-1), Relaxed);
        }
        "commandlog-request-larger-than" => {
            live.large_request_bytes
                .store(value.parse().unwrap_or(-1), Relaxed);
        }
        "commandlog-reply-larger-than" => {
            live.large_reply_bytes
                .store(value.parse().unwrap_or(-1), Relaxed);
        }
        "commandlog-large-request-max-len" => live.large_request_entries.store(number(), Relaxed),
        "commandlog-large-reply-max-len" => live.large_reply_entries.store(number(), Relaxed),
        "commandlog-slow-execution-max-len" => live.slowlog_entries.store(number(), Relaxed),
        "latency-tracking" => live.latency_tracking.store(value == "yes", Relaxed),
        "busy-reply-threshold" => live.busy_threshold_ms.store(number(), Relaxed),
        "latency-monitor-threshold" => live.latency_threshold_ms.store(number(), Relaxed),
        "loglevel" => server.log_level.set(value),
        _ => {}
    }
}

fn limit_clients(server: &Server, value: &str) {
    let maxmemory_bytes = server.store.settings().maxmemory_bytes();
    let machine_bytes = limits::total_memory_bytes();
    let bytes = client_memory::limit_bytes(value, maxmemory_bytes, machine_bytes);
    server.live.clients_bytes.store(bytes, Relaxed);
    if bytes == 0 {
        server.reply_room.set_most_bytes(u64::MAX);
    }
    server.hub.set_most_tracked_bytes(bytes / 2);
    server
        .scripts
        .set_memory_bytes(limits::scripts(maxmemory_bytes));
}

/// When the log is synced, by the value of `appendfsync`.
pub(crate) fn log_policy(value: &str) -> thermocline_wal::Policy {
    match value {
        "always" => thermocline_wal::Policy::Always,
        "no" => thermocline_wal::Policy::Never,
        _ => thermocline_wal::Policy::EverySecond,
    }
}
