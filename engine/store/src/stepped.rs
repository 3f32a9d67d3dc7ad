//! A store without threads: whoever opens it has each part of the work done,
//! in the order it likes. For a simulation, where one seed decides that order.
//!
//! Owns who tends such a store. Does none of the work: the keeper and the
//! flusher do, a step at a time. One thread.

use crate::keeper::Keeper;
use crate::recovery;
use crate::settings::LogSizes;
use crate::store::{Built, StartReport, Store, StoreError, StoreOptions};
use std::sync::Arc;
use thermocline_disk::{DirectoryLock, Disk};
use thermocline_wal::Progress;

/// Tends a store that has no threads. The store ends with it, as a process does
/// that is killed; [`Attendant::close`] ends it well.
pub struct Attendant {
    store: Arc<Store>,
    keeper: Keeper,
    _lock: DirectoryLock,
}

impl Store {
    /// As [`Store::open`], with a log of these sizes and without threads:
    /// nothing is demoted, expired, cleaned, written or synced but by the
    /// attendant. What waits for the log has it go on.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_stepped(
        disk: Disk,
        options: StoreOptions,
        log: LogSizes,
    ) -> Result<(Arc<Self>, Attendant, StartReport), StoreError> {
        let opened = recovery::open(&disk, &options, log)?;
        let built = Self::build(disk, options, opened, true)?;
        let Built {
            store,
            keeper,
            lock,
            report,
            ..
        } = built;
        keeper.begin();
        let attendant = Attendant {
            store: Arc::clone(&store),
            keeper,
            _lock: lock,
        };
        Ok((store, attendant, report))
    }

    /// One step of the flusher of a store without threads; of another, nothing.
    ///
    /// # Errors
    /// What the disk refused; see `Flusher::step`.
    pub fn step_log(&self) -> Result<Progress, StoreError> {
        Ok(self.log.step()?)
    }

    /// Whether all shards have come up since the start and the log's tail is
    /// applied.
    #[must_use]
    pub fn has_settled(&self) -> bool {
        self.is_settled()
    }
}

impl Attendant {
    /// One round of the keeper; whether there is more to do at once.
    pub fn step_keeper(&mut self) -> bool {
        self.keeper.tick()
    }

    /// Makes everything durable, with a last checkpoint if `checkpoint`, and
    /// seals the log. No one else may hold the store.
    ///
    /// # Errors
    /// What the disk refused; what was acknowledged is in the log all the same.
    ///
    /// # Panics
    /// If someone still holds the store.
    pub fn close(self, checkpoint: bool) -> Result<(), StoreError> {
        let Self {
            store, mut keeper, ..
        } = self;
        store.control.stop(checkpoint);
        if let Err(reason) = keeper.end() {
            tracing::warn!(reason, "the last checkpoint failed");
        }
        drop(keeper);
        let store = Arc::into_inner(store);
        let store = store.expect("the attendant holds the store alone");
        if let Some(flusher) = store.log.into_flusher() {
            flusher.close()?;
        }
        Ok(())
    }
}
