//! Reads an RDB file element by element.
//!
//! Owns the window of the file that is in memory, the CRC and the order of
//! elements. Does not decode values: who takes them may do so on other threads.
//!
//! INVARIANT: the window grows only once it is full of what was really read, to
//! twice its size, so that walking over an element again each time costs no more
//! than walking over it twice.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{
    ELEMENT_MAX_BYTES, OPCODE_AUXILIARY, OPCODE_DATABASE, OPCODE_END, OPCODE_EXPIRY,
    OPCODE_EXPIRY_MS, OPCODE_FREQUENCY, OPCODE_FUNCTION, OPCODE_IDLE, OPCODE_MODULE, OPCODE_SIZES,
    OPCODE_SLOT_IMPORT, OPCODE_SLOT_INFO,
};
use crc_fast::{CrcAlgorithm, Digest};
use std::io::{self, Read};
use std::ops::Range;
use thermocline_base::UnixMillis;
use thermocline_types::rdb::{NoExtent, RdbError, Walk, read_string};
use thiserror::Error;

/// What is read at once, in bytes.
const WINDOW_BYTES: usize = 1 << 20;
const HEADER_BYTES: usize = 9;
/// The first version with a CRC at its end.
const FIRST_VERSION_WITH_CRC: u16 = 5;
/// The newest version of Redis whose types are all known.
const NEWEST_REDIS_VERSION: u16 = 13;
/// The versions of Valkey's own line.
const VALKEY_VERSIONS: Range<u16> = 80..100;

/// Why an RDB file cannot be read.
#[derive(Debug, Error)]
pub enum RdbFileError {
    /// It could not be read.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// It ends too early.
    #[error("the file ends at offset {offset}, in the middle of what begins at {begun}")]
    Truncated {
        /// Where it ends.
        offset: u64,
        /// Where the element that is not whole begins.
        begun: u64,
    },
    /// It holds something else than an RDB file has.
    #[error("at offset {offset}: expected {expected}, found {found}")]
    Bad {
        /// Where.
        offset: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// An element is larger than any key may be.
    #[error("at offset {offset}: over {ELEMENT_MAX_BYTES} bytes in one key")]
    TooLarge {
        /// Where it begins.
        offset: u64,
    },
}

/// Whether a file that begins with these bytes is an RDB file.
#[must_use]
pub fn is_magic(bytes: &[u8]) -> bool {
    bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY")
}

/// The next thing in a file.
#[derive(Debug)]
pub enum Element<'a> {
    /// A key.
    Key(RawKey<'a>),
    /// A library of functions.
    Function {
        /// Where it begins in the file.
        offset: u64,
        /// Its text, a string of the file: see [`read_string`].
        code: &'a [u8],
    },
    /// What a module keeps beside the keys, which is skipped.
    Module,
}

/// A key with its value as the file has them.
#[derive(Debug)]
pub struct RawKey<'a> {
    /// Where it begins in the file.
    pub offset: u64,
    /// The number of its database; any.
    pub database: u64,
    /// When it expires.
    pub expiry: Option<UnixMillis>,
    /// The type of the value.
    pub kind: u8,
    /// The key, a string of the file: see [`read_string`].
    pub key: &'a [u8],
    /// The value: see [`thermocline_types::rdb::read_value`].
    pub value: &'a [u8],
}

/// What a walk over an element has found; ranges of the window.
enum Found {
    Key {
        kind: u8,
        key: Range<usize>,
        value: Range<usize>,
    },
    Expiry(i64),
    Database(u64),
    Function(Range<usize>),
    Module,
    Skipped,
    End,
}

/// See the module.
pub struct RdbReader<R> {
    reader: R,
    window: Vec<u8>,
    /// What of the window is not read yet.
    start: usize,
    /// Where what is in the window ends.
    end: usize,
    /// From where on the window's bytes are not in the CRC yet.
    undigested: usize,
    digest: Digest,
    /// Of the window's first byte, in the file.
    window_offset: u64,
    version: u16,
    database: u64,
    expiry: Option<UnixMillis>,
    is_ended: bool,
    has_crc: bool,
}

