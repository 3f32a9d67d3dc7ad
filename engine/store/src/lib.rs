//! The data set of Thermocline: what is in memory, what is on the SSD tier and
//! how one becomes the other.
//!
//! Owns the records in memory ([`record`]), the index that finds a key hot or
//! cold ([`index`]), the formats and the segment table of the tier ([`tier`]),
//! the changes that the log carries ([`effect`]), the [`manifest`] and the [`image`]
//! it names. Does not parse commands, speak protocols or decide what a value means.
//!
//! Modules, lowest first: [`address`], [`record`], [`index`], [`effect`],
//! [`observe`], [`tier`], [`manifest`], [`image`], then the running store and,
//! beside it, [`pending`] and [`offline`].

pub mod access;
pub mod address;
mod admission;
mod control;
mod durable;
pub mod effect;
pub mod fault;
pub mod image;
pub mod index;
mod keeper;
mod log;
pub mod manifest;
mod memory;
mod objects;
pub mod observe;
pub mod offline;
pub mod payload;
pub mod pending;
mod prefetch;
mod quick;
mod quick_cold;
mod reader;
pub mod record;
mod recovery;
mod references;
mod resolve;
pub mod settings;
mod shard;
pub mod statistics;
mod stepped;
pub mod store;
pub mod tier;
mod waiting;
mod whole;

pub use access::held::{Held, Lack};
pub use access::{Access, Entry, KeyId, KeyName, SYSTEM_DATABASE};
pub use address::Address;
pub use admission::Admission;
pub use fault::{DecodedValue, Fault, FaultSet, FetchedPage, LongValue, ReadRequest};
pub use keeper::BackupReport;
pub use observe::{Change, EventClass, Observer};
pub use reader::{Fetched, PageReader};
pub use settings::{LogSizes, Policy, Settings};
pub use statistics::Statistics;
pub use stepped::Attendant;
pub use store::{StartReport, Store, StoreError, StoreOptions};
pub use waiting::{ReadyKey, Ticket};
pub use whole::ScannedKey;
