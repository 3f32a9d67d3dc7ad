//! Readers of the tier beside a cleaner that frees segments and writes them anew, under a
//! scheduler that chooses what each does next: at random, and by probabilistic concurrency
//! testing (Burckhardt and others, ASPLOS 2010).
//!
//! Owns a second compilation of the volume, over its own `sync`. The volume, the table of
//! segments, the pages and the pages kept for a command are the real ones, on the simulated
//! disk; the slots are a few words behind one lock, and cleaner and reader go the steps of
//! `keeper::clean` and of `resolve`. A [`Flaw`] leaves one of the steps out, to show that it
//! is missed. The seeds stand here, so that a failure comes again.
#![allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "the volume as it is, compiled again, of which the test uses a part"
)]

/// As the real one, with few segments: each costs the scheduler something.
mod segment {
    pub(super) use crate::tier::segment::*;
    pub(super) const SEGMENTS_MAX: usize = 8;
}
mod sync;
#[path = "../volume.rs"]
mod volume;

use super::record::{Extent, StoredValue, TierRecord};
use super::{page, table};
use crate::address::Address;
use crate::fault::{FaultSet, FetchedPage, ReadRequest};
use page::{PageBuilder, PagePlace};
use segment::{PAGES_PER_SEGMENT, SegmentNumber, Stream};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};
use std::sync::Arc;
use sync::Mutex;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{DatabaseId, Lsn, Random, UnixMillis};
use thermocline_disk::{AlignedBuffer, Disk, SimulatedDisk};
use volume::{OpenSegment, Volume};

const SEED: u64 = 20_261_130;
/// How many schedules of each kind a property must hold in.
const SCHEDULES: usize = 3_000;
/// How many a flaw may need to be found.
const SCHEDULES_MAX: usize = 5_000;
/// Changes of priority in a schedule of the second kind.
const DEPTH: usize = 4;
const KEYS: usize = 2;
const READERS: usize = 2;
/// So often the keys move: a segment is used again from the second time on.
const MOVES: usize = 4;
const NOW: UnixMillis = UnixMillis(1_000);

/// A step that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// A reader takes what was read for what it looks for now.
    NoRetry,
    /// A segment is free before the slots name the new places.
    FreedEarly,
}

/// Where a key is, and how often it was written.
#[derive(Clone, Copy)]
struct Slot {
    address: Address,
    version: u8,
}

struct Shared {
    volume: Volume,
    slots: Mutex<[Slot; KEYS]>,
    flaw: Flaw,
}

fn key(index: usize) -> [u8; 1] {
    [b'a' + index as u8]
}

/// Writes each key to a page of its own, and says where it is.
fn write(open: &OpenSegment, versions: [u8; KEYS]) -> [Address; KEYS] {
    std::array::from_fn(|index| {
        let page = index as u32;
        let mut builder = PageBuilder::new(PagePlace {
            segment: open.number,
            incarnation: open.incarnation,
            page,
        });
        let has_room = builder.push(&TierRecord {
            lsn: Lsn(8),
            database: DatabaseId(1),
            form: 0,
            expiry: None,
            key: &key(index),
            extent: Extent::Whole,
            value: StoredValue::Raw(&[versions[index]; 100]),
        });
        assert!(has_room, "a page takes a short record");
        let mut bytes = AlignedBuffer::new(PAGE_BYTES);
        bytes.copy_from_slice(&builder.finish());
        let offset = u64::from(page) * PAGE_BYTES as u64;
        open.file
            .write_all_at(offset, &bytes)
            .expect("the disk is sound");
        let number = u32::from(open.number.0) * PAGES_PER_SEGMENT + page;
        Address::new(number, 1).expect("the segment is one of few")
    })
}

fn activate(volume: &Volume) -> OpenSegment {
    let activated = volume.activate(Stream::Relocated);
    activated
        .expect("the disk is sound")
        .expect("there is room")
}

/// Moves all keys on, again and again, as cleaning does; each is written meanwhile.
fn clean(shared: &Shared, mut current: SegmentNumber) {
    let volume = &shared.volume;
    for _ in 0..MOVES {
        let victim = current;
        volume.with_table(|table| {
            assert!(table.seal(victim, KEYS as u32, NOW) && table.begin_cleaning(victim));
        });
        let open = activate(volume);
        current = open.number;
        let versions = shared.slots.lock().map(|slot| slot.version + 1);
        let addresses = write(&open, versions);
        if shared.flaw == Flaw::FreedEarly {
            free(volume, victim);
        }
        for (index, (address, version)) in addresses.into_iter().zip(versions).enumerate() {
            shared.slots.lock()[index] = Slot { address, version };
        }
        if shared.flaw != Flaw::FreedEarly {
            free(volume, victim);
        }
    }
}

