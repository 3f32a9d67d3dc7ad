//! The layout of a record: one key with its value, expiry and tier address.
//!
//! Owns the bytes of a record and the views of them. Does not know where they
//! lie (`heap` does) nor what a value means (the form byte is the caller's). A
//! record is touched under its shard's lock, by any thread.
//!
//! ```text
//!          0         1         5
//!         +---------+---------+------------+--------------+---------------+-----+-------+
//!         | head u8 | address | key length | value length | expiry        | key | value |
//!         |         | u32     | varint     | varint       | i64, optional |     |       |
//!         +---------+---------+------------+--------------+---------------+-----+-------+
//!
//!           7     6       5      4       3 2 1 0
//!         +-----+-------+------+-------+--------+
//! head    | dead|writing|clean |expires|  form  |
//!         +-----+-------+------+-------+--------+
//!           31   30                             0
//!         +----+---------------------------------+
//! address | 0  | where the tier has a copy       |
//!         | 1  | nowhere                         |
//!         +----+---------------------------------+
//! ```
//!
//! Numbers are little endian and unaligned. A record starts at any byte and is
//! as long as the layout says, therefore the length is not stored, and the
//! records of a chunk can be walked one after another.
//!
//! Room for the address is there from the start: each record gets one with the
//! first checkpoint, and a record that grew for it would leave a dead one behind.
//!
//! INVARIANT: [`FLAG_CLEAN`] is set only in a record with an address.
//! INVARIANT: what lies at a record's place keeps its length until the place is
//! given back, though the record be dead or another have taken it over.
#![expect(unsafe_code, reason = "a record is found again from a slot's 48 bits")]

use crate::address::Address;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use thermocline_base::UnixMillis;
use thermocline_base::codec::varint_bytes;

/// Forms are below this: see [`RecordParts::form`].
pub(crate) const FORM_LIMIT: u8 = 16;
const FORM_MASK: u8 = FORM_LIMIT - 1;
const FLAG_EXPIRY: u8 = 0x10;
const FLAG_CLEAN: u8 = 0x20;
const FLAG_WRITING: u8 = 0x40;
/// No slot leads to the record any more; its place waits to be given back.
const FLAG_DEAD: u8 = 0x80;
const EXPIRY_BYTES: usize = 8;
/// The address, and where the lengths begin.
const ADDRESS: std::ops::Range<usize> = 1..5;
/// What stands for no address: any number with bit 31 set.
const NO_ADDRESS: u32 = u32::MAX;

/// What a record is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordParts<'a> {
    /// Type and encoding of the value, below 16; only the caller knows the
    /// meaning.
    pub form: u8,
    /// When the key expires.
    pub expiry: Option<UnixMillis>,
    /// Where the tier has a copy, identical or outdated.
    pub address: Option<Address>,
    /// Whether the copy at `address` is identical; ignored without an address.
    pub is_clean: bool,
    /// The key.
    pub key: &'a [u8],
    /// The value, in the encoding `form` says.
    pub value: &'a [u8],
}

impl<'a> RecordParts<'a> {
    /// Parts without expiry and address.
    #[must_use]
    pub const fn new(form: u8, key: &'a [u8], value: &'a [u8]) -> Self {
        Self {
            form,
            expiry: None,
            address: None,
            is_clean: false,
            key,
            value,
        }
    }

    fn head(&self) -> u8 {
        debug_assert!(self.form < FORM_LIMIT, "a form has four bits");
        let mut head = self.form & FORM_MASK;
        if self.expiry.is_some() {
            head |= FLAG_EXPIRY;
        }
        if self.address.is_some() && self.is_clean {
            head |= FLAG_CLEAN;
        }
        head
    }

    fn offsets(&self) -> Offsets {
        let (key_bytes, value_bytes) = (self.key.len(), self.value.len());
        let lengths = varint_bytes(key_bytes as u64) + varint_bytes(value_bytes as u64);
        let expires = self.expiry.is_some();
        Offsets::new(expires, ADDRESS.end + lengths, key_bytes, value_bytes)
    }

