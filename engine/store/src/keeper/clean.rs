//! Cleaning: a segment's live records move on, so that it can be written anew.
//!
//! Owns the scan of a segment against the index. Does not free segments: an
//! image begun after the scan does. The keeper's thread.
//!
//! A record lives if its key's slot, or the record in memory that is clean,
//! names the page it stands in. It moves as it is, its LSN too. Where the
//! tier is so full that the policy rules, records that were not used lately
//! and that the policy does not spare are evicted instead, and expired ones
//! always are: this is where keys on the tier expire.

use super::batch::BATCH_BYTES;
use super::{Cause, Keeper};
use crate::address::Address;
use crate::index::{Found, KeyTable, Location, Position};
use crate::memory::BEGIN_PERCENT;
use crate::settings::Policy;
use crate::shard::Shard;
use crate::store::{Store, StoreError};
use crate::tier::page::{declared_pages, find, names_place, records};
use crate::tier::segment::{PAGES_PER_SEGMENT, SEGMENT_BYTES};
use crate::tier::writer::WriteError;
use crate::tier::{Extent, PagePlace, SegmentNumber, SpaceState, Stream, TierRecord};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{DatabaseId, KeyHash, UnixMillis};
use thermocline_disk::{AlignedBuffer, File};

/// How much is read at a time.
const READ_PAGES: u32 = 256;
/// The rest after a segment that held little garbage, or could not be cleaned.
const REST: Duration = Duration::from_secs(1);
/// "Little": less than this share was gained, percent.
const LITTLE_PERCENT: u64 = 10;

/// A record that was copied and whose slot is to follow.
struct Moved {
    database: DatabaseId,
    hash: KeyHash,
    key: Vec<u8>,
    from: Address,
    to: Address,
    bytes: u32,
}

#[derive(Default)]
struct Relocation {
    moved: Vec<Moved>,
    bytes: usize,
    live_bytes: u64,
    count: u64,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum CleanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("page {page} of segment {segment} is damaged: {reason}")]
    Damaged {
        segment: u16,
        page: u32,
        reason: String,
    },
}

impl Keeper {
    /// Cleans one segment if that is due; true if another should follow at once.
    pub(super) fn clean(&mut self) -> bool {
        let store = Arc::clone(&self.store);
        if store.clock.monotonic() < self.cleaning_rests_until {
            return false;
        }
        // While what has expired has to stay it is no garbage, and a segment full of it would be
        // written anew again and again: at no time has anything expired then.
        let now = if store.may_remove() {
            store.now()
        } else {
            UnixMillis(i64::MIN)
        };
        self.writer.end_expired(&store.volume, now);
        let victim = store.volume.with_table(|table| {
            let due = table.cleaning_due(now);
            due.then(|| table.victim(now))
                .flatten()
                .filter(|&victim| table.begin_cleaning(victim))
        });
        let Some(victim) = victim else {
            return false;
        };
        let mut relocation = Relocation::default();
        match self.scan_segment(victim, &mut relocation) {
            Ok(()) => {
                store.volume.with_table(|table| table.finish_scan(victim));
                store.totals.segments_cleaned.fetch_add(1, Relaxed);
                store
                    .totals
                    .relocations
                    .fetch_add(relocation.count, Relaxed);
                let little = SEGMENT_BYTES / 100 * (100 - LITTLE_PERCENT);
                if relocation.live_bytes > little {
                    self.cleaning_rests_until = store.clock.monotonic() + REST;
                }
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a segment of the tier cannot be cleaned");
                let is_damaged = matches!(error, CleanError::Damaged { .. });
                store.volume.with_table(|table| {
                    table.abandon_cleaning(victim);
                    if is_damaged {
                        table.let_alone(victim);
                    }
                });
                self.cleaning_rests_until = store.clock.monotonic() + REST;
                false
            }
        }
    }

