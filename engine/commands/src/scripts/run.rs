//! One run of a script or function: from its values to its reply, its commands in between.
//!
//! Owns the checks that stand before every command of a script. Under the lock of the
//! machine, any thread.

use super::api::{Shared, machine_text};
use super::lua::number_of;
use super::machine::Machine;
use super::metadata::ScriptFlags;
use super::number::general;
use super::replies::{error_table, to_lua, write, write_error};
use super::running::{End, Watch};
use super::{Host, Stop};
use crate::error::CommandError;
use crate::reply::{ReplyBuffer, Version};
use crate::table::{self, Command, Flag};
use mlua::{Function, Lua, MultiValue, Table, Value};
use parking_lot::Mutex;
use scoped_tls_hkt::scoped_thread_local;
use std::sync::Arc;
use thermocline_store::Fault;

// The function that runs commands is made once, the run at hand borrows its host.
scoped_thread_local! {
    static mut RUN: for<'h> &'h mut (dyn RunCommand + 'h)
}

/// What is to be run.
pub(super) struct Run<'r> {
    pub(super) function: Arc<Function>,
    /// Whether it is a function of a library: it gets keys and arguments as its own.
    pub(super) is_function: bool,
    pub(super) keys: &'r [&'r [u8]],
    pub(super) arguments: &'r [&'r [u8]],
    pub(super) may_write: bool,
    pub(super) allows_oom: bool,
}

impl Run<'_> {
    /// What the flags say, and the kind of the command.
    pub(super) fn rights(flags: Option<ScriptFlags>, is_read_only: bool) -> (bool, bool) {
        let may_write = !is_read_only && flags.is_none_or(ScriptFlags::writes);
        (may_write, flags.is_some_and(ScriptFlags::allows_oom))
    }
}

/// A word of a command, or `None` if the value is none.
pub(super) fn word(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) => Some(number.to_string().into_bytes()),
        Value::Number(number) => Some(general(*number, 17).into_bytes()),
        _ => None,
    }
}

/// What a word takes in a list of Lua beside its text, about, in bytes.
const WORD_BYTES: usize = 64;
/// What a script gets for a reply that is cut: the command itself was run.
const TOO_LARGE: &[u8] = b"OOM the reply takes more memory than there is for replies";

/// The side of the host during a run.
struct Calls<'h> {
    host: &'h mut dyn Host,
    /// What the replies of its commands share their room with.
    replies: ReplyBuffer,
    watch: Arc<Watch>,
    may_write: bool,
    allows_oom: bool,
    /// Whether a write was let through: memory is not asked about any more, so that a script
    /// is not left half done.
    has_written: bool,
    /// Why the run is abandoned.
    stop: Option<Stop>,
}

trait RunCommand {
    fn run_command(&mut self, words: &[&[u8]], version: Version) -> Ran;
}

/// How a command of a script went.
enum Ran {
    Reply(ReplyBuffer),
    /// Whether it is in the books.
    Error(Vec<u8>, bool),
    /// The script has to end.
    Dies,
}

impl RunCommand for Calls<'_> {
    fn run_command(&mut self, words: &[&[u8]], version: Version) -> Ran {
        if self.stop.is_some() || self.watch.check() != End::No {
            return Ran::Dies;
        }
        let command = match self.admitted(words) {
            Ok(command) => command,
            Err(text) => return Ran::Error(text, true),
        };
        if command.is_write() && self.watch.note_write() != End::No {
            return Ran::Dies;
        }
        let mut reply = self.replies.sibling();
        reply.set_version(version);
        match self.host.call(command, words, &mut reply) {
            Ok(()) => Ran::Reply(reply),
            Err(stop) => {
                self.stop = Some(stop);
                Ran::Dies
            }
        }
    }
}

impl Calls<'_> {
    /// The command to run, or why it is refused, which is in the books then.
    fn admitted(&mut self, words: &[&[u8]]) -> Result<&'static Command, Vec<u8>> {
        let resolved = match table::resolve(words) {
            Ok(command) => self.admit(command).map(|()| command),
            Err(CommandError::WrongArity(_)) => {
                Err(b"ERR Wrong number of args calling command from script".to_vec())
            }
            Err(error @ CommandError::UnknownSubcommand(_)) => Err(error.text().to_vec()),
            Err(_) => Err(b"ERR Unknown command called from script".to_vec()),
        };
        resolved.inspect_err(|text| self.host.note_refused(table::find(words), text))
    }

    fn admit(&mut self, command: &'static Command) -> Result<(), Vec<u8>> {
        let text = |text: &str| Err(text.as_bytes().to_vec());
        if command.flags.contains(Flag::Noscript) && !self.host.allows(command) {
            return text("ERR This Valkey command is not allowed from script");
        }
        let is_write = command.is_write();
        if !self.may_write
            && (is_write || matches!(command.name, "publish" | "spublish" | "pfcount"))
        {
            return text("ERR Write commands are not allowed from read-only scripts.");
        }
        let takes_memory = command.flags.contains(Flag::Denyoom);
        if (is_write || takes_memory)
            && let Some(error) = self.host.refusal(command)
            && !((self.allows_oom || self.has_written) && error == CommandError::OutOfMemory)
        {
            return Err(error.text().to_vec());
        }
        self.has_written |= is_write;
        Ok(())
    }
}

