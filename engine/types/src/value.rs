//! A value and its forms: the same bytes in memory, in the log and on disk while
//! it is small, an object when it is large.
//!
//! Owns the form bytes (`FORMAT.md`, "Forms") and the crate's error. Does not
//! know keys, key expiry, records or files. Runs on whichever thread holds the
//! shard; a clone of a value is a capture that any thread may serialise.
//!
//! INVARIANT: the bytes of an inline [`Value`] decode wholly in its form: they
//! come from [`Value::deserialize`] or from [`crate::update::apply`].

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::hash::{self, FullHash, HashEntry, HashRef, PackedHash};
use crate::list::{self, List, ListRef, PackedList};
use crate::set::{FullSet, IntegerSet, PackedSet, SetRef};
use crate::sorted_set::{self, Entry, FullSortedSet, PackedSortedSet, SortedSetRef};
use crate::stream::{self, Stream};
use crate::string;
use std::borrow::Cow;
use std::sync::Arc;
use thermocline_base::limits::STRING_MAX_BYTES;
use thermocline_base::{CodecError, HashSeed};
use thiserror::Error;

/// Strings above this many bytes become objects, so that growing one is not a
/// new record each time.
pub const STRING_INLINE_MAX_BYTES: usize = 16 * 1024;

/// Why a value could not be read or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TypeError {
    /// The operation is for a value of another kind.
    #[error("the value is a {}, not a {}", found.name(), expected.name())]
    WrongKind {
        /// What the operation is for.
        expected: ValueKind,
        /// What the value is.
        found: ValueKind,
    },
    /// The update changes a value that is not there.
    #[error("there is no value to change")]
    NoValue,
    /// A string, a field or a value would exceed [`STRING_MAX_BYTES`].
    #[error("{bytes} bytes exceed the limit of {STRING_MAX_BYTES} bytes")]
    TooLarge {
        /// How many it would have.
        bytes: usize,
    },
    /// No form has this number.
    #[error("unknown value form {found}")]
    UnknownForm {
        /// The number.
        found: u8,
    },
    /// No update has this number.
    #[error("unknown update {found}")]
    UnknownUpdate {
        /// The number.
        found: u8,
    },
    /// The bytes do not decode; the offset counts from the first of them.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What a value is, to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKind {
    /// Bytes.
    String,
    /// Fields with values.
    Hash,
    /// Elements in an order.
    List,
    /// Members.
    Set,
    /// Members with scores.
    SortedSet,
    /// Entries in the order of their ids.
    Stream,
}

impl ValueKind {
    /// The name as `TYPE` replies it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Hash => "hash",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Stream => "stream",
        }
    }
}

/// How a value's bytes are to be read. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Form {
    /// The bytes of a string that was set whole.
    StringBytes = 1,
    /// The bytes of a string after `APPEND` or `SETRANGE`, which
    /// `OBJECT ENCODING` calls `raw` whatever they are.
    StringRaw = 2,
    /// A packed hash.
    HashPacked = 3,
    /// A full hash.
    HashFull = 4,
    /// A list that is one listpack.
    ListPacked = 5,
    /// A list of nodes.
    ListFull = 6,
    /// A set of integers.
    SetIntegers = 7,
    /// A packed set.
    SetPacked = 8,
    /// A full set.
    SetFull = 9,
    /// A packed sorted set.
    SortedSetPacked = 10,
    /// A full sorted set.
    SortedSetFull = 11,
    /// A stream.
    Stream = 12,
}

impl Form {
    /// The form of this number.
    ///
    /// # Errors
    /// [`TypeError::UnknownForm`].
    pub const fn from_u8(number: u8) -> Result<Self, TypeError> {
        match number {
            1 => Ok(Self::StringBytes),
            2 => Ok(Self::StringRaw),
            3 => Ok(Self::HashPacked),
            4 => Ok(Self::HashFull),
            5 => Ok(Self::ListPacked),
            6 => Ok(Self::ListFull),
            7 => Ok(Self::SetIntegers),
            8 => Ok(Self::SetPacked),
            9 => Ok(Self::SetFull),
            10 => Ok(Self::SortedSetPacked),
            11 => Ok(Self::SortedSetFull),
            12 => Ok(Self::Stream),
            found => Err(TypeError::UnknownForm { found }),
        }
    }

