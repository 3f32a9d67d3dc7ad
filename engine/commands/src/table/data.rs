//! The families of the command table, in one list.
//!
//! Owns only the list of families; each family's file owns its entries. Generated once from
//! `COMMAND INFO` and `COMMAND DOCS` of Valkey 9.1.2 and kept by hand since. Read-only.

mod bitmaps;
mod connection;
mod geo;
mod hashes;
mod hyperloglogs;
mod keys;
mod lists;
mod pubsub;
mod scripting;
mod server;
mod sets;
mod sorted_sets;
mod sorting;
mod streams;
mod strings;
mod transactions;

use super::Command;

/// Every family; a name stands in exactly one of them.
pub(super) static FAMILIES: &[&[Command]] = &[
    bitmaps::COMMANDS,
    connection::COMMANDS,
    geo::COMMANDS,
    hashes::COMMANDS,
    hyperloglogs::COMMANDS,
    keys::COMMANDS,
    lists::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    sorting::COMMANDS,
    sets::COMMANDS,
    sorted_sets::COMMANDS,
    streams::COMMANDS,
    strings::COMMANDS,
    transactions::COMMANDS,
];