/// The function with which the sandbox runs commands of the script at hand: it gives `true` and
/// a value, or `false` and an error. `many` stands before a list of very many words.
pub(super) fn command_runner(
    lua: &Lua,
    shared: &Arc<Mutex<Shared>>,
    state: &Table,
    many: Table,
) -> mlua::Result<Function> {
    let (shared, state) = (Arc::clone(shared), state.clone());
    lua.create_function(move |lua, given: MultiValue| {
        let given = spread(&many, given)?;
        let version = shared.lock().version;
        Ok(match run_command(&given, version) {
            Ran::Reply(reply) => match &*reply.as_bytes() {
                [] if reply.is_cut() => (false, error(lua, TOO_LARGE, true)?),
                [b'-', text @ .., b'\r', b'\n'] => (false, error(lua, text, true)?),
                bytes => (
                    true,
                    without_limit(lua, bytes.len(), || to_lua(lua, bytes))?,
                ),
            },
            Ran::Error(text, is_counted) => (false, error(lua, &text, is_counted)?),
            Ran::Dies => {
                state.raw_set("dying", true)?;
                (false, Value::Nil)
            }
        })
    })
}

fn error(lua: &Lua, text: &[u8], is_counted: bool) -> mlua::Result<Value> {
    error_table(lua, text, is_counted).map(Value::Table)
}

fn run_command(given: &MultiValue, version: Version) -> Ran {
    if !RUN.is_set() {
        return Ran::Dies;
    }
    if given.is_empty() {
        let text = b"ERR Please specify at least one argument for this call";
        return Ran::Error(text.to_vec(), false);
    }
    let words: Option<Vec<Vec<u8>>> = given.iter().map(word).collect();
    let Some(words) = words else {
        let text = b"ERR Command arguments must be strings or integers";
        return Ran::Error(text.to_vec(), false);
    };
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    RUN.with(|run| run.run_command(&words, version))
}

/// The words of a command: what is given, or what is in the list that is, as the prelude
/// gives very many.
fn spread(many: &Table, given: MultiValue) -> mlua::Result<MultiValue> {
    let mut parts = given.iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Value::Table(mark)), Some(Value::Table(list)), Some(count)) if mark == many => {
            let count = number_of(count).unwrap_or_default() as usize;
            (1..=count).map(|index| list.raw_get(index)).collect()
        }
        _ => Ok(given),
    }
}

/// Makes values of Lua of about `bytes`: few without a look at the limit of memory, for then
/// each of them costs a protected call. What the script takes next is looked at again.
fn without_limit<T>(
    lua: &Lua,
    bytes: usize,
    make: impl FnOnce() -> mlua::Result<T>,
) -> mlua::Result<T> {
    /// Well below what scripts may take together.
    const FEW_BYTES: usize = 16 * 1024;
    if bytes > FEW_BYTES {
        return make();
    }
    let limit_bytes = lua.set_memory_limit(0)?;
    let made = make();
    lua.set_memory_limit(limit_bytes)?;
    made
}

impl Machine {
    /// Runs it; its reply or error is written.
    pub(super) fn run(
        &self,
        run: &Run<'_>,
        is_patient: bool,
        host: &mut dyn Host,
        reply: &mut ReplyBuffer,
    ) -> Result<(), Stop> {
        self.shared.lock().reset();
        let chance = self.shared.lock().chance;
        self.watch.begin(is_patient);
        let mut calls = Calls {
            host,
            replies: reply.sibling(),
            watch: Arc::clone(&self.watch),
            may_write: run.may_write,
            allows_oom: run.allows_oom,
            has_written: false,
            stop: None,
        };
        let ended = RUN.set(&mut calls, || self.enter(run));
        for (level, text) in std::mem::take(&mut self.shared.lock().lines) {
            if calls.stop.is_none() {
                calls.host.log(level, &text);
            }
        }
        let finished = match (calls.stop.take(), self.watch.end()) {
            (Some(stop), _) => Err(stop),
            (None, End::Long) => Err(Stop::Long),
            (None, End::Aborted) => {
                let reason = "the server stops".to_owned();
                Err(Stop::Fault(Fault::Damaged(reason)))
            }
            (None, end) => {
                if ended.as_ref().is_ok_and(|(_, value)| is_counted(value)) {
                    calls.host.note_counted();
                }
                self.finish(ended, end, reply);
                Ok(())
            }
        };
        if finished.is_err() {
            // The next try draws the same.
            self.shared.lock().chance = chance;
        }
        self.tidy();
        finished
    }

