//! From a data directory to a store that can serve: the manifest, the image's
//! directory, the log's tail.
//!
//! Owns the order of the start. Values are not read here: every key begins
//! cold, a shard's part of the image comes up when it is first touched or in
//! the background, and the effects of the log's tail wait on their keys. Runs
//! on the thread that opens the store, before any other.
//!
//! What a crash leaves at each step of a first start:
//! 1. A directory and its lock: new again.
//! 2. The manifest, made durable before anything else exists: an empty store.
//! 3. The log's first segment: an empty store with an empty log.

use crate::effect::{self, DatabaseMap, Effect};
use crate::image;
use crate::manifest::{self, History, MANIFEST_MAX_BYTES, Manifest};
use crate::payload::Chains;
use crate::record::ChunkPool;
use crate::references::TAIL_BYTES_MAX;
use crate::settings::LogSizes;
use crate::shard::Shard;
use crate::store::{StartReport, StoreError, StoreOptions};
use crate::tier::newer::refuse_newer;
use crate::tier::volume::Volume;
use crate::tier::{Corruption, FormatError};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use thermocline_base::limits::SHARD_COUNT;
use thermocline_base::{HashSeed, Lsn, Random, ShardId};
use thermocline_disk::{DirectoryLock, Disk, OpenMode};
use thermocline_wal::frame::FrameKind;
use thermocline_wal::scan::Frame;
use thermocline_wal::{Flusher, FrameReader, Recovered, Wal, WalOptions};

/// The directory of the log, below the data directory.
pub(crate) const LOG_DIRECTORY: &str = "wal";
/// How long a start waits for the directory: the ring of a process that was
/// killed holds its file lock for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Histories kept in the manifest; older ones tell nobody anything.
const HISTORIES_KEPT: usize = 64;

/// What a store is made of.
pub(crate) struct Opened {
    pub(crate) report: StartReport,
    pub(crate) manifest: Manifest,
    pub(crate) directory: image::Directory,
    pub(crate) lock: DirectoryLock,
    pub(crate) pool: Arc<ChunkPool>,
    pub(crate) shards: Vec<Shard>,
    pub(crate) map: DatabaseMap,
    pub(crate) volume: Volume,
    pub(crate) wal: Wal,
    pub(crate) flusher: Flusher,
    pub(crate) ring_bytes: usize,
    /// Reads the log's tail again.
    pub(crate) tail: FrameReader,
}

pub(crate) fn open(
    disk: &Disk,
    options: &StoreOptions,
    log: LogSizes,
) -> Result<Opened, StoreError> {
    let begun = options.clock.monotonic();
    let lock = disk.lock_directory(LOCK_WAIT)?;
    let mut random = Random::new(options.seed);
    let (mut manifest, is_new) = match read_manifest(disk)? {
        Some(manifest) => (manifest, false),
        None => (first_manifest(disk, &mut random)?, true),
    };
    let directory = read_image_directory(disk, &manifest)?;
    // Before the log is synced: what a later program wrote stays as it is.
    refuse_newer(disk, &manifest.segments)?;
    let pool = Arc::new(ChunkPool::default());
    let mut shards: Vec<Shard> = Vec::new();
    for id in 0..SHARD_COUNT {
        let mut shard = Shard::new(&pool);
        shard.is_loaded = directory.of_shard(ShardId(id as u16)).is_empty();
        shards.push(shard);
    }
    let (recovered, map) = read_log(disk, &manifest, &mut shards)?;
    let volume = Volume::open(
        disk.clone(),
        u64::MAX,
        Random::new(random.next_u64()),
        &manifest.segments,
    )?;
    let wal_options = WalOptions {
        directory: LOG_DIRECTORY.to_owned(),
        segment_bytes: log.segment_bytes,
        ring_bytes: log.ring_bytes,
        policy: options.log.unwrap_or_default(),
        clock: options.clock.clone(),
    };
    let (wal, flusher) = Wal::open(disk, wal_options, &recovered, random.next_u64())?;
    note_history(&mut manifest, &wal);
    let report = StartReport {
        is_new,
        was_sealed: recovered.sealed,
        image_keys: directory.key_count,
        frames: recovered.frames,
        log_bytes: recovered.end.bytes_since(manifest.checkpoint_lsn),
        duration: options.clock.monotonic().saturating_sub(begun),
    };
    Ok(Opened {
        report,
        manifest,
        directory,
        lock,
        pool,
        shards,
        map,
        volume,
        wal,
        flusher,
        ring_bytes: log.ring_bytes,
        tail: FrameReader::new(disk, &recovered),
    })
}

