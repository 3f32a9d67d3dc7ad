//! A store in a temporary directory, with blocking calls.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use thermocline_base::{Clock, UnixMillis};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::{
    Access, Admission, BackupReport, Entry, Fault, FaultSet, KeyName, PageReader, Store,
    StoreError, StoreOptions,
};
use thermocline_types::{Update, ValueRef, hash::SHOW_EXPIRED};
use thermocline_wal::Policy;

/// An open store and what a thread needs to use it.
pub(crate) struct Opened {
    pub(crate) store: Arc<Store>,
    reader: PageReader,
    runtime: tokio::runtime::Runtime,
}

/// What a key holds, for comparisons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    String(Vec<u8>),
    Hash(Vec<(Vec<u8>, Vec<u8>)>),
}

impl Opened {
    pub(crate) fn open(directory: &Path, policy: Option<Policy>, seed: u64) -> Self {
        let disk = Disk::open(directory, BackendChoice::Auto).expect("the directory opens");
        Self::on(disk, policy, seed).expect("the store opens")
    }

    pub(crate) fn on(disk: Disk, policy: Option<Policy>, seed: u64) -> Result<Self, StoreError> {
        Self::on_clock(disk, policy, seed, Clock::system())
    }

    pub(crate) fn on_clock(
        disk: Disk,
        policy: Option<Policy>,
        seed: u64,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let options = StoreOptions {
            log: policy,
            tier: true,
            clock,
            seed,
        };
        let (store, _) = Store::open(disk, options)?;
        let reader = PageReader::new(&store, 32).expect("a queue opens");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime starts");
        Ok(Self {
            store,
            reader,
            runtime,
        })
    }

    /// Runs `command` under an access to `names`, reading what it needs.
    pub(crate) fn with<T>(
        &mut self,
        names: &[KeyName<'_>],
        mut command: impl FnMut(&mut Access<'_, '_>, &FaultSet) -> Result<T, Fault>,
    ) -> T {
        /// Keys move while they are read, but not this often.
        const TRIES: usize = 10_000;
        let mut faults = FaultSet::new();
        let mut tries = 0;
        loop {
            let store = Arc::clone(&self.store);
            let outcome = store.access(names, &faults).and_then(|mut access| {
                let result = command(&mut access, &faults)?;
                access.commit();
                Ok(result)
            });
            match outcome {
                Ok(result) => return result,
                Err(fault) => {
                    tries += 1;
                    assert!(tries < TRIES, "again and again: {fault:?}");
                    self.satisfy(fault, &mut faults);
                }
            }
        }
    }

    /// As [`Opened::with`] with every shard locked.
    pub(crate) fn with_all(&mut self, mut command: impl FnMut(&mut Access<'_, '_>)) {
        let mut access = loop {
            match self.store.access_all(&[], &FaultSet::new()) {
                Ok(access) => break access,
                Err(Fault::Recovering(keys)) => self.runtime.block_on(self.store.hydrate(&keys)),
                Err(fault) => panic!("{fault:?}"),
            }
        };
        command(&mut access);
        access.commit();
    }

    pub(crate) fn satisfy(&mut self, fault: Fault, faults: &mut FaultSet) {
        match fault {
            Fault::Reads(reads) => {
                let mut done = Vec::new();
                self.reader.read_all(&reads, &mut done);
                for fetched in done {
                    let page = fetched.page.expect("the tier can be read");
                    faults.insert(fetched.request.address, page);
                }
            }
            Fault::Long(longs) => {
                let decoded = self.store.decode_all(longs, faults);
                decoded.expect("the value is sound");
            }
            Fault::Recovering(keys) => self.runtime.block_on(self.store.hydrate(&keys)),
            Fault::Unsettled => self.runtime.block_on(self.store.settled()),
            Fault::Damaged(reason) => panic!("{reason}"),
        }
    }

    /// Waits until a write may begin.
    pub(crate) fn admit(&self) {
        loop {
            match self.store.admit(true) {
                Admission::Go => return,
                Admission::Wait | Admission::WaitForLog => {
                    self.runtime.block_on(self.store.memory_freed());
                }
                refused => panic!("{refused:?}"),
            }
        }
    }

    pub(crate) fn set(
        &mut self,
        database: u8,
        key: &[u8],
        value: &[u8],
        expiry: Option<UnixMillis>,
    ) {
        self.admit();
        self.with(&[KeyName { database, key }], |access, _| {
            access.put_string(0, value, expiry);
            Ok(())
        });
    }

    pub(crate) fn append(&mut self, database: u8, key: &[u8], added: &[u8]) {
        self.admit();
        self.with(&[KeyName { database, key }], |access, _| {
            let appended = access.update(0, &Update::StringAppend(added));
            appended.expect("it is a string");
            Ok(())
        });
    }

    pub(crate) fn get(&mut self, database: u8, key: &[u8]) -> Option<(Held, Option<UnixMillis>)> {
        self.with(&[KeyName { database, key }], |access, _| {
            Ok(access.get(0).map(|entry| (held(entry.value), entry.expiry)))
        })
    }

    /// As [`Opened::set`] without an expiry, on the short road where that can be taken.
    pub(crate) fn set_quick(&mut self, database: u8, key: &[u8], value: &[u8]) {
        self.admit();
        let (name, now) = (KeyName { database, key }, self.store.now());
        if self.store.set_quick(name, now, value).is_none() {
            self.set(database, key, value, None);
        }
    }

    /// As [`Opened::get`], on the short road where that can be taken.
    pub(crate) fn get_quick(
        &mut self,
        database: u8,
        key: &[u8],
    ) -> Option<(Held, Option<UnixMillis>)> {
        let (name, now) = (KeyName { database, key }, self.store.now());
        let mut seen = None;
        let show = |entry: Option<Entry<'_>>| {
            seen = entry.map(|entry| (held(entry.value), entry.expiry));
        };
        if self.store.read_quick(name, now, true, show).is_some() {
            return seen;
        }
        let mut faults = FaultSet::new();
        loop {
            let show = |entry: Entry<'_>| seen = Some((held(entry.value), entry.expiry));
            match self.store.read_quick_cold(name, now, &faults, show) {
                None => return self.get(database, key),
                Some(Ok(_)) => return seen,
                Some(Err(fault)) => self.satisfy(fault, &mut faults),
            }
        }
    }

