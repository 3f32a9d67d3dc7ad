//! A client of a store without threads: from requests to replies.
//!
//! Owns the loop around faults, up to where the keeper is needed: that is the
//! caller's to step. One thread.

use crate::entry::{Entry, Value};
use crate::reply::Reply;
use crate::request::{Key, Request};
use crate::workload::FIELDS;
use std::collections::BTreeMap;
use std::sync::Arc;
use thermocline_base::{KeyHash, Lsn, Random};
use thermocline_commands::{
    Beside, Call, Done, Executor, MachineLease, NothingAside, ReplyBuffer, ScriptRan, Scripted,
    Version, Written, table,
};
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
            let ran = self.run_once(&calls, &mut buffer, &faults);
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

    fn run_once(
        &mut self,
        calls: &[Call<'_>],
        buffer: &mut ReplyBuffer,
        faults: &FaultSet,
    ) -> Result<Done, Fault> {
        if calls.iter().any(|call| Executor::is_scripted(call.command)) {
            let scripted = Scripted {
                calls,
                is_transaction: calls.len() > 1,
                watched: None,
                is_patient: true,
                is_paused: false,
                seed: 1,
            };
            let lease = &mut MachineLease::default();
            let aside = &mut NothingAside::default();
            let ran = self
                .executor
                .run_scripted(scripted, buffer, faults, aside, lease)?;
            let ScriptRan::Done(done) = ran else {
                unreachable!("it has the machine and all the time it wants: {ran:?}");
            };
            return Ok(done);
        }
        if let [call] = calls {
            return self.executor.run(*call, buffer, faults, &mut self.random);
        }
        let ran = self.executor.run_transaction(
            calls,
            None,
            buffer,
            faults,
            &mut self.random,
            &mut Nothing,
        )?;
        Ok(ran.expect("nothing is watched"))
    }

    /// What reads a key: its expiry, and its value in whole.
    #[must_use]
    pub fn reads(key: &Key) -> Vec<Request> {
        let name = key.1.as_bytes();
        let request = |words: &[&[u8]]| Request::new(key.0, words);
        let value = match name.first() {
            Some(b's' | b'n' | b'b' | b'p' | b'S') => request(&[b"GET", name]),
            Some(b'h' | b'e' | b'H') => request(&[b"HGETALL", name]),
            Some(b'l' | b'L') => request(&[b"LRANGE", name, b"0", b"-1"]),
            Some(b't' | b'T') => request(&[b"SMEMBERS", name]),
            Some(b'z' | b'g' | b'Z') => request(&[b"ZRANGE", name, b"0", b"-1", b"WITHSCORES"]),
            Some(b'f') => return vec![request(&[b"FUNCTION", b"LIST", b"WITHCODE"])],
            _ => request(&[b"XINFO", b"STREAM", name, b"FULL", b"COUNT", b"0"]),
        };
        let mut reads = vec![request(&[b"PEXPIRETIME", name]), value];
        if name.first() == Some(&b'e') {
            let mut times = request(&[b"HPEXPIRETIME", name, b"FIELDS"]);
            times.words.push(FIELDS.len().to_string().into_bytes());
            let names = FIELDS.iter().map(|field| field.as_bytes().to_vec());
            times.words.extend(names);
            reads.push(times);
        }
        reads
    }

    /// The entry that the replies to [`Client::reads`] show; `Err` says why they
    /// show none.
    ///
    /// # Errors
    /// A reply that does not fit the key.
    pub fn entry(key: &Key, reply: Reply) -> Result<Option<Entry>, String> {
        let odd = |what: &Reply| format!("{key:?} answers {what:?}");
        if let (true, Reply::Array(libraries)) = (key.1 == "f", &reply) {
            let value = Value::Shown(reply.clone());
            let entry = Entry {
                value,
                expiry_ms: None,
            };
            return Ok((!libraries.is_empty()).then_some(entry));
        }
        let Reply::Array(replies) = reply else {
            return Err(odd(&reply));
        };
        let mut replies = replies.into_iter();
        let (Some(Reply::Integer(expiry)), Some(value)) = (replies.next(), replies.next()) else {
            return Err(format!("{key:?} answers less than two replies"));
        };
        if expiry == -2 {
            return match value {
                Reply::Bulk(None) | Reply::Error(_) => Ok(None),
                Reply::Array(items) if items.is_empty() => Ok(None),
                value => Err(format!("{key:?} is absent and holds {value:?}")),
            };
        }
        // A hash whose fields have all expired is there as long as nobody looks.
        if key.1.starts_with('e') && value == Reply::Array(Vec::new()) {
            return Ok(None);
        }
        let value = decode(key, &value, replies.next()).ok_or_else(|| odd(&value))?;
        let expiry_ms = (expiry >= 0).then_some(expiry);
        Ok(Some(Entry { value, expiry_ms }))
    }
}

fn decode(key: &Key, reply: &Reply, times: Option<Reply>) -> Option<Value> {
    match key.1.as_bytes().first()? {
        b'h' | b'e' | b'H' => {
            let times = field_times(times)?;
            let mut words = reply.strings()?.into_iter();
            let pairs = std::iter::from_fn(|| words.next().zip(words.next()));
            let fields = pairs.map(|(name, value)| {
                let expiry_ms = times.get(name.as_slice()).copied();
                (name, (value, expiry_ms))
            });
            Some(Value::Hash(fields.collect()))
        }
        b't' | b'T' => Some(Value::Set(reply.strings()?.into_iter().collect())),
        _ => match reply {
            Reply::Bulk(None) | Reply::Error(_) => None,
            Reply::Array(items) if items.is_empty() => None,
            reply => Some(Value::Shown(lasting(reply))),
        },
    }
}

/// When which of [`FIELDS`] expires, from the reply to HPEXPIRETIME.
fn field_times(reply: Option<Reply>) -> Option<BTreeMap<&'static [u8], i64>> {
    let Some(reply) = reply else {
        return Some(BTreeMap::new());
    };
    let Reply::Array(items) = reply else {
        return None;
    };
    let times = items
        .iter()
        .zip(FIELDS)
        .filter_map(|(item, name)| match item {
            Reply::Integer(at_ms) if *at_ms >= 0 => Some((name.as_bytes(), *at_ms)),
            _ => None,
        });
    Some(times.collect())
}

/// A reply without what XINFO tells beside what a stream holds: how its nodes lie, and
/// when consumers were last heard of, which is not logged by itself.
fn lasting(reply: &Reply) -> Reply {
    const BESIDE: [&[u8]; 4] = [
        b"radix-tree-keys",
        b"radix-tree-nodes",
        b"seen-time",
        b"active-time",
    ];
    let Reply::Array(items) = reply else {
        return reply.clone();
    };
    let mut kept = Vec::with_capacity(items.len());
    let mut items = items.iter();
    while let Some(item) = items.next() {
        match item {
            Reply::Bulk(Some(name)) if BESIDE.contains(&name.as_slice()) => {
                let _ = items.next();
            }
            item => kept.push(lasting(item)),
        }
    }
    Reply::Array(kept)
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
