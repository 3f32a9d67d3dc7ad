//! Ids, intervals and options of the commands on streams.
//!
//! Owns their syntax and the order in which errors are found. Does not know any stream. Pure
//! functions, called by any thread.

use super::{is, parse_integer};
use crate::error::{CommandError, streams as errors};
use std::ops::RangeInclusive;
use thermocline_types::StreamId;
use thermocline_types::stream::{Trim, TrimTo};

/// The longest text that is looked at as an id, bytes.
const ID_BYTES: usize = 127;

/// An unsigned 64-bit integer as the reference reads the parts of an id: strict, or what C's
/// `strtoull` takes to the end, spaces and a sign in front included.
fn parse_unsigned(bytes: &[u8]) -> Option<u64> {
    if let Ok(number) = parse_integer(bytes) {
        return u64::try_from(number).ok();
    }
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let blank = bytes.iter().take_while(|byte| is_space(byte)).count();
    let (is_negative, digits) = match bytes.get(blank..)? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // Parsing would take a sign of its own.
    let is_number = digits.first().is_some_and(u8::is_ascii_digit);
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let number = if is_negative {
        number.wrapping_neg()
    } else {
        number
    };
    is_number.then_some(number)
}

/// The id, and whether its sequence was left open by `*`.
fn parse_parts(bytes: &[u8], missing_sequence: u64, may_be_open: bool) -> Option<(StreamId, bool)> {
    if bytes.len() > ID_BYTES {
        return None;
    }
    // The reference reads a C string.
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut parts = bytes.splitn(2, |byte| *byte == b'-');
    let ms = parse_unsigned(parts.next()?)?;
    Some(match parts.next() {
        None => (StreamId::new(ms, missing_sequence), false),
        Some(b"*") if may_be_open => (StreamId::new(ms, 0), true),
        Some(sequence) => (StreamId::new(ms, parse_unsigned(sequence)?), false),
    })
}

/// An id that is neither `-` nor `+`; a missing sequence is 0.
///
/// # Errors
/// That it is none.
pub fn parse_stream_id(bytes: &[u8]) -> Result<StreamId, CommandError> {
    let parts = parse_parts(bytes, 0, false);
    parts.map(|(id, _)| id).ok_or(errors::INVALID_ID.into())
}

/// An id, `-` or `+`.
///
/// # Errors
/// That it is none.
pub fn parse_any_stream_id(bytes: &[u8], missing_sequence: u64) -> Result<StreamId, CommandError> {
    match bytes {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => {
            let parts = parse_parts(bytes, missing_sequence, false);
            parts.map(|(id, _)| id).ok_or(errors::INVALID_ID.into())
        }
    }
}

/// Where an interval begins; `(` in front leaves the id out.
///
/// # Errors
/// That it is no id, or nothing comes after it.
pub fn parse_interval_start(bytes: &[u8]) -> Result<StreamId, CommandError> {
    match bytes {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = parse_stream_id(id)?;
            id.next().ok_or(errors::INVALID_START.into())
        }
        _ => parse_any_stream_id(bytes, 0),
    }
}

/// Where an interval ends; `(` in front leaves the id out.
///
/// # Errors
/// That it is no id, or nothing comes before it.
pub fn parse_interval_end(bytes: &[u8]) -> Result<StreamId, CommandError> {
    match bytes {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = parse_parts(id, u64::MAX, false)
                .ok_or(errors::INVALID_ID)?
                .0;
            id.previous().ok_or(errors::INVALID_END.into())
        }
        _ => parse_any_stream_id(bytes, u64::MAX),
    }
}

/// An interval of ids.
///
/// # Errors
/// As its ends have them, the start first.
pub fn parse_interval(start: &[u8], end: &[u8]) -> Result<RangeInclusive<StreamId>, CommandError> {
    Ok(parse_interval_start(start)?..=parse_interval_end(end)?)
}

/// What becomes of the places where groups have an entry that is deleted (Redis 8.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay.
    #[default]
    Keep,
    /// They go with it.
    Delete,
    /// The entry stays until all groups have acknowledged it.
    Acknowledged,
}

impl References {
    /// The word's meaning, if it is one.
    pub(crate) fn parse(word: &[u8]) -> Option<Self> {
        match word {
            word if is(word, "keepref") => Some(Self::Keep),
            word if is(word, "delref") => Some(Self::Delete),
            word if is(word, "acked") => Some(Self::Acknowledged),
            _ => None,
        }
    }
}

/// Which id XADD gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// The time's next one.
    Auto,
    /// The next one within this millisecond.
    Within(u64),
    /// This one.
    Exactly(StreamId),
}

/// What XADD and XTRIM are told of trimming, and XADD of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddOptions {
    /// How the stream is cut.
    pub trim: Option<Trim>,
    /// What becomes of references to what is cut off.
    pub references: References,
    /// Whether a missing stream stays missing.
    pub no_create: bool,
    /// The id; `Auto` for XTRIM.
    pub id: NewId,
    /// Where in the request the fields begin.
    pub fields_at: usize,
}

