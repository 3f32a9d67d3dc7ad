//! A plain client for one question at a time.
//!
//! Owns a blocking connection and the encoding of requests. Not for load: see
//! [`crate::load`]. One thread.

use crate::reply::{self, MalformedReply, Reply};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;
use thiserror::Error;

/// A server silent for this long is taken for hung.
const SILENCE: Duration = Duration::from_secs(60);

/// Why an answer could not be had.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The connection failed; what was sent may or may not have been done.
    #[error("the connection to the server failed: {0}")]
    Connection(#[from] io::Error),
    /// The server does not speak RESP2.
    #[error(transparent)]
    Malformed(#[from] MalformedReply),
    /// The server answered, but not this.
    #[error("unexpected answer to {request}: {answer}")]
    Unexpected {
        /// The first word of the request.
        request: String,
        /// The reply, cut to a line.
        answer: String,
    },
}

/// Appends a request of these words.
pub fn write_request(words: &[&[u8]], out: &mut Vec<u8>) {
    write_length(b'*', words.len(), out);
    for word in words {
        write_length(b'$', word.len(), out);
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends `*2` or `$5` with the line's end.
pub fn write_length(kind: u8, length: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut rest = length;
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    out.push(kind);
    out.extend_from_slice(digits.get(20 - count..).unwrap_or_default());
    out.extend_from_slice(b"\r\n");
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    /// Bytes received; those before `at` are consumed.
    received: Vec<u8>,
    at: usize,
}

impl Client {
    /// Connects to the loopback `port`.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(port: u16) -> Result<Self, ClientError> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        Ok(Self {
            stream,
            received: Vec::new(),
            at: 0,
        })
    }

    /// Takes a server that is silent for `limit` for hung, in place of a minute.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn set_silence(&self, limit: Duration) -> Result<(), ClientError> {
        Ok(self.stream.set_read_timeout(Some(limit))?)
    }

    /// Sends requests already encoded.
    ///
    /// # Errors
    /// The connection failed; any part may have been sent.
    pub fn send(&mut self, requests: &[u8]) -> Result<(), ClientError> {
        Ok(self.stream.write_all(requests)?)
    }

    /// The next reply.
    ///
    /// # Errors
    /// The connection failed or the bytes are no reply.
    pub fn receive(&mut self) -> Result<Reply<'_>, ClientError> {
        self.received.drain(..self.at);
        self.at = 0;
        while reply::read(&self.received)?.is_none() {
            let mut chunk = [0; 1 << 16];
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.received
                .extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
        // Read once more so that the borrow ends above where more is needed.
        match reply::read(&self.received)? {
            Some((reply, taken)) => {
                self.at = taken;
                Ok(reply)
            }
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    /// Sends one request and gives its reply.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Client::receive`].
    pub fn ask(&mut self, words: &[&[u8]]) -> Result<Reply<'_>, ClientError> {
        let mut request = Vec::new();
        write_request(words, &mut request);
        self.send(&request)?;
        self.receive()
    }

    /// Sends one request whose reply must be a status, such as `OK`.
    ///
    /// # Errors
    /// Another kind of reply, or a failed connection.
    pub fn order(&mut self, words: &[&[u8]]) -> Result<(), ClientError> {
        match self.ask(words)? {
            Reply::Simple(_) => Ok(()),
            other => Err(unexpected(words, &other)),
        }
    }

    /// The fields of `INFO everything`.
    ///
    /// # Errors
    /// No text came back.
    pub fn info(&mut self) -> Result<Information, ClientError> {
        self.info_section("everything")
    }

    /// The fields of one section of INFO.
    ///
    /// # Errors
    /// No text came back.
    pub fn info_section(&mut self, name: &str) -> Result<Information, ClientError> {
        let words: [&[u8]; 2] = [b"INFO", name.as_bytes()];
        match self.ask(&words)? {
            Reply::Bulk(Some(text)) => Ok(Information::read(&String::from_utf8_lossy(text))),
            other => Err(unexpected(&words, &other)),
        }
    }
}

fn unexpected(words: &[&[u8]], reply: &Reply<'_>) -> ClientError {
    let request = words.first().copied().unwrap_or_default();
    let mut answer = match reply {
        Reply::Error(text) | Reply::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    answer.truncate(answer.floor_char_boundary(200));
    ClientError::Unexpected {
        request: String::from_utf8_lossy(request).into_owned(),
        answer,
    }
}

/// The fields of INFO.
#[derive(Clone, Debug, Default)]
pub struct Information(HashMap<String, String>);

impl Information {
    /// Of fields read elsewhere.
    pub(crate) fn of(fields: impl Iterator<Item = (String, String)>) -> Self {
        Self(fields.collect())
    }

    fn read(text: &str) -> Self {
        let fields = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim_end().to_owned()));
        Self::of(fields)
    }

    /// A field as it stands there; empty if the server has none of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field as a whole number; 0 if it is missing or something else.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_arrays_of_bulk_strings() {
        let mut out = Vec::new();
        write_request(&[b"SET", b"a key of ten", b""], &mut out);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$12\r\na key of ten\r\n$0\r\n\r\n");
    }

    #[test]
    fn information_is_read_by_name() {
        let information = Information::read("# Memory\r\nused_memory:12\r\nname:a:b\r\n");
        assert_eq!(information.number("used_memory"), 12);
        assert_eq!(information.text("name"), "a:b");
        assert_eq!(information.number("name"), 0);
        assert_eq!(information.text("absent"), "");
    }
}
