//! The index of one shard and one database: which slot a key has.
//!
//! Owns the slots, in segments found through a directory by the high bits of
//! the stored hash (extendible hashing: Fagin et al., 1979; neighbour and stash
//! buckets as in Dash, Lu et al., 2020). Does not own the records hot slots
//! point to: dropping the index frees none. Does not compare keys: it yields
//! candidates. Under the shard's lock, any thread.
//!
//! Modules, lowest first: `slot`, `bucket`, `groups`, `segment`, `scan`, [`table`].
//!
//! A segment grows through the sizes of `segment::SIZES` and then splits; each
//! rebuild touches one segment, so there is no rehash pause. Segments do not
//! shrink: an index that lost its keys keeps its memory until it is dropped.
//!
//! LIMIT: the directory keeps to [`DEPTH_LIMIT`] bits, about 4·10⁸ keys a
//! shard, and to sixteen entries a segment, so that equal hashes cannot make it
//! explode. Beyond, segments are chained: everything still works, at the price
//! of searching the chain.

mod bucket;
mod expiries;
mod groups;
mod scan;
mod segment;
mod slot;
pub mod table;

pub use expiries::Expiries;
pub use slot::{Location, Slot};
pub use table::{Candidate, Found, KeyTable};

use crate::record::{RawRecord, allocator_rounds_to};
use segment::{NO_SEGMENT, SIZES, Segment};
use thermocline_base::KeyHash;

/// How many high bits of the stored hash the directory may use.
pub const DEPTH_LIMIT: u32 = 20;
/// How many bits the directory may be deeper than the segments need when
/// evenly spread.
const SKEW_BITS: u32 = 4;

/// Where a slot is. Valid until the next insert, and until its key is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    segment: u32,
    bucket: u8,
    slot: u8,
}

/// See the module. A new one allocates nothing.
#[derive(Default)]
pub struct Index {
    /// The head segment of each value of the first `depth` stored bits.
    directory: Vec<u32>,
    segments: Vec<Segment>,
    /// Segments no directory entry or chain leads to; they are empty.
    unused: Vec<u32>,
    depth: u32,
    len: usize,
    buckets_bytes: usize,
}

