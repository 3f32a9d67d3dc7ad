//! Reads `redis.conf` syntax: files, includes, and the command line.
//!
//! Owns the syntax and where each directive came from; does not know which
//! directives exist nor what repeating one means: all are kept, in order.
//! Runs on the main thread, before any other starts.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::resp::inline;

/// Deepest nesting of `include`; a file that includes itself ends here.
pub const INCLUDE_DEPTH: usize = 16;
/// Longest configuration file, bytes.
pub const FILE_BYTES: u64 = 4 << 20;

/// One directive with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Lower-case name.
    pub name: String,
    /// Arguments, unquoted.
    pub arguments: Vec<String>,
    /// The file it stands in, or `command line`.
    pub file: String,
    /// Its line, from 1; on the command line the argument's number.
    pub line: usize,
}

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A line is not understood.
    #[error("{file}:{line}: {reason}")]
    Syntax {
        /// The file, or `command line`.
        file: String,
        /// Line from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file cannot be read.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads `path` and what it includes, in order. Relative includes start at the
/// process's working directory, as in Redis.
///
/// # Errors
/// A file that cannot be read or is above [`FILE_BYTES`], unbalanced quotes,
/// text that is not UTF-8, includes deeper than [`INCLUDE_DEPTH`].
pub fn read(path: &Path) -> Result<Vec<Directive>, ConfigError> {
    let mut directives = Vec::new();
    read_into(path, 0, &mut directives)?;
    Ok(directives)
}

fn read_into(path: &Path, depth: usize, out: &mut Vec<Directive>) -> Result<(), ConfigError> {
    let file = path.display().to_string();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|opened| opened.take(FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| ConfigError::Io {
            file: file.clone(),
            source,
        })?;
    include_into(&file, &bytes, depth, out)
}

/// Reads configuration text that came with no file of its own, such as standard input.
///
/// # Errors
/// As [`read`].
pub fn read_text(file: &str, bytes: &[u8]) -> Result<Vec<Directive>, ConfigError> {
    let mut directives = Vec::new();
    include_into(file, bytes, 0, &mut directives)?;
    Ok(directives)
}

fn include_into(
    file: &str,
    bytes: &[u8],
    depth: usize,
    out: &mut Vec<Directive>,
) -> Result<(), ConfigError> {
    if bytes.len() as u64 > FILE_BYTES {
        return Err(syntax(file, 1, "the file is too long"));
    }
    for directive in parse(file, bytes)? {
        if directive.name != "include" {
            out.push(directive);
            continue;
        }
        let line = directive.line;
        let [target] = directive.arguments.as_slice() else {
            return Err(syntax(file, line, "include takes one file name"));
        };
        if depth >= INCLUDE_DEPTH {
            return Err(syntax(file, line, "includes are nested too deeply"));
        }
        read_into(Path::new(target), depth + 1, out)?;
    }
    Ok(())
}

/// Splits the text of `file` into directives; `include` is left as one.
///
/// # Errors
/// Unbalanced quotes or text that is not UTF-8, with the line.
pub fn parse(file: &str, text: &[u8]) -> Result<Vec<Directive>, ConfigError> {
    let mut directives = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let mut unquoted = Vec::new();
        let ranges = inline::split(line, &mut unquoted)
            .map_err(|_| syntax(file, number, "unbalanced quotes"))?;
        let mut words = Vec::with_capacity(ranges.len());
        for range in ranges {
            let word = unquoted.get(range).unwrap_or(&[]).to_vec();
            words.push(
                String::from_utf8(word)
                    .map_err(|_| syntax(file, number, "the text is not UTF-8"))?,
            );
        }
        if words.is_empty() {
            continue;
        }
        directives.push(Directive {
            name: words.remove(0).to_ascii_lowercase(),
            arguments: words,
            file: file.to_owned(),
            line: number,
        });
    }
    Ok(directives)
}

