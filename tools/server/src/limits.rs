//! What the machine offers: memory, address space, disk, open files.
//!
//! Owns how the defaults of `maxmemory`, `tier-max-bytes` and `maxclients` follow from it.
//! Any thread.

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thermocline_store::tier::segment::{SEGMENT_BYTES, SEGMENTS_MAX};
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

/// The size of the process and what may be had of it, in bytes of address space.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AddressSpace {
    /// What is taken when nothing has been done yet.
    startup_bytes: u64,
    /// The most there may be, if that is limited (`ulimit -v`).
    most_bytes: Option<u64>,
}

impl AddressSpace {
    /// What is done for clients and in the background takes this beside the data.
    const BESIDE_BYTES: u64 = 96 << 20;
    /// A thread that serves clients takes this, most of it never written.
    const THREAD_BYTES: u64 = 112 << 20;
    /// Of what is left, the data get half: maps are longer than what is in them, and the
    /// allocator keeps what it has been given back.
    const PARTS: (u64, u64) = (1, 2);
    /// With less than this there is no point in a start.
    const LEAST_BYTES: u64 = 16 << 20;

    /// Now, which is to be before anything is done and any of so many threads is started.
    pub(crate) fn of_process(io_threads: usize) -> Self {
        let pages: Option<u64> = std::fs::read_to_string("/proc/self/statm")
            .ok()
            .and_then(|text| text.split_whitespace().next()?.parse().ok());
        Self {
            startup_bytes: pages.unwrap_or(0) * rustix::param::page_size() as u64
                + io_threads as u64 * Self::THREAD_BYTES,
            most_bytes: getrlimit(Resource::As).current,
        }
    }

    /// What `maxmemory` may be, if that is limited. An allocation that the system refuses
    /// ends the process, so that it must not come to that.
    fn fitting_bytes(&self) -> Option<u64> {
        let beside = self.startup_bytes.saturating_add(Self::BESIDE_BYTES);
        let left = self.most_bytes?.saturating_sub(beside);
        Some(left / Self::PARTS.1 * Self::PARTS.0)
    }

    /// As much of `maxmemory` of `wanted_bytes`, 0 for no limit, as fits; says so if it is
    /// less.
    pub(crate) fn fit(&self, wanted_bytes: u64) -> u64 {
        let fitting = self.fitting_bytes();
        let Some(fitting) = fitting.filter(|most| wanted_bytes == 0 || wanted_bytes > *most) else {
            return wanted_bytes;
        };
        let wanted = match wanted_bytes {
            0 => "no limit".to_owned(),
            bytes => format!("{} MiB", bytes >> 20),
        };
        warn!(
            "maxmemory of {wanted} has been reduced to {} MiB: the address space of the process \
             is limited to {} MiB. If you need more increase 'ulimit -v'.",
            fitting >> 20,
            self.most_bytes.unwrap_or(0) >> 20
        );
        fitting
    }

    /// Whether a start makes sense.
    ///
    /// # Errors
    /// For people.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (self.fitting_bytes(), self.most_bytes) {
            (Some(fitting), Some(most)) if fitting < Self::LEAST_BYTES => Err(format!(
                "Your current 'ulimit -v' of {} MiB is not enough for the server to start. \
                 Please increase it to at least {} MiB. Exiting.",
                most >> 20,
                (self.startup_bytes + Self::BESIDE_BYTES + 2 * Self::LEAST_BYTES) >> 20
            )),
            _ => Ok(()),
        }
    }
}

/// What `tier-max-bytes` comes to, in bytes: 0 stands for four fifths of what is free or
/// already the tier's.
pub(crate) fn tier(configured_bytes: u64, server: &Server) -> u64 {
    if configured_bytes > 0 {
        return configured_bytes;
    }
    let directory = server.config.get("dir");
    let free_bytes = free_for_tier(Path::new(&directory)).unwrap_or(u64::MAX);
    // Not all statistics: those lock every shard, and a transaction that sets
    // this may hold some.
    let used_bytes = server.store.tier_used_bytes();
    free_bytes.saturating_add(used_bytes) / 5 * 4
}

/// What scripts may take, in bytes: an eighth of `maxmemory`, between 32 and 256 MiB.
pub(crate) fn scripts(maxmemory_bytes: u64) -> u64 {
    const LEAST_BYTES: u64 = 32 << 20;
    const MOST_BYTES: u64 = 256 << 20;
    match maxmemory_bytes {
        0 => MOST_BYTES,
        bytes => (bytes / 8).clamp(LEAST_BYTES, MOST_BYTES),
    }
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

/// What the limit on open files comes to.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    /// Clients that are possible, of those that were asked for.
    pub(crate) clients: u64,
    /// Descriptors that all of them would need.
    wanted: u64,
    /// The limit now.
    now: u64,
    /// Why it is not higher, if the system was asked.
    refusal: Option<String>,
}

