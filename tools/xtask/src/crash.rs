//! `cargo xtask crash`: kills the daemon under load again and again, and
//! checks after each restart that it kept its word.
//!
//! Owns the rounds on one data directory: write from eight clients, SIGKILL at
//! a random moment, restart (itself killed now and then, or a race of two daemons
//! for the directory), read everything.
//! Little memory and frequent checkpoints keep demotion, cleaning and recovery
//! from the tier at work. A seed chooses operations and moments; how far the
//! server comes until the kill is the machine's.
//!
//! Use order: `value`, `layout` and `ledger` stand alone; `writer` uses them;
//! `check` uses a writer's ledger; `power` uses all of them for cuts of the power.

mod check;
mod layout;
mod ledger;
pub(crate) mod power;
mod value;
mod writer;

use crate::bench::BenchError;
use crate::bench::setup::{self, Profile};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thermocline_base::{Clock, Random};
use thermocline_benches::client::{ClientError, Information};
use thermocline_benches::server::{Program, Server};
use writer::Writer;

const WRITERS: usize = 8;
/// One restart in this many is killed before it is checked.
const KILLED_RESTART_ONE_IN: u64 = 5;
/// One restart in this many is a race.
const RACE_ONE_IN: u64 = 4;
/// What a loaded machine may add to the second that `everysec` may lose.
const EVERYSEC_LOSS: Duration = Duration::from_millis(1000 + 250);

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// How often the daemon is killed.
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// Chooses operations and moments; the clock chooses one where none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// The daemon's `appendfsync`, and so what may be lost.
    #[arg(long, default_value = "always")]
    policy: Policy,
    /// The daemon's memory; less than a third of the data.
    #[arg(long, default_value = "16mb")]
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
}

/// Runs the rounds; the first broken promise ends them.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let program = setup::thermocline(options.binary.as_deref(), Profile::Debug)?;
    let seed = options
        .seed
        .unwrap_or_else(|| Clock::system().now().0.unsigned_abs() % 1_000_000);
    println!("crash: seed {seed}");
    let directory = setup::directory("crash")?;
    let mut run = Run {
        options,
        program,
        directory: directory.path(),
        random: Random::new(seed),
        writers: (0..WRITERS)
            .map(|number| Writer::new(number, seed))
            .collect(),
        work: Work::default(),
    };
    let ended = run.run();
    run.report();
    ended.map_err(|error| {
        let kept = directory.keep();
        BenchError::Unexpected(format!(
            "seed {seed}: {error}\nthe data directory and the log are kept in {}",
            kept.display()
        ))
    })
}

/// What the daemons did of their own, summed over the rounds.
#[derive(Default)]
struct Work {
    rounds: u64,
    killed_restarts: u64,
    races: u64,
    demotions: u64,
    segments_cleaned: u64,
    tier_reads: u64,
    checkpoints: u64,
    in_doubt: u64,
}

struct Run<'a> {
    options: &'a Options,
    program: Program,
    directory: &'a Path,
    random: Random,
    writers: Vec<Writer>,
    work: Work,
}

