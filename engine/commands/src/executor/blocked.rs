//! Clients that wait for keys: how they are parked, served in their order, and resumed.
//!
//! Owns the order: of those who wait for a key the first is run first, by the thread whose
//! command changed the key, before that thread runs anything else. A command is run as any
//! other, under an access of its own; if it still finds nothing, it keeps its place. If it
//! faults, or memory has to be freed first, its client's task takes over, and those behind
//! it wait until that has happened. Any thread; never called with a shard locked.

use super::route::{Keys, Names, Route};
use super::{Call, Done, Executor, Handled, Manner, Surroundings};
use crate::blocking::{Block, Nil, Parked};
use crate::reply::{ReplyBuffer, Version};
use std::sync::Arc;
use thermocline_base::{Lsn, Random};
use thermocline_store::{Access, Admission, Fault, FaultSet, KeyId, ReadyKey};

/// What became of a call that may wait.
#[derive(Debug)]
pub enum Ran {
    /// Its reply is written.
    Done(Done),
    /// Its client waits; nothing is written. [`Executor::release`] ends it.
    Parked(Arc<Parked>),
}

/// What became of a waiting command that was run.
enum Turn {
    Answered(ReplyBuffer, Lsn),
    /// It waits on; whether the key that was to be looked at is not there.
    Waits {
        is_absent: bool,
    },
}

impl ReplyBuffer {
    pub(super) fn nil(&mut self, nil: Nil) {
        match nil {
            Nil::Null => self.null(),
            Nil::NullArray => self.null_array(),
        }
    }
}

impl Executor {
    /// As [`Executor::run`], but a command that may wait for its keys does, if it finds
    /// nothing now. `is_told`: observers are told with [`thermocline_store::Change::Aside`] that it ran or
    /// waits.
    ///
    /// # Errors
    /// What is missing; nothing was changed or written.
    ///
    /// # Panics
    /// For a command that is not handled here.
    pub fn run_or_park(
        &self,
        call: Call<'_>,
        is_told: bool,
        reply: &mut ReplyBuffer,
        faults: &FaultSet,
        random: &mut Random,
    ) -> Result<Ran, Fault> {
        let manner = Manner {
            may_wait: true,
            is_told,
        };
        self.run_call(call, manner, reply, faults, random)
    }

