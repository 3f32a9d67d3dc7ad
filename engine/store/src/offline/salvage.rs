//! Opening a directory whatever its damage: the manifest's copy where the manifest is
//! damaged or gone, and a scan of the tier where that is too.
//!
//! Owns what a scan can tell of a manifest. It cannot tell which records the image named,
//! nor the dictionaries: records that were compressed with one are lost, by name. One
//! thread.

use super::{Offline, Tail, damage_of, unreadable};
use crate::effect::DatabaseMap;
use crate::image;
use crate::manifest::{self, MANIFEST_MAX_BYTES, Manifest};
use crate::payload::Chains;
use crate::recovery::{self, LOG_DIRECTORY};
use crate::store::StoreError;
use crate::tier::segment::{PAGES_PER_SEGMENT, SEGMENT_BYTES, SEGMENTS_MAX};
use crate::tier::{
    Corruption, FormatError, Incarnation, PagePlace, SegmentEntry, SegmentNumber, page, volume,
};
use std::collections::HashMap;
use std::io::ErrorKind;
use thermocline_base::limits::{PAGE_BYTES, SHARD_COUNT};
use thermocline_base::{HashSeed, Lsn, UnixMillis};
use thermocline_disk::{Disk, OpenMode};
use thermocline_wal::frame::FrameKind;
use thermocline_wal::{Salvaged, Wal};

/// Where the manifest of what is salvaged is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestSource {
    /// The manifest itself.
    Manifest,
    /// Its copy.
    Copy,
    /// What stands in the tier and the log.
    Scan,
}

impl Offline {
    /// As [`Offline::open`], but a damaged or missing manifest is made up for, and the log
    /// is read behind damage too. For [`Offline::salvage_keys`].
    ///
    /// # Errors
    /// A directory in use, what the disk refuses, and a manifest of a later version.
    pub fn open_to_salvage(
        disk: &Disk,
        damage: &mut dyn FnMut(Corruption),
    ) -> Result<Option<(Self, Tail, ManifestSource)>, StoreError> {
        if !Self::holds_data(disk)? {
            return Ok(None);
        }
        let lock = disk.lock_to_read(super::LOCK_WAIT)?;
        let (mut manifest, source, newest) = manifest_of(disk, damage)?;
        let directory = match source {
            ManifestSource::Scan => None,
            _ => match recovery::read_image_directory(disk, &manifest) {
                Ok(directory) => Some(directory),
                Err(error) => {
                    let name = manifest.image.map(|image| image::file_name(image.number));
                    damage(damage_of(error, &name.unwrap_or_default())?);
                    None
                }
            },
        };
        let from = (source != ManifestSource::Scan).then_some(manifest.checkpoint_lsn);
        let tail = Tail::salvage(disk, &manifest, from, damage)?;
        if source == ManifestSource::Scan && !tail.summary().gaps.is_empty() {
            // How far the log once reached is not known: no record is too new.
            manifest.end_lsn = newest;
        }
        let offline = Self {
            disk: disk.clone(),
            manifest,
            directory,
            is_scanned: source == ManifestSource::Scan,
            _lock: lock,
        };
        Ok(Some((offline, tail, source)))
    }
}

/// The best manifest that can be had, and the newest record that a scan has met.
fn manifest_of(
    disk: &Disk,
    damage: &mut dyn FnMut(Corruption),
) -> Result<(Manifest, ManifestSource, Lsn), StoreError> {
    match recovery::read_manifest(disk) {
        Ok(Some(manifest)) => return Ok((manifest, ManifestSource::Manifest, Lsn::ZERO)),
        Ok(None) => damage(Corruption {
            file: manifest::FILE_NAME.to_owned(),
            offset: 0,
            expected: "a manifest, as the tier is there".to_owned(),
            found: "no such file".to_owned(),
        }),
        Err(error) => damage(damage_of(error, manifest::FILE_NAME)?),
    }
    match copied_manifest(disk) {
        Ok(Some(manifest)) => return Ok((manifest, ManifestSource::Copy, Lsn::ZERO)),
        Ok(None) => {}
        Err(error) => damage(damage_of(error, manifest::COPY_NAME)?),
    }
    let (segments, newest) = scan_tier(disk, damage)?;
    let manifest = Manifest {
        // Any will do where no image is read: it only parts the keys among the shards.
        hash_seed: HashSeed(0),
        shard_count: SHARD_COUNT as u16,
        databases: DatabaseMap::first(),
        databases_lsn: Lsn::ZERO,
        dictionaries: Vec::new(),
        segments,
        image: None,
        checkpoint_lsn: Lsn::ZERO,
        end_lsn: Lsn::ZERO,
        histories: Vec::new(),
    };
    Ok((manifest, ManifestSource::Scan, newest))
}

