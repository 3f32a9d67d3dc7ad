//! `repair`: what is intact in a damaged directory, into a new one.
//!
//! Owns the report of what is lost. Reads the damaged directory only; the keys go
//! through a store of their own, so that the new directory is like any other. One
//! thread, beside the store's own.

use crate::arguments::Repair;
use crate::copy::Batch;
use crate::failure::{Failure, Outcome};
use crate::input::Key;
use crate::place::Place;
use crate::report::{self, count};
use crate::target::{self, Target};
use crate::walk::{self, Damages};
use crate::{functions, progress};
use indicatif::ProgressBar;
use std::io::{self, Write};
use std::ops::ControlFlow;
use thermocline_base::limits::SHARD_COUNT;
use thermocline_base::{DatabaseId, Lsn, ShardId};
use thermocline_store::SYSTEM_DATABASE;
use thermocline_store::effect::DatabaseMap;
use thermocline_store::offline::{KeyVisitor, ManifestSource, OfflineKey};
use thermocline_store::tier::Corruption;
use thermocline_types::ValueRef;

/// Runs the command.
pub(crate) fn run(
    arguments: &Repair,
    output: &mut dyn Write,
    messages: &mut dyn Write,
) -> Result<Outcome, Failure> {
    target::check_new(&arguments.target)?;
    let mut damages = Damages::new(messages);
    let (offline, tail, source) = walk::open_to_salvage(&arguments.directory, &mut damages)?;
    let gaps = tail.summary().gaps.clone();
    let slots = offline.image_directory().map_or(0, |it| it.key_count);
    let mut salvage = Salvage {
        target: Target::open(&arguments.target)?,
        batch: Batch::default(),
        map: *tail.databases(),
        bar: progress::items("keys", slots),
        lost: Lost::new(output),
        damages: &mut damages,
        libraries: 0,
        failure: None,
    };
    let walked = offline.salvage_keys(tail, &mut salvage);
    let flushed = salvage.failure.take().map_or_else(|| salvage.flush(), Err);
    salvage.bar.finish_and_clear();
    let is_complete = walked.is_ok() && flushed.is_ok();
    let Salvage {
        target,
        lost,
        libraries,
        ..
    } = salvage;
    let counts = target.close(is_complete)?;
    walked?;
    flushed?;
    let output = lost.finish(&gaps)?;
    match source {
        ManifestSource::Manifest => {}
        ManifestSource::Copy => writeln!(output, "manifest.copy took the manifest's place")?,
        ManifestSource::Scan => writeln!(
            output,
            "without a manifest the tier and the log were searched: keys may be there that \
             had been deleted"
        )?,
    }
    let damage_count = damages.finish()?;
    let salvaged = count(counts.restored, "key");
    writeln!(output, "{salvaged} salvaged into {:?}", arguments.target)?;
    if libraries > 0 {
        writeln!(output, "{} salvaged", report::libraries(libraries))?;
    }
    if counts.expired > 0 {
        writeln!(output, "{} more had expired", counts.expired)?;
    }
    Ok(Outcome::of(damage_count))
}

/// The report of what is lost.
struct Lost<'w> {
    output: &'w mut dyn Write,
    named: u64,
    nameless: u64,
    shards: u64,
    doubtful: u64,
    /// What the output refused first.
    refused: io::Result<()>,
}

impl<'w> Lost<'w> {
    fn new(output: &'w mut dyn Write) -> Self {
        Self {
            output,
            named: 0,
            nameless: 0,
            shards: 0,
            doubtful: 0,
            refused: Ok(()),
        }
    }

    fn tell(&mut self, line: &str) {
        if self.refused.is_ok() {
            self.refused = writeln!(self.output, "{line}");
        }
    }

    /// Tells the sums; the output.
    fn finish(mut self, gaps: &[(Lsn, Lsn)]) -> Result<&'w mut dyn Write, Failure> {
        for (from, to) in gaps {
            let end = if to > from {
                format!("to {to}")
            } else {
                "on".to_owned()
            };
            self.tell(&format!(
                "lost: all changes from position {from} of the log {end}"
            ));
        }
        if self.shards > 0 {
            let line = format!(
                "{} of {SHARD_COUNT} shards had no image: {} of them were found in the tier, and may \
                 be deleted ones or lack their last changes",
                self.shards,
                count(self.doubtful, "key"),
            );
            self.tell(&line);
        }
        let line = format!(
            "{} lost by name, {} whose names are not known",
            count(self.named, "key"),
            count(self.nameless, "key")
        );
        self.tell(&line);
        self.refused?;
        Ok(self.output)
    }
}

struct Salvage<'a, 'w> {
    target: Target,
    batch: Batch,
    map: DatabaseMap,
    bar: ProgressBar,
    lost: Lost<'w>,
    damages: &'a mut Damages<'w>,
    libraries: u64,
    failure: Option<Failure>,
}

impl Salvage<'_, '_> {
    fn flush(&mut self) -> Result<(), Failure> {
        self.target.put(self.batch.take(), true)
    }
}

impl KeyVisitor for Salvage<'_, '_> {
    fn key(&mut self, key: OfflineKey<'_>) -> ControlFlow<()> {
        if let Some(keys) = self.batch.add(&key)
            && let Err(failure) = self.target.put(keys, true)
        {
            self.failure = Some(failure);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn kept(&mut self, name: &[u8], value: ValueRef<'_>) -> ControlFlow<()> {
        // As it stands: whether it can be loaded is the daemon's to find out.
        let kept = Key {
            place: Place::Directory,
            database: SYSTEM_DATABASE,
            key: name.to_vec(),
            value: value.capture(),
            expiry: None,
            input_bytes: 0,
        };
        self.libraries += functions::texts(name, value).map_or(0, |texts| texts.len() as u64);
        if let Err(failure) = self.target.put(vec![kept], true) {
            self.failure = Some(failure);
            return ControlFlow::Break(());
        }
        self.target.counts.restored -= 1;
        ControlFlow::Continue(())
    }

    fn damage(&mut self, damage: Corruption) {
        self.bar.suspend(|| self.damages.add(&damage));
    }

    fn progress(&mut self) {
        self.bar.inc(1);
    }

    fn lost_key(&mut self, database: DatabaseId, key: &[u8]) {
        if database == DatabaseId::SYSTEM {
            self.bar
                .suspend(|| self.lost.tell("lost: the libraries of functions"));
            return;
        }
        self.lost.named += 1;
        let identities = self.map.identities.iter();
        let number = identities.zip(0..).find(|(it, _)| **it == database);
        let place = number.map_or(
            "a database that was flushed or is not known".to_owned(),
            |(_, number): (_, u32)| format!("database {number}"),
        );
        let line = format!("lost: \"{}\" of {place}", key.escape_ascii());
        self.bar.suspend(|| self.lost.tell(&line));
    }

    fn lost_slots(&mut self, place: &str, slots: u64) {
        self.lost.nameless += slots;
        let line = format!("lost: {} at {place}", count(slots, "key"));
        self.bar.suspend(|| self.lost.tell(&line));
    }

    fn lost_shard(&mut self, _: ShardId) {
        self.lost.shards += 1;
    }

    fn found_without_image(&mut self) {
        self.lost.doubtful += 1;
    }
}
