//! `cargo xtask sanitize`: the crates with unsafe code under AddressSanitizer.
//!
//! Owns which tests run and with what flags. Miri knows no io_uring and needs the
//! sources of the standard library; the sanitizer needs neither, only the
//! compiler told to accept an unstable flag, as the fuzz targets do. A build of
//! its own, beside the others.

use crate::step::{StepError, run, workspace_root};
use std::process::Command;

/// The sanitizer's runtime is there for this one.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Where `unsafe` stands: files and rings; index and records.
const PACKAGES: [&str; 2] = ["thermocline-disk", "thermocline-store"];

/// Threads whose stacks a scheduler switches: the sanitizer takes them for one.
const SKIPPED: &str = "shuttled";

/// Runs all their tests but those. The first finding ends the run.
pub(crate) fn run_all() -> Result<(), StepError> {
    let mut command = Command::new("cargo");
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        // Leaks are findings too.
        .env("ASAN_OPTIONS", "detect_leaks=1")
        .args(["test", "--locked", "--target", TARGET, "--target-dir"])
        .arg(workspace_root().join("target").join("sanitize"));
    for package in PACKAGES {
        command.args(["-p", package]);
    }
    run(command.args(["--lib", "--tests", "--", "--skip", SKIPPED]))
}
