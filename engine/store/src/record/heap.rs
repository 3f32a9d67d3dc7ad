//! The records of one table: an append-only log of chunks.
//!
//! Owns the memory of the records and knows how much of it is live. Does not
//! know which slot leads to a record: its table walks a chunk that is to be
//! emptied ([`Heap::victim`]) and repoints the slots (log-structured memory:
//! Rumble, Kejriwal and Ousterhout, FAST 2014). Under the shard's lock, any
//! thread.
//!
//! A record is written behind the last one of the current chunk; when it does
//! not fit, the chunk is sealed and another begun. A record that dies leaves
//! its chunk's live bytes; a chunk without any goes back to the pool at once.
//! Chunks grow with the heap: a half-filled and a half-dead chunk must be small
//! against it. Where records are long and few that is not small enough: there a
//! chunk is an untouched one, which becomes resident page by page. A record too
//! long for a chunk lies alone, in memory of the allocator: see
//! [`Heap::begin_chunk`].
//!
//! INVARIANT: the records of a chunk, live and dead, lie one behind the other
//! from its start to `used`; `live` is the sum of those not dead.
//! INVARIANT: a record within no chunk came from the allocator.
#![expect(unsafe_code, reason = "records lie in chunks and are found by address")]

use super::allocator_rounds_to;
use super::layout::{RawRecord, RecordParts};
use super::pool::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, ChunkPool};
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Arc;

/// A longer record lies alone, bytes.
const RECORD_BYTES_MAX: usize = 4 << 10;
/// A chunk is to take at least this many of the records it is begun for; a
/// shorter one that lies idle will do for half as many.
const RECORDS_IN_CHUNK: usize = 4;
/// A heap has this many times the bytes of a record before it begins a chunk
/// for it.
const RECORDS_BEFORE_CHUNK: usize = 8;
/// Of the chunks, one part in this many may be dead.
const DEAD_PART: usize = 3;
/// The same when memory is short.
const DEAD_PART_SHORT: usize = 8;
/// What the chunk in use and the ends of the others may cost a record before
/// chunks become resident by the page, bytes.
const WASTE_BYTES: usize = 4;
/// A heap this large asks for huge pages whatever that costs, bytes.
const SMALL_PAGES_BYTES: usize = 4 << 20;
/// The shortest chunk that becomes resident by the page, bytes.
const UNTOUCHED_BYTES_MIN: usize = 16 << 10;
/// A chunk is worth emptying if at least this part of it can be won.
const WORTH_PART: usize = 16;

/// What a heap counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapStatistics {
    /// Records that slots lead to, alone or in chunks, bytes.
    pub live_bytes: usize,
    /// Places in chunks of records that died, bytes.
    pub dead_bytes: usize,
    /// Ends of chunks that no record fitted, or none has come to yet, bytes.
    pub tail_bytes: usize,
    /// Chunks.
    pub chunks: usize,
    /// Chunks that were emptied to win their dead bytes.
    pub compactions: u64,
    /// What was copied for that, bytes.
    pub compacted_bytes: u64,
}

/// Consecutive memory of the pool.
#[derive(Clone, Copy)]
struct Chunk {
    start: NonNull<u8>,
    bytes: u32,
    used: u32,
    live: u32,
    /// Whether it is resident only as far as it is used.
    is_untouched: bool,
}

impl Chunk {
    const NONE: Self = Self {
        start: NonNull::dangling(),
        bytes: 0,
        used: 0,
        live: 0,
        is_untouched: false,
    };

    fn holds(&self, raw: RawRecord) -> bool {
        raw.as_ptr().addr().wrapping_sub(self.start.as_ptr().addr()) < self.bytes as usize
    }

    /// How much of it is resident: whole pages.
    fn resident_bytes(&self) -> usize {
        if self.is_untouched {
            (self.used as usize).next_multiple_of(CHUNK_BYTES_MIN)
        } else {
            self.bytes as usize
        }
    }

    /// Which part of what is resident `bytes` are, 0 to 2¹⁶.
    fn part(&self, bytes: usize) -> usize {
        (bytes << 16)
            .checked_div(self.resident_bytes())
            .unwrap_or(0)
    }

    /// What emptying it would win, in parts of it, 0 to 2¹⁶.
    fn waste(&self) -> usize {
        self.part(self.resident_bytes() - self.live as usize)
    }
}

