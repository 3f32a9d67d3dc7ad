//! `inspect`: what is in a directory, for people.
//!
//! Owns the tables. Keys are printed escaped: they are a client's bytes, and
//! this is a terminal. The hash seed is a secret and is never printed.

mod profile;
mod svg;

use crate::arguments::Inspect;
use crate::failure::{Failure, Outcome};
use crate::moment;
use crate::output;
use crate::walk::{self, Damages, OnKey};
use comfy_table::{Table, presets};
use profile::Profile;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::io::{self, Write};
use thermocline_base::{Clock, Lsn, UnixMillis};
use thermocline_store::effect::{Effect, KeyRef, decode_all};
use thermocline_store::image;
use thermocline_store::offline::{Offline, OfflineKey, Tail};
use thermocline_store::payload::Chains;
use thermocline_store::tier::{PagePlace, SegmentNumber};
use thermocline_wal::Frame;
use thermocline_wal::frame::FrameKind;

/// How many of the biggest keys are shown.
const BIGGEST_KEYS: usize = 20;
/// How many effects of a frame are shown.
const EFFECTS_SHOWN: usize = 4;
/// How many bytes of a key are shown.
const KEY_BYTES_SHOWN: usize = 64;

/// Runs the command.
pub(crate) fn run(
    arguments: &Inspect,
    output: &mut dyn Write,
    messages: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let mut damages = Damages::new(messages);
    let (offline, tail) = walk::open(&arguments.directory, &mut damages)?;
    let wants_part = arguments.wal
        || arguments.segments
        || arguments.image
        || arguments.keys
        || arguments.svg.is_some();
    if !wants_part {
        manifest(&offline, &tail, output)?;
    }
    if arguments.wal {
        log(&offline, &tail, &mut damages, output)?;
    }
    if arguments.image {
        image_files(&offline, output)?;
    }
    if arguments.segments || arguments.keys || arguments.svg.is_some() {
        let mut seen = Seen::new(Clock::system().now());
        walk::walk(&offline, tail, &mut damages, &mut seen)?;
        if arguments.segments {
            segments(&offline, &seen, &mut damages, output)?;
        }
        if arguments.keys {
            keys(&seen, output)?;
        }
        if let Some(path) = &arguments.svg {
            let picture = svg::picture(&seen.profile.charts());
            output::with(Some(path), false, output, |file| {
                Ok(file.write_all(picture.as_bytes())?)
            })?;
        }
    }
    Ok(Outcome::of(damages.finish()?))
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(header);
    table
}

fn shown(key: &[u8]) -> String {
    match key.get(..KEY_BYTES_SHOWN) {
        Some(start) if key.len() > KEY_BYTES_SHOWN => {
            format!("\"{}\"... ({} bytes)", start.escape_ascii(), key.len())
        }
        _ => format!("\"{}\"", key.escape_ascii()),
    }
}

