//! The keys of one shard and one database: the index with the records its hot
//! slots point to.
//!
//! Owns the records and the heap they lie in: each hot slot holds the only
//! pointer to one, and dropping the table frees them all. Counts their memory.
//! Does not own what a value means, nor large objects, which a record names by
//! number. Under the shard's lock, any thread.
//!
//! INVARIANT: the live records of `heap` are those that the hot slots lead to,
//! `hot` is their number, `expiries` counts those that expire.
#![expect(
    unsafe_code,
    reason = "a slot holds a record as a 48-bit number; this module pairs the two"
)]

use super::expiries::Expiries;
use super::{Index, Location, Position, Slot};
use crate::address::Address;
use crate::record::{ChunkPool, Heap, HeapStatistics, RawRecord, Record, RecordParts};
use smallvec::SmallVec;
use std::sync::Arc;
use thermocline_base::{DatabaseId, HashSeed, KeyHash, UnixMillis};

/// A line of the processor's cache, bytes.
const LINE_BYTES: usize = 64;

/// A slot that may be the key: its place and where its record is.
pub type Candidate = (Position, Address);

/// What the index knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is in memory, at this place.
    Hot(Position),
    /// It is not in memory; these slots may be its, if any.
    Cold(SmallVec<[Candidate; 1]>),
}

/// What one look at the index tells of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is in memory, at this place.
    Hot(Position),
    /// There is no such key.
    Absent,
    /// It may be on the tier.
    Unclear,
}

/// See the module.
pub struct KeyTable {
    database: DatabaseId,
    seed: HashSeed,
    index: Index,
    heap: Heap,
    hot: usize,
    expiries: Expiries,
}

impl KeyTable {
    /// A table without keys, which allocates nothing.
    #[must_use]
    pub fn new(database: DatabaseId, seed: HashSeed, pool: &Arc<ChunkPool>) -> Self {
        Self {
            database,
            seed,
            index: Index::new(),
            heap: Heap::new(pool),
            hot: 0,
            expiries: Expiries::default(),
        }
    }

    /// Whose keys these are.
    #[must_use]
    pub const fn database(&self) -> DatabaseId {
        self.database
    }

    /// How many keys there are, hot and cold.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many keys are in memory.
    #[must_use]
    pub const fn hot(&self) -> usize {
        self.hot
    }

    /// How many keys in memory expire, and when.
    #[must_use]
    pub const fn expiries(&self) -> Expiries {
        self.expiries
    }

