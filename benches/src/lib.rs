//! Load generators and measurement of a server from outside: over its socket
//! and through `/proc`.
//!
//! Owns the start and the end of a measured server, the load against it, what
//! its answers must be, and how its time and memory are read. Does not know
//! what is compared with what (`cargo xtask bench`), nor anything of the
//! engine: Thermocline and its peers are measured by the same code.
//!
//! Modules, lowest first: [`reply`], [`corpus`], [`keys`], [`values`],
//! [`address`], [`client`], [`memcached`], [`process`], [`port`], [`server`], `pace`, `connection`, [`load`].
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used)
)]

pub mod address;
pub mod client;
mod connection;
pub mod corpus;
pub mod keys;
pub mod load;
pub mod memcached;
mod pace;
pub mod port;
pub mod process;
pub mod reply;
pub mod server;
pub mod values;
