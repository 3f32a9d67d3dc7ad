//! What the keys should hold: plain maps and lists, and what each command of the
//! workload does to them.
//!
//! Owns the meaning of the few commands that the workload uses, in their common
//! cases only; all that is subtle in them is compared with a reference server
//! elsewhere. Knows no store and no time but the one it is given. One thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The number of a database and a key in it.
pub type Key = (u8, String);

/// One request: the number of the database, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number of the session's database.
    pub database: u8,
    /// The command and its arguments.
    pub words: Vec<Vec<u8>>,
}

impl Request {
    /// A request of these words.
    pub fn new(database: u8, words: &[&[u8]]) -> Self {
        Self {
            database,
            words: words.iter().map(|word| word.to_vec()).collect(),
        }
    }

    /// For people: long words shortened.
    #[must_use]
    pub fn shown(&self) -> String {
        let words = self.words.iter().map(|word| match word.len() {
            0..=24 => word.escape_ascii().to_string(),
            bytes => format!("<{bytes} bytes>"),
        });
        let words: Vec<_> = words.collect();
        format!("[{}] {}", self.database, words.join(" "))
    }
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Bytes.
    String(Vec<u8>),
    /// Fields and values.
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    /// Elements.
    List(VecDeque<Vec<u8>>),
    /// Members.
    Set(BTreeSet<Vec<u8>>),
    /// Members and scores; all scores are whole numbers.
    SortedSet(BTreeMap<Vec<u8>, i64>),
    /// The first number of each entry's ID, and its one value.
    Stream(Vec<(u64, Vec<u8>)>),
}

/// A value and when it expires, in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the key holds.
    pub value: Value,
    /// When it expires.
    pub expiry_ms: Option<i64>,
}

impl Entry {
    /// Whether it is there at `now_ms`: it lives to the end of its millisecond.
    #[must_use]
    pub fn lives(&self, now_ms: i64) -> bool {
        self.expiry_ms.is_none_or(|expiry_ms| expiry_ms >= now_ms)
    }
}

/// All keys.
pub type State = BTreeMap<Key, Arc<Entry>>;

/// What a key holds after a step, if anything.
pub type Change = (Key, Option<Arc<Entry>>);

fn number(word: &[u8]) -> i64 {
    let text = std::str::from_utf8(word).unwrap_or_default();
    text.parse().unwrap_or_default()
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

/// A view of a state in which expired keys are gone, with what was changed.
struct Working<'s> {
    state: &'s mut State,
    changed: BTreeSet<Key>,
    now_ms: i64,
}

