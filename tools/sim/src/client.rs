//! A client of a store without threads: from requests to replies.
//!
//! Owns the loop around faults, up to where the keeper is needed: that is the
//! caller's to step. One thread.

use crate::model::{Entry, Key, Request, Value};
use crate::reply::Reply;
use std::sync::Arc;
use thermocline_base::{KeyHash, Lsn, Random};
use thermocline_commands::{Beside, Call, Executor, ReplyBuffer, Version, Written, table};
use thermocline_store::{Admission, Fault, FaultSet, PageReader, Store, StoreError};

const STRING_MAX_BYTES: usize = 512 << 20;
/// Tries at one step before it can be no fault of the keys.
const TRIES: usize = 1000;

/// What became of a step.
#[derive(Debug)]
pub enum Outcome {
    /// It ran.
    Done {
        /// Its reply.
        reply: Reply,
        /// The reply may leave once the store may acknowledge this.
        lsn: Lsn,
        /// The wall clock when it ran, ms.
        now_ms: i64,
    },
    /// A write may not begin now.
    Refused(Admission),
    /// What is needed cannot be read, for this reason.
    Unreadable(String),
    /// The keeper has to bring these keys up first.
    Recovering(Vec<KeyHash>),
    /// The keeper has to bring everything up first.
    Unsettled,
}

/// See the module.
pub struct Client {
    /// The store.
    pub store: Arc<Store>,
    executor: Executor,
    reader: PageReader,
    random: Random,
}

impl Client {
    /// A client of `store`.
    ///
    /// # Errors
    /// If there is no room for its reads.
    pub fn new(store: &Arc<Store>) -> Result<Self, StoreError> {
        Ok(Self {
            executor: Executor::new(Arc::clone(store), Arc::default(), STRING_MAX_BYTES),
            reader: PageReader::new(store, 16)?,
            store: Arc::clone(store),
            random: Random::new(1),
        })
    }

    /// Runs a write, or several as a transaction.
    pub fn write(&mut self, requests: &[Request]) -> Outcome {
        match self.store.admit(true) {
            Admission::Go => self.run(requests),
            refused => Outcome::Refused(refused),
        }
    }

    /// Runs a request, or several as a transaction.
    ///
    /// # Panics
    /// If a step is tried again without end.
    pub fn run(&mut self, requests: &[Request]) -> Outcome {
        let words: Vec<Vec<&[u8]>> = requests
            .iter()
            .map(|request| request.words.iter().map(Vec::as_slice).collect())
            .collect();
        let calls: Vec<Call<'_>> = requests
            .iter()
            .zip(&words)
            .map(|(request, words)| Call {
                command: table::resolve(words).expect("the workload knows its commands"),
                database: request.database,
                arguments: words,
            })
            .collect();
        let mut faults = FaultSet::new();
        let mut buffer = ReplyBuffer::new(Version::Two);
        for _ in 0..TRIES {
            let now_ms = self.store.now().0;
            let ran = match calls.as_slice() {
                [call] => self
                    .executor
                    .run(*call, &mut buffer, &faults, &mut self.random),
                calls => {
                    let ran = self.executor.run_transaction(
                        calls,
                        None,
                        &mut buffer,
                        &faults,
                        &mut self.random,
                        &mut Nothing,
                    );
                    ran.map(|done| done.expect("nothing is watched"))
                }
            };
            match ran {
                Ok(done) => {
                    let reply = Reply::parse(&buffer.as_bytes()).expect("a reply is whole");
                    let lsn = done.lsn;
                    return Outcome::Done { reply, lsn, now_ms };
                }
                Err(Fault::Reads(reads)) => {
                    let mut done = Vec::new();
                    self.reader.read_all(&reads, &mut done);
                    for fetched in done {
                        match fetched.page {
                            Ok(page) => faults.insert(fetched.request.address, page),
                            Err(error) => return Outcome::Unreadable(error.to_string()),
                        }
                    }
                }
                Err(Fault::Long(longs)) => {
                    if let Err(fault) = self.store.decode_all(longs, &mut faults) {
                        return Outcome::Unreadable(format!("{fault:?}"));
                    }
                }
                Err(Fault::Recovering(keys)) => return Outcome::Recovering(keys.to_vec()),
                Err(Fault::Unsettled) => return Outcome::Unsettled,
                Err(Fault::Damaged(reason)) => return Outcome::Unreadable(reason),
            }
        }
        panic!("a step is tried again without end: {}", requests[0].shown());
    }

