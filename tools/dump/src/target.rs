//! A directory that keys are written into, through the store as the daemon does.
//!
//! Owns the open store and the waiting for it. One thread, beside the store's
//! own. What was written is durable once it is closed; of a directory that was new nothing
//! stays if not all was written (see [`crate::new_directory`]).

use crate::failure::Failure;
use crate::functions;
use crate::input::{Key, Library, Place};
use crate::new_directory::{LOCK, NewDirectory, UNFINISHED};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use thermocline_base::limits::STRING_MAX_BYTES;
use thermocline_base::{Clock, HashSeed, Random, UnixMillis};
use thermocline_commands::blocking::Waiters;
use thermocline_commands::executor::{Call, Executor};
use thermocline_commands::reply::{ReplyBuffer, Version};
use thermocline_commands::scripts::{LIBRARIES, library_name};
use thermocline_commands::{MachineLease, NothingAside, Scripted, table};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::{
    Admission, Fault, FaultSet, KeyName, PageReader, SYSTEM_DATABASE, Store, StoreOptions, manifest,
};
use thermocline_types::{Limits, Value};
use thermocline_wal::Policy;

/// What the restored data may take in memory, in bytes; the rest sinks.
const MEMORY_BYTES: u64 = 1 << 30;
/// How many keys are written together, at most: where keys are there already,
/// as many reads run at once.
const BATCH_KEYS: usize = 64;
/// Up to how many bytes of keys and values are written together, unless one is
/// larger.
const BATCH_BYTES: usize = 1 << 20;

/// Randomness of the operating system, which seeds every `RandomState`.
pub(crate) fn seed(purpose: u64) -> u64 {
    RandomState::new().hash_one(purpose)
}

/// The usual limits of the forms of values, with a seed of their own.
pub(crate) fn limits() -> Limits {
    Limits {
        field_seed: HashSeed(seed(0)),
        ..Limits::default()
    }
}

/// Refuses a directory of something else; whether it holds data of ours.
pub(crate) fn check_directory(directory: &Path) -> Result<bool, Failure> {
    if !directory.exists() {
        return Ok(false);
    }
    let failed = |source| Failure::File {
        path: directory.to_owned(),
        source,
    };
    let (mut is_empty, mut is_unfinished) = (true, false);
    for entry in directory.read_dir().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name == manifest::FILE_NAME {
            return Ok(true);
        }
        is_empty &= name == LOCK || name == UNFINISHED;
        is_unfinished |= name == UNFINISHED;
    }
    if is_empty {
        return Ok(false);
    }
    Err(Failure::NoData {
        directory: directory.to_owned(),
        reason: if is_unfinished {
            "the run that was to make it was ended at its last step: remove all that is in it, \
             and run that again"
        } else {
            "it is not empty and has no manifest: name a new directory"
        },
    })
}

/// Refuses a directory that is not new.
pub(crate) fn check_new(directory: &Path) -> Result<(), Failure> {
    if check_directory(directory)? {
        return Err(Failure::NotNew(directory.to_owned()));
    }
    Ok(())
}

/// What became of keys and libraries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) restored: u64,
    pub(crate) kept: u64,
    pub(crate) expired: u64,
    pub(crate) restored_libraries: u64,
    pub(crate) kept_libraries: u64,
}

/// An open store with what a thread needs to use it.
pub(crate) struct Target {
    pub(crate) store: Arc<Store>,
    reader: PageReader,
    runtime: tokio::runtime::Runtime,
    pub(crate) executor: Executor,
    random: Random,
    pub(crate) counts: Counts,
    /// If it was not there; dropped after the store.
    new: Option<NewDirectory>,
}

impl Target {
    pub(crate) fn open(directory: &Path) -> Result<Self, Failure> {
        Self::open_at(directory, Clock::system())
    }

