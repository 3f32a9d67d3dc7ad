//! Sets in RDB payloads: member by member, as a listpack, or as sorted integers.
//!
//! ```text
//! plain    count, strings
//! listpack a string that holds one
//! integers a string: width u32 LE (2, 4, 8) | count u32 LE | integers LE
//! ```
//!
//! Pure; runs on any thread. INVARIANT: what is decoded has a member and none
//! twice.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::encode::{fits_listpack, listpack_of, put_length, put_string};
use super::primitive::Decoder;
use super::{RdbError, TYPE_SET, TYPE_SET_INTEGERS, TYPE_SET_LISTPACK};
use std::collections::HashSet;

/// Refuses none, and one that comes twice.
pub(super) fn check_members<'a>(
    members: impl Iterator<Item = &'a [u8]>,
    decoder: &Decoder<'_>,
) -> Result<(), RdbError> {
    let mut seen = HashSet::new();
    for member in members {
        if !seen.insert(member) {
            return Err(decoder.bad("members that differ"));
        }
    }
    if seen.is_empty() {
        return Err(decoder.bad("at least one member"));
    }
    Ok(())
}

pub(super) fn plain(decoder: &mut Decoder<'_>) -> Result<Vec<Vec<u8>>, RdbError> {
    let mut members = Vec::new();
    for _ in 0..decoder.length()? {
        members.push(decoder.string()?);
    }
    check_members(members.iter().map(Vec::as_slice), decoder)?;
    Ok(members)
}

pub(super) fn listpack(decoder: &mut Decoder<'_>, limit: usize) -> Result<Vec<Vec<u8>>, RdbError> {
    let packed = decoder.blob()?;
    let members = super::listpack::entries(&packed, limit)?;
    check_members(members.iter().map(Vec::as_slice), decoder)?;
    Ok(members)
}

pub(super) fn integers(decoder: &mut Decoder<'_>, limit: usize) -> Result<Vec<i64>, RdbError> {
    let packed = decoder.blob()?;
    let mut inner = Decoder::new(&packed, limit);
    let width = u32::from_le_bytes(inner.array()?);
    let count = u32::from_le_bytes(inner.array()?);
    let mut numbers: Vec<i64> = Vec::new();
    while !inner.is_empty() {
        let number = match width {
            2 => i64::from(i16::from_le_bytes(inner.array()?)),
            4 => i64::from(i32::from_le_bytes(inner.array()?)),
            8 => inner.i64()?,
            _ => return Err(inner.bad("a width of integers")),
        };
        inner.charge(8)?;
        if numbers.last().is_some_and(|last| *last >= number) {
            return Err(inner.bad("ascending integers"));
        }
        numbers.push(number);
    }
    if numbers.is_empty() || usize::try_from(count).ok() != Some(numbers.len()) {
        return Err(inner.bad("as many integers as counted, and one at least"));
    }
    Ok(numbers)
}

/// Appends the integers, which ascend; their type.
pub(super) fn put_integers(out: &mut Vec<u8>, numbers: &[i64]) -> u8 {
    let fits = |least: i64, greatest: i64| {
        numbers
            .iter()
            .all(|number| (least..=greatest).contains(number))
    };
    let width = if fits(i16::MIN.into(), i16::MAX.into()) {
        2
    } else if fits(i32::MIN.into(), i32::MAX.into()) {
        4
    } else {
        8
    };
    let mut packed = Vec::new();
    packed.extend_from_slice(&u32::try_from(width).unwrap_or(8).to_le_bytes());
    let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    packed.extend_from_slice(&count.to_le_bytes());
    for number in numbers {
        let bytes = number.to_le_bytes();
        packed.extend_from_slice(bytes.get(..width).unwrap_or(&bytes));
    }
    put_string(out, &packed);
    TYPE_SET_INTEGERS
}

/// Appends the members, a listpack of those that `is_compact` in memory, if they
/// are short and few; their type.
pub(super) fn put_members(out: &mut Vec<u8>, members: &[Vec<u8>], is_compact: bool) -> u8 {
    if is_compact && fits_listpack(members.iter().map(Vec::as_slice)) {
        let entries = members.iter().map(Vec::as_slice);
        put_string(out, &listpack_of(entries));
        return TYPE_SET_LISTPACK;
    }
    put_length(out, members.len() as u64);
    for member in members {
        put_string(out, member);
    }
    TYPE_SET
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{RdbValue, dump, restore};
    use proptest::prelude::*;

    const LIMIT: usize = 1 << 20;

    proptest! {
        #[test]
        fn sets_round_trip(
            members in proptest::collection::btree_set(
                proptest::collection::vec(any::<u8>(), 0..80), 1..20),
            numbers in proptest::collection::btree_set(any::<i64>(), 1..20),
            shift in 0..60_u32, is_compact: bool,
        ) {
            let set = RdbValue::Set(members.into_iter().collect());
            prop_assert_eq!(restore(&dump(&set, is_compact), LIMIT), Ok(set));
            let mut numbers: Vec<i64> = numbers.into_iter()
                .map(|number| number.wrapping_shr(shift)).collect();
            numbers.dedup();
            let set = RdbValue::IntegerSet(numbers);
            prop_assert_eq!(restore(&dump(&set, is_compact), LIMIT), Ok(set));
        }
    }

    #[test]
    fn empty_sets_and_duplicates_are_refused() {
        for set in [
            RdbValue::Set(vec![]),
            RdbValue::Set(vec![b"a".to_vec(), b"a".to_vec()]),
            RdbValue::IntegerSet(vec![]),
            RdbValue::IntegerSet(vec![1, 1]),
            RdbValue::IntegerSet(vec![2, 1]),
        ] {
            for is_compact in [true, false] {
                assert!(restore(&dump(&set, is_compact), LIMIT).is_err(), "{set:?}");
            }
        }
    }
}
