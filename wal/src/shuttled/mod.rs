//! The ring and the wake-up under a scheduler that chooses what each thread does next, and
//! when its stores are seen: at random, and by probabilistic concurrency testing (Burckhardt
//! and others, "A randomized scheduler with probabilistic guarantees of finding bugs",
//! ASPLOS 2010). Each property is shown, and that it fails without what keeps it.
//!
//! Owns a second compilation of the modules it tests, over its own `sync`. The seeds stand
//! here, so that a failure comes again; what is printed with it replays that one schedule.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::duplicate_mod,
    reason = "the modules as they are, compiled again, of which a test uses a part"
)]

#[path = "../ring.rs"]
mod ring;
mod sync;
#[path = "../wake.rs"]
mod wake;

use crate::frame::{FRAME_HEADER_BYTES, frame_bytes};
use ring::Ring;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};
use std::sync::Arc;
use std::time::Duration;
use sync::Flaw;
use thermocline_base::Lsn;
use wake::Wake;

const SEED: u64 = 20_261_130;
/// How many schedules of each kind a property must hold in.
const SCHEDULES: usize = 1_000;
/// How many a flaw may need to be found.
const SCHEDULES_MAX: usize = 3_000;
/// Changes of priority in a schedule of the second kind.
const DEPTH: usize = 4;

fn run(scheduler: impl Scheduler + 'static, is_told: bool, body: fn()) {
    let mut config = Config::new();
    config.failure_persistence = if is_told {
        FailurePersistence::Print
    } else {
        FailurePersistence::None
    };
    Runner::new(scheduler, config).run(body);
}

fn holds(body: fn()) {
    sync::set_flaw(None);
    run(RandomScheduler::new_from_seed(SEED, SCHEDULES), true, body);
    run(
        PctScheduler::new_from_seed(SEED, DEPTH, SCHEDULES),
        true,
        body,
    );
}

/// That one of the schedulers meets the flaw.
fn is_missed(flaw: Flaw, body: fn()) {
    sync::set_flaw(Some(flaw));
    let finds = |pct: bool| {
        let found = std::panic::catch_unwind(|| {
            if pct {
                let scheduler = PctScheduler::new_from_seed(SEED, DEPTH, SCHEDULES_MAX);
                run(scheduler, false, body);
            } else {
                run(
                    RandomScheduler::new_from_seed(SEED, SCHEDULES_MAX),
                    false,
                    body,
                );
            }
        });
        found.is_err()
    };
    let is_found = finds(false) || finds(true);
    sync::set_flaw(None);
    assert!(is_found, "nothing is wrong without {flaw:?}");
}

fn spawn(body: impl FnOnce() + Send + 'static) -> shuttle::thread::JoinHandle<()> {
    shuttle::thread::spawn(move || {
        body();
        sync::show_all();
    })
}

struct Shared {
    ring: Ring,
    wake: Wake,
}

/// Near the end of a ring of 4 KiB, so that frames stand across it.
const START: Lsn = Lsn(4096 - 264);
const APPENDERS: u8 = 3;
/// What each appends: more than a ring in all, so that words are used again.
const PAYLOADS_BYTES: [usize; 3] = [960, 9, 700];

fn append_all(shared: &Shared, appender: u8) {
    for (number, bytes) in PAYLOADS_BYTES.into_iter().enumerate() {
        let credit = loop {
            if let Some(credit) = shared.ring.try_credit(bytes) {
                break credit;
            }
            shuttle::thread::yield_now();
        };
        let payload = vec![appender * 16 + number as u8 + 1; bytes];
        let (first, second) = payload.split_at(bytes / 3);
        shared.ring.append(credit, &[first, second]);
        shared.wake.wake_if_sleeping();
    }
}

/// Takes what is published as the flusher does, until `count` frames came.
fn take_all(shared: &Shared, count: usize) {
    let mut next = [0_usize; APPENDERS as usize];
    let (mut at, mut released, mut taken) = (START, START, 0);
    while taken < count {
        while let Some(frame) = shared.ring.published(at) {
            let bytes = frame_bytes(frame.length as usize);
            let mut payload = vec![0xff; bytes - FRAME_HEADER_BYTES];
            shared.ring.copy_payload(at, &mut payload);
            payload.truncate(frame.length as usize);
            let name = payload[0];
            assert!(payload.iter().all(|byte| *byte == name), "a torn frame");
            let (appender, number) = (usize::from(name / 16), usize::from(name % 16) - 1);
            assert_eq!(payload.len(), PAYLOADS_BYTES[number], "a torn frame");
            assert_eq!(number, next[appender], "a frame is lost, or comes twice");
            next[appender] += 1;
            at = at.advance(bytes as u64);
            taken += 1;
        }
        // As a sync does, of several frames at a time.
        shared.ring.release(released, at);
        released = at;
        if taken < count {
            let is_work = || shared.ring.published(at).is_some();
            shared.wake.sleep_unless(is_work, Duration::from_millis(20));
        }
    }
    assert_eq!(at, shared.ring.appended_lsn());
    assert!(
        shared.ring.published(at).is_none(),
        "what was released is read again"
    );
}

fn appenders_and_flusher() {
    let shared = Arc::new(Shared {
        ring: Ring::new(4096, 4096, START),
        wake: Wake::new(),
    });
    let appenders: Vec<_> = (0..APPENDERS)
        .map(|appender| {
            let shared = Arc::clone(&shared);
            spawn(move || append_all(&shared, appender))
        })
        .collect();
    take_all(&shared, usize::from(APPENDERS) * PAYLOADS_BYTES.len());
    for appender in appenders {
        appender.join().expect("it does not panic");
    }
    let all = shared.ring.bytes() - ring::FLUSHER_RESERVE_BYTES;
    assert_eq!(
        shared.ring.free_bytes(),
        all,
        "room is lost, or there twice"
    );
}

#[test]
fn published_frames_are_whole_in_order_and_never_lost() {
    holds(appenders_and_flusher);
}

#[test]
fn the_scheduler_finds_frames_published_before_they_are_copied() {
    is_missed(Flaw::Release, appenders_and_flusher);
}

#[test]
fn the_scheduler_finds_room_that_is_taken_twice() {
    is_missed(Flaw::Atomicity, appenders_and_flusher);
}

#[test]
fn the_scheduler_finds_a_wake_up_lost_without_the_fences() {
    is_missed(Flaw::Fences, appenders_and_flusher);
}

#[test]
fn the_scheduler_finds_a_wake_up_lost_without_the_lock() {
    is_missed(Flaw::Locks, appenders_and_flusher);
}
