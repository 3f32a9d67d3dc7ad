//! `dump`: every key as a line of JSON or into an RDB file.
//!
//! Owns the threads: several read and encode, this one writes what they have
//! made. A line is `line`'s, the RDB file `rdb`'s.
//!
//! INVARIANT: memory is bounded by the walk, [`CHUNK_BYTES`] or one key a
//! thread, and as many chunks as the channel holds.

use crate::arguments::{Dump, Format};
use crate::failure::{Failure, Outcome};
use crate::filter::Filter;
use crate::rdb::{RdbWriter, put_database, put_key, put_library};
use crate::report::{Rate, count, libraries};
use crate::walk::{self, Damages};
use crate::{functions, line, output, pipeline, progress};
use indicatif::ProgressBar;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use thermocline_base::{Clock, UnixMillis};
use thermocline_store::offline::{KeyVisitor, Offline, OfflineKey, Tail};
use thermocline_store::tier::Corruption;
use thermocline_types::rdb::{FileVersion, HashField, NoFieldExpiries, RdbValue};
use thermocline_types::{ValueKind, ValueRef};

/// How much a thread encodes before it is written, in bytes.
const CHUNK_BYTES: usize = 256 << 10;

/// Runs the command.
pub(crate) fn run(
    arguments: &Dump,
    standard: &mut dyn Write,
    messages: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let mut damages = Damages::new(messages);
    // Before the output is made: a mistyped directory leaves no empty file.
    let (offline, tail) = walk::open(&arguments.directory, &mut damages)?;
    let path = arguments.output.as_deref();
    let rate = Rate::start();
    let form = Form::of(arguments);
    let written = output::with(path, arguments.force, standard, |writer| {
        let mut sink = Sink::new(writer, form)?;
        let written = walk_into(&offline, tail, arguments, form, &mut damages, &mut sink)?;
        sink.finish()?;
        Ok(written)
    })?;
    let damage_count = damages.finish()?;
    write!(messages, "{} written", count(written.keys, "key"))?;
    if written.libraries > 0 {
        write!(messages, ", {}", libraries(written.libraries))?;
    }
    if written.omitted_libraries > 0 {
        let omitted = libraries(written.omitted_libraries);
        write!(messages, ", {omitted} left out: Redis 5 and 6 know none")?;
    }
    if damage_count > 0 {
        let places = count(damage_count, "place");
        write!(
            messages,
            "; {places} damaged, and what needs them is missing (repair salvages more)"
        )?;
    }
    writeln!(messages, "; {}", rate.of(written.bytes))?;
    Ok(Outcome::of(damage_count))
}

/// What is written, and how.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Rdb {
        version: FileVersion,
        drops_field_expiries: bool,
        now: UnixMillis,
    },
}

impl Form {
    fn of(arguments: &Dump) -> Self {
        let has_ending = arguments
            .output
            .as_ref()
            .is_some_and(|path| path.extension().is_some_and(|it| it == "rdb"));
        match arguments.format {
            Some(Format::Json) => Self::Json,
            None if !has_ending => Self::Json,
            _ => Self::Rdb {
                version: arguments.rdb_version.file_version(),
                drops_field_expiries: arguments.drop_field_expiries,
                now: Clock::system().now(),
            },
        }
    }
}

