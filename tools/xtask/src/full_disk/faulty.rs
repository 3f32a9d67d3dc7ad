//! `cargo xtask faulty-disk`: the daemon on a real mount whose writes fail for a
//! while.
//!
//! Owns the story: keys, most of them cold; then one kind of fault after another,
//! each for some seconds, with reads and writes going on; then a kill. Reads are
//! served all through, nothing acknowledged is lost, and writes go on within
//! [`RESUME_LIMIT`] of the disk's recovery, without anybody's help. Needs root and
//! FUSE; where they are missing it fails and says so. Threads: one writes, one
//! reads, the main thread harms and heals.

mod mount;
mod shown;

use super::keys::{Keys, Outcome};
use super::{RESUME_LIMIT, broken};
use crate::bench::BenchError;
use crate::bench::setup::{self, Profile};
use clap::Args;
use mount::{Calls, Faults, FaultyMount};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thermocline_base::Random;
use thermocline_benches::client::{Client, ClientError};
use thermocline_benches::server::{Program, Server};

/// Keys that are read all through; several times the daemon's memory.
const KEYS: u64 = 20_000;
/// Keys written between two faults.
const KEYS_BETWEEN: u64 = 200;
/// How long a fault lasts.
const FAULT: Duration = Duration::from_secs(3);
/// A read that takes longer waits for a write of its shard that is on its way, as
/// it must under `always`.
const PROMPT: Duration = Duration::from_millis(500);

/// The faults: what is said of them, the error, and the calls that meet it.
const FAULTS: [(&str, i32, Calls); 7] = [
    ("EIO of writes", 5, Calls::WRITES),
    ("EIO of syncs", 5, Calls::SYNCS),
    ("EIO of writes and syncs", 5, Calls::ALL),
    ("ENOSPC of writes", 28, Calls::WRITES),
    ("ENOSPC of all that grows", 28, Calls::GROWTH),
    ("EDQUOT of writes", 122, Calls::WRITES),
    ("EROFS of everything", 30, Calls::ALL),
];

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// The daemon; built in debug mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The daemon's `io-backend`.
    #[arg(long, default_value = "auto")]
    io_backend: String,
}

/// What a reader saw during one fault.
#[derive(Default)]
struct Reads {
    served: u64,
    waited: u64,
}

/// Runs the story.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let program = setup::thermocline(options.binary.as_deref(), Profile::Debug)?;
    let directory = setup::directory("faulty-disk")?;
    let mount = FaultyMount::new(
        &directory.path().join("behind"),
        &directory.path().join("data"),
    )?;
    let start = || start(&program, directory.path(), &options.io_backend);
    let mut server = start()?;
    let mut keys = Keys::default();
    while keys.count() < KEYS {
        write(&server, &mut keys)?;
    }
    for (name, errno, calls) in FAULTS {
        meet(&server, &mut keys, mount.faults(), (name, errno, calls))?;
        for _ in 0..KEYS_BETWEEN {
            write(&server, &mut keys)?;
        }
        // Each second one ends with a kill while the disk is ill.
        if calls == Calls::WRITES {
            mount.faults().set(errno, calls);
            server.kill();
            mount.faults().clear();
            server = start()?;
        }
        keys.check(&mut server.client()?)?;
    }
    server.kill();
    server = start()?;
    keys.check(&mut server.client()?)?;
    server.stop();
    println!(
        "faulty-disk: all held; {} keys are there after the last kill",
        keys.count()
    );
    Ok(())
}

fn start(program: &Program, directory: &Path, io_backend: &str) -> Result<Server, BenchError> {
    let options = [
        ("appendfsync", "always"),
        ("io-backend", io_backend),
        ("maxmemory", "32mb"),
        ("tier-max-bytes", "1gb"),
        ("checkpoint-wal-bytes", "4mb"),
        ("checkpoint-interval-ms", "500"),
    ];
    Ok(Server::start(program, directory, &options)?)
}

fn write(server: &Server, keys: &mut Keys) -> Result<(), BenchError> {
    match keys.add(&mut server.client()?)? {
        Outcome::Written => Ok(()),
        Outcome::Refused(reason) => Err(broken(format!(
            "the disk is well, and a write is refused: {reason}\n{}",
            server.log_end()
        ))),
    }
}

/// Lets the disk be ill for a while, with everybody at work.
fn meet(
    server: &Server,
    keys: &mut Keys,
    faults: &Faults,
    (name, errno, calls): (&str, i32, Calls),
) -> Result<(), BenchError> {
    let known = keys.clone();
    let is_over = AtomicBool::new(false);
    faults.set(errno, calls);
    let (reads, refusals, waited) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_all_through(server, &known, &is_over));
        let writing = scope.spawn(|| write_until_resumed(server, keys, &is_over));
        std::thread::sleep(FAULT);
        let met = faults.clear();
        let begun = Instant::now();
        is_over.store(true, Ordering::SeqCst);
        let refusals = writing.join();
        let waited = begun.elapsed();
        let reads = reading.join();
        let panicked = || broken("a thread panicked");
        let reads = reads.map_err(|_| panicked())??;
        let refusals = refusals.map_err(|_| panicked())??;
        if met == 0 {
            return Err(broken(format!("{name}: no call met it")));
        }
        Ok((reads, refusals, waited))
    })?;
    println!(
        "faulty-disk: {name}: {} reads served, {} waited for a write of their shard, {refusals} \
         writes refused; writes again {waited:?} after the disk was well",
        reads.served, reads.waited
    );
    if waited > RESUME_LIMIT {
        return Err(broken(format!("{name}: that is too long")));
    }
    if reads.served <= reads.waited {
        return Err(broken(format!("{name}: reads are not served")));
    }
    Ok(())
}

/// Reads one key after another; each is served rightly, or waits.
fn read_all_through(
    server: &Server,
    known: &Keys,
    is_over: &AtomicBool,
) -> Result<Reads, BenchError> {
    let mut reads = Reads::default();
    let mut random = Random::new(known.count());
    let connect = || -> Result<Client, BenchError> {
        let client = server.client()?;
        client.set_silence(PROMPT)?;
        Ok(client)
    };
    let mut client = connect()?;
    while !is_over.load(Ordering::SeqCst) {
        match known.check_one(&mut client, random.below(known.count())) {
            Ok(()) => reads.served += 1,
            Err(BenchError::Client(ClientError::Connection(error)))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                reads.waited += 1;
                client = connect()?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(reads)
}

/// Writes until a write is taken after the fault is over; how many were refused.
fn write_until_resumed(
    server: &Server,
    keys: &mut Keys,
    is_over: &AtomicBool,
) -> Result<u64, BenchError> {
    let mut refusals = 0;
    let mut client = server.client()?;
    loop {
        // ORDERING: looked at before the write, which then begins after the fault.
        let was_over = is_over.load(Ordering::SeqCst);
        match keys.add(&mut client)? {
            Outcome::Written if was_over => return Ok(refusals),
            Outcome::Written => {}
            Outcome::Refused(reason) if reason.starts_with("MISCONF ") => {
                refusals += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            Outcome::Refused(reason) => {
                return Err(broken(format!("a failing disk is not named: {reason}")));
            }
        }
    }
}
