//! Recovery: which files are segments, which frames the log holds from a
//! position on, and where it ends.
//!
//! Reads, and writes and syncs the end of the last segment as it is; changes nothing. Runs on the thread that
//! starts the server, before any other touches the log; [`read`] alone, which
//! does not sync, serves the offline tool too.
//!
//! INVARIANT: a segment's header is durable only when everything below its
//! `start_lsn` is; so the log before it must be valid up to that position, and
//! what an earlier segment holds from there on does not count.

use crate::ahead::{ReadAhead, read_segment};
use crate::error::WalError;
use crate::frame::{
    FORMAT_VERSION, Fault, SEGMENT_HEADER_BYTES, SegmentHeader, newer_version, offset,
};
use crate::latest;
use crate::scan::{Frame, Scanner, Verdict, highest_claim};
use thermocline_base::Lsn;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_disk::{AlignedBuffer, Disk, OpenMode};

/// A file that is a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its name, below the data directory.
    pub name: String,
    /// What its header says.
    pub header: SegmentHeader,
}

/// What recovery found; [`crate::Wal::open`] goes on from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Position after the last valid frame, where the log goes on; at least
    /// `from`. All below is durable.
    pub end: Lsn,
    /// Whether the log was stopped cleanly, or is new.
    pub sealed: bool,
    /// How many frames were visited.
    pub frames: u64,
    /// The last segment's history and where it began.
    pub history: Option<(u64, Lsn)>,
    /// The segments, oldest first.
    pub segments: Vec<SegmentFile>,
    /// Files of the log's directory that hold nothing.
    pub unused_files: Vec<String>,
}

