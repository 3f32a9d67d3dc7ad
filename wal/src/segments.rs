//! The segment files a running log owns: preparing, beginning, retiring.
//!
//! Owns the list of segments and the spares. Knows no frames. Runs on the
//! flusher's thread.
//!
//! Two spares stand ready, on the disk in full. The second is a reserve: on a
//! device without room the log goes on in it, takes what is in the ring, and
//! refuses more until there is a spare again ([`Segments::shortage`]). So a
//! checkpoint can always have the log durable, and what it retires is the room.
//!
//! DURABILITY: a segment begins in this order.
//! 1. The file is written full of zeros and synced, its directory too, or it
//!    is a retired segment: a crash here leaves a file without meaning.
//! 2. The header page with a fresh identity is written and synced: a crash
//!    here leaves a torn header with no new frame behind it, or an empty
//!    segment, which recovery continues.
//! 3. It is noted as the latest, and that is synced: a crash here leaves an empty
//!    segment that is known or not. From now on a log without it is damaged.
//! 4. Only then are frames written.

use crate::error::WalError;
use crate::frame::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::latest::{Begun, Latest};
use crate::recover::Recovered;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::{Lsn, Random, UnixMillis};
use thermocline_disk::{AlignedBuffer, Disk, File, OpenMode};

const ZEROS_BYTES: usize = 1 << 20;
/// Files that stand ready for the next segments.
const SPARES: usize = 2;
/// Retired segments beyond these are kept for the next ones only where this many times
/// their bytes are free.
const ROOM_FACTOR: u64 = 8;

#[derive(Debug)]
struct Owned {
    name: String,
    start: Lsn,
    /// What is before it is no younger.
    begun_at: UnixMillis,
    /// Whether every byte of it became durable before the next one began.
    whole: bool,
}

pub(crate) struct Segments {
    disk: Disk,
    directory: String,
    segment_bytes: u64,
    random: Random,
    sequence: u64,
    next_number: u64,
    history: (u64, Lsn),
    owned: Vec<Owned>,
    spares: Vec<String>,
    /// What was last asked to be retired.
    retired_below: Lsn,
    /// About how many segments a checkpoint retires.
    retired_at_once: usize,
    /// Why there is no spare, if one could not be had.
    shortage: Option<String>,
    latest: Latest,
    /// A segment whose header is durable and which may be noted as the latest or
    /// not: noting failed. It is begun again, and never removed before.
    half_begun: Option<(File, SegmentHeader, String)>,
}

/// The number that a segment's name is.
fn number(name: &str) -> Option<u64> {
    let stem = name.rsplit('/').next()?.strip_suffix(".wal")?;
    u64::from_str_radix(stem, 16).ok()
}

impl Segments {
    pub(crate) fn new(
        disk: Disk,
        directory: String,
        segment_bytes: u64,
        recovered: &Recovered,
        seed: u64,
    ) -> Result<Self, WalError> {
        disk.create_directory(&directory)?;
        disk.sync_directory("")?;
        for name in &recovered.unused_files {
            disk.remove(name)?;
        }
        let mut random = Random::new(seed);
        let history = match recovered.history {
            Some(history) if recovered.sealed => history,
            _ => (random.next_u64(), recovered.end),
        };
        let names = recovered.segments.iter();
        let highest = names.clone().filter_map(|it| number(&it.name)).max();
        let sequence = names.map(|it| it.header.sequence).max();
        Ok(Self {
            latest: Latest::open(&disk, &directory)?,
            half_begun: None,
            disk,
            directory,
            segment_bytes,
            random,
            sequence: sequence.unwrap_or(0),
            next_number: highest.unwrap_or(0) + 1,
            history,
            owned: (recovered.segments.iter())
                .map(|it| Owned {
                    name: it.name.clone(),
                    start: it.header.start_lsn,
                    begun_at: it.header.begun_at,
                    whole: false,
                })
                .collect(),
            spares: Vec::new(),
            retired_below: Lsn::ZERO,
            retired_at_once: 0,
            shortage: None,
        })
    }

    pub(crate) const fn history(&self) -> (u64, Lsn) {
        self.history
    }

    /// Why the next segment will find no file, if that is so: nothing more
    /// should be appended than there is in the ring.
    pub(crate) fn shortage(&self) -> Option<&str> {
        self.shortage.as_deref()
    }

    /// Makes one of the files that should stand ready for the next segments, if
    /// one is missing.
    pub(crate) fn prepare(&mut self) -> Result<(), WalError> {
        if self.spares.len() >= SPARES {
            return Ok(());
        }
        match self.make_spare() {
            Ok(name) => {
                self.add_spare(name);
                Ok(())
            }
            Err(error) => {
                if self.spares.is_empty() {
                    self.shortage = Some(error.to_string());
                }
                Err(error)
            }
        }
    }

    fn add_spare(&mut self, name: String) {
        self.spares.push(name);
        self.shortage = None;
    }

    fn make_spare(&mut self) -> Result<String, WalError> {
        let name = format!("{}/{:08x}.wal", self.directory, self.next_number);
        self.next_number += 1;
        let file = self.disk.open_file(&name, OpenMode::CreateNew, true)?;
        if let Err(error) = self.fill(&file) {
            // The file has no meaning yet; a leftover is found at the next start.
            let _ = self.disk.remove(&name);
            return Err(error);
        }
        Ok(name)
    }

