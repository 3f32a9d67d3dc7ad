//! What a measurement stands on: the programs, a directory, the sizes.
//!
//! Owns how the daemon is built and found, how sizes are scaled, and where
//! measured servers keep their data: under the target folder, so on the disk
//! of the project, and removed at the end. Main thread.

use crate::bench::BenchError;
use crate::bench::flame;
use crate::step::{StepError, cargo, output};
use crate::{differential, step};
use serde_json::Value;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use thermocline_benches::address::Address;
use thermocline_benches::corpus::{Corpus, WORDNET_DIRECTORY};
use thermocline_benches::load::{Outcome, Workload};
use thermocline_benches::process::{ResidentWatch, Usage};
use thermocline_benches::server::{Kind, Program, Server};
use thermocline_benches::values::Values;

/// Below this the fixed buffers of the daemon are what is measured.
const LEAST_MAXMEMORY_BYTES: u64 = 32 << 20;

/// How the daemon is compiled where none is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// The daemon at `binary`, or a newly built one.
pub(crate) fn thermocline(binary: Option<&Path>, profile: Profile) -> Result<Program, StepError> {
    let kind = Kind::Thermocline;
    if let Some(path) = binary {
        let path = existing(path)?;
        return Ok(Program::new(kind, path));
    }
    let mut arguments = vec!["build", "--locked", "-p", "thermocline-server"];
    let mut folder = "debug";
    if profile == Profile::Release {
        arguments.push("--release");
        folder = "release";
    }
    cargo(&arguments)?;
    let path = target_directory()?.join(folder).join("thermocline");
    Ok(Program::new(kind, path))
}

/// Cargo's target folder, wherever the environment puts it.
pub(crate) fn target_directory() -> Result<PathBuf, StepError> {
    let bytes =
        output(Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_slice(&bytes)
        .map_err(|error| StepError::Missing(format!("cargo metadata is not JSON: {error}")))?;
    let directory = metadata.get("target_directory").and_then(Value::as_str);
    Ok(directory.map_or_else(|| step::workspace_root().join("target"), PathBuf::from))
}

fn existing(path: &Path) -> Result<PathBuf, StepError> {
    // A server runs in a directory of its own, so the path must not be relative.
    path.canonicalize()
        .map_err(|error| StepError::Missing(format!("no program at {}: {error}", path.display())))
}

/// A directory for one server's data and log, removed when dropped.
pub(crate) fn directory(name: &str) -> Result<TempDir, BenchError> {
    let parent = target_directory()?.join("measured");
    std::fs::create_dir_all(&parent)?;
    let prefix = format!("{name}-");
    Ok(tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(&parent)?)
}

/// Threads for a load: half the cores, so that the server has the others.
pub(crate) fn load_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// JSON of real text, about `bytes` bytes each.
pub(crate) fn text_values(bytes: usize) -> Result<Values, BenchError> {
    let corpus = Arc::new(Corpus::load(Path::new(WORDNET_DIRECTORY))?);
    Ok(Values::Text { corpus, bytes })
}

/// A program in PATH, of a Debian package.
pub(crate) fn installed(name: &str, package: &str) -> Result<PathBuf, StepError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            StepError::Missing(format!(
                "{name} is missing: install the Debian package {package} (apt-get install {package})"
            ))
        })
}

/// The library of jemalloc, as the dynamic linker knows it.
fn jemalloc() -> Result<PathBuf, StepError> {
    let cache = output(Command::new("/sbin/ldconfig").arg("-p"))?;
    let cache = String::from_utf8_lossy(&cache).into_owned();
    let mut lines = cache
        .lines()
        .filter(|line| line.contains("libjemalloc.so.2"));
    let path = lines.find_map(|line| line.rsplit_once("=> "));
    path.map(|(_, path)| PathBuf::from(path)).ok_or_else(|| {
        StepError::Missing(
            "libjemalloc.so.2 is missing: install the Debian package libjemalloc2 \
             (apt-get install libjemalloc2)"
                .to_owned(),
        )
    })
}

/// What the benchmarks of one run share.
pub(crate) struct Context {
    /// The daemon.
    pub(crate) thermocline: Program,
    /// Multiplies numbers of keys, memory and time.
    pub(crate) scale: f64,
    /// How often what varies is repeated.
    pub(crate) rounds: usize,
    given_valkey: Option<PathBuf>,
    valkey: OnceCell<Program>,
    traces: Option<PathBuf>,
}

impl Context {
    pub(crate) fn new(
        thermocline: Program,
        given_valkey: Option<PathBuf>,
        scale: f64,
        rounds: usize,
        traces: Option<PathBuf>,
    ) -> Self {
        Self {
            thermocline,
            scale,
            rounds: rounds.max(1),
            given_valkey,
            valkey: OnceCell::new(),
            traces,
        }
    }

