//! The walk over all keys: the image's slots, the pages they lead to, and the
//! log's tail on top.
//!
//! Owns the batches: the slots of some shards, sorted by address, so that the
//! tier is read in order, and the threads that share them. What a slot leads to
//! is `super::resolver`'s.

use super::pages::PageSource;
use super::resolver::Resolver;
use super::{Offline, Tail, damage_of};
use crate::address::Address;
use crate::image;
use crate::index::Location;
use crate::pending::Pending;
use crate::recovery;
use crate::store::StoreError;
use crate::tier::{Corruption, Decompressor, PagePlace};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use thermocline_base::limits::SHARD_COUNT;
use thermocline_base::{DatabaseId, KeyHash, Lsn, ShardId, UnixMillis};
use thermocline_types::{Limits, ValueRef};

/// How many slots are sorted by address together, at least: 16 MiB of them.
const BATCH_SLOTS: usize = 1 << 20;
/// How many slots a thread takes at once, at least.
const UNIT_SLOTS: usize = 1 << 12;

/// A key as it stands at the end of the log.
#[derive(Clone, Copy, Debug)]
pub struct OfflineKey<'a> {
    /// The number of its database.
    pub database: u8,
    /// The key.
    pub key: &'a [u8],
    /// What it holds.
    pub value: ValueRef<'a>,
    /// When it expires, or has expired: nobody looks at the clock here.
    pub expiry: Option<UnixMillis>,
}

/// What is told on the way.
pub trait KeyVisitor {
    /// The next key, in no order. A break ends the walk.
    fn key(&mut self, key: OfflineKey<'_>) -> ControlFlow<()>;

    /// What the server keeps for itself under this name, beside the keys. A break ends
    /// the walk.
    fn kept(&mut self, name: &[u8], value: ValueRef<'_>) -> ControlFlow<()> {
        let _ = (name, value);
        ControlFlow::Continue(())
    }

    /// Something is not what was written.
    fn damage(&mut self, damage: Corruption);

    /// The image names a record of `record_bytes` in the page or run at
    /// `place`, or the head of a long value names one of its parts there, and
    /// it is there; the log may have replaced it since.
    fn record(&mut self, place: PagePlace, record_bytes: usize) {
        let _ = (place, record_bytes);
    }

    /// Another slot of the image is done.
    fn progress(&mut self) {}

    /// This key is lost to damage that was told.
    fn lost_key(&mut self, database: DatabaseId, key: &[u8]) {
        let _ = (database, key);
    }

    /// Keys whose names are not known are lost to damage that was told: `count`
    /// of them that stood at `place`.
    fn lost_slots(&mut self, place: &str, count: u64) {
        let _ = (place, count);
    }

    /// All that the image names of this shard is lost to damage that was told.
    fn lost_shard(&mut self, shard: ShardId) {
        let _ = shard;
    }

    /// The next key is of such a shard and was found in the tier: it may have been
    /// deleted since.
    fn found_without_image(&mut self) {}
}

/// A slot with what makes it one of its shard and database. Ordered by address
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) address: Address,
    pub(super) database: DatabaseId,
    pub(super) shard: ShardId,
    pub(super) stored: u32,
    /// Whether another slot of the database has the same bits of the hash.
    pub(super) has_twin: bool,
}

/// What a slot knows of its key.
pub(super) type Name = (DatabaseId, ShardId, u32);

impl Entry {
    pub(super) const fn name(&self) -> Name {
        (self.database, self.shard, self.stored)
    }
}

/// Keys whose records are unknown because of damage.
#[derive(Default)]
pub(super) struct Lost {
    /// Shards whose piece of the image is lost.
    pub(super) shards: HashSet<ShardId>,
    /// Slots whose page is lost.
    slots: HashSet<Name>,
}

impl Lost {
    pub(super) fn add(&mut self, slot: &Entry) {
        self.slots.insert(slot.name());
    }

    pub(super) fn may_have(&self, database: DatabaseId, hash: KeyHash) -> bool {
        let shard = hash.shard();
        self.shards.contains(&shard) || self.slots.contains(&(database, shard, hash.stored()))
    }
}

