//! One client that writes until the server is killed under it, and checks
//! what it reads on the way.
//!
//! Owns the choice of operations, their encoding, and what each reply means to
//! the ledger. A thread of its own for each round.

use super::layout::{self, FIELD_BYTES, HASHES, STRING_BYTES, STRINGS};
use super::ledger::Ledger;
use super::queues::{self, QUEUES};
use super::value;
use std::sync::atomic::{AtomicBool, Ordering};
use thermocline_base::{Clock, Random};
use thermocline_benches::client::{Client, ClientError, write_request};
use thermocline_benches::reply::Reply;

/// Operations sent before their replies are awaited, at most.
const BATCH: u64 = 16;
/// Problems kept; the first ones tell most.
const PROBLEMS: usize = 20;

/// When a brief string expires after it is set, ms: at least, and how much more at most.
const BRIEF_MS: (i64, u64) = (20, 900);

/// What a reply, or the last of several, is about.
#[derive(Clone)]
enum Expected {
    /// A change: how many replies it has, and the registers it changes.
    Change {
        operation: u64,
        replies: usize,
        registers: Vec<usize>,
    },
    /// A change of which one reply tells whether it was done.
    Certain {
        operation: u64,
        registers: Vec<usize>,
        kind: Certain,
    },
    /// A string as of `operation`.
    String { string: usize, operation: u64 },
    /// A field as of `operation`.
    Field {
        hash: usize,
        field: usize,
        operation: u64,
    },
}

/// What must be true for a change to be done.
#[derive(Clone, Copy)]
enum Certain {
    /// The string is there that is to expire, or no longer.
    Time(usize),
    /// Always: it is a change of a queue.
    Queue,
}

/// A writer and all it knows; lives through all rounds.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) number: usize,
    pub(super) ledger: Ledger,
    /// What must not be, in words.
    pub(super) problems: Vec<String>,
    random: Random,
    out: Vec<u8>,
    expected: Vec<Expected>,
}

