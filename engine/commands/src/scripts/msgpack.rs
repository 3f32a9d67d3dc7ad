//! `cmsgpack` for scripts: MessagePack in and out.
//!
//! Owns nothing. Nothing is made from a declared length, and nesting is bounded. Under the
//! lock of the machine, any thread.
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

/// Tables nested deeper are packed as nil.
const PACK_DEPTH: usize = 16;
/// Nesting beyond which data is refused.
const UNPACK_DEPTH: usize = 512;
/// Most values unpacked at once: they stand on the machine's stack.
const VALUES_MAX: usize = 7_000;

/// The table of the library's functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Redis Ltd.")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    let call = |lua: &Lua, given: MultiValue| answer(lua, pack_all(&given));
    table.raw_set("pack", lua.create_function(call)?)?;
    let call = |lua: &Lua, given: MultiValue| {
        let unpacked = Input::of("unpack", &given).and_then(|input| input.unpack(lua, 0, 0));
        answer(lua, unpacked)
    };
    table.raw_set("unpack", lua.create_function(call)?)?;
    let call = |lua: &Lua, given: MultiValue| {
        let unpacked = Input::of("unpack_one", &given).and_then(|input| {
            let offset = input.integer("unpack_one", &given, 1, Some(0))?;
            input.unpack(lua, 1, offset)
        });
        answer(lua, unpacked)
    };
    table.raw_set("unpack_one", lua.create_function(call)?)?;
    let call = |lua: &Lua, given: MultiValue| {
        let unpacked = Input::of("unpack_limit", &given).and_then(|input| {
            let limit = input.integer("unpack_limit", &given, 1, None)?;
            let offset = input.integer("unpack_limit", &given, 2, Some(0))?;
            input.unpack(lua, limit, offset)
        });
        answer(lua, unpacked)
    };
    table.raw_set("unpack_limit", lua.create_function(call)?)?;
    Ok(table)
}

// ---------------------------------------------------------------- packing

