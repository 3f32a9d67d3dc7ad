//! Segment files read whole: one by itself, or one after another, of which the next arrives
//! while the last is at work.
//!
//! Owns the two buffers that take turns, and the read under way. Does not know what a segment
//! holds. Runs on the thread that reads the log.

use crate::error::WalError;
use crate::frame::SEGMENT_HEADER_BYTES;
use std::time::Duration;
use thermocline_disk::{Action, AlignedBuffer, Disk, File, OpenMode, Operation, Queue};

/// The largest file that is read as a segment, in bytes.
pub const SEGMENT_MAX_BYTES: u64 = 1 << 30;
/// How long one look for the read takes at most.
const LOOK: Duration = Duration::from_secs(1);

/// The bytes of a segment's file, filled up to whole pages with zeros, and how many the file
/// has.
pub(crate) type SegmentBytes = (AlignedBuffer, u64);

/// Reads the file of that name.
pub(crate) fn read_segment(disk: &Disk, name: &str) -> Result<SegmentBytes, WalError> {
    let (file, bytes, file_bytes) = open_segment(disk, name)?;
    let mut buffer = AlignedBuffer::new(bytes);
    file.read_at(0, &mut buffer)?;
    Ok((buffer, file_bytes))
}

/// The file, how many bytes a buffer for it has, and how many the file.
fn open_segment(disk: &Disk, name: &str) -> Result<(File, usize, u64), WalError> {
    let file = disk.open_file(name, OpenMode::Read, true)?;
    let file_bytes = file.size_bytes()?;
    let bytes = file_bytes.min(SEGMENT_MAX_BYTES) as usize;
    Ok((
        file,
        bytes.next_multiple_of(SEGMENT_HEADER_BYTES),
        file_bytes,
    ))
}

/// See the module.
pub(crate) struct ReadAhead<'d> {
    disk: &'d Disk,
    queue: Queue,
    /// How many bytes the file has that was begun last, or why it could not be begun.
    begun: Result<u64, WalError>,
    spare: AlignedBuffer,
}

impl<'d> ReadAhead<'d> {
    /// Begins to read the file of that name.
    ///
    /// # Errors
    /// If the disk has no room for a queue. Whatever is wrong with the file is told when it is
    /// taken.
    pub(crate) fn new(disk: &'d Disk, name: &str) -> Result<Self, WalError> {
        let mut ahead = Self {
            disk,
            queue: disk.queue(1)?,
            begun: Ok(0),
            spare: AlignedBuffer::new(0),
        };
        ahead.begun = ahead.begin(name);
        Ok(ahead)
    }

    fn begin(&mut self, name: &str) -> Result<u64, WalError> {
        let (file, bytes, file_bytes) = open_segment(self.disk, name)?;
        // Most are of one length: a new buffer takes longer to clear than a segment to read.
        let mut buffer = std::mem::replace(&mut self.spare, AlignedBuffer::new(0));
        if buffer.len() != bytes {
            drop(buffer);
            buffer = AlignedBuffer::new(bytes);
        }
        let operation = Operation {
            file,
            action: Action::Read { offset: 0 },
            buffer: Some(buffer),
            token: 0,
        };
        let submitted = self.queue.submit(operation);
        assert!(submitted.is_ok(), "what was begun before has been taken");
        self.queue.flush()?;
        Ok(file_bytes)
    }

    /// Takes the file that was begun last, and begins the one of the name `next`.
    ///
    /// # Errors
    /// If the file could not be opened or read.
    ///
    /// # Panics
    /// If none was begun.
    pub(crate) fn take(&mut self, next: Option<&str>) -> Result<SegmentBytes, WalError> {
        let file_bytes = std::mem::replace(&mut self.begun, Ok(0))?;
        let mut completions = Vec::new();
        while completions.is_empty() && self.queue.in_flight() > 0 {
            self.queue.wait(&mut completions, LOOK)?;
        }
        let completion = completions
            .pop()
            .expect("a file is begun before it is taken");
        let read = completion.result?;
        let mut buffer = completion.buffer.expect("a read gives its buffer back");
        // It may hold what was read before.
        buffer.get_mut(read..).unwrap_or_default().fill(0);
        if let Some(next) = next {
            self.begun = self.begin(next);
        }
        Ok((buffer, file_bytes))
    }

    /// Gives the memory of a segment back, for one that is begun later.
    pub(crate) fn give_back(&mut self, buffer: AlignedBuffer) {
        self.spare = buffer;
    }
}
