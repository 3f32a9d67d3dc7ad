//! A file of keys and libraries of functions: lines of JSON or an RDB file, told apart
//! by how it begins.
//!
//! Owns the batches that are read and how they are decoded. Reading and decoding
//! may be on different threads; see [`crate::pipeline`]. Does not know where the
//! keys go.

use crate::failure::Failure;
use crate::filter::{Filter, database_here, no_such_database};
use crate::functions;
use crate::line::{self, Line};
pub(crate) use crate::place::Place;
use crate::rdb::{Element, RdbFileError, RdbReader, is_magic};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;
use thermocline_base::UnixMillis;
use thermocline_base::limits::KEY_MAX_BYTES;
use thermocline_commands::scripts::LIBRARIES_MAX_BYTES;
use thermocline_store::tier::record::RAW_MAX_BYTES;
use thermocline_types::rdb::{self, RdbError};
use thermocline_types::{Limits, Value};

/// The longest line, in bytes: JSON takes at most six for one of a value or
/// key, which are no longer than the tier's longest value.
const LINE_MAX_BYTES: u64 = 12 * RAW_MAX_BYTES;
/// How many keys are in a batch, at most.
const BATCH_KEYS: usize = 256;
/// Up to how many bytes of the input are in a batch, unless one key is longer.
const BATCH_BYTES: usize = 256 << 10;

/// Where keys come from.
pub(crate) enum Input {
    Lines(BufReader<Box<dyn Read + Send>>),
    Rdb(Box<RdbReader<Box<dyn Read + Send>>>),
}

/// A key that was read.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) database: u8,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Value,
    pub(crate) expiry: Option<UnixMillis>,
    /// What its value took in the input.
    pub(crate) input_bytes: usize,
}

/// A library of functions that was read.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) place: Place,
    /// Its first line has been checked.
    pub(crate) text: Vec<u8>,
}

/// What a batch holds, decoded.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) keys: Vec<Key>,
    pub(crate) libraries: Vec<Library>,
}

/// What is in the input beside what is restored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside {
    /// Values of modules and what modules keep beside the keys.
    pub(crate) modules: u64,
    /// Whether an RDB file had no CRC.
    pub(crate) lacks_crc: bool,
}

/// Some keys as the input has them.
#[derive(Default)]
pub(crate) struct RawBatch {
    bytes: Vec<u8>,
    raws: Vec<Raw>,
    /// The version of the RDB file.
    version: u16,
}

struct Raw {
    place: Place,
    what: RawKind,
    /// All of a line, or the value.
    value: Range<usize>,
}

enum RawKind {
    Line,
    Rdb {
        database: u64,
        expiry: Option<UnixMillis>,
        kind: u8,
        key: Range<usize>,
    },
    /// A library of an RDB file.
    Library,
}

impl RawBatch {
    /// How many things there are.
    pub(crate) const fn len(&self) -> usize {
        self.raws.len()
    }

    fn put(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    const fn is_full(&self) -> bool {
        self.raws.len() >= BATCH_KEYS || self.bytes.len() >= BATCH_BYTES
    }
}

/// Opens `path`, `-` for the standard input; the size if it is known.
pub(crate) fn open(path: &Path) -> Result<(Input, Option<u64>), Failure> {
    let failed = |source| Failure::File {
        path: path.to_owned(),
        source,
    };
    let (mut reader, size): (Box<dyn Read + Send>, _) = if is_standard(path) {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let size = metadata.is_file().then_some(metadata.len());
        (Box::new(file), size)
    };
    let mut first = Vec::new();
    let mut limited = reader.by_ref().take(9);
    limited.read_to_end(&mut first).map_err(failed)?;
    let is_rdb = is_magic(&first);
    let reader: Box<dyn Read + Send> = Box::new(io::Cursor::new(first).chain(reader));
    let input = if is_rdb {
        Input::Rdb(Box::new(RdbReader::new(reader)?))
    } else {
        Input::Lines(BufReader::with_capacity(1 << 20, reader))
    };
    Ok((input, size))
}

/// Whether this stands for the standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl Input {
    /// Reads all batches, and checks the end. What modules have written ends it
    /// unless they are skipped. `progress` is told how many bytes were read since
    /// it was last.
    pub(crate) fn batches(
        self,
        path: &Path,
        skip_modules: bool,
        progress: &mut dyn FnMut(u64),
        emit: &mut dyn FnMut(RawBatch) -> bool,
    ) -> Result<Beside, Failure> {
        match self {
            Self::Lines(reader) => {
                lines(reader, path, progress, emit)?;
                Ok(Beside::default())
            }
            Self::Rdb(mut reader) => {
                let beside = rdb_batches(&mut reader, skip_modules, progress, emit)?;
                reader.expect_nothing_more()?;
                Ok(beside)
            }
        }
    }
}

