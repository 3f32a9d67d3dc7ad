//! Ranges of bits: which bits two indexes name, how many of them are set, where one is.
//!
//! Owns no string. Pure functions, called by any thread.

use std::ops::Range;

/// What indexes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeUnit {
    Byte,
    Bit,
}

/// The bits from `start` to `end`, both included, of a string of `length` bytes; negative
/// indexes count from behind, no end is the last. `None` if there are none.
pub(super) fn bits_between(
    length: usize,
    start: i64,
    end: Option<i64>,
    unit: RangeUnit,
) -> Option<Range<u64>> {
    let (total, width) = match unit {
        RangeUnit::Byte => (length as i64, 8),
        RangeUnit::Bit => (length as i64 * 8, 1),
    };
    let from_behind = |index: i64| {
        let index = if index < 0 { index + total } else { index };
        index.max(0)
    };
    let start = from_behind(start);
    let end = end.map_or(total - 1, from_behind).min(total - 1);
    (start <= end).then(|| start as u64 * width..(end as u64 + 1) * width)
}

/// The byte at `at` with the bits outside of `bits` cleared.
fn masked(bytes: &[u8], at: usize, bits: &Range<u64>) -> u8 {
    let first = at as u64 * 8;
    let skip = bits.start.saturating_sub(first).min(8);
    let cut = (first + 8).saturating_sub(bits.end).min(8);
    let mask = (0xff_u32 >> skip) & (0xff_u32 << cut);
    bytes[at] & mask as u8
}

/// Compiled for each of these processors, chosen at run time.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512vpopcntdq",
    "x86_64+avx2",
    "x86_64+popcnt"
))]
fn count_ones_of_words(words: &[[u8; 8]]) -> u64 {
    words
        .iter()
        .map(|word| u64::from(u64::from_ne_bytes(*word).count_ones()))
        .sum()
}

/// How many of `bits`, which are not empty and inside of the string, are 1.
pub(super) fn count_ones(bytes: &[u8], bits: Range<u64>) -> u64 {
    let (first, last) = (bits.start as usize / 8, (bits.end - 1) as usize / 8);
    if first == last {
        return masked(bytes, first, &bits).count_ones().into();
    }
    let (words, tail) = bytes[first + 1..last].as_chunks::<8>();
    let words = count_ones_of_words(words);
    let edges = [masked(bytes, first, &bits), masked(bytes, last, &bits)];
    let rest = tail.iter().chain(&edges);
    words + rest.map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// Where among `bits`, which are not empty and inside of the string, the first `wanted` is.
pub(super) fn first_bit(bytes: &[u8], bits: Range<u64>, wanted: bool) -> Option<u64> {
    let (first, last) = (bits.start as usize / 8, (bits.end - 1) as usize / 8);
    // Looks for a one: in bytes turned over, if a zero is wanted.
    let turn = if wanted { 0 } else { 0xff };
    let look = |at: usize| {
        let turned = [bytes[at] ^ turn];
        let place = at as u64 * 8;
        let inside = bits.start.saturating_sub(place)..(bits.end - place).min(8);
        let zeros = masked(&turned, 0, &inside).leading_zeros();
        (zeros < 8).then(|| place + u64::from(zeros))
    };
    if let Some(found) = look(first) {
        return Some(found);
    }
    let (words, _) = bytes.get(first + 1..last)?.as_chunks::<8>();
    let same = [turn; 8];
    let skipped = words.iter().take_while(|word| **word == same).count() * 8;
    (first + 1 + skipped..=last).find_map(look)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bit(bytes: &[u8], at: u64) -> bool {
        bytes[at as usize / 8] >> (7 - at % 8) & 1 == 1
    }

    #[test]
    fn counts_and_places_are_those_of_single_bits() {
        let mut bytes = vec![0; 21];
        bytes[3] = 0b0101_1000;
        bytes[14] = 0xff;
        bytes[20] = 1;
        for start in 0..bytes.len() as u64 * 8 {
            for end in start + 1..=bytes.len() as u64 * 8 {
                let ones = (start..end).filter(|&at| bit(&bytes, at)).count();
                assert_eq!(count_ones(&bytes, start..end), ones as u64);
                for wanted in [false, true] {
                    let first = (start..end).find(|&at| bit(&bytes, at) == wanted);
                    assert_eq!(first_bit(&bytes, start..end, wanted), first);
                }
            }
        }
    }

    #[test]
    fn indexes_are_cut_to_the_string() {
        for (start, end, unit, expected) in [
            (0, None, RangeUnit::Byte, Some(0..24)),
            (-1, None, RangeUnit::Byte, Some(16..24)),
            (-100, Some(0), RangeUnit::Byte, Some(0..8)),
            (1, Some(100), RangeUnit::Byte, Some(8..24)),
            (2, Some(1), RangeUnit::Byte, None),
            (3, None, RangeUnit::Byte, None),
            (5, Some(-2), RangeUnit::Bit, Some(5..23)),
            (i64::MIN, Some(i64::MAX), RangeUnit::Bit, Some(0..24)),
            (i64::MAX, Some(i64::MIN), RangeUnit::Bit, None),
        ] {
            assert_eq!(
                bits_between(3, start, end, unit),
                expected,
                "{start} {end:?}"
            );
        }
        assert_eq!(bits_between(0, 0, None, RangeUnit::Byte), None);
        assert_eq!(bits_between(0, 0, Some(-1), RangeUnit::Bit), None);
    }
}
