//! A data directory made by hand with the formats, and what is read of it,
//! whole and damaged.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use super::*;
use crate::address::Address;
use crate::effect::{DatabaseMap, Effect, KeyRef};
use crate::image::{PieceBuilder, PieceReference, RangeSet};
use crate::index::Slot;
use crate::manifest::ImageReference;
use crate::payload;
use crate::tier::segment::PAGES_PER_SEGMENT;
use crate::tier::{
    Compressor, Extent, Incarnation, PageBuilder, PagePlace, SegmentEntry, SegmentNumber,
    StoredValue, TierRecord, build_run,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use thermocline_base::limits::{PAGE_BYTES, SHARD_COUNT};
use thermocline_base::{DatabaseId, HashSeed, Lsn, ShardId, UnixMillis};
use thermocline_disk::BackendChoice;
use thermocline_types::Update;
use thermocline_wal::frame::{
    FRAME_HEADER_BYTES, FrameKind, SEGMENT_HEADER_BYTES, SegmentHeader, encode_frame,
};

const SEED: HashSeed = HashSeed(0x5eed);
const SEGMENT: SegmentNumber = SegmentNumber(3);
const INCARNATION: Incarnation = Incarnation(0xabcd);
const WAL_FILE: &str = "wal/00000001.wal";
const SEGMENT_FILE: &str = "tier/00003.segment";
/// The identities of the databases 0 and 1 in the manifest.
const ZERO: DatabaseId = DatabaseId(4);
const ONE: DatabaseId = DatabaseId(5);

/// Database, key, value, expiry.
type Keys = BTreeMap<(u8, Vec<u8>), (Vec<u8>, Option<UnixMillis>)>;

#[derive(Default)]
struct Collected {
    keys: Keys,
    damage: Vec<Corruption>,
    records: Vec<(u32, usize)>,
    slots: usize,
}

impl KeyVisitor for Collected {
    fn key(&mut self, key: OfflineKey<'_>) -> ControlFlow<()> {
        let value = (key.value.string().unwrap().to_vec(), key.expiry);
        let before = self.keys.insert((key.database, key.key.to_vec()), value);
        assert_eq!(before, None, "each key is yielded once");
        ControlFlow::Continue(())
    }

    fn damage(&mut self, damage: Corruption) {
        self.damage.push(damage);
    }

    fn record(&mut self, place: PagePlace, record_bytes: usize) {
        self.records.push((place.page, record_bytes));
    }

    fn progress(&mut self) {
        self.slots += 1;
    }
}

fn read(directory: &Path) -> Collected {
    let disk = Disk::open(directory, BackendChoice::Posix).unwrap();
    let mut collected = Collected::default();
    let mut damage = |one| collected.damage.push(one);
    let (offline, tail) = Offline::open(&disk, &mut damage).unwrap().unwrap();
    offline.visit_keys(tail, &mut collected).unwrap();
    collected
}

fn map(zero: u32, one: u32) -> DatabaseMap {
    let mut identities = std::array::from_fn(|number| DatabaseId(number as u32 + 4));
    identities[0] = DatabaseId(zero);
    identities[1] = DatabaseId(one);
    DatabaseMap {
        identities,
        next: DatabaseId(100),
    }
}

fn put<'a>(database: DatabaseId, key: &'a [u8], value: &'a [u8]) -> Effect<'a> {
    Effect::Put {
        key: KeyRef { database, key },
        form: 1,
        value,
        expiry: None,
    }
}

fn append(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut update = Vec::new();
    Update::StringAppend(bytes).encode_into(&mut update);
    let mut out = Vec::new();
    Effect::Update {
        key: KeyRef {
            database: ZERO,
            key,
        },
        update: &update,
    }
    .encode_into(&mut out);
    out
}

fn encoded(effect: &Effect<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    effect.encode_into(&mut out);
    out
}

/// The log, frame by frame, and where each starts.
#[derive(Default)]
struct Log {
    frames: Vec<u8>,
    starts: Vec<Lsn>,
}

impl Log {
    const IDENTITY: u64 = 0x1d;

    fn add(&mut self, payload: &[u8]) -> Lsn {
        let start = Lsn(self.frames.len() as u64);
        // Each frame claims that all before it is durable.
        let kind = FrameKind::Data;
        encode_frame(
            &mut self.frames,
            kind,
            Self::IDENTITY,
            start,
            start,
            payload,
        );
        self.starts.push(start);
        start
    }

    fn whole(&mut self, effects: &[u8]) -> Lsn {
        self.add(&[&[payload::WHOLE], effects].concat())
    }

    fn part(&mut self, kind: u8, chain: Lsn, effects: &[u8]) -> Lsn {
        self.add(&[&payload::chain_head(kind, chain), effects].concat())
    }

    fn write(&self, directory: &Path) {
        let header = SegmentHeader {
            identity: Self::IDENTITY,
            sequence: 1,
            start_lsn: Lsn::ZERO,
            history: 7,
            history_start: Lsn::ZERO,
            segment_bytes: 0,
            begun_at: UnixMillis(0),
        };
        let mut bytes = header.encode();
        bytes.resize(SEGMENT_HEADER_BYTES, 0);
        bytes.extend(&self.frames);
        bytes.resize(SEGMENT_HEADER_BYTES + 65536, 0);
        std::fs::write(directory.join(WAL_FILE), bytes).unwrap();
    }
}

fn record<'a>(
    database: DatabaseId,
    lsn: Lsn,
    key: &'a [u8],
    value: StoredValue<'a>,
) -> TierRecord<'a> {
    TierRecord {
        lsn,
        database,
        form: 1,
        expiry: (key == b"expired").then_some(UnixMillis(12)),
        key,
        extent: Extent::Whole,
        value,
    }
}

