//! How many bytes a length, string or value takes, without decoding it.
//!
//! An RDB file does not say how long its values are: whoever reads one in a
//! stream finds out here where a value ends before it is handed on. Checks
//! nothing else. Pure; runs on any thread.
//!
//! INVARIANT: nothing is allocated, and a declared count costs one step for each
//! element that is really there.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::list::{TYPE_LIST, TYPE_LIST_QUICKLIST, TYPE_LIST_QUICKLIST_2, TYPE_LIST_ZIPLIST};
use super::primitive::{
    LENGTH_14_BIT, LENGTH_32_BIT, LENGTH_64_BIT, STRING_I8, STRING_I16, STRING_I32, STRING_LZF,
};
use super::{
    TYPE_HASH, TYPE_HASH_LISTPACK, TYPE_HASH_ZIPLIST, TYPE_REDIS_HASH_EXPIRY,
    TYPE_REDIS_HASH_LISTPACK_EXPIRY, TYPE_SET, TYPE_SET_INTEGERS, TYPE_SET_LISTPACK,
    TYPE_SORTED_SET, TYPE_SORTED_SET_LISTPACK, TYPE_SORTED_SET_TEXT, TYPE_SORTED_SET_ZIPLIST,
    TYPE_STREAM, TYPE_STREAM_ACTIVITY, TYPE_STREAM_COUNTS, TYPE_STRING, TYPE_VALKEY_HASH_EXPIRY,
};

/// Hashes of Redis 2.4: one string, which is not decoded.
const TYPE_HASH_ZIPMAP: u8 = 9;
/// Values of modules, since Redis 4.
const TYPE_MODULE: u8 = 7;
/// What may stand in a module's value: its end, two sizes of integers, a float, a
/// double, a string.
const MODULE_END: u64 = 0;

/// Why the end of something is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoExtent {
    /// It takes at least this many bytes, more than there are.
    Needs(usize),
    /// At this offset is not what the type has there.
    Bad {
        /// In bytes from the start.
        offset: usize,
        /// What was expected.
        expected: &'static str,
    },
}

