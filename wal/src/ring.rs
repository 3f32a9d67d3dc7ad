//! The ring between appenders and the flusher: reservation, copy, publication.
//!
//! Owns the memory of frames not yet durable and the log's positions. Does no
//! I/O and computes no crc. Appenders run [`Ring::try_credit`] and
//! [`Ring::append`] on any thread and never block; one flusher runs the rest.
//!
//! The word of position `lsn` is `lsn / 8` modulo the ring. A frame takes here
//! exactly the bytes it takes in the log; of its header only the first word is
//! used, which holds `PUBLISHED | kind << 32 | length`.
//!
//! INVARIANT: free + credits taken + bytes between released and appended is
//! the ring's size, so a reservation under a credit never meets words in use.
//! INVARIANT: every word outside released..appended is zero, so a frame that is
//! reserved but not yet published reads as zero.
//! ORDERING: an appender stores the other words, then the first with Release;
//! the flusher loads that with Acquire. The flusher zeroes words, then gives
//! their bytes back with Release; a credit is taken with Acquire.

use super::sync::{AtomicU64, Ordering};
use crate::frame::{FRAME_HEADER_BYTES, FrameKind, TimeMark, frame_bytes};
use thermocline_base::Lsn;

const PUBLISHED: u64 = 1 << 63;
/// Kept out of the appenders' reach, for the seal.
pub(crate) const FLUSHER_RESERVE_BYTES: u64 = frame_bytes(TimeMark::BYTES) as u64;

/// Room in the ring, for one frame. Dropped unused, it goes back.
#[derive(Debug)]
#[must_use]
pub struct Credit<'a> {
    ring: &'a Ring,
    bytes: u64,
}

impl Drop for Credit<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.ring.free.fetch_add(self.bytes, Ordering::Release);
        }
    }
}

/// Where a frame stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of its first byte.
    pub start: Lsn,
    /// Position after its last byte: durable once `durable_lsn` is this high.
    pub end: Lsn,
}

/// A published frame, seen by the flusher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) length: u32,
    pub(crate) kind: FrameKind,
}

#[derive(Debug)]
pub(crate) struct Ring {
    words: Box<[AtomicU64]>,
    free: AtomicU64,
    appended: AtomicU64,
    frame_max_bytes: u64,
}