/// The keys of the image, by page, with the number of pages.
const NAMED: [(DatabaseId, &[u8], u32, u32); 7] = [
    (ZERO, b"a", 0, 1),
    (ZERO, b"expired", 0, 1),
    (ZERO, b"deleted", 0, 1),
    (ONE, b"packed", 1, 1),
    (ONE, b"large", 2, 6),
    (DatabaseId(77), b"flushed", 0, 1),
    (ONE, b"cut", 13, 1),
];

fn large() -> Vec<u8> {
    (0..20_000_u32)
        .map(|number| (number * number / 7) as u8)
        .collect()
}

fn cut() -> Vec<u8> {
    (0..5000_u32)
        .map(|number| (number * number / 9) as u8 % 16)
        .collect()
}

/// Where the frames of [`directory`] start.
struct Made {
    directory: tempfile::TempDir,
    starts: Vec<Lsn>,
    pieces: Vec<PieceReference>,
    directory_offset: u64,
}

/// The number of the frame in which `a` is appended to.
const APPEND: usize = 2;

/// Every key tells what a rule of replay did to it: see the test.
fn directory() -> Made {
    let root = tempfile::tempdir().unwrap();
    let path = root.path();
    for name in ["wal", "tier", "image"] {
        std::fs::create_dir(path.join(name)).unwrap();
    }
    let mut log = Log::default();
    log.whole(&encoded(&put(ZERO, b"before the checkpoint", b"void")));
    let checkpoint_lsn = log.whole(&append(b"a", b"-in-the-record"));
    let record_lsn = log.whole(&append(b"a", b"-in-the-log"));
    let end_lsn = log.whole(&encoded(&Effect::Delete {
        key: KeyRef {
            database: ZERO,
            key: b"deleted",
        },
    }));
    let chained = encoded(&put(ONE, b"chained", &[b'c'; 100]));
    let chain = log.part(payload::PART, payload::NEW_CHAIN, &chained[..30]);
    log.part(payload::LAST, chain, &chained[30..]);
    log.whole(&encoded(&Effect::Databases(map(ONE.0, ZERO.0))));
    log.whole(&encoded(&put(DatabaseId(77), b"flushed again", b"void")));
    log.whole(&append(b"born", b"of nothing"));
    log.part(payload::PART, payload::NEW_CHAIN, &chained[..30]);
    log.write(path);

    let place = |page| PagePlace {
        segment: SEGMENT,
        incarnation: INCARNATION,
        page,
    };
    let raw = |value| StoredValue::Raw(value);
    let mut compressor = Compressor::new(None).unwrap();
    let long = vec![b'p'; 3000];
    let mut shared = PageBuilder::new(place(0));
    for record in [
        record(ZERO, checkpoint_lsn, b"a", raw(b"older")),
        record(ZERO, record_lsn, b"a", raw(b"newest-in-the-record")),
        record(ZERO, record_lsn, b"expired", raw(b"still there")),
        record(ZERO, record_lsn, b"deleted", raw(b"gone")),
        record(ZERO, record_lsn, b"dead", raw(b"not named")),
        record(DatabaseId(77), record_lsn, b"flushed", raw(b"void")),
    ] {
        assert!(shared.push(&record));
    }
    let mut packed = PageBuilder::new(place(1));
    let stored = compressor.compress(&long);
    assert!(matches!(stored, StoredValue::Compressed { .. }));
    assert!(packed.push(&record(ONE, record_lsn, b"packed", stored)));
    let large = large();
    let run = build_run(place(2), &record(ONE, record_lsn, b"large", raw(&large))).unwrap();
    let mut earlier = PageBuilder::new(PagePlace {
        incarnation: Incarnation(1),
        ..place(8)
    });
    assert!(earlier.push(&record(ZERO, Lsn(1), b"old life", raw(b"x"))));
    let mut unnamed = PageBuilder::new(place(9));
    assert!(unnamed.push(&record(ZERO, Lsn(1), b"dead too", raw(b"x"))));
    let mut segment = [shared.finish(), packed.finish(), run].concat();
    segment.resize(8 * PAGE_BYTES, 0);
    segment.extend(earlier.finish());
    segment.extend(unnamed.finish());
    segment.extend([0xee; PAGE_BYTES]);
    segment.resize(11 * PAGE_BYTES, 0);
    // A value in two parts, compressed before it was cut, and its head.
    let cut = cut();
    let stored = compressor.compress(&cut);
    let (first, second) = stored.stored().split_at(stored.stored().len() / 2);
    let whole = record(ONE, record_lsn, b"cut", stored);
    let mut list = Vec::new();
    for (page, bytes) in [(11, first), (12, second)] {
        let part = TierRecord {
            extent: Extent::Part,
            value: raw(bytes),
            ..whole
        };
        segment.extend(build_run(place(page), &part).unwrap());
        let address = Address::new(3 * PAGES_PER_SEGMENT + page, 1).unwrap();
        list.extend(address.to_bits().to_le_bytes());
    }
    let mut head = PageBuilder::new(place(13));
    assert!(head.push(&TierRecord {
        extent: Extent::Head,
        value: stored.with_stored(&list),
        ..whole
    }));
    segment.extend(head.finish());
    assert_eq!(segment.len(), 14 * PAGE_BYTES);
    std::fs::write(path.join(SEGMENT_FILE), segment).unwrap();

    let (pieces, directory_offset, image) = write_image(path);
    let manifest = Manifest {
        hash_seed: SEED,
        shard_count: SHARD_COUNT as u16,
        databases: map(ZERO.0, ONE.0),
        databases_lsn: checkpoint_lsn,
        dictionaries: Vec::new(),
        segments: vec![SegmentEntry {
            number: SEGMENT,
            incarnation: INCARNATION,
            live_bytes: 1,
            sealed_at: UnixMillis(0),
        }],
        image: Some(image),
        checkpoint_lsn,
        end_lsn,
        histories: Vec::new(),
    };
    std::fs::write(path.join("manifest"), manifest.encode().unwrap()).unwrap();
    Made {
        directory: root,
        starts: log.starts,
        pieces,
        directory_offset,
    }
}

