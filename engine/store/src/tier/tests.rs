//! Tests of pages, segments and the documented offsets.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use super::page::{self, HEADER_BYTES, PAGE_CAPACITY_BYTES};
use super::segment::{
    PAGES_PER_SEGMENT, POLICY_PERCENT, SEGMENT_BYTES, SEGMENTS_MAX, SegmentState,
    WAITING_SEGMENTS_MAX,
};
use super::*;
use crate::{image, manifest, payload};
use proptest::prelude::*;
use std::collections::HashMap;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{DatabaseId, Lsn, Random, UnixMillis};

const PLACE: PagePlace = PagePlace {
    segment: SegmentNumber(3),
    incarnation: Incarnation(0x0123_4567_89ab_cdef),
    page: 17,
};
const DATABASE: DatabaseId = DatabaseId(1);
const NOW: UnixMillis = UnixMillis(1_000_000);

fn raw<'a>(lsn: u64, key: &'a [u8], value: &'a [u8]) -> TierRecord<'a> {
    TierRecord {
        lsn: Lsn(lsn),
        database: DATABASE,
        form: 1,
        expiry: None,
        key,
        extent: Extent::Whole,
        value: StoredValue::Raw(value),
    }
}

fn page_of(records: &[TierRecord<'_>]) -> Vec<u8> {
    let mut builder = PageBuilder::new(PLACE);
    for record in records {
        assert!(builder.push(record));
    }
    builder.finish()
}

/// The rows `| offset | length | field` of the diagram whose first line is `name`.
fn documented(name: &str) -> Vec<(usize, Option<usize>, String)> {
    include_str!("../../FORMAT.md")
        .lines()
        .skip_while(|line| *line != name)
        .take_while(|line| *line != "```")
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let offset = cells.next()?.parse().ok()?;
            let length = cells.next()?.parse().ok();
            let field = cells.next()?;
            let first = field.split([' ', ':', ',']).next()?;
            Some((offset, length, first.to_owned()))
        })
        .collect()
}

#[test]
fn documented_offsets_are_those_of_the_code() {
    let check = |name: &str, constants: &[(&str, usize)]| {
        let rows = documented(name);
        let named: Vec<_> = rows.iter().map(|row| (row.2.as_str(), row.0)).collect();
        assert_eq!(named, constants, "{name}");
        for pair in rows.windows(2) {
            assert_eq!(
                Some(pair[1].0 - pair[0].0),
                pair[0].1,
                "{name} {}",
                pair[0].2
            );
        }
    };
    check(
        "page",
        &[
            ("crc", page::CRC_OFFSET),
            ("magic", page::MAGIC_OFFSET),
            ("version", page::VERSION_OFFSET),
            ("kind", page::KIND_OFFSET),
            ("incarnation", page::INCARNATION_OFFSET),
            ("segment", page::SEGMENT_OFFSET),
            ("page", page::PAGE_NUMBER_OFFSET),
            ("record", page::RECORD_COUNT_OFFSET),
            ("used", page::USED_BYTES_OFFSET),
            ("records", HEADER_BYTES),
        ],
    );
    check(
        "record",
        &[
            ("crc", record::CRC_OFFSET),
            ("lsn", record::LSN_OFFSET),
            ("database", record::DATABASE_OFFSET),
            ("form", record::FORM_OFFSET),
            ("flags", record::FLAGS_OFFSET),
            ("key", record::FIXED_BYTES),
        ],
    );
    check(
        "manifest",
        &[
            ("magic", manifest::MAGIC_OFFSET),
            ("version", manifest::VERSION_OFFSET),
            ("payload", manifest::PAYLOAD_BYTES_OFFSET),
            ("crc", manifest::CRC_OFFSET),
            ("payload", manifest::HEADER_BYTES),
        ],
    );
    check(
        "log part",
        &[
            ("kind", payload::KIND_OFFSET),
            ("chain", payload::CHAIN_OFFSET),
            ("effects", payload::CHAIN_HEAD_BYTES),
        ],
    );
    check(
        "image piece",
        &[
            ("crc", image::PIECE_CRC_OFFSET),
            ("magic", image::PIECE_MAGIC_OFFSET),
            ("image", image::PIECE_NUMBER_OFFSET),
            ("shard", image::PIECE_SHARD_OFFSET),
            ("database", image::PIECE_DATABASE_COUNT_OFFSET),
            ("length", image::PIECE_BYTES_OFFSET),
            ("ranges", image::PIECE_RANGES_OFFSET),
            ("databases", image::PIECE_HEADER_BYTES),
        ],
    );
    check(
        "image database",
        &[
            ("identity", image::DATABASE_IDENTITY_OFFSET),
            ("zero", image::DATABASE_ZERO_OFFSET),
            ("slot", image::DATABASE_SLOT_COUNT_OFFSET),
            ("slots", image::DATABASE_HEADER_BYTES),
        ],
    );
    check(
        "image trailer",
        &[
            ("key", image::TRAILER_KEY_COUNT_OFFSET),
            ("image", image::TRAILER_NUMBER_OFFSET),
            ("reference", image::TRAILER_COUNT_OFFSET),
            ("shard", image::TRAILER_SHARD_COUNT_OFFSET),
            ("version", image::TRAILER_VERSION_OFFSET),
            ("zero", image::TRAILER_ZERO_OFFSET),
            ("magic", image::TRAILER_MAGIC_OFFSET),
            ("end", image::DIRECTORY_TRAILER_BYTES),
        ],
    );
    check(
        "image reference",
        &[
            ("file", 0),
            ("offset", 8),
            ("ranges", 16),
            ("length", 24),
            ("shard", 28),
            ("zero", 30),
            ("next", image::REFERENCE_BYTES),
        ],
    );
}

