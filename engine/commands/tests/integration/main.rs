//! The commands through the executor on a real store.

mod geo;
mod harness;
mod hashes;
mod keys;
mod sets;
mod sorted_sets;
mod strings;
mod transactions;
mod whole;
