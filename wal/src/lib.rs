//! The write-ahead log of Thermocline: one totally ordered sequence of frames
//! in segment files, of which it is always known what is durable.
//!
//! Owns frames, segments, group commit, recovery and the rescue after a failed
//! sync; `FORMAT.md` draws the bytes. Does not know what a payload means, and
//! never decides what may be retired.
//!
//! Modules, lowest first: [`frame`], [`scan`], then `sync`, the ring, the wake-up, the
//! errors, the times of syncs, which segment was begun last, whole segments read ahead,
//! recovery, reading again, salvaging, the segments, the flusher, and [`Wal`] on top.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ahead;
mod error;
mod flusher;
pub mod frame;
mod latest;
mod log;
mod read;
mod recover;
mod ring;
mod salvage;
pub mod scan;
mod segments;
mod sync;
mod sync_times;
mod wake;

pub use ahead::SEGMENT_MAX_BYTES;
pub use error::WalError;
pub use flusher::{Flusher, Progress};
pub use log::{FRAME_MAX_BYTES, FlusherThread, Policy, Status, Wal, WalOptions, spawn};
pub use read::{FrameReader, WINDOW_BYTES};
pub use recover::{Recovered, SegmentFile};
pub use ring::{Appended, Credit};
pub use salvage::{Gap, Salvaged};
pub use scan::{Frame, Scanner, Verdict};
pub use sync_times::SyncTimes;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod ring_tests;
#[cfg(test)]
mod shuttled;
#[cfg(test)]
mod tests;