/// The pieces of even shards in the first image, the others in the second.
fn write_image(path: &Path) -> (Vec<PieceReference>, u64, ImageReference) {
    let mut files = [Vec::new(), Vec::new()];
    let mut pieces = Vec::new();
    for index in 0..SHARD_COUNT {
        let shard = ShardId(index as u16);
        let mut slots: Vec<_> = NAMED
            .iter()
            .map(|(database, key, page, pages)| {
                let address = Address::new(3 * PAGES_PER_SEGMENT + page, *pages).unwrap();
                (*database, SEED.hash(*database, key), address)
            })
            .filter(|(_, hash, _)| hash.shard() == shard)
            .collect();
        if slots.is_empty() {
            continue;
        }
        slots.sort_unstable_by_key(|(database, hash, _)| (*database, hash.stored()));
        let number = 1 + u64::from(shard.0 % 2);
        let mut builder = PieceBuilder::new(number, shard, RangeSet::ALL);
        for of_database in slots.chunk_by(|a, b| a.0 == b.0) {
            builder.begin_database(of_database[0].0);
            for (_, hash, address) in of_database {
                builder.push(Slot::cold(*address, *hash));
            }
        }
        let file = &mut files[number as usize - 1];
        let bytes = builder.finish();
        pieces.push(PieceReference {
            shard,
            ranges: RangeSet::ALL,
            file: number,
            offset: file.len() as u64,
            bytes: bytes.len() as u32,
        });
        file.extend(bytes);
    }
    let directory = Directory {
        number: 2,
        key_count: NAMED.len() as u64,
        pieces,
    };
    let directory_offset = files[1].len() as u64;
    files[1].extend(directory.encode());
    for (number, bytes) in (1..).zip(&files) {
        std::fs::write(path.join(image::file_name(number)), bytes).unwrap();
    }
    let reference = ImageReference {
        number: 2,
        bytes: files[1].len() as u64,
        crc32: directory.crc32(),
    };
    (directory.pieces, directory_offset, reference)
}

