//! The sections of INFO about the store: memory, persistence, the tier, the key space.
//!
//! Owns names and order of the fields; the numbers are the store's.

use super::info::{Report, Source, human};
use super::memory::clients_bytes;
use crate::histogram::Distribution;
use crate::limits;
use crate::statistics::TierReads;

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

pub(super) fn memory(source: &Source<'_>, report: &mut Report) {
    let server = source.invocation.server;
    let found = source.statistics;
    let settings = server.store.settings();
    let rss_bytes = limits::resident_bytes();
    let clients_bytes = clients_bytes(source.invocation);
    let overhead_bytes =
        found.index_bytes + found.buffer_bytes + found.pending_bytes + clients_bytes;
    let startup_bytes = server.facts.startup_bytes;
    let net_bytes = found.used_bytes.saturating_sub(startup_bytes);
    let dataset_percent = 100.0 * ratio(found.record_bytes, net_bytes).min(1.0);
    let peak_percent = 100.0 * ratio(found.used_bytes, found.peak_bytes);
    // What is held and holds nothing: it comes back with compaction.
    let wasted_bytes = found.heap_dead_bytes + found.heap_tail_bytes + found.heap_idle_bytes;
    let allocated_bytes = found.used_bytes.saturating_sub(wasted_bytes);
    report.bytes("used_memory", found.used_bytes + clients_bytes);
    report.bytes("used_memory_rss", rss_bytes);
    report.bytes("used_memory_peak", found.peak_bytes);
    report.fields(&[
        ("used_memory_peak_perc", &format_args!("{peak_percent:.2}%")),
        ("used_memory_overhead", &overhead_bytes),
        ("used_memory_startup", &startup_bytes),
        ("used_memory_dataset", &found.record_bytes),
        (
            "used_memory_dataset_perc",
            &format_args!("{dataset_percent:.2}%"),
        ),
        ("used_memory_records", &found.record_bytes),
        ("heap_live_bytes", &found.heap_live_bytes),
        ("heap_dead_bytes", &found.heap_dead_bytes),
        ("heap_tail_bytes", &found.heap_tail_bytes),
        ("heap_idle_bytes", &found.heap_idle_bytes),
        ("heap_chunks", &found.heap_chunks),
        ("heap_compactions", &found.heap_compactions),
        ("heap_compacted_bytes", &found.heap_compacted_bytes),
        ("used_memory_index", &found.index_bytes),
        ("used_memory_buffers", &found.buffer_bytes),
        ("used_memory_pending", &found.pending_bytes),
        ("allocator_allocated", &allocated_bytes),
        ("allocator_active", &found.used_bytes),
        ("allocator_resident", &rss_bytes),
        ("allocator_muzzy", &found.heap_idle_bytes),
    ]);
    let scripts = source.invocation.server.scripts.statistics();
    report.bytes("used_memory_lua", scripts.machine_bytes);
    report.fields(&[
        ("used_memory_vm_eval", &scripts.machine_bytes),
        ("used_memory_scripts_eval", &scripts.script_bytes),
        ("number_of_cached_scripts", &scripts.scripts),
        ("number_of_functions", &scripts.functions),
        ("number_of_libraries", &scripts.libraries),
        ("used_memory_vm_functions", &0),
    ]);
    report.bytes("used_memory_vm_total", scripts.machine_bytes);
    report.fields(&[("used_memory_functions", &scripts.library_bytes)]);
    report.bytes(
        "used_memory_scripts",
        scripts.script_bytes + scripts.library_bytes,
    );
    report.bytes("total_system_memory", limits::total_memory_bytes());
    report.fields(&[
        ("used_memory_lua", &0),
        ("used_memory_scripts", &0),
        ("number_of_cached_scripts", &0),
    ]);
    report.bytes("maxmemory", settings.maxmemory_bytes());
    report.fields(&[
        ("maxmemory_policy", &settings.policy().name()),
        ("maxmemory_configured", &server.config.get("maxmemory")),
        (
            "allocator_frag_ratio",
            &format_args!("{:.2}", ratio(found.used_bytes, allocated_bytes)),
        ),
        ("allocator_frag_bytes", &wasted_bytes),
        (
            "allocator_rss_ratio",
            &format_args!("{:.2}", ratio(rss_bytes, found.used_bytes)),
        ),
        (
            "allocator_rss_bytes",
            &rss_bytes.saturating_sub(found.used_bytes),
        ),
        (
            "mem_fragmentation_ratio",
            &format_args!("{:.2}", ratio(rss_bytes, found.used_bytes)),
        ),
        (
            "mem_fragmentation_bytes",
            &rss_bytes.saturating_sub(found.used_bytes),
        ),
        ("mem_not_counted_for_evict", &0),
        ("mem_replication_backlog", &0),
        ("mem_total_replication_buffers", &0),
        ("mem_clients_slaves", &0),
        ("mem_clients_normal", &clients_bytes),
        ("mem_cluster_links", &0),
        ("mem_aof_buffer", &found.buffer_bytes),
        ("mem_allocator", &"mimalloc"),
        ("active_defrag_running", &0),
        ("lazyfree_pending_objects", &0),
        ("lazyfreed_objects", &0),
    ]);
}

