//! The command line.
//!
//! Owns names, help and defaults. Does not check directories or files.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use thermocline_base::limits::DATABASE_COUNT;
use thermocline_types::ValueKind;

/// Works on Thermocline's data directories while no daemon holds them.
///
/// Exit codes: 0 done and intact; 1 damage was found; 2 the directory or the
/// output cannot be used, or wrong arguments; 3 an input line is not valid.
#[derive(Debug, Parser)]
#[command(name = "thermocline-dump", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks every checksum and reference, and says where damage is
    Verify(Verify),
    /// Shows what is in a directory: the manifest, or what is asked for
    Inspect(Inspect),
    /// Writes every key as a line of JSON
    ///
    /// A line is {"db":0,"key":"k","type":"string","value":"v","expires_at_ms":0};
    /// expires_at_ms is there only if the key expires. A hash is a list of
    /// [field, value] or [field, value, expires_at_ms], a set one of members, a
    /// sorted set ("zset") one of [member, score], the score a string. Bytes that are not
    /// UTF-8 are {"base64":"..."} instead of a string. Keys come in no order.
    Dump(Dump),
    /// Writes the keys of a dump into a directory, new or existing
    Restore(Restore),
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The data directory
    pub directory: PathBuf,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The data directory
    pub directory: PathBuf,
    /// Each frame of the log from the checkpoint on
    #[arg(long)]
    pub wal: bool,
    /// Each segment of the tier, with its live bytes and what its pages are
    #[arg(long)]
    pub segments: bool,
    /// The image of the last checkpoint and the files it stands in
    #[arg(long)]
    pub image: bool,
    /// How many keys there are, and the biggest
    #[arg(long)]
    pub keys: bool,
}

/// Arguments of `dump`.
#[derive(Debug, Args)]
pub struct Dump {
    /// The data directory
    pub directory: PathBuf,
    /// A file to write, which must not exist yet, instead of the standard
    /// output; only its owner may read it
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Writes the file even if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Only keys that match this pattern, as KEYS would
    #[arg(long = "match")]
    pub pattern: Option<String>,
    /// Only keys of this type
    #[arg(long = "type")]
    pub kind: Option<Kind>,
    /// Only keys of the database of this number
    #[arg(long, value_parser = database)]
    pub database: Option<u8>,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The data directory; made if it is missing
    pub directory: PathBuf,
    /// The dump
    pub file: PathBuf,
    /// Replaces keys that are there; otherwise they are left as they are
    #[arg(long)]
    pub replace: bool,
}

/// A type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Strings.
    String,
    /// Hashes.
    Hash,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Sorted sets.
    Zset,
}

impl Kind {
    /// The same as the types know it.
    #[must_use]
    pub const fn value_kind(self) -> ValueKind {
        match self {
            Self::String => ValueKind::String,
            Self::Hash => ValueKind::Hash,
            Self::List => ValueKind::List,
            Self::Set => ValueKind::Set,
            Self::Zset => ValueKind::SortedSet,
        }
    }
}

fn database(text: &str) -> Result<u8, String> {
    text.parse()
        .ok()
        .filter(|number| usize::from(*number) < DATABASE_COUNT)
        .ok_or_else(|| format!("a database is a number below {DATABASE_COUNT}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_database_is_one_of_sixteen() {
        assert_eq!(database("15"), Ok(15));
        assert!(database("16").is_err());
        assert!(database("-1").is_err());
    }
}
