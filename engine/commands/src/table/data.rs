//! The families of the command table, in one list.
//!
//! Owns only the list of families; each family's file owns its entries. Generated once from
//! `COMMAND INFO` and `COMMAND DOCS` of Valkey 9.1.2 and kept by hand since. Read-only.

mod bitmaps;
mod connection;
mod hashes;
mod hyperloglogs;
mod keys;
mod server;
mod streams;
mod strings;
mod transactions;

use super::Command;

/// Every family; a name stands in exactly one of them.
pub(super) static FAMILIES: &[&[Command]] = &[
    bitmaps::COMMANDS,
    connection::COMMANDS,
    hashes::COMMANDS,
    hyperloglogs::COMMANDS,
    keys::COMMANDS,
    server::COMMANDS,
    streams::COMMANDS,
    strings::COMMANDS,
    transactions::COMMANDS,
];