    /// Moves on what lives in segments that could not be synced: no image may
    /// name them. They are free once the next image is durable.
    pub(super) fn clear_distrusted(&mut self) -> Result<(), CleanError> {
        let store = Arc::clone(&self.store);
        while let Some(segment) = self.writer.distrusted() {
            // One that was cleaned since holds nothing that lives.
            if store
                .volume
                .with_table(|table| table.begin_cleaning(segment))
            {
                let mut relocation = Relocation::default();
                let scanned = self.scan_segment(segment, &mut relocation);
                // A page that the failed sync lost was not met by the scan.
                let cleared = scanned.and_then(|()| must_not_be_named(&store, segment));
                if let Err(error) = cleared {
                    store
                        .volume
                        .with_table(|table| table.abandon_cleaning(segment));
                    return Err(error);
                }
                store.volume.with_table(|table| table.finish_scan(segment));
            }
            self.writer.forget(segment);
        }
        Ok(())
    }

    fn scan_segment(
        &mut self,
        victim: SegmentNumber,
        relocation: &mut Relocation,
    ) -> Result<(), CleanError> {
        let store = Arc::clone(&self.store);
        let file = store.volume.file(victim).map_err(StoreError::from)?;
        let Some(incarnation) = store.volume.with_table(|table| table.incarnation(victim)) else {
            return Ok(());
        };
        let mut page = 0;
        let mut unreadable: Option<(u32, String)> = None;
        let mut has_hole = false;
        let mut chunk = AlignedBuffer::new(READ_PAGES as usize * PAGE_BYTES);
        let mut chunk_from = u32::MAX;
        while page < PAGES_PER_SEGMENT {
            let aligned = page / READ_PAGES * READ_PAGES;
            if chunk_from != aligned {
                read_pages(&file, aligned, &mut chunk)?;
                chunk_from = aligned;
            }
            let place = PagePlace {
                segment: victim,
                incarnation,
                page,
            };
            let bytes = &chunk[(page - aligned) as usize * PAGE_BYTES..];
            if unreadable.is_some() && !names_place(bytes, place) {
                page += 1;
                continue;
            }
            let pages = declared_pages(bytes, place).unwrap_or(1).max(1);
            let long;
            let bytes = if pages * PAGE_BYTES > bytes.len() {
                let mut run = AlignedBuffer::new(pages * PAGE_BYTES);
                read_pages(&file, page, &mut run)?;
                long = run;
                &long[..]
            } else {
                bytes
            };
            match records(bytes, place).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Ok(found) => {
                    has_hole |= unreadable.is_some();
                    self.examine(place, pages as u32, &found, relocation)?;
                    page += pages as u32;
                }
                Err(error) => {
                    unreadable.get_or_insert((page, error.to_string()));
                    page += 1;
                }
            }
            if relocation.bytes >= BATCH_BYTES {
                self.follow(relocation)?;
                self.observe();
                if store.memory.is_above(&store.settings, BEGIN_PERCENT) {
                    self.relieve(1);
                }
            }
        }
        self.follow(relocation)?;
        // The pages of a life are written in order: those that cannot be read
        // are behind the last, or a power cut tore them before anything named
        // them, or they are damaged.
        match unreadable.filter(|_| has_hole) {
            Some((page, reason)) => {
                tracing::warn!(segment = victim.0, page, reason, "a page cannot be read");
                must_not_be_named(&store, victim)
            }
            None => Ok(()),
        }
    }

    /// Copies the records of one page or run that live.
    fn examine(
        &mut self,
        place: PagePlace,
        pages: u32,
        found: &[TierRecord<'_>],
        relocation: &mut Relocation,
    ) -> Result<(), CleanError> {
        let store = Arc::clone(&self.store);
        let number = u32::from(place.segment.0) * PAGES_PER_SEGMENT + place.page;
        let Some(from) = Address::new(number, pages) else {
            return Ok(());
        };
        let now = store.now();
        let space = store.space_state();
        for record in found {
            let hash = store.seed.hash(record.database, record.key);
            if record.extent == Extent::Part {
                self.follow(relocation)?;
                self.move_part(from, hash, record, relocation)?;
                continue;
            }
            let mut shard = store.shards[hash.shard().index()].lock();
            let Some((position, is_cold, frequency)) = live(&shard, hash, record, from) else {
                continue;
            };
            let has_expired = record.expiry.is_some_and(|expiry| expiry < now);
            let is_evicted = space == SpaceState::Policy
                && frequency == 0
                && record.database != DatabaseId::SYSTEM
                && evicts(&store, record.expiry.is_some());
            let cause = if has_expired {
                Some(Cause::Expired)
            } else {
                is_evicted.then_some(Cause::Evicted)
            };
            let cause = cause.filter(|_| store.may_remove());
            if is_cold && let Some(cause) = cause {
                let (database, key) = (record.database, record.key);
                Self::delete_slot(&store, &mut shard, database, position, key, cause);
                store.recount(&mut shard);
                continue;
            }
            drop(shard);
            let stream = if space == SpaceState::Ample {
                Stream::of(record.expiry, now, true)
            } else {
                // Where space is short only this one may take the reserve.
                Stream::Relocated
            };
            let placed = self
                .writer
                .place_stored(&store.volume, stream, hash, record, now)?;
            relocation.bytes += placed.bytes as usize;
            relocation.live_bytes += u64::from(placed.bytes);
            relocation.moved.push(Moved {
                database: record.database,
                hash,
                key: record.key.to_vec(),
                from,
                to: placed.address,
                bytes: placed.bytes,
            });
        }
        Ok(())
    }

    /// Moves a part of a long value on, if its key's head still lists it: the
    /// part is written elsewhere, and the head anew.
    fn move_part(
        &mut self,
        from: Address,
        hash: KeyHash,
        part: &TierRecord<'_>,
        relocation: &mut Relocation,
    ) -> Result<(), CleanError> {
        let store = Arc::clone(&self.store);
        let now = store.now();
        let candidates: SmallVec<[Address; 2]> = {
            let shard = store.shards[hash.shard().index()].lock();
            let Some(table) = shard.table(part.database) else {
                return Ok(());
            };
            match table.find(hash, part.key) {
                Found::Hot(position) => {
                    let record = table.record(position).filter(|record| record.is_clean());
                    record
                        .and_then(crate::record::Record::address)
                        .into_iter()
                        .collect()
                }
                Found::Cold(candidates) => candidates.iter().map(|(_, at)| *at).collect(),
            }
        };
        for head_at in candidates {
            let place = store.volume.place(head_at);
            let mut bytes = AlignedBuffer::new(head_at.pages() as usize * PAGE_BYTES);
            let file = store.volume.file(place.segment).map_err(StoreError::from)?;
            read_pages(&file, place.page, &mut bytes)?;
            // The key may be long: the header of the first page tells the rest.
            let pages = declared_pages(&bytes, place).unwrap_or(0);
            if pages * PAGE_BYTES > bytes.len() {
                bytes = AlignedBuffer::new(pages * PAGE_BYTES);
                read_pages(&file, place.page, &mut bytes)?;
            }
            // Whatever else stands there is not this part's head.
            let Ok(Some(head)) = find(&bytes, place, part.database, part.key) else {
                continue;
            };
            if !head.parts().any(|address| address == from) {
                continue;
            }
            let stream = Stream::Relocated;
            let placed = self
                .writer
                .place_stored(&store.volume, stream, hash, part, now)?;
            let list: Vec<u8> = head
                .parts()
                .map(|address| {
                    if address == from {
                        placed.address
                    } else {
                        address
                    }
                })
                .flat_map(|address| address.to_bits().to_le_bytes())
                .collect();
            let moved_head = TierRecord {
                value: head.value.with_stored(&list),
                ..head
            };
            let head_to =
                self.writer
                    .place_stored(&store.volume, stream, hash, &moved_head, now)?;
            relocation.live_bytes += u64::from(placed.bytes);
            relocation.moved.push(Moved {
                database: part.database,
                hash,
                key: part.key.to_vec(),
                from: head_at,
                to: head_to.address,
                bytes: head_to.bytes,
            });
            store
                .volume
                .replace_part(head_at, from, placed.address, placed.bytes);
            return self.follow(relocation);
        }
        Ok(())
    }

    /// Writes what was copied, and has the slots follow.
    fn follow(&mut self, relocation: &mut Relocation) -> Result<(), CleanError> {
        let store = Arc::clone(&self.store);
        self.writer.flush(&store.volume, store.now())?;
        relocation.bytes = 0;
        for moved in relocation.moved.drain(..) {
            let mut shard = store.shards[moved.hash.shard().index()].lock();
            let has_followed = point_at(&mut shard, &moved);
            drop(shard);
            if has_followed {
                relocation.count += 1;
                store.volume.move_parts(moved.from, moved.to);
            } else {
                store.volume.record_died(moved.to, u64::from(moved.bytes));
            }
        }
        Ok(())
    }
}

