//! What every crate of Thermocline stands on: newtypes, limits, the clock,
//! the bounds-checked codec, checksums, the key hash and seeded randomness.
//!
//! Owns no state and does no I/O. Everything here is pure except [`Clock`] in
//! its system form, which reads the time of the operating system.
//!
//! Modules, lowest first: [`ids`], [`limits`], [`checksum`], [`codec`],
//! [`random`], [`clock`], [`hash`], [`bugs`].
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects
)]

pub mod bugs;
pub mod checksum;
pub mod clock;
pub mod codec;
pub mod hash;
pub mod ids;
pub mod limits;
pub mod random;

pub use clock::{Clock, SimulatedTime};
pub use codec::{CodecError, Reader};
pub use hash::HashSeed;
pub use ids::{DatabaseId, KeyHash, Lsn, ShardId, UnixMillis};
pub use random::Random;
