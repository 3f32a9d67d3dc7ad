//! `cargo xtask bench`: how fast, how small, how soon, beside Valkey and the
//! bare disk.
//!
//! Owns the list of benchmarks and the errors of everything that measures.
//! Prints figures and keeps them in `benches/results`; asserts nothing about
//! them. Main thread; the loads have threads of their own.
//!
//! Use order: `machine` and `report` stand alone; `setup` stands on the load
//! generators; each benchmark uses `setup` and `report`.

mod always;
mod cold;
mod families;
mod fio;
mod flame;
mod generator;
mod hot;
mod larger;
mod machine;
mod many;
mod measure;
pub(crate) mod report;
mod restart;
pub(crate) mod setup;

use crate::step::StepError;
use clap::{Args, ValueEnum};
use setup::{Context, Profile};
use std::path::PathBuf;
use thermocline_benches::client::ClientError;
use thermocline_benches::corpus::CorpusError;
use thermocline_benches::load::LoadError;
use thermocline_benches::server::ServerError;
use thiserror::Error;

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// Which benchmarks; all measures where none is named.
    names: Vec<Name>,
    /// Which measures, by their numbers (`1,2,10a`), or `all`.
    #[arg(long, value_delimiter = ',')]
    measure: Vec<String>,
    /// Multiplies numbers of keys and memory, and shortens what is timed.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// How often what varies is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The daemon to measure; built in release mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The peer, a `valkey-server` 9.1; looked for where none is given.
    #[arg(long)]
    valkey: Option<PathBuf>,
    /// Where results are kept; `benches/results` where none is named.
    #[arg(long)]
    results: Option<PathBuf>,
    /// Draws a flame graph of each load against the daemon into this folder,
    /// `target/flames` where none is named; needs perf and inferno.
    #[arg(long, num_args = 0..=1, default_missing_value = "target/flames")]
    flame: Option<PathBuf>,
    /// The folder with `OLTP.lis.zst` and `P6.lis.zst`, for measure 10a.
    #[arg(long)]
    traces: Option<PathBuf>,
}

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Keys that all fit, against Valkey: requests a second and a CPU-second.
    Hot,
    /// A data set of ten times the memory: resident memory, every key read.
    Larger,
    /// Twenty million small keys: index bytes a key.
    Many,
    /// Cold reads against what the disk can do by itself.
    Cold,
    /// A kill under load: time to the first right answer, and what was lost.
    Restart,
    /// Durable writes beside reads, against Valkey.
    Always,
    /// The load of this project against `redis-benchmark`.
    Generator,
    /// The commands of every family, against Valkey: requests a CPU-second.
    Families,
}

/// Why a measurement ended early.
#[derive(Debug, Error)]
pub(crate) enum BenchError {
    /// A file or `/proc`.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A tool that had to run first, or is missing.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A server did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A question to a server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A load did not end.
    #[error("{source}; the end of the server's log:\n{log}")]
    Load {
        source: LoadError,
        /// What the server wrote last.
        log: String,
    },
    /// The text of the values.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// An older result cannot be read, so that none can be added.
    #[error("{path} is not a list of results: {source}")]
    Results {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// The disk could not be measured.
    #[error("{0}")]
    Fio(String),
    /// A server did not do what the measurement rests on.
    #[error("{0}")]
    Unexpected(String),
}

/// Runs the benchmarks one after the other.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let thermocline = setup::thermocline(options.binary.as_deref(), Profile::Release)?;
    let context = Context::new(
        thermocline,
        options.valkey.clone(),
        options.scale,
        options.rounds,
        options.traces.clone(),
    );
    if let Some(folder) = &options.flame {
        flame::draw_into(folder)?;
    }
    if let Some(folder) = &options.results {
        report::keep_in(folder.clone());
    }
    for name in &options.names {
        let (label, tables) = match name {
            Name::Hot => ("hot", hot::run(&context)?),
            Name::Larger => ("larger", larger::run(&context)?),
            Name::Many => ("many", many::run(&context)?),
            Name::Cold => ("cold", cold::run(&context)?),
            Name::Restart => ("restart", restart::run(&context)?),
            Name::Always => ("always", always::run(&context)?),
            Name::Generator => ("generator", generator::run(&context)?),
            Name::Families => ("families", families::run(&context)?),
        };
        report::publish(label, options.scale, context.rounds, &tables)?;
    }
    if !options.measure.is_empty() {
        return measure::run(&context, &options.measure);
    }
    if options.names.is_empty() {
        return measure::run(&context, &["all".to_owned()]);
    }
    Ok(())
}
