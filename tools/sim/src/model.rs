//! What the keys should hold: the same commands on a store that keeps all in memory, has
//! no disk, no log, no tier, and nobody who works behind its back.
//!
//! Owns that store and its clock, which shows what the clock of the compared store showed
//! when the step ran there. So every command is compared, its reply and what it leaves;
//! whether a command means what it should is compared with a reference server elsewhere.
//! One thread.

use crate::client::{Client, Outcome};
use crate::entry::{Entry, State};
use crate::reply::Reply;
use crate::request::{Key, Request};
use thermocline_base::{Clock, SimulatedTime, UnixMillis};
use thermocline_disk::{Disk, SimulatedDisk};
use thermocline_store::{Attendant, LogSizes, Store, StoreOptions};

/// Of a log that nothing is written to.
const LOG_SIZES: LogSizes = LogSizes {
    segment_bytes: 64 << 10,
    ring_bytes: 64 << 10,
};

/// See the module.
pub struct Model {
    client: Client,
    time: SimulatedTime,
    /// Whether it ever had functions.
    has_functions: bool,
    _attendant: Attendant,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Model").finish_non_exhaustive()
    }
}

/// The contents of a model, to begin from again.
#[derive(Debug, Default)]
pub struct Saved {
    at_ms: i64,
    keys: Vec<(Key, Option<i64>, Vec<u8>)>,
}

impl Model {
    /// One without keys.
    ///
    /// # Panics
    /// If a store in memory does not start.
    #[must_use]
    pub fn new() -> Self {
        let time = SimulatedTime::new(UnixMillis(0));
        let options = StoreOptions {
            log: None,
            tier: false,
            clock: Clock::Simulated(time.clone()),
            seed: 1,
        };
        let disk = Disk::simulated(SimulatedDisk::new(1));
        let opened = Store::open_stepped(disk, options, LOG_SIZES);
        let (store, mut attendant, _) = opened.expect("nothing is refused");
        while !store.has_settled() {
            attendant.step_keeper();
        }
        Self {
            client: Client::new(&store).expect("there is room"),
            time,
            has_functions: false,
            _attendant: attendant,
        }
    }

    fn ask(&mut self, requests: &[Request], now_ms: i64) -> Reply {
        self.time.jump(UnixMillis(now_ms));
        match self.client.run(requests) {
            Outcome::Done { reply, .. } => reply,
            other => unreachable!("all is in memory: {other:?}"),
        }
    }

    /// Runs a step that ran at `now_ms` and answered `reply`.
    ///
    /// # Errors
    /// What the step should have answered, for people.
    pub fn run(&mut self, requests: &[Request], now_ms: i64, reply: &Reply) -> Result<(), String> {
        let many = requests.len() > 1;
        let replies: Vec<&Reply> = match reply {
            Reply::Array(items) if many => items.iter().collect(),
            reply => vec![reply],
        };
        self.has_functions |= requests.iter().any(|request| request.is("FUNCTION"));
        let shown: Vec<String> = requests.iter().map(Request::shown).collect();
        let odd = |expected: &Reply| {
            Err(format!(
                "{} should answer {expected:?} and answers {reply:?}",
                shown.join("; ")
            ))
        };
        let followed: Vec<Request> = requests
            .iter()
            .enumerate()
            .map(|(index, request)| match replies.get(index) {
                Some(reply) if request.is("SPOP") => without_chance(request, reply),
                _ => request.clone(),
            })
            .collect();
        let expected = self.ask(&followed, now_ms);
        let wanted: Vec<&Reply> = match &expected {
            Reply::Array(items) if many => items.iter().collect(),
            expected => vec![expected],
        };
        if wanted.len() != replies.len() {
            return odd(&expected);
        }
        for (index, (wanted, reply)) in wanted.iter().zip(&replies).enumerate() {
            if wanted != reply && requests[index] == followed[index] {
                return odd(wanted);
            }
        }
        Ok(())
    }

