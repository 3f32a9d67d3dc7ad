//! The deterministic changes of a value: what a command's handler hands both to
//! memory and to the log.
//!
//! Owns the bytes of an update (`FORMAT.md`, "Updates") and what it does to a
//! value, changes of form included (those of sets: [`crate::set`],
//! [`crate::sorted_set`]). Does not know commands, keys or the clock:
//! times in it are absolute, so replay needs none. Runs on whichever thread
//! holds the shard.
//!
//! INVARIANT: [`apply`] fails exactly where [`Update::check`] does, so whoever
//! checks first never loses a value. A hash becomes full over the limits and is
//! never packed again; one that loses its last field stays as an empty value,
//! and the caller deletes its key.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::hash::packed::{self, Entries, PackedHash};
use crate::hash::{FullHash, HashEntry};
use crate::list::{ListUpdate, NodeLimit, update as lists};
use crate::set::{self, SetForm};
use crate::sorted_set::{self, Entry};
use crate::stream::{self, StreamUpdate};
use crate::string;
use crate::value::{Form, Limits, Object, TypeError, Value, ValueKind, ValueRef};
use std::sync::Arc;
use thermocline_base::codec::{put_length_prefixed, put_varint};
use thermocline_base::{Reader, UnixMillis};

const STRING_APPEND: u8 = 1;
const STRING_SET_RANGE: u8 = 2;
const HASH_SET: u8 = 3;
const HASH_DELETE: u8 = 4;
const HASH_EXPIRE: u8 = 5;
const SET_ADD: u8 = 32;
const SET_REMOVE: u8 = 33;
const SORTED_SET_SET: u8 = 48;
const SORTED_SET_REMOVE: u8 = 49;

