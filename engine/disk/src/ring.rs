//! The queue over io_uring. Owns the ring, the slots with the buffer and file
//! of every operation in flight, and the slab of pages that reads reuse.
//! INVARIANT: a slot is emptied only after its last completion was taken, so
//! the kernel never writes to freed memory; if the ring fails while dropping,
//! the slots are leaked instead. One thread, the first that flushes it.
//!
//! One system call both submits and takes: the kernel finishes what the disk
//! has read when it is entered for that (`DEFER_TASKRUN`), not by interrupting
//! this thread, and tells of it by the eventfd before.
#![expect(unsafe_code, reason = "the kernel is handed raw addresses")]

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::{IoUring, Probe, Submitter, opcode, squeue, types};

use crate::buffer::AlignedBuffer;
use crate::error::DiskError;
use crate::file::Form;
use crate::posix::new_event;
use crate::queue::{Action, Completion, Operation};
use crate::registered::{Registered, SLAB_INDEX};
use crate::slab::Slab;
use crate::system::SystemFile;

const EINTR: i32 = rustix::io::Errno::INTR.raw_os_error();
const EAGAIN: i32 = rustix::io::Errno::AGAIN.raw_os_error();
const EBUSY: i32 = rustix::io::Errno::BUSY.raw_os_error();
const ETIME: i32 = rustix::io::Errno::TIME.raw_os_error();

/// Whether this process may use a ring with all this module needs; else why not.
pub(crate) fn probe() -> Result<(), String> {
    let ring = IoUring::new(8).map_err(|error| format!("io_uring_setup: {error}"))?;
    if !ring.params().is_feature_ext_arg() {
        return Err("the kernel is older than 5.11".to_owned());
    }
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|error| format!("io_uring_register: {error}"))?;
    let needed = [
        opcode::Read::CODE,
        opcode::ReadFixed::CODE,
        opcode::Write::CODE,
        opcode::Fsync::CODE,
    ];
    if !needed.iter().all(|code| probe.is_supported(*code)) {
        return Err("the kernel lacks read, write or fsync on a ring".to_owned());
    }
    Ok(())
}

/// Most pages of the slab; reads beyond have memory of their own.
const SLAB_PAGES: usize = 512;

#[derive(Debug)]
struct Slot {
    file: Arc<SystemFile>,
    action: Action,
    buffer: Option<AlignedBuffer>,
    token: u64,
    done: usize,
}

pub(crate) struct RingQueue {
    ring: IoUring,
    /// Whether the ring still waits to be told which thread it belongs to.
    is_disabled: bool,
    event: OwnedFd,
    slab: Arc<Slab>,
    registered: Registered,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    /// Slots whose next request is not in the submission queue yet.
    waiting: VecDeque<usize>,
    /// Refused without reaching the kernel.
    refused: Vec<Completion>,
    in_flight: usize,
    depth: usize,
}

impl std::fmt::Debug for RingQueue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RingQueue({} in flight)", self.in_flight)
    }
}

impl RingQueue {
    pub(crate) fn new(depth: usize) -> io::Result<Self> {
        Self::with(depth, Registered::new)
    }

