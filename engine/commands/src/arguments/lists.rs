//! Options of the commands on lists.
//!
//! Owns their order and the errors; it does not own the lists. Pure, any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{is, parse_integer};
use crate::error::CommandError;
use thermocline_types::list::End;

/// LEFT or RIGHT.
///
/// # Errors
/// [`CommandError::Syntax`].
pub fn parse_end(argument: &[u8]) -> Result<End, CommandError> {
    if is(argument, "left") {
        Ok(End::Head)
    } else if is(argument, "right") {
        Ok(End::Tail)
    } else {
        Err(CommandError::Syntax)
    }
}

/// What LMPOP and BLMPOP pop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PopOptions {
    /// How many keys there are; that many stand in the request.
    pub keys: usize,
    /// At which end.
    pub end: End,
    /// At most how many elements, at least 1.
    pub count: usize,
}

/// The arguments of LMPOP from the number of keys on.
///
/// # Errors
/// [`CommandError::KeyCountNotPositive`], [`CommandError::Syntax`],
/// [`CommandError::CountNotPositive`], whichever is met first.
pub fn parse_pop(arguments: &[&[u8]]) -> Result<PopOptions, CommandError> {
    let (keys, rest) = arguments.split_first().ok_or(CommandError::Syntax)?;
    let keys = positive(keys).ok_or(CommandError::KeyCountNotPositive)?;
    let end = parse_end(rest.get(keys).ok_or(CommandError::Syntax)?)?;
    let options = rest.get(keys.saturating_add(1)..).unwrap_or_default();
    let count = match options {
        [] => 1,
        [name, count, rest @ ..] if is(name, "count") => {
            let count = positive(count).ok_or(CommandError::CountNotPositive)?;
            if !rest.is_empty() {
                return Err(CommandError::Syntax);
            }
            count
        }
        _ => return Err(CommandError::Syntax),
    };
    Ok(PopOptions { keys, end, count })
}

fn positive(argument: &[u8]) -> Option<usize> {
    let number = parse_integer(argument).ok()?;
    usize::try_from(number).ok().filter(|number| *number > 0)
}

/// The count of LPOP and RPOP.
///
/// # Errors
/// [`CommandError::NotPositive`].
pub fn parse_pop_count(argument: &[u8]) -> Result<usize, CommandError> {
    let count = parse_integer(argument).map_err(|_| CommandError::NotPositive)?;
    usize::try_from(count).map_err(|_| CommandError::NotPositive)
}

/// An integer but the least one, whose opposite is none.
///
/// # Errors
/// [`CommandError::NotInteger`], [`CommandError::OutOfBounds`].
pub fn parse_symmetric(argument: &[u8]) -> Result<i64, CommandError> {
    let number = parse_integer(argument)?;
    if number == i64::MIN {
        return Err(CommandError::OutOfBounds {
            least: -i64::MAX,
            greatest: i64::MAX,
        });
    }
    Ok(number)
}

/// What LPOS looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionOptions {
    /// The first match that counts, from the head if positive, from the tail if negative;
    /// never 0.
    pub rank: i64,
    /// At most how many matches, 0 for all; `None`: the first, and the reply is no array.
    pub count: Option<usize>,
    /// At most how many elements are compared; 0 for all.
    pub compared: usize,
}

/// The options of LPOS, after the element.
///
/// # Errors
/// The first wrong option, in the order they are given.
pub fn parse_position(options: &[&[u8]]) -> Result<PositionOptions, CommandError> {
    let mut parsed = PositionOptions {
        rank: 1,
        count: None,
        compared: 0,
    };
    let natural = |argument, error| {
        let number = parse_integer(argument).ok();
        number.and_then(|it| usize::try_from(it).ok()).ok_or(error)
    };
    let (pairs, rest) = options.as_chunks::<2>();
    for [name, argument] in pairs {
        if is(name, "rank") {
            parsed.rank = parse_symmetric(argument)?;
            if parsed.rank == 0 {
                return Err(CommandError::RankZero);
            }
        } else if is(name, "count") {
            parsed.count = Some(natural(argument, CommandError::CountNegative)?);
        } else if is(name, "maxlen") {
            parsed.compared = natural(argument, CommandError::MaxlenNegative)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if rest.is_empty() {
        Ok(parsed)
    } else {
        Err(CommandError::Syntax)
    }
}
