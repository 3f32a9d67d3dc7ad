//! The memory that chunks of records come from: blocks of anonymous maps, cut
//! in halves.
//!
//! Owns the maps and knows which parts of them are free (a buddy system:
//! Knowlton, 1965). Does not know what lies in a chunk. Its own lock, which is
//! the innermost; any thread. The keeper gives memory back to the kernel.
//!
//! Chunks are a power of two from [`CHUNK_BYTES_MIN`], a page, to
//! [`CHUNK_BYTES_MAX`] long and aligned to their length. The lowest free place
//! goes first, so that free memory gathers at the high end. What is free and was
//! written stays resident until [`ChunkPool::trim`], for the next chunk needs no
//! page fault then; however free places lie, all of them can be given back.
//!
//! Regions are of two kinds. Most ask for huge pages: a chunk there is resident
//! as a whole. In the others a chunk becomes resident page by page as it is
//! written, and may so be long while little of it is used.
#![expect(
    unsafe_code,
    reason = "chunks are parts of maps, lent out and taken back"
)]

use memmap2::{Advice, MmapMut, UncheckedAdvice};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The smallest chunk, bytes: what the kernel takes back.
pub(super) const CHUNK_BYTES_MIN: usize = 4 << 10;
/// The largest chunk, bytes.
pub(super) const CHUNK_BYTES_MAX: usize = 256 << 10;
/// How many sizes there are.
const ORDERS: usize = (CHUNK_BYTES_MAX / CHUNK_BYTES_MIN).ilog2() as usize + 1;
/// Address space is asked for in pieces of this, bytes.
const REGION_BYTES: usize = 32 << 20;
/// Where huge pages begin, bytes.
const REGION_ALIGNMENT_BYTES: usize = 2 << 20;
/// Of the memory lent out, this part may lie idle, and this much at least.
const IDLE_PART: usize = 32;
const IDLE_BYTES: usize = 1 << 20;
/// Places given back to the kernel under one hold of the lock.
const TRIMMED: usize = 16;

/// A chunk as it is lent.
pub(super) struct Lent {
    /// Initialised memory of any content that nothing else refers to.
    pub(super) start: NonNull<u8>,
    /// How long it is: a power of two.
    pub(super) bytes: usize,
    /// Whether it only becomes resident as it is written, from its start on.
    pub(super) is_untouched: bool,
}

/// What the pages of a region are like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pages {
    Huge = 0,
    Small = 1,
}

/// Free places of each size by address. No two of them are halves of one place.
#[derive(Default)]
struct Places([BTreeSet<usize>; ORDERS]);

impl Places {
    /// Adds a place, with its other half where that is free too.
    fn add(&mut self, mut start: usize, mut order: usize) {
        while order < ORDERS - 1 && self.0[order].remove(&(start ^ size_of_order(order))) {
            start &= !size_of_order(order);
            order += 1;
        }
        self.0[order].insert(start);
    }

    /// Takes the lowest place of the first of `orders` that has one.
    fn take(&mut self, mut orders: impl Iterator<Item = usize>) -> Option<(usize, usize)> {
        orders.find_map(|order| Some((self.0[order].pop_first()?, order)))
    }

    /// Cuts a place to `wanted`; what is left stays free.
    fn cut(&mut self, start: usize, mut order: usize, wanted: usize) {
        while order > wanted {
            order -= 1;
            self.0[order].insert(start + size_of_order(order));
        }
    }

    /// Takes the highest of the largest places.
    fn take_largest(&mut self) -> Option<(usize, usize)> {
        let mut orders = (0..ORDERS).rev();
        orders.find_map(|order| Some((self.0[order].pop_last()?, order)))
    }
}

#[derive(Default)]
struct State {
    /// Kept for as long as the pool lives, ascending by address.
    regions: Vec<Region>,
    /// Free and resident.
    idle: Places,
    /// Free and not resident, in regions of each kind of pages.
    untouched: [Places; 2],
    lent_bytes: usize,
    idle_bytes: usize,
}

