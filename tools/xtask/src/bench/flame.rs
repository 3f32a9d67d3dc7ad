//! A flame graph of each load against the daemon, on demand.
//!
//! Owns the calls of `perf` and of inferno's two programs, and the folder that
//! `--flame` names. Recording costs the daemon time: its figures are not to be
//! compared with those of a run without.

use crate::bench::BenchError;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const PERF: &str = "perf";
const COLLAPSE: &str = "inferno-collapse-perf";
const DRAW: &str = "inferno-flamegraph";
/// Samples a second: no multiple of what the kernel does by the clock.
const FREQUENCY: &str = "199";
/// Bytes of the stack that each sample keeps.
const CALLS: &str = "dwarf,8192";

static FOLDER: OnceLock<PathBuf> = OnceLock::new();
static DRAWN: AtomicUsize = AtomicUsize::new(0);

/// Draws a graph of every load from now on into `folder`.
pub(super) fn draw_into(folder: &Path) -> Result<(), BenchError> {
    for (program, remedy) in [
        (PERF, "apt-get install linux-perf"),
        (COLLAPSE, "cargo install inferno"),
        (DRAW, "cargo install inferno"),
    ] {
        let found = Command::new(program)
            .arg("--help")
            .stdin(Stdio::null())
            .output();
        if found.is_err() {
            return Err(BenchError::Unexpected(format!(
                "a flame graph needs {program} in PATH: {remedy}"
            )));
        }
    }
    std::fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    // The command line names only one.
    let _ = FOLDER.set(folder);
    Ok(())
}

/// A recording that goes on.
pub(super) struct Recording {
    perf: Child,
    data: PathBuf,
    svg: PathBuf,
}

/// Begins to record process `pid`, if graphs are asked for.
pub(super) fn begin(pid: u32, label: &str) -> Result<Option<Recording>, BenchError> {
    let Some(folder) = FOLDER.get() else {
        return Ok(None);
    };
    // ORDERING: only the number itself is shared.
    let number = DRAWN.fetch_add(1, Ordering::Relaxed);
    let stem = format!("{number:03}-{label}");
    let data = folder.join(format!("{stem}.data"));
    let perf = Command::new(PERF)
        .args(["record", "--quiet", "-F", FREQUENCY, "--call-graph", CALLS])
        .args(["--pid", &pid.to_string(), "--output"])
        .arg(&data)
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Some(Recording {
        perf,
        data,
        svg: folder.join(format!("{stem}.svg")),
    }))
}

impl Recording {
    /// Ends the recording and draws it.
    pub(super) fn finish(mut self) -> Result<(), BenchError> {
        if let Some(pid) = rustix::process::Pid::from_raw(self.perf.id().cast_signed()) {
            // It has ended by itself where it may not record.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        self.perf.wait()?;
        let mut script = Command::new(PERF)
            .args(["script", "--no-inline", "--input"])
            .arg(&self.data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut collapse = piped(COLLAPSE, &mut script)?
            .stdout(Stdio::piped())
            .spawn()?;
        let status = piped(DRAW, &mut collapse)?
            .stdout(File::create(&self.svg)?)
            .status()?;
        script.wait()?;
        collapse.wait()?;
        std::fs::remove_file(&self.data)?;
        if status.success() {
            println!("the flame graph: {}", self.svg.display());
        } else {
            println!(
                "no flame graph: perf recorded nothing; it may need root, or \
                 kernel.perf_event_paranoid below 2"
            );
        }
        Ok(())
    }
}

/// A command that reads what `from` writes.
fn piped(program: &str, from: &mut Child) -> Result<Command, BenchError> {
    let output = from
        .stdout
        .take()
        .ok_or_else(|| BenchError::Unexpected(format!("nothing to give to {program}")))?;
    let mut command = Command::new(program);
    command.stdin(output).stderr(Stdio::null());
    Ok(command)
}
