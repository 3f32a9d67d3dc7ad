//! Glob patterns as KEYS, SCAN and PSUBSCRIBE match them.
//!
//! Owns matching with the exact meaning of Redis's `stringmatchlen`, its treatment of
//! malformed patterns included; it does not own the choice of what is matched. Invariants:
//! no recursion, no allocation, at most pattern × text steps, and never more than the fuel
//! given. Pure functions, called by any thread.
//!
//! Only the last `*` is remembered: when what follows fails, that star takes one byte more.
//! Earlier stars need no second try, since whatever they would give the last star can take.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

/// Steps [`matches`] spends at most. Only a pattern and a text of many
/// kilobytes each can need more.
pub const DEFAULT_FUEL_STEPS: u64 = 1 << 22;

/// Whether letters of different case are the same (ASCII only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `a` is not `A`.
    Sensitive,
    /// `a` is `A`, but not after a backslash inside brackets, as in Redis.
    Insensitive,
}

/// The fuel ran out before the answer was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern took too many steps")]
pub struct OutOfFuel;

/// Whether the pattern matches the whole text; a match that needs more than
/// [`DEFAULT_FUEL_STEPS`] is none.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    let mut fuel = DEFAULT_FUEL_STEPS;
    matches_with_fuel(pattern, text, case, &mut fuel) == Ok(true)
}

/// Whether the pattern matches the whole text. Each byte of the pattern looked at takes one
/// step of the fuel, so several calls can share one budget.
///
/// As in Redis an empty text matches only the empty pattern, not `*`; callers treat the
/// pattern `*` as "all" before they come here.
///
/// # Errors
/// [`OutOfFuel`] when the fuel is spent.
pub fn matches_with_fuel(
    pattern: &[u8],
    text: &[u8],
    case: Case,
    fuel: &mut u64,
) -> Result<bool, OutOfFuel> {
    if text.is_empty() {
        return Ok(pattern.is_empty());
    }
    let (mut pattern, mut text) = (pattern, text);
    // What follows the last star, and the text from which it was tried last.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        spend(fuel, 1)?;
        match (pattern, text) {
            ([b'*'], _) | ([], []) => return Ok(true),
            ([b'*', rest @ ..], _) => {
                star = Some((rest, text));
                pattern = rest;
                continue;
            }
            // Every star is on a shorter text's way to an end, so none can help.
            (_, []) => return Ok(false),
            ([_, ..], [byte, rest @ ..]) => {
                let (matched, after) = match_one(pattern, *byte, case, fuel)?;
                if matched {
                    pattern = after;
                    text = rest;
                    continue;
                }
            }
            ([], _) => {}
        }
        let Some((after_star, [_, rest @ ..])) = star else {
            return Ok(false);
        };
        star = Some((after_star, rest));
        pattern = after_star;
        text = rest;
    }
}

fn spend(fuel: &mut u64, steps: u64) -> Result<(), OutOfFuel> {
    *fuel = fuel.checked_sub(steps).ok_or(OutOfFuel)?;
    Ok(())
}

/// Whether the first element of the pattern, no star, matches the byte; and what follows it.
fn match_one<'p>(
    pattern: &'p [u8],
    byte: u8,
    case: Case,
    fuel: &mut u64,
) -> Result<(bool, &'p [u8]), OutOfFuel> {
    Ok(match pattern {
        [b'?', rest @ ..] => (true, rest),
        [b'[', class @ ..] => match_class(class, byte, case, fuel)?,
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (same(*literal, byte, case), rest),
        [] => (false, pattern),
    })
}

