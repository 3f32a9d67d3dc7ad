//! Reads the value of a directive into its one canonical text.
//!
//! Owns the rules of each kind of value and the texts of their errors, which clients see
//! behind `CONFIG SET failed`. Does not know directives. Pure functions, any thread.

use super::events::Events;
use super::table::Kind;
use crate::config_file::parse_size;
use thermocline_commands::arguments::parse_integer;

/// The classes of `client-output-buffer-limit` in the order they are shown in.
const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// The canonical text of `words`; `current` is what the directive holds now, of which
/// buffer limits keep the classes not named.
///
/// # Errors
/// The reason, byte for byte as Valkey words it.
pub(crate) fn normalise(kind: Kind, words: &[&str], current: &str) -> Result<String, String> {
    match kind {
        Kind::YesNo => yes_no(one(words)?),
        Kind::Integer { least, greatest } => integer(one(words)?, least, greatest),
        Kind::Memory { least, greatest } => memory(one(words)?, least, greatest),
        Kind::MemoryOrPercent => memory_or_percent(one(words)?),
        Kind::OneOf(choices) => one_of(one(words)?, choices),
        Kind::Text => Ok(one(words)?.to_owned()),
        Kind::Words => Ok(join(words)),
        Kind::Percentiles => percentiles(words),
        Kind::BufferLimits => buffer_limits(words, current),
        Kind::SavePoints => save_points(words),
        Kind::Events => events(one(words)?),
    }
}

fn one<'a>(words: &[&'a str]) -> Result<&'a str, String> {
    match words {
        [word] => Ok(word),
        _ => Err("wrong number of arguments".to_owned()),
    }
}

fn join(words: &[&str]) -> String {
    let words: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

fn yes_no(word: &str) -> Result<String, String> {
    let lower = word.to_ascii_lowercase();
    match lower.as_str() {
        "yes" | "no" => Ok(lower),
        _ => Err("argument must be 'yes' or 'no'".to_owned()),
    }
}

fn integer(word: &str, least: i64, greatest: i64) -> Result<String, String> {
    // Neither a plus sign nor leading zeros are taken.
    let number = parse_integer(word.as_bytes())
        .map_err(|_| "argument couldn't be parsed into an integer".to_owned())?;
    if number < least || number > greatest {
        return Err(between(least, greatest));
    }
    Ok(number.to_string())
}

fn memory(word: &str, least: u64, greatest: u64) -> Result<String, String> {
    let bytes = parse_size(word).ok_or_else(|| "argument must be a memory value".to_owned())?;
    if bytes < least || bytes > greatest {
        return Err(between(least, greatest.min(i64::MAX as u64)));
    }
    Ok(bytes.to_string())
}

fn memory_or_percent(word: &str) -> Result<String, String> {
    let number = match word.strip_suffix('%') {
        Some(digits) => digits
            .parse::<u64>()
            .ok()
            .filter(|percent| *percent <= 100)
            .map(|percent| format!("{percent}%")),
        None => parse_size(word).map(|bytes| bytes.to_string()),
    };
    number.ok_or_else(|| "argument must be a memory or percent value".to_owned())
}

fn between(least: impl std::fmt::Display, greatest: impl std::fmt::Display) -> String {
    format!("argument must be between {least} and {greatest} inclusive")
}

fn one_of(word: &str, choices: &[&str]) -> Result<String, String> {
    let found = choices
        .iter()
        .find(|choice| choice.eq_ignore_ascii_case(word));
    found.map(|choice| (*choice).to_owned()).ok_or_else(|| {
        format!(
            "argument(s) must be one of the following: {}",
            choices.join(", ")
        )
    })
}

fn events(word: &str) -> Result<String, String> {
    Events::parse(word)
        .map(Events::letters)
        .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned())
}

/// Numbers without zeros at the end, as they are shown.
fn percentiles(words: &[&str]) -> Result<String, String> {
    let mut shown = Vec::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        let number: f64 = word
            .parse()
            .map_err(|_| "Invalid latency-tracking-info-percentiles parameters".to_owned())?;
        if !(0.0..=100.0).contains(&number) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                    .to_owned(),
            );
        }
        shown.push(number.to_string());
    }
    Ok(shown.join(" "))
}

