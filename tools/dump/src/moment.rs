//! Moments as an operator writes and reads them.
//!
//! Owns their text: RFC 3339, in UTC, or a number of Unix seconds. Pure.

use std::time::{Duration, UNIX_EPOCH};
use thermocline_base::UnixMillis;

/// Reads "2026-11-30T03:12:00Z", the same with a space or without the Z, or Unix seconds.
pub(crate) fn parse(text: &str) -> Result<UnixMillis, String> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(UnixMillis(seconds.saturating_mul(1000)));
    }
    let unreadable =
        || "a time is written as 2026-11-30T03:12:00Z, which is UTC, or as Unix seconds".to_owned();
    let time = humantime::parse_rfc3339_weak(text).map_err(|_| unreadable())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| unreadable())?;
    i64::try_from(since.as_millis())
        .map(UnixMillis)
        .map_err(|_| unreadable())
}

/// Writes it as [`parse`] reads it.
pub(crate) fn shown(at: UnixMillis) -> String {
    // What the library can write ends with the year 9999.
    const LAST_MS: u64 = 253_402_300_799_999;
    match u64::try_from(at.0).ok().filter(|at_ms| *at_ms <= LAST_MS) {
        Some(at_ms) => {
            let time = UNIX_EPOCH + Duration::from_millis(at_ms);
            humantime::format_rfc3339_millis(time).to_string()
        }
        None => format!("Unix millisecond {}", at.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_seconds() {
        let expected = Ok(UnixMillis(1_796_008_320_000));
        for text in ["2026-11-30T03:12:00Z", "2026-11-30 03:12:00", "1796008320"] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("1970-01-01T00:00:00.250Z"), Ok(UnixMillis(250)));
        for text in ["", "yesterday", "03:12", "2026-11-30T03:12:00+02:00", "1.5"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(
            shown(UnixMillis(1_796_008_320_007)),
            "2026-11-30T03:12:00.007Z"
        );
        assert_eq!(shown(UnixMillis(-1)), "Unix millisecond -1");
        assert_eq!(
            shown(UnixMillis(i64::MAX)),
            format!("Unix millisecond {}", i64::MAX)
        );
    }
}
