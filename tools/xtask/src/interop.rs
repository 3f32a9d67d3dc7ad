//! `cargo xtask interop`: what `thermocline-dump` writes and reads, against the
//! servers whose files these are, backups of a running daemon, and the README's recipes.
//!
//! Owns the start of the scripts under `interop/`; each says what it checks. Main
//! thread.

use crate::bench::BenchError;
use crate::bench::setup::{self, Profile};
use crate::install;
use crate::step::{StepError, cargo, run, workspace_root};
use clap::Args;
use std::path::PathBuf;
use std::process::Command;

/// Where the second reference server is, once its package is installed.
const REDIS_SERVER: &str = "redis-server";

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// The daemon; built in debug mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Runs every script.
pub(crate) fn run_all(options: &Options) -> Result<(), BenchError> {
    let daemon = setup::thermocline(options.binary.as_deref(), Profile::Debug)?;
    cargo(&["build", "--locked", "--package", "thermocline-dump"])?;
    let tool = setup::target_directory()?.join("debug/thermocline-dump");
    let python = install::python(&["redis"])?;
    let valkey = install::reference_server()?;
    let scripts = workspace_root().join("tools/xtask/interop");
    let result: Result<(), StepError> = run(Command::new(&python)
        .arg(scripts.join("files.py"))
        .arg(&daemon.path)
        .arg(&tool)
        .arg(valkey)
        .arg(REDIS_SERVER))
    .and_then(|()| {
        run(Command::new(&python)
            .arg(scripts.join("backup.py"))
            .arg(&daemon.path)
            .arg(&tool))
    })
    .and_then(|()| {
        run(Command::new(&python)
            .arg(scripts.join("recipes.py"))
            .arg(workspace_root().join("README.md"))
            .arg(&daemon.path)
            .arg(&tool)
            .arg(REDIS_SERVER))
    });
    Ok(result?)
}
