//! Keys whose values tell which write they are from, and what was acknowledged.
//!
//! Owns the record of it. A refused write must leave the value before.

use crate::bench::BenchError;
use thermocline_base::Random;
use thermocline_benches::client::{Client, write_request};
use thermocline_benches::reply::Reply;

/// Bytes of a value, which no compression makes fewer; with its key it fills a page of
/// the tier.
pub(super) const VALUE_BYTES: usize = 4000;
/// Keys read in one pipeline.
const READ_TOGETHER: usize = 64;

/// What became of a write.
pub(super) enum Outcome {
    Written,
    /// The error's text.
    Refused(String),
}

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Keys {
    /// How often each was written.
    versions: Vec<u64>,
}

fn name(number: u64) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

fn value(number: u64, version: u64) -> Vec<u8> {
    let mut random = Random::new(number << 20 | version);
    let words = (0..VALUE_BYTES / 8).flat_map(|_| random.next_u64().to_le_bytes());
    words.collect()
}

impl Keys {
    /// How many were written.
    pub(super) fn count(&self) -> u64 {
        self.versions.len() as u64
    }

    /// Writes one more.
    pub(super) fn add(&mut self, client: &mut Client) -> Result<Outcome, BenchError> {
        self.put(client, self.count())
    }

    /// Writes key `number`, which is known or the next.
    pub(super) fn put(&mut self, client: &mut Client, number: u64) -> Result<Outcome, BenchError> {
        let at = number as usize;
        let version = self.versions.get(at).map_or(1, |version| version + 1);
        let words: [&[u8]; 3] = [b"SET", &name(number), &value(number, version)];
        match client.ask(&words)? {
            Reply::Simple(b"OK") => {
                match self.versions.get_mut(at) {
                    Some(known) => *known = version,
                    None => self.versions.push(version),
                }
                Ok(Outcome::Written)
            }
            Reply::Error(text) => Ok(Outcome::Refused(String::from_utf8_lossy(text).into_owned())),
            other => Err(BenchError::Unexpected(format!("SET answers {other:?}"))),
        }
    }

    /// Reads key `number` and compares it with what was acknowledged last.
    pub(super) fn check_one(&self, client: &mut Client, number: u64) -> Result<(), BenchError> {
        let version = self.versions.get(number as usize).copied().unwrap_or(0);
        let reply = client.ask(&[b"GET", &name(number)])?;
        if reply == Reply::Bulk(Some(&value(number, version))) {
            return Ok(());
        }
        let shown: String = format!("{reply:?}").chars().take(100).collect();
        Err(BenchError::Unexpected(format!(
            "key {number}, written {version} times, is not what was acknowledged: {shown}"
        )))
    }

    /// Reads all and compares them with what was acknowledged last.
    pub(super) fn check(&self, client: &mut Client) -> Result<(), BenchError> {
        for (chunk, versions) in self.versions.chunks(READ_TOGETHER).enumerate() {
            let first = (chunk * READ_TOGETHER) as u64;
            let mut requests = Vec::new();
            for number in (first..).take(versions.len()) {
                write_request(&[b"GET", &name(number)], &mut requests);
            }
            client.send(&requests)?;
            for (number, &version) in (first..).zip(versions) {
                let reply = client.receive()?;
                if reply != Reply::Bulk(Some(&value(number, version))) {
                    let mut shown = format!("{reply:?}");
                    shown.truncate(100);
                    return Err(BenchError::Unexpected(format!(
                        "key {number}, written {version} times, is not what was acknowledged: \
                         {shown}"
                    )));
                }
            }
        }
        Ok(())
    }
}