    /// What a record of these parts takes, bytes.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.offsets().end
    }

    /// Makes the bytes at `place` a record of these parts.
    ///
    /// # Safety
    /// `place` has room for [`RecordParts::record_bytes`] bytes, initialised,
    /// that nothing borrows and that do not overlap with the key and value of
    /// `self`.
    pub(super) unsafe fn write_to(&self, place: NonNull<u8>) -> RawRecord {
        let offsets = self.offsets();
        // SAFETY: the caller's promise is that there are at least as many
        // bytes, initialised, and nothing else refers to them.
        let bytes = unsafe { std::slice::from_raw_parts_mut(place.as_ptr(), offsets.end) };
        bytes[0] = self.head();
        let address = self.address.map_or(NO_ADDRESS, Address::to_bits);
        bytes[ADDRESS].copy_from_slice(&address.to_le_bytes());
        let at = write_varint(bytes, ADDRESS.end, self.key.len());
        write_varint(bytes, at, self.value.len());
        if let Some(expiry) = self.expiry {
            bytes[offsets.expiry..offsets.key].copy_from_slice(&expiry.0.to_le_bytes());
        }
        bytes[offsets.key..offsets.value].copy_from_slice(self.key);
        bytes[offsets.value..].copy_from_slice(self.value);
        RawRecord(place)
    }

    /// Makes a record that takes as many bytes one of these parts.
    ///
    /// # Safety
    /// As [`RecordParts::write_to`] for the place of the record.
    pub(crate) unsafe fn write_over(&self, record: RawRecord) {
        // SAFETY: the caller's promise.
        unsafe { self.write_to(record.0) };
    }
}

/// The offsets of the fields of one record, bytes.
#[derive(Clone, Copy)]
struct Offsets {
    expiry: usize,
    key: usize,
    value: usize,
    end: usize,
}

impl Offsets {
    const fn new(expires: bool, expiry: usize, key_bytes: usize, value_bytes: usize) -> Self {
        let key = if expires {
            expiry + EXPIRY_BYTES
        } else {
            expiry
        };
        let value = key + key_bytes;
        Self {
            expiry,
            key,
            value,
            end: value + value_bytes,
        }
    }
}

/// A pointer to a record. Having one says nothing about whether the record
/// still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord(NonNull<u8>);

impl RawRecord {
    /// What starts at `place`.
    pub(super) const fn at(place: NonNull<u8>) -> Self {
        Self(place)
    }

    /// The address in memory, from which [`RawRecord::from_exposed`] finds the
    /// way back.
    pub(crate) fn to_exposed(self) -> usize {
        self.0.as_ptr().expose_provenance()
    }

    /// The pointer of which [`RawRecord::to_exposed`] gave the address, `None`
    /// for 0.
    pub(crate) fn from_exposed(address: usize) -> Option<Self> {
        NonNull::new(std::ptr::with_exposed_provenance_mut(address)).map(Self)
    }

    /// Where the record starts.
    pub(crate) const fn as_ptr(self) -> *const u8 {
        self.0.as_ptr()
    }

    /// Where the record starts.
    pub(super) const fn place(self) -> NonNull<u8> {
        self.0
    }

    /// The record, to read.
    ///
    /// # Safety
    /// A record lies there, and for as long as `'a` it is neither changed nor
    /// its place given back; the shard's lock does both.
    #[must_use]
    pub unsafe fn borrow<'a>(self) -> Record<'a> {
        Record {
            start: self.0,
            lifetime: PhantomData,
        }
    }

    /// The record, to change within its place.
    ///
    /// # Safety
    /// A record lies there, and for as long as `'a` nothing else reads or
    /// changes it.
    #[must_use]
    pub(crate) unsafe fn borrow_mut<'a>(self) -> RecordMut<'a> {
        RecordMut {
            start: self.0,
            lifetime: PhantomData,
        }
    }
}

/// A record, to read.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    start: NonNull<u8>,
    lifetime: PhantomData<&'a [u8]>,
}

impl<'a> Record<'a> {
    fn byte(self, at: usize) -> u8 {
        // SAFETY: only called for the header, whose end was written: a byte, an
        // address and two varints, each of which ends itself.
        unsafe { self.start.add(at).read() }
    }

