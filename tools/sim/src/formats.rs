//! The four formats, made by what writes them and read by what reads them at a start.
//!
//! Owns a log's segment, a tier's segment, an image and a manifest with content from a
//! seed. To read all of one for each of a million damaged bits would take hours, so a
//! format reads what the damaged byte is a part of, and all that comes after it where
//! that matters (the claims in a log) or before it can be found (an image's directory).
//! Pure.

use std::ops::Range;
use thermocline_base::limits::{PAGE_BYTES, SHARD_COUNT};
use thermocline_base::{DatabaseId, HashSeed, KeyHash, Lsn, Random, ShardId, UnixMillis};
use thermocline_store::Address;
use thermocline_store::effect::DatabaseMap;
use thermocline_store::image::{Directory, PieceBuilder, PieceReference, RangeSet, decode_piece};
use thermocline_store::index::Slot;
use thermocline_store::manifest::{ImageReference, Manifest};
use thermocline_store::tier::{
    Dictionary, Extent, Incarnation, PageBuilder, PagePlace, SegmentNumber, StoredValue,
    TierRecord, build_run, records,
};
use thermocline_wal::frame::{FrameKind, SEGMENT_HEADER_BYTES, SegmentHeader, encode_frame};
use thermocline_wal::scan::{Scanner, Verdict};

/// How long each is at least, if nobody asks for more.
pub const LEAST_BYTES: usize = (128 << 10) + 1;

/// One of them.
pub trait Format: Sync {
    /// What it is.
    fn name(&self) -> &'static str;
    /// Its bytes, whole.
    fn bytes(&self) -> &[u8];
    /// Whether what is in `bytes` around `at`, damaged at `at` or cut there, is read as what was written;
    /// `None` if it is refused.
    fn is_as_written(&self, bytes: &[u8], at: usize) -> Option<bool>;
}

/// All four, each of more than `bytes`.
///
/// # Errors
/// If one cannot be made.
pub fn all(bytes: usize) -> Result<[Box<dyn Format>; 4], String> {
    Ok([
        Box::new(Log::new(bytes)),
        Box::new(Tier::new(bytes)?),
        Box::new(Image::new(bytes)),
        Box::new(OneManifest::new(bytes)?),
    ])
}

fn random_bytes(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.below(256) as u8).collect()
}

/// A log of many short segments, each read as if it were the last one, where nothing but
/// its own frames says what had been durable. In each a frame knows that all but the last
/// few before it are durable, and the last one that all are.
struct Log {
    bytes: Vec<u8>,
    segments: Vec<LogSegment>,
}

struct LogSegment {
    /// Where its file begins in the bytes, and where it ends.
    file: Range<usize>,
    /// Where each frame begins, behind the header, and what it carries.
    frames: Vec<(usize, Vec<u8>)>,
}

const LOG_SEGMENT_BYTES: usize = 16 << 10;

impl Log {
    fn new(least_bytes: usize) -> Self {
        let mut random = Random::new(1);
        let mut log = Self {
            bytes: Vec::new(),
            segments: Vec::new(),
        };
        while log.bytes.len() < least_bytes {
            log.add(&mut random);
        }
        log
    }

    fn add(&mut self, random: &mut Random) {
        let identity = random.next_u64();
        let (mut frames, mut out) = (Vec::new(), Vec::new());
        let mut begins: Vec<usize> = Vec::new();
        while out.len() < LOG_SEGMENT_BYTES {
            let begin = out.len();
            let bytes = random.below(600) as usize;
            let payload = random_bytes(random, bytes);
            let behind = random.below(4) as usize;
            let durable = begins.iter().rev().nth(behind).copied().unwrap_or(0);
            let (at, durable) = (Lsn(begin as u64), Lsn(durable as u64));
            encode_frame(&mut out, FrameKind::Data, identity, at, durable, &payload);
            begins.push(begin);
            frames.push((begin, payload));
        }
        let end = Lsn(out.len() as u64);
        encode_frame(&mut out, FrameKind::Watermark, identity, end, end, &[]);
        let header = SegmentHeader {
            identity,
            sequence: self.segments.len() as u64 + 1,
            start_lsn: Lsn::ZERO,
            history: 7,
            history_start: Lsn::ZERO,
            segment_bytes: (SEGMENT_HEADER_BYTES + out.len()) as u64,
            begun_at: UnixMillis(1_700_000_000_000),
        };
        let begin = self.bytes.len();
        self.bytes.extend(header.encode());
        self.bytes.resize(begin + SEGMENT_HEADER_BYTES, 0);
        self.bytes.extend(out);
        let file = begin..self.bytes.len();
        self.segments.push(LogSegment { file, frames });
    }
}

