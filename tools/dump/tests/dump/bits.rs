//! A directory of which one bit is another never panics a reader, and is never called intact
//! if it holds something else.

use clap::Parser;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tempfile::TempDir;
use thermocline_base::Clock;
use thermocline_disk::{BackendChoice, Disk};
use thermocline_dump::{Arguments, Outcome, run};
use thermocline_store::{FaultSet, KeyName, LogSizes, Store, StoreOptions};
use thermocline_wal::Policy;

/// As small as they may be: all of a log is read each time.
const LOG: LogSizes = LogSizes {
    segment_bytes: 64 << 10,
    ring_bytes: 64 << 10,
};

/// Of how many bits of a file one is tried, as all take too long. What is here and odd meets
/// every bit of a byte.
const EVERY: [(&str, usize); 5] = [
    ("manifest", 1),
    ("manifest.copy", 5),
    ("image", 5),
    ("wal", 15),
    ("tier", 21),
];

fn put(directory: &Path, keys: std::ops::Range<u32>, checkpoint: bool) {
    let disk = Disk::open(directory, BackendChoice::Posix).expect("it opens");
    let options = StoreOptions {
        log: Some(Policy::EverySecond),
        tier: true,
        clock: Clock::system(),
        seed: 7,
    };
    let (store, mut attendant, _) = Store::open_stepped(disk, options, LOG).expect("it opens");
    while !store.has_settled() {
        attendant.step_keeper();
    }
    for number in keys {
        let key = format!("key:{number}");
        let name = KeyName {
            database: 0,
            key: key.as_bytes(),
        };
        let names = [name];
        let faults = FaultSet::new();
        let mut access = store.access(&names, &faults).expect("it is hot or new");
        let value = format!("value {number} ").repeat(3);
        access.put_string(0, value.as_bytes(), None);
        access.commit();
    }
    drop(store);
    attendant.close(checkpoint).expect("it closes");
}

/// A directory with a checkpoint and a tail of the log, without what is only room for more.
fn small() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    put(directory.path(), 0..12, true);
    put(directory.path(), 12..16, false);
    let tier = directory.path().join("tier/00000.segment");
    let bytes = std::fs::read(&tier).expect("it is there");
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    let file = OpenOptions::new().write(true).open(&tier);
    let file = file.expect("it is writable");
    let pages = (used + 1).next_multiple_of(4096) as u64;
    file.set_len(pages).expect("it is cut");
    directory
}

fn told(command: &str, directory: &Path) -> (Option<Outcome>, String) {
    let directory = directory.to_str().expect("a plain path");
    let arguments = Arguments::parse_from(["thermocline-dump", command, directory]);
    let mut output = Vec::new();
    let ended = run(&arguments, &mut output, &mut Vec::new());
    (ended.ok(), String::from_utf8(output).expect("text"))
}

fn content(directory: &Path) -> (Option<Outcome>, Vec<String>) {
    let (outcome, output) = told("dump", directory);
    (outcome, crate::support::sorted(&output))
}

/// Flips one bit after the other, of so many one: how many were tried, and told.
fn flip(directory: &Path, path: &Path, every: usize) -> (u64, u64) {
    let before = content(directory);
    let bytes = std::fs::read(path).expect("it is readable");
    let file = OpenOptions::new().write(true).open(path);
    let file = file.expect("it is writable");
    // Of long zeros, room for more, few are tried.
    let offsets = (0..bytes.len()).filter(|at| bytes[*at] != 0 || (at % 61 == 0 && *at < 8192));
    let bits = offsets.flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let (mut tried, mut told_of) = (0, 0);
    for (at, bit) in bits.step_by(every) {
        let write = |byte: u8| {
            file.write_all_at(&[byte], at as u64)
                .expect("it is written");
        };
        write(bytes[at] ^ 1 << bit);
        tried += 1;
        match told("verify", directory) {
            (Some(Outcome::Intact), output) => {
                assert!(output.contains("16 keys, intact"), "{output}");
                assert_eq!(content(directory), before, "{path:?}, bit {bit} of {at}");
            }
            _ => told_of += 1,
        }
        write(bytes[at]);
    }
    (tried, told_of)
}

#[test]
fn no_flipped_bit_is_called_intact_unless_nothing_is_other() {
    let directory = small();
    let (outcome, output) = told("verify", directory.path());
    assert_eq!(outcome, Some(Outcome::Intact), "{output}");
    assert_eq!(content(directory.path()).1.len(), 16);
    for (name, every) in EVERY {
        let path = directory.path().join(name);
        if path.is_file() {
            // Every bit of it counts.
            let (tried, told_of) = flip(directory.path(), &path, every);
            assert!(
                tried > 0 && told_of == tried,
                "{name}: {told_of} of {tried}"
            );
            continue;
        }
        let mut all = 0;
        for entry in path.read_dir().expect("it is there") {
            let path = entry.expect("it is readable").path();
            all += flip(directory.path(), &path, every).1;
        }
        assert!(all > 0, "{name}");
    }
}
