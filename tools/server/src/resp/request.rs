//! Decodes requests out of a connection's read buffer, without copying them.
//!
//! Owns the request grammar, its limits and its error texts, which are those
//! of Valkey byte for byte. Does not read sockets nor own the read buffer.
//!
//! INVARIANT: between two calls that return [`Decoded::Incomplete`] the caller
//! only appends to the buffer; after any other answer it drops `consumed`
//! bytes from the front. Offsets in here count from the buffer's front.
//!
//! INVARIANT: memory is bought only with bytes received: an argument's range
//! is stored once all its bytes are there; declared numbers are compared, never
//! allocated. Runs on the connection's thread.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use std::ops::Range;

use super::inline;

/// What one request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest inline request or length line, bytes before its line end.
    pub line_bytes: usize,
    /// Most arguments in a multibulk request.
    pub arguments: u64,
    /// Longest bulk argument, bytes (`proto-max-bulk-len`).
    pub bulk_bytes: u64,
    /// Whether the client has to authenticate first; then at most
    /// [`Limits::UNAUTHENTICATED_ARGUMENTS`] of
    /// [`Limits::UNAUTHENTICATED_BULK_BYTES`] are taken.
    pub unauthenticated: bool,
}

impl Limits {
    /// Most arguments in a multibulk request before authentication.
    pub const UNAUTHENTICATED_ARGUMENTS: u64 = 10;
    /// Longest bulk argument before authentication, bytes.
    pub const UNAUTHENTICATED_BULK_BYTES: u64 = 16_384;
}

impl Default for Limits {
    /// 64 KiB lines, 1024 * 1024 arguments of 512 MiB, authenticated.
    fn default() -> Self {
        Self {
            line_bytes: 64 * 1024,
            arguments: 1024 * 1024,
            bulk_bytes: 512 * 1024 * 1024,
            unauthenticated: false,
        }
    }
}

/// The stream is no longer a sequence of requests: reply `-ERR {self}` and
/// close. Write it with [`super::ReplyBuffer::error`], which cleans the byte of
/// [`ProtocolError::ExpectedBulk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// No line end within [`Limits::line_bytes`] of an inline request.
    #[error("Protocol error: too big inline request")]
    InlineTooBig,
    /// No line end within [`Limits::line_bytes`] of `*`.
    #[error("Protocol error: too big mbulk count string")]
    CountTooBig,
    /// The argument count is no number or above [`Limits::arguments`].
    #[error("Protocol error: invalid multibulk length")]
    InvalidCount,
    /// Too many arguments before authentication.
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedCount,
    /// No line end within [`Limits::line_bytes`] of `$`.
    #[error("Protocol error: too big bulk count string")]
    BulkTooBig,
    /// An argument starts with this byte, not `$`.
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0))]
    ExpectedBulk(u8),
    /// An argument's length is no number or above [`Limits::bulk_bytes`].
    #[error("Protocol error: invalid bulk length")]
    InvalidBulk,
    /// Too long an argument before authentication.
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulk,
    /// A line or an argument does not end in CR LF.
    #[error("Protocol error: invalid CRLF in request")]
    InvalidLineEnd,
    /// The quotes of an inline request do not match.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
}

/// What the buffer's front holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A whole request of at least one argument.
    Request {
        /// What the arguments' ranges index: the read buffer, or for an inline
        /// request its unescaped text.
        bytes: &'a [u8],
        /// Bytes of the read buffer the request took.
        consumed: usize,
    },
    /// More bytes are needed.
    Incomplete {
        /// At least this many more bytes, 1 or more; only a hint, and declared
        /// by the client: never allocate it unseen.
        needed: usize,
    },
    /// A request without arguments, to be skipped without a reply.
    Empty {
        /// Bytes of the read buffer it took; 0 for an empty buffer.
        consumed: usize,
    },
}

#[derive(Debug, Clone, Copy, Default)]
enum Phase {
    #[default]
    Start,
    /// The length line of an argument comes next.
    Length,
    /// An argument of this many bytes comes next.
    Body(usize),
}