fn manifest(offline: &Offline, tail: &Tail, output: &mut dyn Write) -> Result<(), Failure> {
    let manifest = offline.manifest();
    let summary = tail.summary();
    let mut table = table(&["manifest", ""]);
    let live_bytes: u64 = manifest.segments.iter().map(|it| it.live_bytes).sum();
    let image = match (&manifest.image, offline.image_directory()) {
        (None, _) => "none yet".to_owned(),
        (Some(image), None) => format!("number {}, its directory is damaged", image.number),
        (Some(image), Some(directory)) => {
            format!("number {}, {} keys", image.number, directory.key_count)
        }
    };
    let log = format!(
        "{} segments, {} frames since the checkpoint, ends at {}{}",
        summary.segments.len(),
        summary.frames,
        summary.end_lsn,
        if summary.is_sealed { ", sealed" } else { "" }
    );
    let effects = format!(
        "{} effects on {} keys, {} void chains",
        summary.effects,
        tail.key_count(),
        summary.void_chains
    );
    let identities = tail.databases().identities.iter();
    let dictionaries = manifest.dictionaries.iter();
    let rows = [
        ("checkpoint_lsn", manifest.checkpoint_lsn.to_string()),
        ("end_lsn", manifest.end_lsn.to_string()),
        ("image", image),
        ("log", log),
        ("since the checkpoint", effects),
        (
            "tier",
            format!(
                "{} segments, about {live_bytes} bytes live",
                manifest.segments.len()
            ),
        ),
        (
            "dictionaries",
            dictionaries
                .map(|it| format!("{} ({} bytes)", it.id, it.bytes.len()))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("shards", manifest.shard_count.to_string()),
        (
            "identities of the databases",
            identities
                .map(|it| it.0.to_string())
                .collect::<Vec<_>>()
                .join(" "),
        ),
    ];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    for history in &manifest.histories {
        table.add_row([
            "history".to_owned(),
            format!("{:032x} from {}", history.id, history.start_lsn),
        ]);
    }
    writeln!(output, "{table}")?;
    Ok(())
}

fn log(
    offline: &Offline,
    tail: &Tail,
    damages: &mut Damages<'_>,
    output: &mut dyn Write,
) -> Result<(), Failure> {
    let mut segments = table(&["log segment", "sequence", "starts at", "begun", "history"]);
    for segment in &tail.summary().segments {
        segments.add_row([
            segment.name.clone(),
            segment.header.sequence.to_string(),
            segment.header.start_lsn.to_string(),
            match segment.header.begun_at {
                UnixMillis(0) => String::new(),
                begun_at => moment::shown(begun_at),
            },
            format!("{:016x}", segment.header.history),
        ]);
    }
    writeln!(output, "{segments}")?;
    let mut chains = Chains::default();
    let mut written = Ok(());
    let visited = offline.visit_frames(tail, false, &mut |frame| {
        if written.is_ok() {
            written = write_frame(&frame, &mut chains, output);
        }
    });
    written?;
    if let Err(damage) = visited
        && damages.count_of("wal") == 0
    {
        damages.add(&damage);
    }
    Ok(())
}

/// A line for a frame: where it starts, its length, what it does.
fn write_frame(frame: &Frame<'_>, chains: &mut Chains, output: &mut dyn Write) -> io::Result<()> {
    let bytes = frame.end.bytes_since(frame.start);
    let what = match frame.kind {
        FrameKind::Watermark => {
            format!("watermark{}: durable to {}", told(frame), frame.durable_lsn)
        }
        FrameKind::Seal => format!("seal{}", told(frame)),
        FrameKind::Data => effects(frame.start, frame.payload, chains),
    };
    writeln!(output, "{} {bytes} {what}", frame.start)
}

/// The time that the frame tells.
fn told(frame: &Frame<'_>) -> String {
    let mark = frame.time_mark();
    mark.map_or_else(String::new, |mark| {
        format!(" of {}", moment::shown(mark.at))
    })
}

fn effects(start: Lsn, payload: &[u8], chains: &mut Chains) -> String {
    let committed = match chains.feed(start, payload) {
        Ok(Some((_, bytes))) => bytes,
        Ok(None) => return "part of a chain".to_owned(),
        Err(error) => return format!("not understood: {error}"),
    };
    let effects = match decode_all(&committed) {
        Ok(effects) => effects,
        Err(error) => return format!("not understood: {error}"),
    };
    let mut texts: Vec<_> = effects.iter().take(EFFECTS_SHOWN).map(effect).collect();
    if effects.len() > EFFECTS_SHOWN {
        texts.push(format!("{} more", effects.len() - EFFECTS_SHOWN));
    }
    texts.join(", ")
}

fn effect(effect: &Effect<'_>) -> String {
    let on = |what: &str, key: &KeyRef<'_>| format!("{what} {}:{}", key.database.0, shown(key.key));
    match effect {
        Effect::Put { key, value, .. } => {
            format!("{} ({} bytes)", on("put", key), value.len())
        }
        Effect::Delete { key } => on("delete", key),
        Effect::Expire { key, .. } => on("expire", key),
        Effect::Update { key, update } => {
            format!("{} ({} bytes)", on("update", key), update.len())
        }
        Effect::Databases(_) => "databases".to_owned(),
    }
}

fn image_files(offline: &Offline, output: &mut dyn Write) -> Result<(), Failure> {
    let Some(directory) = offline.image_directory() else {
        return Ok(());
    };
    let mut table = table(&["image file", "bytes", "pieces", "bytes of pieces"]);
    let mut pieces: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for piece in &directory.pieces {
        let (count, bytes) = pieces.entry(image::file_name(piece.file)).or_default();
        *count += 1;
        *bytes = bytes.saturating_add(u64::from(piece.bytes));
    }
    for (name, size_bytes) in offline.image_files()? {
        let (count, bytes) = pieces.remove(&name).unwrap_or_default();
        table.add_row([
            name,
            size_bytes.to_string(),
            count.to_string(),
            bytes.to_string(),
        ]);
    }
    for (name, (count, bytes)) in pieces {
        table.add_row([
            name,
            "missing".to_owned(),
            count.to_string(),
            bytes.to_string(),
        ]);
    }
    writeln!(output, "{table}")?;
    let (number, key_count) = (directory.number, directory.key_count);
    writeln!(output, "image {number}, {key_count} keys")?;
    Ok(())
}

/// What was seen on a walk over all keys.
struct Seen {
    /// Records that the image names, and their bytes, by segment.
    live: HashMap<SegmentNumber, (u64, u64)>,
    pages: BTreeSet<(SegmentNumber, u32)>,
    /// Keys and bytes of their values by database and type.
    totals: BTreeMap<(u8, &'static str), (u64, u64)>,
    biggest: BinaryHeap<Reverse<(usize, u8, Vec<u8>)>>,
    profile: Profile,
    buffer: Vec<u8>,
}

impl Seen {
    fn new(now: UnixMillis) -> Self {
        Self {
            live: HashMap::new(),
            pages: BTreeSet::new(),
            totals: BTreeMap::new(),
            biggest: BinaryHeap::new(),
            profile: Profile::new(now),
            buffer: Vec::new(),
        }
    }
}

impl OnKey for Seen {
    fn key(&mut self, key: OfflineKey<'_>) -> Result<(), Failure> {
        self.buffer.clear();
        key.value.serialize_into(&mut self.buffer);
        let bytes = self.buffer.len();
        self.profile.add(key.key, bytes as u64, key.expiry);
        let name = (key.database, key.value.kind().name());
        let (count, total) = self.totals.entry(name).or_default();
        *count += 1;
        *total += bytes as u64;
        let is_big = self.biggest.len() < BIGGEST_KEYS
            || self.biggest.peek().is_some_and(|it| it.0.0 < bytes);
        if is_big {
            let key = (bytes, key.database, key.key.to_vec());
            self.biggest.push(Reverse(key));
            if self.biggest.len() > BIGGEST_KEYS {
                self.biggest.pop();
            }
        }
        Ok(())
    }

    fn record(&mut self, place: PagePlace, record_bytes: usize) {
        let (count, bytes) = self.live.entry(place.segment).or_default();
        *count += 1;
        *bytes += record_bytes as u64;
        self.pages.insert((place.segment, place.page));
    }
}

fn segments(
    offline: &Offline,
    seen: &Seen,
    damages: &mut Damages<'_>,
    output: &mut dyn Write,
) -> Result<(), Failure> {
    let mut table = table(&[
        "segment",
        "sealed at (ms)",
        "live bytes (hint)",
        "named bytes",
        "named records",
        "named pages",
        "dead pages",
        "earlier",
        "blank",
        "other",
    ]);
    for entry in &offline.manifest().segments {
        let number = entry.number;
        let (records, bytes) = seen.live.get(&number).copied().unwrap_or_default();
        let is_named = |page| seen.pages.contains(&(number, page));
        let census = match offline.census(entry, &is_named) {
            Ok(census) => census,
            Err(damage) => {
                if records > 0 {
                    damages.add(&damage);
                }
                continue;
            }
        };
        let numbers = [
            entry.live_bytes,
            bytes,
            records,
            census.named_pages,
            census.other_pages,
            census.earlier_pages,
            census.blank_pages,
            census.unknown_pages,
        ];
        let cells = [number.file_name(), entry.sealed_at.0.to_string()];
        let numbers = numbers.iter().map(u64::to_string);
        table.add_row(cells.into_iter().chain(numbers));
    }
    writeln!(output, "{table}")?;
    Ok(())
}

fn keys(seen: &Seen, output: &mut dyn Write) -> Result<(), Failure> {
    let mut totals = table(&["database", "type", "keys", "bytes of values"]);
    for ((database, kind), (count, bytes)) in &seen.totals {
        totals.add_row([
            database.to_string(),
            (*kind).to_owned(),
            count.to_string(),
            bytes.to_string(),
        ]);
    }
    writeln!(output, "{totals}")?;
    let mut biggest = table(&["biggest keys", "database", "bytes of the value"]);
    let mut keys: Vec<_> = seen.biggest.iter().map(|Reverse(key)| key).collect();
    keys.sort_by(|a, b| b.cmp(a));
    for (bytes, database, key) in keys {
        biggest.add_row([shown(key), database.to_string(), bytes.to_string()]);
    }
    writeln!(output, "{biggest}")?;
    for chart in seen.profile.charts() {
        writeln!(output, "{}", profile::table(&chart))?;
    }
    Ok(())
}
