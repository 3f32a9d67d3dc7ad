//! `cargo xtask sim`: the whole engine on a simulated disk and clock.
//!
//! Owns how the simulation is built: with debug assertions, and with seeded bugs
//! only where they are to be found. Does none of it.

use crate::step::{StepError, cargo};
use clap::Args;

/// The options of the task: those of `thermocline-sim`, which says what they are.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// As `thermocline-sim` takes them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds and runs the simulation; its first failure is the task's.
pub(crate) fn run(options: &Options) -> Result<(), StepError> {
    let mut words = vec!["run", "--locked", "--package", "thermocline-sim"];
    if options.arguments.iter().any(|word| word == "--bugs") {
        words.extend(["--features", "seeded-bugs"]);
    }
    words.push("--");
    words.extend(options.arguments.iter().map(String::as_str));
    cargo(&words)
}
