//! `verify`: every checksum and every reference.
//!
//! Owns what is checked in which order, and the table. Checked are the
//! manifest and its copy; the image's directory and every piece; every page and record that
//! the image names, decompressed and decoded; the log from the start of the
//! segment that holds the checkpoint; and that all effects can be applied. The
//! pages that nothing names are only counted. Memory: 1 KiB a segment.

use crate::arguments::Verify;
use crate::failure::{Failure, Outcome};
use crate::progress;
use crate::walk::{self, Damages, OnKey};
use comfy_table::{Table, presets};
use std::collections::HashMap;
use std::io::Write;
use thermocline_store::offline::{Offline, OfflineKey, SegmentCensus};
use thermocline_store::tier::segment::PAGES_PER_SEGMENT;
use thermocline_store::tier::{PagePlace, SegmentNumber};

/// Runs the command.
pub(crate) fn run(arguments: &Verify, output: &mut dyn Write) -> Result<Outcome, Failure> {
    let mut damages = Damages::new(output);
    let (offline, tail) = walk::open(&arguments.directory, &mut damages)?;
    if let Some(damage) = offline.copy_damage() {
        damages.add(&damage);
    }
    let manifest = offline.manifest();
    let summary = tail.summary().clone();
    if damages.count_of("wal") == 0 {
        // The tail has been read; now what stands before it too.
        let read = offline.visit_frames(&tail, true, &mut |_| {});
        if let Err(damage) = read {
            damages.add(&damage);
        }
    }
    let mut named = Named::default();
    walk::walk(&offline, tail, &mut damages, &mut named)?;
    let census = census(&offline, &named, &mut damages);

    let image = match (&manifest.image, offline.image_directory()) {
        (None, _) => "none yet".to_owned(),
        (Some(_), None) => "its directory is damaged".to_owned(),
        (Some(image), Some(directory)) => {
            let pieces = directory.pieces.len();
            format!(
                "number {}: {} records named by {pieces} pieces",
                image.number, named.records
            )
        }
    };
    let rows = [
        (
            "manifest",
            format!(
                "checkpoint at {}, {} segments, {} dictionaries",
                manifest.checkpoint_lsn,
                manifest.segments.len(),
                manifest.dictionaries.len()
            ),
        ),
        ("image", image),
        (
            "wal",
            format!(
                "{} frames from {} to {}, {}",
                summary.frames,
                manifest.checkpoint_lsn,
                summary.end_lsn,
                if summary.is_sealed {
                    "stopped cleanly"
                } else {
                    "not stopped cleanly"
                }
            ),
        ),
        (
            "tier",
            format!(
                "pages: {} named, {} dead, {} of earlier lives, {} blank, {} other",
                census.named_pages,
                census.other_pages,
                census.earlier_pages,
                census.blank_pages,
                census.unknown_pages
            ),
        ),
    ];
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["part", "checked", "damaged places"]);
    for (part, checked) in rows {
        let mut count = damages.count_of(part);
        if part == "manifest" {
            count += damages.count_of("manifest.copy");
        }
        table.add_row([part.to_owned(), checked, count.to_string()]);
    }
    let damage_count = damages.finish()?;
    writeln!(output, "{table}")?;
    match damage_count {
        0 => writeln!(output, "{} keys, intact", named.keys)?,
        count => writeln!(
            output,
            "{} keys are whole, {count} places damaged",
            named.keys
        )?,
    }
    Ok(Outcome::of(damage_count))
}

/// Which pages of each segment the image names.
#[derive(Default)]
struct Named {
    keys: u64,
    records: u64,
    pages: HashMap<SegmentNumber, Vec<u64>>,
}

impl Named {
    fn has(&self, segment: SegmentNumber, page: u32) -> bool {
        let words = self.pages.get(&segment);
        let word = words.and_then(|words| words.get(page as usize / 64));
        word.is_some_and(|word| word >> (page % 64) & 1 == 1)
    }
}

impl OnKey for Named {
    fn key(&mut self, _: OfflineKey<'_>) -> Result<(), Failure> {
        self.keys += 1;
        Ok(())
    }

    fn record(&mut self, place: PagePlace, _: usize) {
        self.records += 1;
        let words = self
            .pages
            .entry(place.segment)
            .or_insert_with(|| vec![0; PAGES_PER_SEGMENT as usize / 64]);
        if let Some(word) = words.get_mut(place.page as usize / 64) {
            *word |= 1 << (place.page % 64);
        }
    }
}

/// All segments together.
fn census(offline: &Offline, named: &Named, damages: &mut Damages<'_>) -> SegmentCensus {
    let segments = &offline.manifest().segments;
    let progress = progress::items("segments", segments.len() as u64);
    let mut sum = SegmentCensus::default();
    for entry in segments {
        match offline.census(entry, &|page| named.has(entry.number, page)) {
            Ok(census) => sum += census,
            // A file that nothing names need not be there yet: a segment is
            // listed before its file is made.
            Err(damage)
                if named.pages.contains_key(&entry.number) || offline.has_segment(entry) =>
            {
                damages.add(&damage);
            }
            Err(_) => {}
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    sum
}
