//! What the machine offers: memory, disk, open files.
//!
//! Owns how the defaults of `maxmemory`, `tier-max-bytes` and `maxclients` follow from it.
//! Any thread.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use crate::server::Server;

/// Descriptors the daemon needs beside its clients: files, rings, listeners.
const RESERVED_FILES: u64 = 128;

/// What `maxmemory` comes to, in bytes: with a tier 0 stands for half of what the machine
/// (or the control group) has, without one for no limit.
pub(crate) fn memory(configured_bytes: u64, tier: bool) -> u64 {
    if configured_bytes > 0 || !tier {
        configured_bytes
    } else {
        total_memory_bytes() / 2
    }
}

/// What `tier-max-bytes` comes to, in bytes: 0 stands for four fifths of what is free or
/// already the tier's.
pub(crate) fn tier(configured_bytes: u64, server: &Server) -> u64 {
    if configured_bytes > 0 {
        return configured_bytes;
    }
    let free_bytes = rustix::fs::statvfs(server.config.get("dir").as_str())
        .map_or(u64::MAX, |found| {
            found.f_bavail.saturating_mul(found.f_frsize)
        });
    // Not all statistics: those lock every shard, and a transaction that sets
    // this may hold some.
    let used_bytes = server.store.tier_used_bytes();
    free_bytes.saturating_add(used_bytes) / 5 * 4
}

/// Memory of the machine, or of the control group where that is less, in bytes.
pub(crate) fn total_memory_bytes() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| kilobytes(&text, "MemTotal:"))
        .unwrap_or(u64::MAX);
    [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
    .iter()
    .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok())
    .fold(machine, u64::min)
}

/// The bytes of a line such as `MemTotal:  1024 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    let number: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    number.checked_mul(1024)
}

/// Resident memory of this process, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let pages: Option<u64> = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// Raises the limit on open files for `clients`; how many clients are possible now.
pub(crate) fn raise_open_files(clients: u64) -> u64 {
    let wanted = clients.saturating_add(RESERVED_FILES);
    let limit = getrlimit(Resource::Nofile);
    // No limit shows as none.
    let Some(current) = limit.current else {
        return clients;
    };
    if current >= wanted {
        return clients;
    }
    let reachable = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = Rlimit {
        current: Some(reachable),
        maximum: limit.maximum,
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => reachable,
        Err(error) => {
            warn!("the limit on open files stays at {current}: {error}");
            current
        }
    };
    now.saturating_sub(RESERVED_FILES).clamp(1, clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_means_half_the_machine_only_with_a_tier() {
        assert_eq!(memory(5, true), 5);
        assert_eq!(memory(0, false), 0);
        assert_eq!(memory(0, true), total_memory_bytes() / 2);
        assert!(total_memory_bytes() > 1 << 20);
    }

    #[test]
    fn the_kernels_lines_are_read() {
        assert_eq!(
            kilobytes("A: 1 kB\nMemTotal:  2 kB\n", "MemTotal:"),
            Some(2048)
        );
        assert_eq!(kilobytes("nothing", "MemTotal:"), None);
        assert!(resident_bytes() > 0);
    }
}
