//! The hash of keys: XXH3-64 with a seed that is random per data directory,
//! because the index on disk keeps bits of it.

use crate::{DatabaseId, KeyHash};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The secret of a data directory's key hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashSeed(pub u64);

impl HashSeed {
    /// The hash of `key` in `database`.
    #[must_use]
    pub fn hash(self, database: DatabaseId, key: &[u8]) -> KeyHash {
        let spread = u64::from(database.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        KeyHash(xxh3_64_with_seed(key, self.0 ^ spread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_and_stored_bits_are_the_top_of_the_hash() {
        let hash = KeyHash(0xffc0_0000_0000_0000);
        assert_eq!((hash.shard().0, hash.stored()), (1023, 0));
        let parts = KeyHash::from_stored(crate::ShardId(5), 77);
        assert_eq!((parts.shard().0, parts.stored()), (5, 77));
        let hash = KeyHash(0x003f_ffff_fe00_0000);
        assert_eq!((hash.shard().0, hash.stored()), (0, (1 << 29) - 1));
    }

    #[test]
    fn databases_and_seeds_hash_apart() {
        let hash = |seed, database| HashSeed(seed).hash(DatabaseId(database), b"key");
        assert_ne!(hash(1, 0), hash(1, 1));
        assert_ne!(hash(1, 0), hash(2, 0));
        assert_eq!(hash(3, 4), hash(3, 4));
    }
}
