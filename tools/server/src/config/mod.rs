//! The values of all directives, from the start and as clients change them.
//!
//! Owns the values as canonical text and the file they came from. Does not own what a
//! change sets in motion ([`apply`]) nor the numbers that are read for every request
//! ([`live`]). Written by the main thread before the others start, later by any thread
//! under the lock.
//!
//! Modules, lowest first: [`table`] with its `foreign`, [`value`], [`live`], [`rewrite`],
//! [`apply`].

pub(crate) mod apply;
pub(crate) mod events;
mod foreign;
pub(crate) mod live;
pub(crate) mod rewrite;
pub(crate) mod table;
pub(crate) mod value;

use std::path::PathBuf;

use parking_lot::RwLock;
use table::{Directive, Effect};
use thermocline_commands::glob::{Case, matches};

use crate::config_file;
use crate::resp::inline;

/// A directive that cannot be taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{file}:{line}: {name}: {reason}")]
pub(crate) struct DirectiveError {
    /// The file, or `command line`.
    pub(crate) file: String,
    /// Line from 1; on the command line the argument's number.
    pub(crate) line: usize,
    /// The directive as it was written.
    pub(crate) name: String,
    /// What is wrong.
    pub(crate) reason: String,
}

/// Why `CONFIG SET` changed nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SetError {
    /// No directive of that name.
    Unknown(String),
    /// The directive of that name cannot take the value.
    Failed(String, String),
}

/// See the module.
pub(crate) struct Config {
    values: RwLock<Vec<String>>,
    /// The configuration file, absolute, if there is one.
    pub(crate) file: Option<PathBuf>,
}

/// The values before any configuration.
fn defaults() -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = |directive: &&Directive| match directive.name {
        "io-threads" => cores.min(256).to_string(),
        _ => directive.default.to_owned(),
    };
    table::all().iter().map(text).collect()
}

/// The values that `directives` come to, in order, on top of the defaults.
pub(crate) fn evaluate(
    directives: &[config_file::Directive],
) -> Result<Vec<String>, DirectiveError> {
    let mut values = defaults();
    let mut saves_given = false;
    for given in directives {
        let error = |reason: &str| DirectiveError {
            file: given.file.clone(),
            line: given.line,
            name: given.name.clone(),
            reason: reason.to_owned(),
        };
        if let Some((_, reason)) = table::REFUSED.iter().find(|(name, _)| *name == given.name) {
            return Err(error(reason));
        }
        let number = table::number(&given.name).ok_or_else(|| error("unknown directive"))?;
        let directive = table::all()[number];
        let words: Vec<&str> = given.arguments.iter().map(String::as_str).collect();
        let value = value::normalise(directive.kind, &words, &values[number])
            .map_err(|reason| error(&reason))?;
        if directive.effect == Effect::Only && value != directive.default {
            return Err(error(&format!(
                "only '{}' is possible here",
                directive.default
            )));
        }
        check_start(directive.name, &value).map_err(|reason| error(&reason))?;
        // As in Redis, save points add up, and an empty one forgets those before it.
        if directive.name == "save" && saves_given && !value.is_empty() {
            values[number] = format!("{} {value}", values[number]).trim().to_owned();
        } else {
            values[number] = value;
        }
        saves_given |= directive.name == "save";
    }
    Ok(values)
}

/// What only the start can tell of a value.
fn check_start(name: &str, value: &str) -> Result<(), String> {
    let fails = match name {
        "databases" => value.parse().is_ok_and(|count: u32| count > 16),
        "unixsocketperm" => u32::from_str_radix(value, 8).is_ok_and(|mode| mode > 0o777),
        _ => false,
    };
    if name == "unixsocketperm" && u32::from_str_radix(value, 8).is_err() {
        return Err("argument must be an octal number".to_owned());
    }
    if fails {
        return Err(match name {
            "databases" => "there are at most 16 databases".to_owned(),
            _ => "argument must be between 0 and 777 inclusive".to_owned(),
        });
    }
    Ok(())
}

