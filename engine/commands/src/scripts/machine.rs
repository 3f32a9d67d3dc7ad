//! The machine: LuaJIT without its compiler, in the sandbox of `prelude.lua`.
//!
//! Owns the state of Lua, the compiled scripts and the loaded libraries. The compiler and the
//! foreign functions are never loaded, so that every step can be counted and nothing reaches
//! beyond the machine. Under one lock, any thread.

use super::ScriptStatistics;
use super::api::{self, Shared, machine_text};
use super::cache::{Script, ScriptCache, Sha, digest};
use super::libraries::Libraries;
use super::metadata::{self, ScriptFlags};
use super::returns::with_frames;
use super::run;
use super::running::{End, Watch};
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, VmState};
use parking_lot::Mutex;
use std::sync::Arc;

// LuaJIT raises an error by unwinding, through frames of Rust too; where panics abort, that
// would end the process, and any client could cause it.
#[cfg(panic = "abort")]
compile_error!("scripts need panic = \"unwind\" in the profile");

const PRELUDE: &str = include_str!("prelude.lua");
const FORMAT: &str = include_str!("format.lua");
/// The name of the sandbox's own code; errors are never placed there.
pub(super) const PRELUDE_NAME: &str = "=prelude";
/// The name of a script's text in errors.
const SCRIPT_NAME: &str = "@user_script";
/// The name of a library's text in errors.
const LIBRARY_NAME: &str = "@user_function";
/// Steps of a script between two looks at the clock.
const STEPS: u32 = 10_000;

/// See the module.
pub(crate) struct Machine {
    pub(super) lua: Lua,
    pub(super) watch: Arc<Watch>,
    pub(super) shared: Arc<Mutex<Shared>>,
    pub(super) state: Table,
    pub(super) eval_globals: Table,
    pub(super) function_globals: Table,
    pub(super) run_script: Function,
    pub(super) run_function: Function,
    pub(super) load_library: Function,
    pub(super) cache: ScriptCache,
    pub(super) libraries: Libraries,
    /// Whether `libraries` are those that the store keeps.
    pub(super) is_loaded: bool,
    memory_bytes: usize,
}

impl Machine {
    pub(super) fn new(watch: &Arc<Watch>) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::BIT | StdLib::OS;
        let options = LuaOptions::new().catch_rust_panics(false);
        let lua = Lua::new_with(libraries, options)?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let natives = api::natives(&lua, &shared)?;
        let state = lua.create_table()?;
        let many = lua.create_table()?;
        state.raw_set("many", &many)?;
        natives.raw_set(
            "run_command",
            run::command_runner(&lua, &shared, &state, many)?,
        )?;
        natives.raw_set("state", &state)?;
        let format: Function = lua.load(FORMAT).set_name(PRELUDE_NAME).call(())?;
        natives.raw_set("format", format)?;
        let prelude = lua.load(PRELUDE).set_name(PRELUDE_NAME);
        let parts: Table = prelude.call(natives)?;
        let machine = Self {
            state,
            eval_globals: parts.raw_get("eval_globals")?,
            function_globals: parts.raw_get("function_globals")?,
            run_script: parts.raw_get("run_script")?,
            run_function: parts.raw_get("run_function")?,
            load_library: parts.raw_get("load_library")?,
            watch: Arc::clone(watch),
            shared,
            cache: ScriptCache::default(),
            libraries: Libraries::default(),
            is_loaded: false,
            memory_bytes: 0,
            lua,
        };
        machine.set_hook()?;
        Ok(machine)
    }

    /// Looks at the clock every so often, and ends a script that has to.
    fn set_hook(&self) -> mlua::Result<()> {
        let (watch, state) = (Arc::clone(&self.watch), self.state.clone());
        let triggers = HookTriggers::new().every_nth_instruction(STEPS);
        self.lua.set_global_hook(triggers, move |_, _| {
            let end = watch.check();
            if end == End::No {
                return Ok(VmState::Continue);
            }
            state.raw_set("dying", true)?;
            Err(mlua::Error::runtime("the script has to end"))
        })
    }

    pub(super) fn set_memory_bytes(&mut self, bytes: usize) {
        if bytes != self.memory_bytes {
            self.memory_bytes = bytes;
            // Without the limit the machine runs as well.
            let _ = self.lua.set_memory_limit(bytes);
        }
    }

    /// After a run: gives memory back if it took much.
    pub(super) fn tidy(&self) {
        if self.lua.used_memory() > self.memory_bytes / 4 {
            let _ = self.lua.gc_collect();
        }
    }

    pub(super) fn statistics(&self) -> ScriptStatistics {
        let count = |number: usize| number as u64;
        ScriptStatistics {
            scripts: count(self.cache.len()),
            evicted_scripts: self.cache.evicted(),
            script_bytes: count(self.cache.bytes()),
            libraries: count(self.libraries.len()),
            functions: count(self.libraries.functions()),
            library_bytes: count(self.libraries.bytes()),
            machine_bytes: count(self.lua.used_memory()),
        }
    }

    /// What was done since is to be forgotten: the libraries are read anew.
    pub(crate) fn forget_libraries(&mut self) {
        self.is_loaded = false;
    }

    fn compile(&self, text: &[u8], name: &str, environment: &Table) -> Result<Function, String> {
        let chunk = self.lua.load(with_frames(text)).set_name(name);
        let chunk = chunk.set_mode(mlua::chunk::ChunkMode::Text);
        let compiled = chunk.set_environment(environment.clone()).into_function();
        compiled.map_err(|error| {
            // Errors are those of the text as it is.
            let plain = self.lua.load(text).set_name(name);
            let plain = plain.set_mode(mlua::chunk::ChunkMode::Text).into_function();
            machine_text(&plain.err().unwrap_or(error))
        })
    }

    /// The compiled script of a text, which is cached.
    pub(super) fn script(
        &mut self,
        text: &[u8],
        is_evictable: bool,
    ) -> Result<(Sha, Script), String> {
        let sha = digest(text);
        if !is_evictable {
            self.cache.keep(&sha);
        }
        if let Some(script) = self.cache.get(&sha) {
            return Ok((sha, script));
        }
        let parts = metadata::script(text)?;
        let flags: Option<ScriptFlags> = parts.flags;
        let compiled = self.compile(parts.body, SCRIPT_NAME, &self.eval_globals);
        let function =
            compiled.map_err(|why| format!("ERR Error compiling script (new function): {why}"))?;
        self.cache.insert(sha, text, function, flags, is_evictable);
        let script = self.cache.get(&sha).ok_or("ERR the script was not kept")?;
        Ok((sha, script))
    }

    /// The compiled text of a library.
    pub(super) fn library(&self, body: &[u8]) -> Result<Function, String> {
        let compiled = self.compile(body, LIBRARY_NAME, &self.function_globals);
        compiled.map_err(|why| format!("ERR Error compiling function: {why}"))
    }
}