    /// The folder of recorded traces, if one was named.
    pub(crate) fn traces(&self) -> Option<&Path> {
        self.traces.as_deref()
    }

    /// The peer; looked for when a benchmark first needs it.
    pub(crate) fn valkey(&self) -> Result<Program, BenchError> {
        if let Some(program) = self.valkey.get() {
            return Ok(program.clone());
        }
        let path = differential::valkey(self.given_valkey.as_deref()).map_err(StepError::from)?;
        let mut program = Program::new(Kind::Valkey, existing(&path)?);
        // The package is built with the system's allocator, Valkey's own
        // packages with jemalloc.
        program.preload = Some(jemalloc()?);
        Ok(self.valkey.get_or_init(|| program).clone())
    }

    /// A second peer, Debian's Redis.
    pub(crate) fn redis(&self) -> Result<Program, BenchError> {
        Ok(Program::new(
            Kind::Redis,
            installed("redis-server", "redis-server")?,
        ))
    }

    /// A third peer, Debian's memcached.
    pub(crate) fn memcached(&self) -> Result<Program, BenchError> {
        Ok(Program::new(
            Kind::Memcached,
            installed("memcached", "memcached")?,
        ))
    }

    /// Prints where a measure is.
    pub(crate) fn tell(&self, measure: &str, round: usize, label: &str) {
        let rounds = self.rounds;
        println!(
            "measure {measure}: round {} of {rounds}, {label}",
            round + 1
        );
    }

    /// A number of keys, scaled, at least 1,000.
    pub(crate) fn keys(&self, keys: u64) -> u64 {
        ((keys as f64 * self.scale) as u64).max(1000)
    }

    /// A `maxmemory`, scaled, at least 32 MiB.
    pub(crate) fn maxmemory_bytes(&self, bytes: u64) -> u64 {
        ((bytes as f64 * self.scale) as u64).max(LEAST_MAXMEMORY_BYTES)
    }

    /// A time of measurement: scaled down but not up, at least 300 ms.
    pub(crate) fn duration(&self, seconds: f64) -> std::time::Duration {
        std::time::Duration::from_secs_f64((seconds * self.scale.min(1.0)).max(0.3))
    }
}

/// One load and what it cost the server.
pub(crate) struct Measured {
    pub(crate) outcome: Outcome,
    pub(crate) usage: Usage,
    /// The most resident memory seen while it ran.
    pub(crate) resident_bytes: u64,
}

impl Measured {
    /// Runs `workload` against `server` over the loopback.
    pub(crate) fn run(server: &Server, workload: &Workload<'_>) -> Result<Self, BenchError> {
        Self::run_at(server, &Address::Tcp(server.port()), workload)
    }

    /// Runs `workload` against `server` at one of its addresses.
    pub(crate) fn run_at(
        server: &Server,
        address: &Address,
        workload: &Workload<'_>,
    ) -> Result<Self, BenchError> {
        let watch = ResidentWatch::start(server.pid());
        let recording = if server.kind() == Kind::Thermocline {
            let parts = workload.mix;
            let label = format!(
                "set-{}-get-{}-pipeline-{}",
                parts.sets, parts.gets, workload.pipeline
            );
            flame::begin(server.pid(), &label)?
        } else {
            None
        };
        let before = Usage::of(server.pid())?;
        let workload = Workload {
            protocol: server.protocol(),
            ..workload.clone()
        };
        let ended = workload.run(address.clone());
        let outcome = ended.map_err(|source| BenchError::Load {
            source,
            log: server.log_end(),
        })?;
        let usage = Usage::of(server.pid())?.since(&before);
        let resident_bytes = watch.finish();
        if let Some(recording) = recording {
            recording.finish()?;
        }
        Ok(Self {
            outcome,
            usage,
            resident_bytes,
        })
    }

    /// Requests for each second of the server's CPU time.
    pub(crate) fn per_cpu_second(&self) -> f64 {
        // The kernel counts in steps of 10 ms; less than one is not known.
        self.outcome.requests as f64 / self.usage.cpu.as_secs_f64().max(0.01)
    }

    /// Replies that are not what they must be.
    pub(crate) const fn bad_replies(&self) -> u64 {
        self.outcome.wrong + self.outcome.missing + self.outcome.errors
    }

    /// Prints what an error reply said, once.
    pub(crate) fn print_error(&self, label: &str) {
        if let Some(text) = &self.outcome.first_error {
            println!("{label}: {} errors, such as: {text}", self.outcome.errors);
        }
    }
}
