//! The payload of a frame of the write-ahead log: the changes that one
//! command, transaction or script made, in order, applied whole or not at all.
//!
//! Owns the encoding of changes to keys and to the map of databases. Does not
//! know what an update does to a value (`thermocline_types` does) nor how a
//! frame is protected (`thermocline_wal` does: the bytes decoded here have
//! passed its checksum, and are checked all the same). Pure; any thread.
//!
//! ```text
//! effect   = tag u8, body
//! put      = 1, key, form u8, expiry, length varint, value bytes
//! delete   = 2, key
//! expire   = 3, key, expiry
//! update   = 4, key, length varint, update bytes
//! databases= 5, next identity u32, 16 x identity u32
//! key      = database varint, length varint, key bytes
//! expiry   = 0 u8 | 1 u8, i64 milliseconds since 1970
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use thermocline_base::codec::{CodecError, Reader, put_length_prefixed, put_varint};
use thermocline_base::limits::DATABASE_COUNT;
use thermocline_base::{DatabaseId, UnixMillis};

const PUT: u8 = 1;
const DELETE: u8 = 2;
const EXPIRE: u8 = 3;
const UPDATE: u8 = 4;
const DATABASES: u8 = 5;

/// A key with the identity of its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyRef<'a> {
    /// The identity, not the number.
    pub database: DatabaseId,
    /// The key's bytes.
    pub key: &'a [u8],
}

/// Which identity each numbered database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseMap {
    /// The identity of each number.
    pub identities: [DatabaseId; DATABASE_COUNT],
    /// The lowest identity never given out.
    pub next: DatabaseId,
}

/// One deterministic change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect<'a> {
    /// The key holds this value and expiry, whatever it held.
    Put {
        /// Which key.
        key: KeyRef<'a>,
        /// How `value` is laid out: a form of `thermocline_types`.
        form: u8,
        /// The serialised value.
        value: &'a [u8],
        /// When the key expires, if it does.
        expiry: Option<UnixMillis>,
    },
    /// The key is gone.
    Delete {
        /// Which key.
        key: KeyRef<'a>,
    },
    /// The key's expiry is this, its value as it was.
    Expire {
        /// Which key.
        key: KeyRef<'a>,
        /// When the key expires; `None` keeps it for ever.
        expiry: Option<UnixMillis>,
    },
    /// The key's value is changed by an update of `thermocline_types`.
    Update {
        /// Which key.
        key: KeyRef<'a>,
        /// The encoded update.
        update: &'a [u8],
    },
    /// Databases were flushed or swapped.
    Databases(DatabaseMap),
}

impl DatabaseMap {
    /// That of a new directory.
    #[must_use]
    pub fn first() -> Self {
        Self {
            identities: std::array::from_fn(|number| DatabaseId(number as u32)),
            next: DatabaseId(DATABASE_COUNT as u32),
        }
    }

    /// Whether the database of this identity is there: any other was flushed.
    #[must_use]
    pub fn lives(&self, identity: DatabaseId) -> bool {
        identity == DatabaseId::SYSTEM || self.identities.contains(&identity)
    }
}

