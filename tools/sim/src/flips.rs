//! Every single bit and every end of the four formats, each of more than 128 KiB or what is
//! asked for.
//!
//! Owns the walk over bits and ends, and the judgement: damage is refused, or what is
//! read is what was written. Does not know the formats; `formats` does. All cores.

use crate::formats::{self, Format};
use crate::parallel;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes whose bits are one task.
const TASK_BYTES: usize = 512;
/// What is told of what went unnoticed.
const SHOWN: usize = 5;

/// What became of all damage to one format.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The format.
    pub format: &'static str,
    /// Its length, in bytes.
    pub bytes: usize,
    /// Bits that were flipped.
    pub flips: u64,
    /// Ends at which it was cut.
    pub ends: u64,
    /// Of both, what was refused.
    pub refused: u64,
    /// Of both, what changed nothing that is read.
    pub harmless: u64,
    /// Of both, what was read as something else, or ended in a panic.
    pub undetected: u64,
    /// Some of them, for people.
    pub shown: Vec<String>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.flips += other.flips;
        self.ends += other.ends;
        self.refused += other.refused;
        self.harmless += other.harmless;
        self.undetected += other.undetected;
        self.shown.extend(other.shown);
        self.shown.truncate(SHOWN);
    }

    fn judge(&mut self, format: &dyn Format, bytes: &[u8], at: usize, what: impl Fn() -> String) {
        let read = catch_unwind(AssertUnwindSafe(|| format.is_as_written(bytes, at)));
        let wrong = match read {
            Ok(None) => {
                self.refused += 1;
                return;
            }
            Ok(Some(true)) => {
                self.harmless += 1;
                return;
            }
            Ok(Some(false)) => "it is read as something else",
            Err(_) => "a panic",
        };
        self.undetected += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(format!("{}: {wrong}", what()));
        }
    }
}

/// Damages each format, of more than `bytes`, at every bit and at every end.
///
/// # Errors
/// If one is not read as it was written while it is whole.
pub fn run(bytes: usize) -> Result<Vec<Outcome>, String> {
    let formats = formats::all(bytes)?;
    formats
        .iter()
        .map(|format| damage(format.as_ref()))
        .collect()
}

fn damage(format: &dyn Format) -> Result<Outcome, String> {
    let whole = format.bytes();
    for at in (0..whole.len()).step_by(TASK_BYTES) {
        if format.is_as_written(whole, at) != Some(true) {
            return Err(format!(
                "{}, undamaged, is not read as it was written at byte {at}",
                format.name()
            ));
        }
    }
    let tasks: Vec<usize> = (0..whole.len()).step_by(TASK_BYTES).collect();
    let outcomes = parallel::map(&tasks, |begin| {
        let end = whole.len().min(begin + TASK_BYTES);
        let mut outcome = Outcome::default();
        let mut bytes = whole.to_vec();
        for at in *begin..end {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                outcome.judge(format, &bytes, at, || format!("bit {bit} of byte {at}"));
                bytes[at] ^= 1 << bit;
                outcome.flips += 1;
            }
            outcome.judge(format, &whole[..at], at, || format!("cut after {at} bytes"));
            outcome.ends += 1;
        }
        outcome
    });
    let mut sum = Outcome {
        format: format.name(),
        bytes: whole.len(),
        ..Outcome::default()
    };
    outcomes.into_iter().for_each(|outcome| sum.add(outcome));
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says nothing of its second byte, lies about its third, and panics at its fourth.
    struct Careless(Vec<u8>);

    impl Format for Careless {
        fn name(&self) -> &'static str {
            "careless"
        }

        fn bytes(&self) -> &[u8] {
            &self.0
        }

        fn is_as_written(&self, bytes: &[u8], _: usize) -> Option<bool> {
            if bytes.len() < 4 || bytes[0] != self.0[0] {
                return None;
            }
            assert!(bytes[3] == self.0[3]);
            Some(bytes[2] == self.0[2])
        }
    }

    #[test]
    fn what_goes_unnoticed_is_told() {
        let outcome = damage(&Careless(vec![1, 2, 3, 4])).expect("it is whole");
        assert_eq!((outcome.flips, outcome.ends), (32, 4));
        assert_eq!(outcome.refused, 8 + 4);
        assert_eq!(outcome.harmless, 8);
        assert_eq!(outcome.undetected, 8 + 8);
        assert_eq!(outcome.shown.len(), SHOWN);
    }

    #[test]
    fn every_format_is_longer_than_128_kib_and_read_as_it_was_written() {
        for format in formats::all(formats::LEAST_BYTES).expect("they can be made") {
            let bytes = format.bytes();
            assert!(bytes.len() > 128 << 10, "{}", format.name());
            for at in [0, bytes.len() / 2, bytes.len() - 1] {
                assert_eq!(format.is_as_written(bytes, at), Some(true));
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 1;
                assert_ne!(format.is_as_written(&damaged, at), Some(false));
            }
        }
    }
}
