//! The meta commands of memcached (its `doc/protocol.txt`), as far as a load
//! and its checks need them.
//!
//! Owns their requests and the reading of their replies, which become the
//! [`Reply`] that a RESP server would have sent. Does not own sockets. Pure.

use crate::client::{ClientError, Information};
use crate::reply::{MalformedReply, Reply};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A longer line is no reply.
const LINE_BYTES: usize = 4096;
/// memcached's own limit is below.
const VALUE_BYTES: usize = 1 << 30;
/// A server silent for this long is taken for hung.
const SILENCE: Duration = Duration::from_secs(60);

/// Appends a request for the value of `key`.
pub fn write_get(key: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"mg ");
    out.extend_from_slice(key);
    out.extend_from_slice(b" v\r\n");
}

/// Appends a request that sets `key`, to expire after `expiry_seconds` if any.
pub fn write_set(key: &[u8], value: &[u8], expiry_seconds: Option<u32>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"ms ");
    out.extend_from_slice(key);
    out.extend_from_slice(format!(" {}", value.len()).as_bytes());
    if let Some(seconds) = expiry_seconds {
        out.extend_from_slice(format!(" T{seconds}").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Reads the first reply in `bytes` and how many bytes it takes; `None` while
/// it is not complete.
///
/// # Errors
/// The bytes cannot become a reply whatever follows.
pub fn read(bytes: &[u8]) -> Result<Option<(Reply<'_>, usize)>, MalformedReply> {
    let window = bytes.get(..LINE_BYTES).unwrap_or(bytes);
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        if window.len() < bytes.len() {
            return Err(MalformedReply::of(bytes));
        }
        return Ok(None);
    };
    let line = bytes.get(..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let head = end + 1;
    let reply = match line.get(..2) {
        Some(b"HD") => Reply::Simple(line),
        Some(b"EN") => Reply::Bulk(None),
        Some(b"VA") => {
            let length = value_length(line).ok_or_else(|| MalformedReply::of(bytes))?;
            let end = head + length + 2;
            if bytes.len() < end {
                return Ok(None);
            }
            return Ok(Some((Reply::Bulk(bytes.get(head..head + length)), end)));
        }
        _ => Reply::Error(line),
    };
    Ok(Some((reply, head)))
}

/// Of `VA length flags…`.
fn value_length(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line).ok()?;
    let length = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    (length <= VALUE_BYTES).then_some(length)
}

/// The fields of `stats`.
///
/// # Errors
/// The server is gone.
pub fn stats(port: u16) -> Result<Information, ClientError> {
    let lines = ask(port, "stats")?;
    let fields = lines.iter().filter_map(|line| {
        let (name, value) = line.strip_prefix("STAT ")?.split_once(' ')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Ok(Information::of(fields))
}

/// The lines of the answer to a command whose last line is `END` or the only one.
fn ask(port: u16, command: &str) -> Result<Vec<String>, ClientError> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let is_last = !line.starts_with("STAT ");
        lines.push(line);
        if is_last {
            break;
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_meta_commands() {
        let mut out = Vec::new();
        write_get(b"a", &mut out);
        write_set(b"b", b"12\r\n", None, &mut out);
        write_set(b"c", b"", Some(60), &mut out);
        assert_eq!(out, b"mg a v\r\nms b 4\r\n12\r\n\r\nms c 0 T60\r\n\r\n");
    }

    #[test]
    fn replies_are_those_of_a_resp_server() {
        for (bytes, expected) in [
            (&b"HD\r\n"[..], Reply::Simple(b"HD")),
            (b"EN\r\n", Reply::Bulk(None)),
            (b"VA 4 t0\r\na\r\nb\r\n", Reply::Bulk(Some(b"a\r\nb"))),
            (b"SERVER_ERROR no\r\n", Reply::Error(b"SERVER_ERROR no")),
        ] {
            for end in 0..bytes.len() {
                assert!(matches!(read(&bytes[..end]), Ok(None)), "{end}");
            }
            match read(bytes) {
                Ok(Some((reply, taken))) => {
                    assert_eq!((reply, taken), (expected, bytes.len()));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(read(b"VA x\r\n").is_err());
        assert!(read(b"VA 99999999999\r\n").is_err());
        assert!(read(&[b'x'; 5000]).is_err());
    }
}