struct Region {
    map: MmapMut,
    start: usize,
    pages: Pages,
}

/// See the module.
#[derive(Default)]
pub struct ChunkPool {
    state: Mutex<State>,
    is_short: AtomicBool,
}

impl ChunkPool {
    /// A chunk of `wanted` bytes, or a shorter one of at least `least` where one
    /// lies idle and none of `wanted` does: the shards' heaps are of about one
    /// size, and when they grow, what is too short now must not lie about. Where
    /// none lies idle, an untouched one of `untouched` bytes, if that is given.
    /// Powers of two in the pool's range all. Ends the process when there is no
    /// memory.
    pub(super) fn take(&self, wanted: usize, least: usize, untouched: Option<usize>) -> Lent {
        let mut state = self.state.lock();
        let (mut wanted, mut least) = (order_of(wanted), order_of(least));
        let places = |least: usize, wanted: usize| (least..=wanted).rev().chain(wanted + 1..ORDERS);
        let found = state.idle.take(places(least, wanted));
        let is_untouched = found.is_none() && untouched.is_some();
        let (start, order) = if let Some((start, order)) = found {
            state.idle.cut(start, order, wanted);
            state.idle_bytes -= size_of_order(order.min(wanted));
            (start, order)
        } else {
            let mut pages = Pages::Huge;
            if let Some(bytes) = untouched {
                pages = Pages::Small;
                (wanted, least) = (order_of(bytes), order_of(bytes));
            }
            let (start, order) = state.take_untouched(pages, || places(least, wanted));
            state.untouched[pages as usize].cut(start, order, wanted);
            (start, order)
        };
        let bytes = size_of_order(order.min(wanted));
        state.lent_bytes += bytes;
        drop(state);
        let start = NonNull::new(std::ptr::with_exposed_provenance_mut(start));
        Lent {
            start: start.unwrap_or_else(|| unreachable!("no map begins at 0")),
            bytes,
            is_untouched,
        }
    }

    /// Takes a chunk back, of which the first `resident` bytes are resident:
    /// whole pages.
    ///
    /// # Safety
    /// `start` came from [`ChunkPool::take`] with the same `bytes`, and nothing
    /// refers to it any more.
    pub(super) unsafe fn give_back(&self, start: NonNull<u8>, bytes: usize, resident: usize) {
        debug_assert!(resident <= bytes && resident.is_multiple_of(CHUNK_BYTES_MIN));
        if cfg!(debug_assertions) {
            // Whoever still reads the chunk shall not find what was there.
            // SAFETY: the caller's promise is that nobody does.
            unsafe { start.write_bytes(0xdb, resident) };
        }
        let start = start.as_ptr().addr();
        let mut state = self.state.lock();
        state.lent_bytes -= bytes;
        state.idle_bytes += resident;
        if resident == bytes {
            state.idle.add(start, order_of(bytes));
            return;
        }
        let pages = state.region(start).pages;
        for offset in (0..bytes).step_by(CHUNK_BYTES_MIN) {
            if offset < resident {
                state.idle.add(start + offset, 0);
            } else {
                state.untouched[pages as usize].add(start + offset, 0);
            }
        }
    }

    /// Gives free memory back to the kernel until no more is idle than the next
    /// chunks are likely to need. Not under a shard's lock.
    pub(crate) fn trim(&self) {
        let keeps = (self.lent_bytes() / IDLE_PART).max(IDLE_BYTES);
        while self.trim_some(keeps) {}
    }

    /// As much of [`ChunkPool::trim`] as one hold of the lock is for; whether
    /// there is more to do.
    fn trim_some(&self, keeps: usize) -> bool {
        let mut state = self.state.lock();
        for _ in 0..TRIMMED {
            if state.idle_bytes <= keeps {
                return false;
            }
            let Some((start, order)) = state.idle.take_largest() else {
                return false;
            };
            state.forget(start, order);
        }
        true
    }

