//! The commands as an operator runs them, exit codes included.

mod bits;
mod commands;
mod damage;
mod files;
mod golden;
mod hostile;
mod libraries;
mod new_directory;
mod support;
mod trips;
