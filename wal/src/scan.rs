//! The pure scanner: frames out of the bytes of one segment, and the verdict
//! on what follows the last of them.
//!
//! Owns the watermark rule. Does no I/O; knows neither files nor payloads.
//! Runs on any thread.
//!
//! The rule: bytes after the last valid frame are *torn*, the expected trace
//! of a power cut, unless a later valid frame says by its `durable_lsn` that
//! they had been durable; then they are *corrupt*. That a valid frame follows
//! proves nothing by itself, since a disk may write later blocks first.
//!
//! INVARIANT: a `durable_lsn` is always the end of a frame, so a claim above
//! the start of a frame covers the whole of it.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use crate::frame::{
    FRAME_ALIGNMENT_BYTES, FRAME_HEADER_BYTES, Fault, FrameHeader, FrameKind, TimeMark,
    decode_frame,
};
use thermocline_base::Lsn;

/// One valid frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Position of its first byte.
    pub start: Lsn,
    /// Position after its last byte.
    pub end: Lsn,
    /// What was durable when it was written.
    pub durable_lsn: Lsn,
    /// What it is.
    pub kind: FrameKind,
    /// What it carries.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// The time that it tells, if it is one of those that do.
    #[must_use]
    pub fn time_mark(&self) -> Option<TimeMark> {
        match self.kind {
            FrameKind::Data => None,
            FrameKind::Watermark | FrameKind::Seal => TimeMark::decode(self.payload),
        }
    }
}

/// What follows the last valid frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the bytes end here or go on with zeros.
    End {
        /// Position after the last frame.
        at: Lsn,
        /// Whether the last frame is a seal.
        sealed: bool,
    },
    /// An incomplete tail, which nobody was told is durable.
    Torn {
        /// Position after the last frame.
        at: Lsn,
    },
    /// Damage to what had been durable.
    Corrupt {
        /// Position of the frame that is not valid.
        at: Lsn,
        /// Which check failed there.
        fault: Fault,
        /// What a later valid frame says had been durable.
        claimed_durable: Lsn,
    },
}

impl Verdict {
    /// Position after the last valid frame.
    #[must_use]
    pub const fn at(&self) -> Lsn {
        match self {
            Self::End { at, .. } | Self::Torn { at } | Self::Corrupt { at, .. } => *at,
        }
    }
}

/// Yields the frames of one segment in order; [`Scanner::verdict`] then says
/// why it stopped.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    offset: usize,
    start: Lsn,
    identity: u64,
    sealed: bool,
}

impl<'a> Scanner<'a> {
    /// A scanner over `bytes`, the frames of segment `identity`, the first of
    /// which stands at position `start`. It begins at `from`, which must be
    /// the start of a frame; below `start` it begins there.
    #[must_use]
    pub fn new(bytes: &'a [u8], identity: u64, start: Lsn, from: Lsn) -> Self {
        let offset = usize::try_from(from.bytes_since(start))
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        Self {
            bytes,
            offset,
            start,
            identity,
            sealed: false,
        }
    }

    /// The position reached: the end of the last frame yielded.
    #[must_use]
    pub const fn lsn(&self) -> Lsn {
        self.start.advance(self.offset as u64)
    }

    /// Why no further frame is yielded. To be asked once the iterator has
    /// ended; before that it judges the bytes at [`Scanner::lsn`]. Takes
    /// time linear in the bytes left.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let at = self.lsn();
        let left = self.bytes.get(self.offset..).unwrap_or_default();
        let Err(fault) = decode_frame(left, self.identity, at) else {
            return Verdict::End { at, sealed: false };
        };
        if let Some(claimed_durable) = highest_claim(left, self.identity, at)
            && claimed_durable > at
        {
            return Verdict::Corrupt {
                at,
                fault,
                claimed_durable,
            };
        }
        let next = left.get(..FRAME_HEADER_BYTES).unwrap_or(left);
        if next.iter().all(|byte| *byte == 0) {
            return Verdict::End {
                at,
                sealed: self.sealed,
            };
        }
        Verdict::Torn { at }
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let start = self.lsn();
        let left = self.bytes.get(self.offset..)?;
        let (header, payload) = decode_frame(left, self.identity, start).ok()?;
        self.offset = self.offset.saturating_add(header.frame_bytes());
        self.sealed = header.kind == FrameKind::Seal;
        Some(Frame {
            start,
            end: self.lsn(),
            durable_lsn: header.durable_lsn,
            kind: header.kind,
            payload,
        })
    }
}

