//! A file system that passes everything on to a folder, and fails on demand.
//!
//! Owns the mount, and which calls fail now. Does not own what the calls do: that
//! is `shown`. The task says what fails; threads of the FUSE library meet it.

use super::shown::Shown;
use crate::bench::BenchError;
use crate::step::{self, StepError};
use fuser::{BackgroundSession, Config};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calls(u8);

impl Calls {
    pub(super) const WRITE: u8 = 1;
    pub(super) const SYNC: u8 = 2;
    pub(super) const GROW: u8 = 4;
    pub(super) const NAME: u8 = 8;
    /// Writes, and whatever makes a file longer.
    pub(super) const WRITES: Self = Self(Self::WRITE | Self::GROW);
    /// Syncs of files and directories.
    pub(super) const SYNCS: Self = Self(Self::SYNC);
    /// Allocations, writes behind the end, and new files.
    pub(super) const GROWTH: Self = Self(Self::GROW);
    /// All of these, and changes of names.
    pub(super) const ALL: Self = Self(Self::WRITE | Self::SYNC | Self::GROW | Self::NAME);
}

/// What fails now.
#[derive(Default)]
pub(super) struct Faults {
    /// The error above, the calls in the lowest byte; 0 for none.
    now: AtomicI32,
    met: AtomicU64,
}

impl Faults {
    /// These calls fail with this error from now on.
    pub(super) fn set(&self, errno: i32, calls: Calls) {
        self.met.store(0, Ordering::SeqCst);
        self.now
            .store(errno << 8 | i32::from(calls.0), Ordering::SeqCst);
    }

    /// Nothing fails any more; how many calls did.
    pub(super) fn clear(&self) -> u64 {
        self.now.store(0, Ordering::SeqCst);
        self.met.load(Ordering::SeqCst)
    }

    /// An error if one of these calls fails now.
    ///
    /// # Errors
    /// The one that was set.
    pub(super) fn meet(&self, calls: u8) -> io::Result<()> {
        let now = self.now.load(Ordering::SeqCst);
        if now & i32::from(calls) == 0 {
            return Ok(());
        }
        self.met.fetch_add(1, Ordering::SeqCst);
        Err(io::Error::from_raw_os_error(now >> 8))
    }
}

/// See the module; unmounted when dropped.
pub(super) struct FaultyMount {
    faults: Arc<Faults>,
    at: PathBuf,
    _session: BackgroundSession,
}

impl Drop for FaultyMount {
    fn drop(&mut self) {
        // The library leaves it mounted. Lazily: a server of a run that failed may
        // still be ending.
        let _ = step::output(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

impl FaultyMount {
    /// Shows the folder `behind` at `at`; both are made.
    pub(super) fn new(behind: &Path, at: &Path) -> Result<Self, BenchError> {
        fs::create_dir_all(behind)?;
        fs::create_dir_all(at)?;
        let faults = Arc::new(Faults::default());
        let shown = Shown::new(behind, Arc::clone(&faults));
        let mut config = Config::default();
        config.n_threads = Some(4);
        let session = fuser::spawn_mount(shown, at, &config).map_err(|error| {
            StepError::Missing(format!(
                "faulty-disk mounts a FUSE file system, and cannot here: {error}"
            ))
        })?;
        Ok(Self {
            faults,
            at: at.to_owned(),
            _session: session,
        })
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }
}
