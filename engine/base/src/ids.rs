//! Newtypes for the numbers that must never be mixed up.

use std::fmt;

/// A byte position in the write-ahead log. Positions only grow; a log's life
/// is far shorter than 2⁶⁴ bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The start of the log.
    pub const ZERO: Self = Self(0);

    /// The position `bytes` further on.
    #[must_use]
    pub const fn advance(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }

    /// How many bytes lie between `earlier` and this position, 0 if `earlier`
    /// is not earlier.
    #[must_use]
    pub const fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A point in time: milliseconds since 1970-01-01 UTC, by the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

/// The identity of a database: never reused within a data directory. `FLUSHDB`
/// gives a number a fresh identity, `SWAPDB` exchanges two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseId(pub u32);

impl DatabaseId {
    /// The database that no number names: what belongs to the data and is no key of a
    /// client's, such as the libraries of functions. It is never flushed or swapped, nor are
    /// its keys evicted.
    pub const SYSTEM: Self = Self(u32::MAX);
}

/// One of the [`crate::limits::SHARD_COUNT`] lock-protected parts of the key
/// space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl ShardId {
    /// The shard as an index into an array of shards.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The keyed 64-bit hash of a key within a database.
///
/// ```text
///  63      54 53                           25 24        0
/// +----------+-------------------------------+-----------+
/// | shard 10 |          stored 29            | unused 25 |
/// +----------+-------------------------------+-----------+
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub u64);

impl KeyHash {
    /// How many bits name the shard.
    pub const SHARD_BITS: u32 = 10;
    /// How many bits a slot of the index keeps of a cold key.
    pub const STORED_BITS: u32 = 29;

    /// A hash of this shard and these stored bits, the unused bits 0.
    #[must_use]
    pub const fn from_stored(shard: ShardId, stored: u32) -> Self {
        let unused = 64 - Self::SHARD_BITS - Self::STORED_BITS;
        Self(((shard.0 as u64) << (64 - Self::SHARD_BITS)) | ((stored as u64) << unused))
    }

    /// The shard the key belongs to.
    #[must_use]
    pub const fn shard(self) -> ShardId {
        ShardId((self.0 >> (64 - Self::SHARD_BITS)) as u16)
    }

    /// The 29 bits below the shard's, which order the keys of a shard.
    #[must_use]
    pub const fn stored(self) -> u32 {
        ((self.0 << Self::SHARD_BITS) >> (64 - Self::STORED_BITS)) as u32
    }
}
