//! The data set of Thermocline: what is in memory, what is on the SSD tier and
//! how one becomes the other.
//!
//! Owns the records in memory ([`record`]), the index that finds a key hot or
//! cold ([`index`]), the formats and the segment table of the tier ([`tier`]),
//! the changes that the log carries ([`effect`]) and those that wait after a
//! restart ([`pending`]), and the [`manifest`]. Does not parse commands, speak
//! protocols or decide what a value means.
//!
//! Modules, lowest first: [`address`], [`record`], [`index`], [`effect`],
//! [`pending`], [`tier`], [`manifest`].

pub mod address;
pub mod effect;
pub mod index;
pub mod manifest;
pub mod pending;
pub mod record;
pub mod tier;

pub use address::Address;
