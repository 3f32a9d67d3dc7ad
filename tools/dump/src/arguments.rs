//! The command line.
//!
//! Owns names, help and defaults. Does not check directories or files.

pub use crate::filter::Filter;
use crate::moment;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;
use thermocline_base::UnixMillis;
use thermocline_types::ValueKind;
use thermocline_types::rdb::FileVersion;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; the directory is intact, the two sides are the same
  1  damage was found and told, and what is whole was still read; or there is a difference
  2  the directory or the output cannot be used, or the arguments are wrong
  3  the input is not valid; of a file no key was written
141  nobody reads the output any more";

/// Works on Thermocline's data directories while no daemon holds them.
#[derive(Debug, Parser)]
#[command(name = "thermocline-dump", version, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks every checksum and reference, and says where damage is
    #[command(after_help = EXIT_CODES)]
    Verify(Verify),
    /// Shows what is in a directory: the manifest, or what is asked for
    #[command(after_help = EXIT_CODES)]
    Inspect(Inspect),
    /// Writes every key, as lines of JSON or as an RDB file
    ///
    /// A line is {"db":0,"key":"k","type":"string","value":"v","expires_at_ms":0};
    /// expires_at_ms is there only if the key expires. A hash is a list of
    /// [field, value] or [field, value, expires_at_ms], a set one of members, a
    /// sorted set ("zset") one of [member, score], the score a string. Bytes that are not
    /// UTF-8 are {"base64":"..."} instead of a string. Keys come in no order.
    #[command(after_help = EXIT_CODES)]
    Dump(Dump),
    /// Writes the keys of a dump into a directory, new or existing
    ///
    /// A new directory is there whole, or not at all if that fails. A key of a database that
    /// there is not here, whose numbers are below 16, ends it before anything is written,
    /// unless it is left out by --database or another filter.
    #[command(after_help = EXIT_CODES)]
    Restore(Restore),
    /// Replays the append-only files of Redis or Valkey into a new directory
    ///
    /// Reads the manifest, the base and the incremental files, or one file of before
    /// Redis 7. A last file that ends in the middle of a request or transaction is
    /// cut there, and that is said, as the servers do it. The directory is there whole, or
    /// not at all if that fails.
    #[command(after_help = EXIT_CODES)]
    Import(Import),
    /// Copies what is intact in a damaged directory into a new one
    ///
    /// The damaged directory is only read. A manifest that is damaged or gone is made up
    /// for by its copy, without that by a search of the tier and the log. Each key that is
    /// lost is told by name where the name is known, else by place. Exit code 1 if anything
    /// was damaged.
    #[command(after_help = EXIT_CODES)]
    Repair(Repair),
    /// Compares two directories, dumps or RDB files key by key
    ///
    /// Prints a line for each key that is missing in the second, added there or
    /// changed. Keys and fields that have expired are not there. Exit code 1 if they
    /// differ.
    #[command(after_help = EXIT_CODES)]
    Diff(Diff),
    /// Prints what a shell needs to complete this command's words
    ///
    /// For bash: thermocline-dump completions bash > /etc/bash_completion.d/thermocline-dump
    Completions(Completions),
    /// Prints the manual page, of all or of one command
    ///
    /// To read it: thermocline-dump man repair | man --local-file -
    Man(Man),
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
    /// How many keys there are, the biggest, and how they are spread over prefixes,
    /// sizes and times to live
    #[arg(long)]
    pub keys: bool,
    /// Draws that spread into a new file, as an SVG picture
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Arguments of `dump`.
#[derive(Debug, Args)]
pub struct Dump {
    /// The data directory
    pub directory: PathBuf,
    /// A file to write, which must not exist yet, instead of the standard
    /// output, which - is too; only its owner may read it
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Writes the file even if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
    /// What to write: without it an RDB file if the output's name ends with
    /// .rdb, else lines of JSON
    #[arg(long)]
    pub format: Option<Format>,
    /// The version of the RDB file: 9 for Redis 5 and 6, 10 for Redis 7.0, 11 for
    /// Redis 7.2 and Valkey 7.2 to 8, 12 for Redis 7.4 to 8, 80 for Valkey 9; only the
    /// last two can say when fields of hashes expire
    #[arg(long, value_enum, default_value = "11")]
    pub rdb_version: RdbVersion,
    /// Writes fields that expire as if they did not, in versions that cannot say
    /// when
    #[arg(long)]
    pub drop_field_expiries: bool,
    /// Leaves out libraries of functions, as for a server that cannot load them
    #[arg(long)]
    pub skip_functions: bool,
    /// Which keys
    #[command(flatten)]
    pub filter: Filter,
}