impl Format for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn is_as_written(&self, bytes: &[u8], at: usize) -> Option<bool> {
        let number = self.segments.partition_point(|it| it.file.end <= at);
        let LogSegment { file, frames } = self.segments.get(number)?;
        let bytes = bytes.get(file.start..file.end.min(bytes.len()))?;
        let header = SegmentHeader::decode(bytes).ok()?;
        // As recovery does: it was this long before it became a segment.
        if (bytes.len() as u64) < header.segment_bytes {
            return None;
        }
        let place = at.saturating_sub(file.start + SEGMENT_HEADER_BYTES);
        let after = frames.partition_point(|(begin, _)| *begin <= place);
        let first = after.saturating_sub(1);
        let from = Lsn(frames[first].0 as u64);
        let behind = bytes.get(SEGMENT_HEADER_BYTES..)?;
        let mut scanner = Scanner::new(behind, header.identity, header.start_lsn, from);
        let mut expected = frames[first..].iter();
        let mut is_right = true;
        for frame in scanner.by_ref().filter(|it| it.kind == FrameKind::Data) {
            is_right &= expected.next().is_some_and(|(begin, payload)| {
                frame.start.0 == *begin as u64 && frame.payload == payload
            });
        }
        if matches!(scanner.verdict(), Verdict::Corrupt { .. }) {
            return None;
        }
        Some(is_right && expected.next().is_none())
    }
}

/// A key and its value.
type Pair = (Vec<u8>, Vec<u8>);

/// The first pages of a tier's segment: pages of several records, and runs of one.
struct Tier {
    bytes: Vec<u8>,
    /// The first page of each page or run, with its records: key and value.
    units: Vec<(u32, Vec<Pair>)>,
}

const fn place(page: u32) -> PagePlace {
    PagePlace {
        segment: SegmentNumber(3),
        incarnation: Incarnation(0x5eed_0000_0000_0003),
        page,
    }
}

const fn record<'a>(key: &'a [u8], value: &'a [u8]) -> TierRecord<'a> {
    TierRecord {
        lsn: Lsn(77),
        database: DatabaseId(2),
        form: 1,
        expiry: None,
        key,
        extent: Extent::Whole,
        value: StoredValue::Raw(value),
    }
}

impl Tier {
    fn new(least_bytes: usize) -> Result<Self, String> {
        let mut random = Random::new(2);
        let (mut bytes, mut units) = (Vec::new(), Vec::new());
        while bytes.len() < least_bytes {
            let page = (bytes.len() / PAGE_BYTES) as u32;
            let mut held = Vec::new();
            if random.chance(8) {
                let value_bytes = 5_000 + random.below(12_000) as usize;
                let (key, value) = (b"long".to_vec(), random_bytes(&mut random, value_bytes));
                let run = build_run(place(page), &record(&key, &value));
                bytes.extend(run.map_err(|error| error.to_string())?);
                held.push((key, value));
            } else {
                let mut builder = PageBuilder::new(place(page));
                loop {
                    let value_bytes = random.below(700) as usize;
                    let key = format!("key:{}", random.below(1 << 40)).into_bytes();
                    let value = random_bytes(&mut random, value_bytes);
                    if !builder.push(&record(&key, &value)) {
                        break;
                    }
                    held.push((key, value));
                }
                bytes.extend(builder.finish());
            }
            units.push((page, held));
        }
        Ok(Self { bytes, units })
    }
}

impl Format for Tier {
    fn name(&self) -> &'static str {
        "tier segment"
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn is_as_written(&self, bytes: &[u8], at: usize) -> Option<bool> {
        let page = (at / PAGE_BYTES) as u32;
        let after = self.units.partition_point(|(first, _)| *first <= page);
        let (first, held) = self.units.get(after.checked_sub(1)?)?;
        let begin = *first as usize * PAGE_BYTES;
        let end = self.units.get(after);
        let end = end.map_or(self.bytes.len(), |(next, _)| *next as usize * PAGE_BYTES);
        // A read of what is not there leaves zeros.
        let mut filled;
        let unit = match bytes.get(begin..end) {
            Some(unit) => unit,
            None => {
                filled = bytes.get(begin..).unwrap_or_default().to_vec();
                filled.resize(end - begin, 0);
                &filled[..]
            }
        };
        let mut expected = held.iter();
        for found in records(unit, place(*first)).ok()? {
            let found = found.ok()?;
            match expected.next() {
                Some((key, value)) if found == record(key, value) => {}
                _ => return Some(false),
            }
        }
        Some(expected.next().is_none())
    }
}

/// An image with a piece for each shard.
struct Image {
    bytes: Vec<u8>,
    directory: Directory,
    reference: ImageReference,
    pieces: Vec<thermocline_store::image::Slots>,
}

const IMAGE_NUMBER: u64 = 5;
const SLOTS_OF_A_PIECE: u64 = 9;

