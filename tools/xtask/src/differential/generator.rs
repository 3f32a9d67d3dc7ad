//! Makes the commands: templates filled from small pools, now and then
//! malformed, with transactions that begin and end.
//!
//! Owns the pools and what is known of each connection's transaction. Does not
//! see replies: its commands follow from its seed and the day. Pure.

use super::grammar::Template;
use super::resp::{Command, command};
use super::templates::{RARE, templates};
use thermocline_base::{Random, UnixMillis};

/// Keys of each of the small pools.
const SMALL_KEYS: u64 = 8;
/// Keys of the large pool of strings: some twenty megabytes.
const BIG_STRINGS: u64 = 6000;
/// Keys of the large pool of hashes.
const BIG_HASHES: u64 = 200;
/// Keys of the large pool of lists, which templates alone fill.
const BIG_LISTS: u64 = 100;
/// Keys of the large pool of sets.
const BIG_SETS: u64 = 40;
/// Members of these.
const BIG_MEMBERS: u64 = 400;
/// Fields of their hashes.
const BIG_FIELDS: u64 = 150;
/// Small relative expire times would pass during the run, as seconds or ms.
const SAFE_TIME: i64 = 10_000_000;
/// One command in this many is malformed.
const MALFORMED_ONE_IN: u64 = 25;
/// Words that are no proper argument of most commands.
const JUNK: [&[u8]; 28] = [
    b"",
    b"abc",
    b"-1",
    b"0",
    b"+1",
    b"007",
    b" 1",
    b"1e3",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"99999999999999999999",
    b"nan",
    b"inf",
    b"fields",
    b"nx",
    b"\xff\0\r\n",
    b"-nan",
    b"0x10",
    b"1e400",
    b"4294967296",
    b"18446744073709551615",
    b"-",
    b"+",
    b"(",
    b"[a",
    b"count",
    b"withscores",
    b"maxlen",
];
/// One command in this many is the name of any command with any words.
const HOSTILE_ONE_IN: u64 = 30;
/// Commands that are not sent with any words: they would empty everything, change
/// the connection or the server, or wait.
const NEVER_HOSTILE: [&str; 25] = [
    "auth",
    "bgrewriteaof",
    "bgsave",
    "client",
    "config",
    "debug",
    "discard",
    "exec",
    "flushall",
    "flushdb",
    "hello",
    "keys",
    "lolwut",
    "monitor",
    "multi",
    "psubscribe",
    "quit",
    "reset",
    "save",
    "select",
    "shutdown",
    "ssubscribe",
    "subscribe",
    "swapdb",
    "sort",
];
/// How often a template is tried to learn the names it starts with.
const NAMES_TRIED: u64 = 100;
/// Numbers at the limits of what commands take.
const EXTREMES: [&str; 14] = [
    "0",
    "1",
    "-1",
    "-2",
    "100",
    "-100",
    "4294967295",
    "4294967296",
    "-4294967297",
    "9223372036854775807",
    "-9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "x",
];

/// See the module.
pub(super) struct Generator {
    random: Random,
    now: UnixMillis,
    templates: Vec<(u64, Template)>,
    rare: Vec<Template>,
    /// The names of commands that get any words.
    names: Vec<Vec<u8>>,
    total_weight: u64,
    /// For each connection, whether a transaction should be open.
    in_transaction: Vec<bool>,
}

impl Generator {
    /// A generator that begins at this time of the day.
    pub(super) fn new(random: Random, now: UnixMillis) -> Self {
        let templates: Vec<_> = templates()
            .map(|(weight, text)| (weight, Template::new(text)))
            .collect();
        Self {
            random,
            now,
            total_weight: templates.iter().map(|(weight, _)| weight).sum(),
            templates,
            rare: RARE.1.iter().map(|text| Template::new(text)).collect(),
            names: names(),
            in_transaction: Vec::new(),
        }
    }

    /// Every connection is a new one.
    pub(super) fn forget_sessions(&mut self) {
        self.in_transaction.clear();
    }

    /// How many commands [`Generator::fill`] has.
    pub(super) fn big_keys(&self) -> u64 {
        BIG_STRINGS + BIG_HASHES
    }

