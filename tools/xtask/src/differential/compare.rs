//! When two replies to a command are the same.
//!
//! Owns what Valkey leaves open: the order of unordered elements, random
//! choices, the clock. Everything else is the same only byte for byte. Pure.

use super::resp::{Command, Reply};

/// How far two clocks may be apart, in ms: the servers get a command one after
/// the other, on a machine that may be busy.
const CLOCK_TOLERANCE_MS: i64 = 15_000;

/// What of two replies has to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Every byte.
    Exact,
    /// The elements, in any order.
    Unordered,
    /// Pairs of elements, in any order.
    UnorderedPairs,
    /// The elements in any order, and theirs too.
    AnyOrder,
    /// Integers up to a difference, but negative ones exactly.
    Within(i64),
    /// Every byte, but times that passed since a consumer or an entry was seen.
    Idle,
    /// The structure and the number of elements.
    Structure,
    /// Whether it is null, an error (exactly), or what kind of reply.
    Kind,
}

fn rule(command: &Command) -> Rule {
    let lower = |at: usize| command.get(at).map(|word| word.to_ascii_lowercase());
    let (name, second) = (lower(0).unwrap_or_default(), lower(1).unwrap_or_default());
    match (name.as_slice(), second.as_slice()) {
        // Of all commands there are.
        (b"command", b"info") if command.len() == 2 => Rule::Kind,
        (b"hkeys" | b"hvals" | b"keys", _)
        | (b"smembers" | b"sinter" | b"sunion" | b"sdiff" | b"spop", _) => Rule::Unordered,
        // As the elements of a set come.
        (b"sort" | b"sort_ro", _) if sorts_nothing(command) => Rule::Unordered,
        (b"hgetall", _) => Rule::UnorderedPairs,
        (b"ttl" | b"expiretime" | b"httl" | b"hexpiretime", _) => {
            Rule::Within(CLOCK_TOLERANCE_MS / 1000)
        }
        (b"pttl" | b"pexpiretime" | b"hpttl" | b"hpexpiretime", _) => {
            Rule::Within(CLOCK_TOLERANCE_MS)
        }
        (b"xpending", _) | (b"xinfo", b"consumers" | b"stream") => Rule::Idle,
        (b"function", b"list") => Rule::AnyOrder,
        (b"hrandfield" | b"srandmember" | b"zrandmember", _) => Rule::Structure,
        (
            b"scan" | b"hscan" | b"sscan" | b"zscan" | b"randomkey" | b"dump" | b"hello" | b"info",
            _,
        )
        | (b"function", b"dump" | b"help")
        | (b"script", b"help")
        | (b"time" | b"lastsave", _)
        | (b"lolwut", _)
        | (b"object", b"idletime" | b"refcount" | b"help")
        | (b"memory", b"usage" | b"help" | b"doctor" | b"stats" | b"malloc-stats")
        | (b"config", b"help" | b"get")
        | (b"command", b"" | b"count" | b"list" | b"docs" | b"help")
        | (b"slowlog" | b"commandlog", b"get" | b"len" | b"help")
        | (b"latency", b"help" | b"doctor" | b"latest" | b"histogram")
        | (b"pubsub", b"help")
        | (b"client", b"id" | b"list" | b"info" | b"help") => Rule::Kind,
        _ => Rule::Exact,
    }
}

/// Whether it is a SORT of a set that keeps its order, which is no order.
fn sorts_nothing(command: &Command) -> bool {
    let is_set = command.get(1).is_some_and(|key| {
        [&b"t:"[..], b"bt:", b"i:"]
            .iter()
            .any(|prefix| key.starts_with(prefix))
    });
    is_set
        && command
            .iter()
            .any(|word| word.eq_ignore_ascii_case(b"nosort"))
}

/// Whether its replies are compared byte for byte.
pub(super) fn is_exact(command: &Command) -> bool {
    rule(command) == Rule::Exact
}

/// Whether its replies are elements in any order.
pub(super) fn is_unordered(command: &Command) -> bool {
    rule(command) == Rule::Unordered
}

/// A command that two replies disagree on.
#[derive(Debug)]
pub(super) struct Difference<'c> {
    pub(super) command: &'c Command,
    pub(super) one: Vec<u8>,
    pub(super) other: Vec<u8>,
}

