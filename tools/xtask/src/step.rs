//! Runs one external command, shows it, and turns its failure into an error.

use crate::bench::BenchError;
use crate::differential::DifferentialError;
use std::path::{Path, PathBuf};
use std::process::Command;
use thiserror::Error;

/// Why a task ended.
#[derive(Debug, Error)]
pub(crate) enum StepError {
    /// The command could not be started at all.
    #[error("cannot start `{command}`: {source}; is it installed and in PATH?")]
    Start {
        command: String,
        source: std::io::Error,
    },
    /// The command ran and failed.
    #[error("`{command}` failed ({status})")]
    Failed { command: String, status: String },
    /// Something the task needs is not there.
    #[error("{0}")]
    Missing(String),
    /// A crate breaks the rule of the layers.
    #[error("{0}")]
    Layers(String),
    /// The comparison with Valkey failed.
    #[error(transparent)]
    Differential(#[from] DifferentialError),
    /// A measurement could not be made.
    #[error(transparent)]
    Bench(Box<BenchError>),
}

impl From<BenchError> for StepError {
    fn from(error: BenchError) -> Self {
        Self::Bench(Box::new(error))
    }
}

/// The root of the workspace: two folders above this crate.
pub(crate) fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or_else(|| Path::new("."))
        .to_owned()
}

/// Runs `command` from the root, its output passed through.
pub(crate) fn run(command: &mut Command) -> Result<(), StepError> {
    command.current_dir(workspace_root());
    let shown = shown(command);
    println!("xtask: {shown}");
    let status = command.status().map_err(|source| StepError::Start {
        command: shown.clone(),
        source,
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(StepError::Failed {
            command: shown,
            status: status.to_string(),
        })
    }
}

/// Runs cargo with `arguments`.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), StepError> {
    run(Command::new("cargo").args(arguments))
}

/// Runs `command` from the root and gives its standard output.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>, StepError> {
    command.current_dir(workspace_root());
    let shown = shown(command);
    let output = command.output().map_err(|source| StepError::Start {
        command: shown.clone(),
        source,
    })?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        Err(StepError::Failed {
            command: shown,
            status: output.status.to_string(),
        })
    }
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}
