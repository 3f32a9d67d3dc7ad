//! Requests that wait for their keys: their turn in the client's own task, and their end.
//!
//! Owns how they are admitted and booked. The connection's task.

use std::sync::Arc;

use thermocline_base::Lsn;
use thermocline_commands::{Parked, ReplyBuffer};
use thermocline_store::Fault;

use super::Runner;
use super::hooks::remember_later;

/// What became of a turn.
pub(crate) enum Resumed {
    /// It ran: the wait tells how it goes on.
    Ran,
    /// It has to run again once memory was freed.
    Memory,
    /// It has to run again once this is resolved.
    Fault(Fault),
}

impl Runner {
    /// Runs the command of a client that was handed it.
    pub(crate) fn resume(&mut self, parked: &Arc<Parked>) -> Resumed {
        if let Some(text) = self.verdict.take() {
            return self.answer_parked(parked, |reply| reply.error(&text));
        }
        if parked.command().is_write() {
            match self.admit(true) {
                Ok(true) => {}
                Ok(false) => return Resumed::Memory,
                Err(error) => return self.answer_parked(parked, |reply| reply.refuse(&error)),
            }
        }
        let ran = self.executor.resume(parked, &self.faults, &mut self.random);
        self.starved_since_ns = None;
        match ran {
            Ok(()) => Resumed::Ran,
            Err(fault) => Resumed::Fault(fault),
        }
    }

    fn answer_parked(
        &mut self,
        parked: &Arc<Parked>,
        write: impl FnOnce(&mut ReplyBuffer),
    ) -> Resumed {
        let mut reply = ReplyBuffer::new(self.reply.version());
        write(&mut reply);
        self.executor.answer(parked, reply, &mut self.random);
        Resumed::Ran
    }

    /// Forgets a wait that has ended.
    pub(crate) fn release(&mut self, parked: &Arc<Parked>) {
        self.executor.release(parked, &mut self.random);
    }

    /// Writes and books the reply that a wait ended with; the wait is not part of the
    /// command's time.
    pub(crate) fn finish_parked(&mut self, parked: &Parked, reply: &ReplyBuffer, lsn: Lsn) {
        let place = self.place();
        self.reply.append(reply);
        self.lsn = self.lsn.max(lsn);
        self.started_ns = Some(self.now_ns);
        let words: Vec<&[u8]> = parked.arguments().collect();
        // What it read when it began to wait is forgotten with the change it waited for.
        if remember_later(&self.session, parked.command(), &words) {
            self.server.hub.end_transaction(Some(lsn));
        }
        self.finish_wait(parked.command(), &words, place);
    }
}
