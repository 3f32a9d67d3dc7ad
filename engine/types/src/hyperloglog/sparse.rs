//! The sparse registers of a HyperLogLog: run lengths.
//!
//! ```text
//! 00nnnnnn            n + 1 registers of rank 0
//! 01nnnnnn nnnnnnnn   n + 1 registers of rank 0
//! 1rrrrrnn            n + 1 registers of rank r + 1
//! ```
//!
//! Owns how one register is raised in place: where runs are split and joined decides the
//! bytes, which are those of Redis after the same elements. Pure; runs on any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{HEADER_BYTES, HyperLogLogError};

/// Registers of the longest short run of zeros.
const SHORT_ZEROS: usize = 64;
/// Registers of the longest run of zeros.
const LONG_ZEROS: usize = 1 << 14;
/// Registers of the longest run of another rank.
const VALUES: usize = 4;
/// The highest rank a run holds.
const RANK_MAX: u8 = 32;
/// Runs looked at for joining after a change, from the one before it on.
const JOIN_RUNS: usize = 5;

/// Registers in a row that have one rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// How many, at least 1.
    pub length: usize,
    /// Their rank; 0 for zeros.
    pub rank: u8,
    /// Whether it is of the two-byte form.
    pub is_long: bool,
}

impl Run {
    /// What it takes, in bytes.
    pub(super) const fn bytes(self) -> usize {
        if self.is_long { 2 } else { 1 }
    }
}

/// What became of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// It is as high as asked for; whether it was lower.
    Done(bool),
    /// It has to be done on the dense form; nothing was changed.
    TooLarge,
}

fn run_at(body: &[u8], at: usize) -> Option<Run> {
    let first = *body.get(at)?;
    let count = usize::from(first & 0x3f);
    Some(match first >> 6 {
        0 => Run {
            length: count.saturating_add(1),
            rank: 0,
            is_long: false,
        },
        1 => {
            let low = usize::from(*body.get(at.saturating_add(1))?);
            Run {
                length: (count << 8 | low).saturating_add(1),
                rank: 0,
                is_long: true,
            }
        }
        _ => Run {
            length: usize::from(first & 3).saturating_add(1),
            rank: (first >> 2 & 0x1f).saturating_add(1),
            is_long: false,
        },
    })
}

/// The runs of a body; a cut one ends them.
pub fn runs(body: &[u8]) -> impl Iterator<Item = Run> + '_ {
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        let run = run_at(body, at)?;
        at = at.saturating_add(run.bytes());
        Some(run)
    })
}

/// Appends a run of `length` zeros, at most all registers; none for 0.
pub(super) fn put_zeros(out: &mut Vec<u8>, length: usize) {
    let Some(count) = length.min(LONG_ZEROS).checked_sub(1) else {
        return;
    };
    let [low, high, ..] = count.to_le_bytes();
    if length > SHORT_ZEROS {
        out.extend_from_slice(&[0x40 | high, low]);
    } else {
        out.push(low);
    }
}

/// Appends a run of `length` registers, at most four, of a rank of 1 to 32; none for 0.
fn put_values(out: &mut Vec<u8>, rank: u8, length: usize) {
    let Some(count) = length.min(VALUES).checked_sub(1) else {
        return;
    };
    let [low, ..] = count.to_le_bytes();
    out.push(0x80 | rank.saturating_sub(1) << 2 | low);
}

/// Raises register `index` of a whole sparse HyperLogLog.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    index: usize,
    rank: u8,
    max_bytes: usize,
) -> Result<Raised, HyperLogLogError> {
    if rank > RANK_MAX {
        return Ok(Raised::TooLarge);
    }
    let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let (mut at, mut first, mut before) = (0_usize, 0_usize, 0_usize);
    let run = loop {
        let run = run_at(body, at).ok_or(HyperLogLogError::Corrupt)?;
        if index < first.saturating_add(run.length) {
            break run;
        }
        before = at;
        at = at.saturating_add(run.bytes());
        first = first.saturating_add(run.length);
    };
    if run.rank >= rank {
        return Ok(Raised::Done(false));
    }
    let left = index.saturating_sub(first);
    let right = run.length.saturating_sub(left).saturating_sub(1);
    let mut split = Vec::with_capacity(5);
    let put = |out: &mut Vec<u8>, length: usize| match run.rank {
        0 => put_zeros(out, length),
        rank => put_values(out, rank, length),
    };
    put(&mut split, left);
    put_values(&mut split, rank, 1);
    put(&mut split, right);
    let grown = split.len().saturating_sub(run.bytes());
    if grown > 0 && bytes.len().saturating_add(grown) > max_bytes {
        return Ok(Raised::TooLarge);
    }
    let start = HEADER_BYTES.saturating_add(at);
    bytes.splice(start..start.saturating_add(run.bytes()), split);
    join(bytes, before);
    Ok(Raised::Done(true))
}

/// Joins neighbouring runs of one rank, from the run at `at` of the body on.
fn join(bytes: &mut Vec<u8>, at: usize) {
    let mut at = at;
    for _ in 0..JOIN_RUNS {
        let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let Some(run) = run_at(body, at) else { return };
        let next_at = at.saturating_add(run.bytes());
        let next = run_at(body, next_at).filter(|next| run.rank > 0 && next.rank == run.rank);
        let joined = next.map_or(usize::MAX, |next| run.length.saturating_add(next.length));
        if joined > VALUES {
            at = next_at;
            continue;
        }
        let mut whole = Vec::with_capacity(1);
        put_values(&mut whole, run.rank, joined);
        let start = HEADER_BYTES.saturating_add(at);
        bytes.splice(start..start.saturating_add(2), whole);
    }
}
