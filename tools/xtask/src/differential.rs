//! `cargo xtask differential`: Thermocline and Valkey get the same random
//! commands, and every reply is compared.
//!
//! Owns the run: which connection gets which commands, when the key spaces are
//! compared as a whole, when Thermocline is stopped and started again. The same
//! seed sends the same commands, but for the points in time in them. A thread for
//! each pair of servers; all listen on 127.0.0.1 only and end with the run.
//!
//! Use order: `resp` and `grammar` stand alone; `templates` are data of
//! `grammar`; `generator` makes commands of them; `compare` and `explained`
//! judge replies; `pair` sends and judges; `compound`, `coverage` and `sweep` use a pair.

mod compare;
mod compound;
mod coverage;
mod explained;
mod generator;
mod grammar;
mod history;
mod pair;
mod resp;
mod server;
mod sweep;
mod templates;

use clap::Args;
use generator::Generator;
use pair::{Pair, Session};
pub(crate) use server::valkey;
use server::{Kind, Stop};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use thermocline_base::{Clock, Random};
use thiserror::Error;

/// Connections the commands are spread over.
const CONNECTIONS: usize = 3;
/// Commands after which the key spaces are compared.
const SWEEP_COMMANDS: u64 = 10_000;
/// Commands sent before replies are awaited, at most.
const BATCH_COMMANDS: u64 = 16;
/// Bytes of such a batch, which fit into a socket's buffers.
const BATCH_BYTES: usize = 64 * 1024;
/// One in this many batches is a compound operation instead.
const COMPOUND_ONE_IN: u64 = 60;

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// How many commands are sent.
    #[arg(long, default_value_t = 100_000)]
    commands: u64,
    /// Chooses the commands; the clock chooses one where none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// The reference, a `valkey-server` 9.1.
    #[arg(long)]
    valkey: Option<PathBuf>,
    /// What is tested.
    #[arg(long, default_value = "target/debug/thermocline")]
    thermocline: PathBuf,
    /// Thermocline's memory; little, so that keys sink all the time.
    #[arg(long, default_value = "8mb")]
    maxmemory: String,
    /// The protocol version of the connections; without it the pairs of servers take
    /// 2 and 3 in turn.
    #[arg(long, value_parser = clap::value_parser!(u8).range(2..=3))]
    protocol: Option<u8>,
    /// Pairs of servers that run side by side and share the commands; each has the
    /// seed after that of the one before.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pairs: u64,
    /// Differences after which a pair ends; at each but the last the keys of the
    /// command are deleted on both sides, and it goes on.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    differences: u64,
    /// How often Thermocline is stopped, cleanly or not, and started again;
    /// it then runs with `appendfsync always`.
    #[arg(long, default_value_t = 0)]
    restarts: u64,
    /// One more directive for Thermocline, such as "hash-max-listpack-entries 4".
    #[arg(long = "directive")]
    directives: Vec<String>,
}

/// Why a run ended before its last command.
#[derive(Debug, Error)]
pub(crate) enum DifferentialError {
    /// A server could not be started or reached.
    #[error("{0}")]
    Server(String),
    /// A connection failed.
    #[error("{server}: {source} (after {command})")]
    Connection {
        /// Which server.
        server: &'static str,
        /// What was sent last.
        command: String,
        /// What happened.
        source: std::io::Error,
    },
    /// The file of explained differences is not as it should be.
    #[error("{0}")]
    Explained(String),
    /// The servers disagree.
    #[error("{0}")]
    Difference(String),
}

/// Runs the comparison; the first pair of servers that fails ends the others.
pub(crate) fn run(options: &Options) -> Result<(), DifferentialError> {
    let seed = options
        .seed
        .unwrap_or_else(|| Clock::system().now().0.unsigned_abs() % 1_000_000);
    // Before the threads, each of which would install it.
    let valkey = valkey(options.valkey.as_deref())?;
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let start = |number: u64| {
            let (valkey, ended) = (&valkey, &ended);
            scope.spawn(move || {
                let seed = seed + number;
                let protocol = options.protocol.unwrap_or(2 + (number % 2) as u8);
                println!("differential: seed {seed}, RESP{protocol}");
                let result =
                    Run::start(options, valkey, seed, protocol).and_then(|run| run.run(ended));
                result.map_err(|error| {
                    ended.store(true, Ordering::Relaxed);
                    match error {
                        DifferentialError::Difference(text) => DifferentialError::Difference(
                            format!("seed {seed}, RESP{protocol}: {text}"),
                        ),
                        other => other,
                    }
                })
            })
        };
        let threads: Vec<_> = (0..options.pairs).map(start).collect();
        let results = threads.into_iter().map(|thread| {
            let gone = |_| Err(DifferentialError::Server("a thread panicked".to_owned()));
            thread.join().unwrap_or_else(gone)
        });
        results.collect::<Vec<_>>().into_iter().collect()
    })
}

struct Run<'o> {
    options: &'o Options,
    seed: u64,
    /// How many commands this pair of servers gets.
    commands: u64,
    random: Random,
    generator: Generator,
    pair: Pair,
    sessions: Vec<Session>,
    started: Instant,
    sent: u64,
}

