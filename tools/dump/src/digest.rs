//! What a key holds as 128 bits, whatever its form in memory or in a file.
//!
//! Owns which values count as equal: sets, hashes and sorted sets without regard
//! to their order; encodings not at all. XXH3 keeps different values apart by
//! chance only, which for two sets of 2^32 keys is about one in 2^64; it does not
//! withstand who makes collisions on purpose.

use crate::line;
use thermocline_base::UnixMillis;
use thermocline_types::{ValueKind, ValueRef};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// The digest of a key's name.
pub(crate) fn name(database: u8, key: &[u8]) -> u128 {
    parts(&[&[database], key])
}

/// The digest of a value at `now`; `None` if nothing of it is left then, or if it
/// is no value.
pub(crate) fn value(value: ValueRef<'_>, now: UnixMillis) -> Option<u128> {
    let kind = value.kind();
    let content = match kind {
        ValueKind::String => parts(&[value.string().ok()?]),
        ValueKind::List => {
            let mut hasher = Xxh3::new();
            for element in value.list().ok()?.iter() {
                element.with_text(|text| update(&mut hasher, text));
            }
            hasher.digest128()
        }
        ValueKind::Hash => {
            let mut sum = None;
            for (field, value, expiry) in value.hash().ok()?.iter(now) {
                let at = expiry.map_or(-1, |at| at.0).to_le_bytes();
                let entry = parts(&[field, value, &at]);
                sum = Some(sum.unwrap_or(0_u128).wrapping_add(entry));
            }
            sum?
        }
        ValueKind::Set => {
            let members = value.set().ok()?;
            let digests = members.iter().map(|member| parts(&[&member]));
            digests.fold(0, u128::wrapping_add)
        }
        ValueKind::SortedSet => {
            let entries = value.sorted_set().ok()?.iter();
            let digests = entries.map(|(score, member)| {
                // Both zeros are one score.
                let score = (score + 0.0).to_le_bytes();
                parts(&[&score, member])
            });
            digests.fold(0, u128::wrapping_add)
        }
        ValueKind::Stream => {
            let mut text = Vec::new();
            line::write_value(&mut text, value).ok()?;
            xxh3_128(&text)
        }
    };
    Some(parts(&[kind.name().as_bytes(), &content.to_le_bytes()]))
}

/// The digest of a library's text.
pub(crate) fn text(text: &[u8]) -> u128 {
    parts(&[text])
}

/// Parts that are told apart by their lengths.
fn parts(parts: &[&[u8]]) -> u128 {
    let mut hasher = Xxh3::new();
    for part in parts {
        update(&mut hasher, part);
    }
    hasher.digest128()
}

fn update(hasher: &mut Xxh3, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes());
    hasher.update(part);
}