    fn read_varint(self, at: &mut usize) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte(*at);
            *at += 1;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
            shift += 7;
        }
    }

    fn head(self) -> u8 {
        self.byte(0)
    }

    fn offsets(self) -> Offsets {
        let mut at = ADDRESS.end;
        let key_bytes = self.read_varint(&mut at);
        let value_bytes = self.read_varint(&mut at);
        Offsets::new(self.expires(), at, key_bytes, value_bytes)
    }

    fn bytes(self, offsets: Offsets) -> &'a [u8] {
        // SAFETY: a record is `offsets.end` initialised bytes, and whoever
        // borrowed it promised that it stays as it is for `'a`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), offsets.end) }
    }

    /// The key.
    #[must_use]
    pub fn key(self) -> &'a [u8] {
        let offsets = self.offsets();
        &self.bytes(offsets)[offsets.key..offsets.value]
    }

    /// When the key expires.
    #[must_use]
    pub fn expiry(self) -> Option<UnixMillis> {
        if !self.expires() {
            return None;
        }
        let offsets = self.offsets();
        Some(expiry_at(self.bytes(offsets), offsets))
    }

    /// Whether the key expires.
    #[must_use]
    pub fn expires(self) -> bool {
        self.head() & FLAG_EXPIRY != 0
    }

    /// Where the tier has a copy; [`Record::is_clean`] says whether it is
    /// identical. An outdated copy is remembered so that its space can be
    /// counted as garbage.
    #[must_use]
    pub fn address(self) -> Option<Address> {
        address_at(self.bytes(self.offsets()))
    }

    /// Whether the tier holds an identical copy at [`Record::address`].
    #[must_use]
    pub fn is_clean(self) -> bool {
        self.head() & FLAG_CLEAN != 0
    }

    /// Whether the record as it is was captured for the tier and has not been
    /// changed since: see [`RecordMut::mark_writing`].
    #[must_use]
    pub fn is_writing(self) -> bool {
        self.head() & FLAG_WRITING != 0
    }

    /// Whether no slot leads here any more.
    pub(super) fn is_dead(self) -> bool {
        self.head() & FLAG_DEAD != 0
    }

    /// All of the record; the header is read once.
    #[must_use]
    pub fn parts(self) -> RecordParts<'a> {
        let head = self.head();
        let offsets = self.offsets();
        let bytes = self.bytes(offsets);
        RecordParts {
            form: head & FORM_MASK,
            expiry: (head & FLAG_EXPIRY != 0).then(|| expiry_at(bytes, offsets)),
            address: address_at(bytes),
            is_clean: head & FLAG_CLEAN != 0,
            key: &bytes[offsets.key..offsets.value],
            value: &bytes[offsets.value..],
        }
    }

    /// What the record takes, bytes.
    #[must_use]
    pub fn record_bytes(self) -> usize {
        self.offsets().end
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().fmt(f)
    }
}

/// A record, to change within its place.
pub(crate) struct RecordMut<'a> {
    start: NonNull<u8>,
    lifetime: PhantomData<&'a mut [u8]>,
}

impl RecordMut<'_> {
    fn record(&self) -> Record<'_> {
        // SAFETY: the borrow of `self` keeps the record as it is.
        unsafe { RawRecord(self.start).borrow() }
    }

    fn bytes(&mut self) -> (&mut [u8], Offsets) {
        let offsets = self.record().offsets();
        // SAFETY: a record is `offsets.end` initialised bytes, and `&mut self`
        // makes this the only borrow of them.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), offsets.end) };
        (bytes, offsets)
    }

    /// Remembers that the record was captured for the tier. Any change forgets
    /// it.
    pub(crate) fn mark_writing(&mut self) {
        self.bytes().0[0] |= FLAG_WRITING;
    }

    /// Remembers that no slot leads here any more.
    pub(super) fn mark_dead(&mut self) {
        self.bytes().0[0] |= FLAG_DEAD;
    }

    /// Changes the expiry of a record that has one, or leaves one without as it
    /// is; the record is no longer clean. Whether that could be done.
    pub(crate) fn set_expiry(&mut self, expiry: Option<UnixMillis>) -> bool {
        if self.record().expires() != expiry.is_some() {
            return false;
        }
        let (bytes, offsets) = self.bytes();
        bytes[0] &= !(FLAG_CLEAN | FLAG_WRITING);
        if let Some(expiry) = expiry {
            bytes[offsets.expiry..offsets.key].copy_from_slice(&expiry.0.to_le_bytes());
        }
        true
    }

    /// Writes these bytes over those of the value from `offset` on; the record is no longer
    /// clean. Whether the value has them all.
    pub(crate) fn overwrite(&mut self, offset: usize, with: &[u8]) -> bool {
        let (bytes, offsets) = self.bytes();
        let start = offsets.value.saturating_add(offset);
        let Some(place) = bytes.get_mut(start..start.saturating_add(with.len())) else {
            return false;
        };
        place.copy_from_slice(with);
        bytes[0] &= !(FLAG_CLEAN | FLAG_WRITING);
        true
    }

    /// Remembers that the tier holds an identical copy at this address.
    pub(crate) fn set_address(&mut self, address: Address) {
        let (bytes, _) = self.bytes();
        bytes[ADDRESS].copy_from_slice(&address.to_bits().to_le_bytes());
        bytes[0] = (bytes[0] | FLAG_CLEAN) & !FLAG_WRITING;
    }
}

