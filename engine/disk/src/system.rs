//! The disk of the operating system. Owns the path of the data directory, the
//! settled backend and the system calls; `names` reaches the files, and it knows no queue.
//! Invariant: interrupted and short transfers are resumed here. Any thread; the calls block.

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, FlockOperation, OFlags};
use rustix::io::Errno;

use crate::error::DiskError;
use crate::names::Names;
use crate::{Backend, BackendChoice, OpenMode, Space, ring, transfer};

const LOCK_FILE: &str = "LOCK";
/// The number of the next opened file.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// A data directory of the operating system; see [`crate::Disk`].
#[derive(Clone, Debug)]
pub struct SystemDisk {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// As it was given, for people.
    root: PathBuf,
    names: Names,
    backend: Backend,
    reason: String,
}

impl SystemDisk {
    /// Opens the directory, where `make` says so after making it.
    pub(crate) fn open(root: &Path, choice: BackendChoice, make: bool) -> Result<Self, DiskError> {
        let action = if make { "create" } else { "open" };
        let names = Names::open(root, make)
            .map_err(|source| DiskError::io(action, &root.to_string_lossy(), source))?;
        let (backend, reason) = match choice {
            BackendChoice::Posix => (Backend::Posix, "chosen by the configuration".to_owned()),
            BackendChoice::IoUring => match ring::probe() {
                Ok(()) => (Backend::IoUring, "chosen by the configuration".to_owned()),
                Err(reason) => return Err(DiskError::RingUnavailable { reason }),
            },
            BackendChoice::Auto => match ring::probe() {
                Ok(()) => (Backend::IoUring, "the kernel offers io_uring".to_owned()),
                Err(reason) => (
                    Backend::Posix,
                    format!("io_uring is not available: {reason}"),
                ),
            },
        };
        Ok(Self {
            shared: Arc::new(Shared {
                root: root.to_owned(),
                names,
                backend,
                reason,
            }),
        })
    }

    pub(crate) fn backend(&self) -> (Backend, String) {
        (self.shared.backend, self.shared.reason.clone())
    }

    pub(crate) fn open_file(
        &self,
        name: &str,
        mode: OpenMode,
        direct: bool,
    ) -> io::Result<Arc<SystemFile>> {
        let flags = match mode {
            OpenMode::Read => OFlags::RDONLY,
            OpenMode::ReadWrite => OFlags::RDWR,
            OpenMode::CreateNew => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        let handle = self.shared.names.open_file(name, flags)?;
        // Set afterwards, not at the open: a refused open may already have
        // created the file. tmpfs of older kernels refuses it.
        let direct = direct
            && rustix::fs::fcntl_getfl(&handle)
                .and_then(|flags| rustix::fs::fcntl_setfl(&handle, flags | OFlags::DIRECT))
                .is_ok();
        Ok(Arc::new(SystemFile {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            name: name.to_owned(),
            handle,
            direct,
        }))
    }

    pub(crate) fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let mut names = match self.shared.names.list(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names?,
        };
        names.sort_unstable();
        Ok(names)
    }

    pub(crate) fn create_directory(&self, name: &str) -> io::Result<()> {
        self.shared.names.create_directory(name)
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        self.shared.names.remove(name)
    }

