//! One record of the tier: a key with its value, checksummed on its own.
//!
//! Owns the record's bytes (FORMAT.md, "Tier record"). Does not own pages,
//! nor what a value's bytes mean. Pure; any thread runs it.
//!
//! INVARIANT: decoding borrows from its input and allocates nothing; a record
//! that decodes had the CRC it was written with.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::address::Address;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::checksum::crc32;
use thermocline_base::codec::{put_varint, varint_bytes};
use thermocline_base::limits::KEY_MAX_BYTES;
use thermocline_base::{CodecError, DatabaseId, Lsn, Reader, UnixMillis};

/// Offset of the CRC-32 of everything behind it.
pub const CRC_OFFSET: usize = 0;
/// Offset of the LSN.
pub const LSN_OFFSET: usize = 4;
/// Offset of the database's identity.
pub const DATABASE_OFFSET: usize = 12;
/// Offset of the value's form.
pub const FORM_OFFSET: usize = 16;
/// Offset of the flags.
pub const FLAGS_OFFSET: usize = 17;
/// Where the fields of varying length start: the smallest record has two
/// bytes more.
pub const FIXED_BYTES: usize = 18;

/// The flag of a record that expires.
const FLAG_EXPIRY: u8 = 1;
/// The flag of a compressed value.
const FLAG_COMPRESSED: u8 = 2;
/// The flag of a record whose value stands in parts elsewhere.
const FLAG_HEAD: u8 = 4;
/// The flag of a record that holds a part of a value.
const FLAG_PART: u8 = 8;
/// What a head keeps of each part: its address, four bytes.
pub const PART_ADDRESS_BYTES: usize = 4;

/// The longest value before compression, in bytes: the longest string and its
/// framing.
pub const RAW_MAX_BYTES: u64 = 1 << 30;

/// A value as it stands on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredValue<'a> {
    /// The value itself.
    Raw(&'a [u8]),
    /// A zstd frame.
    Compressed {
        /// The dictionary's number, 0 for none.
        dictionary: u32,
        /// The value's length before compression, in bytes, at most
        /// [`RAW_MAX_BYTES`].
        raw_bytes: u64,
        /// The frame.
        frame: &'a [u8],
    },
}

impl<'a> StoredValue<'a> {
    /// The bytes on disk.
    #[must_use]
    pub const fn stored(&self) -> &'a [u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Compressed { frame, .. } => frame,
        }
    }

    /// The same value with other bytes on disk: those of its head, or those put
    /// together from its parts.
    #[must_use]
    pub const fn with_stored<'b>(&self, stored: &'b [u8]) -> StoredValue<'b> {
        match *self {
            Self::Raw(_) => StoredValue::Raw(stored),
            Self::Compressed {
                dictionary,
                raw_bytes,
                ..
            } => StoredValue::Compressed {
                dictionary,
                raw_bytes,
                frame: stored,
            },
        }
    }
}

/// How much of its value a record holds. A value too long for one run is cut
/// into parts, each a record in a run of its own, and a head that lists them:
/// only the head is the key's record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// None: what is stored are the addresses of its parts, in order.
    Head,
    /// One part, as it is; compression is the head's.
    Part,
}

/// A record of the tier, borrowed from the page it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierRecord<'a> {
    /// Exclusive: the record contains every frame of the log that starts
    /// below it.
    pub lsn: Lsn,
    /// The identity, not the number, of the key's database.
    pub database: DatabaseId,
    /// Type and encoding of the value; the tier keeps it unread.
    pub form: u8,
    /// When the key expires, if it does.
    pub expiry: Option<UnixMillis>,
    /// The key.
    pub key: &'a [u8],
    /// How much of the value is here.
    pub extent: Extent,
    /// The value.
    pub value: StoredValue<'a>,
}

/// The CRC of a record and what it covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal<'a> {
    covered: &'a [u8],
    checksum: u32,
    /// Where in what was decoded the record starts.
    offset: usize,
}

impl Seal<'_> {
    /// Compares the CRC.
    pub(super) fn verify(&self) -> Result<(), CodecError> {
        if crc32(self.covered) == self.checksum || is_planted(Bug::SkippedTierCrc) {
            return Ok(());
        }
        Err(CodecError::Invalid {
            offset: self.offset,
            field: "record CRC",
        })
    }
}

