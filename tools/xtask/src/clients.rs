//! `cargo xtask clients`: real client libraries against a running daemon with
//! little memory, so that what they store sinks.
//!
//! Owns the start of the daemon and of the scripts under `clients/`; each
//! script says what it checks. Main thread.

use crate::bench::BenchError;
use crate::bench::setup::{self, Profile};
use crate::install;
use crate::step::{StepError, run, workspace_root};
use clap::Args;
use std::path::PathBuf;
use std::process::Command;
use thermocline_benches::server::Server;

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// The daemon; built in debug mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Runs every script.
pub(crate) fn run_all(options: &Options) -> Result<(), BenchError> {
    let program = setup::thermocline(options.binary.as_deref(), Profile::Debug)?;
    let python = install::python(&["redis"])?;
    let directory = setup::directory("clients")?;
    let server = Server::start(&program, directory.path(), &[("maxmemory", "8mb")])?;
    let script = workspace_root().join("tools/xtask/clients/redis_py.py");
    let result: Result<(), StepError> = run(Command::new(python)
        .arg(script)
        .arg(server.port().to_string()));
    server.stop();
    Ok(result?)
}
