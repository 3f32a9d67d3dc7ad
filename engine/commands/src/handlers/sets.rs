//! The commands on sets: what each name runs, and what they share.
//!
//! Owns how a set is found and in which form a new one begins. Does not own the
//! set itself. Handlers run under the locks of the access, on any thread.
//!
//! Use order: the files of handlers use this one; `algebra` stands beside them.

mod algebra;
mod read;
mod write;

use crate::context::{Failure, Handler};
use thermocline_base::Random;
use thermocline_store::{Access, KeyId, Settings};
use thermocline_types::number::parse_integer;
use thermocline_types::set::Member;
use thermocline_types::{SetForm, SetRef};

use super::draw::Source;
use super::readers;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("sadd", write::sadd),
    ("scard", |context| context.read(readers::SCARD)),
    ("sdiff", algebra::sdiff),
    ("sdiffstore", algebra::sdiffstore),
    ("sinter", algebra::sinter),
    ("sintercard", algebra::sintercard),
    ("sinterstore", algebra::sinterstore),
    ("sismember", |context| context.read(readers::SISMEMBER)),
    ("smembers", read::smembers),
    ("smismember", |context| context.read(readers::SMISMEMBER)),
    ("smove", write::smove),
    ("spop", write::spop),
    ("srandmember", read::srandmember),
    ("srem", write::srem),
    ("sscan", read::sscan),
    ("sunion", algebra::sunion),
    ("sunionstore", algebra::sunionstore),
];

/// The set for a command that reads it: a use of the key.
fn used<'a>(access: &'a mut Access<'_, '_>, key: KeyId) -> Result<Option<SetRef<'a>>, Failure> {
    let entry = access.get(key);
    Ok(entry.map(|entry| entry.value.set()).transpose()?)
}

/// The set as a write finds it, before it changes it.
fn seen<'a>(access: &'a Access<'_, '_>, key: KeyId) -> Result<Option<SetRef<'a>>, Failure> {
    let entry = access.peek(key);
    Ok(entry.map(|entry| entry.value.set()).transpose()?)
}

/// The form in which a new set for `first` and about `count` members begins.
pub(super) fn new_form(first: &[u8], count: usize, settings: &Settings) -> SetForm {
    if parse_integer(first).is_some() && count <= settings.set_max_intset_entries() {
        SetForm::Integers
    } else if count <= settings.set_max_listpack_entries() {
        SetForm::Packed
    } else {
        SetForm::Full
    }
}

/// A set to draw from.
fn source<'a>(
    set: SetRef<'a>,
) -> Source<impl FnMut(&mut Random) -> Option<Member<'a>>, impl Fn() -> Vec<Member<'a>>> {
    Source {
        len: set.len(),
        is_large: matches!(set, SetRef::Full(_)),
        one: move |random: &mut Random| set.random(random),
        all: move || set.iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    #[test]
    fn every_set_command_of_the_table_has_a_handler() {
        let names: Vec<&str> = HANDLERS.iter().map(|(name, _)| *name).collect();
        let in_table: Vec<&str> = table::all()
            .iter()
            .filter(|command| command.group == table::Group::Set)
            .map(|command| command.name)
            .collect();
        assert_eq!(names, in_table);
    }
}
