//! Writes replies, in the protocol version the client chose.
//!
//! Owns the reply bytes not yet handed to the socket and every difference
//! between RESP2 and RESP3. Does not check that an aggregate gets as many
//! elements as announced. INVARIANT: text of simple strings and errors holds
//! no CR or LF. Runs on the connection's thread.

use crate::error::CommandError;
use thermocline_types::number::double_text;

/// The protocol version a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// RESP2, what every connection starts with.
    #[default]
    Two,
    /// RESP3, after `HELLO 3`.
    Three,
}

/// What stands around the bytes of a bulk string, at most.
const AROUND_BYTES: usize = 32;

/// A length of a [`ReplyBuffer`] to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Mark(usize);

/// Replies being written.
#[derive(Debug, Default)]
pub struct ReplyBuffer {
    bytes: Vec<u8>,
    version: Version,
}

impl ReplyBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            bytes: Vec::new(),
            version,
        }
    }

    /// The version in use.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Replies from here on use `version`.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Everything written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes everything written and leaves the buffer empty; marks taken before
    /// are void.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Appends what `other` holds, which uses the same version.
    pub fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Remembers the present end, before a command that may be retried.
    pub fn checkpoint(&self) -> Mark {
        Mark(self.bytes.len())
    }

    /// Forgets everything written since `mark`.
    pub fn rollback(&mut self, mark: Mark) {
        self.bytes.truncate(mark.0);
    }

    /// A status such as `OK`; CR and LF become spaces.
    pub fn simple(&mut self, text: &str) {
        self.text_line(b'+', text);
    }

    /// An error with its code, such as `ERR no such key`; trailing line ends
    /// go, other CR and LF become spaces.
    pub fn error(&mut self, text: &str) {
        self.text_line(b'-', text.trim_end_matches(['\r', '\n']));
    }

    /// The text of a refused command, byte for byte: it may repeat bytes of the
    /// client that are no UTF-8.
    pub fn refuse(&mut self, error: &CommandError) {
        self.bytes.push(b'-');
        self.bytes.extend_from_slice(&error.text());
        self.end();
    }

    /// A signed integer.
    pub fn integer(&mut self, value: i64) {
        self.head(b':', value);
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.bytes.reserve(bytes.len().saturating_add(AROUND_BYTES));
        self.length(b'$', bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.end();
    }

    /// The absent value.
    pub fn null(&mut self) {
        self.by_version(b"$-1\r\n", b"_\r\n");
    }

    /// The absent array.
    pub fn null_array(&mut self) {
        self.by_version(b"*-1\r\n", b"_\r\n");
    }

    /// Starts an array of `count` elements.
    pub fn array(&mut self, count: usize) {
        self.length(b'*', count);
    }

    /// Bytes that are a reply, or a part of one, already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Starts a map of `pairs` keys and values, written alternately; in RESP2
    /// an array of twice as many elements.
    pub fn map(&mut self, pairs: usize) {
        match self.version {
            Version::Two => self.length(b'*', pairs.saturating_mul(2)),
            Version::Three => self.length(b'%', pairs),
        }
    }

    /// Starts an attribute of `pairs` keys with values, which precedes the reply it is about.
    /// RESP2 has none: nothing may be written then.
    pub fn attribute(&mut self, pairs: usize) {
        self.length(b'|', pairs);
    }

    /// Starts a set of `count` elements; in RESP2 an array.
    pub fn set(&mut self, count: usize) {
        self.aggregate(b'~', count);
    }

    /// Starts an out-of-band message of `count` elements; in RESP2 an array.
    pub fn push(&mut self, count: usize) {
        self.aggregate(b'>', count);
    }

    /// A floating point number; in RESP2 a bulk string.
    pub fn double(&mut self, value: f64) {
        self.number_text(b',', &double_text(value));
    }

    /// As [`ReplyBuffer::double`], of a text that is one already.
    pub fn double_text(&mut self, text: &str) {
        self.number_text(b',', text);
    }

    /// A truth value; in RESP2 the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        if value {
            self.by_version(b":1\r\n", b"#t\r\n");
        } else {
            self.by_version(b":0\r\n", b"#f\r\n");
        }
    }

    /// An integer of any size, given in decimal; in RESP2 a bulk string.
    pub fn big_number(&mut self, decimal: &str) {
        self.number_text(b'(', decimal);
    }

    /// Text with a three-byte format such as `txt`; in RESP2 a bulk string
    /// without the format.
    pub fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
        if self.version == Version::Two {
            return self.bulk(text);
        }
        self.length(b'=', text.len().saturating_add(4));
        self.bytes.extend_from_slice(&format);
        self.bytes.push(b':');
        self.bytes.extend_from_slice(text);
        self.end();
    }

    fn by_version(&mut self, two: &[u8], three: &[u8]) {
        self.bytes.extend_from_slice(match self.version {
            Version::Two => two,
            Version::Three => three,
        });
    }

    fn aggregate(&mut self, kind: u8, count: usize) {
        let kind = match self.version {
            Version::Two => b'*',
            Version::Three => kind,
        };
        self.length(kind, count);
    }

    fn number_text(&mut self, kind: u8, text: &str) {
        match self.version {
            Version::Two => self.bulk(text.as_bytes()),
            Version::Three => self.text_line(kind, text),
        }
    }

    fn text_line(&mut self, kind: u8, text: &str) {
        self.bytes.push(kind);
        self.bytes.extend(text.bytes().map(|byte| match byte {
            b'\r' | b'\n' => b' ',
            other => other,
        }));
        self.end();
    }

    fn length(&mut self, kind: u8, count: usize) {
        // Most are short.
        if count < 100 {
            let [tens, ones] = [count / 10, count % 10].map(|digit| b'0' + digit as u8);
            if tens == b'0' {
                self.bytes.extend_from_slice(&[kind, ones, b'\r', b'\n']);
            } else {
                self.bytes
                    .extend_from_slice(&[kind, tens, ones, b'\r', b'\n']);
            }
            return;
        }
        self.head(kind, count);
    }

    fn head(&mut self, kind: u8, value: impl itoa::Integer) {
        self.bytes.push(kind);
        let mut digits = itoa::Buffer::new();
        self.bytes
            .extend_from_slice(digits.format(value).as_bytes());
        self.end();
    }

    fn end(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(write: impl Fn(&mut ReplyBuffer), two: &str, three: &str) {
        for (version, expected) in [(Version::Two, two), (Version::Three, three)] {
            let mut reply = ReplyBuffer::new(version);
            write(&mut reply);
            assert_eq!(String::from_utf8_lossy(reply.as_bytes()), expected);
        }
    }

    #[test]
    fn replies_match_both_versions() {
        golden(|r| r.simple("OK"), "+OK\r\n", "+OK\r\n");
        golden(
            |r| r.error("ERR a\r\nb\r\n"),
            "-ERR a  b\r\n",
            "-ERR a  b\r\n",
        );
        golden(
            |r| r.integer(i64::MIN),
            ":-9223372036854775808\r\n",
            ":-9223372036854775808\r\n",
        );
        golden(
            |r| r.bulk(b"a\r\nb"),
            "$4\r\na\r\nb\r\n",
            "$4\r\na\r\nb\r\n",
        );
        golden(ReplyBuffer::null, "$-1\r\n", "_\r\n");
        golden(ReplyBuffer::null_array, "*-1\r\n", "_\r\n");
        golden(|r| r.array(2), "*2\r\n", "*2\r\n");
        golden(|r| r.map(2), "*4\r\n", "%2\r\n");
        golden(|r| r.set(3), "*3\r\n", "~3\r\n");
        golden(|r| r.push(3), "*3\r\n", ">3\r\n");
        golden(|r| r.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
        golden(
            |r| r.double(f64::NEG_INFINITY),
            "$4\r\n-inf\r\n",
            ",-inf\r\n",
        );
        golden(|r| r.boolean(true), ":1\r\n", "#t\r\n");
        golden(|r| r.boolean(false), ":0\r\n", "#f\r\n");
        golden(|r| r.big_number("123"), "$3\r\n123\r\n", "(123\r\n");
        golden(
            |r| r.verbatim(*b"txt", b"hi"),
            "$2\r\nhi\r\n",
            "=6\r\ntxt:hi\r\n",
        );
    }

    #[test]
    fn doubles_are_laid_out_as_the_original_does() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (0.1, "0.1"),
            (1e7, "10000000"),
            (1e22, "1e+22"),
            (1.5e-10, "1.5e-10"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(double_text(value), expected);
        }
    }

    #[test]
    fn rollback_leaves_only_what_was_before() {
        let mut reply = ReplyBuffer::default();
        reply.simple("OK");
        let mark = reply.checkpoint();
        reply.array(2);
        reply.rollback(mark);
        reply.integer(1);
        assert_eq!(reply.take(), b"+OK\r\n:1\r\n");
    }
}
