//! RESP, versions 2 and 3: requests in. (Replies out are
//! `thermocline_commands::reply`.)
//!
//! Owns the wire format only; no I/O. Every value belongs to one connection
//! and runs on that connection's thread.

pub mod inline;
pub mod request;

pub use request::{Decoded, Decoder, Limits, ProtocolError};