    /// Parks the client of a call that found nothing, while its keys are held.
    pub(super) fn park(
        &self,
        call: &Call<'_>,
        block: &Block,
        keys: &[KeyId],
        access: &mut Access<'_, '_>,
        (names, version): (&Names<'_>, Version),
    ) -> Arc<Parked> {
        let mut arguments: Vec<Box<[u8]>> =
            call.arguments.iter().map(|word| (*word).into()).collect();
        for (position, argument) in &block.replaced {
            if let Some(place) = arguments.get_mut(*position) {
                *place = argument.as_slice().into();
            }
        }
        let waited = keys.get(block.keys.clone()).unwrap_or_default();
        let waited_names = waited.iter().map(|key| names[*key].key.into()).collect();
        let ticket = self.waiters.next_ticket();
        let command = (call.command, call.database);
        let parked = Parked::new(ticket, command, arguments, waited_names, block, version);
        let parked = Arc::new(parked);
        self.waiters.enter(&parked);
        for key in waited {
            access.wait(*key, ticket, block.wants_absence);
        }
        parked
    }

    /// Serves those who wait for keys that have changed. The executor does it itself after
    /// every call; it is for keys that changed without one: see
    /// [`thermocline_store::Store::ready_key`].
    pub fn serve_ready(&self, random: &mut Random) {
        if !self.store.has_ready_key() {
            return;
        }
        let _serving = self.waiters.serving.lock();
        while let Some(ready) = self.store.take_ready_key() {
            self.serve_key(&ready, random);
        }
    }

    fn serve_key(&self, ready: &ReadyKey, random: &mut Random) {
        let (mut after, mut is_absent) = (ready.after, false);
        while let Some(ticket) = self.store.next_ticket(ready.name(), after, is_absent) {
            after = ticket;
            let Some(parked) = self.waiters.find(ticket) else {
                continue;
            };
            match parked.claim() {
                Some(true) => {}
                // Its own task runs it, and has those behind it served then.
                Some(false) => return,
                None => continue,
            }
            let takes_memory = parked.command.is_write();
            if takes_memory && self.store.admit(true) != Admission::Go {
                return parked.hand_over();
            }
            match self.take_turn(&parked, Some(&ready.key), &FaultSet::new(), random) {
                Ok(Turn::Answered(reply, lsn)) => {
                    self.forget(&parked);
                    parked.answer(reply, lsn);
                }
                Ok(Turn::Waits { is_absent: absent }) => {
                    is_absent |= absent;
                    // Nobody else looked at it: it was claimed.
                    let _ = parked.wait_on();
                }
                Err(_) => return parked.hand_over(),
            }
        }
    }

    /// Runs the command of a client whose task was handed it. Afterwards
    /// [`Parked::woken`] tells the reply, or the client waits on.
    ///
    /// # Errors
    /// What is missing; nothing was changed, and it is to be called again.
    pub fn resume(
        &self,
        parked: &Arc<Parked>,
        faults: &FaultSet,
        random: &mut Random,
    ) -> Result<(), Fault> {
        loop {
            match self.take_turn(parked, None, faults, random)? {
                Turn::Answered(reply, lsn) => {
                    self.forget(parked);
                    parked.answer(reply, lsn);
                    break;
                }
                Turn::Waits { .. } => {
                    if parked.wait_on() {
                        break;
                    }
                }
            }
        }
        self.serve_behind(parked, random);
        Ok(())
    }

    /// Ends the wait of a client whose task was handed it with a reply that it has made.
    pub fn answer(&self, parked: &Arc<Parked>, reply: ReplyBuffer, random: &mut Random) {
        self.forget(parked);
        parked.answer(reply, Lsn::ZERO);
        self.serve_behind(parked, random);
    }

    /// Ends a wait, however it went: the client is forgotten at its keys. To be called once
    /// for each parked call, also if its connection is gone.
    pub fn release(&self, parked: &Arc<Parked>, random: &mut Random) {
        self.forget(parked);
        if parked.is_handed() {
            self.serve_behind(parked, random);
        }
    }

    fn forget(&self, parked: &Parked) {
        for name in parked.names() {
            self.store.unwait(name, parked.ticket);
        }
        self.waiters.leave(parked.ticket);
    }

    /// Serves those who had to wait for the turn of `parked`.
    fn serve_behind(&self, parked: &Parked, random: &mut Random) {
        for name in parked.names() {
            self.store.make_ready(name, parked.ticket);
        }
        self.serve_ready(random);
    }

    /// Runs a waiting command, if `ready` or else any of its keys has become what it waits
    /// for.
    fn take_turn(
        &self,
        parked: &Parked,
        ready: Option<&[u8]>,
        faults: &FaultSet,
        random: &mut Random,
    ) -> Result<Turn, Fault> {
        let words: Vec<&[u8]> = parked.arguments().collect();
        let call = Call {
            command: parked.command,
            database: parked.database,
            arguments: &words,
        };
        let route = Route::find(call.command);
        let route = route.expect("only what has a handler is parked");
        let mut names = Names::new();
        route.add_names(&call, |number| number, &mut names);
        let mut access = Access::new(&self.store, &names);
        access.acquire(faults, false)?;
        let keys: Keys = (0..names.len()).collect();
        let mut kinds = (names.iter().enumerate())
            .filter(|(_, name)| match ready {
                Some(key) => name.key == key,
                None => parked.keys.iter().any(|key| **key == *name.key),
            })
            .map(|(key, _)| access.peek(key).map(|entry| entry.value.kind()));
        let is_event = parked.wants_absence || kinds.any(|kind| kind == Some(parked.kind));
        if !is_event {
            let is_absent = ready.is_some_and(|ready| {
                let named = names.iter().position(|name| name.key == ready);
                named.is_some_and(|key| access.peek(key).is_none())
            });
            return Ok(Turn::Waits { is_absent });
        }
        let mut reply = ReplyBuffer::new(parked.version);
        let mut surroundings = Surroundings {
            faults,
            random,
            further: &[],
            is_nested: false,
        };
        let handled = self.run_handler(
            route,
            &call,
            &keys,
            &mut access,
            &mut reply,
            &mut surroundings,
        )?;
        let lsn = access.finish();
        Ok(match handled {
            Handled::Replied => Turn::Answered(reply, lsn),
            // What waits for keys knows them all.
            Handled::Blocks(_) | Handled::Further(_) => Turn::Waits { is_absent: false },
        })
    }
}
