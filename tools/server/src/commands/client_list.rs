//! CLIENT LIST, INFO and KILL.
//!
//! Owns the filters that LIST and KILL share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use thermocline_commands::CommandError;
use thermocline_commands::arguments::parse_integer;

use super::{CommandResult, Family, Invocation, Outcome, Refusal, refuse};
use crate::clients::{Client, End};
use crate::registry;

/// Flags a client of Valkey may have in CLIENT LIST.
const FLAGS: &str = "AbBcdeEiIkMNOPrRStTuUx";

pub(super) static COMMANDS: Family = &[
    ("client|info", info),
    ("client|kill", kill),
    ("client|list", list),
];

/// Conditions on a client; those that are not set say nothing.
#[derive(Debug, Default)]
struct Conditions {
    ids: Vec<u64>,
    kind: Option<ClientKind>,
    /// Of the only user there is.
    is_of_user: bool,
    address: Option<String>,
    local_address: Option<String>,
    flags: Option<String>,
    name: Option<String>,
    library: Option<String>,
    library_version: Option<String>,
    database: Option<u8>,
    needs_redirection: bool,
    ip: Option<String>,
}

impl Conditions {
    /// Sets the condition of that name; `prefix` is what stands before it in errors. False if
    /// there is none.
    fn set(
        &mut self,
        name: &str,
        prefix: &str,
        value: &[u8],
        databases: u64,
    ) -> Result<bool, Refusal> {
        let text = String::from_utf8_lossy(value).into_owned();
        let unknown = |what: &str| {
            let filter = if prefix.is_empty() {
                "provided".to_owned()
            } else {
                format!("{prefix}{}", what.to_ascii_uppercase())
            };
            refuse(format!(
                "Unknown {what} found in the {filter} filter: {text}"
            ))
        };
        match name {
            "id" => self.ids.push(client_id(value)?),
            "type" => self.kind = Some(client_kind(&text)?),
            "user" if text == "default" => self.is_of_user = true,
            "user" => return Err(refuse(format!("No such user '{text}'"))),
            "addr" => self.address = Some(text),
            "laddr" => self.local_address = Some(text),
            "flags" if text.chars().all(|flag| FLAGS.contains(flag)) => self.flags = Some(text),
            "flags" => return Err(unknown("flags")),
            "name" => self.name = Some(text),
            "lib-name" => self.library = Some(text),
            "lib-ver" => self.library_version = Some(text),
            "db" => self.database = Some(database(value, prefix, databases)?),
            "capa" if text.chars().all(|capability| capability == 'r') => {
                self.needs_redirection = true;
            }
            "capa" => return Err(unknown("capa")),
            "ip" => self.ip = Some(text),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// For each condition that is set whether it holds.
    fn held(&self, client: &Client) -> impl Iterator<Item = bool> {
        let names = client.names.lock();
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().map(|text| text == value);
        let kind = if client.is_subscribed() {
            ClientKind::Subscribed
        } else {
            ClientKind::Normal
        };
        let flags = client.flags();
        let has_flags = |wanted: &String| wanted.chars().all(|flag| flags.contains(flag));
        let in_database = |wanted: u8| client.database.load(Relaxed) == wanted;
        [
            (!self.ids.is_empty()).then(|| self.ids.contains(&client.id)),
            self.kind.map(|wanted| wanted == kind),
            self.is_of_user.then_some(true),
            is(&self.address, &client.address),
            is(&self.local_address, &client.local_address),
            self.flags.as_ref().map(has_flags),
            is(&self.name, &names.name),
            is(&self.library, &names.library),
            is(&self.library_version, &names.library_version),
            self.database.map(in_database),
            (self.needs_redirection).then(|| client.can_redirect.load(Relaxed)),
            self.ip.as_ref().map(|ip| has_ip(&client.address, ip)),
        ]
        .into_iter()
        .flatten()
    }
}

/// Which clients are meant.
#[derive(Debug, Default)]
struct Filter {
    wanted: Conditions,
    unwanted: Conditions,
    skip_own: Option<bool>,
    least_age_s: Option<u64>,
    least_idle_s: Option<u64>,
}

impl Filter {
    /// Reads `options` as LIST and KILL take them.
    fn parse(options: &[&[u8]], databases: u64) -> Result<Self, Refusal> {
        let mut filter = Self::default();
        let mut rest = options;
        while let [option, value, after @ ..] = rest {
            rest = after;
            let option = String::from_utf8_lossy(option).to_ascii_lowercase();
            match option.as_str() {
                "skipme" => filter.skip_own = Some(yes_no(&String::from_utf8_lossy(value))?),
                "maxage" => filter.least_age_s = Some(positive(value, "maxage")?),
                "idle" => filter.least_idle_s = Some(positive(value, "idle")?),
                _ => {
                    let (conditions, name, prefix) = match option.strip_prefix("not-") {
                        Some(name) => (&mut filter.unwanted, name, "NOT-"),
                        None => (&mut filter.wanted, option.as_str(), ""),
                    };
                    if !conditions.set(name, prefix, value, databases)? {
                        return Err(CommandError::Syntax.into());
                    }
                    if name == "id" {
                        while let [next, after @ ..] = rest
                            && parse_integer(next).is_ok()
                        {
                            conditions.ids.push(client_id(next)?);
                            rest = after;
                        }
                    }
                }
            }
        }
        if rest.is_empty() {
            Ok(filter)
        } else {
            Err(CommandError::Syntax.into())
        }
    }

    fn fits(&self, client: &Client, own_id: u64, now_ns: u64) -> bool {
        self.wanted.held(client).all(|held| held)
            && !self.unwanted.held(client).any(|held| held)
            && !(self.skip_own == Some(true) && client.id == own_id)
            && self
                .least_age_s
                .is_none_or(|age_s| client.age_s(now_ns) >= age_s)
            && self
                .least_idle_s
                .is_none_or(|idle_s| client.idle_s(now_ns) >= idle_s)
    }
}

fn has_ip(address: &str, ip: &str) -> bool {
    address
        .parse::<SocketAddr>()
        .is_ok_and(|address| address.ip().to_string() == ip)
}

fn client_id(value: &[u8]) -> Result<u64, Refusal> {
    let id = parse_integer(value).map_err(|_| CommandError::Syntax)?;
    u64::try_from(id)
        .ok()
        .filter(|id| *id > 0)
        .ok_or_else(|| refuse("client-id should be greater than 0"))
}

/// The types of CLIENT LIST's TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientKind {
    Normal,
    Subscribed,
    /// A primary or replica.
    Replication,
}

fn client_kind(name: &str) -> Result<ClientKind, Refusal> {
    match name.to_ascii_lowercase().as_str() {
        "normal" => Ok(ClientKind::Normal),
        "pubsub" => Ok(ClientKind::Subscribed),
        "primary" | "master" | "replica" | "slave" => Ok(ClientKind::Replication),
        _ => Err(refuse(format!("Unknown client type '{name}'"))),
    }
}

fn yes_no(text: &str) -> Result<bool, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(CommandError::Syntax.into()),
    }
}

