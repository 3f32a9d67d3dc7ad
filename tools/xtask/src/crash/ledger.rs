//! What one writer has sent and been told, and what may be found after a kill.
//!
//! A writer's operations are numbered as it sends them on one connection, and
//! only it writes its keys. The log is one order, so what is found must be the
//! state after one of the writer's operations: not one before the last that
//! must have survived, nor one that was never sent. That one rule holds keys,
//! transactions and commands of several fields to being whole, and forbids a
//! later write to survive an earlier one.
//!
//! Owns that rule and the histories it needs; knows neither sockets nor
//! commands. Pure.

use super::queues::Queue;
use std::time::Instant;

/// One key, or one field of a hash, through time.
#[derive(Clone, Debug)]
pub(super) struct Register {
    /// Ascending by operation; the first is where the history begins.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    operation: u64,
    is_present: bool,
    /// When it goes by itself, Unix ms.
    until_ms: Option<i64>,
}

impl Entry {
    fn version(self) -> Option<u64> {
        self.is_present.then_some(self.operation)
    }
}

impl Register {
    /// Absent from the beginning.
    pub(super) fn new() -> Self {
        Self {
            entries: vec![Entry {
                operation: 0,
                is_present: false,
                until_ms: None,
            }],
        }
    }

    /// Notes that `operation` writes or removes it.
    pub(super) fn note(&mut self, operation: u64, is_present: bool) {
        self.entries.push(Entry {
            operation,
            is_present,
            until_ms: None,
        });
    }

    /// Notes that `operation` writes it, and that it expires then.
    pub(super) fn note_until(&mut self, operation: u64, until_ms: i64) {
        self.entries.push(Entry {
            operation,
            is_present: true,
            until_ms: Some(until_ms),
        });
    }

    /// What was to expire before `now_ms` has, and is gone for good.
    pub(super) fn expire(&mut self, now_ms: i64) {
        for entry in &mut self.entries {
            entry.is_present &= entry.until_ms.is_none_or(|until_ms| until_ms >= now_ms);
        }
    }

    /// Forgets an operation that was refused.
    pub(super) fn forget(&mut self, operation: u64) {
        self.entries.retain(|entry| entry.operation != operation);
    }

    /// The version after `operation`; versions are numbers of operations.
    pub(super) fn after(&self, operation: u64) -> Option<u64> {
        let entries = self.entries.iter().rev();
        entries
            .skip_while(|entry| entry.operation > operation)
            .map(|entry| entry.version())
            .next()
            .flatten()
    }

    /// The spans of operations, first and last, after which `found` is right.
    fn spans(&self, found: Option<u64>) -> impl Iterator<Item = (u64, u64)> + '_ {
        let ends = self.entries.iter().skip(1).map(|next| next.operation - 1);
        let ends = ends.chain([u64::MAX]);
        self.entries
            .iter()
            .zip(ends)
            .filter(move |(entry, _)| entry.version() == found)
            .map(|(entry, end)| (entry.operation, end))
    }

    /// Begins the history anew with the state after `operation`.
    fn rebase(&mut self, operation: u64) {
        let kept = self.entries.iter().rev();
        let kept = kept.copied().find(|entry| entry.operation <= operation);
        self.entries = kept.into_iter().collect();
    }
}

/// One writer's account.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    pub(super) registers: Vec<Register>,
    /// What is in those registers that are of queues.
    pub(super) queues: Vec<Queue>,
    /// The last operation sent.
    pub(super) sent: u64,
    /// What certainly survives whatever happens.
    floor: u64,
    /// When which operation was known to be acknowledged.
    marks: Vec<(Instant, u64)>,
    /// Acknowledged changes in all.
    pub(super) acknowledged_writes: u64,
    /// Changes refused with an error in all.
    pub(super) refused_writes: u64,
}

impl Ledger {
    pub(super) fn new(registers: usize, queues: usize) -> Self {
        Self {
            registers: vec![Register::new(); registers],
            queues: vec![Queue::default(); queues],
            sent: 0,
            floor: 0,
            marks: Vec::new(),
            acknowledged_writes: 0,
            refused_writes: 0,
        }
    }

