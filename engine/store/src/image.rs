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

use crate::index::Slot;
use crate::manifest::ImageReference;
use crate::tier::{Corruption, FormatError};
use thermocline_base::checksum::crc32;
use thermocline_base::limits::SHARD_COUNT;
use thermocline_base::{CodecError, DatabaseId, Reader, ShardId};

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

/// Where the newest piece of a shard stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PieceReference {
    /// The number of the image file, which is that of the image the piece was
    /// written for.
    pub file: u64,
    /// Its first byte in that file.
    pub offset: u64,
    /// Its length, in bytes. 0 if the shard has no keys: then the others are 0
    /// too.
    pub bytes: u64,
}

/// The end of an image file: where each shard's newest piece stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The image's number.
    pub number: u64,
    /// The keys of all pieces.
    pub key_count: u64,
    /// One a shard, [`SHARD_COUNT`] of them.
    pub pieces: Vec<PieceReference>,
}

impl Directory {
    /// How long a directory is: the last so many bytes of the image file.
    #[must_use]
    pub const fn encoded_bytes() -> usize {
        DIRECTORY_HEADER_BYTES.saturating_add(SHARD_COUNT.saturating_mul(REFERENCE_BYTES))
    }

    /// Where the directory starts in the file of `image`.
    ///
    /// # Errors
    /// [`FormatError::Corruption`] if the file is too short for one.
    pub fn offset_bytes(image: &ImageReference) -> Result<u64, FormatError> {
        let directory_bytes = Self::encoded_bytes() as u64;
        image.bytes.checked_sub(directory_bytes).ok_or_else(|| {
            corruption(
                file_name(image.number),
                0,
                format!("an image of at least {directory_bytes} bytes"),
                format!("{} bytes", image.bytes),
            )
        })
    }

    /// The directory's bytes.
    ///
    /// # Panics
    /// If there is not one piece a shard.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        assert_eq!(self.pieces.len(), SHARD_COUNT, "one piece a shard");
        let mut bytes = Vec::with_capacity(Self::encoded_bytes());
        bytes.extend_from_slice(&DIRECTORY_MAGIC.to_le_bytes());
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(SHARD_COUNT as u32).to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.key_count.to_le_bytes());
        for piece in &self.pieces {
            bytes.extend_from_slice(&piece.file.to_le_bytes());
            bytes.extend_from_slice(&piece.offset.to_le_bytes());
            bytes.extend_from_slice(&piece.bytes.to_le_bytes());
        }
        bytes
    }

    /// The CRC-32 of [`Directory::encode`], which the manifest keeps.
    #[must_use]
    pub fn crc32(&self) -> u32 {
        crc32(&self.encode())
    }

    /// Reads the last [`Directory::encoded_bytes`] bytes of the file of
    /// `image`.
    ///
    /// # Errors
    /// [`FormatError::NewerVersion`] if an intact directory has a later
    /// version, else [`FormatError::Corruption`].
    pub fn decode(bytes: &[u8], image: &ImageReference) -> Result<Self, FormatError> {
        let start = Self::offset_bytes(image)?;
        let refuse = |offset: usize, expected, found| {
            let offset = start.saturating_add(offset as u64);
            corruption(file_name(image.number), offset, expected, found)
        };
        let computed = crc32(bytes);
        if computed != image.crc32 {
            return Err(refuse(
                0,
                format!("a directory with the CRC {:#010x}", image.crc32),
                format!("{computed:#010x}"),
            ));
        }
        let truncated = |error| {
            FormatError::from(Corruption::of_codec(
                file_name(image.number),
                start,
                "an image directory",
                error,
            ))
        };
        let mut reader = Reader::new(bytes);
        let magic = reader.u64().map_err(truncated)?;
        if magic != DIRECTORY_MAGIC {
            return Err(refuse(
                DIRECTORY_MAGIC_OFFSET,
                format!("directory magic {DIRECTORY_MAGIC:#018x}"),
                format!("{magic:#018x}"),
            ));
        }
        let version = reader.u32().map_err(truncated)?;
        if version > VERSION {
            return Err(FormatError::NewerVersion {
                file: file_name(image.number),
                found: version,
                newest: VERSION,
            });
        }
        let shard_count = reader.u32().map_err(truncated)?;
        let number = reader.u64().map_err(truncated)?;
        let key_count = reader.u64().map_err(truncated)?;
        let expected = [
            (
                DIRECTORY_VERSION_OFFSET,
                "version",
                u64::from(VERSION),
                u64::from(version),
            ),
            (
                DIRECTORY_SHARD_COUNT_OFFSET,
                "shard count",
                SHARD_COUNT as u64,
                u64::from(shard_count),
            ),
            (
                DIRECTORY_NUMBER_OFFSET,
                "image number",
                image.number,
                number,
            ),
            (
                DIRECTORY_HEADER_BYTES,
                "length of the references",
                SHARD_COUNT.saturating_mul(REFERENCE_BYTES) as u64,
                reader.left_bytes() as u64,
            ),
        ];
        for (offset, what, expected, found) in expected {
            if expected != found {
                return Err(refuse(
                    offset,
                    format!("{what} {expected}"),
                    found.to_string(),
                ));
            }
        }
        let mut pieces = Vec::with_capacity(SHARD_COUNT);
        while !reader.is_empty() {
            let offset = reader.offset();
            let piece = PieceReference {
                file: reader.u64().map_err(truncated)?,
                offset: reader.u64().map_err(truncated)?,
                bytes: reader.u64().map_err(truncated)?,
            };
            if !piece.is_sound(number, start) {
                return Err(refuse(
                    offset,
                    "a piece of this image or an earlier one".to_owned(),
                    format!("{piece:?}"),
                ));
            }
            pieces.push(piece);
        }
        Ok(Self {
            number,
            key_count,
            pieces,
        })
    }
}

