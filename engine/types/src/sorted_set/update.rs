//! What updates do to a sorted set, and which form it has afterwards.
//!
//! Owns the change of form: a packed one becomes full over the limits and is
//! never packed again. Does not know commands: scores in an update are results,
//! not increments. Runs on whichever thread holds the shard.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::entries::{self, Entries, Entry};
use super::{FullSortedSet, PackedSortedSet};
use crate::hash::packed::with_count;
use crate::value::{Form, Limits, Object, Value};
use thermocline_base::{HashSeed, Reader};

/// A sorted set while it is changed.
enum Working {
    Packed { count: usize, body: Vec<u8> },
    Full(FullSortedSet),
}

impl Working {
    fn new(current: Option<Value>) -> Self {
        match current {
            Some(Value::Object(object)) => {
                if let Object::SortedSet(full) = *object {
                    return Self::Full(full);
                }
            }
            Some(Value::Inline { mut bytes, .. }) => {
                let mut reader = Reader::new(&bytes);
                let count = reader.varint().unwrap_or_default();
                let prefix_bytes = reader.offset();
                bytes.drain(..prefix_bytes);
                return Self::Packed {
                    count: usize::try_from(count).unwrap_or_default(),
                    body: bytes,
                };
            }
            None => {}
        }
        Self::Packed {
            count: 0,
            body: Vec::new(),
        }
    }

    /// Makes it full, unless it is.
    fn make_full(&mut self, seed: HashSeed) {
        if let Self::Packed { body, .. } = self {
            let sorted: Vec<Entry<'_>> = Entries::new(body).map(|(_, entry)| entry).collect();
            // A member that stood twice would have been refused when it was read.
            let full = FullSortedSet::from_sorted(seed, &sorted);
            let full = full.unwrap_or_else(|| FullSortedSet::new(seed));
            *self = Self::Full(full);
        }
    }

    fn set(&mut self, entry: Entry<'_>, limits: &Limits) {
        if let Self::Packed { count, body } = self {
            let old = Entries::new(body).find(|(_, other)| other.1 == entry.1);
            if let Some((at, _)) = old {
                body.drain(at);
                *count = count.saturating_sub(1);
            } else if *count >= limits.zset_max_listpack_entries
                || entry.1.len() > limits.zset_max_listpack_value
            {
                self.make_full(limits.field_seed);
            }
        }
        match self {
            Self::Packed { count, body } => {
                entries::insert(body, entry);
                *count = count.saturating_add(1);
            }
            Self::Full(full) => full.set(entry),
        }
    }

    fn remove(&mut self, member: &[u8]) {
        match self {
            Self::Packed { count, body } => {
                let found = Entries::new(body).find(|(_, entry)| entry.1 == member);
                if let Some((at, _)) = found {
                    body.drain(at);
                    *count = count.saturating_sub(1);
                }
            }
            Self::Full(full) => {
                full.remove(member);
            }
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Packed { count, body } => Value::Inline {
                form: Form::SortedSetPacked,
                bytes: with_count(count, body),
            },
            Self::Full(full) => Value::Object(Box::new(Object::SortedSet(full))),
        }
    }
}

