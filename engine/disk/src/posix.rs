//! The queue over plain POSIX calls, for where io_uring is forbidden. Owns a
//! few threads and what is in flight on them; an eventfd tells of completions.
//! Invariant: `in_flight` counts operations accepted and not yet handed back.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

use crate::error::DiskError;
use crate::queue::{Action, Completion, Operation};

const THREADS: usize = 4;

#[derive(Debug)]
pub(crate) struct PosixQueue {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    accepted: VecDeque<Operation>,
    in_flight: usize,
    depth: usize,
}

#[derive(Debug)]
struct Shared {
    work: Mutex<Work>,
    arrived: Condvar,
    completed: Mutex<Vec<Completion>>,
    event: OwnedFd,
}

#[derive(Debug, Default)]
struct Work {
    operations: VecDeque<Operation>,
    closing: bool,
}

/// A non-blocking eventfd, at 0.
pub(crate) fn new_event() -> io::Result<OwnedFd> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    Ok(rustix::event::eventfd(0, flags)?)
}

/// Sets the eventfd back to 0; it is not readable then.
pub(crate) fn drain_event(event: &OwnedFd) {
    // Fails only with EAGAIN: it was 0 already.
    let _ = rustix::io::read(event, &mut [0_u8; 8]);
}

impl PosixQueue {
    pub(crate) fn new(depth: usize) -> io::Result<Self> {
        let mut queue = Self {
            shared: Arc::new(Shared {
                work: Mutex::default(),
                arrived: Condvar::new(),
                completed: Mutex::default(),
                event: new_event()?,
            }),
            threads: Vec::new(),
            accepted: VecDeque::new(),
            in_flight: 0,
            depth,
        };
        for _ in 0..THREADS.min(depth) {
            let shared = Arc::clone(&queue.shared);
            let thread = std::thread::Builder::new()
                .name("disk".to_owned())
                .spawn(move || work(&shared))?;
            queue.threads.push(thread);
        }
        Ok(queue)
    }

    pub(crate) fn submit(&mut self, operation: Operation) -> Result<(), Operation> {
        if self.in_flight >= self.depth {
            return Err(operation);
        }
        self.in_flight += 1;
        self.accepted.push_back(operation);
        Ok(())
    }

    pub(crate) fn flush(&mut self) {
        if self.accepted.is_empty() {
            return;
        }
        self.shared
            .work
            .lock()
            .operations
            .append(&mut self.accepted);
        self.shared.arrived.notify_all();
    }

    pub(crate) fn poll(&mut self, completions: &mut Vec<Completion>) -> usize {
        self.flush();
        // ORDERING: reset before taking, so that a completion between the two
        // leaves the event set.
        drain_event(&self.shared.event);
        let mut completed = self.shared.completed.lock();
        let count = completed.len();
        completions.append(&mut completed);
        self.in_flight -= count;
        count
    }

    pub(crate) fn wait(
        &mut self,
        completions: &mut Vec<Completion>,
        timeout: Duration,
    ) -> Result<usize, DiskError> {
        let count = self.poll(completions);
        if count > 0 || self.in_flight == 0 {
            return Ok(count);
        }
        let limit = Timespec::try_from(timeout).ok();
        let mut waited = [PollFd::new(&self.shared.event, PollFlags::IN)];
        match rustix::event::poll(&mut waited, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(self.poll(completions)),
            Err(error) => Err(DiskError::io("wait for", "", error)),
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) fn event_fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}

impl Drop for PosixQueue {
    fn drop(&mut self) {
        self.flush();
        self.shared.work.lock().closing = true;
        self.shared.arrived.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared) {
    loop {
        let operation = {
            let mut work = shared.work.lock();
            loop {
                if let Some(operation) = work.operations.pop_front() {
                    break operation;
                }
                if work.closing {
                    return;
                }
                shared.arrived.wait(&mut work);
            }
        };
        let completion = perform(operation);
        shared.completed.lock().push(completion);
        // Fails only if the counter is full, which is readable too.
        let _ = rustix::io::write(&shared.event, &1_u64.to_ne_bytes());
    }
}

/// Performs one operation on this thread.
pub(crate) fn perform(operation: Operation) -> Completion {
    let Operation {
        file,
        action,
        mut buffer,
        token,
    } = operation;
    let result = match (action, buffer.as_mut()) {
        (Action::Read { offset }, Some(buffer)) => file.raw_read(offset, buffer),
        (Action::Write { offset }, Some(buffer)) => {
            file.raw_write(offset, buffer).map(|()| buffer.len())
        }
        (Action::SyncData, _) => file.raw_sync().map(|()| 0),
        (_, None) => Err(io::ErrorKind::InvalidInput.into()),
    };
    Completion {
        token,
        result: result.map_err(|source| DiskError::io(action.name(), file.name(), source)),
        buffer,
    }
}
