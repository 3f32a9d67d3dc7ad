//! Values in the RDB form of Redis and Valkey: the payloads of DUMP and RESTORE,
//! and, without their footer, what stands behind a key in an RDB file (`file`).
//!
//! ```text
//! +------+------------------+-------------+---------------------+
//! | type | value            | RDB version | CRC-64 of all above |
//! | u8   | by type          | u16 LE      | u64 LE (Jones)      |
//! +------+------------------+-------------+---------------------+
//! ```
//!
//! Owns the bytes; does not know how values are kept, nor keys or key expiry.
//! Reads all of them in every form Redis 2.6 to 7.4 and Valkey 7.2 to 9.1 write
//! (zipmaps of Redis 2.4 excepted). Pure; runs on any thread.
//!
//! INVARIANT: nothing is allocated from a declared length, and what is decoded
//! stays within the caller's limit, so a hostile payload costs a small multiple
//! of its own size plus the limit. A restored collection is never empty and never
//! holds one field or member twice.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

mod encode;
mod extent;
mod file;
mod libraries;
mod list;
mod listpack;
mod lzf;
mod primitive;
mod set;
mod sorted_set;
mod stream;
mod ziplist;

use std::collections::HashSet;

use crate::list::List;
use crc_fast::{CrcAlgorithm, checksum};
use thermocline_base::UnixMillis;
use thiserror::Error;

use crate::stream::Stream;
pub use encode::{dump, put_length, put_string};
pub use extent::{NoExtent, Walk};
pub use file::{
    FileVersion, NoFieldExpiries, is_compact_kind, kind_of, read_string, read_value, write_value,
};
pub use libraries::{dump_libraries, restore_libraries};
use primitive::Decoder;
use stream::StreamVersion;

/// Version and checksum after the value, in bytes.
const FOOTER_BYTES: usize = 10;
/// The version written: that of Redis 7.2 and Valkey 7.2 to 8.1, which every
/// later server reads.
const PLAIN_VERSION: u16 = 11;
/// The first version of Valkey's own line, whose hashes carry field expiries.
const VALKEY_VERSION: u16 = 80;
/// The newest version read.
const NEWEST_VERSION: u16 = 80;

const TYPE_STRING: u8 = 0;
const TYPE_SET: u8 = 2;
/// Scores as text.
const TYPE_SORTED_SET_TEXT: u8 = 3;
/// Scores as doubles.
const TYPE_SORTED_SET: u8 = 5;
const TYPE_HASH: u8 = 4;
const TYPE_SET_INTEGERS: u8 = 11;
const TYPE_SORTED_SET_ZIPLIST: u8 = 12;
const TYPE_HASH_ZIPLIST: u8 = 13;
const TYPE_HASH_LISTPACK: u8 = 16;
const TYPE_SORTED_SET_LISTPACK: u8 = 17;
const TYPE_SET_LISTPACK: u8 = 20;
const TYPE_STREAM: u8 = 15;
const TYPE_STREAM_COUNTS: u8 = 19;
const TYPE_STREAM_ACTIVITY: u8 = 21;
/// Valkey 9: fields, values and absolute expiries. Redis used the same number
/// for another form in release candidates only; the version tells them apart.
const TYPE_VALKEY_HASH_EXPIRY: u8 = 22;
/// Redis 7.4: expiries relative to the hash's earliest.
const TYPE_REDIS_HASH_EXPIRY: u8 = 24;
/// Redis 7.4: a listpack of triplets with absolute expiries.
const TYPE_REDIS_HASH_LISTPACK_EXPIRY: u8 = 25;

/// A value in transit.
#[derive(Clone, Debug, PartialEq)]
pub enum RdbValue {
    /// The bytes of a string.
    String(Vec<u8>),
    /// The fields of a hash in the order of the payload; at least one, and all
    /// different.
    Hash(Vec<HashField>),
    /// A list, its nodes as they stand in the payload; at least one element.
    List(List),
    /// The members of a set in its form of integers: at least one, ascending.
    IntegerSet(Vec<i64>),
    /// The members of another set in the order of the payload; at least one,
    /// and all different.
    Set(Vec<Vec<u8>>),
    /// The members of a sorted set with their scores, in the order of the
    /// payload; at least one, all different, the scores numbers.
    SortedSet(Vec<(f64, Vec<u8>)>),
    /// A stream.
    Stream(Box<Stream>),
}

/// One field of a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashField {
    /// The field's name.
    pub field: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// When it expires, absolute; may be past. Never negative.
    pub expiry: Option<UnixMillis>,
}

/// Why a payload was not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RdbError {
    /// The footer is missing, of a newer version, or does not match.
    #[error("DUMP payload version or checksum are wrong")]
    VersionOrChecksum,
    /// The footer is right, the value before it is not.
    #[error("Bad data format")]
    BadFormat {
        /// Where: bytes from the start of the payload, or of the listpack,
        /// ziplist or compressed string within it.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// The value is of a type not held here.
    #[error("Bad data format")]
    UnknownType {
        /// The payload's first byte.
        found: u8,
    },
    /// The decoded value would exceed the caller's limit.
    #[error("Bad data format")]
    TooLarge {
        /// The caller's limit, in bytes.
        limit_bytes: usize,
    },
}

