//! The flusher: published frames to the disk, and the news of what is durable.
//!
//! Owns the active segment and the stamps of frames. One thread runs it, or a
//! test steps it.
//!
//! INVARIANT: only the active segment holds bytes that are not durable; all of
//! them are still in the ring.
//! DURABILITY: after a failed write or sync the file is never written or synced
//! again, since the kernel may have dropped the dirty pages and a second sync
//! would say OK. The next step writes everything from `durable_lsn` on to a new
//! segment, syncs and reads it back, and only then tells anyone.

use crate::error::WalError;
use crate::frame::{
    FRAME_HEADER_BYTES, Fault, FrameHeader, FrameKind, SEGMENT_HEADER_BYTES, TimeMark, frame_bytes,
};
use crate::log::{Policy, Shared, Status};
use crate::scan::Scanner;
use crate::segments::Segments;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::checksum::crc32;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{Clock, Lsn, UnixMillis};
use thermocline_disk::{AlignedBuffer, File};

const SYNC_INTERVAL: Duration = Duration::from_millis(500);
/// How often the log of a server that is written to tells the time: so close can a
/// moment be found again.
const MARK_INTERVAL: Duration = Duration::from_millis(100);

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of frames written.
    pub written_bytes: u64,
    /// Whether `durable_lsn` moved.
    pub synced: bool,
    /// Whether more published frames wait already.
    pub more: bool,
}

struct Active {
    file: File,
    identity: u64,
    start: Lsn,
    /// File offset of the block that `batch` begins with.
    block_offset: u64,
    /// How much of that block is written already.
    kept_bytes: usize,
    /// Begun to rescue what another file could not make durable.
    rescue: bool,
}

/// Writes and syncs the log. See the module.
pub struct Flusher {
    pub(crate) shared: Arc<Shared>,
    pub(crate) segments: Segments,
    pub(crate) clock: Clock,
    pub(crate) segment_bytes: u64,
    pub(crate) batch: AlignedBuffer,
    active: Option<Active>,
    written: Lsn,
    durable: Lsn,
    /// The highest claim written, and the end of the last frame that is not
    /// the flusher's own.
    claimed: Lsn,
    content_end: Lsn,
    /// The end of the last watermark, and when it was appended.
    marked: Lsn,
    last_mark: Duration,
    last_sync: Duration,
    house_rests_until: Duration,
    failed_before: bool,
    /// What the users of the log see.
    shown: Status,
    /// Whether the last try to prepare a segment failed.
    lacks_spare: bool,
}

impl Flusher {
    pub(crate) fn new(
        shared: Arc<Shared>,
        segments: Segments,
        clock: Clock,
        segment_bytes: u64,
        frame_max_bytes: usize,
    ) -> Self {
        let start = shared.durable_lsn();
        let last_sync = clock.monotonic();
        Self {
            shared,
            segments,
            clock,
            segment_bytes,
            batch: AlignedBuffer::new((frame_max_bytes + PAGE_BYTES).next_multiple_of(PAGE_BYTES)),
            active: None,
            written: start,
            durable: start,
            claimed: start,
            content_end: start,
            marked: start,
            last_mark: last_sync,
            last_sync,
            house_rests_until: Duration::ZERO,
            failed_before: false,
            shown: Status::Ready,
            lacks_spare: false,
        }
    }

    /// Writes one batch of what is published, syncs as the policy says, and
    /// retires what is not needed.
    ///
    /// # Errors
    /// What the disk refused. [`crate::Wal::status`] then says so, nothing
    /// acknowledged is lost, and the next step tries again with a new segment.
    pub fn step(&mut self) -> Result<Progress, WalError> {
        let result = self.try_step();
        match &result {
            Ok(_) if self.active.is_some() => {
                self.failed_before = false;
                self.show_status();
            }
            Ok(_) => {}
            Err(error) => {
                if !is_planted(Bug::SyncedAgain) {
                    self.active = None;
                    self.written = self.durable;
                }
                self.failed_before = true;
                self.shown = Status::Refusing {
                    reason: error.to_string(),
                };
                self.shared.set_status(self.shown.clone());
            }
        }
        result
    }

    /// After a step that went well: the log takes writes if there is a file for
    /// its next segment.
    fn show_status(&mut self) {
        let status = self.segments.shortage().map_or(Status::Ready, |reason| {
            let reason = reason.to_owned();
            Status::Refusing { reason }
        });
        if status != self.shown {
            self.shown = status.clone();
            self.shared.set_status(status);
        }
    }