impl<'o> Run<'o> {
    fn start(
        options: &'o Options,
        valkey: &Path,
        seed: u64,
        protocol: u8,
    ) -> Result<Self, DifferentialError> {
        let reference = server::Server::start(Kind::Valkey, valkey, server::valkey_arguments())?;
        let tested = server::Server::start(
            Kind::Thermocline,
            &options.thermocline,
            server::thermocline_arguments(
                &options.maxmemory,
                options.restarts > 0,
                &options.directives,
            ),
        )?;
        let mut run = Self {
            options,
            seed,
            commands: options.commands / options.pairs,
            random: Random::new(seed),
            generator: Generator::new(
                Random::new(seed ^ 0x5eed),
                Clock::system().now(),
                options.restarts == 0,
            ),
            pair: Pair::new(reference, tested, protocol, options.differences)?,
            sessions: Vec::new(),
            started: Instant::now(),
            sent: 0,
        };
        run.connect()?;
        Ok(run)
    }

    fn connect(&mut self) -> Result<(), DifferentialError> {
        self.sessions.clear();
        for number in 0..CONNECTIONS {
            let session = self.pair.session(number)?;
            self.sessions.push(session);
        }
        self.generator.forget_sessions();
        Ok(())
    }

    fn run(mut self, ended: &AtomicBool) -> Result<(), DifferentialError> {
        coverage::check(&mut self.pair)?;
        self.configure()?;
        self.fill()?;
        let every = (self.commands / (self.options.restarts + 1)).max(1);
        let (mut swept, mut restarted) = (0, 0);
        while self.sent < self.commands && !ended.load(Ordering::Relaxed) {
            match self.step() {
                Err(DifferentialError::Difference(text)) => self.pair.tolerate(text)?,
                other => other?,
            }
            if self.sent / SWEEP_COMMANDS > swept {
                swept = self.sent / SWEEP_COMMANDS;
                self.sweep()?;
            }
            let due = restarted < self.options.restarts && self.sent / every > restarted;
            if due {
                self.restart(restarted)?;
                restarted += 1;
            }
        }
        self.sweep()?;
        self.pair.report(self.seed)?;
        self.pair.stop()
    }

    /// Sets what the templates change of the configuration.
    fn configure(&mut self) -> Result<(), DifferentialError> {
        let mut session = self.pair.session(CONNECTIONS)?;
        let limit = if self.generator.changes_limits() {
            self.seed % 2
        } else {
            0
        };
        let list_limit = templates::LIST_LIMITS[limit as usize];
        for line in templates::CONFIGURATION.iter().chain([&list_limit]) {
            let words: Vec<&str> = line.split(' ').collect();
            self.pair.exchange(&mut session, &[resp::command(&words)])?;
        }
        Ok(())
    }

    /// Sets the keys of the large pools, on a connection of its own.
    fn fill(&mut self) -> Result<(), DifferentialError> {
        let mut session = self.pair.session(CONNECTIONS)?;
        for number in 0..self.generator.big_keys() {
            let command = self.generator.fill(number);
            self.pair.exchange(&mut session, &[command])?;
        }
        Ok(())
    }

    /// One batch on one connection.
    fn step(&mut self) -> Result<(), DifferentialError> {
        let number = self.random.below(CONNECTIONS as u64) as usize;
        let session = &mut self.sessions[number];
        if !session.in_transaction() && self.random.chance(COMPOUND_ONE_IN) {
            self.sent += 1;
            return compound::run(&mut self.generator, &mut self.pair, session);
        }
        let mut batch = Vec::new();
        let mut batch_bytes = 0;
        let wanted = if self.random.chance(2) {
            1
        } else {
            1 + self.random.below(BATCH_COMMANDS)
        };
        while batch_bytes < BATCH_BYTES && (batch.len() as u64) < wanted {
            let command = self.generator.command(number);
            batch_bytes += command.iter().map(Vec::len).sum::<usize>();
            batch.push(command);
        }
        self.sent += batch.len() as u64;
        self.pair.exchange(session, &batch).map(|_| ())
    }

    fn sweep(&mut self) -> Result<(), DifferentialError> {
        let keys = match sweep::run(&mut self.pair) {
            Err(DifferentialError::Difference(text)) => return self.pair.tolerate(text),
            other => other?,
        };
        let seconds = self.started.elapsed().as_secs_f64();
        println!(
            "differential: seed {}: {} commands, {keys} keys agree, {seconds:.0} s",
            self.seed, self.sent
        );
        if (keys as u64) < self.generator.big_keys() / 2 {
            // A flush came by: without the large pools nothing would be cold.
            self.fill()?;
        }
        Ok(())
    }

    /// Stops Thermocline in one of three ways and starts it again. What was
    /// acknowledged must be there; sessions begin anew on both sides.
    fn restart(&mut self, number: u64) -> Result<(), DifferentialError> {
        let stop = [Stop::Kill, Stop::Terminate, Stop::Shutdown][number as usize % 3];
        println!(
            "differential: seed {}: {} commands, restart by {stop:?}",
            self.seed, self.sent
        );
        self.sessions.clear();
        self.pair.restart(stop)?;
        self.connect()?;
        self.configure()?;
        // The cached scripts of one that starts again are gone.
        let flush = resp::command(&["SCRIPT", "FLUSH"]);
        self.pair.exchange(&mut self.sessions[0], &[flush])?;
        self.sweep()
    }
}
