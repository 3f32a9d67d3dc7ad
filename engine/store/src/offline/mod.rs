//! A data directory that no daemon holds, read without changing it.
//!
//! Owns the order of reading: the lock, the manifest, the image's directory,
//! the log's tail; then [`keys`] walks the keys and [`segments`] the tier.
//! Follows the rules of recovery (`crate::recovery`, `crate::resolve`), but
//! goes on after damage wherever what follows can still be told apart, and
//! says of each piece of damage where it is. Does not repair; what a repair reads beyond
//! that is [`Offline::open_to_salvage`]'s. One thread.
//!
//! INVARIANT: a key that is yielded is whole: if any part of what makes it up
//! is damaged, the damage is told and the key is not yielded.
//! INVARIANT: memory is bounded by the log's tail, a batch of slots and the
//! largest value; no length from a file is believed.

pub mod keys;
mod pages;
mod resolver;
mod salvage;
mod scavenge;
pub mod segments;
mod tail;

pub use keys::{KeyVisitor, OfflineKey};
pub use salvage::ManifestSource;
pub use segments::SegmentCensus;
pub use tail::{LogSummary, Tail};

use crate::image::{self, Directory};
use crate::manifest::{self, Manifest};
use crate::recovery::{self, LOG_DIRECTORY};
use crate::store::StoreError;
use crate::tier::{Corruption, FormatError, volume};
use std::time::Duration;
use thermocline_base::{Lsn, UnixMillis};
use thermocline_disk::{DirectoryLock, Disk, DiskError, OpenMode};
use thermocline_wal::WalError;

/// How long to wait for a daemon that has just been stopped: its ring holds the
/// lock for a moment longer.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Which moment of the data is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// When the log ended here, where a frame ends.
    Position(Lsn),
    /// Nothing that was written later than this counts, and at most a moment before it
    /// is missing: the log tells the time often, not always.
    Time(UnixMillis),
}

/// A locked data directory and what its manifest leads to.
pub struct Offline {
    disk: Disk,
    manifest: Manifest,
    /// `None` if it is damaged.
    directory: Option<Directory>,
    /// Whether the manifest was made up from a scan.
    is_scanned: bool,
    _lock: DirectoryLock,
}

impl Offline {
    /// Locks the directory and reads all but the keys; `None` if it holds no
    /// data, and then it was not touched. What is damaged is told to `damage`.
    ///
    /// # Errors
    /// A directory in use, what the disk refuses, and a manifest that is
    /// damaged or of a later version: without it nothing else can be told.
    pub fn open(
        disk: &Disk,
        damage: &mut dyn FnMut(Corruption),
    ) -> Result<Option<(Self, Tail)>, StoreError> {
        Self::open_at(disk, disk, None, damage)
    }

    /// As [`Offline::open`], but as the data was at the moment `until`,
    /// without it at the end of the log. The log is that of `log`, another disk if `disk` is a
    /// backup whose daemon went on: it is not locked.
    ///
    /// # Errors
    /// As [`Offline::open`]; [`StoreError::NotThen`] or [`StoreError::NotAtTime`] if the
    /// image is newer than `until`, or the log ends before it.
    pub fn open_at(
        disk: &Disk,
        log: &Disk,
        until: Option<Moment>,
        damage: &mut dyn FnMut(Corruption),
    ) -> Result<Option<(Self, Tail)>, StoreError> {
        if !Self::holds_data(disk)? {
            return Ok(None);
        }
        let lock = disk.lock_to_read(LOCK_WAIT)?;
        let Some(manifest) = recovery::read_manifest(disk)? else {
            return Ok(None);
        };
        let directory = match recovery::read_image_directory(disk, &manifest) {
            Ok(directory) => Some(directory),
            Err(error) => {
                let name = manifest.image.map(|image| image::file_name(image.number));
                damage(damage_of(error, &name.unwrap_or_default())?);
                None
            }
        };
        let until = match until {
            None => None,
            Some(Moment::Position(until)) => Some(until),
            Some(Moment::Time(at)) => Some(tail::position_at(log, &manifest, at)?),
        };
        if let Some(until) = until
            && until < manifest.end_lsn
        {
            // The range told is all that can be asked for: to where the log goes on. What is
            // damaged in it is not what was asked.
            let first = manifest.end_lsn;
            let whole = Tail::read(log, &manifest, None, &mut |_| {})?;
            let last = whole.summary().end_lsn.max(first);
            return Err(StoreError::NotThen { until, first, last });
        }
        let tail = Tail::read(log, &manifest, until, damage)?;
        let offline = Self {
            disk: disk.clone(),
            manifest,
            directory,
            is_scanned: false,
            _lock: lock,
        };
        Ok(Some((offline, tail)))
    }

