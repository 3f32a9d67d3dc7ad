//! DEBUG, behind `enable-debug-command`.
//!
//! Owns which subcommands exist. Those that set a switch of another implementation's test
//! suite answer OK where the switch means nothing here.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use thermocline_commands::{Call, CommandError, ReplyBuffer, Version, table};
use tracing::warn;

use super::{CommandResult, Family, Invocation, Outcome, Refusal, Wait, refuse};
use crate::clients::Client;
use crate::resp_reader::{Item, read_item};
use crate::server::Server;

/// The longest DEBUG SLEEP, in seconds.
const SLEEP_LIMIT_S: f64 = 86_400.0;

pub(super) static COMMANDS: Family = &[("debug", debug)];

/// Subcommands of others' test suites that change nothing here, with the number of their
/// arguments.
const WITHOUT_MEANING: &[(&str, usize)] = &[
    ("change-repl-id", 0),
    ("client-enforce-reply-list", 1),
    ("delay-rdb-client-free-second", 1),
    ("dict-resizing", 1),
    ("hashtable-can-abort-shrink", 1),
    ("pause-after-fork", 1),
    ("pause-cron", 1),
    ("quicklist-packed-threshold", 1),
    ("replybuffer", 2),
    ("set-skip-checksum-validation", 1),
];

fn debug(invocation: &mut Invocation<'_>) -> CommandResult {
    let name = invocation.text(1).to_ascii_lowercase();
    let given = invocation.arguments.len() - 2;
    let needs_keys = matches!(
        name.as_str(),
        "object" | "digest" | "digest-value" | "populate" | "sdslen"
    );
    if invocation.is_in_transaction() && needs_keys {
        // Its calls would lock shards that the transaction holds.
        return Err(CommandError::NotInTransaction("debug").into());
    }
    match (name.as_str(), given) {
        ("sleep", 1) => sleep(invocation),
        ("set-active-expire", 1) => {
            let on = !invocation.is(2, "0");
            invocation.server.store.settings().set_active_expire(on);
            invocation.ok()
        }
        ("reload", _) | ("loadaof", 0) => Ok(Outcome::Wait(Wait::Checkpoint)),
        ("object", 1 | 2) => object(invocation),
        ("digest", 0) => Ok(Outcome::Wait(Wait::Digest(Vec::new()))),
        ("digest-value", 1..) => {
            let keys = invocation.arguments[2..].iter();
            let keys = keys.map(|key| key.to_vec()).collect();
            Ok(Outcome::Wait(Wait::Digest(keys)))
        }
        ("populate", 1..=3) => populate(invocation),
        ("protocol", 1) => protocol(invocation),
        ("error", 1) => Err(Refusal::Text(invocation.text(2).into_owned())),
        ("log", 1) => {
            warn!("DEBUG LOG: {}", invocation.text(2));
            invocation.ok()
        }
        ("stringmatch-len", 2) => string_match(invocation),
        ("set-disable-deny-scripts", 1) => {
            let on = !invocation.is(2, "0");
            invocation.server.live.scripts_may_debug.store(on, Relaxed);
            invocation.ok()
        }
        ("help", 0) => help(invocation),
        _ if WITHOUT_MEANING.contains(&(name.as_str(), given)) => invocation.ok(),
        _ => Err(refuse(format!(
            "unknown subcommand or wrong number of arguments for '{}'. Try DEBUG HELP.",
            invocation.text(1)
        ))),
    }
}

/// Why the client may not run DEBUG, not even queue it, by `enable-debug-command`.
pub(crate) fn debug_refusal(server: &Server, client: &Client) -> Option<Refusal> {
    let is_local = client.is_unix
        || client
            .address
            .parse::<std::net::SocketAddr>()
            .is_ok_and(|address| address.ip().is_loopback());
    match server.config.get("enable-debug-command").as_str() {
        "yes" => None,
        "local" if is_local => None,
        _ => Some(refuse(
            "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
             you can run it from a local connection, otherwise you need to set this option in \
             the configuration file, and then restart the server.",
        )),
    }
}

/// Only this connection sleeps: there is no single thread to stop.
fn sleep(invocation: &mut Invocation<'_>) -> CommandResult {
    let seconds: f64 = invocation.text(2).parse().unwrap_or(0.0);
    let seconds = if seconds.is_finite() { seconds } else { 0.0 };
    let time = Duration::from_secs_f64(seconds.clamp(0.0, SLEEP_LIMIT_S));
    Ok(Outcome::Wait(Wait::Sleep(time)))
}

fn populate(invocation: &mut Invocation<'_>) -> CommandResult {
    let number = |index: usize| -> Result<Option<u64>, Refusal> {
        let Some(argument) = invocation.arguments.get(index) else {
            return Ok(None);
        };
        let number = thermocline_commands::arguments::parse_integer(argument)?;
        let number = u64::try_from(number);
        number
            .map(Some)
            .map_err(|_| CommandError::OutOfRange.into())
    };
    let count = number(2)?.unwrap_or(0);
    let value_bytes = number(4)?.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if value_bytes.is_some_and(|bytes| bytes > thermocline_base::limits::STRING_MAX_BYTES) {
        return Err(CommandError::StringTooLong.into());
    }
    let prefix = invocation.arguments.get(3).copied().unwrap_or(b"key");
    Ok(Outcome::Wait(Wait::Populate {
        count,
        prefix: prefix.to_vec(),
        value_bytes,
    }))
}

