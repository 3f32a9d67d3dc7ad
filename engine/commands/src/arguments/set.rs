//! Options of SET, GETEX and MSETEX.
//!
//! Owns which of them exclude each other; it does not own the commands' effects. Invariant:
//! an expire time handed out is positive Unix milliseconds. Pure, any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{ExpireTime, ExpireUnit, is, parse_integer};
use crate::error::CommandError;

/// What has to hold before the value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// The key is absent (NX); for MSETEX all keys are.
    Absent,
    /// The key is present (XX); for MSETEX all keys are.
    Present,
    /// The key holds that string (IFEQ).
    Equals(&'a [u8]),
}

/// What becomes of the expire time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// No option given: SET and MSETEX remove it, GETEX leaves it.
    #[default]
    Unspecified,
    /// Stays as it is (KEEPTTL).
    Keep,
    /// Is removed (PERSIST).
    Remove,
    /// Becomes that point in Unix milliseconds, possibly past (EXAT, PXAT).
    At(i64),
}

/// The options of SET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetOptions<'a> {
    /// What has to hold.
    pub condition: Option<Condition<'a>>,
    /// Whether the old value is returned.
    pub get: bool,
    /// The expire time.
    pub expiry: Expiry,
}

/// The options of GETEX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetExOptions {
    /// The expire time.
    pub expiry: Expiry,
}

/// The arguments of MSETEX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsetExOptions<'a, A> {
    /// Keys and values in turn; an even number, at least 2.
    pub pairs: &'a [A],
    /// What has to hold for all keys; never [`Condition::Equals`].
    pub condition: Option<Condition<'a>>,
    /// The expire time of all keys.
    pub expiry: Expiry,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Set,
    GetEx,
    MsetEx,
}

/// The expire option while parsing: its number is read only when all options stand.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Unspecified,
    Keep,
    Remove,
    Time(ExpireUnit, &'a [u8]),
}

fn parse<'a, A: AsRef<[u8]>>(
    options: &'a [A],
    form: Form,
    now_ms: i64,
    command: &'static str,
) -> Result<SetOptions<'a>, CommandError> {
    let mut parsed = SetOptions::default();
    let mut wanted = Wanted::Unspecified;
    let mut rest = options.iter().map(AsRef::as_ref);
    while let Some(option) = rest.next() {
        if is(option, "nx") && form != Form::GetEx {
            if !matches!(parsed.condition, None | Some(Condition::Absent)) {
                return Err(CommandError::Syntax);
            }
            parsed.condition = Some(Condition::Absent);
        } else if is(option, "xx") && form != Form::GetEx {
            if !matches!(parsed.condition, None | Some(Condition::Present)) {
                return Err(CommandError::Syntax);
            }
            parsed.condition = Some(Condition::Present);
        } else if is(option, "ifeq") && form == Form::Set && parsed.condition.is_none() {
            let value = rest.next().ok_or(CommandError::Syntax)?;
            parsed.condition = Some(Condition::Equals(value));
        } else if is(option, "get") && form == Form::Set {
            parsed.get = true;
        } else {
            wanted = match (ExpireUnit::from_option(option), wanted) {
                (Some(unit), Wanted::Unspecified) => {
                    Wanted::Time(unit, rest.next().ok_or(CommandError::Syntax)?)
                }
                // The same unit again is allowed, and the last one counts.
                (Some(unit), Wanted::Time(before, _)) if unit == before => {
                    Wanted::Time(unit, rest.next().ok_or(CommandError::Syntax)?)
                }
                (None, Wanted::Unspecified | Wanted::Keep)
                    if is(option, "keepttl") && form != Form::GetEx =>
                {
                    Wanted::Keep
                }
                (None, Wanted::Unspecified | Wanted::Remove)
                    if is(option, "persist") && form == Form::GetEx =>
                {
                    Wanted::Remove
                }
                _ => return Err(CommandError::Syntax),
            };
        }
    }
    parsed.expiry = match wanted {
        Wanted::Unspecified => Expiry::Unspecified,
        Wanted::Keep => Expiry::Keep,
        Wanted::Remove => Expiry::Remove,
        Wanted::Time(unit, value) => {
            let time = ExpireTime {
                value: parse_integer(value)?,
                unit,
            };
            Expiry::At(time.resolve_positive(now_ms, command)?)
        }
    };
    Ok(parsed)
}

/// The options of SET, after key and value. `now_ms` is Unix milliseconds.
///
/// # Errors
/// A syntax error before any error of the expire time.
pub fn parse_set<A: AsRef<[u8]>>(
    options: &[A],
    now_ms: i64,
) -> Result<SetOptions<'_>, CommandError> {
    parse(options, Form::Set, now_ms, "set")
}

/// The options of GETEX, after the key. `now_ms` is Unix milliseconds.
///
/// # Errors
/// A syntax error before any error of the expire time.
pub fn parse_getex<A: AsRef<[u8]>>(
    options: &[A],
    now_ms: i64,
) -> Result<GetExOptions, CommandError> {
    let expiry = parse(options, Form::GetEx, now_ms, "getex")?.expiry;
    Ok(GetExOptions { expiry })
}

/// The arguments of MSETEX, the number of keys first. `now_ms` is Unix milliseconds.
///
/// # Errors
/// [`CommandError::InvalidKeyCount`], a syntax error, an error of the expire time; in that
/// order.
pub fn parse_msetex<A: AsRef<[u8]>>(
    arguments: &[A],
    now_ms: i64,
) -> Result<MsetExOptions<'_, A>, CommandError> {
    let (count, rest) = arguments
        .split_first()
        .ok_or(CommandError::WrongArity("msetex"))?;
    let count = parse_integer(count.as_ref())
        .ok()
        .and_then(|count| i32::try_from(count).ok());
    let count = count
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| *count > 0);
    let count = count.ok_or(CommandError::InvalidKeyCount)?;
    let split = count
        .checked_mul(2)
        .and_then(|places| rest.split_at_checked(places));
    let (pairs, options) = split.ok_or(CommandError::Syntax)?;
    let SetOptions {
        condition, expiry, ..
    } = parse(options, Form::MsetEx, now_ms, "msetex")?;
    Ok(MsetExOptions {
        pairs,
        condition,
        expiry,
    })
}