/// Parses what follows the key of XADD (`is_add`) or XTRIM. Without LIMIT, `~` takes away at
/// most a hundred nodes of `node_entries`.
///
/// # Errors
/// Those of the reference, in its order.
pub fn parse_add_or_trim(
    request: &[&[u8]],
    is_add: bool,
    node_entries: usize,
) -> Result<AddOptions, CommandError> {
    let mut options = AddOptions {
        trim: None,
        references: References::Keep,
        no_create: false,
        id: NewId::Auto,
        fields_at: request.len(),
    };
    let mut limit = None;
    let mut are_references_given = false;
    let mut at = 2;
    while let Some(word) = request.get(at) {
        let more = request.len() - 1 - at;
        let (is_length, is_id) = (is(word, "maxlen"), is(word, "minid"));
        if is_add && *word == b"*" {
            options.fields_at = at + 1;
            break;
        } else if (is_length || is_id) && more > 0 {
            if options.trim.is_some() {
                return Err(errors::TRIM_CONFLICT.into());
            }
            let mark = request[at + 1];
            let is_approximate = more >= 2 && mark == b"~";
            if is_approximate || (more >= 2 && mark == b"=") {
                at += 1;
            }
            at += 1;
            let to = if is_length {
                let most = parse_integer(request[at])?;
                TrimTo::Length(u64::try_from(most).map_err(|_| errors::NEGATIVE_LENGTH)?)
            } else {
                TrimTo::From(parse_stream_id(request[at])?)
            };
            options.trim = Some(Trim {
                to,
                is_approximate,
                limit: 0,
            });
        } else if is(word, "limit") && more > 0 {
            at += 1;
            let most = parse_integer(request[at])?;
            limit = Some(u64::try_from(most).map_err(|_| errors::NEGATIVE_LIMIT)?);
        } else if is_add && is(word, "nomkstream") {
            options.no_create = true;
        } else if !are_references_given && let Some(references) = References::parse(word) {
            options.references = references;
            are_references_given = true;
        } else if is_add {
            let (id, is_open) = parse_parts(word, 0, true).ok_or(errors::INVALID_ID)?;
            options.id = if is_open {
                NewId::Within(id.ms)
            } else {
                NewId::Exactly(id)
            };
            options.fields_at = at + 1;
            break;
        } else {
            return Err(CommandError::Syntax);
        }
        at += 1;
    }
    match &mut options.trim {
        None if limit.is_some_and(|limit| limit > 0) => Err(errors::LIMIT_WITHOUT_TRIM.into()),
        None if !is_add => Err(errors::TRIM_MISSING.into()),
        None if limit.is_some() => Err(errors::LIMIT_OF_EXACT.into()),
        None => Ok(options),
        Some(trim) if !trim.is_approximate && limit.is_some() => Err(errors::LIMIT_OF_EXACT.into()),
        Some(trim) => {
            let default = match node_entries {
                0 => 10_000,
                entries => (entries as u64).saturating_mul(100).min(1_000_000),
            };
            trim.limit = if trim.is_approximate {
                limit.unwrap_or(default)
            } else {
                0
            };
            Ok(options)
        }
    }
}

/// What XDELEX and XACKDEL are told of references, and the words behind `IDS`, which need not
/// be ids. Both stand in any order; of several `IDS` the last counts.
///
/// # Errors
/// [`CommandError::Syntax`], a count that is none or more than there are words.
pub fn parse_counted_ids<'a>(
    words: &'a [&'a [u8]],
) -> Result<(References, &'a [&'a [u8]]), CommandError> {
    let (mut references, mut found) = (None, None);
    let mut rest = words;
    while let [word, after @ ..] = rest {
        if references.is_none()
            && let Some(given) = References::parse(word)
        {
            references = Some(given);
            rest = after;
        } else if let (true, [count, after @ ..]) = (is(word, "ids"), after) {
            let count = parse_integer(count).ok().filter(|count| *count > 0);
            let count = count.ok_or(errors::IDS_NOT_POSITIVE)?;
            let taken = usize::try_from(count).ok();
            let taken = taken.and_then(|count| after.split_at_checked(count));
            let (ids, after) = taken.ok_or(errors::IDS_MISCOUNTED)?;
            found = Some(ids);
            rest = after;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let ids = found.ok_or(CommandError::Syntax)?;
    Ok((references.unwrap_or_default(), ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_by_valkey() {
        let id = StreamId::new;
        for (text, expected) in [
            ("5", Some(id(5, 0))),
            ("5-3", Some(id(5, 3))),
            ("0-0", Some(id(0, 0))),
            (
                "18446744073709551615-18446744073709551615",
                Some(StreamId::MAX),
            ),
            ("18446744073709551616", None),
            ("-", None),
            ("+", None),
            ("5-", None),
            ("05", Some(id(5, 0))),
            (" 7-+1", Some(id(7, 1))),
            ("11--3", None),
            ("12--03", Some(id(12, u64::MAX - 2))),
            ("5- ", None),
            ("5-*", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(parse_stream_id(text.as_bytes()).ok(), expected, "{text}");
        }
        assert_eq!(
            parse_interval(b"-", b"+"),
            Ok(StreamId::MIN..=StreamId::MAX)
        );
        assert_eq!(
            parse_interval(b"(5-1", b"(7"),
            Ok(id(5, 2)..=id(7, u64::MAX - 1))
        );
        assert!(parse_interval(b"(18446744073709551615-18446744073709551615", b"+").is_err());
        assert!(parse_interval(b"-", b"(0-0").is_err());
    }
}
