//! The store's side of the write-ahead log: effects in, positions out.
//!
//! Owns how an access's effects become frames (`payload`), and whether a log is
//! kept at all. Does not own files or syncs. Any thread.
//!
//! INVARIANT: a frame is appended under the locks of the shards it changes, so
//! a record captured under its shard's lock at position L contains every frame
//! on its key that starts below L.
//! INVARIANT: [`Log::position`] is never inside a chain.

use crate::effect;
use crate::payload;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::{Clock, Lsn};
use thermocline_wal::{Appended, Flusher, Policy, Progress, Status, Wal, WalError};

/// How long an appender waits for the flusher to make room, at a time. It
/// happens only with frames near the ring's size: see [`Log::has_room`].
const ROOM_WAIT: Duration = Duration::from_micros(50);

/// See the module.
pub(crate) struct Log {
    wal: Wal,
    /// Of a log without a thread: whoever waits for it has it go on.
    flusher: Option<Mutex<Flusher>>,
    is_kept: AtomicBool,
    policy: Mutex<Policy>,
    /// Bytes of the largest payload of one frame.
    payload_max_bytes: usize,
    /// Held while a chain is appended.
    chain: Mutex<()>,
    clock: Clock,
    marks: Mutex<VecDeque<Mark>>,
}

/// A stretch of time in which the log was not durable to its end.
struct Mark {
    /// When it began, ms of the monotonic clock.
    since_ms: u64,
    /// Where the log ended in it.
    end: Lsn,
}

/// Under `everysec` a write's reply is held once its log is older than this and
/// not durable: a little under the promised second.
const OVERDUE_AGE_MS: u64 = 950;
/// How long a stretch of time is that has one mark.
const MARK_MS: u64 = 50;

impl Log {
    pub(crate) fn new(
        wal: Wal,
        flusher: Option<Flusher>,
        is_kept: bool,
        policy: Policy,
        ring_bytes: usize,
        clock: Clock,
    ) -> Self {
        Self {
            wal,
            flusher: flusher.map(Mutex::new),
            is_kept: AtomicBool::new(is_kept),
            policy: Mutex::new(policy),
            payload_max_bytes: (ring_bytes / 8).min(thermocline_wal::FRAME_MAX_BYTES / 2),
            chain: Mutex::new(()),
            clock,
            marks: Mutex::default(),
        }
    }

    pub(crate) const fn wal(&self) -> &Wal {
        &self.wal
    }

    /// Whether nothing happens by itself: [`Log::step`] is what does.
    pub(crate) const fn is_stepped(&self) -> bool {
        self.flusher.is_some()
    }

    /// One step of a flusher without a thread; nothing if it is in one already.
    ///
    /// # Errors
    /// What the disk refused; see [`Flusher::step`].
    pub(crate) fn step(&self) -> Result<Progress, WalError> {
        match self.flusher.as_ref().and_then(Mutex::try_lock) {
            Some(mut flusher) => flusher.step(),
            None => Ok(Progress::default()),
        }
    }

    /// Takes the flusher out of a log that nobody uses any more.
    pub(crate) fn into_flusher(self) -> Option<Flusher> {
        self.flusher.map(Mutex::into_inner)
    }

    /// Lets the flusher do something, for at most `limit`.
    pub(crate) fn wait(&self, limit: Duration) {
        if self.is_stepped() {
            // What the disk refused is the log's status.
            let _ = self.step();
        } else {
            std::thread::park_timeout(limit);
        }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        *self.policy.lock() = policy;
        self.wal.set_policy(policy);
    }