    /// Opens the directory at a time that may differ from today's.
    pub(crate) fn open_at(directory: &Path, clock: Clock) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let new = if check_directory(directory)? {
            None
        } else {
            Some(NewDirectory::begin(directory)?)
        };
        let path = new
            .as_ref()
            .map_or_else(|| directory.to_owned(), NewDirectory::path);
        let disk = Disk::open(&path, BackendChoice::Auto)?;
        let options = StoreOptions {
            log: Some(Policy::EverySecond),
            tier: true,
            clock,
            seed: seed(1),
        };
        let (store, _) = Store::open(disk, options)?;
        store.settings().set_maxmemory_bytes(MEMORY_BYTES);
        let reader = match PageReader::new(&store, BATCH_KEYS) {
            Ok(reader) => reader,
            Err(error) => {
                store.close(false)?;
                return Err(error.into());
            }
        };
        let waiters = Arc::new(Waiters::default());
        Ok(Self {
            executor: Executor::new(Arc::clone(&store), waiters, STRING_MAX_BYTES),
            random: Random::new(seed(2)),
            store,
            reader,
            runtime,
            counts: Counts::default(),
            new,
        })
    }

    /// Makes all durable, with a checkpoint if what was to be done is done; if not, a new
    /// directory is removed.
    pub(crate) fn close(self, is_complete: bool) -> Result<Counts, Failure> {
        let is_kept = is_complete || self.new.is_none();
        if is_kept {
            self.runtime
                .block_on(self.store.durable(self.store.appended_lsn()));
        }
        drop((self.reader, self.executor));
        let closed = self.store.close(is_complete);
        drop(self.store);
        if is_kept {
            closed?;
            self.new.map_or(Ok(()), NewDirectory::finish)?;
        }
        Ok(self.counts)
    }

    /// Writes the keys in order.
    pub(crate) fn put(&mut self, keys: Vec<Key>, replace: bool) -> Result<(), Failure> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for key in keys {
            bytes += key.key.len() + key.input_bytes;
            batch.push(key);
            if batch.len() >= BATCH_KEYS || bytes >= BATCH_BYTES {
                self.put_batch(std::mem::take(&mut batch), replace)?;
                bytes = 0;
            }
        }
        self.put_batch(batch, replace)
    }

    fn put_batch(&mut self, keys: Vec<Key>, replace: bool) -> Result<(), Failure> {
        let Some(first) = keys.first() else {
            return Ok(());
        };
        self.admit(first.place)?;
        type Valued = (Value, Option<UnixMillis>);
        let (names, values): (Vec<(u8, Vec<u8>)>, Vec<Valued>) = keys
            .into_iter()
            .map(|key| ((key.database, key.key), (key.value, key.expiry)))
            .unzip();
        let names: Vec<_> = names
            .iter()
            .map(|(database, key)| KeyName {
                database: *database,
                key,
            })
            .collect();
        let store = Arc::clone(&self.store);
        let mut faults = FaultSet::new();
        let mut access = loop {
            match store.access(&names, &faults) {
                Ok(access) => break access,
                Err(fault) => self.satisfy(fault, &mut faults)?,
            }
        };
        let now = access.now();
        for (id, (value, expiry)) in values.into_iter().enumerate() {
            if expiry.is_some_and(|expiry| expiry <= now) {
                self.counts.expired += 1;
            } else if !replace && access.peek(id).is_some() {
                self.counts.kept += 1;
            } else {
                access.put(id, value, expiry);
                self.counts.restored += 1;
            }
        }
        access.commit();
        Ok(())
    }

    /// Loads a library of functions as FUNCTION LOAD does; one of its name that is there
    /// already stays unless it is to be replaced.
    pub(crate) fn put_library(&mut self, library: &Library, replace: bool) -> Result<(), Failure> {
        let name = library_name(&library.text).unwrap_or_default();
        if !replace && self.library_names(library.place)?.contains(&name) {
            self.counts.kept_libraries += 1;
            return Ok(());
        }
        let request = [b"FUNCTION", &b"LOAD"[..], b"REPLACE", &library.text];
        self.function(library.place, &request)
            .map_err(|failure| match failure {
                Failure::Refused { place, reason } => Failure::Library {
                    place,
                    name: name.escape_ascii().to_string(),
                    reason,
                },
                other => other,
            })?;
        self.counts.restored_libraries += 1;
        Ok(())
    }

    fn library_names(&mut self, place: Place) -> Result<HashSet<Vec<u8>>, Failure> {
        let names = [KeyName {
            database: SYSTEM_DATABASE,
            key: LIBRARIES,
        }];
        let store = Arc::clone(&self.store);
        let mut faults = FaultSet::new();
        let access = loop {
            match store.access(&names, &faults) {
                Ok(access) => break access,
                Err(fault) => self.satisfy(fault, &mut faults)?,
            }
        };
        let kept = access
            .peek(0)
            .map(|entry| functions::texts(LIBRARIES, entry.value));
        let texts = kept
            .transpose()
            .map_err(|reason| Failure::Refused { place, reason })?;
        let texts = texts.unwrap_or_default();
        Ok(texts
            .iter()
            .filter_map(|text| library_name(text).ok())
            .collect())
    }

    /// Runs a request of the command FUNCTION.
    pub(crate) fn function(&mut self, place: Place, request: &[&[u8]]) -> Result<(), Failure> {
        let mut reply = ReplyBuffer::new(Version::Two);
        let refused = |reply: &ReplyBuffer| Failure::Refused {
            place,
            reason: reply.as_bytes().trim_ascii().escape_ascii().to_string(),
        };
        let command = table::resolve(request).map_err(|error| {
            reply.refuse(&error);
            refused(&reply)
        })?;
        if !Executor::is_scripted(command) {
            // FUNCTION KILL and its kin, which change nothing.
            return Ok(());
        }
        self.admit(place)?;
        let calls = [Call {
            command,
            database: 0,
            arguments: request,
        }];
        let mut reply = ReplyBuffer::new(Version::Two);
        let mut faults = FaultSet::new();
        let scripted = Scripted {
            calls: &calls,
            is_transaction: false,
            watched: None,
            is_patient: true,
            is_paused: false,
            seed: self.random.next_u64(),
        };
        let (mut aside, mut lease) = (NothingAside::default(), MachineLease::default());
        while let Err(fault) =
            (self.executor).run_scripted(scripted, &mut reply, &faults, &mut aside, &mut lease)
        {
            self.satisfy(fault, &mut faults)?;
        }
        if reply.as_bytes().starts_with(b"-") {
            return Err(refused(&reply));
        }
        Ok(())
    }

    /// Waits until a write may begin.
    pub(crate) fn admit(&self, place: Place) -> Result<(), Failure> {
        let refused = |reason: String| Err(Failure::Refused { place, reason });
        loop {
            match self.store.admit(true) {
                Admission::Go => return Ok(()),
                Admission::Wait | Admission::WaitForLog => {
                    self.runtime.block_on(self.store.memory_freed());
                }
                Admission::OutOfMemory => {
                    return refused("neither memory nor the tier has room for it".to_owned());
                }
                Admission::LogFails(reason) | Admission::DiskFails(reason) => {
                    return refused(reason);
                }
            }
        }
    }

    /// Does what the fault waits for.
    pub(crate) fn satisfy(&mut self, fault: Fault, faults: &mut FaultSet) -> Result<(), Failure> {
        match fault {
            Fault::Reads(reads) => {
                let mut done = Vec::new();
                self.reader.read_all(&reads, &mut done);
                for fetched in done {
                    let page = fetched
                        .page
                        .map_err(|error| Failure::Damaged(error.to_string()))?;
                    faults.insert(fetched.request.address, page);
                }
            }
            Fault::Long(longs) => {
                if let Err(Fault::Damaged(reason)) = self.store.decode_all(longs, faults) {
                    return Err(Failure::Damaged(reason));
                }
            }
            Fault::Recovering(keys) => self.runtime.block_on(self.store.hydrate(&keys)),
            Fault::Unsettled => self.runtime.block_on(self.store.settled()),
            Fault::Damaged(reason) => return Err(Failure::Damaged(reason)),
        }
        Ok(())
    }
}