fn positive(value: &[u8], name: &str) -> Result<u64, Refusal> {
    let number = parse_integer(value)
        .map_err(|_| refuse(format!("{name} is not an integer or out of range")))?;
    u64::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| refuse(format!("{name} should be greater than 0")))
}

fn database(value: &[u8], prefix: &str, databases: u64) -> Result<u8, Refusal> {
    let number = parse_integer(value)
        .map_err(|_| refuse(format!("{prefix}DB is not an integer or out of range")))?;
    u8::try_from(number)
        .ok()
        .filter(|number| u64::from(*number) < databases)
        .ok_or_else(|| {
            let greatest = databases.saturating_sub(1);
            refuse(format!(
                "{prefix}DB number should be between 0 and {greatest}"
            ))
        })
}

/// The clients that are there and fit the options from `index` on.
fn chosen(
    invocation: &Invocation<'_>,
    index: usize,
    skip_own: bool,
) -> Result<Vec<Arc<Client>>, Refusal> {
    let server = invocation.server;
    let options = invocation.arguments.get(index..).unwrap_or_default();
    let mut filter = Filter::parse(options, server.config.number("databases"))?;
    filter.skip_own = filter.skip_own.or(Some(skip_own));
    let (own_id, now_ns) = (invocation.session.client.id, server.now_ns());
    let mut clients = server.clients.all();
    clients.retain(|client| is_there(client) && filter.fits(client, own_id, now_ns));
    Ok(clients)
}

