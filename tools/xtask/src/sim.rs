//! `cargo xtask sim`: the whole engine on a simulated disk and clock.
//!
//! Owns how the simulation is built: with debug assertions, and with seeded bugs
//! only where they are to be found. Does none of it.

use crate::step::{StepError, cargo};
use clap::Args;

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// The first seed; with `--sites`, the first call.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds; with `--bugs`, at most for each bug; with `--damage`, at
    /// most so many bits and ends of each file; with `--sites`, one call in so
    /// many.
    #[arg(long, default_value_t = 1)]
    rounds: u64,
    /// Shows that each seeded bug is found.
    #[arg(long, conflicts_with_all = ["damage", "sites"])]
    bugs: bool,
    /// Damages every file of a small directory.
    #[arg(long, conflicts_with = "sites")]
    damage: bool,
    /// Lets calls of the disk fail, one by one, once and for ever.
    #[arg(long)]
    sites: bool,
}

/// Builds and runs the simulation; its first failure is the task's.
pub(crate) fn run(options: &Options) -> Result<(), StepError> {
    let mut words = vec!["run", "--locked", "--package", "thermocline-sim"];
    if options.bugs {
        words.extend(["--features", "seeded-bugs"]);
    }
    let (seed, rounds) = (options.seed.to_string(), options.rounds.to_string());
    words.extend(["--", "--seed", &seed, "--rounds", &rounds]);
    let modes = [
        (options.bugs, "--bugs"),
        (options.damage, "--damage"),
        (options.sites, "--sites"),
    ];
    words.extend(
        modes
            .iter()
            .filter(|(is_on, _)| *is_on)
            .map(|(_, word)| word),
    );
    cargo(&words)
}