    fn try_step(&mut self) -> Result<Progress, WalError> {
        let before = self.durable;
        if self.active.is_none() {
            self.begin(false)?;
        }
        self.mark();
        let written_bytes = self.write_batch()?;
        let more = self.shared.ring.published(self.written).is_some();
        if self.sync_is_due() {
            self.sync()?;
        }
        self.keep_house(written_bytes == 0);
        Ok(Progress {
            written_bytes,
            synced: self.durable > before,
            more,
        })
    }

    /// Retires segments and, when there is time, prepares the next ones. That
    /// this fails, on a full device for instance, hurts no one before the last
    /// one is in use; it is tried again now and then, and told once.
    fn keep_house(&mut self, idle: bool) {
        if self.clock.monotonic() < self.house_rests_until {
            return;
        }
        let below = Lsn(self.shared.retire_below.load(Ordering::Acquire));
        let until = UnixMillis(self.shared.retire_until_ms.load(Ordering::Acquire));
        let retired = self.segments.retire(below.min(self.durable), until);
        let (oldest, begun_at) = self
            .segments
            .oldest()
            .unwrap_or((self.durable, UnixMillis(0)));
        self.shared.oldest.store(oldest.0, Ordering::Release);
        self.shared.oldest_ms.store(begun_at.0, Ordering::Release);
        let kept = retired.and_then(|()| {
            if idle {
                self.segments.prepare()?;
            }
            Ok(())
        });
        if let Err(error) = &kept {
            if !self.lacks_spare {
                tracing::warn!(%error, "the next segment of the log is not ready; trying again");
            }
            self.house_rests_until = self.clock.monotonic() + SYNC_INTERVAL;
        }
        self.lacks_spare = kept.is_err() || self.lacks_spare && !idle;
    }

    /// Begins the next segment at `written`, which is durable.
    fn begin(&mut self, whole: bool) -> Result<(), WalError> {
        let now = self.clock.now();
        let (file, identity) = self.segments.begin(self.written, whole, now)?;
        self.batch.fill(0);
        self.active = Some(Active {
            file,
            identity,
            start: self.written,
            block_offset: SEGMENT_HEADER_BYTES as u64,
            kept_bytes: 0,
            rescue: self.failed_before,
        });
        Ok(())
    }

    /// Tells the time now and then while there is something to tell it of; and an idle
    /// log says what is durable, so that later damage to its last frames is not taken
    /// for a torn tail.
    fn mark(&mut self) {
        let appended = self.shared.ring.appended_lsn();
        let now = self.clock.monotonic();
        let is_old = appended > self.marked && now >= self.last_mark + MARK_INTERVAL;
        let is_unclaimed = appended == self.durable
            && self.durable >= self.content_end
            && self.claimed < self.content_end
            && now >= self.last_sync + SYNC_INTERVAL;
        if !is_old && !is_unclaimed {
            return;
        }
        // In a full ring there is none: the next step tries again.
        let Some(credit) = self.shared.ring.try_credit(TimeMark::BYTES) else {
            return;
        };
        self.marked = (self.shared.ring)
            .append_mark(credit, &self.time_mark(appended))
            .end;
        self.last_mark = now;
    }

    /// ORDERING: `covered` was appended before the clock is read here.
    fn time_mark(&self, covered: Lsn) -> TimeMark {
        let at = self.clock.now();
        TimeMark { at, covered }
    }