/// The expiry of a record that has one.
fn expiry_at(bytes: &[u8], offsets: Offsets) -> UnixMillis {
    let mut field = [0; EXPIRY_BYTES];
    field.copy_from_slice(&bytes[offsets.expiry..offsets.key]);
    UnixMillis(i64::from_le_bytes(field))
}

/// The address of a record, if it has one.
fn address_at(bytes: &[u8]) -> Option<Address> {
    let mut field = [0; ADDRESS.end - ADDRESS.start];
    field.copy_from_slice(&bytes[ADDRESS]);
    Address::from_bits(u32::from_le_bytes(field))
}

fn write_varint(bytes: &mut [u8], mut at: usize, mut value: usize) -> usize {
    while value >= 0x80 {
        bytes[at] = (value as u8) | 0x80;
        value >>= 7;
        at += 1;
    }
    bytes[at] = value as u8;
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn address(page: u32) -> Address {
        Address::new(page, 1).expect("the page is in range")
    }

    /// Bytes with room for a record of `parts`.
    fn place(parts: &RecordParts<'_>) -> Vec<u8> {
        vec![u8::MAX; parts.record_bytes()]
    }

    fn write(parts: &RecordParts<'_>, place: &mut [u8]) -> RawRecord {
        let start = NonNull::new(place.as_mut_ptr()).expect("not null");
        // SAFETY: `place` is initialised, has room, and is its own.
        unsafe { parts.write_to(start) }
    }

    proptest! {
        #[test]
        fn parts_read_back_through_every_change(
            form in 0..FORM_LIMIT,
            expiry in any::<Option<i64>>(),
            page in proptest::option::of(0..Address::PAGE_COUNT),
            key in vec(any::<u8>(), 0..300),
            value in vec(any::<u8>(), 0..300),
            changes in vec((0..2_u8, any::<Option<i64>>()), 0..12),
        ) {
            let mut parts = RecordParts {
                form,
                expiry: expiry.map(UnixMillis),
                address: page.map(address),
                is_clean: page.is_some(),
                key: &key,
                value: &value,
            };
            let mut memory = place(&parts);
            let raw = write(&parts, &mut memory);
            for (kind, number) in &changes {
                // SAFETY: the record lies in `memory`, and no view is alive.
                let mut record = unsafe { raw.borrow_mut() };
                if *kind == 0 {
                    let done = record.set_expiry(number.map(UnixMillis));
                    prop_assert_eq!(done, number.is_some() == parts.expiry.is_some());
                    if done {
                        parts.expiry = number.map(UnixMillis);
                        parts.is_clean = false;
                    }
                } else {
                    let to = address(number.unwrap_or(0) as u32 >> 4);
                    record.set_address(to);
                    parts.address = Some(to);
                    parts.is_clean = true;
                }
                // SAFETY: as above.
                prop_assert_eq!(unsafe { raw.borrow() }.parts(), parts);
            }
            // SAFETY: as above.
            let record = unsafe { raw.borrow() };
            prop_assert_eq!(record.parts(), parts);
            prop_assert_eq!((record.key(), record.record_bytes()), (&key[..], memory.len()));
        }
    }

    #[test]
    fn a_value_is_overwritten_within_its_bounds() {
        let parts = RecordParts {
            address: Some(address(7)),
            is_clean: true,
            ..RecordParts::new(1, b"key", b"value")
        };
        let mut memory = place(&parts);
        let raw = write(&parts, &mut memory);
        // SAFETY: the record lies in `memory`, and no other view is alive.
        let overwrite = |offset, with| unsafe { raw.borrow_mut() }.overwrite(offset, with);
        // SAFETY: as above.
        let read = || unsafe { raw.borrow() }.parts();
        assert!(!overwrite(3, b"xyz") && !overwrite(usize::MAX, b"x"));
        assert_eq!(read(), parts);
        assert!(overwrite(3, b"xy"));
        let changed = RecordParts {
            is_clean: false,
            value: b"valxy",
            ..parts
        };
        assert_eq!(read(), changed);
    }

    #[test]
    fn a_change_forgets_that_the_record_is_being_written() {
        let parts = RecordParts {
            expiry: Some(UnixMillis(5)),
            ..RecordParts::new(1, b"key", b"value")
        };
        let mut memory = place(&parts);
        let raw = write(&parts, &mut memory);
        // SAFETY: the record lies in `memory`, and no other view is alive.
        let is_writing = || unsafe { raw.borrow() }.is_writing();
        // SAFETY: as above.
        unsafe { raw.borrow_mut() }.mark_writing();
        assert!(is_writing());
        // SAFETY: as above.
        unsafe { raw.borrow_mut() }.set_expiry(Some(UnixMillis(6)));
        assert!(!is_writing());
    }
}