fn flip(made: &Made, file: &str, offset: u64) {
    let path = made.directory.path().join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[offset as usize] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn expected() -> Keys {
    // The log exchanged the databases 0 and 1.
    let key = |database, key: &str, value: &[u8], expiry| {
        let key = (database, key.as_bytes().to_vec());
        (key, (value.to_vec(), expiry))
    };
    Keys::from([
        key(1, "a", b"newest-in-the-record-in-the-log", None),
        key(1, "expired", b"still there", Some(UnixMillis(12))),
        key(1, "born", b"of nothing", None),
        key(0, "packed", &[b'p'; 3000], None),
        key(0, "large", &large(), None),
        key(0, "cut", &cut(), None),
        key(0, "chained", &[b'c'; 100], None),
    ])
}

fn without(keys: &[&str]) -> Keys {
    let mut expected = expected();
    expected.retain(|(_, key), _| !keys.iter().any(|it| it.as_bytes() == key));
    expected
}

#[test]
fn a_directory_made_by_hand_reads_as_a_start_would_have_it() {
    let made = directory();
    let read = read(made.directory.path());
    assert_eq!(read.damage, []);
    assert_eq!(read.keys, expected());
    // All slots but that of the flushed database.
    assert_eq!(read.slots, NAMED.len() - 1);
    // The parts of the value that is cut too.
    assert_eq!(read.records.len(), NAMED.len() - 1 + 2);
}

#[test]
fn reading_changes_no_byte() {
    let made = directory();
    let contents = || {
        let mut files = BTreeMap::new();
        for name in ["manifest", WAL_FILE, SEGMENT_FILE] {
            files.insert(
                name,
                std::fs::read(made.directory.path().join(name)).unwrap(),
            );
        }
        files
    };
    let before = contents();
    read(made.directory.path());
    assert_eq!(contents(), before);
}

#[test]
fn what_the_log_holds_is_counted() {
    let made = directory();
    let disk = Disk::open(made.directory.path(), BackendChoice::Posix).unwrap();
    let opened = Offline::open(&disk, &mut |damage| panic!("{damage}")).unwrap();
    let (offline, tail) = opened.unwrap();
    let summary = tail.summary();
    assert_eq!((summary.frames, summary.data_frames), (9, 9));
    assert_eq!((summary.effects, summary.void_chains), (7, 1));
    assert!(!summary.is_sealed);
    assert_eq!(tail.key_count(), 4);
    let count = |older| {
        let mut starts = Vec::new();
        let visited = offline.visit_frames(&tail, older, &mut |frame| starts.push(frame.start));
        assert_eq!(visited, Ok(()));
        starts
    };
    assert_eq!(count(true), made.starts);
    assert_eq!(count(false), made.starts[1..]);
}

#[test]
fn a_census_tells_pages_apart() {
    let made = directory();
    let disk = Disk::open(made.directory.path(), BackendChoice::Posix).unwrap();
    let opened = Offline::open(&disk, &mut |damage| panic!("{damage}")).unwrap();
    let (offline, _) = opened.unwrap();
    let entry = offline.manifest().segments[0];
    let census = offline.census(&entry, &|page| page < 3).unwrap();
    let pages = SegmentCensus {
        named_pages: 7,
        other_pages: 4,
        earlier_pages: 1,
        blank_pages: 1,
        unknown_pages: 1,
        ..census
    };
    assert_eq!(census, pages);
    assert_eq!(census.records, 12);
}

#[test]
fn an_empty_directory_is_not_touched() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path(), BackendChoice::Posix).unwrap();
    assert!(Offline::open(&disk, &mut |_| {}).unwrap().is_none());
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_in_use_is_refused() {
    let made = directory();
    let disk = Disk::open(made.directory.path(), BackendChoice::Posix).unwrap();
    let _lock = disk.lock_directory(Duration::ZERO).unwrap();
    assert!(matches!(
        Offline::open(&disk, &mut |_| {}).err(),
        Some(StoreError::Disk(DiskError::Locked { .. }))
    ));
}

