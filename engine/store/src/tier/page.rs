//! Pages of 4 KiB: how records are packed, found and walked.
//!
//! Owns the page's bytes (FORMAT.md, "Tier page"). Does not own records'
//! bytes, nor where pages are written. Pure; any thread runs it.
//!
//! A record that fits a page never straddles two, so a cold read is one page.
//! A larger one has a run of pages to itself: only the first has a header, so
//! the record is contiguous, and the CRC covers the run.
//!
//! INVARIANT: a page is believed only where it was written: its CRC covers
//! the segment, the page number and the segment's incarnation. The bytes of a
//! run's later pages are a client's; they cannot pass for a page, because the
//! incarnation is 64 random bits no client knows.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::record::{Extent, Seal, TierRecord};
use super::segment::{Incarnation, PAGES_PER_SEGMENT, SegmentNumber};
use super::{Corruption, FormatError};
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::checksum::crc32;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{CodecError, DatabaseId, Reader};

/// Offset of the CRC-32 of everything behind it, to the end of the page or run.
pub const CRC_OFFSET: usize = 0;
/// Offset of the magic number.
pub const MAGIC_OFFSET: usize = 4;
/// Offset of the format's version.
pub const VERSION_OFFSET: usize = 6;
/// Offset of the kind: [`KIND_SINGLE`] or [`KIND_RUN`].
pub const KIND_OFFSET: usize = 7;
/// Offset of the segment's incarnation.
pub const INCARNATION_OFFSET: usize = 8;
/// Offset of the segment's number.
pub const SEGMENT_OFFSET: usize = 16;
/// Offset of the page's number in its segment.
pub const PAGE_NUMBER_OFFSET: usize = 20;
/// Offset of the number of records.
pub const RECORD_COUNT_OFFSET: usize = 24;
/// Offset of the length of the records, in bytes.
pub const USED_BYTES_OFFSET: usize = 28;
/// Where the first record starts.
pub const HEADER_BYTES: usize = 32;
/// The largest record that shares a page, in bytes.
pub const PAGE_CAPACITY_BYTES: usize = PAGE_BYTES - HEADER_BYTES;
/// The largest record of the tier, in bytes: a run never leaves its segment.
pub const RECORD_MAX_BYTES: usize = PAGES_PER_SEGMENT as usize * PAGE_BYTES - HEADER_BYTES;

/// The first bytes behind the CRC.
pub const MAGIC: u16 = 0x5454;
/// The version this program writes.
pub const VERSION: u8 = 1;
/// A page of any number of records.
pub const KIND_SINGLE: u8 = 1;
/// The first page of a run that holds one record.
pub const KIND_RUN: u8 = 2;

/// Where a page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagePlace {
    /// The segment.
    pub segment: SegmentNumber,
    /// The segment's life the page belongs to.
    pub incarnation: Incarnation,
    /// The page in the segment, below [`PAGES_PER_SEGMENT`].
    pub page: u32,
}

impl PagePlace {
    /// The page's first byte in the segment's file.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        (self.page as u64).saturating_mul(PAGE_BYTES as u64)
    }

    fn corruption(&self, offset: usize, expected: String, found: String) -> Corruption {
        Corruption {
            file: self.segment.file_name(),
            offset: self.offset().saturating_add(offset as u64),
            expected,
            found,
        }
    }
}

/// How many pages a record of `record_bytes` takes: one, or the length of its run.
#[must_use]
pub const fn pages_for(record_bytes: usize) -> usize {
    record_bytes
        .saturating_add(HEADER_BYTES)
        .div_ceil(PAGE_BYTES)
}

