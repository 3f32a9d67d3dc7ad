//! Parsers of command options: from raw arguments to a struct or an error.
//!
//! Owns Redis's rules on integers, on conflicting options and on the order in which errors
//! are found. It does not own the data set, so it checks nothing that depends on a key.
//! Invariants: hostile arguments never panic, nothing is allocated from a declared count.
//! Pure functions, called by any thread.

mod blocking;
mod counted;
mod expire;
mod interval;
mod keyspace;
mod lcs;
mod lists;
mod scan;
mod set;
mod sort;

pub use blocking::{parse_timeout_ms, parse_timeout_s};
pub use counted::parse_counted_keys;
pub use expire::{ExpireCondition, ExpireTime, ExpireUnit, parse_expire, parse_expire_conditions};
pub use interval::{Before, Interval, MemberBound, ScoreBound};
pub use keyspace::{CopyOptions, RestoreOptions, parse_copy, parse_database, parse_restore};
pub use keyspace::{parse_flush, parse_memory_usage, parse_restore_ttl, parse_swapdb};
pub use lcs::{LcsOptions, parse_lcs};
pub use lists::{PopOptions, PositionOptions, parse_end, parse_pop, parse_pop_count};
pub use lists::{parse_position, parse_symmetric};
pub use scan::{ScanOptions, ScanTarget, parse_cursor, parse_scan};
pub use set::{Condition, Expiry, GetExOptions, MsetExOptions, SetOptions};
pub use set::{parse_getex, parse_msetex, parse_set};
pub use sort::{SortOptions, SortSource, parse_sort, sort_source};

use crate::error::CommandError;

/// A 64-bit signed integer in Redis's strict form: decimal digits with an optional `-`, no
/// sign on zero, no leading zeros, no spaces.
///
/// # Errors
/// [`CommandError::NotInteger`].
pub fn parse_integer(bytes: &[u8]) -> Result<i64, CommandError> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let strict = match digits {
        [b'0'] => digits.len() == bytes.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let text = std::str::from_utf8(bytes).ok().filter(|_| strict);
    text.and_then(|text| text.parse().ok())
        .ok_or(CommandError::NotInteger)
}

/// A 32-bit signed integer, as database numbers are.
///
/// # Errors
/// [`CommandError::NotInteger`], or [`CommandError::OutOfBounds`] for a wider integer.
pub fn parse_small_integer(bytes: &[u8]) -> Result<i32, CommandError> {
    i32::try_from(parse_integer(bytes)?).map_err(|_| CommandError::OutOfBounds {
        least: i32::MIN.into(),
        greatest: i32::MAX.into(),
    })
}

/// Whether the argument is that keyword, letter case ignored.
fn is(argument: &[u8], keyword: &str) -> bool {
    argument.eq_ignore_ascii_case(keyword.as_bytes())
}

#[cfg(test)]
mod tests;
