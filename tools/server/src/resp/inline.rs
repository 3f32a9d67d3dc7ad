//! Splits a line into arguments with the quoting rules of `sdssplitargs`: as in a shell, what
//! is quoted and what is not may stand side by side in one argument.
//!
//! Owns quotes and escapes; does not look for the end of the line, nor bound
//! its length: the caller does. Output never exceeds the input in bytes.
//! Pure functions, any thread.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use std::ops::Range;

/// A quote is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unbalanced quotes")]
pub struct UnbalancedQuotes;

/// Splits `line` on white space and appends the unescaped bytes of every
/// argument to `text`; the ranges returned are offsets into `text`.
///
/// Double quotes know `\xHH`, `\n`, `\r`, `\t`, `\b`, `\a` and `\c` for any
/// other `c`; single quotes know only `\'`. As in C, a zero byte ends the line
/// (inside quotes it leaves them unbalanced).
///
/// # Errors
/// [`UnbalancedQuotes`]; `text` then holds what was split so far.
pub fn split(line: &[u8], text: &mut Vec<u8>) -> Result<Vec<Range<usize>>, UnbalancedQuotes> {
    let mut arguments = Vec::new();
    let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut rest = line;
    loop {
        rest = skip_space(rest);
        if rest.is_empty() {
            return Ok(arguments);
        }
        let start = text.len();
        rest = one_argument(rest, text)?;
        arguments.push(start..text.len());
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn skip_space(mut rest: &[u8]) -> &[u8] {
    while let [first, tail @ ..] = rest
        && is_space(*first)
    {
        rest = tail;
    }
    rest
}

fn one_argument<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match rest {
            [] => return Ok(rest),
            [b'"', tail @ ..] => rest = double_quoted(tail, text)?,
            [b'\'', tail @ ..] => rest = single_quoted(tail, text)?,
            [byte, ..] if is_space(*byte) => return Ok(rest),
            [byte, tail @ ..] => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match rest {
            [] => return Err(UnbalancedQuotes),
            [b'"', tail @ ..] => return Ok(tail),
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                text.push((hex(*high) << 4) | hex(*low));
                rest = tail;
            }
            [b'\\', escaped, tail @ ..] => {
                text.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = tail;
            }
            [byte, tail @ ..] => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match rest {
            [] => return Err(UnbalancedQuotes),
            [b'\'', tail @ ..] => return Ok(tail),
            [b'\\', b'\'', tail @ ..] => {
                text.push(b'\'');
                rest = tail;
            }
            [byte, tail @ ..] => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
}

/// The value of one hexadecimal digit; other bytes count as 0.
fn hex(digit: u8) -> u8 {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
        .unwrap_or(0)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
        let mut text = Vec::new();
        let ranges = split(line, &mut text)?;
        Ok(ranges.into_iter().map(|r| text[r].to_vec()).collect())
    }

    #[test]
    fn quotes_and_escapes_follow_sdssplitargs() {
        let cases: [(&[u8], &[&[u8]]); 11] = [
            (b"", &[]),
            (b"  set\ta  b ", &[b"set", b"a", b"b"]),
            (br#""a b" 'c d'"#, &[b"a b", b"c d"]),
            (br#""\x41\n\"\q""#, &[b"A\n\"q"]),
            (br"'a\'b\n'", &[br"a'b\n"]),
            (br#""" ''"#, &[b"", b""]),
            (br#"a"b c""#, &[b"ab c"]),
            (br#""\xZZ""#, &[b"xZZ"]),
            (br#""a"b 'c'd"#, &[b"ab", b"cd"]),
            (br#"""x"" y"#, &[b"x", b"y"]),
            (br#""\x41"'b'\x41"#, &[br"Ab\x41"]),
        ];
        for (line, expected) in cases {
            let expected: Vec<Vec<u8>> = expected.iter().map(|w| w.to_vec()).collect();
            assert_eq!(words(line), Ok(expected), "{line:?}");
        }
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [&b"\"a"[..], b"'a", b"a\"", b"'a'b'", b"\"a\\", b"\"a\0\""] {
            assert_eq!(words(line), Err(UnbalancedQuotes), "{line:?}");
        }
    }
}