#[test]
fn the_range_that_is_told_goes_on_to_where_the_log_ends() {
    let made = directory();
    let disk = Disk::open(made.directory.path(), BackendChoice::Posix).unwrap();
    let opened = Offline::open(&disk, &mut |damage| panic!("{damage}")).unwrap();
    let (offline, tail) = opened.unwrap();
    let (begin, end) = (offline.manifest().end_lsn, tail.summary().end_lsn);
    assert!(begin < end);
    drop((offline, tail));
    for until in [Lsn(1), end.advance(1)] {
        let until = Some(Moment::Position(until));
        let refused = Offline::open_at(&disk, &disk, until, &mut |_| {}).err();
        assert!(
            matches!(refused, Some(StoreError::NotThen { first, last, .. }) if (first, last) == (begin, end)),
            "{refused:?}"
        );
    }
}

#[test]
fn a_damaged_manifest_ends_everything_and_is_told() {
    let made = directory();
    flip(&made, "manifest", 30);
    let disk = Disk::open(made.directory.path(), BackendChoice::Posix).unwrap();
    let error = Offline::open(&disk, &mut |_| {}).err().unwrap();
    assert!(error.to_string().contains("manifest is corrupt"), "{error}");
}

#[test]
fn a_damaged_page_costs_its_keys_and_no_other() {
    let made = directory();
    let offset = PAGE_BYTES as u64;
    flip(&made, SEGMENT_FILE, offset + 100);
    let read = read(made.directory.path());
    assert_eq!(read.keys, without(&["packed"]));
    let [damage] = &read.damage[..] else {
        panic!("one piece of damage: {:?}", read.damage)
    };
    assert_eq!(
        (damage.file.as_str(), damage.offset),
        (SEGMENT_FILE, offset)
    );
    assert!(damage.expected.starts_with("page CRC"), "{damage}");
}

