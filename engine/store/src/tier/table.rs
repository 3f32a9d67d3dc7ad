//! The table of segments: which is free, written, sealed or being cleaned.
//!
//! Owns the states, the live-byte hints and, in `space`, the limits of space and
//! the choice of what to clean. Does not own I/O, scans or images: it is told
//! of them.
//! One instance behind one lock; every operation is short, except the choice
//! of a victim, which walks the table.
//!
//! ```text
//! free -> active -> sealed -> cleaning -> free
//! ```
//!
//! INVARIANT: a segment becomes free only after a scan of it against the index
//! has finished *and* an image begun after that scan is durable. The scan has
//! relocated what lives; the older durable image may still name the old
//! places, and a crash would read them. That holds for a segment that died by
//! overwrites or expiry too.
//!
//! INVARIANT: each life of a segment has a fresh random incarnation, so a page
//! left over from an earlier life is never believed. The generator must be
//! seeded by the operating system at every start, never from the manifest.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

mod space;

use super::segment::{
    ImageTicket, Incarnation, RESERVED_SEGMENTS, SEGMENT_BYTES, SEGMENTS_MAX, SegmentEntry,
    SegmentNumber, SegmentState, Stream,
};
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{Random, UnixMillis};

#[derive(Clone, Debug)]
struct Segment {
    state: SegmentState,
    incarnation: Incarnation,
    /// What the records take that live.
    live_bytes: u64,
    /// What all records took that were written in this life; 0 if that was before a restart.
    filled_bytes: u64,
    /// What their pages take; 0 until the segment is sealed, and if that was before a
    /// restart.
    page_bytes: u64,
    /// How many records live; of those from before a restart, as many as have
    /// been found since.
    live_records: u64,
    sealed_at: UnixMillis,
    /// The latest expiry of its records, if all expire.
    dies_at: Option<UnixMillis>,
}

impl Segment {
    const FREE: Self = Self {
        state: SegmentState::Free,
        incarnation: Incarnation(0),
        live_bytes: 0,
        filled_bytes: 0,
        page_bytes: 0,
        live_records: 0,
        sealed_at: UnixMillis(0),
        dies_at: None,
    };

