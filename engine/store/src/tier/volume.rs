//! The segment files and where their pages are.
//!
//! Owns the open files, the [`SegmentTable`] behind its lock, and the present
//! life of each segment, which readers look up without a lock. Does not own
//! what is written where (`writer`), nor the index. Any thread.
//!
//! Free segments are held in reserve, their files on the disk in full: what
//! frees space, a cleaning or a checkpoint, takes them where the device has no
//! room for another, and demotion leaves them alone.
//!
//! INVARIANT: a segment's life in `incarnations` is set before any address of
//! that life is given out, and cleared when the segment is freed.

use super::page::PagePlace;
use super::segment::{
    ImageTicket, Incarnation, PAGES_PER_SEGMENT, SEGMENT_BYTES, SEGMENTS_MAX, SegmentEntry,
    SegmentNumber, Stream,
};
use super::sync::{AtomicU64, AtomicUsize, Mutex, Ordering, RwLock};
use super::table::SegmentTable;
use crate::address::Address;
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use thermocline_base::Random;
use thermocline_disk::{Disk, DiskError, File, OpenMode};

/// The directory of the segments, below the data directory.
pub(crate) const DIRECTORY: &str = "tier";

/// A segment that a stream writes.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub(crate) number: SegmentNumber,
    pub(crate) incarnation: Incarnation,
    pub(crate) file: File,
}

/// See the module.
pub(crate) struct Volume {
    disk: Disk,
    table: Mutex<SegmentTable>,
    incarnations: Vec<AtomicU64>,
    files: RwLock<Vec<Option<File>>>,
    /// Segments whose files this process has allocated.
    allocated: Mutex<BTreeSet<SegmentNumber>>,
    /// How many free segments are to be allocated.
    reserve: AtomicUsize,
    /// The parts of long values by the address of their head, as far as they
    /// are known: they die with it. A hint, as live bytes are.
    parts: Mutex<HashMap<Address, Vec<(Address, u32)>>>,
}

impl Volume {
    /// The volume whose manifest lists `entries`. `random` must be seeded by
    /// the operating system.
    pub(crate) fn open(
        disk: Disk,
        tier_max_bytes: u64,
        random: Random,
        entries: &[SegmentEntry],
    ) -> Result<Self, DiskError> {
        disk.create_directory(DIRECTORY)?;
        disk.sync_directory("")?;
        let mut incarnations = Vec::new();
        incarnations.resize_with(SEGMENTS_MAX, AtomicU64::default);
        for entry in entries {
            incarnations[usize::from(entry.number.0)].store(entry.incarnation.0, Ordering::Relaxed);
        }
        Ok(Self {
            disk,
            table: Mutex::new(SegmentTable::recover(tier_max_bytes, random, entries)),
            incarnations,
            files: RwLock::default(),
            allocated: Mutex::default(),
            reserve: AtomicUsize::new(0),
            parts: Mutex::default(),
        })
    }

    /// Where `address` is now.
    pub(crate) fn place(&self, address: Address) -> PagePlace {
        let segment = segment_of(address);
        let incarnation = self.incarnations[usize::from(segment.0)].load(Ordering::Acquire);
        PagePlace {
            segment,
            incarnation: Incarnation(incarnation),
            page: address.page() % PAGES_PER_SEGMENT,
        }
    }

    /// The file of a segment, opened if it is not.
    pub(crate) fn file(&self, segment: SegmentNumber) -> Result<File, DiskError> {
        let index = usize::from(segment.0);
        if let Some(Some(file)) = self.files.read().get(index) {
            return Ok(file.clone());
        }
        let mut files = self.files.write();
        if files.len() <= index {
            files.resize(index + 1, None);
        }
        if let Some(file) = &files[index] {
            return Ok(file.clone());
        }
        let open = || {
            self.disk
                .open_file(&segment.file_name(), OpenMode::ReadWrite, true)
        };
        let file = match open() {
            // Those in use stay open until they are let go.
            Err(error) if lacks_descriptors(&error) => {
                files.fill(None);
                open()?
            }
            opened => opened?,
        };
        files[index] = Some(file.clone());
        Ok(file)
    }

    /// How many free segments stand ready for a cleaning and a checkpoint, as
    /// far as `tier-max-bytes` allows so many.
    pub(crate) fn set_reserve(&self, segments: usize) {
        self.reserve.store(segments, Ordering::Relaxed);
    }

    /// Makes sure of the reserve.
    ///
    /// # Errors
    /// What the disk refused: no space, as a rule.
    fn keep_reserve(&self) -> Result<(), DiskError> {
        let wanted = self.reserve.load(Ordering::Relaxed);
        let numbers = self.with_table(|table| table.reserve(wanted));
        for number in numbers {
            self.prepare(number)?;
        }
        Ok(())
    }

    /// Gives `stream` a segment; `None` if the tier is full.
    ///
    /// # Errors
    /// What the disk refused. Demotion gets no segment either where the reserve
    /// cannot be kept.
    pub(crate) fn activate(&self, stream: Stream) -> Result<Option<OpenSegment>, DiskError> {
        let (activated, is_urgent) = {
            let mut table = self.table.lock();
            (table.activate(stream), table.may_exceed_for(stream))
        };
        let Some((number, incarnation)) = activated else {
            return Ok(None);
        };
        let prepared = self.prepare(number).and_then(|file| {
            if !is_urgent {
                self.keep_reserve()?;
            }
            Ok(file)
        });
        let file = match prepared {
            Ok(file) => file,
            Err(error) => {
                // Nothing names it: a disk that refuses uses no segment up.
                self.table.lock().give_back(number);
                return Err(error);
            }
        };
        self.incarnations[usize::from(number.0)].store(incarnation.0, Ordering::Release);
        Ok(Some(OpenSegment {
            number,
            incarnation,
            file,
        }))
    }