    /// Notes whether memory is short, for the heaps to spare it at a higher
    /// price.
    pub(crate) fn set_short(&self, is_short: bool) {
        self.is_short.store(is_short, Relaxed);
    }

    /// Whether memory is short.
    pub(super) fn is_short(&self) -> bool {
        self.is_short.load(Relaxed)
    }

    /// What is lent out, bytes.
    #[must_use]
    pub fn lent_bytes(&self) -> usize {
        self.state.lock().lent_bytes
    }

    /// What is resident and lent to nobody, bytes.
    #[must_use]
    pub fn idle_bytes(&self) -> usize {
        self.state.lock().idle_bytes
    }
}

impl State {
    /// A place of which nothing is resident, of the first of `orders` there is.
    fn take_untouched<T: Iterator<Item = usize>>(
        &mut self,
        pages: Pages,
        orders: impl Fn() -> T,
    ) -> (usize, usize) {
        loop {
            if let Some(found) = self.untouched[pages as usize].take(orders()) {
                return found;
            }
            self.add_region(pages);
        }
    }

    fn add_region(&mut self, pages: Pages) {
        let layout = std::alloc::Layout::new::<[u8; REGION_BYTES]>();
        let map = MmapMut::map_anon(REGION_BYTES + REGION_ALIGNMENT_BYTES);
        let mut map = map.unwrap_or_else(|_| std::alloc::handle_alloc_error(layout));
        // A hint: a lookup of a random record misses the TLB less; or one
        // written page makes no more than itself resident.
        let _ = map.advise(match pages {
            Pages::Huge => Advice::HugePage,
            Pages::Small => Advice::NoHugePage,
        });
        let base = map.as_mut_ptr().expose_provenance();
        let start = base.next_multiple_of(REGION_ALIGNMENT_BYTES);
        for block in (start..start + REGION_BYTES).step_by(CHUNK_BYTES_MAX) {
            self.untouched[pages as usize].add(block, ORDERS - 1);
        }
        self.regions.push(Region { map, start, pages });
        self.regions.sort_unstable_by_key(|region| region.start);
    }

    /// The region a place lies in.
    fn region(&self, start: usize) -> &Region {
        let after = (self.regions).partition_point(|region| region.start <= start);
        &self.regions[after - 1]
    }

    /// Gives the pages of a free place back to the kernel.
    fn forget(&mut self, start: usize, order: usize) {
        let bytes = size_of_order(order);
        let region = self.region(start);
        let offset = start - region.map.as_ptr().addr();
        let pages = region.pages;
        // SAFETY: the place is free, so nobody has a reference into it, and it
        // may be written before it is read again or read as zeroes.
        let gone = unsafe {
            (region.map).unchecked_advise_range(UncheckedAdvice::DontNeed, offset, bytes)
        };
        if gone.is_err() {
            tracing::warn!("the kernel does not take memory back");
        }
        self.idle_bytes -= bytes;
        self.untouched[pages as usize].add(start, order);
    }
}

fn order_of(bytes: usize) -> usize {
    debug_assert!(bytes.is_power_of_two() && bytes >= CHUNK_BYTES_MIN);
    (bytes / CHUNK_BYTES_MIN).ilog2() as usize
}

