//! What the instruction counts stand on: a store and a log to work with.
//!
//! Owns the preparation, which is not counted. Randomness is fixed, so that
//! the same build counts the same.

use std::sync::Arc;
use tempfile::TempDir;
use thermocline_base::{Clock, Lsn};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::{KeyName, Store, StoreOptions};
use thermocline_wal::{Flusher, Policy, Wal, WalOptions};

/// Keys in a prepared store.
pub const KEYS: u64 = 20_000;
/// The value of each.
pub const VALUE: &[u8; 64] = &[b'v'; 64];

/// The name of key `id`, 16 bytes.
#[must_use]
pub fn key(id: u64) -> String {
    format!("key:{id:012}")
}

/// A store with its directory, which goes when it is dropped.
pub struct Prepared {
    /// The store.
    pub store: Arc<Store>,
    /// Names to ask for.
    pub names: Vec<String>,
    _directory: TempDir,
}

/// A store of [`KEYS`] keys, and `count` names from `first` on, apart from
/// each other as far as may be.
///
/// # Panics
/// Without a temporary directory.
#[must_use]
pub fn store(log: Option<Policy>, first: u64, count: u64) -> Prepared {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = Disk::open(directory.path(), BackendChoice::Posix).expect("it opens");
    let options = StoreOptions {
        log,
        tier: true,
        clock: Clock::system(),
        seed: 7,
    };
    let (store, _) = Store::open(disk, options).expect("it opens");
    for id in 0..KEYS {
        write(&store, &key(id));
    }
    let names = (0..count)
        .map(|turn| key(first + turn * 7919 % KEYS))
        .collect();
    Prepared {
        store,
        names,
        _directory: directory,
    }
}

/// Sets `name` to [`VALUE`].
///
/// # Panics
/// If the store has to be waited for: nothing here is cold or full.
pub fn write(store: &Store, name: &str) {
    let name = KeyName {
        database: 0,
        key: name.as_bytes(),
    };
    store
        .set_quick(name, store.now(), VALUE)
        .expect("nothing is in the way");
}

/// Whether `name` is there.
///
/// # Panics
/// As [`write`].
#[must_use]
pub fn read(store: &Store, name: &str) -> bool {
    let name = KeyName {
        database: 0,
        key: name.as_bytes(),
    };
    let mut is_there = false;
    store
        .read_quick(name, store.now(), true, |entry| is_there = entry.is_some())
        .expect("nothing is in the way");
    is_there
}

/// A new log, never written by itself, with its directory.
///
/// # Panics
/// Without a temporary directory.
#[must_use]
pub fn log() -> (Wal, Flusher, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = Disk::open(directory.path(), BackendChoice::Posix).expect("it opens");
    let recovered =
        Wal::recover(&disk, "wal", Lsn::ZERO, Lsn::ZERO, &mut |_| ()).expect("it is new");
    let options = WalOptions {
        directory: "wal".to_owned(),
        segment_bytes: 4 << 20,
        ring_bytes: 4 << 20,
        policy: Policy::Never,
        clock: Clock::system(),
    };
    let (log, flusher) = Wal::open(&disk, options, &recovered, 7).expect("it opens");
    (log, flusher, directory)
}