    /// What a value of this form is.
    #[must_use]
    pub const fn kind(self) -> ValueKind {
        match self {
            Self::StringBytes | Self::StringRaw => ValueKind::String,
            Self::HashPacked | Self::HashFull => ValueKind::Hash,
            Self::ListPacked | Self::ListFull => ValueKind::List,
            Self::SetIntegers | Self::SetPacked | Self::SetFull => ValueKind::Set,
            Self::SortedSetPacked | Self::SortedSetFull => ValueKind::SortedSet,
            Self::Stream => ValueKind::Stream,
        }
    }
}

/// Up to where a collection stays packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `hash-max-listpack-entries`: fields of a packed hash.
    pub hash_max_listpack_entries: usize,
    /// `hash-max-listpack-value`: bytes of a field or value in a packed hash.
    pub hash_max_listpack_value: usize,
    /// `list-max-listpack-size`: what a node of a list may hold, as
    /// [`crate::list::NodeLimit`] reads it.
    pub list_max_listpack_size: i32,
    /// `set-max-intset-entries`: members of a set of integers.
    pub set_max_intset_entries: usize,
    /// `set-max-listpack-entries`: members of a packed set.
    pub set_max_listpack_entries: usize,
    /// `set-max-listpack-value`: bytes of a member of a packed set.
    pub set_max_listpack_value: usize,
    /// `zset-max-listpack-entries`: members of a packed sorted set.
    pub zset_max_listpack_entries: usize,
    /// `zset-max-listpack-value`: bytes of a member of a packed sorted set.
    pub zset_max_listpack_value: usize,
    /// `stream-node-max-bytes`: bytes of a stream's node; 0 is no limit.
    pub stream_node_max_bytes: usize,
    /// `stream-node-max-entries`: entries of a stream's node; 0 is no limit.
    pub stream_node_max_entries: usize,
    /// Spreads the fields of hashes that become full; secret, so that no client
    /// can make its fields collide. Stored with each full hash.
    pub field_seed: HashSeed,
}

impl Default for Limits {
    /// Valkey's limits, and the seed 0.
    fn default() -> Self {
        Self {
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            list_max_listpack_size: -2,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            stream_node_max_bytes: 4096,
            stream_node_max_entries: 100,
            field_seed: HashSeed(0),
        }
    }
}

/// A large value. Its clone is cheap and is a capture.
#[derive(Clone, Debug)]
pub enum Object {
    /// A string above [`STRING_INLINE_MAX_BYTES`].
    String {
        /// Its bytes.
        bytes: Arc<Vec<u8>>,
        /// Whether `APPEND` or `SETRANGE` made it.
        raw: bool,
    },
    /// A hash above the [`Limits`].
    Hash(FullHash),
    /// A list above a kilobyte.
    List(List),
    /// A set above the [`Limits`].
    Set(FullSet),
    /// A sorted set above the [`Limits`].
    SortedSet(FullSortedSet),
    /// A stream.
    Stream(Box<Stream>),
}

impl Object {
    /// The bytes it takes on the heap besides itself, before the allocator
    /// rounds; what a capture shares counts in both.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::String { bytes, .. } => bytes.capacity(),
            Self::Hash(full) => full.heap_bytes(),
            Self::List(list) => list.heap_bytes(),
            Self::Set(full) => full.heap_bytes(),
            Self::SortedSet(full) => full.heap_bytes(),
            Self::Stream(stream) => size_of::<Stream>().saturating_add(stream.heap_bytes()),
        }
    }
}

