//! The segment files a running log owns: preparing, beginning, retiring.
//!
//! Owns the list of segments and the spare. Knows no frames. Runs on the
//! flusher's thread.
//!
//! DURABILITY: a segment begins in this order.
//! 1. The file is written full of zeros and synced, its directory too, or it
//!    is a retired segment: a crash here leaves a file without meaning.
//! 2. The header page with a fresh identity is written and synced: a crash
//!    here leaves a torn header with no new frame behind it, or an empty
//!    segment, which recovery continues.
//! 3. Only then are frames written.

use crate::error::WalError;
use crate::frame::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::recover::Recovered;
use thermocline_base::{Lsn, Random};
use thermocline_disk::{AlignedBuffer, Disk, File, OpenMode};

const ZEROS_BYTES: usize = 1 << 20;

#[derive(Debug)]
struct Owned {
    name: String,
    start: Lsn,
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
    spare: Option<String>,
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
        let number = |name: &str| {
            let stem = name.rsplit('/').next()?.strip_suffix(".wal")?;
            u64::from_str_radix(stem, 16).ok()
        };
        let names = recovered.segments.iter();
        let highest = names.clone().filter_map(|it| number(&it.name)).max();
        let sequence = names.map(|it| it.header.sequence).max();
        Ok(Self {
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
                    whole: false,
                })
                .collect(),
            spare: None,
        })
    }

    pub(crate) const fn history(&self) -> (u64, Lsn) {
        self.history
    }

    /// Makes sure that a file stands ready for the next segment.
    pub(crate) fn prepare(&mut self) -> Result<(), WalError> {
        if self.spare.is_some() {
            return Ok(());
        }
        let name = format!("{}/{:08x}.wal", self.directory, self.next_number);
        self.next_number += 1;
        let file = self.disk.open_file(&name, OpenMode::CreateNew, true)?;
        if let Err(error) = self.fill(&file) {
            // The file has no meaning yet; a leftover is found at the next start.
            let _ = self.disk.remove(&name);
            return Err(error);
        }
        self.spare = Some(name);
        Ok(())
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
    pub(crate) fn begin(&mut self, start: Lsn, whole: bool) -> Result<(File, u64), WalError> {
        self.prepare()?;
        let Some(name) = self.spare.take() else {
            unreachable!("prepare leaves a spare");
        };
        self.sequence += 1;
        let header = SegmentHeader {
            identity: self.random.next_u64(),
            sequence: self.sequence,
            start_lsn: start,
            history: self.history.0,
            history_start: self.history.1,
        };
        let begun = self.write_header(&name, &header);
        if begun.is_err() {
            // Holds no frame; should its header be durable all the same, the
            // next segment begins at the same position with a higher sequence.
            let _ = self.disk.remove(&name);
        }
        let file = begun?;
        if let Some(last) = self.owned.last_mut() {
            last.whole = whole;
        }
        self.owned.push(Owned {
            name,
            start,
            whole: false,
        });
        Ok((file, header.identity))
    }

    fn write_header(&self, name: &str, header: &SegmentHeader) -> Result<File, WalError> {
        let file = self.disk.open_file(name, OpenMode::ReadWrite, true)?;
        let mut page = AlignedBuffer::new(SEGMENT_HEADER_BYTES);
        let bytes = header.encode();
        page[..bytes.len()].copy_from_slice(&bytes);
        file.write_all_at(0, &page)?;
        file.sync_data()?;
        Ok(file)
    }

    /// Gives up the segments that lie wholly below `below`: one that is whole
    /// becomes the spare if there is none, the others are removed.
    pub(crate) fn retire(&mut self, below: Lsn) -> Result<(), WalError> {
        while let [oldest, next, ..] = &self.owned[..]
            && next.start <= below
        {
            // What recovery finds beyond a segment's end must be below every
            // later start, so only a whole one may get a new header.
            if self.spare.is_none() && oldest.whole {
                self.spare = Some(oldest.name.clone());
            } else {
                self.disk.remove(&oldest.name)?;
            }
            self.owned.remove(0);
        }
        Ok(())
    }
}