/// Has the key's slot, or its clean record, name the new place if it still
/// names the old one.
fn point_at(shard: &mut Shard, moved: &Moved) -> bool {
    if is_planted(Bug::StaleSlotAfterCleaning) {
        return true;
    }
    let Some(table) = shard.table_mut(moved.database) else {
        return false;
    };
    match table.find(moved.hash, &moved.key) {
        Found::Hot(position) => {
            let is_copy = table
                .record(position)
                .is_some_and(|it| it.is_clean() && it.address() == Some(moved.from));
            if is_copy {
                table.set_address(position, moved.to);
                shard.changed.insert(moved.hash);
            }
            is_copy
        }
        Found::Cold(candidates) => {
            let found = candidates
                .iter()
                .find(|(_, address)| *address == moved.from);
            let Some((position, _)) = found else {
                return false;
            };
            table.relocate(*position, moved.hash, moved.to);
            shard.changed.insert(moved.hash);
            true
        }
    }
}

/// Whether the policy would let a key go.
fn evicts(store: &Store, expires: bool) -> bool {
    let policy = store.settings.policy();
    policy != Policy::NoEviction && (expires || !policy.is_volatile())
}

/// Where the slot of a record that lives is, whether it is cold, and how often
/// it was used lately.
fn live(
    shard: &Shard,
    hash: KeyHash,
    record: &TierRecord<'_>,
    at: Address,
) -> Option<(Position, bool, u8)> {
    let table = shard.table(record.database)?;
    let (position, is_cold) = match table.find(hash, record.key) {
        Found::Hot(position) => {
            let copy = table.record(position)?;
            if !copy.is_clean() || copy.address() != Some(at) {
                return None;
            }
            (position, false)
        }
        Found::Cold(candidates) => {
            let (position, _) = candidates.into_iter().find(|(_, address)| *address == at)?;
            (position, true)
        }
    };
    Some((position, is_cold, table.slot(position).frequency()))
}

