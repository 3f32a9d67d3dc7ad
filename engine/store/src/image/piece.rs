//! A piece of an image: the slots of one shard, or of some of its ranges.
//!
//! Owns its bytes, from the builder and back, and what the pieces of a shard say together.
//! Does not know where it stands. Pure.

use super::{
    DATABASE_HEADER_BYTES, DATABASE_SLOT_COUNT_OFFSET, DATABASE_ZERO_OFFSET, PIECE_BYTES_OFFSET,
    PIECE_CRC_OFFSET, PIECE_DATABASE_COUNT_OFFSET, PIECE_MAGIC, PIECE_MAGIC_OFFSET,
    PIECE_NUMBER_OFFSET, PIECE_RANGES_OFFSET, PIECE_SHARD_OFFSET, PieceReference, RangeSet,
    SLOT_BYTES, corruption, file_name,
};
use crate::index::Slot;
use crate::tier::{Corruption, FormatError};
use std::collections::BTreeMap;
use thermocline_base::checksum::crc32;
use thermocline_base::{CodecError, DatabaseId, Reader, ShardId};

/// The slots of each database, the databases ascending by identity, the slots by stored hash.
pub type Slots = Vec<(DatabaseId, Vec<Slot>)>;

/// Writes the piece of one shard.
#[derive(Debug)]
pub struct PieceBuilder {
    ranges: RangeSet,
    bytes: Vec<u8>,
    database_count: u16,
    /// Where the database that is being written starts, its identity, and the
    /// stored hash of its last slot.
    database: Option<(usize, DatabaseId, u32)>,
}

impl PieceBuilder {
    /// The piece of `shard` in the image `number`, without databases, which will hold all
    /// keys of `ranges`.
    #[must_use]
    pub fn new(number: u64, shard: ShardId, ranges: RangeSet) -> Self {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&PIECE_MAGIC.to_le_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&shard.0.to_le_bytes());
        // The number of databases and the length are filled in at the end.
        bytes.resize(PIECE_RANGES_OFFSET, 0);
        bytes.extend_from_slice(&ranges.0.to_le_bytes());
        Self {
            ranges,
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
    /// If no database was begun, the slot is not cold or in none of the ranges, or its
    /// stored hash is below that of the one before.
    pub fn push(&mut self, slot: Slot) {
        let stored = slot.cold_stored().expect("an image names cold slots");
        assert!(
            self.ranges.contains_stored(stored),
            "slots are in the ranges"
        );
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

/// Reads a piece from its `bytes`, exactly those that `reference` names. The databases
/// ascend by identity, none is empty; the slots of each are cold, ascend by stored hash,
/// and are in the piece's ranges.
///
/// # Errors
/// [`FormatError::Corruption`] if they are not the piece that was written there.
pub fn decode_piece(bytes: &[u8], reference: &PieceReference) -> Result<Slots, FormatError> {
    let file_name = file_name(reference.file);
    let offset = reference.offset;
    let refuse = |at: usize, expected, found| {
        let offset = offset.saturating_add(at as u64);
        corruption(file_name.clone(), offset, expected, found)
    };
    let malformed = |error: CodecError| {
        FormatError::from(Corruption::of_codec(
            file_name.clone(),
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
    let found_ranges = reader.u64().map_err(malformed)?;
    // What a misdirected or stale piece differs in comes before the CRC, which
    // such a piece passes, so that the message tells which it is.
    let expected = [
        (
            PIECE_MAGIC_OFFSET,
            "magic",
            u64::from(PIECE_MAGIC),
            u64::from(magic),
        ),
        (
            PIECE_NUMBER_OFFSET,
            "image number",
            reference.file,
            found_number,
        ),
        (
            PIECE_SHARD_OFFSET,
            "shard",
            u64::from(reference.shard.0),
            u64::from(found_shard),
        ),
        (
            PIECE_BYTES_OFFSET,
            "length",
            bytes.len() as u64,
            u64::from(found_bytes),
        ),
        (
            PIECE_RANGES_OFFSET,
            "ranges",
            reference.ranges.0,
            found_ranges,
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
    let mut databases: Slots = Vec::new();
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
            let fits = |stored: u32| stored >= last && reference.ranges.contains_stored(stored);
            let Some((slot, stored)) = cold.filter(|&(_, stored)| fits(stored)) else {
                return Err(refuse(
                    at,
                    "a cold slot of the piece's ranges, not below the one before".to_owned(),
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

/// What the pieces of a shard say together, oldest first, each with its ranges: of every
/// range, the newest piece that covers it counts. As ordered as they are.
#[must_use]
pub fn merge(mut pieces: Vec<(RangeSet, Slots)>) -> Slots {
    let Some((mut covered, newest)) = pieces.pop() else {
        return Slots::new();
    };
    if pieces.is_empty() {
        return newest;
    }
    let mut databases: BTreeMap<DatabaseId, Vec<Slot>> = newest.into_iter().collect();
    for (ranges, older) in pieces.into_iter().rev() {
        for (database, slots) in older {
            let stays = |slot: &Slot| {
                (slot.cold_stored()).is_some_and(|stored| !covered.contains_stored(stored))
            };
            let kept = slots.into_iter().filter(stays);
            databases.entry(database).or_default().extend(kept);
        }
        covered = covered.union(ranges);
    }
    for slots in databases.values_mut() {
        slots.sort_by_key(|slot| slot.cold_stored());
    }
    databases.retain(|_, slots| !slots.is_empty());
    databases.into_iter().collect()
}