/// Decodes a payload whose strings, together, take at most `limit_bytes`.
///
/// # Errors
/// [`RdbError::VersionOrChecksum`] before anything of the value is looked at,
/// the other variants for a value that is malformed, foreign or too large.
pub fn restore(payload: &[u8], limit_bytes: usize) -> Result<RdbValue, RdbError> {
    let (value, version) = verify(payload)?;
    let mut decoder = Decoder::new(value, limit_bytes);
    let kind = decoder.u8()?;
    decode(kind, version, decoder, limit_bytes)
}

/// Decodes the value of type `kind` that is the rest of what `decoder` reads.
fn decode(
    kind: u8,
    version: u16,
    mut decoder: Decoder<'_>,
    limit_bytes: usize,
) -> Result<RdbValue, RdbError> {
    let restored = match kind {
        TYPE_STRING => RdbValue::String(decoder.string()?),
        TYPE_HASH => RdbValue::Hash(plain_hash(&mut decoder)?),
        TYPE_HASH_ZIPLIST => RdbValue::Hash(ziplist_hash(&mut decoder, limit_bytes)?),
        TYPE_HASH_LISTPACK => RdbValue::Hash(listpack_hash(&mut decoder, limit_bytes)?),
        TYPE_SET => RdbValue::Set(set::plain(&mut decoder)?),
        TYPE_SET_INTEGERS => RdbValue::IntegerSet(set::integers(&mut decoder, limit_bytes)?),
        TYPE_SET_LISTPACK => RdbValue::Set(set::listpack(&mut decoder, limit_bytes)?),
        TYPE_SORTED_SET_TEXT => RdbValue::SortedSet(sorted_set::with_text(&mut decoder)?),
        TYPE_SORTED_SET => RdbValue::SortedSet(sorted_set::plain(&mut decoder)?),
        TYPE_SORTED_SET_ZIPLIST => {
            let packed = decoder.blob()?;
            let entries = ziplist::entries(&packed, limit_bytes)?;
            RdbValue::SortedSet(sorted_set::pairs(entries, &decoder)?)
        }
        TYPE_SORTED_SET_LISTPACK => {
            let packed = decoder.blob()?;
            let entries = listpack::entries(&packed, limit_bytes)?;
            RdbValue::SortedSet(sorted_set::pairs(entries, &decoder)?)
        }
        TYPE_VALKEY_HASH_EXPIRY if version >= VALKEY_VERSION => {
            RdbValue::Hash(valkey_expiry_hash(&mut decoder)?)
        }
        TYPE_REDIS_HASH_EXPIRY => RdbValue::Hash(redis_expiry_hash(&mut decoder)?),
        TYPE_REDIS_HASH_LISTPACK_EXPIRY => {
            RdbValue::Hash(redis_expiry_listpack_hash(&mut decoder, limit_bytes)?)
        }
        kind @ (list::TYPE_LIST
        | list::TYPE_LIST_ZIPLIST
        | list::TYPE_LIST_QUICKLIST
        | list::TYPE_LIST_QUICKLIST_2) => {
            RdbValue::List(list::restore(kind, &mut decoder, limit_bytes)?)
        }
        TYPE_STREAM => stream_of(&mut decoder, StreamVersion::First)?,
        TYPE_STREAM_COUNTS => stream_of(&mut decoder, StreamVersion::Counts)?,
        TYPE_STREAM_ACTIVITY => stream_of(&mut decoder, StreamVersion::Activity)?,
        found => return Err(RdbError::UnknownType { found }),
    };
    if !decoder.is_empty() {
        return Err(decoder.bad("the end of the value"));
    }
    if let RdbValue::Hash(fields) = &restored {
        check_fields(fields, &decoder)?;
    }
    Ok(restored)
}

fn stream_of(decoder: &mut Decoder<'_>, version: StreamVersion) -> Result<RdbValue, RdbError> {
    stream::stream(decoder, version).map(|stream| RdbValue::Stream(Box::new(stream)))
}

/// Whether a payload holds a collection in its compact form: the reference
/// keeps it so, whatever the length of its elements.
#[must_use]
pub fn is_compact(payload: &[u8]) -> bool {
    matches!(
        payload.first(),
        Some(
            &(TYPE_HASH_ZIPLIST
                | TYPE_HASH_LISTPACK
                | TYPE_REDIS_HASH_LISTPACK_EXPIRY
                | TYPE_SET_LISTPACK
                | TYPE_SORTED_SET_ZIPLIST
                | TYPE_SORTED_SET_LISTPACK)
        )
    )
}

