//! `cargo xtask`: what a developer and the checks of a change run.
//!
//! Owns the order of the checks and the rule of the layers; runs the tools
//! (cargo, clippy, cargo-fuzz) and knows nothing of what the crates do. One
//! thread; every step prints what it runs, and the first failure ends the run.

mod fuzz;
mod layers;
mod step;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use step::{StepError, cargo};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything a change must pass: format, clippy, layers, tests, doc
    /// tests, and a short run of every fuzz target.
    Ci {
        /// How long each fuzz target runs, in seconds.
        #[arg(long, default_value_t = 20)]
        fuzz_seconds: u32,
    },
    /// Checks that no crate uses a crate of its own or a higher level.
    Layers,
    /// Runs every fuzz target.
    Fuzz {
        /// How long each target runs, in seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Ci { fuzz_seconds } => ci(fuzz_seconds),
        Task::Layers => layers::check(),
        Task::Fuzz { seconds } => fuzz::run_all(seconds),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The checks, the cheapest first.
fn ci(fuzz_seconds: u32) -> Result<(), StepError> {
    cargo(&["fmt", "--all", "--check"])?;
    layers::check()?;
    cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    fuzz::run_all(fuzz_seconds)?;
    cargo(&["test", "--locked", "--workspace", "--doc"])?;
    cargo(&[
        "test",
        "--locked",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
    ])?;
    println!("xtask: all checks passed");
    Ok(())
}
