//! HyperLogLogs: strings that estimate how many different elements they were given.
//!
//! Owns the bytes, which are those of Redis: a header, then 16,384 registers of six bits, or
//! run lengths of them while that is shorter ([`sparse`]). Does not know keys or updates: a
//! HyperLogLog is a string, changed as one. Pure; runs on any thread.
//!
//! ```text
//! +---------+----------+----------+--------------------------+-----------+
//! | "HYLL"  | encoding | unused   | cached cardinality       | registers |
//! | 4 bytes | u8       | 3 bytes  | u64, top bit set: stale  |           |
//! +---------+----------+----------+--------------------------+-----------+
//!   0         4          5          8                          16
//! ```
//!
//! Encoding 0 is dense: register `i` takes the six bits from bit `6 i` on, the lowest bit of a
//! byte first. Encoding 1 is sparse. The bytes come from clients, so nothing about them is
//! trusted. The estimate is that of Otmar Ertl, "New cardinality estimation algorithms for
//! HyperLogLog sketches" (arXiv:1702.01284).

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

pub mod sparse;

use thiserror::Error;

/// How many registers there are.
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// Bytes before the registers.
pub const HEADER_BYTES: usize = 16;
/// Bytes of a dense one.
pub const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS * 6 / 8;

const INDEX_BITS: u32 = 14;
/// Bits of the hash besides the index: a register counts to one more.
const RANK_BITS: usize = 50;
const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const CARDINALITY_AT: usize = 8;
const STALE: u64 = 1 << 63;
const HASH_SEED: u64 = 0xadc8_3b19;
/// 0.5 / ln 2.
const ALPHA_INFINITE: f64 = 0.721_347_520_444_481_7;

/// Why bytes are no HyperLogLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HyperLogLogError {
    /// The header or the length is not that of one.
    #[error("the string is no HyperLogLog")]
    Foreign,
    /// The header is right, the sparse registers are not.
    #[error("the registers of the HyperLogLog are damaged")]
    Corrupt,
}

/// How the registers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits each.
    Dense,
    /// Run lengths.
    Sparse,
}

/// All registers, a byte each.
pub type Registers = [u8; REGISTERS];

/// The encoding that the header names.
///
/// # Errors
/// [`HyperLogLogError::Foreign`].
pub fn encoding(bytes: &[u8]) -> Result<Encoding, HyperLogLogError> {
    if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) {
        return Err(HyperLogLogError::Foreign);
    }
    match bytes.get(ENCODING_AT) {
        Some(0) if bytes.len() == DENSE_BYTES => Ok(Encoding::Dense),
        Some(1) => Ok(Encoding::Sparse),
        _ => Err(HyperLogLogError::Foreign),
    }
}

fn header(encoding: u8) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(encoding);
    bytes.resize(HEADER_BYTES, 0);
    bytes
}

/// One that was given nothing: sparse, its cardinality of 0 cached.
#[must_use]
pub fn empty() -> Vec<u8> {
    let mut bytes = header(1);
    sparse::put_zeros(&mut bytes, REGISTERS);
    bytes
}

/// The cardinality in the header, unless it is stale.
#[must_use]
pub fn cached_cardinality(bytes: &[u8]) -> Option<u64> {
    let cached = bytes.get(CARDINALITY_AT..)?.first_chunk()?;
    let cached = u64::from_le_bytes(*cached);
    (cached & STALE == 0).then_some(cached)
}

/// Where a cardinality goes in the header, and its bytes.
#[must_use]
pub const fn cardinality_bytes(cardinality: u64) -> (u64, [u8; 8]) {
    (CARDINALITY_AT as u64, cardinality.to_le_bytes())
}

/// Marks the cached cardinality as stale.
pub fn invalidate(bytes: &mut [u8]) {
    if let Some(last) = bytes.get_mut(CARDINALITY_AT.saturating_add(7)) {
        *last |= 0x80;
    }
}

/// The register of an element and the rank it has there, 1 to 51.
#[must_use]
pub fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let index = usize::try_from(hash & ((1 << INDEX_BITS) - 1)).unwrap_or(0);
    // The guard bit ends the run of zeros at the latest after all bits of the rank.
    let rest = hash >> INDEX_BITS | 1 << RANK_BITS;
    let rank = rest.trailing_zeros().saturating_add(1);
    (index, u8::try_from(rank).unwrap_or(0))
}

