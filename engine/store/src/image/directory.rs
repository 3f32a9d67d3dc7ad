//! The directory of an image: the end of its file, which names every shard's
//! newest piece.
//!
//! Owns its bytes. Does not look into pieces. Pure.

use super::{
    DIRECTORY_HEADER_BYTES, DIRECTORY_MAGIC, DIRECTORY_MAGIC_OFFSET, DIRECTORY_NUMBER_OFFSET,
    DIRECTORY_SHARD_COUNT_OFFSET, DIRECTORY_VERSION_OFFSET, PIECE_HEADER_BYTES, REFERENCE_BYTES,
    VERSION, corruption, file_name,
};
use crate::manifest::ImageReference;
use crate::tier::{Corruption, FormatError};
use thermocline_base::Reader;
use thermocline_base::checksum::crc32;
use thermocline_base::limits::SHARD_COUNT;

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