    pub(crate) fn link(&self, name: &str, other: &Self) -> io::Result<bool> {
        match self.shared.names.link(name, &other.shared.names) {
            Ok(()) => Ok(true),
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::XDEV | Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP) => Ok(false),
                _ => Err(error),
            },
        }
    }

    pub(crate) fn link_count(&self, name: &str) -> io::Result<u64> {
        self.shared.names.link_count(name)
    }

    pub(crate) fn sync_directory(&self, name: &str) -> io::Result<()> {
        self.shared.names.sync_directory(name)
    }

    /// The step of `replace_durably` and `move_durably`.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.shared.names.rename(from, to)
    }

    /// Whether the directory of the operating system `path`, or the one that it would be
    /// made in, is this one or below it.
    pub(crate) fn contains(&self, path: &Path) -> io::Result<bool> {
        let existing = path.ancestors().find(|part| part.exists());
        let root = rustix::fs::fstat(self.shared.names.root())?;
        for part in fs::canonicalize(existing.unwrap_or(path))?.ancestors() {
            // By identity: a directory may be mounted at two places.
            let found = fs::metadata(part)?;
            if (found.dev(), found.ino()) == (root.st_dev, root.st_ino) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Locks for one who writes.
    pub(crate) fn lock(&self, wait: Duration) -> Result<fs::File, DiskError> {
        let flags = OFlags::RDWR | OFlags::CREATE;
        let opened = self.shared.names.open_file(LOCK_FILE, flags);
        let file = opened.map_err(|source| DiskError::io("open", LOCK_FILE, source))?;
        self.wait_for(&file, FlockOperation::NonBlockingLockExclusive, wait)?;
        Ok(file)
    }

    /// Locks for one who only reads, and writes nothing: where there is no file to lock, no
    /// daemon has ever run.
    pub(crate) fn lock_to_read(&self, wait: Duration) -> Result<Option<fs::File>, DiskError> {
        match self.shared.names.open_file(LOCK_FILE, OFlags::RDONLY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DiskError::io("open", LOCK_FILE, error)),
            Ok(file) => {
                self.wait_for(&file, FlockOperation::NonBlockingLockShared, wait)?;
                Ok(Some(file))
            }
        }
    }

    fn wait_for(
        &self,
        file: &fs::File,
        operation: FlockOperation,
        wait: Duration,
    ) -> Result<(), DiskError> {
        let start = Instant::now();
        loop {
            match rustix::fs::flock(file, operation) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => {
                    let Some(left) = wait.checked_sub(start.elapsed()) else {
                        let path = self.shared.root.join(LOCK_FILE);
                        return Err(DiskError::Locked {
                            path: path.to_string_lossy().into_owned(),
                        });
                    };
                    std::thread::park_timeout(left.min(LOCK_RETRY));
                }
                Err(error) => return Err(DiskError::io("lock", LOCK_FILE, error)),
            }
        }
    }

    pub(crate) fn space(&self) -> io::Result<Space> {
        let found = rustix::fs::fstatvfs(self.shared.names.root())?;
        Ok(Space {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

/// An open file of the operating system.
#[derive(Debug)]
pub(crate) struct SystemFile {
    /// Of this opening; no other has it.
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) handle: fs::File,
    pub(crate) direct: bool,
}

impl SystemFile {
    pub(crate) fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.handle.metadata()?.len())
    }

    pub(crate) fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        loop {
            match rustix::fs::fallocate(&self.handle, FallocateFlags::empty(), offset, len) {
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP) => {
                    let end = offset.saturating_add(len);
                    if self.size_bytes()? < end {
                        self.handle.set_len(end)?;
                    }
                    return Ok(());
                }
                result => return Ok(result?),
            }
        }
    }

    pub(crate) fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::io::retry_on_intr(|| rustix::fs::fallocate(&self.handle, flags, offset, len))?;
        Ok(())
    }

    pub(crate) fn truncate(&self, len: u64) -> io::Result<()> {
        self.handle.set_len(len)
    }

    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let read = |left: &mut [u8], done| self.handle.read_at(left, offset.saturating_add(done));
        transfer::read_full(bytes, read, |done| self.read_ended(done))
    }

    /// Whether a short read of `done` bytes in all shows the end of the file:
    /// a direct transfer stops off a sector boundary nowhere else, and resuming
    /// it there would be refused as unaligned.
    pub(crate) fn read_ended(&self, done: usize) -> bool {
        self.direct && !done.is_multiple_of(512)
    }

    pub(crate) fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let write = |left: &[u8], done| self.handle.write_at(left, offset.saturating_add(done));
        transfer::write_full(bytes, write)
    }

    pub(crate) fn sync_data(&self) -> io::Result<()> {
        self.handle.sync_data()
    }
}
