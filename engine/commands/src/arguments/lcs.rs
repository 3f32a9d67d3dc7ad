//! Options of LCS.
//!
//! Owns which of them exclude each other; it does not own the strings. Pure, any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{is, parse_integer};
use crate::error::CommandError;

/// The options of LCS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LcsOptions {
    /// Only the length is returned (LEN).
    pub length: bool,
    /// The places are returned (IDX).
    pub indexes: bool,
    /// Places of fewer bytes are left out (MINMATCHLEN).
    pub match_min_bytes: u64,
    /// The length of each place is returned too (WITHMATCHLEN).
    pub match_lengths: bool,
}

/// The options of LCS, after both keys. A negative least length counts as 0.
///
/// # Errors
/// The first wrong option, in the order they are given, then
/// [`CommandError::LcsLengthAndIndexes`].
pub fn parse_lcs<A: AsRef<[u8]>>(options: &[A]) -> Result<LcsOptions, CommandError> {
    let mut parsed = LcsOptions::default();
    let mut rest = options.iter().map(AsRef::as_ref);
    while let Some(option) = rest.next() {
        if is(option, "idx") {
            parsed.indexes = true;
        } else if is(option, "len") {
            parsed.length = true;
        } else if is(option, "withmatchlen") {
            parsed.match_lengths = true;
        } else if is(option, "minmatchlen") {
            let least = parse_integer(rest.next().ok_or(CommandError::Syntax)?)?;
            parsed.match_min_bytes = u64::try_from(least).unwrap_or(0);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if parsed.length && parsed.indexes {
        return Err(CommandError::LcsLengthAndIndexes);
    }
    Ok(parsed)
}
