//! Between replies of commands and values of Lua, both ways.
//!
//! Owns the conversions that the documentation of scripts lays down. Both ways are bounded:
//! replies are the server's own, and what a script returns may nest only so deep and grow
//! only so long. Under the lock of the machine, any thread.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use crate::reply::{ReplyBuffer, Version};
use mlua::{Lua, Table, Value};

/// The deepest nesting of a script's reply.
const DEPTH_MAX: usize = 1000;
/// The longest reply of a script, in bytes.
const REPLY_MAX_BYTES: usize = 512 << 20;
/// What the elements of a script's reply may cost together: tables may hold one another many
/// times over.
const COST_MAX: usize = 8 << 20;
/// What a table costs; anything else costs one.
const TABLE_COST: usize = 16;
/// The nesting of a reply beyond which it is no reply of this server.
const PARSED_DEPTH_MAX: usize = 64;

/// The value of the one reply in `bytes`. RESP2's null is false, RESP3's is nil.
pub(super) fn to_lua(lua: &Lua, bytes: &[u8]) -> mlua::Result<Value> {
    let mut reader = Reader { lua, bytes, at: 0 };
    reader.value(0)
}

struct Reader<'r> {
    lua: &'r Lua,
    bytes: &'r [u8],
    at: usize,
}

impl<'r> Reader<'r> {
    fn broken() -> mlua::Error {
        mlua::Error::runtime("a reply cannot be read")
    }

    fn line(&mut self) -> mlua::Result<&'r [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.windows(2).position(|pair| pair == b"\r\n");
        let length = length.ok_or_else(Self::broken)?;
        self.at = self.at.saturating_add(length).saturating_add(2);
        Ok(rest.get(..length).unwrap_or_default())
    }

    fn bulk(&mut self, length: usize) -> mlua::Result<&'r [u8]> {
        let end = self.at.checked_add(length);
        let bytes = end.and_then(|end| self.bytes.get(self.at..end));
        self.at = self.at.saturating_add(length).saturating_add(2);
        bytes.ok_or_else(Self::broken)
    }

    fn text(&self, bytes: &[u8]) -> mlua::Result<Value> {
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn single(&self, name: &str, value: Value) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn value(&mut self, depth: usize) -> mlua::Result<Value> {
        if depth > PARSED_DEPTH_MAX {
            return Err(Self::broken());
        }
        let line = self.line()?;
        let (kind, rest) = line.split_first().ok_or_else(Self::broken)?;
        let number = std::str::from_utf8(rest).ok();
        let number = number.and_then(|text| text.parse::<i64>().ok());
        let count = number.and_then(|number| usize::try_from(number).ok());
        match (kind, count) {
            (b':', _) => Ok(Value::Number(number.ok_or_else(Self::broken)? as f64)),
            (b'+', _) => self.single("ok", self.text(rest)?),
            (b'-', _) => error_table(self.lua, rest, true).map(Value::Table),
            (b'$', Some(length)) => {
                let bytes = self.bulk(length)?;
                self.text(bytes)
            }
            (b'*' | b'>', Some(count)) => self.list(count, depth).map(Value::Table),
            (b'$' | b'*', None) => Ok(Value::Boolean(false)),
            (b'_', _) => Ok(Value::Nil),
            (b'#', _) => Ok(Value::Boolean(rest == b"t")),
            (b',', _) => {
                let text = std::str::from_utf8(rest).map_err(|_| Self::broken())?;
                let double = text.parse::<f64>().map_err(|_| Self::broken())?;
                self.single("double", Value::Number(double))
            }
            (b'(', _) => self.single("big_number", self.text(rest)?),
            (b'=', Some(length)) => {
                let bytes = self.bulk(length)?;
                let verbatim = self.lua.create_table()?;
                let format = bytes.get(..3).unwrap_or_default();
                verbatim.raw_set("format", self.text(format)?)?;
                let text = bytes.get(4..).unwrap_or_default();
                verbatim.raw_set("string", self.text(text)?)?;
                self.single("verbatim_string", Value::Table(verbatim))
            }
            // An attribute stands before the reply it is about; scripts see the reply.
            (b'|', Some(count)) => {
                for _ in 0..count.saturating_mul(2) {
                    self.value(depth.saturating_add(1))?;
                }
                self.value(depth.saturating_add(1))
            }
            (b'%', Some(count)) => {
                let map = self.lua.create_table()?;
                for _ in 0..count {
                    let key = self.value(depth.saturating_add(1))?;
                    let value = self.value(depth.saturating_add(1))?;
                    if !key.is_nil() {
                        map.raw_set(key, value)?;
                    }
                }
                self.single("map", Value::Table(map))
            }
            (b'~', Some(count)) => {
                let set = self.lua.create_table()?;
                for _ in 0..count {
                    let member = self.value(depth.saturating_add(1))?;
                    if !member.is_nil() {
                        set.raw_set(member, true)?;
                    }
                }
                self.single("set", Value::Table(set))
            }
            _ => Err(Self::broken()),
        }
    }

    fn list(&mut self, count: usize, depth: usize) -> mlua::Result<Table> {
        let table = self.lua.create_table()?;
        for index in 1..=count {
            let value = self.value(depth.saturating_add(1))?;
            table.raw_set(index, value)?;
        }
        Ok(table)
    }
}