    /// The command that sets the large pools' key of this number.
    pub(super) fn fill(&mut self, number: u64) -> Command {
        let value = big(&mut self.random);
        match number.checked_sub(BIG_STRINGS) {
            None => command(&[b"SET", format!("bs:{number}").as_bytes(), &value]),
            Some(hash) => {
                let mut words = command(&["HSET", &format!("bh:{hash}")]);
                for field in 0..1 + self.random.below(40) {
                    words.push(format!("field:{field}").into_bytes());
                    words.push(big(&mut self.random));
                }
                words
            }
        }
    }

    /// The next command of a connection.
    pub(super) fn command(&mut self, connection: usize) -> Command {
        if self.in_transaction.len() <= connection {
            self.in_transaction.resize(connection + 1, false);
        }
        let open = self.in_transaction[connection];
        if open && self.random.chance(7) {
            self.in_transaction[connection] = false;
            let end = if self.random.chance(6) {
                "DISCARD"
            } else {
                "EXEC"
            };
            return command(&[end]);
        }
        let made = self.choose();
        match made[0].as_slice() {
            b"multi" => self.in_transaction[connection] = true,
            b"exec" | b"discard" | b"reset" => self.in_transaction[connection] = false,
            _ => {}
        }
        if self.random.chance(MALFORMED_ONE_IN) {
            let malformed = malform(&mut self.random, made.clone());
            if is_comparable(&malformed) {
                return malformed;
            }
        }
        if self.random.chance(HOSTILE_ONE_IN) {
            let hostile = self.hostile();
            if is_comparable(&hostile) {
                return hostile;
            }
        }
        if !is_comparable(&made) {
            return command(&["PING"]);
        }
        self.with_other_case(made)
    }

    /// A command of any name with any words: keys of any type, options of others.
    fn hostile(&mut self) -> Command {
        const SLOTS: [&str; 14] = [
            "key", "key", "key", "extreme", "num", "field", "member", "element", "id", "score",
            "bound", "group", "val", "unit",
        ];
        let at = self.random.below(self.names.len() as u64) as usize;
        let mut command = vec![self.names[at].clone()];
        for position in 0..self.random.below(7) {
            let word = if self.random.chance(4) && position > 0 {
                JUNK[self.random.below(JUNK.len() as u64) as usize].to_vec()
            } else {
                let slots = if position == 0 { 3 } else { SLOTS.len() as u64 };
                let slot = SLOTS[self.random.below(slots) as usize];
                self.word(slot)
            };
            command.push(word);
        }
        command
    }

    /// A command that concerns no connection's state.
    pub(super) fn plain(&mut self) -> Command {
        const OF_CONNECTIONS: [&[u8]; 10] = [
            b"multi", b"exec", b"discard", b"watch", b"unwatch", b"reset", b"select", b"hello",
            b"client", b"config",
        ];
        loop {
            let made = self.choose();
            if is_comparable(&made) && !OF_CONNECTIONS.contains(&made[0].as_slice()) {
                return made;
            }
        }
    }

    fn choose(&mut self) -> Command {
        let now = self.now;
        let mut fill = |random: &mut Random, slot: &str| fill(random, slot, now);
        if self.random.chance(RARE.0) {
            let at = self.random.below(self.rare.len() as u64) as usize;
            return self.rare[at].expand(&mut self.random, &mut fill);
        }
        let mut left = self.random.below(self.total_weight);
        for (weight, template) in &self.templates {
            if left < *weight {
                return template.expand(&mut self.random, &mut fill);
            }
            left -= weight;
        }
        command(&["PING"])
    }

    fn with_other_case(&mut self, mut command: Command) -> Command {
        if self.random.chance(10) {
            command[0].make_ascii_uppercase();
        }
        command
    }

    /// A word for a slot of the templates.
    pub(super) fn word(&mut self, slot: &str) -> Vec<u8> {
        fill(&mut self.random, slot, self.now)
    }

    /// The generator's randomness, for choices beside the commands.
    pub(super) fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}

