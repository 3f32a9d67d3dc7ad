//! What the clients ask for: requests drawn from a seed.
//!
//! Owns the keys there are and the mix of commands. Does not know what they do.
//! A key's first letter says what it holds, so no request meets another type.
//! One thread.

use crate::model::{Key, Request};
use thermocline_base::Random;

/// Databases that are used.
pub const DATABASES: u8 = 2;
/// Keys of each kind in a database.
const KEYS_OF_A_KIND: u64 = 5;
/// Strings, numbers, hashes, lists, sets, sorted sets, streams.
const KINDS: &[u8] = b"snhltzx";
/// Most bytes that one step may write, so that the log's ring takes it at once.
const STEP_BYTES: usize = 24 << 10;

/// Every key that a request may name.
#[must_use]
pub fn universe() -> Vec<Key> {
    let mut keys = Vec::new();
    for database in 0..DATABASES {
        for kind in KINDS {
            for number in 0..KEYS_OF_A_KIND {
                keys.push((database, format!("{}{number}", char::from(*kind))));
            }
        }
    }
    keys
}

/// Draws requests.
#[derive(Debug)]
pub struct Workload {
    random: Random,
    /// The last ID given to an entry of a stream.
    last_id: u64,
}

impl Workload {
    /// What follows from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            last_id: 0,
        }
    }

    /// A short word of few, so that it is met again.
    fn word(&mut self) -> Vec<u8> {
        format!("w{}", self.random.below(12)).into_bytes()
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

    fn number(&mut self) -> Vec<u8> {
        (self.random.below(200) as i64 - 100)
            .to_string()
            .into_bytes()
    }

    fn milliseconds(&mut self) -> Vec<u8> {
        let ms = match self.random.below(3) {
            0 => 50 + self.random.below(500),
            1 => 1000 + self.random.below(5000),
            _ => 100_000_000,
        };
        ms.to_string().into_bytes()
    }

    fn key(&mut self, kind: u8) -> Vec<u8> {
        let number = self.random.below(KEYS_OF_A_KIND);
        format!("{}{number}", char::from(kind)).into_bytes()
    }

    /// One step: a request, or those of a transaction.
    pub fn step(&mut self) -> Vec<Request> {
        let database = u8::from(self.random.chance(5));
        let count = if self.random.chance(8) {
            2 + self.random.below(5)
        } else {
            1
        };
        let mut requests = Vec::new();
        let mut bytes = 0;
        for _ in 0..count {
            let words = self.request();
            bytes += words.iter().map(Vec::len).sum::<usize>();
            if bytes > STEP_BYTES && !requests.is_empty() {
                break;
            }
            requests.push(Request { database, words });
        }
        requests
    }

    fn request(&mut self) -> Vec<Vec<u8>> {
        let kind = KINDS[self.random.below(KINDS.len() as u64) as usize];
        let key = self.key(kind);
        let name = |name: &str| name.as_bytes().to_vec();
        match self.random.below(100) {
            0..8 => return vec![name("DEL"), key],
            8..10 => return vec![name("UNLINK"), key, self.key(kind)],
            10..17 => return vec![name("PEXPIRE"), key, self.milliseconds()],
            17..20 => return vec![name("PERSIST"), key],
            20..22 => return vec![name("RENAME"), key, self.key(kind)],
            22..24 => {
                let mut target = self.key(kind);
                while target == key {
                    target = self.key(kind);
                }
                return vec![name("COPY"), key, target, name("REPLACE")];
            }
            24 if self.random.chance(6) => return vec![name("FLUSHDB")],
            25 if self.random.chance(4) => return vec![name("SWAPDB"), name("0"), name("1")],
            _ => {}
        }
        let often = self.random.below(10);
        match (kind, often) {
            (b's', 0..3) => vec![name("APPEND"), key, self.word()],
            (b's', 3..5) => vec![
                name("SET"),
                key,
                self.value(),
                name("PX"),
                self.milliseconds(),
            ],
            (b's', 5..7) => vec![
                name("MSET"),
                key,
                self.value(),
                self.key(b's'),
                self.value(),
            ],
            (b's', _) => vec![name("SET"), key, self.value()],
            (b'n', _) => vec![name("INCRBY"), key, self.number()],
            (b'h', 0..2) => vec![name("HDEL"), key, self.word()],
            (b'h', 2..5) => vec![name("HINCRBY"), key, name("count"), self.number()],
            (b'h', 5) => {
                let (one, other) = (self.word(), self.word());
                vec![name("HSET"), key, one, self.value(), other, self.value()]
            }
            (b'h', _) => vec![name("HSET"), key, self.word(), self.value()],
            (b'l', 0) => vec![name("LPOP"), key],
            (b'l', 1) => vec![name("RPOP"), key],
            (b'l', 2) => vec![name("LTRIM"), key, name("0"), name("6")],
            (b'l', 3..6) => vec![name("LPUSH"), key, self.value()],
            (b'l', _) => vec![name("RPUSH"), key, self.value(), self.word()],
            (b't', 0..3) => vec![name("SREM"), key, self.word()],
            (b't', _) => vec![name("SADD"), key, self.word(), self.word()],
            (b'z', 0..2) => vec![name("ZREM"), key, self.word()],
            (b'z', 2) => vec![name("ZPOPMIN"), key],
            (b'z', 3..6) => vec![name("ZINCRBY"), key, self.number(), self.word()],
            (b'z', _) => vec![name("ZADD"), key, self.number(), self.word()],
            (_, 0..2) => vec![name("XTRIM"), key, name("MAXLEN"), name("3")],
            _ => {
                self.last_id += 1;
                let id = format!("{}-0", self.last_id).into_bytes();
                vec![name("XADD"), key, id, name("f"), self.value()]
            }
        }
    }
}
