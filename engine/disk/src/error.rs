//! The one error of this crate. Owns how a failure of the disk is told; does
//! not decide what follows from it. Invariant: every variant names the file.

use std::io;

/// Why an operation of the disk failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// The operating system (or an injected fault) refused the operation.
    #[error("cannot {action} {file:?}: {source}")]
    Io {
        /// What was attempted, as a verb: "open", "read", "write", "sync".
        action: &'static str,
        /// The name relative to the data directory; "" is the directory.
        file: String,
        /// The cause.
        source: io::Error,
    },
    /// Another process holds the data directory.
    #[error(
        "the data directory {path:?} is in use by another process; stop that process or choose another directory"
    )]
    Locked {
        /// The lock file.
        path: String,
    },
    /// io_uring was demanded and cannot be had.
    #[error(
        "io_uring is not available: {reason}; choose the POSIX backend or allow io_uring (kernel.io_uring_disabled, the container's seccomp filter)"
    )]
    RingUnavailable {
        /// What the probe met.
        reason: String,
    },
    /// A name is absolute, empty, or leaves the data directory.
    #[error("the file name {name:?} does not stay inside the data directory")]
    InvalidName {
        /// The name as given.
        name: String,
    },
    /// A file is larger than its reader accepts.
    #[error("{file:?} has {size_bytes} bytes, more than the {limit_bytes} accepted")]
    TooLarge {
        /// The name relative to the data directory.
        file: String,
        /// Its size.
        size_bytes: u64,
        /// What the caller accepts.
        limit_bytes: u64,
    },
}

impl DiskError {
    /// The kind of the underlying I/O error; `Other` if there is none.
    #[must_use]
    pub fn io_error_kind(&self) -> io::ErrorKind {
        match self {
            Self::Io { source, .. } => source.kind(),
            Self::Locked { .. } => io::ErrorKind::ResourceBusy,
            Self::RingUnavailable { .. } => io::ErrorKind::Unsupported,
            Self::InvalidName { .. } => io::ErrorKind::InvalidInput,
            Self::TooLarge { .. } => io::ErrorKind::FileTooLarge,
        }
    }

    pub(crate) fn io(action: &'static str, file: &str, source: impl Into<io::Error>) -> Self {
        Self::Io {
            action,
            file: file.to_owned(),
            source: source.into(),
        }
    }
}
