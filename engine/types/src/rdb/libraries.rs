//! FUNCTION DUMP payloads: the texts of libraries in the RDB form of Redis and Valkey.
//!
//! ```text
//! +---------------------+-------------+---------------------+
//! | library, repeated   | RDB version | CRC-64 of all above |
//! | 245 u8, string      | u16 LE      | u64 LE (Jones)      |
//! +---------------------+-------------+---------------------+
//! ```
//!
//! Owns the bytes; does not know what a library is. Pure; runs on any thread.

use super::encode::put_string;
use super::primitive::Decoder;
use super::{RdbError, VALKEY_VERSION, verify};
use crc_fast::{CrcAlgorithm, checksum};

/// Before the text of each library.
const LIBRARY: u8 = 245;

/// The payload of these texts.
#[must_use]
pub fn dump_libraries<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts {
        out.push(LIBRARY);
        put_string(&mut out, text);
    }
    out.extend_from_slice(&VALKEY_VERSION.to_le_bytes());
    let sum = checksum(CrcAlgorithm::Crc64Redis, &out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// The texts of a payload, which together take at most `limit_bytes`.
///
/// # Errors
/// [`RdbError::VersionOrChecksum`], [`RdbError::UnknownType`] for what is no library, and
/// what is wrong with a text.
pub fn restore_libraries(payload: &[u8], limit_bytes: usize) -> Result<Vec<Vec<u8>>, RdbError> {
    let (value, _) = verify(payload)?;
    let mut decoder = Decoder::new(value, limit_bytes);
    let mut texts = Vec::new();
    while !decoder.is_empty() {
        match decoder.u8()? {
            LIBRARY => texts.push(decoder.string()?),
            found => return Err(RdbError::UnknownType { found }),
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_libraries_are_a_footer() {
        let dumped = dump_libraries([]);
        assert!(dumped.starts_with(b"P\0") && dumped.len() == 10);
        assert_eq!(restore_libraries(&dumped, 100), Ok(vec![]));
    }

    #[test]
    fn texts_come_back_and_damage_does_not() {
        let texts: [&[u8]; 2] = [b"#!lua name=a\nx", &[b'y'; 300]];
        let mut dumped = dump_libraries(texts);
        assert_eq!(
            restore_libraries(&dumped, 1000),
            Ok(texts.map(<[u8]>::to_vec).to_vec())
        );
        assert!(restore_libraries(&dumped, 100).is_err());
        if let Some(byte) = dumped.get_mut(3) {
            *byte ^= 1;
        }
        assert_eq!(
            restore_libraries(&dumped, 1000),
            Err(RdbError::VersionOrChecksum)
        );
        let value = super::super::dump(&super::super::RdbValue::String(b"x".to_vec()), true);
        let found = restore_libraries(&value, 100);
        assert_eq!(found, Err(RdbError::UnknownType { found: 0 }));
    }
}
