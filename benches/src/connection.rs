//! One connection of a load: requests out, replies in, each reply checked.
//!
//! Owns the socket, its buffers and what is on the way. Does not decide when
//! the load ends, nor waits. The thread of the load that made it.

use crate::address::Stream;
use crate::client::{write_length, write_request};
use crate::keys::{KEY_BYTES, Picker, write_key};
use crate::load::{Outcome, Protocol, Refill, Workload};
use crate::memcached;
use crate::reply::{self, Reply};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};
use thermocline_base::Random;

/// Room for replies at the beginning; grows to the longest reply.
const RECEIVE_BYTES: usize = 64 << 10;

/// A request on the way.
struct Pending {
    id: u64,
    is_set: bool,
    /// When it was sent or, in an open loop, due.
    since: Instant,
}

pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pending: VecDeque<Pending>,
    /// Keys that were missing and are to be written before others are read.
    missing: VecDeque<u64>,
    out: Vec<u8>,
    /// Bytes of `out` that are sent.
    sent: usize,
    received: Vec<u8>,
    /// The unread part of `received`.
    begin: usize,
    end: usize,
    value: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            pending: VecDeque::new(),
            missing: VecDeque::new(),
            out: Vec::new(),
            sent: 0,
            received: vec![0; RECEIVE_BYTES],
            begin: 0,
            end: 0,
            value: Vec::new(),
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Puts requests on the way as the load allows, and sends what the socket
    /// takes. `stopping` means no new ones.
    pub(crate) fn fill(
        &mut self,
        workload: &Workload<'_>,
        picker: &Picker,
        random: &mut Random,
        stopping: bool,
    ) -> io::Result<()> {
        let may_fill = match workload.refill {
            Refill::Each => true,
            Refill::Whole => self.pending.is_empty(),
        };
        if may_fill && !stopping {
            let now = Instant::now();
            while self.has_room(workload) {
                if !self.push(workload, picker, random, now) {
                    break;
                }
            }
        }
        self.flush()
    }

    /// Whether the pipeline has room.
    pub(crate) fn has_room(&self, workload: &Workload<'_>) -> bool {
        self.pending.len() < workload.pipeline
    }

    /// Puts one request behind the others, not sent yet; false where the order
    /// has ended. Its latency counts from `since`.
    pub(crate) fn push(
        &mut self,
        workload: &Workload<'_>,
        picker: &Picker,
        random: &mut Random,
        since: Instant,
    ) -> bool {
        let (id, is_set) = match self.missing.pop_front() {
            Some(id) => (id, true),
            None => match picker.next(random) {
                Some(id) => (id, workload.mix.is_set(random)),
                None => return false,
            },
        };
        self.write_request(workload, id, is_set);
        self.pending.push_back(Pending { id, is_set, since });
        true
    }

    fn write_request(&mut self, workload: &Workload<'_>, id: u64, is_set: bool) {
        let expiry_seconds = workload.expiry_seconds.map(|seconds| seconds(id));
        if is_set {
            self.value.clear();
            let version = (workload.version)(id);
            workload.values.write(id, version, &mut self.value);
        }
        if workload.protocol == Protocol::Memcached {
            let mut key = Vec::with_capacity(KEY_BYTES);
            write_key(id, &mut key);
            if is_set {
                memcached::write_set(&key, &self.value, expiry_seconds, &mut self.out);
            } else {
                memcached::write_get(&key, &mut self.out);
            }
        } else if let (true, Some(seconds)) = (is_set, expiry_seconds) {
            let mut key = Vec::with_capacity(KEY_BYTES);
            write_key(id, &mut key);
            let seconds = seconds.to_string();
            let words: [&[u8]; 5] = [b"SET", &key, &self.value, b"EX", seconds.as_bytes()];
            write_request(&words, &mut self.out);
        } else if is_set {
            self.out.extend_from_slice(b"*3\r\n$3\r\nSET\r\n");
            self.write_key(id);
            write_length(b'$', self.value.len(), &mut self.out);
            self.out.extend_from_slice(&self.value);
            self.out.extend_from_slice(b"\r\n");
        } else {
            self.out.extend_from_slice(b"*2\r\n$3\r\nGET\r\n");
            self.write_key(id);
        }
    }

    fn write_key(&mut self, id: u64) {
        write_length(b'$', KEY_BYTES, &mut self.out);
        write_key(id, &mut self.out);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Sends what the socket takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            let rest = self.out.get(self.sent..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Reads all that has arrived and checks it.
    pub(crate) fn receive(
        &mut self,
        workload: &Workload<'_>,
        outcome: &mut Outcome,
    ) -> io::Result<()> {
        loop {
            let room = self.received.get_mut(self.end..).unwrap_or_default();
            let asked = room.len();
            let count = match self.stream.read(room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.end += count;
            self.check_replies(workload, outcome)?;
            // A short read has emptied the socket: see epoll(7).
            if count < asked {
                return Ok(());
            }
        }
    }

    fn check_replies(&mut self, workload: &Workload<'_>, outcome: &mut Outcome) -> io::Result<()> {
        let now = Instant::now();
        let received = std::mem::take(&mut self.received);
        let result = loop {
            let bytes = received.get(self.begin..self.end).unwrap_or_default();
            let read = match workload.protocol {
                Protocol::Resp => reply::read(bytes),
                Protocol::Memcached => memcached::read(bytes),
            };
            match read {
                Ok(None) => break Ok(()),
                Ok(Some((reply, taken))) => {
                    self.begin += taken;
                    let Some(pending) = self.pending.pop_front() else {
                        break Err(io::Error::other("a reply that nothing asked for"));
                    };
                    outcome.requests += 1;
                    let latency = now.saturating_duration_since(pending.since);
                    self.check(workload, &pending, &reply, latency, outcome);
                }
                Err(error) => break Err(io::Error::other(error)),
            }
        };
        self.received = received;
        self.make_room();
        result
    }

    /// Moves what is incomplete to the front and doubles a full buffer.
    fn make_room(&mut self) {
        self.received.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        if self.end == self.received.len() {
            self.received.resize(self.end * 2, 0);
        }
    }

    fn check(
        &mut self,
        workload: &Workload<'_>,
        pending: &Pending,
        reply: &Reply<'_>,
        latency: Duration,
        outcome: &mut Outcome,
    ) {
        let id = pending.id;
        match (pending.is_set, reply) {
            (true, Reply::Simple(_)) => {
                outcome.sets += 1;
                outcome.set_latency.record(latency);
                if let Some(acknowledged) = workload.acknowledged {
                    acknowledged.insert(id);
                }
            }
            (false, Reply::Bulk(Some(found))) => {
                outcome.get_latency.record(latency);
                self.value.clear();
                let version = (workload.version)(id);
                workload.values.write(id, version, &mut self.value);
                if *found != self.value {
                    outcome.wrong += 1;
                }
            }
            (false, Reply::Bulk(None)) => {
                outcome.get_latency.record(latency);
                outcome.missing += 1;
                if workload.set_missing {
                    self.missing.push_back(id);
                }
            }
            (_, other) => {
                outcome.errors += 1;
                let text = match other {
                    Reply::Error(text) => String::from_utf8_lossy(text).into_owned(),
                    _ => "a reply of another type".to_owned(),
                };
                outcome.first_error.get_or_insert(text);
            }
        }
    }
}
