//! The simulation: the whole engine, from commands to the disk, on a disk and a
//! clock that one seed rules, in one thread; different seeds on all cores.
//!
//! Owns the workload, the model it is compared with, and the judgement of what
//! survives power loss, faults and damage. Does not know sockets. `cargo xtask
//! sim` runs it.
//!
//! Modules, lowest first: [`parallel`], [`reply`], [`request`], [`workload`], [`entry`],
//! [`client`], [`model`], [`history`], [`load`], [`life`], [`plan`], [`machine`], [`cut`], [`round`], `bugs` with the feature `seeded-bugs`, [`scene`],
//! [`damage`], [`sites`], and beside all of them [`formats`] and [`flips`].

#[cfg(feature = "seeded-bugs")]
pub mod bugs;
pub mod client;
pub mod cut;
pub mod damage;
pub mod entry;
pub mod flips;
pub mod formats;
pub mod history;
pub mod life;
pub mod load;
pub mod machine;
pub mod model;
pub mod parallel;
pub mod plan;
pub mod reply;
pub mod request;
pub mod round;
pub mod scene;
pub mod sites;
pub mod workload;
