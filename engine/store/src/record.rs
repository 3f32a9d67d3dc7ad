//! A record in memory: one key with its value, expiry and tier address in one
//! allocation.
//!
//! Owns the layout of the allocation and the allocation itself. Does not know
//! what a value means (the form byte is the caller's), nor where records are
//! kept: a slot of [`crate::index`] holds a [`RawRecord`]. A record belongs to
//! its shard and is touched under the shard's lock, by any thread.
//!
//! ```text
//! +------+-------+------------+--------------+-----------+-----------+-----+-------+
//! | form | flags | key length | value length | expiry    | address   | key | value |
//! | u8   | u8    | varint     | varint       | i64, opt. | u32, opt. |     |       |
//! +------+-------+------------+--------------+-----------+-----------+-----+-------+
//! ```
//!
//! Numbers are little endian and unaligned; the allocation is aligned to 8, so
//! that three bits of its address are free. It is exactly as long as the layout
//! says, therefore the length is not stored.
//!
//! INVARIANT: [`FLAG_CLEAN`] is set only together with [`FLAG_ADDRESS`].
#![expect(
    unsafe_code,
    reason = "one allocation a record, found again from a slot's 48 bits"
)]

use crate::address::Address;
use std::alloc::Layout;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use thermocline_base::UnixMillis;
use thermocline_base::codec::varint_bytes;

const FLAG_EXPIRY: u8 = 1;
const FLAG_ADDRESS: u8 = 2;
const FLAG_CLEAN: u8 = 4;
const FLAG_WRITING: u8 = 8;
const EXPIRY_BYTES: usize = 8;
const ADDRESS_BYTES: usize = 4;

/// Where records get their memory: the only place that names the allocator.
mod memory {
    use super::{Layout, NonNull};

    /// Every record starts at a multiple of this.
    pub(super) const ALIGNMENT_BYTES: usize = 8;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, ALIGNMENT_BYTES)
            .expect("a record is no longer than the slices it was made of can be")
    }

    /// Zeroed memory of `bytes` bytes, which are not 0. Ends the process when
    /// there is none.
    pub(super) fn allocate(bytes: usize) -> NonNull<u8> {
        assert!(bytes > 0, "a record has a header");
        let layout = layout(bytes);
        // SAFETY: the layout's size was just asserted not to be 0.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        NonNull::new(start).unwrap_or_else(|| std::alloc::handle_alloc_error(layout))
    }

    /// Gives memory back.
    ///
    /// # Safety
    /// `start` came from [`allocate`] with the same `bytes` and is not used
    /// again.
    pub(super) unsafe fn release(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's promise is the one `dealloc` asks for.
        unsafe { std::alloc::dealloc(start.as_ptr(), layout(bytes)) };
    }
}

/// The size class in which mimalloc serves a request of `bytes` bytes, bytes:
/// multiples of 16 up to 64 (and 8), then four steps a power of two up to
/// 128 KiB, then whole 4 KiB pages.
///
/// This is `mi_good_size` of mimalloc on 64-bit machines, restated so that
/// memory can be counted without asking the allocator.
#[must_use]
pub const fn allocator_rounds_to(bytes: usize) -> usize {
    const LAST_CLASS_BYTES: usize = 128 << 10;
    if bytes <= 8 {
        8
    } else if bytes <= 64 {
        bytes.next_multiple_of(16)
    } else if bytes <= LAST_CLASS_BYTES {
        // The power of two below, in quarters.
        let quarter = 1_usize << ((bytes - 1).ilog2() - 2);
        bytes.next_multiple_of(quarter)
    } else {
        bytes.saturating_add(4095) & !4095
    }
}

/// What a record is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordParts<'a> {
    /// Type and encoding of the value; only the caller knows the meaning.
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
}

/// The offsets of one allocation, bytes.
#[derive(Clone, Copy)]
struct Offsets {
    expiry: usize,
    address: usize,
    key: usize,
    value: usize,
    end: usize,
}

impl Offsets {
    const fn new(flags: u8, header_end: usize, key_bytes: usize, value_bytes: usize) -> Self {
        let expiry = header_end;
        let address = expiry
            + if flags & FLAG_EXPIRY == 0 {
                0
            } else {
                EXPIRY_BYTES
            };
        let key = address
            + if flags & FLAG_ADDRESS == 0 {
                0
            } else {
                ADDRESS_BYTES
            };
        let value = key + key_bytes;
        Self {
            expiry,
            address,
            key,
            value,
            end: value + value_bytes,
        }
    }
}

/// A record; dropping it frees the allocation.
pub struct Record {
    start: NonNull<u8>,
}

