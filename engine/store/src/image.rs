//! The image of a checkpoint: where on the tier every key was, shard by shard.
//!
//! Owns the bytes of an image file (`FORMAT.md`, "Image"): its pieces, one for
//! each shard that changed since the image before, with the ranges of its keys that
//! did; and the directory behind them that names the pieces every shard is made of, in
//! whichever image files they stand. Does not own the files, nor what a slot leads to.
//! Pure; the checkpoint thread writes, start-up and the offline tool read.
//!
//! INVARIANT: a piece is believed only where the directory names it: its CRC
//! covers the number of the image it was written for, its shard and its
//! length. What decodes has been checked: slots are cold and ascend, databases
//! ascend, and nothing was allocated from a declared length.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

mod directory;
mod piece;
mod ranges;

pub use directory::{Directory, PieceReference};
pub use piece::{PieceBuilder, Slots, decode_piece, merge};
pub use ranges::RangeSet;

use crate::tier::{Corruption, FormatError};

/// The folder of the image files, relative to the data directory.
pub const DIRECTORY_NAME: &str = "image";
/// The last bytes of a directory.
pub const DIRECTORY_MAGIC: u64 = u64::from_le_bytes(*b"THERMOIM");
/// The version this program writes, and the newest it reads; of the pieces too.
pub const VERSION: u32 = 2;
/// The first bytes of a piece behind its CRC.
pub const PIECE_MAGIC: u32 = u32::from_le_bytes(*b"TIPC");

/// Offset of the CRC-32 of everything behind it, to the end of the piece.
pub const PIECE_CRC_OFFSET: usize = 0;
/// Offset of a piece's magic number.
pub const PIECE_MAGIC_OFFSET: usize = 4;
/// Offset of the number of the image the piece was written for.
pub const PIECE_NUMBER_OFFSET: usize = 8;
/// Offset of the shard.
pub const PIECE_SHARD_OFFSET: usize = 16;
/// Offset of the number of databases.
pub const PIECE_DATABASE_COUNT_OFFSET: usize = 18;
/// Offset of the length of the whole piece, in bytes.
pub const PIECE_BYTES_OFFSET: usize = 20;
/// Offset of the ranges of the shard that the piece holds all keys of.
pub const PIECE_RANGES_OFFSET: usize = 24;
/// Where the first database of a piece starts.
pub const PIECE_HEADER_BYTES: usize = 32;
/// The pieces a shard is made of at most: a whole one and those that replace some of its
/// ranges.
pub const PIECES_MAX: usize = 9;

/// Offset of a database's identity, from the start of the database.
pub const DATABASE_IDENTITY_OFFSET: usize = 0;
/// Offset of four zero bytes.
pub const DATABASE_ZERO_OFFSET: usize = 4;
/// Offset of the number of slots.
pub const DATABASE_SLOT_COUNT_OFFSET: usize = 8;
/// Where the slots of a database start.
pub const DATABASE_HEADER_BYTES: usize = 16;
/// What a slot takes, in bytes.
pub const SLOT_BYTES: usize = 8;

/// Offset of the number of keys, from the start of a directory's trailer.
pub const TRAILER_KEY_COUNT_OFFSET: usize = 0;
/// Offset of the image's number.
pub const TRAILER_NUMBER_OFFSET: usize = 8;
/// Offset of the number of references.
pub const TRAILER_COUNT_OFFSET: usize = 16;
/// Offset of the number of shards.
pub const TRAILER_SHARD_COUNT_OFFSET: usize = 20;
/// Offset of the format's version.
pub const TRAILER_VERSION_OFFSET: usize = 24;
/// Offset of four zero bytes.
pub const TRAILER_ZERO_OFFSET: usize = 28;
/// Offset of the directory's magic number.
pub const TRAILER_MAGIC_OFFSET: usize = 32;
/// What the trailer of a directory takes, the last bytes of an image file.
pub const DIRECTORY_TRAILER_BYTES: usize = 40;
/// What the reference to a piece takes, in bytes.
pub const REFERENCE_BYTES: usize = 32;

/// The image file of `number`, relative to the data directory.
#[must_use]
pub fn file_name(number: u64) -> String {
    format!("{DIRECTORY_NAME}/{number:010}.image")
}

fn corruption(file: String, offset: u64, expected: String, found: String) -> FormatError {
    Corruption {
        file,
        offset,
        expected,
        found,
    }
    .into()
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
