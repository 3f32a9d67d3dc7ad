//! `cargo xtask`: what a developer and the checks of a change run.
//!
//! Owns the order of the checks and the rule of the layers; runs the tools
//! (cargo, clippy) and knows nothing of what the crates do. One
//! thread; every step prints what it runs, and the first failure ends the run.

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
    /// tests.
    Ci,
    /// Checks that no crate uses a crate of its own or a higher level.
    Layers,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Ci => ci(),
        Task::Layers => layers::check(),
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
fn ci() -> Result<(), StepError> {
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
