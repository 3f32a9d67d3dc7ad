//! Differences that are known and meant: `differential-explained.txt`.
//!
//! Owns the file's form and how often each line was needed. One thread.
//!
//! A line is four columns parted by ` | `: the command, Valkey's reply,
//! Thermocline's reply, and the reason. In the first three `*` stands for
//! anything; replies are escaped, the command's letters are made small.

use super::DifferentialError;
use super::resp::{Command, shown};

struct Line {
    command: String,
    valkey: String,
    thermocline: String,
    reason: String,
    count: u64,
}

/// See the module.
pub(super) struct Explained {
    lines: Vec<Line>,
}

impl Explained {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// A line that has not four columns.
    pub(super) fn parse(text: &str) -> Result<Self, DifferentialError> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let columns: Vec<&str> = line.splitn(4, " | ").map(str::trim).collect();
            let [command, valkey, thermocline, reason] = columns.as_slice() else {
                let number = number + 1;
                let text = format!("explained differences, line {number}: not four columns");
                return Err(DifferentialError::Explained(text));
            };
            lines.push(Line {
                command: (*command).to_owned(),
                valkey: (*valkey).to_owned(),
                thermocline: (*thermocline).to_owned(),
                reason: (*reason).to_owned(),
                count: 0,
            });
        }
        Ok(Self { lines })
    }

    /// Whether a line explains these replies.
    pub(super) fn explains(
        &mut self,
        command: &Command,
        valkey: &[u8],
        thermocline: &[u8],
    ) -> bool {
        let command = shown(command).to_lowercase();
        let valkey = valkey.escape_ascii().to_string();
        let thermocline = thermocline.escape_ascii().to_string();
        let line = self.lines.iter_mut().find(|line| {
            matches(&line.command, &command)
                && matches(&line.valkey, &valkey)
                && matches(&line.thermocline, &thermocline)
        });
        match line {
            Some(line) => {
                line.count += 1;
                true
            }
            None => false,
        }
    }

    /// Each reason with how often it was needed.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u64, &str)> {
        self.lines
            .iter()
            .map(|line| (line.count, line.reason.as_str()))
    }
}

/// Whether the text is the pattern's parts, in order, with anything for `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::resp::command;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("*", "", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a*bc*e", "axbcye", true),
            ("a*bc*e", "axbye", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn only_the_whole_line_explains_and_is_counted() {
        let text = "# comment\nobject encoding * | *raw* | *embstr* | because\n";
        let mut explained = Explained::parse(text).expect("is well-formed");
        let asked = command(&["OBJECT", "ENCODING", "k"]);
        assert!(explained.explains(&asked, b"$3\r\nraw\r\n", b"$6\r\nembstr\r\n"));
        assert!(!explained.explains(&asked, b"$6\r\nembstr\r\n", b"$3\r\nraw\r\n"));
        assert!(!explained.explains(&command(&["GET", "k"]), b"raw", b"embstr"));
        assert_eq!(explained.counts().collect::<Vec<_>>(), [(1, "because")]);
        assert!(Explained::parse("a | b | c").is_err());
    }

    #[test]
    fn the_projects_file_can_be_read() {
        assert!(Explained::parse(include_str!("../../differential-explained.txt")).is_ok());
    }
}
