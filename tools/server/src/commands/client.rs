//! CLIENT, but for LIST, INFO and KILL and for client-side caching.
//!
//! Owns the options and texts.

use std::sync::atomic::Ordering::Relaxed;

use thermocline_commands::CommandError;
use thermocline_commands::arguments::parse_integer;
use thermocline_commands::blocking::Unblock;

use super::connection::is_valid_name;
use super::persistence::timeout_ms;
use super::{CommandResult, Family, Invocation, Outcome, refuse};
use crate::server::PauseScope;
use crate::session::Replies;

pub(super) static COMMANDS: Family = &[
    ("client|capa", capabilities),
    ("client|getname", get_name),
    ("client|help", help),
    ("client|id", id),
    ("client|import-source", import_source),
    ("client|no-evict", no_evict),
    ("client|no-touch", no_touch),
    ("client|pause", pause),
    ("client|reply", reply_mode),
    ("client|setinfo", set_info),
    ("client|setname", set_name),
    ("client|unblock", unblock),
    ("client|unpause", unpause),
];

fn id(invocation: &mut Invocation<'_>) -> CommandResult {
    let id = i64::try_from(invocation.session.client.id).unwrap_or(i64::MAX);
    invocation.reply.integer(id);
    Ok(Outcome::Done)
}

fn get_name(invocation: &mut Invocation<'_>) -> CommandResult {
    let name = invocation.session.client.names.lock().name.clone();
    if name.is_empty() {
        invocation.reply.null();
    } else {
        invocation.reply.bulk(name.as_bytes());
    }
    Ok(Outcome::Done)
}

fn set_name(invocation: &mut Invocation<'_>) -> CommandResult {
    if !is_valid_name(invocation.arguments[2]) {
        return Err(CommandError::InvalidClientName.into());
    }
    let name = invocation.text(2).into_owned();
    invocation.session.rename(|names| names.name = name);
    invocation.ok()
}

fn set_info(invocation: &mut Invocation<'_>) -> CommandResult {
    let is_version = invocation.is(2, "lib-ver");
    if !is_version && !invocation.is(2, "lib-name") {
        let option = invocation.text(2);
        return Err(refuse(format!("Unrecognized option '{option}'")));
    }
    if !is_valid_name(invocation.arguments[3]) {
        let option = if is_version { "lib-ver" } else { "lib-name" };
        return Err(refuse(format!(
            "{option} cannot contain spaces, newlines or special characters."
        )));
    }
    let value = invocation.text(3).into_owned();
    invocation.session.rename(|names| {
        if is_version {
            names.library_version = value;
        } else {
            names.library = value;
        }
    });
    invocation.ok()
}

