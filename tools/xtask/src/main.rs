//! `cargo xtask`: what a developer and the checks of a change run.
//!
//! Owns the order of the checks and the rule of the layers; runs the tools
//! (cargo, clippy, cargo-fuzz) and knows nothing of what the crates do. One
//! thread; every step prints what it runs, and the first failure ends the run.

mod applications;
mod bench;
mod clients;
mod connections;
mod crash;
mod differential;
mod full_disk;
mod fuzz;
mod hostile;
mod install;
mod instructions;
mod interop;
mod layers;
mod replay;
mod sanitize;
mod sim;
mod step;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use step::{StepError, cargo};

/// The daemon's binary.
const DAEMON: &str = "thermocline";

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything a change must pass, the cheapest first; what it needs beyond
    /// the Rust toolchain is installed.
    Ci {
        /// How long each fuzz target runs, in seconds.
        #[arg(long, default_value_t = 60)]
        fuzz_seconds: u32,
    },
    /// Checks that no crate uses a crate of its own or a higher level.
    Layers,
    /// Sends the same random commands to Valkey and to Thermocline and compares
    /// every reply.
    Differential(differential::Options),
    /// Measures speed, memory and restarts, beside Valkey and the bare disk.
    Bench(bench::Options),
    /// Counts the instructions of the hot paths, beside those kept.
    Instructions(instructions::Options),
    /// Plays a recorded access pattern against the daemon.
    Replay(replay::Options),
    /// Kills the daemon under load and checks what survived.
    Crash(crash::Options),
    /// Cuts the power of a real file system under the daemon; needs root, FUSE and
    /// `qemu-storage-daemon`.
    Powercut(crash::power::Options),
    /// Runs the whole engine on a simulated disk and clock, from one seed.
    Sim(sim::Options),
    /// Fills the daemon's disk to the last byte; needs root, for a loop device.
    FullDisk(full_disk::Options),
    /// Lets the writes of the daemon's disk fail for a while; needs root, for a FUSE
    /// mount.
    FaultyDisk(full_disk::faulty::Options),
    /// Uses the daemon as applications do, with their client libraries.
    Clients(clients::Options),
    /// Runs task queues, caches and clients of Python and Node.js on the daemon, with
    /// little memory, and through a kill of it.
    Applications(applications::Options),
    /// Runs clients that mean harm beside others, and looks at the daemon's memory.
    Hostile(hostile::Options),
    /// Makes ten thousand connections, most of them idle or slow.
    Connections(connections::Options),
    /// Trades RDB and append-only files with other servers, and makes backups.
    Interop(interop::Options),
    /// Runs the tests of the crates with unsafe code under AddressSanitizer.
    Sanitize,
    /// Runs every fuzz target.
    Fuzz {
        /// How long each target runs, in seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<(), StepError> {
    match task {
        Task::Ci { fuzz_seconds } => ci(fuzz_seconds),
        Task::Layers => layers::check(),
        Task::Differential(options) => differential::run(&options).map_err(StepError::from),
        Task::Bench(options) => bench::run(&options).map_err(StepError::from),
        Task::Instructions(options) => instructions::run(&options).map_err(StepError::from),
        Task::Replay(options) => replay::run(&options).map_err(StepError::from),
        Task::Crash(options) => crash::run(&options).map_err(StepError::from),
        Task::Powercut(options) => crash::power::run(&options).map_err(StepError::from),
        Task::Sim(options) => sim::run(&options),
        Task::FullDisk(options) => full_disk::run(&options).map_err(StepError::from),
        Task::FaultyDisk(options) => full_disk::faulty::run(&options).map_err(StepError::from),
        Task::Clients(options) => clients::run_all(&options).map_err(StepError::from),
        Task::Applications(options) => applications::run_all(&options).map_err(StepError::from),
        Task::Hostile(options) => hostile::run(&options).map_err(StepError::from),
        Task::Connections(options) => connections::run(&options).map_err(StepError::from),
        Task::Interop(options) => interop::run_all(&options).map_err(StepError::from),
        Task::Sanitize => sanitize::run_all(),
        Task::Fuzz { seconds } => fuzz::run_all(seconds),
    }
}

/// Runs one of the other tasks as its command line would.
fn task(words: &[&str]) -> Result<(), StepError> {
    println!("xtask: cargo xtask {}", words.join(" "));
    let arguments = std::iter::once("xtask").chain(words.iter().copied());
    let parsed = Arguments::try_parse_from(arguments);
    let parsed = parsed.map_err(|error| StepError::Missing(error.to_string()))?;
    run(parsed.task)
}

/// The checks, the cheapest first.
fn ci(fuzz_seconds: u32) -> Result<(), StepError> {
    install::packages()?;
    cargo(&["fmt", "--all", "--check"])?;
    layers::check()?;
    cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    fuzz::run_all(fuzz_seconds)?;
    cargo(&["test", "--locked", "--workspace", "--doc"])?;
    cargo(&[
        "test",
        "--locked",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
    ])?;
    for words in [
        ["sim", "--losses", "100000"].as_slice(),
        &["sim", "--damage", "--rounds", "1000"],
        &["sim", "--sites"],
        // That the simulation finds what it is there for.
        &["sim", "--bugs", "--rounds", "300"],
    ] {
        task(words)?;
    }
    // The daemon as a process, optimized: what follows is a matter of numbers.
    cargo(&["build", "--locked", "--release", "--bin", DAEMON])?;
    let daemon = bench::setup::target_directory()?
        .join("release")
        .join(DAEMON);
    let daemon = daemon.to_string_lossy();
    task(&["clients", "--binary", &daemon])?;
    task(&["applications", "--binary", &daemon])?;
    task(&["interop", "--binary", &daemon])?;
    task(&["hostile", "--binary", &daemon])?;
    // Fewer than by hand: the hard limit of open files may be low.
    task(&[
        "connections",
        "--binary",
        &daemon,
        "--connections",
        "3000",
        "--active",
        "100",
        "--seconds",
        "1",
    ])?;
    for (commands, seed, restarts) in [("840000", "2", "0"), ("160000", "12", "10")] {
        task(&[
            "differential",
            "--thermocline",
            &daemon,
            "--commands",
            commands,
            "--pairs",
            "4",
            "--seed",
            seed,
            "--restarts",
            restarts,
        ])?;
    }
    // That the measures can be taken, not what they give.
    let results = bench::setup::target_directory()?.join("bench-smoke");
    let results = results.to_string_lossy();
    task(&[
        "bench",
        "--binary",
        &daemon,
        "--measure",
        "2,4",
        "--scale",
        "0.001",
        "--rounds",
        "1",
        "--results",
        &results,
    ])?;
    task(&[
        "crash", "--binary", &daemon, "--rounds", "1000", "--seed", "1",
    ])?;
    println!("xtask: all checks passed");
    Ok(())
}