/// Fails if a key's slot, or a clean record, names a page of `segment`: one that
/// its scan did not meet, so the page cannot be read.
fn must_not_be_named(store: &Store, segment: SegmentNumber) -> Result<(), CleanError> {
    const SLICE_KEYS: usize = 256;
    for shard in &store.shards {
        let databases: Vec<_> = {
            let shard = shard.lock();
            shard.tables().iter().map(KeyTable::database).collect()
        };
        for database in databases {
            let mut cursor = Some(0);
            while let Some(at) = cursor {
                let mut named = None;
                let shard = shard.lock();
                let Some(table) = shard.table(database) else {
                    break;
                };
                cursor = table.scan(at, SLICE_KEYS, |_, slot, record| {
                    let address = match (record, slot.location()) {
                        (Some(record), _) if record.is_clean() => record.address(),
                        (None, Some(Location::Cold(address))) => Some(address),
                        _ => None,
                    };
                    let page = address.map(Address::page);
                    named = named
                        .or(page.filter(|page| page / PAGES_PER_SEGMENT == u32::from(segment.0)));
                });
                if let Some(page) = named {
                    return Err(CleanError::Damaged {
                        segment: segment.0,
                        page: page % PAGES_PER_SEGMENT,
                        reason: "a key is there, and no page can be read".to_owned(),
                    });
                }
            }
        }
    }
    Ok(())
}

fn read_pages(file: &File, page: u32, buffer: &mut AlignedBuffer) -> Result<(), StoreError> {
    let offset = u64::from(page) * PAGE_BYTES as u64;
    let read = file.read_at(offset, buffer)?;
    buffer[read..].fill(0);
    Ok(())
}
