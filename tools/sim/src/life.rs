//! One process of a simulation: from the start of the store to its end, by a
//! clean stop, a kill or a loss of power.
//!
//! Owns the order in which clients, keeper, flusher and clock take turns, all of
//! it drawn from the seed, and what clients do while the keeper works: between
//! its writes to the disk. Does not judge what a start finds; `round` does. One
//! thread.

use crate::client::{Client, Outcome};
use crate::history::{Found, History, Hook, Seen};
use crate::model::{Key, Request};
use crate::reply::Reply;
use crate::workload::{Workload, universe};
use parking_lot::Mutex;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use thermocline_base::{Clock, Random, SimulatedTime};
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
/// Steps of the keeper before what is waited for will never be.
const PATIENCE: usize = 20_000;

/// What clients do, and what they know.
pub struct Load {
    client: Client,
    /// What was asked, and promised.
    pub history: History,
    workload: Workload,
    random: Random,
    time: SimulatedTime,
    disk: SimulatedDisk,
    /// Whether clients go on while the keeper works.
    is_active: bool,
    /// The first thing that is wrong.
    pub wrong: Option<String>,
    /// Whether errors of reads are expected.
    pub may_fail: bool,
    /// Steps and reads that failed for what cannot be read.
    pub unreadable: u64,
    /// Steps that ran.
    pub steps: u64,
    /// Mixed from all replies.
    pub digest: u64,
    /// Called at each moment at which the power may go.
    pub cutter: Option<Hook>,
    last_flush_ms: i64,
}

/// What is carried from one process to the next.
pub struct Memory {
    /// What was asked, and promised.
    pub history: History,
    /// What will be asked.
    pub workload: Workload,
}

impl Load {
    fn monotonic_ms(&self) -> i64 {
        i64::try_from(Clock::Simulated(self.time.clone()).monotonic().as_millis())
            .unwrap_or(i64::MAX)
    }

    fn mix(&mut self, reply: &Reply) {
        let mut hasher = DefaultHasher::new();
        reply.hash(&mut hasher);
        self.digest = Random::new(self.digest ^ hasher.finish()).next_u64();
    }

    fn complain(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    /// Lets replies leave that may.
    pub fn acknowledge(&mut self) {
        let now_ms = self.monotonic_ms();
        let store = &self.client.store;
        self.history
            .acknowledge(now_ms, |lsn| store.may_acknowledge(lsn));
    }

    /// One step of the workload; what it waits for, if the keeper is needed.
    fn write(&mut self, requests: &[Request]) -> Option<Outcome> {
        match self.client.write(requests) {
            Outcome::Done { reply, lsn, now_ms } => {
                self.steps += 1;
                self.mix(&reply);
                if let Reply::Error(text) = &reply
                    && text != "ERR no such key"
                {
                    let shown = requests[0].shown();
                    self.complain(format!("{shown} answers {text}"));
                    return None;
                }
                self.history.push(requests.to_vec(), now_ms, lsn);
                None
            }
            Outcome::Unreadable(reason) if !self.may_fail && !self.disk.is_off() => {
                let shown = requests[0].shown();
                self.complain(format!("{shown} cannot be read: {reason}"));
                None
            }
            Outcome::Unreadable(_) => {
                self.unreadable += 1;
                None
            }
            Outcome::Refused(_) => None,
            waits => Some(waits),
        }
    }

    /// Reads a key and compares it; what it waits for, if the keeper is needed.
    fn read(&mut self, key: &Key) -> Option<Outcome> {
        match self.client.run(&Client::reads(key)) {
            Outcome::Done { reply, lsn, now_ms } => {
                let entry = self.history.state.get(key);
                let expected = entry
                    .filter(|entry| entry.lives(now_ms))
                    .map(|it| (**it).clone());
                match Client::entry(key, reply) {
                    Ok(found) if found == expected => self.history.push_read(key, lsn),
                    Ok(found) => self.complain(format!(
                        "{key:?} should hold {expected:?} and is read as {found:?}"
                    )),
                    Err(reason) => self.complain(reason),
                }
                None
            }
            Outcome::Unreadable(reason) if !self.may_fail && !self.disk.is_off() => {
                self.complain(format!("{key:?} cannot be read: {reason}"));
                None
            }
            Outcome::Unreadable(_) => {
                self.unreadable += 1;
                None
            }
            Outcome::Refused(_) => None,
            waits => Some(waits),
        }
    }

    /// The power may go now; all replies have left that may.
    fn maybe_cut(&mut self) {
        self.acknowledge();
        if let Some(cutter) = &mut self.cutter
            && let Err(wrong) = cutter(&self.history)
        {
            self.complain(wrong);
        }
    }

    /// What happens between two operations of the keeper on the disk.
    fn between(&mut self) {
        let pace_ns = self.time.set_pace_ns(0);
        self.maybe_cut();
        if !self.is_active {
            self.time.set_pace_ns(pace_ns);
            return;
        }
        match self.random.below(12) {
            0..3 => {
                let requests = self.workload.step();
                // What needs the keeper is given up: it is at work.
                let _ = self.write(&requests);
            }
            3 => {
                // What the disk refused is the log's status.
                let _ = self.client.store.step_log();
            }
            4 => self.time.advance(1 + self.random.below(3) as i64),
            _ => {}
        }
        self.acknowledge();
        self.time.set_pace_ns(pace_ns);
    }
}

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
        let opened = Store::open_stepped(Disk::simulated(disk.clone()), options, LOG_SIZES);
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

    /// One turn of everybody.
    pub fn turn(&mut self, policy: Policy, treatment: Treatment) {
        self.load.lock().is_active = true;
        match self.random.below(100) {
            0..72 => {
                let requests = self.load.lock().workload.step();
                for _ in 0..self.patience {
                    let Some(waits) = self.load.lock().write(&requests) else {
                        break;
                    };
                    if !self.satisfy(&waits) {
                        break;
                    }
                }
            }
            72..84 => {
                let keys = universe();
                let key = &keys[self.random.below(keys.len() as u64) as usize];
                for _ in 0..self.patience {
                    let Some(waits) = self.load.lock().read(key) else {
                        break;
                    };
                    if !self.satisfy(&waits) {
                        break;
                    }
                }
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
        for key in universe() {
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