impl<'a> TierRecord<'a> {
    /// How many bytes [`TierRecord::encode`] appends.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        let stored = self.value.stored();
        let mut bytes = FIXED_BYTES
            .saturating_add(varint_bytes(self.key.len() as u64))
            .saturating_add(varint_bytes(stored.len() as u64))
            .saturating_add(self.key.len())
            .saturating_add(stored.len());
        if self.expiry.is_some() {
            bytes = bytes.saturating_add(8);
        }
        if let StoredValue::Compressed {
            dictionary,
            raw_bytes,
            ..
        } = self.value
        {
            bytes = bytes
                .saturating_add(varint_bytes(dictionary.into()))
                .saturating_add(varint_bytes(raw_bytes));
        }
        bytes
    }

    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let mut flags = 0;
        if self.expiry.is_some() {
            flags |= FLAG_EXPIRY;
        }
        if matches!(self.value, StoredValue::Compressed { .. }) {
            flags |= FLAG_COMPRESSED;
        }
        flags |= match self.extent {
            Extent::Whole => 0,
            Extent::Head => FLAG_HEAD,
            Extent::Part => FLAG_PART,
        };
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.lsn.0.to_le_bytes());
        out.extend_from_slice(&self.database.0.to_le_bytes());
        out.extend_from_slice(&[self.form, flags]);
        put_varint(out, self.key.len() as u64);
        put_varint(out, self.value.stored().len() as u64);
        if let Some(expiry) = self.expiry {
            out.extend_from_slice(&expiry.0.to_le_bytes());
        }
        if let StoredValue::Compressed {
            dictionary,
            raw_bytes,
            ..
        } = self.value
        {
            put_varint(out, dictionary.into());
            put_varint(out, raw_bytes);
        }
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.value.stored());
        let checksum = out.get(start.saturating_add(LSN_OFFSET)..).map_or(0, crc32);
        if let Some(field) = out.get_mut(start..start.saturating_add(LSN_OFFSET)) {
            field.copy_from_slice(&checksum.to_le_bytes());
        }
    }

    /// Reads the record at the reader, which is left behind it.
    ///
    /// # Errors
    /// [`CodecError`] if the bytes are no record or their CRC differs.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let (record, seal) = Self::decode_sealed(reader)?;
        seal.verify()?;
        Ok(record)
    }

    /// As [`TierRecord::decode`], but the CRC is still to be compared: for whoever
    /// has compared that of the whole page and wants one of its records.
    pub(super) fn decode_sealed(reader: &mut Reader<'a>) -> Result<(Self, Seal<'a>), CodecError> {
        let rest = reader.rest();
        let start = reader.offset();
        let checksum = reader.u32()?;
        let lsn = Lsn(reader.u64()?);
        let database = DatabaseId(reader.u32()?);
        let form = reader.u8()?;
        let flags = reader.u8()?;
        let extent = match flags & !(FLAG_EXPIRY | FLAG_COMPRESSED) {
            0 => Extent::Whole,
            FLAG_HEAD => Extent::Head,
            FLAG_PART if flags & FLAG_COMPRESSED == 0 => Extent::Part,
            _ => return Err(reader.invalid("record flags")),
        };
        let key_bytes = reader.length()?;
        if key_bytes > KEY_MAX_BYTES {
            return Err(reader.invalid("key length"));
        }
        let stored_bytes = reader.length()?;
        let is_list = stored_bytes > 0 && stored_bytes.is_multiple_of(PART_ADDRESS_BYTES);
        if extent == Extent::Head && !is_list {
            return Err(reader.invalid("list of parts"));
        }
        let expiry = if flags & FLAG_EXPIRY == 0 {
            None
        } else {
            Some(UnixMillis(reader.i64()?))
        };
        let compression = if flags & FLAG_COMPRESSED == 0 {
            None
        } else {
            let dictionary =
                u32::try_from(reader.varint()?).map_err(|_| reader.invalid("dictionary number"))?;
            let raw_bytes = reader.varint()?;
            if raw_bytes > RAW_MAX_BYTES {
                return Err(reader.invalid("raw length"));
            }
            Some((dictionary, raw_bytes))
        };
        let key = reader.bytes(key_bytes)?;
        let stored = reader.bytes(stored_bytes)?;
        let covered = rest
            .get(LSN_OFFSET..reader.offset().saturating_sub(start))
            .unwrap_or_default();
        let seal = Seal {
            covered,
            checksum,
            offset: start,
        };
        let value = match compression {
            None => StoredValue::Raw(stored),
            Some((dictionary, raw_bytes)) => StoredValue::Compressed {
                dictionary,
                raw_bytes,
                frame: stored,
            },
        };
        let record = Self {
            lsn,
            database,
            form,
            expiry,
            key,
            extent,
            value,
        };
        Ok((record, seal))
    }

    /// The addresses of the parts of a head, in order; none of another record.
    pub fn parts(&self) -> impl Iterator<Item = Address> + use<'a> {
        let list = match self.extent {
            Extent::Head => self.value.stored(),
            Extent::Whole | Extent::Part => &[],
        };
        let (addresses, _) = list.as_chunks::<PART_ADDRESS_BYTES>();
        (addresses.iter()).filter_map(|bytes| Address::from_bits(u32::from_le_bytes(*bytes)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_record_keeps_its_bytes() {
        let mut out = Vec::new();
        let record = TierRecord {
            lsn: Lsn(0x0102),
            database: DatabaseId(7),
            form: 3,
            expiry: Some(UnixMillis(-2)),
            key: b"k",
            extent: Extent::Whole,
            value: StoredValue::Raw(b"vv"),
        };
        record.encode(&mut out);
        assert_eq!(
            out[LSN_OFFSET..],
            [
                2, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 3, 1, 1, 2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
                0xff, 0xff, b'k', b'v', b'v'
            ]
        );
        assert_eq!(out[..LSN_OFFSET], crc32(&out[LSN_OFFSET..]).to_le_bytes());
    }

    proptest! {
        #[test]
        fn records_round_trip(
            lsn: u64, database: u32, form: u8, expiry: Option<i64>,
            compression in proptest::option::of((any::<u32>(), 0..=RAW_MAX_BYTES)),
            key in proptest::collection::vec(any::<u8>(), 0..200),
            value in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let record = TierRecord {
                lsn: Lsn(lsn),
                database: DatabaseId(database),
                form,
                expiry: expiry.map(UnixMillis),
                key: &key,
                extent: Extent::Whole,
                value: compression.map_or(StoredValue::Raw(&value), |(dictionary, raw_bytes)| {
                    StoredValue::Compressed { dictionary, raw_bytes, frame: &value }
                }),
            };
            let mut out = Vec::new();
            record.encode(&mut out);
            prop_assert_eq!(out.len(), record.encoded_bytes());
            out.extend_from_slice(b"next");
            let mut reader = Reader::new(&out);
            prop_assert_eq!(TierRecord::decode(&mut reader).unwrap(), record);
            prop_assert_eq!(reader.rest(), b"next");
        }

        #[test]
        fn heads_and_parts_round_trip(
            addresses in proptest::collection::vec(0..1_u32 << 31, 1..20),
            chunk in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let list: Vec<u8> = addresses.iter().flat_map(|bits| bits.to_le_bytes()).collect();
            for (extent, stored) in [(Extent::Head, &list), (Extent::Part, &chunk)] {
                let record = TierRecord {
                    lsn: Lsn(5),
                    database: DatabaseId(0),
                    form: 1,
                    expiry: None,
                    key: b"long",
                    extent,
                    value: StoredValue::Raw(stored),
                };
                let mut out = Vec::new();
                record.encode(&mut out);
                let decoded = TierRecord::decode(&mut Reader::new(&out)).unwrap();
                prop_assert_eq!(decoded, record);
                let parts: Vec<_> = decoded.parts().map(Address::to_bits).collect();
                prop_assert_eq!(parts, if extent == Extent::Head { addresses.clone() } else { vec![] });
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_record(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(TierRecord::decode(&mut Reader::new(&bytes)).is_err());
        }
    }
}
