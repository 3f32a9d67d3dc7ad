//! The `Disk` seam: every file access of Thermocline goes through here, in one
//! of three forms: io_uring, plain POSIX calls on a few threads, and a
//! simulated disk with crashes and faults.
//!
//! Owns durability primitives (sync, durable replace, directory lock), aligned
//! memory and completion queues. Does not know what the bytes mean.
//! Invariants: names are relative to the data directory and never leave it, as no symbolic
//! link below it is followed; only regular files are opened; what is made is for its owner
//! only; only [`Disk::replace_durably`] and [`Disk::move_durably`] rename. Handles may be used from any
//! thread; a [`Queue`] belongs to one.
//!
//! Modules, lowest first: [`error`], [`buffer`] with `slab`, `transfer`, `names`, `system`,
//! `simulated` with `simulated_content` and `simulated_faults`, [`file`], `posix`, `registered`, `ring`, `simulated_queue`,
//! [`queue`].

pub mod buffer;
pub mod error;
pub mod file;
mod names;
mod posix;
pub mod queue;
mod registered;
mod ring;
pub mod simulated;
mod simulated_content;
mod simulated_faults;
mod simulated_queue;
mod slab;
mod system;
mod transfer;

use std::path::Path;
use std::time::Duration;
use thermocline_base::bugs::{Bug, is_planted};

pub use buffer::{ALIGNMENT_BYTES, AlignedBuffer};
pub use error::DiskError;
pub use file::File;
pub use queue::{Action, Completion, Operation, Queue};
pub use simulated::SimulatedDisk;
pub use simulated_faults::{FaultAction, FaultRepeat, Injury};
pub use system::SystemDisk;

use file::Form;
use queue::QueueForm;

/// Which form of queue the operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// io_uring where the kernel grants it, otherwise POSIX.
    #[default]
    Auto,
    /// io_uring or an error.
    IoUring,
    /// POSIX calls.
    Posix,
}

/// Which form of queue is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A ring shared with the kernel.
    IoUring,
    /// pread, pwrite and fdatasync on a few threads.
    Posix,
    /// In memory, for tests.
    Simulated,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    ReadWrite,
    /// A new file, to read and write; an existing one is an error. Its name is
    /// durable after [`Disk::sync_directory`].
    CreateNew,
}

/// The room on the file system of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes an unprivileged process can still write.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// The lock of a data directory, released when dropped or when the process ends.
#[derive(Debug)]
#[must_use = "dropping it releases the directory"]
pub struct DirectoryLock {
    _form: LockForm,
}

