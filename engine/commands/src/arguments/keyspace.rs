//! Options of COPY, RESTORE, MEMORY USAGE and the flushes, and database numbers.
//!
//! Owns their rules; it does not own databases or payloads. Invariant: a database number
//! handed out is below the number of databases. Pure, any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{is, parse_integer, parse_small_integer};
use crate::error::CommandError;

/// The options of COPY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// The database of the copy; `None` for the source's.
    pub database: Option<u8>,
    /// Whether a present key is replaced.
    pub replace: bool,
}

/// The options of RESTORE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// Whether a present key is replaced.
    pub replace: bool,
    /// Whether the expire time is Unix milliseconds rather than milliseconds from now.
    pub absolute_ttl: bool,
    /// Seconds since the last use, at least 0.
    pub idle_seconds: Option<i64>,
    /// Frequency of use.
    pub frequency: Option<u8>,
}

/// A database number below `databases`.
///
/// # Errors
/// Those of [`parse_small_integer`], then [`CommandError::DatabaseOutOfRange`].
pub fn parse_database(bytes: &[u8], databases: u32) -> Result<u8, CommandError> {
    database_number(parse_small_integer(bytes)?, databases)
}

/// The two arguments of SWAPDB.
///
/// # Errors
/// A first that is no 32-bit number, a second that is none, then
/// [`CommandError::DatabaseOutOfRange`].
pub fn parse_swapdb(first: &[u8], second: &[u8], databases: u32) -> Result<(u8, u8), CommandError> {
    let first = parse_small_integer(first).map_err(|_| CommandError::InvalidFirstDatabase)?;
    let second = parse_small_integer(second).map_err(|_| CommandError::InvalidSecondDatabase)?;
    Ok((
        database_number(first, databases)?,
        database_number(second, databases)?,
    ))
}

fn database_number(number: i32, databases: u32) -> Result<u8, CommandError> {
    u32::try_from(number)
        .ok()
        .filter(|number| *number < databases)
        .and_then(|number| u8::try_from(number).ok())
        .ok_or(CommandError::DatabaseOutOfRange)
}

/// Whether FLUSHDB and FLUSHALL may be called so: alone, or with ASYNC or SYNC.
///
/// # Errors
/// A syntax error.
pub fn parse_flush<A: AsRef<[u8]>>(options: &[A]) -> Result<(), CommandError> {
    match options {
        [] => Ok(()),
        [option] if is(option.as_ref(), "async") || is(option.as_ref(), "sync") => Ok(()),
        _ => Err(CommandError::Syntax),
    }
}

/// The options of MEMORY USAGE, after the key: a number of samples, which is checked and
/// without effect, since sizes are counted rather than sampled.
///
/// # Errors
/// The first wrong option, in the order they are given.
pub fn parse_memory_usage<A: AsRef<[u8]>>(options: &[A]) -> Result<(), CommandError> {
    let mut rest = options.iter().map(AsRef::as_ref);
    while let Some(option) = rest.next() {
        if !is(option, "samples") {
            return Err(CommandError::Syntax);
        }
        if parse_integer(rest.next().ok_or(CommandError::Syntax)?)? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    Ok(())
}

/// The options of COPY, after both keys.
///
/// # Errors
/// The first wrong option, in the order they are given.
pub fn parse_copy<A: AsRef<[u8]>>(
    options: &[A],
    databases: u32,
) -> Result<CopyOptions, CommandError> {
    let mut parsed = CopyOptions::default();
    let mut rest = options.iter().map(AsRef::as_ref);
    while let Some(option) = rest.next() {
        if is(option, "replace") {
            parsed.replace = true;
        } else if is(option, "db") {
            let number = rest.next().ok_or(CommandError::Syntax)?;
            parsed.database = Some(parse_database(number, databases)?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(parsed)
}

/// The options of RESTORE, after key, expire time and payload.
///
/// # Errors
/// The first wrong option, in the order they are given.
pub fn parse_restore<A: AsRef<[u8]>>(options: &[A]) -> Result<RestoreOptions, CommandError> {
    let mut parsed = RestoreOptions::default();
    let mut rest = options.iter().map(AsRef::as_ref);
    while let Some(option) = rest.next() {
        if is(option, "replace") {
            parsed.replace = true;
        } else if is(option, "absttl") {
            parsed.absolute_ttl = true;
        } else if is(option, "idletime") && parsed.frequency.is_none() {
            let idle = parse_integer(rest.next().ok_or(CommandError::Syntax)?)?;
            if idle < 0 {
                return Err(CommandError::NegativeIdleTime);
            }
            parsed.idle_seconds = Some(idle);
        } else if is(option, "freq") && parsed.idle_seconds.is_none() {
            let frequency = parse_integer(rest.next().ok_or(CommandError::Syntax)?)?;
            let byte = u8::try_from(frequency).map_err(|_| CommandError::InvalidFrequency)?;
            parsed.frequency = Some(byte);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(parsed)
}

/// The expire time of RESTORE in Unix milliseconds; `None` for 0, which means never. A point
/// beyond the 64-bit milliseconds is the last of them. `now_ms` is Unix milliseconds.
///
/// # Errors
/// [`CommandError::NotInteger`] or [`CommandError::NegativeTtl`]. Redis looks for a present
/// key between the options and this.
pub fn parse_restore_ttl(
    bytes: &[u8],
    absolute_ttl: bool,
    now_ms: i64,
) -> Result<Option<i64>, CommandError> {
    match parse_integer(bytes)? {
        0 => Ok(None),
        ttl if ttl < 0 => Err(CommandError::NegativeTtl),
        ttl if absolute_ttl => Ok(Some(ttl)),
        ttl => Ok(Some(ttl.saturating_add(now_ms))),
    }
}