impl<'a> Effect<'a> {
    /// The key it changes; `None` for a change of the map.
    #[must_use]
    pub const fn key(&self) -> Option<KeyRef<'a>> {
        match *self {
            Self::Put { key, .. }
            | Self::Delete { key }
            | Self::Expire { key, .. }
            | Self::Update { key, .. } => Some(key),
            Self::Databases(_) => None,
        }
    }

    /// Whether it needs no earlier value: replay drops all effects on the key
    /// that come before it.
    #[must_use]
    pub const fn replaces_key(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::Delete { .. })
    }

    /// Bytes of its key and of what it says of it.
    #[must_use]
    pub const fn data_bytes(&self) -> usize {
        let (key, data): (_, &[u8]) = match *self {
            Self::Put { key, value, .. } => (key, value),
            Self::Update { key, update } => (key, update),
            Self::Delete { key } | Self::Expire { key, .. } => (key, &[]),
            Self::Databases(_) => return 0,
        };
        key.key.len().saturating_add(data.len())
    }

    /// Appends the effect's bytes.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Put {
                key,
                form,
                value,
                expiry,
            } => {
                put_key(out, PUT, key);
                out.push(form);
                put_expiry(out, expiry);
                put_length_prefixed(out, value);
            }
            Self::Delete { key } => put_key(out, DELETE, key),
            Self::Expire { key, expiry } => {
                put_key(out, EXPIRE, key);
                put_expiry(out, expiry);
            }
            Self::Update { key, update } => {
                put_key(out, UPDATE, key);
                put_length_prefixed(out, update);
            }
            Self::Databases(map) => {
                out.push(DATABASES);
                out.extend_from_slice(&map.next.0.to_le_bytes());
                for identity in map.identities {
                    out.extend_from_slice(&identity.0.to_le_bytes());
                }
            }
        }
    }

    /// Appends the bytes of an update of the key, which `update` appends: none are kept
    /// aside to learn their length.
    pub fn encode_update_into(
        out: &mut Vec<u8>,
        key: KeyRef<'_>,
        update: impl FnOnce(&mut Vec<u8>),
    ) {
        put_key(out, UPDATE, key);
        let start = out.len();
        update(out);
        let end = out.len();
        put_varint(out, end.saturating_sub(start) as u64);
        // The length stands before what it counts.
        let length_bytes = out.len().saturating_sub(end);
        if let Some(tail) = out.get_mut(start..) {
            tail.rotate_right(length_bytes);
        }
    }

    /// Reads the next effect of a payload.
    ///
    /// # Errors
    /// [`CodecError`] with the offset and the field that is wrong.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        match reader.u8()? {
            PUT => {
                let key = key(reader)?;
                let form = reader.u8()?;
                let expiry = expiry(reader)?;
                let value = reader.length_prefixed()?;
                Ok(Self::Put {
                    key,
                    form,
                    value,
                    expiry,
                })
            }
            DELETE => Ok(Self::Delete { key: key(reader)? }),
            EXPIRE => Ok(Self::Expire {
                key: key(reader)?,
                expiry: expiry(reader)?,
            }),
            UPDATE => Ok(Self::Update {
                key: key(reader)?,
                update: reader.length_prefixed()?,
            }),
            DATABASES => database_map(reader).map(Self::Databases),
            _ => Err(reader.invalid("effect tag")),
        }
    }
}

/// All effects of a frame's payload.
///
/// # Errors
/// [`CodecError`] if any effect is malformed: then none may be applied.
pub fn decode_all(payload: &[u8]) -> Result<Vec<Effect<'_>>, CodecError> {
    effects(payload).collect()
}

/// The effects of a payload one by one; after an error none follow.
pub fn effects(payload: &[u8]) -> impl Iterator<Item = Result<Effect<'_>, CodecError>> {
    let mut reader = Some(Reader::new(payload));
    std::iter::from_fn(move || {
        let at = reader.as_mut().filter(|it| !it.is_empty())?;
        let effect = Effect::decode(at);
        if effect.is_err() {
            reader = None;
        }
        Some(effect)
    })
}

fn put_key(out: &mut Vec<u8>, tag: u8, key: KeyRef<'_>) {
    out.push(tag);
    put_varint(out, u64::from(key.database.0));
    put_length_prefixed(out, key.key);
}

fn put_expiry(out: &mut Vec<u8>, expiry: Option<UnixMillis>) {
    match expiry {
        None => out.push(0),
        Some(at) => {
            out.push(1);
            out.extend_from_slice(&at.0.to_le_bytes());
        }
    }
}

fn key<'a>(reader: &mut Reader<'a>) -> Result<KeyRef<'a>, CodecError> {
    let database = u32::try_from(reader.varint()?).map_err(|_| reader.invalid("database"))?;
    Ok(KeyRef {
        database: DatabaseId(database),
        key: reader.length_prefixed()?,
    })
}

fn expiry(reader: &mut Reader<'_>) -> Result<Option<UnixMillis>, CodecError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => Ok(Some(UnixMillis(reader.i64()?))),
        _ => Err(reader.invalid("expiry tag")),
    }
}

