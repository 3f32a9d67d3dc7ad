//! Pages that a ring lends to its reads again and again, so that a read
//! neither allocates nor clears memory. Owns the memory and which pages are
//! free. INVARIANT: a page is lent to one [`AlignedBuffer`] at a time, and the
//! memory outlives all of them, the ring too. Any thread gives back.
#![expect(
    unsafe_code,
    reason = "pages are handed out as parts of one allocation"
)]

use std::ptr::NonNull;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::buffer::{ALIGNMENT_BYTES, AlignedBuffer};

/// See the module. A page is [`ALIGNMENT_BYTES`] long.
pub(crate) struct Slab {
    memory: AlignedBuffer,
    free: Mutex<Vec<NonNull<u8>>>,
}

// SAFETY: the pointers are into `memory`, which any thread may hold; who takes
// one from `free` has its page alone.
unsafe impl Send for Slab {}
// SAFETY: as above; `free` is behind its lock.
unsafe impl Sync for Slab {}

impl Slab {
    /// A slab of `pages` pages, zeroed.
    pub(crate) fn new(pages: usize) -> Arc<Self> {
        let mut memory = AlignedBuffer::new(pages * ALIGNMENT_BYTES);
        let start = NonNull::from(&mut *memory).cast::<u8>();
        // The first page is lent first: a queue that is seldom deep stays in few.
        let free = (0..pages).rev().map(|page| {
            // SAFETY: the page is inside the allocation.
            unsafe { start.add(page * ALIGNMENT_BYTES) }
        });
        Arc::new(Self {
            free: Mutex::new(free.collect()),
            memory,
        })
    }

    /// A page with whatever was read into it last; `None` if all are lent.
    pub(crate) fn take(self: &Arc<Self>) -> Option<AlignedBuffer> {
        let start = self.free.lock().pop()?;
        // SAFETY: the page was free, so nobody else has it, and initialised
        // with the slab; the buffer keeps the slab's memory.
        Some(unsafe { AlignedBuffer::lent(start, Arc::clone(self)) })
    }

    /// Takes back the page that begins at `start`.
    pub(crate) fn give(&self, start: NonNull<u8>) {
        self.free.lock().push(start);
    }

    /// Where the memory begins, and its bytes.
    pub(crate) fn extent(&self) -> (*mut u8, usize) {
        (self.memory.as_ptr().cast_mut(), self.memory.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_lent_once_and_come_back() {
        let slab = Slab::new(2);
        let mut first = slab.take().expect("free");
        let second = slab.take().expect("free");
        assert!(slab.take().is_none());
        assert_ne!(first.as_ptr(), second.as_ptr());
        first.fill(1);
        assert!(second.iter().all(|byte| *byte == 0));
        let address = first.as_ptr();
        let giver = std::thread::spawn(move || drop(first));
        giver.join().expect("no panic");
        let again = slab.take().expect("given back");
        assert_eq!((again.as_ptr(), again[0]), (address, 1));
    }

    #[test]
    fn a_page_outlives_the_owner_of_its_slab() {
        let slab = Slab::new(1);
        let mut page = slab.take().expect("free");
        drop(slab);
        page.fill(7);
        assert!(page.iter().all(|byte| *byte == 7));
    }
}
