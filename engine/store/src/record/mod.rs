//! Records in memory: one key with its value, expiry and tier address, and the
//! memory they lie in.
//!
//! Owns the layout of a record ([`layout`]), the heap of a table's records
//! ([`Heap`]) and the pool that its chunks come from ([`ChunkPool`]). Does not
//! know what a value means, nor where records are kept: a slot of
//! [`crate::index`] holds a [`RawRecord`]. Records belong to their shard and
//! are touched under its lock, by any thread.
//!
//! Modules, lowest first: [`layout`], `pool`, `heap`.

mod heap;
pub mod layout;
mod pool;

pub use heap::{Heap, HeapStatistics};
pub use layout::{RawRecord, Record, RecordParts};
pub use pool::ChunkPool;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_those_of_the_size_class() {
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
    }
}