/// Where the replies to `command` are not the same. `queued` are the commands
/// of the transaction that it ended: each is compared on its own.
pub(super) fn differences<'c>(
    command: &'c Command,
    queued: &'c [Command],
    one: &[u8],
    other: &[u8],
) -> Vec<Difference<'c>> {
    if one == other {
        return Vec::new();
    }
    let whole = |command| Difference {
        command,
        one: one.to_vec(),
        other: other.to_vec(),
    };
    let (Some(parsed), Some(other_parsed)) = (Reply::parse(one), Reply::parse(other)) else {
        return vec![whole(command)];
    };
    let (ones, others) = (parsed.elements(), other_parsed.elements());
    let is_transaction = command[0].eq_ignore_ascii_case(b"exec") && !queued.is_empty();
    if is_transaction && [ones.len(), others.len()] == [queued.len(); 2] {
        let each = queued.iter().zip(ones).zip(others);
        let disagree = each.filter(|((command, one), other)| !agree(rule(command), one, other));
        return disagree
            .map(|((command, one), other)| Difference {
                command,
                one: one.raw(),
                other: other.raw(),
            })
            .collect();
    }
    if agree(rule(command), &parsed, &other_parsed) {
        Vec::new()
    } else {
        vec![whole(command)]
    }
}

fn agree(rule: Rule, one: &Reply, other: &Reply) -> bool {
    if one.is_error() || other.is_error() {
        return one == other;
    }
    match rule {
        Rule::Exact => one == other,
        Rule::Unordered => sorted(one, 1) == sorted(other, 1),
        Rule::UnorderedPairs => sorted(one, 2) == sorted(other, 2),
        Rule::AnyOrder => deeply_sorted(one) == deeply_sorted(other),
        Rule::Within(difference) => within(one, other, difference),
        Rule::Idle => idle(one, other),
        Rule::Structure => structure(one, other),
        Rule::Kind => kind(one) == kind(other),
    }
}

/// The kind of a reply, and its elements in groups of `each`, sorted.
fn sorted(reply: &Reply, each: usize) -> (u8, Vec<&[Reply]>) {
    let mut groups: Vec<_> = reply.elements().chunks(each).collect();
    groups.sort_unstable();
    (kind(reply), groups)
}

fn deeply_sorted(reply: &Reply) -> Reply {
    match reply {
        Reply::Aggregate(kind, elements) => {
            let mut elements: Vec<_> = elements.iter().map(deeply_sorted).collect();
            elements.sort_unstable();
            Reply::Aggregate(*kind, elements)
        }
        other => other.clone(),
    }
}

/// What starts a reply; a null has its own.
fn kind(reply: &Reply) -> u8 {
    match reply {
        Reply::Line(line) => line[0],
        Reply::Bulk(_) => b'$',
        Reply::Aggregate(kind, _) => *kind,
    }
}

fn within(one: &Reply, other: &Reply, difference: i64) -> bool {
    match (one.integer(), other.integer()) {
        (Some(one), Some(other)) if one >= 0 && other >= 0 => {
            one.abs_diff(other) as i64 <= difference
        }
        (None, None) if !one.elements().is_empty() => {
            let (ones, others) = (one.elements(), other.elements());
            let mut pairs = ones.iter().zip(others);
            kind(one) == kind(other)
                && ones.len() == others.len()
                && pairs.all(|(one, other)| within(one, other, difference))
        }
        _ => one == other,
    }
}

/// Whether all is the same but the times: values of fields named so, and the last but one
/// of a pending entry's parts.
fn idle(one: &Reply, other: &Reply) -> bool {
    let (ones, others) = (one.elements(), other.elements());
    if ones.is_empty() || ones.len() != others.len() || kind(one) != kind(other) {
        return one == other;
    }
    let is_pending = matches!(ones.len(), 3 | 4) && ones[0].bytes().contains(&b'-');
    (0..ones.len()).all(|at| {
        let is_named = at.checked_sub(1).is_some_and(|before| {
            let names: [&[u8]; 4] = [b"idle", b"inactive", b"seen-time", b"active-time"];
            names.contains(&ones[before].bytes())
        });
        let is_time = is_named || is_pending && at + 2 == ones.len();
        if is_time && ones[at].integer().is_some() {
            within(&ones[at], &others[at], CLOCK_TOLERANCE_MS)
        } else {
            idle(&ones[at], &others[at])
        }
    })
}

