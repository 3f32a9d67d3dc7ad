//! `cjson` for scripts: its texts, its limits, its errors.
//!
//! Owns the settings of each `cjson` table. Nothing is made from a declared length, and
//! nesting is bounded, so hostile text costs a small multiple of its size. Under the lock of
//! the machine, any thread.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use super::lua::{
    Answer, Failed, argument, integer_option, number_of, number_text, switch_option, type_name,
};
use super::number::{general, leading};
use mlua::{Lua, MultiValue, Table, Value};
use parking_lot::Mutex;
use std::sync::Arc;

/// The deepest nesting that settings may allow: each level takes stack.
const DEPTH_MAX: usize = 1000;

/// The settings of one `cjson` table.
#[derive(Clone, Debug)]
struct Options {
    converts_sparse: bool,
    sparse_ratio: i64,
    sparse_safe: i64,
    encode_depth: i64,
    decode_depth: i64,
    precision: i64,
    keeps_buffer: bool,
    /// 0 refuses, 1 writes them, 2 writes null.
    encodes_invalid: u8,
    decodes_invalid: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            converts_sparse: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1000,
            decode_depth: 1000,
            precision: 14,
            keeps_buffer: true,
            encodes_invalid: 0,
            decodes_invalid: true,
        }
    }
}

/// A table of the library's functions with settings of its own.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let options = Arc::new(Mutex::new(Options::default()));
    let table = lua.create_table()?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    table.raw_set("null", Value::NULL)?;
    let own = Arc::clone(&options);
    let encode = move |lua: &Lua, given: MultiValue| {
        let encoded = encode(&own.lock().clone(), &given);
        super::lua::answer(lua, encoded.map(Answer::Bytes))
    };
    table.raw_set("encode", lua.create_function(encode)?)?;
    let own = Arc::clone(&options);
    let decode = move |lua: &Lua, given: MultiValue| {
        let decoded = decode(lua, &own.lock().clone(), &given);
        super::lua::answer(lua, decoded)
    };
    table.raw_set("decode", lua.create_function(decode)?)?;
    add_settings(lua, &table, &options)?;
    Ok(table)
}

type Setting = fn(&mut Options, &MultiValue) -> Result<Vec<Value>, Failed>;

fn add_settings(lua: &Lua, table: &Table, options: &Arc<Mutex<Options>>) -> mlua::Result<()> {
    let settings: [(&str, Setting); 7] = [
        ("encode_max_depth", |options, given| {
            let name = "encode_max_depth";
            integer_option(
                name,
                given,
                0,
                (1, i64::from(i32::MAX)),
                &mut options.encode_depth,
            )?;
            Ok(vec![Value::Number(options.encode_depth as f64)])
        }),
        ("decode_max_depth", |options, given| {
            let name = "decode_max_depth";
            integer_option(
                name,
                given,
                0,
                (1, i64::from(i32::MAX)),
                &mut options.decode_depth,
            )?;
            Ok(vec![Value::Number(options.decode_depth as f64)])
        }),
        ("encode_number_precision", |options, given| {
            let name = "encode_number_precision";
            integer_option(name, given, 0, (1, 14), &mut options.precision)?;
            Ok(vec![Value::Number(options.precision as f64)])
        }),
        ("encode_sparse_array", |options, given| {
            let name = "encode_sparse_array";
            let bounds = (0, i64::from(i32::MAX));
            switch_option(name, given, &mut options.converts_sparse)?;
            integer_option(name, given, 1, bounds, &mut options.sparse_ratio)?;
            integer_option(name, given, 2, bounds, &mut options.sparse_safe)?;
            Ok(vec![
                Value::Boolean(options.converts_sparse),
                Value::Number(options.sparse_ratio as f64),
                Value::Number(options.sparse_safe as f64),
            ])
        }),
        ("encode_keep_buffer", |options, given| {
            switch_option("encode_keep_buffer", given, &mut options.keeps_buffer)?;
            Ok(vec![Value::Boolean(options.keeps_buffer)])
        }),
        ("decode_invalid_numbers", |options, given| {
            switch_option(
                "decode_invalid_numbers",
                given,
                &mut options.decodes_invalid,
            )?;
            Ok(vec![Value::Boolean(options.decodes_invalid)])
        }),
        ("encode_invalid_numbers", |options, given| {
            let is_null =
                matches!(given.front(), Some(Value::String(word)) if word.as_bytes() == *b"null");
            if is_null {
                options.encodes_invalid = 2;
            } else if given.front().is_some_and(|it| !it.is_nil()) {
                let mut writes = options.encodes_invalid == 1;
                switch_option("encode_invalid_numbers", given, &mut writes)?;
                options.encodes_invalid = u8::from(writes);
            }
            Ok(vec![Value::Boolean(options.encodes_invalid > 0)])
        }),
    ];
    for (name, set) in settings {
        let own = Arc::clone(options);
        let call = move |lua: &Lua, given: MultiValue| {
            let set = set(&mut own.lock(), &given);
            super::lua::answer(lua, set.map(Answer::Values))
        };
        table.raw_set(name, lua.create_function(call)?)?;
    }
    Ok(())
}