/// Walks over what is there.
#[derive(Debug)]
pub struct Walk<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Walk<'a> {
    /// At the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Bytes walked over.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    const fn bad(&self, expected: &'static str) -> NoExtent {
        NoExtent::Bad {
            offset: self.offset,
            expected,
        }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// See [`NoExtent`]; so for all below.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], NoExtent> {
        let end = self
            .offset
            .checked_add(count)
            .ok_or(self.bad("a length in memory"))?;
        let taken = self.bytes.get(self.offset..end);
        let taken = taken.ok_or(NoExtent::Needs(end))?;
        self.offset = end;
        Ok(taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// See [`NoExtent`].
    pub fn u8(&mut self) -> Result<u8, NoExtent> {
        let taken = self.take(1)?;
        taken.first().copied().ok_or(self.bad("a byte"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NoExtent> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.bad("more bytes"))
    }

    /// A count or a number.
    ///
    /// # Errors
    /// See [`NoExtent`].
    pub fn length(&mut self) -> Result<u64, NoExtent> {
        let first = self.u8()?;
        self.length_after(first)
    }

    fn length_after(&mut self, first: u8) -> Result<u64, NoExtent> {
        match first {
            0..LENGTH_14_BIT => Ok(u64::from(first)),
            LENGTH_14_BIT..LENGTH_32_BIT => {
                Ok(u64::from(u16::from_be_bytes([first & 0x3f, self.u8()?])))
            }
            LENGTH_32_BIT => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            LENGTH_64_BIT => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(self.bad("a length")),
        }
    }

    /// Over `count` bytes.
    fn skip(&mut self, count: u64) -> Result<(), NoExtent> {
        let count = usize::try_from(count).map_err(|_| self.bad("a length in memory"))?;
        self.take(count).map(|_| ())
    }

    /// Over a string in any of its forms.
    ///
    /// # Errors
    /// See [`NoExtent`].
    pub fn string(&mut self) -> Result<(), NoExtent> {
        match self.u8()? {
            STRING_I8 => self.skip(1),
            STRING_I16 => self.skip(2),
            STRING_I32 => self.skip(4),
            STRING_LZF => {
                let compressed_bytes = self.length()?;
                self.length()?;
                self.skip(compressed_bytes)
            }
            first => {
                let length = self.length_after(first)?;
                self.skip(length)
            }
        }
    }

    fn strings(&mut self, each: u64) -> Result<(), NoExtent> {
        for _ in 0..self.length()? {
            for _ in 0..each {
                self.string()?;
            }
        }
        Ok(())
    }

    /// Over the value of a key of type `kind`.
    ///
    /// # Errors
    /// See [`NoExtent`]; an unknown type is bad.
    pub fn value(&mut self, kind: u8) -> Result<(), NoExtent> {
        match kind {
            TYPE_STRING
            | TYPE_HASH_ZIPMAP
            | TYPE_LIST_ZIPLIST
            | TYPE_SET_INTEGERS
            | TYPE_SORTED_SET_ZIPLIST
            | TYPE_HASH_ZIPLIST
            | TYPE_HASH_LISTPACK
            | TYPE_SORTED_SET_LISTPACK
            | TYPE_SET_LISTPACK => self.string(),
            TYPE_LIST | TYPE_SET | TYPE_LIST_QUICKLIST => self.strings(1),
            TYPE_HASH => self.strings(2),
            TYPE_LIST_QUICKLIST_2 => {
                for _ in 0..self.length()? {
                    self.length()?;
                    self.string()?;
                }
                Ok(())
            }
            TYPE_SORTED_SET_TEXT => {
                for _ in 0..self.length()? {
                    self.string()?;
                    let length = self.u8()?;
                    if length < 253 {
                        self.skip(u64::from(length))?;
                    }
                }
                Ok(())
            }
            TYPE_SORTED_SET => {
                for _ in 0..self.length()? {
                    self.string()?;
                    self.skip(8)?;
                }
                Ok(())
            }
            TYPE_VALKEY_HASH_EXPIRY => {
                for _ in 0..self.length()? {
                    self.string()?;
                    self.string()?;
                    self.skip(8)?;
                }
                Ok(())
            }
            TYPE_REDIS_HASH_EXPIRY => {
                self.skip(8)?;
                for _ in 0..self.length()? {
                    self.length()?;
                    self.string()?;
                    self.string()?;
                }
                Ok(())
            }
            TYPE_REDIS_HASH_LISTPACK_EXPIRY => {
                self.skip(8)?;
                self.string()
            }
            TYPE_STREAM => self.stream(false, false),
            TYPE_STREAM_COUNTS => self.stream(true, false),
            TYPE_STREAM_ACTIVITY => self.stream(true, true),
            TYPE_MODULE => {
                self.length()?;
                self.module_parts()
            }
            _ => Err(self.bad("a known type of value")),
        }
    }

    fn stream(&mut self, has_counts: bool, has_activity: bool) -> Result<(), NoExtent> {
        self.strings(2)?;
        // Length, last id; first id, highest deleted id, entries added.
        for _ in 0..if has_counts { 8 } else { 3 } {
            self.length()?;
        }
        for _ in 0..self.length()? {
            self.string()?;
            for _ in 0..if has_counts { 3 } else { 2 } {
                self.length()?;
            }
            for _ in 0..self.length()? {
                self.skip(24)?;
                self.length()?;
            }
            for _ in 0..self.length()? {
                self.string()?;
                self.skip(if has_activity { 16 } else { 8 })?;
                for _ in 0..self.length()? {
                    self.skip(16)?;
                }
            }
        }
        Ok(())
    }

    /// Over the parts of a module's value, its end included.
    ///
    /// # Errors
    /// See [`NoExtent`].
    pub fn module_parts(&mut self) -> Result<(), NoExtent> {
        loop {
            match self.length()? {
                MODULE_END => return Ok(()),
                1 | 2 => {
                    self.length()?;
                }
                3 => self.skip(4)?,
                4 => self.skip(8)?,
                5 => self.string()?,
                _ => return Err(self.bad("a part of a module's value")),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::{FileVersion, HashField, RdbValue, write_value};
    use super::*;
    use crate::list::List;
    use proptest::prelude::*;
    use thermocline_base::UnixMillis;

    fn values() -> Vec<RdbValue> {
        let mut list = List::quicklist();
        list.append_packed_node(&[b"a".to_vec(), b"7".to_vec()]);
        list.append_plain_node(&[b'x'; 9000]);
        let field = |name: &str, expiry| HashField {
            field: name.into(),
            value: vec![b'v'; 100],
            expiry,
        };
        vec![
            RdbValue::String(b"12345".to_vec()),
            RdbValue::String(vec![b'y'; 70_000]),
            RdbValue::Hash(vec![field("a", None)]),
            RdbValue::Hash(vec![field("a", Some(UnixMillis(5))), field("b", None)]),
            RdbValue::List(list),
            RdbValue::IntegerSet(vec![1, 70_000]),
            RdbValue::Set(vec![b"a".to_vec(), vec![b'b'; 300]]),
            RdbValue::SortedSet(vec![(1.5, b"a".to_vec()), (f64::INFINITY, b"b".to_vec())]),
        ]
    }

    #[test]
    fn a_value_ends_where_it_was_written_to_and_each_shorter_part_says_that_it_needs_more() {
        for value in values() {
            for is_compact in [true, false] {
                let mut bytes = Vec::new();
                let kind =
                    write_value(&mut bytes, &value, is_compact, FileVersion::Valkey9).unwrap();
                let whole = bytes.len();
                bytes.extend_from_slice(b"\xfe\xff");
                let mut walk = Walk::new(&bytes);
                assert_eq!(walk.value(kind), Ok(()), "{value:?}");
                assert_eq!(walk.offset(), whole);
                for end in 0..whole.min(40) {
                    let needs = Walk::new(&bytes[..end]).value(kind);
                    let Err(NoExtent::Needs(needs)) = needs else {
                        panic!("{needs:?} of {end} bytes");
                    };
                    assert!((end + 1..=whole).contains(&needs));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_bytes_there_are_no_walk_passes_their_end(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), kind: u8,
        ) {
            let mut walk = Walk::new(&bytes);
            match walk.value(kind) {
                Ok(()) => prop_assert!(walk.offset() <= bytes.len()),
                Err(NoExtent::Needs(needs)) => prop_assert!(needs > bytes.len()),
                Err(NoExtent::Bad { offset, .. }) => prop_assert!(offset <= bytes.len()),
            }
        }
    }
}
