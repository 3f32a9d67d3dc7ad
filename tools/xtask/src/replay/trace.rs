//! Reads an access trace in the form of the ARC paper.
//!
//! N. Megiddo and D. S. Modha, "ARC: A Self-Tuning, Low Overhead Replacement
//! Cache", USENIX FAST 2003: a line is `first count ignored number` and stands
//! for one request to each of `count` blocks from `first` on. Owns the numbering
//! of the blocks: by first appearance, without gaps.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// More than any known trace; a longer one is a mistake or an attack.
const REQUESTS: usize = 1 << 28;

/// The requests in order.
pub(crate) struct Trace {
    /// Each a key's number.
    pub(crate) requests: Vec<u32>,
    /// How many different keys.
    pub(crate) keys: u64,
}

impl Trace {
    /// Reads at most `limit` requests from a file, decompressed if its name
    /// ends in `.zst`.
    pub(crate) fn read(path: &Path, limit: Option<usize>) -> io::Result<Self> {
        let file = File::open(path)?;
        if path.extension().is_some_and(|kind| kind == "zst") {
            Self::from_lines(BufReader::new(zstd::Decoder::new(file)?), limit)
        } else {
            Self::from_lines(BufReader::new(file), limit)
        }
    }

    /// Only the first `limit` requests, and the keys they name.
    pub(crate) fn cut(mut self, limit: usize) -> Self {
        self.requests.truncate(limit);
        // Keys are numbered by their first appearance.
        self.keys = self
            .requests
            .iter()
            .max()
            .map_or(0, |&key| u64::from(key) + 1);
        self
    }

    fn from_lines(mut lines: impl BufRead, limit: Option<usize>) -> io::Result<Self> {
        let limit = limit.unwrap_or(REQUESTS).min(REQUESTS);
        let mut numbers: HashMap<u64, u32> = HashMap::new();
        let mut requests = Vec::new();
        let mut line = String::new();
        for row in 1_u64.. {
            line.clear();
            if lines.by_ref().take(1024).read_line(&mut line)? == 0 {
                break;
            }
            if line.trim().is_empty() {
                continue;
            }
            let (first, count) = blocks(&line).ok_or_else(|| {
                io::Error::other(format!(
                    "line {row} is not `first count …`: {}",
                    line.trim()
                ))
            })?;
            for block in first..first.saturating_add(count) {
                if requests.len() == limit {
                    let keys = numbers.len() as u64;
                    return Ok(Self { requests, keys });
                }
                let next = numbers.len() as u32;
                requests.push(*numbers.entry(block).or_insert(next));
            }
        }
        let keys = numbers.len() as u64;
        Ok(Self { requests, keys })
    }
}

fn blocks(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_whitespace();
    let first = fields.next()?.parse().ok()?;
    let count = fields.next()?.parse().ok()?;
    Some((first, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, limit: Option<usize>) -> io::Result<Trace> {
        Trace::from_lines(text.as_bytes(), limit)
    }

    #[test]
    fn runs_become_requests_numbered_by_first_appearance() {
        let trace = read("70 3 0 0\n5 1 0 1\n\n71 2 0 2\n", None).expect("a trace");
        assert_eq!(trace.requests, [0, 1, 2, 3, 1, 2]);
        assert_eq!(trace.keys, 4);
        let cut = trace.cut(2);
        assert_eq!((cut.requests.as_slice(), cut.keys), (&[0, 1][..], 2));
    }

    #[test]
    fn a_limit_cuts_even_inside_a_run() {
        let trace = read("1 18446744073709551615 0 0\n", Some(5)).expect("a trace");
        assert_eq!(trace.requests, [0, 1, 2, 3, 4]);
        assert_eq!(trace.keys, 5);
    }

    #[test]
    fn another_form_is_an_error_with_its_line() {
        let error = read("1 1 0 0\nx y\n", None).err().expect("an error");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
