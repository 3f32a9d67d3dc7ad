//! One daemon under load, killed and started again and again on one data directory.
//!
//! Owns the rounds and the moments. A thread of its own.

use super::point::{POINTS, Watch};
use super::writer::Writer;
use super::{EVERYSEC_LOSS, Policy, check};
use crate::bench::BenchError;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thermocline_base::Random;
use thermocline_benches::client::{Client, ClientError, Information};
use thermocline_benches::server::{Program, Server};

/// Clients of one daemon.
const WRITERS: usize = 3;
/// One restart in this many is killed before it is checked.
const KILLED_RESTART_ONE_IN: u64 = 5;
/// One restart in this many is a race.
const RACE_ONE_IN: u64 = 4;
/// How long the clients write before the kill, at least and at most.
const LOAD_MS: (u64, u64) = (20, 300);
/// Under `everysec` one round in this many is longer than what may be lost, so that
/// something may not.
const LONG_ONE_IN: u64 = 6;
const LONG_MS: (u64, u64) = (1300, 2200);
/// How long a named moment is waited for.
const POINT_LIMIT: Duration = Duration::from_millis(500);

/// The same for one that comes at the end of a segment of the log.
const LOG_LIMIT: Duration = Duration::from_secs(3);
/// A value that fills the log.
const FILLING_BYTES: usize = 512 << 10;

/// What the daemons did, and what became of it.
#[derive(Default)]
pub(super) struct Work {
    pub(super) policy: Option<Policy>,
    rounds: u64,
    /// Kills at each of the named moments; the others were at random ones.
    at_points: [u64; POINTS.len()],
    killed_restarts: u64,
    races: u64,
    acknowledged: u64,
    refused: u64,
    in_doubt: u64,
    losses: u64,
    demotions: u64,
    segments_cleaned: u64,
    tier_reads: u64,
    checkpoints: u64,
}

impl Work {
    pub(super) fn add(&mut self, other: &Self) {
        self.policy = other.policy;
        self.rounds += other.rounds;
        for (sum, count) in self.at_points.iter_mut().zip(other.at_points) {
            *sum += count;
        }
        self.killed_restarts += other.killed_restarts;
        self.races += other.races;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.in_doubt += other.in_doubt;
        self.losses += other.losses;
        self.demotions += other.demotions;
        self.segments_cleaned += other.segments_cleaned;
        self.tier_reads += other.tier_reads;
        self.checkpoints += other.checkpoints;
    }

    pub(super) fn report(&self) {
        let policy = self.policy.map_or("none", Policy::name);
        println!(
            "crash: {policy}: {} kills under load, each followed by a check of every key; {} \
             restarts killed as well, {} races of two daemons; {} writes acknowledged, {} \
             refused, {} could have gone either way; {} losses",
            self.rounds,
            self.killed_restarts,
            self.races,
            self.acknowledged,
            self.refused,
            self.in_doubt,
            self.losses
        );
        let points = POINTS.iter().zip(self.at_points);
        let points: Vec<String> = points
            .map(|(point, count)| format!("{count} once {}", point.name))
            .collect();
        let at_random = self.rounds.saturating_sub(self.at_points.iter().sum());
        println!(
            "crash: {policy}: {at_random} kills at random, {}",
            points.join(", ")
        );
        println!(
            "crash: {policy}: on the way {} demotions, {} tier reads, {} segments cleaned, {} \
             checkpoints",
            self.demotions, self.tier_reads, self.segments_cleaned, self.checkpoints
        );
    }
}

/// See the module.
pub(super) struct Lane<'a> {
    program: &'a Program,
    directory: PathBuf,
    policy: Policy,
    maxmemory: &'a str,
    rounds: u64,
    random: Random,
    writers: Vec<Writer>,
    work: Work,
}

impl<'a> Lane<'a> {
    pub(super) fn new(
        program: &'a Program,
        directory: PathBuf,
        policy: Policy,
        maxmemory: &'a str,
        seed: u64,
        rounds: u64,
    ) -> Self {
        Self {
            program,
            directory,
            policy,
            maxmemory,
            rounds,
            random: Random::new(seed),
            writers: (0..WRITERS)
                .map(|number| Writer::new(number, seed))
                .collect(),
            work: Work {
                policy: Some(policy),
                ..Work::default()
            },
        }
    }

    /// All rounds; the first broken promise ends them.
    pub(super) fn run(mut self) -> (Work, Result<(), BenchError>) {
        let ended = self.run_rounds().map_err(|error| {
            let (name, directory) = (self.policy.name(), self.directory.display());
            BenchError::Unexpected(format!("{name}, {directory}: {error}"))
        });
        let sum = |count: fn(&Writer) -> u64| self.writers.iter().map(count).sum::<u64>();
        self.work.acknowledged = sum(|writer| writer.ledger.acknowledged_writes);
        self.work.refused = sum(|writer| writer.ledger.refused_writes);
        self.work.losses = sum(|writer| writer.problems.len() as u64);
        (self.work, ended)
    }

