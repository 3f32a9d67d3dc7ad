//! Commands that look at single members or count: ZCARD, ZSCORE, ZMSCORE, ZRANK,
//! ZREVRANK, ZCOUNT, ZLEXCOUNT, ZRANDMEMBER, ZSCAN.
//!
//! Owns their replies. INVARIANT: nothing here changes a key.

use super::super::draw::{REPEATED_MAX_BYTES, Source};
use super::{reply_entries, used};
use crate::arguments::{Interval, ScanTarget, parse_cursor, parse_integer, parse_scan};
use crate::context::{Context, Failure};
use crate::error::CommandError;
use crate::glob::{Case, matches};
use std::cmp::Ordering;
use thermocline_base::Random;
use thermocline_types::SortedSetRef;
use thermocline_types::number::{double_text, precise_double_text};
use thermocline_types::sorted_set::Entry;

pub(super) fn zrank(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    rank(context, "zrank", |rank, _| rank)
}

pub(super) fn zrevrank(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    rank(context, "zrevrank", |rank, len| len - 1 - rank)
}

/// ZRANK key member [WITHSCORE].
fn rank(
    context: &mut Context<'_, '_, '_>,
    command: &'static str,
    counted: impl Fn(usize, usize) -> usize,
) -> Result<(), Failure> {
    let with_score = match &context.arguments[3..] {
        [] => false,
        [option] if option.eq_ignore_ascii_case(b"withscore") => true,
        [_] => return Err(CommandError::Syntax.into()),
        _ => return Err(CommandError::WrongArity(command).into()),
    };
    let member = context.argument(2);
    let set = used(context.access, context.keys[0])?;
    let found = set.and_then(|set| {
        let (rank, score) = set.rank(member)?;
        Some((counted(rank, set.len()), score))
    });
    match found {
        Some((rank, score)) => {
            if with_score {
                context.reply.array(2);
            }
            context.reply.integer(rank as i64);
            if with_score {
                context.reply.double(score);
            }
        }
        None if with_score => context.reply.null_array(),
        None => context.reply.null(),
    }
    Ok(())
}

pub(super) fn zcount(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let interval = Interval::parse_scores(context.argument(2), context.argument(3))?;
    count(context, interval)
}

pub(super) fn zlexcount(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let interval = Interval::parse_members(context.argument(2), context.argument(3))?;
    count(context, interval)
}

fn count(context: &mut Context<'_, '_, '_>, interval: Interval<'_>) -> Result<(), Failure> {
    let set = used(context.access, context.keys[0])?;
    let members = set.map_or(0, |set| {
        let ranks = interval.ranks(set.len(), |before| set.position(before));
        ranks.len()
    });
    context.reply.integer(members as i64);
    Ok(())
}

/// An entry to draw: the members of a sorted set all differ.
#[derive(Clone, Copy)]
struct Drawn<'a>(Entry<'a>);

impl PartialEq for Drawn<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.1 == other.0.1
    }
}

impl Eq for Drawn<'_> {}

impl PartialOrd for Drawn<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Drawn<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.1.cmp(other.0.1)
    }
}

/// ZRANDMEMBER key [count [WITHSCORES]]. A negative count allows repetition.
pub(super) fn zrandmember(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let wanted = parse_random(&context.arguments[2..])?;
    let set = used(context.access, context.keys[0])?;
    let Some((count, scores)) = wanted else {
        match set.and_then(|set| set.random(context.random)) {
            Some((_, member)) => context.reply.bulk(member),
            None => context.reply.null(),
        }
        return Ok(());
    };
    let drawn = match set {
        None => Vec::new(),
        Some(set) => {
            let source = Source {
                len: set.len(),
                is_large: matches!(set, SortedSetRef::Full(_)),
                one: |random: &mut Random| set.random(random).map(Drawn),
                all: || set.iter().map(Drawn).collect(),
            };
            let drawn = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            if count >= 0 {
                source.unique(drawn, context.random)
            } else {
                let bytes_of = |drawn: &Drawn<'_>| drawn.0.1.len();
                source
                    .repeating(drawn, context.random, bytes_of, REPEATED_MAX_BYTES)
                    .ok_or(CommandError::OutOfRange)?
            }
        }
    };
    let entries = drawn.iter().map(|drawn| drawn.0);
    reply_entries(context.reply, drawn.len(), entries, scores);
    Ok(())
}

/// The count, and whether scores are wanted.
fn parse_random(options: &[&[u8]]) -> Result<Option<(i64, bool)>, CommandError> {
    let Some((count, options)) = options.split_first() else {
        return Ok(None);
    };
    let count = parse_integer(count)?;
    if count == i64::MIN {
        return Err(CommandError::OutOfBounds {
            least: -i64::MAX,
            greatest: i64::MAX,
        });
    }
    match options {
        [] => Ok(Some((count, false))),
        [option] if option.eq_ignore_ascii_case(b"withscores") => {
            // Twice as many elements must still be countable.
            if count.unsigned_abs() > i64::MAX as u64 / 2 {
                return Err(CommandError::OutOfRange);
            }
            Ok(Some((count, true)))
        }
        _ => Err(CommandError::Syntax),
    }
}

/// ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]. Options are read
/// only where there is a sorted set to scan, as in Valkey, and scores are laid out
/// by its form.
pub(super) fn zscan(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let cursor = parse_cursor(context.argument(2))?;
    let Some(set) = used(context.access, context.keys[0])? else {
        context.reply.array(2);
        context.reply.bulk(b"0");
        context.reply.array(0);
        return Ok(());
    };
    let options = parse_scan(&context.arguments[3..], ScanTarget::SortedSet)?;
    let count = usize::try_from(options.count).unwrap_or(usize::MAX);
    let (next, mut entries) = set.scan(cursor, count);
    if let Some(pattern) = options.pattern {
        entries.retain(|entry| matches(pattern, entry.1, Case::Sensitive));
    }
    let text = match set {
        SortedSetRef::Packed(_) => double_text,
        SortedSetRef::Full(_) => precise_double_text,
    };
    context.reply.array(2);
    context.reply.bulk(next.to_string().as_bytes());
    let each = if options.names_only { 1 } else { 2 };
    context.reply.array(entries.len().saturating_mul(each));
    for (score, member) in entries {
        context.reply.bulk(member);
        if !options.names_only {
            context.reply.bulk(text(score).as_bytes());
        }
    }
    Ok(())
}
