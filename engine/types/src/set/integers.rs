//! The set of few integers: as many bytes for each as the widest of them ever
//! needed, in ascending order.
//!
//! Owns the layout (`FORMAT.md`, "Integer set"). Does not know limits. Runs on
//! whichever thread holds the shard.
//!
//! INVARIANT: bytes that passed [`IntegerSet::check`] are strictly ascending.
//! Bytes that did not are still safe to read.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use thermocline_base::{CodecError, Reader};

/// The widths an integer can have, in bytes.
const WIDTHS: [usize; 3] = [2, 4, 8];

/// An integer set read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerSet<'a> {
    width_bytes: usize,
    body: &'a [u8],
}

/// The width that holds `number`.
const fn width_bytes(number: i64) -> usize {
    match number {
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}

/// An integer of its width, sign-extended.
fn read(bytes: &[u8]) -> i64 {
    match bytes {
        [a, b] => i64::from(i16::from_le_bytes([*a, *b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([*a, *b, *c, *d])),
        other => other
            .first_chunk()
            .map_or(0, |bytes| i64::from_le_bytes(*bytes)),
    }
}

fn put(out: &mut Vec<u8>, number: i64, width_bytes: usize) {
    let bytes = number.to_le_bytes();
    out.extend_from_slice(bytes.get(..width_bytes).unwrap_or(&bytes));
}

impl<'a> IntegerSet<'a> {
    /// The bytes of the set without a member.
    pub(crate) const EMPTY: [u8; 1] = [2];

    /// Reads the width only; unreadable bytes give an empty set.
    #[must_use]
    pub fn trusted(bytes: &'a [u8]) -> Self {
        match bytes.split_first() {
            Some((width, body)) if WIDTHS.contains(&usize::from(*width)) => Self {
                width_bytes: usize::from(*width),
                body,
            },
            _ => Self {
                width_bytes: 2,
                body: &[],
            },
        }
    }

    /// Reads and checks the width, the length and the order.
    ///
    /// # Errors
    /// [`CodecError`], with the offset of the fault in `bytes`.
    pub fn check(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        if !WIDTHS.contains(&usize::from(reader.u8()?)) {
            return Err(reader.invalid("integer set width"));
        }
        let set = Self::trusted(bytes);
        let mut previous = None;
        while !reader.is_empty() {
            let number = read(reader.bytes(set.width_bytes)?);
            if previous.is_some_and(|previous| previous >= number) {
                return Err(reader.invalid("integer set order"));
            }
            previous = Some(number);
        }
        Ok(set)
    }

    /// How many members it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.body.len().checked_div(self.width_bytes) {
            Some(count) => count,
            None => 0,
        }
    }

    /// Whether it has no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The member at this place in ascending order.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<i64> {
        let start = at.checked_mul(self.width_bytes)?;
        let end = start.checked_add(self.width_bytes)?;
        self.body.get(start..end).map(read)
    }

    /// All members in ascending order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = i64> + use<'a> {
        self.body.chunks_exact(self.width_bytes).map(read)
    }

    /// Where `number` is, or where it would be.
    ///
    /// # Errors
    /// The place where it is to be put.
    pub fn find(&self, number: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).map(|found| found.cmp(&number)) {
                Some(std::cmp::Ordering::Less) => low = middle.saturating_add(1),
                Some(std::cmp::Ordering::Equal) => return Ok(middle),
                _ => high = middle,
            }
        }
        Err(low)
    }
}

/// Adds `number` to the set with these bytes; whether it is new.
pub(crate) fn insert(bytes: &mut Vec<u8>, number: i64) -> bool {
    let set = IntegerSet::trusted(bytes);
    let Err(at) = set.find(number) else {
        return false;
    };
    let (old_bytes, new_bytes) = (set.width_bytes, width_bytes(number).max(set.width_bytes));
    if new_bytes > old_bytes || bytes.is_empty() {
        let mut wider = vec![u8::try_from(new_bytes).unwrap_or(8)];
        let mut numbers: Vec<i64> = set.iter().collect();
        numbers.insert(at, number);
        for number in numbers {
            put(&mut wider, number, new_bytes);
        }
        *bytes = wider;
    } else {
        let mut encoded = Vec::new();
        put(&mut encoded, number, new_bytes);
        let start = at.saturating_mul(new_bytes).saturating_add(1);
        bytes.splice(start..start, encoded);
    }
    true
}

/// Takes `number` out; whether it was there.
pub(crate) fn remove(bytes: &mut Vec<u8>, number: i64) -> bool {
    let set = IntegerSet::trusted(bytes);
    let Ok(at) = set.find(number) else {
        return false;
    };
    let width_bytes = set.width_bytes;
    let start = at.saturating_mul(width_bytes).saturating_add(1);
    bytes.drain(start..start.saturating_add(width_bytes));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn bytes_are_as_format_md_rules_them() {
        let mut bytes = IntegerSet::EMPTY.to_vec();
        assert!(insert(&mut bytes, 5));
        assert!(insert(&mut bytes, -1));
        assert!(!insert(&mut bytes, 5));
        assert_eq!(bytes, [2, 0xff, 0xff, 5, 0]);
        assert!(insert(&mut bytes, 70_000));
        let wide = [4, 0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0, 0x70, 0x11, 1, 0];
        assert_eq!(bytes, wide);
        assert!(remove(&mut bytes, 70_000));
        assert!(!remove(&mut bytes, 70_000));
        assert_eq!(IntegerSet::check(&bytes).map(|set| set.len()), Ok(2));
    }

    #[test]
    fn wrong_bytes_are_refused() {
        for bytes in [
            &[][..],
            &[3],
            &[2, 1],
            &[2, 1, 0, 1, 0],
            &[2, 1, 0, 0, 0],
            &[4, 1, 0, 0],
        ] {
            assert!(IntegerSet::check(bytes).is_err(), "{bytes:?}");
        }
        assert!(IntegerSet::check(&IntegerSet::EMPTY).is_ok());
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_integers(
            changes in proptest::collection::vec((any::<bool>(), prop_oneof![
                -20..20_i64, -40_000..40_000_i64, any::<i64>(),
            ]), 0..80),
        ) {
            let mut bytes = IntegerSet::EMPTY.to_vec();
            let mut model = BTreeSet::new();
            for (added, number) in changes {
                if added {
                    prop_assert_eq!(insert(&mut bytes, number), model.insert(number));
                } else {
                    prop_assert_eq!(remove(&mut bytes, number), model.remove(&number));
                }
                let set = IntegerSet::check(&bytes).expect("is well-formed");
                prop_assert!(set.iter().eq(model.iter().copied()));
            }
        }

        #[test]
        fn any_bytes_can_be_read(bytes: Vec<u8>, number: i64) {
            let set = IntegerSet::trusted(&bytes);
            prop_assert_eq!(set.iter().count(), set.len());
            let _ = (set.find(number), IntegerSet::check(&bytes));
        }
    }
}
