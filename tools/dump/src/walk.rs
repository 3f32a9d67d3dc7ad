//! Opening a directory to look at it, and walking its keys with a progress bar
//! on the standard error if that is a terminal.
//!
//! Owns the count and the printing of damage. One thread.

use crate::failure::Failure;
use crate::progress;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::offline::{KeyVisitor, ManifestSource, Moment, Offline, OfflineKey, Tail};
use thermocline_store::tier::{Corruption, PagePlace};
use thermocline_types::ValueRef;

/// Lines of damage that are printed; all are counted.
const DAMAGE_LINES_MAX: u64 = 1000;

/// Damage as it is met.
pub(crate) struct Damages<'w> {
    writer: &'w mut dyn Write,
    count: u64,
    /// How many by the first part of the file's name: "image", "tier".
    parts: BTreeMap<String, u64>,
    /// What the writer refused first.
    refused: io::Result<()>,
    is_known: bool,
}

impl<'w> Damages<'w> {
    pub(crate) fn new(writer: &'w mut dyn Write) -> Self {
        Self {
            writer,
            count: 0,
            parts: BTreeMap::new(),
            refused: Ok(()),
            is_known: false,
        }
    }

    /// From here on only what was met before is met again: it does not count.
    pub(crate) const fn all_known(&mut self) {
        self.is_known = true;
    }

    /// Counts the damage and prints it.
    pub(crate) fn add(&mut self, damage: &Corruption) {
        if self.is_known {
            return;
        }
        self.count += 1;
        let part = damage.file.split('/').next().unwrap_or_default();
        *self.parts.entry(part.to_owned()).or_default() += 1;
        if self.count <= DAMAGE_LINES_MAX && self.refused.is_ok() {
            self.refused = writeln!(
                self.writer,
                "damage: {} at offset {}: expected {}, found {}",
                damage.file, damage.offset, damage.expected, damage.found
            );
        }
    }

    /// How much damage there is in the files whose names begin with `part`.
    pub(crate) fn count_of(&self, part: &str) -> u64 {
        self.parts.get(part).copied().unwrap_or(0)
    }

    /// Says how many lines were left out; how many pieces of damage there are.
    pub(crate) fn finish(self) -> Result<u64, Failure> {
        self.refused?;
        if self.count > DAMAGE_LINES_MAX {
            let more = self.count - DAMAGE_LINES_MAX;
            writeln!(self.writer, "damage: {more} more places")?;
        }
        Ok(self.count)
    }
}

/// Locks and reads the data directory; nothing is made where there is none.
pub(crate) fn open(
    directory: &Path,
    damages: &mut Damages<'_>,
) -> Result<(Offline, Tail), Failure> {
    open_at(directory, None, None, damages)
}

/// As [`open`], whatever the damage.
pub(crate) fn open_to_salvage(
    directory: &Path,
    damages: &mut Damages<'_>,
) -> Result<(Offline, Tail, ManifestSource), Failure> {
    let disk = open_disk(directory)?;
    Offline::open_to_salvage(&disk, &mut |damage| damages.add(&damage))?
        .ok_or_else(|| no_data(directory, NOTHING))
}

const NOTHING: &str = "no manifest and no log";

fn no_data(directory: &Path, reason: &'static str) -> Failure {
    Failure::NoData {
        directory: directory.to_owned(),
        reason,
    }
}

/// Opens the directory to be read; nothing is made where there is none.
fn open_disk(directory: &Path) -> Result<Disk, Failure> {
    if !directory.is_dir() {
        return Err(no_data(directory, "no such directory"));
    }
    Ok(Disk::open_existing(directory, BackendChoice::Posix)?)
}

/// As [`open`], as it was at the moment `until` of the log, which may be that of
/// another directory.
pub(crate) fn open_at(
    directory: &Path,
    log: Option<&Path>,
    until: Option<Moment>,
    damages: &mut Damages<'_>,
) -> Result<(Offline, Tail), Failure> {
    let disk = open_disk(directory)?;
    let no_data = |reason| no_data(directory, reason);
    let log = match log {
        Some(log) if log.join("wal").is_dir() => Disk::open_existing(log, BackendChoice::Posix)?,
        Some(_) => return Err(no_data("the directory of its log has no wal in it")),
        None => disk.clone(),
    };
    Offline::open_at(&disk, &log, until, &mut |damage| damages.add(&damage))?
        .ok_or_else(|| no_data(NOTHING))
}

/// Something to do with each key.
pub(crate) trait OnKey {
    /// The next key; an error ends the walk.
    fn key(&mut self, key: OfflineKey<'_>) -> Result<(), Failure>;

    /// What the server keeps beside the keys; an error ends the walk.
    fn kept(&mut self, name: &[u8], value: ValueRef<'_>) -> Result<(), Failure> {
        let _ = (name, value);
        Ok(())
    }

    /// The image names a record here.
    fn record(&mut self, place: PagePlace, record_bytes: usize) {
        let _ = (place, record_bytes);
    }
}

/// Walks all keys.
pub(crate) fn walk(
    offline: &Offline,
    tail: Tail,
    damages: &mut Damages<'_>,
    on_key: &mut dyn OnKey,
) -> Result<(), Failure> {
    let slots = offline.image_directory().map_or(0, |it| it.key_count);
    let mut visitor = Visitor {
        damages,
        on_key,
        progress: progress::items("keys", slots),
        failure: None,
    };
    offline.visit_keys(tail, &mut visitor)?;
    visitor.progress.finish_and_clear();
    visitor.failure.map_or(Ok(()), Err)
}

struct Visitor<'v, 'w> {
    damages: &'v mut Damages<'w>,
    on_key: &'v mut dyn OnKey,
    progress: ProgressBar,
    failure: Option<Failure>,
}

impl Visitor<'_, '_> {
    fn go_on(&mut self, done: Result<(), Failure>) -> ControlFlow<()> {
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }
}

impl KeyVisitor for Visitor<'_, '_> {
    fn key(&mut self, key: OfflineKey<'_>) -> ControlFlow<()> {
        let done = self.on_key.key(key);
        self.go_on(done)
    }

    fn kept(&mut self, name: &[u8], value: ValueRef<'_>) -> ControlFlow<()> {
        let done = self.on_key.kept(name, value);
        self.go_on(done)
    }

    fn damage(&mut self, damage: Corruption) {
        self.progress.suspend(|| self.damages.add(&damage));
    }

    fn record(&mut self, place: PagePlace, record_bytes: usize) {
        self.on_key.record(place, record_bytes);
    }

    fn progress(&mut self) {
        self.progress.inc(1);
    }
}
