//! The tail of the log: the effects that come after the image.
//!
//! Owns the effects, in memory, each waiting on its key as after a start, the
//! map of databases at the log's end, and what was counted on the way. Does not
//! apply effects. One thread.

use super::damage_of;
use crate::effect::{DatabaseMap, Effect, decode_all};
use crate::manifest::Manifest;
use crate::payload::Chains;
use crate::pending::Pending;
use crate::recovery::LOG_DIRECTORY;
use crate::store::StoreError;
use crate::tier::Corruption;
use thermocline_base::limits::SHARD_COUNT;
use thermocline_base::{CodecError, DatabaseId, Lsn, UnixMillis};
use thermocline_disk::Disk;
use thermocline_wal::frame::{FrameKind, SEGMENT_HEADER_BYTES, TimeMark};
use thermocline_wal::{Frame, SegmentFile, Wal};

/// A log whose last time is so much older than a time that is asked for was not written
/// to in between, in ms: all of it is of before.
const SILENCE_MS: i64 = 10_000;

/// Where the log ended at the time `at`: nothing below was appended later.
///
/// # Errors
/// [`StoreError::NotAtTime`] if that is not known, or below what the image needs.
pub(super) fn position_at(
    log: &Disk,
    manifest: &Manifest,
    at: UnixMillis,
) -> Result<Lsn, StoreError> {
    let mut last: Option<TimeMark> = None;
    let mut first = None;
    let mut is_past = false;
    let mut end = manifest.checkpoint_lsn;
    let mut visit = |frame: Frame<'_>| {
        let mark = frame.time_mark();
        if let Some(mark) = mark.filter(|mark| mark.covered >= manifest.end_lsn) {
            first = first.or(Some(mark.at));
        }
        if is_past {
            return;
        }
        end = frame.end;
        let Some(mark) = mark else { return };
        if mark.at > at {
            is_past = true;
        } else {
            last = Some(mark);
        }
    };
    let (from, to) = (manifest.checkpoint_lsn, manifest.end_lsn);
    let read = Wal::read(log, LOG_DIRECTORY, from, to, &mut visit);
    // What comes later is of no account: a daemon may be writing it.
    if !is_past {
        read?;
    }
    let position = match last {
        None => Lsn::ZERO,
        Some(mark) if !is_past && at.0.saturating_sub(mark.at.0) > SILENCE_MS => end,
        Some(mark) => mark.covered,
    };
    if position >= manifest.end_lsn {
        return Ok(position);
    }
    Err(StoreError::NotAtTime { at, first })
}

/// What the log holds.
#[derive(Clone, Debug, Default)]
pub struct LogSummary {
    /// Its segments, oldest first.
    pub segments: Vec<SegmentFile>,
    /// Files of its directory that hold nothing.
    pub unused_files: Vec<String>,
    /// Where it ends, or is first damaged.
    pub end_lsn: Lsn,
    /// Whether the last stop was clean.
    pub is_sealed: bool,
    /// Frames from the checkpoint on.
    pub frames: u64,
    /// Those of them that carry effects or a part of them.
    pub data_frames: u64,
    /// Effects that committed.
    pub effects: u64,
    /// Chains without their last part: void.
    pub void_chains: usize,
    /// What is lost between intact frames, if the log was salvaged.
    pub gaps: Vec<(Lsn, Lsn)>,
}

impl LogSummary {
    /// The damage of the frame at `lsn`, whose bytes passed their checksum.
    pub(super) fn damaged_frame(&self, lsn: Lsn, expected: &str, found: String) -> Corruption {
        let holder = self
            .segments
            .iter()
            .rfind(|segment| segment.header.start_lsn <= lsn);
        let start = holder.map_or(Lsn::ZERO, |segment| segment.header.start_lsn);
        Corruption {
            file: holder.map_or_else(|| LOG_DIRECTORY.to_owned(), |it| it.name.clone()),
            offset: lsn
                .bytes_since(start)
                .saturating_add(SEGMENT_HEADER_BYTES as u64),
            expected: expected.to_owned(),
            found,
        }
    }
}

/// See the module. What is in it is taken by walking the keys.
pub struct Tail {
    /// One a shard.
    pub(super) pending: Vec<Pending>,
    pub(super) map: DatabaseMap,
    pub(super) summary: LogSummary,
}

impl Tail {
    /// What was counted.
    #[must_use]
    pub const fn summary(&self) -> &LogSummary {
        &self.summary
    }

    /// The map of databases at the end of the log.
    #[must_use]
    pub const fn databases(&self) -> &DatabaseMap {
        &self.map
    }

