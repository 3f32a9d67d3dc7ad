//! Commands on several sorted sets: ZINTER, ZINTERCARD, ZUNION, ZDIFF and their
//! forms that store the result. Sets are sources too, with scores of 1.
//!
//! Owns their options and how scores become one. Sums depend on the order in which
//! they are made, which is Valkey's: the smallest source first. INVARIANT: a result
//! is whole in memory before its key changes, for the key may be a source too.

use super::{OwnedEntry, reply_entries, store_result};
use crate::arguments::parse_integer;
use crate::context::{Context, Failure};
use crate::error::CommandError;
use hashbrown::HashMap;
use thermocline_store::{Access, Entry, KeyId};
use thermocline_types::number::parse_double;
use thermocline_types::{SetRef, SortedSetRef, ValueKind};

/// What a command makes of its sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

/// How the scores of a member become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Least,
    Greatest,
}

impl Aggregate {
    /// Infinities that cancel each other out give 0.
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Sum => number_or_zero(one + other),
            Self::Least if other < one => other,
            Self::Greatest if other > one => other,
            Self::Least | Self::Greatest => one,
        }
    }
}

fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A set or a sorted set.
#[derive(Clone, Copy)]
enum Members<'a> {
    Sorted(SortedSetRef<'a>),
    Set(SetRef<'a>),
}

impl Members<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Sorted(set) => set.len(),
            Self::Set(set) => set.len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Sorted(set) => set.score(member),
            Self::Set(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Visits all until `visit` has enough.
    fn all(&self, mut visit: impl FnMut(f64, &[u8]) -> bool) {
        match self {
            Self::Sorted(set) => {
                set.iter().all(|(score, member)| visit(score, member));
            }
            Self::Set(set) => {
                set.iter().all(|member| visit(1.0, &member));
            }
        }
    }
}

/// One of the keys.
#[derive(Clone, Copy)]
struct Source<'a> {
    members: Option<Members<'a>>,
    weight: f64,
}

impl Source<'_> {
    fn len(&self) -> usize {
        self.members.map_or(0, |members| members.len())
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        self.members?.score(member)
    }
}

/// What a request asks for beside its keys.
struct Options {
    weights: Vec<f64>,
    aggregate: Aggregate,
    scores: bool,
    /// For ZINTERCARD.
    limit: usize,
}

/// Which options a command takes.
#[derive(Clone, Copy)]
struct Form {
    operation: Operation,
    command: &'static str,
    /// Where the number of keys stands in the request.
    count_at: usize,
    /// Whether only the number of members is asked for.
    counts: bool,
}

impl Form {
    const fn new(operation: Operation, command: &'static str, count_at: usize) -> Self {
        Self {
            operation,
            command,
            count_at,
            counts: false,
        }
    }

    const fn is_stored(self) -> bool {
        self.count_at == 2
    }
}

pub(super) fn zinter(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    run(context, Form::new(Operation::Intersection, "zinter", 1))
}

pub(super) fn zunion(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    run(context, Form::new(Operation::Union, "zunion", 1))
}

pub(super) fn zdiff(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    run(context, Form::new(Operation::Difference, "zdiff", 1))
}

pub(super) fn zinterstore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    run(
        context,
        Form::new(Operation::Intersection, "zinterstore", 2),
    )
}

pub(super) fn zunionstore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    run(context, Form::new(Operation::Union, "zunionstore", 2))
}

pub(super) fn zdiffstore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    run(context, Form::new(Operation::Difference, "zdiffstore", 2))
}

pub(super) fn zintercard(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let form = Form {
        counts: true,
        ..Form::new(Operation::Intersection, "zintercard", 1)
    };
    run(context, form)
}

fn run(context: &mut Context<'_, '_, '_>, form: Form) -> Result<(), Failure> {
    let count = parse_integer(context.argument(form.count_at))?;
    if count < 1 {
        return Err(CommandError::NoInputKeys(form.command).into());
    }
    let given = &context.arguments[form.count_at + 1..];
    let keys = usize::try_from(count).unwrap_or(usize::MAX);
    let options = given.get(keys..).ok_or(CommandError::Syntax)?;
    let first = usize::from(form.is_stored());
    let members = sources(context.access, &context.keys[first..])?;
    let options = parse(options, keys, form)?;
    let sources: Vec<Source<'_>> = members
        .into_iter()
        .zip(&options.weights)
        .map(|(members, weight)| Source {
            members,
            weight: *weight,
        })
        .collect();
    if form.counts {
        let found = intersection(sources, options.aggregate, options.limit).len();
        context.reply.integer(found as i64);
        return Ok(());
    }
    let mut entries = match form.operation {
        Operation::Intersection => intersection(sources, options.aggregate, usize::MAX),
        Operation::Union => union(sources, options.aggregate),
        Operation::Difference => difference(&sources),
    };
    if form.is_stored() {
        let event = match form.operation {
            Operation::Intersection => "zinterstore",
            Operation::Union => "zunionstore",
            Operation::Difference => "zdiffstore",
        };
        return store_result(context, (0, event), &entries);
    }
    entries.sort_by(|one, other| {
        let scores = one.0.partial_cmp(&other.0);
        let scores = scores.unwrap_or(std::cmp::Ordering::Equal);
        scores.then_with(|| one.1.cmp(&other.1))
    });
    let found = entries
        .iter()
        .map(|(score, member)| (*score, member.as_slice()));
    reply_entries(context.reply, entries.len(), found, options.scores);
    Ok(())
}