    fn write_batch(&mut self) -> Result<u64, WalError> {
        let ring = &self.shared.ring;
        let Some(next) = ring.published(self.written) else {
            return Ok(0);
        };
        let room = |active: &Active, at: Lsn, bytes: usize| {
            SEGMENT_HEADER_BYTES as u64 + at.bytes_since(active.start) + bytes as u64
                <= self.segment_bytes
        };
        let bytes = frame_bytes(next.length as usize);
        if let Some(active) = &self.active
            && !room(active, self.written, bytes)
        {
            self.sync()?;
            self.begin(true)?;
        }
        let Some(active) = &mut self.active else {
            return Ok(0);
        };
        let ring = &self.shared.ring;
        let mut at = self.written;
        let mut filled = active.kept_bytes;
        while let Some(frame) = ring.published(at) {
            let bytes = frame_bytes(frame.length as usize);
            let fits = SEGMENT_HEADER_BYTES as u64 + at.bytes_since(active.start) + bytes as u64
                <= self.segment_bytes;
            if !fits || filled + bytes > self.batch.len() {
                break;
            }
            let (header, payload) =
                self.batch[filled..filled + bytes].split_at_mut(FRAME_HEADER_BYTES);
            ring.copy_payload(at, payload);
            let encoded = FrameHeader {
                length: frame.length,
                identity: active.identity,
                lsn: at,
                durable_lsn: if is_planted(Bug::WatermarkTooHigh) {
                    at.advance(bytes as u64)
                } else {
                    self.durable
                },
                payload_crc: crc32(&payload[..frame.length as usize]),
                kind: frame.kind,
            };
            header.copy_from_slice(&encoded.encode());
            at = at.advance(bytes as u64);
            filled += bytes;
            self.claimed = self.durable;
            if frame.kind == FrameKind::Data {
                self.content_end = self.content_end.max(at);
            }
        }
        // The rest of the last block is zero; the block is written again,
        // its frames byte for byte the same, when more follows.
        let end = filled.next_multiple_of(PAGE_BYTES);
        self.batch[filled..end].fill(0);
        active
            .file
            .write_all_at(active.block_offset, &self.batch[..end])?;
        let whole = filled / PAGE_BYTES * PAGE_BYTES;
        self.batch.copy_within(whole..filled, 0);
        active.block_offset += whole as u64;
        active.kept_bytes = filled - whole;
        let bytes = at.bytes_since(self.written);
        self.written = at;
        self.shared.written.fetch_max(at.0, Ordering::AcqRel);
        Ok(bytes)
    }

    fn sync_is_due(&self) -> bool {
        let wanted = self.shared.wanted.load(Ordering::Acquire) > self.durable.0;
        let rescue = self.active.as_ref().is_some_and(|active| active.rescue);
        let pressure = self.written.bytes_since(self.durable) > self.shared.ring.bytes() / 4;
        let due = match self.shared.policy() {
            Policy::Always => true,
            Policy::EverySecond => self.clock.monotonic() >= self.last_sync + SYNC_INTERVAL,
            Policy::Never => false,
        };
        self.written > self.durable && (due || wanted || pressure || rescue)
    }

    fn sync(&mut self) -> Result<(), WalError> {
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        if self.written == self.durable {
            return Ok(());
        }
        // The age of a sync counts from when it starts, not from its return.
        self.last_sync = self.clock.monotonic();
        (self.shared.syncs).time(&self.clock, || active.file.sync_data())?;
        if active.rescue {
            verify(active, self.written)?;
            active.rescue = false;
        }
        let (from, to) = (self.durable, self.written);
        self.durable = to;
        // The seal is the last: that its bytes are nobody's counts no more.
        self.shared.ring.release(from, to);
        self.shared.advance_durable(to);
        Ok(())
    }

    /// Makes everything appended durable, then seals the log. No append may
    /// follow.
    ///
    /// # Errors
    /// What the disk refused: the log is then not sealed.
    pub fn close(mut self) -> Result<(), WalError> {
        self.drain()?;
        let mark = self.time_mark(self.shared.ring.appended_lsn());
        // It tells the time, and no mark may follow it.
        self.marked = self.shared.ring.append_seal(&mark).end;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), WalError> {
        let end = self.shared.ring.appended_lsn();
        self.shared.wanted.fetch_max(end.0, Ordering::AcqRel);
        while self.durable < end {
            self.step()?;
        }
        Ok(())
    }
}

/// Reads a rescued segment back: every frame up to `written` must be there.
fn verify(active: &Active, written: Lsn) -> Result<(), WalError> {
    let bytes = written.bytes_since(active.start) as usize + SEGMENT_HEADER_BYTES;
    let mut buffer = AlignedBuffer::new(bytes.next_multiple_of(PAGE_BYTES));
    active.file.read_at(0, &mut buffer)?;
    let frames = &buffer[SEGMENT_HEADER_BYTES..];
    let mut scanner = Scanner::new(frames, active.identity, active.start, active.start);
    while scanner.lsn() < written && scanner.next().is_some() {}
    if scanner.lsn() >= written {
        return Ok(());
    }
    Err(WalError::Corruption {
        file: active.file.name().to_owned(),
        offset: SEGMENT_HEADER_BYTES as u64 + scanner.lsn().bytes_since(active.start),
        lsn: Some(scanner.lsn()),
        fault: Fault {
            field: "end of the rescued frames",
            expected: written.0,
            found: scanner.lsn().0,
        },
        claimed_durable: active.start,
    })
}