// ---------------------------------------------------------------- encoding

fn encode(options: &Options, given: &MultiValue) -> Result<Vec<u8>, Failed> {
    let [value] = given.as_slices().0 else {
        return Err(argument(1, "encode", "expected 1 argument"));
    };
    let mut out = Vec::new();
    put(options, value, 0, &mut out)?;
    Ok(out)
}

fn cannot(what: &str, why: &str) -> Failed {
    Failed::new(format!("Cannot serialise {what}: {why}"))
}

fn put(options: &Options, value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Failed> {
    match value {
        Value::String(text) => put_text(&text.as_bytes(), out),
        Value::Integer(number) => put_number(options, *number as f64, out)?,
        Value::Number(number) => put_number(options, *number, out)?,
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Nil => out.extend_from_slice(b"null"),
        Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
        Value::Table(table) => put_table(options, table, depth.saturating_add(1), out)?,
        other => return Err(cannot(type_name(other), "type not supported")),
    }
    Ok(())
}

fn put_number(options: &Options, number: f64, out: &mut Vec<u8>) -> Result<(), Failed> {
    if !number.is_finite() {
        match options.encodes_invalid {
            0 => return Err(cannot("number", "must not be NaN or Inf")),
            1 => {}
            _ => {
                out.extend_from_slice(b"null");
                return Ok(());
            }
        }
    }
    let precision = usize::try_from(options.precision).unwrap_or(14);
    out.extend_from_slice(general(number, precision).as_bytes());
    Ok(())
}

fn put_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'/' => out.extend_from_slice(b"\\/"),
            8 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..=31 | 127 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => out.push(*other),
        }
    }
    out.push(b'"');
}

/// The length of a table that is an array: all keys are positive integers.
fn array_length(options: &Options, table: &Table) -> Result<Option<i64>, Failed> {
    let (mut longest, mut items) = (0_i64, 0_i64);
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair?;
        let index = match key {
            // The reference counts in 32 bits.
            Value::Integer(index) if (1..=i64::from(i32::MAX)).contains(&index) => index,
            _ => return Ok(None),
        };
        longest = longest.max(index);
        items = items.saturating_add(1);
    }
    let is_sparse = options.sparse_ratio > 0
        && longest > items.saturating_mul(options.sparse_ratio)
        && longest > options.sparse_safe;
    if is_sparse {
        if !options.converts_sparse {
            return Err(cannot("table", "excessively sparse array"));
        }
        return Ok(None);
    }
    Ok((longest > 0).then_some(longest))
}