impl<R: Read> RdbReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// See [`RdbFileError`]; so for all below.
    pub fn new(reader: R) -> Result<Self, RdbFileError> {
        let mut it = Self {
            reader,
            window: vec![0; WINDOW_BYTES],
            start: 0,
            end: 0,
            undigested: 0,
            digest: Digest::new(CrcAlgorithm::Crc64Redis),
            window_offset: 0,
            version: 0,
            database: 0,
            expiry: None,
            is_ended: false,
            has_crc: false,
        };
        while it.unread().len() < HEADER_BYTES {
            it.fill(0)?;
        }
        let header = it.unread().get(..HEADER_BYTES).unwrap_or_default();
        let version = version_of(header);
        it.version = version.ok_or_else(|| RdbFileError::Bad {
            offset: 0,
            expected: format!(
                "REDIS and a version up to {NEWEST_REDIS_VERSION:04}, or VALKEY080 and up"
            ),
            found: format!("{:?}", String::from_utf8_lossy(header)),
        })?;
        it.start = HEADER_BYTES;
        Ok(it)
    }

    /// The version of the file.
    #[must_use]
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// Bytes of the file that were read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.window_offset.saturating_add(self.start as u64)
    }

    /// Whether the file, once it has ended, had a CRC: the servers can be told
    /// to write none.
    #[must_use]
    pub const fn has_crc(&self) -> bool {
        self.has_crc
    }

    fn unread(&self) -> &[u8] {
        self.window.get(self.start..self.end).unwrap_or_default()
    }

    /// The next key, library or module; `None` at the end, where the CRC has
    /// been checked.
    ///
    /// # Errors
    /// See [`RdbFileError`].
    pub fn next_element(&mut self) -> Result<Option<Element<'_>>, RdbFileError> {
        if self.is_ended {
            return Ok(None);
        }
        loop {
            let (found, bytes) = self.find()?;
            let from = self.start;
            let offset = self.offset();
            self.start = self.start.saturating_add(bytes);
            let window = |range: Range<usize>| {
                let start = from.saturating_add(range.start);
                start..from.saturating_add(range.end)
            };
            match found {
                Found::Expiry(at_ms) => self.expiry = Some(UnixMillis(at_ms)),
                Found::Database(number) => self.database = number,
                Found::Skipped => {}
                Found::End => {
                    self.check_crc()?;
                    self.is_ended = true;
                    return Ok(None);
                }
                Found::Module => return Ok(Some(Element::Module)),
                Found::Function(code) => {
                    let code = self.window.get(window(code)).unwrap_or_default();
                    return Ok(Some(Element::Function { offset, code }));
                }
                Found::Key { kind, key, value } => {
                    return Ok(Some(Element::Key(RawKey {
                        offset,
                        database: self.database,
                        expiry: self.expiry.take(),
                        kind,
                        key: self.window.get(window(key)).unwrap_or_default(),
                        value: self.window.get(window(value)).unwrap_or_default(),
                    })));
                }
            }
        }
    }

    /// Refuses what comes after the end: a damaged header may have hidden that
    /// there is a CRC.
    ///
    /// # Errors
    /// See [`RdbFileError`].
    pub fn expect_nothing_more(&mut self) -> Result<(), RdbFileError> {
        let offset = self.offset();
        match self.fill(1) {
            Err(RdbFileError::Truncated { .. }) if self.unread().is_empty() => Ok(()),
            Err(RdbFileError::Truncated { .. }) | Ok(()) => Err(RdbFileError::Bad {
                offset,
                expected: "the end of the file".to_owned(),
                found: "more bytes".to_owned(),
            }),
            Err(other) => Err(other),
        }
    }

    /// What comes after the file: a file of commands may begin with an RDB file.
    /// The bytes of it that were read already, and the rest.
    pub fn into_rest(self) -> (Vec<u8>, R) {
        let read = self.unread().to_vec();
        (read, self.reader)
    }

    /// Walks over the next element, reading on until it is there.
    fn find(&mut self) -> Result<(Found, usize), RdbFileError> {
        loop {
            let mut walk = Walk::new(self.unread());
            match element(&mut walk) {
                Ok(found) => return Ok((found, walk.offset())),
                Err(NoExtent::Needs(bytes)) => {
                    if bytes > ELEMENT_MAX_BYTES {
                        return Err(RdbFileError::TooLarge {
                            offset: self.offset(),
                        });
                    }
                    self.fill(bytes)?;
                }
                Err(NoExtent::Bad { offset, expected }) => {
                    let byte = self.unread().get(offset.saturating_sub(1)).copied();
                    return Err(RdbFileError::Bad {
                        offset: self.offset().saturating_add(offset as u64),
                        expected: expected.to_owned(),
                        found: byte.map_or("nothing".to_owned(), |byte| format!("{byte:#04x}")),
                    });
                }
            }
        }
    }

    /// Reads on: until `bytes` are unread, as far as the window has room for them.
    fn fill(&mut self, bytes: usize) -> Result<(), RdbFileError> {
        self.digest_read();
        self.window.copy_within(self.start..self.end, 0);
        self.window_offset = self.offset();
        self.end = self.end.saturating_sub(self.start);
        (self.start, self.undigested) = (0, 0);
        if self.end == self.window.len() {
            self.window.resize(self.end.saturating_mul(2), 0);
        }
        let before = self.end;
        while self.end == before || (self.end < bytes && self.end < self.window.len()) {
            let room = self.window.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => {
                    return Err(RdbFileError::Truncated {
                        offset: self.window_offset.saturating_add(self.end as u64),
                        begun: self.window_offset,
                    });
                }
                Ok(read) => self.end = self.end.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes what has been walked over into the CRC.
    fn digest_read(&mut self) {
        let read = self.window.get(self.undigested..self.start);
        self.digest.update(read.unwrap_or_default());
        self.undigested = self.start;
    }

    fn check_crc(&mut self) -> Result<(), RdbFileError> {
        if self.version < FIRST_VERSION_WITH_CRC {
            return Ok(());
        }
        self.digest_read();
        let computed = self.digest.finalize();
        while self.unread().len() < 8 {
            self.fill(8)?;
        }
        let stored = self.unread().first_chunk().copied().unwrap_or_default();
        let stored = u64::from_le_bytes(stored);
        let offset = self.offset();
        self.start = self.start.saturating_add(8);
        self.has_crc = stored != 0;
        if self.has_crc && stored != computed {
            return Err(RdbFileError::Bad {
                offset,
                expected: format!("the CRC {computed:016x} of all before it"),
                found: format!("{stored:016x}"),
            });
        }
        Ok(())
    }
}

fn version_of(header: &[u8]) -> Option<u16> {
    let digits = |magic: &[u8]| {
        let digits = std::str::from_utf8(header.strip_prefix(magic)?).ok()?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| is_number)
    };
    match digits(b"VALKEY") {
        Some(version) => Some(version).filter(|version| VALKEY_VERSIONS.contains(version)),
        None => digits(b"REDIS").filter(|version| (1..=NEWEST_REDIS_VERSION).contains(version)),
    }
}

