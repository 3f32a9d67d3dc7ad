//! Power loss at every operation of a short history, on the simulated disk:
//! what was acknowledged under `always` is there, nothing else is invented.

use crate::support::{Held, Opened};
use std::collections::BTreeMap;
use thermocline_disk::{Disk, SimulatedDisk};
use thermocline_store::{Admission, KeyName};
use thermocline_wal::Policy;

/// What a key may hold after the cut: what was acknowledged last, or what was
/// written and not acknowledged.
#[derive(Default)]
struct Expected {
    acknowledged: BTreeMap<u8, Vec<u8>>,
    in_doubt: Option<(u8, Option<Vec<u8>>)>,
}

/// Waits until what was done is durable; false if the disk has failed.
fn acknowledge(opened: &Opened) -> bool {
    let lsn = opened.store.appended_lsn();
    while !opened.store.may_acknowledge(lsn) {
        if opened.store.statistics().log_failure.is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

/// Waits until a write may begin; false if the disk has failed.
fn may_write(opened: &Opened) -> bool {
    loop {
        match opened.store.admit(true) {
            Admission::Go => return true,
            Admission::Wait | Admission::WaitForLog => opened.rest(),
            _ => return false,
        }
    }
}

/// Sets, deletes and makes checkpoints until done or until the disk fails.
fn history(disk: &Disk, seed: u64, expected: &mut Expected) {
    let Ok(mut opened) = Opened::on(disk.clone(), Some(Policy::Always), seed) else {
        return;
    };
    for step in 0..30_u8 {
        let key = step % 12;
        let value = (step % 5 != 4).then(|| vec![step; 100 + usize::from(step) * 40]);
        if !may_write(&opened) {
            break;
        }
        expected.in_doubt = Some((key, value.clone()));
        let key_name = [key];
        let name = KeyName {
            database: 0,
            key: &key_name,
        };
        opened.with(&[name], |access, _| {
            match &value {
                Some(value) => access.put_string(0, value, None),
                None => drop(access.delete(0)),
            }
            Ok(())
        });
        if !acknowledge(&opened) {
            break;
        }
        match value {
            Some(value) => expected.acknowledged.insert(key, value),
            None => expected.acknowledged.remove(&key),
        };
        expected.in_doubt = None;
        if step % 10 == 9 {
            // Its failure is the cut.
            let _ = opened.try_checkpoint();
        }
    }
    opened.abandon();
}

#[test]
fn power_loss_at_every_operation_takes_nothing_acknowledged_back() {
    let whole = SimulatedDisk::new(1);
    let mut expected = Expected::default();
    history(&Disk::simulated(whole.clone()), 1, &mut expected);
    assert!(
        expected.in_doubt.is_none(),
        "without a cut all is acknowledged"
    );
    let operations = whole.operations();
    assert!(operations > 100, "the history is too short to say anything");
    // The zeros of a new segment of the log are many operations and all alike.
    let mut cuts: Vec<_> = (0..operations).collect();
    cuts.retain(|cut| *cut < 8 || *cut > 30);
    for cut in cuts {
        let simulated = SimulatedDisk::new(cut);
        let disk = Disk::simulated(simulated.clone());
        simulated.power_off_after(cut);
        let mut expected = Expected::default();
        history(&disk, cut, &mut expected);
        simulated.restart();
        let mut opened = Opened::on(disk, Some(Policy::Always), cut + 1)
            .unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        opened.settle();
        for key in 0..12_u8 {
            let found = opened.get(0, &[key]).map(|(held, _)| held);
            let acknowledged = expected.acknowledged.get(&key).cloned().map(Held::String);
            let in_doubt = expected.in_doubt.as_ref().filter(|(of, _)| *of == key);
            let other = in_doubt.map(|(_, value)| value.clone().map(Held::String));
            assert!(
                found == acknowledged || other == Some(found.clone()),
                "cut {cut}: key {key} holds {found:?}"
            );
        }
        opened.close(false);
    }
}