/// Decodes one connection's requests; remembers how far it got.
#[derive(Debug, Default)]
pub struct Decoder {
    phase: Phase,
    /// Everything before is decoded.
    position: usize,
    /// No line end between `position` and here.
    scanned: usize,
    /// Arguments still to come.
    missing: u64,
    arguments: Vec<Range<usize>>,
    inline_text: Vec<u8>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of memory held beyond the decoder itself.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        (self.arguments.capacity())
            .saturating_mul(size_of::<Range<usize>>())
            .saturating_add(self.inline_text.capacity())
    }

    /// Decodes the request at the front of `buffer`; bytes seen by an earlier
    /// call are not looked at again. Where each argument of a whole request lies
    /// is appended to `arguments`, which is as it was after any other answer.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the connection; the decoder is of no more use.
    pub fn decode<'a>(
        &'a mut self,
        buffer: &'a [u8],
        limits: &Limits,
        arguments: &mut Vec<Range<usize>>,
    ) -> Result<Decoded<'a>, ProtocolError> {
        if matches!(self.phase, Phase::Start) {
            match buffer.first() {
                None => return Ok(Decoded::Empty { consumed: 0 }),
                Some(b'*') => {
                    if self.scanned == 0 {
                        let before = arguments.len();
                        if let Some(consumed) = whole(buffer, limits, arguments) {
                            return Ok(Decoded::Request {
                                bytes: buffer,
                                consumed,
                            });
                        }
                        arguments.truncate(before);
                    }
                    let Some(line) = self.line(buffer, limits, ProtocolError::CountTooBig)? else {
                        return Ok(Decoded::Incomplete { needed: 1 });
                    };
                    let digits = buffer.get(line).and_then(|l| l.get(1..)).unwrap_or(&[]);
                    let count = number(digits).ok_or(ProtocolError::InvalidCount)?;
                    let count = u64::try_from(count).unwrap_or(0);
                    if count > limits.arguments {
                        return Err(ProtocolError::InvalidCount);
                    }
                    if limits.unauthenticated && count > Limits::UNAUTHENTICATED_ARGUMENTS {
                        return Err(ProtocolError::UnauthenticatedCount);
                    }
                    if count == 0 {
                        let consumed = self.finish();
                        return Ok(Decoded::Empty { consumed });
                    }
                    self.missing = count;
                    self.phase = Phase::Length;
                }
                Some(_) => return self.inline(buffer, limits, arguments),
            }
        }
        while self.missing > 0 {
            let needed = self.argument(buffer, limits)?;
            if needed > 0 {
                return Ok(Decoded::Incomplete { needed });
            }
        }
        arguments.append(&mut self.arguments);
        // A request in pieces may have been long; few are.
        self.arguments = Vec::new();
        let consumed = self.finish();
        Ok(Decoded::Request {
            bytes: buffer,
            consumed,
        })
    }

    /// Decodes the next argument; otherwise says how many bytes are missing.
    fn argument(&mut self, buffer: &[u8], limits: &Limits) -> Result<usize, ProtocolError> {
        if !matches!(self.phase, Phase::Body(_)) {
            let Some(line) = self.line(buffer, limits, ProtocolError::BulkTooBig)? else {
                return Ok(1);
            };
            // An empty line shows its CR, as the original does.
            let (first, digits) = match buffer.get(line).unwrap_or(&[]) {
                [first, digits @ ..] => (*first, digits),
                [] => (b'\r', &[][..]),
            };
            if first != b'$' {
                return Err(ProtocolError::ExpectedBulk(first));
            }
            let length = number(digits)
                .and_then(|length| u64::try_from(length).ok())
                .filter(|&length| length <= limits.bulk_bytes)
                .ok_or(ProtocolError::InvalidBulk)?;
            if limits.unauthenticated && length > Limits::UNAUTHENTICATED_BULK_BYTES {
                return Err(ProtocolError::UnauthenticatedBulk);
            }
            let length = usize::try_from(length).map_err(|_| ProtocolError::InvalidBulk)?;
            self.phase = Phase::Body(length);
        }
        let Phase::Body(length) = self.phase else {
            return Ok(1);
        };
        let end = self.position.saturating_add(length);
        let after = end.saturating_add(2);
        let Some(ending) = buffer.get(end..after) else {
            return Ok(after.saturating_sub(buffer.len()).max(1));
        };
        if ending != b"\r\n" {
            return Err(ProtocolError::InvalidLineEnd);
        }
        self.arguments.push(self.position..end);
        self.position = after;
        self.scanned = after;
        self.missing = self.missing.saturating_sub(1);
        self.phase = Phase::Length;
        Ok(0)
    }

    /// The range of the next CR LF line without its end, and steps over it.
    fn line(
        &mut self,
        buffer: &[u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<Option<Range<usize>>, ProtocolError> {
        // One byte above the limit decides, wherever the stream was cut.
        let bound = self
            .position
            .saturating_add(limits.line_bytes)
            .saturating_add(1);
        let window = buffer.get(..bound.min(buffer.len())).unwrap_or(buffer);
        let unseen = window.get(self.scanned..).unwrap_or(&[]);
        let Some(found) = unseen.iter().position(|&byte| byte == b'\r') else {
            if buffer.len() >= bound {
                return Err(too_big);
            }
            self.scanned = window.len();
            return Ok(None);
        };
        let end = self.scanned.saturating_add(found);
        let next = end.saturating_add(1);
        match buffer.get(next) {
            None => {
                self.scanned = end;
                Ok(None)
            }
            Some(b'\n') => {
                let line = self.position..end;
                self.position = next.saturating_add(1);
                self.scanned = self.position;
                Ok(Some(line))
            }
            Some(_) => Err(ProtocolError::InvalidLineEnd),
        }
    }

    fn inline<'a>(
        &'a mut self,
        buffer: &'a [u8],
        limits: &Limits,
        arguments: &mut Vec<Range<usize>>,
    ) -> Result<Decoded<'a>, ProtocolError> {
        let bound = limits.line_bytes.saturating_add(1);
        let window = buffer.get(..bound.min(buffer.len())).unwrap_or(buffer);
        let unseen = window.get(self.scanned..).unwrap_or(&[]);
        // The original searches a C string, so that a zero byte hides any line
        // end behind it; stopping at the zero keeps every later call there too.
        let found = unseen.iter().position(|&byte| matches!(byte, b'\n' | 0));
        let end = self.scanned.saturating_add(found.unwrap_or(unseen.len()));
        if found.is_none() || buffer.get(end) == Some(&0) {
            if buffer.len() >= bound {
                return Err(ProtocolError::InlineTooBig);
            }
            self.scanned = end;
            return Ok(Decoded::Incomplete { needed: 1 });
        }
        self.inline_text.clear();
        let line = buffer.get(..end).unwrap_or(&[]);
        let words = inline::split(line, &mut self.inline_text)
            .map_err(|_| ProtocolError::UnbalancedQuotes)?;
        self.finish();
        let consumed = end.saturating_add(1);
        if words.is_empty() {
            return Ok(Decoded::Empty { consumed });
        }
        arguments.extend(words);
        Ok(Decoded::Request {
            bytes: &self.inline_text,
            consumed,
        })
    }

    /// Back to the start of a request; gives the bytes that the last one took.
    fn finish(&mut self) -> usize {
        let consumed = self.position;
        self.phase = Phase::Start;
        self.position = 0;
        self.scanned = 0;
        self.missing = 0;
        consumed
    }
}

