//! Which segment was begun last, so that it is missed if it is gone.
//!
//! Owns the file `latest` beside the segments. Without it a log whose last
//! segment was removed, or cut within its header, would look like one that ended
//! before that segment. Only a hint about damage: a log without it is read all
//! the same. Runs on the flusher's thread; recovery reads it.
//!
//! The file is two pages, and what is noted is written to them in turn:
//!
//! ```text
//! 0         8         16         24          32                  36        4096
//! +---------+---------+----------+-----------+-------------------+---- - - -+
//! | magic   | number  | sequence | start_lsn | crc32 of 0 to 31  | zero     |
//! | THERMLST| u64     | u64      | u64       | u32               |          |
//! +---------+---------+----------+-----------+-------------------+---- - - -+
//! ```
//!
//! DURABILITY: noted after the segment's header is durable and before its first
//! frame is written. A crash between: the page before still stands, and says
//! less. A torn page is not valid, and the other one stands.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::error::WalError;
use std::io::ErrorKind;
use thermocline_base::checksum::crc32;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{Lsn, Reader};
use thermocline_disk::{AlignedBuffer, Disk, File, OpenMode};

const MAGIC: [u8; 8] = *b"THERMLST";
const COVERED_BYTES: usize = 32;
const FILE_BYTES: usize = 2 * PAGE_BYTES;

/// A segment that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Of its file's name.
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    pub(crate) start: Lsn,
}

impl Begun {
    fn encode(&self) -> [u8; COVERED_BYTES + 4] {
        let mut bytes = [0; COVERED_BYTES + 4];
        let (covered, checksum) = bytes.split_at_mut(COVERED_BYTES);
        let fields = [self.number, self.sequence, self.start.0].map(u64::to_le_bytes);
        let all = MAGIC.iter().chain(fields.iter().flatten());
        for (byte, value) in covered.iter_mut().zip(all) {
            *byte = *value;
        }
        checksum.copy_from_slice(&crc32(covered).to_le_bytes());
        bytes
    }

    fn decode(page: &[u8]) -> Option<Self> {
        let covered = page.get(..COVERED_BYTES)?;
        let mut reader = Reader::new(page.get(COVERED_BYTES..)?);
        if reader.u32().ok()? != crc32(covered) {
            return None;
        }
        let mut reader = Reader::new(covered.strip_prefix(&MAGIC)?);
        Some(Self {
            number: reader.u64().ok()?,
            sequence: reader.u64().ok()?,
            start: Lsn(reader.u64().ok()?),
        })
    }
}

fn file_name(directory: &str) -> String {
    format!("{directory}/latest")
}

/// What the file of `directory` says: the last that was noted, and in which of its
/// pages; `None` without a file, or if neither page is valid.
pub(crate) fn read(disk: &Disk, directory: &str) -> Result<Option<(Begun, usize)>, WalError> {
    let name = file_name(directory);
    let file = match disk.open_file(&name, OpenMode::Read, true) {
        Err(error) if error.io_error_kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = AlignedBuffer::new(FILE_BYTES);
    let count = file.read_at(0, &mut bytes)?;
    let pages = bytes.get(..count).unwrap_or_default().chunks(PAGE_BYTES);
    let valid = pages.zip(0..).filter_map(|(page, place)| {
        let begun = Begun::decode(page)?;
        Some((begun, place))
    });
    Ok(valid.max_by_key(|(begun, _)| begun.sequence))
}

/// Writes the file. See the module.
pub(crate) struct Latest {
    disk: Disk,
    directory: String,
    /// `None` if it must be made, or made anew.
    file: Option<File>,
    /// The page to be written next.
    place: usize,
}

impl Latest {
    /// Goes on with the file there is, or makes one when first something is noted.
    pub(crate) fn open(disk: &Disk, directory: &str) -> Result<Self, WalError> {
        let known = read(disk, directory)?;
        let mut file = None;
        if known.is_some() {
            let opened = disk.open_file(&file_name(directory), OpenMode::ReadWrite, true)?;
            let is_whole = opened.size_bytes()? == FILE_BYTES as u64;
            file = Some(opened).filter(|_| is_whole);
        }
        Ok(Self {
            disk: disk.clone(),
            directory: directory.to_owned(),
            file,
            place: known.map_or(0, |(_, place)| 1_usize.saturating_sub(place)),
        })
    }

    /// On return it is durable that `begun` was. Takes no room on a device where
    /// the file is there already.
    ///
    /// After an error it may be durable or not; a file whose sync failed is not
    /// synced again but replaced.
    pub(crate) fn note(&mut self, begun: &Begun) -> Result<(), WalError> {
        let encoded = begun.encode();
        let Some(file) = self.file.take() else {
            let mut bytes = vec![0; FILE_BYTES];
            for (byte, value) in bytes.iter_mut().zip(encoded) {
                *byte = value;
            }
            let name = file_name(&self.directory);
            self.disk.replace_durably(&name, &bytes)?;
            self.file = Some(self.disk.open_file(&name, OpenMode::ReadWrite, true)?);
            self.place = 1;
            return Ok(());
        };
        let mut page = AlignedBuffer::new(PAGE_BYTES);
        for (byte, value) in page.iter_mut().zip(encoded) {
            *byte = value;
        }
        let offset = (self.place as u64).saturating_mul(PAGE_BYTES as u64);
        file.write_all_at(offset, &page)?;
        file.sync_data()?;
        self.file = Some(file);
        self.place = 1_usize.saturating_sub(self.place);
        Ok(())
    }
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;
    use thermocline_disk::SimulatedDisk;

    fn begun(sequence: u64) -> Begun {
        Begun {
            number: sequence + 3,
            sequence,
            start: Lsn(sequence * 1000),
        }
    }

    #[test]
    fn the_layout_is_as_drawn() {
        let bytes = begun(0x0102).encode();
        assert_eq!(bytes[..8], MAGIC);
        assert_eq!(bytes[8..16], 0x0105_u64.to_le_bytes());
        assert_eq!(bytes[16..24], 0x0102_u64.to_le_bytes());
        assert_eq!(bytes[24..32], (0x0102_u64 * 1000).to_le_bytes());
        assert_eq!(bytes[32..36], crc32(&bytes[..32]).to_le_bytes());
    }

    #[test]
    fn one_damaged_page_leaves_the_note_before() {
        let simulated = SimulatedDisk::new(1);
        let disk = Disk::simulated(simulated.clone());
        disk.create_directory("wal").unwrap();
        assert_eq!(read(&disk, "wal").unwrap(), None);
        let mut latest = Latest::open(&disk, "wal").unwrap();
        for sequence in 1..=4 {
            latest.note(&begun(sequence)).unwrap();
            assert_eq!(read(&disk, "wal").unwrap().unwrap().0, begun(sequence));
        }
        // Goes on in the page that holds the older one.
        let mut latest = Latest::open(&disk, "wal").unwrap();
        latest.note(&begun(5)).unwrap();
        let (found, place) = read(&disk, "wal").unwrap().unwrap();
        assert_eq!(found, begun(5));
        simulated.flip_bit("wal/latest", (place * PAGE_BYTES) as u64 + 17, 1);
        assert_eq!(read(&disk, "wal").unwrap().unwrap().0, begun(4));
        simulated.cut("wal/latest", 10);
        assert_eq!(read(&disk, "wal").unwrap(), None);
        let mut latest = Latest::open(&disk, "wal").unwrap();
        latest.note(&begun(6)).unwrap();
        assert_eq!(read(&disk, "wal").unwrap().unwrap().0, begun(6));
    }
}
