//! What a segment is: its size, its name, its lives and its states.
//!
//! Owns the words that the table of segments (`table`), its files (`volume`) and
//! the manifest share, and the numbers that rule the space. Does nothing. Pure.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use thermocline_base::UnixMillis;
use thermocline_base::limits::PAGE_BYTES;

/// A segment's size.
pub const SEGMENT_BYTES: u64 = 32 * 1024 * 1024;
/// Pages of a segment: an address keeps 13 bits for them.
pub const PAGES_PER_SEGMENT: u32 = (SEGMENT_BYTES / PAGE_BYTES as u64) as u32;
/// The most segments: an address keeps 15 bits for them, so a tier has at most
/// 1 TiB.
pub const SEGMENTS_MAX: usize = 1 << 15;
/// Segments that demotion leaves to what frees space.
pub const RESERVED_SEGMENTS: usize = 1;
/// Where space is short, no cleaning begins while so many segments wait for an
/// image: what was relocated takes space until then.
pub const WAITING_SEGMENTS_MAX: usize = 4;
/// Cleaning keeps at least this share of the used space live, in percent.
pub const LIVE_TARGET_PERCENT: u64 = 75;
/// On a full device cleaning goes on while less than this share lives, in
/// percent.
pub const GAIN_PERCENT: u64 = 90;
/// From this share of `tier-max-bytes` on cleaning is aggressive, in percent.
pub const AGGRESSIVE_PERCENT: u64 = 85;
/// From this share of `tier-max-bytes` on the policy rules, in percent.
pub const POLICY_PERCENT: u64 = 95;

/// A segment's number, below [`SEGMENTS_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(pub u16);

impl SegmentNumber {
    /// The segment's file, relative to the data directory.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("tier/{:05}.segment", self.0)
    }
}

/// One life of a segment: 64 random bits, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u64);

/// Records with a like future share a segment, so that segments die whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Demoted records that do not expire soon.
    Fresh,
    /// Records that survived a cleaning.
    Relocated,
    /// Records that expire within the class's time, see [`Stream::TTL_CLASSES_MS`].
    Expiring(u8),
}

impl Stream {
    /// The classes of remaining time to live, in ms: 10 minutes, an hour, six
    /// hours, a day.
    pub const TTL_CLASSES_MS: [i64; 4] = [600_000, 3_600_000, 21_600_000, 86_400_000];

    /// The stream of a record with `expiry`; `relocated` says that it survived
    /// a cleaning.
    #[must_use]
    pub fn of(expiry: Option<UnixMillis>, now: UnixMillis, relocated: bool) -> Self {
        let class = expiry.and_then(|expiry| {
            let left_ms = expiry.0.saturating_sub(now.0);
            Self::TTL_CLASSES_MS
                .iter()
                .position(|&class_ms| left_ms <= class_ms)
        });
        match class {
            Some(class) => Self::Expiring(class as u8),
            None if relocated => Self::Relocated,
            None => Self::Fresh,
        }
    }
}

/// What may be done with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// Nothing durable names it: may be written anew.
    Free,
    /// Its stream appends to it.
    Active(Stream),
    /// Full: read only.
    Sealed,
    /// Its live records are being relocated, or it waits for an image.
    Cleaning {
        /// When the scan finished, in steps of the table's order of events.
        scanned_at: Option<u64>,
    },
}

/// A segment as the manifest keeps it: one that may hold named records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentEntry {
    /// Which.
    pub number: SegmentNumber,
    /// Its life.
    pub incarnation: Incarnation,
    /// Live bytes, a hint.
    pub live_bytes: u64,
    /// When it was sealed.
    pub sealed_at: UnixMillis,
}

/// An image that was begun: see [`super::SegmentTable::image_begun`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageTicket(pub(super) u64);

/// How full the tier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpaceState {
    /// Below [`AGGRESSIVE_PERCENT`].
    Ample,
    /// Clean whatever has anything to gain.
    Aggressive,
    /// `maxmemory-policy` rules: evict, or refuse writes.
    Policy,
}
