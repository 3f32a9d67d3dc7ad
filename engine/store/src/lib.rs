//! The data set of Thermocline: what is in memory, what is on the SSD tier and
//! how one becomes the other.
//!
//! Owns the records in memory ([`record`]), the index that finds a key hot or
//! cold ([`index`]), and the addresses of the tier ([`address`]). Does not
//! parse commands, speak protocols or decide what a value means.
//!
//! Modules, lowest first: [`address`], [`record`], [`index`].

pub mod address;
pub mod effect;
pub mod index;
pub mod manifest;
pub mod pending;
pub mod record;
pub mod tier;

pub use address::Address;
