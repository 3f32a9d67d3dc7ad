//! Writes an RDB file.
//!
//! Owns the file's order and its CRC. Elements may be put together elsewhere:
//! [`put_key`] does that in memory, on any thread.

use super::{OPCODE_AUXILIARY, OPCODE_DATABASE, OPCODE_END, OPCODE_EXPIRY_MS, OPCODE_FUNCTION};
use crc_fast::{CrcAlgorithm, Digest};
use std::io::{self, Write};
use thermocline_base::UnixMillis;
use thermocline_types::rdb::{
    FileVersion, NoFieldExpiries, RdbValue, put_length, put_string, write_value,
};

/// See the module.
pub struct RdbWriter<W> {
    writer: W,
    digest: Digest,
}

impl<W: Write> RdbWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// What the writer refuses; so for all below.
    pub fn new(writer: W, version: FileVersion, now: UnixMillis) -> io::Result<Self> {
        let mut it = Self {
            writer,
            digest: Digest::new(CrcAlgorithm::Crc64Redis),
        };
        let number = version.number();
        let header = match version {
            FileVersion::Valkey9 => format!("VALKEY{number:03}"),
            _ => format!("REDIS{number:04}"),
        };
        let mut bytes = header.into_bytes();
        let seconds = now.0.div_euclid(1000).to_string();
        for (name, value) in [
            ("thermocline-ver", env!("CARGO_PKG_VERSION")),
            ("redis-bits", "64"),
            ("ctime", &seconds),
        ] {
            bytes.push(OPCODE_AUXILIARY);
            put_string(&mut bytes, name.as_bytes());
            put_string(&mut bytes, value.as_bytes());
        }
        it.write(&bytes)?;
        Ok(it)
    }

    /// Writes whole elements.
    ///
    /// # Errors
    /// What the writer refuses.
    pub fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        self.digest.update(elements);
        self.writer.write_all(elements)
    }

    /// Writes the end of the file.
    ///
    /// # Errors
    /// What the writer refuses.
    pub fn finish(mut self) -> io::Result<()> {
        self.write(&[OPCODE_END])?;
        // Zero would mean that there is none; so do the servers.
        self.writer.write_all(&self.digest.finalize().to_le_bytes())
    }
}

/// Appends that the keys which follow are in this database.
pub(crate) fn put_database(out: &mut Vec<u8>, database: u8) {
    out.push(OPCODE_DATABASE);
    put_length(out, u64::from(database));
}

/// Appends a library of functions.
pub(crate) fn put_library(out: &mut Vec<u8>, text: &[u8]) {
    out.push(OPCODE_FUNCTION);
    put_string(out, text);
}

/// Appends a key. `value` is scratch space.
///
/// # Errors
/// [`NoFieldExpiries`], and nothing was appended.
pub(crate) fn put_key(
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    key: &[u8],
    expiry: Option<UnixMillis>,
    value: &RdbValue,
    is_compact: bool,
    version: FileVersion,
) -> Result<(), NoFieldExpiries> {
    scratch.clear();
    let kind = write_value(scratch, value, is_compact, version)?;
    if let Some(at) = expiry {
        out.push(OPCODE_EXPIRY_MS);
        out.extend_from_slice(&at.0.to_le_bytes());
    }
    out.push(kind);
    put_string(out, key);
    out.extend_from_slice(scratch);
    Ok(())
}