// SAFETY: a record owns its allocation alone, and plain bytes do not care which
// thread reads them or frees them.
unsafe impl Send for Record {}
// SAFETY: `&Record` only reads.
unsafe impl Sync for Record {}

impl Record {
    /// A record of its own allocation with a copy of `parts`.
    ///
    /// Ends the process when the allocator has no memory.
    #[must_use]
    pub fn new(parts: &RecordParts<'_>) -> Self {
        let mut flags = 0;
        if parts.expiry.is_some() {
            flags |= FLAG_EXPIRY;
        }
        if parts.address.is_some() {
            flags |= FLAG_ADDRESS;
            if parts.is_clean {
                flags |= FLAG_CLEAN;
            }
        }
        let (key_bytes, value_bytes) = (parts.key.len(), parts.value.len());
        let header_end = 2 + varint_bytes(key_bytes as u64) + varint_bytes(value_bytes as u64);
        let offsets = Offsets::new(flags, header_end, key_bytes, value_bytes);
        let start = memory::allocate(offsets.end);
        // SAFETY: the allocation is `offsets.end` zeroed bytes that nothing else
        // points to.
        let bytes = unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), offsets.end) };
        bytes[0] = parts.form;
        bytes[1] = flags;
        let at = write_varint(bytes, 2, key_bytes);
        write_varint(bytes, at, value_bytes);
        if let Some(expiry) = parts.expiry {
            bytes[offsets.expiry..][..EXPIRY_BYTES].copy_from_slice(&expiry.0.to_le_bytes());
        }
        if let Some(address) = parts.address {
            bytes[offsets.address..][..ADDRESS_BYTES]
                .copy_from_slice(&address.to_bits().to_le_bytes());
        }
        bytes[offsets.key..offsets.value].copy_from_slice(parts.key);
        bytes[offsets.value..].copy_from_slice(parts.value);
        Self { start }
    }

    fn byte(&self, at: usize) -> u8 {
        // SAFETY: only called for the header, whose end `new` wrote: two bytes
        // and two varints, each of which ends itself.
        unsafe { self.start.add(at).read() }
    }

    fn read_varint(&self, at: &mut usize) -> usize {
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

    fn flags(&self) -> u8 {
        self.byte(1)
    }

    fn offsets(&self) -> Offsets {
        let mut at = 2;
        let key_bytes = self.read_varint(&mut at);
        let value_bytes = self.read_varint(&mut at);
        Offsets::new(self.flags(), at, key_bytes, value_bytes)
    }

    fn bytes(&self, offsets: Offsets) -> &[u8] {
        // SAFETY: the allocation is `offsets.end` initialised bytes, borrowed
        // as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), offsets.end) }
    }

    fn bytes_mut(&mut self, offsets: Offsets) -> &mut [u8] {
        // SAFETY: as `bytes`, and `&mut self` makes the borrow the only one.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), offsets.end) }
    }

    /// Type and encoding of the value, as given.
    #[must_use]
    pub fn form(&self) -> u8 {
        self.byte(0)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        let offsets = self.offsets();
        &self.bytes(offsets)[offsets.key..offsets.value]
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        let offsets = self.offsets();
        &self.bytes(offsets)[offsets.value..]
    }

    /// The value, to change in place at the same length; the record is no
    /// longer clean.
    pub fn value_mut(&mut self) -> &mut [u8] {
        self.mark_dirty();
        let offsets = self.offsets();
        &mut self.bytes_mut(offsets)[offsets.value..]
    }

    /// When the key expires.
    #[must_use]
    pub fn expiry(&self) -> Option<UnixMillis> {
        if self.flags() & FLAG_EXPIRY == 0 {
            return None;
        }
        let offsets = self.offsets();
        Some(expiry_at(self.bytes(offsets), offsets))
    }

    /// Where the tier has a copy; [`Record::is_clean`] says whether it is
    /// identical. An outdated copy is remembered so that its space can be
    /// counted as garbage.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        if self.flags() & FLAG_ADDRESS == 0 {
            return None;
        }
        let offsets = self.offsets();
        Some(address_at(self.bytes(offsets), offsets))
    }

    /// Whether the tier holds an identical copy at [`Record::address`].
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.flags() & FLAG_CLEAN != 0
    }

    /// Whether the record as it is was captured for the tier and has not been
    /// changed since: see [`Record::mark_writing`].
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.flags() & FLAG_WRITING != 0
    }

    /// Remembers that the record was captured for the tier. Any change forgets
    /// it.
    pub fn mark_writing(&mut self) {
        let offsets = self.offsets();
        self.bytes_mut(offsets)[1] |= FLAG_WRITING;
    }

    /// All of the record; the header is read once.
    #[must_use]
    pub fn parts(&self) -> RecordParts<'_> {
        let flags = self.flags();
        let offsets = self.offsets();
        let bytes = self.bytes(offsets);
        RecordParts {
            form: bytes[0],
            expiry: (flags & FLAG_EXPIRY != 0).then(|| expiry_at(bytes, offsets)),
            address: (flags & FLAG_ADDRESS != 0).then(|| address_at(bytes, offsets)),
            is_clean: flags & FLAG_CLEAN != 0,
            key: &bytes[offsets.key..offsets.value],
            value: &bytes[offsets.value..],
        }
    }

    /// Remembers that the tier's copy, if any, is outdated. The address stays.
    pub fn mark_dirty(&mut self) {
        let offsets = self.offsets();
        self.bytes_mut(offsets)[1] &= !(FLAG_CLEAN | FLAG_WRITING);
    }

    /// Changes the expiry; the record is no longer clean. Moves the record to
    /// another allocation where it gains or loses an expiry.
    pub fn set_expiry(&mut self, expiry: Option<UnixMillis>) {
        self.mark_dirty();
        match expiry {
            Some(expiry) if self.flags() & FLAG_EXPIRY != 0 => {
                let offsets = self.offsets();
                self.bytes_mut(offsets)[offsets.expiry..offsets.address]
                    .copy_from_slice(&expiry.0.to_le_bytes());
            }
            None if self.flags() & FLAG_EXPIRY == 0 => {}
            _ => {
                *self = Self::new(&RecordParts {
                    expiry,
                    ..self.parts()
                });
            }
        }
    }

    /// With an address: remembers that the tier holds an identical copy there,
    /// so the record is clean. Without: forgets the copy. Moves the record to
    /// another allocation where it gains or loses an address.
    pub fn set_address(&mut self, address: Option<Address>) {
        match address {
            Some(address) if self.flags() & FLAG_ADDRESS != 0 => {
                let offsets = self.offsets();
                let bytes = self.bytes_mut(offsets);
                bytes[offsets.address..offsets.key]
                    .copy_from_slice(&address.to_bits().to_le_bytes());
                bytes[1] = (bytes[1] | FLAG_CLEAN) & !FLAG_WRITING;
            }
            None if self.flags() & FLAG_ADDRESS == 0 => {}
            _ => {
                *self = Self::new(&RecordParts {
                    address,
                    is_clean: address.is_some(),
                    ..self.parts()
                });
            }
        }
    }

    /// Changes form and value; the record is no longer clean. Moves the record
    /// to another allocation where the length of the value changes.
    pub fn set_value(&mut self, form: u8, value: &[u8]) {
        self.mark_dirty();
        let offsets = self.offsets();
        if offsets.end - offsets.value == value.len() {
            let bytes = self.bytes_mut(offsets);
            bytes[0] = form;
            bytes[offsets.value..].copy_from_slice(value);
        } else {
            *self = Self::new(&RecordParts {
                form,
                value,
                ..self.parts()
            });
        }
    }

    /// What the record takes, as the allocator rounds it, bytes.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        allocator_rounds_to(self.offsets().end)
    }

    /// Gives the allocation up to the caller, who must come back with
    /// [`Record::from_raw`] or leak it.
    #[must_use]
    pub fn into_raw(self) -> RawRecord {
        RawRecord(ManuallyDrop::new(self).start)
    }

    /// Takes the allocation back.
    ///
    /// # Safety
    /// `raw` came from [`Record::into_raw`], was not taken back since, and no
    /// [`RawRecord::borrow`] of it is alive.
    #[must_use]
    pub unsafe fn from_raw(raw: RawRecord) -> Self {
        Self { start: raw.0 }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let bytes = self.offsets().end;
        // SAFETY: `new` allocated as many bytes as its header says, no method
        // changes the header's lengths in place, and `self` is gone after this.
        unsafe { memory::release(self.start, bytes) };
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().fmt(f)
    }
}