    pub(crate) fn delete(&mut self, database: u8, key: &[u8]) -> bool {
        self.with(&[KeyName { database, key }], |access, _| {
            Ok(access.delete(0))
        })
    }

    /// All keys of a database, sorted, by a whole scan.
    pub(crate) fn keys(&mut self, database: u8) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let mut cursor = 0;
        loop {
            let (next, some) = self.with(&[], |access, faults| {
                access.scan(database, cursor, 50, faults)
            });
            keys.extend(some.into_iter().map(|scanned| scanned.key));
            if next == 0 {
                break;
            }
            cursor = next;
        }
        keys.sort();
        keys.dedup();
        keys
    }

    pub(crate) fn len(&mut self, database: u8) -> u64 {
        self.with(&[], |access, _| access.database_len(database))
    }

    pub(crate) fn checkpoint(&self) {
        self.try_checkpoint().expect("the checkpoint succeeds");
    }

    pub(crate) fn try_checkpoint(&self) -> Result<(), String> {
        self.runtime.block_on(self.store.checkpoint())
    }

    pub(crate) fn backup(&self, path: &Path) -> Result<BackupReport, String> {
        self.runtime.block_on(self.store.backup(path.to_owned()))
    }

    /// How many keys a database has, or why that is not known.
    pub(crate) fn try_len(&mut self, database: u8) -> Result<u64, String> {
        loop {
            let faults = FaultSet::new();
            let mut access = self.store.access(&[], &faults).expect("it needs nothing");
            match access.database_len(database) {
                Ok(len) => return Ok(len),
                Err(Fault::Damaged(reason)) => return Err(reason),
                Err(_) => self.runtime.block_on(self.store.settled()),
            }
        }
    }

    /// What a key holds, or why that is not known.
    pub(crate) fn try_get(&mut self, key: &[u8]) -> Result<Option<Held>, String> {
        let mut faults = FaultSet::new();
        let names = [KeyName { database: 0, key }];
        loop {
            let store = Arc::clone(&self.store);
            let fault = match store.access(&names, &faults) {
                Ok(mut access) => return Ok(access.get(0).map(|entry| held(entry.value))),
                Err(fault) => fault,
            };
            match fault {
                Fault::Damaged(reason) => return Err(reason),
                fault => self.satisfy(fault, &mut faults),
            }
        }
    }

    /// Ends the threads of a store whose disk may have failed.
    pub(crate) fn abandon(self) {
        drop(self.reader);
        let _ = self.store.close(false);
    }

    pub(crate) fn settle(&self) {
        self.runtime.block_on(self.store.settled());
    }

    pub(crate) fn close(self, checkpoint: bool) {
        let durable = self.store.appended_lsn();
        if !checkpoint {
            self.runtime.block_on(self.store.durable(durable));
        }
        drop(self.reader);
        self.store.close(checkpoint).expect("the store closes");
    }

    /// Waits a moment for the background.
    pub(crate) fn rest(&self) {
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

pub(crate) fn held(value: ValueRef<'_>) -> Held {
    if let Ok(bytes) = value.string() {
        return Held::String(bytes.to_vec());
    }
    let hash = value.hash().expect("a string or a hash");
    let mut fields: Vec<_> = hash
        .iter(SHOW_EXPIRED)
        .map(|(field, value, _)| (field.to_vec(), value.to_vec()))
        .collect();
    fields.sort();
    Held::Hash(fields)
}
