//! `cargo xtask powercut`: the daemon on a real file system whose power is cut.
//!
//! Owns the recording (one life of the daemon under the load of `crash`, on a
//! device that logs every write and flush) and the cuts: for each an image of the
//! device as a power cut would have left it, mounted, a daemon started on it, and
//! every key held against what had been acknowledged by then. Needs root, loop
//! devices, FUSE and `qemu-storage-daemon`; where they are missing it fails and
//! says so.
//!
//! What was acknowledged at a cut: a thread notes how long the device's log is, and
//! when. All that was answered before the last moment at which the log was no
//! longer than at the cut must survive it.
//!
//! Use order: `image` stands alone; `recorder` makes what it reads.

mod image;
mod recorder;

use super::writer::Writer;
use super::{EVERYSEC_LOSS, Policy, check};
use crate::bench::BenchError;
use crate::bench::setup::{self, Profile};
use clap::{Args, ValueEnum};
use image::Images;
use recorder::{Mount, Recorder};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thermocline_base::{Clock, Random};
use thermocline_benches::server::{Program, Server};

/// Clients of the daemon.
const WRITERS: usize = 8;
/// Room for the data several times over.
const DEVICE_BYTES: u64 = 1 << 30;
/// How often the length of the device's log is noted.
const NOTE_EVERY: Duration = Duration::from_micros(500);
/// Cuts between two reports.
const REPORT_EVERY: usize = 10;

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// The file system.
    #[arg(long, default_value = "ext4")]
    fs: FileSystem,
    /// How many cuts are tried.
    #[arg(long, default_value_t = 100)]
    cuts: usize,
    /// How long the daemon is written to, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Chooses operations and cuts; the clock chooses one where none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// The daemon's `appendfsync`, and so what may be lost.
    #[arg(long, default_value = "always")]
    policy: Policy,
    /// The daemon; built in debug mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The daemon's `io-backend`.
    #[arg(long, default_value = "auto")]
    io_backend: String,
}

/// A file system with a `mkfs` of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileSystem {
    /// With its journal, as it comes.
    Ext4,
    /// As it comes.
    Xfs,
}

/// How long the device's log was at which moment.
type Notes = Vec<(Instant, u64)>;

/// Records one life and tries the cuts; the first broken promise ends them.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let program = setup::thermocline(options.binary.as_deref(), Profile::Debug)?;
    let seed = options
        .seed
        .unwrap_or_else(|| Clock::system().now().0.unsigned_abs() % 1_000_000);
    println!("powercut: seed {seed}, {:?}", options.fs);
    let directory = setup::directory("powercut")?;
    let power = Power {
        options,
        program,
        directory: directory.path(),
    };
    power.run(seed).map_err(|error| {
        let kept = directory.keep();
        BenchError::Unexpected(format!(
            "seed {seed}: {error}\nthe device and its log are kept in {}",
            kept.display()
        ))
    })
}

struct Power<'a> {
    options: &'a Options,
    program: Program,
    directory: &'a Path,
}