impl Image {
    fn new(least_bytes: usize) -> Self {
        let mut random = Random::new(3);
        let slots_of_a_piece = SLOTS_OF_A_PIECE * least_bytes.div_ceil(LEAST_BYTES) as u64;
        let (mut bytes, mut references, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..SHARD_COUNT {
            let shard = ShardId(number as u16);
            let mut stored: Vec<u32> = (0..slots_of_a_piece)
                .map(|_| random.below(1 << KeyHash::STORED_BITS) as u32)
                .collect();
            stored.sort_unstable();
            let mut builder = PieceBuilder::new(IMAGE_NUMBER, shard, RangeSet::ALL);
            builder.begin_database(DatabaseId(1));
            let mut slots = Vec::new();
            for stored in stored {
                let address = Address::new(random.below(1 << 20) as u32, 1);
                let address = address.unwrap_or_else(|| unreachable!("one page has an address"));
                let slot = Slot::cold(address, KeyHash::from_stored(shard, stored));
                builder.push(slot);
                slots.push(slot);
            }
            let piece = builder.finish();
            references.push(PieceReference {
                shard,
                ranges: RangeSet::ALL,
                file: IMAGE_NUMBER,
                offset: bytes.len() as u64,
                bytes: piece.len() as u32,
            });
            bytes.extend(piece);
            pieces.push(vec![(DatabaseId(1), slots)]);
        }
        let directory = Directory {
            number: IMAGE_NUMBER,
            key_count: SHARD_COUNT as u64 * SLOTS_OF_A_PIECE,
            pieces: references,
        };
        bytes.extend(directory.encode());
        let reference = ImageReference {
            number: IMAGE_NUMBER,
            bytes: bytes.len() as u64,
            crc32: directory.crc32(),
        };
        Self {
            bytes,
            directory,
            reference,
            pieces,
        }
    }

    /// The directory at the end of `bytes`, as a start reads it.
    fn read_directory(&self, bytes: &[u8]) -> Option<Directory> {
        let trailer_at = Directory::trailer_offset(&self.reference).ok()?;
        let trailer = bytes.get(usize::try_from(trailer_at).ok()?..)?;
        let offset = Directory::offset(trailer, &self.reference).ok()?;
        let bytes = bytes.get(usize::try_from(offset).ok()?..)?;
        Directory::decode(bytes, &self.reference).ok()
    }
}

impl Format for Image {
    fn name(&self) -> &'static str {
        "image"
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn is_as_written(&self, bytes: &[u8], at: usize) -> Option<bool> {
        let references = &self.directory.pieces;
        let pieces_bytes = references
            .last()
            .map_or(0, |it| it.offset + u64::from(it.bytes));
        // A start reads it first; a bit of a piece is none of it.
        let is_of_piece = (at as u64) < pieces_bytes;
        let mut is_right = true;
        if !is_of_piece || bytes.len() < self.bytes.len() {
            is_right = self.read_directory(bytes)? == self.directory;
        }
        if !is_of_piece {
            return Some(is_right);
        }
        let after = references.partition_point(|piece| piece.offset <= at as u64);
        let number = after.saturating_sub(1);
        let reference = references.get(number)?;
        let begin = usize::try_from(reference.offset).ok()?;
        let piece = bytes.get(begin..begin + reference.bytes as usize)?;
        let slots = decode_piece(piece, reference).ok()?;
        Some(is_right && slots == self.pieces[number])
    }
}

/// A manifest with all that makes one long.
struct OneManifest {
    bytes: Vec<u8>,
    manifest: Manifest,
}

const DICTIONARY_BYTES: usize = 32 << 10;

impl OneManifest {
    fn new(least_bytes: usize) -> Result<Self, String> {
        let mut random = Random::new(4);
        let dictionaries = (1..=least_bytes / DICTIONARY_BYTES).map(|id| Dictionary {
            id: id as u32,
            bytes: random_bytes(&mut random, DICTIONARY_BYTES),
        });
        let manifest = Manifest {
            hash_seed: HashSeed(9),
            shard_count: SHARD_COUNT as u16,
            databases: DatabaseMap::first(),
            databases_lsn: Lsn(64),
            dictionaries: dictionaries.collect(),
            segments: Vec::new(),
            image: Some(ImageReference {
                number: IMAGE_NUMBER,
                bytes: 4096,
                crc32: 1,
            }),
            checkpoint_lsn: Lsn(64),
            end_lsn: Lsn(128),
            histories: Vec::new(),
        };
        let bytes = manifest.encode().map_err(|error| error.to_string())?;
        Ok(Self { bytes, manifest })
    }
}

impl Format for OneManifest {
    fn name(&self) -> &'static str {
        "manifest"
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn is_as_written(&self, bytes: &[u8], _: usize) -> Option<bool> {
        let manifest = Manifest::decode(bytes).ok()?;
        Some(manifest == self.manifest)
    }
}
