//! The clients of one process: what they do, and what they know.
//!
//! Owns their steps and reads, what is compared at once, which replies have left, and what
//! happens while the keeper works. Does not decide whose turn it is; `life` does. One
//! thread.

use crate::client::{Client, Outcome};
use crate::entry::lives;
use crate::history::{History, Hook};
use crate::reply::Reply;
use crate::request::{Key, Request};
use crate::workload::Workload;
use std::hash::{DefaultHasher, Hash, Hasher};
use thermocline_base::{Clock, Random, SimulatedTime};
use thermocline_disk::SimulatedDisk;
use thermocline_store::FaultSet;

/// One step in so many has a key dumped, to be restored later.
const DUMPED_ONE_IN: u64 = 16;

/// What clients do, and what they know.
pub struct Load {
    pub(crate) client: Client,
    /// What was asked, and promised.
    pub history: History,
    pub(crate) workload: Workload,
    pub(crate) random: Random,
    pub(crate) time: SimulatedTime,
    pub(crate) disk: SimulatedDisk,
    /// Whether clients go on while the keeper works.
    pub(crate) is_active: bool,
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
    pub(crate) last_flush_ms: i64,
}

/// What is carried from one process to the next.
pub struct Memory {
    /// What was asked, and promised.
    pub history: History,
    /// What will be asked.
    pub workload: Workload,
}

impl Load {
    pub(crate) fn monotonic_ms(&self) -> i64 {
        i64::try_from(Clock::Simulated(self.time.clone()).monotonic().as_millis())
            .unwrap_or(i64::MAX)
    }

    pub(crate) fn mix(&mut self, reply: &Reply) {
        let mut hasher = DefaultHasher::new();
        reply.hash(&mut hasher);
        self.digest = Random::new(self.digest ^ hasher.finish()).next_u64();
    }

    pub(crate) fn complain(&mut self, wrong: String) {
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
    pub(crate) fn write(&mut self, requests: &[Request]) -> Option<Outcome> {
        match self.client.write(requests) {
            Outcome::Done { reply, lsn, now_ms } => {
                self.steps += 1;
                self.mix(&reply);
                let pushed = self.history.push(requests.to_vec(), reply, now_ms, lsn);
                if let Err(wrong) = pushed {
                    self.complain(wrong);
                } else if self.steps.is_multiple_of(DUMPED_ONE_IN) {
                    self.keep_a_payload(now_ms);
                }
                None
            }
            other => self.not_answered(other, || requests[0].shown()),
        }
    }

    /// Reads a key and compares it; what it waits for, if the keeper is needed.
    pub(crate) fn read(&mut self, key: &Key) -> Option<Outcome> {
        let may_remove = self.may_remove();
        match self.client.run(&Client::reads(key)) {
            Outcome::Done { reply, lsn, now_ms } => {
                let present = self.history.present(key);
                let had_expired = present.is_some_and(|it| !lives(it.expiry_ms, now_ms));
                let expected = self.history.expected(key, now_ms);
                match Client::entry(key, reply.clone()) {
                    Ok(found) if found == expected && had_expired && may_remove => {
                        self.history.push_expired(key, reply, now_ms, lsn);
                    }
                    Ok(found) if found == expected => self.history.push_read(key, lsn),
                    Ok(found) => self.complain(format!(
                        "{key:?} should hold {expected:?} and is read as {found:?}"
                    )),
                    Err(reason) => self.complain(reason),
                }
                None
            }
            other => self.not_answered(other, || format!("{key:?}")),
        }
    }

    /// Takes what is no reply; what was asked waits for it, if the keeper is needed.
    fn not_answered(&mut self, outcome: Outcome, asked: impl Fn() -> String) -> Option<Outcome> {
        match outcome {
            Outcome::Unreadable(reason) if !self.may_fail && !self.disk.is_off() => {
                self.complain(format!("{} cannot be read: {reason}", asked()));
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

    /// Whether what has expired goes when it is met: the log has room. Else it is hidden.
    pub(crate) fn may_remove(&self) -> bool {
        let faults = FaultSet::new();
        let access = self.client.store.access(&[], &faults);
        access.is_ok_and(|access| access.log_has_room())
    }

    /// Gives the workload a key to restore.
    pub(crate) fn keep_a_payload(&mut self, now_ms: i64) {
        let number = self.random.below(self.history.state.len().max(1) as u64);
        let key = self.history.state.keys().nth(number as usize).cloned();
        if let Some(key) = key
            && let Some(payload) = self.history.dump(&key, now_ms)
        {
            self.workload.keep(&key, payload);
        }
    }

    /// The power may go now; all replies have left that may.
    pub(crate) fn maybe_cut(&mut self) {
        self.acknowledge();
        if let Some(cutter) = &mut self.cutter
            && let Err(wrong) = cutter(&self.history)
        {
            self.complain(wrong);
        }
    }

    /// What happens between two operations of the keeper on the disk.
    pub(crate) fn between(&mut self) {
        let pace_ns = self.time.set_pace_ns(0);
        self.maybe_cut();
        if !self.is_active {
            self.time.set_pace_ns(pace_ns);
            return;
        }
        match self.random.below(12) {
            0..3 => {
                let now_ms = self.client.store.now().0;
                let requests = self.workload.step(now_ms);
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
