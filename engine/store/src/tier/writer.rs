//! The writer: records into the pages of their streams, pages to the disk.
//!
//! Owns each stream's open segment and the pages not yet written. Does not own
//! the index: the caller points slots at what was written, and only after
//! [`TierWriter::flush`] has returned. One thread.
//!
//! INVARIANT: an address is given out once in a segment's life.
//! INVARIANT: no page holds two records of one stored hash and shard, so that
//! hash and address together name one record.
//! DURABILITY: what was flushed is durable after [`TierWriter::sync`].

use super::dictionary::{Compressor, DICTIONARY_MAX_BYTES, Dictionary};
use super::page::{
    PAGE_CAPACITY_BYTES, PageBuilder, PagePlace, RECORD_MAX_BYTES, build_run, pages_for,
};
use super::record::{Extent, TierRecord};
use super::segment::{PAGES_PER_SEGMENT, SegmentNumber, Stream};
use super::volume::{OpenSegment, Volume};
use super::{FormatError, StoredValue};
use crate::address::Address;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{DatabaseId, KeyHash, Lsn, UnixMillis};
use thermocline_disk::{AlignedBuffer, DiskError, File};

/// Pages are written once this many bytes of a stream wait.
const WRITE_BYTES: usize = 1 << 20;
/// Samples of values are gathered up to this many bytes before a dictionary is
/// trained: more make it hardly better and the training long.
const SAMPLES_BYTES: usize = 32 * DICTIONARY_MAX_BYTES;
/// Values longer than this say little about the others.
const SAMPLE_MAX_BYTES: usize = 8192;

/// Values that do not fit a run are cut into parts of this many bytes: three
/// fit a segment, and reading one is still one long read.
const PART_BYTES: usize = 10 << 20;

/// Why a record could not be placed or a page not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// `tier-max-bytes` is used up.
    #[error("the tier is full")]
    Full,
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The record fits no segment, or zstd refused.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// A value to be written.
pub(crate) struct NewRecord<'a> {
    pub(crate) lsn: Lsn,
    pub(crate) database: DatabaseId,
    pub(crate) form: u8,
    pub(crate) expiry: Option<UnixMillis>,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// Where a record will be, and what it takes there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) address: Address,
    pub(crate) bytes: u32,
}

struct Output {
    segment: OpenSegment,
    page: Option<PageBuilder>,
    /// Hashes of the records in `page`.
    hashes: Vec<u64>,
    /// Whole pages that wait, and the page of the segment they begin at.
    waiting: Vec<u8>,
    waiting_from: u32,
    next_page: u32,
    /// Whether anything of it may be used: a flush has returned.
    is_used: bool,
}

/// See the module.
pub(crate) struct TierWriter {
    outputs: BTreeMap<Stream, Output>,
    unsynced: BTreeMap<SegmentNumber, File>,
    /// Segments whose sync failed: see [`TierWriter::distrusted`].
    distrusted: BTreeSet<SegmentNumber>,
    buffer: AlignedBuffer,
    /// Out only while it lends a frame.
    compressor: Option<Compressor>,
    dictionaries: Vec<Dictionary>,
    samples: Vec<Vec<u8>>,
    samples_bytes: usize,
    /// Bytes written since the start; values before and after compression.
    pub(crate) written_bytes: u64,
    pub(crate) raw_bytes: u64,
    pub(crate) stored_bytes: u64,
}

impl TierWriter {
    /// A writer that knows the manifest's dictionaries.
    pub(crate) fn new(dictionaries: Vec<Dictionary>) -> Result<Self, FormatError> {
        Ok(Self {
            outputs: BTreeMap::new(),
            unsynced: BTreeMap::new(),
            distrusted: BTreeSet::new(),
            buffer: AlignedBuffer::new(WRITE_BYTES),
            compressor: Some(Compressor::new(dictionaries.last())?),
            dictionaries,
            samples: Vec::new(),
            samples_bytes: 0,
            written_bytes: 0,
            raw_bytes: 0,
            stored_bytes: 0,
        })
    }

