//! The primitives that the ring and the wake-up are made of.
//!
//! Modules that name them by `super::sync` are compiled a second time by the tests, in
//! `shuttled`, whose own `sync` has a scheduler choose what every thread does next and
//! when its stores are seen.

pub(crate) use parking_lot::{Condvar, Mutex};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
