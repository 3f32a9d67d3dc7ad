//! A client of the protocol: raw replies for comparison, and their structure.
//!
//! Owns framing. Does not know commands. INVARIANT: a raw reply holds exactly
//! the bytes of one reply. One thread; a read that takes a minute fails.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A request: its words.
pub(super) type Command = Vec<Vec<u8>>;

/// How long a reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);
/// Deepest nesting of aggregates that is read.
const DEPTH: usize = 16;

/// A command of these words.
pub(super) fn command<W: AsRef<[u8]>>(words: &[W]) -> Command {
    words.iter().map(|word| word.as_ref().to_vec()).collect()
}

/// A command for people: words that are not plain are escaped and quoted.
pub(super) fn shown(command: &Command) -> String {
    let words = command.iter().map(|word| {
        let text = word.escape_ascii().to_string();
        if text.is_empty() || text.contains([' ', '"']) || text.contains('\\') {
            format!("\"{text}\"")
        } else {
            text
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// One connection.
pub(super) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a server on this machine.
    pub(super) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        let reader = BufReader::with_capacity(64 * 1024, stream);
        Ok(Self { reader })
    }

    /// Sends requests in one write.
    pub(super) fn send(&mut self, commands: &[Command]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for command in commands {
            bytes.extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
            for word in command {
                bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        self.reader.get_mut().write_all(&bytes)
    }

    /// Reads one reply whole.
    pub(super) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut raw = Vec::new();
        let mut pending = 1_u64;
        while pending > 0 {
            let start = raw.len();
            self.reader.read_until(b'\n', &mut raw)?;
            let line = raw.get(start..).unwrap_or_default();
            if !line.ends_with(b"\r\n") {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            pending -= 1;
            match line[0] {
                b'$' | b'=' | b'!' => {
                    if let Some(bytes) = length(line)? {
                        let whole = start + line.len() + bytes as usize + 2;
                        let mut body = (&mut self.reader).take(bytes + 2);
                        body.read_to_end(&mut raw)?;
                        if raw.len() != whole {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                    }
                }
                b'*' | b'~' | b'>' => pending += length(line)?.unwrap_or(0),
                b'%' => pending += 2 * length(line)?.unwrap_or(0),
                _ => {}
            }
        }
        Ok(raw)
    }

    /// Whether something has come that was not read yet, or the connection has ended.
    pub(super) fn has_input(&self) -> io::Result<bool> {
        if !self.reader.buffer().is_empty() {
            return Ok(true);
        }
        let stream = self.reader.get_ref();
        stream.set_nonblocking(true)?;
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false)?;
        match peeked {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends one request and reads its reply.
    pub(super) fn call(&mut self, command: &Command) -> io::Result<Vec<u8>> {
        self.send(std::slice::from_ref(command))?;
        self.read()
    }
}

/// The number in a line after its first byte; `None` for -1.
fn length(line: &[u8]) -> io::Result<Option<u64>> {
    let text = std::str::from_utf8(&line[1..])
        .unwrap_or_default()
        .trim_end();
    if text == "-1" {
        return Ok(None);
    }
    let number = text.parse::<u32>().map_err(io::Error::other)?;
    Ok(Some(number.into()))
}

/// A reply's structure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reply {
    /// A line: simple string, error, integer, null, double, boolean.
    Line(Vec<u8>),
    /// A string of any bytes.
    Bulk(Vec<u8>),
    /// Its first byte, and its elements: those of a map are keys and values in
    /// turn.
    Aggregate(u8, Vec<Reply>),
}

impl Reply {
    /// The structure of one raw reply.
    pub(super) fn parse(raw: &[u8]) -> Option<Self> {
        let mut rest = raw;
        let reply = parse(&mut rest, DEPTH)?;
        rest.is_empty().then_some(reply)
    }

    /// Its bytes; null as RESP2's null string.
    pub(super) fn raw(&self) -> Vec<u8> {
        match self {
            Self::Line(line) if line == b"null" => b"$-1\r\n".to_vec(),
            Self::Line(line) => [line, b"\r\n".as_slice()].concat(),
            Self::Bulk(bytes) => {
                let head = format!("${}\r\n", bytes.len());
                [head.as_bytes(), bytes, b"\r\n"].concat()
            }
            Self::Aggregate(kind, elements) => {
                let count = elements.len() / if *kind == b'%' { 2 } else { 1 };
                let mut raw = format!("{}{count}\r\n", char::from(*kind)).into_bytes();
                raw.extend(elements.iter().flat_map(Self::raw));
                raw
            }
        }
    }

    /// Whether it is an error.
    pub(super) fn is_error(&self) -> bool {
        matches!(self, Self::Line(line) if line.starts_with(b"-"))
    }

    /// The integer it is.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Line(line) => {
                let text = std::str::from_utf8(line.strip_prefix(b":")?).ok()?;
                text.parse().ok()
            }
            _ => None,
        }
    }

    /// Its elements; none if it is no aggregate.
    pub(super) fn elements(&self) -> &[Self] {
        match self {
            Self::Aggregate(_, elements) => elements,
            _ => &[],
        }
    }

    /// The string it is; empty for anything else.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bulk(bytes) => bytes,
            _ => &[],
        }
    }
}

fn parse(rest: &mut &[u8], depth: usize) -> Option<Reply> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, after) = (&rest[..end], &rest[end + 2..]);
    *rest = after;
    let kind = *line.first()?;
    match kind {
        b'$' | b'=' | b'!' => {
            let Some(bytes) = length(line).ok()? else {
                return Some(Reply::Line(b"null".to_vec()));
            };
            let (body, after) = rest.split_at_checked(bytes as usize)?;
            *rest = after.strip_prefix(b"\r\n")?;
            Some(Reply::Bulk(body.to_vec()))
        }
        b'*' | b'~' | b'>' | b'%' => {
            let Some(count) = length(line).ok()? else {
                return Some(Reply::Line(b"null".to_vec()));
            };
            let count = if kind == b'%' { 2 * count } else { count };
            let inner = depth.checked_sub(1)?;
            let elements = (0..count).map(|_| parse(rest, inner));
            Some(Reply::Aggregate(kind, elements.collect::<Option<_>>()?))
        }
        b'_' => Some(Reply::Line(b"null".to_vec())),
        _ => Some(Reply::Line(line.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_taken_apart() {
        let raw = b"*3\r\n$2\r\n\r\n\r\n:-7\r\n%1\r\n+a\r\n$-1\r\n";
        let reply = Reply::parse(raw).expect("is whole");
        let elements = reply.elements();
        assert_eq!(elements[0].bytes(), b"\r\n");
        assert_eq!(elements[1].integer(), Some(-7));
        assert_eq!(elements[2].elements().len(), 2);
        assert_eq!(reply.raw(), raw);
        assert!(Reply::parse(b"-ERR x\r\n").expect("is whole").is_error());
        for broken in [
            &b"*1\r\n"[..],
            b"$5\r\nabc\r\n",
            b":1",
            b":1\r\n:2\r\n",
            b"",
        ] {
            assert_eq!(Reply::parse(broken), None);
        }
    }

    #[test]
    fn commands_are_shown_so_that_they_can_be_typed_again() {
        let words = command(&[&b"SET"[..], b"a b", b"", b"\r\0"]);
        assert_eq!(shown(&words), r#"SET "a b" "" "\r\x00""#);
    }
}
