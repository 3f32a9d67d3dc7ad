//! The frame and the segment header: their bytes, encoding and decoding.
//!
//! Owns the layout that `FORMAT.md` draws. Does no I/O and knows neither
//! segments' names nor what a payload means. Pure; runs on any thread.
//!
//! INVARIANT: nothing is allocated here and no length is believed before it
//! was compared with the bytes at hand. Change the layout only together with
//! `FORMAT.md` and [`FORMAT_VERSION`].
//!
//! ```text
//! frame, at a multiple of 8 bytes
//!  0        4        8                16               24
//! +--------+--------+----------------+----------------+----------------+
//! | length | header | segment        | lsn            | durable_lsn    |
//! | u32    | crc u32| identity u64   | u64            | u64            |
//! +--------+--------+----------------+----------------+----------------+
//! 32       36       40
//! +--------+--------+----------------- - - - -+---------------+
//! | payload| kind   | payload                 | zero, to a    |
//! | crc u32| u32    | `length` bytes          | multiple of 8 |
//! +--------+--------+----------------- - - - -+---------------+
//!
//! segment header, the first page of a segment's file
//!  0         8         12        16         24         32
//! +---------+---------+---------+----------+----------+-----------+
//! | magic   | version | crc u32 | identity | sequence | start_lsn |
//! | 8 bytes | u32     |         | u64      | u64      | u64       |
//! +---------+---------+---------+----------+----------+-----------+
//! 40         48              56              64         72        4096
//! +----------+---------------+---------------+----------+---- - - -+
//! | history  | history_start | segment_bytes | begun_at | zero     |
//! | u64      | u64           | u64           | i64      |          |
//! +----------+---------------+---------------+----------+---- - - -+
//!
//! payload of a watermark and of a seal
//! 0          8         16
//! +----------+---------+
//! | at i64   | covered |
//! | Unix ms  | u64     |
//! +----------+---------+
//! ```
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::checksum::{crc32, crc32_parts};
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{Lsn, Reader, UnixMillis};

/// Bytes of a frame before its payload.
pub const FRAME_HEADER_BYTES: usize = 40;
/// Frames start and end at multiples of this many bytes.
pub const FRAME_ALIGNMENT_BYTES: usize = 8;
/// Bytes of a segment's file before its first frame.
pub const SEGMENT_HEADER_BYTES: usize = PAGE_BYTES;
/// The first bytes of a segment's file.
pub const MAGIC: [u8; 8] = *b"THERMWAL";
/// The layout this module reads and writes.
pub const FORMAT_VERSION: u32 = 3;

/// Where each field of a frame stands, in bytes.
pub mod offset {
    /// Length of the payload.
    pub const LENGTH: usize = 0;
    /// Crc of the header but for these four bytes.
    pub const HEADER_CRC: usize = 4;
    /// Identity of the segment.
    pub const IDENTITY: usize = 8;
    /// The frame's own position.
    pub const LSN: usize = 16;
    /// The durable position known when the frame was written.
    pub const DURABLE_LSN: usize = 24;
    /// Crc of the payload.
    pub const PAYLOAD_CRC: usize = 32;
    /// What the frame is.
    pub const KIND: usize = 36;
    /// The payload.
    pub const PAYLOAD: usize = 40;
}

const SEGMENT_HEADER_USED_BYTES: usize = 72;
/// Those of version 1, which does not say how long the file is.
const FIRST_VERSION_USED_BYTES: usize = 56;
/// Those of version 2, which does not say when it was begun.
const SECOND_VERSION_USED_BYTES: usize = 64;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Records of the store.
    Data = 1,
    /// Written now and then to say what has become durable and what time it is: a
    /// [`TimeMark`]. Before those were written, without payload.
    Watermark = 2,
    /// Written by a clean stop as the last frame; its payload is that of a watermark.
    Seal = 3,
}

/// What a watermark or a seal tells of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeMark {
    /// What the wall clock showed.
    pub at: UnixMillis,
    /// Every frame that starts below had been appended by then. The end of a frame.
    pub covered: Lsn,
}

impl TimeMark {
    /// Bytes of it as a payload.
    pub const BYTES: usize = 16;

    /// The payload's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let fields = u128::from(self.covered.0) << 64 | u128::from(self.at.0 as u64);
        fields.to_le_bytes()
    }

    /// Reads a payload; `None` if it is none, such as the empty one of earlier logs.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let fields = u128::from_le_bytes(payload.try_into().ok()?);
        Some(Self {
            at: UnixMillis(fields as u64 as i64),
            covered: Lsn((fields >> 64) as u64),
        })
    }
}

impl FrameKind {
    /// The kind of a number on disk.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Data),
            2 => Some(Self::Watermark),
            3 => Some(Self::Seal),
            _ => None,
        }
    }
}