/// Fills in the header of `pages`, whole pages that start with room for it.
fn seal(pages: &mut [u8], place: PagePlace, kind: u8, record_count: u32, used_bytes: usize) {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(&MAGIC.to_le_bytes());
    header.extend_from_slice(&[VERSION, kind]);
    header.extend_from_slice(&place.incarnation.0.to_le_bytes());
    header.extend_from_slice(&u32::from(place.segment.0).to_le_bytes());
    header.extend_from_slice(&place.page.to_le_bytes());
    header.extend_from_slice(&record_count.to_le_bytes());
    header.extend_from_slice(&(used_bytes as u32).to_le_bytes());
    if let Some(field) = pages.get_mut(MAGIC_OFFSET..HEADER_BYTES) {
        field.copy_from_slice(&header);
    }
    let checksum = pages.get(MAGIC_OFFSET..).map_or(0, crc32);
    if let Some(field) = pages.get_mut(CRC_OFFSET..MAGIC_OFFSET) {
        field.copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Packs records into one page.
#[derive(Debug)]
pub struct PageBuilder {
    place: PagePlace,
    bytes: Vec<u8>,
    record_count: u32,
}

impl PageBuilder {
    /// An empty page that will stand at `place`.
    #[must_use]
    pub fn new(place: PagePlace) -> Self {
        let mut bytes = Vec::with_capacity(PAGE_BYTES);
        bytes.resize(HEADER_BYTES, 0);
        Self {
            place,
            bytes,
            record_count: 0,
        }
    }

    /// Adds `record` if there is room; says whether there was. A record above
    /// [`PAGE_CAPACITY_BYTES`] never has any: see [`build_run`].
    #[must_use]
    pub fn push(&mut self, record: &TierRecord<'_>) -> bool {
        if record.encoded_bytes() > self.room_bytes() {
            return false;
        }
        record.encode(&mut self.bytes);
        self.record_count = self.record_count.saturating_add(1);
        true
    }

    /// How many bytes of records still fit.
    #[must_use]
    pub const fn room_bytes(&self) -> usize {
        PAGE_BYTES.saturating_sub(self.bytes.len())
    }

    /// How many records were added.
    #[must_use]
    pub const fn record_count(&self) -> u32 {
        self.record_count
    }

    /// The page's [`PAGE_BYTES`] bytes, padded with zeros.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let used_bytes = self.bytes.len().saturating_sub(HEADER_BYTES);
        self.bytes.resize(PAGE_BYTES, 0);
        seal(
            &mut self.bytes,
            self.place,
            KIND_SINGLE,
            self.record_count,
            used_bytes,
        );
        self.bytes
    }
}

/// The run of whole pages, starting at `place`, that holds `record` alone.
///
/// # Errors
/// [`FormatError::TooLarge`] if the run would leave its segment.
pub fn build_run(place: PagePlace, record: &TierRecord<'_>) -> Result<Vec<u8>, FormatError> {
    let record_bytes = record.encoded_bytes();
    let pages = pages_for(record_bytes);
    let pages_left = PAGES_PER_SEGMENT.saturating_sub(place.page) as usize;
    if pages > pages_left {
        return Err(FormatError::TooLarge {
            what: "a tier record",
            bytes: record_bytes as u64,
            limit_bytes: pages_left
                .saturating_mul(PAGE_BYTES)
                .saturating_sub(HEADER_BYTES) as u64,
        });
    }
    let run_bytes = pages.saturating_mul(PAGE_BYTES);
    let mut bytes = Vec::with_capacity(run_bytes);
    bytes.resize(HEADER_BYTES, 0);
    record.encode(&mut bytes);
    bytes.resize(run_bytes, 0);
    seal(&mut bytes, place, KIND_RUN, 1, record_bytes);
    Ok(bytes)
}

/// The records of one page or run, checked.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    place: PagePlace,
    reader: Reader<'a>,
    left: u32,
    pages: usize,
}

impl<'a> Records<'a> {
    /// The next record, its own CRC still to be compared.
    fn step(&mut self) -> Option<Result<(TierRecord<'a>, Seal<'a>), Corruption>> {
        if self.left == 0 {
            if self.reader.is_empty() {
                return None;
            }
            let surplus = self.reader.left_bytes();
            let offset = HEADER_BYTES.saturating_add(self.reader.offset());
            self.reader = Reader::new(&[]);
            return Some(Err(self.place.corruption(
                offset,
                "the end of the records".to_owned(),
                format!("{surplus} more bytes"),
            )));
        }
        self.left = self.left.saturating_sub(1);
        let record = TierRecord::decode_sealed(&mut self.reader);
        Some(record.map_err(|error| self.end(error)))
    }

    /// Nothing more comes after a record that is none.
    fn end(&mut self, error: CodecError) -> Corruption {
        self.left = 0;
        self.reader = Reader::new(&[]);
        let start = self.place.offset().saturating_add(HEADER_BYTES as u64);
        let file = self.place.segment.file_name();
        Corruption::of_codec(file, start, "a tier record", error)
    }