/// What a walk over the keys is made of, for all its threads.
pub(super) struct Walk<'a> {
    pub(super) offline: &'a Offline,
    /// Without its effects, which are in `pending`.
    pub(super) tail: Tail,
    /// One a shard.
    pub(super) pending: Vec<Mutex<Pending>>,
    pub(super) limits: Limits,
    pub(super) lost: Mutex<Lost>,
    /// Keys of slots that have a twin.
    pub(super) twins: Mutex<HashSet<(DatabaseId, Vec<u8>)>>,
    /// Whether the intact records of damaged pages are wanted too.
    pub(super) salvages: bool,
}

/// What one thread of a walk needs.
struct Worker<'v, V: KeyVisitor + ?Sized> {
    resolver: Resolver<'v, V>,
    pages: PageSource,
}

impl<V: KeyVisitor + ?Sized> Worker<'_, V> {
    fn resolve_all(&mut self, walk: &Walk<'_>, slots: &[Entry]) -> ControlFlow<()> {
        let mut groups = slots.chunk_by(|a, b| a.address == b.address);
        groups.try_for_each(|group| self.resolver.resolve(walk, &mut self.pages, group))
    }

    fn scavenge(&mut self, walk: &Walk<'_>, shards: &HashSet<ShardId>) -> ControlFlow<()> {
        if shards.is_empty() {
            return ControlFlow::Continue(());
        }
        self.resolver.scavenge(walk, &mut self.pages, shards)
    }
}

impl Offline {
    /// Visits every key that is live at the end of the log, and takes the tail
    /// for it.
    ///
    /// # Errors
    /// If a dictionary of the manifest cannot be loaded.
    pub fn visit_keys(&self, tail: Tail, visitor: &mut dyn KeyVisitor) -> Result<(), StoreError> {
        self.walk_alone(&Walk::new(self, tail, false), visitor)
    }

    /// As [`Offline::visit_keys`], but what is intact in damaged pages is visited
    /// too.
    ///
    /// # Errors
    /// As [`Offline::visit_keys`].
    pub fn salvage_keys(&self, tail: Tail, visitor: &mut dyn KeyVisitor) -> Result<(), StoreError> {
        self.walk_alone(&Walk::new(self, tail, true), visitor)
    }

    fn walk_alone(&self, walk: &Walk<'_>, visitor: &mut dyn KeyVisitor) -> Result<(), StoreError> {
        let mut worker = self.worker(visitor)?;
        let mut first = 0;
        while first < SHARD_COUNT {
            let (slots, end) = walk.gather(first, worker.resolver.visitor)?;
            let lost = walk.lost.lock().shards.clone();
            if worker.resolve_all(walk, &slots).is_break()
                || (walk.salvages && worker.scavenge(walk, &lost).is_break())
                || (first..end)
                    .try_for_each(|it| worker.resolver.rest_of(walk, it))
                    .is_break()
            {
                break;
            }
            walk.end_batch();
            first = end;
        }
        Ok(())
    }

    /// As [`Offline::visit_keys`], on as many threads as there are visitors, of
    /// which each visits some of the keys. Damage of the image is told to the
    /// first.
    ///
    /// # Errors
    /// As [`Offline::visit_keys`].
    pub fn visit_keys_on<V: KeyVisitor + Send>(
        &self,
        tail: Tail,
        visitors: &mut [V],
    ) -> Result<(), StoreError> {
        let walk = Walk::new(self, tail, false);
        let workers = visitors.iter_mut().map(|visitor| self.worker(visitor));
        let mut workers = workers.collect::<Result<Vec<_>, _>>()?;
        let stopped = AtomicBool::new(false);
        let mut first = 0;
        while first < SHARD_COUNT && !stopped.load(Relaxed) {
            let Some(worker) = workers.first_mut() else {
                break;
            };
            let (slots, end) = walk.gather(first, worker.resolver.visitor)?;
            let units = units(&slots);
            on_threads(&mut workers, units.len(), &stopped, |worker, unit| {
                worker.resolve_all(&walk, &slots[units[unit].clone()])
            });
            // Only now is it known which records are lost.
            on_threads(&mut workers, end - first, &stopped, |worker, shard| {
                worker.resolver.rest_of(&walk, first + shard)
            });
            walk.end_batch();
            first = end;
        }
        Ok(())
    }

