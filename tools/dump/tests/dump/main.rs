//! The commands as an operator runs them, exit codes included.

mod commands;
mod damage;
mod files;
mod golden;
mod libraries;
mod support;
mod trips;