/// Appends the arguments of a request that is there as a whole, as nearly all are; the bytes
/// it takes. `None` for one that has to be decoded step by step: it is cut off, wrong, or has
/// a length of many digits.
fn whole(buffer: &[u8], limits: &Limits, arguments: &mut Vec<Range<usize>>) -> Option<usize> {
    let (count, mut position) = short_line(b'*', buffer)?;
    if count == 0 || count as u64 > limits.arguments || limits.unauthenticated {
        return None;
    }
    for _ in 0..count {
        let (length, line_bytes) = short_line(b'$', buffer.get(position..)?)?;
        let start = position.saturating_add(line_bytes);
        let end = start.saturating_add(length);
        position = end.saturating_add(2);
        if length as u64 > limits.bulk_bytes || buffer.get(end..position)? != b"\r\n" {
            return None;
        }
        arguments.push(start..end);
    }
    Some(position)
}

/// The number on a line of `kind`, if it has few digits, and the bytes of the line.
#[inline]
fn short_line(kind: u8, buffer: &[u8]) -> Option<(usize, usize)> {
    const DIGITS: usize = 5;
    let [first, rest @ ..] = buffer else {
        return None;
    };
    if *first != kind {
        return None;
    }
    let mut number = 0_usize;
    for (index, &byte) in rest.iter().take(DIGITS.saturating_add(1)).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let after = index.saturating_add(1);
            let is_end = index > 0 && byte == b'\r' && rest.get(after) == Some(&b'\n');
            return is_end.then_some((number, after.saturating_add(2)));
        }
        if index > 0 && number == 0 {
            return None;
        }
        number = number.saturating_mul(10).saturating_add(usize::from(digit));
    }
    None
}

/// A decimal number in its one canonical spelling (no `+`, no leading zero).
fn number(digits: &[u8]) -> Option<i64> {
    let unsigned = digits.strip_prefix(b"-").unwrap_or(digits);
    let canonical = match unsigned {
        [b'0'] => digits.len() == 1,
        [b'1'..=b'9', ..] => true,
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
