//! What the sandbox gets from the host for good: digests, the log, chance, registration.
//!
//! Owns the small state these share with the runs. Under the lock of the machine, any thread.

use super::cache::digest;
use super::libraries::Registered;
use super::lua::type_name;
use super::metadata::ScriptFlags;
use super::{LogLevel, json, msgpack, packing};
use crate::reply::Version;
use crate::table;
use mlua::{Lua, MultiValue, Table, Value};
use parking_lot::Mutex;
use std::sync::Arc;

/// What a run may change by other ways than commands.
pub(super) struct Shared {
    /// The version in which replies reach the script.
    pub(super) version: Version,
    /// Lines for the server's log.
    pub(super) lines: Vec<(LogLevel, Vec<u8>)>,
    /// The state of `math.random`, which goes on from script to script.
    pub(super) chance: u64,
    /// What the text of a library asks to be registered.
    pub(super) registered: Vec<Registered>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            version: Version::Two,
            lines: Vec::new(),
            chance: 0x1234_abcd_330e,
            registered: Vec::new(),
        }
    }
}

impl Shared {
    /// Before a run.
    pub(super) fn reset(&mut self) {
        let chance = self.chance;
        *self = Self {
            chance,
            ..Self::default()
        };
    }

    /// As `srand48`.
    fn seed(&mut self, seed: u64) {
        self.chance = ((seed & 0xffff_ffff) << 16) | 0x330e;
    }

    /// From 0 to below 1, as the reference draws it with `lrand48`.
    fn random(&mut self) -> f64 {
        let product = self.chance.wrapping_mul(0x0005_deec_e66d);
        self.chance = product.wrapping_add(0xb) & 0xffff_ffff_ffff;
        let drawn = (self.chance >> 17) % u64::from(i32::MAX.unsigned_abs());
        drawn as f64 / f64::from(i32::MAX)
    }
}

type SharedState = Arc<Mutex<Shared>>;

/// Everything the sandbox is built from.
pub(super) fn natives(lua: &Lua, shared: &SharedState) -> mlua::Result<Table> {
    let natives = lua.create_table()?;
    natives.raw_set("libraries", libraries(lua)?)?;
    natives.raw_set("constants", constants(lua)?)?;
    let fresh = lua.create_function(|lua, ()| json::library(lua))?;
    natives.raw_set("new_cjson", fresh)?;
    let own = Arc::clone(shared);
    let random = lua.create_function(move |_, ()| Ok(own.lock().random()))?;
    natives.raw_set("random", random)?;
    let own = Arc::clone(shared);
    let seed = lua.create_function(move |_, seed: f64| {
        own.lock().seed((seed as i64).cast_unsigned());
        Ok(())
    })?;
    natives.raw_set("seed", seed)?;
    let sha1hex = lua.create_function(|lua, value: Value| match value {
        Value::String(text) => lua.create_string(digest(&text.as_bytes())),
        _ => lua.create_string(digest(b"")),
    })?;
    natives.raw_set("sha1hex", sha1hex)?;
    let own = Arc::clone(shared);
    let setresp = lua.create_function(move |_, version: f64| {
        let is_three = (version - 3.0).abs() < 0.5;
        own.lock().version = if is_three {
            Version::Three
        } else {
            Version::Two
        };
        Ok(())
    })?;
    natives.raw_set("setresp", setresp)?;
    let own = Arc::clone(shared);
    let log = lua.create_function(move |_, (level, text): (f64, mlua::LuaString)| {
        let level = match level as i64 {
            0 => LogLevel::Debug,
            1 => LogLevel::Verbose,
            2 => LogLevel::Notice,
            _ => LogLevel::Warning,
        };
        let mut shared = own.lock();
        if shared.lines.len() < LINES_MAX {
            shared.lines.push((level, text.as_bytes().to_vec()));
        }
        Ok(())
    })?;
    natives.raw_set("log", log)?;
    let check = lua.create_function(|lua, words: MultiValue| match acl_verdict(&words) {
        Ok(()) => Ok(Value::Boolean(true)),
        Err(text) => Ok(Value::String(lua.create_string(text)?)),
    })?;
    natives.raw_set("acl_check_cmd", check)?;
    let own = Arc::clone(shared);
    let register = lua.create_function(move |_, given: MultiValue| {
        let mut given = given.into_vec();
        given.remove(0);
        Ok(match registration(&given) {
            Ok(registered) => {
                own.lock().registered.push(registered);
                None
            }
            Err(text) => Some(text),
        })
    })?;
    natives.raw_set("register_function", register)?;
    natives.raw_set(
        "handler",
        lua.create_function(|lua, caught: Value| handler(lua, &caught))?,
    )?;
    Ok(natives)
}