    /// The file of a segment that begins a life: as long as a segment, its name
    /// durable.
    fn prepare(&self, number: SegmentNumber) -> Result<File, DiskError> {
        self.leave_to_backups(number)?;
        if self.allocated.lock().contains(&number) {
            return self.file(number);
        }
        let file = match self.file(number) {
            Err(error) if error.io_error_kind() == ErrorKind::NotFound => {
                self.disk
                    .open_file(&number.file_name(), OpenMode::CreateNew, true)?;
                self.file(number)?
            }
            opened => opened?,
        };
        if let Err(error) = file.allocate(0, SEGMENT_BYTES) {
            // A part may have been had. The segment is free, so that what its file holds is
            // wanted by nobody, and the log or an image may need the room.
            let _ = file.truncate(0);
            return Err(error);
        }
        // DURABILITY: also for a file that was there, since whoever made it may
        // have failed before this step.
        self.disk.sync_directory(DIRECTORY)?;
        self.allocated.lock().insert(number);
        Ok(file)
    }

    /// Gives up the file of a free segment that a backup has too: it is the
    /// backup's from now on, and a new life gets a file of its own.
    ///
    /// A crash here leaves a free segment without a file, which is made when it is
    /// wanted.
    fn leave_to_backups(&self, number: SegmentNumber) -> Result<(), DiskError> {
        let name = number.file_name();
        match self.disk.link_count(&name) {
            Ok(0 | 1) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.io_error_kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        self.disk.remove(&name)?;
        self.allocated.lock().remove(&number);
        if let Some(file) = self.files.write().get_mut(usize::from(number.0)) {
            *file = None;
        }
        Ok(())
    }

    /// Runs `change` on the table, under its lock: it must be short.
    pub(crate) fn with_table<T>(&self, change: impl FnOnce(&mut SegmentTable) -> T) -> T {
        change(&mut self.table.lock())
    }

    /// A record of about `bytes` at `address` is no longer wanted, nor are its
    /// parts.
    pub(crate) fn record_died(&self, address: Address, bytes: u64) {
        let parts = self.take_parts(address);
        let mut table = self.table.lock();
        table.record_died(segment_of(address), bytes);
        for (address, bytes) in parts {
            table.record_died(segment_of(address), u64::from(bytes));
        }
    }

    /// The records at `addresses`, of which no more is known, are no longer
    /// wanted, nor are their parts.
    pub(crate) fn unread_records_died(&self, addresses: &[Address]) {
        for &address in addresses {
            let parts = self.take_parts(address);
            let mut table = self.table.lock();
            table.unread_record_died(segment_of(address));
            for (address, bytes) in parts {
                table.record_died(segment_of(address), u64::from(bytes));
            }
        }
    }

    fn take_parts(&self, head: Address) -> Vec<(Address, u32)> {
        let mut known = self.parts.lock();
        if known.is_empty() {
            return Vec::new();
        }
        known.remove(&head).unwrap_or_default()
    }

    /// Records at `addresses` were found alive after the restart.
    pub(crate) fn records_found(&self, addresses: impl Iterator<Item = Address>) {
        let mut found: HashMap<SegmentNumber, u64> = HashMap::new();
        for address in addresses {
            *found.entry(segment_of(address)).or_default() += 1;
        }
        let mut table = self.table.lock();
        for (segment, records) in found {
            table.records_found(segment, records);
        }
    }

    /// The value of the head at `head` stands in `parts`.
    pub(crate) fn note_parts(&self, head: Address, parts: Vec<(Address, u32)>) {
        self.parts.lock().insert(head, parts);
    }

    /// A part of the value of the head at `head` has moved.
    pub(crate) fn replace_part(&self, head: Address, from: Address, to: Address, bytes: u32) {
        if let Some(parts) = self.parts.lock().get_mut(&head) {
            for part in parts.iter_mut().filter(|(address, _)| *address == from) {
                *part = (to, bytes);
            }
        }
    }

    /// The head at `from` has moved to `to`.
    pub(crate) fn move_parts(&self, from: Address, to: Address) {
        let mut known = self.parts.lock();
        if let Some(parts) = known.remove(&from) {
            known.insert(to, parts);
        }
    }

    /// The image of `ticket` and its manifest are durable: segments that waited
    /// for it are free.
    pub(crate) fn image_durable(&self, ticket: ImageTicket) -> usize {
        let freed = self.table.lock().image_durable(ticket);
        for number in &freed {
            self.incarnations[usize::from(number.0)].store(0, Ordering::Release);
        }
        freed.len()
    }
}

/// Whether the process or the system has no descriptor left.
fn lacks_descriptors(error: &DiskError) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    matches!(error, DiskError::Io { source, .. }
        if matches!(source.raw_os_error(), Some(EMFILE | ENFILE)))
}

fn segment_of(address: Address) -> SegmentNumber {
    SegmentNumber((address.page() / PAGES_PER_SEGMENT) as u16)
}
