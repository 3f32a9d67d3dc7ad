//! Reads RESP2 replies out of bytes.
//!
//! Owns the grammar of what a server sends; borrows, allocates only for
//! arrays and never from a declared length. Does not own sockets. Pure, any
//! thread.

use thiserror::Error;

/// How deep arrays are nested at most: XREAD gives fields in entries in streams.
const DEPTH: usize = 6;
/// No server measured here sends a longer one; a longer claim is nonsense.
const BULK_BYTES: usize = 512 << 20;

/// One reply; texts are as sent, without the type byte and the line's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `+OK`.
    Simple(&'a [u8]),
    /// `-ERR …`.
    Error(&'a [u8]),
    /// `:1`.
    Integer(i64),
    /// `$3 …`, or nil as `$-1`.
    Bulk(Option<&'a [u8]>),
    /// `*2 …`, or nil as `*-1`.
    Array(Option<Vec<Reply<'a>>>),
}

/// The bytes are no RESP2 reply.
#[derive(Debug, Error)]
#[error("not a reply: {0}")]
pub struct MalformedReply(String);

impl MalformedReply {
    /// Shows the beginning of what was found.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let shown = bytes.get(..40).unwrap_or(bytes);
        Self(shown.escape_ascii().to_string())
    }
}

/// Reads the first reply in `bytes` and how many bytes it takes; `None` while
/// it is not complete.
///
/// # Errors
/// The bytes cannot become a reply whatever follows.
pub fn read(bytes: &[u8]) -> Result<Option<(Reply<'_>, usize)>, MalformedReply> {
    read_nested(bytes, DEPTH)
}

fn read_nested(bytes: &[u8], depth: usize) -> Result<Option<(Reply<'_>, usize)>, MalformedReply> {
    let Some((&kind, after)) = bytes.split_first() else {
        return Ok(None);
    };
    if !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*') {
        return Err(malformed(bytes));
    }
    let Some(line) = line(after)? else {
        return Ok(None);
    };
    let head = line.len() + 3;
    let reply = match kind {
        b'+' => Reply::Simple(line),
        b'-' => Reply::Error(line),
        b':' => Reply::Integer(number(line).ok_or_else(|| malformed(bytes))?),
        b'$' => return bulk(bytes, line, head),
        _ => return array(bytes, line, head, depth),
    };
    Ok(Some((reply, head)))
}

/// The bytes before the first line's end; longest 64 KiB.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, MalformedReply> {
    let window = bytes.get(..1 << 16).unwrap_or(bytes);
    match window.iter().position(|&byte| byte == b'\r') {
        Some(end) => Ok(bytes.get(end + 1).and(bytes.get(..end))),
        None if window.len() < bytes.len() => Err(malformed(bytes)),
        None => Ok(None),
    }
}

fn bulk<'a>(
    bytes: &'a [u8],
    line: &[u8],
    head: usize,
) -> Result<Option<(Reply<'a>, usize)>, MalformedReply> {
    let length = number(line).ok_or_else(|| malformed(bytes))?;
    if length == -1 {
        return Ok(Some((Reply::Bulk(None), head)));
    }
    let length = usize::try_from(length)
        .ok()
        .filter(|&length| length <= BULK_BYTES)
        .ok_or_else(|| malformed(bytes))?;
    let end = head + length + 2;
    if bytes.len() < end {
        return Ok(None);
    }
    Ok(Some((Reply::Bulk(bytes.get(head..end - 2)), end)))
}

fn array<'a>(
    bytes: &'a [u8],
    line: &[u8],
    head: usize,
    depth: usize,
) -> Result<Option<(Reply<'a>, usize)>, MalformedReply> {
    let length = number(line).ok_or_else(|| malformed(bytes))?;
    if length == -1 {
        return Ok(Some((Reply::Array(None), head)));
    }
    let length = usize::try_from(length).map_err(|_| malformed(bytes))?;
    let depth = depth.checked_sub(1).ok_or_else(|| malformed(bytes))?;
    let mut at = head;
    let mut items = Vec::new();
    for _ in 0..length {
        let Some((item, taken)) = read_nested(bytes.get(at..).unwrap_or_default(), depth)? else {
            return Ok(None);
        };
        items.push(item);
        at += taken;
    }
    Ok(Some((Reply::Array(Some(items)), at)))
}

fn number(line: &[u8]) -> Option<i64> {
    std::str::from_utf8(line).ok()?.parse().ok()
}

fn malformed(bytes: &[u8]) -> MalformedReply {
    MalformedReply::of(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Reply<'_> {
        match read(bytes) {
            Ok(Some((reply, taken))) => {
                assert_eq!(taken, bytes.len());
                reply
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_kind_is_read() {
        assert_eq!(whole(b"+OK\r\n"), Reply::Simple(b"OK"));
        assert_eq!(whole(b"-ERR no\r\n"), Reply::Error(b"ERR no"));
        assert_eq!(whole(b":-7\r\n"), Reply::Integer(-7));
        assert_eq!(whole(b"$-1\r\n"), Reply::Bulk(None));
        assert_eq!(whole(b"$4\r\na\r\nb\r\n"), Reply::Bulk(Some(b"a\r\nb")));
        assert_eq!(whole(b"*-1\r\n"), Reply::Array(None));
        assert_eq!(
            whole(b"*2\r\n+OK\r\n*1\r\n:1\r\n"),
            Reply::Array(Some(vec![
                Reply::Simple(b"OK"),
                Reply::Array(Some(vec![Reply::Integer(1)]))
            ]))
        );
    }

    #[test]
    fn no_prefix_of_a_reply_is_a_reply_or_an_error() {
        let bytes = b"*3\r\n$5\r\nhello\r\n:12\r\n-ERR x\r\n";
        for end in 0..bytes.len() {
            assert!(matches!(read(&bytes[..end]), Ok(None)), "{end}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bytes in [
            &b"hello\r\n"[..],
            b"$x\r\n",
            b"$-2\r\n",
            b"$99999999999\r\n",
            b"*-3\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ] {
            assert!(read(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }
}