/// The names that templates start with, but those never sent with any words.
fn names() -> Vec<Vec<u8>> {
    let mut random = Random::new(1);
    let mut names = std::collections::BTreeSet::new();
    for (_, text) in templates() {
        let template = Template::new(text);
        for _ in 0..NAMES_TRIED {
            let mut fill = |_: &mut Random, _: &str| Vec::new();
            let command = template.expand(&mut random, &mut fill);
            names.insert(command[0].to_ascii_lowercase());
        }
    }
    let never: Vec<&[u8]> = NEVER_HOSTILE.iter().map(|name| name.as_bytes()).collect();
    names.retain(|name| !never.contains(&name.as_slice()));
    names.into_iter().collect()
}

/// Changes a command so that it may be none.
fn malform(random: &mut Random, mut command: Command) -> Command {
    let at = 1 + random.below(command.len() as u64) as usize;
    let junk = JUNK[random.below(JUNK.len() as u64) as usize].to_vec();
    match random.below(5) {
        0 if at < command.len() => {
            command.remove(at);
        }
        1 if at < command.len() => command[at] = junk,
        2 => command.insert(at, junk),
        3 => command.truncate(at),
        _ => {
            if let Some(last) = command.last().cloned() {
                command.push(last);
            }
        }
    }
    command
}

/// Whether Valkey's answer is the one to have, at whatever time it comes.
fn is_comparable(command: &Command) -> bool {
    !depends_on_time(command) && !depends_on_chance(command) && !is_beyond_valkey(command)
}

/// Whether Valkey does something that nobody wants, so that there is no reference:
/// LSET takes the lowest 32 bits of an index and changes a wrong element; XAUTOCLAIM
/// allocates as many ids as it may claim.
fn is_beyond_valkey(command: &Command) -> bool {
    let number = |word: Option<&Vec<u8>>| {
        let text = word.and_then(|word| std::str::from_utf8(word).ok());
        text.and_then(|text| text.parse::<i64>().ok())
    };
    let is = |name: &[u8]| command[0].eq_ignore_ascii_case(name);
    let is_far = |number: i64| i32::try_from(number).is_err();
    // A picture of each server's own.
    let is_picture = is(b"lolwut") && command.len() > 1;
    is_picture
        || is(b"lset") && number(command.get(2)).is_some_and(is_far)
        || is(b"xautoclaim")
            && command.windows(2).any(|pair| {
                let is_count = pair[0].eq_ignore_ascii_case(b"count");
                is_count && number(Some(&pair[1])).is_some_and(is_far)
            })
}

/// Whether a relative time in it passes during the run, or it waits.
fn depends_on_time(command: &Command) -> bool {
    let soon = |word: Option<&Vec<u8>>| {
        let text = word.and_then(|word| std::str::from_utf8(word).ok());
        let number = text.and_then(|text| text.parse::<i64>().ok());
        number.is_some_and(|number| (1..SAFE_TIME).contains(&number))
    };
    let name = command[0].to_ascii_lowercase();
    let third_is_time = [
        &b"expire"[..],
        b"pexpire",
        b"setex",
        b"psetex",
        b"hexpire",
        b"hpexpire",
        b"restore",
    ]
    .contains(&&*name);
    let after_option = command.windows(2).any(|pair| {
        let option = &pair[0];
        let is_time = option.eq_ignore_ascii_case(b"ex") || option.eq_ignore_ascii_case(b"px");
        is_time && soon(Some(&pair[1]))
    });
    let waits = match name.as_slice() {
        b"wait" => command.get(1).is_none_or(|replicas| replicas != b"0"),
        // Valkey refuses local ones, here they are waited for.
        b"waitaof" => command.get(1..3) != Some(&[b"0".to_vec(), b"0".to_vec()]),
        _ => false,
    };
    third_is_time && soon(command.get(2)) || after_option || waits || blocks(&name, command)
}