    /// How many keys have effects that the image lacks, or may lack.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.pending.iter().map(Pending::key_count).sum()
    }

    /// The number that the database of this identity has; `None` if it has
    /// been flushed.
    pub(super) fn number_of(&self, identity: DatabaseId) -> Option<u8> {
        (0..)
            .zip(&self.map.identities)
            .find_map(|(number, known)| (*known == identity).then_some(number))
    }

    pub(super) fn read(
        disk: &Disk,
        manifest: &Manifest,
        until: Option<Lsn>,
        damage: &mut dyn FnMut(Corruption),
    ) -> Result<Self, StoreError> {
        let mut tail = Self::empty(manifest);
        let mut chains = Chains::default();
        // Effects behind a frame that cannot be understood are not applied.
        let mut fault: Option<(Lsn, CodecError)> = None;
        let mut is_past = false;
        let mut visit = |frame: Frame<'_>| {
            is_past |= until.is_some_and(|until| frame.end > until);
            if fault.is_some() || is_past {
                return;
            }
            tail.summary.frames += 1;
            if frame.kind == FrameKind::Data
                && let Err(error) = tail.feed(&mut chains, manifest, &frame)
            {
                fault = Some((frame.start, error));
                return;
            }
            tail.summary.end_lsn = frame.end;
        };
        let (from, to) = (manifest.checkpoint_lsn, manifest.end_lsn);
        let read = Wal::read(disk, LOG_DIRECTORY, from, to, &mut visit);
        tail.summary.void_chains = chains.open_count();
        match read {
            Ok(recovered) => {
                tail.summary.segments = recovered.segments;
                tail.summary.unused_files = recovered.unused_files;
                tail.summary.is_sealed = recovered.sealed;
            }
            // What comes later is of no account: a daemon may be writing it.
            Err(_) if is_past => {}
            Err(error) => damage(damage_of(error.into(), LOG_DIRECTORY)?),
        }
        if let Some(until) = until
            && !is_past
            && tail.summary.end_lsn < until
        {
            let (first, last) = (manifest.end_lsn, tail.summary.end_lsn);
            return Err(StoreError::NotThen { until, first, last });
        }
        if let Some((lsn, error)) = fault {
            let found = error.to_string();
            damage(tail.summary.damaged_frame(lsn, "a list of effects", found));
        }
        tail.drop_flushed();
        Ok(tail)
    }

    /// That of the checkpoint, before any frame.
    pub(super) fn empty(manifest: &Manifest) -> Self {
        Self {
            pending: std::iter::repeat_with(Pending::default)
                .take(SHARD_COUNT)
                .collect(),
            map: manifest.databases,
            summary: LogSummary {
                end_lsn: manifest.checkpoint_lsn,
                ..LogSummary::default()
            },
        }
    }

    /// Forgets the effects on databases that were flushed.
    pub(super) fn drop_flushed(&mut self) {
        let map = self.map;
        for pending in &mut self.pending {
            pending.retain_databases(|database| map.lives(database));
        }
    }

    pub(super) fn feed(
        &mut self,
        chains: &mut Chains,
        manifest: &Manifest,
        frame: &Frame<'_>,
    ) -> Result<(), CodecError> {
        self.summary.data_frames += 1;
        let Some((start, bytes)) = chains.feed(frame.start, frame.payload)? else {
            return Ok(());
        };
        for effect in decode_all(&bytes)? {
            self.summary.effects += 1;
            if let Effect::Databases(map) = effect {
                if start >= manifest.databases_lsn {
                    self.map = map;
                }
            } else if let Some(key) = effect.key() {
                let shard = manifest.hash_seed.hash(key.database, key.key).shard();
                self.pending[shard.index()].push(start, &effect);
            }
        }
        Ok(())
    }
}

impl super::Offline {
    /// Visits the frames of the log from the checkpoint on; with `older` those
    /// before it too that stand in the same segment file, which a start does
    /// not need.
    ///
    /// # Errors
    /// [`Corruption`] where the log is first damaged; what the disk refuses is
    /// told as that too.
    pub fn visit_frames(
        &self,
        tail: &Tail,
        older: bool,
        visit: &mut dyn FnMut(Frame<'_>),
    ) -> Result<(), Corruption> {
        let checkpoint_lsn = self.manifest.checkpoint_lsn;
        let segments = &tail.summary.segments;
        let first = segments
            .iter()
            .rfind(|it| older && it.header.start_lsn <= checkpoint_lsn);
        let from = first.map_or(checkpoint_lsn, |it| it.header.start_lsn);
        Wal::read(
            &self.disk,
            LOG_DIRECTORY,
            from,
            self.manifest.end_lsn,
            visit,
        )
        .map(|_| ())
        .or_else(|error| match damage_of(error.into(), LOG_DIRECTORY) {
            Ok(damage) => Err(damage),
            Err(_) => Ok(()),
        })
    }
}