fn pack_all(given: &MultiValue) -> Result<Answer, Failed> {
    if given.is_empty() {
        return Err(argument(0, "pack", "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in given.iter() {
        pack(value, 0, &mut out)?;
    }
    Ok(Answer::Bytes(out))
}

fn pack(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Failed> {
    match value {
        Value::String(text) => pack_text(&text.as_bytes(), out),
        Value::Boolean(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => pack_integer(*number, out),
        Value::Number(number) => pack_number(*number, out),
        Value::Table(table) if depth < PACK_DEPTH => {
            pack_table(table, depth.saturating_add(1), out)?;
        }
        _ => out.push(0xc0),
    }
    Ok(())
}

fn pack_text(text: &[u8], out: &mut Vec<u8>) {
    put_head(
        text.len(),
        [Some((0xa0, 32)), None],
        [0xd9, 0xda, 0xdb],
        out,
    );
    out.extend_from_slice(text);
}

/// Writes a length: in a byte with `base` where it is below that bound, else behind one of
/// the three heads for 1, 2 and 4 bytes (the first may be missing: 0).
fn put_head(length: usize, short: [Option<(u8, usize)>; 2], heads: [u8; 3], out: &mut Vec<u8>) {
    for (base, below) in short.into_iter().flatten() {
        if length < below {
            out.push(base | u8::try_from(length).unwrap_or(0));
            return;
        }
    }
    let [one, two, four] = heads;
    if let (Ok(length), true) = (u8::try_from(length), one != 0) {
        out.extend_from_slice(&[one, length]);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(two);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(four);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

fn pack_integer(number: i64, out: &mut Vec<u8>) {
    if let Ok(number) = u8::try_from(number) {
        if number > 127 {
            out.push(0xcc);
        }
        out.push(number);
    } else if let Ok(number) = u16::try_from(number) {
        out.push(0xcd);
        out.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        out.push(0xce);
        out.extend_from_slice(&number.to_be_bytes());
    } else if number > 0 {
        out.push(0xcf);
        out.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = i8::try_from(number) {
        if number < -32 {
            out.push(0xd0);
        }
        out.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        out.push(0xd1);
        out.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        out.push(0xd2);
        out.extend_from_slice(&number.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn pack_number(number: f64, out: &mut Vec<u8>) {
    let single = number as f32;
    if number.fract() == 0.0 && number.abs() < 9.2e18 {
        pack_integer(number as i64, out);
    } else if f64::from(single) == number {
        out.push(0xca);
        out.extend_from_slice(&single.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn pack_table(table: &Table, depth: usize, out: &mut Vec<u8>) -> Result<(), Failed> {
    let (mut longest, mut count, mut is_array) = (0_i64, 0_usize, true);
    for pair in table.pairs::<Value, Value>() {
        match pair?.0 {
            Value::Integer(index) if index > 0 => longest = longest.max(index),
            _ => is_array = false,
        }
        count = count.saturating_add(1);
    }
    if is_array && usize::try_from(longest) == Ok(count) {
        put_head(count, [Some((0x90, 16)), None], [0, 0xdc, 0xdd], out);
        for index in 1..=longest {
            pack(&table.raw_get::<Value>(index)?, depth, out)?;
        }
        return Ok(());
    }
    put_head(count, [Some((0x80, 16)), None], [0, 0xde, 0xdf], out);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        pack(&key, depth, out)?;
        pack(&value, depth, out)?;
    }
    Ok(())
}

// ---------------------------------------------------------------- unpacking

struct Input {
    bytes: Vec<u8>,
}

impl Input {
    fn of(function: &str, given: &MultiValue) -> Result<Self, Failed> {
        let bytes = match given.front() {
            Some(Value::String(text)) => text.as_bytes().to_vec(),
            Some(value @ (Value::Integer(_) | Value::Number(_))) => number_text(value).into_bytes(),
            other => {
                let name = other.map_or("no value", type_name);
                let why = format!("string expected, got {name}");
                return Err(argument(1, function, &why));
            }
        };
        Ok(Self { bytes })
    }

    fn integer(
        &self,
        function: &str,
        given: &MultiValue,
        index: usize,
        default: Option<i64>,
    ) -> Result<i64, Failed> {
        let value = given.get(index).filter(|value| !value.is_nil());
        match (value, default) {
            (None, Some(default)) => Ok(default),
            (value, _) => value
                .and_then(number_of)
                .map(|number| number as i64)
                .ok_or_else(|| {
                    let name = given.get(index).map_or("no value", type_name);
                    let why = format!("number expected, got {name}");
                    argument(index.saturating_add(1), function, &why)
                }),
        }
    }

    /// Unpacks `limit` values (all with 0) from `offset` on; with a limit the first of the
    /// results says where the next one begins, -1 at the end.
    fn unpack(&self, lua: &Lua, limit: i64, offset: i64) -> Result<Answer, Failed> {
        let length = self.bytes.len();
        if limit < 0 || offset < 0 {
            return Err(Failed::new(format!(
                "Invalid request to unpack with offset of {offset} and limit of {length}."
            )));
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        if start > length {
            return Err(Failed::new(format!(
                "Start offset {offset} greater than input length {length}."
            )));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut reader = Unpacker {
            lua,
            bytes: &self.bytes,
            at: start,
        };
        let mut values = Vec::new();
        while reader.at < length && (limit == 0 || values.len() < limit) {
            if values.len() >= VALUES_MAX {
                return Err(Failed::new(
                    "too many return values at once; use unpack_one or unpack_limit instead.",
                ));
            }
            values.push(reader.value(0)?);
        }
        if limit > 0 {
            let next = if reader.at >= length {
                -1.0
            } else {
                reader.at as f64
            };
            values.insert(0, Value::Number(next));
        }
        Ok(Answer::Values(values))
    }
}

struct Unpacker<'u> {
    lua: &'u Lua,
    bytes: &'u [u8],
    at: usize,
}

impl Unpacker<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], Failed> {
        let end = self.at.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| Failed::new("Missing bytes in input."))?;
        self.at = self.at.saturating_add(count);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failed> {
        let taken = self.take(N)?;
        taken
            .try_into()
            .map_err(|_| Failed::new("Missing bytes in input."))
    }

    fn length(&mut self, bytes: usize) -> Result<usize, Failed> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().fold(0_usize, |sum, byte| {
            sum.wrapping_shl(8) | usize::from(*byte)
        }))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Failed> {
        if depth > UNPACK_DEPTH {
            return Err(Failed::new("Bad data format in input."));
        }
        let [head] = self.array()?;
        let number = |number: f64| Ok(Value::Number(number));
        match head {
            0..=0x7f => number(f64::from(head)),
            0xe0..=0xff => number(f64::from(i8::from_be_bytes([head]))),
            0x80..=0x8f => self.map(usize::from(head & 0xf), depth),
            0x90..=0x9f => self.list(usize::from(head & 0xf), depth),
            0xa0..=0xbf => self.text(usize::from(head & 0x1f)),
            0xc0 => Ok(Value::Nil),
            0xc2 => Ok(Value::Boolean(false)),
            0xc3 => Ok(Value::Boolean(true)),
            0xc4..=0xc6 | 0xd9..=0xdb => {
                let bytes = match head {
                    0xc4 | 0xd9 => 1,
                    0xc5 | 0xda => 2,
                    _ => 4,
                };
                let length = self.length(bytes)?;
                self.text(length)
            }
            0xca => number(f64::from(f32::from_be_bytes(self.array()?))),
            0xcb => number(f64::from_be_bytes(self.array()?)),
            0xcc => number(f64::from(u8::from_be_bytes(self.array()?))),
            0xcd => number(f64::from(u16::from_be_bytes(self.array()?))),
            0xce => number(f64::from(u32::from_be_bytes(self.array()?))),
            // Lua 5.1 takes an unsigned number for a signed one.
            0xcf => number(i64::from_be_bytes(self.array()?) as f64),
            0xd0 => number(f64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => number(f64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => number(f64::from(i32::from_be_bytes(self.array()?))),
            0xd3 => number(i64::from_be_bytes(self.array()?) as f64),
            0xdc => {
                let length = self.length(2)?;
                self.list(length, depth)
            }
            0xdd => {
                let length = self.length(4)?;
                self.list(length, depth)
            }
            0xde => {
                let length = self.length(2)?;
                self.map(length, depth)
            }
            0xdf => {
                let length = self.length(4)?;
                self.map(length, depth)
            }
            _ => Err(Failed::new("Bad data format in input.")),
        }
    }

    fn text(&mut self, length: usize) -> Result<Value, Failed> {
        let lua = self.lua;
        let text = lua.create_string(self.take(length)?)?;
        Ok(Value::String(text))
    }

    fn list(&mut self, length: usize, depth: usize) -> Result<Value, Failed> {
        let table = self.lua.create_table()?;
        for index in 1..=length {
            let value = self.value(depth.saturating_add(1))?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value, Failed> {
        let table = self.lua.create_table()?;
        for _ in 0..length {
            let key = self.value(depth.saturating_add(1))?;
            let value = self.value(depth.saturating_add(1))?;
            if key.is_nil() {
                return Err(Failed::Bare("table index is nil"));
            }
            if key.as_f64().is_some_and(f64::is_nan) {
                return Err(Failed::Bare("table index is NaN"));
            }
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}
