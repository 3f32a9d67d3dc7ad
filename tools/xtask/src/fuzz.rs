//! Runs the fuzz targets with cargo-fuzz, which it installs where it is
//! missing. The sanitizer flags need a nightly compiler or, as here, the
//! stable one told to accept them.

use crate::step::{StepError, cargo, output, run, workspace_root};
use std::path::PathBuf;
use std::process::Command;

/// The version that was tried; newer ones need not accept the same flags.
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// Targets that run at once, if there are cores for them.
const AT_ONCE: usize = 2;

/// Runs each target for `seconds`, two at a time. A crash fails the run and leaves its
/// input under `fuzz/artifacts`.
pub(crate) fn run_all(seconds: u32) -> Result<(), StepError> {
    install_cargo_fuzz()?;
    run(cargo_fuzz().arg("build"))?;
    let listed = output(Command::new("cargo").args(["fuzz", "list"]))?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let targets: Vec<&str> = listed.split_whitespace().collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for some in targets.chunks(AT_ONCE.min(cores)) {
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = some
                .iter()
                .map(|target| scope.spawn(move || run_one(target, seconds)))
                .collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.collect()
        });
        for (target, result) in some.iter().zip(results) {
            let panicked = |_| StepError::Missing(format!("the thread of {target} panicked"));
            result.map_err(panicked)??;
        }
    }
    Ok(())
}

fn cargo_fuzz() -> Command {
    let mut command = Command::new("cargo");
    command.env("RUSTC_BOOTSTRAP", "1").arg("fuzz");
    command
}

fn run_one(target: &str, seconds: u32) -> Result<(), StepError> {
    run(cargo_fuzz()
        // The index keeps pointers to records in a form that LeakSanitizer does not see.
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .args(["run", target])
        .args(corpora(target)?)
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]))
}

/// Where a target's inputs are: first what it found on this machine, to which it adds, then
/// the seeds of the repository, where there are any.
fn corpora(target: &str) -> Result<Vec<PathBuf>, StepError> {
    let folder = workspace_root().join("fuzz");
    let (found, seeds) = (folder.join("corpus"), folder.join("seeds"));
    let found = found.join(target);
    std::fs::create_dir_all(&found).map_err(|error| {
        StepError::Missing(format!("cannot create {}: {error}", found.display()))
    })?;
    let seeds = seeds.join(target);
    let is_there = seeds.is_dir();
    Ok(std::iter::once(found)
        .chain(is_there.then_some(seeds))
        .collect())
}

fn install_cargo_fuzz() -> Result<(), StepError> {
    let present = Command::new("cargo")
        .args(["fuzz", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if present {
        return Ok(());
    }
    cargo(&[
        "install",
        "--locked",
        "cargo-fuzz",
        "--version",
        CARGO_FUZZ_VERSION,
    ])
}