fn lines(
    mut reader: BufReader<Box<dyn Read + Send>>,
    path: &Path,
    progress: &mut dyn FnMut(u64),
    emit: &mut dyn FnMut(RawBatch) -> bool,
) -> Result<(), Failure> {
    let mut batch = RawBatch::default();
    for number in 1.. {
        let start = batch.bytes.len();
        let mut limited = reader.by_ref().take(LINE_MAX_BYTES);
        let read = limited
            .read_until(b'\n', &mut batch.bytes)
            .map_err(|source| Failure::File {
                path: path.to_owned(),
                source,
            })?;
        if read as u64 == LINE_MAX_BYTES && batch.bytes.last() != Some(&b'\n') {
            return Err(Failure::Line {
                line: number,
                reason: format!("over {LINE_MAX_BYTES} bytes"),
            });
        }
        if read > 0 {
            batch.raws.push(Raw {
                place: Place::Line(number),
                what: RawKind::Line,
                value: start..batch.bytes.len(),
            });
        }
        if (read == 0 && batch.len() > 0) || batch.is_full() {
            progress(batch.bytes.len() as u64);
            if !emit(std::mem::take(&mut batch)) {
                return Ok(());
            }
        }
        if read == 0 {
            break;
        }
    }
    Ok(())
}

pub(crate) fn rdb_batches(
    reader: &mut RdbReader<impl Read>,
    skip_modules: bool,
    progress: &mut dyn FnMut(u64),
    emit: &mut dyn FnMut(RawBatch) -> bool,
) -> Result<Beside, Failure> {
    let version = reader.version();
    let new_batch = || RawBatch {
        version,
        ..RawBatch::default()
    };
    let mut beside = Beside::default();
    let mut batch = new_batch();
    let mut told = 0;
    loop {
        let is_end = match reader.next_element()? {
            None => true,
            Some(Element::Function { offset, code }) => {
                let value = batch.put(code);
                batch.raws.push(Raw {
                    place: Place::Offset(offset),
                    what: RawKind::Library,
                    value,
                });
                false
            }
            Some(Element::Module) => {
                beside.modules += 1;
                false
            }
            Some(Element::Key(raw)) if rdb::kind_of(raw.kind).is_none() => {
                if !skip_modules {
                    let key = raw.name(KEY_MAX_BYTES).unwrap_or_default();
                    return Err(Failure::Module {
                        key: String::from_utf8_lossy(&key).escape_debug().to_string(),
                        offset: raw.offset,
                    });
                }
                beside.modules += 1;
                false
            }
            Some(Element::Key(raw)) => {
                let key = batch.put(raw.key);
                let value = batch.put(raw.value);
                let what = RawKind::Rdb {
                    database: raw.database,
                    expiry: raw.expiry,
                    kind: raw.kind,
                    key,
                };
                batch.raws.push(Raw {
                    place: Place::Offset(raw.offset),
                    what,
                    value,
                });
                false
            }
        };
        if batch.is_full() || (is_end && batch.len() > 0) {
            progress(reader.offset() - told);
            told = reader.offset();
            if !emit(std::mem::replace(&mut batch, new_batch())) {
                return Ok(beside);
            }
        }
        if is_end {
            beside.lacks_crc = !reader.has_crc();
            return Ok(beside);
        }
    }
}