    /// How many pages they stand in: where the next page or run starts.
    #[must_use]
    pub const fn pages(&self) -> usize {
        self.pages
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<TierRecord<'a>, Corruption>;

    fn next(&mut self) -> Option<Self::Item> {
        let (record, seal) = match self.step()? {
            Ok(stepped) => stepped,
            Err(corruption) => return Some(Err(corruption)),
        };
        let verified = seal.verify().map_err(|error| self.end(error));
        Some(verified.map(|()| record))
    }
}

/// A header that stands where it belongs, its CRC not yet compared.
struct Header {
    checksum: u32,
    record_count: u32,
    used_bytes: usize,
    pages: usize,
}

fn header(bytes: &[u8], place: PagePlace) -> Result<Header, Corruption> {
    let short = |error| {
        let file = place.segment.file_name();
        Corruption::of_codec(file, place.offset(), "a tier page", error)
    };
    let mut reader = Reader::new(bytes);
    let checksum = reader.u32().map_err(short)?;
    let magic = reader.u16().map_err(short)?;
    let version = reader.u8().map_err(short)?;
    let kind = reader.u8().map_err(short)?;
    let incarnation = Incarnation(reader.u64().map_err(short)?);
    let segment = reader.u32().map_err(short)?;
    let page = reader.u32().map_err(short)?;
    let record_count = reader.u32().map_err(short)?;
    let used_bytes = reader.u32().map_err(short)? as usize;

    let pages = pages_for(used_bytes).max(1);
    let pages_left = PAGES_PER_SEGMENT.saturating_sub(place.page) as usize;
    let fits = match kind {
        KIND_SINGLE => pages == 1,
        KIND_RUN => record_count == 1 && pages <= pages_left,
        _ => false,
    };
    let refuse = |offset, expected, found| Err(place.corruption(offset, expected, found));
    if magic != MAGIC || version != VERSION {
        return refuse(
            MAGIC_OFFSET,
            format!("page magic {MAGIC:#06x} of version {VERSION}"),
            format!("{magic:#06x} of version {version}"),
        );
    }
    if segment != u32::from(place.segment.0) || page != place.page {
        return refuse(
            SEGMENT_OFFSET,
            format!("page {} of segment {}", place.page, place.segment.0),
            format!("page {page} of segment {segment}"),
        );
    }
    if incarnation != place.incarnation {
        return refuse(
            INCARNATION_OFFSET,
            format!("incarnation {:#018x}", place.incarnation.0),
            format!("{:#018x}", incarnation.0),
        );
    }
    if !fits {
        return refuse(
            KIND_OFFSET,
            "a single page or a run of one record".to_owned(),
            format!("kind {kind} of {record_count} records in {used_bytes} bytes"),
        );
    }
    Ok(Header {
        checksum,
        record_count,
        used_bytes,
        pages,
    })
}

/// How many bytes the page or run has that `bytes` start with, if it is of a version that a
/// later program wrote, or damaged so that it looks like one: see [`newer_version`].
#[must_use]
pub fn newer_run_bytes(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(bytes.get(MAGIC_OFFSET..HEADER_BYTES)?);
    let magic = reader.u16().ok()?;
    let version = reader.u8().ok()?;
    if magic != MAGIC || version <= VERSION {
        return None;
    }
    let used_bytes = bytes.get(USED_BYTES_OFFSET..HEADER_BYTES)?;
    let used_bytes = u32::from_le_bytes(used_bytes.try_into().ok()?) as usize;
    Some(pages_for(used_bytes).max(1).saturating_mul(PAGE_BYTES))
}

/// The version of the intact page or run that `bytes` are, if a later program wrote it.
/// Whatever a version changes, crc, magic, version and the bytes used stay where they are,
/// and the crc covers all behind itself.
#[must_use]
pub fn newer_version(bytes: &[u8]) -> Option<u8> {
    let run_bytes = newer_run_bytes(bytes)?;
    let covered = bytes.get(MAGIC_OFFSET..run_bytes)?;
    let checksum = bytes.get(CRC_OFFSET..MAGIC_OFFSET)?;
    let is_intact = crc32(covered).to_le_bytes() == *checksum;
    bytes.get(VERSION_OFFSET).copied().filter(|_| is_intact)
}

/// Whether `bytes` start with a header that names `place`: for a walk over pages of which
/// most may be of no life, as it puts nothing into words. [`records`] decides.
#[must_use]
pub fn names_place(bytes: &[u8], place: PagePlace) -> bool {
    let field = |at: usize, expected: &[u8]| {
        let end = at.saturating_add(expected.len());
        bytes.get(at..end) == Some(expected)
    };
    field(INCARNATION_OFFSET, &place.incarnation.0.to_le_bytes())
        && field(SEGMENT_OFFSET, &u32::from(place.segment.0).to_le_bytes())
        && field(PAGE_NUMBER_OFFSET, &place.page.to_le_bytes())
}

/// The records of a damaged page or run that are intact all the same: each has a
/// CRC of its own. None unless its header says that it belongs to `place`: what is
/// left of an earlier life of the segment must not come back.
#[must_use]
pub fn intact_records(bytes: &[u8], place: PagePlace) -> Vec<TierRecord<'_>> {
    let Ok(header) = header(bytes, place) else {
        return Vec::new();
    };
    let used = HEADER_BYTES..HEADER_BYTES.saturating_add(header.used_bytes);
    let mut rest = bytes.get(used).unwrap_or_default();
    let mut records = Vec::new();
    // A damaged length hides where the next record begins: it is looked for.
    while !rest.is_empty() {
        let mut reader = Reader::new(rest);
        let taken = match TierRecord::decode(&mut reader) {
            Ok(record) => {
                records.push(record);
                reader.offset()
            }
            Err(_) if header.record_count == 1 => break,
            Err(_) => 1,
        };
        rest = rest.get(taken.max(1)..).unwrap_or_default();
    }
    records
}

