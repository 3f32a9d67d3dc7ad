//! `restore` from a data directory: its keys as they were at some position of the
//! log, into another directory.
//!
//! Owns the batches. One thread, beside the store's own.

use crate::arguments::Restore;
use crate::failure::{Failure, Outcome};
use crate::functions;
use crate::input::{Key, Library};
use crate::place::Place;
use crate::restore::tell_counts;
use crate::target::{self, Target};
use crate::walk::{self, Damages, OnKey};
use std::io::Write;
use thermocline_base::Lsn;
use thermocline_store::offline::{Moment, OfflineKey};
use thermocline_types::ValueRef;

/// How many keys are written together.
const BATCH_KEYS: usize = 64;
/// Up to how many bytes of values are written together, unless one is larger.
const BATCH_BYTES: usize = 1 << 20;

/// Runs the command.
pub(crate) fn run(arguments: &Restore, messages: &mut dyn Write) -> Result<Outcome, Failure> {
    let mut damages = Damages::new(messages);
    let position = arguments.to_lsn.map(|it| Moment::Position(Lsn(it)));
    let until = position.or(arguments.to_time.map(Moment::Time));
    let log = arguments.log.as_deref();
    let (offline, tail) = walk::open_at(&arguments.file, log, until, &mut damages)?;
    let end = tail.summary().end_lsn;
    target::check_directory(&arguments.directory)?;
    let mut copy = Copy {
        arguments,
        batch: Batch::default(),
        target: Target::open(&arguments.directory)?,
    };
    let walked = walk::walk(&offline, tail, &mut damages, &mut copy).and_then(|()| copy.flush());
    let counts = copy.target.close(walked.is_ok())?;
    walked?;
    let damage_count = damages.finish()?;
    tell_counts(&counts, messages)?;
    writeln!(messages, "; as of position {end} of the log")?;
    Ok(Outcome::of(damage_count))
}

/// Keys that are written together.
#[derive(Default)]
pub(crate) struct Batch {
    keys: Vec<Key>,
    bytes: usize,
}

impl Batch {
    /// Adds a key; the keys so far, if they are enough.
    pub(crate) fn add(&mut self, key: &OfflineKey<'_>) -> Option<Vec<Key>> {
        self.bytes += match key.value {
            ValueRef::Inline { bytes, .. } => bytes.len(),
            ValueRef::Object(object) => object.heap_bytes(),
        };
        self.keys.push(Key {
            place: Place::Directory,
            database: key.database,
            key: key.key.to_vec(),
            value: key.value.capture(),
            expiry: key.expiry,
            input_bytes: 0,
        });
        (self.keys.len() >= BATCH_KEYS || self.bytes >= BATCH_BYTES).then(|| self.take())
    }

    /// The keys that are left.
    pub(crate) fn take(&mut self) -> Vec<Key> {
        self.bytes = 0;
        std::mem::take(&mut self.keys)
    }
}

struct Copy<'a> {
    arguments: &'a Restore,
    batch: Batch,
    target: Target,
}

impl Copy<'_> {
    fn flush(&mut self) -> Result<(), Failure> {
        self.target.put(self.batch.take(), self.arguments.replace)
    }
}

impl OnKey for Copy<'_> {
    fn key(&mut self, key: OfflineKey<'_>) -> Result<(), Failure> {
        let filter = &self.arguments.filter;
        if filter.wants(key.database, key.key, key.value.kind())
            && let Some(keys) = self.batch.add(&key)
        {
            self.target.put(keys, self.arguments.replace)?;
        }
        Ok(())
    }

    fn kept(&mut self, name: &[u8], value: ValueRef<'_>) -> Result<(), Failure> {
        if self.arguments.skip_functions || !self.arguments.filter.wants_libraries() {
            return Ok(());
        }
        let texts = functions::texts(name, value).map_err(Failure::Damaged)?;
        for text in texts {
            let place = Place::Directory;
            let library = Library { place, text };
            self.target.put_library(&library, self.arguments.replace)?;
        }
        Ok(())
    }
}
