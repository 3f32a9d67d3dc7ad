//! The arguments of the hash commands that name fields after FIELDS, and of
//! HRANDFIELD.
//!
//! Owns their rules and the order in which their errors are found; does not own
//! what the options do. INVARIANT: hostile arguments never panic, and nothing is
//! allocated from a declared count. Pure; any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::arguments::{
    ExpireCondition, ExpireTime, ExpireUnit, parse_expire_conditions, parse_integer,
};
use crate::error::CommandError;
use thermocline_base::UnixMillis;

/// The fields a command names.
pub(super) type Fields<'a, 'k> = &'a [&'k [u8]];

fn is(argument: &[u8], keyword: &str) -> bool {
    argument.eq_ignore_ascii_case(keyword.as_bytes())
}

/// What stands after FIELDS: a number, then that many groups of `each`
/// arguments; `mismatch` where the number is another one.
fn counted<'a, 'k>(
    arguments: Fields<'a, 'k>,
    each: usize,
    mismatch: CommandError,
) -> Result<Fields<'a, 'k>, CommandError> {
    let Some((number, fields)) = arguments.split_first() else {
        return Err(mismatch);
    };
    let number = usize::try_from(parse_integer(number)?).ok();
    let given = number.and_then(|number| number.checked_mul(each));
    if fields.is_empty() || given != Some(fields.len()) {
        return Err(mismatch);
    }
    Ok(fields)
}

/// `FIELDS number field …` where FIELDS has a fixed place; `arguments` follow
/// the key.
pub(super) fn parse_fields<'a, 'k>(
    arguments: Fields<'a, 'k>,
    mismatch: CommandError,
) -> Result<Fields<'a, 'k>, CommandError> {
    match arguments.split_first() {
        Some((keyword, rest)) if is(keyword, "fields") => counted(rest, 1, mismatch),
        _ => Err(CommandError::Syntax),
    }
}

/// The arguments before and after the first FIELDS that is not the last one.
fn split_at_fields<'a, 'k>(
    arguments: Fields<'a, 'k>,
) -> Result<(Fields<'a, 'k>, Fields<'a, 'k>), CommandError> {
    let found = arguments
        .iter()
        .position(|argument| is(argument, "fields"))
        .and_then(|at| arguments.split_at_checked(at));
    match found {
        Some((options, [_, rest @ ..])) if !rest.is_empty() => Ok((options, rest)),
        _ => Err(CommandError::InvalidFieldCount),
    }
}

/// The options and fields of HEXPIRE and its kin; `arguments` follow the time.
pub(super) fn parse_expire_fields<'a, 'k>(
    arguments: Fields<'a, 'k>,
) -> Result<(ExpireCondition, Fields<'a, 'k>), CommandError> {
    let (options, rest) = split_at_fields(arguments)?;
    let condition = parse_expire_conditions(options)?;
    let fields = counted(rest, 1, CommandError::InvalidFieldCount)?;
    Ok((condition, fields))
}

/// The point that an expire argument of a field names, possibly past; it must
/// not be negative.
pub(super) fn parse_field_time(
    time: &[u8],
    unit: ExpireUnit,
    now: UnixMillis,
    command: &'static str,
) -> Result<UnixMillis, CommandError> {
    let value = parse_integer(time)?;
    if value < 0 {
        return Err(CommandError::InvalidExpireTime(command));
    }
    let point = ExpireTime { value, unit }.resolve(now.0, command)?;
    Ok(UnixMillis(point))
}

/// Whether something must be there, or must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// NX, FNX.
    Absent,
    /// XX, FXX.
    Present,
}

/// What becomes of the fields' expire times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldExpiry<'k> {
    /// No option: HSETEX removes them, HGETEX leaves them.
    Unspecified,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Remove,
    /// A time not read yet: Valkey looks at the key first.
    Time(ExpireUnit, &'k [u8]),
}

/// The options of HSETEX and HGETEX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldOptions<'k> {
    /// NX or XX: on the key.
    pub(super) key: Option<Presence>,
    /// FNX or FXX: on each field.
    pub(super) field: Option<Presence>,
    /// The expire times.
    pub(super) expiry: FieldExpiry<'k>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Set,
    Get,
}

