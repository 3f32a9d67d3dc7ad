//! Behaviour of the whole log on a real directory: what is appended is read
//! back after rotation, restarts and retirement, and every flipped bit of
//! what is claimed durable is noticed.

use crate::Flusher;
use crate::frame::{FrameKind, TimeMark};
use crate::{Policy, Recovered, Status, Wal, WalError, WalOptions, spawn};
use std::path::Path;
use thermocline_base::{Clock, Lsn, SimulatedTime, UnixMillis};
use thermocline_disk::{BackendChoice, Disk, OpenMode, SimulatedDisk};

fn disk(root: &Path) -> Disk {
    Disk::open(root, BackendChoice::Posix).unwrap()
}

fn options(clock: Clock) -> WalOptions {
    WalOptions {
        directory: "wal".to_owned(),
        segment_bytes: 64 << 10,
        ring_bytes: 64 << 10,
        policy: Policy::Always,
        clock,
    }
}

fn recover(disk: &Disk, from: Lsn) -> Result<(Recovered, Vec<Vec<u8>>), WalError> {
    let mut payloads = Vec::new();
    let recovered = Wal::recover(disk, "wal", from, Lsn::ZERO, &mut |frame| {
        if frame.kind == FrameKind::Data {
            payloads.push(frame.payload.to_vec());
        }
    })?;
    Ok((recovered, payloads))
}

fn open(disk: &Disk, recovered: &Recovered, seed: u64) -> (Wal, Flusher) {
    let clock = Clock::Simulated(SimulatedTime::default());
    Wal::open(disk, options(clock), recovered, seed).unwrap()
}

fn payload(number: u64) -> Vec<u8> {
    vec![number as u8; 1 + (number as usize * 37) % 3000]
}

fn append(wal: &Wal, payload: &[u8]) -> Lsn {
    let credit = wal.try_credit(payload.len()).unwrap();
    wal.append(credit, &[payload]).end
}

fn segments(disk: &Disk) -> Vec<String> {
    let mut names = disk.list("wal").unwrap();
    names.retain(|name| name.ends_with(".wal"));
    names
}

/// An empty log on a clock that stands at `now`.
fn timed(disk: &Disk, now: UnixMillis) -> (Wal, Flusher, SimulatedTime) {
    let time = SimulatedTime::new(now);
    let (recovered, _) = recover(disk, Lsn::ZERO).unwrap();
    let clock = Clock::Simulated(time.clone());
    let (wal, flusher) = Wal::open(disk, options(clock), &recovered, 1).unwrap();
    (wal, flusher, time)
}

#[test]
fn appended_frames_come_back_over_rotations_and_restarts() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    let mut expected = Vec::new();
    for round in 0..4 {
        let (recovered, found) = recover(&disk, Lsn::ZERO).unwrap();
        assert_eq!(found, expected);
        assert_eq!(recovered.sealed, round != 2);
        let (wal, mut flusher) = open(&disk, &recovered, round);
        if round > 0 {
            let same = recovered.history == Some(wal.history());
            assert_eq!(same, recovered.sealed, "round {round}");
        }
        for number in 0..100 {
            expected.push(payload(number));
            let end = append(&wal, &payload(number));
            assert!(wal.durable_lsn() < end);
            flusher.step().unwrap();
            assert_eq!(wal.durable_lsn(), end);
        }
        if round != 1 {
            flusher.close().unwrap();
        }
    }
}

#[test]
fn retired_segments_are_recycled_and_the_rest_recovers() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    let (recovered, _) = recover(&disk, Lsn::ZERO).unwrap();
    let (wal, mut flusher) = open(&disk, &recovered, 1);
    let mut last = Lsn::ZERO;
    for number in 0..1000 {
        last = wal.appended_lsn();
        append(&wal, &payload(number));
        wal.retire(last, None);
        flusher.step().unwrap();
    }
    assert!(segments(&disk).len() <= 3);
    drop(flusher);
    let (_, found) = recover(&disk, last).unwrap();
    assert_eq!(found, [payload(999)]);
}

