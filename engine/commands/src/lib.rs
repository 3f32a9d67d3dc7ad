//! The Redis commands of Thermocline, as far as they need no data set.
//!
//! Owns the command table ([`table`]), the texts of client errors ([`error`]), pattern
//! matching ([`glob`]) and the parsers of command options ([`arguments`]). It does not know
//! sockets, reply encoding, pages or frames.
//!
//! Use order: `error` stands alone, as does `glob`; `arguments` uses `error`; `table` uses
//! both. Everything here is a pure function of its input or read-only after the first use,
//! so any thread may call it.

pub mod arguments;
pub mod error;
pub mod glob;
pub mod table;

pub use error::CommandError;
