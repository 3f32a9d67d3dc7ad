//! An open file and its blocking calls. Owns the handle (shared by clones, so
//! an operation in flight keeps it open); does not own what bytes mean.
//! Invariant: reads and writes resume short transfers. Any thread; they block.

use std::io;
use std::sync::Arc;

use crate::error::DiskError;
use crate::simulated::SimulatedFile;
use crate::system::SystemFile;

/// An open file; clones share the handle, which closes with the last one.
#[derive(Clone, Debug)]
pub struct File {
    pub(crate) form: Form,
}

#[derive(Clone, Debug)]
pub(crate) enum Form {
    System(Arc<SystemFile>),
    Simulated(SimulatedFile),
}

impl File {
    /// The name relative to the data directory.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.form {
            Form::System(file) => &file.name,
            Form::Simulated(file) => file.name(),
        }
    }

    /// The size in bytes. Fails with [`DiskError::Io`], as all calls here do.
    pub fn size_bytes(&self) -> Result<u64, DiskError> {
        let result = match &self.form {
            Form::System(file) => file.size_bytes(),
            Form::Simulated(file) => file.size_bytes(),
        };
        self.named("size", result)
    }

    /// Makes `[offset, offset + len)` bytes part of the file, growing it with
    /// zeros. Where the file system cannot reserve, it only grows. Not durable
    /// before [`Self::sync_data`].
    pub fn allocate(&self, offset: u64, len: u64) -> Result<(), DiskError> {
        let result = match &self.form {
            Form::System(file) => file.allocate(offset, len),
            Form::Simulated(file) => file.allocate(offset, len),
        };
        self.named("allocate", result)
    }

    /// Gives the space of `[offset, offset + len)` bytes back: they read as
    /// zeros, the size stays. Fails with `Unsupported` where the file system cannot.
    pub fn punch_hole(&self, offset: u64, len: u64) -> Result<(), DiskError> {
        let result = match &self.form {
            Form::System(file) => file.punch_hole(offset, len),
            Form::Simulated(file) => file.punch_hole(offset, len),
        };
        self.named("punch a hole in", result)
    }

    /// Sets the size to `len` bytes, cutting or growing with zeros. Not
    /// durable before [`Self::sync_data`].
    pub fn truncate(&self, len: u64) -> Result<(), DiskError> {
        let result = match &self.form {
            Form::System(file) => file.truncate(len),
            Form::Simulated(file) => file.truncate(len),
        };
        self.named("truncate", result)
    }

    /// Reads into `bytes` from `offset`; the count is short only at the end of
    /// the file. A direct file needs 4 KiB-aligned offset, length and memory.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, DiskError> {
        self.named("read", self.raw_read(offset, bytes))
    }

    /// Writes all of `bytes` at `offset`; not durable before
    /// [`Self::sync_data`]. A direct file needs 4 KiB alignment as in [`Self::read_at`].
    pub fn write_all_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.named("write", self.raw_write(offset, bytes))
    }

    /// On return every completed write of this file, and its size, is durable.
    /// After a failure the unsynced writes may be lost even if a later sync
    /// succeeds: write them again.
    pub fn sync_data(&self) -> Result<(), DiskError> {
        self.named("sync", self.raw_sync())
    }

    pub(crate) fn raw_read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        match &self.form {
            Form::System(file) => file.read_at(offset, bytes),
            Form::Simulated(file) => file.read_at(offset, bytes),
        }
    }

    pub(crate) fn raw_write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match &self.form {
            Form::System(file) => file.write_all_at(offset, bytes),
            Form::Simulated(file) => file.write_all_at(offset, bytes),
        }
    }

    pub(crate) fn raw_sync(&self) -> io::Result<()> {
        match &self.form {
            Form::System(file) => file.sync_data(),
            Form::Simulated(file) => file.sync_data(),
        }
    }

    fn named<T>(&self, action: &'static str, result: io::Result<T>) -> Result<T, DiskError> {
        result.map_err(|source| DiskError::io(action, self.name(), source))
    }
}
