//! `cargo xtask crash`: kills the daemon under load again and again, and
//! checks after each restart that it kept its word.
//!
//! Owns the lanes, each a daemon with a data directory, a policy and clients of its own,
//! and their rounds: write from some clients, SIGKILL at a random moment or a named one,
//! restart (itself killed now and then, or a race of two daemons for the directory), read
//! everything. Little memory and frequent checkpoints keep demotion, cleaning and recovery
//! from the tier at work. A seed chooses operations and moments; how far the server comes
//! until the kill is the machine's.
//!
//! Use order: `value` and `point` stand alone; `queues` uses `value`, and `layout` and `ledger`
//! use `queues`; `writer` uses them;
//! `check` uses a writer's ledger; `lane` uses all of them; `power` does, for cuts of the
//! power. `races` stands alone.

mod check;
mod lane;
mod layout;
mod ledger;
mod point;
pub(crate) mod power;
mod queues;
mod races;
mod value;
mod writer;

use crate::bench::BenchError;
use crate::bench::setup::{self, Profile};
use clap::{Args, ValueEnum};
use lane::{Lane, Work};
use std::path::PathBuf;
use std::time::Duration;
use thermocline_base::Clock;

/// Daemons at once, for each core: one recovers while another is written to.
const LANES_PER_CORE: usize = 2;
/// What a loaded machine may add to the second that `everysec` may lose.
const EVERYSEC_LOSS: Duration = Duration::from_millis(1000 + 250);

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// How often a daemon is killed and all that it acknowledged looked for, in all lanes
    /// together.
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// Nothing but so many races of two daemons for one directory, in place of `rounds`.
    #[arg(long)]
    races: Option<u64>,
    /// Chooses operations and moments; the clock chooses one where none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// The daemons' `appendfsync`, and so what may be lost; where none is given half of
    /// the lanes have `always` and the others `everysec` and `no` in turn.
    #[arg(long)]
    policy: Option<Policy>,
    /// A daemon's memory; about a third of its data.
    #[arg(long, default_value = "8mb")]
    maxmemory: String,
    /// The daemon; built in debug mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Which promise is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// Nothing acknowledged is lost.
    Always,
    /// Nothing acknowledged more than a second before the kill is lost.
    Everysec,
    /// What is found is what was there after some operation, whole.
    No,
}

impl Policy {
    const ALL: [Self; 3] = [Self::Always, Self::Everysec, Self::No];

    const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Everysec => "everysec",
            Self::No => "no",
        }
    }

    /// That of lane `number`, where none was asked for.
    const fn of_lane(number: usize) -> Self {
        match number % 4 {
            1 => Self::Everysec,
            3 => Self::No,
            _ => Self::Always,
        }
    }
}

/// Runs the rounds; the first broken promise of a lane ends that lane.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let program = setup::thermocline(options.binary.as_deref(), Profile::Debug)?;
    let seed = options
        .seed
        .unwrap_or_else(|| Clock::system().now().0.unsigned_abs() % 1_000_000);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = usize::try_from(options.rounds).unwrap_or(usize::MAX);
    let lanes = (cores * LANES_PER_CORE).max(4).min(most.max(1));
    let directory = setup::directory("crash")?;
    if let Some(races) = options.races {
        // They do little but wait.
        let lanes = lanes * 4;
        return races::run(&program, directory.path(), lanes, races);
    }
    println!("crash: seed {seed}, {lanes} daemons at once");
    let lanes: Vec<Lane<'_>> = (0..lanes)
        .map(|number| {
            let share = options.rounds / lanes as u64;
            let surplus = u64::from((number as u64) < options.rounds % lanes as u64);
            Lane::new(
                &program,
                directory.path().join(format!("lane-{number}")),
                options.policy.unwrap_or_else(|| Policy::of_lane(number)),
                &options.maxmemory,
                seed.wrapping_add((number as u64) << 32),
                share + surplus,
            )
        })
        .collect();
    // The thread that starts a server lives as long as it.
    let ended: Vec<(Work, Result<(), BenchError>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = lanes
            .into_iter()
            .map(|lane| scope.spawn(|| lane.run()))
            .collect();
        let panicked = |_| {
            let error = BenchError::Unexpected("a lane panicked".to_owned());
            (Work::default(), Err(error))
        };
        let joined = threads
            .into_iter()
            .map(|it| it.join().unwrap_or_else(panicked));
        joined.collect()
    });
    report(&ended);
    let failed = ended.into_iter().filter_map(|(_, result)| result.err());
    let failed: Vec<String> = failed.map(|error| error.to_string()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let kept = directory.keep();
    Err(BenchError::Unexpected(format!(
        "seed {seed}: {}\nthe data directories and the logs are kept in {}",
        failed.join("\n"),
        kept.display()
    )))
}

fn report(ended: &[(Work, Result<(), BenchError>)]) {
    for policy in Policy::ALL {
        let mut sum = Work::default();
        let of_policy = ended.iter().filter(|(work, _)| work.policy == Some(policy));
        for (work, _) in of_policy {
            sum.add(work);
        }
        if sum.policy.is_some() {
            sum.report();
        }
    }
}
