//! Reading a damaged log: every frame that is intact, before and behind the damage.
//!
//! Owns where reading goes on behind damage. What a frame is and when a log is only torn
//! is [`crate::scan`]'s. Changes nothing. One thread.
//!
//! INVARIANT: a frame says where it stands and in which segment, so what is found by
//! searching is what was appended there. Behind a tail that is only torn nothing is
//! searched: nobody was told that it is durable.

use crate::ahead::read_segment;
use crate::error::WalError;
use crate::frame::{
    FRAME_ALIGNMENT_BYTES, Fault, SEGMENT_HEADER_BYTES, SegmentHeader, decode_frame, offset,
};
use crate::latest;
use crate::recover::{Recovered, SegmentFile, expect_latest, find_segments};
use crate::scan::{Frame, Scanner, Verdict};
use thermocline_base::{Lsn, UnixMillis};
use thermocline_disk::Disk;

/// A part of the log that is lost.
#[derive(Debug)]
pub struct Gap {
    /// Where it begins.
    pub from: Lsn,
    /// Where the log goes on.
    pub to: Lsn,
    /// What was found there instead.
    pub error: WalError,
}

/// What [`crate::Wal::salvage`] tells, in the order of the log.
pub enum Salvaged<'a> {
    /// An intact frame.
    Frame(Frame<'a>),
    /// What stood here is lost.
    Gap(Gap),
}

