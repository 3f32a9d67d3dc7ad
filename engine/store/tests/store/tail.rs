//! The log since the last checkpoint, which a restart has to apply, is bounded, and so
//! is the memory that applying it takes.

use crate::support::{Held, Opened};
use std::path::Path;
use thermocline_disk::{Disk, FaultAction, FaultRepeat, SimulatedDisk};
use thermocline_store::{Admission, KeyName};
use thermocline_wal::Policy;

const DUE_BYTES: u64 = 64 << 10;
const VALUE_BYTES: usize = 1000;
/// A record of the log beside its value, and a watermark.
const FRAME_BYTES: u64 = 200;

fn put(opened: &mut Opened, number: u32) {
    let key = number.to_le_bytes();
    let name = KeyName {
        database: 0,
        key: &key,
    };
    opened.with(&[name], |access, _| {
        access.put_string(0, &[7; VALUE_BYTES], None);
        Ok(())
    });
}

fn tail_bytes(opened: &Opened) -> u64 {
    let statistics = opened.store.statistics();
    statistics.appended_lsn - statistics.checkpoint_lsn
}

#[test]
fn writes_wait_for_a_checkpoint_and_are_refused_while_it_fails() {
    let simulated = SimulatedDisk::new(1);
    let disk = Disk::simulated(simulated.clone());
    let mut opened = Opened::on(disk, Some(Policy::EverySecond), 1).expect("it opens");
    opened.settle();
    opened.store.settings().set_checkpoint_wal_bytes(DUE_BYTES);
    let bound_bytes = 2 * DUE_BYTES + VALUE_BYTES as u64 + FRAME_BYTES;
    for number in 0..2000 {
        opened.admit();
        put(&mut opened, number);
        assert!(tail_bytes(&opened) <= bound_bytes, "key {number}");
    }
    assert!(opened.store.statistics().checkpoints > 5);
    // The manifest cannot be replaced: no checkpoint, no new tail.
    simulated.fail_next(FaultAction::Rename, 1, 5, FaultRepeat::Forever);
    let mut number = 2000;
    let reason = loop {
        match opened.store.admit(true) {
            Admission::Go => {
                put(&mut opened, number);
                number += 1;
                assert!(tail_bytes(&opened) <= bound_bytes, "key {number}");
            }
            Admission::Wait | Admission::WaitForLog => opened.rest(),
            Admission::DiskFails(reason) => break reason,
            refused => panic!("{refused:?}"),
        }
    };
    assert!(reason.contains("manifest"), "{reason}");
    assert_eq!(opened.len(0), u64::from(number));
    simulated.clear_faults();
    let mut waited = 0;
    while opened.store.admit(true) != Admission::Go {
        opened.rest();
        waited += 1;
        assert!(waited < 10_000, "writes do not resume");
    }
    opened.close(false);
}

const MAXMEMORY_BYTES: u64 = 8 << 20;
/// What the store holds beside its data: the log's ring, the tier's buffers, a window of
/// the log and the effects read from it, and chunks that lie idle.
const BESIDE_BYTES: u64 = 20 << 20;

fn open_small(directory: &Path, seed: u64) -> Opened {
    let opened = Opened::open(directory, Some(Policy::EverySecond), seed);
    opened.store.settings().set_maxmemory_bytes(MAXMEMORY_BYTES);
    (opened.store.settings()).set_checkpoint_wal_bytes(1 << 30);
    opened
}

