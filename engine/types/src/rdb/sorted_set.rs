//! Sorted sets in RDB payloads: member by member with a double or its text, or
//! as a listpack or ziplist of members and scores in turn.
//!
//! ```text
//! double  count, (string, f64 LE) ...
//! text    count, (string, length u8 and as many characters) ...
//!         length 253: not a number, 254: infinity, 255: minus infinity
//! ```
//!
//! Pure; runs on any thread. INVARIANT: what is decoded has a member, none
//! twice, and no score that is not a number.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::encode::{fits_listpack, listpack_of, put_length, put_string};
use super::primitive::Decoder;
use super::set::check_members;
use super::{RdbError, TYPE_SORTED_SET, TYPE_SORTED_SET_LISTPACK};
use crate::number::{double_text, parse_double};

type Entries = Vec<(f64, Vec<u8>)>;

fn checked(entries: Entries, decoder: &Decoder<'_>) -> Result<Entries, RdbError> {
    if entries.iter().any(|(score, _)| score.is_nan()) {
        return Err(decoder.bad("scores that are numbers"));
    }
    check_members(entries.iter().map(|(_, member)| member.as_slice()), decoder)?;
    Ok(entries)
}

pub(super) fn plain(decoder: &mut Decoder<'_>) -> Result<Entries, RdbError> {
    let mut entries = Vec::new();
    for _ in 0..decoder.length()? {
        let member = decoder.string()?;
        entries.push((f64::from_bits(decoder.u64()?), member));
    }
    checked(entries, decoder)
}

pub(super) fn with_text(decoder: &mut Decoder<'_>) -> Result<Entries, RdbError> {
    let mut entries = Vec::new();
    for _ in 0..decoder.length()? {
        let member = decoder.string()?;
        let score = match decoder.u8()? {
            253 => f64::NAN,
            254 => f64::INFINITY,
            255 => f64::NEG_INFINITY,
            length => {
                let text = decoder.take(usize::from(length))?;
                parse_double(text).ok_or(decoder.bad("the text of a score"))?
            }
        };
        entries.push((score, member));
    }
    checked(entries, decoder)
}

/// Groups the entries of a packed list two by two into members and scores.
pub(super) fn pairs(packed: Vec<Vec<u8>>, decoder: &Decoder<'_>) -> Result<Entries, RdbError> {
    let mut entries = Vec::new();
    let mut packed = packed.into_iter();
    while let Some(member) = packed.next() {
        let score = packed.next().and_then(|text| parse_double(&text));
        entries.push((
            score.ok_or(decoder.bad("pairs of members and scores"))?,
            member,
        ));
    }
    checked(entries, decoder)
}

/// Appends the entries, a listpack of those that `is_compact` in memory, if they
/// are short and few; their type.
pub(super) fn put_entries(out: &mut Vec<u8>, entries: &[(f64, Vec<u8>)], is_compact: bool) -> u8 {
    let texts: Vec<String> = if is_compact {
        let scores = entries.iter().map(|(score, _)| double_text(*score));
        scores.collect()
    } else {
        Vec::new()
    };
    let parts = || {
        entries
            .iter()
            .zip(&texts)
            .flat_map(|((_, member), text)| [member.as_slice(), text.as_bytes()])
    };
    if is_compact && fits_listpack(parts()) {
        put_string(out, &listpack_of(parts()));
        return TYPE_SORTED_SET_LISTPACK;
    }
    put_length(out, entries.len() as u64);
    for (score, member) in entries {
        put_string(out, member);
        out.extend_from_slice(&score.to_le_bytes());
    }
    TYPE_SORTED_SET
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{RdbValue, dump, restore};
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1 << 20;

    proptest! {
        #[test]
        fn sorted_sets_round_trip(
            entries in proptest::collection::btree_map(
                proptest::collection::vec(any::<u8>(), 0..70),
                any::<f64>().prop_filter("a number", |score| !score.is_nan()), 1..20),
            is_compact: bool,
        ) {
            let entries = entries.into_iter().map(|(member, score)| (score, member)).collect();
            let set = RdbValue::SortedSet(entries);
            prop_assert_eq!(restore(&dump(&set, is_compact), LIMIT), Ok(set));
        }
    }

    #[test]
    fn empty_ones_duplicates_and_what_is_no_number_are_refused() {
        for entries in [
            vec![],
            vec![(1.0, b"a".to_vec()), (2.0, b"a".to_vec())],
            vec![(f64::NAN, b"a".to_vec())],
        ] {
            for is_compact in [true, false] {
                let set = RdbValue::SortedSet(entries.clone());
                assert!(restore(&dump(&set, is_compact), LIMIT).is_err(), "{set:?}");
            }
        }
    }

    #[test]
    fn scores_as_text_are_read() {
        let payload = [&[2, 1, b'a', 3, b'1', b'.', b'5', 1, b'b', 255][..]].concat();
        let mut decoder = Decoder::new(&payload, LIMIT);
        let expected = vec![(1.5, b"a".to_vec()), (f64::NEG_INFINITY, b"b".to_vec())];
        assert_eq!(with_text(&mut decoder), Ok(expected));
        let not_a_number = [1, 1, b'a', 253];
        assert!(with_text(&mut Decoder::new(&not_a_number, LIMIT)).is_err());
    }
}
