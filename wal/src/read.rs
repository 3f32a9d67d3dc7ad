//! Reading frames again that recovery has judged: one by its position, or all
//! of a segment.
//!
//! Owns which segment holds a position. Reads only; any thread that owns it.
//!
//! INVARIANT: the segments read are those of before the start. Nobody writes to
//! them any more, and they stay until everything in them is in a checkpoint.

use crate::error::WalError;
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, SEGMENT_HEADER_BYTES, decode_frame};
use crate::recover::{Recovered, SegmentFile, read_segment};
use crate::scan::{Frame, Scanner};
use thermocline_base::Lsn;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_disk::{AlignedBuffer, Disk, File, OpenMode};

/// Reads the log that a recovery went through.
pub struct FrameReader {
    disk: Disk,
    /// Oldest first.
    segments: Vec<SegmentFile>,
    end: Lsn,
    /// The segment that single frames were last read from.
    open: Option<(usize, File)>,
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
        }
    }

    /// Position after the last frame.
    #[must_use]
    pub const fn end(&self) -> Lsn {
        self.end
    }

    /// Which segment holds `position`, and the segment.
    fn holder(&self, position: Lsn) -> Result<(usize, SegmentFile), WalError> {
        let mut held = self.segments.iter().enumerate();
        held.rfind(|(_, segment)| segment.header.start_lsn <= position)
            .filter(|_| position < self.end)
            .map(|(index, segment)| (index, segment.clone()))
            .ok_or_else(|| WalError::Missing {
                directory: "the log".to_owned(),
                from: position,
            })
    }

    /// The payload of the frame that starts at `start`.
    ///
    /// # Errors
    /// [`WalError::Corruption`] if it is not valid any more, [`WalError::Missing`]
    /// if no segment holds it; what the disk refused.
    pub fn payload_at(&mut self, start: Lsn) -> Result<Vec<u8>, WalError> {
        let (index, segment) = self.holder(start)?;
        if self.open.as_ref().is_none_or(|(open, _)| *open != index) {
            let file = self.disk.open_file(&segment.name, OpenMode::Read, true)?;
            self.open = Some((index, file));
        }
        let Some((_, file)) = &self.open else {
            return Ok(Vec::new());
        };
        let offset = SEGMENT_HEADER_BYTES as u64 + start.bytes_since(segment.header.start_lsn);
        let within = (offset % PAGE_BYTES as u64) as usize;
        let corrupt = |fault| WalError::Corruption {
            file: segment.name.clone(),
            offset,
            fault,
            claimed_durable: self.end,
        };
        // Most frames end in the page they start in.
        let mut bytes = within + FRAME_HEADER_BYTES;
        loop {
            let mut buffer = AlignedBuffer::new(bytes.next_multiple_of(PAGE_BYTES));
            let read = file.read_at(offset - within as u64, &mut buffer)?;
            let frame = buffer.get(within..read).unwrap_or_default();
            let header =
                FrameHeader::decode(frame, segment.header.identity, start).map_err(corrupt)?;
            let needed = within + header.frame_bytes();
            if needed <= buffer.len() {
                let (_, payload) =
                    decode_frame(frame, segment.header.identity, start).map_err(corrupt)?;
                return Ok(payload.to_vec());
            }
            bytes = needed;
        }
    }

    /// Visits in order the frames of the segment that holds `from`, from there
    /// on; the position after the last of them. At the end of the log that is
    /// [`FrameReader::end`].
    ///
    /// # Errors
    /// As [`FrameReader::payload_at`].
    pub fn visit_segment(
        &self,
        from: Lsn,
        visit: &mut dyn FnMut(Frame<'_>),
    ) -> Result<Lsn, WalError> {
        let (index, segment) = self.holder(from)?;
        let start = segment.header.start_lsn;
        let next = self.segments.get(index + 1).map(|it| it.header.start_lsn);
        let bound = next.unwrap_or(self.end).min(self.end);
        let (bytes, _) = read_segment(&self.disk, &segment.name)?;
        let frames = bytes.get(SEGMENT_HEADER_BYTES..).unwrap_or_default();
        let mut scanner = Scanner::new(frames, segment.header.identity, start, from);
        while scanner.lsn() < bound {
            let at = scanner.lsn();
            let Some(frame) = scanner.next() else {
                let offset = at.bytes_since(start) as usize;
                let rest = frames.get(offset..).unwrap_or_default();
                return match decode_frame(rest, segment.header.identity, at) {
                    Ok(_) => Ok(at),
                    Err(fault) => Err(WalError::Corruption {
                        file: segment.name,
                        offset: (SEGMENT_HEADER_BYTES + offset) as u64,
                        fault,
                        claimed_durable: self.end,
                    }),
                };
            };
            visit(frame);
        }
        Ok(bound)
    }
}
