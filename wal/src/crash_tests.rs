//! The log on the simulated disk: power loss at every operation of a short
//! history, and syncs that fail.

use crate::frame::{FrameKind, SEGMENT_HEADER_BYTES};
use crate::{Policy, Recovered, Status, Wal, WalError, WalOptions};
use thermocline_base::{Clock, Lsn, SimulatedTime};
use thermocline_disk::{Disk, FaultAction, FaultRepeat, Injury, SimulatedDisk};

fn options() -> WalOptions {
    WalOptions {
        directory: "wal".to_owned(),
        segment_bytes: 64 << 10,
        ring_bytes: 64 << 10,
        policy: Policy::Always,
        clock: Clock::Simulated(SimulatedTime::default()),
    }
}

fn recover(disk: &Disk) -> Result<(Recovered, Vec<Vec<u8>>), WalError> {
    let mut found = Vec::new();
    let recovered = Wal::recover(disk, "wal", Lsn::ZERO, Lsn::ZERO, &mut |frame| {
        if frame.kind == FrameKind::Data {
            found.push(frame.payload.to_vec());
        }
    })?;
    Ok((recovered, found))
}

fn payload(number: u8) -> Vec<u8> {
    vec![number; 3000 + usize::from(number) * 100]
}

/// Appends 24 frames; gives how many were durable before the disk failed.
fn history(disk: &Disk, seed: u64) -> Result<u8, u8> {
    let Ok((recovered, _)) = recover(disk) else {
        return Err(0);
    };
    let Ok((wal, mut flusher)) = Wal::open(disk, options(), &recovered, seed) else {
        return Err(0);
    };
    for number in 0..24 {
        let payload = payload(number);
        let credit = wal.try_credit(payload.len()).unwrap();
        let end = wal.append(credit, &[&payload]).end;
        if flusher.step().is_err() || wal.durable_lsn() < end {
            return Err(number);
        }
    }
    flusher.close().map(|()| 24).map_err(|_| 24)
}

#[test]
fn power_loss_at_every_operation_loses_nothing_durable_and_invents_nothing() {
    let whole = SimulatedDisk::new(1);
    assert_eq!(history(&Disk::simulated(whole.clone()), 1), Ok(24));
    for cut in 0..=whole.operations() {
        let simulated = SimulatedDisk::new(cut);
        let disk = Disk::simulated(simulated.clone());
        simulated.power_off_after(cut);
        let durable = history(&disk, cut).unwrap_or_else(|durable| durable);
        simulated.restart();
        let (recovered, found) = recover(&disk).unwrap_or_else(|e| panic!("cut {cut}: {e}"));
        assert!(found.len() >= usize::from(durable), "cut {cut}");
        assert!(found.len() <= usize::from(durable) + 1, "cut {cut}");
        for (number, found) in (0..).zip(&found) {
            assert_eq!(*found, payload(number), "cut {cut}");
        }
        // What was recovered once stays, over a further crash.
        let (wal, mut flusher) = Wal::open(&disk, options(), &recovered, cut + 1000).unwrap();
        let credit = wal.try_credit(5).unwrap();
        wal.append(credit, &[b"after"]);
        flusher.step().unwrap();
        simulated.crash();
        let (_, again) = recover(&disk).unwrap_or_else(|e| panic!("cut {cut}, again: {e}"));
        assert_eq!(again[..found.len()], found[..], "cut {cut}");
        assert_eq!(again[found.len()..], [b"after".to_vec()], "cut {cut}");
    }
}

#[test]
fn failed_sync_or_write_is_rescued_to_a_new_segment() {
    for action in [FaultAction::Sync, FaultAction::Write] {
        let simulated = SimulatedDisk::new(7);
        let disk = Disk::simulated(simulated.clone());
        let (recovered, _) = recover(&disk).unwrap();
        let (wal, mut flusher) = Wal::open(&disk, options(), &recovered, 1).unwrap();
        simulated.fail_next(action, 1, 5, FaultRepeat::Forever);
        let credit = wal.try_credit(5).unwrap();
        let end = wal.append(credit, &[b"value"]).end;
        for _ in 0..3 {
            assert!(flusher.step().is_err());
            assert!(matches!(wal.status(), Status::Refusing { .. }));
            assert!(wal.durable_lsn() < end);
        }
        simulated.clear_faults();
        flusher.step().unwrap();
        assert_eq!((wal.status(), wal.durable_lsn()), (Status::Ready, end));
        drop(flusher);
        simulated.crash();
        let (_, found) = recover(&disk).unwrap();
        assert_eq!(found, [b"value".to_vec()]);
    }
}