/// The command a client ran last; for the client that asks, the one it runs now.
fn command_of(invocation: &Invocation<'_>, client: &Client) -> &'static str {
    if client.id != invocation.session.client.id {
        return registry::name(client.last_command.load(Relaxed));
    }
    if invocation.is_in_transaction() {
        return "exec";
    }
    thermocline_commands::table::find(invocation.arguments).map_or("NULL", |found| found.name)
}

/// Whether nobody has killed the client: one that was is gone, though its task may not have
/// heard of it yet.
fn is_there(client: &Client) -> bool {
    client.end() != End::Now
}

fn list(invocation: &mut Invocation<'_>) -> CommandResult {
    let clients = chosen(invocation, 2, false)?;
    let now_ns = invocation.server.now_ns();
    let mut text = String::new();
    for client in clients {
        client.describe(command_of(invocation, &client), now_ns, &mut text);
    }
    invocation.reply.verbatim(*b"txt", text.as_bytes());
    Ok(Outcome::Done)
}

fn info(invocation: &mut Invocation<'_>) -> CommandResult {
    let client = Arc::clone(&invocation.session.client);
    let mut text = String::new();
    let now_ns = invocation.server.now_ns();
    client.describe(command_of(invocation, &client), now_ns, &mut text);
    invocation.reply.verbatim(*b"txt", text.as_bytes());
    Ok(Outcome::Done)
}

fn kill(invocation: &mut Invocation<'_>) -> CommandResult {
    let own_id = invocation.session.client.id;
    let by_address = invocation.arguments.len() == 3;
    let clients = if by_address {
        let address = invocation.text(2);
        let mut clients = invocation.server.clients.all();
        clients.retain(|client| client.address == address && is_there(client));
        if clients.is_empty() {
            return Err(CommandError::NoSuchClient.into());
        }
        clients
    } else {
        chosen(invocation, 2, true)?
    };
    let mut outcome = Outcome::Done;
    for client in &clients {
        if client.id == own_id {
            // Its reply still leaves.
            client.ask_to_end(End::Soon);
            outcome = Outcome::Close;
        } else {
            client.ask_to_end(End::Now);
        }
    }
    if by_address {
        invocation.reply.simple("OK");
    } else {
        invocation
            .reply
            .integer(i64::try_from(clients.len()).unwrap_or(i64::MAX));
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Filter, String> {
        let words: Vec<&[u8]> = text.split_whitespace().map(str::as_bytes).collect();
        Filter::parse(&words, 16).map_err(|refusal| match refusal {
            Refusal::Command(error) => error.to_string(),
            Refusal::Text(text) => text,
        })
    }

    #[test]
    fn errors_are_those_of_valkey() {
        for (options, expected) in [
            ("FOO x", "ERR syntax error"),
            ("TYPE", "ERR syntax error"),
            ("TYPE foo", "ERR Unknown client type 'foo'"),
            ("ID x", "ERR syntax error"),
            ("ID 1 2 x", "ERR syntax error"),
            ("ID 0", "ERR client-id should be greater than 0"),
            ("USER nobody", "ERR No such user 'nobody'"),
            ("SKIPME foo", "ERR syntax error"),
            ("MAXAGE x", "ERR maxage is not an integer or out of range"),
            ("MAXAGE 0", "ERR maxage should be greater than 0"),
            ("IDLE -1", "ERR idle should be greater than 0"),
            ("DB x", "ERR DB is not an integer or out of range"),
            (
                "FLAGS Z",
                "ERR Unknown flags found in the provided filter: Z",
            ),
            ("CAPA x", "ERR Unknown capa found in the provided filter: x"),
            (
                "NOT-FLAGS NZ",
                "ERR Unknown flags found in the NOT-FLAGS filter: NZ",
            ),
            ("NOT-DB x", "ERR NOT-DB is not an integer or out of range"),
            ("NOT-DB 16", "ERR NOT-DB number should be between 0 and 15"),
            ("NOT-SKIPME yes", "ERR syntax error"),
            ("NOT-IDLE 1", "ERR syntax error"),
        ] {
            assert_eq!(parse(options).err().as_deref(), Some(expected), "{options}");
        }
    }

    #[test]
    fn every_option_narrows() {
        let client = Client::new(7, "1.2.3.4:5".into(), "1.2.3.4:6".into(), 9, false, 0);
        client.names.lock().name = "me".into();
        let fits = |options: &str| parse(options).unwrap().fits(&client, 7, 5_000_000_000);
        for options in [
            "",
            "ID 1 7",
            "TYPE normal",
            "USER default",
            "ADDR 1.2.3.4:5",
            "LADDR 1.2.3.4:6",
            "SKIPME no",
            "MAXAGE 5",
            "IDLE 5",
            "FLAGS N",
            "NAME me",
            "DB 0",
            "IP 1.2.3.4",
            "NOT-ID 1",
            "NOT-TYPE pubsub",
            "NOT-NAME you NOT-IP 1.2.3.5",
            "NOT-DB 1",
        ] {
            assert!(fits(options), "{options}");
        }
        for options in [
            "ID 1",
            "TYPE pubsub",
            "ADDR 1.2.3.4:6",
            "LADDR x",
            "SKIPME yes",
            "MAXAGE 6",
            "IDLE 6",
            "FLAGS U",
            "NAME you",
            "LIB-NAME x",
            "DB 1",
            "CAPA r",
            "IP 1.2.3.5",
            "ID 7 NAME you",
            "NOT-ID 7",
            "NOT-USER default",
            "NOT-FLAGS N",
            "NOT-NAME you NOT-IP 1.2.3.4",
        ] {
            assert!(!fits(options), "{options}");
        }
    }
}