/// What a checkpoint retires serves until the next one: no further file is filled.
#[test]
fn segments_retired_together_are_kept_for_as_many_to_come() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    let (recovered, _) = recover(&disk, Lsn::ZERO).unwrap();
    let (wal, mut flusher) = open(&disk, &recovered, 1);
    let files = || segments(&disk);
    let mut write = |frames: u64| {
        for number in 0..frames {
            append(&wal, &payload(number));
            flusher.step().unwrap();
        }
    };
    write(500);
    let before = files();
    assert!(before.len() > 8);
    for _ in 0..3 {
        wal.retire(wal.appended_lsn(), None);
        write(450);
        assert_eq!(files(), before);
    }
}

/// They are a convenience: the room they take is others' once it is scarce.
#[test]
fn kept_segments_are_given_up_on_a_device_short_of_room() {
    let disk = Disk::simulated(SimulatedDisk::new(1));
    let (recovered, _) = recover(&disk, Lsn::ZERO).unwrap();
    let (wal, mut flusher) = open(&disk, &recovered, 1);
    for number in 0..500 {
        append(&wal, &payload(number));
        flusher.step().unwrap();
    }
    wal.retire(wal.appended_lsn(), None);
    flusher.step().unwrap();
    let kept = segments(&disk).len();
    assert!(kept > 8);
    let other = disk.open_file("other", OpenMode::CreateNew, false).unwrap();
    other.allocate(0, disk.space().unwrap().free_bytes).unwrap();
    append(&wal, &payload(1));
    flusher.step().unwrap();
    assert_eq!(segments(&disk).len(), kept, "nothing new is to be retired");
    wal.retire(wal.appended_lsn(), None);
    flusher.step().unwrap();
    assert_eq!(segments(&disk).len(), 3, "one in use and two spares");
    let last = append(&wal, b"value");
    flusher.step().unwrap();
    assert_eq!(wal.durable_lsn(), last);
}

#[test]
fn idle_log_writes_one_watermark() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    let time = SimulatedTime::default();
    let (recovered, _) = recover(&disk, Lsn::ZERO).unwrap();
    let clock = Clock::Simulated(time.clone());
    let (wal, mut flusher) = Wal::open(&disk, options(clock), &recovered, 1).unwrap();
    let end = append(&wal, b"value");
    for _ in 0..5 {
        flusher.step().unwrap();
        time.advance(600);
    }
    let watermark = crate::frame::frame_bytes(TimeMark::BYTES) as u64;
    assert_eq!(wal.appended_lsn(), end.advance(watermark));
    assert_eq!(wal.durable_lsn(), wal.appended_lsn());
}

#[test]
fn the_log_tells_when_it_was_written() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    let (wal, mut flusher, time) = timed(&disk, UnixMillis(1_000_000));
    let mut written = Vec::new();
    for number in 0..400_i64 {
        let at = UnixMillis(1_000_000 + number * 30);
        written.push((append(&wal, b"value"), at));
        flusher.step().unwrap();
        time.advance(30);
    }
    flusher.close().unwrap();
    let mut marks = Vec::new();
    let read = Wal::read(&disk, "wal", Lsn::ZERO, Lsn::ZERO, &mut |frame| {
        marks.extend(frame.time_mark().map(|mark| (frame.end, mark)));
    });
    let first = read.unwrap().segments[0].header.begun_at;
    assert_eq!(first, UnixMillis(1_000_000));
    assert!((100..=140).contains(&marks.len()), "{}", marks.len());
    for (end, mark) in &marks {
        for (written_end, at) in &written {
            assert!(*written_end > mark.covered || *at <= mark.at);
            assert!(written_end <= end || *at >= mark.at);
        }
    }
    // The seal covers all.
    assert_eq!(marks.last().map(|it| it.1.at), Some(UnixMillis(1_012_000)));
    assert!(marks.last().unwrap().1.covered >= written.last().unwrap().0);
}

#[test]
fn nothing_follows_the_seal_however_long_ago_the_time_was_told() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    for _ in 0..2 {
        let (wal, mut flusher, time) = timed(&disk, UnixMillis(1_000_000));
        append(&wal, &payload(1));
        flusher.step().unwrap();
        time.advance(1000);
        flusher.close().unwrap();
        assert!(recover(&disk, Lsn::ZERO).unwrap().0.sealed);
    }
}