/// An error as scripts see it. `is_counted`: the statistics know of it already.
pub(super) fn error_table(lua: &Lua, text: &[u8], is_counted: bool) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("err", lua.create_string(text)?)?;
    if is_counted {
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}

/// What stands before the first zero byte: a line of a reply ends there.
pub(super) fn before_zero(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == 0);
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

/// Writes an error of any bytes: line ends become spaces.
pub(super) fn write_error(reply: &mut ReplyBuffer, text: &[u8]) {
    let text = before_zero(text);
    let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
    let text = text.get(..end.map_or(0, |end| end.saturating_add(1)));
    write_line(reply, b'-', text.unwrap_or_default());
}

fn write_line(reply: &mut ReplyBuffer, kind: u8, text: &[u8]) {
    let mut line = Vec::with_capacity(text.len().saturating_add(3));
    line.push(kind);
    line.extend(text.iter().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        other => *other,
    }));
    line.extend_from_slice(b"\r\n");
    reply.raw(&line);
}

/// Writes what a script returned; `version` is the one it chose for itself.
pub(super) fn write(reply: &mut ReplyBuffer, value: &Value, version: Version) -> mlua::Result<()> {
    let mark = reply.checkpoint();
    let mut writer = Writer {
        longest: reply.len().saturating_add(REPLY_MAX_BYTES),
        reply,
        version,
        cost_left: COST_MAX,
    };
    if writer.value(value, 0)? {
        return Ok(());
    }
    reply.rollback(mark);
    write_error(reply, b"ERR the reply of the script is too large");
    Ok(())
}

struct Writer<'w> {
    reply: &'w mut ReplyBuffer,
    version: Version,
    longest: usize,
    cost_left: usize,
}

impl Writer<'_> {
    /// `false` once the reply is too long.
    fn value(&mut self, value: &Value, depth: usize) -> mlua::Result<bool> {
        let cost = if value.is_table() { TABLE_COST } else { 1 };
        self.cost_left = self.cost_left.saturating_sub(cost);
        if self.reply.len() > self.longest || self.cost_left == 0 {
            return Ok(false);
        }
        match value {
            Value::String(text) => self.reply.bulk(&text.as_bytes()),
            Value::Integer(number) => self.reply.integer(*number),
            Value::Number(number) => self.reply.integer(truncated(*number)),
            Value::Boolean(value) if self.version == Version::Three => self.reply.boolean(*value),
            Value::Boolean(true) => self.reply.integer(1),
            Value::Table(table) => return self.table(table, depth.saturating_add(1)),
            _ => self.reply.null(),
        }
        Ok(true)
    }

    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<bool> {
        if depth > DEPTH_MAX {
            write_error(self.reply, b"ERR reached lua stack limit");
            return Ok(true);
        }
        if let Value::String(text) = table.raw_get("err")? {
            write_error(self.reply, &text.as_bytes());
            return Ok(true);
        }
        if let Value::String(text) = table.raw_get("ok")? {
            write_line(self.reply, b'+', before_zero(&text.as_bytes()));
            return Ok(true);
        }
        match table.raw_get("double")? {
            Value::Number(number) => {
                self.reply.double(number);
                return Ok(true);
            }
            Value::Integer(number) => {
                self.reply.double(number as f64);
                return Ok(true);
            }
            _ => {}
        }
        if let Value::Table(map) = table.raw_get("map")? {
            return self.pairs(&map, depth, true);
        }
        if let Value::Table(set) = table.raw_get("set")? {
            return self.pairs(&set, depth, false);
        }
        if let Value::String(text) = table.raw_get("big_number")? {
            let text = text.as_bytes();
            let decimal = String::from_utf8_lossy(before_zero(&text));
            let clean: String = decimal
                .chars()
                .map(|it| if matches!(it, '\r' | '\n') { ' ' } else { it })
                .collect();
            self.reply.big_number(&clean);
            return Ok(true);
        }
        if let Value::Table(verbatim) = table.raw_get("verbatim_string")? {
            let (format, text) = (verbatim.raw_get("format")?, verbatim.raw_get("string")?);
            if let (Value::String(format), Value::String(text)) = (format, text) {
                let mut three = [b' '; 3];
                for (place, byte) in three.iter_mut().zip(format.as_bytes().iter()) {
                    *place = *byte;
                }
                self.reply.verbatim(three, &text.as_bytes());
                return Ok(true);
            }
        }
        self.list(table, depth)
    }

    fn list(&mut self, table: &Table, depth: usize) -> mlua::Result<bool> {
        let mut count = 0_usize;
        loop {
            let next = count.saturating_add(1);
            if table.raw_get::<Value>(next)?.is_nil() {
                break;
            }
            count = next;
        }
        self.reply.array(count);
        for index in 1..=count {
            if !self.value(&table.raw_get(index)?, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn pairs(&mut self, table: &Table, depth: usize, is_map: bool) -> mlua::Result<bool> {
        if depth > DEPTH_MAX {
            write_error(self.reply, b"ERR reached lua stack limit");
            return Ok(true);
        }
        let count = table.pairs::<Value, Value>().count();
        if is_map {
            self.reply.map(count);
        } else {
            self.reply.set(count);
        }
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            let is_whole = self.value(&key, depth)?;
            if !is_whole || (is_map && !self.value(&value, depth)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// As C casts a double to an integer on the machines that the reference runs on.
fn truncated(number: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}
