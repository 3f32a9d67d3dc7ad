//! RESP, versions 2 and 3: requests in, replies out.
//!
//! Owns the wire format only; no I/O. Every value belongs to one connection
//! and runs on that connection's thread.

pub mod inline;
pub mod reply;
pub mod request;

pub use reply::{Mark, ReplyBuffer, Version};
pub use request::{Decoded, Decoder, Limits, ProtocolError};
