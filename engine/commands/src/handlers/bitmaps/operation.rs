//! BITOP: bits of several strings made into one.
//!
//! Owns what each operation makes of the bits at one place; a string that is shorter than the
//! longest goes on with zeros. Pure; called by any thread.

use crate::error::{BitsError, CommandError};

/// What is done with the bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// Of the first and of none of the others (Redis 8.2).
    Diff,
    /// Of some other and not of the first (Redis 8.2).
    Diff1,
    /// Of the first and of some other (Redis 8.2).
    AndOr,
    /// Of exactly one (Redis 8.2).
    One,
}

impl Operation {
    /// The operation of that name, for as many source keys.
    pub(super) fn parse(name: &[u8], sources: usize) -> Result<Self, CommandError> {
        let operation = match name.to_ascii_lowercase().as_slice() {
            b"and" => Self::And,
            b"or" => Self::Or,
            b"xor" => Self::Xor,
            b"not" if sources != 1 => return Err(BitsError::NotTakesOneKey.into()),
            b"not" => Self::Not,
            b"diff" if sources < 2 => return Err(BitsError::TwoKeysNeeded("DIFF").into()),
            b"diff" => Self::Diff,
            b"diff1" if sources < 2 => return Err(BitsError::TwoKeysNeeded("DIFF1").into()),
            b"diff1" => Self::Diff1,
            b"andor" if sources < 2 => return Err(BitsError::TwoKeysNeeded("ANDOR").into()),
            b"andor" => Self::AndOr,
            b"one" => Self::One,
            _ => return Err(CommandError::Syntax),
        };
        Ok(operation)
    }

    /// The resulting string: as long as the longest.
    pub(super) fn combine(self, strings: &[&[u8]]) -> Vec<u8> {
        let length = strings.iter().map(|string| string.len()).max().unwrap_or(0);
        let padded = |string: &[u8]| {
            let mut bytes = string.to_vec();
            bytes.resize(length, 0);
            bytes
        };
        let Some((first, others)) = strings.split_first() else {
            return Vec::new();
        };
        if matches!(self, Self::Diff | Self::Diff1 | Self::AndOr) {
            let mut any = vec![0; length];
            for other in others {
                merge(&mut any, other, |any, other| any | other);
            }
            return padded(first)
                .iter()
                .zip(&any)
                .map(|(first, any)| match self {
                    Self::Diff => first & !any,
                    Self::Diff1 => any & !first,
                    _ => first & any,
                })
                .collect();
        }
        let mut result = padded(first);
        match self {
            Self::Not => result.iter_mut().for_each(|byte| *byte = !*byte),
            Self::One => {
                let mut twice = vec![0; length];
                for other in others {
                    for ((result, twice), other) in result.iter_mut().zip(&mut twice).zip(*other) {
                        *twice |= *result & other;
                        *result |= other;
                    }
                }
                merge(&mut result, &twice, |result, twice| result & !twice);
            }
            Self::And => {
                for other in others {
                    merge(&mut result, other, |result, other| result & other);
                    result
                        .iter_mut()
                        .skip(other.len())
                        .for_each(|byte| *byte = 0);
                }
            }
            Self::Xor => {
                for other in others {
                    merge(&mut result, other, |result, other| result ^ other);
                }
            }
            _ => {
                for other in others {
                    merge(&mut result, other, |result, other| result | other);
                }
            }
        }
        result
    }
}

fn merge(result: &mut [u8], other: &[u8], of: impl Fn(u8, u8) -> u8) {
    for (result, other) in result.iter_mut().zip(other) {
        *result = of(*result, *other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_makes_its_bits_of_long_and_short_strings() {
        let strings: [&[u8]; 3] = [&[0b1111_0000, 0xff], &[0b1100_1100], &[0b1010_1010, 1, 2]];
        for (name, expected) in [
            ("and", [0b1000_0000, 0, 0]),
            ("OR", [0b1111_1110, 0xff, 2]),
            ("xor", [0b1001_0110, 0xfe, 2]),
            ("diff", [0b0001_0000, 0xfe, 0]),
            ("diff1", [0b0000_1110, 0, 2]),
            ("andor", [0b1110_0000, 1, 0]),
            ("one", [0b0001_0110, 0xfe, 2]),
        ] {
            let operation = Operation::parse(name.as_bytes(), 3).expect("is an operation");
            assert_eq!(operation.combine(&strings), expected, "{name}");
        }
        let not = Operation::parse(b"not", 1).expect("is an operation");
        assert_eq!(not.combine(&[&[0x0f, 1]]), [0xf0, 0xfe]);
        assert!(Operation::One.combine(&[b"", b""]).is_empty());
    }

    #[test]
    fn too_few_and_too_many_keys_are_refused() {
        for (name, keys, text) in [
            (
                "not",
                2,
                "ERR BITOP NOT must be called with a single source key.",
            ),
            (
                "diff",
                1,
                "ERR BITOP DIFF must be called with at least two source keys.",
            ),
            (
                "andor",
                1,
                "ERR BITOP ANDOR must be called with at least two source keys.",
            ),
            ("nor", 1, "ERR syntax error"),
        ] {
            let error = Operation::parse(name.as_bytes(), keys).expect_err("is refused");
            assert_eq!(error.to_string(), text);
        }
    }
}
