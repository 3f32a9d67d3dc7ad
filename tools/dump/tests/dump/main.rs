//! The commands as an operator runs them, exit codes included.

mod damage;
mod files;
mod libraries;
mod support;
mod trips;
