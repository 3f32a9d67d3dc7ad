//! The real daemon, started and stopped as an operator does, spoken to over sockets.
//!
//! Each test has a data directory and a port of its own; a daemon is ended by its process
//! id whatever becomes of the test.

mod agreement;
mod basics;
mod blocking;
mod configuration;
mod durability;
mod files;
mod hostile;
mod hotkeys;
mod pauses;
mod protection;
mod pubsub;
mod scripts;
mod support;
mod tier;
mod tracking;
mod transcripts;
mod turns;
mod vulnerabilities;