impl Working<'_> {
    fn get(&self, key: &Key) -> Option<Entry> {
        let entry = self.state.get(key)?;
        entry.lives(self.now_ms).then(|| Entry::clone(entry))
    }

    fn put(&mut self, key: &Key, value: Value, expiry_ms: Option<i64>) {
        let is_empty = match &value {
            Value::String(_) | Value::Stream(_) => false,
            Value::Hash(fields) => fields.is_empty(),
            Value::List(elements) => elements.is_empty(),
            Value::Set(members) => members.is_empty(),
            Value::SortedSet(members) => members.is_empty(),
        };
        if is_empty {
            self.remove(key);
            return;
        }
        self.changed.insert(key.clone());
        let entry = Entry { value, expiry_ms };
        self.state.insert(key.clone(), Arc::new(entry));
    }

    fn remove(&mut self, key: &Key) {
        if self.state.remove(key).is_some() {
            self.changed.insert(key.clone());
        }
    }

    /// Changes the value of a key, or the one that `default` gives where there
    /// is none.
    fn update(&mut self, key: &Key, default: Option<Value>, change: impl FnOnce(&mut Value)) {
        let old = self.get(key);
        let expiry_ms = old.as_ref().and_then(|entry| entry.expiry_ms);
        let Some(mut value) = old.map(|entry| entry.value).or(default) else {
            return;
        };
        change(&mut value);
        self.put(key, value, expiry_ms);
    }

    fn database(&self, number: u8) -> Vec<Key> {
        let keys = self
            .state
            .keys()
            .filter(|(database, _)| *database == number);
        keys.cloned().collect()
    }

    fn swap(&mut self, one: u8, other: u8) {
        let (ones, others) = (self.database(one), self.database(other));
        let mut moved = Vec::new();
        for (keys, to) in [(ones, other), (others, one)] {
            for key in keys {
                if let Some(entry) = self.state.remove(&key) {
                    moved.push(((to, key.1.clone()), entry));
                    self.changed.insert(key);
                }
            }
        }
        for (key, entry) in moved {
            self.changed.insert(key.clone());
            self.state.insert(key, entry);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each command")]
    fn run(&mut self, request: &Request) {
        let database = request.database;
        let words = &request.words;
        let name = text(&words[0]);
        let key: Key = (
            database,
            words.get(1).map(|word| text(word)).unwrap_or_default(),
        );
        let rest = words.get(2..).unwrap_or_default();
        match name.as_str() {
            "SET" => {
                let expiry_ms = rest.get(2).map(|ms| self.now_ms + number(ms));
                self.put(&key, Value::String(rest[0].clone()), expiry_ms);
            }
            "MSET" => {
                for pair in words[1..].chunks(2) {
                    let key = (database, text(&pair[0]));
                    self.put(&key, Value::String(pair[1].clone()), None);
                }
            }
            "APPEND" => {
                let default = Some(Value::String(Vec::new()));
                self.update(&key, default, |value| {
                    if let Value::String(bytes) = value {
                        bytes.extend_from_slice(&rest[0]);
                    }
                });
            }
            "INCRBY" => self.update(&key, Some(Value::String(b"0".to_vec())), |value| {
                if let Value::String(bytes) = value {
                    *bytes = (number(bytes) + number(&rest[0])).to_string().into_bytes();
                }
            }),
            "HSET" => self.update(&key, Some(Value::Hash(BTreeMap::new())), |value| {
                if let Value::Hash(fields) = value {
                    for pair in rest.chunks(2) {
                        fields.insert(pair[0].clone(), pair[1].clone());
                    }
                }
            }),
            "HINCRBY" => self.update(&key, Some(Value::Hash(BTreeMap::new())), |value| {
                if let Value::Hash(fields) = value {
                    let field = fields.entry(rest[0].clone()).or_insert(b"0".to_vec());
                    *field = (number(field) + number(&rest[1])).to_string().into_bytes();
                }
            }),
            "HDEL" => self.update(&key, None, |value| {
                if let Value::Hash(fields) = value {
                    fields.remove(&rest[0]);
                }
            }),
            "LPUSH" | "RPUSH" => self.update(&key, Some(Value::List(VecDeque::new())), |value| {
                if let Value::List(elements) = value {
                    for element in rest {
                        if name == "LPUSH" {
                            elements.push_front(element.clone());
                        } else {
                            elements.push_back(element.clone());
                        }
                    }
                }
            }),
            "LPOP" | "RPOP" => self.update(&key, None, |value| {
                if let Value::List(elements) = value {
                    if name == "LPOP" {
                        elements.pop_front();
                    } else {
                        elements.pop_back();
                    }
                }
            }),
            "LTRIM" => self.update(&key, None, |value| {
                if let Value::List(elements) = value {
                    elements.truncate(number(&rest[1]) as usize + 1);
                }
            }),
            "SADD" => self.update(&key, Some(Value::Set(BTreeSet::new())), |value| {
                if let Value::Set(members) = value {
                    members.extend(rest.iter().cloned());
                }
            }),
            "SREM" => self.update(&key, None, |value| {
                if let Value::Set(members) = value {
                    members.remove(&rest[0]);
                }
            }),
            "ZADD" => self.update(&key, Some(Value::SortedSet(BTreeMap::new())), |value| {
                if let Value::SortedSet(members) = value {
                    members.insert(rest[1].clone(), number(&rest[0]));
                }
            }),
            "ZINCRBY" => self.update(&key, Some(Value::SortedSet(BTreeMap::new())), |value| {
                if let Value::SortedSet(members) = value {
                    *members.entry(rest[1].clone()).or_insert(0) += number(&rest[0]);
                }
            }),
            "ZREM" => self.update(&key, None, |value| {
                if let Value::SortedSet(members) = value {
                    members.remove(&rest[0]);
                }
            }),
            "ZPOPMIN" => self.update(&key, None, |value| {
                if let Value::SortedSet(members) = value {
                    let least = members
                        .iter()
                        .min_by_key(|(member, score)| (**score, *member));
                    if let Some(member) = least.map(|(member, _)| member.clone()) {
                        members.remove(&member);
                    }
                }
            }),
            "XADD" => self.update(&key, Some(Value::Stream(Vec::new())), |value| {
                if let Value::Stream(entries) = value {
                    let id = text(&rest[0]);
                    let first = id.split('-').next().unwrap_or_default();
                    entries.push((first.parse().unwrap_or_default(), rest[2].clone()));
                }
            }),
            "XTRIM" => self.update(&key, None, |value| {
                if let Value::Stream(entries) = value {
                    let surplus = entries.len().saturating_sub(number(&rest[1]) as usize);
                    entries.drain(..surplus);
                }
            }),
            "DEL" | "UNLINK" => {
                for word in &words[1..] {
                    self.remove(&(database, text(word)));
                }
            }
            "PEXPIRE" => {
                if let Some(entry) = self.get(&key) {
                    let expiry_ms = self.now_ms + number(&rest[0]);
                    self.put(&key, entry.value, Some(expiry_ms));
                }
            }
            "PERSIST" => {
                if let Some(entry) = self.get(&key) {
                    self.put(&key, entry.value, None);
                }
            }
            "RENAME" | "COPY" => {
                if let Some(entry) = self.get(&key) {
                    let target = (database, text(&rest[0]));
                    if name == "RENAME" {
                        self.remove(&key);
                    }
                    self.put(&target, entry.value, entry.expiry_ms);
                }
            }
            "FLUSHDB" => {
                for key in self.database(database) {
                    self.remove(&key);
                }
            }
            "SWAPDB" => self.swap(number(&words[1]) as u8, number(&words[2]) as u8),
            _ => {}
        }
    }
}

/// Runs requests on `state` at `now_ms`, as one step; what has changed.
pub fn apply(state: &mut State, requests: &[Request], now_ms: i64) -> Vec<Change> {
    let before = state.clone();
    let mut working = Working {
        state,
        changed: BTreeSet::new(),
        now_ms,
    };
    for request in requests {
        working.run(request);
    }
    let changed = working.changed;
    // What left the keys as they were, as far as anyone can see, is no change.
    let seen = |state: &State, key: &Key| {
        let entry = state.get(key).filter(|entry| entry.lives(now_ms));
        entry.cloned()
    };
    changed
        .into_iter()
        .filter(|key| seen(&before, key) != seen(state, key))
        .map(|key| {
            let entry = state.get(&key).cloned();
            (key, entry)
        })
        .collect()
}