    /// What its live records take with their share of the ends of pages where nothing
    /// fits: cleaning wins none of these back.
    fn live_page_bytes(&self) -> u64 {
        if self.page_bytes == 0 || self.filled_bytes == 0 {
            return self.live_bytes;
        }
        let scaled = u128::from(self.live_bytes) * u128::from(self.page_bytes)
            / u128::from(self.filled_bytes);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// The segments of a tier.
#[derive(Clone, Debug)]
pub struct SegmentTable {
    segments: Vec<Segment>,
    tier_max_bytes: u64,
    /// See [`SegmentTable::set_may_exceed`].
    may_exceed: bool,
    /// See [`SegmentTable::set_device_full`].
    is_device_full: bool,
    /// See [`SegmentTable::set_device_short`].
    is_device_short: bool,
    random: Random,
    /// Orders the ends of scans and the beginnings of images.
    events: u64,
}

impl SegmentTable {
    /// An empty table for at most `tier_max_bytes`. `random` must be seeded by
    /// the operating system.
    #[must_use]
    pub fn new(tier_max_bytes: u64, random: Random) -> Self {
        Self {
            segments: Vec::new(),
            tier_max_bytes,
            may_exceed: false,
            is_device_full: false,
            is_device_short: false,
            random,
            events: 0,
        }
    }

    /// The table after a restart. Every segment an image may name is sealed:
    /// a half-written one is never appended to, and scans start over.
    #[must_use]
    pub fn recover(tier_max_bytes: u64, random: Random, entries: &[SegmentEntry]) -> Self {
        let mut table = Self::new(tier_max_bytes, random);
        for entry in entries {
            let index = usize::from(entry.number.0);
            while table.segments.len() <= index {
                table.add_free();
            }
            if let Some(segment) = table.segments.get_mut(index) {
                *segment = Segment {
                    state: SegmentState::Sealed,
                    incarnation: entry.incarnation,
                    live_bytes: entry.live_bytes,
                    sealed_at: entry.sealed_at,
                    ..Segment::FREE
                };
            }
        }
        table
    }

    /// What the manifest must keep: all that an image may name, by number.
    #[must_use]
    pub fn entries(&self) -> Vec<SegmentEntry> {
        self.numbered()
            .filter(|(_, segment)| segment.state != SegmentState::Free)
            .map(|(number, segment)| SegmentEntry {
                number,
                incarnation: segment.incarnation,
                live_bytes: segment.live_page_bytes(),
                sealed_at: segment.sealed_at,
            })
            .collect()
    }

    fn numbered(&self) -> impl Iterator<Item = (SegmentNumber, &Segment)> {
        (0..=u16::MAX).map(SegmentNumber).zip(&self.segments)
    }

    fn add_free(&mut self) {
        self.segments.push(Segment::FREE);
    }

    fn get(&self, number: SegmentNumber) -> Option<&Segment> {
        self.segments.get(usize::from(number.0))
    }

    fn get_mut(&mut self, number: SegmentNumber) -> Option<&mut Segment> {
        self.segments.get_mut(usize::from(number.0))
    }

    /// The segment's state; a segment never used is free.
    #[must_use]
    pub fn state(&self, number: SegmentNumber) -> SegmentState {
        self.get(number)
            .map_or(SegmentState::Free, |segment| segment.state)
    }

    /// The segment's present life, unless it is free.
    #[must_use]
    pub fn incarnation(&self, number: SegmentNumber) -> Option<Incarnation> {
        self.get(number)
            .filter(|segment| segment.state != SegmentState::Free)
            .map(|segment| segment.incarnation)
    }

    /// Gives `stream` a free segment with a fresh incarnation. `None` if there
    /// is none, or only the [`RESERVED_SEGMENTS`] within `tier-max-bytes`. What
    /// frees space may go beyond: [`Stream::Relocated`], and all while
    /// [`SegmentTable::set_may_exceed`] says so.
    pub fn activate(&mut self, stream: Stream) -> Option<(SegmentNumber, Incarnation)> {
        let used = self.segments_used();
        let limit = if self.may_exceed_for(stream) {
            SEGMENTS_MAX
        } else {
            self.segments_allowed().saturating_sub(RESERVED_SEGMENTS)
        };
        if used >= limit {
            return None;
        }
        let free = self
            .segments
            .iter()
            .position(|segment| segment.state == SegmentState::Free);
        let index = free.unwrap_or_else(|| {
            self.add_free();
            self.segments.len().saturating_sub(1)
        });
        let incarnation = self.fresh_incarnation();
        let number = SegmentNumber(u16::try_from(index).ok()?);
        *self.get_mut(number)? = Segment {
            state: SegmentState::Active(stream),
            incarnation,
            dies_at: Some(UnixMillis(i64::MIN)),
            ..Segment::FREE
        };
        Some((number, incarnation))
    }

    /// An active segment is free again: its file cannot be had, or nothing was
    /// written to it in whole, so that no address in it may be used.
    pub fn give_back(&mut self, number: SegmentNumber) {
        if let Some(segment) = self.get_mut(number)
            && matches!(segment.state, SegmentState::Active(_))
        {
            segment.state = SegmentState::Free;
            segment.live_bytes = 0;
            segment.live_records = 0;
        }
    }

    /// Neither 0 nor the present or last life of any segment.
    fn fresh_incarnation(&mut self) -> Incarnation {
        loop {
            let incarnation = Incarnation(self.random.next_u64());
            let taken = self
                .segments
                .iter()
                .any(|segment| segment.incarnation == incarnation);
            if incarnation.0 != 0 && !taken {
                return incarnation;
            }
        }
    }

    /// A record of `bytes` was written to the segment, or found alive in it.
    pub fn record_written(
        &mut self,
        number: SegmentNumber,
        bytes: u64,
        expiry: Option<UnixMillis>,
    ) {
        if let Some(segment) = self.get_mut(number) {
            segment.live_bytes = segment.live_bytes.saturating_add(bytes);
            segment.filled_bytes = segment.filled_bytes.saturating_add(bytes);
            segment.live_records = segment.live_records.saturating_add(1);
            segment.dies_at = match (segment.dies_at, expiry) {
                (Some(latest), Some(expiry)) => Some(latest.max(expiry)),
                _ => None,
            };
        }
    }

    /// Whether records were written to the segment, and all of them have expired.
    #[must_use]
    pub fn has_expired(&self, number: SegmentNumber, now: UnixMillis) -> bool {
        let dies_at = self.get(number).and_then(|segment| segment.dies_at);
        dies_at.is_some_and(|dies_at| dies_at > UnixMillis(i64::MIN) && dies_at < now)
    }

    /// A record of `bytes` in the segment was overwritten, deleted or moved.
    pub fn record_died(&mut self, number: SegmentNumber, bytes: u64) {
        if let Some(segment) = self.get_mut(number) {
            segment.live_bytes = segment.live_bytes.saturating_sub(bytes);
            segment.live_records = segment.live_records.saturating_sub(1);
        }
    }

    /// Records that were in the segment before the restart live.
    pub fn records_found(&mut self, number: SegmentNumber, records: u64) {
        if let Some(segment) = self.get_mut(number) {
            segment.live_records = segment.live_records.saturating_add(records);
        }
    }

    /// A record of the segment is no longer wanted, and nobody knows how long it
    /// is: it counts as the average of the segment. All records from before the
    /// restart have been found.
    pub fn unread_record_died(&mut self, number: SegmentNumber) {
        if let Some(segment) = self.get_mut(number) {
            let records = segment.live_records.max(1);
            let bytes = segment.live_bytes.checked_div(records).unwrap_or(0);
            segment.live_records = segment.live_records.saturating_sub(1);
            segment.live_bytes = if segment.live_records == 0 {
                0
            } else {
                segment.live_bytes.saturating_sub(bytes)
            };
        }
    }

    /// The segment is damaged: it looks full from now on, so that it is let alone.
    pub fn let_alone(&mut self, number: SegmentNumber) {
        if let Some(segment) = self.get_mut(number) {
            segment.live_bytes = 2 * SEGMENT_BYTES;
            segment.page_bytes = 0;
        }
    }

    /// What the live records of the segment take, a hint: once it is sealed with their
    /// share of the ends of pages.
    #[must_use]
    pub fn live_bytes(&self, number: SegmentNumber) -> u64 {
        self.get(number).map_or(0, Segment::live_page_bytes)
    }

    /// An active segment takes no more than the `pages` it has; says whether it was active.
    pub fn seal(&mut self, number: SegmentNumber, pages: u32, now: UnixMillis) -> bool {
        match self.get_mut(number) {
            Some(segment) if matches!(segment.state, SegmentState::Active(_)) => {
                segment.state = SegmentState::Sealed;
                segment.page_bytes = u64::from(pages) * PAGE_BYTES as u64;
                segment.sealed_at = now;
                true
            }
            _ => false,
        }
    }

    /// A sealed segment's scan begins; says whether it was sealed.
    pub fn begin_cleaning(&mut self, number: SegmentNumber) -> bool {
        match self.get_mut(number) {
            Some(segment) if segment.state == SegmentState::Sealed => {
                segment.state = SegmentState::Cleaning { scanned_at: None };
                true
            }
            _ => false,
        }
    }

    /// The scan is given up: the segment is sealed again. Has no effect once
    /// the scan has finished.
    pub fn abandon_cleaning(&mut self, number: SegmentNumber) {
        if let Some(segment) = self.get_mut(number)
            && segment.state == (SegmentState::Cleaning { scanned_at: None })
        {
            segment.state = SegmentState::Sealed;
        }
    }

    /// The scan has compared every record of the segment with the index and
    /// relocated those that live. The segment now waits for an image.
    pub fn finish_scan(&mut self, number: SegmentNumber) {
        let now = self.next_event();
        if let Some(segment) = self.get_mut(number)
            && segment.state == (SegmentState::Cleaning { scanned_at: None })
        {
            segment.state = if is_planted(Bug::SegmentFreedEarly) {
                SegmentState::Free
            } else {
                SegmentState::Cleaning {
                    scanned_at: Some(now),
                }
            };
            segment.live_bytes = 0;
            segment.live_records = 0;
        }
    }

    /// An image begins. An image that fails is simply never reported durable.
    pub fn image_begun(&mut self) -> ImageTicket {
        ImageTicket(self.next_event())
    }

    /// The image, and the manifest that names it, are durable. Frees, and
    /// returns, the segments whose scan had finished before the image began.
    pub fn image_durable(&mut self, image: ImageTicket) -> Vec<SegmentNumber> {
        let mut freed = Vec::new();
        for (number, segment) in (0..=u16::MAX).map(SegmentNumber).zip(&mut self.segments) {
            if let SegmentState::Cleaning {
                scanned_at: Some(scanned_at),
            } = segment.state
                && scanned_at < image.0
            {
                segment.state = SegmentState::Free;
                segment.live_bytes = 0;
                freed.push(number);
            }
        }
        freed
    }

    fn next_event(&mut self) -> u64 {
        self.events = self.events.saturating_add(1);
        self.events
    }
}
