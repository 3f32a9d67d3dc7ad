//! What the clients ask for: requests drawn from a seed.
//!
//! Owns the keys there are, what fills the places in the templates, and how long a step
//! may be. Does not know what requests do. A key's first letter says what it holds, so no
//! request meets another type. One thread.
//!
//! Kinds: `s` strings, `n` numbers, `b` bits, `p` HyperLogLogs, `h` hashes, `e` hashes
//! whose fields expire, `l` lists, `t` sets, `z` sorted sets, `g` places, `x` streams;
//! where things are large, `S`, `H`, `L`, `T`, `Z`, `X` of them.

mod templates;

use crate::request::{Key, Request, libraries};
pub use templates::LEFT_OUT;
use templates::{Family, KINDS, LARGE, SCRIPTS};
use thermocline_base::Random;

/// Databases that are used.
pub const DATABASES: u8 = 2;
/// Most bytes that one step may write, so that the log's ring takes it at once.
const STEP_BYTES: usize = 24 << 10;
/// What a request may write whose words do not tell: it takes over a value.
const COPIED_BYTES: usize = 12 << 10;
/// A value that is longer than any other, and read in parts.
const LONG_BYTES: u64 = 40 << 10;
/// Members of large collections, at most.
const LARGE_MEMBERS: u64 = 700;
/// Members added to one at once.
const BATCH_MEMBERS: u64 = 60;

/// The fields of hashes that expire, and of the others the most used.
pub const FIELDS: [&str; 13] = [
    "w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w10", "w11", "count",
];

/// What there is beside the usual in a seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Large values and collections.
    pub has_large: bool,
    /// Scripts and functions.
    pub has_scripts: bool,
    /// The wall clock is set, back and forward.
    pub has_jumps: bool,
}

impl Traits {
    /// Seldom either: they take time.
    pub fn draw(random: &mut Random) -> Self {
        Self {
            has_large: random.chance(24),
            has_scripts: random.chance(24),
            has_jumps: random.chance(6),
        }
    }

    /// Every key that a request may name.
    #[must_use]
    pub fn universe(self) -> Vec<Key> {
        let mut keys = Vec::new();
        let large: &[Family] = if self.has_large { LARGE } else { &[] };
        for database in 0..DATABASES {
            for family in KINDS.iter().chain(large) {
                for number in 0..family.keys {
                    keys.push((database, format!("{}{number}", family.kind)));
                }
            }
        }
        keys.extend(self.has_scripts.then(libraries));
        keys
    }
}

/// Draws requests.
#[derive(Debug)]
pub struct Workload {
    random: Random,
    /// What there is beside the usual.
    pub traits: Traits,
    /// The last ID given to an entry of a stream.
    last_id: u64,
    /// Of a key of each kind, as DUMP gave it.
    payloads: Vec<(char, Vec<u8>)>,
    now_ms: i64,
}

impl Workload {
    /// What follows from `seed`.
    #[must_use]
    pub const fn new(seed: u64, traits: Traits) -> Self {
        Self {
            random: Random::new(seed),
            traits,
            last_id: 0,
            payloads: Vec::new(),
            now_ms: 0,
        }
    }

    /// Keeps `payload`, which DUMP gave of `key`, for RESTORE.
    pub fn keep(&mut self, key: &Key, payload: Vec<u8>) {
        let kind = key.1.chars().next().unwrap_or_default();
        self.payloads.retain(|(known, _)| *known != kind);
        if payload.len() <= COPIED_BYTES {
            self.payloads.push((kind, payload));
        }
    }

    /// One step at `now_ms` of the wall clock: a request, or those of a transaction.
    pub fn step(&mut self, now_ms: i64) -> Vec<Request> {
        self.now_ms = now_ms;
        let database = u8::from(self.random.chance(5));
        let count = if self.random.chance(8) {
            2 + self.random.below(5)
        } else {
            1
        };
        let mut requests = Vec::new();
        let mut bytes = 0;
        for _ in 0..count {
            let some = self.requests(database);
            bytes += some.iter().map(written_bytes).sum::<usize>();
            if bytes > STEP_BYTES && !requests.is_empty() {
                break;
            }
            requests.extend(some);
        }
        if requests.is_empty() {
            return self.step(now_ms);
        }
        requests
    }