/// Sets an option that may stand twice but not beside its contrary.
fn choose(option: &mut Option<Presence>, wanted: Presence) -> Result<(), CommandError> {
    if option.is_some_and(|present| present != wanted) {
        return Err(CommandError::Syntax);
    }
    *option = Some(wanted);
    Ok(())
}

fn parse_options<'k>(
    options: &[&'k [u8]],
    command: Command,
) -> Result<FieldOptions<'k>, CommandError> {
    let set = command == Command::Set;
    let mut parsed = FieldOptions {
        key: None,
        field: None,
        expiry: FieldExpiry::Unspecified,
    };
    let mut rest = options.iter().copied();
    while let Some(option) = rest.next() {
        if set && is(option, "nx") {
            choose(&mut parsed.key, Presence::Absent)?;
        } else if set && is(option, "xx") {
            choose(&mut parsed.key, Presence::Present)?;
        } else if set && is(option, "fnx") {
            choose(&mut parsed.field, Presence::Absent)?;
        } else if set && is(option, "fxx") {
            choose(&mut parsed.field, Presence::Present)?;
        } else {
            parsed.expiry = match (ExpireUnit::from_option(option), parsed.expiry) {
                (Some(unit), FieldExpiry::Unspecified) => {
                    FieldExpiry::Time(unit, rest.next().ok_or(CommandError::Syntax)?)
                }
                // The same unit again is allowed, and the last one counts.
                (Some(unit), FieldExpiry::Time(before, _)) if unit == before => {
                    FieldExpiry::Time(unit, rest.next().ok_or(CommandError::Syntax)?)
                }
                (None, FieldExpiry::Unspecified | FieldExpiry::Keep)
                    if set && is(option, "keepttl") =>
                {
                    FieldExpiry::Keep
                }
                (None, FieldExpiry::Unspecified | FieldExpiry::Remove)
                    if !set && is(option, "persist") =>
                {
                    FieldExpiry::Remove
                }
                _ => return Err(CommandError::Syntax),
            };
        }
    }
    Ok(parsed)
}

/// What follows a command's name where FIELDS is looked for everywhere: a key
/// of that name is taken for it, as in Valkey.
fn parse_extended<'a, 'k>(
    arguments: Fields<'a, 'k>,
    command: Command,
    each: usize,
) -> Result<(FieldOptions<'k>, Fields<'a, 'k>), CommandError> {
    let (before, rest) = split_at_fields(arguments)?;
    let options = parse_options(before.get(1..).unwrap_or_default(), command)?;
    let fields = counted(rest, each, CommandError::InvalidFieldCount)?;
    Ok((options, fields))
}

/// The arguments of HSETEX from the key on: options, then fields and values in
/// turn.
pub(super) fn parse_hsetex<'a, 'k>(
    arguments: Fields<'a, 'k>,
) -> Result<(FieldOptions<'k>, Fields<'a, 'k>), CommandError> {
    parse_extended(arguments, Command::Set, 2)
}

/// The arguments of HGETEX from the key on: options, then fields.
pub(super) fn parse_hgetex<'a, 'k>(
    arguments: Fields<'a, 'k>,
) -> Result<(FieldOptions<'k>, Fields<'a, 'k>), CommandError> {
    parse_extended(arguments, Command::Get, 1)
}

/// What HRANDFIELD is asked for with a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RandomFields {
    /// How many; negative: with repetition. Never the least integer.
    pub(super) count: i64,
    /// Whether the values are wanted too.
    pub(super) values: bool,
}

/// The arguments of HRANDFIELD after the key; `None` without a count.
pub(super) fn parse_random(
    arguments: Fields<'_, '_>,
) -> Result<Option<RandomFields>, CommandError> {
    let Some((count, options)) = arguments.split_first() else {
        return Ok(None);
    };
    let count = parse_integer(count)?;
    let (least, greatest) = (-i64::MAX, i64::MAX);
    if count < least {
        return Err(CommandError::OutOfBounds { least, greatest });
    }
    let values = match options {
        [] => false,
        [option] if is(option, "withvalues") => true,
        _ => return Err(CommandError::Syntax),
    };
    if values && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(CommandError::OutOfRange);
    }
    Ok(Some(RandomFields { count, values }))
}

#[cfg(test)]
mod tests;