#[test]
fn a_full_device_stops_appends_while_all_that_was_appended_becomes_durable() {
    const ENOSPC: i32 = 28;
    let simulated = SimulatedDisk::new(3);
    let disk = Disk::simulated(simulated.clone());
    let (recovered, _) = recover(&disk).unwrap();
    let (wal, mut flusher) = Wal::open(&disk, options(), &recovered, 1).unwrap();
    // The log is idle long enough for its spares.
    for _ in 0..4 {
        flusher.step().unwrap();
    }
    let frame = vec![7; 3000];
    let append = || {
        let credit = wal.try_credit(frame.len()).unwrap();
        wal.append(credit, &[&frame]).end
    };
    simulated.fail_next(FaultAction::Grow, 1, ENOSPC, FaultRepeat::Forever);
    let mut appended = 0;
    while wal.status() == Status::Ready {
        append();
        appended += 1;
        flusher.step().unwrap();
        assert!(appended < 1000, "appends are never refused");
    }
    // What others had begun by then still has its place.
    for _ in 0..4 {
        append();
        appended += 1;
    }
    let end = wal.appended_lsn();
    flusher.step().unwrap();
    flusher.step().unwrap();
    assert_eq!(wal.durable_lsn(), end);
    let Status::Refusing { reason } = wal.status() else {
        panic!("the log takes writes without a segment for them");
    };
    assert!(reason.contains("No space left on device"), "{reason}");
    drop(flusher);
    simulated.crash();
    // It starts all the same, and takes writes when there is room.
    let (recovered, found) = recover(&disk).unwrap();
    assert_eq!(found.len(), appended);
    let (wal, mut flusher) = Wal::open(&disk, options(), &recovered, 2).unwrap();
    assert!(matches!(wal.status(), Status::Refusing { .. }));
    assert_eq!(wal.durable_lsn(), wal.appended_lsn());
    assert!(flusher.step().is_err());
    simulated.clear_faults();
    flusher.step().unwrap();
    assert_eq!(wal.status(), Status::Ready);
    drop(flusher);
    simulated.crash();
    let (recovered, found) = recover(&disk).unwrap();
    assert_eq!(found.len(), appended);
    // Retired segments are room enough, though the device stays full.
    let (wal, mut flusher) = Wal::open(&disk, options(), &recovered, 2).unwrap();
    for _ in 0..4 {
        flusher.step().unwrap();
    }
    simulated.fail_next(FaultAction::Grow, 1, ENOSPC, FaultRepeat::Forever);
    let mut refusals = 0;
    for _ in 0..200 {
        let credit = wal.try_credit(frame.len()).unwrap();
        wal.append(credit, &[&frame]);
        flusher.step().unwrap();
        if wal.status() != Status::Ready {
            refusals += 1;
            wal.retire(wal.durable_lsn(), None);
            flusher.step().unwrap();
            assert_eq!(wal.status(), Status::Ready);
        }
    }
    assert!(refusals > 0, "no segment ended");
}

/// The process that wrote was killed, and the start that came next met a failing
/// sync: the frames are still to be seen, and a mere second sync would lie.
#[test]
fn what_a_start_found_is_durable_though_a_sync_failed_before() {
    for seed in 0..20 {
        let simulated = SimulatedDisk::new(seed);
        let disk = Disk::simulated(simulated.clone());
        let (recovered, _) = recover(&disk).unwrap();
        let options = WalOptions {
            policy: Policy::Never,
            ..options()
        };
        let (wal, mut flusher) = Wal::open(&disk, options, &recovered, seed).unwrap();
        for number in 0..3 {
            let payload = payload(number);
            let credit = wal.try_credit(payload.len()).unwrap();
            wal.append(credit, &[&payload]);
            flusher.step().unwrap();
        }
        assert!(wal.durable_lsn() < wal.written_lsn());
        simulated.kill();
        simulated.fail_next(FaultAction::Sync, 1, 28, FaultRepeat::Once);
        recover(&disk).unwrap_err();
        let (_, seen) = recover(&disk).unwrap();
        assert_eq!(seen.len(), 3);
        simulated.crash();
        let (_, kept) = recover(&disk).unwrap();
        assert_eq!(kept, seen, "seed {seed}");
    }
}

