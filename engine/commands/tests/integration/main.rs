//! The commands through the executor on a real store.

mod bitmaps;
mod events;
mod geo;
mod harness;
mod hashes;
mod hyperloglogs;

mod keys;
mod lists;
mod references;
mod sets;
mod sorted_sets;
mod streams;
mod strings;
mod transactions;
mod whole;
