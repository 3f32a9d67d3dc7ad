//! Makes the commands: templates filled from small pools, now and then
//! malformed, with transactions that begin and end.
//!
//! Owns what is known of each connection's transaction; `words` fills the slots, and
//! `comparable` says which commands have one answer. Does not
//! see replies: its commands follow from its seed and the day. Pure.

mod comparable;
mod scripts;
mod words;

use super::grammar::Template;
use super::resp::{Command, command};
use super::templates::{RARE, templates};
use comparable::is_comparable;
use scripts::Scripts;
use thermocline_base::{Random, UnixMillis};
use words::{BIG_HASHES, BIG_STRINGS, big, fill};

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
const NEVER_HOSTILE: [&str; 24] = [
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
];
/// One command in this many is one of scripts.
const SCRIPTED_ONE_IN: u64 = 14;
/// How often a template is tried to learn the names it starts with.
const NAMES_TRIED: u64 = 100;

/// See the module.
pub(super) struct Generator {
    random: Random,
    now: UnixMillis,
    templates: Vec<(u64, Template)>,
    rare: Vec<Template>,
    /// The names of commands that get any words.
    names: Vec<Vec<u8>>,
    changes_limits: bool,
    scripts: Scripts,
    total_weight: u64,
    /// For each connection, whether a transaction should be open.
    in_transaction: Vec<bool>,
}

impl Generator {
    /// A generator that begins at this time of the day. Without `changes_limits` no limit of
    /// a compact form changes: a server that starts again replays its log by those of its
    /// start.
    pub(super) fn new(random: Random, now: UnixMillis, changes_limits: bool) -> Self {
        let templates: Vec<_> = templates()
            .filter(|(_, text)| changes_limits || !text.starts_with("config set"))
            .map(|(weight, text)| (weight, Template::new(text)))
            .collect();
        Self {
            random,
            now,
            total_weight: templates.iter().map(|(weight, _)| weight).sum(),
            templates,
            rare: RARE.1.iter().map(|text| Template::new(text)).collect(),
            names: names(),
            scripts: Scripts::new(),
            changes_limits,
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
        if self.random.chance(SCRIPTED_ONE_IN) {
            return self.scripted();
        }
        self.of_templates()
    }

    /// A command of the templates.
    fn of_templates(&mut self) -> Command {
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

    /// Whether limits of compact forms are changed.
    pub(super) fn changes_limits(&self) -> bool {
        self.changes_limits
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

#[cfg(test)]
mod tests {
    use super::comparable::depends_on_time;
    use super::*;
    use crate::differential::resp::shown;

    pub(super) fn generator(seed: u64) -> Generator {
        Generator::new(Random::new(seed), UnixMillis(1_700_000_000_000), true)
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
        assert!(depends_on_time(&command(&["blpop", "q", "-1.5e-7"])));
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