pub(super) fn persistence(source: &Source<'_>, report: &mut Report) {
    let server = source.invocation.server;
    let found = source.statistics;
    let syncs = found.log_syncs;
    let start = &server.facts.report;
    let running = i32::from(found.checkpoint_running);
    let status = |failure: &Option<String>| if failure.is_some() { "err" } else { "ok" };
    let last_s = match found.last_checkpoint_ms {
        ms if ms < 0 => -1,
        ms => ms / 1000,
    };
    let last_save_s = if found.last_checkpoint_at_s > 0 {
        found.last_checkpoint_at_s
    } else {
        server.facts.started_at_s
    };
    let (checkpoint_status, log_status) = (
        status(&found.checkpoint_failure),
        status(&found.log_failure),
    );
    report.fields(&[
        ("loading", &0),
        ("async_loading", &0),
        ("current_cow_size", &0),
        (
            "rdb_changes_since_last_save",
            &found.changes_since_checkpoint,
        ),
        ("rdb_bgsave_in_progress", &running),
        ("rdb_last_save_time", &last_save_s),
        ("rdb_last_bgsave_status", &checkpoint_status),
        ("rdb_last_bgsave_time_sec", &last_s),
        ("rdb_current_bgsave_time_sec", &-1),
        ("rdb_saves", &found.checkpoints),
        ("rdb_last_cow_size", &0),
        ("rdb_last_load_keys_expired", &0),
        ("rdb_last_load_keys_loaded", &start.image_keys),
        (
            "aof_enabled",
            &i32::from(server.config.is_yes("appendonly")),
        ),
        ("aof_rewrite_in_progress", &running),
        ("aof_rewrite_scheduled", &0),
        ("aof_last_rewrite_time_sec", &last_s),
        ("aof_current_rewrite_time_sec", &-1),
        ("aof_last_bgrewrite_status", &checkpoint_status),
        ("aof_rewrites", &found.checkpoints),
        ("aof_last_write_status", &log_status),
        ("aof_last_cow_size", &0),
        (
            "aof_current_size",
            &found.appended_lsn.saturating_sub(found.checkpoint_lsn),
        ),
        ("aof_base_size", &0),
        ("aof_pending_rewrite", &0),
        (
            "aof_buffer_length",
            &found.appended_lsn.saturating_sub(found.written_lsn),
        ),
        (
            "aof_pending_bio_fsync",
            &i32::from(found.written_lsn > found.durable_lsn),
        ),
        ("aof_delayed_fsync", &0),
        ("module_fork_in_progress", &0),
        ("module_fork_last_cow_size", &0),
        ("checkpoint_last_ms", &found.last_checkpoint_ms),
        (
            "checkpoint_failure",
            &found.checkpoint_failure.as_deref().unwrap_or(""),
        ),
        ("log_failure", &found.log_failure.as_deref().unwrap_or("")),
        ("log_appended_lsn", &found.appended_lsn),
        ("log_written_lsn", &found.written_lsn),
        ("log_durable_lsn", &found.durable_lsn),
        ("log_checkpoint_lsn", &found.checkpoint_lsn),
        ("log_oldest_lsn", &found.oldest_lsn),
        ("log_oldest_time_ms", &found.oldest_log_ms),
        (
            "log_retained_bytes",
            &found.checkpoint_lsn.saturating_sub(found.oldest_lsn),
        ),
        ("log_last_sync_usec", &syncs.last.as_micros()),
        ("log_longest_sync_usec", &syncs.longest.as_micros()),
        ("log_sync_stall_ms", &syncs.running.as_millis()),
        ("log_history", &format_args!("{:016x}", found.history)),
        ("recovery_ms", &start.duration.as_millis()),
        ("recovery_log_bytes", &start.log_bytes),
        ("recovery_frames", &start.frames),
        (
            "recovery_was_clean",
            &i32::from(start.was_sealed || start.is_new),
        ),
        ("recovery_pending_effects", &found.pending_effects),
        ("recovery_shards_not_loaded", &found.shards_not_loaded),
    ]);
}

