//! The directory of an image: the end of its file, which names every shard's pieces.
//!
//! Owns its bytes. Does not look into pieces. Pure.
//!
//! INVARIANT: the references ascend by shard, and by age within one: the first of a shard
//! covers all its ranges, each later one those that it replaces.

use super::{
    DIRECTORY_MAGIC, DIRECTORY_TRAILER_BYTES, PIECE_HEADER_BYTES, PIECES_MAX, REFERENCE_BYTES,
    RangeSet, TRAILER_COUNT_OFFSET, TRAILER_MAGIC_OFFSET, TRAILER_NUMBER_OFFSET,
    TRAILER_SHARD_COUNT_OFFSET, TRAILER_VERSION_OFFSET, TRAILER_ZERO_OFFSET, VERSION, corruption,
    file_name,
};
use crate::manifest::ImageReference;
use crate::tier::{Corruption, FormatError};
use thermocline_base::checksum::crc32;
use thermocline_base::limits::SHARD_COUNT;
use thermocline_base::{CodecError, Reader, ShardId};

/// Where a piece stands, and what it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceReference {
    /// The shard whose keys it holds.
    pub shard: ShardId,
    /// The ranges it holds all keys of.
    pub ranges: RangeSet,
    /// The number of the image file, which is that of the image the piece was
    /// written for.
    pub file: u64,
    /// Its first byte in that file.
    pub offset: u64,
    /// Its length, in bytes.
    pub bytes: u32,
}

/// The end of an image file: where the pieces of each shard stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// The image's number.
    pub number: u64,
    /// The keys of all pieces.
    pub key_count: u64,
    /// See the module. A shard without keys has none; none has more than [`PIECES_MAX`].
    pub pieces: Vec<PieceReference>,
}

impl Directory {
    /// How long one is at most.
    pub const BYTES_MAX: usize =
        SHARD_COUNT * PIECES_MAX * REFERENCE_BYTES + DIRECTORY_TRAILER_BYTES;

    /// The pieces of a shard, oldest first.
    #[must_use]
    pub fn of_shard(&self, shard: ShardId) -> &[PieceReference] {
        let first = self.pieces.partition_point(|piece| piece.shard < shard);
        let (_, rest) = self.pieces.split_at(first);
        let count = rest.partition_point(|piece| piece.shard == shard);
        rest.split_at(count).0
    }