/// One deterministic change of one value.
#[derive(Clone, Debug, PartialEq)]
pub enum Update<'a> {
    /// Bytes put at the end of a string; a missing one is made.
    StringAppend(&'a [u8]),
    /// Bytes written into a string, a gap filled with zeros; a missing string
    /// is made. No bytes change nothing.
    StringSetRange {
        /// Where the first of them goes, in bytes.
        offset: u64,
        /// What is written.
        bytes: &'a [u8],
    },
    /// Fields set one after another, each with the expiry it has afterwards; a
    /// missing hash is made.
    HashSet {
        /// Field, value, expiry.
        fields: Vec<HashEntry<'a>>,
    },
    /// Fields removed; those that are not there are passed over.
    HashDelete {
        /// The fields.
        fields: Vec<&'a [u8]>,
    },
    /// The expiry of one field set or taken away; without effect if the field
    /// is not there.
    HashExpire {
        /// The field.
        field: &'a [u8],
        /// When it expires; `None`: never.
        expiry: Option<UnixMillis>,
    },
    /// A change of a list.
    List(ListUpdate<'a>),
    /// Members added one after another; a missing set is made.
    SetAdd {
        /// The set has this form, or a roomier one, before the first is added.
        at_least: SetForm,
        /// The members.
        members: Vec<&'a [u8]>,
    },
    /// Members removed; those that are not there are passed over.
    SetRemove {
        /// The members.
        members: Vec<&'a [u8]>,
    },
    /// Members given scores one after another; a missing sorted set is made.
    SortedSetSet {
        /// Whether it has the full form before the first.
        is_full: bool,
        /// Scores, which are numbers, and members.
        entries: Vec<Entry<'a>>,
    },
    /// Members removed; those that are not there are passed over.
    SortedSetRemove {
        /// The members.
        members: Vec<&'a [u8]>,
    },
    /// A change of a stream.
    Stream(StreamUpdate<'a>),
}

impl<'a> Update<'a> {
    /// The earliest expiry that it gives a field of a hash.
    #[must_use]
    pub fn earliest_field_expiry(&self) -> Option<UnixMillis> {
        match self {
            Self::HashSet { fields } => fields.iter().filter_map(|(_, _, expiry)| *expiry).min(),
            Self::HashExpire { expiry, .. } => *expiry,
            _ => None,
        }
    }

    /// The kind of value it changes.
    #[must_use]
    pub const fn kind(&self) -> ValueKind {
        match self {
            Self::StringAppend(_) | Self::StringSetRange { .. } => ValueKind::String,
            Self::HashSet { .. } | Self::HashDelete { .. } | Self::HashExpire { .. } => {
                ValueKind::Hash
            }
            Self::List(_) => ValueKind::List,
            Self::SetAdd { .. } | Self::SetRemove { .. } => ValueKind::Set,
            Self::SortedSetSet { .. } | Self::SortedSetRemove { .. } => ValueKind::SortedSet,
            Self::Stream(_) => ValueKind::Stream,
        }
    }

    /// Whether those that watch or track a key that is there are told of the change: of the
    /// entries of a stream, not of its groups and counters, as in Redis and Valkey.
    #[must_use]
    pub const fn is_seen(&self) -> bool {
        match self {
            Self::Stream(update) => update.is_of_entries(),
            _ => true,
        }
    }

    /// Whether those that wait for the key may go on by it: not because one of them was
    /// seen, or they would wake each other for ever.
    #[must_use]
    pub const fn may_serve(&self) -> bool {
        !matches!(self, Self::Stream(StreamUpdate::TouchConsumer { .. }))
    }

    /// Appends the update's bytes.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::StringAppend(bytes) => {
                out.push(STRING_APPEND);
                out.extend_from_slice(bytes);
            }
            Self::StringSetRange { offset, bytes } => {
                out.push(STRING_SET_RANGE);
                put_varint(out, *offset);
                out.extend_from_slice(bytes);
            }
            Self::HashSet { fields } => {
                out.push(HASH_SET);
                for entry in fields {
                    packed::put_entry(out, *entry);
                }
            }
            Self::HashDelete { fields } => {
                out.push(HASH_DELETE);
                put_all(out, fields);
            }
            Self::HashExpire { field, expiry } => {
                out.push(HASH_EXPIRE);
                // An entry without a value: one layout for all.
                packed::put_entry(out, (field, &[], *expiry));
            }
            Self::List(update) => update.encode_into(out),
            Self::SetAdd { at_least, members } => {
                out.push(SET_ADD);
                out.push(*at_least as u8);
                put_all(out, members);
            }
            Self::SetRemove { members } => {
                out.push(SET_REMOVE);
                put_all(out, members);
            }
            Self::SortedSetSet { is_full, entries } => {
                out.push(SORTED_SET_SET);
                out.push(u8::from(*is_full));
                for entry in entries {
                    sorted_set::entries::put(out, *entry);
                }
            }
            Self::SortedSetRemove { members } => {
                out.push(SORTED_SET_REMOVE);
                put_all(out, members);
            }
            Self::Stream(update) => update.encode_into(out),
        }
    }

    /// Reads one update that takes all of `bytes`, trusting nothing about them.
    ///
    /// # Errors
    /// [`TypeError::UnknownUpdate`], [`TypeError::Codec`] with the offset of
    /// the fault.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, TypeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            STRING_APPEND => Ok(Self::StringAppend(reader.rest())),
            STRING_SET_RANGE => {
                let offset = reader.varint()?;
                let bytes = reader.rest();
                Ok(Self::StringSetRange { offset, bytes })
            }
            HASH_SET => {
                let mut fields = Vec::new();
                while !reader.is_empty() {
                    fields.push(packed::next_entry(&mut reader)?);
                }
                Ok(Self::HashSet { fields })
            }
            HASH_DELETE => {
                let fields = all_left(&mut reader)?;
                Ok(Self::HashDelete { fields })
            }
            HASH_EXPIRE => {
                let (field, value, expiry) = packed::next_entry(&mut reader)?;
                if !value.is_empty() || !reader.is_empty() {
                    return Err(reader.invalid("hash expiry update").into());
                }
                Ok(Self::HashExpire { field, expiry })
            }
            number if lists::NUMBERS.contains(&number) => {
                Ok(Self::List(ListUpdate::decode(number, &mut reader)?))
            }
            SET_ADD => {
                let at_least = SetForm::decode(&mut reader)?;
                let members = all_left(&mut reader)?;
                Ok(Self::SetAdd { at_least, members })
            }
            SET_REMOVE => {
                let members = all_left(&mut reader)?;
                Ok(Self::SetRemove { members })
            }
            SORTED_SET_SET => {
                let is_full = match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(reader.invalid("sorted set form").into()),
                };
                let mut entries = Vec::new();
                while !reader.is_empty() {
                    entries.push(sorted_set::entries::next(&mut reader)?);
                }
                Ok(Self::SortedSetSet { is_full, entries })
            }
            SORTED_SET_REMOVE => {
                let members = all_left(&mut reader)?;
                Ok(Self::SortedSetRemove { members })
            }
            tag if stream::update::TAGS.contains(&tag) => {
                StreamUpdate::decode(tag, &mut reader).map(Self::Stream)
            }
            found => Err(TypeError::UnknownUpdate { found }),
        }
    }

    /// Whether it can be applied to `current`; nothing is changed.
    ///
    /// # Errors
    /// [`TypeError::WrongKind`]; [`TypeError::NoValue`] where an update that
    /// makes no value finds none; [`TypeError::TooLarge`].
    pub fn check(&self, current: Option<ValueRef<'_>>) -> Result<(), TypeError> {
        if let Some(found) = current.map(|value| value.kind())
            && found != self.kind()
        {
            let expected = self.kind();
            return Err(TypeError::WrongKind { expected, found });
        }
        let string_bytes = || current.map_or(Ok(0), |value| value.string().map(<[u8]>::len));
        match self {
            Self::StringAppend(bytes) => {
                string::appended_bytes(string_bytes()?, bytes.len())?;
            }
            Self::StringSetRange { offset, bytes } => {
                string::ranged_bytes(string_bytes()?, *offset, bytes.len())?;
            }
            Self::HashSet { fields } => {
                for (field, value, _) in fields {
                    string::bounded(field.len())?;
                    string::bounded(value.len())?;
                }
            }
            Self::SetAdd { members, .. } => {
                for member in members {
                    string::bounded(member.len())?;
                }
            }
            Self::SortedSetSet { entries, .. } => {
                for (_, member) in entries {
                    string::bounded(member.len())?;
                }
            }
            Self::HashDelete { .. }
            | Self::HashExpire { .. }
            | Self::SetRemove { .. }
            | Self::SortedSetRemove { .. } => {
                current.ok_or(TypeError::NoValue)?;
            }
            Self::Stream(update) => {
                if !update.makes_stream() {
                    current.ok_or(TypeError::NoValue)?;
                }
                update.check_size()?;
            }
            Self::List(update) => update.check(current)?,
        }
        Ok(())
    }
}

