//! LZF compression of strings; `primitive` undoes it and draws the form.
//!
//! Greedy: the last place of the next three bytes' hash is the only candidate for
//! a match. Pure; runs on any thread. INVARIANT: what is compressed here,
//! `primitive` decompresses to the same bytes.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

/// How far back a match may begin, in bytes.
const DISTANCE_MAX: usize = 1 << 13;
/// The longest match, in bytes.
const MATCH_MAX: usize = 264;
/// The longest run of bytes that are not compressed.
const LITERALS_MAX: usize = 32;

/// `bytes` compressed to at most `most` bytes, if that can be.
pub(super) fn compress(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let bits = usize::BITS
        .saturating_sub(bytes.len().leading_zeros())
        .clamp(6, 14);
    // Places are kept one too large: zero is none.
    let mut places = vec![0_usize; 1_usize.checked_shl(bits)?];
    let mut out = Vec::new();
    let mut literals = 0_usize;
    let mut at = 0_usize;
    while let Some(next) = bytes.get(at..).and_then(<[u8]>::first_chunk::<3>) {
        let place = places.get_mut(hash(*next, bits))?;
        let candidate = std::mem::replace(place, at.saturating_add(1)).checked_sub(1);
        let found = candidate
            .filter(|from| at.saturating_sub(*from) <= DISTANCE_MAX)
            .map(|from| (from, common(bytes, from, at)))
            .filter(|(_, length)| *length >= 3);
        let Some((from, length)) = found else {
            at = at.saturating_add(1);
            continue;
        };
        put_literals(&mut out, bytes.get(literals..at)?);
        put_match(&mut out, at.saturating_sub(from), length)?;
        if out.len() > most {
            return None;
        }
        at = at.saturating_add(length);
        literals = at;
    }
    put_literals(&mut out, bytes.get(literals..)?);
    (out.len() <= most).then_some(out)
}

fn hash([first, second, third]: [u8; 3], bits: u32) -> usize {
    let word = u32::from_le_bytes([first, second, third, 0]).wrapping_mul(0x9e37_79b1);
    word.wrapping_shr(u32::BITS.saturating_sub(bits)) as usize
}

/// How many bytes are the same from `from` and from `at` on.
fn common(bytes: &[u8], from: usize, at: usize) -> usize {
    let earlier = bytes.get(from..).unwrap_or_default();
    let later = bytes.get(at..).unwrap_or_default();
    let pairs = earlier.iter().zip(later).take(MATCH_MAX);
    pairs.take_while(|(a, b)| a == b).count()
}

fn put_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push((run.len() as u8).saturating_sub(1));
        out.extend_from_slice(run);
    }
}

/// A match of at least three bytes.
fn put_match(out: &mut Vec<u8>, distance: usize, length: usize) -> Option<()> {
    let [low, high, ..] = distance.checked_sub(1)?.to_le_bytes();
    let length = u8::try_from(length.checked_sub(2)?.min(7)).ok().zip(
        // What does not fit the three bits beside the distance.
        u8::try_from(length.saturating_sub(9)).ok(),
    );
    let (short, more) = length?;
    out.push(short.wrapping_shl(5) | high);
    if short == 7 {
        out.push(more);
    }
    out.push(low);
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::primitive::decompress;
    use super::*;
    use proptest::prelude::*;

    fn check(bytes: &[u8]) -> usize {
        let compressed = compress(bytes, usize::MAX).unwrap();
        assert_eq!(decompress(&compressed, bytes.len()).as_deref(), Some(bytes));
        compressed.len()
    }

    #[test]
    fn runs_and_repetitions_shrink() {
        for length in (0..600).chain([5000, 20_000]) {
            check(&vec![b'a'; length]);
        }
        assert!(check(&vec![b'a'; 1000]) < 20);
        let text = b"the quick brown fox ".repeat(900);
        assert!(check(&text) < text.len() / 40);
        let short = compress(&text, 10);
        assert_eq!(short, None);
    }

    proptest! {
        #[test]
        fn whatever_is_compressed_comes_back(
            words in proptest::collection::vec(proptest::collection::vec(0..6_u8, 1..12), 0..400),
            noise in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            check(&words.concat());
            check(&noise);
            check(&[words.concat(), noise.clone(), words.concat(), noise].concat());
        }
    }
}
