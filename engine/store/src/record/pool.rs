//! The memory that chunks of records come from: blocks of anonymous maps, cut
//! in halves.
//!
//! Owns the maps and knows which parts of them are free (a buddy system:
//! Knowlton, 1965). Does not know what lies in a chunk. Its own lock, which is
//! the innermost; any thread. The keeper gives memory back to the kernel.
//!
//! Chunks are a power of two from [`CHUNK_BYTES_MIN`] to [`CHUNK_BYTES_MAX`]
//! long and aligned to their length. The lowest free place goes first, so that
//! free memory gathers at the high end, where it can be given back. What is
//! free and was written stays resident until [`ChunkPool::trim`], for the next
//! chunk needs no page fault then.
#![expect(
    unsafe_code,
    reason = "chunks are parts of maps, lent out and taken back"
)]

use memmap2::{Advice, MmapMut, UncheckedAdvice};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::ptr::NonNull;

/// The smallest chunk, bytes.
pub(super) const CHUNK_BYTES_MIN: usize = 1 << 10;
/// The largest chunk, bytes: the unit in which memory goes back to the kernel.
pub(super) const CHUNK_BYTES_MAX: usize = 64 << 10;
/// How many sizes there are.
const ORDERS: usize = (CHUNK_BYTES_MAX / CHUNK_BYTES_MIN).ilog2() as usize + 1;
/// Address space is asked for in pieces of this, bytes.
const REGION_BYTES: usize = 32 << 20;
/// Where huge pages begin, bytes.
const REGION_ALIGNMENT_BYTES: usize = 2 << 20;
/// Of the memory lent out, this part may lie idle, and this much at least.
const IDLE_PART: usize = 32;
const IDLE_BYTES: usize = 1 << 20;
/// Blocks given back to the kernel under one hold of the lock.
const TRIM_BLOCKS: usize = 16;

#[derive(Default)]
struct State {
    /// Kept for as long as the pool lives.
    regions: Vec<Region>,
    /// Free places of each size by address, resident as far as they were
    /// written.
    free: [BTreeSet<usize>; ORDERS],
    /// Free blocks of the largest size of which nothing is resident.
    untouched: BTreeSet<usize>,
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
}

impl ChunkPool {
    /// A chunk of `bytes` bytes, a power of two in the pool's range: initialised
    /// memory of any content that nothing else refers to. Ends the process when
    /// there is none.
    pub(super) fn take(&self, bytes: usize) -> NonNull<u8> {
        let mut state = self.state.lock();
        let order = order_of(bytes);
        let found = (order..ORDERS).find(|&larger| !state.free[larger].is_empty());
        let (start, mut larger) = match found.map(|larger| (state.free[larger].pop_first(), larger))
        {
            Some((Some(start), larger)) => (start, larger),
            _ => (state.untouched_block(), ORDERS - 1),
        };
        while larger > order {
            larger -= 1;
            state.free[larger].insert(start + size_of_order(larger));
        }
        state.lent_bytes += bytes;
        state.idle_bytes -= bytes;
        drop(state);
        NonNull::new(std::ptr::with_exposed_provenance_mut(start))
            .unwrap_or_else(|| unreachable!("no map begins at 0"))
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
        let mut start = start.as_ptr().addr();
        let mut order = order_of(bytes);
        while order < ORDERS - 1 {
            let buddy = start ^ size_of_order(order);
            if !state.free[order].remove(&buddy) {
                break;
            }
            start = start.min(buddy);
            order += 1;
        }
        state.free[order].insert(start);
        state.lent_bytes -= bytes;
        state.idle_bytes += bytes;
    }

    /// Gives free memory back to the kernel until no more is idle than the next
    /// chunks are likely to need. Not under a shard's lock.
    pub(crate) fn trim(&self) {
        while self.trim_some() {}
    }