/// Appends each behind its length.
fn put_all(out: &mut Vec<u8>, all: &[&[u8]]) {
    for bytes in all {
        put_length_prefixed(out, bytes);
    }
}

/// Reads what [`put_all`] wrote, to the end.
fn all_left<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, TypeError> {
    let mut all = Vec::new();
    while !reader.is_empty() {
        all.push(reader.length_prefixed()?);
    }
    Ok(all)
}

/// The value after `update`: the same for the same value, update and limits,
/// whenever and wherever it is applied.
///
/// # Errors
/// As [`Update::check`]; `current` is then lost, so check first where it
/// matters.
pub fn apply(
    current: Option<Value>,
    update: &Update<'_>,
    limits: &Limits,
) -> Result<Value, TypeError> {
    update.check(current.as_ref().map(Value::as_ref))?;
    match update {
        Update::StringAppend(added) => {
            let raw = current.is_some();
            change_string(current, raw, |bytes| {
                bytes.extend_from_slice(added);
                Ok(())
            })
        }
        Update::StringSetRange { offset, bytes } => change_string(current, true, |string| {
            string::set_range(string, *offset, bytes)
        }),
        Update::List(update) => {
            let limit = NodeLimit(limits.list_max_listpack_size);
            Ok(update.apply(current, limit))
        }
        Update::HashSet { .. } | Update::HashDelete { .. } | Update::HashExpire { .. } => {
            Ok(change_hash(current, update, limits))
        }
        Update::SetAdd { at_least, members } => {
            Ok(set::update::add(current, *at_least, members, limits))
        }
        Update::SetRemove { members } => Ok(set::update::remove(current, members)),
        Update::SortedSetSet { is_full, entries } => {
            Ok(sorted_set::update::set(current, *is_full, entries, limits))
        }
        Update::SortedSetRemove { members } => Ok(sorted_set::update::remove(current, members)),
        Update::Stream(update) => Ok(change_stream(current, update, limits)),
    }
}