impl OpenFiles {
    /// Says that `asked` clients are not possible, in the words that operators know.
    pub(crate) fn warn(&self, asked: u64) {
        let Self {
            clients,
            wanted,
            now,
            refusal,
        } = self;
        warn!(
            "You requested maxclients of {asked} requiring at least {wanted} max file descriptors."
        );
        if let Some(error) = refusal {
            warn!("Server can't set maximum open files to {wanted} because of OS error: {error}.");
        }
        warn!(
            "Current maximum open files is {now}. maxclients has been reduced to {clients} to \
             compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
        );
    }
}

/// What the tier in `directory` may come to, before there is a store to ask.
pub(crate) fn tier_at(configured_bytes: u64, directory: &Path) -> u64 {
    if configured_bytes > 0 {
        return configured_bytes;
    }
    let free_bytes = free_for_tier(directory).unwrap_or(0);
    let segments = std::fs::read_dir(directory.join("tier")).map_or(0, Iterator::count) as u64;
    free_bytes.saturating_add(segments * SEGMENT_BYTES) / 5 * 4
}

/// What is free where the tier of `directory` is or will be, which may be on a device of its
/// own, in bytes; `None` if that cannot be told.
fn free_for_tier(directory: &Path) -> Option<u64> {
    let tier = directory.join("tier");
    let there = tier.ancestors().find(|path| path.is_dir());
    let found = rustix::fs::statvfs(there.unwrap_or_else(|| Path::new("."))).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Raises the limit on open files for `clients` and the tier's files; how many clients are
/// possible now.
///
/// # Errors
/// For people: not even the daemon's own files are possible.
pub(crate) fn raise_open_files(clients: u64, tier_bytes: u64) -> Result<OpenFiles, String> {
    let tier_files = tier_bytes.div_ceil(SEGMENT_BYTES).min(SEGMENTS_MAX as u64);
    let wanted = clients
        .saturating_add(RESERVED_FILES)
        .saturating_add(tier_files);
    let limit = getrlimit(Resource::Nofile);
    // No limit shows as none.
    let Some(current) = limit.current.filter(|current| *current < wanted) else {
        return Ok(OpenFiles {
            clients,
            wanted,
            now: limit.current.unwrap_or(wanted),
            refusal: None,
        });
    };
    let reachable = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = Rlimit {
        current: Some(reachable),
        maximum: limit.maximum,
    };
    let (now, refusal) = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => (reachable, None),
        Err(error) => (current, Some(error)),
    };
    let possible = clients_of(now, tier_files).ok_or_else(|| {
        format!(
            "Your current 'ulimit -n' of {now} is not enough for the server to start. Please \
                 increase your open file limit to at least {}. Exiting.",
            RESERVED_FILES + 2
        )
    })?;
    Ok(OpenFiles {
        clients: possible.min(clients),
        wanted,
        now,
        refusal: refusal.map(|error| error.to_string()),
    })
}

/// Clients that `files` descriptors allow beside the daemon's own. The tier can do with
/// half of the rest: it closes files to open others.
fn clients_of(files: u64, tier_files: u64) -> Option<u64> {
    let rest = files.checked_sub(RESERVED_FILES)?;
    let clients = rest - tier_files.min(rest / 2);
    (clients > 0).then_some(clients)
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
    fn maxmemory_fits_the_address_space() {
        let space = |most_mib: Option<u64>| AddressSpace {
            startup_bytes: 400 << 20,
            most_bytes: most_mib.map(|most| most << 20),
        };
        assert_eq!(space(None).fit(5), 5);
        assert_eq!(space(None).fit(0), 0);
        assert_eq!(space(Some(856)).fit(100 << 20), 100 << 20);
        assert_eq!(space(Some(856)).fit(4 << 30), 180 << 20);
        assert_eq!(space(Some(856)).fit(0), 180 << 20);
        assert!(space(Some(856)).check().is_ok() && space(None).check().is_ok());
        assert!(space(Some(500)).check().is_err() && space(Some(1)).check().is_err());
        assert!(AddressSpace::of_process(1).startup_bytes > AddressSpace::THREAD_BYTES);
    }

    #[test]
    fn scripts_get_a_part_of_the_memory() {
        assert_eq!(scripts(0), 256 << 20);
        assert_eq!(scripts(1 << 20), 32 << 20);
        assert_eq!(scripts(1 << 30), 128 << 20);
        assert_eq!(scripts(1 << 40), 256 << 20);
    }

    #[test]
    fn clients_get_the_descriptors_that_the_daemon_can_spare() {
        assert_eq!(clients_of(RESERVED_FILES, 0), None);
        assert_eq!(clients_of(RESERVED_FILES + 10, 0), Some(10));
        assert_eq!(clients_of(RESERVED_FILES + 10, 3), Some(7));
        assert_eq!(clients_of(RESERVED_FILES + 10, 1000), Some(5));
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