/// The expiry of a record that has one.
fn expiry_at(bytes: &[u8], offsets: Offsets) -> UnixMillis {
    let mut field = [0; EXPIRY_BYTES];
    field.copy_from_slice(&bytes[offsets.expiry..offsets.address]);
    UnixMillis(i64::from_le_bytes(field))
}

/// The address of a record that has one.
fn address_at(bytes: &[u8], offsets: Offsets) -> Address {
    let mut field = [0; ADDRESS_BYTES];
    field.copy_from_slice(&bytes[offsets.address..offsets.key]);
    Address::from_low_bits(u32::from_le_bytes(field))
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

/// A pointer to a record that something else owns, such as a slot. Having one
/// says nothing about whether the record still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord(NonNull<u8>);

impl RawRecord {
    /// How many low bits of [`RawRecord::to_exposed`] are always 0.
    pub(crate) const FREE_BITS: u32 = memory::ALIGNMENT_BYTES.trailing_zeros();

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
    pub(crate) fn as_ptr(self) -> *const u8 {
        self.0.as_ptr()
    }

    /// The record, to read without taking it.
    ///
    /// # Safety
    /// The pointer came from [`Record::into_raw`], and for as long as `'a` the
    /// record is neither changed nor taken back; the shard's lock does both.
    #[must_use]
    pub unsafe fn borrow<'a>(self) -> BorrowedRecord<'a> {
        BorrowedRecord {
            record: ManuallyDrop::new(Record { start: self.0 }),
            lifetime: PhantomData,
        }
    }
}

/// A record that stays where it is.
pub struct BorrowedRecord<'a> {
    record: ManuallyDrop<Record>,
    lifetime: PhantomData<&'a Record>,
}