    /// Whether a write may begin without a risk of waiting for the flusher
    /// while it holds a shard.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_kept() || self.wal.free_bytes() >= self.wal.ring_bytes() / 2
    }

    /// Why writes are refused, if they are.
    pub(crate) fn failure(&self) -> Option<String> {
        if self.wal.is_ready() {
            return None;
        }
        match self.wal.status() {
            Status::Ready => None,
            Status::Refusing { reason } => Some(reason),
        }
    }

    /// Everything that starts below is applied wherever its shard is not
    /// locked.
    pub(crate) fn position(&self) -> Lsn {
        let _whole = self.chain.lock();
        self.wal.appended_lsn()
    }

    /// Where the next frame will start, chain or not: for a capture under its
    /// shard's lock.
    pub(crate) fn appended_lsn(&self) -> Lsn {
        self.wal.appended_lsn()
    }

    /// Appends `effects` as one frame or chain; where it ends. Without a log
    /// the position stays.
    pub(crate) fn append(&self, effects: &[u8]) -> Lsn {
        if !self.is_kept() {
            return self.wal.appended_lsn();
        }
        if is_planted(Bug::TornTransaction) {
            return self.append_torn(effects);
        }
        self.append_together(effects)
    }

    fn append_together(&self, effects: &[u8]) -> Lsn {
        if effects.len() < self.payload_max_bytes {
            return self.append_frame(&[&[payload::WHOLE], effects]).end;
        }
        let _whole = self.chain.lock();
        let mut parts = effects.chunks(self.payload_max_bytes).peekable();
        let mut chain = payload::NEW_CHAIN;
        let mut end = Lsn(0);
        while let Some(part) = parts.next() {
            let kind = if parts.peek().is_some() {
                payload::PART
            } else {
                payload::LAST
            };
            let head = payload::chain_head(kind, chain);
            let appended = self.append_frame(&[&head, part]);
            if chain == payload::NEW_CHAIN {
                chain = appended.start;
            }
            end = appended.end;
        }
        end
    }

    fn append_torn(&self, effects: &[u8]) -> Lsn {
        let mut end = self.wal.appended_lsn();
        for effect in effect::effects(effects).flatten() {
            let mut one = Vec::new();
            effect.encode_into(&mut one);
            end = self.append_together(&one);
        }
        end
    }

    fn append_frame(&self, parts: &[&[u8]]) -> Appended {
        let bytes = parts.iter().map(|part| part.len()).sum();
        loop {
            if let Some(credit) = self.wal.try_credit(bytes) {
                return self.wal.append(credit, parts);
            }
            self.wait(ROOM_WAIT);
        }
    }

    /// Whether what was seen at `lsn` may be told to a client.
    pub(crate) fn may_acknowledge(&self, lsn: Lsn) -> bool {
        if !self.is_kept() || self.wal.durable_lsn() >= lsn {
            return true;
        }
        match self.wal.policy() {
            Policy::Always => is_planted(Bug::EarlyAcknowledgement),
            Policy::EverySecond => !self.is_overdue(),
            Policy::Never => true,
        }
    }

    /// Whether the oldest write not durable may be a second old. Whoever asks
    /// looks: a disk that stalls stalls every thread that writes to it.
    ///
    /// Of each stretch of time it is kept where the log ended in it. What became durable
    /// late says nothing of what was appended after it, so that one such position is not
    /// enough: replies of almost two seconds could be lost between the syncs of a slow disk.
    pub(crate) fn is_overdue(&self) -> bool {
        let now_ms = self.clock.monotonic_ns() / 1_000_000;
        let durable = self.wal.durable_lsn();
        let end = self.wal.appended_lsn();
        let mut marks = self.marks.lock();
        while marks.pop_front_if(|mark| mark.end <= durable).is_some() {}
        let is_overdue = (marks.front())
            .is_some_and(|first| now_ms.saturating_sub(first.since_ms) > OVERDUE_AGE_MS);
        match marks.back_mut() {
            // No reply leaves meanwhile, so the last mark speaks for what comes, too.
            Some(last) if is_overdue || now_ms < last.since_ms + MARK_MS => {
                last.end = last.end.max(end);
            }
            _ if end > durable => marks.push_back(Mark {
                since_ms: now_ms,
                end,
            }),
            _ => {}
        }
        is_overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermocline_base::SimulatedTime;
    use thermocline_disk::{Disk, SimulatedDisk};
    use thermocline_wal::{Recovered, WalOptions};

    #[test]
    fn a_reply_is_held_once_its_write_is_old_and_not_durable() {
        let time = SimulatedTime::default();
        let clock = Clock::Simulated(time.clone());
        let options = WalOptions {
            directory: "wal".to_owned(),
            segment_bytes: 64 << 10,
            ring_bytes: 64 << 10,
            policy: Policy::EverySecond,
            clock: clock.clone(),
        };
        let disk = Disk::simulated(SimulatedDisk::new(1));
        let recovered = Recovered {
            sealed: true,
            ..Recovered::default()
        };
        let (wal, mut flusher) = Wal::open(&disk, options, &recovered, 1).expect("it opens");
        let log = Log::new(wal, None, true, Policy::EverySecond, 64 << 10, clock);
        time.advance(10_000);
        let end = log.append(b"effects");
        assert!(log.may_acknowledge(end));
        time.advance(900);
        assert!(log.may_acknowledge(end));
        time.advance(100);
        assert!(!log.may_acknowledge(end));
        flusher.step().expect("the disk is well");
        let end = log.append(b"more");
        assert!(log.may_acknowledge(end));
        // What a sync leaves out is as old as it is: a batch takes two of these.
        time.advance(1000);
        flusher.step().expect("the disk is well");
        time.advance(1000);
        let effects = [0; 7 << 10];
        let covered = [log.append(&effects), log.append(&effects)][1];
        assert!(log.may_acknowledge(covered));
        time.advance(10);
        let left_out = log.append(&effects);
        assert!(log.may_acknowledge(left_out));
        flusher.step().expect("the disk is well");
        assert_eq!(log.wal().durable_lsn(), covered);
        time.advance(900);
        let later = log.append(b"later");
        assert!(log.may_acknowledge(later));
        time.advance(100);
        assert!(!log.may_acknowledge(later));
    }
}