impl PieceReference {
    /// Whether an image of this number, whose own pieces end at `pieces_end`,
    /// may name such a piece.
    fn is_sound(&self, number: u64, pieces_end: u64) -> bool {
        if self.bytes == 0 {
            return *self == Self::default();
        }
        let limit = if self.file == number {
            pieces_end
        } else {
            u64::MAX
        };
        let fits = self
            .offset
            .checked_add(self.bytes)
            .is_some_and(|end| end <= limit);
        let may_hold_a_piece =
            (PIECE_HEADER_BYTES as u64..=u64::from(u32::MAX)).contains(&self.bytes);
        fits && may_hold_a_piece && self.file <= number
    }
}

/// Writes the piece of one shard.
#[derive(Debug)]
pub struct PieceBuilder {
    bytes: Vec<u8>,
    database_count: u16,
    /// Where the database that is being written starts, its identity, and the
    /// stored hash of its last slot.
    database: Option<(usize, DatabaseId, u32)>,
}

impl PieceBuilder {
    /// The piece of `shard` in the image `number`, without databases.
    #[must_use]
    pub fn new(number: u64, shard: ShardId) -> Self {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&PIECE_MAGIC.to_le_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&shard.0.to_le_bytes());
        // The number of databases and the length are filled in at the end.
        bytes.resize(PIECE_HEADER_BYTES, 0);
        Self {
            bytes,
            database_count: 0,
            database: None,
        }
    }

    /// The slots that follow are of `database`. One without slots leaves no
    /// trace.
    ///
    /// # Panics
    /// If `database` is not above the one before.
    pub fn begin_database(&mut self, database: DatabaseId) {
        if let Some((_, before, _)) = self.database {
            assert!(before < database, "databases ascend");
        }
        self.end_database();
        self.database = Some((self.bytes.len(), database, 0));
        self.bytes.extend_from_slice(&database.0.to_le_bytes());
        self.bytes
            .extend_from_slice(&[0; DATABASE_HEADER_BYTES - DATABASE_ZERO_OFFSET]);
    }

    /// Adds a key of the database.
    ///
    /// # Panics
    /// If no database was begun, the slot is not cold, or its stored hash is
    /// below that of the one before.
    pub fn push(&mut self, slot: Slot) {
        let stored = slot.cold_stored().expect("an image names cold slots");
        let (_, _, last) = self.database.as_mut().expect("a database was begun");
        assert!(*last <= stored, "slots ascend by their stored hash");
        *last = stored;
        self.bytes.extend_from_slice(&slot.to_bits().to_le_bytes());
    }

    /// The piece's bytes.
    ///
    /// # Panics
    /// If they are 4 GiB or more, which a shard's index cannot fill.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.end_database();
        let length = u32::try_from(self.bytes.len()).expect("a piece is below 4 GiB");
        self.fill(
            PIECE_DATABASE_COUNT_OFFSET,
            &self.database_count.to_le_bytes(),
        );
        self.fill(PIECE_BYTES_OFFSET, &length.to_le_bytes());
        let checksum = self.bytes.get(PIECE_MAGIC_OFFSET..).map_or(0, crc32);
        self.fill(PIECE_CRC_OFFSET, &checksum.to_le_bytes());
        self.bytes
    }

    /// Fills in how many slots the database has, or takes it back.
    fn end_database(&mut self) {
        let Some((start, _, _)) = self.database else {
            return;
        };
        let slots_start = start.saturating_add(DATABASE_HEADER_BYTES);
        let slot_count = self.bytes.len().saturating_sub(slots_start) / SLOT_BYTES;
        if slot_count == 0 {
            self.bytes.truncate(start);
            return;
        }
        let field = start.saturating_add(DATABASE_SLOT_COUNT_OFFSET);
        self.fill(field, &(slot_count as u64).to_le_bytes());
        self.database_count = self
            .database_count
            .checked_add(1)
            .expect("databases are few");
    }

    fn fill(&mut self, offset: usize, field: &[u8]) {
        let end = offset.saturating_add(field.len());
        if let Some(place) = self.bytes.get_mut(offset..end) {
            place.copy_from_slice(field);
        }
    }
}

