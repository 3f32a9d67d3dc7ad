//! The commands that need the machine: EVAL and FCALL and their kin, SCRIPT, FUNCTION.
//!
//! Owns what they check and reply. Does not own the keys: the host does. Under the lock of
//! the machine, any thread.

use super::machine::Machine;
use super::metadata;
use super::metadata::ScriptFlags;
use super::replies::write_error;
use super::run::Run;
use super::{Host, Stop};
use crate::arguments::parse_integer;
use crate::error::CommandError;
use crate::glob::{Case, matches};
use crate::reply::ReplyBuffer;
use crate::table::{Command, Flag, Group};
use std::sync::Arc;
use thermocline_types::rdb::restore_libraries;

/// What the texts of all libraries may take, in bytes.
pub const LIBRARIES_MAX_BYTES: usize = 256 << 20;

/// Whether the command runs with the machine. Those that only look at the run at hand or
/// explain themselves do not: they have to work while another has it.
#[must_use]
pub fn is_of_scripts(command: &Command) -> bool {
    let is_apart = matches!(
        command.name,
        "script|kill"
            | "script|debug"
            | "script|help"
            | "function|kill"
            | "function|stats"
            | "function|help"
    );
    command.group == Group::Scripting && command.subcommands.is_empty() && !is_apart
}

/// Why a command got an error as its reply, or was abandoned.
enum Refused {
    Text(Vec<u8>),
    Stop(Stop),
}

impl From<Stop> for Refused {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Self {
        Self::Text(error.text().to_vec())
    }
}

impl From<String> for Refused {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}

fn refuse<T>(text: &str) -> Result<T, Refused> {
    Err(Refused::Text(text.as_bytes().to_vec()))
}

/// The name stands in it as it was given.
fn unknown_subcommand(name: &[u8]) -> Refused {
    let before = b"ERR unknown subcommand or wrong number of arguments for '";
    Refused::Text([&before[..], name, b"'. Try FUNCTION HELP."].concat())
}

type Performed = Result<(), Refused>;

/// How long a digest is that may name a script.
const DIGEST_BYTES: usize = 40;
const NO_SCRIPT: &str = "NOSCRIPT No matching script.";

/// What a command works with.
pub(crate) struct Performance<'p> {
    pub(crate) command: &'static Command,
    pub(crate) words: &'p [&'p [u8]],
    /// Whether it may take all the time it wants.
    pub(crate) is_patient: bool,
    /// Whether writes are paused, and scripts that may write with them.
    pub(crate) is_paused: bool,
    pub(crate) host: &'p mut dyn Host,
    pub(crate) reply: &'p mut ReplyBuffer,
}

impl Machine {
    /// Runs a command of scripts; its reply or error is written.
    pub(crate) fn perform(&mut self, mut performance: Performance<'_>) -> Result<(), Stop> {
        let mark = performance.reply.checkpoint();
        let it = &mut performance;
        let performed = match it.command.name {
            "eval" | "eval_ro" => self.eval(it),
            "evalsha" | "evalsha_ro" => self.evalsha(it),
            "fcall" | "fcall_ro" => self.fcall(it),
            "script|load" => self.script_load(it),
            "script|exists" => self.script_exists(it),
            "script|show" => self.script_show(it),
            "script|flush" => self.script_flush(it),
            name => self.perform_function(name, it),
        };
        match performed {
            Ok(()) => Ok(()),
            Err(Refused::Text(text)) => {
                performance.reply.rollback(mark);
                write_error(performance.reply, &text);
                Ok(())
            }
            Err(Refused::Stop(stop)) => Err(stop),
        }
    }

    // ------------------------------------------------------------ running

    fn eval(&mut self, it: &mut Performance<'_>) -> Performed {
        let (keys, arguments) = split_keys(it.words, &CommandError::NotInteger)?;
        let (_, script) = self.script(it.words[1], true)?;
        self.run_with(it, script.function, script.flags, false, keys, arguments)
    }

