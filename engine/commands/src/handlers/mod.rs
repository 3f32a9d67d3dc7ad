//! The handlers, one file per family.
//!
//! Owns which function runs a command. Read-only data.
//!
//! A handler makes all its checks before its first change, for a change cannot
//! be taken back. Wherever Valkey looks at the options, at the key's kind and at
//! a limit in some order, so does the handler: the order shows in the errors.

mod bitmaps;
mod copying;
mod draw;
mod expiry;
mod geo;
mod hashes;
mod hyperloglogs;
mod increments;
mod inspection;
mod keys;
mod lcs;
mod lists;
mod multiple;
mod readers;
mod serialized;
mod sets;
mod sorted_sets;
mod sorting;
mod streams;
mod strings;
mod whole;

use crate::context::Handler;
pub(crate) use readers::READERS;
pub(crate) use sorting::{further_keys, further_keys_of};
use thermocline_base::limits::DATABASE_COUNT;
pub(crate) use whole::KEYS_STEP;

/// How many databases there are, as the parsers count them.
pub(crate) const DATABASES: u32 = DATABASE_COUNT as u32;

/// Each family's commands by name.
pub(crate) static FAMILIES: &[&[(&str, Handler)]] = &[
    strings::HANDLERS,
    multiple::HANDLERS,
    increments::HANDLERS,
    lcs::HANDLERS,
    keys::HANDLERS,
    bitmaps::HANDLERS,
    hyperloglogs::HANDLERS,
    streams::HANDLERS,
    copying::HANDLERS,
    expiry::HANDLERS,
    inspection::HANDLERS,
    serialized::HANDLERS,
    sorting::HANDLERS,
    hashes::HANDLERS,
    lists::HANDLERS,
    geo::HANDLERS,
    sets::HANDLERS,
    sorted_sets::HANDLERS,
    whole::HANDLERS,
];
