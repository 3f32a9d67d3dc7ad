//! The disk of the operating system. Owns the path of the data directory, the
//! settled backend and the system calls; knows no queue. Invariant: interrupted
//! and short transfers are resumed here. Any thread; the calls block.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, FlockOperation, OFlags};
use rustix::io::Errno;

use crate::error::DiskError;
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
    root: PathBuf,
    backend: Backend,
    reason: String,
}

impl SystemDisk {
    pub(crate) fn open(root: &Path, choice: BackendChoice) -> Result<Self, DiskError> {
        fs::create_dir_all(root)
            .map_err(|source| DiskError::io("create", &root.to_string_lossy(), source))?;
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
                backend,
                reason,
            }),
        })
    }

    pub(crate) fn backend(&self) -> (Backend, String) {
        (self.shared.backend, self.shared.reason.clone())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.shared.root.join(name)
    }

    pub(crate) fn open_file(
        &self,
        name: &str,
        mode: OpenMode,
        direct: bool,
    ) -> io::Result<Arc<SystemFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::ReadWrite => {
                options.write(true);
            }
            OpenMode::CreateNew => {
                options.write(true).create_new(true);
            }
        }
        let path = self.path(name);
        let handle = options.open(&path)?;
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
        let entries = match fs::read_dir(self.path(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(crate) fn create_directory(&self, name: &str) -> io::Result<()> {
        fs::create_dir_all(self.path(name))
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    pub(crate) fn link(&self, name: &str, other: &Self) -> io::Result<bool> {
        match fs::hard_link(self.path(name), other.path(name)) {
            Ok(()) => Ok(true),
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::XDEV | Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP) => Ok(false),
                _ => Err(error),
            },
        }
    }

    pub(crate) fn link_count(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path(name))?.nlink())
    }

    pub(crate) fn sync_directory(&self, name: &str) -> io::Result<()> {
        fs::File::open(self.path(name))?.sync_all()
    }

    #[expect(clippy::disallowed_methods, reason = "the step of replace_durably")]
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    pub(crate) fn lock(&self, wait: Duration) -> Result<fs::File, DiskError> {
        let path = self.path(LOCK_FILE);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(&path)
            .map_err(|source| DiskError::io("open", LOCK_FILE, source))?;
        let start = Instant::now();
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => {
                    let Some(left) = wait.checked_sub(start.elapsed()) else {
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
        let found = rustix::fs::statvfs(&self.shared.root)?;
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
