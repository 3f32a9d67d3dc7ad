//! The manifest: the one small file that names all the others.
//!
//! Owns its bytes (`engine/store/FORMAT.md`, "Manifest") and what must hold
//! between its fields. Does not own the file: it is replaced whole by
//! `Disk::replace_durably`. Pure; the checkpoint thread writes it, start-up
//! reads it.
//!
//! The frame {magic, version, length, CRC} is ours and stays for ever, so that
//! a program can always tell a newer file from a damaged one. The payload is
//! bincode 1.3 with fixed-size integers, of private wire structures, one set
//! for each version.
//!
//! INVARIANT: what decodes has been checked: numbers are within their limits,
//! nothing is listed twice, and the LSNs are in order.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::effect::DatabaseMap;
use crate::tier::dictionary::DICTIONARY_MAX_BYTES;
use crate::tier::segment::SEGMENTS_MAX;
use crate::tier::{Corruption, Dictionary, FormatError, Incarnation, SegmentEntry, SegmentNumber};
use bincode::Options;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use thermocline_base::checksum::crc32_parts;
use thermocline_base::limits::{DATABASE_COUNT, SHARD_COUNT};
use thermocline_base::{DatabaseId, HashSeed, Lsn, Reader, UnixMillis};

/// The manifest's file, relative to the data directory.
pub const FILE_NAME: &str = "manifest";
/// A copy of it, written after it and before anything that only the manifest before led
/// to is given up: so it always leads to all there is. Only a repair reads it.
pub const COPY_NAME: &str = "manifest.copy";
/// The first bytes of the file.
pub const MAGIC: u64 = u64::from_le_bytes(*b"THERMOMF");
/// The version this program writes, and the newest it reads.
pub const VERSION: u32 = 1;
/// The largest manifest, in bytes.
pub const MANIFEST_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The most dictionaries.
pub const DICTIONARIES_MAX: usize = 64;

/// Offset of the magic number.
pub const MAGIC_OFFSET: usize = 0;
/// Offset of the format's version.
pub const VERSION_OFFSET: usize = 8;
/// Offset of the payload's length, in bytes.
pub const PAYLOAD_BYTES_OFFSET: usize = 12;
/// Offset of the CRC-32 of everything before and behind it.
pub const CRC_OFFSET: usize = 16;
/// Where the payload starts.
pub const HEADER_BYTES: usize = 20;

/// The image a manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// The image's number, part of its files' names; never reused.
    pub number: u64,
    /// Its length, in bytes.
    pub bytes: u64,
    /// The CRC-32 of its directory.
    pub crc32: u32,
}

/// A stretch of the log between two unsealed ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// 128 random bits.
    pub id: u128,
    /// Where it starts.
    pub start_lsn: Lsn,
}

/// What a data directory needs to start: the last durable checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The secret of the key hash.
    pub hash_seed: HashSeed,
    /// Parts of the key space: a power of two, at most [`SHARD_COUNT`].
    pub shard_count: u16,
    /// Which identity each numbered database has.
    pub databases: DatabaseMap,
    /// Exclusive: `databases` contains every frame that starts below it.
    pub databases_lsn: Lsn,
    /// At most [`DICTIONARIES_MAX`], with different numbers above 0.
    pub dictionaries: Vec<Dictionary>,
    /// The segments an image may name, ascending.
    pub segments: Vec<SegmentEntry>,
    /// The image, unless there has been none.
    pub image: Option<ImageReference>,
    /// Where replay starts.
    pub checkpoint_lsn: Lsn,
    /// Up to where the log must be valid; not below `checkpoint_lsn`.
    pub end_lsn: Lsn,
    /// The histories, oldest first; their starts ascend.
    pub histories: Vec<History>,
}

/// A rule that a wrong number of identities breaks as well as a repeated one.
const EVERY_NUMBER_HAS_AN_IDENTITY: &str = "every database number has an identity of its own";

#[derive(Serialize, Deserialize)]
struct WireV1 {
    hash_seed: u64,
    shard_count: u16,
    /// Identities by number, the map's LSN, the next identity.
    databases: (Vec<u32>, u64, u32),
    /// Number and bytes.
    dictionaries: Vec<(u32, Vec<u8>)>,
    /// Number, incarnation, live bytes, time of sealing.
    segments: Vec<(u16, u64, u64, i64)>,
    /// Number, length, CRC.
    image: Option<(u64, u64, u32)>,
    checkpoint_lsn: u64,
    end_lsn: u64,
    /// Identity in two halves, low first, and start.
    histories: Vec<((u64, u64), u64)>,
}