    /// What all pieces take, in bytes.
    #[must_use]
    pub fn pieces_bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.bytes)).sum()
    }

    /// Where the trailer starts in the file of `image`: the last
    /// [`DIRECTORY_TRAILER_BYTES`] bytes.
    ///
    /// # Errors
    /// [`FormatError::Corruption`] if the file is too short for one.
    pub fn trailer_offset(image: &ImageReference) -> Result<u64, FormatError> {
        let trailer_bytes = DIRECTORY_TRAILER_BYTES as u64;
        image.bytes.checked_sub(trailer_bytes).ok_or_else(|| {
            corruption(
                file_name(image.number),
                0,
                format!("an image of at least {trailer_bytes} bytes"),
                format!("{} bytes", image.bytes),
            )
        })
    }

    /// Where the directory, whose trailer this is, starts in the file of `image`.
    ///
    /// # Errors
    /// [`FormatError::NewerVersion`] if the trailer has a later version, else
    /// [`FormatError::Corruption`] if it is none, or of more references than there can be.
    pub fn offset(trailer: &[u8], image: &ImageReference) -> Result<u64, FormatError> {
        let trailer_offset = Self::trailer_offset(image)?;
        let truncated = |error| truncated(error, image, trailer_offset);
        let mut reader = Reader::new(trailer);
        let _key_count = reader.u64().map_err(truncated)?;
        let number = reader.u64().map_err(truncated)?;
        let count = reader.u32().map_err(truncated)?;
        let shard_count = reader.u32().map_err(truncated)?;
        let version = reader.u32().map_err(truncated)?;
        let zero = reader.u32().map_err(truncated)?;
        let magic = reader.u64().map_err(truncated)?;
        if magic == DIRECTORY_MAGIC && version > VERSION {
            return Err(FormatError::NewerVersion {
                file: file_name(image.number),
                found: version,
                newest: VERSION,
            });
        }
        let expected = [
            (TRAILER_MAGIC_OFFSET, "magic", DIRECTORY_MAGIC, magic),
            (
                TRAILER_VERSION_OFFSET,
                "version",
                u64::from(VERSION),
                u64::from(version),
            ),
            (
                TRAILER_SHARD_COUNT_OFFSET,
                "shard count",
                SHARD_COUNT as u64,
                u64::from(shard_count),
            ),
            (TRAILER_NUMBER_OFFSET, "image number", image.number, number),
            (TRAILER_ZERO_OFFSET, "filling", 0, u64::from(zero)),
        ];
        for (at, what, expected, found) in expected {
            if expected != found {
                return Err(corruption(
                    file_name(image.number),
                    trailer_offset.saturating_add(at as u64),
                    format!("directory {what} {expected:#x}"),
                    format!("{found:#x}"),
                ));
            }
        }
        let most = SHARD_COUNT.saturating_mul(PIECES_MAX) as u64;
        let bytes = u64::from(count).saturating_mul(REFERENCE_BYTES as u64);
        match trailer_offset.checked_sub(bytes) {
            Some(offset) if u64::from(count) <= most => Ok(offset),
            _ => Err(corruption(
                file_name(image.number),
                trailer_offset.saturating_add(TRAILER_COUNT_OFFSET as u64),
                format!("at most {most} references, all in the file"),
                count.to_string(),
            )),
        }
    }

    /// The directory's bytes.
    ///
    /// # Panics
    /// If there are more references than a directory may have.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let most = SHARD_COUNT.saturating_mul(PIECES_MAX);
        assert!(self.pieces.len() <= most, "few pieces a shard");
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            bytes.extend_from_slice(&piece.file.to_le_bytes());
            bytes.extend_from_slice(&piece.offset.to_le_bytes());
            bytes.extend_from_slice(&piece.ranges.0.to_le_bytes());
            bytes.extend_from_slice(&piece.bytes.to_le_bytes());
            bytes.extend_from_slice(&piece.shard.0.to_le_bytes());
            bytes.extend_from_slice(&[0; 2]);
        }
        bytes.extend_from_slice(&self.key_count.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&(self.pieces.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(SHARD_COUNT as u32).to_le_bytes());
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&DIRECTORY_MAGIC.to_le_bytes());
        bytes
    }

    /// The CRC-32 of [`Directory::encode`], which the manifest keeps.
    #[must_use]
    pub fn crc32(&self) -> u32 {
        crc32(&self.encode())
    }

    /// Reads the bytes of the file of `image` from [`Directory::offset`] to the end.
    ///
    /// # Errors
    /// As [`Directory::offset`]; [`FormatError::Corruption`] if they are not the directory
    /// that the manifest names.
    pub fn decode(bytes: &[u8], image: &ImageReference) -> Result<Self, FormatError> {
        let references_bytes = bytes.len().saturating_sub(DIRECTORY_TRAILER_BYTES);
        let (references, trailer) = bytes.split_at(references_bytes);
        let start = Self::offset(trailer, image)?;
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
        if start.saturating_add(bytes.len() as u64) != image.bytes {
            return Err(refuse(
                0,
                format!("a directory to the end, byte {}", image.bytes),
                format!("{} bytes", bytes.len()),
            ));
        }
        let truncated = |error| truncated(error, image, start);
        let mut reader = Reader::new(references);
        let mut directory = Self {
            number: image.number,
            key_count: Reader::new(trailer).u64().map_err(truncated)?,
            pieces: Vec::new(),
        };
        while !reader.is_empty() {
            let offset = reader.offset();
            let piece = PieceReference {
                file: reader.u64().map_err(truncated)?,
                offset: reader.u64().map_err(truncated)?,
                ranges: RangeSet(reader.u64().map_err(truncated)?),
                bytes: reader.u32().map_err(truncated)?,
                shard: ShardId(reader.u16().map_err(truncated)?),
            };
            let zero = reader.u16().map_err(truncated)?;
            if zero != 0
                || !piece.is_sound(image.number, start)
                || !piece.may_follow(directory.pieces.last())
                || directory.of_shard(piece.shard).len() >= PIECES_MAX
            {
                return Err(refuse(
                    offset,
                    "a piece of this image or an earlier one, the first of its shard whole"
                        .to_owned(),
                    format!("{piece:?}"),
                ));
            }
            directory.pieces.push(piece);
        }
        Ok(directory)
    }
}

fn truncated(error: CodecError, image: &ImageReference, start: u64) -> FormatError {
    FormatError::from(Corruption::of_codec(
        file_name(image.number),
        start,
        "an image directory",
        error,
    ))
}

impl PieceReference {
    /// Whether an image of this number, whose own pieces end at `pieces_end`,
    /// may name such a piece.
    fn is_sound(&self, number: u64, pieces_end: u64) -> bool {
        let limit = if self.file == number {
            pieces_end
        } else {
            u64::MAX
        };
        let fits = self
            .offset
            .checked_add(u64::from(self.bytes))
            .is_some_and(|end| end <= limit);
        fits && self.bytes as usize >= PIECE_HEADER_BYTES
            && self.file <= number
            && self.shard.index() < SHARD_COUNT
            && !self.ranges.is_empty()
    }

    /// Whether it may be named behind another.
    fn may_follow(&self, before: Option<&Self>) -> bool {
        match before {
            Some(before) if before.shard == self.shard => before.file < self.file,
            Some(before) if before.shard > self.shard => false,
            _ => self.ranges == RangeSet::ALL,
        }
    }
}
