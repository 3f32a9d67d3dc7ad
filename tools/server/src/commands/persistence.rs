//! SAVE, BGSAVE, BGREWRITEAOF and LASTSAVE, which all mean the checkpoint; BACKUP, WAIT,
//! WAITAOF and SHUTDOWN.
//!
//! Owns their options and status texts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use thermocline_commands::CommandError;
use thermocline_commands::arguments::{parse_integer, parse_timeout_ms};

use super::{CommandResult, Family, Invocation, Outcome, Wait, refuse};
use crate::server::Server;

pub(super) static COMMANDS: Family = &[
    ("backup", backup),
    ("bgrewriteaof", rewrite_log),
    ("bgsave", background_save),
    ("lastsave", last_save),
    ("save", save),
    ("shutdown", shutdown),
    ("wait", wait),
    ("waitaof", wait_log),
];

fn save(_: &mut Invocation<'_>) -> CommandResult {
    Ok(Outcome::Wait(Wait::Checkpoint))
}

fn backup(invocation: &mut Invocation<'_>) -> CommandResult {
    let path = Path::new(OsStr::from_bytes(invocation.arguments[1]));
    if !path.is_absolute() {
        return Err(refuse("BACKUP needs the absolute path of a new directory"));
    }
    Ok(Outcome::Wait(Wait::Backup(path.to_owned())))
}

fn background_save(invocation: &mut Invocation<'_>) -> CommandResult {
    let schedule = match invocation.arguments {
        [_] => false,
        [_, _] if invocation.is(1, "schedule") => true,
        [_, _] if invocation.is(1, "cancel") => {
            let text = "Background saving is currently not in progress or scheduled";
            return Err(refuse(text));
        }
        _ => return Err(CommandError::Syntax.into()),
    };
    let text = if invocation.server.store.request_checkpoint() {
        "Background saving started"
    } else if schedule {
        "Background saving scheduled"
    } else {
        return Err(refuse("Background save already in progress"));
    };
    invocation.reply.simple(text);
    Ok(Outcome::Done)
}

fn rewrite_log(invocation: &mut Invocation<'_>) -> CommandResult {
    let text = if invocation.server.store.request_checkpoint() {
        "Background append only file rewriting started"
    } else {
        "Background append only file rewriting scheduled"
    };
    invocation.reply.simple(text);
    Ok(Outcome::Done)
}

fn last_save(invocation: &mut Invocation<'_>) -> CommandResult {
    let at_s = invocation.statistics().last_checkpoint_at_s;
    let at_s = if at_s > 0 {
        at_s
    } else {
        invocation.server.facts.started_at_s
    };
    invocation.reply.integer(at_s);
    Ok(Outcome::Done)
}

fn shutdown(invocation: &mut Invocation<'_>) -> CommandResult {
    let (mut save, mut no_save, mut abort, mut force, mut now) =
        (false, false, false, false, false);
    for index in 1..invocation.arguments.len() {
        let option = invocation.text(index).to_ascii_lowercase();
        match option.as_str() {
            "save" => save = true,
            "nosave" => no_save = true,
            "abort" => abort = true,
            "force" => force = true,
            "now" => now = true,
            "safe" => {}
            _ => return Err(CommandError::Syntax.into()),
        }
    }
    if (save && no_save) || (abort && (save || no_save || force || now)) {
        return Err(CommandError::Syntax.into());
    }
    if abort {
        return Err(refuse("No shutdown in progress."));
    }
    if invocation.server.gate.is_shut() && !no_save {
        let running = invocation.server.scripts.running();
        let text = super::busy_text(running.is_some_and(|it| it.is_function));
        return Err(super::Refusal::Text(text.to_owned()));
    }
    Ok(Outcome::Wait(Wait::Shutdown {
        checkpoint: !no_save,
        force,
    }))
}

/// A timeout in ms; 0 is none.
pub(super) fn timeout_ms(server: &Server, argument: &[u8]) -> Result<u64, CommandError> {
    Ok(parse_timeout_ms(argument, server.clock.now())?.unwrap_or(0))
}

fn wait(invocation: &mut Invocation<'_>) -> CommandResult {
    parse_integer(invocation.arguments[1])?;
    timeout_ms(invocation.server, invocation.arguments[2])?;
    // There are no replicas to wait for.
    invocation.reply.integer(0);
    Ok(Outcome::Done)
}

fn wait_log(invocation: &mut Invocation<'_>) -> CommandResult {
    let local = parse_integer(invocation.arguments[1])?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::OutOfBounds {
            least: 0,
            greatest: 1,
        }
        .into());
    }
    let replicas = parse_integer(invocation.arguments[2])?;
    if replicas < 0 {
        return Err(refuse("value is out of range, must be positive"));
    }
    let timeout_ms = timeout_ms(invocation.server, invocation.arguments[3])?;
    let logs = invocation.server.config.is_yes("appendonly");
    if local > 0 && !logs {
        return Err(refuse(
            "WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    if local == 0 || invocation.is_in_transaction() {
        let is_durable = logs && invocation.statistics().durable_lsn >= invocation.lsn.0;
        invocation.reply.array(2);
        invocation.reply.integer(i64::from(is_durable));
        invocation.reply.integer(0);
        return Ok(Outcome::Done);
    }
    let limit = (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms));
    Ok(Outcome::Wait(Wait::Durable(invocation.lsn, limit)))
}
