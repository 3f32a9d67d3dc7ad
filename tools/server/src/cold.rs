//! Reads of the tier for the connections of one thread.
//!
//! Owns the thread's page reader and who waits for which page: connections that want the
//! same page share one read. A fetch that is dropped leaves its reads to finish; nobody
//! takes their pages then. One thread.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hashbrown::HashMap;
use thermocline_store::{
    Address, Fetched, FetchedPage, PageReader, ReadRequest, Store, StoreError,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Reads a thread has under way at once; more wait in the reader.
const DEPTH: usize = 256;

/// What came of one read.
pub(crate) type Page = (Address, Result<FetchedPage, Arc<StoreError>>);

/// The pages of one fetch so far.
#[derive(Default)]
struct Basket {
    missing: usize,
    pages: Vec<Page>,
    waker: Option<Waker>,
}

/// A read under way and who waits for it.
struct Reading {
    request: ReadRequest,
    baskets: Vec<Rc<RefCell<Basket>>>,
}

/// See the module.
pub(crate) struct Cold {
    reader: RefCell<PageReader>,
    /// By address; two lives of one segment can be wanted at once, hence the list.
    reading: RefCell<HashMap<Address, Vec<Reading>>>,
    /// Whether reads were submitted that the kernel has not seen.
    unflushed: Cell<bool>,
    driver: RefCell<Option<Waker>>,
}

impl Cold {
    /// The reads of a new thread.
    ///
    /// # Errors
    /// If the kernel has no room for the reader.
    pub(crate) fn new(store: &Arc<Store>) -> Result<Self, StoreError> {
        Ok(Self {
            reader: RefCell::new(PageReader::new(store, DEPTH)?),
            reading: RefCell::new(HashMap::new()),
            unflushed: Cell::new(false),
            driver: RefCell::new(None),
        })
    }

    /// Reads all of `requests`, which may repeat, at once.
    pub(crate) async fn fetch(&self, requests: &[ReadRequest]) -> Vec<Page> {
        let basket = Rc::new(RefCell::new(Basket::default()));
        for request in requests {
            self.begin(*request, &basket);
        }
        self.unflushed.set(true);
        // The driver runs after the connections that are ready now: their reads go to the
        // kernel in the same call.
        if let Some(driver) = self.driver.borrow().as_ref() {
            driver.wake_by_ref();
        }
        poll_fn(|context| {
            let mut basket = basket.borrow_mut();
            if basket.missing == 0 {
                return Poll::Ready(std::mem::take(&mut basket.pages));
            }
            basket.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn begin(&self, request: ReadRequest, basket: &Rc<RefCell<Basket>>) {
        let mut reading = self.reading.borrow_mut();
        let readings = reading.entry(request.address).or_default();
        let same = readings.iter_mut().find(|other| other.request == request);
        if let Some(same) = same {
            if same.baskets.iter().any(|other| Rc::ptr_eq(other, basket)) {
                return;
            }
            same.baskets.push(Rc::clone(basket));
        } else {
            readings.push(Reading {
                request,
                baskets: vec![Rc::clone(basket)],
            });
            self.reader.borrow_mut().submit(request);
        }
        basket.borrow_mut().missing += 1;
    }

    /// Hands reads to the kernel and pages to those who wait, for as long as the thread
    /// runs.
    ///
    /// # Errors
    /// If the reader's descriptor cannot be watched.
    pub(crate) async fn drive(&self) -> io::Result<()> {
        let event = match self.reader.borrow().event_fd() {
            Some(descriptor) => Some(descriptor.try_clone_to_owned()?),
            None => None,
        };
        let event = match event {
            Some(event) => Some(watched(event)?),
            None => None,
        };
        let mut done = Vec::new();
        poll_fn(|context| self.poll_drive(context, event.as_ref(), &mut done)).await
    }

    fn poll_drive(
        &self,
        context: &mut Context<'_>,
        event: Option<&AsyncFd<OwnedFd>>,
        done: &mut Vec<Fetched>,
    ) -> Poll<io::Result<()>> {
        *self.driver.borrow_mut() = Some(context.waker().clone());
        if self.unflushed.take() {
            self.reader.borrow_mut().flush();
        }
        loop {
            self.reader.borrow_mut().poll(done);
            self.hand_out(done);
            let Some(event) = event else {
                // No descriptor to wait for: look again whenever the thread comes round.
                if self.reader.borrow().in_flight() > 0 {
                    context.waker().wake_by_ref();
                }
                return Poll::Pending;
            };
            match event.poll_read_ready(context) {
                // Cleared before the next look: what completes after it is a new event.
                Poll::Ready(Ok(mut ready)) => ready.clear_ready(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn hand_out(&self, done: &mut Vec<Fetched>) {
        for fetched in done.drain(..) {
            let address = fetched.request.address;
            let mut reading = self.reading.borrow_mut();
            let Some(readings) = reading.get_mut(&address) else {
                continue;
            };
            let found = readings
                .iter()
                .position(|other| other.request == fetched.request);
            let Some(found) = found else { continue };
            let ended = readings.swap_remove(found);
            if readings.is_empty() {
                reading.remove(&address);
            }
            for basket in ended.baskets {
                let mut basket = basket.borrow_mut();
                basket.missing = basket.missing.saturating_sub(1);
                basket.pages.push((address, fetched.page.clone()));
                if basket.missing == 0
                    && let Some(waker) = basket.waker.take()
                {
                    waker.wake();
                }
            }
        }
    }
}

/// The descriptor as the runtime watches it.
#[expect(
    deprecated,
    reason = "its successor asks for what an owned descriptor gives: that it stays open"
)]
fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}
