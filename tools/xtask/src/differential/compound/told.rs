//! What a client is told of what another does: events of keys, keys that are no longer as it
//! read them, requests.
//!
//! Owns these connections, new ones for each operation. What is told is closed by something
//! that the other sends last, so nothing is waited for that does not come.

use super::disagree;
use crate::differential::DifferentialError;
use crate::differential::generator::Generator;
use crate::differential::pair::Pair;
use crate::differential::resp::{Command, Reply, command};
use std::collections::BTreeSet;

/// The number told for a connection that is told, and for one that acts.
const TOLD: usize = 94;
const ACTOR: usize = 95;
/// What is sent last, and the channel it is sent on.
const LAST: &str = "differential-last";
/// In the names of the keys that expire by themselves, each server at its own time.
const EXPIRING: &[u8] = b":expires";

fn is_last(told: &[u8]) -> bool {
    contains(told, LAST.as_bytes())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn some_commands(generator: &mut Generator) -> Vec<Command> {
    let count = 1 + generator.random().below(4);
    (0..count).map(|_| generator.plain()).collect()
}

fn differ(
    pair: &mut Pair,
    what: &str,
    made: &[Command],
    told: [Vec<Vec<u8>>; 2],
) -> Result<(), DifferentialError> {
    if told[0] == told[1] {
        return Ok(());
    }
    let told = told.map(|told| told.concat());
    Err(disagree(pair, what, &made.concat(), &told))
}

/// Events of keys: the same, in the same order.
pub(super) fn events(generator: &mut Generator, pair: &mut Pair) -> Result<(), DifferentialError> {
    let classes = ["KEA", "EA", "KEAmn", "Kg$lt", "Eshzn"][generator.random().below(5) as usize];
    let configure = |classes: &str| command(&["CONFIG", "SET", "notify-keyspace-events", classes]);
    let mut told = pair.session(TOLD)?;
    let mut actor = pair.session(ACTOR)?;
    let subscribe = [
        command(&["PSUBSCRIBE", "__key*"]),
        command(&["SUBSCRIBE", LAST]),
    ];
    pair.exchange(&mut told, &subscribe)?;
    pair.exchange(&mut actor, &[configure(classes)])?;
    let made = some_commands(generator);
    pair.exchange(&mut actor, &made)?;
    let last = [command(&["PUBLISH", LAST, LAST]), configure("")];
    pair.exchange(&mut actor, &last)?;
    let mut events = pair.receive_until(&mut told, &last[0], is_last)?;
    for side in &mut events {
        side.retain(|event| !contains(event, EXPIRING));
    }
    differ(pair, "the events", &made, events)
}

/// Client-side caching: the keys that one who read them must forget.
pub(super) fn invalidations(
    generator: &mut Generator,
    pair: &mut Pair,
) -> Result<(), DifferentialError> {
    const READS: [(&str, &str, &[&str]); 12] = [
        ("GET", "str", &[]),
        ("STRLEN", "str", &[]),
        ("GETRANGE", "bigstr", &["0", "3"]),
        ("EXISTS", "key", &[]),
        ("TYPE", "key", &[]),
        ("HLEN", "hash", &[]),
        ("LLEN", "list", &[]),
        ("SCARD", "set", &[]),
        ("ZCARD", "zset", &[]),
        ("XLEN", "stream", &[]),
        ("GETBIT", "hll", &["7"]),
        ("EVAL_RO", "", &[]),
    ];
    let mode: &[&str] = [
        &[][..],
        &["NOLOOP"],
        &["OPTIN"],
        &["OPTOUT"],
        &["BCAST"],
        &["BCAST", "NOLOOP"],
        &["BCAST", "PREFIX", "s:", "PREFIX", "h:"],
    ][generator.random().below(7) as usize];
    let mut told = pair.session(TOLD)?;
    let mut actor = pair.session(ACTOR)?;
    let mut start = command(&["CLIENT", "TRACKING", "ON"]);
    start.extend(command(mode));
    pair.exchange(&mut told, &[command(&["HELLO", "3"]), start])?;
    for _ in 0..1 + generator.random().below(8) {
        let is_named = mode.first().is_some_and(|mode| mode.starts_with("OPT"));
        if is_named && generator.random().chance(2) {
            let answer = if mode[0] == "OPTIN" { "YES" } else { "NO" };
            pair.exchange(&mut told, &[command(&["CLIENT", "CACHING", answer])])?;
        }
        let (name, slot, more) = READS[generator.random().below(READS.len() as u64) as usize];
        let read = if slot.is_empty() {
            let text = "return redis.call('exists',KEYS[1])";
            let mut read = command(&[name, text, "1"]);
            read.push(generator.word("str"));
            read
        } else {
            let mut read = vec![name.as_bytes().to_vec(), generator.word(slot)];
            read.extend(command(more));
            read
        };
        pair.exchange(&mut told, &[read])?;
    }
    let mut made = some_commands(generator);
    pair.exchange(&mut actor, &made)?;
    let mut own = vec![b"APPEND".to_vec(), generator.word("str")];
    own.push(b"x".to_vec());
    made.push(own.clone());
    // What the first leaves behind comes before the reply to the second, which is another batch.
    let last = command(&["ECHO", LAST]);
    pair.begin(&mut told, &[own, last.clone()])?;
    let [mut valkey, mut thermocline] = pair.receive_until(&mut told, &last, is_last)?;
    pair.begin(&mut told, std::slice::from_ref(&last))?;
    let [after, thermocline_after] = pair.receive_until(&mut told, &last, is_last)?;
    valkey.extend(after);
    thermocline.extend(thermocline_after);
    let told = [valkey, thermocline];
    let sorted = told.map(|side| {
        let (mut replies, mut keys) = (Vec::new(), BTreeSet::new());
        for one in side {
            match Reply::parse(&one) {
                Some(Reply::Aggregate(b'>', parts)) => keys.extend(invalid_keys(&parts)),
                _ => replies.push(one),
            }
        }
        replies.extend(keys);
        replies
    });
    differ(pair, "what must be forgotten", &made, sorted)
}

/// The keys that a push names; all of them have no name.
fn invalid_keys(parts: &[Reply]) -> Vec<Vec<u8>> {
    let keys = parts.get(1).map(Reply::elements).unwrap_or_default();
    if keys.is_empty() {
        return vec![parts.iter().flat_map(Reply::raw).collect()];
    }
    let keys = keys.iter().map(|key| key.bytes().to_vec());
    keys.filter(|key| !contains(key, EXPIRING)).collect()
}

/// MONITOR shows the same requests.
pub(super) fn requests(
    generator: &mut Generator,
    pair: &mut Pair,
) -> Result<(), DifferentialError> {
    let mut told = pair.session(TOLD)?;
    let mut actor = pair.session(ACTOR)?;
    pair.exchange(&mut told, &[command(&["MONITOR"])])?;
    let made = some_commands(generator);
    pair.exchange(&mut actor, &made)?;
    let last = command(&["ECHO", LAST]);
    pair.exchange(&mut actor, std::slice::from_ref(&last))?;
    let lines = pair.receive_until(&mut told, &last, is_last)?;
    let lines = lines.map(|side| side.iter().map(|line| without_origin(line)).collect());
    differ(pair, "what MONITOR shows", &made, lines)
}

/// A line of MONITOR without its time and the client's address.
fn without_origin(line: &[u8]) -> Vec<u8> {
    let text = line.escape_ascii().to_string();
    let Some((before, words)) = text.split_once("] ") else {
        return text.into_bytes();
    };
    let origin = before.split_once('[').map_or(before, |(_, origin)| origin);
    let (database, address) = origin.split_once(' ').unwrap_or_default();
    let by = if address == "lua" { address } else { "client" };
    format!("[{database} {by}] {words}").into_bytes()
}
