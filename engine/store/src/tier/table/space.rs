//! How much space the segments take, how much they may, and what is cleaned next.
//!
//! Owns the limits and the choices that follow from the table. Does not change
//! a segment. Under the table's lock.

use super::{Segment, SegmentTable};
use crate::tier::segment::{
    AGGRESSIVE_PERCENT, GAIN_PERCENT, LIVE_TARGET_PERCENT, POLICY_PERCENT, RESERVED_SEGMENTS,
    SEGMENT_BYTES, SEGMENTS_MAX, SegmentNumber, SegmentState, SpaceState, Stream,
    WAITING_SEGMENTS_MAX,
};
use thermocline_base::UnixMillis;

impl SegmentTable {
    /// Changes `tier-max-bytes`. Segments beyond it stay until they are cleaned.
    pub const fn set_tier_max_bytes(&mut self, tier_max_bytes: u64) {
        self.tier_max_bytes = tier_max_bytes;
    }

    /// Whether every stream may go beyond `tier-max-bytes`: while a checkpoint
    /// is made. Only it frees segments and the log, and what it writes is in
    /// memory already.
    pub const fn set_may_exceed(&mut self, may_exceed: bool) {
        self.may_exceed = may_exceed;
    }

    /// Whether the device gave no segment when it was asked last: whatever there
    /// is to be gained by cleaning is wanted.
    pub const fn set_device_full(&mut self, is_full: bool) {
        self.is_device_full = is_full;
    }

    /// Whether the device has little room left for the segments and the log: what was cleaned
    /// must become free before more is, for until then it takes room twice.
    pub const fn set_device_short(&mut self, is_short: bool) {
        self.is_device_short = is_short;
    }

    /// Whether the live records take all of `tier-max-bytes` that cleaning could
    /// leave them: a hint, as live bytes are.
    #[must_use]
    pub fn is_full_of_live(&self) -> bool {
        let allowed = (self.segments_allowed() as u64).saturating_mul(SEGMENT_BYTES);
        self.space_state() == SpaceState::Policy
            && self.total_live_bytes() >= allowed / 100 * LIVE_TARGET_PERCENT
    }

    /// How many segments wait for an image to become free.
    #[must_use]
    pub fn segments_waiting(&self) -> usize {
        let waits = |it: &&Segment| {
            matches!(
                it.state,
                SegmentState::Cleaning {
                    scanned_at: Some(_)
                }
            )
        };
        self.segments.iter().filter(waits).count()
    }

    /// The sum of [`SegmentTable::live_bytes`].
    #[must_use]
    pub fn total_live_bytes(&self) -> u64 {
        let bytes = self.segments.iter().map(Segment::live_page_bytes);
        bytes.fold(0, u64::saturating_add)
    }

    /// The most segments `tier-max-bytes` allows.
    #[must_use]
    pub fn segments_allowed(&self) -> usize {
        usize::try_from(self.tier_max_bytes / SEGMENT_BYTES)
            .unwrap_or(usize::MAX)
            .min(SEGMENTS_MAX)
    }

    /// How many segments are not free.
    #[must_use]
    pub fn segments_used(&self) -> usize {
        self.segments
            .iter()
            .filter(|segment| segment.state != SegmentState::Free)
            .count()
    }

    /// Whether `stream` frees space now, so that it may use what others may not.
    #[must_use]
    pub fn may_exceed_for(&self, stream: Stream) -> bool {
        self.may_exceed || stream == Stream::Relocated
    }

    /// The free segments that will be used next: `wanted`, or as many as
    /// `tier-max-bytes` leaves, but at least [`RESERVED_SEGMENTS`].
    #[must_use]
    pub fn reserve(&self, wanted: usize) -> Vec<SegmentNumber> {
        let left = self.segments_allowed().saturating_sub(self.segments_used());
        let wanted = wanted.min(left.max(RESERVED_SEGMENTS));
        (0..SEGMENTS_MAX as u16)
            .map(SegmentNumber)
            .filter(|&number| self.state(number) == SegmentState::Free)
            .take(wanted)
            .collect()
    }

