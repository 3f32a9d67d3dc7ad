//! The commands through the executor on a real store.

mod events;
mod harness;
mod hashes;
mod keys;
mod lists;
mod strings;
mod transactions;
mod whole;
