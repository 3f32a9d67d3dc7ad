//! The sections of INFO about the server: its process, clients, counters.
//!
//! Owns names and order of the fields, which are those of Valkey where they have a meaning
//! here or tools look for them.

use std::fmt::Display;
use std::sync::atomic::Ordering::Relaxed;

use rustix::param::clock_ticks_per_second;

use super::connection::COMPATIBLE_VERSION;
use super::info::{Report, Source};
use crate::histogram::Distribution;
use crate::pubsub::Kind;
use crate::registry;
use crate::server::PauseScope;
use crate::statistics::ThreadStatistics;

pub(super) fn server(source: &Source<'_>, report: &mut Report) {
    let server = source.invocation.server;
    let facts = &server.facts;
    let uptime_s = server.unix_s().saturating_sub(facts.started_at_s).max(0);
    let kernel = rustix::system::uname();
    let os = format!(
        "{} {} {}",
        kernel.sysname().to_string_lossy(),
        kernel.release().to_string_lossy(),
        kernel.machine().to_string_lossy()
    );
    let hz = server.config.get("hz");
    let config_file = server
        .config
        .file
        .as_ref()
        .map_or_else(String::new, |path| path.display().to_string());
    let version = env!("CARGO_PKG_VERSION");
    report.fields(&[
        ("redis_version", &COMPATIBLE_VERSION),
        ("server_name", &"thermocline"),
        ("thermocline_version", &version),
        ("redis_git_sha1", &"00000000"),
        ("redis_git_dirty", &0),
        ("redis_build_id", &"0000000000000000"),
        ("redis_mode", &"standalone"),
        ("server_mode", &"standalone"),
        ("os", &os),
        ("arch_bits", &usize::BITS),
        ("monotonic_clock", &"POSIX clock_gettime"),
        ("multiplexing_api", &"epoll"),
        ("gcc_version", &"0.0.0"),
        ("process_id", &std::process::id()),
        ("process_supervised", &facts.supervised),
        ("run_id", &facts.run_id),
        ("tcp_port", &server.config.get("port")),
        (
            "server_time_usec",
            &(server.clock.now().0.saturating_mul(1000)),
        ),
        ("uptime_in_seconds", &uptime_s),
        ("uptime_in_days", &(uptime_s / 86_400)),
        ("hz", &hz),
        ("configured_hz", &hz),
        ("lru_clock", &(server.unix_s() & 0x00ff_ffff)),
        ("executable", &facts.executable),
        ("config_file", &config_file),
        ("io_threads_active", &i32::from(facts.io_threads > 1)),
        ("io_threads", &facts.io_threads),
    ]);
    for (index, listener) in facts.listeners.iter().enumerate() {
        report.field(&format!("listener{index}"), listener);
    }
}

pub(super) fn clients(source: &Source<'_>, report: &mut Report) {
    let server = source.invocation.server;
    let clients = server.clients.all();
    let greatest = |bytes: &dyn Fn(&crate::clients::Client) -> u64| {
        clients
            .iter()
            .map(|client| bytes(client))
            .max()
            .unwrap_or(0)
    };
    let count = |is: &dyn Fn(&crate::clients::Client) -> bool| {
        clients.iter().filter(|client| is(client)).count()
    };
    let (waited, waited_for_absence) = server.waiters.waited_keys();
    let now_ms = server.now_ms();
    let pause = server.pause.now(now_ms);
    let actions = match pause {
        None => "none",
        Some((_, PauseScope::Writes)) => "write",
        Some((_, PauseScope::All)) => "all",
    };
    let watched: u64 = clients
        .iter()
        .map(|client| u64::from(client.watched.load(Relaxed)))
        .sum();
    report.fields(&[
        ("connected_clients", &server.clients.count()),
        ("cluster_connections", &0),
        ("maxclients", &server.live.maxclients.load(Relaxed)),
        (
            "maxmemory_clients",
            &server.live.clients_bytes.load(Relaxed),
        ),
        (
            "client_query_buffer_limit",
            &server.live.query_buffer_bytes.load(Relaxed),
        ),
        (
            "client_output_buffer_limit",
            &server.config.get("client-output-buffer-limit"),
        ),
        (
            "client_recent_max_input_buffer",
            &greatest(&|client| client.query_bytes.load(Relaxed)),
        ),
        (
            "client_recent_max_output_buffer",
            &greatest(&|client| client.unread_bytes()),
        ),
        (
            "blocked_clients",
            &(server.waiters.count() + count(&|client| client.waits_for_no_key())),
        ),
        ("tracking_clients", &server.hub.tracking.clients()),
        ("pubsub_clients", &count(&|client| client.is_subscribed())),
        (
            "watching_clients",
            &count(&|client| client.watched.load(Relaxed) > 0),
        ),
        (
            "clients_in_timeout_table",
            &server.waiters.count_with_timeout(),
        ),
        ("total_watched_keys", &watched),
        ("total_blocking_keys", &waited),
        ("total_blocking_keys_on_nokey", &waited_for_absence),
        (
            "paused_reason",
            &if pause.is_some() {
                "client_pause"
            } else {
                "none"
            },
        ),
        ("paused_actions", &actions),
        (
            "paused_timeout_milliseconds",
            &pause.map_or(0, |(until, _)| until - now_ms),
        ),
    ]);
}

