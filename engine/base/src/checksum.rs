//! CRC-32 (IEEE 802.3, reflected, polynomial 0xEDB88320): the checksum of
//! every structure on disk.

use crc32fast::Hasher;
use std::sync::LazyLock;

/// A hasher that has seen no byte. A new one would look anew for what the processor can do,
/// which costs more than to hash a short frame.
static FRESH: LazyLock<Hasher> = LazyLock::new(Hasher::new);

/// The CRC-32 of `bytes`.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32_parts(&[bytes])
}

/// The CRC-32 of the concatenation of `parts`.
#[must_use]
pub fn crc32_parts(parts: &[&[u8]]) -> u32 {
    let mut hasher = FRESH.clone();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}
