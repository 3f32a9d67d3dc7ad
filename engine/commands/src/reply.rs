//! Writes replies, in the protocol version the client chose.
//!
//! Owns the reply bytes not yet handed to the socket and every difference
//! between RESP2 and RESP3. Does not check that an aggregate gets as many
//! elements as announced. INVARIANT: text of simple strings and errors holds
//! no CR or LF. INVARIANT: nothing is appended that [`ReplyBuffer::has_room`] was not asked
//! about, so a buffer never outgrows its bounds. Runs on the connection's thread.

use crate::error::CommandError;
use crate::reply_pieces::Pieces;
use crate::reply_room::{ReplyRoom, Share};
use std::borrow::Cow;
use std::sync::Arc;
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

/// One reply of a [`ReplyBuffer`], the last.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    pieces: &'a Pieces,
    offset: usize,
}

impl<'a> Written<'a> {
    /// Its length. One that was cut has no bytes left.
    #[must_use]
    pub fn len(self) -> usize {
        self.pieces.len().saturating_sub(self.offset)
    }

    /// Whether there is nothing of it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether it is an error.
    #[inline]
    #[must_use]
    pub fn is_error(self) -> bool {
        self.pieces.byte(self.offset) == Some(b'-')
    }

    /// Its text with its code, if it is an error.
    #[must_use]
    pub fn error(self) -> Option<Cow<'a, [u8]>> {
        let offset = self.offset.saturating_add(1);
        self.is_error().then(|| self.pieces.since(offset))
    }
}

/// Replies being written.
///
/// They come in pieces, so that none is moved for what comes behind it: a long reply takes
/// what it is long, and one that is not sent at once is kept as it was written.
///
/// A buffer that would outgrow its bounds is cut: it forgets what it holds and takes nothing
/// more. What was asked for is done all the same; only its client, who could not be told,
/// has to be closed.
#[derive(Debug, Default)]
pub struct ReplyBuffer {
    pieces: Pieces,
    version: Version,
    /// Its part of what all replies share.
    share: Share,
    /// What the client may leave unread; 0 for no bound.
    most_bytes: u64,
    is_cut: bool,
}

