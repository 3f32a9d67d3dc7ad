//! Writes DUMP payloads.
//!
//! Compact collections are written as a listpack, others one by one, hashes with
//! field expiries in Valkey 9's form; the thresholds are the reference's
//! defaults. Strings shrink to an integer or by LZF where that is shorter.
//! Pure; runs on any thread.
//!
//! INVARIANT: what is written here, `restore` reads back unchanged.

#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "lengths of slices in memory, not input"
)]

use crc_fast::{CrcAlgorithm, checksum};

use super::listpack::{END, put_backward_length};
use super::lzf;
use super::primitive::{
    LENGTH_14_BIT, LENGTH_32_BIT, LENGTH_64_BIT, STRING_I8, STRING_I16, STRING_I32, STRING_LZF,
};
use super::stream::{self, StreamVersion};
use super::{
    HashField, PLAIN_VERSION, RdbValue, TYPE_HASH, TYPE_HASH_LISTPACK, TYPE_STREAM_ACTIVITY,
    TYPE_STRING, TYPE_VALKEY_HASH_EXPIRY, VALKEY_VERSION, set, sorted_set,
};
use crate::number::parse_integer;

/// A collection of at most this many entries (a hash has two a field) may be a
/// listpack.
const LISTPACK_ENTRIES: usize = 1024;
/// As long as none is longer, in bytes.
const LISTPACK_STRING_BYTES: usize = 64;
/// Longer strings are compressed where that saves at least four bytes.
const UNCOMPRESSED_BYTES: usize = 20;
/// Larger strings stay plain: the compressor counts in 32 bits.
const COMPRESSIBLE_BYTES: usize = 1 << 30;
/// The longest text of a 32-bit integer.
const LONGEST_I32_BYTES: usize = 11;

/// Encodes a value as DUMP does: RDB version 11, or 80 for a hash with field
/// expiries. A hash that `is_compact` in memory is a listpack, if its fields are
/// short enough. Memory: the payload and one compressed copy of its longest part.
///
/// A hash without fields has no such form: the reference never holds one, and
/// [`restore`](super::restore) refuses what this would write.
#[must_use]
pub fn dump(value: &RdbValue, is_compact: bool) -> Vec<u8> {
    let mut out = vec![0];
    out[0] = put_body(&mut out, value, is_compact);
    let version = match out[0] {
        TYPE_VALKEY_HASH_EXPIRY => VALKEY_VERSION,
        _ => PLAIN_VERSION,
    };
    out.extend_from_slice(&version.to_le_bytes());
    let sum = checksum(CrcAlgorithm::Crc64Redis, &out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// Appends the value; its type. A hash with field expiries is in Valkey 9's form.
pub(super) fn put_body(out: &mut Vec<u8>, value: &RdbValue, is_compact: bool) -> u8 {
    match value {
        RdbValue::String(bytes) => {
            put_string(out, bytes);
            TYPE_STRING
        }
        RdbValue::Stream(it) => {
            stream::put(out, it, StreamVersion::Activity);
            TYPE_STREAM_ACTIVITY
        }
        RdbValue::Hash(fields) if fields.iter().any(|field| field.expiry.is_some()) => {
            put_length(out, fields.len() as u64);
            for field in fields {
                put_string(out, &field.field);
                put_string(out, &field.value);
                let expiry = field.expiry.map_or(-1, |at| at.0.max(0));
                out.extend_from_slice(&expiry.to_le_bytes());
            }
            TYPE_VALKEY_HASH_EXPIRY
        }
        RdbValue::Hash(fields) if is_compact && fits_listpack(fields_and_values(fields)) => {
            put_string(out, &listpack_of(fields_and_values(fields)));
            TYPE_HASH_LISTPACK
        }
        RdbValue::Hash(fields) => {
            put_length(out, fields.len() as u64);
            for field in fields {
                put_string(out, &field.field);
                put_string(out, &field.value);
            }
            TYPE_HASH
        }
        RdbValue::IntegerSet(numbers) => set::put_integers(out, numbers),
        RdbValue::Set(members) => set::put_members(out, members, is_compact),
        RdbValue::SortedSet(entries) => sorted_set::put_entries(out, entries, is_compact),
        RdbValue::List(list) => {
            super::list::put(out, list);
            super::list::TYPE_LIST_QUICKLIST_2
        }
    }
}

/// The fields of a hash, each followed by its value.
fn fields_and_values(fields: &[HashField]) -> impl Iterator<Item = &[u8]> {
    fields
        .iter()
        .flat_map(|field| [field.field.as_slice(), field.value.as_slice()])
}

/// Whether [`listpack_of`] takes them.
pub(super) fn fits_listpack<'a>(entries: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut count = 0;
    for entry in entries {
        count += 1;
        if count > LISTPACK_ENTRIES || entry.len() > LISTPACK_STRING_BYTES {
            return false;
        }
    }
    true
}

/// The listpack of some entries that [`fits_listpack`].
pub(super) fn listpack_of<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut count = 0_u16;
    for text in texts {
        put_entry(&mut entries, text);
        count = count.saturating_add(1);
    }
    // At most 1,024 entries of under 70 bytes.
    let total = u32::try_from(4 + 2 + entries.len() + 1).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(entries.len() + 7);
    out.extend_from_slice(&total.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&entries);
    out.push(END);
    out
}