/// The manifest, if there is one.
pub(crate) fn read_manifest(disk: &Disk) -> Result<Option<Manifest>, StoreError> {
    match disk.read_whole(manifest::FILE_NAME, MANIFEST_MAX_BYTES as u64 + 1) {
        Ok(bytes) => Ok(Some(Manifest::decode(&bytes)?)),
        Err(error) if error.io_error_kind() == ErrorKind::NotFound => {
            refuse_without_manifest(disk)?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A directory without a manifest but with files that only a manifest leads to
/// is damaged, not new.
fn refuse_without_manifest(disk: &Disk) -> Result<(), StoreError> {
    for directory in [LOG_DIRECTORY, image::DIRECTORY_NAME] {
        if let Some(name) = disk.list(directory)?.first() {
            return Err(FormatError::Corruption(Corruption {
                file: manifest::FILE_NAME.to_owned(),
                offset: 0,
                expected: format!("a manifest, as {directory}/{name} is there"),
                found: "no such file".to_owned(),
            })
            .into());
        }
    }
    Ok(())
}

fn first_manifest(disk: &Disk, random: &mut Random) -> Result<Manifest, StoreError> {
    let manifest = Manifest {
        hash_seed: HashSeed(random.next_u64()),
        shard_count: SHARD_COUNT as u16,
        databases: DatabaseMap::first(),
        databases_lsn: Lsn::ZERO,
        dictionaries: Vec::new(),
        segments: Vec::new(),
        image: None,
        checkpoint_lsn: Lsn::ZERO,
        end_lsn: Lsn::ZERO,
        histories: Vec::new(),
    };
    disk.replace_durably(manifest::FILE_NAME, &manifest.encode()?)?;
    Ok(manifest)
}

/// The directory of the newest image, or an empty one.
pub(crate) fn read_image_directory(
    disk: &Disk,
    manifest: &Manifest,
) -> Result<image::Directory, StoreError> {
    let Some(reference) = &manifest.image else {
        return Ok(image::Directory::default());
    };
    let name = image::file_name(reference.number);
    let file = disk.open_file(&name, OpenMode::Read, false)?;
    let read_to_end = |offset: u64, most: usize| {
        let bytes = reference.bytes.saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(bytes).map_or(most, |bytes| bytes.min(most))];
        let read = file.read_at(offset, &mut bytes)?;
        bytes.truncate(read);
        Ok::<_, StoreError>(bytes)
    };
    let trailer = read_to_end(
        image::Directory::trailer_offset(reference)?,
        image::DIRECTORY_TRAILER_BYTES,
    )?;
    let offset = image::Directory::offset(&trailer, reference)?;
    let bytes = read_to_end(offset, image::Directory::BYTES_MAX)?;
    Ok(image::Directory::decode(&bytes, reference)?)
}

/// Hands the effects of the log's tail to the shards of their keys; where the
/// log ends, and the map of databases there.
fn read_log(
    disk: &Disk,
    manifest: &Manifest,
    shards: &mut [Shard],
) -> Result<(Recovered, DatabaseMap), StoreError> {
    let mut map = manifest.databases;
    let mut chains = Chains::default();
    let mut failure = None;
    let mut visit = |frame: Frame<'_>| {
        if frame.kind != FrameKind::Data || failure.is_some() {
            return;
        }
        let mut apply = || -> Result<(), String> {
            let fed = chains.feed(frame.start, frame.payload);
            let Some((start, effects)) = fed.map_err(|error| error.to_string())? else {
                return Ok(());
            };
            for effect in effect::effects(&effects) {
                let effect = effect.map_err(|error| error.to_string())?;
                match effect.key() {
                    Some(key) => {
                        let hash = manifest.hash_seed.hash(key.database, key.key);
                        if let Some(shard) = shards.get_mut(hash.shard().index()) {
                            let distance = start.bytes_since(manifest.checkpoint_lsn);
                            if distance >= TAIL_BYTES_MAX {
                                return Err("the log's tail is too long".to_owned());
                            }
                            shard.is_loaded = false;
                            shard.references.push(hash, distance);
                        }
                    }
                    None => {
                        if let Effect::Databases(changed) = effect
                            && start >= manifest.databases_lsn
                        {
                            map = changed;
                        }
                    }
                }
            }
            Ok(())
        };
        if let Err(reason) = apply() {
            failure = Some(StoreError::Frame {
                lsn: frame.start,
                reason,
            });
        }
    };
    let recovered = Wal::recover(
        disk,
        LOG_DIRECTORY,
        manifest.checkpoint_lsn,
        manifest.end_lsn,
        &mut visit,
    )?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    Ok((recovered, map))
}

/// Adds the log's history to the manifest that the next checkpoint writes.
fn note_history(manifest: &mut Manifest, wal: &Wal) {
    let (id, start_lsn) = wal.history();
    let histories = &mut manifest.histories;
    // One that began at the same place never took a frame.
    histories.retain(|history| history.start_lsn < start_lsn);
    histories.push(History {
        id: u128::from(id),
        start_lsn,
    });
    if histories.len() > HISTORIES_KEPT {
        histories.drain(..histories.len() - HISTORIES_KEPT);
    }
}

/// Reads the shard's pieces of the image.
pub(crate) fn read_pieces(
    disk: &Disk,
    directory: &image::Directory,
    shard: ShardId,
) -> Result<image::Slots, StoreError> {
    let pieces = directory.of_shard(shard).iter();
    let read = pieces.map(|piece| Ok((piece.ranges, read_piece(disk, piece)?)));
    Ok(image::merge(read.collect::<Result<_, StoreError>>()?))
}

fn read_piece(disk: &Disk, piece: &image::PieceReference) -> Result<image::Slots, StoreError> {
    let name = image::file_name(piece.file);
    let file = disk.open_file(&name, OpenMode::Read, false)?;
    let size_bytes = file.size_bytes()?;
    if piece.offset.saturating_add(u64::from(piece.bytes)) > size_bytes {
        return Err(FormatError::Corruption(Corruption {
            file: name,
            offset: piece.offset,
            expected: format!("a piece of {} bytes", piece.bytes),
            found: format!("a file of {size_bytes} bytes"),
        })
        .into());
    }
    let mut bytes = vec![0; piece.bytes as usize];
    let read = file.read_at(piece.offset, &mut bytes)?;
    bytes.truncate(read);
    Ok(image::decode_piece(&bytes, piece)?)
}
