//! Intervals of a sorted set: of scores, of members, of ranks.
//!
//! Owns how their bounds are written. Does not own the sorted set: an interval says
//! of an entry whether it is before the interval or past it. Pure, any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::parse_integer;
use crate::error::CommandError;
use std::ops::Range;

/// Whether an entry, a score and a member, comes before some place in the order.
pub type Before<'b> = &'b dyn Fn((f64, &[u8])) -> bool;

/// The end of an interval of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBound {
    /// The score.
    pub score: f64,
    /// Whether the score itself is outside.
    pub is_excluded: bool,
}

/// The end of an interval of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberBound<'a> {
    /// `-`: before all.
    Lowest,
    /// `+`: after all.
    Highest,
    /// `[member`: the member is inside.
    Included(&'a [u8]),
    /// `(member`: it is outside.
    Excluded(&'a [u8]),
}

/// Which entries are meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interval<'a> {
    /// From rank to rank, both inside; negative ones count from the end.
    Ranks(i64, i64),
    /// From score to score.
    Scores(ScoreBound, ScoreBound),
    /// From member to member, where all have one score.
    Members(MemberBound<'a>, MemberBound<'a>),
}

impl<'a> Interval<'a> {
    /// Two ranks.
    ///
    /// # Errors
    /// [`CommandError::NotInteger`].
    pub fn parse_ranks(first: &[u8], last: &[u8]) -> Result<Self, CommandError> {
        Ok(Self::Ranks(parse_integer(first)?, parse_integer(last)?))
    }

    /// Two scores, those outside behind a `(`.
    ///
    /// # Errors
    /// [`CommandError::ScoreBoundNotFloat`].
    pub fn parse_scores(least: &[u8], greatest: &[u8]) -> Result<Self, CommandError> {
        Ok(Self::Scores(score_bound(least)?, score_bound(greatest)?))
    }

    /// Two members behind `[` or `(`, or `-` or `+`.
    ///
    /// # Errors
    /// [`CommandError::InvalidMemberBound`].
    pub fn parse_members(least: &'a [u8], greatest: &'a [u8]) -> Result<Self, CommandError> {
        Ok(Self::Members(member_bound(least)?, member_bound(greatest)?))
    }

    /// The ranks of the interval in a sorted set of `len` entries; `position` tells
    /// how many of them, all at the start, are so.
    pub fn ranks(&self, len: usize, position: impl Fn(Before<'_>) -> usize) -> Range<usize> {
        match *self {
            Self::Ranks(first, last) => rank_range(first, last, len),
            Self::Scores(least, greatest) => {
                // Bounds that every score meets need no look.
                let start = if least.is(f64::NEG_INFINITY) {
                    0
                } else {
                    position(&|(score, _)| least.is_after(score))
                };
                let end = if greatest.is(f64::INFINITY) {
                    len
                } else {
                    position(&|(score, _)| !greatest.is_before(score))
                };
                start..end.max(start)
            }
            Self::Members(least, greatest) => {
                let start = position(&|(_, member)| least.is_after(member));
                let end = position(&|(_, member)| !greatest.is_before(member));
                start..end.max(start)
            }
        }
    }
}

fn rank_range(first: i64, last: i64, len: usize) -> Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |rank: i64| {
        if rank < 0 {
            rank.saturating_add(len)
        } else {
            rank
        }
    };
    let first = from_end(first).max(0);
    let end = from_end(last).saturating_add(1).min(len);
    if first >= end {
        return 0..0;
    }
    let place = |rank: i64| usize::try_from(rank).unwrap_or_default();
    place(first)..place(end)
}

impl ScoreBound {
    /// Whether it is this score, which is inside.
    fn is(&self, score: f64) -> bool {
        self.score == score && !self.is_excluded
    }

    /// As the lower end: whether the score is below.
    fn is_after(&self, score: f64) -> bool {
        score < self.score || (self.is_excluded && score == self.score)
    }

    /// As the upper end: whether the score is above.
    fn is_before(&self, score: f64) -> bool {
        score > self.score || (self.is_excluded && score == self.score)
    }
}

impl MemberBound<'_> {
    /// As the lower end: whether the member is below.
    fn is_after(&self, member: &[u8]) -> bool {
        match *self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::Included(bound) => member < bound,
            Self::Excluded(bound) => member <= bound,
        }
    }

    /// As the upper end: whether the member is above.
    fn is_before(&self, member: &[u8]) -> bool {
        match *self {
            Self::Lowest => true,
            Self::Highest => false,
            Self::Included(bound) => member > bound,
            Self::Excluded(bound) => member >= bound,
        }
    }
}