/// Splits the command line, without the program's name, into the configuration
/// file (a first argument that does not start with `--`) and the directives
/// written `--name value ...`, which come after those of the file.
///
/// # Errors
/// A `--` without a name, or another argument before the first directive.
pub fn command_line(
    arguments: &[String],
) -> Result<(Option<PathBuf>, Vec<Directive>), ConfigError> {
    const FILE: &str = "command line";
    let mut path = None;
    let mut directives: Vec<Directive> = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let line = index + 1;
        if let Some(name) = argument.strip_prefix("--") {
            if name.is_empty() {
                return Err(syntax(FILE, line, "a directive's name is missing"));
            }
            directives.push(Directive {
                name: name.to_ascii_lowercase(),
                arguments: Vec::new(),
                file: FILE.to_owned(),
                line,
            });
        } else if let Some(last) = directives.last_mut() {
            last.arguments.push(argument.clone());
        } else if index == 0 {
            path = Some(PathBuf::from(argument));
        } else {
            return Err(syntax(FILE, line, "expected --name"));
        }
    }
    Ok((path, directives))
}

/// Bytes of a size such as `100`, `1k` (1000), `1kb` (1024), `5mb`, `1GB`;
/// `None` when it is none or does not fit.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let digits_end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    // Without a digit it is 0, as in Valkey.
    if digits.is_empty() {
        return Some(0);
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

fn syntax(file: &str, line: usize, reason: &'static str) -> ConfigError {
    ConfigError::Syntax {
        file: file.to_owned(),
        line,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_directives_in_order() {
        let text = b"# c\r\n\r\nSAVE 900 1\nsave \"\"\n  rename-command 'a b' \"\\x41\"\r\n";
        let parsed = parse("t.conf", text).unwrap();
        let seen: Vec<(&str, Vec<&str>, usize)> = parsed
            .iter()
            .map(|d| {
                (
                    d.name.as_str(),
                    d.arguments.iter().map(String::as_str).collect(),
                    d.line,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("save", vec!["900", "1"], 3),
                ("save", vec![""], 4),
                ("rename-command", vec!["a b", "A"], 5),
            ]
        );
    }

    #[test]
    fn errors_name_file_and_line() {
        let error = parse("t.conf", b"port 1\ndir \"x\n").unwrap_err();
        assert_eq!(error.to_string(), "t.conf:2: unbalanced quotes");
        let error = parse("t.conf", b"dir \xff\n").unwrap_err();
        assert_eq!(error.to_string(), "t.conf:1: the text is not UTF-8");
    }

    #[test]
    fn includes_are_read_in_place_and_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let (outer, inner) = (directory.path().join("a"), directory.path().join("b"));
        std::fs::write(&inner, "port 2\n").unwrap();
        std::fs::write(
            &outer,
            format!("port 1\ninclude {}\nport 3\n", inner.display()),
        )
        .unwrap();
        let ports: Vec<String> = read(&outer)
            .unwrap()
            .into_iter()
            .map(|d| d.arguments.concat())
            .collect();
        assert_eq!(ports, ["1", "2", "3"]);

        std::fs::write(&outer, format!("include {}\n", outer.display())).unwrap();
        assert!(
            read(&outer)
                .unwrap_err()
                .to_string()
                .ends_with(":1: includes are nested too deeply")
        );
        assert!(matches!(
            read(&directory.path().join("none")),
            Err(ConfigError::Io { .. })
        ));
    }

    #[test]
    fn the_command_line_is_a_file_and_directives() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (path, directives) = command_line(&words("a.conf --save 900 1 --Port 7")).unwrap();
        assert_eq!(path, Some(PathBuf::from("a.conf")));
        assert_eq!(directives[0].arguments, ["900", "1"]);
        assert_eq!(
            (
                directives[1].name.as_str(),
                directives[1].arguments.concat()
            ),
            ("port", "7".into())
        );
        assert!(command_line(&words("--")).is_err());
        assert!(command_line(&words("a b")).is_err());
    }

    #[test]
    fn sizes_know_their_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1k", Some(1000)),
            ("1kb", Some(1024)),
            ("5MB", Some(5 << 20)),
            ("1g", Some(1_000_000_000)),
            ("1gb", Some(1 << 30)),
            ("7b", Some(7)),
            ("", Some(0)),
            ("k", Some(0)),
            ("-1", None),
            ("1tb", None),
            ("18446744073709551615k", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }
}