    fn run_rounds(&mut self) -> Result<(), BenchError> {
        let mut server = Server::start(self.program, &self.directory, &self.server_options())?;
        let port = server.port();
        self.each_writer(|writer| writer.fill(port))?;
        for _ in 0..self.rounds {
            let killed_at = self.write_and_kill(&mut server)?;
            server = self.restart()?;
            self.work.in_doubt += self.check(&server, killed_at)?;
            self.work.rounds += 1;
        }
        server.stop();
        Ok(())
    }

    fn server_options(&self) -> [(&'static str, &'a str); 5] {
        [
            ("appendfsync", self.policy.name()),
            ("maxmemory", self.maxmemory),
            ("io-threads", "1"),
            ("checkpoint-interval-ms", "100"),
            ("checkpoint-wal-bytes", "4mb"),
        ]
    }

    fn between(&mut self, (least, most): (u64, u64)) -> Duration {
        Duration::from_millis(least + self.random.below(most - least))
    }

    /// Lets all writers write for a random time, and on to a named moment in half of the
    /// rounds, then kills the server; gives the moment before the kill.
    fn write_and_kill(&mut self, server: &mut Server) -> Result<Instant, BenchError> {
        let is_long = self.policy == Policy::Everysec && self.random.chance(LONG_ONE_IN);
        let delay = self.between(if is_long { LONG_MS } else { LOAD_MS });
        let drawn = self.random.below(POINTS.len() as u64 * 2) as usize;
        let point = POINTS.get(drawn);
        let data = self.directory.join("data");
        let early = match point {
            Some(point) if point.is_early => Watch::new(*point, &data)?,
            _ => None,
        };
        let killed = AtomicBool::new(false);
        let port = server.port();
        let mut client = server.client()?;
        let mut information = client.info()?;
        let wait = || -> Result<bool, BenchError> {
            if let Some(early) = early {
                let is_far = point.is_some_and(|point| point.needs_log);
                return early.wait(delay + if is_far { LOG_LIMIT } else { POINT_LIMIT });
            }
            std::thread::sleep(delay);
            // Not between the named moment and the kill.
            information = client.info()?;
            // The folder may be one that the first of its files makes.
            match point.map_or(Ok(None), |point| Watch::new(*point, &data))? {
                Some(watch) => watch.wait(POINT_LIMIT),
                None => Ok(false),
            }
        };
        let (killed_at, came) = std::thread::scope(|scope| {
            for writer in &mut self.writers {
                scope.spawn(|| writer.run(port, &killed));
            }
            if point.is_some_and(|point| point.needs_log) {
                scope.spawn(|| fill_log(port, &killed));
            }
            let came = wait();
            let killed_at = Instant::now();
            killed.store(true, Ordering::SeqCst);
            server.kill();
            (killed_at, came)
        });
        self.fail_on_problems(server)?;
        if came? {
            self.work.at_points[drawn] += 1;
        }
        self.add_work(&information);
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
            let mut server = Server::spawn(self.program, &self.directory, &self.server_options())?;
            std::thread::sleep(Duration::from_millis(self.random.below(100)));
            server.kill();
            self.work.killed_restarts += 1;
        }
        if self.random.chance(RACE_ONE_IN) {
            self.work.races += 1;
            return self.race();
        }
        Ok(Server::start(
            self.program,
            &self.directory,
            &self.server_options(),
        )?)
    }

    /// Starts two daemons on the one directory at once; gives the one that has it.
    /// The other has ended by itself.
    fn race(&self) -> Result<Server, BenchError> {
        let spawn = || Server::spawn(self.program, &self.directory, &self.server_options());
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
        let survives = match self.policy {
            Policy::Always => Some(killed_at + Duration::from_secs(3600)),
            Policy::Everysec => killed_at.checked_sub(EVERYSEC_LOSS),
            Policy::No => None,
        };
        let port = server.port();
        let doubts = self.each_writer(|writer| {
            let least = match survives {
                Some(moment) => writer.ledger.acknowledged_by(moment),
                None => writer.ledger.floor(),
            };
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
}

/// Writes one large key again and again until the server is killed: a log whose segments are
/// of many megabytes comes to the end of one.
fn fill_log(port: u16, killed: &AtomicBool) {
    let content = vec![b'f'; FILLING_BYTES];
    let Ok(mut client) = Client::connect(port) else {
        return;
    };
    // ORDERING: set before the signal is sent, which the socket's end follows.
    while !killed.load(Ordering::SeqCst) {
        if client.ask(&[b"SET", b"filling", &content]).is_err() {
            return;
        }
    }
}
