//! Commands that set or remove single members: ZADD, ZINCRBY, ZREM.
//!
//! Owns their options and replies. INVARIANT: an update holds the scores that
//! members have afterwards, so replay adds nothing up.

use super::{Growth, seen};
use crate::context::{Context, Failure};
use crate::error::CommandError;
use hashbrown::HashMap;
use thermocline_types::number::parse_double;
use thermocline_types::sorted_set::Entry;
use thermocline_types::{SortedSetRef, Update};

/// The options of ZADD.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::handlers) struct Options {
    /// Only new members.
    if_absent: bool,
    /// Only members that are there.
    if_present: bool,
    /// Only to a greater score, if the member is there.
    if_greater: bool,
    /// Only to a lesser score, if the member is there.
    if_less: bool,
    /// Changed members count too.
    count_changed: bool,
    /// The score is added.
    increment: bool,
}

impl Options {
    /// Whether the word is one; the first that is none is a score.
    fn take(&mut self, word: &[u8]) -> bool {
        let places = [
            (&b"nx"[..], &mut self.if_absent),
            (b"xx", &mut self.if_present),
            (b"gt", &mut self.if_greater),
            (b"lt", &mut self.if_less),
            (b"ch", &mut self.count_changed),
            (b"incr", &mut self.increment),
        ];
        for (name, place) in places {
            if word.eq_ignore_ascii_case(name) {
                *place = true;
                return true;
            }
        }
        false
    }

    /// As [`Options::take`], but only of those that GEOADD has too.
    pub(in crate::handlers) fn take_for_positions(&mut self, word: &[u8]) -> bool {
        let names: [&[u8]; 3] = [b"nx", b"xx", b"ch"];
        names.iter().any(|name| word.eq_ignore_ascii_case(name)) && self.take(word)
    }

    /// Whether only new members are meant, and only those that are there.
    pub(in crate::handlers) const fn is_contradictory(self) -> bool {
        self.if_absent && self.if_present
    }

    fn check(self, pairs: usize) -> Result<(), CommandError> {
        if self.is_contradictory() {
            return Err(CommandError::AddNxConflict);
        }
        let conditions = [self.if_absent, self.if_greater, self.if_less];
        if conditions.into_iter().filter(|is_set| *is_set).count() > 1 {
            return Err(CommandError::AddGtLtConflict);
        }
        if self.increment && pairs > 1 {
            return Err(CommandError::IncrementOnePair);
        }
        Ok(())
    }

    /// The score that a member gets, given the one it has; `None` if it is left
    /// as it is.
    fn score(self, current: Option<f64>, given: f64) -> Result<Option<f64>, CommandError> {
        let Some(current) = current else {
            return Ok((!self.if_present).then_some(given));
        };
        if self.if_absent {
            return Ok(None);
        }
        let score = if self.increment {
            current + given
        } else {
            given
        };
        if score.is_nan() {
            return Err(CommandError::ScoreNotNumber);
        }
        let is_refused =
            (self.if_less && score >= current) || (self.if_greater && score <= current);
        Ok((!is_refused).then_some(score))
    }
}

pub(super) fn zadd(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    add(context, Options::default())
}

pub(super) fn zincrby(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let options = Options {
        increment: true,
        ..Options::default()
    };
    add(context, options)
}

fn add(context: &mut Context<'_, '_, '_>, mut options: Options) -> Result<(), Failure> {
    let mut words = &context.arguments[2..];
    while let Some((word, rest)) = words.split_first() {
        if !options.take(word) {
            break;
        }
        words = rest;
    }
    let (pairs, rest) = words.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(CommandError::Syntax.into());
    }
    options.check(pairs.len())?;
    let given: Result<Vec<Entry<'_>>, CommandError> = pairs
        .iter()
        .map(|[score, member]| {
            let score = parse_double(score).ok_or(CommandError::NotFloat)?;
            Ok((score, *member))
        })
        .collect();
    add_entries(context, options, &given?)
}

/// Does what ZADD does with these entries, and replies it.
pub(in crate::handlers) fn add_entries(
    context: &mut Context<'_, '_, '_>,
    options: Options,
    given: &[Entry<'_>],
) -> Result<(), Failure> {
    if given.is_empty() {
        return Err(CommandError::Syntax.into());
    }
    let set = seen(context.access, context.keys[0])?;
    let longest_bytes = given.iter().map(|entry| entry.1.len()).max();
    let is_full = given.len() > context.settings.zset_max_listpack_entries()
        || longest_bytes > Some(context.settings.zset_max_listpack_value());
    let growth = Growth::of(set, is_full, context.settings);
    let changes = Changes::of(set, given, options, growth)?;
    // The form follows from what was given, even if nothing of it is taken.
    let is_raised = is_full && matches!(set, Some(SortedSetRef::Packed(_)));
    let entries = changes.entries;
    if !entries.is_empty() {
        context.update(0, &Update::SortedSetSet { is_full, entries })?;
    } else if is_raised {
        context.update_unseen(0, &Update::SortedSetSet { is_full, entries })?;
    }
    match changes.last {
        Some(score) if options.increment => context.reply.double(score),
        None if options.increment => context.reply.null(),
        _ if options.count_changed => {
            let count = changes.added + changes.changed;
            context.reply.integer(count as i64);
        }
        _ => context.reply.integer(changes.added as i64),
    }
    Ok(())
}

/// What a ZADD does.
struct Changes<'k> {
    entries: Vec<Entry<'k>>,
    added: usize,
    changed: usize,
    /// The score that the last member got, or had already.
    last: Option<f64>,
}

impl<'k> Changes<'k> {
    fn of(
        set: Option<SortedSetRef<'_>>,
        given: &[Entry<'k>],
        options: Options,
        mut growth: Growth,
    ) -> Result<Self, CommandError> {
        let mut changes = Self {
            entries: Vec::new(),
            added: 0,
            changed: 0,
            last: None,
        };
        // A member may be given again: its score is then the one it just got.
        let mut pending: HashMap<&[u8], f64> = HashMap::new();
        for (score, member) in given {
            let stored = || set.and_then(|set| set.score(member));
            let current = pending.get(member).copied().or_else(stored);
            let Some(score) = options.score(current, *score)? else {
                changes.last = None;
                continue;
            };
            changes.last = Some(score);
            if current.is_none() {
                changes.added += 1;
            } else if current != Some(score) {
                changes.changed += 1;
            } else {
                continue;
            }
            let score = growth.kept_score((score, member), current.is_none());
            changes.entries.push((score, *member));
            if given.len() > 1 {
                pending.insert(*member, score);
            }
        }
        Ok(changes)
    }
}

pub(super) fn zrem(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let mut members = context.arguments[2..].to_vec();
    let set = seen(context.access, context.keys[0])?;
    members.retain(|member| set.is_some_and(|set| set.score(member).is_some()));
    members.sort_unstable();
    members.dedup();
    let removed = members.len();
    if removed > 0 {
        context.update(0, &Update::SortedSetRemove { members })?;
    }
    context.reply.integer(removed as i64);
    Ok(())
}