/// Whether the end of a value of this type can be found.
fn is_known(kind: u8) -> bool {
    matches!(kind, 0..=5 | 7 | 9..=21 | 22 | 24 | 25)
}

fn element(walk: &mut Walk<'_>) -> Result<Found, NoExtent> {
    let over = |walk: &mut Walk<'_>, lengths: usize| {
        for _ in 0..lengths {
            walk.length()?;
        }
        Ok(Found::Skipped)
    };
    match walk.u8()? {
        OPCODE_END => Ok(Found::End),
        OPCODE_DATABASE => walk.length().map(Found::Database),
        OPCODE_EXPIRY_MS => {
            let bytes = walk.take(8)?.first_chunk().copied().unwrap_or_default();
            Ok(Found::Expiry(i64::from_le_bytes(bytes)))
        }
        OPCODE_EXPIRY => {
            let bytes = walk.take(4)?.first_chunk().copied().unwrap_or_default();
            let seconds = i64::from(i32::from_le_bytes(bytes));
            Ok(Found::Expiry(seconds.saturating_mul(1000)))
        }
        OPCODE_SIZES => over(walk, 2),
        OPCODE_SLOT_INFO => over(walk, 3),
        OPCODE_IDLE => over(walk, 1),
        OPCODE_FREQUENCY => walk.u8().map(|_| Found::Skipped),
        OPCODE_AUXILIARY => {
            walk.string()?;
            walk.string()?;
            Ok(Found::Skipped)
        }
        OPCODE_FUNCTION => {
            let start = walk.offset();
            walk.string()?;
            Ok(Found::Function(start..walk.offset()))
        }
        OPCODE_MODULE => {
            // Its id, then when it is to be loaded, then its parts.
            over(walk, 3)?;
            walk.module_parts()?;
            Ok(Found::Module)
        }
        OPCODE_SLOT_IMPORT => {
            walk.string()?;
            for _ in 0..walk.length()? {
                over(walk, 2)?;
            }
            Ok(Found::Skipped)
        }
        kind if !is_known(kind) => Err(NoExtent::Bad {
            offset: walk.offset(),
            expected: "a type of value that Redis up to 8.2 or Valkey 9 write",
        }),
        kind => {
            let start = walk.offset();
            walk.string()?;
            let middle = walk.offset();
            walk.value(kind)?;
            Ok(Found::Key {
                kind,
                key: start..middle,
                value: middle..walk.offset(),
            })
        }
    }
}

impl RawKey<'_> {
    /// The key itself, of at most `limit_bytes`.
    ///
    /// # Errors
    /// Why it cannot be decoded.
    pub fn name(&self, limit_bytes: usize) -> Result<Vec<u8>, RdbError> {
        read_string(self.key, limit_bytes)
    }
}
