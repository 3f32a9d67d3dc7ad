//! The primitives that the volume is made of.
//!
//! `volume` names them by `super::sync`: the tests compile it a second time, in
//! `shuttled`, over one that has a scheduler choose what every thread does next.

pub(super) use parking_lot::{Mutex, RwLock};
pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
