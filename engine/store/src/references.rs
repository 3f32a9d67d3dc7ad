//! Where the effects of the log's tail stand that were found at the start and
//! not read again yet, eight bytes each, however long they are.
//!
//! Owns the references of one shard, under the shard's lock. Does not read the
//! log: the keeper does, and moves a key's effects to [`crate::pending`].
//!
//! ```text
//!  63                      35 34                                  0
//! +--------------------------+-------------------------------------+
//! | the key's 29 stored bits | frame start from the tail's, by 8 B |
//! +--------------------------+-------------------------------------+
//! ```
//!
//! INVARIANT: a hash has either all of its references here or none: keys of one
//! hash move together, so that a key's effects are never applied in part.

use thermocline_base::{KeyHash, Lsn};

/// About what an effect takes beside its bytes once it was read again.
const EFFECT_OVERHEAD_BYTES: usize = 100;
const POSITION_BITS: u32 = 64 - KeyHash::STORED_BITS;
/// Frames start at multiples of this.
const UNIT_BYTES: u64 = thermocline_wal::frame::FRAME_ALIGNMENT_BYTES as u64;
/// The longest tail that references reach over, bytes: 256 GiB.
pub(crate) const TAIL_BYTES_MAX: u64 = UNIT_BYTES << POSITION_BITS;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Ascending once sorted: by hash, then by position.
    packed: Vec<u64>,
    /// What the effects will take of memory, bytes.
    effect_bytes: u64,
}

impl References {
    /// Notes an effect on a key of this hash, of a frame that starts `distance`
    /// bytes, below [`TAIL_BYTES_MAX`], behind the start of the tail.
    pub(crate) fn push(&mut self, hash: KeyHash, distance: u64, effect_bytes: usize) {
        let packed = (u64::from(hash.stored()) << POSITION_BITS) | (distance / UNIT_BYTES);
        // A command often changes its key more than once in a frame.
        if self.packed.last() != Some(&packed) {
            self.packed.push(packed);
        }
        self.effect_bytes += (effect_bytes + EFFECT_OVERHEAD_BYTES) as u64;
    }

    /// To be called once all are pushed, before any is looked for.
    pub(crate) fn sort(&mut self) {
        self.packed.sort_unstable();
        self.packed.dedup();
        self.packed.shrink_to_fit();
    }

    fn range(&self, hash: KeyHash) -> std::ops::Range<usize> {
        let stored = u64::from(hash.stored());
        let begin = (self.packed).partition_point(|it| it >> POSITION_BITS < stored);
        let rest = self.packed.get(begin..).unwrap_or_default();
        let count = rest.partition_point(|it| it >> POSITION_BITS == stored);
        begin..begin + count
    }

    /// Whether a key of this hash has effects in the log.
    pub(crate) fn contains(&self, hash: KeyHash) -> bool {
        !self.packed.is_empty() && !self.range(hash).is_empty()
    }

    /// Where the frames with effects on keys of this hash start, in order, if
    /// the tail starts at `base`.
    pub(crate) fn frames(&self, hash: KeyHash, base: Lsn) -> Vec<Lsn> {
        const POSITION: u64 = (1 << POSITION_BITS) - 1;
        let packed = self.packed.get(self.range(hash)).unwrap_or_default();
        let starts = packed
            .iter()
            .map(|it| base.advance((it & POSITION) * UNIT_BYTES));
        starts.collect()
    }

    /// Forgets those of a hash.
    pub(crate) fn remove(&mut self, hash: KeyHash) {
        let range = self.range(hash);
        self.packed.drain(range);
        if self.packed.is_empty() {
            self.clear();
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.packed.len()
    }

    /// About what the effects will take of memory once they are read again,
    /// bytes; those that were removed one by one still count.
    pub(crate) const fn effect_bytes(&self) -> u64 {
        self.effect_bytes
    }

    /// What is held of memory, bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.packed.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermocline_base::ShardId;

    fn hash(stored: u32) -> KeyHash {
        KeyHash::from_stored(ShardId(7), stored)
    }

    #[test]
    fn frames_of_a_hash_come_back_in_order_and_once() {
        let mut references = References::default();
        let greatest = (1 << KeyHash::STORED_BITS) - 1;
        for (stored, distance) in [
            (greatest, TAIL_BYTES_MAX - 8),
            (5, 800),
            (0, 0),
            (5, 80),
            (6, 8),
            (5, 80),
            (5, 80),
        ] {
            references.push(hash(stored), distance, 10);
        }
        references.sort();
        let base = Lsn(1000);
        assert_eq!(references.frames(hash(5), base), [Lsn(1080), Lsn(1800)]);
        assert_eq!(references.frames(hash(0), base), [Lsn(1000)]);
        let last = base.advance(TAIL_BYTES_MAX - 8);
        assert_eq!(references.frames(hash(greatest), base), [last]);
        assert!(references.contains(hash(6)) && !references.contains(hash(7)));
        references.remove(hash(5));
        references.remove(hash(9));
        assert!(!references.contains(hash(5)) && references.contains(hash(6)));
        assert_eq!((references.len(), references.effect_bytes()), (3, 7 * 110));
        for stored in [0, 6, greatest] {
            references.remove(hash(stored));
        }
        assert_eq!((references.len(), references.memory_bytes()), (0, 0));
    }
}
