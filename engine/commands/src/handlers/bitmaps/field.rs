//! BITFIELD: integers of any width at any bit of a string, the highest bit first.
//!
//! Owns how they are read, written and kept in their range. Runs under the locks of the
//! access. A write is logged as the bytes it touches, nine at most.

use crate::arguments::{FieldAction, FieldOperation, FieldType, Overflow, parse_field_operations};
use crate::context::{Context, Failure};
use crate::error::BitsError;
use thermocline_types::Update;

/// Bytes that an integer of 64 bits can touch.
const WINDOW_BYTES: usize = 9;

pub(super) fn bitfield(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let operations = parse_field_operations(&context.arguments[2..], context.string_max_bytes)?;
    run(context, &operations)
}

pub(super) fn bitfield_ro(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let operations = parse_field_operations(&context.arguments[2..], context.string_max_bytes)?;
    if operations.iter().any(writes) {
        return Err(BitsError::ReadOnlyField.into());
    }
    run(context, &operations)
}

fn writes(operation: &FieldOperation) -> bool {
    operation.action != FieldAction::Get
}

fn last_byte(operation: &FieldOperation) -> u64 {
    (operation.offset + u64::from(operation.field.bits) - 1) >> 3
}

fn run(context: &mut Context<'_, '_, '_>, operations: &[FieldOperation]) -> Result<(), Failure> {
    let written = operations.iter().filter(|operation| writes(operation));
    match written.map(last_byte).max() {
        None => {
            context.string(0)?;
        }
        // Makes room first, so that only this can fail.
        Some(last) => make_room(context, last)?,
    }
    context.reply.array(operations.len());
    for operation in operations {
        let window = window(context, operation)?;
        let old = read(window, operation);
        let outcome = match operation.action {
            FieldAction::Get => Some((old, old)),
            FieldAction::Set(value, overflow) => {
                // To an unsigned field, a negative value is one of 64 bits.
                let value = if operation.field.is_signed {
                    i128::from(value)
                } else {
                    i128::from(value as u64)
                };
                let value = too_far_below(value, operation.field).unwrap_or(value);
                fitted(value, operation.field, overflow).map(|new| (old, new))
            }
            FieldAction::Increment(by, overflow) => {
                let sum = i128::from(old) + i128::from(by);
                fitted(sum, operation.field, overflow).map(|new| (new, new))
            }
        };
        match outcome {
            None => context.reply.null(),
            Some((reply, new)) => {
                context.reply.integer(reply);
                if new != old {
                    write(context, operation, window, new)?;
                }
            }
        }
    }
    Ok(())
}

/// Makes the string long enough for its byte number `last`, and `raw`.
fn make_room(context: &mut Context<'_, '_, '_>, last: u64) -> Result<(), Failure> {
    let (byte, is_raw) = match context.peek(0) {
        None => (None, false),
        Some(entry) => {
            let byte = entry.value.string()?.get(last as usize).copied();
            (byte, entry.value.is_raw_string())
        }
    };
    let update = Update::StringSetRange {
        offset: last,
        bytes: &[byte.unwrap_or(0)],
    };
    if byte.is_none() {
        context.update(0, &update)
    } else if is_raw {
        Ok(())
    } else {
        context.update_unseen(0, &update)
    }
}

/// The bytes from the first of the integer on; zeros behind the string.
fn window(
    context: &Context<'_, '_, '_>,
    operation: &FieldOperation,
) -> Result<[u8; WINDOW_BYTES], Failure> {
    let mut window = [0; WINDOW_BYTES];
    if let Some(entry) = context.peek(0) {
        let from = (operation.offset >> 3) as usize;
        let bytes = entry.value.string()?.get(from..).unwrap_or_default();
        for (to, byte) in window.iter_mut().zip(bytes) {
            *to = *byte;
        }
    }
    Ok(window)
}

/// How far the integer is from the low end of the window, in bits.
fn shift(operation: &FieldOperation) -> u32 {
    let bits = WINDOW_BYTES as u32 * 8;
    bits - (operation.offset & 7) as u32 - u32::from(operation.field.bits)
}

fn mask(field: FieldType) -> u128 {
    (1 << field.bits) - 1
}