#[test]
fn a_damaged_part_costs_its_key_and_no_other() {
    let made = directory();
    let offset = 12 * PAGE_BYTES as u64;
    flip(&made, SEGMENT_FILE, offset + 60);
    let read = read(made.directory.path());
    assert_eq!(read.keys, without(&["cut"]));
    assert_eq!(read.damage.len(), 1);
    assert_eq!(read.damage[0].offset, offset);
}

#[test]
fn an_append_to_a_lost_record_is_damage_not_a_value() {
    let made = directory();
    flip(&made, SEGMENT_FILE, 100);
    let read = read(made.directory.path());
    assert_eq!(read.keys, without(&["a", "expired"]));
    let places: Vec<_> = read
        .damage
        .iter()
        .map(|it| (it.file.as_str(), it.offset))
        .collect();
    // The gated append too: which of them a lost record holds is unknown.
    let frame = SEGMENT_HEADER_BYTES as u64 + made.starts[APPEND - 1].0;
    assert_eq!(places, [(SEGMENT_FILE, 0), (WAL_FILE, frame)]);
}

#[test]
fn a_missing_segment_is_told() {
    let made = directory();
    std::fs::remove_file(made.directory.path().join(SEGMENT_FILE)).unwrap();
    let read = read(made.directory.path());
    let lost = ["a", "expired", "packed", "large", "cut"];
    assert_eq!(read.keys, without(&lost));
    assert!(
        read.damage
            .iter()
            .any(|it| it.found.contains("No such file"))
    );
}

#[test]
fn a_damaged_piece_is_told_where_it_stands() {
    let made = directory();
    let hash = SEED.hash(ONE, b"large");
    let piece = (made.pieces.iter().find(|it| it.shard == hash.shard())).unwrap();
    let file = image::file_name(piece.file);
    flip(&made, &file, piece.offset + u64::from(piece.bytes) - 1);
    let read = read(made.directory.path());
    assert_eq!(read.keys, without(&["large"]));
    assert_eq!(read.damage.len(), 1);
    assert_eq!(
        (&read.damage[0].file, read.damage[0].offset),
        (&file, piece.offset)
    );
}

#[test]
fn a_damaged_image_directory_leaves_what_the_log_has_whole() {
    let made = directory();
    flip(&made, "image/0000000002.image", made.directory_offset + 40);
    let read = read(made.directory.path());
    // "born" may have been there before.
    assert_eq!(
        read.keys,
        without(&["a", "expired", "packed", "large", "cut", "born"])
    );
    let first = &read.damage[0];
    assert_eq!(
        (first.file.as_str(), first.offset),
        ("image/0000000002.image", made.directory_offset)
    );
    assert_eq!(read.damage.len(), 3);
}

#[test]
fn a_damaged_frame_is_told_and_nothing_behind_it_is_believed() {
    let made = directory();
    let offset = SEGMENT_HEADER_BYTES as u64 + made.starts[APPEND].0;
    flip(&made, WAL_FILE, offset + FRAME_HEADER_BYTES as u64);
    let read = read(made.directory.path());
    assert_eq!(read.damage.len(), 1);
    let damage = &read.damage[0];
    assert_eq!((damage.file.as_str(), damage.offset), (WAL_FILE, offset));
    assert!(damage.expected.starts_with("payload crc"), "{damage}");
    // Neither the exchange of databases nor the deletion is seen.
    let key = |database, key: &[u8]| (database, key.to_vec());
    assert_eq!(read.keys[&key(0, b"a")].0, b"newest-in-the-record");
    assert!(read.keys.contains_key(&key(0, b"deleted")));
    assert!(!read.keys.contains_key(&key(1, b"chained")));
}
