//! Reads of the tier through a completion queue.
//!
//! Owns the reads of one thread: those in flight and those that wait for a
//! place in the queue. Does not check what was read: whoever looks for a key
//! in it does. One thread.

use crate::fault::{FetchedPage, ReadRequest};
use crate::store::{Store, StoreError};
use crate::tier::page::declared_pages;
use crate::tier::segment::PAGES_PER_SEGMENT;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_disk::{Action, Completion, Operation, Queue};

/// The outcome of one read.
pub struct Fetched {
    /// What was asked for.
    pub request: ReadRequest,
    /// What was read; its content is not checked yet.
    pub page: Result<FetchedPage, Arc<StoreError>>,
}

/// Reads pages of the tier; one a thread.
pub struct PageReader {
    store: Arc<Store>,
    queue: Queue,
    waiting: VecDeque<(ReadRequest, u32)>,
    in_flight: HashMap<u64, ReadRequest>,
    next_token: u64,
    completions: Vec<Completion>,
    /// Failed before they reached the queue.
    failed: Vec<Fetched>,
}

impl PageReader {
    /// A reader with room for `depth` reads at once; more wait in it.
    ///
    /// # Errors
    /// If the kernel has no room.
    pub fn new(store: &Arc<Store>, depth: usize) -> Result<Self, StoreError> {
        Ok(Self {
            store: Arc::clone(store),
            queue: store.disk.queue(depth)?,
            waiting: VecDeque::new(),
            in_flight: HashMap::new(),
            next_token: 0,
            completions: Vec::new(),
            failed: Vec::new(),
        })
    }

    /// Begins a read, at the next [`PageReader::poll`] at the latest. Each
    /// request is answered once; the caller shares reads of one address.
    pub fn submit(&mut self, request: ReadRequest) {
        let left = PAGES_PER_SEGMENT.saturating_sub(request.place.page);
        let pages = request.address.pages().min(left).max(1);
        self.waiting.push_back((request, pages));
        self.start();
    }

    fn start(&mut self) {
        while let Some((request, pages)) = self.waiting.pop_front() {
            let file = match self.store.volume.file(request.place.segment) {
                Ok(file) => file,
                Err(error) => {
                    self.fail(request, error.into());
                    continue;
                }
            };
            let token = self.next_token;
            let operation = Operation {
                file,
                action: Action::Read {
                    offset: request.place.offset(),
                },
                buffer: Some(self.queue.buffer(pages as usize * PAGE_BYTES)),
                token,
            };
            if self.queue.submit(operation).is_err() {
                self.waiting.push_front((request, pages));
                return;
            }
            self.next_token += 1;
            self.in_flight.insert(token, request);
        }
    }

    fn fail(&mut self, request: ReadRequest, error: StoreError) {
        self.failed.push(Fetched {
            request,
            page: Err(Arc::new(error)),
        });
    }

    /// Hands what was submitted to the kernel in one call.
    pub fn flush(&mut self) {
        // What the kernel refuses now it is offered again by the next poll.
        let _ = self.queue.flush();
    }

    /// Appends what has completed; never blocks.
    pub fn poll(&mut self, done: &mut Vec<Fetched>) {
        self.queue.poll(&mut self.completions);
        self.take(done);
    }

    fn take(&mut self, done: &mut Vec<Fetched>) {
        let mut completions = std::mem::take(&mut self.completions);
        for completion in completions.drain(..) {
            if let Some(request) = self.in_flight.remove(&completion.token) {
                self.complete(request, completion, done);
            }
        }
        self.completions = completions;
        self.start();
        self.flush();
        done.append(&mut self.failed);
    }

    fn complete(&mut self, request: ReadRequest, completion: Completion, done: &mut Vec<Fetched>) {
        let read = match (completion.result, completion.buffer) {
            (Ok(read), Some(buffer)) => Ok((read, buffer)),
            (Ok(_), None) => return,
            (Err(error), _) => Err(error),
        };
        let page = match read {
            Ok((read, mut buffer)) => {
                // The buffer may hold what an earlier read left in it.
                if let Some(rest) = buffer.get_mut(read..) {
                    rest.fill(0);
                }
                // An address tells long runs only up to a limit: the header of
                // the first page tells the rest.
                let declared = declared_pages(&buffer, request.place).unwrap_or(0);
                let is_longer = declared * PAGE_BYTES > buffer.len();
                if is_longer && read == buffer.len() && request.address.is_open_ended() {
                    self.waiting.push_front((request, declared as u32));
                    return;
                }
                self.store.count_read(read as u64);
                Ok(FetchedPage {
                    place: request.place,
                    bytes: Arc::new(buffer),
                })
            }
            Err(error) => Err(Arc::new(error.into())),
        };
        done.push(Fetched { request, page });
    }

    /// Reads submitted and not yet taken.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.waiting.len() + self.in_flight.len() + self.failed.len()
    }

    /// What the kernel did not register for the reader, each with the reason;
    /// reads work all the same.
    #[must_use]
    pub fn unregistered(&self) -> &[String] {
        self.queue.unregistered()
    }

    /// Becomes readable when [`PageReader::poll`] has something to take; to be
    /// watched by edges, as `Queue::event_fd`.
    #[must_use]
    pub fn event_fd(&self) -> Option<BorrowedFd<'_>> {
        self.queue.event_fd()
    }

    /// Reads all of `requests` and waits for them.
    pub fn read_all(&mut self, requests: &[ReadRequest], done: &mut Vec<Fetched>) {
        for request in requests {
            self.submit(*request);
        }
        self.flush();
        done.append(&mut self.failed);
        while self.in_flight() > 0 {
            let wait = Duration::from_millis(100);
            // A failed wait is a poll that found nothing: what is in flight
            // completes all the same.
            let _ = self.queue.wait(&mut self.completions, wait);
            self.take(done);
        }
    }
}