/// Whether it may wait for longer than a moment.
fn blocks(name: &[u8], command: &Command) -> bool {
    let timeout = match name {
        b"blmpop" | b"bzmpop" => command.get(1),
        b"blpop" | b"brpop" | b"blmove" | b"brpoplpush" | b"bzpopmin" | b"bzpopmax" => {
            command.last()
        }
        b"xread" | b"xreadgroup" => {
            let mut pairs = command.windows(2);
            return pairs.any(|pair| pair[0].eq_ignore_ascii_case(b"block") && pair[1] != b"10");
        }
        _ => return false,
    };
    let text = timeout.and_then(|word| std::str::from_utf8(word).ok());
    let seconds = text.and_then(|text| text.parse::<f64>().ok());
    let is_hexadecimal = text.is_some_and(|text| text.starts_with("0x"));
    // A negative one is refused, as is what is no number.
    is_hexadecimal || seconds.is_some_and(|seconds| seconds == 0.0 || seconds > 0.05)
}

/// Whether what it leaves behind is for the server to choose (a random member is gone, or
/// ranges by member are asked of members that have not all one score), or its reply has
/// as many elements as it likes.
fn depends_on_chance(command: &Command) -> bool {
    let is = |name: &[u8]| command[0].eq_ignore_ascii_case(name);
    let pops_any = is(b"spop")
        && command.get(2).is_none_or(|count| {
            // Nothing or everything.
            let text = std::str::from_utf8(count).unwrap_or_default();
            text.parse::<i64>()
                .is_ok_and(|count| (1..100_000).contains(&count))
        });
    let draws = is(b"srandmember") || is(b"hrandfield") || is(b"zrandmember");
    let is_enormous = draws
        && command.get(2).is_some_and(|count| {
            let text = std::str::from_utf8(count).unwrap_or_default();
            text.parse::<i64>()
                .is_ok_and(|count| (i64::MIN + 1..-1000).contains(&count))
        });
    let is_lexical = command.iter().skip(1).any(|key| key.starts_with(b"lex:"));
    let adds = is(b"zadd");
    let adds_other_scores = is_lexical
        && adds
        && (command.len() != 4 || command.get(2).is_none_or(|word| word != b"0"));
    // What makes anything else of such a set.
    let stores = is_lexical && (is(b"zincrby") || is(b"zrangestore") || is(b"geoadd"));
    pops_any || is_enormous || adds_other_scores || stores
}

fn numbered(prefix: &str, random: &mut Random, count: u64) -> Vec<u8> {
    format!("{prefix}:{}", random.below(count)).into_bytes()
}

/// A key that is mostly, not always, of the kind asked for.
fn key(random: &mut Random, prefix: &str, other: &str) -> Vec<u8> {
    let prefix = if random.chance(15) { other } else { prefix };
    numbered(prefix, random, SMALL_KEYS)
}