/// See [`crate::Wal::salvage`].
pub(crate) fn salvage(
    disk: &Disk,
    directory: &str,
    from: Option<Lsn>,
    tell: &mut dyn FnMut(Salvaged<'_>),
) -> Result<Recovered, WalError> {
    let latest = latest::read(disk, directory);
    let mut recovered = Recovered::default();
    // No position is so high that a file without a header counts as needed.
    find_segments(disk, directory, Lsn(u64::MAX), &mut recovered)?;
    let unused = std::mem::take(&mut recovered.unused_files);
    for name in unused {
        match headless(disk, &name) {
            Some(header) => recovered.segments.push(SegmentFile { name, header }),
            None => recovered.unused_files.push(name),
        }
    }
    // A later sequence never begins earlier.
    (recovered.segments).sort_by_key(|it| (it.header.start_lsn, it.header.sequence));
    let segments = recovered.segments.clone();
    let Some(first) = segments.first() else {
        recovered.end = from.unwrap_or_default();
        return Ok(recovered);
    };
    recovered.end = from.unwrap_or(first.header.start_lsn);
    let holder = segments
        .iter()
        .rposition(|it| it.header.start_lsn <= recovered.end);
    for (index, segment) in segments.iter().enumerate().skip(holder.unwrap_or(0)) {
        let start = segment.header.start_lsn;
        if start > recovered.end {
            let (from, directory) = (recovered.end, directory.to_owned());
            let error = WalError::Missing { directory, from };
            tell(Salvaged::Gap(Gap {
                from,
                to: start,
                error,
            }));
            recovered.end = start;
        }
        let bound = segments.get(index + 1).map(|next| next.header.start_lsn);
        match read_segment(disk, &segment.name) {
            Ok((bytes, _)) => {
                let frames = bytes.get(SEGMENT_HEADER_BYTES..).unwrap_or_default();
                salvage_segment(segment, frames, bound, &mut recovered, tell);
            }
            Err(error) => {
                let (from, to) = (recovered.end, bound.unwrap_or(recovered.end));
                tell(Salvaged::Gap(Gap { from, to, error }));
                recovered.end = to;
            }
        }
    }
    let noted = match latest {
        Ok(Some((begun, _))) => expect_latest(directory, &begun, &segments),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        let (from, to) = (recovered.end, recovered.end);
        tell(Salvaged::Gap(Gap { from, to, error }));
    }
    Ok(recovered)
}

/// What the first frame of a file without a valid header says of the segment it is.
fn headless(disk: &Disk, name: &str) -> Option<SegmentHeader> {
    let (bytes, _) = read_segment(disk, name).ok()?;
    let frames = bytes.get(SEGMENT_HEADER_BYTES..)?;
    let field = |at: usize| {
        let field = frames.get(at..)?.first_chunk()?;
        Some(u64::from_le_bytes(*field))
    };
    let (identity, start_lsn) = (field(offset::IDENTITY)?, Lsn(field(offset::LSN)?));
    decode_frame(frames, identity, start_lsn).ok()?;
    Some(SegmentHeader {
        identity,
        sequence: 0,
        start_lsn,
        history: 0,
        history_start: Lsn::ZERO,
        segment_bytes: 0,
        begun_at: UnixMillis(0),
    })
}

fn salvage_segment(
    segment: &SegmentFile,
    frames: &[u8],
    bound: Option<Lsn>,
    recovered: &mut Recovered,
    tell: &mut dyn FnMut(Salvaged<'_>),
) {
    let (identity, start) = (segment.header.identity, segment.header.start_lsn);
    let mut scanner = Scanner::new(frames, identity, start, recovered.end);
    let end = bound.unwrap_or(Lsn(u64::MAX));
    loop {
        while scanner.lsn() < end {
            let Some(frame) = scanner.next() else { break };
            tell(Salvaged::Frame(frame));
            recovered.frames += 1;
        }
        let at = scanner.lsn();
        recovered.end = at.min(end);
        if at >= end {
            return;
        }
        let (fault, claimed_durable) = match (scanner.verdict(), bound) {
            (
                Verdict::Corrupt {
                    fault,
                    claimed_durable,
                    ..
                },
                _,
            ) => (fault, claimed_durable),
            (Verdict::End { sealed, .. }, None) => {
                recovered.sealed = sealed;
                return;
            }
            (Verdict::Torn { .. }, None) => return,
            (_, Some(bound)) => {
                let fault = Fault {
                    field: "end of the segment's frames",
                    expected: bound.0,
                    found: at.0,
                };
                (fault, bound)
            }
        };
        let next = next_frame(frames, identity, start, at).filter(|next| *next < end);
        let to = next.or(bound).unwrap_or(at);
        let error = WalError::Corruption {
            file: segment.name.clone(),
            offset: SEGMENT_HEADER_BYTES as u64 + at.bytes_since(start),
            lsn: Some(at),
            fault,
            claimed_durable,
        };
        tell(Salvaged::Gap(Gap {
            from: at,
            to,
            error,
        }));
        recovered.end = to;
        let Some(next) = next else { return };
        scanner = Scanner::new(frames, identity, start, next);
    }
}

/// Where behind `at` the next whole frame stands.
fn next_frame(frames: &[u8], identity: u64, start: Lsn, at: Lsn) -> Option<Lsn> {
    let first = at.bytes_since(start) as usize + FRAME_ALIGNMENT_BYTES;
    let mut offsets = (first..frames.len()).step_by(FRAME_ALIGNMENT_BYTES);
    offsets.find_map(|offset| {
        let lsn = start.advance(offset as u64);
        decode_frame(frames.get(offset..)?, identity, lsn).ok()?;
        Some(lsn)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameKind, encode_frame, frame_bytes};
    use thermocline_disk::BackendChoice;

    const FRAME: u64 = frame_bytes(10) as u64;

    /// A segment with ten frames, each of which knows that all before it are durable.
    fn segment(number: u64) -> Vec<u8> {
        let start = Lsn(number * 10 * FRAME);
        let header = SegmentHeader {
            identity: 100 + number,
            sequence: 1 + number,
            start_lsn: start,
            history: 1,
            history_start: Lsn::ZERO,
            segment_bytes: 0,
            begun_at: UnixMillis(0),
        };
        let mut bytes = header.encode();
        bytes.resize(SEGMENT_HEADER_BYTES, 0);
        for frame in 0..10 {
            let at = start.advance(frame * FRAME);
            let payload = [(number * 10 + frame) as u8; 10];
            encode_frame(
                &mut bytes,
                FrameKind::Data,
                header.identity,
                at,
                at,
                &payload,
            );
        }
        bytes.resize(SEGMENT_HEADER_BYTES + 4096, 0);
        bytes
    }

    /// The numbers of the frames that are salvaged, and the gaps in frames.
    fn salvaged(segments: &[Option<Vec<u8>>]) -> (Vec<u8>, Vec<(u64, u64)>, u64) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("wal")).unwrap();
        for (number, bytes) in segments.iter().enumerate() {
            if let Some(bytes) = bytes {
                let name = format!("wal/{:08x}.wal", number + 1);
                std::fs::write(root.path().join(name), bytes).unwrap();
            }
        }
        let disk = Disk::open(root.path(), BackendChoice::Posix).unwrap();
        let (mut found, mut gaps) = (Vec::new(), Vec::new());
        let recovered = salvage(&disk, "wal", None, &mut |it| match it {
            Salvaged::Frame(frame) => found.push(frame.payload[0]),
            Salvaged::Gap(gap) => gaps.push((gap.from.0 / FRAME, gap.to.0 / FRAME)),
        });
        (found, gaps, recovered.unwrap().end.0 / FRAME)
    }

    fn damaged(number: u64, frames: &[u64]) -> Option<Vec<u8>> {
        let mut bytes = segment(number);
        for frame in frames {
            bytes[SEGMENT_HEADER_BYTES + (frame * FRAME) as usize + 44] ^= 1;
        }
        Some(bytes)
    }

    fn without(frames: &[u8]) -> Vec<u8> {
        (0..30).filter(|it| !frames.contains(it)).collect()
    }

    #[test]
    fn frames_behind_damage_are_found_and_the_gaps_are_told() {
        let all = [damaged(0, &[3, 4, 9]), damaged(1, &[0]), damaged(2, &[5])];
        let (found, gaps, end) = salvaged(&all);
        assert_eq!(found, without(&[3, 4, 9, 10, 25]));
        assert_eq!(gaps, [(3, 5), (9, 10), (10, 11), (25, 26)]);
        assert_eq!(end, 30);
        let (found, gaps, _) = salvaged(&[Some(segment(0)), None, Some(segment(2))]);
        assert_eq!(found, without(&[10, 11, 12, 13, 14, 15, 16, 17, 18, 19]));
        assert_eq!(gaps, [(10, 20)]);
    }

    #[test]
    fn a_torn_tail_is_no_gap_and_an_intact_log_has_none() {
        let whole = [Some(segment(0)), Some(segment(1)), Some(segment(2))];
        assert_eq!(salvaged(&whole), (without(&[]), vec![], 30));
        // Nobody knows that the last frame was durable.
        let torn = [Some(segment(0)), Some(segment(1)), damaged(2, &[9])];
        assert_eq!(salvaged(&torn), (without(&[29]), vec![], 29));
        assert_eq!(salvaged(&[]), (vec![], vec![], 0));
        // The frames tell what a damaged header does not.
        let mut headless = segment(1);
        headless[20] ^= 1;
        let all = [Some(segment(0)), Some(headless), Some(segment(2))];
        assert_eq!(salvaged(&all), (without(&[]), vec![], 30));
    }
}
