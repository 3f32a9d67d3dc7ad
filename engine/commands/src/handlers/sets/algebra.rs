//! Commands on several sets: SINTER, SINTERCARD, SUNION, SDIFF and their forms
//! that store the result.
//!
//! Owns how a result is found and in which form it is stored: as Valkey's
//! depends on the way there, so does this. Runs under the locks of the access.
//! INVARIANT: a result is whole in memory before its key changes, for the key
//! may be a source too.

use super::new_form;
use crate::arguments::{parse_counted_keys, parse_integer};
use crate::context::{Context, Failure};
use crate::error::CommandError;
use hashbrown::HashSet;
use thermocline_store::{Access, EventClass, KeyId, Settings};
use thermocline_types::number;
use thermocline_types::set::Member;
use thermocline_types::{SetForm, SetRef, Update};

/// What a command makes of its sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

/// The members of a result, and the form in which it is stored at least.
struct Outcome<'a> {
    members: Vec<Member<'a>>,
    at_least: SetForm,
}

/// The sets of these keys, each of them used up to one of a wrong type; `None` where a key is
/// not there.
fn sources<'a>(
    access: &'a mut Access<'_, '_>,
    keys: &[KeyId],
) -> Result<Vec<Option<SetRef<'a>>>, Failure> {
    for key in keys {
        super::used(access, *key)?;
    }
    let access = &*access;
    keys.iter().map(|key| super::seen(access, *key)).collect()
}

pub(super) fn sinter(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply(context, Operation::Intersection)
}

pub(super) fn sunion(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply(context, Operation::Union)
}

pub(super) fn sdiff(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply(context, Operation::Difference)
}

pub(super) fn sinterstore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    store(context, Operation::Intersection)
}

pub(super) fn sunionstore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    store(context, Operation::Union)
}

pub(super) fn sdiffstore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    store(context, Operation::Difference)
}

fn reply(context: &mut Context<'_, '_, '_>, operation: Operation) -> Result<(), Failure> {
    let sets = sources(context.access, context.keys)?;
    let members = combine(operation, &sets, context.settings).members;
    context.reply.set(members.len());
    for member in members {
        context.reply.bulk(&member);
    }
    Ok(())
}

fn store(context: &mut Context<'_, '_, '_>, operation: Operation) -> Result<(), Failure> {
    let sets = sources(context.access, &context.keys[1..])?;
    let outcome = combine(operation, &sets, context.settings);
    let at_least = outcome.at_least;
    let members = outcome.members.iter().map(|member| member.to_vec());
    let members: Vec<Vec<u8>> = members.collect();
    if members.is_empty() {
        context.store_nothing(0);
    } else {
        let members = members.iter().map(Vec::as_slice).collect();
        context.replace(0, &Update::SetAdd { at_least, members })?;
        let event = match operation {
            Operation::Intersection => "sinterstore",
            Operation::Union => "sunionstore",
            Operation::Difference => "sdiffstore",
        };
        context.notify(EventClass::Set, event, 0);
    }
    context.reply.integer(members.len() as i64);
    Ok(())
}

/// SINTERCARD numkeys key … [LIMIT limit].
pub(super) fn sintercard(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let options = parse_counted_keys(&context.arguments[1..])?;
    let mut limit = usize::MAX;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let given = options.next().ok_or(CommandError::Syntax)?;
        if !option.eq_ignore_ascii_case(b"limit") {
            return Err(CommandError::Syntax.into());
        }
        let given = parse_integer(given).map_err(|_| CommandError::NegativeLimit)?;
        let given = usize::try_from(given).map_err(|_| CommandError::NegativeLimit)?;
        limit = if given == 0 { usize::MAX } else { given };
    }
    let sets = sources(context.access, context.keys)?;
    let members = intersection(&sets).take(limit).count();
    context.reply.integer(members as i64);
    Ok(())
}