/// The sorted set after giving members these scores; `is_full` whatever they
/// are.
pub(crate) fn set(
    current: Option<Value>,
    is_full: bool,
    entries: &[Entry<'_>],
    limits: &Limits,
) -> Value {
    let mut working = Working::new(current);
    if is_full {
        working.make_full(limits.field_seed);
    }
    for entry in entries {
        working.set(*entry, limits);
    }
    working.into_value()
}

/// The sorted set after removing `members`.
pub(crate) fn remove(current: Option<Value>, members: &[&[u8]]) -> Value {
    let mut working = Working::new(current);
    for member in members {
        working.remove(member);
    }
    working.into_value()
}

/// A packed sorted set of these entries, whose members all differ.
pub(crate) fn packed(entries: &[Entry<'_>]) -> Value {
    let mut sorted = entries.to_vec();
    sorted.sort_by(|one, other| entries::order(*one, *other));
    Value::Inline {
        form: Form::SortedSetPacked,
        bytes: PackedSortedSet::bytes_of(sorted.into_iter()),
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;
    use crate::update::Update;
    use crate::update::tests::apply_both;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn limits() -> Limits {
        Limits {
            zset_max_listpack_entries: 6,
            zset_max_listpack_value: 8,
            ..Limits::default()
        }
    }

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-5..5_i32).prop_map(f64::from),
            1 => Just(-0.0),
            1 => Just(f64::INFINITY),
            1 => any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        ]
    }

    fn assert_reads(value: &Value, model: &BTreeMap<Vec<u8>, f64>) {
        let set = value.as_ref().sorted_set().unwrap();
        let mut sorted: Vec<Entry<'_>> = model
            .iter()
            .map(|(member, score)| (*score, member.as_slice()))
            .collect();
        sorted.sort_by(|one, other| entries::order(*one, *other));
        assert_eq!(set.iter().collect::<Vec<_>>(), sorted);
        let len = sorted.len();
        for (start, end) in [
            (0, len),
            (1, len + 5),
            (len / 3, len / 2),
            (len, len),
            (3, 1),
        ] {
            let expected: Vec<_> = sorted.iter().copied().take(end).skip(start).collect();
            assert_eq!(set.range(start..end).collect::<Vec<_>>(), expected);
            let mut back: Vec<_> = set.range_back(start..end).collect();
            back.reverse();
            assert_eq!(back, expected);
        }
        for (rank, (score, member)) in sorted.iter().enumerate() {
            assert_eq!(set.rank(member), Some((rank, *score)));
        }
        assert_eq!(set.rank(b"nope"), None);
        assert_eq!(value.as_ref().is_empty_collection(), model.is_empty());
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set_in_both_forms(
            members in 1..60_u8,
            changes in proptest::collection::vec(
                (any::<bool>(), proptest::collection::vec((any::<u8>(), score()), 1..6)), 1..50),
        ) {
            let mut value: Option<Value> = None;
            let mut model: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
            for (added, given) in changes {
                let names: Vec<Vec<u8>> = given.iter()
                    .map(|(number, _)| format!("m{}", number % members).into_bytes()).collect();
                let update = if added {
                    let scores = given.iter().map(|(_, score)| *score);
                    model.extend(names.iter().cloned().zip(scores.clone()));
                    let entries = scores.zip(names.iter().map(Vec::as_slice)).collect();
                    Update::SortedSetSet { is_full: false, entries }
                } else {
                    names.iter().for_each(|name| { model.remove(name); });
                    Update::SortedSetRemove { members: names.iter().map(Vec::as_slice).collect() }
                };
                if value.is_none() && !added {
                    continue;
                }
                let mut bytes = Vec::new();
                update.encode_into(&mut bytes);
                prop_assert_eq!(&Update::decode(&bytes).unwrap(), &update);
                let changed = apply_both(value.take(), &update, &limits()).unwrap();
                let mut serialized = Vec::new();
                let form = changed.serialize_into(&mut serialized);
                assert_reads(&changed, &model);
                assert_reads(&Value::deserialize(form, &serialized).unwrap(), &model);
                value = Some(changed);
            }
        }

        #[test]
        fn hostile_bytes_are_refused_or_read_as_they_stand(
            form in 10..12_u8, bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let form = Form::from_u8(form).unwrap();
            if let Ok(value) = Value::deserialize(form, &bytes) {
                let set = value.as_ref().sorted_set().unwrap();
                prop_assert_eq!(set.iter().count(), set.len());
            }
        }
    }

    #[test]
    fn a_large_one_reads_back_leaf_by_leaf() {
        let names: Vec<String> = (0..20_000)
            .map(|number| format!("member:{number}"))
            .collect();
        let entries: Vec<Entry<'_>> = names
            .iter()
            .enumerate()
            .map(|(number, name)| (f64::from((number * 7919 % 1000) as u32), name.as_bytes()))
            .collect();
        let model = entries
            .iter()
            .map(|(score, name)| (name.to_vec(), *score))
            .collect();
        let value = set(None, false, &entries, &Limits::default());
        assert_eq!(value.encoding_name(), "skiplist");
        assert_reads(&value, &model);
        let mut serialized = Vec::new();
        let form = value.serialize_into(&mut serialized);
        assert_eq!(form, Form::SortedSetFull);
        assert_reads(&Value::deserialize(form, &serialized).unwrap(), &model);
    }

    #[test]
    fn the_form_follows_from_the_members() {
        let encoding = |is_full: bool, names: &[&str]| {
            let entries: Vec<Entry<'_>> = names.iter().map(|name| (1.0, name.as_bytes())).collect();
            set(None, is_full, &entries, &limits()).encoding_name()
        };
        let six = ["a", "b", "c", "d", "e", "f"];
        assert_eq!(encoding(false, &six), "listpack");
        assert_eq!(encoding(false, &[&six[..], &["a"]].concat()), "listpack");
        assert_eq!(encoding(false, &[&six[..], &["g"]].concat()), "skiplist");
        assert_eq!(encoding(false, &["123456789"]), "skiplist");
        assert_eq!(encoding(true, &["a"]), "skiplist");
    }
}
