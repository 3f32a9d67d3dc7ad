//! The promises of the disk seam, on every backend and on the simulated disk.
//! Owns no helper outside this file; each test has its own directory or seed.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use thermocline_disk::{
    Action, AlignedBuffer, BackendChoice, Completion, Disk, DiskError, FaultAction, FaultRepeat,
    OpenMode, Operation, SimulatedDisk,
};

const PAGE: usize = 4096;

fn wait_all(queue: &mut thermocline_disk::Queue) -> Vec<Completion> {
    let mut completions = Vec::new();
    while queue.in_flight() > 0 {
        queue
            .wait(&mut completions, Duration::from_secs(5))
            .expect("wait");
    }
    completions
}

fn queue_and_files(disk: &Disk) {
    let missing = disk.open_file("missing", OpenMode::Read, false);
    assert_eq!(
        missing.expect_err("missing").io_error_kind(),
        ErrorKind::NotFound
    );
    let file = disk
        .open_file("data", OpenMode::CreateNew, true)
        .expect("create");
    let mut queue = disk.queue(64).expect("queue");
    for number in 0..64_u64 {
        let mut buffer = AlignedBuffer::new(PAGE);
        buffer.fill(number as u8 + 1);
        let operation = Operation {
            file: file.clone(),
            action: Action::Write {
                offset: number * PAGE as u64,
            },
            buffer: Some(buffer),
            token: number,
        };
        assert!(queue.submit(operation).is_ok());
    }
    let sync = |token| Operation {
        file: file.clone(),
        action: Action::SyncData,
        buffer: None,
        token,
    };
    assert_eq!(queue.submit(sync(99)).expect_err("full").token, 99);
    assert_eq!(wait_all(&mut queue).len(), 64);
    assert!(queue.submit(sync(100)).is_ok());
    assert_eq!(*wait_all(&mut queue)[0].result.as_ref().expect("sync"), 0);
    for number in 0..64_u64 {
        let operation = Operation {
            file: file.clone(),
            action: Action::Read {
                offset: number * PAGE as u64,
            },
            // The last one reaches past the end.
            buffer: Some(AlignedBuffer::new(if number == 63 {
                2 * PAGE
            } else {
                PAGE
            })),
            token: number,
        };
        assert!(queue.submit(operation).is_ok());
    }
    let completions = wait_all(&mut queue);
    assert_eq!(completions.len(), 64);
    for completion in completions {
        assert_eq!(completion.result.expect("read"), PAGE);
        let buffer = completion.buffer.expect("given back");
        let expected = completion.token as u8 + 1;
        assert!(buffer[..PAGE].iter().all(|byte| *byte == expected));
    }
    disk.replace_durably("small", b"old").expect("replace");
    disk.replace_durably("small", b"newer").expect("replace");
    assert_eq!(disk.read_whole("small", 10).expect("read"), b"newer");
    assert!(matches!(
        disk.read_whole("small", 2),
        Err(DiskError::TooLarge { .. })
    ));
    let names = ["data", "small"];
    assert_eq!(disk.list("").expect("list"), names);
    assert!(disk.list("absent").expect("list").is_empty());
    let read_only = disk
        .open_file("small", OpenMode::Read, false)
        .expect("open");
    assert_eq!(read_only.read_at(3, &mut [0; 9]).expect("short"), 2);
    assert!(read_only.write_all_at(0, b"x").is_err());
    assert!(matches!(
        disk.remove("../data"),
        Err(DiskError::InvalidName { .. })
    ));
    let held = disk.lock_directory(Duration::ZERO).expect("lock");
    let refused = disk.lock_directory(Duration::ZERO).expect_err("taken");
    assert!(matches!(refused, DiskError::Locked { .. }));
    drop(held);
    drop(disk.lock_directory(Duration::ZERO).expect("released"));
    assert!(disk.space().expect("space").total_bytes > 0);
}

fn open(path: &Path, choice: BackendChoice) -> Disk {
    Disk::open(path, choice).expect("open")
}

#[test]
fn posix_backend_keeps_its_promises() {
    let directory = tempfile::tempdir().expect("tempdir");
    queue_and_files(&open(directory.path(), BackendChoice::Posix));
}

#[test]
fn automatic_backend_keeps_its_promises() {
    let directory = tempfile::tempdir().expect("tempdir");
    let disk = open(directory.path(), BackendChoice::Auto);
    println!("{:?}", disk.backend());
    queue_and_files(&disk);
}