fn put_table(
    options: &Options,
    table: &Table,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let most = usize::try_from(options.encode_depth).unwrap_or(DEPTH_MAX);
    if depth > most.min(DEPTH_MAX) {
        let text = format!("Cannot serialise, excessive nesting ({depth})");
        return Err(Failed::new(text));
    }
    if let Some(length) = array_length(options, table)? {
        out.push(b'[');
        for index in 1..=length {
            if index > 1 {
                out.push(b',');
            }
            let value: Value = table.raw_get(index)?;
            put(options, &value, depth, out)?;
        }
        out.push(b']');
        return Ok(());
    }
    out.push(b'{');
    let mut is_first = true;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        match &key {
            Value::String(text) => put_text(&text.as_bytes(), out),
            Value::Integer(_) | Value::Number(_) => {
                out.push(b'"');
                let number = number_of(&key).unwrap_or_default();
                put_number(options, number, out)?;
                out.push(b'"');
            }
            other => {
                let why = "table key must be a number or string";
                return Err(cannot(type_name(other), why));
            }
        }
        out.push(b':');
        put(options, &value, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

// ---------------------------------------------------------------- decoding

fn decode(lua: &Lua, options: &Options, given: &MultiValue) -> Result<Answer, Failed> {
    let [value] = given.as_slices().0 else {
        return Err(argument(1, "decode", "expected 1 argument"));
    };
    let text = match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Integer(_) | Value::Number(_) => number_text(value).into_bytes(),
        other => {
            let why = format!("string expected, got {}", type_name(other));
            return Err(argument(1, "decode", &why));
        }
    };
    if text.len() >= 2 && text.iter().take(2).any(|byte| *byte == 0) {
        return Err(Failed::new("JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut parser = Parser {
        lua,
        options,
        text: &text,
        at: 0,
        depth: 0,
    };
    let first = parser.token()?;
    let value = parser.value(first)?;
    let last = parser.token()?;
    if !matches!(last.kind, Kind::End) {
        return Err(last.unexpected("the end"));
    }
    Ok(Answer::Values(vec![value]))
}

enum Kind {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Wrong(&'static str),
}

struct Token {
    kind: Kind,
    /// Where it starts, from 0.
    at: usize,
}

impl Token {
    fn unexpected(&self, expected: &str) -> Failed {
        let found = match self.kind {
            Kind::ObjectBegin => "T_OBJ_BEGIN",
            Kind::ObjectEnd => "T_OBJ_END",
            Kind::ArrayBegin => "T_ARR_BEGIN",
            Kind::ArrayEnd => "T_ARR_END",
            Kind::Text(_) => "T_STRING",
            Kind::Number(_) => "T_NUMBER",
            Kind::Boolean(_) => "T_BOOLEAN",
            Kind::Null => "T_NULL",
            Kind::Colon => "T_COLON",
            Kind::Comma => "T_COMMA",
            Kind::End => "T_END",
            Kind::Wrong(why) => why,
        };
        let place = self.at.saturating_add(1);
        Failed::new(format!(
            "Expected {expected} but found {found} at character {place}"
        ))
    }
}

struct Parser<'p> {
    lua: &'p Lua,
    options: &'p Options,
    text: &'p [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn token(&mut self) -> Result<Token, Failed> {
        while matches!(self.rest().first(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at = self.at.saturating_add(1);
        }
        let at = self.at;
        // A zero byte ends the text as well.
        let Some(&byte) = self.rest().first().filter(|byte| **byte != 0) else {
            return Ok(Token {
                kind: Kind::End,
                at,
            });
        };
        let single = match byte {
            b'{' => Some(Kind::ObjectBegin),
            b'}' => Some(Kind::ObjectEnd),
            b'[' => Some(Kind::ArrayBegin),
            b']' => Some(Kind::ArrayEnd),
            b':' => Some(Kind::Colon),
            b',' => Some(Kind::Comma),
            _ => None,
        };
        if let Some(kind) = single {
            self.at = at.saturating_add(1);
            return Ok(Token { kind, at });
        }
        if byte == b'"' {
            return Ok(self.text_token());
        }
        for (word, kind) in [
            (&b"true"[..], Kind::Boolean(true)),
            (b"false", Kind::Boolean(false)),
            (b"null", Kind::Null),
        ] {
            if self.rest().starts_with(word) {
                self.at = at.saturating_add(word.len());
                return Ok(Token { kind, at });
            }
        }
        let is_plain = byte == b'-' || byte.is_ascii_digit();
        let is_odd = self.is_odd_number();
        let kind = if !is_plain && (!is_odd || !self.options.decodes_invalid) {
            Kind::Wrong("invalid token")
        } else if is_odd && !self.options.decodes_invalid {
            Kind::Wrong("invalid number")
        } else if let Some((number, taken)) = leading(self.rest()) {
            self.at = at.saturating_add(taken);
            Kind::Number(number)
        } else {
            Kind::Wrong("invalid number")
        };
        Ok(Token { kind, at })
    }

    /// A number that JSON does not know: hexadecimal, with a leading zero or plus, infinite.
    fn is_odd_number(&self) -> bool {
        let mut rest = self.rest();
        if rest.first() == Some(&b'+') {
            return true;
        }
        if rest.first() == Some(&b'-') {
            rest = rest.get(1..).unwrap_or_default();
        }
        match rest {
            [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
            [b'0', ..] => false,
            [first, second, third, ..] => {
                let word = [*first, *second, *third].map(|byte| byte.to_ascii_lowercase());
                matches!(&word, b"inf" | b"nan")
            }
            _ => false,
        }
    }

    fn text_token(&mut self) -> Token {
        let at = self.at;
        let mut text = Vec::new();
        let mut next = at.saturating_add(1);
        loop {
            let Some(&byte) = self.text.get(next) else {
                let kind = Kind::Wrong("unexpected end of string");
                return Token { kind, at: next };
            };
            match byte {
                b'"' => break,
                b'\\' => {
                    let escaped = self.text.get(next.saturating_add(1)).copied();
                    let plain = match escaped {
                        Some(escaped @ (b'"' | b'\\' | b'/')) => Some(escaped),
                        Some(b'b') => Some(8),
                        Some(b't') => Some(b'\t'),
                        Some(b'n') => Some(b'\n'),
                        Some(b'f') => Some(12),
                        Some(b'r') => Some(b'\r'),
                        _ => None,
                    };
                    if let Some(plain) = plain {
                        text.push(plain);
                        next = next.saturating_add(2);
                    } else if escaped == Some(b'u') {
                        let Some((decoded, taken)) = self.unicode(next) else {
                            let kind = Kind::Wrong("invalid unicode escape code");
                            return Token { kind, at: next };
                        };
                        let mut bytes = [0; 4];
                        text.extend_from_slice(decoded.encode_utf8(&mut bytes).as_bytes());
                        next = next.saturating_add(taken);
                    } else {
                        let kind = Kind::Wrong("invalid escape code");
                        return Token { kind, at: next };
                    }
                }
                other => {
                    text.push(other);
                    next = next.saturating_add(1);
                }
            }
        }
        self.at = next.saturating_add(1);
        Token {
            kind: Kind::Text(text),
            at,
        }
    }

    /// The character of the escape at `from`, and how many bytes it and its other half take.
    fn unicode(&self, from: usize) -> Option<(char, usize)> {
        let unit = |from: usize| {
            let escape = self.text.get(from..from.checked_add(6)?)?;
            let digits = escape.strip_prefix(b"\\u")?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let first = unit(from)?;
        if !(0xd800..0xe000).contains(&first) {
            return Some((char::from_u32(first.into())?, 6));
        }
        let second = unit(from.checked_add(6)?)?;
        let mut both = char::decode_utf16([first, second]);
        Some((both.next()?.ok()?, 12))
    }

    fn value(&mut self, token: Token) -> Result<Value, Failed> {
        Ok(match token.kind {
            Kind::Text(text) => Value::String(self.lua.create_string(text)?),
            Kind::Number(number) => Value::Number(number),
            Kind::Boolean(value) => Value::Boolean(value),
            Kind::Null => Value::NULL,
            Kind::ObjectBegin => self.nested(&token, Self::object)?,
            Kind::ArrayBegin => self.nested(&token, Self::array)?,
            _ => return Err(token.unexpected("value")),
        })
    }

    fn nested(
        &mut self,
        token: &Token,
        parse: fn(&mut Self) -> Result<Table, Failed>,
    ) -> Result<Value, Failed> {
        self.depth = self.depth.saturating_add(1);
        let most = usize::try_from(self.options.decode_depth).unwrap_or(DEPTH_MAX);
        if self.depth > most.min(DEPTH_MAX) {
            let (depth, place) = (self.depth, token.at.saturating_add(1));
            return Err(Failed::new(format!(
                "Found too many nested data structures ({depth}) at character {place}"
            )));
        }
        let table = parse(self)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(Value::Table(table))
    }

    fn object(&mut self) -> Result<Table, Failed> {
        let table = self.lua.create_table()?;
        let mut token = self.token()?;
        if matches!(token.kind, Kind::ObjectEnd) {
            return Ok(table);
        }
        loop {
            let Kind::Text(key) = token.kind else {
                return Err(token.unexpected("object key string"));
            };
            let colon = self.token()?;
            if !matches!(colon.kind, Kind::Colon) {
                return Err(colon.unexpected("colon"));
            }
            let first = self.token()?;
            let value = self.value(first)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            let after = self.token()?;
            match after.kind {
                Kind::ObjectEnd => return Ok(table),
                Kind::Comma => token = self.token()?,
                _ => return Err(after.unexpected("comma or object end")),
            }
        }
    }

    fn array(&mut self) -> Result<Table, Failed> {
        let table = self.lua.create_table()?;
        let mut token = self.token()?;
        if matches!(token.kind, Kind::ArrayEnd) {
            return Ok(table);
        }
        let mut index = 1_i64;
        loop {
            let value = self.value(token)?;
            table.raw_set(index, value)?;
            index = index.saturating_add(1);
            let after = self.token()?;
            match after.kind {
                Kind::ArrayEnd => return Ok(table),
                Kind::Comma => token = self.token()?,
                _ => return Err(after.unexpected("comma or array end")),
            }
        }
    }
}