fn structure(one: &Reply, other: &Reply) -> bool {
    let (ones, others) = (one.elements(), other.elements());
    let mut pairs = ones.iter().zip(others);
    kind(one) == kind(other)
        && ones.len() == others.len()
        && pairs.all(|(one, other)| structure(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::resp::command;

    fn compared(line: &str, one: &str, other: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        differences(&command(&words), &[], one.as_bytes(), other.as_bytes()).is_empty()
    }

    #[test]
    fn replies_are_the_same_byte_for_byte_where_nothing_is_open() {
        assert!(compared("get k", "$1\r\na\r\n", "$1\r\na\r\n"));
        assert!(!compared("get k", "$1\r\na\r\n", "$1\r\nb\r\n"));
        assert!(!compared(
            "mget a b",
            "*2\r\n:1\r\n:2\r\n",
            "*2\r\n:2\r\n:1\r\n"
        ));
        assert!(!compared("ttl k", "-ERR a\r\n", "-ERR b\r\n"));
        assert!(!compared("dump k", "$-1\r\n", "$1\r\na\r\n"));
    }

    #[test]
    fn what_is_open_is_left_open_and_no_more() {
        assert!(compared(
            "HKEYS h",
            "*2\r\n:1\r\n:2\r\n",
            "*2\r\n:2\r\n:1\r\n"
        ));
        assert!(!compared(
            "hkeys h",
            "*2\r\n:1\r\n:2\r\n",
            "*2\r\n:2\r\n:2\r\n"
        ));
        let (one, swapped) = (
            "%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n",
            "%2\r\n+b\r\n:2\r\n+a\r\n:1\r\n",
        );
        assert!(compared("hgetall h", one, swapped));
        let mixed = "%2\r\n+b\r\n:1\r\n+a\r\n:2\r\n";
        assert!(!compared("hgetall h", one, mixed));
        assert!(compared(
            "sort bt:1 by nosort",
            "*2\r\n:1\r\n:2\r\n",
            "*2\r\n:2\r\n:1\r\n"
        ));
        assert!(!compared(
            "sort bq:1 by nosort",
            "*2\r\n:1\r\n:2\r\n",
            "*2\r\n:2\r\n:1\r\n"
        ));
        assert!(compared(
            "function list",
            "*2\r\n*2\r\n+a\r\n:1\r\n:3\r\n",
            "*2\r\n:3\r\n*2\r\n:1\r\n+a\r\n"
        ));
        assert!(compared("ttl k", ":100\r\n", ":99\r\n"));
        assert!(!compared("ttl k", ":100\r\n", ":80\r\n"));
        assert!(!compared("ttl k", ":0\r\n", ":-1\r\n"));
        assert!(compared(
            "hpttl h fields 1 a",
            "*1\r\n:900\r\n",
            "*1\r\n:850\r\n"
        ));
        assert!(!compared(
            "hpttl h fields 1 a",
            "*1\r\n:900\r\n",
            "*1\r\n:-2\r\n"
        ));
        assert!(compared(
            "hrandfield h 1",
            "*1\r\n$1\r\na\r\n",
            "*1\r\n$1\r\nb\r\n"
        ));
        assert!(!compared("hrandfield h 2", "*1\r\n$1\r\na\r\n", "*0\r\n"));
    }

    #[test]
    fn times_of_pending_entries_and_consumers_are_open_and_no_more() {
        let pending = |idle: &str, count: &str| {
            format!("*1\r\n*4\r\n$3\r\n5-1\r\n$1\r\nc\r\n:{idle}\r\n:{count}\r\n")
        };
        let line = "xpending x g - + 9";
        assert!(compared(line, &pending("7", "1"), &pending("9", "1")));
        assert!(!compared(line, &pending("7", "1"), &pending("7", "2")));
        assert!(!compared(line, &pending("7", "1"), &pending("90000", "1")));
        let consumer = |pending: &str, idle: &str| {
            format!("*1\r\n*4\r\n$7\r\npending\r\n:{pending}\r\n$4\r\nidle\r\n:{idle}\r\n")
        };
        let line = "xinfo consumers x g";
        assert!(compared(line, &consumer("1", "5"), &consumer("1", "6")));
        assert!(!compared(line, &consumer("1", "5"), &consumer("2", "5")));
    }

    #[test]
    fn a_transaction_is_compared_command_by_command() {
        let exec = command(&["EXEC"]);
        let queued = [command(&["hkeys", "h"]), command(&["get", "k"])];
        let one = b"*2\r\n*2\r\n:1\r\n:2\r\n$1\r\na\r\n";
        let other = b"*2\r\n*2\r\n:2\r\n:1\r\n$1\r\na\r\n";
        assert!(differences(&exec, &queued, one, other).is_empty());
        let wrong = b"*2\r\n*2\r\n:2\r\n:1\r\n$1\r\nb\r\n";
        let found = differences(&exec, &queued, one, wrong);
        let [difference] = found.as_slice() else {
            panic!("one command differs: {found:?}");
        };
        assert_eq!(difference.command, &queued[1]);
        assert_eq!(difference.other, b"$1\r\nb\r\n");
        let found = differences(&exec, &queued, one, b"*-1\r\n");
        assert_eq!(found[0].command, &exec);
    }
}
