//! SCRIPT and FUNCTION, as far as they look at the run at hand or explain themselves. The
//! others need the machine: see `dispatch::script`.
//!
//! Owns nothing.

use thermocline_commands::scripts::KillError;

use super::{CommandResult, Family, Invocation, Outcome, Refusal, refuse};

pub(super) static COMMANDS: Family = &[
    ("script|kill", |invocation| kill(invocation, false)),
    ("script|debug", script_debug),
    ("script|help", script_help),
    ("function|kill", |invocation| kill(invocation, true)),
    ("function|stats", function_stats),
    ("function|help", function_help),
];

/// What a client is told while a script runs that was begun by EVAL, or by FCALL.
pub(crate) const fn busy_text(is_function: bool) -> &'static str {
    if is_function {
        "BUSY Valkey is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
    } else {
        "BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
    }
}

fn kill(invocation: &mut Invocation<'_>, is_function: bool) -> CommandResult {
    let text = match invocation.server.scripts.kill(is_function) {
        Ok(()) => return invocation.ok(),
        Err(KillError::NotBusy) => "NOTBUSY No scripts in execution right now.",
        Err(KillError::Unkillable) => {
            "UNKILLABLE Sorry the script already executed write commands against the dataset. \
             You can either wait the script termination or kill the server in a hard way using \
             the SHUTDOWN NOSAVE command."
        }
        Err(KillError::IsScript) => busy_text(false),
        Err(KillError::IsFunction) => busy_text(true),
    };
    Err(Refusal::Text(text.to_owned()))
}

/// The checks of the reference, in its order; but a session is refused, as there is no
/// debugger.
fn script_debug(invocation: &mut Invocation<'_>) -> CommandResult {
    if invocation.arguments.len() > 4 {
        return Err(refuse(format!(
            "unknown subcommand or wrong number of arguments for '{}'. Try SCRIPT HELP.",
            invocation.text(1)
        )));
    }
    // In a transaction the replies before this one have begun too.
    if !invocation.reply.is_empty() {
        return Err(refuse("SCRIPT DEBUG must be called outside a pipeline"));
    }
    if invocation.arguments.len() == 4 && !invocation.is(3, "lua") {
        return Err(refuse(format!(
            "No scripting engine found with name '{}' to enable debug",
            invocation.text(3)
        )));
    }
    if invocation.is(2, "no") {
        return invocation.ok();
    }
    if invocation.is(2, "yes") || invocation.is(2, "sync") {
        return Err(refuse("this server has no debugger for scripts"));
    }
    Err(refuse("Use SCRIPT DEBUG YES/SYNC/NO"))
}

fn function_stats(invocation: &mut Invocation<'_>) -> CommandResult {
    let scripts = &invocation.server.scripts;
    let statistics = scripts.statistics();
    let running = scripts.running();
    let reply = &mut *invocation.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    match running {
        None => reply.null(),
        Some(running) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(running.words.get(1).map_or(&b""[..], AsRef::as_ref));
            reply.bulk(b"command");
            reply.array(running.words.len());
            for word in &running.words {
                reply.bulk(word);
            }
            reply.bulk(b"duration_ms");
            reply.integer(i64::try_from(running.spent_ms).unwrap_or(i64::MAX));
        }
    }
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    for (name, count) in [
        (&b"libraries_count"[..], statistics.libraries),
        (b"functions_count", statistics.functions),
    ] {
        reply.bulk(name);
        reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }
    Ok(Outcome::Done)
}

fn script_help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "SCRIPT",
        &[
            "DEBUG (YES|SYNC|NO) [<engine_name>]",
            "    Set the debug mode for subsequent scripts executed of the specified engine.",
            "    Default engine name: 'lua'",
            "EXISTS <sha1> [<sha1> ...]",
            "    Return information about the existence of the scripts in the script cache.",
            "FLUSH [ASYNC|SYNC]",
            "    Flush the Lua scripts cache. Very dangerous on replicas.",
            "    When called without the optional mode argument, the behavior is determined",
            "     by the lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the scripts cache.",
            "    * SYNC: Synchronously flush the scripts cache.",
            "KILL",
            "    Kill the currently executing Lua script.",
            "LOAD <script>",
            "    Load a script into the scripts cache without executing it.",
            "SHOW <sha1>",
            "    Show a script from the scripts cache.",
        ],
    )
}

fn function_help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "FUNCTION",
        &[
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Create a new library with the given library name and code.",
            "DELETE <LIBRARY NAME>",
            "    Delete the given library.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Return general information on all the libraries:",
            "    * Library name",
            "    * The engine used to run the Library",
            "    * Functions list",
            "    * Library code (if WITHCODE is given)",
            "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
            "STATS",
            "    Return information about the current function running:",
            "    * Function name",
            "    * Command used to run the function",
            "    * Duration in MS that the function is running",
            "    If no function is running, return nil",
            "    In addition, returns a list of available engines.",
            "KILL",
            "    Kill the current running function.",
            "FLUSH [ASYNC|SYNC]",
            "    Delete all the libraries.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the libraries.",
            "    * SYNC: Synchronously flush the libraries.",
            "DUMP",
            "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
            "    control how to handle existing libraries (default APPEND):",
            "    * FLUSH: delete all existing libraries.",
            "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
            "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
            "      libraries with the new libraries (notice that even on this option there is a chance of failure",
            "      in case of functions name collision with another library).",
        ],
    )
}