    /// What a key holds at `now_ms`.
    ///
    /// # Panics
    /// If it cannot be told.
    pub fn read(&mut self, key: &Key, now_ms: i64) -> Option<Entry> {
        let reply = self.ask(&Client::reads(key), now_ms);
        Client::entry(key, reply).expect("the model holds what its names say")
    }

    /// A key as DUMP, or FUNCTION DUMP, gives it.
    pub fn dump(&mut self, key: &Key, now_ms: i64) -> Option<Vec<u8>> {
        let request = if key.1 == "f" {
            Request::new(0, &[b"FUNCTION", b"DUMP"])
        } else {
            Request::new(key.0, &[b"DUMP", key.1.as_bytes()])
        };
        match self.ask(&[request], now_ms) {
            Reply::Bulk(payload) => payload,
            other => unreachable!("DUMP answers {other:?}"),
        }
    }

    /// All that `state` says is there.
    pub fn save(&mut self, state: &State, now_ms: i64) -> Saved {
        let keys = state.iter().filter_map(|(key, entry)| {
            let payload = self.dump(key, now_ms)?;
            Some((key.clone(), entry.expiry_ms, payload))
        });
        Saved {
            keys: keys.collect(),
            at_ms: now_ms,
        }
    }

    /// Begins again from `saved`.
    pub fn load(&mut self, saved: &Saved) {
        let now_ms = saved.at_ms;
        self.ask(&[Request::new(0, &[b"FLUSHALL"])], now_ms);
        if self.has_functions {
            self.ask(&[Request::new(0, &[b"FUNCTION", b"FLUSH"])], now_ms);
        }
        self.restore(saved);
    }

    fn restore(&mut self, saved: &Saved) {
        for (key, expiry_ms, payload) in &saved.keys {
            let request = if key.1 == "f" {
                Request::new(0, &[b"FUNCTION", b"RESTORE", payload, b"FLUSH"])
            } else {
                let at = expiry_ms.unwrap_or(0).to_string();
                let words: &[&[u8]] = &[
                    b"RESTORE",
                    key.1.as_bytes(),
                    at.as_bytes(),
                    payload,
                    b"ABSTTL",
                    b"REPLACE",
                ];
                Request::new(key.0, words)
            };
            self.ask(&[request], saved.at_ms);
        }
    }

    /// Brings a key to what was `found` of it where its time had come and it, or fields of
    /// it, may have gone, and may not. `dump` gives it as DUMP does.
    ///
    /// # Errors
    /// If that is not what was found then.
    pub fn follow(
        &mut self,
        key: &Key,
        found: Option<&Entry>,
        now_ms: i64,
        dump: &mut dyn FnMut(&Key) -> Option<Vec<u8>>,
    ) -> Result<(), String> {
        if self.read(key, now_ms).as_ref() == found {
            return Ok(());
        }
        let name = key.1.as_bytes();
        self.ask(&[Request::new(key.0, &[b"DEL", name])], now_ms);
        if let Some(found) = found
            && let Some(payload) = dump(key)
        {
            let saved = Saved {
                at_ms: now_ms,
                keys: vec![(key.clone(), found.expiry_ms, payload)],
            };
            self.restore(&saved);
        }
        let held = self.read(key, now_ms);
        if held.as_ref() == found {
            return Ok(());
        }
        Err(format!(
            "the model holds {held:?} in {key:?} where {found:?} was found"
        ))
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

/// What does for sure what SPOP did by chance.
fn without_chance(request: &Request, reply: &Reply) -> Request {
    let popped = match reply {
        Reply::Bulk(Some(member)) => vec![member.clone()],
        reply => reply.strings().unwrap_or_default(),
    };
    let key = request.words.get(1).cloned().unwrap_or_default();
    let mut words = if popped.is_empty() {
        vec![b"EXISTS".to_vec(), key]
    } else {
        vec![b"SREM".to_vec(), key]
    };
    words.extend(popped);
    Request {
        database: request.database,
        words,
    }
}
