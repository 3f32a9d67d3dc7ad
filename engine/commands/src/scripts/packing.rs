//! `struct` for scripts: numbers and strings packed by a format.
//!
//! Owns nothing. Sizes come from the format and are checked against the data before anything
//! is made. Under the lock of the machine, any thread.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use super::lua::{Answer, Failed, answer, argument, number_of, number_text, type_name};
use mlua::{Lua, MultiValue, Table, Value};

/// The widest integer, in bytes.
const INTEGER_MAX_BYTES: usize = 32;
/// The alignment of `!` without a number, in bytes.
const NATIVE_ALIGNMENT: usize = 8;
/// The longest result, in bytes.
const PACKED_MAX_BYTES: usize = 512 << 20;

/// The table of the library's functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let call = |lua: &Lua, given: MultiValue| answer(lua, pack(&given));
    table.raw_set("pack", lua.create_function(call)?)?;
    let call = |lua: &Lua, given: MultiValue| answer(lua, unpack(lua, &given));
    table.raw_set("unpack", lua.create_function(call)?)?;
    let call = |lua: &Lua, given: MultiValue| answer(lua, size(&given));
    table.raw_set("size", lua.create_function(call)?)?;
    Ok(table)
}

/// What a format has said so far, and what is left of it.
struct Format {
    text: Vec<u8>,
    at: usize,
    is_big: bool,
    alignment: usize,
}

/// One option of a format.
struct Item {
    option: u8,
    size: usize,
}

impl Format {
    fn of(function: &str, given: &MultiValue) -> Result<Self, Failed> {
        Ok(Self {
            text: text(function, given, 0)?,
            at: 0,
            is_big: false,
            alignment: 1,
        })
    }

    fn number(&mut self, default: usize) -> Result<usize, Failed> {
        let mut number = None;
        while let Some(digit) = self.text.get(self.at).filter(|it| it.is_ascii_digit()) {
            let digit = usize::from(digit.saturating_sub(b'0'));
            let before = number.unwrap_or(0_usize);
            let more = before.checked_mul(10).and_then(|it| it.checked_add(digit));
            let more = more.filter(|it| *it <= i32::MAX as usize);
            number = Some(more.ok_or_else(|| Failed::new("integral size overflow"))?);
            self.at = self.at.saturating_add(1);
        }
        Ok(number.unwrap_or(default))
    }

    /// The next option that stands for data; those that steer are followed.
    fn next(&mut self, function: &str) -> Result<Option<Item>, Failed> {
        loop {
            let Some(&option) = self.text.get(self.at) else {
                return Ok(None);
            };
            self.at = self.at.saturating_add(1);
            let size = match option {
                b'b' | b'B' | b'x' => 1,
                b'h' | b'H' => 2,
                b'l' | b'L' | b'T' | b'd' => 8,
                b'f' => 4,
                b's' => 0,
                b'c' => self.number(1)?,
                b'i' | b'I' => {
                    let size = self.number(4)?;
                    if size > INTEGER_MAX_BYTES {
                        return Err(Failed::new(format!(
                            "integral size {size} is larger than limit of {INTEGER_MAX_BYTES}"
                        )));
                    }
                    size
                }
                _ => {
                    self.steer(option, function)?;
                    continue;
                }
            };
            return Ok(Some(Item { option, size }));
        }
    }

    fn steer(&mut self, option: u8, function: &str) -> Result<(), Failed> {
        match option {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let alignment = self.number(NATIVE_ALIGNMENT)?;
                if !alignment.is_power_of_two() {
                    return Err(Failed::new(format!(
                        "alignment {alignment} is not a power of 2"
                    )));
                }
                self.alignment = alignment;
            }
            other => {
                let why = format!("invalid format option '{}'", char::from(other));
                return Err(argument(1, function, &why));
            }
        }
        Ok(())
    }

    /// Bytes between `length` and where the item begins.
    fn padding(&self, length: usize, item: &Item) -> usize {
        let size = item.size.min(self.alignment);
        if item.size == 0 || item.option == b'c' || !size.is_power_of_two() {
            return 0;
        }
        length.next_multiple_of(size).saturating_sub(length)
    }
}

fn text(function: &str, given: &MultiValue, index: usize) -> Result<Vec<u8>, Failed> {
    match given.get(index) {
        Some(Value::String(text)) => Ok(text.as_bytes().to_vec()),
        Some(value @ (Value::Integer(_) | Value::Number(_))) => Ok(number_text(value).into_bytes()),
        other => {
            // `pack` puts a nil behind its arguments, to part them from what it makes.
            let is_parted = function == "pack" && index > 0;
            let missing = if is_parted { "nil" } else { "no value" };
            let name = other.map_or(missing, type_name);
            let why = format!("string expected, got {name}");
            Err(argument(index.saturating_add(1), function, &why))
        }
    }
}

fn number(given: &MultiValue, index: usize) -> Result<f64, Failed> {
    let value = given.get(index);
    value.and_then(number_of).ok_or_else(|| {
        let why = format!("number expected, got {}", value.map_or("nil", type_name));
        argument(index.saturating_add(1), "pack", &why)
    })
}

