//! Room for the next image on a device that is full.
//!
//! Owns one file that holds nothing but its blocks. A checkpoint that finds too
//! little room for its image gives them up, and with what the checkpoint
//! retires they are taken again. Only room is at stake: no error here ends
//! anything, and no start depends on the file. The keeper's thread.

use super::Keeper;
use std::io::ErrorKind;
use thermocline_disk::{DiskError, OpenMode};

/// Relative to the data directory.
const FILE_NAME: &str = "ballast";
/// What an image of few keys, its directory and a manifest take at most.
const LEAST_BYTES: u64 = 1 << 20;

impl Keeper {
    /// What an image of all pieces takes, and half as much again for the keys
    /// that came since.
    fn ballast_bytes(&self) -> u64 {
        let pieces = self.directory.pieces_bytes();
        LEAST_BYTES + pieces / 2 * 3
    }

    /// Makes room for an image, if there is too little.
    pub(super) fn release_ballast(&self) {
        let disk = &self.store.disk;
        let free_bytes = disk.space().map_or(0, |space| space.free_bytes);
        if free_bytes >= self.ballast_bytes() {
            return;
        }
        match disk.remove(FILE_NAME) {
            Err(error) if error.io_error_kind() != ErrorKind::NotFound => {
                tracing::warn!(%error, "the ballast stays");
            }
            _ => {}
        }
    }

    /// Takes the room again, as soon as there is enough.
    pub(super) fn keep_ballast(&self) {
        if let Err(error) = self.try_keep_ballast() {
            tracing::debug!(%error, "no room is held for the next image");
        }
    }

    fn try_keep_ballast(&self) -> Result<(), DiskError> {
        let disk = &self.store.disk;
        let wanted_bytes = self.ballast_bytes();
        let file = match disk.open_file(FILE_NAME, OpenMode::ReadWrite, false) {
            Err(error) if error.io_error_kind() == ErrorKind::NotFound => {
                disk.open_file(FILE_NAME, OpenMode::CreateNew, false)?
            }
            opened => opened?,
        };
        if file.size_bytes()? < wanted_bytes {
            file.allocate(0, wanted_bytes)?;
        }
        Ok(())
    }
}