#[test]
fn simulated_backend_keeps_its_promises() {
    queue_and_files(&Disk::simulated(SimulatedDisk::new(1)));
}

fn with_file(seed: u64) -> (SimulatedDisk, Disk, thermocline_disk::File) {
    let simulated = SimulatedDisk::new(seed);
    let disk = Disk::simulated(simulated.clone());
    let file = disk
        .open_file("f", OpenMode::CreateNew, false)
        .expect("create");
    disk.sync_directory("").expect("sync");
    (simulated, disk, file)
}

fn after_crash(seed: u64) -> Vec<u8> {
    let (simulated, disk, file) = with_file(seed);
    file.write_all_at(0, &[1; 2048]).expect("write");
    file.sync_data().expect("sync");
    file.write_all_at(2048, &[2; 4096]).expect("write");
    simulated.crash();
    assert!(file.size_bytes().is_err(), "old handles are dead");
    disk.read_whole("f", 1 << 20).expect("read")
}

#[test]
fn synced_data_survives_and_unsynced_is_kept_lost_or_torn_by_seed() {
    let outcomes: Vec<_> = (0..64).map(after_crash).collect();
    assert!(outcomes.iter().all(|bytes| bytes[..2048] == [1; 2048]));
    assert!(outcomes.iter().any(|bytes| bytes.len() == 2048));
    assert!(outcomes.iter().any(|bytes| bytes[2048..] == [2; 4096]));
    let torn = |bytes: &Vec<u8>| bytes[2048..].contains(&0) && bytes[2048..].contains(&2);
    assert!(outcomes.iter().any(torn));
    let again: Vec<_> = (0..64).map(after_crash).collect();
    assert_eq!(outcomes, again);
}

#[test]
fn a_name_is_volatile_until_its_directory_is_synced() {
    let survives = |seed, synced| {
        let simulated = SimulatedDisk::new(seed);
        let disk = Disk::simulated(simulated.clone());
        let file = disk
            .open_file("f", OpenMode::CreateNew, false)
            .expect("create");
        file.sync_data().expect("sync");
        if synced {
            disk.sync_directory("").expect("sync");
        }
        simulated.crash();
        !disk.list("").expect("list").is_empty()
    };
    assert!((0..32).all(|seed| survives(seed, true)));
    assert!((0..32).any(|seed| !survives(seed, false)));
    assert!((0..32).any(|seed| survives(seed, false)));
}

#[test]
fn replace_durably_is_old_or_new_at_every_power_off() {
    for seed in 0..32 {
        for point in 0..8 {
            let simulated = SimulatedDisk::new(seed);
            let disk = Disk::simulated(simulated.clone());
            disk.replace_durably("f", b"old").expect("first");
            simulated.power_off_after(point);
            let done = disk.replace_durably("f", b"new").is_ok();
            simulated.restart();
            let found = disk.read_whole("f", 10).expect("there");
            assert!(found == b"new" || (!done && found == b"old"));
        }
    }
}

#[test]
fn power_off_fails_everything_until_restart() {
    let (simulated, disk, file) = with_file(3);
    let before = simulated.operations();
    simulated.power_off_after(1);
    file.write_all_at(0, b"a").expect("the last one");
    assert!(file.write_all_at(1, b"b").is_err());
    assert!(file.sync_data().is_err() && disk.list("").is_err());
    assert_eq!(simulated.operations(), before + 1);
    simulated.restart();
    assert_eq!(disk.list("").expect("back"), ["f"]);
}

#[test]
fn an_injected_fault_meets_the_nth_call() {
    let (simulated, _disk, file) = with_file(4);
    simulated.fail_next(FaultAction::Write, 2, 28, FaultRepeat::Once);
    file.write_all_at(0, b"a").expect("first");
    let error = file.write_all_at(0, b"a").expect_err("second");
    assert_eq!(error.io_error_kind(), ErrorKind::StorageFull);
    file.write_all_at(0, b"a").expect("third");
    simulated.fail_next(FaultAction::Sync, 1, 5, FaultRepeat::Forever);
    assert!(file.sync_data().is_err() && file.sync_data().is_err());
    simulated.clear_faults();
    file.sync_data().expect("cleared");
}
