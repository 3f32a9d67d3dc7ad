//! What the libraries of scripts have in common: how they answer, refuse and read arguments.
//!
//! Owns nothing. A function of a library gives `true` and its results, or `false` and why it
//! refuses; the sandbox makes an error at the script's line of that. Under the lock of the
//! machine, any thread.

use super::number::general;
use mlua::{Lua, MultiValue, Value};

/// Why a function of a library refuses, or what the machine itself lacks.
#[derive(Debug)]
pub(super) enum Failed {
    Text(String),
    /// An error that names no place.
    Bare(&'static str),
    Machine(mlua::Error),
}

impl Failed {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl From<mlua::Error> for Failed {
    fn from(error: mlua::Error) -> Self {
        Self::Machine(error)
    }
}

/// What a function of a library gives.
pub(super) enum Answer {
    Bytes(Vec<u8>),
    Values(Vec<Value>),
}

/// The results as the sandbox takes them.
pub(super) fn answer(lua: &Lua, given: Result<Answer, Failed>) -> mlua::Result<MultiValue> {
    let mut values = vec![Value::Boolean(given.is_ok())];
    match given {
        Ok(Answer::Bytes(bytes)) => values.push(Value::String(lua.create_string(bytes)?)),
        Ok(Answer::Values(more)) => values.extend(more),
        Err(Failed::Text(text)) => values.push(Value::String(lua.create_string(text)?)),
        Err(Failed::Bare(text)) => {
            values.push(Value::String(lua.create_string(text)?));
            values.push(Value::Boolean(true));
        }
        Err(Failed::Machine(error)) => return Err(error),
    }
    Ok(MultiValue::from_vec(values))
}

/// The refusal of an argument.
pub(super) fn argument(number: usize, function: &str, why: &str) -> Failed {
    Failed::Text(format!("bad argument #{number} to '{function}' ({why})"))
}

/// The name of the value's type, as Lua says it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}

/// A number as Lua makes text of it.
pub(super) fn number_text(value: &Value) -> String {
    match value {
        Value::Integer(number) if number.unsigned_abs() < 100_000_000_000_000 => number.to_string(),
        other => general(number_of(other).unwrap_or_default(), 14),
    }
}

/// A number, or text that is one.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(text) => {
            let bytes = text.as_bytes();
            let trimmed = bytes.trim_ascii();
            let (number, taken) = super::number::leading(trimmed)?;
            (taken == trimmed.len()).then_some(number)
        }
        _ => None,
    }
}

/// Sets an integer option, if it is given.
pub(super) fn integer_option(
    function: &str,
    given: &MultiValue,
    index: usize,
    (least, most): (i64, i64),
    option: &mut i64,
) -> Result<(), Failed> {
    let Some(value) = given.get(index).filter(|value| !value.is_nil()) else {
        return Ok(());
    };
    let place = index.saturating_add(1);
    let Some(number) = number_of(value) else {
        let why = format!("number expected, got {}", type_name(value));
        return Err(argument(place, function, &why));
    };
    let number = number as i64;
    if number < least || number > most {
        let why = format!("expected integer between {least} and {most}");
        return Err(argument(place, function, &why));
    }
    *option = number;
    Ok(())
}

/// Sets an option that is on or off, if it is given.
pub(super) fn switch_option(
    function: &str,
    given: &MultiValue,
    option: &mut bool,
) -> Result<(), Failed> {
    match given.front() {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(value)) => *option = *value,
        Some(Value::String(word)) if word.as_bytes() == *b"on" => *option = true,
        Some(Value::String(word)) if word.as_bytes() == *b"off" => *option = false,
        Some(Value::String(word)) => {
            let why = format!("invalid option '{}'", word.to_string_lossy());
            return Err(argument(1, function, &why));
        }
        Some(other) => {
            let why = format!("string expected, got {}", type_name(other));
            return Err(argument(1, function, &why));
        }
    }
    Ok(())
}
