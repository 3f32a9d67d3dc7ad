//! A disk that refuses: reads go on, nothing is lost, and once it takes writes
//! again all goes on by itself.

use crate::support::{Held, Opened};
use thermocline_base::{Random, UnixMillis};
use thermocline_disk::{Disk, FaultAction, FaultRepeat, SimulatedDisk};
use thermocline_store::{Admission, KeyName};
use thermocline_wal::Policy;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const KEYS: u32 = 300;

fn value(number: u32) -> Vec<u8> {
    let mut random = Random::new(u64::from(number));
    (0..50)
        .flat_map(|_| random.next_u64().to_le_bytes())
        .collect()
}

fn fill(opened: &mut Opened) {
    for number in 0..KEYS {
        opened.set(0, &number.to_le_bytes(), &value(number), None);
    }
}

fn check(opened: &mut Opened) {
    for number in 0..KEYS {
        let found = opened.get(0, &number.to_le_bytes());
        let expected = Held::String(value(number));
        assert!(found == Some((expected, None)), "key {number}: {found:?}");
    }
}

fn new_disk(seed: u64) -> (SimulatedDisk, Disk) {
    let simulated = SimulatedDisk::new(seed);
    let disk = Disk::simulated(simulated.clone());
    (simulated, disk)
}

/// Opens what is left after a power cut and compares it.
fn check_after_cut(simulated: &SimulatedDisk, disk: Disk, opened: Opened, seed: u64) {
    opened.abandon();
    simulated.crash();
    let mut opened = Opened::on(disk, Some(Policy::Always), seed).expect("the store opens");
    opened.settle();
    check(&mut opened);
    opened.close(false);
}

#[test]
fn a_segment_whose_name_was_not_synced_is_not_relied_on() {
    let mut met = 0;
    for seed in 0..8 {
        let (simulated, disk) = new_disk(seed);
        let mut opened = Opened::on(disk.clone(), Some(Policy::Always), seed).expect("it opens");
        opened.checkpoint();
        fill(&mut opened);
        // The first one is for the folder of the images.
        simulated.fail_next(FaultAction::SyncDirectory, 2, EIO, FaultRepeat::Once);
        // The log may meet the fault in its place.
        met += u32::from(opened.try_checkpoint().is_err());
        // The next process finds the file, and does not know that.
        opened.abandon();
        let opened = Opened::on(disk.clone(), Some(Policy::Always), seed).expect("it opens");
        opened.settle();
        opened.checkpoint();
        check_after_cut(&simulated, disk, opened, seed);
    }
    assert!(met > 0, "no checkpoint met the fault");
}

/// Writes until refused, or until `most` keys are written: how many there are.
fn write_until_refused(opened: &mut Opened, from: u32, most: u32) -> u32 {
    for number in from..most {
        loop {
            match opened.store.admit(true) {
                Admission::Go => break,
                Admission::Wait | Admission::WaitForLog => opened.rest(),
                _ => return number,
            }
        }
        let key = number.to_le_bytes();
        let name = KeyName {
            database: 0,
            key: &key,
        };
        opened.with(&[name], |access, _| {
            access.put_string(0, &value(number), None);
            Ok(())
        });
    }
    most
}

fn check_first(opened: &mut Opened, keys: u32) {
    for number in 0..keys {
        let found = opened.get(0, &number.to_le_bytes());
        let expected = Held::String(value(number));
        assert!(found == Some((expected, None)), "key {number}: {found:?}");
    }
    assert_eq!(opened.len(0), u64::from(keys));
}

fn wait_until(opened: &Opened, holds: impl Fn(&Opened) -> bool) {
    let mut waited = 0;
    while !holds(opened) {
        opened.rest();
        waited += 1;
        assert!(waited < 10_000, "{:?}", opened.store.statistics());
    }
}