/// Decodes what of a batch passes the filter.
pub(crate) fn decode(
    batch: &RawBatch,
    filter: &Filter,
    limits: &Limits,
) -> Result<Decoded, Failure> {
    let mut decoded = Decoded::default();
    for raw in &batch.raws {
        let (value, place) = (
            batch.bytes.get(raw.value.clone()).unwrap_or_default(),
            raw.place,
        );
        let read = match &raw.what {
            RawKind::Line => decode_line(value, filter, limits, place, &mut decoded),
            RawKind::Library => rdb::read_string(value, LIBRARIES_MAX_BYTES)
                .map_err(|error| error.to_string())
                .and_then(|text| add_library(text, filter, place, &mut decoded)),
            RawKind::Rdb {
                database,
                expiry,
                kind,
                key,
            } => {
                let head = (*database, *expiry, *kind, batch.version);
                let key = batch.bytes.get(key.clone()).unwrap_or_default();
                decode_rdb(head, key, value, filter, limits)
                    .map(|key| decoded.keys.extend(key.map(|key| Key { place, ..key })))
            }
        };
        read.map_err(|reason| refused(place, reason))?;
    }
    Ok(decoded)
}

fn add_library(
    text: Vec<u8>,
    filter: &Filter,
    place: Place,
    decoded: &mut Decoded,
) -> Result<(), String> {
    functions::name(&text).map_err(|reason| format!("a library of functions: {reason}"))?;
    if filter.wants_libraries() {
        decoded.libraries.push(Library { place, text });
    }
    Ok(())
}

fn refused(place: Place, reason: String) -> Failure {
    match place {
        Place::Line(line) => Failure::Line { line, reason },
        Place::Directory => Failure::Damaged(reason),
        Place::Offset(offset) => Failure::Rdb(RdbFileError::Bad {
            offset,
            expected: "something that can be restored".to_owned(),
            found: reason,
        }),
    }
}

fn decode_line(
    bytes: &[u8],
    filter: &Filter,
    limits: &Limits,
    place: Place,
    decoded: &mut Decoded,
) -> Result<(), String> {
    let line = match line::read(bytes, limits)? {
        Line::Key(line) => line,
        Line::Library(text) => return add_library(text, filter, place, decoded),
    };
    if filter.wants(line.database, &line.key, line.value.kind()) {
        decoded.keys.push(Key {
            place,
            database: line.database,
            key: line.key,
            value: line.value,
            expiry: line.expiry,
            input_bytes: bytes.len(),
        });
    }
    Ok(())
}

fn decode_rdb(
    (database, expiry, kind, version): (u64, Option<UnixMillis>, u8, u16),
    key: &[u8],
    value: &[u8],
    filter: &Filter,
    limits: &Limits,
) -> Result<Option<Key>, String> {
    let told = |error: RdbError| match error {
        RdbError::BadFormat { offset, expected } => {
            format!("a value of type {kind} that lacks {expected} at its byte {offset}")
        }
        RdbError::UnknownType { found } => {
            format!("a value of type {found}, which is not known in files of version {version}")
        }
        RdbError::TooLarge { limit_bytes } => format!("a value of over {limit_bytes} bytes"),
        RdbError::VersionOrChecksum => error.to_string(),
    };
    let key = rdb::read_string(key, KEY_MAX_BYTES).map_err(told)?;
    if rdb::kind_of(kind).is_none_or(|kind| !filter.wants(database, &key, kind)) {
        return Ok(None);
    }
    // Of what is not wanted it does not matter where it is.
    let database = database_here(database).ok_or_else(|| no_such_database(database, &key))?;
    let read = rdb::read_value(kind, version, value, RAW_MAX_BYTES as usize).map_err(told)?;
    let input_bytes = value.len();
    let value = read
        .into_value(rdb::is_compact_kind(kind), limits)
        .map_err(|error| error.to_string())?;
    Ok(Some(Key {
        place: Place::Offset(0),
        database,
        key,
        value,
        expiry,
        input_bytes,
    }))
}