/// Waits until the tail is applied; the most memory that was counted meanwhile, bytes.
fn settle_watched(opened: &Opened) -> u64 {
    let mut most = 0;
    loop {
        let statistics = opened.store.statistics();
        most = most.max(statistics.used_bytes);
        if statistics.pending_effects == 0 && statistics.shards_not_loaded == 0 {
            return most;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_tail_of_many_times_the_memory_is_applied_within_it() {
    const KEYS: u32 = 20_000;
    let value = |number: u32, version: u8| [&[version; 2000][..], &number.to_le_bytes()].concat();
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = open_small(directory.path(), 1);
    for number in 0..KEYS / 2 {
        opened.set(0, &number.to_le_bytes(), &value(number, 1), None);
    }
    opened.checkpoint();
    for number in 0..KEYS {
        opened.set(0, &number.to_le_bytes(), &value(number, 2), None);
    }
    assert!(tail_bytes(&opened) > 4 * MAXMEMORY_BYTES);
    opened.close(false);
    let mut opened = open_small(directory.path(), 2);
    let most = settle_watched(&opened);
    let bound = MAXMEMORY_BYTES + BESIDE_BYTES;
    assert!(most <= bound, "{most} bytes of {bound}");
    assert_eq!(opened.len(0), u64::from(KEYS));
    for number in (0..KEYS).step_by(7) {
        let held = opened.get(0, &number.to_le_bytes());
        assert!(
            held == Some((Held::String(value(number, 2)), None)),
            "key {number}"
        );
    }
    opened.close(false);
}

/// Effects on one key are as many as the tail is long; they need not be in memory
/// together.
#[test]
fn changes_of_one_key_are_applied_within_memory_however_many() {
    const CHANGES: usize = 30_000;
    const KEY: &[u8] = b"overwritten";
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = open_small(directory.path(), 1);
    opened.set(0, KEY, b"before", None);
    opened.checkpoint();
    for number in 0..CHANGES {
        opened.set(0, KEY, &vec![number as u8; 1500], None);
        opened.append(0, KEY, b"and");
    }
    assert!(tail_bytes(&opened) > 4 * MAXMEMORY_BYTES);
    opened.close(false);
    let last = [&[(CHANGES - 1) as u8; 1500][..], b"and"].concat();
    for asks_first in [false, true] {
        let mut opened = open_small(directory.path(), 2);
        if asks_first {
            let held = opened.get(0, KEY);
            assert!(held == Some((Held::String(last.clone()), None)));
        }
        let most = settle_watched(&opened);
        let bound = MAXMEMORY_BYTES + BESIDE_BYTES;
        assert!(most <= bound, "{most} bytes of {bound}");
        let held = opened.get(0, KEY);
        assert!(held == Some((Held::String(last.clone()), None)));
        opened.close(false);
    }
}

/// A key gets some of its effects, sinks, and gets others; someone asks for keys, and
/// changes them, meanwhile.
#[test]
fn effects_far_apart_meet_on_their_key_in_order() {
    const KEYS: u32 = 3000;
    const ROUNDS: u32 = 12;
    let added = |round: u32| [&round.to_le_bytes()[..], &[round as u8; 900]].concat();
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = open_small(directory.path(), 1);
    for number in 0..KEYS {
        opened.set(0, &number.to_le_bytes(), b"begun", None);
    }
    opened.checkpoint();
    for round in 0..ROUNDS {
        for number in 0..KEYS {
            let key = number.to_le_bytes();
            match (number % 4, round) {
                (1, 5) => opened.set(0, &key, b"anew", None),
                (2, 5) => assert!(opened.delete(0, &key)),
                _ => opened.append(0, &key, &added(round)),
            }
        }
    }
    opened.close(false);
    let expected = |number: u32| {
        let (start, from): (&[u8], _) = match number % 4 {
            1 => (b"anew", 6),
            2 => (b"", 6),
            _ => (b"begun", 0),
        };
        let rest = (from..ROUNDS).flat_map(added);
        start.iter().copied().chain(rest).collect::<Vec<u8>>()
    };
    let mut opened = open_small(directory.path(), 3);
    let mut waited = false;
    for number in (0..KEYS).step_by(10) {
        waited |= opened.store.statistics().pending_effects > 0;
        opened.append(0, &number.to_le_bytes(), b"live");
    }
    assert!(waited, "the tail was not waited for");
    settle_watched(&opened);
    assert_eq!(opened.len(0), u64::from(KEYS));
    for number in 0..KEYS {
        let mut expected = expected(number);
        if number % 10 == 0 {
            expected.extend(b"live");
        }
        let held = opened.get(0, &number.to_le_bytes());
        assert!(held == Some((Held::String(expected), None)), "key {number}");
    }
    opened.close(false);
}
