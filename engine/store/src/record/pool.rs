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
    /// Free and not resident.
    untouched: Places,
    lent_bytes: usize,
    idle_bytes: usize,
}

struct Region {
    map: MmapMut,
    start: usize,
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
    /// size, and when they grow, what is too short now must not lie about.
    /// Powers of two in the pool's range both, and so is the length of what is
    /// given: initialised memory of any content that nothing else refers to.
    /// Ends the process when there is none.
    pub(super) fn take(&self, wanted: usize, least: usize) -> (NonNull<u8>, usize) {
        let mut state = self.state.lock();
        let (wanted, least) = (order_of(wanted), order_of(least));
        let orders = || (least..=wanted).rev().chain(wanted + 1..ORDERS);
        let (start, bytes) = if let Some((start, order)) = state.idle.take(orders()) {
            state.idle.cut(start, order, wanted);
            let bytes = size_of_order(order.min(wanted));
            state.idle_bytes -= bytes;
            (start, bytes)
        } else {
            let (start, order) = state.take_untouched(orders);
            state.untouched.cut(start, order, wanted);
            (start, size_of_order(order.min(wanted)))
        };
        state.lent_bytes += bytes;
        drop(state);
        let start = NonNull::new(std::ptr::with_exposed_provenance_mut(start));
        (
            start.unwrap_or_else(|| unreachable!("no map begins at 0")),
            bytes,
        )
    }

    /// Takes a chunk back.
    ///
    /// # Safety
    /// `start` came from [`ChunkPool::take`] with the same `bytes`, and nothing
    /// refers to it any more.
    pub(super) unsafe fn give_back(&self, start: NonNull<u8>, bytes: usize) {
        if cfg!(debug_assertions) {
            // Whoever still reads the chunk shall not find what was there.
            // SAFETY: the caller's promise is that nobody does.
            unsafe { start.write_bytes(0xdb, bytes) };
        }
        let mut state = self.state.lock();
        state.idle.add(start.as_ptr().addr(), order_of(bytes));
        state.lent_bytes -= bytes;
        state.idle_bytes += bytes;
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
        orders: impl Fn() -> T,
    ) -> (usize, usize) {
        loop {
            if let Some(found) = self.untouched.take(orders()) {
                return found;
            }
            self.add_region();
        }
    }

    fn add_region(&mut self) {
        let layout = std::alloc::Layout::new::<[u8; REGION_BYTES]>();
        let map = MmapMut::map_anon(REGION_BYTES + REGION_ALIGNMENT_BYTES);
        let mut map = map.unwrap_or_else(|_| std::alloc::handle_alloc_error(layout));
        // A hint: a lookup of a random record misses the TLB less.
        let _ = map.advise(Advice::HugePage);
        let base = map.as_mut_ptr().expose_provenance();
        let start = base.next_multiple_of(REGION_ALIGNMENT_BYTES);
        for block in (start..start + REGION_BYTES).step_by(CHUNK_BYTES_MAX) {
            self.untouched.add(block, ORDERS - 1);
        }
        self.regions.push(Region { map, start });
        self.regions.sort_unstable_by_key(|region| region.start);
    }

    /// Gives the pages of a free place back to the kernel.
    fn forget(&mut self, start: usize, order: usize) {
        let bytes = size_of_order(order);
        let index = self.regions.partition_point(|region| region.start <= start) - 1;
        let region = &self.regions[index];
        let offset = start - region.map.as_ptr().addr();
        // SAFETY: the place is free, so nobody has a reference into it, and it
        // may be written before it is read again or read as zeroes.
        let gone = unsafe {
            (region.map).unchecked_advise_range(UncheckedAdvice::DontNeed, offset, bytes)
        };
        if gone.is_err() {
            tracing::warn!("the kernel does not take memory back");
        }
        self.idle_bytes -= bytes;
        self.untouched.add(start, order);
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
            let mut lent: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
            for (order, pick, gives) in steps {
                if gives && !lent.is_empty() {
                    let (start, bytes, what) = lent.swap_remove(usize::from(pick) % lent.len());
                    prop_assert!(holds(start, bytes, what));
                    // SAFETY: it was taken with these bytes and is forgotten.
                    unsafe { pool.give_back(start, bytes) };
                } else {
                    let bytes = size_of_order(order);
                    let (start, bytes) = pool.take(bytes, bytes >> (pick % 3).min(order as u8));
                    prop_assert!(start.as_ptr().addr().is_multiple_of(bytes));
                    fill(start, bytes, pick);
                    lent.push((start, bytes, pick));
                }
                let sum: usize = lent.iter().map(|(_, bytes, _)| bytes).sum();
                prop_assert_eq!(pool.lent_bytes(), sum);
                pool.trim();
            }
            for (start, bytes, what) in lent {
                prop_assert!(holds(start, bytes, what));
                // SAFETY: as above.
                unsafe { pool.give_back(start, bytes) };
            }
            prop_assert_eq!(pool.lent_bytes(), 0);
            pool.trim();
            prop_assert!(pool.idle_bytes() <= IDLE_BYTES);
            while pool.trim_some(0) {}
            prop_assert_eq!(pool.idle_bytes(), 0);
            let state = pool.state.lock();
            let whole = state.untouched.0[ORDERS - 1].len() * CHUNK_BYTES_MAX;
            prop_assert_eq!(whole, state.regions.len() * REGION_BYTES);
        }
    }

    #[test]
    fn memory_given_back_is_not_idle_and_can_be_lent_again() {
        let pool = ChunkPool::default();
        let chunks: Vec<_> = (0..100)
            .map(|_| pool.take(CHUNK_BYTES_MAX, CHUNK_BYTES_MAX).0)
            .collect();
        assert_eq!(pool.lent_bytes(), 100 * CHUNK_BYTES_MAX);
        for &chunk in &chunks {
            fill(chunk, CHUNK_BYTES_MAX, 1);
            // SAFETY: the chunk is not used again before it is taken again.
            unsafe { pool.give_back(chunk, CHUNK_BYTES_MAX) };
        }
        assert_eq!(pool.idle_bytes(), 100 * CHUNK_BYTES_MAX);
        pool.trim();
        assert!(pool.idle_bytes() <= IDLE_BYTES);
        let (again, _) = pool.take(CHUNK_BYTES_MAX, CHUNK_BYTES_MAX);
        fill(again, CHUNK_BYTES_MAX, 2);
        assert!(holds(again, CHUNK_BYTES_MAX, 2));
        // SAFETY: it was taken with these bytes and is not used again.
        unsafe { pool.give_back(again, CHUNK_BYTES_MAX) };
    }
}