/// A value where it lies.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// A small one: its bytes in their form.
    Inline {
        /// How to read the bytes; never that of an object.
        form: Form,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A large one.
    Object(&'a Object),
}

impl<'a> ValueRef<'a> {
    /// What it is, to a client.
    #[must_use]
    pub const fn kind(&self) -> ValueKind {
        match self {
            Self::Inline { form, .. } => form.kind(),
            Self::Object(Object::String { .. }) => ValueKind::String,
            Self::Object(Object::Hash(_)) => ValueKind::Hash,
            Self::Object(Object::List(_)) => ValueKind::List,
            Self::Object(Object::Set(_)) => ValueKind::Set,
            Self::Object(Object::SortedSet(_)) => ValueKind::SortedSet,
            Self::Object(Object::Stream(_)) => ValueKind::Stream,
        }
    }

    /// The name `OBJECT ENCODING` replies, as Valkey's.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self {
            Self::Inline { form, bytes } => match form {
                Form::StringBytes => string::encoding_name(bytes),
                Form::StringRaw => "raw",
                Form::HashPacked | Form::ListPacked | Form::SetPacked | Form::SortedSetPacked => {
                    "listpack"
                }
                Form::HashFull | Form::SetFull => "hashtable",
                Form::ListFull => "quicklist",
                Form::SetIntegers => "intset",
                Form::SortedSetFull => "skiplist",
                Form::Stream => "stream",
            },
            Self::Object(Object::String { .. }) => "raw",
            Self::Object(Object::Hash(_) | Object::Set(_)) => "hashtable",
            Self::Object(Object::List(list)) if list.is_quicklist() => "quicklist",
            Self::Object(Object::List(_)) => "listpack",
            Self::Object(Object::SortedSet(_)) => "skiplist",
            Self::Object(Object::Stream(_)) => "stream",
        }
    }

    /// Whether it is a string that was changed in its place, which
    /// `OBJECT ENCODING` calls `raw` however short it is.
    #[must_use]
    pub const fn is_raw_string(&self) -> bool {
        match self {
            Self::Inline { form, .. } => matches!(form, Form::StringRaw),
            Self::Object(object) => matches!(object, Object::String { raw: true, .. }),
        }
    }

    const fn wrong_kind(&self, expected: ValueKind) -> TypeError {
        TypeError::WrongKind {
            expected,
            found: self.kind(),
        }
    }

    /// The bytes of a string.
    ///
    /// # Errors
    /// [`TypeError::WrongKind`] for another value.
    pub fn string(&self) -> Result<&'a [u8], TypeError> {
        match *self {
            Self::Inline {
                form: Form::StringBytes | Form::StringRaw,
                bytes,
            } => Ok(bytes),
            Self::Object(Object::String { bytes, .. }) => Ok(bytes),
            _ => Err(self.wrong_kind(ValueKind::String)),
        }
    }

    /// A hash, to read.
    ///
    /// # Errors
    /// [`TypeError::WrongKind`] for another value.
    pub fn hash(&self) -> Result<HashRef<'a>, TypeError> {
        match *self {
            Self::Inline {
                form: Form::HashPacked,
                bytes,
            } => Ok(HashRef::Packed(PackedHash::trusted(bytes))),
            Self::Object(Object::Hash(full)) => Ok(HashRef::Full(full)),
            _ => Err(self.wrong_kind(ValueKind::Hash)),
        }
    }

    /// A list, to read.
    ///
    /// # Errors
    /// [`TypeError::WrongKind`] for another value.
    pub fn list(&self) -> Result<ListRef<'a>, TypeError> {
        match *self {
            Self::Inline {
                form: Form::ListPacked,
                bytes,
            } => Ok(ListRef::Packed(PackedList::trusted(bytes))),
            Self::Object(Object::List(list)) => Ok(ListRef::Full(list)),
            _ => Err(self.wrong_kind(ValueKind::List)),
        }
    }

    /// A set, to read.
    ///
    /// # Errors
    /// [`TypeError::WrongKind`] for another value.
    pub fn set(&self) -> Result<SetRef<'a>, TypeError> {
        match *self {
            Self::Inline {
                form: Form::SetIntegers,
                bytes,
            } => Ok(SetRef::Integers(IntegerSet::trusted(bytes))),
            Self::Inline {
                form: Form::SetPacked,
                bytes,
            } => Ok(SetRef::Packed(PackedSet::trusted(bytes))),
            Self::Object(Object::Set(full)) => Ok(SetRef::Full(full)),
            _ => Err(self.wrong_kind(ValueKind::Set)),
        }
    }

    /// A sorted set, to read.
    ///
    /// # Errors
    /// [`TypeError::WrongKind`] for another value.
    pub fn sorted_set(&self) -> Result<SortedSetRef<'a>, TypeError> {
        match *self {
            Self::Inline {
                form: Form::SortedSetPacked,
                bytes,
            } => Ok(SortedSetRef::Packed(PackedSortedSet::trusted(bytes))),
            Self::Object(Object::SortedSet(full)) => Ok(SortedSetRef::Full(full)),
            _ => Err(self.wrong_kind(ValueKind::SortedSet)),
        }
    }

    /// A stream, to read.
    ///
    /// # Errors
    /// [`TypeError::WrongKind`] for another value.
    pub fn stream(&self) -> Result<&'a Stream, TypeError> {
        match *self {
            Self::Object(Object::Stream(stream)) => Ok(stream),
            _ => Err(self.wrong_kind(ValueKind::Stream)),
        }
    }

    /// Whether it is a collection without an element whose key is to be deleted; a
    /// stream stays.
    #[must_use]
    pub fn is_empty_collection(&self) -> bool {
        match self.kind() {
            ValueKind::String | ValueKind::Stream => false,
            ValueKind::Hash => self.hash().is_ok_and(|hash| hash.is_empty()),
            ValueKind::List => self.list().is_ok_and(|list| list.is_empty()),
            ValueKind::Set => self.set().is_ok_and(|set| set.is_empty()),
            ValueKind::SortedSet => self.sorted_set().is_ok_and(|set| set.is_empty()),
        }
    }

    /// Appends its serialised bytes; the form they are to be read in.
    pub fn serialize_into(&self, out: &mut Vec<u8>) -> Form {
        match *self {
            Self::Inline { form, bytes } => {
                out.extend_from_slice(bytes);
                form
            }
            Self::Object(Object::String { bytes, raw }) => {
                out.extend_from_slice(bytes);
                string_form(*raw)
            }
            Self::Object(Object::Hash(full)) => {
                hash::serialize_full(full, out);
                Form::HashFull
            }
            Self::Object(Object::List(list)) => list::serialize_full(list, out),
            Self::Object(Object::Set(full)) => {
                full.serialize_into(out);
                Form::SetFull
            }
            Self::Object(Object::SortedSet(full)) => {
                full.serialize_into(out);
                Form::SortedSetFull
            }
            Self::Object(Object::Stream(stream)) => {
                stream::serialize(stream, out);
                Form::Stream
            }
        }
    }

    /// A capture: small values are copied, large ones shared until changed.
    #[must_use]
    pub fn capture(&self) -> Value {
        match *self {
            Self::Inline { form, bytes } => Value::Inline {
                form,
                bytes: bytes.to_vec(),
            },
            Self::Object(object) => Value::Object(Box::new(object.clone())),
        }
    }
}

