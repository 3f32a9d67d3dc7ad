//! Values that say whose and which they are.
//!
//! Owns the text `name v<version> ` and the filling behind it, both a function
//! of name and version alone, so that a value read back is compared whole.

use thermocline_base::Random;
use thermocline_benches::values::mixed_size;

/// One value in this many is far larger than a page.
const LARGE_ONE_IN: u64 = 256;
const LARGE_BYTES: usize = 200 << 10;

/// Appends the value of `name` at `version`, usually of 32 bytes to
/// `greatest` bytes.
pub(super) fn write(name: &[u8], version: u64, greatest: usize, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(name);
    out.extend_from_slice(format!(" v{version} ").as_bytes());
    let seed = name.iter().fold(version, |seed, &byte| {
        Random::new(seed ^ u64::from(byte)).next_u64()
    });
    let mut random = Random::new(seed);
    let bytes = if greatest > 4096 && random.chance(LARGE_ONE_IN) {
        LARGE_BYTES
    } else {
        mixed_size(32, greatest, &mut random)
    };
    let end = begin + bytes.max(out.len() - begin);
    // Half of the values compress.
    let repeats = random.chance(2);
    let mut word = random.next_u64();
    while out.len() < end {
        out.extend_from_slice(&word.to_le_bytes());
        if !repeats {
            word = random.next_u64();
        }
    }
    out.truncate(end);
}

/// The version of a value of `name`; `None` if a single byte is not as
/// [`write`] writes it.
pub(super) fn version(name: &[u8], greatest: usize, value: &[u8]) -> Option<u64> {
    let rest = value.strip_prefix(name)?.strip_prefix(b" v")?;
    let end = rest.iter().take(21).position(|&byte| byte == b' ')?;
    let version = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    let mut expected = Vec::new();
    write(name, version, greatest, &mut expected);
    (expected == value).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_gives_its_version_back_and_one_changed_byte_does_not() {
        for wanted in [0, 1, 77, 1_000_000] {
            let mut value = Vec::new();
            write(b"s:1:20", wanted, 16_384, &mut value);
            assert_eq!(version(b"s:1:20", 16_384, &value), Some(wanted));
            assert_eq!(version(b"s:1:2", 16_384, &value), None);
            for at in [0, 8, value.len() - 1] {
                let mut changed = value.clone();
                changed[at] ^= 1;
                assert_eq!(version(b"s:1:20", 16_384, &changed), None, "byte {at}");
            }
            assert_eq!(version(b"s:1:20", 16_384, &value[..value.len() - 1]), None);
        }
        assert_eq!(version(b"s", 64, b""), None);
    }
}
