//! `cargo xtask full-disk`: the daemon on a device that has no room left.
//!
//! Owns the two stories: new keys until nothing fits any more, and overwrites
//! that fit only if what is outdated is reclaimed. Needs root and a loop device
//! (`device`); where there is none it fails and says so, since a check that
//! did not run has not passed. Main thread.

mod device;
pub(crate) mod faulty;
mod keys;

use crate::bench::BenchError;
use crate::bench::setup::{self, Profile};
use clap::Args;
use device::Device;
use keys::{Keys, Outcome};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thermocline_benches::server::{Program, Server};

/// The devices of the two stories, and the file on them that an operator could remove.
const DEVICE_BYTES: u64 = 640 << 20;
const SMALL_DEVICE_BYTES: u64 = 440 << 20;
const FILLER_BYTES: u64 = 128 << 20;
/// Refused for so long in a row, a write is refused for want of room, and not
/// for the moment that a checkpoint takes to make some.
const REFUSED_FOR: Duration = Duration::from_secs(3);
/// Promised between the disk's recovery and the next write.
const RESUME_LIMIT: Duration = Duration::from_secs(5);
/// More keys than any device here takes.
const KEYS_MAX: u64 = 1_000_000;
/// Keys that are overwritten, and how often.
const OVERWRITTEN_KEYS: u64 = 16_000;
const OVERWRITES: u64 = 12;

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

/// Runs both stories.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let program = setup::thermocline(options.binary.as_deref(), Profile::Debug)?;
    let check = Check {
        program,
        io_backend: options.io_backend.clone(),
    };
    check.filled_to_the_last()?;
    check.overwritten_in_little_room()?;
    println!("full-disk: all held");
    Ok(())
}

struct Check {
    program: Program,
    io_backend: String,
}

fn broken(text: impl Into<String>) -> BenchError {
    BenchError::Unexpected(text.into())
}

impl Check {
    fn start(&self, directory: &Path) -> Result<Server, BenchError> {
        let options = [
            ("appendfsync", "always"),
            ("io-backend", self.io_backend.as_str()),
            ("maxmemory", "64mb"),
            ("tier-max-bytes", "64gb"),
            ("checkpoint-wal-bytes", "64mb"),
        ];
        Ok(Server::start(&self.program, directory, &options)?)
    }

    /// New keys until writes are refused for good: reads go on, a kill loses
    /// nothing, and room that is made is used.
    fn filled_to_the_last(&self) -> Result<(), BenchError> {
        let directory = setup::directory("full-disk")?;
        let device = Device::mount(directory.path(), DEVICE_BYTES)?;
        device.fill(FILLER_BYTES)?;
        let mut server = self.start(directory.path())?;
        let mut keys = Keys::default();
        let reason = write_until_refused(&server, &mut keys)?;
        println!(
            "full-disk: {} keys written, then refused: {reason}",
            keys.count()
        );
        keys.check(&mut server.client()?)?;
        server.kill();
        server = self.start(directory.path())?;
        keys.check(&mut server.client()?)?;
        println!("full-disk: every key is there, before and after a kill");
        write_until_refused(&server, &mut keys)?;
        device.make_room()?;
        let waited = resume(&server, &mut keys)?;
        println!("full-disk: writes again {waited:?} after there was room");
        for _ in 0..2000 {
            keys.add(&mut server.client()?)?;
        }
        server.kill();
        server = self.start(directory.path())?;
        keys.check(&mut server.client()?)?;
        server.stop();
        device.unmount()
    }

    /// Overwrites, whose sum is far more than the device: writes may be refused
    /// for a moment, and go on without anybody's help.
    fn overwritten_in_little_room(&self) -> Result<(), BenchError> {
        let directory = setup::directory("full-disk")?;
        let device = Device::mount(directory.path(), SMALL_DEVICE_BYTES)?;
        device.fill(FILLER_BYTES)?;
        let mut server = self.start(directory.path())?;
        let mut keys = Keys::default();
        let mut refusals = 0;
        for number in 0..OVERWRITTEN_KEYS * OVERWRITES {
            let begun = Instant::now();
            while let Outcome::Refused(reason) =
                keys.put(&mut server.client()?, number % OVERWRITTEN_KEYS)?
            {
                refusals += 1;
                if begun.elapsed() > RESUME_LIMIT * 4 {
                    return Err(broken(format!(
                        "overwrite {number}: nothing makes room: {reason}"
                    )));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        println!(
            "full-disk: {} MiB of overwrites, {refusals} refusals on the way",
            (OVERWRITTEN_KEYS * OVERWRITES * keys::VALUE_BYTES as u64) >> 20
        );
        keys.check(&mut server.client()?)?;
        server.kill();
        server = self.start(directory.path())?;
        keys.check(&mut server.client()?)?;
        server.stop();
        device.unmount()
    }
}

/// Adds keys until the server refuses them for good; why it does.
fn write_until_refused(server: &Server, keys: &mut Keys) -> Result<String, BenchError> {
    let mut client = server.client()?;
    let mut refused_since: Option<Instant> = None;
    while keys.count() < KEYS_MAX {
        match keys.add(&mut client)? {
            Outcome::Written => refused_since = None,
            Outcome::Refused(reason) => {
                if !reason.starts_with("MISCONF ") || !reason.contains("No space left on device") {
                    return Err(broken(format!("a full disk is not named: {reason}")));
                }
                if refused_since.get_or_insert_with(Instant::now).elapsed() > REFUSED_FOR {
                    return Ok(reason);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
    Err(broken("the device is never full"))
}

/// How long it takes until the server takes a write.
fn resume(server: &Server, keys: &mut Keys) -> Result<Duration, BenchError> {
    let mut client = server.client()?;
    let begun = Instant::now();
    while let Outcome::Refused(reason) = keys.add(&mut client)? {
        if begun.elapsed() > RESUME_LIMIT {
            return Err(broken(format!(
                "there is room again, and writes are still refused: {reason}\n{}",
                server.log_end()
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(begun.elapsed())
}