    fn evalsha(&mut self, it: &mut Performance<'_>) -> Performed {
        if it.words[1].len() != DIGEST_BYTES {
            return refuse(NO_SCRIPT);
        }
        let (keys, arguments) = split_keys(it.words, &CommandError::NotInteger)?;
        let Some(script) = self.cache.get(it.words[1]) else {
            return refuse(NO_SCRIPT);
        };
        self.run_with(it, script.function, script.flags, false, keys, arguments)
    }

    fn fcall(&mut self, it: &mut Performance<'_>) -> Performed {
        self.load_libraries(it.host)?;
        let Some(function) = self.libraries.function(it.words[1]).cloned() else {
            return refuse("ERR Function not found");
        };
        let bad = CommandError::BadKeyCount;
        let (keys, arguments) = split_keys(it.words, &bad)?;
        let flags = Some(function.flags);
        self.run_with(it, function.callback, flags, true, keys, arguments)
    }

    fn run_with(
        &mut self,
        it: &mut Performance<'_>,
        function: Arc<mlua::Function>,
        flags: Option<ScriptFlags>,
        is_function: bool,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Performed {
        let is_read_only = it.command.flags.contains(Flag::Readonly);
        let (may_write, allows_oom) = Run::rights(flags, is_read_only);
        if may_write && it.is_paused {
            return Err(Refused::Stop(Stop::Paused));
        }
        if let Some(flags) = flags {
            if is_read_only && flags.writes() {
                return refuse("ERR Can not execute a script with write flag using *_ro command.");
            }
            let refusal = flags
                .writes()
                .then(|| it.host.refusal(it.command))
                .flatten();
            match refusal {
                Some(CommandError::OutOfMemory) if allows_oom => {}
                Some(error) => return Err(error.into()),
                None => {}
            }
        }
        let run = Run {
            function,
            is_function,
            keys,
            arguments,
            may_write,
            allows_oom,
        };
        Ok(Self::run(self, &run, it.is_patient, it.host, it.reply)?)
    }

    // ------------------------------------------------------------ SCRIPT

    fn script_load(&mut self, it: &mut Performance<'_>) -> Performed {
        let (sha, _) = self.script(it.words[2], false)?;
        it.reply.bulk(&sha);
        Ok(())
    }

    fn script_exists(&mut self, it: &mut Performance<'_>) -> Performed {
        let digests = &it.words[2..];
        it.reply.array(digests.len());
        for sha in digests {
            it.reply.integer(i64::from(self.cache.contains(sha)));
        }
        Ok(())
    }

    fn script_show(&mut self, it: &mut Performance<'_>) -> Performed {
        let Some(script) = self.cache.peek(it.words[2]) else {
            return refuse(NO_SCRIPT);
        };
        it.reply.bulk(&script.text);
        Ok(())
    }

    fn script_flush(&mut self, it: &mut Performance<'_>) -> Performed {
        if !is_flush(&it.words[2..]) {
            return refuse("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
        }
        self.cache.clear();
        let _ = self.lua.gc_collect();
        it.reply.simple("OK");
        Ok(())
    }

    // ------------------------------------------------------------ FUNCTION

    fn perform_function(&mut self, name: &str, it: &mut Performance<'_>) -> Performed {
        self.load_libraries(it.host)?;
        match name {
            "function|load" => self.function_load(it),
            "function|delete" => self.function_delete(it),
            "function|flush" => self.function_flush(it),
            "function|list" => self.function_list(it),
            "function|dump" => {
                it.reply.bulk(&self.libraries.dump());
                Ok(())
            }
            _ => self.function_restore(it),
        }
    }

    /// Loads what the store keeps, if it is not loaded: after what was taken back.
    fn load_libraries(&mut self, host: &mut dyn Host) -> Result<(), Stop> {
        if self.is_loaded {
            return Ok(());
        }
        let kept = host.libraries()?;
        self.load_kept(kept.as_deref());
        Ok(())
    }

    /// Loads what the store keeps.
    pub(crate) fn load_kept(&mut self, kept: Option<&[u8]>) {
        self.libraries = super::libraries::Libraries::default();
        for text in texts_of(kept) {
            // It was loaded once; if it cannot be now, the others can.
            let _ = self.add_library(&text, true);
        }
        self.is_loaded = true;
    }

    fn keep_libraries(&mut self, host: &mut dyn Host) -> Result<(), Stop> {
        let dump = (self.libraries.len() > 0).then(|| self.libraries.dump());
        let kept = host.keep_libraries(dump.as_deref());
        if kept.is_err() {
            self.is_loaded = false;
        }
        kept
    }

    /// Loads a library; its name.
    fn add_library(&mut self, text: &[u8], replaces: bool) -> Result<Vec<u8>, Refused> {
        let parts = metadata::library(text)?;
        if !replaces && self.libraries.contains(&parts.name) {
            let name = String::from_utf8_lossy(&parts.name).into_owned();
            return Err(format!("ERR Library '{name}' already exists").into());
        }
        let chunk = self.library(parts.body)?;
        self.run_library(&chunk).map_err(Refused::Text)?;
        let registered = std::mem::take(&mut self.shared.lock().registered);
        if let Some(why) = self.libraries.refusal(&parts.name, &registered) {
            return Err(why.into());
        }
        self.libraries.add(parts.name.clone(), text, registered);
        Ok(parts.name)
    }

    fn function_load(&mut self, it: &mut Performance<'_>) -> Performed {
        let (text, options) = match it.words {
            [_, _, options @ .., text] => (*text, options),
            _ => return Err(CommandError::Syntax.into()),
        };
        for option in options {
            if !option.eq_ignore_ascii_case(b"replace") {
                let text = [&b"ERR Unknown option given: "[..], option].concat();
                return Err(Refused::Text(text));
            }
        }
        let name = self.add_library(text, !options.is_empty())?;
        self.keep_libraries(it.host)?;
        it.reply.bulk(&name);
        Ok(())
    }

    fn function_delete(&mut self, it: &mut Performance<'_>) -> Performed {
        if !self.libraries.remove(it.words[2]) {
            return refuse("ERR Library not found");
        }
        self.keep_libraries(it.host)?;
        it.reply.simple("OK");
        Ok(())
    }

    fn function_flush(&mut self, it: &mut Performance<'_>) -> Performed {
        let options = &it.words[2..];
        if options.len() > 1 {
            return Err(unknown_subcommand(it.words[1]));
        }
        if !is_flush(options) {
            return refuse("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
        }
        self.libraries = super::libraries::Libraries::default();
        self.keep_libraries(it.host)?;
        let _ = self.lua.gc_collect();
        it.reply.simple("OK");
        Ok(())
    }

    fn function_list(&mut self, it: &mut Performance<'_>) -> Performed {
        let (mut pattern, mut with_code) = (None, false);
        let mut options = it.words[2..].iter();
        while let Some(option) = options.next() {
            if !with_code && option.eq_ignore_ascii_case(b"withcode") {
                with_code = true;
            } else if pattern.is_none() && option.eq_ignore_ascii_case(b"libraryname") {
                let Some(given) = options.next() else {
                    return refuse("ERR library name argument was not given");
                };
                pattern = Some(*given);
            } else {
                let text = [&b"ERR Unknown argument "[..], option].concat();
                return Err(Refused::Text(text));
            }
        }
        let is_shown = |name: &&Vec<u8>| {
            pattern.is_none_or(|pattern| matches(pattern, name, Case::Insensitive))
        };
        let shown = self.libraries.iter().filter(|(name, _)| is_shown(name));
        let shown: Vec<_> = shown.collect();
        it.reply.array(shown.len());
        for (name, library) in shown {
            it.reply.map(if with_code { 4 } else { 3 });
            it.reply.bulk(b"library_name");
            it.reply.bulk(name);
            it.reply.bulk(b"engine");
            it.reply.bulk(b"LUA");
            it.reply.bulk(b"functions");
            it.reply.array(library.functions.len());
            for function in &library.functions {
                self.show_function(function, it.reply);
            }
            if with_code {
                it.reply.bulk(b"library_code");
                it.reply.bulk(&library.text);
            }
        }
        Ok(())
    }

    fn show_function(&self, name: &[u8], reply: &mut ReplyBuffer) {
        let function = self.libraries.named(name);
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"description");
        match function.and_then(|function| function.description.as_ref()) {
            Some(text) => reply.bulk(text),
            None => reply.null(),
        }
        reply.bulk(b"flags");
        let flags = function.map(|function| function.flags).unwrap_or_default();
        reply.set(flags.names().count());
        for flag in flags.names() {
            reply.simple(flag);
        }
    }

    fn function_restore(&mut self, it: &mut Performance<'_>) -> Performed {
        let policy = match it.words {
            [_, _, _] => Policy::Append,
            [_, _, _, policy] if policy.eq_ignore_ascii_case(b"append") => Policy::Append,
            [_, _, _, policy] if policy.eq_ignore_ascii_case(b"replace") => Policy::Replace,
            [_, _, _, policy] if policy.eq_ignore_ascii_case(b"flush") => Policy::Flush,
            [_, _, _, _] => {
                return refuse(
                    "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
                );
            }
            _ => {
                return Err(unknown_subcommand(it.words[1]));
            }
        };
        let texts = match restore_libraries(it.words[2], LIBRARIES_MAX_BYTES) {
            Ok(texts) => texts,
            Err(thermocline_types::rdb::RdbError::VersionOrChecksum) => {
                return refuse("ERR DUMP payload version or checksum are wrong");
            }
            Err(thermocline_types::rdb::RdbError::UnknownType { .. }) => {
                return refuse("ERR given type is not a function");
            }
            Err(_) => return refuse("ERR failed loading payload"),
        };
        // All or none: what was there comes back if one of them cannot be loaded.
        let before = self.libraries.dump();
        if policy == Policy::Flush {
            self.libraries = super::libraries::Libraries::default();
        }
        for text in &texts {
            // The reference puts no quotes around the name here.
            let known = metadata::library(text).ok().map(|parts| parts.name);
            let known = known.filter(|name| self.libraries.contains(name));
            let added = match known {
                Some(name) if policy != Policy::Replace => {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    Err(format!("ERR Library {name} already exists").into())
                }
                _ => self.add_library(text, true),
            };
            if let Err(refused) = added {
                self.libraries = super::libraries::Libraries::default();
                for text in texts_of(Some(&before)) {
                    let _ = self.add_library(&text, true);
                }
                return Err(refused);
            }
        }
        self.keep_libraries(it.host)?;
        it.reply.simple("OK");
        Ok(())
    }
}

/// How FUNCTION RESTORE treats what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Append,
    Replace,
    Flush,
}

fn texts_of(payload: Option<&[u8]>) -> Vec<Vec<u8>> {
    let texts = payload.map(|payload| restore_libraries(payload, usize::MAX));
    texts.and_then(Result::ok).unwrap_or_default()
}

fn is_flush(options: &[&[u8]]) -> bool {
    match options {
        [] => true,
        [option] => option.eq_ignore_ascii_case(b"sync") || option.eq_ignore_ascii_case(b"async"),
        _ => false,
    }
}

/// Keys and other arguments.
type Split<'w> = (&'w [&'w [u8]], &'w [&'w [u8]]);

fn split_keys<'w>(words: &'w [&'w [u8]], bad: &CommandError) -> Result<Split<'w>, Refused> {
    let [_, _, count, rest @ ..] = words else {
        return Err(bad.clone().into());
    };
    let count = parse_integer(count).map_err(|_| Refused::from(bad.clone()))?;
    let Ok(count) = usize::try_from(count) else {
        return refuse("ERR Number of keys can't be negative");
    };
    match rest.split_at_checked(count) {
        Some(split) => Ok(split),
        None => refuse("ERR Number of keys can't be greater than number of args"),
    }
}