/// Runs a command on keys and gives its RESP2 reply.
fn run_call(
    invocation: &mut Invocation<'_>,
    words: &[&[u8]],
) -> Result<Result<Vec<u8>, thermocline_store::Fault>, Refusal> {
    let command = table::resolve(words)?;
    let mut reply = ReplyBuffer::new(Version::Two);
    let call = Call {
        command,
        database: invocation.session.database,
        arguments: words,
    };
    let ran = invocation
        .executor
        .run(call, &mut reply, invocation.faults, invocation.random);
    Ok(ran.map(|_| reply.as_bytes().into_owned()))
}

fn object(invocation: &mut Invocation<'_>) -> CommandResult {
    let key = invocation.arguments[2];
    let encoding = match run_call(invocation, &[b"object", b"encoding", key])? {
        Ok(reply) => reply,
        Err(fault) => return Ok(Outcome::Fault(fault)),
    };
    let Some((Item::Bulk(encoding), _)) = read_item(&encoding, 0) else {
        return Err(CommandError::NoSuchKey.into());
    };
    let dump = match run_call(invocation, &[b"dump", key])? {
        Ok(reply) => reply,
        Err(fault) => return Ok(Outcome::Fault(fault)),
    };
    // Ten bytes of version and checksum follow the value, one of type precedes it.
    let serialised_bytes = match read_item(&dump, 0) {
        Some((Item::Bulk(dump), _)) => dump.len().saturating_sub(11),
        _ => 0,
    };
    let encoding = String::from_utf8_lossy(&encoding);
    invocation.reply.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{serialised_bytes} lru:0 \
         lru_seconds_idle:0"
    ));
    Ok(Outcome::Done)
}

fn string_match(invocation: &mut Invocation<'_>) -> CommandResult {
    use thermocline_commands::glob::{Case, matches};
    let (text, pattern) = (invocation.arguments[2], invocation.arguments[3]);
    let fits = pattern == b"*" || matches(pattern, text, Case::Sensitive);
    invocation.reply.integer(i64::from(fits));
    Ok(Outcome::Done)
}

fn protocol(invocation: &mut Invocation<'_>) -> CommandResult {
    let name = invocation.text(2).to_ascii_lowercase();
    let reply = &mut *invocation.reply;
    match name.as_str() {
        "string" => reply.bulk(b"Hello World"),
        "integer" => reply.integer(12_345),
        "double" => reply.double(3141.0 / 1000.0),
        "bignum" => reply.big_number("1234567999999999999999999999999999999"),
        "null" => reply.null(),
        "array" | "set" => {
            if name == "set" {
                reply.set(3);
            } else {
                reply.array(3);
            }
            (0..3).for_each(|number| reply.integer(number));
        }
        "map" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        "push" => {
            // RESP2 has no such message.
            if reply.version() == Version::Two {
                return Err(refuse("RESP2 is not supported by this command"));
            }
            reply.bulk(b"Some real reply following the push reply");
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
        }
        "attrib" => {
            if reply.version() == Version::Three {
                reply.attribute(1);
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        "verbatim" => reply.verbatim(*b"txt", b"This is a verbatim\nstring"),
        "true" => reply.boolean(true),
        "false" => reply.boolean(false),
        _ => {
            return Err(refuse(
                "Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(Outcome::Done)
}

fn help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "DEBUG",
        &[
            "DIGEST",
            "    Output a hex signature representing the current content of all databases.",
            "DIGEST-VALUE <key> [<key> ...]",
            "    Output a hex signature of the values of all the specified keys.",
            "ERROR <string>",
            "    Return a RESP protocol error with <string> as message. Useful for clients",
            "    unit tests to simulate error replies.",
            "LOG <message>",
            "    Write <message> to the server log.",
            "LOADAOF",
            "    Make a checkpoint and wait for it.",
            "OBJECT <key>",
            "    Show low level info about `key` and associated value.",
            "POPULATE <count> [<prefix>] [<size>]",
            "    Create <count> string keys named key:<num>. If <prefix> is specified then",
            "    it is used instead of the 'key' prefix.",
            "PROTOCOL <type>",
            "    Reply with a test value of the specified type. <type> can be: string,",
            "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
            "    true, false.",
            "RELOAD [option ...]",
            "    Make a checkpoint and wait for it.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    Setting it to 0 disables expiring keys in background when they are not",
            "    accessed (otherwise the behavior). Setting it to 1 reenables back the",
            "    default.",
            "SET-DISABLE-DENY-SCRIPTS <0|1>",
            "    Allow or deny DEBUG in scripts.",
            "SLEEP <seconds>",
            "    Delay this connection for <seconds>. Decimals allowed.",
            "STRINGMATCH-LEN <text> <pattern>",
            "    Tell whether the glob-like <pattern> fits <text>.",
        ],
    )
}