/// MurmurHash64A (Austin Appleby), over little-endian words.
fn murmur(bytes: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
    const SHIFT: u32 = 47;
    let mut hash = HASH_SEED ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> SHIFT;
        hash = (hash ^ word.wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(tail) {
            *to = *from;
        }
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> SHIFT;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> SHIFT
}

/// Whether it is dense and [`raise`] would leave it as it is; false for a sparse one, whose
/// registers are found by walking.
#[must_use]
pub fn holds(bytes: &[u8], index: usize, rank: u8) -> bool {
    let registers = bytes.get(HEADER_BYTES..).unwrap_or_default();
    encoding(bytes) == Ok(Encoding::Dense) && dense_register(registers, index) >= rank
}

/// Raises register `index` to `rank` if it is lower; whether it was. A sparse one becomes
/// dense above `sparse_max_bytes`, or for a rank that runs cannot hold. The cached
/// cardinality is marked stale if a sparse register was raised.
///
/// # Errors
/// As [`encoding`]; [`HyperLogLogError::Corrupt`].
pub fn raise(
    bytes: &mut Vec<u8>,
    index: usize,
    rank: u8,
    sparse_max_bytes: usize,
) -> Result<bool, HyperLogLogError> {
    if encoding(bytes)? == Encoding::Sparse {
        match sparse::raise(bytes, index, rank, sparse_max_bytes)? {
            sparse::Raised::Done(raised) => {
                if raised {
                    invalidate(bytes);
                }
                return Ok(raised);
            }
            sparse::Raised::TooLarge => make_dense(bytes)?,
        }
    }
    let registers = bytes.get_mut(HEADER_BYTES..).unwrap_or_default();
    let raised = dense_register(registers, index) < rank;
    if raised {
        set_dense_register(registers, index, rank);
    }
    Ok(raised)
}

/// The byte where the bits of a register begin, and how many bits before them it holds.
fn dense_place(index: usize) -> (usize, u32) {
    let bit = index.saturating_mul(6);
    (bit >> 3, u32::try_from(bit & 7).unwrap_or(0))
}

fn dense_register(registers: &[u8], index: usize) -> u8 {
    let (at, skip) = dense_place(index);
    let byte = |at: usize| u16::from(registers.get(at).copied().unwrap_or(0));
    let both = byte(at) | byte(at.saturating_add(1)) << 8;
    u8::try_from(both.wrapping_shr(skip) & 0x3f).unwrap_or(0)
}

fn set_dense_register(registers: &mut [u8], index: usize, rank: u8) {
    let (at, skip) = dense_place(index);
    let clear = !0x3f_u16.wrapping_shl(skip);
    let set = u16::from(rank & 0x3f).wrapping_shl(skip);
    for (offset, (clear, set)) in clear
        .to_le_bytes()
        .into_iter()
        .zip(set.to_le_bytes())
        .enumerate()
    {
        if let Some(byte) = registers.get_mut(at.saturating_add(offset)) {
            *byte = *byte & clear | set;
        }
    }
}

/// Makes a sparse one dense, its cached cardinality kept; a dense one stays.
///
/// # Errors
/// As [`encoding`]; [`HyperLogLogError::Corrupt`].
pub fn make_dense(bytes: &mut Vec<u8>) -> Result<(), HyperLogLogError> {
    if encoding(bytes)? == Encoding::Dense {
        return Ok(());
    }
    let mut registers = [0; REGISTERS];
    merge(&mut registers, bytes)?;
    let mut dense = header(0);
    if let (Some(to), Some(from)) = (
        dense.get_mut(CARDINALITY_AT..HEADER_BYTES),
        bytes.get(CARDINALITY_AT..HEADER_BYTES),
    ) {
        to.copy_from_slice(from);
    }
    dense.resize(DENSE_BYTES, 0);
    let body = dense.get_mut(HEADER_BYTES..).unwrap_or_default();
    for (index, rank) in registers.iter().enumerate() {
        if *rank > 0 {
            set_dense_register(body, index, *rank);
        }
    }
    *bytes = dense;
    Ok(())
}

/// Raises each of `registers` to the one of `bytes`.
///
/// # Errors
/// As [`encoding`]; [`HyperLogLogError::Corrupt`].
pub fn merge(registers: &mut Registers, bytes: &[u8]) -> Result<(), HyperLogLogError> {
    let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
    match encoding(bytes)? {
        Encoding::Dense => {
            for (index, register) in registers.iter_mut().enumerate() {
                *register = (*register).max(dense_register(body, index));
            }
        }
        Encoding::Sparse => {
            let (mut first, mut bytes) = (0_usize, 0_usize);
            for run in sparse::runs(body) {
                bytes = bytes.saturating_add(run.bytes());
                let end = first.saturating_add(run.length);
                let covered = registers.get_mut(first..end);
                for register in covered.ok_or(HyperLogLogError::Corrupt)? {
                    *register = (*register).max(run.rank);
                }
                first = end;
            }
            // A run that is cut at the end is none.
            if first != REGISTERS || bytes != body.len() {
                return Err(HyperLogLogError::Corrupt);
            }
        }
    }
    Ok(())
}

/// The cardinality that the registers of `bytes` tell; the cached one is not looked at.
///
/// # Errors
/// As [`encoding`]; [`HyperLogLogError::Corrupt`].
pub fn cardinality(bytes: &[u8]) -> Result<u64, HyperLogLogError> {
    let mut registers = [0; REGISTERS];
    merge(&mut registers, bytes)?;
    Ok(estimate(&registers))
}

/// The cardinality that these registers tell.
#[must_use]
#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "no register is negative, and a cast from infinity is 0 divided by it"
)]
pub fn estimate(registers: &Registers) -> u64 {
    let mut counts = [0_u32; 64];
    for register in registers {
        if let Some(count) = counts.get_mut(usize::from(register & 0x3f)) {
            *count = count.saturating_add(1);
        }
    }
    let count = |rank: usize| f64::from(counts.get(rank).copied().unwrap_or(0));
    let all = REGISTERS as f64;
    let full = RANK_BITS.saturating_add(1);
    let mut z = all * tau((all - count(full)) / all);
    for rank in (1..=RANK_BITS).rev() {
        z = (z + count(rank)) * 0.5;
    }
    z += all * sigma(count(0) / all);
    (ALPHA_INFINITE * all * all / z).round() as u64
}