    fn requests(&mut self, database: u8) -> Vec<Request> {
        if self.traits.has_scripts && self.random.chance(10) {
            return vec![self.drawn(database, 's', SCRIPTS)];
        }
        let families = if self.traits.has_large && self.random.chance(8) {
            LARGE
        } else {
            KINDS
        };
        let sum = families.iter().map(|family| family.weight).sum();
        let mut at = self.random.below(sum);
        let family = families.iter().find(|family| {
            let is_it = at < family.weight;
            at = at.saturating_sub(family.weight);
            is_it
        });
        let Some(family) = family else {
            unreachable!("`at` is below the sum");
        };
        let is_generic = self.random.below(100) < family.generic_percent;
        let templates = if is_generic {
            family.generic
        } else {
            family.templates
        };
        let request = self.drawn(database, family.kind, templates);
        // It would take keys along that have expired, of which nobody knows any more.
        if self.traits.has_jumps && request.is("SWAPDB") {
            return Vec::new();
        }
        if family.kind == 'e' && is_generic {
            return self.after_purge(request);
        }
        vec![request]
    }

    /// Behind the removal of fields that have expired, where it would matter whether
    /// somebody has seen to it.
    fn after_purge(&self, request: Request) -> Vec<Request> {
        let crate::request::Reach::Keys(keys) = request.reach() else {
            return vec![request];
        };
        let mut requests: Vec<Request> = keys.iter().map(purge).collect();
        requests.push(request);
        requests
    }

    fn drawn(&mut self, database: u8, kind: char, templates: &[(u64, &str)]) -> Request {
        let sum = templates.iter().map(|(weight, _)| weight).sum();
        let mut at = self.random.below(sum);
        let mut line = "";
        for (weight, template) in templates {
            line = template;
            if at < *weight {
                break;
            }
            at -= weight;
        }
        let key = self.key(kind);
        let mut words = Vec::new();
        for word in line.split(' ') {
            if word == "DATABASE" {
                words.push((DATABASES - 1 - database).to_string().into_bytes());
            } else {
                self.fill(word, kind, &key, &mut words);
            }
        }
        Request { database, words }
    }

    /// Adds what `word` of a template stands for.
    fn fill(&mut self, word: &str, kind: char, key: &str, words: &mut Vec<Vec<u8>>) {
        let filled = match word {
            "KEY" => key.as_bytes().to_vec(),
            "OTHER" => {
                let mut other = self.key(kind);
                while other == key {
                    other = self.key(kind);
                }
                other.into_bytes()
            }
            "ANY" => self.key(kind).into_bytes(),
            "SET" if !words.is_empty() => self.key('t').into_bytes(),
            "ZSET" => self.key('z').into_bytes(),
            "WORD" => format!("w{}", self.random.below(12)).into_bytes(),
            "VALUE" => self.value(),
            "NUMBER" => (self.random.below(200) as i64 - 100)
                .to_string()
                .into_bytes(),
            "INDEX" => self.random.below(6).to_string().into_bytes(),
            "BIT" => self.random.below(3000).to_string().into_bytes(),
            "MEDIUM" => self.random.below(200).to_string().into_bytes(),
            "FRACTION" => format!("{}.25", self.random.below(9)).into_bytes(),
            "MS" => self.milliseconds().to_string().into_bytes(),
            "SECONDS" => (1 + self.milliseconds() / 1000).to_string().into_bytes(),
            "ATMS" => (self.now_ms + self.milliseconds()).to_string().into_bytes(),
            "ATSECONDS" => {
                let at_ms = self.now_ms + self.milliseconds();
                (1 + at_ms / 1000).to_string().into_bytes()
            }
            "NEWID" => {
                self.last_id += 1;
                format!("{}-0", self.last_id).into_bytes()
            }
            "ID" => {
                let back = self.random.below(8);
                format!("{}-0", self.last_id.saturating_sub(back)).into_bytes()
            }
            "GROUP" => format!("g{}", self.random.below(2)).into_bytes(),
            "CONSUMER" => format!("c{}", self.random.below(2)).into_bytes(),
            "LONGITUDE" | "LATITUDE" => format!("{}.5", self.random.below(80)).into_bytes(),
            "PAYLOAD" => {
                let known = self.payloads.iter().find(|(of, _)| *of == kind);
                known.map_or_else(|| b"none".to_vec(), |(_, payload)| payload.clone())
            }
            "LIBRARIES" => {
                let known = self.payloads.iter().find(|(of, _)| *of == 'f');
                known.map_or_else(|| b"none".to_vec(), |(_, payload)| payload.clone())
            }
            "LONG" => vec![b'l'; (1000 + self.random.below(LONG_BYTES / 4)) as usize],
            "FAR" => self.random.below(LONG_BYTES).to_string().into_bytes(),
            "MEMBER" => format!("m{}", self.random.below(LARGE_MEMBERS)).into_bytes(),
            "MEMBERS" | "PAIRS" | "SCORED" => {
                let first = self.random.below(LARGE_MEMBERS);
                for number in first..first + BATCH_MEMBERS {
                    let member = format!("m{}", number % LARGE_MEMBERS).into_bytes();
                    let score = (number % 90).to_string().into_bytes();
                    match word {
                        "MEMBERS" => words.push(member),
                        "PAIRS" => words.extend([member, score]),
                        _ => words.extend([score, member]),
                    }
                }
                return;
            }
            // What cannot be split at spaces.
            "SCRIPT" => templates::SCRIPT.as_bytes().to_vec(),
            "LIBRARY" => {
                let number = self.random.below(2).to_string();
                templates::LIBRARY.replace('#', &number).into_bytes()
            }
            plain => plain.as_bytes().to_vec(),
        };
        words.push(filled);
    }