impl Config {
    /// The configuration that `directives` come to.
    ///
    /// # Errors
    /// The first directive that cannot be taken.
    pub(crate) fn new(
        directives: &[config_file::Directive],
        file: Option<PathBuf>,
    ) -> Result<Self, DirectiveError> {
        Ok(Self {
            values: RwLock::new(evaluate(directives)?),
            file,
        })
    }

    /// The canonical value of the directive of that name; empty for an unknown one.
    pub(crate) fn get(&self, name: &str) -> String {
        let number = table::number(name);
        debug_assert!(number.is_some(), "{name}");
        number.map_or_else(String::new, |number| self.values.read()[number].clone())
    }

    /// Whether the directive of that name is `yes`.
    pub(crate) fn is_yes(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    /// The directive of that name as a number; 0 where it is none.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap_or(0)
    }

    /// Directives without effect that were given a value of their own, for a warning.
    pub(crate) fn without_effect(&self) -> Vec<&'static str> {
        let values = self.values.read();
        let numbered = table::all().iter().zip(values.iter());
        numbered
            .filter(|(directive, value)| directive.is_idle() && directive.default != value.as_str())
            .map(|(directive, _)| directive.name)
            .collect()
    }

    /// Names and values of the directives that fit a pattern of `patterns`, letter case
    /// ignored; a pattern without wildcards keeps its own spelling.
    pub(crate) fn matching(&self, patterns: &[&[u8]]) -> Vec<(String, String)> {
        let values = self.values.read();
        let mut found: Vec<(String, String)> = Vec::new();
        for pattern in patterns {
            let is_glob = pattern.iter().any(|byte| b"*?[".contains(byte));
            for (directive, value) in table::all().iter().zip(values.iter()) {
                for name in std::iter::once(directive.name).chain(directive.alias) {
                    let fits = if is_glob {
                        matches(pattern, name.as_bytes(), Case::Insensitive)
                    } else {
                        name.as_bytes().eq_ignore_ascii_case(pattern)
                    };
                    let known =
                        |(present, _): &(String, String)| present.eq_ignore_ascii_case(name);
                    if fits && !(is_glob && directive.is_hidden()) && !found.iter().any(known) {
                        let shown = if is_glob {
                            name.to_owned()
                        } else {
                            String::from_utf8_lossy(pattern).into_owned()
                        };
                        found.push((shown, value.clone()));
                    }
                }
            }
        }
        found.sort();
        found
    }

    /// Checks the pairs of a `CONFIG SET` and gives the number and canonical value of each;
    /// nothing is changed.
    ///
    /// # Errors
    /// The first pair that cannot be taken.
    pub(crate) fn check(&self, pairs: &[(&str, &str)]) -> Result<Vec<(usize, String)>, SetError> {
        let mut checked: Vec<(usize, String)> = Vec::with_capacity(pairs.len());
        for (name, text) in pairs {
            let failed = |reason: &str| SetError::Failed((*name).to_owned(), reason.to_owned());
            let number =
                table::number(name).ok_or_else(|| SetError::Unknown((*name).to_owned()))?;
            let directive = table::all()[number];
            if directive.effect == Effect::Protected {
                return Err(failed("can't set protected config"));
            }
            if checked.iter().any(|(known, _)| *known == number) {
                return Err(failed("duplicate parameter"));
            }
            let value = self
                .normalise(number, text)
                .map_err(|reason| failed(&reason))?;
            if !directive.is_mutable() && value != self.values.read()[number] {
                return Err(failed("can't set immutable config"));
            }
            if directive.effect == Effect::Only && value != directive.default {
                let reason = format!("only '{}' is possible here", directive.default);
                return Err(failed(&reason));
            }
            checked.push((number, value));
        }
        Ok(checked)
    }

    fn normalise(&self, number: usize, text: &str) -> Result<String, String> {
        let directive = table::all()[number];
        let current = self.values.read()[number].clone();
        if !directive.kind.is_list() {
            return value::normalise(directive.kind, &[text], &current);
        }
        let mut unquoted = Vec::new();
        let ranges = inline::split(text.as_bytes(), &mut unquoted)
            .map_err(|_| "unbalanced quotes".to_owned())?;
        let words: Vec<String> = ranges
            .into_iter()
            .map(|range| String::from_utf8_lossy(&unquoted[range]).into_owned())
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        value::normalise(directive.kind, &words, &current)
    }

    /// Puts a checked value in place and gives the one before.
    pub(crate) fn replace(&self, number: usize, value: String) -> String {
        std::mem::replace(&mut self.values.write()[number], value)
    }

    /// All values, in the order of [`table::all`].
    pub(crate) fn snapshot(&self) -> Vec<String> {
        self.values.read().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<Config, DirectiveError> {
        let directives = config_file::parse("t.conf", text.as_bytes()).unwrap();
        Config::new(&directives, None)
    }

    #[test]
    fn errors_name_file_line_directive_and_reason() {
        for (text, expected) in [
            ("port 1\nprot 2", "t.conf:2: prot: unknown directive"),
            (
                "maxmemory lots",
                "t.conf:1: maxmemory: argument must be a memory value",
            ),
            (
                "loadmodule x.so",
                "t.conf:1: loadmodule: modules cannot be loaded",
            ),
            (
                "cluster-enabled yes",
                "t.conf:1: cluster-enabled: only 'no' is possible here",
            ),
            (
                "databases 17",
                "t.conf:1: databases: there are at most 16 databases",
            ),
            ("port", "t.conf:1: port: wrong number of arguments"),
        ] {
            assert_eq!(config(text).err().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_usual_file_is_taken_and_warns_of_what_has_no_effect() {
        let config = config(
            "port 7000\nsave 900 1\nsave 300 10\nactivedefrag yes\nhash-max-ziplist-value 65\n\
             daemonize no\nmaxmemory 1gb\nclient-output-buffer-limit normal 1mb 0 0\n",
        )
        .unwrap();
        assert_eq!(config.get("save"), "900 1 300 10");
        assert_eq!(config.get("hash-max-listpack-value"), "65");
        assert_eq!(config.number("maxmemory"), 1 << 30);
        assert!(
            config
                .get("client-output-buffer-limit")
                .starts_with("normal 1048576 0 0 slave")
        );
        assert_eq!(config.without_effect(), ["activedefrag", "save"]);
    }

    #[test]
    fn get_takes_globs_and_several_patterns_once_each() {
        let config = config("").unwrap();
        let names = |patterns: &[&[u8]]| -> Vec<String> {
            config
                .matching(patterns)
                .into_iter()
                .map(|(name, _)| name)
                .collect()
        };
        assert_eq!(names(&[b"Port", b"po*", b"PORT"]), ["Port"]);
        assert_eq!(
            names(&[b"hash-max-*"]),
            [
                "hash-max-listpack-entries",
                "hash-max-listpack-value",
                "hash-max-ziplist-entries",
                "hash-max-ziplist-value"
            ]
        );
        assert!(names(&[b"nothing"]).is_empty());
        assert!(names(&[b"*"]).len() > 230);
    }

    #[test]
    fn set_is_checked_whole_before_anything_changes() {
        let config = config("").unwrap();
        let failed =
            |name: &str, reason: &str| Err(SetError::Failed(name.to_owned(), reason.to_owned()));
        assert_eq!(
            config.check(&[("maxmemory", "1"), ("foo", "1")]),
            Err(SetError::Unknown("foo".to_owned()))
        );
        assert_eq!(
            config.check(&[("maxmemory", "1"), ("maxmemory", "2")]),
            failed("maxmemory", "duplicate parameter")
        );
        assert_eq!(
            config.check(&[("port", "1")]),
            failed("port", "can't set immutable config")
        );
        assert_eq!(
            config.check(&[("dir", "/")]),
            failed("dir", "can't set protected config")
        );
        assert!(config.check(&[("port", "6379"), ("SAVE", "900 1")]).is_ok());
        assert_eq!(config.get("maxmemory"), "0");
    }
}
