//! Where the effects of the log's tail stand that were found at the start and
//! not read again yet, eight bytes each, however long they are.
//!
//! Owns the references of one shard, under the shard's lock. Does not read the
//! log: the keeper does, and takes a reference away with applying its effect.
//!
//! ```text
//!  63                      35 34                                  0
//! +--------------------------+-------------------------------------+
//! | the key's 29 stored bits | frame start from the tail's, by 8 B |
//! +--------------------------+-------------------------------------+
//! ```
//!
//! INVARIANT: the effects on a key of which references are left are those that are not
//! applied yet, in order: none is applied before an earlier one. Nobody but the keeper
//! sees or changes keys of a hash that has any.

use thermocline_base::{KeyHash, Lsn};

const POSITION_BITS: u32 = 64 - KeyHash::STORED_BITS;
const POSITION: u64 = (1 << POSITION_BITS) - 1;
/// Frames start at multiples of this.
const UNIT_BYTES: u64 = thermocline_wal::frame::FRAME_ALIGNMENT_BYTES as u64;
/// The longest tail that references reach over, bytes: 256 GiB.
pub(crate) const TAIL_BYTES_MAX: u64 = UNIT_BYTES << POSITION_BITS;

fn pack(hash: KeyHash, distance: u64) -> u64 {
    (u64::from(hash.stored()) << POSITION_BITS) | (distance / UNIT_BYTES)
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Ascending once sorted: by hash, then by position.
    packed: Vec<u64>,
}

impl References {
    /// Notes an effect on a key of this hash, of a frame that starts `distance`
    /// bytes, below [`TAIL_BYTES_MAX`], behind the start of the tail.
    pub(crate) fn push(&mut self, hash: KeyHash, distance: u64) {
        let packed = pack(hash, distance);
        // A command often changes its key more than once in a frame.
        if self.packed.last() != Some(&packed) {
            self.packed.push(packed);
        }
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
        let packed = self.packed.get(self.range(hash)).unwrap_or_default();
        let starts = packed
            .iter()
            .map(|it| base.advance((it & POSITION) * UNIT_BYTES));
        starts.collect()
    }

    /// Whether the effects of the frame at `distance` are the next to be applied to keys
    /// of this hash.
    pub(crate) fn is_next(&self, hash: KeyHash, distance: u64) -> bool {
        self.packed.get(self.range(hash).start) == Some(&pack(hash, distance))
    }

    /// Whether keys of this hash have effects to be applied in the frame at `distance`.
    pub(crate) fn has(&self, hash: KeyHash, distance: u64) -> bool {
        self.packed.binary_search(&pack(hash, distance)).is_ok()
    }

    /// Forgets those of a hash in frames up to that at `distance`.
    pub(crate) fn remove_through(&mut self, hash: KeyHash, distance: u64) {
        let range = self.range(hash);
        let last = pack(hash, distance);
        let rest = self.packed.get(range.clone()).unwrap_or_default();
        let count = rest.partition_point(|packed| *packed <= last);
        self.packed.drain(range.start..range.start + count);
        self.shrink();
    }

    /// Forgets those of frames below `distance`.
    pub(crate) fn remove_below(&mut self, distance: u64) {
        (self.packed).retain(|packed| (packed & POSITION) * UNIT_BYTES >= distance);
        self.shrink();
    }

    /// Gives memory back once half of it is not needed.
    fn shrink(&mut self) {
        if self.packed.len() * 2 <= self.packed.capacity() {
            self.packed.shrink_to_fit();
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.packed.len()
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
            references.push(hash(stored), distance);
        }
        references.sort();
        let base = Lsn(1000);
        assert_eq!(references.frames(hash(5), base), [Lsn(1080), Lsn(1800)]);
        assert_eq!(references.frames(hash(0), base), [Lsn(1000)]);
        let last = base.advance(TAIL_BYTES_MAX - 8);
        assert_eq!(references.frames(hash(greatest), base), [last]);
        assert!(references.contains(hash(6)) && !references.contains(hash(7)));
        assert!(references.is_next(hash(5), 80) && !references.is_next(hash(5), 800));
        assert!(references.has(hash(5), 800) && !references.has(hash(6), 800));
        references.remove_through(hash(5), 80);
        references.remove_through(hash(9), 800);
        assert!(references.is_next(hash(5), 800) && !references.has(hash(5), 80));
        references.remove_below(80);
        assert!(!references.contains(hash(0)) && !references.contains(hash(6)));
        references.remove_through(hash(5), TAIL_BYTES_MAX - 8);
        assert!(!references.contains(hash(5)) && references.contains(hash(greatest)));
        references.remove_below(TAIL_BYTES_MAX);
        assert_eq!((references.len(), references.memory_bytes()), (0, 0));
    }
}
