//! Reading pages of the tier one after another.
//!
//! Owns one open segment file at a time, and the buffer of the last read. Does
//! not know what the image names. One thread.

use super::unreadable;
use crate::address::Address;
use crate::manifest::Manifest;
use crate::tier::record::{Extent, RAW_MAX_BYTES};
use crate::tier::segment::PAGES_PER_SEGMENT;
use crate::tier::{Corruption, Incarnation, PagePlace, SegmentNumber, TierRecord, page};
use std::collections::HashMap;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_disk::{Disk, DiskError, File, OpenMode};

/// See the module.
pub(super) struct PageSource {
    disk: Disk,
    incarnations: HashMap<SegmentNumber, Incarnation>,
    open: Option<(SegmentNumber, File)>,
    buffer: Vec<u8>,
}

impl PageSource {
    pub(super) fn new(disk: &Disk, manifest: &Manifest) -> Self {
        let segments = manifest.segments.iter();
        Self {
            disk: disk.clone(),
            incarnations: segments
                .map(|entry| (entry.number, entry.incarnation))
                .collect(),
            open: None,
            buffer: Vec::new(),
        }
    }

    /// Reads the page or run at `address`: where it is, and at least all of
    /// it. Its content is not checked, but for a long run's header.
    pub(super) fn read(&mut self, address: Address) -> Result<(PagePlace, &[u8]), Corruption> {
        let segment = SegmentNumber((address.page() / PAGES_PER_SEGMENT) as u16);
        let page = address.page() % PAGES_PER_SEGMENT;
        let Some(&incarnation) = self.incarnations.get(&segment) else {
            return Err(Corruption {
                file: segment.file_name(),
                offset: u64::from(page) * PAGE_BYTES as u64,
                expected: "a segment that the manifest lists, as the image names a page".to_owned(),
                found: "none".to_owned(),
            });
        };
        let place = PagePlace {
            segment,
            incarnation,
            page,
        };
        self.fill(place, address.pages() as usize)
            .map_err(|error| failed(&error, place))?;
        if address.is_open_ended() {
            let pages = page::declared_pages(&self.buffer, place)?;
            if pages * PAGE_BYTES > self.buffer.len() {
                self.fill(place, pages)
                    .map_err(|error| failed(&error, place))?;
            }
        }
        Ok((place, &self.buffer))
    }

    /// Puts the value of a head together from its parts; each is told to
    /// `record` with its place and bytes.
    pub(super) fn join(
        &mut self,
        head: &TierRecord<'_>,
        record: &mut dyn FnMut(PagePlace, usize),
    ) -> Result<Vec<u8>, Corruption> {
        let mut stored = Vec::new();
        for address in head.parts() {
            let (place, bytes) = self.read(address)?;
            let refuse = |expected: &str, found: String| Corruption {
                file: place.segment.file_name(),
                offset: place.offset(),
                expected: expected.to_owned(),
                found,
            };
            let records: Vec<_> = page::records(bytes, place)?.collect::<Result<_, _>>()?;
            let part = match records.as_slice() {
                [part] if is_part(part, head) => part,
                others => {
                    let found = format!("{} records that are not it", others.len());
                    return Err(refuse("the part of a value that its head names", found));
                }
            };
            record(place, part.encoded_bytes());
            stored.extend_from_slice(part.value.stored());
            // A head may name one part many times.
            if stored.len() as u64 > RAW_MAX_BYTES {
                let found = format!("more than {RAW_MAX_BYTES} bytes");
                return Err(refuse("parts of one value", found));
            }
        }
        Ok(stored)
    }

    /// Reads `pages` pages, or those that are left of the segment.
    fn fill(&mut self, place: PagePlace, pages: usize) -> Result<(), DiskError> {
        let file = match &self.open {
            Some((number, file)) if *number == place.segment => file,
            _ => {
                let name = place.segment.file_name();
                let file = self.disk.open_file(&name, OpenMode::Read, false)?;
                &self.open.insert((place.segment, file)).1
            }
        };
        let left = (PAGES_PER_SEGMENT - place.page) as usize;
        self.buffer.resize(pages.min(left) * PAGE_BYTES, 0);
        let read = file.read_at(place.offset(), &mut self.buffer)?;
        self.buffer.truncate(read);
        Ok(())
    }
}

fn is_part(part: &TierRecord<'_>, head: &TierRecord<'_>) -> bool {
    part.extent == Extent::Part
        && (part.database, part.key, part.lsn) == (head.database, head.key, head.lsn)
}

fn failed(error: &DiskError, place: PagePlace) -> Corruption {
    Corruption {
        offset: place.offset(),
        ..unreadable(error, &place.segment.file_name())
    }
}
