//! `restore`: the lines of a dump into a directory, through the store.
//!
//! Owns the two passes over the input: the first only validates, so that a bad
//! line is found before anything is written. Does not write files itself. One
//! thread; the store's own run beside it.
//!
//! What was restored is durable on return. Stopped halfway, the directory holds
//! some of the keys; the same command then goes on, since keys that are there
//! are left as they are.

use crate::arguments::Restore;
use crate::failure::{Failure, Outcome};
use crate::line::{self, Line};
use crate::walk::bar;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;
use thermocline_base::{Clock, HashSeed, UnixMillis};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::tier::record::RAW_MAX_BYTES;
use thermocline_store::{
    Admission, Fault, FaultSet, KeyName, PageReader, Store, StoreOptions, manifest,
};
use thermocline_types::{Limits, Value};
use thermocline_wal::Policy;

/// The longest line, in bytes: JSON takes at most six for one of a value or
/// key, which are no longer than the tier's longest value.
const LINE_MAX_BYTES: u64 = 12 * RAW_MAX_BYTES;
/// What the restored data may take in memory, in bytes; the rest sinks.
const MEMORY_BYTES: u64 = 1 << 30;
/// How many lines are restored together, at most: where keys are there
/// already, as many reads run at once.
const BATCH_LINES: usize = 64;
/// Up to how many bytes of the input are restored together, unless one line is
/// longer.
const BATCH_BYTES: usize = 1 << 20;

/// Randomness of the operating system, which seeds every `RandomState`.
fn seed(purpose: u64) -> u64 {
    RandomState::new().hash_one(purpose)
}

/// Runs the command.
pub(crate) fn run(arguments: &Restore, messages: &mut dyn Write) -> Result<Outcome, Failure> {
    let limits = Limits {
        field_seed: HashSeed(seed(0)),
        ..Limits::default()
    };
    let mut line_count = 0;
    each_line(&arguments.file, &limits, &mut |_, _, _| {
        line_count += 1;
        Ok(())
    })?;
    check_directory(&arguments.directory)?;
    let mut target = Target::open(&arguments.directory)?;
    let progress = bar("keys", line_count);
    let mut counts = Counts::default();
    let mut batch = Batch::default();
    let read = each_line(&arguments.file, &limits, &mut |number, line, bytes| {
        progress.inc(1);
        counts.lines += 1;
        batch.add(number, line, bytes);
        if batch.is_full() {
            target.restore(&mut batch, arguments.replace, &mut counts)?;
        }
        Ok(())
    });
    let restored = read.and_then(|()| target.restore(&mut batch, arguments.replace, &mut counts));
    progress.finish_and_clear();
    target.close(restored.is_ok())?;
    restored?;
    if counts.lines != line_count {
        return Err(Failure::Line {
            line: counts.lines + 1,
            reason: format!("the input had {line_count} lines when it was first read"),
        });
    }
    write!(messages, "{} keys restored", counts.restored)?;
    if counts.kept > 0 {
        let kept = counts.kept;
        write!(
            messages,
            ", {kept} left as they were (--replace overwrites)"
        )?;
    }
    if counts.expired > 0 {
        write!(messages, ", {} had expired", counts.expired)?;
    }
    writeln!(messages)?;
    Ok(Outcome::Intact)
}

/// Refuses a directory of something else.
fn check_directory(directory: &Path) -> Result<(), Failure> {
    let no_data = |reason| Failure::NoData {
        directory: directory.to_owned(),
        reason,
    };
    if !directory.exists() {
        return Ok(());
    }
    let failed = |source| Failure::File {
        path: directory.to_owned(),
        source,
    };
    let mut is_empty = true;
    for entry in directory.read_dir().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name == manifest::FILE_NAME {
            return Ok(());
        }
        is_empty &= name == "LOCK";
    }
    if is_empty {
        Ok(())
    } else {
        Err(no_data("it is not empty and has no manifest"))
    }
}

/// Reads the file line by line: the number of each, the first is 1, the line,
/// and its bytes.
fn each_line(
    path: &Path,
    limits: &Limits,
    visit: &mut dyn FnMut(u64, Line, usize) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |source| Failure::File {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let mut limited = reader.by_ref().take(LINE_MAX_BYTES);
        let read = limited.read_until(b'\n', &mut bytes).map_err(failed)?;
        if read == 0 {
            break;
        }
        let refuse = |reason| Failure::Line {
            line: number,
            reason,
        };
        if read as u64 == LINE_MAX_BYTES && bytes.last() != Some(&b'\n') {
            return Err(refuse(format!("over {LINE_MAX_BYTES} bytes")));
        }
        visit(number, line::read(&bytes, limits).map_err(refuse)?, read)?;
    }
    Ok(())
}

#[derive(Default)]
struct Counts {
    lines: u64,
    restored: u64,
    kept: u64,
    expired: u64,
}

/// Lines that are restored together.
#[derive(Default)]
struct Batch {
    /// The number of the first.
    first: u64,
    /// Database and key.
    names: Vec<(u8, Vec<u8>)>,
    values: Vec<(Value, Option<UnixMillis>)>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, number: u64, line: Line, bytes: usize) {
        if self.names.is_empty() {
            self.first = number;
        }
        self.names.push((line.database, line.key));
        self.values.push((line.value, line.expiry));
        self.bytes += bytes;
    }

    const fn is_full(&self) -> bool {
        self.names.len() >= BATCH_LINES || self.bytes >= BATCH_BYTES
    }
}

/// An open store with what a thread needs to use it.
struct Target {
    store: Arc<Store>,
    reader: PageReader,
    runtime: tokio::runtime::Runtime,
}

impl Target {
    fn open(directory: &Path) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let disk = Disk::open(directory, BackendChoice::Auto)?;
        let options = StoreOptions {
            log: Some(Policy::EverySecond),
            tier: true,
            clock: Clock::system(),
            seed: seed(1),
        };
        let (store, _) = Store::open(disk, options)?;
        store.settings().set_maxmemory_bytes(MEMORY_BYTES);
        let reader = match PageReader::new(&store, BATCH_LINES) {
            Ok(reader) => reader,
            Err(error) => {
                store.close(false)?;
                return Err(error.into());
            }
        };
        Ok(Self {
            store,
            reader,
            runtime,
        })
    }

    /// Makes all durable, with a checkpoint if the restore is complete.
    fn close(self, is_complete: bool) -> Result<(), Failure> {
        self.runtime
            .block_on(self.store.durable(self.store.appended_lsn()));
        drop(self.reader);
        self.store.close(is_complete)?;
        Ok(())
    }

    /// Restores the batch, in order, and empties it.
    fn restore(
        &mut self,
        batch: &mut Batch,
        replace: bool,
        counts: &mut Counts,
    ) -> Result<(), Failure> {
        let batch = std::mem::take(batch);
        if batch.names.is_empty() {
            return Ok(());
        }
        self.admit(batch.first)?;
        let names: Vec<_> = batch
            .names
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
        for (id, (value, expiry)) in batch.values.into_iter().enumerate() {
            if expiry.is_some_and(|expiry| expiry <= now) {
                counts.expired += 1;
            } else if !replace && access.peek(id).is_some() {
                counts.kept += 1;
            } else {
                access.put(id, value, expiry);
                counts.restored += 1;
            }
        }
        access.commit();
        Ok(())
    }

    /// Waits until a write may begin.
    fn admit(&self, line: u64) -> Result<(), Failure> {
        let refused = |reason: String| Err(Failure::Refused { line, reason });
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

    fn satisfy(&mut self, fault: Fault, faults: &mut FaultSet) -> Result<(), Failure> {
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
