//! Effects of the log's tail that were read again and are about to be applied.
//!
//! Owns copies of them, in one piece of memory that is used again and again, and the
//! order in which they are applied: by hash, so that what is read for neighbours is
//! read once, and for each hash in the order of the log. Does not read or apply. The
//! keeper's thread.
//!
//! INVARIANT: what is held is bounded by whoever adds, who asks [`Gathered::bytes`];
//! one effect more than the bound fits.

use crate::effect::Effect;
use std::ops::Range;
use thermocline_base::codec::{CodecError, Reader};
use thermocline_base::{KeyHash, Lsn};

/// See the module.
#[derive(Default)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    hash: KeyHash,
    frame_start: Lsn,
    offset: usize,
    bytes: usize,
}

impl Entry {
    const fn order(&self) -> (u16, u32) {
        (self.hash.shard().0, self.hash.stored())
    }
}

impl Gathered {
    /// Adds an effect on a key of this hash, of the frame that starts at `frame_start`.
    pub(super) fn push(&mut self, hash: KeyHash, frame_start: Lsn, effect: &Effect<'_>) {
        let offset = self.bytes.len();
        effect.encode_into(&mut self.bytes);
        self.entries.push(Entry {
            hash,
            frame_start,
            offset,
            bytes: self.bytes.len() - offset,
        });
    }

    /// How much is held, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    /// What is held of memory, bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// How many effects are held.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets them, but for memory of about `keeps` bytes.
    pub(super) fn clear(&mut self, keeps: usize) {
        self.bytes.clear();
        self.entries.clear();
        self.bytes.shrink_to(keeps);
        self.entries.shrink_to(keeps / size_of::<Entry>());
    }

    /// Has them in the order in which they are applied.
    pub(super) fn sort(&mut self) {
        self.entries.sort_by_key(Entry::order);
    }

    /// Once sorted: which effects from `from` on are of the hash of the first of them.
    pub(super) fn run(&self, from: usize) -> Range<usize> {
        let rest = self.entries.get(from..).unwrap_or_default();
        let Some(first) = rest.first() else {
            return from..from;
        };
        let same = rest.iter().take_while(|it| it.order() == first.order());
        from..from + same.count()
    }

    /// The hash of effect `index` and where its frame starts.
    pub(super) fn place(&self, index: usize) -> (KeyHash, Lsn) {
        let entry = self.entries[index];
        (entry.hash, entry.frame_start)
    }

    /// Effect `index`.
    ///
    /// # Errors
    /// None in practice: the bytes are our own encoding. Given instead of a panic.
    pub(super) fn effect(&self, index: usize) -> Result<Effect<'_>, CodecError> {
        let entry = self.entries[index];
        let bytes = &self.bytes[entry.offset..entry.offset + entry.bytes];
        Effect::decode(&mut Reader::new(bytes))
    }
}