    /// What reads a key: its expiry, and its value in whole.
    #[must_use]
    pub fn reads(key: &Key) -> [Request; 2] {
        let name = key.1.as_bytes();
        let request = |words: &[&[u8]]| Request::new(key.0, words);
        let value = match name.first() {
            Some(b's' | b'n') => request(&[b"GET", name]),
            Some(b'h') => request(&[b"HGETALL", name]),
            Some(b'l') => request(&[b"LRANGE", name, b"0", b"-1"]),
            Some(b't') => request(&[b"SMEMBERS", name]),
            Some(b'z') => request(&[b"ZRANGE", name, b"0", b"-1", b"WITHSCORES"]),
            _ => request(&[b"XRANGE", name, b"-", b"+"]),
        };
        [request(&[b"PEXPIRETIME", name]), value]
    }

    /// The entry that the replies to [`Client::reads`] show; `Err` says why they
    /// show none.
    ///
    /// # Errors
    /// A reply that does not fit the key.
    pub fn entry(key: &Key, reply: Reply) -> Result<Option<Entry>, String> {
        let odd = |what: &Reply| format!("{key:?} answers {what:?}");
        let Reply::Array(mut replies) = reply else {
            return Err(odd(&reply));
        };
        let (Some(value), Some(Reply::Integer(expiry))) = (replies.pop(), replies.pop()) else {
            return Err(format!("{key:?} answers less than two replies"));
        };
        if expiry == -2 {
            return match value {
                Reply::Bulk(None) => Ok(None),
                Reply::Array(items) if items.is_empty() => Ok(None),
                value => Err(format!("{key:?} is absent and holds {value:?}")),
            };
        }
        let value = decode(key, &value).ok_or_else(|| odd(&value))?;
        let expiry_ms = (expiry >= 0).then_some(expiry);
        Ok(Some(Entry { value, expiry_ms }))
    }
}

fn decode(key: &Key, reply: &Reply) -> Option<Value> {
    let pairs = |words: Vec<Vec<u8>>| -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut words = words.into_iter();
        std::iter::from_fn(|| words.next().zip(words.next())).collect()
    };
    match key.1.as_bytes().first()? {
        b's' | b'n' => match reply {
            Reply::Bulk(Some(bytes)) => Some(Value::String(bytes.clone())),
            _ => None,
        },
        b'h' => Some(Value::Hash(pairs(reply.strings()?).into_iter().collect())),
        b'l' => Some(Value::List(reply.strings()?.into())),
        b't' => Some(Value::Set(reply.strings()?.into_iter().collect())),
        b'z' => {
            let score = |(member, score): (Vec<u8>, Vec<u8>)| {
                let score = std::str::from_utf8(&score).ok()?.parse().ok()?;
                Some((member, score))
            };
            let members: Option<_> = pairs(reply.strings()?).into_iter().map(score).collect();
            members.map(Value::SortedSet)
        }
        _ => {
            let Reply::Array(items) = reply else {
                return None;
            };
            let entry = |item: &Reply| {
                let Reply::Array(parts) = item else {
                    return None;
                };
                let [Reply::Bulk(Some(id)), fields] = parts.as_slice() else {
                    return None;
                };
                let value = fields.strings()?.pop()?;
                let id = std::str::from_utf8(id).ok()?.strip_suffix("-0")?;
                Some((id.parse().ok()?, value))
            };
            let entries: Option<_> = items.iter().map(entry).collect();
            entries.map(Value::Stream)
        }
    }
}

/// Stands beside transactions: all their commands have handlers.
struct Nothing;

impl Beside for Nothing {
    fn run(&mut self, _: &Call<'_>, _: &mut ReplyBuffer) {
        unreachable!("all commands have a handler");
    }

    fn note(&mut self, _: Written<'_>) -> bool {
        false
    }
}
