//! Ziplists, the packed list of Redis before 7.0. Only read.
//!
//! ```text
//! bytes u32 LE | offset of last entry u32 LE | count u16 LE | entries | ff
//! entry: previous entry's bytes (u8, or fe and u32 LE) | encoding | data
//! ```
//!
//! Pure; runs on any thread. INVARIANT: what is declared (bytes, last offset,
//! count, previous lengths) is compared with what is there, never followed.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::RdbError;
use super::listpack::i24;
use super::primitive::Decoder;
use crate::number::integer_bytes;

const END: u8 = 0xff;
const WIDE_PREVIOUS: u8 = 0xfe;
/// The count of a ziplist with more entries than 16 bits tell.
const UNKNOWN_COUNT: u16 = u16::MAX;

/// All entries, integers in decimal; together at most `limit_bytes`.
pub(super) fn entries(packed: &[u8], limit_bytes: usize) -> Result<Vec<Vec<u8>>, RdbError> {
    let mut decoder = Decoder::new(packed, limit_bytes);
    let total = u32::from_le_bytes(decoder.array()?);
    if usize::try_from(total).ok() != Some(packed.len()) {
        return Err(decoder.bad("the ziplist's own length"));
    }
    let last_offset = u32::from_le_bytes(decoder.array()?);
    let count = u16::from_le_bytes(decoder.array()?);
    let mut entries: Vec<Vec<u8>> = Vec::new();
    let mut last_start = decoder.offset();
    let mut previous_bytes = 0_usize;
    loop {
        let start = decoder.offset();
        let previous = match decoder.u8()? {
            END => break,
            WIDE_PREVIOUS => u32::from_le_bytes(decoder.array()?),
            narrow => u32::from(narrow),
        };
        if usize::try_from(previous).ok() != Some(previous_bytes) {
            return Err(decoder.bad("the previous entry's length"));
        }
        let entry = entry(&mut decoder)?;
        decoder.charge(entry.len())?;
        entries.push(entry);
        last_start = start;
        previous_bytes = decoder.offset().saturating_sub(start);
    }
    if !decoder.is_empty() {
        return Err(decoder.bad("the end of the ziplist"));
    }
    if usize::try_from(last_offset).ok() != Some(last_start) {
        return Err(decoder.bad("the last entry's offset"));
    }
    if count != UNKNOWN_COUNT && usize::from(count) != entries.len() {
        return Err(decoder.bad("as many entries as counted"));
    }
    Ok(entries)
}

/// The entry after its previous length.
fn entry(decoder: &mut Decoder<'_>) -> Result<Vec<u8>, RdbError> {
    let first = decoder.u8()?;
    let integer = match first {
        0..=0x3f => return Ok(decoder.take(usize::from(first))?.to_vec()),
        0x40..=0x7f => {
            let length = u16::from_be_bytes([first & 0x3f, decoder.u8()?]);
            return Ok(decoder.take(usize::from(length))?.to_vec());
        }
        0x80 => {
            let length = u32::from_be_bytes(decoder.array()?);
            let length = usize::try_from(length).map_err(|_| decoder.bad("a length"))?;
            return Ok(decoder.take(length)?.to_vec());
        }
        0xc0 => i64::from(i16::from_le_bytes(decoder.array()?)),
        0xd0 => i64::from(i32::from_le_bytes(decoder.array()?)),
        0xe0 => i64::from_le_bytes(decoder.array()?),
        0xf0 => i24(decoder.array()?),
        0xfe => i64::from(i8::from_le_bytes(decoder.array()?)),
        // 0 to 12 in the encoding itself, one too large.
        0xf1..=0xfd => i64::from(first & 0x0f).saturating_sub(1),
        _ => return Err(decoder.bad("a ziplist encoding")),
    };
    Ok(integer_bytes(integer))
}
