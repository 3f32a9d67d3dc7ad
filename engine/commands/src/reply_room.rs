//! What replies may take while they are written, all of them together.
//!
//! Owns one bound and one sum. A reply is written whole before any of it can be sent, so a
//! few requests for much could otherwise take all the memory before anybody looks. Any
//! thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes of each buffer that are free: nearly all replies stay below and share nothing.
const FREE_BYTES: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub struct ReplyRoom {
    most_bytes: AtomicU64,
    taken_bytes: AtomicU64,
}

impl Default for ReplyRoom {
    /// Without a bound.
    fn default() -> Self {
        Self {
            most_bytes: AtomicU64::new(u64::MAX),
            taken_bytes: AtomicU64::new(0),
        }
    }
}

impl ReplyRoom {
    /// Sets what all large replies may take together; `u64::MAX` is no bound.
    pub fn set_most_bytes(&self, bytes: u64) {
        // Often the same, and read by all threads.
        if self.most_bytes.load(Relaxed) != bytes {
            self.most_bytes.store(bytes, Relaxed);
        }
    }

    /// Takes so many bytes more, if they are there.
    fn take(&self, bytes: u64) -> bool {
        let most_bytes = self.most_bytes.load(Relaxed);
        let taken = self.taken_bytes.fetch_update(Relaxed, Relaxed, |taken| {
            let sum = taken.saturating_add(bytes);
            (sum <= most_bytes).then_some(sum)
        });
        taken.is_ok()
    }
}

/// The part of the room that one buffer has taken; given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share {
    /// Without a room there is no bound.
    room: Option<Arc<ReplyRoom>>,
    taken_bytes: u64,
}

impl Share {
    /// An empty share of the same room.
    pub(crate) fn sibling(&self) -> Self {
        Self {
            room: self.room.clone(),
            taken_bytes: 0,
        }
    }

    /// Takes from this room from here on.
    pub(crate) fn set_room(&mut self, room: Option<&Arc<ReplyRoom>>) {
        if self.room.as_ref().map(Arc::as_ptr) != room.map(Arc::as_ptr) {
            self.clear();
            self.room = room.cloned();
        }
    }

    /// Takes what a buffer of so many bytes needs, if it is there.
    pub(crate) fn grow_to(&mut self, buffer_bytes: usize) -> bool {
        let Some(room) = &self.room else { return true };
        let wanted_bytes = buffer_bytes.saturating_sub(FREE_BYTES) as u64;
        let more_bytes = wanted_bytes.saturating_sub(self.taken_bytes);
        let is_had = more_bytes == 0 || room.take(more_bytes);
        if is_had {
            self.taken_bytes = self.taken_bytes.saturating_add(more_bytes);
        }
        is_had
    }

    /// Gives everything back.
    pub(crate) fn clear(&mut self) {
        if let Some(room) = &self.room {
            room.taken_bytes
                .fetch_sub(std::mem::take(&mut self.taken_bytes), Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.clear();
    }
}