/// A value of one's own.
#[derive(Clone, Debug)]
pub enum Value {
    /// A small one: its bytes in their form.
    Inline {
        /// How to read the bytes; never that of an object.
        form: Form,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A large one.
    Object(Box<Object>),
}

const fn string_form(raw: bool) -> Form {
    if raw {
        Form::StringRaw
    } else {
        Form::StringBytes
    }
}

impl Value {
    /// A string of these bytes, set whole.
    ///
    /// # Errors
    /// [`TypeError::TooLarge`] above [`STRING_MAX_BYTES`].
    pub fn from_string(bytes: Vec<u8>) -> Result<Self, TypeError> {
        string::bounded(bytes.len())?;
        Ok(Self::string(bytes, false))
    }

    /// A string of these bytes, which `OBJECT ENCODING` calls `raw`.
    ///
    /// # Errors
    /// [`TypeError::TooLarge`] above [`STRING_MAX_BYTES`].
    pub fn from_raw_string(bytes: Vec<u8>) -> Result<Self, TypeError> {
        string::bounded(bytes.len())?;
        Ok(Self::string(bytes, true))
    }

    /// A compact hash of these fields, which all differ.
    ///
    /// # Errors
    /// [`TypeError::TooLarge`] for a field or value above [`STRING_MAX_BYTES`].
    pub fn from_packed_fields(fields: &[HashEntry<'_>]) -> Result<Self, TypeError> {
        let mut body = Vec::new();
        for entry in fields {
            string::bounded(entry.0.len())?;
            string::bounded(entry.1.len())?;
            hash::packed::put_entry(&mut body, *entry);
        }
        let mut bytes = Vec::new();
        PackedHash::put(&mut bytes, fields.len(), &body);
        Ok(Self::Inline {
            form: Form::HashPacked,
            bytes,
        })
    }

    /// A list in the form that the limits ask for. It is not empty.
    #[must_use]
    pub fn from_list(mut list: List, limits: &Limits) -> Self {
        list.settle(list::NodeLimit(limits.list_max_listpack_size));
        list::into_value(list)
    }

    /// A packed set of these members, which all differ.
    ///
    /// # Errors
    /// [`TypeError::TooLarge`] for a member above [`STRING_MAX_BYTES`].
    pub fn from_packed_members(members: &[&[u8]]) -> Result<Self, TypeError> {
        for member in members {
            string::bounded(member.len())?;
        }
        Ok(Self::Inline {
            form: Form::SetPacked,
            bytes: PackedSet::bytes_of(members.iter().copied()),
        })
    }

    /// A packed sorted set of these entries, whose members all differ and whose
    /// scores are numbers.
    ///
    /// # Errors
    /// [`TypeError::TooLarge`] for a member above [`STRING_MAX_BYTES`].
    pub fn from_packed_entries(entries: &[Entry<'_>]) -> Result<Self, TypeError> {
        for (_, member) in entries {
            string::bounded(member.len())?;
        }
        Ok(sorted_set::update::packed(entries))
    }

    /// A stream.
    #[must_use]
    pub fn from_stream(stream: Stream) -> Self {
        Self::Object(Box::new(Object::Stream(Box::new(stream))))
    }

    /// A string in the form its length asks for.
    pub(crate) fn string(bytes: Vec<u8>, raw: bool) -> Self {
        if bytes.len() > STRING_INLINE_MAX_BYTES {
            let bytes = Arc::new(bytes);
            return Self::Object(Box::new(Object::String { bytes, raw }));
        }
        Self::Inline {
            form: string_form(raw),
            bytes,
        }
    }

    /// The value, to read.
    #[must_use]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Inline { form, bytes } => ValueRef::Inline { form: *form, bytes },
            Self::Object(object) => ValueRef::Object(object),
        }
    }