fn fill(random: &mut Random, slot: &str, now: UnixMillis) -> Vec<u8> {
    let text = match slot {
        "str" => return key(random, "s", "h"),
        "hash" => return key(random, "h", "s"),
        "set" => return key(random, "t", "s"),
        "zset" => return key(random, "z", "s"),
        "intset" => return numbered("i", random, 4),
        "topstream" => return numbered("xt", random, 2),
        "extreme" => EXTREMES[random.below(EXTREMES.len() as u64) as usize].to_owned(),
        "lexset" => return numbered("lex", random, 3),
        "zsource" => {
            let prefix = if random.chance(6) { "t" } else { "z" };
            return key(random, prefix, "s");
        }
        "key" => {
            let prefix = ["s", "h", "q", "t", "z", "x", "p", "g"][random.below(8) as usize];
            return key(random, prefix, "none");
        }
        "hll" => return key(random, "p", "s"),
        "stream" => return key(random, "x", "h"),
        "id" => stream_id(random),
        "after" => format!("({}", stream_id(random)),
        "last" => "$".to_owned(),
        "newid" => format!("{}-*", random.below(60)),
        "group" => format!("g{}", random.below(2)),
        "consumer" => format!("c{}", random.below(3)),
        "bits" => format!(
            "{}{}",
            ["i", "u"][random.below(2) as usize],
            1 + random.below(64)
        ),
        "lcs" => return numbered("l", random, 4),
        "bigstr" => return numbered("bs", random, BIG_STRINGS),
        "list" => return key(random, "q", "s"),
        "biglist" => return numbered("bq", random, BIG_LISTS),
        "element" if random.chance(3) => return value(random),
        "element" => random.below(8).to_string(),
        "bighash" => return numbered("bh", random, BIG_HASHES),
        "bigfield" => return numbered("field", random, BIG_FIELDS),
        "geo" => return key(random, "g", "s"),
        "place" => format!("p{}", random.below(30)),
        "lon" => format!("{}.{}", random.below(362) as i64 - 181, random.below(1000)),
        "lat" => format!("{}.{}", random.below(172) as i64 - 86, random.below(1000)),
        "nearlon" => format!("{}.{:03}", 10 + random.below(4), random.below(1000)),
        "nearlat" => format!("{}.{:03}", 40 + random.below(4), random.below(1000)),
        "metres" => {
            ["0", "10", "500.5", "3000", "40000", "-1"][random.below(6) as usize].to_owned()
        }
        "unit" => ["m", "km", "ft", "MI"][random.below(4) as usize].to_owned(),
        "bigzset" => return numbered("bz", random, BIG_SETS),
        "score" => match random.below(10) {
            0 => ["inf", "-inf", "-0", "0"][random.below(4) as usize].to_owned(),
            1 => float(random),
            2 => format!("{}.5", random.below(10)),
            _ => random.below(20).to_string(),
        },
        "bound" => {
            let bound = match random.below(6) {
                0 => "-inf".to_owned(),
                1 => "+inf".to_owned(),
                2 => format!("{}.5", random.below(10)),
                _ => (random.below(30) as i64 - 5).to_string(),
            };
            let open = if random.chance(4) { "(" } else { "" };
            format!("{open}{bound}")
        }
        "lexmember" => format!("{:b}", random.below(40)),
        "lexbound" => match random.below(6) {
            0 => "-".to_owned(),
            1 => "+".to_owned(),
            _ => {
                let open = ["[", "("][random.below(2) as usize];
                format!("{open}{:b}", random.below(40))
            }
        },
        "bigset" => return numbered("bt", random, BIG_SETS),
        "bigmember" => return numbered("a member of some length", random, BIG_MEMBERS),
        "member" => match random.below(12) {
            0 => String::new(),
            1 => "m".repeat(65),
            2 => "007".to_owned(),
            3..=6 => integer(random),
            _ => format!("m{}", random.below(10)),
        },
        "number" => random.below(30).to_string(),
        "field" => match random.below(12) {
            0 => String::new(),
            1 => "f".repeat(65),
            2 => "7".to_owned(),
            _ => format!("f{}", random.below(8)),
        },
        "val" => return value(random),
        "short" => {
            let letters = random.below(30);
            let text = (0..letters).map(|_| char::from(b'a' + random.below(4) as u8));
            text.collect()
        }
        "big" => return big(random),
        "int" => integer(random),
        "float" => float(random),
        "num" => (random.below(25) as i64 - 8).to_string(),
        "offset" => random.below(300).to_string(),
        "db" => random.below(4).to_string(),
        "ttl" => (SAFE_TIME + random.below(1000) as i64).to_string(),
        "pttl" => (1000 * SAFE_TIME + random.below(1_000_000) as i64).to_string(),
        "at" => (now.0 / 1000 + SAFE_TIME + random.below(1000) as i64).to_string(),
        "pat" => (now.0 + 1000 * SAFE_TIME + random.below(1_000_000) as i64).to_string(),
        "past" => (1 + random.below(1000)).to_string(),
        "glob" => {
            let globs = [
                "*", "s*", "h:*", "?:[1-3]", "f*", "[^s]*", "\\*", "bs:12*", "f?",
            ];
            globs[random.below(globs.len() as u64) as usize].to_owned()
        }
        "name" => ["one", "two", "with space", ""][random.below(4) as usize].to_owned(),
        other => panic!("no slot is named {other}"),
    };
    text.into_bytes()
}

/// An id that entries of `$newid` have, or a whole millisecond.
fn stream_id(random: &mut Random) -> String {
    let ms = random.below(60);
    match random.below(4) {
        0 => ms.to_string(),
        _ => format!("{ms}-{}", random.below(6)),
    }
}