    fn worker<'v, V: KeyVisitor + ?Sized>(
        &self,
        visitor: &'v mut V,
    ) -> Result<Worker<'v, V>, StoreError> {
        let parts = PageSource::new(&self.disk, &self.manifest);
        let decompressor = Decompressor::new(&self.manifest.dictionaries)?;
        Ok(Worker {
            resolver: Resolver::new(visitor, parts, decompressor),
            pages: PageSource::new(&self.disk, &self.manifest),
        })
    }
}

/// Ranges of slots that one thread resolves at once; no address is in two.
fn units(slots: &[Entry]) -> Vec<Range<usize>> {
    let mut units = Vec::new();
    let mut start = 0;
    while start < slots.len() {
        let mut end = (start + UNIT_SLOTS).min(slots.len());
        while end < slots.len() && slots[end].address == slots[end - 1].address {
            end += 1;
        }
        units.push(start..end);
        start = end;
    }
    units
}

/// Has the workers do `count` things, each on a thread of its own.
fn on_threads<V: KeyVisitor + Send>(
    workers: &mut [Worker<'_, V>],
    count: usize,
    stopped: &AtomicBool,
    act: impl Fn(&mut Worker<'_, V>, usize) -> ControlFlow<()> + Sync,
) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in workers {
            scope.spawn(|| {
                while !stopped.load(Relaxed) {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= count {
                        break;
                    }
                    if act(worker, number).is_break() {
                        stopped.store(true, Relaxed);
                    }
                }
            });
        }
    });
}

impl<'a> Walk<'a> {
    fn new(offline: &'a Offline, mut tail: Tail, salvages: bool) -> Self {
        let pending = std::mem::take(&mut tail.pending);
        Self {
            offline,
            tail,
            pending: pending.into_iter().map(Mutex::new).collect(),
            limits: Limits {
                field_seed: offline.manifest.hash_seed,
                ..Limits::default()
            },
            lost: Mutex::default(),
            twins: Mutex::default(),
            salvages,
        }
    }

    /// No record that counts is newer.
    pub(super) fn newest_lsn(&self) -> Lsn {
        let end_lsn = self.offline.manifest.end_lsn;
        if self.salvages {
            end_lsn.max(self.tail.summary.end_lsn)
        } else {
            end_lsn
        }
    }

    /// Forgets what only counts for the slots of one batch.
    fn end_batch(&self) {
        *self.lost.lock() = Lost::default();
        self.twins.lock().clear();
    }

    /// The slots of shards from `first` on, by address, and where to go on.
    fn gather<V: KeyVisitor + ?Sized>(
        &self,
        first: usize,
        visitor: &mut V,
    ) -> Result<(Vec<Entry>, usize), StoreError> {
        let mut slots = Vec::new();
        let mut shard = first;
        while shard < SHARD_COUNT && slots.len() < BATCH_SLOTS {
            self.gather_shard(ShardId(shard as u16), &mut slots, visitor)?;
            shard += 1;
        }
        slots.sort_unstable();
        Ok((slots, shard))
    }

    fn gather_shard<V: KeyVisitor + ?Sized>(
        &self,
        shard: ShardId,
        slots: &mut Vec<Entry>,
        visitor: &mut V,
    ) -> Result<(), StoreError> {
        let Some(directory) = &self.offline.directory else {
            self.lost.lock().shards.insert(shard);
            visitor.lost_shard(shard);
            return Ok(());
        };
        let Some(piece) = directory.of_shard(shard).last() else {
            return Ok(());
        };
        let databases = match recovery::read_pieces(&self.offline.disk, directory, shard) {
            Ok(databases) => databases,
            Err(error) => {
                self.lost.lock().shards.insert(shard);
                let damage = damage_of(error, &image::file_name(piece.file))?;
                visitor.damage(damage);
                visitor.lost_shard(shard);
                return Ok(());
            }
        };
        for (database, named) in databases {
            // A flushed database's keys are void.
            if !self.tail.map.lives(database) {
                continue;
            }
            let before = slots.len();
            for slot in named {
                let (Some(Location::Cold(address)), Some(stored)) =
                    (slot.location(), slot.cold_stored())
                else {
                    continue;
                };
                let mut has_twin = false;
                if slots.len() > before
                    && let Some(last) = slots.last_mut()
                    && last.stored == stored
                {
                    has_twin = true;
                    last.has_twin = true;
                }
                slots.push(Entry {
                    address,
                    database,
                    shard,
                    stored,
                    has_twin,
                });
            }
        }
        Ok(())
    }
}