impl Power<'_> {
    fn run(&self, seed: u64) -> Result<(), BenchError> {
        let mut random = Random::new(seed);
        let mut writers: Vec<_> = (0..WRITERS)
            .map(|number| Writer::new(number, seed))
            .collect();
        let recorder = Recorder::new(self.directory, self.options.fs, DEVICE_BYTES)?;
        let begun = recorder.log_bytes()?;
        let notes = self.record(&recorder, &mut writers)?;
        let ended = notes.last().map_or(begun, |(_, bytes)| *bytes);
        let (log, base) = recorder.finish()?;
        let mut images = Images::new(&log, &base)?;
        let candidates = images.between(begun, ended);
        println!(
            "powercut: {} writes acknowledged; {} writes and flushes of the device, {} flushes",
            writers
                .iter()
                .map(|writer| writer.ledger.acknowledged_writes)
                .sum::<u64>(),
            candidates.len(),
            images.flushes_in(candidates.clone()),
        );
        let mut cuts: Vec<usize> = (0..self.options.cuts)
            .map(|_| candidates.start + random.below(candidates.len().max(1) as u64) as usize)
            .collect();
        cuts.sort_unstable();
        let mut doubts = 0;
        for (number, &cut) in (1..).zip(&cuts) {
            let copy = self.directory.join("cut");
            let unsynced = images.cut(cut, &mut random, &copy)?;
            let survives = moment(&notes, images.log_offset(cut));
            let checked = self.check(&copy, &writers, survives);
            doubts += checked.map_err(|error| {
                BenchError::Unexpected(format!(
                    "cut before write {cut}, {unsynced} of them after the last flush: {error}"
                ))
            })?;
            if number % REPORT_EVERY == 0 {
                println!("powercut: {number} of {} cuts", cuts.len());
            }
        }
        println!(
            "powercut: {} cuts of {:?}, 0 losses; {doubts} operations could have gone either way",
            cuts.len(),
            self.options.fs
        );
        Ok(())
    }

    fn start(&self) -> Result<Server, BenchError> {
        let options = [
            ("appendfsync", self.options.policy.name()),
            ("io-backend", self.options.io_backend.as_str()),
            ("maxmemory", "16mb"),
            ("tier-max-bytes", "256mb"),
            ("checkpoint-interval-ms", "200"),
            ("checkpoint-wal-bytes", "4mb"),
        ];
        Ok(Server::start(&self.program, self.directory, &options)?)
    }

    /// One life of the daemon, from its first start to its kill.
    fn record(&self, recorder: &Recorder, writers: &mut [Writer]) -> Result<Notes, BenchError> {
        let mount = Mount::new(recorder.device(), &self.directory.join("data"))?;
        let is_over = AtomicBool::new(false);
        let notes = std::thread::scope(|scope| {
            let noting = scope.spawn(|| note(recorder, &is_over));
            let lived = self.live(writers);
            is_over.store(true, Ordering::SeqCst);
            let noted = noting.join();
            lived?;
            noted.map_err(|_| BenchError::Unexpected("the noting thread panicked".to_owned()))?
        });
        mount.end()?;
        notes
    }

    fn live(&self, writers: &mut [Writer]) -> Result<(), BenchError> {
        let mut server = self.start()?;
        let (port, killed) = (server.port(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for writer in &mut *writers {
                scope.spawn(|| {
                    // A writer that cannot fill ends its run with a problem, too.
                    let _ = writer.fill(port);
                    writer.run(port, &killed);
                });
            }
            std::thread::sleep(Duration::from_secs(self.options.seconds));
            killed.store(true, Ordering::SeqCst);
            server.kill();
        });
        let problems: Vec<_> = writers.iter().flat_map(|it| &it.problems).collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(BenchError::Unexpected(format!(
            "while it was recorded: {problems:?}\n{}",
            server.log_end()
        )))
    }

    /// Starts a daemon on the image `copy` and checks all keys; gives how many
    /// operations could have gone either way.
    fn check(
        &self,
        copy: &Path,
        writers: &[Writer],
        survives: Option<Instant>,
    ) -> Result<u64, BenchError> {
        let device = recorder::Loop::new(copy)?;
        let mount = Mount::new(device.path(), &self.directory.join("data"))?;
        let survives = match self.options.policy {
            Policy::Always => survives,
            Policy::Everysec => survives.and_then(|moment| moment.checked_sub(EVERYSEC_LOSS)),
            Policy::No => None,
        };
        let mut server = self.start()?;
        let mut doubts = 0;
        for writer in writers {
            let mut writer = writer.clone();
            let least = survives.map_or(0, |moment| writer.ledger.acknowledged_by(moment));
            doubts += writer.ledger.sent - least;
            check::check(&mut writer, server.port(), least)?;
            if !writer.problems.is_empty() {
                return Err(BenchError::Unexpected(format!(
                    "{}\nthe end of the server's log:\n{}",
                    writer.problems.join("\n"),
                    server.log_end()
                )));
            }
        }
        server.kill();
        mount.end()?;
        device.end()?;
        Ok(doubts)
    }
}

/// Notes how long the device's log is, again and again.
fn note(recorder: &Recorder, is_over: &AtomicBool) -> Result<Notes, BenchError> {
    let mut notes = Notes::new();
    while !is_over.load(Ordering::SeqCst) {
        // ORDERING: the moment first, so that the log was no longer than that then.
        let moment = Instant::now();
        let bytes = recorder.log_bytes()?;
        match notes.last_mut() {
            Some((last, known)) if *known == bytes => *last = moment,
            _ => notes.push((moment, bytes)),
        }
        std::thread::sleep(NOTE_EVERY);
    }
    Ok(notes)
}

/// The last moment at which the log was no longer than `bytes`.
fn moment(notes: &Notes, bytes: u64) -> Option<Instant> {
    let after = notes.partition_point(|(_, noted)| *noted <= bytes);
    notes.get(after.checked_sub(1)?).map(|(moment, _)| *moment)
}
