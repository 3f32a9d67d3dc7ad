//! How long a command may wait for its keys.
//!
//! Owns the rules of timeouts. Pure functions, called by any thread.

use super::parse_integer;
use crate::error::CommandError;
use thermocline_base::UnixMillis;
use thermocline_types::number::LongDouble;

/// A timeout in seconds, a fraction allowed, as BLPOP and its kin take it: in ms, rounded
/// up; `None` for ever, which is 0 to the client.
///
/// # Errors
/// [`CommandError::TimeoutNotFloat`], [`CommandError::TimeoutOutOfRange`],
/// [`CommandError::TimeoutNegative`].
pub fn parse_timeout_s(bytes: &[u8], now: UnixMillis) -> Result<Option<u64>, CommandError> {
    let seconds = LongDouble::parse(bytes).ok_or(CommandError::TimeoutNotFloat)?;
    let text = seconds.to_string();
    let seconds: f64 = text.parse().map_err(|_| CommandError::TimeoutNotFloat)?;
    let timeout_ms = (seconds * 1000.0).ceil();
    // 2^63 as a float: the first that is out of range.
    if timeout_ms >= i64::MAX as f64 {
        return Err(CommandError::TimeoutOutOfRange);
    }
    bounded(timeout_ms as i64, now)
}

/// A timeout in whole ms, as XREAD and XREADGROUP take it; `None` for ever.
///
/// # Errors
/// [`CommandError::TimeoutNotInteger`], [`CommandError::TimeoutOutOfRange`],
/// [`CommandError::TimeoutNegative`].
pub fn parse_timeout_ms(bytes: &[u8], now: UnixMillis) -> Result<Option<u64>, CommandError> {
    let timeout_ms = parse_integer(bytes).map_err(|_| CommandError::TimeoutNotInteger)?;
    bounded(timeout_ms, now)
}

fn bounded(timeout_ms: i64, now: UnixMillis) -> Result<Option<u64>, CommandError> {
    if timeout_ms > i64::MAX.saturating_sub(now.0) {
        return Err(CommandError::TimeoutOutOfRange);
    }
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| CommandError::TimeoutNegative)?;
    Ok((timeout_ms > 0).then_some(timeout_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

    #[test]
    fn seconds_become_milliseconds_rounded_up() {
        for (text, expected) in [
            ("0", Ok(None)),
            ("-0", Ok(None)),
            ("0.0001", Ok(Some(1))),
            ("0.01", Ok(Some(10))),
            ("1.5", Ok(Some(1500))),
            ("0x1", Ok(Some(1000))),
            ("1e3", Ok(Some(1_000_000))),
            ("-0.0001", Ok(None)),
            ("-1", Err(CommandError::TimeoutNegative)),
            ("-inf", Err(CommandError::TimeoutNegative)),
            ("", Err(CommandError::TimeoutNotFloat)),
            ("nan", Err(CommandError::TimeoutNotFloat)),
            (" 1", Err(CommandError::TimeoutNotFloat)),
            ("inf", Err(CommandError::TimeoutOutOfRange)),
            ("1e30", Err(CommandError::TimeoutOutOfRange)),
            ("1e400", Err(CommandError::TimeoutOutOfRange)),
            ("9223372036854775", Err(CommandError::TimeoutOutOfRange)),
        ] {
            assert_eq!(parse_timeout_s(text.as_bytes(), NOW), expected, "{text}");
        }
    }

    #[test]
    fn whole_milliseconds_are_integers() {
        for (text, expected) in [
            ("0", Ok(None)),
            ("7", Ok(Some(7))),
            ("-1", Err(CommandError::TimeoutNegative)),
            ("1.5", Err(CommandError::TimeoutNotInteger)),
            ("9223372036854775807", Err(CommandError::TimeoutOutOfRange)),
        ] {
            assert_eq!(parse_timeout_ms(text.as_bytes(), NOW), expected, "{text}");
        }
    }
}