/// What C reads of the bytes: nothing after a NUL.
fn as_c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// As Valkey's: no text is 0, and what is too large or too small is infinite or 0.
fn score_bound(bytes: &[u8]) -> Result<ScoreBound, CommandError> {
    let text = as_c_string(bytes);
    let (text, is_excluded) = match text.split_first() {
        Some((b'(', rest)) => (rest, true),
        _ => (text, false),
    };
    let score = if text.is_empty() {
        Some(0.0)
    } else {
        let text = std::str::from_utf8(text).ok();
        text.and_then(|text| text.parse::<f64>().ok())
    };
    let score = score.filter(|score| !score.is_nan());
    Ok(ScoreBound {
        score: score.ok_or(CommandError::ScoreBoundNotFloat)?,
        is_excluded,
    })
}

fn member_bound(bytes: &[u8]) -> Result<MemberBound<'_>, CommandError> {
    match bytes {
        [b'-'] | [b'-', 0, ..] => Ok(MemberBound::Lowest),
        [b'+'] | [b'+', 0, ..] => Ok(MemberBound::Highest),
        [b'[', member @ ..] => Ok(MemberBound::Included(member)),
        [b'(', member @ ..] => Ok(MemberBound::Excluded(member)),
        _ => Err(CommandError::InvalidMemberBound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn score_bounds_are_read_as_valkey_reads_them() {
        for (text, expected) in [
            ("5", Some((5.0, false))),
            ("(5", Some((5.0, true))),
            ("", Some((0.0, false))),
            ("(", Some((0.0, true))),
            ("1e400", Some((f64::INFINITY, false))),
            ("1e-400", Some((0.0, false))),
            ("(-inf", Some((f64::NEG_INFINITY, true))),
            ("infinity", Some((f64::INFINITY, false))),
            ("1\0", Some((1.0, false))),
            (" 1", None),
            ("1 ", None),
            ("nan", None),
            ("0x1", None),
            ("((1", None),
        ] {
            let found = score_bound(text.as_bytes());
            let expected = expected
                .map(|(score, is_excluded)| ScoreBound { score, is_excluded })
                .ok_or(CommandError::ScoreBoundNotFloat);
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn ranks_count_from_either_end() {
        for (first, last, expected) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-2, -1, 3..5),
            (-100, 100, 0..5),
            (3, 2, 0..0),
            (5, 9, 0..0),
            (0, -6, 0..0),
            (i64::MIN, i64::MAX, 0..5),
        ] {
            assert_eq!(rank_range(first, last, 5), expected, "{first} {last}");
        }
    }

    #[test]
    fn intervals_are_places_in_the_order() {
        let entries: [(f64, &[u8]); 4] = [(0.0, b""), (1.0, b"a"), (1.0, b"b"), (2.0, b"c")];
        let ranks = |interval: Result<Interval<'_>, CommandError>| {
            let position =
                |before: Before<'_>| entries.iter().take_while(|entry| before(**entry)).count();
            interval.expect("is one").ranks(4, position)
        };
        for (least, greatest, expected) in [
            ("1", "1", 1..3),
            ("(1", "2", 3..4),
            ("0", "(1", 0..1),
            ("(1", "(1", 3..3),
            ("5", "1", 4..4),
            ("-inf", "+inf", 0..4),
            ("(-inf", "(+inf", 0..4),
            ("1", "inf", 1..4),
        ] {
            let interval = Interval::parse_scores(least.as_bytes(), greatest.as_bytes());
            assert_eq!(ranks(interval), expected, "{least} {greatest}");
        }
        for (least, greatest, expected) in [
            ("-", "+", 0..4),
            ("+", "-", 4..4),
            ("-", "-", 0..0),
            ("[a", "(b", 1..2),
            ("(a", "[b", 2..3),
            ("[", "[a", 0..2),
        ] {
            let interval = Interval::parse_members(least.as_bytes(), greatest.as_bytes());
            assert_eq!(ranks(interval), expected, "{least} {greatest}");
        }
        assert!(Interval::parse_members(b"a", b"+").is_err());
        assert!(Interval::parse_members(b"-a", b"").is_err());
    }
}