fn buffer_limits(words: &[&str], current: &str) -> Result<String, String> {
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let mut kept: Vec<String> = current.split(' ').map(str::to_owned).collect();
    for limit in words.chunks_exact(4) {
        let class = match limit[0].to_ascii_lowercase().as_str() {
            "replica" => "slave".to_owned(),
            other => other.to_owned(),
        };
        let Some(position) = CLASSES.iter().position(|known| *known == class) else {
            return Err("Invalid client class specified in buffer limit configuration.".to_owned());
        };
        let numbers = [
            parse_size(limit[1]),
            parse_size(limit[2]),
            limit[3].parse::<u32>().ok().map(u64::from),
        ];
        for (offset, number) in numbers.into_iter().enumerate() {
            let number = number.ok_or_else(|| {
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
                    .to_owned()
            })?;
            if let Some(slot) = kept.get_mut(position * 4 + 1 + offset) {
                *slot = number.to_string();
            }
        }
    }
    Ok(kept.join(" "))
}

fn save_points(words: &[&str]) -> Result<String, String> {
    let words: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !word.is_empty())
        .collect();
    let valid = words.len().is_multiple_of(2)
        && words.chunks_exact(2).all(|pair| {
            pair[0].parse::<i64>().is_ok_and(|seconds| seconds >= 1)
                && pair[1].parse::<i64>().is_ok_and(|changes| changes >= 0)
        });
    if valid {
        Ok(words.join(" "))
    } else {
        Err("Invalid save parameters".to_owned())
    }
}

/// Hard bytes, soft bytes and soft seconds of the class, as `CLASSES` counts them, in a
/// canonical `client-output-buffer-limit`; 0 is no limit.
pub(crate) fn class_limits(canonical: &str, class: usize) -> [u64; 3] {
    let mut numbers = canonical
        .split(' ')
        .skip(class * 4 + 1)
        .map(|word| word.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_those_of_valkey() {
        let memory = Kind::Memory {
            least: 1_048_576,
            greatest: u64::MAX,
        };
        for (kind, word, reason) in [
            (Kind::YesNo, "maybe", "argument must be 'yes' or 'no'"),
            (
                Kind::Integer {
                    least: 0,
                    greatest: 9,
                },
                "x",
                "argument couldn't be parsed into an integer",
            ),
            (
                Kind::Integer {
                    least: 0,
                    greatest: 9,
                },
                "007",
                "argument couldn't be parsed into an integer",
            ),
            (
                Kind::Integer {
                    least: 0,
                    greatest: 9,
                },
                "10",
                "argument must be between 0 and 9 inclusive",
            ),
            (memory, "-1", "argument must be a memory value"),
            (
                memory,
                "1",
                "argument must be between 1048576 and 9223372036854775807 inclusive",
            ),
            (
                Kind::OneOf(&["a", "b"]),
                "c",
                "argument(s) must be one of the following: a, b",
            ),
        ] {
            assert_eq!(normalise(kind, &[word], ""), Err(reason.to_owned()));
        }
    }

    #[test]
    fn a_buffer_limit_changes_its_own_class_only() {
        let current = "normal 0 0 0 slave 1 2 3 pubsub 4 5 6";
        let set = normalise(
            Kind::BufferLimits,
            &["replica", "1mb", "2mb", "60"],
            current,
        );
        let expected = "normal 0 0 0 slave 1048576 2097152 60 pubsub 4 5 6";
        assert_eq!(set.as_deref(), Ok(expected));
        assert_eq!(
            class_limits("normal 7 8 9 slave 1 2 3 pubsub 4 5 6", 0),
            [7, 8, 9]
        );
        assert_eq!(
            class_limits("normal 7 8 9 slave 1 2 3 pubsub 4 5 6", 2),
            [4, 5, 6]
        );
        assert!(normalise(Kind::BufferLimits, &["normal", "1", "2"], current).is_err());
        assert!(normalise(Kind::BufferLimits, &["x", "1", "2", "3"], current).is_err());
    }

    #[test]
    fn values_have_one_spelling() {
        assert_eq!(normalise(Kind::YesNo, &["YES"], "").as_deref(), Ok("yes"));
        let bytes = Kind::Memory {
            least: 0,
            greatest: u64::MAX,
        };
        assert_eq!(normalise(bytes, &["1KB"], "").as_deref(), Ok("1024"));
        assert_eq!(
            normalise(Kind::SavePoints, &[""], "900 1").as_deref(),
            Ok("")
        );
        assert!(normalise(Kind::SavePoints, &["900"], "").is_err());
        assert!(normalise(Kind::Percentiles, &["50", "101"], "").is_err());
        let shown = normalise(Kind::Percentiles, &["0.0", "50.0", "99.90"], "");
        assert_eq!(shown.as_deref(), Ok("0 50 99.9"));
    }
}