/// One listpack entry: an integer where the text is one, else a string of at
/// most [`LISTPACK_STRING_BYTES`].
fn put_entry(out: &mut Vec<u8>, text: &[u8]) {
    let start = out.len();
    match parse_integer(text) {
        Some(value @ 0..=127) => out.push(value.to_le_bytes()[0]),
        Some(value @ -4096..=4095) => {
            let [low, high, ..] = value.to_le_bytes();
            out.extend_from_slice(&[0xc0 | (high & 0x1f), low]);
        }
        Some(value) => {
            let bytes = value.to_le_bytes();
            let (encoding, width) = match value {
                -0x8000..=0x7fff => (0xf1, 2),
                -0x80_0000..=0x7f_ffff => (0xf2, 3),
                -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
                _ => (0xf4, 8),
            };
            out.push(encoding);
            out.extend_from_slice(&bytes[..width]);
        }
        None => {
            let [low, high, ..] = text.len().to_le_bytes();
            if text.len() < 64 {
                out.push(0x80 | low);
            } else {
                out.extend_from_slice(&[0xe0 | (high & 0x0f), low]);
            }
            out.extend_from_slice(text);
        }
    }
    let length = out.len() - start;
    put_backward_length(out, length);
}

/// Appends a count or a number.
pub fn put_length(out: &mut Vec<u8>, length: u64) {
    if length < 1 << 6 {
        out.push(length.to_le_bytes()[0]);
    } else if length < 1 << 14 {
        let [low, high, ..] = length.to_le_bytes();
        out.extend_from_slice(&[LENGTH_14_BIT | high, low]);
    } else if let Ok(length) = u32::try_from(length) {
        out.push(LENGTH_32_BIT);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(LENGTH_64_BIT);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

/// Appends a string in its shortest form.
pub fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= LONGEST_I32_BYTES
        && let Some(value) = parse_integer(bytes)
    {
        if let Ok(value) = i8::try_from(value) {
            out.push(STRING_I8);
            return out.extend_from_slice(&value.to_le_bytes());
        }
        if let Ok(value) = i16::try_from(value) {
            out.push(STRING_I16);
            return out.extend_from_slice(&value.to_le_bytes());
        }
        if let Ok(value) = i32::try_from(value) {
            out.push(STRING_I32);
            return out.extend_from_slice(&value.to_le_bytes());
        }
    }
    if bytes.len() > UNCOMPRESSED_BYTES
        && bytes.len() <= COMPRESSIBLE_BYTES
        && let Some(compressed) = lzf::compress(bytes, bytes.len() - 4)
    {
        out.push(STRING_LZF);
        put_length(out, compressed.len() as u64);
        put_length(out, bytes.len() as u64);
        return out.extend_from_slice(&compressed);
    }
    put_length(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