    /// As much of [`ChunkPool::trim`] as one hold of the lock is for; whether
    /// there is more to do.
    fn trim_some(&self) -> bool {
        let mut state = self.state.lock();
        for _ in 0..TRIM_BLOCKS {
            let keeps = (state.lent_bytes / IDLE_PART).max(IDLE_BYTES);
            if state.idle_bytes < keeps + CHUNK_BYTES_MAX {
                return false;
            }
            let Some(start) = state.free[ORDERS - 1].pop_last() else {
                // What is left is in pieces.
                return false;
            };
            state.forget(start);
        }
        true
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
    /// A block of which nothing is resident, counted as idle.
    fn untouched_block(&mut self) -> usize {
        if self.untouched.is_empty() {
            self.add_region();
        }
        self.idle_bytes += CHUNK_BYTES_MAX;
        self.untouched
            .pop_first()
            .unwrap_or_else(|| unreachable!("a region has blocks"))
    }

    fn add_region(&mut self) {
        let layout = std::alloc::Layout::new::<[u8; REGION_BYTES]>();
        let map = MmapMut::map_anon(REGION_BYTES + REGION_ALIGNMENT_BYTES);
        let mut map = map.unwrap_or_else(|_| std::alloc::handle_alloc_error(layout));
        // A hint: a lookup of a random record misses the TLB less.
        let _ = map.advise(Advice::HugePage);
        let base = map.as_mut_ptr().expose_provenance();
        let start = base.next_multiple_of(REGION_ALIGNMENT_BYTES);
        self.untouched
            .extend((start..start + REGION_BYTES).step_by(CHUNK_BYTES_MAX));
        self.regions.push(Region { map, start });
        self.regions.sort_unstable_by_key(|region| region.start);
    }

    /// Gives the pages of a free block back to the kernel.
    fn forget(&mut self, start: usize) {
        let index = self.regions.partition_point(|region| region.start <= start) - 1;
        let region = &self.regions[index];
        let offset = start - region.map.as_ptr().addr();
        // SAFETY: the block is free, so nobody has a reference into it, and it
        // may be written before it is read again or read as zeroes.
        let gone = unsafe {
            (region.map).unchecked_advise_range(UncheckedAdvice::DontNeed, offset, CHUNK_BYTES_MAX)
        };
        if gone.is_err() {
            tracing::warn!("the kernel does not take memory back");
        }
        self.idle_bytes -= CHUNK_BYTES_MAX;
        self.untouched.insert(start);
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
                    let start = pool.take(bytes);
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
            prop_assert!(pool.idle_bytes() < IDLE_BYTES + CHUNK_BYTES_MAX);
            let whole = pool.state.lock().free.iter().take(ORDERS - 1).all(BTreeSet::is_empty);
            prop_assert!(whole, "halves find each other again");
        }
    }

    #[test]
    fn memory_given_back_is_not_idle_and_can_be_lent_again() {
        let pool = ChunkPool::default();
        let chunks: Vec<_> = (0..1000).map(|_| pool.take(CHUNK_BYTES_MAX)).collect();
        assert_eq!(pool.lent_bytes(), 1000 * CHUNK_BYTES_MAX);
        for &chunk in &chunks {
            fill(chunk, CHUNK_BYTES_MAX, 1);
            // SAFETY: the chunk is not used again before it is taken again.
            unsafe { pool.give_back(chunk, CHUNK_BYTES_MAX) };
        }
        assert_eq!(pool.idle_bytes(), 1000 * CHUNK_BYTES_MAX);
        pool.trim();
        assert!(pool.idle_bytes() < IDLE_BYTES + CHUNK_BYTES_MAX);
        let again = pool.take(CHUNK_BYTES_MAX);
        fill(again, CHUNK_BYTES_MAX, 2);
        assert!(holds(again, CHUNK_BYTES_MAX, 2));
        // SAFETY: it was taken with these bytes and is not used again.
        unsafe { pool.give_back(again, CHUNK_BYTES_MAX) };
    }
}