    fn key(&mut self, kind: char) -> String {
        let mut families = KINDS.iter().chain(LARGE);
        let family = families.find(|family| family.kind == kind);
        let number = self.random.below(family.map_or(1, |family| family.keys));
        format!("{kind}{number}")
    }

    fn value(&mut self) -> Vec<u8> {
        let bytes = match self.random.below(60) {
            0 => 5000 + self.random.below(9000),
            1..=4 => 500 + self.random.below(3000),
            5..=20 => 60 + self.random.below(300),
            _ => self.random.below(40),
        };
        let mut value = Vec::with_capacity(bytes as usize + 8);
        while value.len() < bytes as usize {
            value.extend_from_slice(&self.random.next_u64().to_le_bytes());
        }
        value.truncate(bytes as usize);
        value
    }

    fn milliseconds(&mut self) -> i64 {
        match self.random.below(6) {
            0..2 => 50 + self.random.below(500) as i64,
            2..4 => 1000 + self.random.below(5000) as i64,
            4 => 60_000 + self.random.below(7_200_000) as i64,
            _ => 100_000_000,
        }
    }
}

/// Removes the fields of a hash that have expired, and changes no other that lasts longer.
#[must_use]
pub fn purge((database, name): &Key) -> Request {
    let mut purge = Request::new(
        *database,
        &[b"HPEXPIRE", name.as_bytes(), b"1", b"GT", b"FIELDS"],
    );
    purge.words.push(FIELDS.len().to_string().into_bytes());
    let fields = FIELDS.iter().map(|field| field.as_bytes().to_vec());
    purge.words.extend(fields);
    purge
}

/// About what a request adds to the log.
fn written_bytes(request: &Request) -> usize {
    const COPIES: [&str; 7] = [
        "COPY", "RENAME", "RENAMENX", "MOVE", "BITOP", "GETSET", "SORT",
    ];
    let copied = COPIES.iter().any(|name| request.is(name));
    let words: usize = request.words.iter().map(Vec::len).sum();
    words + if copied { COPIED_BYTES } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use thermocline_commands::table::{self, Category};

    #[test]
    fn every_command_that_writes_is_asked_for_or_left_out_for_a_reason() {
        let traits = Traits {
            has_large: true,
            has_scripts: true,
            has_jumps: false,
        };
        let mut workload = Workload::new(1, traits);
        let mut asked = BTreeSet::new();
        for _ in 0..200_000 {
            for request in workload.step(1_795_000_000_000) {
                let resolved = table::resolve(&request.words);
                let command = resolved.unwrap_or_else(|_| panic!("{}", request.shown()));
                asked.insert(command.name);
            }
        }
        let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(name, _)| *name).collect();
        let writes = table::entries().filter(|it| it.categories.contains(Category::Write));
        let wrong: Vec<&str> = writes
            .map(|command| command.name)
            .filter(|name| asked.contains(name) == left_out.contains(name))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn keys_keep_to_the_universe() {
        let traits = Traits {
            has_large: true,
            has_scripts: true,
            has_jumps: false,
        };
        let universe: BTreeSet<Key> = traits.universe().into_iter().collect();
        let mut workload = Workload::new(2, traits);
        for _ in 0..20_000 {
            for request in workload.step(0) {
                if let crate::request::Reach::Keys(keys) = request.reach() {
                    for key in keys {
                        assert!(universe.contains(&key), "{}", request.shown());
                    }
                }
            }
        }
    }
}
