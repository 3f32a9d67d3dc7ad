//! The commands through the executor on a real store.

mod events;
mod geo;
mod harness;
mod hashes;
mod keys;
mod lists;
mod sets;
mod sorted_sets;
mod strings;
mod transactions;
mod whole;
