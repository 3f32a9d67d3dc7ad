//! Listpacks, the packed list in which Redis and Valkey keep small hashes.
//!
//! ```text
//! total bytes u32 LE | count u16 LE (65535: unknown) | entries | ff
//! entry: encoding and data | their length, readable backwards (1 to 5 bytes)
//! ```
//!
//! Decodes here; the encoder stands in `encode`. Pure; runs on any thread.
//! INVARIANT: every entry accepted is one the reference accepts, with the
//! backward length it would itself write.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::RdbError;
use super::primitive::Decoder;
use crate::number::integer_bytes;

/// The end mark.
pub(super) const END: u8 = 0xff;
/// The count of a listpack with more entries than 16 bits tell.
const UNKNOWN_COUNT: u16 = u16::MAX;

/// All entries, integers in decimal; together at most `limit_bytes`.
pub(super) fn entries(packed: &[u8], limit_bytes: usize) -> Result<Vec<Vec<u8>>, RdbError> {
    let mut decoder = Decoder::new(packed, limit_bytes);
    let total = u32::from_le_bytes(decoder.array()?);
    if usize::try_from(total).ok() != Some(packed.len()) {
        return Err(decoder.bad("the listpack's own length"));
    }
    let count = u16::from_le_bytes(decoder.array()?);
    let mut entries: Vec<Vec<u8>> = Vec::new();
    loop {
        let start = decoder.offset();
        let first = decoder.u8()?;
        if first == END {
            break;
        }
        let entry = entry(&mut decoder, first)?;
        decoder.charge(entry.len())?;
        let length = decoder.offset().saturating_sub(start);
        let mut expected = Vec::new();
        put_backward_length(&mut expected, length);
        if decoder.take(expected.len())? != expected {
            return Err(decoder.bad("the entry's length"));
        }
        entries.push(entry);
    }
    if !decoder.is_empty() {
        return Err(decoder.bad("the end of the listpack"));
    }
    if count != UNKNOWN_COUNT && usize::from(count) != entries.len() {
        return Err(decoder.bad("as many entries as counted"));
    }
    Ok(entries)
}

/// The entry whose first byte was read.
fn entry(decoder: &mut Decoder<'_>, first: u8) -> Result<Vec<u8>, RdbError> {
    let integer = match first {
        0..=0x7f => i64::from(first),
        0x80..=0xbf => return Ok(decoder.take(usize::from(first & 0x3f))?.to_vec()),
        0xc0..=0xdf => {
            // 13 bits in two's complement: moved to the top of 16 and back.
            let raw = u16::from_be_bytes([first & 0x1f, decoder.u8()?]);
            i64::from(i16::from_le_bytes(raw.wrapping_shl(3).to_le_bytes()).wrapping_shr(3))
        }
        0xe0..=0xef => {
            let length = u16::from_be_bytes([first & 0x0f, decoder.u8()?]);
            return Ok(decoder.take(usize::from(length))?.to_vec());
        }
        0xf0 => {
            let length = u32::from_le_bytes(decoder.array()?);
            let length = usize::try_from(length).map_err(|_| decoder.bad("a length"))?;
            return Ok(decoder.take(length)?.to_vec());
        }
        0xf1 => i64::from(i16::from_le_bytes(decoder.array()?)),
        0xf2 => i24(decoder.array()?),
        0xf3 => i64::from(i32::from_le_bytes(decoder.array()?)),
        0xf4 => i64::from_le_bytes(decoder.array()?),
        _ => return Err(decoder.bad("a listpack encoding")),
    };
    Ok(integer_bytes(integer))
}

/// A 24-bit little-endian integer.
pub(super) fn i24([low, middle, high]: [u8; 3]) -> i64 {
    i64::from(i32::from_le_bytes([0, low, middle, high]).wrapping_shr(8))
}

/// Writes an entry's length so that it reads from its last byte: seven bits a
/// byte, the highest first, every byte but the first with its top bit set.
pub(super) fn put_backward_length(out: &mut Vec<u8>, length: usize) {
    let mut groups = [0_u8; 10];
    let mut left = length;
    let mut used = 0_usize;
    for group in &mut groups {
        *group = u8::try_from(left & 0x7f).unwrap_or(0);
        left = left.wrapping_shr(7);
        used = used.saturating_add(1);
        if left == 0 {
            break;
        }
    }
    for (index, group) in groups.iter().take(used).rev().enumerate() {
        out.push(if index == 0 { *group } else { group | 0x80 });
    }
}