/// Where encoded keys go.
enum Sink<'w> {
    Json(&'w mut dyn Write),
    Rdb(Box<RdbWriter<&'w mut dyn Write>>),
}

impl<'w> Sink<'w> {
    fn new(writer: &'w mut dyn Write, form: Form) -> io::Result<Self> {
        Ok(match form {
            Form::Json => Self::Json(writer),
            Form::Rdb { version, now, .. } => {
                Self::Rdb(Box::new(RdbWriter::new(writer, version, now)?))
            }
        })
    }

    fn write(&mut self, encoded: &[u8]) -> io::Result<()> {
        match self {
            Self::Json(writer) => writer.write_all(encoded),
            Self::Rdb(writer) => writer.write(encoded),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Json(_) => Ok(()),
            Self::Rdb(writer) => writer.finish(),
        }
    }
}

#[derive(Default)]
struct Written {
    keys: u64,
    libraries: u64,
    omitted_libraries: u64,
    bytes: u64,
}

/// What an encoder tells the thread that writes.
enum Message {
    Keys { count: u64, encoded: Vec<u8> },
    Library(Vec<u8>),
    OmittedLibrary,
    Damage(Corruption),
    Failed(Failure),
}

fn walk_into(
    offline: &Offline,
    tail: Tail,
    arguments: &Dump,
    form: Form,
    damages: &mut Damages<'_>,
    sink: &mut Sink<'_>,
) -> Result<Written, Failure> {
    let slots = offline.image_directory().map_or(0, |it| it.key_count);
    let bar = progress::items("keys", slots);
    let (sender, receiver) = sync_channel(2 * pipeline::workers());
    let mut encoders: Vec<_> = (0..pipeline::workers())
        .map(|_| Encoder {
            filter: &arguments.filter,
            wants_libraries: !arguments.skip_functions && arguments.filter.wants_libraries(),
            form,
            sender: sender.clone(),
            bar: bar.clone(),
            encoded: Vec::new(),
            scratch: Vec::new(),
            keys: 0,
            slots: 0,
            database: None,
        })
        .collect();
    drop(sender);
    let written = std::thread::scope(|scope| {
        let walking = scope.spawn(move || {
            let walked = offline.visit_keys_on(tail, &mut encoders);
            for encoder in &mut encoders {
                // Nobody listens only where writing has failed.
                let _ = encoder.flush();
            }
            walked
        });
        let written = write_all(&receiver, &bar, damages, sink);
        // Encoders that still send are told that nobody listens.
        drop(receiver);
        match walking.join() {
            Ok(walked) => {
                let written = written?;
                walked?;
                Ok(written)
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    bar.finish_and_clear();
    written
}

fn write_all(
    receiver: &Receiver<Message>,
    bar: &ProgressBar,
    damages: &mut Damages<'_>,
    sink: &mut Sink<'_>,
) -> Result<Written, Failure> {
    let mut written = Written::default();
    for message in receiver {
        match message {
            Message::Keys { count, encoded } => {
                sink.write(&encoded)?;
                written.keys += count;
                written.bytes += encoded.len() as u64;
            }
            Message::Library(encoded) => {
                sink.write(&encoded)?;
                written.libraries += 1;
                written.bytes += encoded.len() as u64;
            }
            Message::OmittedLibrary => written.omitted_libraries += 1,
            Message::Damage(damage) => bar.suspend(|| damages.add(&damage)),
            Message::Failed(failure) => return Err(failure),
        }
    }
    Ok(written)
}

/// Encodes the keys that one thread meets.
struct Encoder<'a> {
    filter: &'a Filter,
    wants_libraries: bool,
    form: Form,
    sender: SyncSender<Message>,
    bar: ProgressBar,
    encoded: Vec<u8>,
    scratch: Vec<u8>,
    keys: u64,
    slots: u64,
    /// That the encoded keys are in so far.
    database: Option<u8>,
}

impl Encoder<'_> {
    fn send(&self, message: Message) -> ControlFlow<()> {
        match self.sender.send(message) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn flush(&mut self) -> ControlFlow<()> {
        self.bar.inc(std::mem::take(&mut self.slots));
        self.database = None;
        let message = Message::Keys {
            count: std::mem::take(&mut self.keys),
            encoded: std::mem::take(&mut self.encoded),
        };
        self.send(message)
    }

    fn library(&self, text: &[u8]) -> Result<Message, Failure> {
        let mut encoded = Vec::new();
        match self.form {
            Form::Json => line::write_library(&mut encoded, text)?,
            Form::Rdb { version, .. } if version < FileVersion::Redis70 => {
                return Ok(Message::OmittedLibrary);
            }
            Form::Rdb { .. } => put_library(&mut encoded, text),
        }
        Ok(Message::Library(encoded))
    }

    fn encode(&mut self, key: &OfflineKey<'_>) -> Result<(), Failure> {
        match self.form {
            Form::Json => line::write(&mut self.encoded, key)?,
            Form::Rdb {
                version,
                drops_field_expiries,
                now,
            } => {
                let Some(mut value) = RdbValue::of(key.value, now) else {
                    return Ok(());
                };
                if drops_field_expiries && version < FileVersion::Redis74 {
                    drop_expiries(&mut value);
                }
                if self.database.replace(key.database) != Some(key.database) {
                    put_database(&mut self.encoded, key.database);
                }
                let is_compact = is_compact(key.value);
                let (out, scratch) = (&mut self.encoded, &mut self.scratch);
                put_key(
                    out, scratch, key.key, key.expiry, &value, is_compact, version,
                )
                .map_err(|reason| refused(key, reason))?;
            }
        }
        self.keys += 1;
        Ok(())
    }
}

fn is_compact(value: ValueRef<'_>) -> bool {
    matches!(value, ValueRef::Inline { .. })
}

fn drop_expiries(value: &mut RdbValue) {
    if let RdbValue::Hash(fields) = value {
        fields
            .iter_mut()
            .for_each(|field: &mut HashField| field.expiry = None);
    }
}

fn refused(key: &OfflineKey<'_>, reason: NoFieldExpiries) -> Failure {
    debug_assert_eq!(key.value.kind(), ValueKind::Hash);
    Failure::FieldExpiries {
        database: key.database,
        key: key.key.escape_ascii().to_string(),
        reason,
    }
}

impl KeyVisitor for Encoder<'_> {
    fn key(&mut self, key: OfflineKey<'_>) -> ControlFlow<()> {
        if !self.filter.wants(key.database, key.key, key.value.kind()) {
            return ControlFlow::Continue(());
        }
        if let Err(failure) = self.encode(&key) {
            self.send(Message::Failed(failure))?;
            return ControlFlow::Break(());
        }
        if self.encoded.len() >= CHUNK_BYTES {
            return self.flush();
        }
        ControlFlow::Continue(())
    }

    fn kept(&mut self, name: &[u8], value: ValueRef<'_>) -> ControlFlow<()> {
        if !self.wants_libraries {
            return ControlFlow::Continue(());
        }
        let texts = functions::texts(name, value).map_err(Failure::Damaged);
        let messages = texts.and_then(|texts| {
            let messages = texts.iter().map(|text| self.library(text));
            messages.collect::<Result<Vec<_>, _>>()
        });
        match messages {
            Ok(messages) => messages.into_iter().try_for_each(|it| self.send(it)),
            Err(failure) => {
                self.send(Message::Failed(failure))?;
                ControlFlow::Break(())
            }
        }
    }

    fn damage(&mut self, damage: Corruption) {
        // Nobody listens only where writing has failed.
        let _ = self.send(Message::Damage(damage));
    }

    fn progress(&mut self) {
        self.slots += 1;
    }
}
