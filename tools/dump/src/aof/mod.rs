//! Append-only files of Redis and Valkey: which files there are, and the
//! requests in them.
//!
//! Owns the manifest and the form of requests. Does not run them.
//!
//! ```text
//! file appendonly.aof.1.base.rdb seq 1 type b      the manifest: a line a file,
//! file appendonly.aof.1.incr.aof seq 1 type i      b base, h history, i incremental
//!
//! *2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n                a file: requests,
//! #TS:1700000000\r\n                               and when they were written
//! ```

mod manifest;
mod requests;

pub use manifest::{AofFile, find_files};
pub use requests::{AofError, Item, RequestReader};