/// Which check failed, with what it expected and found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field that is wrong.
    pub field: &'static str,
    /// What had to stand there.
    pub expected: u64,
    /// What stands there.
    pub found: u64,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Length of the payload, in bytes.
    pub length: u32,
    /// Identity of the segment the frame was written to.
    pub identity: u64,
    /// Position of the frame's first byte.
    pub lsn: Lsn,
    /// What was known durable when the frame was written: never above `lsn`.
    pub durable_lsn: Lsn,
    /// Crc of the payload.
    pub payload_crc: u32,
    /// What the frame is.
    pub kind: FrameKind,
}

/// Bytes a frame with `payload_bytes` of payload takes in the log, padding
/// included.
#[must_use]
pub const fn frame_bytes(payload_bytes: usize) -> usize {
    payload_bytes
        .saturating_add(FRAME_HEADER_BYTES)
        .saturating_add(FRAME_ALIGNMENT_BYTES - 1)
        & !(FRAME_ALIGNMENT_BYTES - 1)
}

impl FrameHeader {
    /// The header's bytes, its crc included.
    #[must_use]
    pub fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let mut put = |at: usize, field: &[u8]| {
            for (byte, value) in bytes.iter_mut().skip(at).zip(field) {
                *byte = *value;
            }
        };
        put(offset::LENGTH, &self.length.to_le_bytes());
        put(offset::IDENTITY, &self.identity.to_le_bytes());
        put(offset::LSN, &self.lsn.0.to_le_bytes());
        put(offset::DURABLE_LSN, &self.durable_lsn.0.to_le_bytes());
        put(offset::PAYLOAD_CRC, &self.payload_crc.to_le_bytes());
        put(offset::KIND, &(self.kind as u32).to_le_bytes());
        let crc = crc_without_field(&bytes, offset::HEADER_CRC);
        for (byte, value) in bytes
            .iter_mut()
            .skip(offset::HEADER_CRC)
            .zip(crc.to_le_bytes())
        {
            *byte = value;
        }
        bytes
    }

    /// Reads the header at the first of `bytes`, which must be one of segment
    /// `identity` at position `lsn`.
    ///
    /// # Errors
    /// The first check that fails. A torn write can fail any of them.
    pub fn decode(bytes: &[u8], identity: u64, lsn: Lsn) -> Result<Self, Fault> {
        let header = bytes.get(..FRAME_HEADER_BYTES).ok_or(Fault {
            field: "frame header bytes",
            expected: FRAME_HEADER_BYTES as u64,
            found: bytes.len() as u64,
        })?;
        let mut reader = Reader::new(header);
        let short = |_| Fault {
            field: "frame header bytes",
            expected: FRAME_HEADER_BYTES as u64,
            found: header.len() as u64,
        };
        let length = reader.u32().map_err(short)?;
        let crc = reader.u32().map_err(short)?;
        let found_identity = reader.u64().map_err(short)?;
        let found_lsn = reader.u64().map_err(short)?;
        let durable_lsn = Lsn(reader.u64().map_err(short)?);
        let payload_crc = reader.u32().map_err(short)?;
        let kind = reader.u32().map_err(short)?;
        // The cheapest check first: it decides nearly every step of a search.
        expect("segment identity", identity, found_identity)?;
        expect("lsn", lsn.0, found_lsn)?;
        expect(
            "frame header crc",
            u64::from(crc_without_field(header, offset::HEADER_CRC)),
            u64::from(crc),
        )?;
        let kind = FrameKind::from_number(kind).ok_or(Fault {
            field: "frame kind",
            expected: FrameKind::Data as u64,
            found: u64::from(kind),
        })?;
        if durable_lsn > lsn {
            return Err(Fault {
                field: "durable_lsn",
                expected: lsn.0,
                found: durable_lsn.0,
            });
        }
        Ok(Self {
            length,
            identity,
            lsn,
            durable_lsn,
            payload_crc,
            kind,
        })
    }

    /// Bytes the whole frame takes in the log.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        frame_bytes(self.length as usize)
    }
}

/// Appends a whole frame to `out`: for tests, fuzzing and offline tools. The
/// payload's length must fit 32 bits.
pub fn encode_frame(
    out: &mut Vec<u8>,
    kind: FrameKind,
    identity: u64,
    lsn: Lsn,
    durable_lsn: Lsn,
    payload: &[u8],
) {
    let header = FrameHeader {
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        identity,
        lsn,
        durable_lsn,
        payload_crc: crc32(payload),
        kind,
    };
    let end = out.len().saturating_add(frame_bytes(payload.len()));
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(payload);
    out.resize(end, 0);
}

