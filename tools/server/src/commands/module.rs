//! MODULE: there are none, and none can be loaded.

use thermocline_commands::table::Command;

use super::{CommandResult, Family, Invocation, Outcome, Refusal, refuse};

pub(super) static COMMANDS: Family = &[
    ("module|help", help),
    ("module|list", list),
    ("module|load", load),
    ("module|loadex", load),
    ("module|unload", load),
];

/// Why the client may not run the command, not even queue it, if it loads or unloads: the
/// text of a server whose `enable-module-command` is `no`, as it always is here.
pub(crate) fn module_refusal(command: &Command) -> Option<Refusal> {
    matches!(
        command.name,
        "module|load" | "module|loadex" | "module|unload"
    )
    .then(not_allowed)
}

fn not_allowed() -> Refusal {
    refuse(
        "MODULE command not allowed. If the enable-module-command option is set to \"local\", \
         you can run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server.",
    )
}

fn list(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.reply.array(0);
    Ok(Outcome::Done)
}

fn load(_invocation: &mut Invocation<'_>) -> CommandResult {
    Err(not_allowed())
}

fn help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "MODULE",
        &[
            "LIST",
            "    Return a list of loaded modules.",
            "LOAD <path> [<arg> ...]",
            "    Load a module library from <path>, passing to it any optional arguments.",
            "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
            "    Load a module library from <path>, while passing it module configurations and \
             optional arguments.",
            "UNLOAD <name>",
            "    Unload a module.",
        ],
    )
}
