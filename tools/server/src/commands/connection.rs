//! AUTH, HELLO, SELECT, PING, ECHO, QUIT, RESET.
//!
//! Owns how a session is opened and set back. See the module above for what holds for all.

use std::sync::atomic::Ordering::Relaxed;

use thermocline_commands::arguments::{parse_database, parse_integer};
use thermocline_commands::{CommandError, Version};

use super::{CommandResult, Family, Invocation, Outcome};
use crate::clients::ClientNames;
use crate::server::Server;
use crate::session::Replies;

/// The version of Redis whose commands and replies clients may expect.
pub(crate) const COMPATIBLE_VERSION: &str = "7.2.4";

pub(super) static COMMANDS: Family = &[
    ("auth", auth),
    ("echo", echo),
    ("hello", hello),
    ("ping", ping),
    ("quit", quit),
    ("reset", reset),
    ("select", select),
];

/// The number of the database that an argument names.
pub(crate) fn select_argument(server: &Server, argument: &[u8]) -> Result<u8, CommandError> {
    let databases = u32::try_from(server.config.number("databases")).unwrap_or(16);
    parse_database(argument, databases)
}

/// Whether the user and password are right; the session is authenticated then.
fn authenticate(
    invocation: &mut Invocation<'_>,
    user: &[u8],
    password: &[u8],
) -> Result<(), CommandError> {
    let live = &invocation.server.live;
    let is_right = user == b"default" && (!live.has_password() || live.is_password(password));
    if is_right {
        let now_ns = invocation.server.now_ns();
        invocation.session.authenticate(true, now_ns);
        return Ok(());
    }
    let statistics = &invocation.server.statistics;
    statistics.denied_authentications.fetch_add(1, Relaxed);
    Err(CommandError::WrongPassword)
}

fn auth(invocation: &mut Invocation<'_>) -> CommandResult {
    match invocation.arguments {
        [_, password] => {
            if !invocation.server.live.has_password() {
                return Err(CommandError::NoPasswordConfigured.into());
            }
            authenticate(invocation, b"default", password)?;
        }
        [_, user, password] => authenticate(invocation, user, password)?,
        _ => return Err(CommandError::Syntax.into()),
    }
    invocation.ok()
}

/// Whether a client may call itself that: printable ASCII without spaces.
pub(super) fn is_valid_name(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}

fn hello(invocation: &mut Invocation<'_>) -> CommandResult {
    let arguments = invocation.arguments;
    let version = match arguments.get(1) {
        None => None,
        Some(text) => Some(match parse_integer(text) {
            Ok(2) => Version::Two,
            Ok(3) => Version::Three,
            Ok(_) => return Err(CommandError::UnsupportedProtocol.into()),
            Err(_) => return Err(CommandError::ProtocolNotInteger.into()),
        }),
    };
    let mut credentials = None;
    let mut name = None;
    let mut rest = arguments.get(2..).unwrap_or_default();
    while let [option, values @ ..] = rest {
        rest = match values {
            [user, password, rest @ ..] if option.eq_ignore_ascii_case(b"auth") => {
                credentials = Some((*user, *password));
                rest
            }
            [value, rest @ ..] if option.eq_ignore_ascii_case(b"setname") => {
                if !is_valid_name(value) {
                    return Err(CommandError::InvalidClientName.into());
                }
                name = Some(*value);
                rest
            }
            _ => return Err(CommandError::hello_syntax(option).into()),
        };
    }
    if let Some((user, password)) = credentials {
        authenticate(invocation, user, password)?;
    }
    if !invocation.session.is_authenticated {
        return Err(CommandError::HelloNotAuthenticated.into());
    }
    if let Some(name) = name {
        let name = String::from_utf8_lossy(name).into_owned();
        invocation.session.rename(|names| names.name = name);
    }
    let reply = &mut *invocation.reply;
    if let Some(version) = version {
        reply.set_version(version);
    }
    let proto = match reply.version() {
        Version::Two => 2,
        Version::Three => 3,
    };
    invocation.session.client.version.store(proto, Relaxed);
    let zone = invocation.server.config.get("availability-zone");
    reply.map(7 + usize::from(!zone.is_empty()));
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(COMPATIBLE_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(proto.into());
    reply.bulk(b"id");
    reply.integer(i64::try_from(invocation.session.client.id).unwrap_or(i64::MAX));
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
    if !zone.is_empty() {
        reply.bulk(b"availability_zone");
        reply.bulk(zone.as_bytes());
    }
    Ok(Outcome::Done)
}

fn select(invocation: &mut Invocation<'_>) -> CommandResult {
    let database = select_argument(invocation.server, invocation.arguments[1])?;
    invocation.session.select(database);
    invocation.ok()
}

fn ping(invocation: &mut Invocation<'_>) -> CommandResult {
    let is_message =
        invocation.session.subscriptions.is_any() && invocation.reply.version() == Version::Two;
    if is_message && invocation.arguments.len() <= 2 {
        let text = invocation.arguments.get(1).copied().unwrap_or_default();
        invocation.reply.array(2);
        invocation.reply.bulk(b"pong");
        invocation.reply.bulk(text);
        return Ok(Outcome::Done);
    }
    match invocation.arguments {
        [_] => invocation.reply.simple("PONG"),
        [_, text] => invocation.reply.bulk(text),
        _ => return Err(CommandError::WrongArity("ping").into()),
    }
    Ok(Outcome::Done)
}

fn echo(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.reply.bulk(invocation.arguments[1]);
    Ok(Outcome::Done)
}

fn quit(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.reply.simple("OK");
    Ok(Outcome::Close)
}

fn reset(invocation: &mut Invocation<'_>) -> CommandResult {
    let session = &mut *invocation.session;
    session.end_transaction(&invocation.server.store);
    session.leave(invocation.server);
    session.select(0);
    session.replies = Replies::On;
    let server = invocation.server;
    session.authenticate(!server.live.has_password(), server.now_ns());
    session.rename(|names| *names = ClientNames::default());
    let client = &session.client;
    client.no_evict.store(false, Relaxed);
    server.clients.forget_spared();
    client.no_touch.store(false, Relaxed);
    client.version.store(2, Relaxed);
    invocation.reply.set_version(Version::Two);
    invocation.reply.simple("RESET");
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_printable_and_without_spaces() {
        assert!(is_valid_name(b"a-b_c.1~!") && is_valid_name(b""));
        for name in [&b"a b"[..], b"a\n", b"\x7f", "é".as_bytes()] {
            assert!(!is_valid_name(name));
        }
    }
}