#[test]
fn what_is_young_is_not_retired() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    let (wal, mut flusher, time) = timed(&disk, UnixMillis(1_000_000));
    let mut starts = Vec::new();
    for number in 0..400 {
        starts.push((wal.appended_lsn(), 1_000_000 + 1000 * number));
        append(&wal, &payload(number as u64));
        flusher.step().unwrap();
        time.advance(1000);
    }
    for (until, kept) in [(1_200_000, true), (1_350_000, true), (i64::MAX, false)] {
        wal.retire(wal.durable_lsn(), Some(UnixMillis(until)));
        flusher.step().unwrap();
        let oldest = wal.oldest_lsn();
        let young = starts.iter().filter(|(_, at)| *at >= until);
        assert!(young.clone().all(|(start, _)| *start >= oldest));
        let old = starts.iter().filter(|(_, at)| *at < until);
        assert!(old.clone().any(|(start, _)| *start < oldest));
        assert_eq!(wal.oldest_at().0 <= until && young.count() > 0, kept);
    }
}

#[test]
fn every_flipped_bit_is_corrupt_or_torn_and_never_served() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    let (recovered, _) = recover(&disk, Lsn::ZERO).unwrap();
    let (wal, mut flusher) = open(&disk, &recovered, 1);
    let payloads = [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()];
    let mut ends = Vec::new();
    for payload in &payloads {
        ends.push(append(&wal, payload));
        flusher.step().unwrap();
    }
    drop(flusher);
    let path = root.path().join("wal/00000001.wal");
    let intact = std::fs::read(&path).unwrap();
    let used = 4096 + ends[2].0 as usize;
    for bit in (0..56 * 8).chain(4096 * 8..used * 8) {
        let mut bytes = intact.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &bytes).unwrap();
        match recover(&disk, Lsn::ZERO) {
            Ok((recovered, found)) => {
                // Only the last frame is claimed by no other.
                assert_eq!(found, payloads[..2], "bit {bit}");
                assert!(bit / 8 >= 4096 + ends[1].0 as usize, "bit {bit}");
                assert!(!recovered.sealed);
            }
            Err(WalError::Corruption { .. }) => {
                assert!(bit / 8 < 4096 + ends[1].0 as usize, "bit {bit}");
            }
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
}

#[test]
fn log_that_ends_before_it_must_reach_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    let (recovered, _) = recover(&disk, Lsn::ZERO).unwrap();
    let (wal, mut flusher) = open(&disk, &recovered, 1);
    let end = append(&wal, b"value");
    flusher.step().unwrap();
    let reach = |lsn| Wal::recover(&disk, "wal", Lsn::ZERO, lsn, &mut |_| {});
    assert!(reach(end).is_ok());
    assert!(matches!(
        reach(end.advance(8)),
        Err(WalError::Corruption { .. })
    ));
}

#[test]
fn thread_makes_concurrent_appends_durable_and_seals() {
    let root = tempfile::tempdir().unwrap();
    let disk = disk(root.path());
    let (recovered, _) = recover(&disk, Lsn::ZERO).unwrap();
    let (wal, flusher) = Wal::open(&disk, options(Clock::system()), &recovered, 1).unwrap();
    let (sender, durable) = std::sync::mpsc::channel();
    wal.subscribe(Box::new(move |lsn| {
        let _ = sender.send(lsn);
    }));
    let thread = spawn(flusher).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let wal = wal.clone();
            scope.spawn(move || {
                for _ in 0..10 {
                    append(&wal, &payload(writer));
                }
            });
        }
    });
    let end = wal.appended_lsn();
    while durable.recv().unwrap() < end {}
    assert_eq!(wal.status(), Status::Ready);
    thread.close().unwrap();
    let (recovered, found) = recover(&disk, Lsn::ZERO).unwrap();
    assert_eq!((recovered.sealed, found.len()), (true, 30));
}
