//! The log since the last checkpoint, which a restart has to apply, is bounded.

use crate::support::Opened;
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
