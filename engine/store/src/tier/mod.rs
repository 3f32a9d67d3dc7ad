//! The SSD tier's formats: records, pages, dictionaries and the table of
//! segments. The byte diagrams stand in `engine/store/FORMAT.md`.
//!
//! Owns: what the bytes of a segment mean, and which segment may be written,
//! cleaned or reused, the segment files. Does not own: the index, the decision
//! what sinks.
//!
//! INVARIANT: whatever is read back is checked against the place it was read
//! from (segment, incarnation, page) before a byte of it is believed.
//!
//! The formats are pure; any thread may run them. Modules, lowest first:
//! [`record`], [`page`], [`dictionary`], [`segment`], `newer`, [`table`], `volume` (the files),
//! `writer`.

pub mod dictionary;
pub(crate) mod newer;
pub mod page;
pub mod record;
pub mod segment;
mod sync;
pub mod table;
pub(crate) mod volume;
pub(crate) mod writer;

pub use dictionary::{Compressor, Decompressor, Dictionary, EAGER_MAX_BYTES};
pub use page::{PageBuilder, PagePlace, build_run, find, records};
pub use record::{Extent, StoredValue, TierRecord};
pub use segment::{
    ImageTicket, Incarnation, SegmentEntry, SegmentNumber, SegmentState, SpaceState, Stream,
};
pub use table::SegmentTable;

use thermocline_base::CodecError;
use thiserror::Error;

/// Bytes that are not what was written: where, what belongs there and what
/// stands there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file} is corrupt at offset {offset}: expected {expected}, found {found}")]
pub struct Corruption {
    /// The file, relative to the data directory.
    pub file: String,
    /// Byte offset in the file.
    pub offset: u64,
    /// What belongs there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl Corruption {
    /// The corruption that `error`, met in a `what` that starts at byte
    /// `start` of `file`, stands for.
    #[must_use]
    pub fn of_codec(file: String, start: u64, what: &str, error: CodecError) -> Self {
        let (CodecError::Truncated { offset, .. }
        | CodecError::Overlong { offset }
        | CodecError::Invalid { offset, .. }) = error;
        Self {
            file,
            offset: start.saturating_add(offset as u64),
            expected: what.to_owned(),
            found: error.to_string(),
        }
    }
}

/// Why a format of the tier or the manifest could not be written or read.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The bytes are not what was written.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// A later version of the program wrote the file.
    #[error("{file} has format version {found}, this program reads up to {newest}")]
    NewerVersion {
        /// The file, relative to the data directory.
        file: String,
        /// The version it has.
        found: u32,
        /// The newest version this program reads.
        newest: u32,
    },
    /// Something is larger than its format allows.
    #[error("{what} takes {bytes} bytes, the limit is {limit_bytes}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size, in bytes.
        bytes: u64,
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// A value names a dictionary that is not loaded.
    #[error("a record names the dictionary {id}, which the manifest does not hold")]
    UnknownDictionary {
        /// The dictionary's number.
        id: u32,
    },
    /// A compressed value does not decompress to what its record declares.
    #[error("a compressed value should have {expected_bytes} bytes: {found}")]
    Value {
        /// The length its record declares, in bytes.
        expected_bytes: u64,
        /// What happened instead.
        found: String,
    },
    /// zstd refused to train or load a dictionary.
    #[error("zstd refuses a dictionary: {source}")]
    Dictionary {
        /// What zstd says.
        source: std::io::Error,
    },
    /// A structure could not be turned into bytes.
    #[error("{what} cannot be encoded: {reason}")]
    Encode {
        /// Which structure.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

#[cfg(test)]
mod shuttled;
#[cfg(test)]
mod tests;
