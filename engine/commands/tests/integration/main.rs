//! The commands through the executor on a real store.

mod bitmaps;
mod harness;
mod hashes;
mod hyperloglogs;

mod keys;
mod streams;
mod strings;
mod transactions;
mod whole;