/// A segment is as long as it ever was: a shorter file has lost what was there,
/// though nothing behind claims it.
#[test]
fn a_segment_that_was_cut_is_no_torn_one() {
    let simulated = SimulatedDisk::new(1);
    let disk = Disk::simulated(simulated.clone());
    assert_eq!(history(&disk, 1), Ok(24));
    let (recovered, _) = recover(&disk).unwrap();
    let name = &recovered.segments.last().unwrap().name;
    for bytes in [4096, 5000, (64 << 10) - 1] {
        let cut = simulated.fork(1);
        cut.cut(name, bytes);
        let error = recover(&Disk::simulated(cut)).unwrap_err();
        assert!(
            matches!(&error, WalError::Corruption { file, offset, .. } if file == name && *offset == bytes),
            "{error}"
        );
    }
}

/// Who looks for the damage in the log finds the frame by its position.
#[test]
fn a_damaged_frame_is_told_by_file_byte_and_position() {
    let (simulated, _, last) = three_segments();
    let (recovered, _) = recover(&Disk::simulated(simulated.clone())).unwrap();
    let first = &recovered.segments[recovered.segments.len() - 2];
    assert_ne!(first.name, last);
    let start = first.header.start_lsn;
    assert!(start > Lsn::ZERO);
    let damaged = simulated.fork(1);
    damaged.flip_bit(&first.name, SEGMENT_HEADER_BYTES as u64 + 20, 3);
    let error = recover(&Disk::simulated(damaged)).unwrap_err();
    let expected = format!(
        "{} is corrupt at byte {SEGMENT_HEADER_BYTES} (LSN {start}): ",
        first.name
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}

/// A log of three segments, all of it durable, and its last file.
fn three_segments() -> (SimulatedDisk, Disk, String) {
    let simulated = SimulatedDisk::new(9);
    let disk = Disk::simulated(simulated.clone());
    let (recovered, _) = recover(&disk).unwrap();
    let (wal, mut flusher) = Wal::open(&disk, options(), &recovered, 1).unwrap();
    for number in 0..40 {
        let payload = payload(number);
        let credit = wal.try_credit(payload.len()).unwrap();
        wal.append(credit, &[&payload]);
        flusher.step().unwrap();
    }
    drop(flusher);
    let (recovered, found) = recover(&disk).unwrap();
    assert_eq!(found.len(), 40);
    assert!(recovered.segments.len() >= 3);
    let last = recovered.segments.last().unwrap().name.clone();
    (simulated, disk, last)
}

#[test]
fn a_last_segment_that_is_gone_or_cut_within_its_header_is_named_and_not_skipped() {
    for len in [None, Some(0), Some(20), Some(4095)] {
        let (simulated, disk, last) = three_segments();
        match len {
            Some(len) => simulated.cut(&last, len),
            None => simulated.lose(&last),
        }
        let refused = recover(&disk).map(|(_, found)| found.len());
        assert!(
            matches!(&refused, Err(WalError::Corruption { file, .. }) if *file == last),
            "{len:?}: {refused:?}"
        );
    }
}

#[test]
fn a_segment_that_could_not_be_noted_as_the_latest_is_begun_again() {
    for (action, file) in [
        (FaultAction::Write, "wal/latest"),
        (FaultAction::Sync, "wal/latest"),
        (FaultAction::Rename, "wal/latest"),
        (FaultAction::SyncDirectory, "wal"),
    ] {
        for seed in 0..20 {
            let simulated = SimulatedDisk::new(seed);
            let disk = Disk::simulated(simulated.clone());
            let (recovered, _) = recover(&disk).unwrap();
            let (wal, mut flusher) = Wal::open(&disk, options(), &recovered, 1).unwrap();
            simulated.injure_files(file, action, 1, Injury::Fails(5), FaultRepeat::Forever);
            let mut acknowledged = 0;
            for number in 0..40 {
                let payload = payload(number);
                let Some(credit) = wal.try_credit(payload.len()) else {
                    break;
                };
                let end = wal.append(credit, &[&payload]).end;
                let _ = flusher.step();
                if wal.durable_lsn() >= end {
                    acknowledged = usize::from(number) + 1;
                }
            }
            if seed % 2 == 0 {
                // Well again: it goes on in the segment that was half begun.
                simulated.clear_faults();
                while flusher.step().is_err() {}
                assert_eq!(wal.status(), Status::Ready);
            }
            drop(flusher);
            simulated.clear_faults();
            simulated.crash();
            let recovered = recover(&disk);
            let (_, found) = recovered.unwrap_or_else(|e| panic!("{action:?}, {seed}: {e}"));
            assert!(found.len() >= acknowledged, "{action:?}, {seed}");
        }
    }
}