    /// The number of the next operation.
    pub(super) fn next_operation(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// Notes that all operations up to `operation` are answered.
    pub(super) fn mark(&mut self, operation: u64) {
        self.marks.push((Instant::now(), operation));
    }

    /// The last operation acknowledged by `moment`.
    pub(super) fn acknowledged_by(&self, moment: Instant) -> u64 {
        let marks = self.marks.iter().rev();
        marks
            .skip_while(|(at, _)| *at > moment)
            .map(|(_, operation)| *operation)
            .next()
            .map_or(self.floor, |operation| operation.max(self.floor))
    }

    /// What survives whatever the policy: it was found after the last kill.
    pub(super) const fn floor(&self) -> u64 {
        self.floor
    }

    /// Holds what was found in each register against the history: it must be
    /// the state after an operation from `least` on. The history then begins
    /// there.
    pub(super) fn settle(&mut self, least: u64, found: &[Option<u64>]) -> Result<(), Vec<Breach>> {
        let range = usize::try_from(self.sent - least).unwrap_or(usize::MAX) + 1;
        // At each operation: how many registers begin, or stop, to be right.
        let mut begins = vec![0_u32; range];
        let mut ends = vec![0_u32; range + 1];
        let mut breaches = Vec::new();
        for (index, (register, &found)) in self.registers.iter().zip(found).enumerate() {
            let mut is_possible = false;
            for (first, last) in register.spans(found) {
                if first <= self.sent && last >= least {
                    begins[(first.max(least) - least) as usize] += 1;
                    ends[(last.min(self.sent) - least) as usize + 1] += 1;
                    is_possible = true;
                }
            }
            if !is_possible {
                breaches.push(Breach::Register {
                    register: index,
                    found,
                    expected: register.after(least),
                    is_older: register.spans(found).next().is_some(),
                });
            }
        }
        if !breaches.is_empty() {
            return Err(breaches);
        }
        let wanted = self.registers.len() as u32;
        let mut right = 0;
        let mut state = None;
        for (offset, (begin, end)) in begins.iter().zip(&ends).enumerate() {
            right = right + begin - end;
            if right == wanted {
                state = Some(least + offset as u64);
            }
        }
        let Some(state) = state else {
            return Err(vec![Breach::Order {
                least,
                sent: self.sent,
            }]);
        };
        for register in &mut self.registers {
            register.rebase(state);
        }
        for queue in &mut self.queues {
            queue.rebase(state);
        }
        // Numbers are never used twice: a version in doubt must stay unknown.
        self.floor = self.sent;
        self.marks.clear();
        Ok(())
    }
}

/// What must not be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Breach {
    /// A register holds what it cannot hold after any allowed operation.
    Register {
        register: usize,
        found: Option<u64>,
        /// At the oldest allowed state.
        expected: Option<u64>,
        /// It held this once, before what had to survive.
        is_older: bool,
    },
    /// Each register alone is possible, but not all together: a transaction
    /// is torn, or a later write outlived an earlier one.
    Order { least: u64, sent: u64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two registers: 1 sets a, 2 sets b, 3 sets both, 4 removes a.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(2, 0);
        for (operation, register, is_present) in [
            (1, 0, true),
            (2, 1, true),
            (3, 0, true),
            (3, 1, true),
            (4, 0, false),
        ] {
            ledger.registers[register].note(operation, is_present);
            ledger.sent = operation;
        }
        ledger
    }

    #[test]
    fn any_state_from_the_oldest_allowed_on_is_right() {
        for (least, found) in [
            (0, [None, None]),
            (0, [Some(1), None]),
            (2, [Some(1), Some(2)]),
            (2, [Some(3), Some(3)]),
            (4, [None, Some(3)]),
        ] {
            assert_eq!(ledger().settle(least, &found), Ok(()), "{found:?}");
        }
    }

    #[test]
    fn an_older_state_is_a_loss() {
        let breaches = ledger().settle(3, &[Some(1), Some(3)]).expect_err("a loss");
        assert_eq!(
            breaches,
            [Breach::Register {
                register: 0,
                found: Some(1),
                expected: Some(3),
                is_older: true
            }]
        );
        // Absent again is right only once it was removed.
        assert!(ledger().settle(1, &[None, Some(2)]).is_err());
    }

    #[test]
    fn a_version_never_sent_is_noticed() {
        let breaches = ledger().settle(0, &[Some(9), None]).expect_err("a breach");
        assert!(matches!(
            breaches[..],
            [Breach::Register {
                is_older: false,
                ..
            }]
        ));
    }

    #[test]
    fn a_torn_transaction_and_a_broken_order_are_noticed() {
        let torn = [Some(3), Some(2)];
        let order = [None, Some(2)];
        for found in [torn, order] {
            let breaches = ledger().settle(1, &found).expect_err("a breach");
            assert_eq!(breaches, [Breach::Order { least: 1, sent: 4 }], "{found:?}");
        }
    }

    #[test]
    fn a_refused_operation_leaves_no_trace() {
        let mut ledger = ledger();
        ledger.registers[0].forget(4);
        assert_eq!(ledger.registers[0].after(4), Some(3));
        assert!(ledger.settle(4, &[None, Some(3)]).is_err());
    }

    #[test]
    fn what_has_expired_does_not_come_back() {
        let mut ledger = Ledger::new(1, 0);
        ledger.registers[0].note_until(1, 100);
        ledger.sent = 1;
        ledger.registers[0].expire(100);
        assert_eq!(ledger.settle(1, &[Some(1)]), Ok(()));
        ledger.registers[0].expire(101);
        assert!(ledger.settle(1, &[Some(1)]).is_err());
        assert_eq!(ledger.settle(1, &[None]), Ok(()));
    }

    #[test]
    fn the_history_begins_again_where_it_was_found() {
        let mut ledger = ledger();
        assert_eq!(ledger.settle(1, &[Some(1), None]), Ok(()));
        // What was in doubt and is gone must not come back.
        assert!(ledger.settle(4, &[Some(3), Some(3)]).is_err());
        assert_eq!(ledger.acknowledged_by(Instant::now()), 4);
        assert_eq!(ledger.settle(4, &[Some(1), None]), Ok(()));
    }
}
