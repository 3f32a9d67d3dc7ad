//! What a key's value must be.
//!
//! Owns values as functions of (key, version), so that every reply can be
//! checked without remembering anything. Does not own which version a key has.
//! Pure, shared by all threads.

use crate::corpus::Corpus;
use std::sync::Arc;
use thermocline_base::Random;

/// The shape of the values of one load.
#[derive(Clone)]
pub enum Values {
    /// `bytes` bytes each that do not compress.
    Fixed {
        /// Their size.
        bytes: usize,
    },
    /// From `least` to `greatest` bytes that do not compress, each power of
    /// two as likely as the next.
    Mixed {
        /// The smallest size, at least 1.
        least: usize,
        /// The largest size.
        greatest: usize,
    },
    /// JSON of real text, about `bytes` bytes each.
    Text {
        /// The text.
        corpus: Arc<Corpus>,
        /// Their size, give or take an entry.
        bytes: usize,
    },
}

impl Values {
    /// Appends the value of key `id` at `version`.
    pub fn write(&self, id: u64, version: u32, out: &mut Vec<u8>) {
        // Mixed once more: generators of neighbouring seeds run one after the other.
        let seed = Random::new(id ^ (u64::from(version) << 40)).next_u64();
        let mut random = Random::new(seed);
        match self {
            Self::Fixed { bytes } => write_noise(*bytes, &mut random, out),
            Self::Mixed { least, greatest } => {
                let bytes = mixed_size(*least, *greatest, &mut random);
                write_noise(bytes, &mut random, out);
            }
            Self::Text { corpus, bytes } => {
                let head = format!(r#"{{"key":"key:{id:012}","version":{version}"#);
                corpus.write_document(&head, *bytes, &mut random, out);
            }
        }
    }
}

fn write_noise(bytes: usize, random: &mut Random, out: &mut Vec<u8>) {
    let end = out.len() + bytes;
    while out.len() < end {
        out.extend_from_slice(&random.next_u64().to_le_bytes());
    }
    out.truncate(end);
}

/// A size whose logarithm is uniform.
#[must_use]
pub fn mixed_size(least: usize, greatest: usize, random: &mut Random) -> usize {
    let uniform = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let least = least.max(1) as f64;
    let size = least * (greatest as f64 / least).powf(uniform);
    (size as usize).clamp(least as usize, greatest.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(values: &Values, id: u64, version: u32) -> Vec<u8> {
        let mut out = Vec::new();
        values.write(id, version, &mut out);
        out
    }

    #[test]
    fn a_value_follows_from_its_key_and_version_alone() {
        let values = Values::Fixed { bytes: 21 };
        assert_eq!(value(&values, 5, 1), value(&values, 5, 1));
        assert_ne!(value(&values, 5, 1), value(&values, 5, 2));
        assert_ne!(value(&values, 5, 1), value(&values, 6, 1));
        assert_eq!(value(&values, 5, 1).len(), 21);
    }

    #[test]
    fn mixed_sizes_keep_their_bounds_and_favour_no_magnitude() {
        let values = Values::Mixed {
            least: 16,
            greatest: 4096,
        };
        let sizes: Vec<usize> = (0..2000).map(|id| value(&values, id, 1).len()).collect();
        assert!(sizes.iter().all(|size| (16..=4096).contains(size)));
        let small = sizes.iter().filter(|&&size| size < 256).count();
        assert!((800..1200).contains(&small), "{small}");
    }
}