/// What these keys hold, each of them used up to one of a wrong type.
fn sources<'a>(
    access: &'a mut Access<'_, '_>,
    keys: &[KeyId],
) -> Result<Vec<Option<Members<'a>>>, Failure> {
    for key in keys {
        access.get(*key).map(members_of).transpose()?;
    }
    let access = &*access;
    let members = |key: &KeyId| access.peek(*key).map(members_of).transpose();
    keys.iter().map(members).collect()
}

fn members_of(entry: Entry<'_>) -> Result<Members<'_>, Failure> {
    Ok(match entry.value.kind() {
        ValueKind::Set => Members::Set(entry.value.set()?),
        _ => Members::Sorted(entry.value.sorted_set()?),
    })
}

fn parse(options: &[&[u8]], keys: usize, form: Form) -> Result<Options, CommandError> {
    let mut parsed = Options {
        weights: vec![1.0; keys],
        aggregate: Aggregate::Sum,
        scores: false,
        limit: usize::MAX,
    };
    let combines = form.operation != Operation::Difference && !form.counts;
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
        if combines && is(b"weights") && rest.len() >= keys {
            for weight in &mut parsed.weights {
                let given = rest.next().and_then(|text| parse_double(text));
                *weight = given.ok_or(CommandError::WeightNotFloat)?;
            }
        } else if combines && is(b"aggregate") && rest.len() >= 1 {
            let name = rest.next().copied().unwrap_or_default();
            parsed.aggregate = aggregate(name)?;
        } else if is(b"withscores") && !form.is_stored() && !form.counts {
            parsed.scores = true;
        } else if form.counts && is(b"limit") && rest.len() >= 1 {
            let limit = rest.next().and_then(|text| parse_integer(text).ok());
            let limit = limit.and_then(|limit| usize::try_from(limit).ok());
            let limit = limit.ok_or(CommandError::NegativeLimit)?;
            parsed.limit = if limit == 0 { usize::MAX } else { limit };
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(parsed)
}

fn aggregate(name: &[u8]) -> Result<Aggregate, CommandError> {
    let names = [
        (&b"sum"[..], Aggregate::Sum),
        (b"min", Aggregate::Least),
        (b"max", Aggregate::Greatest),
    ];
    let found = names
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known));
    found
        .map(|(_, aggregate)| aggregate)
        .ok_or(CommandError::Syntax)
}

/// At most `limit` members that are in all sources.
fn intersection(
    mut sources: Vec<Source<'_>>,
    aggregate: Aggregate,
    limit: usize,
) -> Vec<OwnedEntry> {
    let mut found = Vec::new();
    sources.sort_by_key(Source::len);
    let Some((smallest, others)) = sources.split_first() else {
        return found;
    };
    let Some(members) = smallest.members else {
        return found;
    };
    members.all(|score, member| {
        let first = number_or_zero(smallest.weight * score);
        let whole = others.iter().try_fold(first, |sum, source| {
            let score = source.score(member)?;
            Some(aggregate.of(sum, score * source.weight))
        });
        if let Some(score) = whole {
            found.push((score, member.to_vec()));
        }
        found.len() < limit
    });
    found
}

/// The members of all sources.
fn union(mut sources: Vec<Source<'_>>, aggregate: Aggregate) -> Vec<OwnedEntry> {
    sources.sort_by_key(Source::len);
    // As many as the largest has, at least.
    let members = sources.last().map_or(0, Source::len);
    let mut scores: HashMap<Vec<u8>, f64> = HashMap::with_capacity(members);
    for source in &sources {
        let Some(members) = source.members else {
            continue;
        };
        members.all(|score, member| {
            let score = number_or_zero(source.weight * score);
            match scores.get_mut(member) {
                Some(sum) => *sum = aggregate.of(*sum, score),
                None => {
                    scores.insert(member.to_vec(), score);
                }
            }
            true
        });
    }
    let entries = scores.into_iter().map(|(member, score)| (score, member));
    let mut entries: Vec<OwnedEntry> = entries.collect();
    // What is logged must not depend on the map's order, which differs from process to process.
    entries.sort_unstable_by(|(score, member), (other_score, other)| {
        (score.total_cmp(other_score)).then_with(|| member.cmp(other))
    });
    entries
}

/// The members of the first source that are in no other.
fn difference(sources: &[Source<'_>]) -> Vec<OwnedEntry> {
    let mut left = Vec::new();
    let Some((first, others)) = sources.split_first() else {
        return left;
    };
    if let Some(members) = first.members {
        members.all(|score, member| {
            if others.iter().all(|source| source.score(member).is_none()) {
                left.push((score, member.to_vec()));
            }
            true
        });
    }
    left
}
