//! Primitives of which a scheduler chooses the order, and when a store is seen.
//!
//! Owns the stores of each thread that no other has seen yet. What is modelled: a store
//! becomes visible some time later, stores to different places in any order, but one of
//! [`Ordering::Release`] after all that the thread stored before it; a change in place is
//! seen at once, one of [`Ordering::Release`] after all before it; a fence and the end of a
//! lock let none wait. Loads are not moved. Nobody's wait ends by time: a wake-up that is
//! lost is a deadlock, which the scheduler reports.
//!
//! A [`Flaw`] leaves out one thing that the real primitives do.

use shuttle::rand::Rng;
use shuttle::sync::atomic as shared;
pub(crate) use shuttle::sync::atomic::Ordering;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What is left out, to show that it is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Fences let stores wait.
    Fences,
    /// Release orders nothing.
    Release,
    /// A change in place is a load and a store.
    Atomicity,
    /// Locks are taken only to wait for a wake-up.
    Locks,
}

thread_local! {
    /// Of this test: a scheduler runs all its threads on one.
    static FLAW: Cell<Option<Flaw>> = const { Cell::new(None) };
}

pub(crate) fn set_flaw(flaw: Option<Flaw>) {
    FLAW.set(flaw);
}

fn lacks(flaw: Flaw) -> bool {
    FLAW.get() == Some(flaw)
}

type Place = Arc<shared::AtomicU64>;

struct Waiting {
    place: Place,
    value: u64,
    is_release: bool,
}

shuttle::thread_local! {
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
}

fn is_release(ordering: Ordering) -> bool {
    !lacks(Flaw::Release)
        && matches!(
            ordering,
            Ordering::Release | Ordering::AcqRel | Ordering::SeqCst
        )
}

/// Lets the store at `index` be seen, after those that must be seen before it.
fn show(index: usize) {
    let (place, value) = WAITING.with(|waiting| {
        let mut waiting = waiting.borrow_mut();
        let chosen = &waiting[index];
        let before = if chosen.is_release {
            0
        } else {
            let same = |other: &Waiting| Arc::ptr_eq(&other.place, &chosen.place);
            waiting.iter().position(same).unwrap_or(index)
        };
        let shown = waiting.remove(before.min(index));
        (shown.place, shown.value)
    });
    place.store(value, Ordering::SeqCst);
}

fn waiting_count() -> usize {
    WAITING.with(|waiting| waiting.borrow().len())
}

/// Lets all stores of this thread be seen: at its end, at the latest.
pub(crate) fn show_all() {
    while waiting_count() > 0 {
        show(0);
    }
}

/// Lets some be seen, as it happens.
fn show_some() {
    while waiting_count() > 0 && shuttle::rand::thread_rng().gen_bool(0.3) {
        show(shuttle::rand::thread_rng().gen_range(0..waiting_count()));
    }
}

/// Lets those to this place be seen.
fn show_place(place: &Place) {
    let to_place = || {
        WAITING.with(|waiting| {
            let waiting = waiting.borrow();
            (waiting.iter()).position(|it| Arc::ptr_eq(&it.place, place))
        })
    };
    while let Some(index) = to_place() {
        show(index);
    }
}

/// As the one of the standard library.
pub(crate) struct AtomicU64(Place);

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        Self(Arc::new(shared::AtomicU64::new(value)))
    }

    pub(crate) fn load(&self, _: Ordering) -> u64 {
        show_some();
        let own = WAITING.with(|waiting| {
            let waiting = waiting.borrow();
            let newest = waiting
                .iter()
                .rev()
                .find(|it| Arc::ptr_eq(&it.place, &self.0));
            newest.map(|it| it.value)
        });
        own.unwrap_or_else(|| self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn store(&self, value: u64, ordering: Ordering) {
        let store = Waiting {
            place: Arc::clone(&self.0),
            value,
            is_release: is_release(ordering),
        };
        WAITING.with(|waiting| waiting.borrow_mut().push(store));
        show_some();
    }

    /// # Errors
    /// As the one of the standard library.
    pub(crate) fn fetch_update(
        &self,
        set: Ordering,
        _: Ordering,
        mut change: impl FnMut(u64) -> Option<u64>,
    ) -> Result<u64, u64> {
        if is_release(set) {
            show_all();
        } else {
            show_some();
            show_place(&self.0);
        }
        if lacks(Flaw::Atomicity) {
            let before = self.0.load(Ordering::SeqCst);
            let after = change(before).ok_or(before)?;
            self.0.store(after, Ordering::SeqCst);
            return Ok(before);
        }
        (self.0).fetch_update(Ordering::SeqCst, Ordering::SeqCst, change)
    }

    pub(crate) fn fetch_add(&self, value: u64, ordering: Ordering) -> u64 {
        let added = self.fetch_update(ordering, ordering, |it| Some(it.wrapping_add(value)));
        added.unwrap_or_else(|before| before)
    }
}

impl fmt::Debug for AtomicU64 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AtomicU64")
    }
}

/// As the one of the standard library.
pub(crate) struct AtomicBool(AtomicU64);

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        Self(AtomicU64::new(u64::from(value)))
    }

    pub(crate) fn load(&self, ordering: Ordering) -> bool {
        self.0.load(ordering) != 0
    }

    pub(crate) fn store(&self, value: bool, ordering: Ordering) {
        self.0.store(u64::from(value), ordering);
    }
}

/// As the one of the standard library; all are `SeqCst` here.
pub(crate) fn fence(_: Ordering) {
    if lacks(Flaw::Fences) {
        show_some();
    } else {
        show_all();
    }
}

/// As the one of `parking_lot`.
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

/// `None` where the lock is left out.
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    held: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let held = (!lacks(Flaw::Locks)).then(|| self.really_lock());
        MutexGuard { mutex: self, held }
    }

    fn really_lock(&self) -> shuttle::sync::MutexGuard<'_, T> {
        self.0.lock().expect("no thread panics with it")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            show_all();
        }
    }
}

/// As the one of `parking_lot`, but for its waits, which end by a wake-up only.
pub(crate) struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: Duration) {
        show_all();
        let held = (guard.held.take()).unwrap_or_else(|| guard.mutex.really_lock());
        let woken = self.0.wait(held).expect("no thread panics with it");
        guard.held = (!lacks(Flaw::Locks)).then_some(woken);
    }
}
