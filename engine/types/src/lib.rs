//! The values of Thermocline: strings, hashes, lists, sets, sorted sets and streams,
//! their small and large forms, and the deterministic updates that change them.
//!
//! Owns the bytes of a value in memory, in the log and on disk (`FORMAT.md`).
//! Does not know keys, key expiry, shards, records, files or commands. Holds no
//! global state; everything runs on the thread that calls it.
//!
//! Modules, lowest first: `number` (decimal text), [`string`], [`hyperloglog`], [`hash`],
//! [`listpack`], [`list`], [`set`], [`sorted_set`], [`stream`], [`value`],
//! [`update`], then `rdb` (the form of RDB files). ([`value`] holds the crate's error,
//! which [`string`] borrows.)

pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod listpack;
pub mod number;
pub mod rdb;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
pub mod update;
pub mod value;

pub use hash::{FullHash, HashEntry, HashRef};
pub use list::{List, ListRef, ListUpdate};
pub use listpack::Element;
pub use set::{FullSet, SetForm, SetRef};
pub use sorted_set::{FullSortedSet, SortedSetRef};
pub use stream::{Stream, StreamId, StreamUpdate};
pub use update::{Update, apply, apply_in_place};
pub use value::{Form, Limits, Object, TypeError, Value, ValueKind, ValueRef};