#[expect(clippy::float_cmp, reason = "the series ends where it no longer grows")]
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

#[expect(clippy::float_cmp, reason = "the series ends where it no longer grows")]
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;

    fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_max_bytes: usize) -> bool {
        let (index, rank) = place(element);
        raise(bytes, index, rank, sparse_max_bytes).unwrap()
    }

    #[test]
    fn dense_and_sparse_agree_and_the_estimate_is_near() {
        let (mut small, mut large) = (empty(), empty());
        make_dense(&mut large).unwrap();
        for number in 0_u64..5000 {
            let element = number.to_le_bytes();
            let raised = add(&mut small, &element, 12_000);
            assert_eq!(add(&mut large, &element, 12_000), raised);
            if number.is_power_of_two() || number == 4999 {
                let found = cardinality(&small).unwrap();
                assert_eq!(found, cardinality(&large).unwrap());
                let error = found.abs_diff(number + 1);
                assert!(error <= 1 + number / 20, "{number} {found}");
            }
        }
        assert_eq!(encoding(&small), Ok(Encoding::Sparse));
        make_dense(&mut small).unwrap();
        assert_eq!(small[HEADER_BYTES..], large[HEADER_BYTES..]);
    }

    #[test]
    fn what_is_behind_the_last_register_is_damage() {
        let mut bytes = empty();
        add(&mut bytes, b"one", 3000);
        assert_eq!(cardinality(&bytes), Ok(1));
        for behind in [b"R".as_slice(), b"\0", b"\x80", b"R\0"] {
            let longer = [&bytes, behind].concat();
            assert_eq!(cardinality(&longer), Err(HyperLogLogError::Corrupt));
        }
    }

    #[test]
    fn a_sparse_one_becomes_dense_above_its_limit() {
        let mut bytes = empty();
        let mut number = 0_u64;
        while encoding(&bytes) == Ok(Encoding::Sparse) {
            assert!(bytes.len() <= 300);
            add(&mut bytes, &number.to_le_bytes(), 300);
            number += 1;
        }
        assert_eq!(bytes.len(), DENSE_BYTES);
        assert!(cardinality(&bytes).unwrap().abs_diff(number) <= 5);
    }

    #[test]
    fn a_cardinality_is_cached_until_a_register_rises() {
        let mut bytes = empty();
        assert_eq!(cached_cardinality(&bytes), Some(0));
        assert!(add(&mut bytes, b"a", 3000));
        assert_eq!(cached_cardinality(&bytes), None);
        let (at, cached) = cardinality_bytes(1);
        bytes[at as usize..][..8].copy_from_slice(&cached);
        assert!(!add(&mut bytes, b"a", 3000));
        assert_eq!(cached_cardinality(&bytes), Some(1));
    }

    #[test]
    fn foreign_and_damaged_bytes_are_refused() {
        for bytes in [
            &b""[..],
            b"HYLL",
            &[0; 16],
            b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            assert_eq!(encoding(bytes), Err(HyperLogLogError::Foreign));
        }
        let mut dense = header(0);
        assert_eq!(encoding(&dense), Err(HyperLogLogError::Foreign));
        dense.resize(DENSE_BYTES, 0xff);
        assert!(cardinality(&dense).is_ok());
        for body in [
            &[][..],
            &[0x7f],
            &[0x7f, 0xfe],
            &[0x7f, 0xff, 0x00],
            &[0x80],
        ] {
            let mut bytes = [&header(1)[..], body].concat();
            assert_eq!(
                cardinality(&bytes),
                Err(HyperLogLogError::Corrupt),
                "{body:?}"
            );
            assert!(raise(&mut bytes, REGISTERS - 1, 33, 3000).is_err());
        }
    }
}