impl Writer {
    pub(super) fn new(number: usize, seed: u64) -> Self {
        Self {
            number,
            ledger: Ledger::new(layout::registers(), QUEUES),
            problems: Vec::new(),
            random: Random::new(Random::new(seed ^ ((number as u64) << 48)).next_u64()),
            out: Vec::new(),
            expected: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, text: String) {
        if self.problems.len() < PROBLEMS {
            self.problems.push(text);
        }
    }

    /// Writes every key once.
    pub(super) fn fill(&mut self, port: u16) -> Result<(), ClientError> {
        let mut client = Client::connect(port)?;
        for string in 0..STRINGS {
            self.set(string);
            if string % BATCH as usize == 0 {
                self.exchange(&mut client)?;
            }
        }
        for hash in 0..HASHES {
            self.set_fields(hash, &(0..layout::fields(hash)).collect::<Vec<_>>());
            self.exchange(&mut client)?;
        }
        Ok(())
    }

    /// Writes until the connection ends, which must not be before `killed`.
    pub(super) fn run(&mut self, port: u16, killed: &AtomicBool) {
        let error = self.run_until_failure(port);
        self.out.clear();
        self.expected.clear();
        // ORDERING: set before the signal is sent, which the socket's end follows.
        let was_killed = killed.load(Ordering::SeqCst);
        if !was_killed || !matches!(error, ClientError::Connection(_)) {
            let number = self.number;
            self.problem(format!("writer {number} before the kill: {error}"));
        }
    }

    fn run_until_failure(&mut self, port: u16) -> ClientError {
        let mut client = match Client::connect(port) {
            Ok(client) => client,
            Err(error) => return error,
        };
        loop {
            let batch = if self.random.chance(2) {
                1
            } else {
                1 + self.random.below(BATCH)
            };
            for _ in 0..batch {
                self.choose();
            }
            if let Err(error) = self.exchange(&mut client) {
                return error;
            }
        }
    }

    /// Adds one operation to the batch.
    fn choose(&mut self) {
        let string = self.random.below(STRINGS as u64) as usize;
        let hash = self.random.below(HASHES as u64) as usize;
        match self.random.below(25) {
            16..=19 => self.change_queue(),
            20..=21 => self.set_time(string),
            22 => self.persist(string),
            23 => self.set_brief(),
            24 => self.change_string_and_queue(string),
            0..=5 => self.set(string),
            6 => self.delete(string),
            7..=8 => {
                let count = 1 + self.random.below(4);
                let of = layout::fields(hash) as u64;
                let mut fields: Vec<usize> =
                    (0..count).map(|_| self.random.below(of) as usize).collect();
                fields.sort_unstable();
                fields.dedup();
                self.set_fields(hash, &fields);
            }
            9 if self.random.chance(8) => self.delete_hash(hash),
            9..=11 => {
                // Not its own neighbour: the second is any of the others.
                let step = 1 + self.random.below(STRINGS as u64 - 1) as usize;
                self.change_two(string, (string + step) % STRINGS);
            }
            12..=14 => {
                write_request(
                    &[b"GET", &layout::string_key(self.number, string)],
                    &mut self.out,
                );
                let operation = self.ledger.sent;
                self.expected.push(Expected::String { string, operation });
            }
            _ => {
                let field = self.random.below(layout::fields(hash) as u64) as usize;
                let key = layout::hash_key(self.number, hash);
                write_request(&[b"HGET", &key, &layout::field_name(field)], &mut self.out);
                self.expected.push(Expected::Field {
                    hash,
                    field,
                    operation: self.ledger.sent,
                });
            }
        }
    }

    fn set(&mut self, string: usize) {
        let operation = self.ledger.next_operation();
        self.write_set(string, operation);
        self.expect_change(operation, 1, registers_of(string));
    }

    fn delete(&mut self, string: usize) {
        let operation = self.ledger.next_operation();
        self.write_delete(string, operation);
        self.expect_change(operation, 1, registers_of(string));
    }

    /// Gives a string a time to expire at, far away; the time tells the operation.
    fn set_time(&mut self, string: usize) {
        if self.ledger.registers[string]
            .after(self.ledger.sent)
            .is_none()
        {
            return;
        }
        let operation = self.ledger.next_operation();
        let key = layout::string_key(self.number, string);
        let at_ms = layout::far_ms(operation).to_string();
        write_request(&[b"PEXPIREAT", &key, at_ms.as_bytes()], &mut self.out);
        let register = layout::time_register(string);
        self.ledger.registers[register].note(operation, true);
        self.expected.push(Expected::Certain {
            operation,
            registers: vec![register],
            kind: Certain::Time(string),
        });
    }

    fn persist(&mut self, string: usize) {
        let operation = self.ledger.next_operation();
        let key = layout::string_key(self.number, string);
        write_request(&[b"PERSIST", &key], &mut self.out);
        let register = layout::time_register(string);
        self.ledger.registers[register].note(operation, false);
        self.expect_change(operation, 1, vec![register]);
    }

    /// Sets a string that expires while the writer runs, or soon after the kill.
    fn set_brief(&mut self) {
        let operation = self.ledger.next_operation();
        let brief = self.random.below(layout::BRIEFS as u64) as usize;
        let until_ms = Clock::system().now().0 + BRIEF_MS.0 + self.random.below(BRIEF_MS.1) as i64;
        let key = layout::brief_key(self.number, brief);
        let mut content = Vec::new();
        value::write(&key, operation, FIELD_BYTES, &mut content);
        let until = until_ms.to_string();
        let words: &[&[u8]] = &[b"SET", &key, &content, b"PXAT", until.as_bytes()];
        write_request(words, &mut self.out);
        let register = layout::brief_register(brief);
        self.ledger.registers[register].note_until(operation, until_ms);
        self.expect_change(operation, 1, vec![register]);
    }

    fn change_queue(&mut self) {
        let operation = self.ledger.next_operation();
        let register = self.write_queue(operation);
        self.expected.push(Expected::Certain {
            operation,
            registers: vec![register],
            kind: Certain::Queue,
        });
    }

    /// Writes a change of some queue; its register.
    fn write_queue(&mut self, operation: u64) -> usize {
        let number = self.random.below(QUEUES as u64) as usize;
        let queue = &mut self.ledger.queues[number];
        let change = queue.choose(number, self.random.chance(2));
        queue.note(operation, change);
        queues::write_change(self.number, number, operation, change, &mut self.out);
        let register = layout::queue_register(number);
        self.ledger.registers[register].note(operation, true);
        register
    }

    /// A transaction: a string and a queue.
    fn change_string_and_queue(&mut self, string: usize) {
        let operation = self.ledger.next_operation();
        write_request(&[b"MULTI"], &mut self.out);
        self.write_set(string, operation);
        let mut registers = registers_of(string);
        registers.push(self.write_queue(operation));
        write_request(&[b"EXEC"], &mut self.out);
        self.expect_change(operation, 4, registers);
    }

    /// A transaction: both set, or one set and one removed.
    fn change_two(&mut self, first: usize, second: usize) {
        let operation = self.ledger.next_operation();
        write_request(&[b"MULTI"], &mut self.out);
        self.write_set(first, operation);
        if self.random.chance(4) {
            self.write_delete(second, operation);
        } else {
            self.write_set(second, operation);
        }
        write_request(&[b"EXEC"], &mut self.out);
        let registers = [registers_of(first), registers_of(second)].concat();
        self.expect_change(operation, 4, registers);
    }

    fn write_set(&mut self, string: usize, operation: u64) {
        let key = layout::string_key(self.number, string);
        let mut content = Vec::new();
        value::write(&key, operation, STRING_BYTES, &mut content);
        write_request(&[b"SET", &key, &content], &mut self.out);
        self.ledger.registers[string].note(operation, true);
        self.ledger.registers[layout::time_register(string)].note(operation, false);
    }

    fn write_delete(&mut self, string: usize, operation: u64) {
        write_request(
            &[b"DEL", &layout::string_key(self.number, string)],
            &mut self.out,
        );
        self.ledger.registers[string].note(operation, false);
        self.ledger.registers[layout::time_register(string)].note(operation, false);
    }

    fn set_fields(&mut self, hash: usize, fields: &[usize]) {
        let operation = self.ledger.next_operation();
        let mut words = vec![b"HSET".to_vec(), layout::hash_key(self.number, hash)];
        let mut registers = Vec::new();
        for &field in fields {
            let name = layout::field_value_name(self.number, hash, field);
            let mut content = Vec::new();
            value::write(&name, operation, FIELD_BYTES, &mut content);
            words.push(layout::field_name(field));
            words.push(content);
            let register = layout::field_register(hash, field);
            self.ledger.registers[register].note(operation, true);
            registers.push(register);
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        write_request(&words, &mut self.out);
        self.expect_change(operation, 1, registers);
    }

    fn delete_hash(&mut self, hash: usize) {
        let operation = self.ledger.next_operation();
        write_request(
            &[b"DEL", &layout::hash_key(self.number, hash)],
            &mut self.out,
        );
        let registers: Vec<usize> = (0..layout::fields(hash))
            .map(|field| layout::field_register(hash, field))
            .collect();
        for &register in &registers {
            self.ledger.registers[register].note(operation, false);
        }
        self.expect_change(operation, 1, registers);
    }

    fn expect_change(&mut self, operation: u64, replies: usize, registers: Vec<usize>) {
        self.expected.push(Expected::Change {
            operation,
            replies,
            registers,
        });
    }

    /// Sends the batch and takes in its replies.
    fn exchange(&mut self, client: &mut Client) -> Result<(), ClientError> {
        client.send(&self.out)?;
        self.out.clear();
        for expected in std::mem::take(&mut self.expected) {
            match expected {
                Expected::Change {
                    operation,
                    replies,
                    registers,
                } => {
                    for _ in 1..replies {
                        client.receive()?;
                    }
                    let problem = self.judge_change(operation, &registers, &client.receive()?);
                    self.ledger.mark(operation);
                    problem.into_iter().for_each(|text| self.problem(text));
                }
                Expected::Certain {
                    operation,
                    registers,
                    kind,
                } => {
                    let reply = client.receive()?;
                    let problem = self.judge_certain(operation, &registers, kind, &reply);
                    self.ledger.mark(operation);
                    problem.into_iter().for_each(|text| self.problem(text));
                }
                Expected::String { string, operation } => {
                    let name = layout::string_key(self.number, string);
                    let found = client.receive()?;
                    self.judge_read(string, operation, &name, STRING_BYTES, &found);
                }
                Expected::Field {
                    hash,
                    field,
                    operation,
                } => {
                    let name = layout::field_value_name(self.number, hash, field);
                    let register = layout::field_register(hash, field);
                    let found = client.receive()?;
                    self.judge_read(register, operation, &name, FIELD_BYTES, &found);
                }
            }
        }
        Ok(())
    }

    /// As [`Writer::judge_change`], of a change that is done unless it is refused.
    fn judge_certain(
        &mut self,
        operation: u64,
        registers: &[usize],
        kind: Certain,
        reply: &Reply<'_>,
    ) -> Option<String> {
        if !matches!(reply, Reply::Integer(0) | Reply::Bulk(None)) {
            return self.judge_change(operation, registers, reply);
        }
        self.forget(operation, registers);
        match kind {
            // The string was refused before.
            Certain::Time(string) if self.ledger.registers[string].after(operation).is_none() => {
                None
            }
            _ => {
                let what = layout::describe(self.number, registers[0]);
                Some(format!(
                    "{what}: operation {operation} changed nothing: {reply:?}"
                ))
            }
        }
    }

    fn forget(&mut self, operation: u64, registers: &[usize]) {
        for &register in registers {
            self.ledger.registers[register].forget(operation);
        }
        for queue in &mut self.ledger.queues {
            queue.forget(operation);
        }
        self.ledger.refused_writes += 1;
    }

    fn judge_change(
        &mut self,
        operation: u64,
        registers: &[usize],
        reply: &Reply<'_>,
    ) -> Option<String> {
        let is_done = match reply {
            Reply::Simple(_) | Reply::Integer(_) | Reply::Bulk(Some(_)) => true,
            Reply::Array(Some(results)) => !results
                .iter()
                .any(|result| matches!(result, Reply::Error(_))),
            _ => false,
        };
        if is_done {
            self.ledger.acknowledged_writes += 1;
            return None;
        }
        self.forget(operation, registers);
        match reply {
            // Without room a write may be refused, but whole.
            Reply::Error(text) if text.starts_with(b"OOM") || text.starts_with(b"EXECABORT") => {
                None
            }
            other => Some(format!(
                "writer {} operation {operation}: {other:?}",
                self.number
            )),
        }
    }

    fn judge_read(
        &mut self,
        register: usize,
        operation: u64,
        name: &[u8],
        greatest: usize,
        reply: &Reply<'_>,
    ) {
        let expected = self.ledger.registers[register].after(operation);
        let found = match reply {
            Reply::Bulk(None) => Some(None),
            Reply::Bulk(Some(content)) => value::version(name, greatest, content).map(Some),
            _ => None,
        };
        if found != Some(expected) {
            let what = layout::describe(self.number, register);
            let mut shown = format!("{reply:?}");
            shown.truncate(100);
            self.problem(format!(
                "{what} read while running: version {found:?} instead of {expected:?}: {shown}"
            ));
        }
    }
}

/// The registers that a write of a string changes.
fn registers_of(string: usize) -> Vec<usize> {
    vec![string, layout::time_register(string)]
}
