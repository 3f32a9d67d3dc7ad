//! Values as an RDB file has them, without the footer of a DUMP payload.
//!
//! Owns which form of a value each version of the file knows. Does not know
//! what else is in such a file. Pure; runs on any thread.
//!
//! INVARIANT: what is written for a version, the servers of that version read.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::encode::{put_body, put_string};
use super::list::TYPE_LIST;
use super::primitive::Decoder;
use super::{
    HashField, RdbError, RdbValue, TYPE_HASH, TYPE_REDIS_HASH_EXPIRY, TYPE_SET, TYPE_SORTED_SET,
    TYPE_STREAM, TYPE_STREAM_COUNTS, TYPE_VALKEY_HASH_EXPIRY, decode, put_length, stream,
};
use crate::hash::HashRef;
use crate::set::Member;
use crate::{Limits, SetForm, SetRef, TypeError, Update, Value, ValueKind, ValueRef, apply};
use thermocline_base::UnixMillis;
use thiserror::Error;

/// A version of RDB files that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileVersion {
    /// 9, of Redis 5 and 6.
    Redis5,
    /// 10, of Redis 7.0.
    Redis70,
    /// 11, of Redis 7.2 and Valkey 7.2 to 8.
    Redis72,
    /// 12, of Redis 7.4 to 8.2: hashes have field expiries.
    Redis74,
    /// 80, of Valkey 9: hashes have field expiries.
    Valkey9,
}

impl FileVersion {
    /// The number in the file's header.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Redis5 => 9,
            Self::Redis70 => 10,
            Self::Redis72 => 11,
            Self::Redis74 => 12,
            Self::Valkey9 => 80,
        }
    }
}

/// The version cannot say this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "fields of the hash expire, which only RDB versions 80, of Valkey 9, and 12, of Redis 7.4, \
     can say"
)]
pub struct NoFieldExpiries;

/// Appends a value to a file of `version`; the type that stands before its key.
///
/// # Errors
/// [`NoFieldExpiries`], and nothing was appended.
pub fn write_value(
    out: &mut Vec<u8>,
    value: &RdbValue,
    is_compact: bool,
    version: FileVersion,
) -> Result<u8, NoFieldExpiries> {
    if let RdbValue::Hash(fields) = value
        && version < FileVersion::Valkey9
        && let Some(earliest) = fields.iter().filter_map(|field| field.expiry).min()
    {
        if version < FileVersion::Redis74 {
            return Err(NoFieldExpiries);
        }
        put_redis_expiry_hash(out, fields, earliest);
        return Ok(TYPE_REDIS_HASH_EXPIRY);
    }
    // Redis 5 and 6 know no listpacks but those of streams; Redis 7.0 none of sets.
    let is_compact = is_compact
        && match value {
            RdbValue::Set(_) => version >= FileVersion::Redis72,
            _ => version >= FileVersion::Redis70,
        };
    Ok(match value {
        RdbValue::List(list) if version < FileVersion::Redis70 => {
            put_length(out, list.len() as u64);
            for element in list.iter() {
                put_string(out, &element.to_vec());
            }
            TYPE_LIST
        }
        RdbValue::Stream(it) if version < FileVersion::Redis72 => {
            if version < FileVersion::Redis70 {
                stream::put(out, it, stream::StreamVersion::First);
                TYPE_STREAM
            } else {
                stream::put(out, it, stream::StreamVersion::Counts);
                TYPE_STREAM_COUNTS
            }
        }
        _ => put_body(out, value, is_compact),
    })
}

/// Appends the fields with the rest of their times after `earliest`, plus one: 0 is none.
fn put_redis_expiry_hash(out: &mut Vec<u8>, fields: &[HashField], earliest: UnixMillis) {
    // A time before 1970 is long past, and nothing is before it.
    let earliest_ms = earliest.0.max(0);
    out.extend_from_slice(&earliest_ms.to_le_bytes());
    put_length(out, fields.len() as u64);
    for field in fields {
        let rest_ms = field
            .expiry
            .map(|at| at.0.saturating_sub(earliest_ms).max(0));
        put_length(
            out,
            rest_ms.map_or(0, |rest_ms| rest_ms.unsigned_abs().saturating_add(1)),
        );
        put_string(out, &field.field);
        put_string(out, &field.value);
    }
}