/// The encoding of the payload. The limit holds for reading and writing.
fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(MANIFEST_MAX_BYTES.saturating_sub(HEADER_BYTES) as u64)
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    crc32_parts(&[header, payload])
}

fn corruption(offset: usize, expected: String, found: String) -> FormatError {
    Corruption {
        file: FILE_NAME.to_owned(),
        offset: offset as u64,
        expected,
        found,
    }
    .into()
}

impl Manifest {
    /// The file's bytes, at most [`MANIFEST_MAX_BYTES`].
    ///
    /// # Errors
    /// [`FormatError::Encode`] if a field breaks its own rule, or all of them
    /// are too large together: such a manifest would not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let refuse = |reason| FormatError::Encode {
            what: "the manifest",
            reason,
        };
        self.broken_rule()
            .map_or(Ok(()), |rule| Err(refuse(rule.to_owned())))?;
        let payload = options()
            .serialize(&self.to_wire())
            .map_err(|error| refuse(error.to_string()))?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES.saturating_add(payload.len()));
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        let checksum = checksum(&bytes, &payload);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(&payload);
        Ok(bytes)
    }

    /// Reads the whole file's `bytes`.
    ///
    /// # Errors
    /// [`FormatError::NewerVersion`] if an intact file has a later version,
    /// else [`FormatError::Corruption`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let truncated =
            |error| Corruption::of_codec(FILE_NAME.to_owned(), 0, "a manifest header", error);
        if bytes.len() > MANIFEST_MAX_BYTES {
            return Err(corruption(
                MANIFEST_MAX_BYTES,
                format!("at most {MANIFEST_MAX_BYTES} bytes"),
                format!("{} bytes", bytes.len()),
            ));
        }
        let mut reader = Reader::new(bytes);
        let magic = reader.u64().map_err(truncated)?;
        let version = reader.u32().map_err(truncated)?;
        let payload_bytes = reader.u32().map_err(truncated)?;
        let stored = reader.u32().map_err(truncated)?;
        if magic != MAGIC {
            return Err(corruption(
                MAGIC_OFFSET,
                format!("manifest magic {MAGIC:#018x}"),
                format!("{magic:#018x}"),
            ));
        }
        let payload = reader.rest();
        if payload.len() as u64 != u64::from(payload_bytes) {
            return Err(corruption(
                PAYLOAD_BYTES_OFFSET,
                format!("a payload of {} bytes", payload.len()),
                format!("{payload_bytes} bytes"),
            ));
        }
        let computed = checksum(bytes.get(..CRC_OFFSET).unwrap_or_default(), payload);
        if computed != stored {
            return Err(corruption(
                CRC_OFFSET,
                format!("manifest CRC {computed:#010x}"),
                format!("{stored:#010x}"),
            ));
        }
        let manifest = match version {
            1 => options().deserialize::<WireV1>(payload).map(Self::of_wire),
            newer if newer > VERSION => {
                return Err(FormatError::NewerVersion {
                    file: FILE_NAME.to_owned(),
                    found: newer,
                    newest: VERSION,
                });
            }
            other => {
                return Err(corruption(
                    VERSION_OFFSET,
                    format!("a version from 1 to {VERSION}"),
                    other.to_string(),
                ));
            }
        };
        let manifest = manifest.map_err(|error| {
            corruption(
                HEADER_BYTES,
                format!("a payload of version {version}"),
                error.to_string(),
            )
        })?;
        manifest
            .and_then(|manifest| match manifest.broken_rule() {
                None => Ok(manifest),
                Some(rule) => Err(rule),
            })
            .map_err(|rule| {
                corruption(
                    HEADER_BYTES,
                    rule.to_owned(),
                    "a manifest that breaks it".to_owned(),
                )
            })
    }

    /// The rule between the fields that does not hold, if any.
    fn broken_rule(&self) -> Option<&'static str> {
        let identities: HashSet<_> = self.databases.identities.iter().collect();
        let numbers: HashSet<_> = self.dictionaries.iter().map(|one| one.id).collect();
        let rules = [
            (
                self.shard_count.is_power_of_two() && usize::from(self.shard_count) <= SHARD_COUNT,
                "the shard count is a power of two within its limit",
            ),
            (
                identities.len() == DATABASE_COUNT,
                EVERY_NUMBER_HAS_AN_IDENTITY,
            ),
            (
                identities
                    .iter()
                    .all(|&&identity| identity < self.databases.next),
                "the next database identity is fresh",
            ),
            (
                self.dictionaries.len() <= DICTIONARIES_MAX
                    && numbers.len() == self.dictionaries.len()
                    && !numbers.contains(&0)
                    && self
                        .dictionaries
                        .iter()
                        .all(|one| one.bytes.len() <= DICTIONARY_MAX_BYTES),
                "dictionaries are few, small and numbered differently",
            ),
            (
                self.segments.is_sorted_by(|a, b| a.number < b.number)
                    && self
                        .segments
                        .iter()
                        .all(|one| usize::from(one.number.0) < SEGMENTS_MAX),
                "segments ascend within their limit",
            ),
            (
                self.segments.iter().all(|one| one.incarnation.0 != 0),
                "no incarnation is 0",
            ),
            (
                self.checkpoint_lsn <= self.end_lsn,
                "checkpoint_lsn is not above end_lsn",
            ),
            (
                self.histories
                    .is_sorted_by(|a, b| a.start_lsn < b.start_lsn),
                "histories ascend",
            ),
        ];
        rules
            .into_iter()
            .find(|&(holds, _)| !holds)
            .map(|(_, rule)| rule)
    }

    fn to_wire(&self) -> WireV1 {
        let databases = &self.databases;
        WireV1 {
            hash_seed: self.hash_seed.0,
            shard_count: self.shard_count,
            databases: (
                databases.identities.iter().map(|one| one.0).collect(),
                self.databases_lsn.0,
                databases.next.0,
            ),
            dictionaries: self
                .dictionaries
                .iter()
                .map(|one| (one.id, one.bytes.clone()))
                .collect(),
            segments: self
                .segments
                .iter()
                .map(|one| {
                    (
                        one.number.0,
                        one.incarnation.0,
                        one.live_bytes,
                        one.sealed_at.0,
                    )
                })
                .collect(),
            image: self.image.map(|one| (one.number, one.bytes, one.crc32)),
            checkpoint_lsn: self.checkpoint_lsn.0,
            end_lsn: self.end_lsn.0,
            histories: self
                .histories
                .iter()
                .map(|one| ((one.id as u64, (one.id >> 64) as u64), one.start_lsn.0))
                .collect(),
        }
    }

    /// Builds the manifest, or says which rule its fields cannot even express.
    fn of_wire(wire: WireV1) -> Result<Self, &'static str> {
        let (identities, databases_lsn, next) = wire.databases;
        let identities: [u32; DATABASE_COUNT] = identities
            .try_into()
            .map_err(|_| EVERY_NUMBER_HAS_AN_IDENTITY)?;
        Ok(Self {
            hash_seed: HashSeed(wire.hash_seed),
            shard_count: wire.shard_count,
            databases: DatabaseMap {
                identities: identities.map(DatabaseId),
                next: DatabaseId(next),
            },
            databases_lsn: Lsn(databases_lsn),
            dictionaries: wire
                .dictionaries
                .into_iter()
                .map(|(id, bytes)| Dictionary { id, bytes })
                .collect(),
            segments: wire
                .segments
                .into_iter()
                .map(
                    |(number, incarnation, live_bytes, sealed_at)| SegmentEntry {
                        number: SegmentNumber(number),
                        incarnation: Incarnation(incarnation),
                        live_bytes,
                        sealed_at: UnixMillis(sealed_at),
                    },
                )
                .collect(),
            image: wire.image.map(|(number, bytes, crc32)| ImageReference {
                number,
                bytes,
                crc32,
            }),
            checkpoint_lsn: Lsn(wire.checkpoint_lsn),
            end_lsn: Lsn(wire.end_lsn),
            histories: wire
                .histories
                .into_iter()
                .map(|((low, high), start_lsn)| History {
                    id: u128::from(high) << 64 | u128::from(low),
                    start_lsn: Lsn(start_lsn),
                })
                .collect(),
        })
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