    /// What the writer holds of memory beside the compressor, bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let waiting = |output: &Output| {
            let page = output.page.as_ref().map_or(0, |_| PAGE_BYTES);
            page + output.waiting.capacity() + output.hashes.capacity() * size_of::<u64>()
        };
        let outputs: usize = self.outputs.values().map(waiting).sum();
        let dictionaries: usize = self.dictionaries.iter().map(|it| it.bytes.len()).sum();
        WRITE_BYTES + outputs + dictionaries + self.samples_bytes
    }

    /// All dictionaries that records may name.
    pub(crate) fn dictionaries(&self) -> &[Dictionary] {
        &self.dictionaries
    }

    /// Learns from `value` until there is a dictionary; true once when there is
    /// a new one, which readers must know before any address of a record
    /// placed from now on is given to them.
    fn learn(&mut self, value: &[u8]) -> Result<bool, FormatError> {
        if !self.dictionaries.is_empty() || value.len() > SAMPLE_MAX_BYTES || value.len() < 16 {
            return Ok(false);
        }
        self.samples_bytes += value.len();
        self.samples.push(value.to_vec());
        if self.samples_bytes < SAMPLES_BYTES {
            return Ok(false);
        }
        let samples = std::mem::take(&mut self.samples);
        let samples: Vec<_> = samples.iter().map(Vec::as_slice).collect();
        self.samples_bytes = 0;
        let trained = Dictionary::train(1, &samples);
        // Values without any likeness train nothing; an empty dictionary says
        // so and keeps it from being tried for ever.
        let dictionary = trained.unwrap_or(Dictionary {
            id: 1,
            bytes: Vec::new(),
        });
        if dictionary.bytes.is_empty() {
            tracing::info!("values have nothing in common to train a dictionary from");
        }
        self.compressor = Some(Compressor::new(Some(&dictionary))?);
        self.dictionaries.push(dictionary);
        Ok(true)
    }

    /// Places a value, compressed where that pays. `published` is called with a
    /// new dictionary before anything that needs it is placed.
    pub(crate) fn place(
        &mut self,
        volume: &Volume,
        stream: Stream,
        hash: KeyHash,
        record: &NewRecord<'_>,
        now: UnixMillis,
        published: &mut dyn FnMut(&Dictionary),
    ) -> Result<Placed, WriteError> {
        if self.learn(record.value)?
            && let Some(dictionary) = self.dictionaries.last()
        {
            published(dictionary);
        }
        let mut compressor = self.compressor.take();
        let value = match &mut compressor {
            Some(compressor) => compressor.compress(record.value),
            None => StoredValue::Raw(record.value),
        };
        self.raw_bytes += record.value.len() as u64;
        self.stored_bytes += value.stored().len() as u64;
        let whole = TierRecord {
            lsn: record.lsn,
            database: record.database,
            form: record.form,
            expiry: record.expiry,
            key: record.key,
            extent: Extent::Whole,
            value,
        };
        let placed = if whole.encoded_bytes() <= RECORD_MAX_BYTES {
            self.place_stored(volume, stream, hash, &whole, now)
        } else {
            self.place_parts(volume, stream, hash, &whole, now)
        };
        self.compressor = compressor;
        placed
    }

    /// Places a value too long for one run: its parts, then the head.
    fn place_parts(
        &mut self,
        volume: &Volume,
        stream: Stream,
        hash: KeyHash,
        whole: &TierRecord<'_>,
        now: UnixMillis,
    ) -> Result<Placed, WriteError> {
        let mut list = Vec::new();
        let mut parts = Vec::new();
        for chunk in whole.value.stored().chunks(PART_BYTES) {
            let part = TierRecord {
                extent: Extent::Part,
                value: StoredValue::Raw(chunk),
                ..*whole
            };
            let placed = self.place_stored(volume, stream, hash, &part, now)?;
            list.extend_from_slice(&placed.address.to_bits().to_le_bytes());
            parts.push((placed.address, placed.bytes));
        }
        let head = TierRecord {
            extent: Extent::Head,
            value: whole.value.with_stored(&list),
            ..*whole
        };
        let placed = self.place_stored(volume, stream, hash, &head, now)?;
        volume.note_parts(placed.address, parts);
        Ok(placed)
    }

    /// Places a record as it is: one that was read from the tier.
    ///
    /// After an error of the disk nothing placed since the last flush may be
    /// used, as after one of [`TierWriter::flush`].
    pub(crate) fn place_stored(
        &mut self,
        volume: &Volume,
        stream: Stream,
        hash: KeyHash,
        record: &TierRecord<'_>,
        now: UnixMillis,
    ) -> Result<Placed, WriteError> {
        let placed = self.try_place(volume, stream, hash, record, now);
        if matches!(placed, Err(WriteError::Disk(_))) {
            self.abandon(volume, now);
        }
        placed
    }

    fn try_place(
        &mut self,
        volume: &Volume,
        stream: Stream,
        hash: KeyHash,
        record: &TierRecord<'_>,
        now: UnixMillis,
    ) -> Result<Placed, WriteError> {
        let mut bytes = record.encoded_bytes();
        let pages = if bytes <= PAGE_CAPACITY_BYTES {
            1
        } else {
            pages_for(bytes) as u32
        };
        if pages > PAGES_PER_SEGMENT {
            return Err(FormatError::TooLarge {
                what: "a value that sinks",
                bytes: bytes as u64,
                limit_bytes: RECORD_MAX_BYTES as u64,
            }
            .into());
        }
        if pages == 1
            && let Some(placed) = self.share_page(volume, stream, hash, record)
        {
            return Ok(placed);
        }
        // A page or run of its own: end the one being filled, and the segment
        // where the run would leave it.
        self.end_page(stream)?;
        let ends =
            (self.outputs.get(&stream)).is_some_and(|it| it.next_page + pages > PAGES_PER_SEGMENT);
        if ends {
            self.end_segment(volume, stream, now)?;
        }
        let output = match self.outputs.entry(stream) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Output {
                segment: volume.activate(stream)?.ok_or(WriteError::Full)?,
                page: None,
                hashes: Vec::new(),
                waiting: Vec::new(),
                waiting_from: 0,
                next_page: 0,
                is_used: false,
            }),
        };
        let place = PagePlace {
            segment: output.segment.number,
            incarnation: output.segment.incarnation,
            page: output.next_page,
        };
        if pages == 1 {
            let mut page = PageBuilder::new(place);
            let fits = page.push(record);
            debug_assert!(fits, "an empty page takes what does not need a run");
            output.page = Some(page);
            output.hashes.push(stored_hash(hash));
        } else {
            let run = build_run(place, record)?;
            output.waiting.extend_from_slice(&run);
        }
        output.next_page += pages;
        if pages > 1 {
            // What a run leaves of its last page is nobody's: counted as free, it
            // would be cleaned for nothing.
            bytes = pages as usize * PAGE_BYTES;
        }
        let placed = address_of(place, pages, bytes);
        note_written(volume, place.segment, bytes, record.expiry);
        self.write_if_many(stream)?;
        Ok(placed)
    }

    /// Puts a small record into the page being filled, if it has room.
    fn share_page(
        &mut self,
        volume: &Volume,
        stream: Stream,
        hash: KeyHash,
        record: &TierRecord<'_>,
    ) -> Option<Placed> {
        let output = self.outputs.get_mut(&stream)?;
        let page = output.page.as_mut()?;
        if output.hashes.contains(&stored_hash(hash)) || !page.push(record) {
            return None;
        }
        output.hashes.push(stored_hash(hash));
        let place = PagePlace {
            segment: output.segment.number,
            incarnation: output.segment.incarnation,
            page: output.next_page - 1,
        };
        let bytes = record.encoded_bytes();
        note_written(volume, place.segment, bytes, record.expiry);
        Some(address_of(place, 1, bytes))
    }

    /// Moves the page being filled to those that wait.
    fn end_page(&mut self, stream: Stream) -> Result<(), WriteError> {
        if let Some(output) = self.outputs.get_mut(&stream)
            && let Some(page) = output.page.take()
        {
            output.hashes.clear();
            output.waiting.extend_from_slice(&page.finish());
        }
        self.write_if_many(stream)
    }

    fn write_if_many(&mut self, stream: Stream) -> Result<(), WriteError> {
        let many = (self.outputs.get(&stream)).is_some_and(|it| it.waiting.len() >= WRITE_BYTES);
        if many {
            self.write_waiting(stream)?;
        }
        Ok(())
    }

    /// Writes the whole pages that wait. After an error the segment takes no
    /// more, and nothing of it that was not flushed before may be used.
    fn write_waiting(&mut self, stream: Stream) -> Result<(), WriteError> {
        let Some(output) = self.outputs.get_mut(&stream) else {
            return Ok(());
        };
        let mut offset = u64::from(output.waiting_from) * PAGE_BYTES as u64;
        for chunk in output.waiting.chunks(WRITE_BYTES) {
            self.buffer[..chunk.len()].copy_from_slice(chunk);
            output
                .segment
                .file
                .write_all_at(offset, &self.buffer[..chunk.len()])?;
            offset += chunk.len() as u64;
            self.written_bytes += chunk.len() as u64;
        }
        output.waiting_from += (output.waiting.len() / PAGE_BYTES) as u32;
        output.waiting.clear();
        output.waiting.shrink_to(WRITE_BYTES * 2);
        self.unsynced
            .entry(output.segment.number)
            .or_insert_with(|| output.segment.file.clone());
        Ok(())
    }

    /// Writes everything placed, padding the last page of each stream. On
    /// return it can be read; it is durable after [`TierWriter::sync`].
    ///
    /// After an error nothing placed since the last flush may be used: the
    /// streams it was placed in go on in other segments.
    pub(crate) fn flush(&mut self, volume: &Volume, now: UnixMillis) -> Result<(), WriteError> {
        let streams: Vec<_> = self.outputs.keys().copied().collect();
        for stream in streams {
            let written = self
                .end_page(stream)
                .and_then(|()| self.write_waiting(stream));
            if let Err(error) = written {
                self.abandon(volume, now);
                return Err(error);
            }
        }
        for output in self.outputs.values_mut() {
            output.is_used = true;
        }
        Ok(())
    }

    /// Gives up everything placed and not flushed. A disk that refuses again and
    /// again uses no segments up.
    pub(crate) fn abandon(&mut self, volume: &Volume, now: UnixMillis) {
        for (_, output) in std::mem::take(&mut self.outputs) {
            let number = output.segment.number;
            if output.is_used {
                volume.with_table(|table| table.seal(number, output.next_page, now));
            } else {
                self.unsynced.remove(&number);
                volume.with_table(|table| table.give_back(number));
            }
        }
    }

    fn end_segment(
        &mut self,
        volume: &Volume,
        stream: Stream,
        now: UnixMillis,
    ) -> Result<(), WriteError> {
        self.write_waiting(stream)?;
        if let Some(output) = self.outputs.remove(&stream) {
            let (number, pages) = (output.segment.number, output.next_page);
            volume.with_table(|table| table.seal(number, pages, now));
        }
        Ok(())
    }

    /// Ends segments of which all that was written has expired at `now`, full or not, so that
    /// they are cleaned and their keys go.
    pub(crate) fn end_expired(&mut self, volume: &Volume, now: UnixMillis) {
        self.outputs.retain(|stream, output| {
            let number = output.segment.number;
            let is_over = matches!(stream, Stream::Expiring(_))
                && output.is_used
                && output.page.is_none()
                && output.waiting.is_empty()
                && volume.with_table(|table| table.has_expired(number, now));
            if is_over {
                volume.with_table(|table| table.seal(number, output.next_page, now));
            }
            !is_over
        });
    }

    /// On return everything flushed is durable.
    ///
    /// DURABILITY: after an error the segments concerned are never synced
    /// again, since the kernel may have dropped their dirty pages and a second
    /// sync would say OK. They take no more, and are
    /// [`TierWriter::distrusted`].
    pub(crate) fn sync(&mut self, volume: &Volume, now: UnixMillis) -> Result<(), DiskError> {
        let mut result = Ok(());
        for (number, file) in std::mem::take(&mut self.unsynced) {
            if is_planted(Bug::SkippedTierSync) {
                continue;
            }
            if let Err(error) = file.sync_data() {
                if !is_planted(Bug::FailedTierSyncForgotten) {
                    self.distrusted.insert(number);
                }
                result = Err(error);
            }
        }
        if result.is_err() {
            self.abandon(volume, now);
        }
        result
    }

    /// A segment whose sync failed: no image may name it, so what lives in it
    /// must be written elsewhere, and then [`TierWriter::forget`] called.
    pub(crate) fn distrusted(&self) -> Option<SegmentNumber> {
        self.distrusted.first().copied()
    }

    /// Nothing that lives is in the segment any more.
    pub(crate) fn forget(&mut self, number: SegmentNumber) {
        self.distrusted.remove(&number);
    }
}

fn stored_hash(hash: KeyHash) -> u64 {
    u64::from(hash.shard().0) << KeyHash::STORED_BITS | u64::from(hash.stored())
}

fn address_of(place: PagePlace, pages: u32, bytes: usize) -> Placed {
    let page = u32::from(place.segment.0) * PAGES_PER_SEGMENT + place.page;
    let Some(address) = Address::new(page, pages) else {
        unreachable!("a segment's number is below its limit");
    };
    Placed {
        address,
        bytes: bytes as u32,
    }
}

fn note_written(volume: &Volume, segment: SegmentNumber, bytes: usize, expiry: Option<UnixMillis>) {
    volume.with_table(|table| table.record_written(segment, bytes as u64, expiry));
}