/// Checks version and checksum; the bytes before them, and the version.
fn verify(payload: &[u8]) -> Result<(&[u8], u16), RdbError> {
    let wrong = RdbError::VersionOrChecksum;
    let value_bytes = payload.len().checked_sub(FOOTER_BYTES).ok_or(wrong)?;
    let (value, footer) = payload.split_at_checked(value_bytes).ok_or(wrong)?;
    let (version, stored) = footer.split_first_chunk::<2>().ok_or(wrong)?;
    let version = u16::from_le_bytes(*version);
    let stored = u64::from_le_bytes(stored.try_into().map_err(|_| wrong)?);
    let covered = payload.len().saturating_sub(8);
    let covered = payload.get(..covered).ok_or(wrong)?;
    if version > NEWEST_VERSION || checksum(CrcAlgorithm::Crc64Redis, covered) != stored {
        return Err(wrong);
    }
    Ok((value, version))
}

/// Refuses an empty hash and a field that comes twice.
fn check_fields(fields: &[HashField], decoder: &Decoder<'_>) -> Result<(), RdbError> {
    if fields.is_empty() {
        return Err(decoder.bad("at least one field"));
    }
    let mut seen = HashSet::new();
    for field in fields {
        if !seen.insert(field.field.as_slice()) {
            return Err(decoder.bad("fields that differ"));
        }
    }
    Ok(())
}

fn plain_hash(decoder: &mut Decoder<'_>) -> Result<Vec<HashField>, RdbError> {
    let mut fields = Vec::new();
    for _ in 0..decoder.length()? {
        fields.push(HashField {
            field: decoder.string()?,
            value: decoder.string()?,
            expiry: None,
        });
    }
    Ok(fields)
}

fn valkey_expiry_hash(decoder: &mut Decoder<'_>) -> Result<Vec<HashField>, RdbError> {
    let mut fields = Vec::new();
    for _ in 0..decoder.length()? {
        let field = decoder.string()?;
        let value = decoder.string()?;
        let expiry = match decoder.i64()? {
            -1 => None,
            millis if millis >= 0 => Some(UnixMillis(millis)),
            _ => return Err(decoder.bad("an expiry or -1")),
        };
        fields.push(HashField {
            field,
            value,
            expiry,
        });
    }
    Ok(fields)
}

fn redis_expiry_hash(decoder: &mut Decoder<'_>) -> Result<Vec<HashField>, RdbError> {
    let earliest = decoder.u64()?;
    let mut fields = Vec::new();
    for _ in 0..decoder.length()? {
        // Zero is "none", so every other distance is stored one too large.
        let expiry = match decoder.length()?.checked_sub(1) {
            None => None,
            Some(distance) => {
                let millis = earliest
                    .checked_add(distance)
                    .and_then(|millis| i64::try_from(millis).ok());
                Some(UnixMillis(
                    millis.ok_or(decoder.bad("an expiry within 63 bits"))?,
                ))
            }
        };
        fields.push(HashField {
            field: decoder.string()?,
            value: decoder.string()?,
            expiry,
        });
    }
    Ok(fields)
}

fn listpack_hash(decoder: &mut Decoder<'_>, limit: usize) -> Result<Vec<HashField>, RdbError> {
    let packed = decoder.blob()?;
    pairs(listpack::entries(&packed, limit)?, decoder)
}

fn ziplist_hash(decoder: &mut Decoder<'_>, limit: usize) -> Result<Vec<HashField>, RdbError> {
    let packed = decoder.blob()?;
    pairs(ziplist::entries(&packed, limit)?, decoder)
}

/// Groups entries two by two into fields and values.
fn pairs(entries: Vec<Vec<u8>>, decoder: &Decoder<'_>) -> Result<Vec<HashField>, RdbError> {
    let mut fields = Vec::new();
    let mut entries = entries.into_iter();
    while let Some(field) = entries.next() {
        let value = entries.next().ok_or(decoder.bad("pairs of entries"))?;
        fields.push(HashField {
            field,
            value,
            expiry: None,
        });
    }
    Ok(fields)
}

fn redis_expiry_listpack_hash(
    decoder: &mut Decoder<'_>,
    limit: usize,
) -> Result<Vec<HashField>, RdbError> {
    // The earliest expiry: repeated in the entries, so of no use here.
    let _ = decoder.u64()?;
    let packed = decoder.blob()?;
    let mut entries = listpack::entries(&packed, limit)?.into_iter();
    let mut fields = Vec::new();
    while let Some(field) = entries.next() {
        let (Some(value), Some(expiry)) = (entries.next(), entries.next()) else {
            return Err(decoder.bad("triplets of entries"));
        };
        let expiry = match crate::number::parse_integer(&expiry) {
            Some(0) => None,
            Some(millis) if millis > 0 => Some(UnixMillis(millis)),
            _ => return Err(decoder.bad("an expiry or 0")),
        };
        fields.push(HashField {
            field,
            value,
            expiry,
        });
    }
    Ok(fields)
}

#[cfg(test)]
mod tests;
