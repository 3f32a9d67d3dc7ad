//! What updates do to a set, and which form it has afterwards.
//!
//! Owns the changes of form: a set of integers becomes packed or full, a packed
//! one full, never back. Does not know commands. Runs on whichever thread holds
//! the shard.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{FullSet, IntegerSet, Member, PackedSet, SetRef, integers};
use crate::hash::packed::with_count;
use crate::number::parse_integer;
use crate::value::{Form, Limits, Object, Value};
use thermocline_base::codec::put_length_prefixed;
use thermocline_base::{CodecError, HashSeed, Reader};

/// The forms of a set, the most compact first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SetForm {
    /// Integers only.
    Integers = 0,
    /// Few members.
    Packed = 1,
    /// Any members.
    Full = 2,
}

impl SetForm {
    /// Reads the form's number.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => Ok(Self::Integers),
            1 => Ok(Self::Packed),
            2 => Ok(Self::Full),
            _ => Err(reader.invalid("set form")),
        }
    }
}

/// A set while it is changed.
enum Working {
    Integers(Vec<u8>),
    Packed { count: usize, body: Vec<u8> },
    Full(FullSet),
}

impl Working {
    fn new(current: Option<Value>) -> Self {
        match current {
            Some(Value::Object(object)) => match *object {
                Object::Set(full) => Self::Full(full),
                _ => Self::Integers(IntegerSet::EMPTY.to_vec()),
            },
            Some(Value::Inline {
                form: Form::SetPacked,
                mut bytes,
            }) => {
                let mut reader = Reader::new(&bytes);
                let count = reader.varint().unwrap_or_default();
                let prefix_bytes = reader.offset();
                bytes.drain(..prefix_bytes);
                Self::Packed {
                    count: usize::try_from(count).unwrap_or_default(),
                    body: bytes,
                }
            }
            Some(Value::Inline { bytes, .. }) => Self::Integers(bytes),
            None => Self::Integers(IntegerSet::EMPTY.to_vec()),
        }
    }

    fn as_ref(&self) -> SetRef<'_> {
        match self {
            Self::Integers(bytes) => SetRef::Integers(IntegerSet::trusted(bytes)),
            Self::Packed { count, body } => SetRef::Packed(PackedSet::new(*count, body)),
            Self::Full(full) => SetRef::Full(full),
        }
    }

    /// Changes the form, unless it is as roomy already.
    fn raise(&mut self, form: SetForm, seed: HashSeed) {
        if self.as_ref().form() >= form {
            return;
        }
        let raised = match form {
            SetForm::Integers => return,
            SetForm::Packed => {
                let mut body = Vec::new();
                for member in self.as_ref().iter() {
                    put_length_prefixed(&mut body, &member);
                }
                let count = self.as_ref().len();
                Self::Packed { count, body }
            }
            SetForm::Full => {
                let mut full = FullSet::new(seed);
                for member in self.as_ref().iter() {
                    full.insert(&member);
                }
                Self::Full(full)
            }
        };
        *self = raised;
    }

    /// Makes the form one that may hold `member` too, which is not there yet.
    fn make_room(&mut self, member: &[u8], limits: &Limits) {
        let may_pack = |longest_bytes: usize, count: usize| {
            count < limits.set_max_listpack_entries
                && longest_bytes <= limits.set_max_listpack_value
        };
        let form = match self {
            Self::Full(_) => return,
            Self::Packed { count, .. } => {
                if may_pack(member.len(), *count) {
                    return;
                }
                SetForm::Full
            }
            Self::Integers(bytes) => {
                let set = IntegerSet::trusted(bytes);
                if parse_integer(member).is_some() {
                    return;
                }
                // The first or the last has the longest text.
                let ends = [set.iter().next(), set.iter().next_back()];
                let ends = ends.into_iter().flatten();
                let longest_bytes = ends.map(|number| Member::integer(number).len()).max();
                let longest_bytes = longest_bytes.unwrap_or_default().max(member.len());
                if may_pack(longest_bytes, set.len()) {
                    SetForm::Packed
                } else {
                    SetForm::Full
                }
            }
        };
        self.raise(form, limits.field_seed);
    }

    fn add(&mut self, member: &[u8], limits: &Limits) {
        if let Self::Full(full) = self {
            full.insert(member);
            return;
        }
        if self.as_ref().contains(member) {
            return;
        }
        self.make_room(member, limits);
        match self {
            Self::Integers(bytes) => {
                if let Some(number) = parse_integer(member) {
                    integers::insert(bytes, number);
                }
                if IntegerSet::trusted(bytes).len() > limits.set_max_intset_entries {
                    self.raise(SetForm::Full, limits.field_seed);
                }
            }
            Self::Packed { count, body } => {
                put_length_prefixed(body, member);
                *count = count.saturating_add(1);
            }
            Self::Full(full) => {
                full.insert(member);
            }
        }
    }

    fn remove(&mut self, member: &[u8]) {
        match self {
            Self::Integers(bytes) => {
                if let Some(number) = parse_integer(member) {
                    integers::remove(bytes, number);
                }
            }
            Self::Packed { count, body } => {
                let mut reader = Reader::new(body);
                while !reader.is_empty() {
                    let start = reader.offset();
                    let Ok(found) = reader.length_prefixed() else {
                        return;
                    };
                    if found == member {
                        let end = reader.offset();
                        body.drain(start..end);
                        *count = count.saturating_sub(1);
                        return;
                    }
                }
            }
            Self::Full(full) => {
                full.remove(member);
            }
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Integers(bytes) => Value::Inline {
                form: Form::SetIntegers,
                bytes,
            },
            Self::Packed { count, body } => Value::Inline {
                form: Form::SetPacked,
                bytes: with_count(count, body),
            },
            Self::Full(full) => Value::Object(Box::new(Object::Set(full))),
        }
    }
}

