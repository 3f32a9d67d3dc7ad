//! Reading frames again that recovery has judged: one by its position, or many
//! in order.
//!
//! Owns which segment holds a position, and the window of the log that was read
//! last, so that what stands near a frame costs no second read. Reads only; any
//! thread that owns it.
//!
//! INVARIANT: the segments read are those of before the start. Nobody writes to
//! them any more, and they stay until everything in them is in a checkpoint.
//! INVARIANT: at most [`WINDOW_BYTES`] are held, or one frame where that is longer.

use crate::error::WalError;
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, SEGMENT_HEADER_BYTES, decode_frame};
use crate::recover::{Recovered, SegmentFile};
use crate::scan::{Frame, Scanner};
use thermocline_base::Lsn;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_disk::{AlignedBuffer, Disk, File, OpenMode};

/// Of the log, what is read at once where all of it is wanted.
pub const WINDOW_BYTES: usize = 1 << 20;

/// Reads the log that a recovery went through.
pub struct FrameReader {
    disk: Disk,
    /// Oldest first.
    segments: Vec<SegmentFile>,
    end: Lsn,
    /// The segment that was last read from.
    open: Option<(usize, File)>,
    window: Window,
}

/// A part of a segment's file as it was read.
struct Window {
    segment: usize,
    /// Where in the file it begins, a multiple of a page.
    offset: u64,
    buffer: AlignedBuffer,
    /// Of `buffer`, how much was read.
    read: usize,
}

/// A position of the log and where that is in the files.
struct Place {
    index: usize,
    segment: SegmentFile,
    /// In the segment's file.
    offset: u64,
    /// Where the segment's frames end.
    bound: Lsn,
}

impl FrameReader {
    /// A reader of what `recovered` visited.
    #[must_use]
    pub fn new(disk: &Disk, recovered: &Recovered) -> Self {
        Self {
            disk: disk.clone(),
            segments: recovered.segments.clone(),
            end: recovered.end,
            open: None,
            window: Window {
                segment: 0,
                offset: 0,
                buffer: AlignedBuffer::new(0),
                read: 0,
            },
        }
    }

    /// Position after the last frame.
    #[must_use]
    pub const fn end(&self) -> Lsn {
        self.end
    }

    /// What is held of memory, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.window.buffer.len()
    }

    /// Holds no memory until the next read.
    pub fn forget(&mut self) {
        self.open = None;
        self.window.read = 0;
        self.window.buffer = AlignedBuffer::new(0);
    }

    fn place(&self, position: Lsn) -> Result<Place, WalError> {
        let mut held = self.segments.iter().enumerate();
        let (index, segment) = held
            .rfind(|(_, segment)| segment.header.start_lsn <= position)
            .filter(|_| position < self.end)
            .ok_or_else(|| WalError::Missing {
                directory: "the log".to_owned(),
                from: position,
            })?;
        let next = self.segments.get(index + 1).map(|it| it.header.start_lsn);
        let distance = position.bytes_since(segment.header.start_lsn);
        Ok(Place {
            index,
            segment: segment.clone(),
            offset: SEGMENT_HEADER_BYTES as u64 + distance,
            bound: next.unwrap_or(self.end).min(self.end),
        })
    }

    /// Has the window begin in the page of `place` and hold `bytes` from there on, or all
    /// that the file has.
    fn fill(&mut self, place: &Place, bytes: usize) -> Result<(), WalError> {
        if self.open.as_ref().is_none_or(|(at, _)| *at != place.index) {
            let file = (self.disk).open_file(&place.segment.name, OpenMode::Read, true)?;
            self.open = Some((place.index, file));
        }
        let Some((_, file)) = &self.open else {
            return Ok(());
        };
        let bytes = bytes.next_multiple_of(PAGE_BYTES);
        let window = &mut self.window;
        let is_kept = bytes..=bytes.max(WINDOW_BYTES);
        if !is_kept.contains(&window.buffer.len()) {
            window.buffer = AlignedBuffer::new(0);
            window.buffer = AlignedBuffer::new(bytes);
        }
        window.segment = place.index;
        window.offset = place.offset - place.offset % PAGE_BYTES as u64;
        window.read = 0;
        let buffer = window.buffer.get_mut(..bytes).unwrap_or_default();
        window.read = file.read_at(window.offset, buffer)?;
        Ok(())
    }

    /// What the window holds from `place` on.
    fn held(&self, place: &Place) -> &[u8] {
        let window = &self.window;
        if window.segment != place.index || place.offset < window.offset {
            return &[];
        }
        let within = usize::try_from(place.offset - window.offset).unwrap_or(usize::MAX);
        window.buffer.get(within..window.read).unwrap_or_default()
    }

    /// Has the whole frame at `position` in the window, reading about `bytes` where it is not.
    fn hold(&mut self, place: &Place, position: Lsn, bytes: usize) -> Result<(), WalError> {
        let end = self.end;
        let identity = place.segment.header.identity;
        let corrupt = |fault| WalError::Corruption {
            file: place.segment.name.clone(),
            offset: place.offset,
            lsn: Some(position),
            fault,
            claimed_durable: end,
        };
        let within = (place.offset % PAGE_BYTES as u64) as usize;
        let mut wanted = bytes.max(within + FRAME_HEADER_BYTES);
        if self.held(place).len() < FRAME_HEADER_BYTES {
            self.fill(place, wanted)?;
        }
        let header = FrameHeader::decode(self.held(place), identity, position).map_err(corrupt)?;
        if self.held(place).len() < header.frame_bytes() {
            wanted = wanted.max(within + header.frame_bytes());
            self.fill(place, wanted)?;
        }
        decode_frame(self.held(place), identity, position).map_err(corrupt)?;
        Ok(())
    }

    /// Calls `visit` with the payload of the frame that starts at `start`. Where it
    /// has to be read, about `bytes` are: more than a page if frames close behind it
    /// come next.
    ///
    /// # Errors
    /// [`WalError::Corruption`] if it is not valid any more, [`WalError::Missing`]
    /// if no segment holds it; what the disk refused.
    pub fn visit_frame<T>(
        &mut self,
        start: Lsn,
        bytes: usize,
        visit: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, WalError> {
        let place = self.place(start)?;
        self.hold(&place, start, bytes)?;
        let frame = decode_frame(self.held(&place), place.segment.header.identity, start);
        Ok(visit(frame.map_or(&[], |(_, payload)| payload)))
    }

    /// Visits in order the frames from `from` on, as many as stand whole in one window of
    /// one segment, and one at least; the position after the last of them. At the end of
    /// the log that is [`FrameReader::end`].
    ///
    /// # Errors
    /// As [`FrameReader::visit_frame`].
    pub fn visit_window(
        &mut self,
        from: Lsn,
        visit: &mut dyn FnMut(Frame<'_>),
    ) -> Result<Lsn, WalError> {
        let place = self.place(from)?;
        self.hold(&place, from, WINDOW_BYTES)?;
        let identity = place.segment.header.identity;
        let mut scanner = Scanner::new(self.held(&place), identity, from, from);
        while scanner.lsn() < place.bound {
            let Some(frame) = scanner.next() else { break };
            visit(frame);
        }
        Ok(scanner.lsn())
    }
}
