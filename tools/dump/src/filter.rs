//! Which keys are meant.
//!
//! Owns the filters of the command line. Pure.

use crate::arguments::Kind;
use clap::Args;
use thermocline_base::limits::DATABASE_COUNT;
use thermocline_commands::glob::{self, Case};
use thermocline_types::ValueKind;

/// Filters that a key has to pass, all of them.
#[derive(Clone, Debug, Default, Args)]
pub struct Filter {
    /// Only keys that match this pattern, as KEYS would; like the other filters it leaves
    /// out libraries of functions
    #[arg(long = "match", value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// Only keys of this type
    #[arg(long = "type")]
    pub kind: Option<Kind>,
    /// Only keys of the database of this number
    #[arg(long, value_parser = database)]
    pub database: Option<u8>,
}

impl Filter {
    /// Whether libraries of functions are meant too: they are of no database and type.
    pub(crate) const fn wants_libraries(&self) -> bool {
        self.pattern.is_none() && self.kind.is_none() && self.database.is_none()
    }

    /// Whether the key passes, of whatever database.
    pub(crate) fn wants(&self, database: impl Into<u64>, key: &[u8], kind: ValueKind) -> bool {
        let database = database.into();
        self.database.is_none_or(|it| u64::from(it) == database)
            && self.kind.is_none_or(|it| it.value_kind() == kind)
            && self.pattern.as_ref().is_none_or(|pattern| {
                pattern == "*" || glob::matches(pattern.as_bytes(), key, Case::Sensitive)
            })
    }
}

/// The number as that of a database here, if there is one.
pub(crate) fn database_here(number: u64) -> Option<u8> {
    let number = u8::try_from(number).ok();
    number.filter(|number| usize::from(*number) < DATABASE_COUNT)
}

/// Why a key of a database that there is not here cannot be kept.
pub(crate) fn no_such_database(number: u64, key: &[u8]) -> String {
    format!(
        "the key \"{}\" of database {number}, where those below {DATABASE_COUNT} can be kept \
         (restore --database chooses one)",
        key.escape_ascii()
    )
}

fn database(text: &str) -> Result<u8, String> {
    text.parse()
        .ok()
        .and_then(database_here)
        .ok_or_else(|| format!("a database is a number below {DATABASE_COUNT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_one_of_sixteen() {
        assert_eq!(database("15"), Ok(15));
        assert!(database("16").is_err());
        assert!(database("-1").is_err());
    }

    #[test]
    fn a_key_passes_all_filters_or_none() {
        let all = Filter::default();
        assert!(all.wants(3_u8, b"\xff", ValueKind::Stream) && all.wants_libraries());
        let some = Filter {
            pattern: Some("user:*".to_owned()),
            kind: Some(Kind::Hash),
            database: Some(1),
        };
        assert!(some.wants(1_u8, b"user:7", ValueKind::Hash) && !some.wants_libraries());
        assert!(!some.wants(0_u8, b"user:7", ValueKind::Hash));
        assert!(!some.wants(1_u8, b"use", ValueKind::Hash));
        assert!(!some.wants(1_u8, b"user:7", ValueKind::Set));
    }
}
