//! The completion queue: submit operations that own their buffer, take
//! completions that give it back. Owns the choice of the form and the shape of
//! operations; the forms own what is in flight. Invariant: each accepted
//! operation completes exactly once. One queue a thread.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::buffer::{ALIGNMENT_BYTES, AlignedBuffer};
use crate::error::DiskError;
use crate::file::File;
use crate::posix::PosixQueue;
use crate::ring::RingQueue;
use crate::simulated_queue::SimulatedQueue;

/// What an [`Operation`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Fill the buffer from this byte offset.
    Read {
        /// Byte offset in the file.
        offset: u64,
    },
    /// Write the whole buffer at this byte offset.
    Write {
        /// Byte offset in the file.
        offset: u64,
    },
    /// Make the writes completed before this one was submitted durable.
    SyncData,
}

impl Action {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
            Self::SyncData => "sync",
        }
    }
}

/// One operation; it owns all it needs until it completes.
#[derive(Debug)]
pub struct Operation {
    /// The file, kept open until the completion.
    pub file: File,
    /// What to do.
    pub action: Action,
    /// The memory; required by reads and writes, ignored by syncs.
    pub buffer: Option<AlignedBuffer>,
    /// The caller's mark, handed back in the completion.
    pub token: u64,
}

/// The outcome of one [`Operation`].
#[derive(Debug)]
pub struct Completion {
    /// The mark of the operation.
    pub token: u64,
    /// Bytes moved; a read is short only at the end of the file, a write is
    /// whole, a sync is 0.
    pub result: Result<usize, DiskError>,
    /// The operation's buffer.
    pub buffer: Option<AlignedBuffer>,
}

/// A queue of operations; belongs to one thread. Completions come in any
/// order. Dropping it waits for everything in flight.
#[derive(Debug)]
pub struct Queue {
    pub(crate) form: QueueForm,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a thread; boxing would cost a hop a call"
)]
pub(crate) enum QueueForm {
    Ring(RingQueue),
    Posix(PosixQueue),
    Simulated(SimulatedQueue),
}

impl Queue {
    /// Memory for an operation of `bytes` bytes: a page of the ring's where one
    /// is free, which holds what was read into it before, else newly allocated.
    ///
    /// # Panics
    /// As [`AlignedBuffer::new`].
    #[must_use]
    pub fn buffer(&self, bytes: usize) -> AlignedBuffer {
        let lent = match &self.form {
            QueueForm::Ring(queue) if bytes == ALIGNMENT_BYTES => queue.page(),
            _ => None,
        };
        lent.unwrap_or_else(|| AlignedBuffer::new(bytes))
    }

    /// What the kernel did not register for a ring, each with the reason; the
    /// queue works all the same.
    #[must_use]
    pub fn unregistered(&self) -> &[String] {
        match &self.form {
            QueueForm::Ring(queue) => queue.unregistered(),
            QueueForm::Posix(_) | QueueForm::Simulated(_) => &[],
        }
    }

    /// Accepts an operation; it starts at the next [`Self::flush`],
    /// [`Self::poll`] or [`Self::wait`]. Syncs and writes in flight together
    /// are unordered: a sync covers only writes whose completion was taken.
    ///
    /// # Errors
    /// Gives the operation back if `depth` operations are in flight.
    pub fn submit(&mut self, operation: Operation) -> Result<(), Operation> {
        match &mut self.form {
            QueueForm::Ring(queue) => queue.submit(operation),
            QueueForm::Posix(queue) => queue.submit(operation),
            QueueForm::Simulated(queue) => queue.submit(operation),
        }
    }

    /// Starts all accepted operations.
    ///
    /// # Errors
    /// [`DiskError::Io`] if the kernel refuses the ring; the operations stay accepted.
    pub fn flush(&mut self) -> Result<(), DiskError> {
        match &mut self.form {
            QueueForm::Ring(queue) => queue.flush(),
            QueueForm::Posix(queue) => {
                queue.flush();
                Ok(())
            }
            QueueForm::Simulated(_) => Ok(()),
        }
    }

    /// Appends what has completed and returns how many; never blocks.
    pub fn poll(&mut self, completions: &mut Vec<Completion>) -> usize {
        match &mut self.form {
            QueueForm::Ring(queue) => queue.poll(completions),
            QueueForm::Posix(queue) => queue.poll(completions),
            QueueForm::Simulated(queue) => queue.poll(completions),
        }
    }

    /// Appends what has completed, waiting up to `timeout` for the first;
    /// returns how many. 0 at once if nothing is in flight.
    ///
    /// # Errors
    /// [`DiskError::Io`] if waiting itself fails; nothing in flight is lost.
    pub fn wait(
        &mut self,
        completions: &mut Vec<Completion>,
        timeout: Duration,
    ) -> Result<usize, DiskError> {
        match &mut self.form {
            QueueForm::Ring(queue) => queue.wait(completions, timeout),
            QueueForm::Posix(queue) => queue.wait(completions, timeout),
            QueueForm::Simulated(queue) => Ok(queue.poll(completions)),
        }
    }

    /// Operations accepted whose completion was not taken yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        match &self.form {
            QueueForm::Ring(queue) => queue.in_flight(),
            QueueForm::Posix(queue) => queue.in_flight(),
            QueueForm::Simulated(queue) => queue.in_flight(),
        }
    }

    /// A descriptor that becomes readable whenever completions come, to be
    /// watched by edges (`EPOLLET`): it may stay readable after [`Self::poll`].
    /// It may wake without cause. `None` for the simulated disk, whose
    /// operations complete in `poll`.
    #[must_use]
    pub fn event_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.form {
            QueueForm::Ring(queue) => Some(queue.event_fd()),
            QueueForm::Posix(queue) => Some(queue.event_fd()),
            QueueForm::Simulated(_) => None,
        }
    }
}