pub(super) fn tiering(source: &Source<'_>, report: &mut Report) {
    let server = source.invocation.server;
    let found = source.statistics;
    let (backend, reason) = server.store.backend();
    let backend = match backend {
        thermocline_disk::Backend::IoUring => "io_uring",
        thermocline_disk::Backend::Posix => "posix",
        thermocline_disk::Backend::Simulated => "simulated",
    };
    let every_thread = || server.statistics.tier_reads();
    let reads = server.statistics.current();
    let reads = Distribution::of(reads.map(|set| &set.tier_reads.latencies));
    let under_way: u64 = every_thread().map(TierReads::under_way).sum();
    let now_ns = server.clock.monotonic_ns();
    let stalled_ns = every_thread().map(|reads| reads.stalled_ns(now_ns)).max();
    let stalled_ns = stalled_ns.unwrap_or(0);
    let compression = ratio(found.demoted_raw_bytes, found.demoted_stored_bytes);
    let amplification = ratio(found.tier_written_bytes, found.demoted_stored_bytes);
    report.fields(&[
        ("tier_enabled", &i32::from(server.config.is_yes("tier"))),
        ("tier_io_backend", &backend),
        ("tier_io_backend_reason", &reason),
        ("tier_hot_keys", &found.hot_keys),
        ("tier_cold_keys", &found.cold_keys),
        ("tier_used_bytes", &found.tier_used_bytes),
        ("tier_used_human", &human(found.tier_used_bytes)),
        ("tier_live_bytes", &found.tier_live_bytes),
        ("tier_max_bytes", &found.tier_max_bytes),
        ("tier_max_human", &human(found.tier_max_bytes)),
        ("tier_segments_used", &found.segments_used),
        ("tier_segments_cleaned", &found.segments_cleaned),
        ("tier_relocations", &found.relocations),
        ("tier_demotions", &found.demotions),
        ("tier_promotions", &found.promotions),
        ("tier_reads", &found.tier_reads),
        ("tier_read_bytes", &found.tier_read_bytes),
        ("tier_reads_under_way", &under_way),
        ("tier_read_p50_usec", &reads.percentile_us(50.0)),
        ("tier_read_p99_usec", &reads.percentile_us(99.0)),
        ("tier_read_stall_ms", &(stalled_ns / 1_000_000)),
        ("tier_written_bytes", &found.tier_written_bytes),
        ("tier_demoted_raw_bytes", &found.demoted_raw_bytes),
        ("tier_demoted_stored_bytes", &found.demoted_stored_bytes),
        ("tier_compression_ratio", &format_args!("{compression:.2}")),
        (
            "tier_write_amplification",
            &format_args!("{amplification:.2}"),
        ),
    ]);
}

pub(super) fn keyspace(source: &Source<'_>, report: &mut Report) {
    let now = source.invocation.server.clock.now();
    for (number, database) in source.statistics.databases.iter().enumerate() {
        if database.keys > 0 {
            let (keys, expires) = (database.keys, database.expiries.count);
            let average_left_ms = database.expiries.average_left_ms(now);
            report.line(format_args!(
                "db{number}:keys={keys},expires={expires},avg_ttl={average_left_ms}"
            ));
        }
    }
}
