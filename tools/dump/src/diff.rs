//! `diff`: where two sets of keys differ.
//!
//! Owns the comparison and its lines. Reads the left side into digests, then the
//! right side against them, then, if keys are missing, the left side once more for
//! their names.
//!
//! INVARIANT: memory is bounded by [`KEYS_AT_ONCE`] digests of the left side: of
//! more keys each pass takes only some, told apart by their digests.

use crate::arguments::Diff;
use crate::failure::{Failure, Outcome};
use crate::filter::Filter;
use crate::input::{self, Key};
use crate::report::count;
use crate::target;
use crate::walk::{self, Damages};
use crate::{digest, functions, pipeline, progress};
use std::collections::HashMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use thermocline_base::{Clock, UnixMillis};
use thermocline_commands::scripts::library_name;
use thermocline_store::SYSTEM_DATABASE;
use thermocline_store::offline::{KeyVisitor, Offline, OfflineKey, Tail};
use thermocline_store::tier::Corruption;
use thermocline_types::ValueRef;

/// How many keys of the left side are held at once, about: 64 bytes each.
const KEYS_AT_ONCE: u64 = 16 << 20;
/// A key of a file takes at least so many bytes: how many there may be.
const KEY_BYTES_GUESS: u64 = 16;
/// How many keys are handed over together.
const BATCH_KEYS: usize = 1024;

/// A key as it is compared.
struct Seen {
    name: u128,
    value: u128,
    expiry: Option<UnixMillis>,
    /// [`SYSTEM_DATABASE`] for a library of functions.
    database: u8,
    key: Vec<u8>,
}

/// Runs the command.
pub(crate) fn run(
    arguments: &Diff,
    output: &mut dyn Write,
    messages: &mut dyn Write,
) -> Result<Outcome, Failure> {
    for side in [&arguments.left, &arguments.right] {
        if input::is_standard(side) {
            return Err(Failure::Twice);
        }
    }
    let mut damages = Damages::new(messages);
    let mut comparison = Comparison {
        filter: &arguments.filter,
        now: Clock::system().now(),
        output,
        left: HashMap::new(),
        equal: 0,
        different: 0,
    };
    let parts = guessed_keys(&arguments.left)?.div_ceil(KEYS_AT_ONCE);
    let parts = u128::from(parts.max(1));
    for part in 0..parts {
        let is_mine = |name: u128| name % parts == part;
        comparison.compare(arguments, &is_mine, &mut damages)?;
    }
    let (equal, different) = (comparison.equal, comparison.different);
    let damage_count = damages.finish()?;
    let keys = count(equal, "key");
    writeln!(messages, "{keys} the same, {different} different")?;
    Ok(Outcome::of(different + damage_count))
}

/// About how many keys there are.
fn guessed_keys(path: &Path) -> Result<u64, Failure> {
    if path.is_dir() {
        let mut sink = std::io::sink();
        let (offline, tail) = walk::open(path, &mut Damages::new(&mut sink))?;
        let of_image = offline.image_directory().map_or(0, |it| it.key_count);
        return Ok(of_image + tail.key_count() as u64);
    }
    let metadata = path.metadata().map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(metadata.len() / KEY_BYTES_GUESS)
}

struct Comparison<'a> {
    filter: &'a Filter,
    now: UnixMillis,
    output: &'a mut dyn Write,
    /// Digest of the value and expiry by the digest of the name.
    left: HashMap<u128, (u128, Option<UnixMillis>)>,
    equal: u64,
    different: u64,
}

impl Comparison<'_> {
    fn compare(
        &mut self,
        arguments: &Diff,
        is_mine: &dyn Fn(u128) -> bool,
        damages: &mut Damages<'_>,
    ) -> Result<(), Failure> {
        let (filter, now) = (self.filter, self.now);
        each(&arguments.left, filter, now, damages, &mut |seen| {
            if is_mine(seen.name) {
                self.left.insert(seen.name, (seen.value, seen.expiry));
            }
            Ok(())
        })?;
        each(&arguments.right, filter, now, damages, &mut |seen| {
            if is_mine(seen.name) {
                self.right(&seen)?;
            }
            Ok(())
        })?;
        // Both sides were read: damage is told once.
        damages.all_known();
        if self.left.is_empty() {
            return Ok(());
        }
        each(&arguments.left, filter, now, damages, &mut |seen| {
            if self.left.remove(&seen.name).is_some() {
                self.tell("missing", &seen)?;
            }
            Ok(())
        })
    }

    fn right(&mut self, seen: &Seen) -> Result<(), Failure> {
        let what = match self.left.remove(&seen.name) {
            None => "added",
            Some((value, expiry)) => match (value == seen.value, expiry == seen.expiry) {
                (true, true) => {
                    self.equal += 1;
                    return Ok(());
                }
                (false, true) => "value",
                (true, false) => "expiry",
                (false, false) => "value and expiry",
            },
        };
        self.tell(what, seen)
    }

    fn tell(&mut self, what: &str, seen: &Seen) -> Result<(), Failure> {
        self.different += 1;
        if seen.database == SYSTEM_DATABASE {
            writeln!(
                self.output,
                "{what}: library \"{}\"",
                seen.key.escape_ascii()
            )?;
            return Ok(());
        }
        let (database, key) = (seen.database, seen.key.escape_ascii());
        writeln!(self.output, "{what}: database {database} \"{key}\"")?;
        Ok(())
    }
}

