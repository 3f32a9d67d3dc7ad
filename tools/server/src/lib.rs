//! The Thermocline daemon: sockets, sessions, configuration and introspection around the
//! store and the commands.
//!
//! Owns the wire format ([`resp`]), the configuration ([`config_file`] and `config`), the
//! threads and connections, and the commands that do not work on keys (`commands`). Knows
//! nothing of pages, frames or how a value is stored.
//!
//! A request's way: `listener` accepts, `thread` owns the connection, `connection` reads and
//! decodes it, `dispatch` checks and runs it, `waits` brings what it lacks (`cold` reads the
//! tier), and `connection` sends the reply.
//!
//! Modules, lowest first: [`allocator`], `resp`, [`config_file`], `histogram`, `statistics`, `slowlog`, `heavy_hitters`, `hotkeys`,
//! `inbox`, `clients`, `log`, `config`, `post`, `pubsub`, `tracking`, `hub`, `server`, `session`, `commands`, `registry`, `dispatch`,
//! `window` with `buffers`, `socket`, `cold` with `ahead`, `connection` with `bounds`, `waits` and `jobs`, `listener`, `thread`,
//! `functions`, `notify`, `command_line`, `daemon`. (`config::apply` and `limits` use `server`.)

mod ahead;
pub mod allocator;
mod blocked;
mod bounds;
mod buffers;
mod client_memory;
mod clients;
mod cold;
mod command_line;
mod commands;
mod config;
pub mod config_file;
mod connection;
mod daemon;
mod dispatch;
mod functions;
mod gate;
mod heavy_hitters;
mod histogram;
mod hotkeys;
mod hub;
mod inbox;
mod jobs;
mod limits;
mod listener;
mod log;
mod notify;
mod post;
mod pubsub;
mod registry;
pub mod resp;
mod resp_reader;
mod scripter;
mod server;
mod session;
mod slowlog;
mod socket;
mod statistics;
mod thread;
mod tracking;
mod turns;
mod waits;
mod window;

use std::process::ExitCode;

/// Runs the daemon with the words of its command line, the program's name left out, until
/// it is stopped. Errors are told on standard error and in the log; the code is 1 then.
#[must_use]
pub fn run(arguments: &[String]) -> ExitCode {
    match daemon::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("thermocline: {failure}");
            ExitCode::FAILURE
        }
    }
}