/// Lines of the log that one run may write.
const LINES_MAX: usize = 1000;

fn libraries(lua: &Lua) -> mlua::Result<Table> {
    let libraries = lua.create_table()?;
    libraries.raw_set("cjson", json::library(lua)?)?;
    libraries.raw_set("cmsgpack", msgpack::library(lua)?)?;
    libraries.raw_set("struct", packing::library(lua)?)?;
    Ok(libraries)
}

fn constants(lua: &Lua) -> mlua::Result<Table> {
    let constants = lua.create_table()?;
    for (name, number) in [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
        ("REDIS_VERSION_NUM", 0x0007_0204),
        ("VALKEY_VERSION_NUM", 0x0009_0102),
    ] {
        constants.raw_set(name, f64::from(number))?;
    }
    for (name, text) in [
        ("REDIS_VERSION", "7.2.4"),
        ("VALKEY_VERSION", "9.1.2"),
        ("SERVER_NAME", "valkey"),
    ] {
        constants.raw_set(name, text)?;
    }
    Ok(constants)
}

/// There are no users to ask: every command that exists is allowed.
fn acl_verdict(words: &MultiValue) -> Result<(), &'static str> {
    let mut request: Vec<Vec<u8>> = Vec::new();
    for word in words.iter() {
        match super::run::word(word) {
            Some(word) => request.push(word),
            None => return Err("ERR Command arguments must be strings or integers"),
        }
    }
    if table::find(&request).is_none() {
        return Err("ERR Invalid command passed to server.acl_check_cmd()");
    }
    Ok(())
}

const WHO: &str = "server.register_function";

fn registration(given: &[Value]) -> Result<Registered, String> {
    match given {
        [Value::Table(named)] => named_registration(named),
        [_] => Err(format!(
            "ERR calling {WHO} with a single argument is only applicable to Lua table \
             (representing named arguments)."
        )),
        [name, callback] => {
            let name = super::run::word(name)
                .filter(|_| !matches!(name, Value::Boolean(_)))
                .ok_or(format!("ERR first argument to {WHO} must be a string"))?;
            let Value::Function(callback) = callback else {
                return Err(format!("ERR second argument to {WHO} must be a function"));
            };
            Ok(Registered {
                name,
                callback: callback.clone(),
                flags: ScriptFlags::default(),
                description: None,
            })
        }
        _ => Err(format!("ERR wrong number of arguments to {WHO}")),
    }
}

