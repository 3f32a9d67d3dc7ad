//! The server's wire format and configuration syntax.
//!
//! Owns bytes to requests, replies to bytes, and configuration text to
//! directives. Knows nothing of sockets, keys, or what a command or a
//! directive means. `config_file` uses `resp::inline` for quoting, because
//! both follow the same rules; `resp` uses nothing here.

pub mod config_file;
pub mod resp;
