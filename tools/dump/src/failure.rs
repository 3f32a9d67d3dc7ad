//! How a command ends. Owns the exit codes, which are part of the interface.

use crate::moment;
pub use crate::place::Place;
use crate::rdb::RdbFileError;
use std::io;
use std::path::PathBuf;
use thermocline_base::UnixMillis;
use thermocline_disk::DiskError;
use thermocline_store::StoreError;
use thermocline_store::tier::FormatError;
use thermocline_types::rdb::NoFieldExpiries;
use thermocline_wal::WalError;
use thiserror::Error;

/// A command that did what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Nothing was wrong.
    Intact,
    /// Damage was found and told.
    Damaged,
}

impl Outcome {
    /// The outcome with this many pieces of damage.
    pub const fn of(damages: u64) -> Self {
        if damages == 0 {
            Self::Intact
        } else {
            Self::Damaged
        }
    }

    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Intact => 0,
            Self::Damaged => 1,
        }
    }
}

/// Why a command could not do what it is for.
#[derive(Debug, Error)]
pub enum Failure {
    /// The directory does not exist or holds no data.
    #[error("{directory:?} holds no data of Thermocline: {reason}")]
    NoData {
        /// The directory.
        directory: PathBuf,
        /// What is there instead.
        reason: &'static str,
    },
    /// The data of a time is not here.
    #[error(
        "the data of {} cannot be had here: {}",
        moment::shown(*at),
        earliest(*first)
    )]
    NotAtTime {
        /// What was asked for.
        at: UnixMillis,
        /// The earliest that there is, if the log tells any.
        first: Option<UnixMillis>,
    },
    /// The store, or its disk, refuses.
    #[error(transparent)]
    Store(StoreError),
    /// A key could not be read to be replaced.
    #[error("{0}")]
    Damaged(String),
    /// The store cannot take what is restored.
    #[error("{place}: {reason}")]
    Refused {
        /// Where in the input.
        place: Place,
        /// Why.
        reason: String,
    },
    /// A library of functions cannot be loaded.
    #[error(
        "{place}: the library of functions {name:?} cannot be loaded: {reason}; \
         --skip-functions leaves libraries out"
    )]
    Library {
        /// Where in the input.
        place: Place,
        /// What it calls itself.
        name: String,
        /// Why.
        reason: String,
    },
    /// There is no manual of this command.
    #[error("there is no command {0:?}: thermocline-dump --help lists them")]
    NoCommand(String),
    /// A directory that was to be made is there already.
    #[error("{0:?} holds data already: name a new directory")]
    NotNew(PathBuf),
    /// The input is no RDB file, or a damaged one.
    #[error("the RDB file is not valid: {0}")]
    Rdb(#[from] RdbFileError),
    /// The standard input was to be read more than once.
    #[error("the standard input cannot be compared: it can be read only once")]
    Twice,
    /// A request of an append-only file cannot be replayed.
    #[error("{path:?}: the request at offset {offset} cannot be replayed: {reason}")]
    Request {
        /// The file.
        path: PathBuf,
        /// Where the request begins.
        offset: u64,
        /// Why.
        reason: String,
    },
    /// A file of the input is not valid.
    #[error("{path:?}: {source}")]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The input has a value of a module.
    #[error(
        "the key {key:?}, at offset {offset}, is of a module's type, which cannot be kept here: \
         --skip-modules leaves such keys out"
    )]
    Module {
        /// The key, shown.
        key: String,
        /// Where it begins.
        offset: u64,
    },
    /// A key cannot be written in the version of RDB that was asked for.
    #[error(
        "the key {key:?} of database {database}: {reason}: use --rdb-version 80 or 12, or \
         --drop-field-expiries to keep such fields for ever"
    )]
    FieldExpiries {
        /// The number of its database.
        database: u8,
        /// The key, shown.
        key: String,
        /// What it has.
        reason: NoFieldExpiries,
    },
    /// The input is not what `dump` writes.
    #[error("line {line}: {reason}")]
    Line {
        /// Which line of the input, the first is 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be opened, read or written.
    #[error("{path:?}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The output could not be written.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

fn earliest(first: Option<UnixMillis>) -> String {
    first.map_or_else(
        || "the log tells no time behind the checkpoint".to_owned(),
        |first| {
            let first = moment::shown(first);
            format!("the checkpoint is of about {first}; take a backup that is older")
        },
    )
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotAtTime { at, first } => Self::NotAtTime { at, first },
            other => Self::Store(other),
        }
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        StoreError::from(error).into()
    }
}

impl Failure {
    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Damaged(_)
            | Self::Store(
                StoreError::Format(FormatError::Corruption(_))
                | StoreError::Log(WalError::Corruption { .. } | WalError::Missing { .. })
                | StoreError::Frame { .. },
            ) => 1,
            Self::Line { .. }
            | Self::Rdb(_)
            | Self::Module { .. }
            | Self::Library { .. }
            | Self::Request { .. }
            | Self::InFile { .. } => 3,
            _ => 2,
        }
    }
}