fn named_registration(named: &Table) -> Result<Registered, String> {
    let (mut name, mut callback, mut description) = (None, None, None);
    let mut flags = ScriptFlags::default();
    for pair in named.pairs::<Value, Value>() {
        let (key, value) = match pair {
            Ok((Value::String(key), value)) => (key, value),
            // A number is as good as a string to the reference, but no name it knows.
            Ok((Value::Integer(_) | Value::Number(_), _)) => {
                return Err(format!("ERR unknown argument given to {WHO}"));
            }
            _ => {
                let what = "is not a string";
                return Err(format!("ERR named argument key given to {WHO} {what}"));
            }
        };
        let key = key.to_string_lossy();
        match (&*key, value) {
            ("function_name", value) => {
                name = Some(super::run::word(&value).ok_or(format!(
                    "ERR function_name argument given to {WHO} must be a string"
                ))?);
            }
            ("description", value) => {
                description = Some(super::run::word(&value).ok_or(format!(
                    "ERR description argument given to {WHO} must be a string"
                ))?);
            }
            ("callback", Value::Function(function)) => callback = Some(function),
            ("callback", _) => {
                return Err(format!(
                    "ERR callback argument given to {WHO} must be a function"
                ));
            }
            ("flags", Value::Table(list)) => {
                for index in 1.. {
                    match list.raw_get(index) {
                        Ok(Value::Nil) => break,
                        Ok(Value::String(flag)) if flags.add(&flag.as_bytes()) => {}
                        _ => return Err("ERR unknown flag given".to_owned()),
                    }
                }
            }
            ("flags", _) => {
                return Err(format!(
                    "ERR flags argument to {WHO} must be a table representing function flags"
                ));
            }
            _ => return Err(format!("ERR unknown argument given to {WHO}")),
        }
    }
    let name = name.ok_or(format!("ERR {WHO} must get a function name argument"))?;
    let callback = callback.ok_or(format!("ERR {WHO} must get a callback argument"))?;
    Ok(Registered {
        name,
        callback,
        flags,
        description,
    })
}

/// Makes a table of whatever ended a script: the text, and where in the script it was.
fn handler(lua: &Lua, caught: &Value) -> mlua::Result<Table> {
    let made = lua.create_table()?;
    let mut is_counted = Value::Nil;
    let text: Vec<u8> = match caught {
        Value::Table(table) => {
            is_counted = table.raw_get("ignore_error_stats_update")?;
            match table.raw_get("err")? {
                Value::String(text) => text.as_bytes().to_vec(),
                number @ (Value::Integer(_) | Value::Number(_)) => {
                    super::lua::number_text(&number).into_bytes()
                }
                _ => b"ERR unknown error".to_vec(),
            }
        }
        Value::String(text) => [b"ERR ", &*text.as_bytes()].concat(),
        Value::Error(error) => format!("ERR {}", machine_text(error)).into_bytes(),
        Value::Integer(_) | Value::Number(_) => {
            format!("ERR {}", super::lua::number_text(caught)).into_bytes()
        }
        Value::Boolean(value) => format!("ERR {value}").into_bytes(),
        Value::LightUserData(_) => b"ERR userdata: (nil)".to_vec(),
        other => format!("ERR {}", type_name(other)).into_bytes(),
    };
    let text = super::replies::before_zero(&text);
    made.raw_set("err", lua.create_string(text)?)?;
    made.raw_set("ignore_error_stats_update", is_counted)?;
    for level in 1..32 {
        let place = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source.as_deref().unwrap_or_default().to_owned();
            // What LuaJIT wrote in Lua itself has no lines.
            let line = debug.current_line().filter(|line| *line > 0);
            (source.what != "C" && name != super::machine::PRELUDE_NAME && line.is_some())
                .then_some((name, line))
        });
        match place {
            None => break,
            Some(Some((source, Some(line)))) => {
                made.raw_set("source", source)?;
                made.raw_set("line", line as f64)?;
                break;
            }
            Some(_) => {}
        }
    }
    Ok(made)
}

/// What the machine itself says went wrong, in its words.
pub(super) fn machine_text(error: &mlua::Error) -> String {
    match error {
        mlua::Error::RuntimeError(text) => text.lines().next().unwrap_or_default().to_owned(),
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::MemoryError(_) => "not enough memory".to_owned(),
        mlua::Error::CallbackError { cause, .. } => machine_text(cause),
        mlua::Error::StackError => "stack overflow".to_owned(),
        other => other
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}