/// Visits the keys of a side that pass the filter and have not expired.
fn each(
    path: &Path,
    filter: &Filter,
    now: UnixMillis,
    damages: &mut Damages<'_>,
    visit: &mut dyn FnMut(Seen) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if path.is_dir() {
        let (offline, tail) = walk::open(path, damages)?;
        return each_of_directory(&offline, tail, filter, now, damages, visit);
    }
    let (source, size) = input::open(path)?;
    let limits = target::limits();
    let bar = progress::bytes("compare", size);
    let ran = pipeline::run(
        |emit| {
            let mut progress = |bytes| bar.inc(bytes);
            source.batches(path, true, &mut progress, emit).map(|_| ())
        },
        |batch| {
            let decoded = input::decode(&batch, filter, &limits)?;
            let keys = decoded.keys.into_iter().filter_map(|key| seen(key, now));
            let libraries = decoded.libraries.iter();
            Ok(keys
                .chain(libraries.map(|it| seen_library(&it.text)))
                .collect())
        },
        |keys: Vec<Seen>| keys.into_iter().try_for_each(&mut *visit),
    );
    bar.finish_and_clear();
    ran
}

fn seen(key: Key, now: UnixMillis) -> Option<Seen> {
    if key.expiry.is_some_and(|at| at <= now) {
        return None;
    }
    Some(Seen {
        name: digest::name(key.database, &key.key),
        value: digest::value(key.value.as_ref(), now)?,
        expiry: key.expiry,
        database: key.database,
        key: key.key,
    })
}

fn seen_library(text: &[u8]) -> Seen {
    let name = library_name(text).unwrap_or_default();
    Seen {
        name: digest::name(SYSTEM_DATABASE, &name),
        value: digest::text(text),
        expiry: None,
        database: SYSTEM_DATABASE,
        key: name,
    }
}

enum Message {
    Keys(Vec<Seen>),
    Damage(Corruption),
}

fn each_of_directory(
    offline: &Offline,
    tail: Tail,
    filter: &Filter,
    now: UnixMillis,
    damages: &mut Damages<'_>,
    visit: &mut dyn FnMut(Seen) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (sender, receiver) = sync_channel(2 * pipeline::workers());
    let mut readers: Vec<_> = (0..pipeline::workers())
        .map(|_| Reader {
            filter,
            now,
            sender: sender.clone(),
            batch: Vec::new(),
        })
        .collect();
    drop(sender);
    std::thread::scope(|scope| {
        let walking = scope.spawn(move || {
            let walked = offline.visit_keys_on(tail, &mut readers);
            for reader in &mut readers {
                // Nobody listens only where the visit has failed.
                let _ = reader.flush();
            }
            walked
        });
        let visited = receiver.iter().try_for_each(|message| match message {
            Message::Keys(keys) => keys.into_iter().try_for_each(&mut *visit),
            Message::Damage(damage) => {
                damages.add(&damage);
                Ok(())
            }
        });
        // Readers that still send are told that nobody listens.
        drop(receiver);
        match walking.join() {
            Ok(walked) => {
                visited?;
                Ok(walked?)
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

struct Reader<'a> {
    filter: &'a Filter,
    now: UnixMillis,
    sender: SyncSender<Message>,
    batch: Vec<Seen>,
}

impl Reader<'_> {
    fn flush(&mut self) -> ControlFlow<()> {
        let keys = std::mem::take(&mut self.batch);
        match self.sender.send(Message::Keys(keys)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

impl KeyVisitor for Reader<'_> {
    fn key(&mut self, key: OfflineKey<'_>) -> ControlFlow<()> {
        let has_expired = key.expiry.is_some_and(|at| at <= self.now);
        if has_expired || !self.filter.wants(key.database, key.key, key.value.kind()) {
            return ControlFlow::Continue(());
        }
        if let Some(value) = digest::value(key.value, self.now) {
            self.batch.push(Seen {
                name: digest::name(key.database, key.key),
                value,
                expiry: key.expiry,
                database: key.database,
                key: key.key.to_vec(),
            });
        }
        if self.batch.len() >= BATCH_KEYS {
            return self.flush();
        }
        ControlFlow::Continue(())
    }

    fn kept(&mut self, name: &[u8], value: ValueRef<'_>) -> ControlFlow<()> {
        if self.filter.wants_libraries() {
            // What is none is like no other.
            let texts = functions::texts(name, value).unwrap_or_default();
            self.batch
                .extend(texts.iter().map(|text| seen_library(text)));
        }
        ControlFlow::Continue(())
    }

    fn damage(&mut self, damage: Corruption) {
        // Nobody listens only where the visit has failed.
        let _ = self.sender.send(Message::Damage(damage));
    }
}