/// Reads the log and makes durable what it visited. See
/// [`crate::Wal::recover`].
pub(crate) fn recover(
    disk: &Disk,
    directory: &str,
    from: Lsn,
    must_reach: Lsn,
    visit: &mut dyn FnMut(Frame<'_>),
) -> Result<Recovered, WalError> {
    let recovered = read(disk, directory, from, must_reach, visit)?;
    if let Some(last) = recovered.segments.last()
        && !is_planted(Bug::RecoveredNotSynced)
    {
        make_durable(disk, last, recovered.end)?;
    }
    Ok(recovered)
}

/// Makes the frames of the last segment durable, up to `end`.
///
/// DURABILITY: frames that were written but not synced are about to be served; a
/// second power cut must not take them back. They are written again before the
/// sync: a sync that failed, of this start's predecessor or of the process before,
/// leaves nothing for another to do, which then says OK and lies. A crash here:
/// the bytes are those that stood there.
fn make_durable(disk: &Disk, last: &SegmentFile, end: Lsn) -> Result<(), WalError> {
    let (bytes, _) = read_segment(disk, &last.name)?;
    let start = last.header.start_lsn;
    let frames = bytes.get(SEGMENT_HEADER_BYTES..).unwrap_or_default();
    let mut scanner = Scanner::new(frames, last.header.identity, start, start);
    let mut claimed = start;
    while scanner.lsn() < end {
        let Some(frame) = scanner.next() else { break };
        claimed = claimed.max(frame.durable_lsn);
    }
    let place = |lsn: Lsn| {
        let offset = (SEGMENT_HEADER_BYTES as u64).saturating_add(lsn.bytes_since(start));
        usize::try_from(offset).unwrap_or(usize::MAX)
    };
    let page = SEGMENT_HEADER_BYTES;
    let from = place(claimed.min(end)) / page * page;
    let to = place(end).next_multiple_of(page).min(bytes.len());
    let file = disk.open_file(&last.name, OpenMode::ReadWrite, true)?;
    if let Some(again) = bytes.get(from..to).filter(|again| !again.is_empty()) {
        file.write_all_at(from as u64, again)?;
    }
    file.sync_data()?;
    Ok(())
}

/// Visits in order every frame from position `from` on, which must be the
/// start of a frame or the end of the log. See [`crate::Wal::read`].
pub(crate) fn read(
    disk: &Disk,
    directory: &str,
    from: Lsn,
    must_reach: Lsn,
    visit: &mut dyn FnMut(Frame<'_>),
) -> Result<Recovered, WalError> {
    let mut recovered = Recovered {
        end: from,
        sealed: true,
        ..Recovered::default()
    };
    // First, since a daemon may be at work in the directory: what is noted later
    // must not be missed, and what is retired later has one after it.
    let latest = latest::read(disk, directory)?.map(|(begun, _)| begun);
    find_segments(disk, directory, from, &mut recovered)?;
    if let Some(latest) = latest {
        expect_latest(directory, &latest, &recovered.segments)?;
    }
    let segments = &recovered.segments;
    // The last segment that begins at or before `from` holds it.
    let Some(first) = segments.iter().rposition(|it| it.header.start_lsn <= from) else {
        if segments.is_empty() && must_reach <= from && from == Lsn::ZERO {
            return Ok(recovered);
        }
        let directory = directory.to_owned();
        return Err(WalError::Missing { directory, from });
    };
    let mut ahead = ReadAhead::new(disk, &segments[first].name)?;
    for (index, segment) in segments.iter().enumerate().skip(first) {
        let start = segment.header.start_lsn;
        let next = segments.get(index + 1);
        let (bytes, file_bytes) = ahead.take(next.map(|next| next.name.as_str()))?;
        if file_bytes < segment.header.segment_bytes {
            // It was this long, and that durable, before it became a segment.
            return Err(WalError::Corruption {
                file: segment.name.clone(),
                offset: file_bytes,
                lsn: file_bytes
                    .checked_sub(SEGMENT_HEADER_BYTES as u64)
                    .map(|frames| start.advance(frames)),
                fault: Fault {
                    field: "file bytes",
                    expected: segment.header.segment_bytes,
                    found: file_bytes,
                },
                claimed_durable: start,
            });
        }
        let frames = bytes.get(SEGMENT_HEADER_BYTES..).unwrap_or_default();
        let next_start = next.map(|next| next.header.start_lsn);
        let bound = next_start.unwrap_or(Lsn(u64::MAX));
        let mut scanner = Scanner::new(frames, segment.header.identity, start, recovered.end);
        while scanner.lsn() < bound {
            let Some(frame) = scanner.next() else { break };
            visit(frame);
            recovered.frames += 1;
        }
        if scanner.lsn() == bound {
            recovered.end = bound;
            ahead.give_back(bytes);
            continue;
        }
        let (fault, claimed_durable) = match scanner.verdict() {
            Verdict::Corrupt {
                fault,
                claimed_durable,
                ..
            } => (fault, claimed_durable),
            Verdict::End { at, sealed } if next_start.is_none() && at >= must_reach => {
                recovered.end = at;
                recovered.sealed = sealed;
                break;
            }
            Verdict::Torn { at } if next_start.is_none() && at >= must_reach => {
                recovered.end = at;
                recovered.sealed = false;
                break;
            }
            verdict => {
                let claimed = next_start.unwrap_or(must_reach);
                let fault = Fault {
                    field: "end of the segment's frames",
                    expected: claimed.0,
                    found: verdict.at().0,
                };
                (fault, claimed)
            }
        };
        return Err(WalError::Corruption {
            file: segment.name.clone(),
            offset: (SEGMENT_HEADER_BYTES as u64).saturating_add(scanner.lsn().bytes_since(start)),
            lsn: Some(scanner.lsn()),
            fault,
            claimed_durable,
        });
    }
    if let Some(last) = recovered.segments.last() {
        recovered.history = Some((last.header.history, last.header.history_start));
    }
    Ok(recovered)
}

/// The log goes on at least to the segment that was noted as begun: its header had
/// been durable.
pub(crate) fn expect_latest(
    directory: &str,
    latest: &latest::Begun,
    segments: &[SegmentFile],
) -> Result<(), WalError> {
    let last = segments.last().map_or(0, |it| it.header.sequence);
    if last >= latest.sequence {
        return Ok(());
    }
    Err(WalError::Corruption {
        file: format!("{directory}/{:08x}.wal", latest.number),
        offset: 0,
        lsn: None,
        fault: Fault {
            field: "sequence of the last segment with a header",
            expected: latest.sequence,
            found: last,
        },
        claimed_durable: latest.start,
    })
}

pub(crate) fn find_segments(
    disk: &Disk,
    directory: &str,
    from: Lsn,
    recovered: &mut Recovered,
) -> Result<(), WalError> {
    for name in disk.list(directory)? {
        if !name.ends_with(".wal") {
            continue;
        }
        let name = format!("{directory}/{name}");
        let file = disk.open_file(&name, OpenMode::Read, true)?;
        let mut page = AlignedBuffer::new(SEGMENT_HEADER_BYTES);
        let count = file.read_at(0, &mut page)?;
        match SegmentHeader::decode(page.get(..count).unwrap_or_default()) {
            Ok(header) => recovered.segments.push(SegmentFile { name, header }),
            Err(fault) => {
                if let Some(found) = newer_version(&page) {
                    return Err(WalError::NewerVersion {
                        file: name,
                        found,
                        newest: FORMAT_VERSION,
                    });
                }
                // A header is synced before the first frame is written: with
                // frames of the needed log behind it, it is not torn but damaged.
                if let Some(claimed_durable) = needed_frame(&read_segment(disk, &name)?.0, from) {
                    return Err(WalError::Corruption {
                        file: name,
                        offset: 0,
                        lsn: None,
                        fault,
                        claimed_durable,
                    });
                }
                recovered.unused_files.push(name);
            }
        }
    }
    recovered.segments.sort_by_key(|it| it.header.sequence);
    Ok(())
}

/// Whether a segment whose header is unreadable holds frames at or above
/// `from`: the position of its first frame, or what they claim durable.
fn needed_frame(bytes: &[u8], from: Lsn) -> Option<Lsn> {
    let frames = bytes.get(SEGMENT_HEADER_BYTES..)?;
    let field = |at: usize| {
        let bytes = frames.get(at..at + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let (identity, start) = (field(offset::IDENTITY)?, Lsn(field(offset::LSN)?));
    let mut scanner = Scanner::new(frames, identity, start, start);
    let last = scanner.by_ref().last()?;
    let claim = highest_claim(frames, identity, start).unwrap_or_default();
    (last.end > from || claim > from).then_some(last.end.max(claim))
}