    /// Memory of the records, dead ones and unused ends of chunks included,
    /// bytes.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.heap.memory_bytes()
    }

    /// What of that is in use.
    #[must_use]
    pub fn heap(&self) -> HeapStatistics {
        self.heap.statistics()
    }

    /// What the record at `position` takes, bytes; 0 if its slot is cold.
    #[must_use]
    pub fn bytes_at(&self, position: Position) -> usize {
        // SAFETY: a hot slot's record is live and in this table's heap.
        (self.raw(position)).map_or(0, |raw| unsafe { self.heap.bytes_of(raw) })
    }

    /// Memory of the index, bytes.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.index.memory_bytes()
    }

    /// Looks the key up, without a list of the places on the tier where it may be.
    #[must_use]
    #[inline]
    pub fn look(&self, hash: KeyHash, key: &[u8]) -> Look {
        let mut look = Look::Absent;
        self.index.any_match(hash, |position, slot| {
            match slot.location() {
                // SAFETY: see `borrow`; the record is only compared here.
                Some(Location::Hot(raw)) if unsafe { raw.borrow() }.key() == key => {
                    look = Look::Hot(position);
                    return true;
                }
                Some(Location::Cold(_)) => look = Look::Unclear,
                _ => {}
            }
            false
        });
        look
    }

    /// Looks the key up.
    #[must_use]
    pub fn find(&self, hash: KeyHash, key: &[u8]) -> Found {
        match self.look(hash, key) {
            Look::Hot(position) => return Found::Hot(position),
            Look::Absent => return Found::Cold(SmallVec::new()),
            Look::Unclear => {}
        }
        let mut cold = SmallVec::new();
        self.index.for_each_match(hash, |position, slot| {
            if let Some(Location::Cold(address)) = slot.location() {
                cold.push((position, address));
            }
        });
        Found::Cold(cold)
    }

    /// Asks the processor for the bucket of `hash`.
    pub fn prefetch_bucket(&self, hash: KeyHash) {
        self.index.lines(hash, prefetch);
    }

    /// Asks the processor for the record that `hash` may lead to.
    pub fn prefetch_record(&self, hash: KeyHash) {
        self.index.any_match(hash, |_, slot| {
            let Some(Location::Hot(raw)) = slot.location() else {
                return false;
            };
            // A record of a key of 16 and a value of 64 bytes lies in two lines or three.
            for line in 0..3 {
                prefetch(raw.as_ptr().wrapping_add(line * LINE_BYTES));
            }
            true
        });
    }

    /// The slot at `position`, which is valid.
    #[must_use]
    pub fn slot(&self, position: Position) -> Slot {
        self.index.get(position)
    }

    /// Sets how often the key at `position` was used lately.
    pub fn set_frequency(&mut self, position: Position, frequency: u8) {
        let slot = self.index.get(position);
        if slot.frequency() != frequency {
            self.index.set(position, slot.with_frequency(frequency));
        }
    }

    /// Counts a use of the hot key at `position`.
    pub fn count_use(&mut self, position: Position) {
        let frequency = self.index.get(position).frequency();
        if frequency < Slot::FREQUENCY_LIMIT {
            self.set_frequency(position, frequency + 1);
        }
    }

    /// Counts a use of the hot key at `position`, and gives its record.
    pub(crate) fn use_record(&mut self, position: Position) -> Option<Record<'_>> {
        let slot = self.index.get(position);
        let Some(Location::Hot(raw)) = slot.location() else {
            return None;
        };
        let frequency = slot.frequency();
        if frequency < Slot::FREQUENCY_LIMIT {
            self.index.set(position, slot.with_frequency(frequency + 1));
        }
        Some(self.borrow(raw))
    }

    fn raw(&self, position: Position) -> Option<RawRecord> {
        match self.index.get(position).location() {
            Some(Location::Hot(raw)) => Some(raw),
            _ => None,
        }
    }

    /// The record at `position`, if its slot is hot.
    #[must_use]
    pub fn record(&self, position: Position) -> Option<Record<'_>> {
        // SAFETY: a hot slot's record lives until the slot is replaced or
        // removed, or the record is changed; all of those take `&mut self`.
        self.raw(position).map(|raw| unsafe { raw.borrow() })
    }

    /// The record of a hot slot's `raw` pointer that this table yielded and
    /// that has not been changed since.
    fn borrow(&self, raw: RawRecord) -> Record<'_> {
        // SAFETY: only called with pointers just taken from this table's slots.
        unsafe { raw.borrow() }
    }

    /// Remembers that the record at `position` was captured for the tier.
    pub fn mark_writing(&mut self, position: Position) {
        if let Some(raw) = self.raw(position) {
            // SAFETY: as in `record`, and `&mut self` says that nothing borrows
            // the record.
            unsafe { raw.borrow_mut() }.mark_writing();
        }
    }

    /// Changes the expiry of the key at `position`, whose record is no longer
    /// clean; nothing happens if its slot is not hot.
    pub fn set_expiry(&mut self, position: Position, expiry: Option<UnixMillis>) {
        let Some(raw) = self.raw(position) else {
            return;
        };
        let old = self.borrow(raw).expiry();
        // SAFETY: as in `mark_writing`.
        if unsafe { raw.borrow_mut() }.set_expiry(expiry) {
            self.expiries.remove(old);
            self.expiries.add(expiry);
        } else {
            self.rewrite(position, |parts| {
                parts.expiry = expiry;
                parts.is_clean = false;
            });
        }
    }

    /// Writes these bytes over those of the value from `offset` on, in the record at
    /// `position`, which is no longer clean. Whether its slot is hot and the value has them
    /// all.
    pub fn overwrite(&mut self, position: Position, offset: usize, with: &[u8]) -> bool {
        // SAFETY: as in `mark_writing`; `with` is no part of the record, for `&mut self`.
        (self.raw(position)).is_some_and(|raw| unsafe { raw.borrow_mut() }.overwrite(offset, with))
    }

    /// Remembers that the tier holds an identical copy of the record at
    /// `position` at `address`, so that it is clean; nothing happens if its
    /// slot is not hot.
    pub fn set_address(&mut self, position: Position, address: Address) {
        let Some(raw) = self.raw(position) else {
            return;
        };
        // SAFETY: as in `mark_writing`.
        unsafe { raw.borrow_mut() }.set_address(address);
    }

    /// Writes the record at a hot slot's `position` anew, with a field more or
    /// less.
    fn rewrite(&mut self, position: Position, change: impl FnOnce(&mut RecordParts<'_>)) {
        let Some(record) = self.record(position) else {
            return;
        };
        let parts = record.parts();
        let key: SmallVec<[u8; 64]> = parts.key.into();
        let value: SmallVec<[u8; 256]> = parts.value.into();
        let mut parts = RecordParts {
            key: &key,
            value: &value,
            ..parts
        };
        change(&mut parts);
        let hash = self.seed.hash(self.database, &key);
        self.replace(position, hash, &parts);
    }

    /// Adds a key that has no slot.
    pub fn insert(&mut self, hash: KeyHash, parts: &RecordParts<'_>) {
        let raw = self.allocate(parts);
        self.hot += 1;
        self.expiries.add(parts.expiry);
        self.insert_slot(hash, Slot::hot(raw, hash));
    }

    /// A new record. Others may move.
    fn allocate(&mut self, parts: &RecordParts<'_>) -> RawRecord {
        match self.heap.try_allocate(parts) {
            Some(raw) => raw,
            None => self.allocate_with_room_made(parts),
        }
    }

    #[cold]
    fn allocate_with_room_made(&mut self, parts: &RecordParts<'_>) -> RawRecord {
        if self.heap.is_wasteful() {
            self.empty_chunk();
        }
        self.heap.allocate(parts)
    }

    /// Empties the chunk of the heap that wins most; false if none is worth it.
    fn empty_chunk(&mut self) -> bool {
        let Some(records) = self.heap.victim() else {
            return false;
        };
        let hashes: Vec<KeyHash> = records
            .iter()
            .map(|&raw| self.seed.hash(self.database, self.borrow(raw).key()))
            .inspect(|&hash| self.prefetch_bucket(hash))
            .collect();
        for (raw, hash) in records.into_iter().zip(hashes) {
            let mut found = None;
            self.index.for_each_match(hash, |position, slot| {
                if slot.location() == Some(Location::Hot(raw)) {
                    found = Some((position, slot));
                }
            });
            debug_assert!(found.is_some(), "a slot leads to each live record");
            if let Some((position, slot)) = found {
                // SAFETY: the heap has just yielded the record as a live one,
                // nothing borrows it, and its slot follows.
                let moved = unsafe { self.heap.relocate(raw) };
                self.index.set(position, slot.with_record(moved));
            }
        }
        true
    }

    /// Empties chunks as long as much of the heap is dead, at most `most`: each is a copy of at most a quarter of a MiB. How many bytes of
    /// memory that has won.
    pub fn compact(&mut self, most: usize) -> usize {
        let before = self.heap.memory_bytes();
        for _ in 0..most {
            if !self.heap.is_wasteful() || !self.empty_chunk() {
                break;
            }
        }
        before.saturating_sub(self.heap.memory_bytes())
    }

    /// Adds a key of which only the slot is in memory, as an image has it;
    /// only the stored bits of `hash` are used.
    pub fn insert_cold(&mut self, hash: KeyHash, slot: Slot) {
        debug_assert!(matches!(slot.location(), Some(Location::Cold(_))));
        self.insert_slot(hash, slot);
    }

    fn insert_slot(&mut self, hash: KeyHash, slot: Slot) {
        let (seed, database) = (self.seed, self.database);
        self.index
            .insert(hash, slot, &|raw| hash_of(seed, database, raw));
    }

    /// Frees the record of a hot slot that is no longer in the index.
    fn release(&mut self, slot: Slot) {
        if let Some(Location::Hot(raw)) = slot.location() {
            self.hot -= 1;
            let expiry = self.borrow(raw).expiry();
            self.expiries.remove(expiry);
            // SAFETY: the slot was this table's and is gone, so nothing leads
            // to the record, and `&mut self` says that nothing borrows it.
            unsafe { self.heap.release(raw) };
        }
    }

    /// The key at `position` is a record of these parts, whatever it was; its
    /// frequency stays. Positions stay valid.
    pub fn replace(&mut self, position: Position, hash: KeyHash, parts: &RecordParts<'_>) {
        if let Some(raw) = self.raw(position)
            && self.borrow(raw).record_bytes() == parts.record_bytes()
        {
            let expiry = self.borrow(raw).expiry();
            self.expiries.remove(expiry);
            self.expiries.add(parts.expiry);
            // SAFETY: the place has as many bytes, `&mut self` says that
            // nothing borrows them, so `parts` lie elsewhere.
            unsafe { parts.write_over(raw) };
            return;
        }
        let raw = self.allocate(parts);
        self.hot += 1;
        self.expiries.add(parts.expiry);
        let old = self.index.get(position);
        let slot = Slot::hot(raw, hash).with_frequency(old.frequency());
        self.index.set(position, slot);
        self.release(old);
    }

    /// Only the slot of the key at `position` stays in memory.
    pub fn sink(&mut self, position: Position, hash: KeyHash, address: Address) {
        let old = self.index.get(position);
        let slot = Slot::cold(address, hash).with_frequency(old.frequency());
        self.index.set(position, slot);
        self.release(old);
    }

    /// The cold key at `position` has moved on the tier; only the stored bits
    /// of `hash` are used.
    pub fn relocate(&mut self, position: Position, hash: KeyHash, address: Address) {
        let frequency = self.index.get(position).frequency();
        let slot = Slot::cold(address, hash).with_frequency(frequency);
        self.index.set(position, slot);
    }

    /// Removes the key at `position`.
    pub fn remove(&mut self, position: Position) {
        let old = self.index.remove(position);
        self.release(old);
    }

    /// How many segments the index has, for [`KeyTable::segment`].
    #[must_use]
    pub fn segments(&self) -> usize {
        self.index.segments()
    }

    /// Gives the memory of segments from `first` on back, which hold no key.
    /// Only for a table that is being taken apart: nothing else works after.
    pub fn drop_segments(&mut self, first: usize) {
        self.index.truncate_segments(first);
    }

    /// The keys of one segment of the index, at most 448.
    #[must_use]
    pub fn segment(&self, segment: usize) -> SmallVec<[(Position, Slot); 64]> {
        self.index.segment_slots(segment).collect()
    }

    /// The hash of the key at `position`: from its record, or as much as a
    /// cold slot keeps of it.
    #[must_use]
    pub fn hash(&self, position: Position) -> Option<KeyHash> {
        let key = self.record(position)?;
        Some(self.seed.hash(self.database, key.key()))
    }

    /// Visits slots by stored hash, see [`Index::scan`].
    pub fn scan(
        &self,
        cursor: u32,
        count: usize,
        mut visit: impl FnMut(u32, Slot, Option<Record<'_>>),
    ) -> Option<u32> {
        let (seed, database) = (self.seed, self.database);
        let hasher = |raw| hash_of(seed, database, raw);
        self.index.scan(cursor, count, &hasher, |stored, slot| {
            match slot.location() {
                Some(Location::Hot(raw)) => visit(stored, slot, Some(self.borrow(raw))),
                _ => visit(stored, slot, None),
            }
        })
    }
}

/// A hint that all of `value` is used soon.
pub(crate) fn prefetch_all<T>(value: &T) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    for offset in (0..size_of::<T>()).step_by(LINE_BYTES) {
        prefetch(start.wrapping_add(offset));
    }
}

/// A hint that the line at `address` is read soon.
fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing the program can see and faults on no
    // address; SSE is part of the architecture.
    unsafe {
        std::arch::x86_64::_mm_prefetch(address.cast(), std::arch::x86_64::_MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

fn hash_of(seed: HashSeed, database: DatabaseId, raw: RawRecord) -> KeyHash {
    // SAFETY: only called by the index with pointers of its own hot slots,
    // whose records live; it is not kept.
    seed.hash(database, unsafe { raw.borrow() }.key())
}

impl Drop for KeyTable {
    fn drop(&mut self) {
        // Chunks go as a whole.
        if self.heap.has_records_alone() {
            for segment in 0..self.index.segments() {
                for (_, slot) in self.segment(segment) {
                    self.release(slot);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
