//! Which commands no template sends.
//!
//! Owns the list of those left out, each with its reason. A command that both
//! servers know must be sent or be in that list, so that a new one is not
//! forgotten. Runs once, before the first command.

use super::DifferentialError;
use super::generator::Generator;
use super::grammar::Template;
use super::pair::Pair;
use super::resp::{Command, Reply, command};
use super::templates::{RARE, templates};
use std::collections::BTreeSet;
use thermocline_base::{Random, UnixMillis};

/// How often a template is tried to learn the commands it makes.
const TRIED: u64 = 400;
/// How many commands of scripts are made to learn which there are.
const SCRIPTED_TRIED: u64 = 10_000;
/// The number told for its connection.
const CONNECTION: usize = 98;

/// Commands that templates do not send, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("client|capa", "it is about clusters and replicas"),
    (
        "client|import-source",
        "it is about importing from another server",
    ),
    ("client|pause", "it would stop every connection"),
    ("client|unpause", "it goes with CLIENT PAUSE"),
    ("failover", "it needs a replica"),
    ("module|list", "scripts are a module there"),
    ("monitor", "it is in a compound operation"),
    ("psubscribe", "it is in a compound operation"),
    ("psync", "it makes the connection a replica's"),
    ("punsubscribe", "it is in a compound operation"),
    ("quit", "it ends the connection"),
    ("randomkey", "it is in a compound operation"),
    ("replconf", "it makes the connection a replica's"),
    ("replicaof", "it would empty the server"),
    ("script|debug", "the debugger of scripts is not there"),
    ("shutdown", "it ends the server; restarts use it"),
    ("slaveof", "it would empty the server"),
    ("ssubscribe", "it is in a compound operation"),
    ("subscribe", "it is in a compound operation"),
    ("sunsubscribe", "it is in a compound operation"),
    ("sync", "it makes the connection a replica's"),
    ("unsubscribe", "it is in a compound operation"),
];

/// Checks that nothing is forgotten.
pub(super) fn check(pair: &mut Pair) -> Result<(), DifferentialError> {
    let mut session = pair.session(CONNECTION)?;
    let list = pair.ask(&mut session, &command(&["COMMAND", "LIST"]))?;
    let [valkey, thermocline] = list.map(|raw| names(&raw));
    let sent = sent();
    let is_sent = |name: &String| {
        let is_container = valkey.iter().any(|other| {
            let inner = other.strip_prefix(name.as_str());
            inner.is_some_and(|inner| inner.starts_with('|'))
        });
        is_container || sent.contains(name) || LEFT_OUT.iter().any(|(left, _)| left == name)
    };
    let forgotten: Vec<_> = valkey
        .intersection(&thermocline)
        .filter(|name| !is_sent(name))
        .map(String::as_str)
        .collect();
    if !forgotten.is_empty() {
        let text = format!("no template sends these commands: {}", forgotten.join(" "));
        return Err(DifferentialError::Server(text));
    }
    Ok(())
}

fn names(raw: &[u8]) -> BTreeSet<String> {
    let reply = Reply::parse(raw);
    let names = reply.as_ref().map(Reply::elements).unwrap_or_default();
    let text = |name: &Reply| String::from_utf8_lossy(name.bytes()).to_lowercase();
    names.iter().map(text).collect()
}

/// The commands that templates make, also as container and subcommand.
fn sent() -> BTreeSet<String> {
    let mut random = Random::new(1);
    let mut sent = BTreeSet::new();
    let rare = RARE.1.iter().map(|text| (0, *text));
    for (_, text) in templates().chain(rare) {
        let template = Template::new(text);
        for _ in 0..TRIED {
            let mut fill = |_: &mut Random, name: &str| name.as_bytes().to_vec();
            let made: Command = template.expand(&mut random, &mut fill);
            note(&mut sent, &made);
        }
    }
    let mut generator = Generator::new(random, UnixMillis(0), true);
    for _ in 0..SCRIPTED_TRIED {
        note(&mut sent, &generator.scripted());
    }
    sent
}

fn note(sent: &mut BTreeSet<String>, made: &Command) {
    let words = made.iter().take(2);
    let words = words.map(|word| String::from_utf8_lossy(word).to_lowercase());
    let words: Vec<_> = words.collect();
    if let [container, name] = words.as_slice() {
        sent.insert(format!("{container}|{name}"));
    }
    sent.extend(words.into_iter().next());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_templates_send_is_known_by_name_and_subcommand() {
        let sent = sent();
        for name in [
            "get",
            "xgroup|create",
            "object|encoding",
            "flushall",
            "bzmpop",
        ] {
            assert!(sent.contains(name), "{name}");
        }
        for (name, _) in LEFT_OUT {
            assert!(!sent.contains(*name), "{name} is sent and left out");
        }
    }
}
