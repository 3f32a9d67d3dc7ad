//! One process of a simulation: from the start of the store to its end, by a
//! clean stop, a kill or a loss of power.
//!
//! Owns the order in which clients, keeper, flusher and clock take turns, all of
//! it drawn from the seed. Does not judge what a start finds; `round` does. One
//! thread.

use crate::client::{Client, Outcome};
use crate::history::{Found, Seen};
use crate::load::Load;
pub use crate::load::Memory;
use crate::reply::Reply;
use crate::request::{Key, Request};
use crate::workload::purge;
use parking_lot::Mutex;
use std::sync::Arc;
use thermocline_base::{Clock, Random, SimulatedTime, UnixMillis};
use thermocline_disk::{Disk, SimulatedDisk};
use thermocline_store::{Attendant, LogSizes, Store, StoreError, StoreOptions};
use thermocline_wal::Policy;

/// What a reading of the clock takes while the keeper works: its slices of time
/// end after some hundred.
const KEEPER_PACE_NS: u64 = 50_000;
/// How often the flusher looks around by itself, ms.
const FLUSHER_TICK_MS: i64 = 20;
/// How often the keeper does, ms.
const KEEPER_TICK_MS: i64 = 10;
/// The log's parts are small, so that segments end and are used again.
const LOG_SIZES: LogSizes = LogSizes {
    segment_bytes: 64 << 10,
    ring_bytes: 64 << 10,
};
/// Those of a log that takes a long value at once.
const LARGE_LOG_SIZES: LogSizes = LogSizes {
    segment_bytes: 256 << 10,
    ring_bytes: 256 << 10,
};
/// Steps of the keeper before what is waited for will never be.
const PATIENCE: usize = 20_000;

/// Why a process did not start, and the memory.
pub type NotStarted = Box<(StoreError, Memory)>;

/// A running process.
pub struct Life {
    store: Arc<Store>,
    attendant: Attendant,
    /// The clients.
    pub load: Arc<Mutex<Load>>,
    disk: SimulatedDisk,
    time: SimulatedTime,
    random: Random,
    last_keeper_ms: i64,
    pressure_left: u64,
    patience: usize,
}

/// How the disk and the machine treat a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Treatment {
    /// Whether the flusher may be kept waiting for seconds.
    pub is_slow: bool,
}

