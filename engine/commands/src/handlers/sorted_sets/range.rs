//! Commands on a part of a sorted set: ZRANGE and the older forms of it,
//! ZRANGESTORE, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.
//!
//! Owns their options and replies. A part is a range of ranks, whatever it is
//! asked for by, so all cost the same to find. INVARIANT: what is stored is whole
//! in memory before its key changes, for the key may be the source.

use super::{OwnedEntry, owned, reply_entries, seen, store, take_out, used};
use crate::arguments::{Interval, parse_integer};
use crate::context::{Context, Failure};
use crate::error::CommandError;
use std::ops::Range;
use thermocline_types::SortedSetRef;
use thermocline_types::sorted_set::Entry;

/// What an interval is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What the command's name says already.
#[derive(Clone, Copy)]
struct Preset {
    by: Option<By>,
    is_reversed: Option<bool>,
    /// Whether the result is stored: no scores are replied then.
    is_stored: bool,
}

/// What is asked for.
struct Asked<'a> {
    interval: Interval<'a>,
    is_reversed: bool,
    scores: bool,
    offset: i64,
    /// At most so many; a negative number is no limit.
    limit: i64,
}

pub(super) fn zrange(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply(context, None, None)
}

pub(super) fn zrevrange(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply(context, Some(By::Rank), Some(true))
}

pub(super) fn zrangebyscore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply(context, Some(By::Score), Some(false))
}

pub(super) fn zrevrangebyscore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply(context, Some(By::Score), Some(true))
}

pub(super) fn zrangebylex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply(context, Some(By::Member), Some(false))
}

pub(super) fn zrevrangebylex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    reply(context, Some(By::Member), Some(true))
}

fn reply(
    context: &mut Context<'_, '_, '_>,
    by: Option<By>,
    is_reversed: Option<bool>,
) -> Result<(), Failure> {
    let preset = Preset {
        by,
        is_reversed,
        is_stored: false,
    };
    let asked = parse(&context.arguments[2..], preset)?;
    let Some(set) = used(context.access, context.keys[0])? else {
        context.reply.array(0);
        return Ok(());
    };
    let ranks = asked.ranks(set);
    let count = ranks.len();
    if asked.is_reversed {
        reply_entries(context.reply, count, set.range_back(ranks), asked.scores);
    } else {
        reply_entries(context.reply, count, set.range(ranks), asked.scores);
    }
    Ok(())
}

pub(super) fn zrangestore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let preset = Preset {
        by: None,
        is_reversed: None,
        is_stored: true,
    };
    let asked = parse(&context.arguments[3..], preset)?;
    let set = used(context.access, context.keys[1])?;
    let entries: Vec<OwnedEntry> = match set {
        None => Vec::new(),
        // The order in which they are stored shows in what becomes of -0.
        Some(set) if asked.is_reversed => set.range_back(asked.ranks(set)).map(owned).collect(),
        Some(set) => set.range(asked.ranks(set)).map(owned).collect(),
    };
    // Only of ranks is it known before how many there are.
    let is_full = matches!(asked.interval, Interval::Ranks(..))
        && entries.len() > context.settings.zset_max_listpack_entries();
    store(context, 0, is_full, &entries)
}

/// The two ends of the interval, then the options.
fn parse<'a>(arguments: &[&'a [u8]], preset: Preset) -> Result<Asked<'a>, CommandError> {
    let [first, last, options @ ..] = arguments else {
        return Err(CommandError::Syntax);
    };
    let (mut by, mut is_reversed) = (preset.by, preset.is_reversed);
    let (mut scores, mut offset, mut limit) = (false, 0, -1);
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
        if is(b"withscores") && !preset.is_stored {
            scores = true;
        } else if is(b"limit") && rest.len() >= 2 {
            let mut next = || parse_integer(rest.next().copied().unwrap_or_default());
            (offset, limit) = (next()?, next()?);
        } else if is(b"rev") && is_reversed.is_none() {
            is_reversed = Some(true);
        } else if is(b"bylex") && by.is_none() {
            by = Some(By::Member);
        } else if is(b"byscore") && by.is_none() {
            by = Some(By::Score);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let (by, is_reversed) = (by.unwrap_or(By::Rank), is_reversed.unwrap_or(false));
    if limit != -1 && by == By::Rank {
        return Err(CommandError::LimitByRank);
    }
    if scores && by == By::Member {
        return Err(CommandError::ScoresByMember);
    }
    let (least, greatest) = if is_reversed {
        (last, first)
    } else {
        (first, last)
    };
    let interval = match by {
        By::Rank => Interval::parse_ranks(first, last)?,
        By::Score => Interval::parse_scores(least, greatest)?,
        By::Member => Interval::parse_members(least, greatest)?,
    };
    if by == By::Rank {
        offset = 0;
    }
    Ok(Asked {
        interval,
        is_reversed,
        scores,
        offset,
        limit,
    })
}

impl Asked<'_> {
    /// The ranks of what is asked for, ascending.
    fn ranks(&self, set: SortedSetRef<'_>) -> Range<usize> {
        let ranks = ranks_of(&self.interval, set);
        let is_rank = matches!(self.interval, Interval::Ranks(..));
        if is_rank && self.is_reversed {
            return set.len() - ranks.end..set.len() - ranks.start;
        }
        let Some(offset) = self.offset_in(ranks.len(), set) else {
            return 0..0;
        };
        let count = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let count = count.min(ranks.len() - offset);
        if self.is_reversed {
            ranks.end - offset - count..ranks.end - offset
        } else {
            ranks.start + offset..ranks.start + offset + count
        }
    }

    /// How many are passed over, if that leaves any. A negative offset counts from
    /// the end in a large sorted set and passes over all in a small one: a quirk of
    /// Valkey that clients may see.
    fn offset_in(&self, len: usize, set: SortedSetRef<'_>) -> Option<usize> {
        let offset = match usize::try_from(self.offset) {
            Ok(offset) => offset,
            Err(_) => {
                let from_end = usize::try_from(self.offset.unsigned_abs()).ok()?;
                let is_large = matches!(set, SortedSetRef::Full(_));
                len.checked_sub(from_end).filter(|_| is_large)?
            }
        };
        (offset < len).then_some(offset)
    }
}

fn ranks_of(interval: &Interval<'_>, set: SortedSetRef<'_>) -> Range<usize> {
    interval.ranks(set.len(), |before| {
        set.position(|entry: Entry<'_>| before(entry))
    })
}

pub(super) fn zremrangebyrank(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let interval = Interval::parse_ranks(context.argument(2), context.argument(3))?;
    remove(context, interval)
}

pub(super) fn zremrangebyscore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let interval = Interval::parse_scores(context.argument(2), context.argument(3))?;
    remove(context, interval)
}

pub(super) fn zremrangebylex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let interval = Interval::parse_members(context.argument(2), context.argument(3))?;
    remove(context, interval)
}

fn remove(context: &mut Context<'_, '_, '_>, interval: Interval<'_>) -> Result<(), Failure> {
    let mut held = 0;
    let mut gone: Vec<OwnedEntry> = Vec::new();
    if let Some(set) = seen(context.access, context.keys[0])? {
        held = set.len();
        gone.extend(set.range(ranks_of(&interval, set)).map(owned));
    }
    if !gone.is_empty() {
        take_out(context, 0, &gone, held)?;
    }
    context.reply.integer(gone.len() as i64);
    Ok(())
}