/// The set after adding `members`, in a form not below `at_least`.
pub(crate) fn add(
    current: Option<Value>,
    at_least: SetForm,
    members: &[&[u8]],
    limits: &Limits,
) -> Value {
    let mut working = Working::new(current);
    working.raise(at_least, limits.field_seed);
    for member in members {
        working.add(member, limits);
    }
    working.into_value()
}

/// The set after removing `members`.
pub(crate) fn remove(current: Option<Value>, members: &[&[u8]]) -> Value {
    let mut working = Working::new(current);
    for member in members {
        working.remove(member);
    }
    working.into_value()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::update::Update;
    use crate::update::tests::apply_both;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn limits() -> Limits {
        Limits {
            set_max_intset_entries: 6,
            set_max_listpack_entries: 4,
            set_max_listpack_value: 8,
            ..Limits::default()
        }
    }

    fn encoding(at_least: SetForm, members: &[&str]) -> &'static str {
        let members: Vec<&[u8]> = members.iter().map(|member| member.as_bytes()).collect();
        add(None, at_least, &members, &limits()).encoding_name()
    }

    #[test]
    fn the_form_follows_from_the_members_and_their_order() {
        use SetForm::{Full, Integers, Packed};
        for (at_least, members, expected) in [
            (Integers, &["1", "2", "3", "4", "5", "6"][..], "intset"),
            (Integers, &["1", "2", "3", "4", "5", "6", "6"], "intset"),
            (Integers, &["1", "2", "3", "4", "5", "6", "7"], "hashtable"),
            (Integers, &["1", "2", "3", "a"], "listpack"),
            (Integers, &["1", "2", "3", "4", "a"], "hashtable"),
            (Integers, &["01"], "listpack"),
            (Integers, &["123456789", "a"], "hashtable"),
            (Integers, &["-12345678", "a"], "hashtable"),
            (Integers, &["a", "123456789"], "hashtable"),
            (Packed, &["1", "2"], "listpack"),
            (Packed, &["a", "b", "c", "d", "a"], "listpack"),
            (Packed, &["a", "b", "c", "d", "e"], "hashtable"),
            (Packed, &["123456789"], "hashtable"),
            (Full, &["1"], "hashtable"),
        ] {
            assert_eq!(encoding(at_least, members), expected, "{members:?}");
        }
    }

    fn member(number: u8, kind: u8) -> Vec<u8> {
        match kind {
            0 => i64::from(number).to_string().into_bytes(),
            1 => (i64::from(number) << 40).to_string().into_bytes(),
            2 => format!("m{number}").into_bytes(),
            _ => format!("a longer member {number}").into_bytes(),
        }
    }

    proptest! {
        #[test]
        fn it_is_a_set_in_every_form(
            kinds in 0..4_u8,
            changes in proptest::collection::vec(
                (any::<bool>(), proptest::collection::vec((0..40_u8, any::<u8>()), 1..6)), 1..60),
        ) {
            let mut value: Option<Value> = None;
            let mut model = BTreeSet::new();
            for (added, members) in changes {
                let members: Vec<Vec<u8>> = members.iter()
                    .map(|(number, kind)| member(*number, kind % kinds.saturating_add(1))).collect();
                let names: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
                let update = if added {
                    model.extend(members.iter().cloned());
                    Update::SetAdd { at_least: SetForm::Integers, members: names }
                } else {
                    members.iter().for_each(|member| { model.remove(member); });
                    Update::SetRemove { members: names }
                };
                if value.is_none() && !added {
                    continue;
                }
                let mut bytes = Vec::new();
                update.encode_into(&mut bytes);
                prop_assert_eq!(Update::decode(&bytes).unwrap(), update.clone());
                let changed = apply_both(value.take(), &update, &limits()).unwrap();
                let mut serialized = Vec::new();
                let form = changed.serialize_into(&mut serialized);
                let read = Value::deserialize(form, &serialized).unwrap();
                for value in [&changed, &read] {
                    let set = value.as_ref().set().unwrap();
                    let found: BTreeSet<Vec<u8>> = set.iter().map(|member| member.to_vec()).collect();
                    prop_assert_eq!(&found, &model);
                    prop_assert_eq!(set.len(), model.len());
                    prop_assert_eq!(value.as_ref().is_empty_collection(), model.is_empty());
                    prop_assert!(model.iter().all(|member| set.contains(member)));
                    prop_assert!(!set.contains(b"nope"));
                }
                value = Some(changed);
            }
        }

        #[test]
        fn hostile_bytes_are_refused_or_read_as_they_stand(
            form in 7..10_u8, bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let form = Form::from_u8(form).unwrap();
            if let Ok(value) = Value::deserialize(form, &bytes) {
                let set = value.as_ref().set().unwrap();
                prop_assert_eq!(set.iter().count(), set.len());
            }
        }
    }
}
