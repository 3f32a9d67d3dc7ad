//! COMMANDLOG and SLOWLOG.
//!
//! Owns the shape of the replies; the logs stand in `crate::slowlog`.

use thermocline_commands::arguments::parse_integer;

use super::{CommandResult, Family, Invocation, Outcome, Refusal, refuse};
use crate::server::Server;
use crate::slowlog::SlowLog;

/// Entries SLOWLOG GET gives without a count.
const DEFAULT_ENTRIES: usize = 10;

pub(super) static COMMANDS: Family = &[
    ("commandlog|get", get),
    ("commandlog|help", help),
    ("commandlog|len", len),
    ("commandlog|reset", reset),
    ("slowlog|get", slow_get),
    ("slowlog|help", slow_help),
    ("slowlog|len", slow_len),
    ("slowlog|reset", slow_reset),
];

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The log of the type that argument `index` names.
fn log<'a>(invocation: &Invocation<'a>, index: usize) -> Result<&'a SlowLog, Refusal> {
    let server: &'a Server = invocation.server;
    if invocation.is(index, "slow") {
        Ok(&server.slowlog)
    } else if invocation.is(index, "large-request") {
        Ok(&server.large_requests)
    } else if invocation.is(index, "large-reply") {
        Ok(&server.large_replies)
    } else {
        Err(refuse(
            "type should be one of the following: slow, large-request, large-reply",
        ))
    }
}

/// A count of entries; -1 stands for all.
fn count(argument: &[u8]) -> Result<usize, Refusal> {
    let wrong = || refuse("count should be greater than or equal to -1");
    match parse_integer(argument) {
        Ok(-1) => Ok(usize::MAX),
        Ok(count) => usize::try_from(count).map_err(|_| wrong()),
        Err(_) => Err(wrong()),
    }
}

fn reply_entries(invocation: &mut Invocation<'_>, log: &SlowLog, count: usize) -> CommandResult {
    let entries = log.newest(count);
    let reply = &mut *invocation.reply;
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.integer(whole(entry.id));
        reply.integer(entry.at_s);
        reply.integer(whole(entry.measure));
        reply.array(entry.arguments.len());
        for argument in &entry.arguments {
            reply.bulk(argument);
        }
        reply.bulk(entry.address.as_bytes());
        reply.bulk(entry.name.as_bytes());
    }
    Ok(Outcome::Done)
}

fn get(invocation: &mut Invocation<'_>) -> CommandResult {
    let count = count(invocation.arguments[2])?;
    let log = log(invocation, 3)?;
    reply_entries(invocation, log, count)
}

fn len(invocation: &mut Invocation<'_>) -> CommandResult {
    let length = log(invocation, 2)?.len() as u64;
    invocation.reply.integer(whole(length));
    Ok(Outcome::Done)
}

fn reset(invocation: &mut Invocation<'_>) -> CommandResult {
    log(invocation, 2)?.clear();
    invocation.ok()
}

fn slow_get(invocation: &mut Invocation<'_>) -> CommandResult {
    let count = match invocation.arguments {
        [_, _] => DEFAULT_ENTRIES,
        [_, _, argument] => count(argument)?,
        _ => {
            let given = invocation.text(1);
            return Err(refuse(format!(
                "unknown subcommand or wrong number of arguments for '{given}'. Try SLOWLOG HELP."
            )));
        }
    };
    let server = invocation.server;
    reply_entries(invocation, &server.slowlog, count)
}

fn slow_len(invocation: &mut Invocation<'_>) -> CommandResult {
    let length = invocation.server.slowlog.len() as u64;
    invocation.reply.integer(whole(length));
    Ok(Outcome::Done)
}

fn slow_reset(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.server.slowlog.clear();
    invocation.ok()
}

fn help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "COMMANDLOG",
        &[
            "GET <count> <type>",
            "    Return top <count> entries of the specified <type> from the commandlog (-1 mean \
             all).",
            "    Entries are made of:",
            "    id, timestamp,",
            "        time in microseconds for type of slow,",
            "        or size in bytes for type of large-request,",
            "        or size in bytes for type of large-reply",
            "    arguments array, client IP and port,",
            "    client name",
            "LEN <type>",
            "    Return the length of the specified type of commandlog.",
            "RESET <type>",
            "    Reset the specified type of commandlog.",
        ],
    )
}

fn slow_help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
            "    Entries are made of:",
            "    id, timestamp, time in microseconds, arguments array, client IP and port,",
            "    client name",
            "LEN",
            "    Return the length of the slowlog.",
            "RESET",
            "    Reset the slowlog.",
        ],
    )
}
