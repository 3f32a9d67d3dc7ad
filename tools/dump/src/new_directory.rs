//! A data directory that comes to be only if all ends well.
//!
//! Owns where it is built: in a folder of its own inside the directory that is asked for,
//! since that may be where a device is mounted, and no other place on that device is known.
//! At the end all is moved up, the manifest last: without one no daemon starts on it.
//!
//! 1. The directory is made and locked, what an earlier run left is removed. A kill from here
//!    on leaves the folder, which the next run removes.
//! 2. Everything is written into the folder and made durable.
//! 3. All but the manifest is moved up. A kill here leaves a directory that nothing takes for
//!    whole: the next run says what to remove.
//! 4. The manifest is moved up. A kill from here on leaves the whole directory, and an empty
//!    folder in it, which does no harm.

use crate::failure::Failure;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thermocline_disk::{BackendChoice, DirectoryLock, Disk, DiskError};
use thermocline_store::manifest;

/// The folder in which it is built.
pub(crate) const UNFINISHED: &str = "unfinished";
/// The file that keeps others out, in the directory and in the folder.
pub(crate) const LOCK: &str = "LOCK";
/// How long another run may take to end.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// A directory that is being built; dropped before it is finished nothing of it stays.
pub(crate) struct NewDirectory {
    directory: PathBuf,
    disk: Disk,
    /// Whether the directory itself was not there.
    is_made: bool,
    /// Whether what keeps others out was not there.
    is_lock_made: bool,
    is_finished: bool,
    _lock: DirectoryLock,
}

impl NewDirectory {
    /// Makes and locks the directory, which is empty but for what an earlier run left.
    pub(crate) fn begin(directory: &Path) -> Result<Self, Failure> {
        let is_made = !directory.exists();
        let is_lock_made = directory.join(LOCK).symlink_metadata().is_err();
        let disk = Disk::open(directory, BackendChoice::Posix)?;
        let lock = disk.lock_directory(LOCK_WAIT)?;
        // Whoever had it before may have filled it meanwhile.
        let names = disk.list("")?;
        if names.iter().any(|name| name != LOCK && name != UNFINISHED) {
            return Err(Failure::NotNew(directory.to_owned()));
        }
        let new = Self {
            directory: directory.to_owned(),
            disk,
            is_made,
            is_lock_made,
            is_finished: false,
            _lock: lock,
        };
        if new.path().symlink_metadata().is_ok() {
            std::fs::remove_dir_all(new.path()).map_err(|error| new.failed(error))?;
        }
        Ok(new)
    }

    /// Where it is to be written.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(UNFINISHED)
    }

    /// Moves all up; on return it is durable. Nothing has the folder open any more.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let moved_up = |name: &str| -> Result<(), DiskError> {
            self.disk
                .move_durably(&format!("{UNFINISHED}/{name}"), name)
        };
        for name in self.disk.list(UNFINISHED)? {
            if name != manifest::FILE_NAME && name != LOCK {
                moved_up(&name)?;
            }
        }
        moved_up(manifest::FILE_NAME)?;
        self.is_finished = true;
        std::fs::remove_dir_all(self.path()).map_err(|error| self.failed(error))?;
        let above = self.directory.canonicalize().map(|directory| {
            let above = directory.parent().map(Path::to_owned);
            above.unwrap_or(directory)
        });
        above
            .and_then(|above| File::open(above)?.sync_all())
            .map_err(|error| self.failed(error))
    }

    fn failed(&self, source: std::io::Error) -> Failure {
        Failure::File {
            path: self.path(),
            source,
        }
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        // Why all is taken back is told by whoever does it. What cannot be removed now the
        // next run removes.
        let _ = std::fs::remove_dir_all(self.path());
        if self.is_lock_made {
            let _ = self.disk.remove(LOCK);
        }
        if self.is_made {
            let _ = std::fs::remove_dir(&self.directory);
        }
    }
}
