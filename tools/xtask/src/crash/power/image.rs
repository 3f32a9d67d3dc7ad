//! Images of a device as a power cut would have left it, from the log of its
//! writes.
//!
//! Owns the log's format (that of dm-log-writes, as `blklogwrites` writes it) and
//! the rule: what was written before the last flush before the cut is there; of
//! what was written after it, each write is there, lost, or there in parts, a
//! sector whole or not at all. Writes that a flush overtook count as before it,
//! since the log does not tell them. Knows no file system. Main thread.

use crate::bench::BenchError;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use thermocline_base::Random;

const SECTOR_BYTES: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const ENTRY_BYTES: usize = 32;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;
/// Most bytes that are moved at once.
const CHUNK_BYTES: u64 = 1 << 20;

struct Entry {
    /// Where its data stand in the log, and where the next entry does.
    data: u64,
    end: u64,
    sector: u64,
    sectors: u64,
    flags: u64,
}

/// See the module.
pub(super) struct Images {
    log: File,
    entries: Vec<Entry>,
    /// The device with the first `applied` entries.
    base: PathBuf,
    applied: usize,
}

fn broken(text: String) -> BenchError {
    BenchError::Unexpected(text)
}

impl Images {
    /// Images from `log`, of a device that began as `base`, which is changed.
    pub(super) fn new(log: &Path, base: &Path) -> Result<Self, BenchError> {
        let log = File::open(log)?;
        Ok(Self {
            entries: read_entries(&log)?,
            log,
            base: base.to_owned(),
            applied: 0,
        })
    }

    /// The entries between two lengths of the log.
    pub(super) fn between(&self, from: u64, to: u64) -> Range<usize> {
        let first = self.entries.partition_point(|it| it.end <= from);
        first..self.entries.partition_point(|it| it.end <= to).max(first)
    }

    /// How many of the entries are flushes.
    pub(super) fn flushes_in(&self, range: Range<usize>) -> usize {
        let entries = self.entries.get(range).unwrap_or_default();
        entries.iter().filter(|it| it.flags & FLUSH != 0).count()
    }

    /// How long the log was before entry `cut`.
    pub(super) fn log_offset(&self, cut: usize) -> u64 {
        let before = cut.checked_sub(1).and_then(|last| self.entries.get(last));
        before.map_or(0, |entry| entry.end)
    }

    /// Makes `target` the device as a power cut before entry `cut` leaves it; how
    /// many entries may be lost. Cuts must come in ascending order.
    pub(super) fn cut(
        &mut self,
        cut: usize,
        random: &mut Random,
        target: &Path,
    ) -> Result<usize, BenchError> {
        let before = self.entries.get(..cut).unwrap_or_default();
        let flush = before.iter().rposition(|it| it.flags & FLUSH != 0);
        let durable = flush.map_or(0, |last| last + 1).max(self.applied);
        let base = File::options().read(true).write(true).open(&self.base)?;
        for entry in &self.entries[self.applied..durable] {
            self.apply(&base, entry, &mut |_| true)?;
        }
        self.applied = durable;
        drop(base);
        copy_sparse(&self.base, target)?;
        let file = File::options().write(true).open(target)?;
        for entry in &self.entries[durable..cut] {
            match random.below(3) {
                0 => {}
                1 => self.apply(&file, entry, &mut |_| random.chance(2))?,
                _ => self.apply(&file, entry, &mut |_| true)?,
            }
        }
        Ok(cut - durable)
    }

    /// Writes an entry's data to `device`, of each sector only if it `is_kept`.
    fn apply(
        &self,
        device: &File,
        entry: &Entry,
        is_kept: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), BenchError> {
        if entry.flags & DISCARD != 0 {
            return Ok(());
        }
        let bytes = entry.sectors * SECTOR_BYTES;
        let mut done = 0;
        while done < bytes {
            let mut chunk = vec![0; (bytes - done).min(CHUNK_BYTES) as usize];
            self.log.read_exact_at(&mut chunk, entry.data + done)?;
            let at = entry.sector * SECTOR_BYTES + done;
            let kept: Vec<bool> = (0..chunk.len() as u64 / SECTOR_BYTES)
                .map(&mut *is_kept)
                .collect();
            if kept.iter().all(|kept| *kept) {
                device.write_all_at(&chunk, at)?;
            } else {
                let sectors = chunk.chunks(SECTOR_BYTES as usize).zip(kept).zip(0..);
                for ((sector, _), number) in sectors.filter(|((_, kept), _)| *kept) {
                    device.write_all_at(sector, at + number * SECTOR_BYTES)?;
                }
            }
            done += chunk.len() as u64;
        }
        Ok(())
    }
}

fn read_entries(log: &File) -> Result<Vec<Entry>, BenchError> {
    let log_bytes = log.metadata()?.len();
    let mut super_block = [0; 32];
    log.read_exact_at(&mut super_block, 0)?;
    let field = |bytes: &[u8], at: usize| {
        let field = bytes.get(at..at + 8).and_then(|it| it.try_into().ok());
        field.map_or(0, u64::from_le_bytes)
    };
    if field(&super_block, 0) != MAGIC
        || field(&super_block, 24) & u64::from(u32::MAX) != SECTOR_BYTES
    {
        return Err(broken("the device's log has no header".to_owned()));
    }
    let mut entries = Vec::new();
    let mut at = SECTOR_BYTES;
    while at + SECTOR_BYTES <= log_bytes {
        let mut header = [0; ENTRY_BYTES];
        log.read_exact_at(&mut header, at)?;
        let (sector, sectors, flags) = (field(&header, 0), field(&header, 8), field(&header, 16));
        let data = at + SECTOR_BYTES;
        let data_bytes = if flags & DISCARD == 0 {
            sectors * SECTOR_BYTES
        } else {
            0
        };
        let end = data + data_bytes;
        if end > log_bytes || flags > 0xff {
            return Err(broken(format!(
                "the device's log has no entry at byte {at}: {sectors} sectors, flags {flags:#x}"
            )));
        }
        entries.push(Entry {
            data,
            end,
            sector,
            sectors,
            flags,
        });
        at = end;
    }
    Ok(entries)
}

/// Copies a file with its holes.
pub(super) fn copy_sparse(from: &Path, to: &Path) -> Result<(), BenchError> {
    let copied = Command::new("cp")
        .arg("--sparse=auto")
        .args([from, to])
        .status()?;
    if copied.success() {
        return Ok(());
    }
    Err(broken(format!(
        "cannot copy {} to {}",
        from.display(),
        to.display()
    )))
}