/// As [`apply`], to a large value where it lies. A list that is small afterwards is
/// returned, and what is left in its place must go.
///
/// # Errors
/// As [`apply`]; the value is then as it was.
pub fn apply_in_place(
    object: &mut Object,
    update: &Update<'_>,
    limits: &Limits,
) -> Result<Option<Value>, TypeError> {
    update.check(Some(ValueRef::Object(object)))?;
    match (object, update) {
        (Object::String { bytes, raw }, Update::StringAppend(added)) => {
            Arc::make_mut(bytes).extend_from_slice(added);
            *raw = true;
        }
        (Object::String { bytes, raw }, Update::StringSetRange { offset, bytes: set }) => {
            string::set_range(Arc::make_mut(bytes), *offset, set)?;
            *raw = true;
        }
        (Object::Hash(full), _) => change_full(full, update),
        (Object::Set(full), Update::SetAdd { members, .. }) => {
            for member in members {
                full.insert(member);
            }
        }
        (Object::Set(full), Update::SetRemove { members }) => {
            for member in members {
                full.remove(member);
            }
        }
        (Object::SortedSet(full), Update::SortedSetSet { entries, .. }) => {
            for entry in entries {
                full.set(*entry);
            }
        }
        (Object::SortedSet(full), Update::SortedSetRemove { members }) => {
            for member in members {
                full.remove(member);
            }
        }
        (Object::List(list), Update::List(update)) => {
            let limit = NodeLimit(limits.list_max_listpack_size);
            return Ok(update.apply_in_place(list, limit));
        }
        (Object::Stream(stream), Update::Stream(update)) => update.apply(stream, limits),
        // Other pairs were refused.
        _ => {}
    }
    Ok(None)
}

fn change_stream(current: Option<Value>, update: &StreamUpdate<'_>, limits: &Limits) -> Value {
    let mut object = match current {
        Some(Value::Object(object)) => object,
        _ => Box::new(Object::Stream(Box::default())),
    };
    if let Object::Stream(stream) = &mut *object {
        update.apply(stream, limits);
    }
    Value::Object(object)
}

fn change_string(
    current: Option<Value>,
    raw: bool,
    change: impl FnOnce(&mut Vec<u8>) -> Result<(), TypeError>,
) -> Result<Value, TypeError> {
    let mut bytes = match current {
        Some(Value::Inline { bytes, .. }) => bytes,
        Some(Value::Object(object)) => match *object {
            // Takes the bytes over unless a capture shares them.
            Object::String { bytes, .. } => Arc::unwrap_or_clone(bytes),
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    change(&mut bytes)?;
    Ok(Value::string(bytes, raw))
}

fn change_hash(current: Option<Value>, update: &Update<'_>, limits: &Limits) -> Value {
    let (mut count, mut body) = match current {
        Some(Value::Object(mut object)) => {
            if let Object::Hash(full) = &mut *object {
                change_full(full, update);
            }
            return Value::Object(object);
        }
        Some(Value::Inline { mut bytes, .. }) => {
            let packed = PackedHash::trusted(&bytes);
            let (count, body_bytes) = (packed.len(), packed.body().len());
            let prefix_bytes = bytes.len().saturating_sub(body_bytes);
            bytes.drain(..prefix_bytes);
            (count, bytes)
        }
        None => (0, Vec::new()),
    };
    let over = |bytes: &[u8]| bytes.len() > limits.hash_max_listpack_value;
    match update {
        Update::HashSet { fields } => {
            for (done, entry) in fields.iter().enumerate() {
                let is_new = packed::set(&mut body, *entry).is_none();
                count = count.saturating_add(usize::from(is_new));
                if count > limits.hash_max_listpack_entries || over(entry.0) || over(entry.1) {
                    let mut full = FullHash::new(limits.field_seed);
                    for (_, entry) in Entries::new(&body) {
                        full.set(entry);
                    }
                    for entry in fields.iter().skip(done.saturating_add(1)) {
                        full.set(*entry);
                    }
                    return Value::Object(Box::new(Object::Hash(full)));
                }
            }
        }
        Update::HashDelete { fields } => {
            for field in fields {
                let gone = packed::remove(&mut body, field).is_some();
                count = count.saturating_sub(usize::from(gone));
            }
        }
        Update::HashExpire { field, expiry } => {
            let value = packed::find(&body, field).map(|(_, entry)| entry.1.to_vec());
            if let Some(value) = value {
                packed::set(&mut body, (field, &value, *expiry));
            }
        }
        _ => {}
    }
    Value::Inline {
        form: Form::HashPacked,
        bytes: packed::with_count(count, body),
    }
}

fn change_full(full: &mut FullHash, update: &Update<'_>) {
    match update {
        Update::HashSet { fields } => {
            for entry in fields {
                full.set(*entry);
            }
        }
        Update::HashDelete { fields } => {
            for field in fields {
                full.remove(field);
            }
        }
        Update::HashExpire { field, expiry } => {
            let value = full.get(field).map(|entry| entry.1.to_vec());
            if let Some(value) = value {
                full.set((field, &value, *expiry));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]
pub(crate) mod tests;
