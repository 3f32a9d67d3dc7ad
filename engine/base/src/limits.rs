//! Numbers that bound what comes from outside, or that are properties of a
//! data directory.

/// Parts of the key space. A property of the data directory, not of the
/// machine: the hash names the shard.
pub const SHARD_COUNT: usize = 1 << crate::KeyHash::SHARD_BITS;

/// How many numbered databases there are.
pub const DATABASE_COUNT: usize = 16;

/// The unit of every aligned read and write, in bytes.
pub const PAGE_BYTES: usize = 4096;

/// The longest string value and the longest request argument, in bytes
/// (`proto-max-bulk-len`).
pub const STRING_MAX_BYTES: usize = 512 * 1024 * 1024;

/// The longest key, in bytes.
pub const KEY_MAX_BYTES: usize = STRING_MAX_BYTES;