#[derive(Debug)]
enum LockForm {
    /// `None` where there was nothing to lock, for one who only reads.
    System(#[expect(dead_code, reason = "held for its drop")] Option<std::fs::File>),
    Simulated(#[expect(dead_code, reason = "held for its drop")] simulated::SimulatedLock),
}

/// A data directory; clones are cheap and share it.
#[derive(Clone, Debug)]
pub enum Disk {
    /// A directory of the operating system.
    System(SystemDisk),
    /// A disk in memory that can lose power.
    Simulated(SimulatedDisk),
}

impl Disk {
    /// Opens the data directory `root`, making it if missing, and settles the backend.
    ///
    /// # Errors
    /// [`DiskError::Io`] if the directory cannot be made;
    /// [`DiskError::RingUnavailable`] if io_uring is demanded and refused.
    pub fn open(root: &Path, choice: BackendChoice) -> Result<Self, DiskError> {
        SystemDisk::open(root, choice, true).map(Self::System)
    }

    /// As [`Disk::open`], but makes nothing: to read what is there, also where nothing can
    /// be written.
    ///
    /// # Errors
    /// As [`Disk::open`]; [`DiskError::Io`] if the directory is missing.
    pub fn open_existing(root: &Path, choice: BackendChoice) -> Result<Self, DiskError> {
        SystemDisk::open(root, choice, false).map(Self::System)
    }

    /// A disk in memory.
    #[must_use]
    pub fn simulated(disk: SimulatedDisk) -> Self {
        Self::Simulated(disk)
    }

    /// The backend in use and, for people, why.
    #[must_use]
    pub fn backend(&self) -> (Backend, String) {
        match self {
            Self::System(disk) => disk.backend(),
            Self::Simulated(disk) => (Backend::Simulated, disk.reason()),
        }
    }

    /// Opens a file. `direct` bypasses the page cache where the file system
    /// allows and is silently buffered elsewhere.
    ///
    /// # Errors
    /// [`DiskError::Io`] (missing, existing, refused), [`DiskError::InvalidName`].
    pub fn open_file(&self, name: &str, mode: OpenMode, direct: bool) -> Result<File, DiskError> {
        check_name(name)?;
        let form = match self {
            Self::System(disk) => disk.open_file(name, mode, direct).map(Form::System),
            Self::Simulated(disk) => disk.open_file(name, mode).map(Form::Simulated),
        };
        let form = form.map_err(|source| DiskError::io("open", name, source))?;
        Ok(File { form })
    }

    /// The names in a directory ("" is the root), sorted; a missing directory is empty.
    ///
    /// # Errors
    /// [`DiskError::Io`], [`DiskError::InvalidName`].
    pub fn list(&self, directory: &str) -> Result<Vec<String>, DiskError> {
        check_directory(directory)?;
        match self {
            Self::System(disk) => disk.list(directory),
            Self::Simulated(disk) => disk.list(directory),
        }
        .map_err(|source| DiskError::io("list", directory, source))
    }

    /// Makes a directory and its parents; an existing one is fine. Durable
    /// after [`Self::sync_directory`] of each parent.
    ///
    /// # Errors
    /// [`DiskError::Io`], [`DiskError::InvalidName`].
    pub fn create_directory(&self, name: &str) -> Result<(), DiskError> {
        check_name(name)?;
        match self {
            Self::System(disk) => disk.create_directory(name),
            Self::Simulated(disk) => disk.create_directory(name),
        }
        .map_err(|source| DiskError::io("create the directory", name, source))
    }

    /// Removes a file; open handles stay usable. Durable after [`Self::sync_directory`].
    ///
    /// # Errors
    /// [`DiskError::Io`] (also if missing), [`DiskError::InvalidName`].
    pub fn remove(&self, name: &str) -> Result<(), DiskError> {
        check_name(name)?;
        match self {
            Self::System(disk) => disk.remove(name),
            Self::Simulated(disk) => disk.remove(name),
        }
        .map_err(|source| DiskError::io("remove", name, source))
    }

    /// Gives the file `name` a second name: the same one below the root of `other`,
    /// where its directory must be. `false` where that cannot be: on another file
    /// system, on one without links, or on a simulated disk. Durable after
    /// [`Self::sync_directory`] of the other's directory.
    ///
    /// # Errors
    /// [`DiskError::Io`], [`DiskError::InvalidName`].
    pub fn link(&self, name: &str, other: &Self) -> Result<bool, DiskError> {
        check_name(name)?;
        match (self, other) {
            (Self::System(disk), Self::System(other)) => disk
                .link(name, other)
                .map_err(|source| DiskError::io("link", name, source)),
            _ => Ok(false),
        }
    }

    /// How many names the file has: another may be in use elsewhere.
    ///
    /// # Errors
    /// [`DiskError::Io`] (also if missing), [`DiskError::InvalidName`].
    pub fn link_count(&self, name: &str) -> Result<u64, DiskError> {
        check_name(name)?;
        match self {
            Self::System(disk) => disk
                .link_count(name)
                .map_err(|source| DiskError::io("ask the links of", name, source)),
            Self::Simulated(_) => Ok(1),
        }
    }

    /// On return every creation and removal in the directory is durable; "" is the root.
    ///
    /// # Errors
    /// [`DiskError::Io`], [`DiskError::InvalidName`].
    pub fn sync_directory(&self, name: &str) -> Result<(), DiskError> {
        check_directory(name)?;
        match self {
            Self::System(disk) => disk.sync_directory(name),
            Self::Simulated(disk) => disk.sync_directory(name),
        }
        .map_err(|source| DiskError::io("sync the directory", name, source))
    }

    /// Replaces (or makes) the file `name` with `bytes`. On return the new
    /// content is durable; after a crash the file is wholly old or wholly new.
    /// After an error it may be either. Uses `name` + ".tmp".
    ///
    /// # Errors
    /// [`DiskError::Io`], [`DiskError::InvalidName`].
    pub fn replace_durably(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        check_name(name)?;
        let temporary = format!("{name}.tmp");
        // 0. Remove what an earlier crash left behind. A crash here: the old
        //    file, and perhaps the leftover again.
        match self.remove(&temporary) {
            Err(error) if error.io_error_kind() != std::io::ErrorKind::NotFound => {
                return Err(error);
            }
            _ => {}
        }
        // 1. Write the temporary file. A crash here: the old file, and perhaps
        //    a torn leftover that nobody reads.
        let file = self.open_file(&temporary, OpenMode::CreateNew, false)?;
        file.write_all_at(0, bytes)?;
        // 2. DURABILITY: sync the bytes before the name points at them. A crash
        //    here: the old file and a whole leftover. Without this step the
        //    rename could survive and the bytes not.
        if !is_planted(Bug::SkippedReplaceSync) {
            file.sync_data()?;
        }
        // 3. Rename. A crash here: the old file or the new, both whole.
        match self {
            Self::System(disk) => disk.rename(&temporary, name),
            Self::Simulated(disk) => disk.rename(&temporary, name),
        }
        .map_err(|source| DiskError::io("rename onto", name, source))?;
        // 4. DURABILITY: sync the directory. A crash after this: the new file.
        if is_planted(Bug::SkippedDirectorySync) {
            return Ok(());
        }
        self.sync_directory(parent_of(name))
    }

    /// Moves what is at `from` to `to`, where nothing is; durable on return. After a crash it
    /// is at one of the two. Directories are moved too, but not on a simulated disk.
    ///
    /// # Errors
    /// [`DiskError::Io`] (also if `from` is missing), [`DiskError::InvalidName`].
    pub fn move_durably(&self, from: &str, to: &str) -> Result<(), DiskError> {
        check_name(from)?;
        check_name(to)?;
        match self {
            Self::System(disk) => disk.rename(from, to),
            Self::Simulated(disk) => disk.rename(from, to),
        }
        .map_err(|source| DiskError::io("rename onto", to, source))?;
        // DURABILITY: where it is now first: it is never at neither.
        self.sync_directory(parent_of(to))?;
        self.sync_directory(parent_of(from))
    }

    /// The whole content of a file of at most `limit_bytes` bytes.
    ///
    /// # Errors
    /// [`DiskError::TooLarge`], [`DiskError::Io`], [`DiskError::InvalidName`].
    pub fn read_whole(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, DiskError> {
        let file = self.open_file(name, OpenMode::Read, false)?;
        let size_bytes = file.size_bytes()?;
        let too_large = || DiskError::TooLarge {
            file: name.to_owned(),
            size_bytes,
            limit_bytes,
        };
        if size_bytes > limit_bytes {
            return Err(too_large());
        }
        let mut bytes = vec![0; usize::try_from(size_bytes).map_err(|_| too_large())?];
        let read = file.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Locks the data directory against other processes (and other opens in
    /// this one), retrying until `wait` has passed.
    ///
    /// # Errors
    /// [`DiskError::Locked`] if it stays taken, [`DiskError::Io`].
    pub fn lock_directory(&self, wait: Duration) -> Result<DirectoryLock, DiskError> {
        let form = match self {
            Self::System(disk) => LockForm::System(Some(disk.lock(wait)?)),
            Self::Simulated(disk) => LockForm::Simulated(disk.lock()?),
        };
        Ok(DirectoryLock { _form: form })
    }

    /// Locks the data directory against those who write, beside others who only read, and
    /// writes nothing itself: where no file is there to be locked, nobody has ever locked
    /// the directory, and this does not keep others from it.
    ///
    /// # Errors
    /// As [`Disk::lock_directory`].
    pub fn lock_to_read(&self, wait: Duration) -> Result<DirectoryLock, DiskError> {
        let form = match self {
            Self::System(disk) => LockForm::System(disk.lock_to_read(wait)?),
            Self::Simulated(disk) => LockForm::Simulated(disk.lock()?),
        };
        Ok(DirectoryLock { _form: form })
    }

    /// Whether the directory `path` of the operating system is the data directory or below
    /// it, or would be if it were made.
    ///
    /// # Errors
    /// [`DiskError::Io`] if that cannot be told.
    pub fn contains(&self, path: &Path) -> Result<bool, DiskError> {
        match self {
            Self::System(disk) => disk
                .contains(path)
                .map_err(|source| DiskError::io("find", &path.to_string_lossy(), source)),
            Self::Simulated(_) => Ok(false),
        }
    }

    /// The room on the file system.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn space(&self) -> Result<Space, DiskError> {
        match self {
            Self::System(disk) => disk.space(),
            Self::Simulated(disk) => disk.space(),
        }
        .map_err(|source| DiskError::io("ask the space of", "", source))
    }

    /// A queue for one thread, whichever first uses it, with room for `depth`
    /// operations (1 to 4,096).
    ///
    /// # Errors
    /// [`DiskError::Io`] if the kernel has no room for a ring, an eventfd or threads.
    pub fn queue(&self, depth: usize) -> Result<Queue, DiskError> {
        let depth = depth.clamp(1, 4096);
        let form = match self {
            Self::System(disk) => match disk.backend().0 {
                Backend::IoUring => ring::RingQueue::new(depth).map(QueueForm::Ring),
                _ => posix::PosixQueue::new(depth).map(QueueForm::Posix),
            },
            Self::Simulated(disk) => Ok(QueueForm::Simulated(
                simulated_queue::SimulatedQueue::new(disk.clone(), depth),
            )),
        };
        let form = form.map_err(|source| DiskError::io("open a queue on", "", source))?;
        Ok(Queue { form })
    }
}

/// The directory part of a name; "" is the root.
pub(crate) fn parent_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn check_directory(name: &str) -> Result<(), DiskError> {
    if name.is_empty() {
        return Ok(());
    }
    check_name(name)
}

fn check_name(name: &str) -> Result<(), DiskError> {
    let inside = name
        .split('/')
        .all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains('\0'));
    if inside {
        Ok(())
    } else {
        Err(DiskError::InvalidName {
            name: name.to_owned(),
        })
    }
}
