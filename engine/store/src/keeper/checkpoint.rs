//! The checkpoint: an image of the index at the tier, and the position of the
//! log from which it is to be completed.
//!
//! Owns the order in which things become durable. Never stops a writer: each
//! slice holds one shard's lock for the copy of some hundred slots and of the
//! dirty records among them. The keeper's thread.
//!
//! 1. `X` is the log's end. Everything below is applied wherever its shard is
//!    not locked.
//! 2. Slice by slice in the order of hashes, each key's place on the tier is
//!    noted, but for ranges of keys that have not changed since the last image; a dirty record is captured and placed in the same slice, so the
//!    image names a record that contains every change of its key up to the
//!    slice, and later ones are in the log above `X`. A key absent in its slice
//!    was absent at a moment after `X`: the log tells the rest. A crash here:
//!    the old manifest, and an image file that nobody names.
//! 3. The tier is synced, then the image, then the log up to its end after the
//!    last slice, since the image shows what those frames did. A crash here:
//!    as before.
//! 4. The manifest is replaced. A crash before: the old checkpoint, whose log
//!    and segments are all there. After: the new one.
//! 5. The manifest's copy is replaced; while it is the old one, all that the old one
//!    leads to is there. What only the old one needed is given up: the log below `X`, image files,
//!    segments whose cleaning had ended before 1.

use super::Keeper;
use super::batch::BATCH_BYTES;
use super::clean::CleanError;
use crate::image::{self, Directory, PIECES_MAX, PieceBuilder, PieceReference, RangeSet};
use crate::index::{Found, KeyTable, Location, Slot};
use crate::manifest::{COPY_NAME, FILE_NAME, ImageReference, Manifest};
use crate::memory::BEGIN_PERCENT;
use crate::store::StoreError;
use crate::tier::SpaceState;
use crate::tier::writer::WriteError;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{DatabaseId, KeyHash, Lsn, ShardId, UnixMillis};
use thermocline_disk::{File, OpenMode};

/// Slots a slice holds the lock for.
const SLICE_KEYS: usize = 256;
/// How long a failed checkpoint waits before it is tried again unasked.
const RETRY: Duration = Duration::from_secs(1);
/// All pieces are written anew once the files take twice as much as the pieces,
/// and this much more.
const GARBAGE_BYTES: u64 = 16 << 20;

/// All pieces are written anew once they stand in more files than this.
const FILES_MAX: usize = 64;

#[derive(Debug, thiserror::Error)]
enum CheckpointError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Clean(#[from] CleanError),
    #[error("the log cannot be made durable: {0}")]
    Log(String),
}

impl From<thermocline_disk::DiskError> for CheckpointError {
    fn from(error: thermocline_disk::DiskError) -> Self {
        Self::Store(error.into())
    }
}

/// What a slice saw of a key.
struct Seen {
    stored: u32,
    frequency: u8,
    place: Place,
}

enum Place {
    At(crate::address::Address),
    /// Captured, as this record of the batch.
    Captured(usize),
}

/// The ranges of a shard that the next image writes, given its pieces and what changed
/// since: all if there is no whole piece yet, or if the others have become many or half as
/// long as the whole one.
fn ranges_to_write(pieces: &[PieceReference], changed: RangeSet) -> RangeSet {
    let Some((whole, later)) = pieces.split_first() else {
        return if changed.is_empty() {
            changed
        } else {
            RangeSet::ALL
        };
    };
    let later_bytes: u64 = later.iter().map(|piece| u64::from(piece.bytes)).sum();
    let changed_bytes = u64::from(whole.bytes) * u64::from(changed.count()) / 64;
    let is_much = later_bytes + changed_bytes > u64::from(whole.bytes) / 2;
    if !changed.is_empty() && (is_much || pieces.len() >= PIECES_MAX) {
        RangeSet::ALL
    } else {
        changed
    }
}