/// The highest `durable_lsn` of all headers in `bytes` that are valid for
/// segment `identity` and the place they stand at; `start` is the position of
/// the first of `bytes`. Searches at every 8 bytes.
#[must_use]
pub fn highest_claim(bytes: &[u8], identity: u64, start: Lsn) -> Option<Lsn> {
    let mut highest = None;
    let mut offset = 0_usize;
    while let Some(left) = bytes.get(offset..) {
        if left.len() < FRAME_HEADER_BYTES {
            break;
        }
        if let Ok(header) = FrameHeader::decode(left, identity, start.advance(offset as u64)) {
            highest = highest.max(Some(header.durable_lsn));
        }
        offset = offset.saturating_add(FRAME_ALIGNMENT_BYTES);
    }
    highest
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;
    use crate::frame::{encode_frame, frame_bytes};
    use proptest::prelude::*;

    const IDENTITY: u64 = 0x1234_5678_9abc_def0;

    /// Frames of 10 bytes at 0, 56, 112 …; each knows `durable(its number)`.
    fn log(count: u64, durable: impl Fn(u64) -> u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 0..count {
            let at = Lsn(number * frame_bytes(10) as u64);
            let durable = Lsn(durable(number) * frame_bytes(10) as u64);
            let payload = [number as u8; 10];
            encode_frame(&mut bytes, FrameKind::Data, IDENTITY, at, durable, &payload);
        }
        bytes
    }

    fn scan(bytes: &[u8]) -> (usize, Verdict) {
        let mut scanner = Scanner::new(bytes, IDENTITY, Lsn::ZERO, Lsn::ZERO);
        let count = scanner.by_ref().count();
        (count, scanner.verdict())
    }

    #[test]
    fn damage_below_a_claim_is_corrupt_and_above_it_torn() {
        let mut bytes = log(4, |number| number.min(2));
        bytes[2 * 56 + 45] ^= 1;
        assert_eq!(scan(&bytes), (2, Verdict::Torn { at: Lsn(112) }));
        let mut bytes = log(4, |number| number);
        bytes[56 + 45] ^= 1;
        let (count, verdict) = scan(&bytes);
        assert_eq!(count, 1);
        assert!(matches!(
            verdict,
            Verdict::Corrupt {
                at: Lsn(56),
                claimed_durable: Lsn(168),
                fault: Fault {
                    field: "payload crc",
                    ..
                },
            }
        ));
    }

    #[test]
    fn every_single_bit_flip_is_judged_by_the_watermark() {
        // Each frame knows that all but the one before it are durable.
        let bytes = log(6, |number| number.saturating_sub(1));
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let damaged = bit / 8 / 56;
            let (count, verdict) = scan(&bytes);
            assert_eq!(count, damaged, "bit {bit}");
            // Frame 5 claims frames 0 to 3.
            match verdict {
                Verdict::Corrupt { .. } => assert!(damaged <= 3, "bit {bit}"),
                Verdict::Torn { .. } => assert!(damaged >= 4, "bit {bit}"),
                Verdict::End { .. } => panic!("bit {bit} went unnoticed"),
            }
        }
    }

    #[test]
    fn zeros_end_the_log_and_a_seal_is_told() {
        let mut bytes = log(2, |_| 0);
        let at = Lsn(bytes.len() as u64);
        encode_frame(&mut bytes, FrameKind::Seal, IDENTITY, at, at, &[]);
        let end = Lsn(bytes.len() as u64);
        bytes.resize(4096, 0);
        let sealed = true;
        assert_eq!(scan(&bytes), (3, Verdict::End { at: end, sealed }));
    }

    #[test]
    fn frames_of_another_identity_or_place_do_not_replay() {
        let bytes = log(3, |_| 0);
        let mut scanner = Scanner::new(&bytes, 7, Lsn::ZERO, Lsn::ZERO);
        assert_eq!(scanner.next(), None);
        let mut scanner = Scanner::new(&bytes[56..], IDENTITY, Lsn::ZERO, Lsn::ZERO);
        assert_eq!(scanner.next(), None);
        assert_eq!(scanner.verdict(), Verdict::Torn { at: Lsn::ZERO });
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (_, verdict) = scan(&bytes);
            prop_assert!(verdict.at().0 <= bytes.len() as u64);
        }
    }
}