/// The manifest's copy, if there is one.
///
/// # Errors
/// What the disk refuses, its damage, and a later version.
pub(super) fn copied_manifest(disk: &Disk) -> Result<Option<Manifest>, StoreError> {
    let bytes = match disk.read_whole(manifest::COPY_NAME, MANIFEST_MAX_BYTES as u64 + 1) {
        Ok(bytes) => bytes,
        Err(error) if error.io_error_kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match Manifest::decode(&bytes) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(FormatError::Corruption(damage)) => Err(FormatError::from(Corruption {
            file: manifest::COPY_NAME.to_owned(),
            ..damage
        })
        .into()),
        Err(error) => Err(error.into()),
    }
}

/// The segments of the tier, each in its last life, and the LSN of the newest record.
fn scan_tier(
    disk: &Disk,
    damage: &mut dyn FnMut(Corruption),
) -> Result<(Vec<SegmentEntry>, Lsn), StoreError> {
    let (mut segments, mut newest) = (Vec::new(), Lsn::ZERO);
    let mut numbers: Vec<u16> = (disk.list(volume::DIRECTORY)?.iter())
        .filter_map(|name| name.strip_suffix(".segment")?.parse().ok())
        .filter(|number| usize::from(*number) < SEGMENTS_MAX)
        .collect();
    numbers.sort_unstable();
    for number in numbers.into_iter().map(SegmentNumber) {
        let name = number.file_name();
        let read = disk.open_file(&name, OpenMode::Read, false);
        let read = read.and_then(|file| {
            let mut bytes = vec![0; file.size_bytes()?.min(SEGMENT_BYTES) as usize];
            let read = file.read_at(0, &mut bytes)?;
            bytes.truncate(read);
            Ok(bytes)
        });
        match read {
            Ok(bytes) => {
                if let Some((incarnation, lsn)) = last_life(&bytes, number) {
                    newest = newest.max(lsn);
                    segments.push(SegmentEntry {
                        number,
                        incarnation,
                        live_bytes: 0,
                        sealed_at: UnixMillis(0),
                    });
                }
            }
            Err(error) => damage(unreadable(&error, &name)),
        }
    }
    Ok((segments, newest))
}

/// The life of the segment whose records are the newest; `None` if it has none.
fn last_life(bytes: &[u8], segment: SegmentNumber) -> Option<(Incarnation, Lsn)> {
    let mut lives: HashMap<Incarnation, Lsn> = HashMap::new();
    for page in 0..PAGES_PER_SEGMENT {
        let rest = bytes.get(page as usize * PAGE_BYTES..).unwrap_or_default();
        let claimed = rest.get(page::INCARNATION_OFFSET..);
        let Some(field) = claimed.and_then(|field| field.first_chunk()) else {
            break;
        };
        let incarnation = Incarnation(u64::from_le_bytes(*field));
        let place = PagePlace {
            segment,
            incarnation,
            page,
        };
        if let Ok(records) = page::records(rest, place) {
            let newest = records.flatten().map(|record| record.lsn).max();
            let known = lives.entry(incarnation).or_default();
            *known = newest.unwrap_or_default().max(*known);
        }
    }
    lives.into_iter().max_by_key(|(_, lsn)| *lsn)
}

impl Tail {
    /// As [`Tail::read`], with what is intact behind damage, from `from` on or all there is.
    fn salvage(
        disk: &Disk,
        manifest: &Manifest,
        from: Option<Lsn>,
        damage: &mut dyn FnMut(Corruption),
    ) -> Result<Self, StoreError> {
        let mut tail = Self::empty(manifest);
        let mut chains = Chains::default();
        let (mut not_understood, mut gaps) = (Vec::new(), Vec::new());
        let recovered = Wal::salvage(disk, LOG_DIRECTORY, from, &mut |it| match it {
            Salvaged::Frame(frame) => {
                tail.summary.frames += 1;
                if frame.kind == FrameKind::Data
                    && let Err(error) = tail.feed(&mut chains, manifest, &frame)
                {
                    not_understood.push((frame.start, frame.end, error));
                }
            }
            Salvaged::Gap(gap) => {
                // A chain with a hole in it is none.
                chains = Chains::default();
                gaps.push(gap);
            }
        })?;
        tail.summary.void_chains = chains.open_count();
        tail.summary.segments = recovered.segments;
        tail.summary.unused_files = recovered.unused_files;
        tail.summary.is_sealed = recovered.sealed;
        tail.summary.end_lsn = recovered.end;
        for gap in gaps {
            damage(damage_of(gap.error.into(), LOG_DIRECTORY)?);
            tail.summary.gaps.push((gap.from, gap.to));
        }
        for (start, end, error) in not_understood {
            let found = error.to_string();
            damage(
                tail.summary
                    .damaged_frame(start, "a list of effects", found),
            );
            tail.summary.gaps.push((start, end));
        }
        if recovered.end < manifest.end_lsn {
            damage(tail.summary.damaged_frame(
                recovered.end,
                &format!("a log that goes on to {}", manifest.end_lsn),
                "its end".to_owned(),
            ));
            tail.summary.gaps.push((recovered.end, manifest.end_lsn));
        }
        tail.drop_flushed();
        Ok(tail)
    }
}
