//! Pages that a ring lends to its reads again and again, so that a read
//! neither allocates nor clears memory. Owns the memory and which pages are
//! free. The memory is a mapping of its own, in small pages: of a huge page of
//! the allocator's heap the kernel would pin, and count, all 2 MiB.
//! INVARIANT: a page is lent to one [`AlignedBuffer`] at a time, and the
//! memory outlives all of them, the ring too. Any thread gives back.
#![expect(unsafe_code, reason = "pages are handed out as parts of one mapping")]

use std::io;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::buffer::{ALIGNMENT_BYTES, AlignedBuffer};

/// See the module. A page is [`ALIGNMENT_BYTES`] long.
pub(crate) struct Slab {
    start: NonNull<u8>,
    bytes: usize,
    free: Mutex<Vec<NonNull<u8>>>,
}

// SAFETY: the pointers are into the mapping, which any thread may hold; who
// takes one from `free` has its page alone.
unsafe impl Send for Slab {}
// SAFETY: as above; `free` is behind its lock.
unsafe impl Sync for Slab {}

impl Slab {
    /// A slab of `pages` pages, zeroed.
    ///
    /// # Errors
    /// If the kernel has no room for it.
    pub(crate) fn new(pages: usize) -> io::Result<Arc<Self>> {
        let bytes = pages * ALIGNMENT_BYTES;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping anywhere touches no other memory.
        let start =
            unsafe { rustix::mm::mmap_anonymous(null_mut(), bytes, access, MapFlags::PRIVATE)? };
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: the mapping is ours. Kernels without huge pages refuse, and
        // need no telling.
        let _ =
            unsafe { rustix::mm::madvise(start.as_ptr().cast(), bytes, Advice::LinuxNoHugepage) };
        // The first page is lent first: a queue that is seldom deep stays in few.
        let free = (0..pages).rev().map(|page| {
            // SAFETY: the page is inside the mapping.
            unsafe { start.add(page * ALIGNMENT_BYTES) }
        });
        Ok(Arc::new(Self {
            free: Mutex::new(free.collect()),
            start,
            bytes,
        }))
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
        (self.start.as_ptr(), self.bytes)
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length; no page is lent, for each
        // that is keeps the slab.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_lent_once_and_come_back() {
        let slab = Slab::new(2).expect("a mapping");
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
        let slab = Slab::new(1).expect("a mapping");
        let mut page = slab.take().expect("free");
        drop(slab);
        page.fill(7);
        assert!(page.iter().all(|byte| *byte == 7));
    }
}