/// ON or OFF.
fn switch(invocation: &Invocation<'_>, index: usize) -> Result<bool, CommandError> {
    if invocation.is(index, "on") {
        Ok(true)
    } else if invocation.is(index, "off") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

fn no_evict(invocation: &mut Invocation<'_>) -> CommandResult {
    let on = switch(invocation, 2)?;
    invocation.session.client.no_evict.store(on, Relaxed);
    invocation.server.clients.forget_spared();
    invocation.ok()
}

fn no_touch(invocation: &mut Invocation<'_>) -> CommandResult {
    let on = switch(invocation, 2)?;
    invocation.session.client.no_touch.store(on, Relaxed);
    invocation.ok()
}

fn reply_mode(invocation: &mut Invocation<'_>) -> CommandResult {
    let session = &mut *invocation.session;
    let argument = invocation.arguments[2];
    if argument.eq_ignore_ascii_case(b"on") {
        session.replies = Replies::On;
        return invocation.ok();
    }
    if argument.eq_ignore_ascii_case(b"off") {
        session.replies = Replies::Off;
    } else if argument.eq_ignore_ascii_case(b"skip") {
        if session.replies != Replies::Off {
            session.replies = Replies::SkipNext;
        }
    } else {
        return Err(CommandError::Syntax.into());
    }
    Ok(Outcome::Done)
}

fn pause(invocation: &mut Invocation<'_>) -> CommandResult {
    let scope = match invocation.arguments {
        [_, _, _] => PauseScope::All,
        // As in the original, nobody looks at what comes behind.
        _ if invocation.is(3, "all") => PauseScope::All,
        _ if invocation.is(3, "write") => PauseScope::Writes,
        _ => return Err(refuse("CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let timeout_ms = timeout_ms(invocation.server, invocation.arguments[2])?.min(u64::MAX >> 2);
    let server = invocation.server;
    let until_ms = server.pause.begin(server.now_ms() + timeout_ms, scope);
    // While writes wait the data stay as they are: what expires is hidden, and nothing evicted.
    let settings = server.store.settings();
    settings.set_keys_stay_until_ms(until_ms);
    invocation.ok()
}

fn unpause(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.server.pause.end();
    let settings = invocation.server.store.settings();
    settings.set_keys_stay_until_ms(0);
    invocation.ok()
}

fn unblock(invocation: &mut Invocation<'_>) -> CommandResult {
    if invocation.arguments.len() > 4
        || (invocation.arguments.len() == 4
            && !invocation.is(3, "timeout")
            && !invocation.is(3, "error"))
    {
        return Err(refuse("CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
    }
    let id = u64::try_from(parse_integer(invocation.arguments[2])?).ok();
    let how = if invocation.is(3, "error") {
        Unblock::Error
    } else {
        Unblock::Timeout
    };
    let client = id.and_then(|id| invocation.server.clients.find(id));
    let was_waiting = client.is_some_and(|client| client.unblock(how));
    invocation.reply.integer(i64::from(was_waiting));
    Ok(Outcome::Done)
}

fn capabilities(invocation: &mut Invocation<'_>) -> CommandResult {
    let mut given = invocation.arguments[2..].iter();
    if given.any(|capability| capability.eq_ignore_ascii_case(b"redirect")) {
        invocation.session.client.can_redirect.store(true, Relaxed);
    }
    invocation.ok()
}

fn import_source(invocation: &mut Invocation<'_>) -> CommandResult {
    if invocation.is(2, "off") {
        return invocation.ok();
    }
    Err(refuse("Server is not in import mode"))
}

fn help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help("CLIENT", HELP)
}

const HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "CAPA <option> [options...]",
    "    The client claims its some capability options. Options are:",
    "    * REDIRECT",
    "      The client can handle redirection during primary and replica failover in standalone mode.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address.",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to the specified local address.",
    "    * TYPE (NORMAL|PRIMARY|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id> [<client-id>...]",
    "      Kill connections by client IDs.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "    * FLAGS <flags>",
    "      Kill connections that include the specified flags.",
    "    * NAME <client-name>",
    "      Kill connections with the specified name.",
    "    * IDLE <idle>",
    "      Kill connections with idle time greater than or equal to <idle> seconds.",
    "    * LIB-NAME <library-name>",
    "      Kill connections with the specified library name.",
    "    * LIB-VER <library-version>",
    "      Kill connections with the specified library version.",
    "    * DB <db-id>",
    "      Kill connections currently operating on the specified database ID.",
    "    * CAPA <capa>",
    "      Kill connections currently with the specified capa.",
    "    * IP <ip>",
    "      Kill connections made from the specified ip.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|PRIMARY|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "    * USER <username>",
    "      Return clients authenticated by <username>.",
    "    * ADDR <ip:port>",
    "      Return clients connected from the specified address.",
    "    * LADDR <ip:port>",
    "      Return clients connected to the specified local address.",
    "    * ID <client-id> [<client-id>...]",
    "      Return clients with the specified IDs.",
    "    * SKIPME (YES|NO)",
    "      Exclude the current client from the list (default: no).",
    "    * MAXAGE <maxage>",
    "      List connections older than the specified age.",
    "    * FLAGS <flags>",
    "      Return clients with the specified flags.",
    "    * NAME <client-name>",
    "      Return clients with the specified name.",
    "    * IDLE <idle>",
    "      Return clients with idle time greater than or equal to <idle> seconds.",
    "    * LIB-NAME <lib-name>",
    "      Return clients with the specified lib name.",
    "    * LIB-VER <lib-version>",
    "      Return clients with the specified lib version.",
    "    * DB <db-id>",
    "      Return clients currently operating on the specified database ID.",
    "    * CAPA <capa>",
    "      Return connections currently with the specified capa.",
    "    * IP <ip>",
    "      Return connections made from the specified ip.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
    "IMPORT-SOURCE (ON|OFF)",
    "    Mark this connection as an import source if import-mode is enabled.",
    "    Sync tools can set their connections into 'import-source' state to visit",
    "    expired keys.",
];
