//! Where in its input something stands. Owns the words for it.

use std::fmt;

/// Where a key of the input begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this line; the first is 1.
    Line(u64),
    /// At this offset, in bytes.
    Offset(u64),
    /// In the data directory that is read.
    Directory,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(formatter, "line {line}"),
            Self::Offset(offset) => write!(formatter, "at offset {offset}"),
            Self::Directory => formatter.write_str("in the directory"),
        }
    }
}