/// What a dump is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line of JSON for each key.
    Json,
    /// An RDB file of Redis or Valkey.
    Rdb,
}

/// A version of RDB files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RdbVersion {
    /// Of Redis 5 and 6.
    #[value(name = "9")]
    Redis5,
    /// Of Redis 7.0.
    #[value(name = "10")]
    Redis70,
    /// Of Redis 7.2 and Valkey 7.2 to 8.
    #[value(name = "11")]
    Redis72,
    /// Of Redis 7.4 to 8.
    #[value(name = "12")]
    Redis74,
    /// Of Valkey 9.
    #[value(name = "80")]
    Valkey9,
}

impl RdbVersion {
    /// The same as the values know it.
    #[must_use]
    pub const fn file_version(self) -> FileVersion {
        match self {
            Self::Redis5 => FileVersion::Redis5,
            Self::Redis70 => FileVersion::Redis70,
            Self::Redis72 => FileVersion::Redis72,
            Self::Redis74 => FileVersion::Redis74,
            Self::Valkey9 => FileVersion::Valkey9,
        }
    }
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The data directory; made if it is missing
    pub directory: PathBuf,
    /// The dump, lines of JSON or an RDB file, or a data directory, such as a backup; - is the
    /// standard input, which is read only once: what came before an error is then written, but
    /// not into a new directory
    pub file: PathBuf,
    /// Replaces keys that are there; otherwise they are left as they are
    #[arg(long)]
    pub replace: bool,
    /// Leaves out what modules have written; otherwise it is refused
    #[arg(long)]
    pub skip_modules: bool,
    /// Leaves out libraries of functions; otherwise one that cannot be loaded is refused
    #[arg(long)]
    pub skip_functions: bool,
    /// From a data directory: as it was at this position of the log, which INFO
    /// tells as log_appended_lsn
    #[arg(long, value_name = "LSN")]
    pub to_lsn: Option<u64>,
    /// From a data directory: as it was at this time, 2026-11-30T03:12:00Z or in Unix
    /// seconds; nothing that was written later counts
    #[arg(long, value_name = "TIME", value_parser = moment::parse, conflicts_with = "to_lsn")]
    pub to_time: Option<UnixMillis>,
    /// From a backup: goes on with the log of this data directory, which a daemon
    /// may be using; it must still have it from the backup on (wal-retention)
    #[arg(long, value_name = "DIRECTORY")]
    pub log: Option<PathBuf>,
    /// Which keys
    #[command(flatten)]
    pub filter: Filter,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The new data directory
    pub directory: PathBuf,
    /// The directory of the append-only files, their manifest, or one file
    pub source: PathBuf,
    /// Stops before what was written after this time, 2026-11-30T03:12:00Z or in Unix
    /// seconds, if the files tell (aof-timestamp-enabled)
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub to_time: Option<UnixMillis>,
    /// Leaves out what modules have written; otherwise it is refused
    #[arg(long)]
    pub skip_modules: bool,
    /// Leaves out libraries of functions; otherwise one that cannot be loaded is refused
    #[arg(long)]
    pub skip_functions: bool,
}

/// Arguments of `repair`.
#[derive(Debug, Args)]
pub struct Repair {
    /// The damaged data directory
    pub directory: PathBuf,
    /// The new data directory
    pub target: PathBuf,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// A data directory, lines of JSON or an RDB file
    pub left: PathBuf,
    /// What to compare with it: the same
    pub right: PathBuf,
    /// Which keys
    #[command(flatten)]
    pub filter: Filter,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// The command; without it the page of all
    pub command: Option<String>,
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
    /// Streams.
    Stream,
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
            Self::Stream => ValueKind::Stream,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