impl ReplyBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }

    /// An empty buffer of the same version that shares the same room, in one piece.
    #[must_use]
    pub fn sibling(&self) -> Self {
        Self {
            version: self.version,
            share: self.share.sibling(),
            pieces: Pieces::whole(),
            ..Self::default()
        }
    }

    /// Bounds what is written from here on: by what all replies share, and by `most_bytes`,
    /// 0 for no bound of its own.
    pub fn set_bounds(&mut self, room: Option<&Arc<ReplyRoom>>, most_bytes: u64) {
        self.share.set_room(room);
        self.most_bytes = most_bytes;
    }

    /// Whether it would have outgrown its bounds: nothing of it is left.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
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

    /// How many bytes were written.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything written; a copy, if it is in several pieces.
    #[must_use]
    pub fn as_bytes(&self) -> Cow<'_, [u8]> {
        self.pieces.since(0)
    }

    /// The reply that begins behind the first `offset` bytes, the last one.
    #[must_use]
    pub const fn last(&self, offset: usize) -> Written<'_> {
        Written {
            pieces: &self.pieces,
            offset,
        }
    }

    /// Everything written, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter()
    }

    /// Takes everything written, piece by piece, and leaves the buffer empty; marks taken
    /// before are void.
    #[must_use]
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        self.share.clear();
        self.pieces.take()
    }

    /// Forgets everything written, and the buffer's own room if that is above `kept_bytes`;
    /// marks taken before are void.
    #[inline]
    pub fn clear(&mut self, kept_bytes: usize) {
        if self.pieces.clear(kept_bytes) {
            self.share.clear();
        }
    }

    /// Appends what `other` holds, which uses the same version.
    pub fn append(&mut self, other: &Self) {
        if other.is_cut {
            self.cut();
        }
        other.pieces.iter().for_each(|piece| self.raw(piece));
    }

    /// Whether so many bytes more may be appended; room is made for them.
    #[inline]
    fn has_room(&mut self, more_bytes: usize) -> bool {
        self.pieces.has_room(more_bytes) || self.grow(more_bytes)
    }

    #[cold]
    fn grow(&mut self, more_bytes: usize) -> bool {
        if self.is_cut {
            return false;
        }
        let needed_bytes = self.len().saturating_add(more_bytes) as u64;
        let fits = self.most_bytes == 0 || needed_bytes <= self.most_bytes;
        let growth = self.pieces.growth(more_bytes);
        let share = &mut self.share;
        let mut choices = growth.choices();
        let chosen = choices.find(|(_, all_bytes)| fits && share.grow_to(*all_bytes));
        let Some((length, _)) = chosen else {
            self.cut();
            return false;
        };
        self.pieces.grow(&growth, length);
        true
    }

    fn cut(&mut self) {
        self.is_cut = true;
        self.clear(0);
    }

    /// Remembers the present end, before a command that may be retried.
    pub fn checkpoint(&self) -> Mark {
        Mark(self.len())
    }

    /// Forgets everything written since `mark`.
    pub fn rollback(&mut self, mark: Mark) {
        self.pieces.truncate(mark.0);
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
        let text = error.text();
        if self.has_room(text.len().saturating_add(AROUND_BYTES)) {
            self.pieces.open.push(b'-');
            self.pieces.open.extend_from_slice(&text);
            self.end();
        }
    }

    /// A signed integer.
    pub fn integer(&mut self, value: i64) {
        self.head(b':', value);
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        if !self.has_room(bytes.len().saturating_add(AROUND_BYTES)) {
            return;
        }
        self.length(b'$', bytes.len());
        self.pieces.open.extend_from_slice(bytes);
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
        if self.has_room(bytes.len()) {
            self.pieces.open.extend_from_slice(bytes);
        }
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
        if !self.has_room(text.len().saturating_add(AROUND_BYTES)) {
            return;
        }
        self.length(b'=', text.len().saturating_add(4));
        self.pieces.open.extend_from_slice(&format);
        self.pieces.open.push(b':');
        self.pieces.open.extend_from_slice(text);
        self.end();
    }

    fn by_version(&mut self, two: &[u8], three: &[u8]) {
        self.raw(match self.version {
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
        if !self.has_room(text.len().saturating_add(AROUND_BYTES)) {
            return;
        }
        self.pieces.open.push(kind);
        self.pieces.open.extend(text.bytes().map(|byte| match byte {
            b'\r' | b'\n' => b' ',
            other => other,
        }));
        self.end();
    }

    fn length(&mut self, kind: u8, count: usize) {
        if !self.has_room(AROUND_BYTES) {
            return;
        }
        // Most are short.
        if count < 100 {
            let [tens, ones] = [count / 10, count % 10].map(|digit| b'0' + digit as u8);
            if tens == b'0' {
                self.pieces
                    .open
                    .extend_from_slice(&[kind, ones, b'\r', b'\n']);
            } else {
                self.pieces
                    .open
                    .extend_from_slice(&[kind, tens, ones, b'\r', b'\n']);
            }
            return;
        }
        self.head(kind, count);
    }

    fn head(&mut self, kind: u8, value: impl itoa::Integer) {
        if !self.has_room(AROUND_BYTES) {
            return;
        }
        self.pieces.open.push(kind);
        let mut digits = itoa::Buffer::new();
        self.pieces
            .open
            .extend_from_slice(digits.format(value).as_bytes());
        self.end();
    }

    fn end(&mut self) {
        self.pieces.open.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(write: impl Fn(&mut ReplyBuffer), two: &str, three: &str) {
        for (version, expected) in [(Version::Two, two), (Version::Three, three)] {
            let mut reply = ReplyBuffer::new(version);
            write(&mut reply);
            assert_eq!(String::from_utf8_lossy(&reply.as_bytes()), expected);
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
    fn what_outgrows_its_own_bound_is_cut_and_stays_so() {
        let mut reply = ReplyBuffer::default();
        reply.set_bounds(None, 1000);
        let mark = reply.checkpoint();
        reply.bulk(&[b'x'; 900]);
        assert_eq!(reply.len(), 908);
        reply.bulk(&[b'x'; 900]);
        assert!(reply.is_cut() && reply.is_empty());
        reply.rollback(mark);
        reply.simple("OK");
        assert!(reply.is_empty() && reply.pieces.open.capacity() == 0);
        let mut other = ReplyBuffer::default();
        other.append(&reply);
        assert!(other.is_cut());
    }

    #[test]
    fn large_replies_share_their_room_and_give_it_back() {
        let room = Arc::new(ReplyRoom::default());
        room.set_most_bytes(10 << 20);
        let reply = |megabytes: usize| {
            let mut reply = ReplyBuffer::default();
            reply.set_bounds(Some(&room), 0);
            for _ in 0..megabytes {
                reply.bulk(&vec![b'x'; 1 << 20]);
            }
            reply
        };
        let small = reply(0);
        let mut one = reply(7);
        assert!(!one.is_cut());
        assert!(reply(7).is_cut(), "both together are too much");
        assert!(!small.sibling().is_cut());
        assert_eq!(one.take().concat().len(), 7 * ((1 << 20) + 12));
        let again = reply(7);
        assert!(!again.is_cut());
        drop(again);
        assert!(!reply(7).is_cut());
    }

    #[test]
    fn rollback_leaves_only_what_was_before() {
        let mut reply = ReplyBuffer::default();
        reply.simple("OK");
        let mark = reply.checkpoint();
        reply.array(2);
        reply.rollback(mark);
        reply.integer(1);
        assert_eq!(reply.take(), [b"+OK\r\n:1\r\n"]);
    }
}
