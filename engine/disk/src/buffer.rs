//! Memory for direct I/O. Owns the alignment; knows no file. Invariants: the
//! start is 4,096-aligned, the length a multiple of 4,096, every byte
//! initialised, and the address does not change when the value moves. Any thread.
#![expect(
    unsafe_code,
    reason = "the standard library has no stable safe allocation with an alignment"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

use crate::slab::Slab;

/// The alignment, in bytes, of offsets, lengths and memory of direct I/O.
pub const ALIGNMENT_BYTES: usize = 4096;

/// Memory aligned for direct I/O: its own, or a page lent by a queue, which
/// gets it back when the buffer is dropped.
pub struct AlignedBuffer {
    start: NonNull<u8>,
    bytes: usize,
    lender: Option<Arc<Slab>>,
}

// SAFETY: the buffer owns its memory alone, as a `Box<[u8]>` does.
unsafe impl Send for AlignedBuffer {}
// SAFETY: shared access only reads.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// `bytes` zeroed bytes.
    ///
    /// # Panics
    /// If `bytes` is not a multiple of [`ALIGNMENT_BYTES`], or exceeds the address space.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        assert!(
            bytes.is_multiple_of(ALIGNMENT_BYTES),
            "{bytes} bytes are no multiple of {ALIGNMENT_BYTES}"
        );
        if bytes == 0 {
            return Self {
                start: NonNull::<Page>::dangling().cast(),
                bytes,
                lender: None,
            };
        }
        let layout = Self::layout(bytes);
        // SAFETY: the layout's size is not zero, checked above.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else {
            handle_alloc_error(layout)
        };
        Self {
            start,
            bytes,
            lender: None,
        }
    }

    /// The page of `lender` that begins at `start`.
    ///
    /// # Safety
    /// The page is inside the lender's memory, initialised, and nobody else's
    /// until it is given back.
    pub(crate) unsafe fn lent(start: NonNull<u8>, lender: Arc<Slab>) -> Self {
        Self {
            start,
            bytes: ALIGNMENT_BYTES,
            lender: Some(lender),
        }
    }

    /// Whether `slab` has lent it.
    pub(crate) fn is_from(&self, slab: &Arc<Slab>) -> bool {
        (self.lender.as_ref()).is_some_and(|lender| Arc::ptr_eq(lender, slab))
    }

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, ALIGNMENT_BYTES).expect("a buffer exceeds the address space")
    }
}

/// Only there to give the empty buffer an aligned address.
#[repr(align(4096))]
struct Page;

impl Deref for AlignedBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is valid for `bytes` initialised bytes owned by self.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        if let Some(lender) = &self.lender {
            lender.give(self.start);
        } else if self.bytes > 0 {
            // SAFETY: allocated in `new` with this very layout, freed once.
            unsafe { dealloc(self.start.as_ptr(), Self::layout(self.bytes)) }
        }
    }
}

impl std::fmt::Debug for AlignedBuffer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AlignedBuffer({} bytes)", self.bytes)
    }
}
