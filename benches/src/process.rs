//! What a process has used, read from `/proc`.
//!
//! Owns the parsing of those files and the thread that watches the resident
//! memory of a process. Does not own the process.

use std::fs;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often resident memory is read.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// What a process has used since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time, ended children (a forked rewrite) included; the
    /// kernel counts it in steps of 10 ms.
    pub cpu: Duration,
    /// Bytes it made the devices read.
    pub read_bytes: u64,
    /// Bytes it made the devices write.
    pub written_bytes: u64,
}

impl Usage {
    /// What process `pid` has used until now.
    ///
    /// # Errors
    /// It does not exist or belongs to somebody else.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
        let ticks = cpu_ticks(&stat).ok_or_else(|| unreadable("stat"))?;
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
        Ok(Self {
            cpu: Duration::from_nanos(ticks * tick_ns),
            read_bytes: field(&io, "read_bytes:").ok_or_else(|| unreadable("io"))?,
            written_bytes: field(&io, "write_bytes:").ok_or_else(|| unreadable("io"))?,
        })
    }

    /// What was used since `earlier`.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            read_bytes: self.read_bytes.saturating_sub(earlier.read_bytes),
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
        }
    }
}

fn unreadable(file: &str) -> io::Error {
    io::Error::other(format!("/proc/PID/{file} has another form than proc(5)"))
}

/// Fields 14 to 17 of proc(5): own and waited-for children's time.
fn cpu_ticks(stat: &str) -> Option<u64> {
    // The name of the program stands in brackets and may hold anything.
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    (0..4)
        .map(|_| fields.next().and_then(|field| field.parse::<u64>().ok()))
        .sum()
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

/// The resident memory of process `pid`.
///
/// # Errors
/// As [`Usage::of`].
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| unreadable("statm"))?;
    Ok(pages * rustix::param::page_size() as u64)
}

/// A thread that reads a process's resident memory every 100 ms and keeps the
/// greatest.
pub struct ResidentWatch {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<u64>,
}

impl ResidentWatch {
    /// Begins to watch process `pid`.
    #[must_use]
    pub fn start(pid: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut greatest = 0;
            loop {
                let Ok(bytes) = resident_bytes(pid) else {
                    return greatest; // it has ended
                };
                greatest = greatest.max(bytes);
                if stopped.recv_timeout(SAMPLE_EVERY) != Err(RecvTimeoutError::Timeout) {
                    return greatest;
                }
            }
        });
        Self { stop, thread }
    }

    /// Stops and gives the greatest number of bytes seen.
    #[must_use]
    pub fn finish(self) -> u64 {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_found_behind_any_program_name() {
        let stat = "7 (a ) S 1 (b) R 1 7 7 0 -1 4194560 1 2 3 4 100 20 3 1 20 0 1 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(124));
        assert_eq!(cpu_ticks("7 (a) R 1"), None);
    }

    #[test]
    fn this_process_can_be_measured() {
        let pid = std::process::id();
        let watch = ResidentWatch::start(pid);
        assert!(Usage::of(pid).is_ok());
        assert!(watch.finish() > 1 << 20);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(Usage::of(u32::MAX).is_err());
        assert_eq!(ResidentWatch::start(u32::MAX).finish(), 0);
    }
}