/// Reads the whole frame at the first of `bytes`: its header and its payload.
///
/// # Errors
/// The first check that fails; the padding must be zero.
pub fn decode_frame(bytes: &[u8], identity: u64, lsn: Lsn) -> Result<(FrameHeader, &[u8]), Fault> {
    let header = FrameHeader::decode(bytes, identity, lsn)?;
    let frame = bytes.get(..header.frame_bytes()).ok_or(Fault {
        field: "frame bytes",
        expected: header.frame_bytes() as u64,
        found: bytes.len() as u64,
    })?;
    let (payload, padding) = frame
        .get(FRAME_HEADER_BYTES..)
        .and_then(|rest| rest.split_at_checked(header.length as usize))
        .unwrap_or_default();
    if !is_planted(Bug::SkippedLogCrc) {
        expect(
            "payload crc",
            u64::from(header.payload_crc),
            u64::from(crc32(payload)),
        )?;
    }
    for byte in padding {
        expect("frame padding", 0, u64::from(*byte))?;
    }
    Ok((header, payload))
}

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Random, fresh each time a file becomes a segment.
    pub identity: u64,
    /// Orders the segments of a directory: of two that hold a position the
    /// higher one rules.
    pub sequence: u64,
    /// Position of the first frame. All before it is durable elsewhere.
    pub start_lsn: Lsn,
    /// Tells the log's histories apart: fresh after each unclean stop.
    pub history: u64,
    /// Where that history began.
    pub history_start: Lsn,
    /// How long the file is, in bytes: since before it became a segment. 0 if that
    /// is not known.
    pub segment_bytes: u64,
    /// What the wall clock showed when it became a segment: all before `start_lsn` is
    /// no younger. 0 if that is not known.
    pub begun_at: UnixMillis,
}

impl SegmentHeader {
    /// The used bytes of the header page; the rest of the page is zero.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER_USED_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for field in [
            self.identity,
            self.sequence,
            self.start_lsn.0,
            self.history,
            self.history_start.0,
            self.segment_bytes,
            self.begun_at.0 as u64,
        ] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        let crc = crc_without_field(&bytes, 12).to_le_bytes();
        for (byte, value) in bytes.iter_mut().skip(12).zip(crc) {
            *byte = value;
        }
        bytes
    }

    /// Reads the header at the first of `bytes`.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let short = Fault {
            field: "segment header bytes",
            expected: SEGMENT_HEADER_USED_BYTES as u64,
            found: bytes.len() as u64,
        };
        let used = bytes.get(..SEGMENT_HEADER_USED_BYTES).ok_or(short)?;
        let version = used.get(8..12).unwrap_or_default();
        let used_bytes = match version {
            [1, 0, 0, 0] => FIRST_VERSION_USED_BYTES,
            [2, 0, 0, 0] => SECOND_VERSION_USED_BYTES,
            _ => SEGMENT_HEADER_USED_BYTES,
        };
        let used = used.get(..used_bytes).ok_or(short)?;
        let mut reader = Reader::new(used);
        expect(
            "segment magic",
            u64::from_le_bytes(MAGIC),
            reader.u64().map_err(|_| short)?,
        )?;
        let version = reader.u32().map_err(|_| short)?;
        let crc = reader.u32().map_err(|_| short)?;
        expect(
            "segment header crc",
            u64::from(crc_without_field(used, 12)),
            u64::from(crc),
        )?;
        if used_bytes == SEGMENT_HEADER_USED_BYTES {
            expect(
                "segment version",
                u64::from(FORMAT_VERSION),
                u64::from(version),
            )?;
        }
        // What an earlier version does not have is 0.
        let mut next = || match reader.is_empty() {
            true => Ok(0),
            false => reader.u64().map_err(|_| short),
        };
        Ok(Self {
            identity: next()?,
            sequence: next()?,
            start_lsn: Lsn(next()?),
            history: next()?,
            history_start: Lsn(next()?),
            segment_bytes: next()?,
            begun_at: UnixMillis(next()? as i64),
        })
    }
}

/// The version of an intact segment header that a later program wrote; `None` of any other
/// bytes. Whatever a version adds, magic, version and crc stay where they are, and the crc
/// covers what is used of the page; how much that is only the later program knows, so the
/// crc may hold at any length.
pub(crate) fn newer_version(bytes: &[u8]) -> Option<u32> {
    let page = bytes.get(..SEGMENT_HEADER_BYTES)?;
    let mut reader = Reader::new(page);
    let magic = reader.u64().ok()?;
    let version = reader.u32().ok()?;
    let crc = reader.u32().ok()?;
    if magic != u64::from_le_bytes(MAGIC) || version <= FORMAT_VERSION {
        return None;
    }
    let lengths = (SEGMENT_HEADER_USED_BYTES..=SEGMENT_HEADER_BYTES).step_by(8);
    let mut used = lengths.filter_map(|length| page.get(..length));
    used.any(|used| crc_without_field(used, 12) == crc)
        .then_some(version)
}