    /// What it is, to a client.
    #[must_use]
    pub fn kind(&self) -> ValueKind {
        self.as_ref().kind()
    }

    /// The name `OBJECT ENCODING` replies.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        self.as_ref().encoding_name()
    }

    /// Appends its serialised bytes; the form they are to be read in.
    pub fn serialize_into(&self, out: &mut Vec<u8>) -> Form {
        self.as_ref().serialize_into(out)
    }

    /// Reads serialised bytes, trusting nothing about them.
    ///
    /// # Errors
    /// [`TypeError::Codec`] with the offset of the fault,
    /// [`TypeError::TooLarge`] for a string above [`STRING_MAX_BYTES`].
    pub fn deserialize(form: Form, bytes: &[u8]) -> Result<Self, TypeError> {
        Self::from_serialized(form, bytes.into())
    }

    /// As [`Value::deserialize`]; owned bytes are kept as they are where the form
    /// is one of plain bytes.
    ///
    /// # Errors
    /// As [`Value::deserialize`].
    pub fn from_serialized(form: Form, bytes: Cow<'_, [u8]>) -> Result<Self, TypeError> {
        match form {
            Form::StringBytes | Form::StringRaw => {
                string::bounded(bytes.len())?;
                Ok(Self::string(bytes.into_owned(), form == Form::StringRaw))
            }
            Form::HashPacked => {
                PackedHash::check(&bytes)?;
                let bytes = bytes.into_owned();
                Ok(Self::Inline { form, bytes })
            }
            Form::HashFull => {
                let full = hash::deserialize_full(&bytes)?;
                Ok(Self::Object(Box::new(Object::Hash(full))))
            }
            Form::ListPacked => Ok(list::deserialize_packed(&bytes)?),
            Form::ListFull => {
                let list = list::deserialize_full(&bytes)?;
                Ok(Self::Object(Box::new(Object::List(list))))
            }
            Form::SetIntegers => {
                IntegerSet::check(&bytes)?;
                let bytes = bytes.into_owned();
                Ok(Self::Inline { form, bytes })
            }
            Form::SetPacked => {
                PackedSet::check(&bytes)?;
                let bytes = bytes.into_owned();
                Ok(Self::Inline { form, bytes })
            }
            Form::SetFull => {
                let full = FullSet::deserialize(&bytes)?;
                Ok(Self::Object(Box::new(Object::Set(full))))
            }
            Form::SortedSetPacked => {
                PackedSortedSet::check(&bytes)?;
                let bytes = bytes.into_owned();
                Ok(Self::Inline { form, bytes })
            }
            Form::SortedSetFull => {
                let full = FullSortedSet::deserialize(&bytes)?;
                Ok(Self::Object(Box::new(Object::SortedSet(full))))
            }
            Form::Stream => Ok(Self::from_stream(stream::deserialize(&bytes)?)),
        }
    }
}
