//! Whether a later program has written the tier.
//!
//! Owns the look at a few segments, before a start changes anything. What an earlier
//! program wrote is read; pages that are damaged are found when they are read.

use super::FormatError;
use super::page::{self, PagePlace};
use super::segment::{SEGMENT_BYTES, SegmentEntry};
use std::cmp::Reverse;
use thermocline_base::UnixMillis;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_disk::{AlignedBuffer, Disk, OpenMode};

/// How many sealed segments are looked at: a program writes to new ones first, so the
/// latest tell.
const LATEST: usize = 8;

/// Looks at the first page of the segments that `entries` name: those sealed last, and
/// those that were being written. What cannot be read is left to whoever needs it.
///
/// # Errors
/// [`FormatError::NewerVersion`].
pub(crate) fn refuse_newer(disk: &Disk, entries: &[SegmentEntry]) -> Result<(), FormatError> {
    let is_active = |entry: &&SegmentEntry| entry.sealed_at == UnixMillis(0);
    let mut sealed: Vec<_> = entries.iter().filter(|it| !is_active(it)).collect();
    sealed.sort_unstable_by_key(|entry| Reverse(entry.sealed_at));
    let latest = sealed.into_iter().take(LATEST);
    for entry in latest.chain(entries.iter().filter(is_active)) {
        let place = PagePlace {
            segment: entry.number,
            incarnation: entry.incarnation,
            page: 0,
        };
        let file = entry.number.file_name();
        if let Some(found) = version_of(disk, &file, place) {
            return Err(FormatError::NewerVersion {
                file,
                found: u32::from(found),
                newest: u32::from(page::VERSION),
            });
        }
    }
    Ok(())
}

fn version_of(disk: &Disk, name: &str, place: PagePlace) -> Option<u8> {
    let file = disk.open_file(name, OpenMode::Read, true).ok()?;
    let mut bytes = AlignedBuffer::new(PAGE_BYTES);
    file.read_at(place.offset(), &mut bytes).ok()?;
    // Of most, the whole page is enough; of a run as much as it says.
    let run_bytes = page::newer_run_bytes(&bytes)?;
    if run_bytes > PAGE_BYTES {
        bytes = AlignedBuffer::new(run_bytes.min(SEGMENT_BYTES as usize));
        file.read_at(place.offset(), &mut bytes).ok()?;
    }
    page::newer_version(&bytes)
}