fn integer(random: &mut Random) -> String {
    match random.below(8) {
        0 => i64::MAX.to_string(),
        1 => i64::MIN.to_string(),
        2 => (random.next_u64() as i64).to_string(),
        _ => (random.below(200) as i64 - 100).to_string(),
    }
}

fn float(random: &mut Random) -> String {
    match random.below(10) {
        0 => "1e15".to_owned(),
        1 => "-1.5e-7".to_owned(),
        2 => "3.0e3".to_owned(),
        3 => ["inf", "-inf", "nan", "1e5000", "0x10"][random.below(5) as usize].to_owned(),
        4 => integer(random),
        _ => format!("{}.{}", random.below(20) as i64 - 10, random.below(1000)),
    }
}

fn value(random: &mut Random) -> Vec<u8> {
    match random.below(24) {
        0 => Vec::new(),
        1 => bytes(random, 12),
        2 => vec![b'x'; 64],
        3 => vec![b'x'; 65],
        4 => vec![b'y'; 44],
        5 => vec![b'y'; 45],
        6 => bytes(random, 300),
        7 if random.chance(20) => bytes(random, 20_000),
        8..=13 => integer(random).into_bytes(),
        14..=16 => float(random).into_bytes(),
        _ => format!("v{}", random.below(6)).into_bytes(),
    }
}

/// A value of the large pools: half of it compresses well.
fn big(random: &mut Random) -> Vec<u8> {
    if random.chance(400) {
        return bytes(random, 100_000);
    }
    let length = 500 + random.below(5000) as usize;
    if random.chance(2) {
        let pattern = format!("{{\"id\":{},\"name\":\"value\"}}", random.below(1000));
        pattern.bytes().cycle().take(length).collect()
    } else {
        bytes(random, length)
    }
}

fn bytes(random: &mut Random, length: usize) -> Vec<u8> {
    let words = (0..length.div_ceil(8)).flat_map(|_| random.next_u64().to_le_bytes());
    words.take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::resp::shown;

    fn generator(seed: u64) -> Generator {
        Generator::new(Random::new(seed), UnixMillis(1_700_000_000_000))
    }

    #[test]
    fn the_seed_decides_the_commands() {
        let (mut one, mut same, mut other) = (generator(1), generator(1), generator(2));
        let mut differences = 0;
        for _ in 0..1000 {
            let command = one.command(0);
            assert_eq!(command, same.command(0));
            differences += usize::from(command != other.command(0));
        }
        assert!(differences > 500);
    }

    #[test]
    fn no_command_depends_on_when_it_runs() {
        let mut generator = generator(3);
        for _ in 0..50_000 {
            let command = generator.command(0);
            assert!(!depends_on_time(&command), "{}", shown(&command));
        }
        assert!(depends_on_time(&command(&["SET", "k", "v", "px", "50"])));
        assert!(depends_on_time(&command(&["setex", "k", "9", "v"])));
        assert!(depends_on_time(&command(&["blpop", "q", "0"])));
        assert!(depends_on_time(&command(&["blmpop", "1e3", "1", "q"])));
        assert!(!depends_on_time(&command(&["blpop", "q", "0.01"])));
        assert!(!depends_on_time(&command(&["set", "k", "v", "ex", "-1"])));
    }

    #[test]
    fn every_template_is_used_and_transactions_end() {
        let mut generator = generator(4);
        let mut names = std::collections::BTreeSet::new();
        let (mut begun, mut ended) = (0, 0);
        for _ in 0..100_000 {
            let command = generator.command(0);
            let name = String::from_utf8_lossy(&command[0]).to_lowercase();
            begun += usize::from(name == "multi");
            ended += usize::from(name == "exec" || name == "discard");
            names.insert(name);
        }
        for (_, text) in templates() {
            let first = text
                .split(' ')
                .find(|word| *word != "(")
                .unwrap_or_default();
            assert!(names.contains(first), "{first}");
        }
        assert!(begun > 100 && ended > begun);
    }
}