fn pack(given: &MultiValue) -> Result<Answer, Failed> {
    let mut format = Format::of("pack", given)?;
    let mut out = Vec::new();
    let mut index = 1_usize;
    while let Some(item) = format.next("pack")? {
        let padding = format.padding(out.len(), &item);
        out.resize(out.len().saturating_add(padding), 0);
        match item.option {
            b'x' => out.push(0),
            b'f' | b'd' => {
                let number = number(given, index)?;
                index = index.saturating_add(1);
                let mut bytes = if item.option == b'f' {
                    (number as f32).to_le_bytes().to_vec()
                } else {
                    number.to_le_bytes().to_vec()
                };
                if format.is_big {
                    bytes.reverse();
                }
                out.extend_from_slice(&bytes);
            }
            b'c' | b's' => {
                let text = text("pack", given, index)?;
                index = index.saturating_add(1);
                let size = if item.size == 0 {
                    text.len()
                } else {
                    item.size
                };
                let Some(taken) = text.get(..size) else {
                    let place = index.saturating_add(1);
                    return Err(argument(place, "pack", "string too short"));
                };
                out.extend_from_slice(taken);
                if item.option == b's' {
                    out.push(0);
                }
            }
            _ => {
                let number = number(given, index)?;
                index = index.saturating_add(1);
                put_integer(number, item.size, format.is_big, &mut out);
            }
        }
        if out.len() > PACKED_MAX_BYTES {
            return Err(Failed::new("the result is too long"));
        }
    }
    Ok(Answer::Bytes(out))
}

fn put_integer(number: f64, size: usize, is_big: bool, out: &mut Vec<u8>) {
    let value = if number < 0.0 {
        (number as i64).cast_unsigned()
    } else {
        number as u64
    };
    let mut bytes = value.to_le_bytes().to_vec();
    bytes.resize(size, 0);
    if is_big {
        bytes.reverse();
    }
    out.extend_from_slice(&bytes);
}

fn unpack(lua: &Lua, given: &MultiValue) -> Result<Answer, Failed> {
    const SHORT: &str = "data string too short";
    let mut format = Format::of("unpack", given)?;
    let data = text("unpack", given, 1)?;
    let from = match given.get(2).filter(|value| !value.is_nil()) {
        None => 1.0,
        Some(value) => number_of(value).ok_or_else(|| {
            let why = format!("number expected, got {}", type_name(value));
            argument(3, "unpack", &why)
        })?,
    };
    // Cast to an unsigned number, one below zero is far behind the end.
    if (0.0..1.0).contains(&from) {
        return Err(argument(3, "unpack", "offset must be 1 or greater"));
    }
    if from < 0.0 {
        return Err(argument(2, "unpack", SHORT));
    }
    let mut at = (from as usize).saturating_sub(1);
    let mut values = Vec::new();
    while let Some(item) = format.next("unpack")? {
        at = at.saturating_add(format.padding(at, &item));
        let mut size = item.size;
        if item.option == b'c' && size == 0 {
            let before = values.pop().as_ref().and_then(number_of);
            let before = before.ok_or_else(|| Failed::new("format 'c0' needs a previous size"))?;
            size = before as usize;
        }
        let end = at.checked_add(size);
        let Some(bytes) = end.and_then(|end| data.get(at..end)) else {
            return Err(argument(2, "unpack", SHORT));
        };
        match item.option {
            b'x' => {}
            b'f' | b'd' => values.push(Value::Number(float(bytes, format.is_big))),
            b'c' => values.push(Value::String(lua.create_string(bytes)?)),
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let length = rest.iter().position(|byte| *byte == 0);
                let length = length.ok_or_else(|| Failed::new("unfinished string in data"))?;
                let text = rest.get(..length).unwrap_or_default();
                values.push(Value::String(lua.create_string(text)?));
                size = length.saturating_add(1);
            }
            option => {
                let is_signed = option.is_ascii_lowercase();
                values.push(Value::Number(integer(bytes, format.is_big, is_signed)));
            }
        }
        at = at.saturating_add(size);
        if values.len() > 7_000 {
            return Err(Failed::new("too many results"));
        }
    }
    values.push(Value::Number(at.saturating_add(1) as f64));
    Ok(Answer::Values(values))
}

fn in_order(bytes: &[u8], is_big: bool) -> [u8; 8] {
    let mut ordered = [0; 8];
    for (index, place) in ordered.iter_mut().enumerate() {
        let byte = if is_big {
            bytes.iter().rev().nth(index)
        } else {
            bytes.get(index)
        };
        *place = byte.copied().unwrap_or(0);
    }
    ordered
}

fn float(bytes: &[u8], is_big: bool) -> f64 {
    let ordered = in_order(bytes, is_big);
    if bytes.len() == 4 {
        let [a, b, c, d, ..] = ordered;
        return f64::from(f32::from_le_bytes([a, b, c, d]));
    }
    f64::from_le_bytes(ordered)
}

fn integer(bytes: &[u8], is_big: bool, is_signed: bool) -> f64 {
    let value = u64::from_le_bytes(in_order(bytes, is_big));
    if !is_signed {
        return value as f64;
    }
    let bits = u32::try_from(bytes.len().min(8).saturating_mul(8)).unwrap_or(64);
    let above = 64_u32.saturating_sub(bits);
    if above >= 64 {
        return 0.0;
    }
    value.wrapping_shl(above).cast_signed().wrapping_shr(above) as f64
}

fn size(given: &MultiValue) -> Result<Answer, Failed> {
    let mut format = Format::of("size", given)?;
    let mut total = 0_usize;
    while let Some(item) = format.next("size")? {
        total = total.saturating_add(format.padding(total, &item));
        let variable = match item.option {
            b's' => Some("option 's' has no fixed size"),
            b'c' if item.size == 0 => Some("option 'c0' has no fixed size"),
            _ => None,
        };
        if let Some(why) = variable {
            return Err(argument(1, "size", why));
        }
        total = total.saturating_add(item.size);
    }
    Ok(Answer::Values(vec![Value::Number(total as f64)]))
}
