//! Expire times, and the conditions of EXPIRE and its kin.
//!
//! Owns units, overflow bounds and NX, XX, GT, LT; it does not own expiry itself. Invariant:
//! a time handed out is Unix milliseconds that did not overflow. Pure, any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{is, parse_integer};
use crate::error::CommandError;

/// What an expire argument counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireUnit {
    /// Seconds from now (EX).
    Seconds,
    /// Milliseconds from now (PX).
    Milliseconds,
    /// Unix seconds (EXAT).
    UnixSeconds,
    /// Unix milliseconds (PXAT).
    UnixMilliseconds,
}

impl ExpireUnit {
    /// The unit that an option such as EX names.
    pub(crate) fn from_option(option: &[u8]) -> Option<Self> {
        Some(match option {
            _ if is(option, "ex") => Self::Seconds,
            _ if is(option, "px") => Self::Milliseconds,
            _ if is(option, "exat") => Self::UnixSeconds,
            _ if is(option, "pxat") => Self::UnixMilliseconds,
            _ => return None,
        })
    }
}

/// An expire argument not yet made a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpireTime {
    /// The number given.
    pub value: i64,
    /// What it counts.
    pub unit: ExpireUnit,
}

impl ExpireTime {
    /// The point in Unix milliseconds, possibly past. `now_ms` is Unix milliseconds,
    /// `command` the name for the error.
    ///
    /// # Errors
    /// [`CommandError::InvalidExpireTime`] on overflow.
    pub fn resolve(self, now_ms: i64, command: &'static str) -> Result<i64, CommandError> {
        let point = match self.unit {
            ExpireUnit::Seconds => self
                .value
                .checked_mul(1000)
                .and_then(|after| after.checked_add(now_ms)),
            ExpireUnit::Milliseconds => self.value.checked_add(now_ms),
            ExpireUnit::UnixSeconds => self.value.checked_mul(1000),
            ExpireUnit::UnixMilliseconds => Some(self.value),
        };
        point.ok_or(CommandError::InvalidExpireTime(command))
    }

    /// As [`ExpireTime::resolve`] for commands that set a value, whose argument must be at
    /// least 1.
    ///
    /// # Errors
    /// [`CommandError::InvalidExpireTime`].
    pub fn resolve_positive(self, now_ms: i64, command: &'static str) -> Result<i64, CommandError> {
        if self.value <= 0 {
            return Err(CommandError::InvalidExpireTime(command));
        }
        self.resolve(now_ms, command)
    }
}

/// When EXPIRE may set the time; with none set it always may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpireCondition {
    /// Only a key that has no expire time.
    pub without_expiry: bool,
    /// Only a key that has one.
    pub with_expiry: bool,
    /// Only to a later time than the present one; no expire time is the latest.
    pub greater: bool,
    /// Only to an earlier time than the present one; no expire time is the latest.
    pub less: bool,
}

impl ExpireCondition {
    /// Whether a key that expires at `present_ms` (`None`: never) may expire at `wanted_ms`,
    /// both in Unix milliseconds.
    #[must_use]
    pub fn allows(self, present_ms: Option<i64>, wanted_ms: i64) -> bool {
        match present_ms {
            None => !self.with_expiry && !self.greater,
            Some(present_ms) => {
                let greater_refuses = self.greater && wanted_ms <= present_ms;
                let less_refuses = self.less && wanted_ms >= present_ms;
                !(self.without_expiry || greater_refuses || less_refuses)
            }
        }
    }
}

/// The options NX, XX, GT and LT.
///
/// # Errors
/// An unsupported option first, then the conflicts.
pub fn parse_expire_conditions<A: AsRef<[u8]>>(
    options: &[A],
) -> Result<ExpireCondition, CommandError> {
    let mut condition = ExpireCondition::default();
    for option in options {
        let option = option.as_ref();
        let flag = match option {
            _ if is(option, "nx") => &mut condition.without_expiry,
            _ if is(option, "xx") => &mut condition.with_expiry,
            _ if is(option, "gt") => &mut condition.greater,
            _ if is(option, "lt") => &mut condition.less,
            _ => return Err(CommandError::unsupported_option(option)),
        };
        *flag = true;
    }
    let others = condition.with_expiry || condition.greater || condition.less;
    if condition.without_expiry && others {
        return Err(CommandError::ExpireNxConflict);
    }
    if condition.greater && condition.less {
        return Err(CommandError::ExpireGtLtConflict);
    }
    Ok(condition)
}

/// The arguments of EXPIRE and its kin after the key: the point in Unix milliseconds, which
/// may be past, and the condition. `now_ms` is Unix milliseconds.
///
/// # Errors
/// Those of the options before those of the time, as in Redis.
pub fn parse_expire<A: AsRef<[u8]>>(
    time: &[u8],
    options: &[A],
    unit: ExpireUnit,
    now_ms: i64,
    command: &'static str,
) -> Result<(i64, ExpireCondition), CommandError> {
    let condition = parse_expire_conditions(options)?;
    let value = parse_integer(time)?;
    let point = ExpireTime { value, unit }.resolve(now_ms, command)?;
    Ok((point, condition))
}
