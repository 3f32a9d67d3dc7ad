//! The requests of one append-only file.
//!
//! Owns the bytes and their offsets. INVARIANT: memory grows with what was really
//! read: a declared length is believed only once so many bytes are there.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use std::io::{self, BufRead, Read};
use thermocline_base::limits::STRING_MAX_BYTES;
use thiserror::Error;

/// The most arguments of a request, as the servers have it.
const ARGUMENTS_MAX: u64 = 1 << 20;
/// The longest line: a count, a length or a note of the time.
const LINE_MAX_BYTES: u64 = 1 << 10;

/// Why requests cannot be read.
#[derive(Debug, Error)]
pub enum AofError {
    /// The file could not be read.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// It ends in the middle of a request.
    #[error("the file ends in the middle of the request that begins at offset {begun}")]
    Truncated {
        /// Where that request begins.
        begun: u64,
    },
    /// It holds something else than requests.
    #[error("at offset {offset}: expected {expected}, found {found:?}")]
    Bad {
        /// Where.
        offset: u64,
        /// What should be there.
        expected: &'static str,
        /// What is there, shown.
        found: String,
    },
}

/// The next thing in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A request: its command and arguments.
    Request(Vec<Vec<u8>>),
    /// What follows was written at this second or later.
    Time(i64),
}

/// Reads requests.
pub struct RequestReader<R> {
    reader: R,
    offset: u64,
}

impl<R: BufRead> RequestReader<R> {
    /// A reader whose first byte stands at `offset` of the file.
    pub const fn new(reader: R, offset: u64) -> Self {
        Self { reader, offset }
    }

    /// Bytes of the file that were read.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The next request or time; `None` at the end.
    ///
    /// # Errors
    /// See [`AofError`].
    pub fn next_item(&mut self) -> Result<Option<Item>, AofError> {
        let begun = self.offset;
        let Some(line) = self.line(begun)? else {
            return Ok(None);
        };
        if let Some(note) = line.strip_prefix(b"#") {
            let seconds = note.strip_prefix(b"TS:").and_then(number);
            let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
            return Ok(Some(Item::Time(seconds.unwrap_or(0))));
        }
        let count = line.strip_prefix(b"*").and_then(number);
        let count = count.filter(|count| (1..=ARGUMENTS_MAX).contains(count));
        let count = count.ok_or_else(|| bad(begun, "* and a number of arguments", &line))?;
        let mut arguments = Vec::new();
        for _ in 0..count {
            let at = self.offset;
            let line = self.line(begun)?.ok_or(AofError::Truncated { begun })?;
            let length = line.strip_prefix(b"$").and_then(number);
            let length = length.filter(|length| *length <= STRING_MAX_BYTES as u64);
            let length = length.ok_or_else(|| bad(at, "$ and a length", &line))?;
            arguments.push(self.bytes(length, begun)?);
        }
        Ok(Some(Item::Request(arguments)))
    }

    /// A line without its end; `None` at the end of the file.
    fn line(&mut self, begun: u64) -> Result<Option<Vec<u8>>, AofError> {
        let at = self.offset;
        let mut line = Vec::new();
        let mut limited = self.reader.by_ref().take(LINE_MAX_BYTES);
        let read = limited.read_until(b'\n', &mut line)?;
        self.offset = self.offset.saturating_add(read as u64);
        if read == 0 {
            return Ok(None);
        }
        match line.strip_suffix(b"\r\n") {
            Some(content) => Ok(Some(content.to_vec())),
            None if line.ends_with(b"\n") || read as u64 == LINE_MAX_BYTES => {
                Err(bad(at, "a line that ends with CR LF", &line))
            }
            None => Err(AofError::Truncated { begun }),
        }
    }

    fn bytes(&mut self, length: u64, begun: u64) -> Result<Vec<u8>, AofError> {
        let mut bytes = Vec::new();
        let wanted = length.saturating_add(2);
        let read = self.reader.by_ref().take(wanted).read_to_end(&mut bytes)?;
        let at = self.offset;
        self.offset = at.saturating_add(read as u64);
        if (read as u64) < wanted {
            return Err(AofError::Truncated { begun });
        }
        let end = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes.get(end..) != Some(b"\r\n") {
            let found = bytes.get(end..).unwrap_or_default();
            return Err(bad(at.saturating_add(length), "CR LF", found));
        }
        bytes.truncate(end);
        Ok(bytes)
    }
}

fn bad(offset: u64, expected: &'static str, found: &[u8]) -> AofError {
    let found = found.get(..found.len().min(32)).unwrap_or_default();
    AofError::Bad {
        offset,
        expected,
        found: found.escape_ascii().to_string(),
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n#TS:1700000000\r\n*1\r\n$0\r\n\r\n";

    fn items(bytes: &[u8]) -> Result<Vec<Item>, AofError> {
        let mut reader = RequestReader::new(bytes, 0);
        let mut items = Vec::new();
        while let Some(item) = reader.next_item()? {
            items.push(item);
        }
        assert_eq!(reader.offset(), bytes.len() as u64);
        Ok(items)
    }

    #[test]
    fn requests_and_times_are_read() {
        let expected = [
            Item::Request(vec![b"SELECT".to_vec(), b"3".to_vec()]),
            Item::Time(1_700_000_000),
            Item::Request(vec![Vec::new()]),
        ];
        assert_eq!(items(FILE).expect("it is whole"), expected);
    }

    #[test]
    fn a_torn_file_says_where_its_last_request_begins() {
        let whole = [0, 23, 39, FILE.len()];
        for end in 0..FILE.len() {
            match items(&FILE[..end]) {
                Ok(_) => assert!(whole.contains(&end), "{end}"),
                Err(AofError::Truncated { begun }) => {
                    let before = whole.iter().rev().find(|it| **it < end);
                    assert_eq!(Some(&(begun as usize)), before, "{end}");
                }
                Err(other) => panic!("{end}: {other}"),
            }
        }
    }

    #[test]
    fn other_bytes_are_refused_with_their_offset() {
        for (bytes, at) in [
            (&b"PING\r\n"[..], 0),
            (b"*0\r\n", 0),
            (b"*-1\r\n", 0),
            (b"*99999999999999999999\r\n", 0),
            (b"*1\r\n$-1\r\n", 4),
            (b"*1\r\n$9999999999\r\n", 4),
            (b"*1\r\n$1\r\nab\r\n", 9),
            (b"*1\n", 0),
        ] {
            let refused = items(bytes);
            assert!(
                matches!(refused, Err(AofError::Bad { offset, .. }) if offset == at),
                "{}: {refused:?}",
                bytes.escape_ascii()
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_reading_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = items(&bytes);
        }
    }
}