    fn enter(&self, run: &Run<'_>) -> mlua::Result<(bool, Value)> {
        let words = run.keys.iter().chain(run.arguments);
        let bytes = words.map(|word| word.len() + WORD_BYTES).sum();
        let (keys, arguments) = without_limit(&self.lua, bytes, || {
            Ok((self.list(run.keys)?, self.list(run.arguments)?))
        })?;
        let enter = if run.is_function {
            &self.run_function
        } else {
            &self.run_script
        };
        enter.call((&*run.function, keys, arguments))
    }

    fn list(&self, words: &[&[u8]]) -> mlua::Result<Table> {
        let words: mlua::Result<Vec<_>> = (words.iter())
            .map(|word| self.lua.create_string(word))
            .collect();
        self.lua.create_sequence_from(words?)
    }

    /// Writes what came of the run.
    fn finish(&self, ended: mlua::Result<(bool, Value)>, end: End, reply: &mut ReplyBuffer) {
        let killed = match end {
            End::KilledScript => Some("ERR Script killed by user with SCRIPT KILL."),
            End::KilledFunction => Some("ERR Script killed by user with FUNCTION KILL."),
            _ => None,
        };
        let mark = reply.checkpoint();
        let version = self.shared.lock().version;
        let written = match ended {
            Ok((true, value)) => write(reply, &value, version),
            Ok((false, caught)) => {
                let text = error_text(&caught, killed);
                write_error(reply, &text);
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            reply.rollback(mark);
            let text =
                killed.map_or_else(|| format!("ERR {}", machine_text(&error)), str::to_owned);
            write_error(reply, text.as_bytes());
        }
    }

    /// Runs the text of a library; why it failed.
    pub(super) fn run_library(&self, chunk: &Function) -> Result<(), Vec<u8>> {
        /// How long the text may run, in ns.
        const LOAD_NS: u64 = 500_000_000;
        const TIMEOUT: &[u8] = b"ERR FUNCTION LOAD timeout";
        self.shared.lock().reset();
        self.watch.begin(true);
        self.watch.begin_load(LOAD_NS);
        let ran = self.load_library.call::<(bool, Value)>(chunk);
        let is_late = self.watch.end() == End::Long;
        self.watch.begin(true);
        self.tidy();
        let text = match ran {
            _ if is_late => TIMEOUT.to_vec(),
            Ok((true, _)) => return Ok(()),
            Ok((false, Value::Table(caught))) => match caught.raw_get("err") {
                Ok(Value::String(text)) => text.as_bytes().to_vec(),
                _ => b"ERR unknown error".to_vec(),
            },
            Ok((false, caught)) => error_text(&caught, None),
            Err(error) => format!("ERR {}", machine_text(&error)).into_bytes(),
        };
        Err([b"ERR Error registering functions: ", text.as_slice()].concat())
    }
}

/// Whether the value is the error of a command, which is in the books already.
fn is_counted(value: &Value) -> bool {
    let Value::Table(table) = value else {
        return false;
    };
    matches!(table.raw_get("err"), Ok(Value::String(_)))
        && matches!(
            table.raw_get("ignore_error_stats_update"),
            Ok(Value::Boolean(true))
        )
}

/// The text of what ended a script, with its place in it.
fn error_text(caught: &Value, killed: Option<&str>) -> Vec<u8> {
    let Value::Table(table) = caught else {
        return match (killed, caught) {
            (Some(killed), _) => killed.as_bytes().to_vec(),
            (None, Value::String(text)) => [b"ERR ", &*text.as_bytes()].concat(),
            (None, Value::Error(error)) => format!("ERR {}", machine_text(error)).into_bytes(),
            _ => b"ERR unknown error".to_vec(),
        };
    };
    let mut text = match (killed, table.raw_get("err")) {
        (Some(killed), _) => killed.as_bytes().to_vec(),
        (None, Ok(Value::String(text))) => text.as_bytes().to_vec(),
        _ => b"ERR unknown error".to_vec(),
    };
    if let (Ok(Value::String(source)), Ok(line)) =
        (table.raw_get("source"), table.raw_get::<Value>("line"))
    {
        text.extend_from_slice(b" script: on ");
        text.extend_from_slice(&source.as_bytes());
        let line = number_of(&line).unwrap_or_default();
        text.extend_from_slice(format!(":{line}.").as_bytes());
    }
    text
}