impl Keeper {
    /// Whether it is time for one.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        let store = &self.store;
        let state = store.control.checkpoint();
        if store.control.requested() > state.served {
            return true;
        }
        let now = store.clock.monotonic();
        if now < self.checkpoint_rests_until {
            return false;
        }
        let changes = store.changes_since_checkpoint();
        let log_bytes = store.log.appended_lsn().bytes_since(state.lsn);
        let interval = Duration::from_millis(store.settings.checkpoint_interval_ms());
        let segments_wait = store.volume.with_table(|table| {
            table.segments_waiting() > 0 && table.space_state() != SpaceState::Ample
        });
        let is_late = log_bytes >= store.settings.checkpoint_wal_bytes()
            || now >= self.checkpointed_at + interval;
        // What a checkpoint retires may be the room that the disk lacks.
        let is_short = store.log.failure().is_some()
            && log_bytes > PAGE_BYTES as u64
            && now >= self.checkpointed_at + RETRY;
        changes > 0 && is_late || is_short || segments_wait
    }

    /// Tells those who ask for a checkpoint that there can be none.
    pub(super) fn refuse_checkpoints(&self) {
        let control = &self.store.control;
        let requested = control.requested();
        if requested > control.checkpoint().served
            && let Some(reason) = control.damage()
        {
            control.with_checkpoint(|state| {
                state.served = requested;
                state.failure = Some(reason);
            });
            control.checkpointed.notify_waiters();
        }
    }

    /// Makes a checkpoint. On return it is durable.
    pub(super) fn checkpoint(&mut self) -> Result<(), String> {
        let store = Arc::clone(&self.store);
        let ticket = store.control.requested();
        store
            .control
            .with_checkpoint(|state| state.is_running = true);
        let begun = store.clock.monotonic();
        let changes = store.totals.changes.load(Relaxed);
        let may_exceed = |may| store.volume.with_table(|table| table.set_may_exceed(may));
        may_exceed(true);
        self.release_ballast();
        let result = self.try_checkpoint().map_err(|error| error.to_string());
        may_exceed(false);
        self.keep_ballast();
        let now = store.clock.monotonic();
        if let Err(reason) = &result {
            tracing::warn!(reason, "the checkpoint failed; the last one stays");
            // Captured and not settled: were it settled later, it could name a
            // segment that was cleaned in between.
            self.batch.clear();
            // What was noted as unchanged may be in no image.
            for shard in &store.shards {
                shard.lock().changed = RangeSet::ALL;
            }
            self.checkpoint_rests_until = now + RETRY;
        } else {
            self.checkpointed_at = now;
        }
        store.control.with_checkpoint(|state| {
            state.is_running = false;
            state.served = ticket;
            state.failure = result.as_ref().err().cloned();
            if result.is_ok() {
                state.at_s = store.now().0 / 1000;
                state.took_ms = now.saturating_sub(begun).as_millis() as i64;
                state.count += 1;
                state.lsn = self.manifest.checkpoint_lsn;
                state.changes = changes;
            }
        });
        store.control.checkpointed.notify_waiters();
        result
    }

    fn try_checkpoint(&mut self) -> Result<(), CheckpointError> {
        let store = Arc::clone(&self.store);
        self.clear_distrusted()?;
        // 1.
        let checkpoint_lsn = store.log.position();
        let ticket = store
            .volume
            .with_table(crate::tier::SegmentTable::image_begun);
        // 2.
        let number = self.next_image;
        self.next_image += 1;
        let file = self.create_image(number)?;
        let rewrites_all = self.images_are_mostly_garbage()?;
        let mut pieces = Vec::with_capacity(store.shards.len());
        let mut offset = 0;
        for index in 0..store.shards.len() {
            let id = ShardId(index as u16);
            let changed = std::mem::take(&mut store.shards[index].lock().changed);
            let before = self.directory.of_shard(id);
            let ranges = if rewrites_all {
                RangeSet::ALL
            } else {
                ranges_to_write(before, changed)
            };
            if ranges != RangeSet::ALL {
                pieces.extend_from_slice(before);
            }
            if ranges.is_empty() {
                continue;
            }
            let (slots, bytes) = self.image_of(id, number, ranges)?;
            if slots == 0 && ranges == RangeSet::ALL {
                continue;
            }
            file.write_all_at(offset, &bytes)
                .map_err(StoreError::from)?;
            pieces.push(PieceReference {
                shard: id,
                ranges,
                file: number,
                offset,
                bytes: bytes.len() as u32,
            });
            offset += bytes.len() as u64;
            self.observe();
            if store.memory.is_above(&store.settings, BEGIN_PERCENT) {
                self.finish_batch(false)?;
                self.relieve(1);
            }
        }
        self.finish_batch(false)?;
        // 3.
        self.writer
            .sync(&store.volume, store.now())
            .map_err(StoreError::from)?;
        let key_count = store
            .shards
            .iter()
            .map(|shard| {
                shard
                    .lock()
                    .tables()
                    .iter()
                    .map(|it| it.len() as u64)
                    .sum::<u64>()
            })
            .sum();
        let directory = Directory {
            number,
            key_count,
            pieces,
        };
        let bytes = directory.encode();
        file.write_all_at(offset, &bytes)
            .map_err(StoreError::from)?;
        if !is_planted(Bug::SkippedImageSync) {
            file.sync_data().map_err(StoreError::from)?;
        }
        store.disk.sync_directory(image::DIRECTORY_NAME)?;
        // The map changes under all shard locks: with one held, its frame is
        // below the end.
        let databases = {
            let _shard = store.shards[0].lock();
            store.database_map()
        };
        let end_lsn = store.log.position();
        if is_planted(Bug::LogRetiredEarly) {
            store.log.wal().retire(checkpoint_lsn, None);
        }
        if !is_planted(Bug::LogBehindManifest) {
            self.make_durable(end_lsn)?;
        }
        // 4.
        let manifest = Manifest {
            databases,
            databases_lsn: checkpoint_lsn,
            dictionaries: self.writer.dictionaries().to_vec(),
            segments: store.volume.with_table(|table| table.entries()),
            image: Some(ImageReference {
                number,
                bytes: offset + bytes.len() as u64,
                crc32: directory.crc32(),
            }),
            checkpoint_lsn,
            end_lsn,
            ..self.manifest.clone()
        };
        let encoded = manifest.encode().map_err(StoreError::from)?;
        store.disk.replace_durably(FILE_NAME, &encoded)?;
        // 5.
        if let Err(error) = store.disk.replace_durably(COPY_NAME, &encoded) {
            // An older one leads a repair to less, or to nothing.
            tracing::warn!(%error, "the copy of the manifest is not written");
        }
        self.manifest = manifest;
        self.directory = directory;
        store.volume.image_durable(ticket);
        self.retire_log(checkpoint_lsn);
        self.remove_old_images();
        Ok(())
    }

    fn create_image(&self, number: u64) -> Result<File, CheckpointError> {
        let disk = &self.store.disk;
        disk.create_directory(image::DIRECTORY_NAME)?;
        disk.sync_directory("")?;
        let name = image::file_name(number);
        // Left behind by a checkpoint that did not end.
        match disk.remove(&name) {
            Err(error) if error.io_error_kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Ok(disk.open_file(&name, OpenMode::CreateNew, false)?)
    }

    /// The piece of some ranges of a shard; how many slots it has.
    fn image_of(
        &mut self,
        id: ShardId,
        number: u64,
        ranges: RangeSet,
    ) -> Result<(usize, Vec<u8>), CheckpointError> {
        let store = Arc::clone(&self.store);
        let mut databases: Vec<DatabaseId> = {
            let shard = store.shards[id.index()].lock();
            shard.tables().iter().map(KeyTable::database).collect()
        };
        databases.sort_unstable();
        let mut piece = PieceBuilder::new(number, id, ranges);
        let mut slots = 0;
        for database in databases {
            piece.begin_database(database);
            for span in ranges.spans() {
                let mut at = span.start;
                while at < span.end {
                    let (mut seen, next) = self.slice(id, database, at..span.end);
                    at = next.unwrap_or(span.end);
                    self.place_batch()?;
                    seen.sort_unstable_by_key(|seen| seen.stored);
                    for one in seen {
                        let address = match one.place {
                            Place::At(address) => Some(address),
                            Place::Captured(index) => self.batch.address(index),
                        };
                        let Some(address) = address else { continue };
                        let hash = KeyHash::from_stored(id, one.stored);
                        piece.push(Slot::cold(address, hash).with_frequency(one.frequency));
                        slots += 1;
                    }
                    if self.batch.bytes() >= BATCH_BYTES {
                        self.finish_batch(false)?;
                    }
                }
            }
        }
        Ok((slots, piece.finish()))
    }

    /// One slice, under the shard's lock; where to go on.
    fn slice(
        &mut self,
        id: ShardId,
        database: DatabaseId,
        span: Range<u32>,
    ) -> (Vec<Seen>, Option<u32>) {
        let store = Arc::clone(&self.store);
        let mut seen = Vec::with_capacity(SLICE_KEYS);
        let mut dirty: Vec<(usize, KeyHash, Vec<u8>)> = Vec::new();
        let mut shard = store.shards[id.index()].lock();
        let lsn = store.log.appended_lsn();
        let Some(table) = shard.table(database) else {
            return (seen, None);
        };
        let next = table.scan(span.start, SLICE_KEYS, |stored, slot, record| {
            if stored >= span.end {
                return;
            }
            let place = match (record, slot.location()) {
                (Some(record), _) => {
                    let parts = record.parts();
                    match parts.address.filter(|_| parts.is_clean) {
                        Some(address) => Place::At(address),
                        None => {
                            let hash = store.seed.hash(database, parts.key);
                            dirty.push((seen.len(), hash, parts.key.to_vec()));
                            Place::Captured(0)
                        }
                    }
                }
                (None, Some(Location::Cold(address))) => Place::At(address),
                (None, _) => return,
            };
            seen.push(Seen {
                stored,
                frequency: slot.frequency(),
                place,
            });
        });
        for (index, hash, key) in dirty {
            let found = shard.table(database).map(|table| table.find(hash, &key));
            if let Some(Found::Hot(position)) = found {
                seen[index].place = Place::Captured(self.batch.len());
                super::relieve::capture(&mut self.batch, id, &mut shard, database, position, lsn);
            }
        }
        (seen, next)
    }

    /// Waits until the log is durable up to `lsn`.
    fn make_durable(&self, lsn: Lsn) -> Result<(), CheckpointError> {
        let log = &self.store.log;
        if !log.is_kept() {
            return Ok(());
        }
        log.wal().request_durable(lsn);
        while log.wal().durable_lsn() < lsn {
            if let Some(reason) = log.failure() {
                return Err(CheckpointError::Log(reason));
            }
            log.wait(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Gives up the log but for what a start needs and what is to be retained; on a disk
    /// without room all but the former.
    fn retire_log(&self, checkpoint_lsn: Lsn) {
        let store = &self.store;
        let wal = store.log.wal();
        if store.log.failure().is_some() {
            return wal.retire(checkpoint_lsn, None);
        }
        let retained_bytes = store.settings.wal_retention_bytes();
        let below = checkpoint_lsn.min(Lsn(wal.durable_lsn().0.saturating_sub(retained_bytes)));
        let retained_s = store.settings.wal_retention_seconds();
        let retained_ms = i64::try_from(retained_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let until = UnixMillis(store.clock.now().0.saturating_sub(retained_ms));
        wal.retire(below, (retained_s > 0).then_some(until));
    }

    /// Image files that the directory's pieces stand in.
    pub(super) fn image_files(&self) -> BTreeSet<u64> {
        let pieces = self.directory.pieces.iter().map(|piece| piece.file);
        pieces.chain([self.directory.number]).collect()
    }

    fn images_are_mostly_garbage(&self) -> Result<bool, CheckpointError> {
        let files = self.image_files();
        if files.len() > FILES_MAX {
            return Ok(true);
        }
        let mut file_bytes = 0;
        for number in files {
            if number > 0 {
                let name = image::file_name(number);
                let file = self.store.disk.open_file(&name, OpenMode::Read, false)?;
                file_bytes += file.size_bytes().map_err(StoreError::from)?;
            }
        }
        Ok(file_bytes > self.directory.pieces_bytes() * 2 + GARBAGE_BYTES)
    }

    /// Removes image files that the durable manifest does not lead to. One that
    /// cannot be removed is tried again by the next checkpoint.
    fn remove_old_images(&self) {
        let disk = &self.store.disk;
        let keep: BTreeSet<String> = self
            .image_files()
            .into_iter()
            .map(image::file_name)
            .collect();
        for name in disk.list(image::DIRECTORY_NAME).unwrap_or_default() {
            let name = format!("{}/{name}", image::DIRECTORY_NAME);
            if !keep.contains(&name)
                && let Err(error) = disk.remove(&name)
            {
                tracing::warn!(%error, "an old image stays");
            }
        }
    }
}