pub(super) fn stats(source: &Source<'_>, report: &mut Report) {
    let server = source.invocation.server;
    let statistics = &server.statistics;
    let found = source.statistics;
    let rates = statistics.rates();
    let sum = |counter: fn(&ThreadStatistics) -> u64| statistics.sum(counter);
    let hub = &server.hub;
    report.fields(&[
        (
            "total_connections_received",
            &sum(|set| set.connections.get()),
        ),
        ("total_commands_processed", &sum(|set| set.commands.get())),
        ("instantaneous_ops_per_sec", &rates.commands),
        ("total_net_input_bytes", &sum(|set| set.input_bytes.get())),
        ("total_net_output_bytes", &sum(|set| set.output_bytes.get())),
        ("total_net_repl_input_bytes", &0),
        ("total_net_repl_output_bytes", &0),
        (
            "instantaneous_input_kbps",
            &format_args!("{:.2}", rates.input_kilobytes),
        ),
        (
            "instantaneous_output_kbps",
            &format_args!("{:.2}", rates.output_kilobytes),
        ),
        ("instantaneous_input_repl_kbps", &"0.00"),
        ("instantaneous_output_repl_kbps", &"0.00"),
        (
            "rejected_connections",
            &statistics.rejected_connections.load(Relaxed),
        ),
        ("sync_full", &0),
        ("sync_partial_ok", &0),
        ("sync_partial_err", &0),
        ("expired_keys", &found.expired_keys),
        ("expired_fields", &found.expired_fields),
        ("expired_stale_perc", &"0.00"),
        ("expired_time_cap_reached_count", &0),
        ("expire_cycle_cpu_milliseconds", &0),
        ("evicted_keys", &found.evicted_keys),
        ("evicted_clients", &statistics.evicted_clients.load(Relaxed)),
        (
            "evicted_scripts",
            &server.scripts.statistics().evicted_scripts,
        ),
        ("total_eviction_exceeded_time", &0),
        ("current_eviction_exceeded_time", &0),
        ("keyspace_hits", &found.hits),
        ("keyspace_misses", &found.misses),
        ("pubsub_channels", &hub.pubsub.count(Kind::Channel)),
        ("pubsub_patterns", &hub.pubsub.count(Kind::Pattern)),
        ("pubsubshard_channels", &hub.pubsub.count(Kind::Shard)),
        ("latest_fork_usec", &0),
        ("total_forks", &0),
        ("migrate_cached_sockets", &0),
        ("slave_expires_tracked_keys", &0),
        ("active_defrag_hits", &0),
        ("active_defrag_misses", &0),
        ("active_defrag_key_hits", &0),
        ("active_defrag_key_misses", &0),
        ("total_active_defrag_time", &0),
        ("current_active_defrag_time", &0),
        ("tracking_total_keys", &hub.tracking.keys()),
        ("tracking_total_items", &hub.tracking.items()),
        ("tracking_total_prefixes", &hub.tracking.prefixes()),
        ("tracking_total_bytes", &hub.tracking.bytes()),
        ("unexpected_error_replies", &0),
        ("total_error_replies", &sum(|set| set.error_replies.get())),
        ("dump_payload_sanitizations", &0),
        ("total_reads_processed", &sum(|set| set.reads.get())),
        ("total_writes_processed", &sum(|set| set.writes.get())),
        ("io_threaded_reads_processed", &sum(|set| set.reads.get())),
        ("io_threaded_writes_processed", &sum(|set| set.writes.get())),
        (
            "client_query_buffer_limit_disconnections",
            &statistics.query_buffer_disconnections.load(Relaxed),
        ),
        (
            "client_output_buffer_limit_disconnections",
            &statistics.output_buffer_disconnections.load(Relaxed),
        ),
        (
            "client_authentication_timeout_disconnections",
            &statistics.strangers_disconnected.load(Relaxed),
        ),
        (
            "acl_access_denied_auth",
            &statistics.denied_authentications.load(Relaxed),
        ),
        ("acl_access_denied_cmd", &0),
        ("acl_access_denied_key", &0),
        ("acl_access_denied_channel", &0),
    ]);
}