impl Run<'_> {
    fn run(&mut self) -> Result<(), BenchError> {
        let mut server = Server::start(&self.program, self.directory, &self.server_options())?;
        let port = server.port();
        self.each_writer(|writer| writer.fill(port))?;
        for round in 1..=self.options.rounds {
            let killed_at = self.write_and_kill(&mut server)?;
            server = self.restart()?;
            let doubt = self.check(&server, killed_at)?;
            self.work.rounds = round;
            self.work.in_doubt += doubt;
            if round % 10 == 0 {
                println!("crash: {round} of {} rounds", self.options.rounds);
            }
        }
        server.stop();
        Ok(())
    }

    fn server_options(&self) -> [(&'static str, &str); 4] {
        let policy = match self.options.policy {
            Policy::Always => "always",
            Policy::Everysec => "everysec",
        };
        [
            ("appendfsync", policy),
            ("maxmemory", &self.options.maxmemory),
            ("checkpoint-interval-ms", "100"),
            ("checkpoint-wal-bytes", "4mb"),
        ]
    }

    /// Lets all writers write for a random time, then kills the server; gives
    /// the moment before the kill.
    fn write_and_kill(&mut self, server: &mut Server) -> Result<Instant, BenchError> {
        let longest_ms = match self.options.policy {
            Policy::Always => 800,
            // Longer than what may be lost, so that something may not.
            Policy::Everysec => 3000,
        };
        let delay = Duration::from_millis(50 + self.random.below(longest_ms - 50));
        let killed = AtomicBool::new(false);
        let port = server.port();
        let mut client = server.client()?;
        let (killed_at, information) = std::thread::scope(|scope| {
            for writer in &mut self.writers {
                scope.spawn(|| writer.run(port, &killed));
            }
            std::thread::sleep(delay);
            let information = client.info();
            let killed_at = Instant::now();
            killed.store(true, Ordering::SeqCst);
            server.kill();
            (killed_at, information)
        });
        self.fail_on_problems(server)?;
        self.add_work(&information?);
        Ok(killed_at)
    }

    fn add_work(&mut self, information: &Information) {
        self.work.demotions += information.number("tier_demotions");
        self.work.segments_cleaned += information.number("tier_segments_cleaned");
        self.work.tier_reads += information.number("tier_reads");
        self.work.checkpoints += information.number("rdb_saves");
    }

    fn restart(&mut self) -> Result<Server, BenchError> {
        while self.random.chance(KILLED_RESTART_ONE_IN) {
            let mut server = Server::spawn(&self.program, self.directory, &self.server_options())?;
            std::thread::sleep(Duration::from_millis(self.random.below(200)));
            server.kill();
            self.work.killed_restarts += 1;
        }
        if self.random.chance(RACE_ONE_IN) {
            self.work.races += 1;
            return self.race();
        }
        Ok(Server::start(
            &self.program,
            self.directory,
            &self.server_options(),
        )?)
    }

    /// Starts two daemons on the one directory at once; gives the one that has it.
    /// The other has ended by itself.
    fn race(&self) -> Result<Server, BenchError> {
        let spawn = || Server::spawn(&self.program, self.directory, &self.server_options());
        let (mut one, mut other) = (spawn()?, spawn()?);
        let (one_serves, other_serves) = std::thread::scope(|scope| {
            let waits = scope.spawn(|| one.wait_until_ready().is_ok());
            let other_serves = other.wait_until_ready().is_ok();
            (waits.join().unwrap_or(false), other_serves)
        });
        match (one_serves, other_serves) {
            (true, false) => Ok(one),
            (false, true) => Ok(other),
            (true, true) => Err(BenchError::Unexpected(
                "two daemons serve one directory".to_owned(),
            )),
            (false, false) => Err(BenchError::Unexpected(format!(
                "of two daemons none serves:\n{}",
                one.log_end()
            ))),
        }
    }

    /// Checks all keys; gives how many operations could have gone either way.
    fn check(&mut self, server: &Server, killed_at: Instant) -> Result<u64, BenchError> {
        let survives = match self.options.policy {
            Policy::Always => killed_at + Duration::from_secs(3600),
            Policy::Everysec => killed_at.checked_sub(EVERYSEC_LOSS).unwrap_or(killed_at),
        };
        let port = server.port();
        let doubts = self.each_writer(|writer| {
            let least = writer.ledger.acknowledged_by(survives);
            let doubt = writer.ledger.sent - least;
            check::check(writer, port, least).map(|()| doubt)
        })?;
        self.fail_on_problems(server)?;
        Ok(doubts.into_iter().sum())
    }

    /// Does `work` for each writer on a thread of its own.
    fn each_writer<T: Send>(
        &mut self,
        work: impl Fn(&mut Writer) -> Result<T, ClientError> + Sync,
    ) -> Result<Vec<T>, BenchError> {
        let work = &work;
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .writers
                .iter_mut()
                .map(|writer| scope.spawn(move || work(writer)))
                .collect();
            threads
                .into_iter()
                .map(std::thread::ScopedJoinHandle::join)
                .collect()
        });
        let mut all = Vec::new();
        for result in results {
            let result =
                result.map_err(|_| BenchError::Unexpected("a writer panicked".to_owned()))?;
            all.push(result?);
        }
        Ok(all)
    }

    fn fail_on_problems(&self, server: &Server) -> Result<(), BenchError> {
        let problems: Vec<&str> = self
            .writers
            .iter()
            .flat_map(|writer| writer.problems.iter().map(String::as_str))
            .collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(BenchError::Unexpected(format!(
            "round {}:\n{}\nthe end of the server's log:\n{}",
            self.work.rounds + 1,
            problems.join("\n"),
            server.log_end()
        )))
    }

    fn report(&self) {
        let sum = |count: fn(&Writer) -> u64| self.writers.iter().map(count).sum::<u64>();
        let work = &self.work;
        println!(
            "crash: {} rounds, {} restarts killed as well, {} races of two daemons; {} writes \
             acknowledged, {} refused, {} could have gone either way",
            work.rounds,
            work.killed_restarts,
            work.races,
            sum(|writer| writer.ledger.acknowledged_writes),
            sum(|writer| writer.ledger.refused_writes),
            work.in_doubt,
        );
        println!(
            "crash: on the way {} demotions, {} tier reads, {} segments cleaned, {} checkpoints",
            work.demotions, work.tier_reads, work.segments_cleaned, work.checkpoints
        );
        println!(
            "crash: {} losses",
            sum(|writer| writer.problems.len() as u64)
        );
    }
}