fn free(volume: &Volume, victim: SegmentNumber) {
    let image = volume.with_table(|table| {
        table.finish_scan(victim);
        table.image_begun()
    });
    assert_eq!(volume.image_durable(image), 1);
}

/// Reads as a disk may that is written to at the time: each half at a moment of its own.
fn read(volume: &Volume, place: PagePlace) -> FetchedPage {
    let file = volume.file(place.segment).expect("the disk is sound");
    let mut bytes = AlignedBuffer::new(PAGE_BYTES);
    let mut later = AlignedBuffer::new(PAGE_BYTES);
    file.read_at(place.offset(), &mut bytes)
        .expect("it is there");
    shuttle::thread::yield_now();
    file.read_at(place.offset(), &mut later)
        .expect("it is there");
    bytes[PAGE_BYTES / 2..].copy_from_slice(&later[PAGE_BYTES / 2..]);
    FetchedPage {
        place,
        bytes: Arc::new(bytes),
    }
}

/// Reads each key once, as an access does: what was read counts if the slot, looked at
/// again under the lock, still names the same place of the same life.
fn read_all(shared: &Shared) {
    let mut faults = FaultSet::new();
    for index in 0..KEYS {
        loop {
            let request = {
                let slots = shared.slots.lock();
                let slot = slots[index];
                let place = shared.volume.place(slot.address);
                let address = slot.address;
                let request = ReadRequest { address, place };
                let is_there = match shared.flaw {
                    Flaw::NoRetry => faults.get(address).is_some(),
                    _ => faults.holds(&request),
                };
                if is_there && let Some(page) = faults.get(address) {
                    check(page, slot, index);
                    break;
                }
                request
            };
            faults.insert(request.address, read(&shared.volume, request.place));
        }
    }
}

/// The page must hold the key as its slot says.
fn check(page: &FetchedPage, slot: Slot, index: usize) {
    let key = key(index);
    let found = page.find(DatabaseId(1), &key);
    let found = found.expect("what a slot names is what was written");
    let record = found.expect("a slot names the page of its key");
    let value = record.value.stored();
    assert!(
        value.iter().all(|byte| *byte == slot.version),
        "an old value"
    );
}

fn readers_and_cleaner(flaw: Flaw) {
    let disk = Disk::simulated(SimulatedDisk::new(1));
    let volume = Volume::open(disk, u64::MAX, Random::new(SEED), &[]).expect("the disk is sound");
    let open = activate(&volume);
    let addresses = write(&open, [0; KEYS]);
    let shared = Arc::new(Shared {
        volume,
        slots: Mutex::new(addresses.map(|address| Slot {
            address,
            version: 0,
        })),
        flaw,
    });
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let shared = Arc::clone(&shared);
            shuttle::thread::spawn(move || read_all(&shared))
        })
        .collect();
    clean(&shared, open.number);
    for reader in readers {
        reader.join().expect("it does not panic");
    }
}

fn run(scheduler: impl Scheduler + 'static, flaw: Flaw) {
    let mut config = Config::new();
    config.failure_persistence = if flaw == Flaw::None {
        FailurePersistence::Print
    } else {
        FailurePersistence::None
    };
    Runner::new(scheduler, config).run(move || readers_and_cleaner(flaw));
}

fn is_missed(flaw: Flaw) {
    let random = || RandomScheduler::new_from_seed(SEED, SCHEDULES_MAX);
    let changing = || PctScheduler::new_from_seed(SEED, DEPTH, SCHEDULES_MAX);
    let is_found = std::panic::catch_unwind(|| run(random(), flaw)).is_err()
        || std::panic::catch_unwind(|| run(changing(), flaw)).is_err();
    assert!(is_found, "nothing is wrong with {flaw:?}");
}

#[test]
fn a_read_beside_cleaning_finds_the_key_as_its_slot_says() {
    run(RandomScheduler::new_from_seed(SEED, SCHEDULES), Flaw::None);
    run(
        PctScheduler::new_from_seed(SEED, DEPTH, SCHEDULES),
        Flaw::None,
    );
}

#[test]
fn the_scheduler_finds_a_page_of_an_earlier_life_that_is_believed() {
    is_missed(Flaw::NoRetry);
}

#[test]
fn the_scheduler_finds_a_segment_freed_before_the_slots_follow() {
    is_missed(Flaw::FreedEarly);
}