    /// As [`Self::new`]; `register` is asked for what is to be registered.
    fn with(
        depth: usize,
        register: impl FnOnce(&Submitter<'_>, &Slab) -> Registered,
    ) -> io::Result<Self> {
        let entries = depth.next_power_of_two() as u32;
        // Kernels before 6.1 cannot defer, those before 5.19 not even spare the
        // thread the interrupts.
        let deferring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_r_disabled()
            .build(entries);
        let is_disabled = deferring.is_ok();
        let ring = deferring
            .or_else(|_| IoUring::builder().setup_coop_taskrun().build(entries))
            .or_else(|_| IoUring::new(entries))?;
        let event = new_event()?;
        ring.submitter().register_eventfd(event.as_raw_fd())?;
        let slab = Slab::new(depth.min(SLAB_PAGES));
        let registered = register(&ring.submitter(), &slab);
        Ok(Self {
            ring,
            is_disabled,
            event,
            slab,
            registered,
            slots: (0..depth).map(|_| None).collect(),
            free: (0..depth).rev().collect(),
            waiting: VecDeque::with_capacity(depth),
            refused: Vec::new(),
            in_flight: 0,
            depth,
        })
    }

    pub(crate) fn submit(&mut self, operation: Operation) -> Result<(), Operation> {
        if self.in_flight >= self.depth {
            return Err(operation);
        }
        let Form::System(file) = &operation.file.form else {
            self.refuse(operation);
            return Ok(());
        };
        if operation.buffer.is_none() && operation.action != Action::SyncData {
            self.refuse(operation);
            return Ok(());
        }
        let file = Arc::clone(file);
        let Some(index) = self.free.pop() else {
            return Err(operation);
        };
        self.slots[index] = Some(Slot {
            file,
            action: operation.action,
            buffer: operation.buffer,
            token: operation.token,
            done: 0,
        });
        self.in_flight += 1;
        self.waiting.push_back(index);
        Ok(())
    }

    fn refuse(&mut self, operation: Operation) {
        self.in_flight += 1;
        let source = io::Error::from(io::ErrorKind::InvalidInput);
        let error = DiskError::io(operation.action.name(), operation.file.name(), source);
        self.refused.push(Completion {
            token: operation.token,
            result: Err(error),
            buffer: operation.buffer,
        });
        // Makes the event readable; fails only if it already is.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    /// A free page of the slab.
    pub(crate) fn page(&self) -> Option<AlignedBuffer> {
        self.slab.take()
    }

    pub(crate) fn unregistered(&self) -> &[String] {
        self.registered.missing()
    }

    fn push_waiting(&mut self) {
        while let Some(index) = self.waiting.pop_front() {
            let Some(slot) = self.slots[index].as_mut() else {
                continue;
            };
            let file = self.registered.slot(&self.ring.submitter(), &slot.file);
            let buffer = slot.buffer.as_ref();
            let is_fixed = self.registered.has_slab()
                && buffer.is_some_and(|buffer| buffer.is_from(&self.slab));
            let entry = slot.request(file, is_fixed).user_data(index as u64);
            // SAFETY: the file and the buffer stay in the slot, at the same
            // address, until the completion of this entry was taken; the
            // buffer is not touched meanwhile (this module upholds both).
            let pushed = unsafe { self.ring.submission().push(&entry) };
            if pushed.is_err() {
                self.waiting.push_front(index);
                return;
            }
        }
    }

    /// Has the kernel begin what was accepted, and finish what the disk has
    /// done, in one call; none if there is neither.
    pub(crate) fn flush(&mut self) -> Result<(), DiskError> {
        if self.is_disabled && !self.waiting.is_empty() {
            let enabled = self.ring.submitter().register_enable_rings();
            enabled.map_err(|error| DiskError::io("enable", "", error))?;
            self.is_disabled = false;
        }
        self.push_waiting();
        let submission = self.ring.submission();
        if submission.is_empty() && !submission.taskrun() && !submission.cq_overflow() {
            return Ok(());
        }
        drop(submission);
        loop {
            match self.ring.submit() {
                Ok(_) => return Ok(()),
                Err(error) => match error.raw_os_error() {
                    Some(EINTR) => {}
                    // The kernel is short of memory or room for now: the
                    // entries stay in the ring for the next flush.
                    Some(EAGAIN | EBUSY) => return Ok(()),
                    _ => return Err(DiskError::io("submit to", "", error)),
                },
            }
        }
    }

    pub(crate) fn poll(&mut self, completions: &mut Vec<Completion>) -> usize {
        // A refused flush leaves its entries to the next one; `flush` and
        // `wait` report the error.
        let _ = self.flush();
        self.reap(completions)
    }

    fn reap(&mut self, completions: &mut Vec<Completion>) -> usize {
        let before = completions.len();
        completions.append(&mut self.refused);
        while let Some(entry) = { self.ring.completion().next() } {
            let index = entry.user_data() as usize;
            if let Some(completion) = self.take(index, entry.result()) {
                completions.push(completion);
            }
        }
        let count = completions.len() - before;
        self.in_flight -= count;
        if !self.waiting.is_empty() {
            // As in `poll`.
            let _ = self.flush();
        }
        count
    }

    /// Takes one result of the kernel; `None` if the slot goes on.
    fn take(&mut self, index: usize, result: i32) -> Option<Completion> {
        let slot = self.slots.get_mut(index)?.as_mut()?;
        let outcome = match slot.advance(result) {
            Some(outcome) => outcome,
            None => {
                self.waiting.push_back(index);
                return None;
            }
        };
        let slot = self.slots[index].take()?;
        self.free.push(index);
        Some(Completion {
            token: slot.token,
            result: outcome
                .map_err(|source| DiskError::io(slot.action.name(), &slot.file.name, source)),
            buffer: slot.buffer,
        })
    }

    pub(crate) fn wait(
        &mut self,
        completions: &mut Vec<Completion>,
        timeout: Duration,
    ) -> Result<usize, DiskError> {
        self.flush()?;
        let count = self.reap(completions);
        if count > 0 || self.in_flight == 0 {
            return Ok(count);
        }
        let limit = types::Timespec::from(timeout);
        let arguments = types::SubmitArgs::new().timespec(&limit);
        match self.ring.submitter().submit_with_args(1, &arguments) {
            Ok(_) => {}
            Err(error) => match error.raw_os_error() {
                Some(ETIME | EINTR | EAGAIN | EBUSY) => {}
                _ => return Err(DiskError::io("wait for", "", error)),
            },
        }
        Ok(self.reap(completions))
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) fn event_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl Slot {
    /// The request for what is left; of a file with a `place` in the kernel's
    /// table it goes there, and `is_fixed` says that the buffer is registered.
    fn request(&mut self, place: Option<u32>, is_fixed: bool) -> squeue::Entry {
        let (file, flags) = match place {
            Some(place) => (types::Fd(place as i32), squeue::Flags::FIXED_FILE),
            None => {
                let descriptor = self.file.handle.as_raw_fd();
                (types::Fd(descriptor), squeue::Flags::empty())
            }
        };
        let rest = match self.buffer.as_mut() {
            Some(buffer) => &mut buffer[self.done..],
            None => &mut [],
        };
        // The kernel moves at most 2 GiB at once; the rest is resubmitted.
        let len = rest.len().min(1 << 30) as u32;
        let done = self.done as u64;
        let entry = match self.action {
            Action::Read { offset } if is_fixed => {
                opcode::ReadFixed::new(file, rest.as_mut_ptr(), len, SLAB_INDEX)
                    .offset(offset.saturating_add(done))
                    .build()
            }
            Action::Read { offset } => opcode::Read::new(file, rest.as_mut_ptr(), len)
                .offset(offset.saturating_add(done))
                .build(),
            Action::Write { offset } => opcode::Write::new(file, rest.as_ptr(), len)
                .offset(offset.saturating_add(done))
                .build(),
            Action::SyncData => opcode::Fsync::new(file)
                .flags(types::FsyncFlags::DATASYNC)
                .build(),
        };
        entry.flags(flags)
    }

    /// Accounts a result of the kernel; `None` if there is more to do.
    fn advance(&mut self, result: i32) -> Option<io::Result<usize>> {
        let Ok(moved) = usize::try_from(result) else {
            // Negative: an error number, negated.
            let number = result.saturating_neg();
            if number == EINTR || number == EAGAIN {
                return None;
            }
            return Some(Err(io::Error::from_raw_os_error(number)));
        };
        let wanted = self.buffer.as_ref().map_or(0, |buffer| buffer.len());
        match self.action {
            Action::SyncData => Some(Ok(0)),
            Action::Read { .. } => {
                self.done += moved;
                let ended = moved == 0 || self.file.read_ended(self.done);
                (ended || self.done >= wanted).then_some(Ok(self.done))
            }
            Action::Write { .. } => {
                self.done += moved;
                if self.done >= wanted {
                    Some(Ok(self.done))
                } else if moved == 0 {
                    Some(Err(io::ErrorKind::WriteZero.into()))
                } else {
                    None
                }
            }
        }
    }
}

impl Drop for RingQueue {
    fn drop(&mut self) {
        let mut completions = Vec::new();
        while self.in_flight > 0 {
            if self.wait(&mut completions, Duration::from_secs(1)).is_err() {
                // INVARIANT: the kernel may still write to these buffers.
                std::mem::forget(std::mem::take(&mut self.slots));
                return;
            }
            completions.clear();
        }
    }
}

#[cfg(test)]
mod tests;