/// Decodes the value of type `kind` that `bytes` are, no more and no less; its
/// strings together take at most `limit_bytes`. `version` is that of the file.
///
/// # Errors
/// As [`restore`](super::restore), but for the footer.
pub fn read_value(
    kind: u8,
    version: u16,
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<RdbValue, RdbError> {
    decode(kind, version, Decoder::new(bytes, limit_bytes), limit_bytes)
}

/// Decodes the string that `bytes` are.
///
/// # Errors
/// As [`read_value`].
pub fn read_string(bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, RdbError> {
    let mut decoder = Decoder::new(bytes, limit_bytes);
    let string = decoder.string()?;
    if decoder.is_empty() {
        Ok(string)
    } else {
        Err(decoder.bad("the end of the string"))
    }
}

/// Whether a collection of type `kind` is kept in its compact form.
#[must_use]
pub fn is_compact_kind(kind: u8) -> bool {
    super::is_compact(&[kind])
}

/// The name of the type of `kind`, as the TYPE command has it; `None` for
/// those of modules and unknown ones.
#[must_use]
pub fn kind_of(kind: u8) -> Option<ValueKind> {
    Some(match kind {
        super::TYPE_STRING => ValueKind::String,
        TYPE_LIST | 10 | 14 | 18 => ValueKind::List,
        TYPE_SET | 11 | 20 => ValueKind::Set,
        3 | TYPE_SORTED_SET | 12 | 17 => ValueKind::SortedSet,
        TYPE_HASH | 9 | 13 | 16 | TYPE_VALKEY_HASH_EXPIRY | 23..=25 => ValueKind::Hash,
        TYPE_STREAM | 19 | 21 => ValueKind::Stream,
        _ => return None,
    })
}

impl RdbValue {
    /// The value as it is at `now`, without expired fields; `None` for a hash
    /// that has no others, and for what is no value.
    #[must_use]
    pub fn of(value: ValueRef<'_>, now: UnixMillis) -> Option<Self> {
        match value.kind() {
            ValueKind::String => Some(Self::String(value.string().ok()?.to_vec())),
            ValueKind::Hash => {
                let fields = live_fields(value.hash().ok()?, now);
                (!fields.is_empty()).then_some(Self::Hash(fields))
            }
            ValueKind::List => Some(Self::List(value.list().ok()?.capture())),
            ValueKind::Set => Some(match value.set().ok()? {
                SetRef::Integers(integers) => Self::IntegerSet(integers.iter().collect()),
                set => Self::Set(set.iter().map(|member| member.to_vec()).collect()),
            }),
            ValueKind::SortedSet => {
                let entries = value.sorted_set().ok()?.iter();
                let entries = entries.map(|(score, member)| (score, member.to_vec()));
                Some(Self::SortedSet(entries.collect()))
            }
            ValueKind::Stream => Some(Self::Stream(Box::new(value.stream().ok()?.clone()))),
        }
    }

    /// The value as it is kept: a collection that `is_compact` where it came
    /// from stays so within `limits`.
    ///
    /// # Errors
    /// [`TypeError`] for a string that is too long.
    pub fn into_value(self, is_compact: bool, limits: &Limits) -> Result<Value, TypeError> {
        match self {
            Self::String(bytes) => Value::from_string(bytes),
            Self::Stream(stream) => Ok(Value::from_stream(*stream)),
            Self::List(list) => Ok(Value::from_list(list, limits)),
            Self::Hash(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|entry| (&*entry.field, &*entry.value, entry.expiry))
                    .collect();
                if is_compact && fields.len() <= limits.hash_max_listpack_entries {
                    return Value::from_packed_fields(&fields);
                }
                apply(None, &Update::HashSet { fields }, limits)
            }
            Self::IntegerSet(numbers) => {
                let members: Vec<_> = numbers.into_iter().map(Member::integer).collect();
                let members = members.iter().map(|member| &**member).collect();
                let at_least = SetForm::Integers;
                apply(None, &Update::SetAdd { at_least, members }, limits)
            }
            Self::Set(members) => {
                let members: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
                if is_compact && members.len() <= limits.set_max_listpack_entries {
                    return Value::from_packed_members(&members);
                }
                let at_least = SetForm::Integers;
                apply(None, &Update::SetAdd { at_least, members }, limits)
            }
            Self::SortedSet(entries) => {
                let entries: Vec<(f64, &[u8])> = entries
                    .iter()
                    .map(|(score, member)| (*score, member.as_slice()))
                    .collect();
                let is_large = entries.len() > limits.zset_max_listpack_entries;
                if is_compact && !is_large {
                    return Value::from_packed_entries(&entries);
                }
                let is_full = is_compact || is_large;
                apply(None, &Update::SortedSetSet { is_full, entries }, limits)
            }
        }
    }
}

fn live_fields(hash: HashRef<'_>, now: UnixMillis) -> Vec<HashField> {
    let live = hash.iter(now);
    live.map(|(field, value, expiry)| HashField {
        field: field.to_vec(),
        value: value.to_vec(),
        expiry,
    })
    .collect()
}