/// See the module.
pub struct Heap {
    pool: Arc<ChunkPool>,
    current: Chunk,
    /// Ascending by address.
    sealed: Vec<Chunk>,
    /// What is resident of the sealed chunks, bytes.
    sealed_bytes: usize,
    /// The part of all chunks in use, bytes.
    used_bytes: usize,
    /// Live records in chunks, bytes.
    live_bytes: usize,
    /// Records alone, as the allocator rounds them, bytes.
    alone_bytes: usize,
    compactions: u64,
    compacted_bytes: u64,
}

// SAFETY: the heap owns what its pointers lead to, and plain bytes do not care
// which thread reads or frees them.
unsafe impl Send for Heap {}
// SAFETY: `&Heap` only reads its own fields.
unsafe impl Sync for Heap {}

impl Heap {
    /// A heap without memory.
    #[must_use]
    pub fn new(pool: &Arc<ChunkPool>) -> Self {
        Self {
            pool: Arc::clone(pool),
            current: Chunk::NONE,
            sealed: Vec::new(),
            sealed_bytes: 0,
            used_bytes: 0,
            live_bytes: 0,
            alone_bytes: 0,
            compactions: 0,
            compacted_bytes: 0,
        }
    }

    /// All memory of the heap: what is resident of chunks, records alone, lists,
    /// bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let list = self.sealed.capacity() * size_of::<Chunk>();
        let list = if list == 0 {
            0
        } else {
            allocator_rounds_to(list)
        };
        self.chunk_bytes() + self.alone_bytes + list
    }

    /// What is resident of the chunks, bytes.
    fn chunk_bytes(&self) -> usize {
        self.sealed_bytes + self.current.resident_bytes()
    }

    /// See [`HeapStatistics`].
    #[must_use]
    pub fn statistics(&self) -> HeapStatistics {
        HeapStatistics {
            live_bytes: self.live_bytes + self.alone_bytes,
            dead_bytes: self.dead_bytes(),
            tail_bytes: self.chunk_bytes() - self.used_bytes,
            chunks: self.sealed.len() + usize::from(self.current.bytes > 0),
            compactions: self.compactions,
            compacted_bytes: self.compacted_bytes,
        }
    }

    fn dead_bytes(&self) -> usize {
        self.used_bytes - self.live_bytes
    }

    /// What a live record of the heap takes, bytes.
    ///
    /// # Safety
    /// `raw` is a live record of this heap.
    #[must_use]
    pub unsafe fn bytes_of(&self, raw: RawRecord) -> usize {
        // SAFETY: the caller's promise; it is only read here.
        let bytes = unsafe { raw.borrow() }.record_bytes();
        if self.find(raw).is_some() {
            bytes
        } else {
            allocator_rounds_to(bytes)
        }
    }

    /// Whether records lie outside the chunks.
    pub(crate) const fn has_records_alone(&self) -> bool {
        self.alone_bytes > 0
    }

    /// Writes a record where there is room at once: most of the time.
    #[inline]
    pub(crate) fn try_allocate(&mut self, parts: &RecordParts<'_>) -> Option<RawRecord> {
        let place = self.bump(parts.record_bytes())?;
        // SAFETY: `bump` gives initialised memory of its own of as many bytes.
        Some(unsafe { parts.write_to(place) })
    }

    /// Writes a record, in a new chunk or alone if need be.
    pub(crate) fn allocate(&mut self, parts: &RecordParts<'_>) -> RawRecord {
        let bytes = parts.record_bytes();
        let place = self.place(bytes);
        // SAFETY: as in `try_allocate`; memory of the allocator is zeroed.
        unsafe { parts.write_to(place) }
    }

    fn bump(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        let chunk = &mut self.current;
        if bytes > (chunk.bytes - chunk.used) as usize {
            return None;
        }
        // SAFETY: `used` is within the chunk, as was just compared.
        let place = unsafe { chunk.start.add(chunk.used as usize) };
        chunk.used += bytes as u32;
        chunk.live += bytes as u32;
        self.used_bytes += bytes;
        self.live_bytes += bytes;
        Some(place)
    }

    fn place(&mut self, bytes: usize) -> NonNull<u8> {
        if let Some(place) = self.bump(bytes) {
            return place;
        }
        if self.begin_chunk(bytes)
            && let Some(place) = self.bump(bytes)
        {
            return place;
        }
        self.alone_bytes += allocator_rounds_to(bytes);
        let layout = layout_alone(bytes);
        // SAFETY: a record has a header, so the size is not 0.
        let place = unsafe { std::alloc::alloc_zeroed(layout) };
        NonNull::new(place).unwrap_or_else(|| std::alloc::handle_alloc_error(layout))
    }

    /// Begins a chunk that a record of `bytes` bytes fits; false if the record
    /// is too long for one, or the heap too small to have one half empty.
    #[cold]
    fn begin_chunk(&mut self, bytes: usize) -> bool {
        let heap_bytes = self.live_bytes + self.alone_bytes;
        let enough_bytes = (bytes * RECORDS_BEFORE_CHUNK).max(CHUNK_BYTES_MIN);
        if bytes > RECORD_BYTES_MAX || heap_bytes < enough_bytes {
            return false;
        }
        // Half a chunk is not begun yet, and at the end of each of the others
        // half a record is missing: together least at the root of the product.
        let wanted = (heap_bytes * bytes).isqrt().max(bytes * RECORDS_IN_CHUNK);
        let in_range = |bytes: usize| {
            let bytes = bytes.next_power_of_two();
            bytes.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX)
        };
        let (wanted, least) = (in_range(wanted), in_range(bytes * RECORDS_IN_CHUNK / 2));
        // Where that comes to too much a record, only pages are half unfilled,
        // and chunks so long that their ends come to half a byte a record. Of records
        // so short that not even the shortest chunks have costly ends, a page half
        // unfilled is all there is to lose either way.
        let has_costly_ends = bytes.pow(2) > WASTE_BYTES * 2 * CHUNK_BYTES_MIN;
        let is_costly = has_costly_ends && bytes.pow(3) > WASTE_BYTES * WASTE_BYTES * heap_bytes;
        let untouched = (is_costly && heap_bytes < SMALL_PAGES_BYTES)
            .then(|| in_range((bytes * bytes).max(UNTOUCHED_BYTES_MIN)));
        self.seal();
        let lent = self.pool.take(wanted, least, untouched);
        self.current = Chunk {
            start: lent.start,
            bytes: lent.bytes as u32,
            is_untouched: lent.is_untouched,
            ..Chunk::NONE
        };
        true
    }

    /// Appends nothing more to the current chunk.
    fn seal(&mut self) {
        let chunk = std::mem::replace(&mut self.current, Chunk::NONE);
        if chunk.live > 0 {
            let at = self
                .sealed
                .partition_point(|other| other.start < chunk.start);
            if self.sealed.len() == self.sealed.capacity() {
                self.sealed.reserve_exact(self.sealed.len() / 4 + 4);
            }
            self.sealed.insert(at, chunk);
            self.sealed_bytes += chunk.resident_bytes();
        } else if chunk.bytes > 0 {
            self.free(chunk);
        }
    }

    /// Gives a chunk back that is in no list any more.
    fn free(&mut self, chunk: Chunk) {
        self.used_bytes -= chunk.used as usize;
        let (bytes, resident_bytes) = (chunk.bytes as usize, chunk.resident_bytes());
        // SAFETY: the pool gave it with as many bytes, it has no live record,
        // and no borrow outlives the table's `&mut self` that led here.
        unsafe { self.pool.give_back(chunk.start, bytes, resident_bytes) };
    }

    /// Which sealed chunk a record lies in, or the current one.
    fn find(&self, raw: RawRecord) -> Option<Place> {
        if self.current.holds(raw) {
            return Some(Place::Current);
        }
        let after = (self.sealed).partition_point(|chunk| chunk.start <= raw.place());
        let index = after.checked_sub(1)?;
        self.sealed[index]
            .holds(raw)
            .then_some(Place::Sealed(index))
    }

    /// Gives the place of a record back.
    ///
    /// # Safety
    /// `raw` is a live record of this heap that no slot leads to any more and
    /// nothing borrows.
    pub(crate) unsafe fn release(&mut self, raw: RawRecord) {
        // SAFETY: the caller's promise; the view ends here.
        let bytes = unsafe { raw.borrow() }.record_bytes();
        let Some(place) = self.find(raw) else {
            self.alone_bytes -= allocator_rounds_to(bytes);
            // SAFETY: a record in no chunk came from the allocator with this
            // layout: its length has not changed since.
            unsafe { std::alloc::dealloc(raw.place().as_ptr(), layout_alone(bytes)) };
            return;
        };
        // SAFETY: nothing borrows the record.
        unsafe { raw.borrow_mut() }.mark_dead();
        self.died(place, bytes);
    }

    fn died(&mut self, place: Place, bytes: usize) {
        self.live_bytes -= bytes;
        match place {
            Place::Current => {
                self.current.live -= bytes as u32;
                if self.current.live == 0 {
                    self.seal();
                }
            }
            Place::Sealed(index) => {
                self.sealed[index].live -= bytes as u32;
                if self.sealed[index].live == 0 {
                    let chunk = self.sealed.remove(index);
                    self.sealed_bytes -= chunk.resident_bytes();
                    self.free(chunk);
                }
            }
        }
    }

    /// Whether so much of the chunks is dead that one is to be emptied. When
    /// memory is short, less is left dead, though more must be copied for it.
    pub(crate) fn is_wasteful(&self) -> bool {
        let part = if self.pool.is_short() {
            DEAD_PART_SHORT
        } else {
            DEAD_PART
        };
        self.dead_bytes() * part > self.chunk_bytes()
    }

    /// The live records of the chunk of which the most is dead or was never
    /// used, to be moved with [`Heap::relocate`]; the chunk goes with the last.
    /// `None` if that would win little.
    pub(crate) fn victim(&mut self) -> Option<Vec<RawRecord>> {
        let waste = |chunk: &Chunk| chunk.waste();
        let most = self.sealed.iter().map(waste).max().unwrap_or(0);
        let dead = self.current.used - self.current.live;
        let current = self.current.part(dead as usize);
        let is_worth = |waste: usize| waste * WORTH_PART >= 1 << 16;
        let chunk = if current > most && is_worth(current) {
            let chunk = self.current;
            self.seal();
            chunk
        } else if is_worth(most) {
            *self.sealed.iter().find(|chunk| chunk.waste() == most)?
        } else {
            return None;
        };
        let mut live = Vec::new();
        let mut at = 0;
        while at < chunk.used as usize {
            // SAFETY: records lie one behind the other up to `used`, the last
            // of them ends there, and `&mut self` keeps them as they are.
            let (raw, record) = unsafe {
                let raw = RawRecord::at(chunk.start.add(at));
                (raw, raw.borrow())
            };
            at += record.record_bytes();
            if !record.is_dead() {
                live.push(raw);
            }
        }
        self.compactions += 1;
        self.compacted_bytes += u64::from(chunk.live);
        Some(live)
    }

    /// Moves a live record to the current chunk; where it lies now. The old
    /// place is dead.
    ///
    /// # Safety
    /// `raw` is a live record of this heap that nothing borrows, and the slot
    /// that leads to it is set to the new place.
    pub(crate) unsafe fn relocate(&mut self, raw: RawRecord) -> RawRecord {
        // SAFETY: the caller's promise; the view ends here.
        let bytes = unsafe { raw.borrow() }.record_bytes();
        let place = self.place(bytes);
        // SAFETY: both are records' places of `bytes` initialised bytes that
        // nothing borrows; the new one is not in use, so they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(raw.as_ptr(), place.as_ptr(), bytes) };
        // SAFETY: the caller lets no slot lead to the old place any more.
        unsafe { self.release(raw) };
        RawRecord::at(place)
    }
}

/// Which chunk of a heap.
#[derive(Clone, Copy)]
enum Place {
    Current,
    Sealed(usize),
}

fn layout_alone(bytes: usize) -> Layout {
    Layout::array::<u8>(bytes).expect("a record is no longer than the slices it was made of can be")
}

impl Drop for Heap {
    /// Frees the chunks; the table frees the records that lie alone before.
    fn drop(&mut self) {
        self.sealed
            .push(std::mem::replace(&mut self.current, Chunk::NONE));
        for chunk in std::mem::take(&mut self.sealed) {
            if chunk.bytes > 0 {
                self.free(chunk);
            }
        }
        debug_assert_eq!(
            (self.used_bytes, self.alone_bytes),
            (0, 0),
            "all memory goes back"
        );
    }
}