    /// Bytes of the segments that are not free.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        (self.segments_used() as u64).saturating_mul(SEGMENT_BYTES)
    }

    /// Whether the segments take this much of what they may.
    fn uses(&self, percent: u64) -> bool {
        let used = (self.segments_used() as u64).saturating_mul(100);
        used >= (self.segments_allowed() as u64).saturating_mul(percent)
    }

    /// How full the tier is, of the space its segments may take.
    #[must_use]
    pub fn space_state(&self) -> SpaceState {
        if self.uses(POLICY_PERCENT) {
            SpaceState::Policy
        } else if self.is_device_full || self.is_device_short || self.uses(AGGRESSIVE_PERCENT) {
            SpaceState::Aggressive
        } else {
            SpaceState::Ample
        }
    }

    /// Whether a segment should be cleaned: the sealed ones hold less than
    /// [`LIVE_TARGET_PERCENT`] live, all records of one have expired, or space
    /// is short.
    #[must_use]
    pub fn cleaning_due(&self, now: UnixMillis) -> bool {
        if self.space_state() != SpaceState::Ample
            && self.segments_waiting() >= WAITING_SEGMENTS_MAX
        {
            return false;
        }
        let has_died = self.segments.iter().any(|segment| {
            segment.state == SegmentState::Sealed
                && segment.dies_at.is_some_and(|dies_at| dies_at < now)
        });
        let (sealed, live_bytes) = self
            .segments
            .iter()
            .filter(|segment| segment.state == SegmentState::Sealed)
            .fold((0_u64, 0_u64), |(count, bytes), segment| {
                (
                    count.saturating_add(1),
                    bytes.saturating_add(segment.live_page_bytes()),
                )
            });
        let share = |percent| sealed.saturating_mul(SEGMENT_BYTES / 100 * percent);
        // A full device is full for long; where there is nothing to be gained it
        // is not worn out.
        let target_bytes = match self.space_state() {
            SpaceState::Ample => share(LIVE_TARGET_PERCENT),
            _ if self.is_device_full => share(GAIN_PERCENT),
            _ if !self.uses(AGGRESSIVE_PERCENT) => share(LIVE_TARGET_PERCENT),
            _ => u64::MAX,
        };
        has_died || sealed > 0 && live_bytes < target_bytes
    }

    /// The sealed segment whose cleaning gains most, by Rosenblum and
    /// Ousterhout ("The design and implementation of a log-structured file
    /// system", SOSP 1991): free share × age / (1 + live share). A segment
    /// without a live record comes first. `None` if nothing is sealed, or all
    /// that is sealed is full.
    #[must_use]
    pub fn victim(&self, now: UnixMillis) -> Option<SegmentNumber> {
        let score = |segment: &Segment| -> u128 {
            let live_bytes = segment.live_page_bytes().min(SEGMENT_BYTES);
            let expired = segment.dies_at.is_some_and(|dies_at| dies_at < now);
            if live_bytes == 0 || expired {
                return u128::MAX;
            }
            let age_ms = now.0.saturating_sub(segment.sealed_at.0).max(1);
            let benefit = u128::from(SEGMENT_BYTES.saturating_sub(live_bytes))
                .saturating_mul(u128::from(age_ms.unsigned_abs()))
                .saturating_mul(1 << 20);
            benefit / u128::from(SEGMENT_BYTES.saturating_add(live_bytes))
        };
        self.numbered()
            .filter(|(_, segment)| segment.state == SegmentState::Sealed)
            .map(|(number, segment)| (score(segment), std::cmp::Reverse(number)))
            .filter(|&(score, _)| score > 0)
            .max()
            .map(|(_, std::cmp::Reverse(number))| number)
    }
}