pub(super) fn replication(source: &Source<'_>, report: &mut Report) {
    let found = source.statistics;
    report.fields(&[
        ("role", &"master"),
        ("connected_slaves", &0),
        ("master_failover_state", &"no-failover"),
        ("master_replid", &format_args!("{:040x}", found.history)),
        ("master_replid2", &"0".repeat(40)),
        ("master_repl_offset", &found.appended_lsn),
        ("second_repl_offset", &-1),
        ("repl_backlog_active", &0),
        ("repl_backlog_size", &0),
        ("repl_backlog_first_byte_offset", &0),
        ("repl_backlog_histlen", &0),
    ]);
}

/// User and system time of a stat file of /proc, in seconds.
fn cpu_seconds(path: &str) -> (f64, f64) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The name in brackets may hold anything; the fields after it are numbers.
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: Vec<u64> = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let seconds = |index: usize| {
        ticks.get(index).copied().unwrap_or(0) as f64 / clock_ticks_per_second() as f64
    };
    (seconds(0), seconds(1))
}

/// What the process has used of its cores, in user and in kernel mode, in ms.
pub(super) fn cpu_ms() -> (u64, u64) {
    let (user, system) = cpu_seconds("/proc/self/stat");
    ((user * 1000.0) as u64, (system * 1000.0) as u64)
}

pub(super) fn cpu(_: &Source<'_>, report: &mut Report) {
    let (user, system) = cpu_seconds("/proc/self/stat");
    let main = format!("/proc/self/task/{}/stat", std::process::id());
    let (main_user, main_system) = cpu_seconds(&main);
    for (name, seconds) in [
        ("used_cpu_sys", system),
        ("used_cpu_user", user),
        ("used_cpu_sys_children", 0.0),
        ("used_cpu_user_children", 0.0),
        ("used_cpu_sys_main_thread", main_system),
        ("used_cpu_user_main_thread", main_user),
        // Each thread serves clients.
        ("used_active_time_main_thread", user + system),
    ] {
        report.field(name, format_args!("{seconds:.6}"));
    }
}

pub(super) fn command_stats(source: &Source<'_>, report: &mut Report) {
    let statistics = &source.invocation.server.statistics;
    for (number, entry) in registry::all().iter().enumerate() {
        let (mut calls, mut spent_ns, mut rejected, mut failed) = (0, 0, 0, 0);
        for set in statistics.current() {
            let cell = &set.cells[number];
            calls += cell.calls.get();
            spent_ns += cell.spent_ns.get();
            rejected += cell.rejected.get();
            failed += cell.failed.get();
        }
        if calls + rejected + failed == 0 {
            continue;
        }
        let spent_us = spent_ns / 1000;
        let a_call_us = spent_ns as f64 / 1000.0 / calls.max(1) as f64;
        report.line(format_args!(
            "cmdstat_{}:calls={calls},usec={spent_us},usec_per_call={a_call_us:.2},\
             rejected_calls={rejected},failed_calls={failed}",
            entry.name
        ));
    }
}

pub(super) fn error_stats(source: &Source<'_>, report: &mut Report) {
    for (code, count) in source.invocation.server.statistics.errors() {
        report.line(format_args!("errorstat_{code}:count={count}"));
    }
}

pub(super) fn latency_stats(source: &Source<'_>, report: &mut Report) {
    let server = source.invocation.server;
    let percentiles = server.config.get("latency-tracking-info-percentiles");
    for (number, entry) in registry::all().iter().enumerate() {
        let histograms = server
            .statistics
            .current()
            .map(|set| &set.cells[number].latencies);
        let distribution = Distribution::of(histograms);
        if distribution.calls() == 0 {
            continue;
        }
        let figures: Vec<String> = percentiles
            .split_whitespace()
            .map(|percent| {
                let us = distribution.percentile_us(percent.parse().unwrap_or(0.0));
                format!("p{percent}={us:.3}")
            })
            .collect();
        let name = entry.name;
        report.line(format_args!(
            "latency_percentiles_usec_{name}:{}",
            figures.join(",")
        ));
    }
}

pub(super) fn cluster(_: &Source<'_>, report: &mut Report) {
    let enabled: &dyn Display = &0;
    report.fields(&[("cluster_enabled", enabled)]);
}