/// A bracket expression after its `[`. One that is not closed ends with the pattern.
fn match_class<'p>(
    class: &'p [u8],
    byte: u8,
    case: Case,
    fuel: &mut u64,
) -> Result<(bool, &'p [u8]), OutOfFuel> {
    let (negated, mut class) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut matched = false;
    loop {
        spend(fuel, 1)?;
        class = match class {
            [b'\\', literal, rest @ ..] => {
                matched |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => return Ok((matched != negated, rest)),
            [] => return Ok((matched != negated, class)),
            [start, b'-', end, rest @ ..] => {
                let low = fold(*start.min(end), case);
                let high = fold(*start.max(end), case);
                matched |= (low..=high).contains(&fold(byte, case));
                rest
            }
            [literal, rest @ ..] => {
                matched |= same(*literal, byte, case);
                rest
            }
        };
    }
}

fn fold(byte: u8, case: Case) -> u8 {
    match case {
        Case::Sensitive => byte,
        Case::Insensitive => byte.to_ascii_lowercase(),
    }
}

fn same(left: u8, right: u8, case: Case) -> bool {
    fold(left, case) == fold(right, case)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXTS: &[&[u8]] = &[
        b"", b"a", b"b", b"ab", b"ba", b"a-b", b"[a]", b"a]", b"aab", b"abab", b"A", b"aB", b"-",
        b"\\", b"a\\b", b"^a", b"*", b"?", b"abc", b"zz",
    ];

    /// Patterns, and which of `TEXTS` Valkey 9.1.2 listed for `KEYS` with each.
    const ANSWERS: &[(&[u8], &[&[u8]])] = &[
        (b"[a-", &[b"-", b"a"]),
        (b"[", &[]),
        (b"[]", &[]),
        (b"[^]", &[b"*", b"-", b"?", b"A", b"\\", b"a", b"b"]),
        (b"[^a]", &[b"*", b"-", b"?", b"A", b"\\", b"b"]),
        (b"[b-a]", &[b"a", b"b"]),
        (b"[a-]", &[b"a"]),
        (b"[a-]]", &[b"a"]),
        (b"\\", &[b"\\"]),
        (b"a\\", &[]),
        (b"\\*", &[b"*"]),
        (b"[\\]]*", &[]),
        (b"[a\\", &[b"\\", b"a"]),
        (
            b"**",
            &[
                b"*", b"-", b"?", b"A", b"[a]", b"\\", b"^a", b"a", b"a-b", b"aB", b"a\\b", b"a]",
                b"aab", b"ab", b"abab", b"abc", b"b", b"ba", b"zz",
            ],
        ),
        (
            b"*a*",
            &[
                b"[a]", b"^a", b"a", b"a-b", b"aB", b"a\\b", b"a]", b"aab", b"ab", b"abab", b"abc",
                b"ba",
            ],
        ),
        (b"*b", &[b"a-b", b"a\\b", b"aab", b"ab", b"abab", b"b"]),
        (b"a*b", &[b"a-b", b"a\\b", b"aab", b"ab", b"abab"]),
        (b"[^", &[b"*", b"-", b"?", b"A", b"\\", b"a", b"b"]),
        (b"[!a]", &[b"a"]),
        (
            b"*?",
            &[
                b"*", b"-", b"?", b"A", b"[a]", b"\\", b"^a", b"a", b"a-b", b"aB", b"a\\b", b"a]",
                b"aab", b"ab", b"abab", b"abc", b"b", b"ba", b"zz",
            ],
        ),
        (
            b"?*?",
            &[
                b"[a]", b"^a", b"a-b", b"aB", b"a\\b", b"a]", b"aab", b"ab", b"abab", b"abc",
                b"ba", b"zz",
            ],
        ),
        (
            b"[a-b]*",
            &[
                b"a", b"a-b", b"aB", b"a\\b", b"a]", b"aab", b"ab", b"abab", b"abc", b"b", b"ba",
            ],
        ),
        (b"[-a]", &[b"-", b"a"]),
        (b"[a-b", &[b"a", b"b"]),
        (b"[^a-b]?", &[b"^a", b"zz"]),
        (b"[]\\a-?", &[]),
        (b"a*b]-?^", &[]),
        (b"bB?a?^", &[]),
        (b"*^*b", &[]),
        (b"BB-", &[]),
        (
            b"?**",
            &[
                b"*", b"-", b"?", b"A", b"[a]", b"\\", b"^a", b"a", b"a-b", b"aB", b"a\\b", b"a]",
                b"aab", b"ab", b"abab", b"abc", b"b", b"ba", b"zz",
            ],
        ),
        (b"*[b", &[b"a-b", b"a\\b", b"aab", b"ab", b"abab", b"b"]),
        (b"[BBa", &[b"a"]),
        (b"*B", &[b"aB"]),
        (b"?*B*", &[b"aB"]),
        (b"[*-B*", &[b"*", b"-", b"?", b"A"]),
    ];

    #[test]
    fn answers_of_valkey_are_given() {
        for (pattern, expected) in ANSWERS {
            for text in TEXTS {
                let found = matches(pattern, text, Case::Sensitive);
                let (shown, text_shown) = (pattern.escape_ascii(), text.escape_ascii());
                assert_eq!(found, expected.contains(text), "{shown} on {text_shown}");
            }
        }
    }

    #[test]
    fn case_is_ignored_when_asked() {
        for (pattern, text, expected) in [
            ("HeLLo*", "hEllo world", true),
            ("[A-C]x", "bX", true),
            ("[abc]", "B", true),
            ("[\\a]", "A", false),
            ("\\A", "a", true),
        ] {
            let found = matches(pattern.as_bytes(), text.as_bytes(), Case::Insensitive);
            assert_eq!(found, expected, "{pattern} on {text}");
        }
        assert!(!matches(b"A", b"a", Case::Sensitive));
    }

    /// CVE-2024-31228: patterns were matched by recursion, as deep as they had stars, until
    /// the stack was used up. Here there is none: stars beyond any stack take steps only.
    #[test]
    fn many_stars_take_steps_in_proportion_to_pattern_times_text() {
        let pattern = [b"*a".repeat(50), b"*b".to_vec()].concat();
        let text = b"a".repeat(1000);
        let mut fuel = (pattern.len() * text.len()) as u64;
        assert_eq!(
            matches_with_fuel(&pattern, &text, Case::Sensitive, &mut fuel),
            Ok(false)
        );
        let deep = [b"a*".repeat(500_000), b"b".to_vec()].concat();
        let mut fuel = 4 * deep.len() as u64;
        let text = b"a".repeat(500_000);
        let deep = matches_with_fuel(&deep, &text, Case::Sensitive, &mut fuel);
        assert_eq!(deep, Ok(false));
        let mut fuel = 10;
        let short = matches_with_fuel(&pattern, &text, Case::Sensitive, &mut fuel);
        assert_eq!(short, Err(OutOfFuel));
    }

    /// The plain recursive meaning of stars, question marks and letters.
    fn model(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|taken| model(rest, &text[taken..])),
            [first, rest @ ..] => {
                !text.is_empty() && (*first == b'?' || *first == text[0]) && model(rest, &text[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn stars_agree_with_the_recursive_model(
            pattern in "[ab*?]{0,8}",
            text in "[ab]{1,10}",
        ) {
            let expected = model(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive), expected);
        }

        #[test]
        fn no_input_panics(
            pattern in prop::collection::vec(prop::sample::select(b"ab*?[]^-\\\0\xff".to_vec()), 0..20),
            text in prop::collection::vec(any::<u8>(), 0..20),
            fuel in 0..200_u64,
        ) {
            let mut fuel = fuel;
            let _ = matches_with_fuel(&pattern, &text, Case::Insensitive, &mut fuel);
        }
    }
}
