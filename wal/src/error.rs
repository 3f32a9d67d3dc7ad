//! The one error enum of the crate. Pure.

use crate::frame::Fault;
use thermocline_base::Lsn;
use thermocline_disk::DiskError;
use thiserror::Error;

/// Why the log could not be read, opened or written.
#[derive(Debug, Error)]
pub enum WalError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What had been durable is damaged. Nothing was changed.
    #[error(
        "{file} is corrupt at byte {offset}{}: {} should be {}, is {}; durable had been {claimed_durable}",
        position(*lsn), fault.field, fault.expected, fault.found
    )]
    Corruption {
        /// The segment's file.
        file: String,
        /// Byte of the file.
        offset: u64,
        /// The position of the log that stands there, that of the frame that is damaged;
        /// `None` in the header of a segment, which holds none.
        lsn: Option<Lsn>,
        /// What was expected there, and found.
        fault: Fault,
        /// Up to where the log is known to have been durable.
        claimed_durable: Lsn,
    },
    /// A later version of the program wrote the file. Nothing was changed.
    #[error("{file} has format version {found}, this program reads up to {newest}")]
    NewerVersion {
        /// The segment's file.
        file: String,
        /// The version it has.
        found: u32,
        /// The newest version this program reads.
        newest: u32,
    },
    /// No segment holds the position recovery has to begin at.
    #[error("no segment in {directory} holds position {from}")]
    Missing {
        /// Directory of the log.
        directory: String,
        /// The position.
        from: Lsn,
    },
}

/// The position as it follows the byte of the file.
fn position(lsn: Option<Lsn>) -> String {
    lsn.map_or_else(String::new, |lsn| format!(" (LSN {lsn})"))
}