#[test]
fn the_header_stands_where_the_offsets_say() {
    let bytes = page_of(&[raw(1, b"k", b"v")]);
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(bytes.len(), PAGE_BYTES);
    assert_eq!(bytes[page::MAGIC_OFFSET..page::VERSION_OFFSET], *b"TT");
    assert_eq!(bytes[page::VERSION_OFFSET], 1);
    assert_eq!(bytes[page::KIND_OFFSET], page::KIND_SINGLE);
    assert_eq!(
        bytes[page::INCARNATION_OFFSET..page::SEGMENT_OFFSET],
        PLACE.incarnation.0.to_le_bytes()
    );
    assert_eq!(u32_at(page::SEGMENT_OFFSET), 3);
    assert_eq!(u32_at(page::PAGE_NUMBER_OFFSET), 17);
    assert_eq!(u32_at(page::RECORD_COUNT_OFFSET), 1);
    assert_eq!(u32_at(page::USED_BYTES_OFFSET), 22);
}

#[test]
fn every_flipped_bit_of_a_page_or_run_is_corruption() {
    let large = vec![9; PAGE_BYTES];
    let run = build_run(PLACE, &raw(1, b"large", &large)).unwrap();
    for bytes in [page_of(&[raw(1, b"a", b"x"), raw(2, b"b", b"y")]), run] {
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(records(&damaged, PLACE).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn a_misdirected_or_stale_page_is_refused() {
    let bytes = page_of(&[raw(1, b"a", b"x")]);
    for place in [
        PagePlace {
            segment: SegmentNumber(4),
            ..PLACE
        },
        PagePlace {
            incarnation: Incarnation(1),
            ..PLACE
        },
        PagePlace { page: 18, ..PLACE },
    ] {
        let corruption = find(&bytes, place, DATABASE, b"a").unwrap_err();
        assert_eq!(corruption.file, place.segment.file_name());
        assert!(corruption.offset >= u64::from(place.page) * PAGE_BYTES as u64);
    }
    assert!(find(&bytes, PLACE, DATABASE, b"a").unwrap().is_some());
}

#[test]
fn the_highest_lsn_of_the_right_database_wins() {
    let other = TierRecord {
        database: DatabaseId(2),
        ..raw(9, b"a", b"other")
    };
    let bytes = page_of(&[
        raw(5, b"a", b"old"),
        raw(7, b"a", b"new"),
        raw(6, b"a", b"late"),
        raw(8, b"ab", b"longer"),
        other,
    ]);
    let found = find(&bytes, PLACE, DATABASE, b"a").unwrap().unwrap();
    assert_eq!(found.value, StoredValue::Raw(b"new"));
    assert_eq!(find(&bytes, PLACE, DATABASE, b"b").unwrap(), None);
    assert_eq!(
        find(&bytes, PLACE, DatabaseId(2), b"a").unwrap(),
        Some(other)
    );
}

#[test]
fn packing_fills_a_page_to_the_last_byte() {
    let value = vec![1; PAGE_CAPACITY_BYTES - 22];
    let exact = raw(1, b"k", &value);
    assert_eq!(exact.encoded_bytes(), PAGE_CAPACITY_BYTES);
    let bytes = page_of(&[exact]);
    assert_eq!(find(&bytes, PLACE, DATABASE, b"k").unwrap(), Some(exact));
    assert_eq!(page::pages_for(PAGE_CAPACITY_BYTES), 1);
    assert_eq!(page::pages_for(PAGE_CAPACITY_BYTES + 1), 2);

    let small = raw(1, b"0123456789", &[2; 34]);
    let mut builder = PageBuilder::new(PLACE);
    while builder.push(&small) {}
    assert!(builder.room_bytes() < small.encoded_bytes());
    assert_eq!(
        builder.record_count() as usize,
        PAGE_CAPACITY_BYTES / small.encoded_bytes()
    );
    assert_eq!(
        records(&builder.finish(), PLACE).unwrap().count(),
        PAGE_CAPACITY_BYTES / small.encoded_bytes()
    );
}

#[test]
fn a_large_record_has_a_run_of_its_own() {
    let value: Vec<_> = (0..100_000_u32).map(|number| number as u8).collect();
    let record = raw(1, b"large", &value);
    assert!(!PageBuilder::new(PLACE).push(&record));
    let mut bytes = build_run(PLACE, &record).unwrap();
    let pages = page::pages_for(record.encoded_bytes());
    assert_eq!(bytes.len(), pages * PAGE_BYTES);
    // A length class rounds up: what follows belongs to others.
    bytes.extend([0xee; 3 * PAGE_BYTES]);
    let walked = records(&bytes, PLACE).unwrap();
    assert_eq!(walked.pages(), pages);
    assert_eq!(walked.map(Result::unwrap).collect::<Vec<_>>(), [record]);
    // Too short a read, or a later page taken for a first one, is refused.
    assert!(records(&bytes[..PAGE_BYTES], PLACE).is_err());
    let declared = page::declared_pages(&bytes[..PAGE_BYTES], PLACE);
    assert_eq!(declared.unwrap(), pages);
    assert!(records(&bytes[PAGE_BYTES..], PLACE).is_err());
}

#[test]
fn a_run_never_leaves_its_segment() {
    let place = PagePlace {
        page: PAGES_PER_SEGMENT - 2,
        ..PLACE
    };
    let value = vec![0; 2 * PAGE_BYTES - HEADER_BYTES - 23];
    assert!(build_run(place, &raw(1, b"k", &value)).is_ok());
    let value = vec![0; 2 * PAGE_BYTES];
    assert!(matches!(
        build_run(place, &raw(1, b"k", &value)),
        Err(FormatError::TooLarge { .. })
    ));
}

fn table(segments: u64) -> SegmentTable {
    SegmentTable::new(segments * SEGMENT_BYTES, Random::new(1))
}

fn sealed(table: &mut SegmentTable, live_bytes: u64, at: UnixMillis) -> SegmentNumber {
    let (number, _) = table.activate(Stream::Fresh).unwrap();
    table.record_written(number, SEGMENT_BYTES, None);
    table.record_died(number, SEGMENT_BYTES - live_bytes);
    assert!(table.seal(number, PAGES_PER_SEGMENT, at));
    number
}

#[test]
fn a_segment_is_free_only_after_a_scan_and_an_image_begun_after_it() {
    let mut table = table(10);
    let number = sealed(&mut table, 0, NOW);
    let early = table.image_begun();
    assert!(table.begin_cleaning(number));
    let during = table.image_begun();
    table.finish_scan(number);
    assert_eq!(table.image_durable(early), []);
    assert_eq!(table.image_durable(during), []);
    let failed = table.image_begun();
    let after = table.image_begun();
    assert!(matches!(
        table.state(number),
        SegmentState::Cleaning {
            scanned_at: Some(_)
        }
    ));
    assert_ne!(failed, after);
    assert_eq!(table.image_durable(after), [number]);
    assert_eq!(table.state(number), SegmentState::Free);
    assert_eq!(table.incarnation(number), None);
}

#[test]
fn states_change_only_in_their_order() {
    let mut table = table(10);
    let (number, _) = table.activate(Stream::Fresh).unwrap();
    assert!(!table.begin_cleaning(number));
    assert_eq!(table.victim(NOW), None);
    assert!(table.seal(number, PAGES_PER_SEGMENT, NOW));
    assert!(!table.seal(number, PAGES_PER_SEGMENT, NOW));
    table.finish_scan(number);
    assert_eq!(table.state(number), SegmentState::Sealed);
    assert!(table.begin_cleaning(number));
    assert!(!table.begin_cleaning(number));
    table.abandon_cleaning(number);
    assert_eq!(table.state(number), SegmentState::Sealed);
    let image = table.image_begun();
    assert_eq!(table.image_durable(image), []);
}

#[test]
fn a_restart_seals_all_and_forgets_scans() {
    let mut before = table(10);
    let active = before.activate(Stream::Relocated).unwrap().0;
    let scanned = sealed(&mut before, 100, NOW);
    assert!(before.begin_cleaning(scanned));
    before.finish_scan(scanned);
    let entries = before.entries();
    let mut after = SegmentTable::recover(10 * SEGMENT_BYTES, Random::new(2), &entries);
    for number in [active, scanned] {
        assert_eq!(after.state(number), SegmentState::Sealed);
        assert_eq!(after.incarnation(number), before.incarnation(number));
    }
    let image = after.image_begun();
    assert_eq!(after.image_durable(image), []);
    assert_eq!(after.entries(), entries);
}

#[test]
fn a_reused_segment_has_a_fresh_incarnation() {
    let mut table = table(4);
    let mut seen = HashMap::new();
    for round in 0..100 {
        let (number, incarnation) = table.activate(Stream::Fresh).unwrap();
        assert_eq!(seen.insert(incarnation, round), None);
        assert!(table.seal(number, PAGES_PER_SEGMENT, NOW) && table.begin_cleaning(number));
        table.finish_scan(number);
        let image = table.image_begun();
        assert_eq!(table.image_durable(image), [number]);
    }
}

#[test]
fn the_victim_gains_most_for_its_cost() {
    let mut table = table(10);
    let full = sealed(&mut table, SEGMENT_BYTES, UnixMillis(0));
    assert_eq!(table.victim(NOW), None);
    let young = sealed(&mut table, SEGMENT_BYTES / 2, UnixMillis(NOW.0 - 10));
    assert_eq!(table.victim(NOW), Some(young));
    // Less to gain, but cold: what lives in it will go on living.
    let old = sealed(&mut table, SEGMENT_BYTES / 4 * 3, UnixMillis(0));
    assert_eq!(table.victim(NOW), Some(old));
    table.record_died(full, SEGMENT_BYTES);
    assert_eq!(table.victim(NOW), Some(full));
}

/// The ends of pages where no further record fits die with those that live, and are not
/// taken for garbage before.
#[test]
fn what_no_cleaning_wins_back_is_not_cleaned_for() {
    let mut table = table(10);
    let (number, _) = table.activate(Stream::Fresh).unwrap();
    table.record_written(number, SEGMENT_BYTES / 4 * 3, None);
    assert!(table.seal(number, PAGES_PER_SEGMENT, UnixMillis(0)));
    assert_eq!(table.live_bytes(number), SEGMENT_BYTES);
    assert_eq!(table.victim(NOW), None);
    table.record_died(number, SEGMENT_BYTES / 4);
    assert_eq!(table.live_bytes(number), SEGMENT_BYTES / 3 * 2 + 1);
    assert_eq!(table.victim(NOW), Some(number));
    table.record_died(number, SEGMENT_BYTES / 2);
    assert_eq!(table.live_bytes(number), 0);
    // Pages that were never written are won.
    let (half, _) = table.activate(Stream::Fresh).unwrap();
    table.record_written(half, SEGMENT_BYTES / 4, None);
    assert!(table.seal(half, PAGES_PER_SEGMENT / 2, NOW));
    assert_eq!(table.live_bytes(half), SEGMENT_BYTES / 2);
}

#[test]
fn a_segment_whose_records_all_expired_comes_first() {
    let mut table = table(10);
    let mixed = sealed(&mut table, SEGMENT_BYTES / 2, UnixMillis(0));
    let (expiring, _) = table.activate(Stream::Expiring(0)).unwrap();
    table.record_written(expiring, SEGMENT_BYTES, Some(UnixMillis(NOW.0 + 5)));
    assert!(table.seal(expiring, PAGES_PER_SEGMENT, NOW));
    assert_eq!(table.victim(NOW), Some(mixed));
    assert_eq!(table.victim(UnixMillis(NOW.0 + 6)), Some(expiring));
}

#[test]
fn streams_part_records_by_their_future() {
    let at = |left_ms| Stream::of(Some(UnixMillis(NOW.0 + left_ms)), NOW, false);
    assert_eq!(Stream::of(None, NOW, false), Stream::Fresh);
    assert_eq!(Stream::of(None, NOW, true), Stream::Relocated);
    assert_eq!(at(-5), Stream::Expiring(0));
    assert_eq!(at(600_000), Stream::Expiring(0));
    assert_eq!(at(600_001), Stream::Expiring(1));
    assert_eq!(at(86_400_001), Stream::Fresh);
}

#[test]
fn space_runs_out_in_steps_and_leaves_room_to_clean() {
    let mut table = table(100);
    let mut states = Vec::new();
    while table.activate(Stream::Fresh).is_some() {
        states.push(table.space_state());
    }
    assert_eq!(states.len(), 99);
    let first = |state| states.iter().position(|&other| other == state).unwrap() + 1;
    assert_eq!(first(SpaceState::Aggressive), 85);
    assert_eq!(first(SpaceState::Policy) as u64, POLICY_PERCENT);
    // What frees space may go beyond the limit.
    for _ in 0..3 {
        assert!(table.activate(Stream::Relocated).is_some());
    }
    assert!(table.activate(Stream::Fresh).is_none());
    table.set_may_exceed(true);
    assert!(table.activate(Stream::Fresh).is_some());
    table.set_may_exceed(false);
    assert!(table.activate(Stream::Fresh).is_none());
    assert_eq!(
        SegmentTable::new(u64::MAX, Random::new(1)).segments_allowed(),
        SEGMENTS_MAX
    );
}

#[test]
fn cleaning_is_due_below_the_live_target() {
    let mut table = table(10);
    assert!(!table.cleaning_due(UnixMillis(0)));
    let number = sealed(&mut table, SEGMENT_BYTES, NOW);
    assert!(!table.cleaning_due(UnixMillis(0)));
    table.record_died(number, SEGMENT_BYTES / 3);
    assert!(table.cleaning_due(UnixMillis(0)));
}

#[test]
fn a_short_device_wants_back_what_was_cleaned_and_cleans_no_more_for_it() {
    let mut table = table(100);
    let full = sealed(&mut table, SEGMENT_BYTES, NOW);
    assert_eq!(table.space_state(), SpaceState::Ample);
    table.set_device_short(true);
    // An image is due as soon as one waits for it.
    assert_eq!(table.space_state(), SpaceState::Aggressive);
    assert!(
        !table.cleaning_due(UnixMillis(0)),
        "nothing is to be gained"
    );
    table.record_died(full, SEGMENT_BYTES / 3);
    assert!(table.cleaning_due(UnixMillis(0)));
    for _ in 0..WAITING_SEGMENTS_MAX {
        let number = sealed(&mut table, 0, NOW);
        assert!(table.begin_cleaning(number));
        table.finish_scan(number);
    }
    assert!(!table.cleaning_due(UnixMillis(0)), "enough wait");
    table.set_device_short(false);
    assert!(table.cleaning_due(UnixMillis(0)));
}

proptest! {
    #[test]
    fn a_page_gives_back_what_was_packed(
        entries in proptest::collection::vec(
            (0..40_u64, "[a-c]{1,2}", proptest::collection::vec(any::<u8>(), 0..300)), 0..60),
    ) {
        let mut builder = PageBuilder::new(PLACE);
        let mut packed = Vec::new();
        for (lsn, key, value) in &entries {
            let record = raw(*lsn, key.as_bytes(), value);
            if builder.push(&record) {
                packed.push(record);
            }
        }
        let bytes = builder.finish();
        let walked: Vec<_> = records(&bytes, PLACE).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(&walked, &packed);
        for (_, key, _) in &entries {
            let model = packed.iter().filter(|one| one.key == key.as_bytes()).max_by_key(|one| one.lsn);
            prop_assert_eq!(find(&bytes, PLACE, DATABASE, key.as_bytes()).unwrap(), model.copied());
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_page(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert!(records(&bytes, PLACE).is_err());
    }

    #[test]
    fn a_hostile_page_with_a_good_crc_never_panics(
        fields in proptest::collection::vec(any::<u8>(), 0..200), count in 0..5_u32, used in 0..6000_u32, run: bool,
    ) {
        let mut bytes = page_of(&[]);
        bytes[HEADER_BYTES..HEADER_BYTES + fields.len()].copy_from_slice(&fields);
        bytes[page::KIND_OFFSET] = if run { page::KIND_RUN } else { page::KIND_SINGLE };
        bytes[page::RECORD_COUNT_OFFSET..page::USED_BYTES_OFFSET].copy_from_slice(&count.to_le_bytes());
        bytes[page::USED_BYTES_OFFSET..HEADER_BYTES].copy_from_slice(&used.to_le_bytes());
        let crc = thermocline_base::checksum::crc32(&bytes[page::MAGIC_OFFSET..]);
        bytes[..page::MAGIC_OFFSET].copy_from_slice(&crc.to_le_bytes());
        if let Ok(walked) = records(&bytes, PLACE) {
            prop_assert!(walked.count() <= count as usize + 1);
        }
    }

    /// However scans and images interleave: freed means scanned before begun.
    #[test]
    fn the_free_rule_holds_in_any_order(steps in proptest::collection::vec((0..5_u8, 0..6_u16), 0..80)) {
        let mut table = table(12);
        let (mut scanned, mut images, mut time) = (HashMap::new(), Vec::new(), 0);
        for (step, which) in steps {
            let number = SegmentNumber(which);
            time += 1;
            match step {
                0 => { sealed_if_room(&mut table); }
                1 => { table.begin_cleaning(number); }
                2 => {
                    if table.state(number) == (SegmentState::Cleaning { scanned_at: None }) {
                        scanned.insert(number, time);
                    }
                    table.finish_scan(number);
                }
                3 => images.push((time, table.image_begun())),
                _ => if let Some((begun, image)) = images.pop() {
                    let mut due: Vec<_> = scanned.iter()
                        .filter(|&(_, &at)| at < begun).map(|(&number, _)| number).collect();
                    due.sort();
                    prop_assert_eq!(table.image_durable(image), due.clone());
                    for number in due {
                        scanned.remove(&number);
                        prop_assert_eq!(table.state(number), SegmentState::Free);
                    }
                },
            }
        }
    }
}

fn sealed_if_room(table: &mut SegmentTable) {
    if let Some((number, _)) = table.activate(Stream::Fresh) {
        assert!(table.seal(number, PAGES_PER_SEGMENT, NOW));
    }
}
