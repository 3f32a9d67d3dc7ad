//! A walk over a whole segment of the tier, page by page.
//!
//! Owns the counting. A page that the image does not name proves nothing: it
//! may be dead, left from an earlier life of the segment, never written, torn
//! by a crash, or a later page of a run. So nothing here is damage but a file
//! that cannot be read; the pages that count are checked where the image names
//! them (`keys`). One thread.

use super::{Offline, unreadable};
use crate::tier::segment::{PAGES_PER_SEGMENT, SEGMENT_BYTES, SegmentEntry};
use crate::tier::{Corruption, Incarnation, PagePlace, page};
use std::io::ErrorKind;
use std::ops::AddAssign;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_disk::{DiskError, OpenMode};

/// What the pages of a segment are; together they are all pages of its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentCensus {
    /// Intact pages of this life that the image names.
    pub named_pages: u64,
    /// Intact pages of this life that it does not name.
    pub other_pages: u64,
    /// Intact pages of earlier lives.
    pub earlier_pages: u64,
    /// Pages of zeros.
    pub blank_pages: u64,
    /// Whatever else there is.
    pub unknown_pages: u64,
    /// Records of this life, live or dead.
    pub records: u64,
    /// Their bytes.
    pub record_bytes: u64,
}

impl Offline {
    /// Walks the segment of `entry`; `is_named` says whether the image names
    /// this page as the first of a record.
    ///
    /// # Errors
    /// [`Corruption`] if its file is missing or cannot be read.
    pub fn census(
        &self,
        entry: &SegmentEntry,
        is_named: &dyn Fn(u32) -> bool,
    ) -> Result<SegmentCensus, Corruption> {
        let bytes = self
            .read_segment(entry)
            .map_err(|error| unreadable(&error, &entry.number.file_name()))?;
        let page_count = (bytes.len() / PAGE_BYTES) as u32;
        let mut census = SegmentCensus::default();
        let mut page = 0;
        while page < page_count {
            page += census.count(&bytes, entry, page, is_named).max(1);
        }
        Ok(census)
    }

    /// Whether something is there as the file of `entry`, whatever it is: the manifest lists
    /// a segment before its file is made.
    #[must_use]
    pub fn has_segment(&self, entry: &SegmentEntry) -> bool {
        match self.disk.link_count(&entry.number.file_name()) {
            Ok(_) => true,
            Err(error) => error.io_error_kind() != ErrorKind::NotFound,
        }
    }

    pub(super) fn read_segment(&self, entry: &SegmentEntry) -> Result<Vec<u8>, DiskError> {
        let name = entry.number.file_name();
        let file = self.disk.open_file(&name, OpenMode::Read, false)?;
        let mut bytes = vec![0; file.size_bytes()?.min(SEGMENT_BYTES) as usize];
        let read = file.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

impl AddAssign for SegmentCensus {
    fn add_assign(&mut self, other: Self) {
        self.named_pages += other.named_pages;
        self.other_pages += other.other_pages;
        self.earlier_pages += other.earlier_pages;
        self.blank_pages += other.blank_pages;
        self.unknown_pages += other.unknown_pages;
        self.records += other.records;
        self.record_bytes += other.record_bytes;
    }
}

impl SegmentCensus {
    /// Counts what starts at `page`; how many pages it is.
    fn count(
        &mut self,
        bytes: &[u8],
        entry: &SegmentEntry,
        page: u32,
        is_named: &dyn Fn(u32) -> bool,
    ) -> u32 {
        let rest = bytes.get(page as usize * PAGE_BYTES..).unwrap_or_default();
        let first = rest.get(..PAGE_BYTES).unwrap_or(rest);
        if first.iter().all(|byte| *byte == 0) {
            self.blank_pages += 1;
            return 1;
        }
        let place = PagePlace {
            segment: entry.number,
            incarnation: entry.incarnation,
            page,
        };
        if let Ok(records) = page::records(rest, place) {
            let pages = (records.pages() as u32).min(PAGES_PER_SEGMENT);
            for record in records.flatten() {
                self.records += 1;
                self.record_bytes += record.encoded_bytes() as u64;
            }
            if is_named(page) {
                self.named_pages += u64::from(pages);
            } else {
                self.other_pages += u64::from(pages);
            }
            return pages;
        }
        let claimed = first
            .get(page::INCARNATION_OFFSET..)
            .and_then(|field| field.first_chunk())
            .map(|field| Incarnation(u64::from_le_bytes(*field)));
        let earlier = claimed.map(|incarnation| PagePlace {
            incarnation,
            ..place
        });
        if earlier.is_some_and(|place| page::records(rest, place).is_ok()) {
            // A later life may have overwritten the rest of a run: on page by
            // page.
            self.earlier_pages += 1;
        } else {
            self.unknown_pages += 1;
        }
        1
    }
}
