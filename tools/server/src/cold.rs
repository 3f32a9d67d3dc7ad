//! Reads of the tier for the connections of one thread.
//!
//! Owns the thread's page reader and who waits for which page: connections that want the
//! same page share one read. Reads are begun as they are asked for and arrive one by one, in
//! any order. A connection that is gone leaves its reads to finish; nobody takes their pages
//! then. One thread.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};
use thermocline_base::Clock;
use thermocline_store::{
    Address, Fetched, FetchedPage, PageReader, ReadRequest, Store, StoreError,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::info;

use crate::statistics::ThreadStatistics;

/// Reads a thread has under way at once; more wait in the reader.
const DEPTH: usize = 256;
/// Reads under way from which on more at once gain little: disks differ, but from about this
/// depth on their reads a second grow slowly.
const SHALLOW: usize = 16;

/// What came of one read.
pub(crate) type Page = (ReadRequest, Result<FetchedPage, Arc<StoreError>>);

/// What a connection has asked for: how much is still to come, and what has come.
#[derive(Default)]
pub(crate) struct Arrivals {
    basket: Rc<RefCell<Basket>>,
}

#[derive(Default)]
struct Basket {
    missing: usize,
    pages: Vec<Page>,
    waker: Option<Waker>,
}

/// A read under way and who waits for it.
struct Reading {
    request: ReadRequest,
    begun_ns: u64,
    baskets: SmallVec<[Rc<RefCell<Basket>>; 1]>,
}

/// See the module.
pub(crate) struct Cold {
    reader: RefCell<PageReader>,
    clock: Clock,
    statistics: Arc<ThreadStatistics>,
    /// Says that reads have arrived; `None` where the disk has no such descriptor.
    event: Option<AsyncFd<OwnedFd>>,
    /// By address; two lives of one segment can be wanted at once, hence the list.
    reading: RefCell<HashMap<Address, SmallVec<[Reading; 1]>>>,
    /// Whether reads were submitted that the kernel has not seen.
    unflushed: Cell<bool>,
    /// Whether the driver will run.
    is_driver_woken: Cell<bool>,
    driver: RefCell<Option<Waker>>,
}

impl Arrivals {
    /// How many reads are still to come.
    pub(crate) fn missing(&self) -> usize {
        self.basket.borrow().missing
    }

    /// Takes what has come.
    pub(crate) fn take(&self) -> Vec<Page> {
        std::mem::take(&mut self.basket.borrow_mut().pages)
    }

    /// Gives the vector of [`Arrivals::take`] back, emptied, and has what comes next wake
    /// the task.
    pub(crate) fn wake_next(&self, emptied: Vec<Page>, context: &Context<'_>) {
        let mut basket = self.basket.borrow_mut();
        if basket.pages.is_empty() {
            basket.pages = emptied;
        }
        let is_same = (basket.waker.as_ref()).is_some_and(|own| own.will_wake(context.waker()));
        if !is_same {
            basket.waker = Some(context.waker().clone());
        }
    }

    /// Wants nothing of what was asked for any more.
    pub(crate) fn forget(&mut self) {
        let mut basket = self.basket.borrow_mut();
        if basket.missing > 0 {
            drop(basket);
            self.basket = Rc::default();
        } else {
            basket.pages.clear();
        }
    }
}

impl Cold {
    /// The reads of a new thread.
    ///
    /// # Errors
    /// If the kernel has no room for the reader, or its descriptor cannot be watched.
    #[expect(
        deprecated,
        reason = "its successor asks for what an owned descriptor gives: that it stays open"
    )]
    pub(crate) fn new(
        store: &Arc<Store>,
        clock: Clock,
        statistics: Arc<ThreadStatistics>,
    ) -> io::Result<Self> {
        let reader = PageReader::new(store, DEPTH).map_err(io::Error::other)?;
        let event = reader.event_fd().map(|event| event.try_clone_to_owned());
        let event = event
            .transpose()?
            .map(|event| AsyncFd::with_interest(event, Interest::READABLE));
        for reason in reader.unregistered() {
            info!("reads of the tier cost more than they could: {reason}");
        }
        Ok(Self {
            reader: RefCell::new(reader),
            clock,
            statistics,
            reading: RefCell::new(HashMap::new()),
            unflushed: Cell::new(false),
            is_driver_woken: Cell::new(false),
            driver: RefCell::new(None),
            event: event.transpose()?,
        })
    }

    /// Begins a read that arrives in `arrivals`, unless it is under way for them already.
    pub(crate) fn begin(&self, request: ReadRequest, arrivals: &Arrivals) {
        let basket = &arrivals.basket;
        let mut reading = self.reading.borrow_mut();
        let readings = reading.entry(request.address).or_default();
        let same = readings.iter_mut().find(|other| other.request == request);
        if let Some(same) = same {
            if same.baskets.iter().any(|other| Rc::ptr_eq(other, basket)) {
                return;
            }
            same.baskets.push(Rc::clone(basket));
        } else {
            let begun_ns = self.clock.monotonic_ns();
            self.statistics.tier_reads.begin(begun_ns);
            readings.push(Reading {
                request,
                begun_ns,
                baskets: smallvec![Rc::clone(basket)],
            });
            self.reader.borrow_mut().submit(request);
            self.wake_driver();
        }
        basket.borrow_mut().missing += 1;
    }

    /// Whether so few reads are under way that the disk could do more at once.
    pub(crate) fn is_shallow(&self) -> bool {
        self.reader.borrow().in_flight() < SHALLOW
    }

    /// Hands the reads begun so far to the kernel now. The driver, which does it otherwise,
    /// comes after the connections that are ready.
    pub(crate) fn flush(&self) {
        if self.unflushed.replace(false) {
            self.reader.borrow_mut().flush();
        }
    }

    /// The driver runs after the connections that are ready now: the reads they begin go to
    /// the kernel in few calls.
    fn wake_driver(&self) {
        self.unflushed.set(true);
        if self.is_driver_woken.replace(true) {
            return;
        }
        if let Some(driver) = self.driver.borrow().as_ref() {
            driver.wake_by_ref();
        }
    }

    /// Hands reads to the kernel and pages to those who wait, for as long as the thread
    /// runs.
    ///
    /// # Errors
    /// If the descriptor can no longer be watched.
    pub(crate) async fn drive(&self) -> io::Result<()> {
        let mut done = Vec::new();
        poll_fn(|context| self.poll_drive(context, &mut done)).await
    }

    fn poll_drive(
        &self,
        context: &mut Context<'_>,
        done: &mut Vec<Fetched>,
    ) -> Poll<io::Result<()>> {
        let mut driver = self.driver.borrow_mut();
        if !(driver.as_ref()).is_some_and(|own| own.will_wake(context.waker())) {
            *driver = Some(context.waker().clone());
        }
        drop(driver);
        loop {
            self.unflushed.set(false);
            self.is_driver_woken.set(false);
            // Submits and takes, in one system call where it can.
            self.reader.borrow_mut().poll(done);
            self.hand_out(done);
            let Some(event) = &self.event else {
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
        if done.is_empty() {
            return;
        }
        let now_ns = self.clock.monotonic_ns();
        for fetched in done.drain(..) {
            let request = fetched.request;
            let mut reading = self.reading.borrow_mut();
            let Some(readings) = reading.get_mut(&request.address) else {
                continue;
            };
            let found = readings.iter().position(|other| other.request == request);
            let Some(found) = found else { continue };
            let ended = readings.swap_remove(found);
            self.statistics.tier_reads.end(ended.begun_ns, now_ns);
            if readings.is_empty() {
                reading.remove(&request.address);
            }
            for basket in ended.baskets {
                let mut basket = basket.borrow_mut();
                basket.missing = basket.missing.saturating_sub(1);
                basket.pages.push((request, fetched.page.clone()));
                // By reference: the next wait is most likely the same task's.
                if let Some(waker) = basket.waker.as_ref() {
                    waker.wake_by_ref();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Statistics;
    use thermocline_disk::{AlignedBuffer, BackendChoice, Disk, OpenMode};
    use thermocline_store::StoreOptions;
    use thermocline_store::tier::PagePlace;
    use thermocline_store::tier::segment::{Incarnation, SegmentNumber};

    const PAGES: u32 = 4;
    const SEGMENT: SegmentNumber = SegmentNumber(9);

    fn request(page: u32, incarnation: u64) -> ReadRequest {
        ReadRequest {
            address: Address::new(page, 1).unwrap(),
            place: PagePlace {
                segment: SEGMENT,
                incarnation: Incarnation(incarnation),
                page,
            },
        }
    }

    /// A thread's reads of a store with a segment of pages filled with their number.
    fn with_cold<F: Future<Output = ()>>(
        choice: BackendChoice,
        test: impl FnOnce(Arc<Store>, Rc<Cold>) -> F,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::open(directory.path(), choice).unwrap();
        let options = StoreOptions {
            log: None,
            tier: true,
            clock: Clock::system(),
            seed: 1,
        };
        let (store, _) = Store::open(disk.clone(), options).unwrap();
        let name = SEGMENT.file_name();
        let file = disk.open_file(&name, OpenMode::CreateNew, true).unwrap();
        for page in 0..PAGES {
            let mut buffer = AlignedBuffer::new(4096);
            buffer.fill(page as u8);
            let offset = u64::from(page) * 4096;
            file.write_all_at(offset, &buffer).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let statistics = Statistics::new(1, 0).of_thread(0);
            let cold = Rc::new(Cold::new(&store, Clock::system(), statistics).unwrap());
            let driver = Rc::clone(&cold);
            tokio::task::spawn_local(async move { driver.drive().await });
            test(Arc::clone(&store), cold).await;
        });
        store.close(false).unwrap();
    }

    async fn all(arrivals: &Arrivals) -> Vec<Page> {
        let mut pages = Vec::new();
        poll_fn(|context| {
            let mut taken = arrivals.take();
            pages.append(&mut taken);
            if arrivals.missing() == 0 {
                return Poll::Ready(());
            }
            arrivals.wake_next(taken, context);
            Poll::Pending
        })
        .await;
        pages
    }

    #[test]
    fn those_who_want_one_page_share_one_read() {
        for choice in [BackendChoice::Auto, BackendChoice::Posix] {
            with_cold(choice, async |store, cold| {
                let arrivals: Vec<_> = (0..5).map(|_| Arrivals::default()).collect();
                for (number, arrivals) in (0..).zip(&arrivals) {
                    cold.begin(request(1, 7), arrivals);
                    cold.begin(request(1, 7), arrivals);
                    cold.begin(request(2 + number % 2, 7), arrivals);
                    assert_eq!(arrivals.missing(), 2);
                }
                for arrivals in &arrivals {
                    let mut pages = all(arrivals).await;
                    pages.sort_by_key(|(request, _)| request.address);
                    assert_eq!(pages.len(), 2);
                    for (request, page) in pages {
                        let page = page.unwrap();
                        let expected = request.place.page as u8;
                        assert!(page.bytes.iter().all(|byte| *byte == expected));
                    }
                }
                assert_eq!(store.statistics().tier_reads, 3);
                // What has arrived is read anew when it is wanted anew.
                cold.begin(request(1, 7), &arrivals[0]);
                all(&arrivals[0]).await;
                assert_eq!(store.statistics().tier_reads, 4);
            });
        }
    }

    #[test]
    fn reads_beyond_a_batch_and_beyond_the_queue_arrive_once() {
        const LIVES: u64 = 100;
        for choice in [BackendChoice::Auto, BackendChoice::Posix] {
            with_cold(choice, async |store, cold| {
                let arrivals = Arrivals::default();
                for life in 0..LIVES {
                    for page in 0..PAGES {
                        cold.begin(request(page, life), &arrivals);
                    }
                    // Some go to the disk before the driver runs, the others after them.
                    if life % 7 == 0 {
                        cold.flush();
                    }
                }
                let wanted = LIVES as usize * PAGES as usize;
                assert_eq!(arrivals.missing(), wanted);
                let mut pages = all(&arrivals).await;
                let place = |page: &Page| (page.0.place.incarnation.0, page.0.place.page);
                pages.sort_by_key(place);
                pages.dedup_by_key(|page| place(page));
                assert_eq!(pages.len(), wanted);
                assert_eq!(store.statistics().tier_reads, wanted as u64);
            });
        }
    }

    #[test]
    fn two_lives_of_a_page_are_two_reads() {
        with_cold(BackendChoice::Auto, async |store, cold| {
            let arrivals = Arrivals::default();
            cold.begin(request(1, 7), &arrivals);
            cold.begin(request(1, 8), &arrivals);
            let pages = all(&arrivals).await;
            assert_eq!((pages.len(), store.statistics().tier_reads), (2, 2));
        });
    }

    #[test]
    fn what_is_forgotten_does_not_arrive() {
        with_cold(BackendChoice::Auto, async |store, cold| {
            let (mut gone, other) = (Arrivals::default(), Arrivals::default());
            cold.begin(request(1, 7), &gone);
            cold.begin(request(1, 7), &other);
            gone.forget();
            assert_eq!(gone.missing(), 0);
            cold.begin(request(2, 7), &gone);
            let pages = all(&gone).await;
            assert_eq!(pages.len(), 1);
            assert_eq!(pages[0].0.place.page, 2);
            assert_eq!(all(&other).await.len(), 1);
            assert_eq!(store.statistics().tier_reads, 2);
        });
    }

    #[test]
    fn a_failed_read_is_told_to_all() {
        with_cold(BackendChoice::Auto, async |_, cold| {
            let (one, other) = (Arrivals::default(), Arrivals::default());
            let mut missing = request(0, 7);
            missing.place.segment = SegmentNumber(77);
            cold.begin(missing, &one);
            cold.begin(missing, &other);
            assert!(all(&one).await[0].1.is_err());
            assert!(all(&other).await[0].1.is_err());
        });
    }
}