impl Life {
    /// Starts a process on `disk`. The memory is given back if it does not start.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start(
        disk: &SimulatedDisk,
        time: &SimulatedTime,
        policy: Policy,
        random: &mut Random,
        memory: Memory,
    ) -> Result<Self, NotStarted> {
        let options = StoreOptions {
            log: Some(policy),
            tier: true,
            clock: Clock::Simulated(time.clone()),
            seed: random.next_u64(),
        };
        let sizes = if memory.workload.traits.has_large {
            LARGE_LOG_SIZES
        } else {
            LOG_SIZES
        };
        let opened = Store::open_stepped(Disk::simulated(disk.clone()), options, sizes);
        let (store, attendant, _) = match opened {
            Ok(opened) => opened,
            Err(error) => return Err(Box::new((error, memory))),
        };
        let client = match Client::new(&store) {
            Ok(client) => client,
            Err(error) => return Err(Box::new((error, memory))),
        };
        if random.chance(2) {
            store.settings().set_checkpoint_wal_bytes(96 << 10);
        }
        let load = Arc::new(Mutex::new(Load {
            client,
            history: memory.history,
            workload: memory.workload,
            random: Random::new(random.next_u64()),
            time: time.clone(),
            disk: disk.clone(),
            is_active: false,
            wrong: None,
            may_fail: false,
            unreadable: 0,
            steps: 0,
            digest: 0,
            cutter: None,
            last_flush_ms: 0,
        }));
        let of_disk = Arc::clone(&load);
        disk.set_between(Some(Arc::new(move || {
            // The clients' own operations come here, too.
            if let Some(mut load) = of_disk.try_lock() {
                load.between();
            }
        })));
        Ok(Self {
            store,
            attendant,
            load,
            disk: disk.clone(),
            time: time.clone(),
            random: Random::new(random.next_u64()),
            last_keeper_ms: 0,
            pressure_left: 0,
            patience: PATIENCE,
        })
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// One round of the keeper.
    pub fn step_keeper(&mut self) -> bool {
        self.time.set_pace_ns(KEEPER_PACE_NS);
        let is_busy = self.attendant.step_keeper();
        self.time.set_pace_ns(0);
        self.last_keeper_ms = self.load.lock().monotonic_ms();
        is_busy
    }

    /// One step of the flusher.
    pub fn step_log(&self) {
        // What the disk refused is the log's status.
        let _ = self.store.step_log();
        let mut load = self.load.lock();
        load.last_flush_ms = load.monotonic_ms();
        load.acknowledge();
    }

    /// Lets `ms` pass, with flusher and keeper at work as often as they look
    /// around by themselves.
    pub fn pass(&mut self, ms: i64) {
        self.pass_until(ms, |_| false);
    }

    /// As [`Life::pass`], but no longer than until `is_over`.
    pub fn pass_until(&mut self, ms: i64, is_over: impl Fn(&Self) -> bool) {
        let mut left_ms = ms;
        while left_ms > 0 && !self.disk.is_off() && !is_over(self) {
            let some_ms = left_ms.min(KEEPER_TICK_MS);
            self.time.advance(some_ms);
            left_ms -= some_ms;
            self.step_log();
            self.step_keeper();
        }
    }

    /// Has the keeper bring up what `outcome` waits for; whether it is worth
    /// another try.
    fn satisfy(&mut self, outcome: &Outcome) -> bool {
        if let Outcome::Recovering(keys) = outcome {
            self.store.hydrate_soon(keys);
        }
        // Nobody overtakes the one who waits: IDs of streams are drawn in order.
        let was_active = std::mem::replace(&mut self.load.lock().is_active, false);
        self.step_keeper();
        self.load.lock().is_active = was_active;
        self.time.advance(1);
        !self.disk.is_off()
    }

    /// Every key that clients may name.
    fn universe(&self) -> Vec<Key> {
        self.load.lock().workload.traits.universe()
    }

    /// Runs a step; whether it came to an end.
    fn write(&mut self, requests: &[Request]) -> bool {
        self.insist(|load| load.write(requests))
    }

    /// Reads a key; whether that came to an end.
    fn read(&mut self, key: &Key) -> bool {
        self.insist(|load| load.read(key))
    }

    /// Asks until there is nothing to wait for, having the keeper bring up what is needed;
    /// whether it came to that.
    fn insist(&mut self, ask: impl Fn(&mut Load) -> Option<Outcome>) -> bool {
        for _ in 0..self.patience {
            let Some(waits) = ask(&mut self.load.lock()) else {
                return true;
            };
            if !self.satisfy(&waits) {
                break;
            }
        }
        false
    }

    /// Sets the wall clock. Before it goes back clients look at all keys: what they find to
    /// have expired does not come back. Where that cannot be, the clock stays.
    pub fn set_clock(&mut self, wall_ms: i64) {
        let was_active = std::mem::replace(&mut self.load.lock().is_active, false);
        if wall_ms >= self.store.now().0 || self.meet_all() {
            let mut load = self.load.lock();
            let now_ms = self.store.now().0;
            if wall_ms < now_ms {
                load.history.push_peak(now_ms);
            }
            self.time.jump(UnixMillis(wall_ms));
        }
        self.load.lock().is_active = was_active;
    }

    /// Whether clients have met all keys, and whatever has expired is gone.
    fn meet_all(&mut self) -> bool {
        for key in self.universe() {
            self.step_log();
            if self.disk.is_off() || !self.load.lock().may_remove() {
                return false;
            }
            if key.1.starts_with('e') {
                let before = self.load.lock().steps;
                if !self.write(&[purge(&key)]) || self.load.lock().steps == before {
                    return false;
                }
                let now_ms = self.store.now().0;
                self.load.lock().history.push_purged(&key, now_ms);
            }
            if !self.read(&key) {
                return false;
            }
        }
        let load = self.load.lock();
        let now_ms = self.store.now().0;
        load.history.state.keys().all(|key| {
            let present = load.history.present(key);
            present.is_none_or(|entry| entry.at(now_ms).as_ref() == Some(entry))
        })
    }

    /// A key as DUMP gives it.
    pub fn dump(&mut self, key: &Key) -> Option<Vec<u8>> {
        let request = Request::new(key.0, &[b"DUMP", key.1.as_bytes()]);
        match self.load.lock().client.run(&[request]) {
            Outcome::Done {
                reply: Reply::Bulk(payload),
                ..
            } => payload,
            _ => None,
        }
    }

    /// One turn of everybody.
    pub fn turn(&mut self, policy: Policy, treatment: Treatment) {
        self.load.lock().is_active = true;
        match self.random.below(100) {
            0..72 => {
                let now_ms = self.store.now().0;
                let requests = self.load.lock().workload.step(now_ms);
                self.write(&requests);
            }
            72..84 => {
                let keys = self.universe();
                let key = &keys[self.random.below(keys.len() as u64) as usize];
                self.read(key);
            }
            84..87 => {
                self.store.request_checkpoint();
                self.step_keeper();
            }
            87..90 => {
                // Memory is short for a while: keys sink.
                let statistics = self.store.statistics();
                let used_bytes = statistics.record_bytes + statistics.index_bytes;
                let percent = 20 + self.random.below(70);
                let limit = (used_bytes / 100 * percent).max(1);
                self.store.settings().set_maxmemory_bytes(limit);
                self.pressure_left = 1 + self.random.below(12);
                self.step_keeper();
            }
            90..92 if treatment.is_slow => self.time.advance(self.random.below(3000) as i64),
            90..92 => {
                let ms = self.random.below(2500) as i64;
                self.pass(ms);
            }
            _ => self.time.advance(self.random.below(12) as i64),
        }
        self.pressure_left = self.pressure_left.saturating_sub(1);
        if self.pressure_left == 0 {
            self.store.settings().set_maxmemory_bytes(0);
        }
        let (now_ms, last_flush_ms) = {
            let load = self.load.lock();
            (load.monotonic_ms(), load.last_flush_ms)
        };
        let flushes = if policy == Policy::Always {
            self.random.chance(2)
        } else if treatment.is_slow {
            self.random.chance(12)
        } else {
            now_ms >= last_flush_ms + FLUSHER_TICK_MS || self.random.chance(8)
        };
        if flushes {
            self.step_log();
        }
        if now_ms >= self.last_keeper_ms + KEEPER_TICK_MS || self.random.chance(6) {
            self.step_keeper();
        }
        let mut load = self.load.lock();
        load.maybe_cut();
        load.is_active = false;
    }

    /// Gives a key only so many steps of the keeper to come up.
    pub fn set_patience(&mut self, steps: usize) {
        self.patience = steps;
    }

    /// Reads all keys, having the keeper bring up what they need.
    pub fn read_all(&mut self) -> Found {
        let mut found = Found::new();
        for key in self.universe() {
            let mut entry = Err("it never came up".to_owned());
            for _ in 0..self.patience {
                let outcome = self.load.lock().client.run(&Client::reads(&key));
                match outcome {
                    Outcome::Done { reply, .. } => {
                        // A reply that does not fit fits nothing.
                        entry = Ok(Client::entry(&key, reply).unwrap_or_else(|reason| {
                            self.load.lock().complain(reason);
                            None
                        }));
                        break;
                    }
                    Outcome::Unreadable(reason) => {
                        entry = Err(reason);
                        break;
                    }
                    waits => {
                        if !self.satisfy(&waits) {
                            break;
                        }
                    }
                }
            }
            let at_ms = self.store.now().0;
            found.insert(key, Seen { at_ms, entry });
        }
        found
    }

    /// The keys of a database as KEYS lists them; `None` if they cannot be.
    pub fn keys(&mut self, database: u8) -> Option<Vec<String>> {
        let request = Request::new(database, &[b"KEYS", b"*"]);
        for _ in 0..PATIENCE {
            let outcome = self.load.lock().client.run(std::slice::from_ref(&request));
            match outcome {
                Outcome::Done { reply, .. } => {
                    let names = reply.strings()?;
                    let names = names
                        .iter()
                        .map(|name| String::from_utf8_lossy(name).into_owned());
                    return Some(names.collect());
                }
                Outcome::Unreadable(_) => return None,
                waits => {
                    if !self.satisfy(&waits) {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// Has the keeper work until all has come up since the start; whether it has.
    pub fn settle(&mut self) -> bool {
        for _ in 0..PATIENCE {
            if self.store.has_settled() || self.disk.is_off() {
                break;
            }
            self.step_keeper();
            self.time.advance(1);
        }
        self.store.has_settled()
    }

    /// Whether a write may begin.
    #[must_use]
    pub fn admits(&self) -> bool {
        self.store.admit(true) == thermocline_store::Admission::Go
    }

    /// The process is gone, whatever it was at.
    #[must_use]
    pub fn end(self) -> (Memory, Remains) {
        self.disk.set_between(None);
        let Self {
            load,
            attendant,
            store,
            ..
        } = self;
        let statistics = store.statistics();
        drop(attendant);
        drop(store);
        let Some(load) = Arc::into_inner(load).map(Mutex::into_inner) else {
            unreachable!("the disk has let it go");
        };
        take_apart(load, &statistics)
    }

    /// A clean stop; whether it ended well.
    pub fn stop(self, checkpoint: bool) -> (Memory, Remains, Result<(), StoreError>) {
        self.disk.set_between(None);
        let Self {
            load,
            attendant,
            store,
            ..
        } = self;
        let statistics = store.statistics();
        drop(store);
        let Some(load) = Arc::into_inner(load).map(Mutex::into_inner) else {
            unreachable!("the disk has let it go");
        };
        let (memory, remains) = take_apart(load, &statistics);
        let closed = attendant.close(checkpoint);
        (memory, remains, closed)
    }
}

/// What is known of a process that is gone.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// The first thing that was wrong.
    pub wrong: Option<String>,
    /// Steps that ran.
    pub steps: u64,
    /// Mixed from all replies.
    pub digest: u64,
    /// When it ended, by the monotonic clock, ms.
    pub ended_ms: i64,
    /// Keys that sank.
    pub demotions: u64,
    /// Keys that came back.
    pub promotions: u64,
    /// Segments cleaned.
    pub cleaned: u64,
    /// Records moved by that.
    pub relocations: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Keys that expired.
    pub expired: u64,
}

fn take_apart(load: Load, statistics: &thermocline_store::Statistics) -> (Memory, Remains) {
    let remains = Remains {
        ended_ms: load.monotonic_ms(),
        wrong: load.wrong,
        steps: load.steps,
        digest: load.digest,
        demotions: statistics.demotions,
        promotions: statistics.promotions,
        cleaned: statistics.segments_cleaned,
        relocations: statistics.relocations,
        checkpoints: statistics.checkpoints,
        expired: statistics.expired_keys,
    };
    let mut history = load.history;
    history.forget_waiting();
    let memory = Memory {
        history,
        workload: load.workload,
    };
    (memory, remains)
}
