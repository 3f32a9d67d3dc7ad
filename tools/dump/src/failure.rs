//! How a command ends. Owns the exit codes, which are part of the interface.

pub use crate::place::Place;
use crate::rdb::RdbFileError;
use std::io;
use std::path::PathBuf;
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
    /// The store, or its disk, refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
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
        "the key {key:?} of database {database}: {reason}: use --rdb-version 80, or \
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

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        Self::Store(error.into())
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
