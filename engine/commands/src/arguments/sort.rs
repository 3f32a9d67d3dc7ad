//! Options of SORT and SORT_RO, and the patterns of BY and GET.
//!
//! Owns their order, the errors, and which key a pattern names for an element; it does not
//! own the keys. Pure, any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{is, parse_integer};
use crate::error::CommandError;
use std::ops::Range;

/// The options of SORT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortOptions<'a> {
    /// The greatest first.
    pub is_descending: bool,
    /// By bytes, not by number.
    pub is_alphabetic: bool,
    /// Elements passed over, and then at most how many; negative: all.
    pub limit: Option<(i64, i64)>,
    /// Where the weights are.
    pub by: Option<&'a [u8]>,
    /// What is returned for each element, instead of the element.
    pub gets: Vec<&'a [u8]>,
    /// Whether the result is stored; its key is the last of the command's.
    pub stores: bool,
}

/// The options, after the key; STORE only if `may_store`.
///
/// # Errors
/// [`CommandError::Syntax`], [`CommandError::NotInteger`], whichever is met first.
pub fn parse_sort<'a>(
    options: &[&'a [u8]],
    may_store: bool,
) -> Result<SortOptions<'a>, CommandError> {
    let mut parsed = SortOptions::default();
    let mut rest = options;
    while let Some((option, after)) = rest.split_first() {
        rest = match after {
            _ if is(option, "asc") => {
                parsed.is_descending = false;
                after
            }
            _ if is(option, "desc") => {
                parsed.is_descending = true;
                after
            }
            _ if is(option, "alpha") => {
                parsed.is_alphabetic = true;
                after
            }
            [start, count, after @ ..] if is(option, "limit") => {
                parsed.limit = Some((parse_integer(start)?, parse_integer(count)?));
                after
            }
            [_, after @ ..] if may_store && is(option, "store") => {
                parsed.stores = true;
                after
            }
            [pattern, after @ ..] if is(option, "by") => {
                parsed.by = Some(pattern);
                after
            }
            [pattern, after @ ..] if is(option, "get") => {
                parsed.gets.push(pattern);
                after
            }
            _ => return Err(CommandError::Syntax),
        };
    }
    Ok(parsed)
}

impl SortOptions<'_> {
    /// Whether the elements keep their order: BY names nothing that depends on them.
    #[must_use]
    pub fn keeps_order(&self) -> bool {
        self.by.is_some_and(|pattern| !pattern.contains(&b'*'))
    }

    /// Which of `len` elements are returned.
    #[must_use]
    pub fn range(&self, len: usize) -> Range<usize> {
        let Some((start, count)) = self.limit else {
            return 0..len;
        };
        let start = usize::try_from(start.max(0)).unwrap_or(usize::MAX).min(len);
        let stop = match usize::try_from(count) {
            Ok(count) => start.saturating_add(count).min(len),
            Err(_) => len,
        };
        start..stop
    }

    /// The patterns that may name keys.
    pub fn patterns(&self) -> impl Iterator<Item = &[u8]> {
        let by = self.by.into_iter().filter(|_| !self.keeps_order());
        by.chain(self.gets.iter().copied())
    }
}

/// What a pattern means for an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortSource<'a> {
    /// The element itself.
    Element,
    /// Nothing.
    Nothing,
    /// The string under this key.
    Key(Vec<u8>),
    /// This field of the hash under this key.
    Field(Vec<u8>, &'a [u8]),
}

/// What `pattern` means for `element`: `#`, or a key with the element in the place of the
/// first `*`, and `->field` behind that.
#[must_use]
pub fn sort_source<'a>(pattern: &'a [u8], element: &[u8]) -> SortSource<'a> {
    if pattern == b"#" {
        return SortSource::Element;
    }
    let Some(star) = pattern.iter().position(|byte| *byte == b'*') else {
        return SortSource::Nothing;
    };
    let (before, behind) = pattern.split_at(star);
    let behind = behind.get(1..).unwrap_or_default();
    let arrow = behind.windows(2).position(|pair| pair == b"->");
    let field = arrow.and_then(|arrow| behind.get(arrow.saturating_add(2)..));
    match (arrow, field) {
        (Some(arrow), Some(field)) if !field.is_empty() => {
            let behind = behind.get(..arrow).unwrap_or_default();
            SortSource::Field([before, element, behind].concat(), field)
        }
        _ => SortSource::Key([before, element, behind].concat()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<SortOptions<'_>, CommandError> {
        let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
        parse_sort(&words, true)
    }

    #[test]
    fn options_may_come_in_any_order_and_the_last_rules() {
        let parsed = parse("DESC by w_* GET # get o_*->f limit 1 2 STORE d alpha asc").unwrap();
        let expected = SortOptions {
            is_descending: false,
            is_alphabetic: true,
            limit: Some((1, 2)),
            by: Some(b"w_*"),
            gets: vec![b"#", b"o_*->f"],
            stores: true,
        };
        assert_eq!(parsed, expected);
        assert_eq!(parse("limit 1 x"), Err(CommandError::NotInteger));
        for line in ["limit 1", "by", "get", "store", "foo"] {
            assert_eq!(parse(line), Err(CommandError::Syntax), "{line}");
        }
        let store: [&[u8]; 2] = [b"store", b"d"];
        assert_eq!(parse_sort(&store, false), Err(CommandError::Syntax));
    }

    #[test]
    fn limits_are_clipped_to_the_elements() {
        for (line, expected) in [
            ("", 0..5),
            ("limit 1 2", 1..3),
            ("limit -3 2", 0..2),
            ("limit 3 100", 3..5),
            ("limit 9 1", 5..5),
            ("limit 2 -1", 2..5),
            ("limit 2 0", 2..2),
            ("limit 0 9223372036854775807", 0..5),
        ] {
            assert_eq!(parse(line).unwrap().range(5), expected, "{line}");
        }
    }

    #[test]
    fn patterns_name_keys_and_fields() {
        let key = |name: &str| SortSource::Key(name.into());
        for (pattern, expected) in [
            ("#", SortSource::Element),
            ("abc", SortSource::Nothing),
            ("w_*", key("w_x")),
            ("w_*_*", key("w_x_*")),
            ("*", key("x")),
            ("w_*->f", SortSource::Field(b"w_x".to_vec(), b"f")),
            ("w_*:h->f->g", SortSource::Field(b"w_x:h".to_vec(), b"f->g")),
            ("w_*->", key("w_x->")),
            ("a->*", key("a->x")),
        ] {
            assert_eq!(sort_source(pattern.as_bytes(), b"x"), expected, "{pattern}");
        }
    }
}