fn combine<'a>(
    operation: Operation,
    sets: &[Option<SetRef<'a>>],
    settings: &Settings,
) -> Outcome<'a> {
    match operation {
        Operation::Intersection => {
            let members: Vec<Member<'a>> = intersection(sets).collect();
            let at_least = intersection_form(smallest_first(sets).first(), &members, settings);
            Outcome { members, at_least }
        }
        Operation::Union => {
            let mut seen = HashSet::new();
            let mut members = Vec::new();
            for member in sets.iter().flatten().flat_map(SetRef::iter) {
                if seen.insert(member) {
                    members.push(member);
                }
            }
            Outcome {
                members,
                at_least: SetForm::Integers,
            }
        }
        Operation::Difference => difference(sets, settings),
    }
}

/// The sets, if each is there, in the order of their sizes.
fn smallest_first<'a>(sets: &[Option<SetRef<'a>>]) -> Vec<SetRef<'a>> {
    let sorted: Option<Vec<SetRef<'a>>> = sets.iter().copied().collect();
    let mut sorted = sorted.unwrap_or_default();
    sorted.sort_by_key(SetRef::len);
    sorted
}

/// The members of the smallest set that are in all the others.
fn intersection<'a>(sets: &[Option<SetRef<'a>>]) -> impl Iterator<Item = Member<'a>> + use<'a> {
    let sorted = smallest_first(sets);
    let smallest = sorted.first().copied();
    let members = smallest.into_iter().flat_map(|set| set.iter());
    members.filter(move |member| sorted.iter().skip(1).all(|set| set.contains(member)))
}

/// An intersection is made as a packed set, and becomes one of integers if it
/// can, whatever it was on the way.
fn intersection_form(
    smallest: Option<&SetRef<'_>>,
    members: &[Member<'_>],
    settings: &Settings,
) -> SetForm {
    let all_integers = || {
        members
            .iter()
            .all(|member| number::parse_integer(member).is_some())
    };
    let is_integers = smallest.is_some_and(|set| set.form() == SetForm::Integers);
    if is_integers || (members.len() <= settings.set_max_intset_entries() && all_integers()) {
        SetForm::Integers
    } else {
        SetForm::Packed
    }
}

/// Where it costs less, the other sets' members are taken out of a copy of the
/// first, which may have needed a roomier form than the result.
fn difference<'a>(sets: &[Option<SetRef<'a>>], settings: &Settings) -> Outcome<'a> {
    let mut outcome = Outcome {
        members: Vec::new(),
        at_least: SetForm::Integers,
    };
    let [Some(first), others @ ..] = sets else {
        return outcome;
    };
    let others: Vec<SetRef<'a>> = others.iter().flatten().copied().collect();
    let probes = first.len().saturating_mul(others.len() + 1) / 2;
    let all_members: usize = others.iter().map(SetRef::len).sum();
    if probes <= first.len().saturating_add(all_members) {
        let is_left = |member: &Member<'_>| others.iter().all(|set| !set.contains(member));
        outcome.members = first.iter().filter(is_left).collect();
    } else {
        let gone: HashSet<Member<'a>> = others.iter().flat_map(SetRef::iter).collect();
        outcome.at_least = copy_form(*first, settings);
        outcome.members = first.iter().collect();
        outcome.members.retain(|member| !gone.contains(member));
    }
    outcome
}

/// The form of a copy of a set that is made member by member.
fn copy_form(set: SetRef<'_>, settings: &Settings) -> SetForm {
    let Some(first) = set.iter().next() else {
        return SetForm::Integers;
    };
    let other = set
        .iter()
        .find(|member| number::parse_integer(member).is_none());
    let form = new_form(&other.unwrap_or(first), set.len(), settings);
    let is_long = |member: &Member<'_>| member.len() > settings.set_max_listpack_value();
    if other.is_some() && set.iter().any(|member| is_long(&member)) {
        SetForm::Full
    } else if other.is_none() && form == SetForm::Packed {
        // Too many integers: they go to the full form at once.
        SetForm::Full
    } else {
        form
    }
}
