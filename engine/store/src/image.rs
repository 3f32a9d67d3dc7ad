//! The image of a checkpoint: where on the tier every key was, shard by shard.
//!
//! Owns the bytes of an image file (`FORMAT.md`, "Image"): its pieces, one for
//! each shard that changed since the image before, and the directory behind
//! them that names the newest piece of every shard, in whichever image file it
//! stands. Does not own the files, nor what a slot leads to. Pure; the
//! checkpoint thread writes, start-up and the offline tool read.
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

pub use directory::{Directory, PieceReference};
pub use piece::{PieceBuilder, decode_piece};

use crate::tier::{Corruption, FormatError};

/// The folder of the image files, relative to the data directory.
pub const DIRECTORY_NAME: &str = "image";
/// The first bytes of a directory.
pub const DIRECTORY_MAGIC: u64 = u64::from_le_bytes(*b"THERMOIM");
/// The version this program writes, and the newest it reads; of the pieces too.
pub const VERSION: u32 = 1;
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
/// Where the first database of a piece starts.
pub const PIECE_HEADER_BYTES: usize = 24;

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

/// Offset of a directory's magic number.
pub const DIRECTORY_MAGIC_OFFSET: usize = 0;
/// Offset of the format's version.
pub const DIRECTORY_VERSION_OFFSET: usize = 8;
/// Offset of the number of shards.
pub const DIRECTORY_SHARD_COUNT_OFFSET: usize = 12;
/// Offset of the image's number.
pub const DIRECTORY_NUMBER_OFFSET: usize = 16;
/// Offset of the number of keys.
pub const DIRECTORY_KEY_COUNT_OFFSET: usize = 24;
/// Where the references to the pieces start.
pub const DIRECTORY_HEADER_BYTES: usize = 32;
/// What the reference to a piece takes, in bytes.
pub const REFERENCE_BYTES: usize = 24;

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
