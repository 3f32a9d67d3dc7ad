//! The table of segments: which is free, written, sealed or being cleaned.
//!
//! Owns the states, the live-byte hints, the choice of what to clean and the
//! limits of space. Does not own I/O, scans or images: it is told of them.
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

use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{Random, UnixMillis};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// An image that was begun: see [`SegmentTable::image_begun`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageTicket(u64);

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

#[derive(Clone, Debug)]
struct Segment {
    state: SegmentState,
    incarnation: Incarnation,
    live_bytes: u64,
    /// How many records live; of those from before a restart, as many as have
    /// been found since.
    live_records: u64,
    sealed_at: UnixMillis,
    /// The latest expiry of its records, if all expire.
    dies_at: Option<UnixMillis>,
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
                    live_records: 0,
                    sealed_at: entry.sealed_at,
                    dies_at: None,
                };
            }
        }
        table
    }

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

    /// The sum of live bytes, a hint.
    #[must_use]
    pub fn total_live_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.live_bytes).sum()
    }

    /// What the manifest must keep: all that an image may name, by number.
    #[must_use]
    pub fn entries(&self) -> Vec<SegmentEntry> {
        self.numbered()
            .filter(|(_, segment)| segment.state != SegmentState::Free)
            .map(|(number, segment)| SegmentEntry {
                number,
                incarnation: segment.incarnation,
                live_bytes: segment.live_bytes,
                sealed_at: segment.sealed_at,
            })
            .collect()
    }

    fn numbered(&self) -> impl Iterator<Item = (SegmentNumber, &Segment)> {
        (0..=u16::MAX).map(SegmentNumber).zip(&self.segments)
    }

    fn add_free(&mut self) {
        self.segments.push(Segment {
            state: SegmentState::Free,
            incarnation: Incarnation(0),
            live_bytes: 0,
            live_records: 0,
            sealed_at: UnixMillis(0),
            dies_at: None,
        });
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
            live_bytes: 0,
            live_records: 0,
            sealed_at: UnixMillis(0),
            dies_at: Some(UnixMillis(i64::MIN)),
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
            segment.live_records = segment.live_records.saturating_add(1);
            segment.dies_at = match (segment.dies_at, expiry) {
                (Some(latest), Some(expiry)) => Some(latest.max(expiry)),
                _ => None,
            };
        }
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

    /// The segment's live bytes, a hint.
    #[must_use]
    pub fn live_bytes(&self, number: SegmentNumber) -> u64 {
        self.get(number).map_or(0, |segment| segment.live_bytes)
    }

    /// An active segment is full; says whether it was active.
    pub fn seal(&mut self, number: SegmentNumber, now: UnixMillis) -> bool {
        match self.get_mut(number) {
            Some(segment) if matches!(segment.state, SegmentState::Active(_)) => {
                segment.state = SegmentState::Sealed;
                segment.sealed_at = now;
                true
            }
            _ => false,
        }
    }

    /// The sealed segment whose cleaning gains most, by Rosenblum and
    /// Ousterhout ("The design and implementation of a log-structured file
    /// system", SOSP 1991): free share × age / (1 + live share). A segment
    /// without a live record comes first. `None` if nothing is sealed, or all
    /// that is sealed is full.
    #[must_use]
    pub fn victim(&self, now: UnixMillis) -> Option<SegmentNumber> {
        let score = |segment: &Segment| -> u128 {
            let live_bytes = segment.live_bytes.min(SEGMENT_BYTES);
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
            segment.state = SegmentState::Cleaning {
                scanned_at: Some(now),
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

    /// Bytes of the segments that are not free.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        (self.segments_used() as u64).saturating_mul(SEGMENT_BYTES)
    }

    /// How full the tier is, of the space its segments may take.
    #[must_use]
    pub fn space_state(&self) -> SpaceState {
        let used = (self.segments_used() as u64).saturating_mul(100);
        let allowed = self.segments_allowed() as u64;
        if used >= allowed.saturating_mul(POLICY_PERCENT) {
            SpaceState::Policy
        } else if self.is_device_full || used >= allowed.saturating_mul(AGGRESSIVE_PERCENT) {
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
                    bytes.saturating_add(segment.live_bytes),
                )
            });
        let share = |percent| sealed.saturating_mul(SEGMENT_BYTES / 100 * percent);
        // A full device is full for long; where there is nothing to be gained it
        // is not worn out.
        let target_bytes = match self.space_state() {
            SpaceState::Ample => share(LIVE_TARGET_PERCENT),
            _ if self.is_device_full => share(GAIN_PERCENT),
            _ => u64::MAX,
        };
        has_died || sealed > 0 && live_bytes < target_bytes
    }
}