#[test]
fn keys_that_cannot_sink_are_kept_and_sink_later() {
    let log = Some(Policy::EverySecond);
    // Without a log only the tier needs new files.
    for (action, errno, policy) in [
        (FaultAction::Open, EIO, None),
        (FaultAction::Open, ENOSPC, None),
        (FaultAction::Write, EIO, log),
        (FaultAction::Write, ENOSPC, log),
    ] {
        let (simulated, disk) = new_disk(u64::from(errno.unsigned_abs()));
        let mut opened = Opened::on(disk.clone(), policy, 1).expect("the store opens");
        opened.store.settings().set_maxmemory_bytes(8 << 20);
        // Some are cold before the disk fails.
        let cold = write_until_refused(&mut opened, 0, 20_000);
        wait_until(&opened, |it| it.store.statistics().cold_keys > 0);
        opened.checkpoint();
        let before = opened.store.statistics();
        simulated.fail_next(action, 1, errno, FaultRepeat::Forever);
        // A segment that is being written is full some time.
        let keys = write_until_refused(&mut opened, cold, 200_000);
        assert!(keys < 200_000, "{action:?} {errno}: no write is refused");
        check_first(&mut opened, keys);
        // The keeper tries again and again, and uses nothing up.
        for _ in 0..100 {
            opened.rest();
        }
        let during = opened.store.statistics();
        assert!(
            during.segments_used <= before.segments_used + 1,
            "{during:?}"
        );
        simulated.clear_faults();
        let (mut written, mut refused) = (keys, 0);
        let more = keys + 2000;
        while written < more {
            written = write_until_refused(&mut opened, written, more);
            opened.rest();
            refused += 1;
            assert!(refused < 1000, "{action:?} {errno}: writes do not resume");
        }
        check_first(&mut opened, more);
        opened.checkpoint();
        opened.close(false);
        simulated.crash();
        let mut opened = Opened::on(disk, policy, 2).expect("it opens");
        opened.settle();
        check_first(&mut opened, more);
        opened.close(false);
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_loses_nothing() {
    for errno in [EIO, ENOSPC] {
        for nth in 1..12 {
            let (simulated, disk) = new_disk(nth);
            let mut opened =
                Opened::on(disk.clone(), Some(Policy::Always), 1).expect("the store opens");
            fill(&mut opened);
            simulated.fail_next(FaultAction::Write, nth, errno, FaultRepeat::Forever);
            opened.try_checkpoint().expect_err("nothing can be written");
            check(&mut opened);
            simulated.clear_faults();
            // The log may have met the fault too, and come back a moment later.
            if nth % 2 == 0 {
                wait_until(&opened, |it| it.try_checkpoint().is_ok());
            }
            check_after_cut(&simulated, disk, opened, nth);
        }
    }
}

#[test]
fn what_a_failed_sync_of_the_tier_lost_is_in_no_image() {
    let mut met = 0;
    for seed in 0..8 {
        let (simulated, disk) = new_disk(seed);
        let mut opened = Opened::on(disk.clone(), Some(Policy::Always), seed).expect("it opens");
        fill(&mut opened);
        opened.checkpoint();
        for number in 0..KEYS {
            opened.delete(0, &number.to_le_bytes());
        }
        fill(&mut opened);
        let lsn = opened.store.appended_lsn();
        wait_until(&opened, |it| it.store.may_acknowledge(lsn));
        simulated.fail_next(FaultAction::Sync, 1, EIO, FaultRepeat::Once);
        // The log may meet the fault in its place.
        met += u32::from(opened.try_checkpoint().is_err());
        opened.checkpoint();
        check_after_cut(&simulated, disk, opened, seed);
    }
    assert!(met > 0, "no checkpoint met the fault");
}

/// Pages that a power cut tore, behind those that a checkpoint synced, are no
/// damage: nothing names them.
#[test]
fn a_segment_that_a_power_cut_tore_is_cleaned_like_any_other() {
    const SEGMENT_BYTES: u64 = 32 << 20;
    for seed in 0..6 {
        let (simulated, disk) = new_disk(seed);
        let mut opened =
            Opened::on(disk.clone(), Some(Policy::EverySecond), seed).expect("it opens");
        opened.store.settings().set_maxmemory_bytes(4 << 20);
        fill(&mut opened);
        opened.checkpoint();
        let keys = write_until_refused(&mut opened, 0, 30_000);
        opened.abandon();
        simulated.crash();
        let mut opened =
            Opened::on(disk.clone(), Some(Policy::EverySecond), seed).expect("it opens");
        for number in 0..keys {
            opened.delete(0, &number.to_le_bytes());
        }
        opened.checkpoint();
        wait_until(&opened, |it| it.store.statistics().segments_cleaned > 0);
        for _ in 0..20 {
            opened.rest();
        }
        let statistics = opened.store.statistics();
        assert!(
            statistics.tier_live_bytes < SEGMENT_BYTES,
            "seed {seed}: {statistics:?}"
        );
        opened.close(false);
    }
}

/// The manifest was renamed, and the sync of its directory failed: it may or
/// may not be the durable one, so nothing that it names may go.
#[test]
fn a_manifest_that_may_be_durable_finds_its_image() {
    for seed in 0..6 {
        let (simulated, disk) = new_disk(seed);
        let mut opened = Opened::on(disk.clone(), Some(Policy::Always), seed).expect("it opens");
        fill(&mut opened);
        opened.checkpoint();
        opened.set(0, &0_u32.to_le_bytes(), &value(0), None);
        // Of the images, of their names, and of the manifest.
        simulated.fail_next(FaultAction::SyncDirectory, 3, EIO, FaultRepeat::Once);
        let first = opened.try_checkpoint();
        // The next one ends in the middle.
        simulated.fail_next(FaultAction::Write, 1, EIO, FaultRepeat::Forever);
        opened.try_checkpoint().expect_err("nothing can be written");
        opened.abandon();
        simulated.clear_faults();
        let mut opened = Opened::on(disk, Some(Policy::Always), seed)
            .unwrap_or_else(|error| panic!("seed {seed}, {first:?}: {error}"));
        opened.settle();
        check(&mut opened);
        opened.close(false);
    }
}

/// A read that meets an expired key logs its deletion; where the log has no
/// room, the read goes on all the same.
#[test]
fn expired_keys_are_read_as_absent_while_the_log_cannot_be_written() {
    const MANY: u32 = 70_000;
    let key = |number: u32| format!("{number:0100}").into_bytes();
    let (simulated, disk) = new_disk(1);
    let mut opened =
        Opened::on(disk.clone(), Some(Policy::EverySecond), 1).expect("the store opens");
    opened.store.settings().set_active_expire(false);
    let expiry = UnixMillis(opened.store.now().0 + 3_000);
    for number in 0..MANY {
        opened.set(0, &key(number), b"value", Some(expiry));
    }
    let lsn = opened.store.appended_lsn();
    wait_until(&opened, |it| it.store.may_acknowledge(lsn));
    wait_until(&opened, |it| it.store.now() > expiry);
    simulated.fail_next(FaultAction::Write, 1, EIO, FaultRepeat::Forever);
    for number in 0..MANY {
        assert_eq!(opened.get(0, &key(number)), None);
    }
    assert!(opened.len(0) > 0, "the log had room for all");
    simulated.clear_faults();
    wait_until(&opened, |it| it.store.admit(true) == Admission::Go);
    opened.set(0, &key(MANY - 1), b"again", None);
    for number in 0..MANY - 1 {
        opened.admit();
        assert!(!opened.delete(0, &key(number)));
    }
    assert_eq!(opened.len(0), 1);
    opened.close(false);
}