/// How many pages the page or run takes whose first page, read from `place`,
/// is `bytes`: for a run longer than its address tells. It never leaves the
/// segment; whether it is true shows only once [`records`] has all its pages.
///
/// # Errors
/// [`Corruption`] if the header was not written to this place.
pub fn declared_pages(bytes: &[u8], place: PagePlace) -> Result<usize, Corruption> {
    header(bytes, place).map(|header| header.pages)
}

/// Checks the page or run that `bytes` start with, read from `place`, and
/// walks its records. More bytes may follow: a reader rounds up.
///
/// # Errors
/// [`Corruption`] if the bytes were not written to this place, are damaged, or
/// hold only a part of a run.
pub fn records(bytes: &[u8], place: PagePlace) -> Result<Records<'_>, Corruption> {
    let header = header(bytes, place)?;
    let run_bytes = header.pages.saturating_mul(PAGE_BYTES);
    let covered = bytes.get(MAGIC_OFFSET..run_bytes).ok_or_else(|| {
        place.corruption(
            USED_BYTES_OFFSET,
            format!("pages of {} bytes", bytes.len()),
            format!("{run_bytes} bytes"),
        )
    })?;
    let computed = crc32(covered);
    if computed != header.checksum && !is_planted(Bug::SkippedTierCrc) {
        return Err(place.corruption(
            CRC_OFFSET,
            format!("page CRC {computed:#010x}"),
            format!("{:#010x}", header.checksum),
        ));
    }
    let end = HEADER_BYTES.saturating_add(header.used_bytes);
    Ok(Records {
        place,
        reader: Reader::new(bytes.get(HEADER_BYTES..end).unwrap_or_default()),
        left: header.record_count,
        pages: header.pages,
    })
}

/// The record of `key`, not a part of its value, in the page or run that `bytes` start with, read from
/// `place`. If the page holds several, the highest LSN wins; of equal ones,
/// which are copies, the last.
///
/// # Errors
/// As [`records`], and [`Corruption`] if the records do not follow each other or
/// that of `key` is damaged; the page's CRC covers the others.
pub fn find<'a>(
    bytes: &'a [u8],
    place: PagePlace,
    database: DatabaseId,
    key: &[u8],
) -> Result<Option<TierRecord<'a>>, Corruption> {
    let mut found: Option<TierRecord<'a>> = None;
    let mut records = records(bytes, place)?;
    while let Some(stepped) = records.step() {
        let (record, seal) = stepped?;
        if record.database == database
            && record.key == key
            && record.extent != Extent::Part
            && found.is_none_or(|other| record.lsn >= other.lsn)
        {
            seal.verify().map_err(|error| records.end(error))?;
            found = Some(record);
        }
    }
    Ok(found)
}