impl Index {
    /// An index of no keys, without an allocation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many keys there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no keys.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the index takes as the allocator rounds it, without itself and the
    /// records, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let vector = |bytes: usize| {
            if bytes == 0 {
                0
            } else {
                allocator_rounds_to(bytes)
            }
        };
        self.buckets_bytes
            + vector(self.directory.capacity() * size_of::<u32>())
            + vector(self.unused.capacity() * size_of::<u32>())
            + vector(self.segments.capacity() * size_of::<Segment>())
    }

    /// Calls `visit` with each slot that may be the key of `hash`. The caller
    /// compares keys; the tier's by reading.
    #[inline]
    pub fn for_each_match(&self, hash: KeyHash, mut visit: impl FnMut(Position, Slot)) {
        self.any_match(hash, |position, slot| {
            visit(position, slot);
            false
        });
    }

    /// As [`Index::for_each_match`], until `visit` says that it has found the key. Whether
    /// it has.
    #[inline]
    pub fn any_match(&self, hash: KeyHash, mut visit: impl FnMut(Position, Slot) -> bool) -> bool {
        if self.directory.is_empty() {
            return false;
        }
        let stored = hash.stored();
        let mut index = self.head(stored);
        while index != NO_SEGMENT {
            let segment = &self.segments[index as usize];
            let is_found = segment.any_match(stored, |bucket, place, slot| {
                visit(position(index, bucket, place), slot)
            });
            if is_found {
                return true;
            }
            index = segment.next;
        }
        false
    }

    /// Calls `touch` with the addresses of the cache lines a lookup of `hash`
    /// will read first, so that they can be fetched ahead.
    pub fn lines(&self, hash: KeyHash, mut touch: impl FnMut(*const u8)) {
        if self.directory.is_empty() {
            return;
        }
        let stored = hash.stored();
        let segment = &self.segments[self.head(stored) as usize];
        let home = segment.home(stored);
        for at in [home, segment.after(home)] {
            touch(std::ptr::from_ref(&segment.buckets[at]).cast());
        }
    }

    /// The slot at `position`.
    ///
    /// # Panics
    /// Possibly, if the position is no longer valid.
    #[must_use]
    pub fn get(&self, position: Position) -> Slot {
        self.segments[position.segment as usize].buckets[usize::from(position.bucket)]
            .slot(usize::from(position.slot))
    }

    /// Replaces the slot at `position` by another of the same key: hotter,
    /// colder, moved. Positions stay valid.
    ///
    /// # Panics
    /// If `slot` is empty or no key is at `position`.
    pub fn set(&mut self, position: Position, slot: Slot) {
        assert!(!slot.is_empty(), "a key is removed by remove");
        assert!(!self.get(position).is_empty(), "the position is valid");
        self.segments[position.segment as usize].buckets[usize::from(position.bucket)]
            .set(usize::from(position.slot), slot);
    }

    /// Adds the slot of a key that has none yet. Of `hash` only the stored bits
    /// are used. `hasher` is asked for the hash of hot records that must move;
    /// the new slot's is not asked for.
    ///
    /// # Panics
    /// If `slot` is empty.
    pub fn insert(&mut self, hash: KeyHash, slot: Slot, hasher: &impl Fn(RawRecord) -> KeyHash) {
        assert!(!slot.is_empty(), "a key has a slot");
        let stored = hash.stored();
        if self.directory.is_empty() {
            let first = self.add(Segment::new(SIZES[0], 0, 0));
            self.directory.push(first);
        }
        loop {
            let head = self.head(stored);
            let mut tail = head;
            let mut cursor = head;
            while cursor != NO_SEGMENT {
                tail = cursor;
                let segment = &mut self.segments[cursor as usize];
                if segment.insert(stored, slot) {
                    self.len += 1;
                    return;
                }
                cursor = segment.next;
            }
            let (low, depth) = {
                let segment = &self.segments[head as usize];
                (segment.low, segment.depth)
            };
            if let Some(size) = self.segments[tail as usize].larger() {
                self.grow(tail, size, hasher);
            } else if u32::from(depth) < self.depth_limit() {
                self.split(head, hasher);
            } else {
                let added = self.add(Segment::chained(SIZES[0], low, depth));
                self.segments[tail as usize].next = added;
            }
        }
    }

    /// Removes the key at `position` and returns its slot, empty if there was
    /// none.
    pub fn remove(&mut self, position: Position) -> Slot {
        let slot = self.segments[position.segment as usize]
            .remove(usize::from(position.bucket), usize::from(position.slot));
        if !slot.is_empty() {
            self.len -= 1;
        }
        slot
    }

    /// How many segments there are, for [`Index::segment_slots`].
    #[must_use]
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// The keys of a segment, at most 448; none if there is no such segment.
    /// An insert may move keys to other segments.
    pub fn segment_slots(&self, segment: usize) -> impl Iterator<Item = (Position, Slot)> + '_ {
        self.segments
            .get(segment)
            .into_iter()
            .flat_map(Segment::occupied)
            .map(move |(bucket, place, slot)| (position(segment as u32, bucket, place), slot))
    }

    /// Frees the segments from `first` on. The index is of no use afterwards but
    /// for [`Index::segment_slots`] of the others and [`Index::remove`].
    pub(super) fn truncate_segments(&mut self, first: usize) {
        self.segments.truncate(first);
    }

    fn head(&self, stored: u32) -> u32 {
        self.directory[(stored >> (KeyHash::STORED_BITS - self.depth)) as usize]
    }

    fn chain(&self, head: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(head), |&index| {
            let next = self.segments[index as usize].next;
            (next != NO_SEGMENT).then_some(next)
        })
    }

    fn depth_limit(&self) -> u32 {
        DEPTH_LIMIT.min(self.segments.len().ilog2() + SKEW_BITS)
    }

    fn add(&mut self, segment: Segment) -> u32 {
        if let Some(index) = self.unused.pop() {
            self.replace(index, segment);
            return index;
        }
        if self.segments.len() == self.segments.capacity() {
            // Doubling would waste half a byte a key.
            self.segments.reserve_exact(self.segments.len() / 8 + 1);
        }
        self.buckets_bytes += segment.buckets.memory_bytes();
        self.segments.push(segment);
        (self.segments.len() - 1) as u32
    }

    fn replace(&mut self, index: u32, segment: Segment) {
        let old = &mut self.segments[index as usize];
        self.buckets_bytes += segment.buckets.memory_bytes();
        self.buckets_bytes -= old.buckets.memory_bytes();
        *old = segment;
    }

    /// Moves the keys of one segment to another of `size` buckets. If homes
    /// fall so unluckily that not all fit, the rest is chained.
    fn grow(&mut self, index: u32, size: usize, hasher: &impl Fn(RawRecord) -> KeyHash) {
        let old = &self.segments[index as usize];
        let (low, depth, next) = (old.low, old.depth, old.next);
        if old.home(low + (old.width() - 1) as u32) == 0 {
            // A chained segment: without homes, no hash is needed.
            let mut larger = Segment::chained(size, low, depth);
            larger.next = next;
            for (_, _, slot) in old.occupied() {
                larger.insert(0, slot);
            }
            self.replace(index, larger);
            return;
        }
        let keys = sorted(old.occupied().map(|(_, _, slot)| slot), hasher);
        self.build(index, low, depth, size, &keys);
    }

    /// Fills the segment `index` with `keys`, at least `size` buckets large,
    /// and chains what does not fit the largest.
    fn build(&mut self, index: u32, low: u32, depth: u8, size: usize, keys: &[(u32, Slot)]) {
        let mut rest = Vec::new();
        for size in SIZES.into_iter().filter(|&candidate| candidate >= size) {
            let mut segment = Segment::new(size, low, depth);
            rest.clear();
            rest.extend(
                keys.iter()
                    .filter(|(stored, slot)| !segment.insert(*stored, *slot)),
            );
            if rest.is_empty() || size == SIZES[SIZES.len() - 1] {
                self.replace(index, segment);
                break;
            }
        }
        let mut tail = index;
        for part in rest.chunks(SIZES[SIZES.len() - 1] * bucket::SLOTS) {
            let size = SIZES
                .into_iter()
                .find(|size| size * bucket::SLOTS >= part.len());
            let mut chained = Segment::chained(size.unwrap_or(SIZES[SIZES.len() - 1]), low, depth);
            for (stored, slot) in part {
                chained.insert(*stored, *slot);
            }
            let added = self.add(chained);
            self.segments[tail as usize].next = added;
            tail = added;
        }
    }

    /// Splits the range of `head`, chain included, by the next stored bit.
    fn split(&mut self, head: u32, hasher: &impl Fn(RawRecord) -> KeyHash) {
        let (low, depth) = {
            let segment = &self.segments[head as usize];
            (segment.low, segment.depth + 1)
        };
        let chain: Vec<u32> = self.chain(head).collect();
        let slots = chain
            .iter()
            .flat_map(|&index| self.segments[index as usize].occupied());
        let keys = sorted(slots.map(|(_, _, slot)| slot), hasher);
        for &index in &chain[1..] {
            self.replace(index, Segment::chained(0, low, depth));
            self.unused.push(index);
        }
        if u32::from(depth) > self.depth {
            let mut doubled = Vec::with_capacity(self.directory.len() * 2);
            doubled.extend(self.directory.iter().flat_map(|&index| [index; 2]));
            self.directory = doubled;
            self.depth += 1;
        }
        let middle = low + (1 << (KeyHash::STORED_BITS - u32::from(depth)));
        let (left, right) = keys.split_at(keys.partition_point(|(stored, _)| *stored < middle));
        let added = self.add(Segment::chained(0, middle, depth));
        let shift = KeyHash::STORED_BITS - self.depth;
        let first = (middle >> shift) as usize;
        let count = 1_usize << (self.depth - u32::from(depth));
        self.directory[first..first + count].fill(added);
        self.build(head, low, depth, fitting_size(left.len()), left);
        self.build(added, middle, depth, fitting_size(right.len()), right);
    }
}

fn position(segment: u32, bucket: usize, slot: usize) -> Position {
    Position {
        segment,
        bucket: bucket as u8,
        slot: slot as u8,
    }
}

/// The smallest size `keys` keys are worth trying to fit into.
fn fitting_size(keys: usize) -> usize {
    SIZES
        .into_iter()
        .find(|size| size * bucket::SLOTS > keys)
        .unwrap_or(SIZES[SIZES.len() - 1])
}

/// Slots with their stored hashes, ascending: in this order they pack best.
fn sorted(
    slots: impl Iterator<Item = Slot>,
    hasher: &impl Fn(RawRecord) -> KeyHash,
) -> Vec<(u32, Slot)> {
    let mut keys: Vec<_> = slots.map(|slot| (slot.stored(hasher), slot)).collect();
    keys.sort_unstable_by_key(|(stored, _)| *stored);
    keys
}

#[cfg(test)]
mod tests;
