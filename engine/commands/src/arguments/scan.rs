//! Cursor and options of SCAN, HSCAN, SSCAN and ZSCAN.
//!
//! Owns their rules; it does not own the meaning of a cursor. Invariant: a count handed out
//! is at least 1 and only a hint. Pure, any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{is, parse_integer};
use crate::error::CommandError;

/// What is scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanTarget {
    /// The keys of a database: TYPE is allowed.
    Keys,
    /// The fields of a hash: NOVALUES is allowed.
    Hash,
    /// The members of a set.
    Set,
    /// The members of a sorted set: NOSCORES is allowed.
    SortedSet,
}

/// The options of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanOptions<'a> {
    /// The glob pattern; `None` for all, which a given `*` is too.
    pub pattern: Option<&'a [u8]>,
    /// About how many elements to return, at least 1.
    pub count: u64,
    /// The name of the only type to return, in lower case.
    pub type_name: Option<&'static str>,
    /// Names alone, without values or scores.
    pub names_only: bool,
}

/// Elements returned without a COUNT.
const DEFAULT_COUNT: u64 = 10;

const TYPE_NAMES: &[&str] = &["string", "list", "set", "zset", "hash", "stream"];

/// A cursor: an unsigned 64-bit decimal number; leading spaces, a `+` and leading zeros are
/// allowed.
///
/// # Errors
/// [`CommandError::InvalidCursor`].
pub fn parse_cursor(bytes: &[u8]) -> Result<u64, CommandError> {
    let text = std::str::from_utf8(bytes.trim_ascii_start()).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or(CommandError::InvalidCursor)
}

/// The options after the cursor.
///
/// # Errors
/// The first wrong option, in the order they are given.
pub fn parse_scan<A: AsRef<[u8]>>(
    options: &[A],
    target: ScanTarget,
) -> Result<ScanOptions<'_>, CommandError> {
    let mut parsed = ScanOptions {
        pattern: None,
        count: DEFAULT_COUNT,
        type_name: None,
        names_only: false,
    };
    let mut rest = options.iter().map(AsRef::as_ref);
    while let Some(option) = rest.next() {
        if is(option, "count") {
            let count = parse_integer(rest.next().ok_or(CommandError::Syntax)?)?;
            let count = u64::try_from(count).ok().filter(|count| *count > 0);
            parsed.count = count.ok_or(CommandError::Syntax)?;
        } else if is(option, "match") {
            let pattern = rest.next().ok_or(CommandError::Syntax)?;
            parsed.pattern = (pattern != b"*").then_some(pattern);
        } else if is(option, "type") && target == ScanTarget::Keys {
            let name = rest.next().ok_or(CommandError::Syntax)?;
            let known = TYPE_NAMES.iter().find(|known| is(name, known));
            parsed.type_name = Some(known.ok_or_else(|| CommandError::unknown_type(name))?);
        } else if is(option, "novalues") {
            if target != ScanTarget::Hash {
                return Err(CommandError::NoValuesOutsideHash);
            }
            parsed.names_only = true;
        } else if is(option, "noscores") {
            if target != ScanTarget::SortedSet {
                return Err(CommandError::NoScoresOutsideSortedSet);
            }
            parsed.names_only = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(parsed)
}
