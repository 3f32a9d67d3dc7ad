//! The buckets of a segment, in allocations of one size.
//!
//! Owns the memory of the buckets. Does not know what they hold. Under the
//! shard's lock, any thread.
//!
//! Segments grow by eighths, all over the index at about the same time. Were
//! each one allocation, every step would leave memory of a size that nobody asks
//! for again: up to two thirds of the index lay idle that way. Groups of one
//! size are used again by the next segment that grows.

use super::bucket::Bucket;
use crate::record::allocator_rounds_to;
use std::ops::{Index, IndexMut};

/// Buckets in a group.
const GROUP: usize = 8;
/// Groups of the largest segment.
const GROUPS: usize = 8;

/// See the module.
#[derive(Default)]
pub(super) struct Buckets {
    groups: [Option<Box<[Bucket; GROUP]>>; GROUPS],
    len: u8,
}

impl Buckets {
    /// Empty buckets, as many as whole groups have.
    ///
    /// # Panics
    /// If `len` is above 64.
    pub(super) fn new(len: usize) -> Self {
        debug_assert!(len.is_multiple_of(GROUP), "groups are whole");
        let mut buckets = Self::default();
        for group in &mut buckets.groups[..len / GROUP] {
            *group = Some(Box::default());
        }
        buckets.len = len as u8;
        buckets
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    /// What they take as the allocator rounds it, bytes.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.len() / GROUP * allocator_rounds_to(size_of::<[Bucket; GROUP]>())
    }

    /// All in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Bucket> {
        self.groups.iter().flatten().flat_map(|group| group.iter())
    }

    /// Those from `first` on.
    pub(super) fn iter_mut_from(&mut self, first: usize) -> impl Iterator<Item = &mut Bucket> {
        let groups = self.groups[first / GROUP..].iter_mut().flatten();
        groups
            .flat_map(|group| group.iter_mut())
            .skip(first % GROUP)
    }
}

impl Index<usize> for Buckets {
    type Output = Bucket;

    #[inline]
    fn index(&self, at: usize) -> &Bucket {
        let group = self.groups[at / GROUP].as_deref();
        &group.expect("the bucket is in the segment")[at % GROUP]
    }
}

impl IndexMut<usize> for Buckets {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut Bucket {
        let group = self.groups[at / GROUP].as_deref_mut();
        &mut group.expect("the bucket is in the segment")[at % GROUP]
    }
}