impl Ring {
    /// A ring of `bytes`, rounded up to a power of two of at least 4 KiB; the
    /// next frame stands at `start`, a multiple of 8.
    pub(crate) fn new(bytes: usize, frame_max_bytes: usize, start: Lsn) -> Self {
        let bytes = bytes.max(4096).next_power_of_two();
        Self {
            words: (0..bytes / 8).map(|_| AtomicU64::new(0)).collect(),
            free: AtomicU64::new(bytes as u64 - FLUSHER_RESERVE_BYTES),
            appended: AtomicU64::new(start.0),
            frame_max_bytes: frame_max_bytes as u64,
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.words.len() as u64 * 8
    }

    pub(crate) fn appended_lsn(&self) -> Lsn {
        Lsn(self.appended.load(Ordering::Acquire))
    }

    /// Room that no credit holds, in bytes.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    /// The words from `at` on, `bytes` of them: up to the ring's end, and from its start.
    fn words(&self, at: Lsn, bytes: u64) -> (&[AtomicU64], &[AtomicU64]) {
        let (from_start, to_end) = self.words.split_at(self.index(at));
        let count = (bytes / 8) as usize;
        let first = count.min(to_end.len());
        (&to_end[..first], &from_start[..count - first])
    }

    fn index(&self, at: Lsn) -> usize {
        (at.0 / 8) as usize & (self.words.len() - 1)
    }

    fn word(&self, at: Lsn) -> &AtomicU64 {
        &self.words[self.index(at)]
    }

    /// Room for a frame with at most `payload_bytes` of payload; `None` if the
    /// ring is too full now, or the frame too large ever.
    pub(crate) fn try_credit(&self, payload_bytes: usize) -> Option<Credit<'_>> {
        let bytes = frame_bytes(payload_bytes) as u64;
        if bytes > self.frame_max_bytes {
            return None;
        }
        self.free
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |free| {
                free.checked_sub(bytes)
            })
            .ok()?;
        Some(Credit { ring: self, bytes })
    }

    /// Appends one frame whose payload is the concatenation of `parts`.
    ///
    /// # Panics
    /// If the payload is larger than the credit, or the credit another log's.
    pub(crate) fn append(&self, credit: Credit<'_>, parts: &[&[u8]]) -> Appended {
        self.append_as(FrameKind::Data, credit, parts)
    }

    /// Appends a watermark.
    pub(crate) fn append_mark(&self, credit: Credit<'_>, mark: &TimeMark) -> Appended {
        self.append_as(FrameKind::Watermark, credit, &[&mark.encode()])
    }

    fn append_as(&self, kind: FrameKind, mut credit: Credit<'_>, parts: &[&[u8]]) -> Appended {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let bytes = frame_bytes(length) as u64;
        assert!(bytes <= credit.bytes, "a frame is larger than its credit");
        assert!(std::ptr::eq(credit.ring, self), "a credit of another log");
        credit.bytes -= bytes; // The rest goes back as the credit drops.
        self.append_reserved(kind, length, parts)
    }

    /// Appends the seal, on the flusher's own reserve.
    pub(crate) fn append_seal(&self, mark: &TimeMark) -> Appended {
        self.append_reserved(FrameKind::Seal, TimeMark::BYTES, &[&mark.encode()])
    }

    fn append_reserved(&self, kind: FrameKind, length: usize, parts: &[&[u8]]) -> Appended {
        let bytes = frame_bytes(length) as u64;
        let start = Lsn(self.appended.fetch_add(bytes, Ordering::AcqRel));
        let mut at = self.index(start.advance(FRAME_HEADER_BYTES as u64));
        let mask = self.words.len() - 1;
        let mut put = |word: u64| {
            self.words[at & mask].store(word, Ordering::Relaxed);
            at += 1;
        };
        // The bytes that do not fill a word yet, and how many bits they are.
        let (mut word, mut bits) = (0_u64, 0_u32);
        for part in parts {
            let (words, rest) = part.as_chunks::<8>();
            for next in words {
                let next = u64::from_le_bytes(*next);
                put(word | next << bits);
                word = next.checked_shr(64 - bits).unwrap_or(0);
            }
            let rest_bits = 8 * rest.len() as u32;
            let next = match part.last_chunk::<8>() {
                // The rest are the last of these eight bytes.
                Some(last) => (u64::from_le_bytes(*last).checked_shr(64 - rest_bits)).unwrap_or(0),
                None => (rest.iter().rev()).fold(0, |next, byte| next << 8 | u64::from(*byte)),
            };
            word |= next << bits;
            bits += rest_bits;
            if bits >= 64 {
                put(word);
                bits -= 64;
                word = next.checked_shr(rest_bits - bits).unwrap_or(0);
            }
        }
        if bits > 0 {
            put(word);
        }
        let first = PUBLISHED | (kind as u64) << 32 | length as u64;
        self.word(start).store(first, Ordering::Release);
        Appended {
            start,
            end: start.advance(bytes),
        }
    }

    /// The frame at `at`, if it is published.
    pub(crate) fn published(&self, at: Lsn) -> Option<Published> {
        let word = self.word(at).load(Ordering::Acquire);
        if at >= self.appended_lsn() || word & PUBLISHED == 0 {
            return None;
        }
        Some(Published {
            length: word as u32,
            kind: FrameKind::from_number((word >> 32) as u32 & 0xff)?,
        })
    }

    /// Copies the payload of the published frame at `at`, padding included;
    /// `out` is a multiple of 8 bytes long.
    pub(crate) fn copy_payload(&self, at: Lsn, out: &mut [u8]) {
        let at = at.advance(FRAME_HEADER_BYTES as u64);
        let (to_end, from_start) = self.words(at, out.len() as u64);
        let (out, _) = out.as_chunks_mut::<8>();
        let (first, second) = out.split_at_mut(to_end.len());
        for (out, words) in [(first, to_end), (second, from_start)] {
            for (bytes, word) in out.iter_mut().zip(words) {
                *bytes = word.load(Ordering::Relaxed).to_le_bytes();
            }
        }
    }

    /// Zeroes the words of `from..to`, which no one needs any more, and gives
    /// them back to the appenders.
    pub(crate) fn release(&self, from: Lsn, to: Lsn) {
        let (to_end, from_start) = self.words(from, to.bytes_since(from));
        for word in to_end.iter().chain(from_start) {
            word.store(0, Ordering::Relaxed);
        }
        self.free.fetch_add(to.bytes_since(from), Ordering::Release);
    }
}