fn number(window: [u8; WINDOW_BYTES]) -> u128 {
    window
        .iter()
        .fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn read(window: [u8; WINDOW_BYTES], operation: &FieldOperation) -> i64 {
    let raw = number(window) >> shift(operation) & mask(operation.field);
    signed(raw, operation.field)
}

/// The integer of these low bits.
fn signed(raw: u128, field: FieldType) -> i64 {
    let unused = 64 - u32::from(field.bits);
    if field.is_signed {
        ((raw as u64) << unused) as i64 >> unused
    } else {
        raw as i64
    }
}

/// What stands for a value so far below a narrow signed field that its distance to the
/// greatest is none of 64 bits: Redis and Valkey take it for one above, so it saturates to
/// the greatest. It wraps to the same bits.
fn too_far_below(value: i128, field: FieldType) -> Option<i128> {
    let greatest = (mask(field) >> 1) as i128;
    let is_far = field.is_signed && greatest - value > i128::from(i64::MAX);
    (is_far && field.bits < 64).then_some(value + (1 << 64))
}

/// `value` in the range of the field, as `overflow` has it.
fn fitted(value: i128, field: FieldType, overflow: Overflow) -> Option<i64> {
    let (least, most) = if field.is_signed {
        let half = 1_i128 << (field.bits - 1);
        (-half, half - 1)
    } else {
        (0, mask(field) as i128)
    };
    if (least..=most).contains(&value) {
        return Some(value as i64);
    }
    match overflow {
        Overflow::Wrap => Some(signed(value as u128 & mask(field), field)),
        Overflow::Saturate => Some(value.clamp(least, most) as i64),
        Overflow::Fail => None,
    }
}

fn write(
    context: &mut Context<'_, '_, '_>,
    operation: &FieldOperation,
    window: [u8; WINDOW_BYTES],
    value: i64,
) -> Result<(), Failure> {
    let (shift, mask) = (shift(operation), mask(operation.field));
    let raw = value as u128 & mask;
    let changed = number(window) & !(mask << shift) | raw << shift;
    let bytes = changed.to_be_bytes();
    let first = operation.offset >> 3;
    let touched = (last_byte(operation) - first) as usize + 1;
    let bytes = &bytes[bytes.len() - WINDOW_BYTES..][..touched];
    context.update(
        0,
        &Update::StringSetRange {
            offset: first,
            bytes,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies of Valkey 9.1.2 to `BITFIELD k OVERFLOW SAT SET i<bits> 0 <value> GET i<bits> 0`.
    #[test]
    fn a_value_far_below_saturates_as_in_valkey() {
        for (bits, value, expected) in [
            (8, i64::MIN, 127),
            (8, i64::MIN + 127, 127),
            (8, i64::MIN + 128, -128),
            (63, i64::MIN, (1 << 62) - 1),
            (64, i64::MIN, i64::MIN),
        ] {
            let field = FieldType {
                is_signed: true,
                bits,
            };
            let value = i128::from(value);
            let value = too_far_below(value, field).unwrap_or(value);
            let kept = fitted(value, field, Overflow::Saturate);
            assert_eq!(kept, Some(expected), "i{bits} {value}");
        }
    }

    #[test]
    fn values_are_kept_in_their_range() {
        let field = |is_signed, bits| FieldType { is_signed, bits };
        for (value, of, wrapped, saturated) in [
            (127, field(true, 8), 127, 127),
            (128, field(true, 8), -128, 127),
            (-129, field(true, 8), 127, -128),
            (256, field(false, 8), 0, 255),
            (-1, field(false, 8), 255, 0),
            (
                i128::from(i64::MAX) + 1,
                field(true, 64),
                i64::MIN,
                i64::MAX,
            ),
            (i128::from(u64::MAX), field(false, 63), i64::MAX, i64::MAX),
            (2, field(false, 1), 0, 1),
            (1, field(true, 1), -1, 0),
        ] {
            assert_eq!(fitted(value, of, Overflow::Wrap), Some(wrapped), "{value}");
            assert_eq!(
                fitted(value, of, Overflow::Saturate),
                Some(saturated),
                "{value}"
            );
            let fits = wrapped == saturated && i128::from(wrapped) == value;
            assert_eq!(fitted(value, of, Overflow::Fail).is_some(), fits, "{value}");
        }
    }
}