    /// Whether anything of a data directory is there.
    fn holds_data(disk: &Disk) -> Result<bool, StoreError> {
        let ours = [
            manifest::FILE_NAME,
            manifest::COPY_NAME,
            LOG_DIRECTORY,
            image::DIRECTORY_NAME,
            volume::DIRECTORY,
        ];
        let names = disk.list("")?;
        Ok(names.iter().any(|name| ours.contains(&name.as_str())))
    }

    /// The damage of the manifest's copy, which only who salvages needs: without one, as in
    /// directories of before, there is none.
    #[must_use]
    pub fn copy_damage(&self) -> Option<Corruption> {
        let error = salvage::copied_manifest(&self.disk).err()?;
        damage_of(error, manifest::COPY_NAME).ok()
    }

    /// The manifest.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The directory of the image, empty if there is no image yet; `None` if it
    /// is damaged.
    #[must_use]
    pub const fn image_directory(&self) -> Option<&Directory> {
        self.directory.as_ref()
    }

    /// The sizes of the image files that are there, by name: those that the
    /// image's pieces stand in, and any left behind by a checkpoint that did
    /// not end.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn image_files(&self) -> Result<Vec<(String, u64)>, DiskError> {
        self.files(image::DIRECTORY_NAME)
    }

    /// The sizes of the segment files of the tier that are there, by name.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn segment_files(&self) -> Result<Vec<(String, u64)>, DiskError> {
        self.files(volume::DIRECTORY)
    }

    fn files(&self, directory: &str) -> Result<Vec<(String, u64)>, DiskError> {
        let names = self.disk.list(directory)?;
        let sized = |name: String| {
            let name = format!("{directory}/{name}");
            let file = self.disk.open_file(&name, OpenMode::Read, false)?;
            Ok((name, file.size_bytes()?))
        };
        names.into_iter().map(sized).collect()
    }
}

/// The damage that `error`, met while `file` was read, stands for.
///
/// # Errors
/// An error that is none, such as a later version of a format.
fn damage_of(error: StoreError, file: &str) -> Result<Corruption, StoreError> {
    match error {
        StoreError::Format(FormatError::Corruption(corruption)) => Ok(corruption),
        StoreError::Log(WalError::Corruption {
            file,
            offset,
            fault,
            ..
        }) => Ok(Corruption {
            file,
            offset,
            expected: format!("{} {}", fault.field, fault.expected),
            found: fault.found.to_string(),
        }),
        StoreError::Log(WalError::Missing { directory, from }) => Ok(Corruption {
            file: directory,
            offset: 0,
            expected: format!("a segment that holds the log's position {from}"),
            found: "none".to_owned(),
        }),
        StoreError::Disk(error) | StoreError::Log(WalError::Disk(error)) => {
            Ok(unreadable(&error, file))
        }
        other => Err(other),
    }
}

/// The damage that a file is missing or cannot be read.
fn unreadable(error: &DiskError, file: &str) -> Corruption {
    Corruption {
        file: file.to_owned(),
        offset: 0,
        expected: "a file that can be read".to_owned(),
        found: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
