//! The ids of stream entries: a time in milliseconds and a number within it.
//!
//! Owns their order and their text. Pure; runs on any thread.

use std::fmt;
use thermocline_base::codec::put_varint;
use thermocline_base::{CodecError, Reader};

/// An id; ordered by time, then by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970-01-01 UTC, as its maker had it.
    pub ms: u64,
    /// The number within that millisecond.
    pub sequence: u64,
}

impl StreamId {
    /// The first id; no entry has it.
    pub const MIN: Self = Self::new(0, 0);
    /// The last id.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    /// The id of these two.
    #[must_use]
    pub const fn new(ms: u64, sequence: u64) -> Self {
        Self { ms, sequence }
    }

    /// The id after it; `None` after the last.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match (self.sequence.checked_add(1), self.ms.checked_add(1)) {
            (Some(sequence), _) => Some(Self::new(self.ms, sequence)),
            (None, Some(ms)) => Some(Self::new(ms, 0)),
            (None, None) => None,
        }
    }

    /// The id before it; `None` before the first.
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        match (self.sequence.checked_sub(1), self.ms.checked_sub(1)) {
            (Some(sequence), _) => Some(Self::new(self.ms, sequence)),
            (None, Some(ms)) => Some(Self::new(ms, u64::MAX)),
            (None, None) => None,
        }
    }

    /// Both numbers big-endian, as RDB files have them.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.sequence)).to_be_bytes()
    }

    /// The id of sixteen big-endian bytes.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 16]) -> Self {
        let [ms, sequence] = [0, 8].map(|at| {
            let bytes = bytes.iter().skip(at).take(8);
            bytes.fold(0, |number: u64, byte| number << 8 | u64::from(*byte))
        });
        Self::new(ms, sequence)
    }

    /// Appends both numbers as varints.
    pub(super) fn put(self, out: &mut Vec<u8>) {
        put_varint(out, self.ms);
        put_varint(out, self.sequence);
    }

    /// Reads what [`StreamId::put`] wrote.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self::new(reader.varint()?, reader.varint()?))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.ms, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_carry_over() {
        let last_of_five = StreamId::new(5, u64::MAX);
        assert_eq!(last_of_five.next(), Some(StreamId::new(6, 0)));
        assert_eq!(StreamId::new(6, 0).previous(), Some(last_of_five));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
        let id = StreamId::new(0x0102, 0x0304);
        assert_eq!(StreamId::from_be_bytes(id.to_be_bytes()), id);
        assert_eq!(id.to_be_bytes()[6..10], [1, 2, 0, 0]);
    }
}