const fn size_of_order(order: usize) -> usize {
    CHUNK_BYTES_MIN << order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fill(start: NonNull<u8>, bytes: usize, with: u8) {
        // SAFETY: the chunk is lent to the test alone.
        unsafe { start.write_bytes(with, bytes) };
    }

    fn holds(start: NonNull<u8>, bytes: usize, what: u8) -> bool {
        // SAFETY: as in `fill`.
        let slice = unsafe { std::slice::from_raw_parts(start.as_ptr(), bytes) };
        slice.iter().all(|&byte| byte == what)
    }

    proptest! {
        #[test]
        fn chunks_do_not_overlap_and_keep_their_content(
            steps in proptest::collection::vec((0..ORDERS, any::<u8>(), any::<bool>()), 0..200),
        ) {
            let pool = ChunkPool::default();
            let mut lent: Vec<(Lent, usize, u8)> = Vec::new();
            let mut idle_bytes = 0;
            for (order, pick, gives) in steps {
                if gives && !lent.is_empty() {
                    let (chunk, resident, what) = lent.swap_remove(usize::from(pick) % lent.len());
                    prop_assert!(holds(chunk.start, resident, what));
                    // SAFETY: it was taken with these bytes and is forgotten.
                    unsafe { pool.give_back(chunk.start, chunk.bytes, resident) };
                } else {
                    let bytes = size_of_order(order);
                    let least = bytes >> (pick % 3).min(order as u8);
                    let untouched = (pick % 2 == 0).then(|| size_of_order(usize::from(pick) % ORDERS));
                    let chunk = pool.take(bytes, least, untouched);
                    prop_assert!(chunk.start.as_ptr().addr().is_multiple_of(chunk.bytes));
                    prop_assert!(!chunk.is_untouched || Some(chunk.bytes) == untouched);
                    let resident = if chunk.is_untouched {
                        (chunk.bytes * usize::from(pick) / 256).next_multiple_of(CHUNK_BYTES_MIN)
                    } else {
                        chunk.bytes
                    };
                    fill(chunk.start, resident, pick);
                    lent.push((chunk, resident, pick));
                }
                let sum: usize = lent.iter().map(|(chunk, ..)| chunk.bytes).sum();
                prop_assert_eq!(pool.lent_bytes(), sum);
                pool.trim();
                prop_assert!(pool.idle_bytes() <= IDLE_BYTES.max(sum / IDLE_PART));
            }
            for (chunk, resident, what) in lent {
                prop_assert!(holds(chunk.start, resident, what));
                idle_bytes += resident;
                let before = pool.idle_bytes();
                // SAFETY: as above.
                unsafe { pool.give_back(chunk.start, chunk.bytes, resident) };
                prop_assert_eq!(pool.idle_bytes(), before + resident);
            }
            prop_assert!(pool.idle_bytes() >= idle_bytes);
            prop_assert_eq!(pool.lent_bytes(), 0);
            pool.trim();
            prop_assert!(pool.idle_bytes() <= IDLE_BYTES);
            while pool.trim_some(0) {}
            prop_assert_eq!(pool.idle_bytes(), 0);
            let state = pool.state.lock();
            let blocks = state.untouched.iter().map(|places| places.0[ORDERS - 1].len());
            prop_assert_eq!(blocks.sum::<usize>() * CHUNK_BYTES_MAX, state.regions.len() * REGION_BYTES);
        }
    }

    #[test]
    fn memory_given_back_is_not_idle_and_can_be_lent_again() {
        let pool = ChunkPool::default();
        let chunks: Vec<_> = (0..100)
            .map(|_| pool.take(CHUNK_BYTES_MAX, CHUNK_BYTES_MAX, None).start)
            .collect();
        assert_eq!(pool.lent_bytes(), 100 * CHUNK_BYTES_MAX);
        for &chunk in &chunks {
            fill(chunk, CHUNK_BYTES_MAX, 1);
            // SAFETY: the chunk is not used again before it is taken again.
            unsafe { pool.give_back(chunk, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX) };
        }
        assert_eq!(pool.idle_bytes(), 100 * CHUNK_BYTES_MAX);
        pool.trim();
        assert!(pool.idle_bytes() <= IDLE_BYTES);
        let again = pool.take(CHUNK_BYTES_MAX, CHUNK_BYTES_MAX, None).start;
        fill(again, CHUNK_BYTES_MAX, 2);
        assert!(holds(again, CHUNK_BYTES_MAX, 2));
        // SAFETY: it was taken with these bytes and is not used again.
        unsafe { pool.give_back(again, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX) };
    }
}