/// The crc of `bytes` without the four at `at`.
fn crc_without_field(bytes: &[u8], at: usize) -> u32 {
    let before = bytes.get(..at).unwrap_or_default();
    let after = bytes.get(at.saturating_add(4)..).unwrap_or_default();
    crc32_parts(&[before, after])
}

const fn expect(field: &'static str, expected: u64, found: u64) -> Result<(), Fault> {
    if expected == found {
        Ok(())
    } else {
        Err(Fault {
            field,
            expected,
            found,
        })
    }
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn offsets_are_those_drawn_in_the_format_page() {
        let header = FrameHeader {
            length: 0x1111_1111,
            identity: 0x2222_2222_2222_2222,
            lsn: Lsn(0x4444_4444_4444_4444),
            durable_lsn: Lsn(0x3333_3333_3333_3333),
            payload_crc: 0x5555_5555,
            kind: FrameKind::Seal,
        };
        let bytes = header.encode();
        let runs = [
            (offset::LENGTH, 4, 0x11),
            (offset::IDENTITY, 8, 0x22),
            (offset::LSN, 8, 0x44),
            (offset::DURABLE_LSN, 8, 0x33),
            (offset::PAYLOAD_CRC, 4, 0x55),
        ];
        for (at, count, value) in runs {
            assert!(bytes[at..at + count].iter().all(|byte| *byte == value));
        }
        assert_eq!(bytes[offset::KIND], 3);
        let format = include_str!("../FORMAT.md");
        for (name, at) in [
            ("length", offset::LENGTH),
            ("header_crc", offset::HEADER_CRC),
            ("identity", offset::IDENTITY),
            ("lsn", offset::LSN),
            ("durable_lsn", offset::DURABLE_LSN),
            ("payload_crc", offset::PAYLOAD_CRC),
            ("kind", offset::KIND),
            ("payload", offset::PAYLOAD),
        ] {
            assert!(format.contains(&format!("| {at} | `{name}` |")), "{name}");
        }
        assert_eq!(offset::PAYLOAD, FRAME_HEADER_BYTES);
    }

    proptest! {
        #[test]
        fn frame_reads_back_and_every_flip_is_noticed(
            payload in proptest::collection::vec(any::<u8>(), 0..60),
            identity in any::<u64>(),
            flip in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            encode_frame(&mut bytes, FrameKind::Data, identity, Lsn(80), Lsn(40), &payload);
            prop_assert_eq!(bytes.len(), frame_bytes(payload.len()));
            let (header, read) = decode_frame(&bytes, identity, Lsn(80)).unwrap();
            prop_assert_eq!(read, &payload[..]);
            prop_assert_eq!(header.durable_lsn, Lsn(40));
            let bit = flip.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode_frame(&bytes, identity, Lsn(80)).is_err());
        }
    }

    #[test]
    fn segment_header_reads_back_and_every_flip_is_noticed() {
        let header = SegmentHeader {
            identity: 1,
            sequence: 2,
            start_lsn: Lsn(3),
            history: 4,
            history_start: Lsn(5),
            segment_bytes: 6,
            begun_at: UnixMillis(7),
        };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&bytes).is_err());
        }
    }

    #[test]
    fn segment_headers_of_earlier_versions_are_read() {
        for (version, used_bytes, segment_bytes) in [
            (1_u32, FIRST_VERSION_USED_BYTES, 0),
            (2, SECOND_VERSION_USED_BYTES, 6),
        ] {
            let header = SegmentHeader {
                identity: 1,
                sequence: 2,
                start_lsn: Lsn(3),
                history: 4,
                history_start: Lsn(5),
                segment_bytes,
                begun_at: UnixMillis(0),
            };
            let mut bytes = header.encode();
            bytes.truncate(used_bytes);
            bytes[8..12].copy_from_slice(&version.to_le_bytes());
            let crc = crc_without_field(&bytes, 12);
            bytes[12..16].copy_from_slice(&crc.to_le_bytes());
            bytes.resize(SEGMENT_HEADER_BYTES, 0);
            assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        }
    }

    #[test]
    fn a_time_mark_reads_back_and_an_empty_payload_is_none() {
        let mark = TimeMark {
            at: UnixMillis(-5),
            covered: Lsn(u64::MAX - 7),
        };
        assert_eq!(TimeMark::decode(&mark.encode()), Some(mark));
        assert_eq!(mark.encode()[..8], (-5_i64).to_le_bytes());
        assert_eq!(TimeMark::decode(&[]), None);
        assert_eq!(TimeMark::decode(&[0; 17]), None);
    }
}
