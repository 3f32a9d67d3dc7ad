//! The primitives of `parking_lot` and the standard library, as far as the volume uses
//! them, whose order a scheduler chooses.

pub(super) use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use shuttle::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

const HELD: &str = "no thread panics with it";

#[derive(Default)]
pub(super) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(super) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect(HELD)
    }
}

#[derive(Default)]
pub(super) struct RwLock<T>(shuttle::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().expect(HELD)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().expect(HELD)
    }
}