impl<'a> BorrowedRecord<'a> {
    /// All of the record, for as long as it stays.
    #[must_use]
    pub fn parts(&self) -> RecordParts<'a> {
        let parts = self.record.parts();
        // SAFETY: the bytes lie in the record's allocation, not in this
        // wrapper, and whoever borrowed the record promised that it stays
        // unchanged for `'a`.
        unsafe { std::mem::transmute::<RecordParts<'_>, RecordParts<'a>>(parts) }
    }
}

impl Deref for BorrowedRecord<'_> {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl fmt::Debug for BorrowedRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn address(page: u32) -> Address {
        Address::new(page, 1).expect("the page is in range")
    }

    proptest! {
        #[test]
        fn parts_read_back_through_every_change(
            form in any::<u8>(),
            expiry in any::<Option<i64>>(),
            page in proptest::option::of(0..Address::PAGE_COUNT),
            key in vec(any::<u8>(), 0..300),
            value in vec(any::<u8>(), 0..300),
            changes in vec((0..5_u8, any::<Option<i64>>(), vec(any::<u8>(), 0..5)), 0..12),
        ) {
            let mut parts = RecordParts {
                form,
                expiry: expiry.map(UnixMillis),
                address: page.map(address),
                is_clean: page.is_some(),
                key: &key,
                value: &value,
            };
            let mut record = Record::new(&parts);
            prop_assert_eq!(record.parts(), parts);
            for (kind, number, bytes) in &changes {
                match kind {
                    0 => {
                        parts.expiry = number.map(UnixMillis);
                        parts.is_clean = false;
                        record.set_expiry(parts.expiry);
                    }
                    1 => {
                        parts.address = number.map(|number| address((number as u32) >> 4));
                        parts.is_clean = number.is_some();
                        record.set_address(parts.address);
                    }
                    2 => {
                        (parts.value, parts.form, parts.is_clean) = (bytes, *kind, false);
                        record.set_value(*kind, bytes);
                    }
                    3 => {
                        parts.is_clean = false;
                        record.mark_dirty();
                    }
                    _ => {
                        let raw = record.into_raw();
                        // SAFETY: `raw` is taken back after the borrow ended.
                        let borrowed = unsafe { raw.borrow() };
                        prop_assert_eq!(borrowed.parts(), parts);
                        let found = RawRecord::from_exposed(raw.to_exposed()).expect("not null");
                        // SAFETY: it is the pointer just given up.
                        record = unsafe { Record::from_raw(found) };
                    }
                }
                prop_assert_eq!(record.parts(), parts);
            }
        }
    }

    #[test]
    fn value_changed_in_place_is_dirty() {
        let mut record = Record::new(&RecordParts::new(1, b"key", b"old"));
        record.set_address(Some(address(3)));
        assert!(record.is_clean());
        record.value_mut().copy_from_slice(b"new");
        assert_eq!((record.value(), record.is_clean()), (&b"new"[..], false));
        assert_eq!(record.address(), Some(address(3)));
    }

    #[test]
    fn allocated_bytes_are_those_of_the_size_class() {
        for (bytes, rounded) in [
            (1, 8),
            (9, 16),
            (33, 48),
            (64, 64),
            (65, 80),
            (128, 128),
            (129, 160),
            (2049, 2560),
            (4096, 4096),
            (131_073, 135_168),
        ] {
            assert_eq!(allocator_rounds_to(bytes), rounded, "{bytes}");
        }
        let record = Record::new(&RecordParts::new(0, &[b'k'; 20], &[b'v'; 80]));
        assert_eq!(record.allocated_bytes(), 112);
    }
}