    fn fill(&self, file: &File) -> Result<(), WalError> {
        file.allocate(0, self.segment_bytes)?;
        let zeros = AlignedBuffer::new(ZEROS_BYTES.min(self.segment_bytes as usize));
        let mut at = 0;
        while at < self.segment_bytes {
            let count = zeros.len().min((self.segment_bytes - at) as usize);
            file.write_all_at(at, &zeros[..count])?;
            at += count as u64;
        }
        file.sync_data()?;
        self.disk.sync_directory(&self.directory)?;
        Ok(())
    }

    /// Begins a segment at `start`, below which everything is durable; gives
    /// its file and its identity. `whole` says that the segment before became
    /// durable to its end.
    pub(crate) fn begin(
        &mut self,
        start: Lsn,
        whole: bool,
        now: UnixMillis,
    ) -> Result<(File, u64), WalError> {
        let half_begun = self.half_begun.take();
        let (file, header, name) = match half_begun.filter(|(_, it, _)| it.start_lsn == start) {
            Some(half_begun) => half_begun,
            None => self.begin_half(start, whole, now)?,
        };
        let noted = self.latest.note(&Begun {
            number: number(&name).unwrap_or_default(),
            sequence: header.sequence,
            start,
        });
        if let Err(error) = noted {
            self.half_begun = Some((file, header, name));
            return Err(error);
        }
        if let Some(last) = self.owned.last_mut() {
            last.whole = whole;
        }
        self.owned.push(Owned {
            name,
            start,
            begun_at: header.begun_at,
            whole: false,
        });
        Ok((file, header.identity))
    }

    /// Takes a spare and makes a segment of it, up to its durable header.
    fn begin_half(
        &mut self,
        start: Lsn,
        whole: bool,
        begun_at: UnixMillis,
    ) -> Result<(File, SegmentHeader, String), WalError> {
        // One is taken; in the middle of a log one should be left, too. The
        // start of a log does not wait for that.
        let wanted = if whole { SPARES } else { 1 };
        while self.spares.len() < wanted {
            if let Err(error) = self.prepare() {
                if self.spares.is_empty() {
                    return Err(error);
                }
                self.shortage = Some(error.to_string());
                break;
            }
        }
        let name = self.spares.remove(0);
        self.sequence += 1;
        let header = SegmentHeader {
            identity: self.random.next_u64(),
            sequence: self.sequence,
            start_lsn: start,
            history: self.history.0,
            history_start: self.history.1,
            segment_bytes: self.segment_bytes,
            begun_at,
        };
        match self.write_header(&name, &header) {
            Ok(file) => Ok((file, header, name)),
            Err(error) => {
                // Holds no frame; should its header be durable all the same, the
                // next segment begins at the same position with a higher sequence.
                let _ = self.disk.remove(&name);
                Err(error)
            }
        }
    }

    fn write_header(&self, name: &str, header: &SegmentHeader) -> Result<File, WalError> {
        let file = self.disk.open_file(name, OpenMode::ReadWrite, true)?;
        let mut page = AlignedBuffer::new(SEGMENT_HEADER_BYTES);
        let bytes = header.encode();
        page[..bytes.len()].copy_from_slice(&bytes);
        file.write_all_at(0, &page)?;
        if !is_planted(Bug::SkippedHeaderSync) {
            file.sync_data()?;
        }
        Ok(file)
    }

    /// Where the oldest segment begins, and when it was begun.
    pub(crate) fn oldest(&self) -> Option<(Lsn, UnixMillis)> {
        let oldest = self.owned.first();
        oldest.map(|segment| (segment.start, segment.begun_at))
    }

    /// Gives up the segments that lie wholly below `below` and hold nothing younger than
    /// `until`: one that is whole becomes a spare if one is wanted, the others are removed.
    ///
    /// A new file is written twice, first with zeros, so it pays to keep as many as
    /// there will be segments until the next checkpoint. How many that are is guessed
    /// as PostgreSQL guesses it for its log: up at once, down by a tenth at a time. Those
    /// kept are given up too once the device is short of room.
    pub(crate) fn retire(&mut self, below: Lsn, until: UnixMillis) -> Result<(), WalError> {
        let nexts = self.owned.iter().skip(1);
        let is_done = |next: &&Owned| next.start <= below && next.begun_at <= until;
        let retired = nexts.take_while(is_done).count();
        if retired == 0 && below == self.retired_below {
            return Ok(());
        }
        self.retired_below = below;
        if retired > 0 {
            self.retired_at_once = retired.max((self.retired_at_once * 9 + retired).div_ceil(10));
        }
        let wanted = self.spares_wanted();
        while self.spares.len() > wanted
            && let Some(name) = self.spares.last()
        {
            self.disk.remove(name)?;
            self.spares.pop();
        }
        for _ in 0..retired {
            let Some(oldest) = self.owned.first() else {
                break;
            };
            // What recovery finds beyond a segment's end must be below every
            // later start, so only a whole one may get a new header.
            if self.spares.len() < wanted && oldest.whole {
                let name = oldest.name.clone();
                self.add_spare(name);
            } else {
                self.disk.remove(&oldest.name)?;
            }
            self.owned.remove(0);
        }
        Ok(())
    }

    /// How many spares are kept of retired segments.
    fn spares_wanted(&self) -> usize {
        let kept = self.retired_at_once + SPARES;
        let room_bytes = (kept as u64).saturating_mul(self.segment_bytes * ROOM_FACTOR);
        let has_room = (self.disk.space()).is_ok_and(|space| space.free_bytes >= room_bytes);
        if has_room { kept } else { SPARES }
    }
}