/// Reads the piece of `shard` from its `bytes`, exactly those that the
/// directory names: at byte `offset` of `file_name`, the image file `number`.
/// The databases ascend by identity, none is empty; the slots of each are cold
/// and ascend by stored hash.
///
/// # Errors
/// [`FormatError::Corruption`] if they are not the piece that was written there.
pub fn decode_piece(
    bytes: &[u8],
    file_name: &str,
    offset: u64,
    number: u64,
    shard: ShardId,
) -> Result<Vec<(DatabaseId, Vec<Slot>)>, FormatError> {
    let refuse = |at: usize, expected, found| {
        let offset = offset.saturating_add(at as u64);
        corruption(file_name.to_owned(), offset, expected, found)
    };
    let malformed = |error: CodecError| {
        FormatError::from(Corruption::of_codec(
            file_name.to_owned(),
            offset,
            "an image piece",
            error,
        ))
    };
    let mut reader = Reader::new(bytes);
    let stored = reader.u32().map_err(malformed)?;
    let computed = crc32(reader.rest());
    let magic = reader.u32().map_err(malformed)?;
    let found_number = reader.u64().map_err(malformed)?;
    let found_shard = reader.u16().map_err(malformed)?;
    let database_count = reader.u16().map_err(malformed)?;
    let found_bytes = reader.u32().map_err(malformed)?;
    // What a misdirected or stale piece differs in comes before the CRC, which
    // such a piece passes, so that the message tells which it is.
    let expected = [
        (
            PIECE_MAGIC_OFFSET,
            "magic",
            u64::from(PIECE_MAGIC),
            u64::from(magic),
        ),
        (PIECE_NUMBER_OFFSET, "image number", number, found_number),
        (
            PIECE_SHARD_OFFSET,
            "shard",
            u64::from(shard.0),
            u64::from(found_shard),
        ),
        (
            PIECE_BYTES_OFFSET,
            "length",
            bytes.len() as u64,
            u64::from(found_bytes),
        ),
        (
            PIECE_CRC_OFFSET,
            "CRC",
            u64::from(computed),
            u64::from(stored),
        ),
    ];
    for (at, what, expected, found) in expected {
        if expected != found {
            return Err(refuse(
                at,
                format!("piece {what} {expected:#x}"),
                format!("{found:#x}"),
            ));
        }
    }
    let mut databases: Vec<(DatabaseId, Vec<Slot>)> = Vec::new();
    for _ in 0..database_count {
        let start = reader.offset();
        let identity = DatabaseId(reader.u32().map_err(malformed)?);
        let zero = reader.u32().map_err(malformed)?;
        let slot_count = reader.u64().map_err(malformed)?;
        if databases.last().is_some_and(|(last, _)| *last >= identity) {
            return Err(refuse(
                start,
                "databases that ascend".to_owned(),
                format!("database {}", identity.0),
            ));
        }
        if zero != 0 || slot_count == 0 {
            return Err(refuse(
                start.saturating_add(DATABASE_ZERO_OFFSET),
                "zero, then at least one slot".to_owned(),
                format!("{zero}, then {slot_count} slots"),
            ));
        }
        let slots_bytes = usize::try_from(slot_count)
            .ok()
            .and_then(|count| count.checked_mul(SLOT_BYTES))
            .unwrap_or(usize::MAX);
        let mut words = Reader::new(reader.bytes(slots_bytes).map_err(malformed)?);
        let slots_start = start.saturating_add(DATABASE_HEADER_BYTES);
        let mut slots = Vec::with_capacity(words.left_bytes() / SLOT_BYTES);
        let mut last = 0;
        while !words.is_empty() {
            let at = slots_start.saturating_add(words.offset());
            let bits = words.u64().map_err(malformed)?;
            let cold = Slot::from_bits(bits).and_then(|slot| Some((slot, slot.cold_stored()?)));
            let Some((slot, stored)) = cold.filter(|&(_, stored)| stored >= last) else {
                return Err(refuse(
                    at,
                    "a cold slot whose stored hash is not below the one before".to_owned(),
                    format!("{bits:#018x}"),
                ));
            };
            last = stored;
            slots.push(slot);
        }
        databases.push((identity, slots));
    }
    if !reader.is_empty() {
        return Err(refuse(
            reader.offset(),
            "the end of the piece".to_owned(),
            format!("{} more bytes", reader.left_bytes()),
        ));
    }
    Ok(databases)
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