/// Reads a map and refuses one that names an identity twice or one that was
/// never given out: two numbers would share their keys.
fn database_map(reader: &mut Reader<'_>) -> Result<DatabaseMap, CodecError> {
    let next = DatabaseId(reader.u32()?);
    let mut identities = [DatabaseId(0); DATABASE_COUNT];
    for identity in &mut identities {
        *identity = DatabaseId(reader.u32()?);
    }
    let mut sorted = identities;
    sorted.sort_unstable();
    let distinct = sorted.is_sorted_by(|earlier, later| earlier < later);
    if !distinct || sorted.last().is_some_and(|&highest| highest >= next) {
        return Err(reader.invalid("database map"));
    }
    Ok(DatabaseMap { identities, next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    struct Owned {
        tag: u8,
        database: u32,
        key: Vec<u8>,
        form: u8,
        body: Vec<u8>,
        expiry: Option<i64>,
    }

    fn owned() -> impl Strategy<Value = Owned> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..300);
        let expiry = proptest::option::of(any::<i64>());
        (
            1..=5_u8,
            any::<u32>(),
            bytes(),
            any::<u8>(),
            bytes(),
            expiry,
        )
            .prop_map(|(tag, database, key, form, body, expiry)| Owned {
                tag,
                database,
                key,
                form,
                body,
                expiry,
            })
    }

    fn effect(owned: &Owned) -> Effect<'_> {
        let key = KeyRef {
            database: DatabaseId(owned.database),
            key: &owned.key,
        };
        let expiry = owned.expiry.map(UnixMillis);
        match owned.tag {
            PUT => Effect::Put {
                key,
                form: owned.form,
                value: &owned.body,
                expiry,
            },
            DELETE => Effect::Delete { key },
            EXPIRE => Effect::Expire { key, expiry },
            UPDATE => Effect::Update {
                key,
                update: &owned.body,
            },
            _ => {
                let first = owned.database % 1000;
                let mut identities = [DatabaseId(0); DATABASE_COUNT];
                for (number, identity) in (first..).zip(&mut identities) {
                    *identity = DatabaseId(number);
                }
                Effect::Databases(DatabaseMap {
                    identities,
                    next: DatabaseId(first + 16),
                })
            }
        }
    }

    proptest! {
        #[test]
        fn a_payload_reads_back(owned in proptest::collection::vec(owned(), 0..8)) {
            let effects: Vec<_> = owned.iter().map(effect).collect();
            let mut payload = Vec::new();
            for effect in &effects {
                effect.encode_into(&mut payload);
            }
            prop_assert_eq!(decode_all(&payload), Ok(effects));
        }

        #[test]
        fn a_cut_payload_is_refused_or_ends_between_effects(owned in owned(), cut in any::<prop::sample::Index>()) {
            let mut payload = Vec::new();
            effect(&owned).encode_into(&mut payload);
            let cut = cut.index(payload.len());
            prop_assert_eq!(decode_all(&payload[..cut]).is_ok(), cut == 0);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(effects) = decode_all(&bytes) {
                prop_assert_eq!(bytes.is_empty(), effects.is_empty());
            }
        }
    }

    #[test]
    fn a_map_that_shares_an_identity_is_refused() {
        let mut payload = Vec::new();
        Effect::Databases(DatabaseMap {
            identities: [DatabaseId(3); DATABASE_COUNT],
            next: DatabaseId(4),
        })
        .encode_into(&mut payload);
        assert!(matches!(
            decode_all(&payload),
            Err(CodecError::Invalid {
                field: "database map",
                ..
            })
        ));
    }

    #[test]
    fn only_put_and_delete_replace_a_key() {
        let key = KeyRef {
            database: DatabaseId(0),
            key: b"k",
        };
        assert!(Effect::Delete { key }.replaces_key());
        assert!(!Effect::Expire { key, expiry: None }.replaces_key());
        assert!(!Effect::Update { key, update: b"" }.replaces_key());
        for update in [&b""[..], b"short", &[7; 300]] {
            let (mut one, mut other) = (vec![1], vec![1]);
            Effect::Update { key, update }.encode_into(&mut one);
            let append = |out: &mut Vec<u8>| out.extend_from_slice(update);
            Effect::encode_update_into(&mut other, key, append);
            assert_eq!(one, other);
        }
    }
}
