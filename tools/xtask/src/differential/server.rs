//! The two servers: found, started on a free port, stopped.
//!
//! Owns the processes and their folders; a dropped server is killed. Knows no
//! commands but PING and SHUTDOWN.

use super::DifferentialError;
use super::resp::{Client, command};
use crate::install;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use thermocline_benches::port::free_port;

/// How long a server may take until it answers, or until it has ended.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const POLL: Duration = Duration::from_millis(20);

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The reference.
    Valkey,
    /// What is tested.
    Thermocline,
}

impl Kind {
    /// Its name for people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Valkey => "valkey",
            Self::Thermocline => "thermocline",
        }
    }
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// SIGKILL: as a crash of the process.
    Kill,
    /// SIGTERM.
    Terminate,
    /// The command.
    Shutdown,
}

/// Where the reference is.
pub(crate) fn valkey(given: Option<&Path>) -> Result<PathBuf, DifferentialError> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    install::reference_server().map_err(|error| {
        DifferentialError::Server(format!(
            "no valkey-server 9.1 to compare with: {error}; or name one's path with --valkey"
        ))
    })
}

/// The directives of the reference: nothing on disk.
pub(super) fn valkey_arguments() -> Vec<String> {
    words(&["--save", "", "--appendonly", "no", "--hz", "50"])
}

/// The directives of what is tested.
pub(super) fn thermocline_arguments(
    maxmemory: &str,
    always: bool,
    directives: &[String],
) -> Vec<String> {
    let sync = if always { "always" } else { "everysec" };
    let mut arguments = words(&["--save", "", "--appendonly", "yes"]);
    arguments.extend(words(&["--appendfsync", sync, "--maxmemory", maxmemory]));
    for directive in directives {
        let (name, value) = directive.split_once(' ').unwrap_or((directive, ""));
        arguments.extend([format!("--{name}"), value.to_owned()]);
    }
    arguments
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// A running server.
pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) port: u16,
    program: PathBuf,
    arguments: Vec<String>,
    directory: Option<tempfile::TempDir>,
    child: Child,
}

impl Server {
    /// Starts `program` in a new folder and waits until it answers.
    pub(super) fn start(
        kind: Kind,
        program: &Path,
        arguments: Vec<String>,
    ) -> Result<Self, DifferentialError> {
        let failed = |error: std::io::Error| {
            let program = program.display();
            DifferentialError::Server(format!("cannot start {program}: {error}"))
        };
        let program = program.canonicalize().map_err(failed)?;
        let directory = tempfile::Builder::new()
            .prefix("thermocline-differential-")
            .tempdir()
            .map_err(failed)?;
        let port = free_port().map_err(failed)?;
        let child = spawn(&program, port, directory.path(), &arguments).map_err(failed)?;
        let mut server = Self {
            kind,
            port,
            program,
            arguments,
            directory: Some(directory),
            child,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn path(&self) -> &Path {
        let directory = self.directory.as_ref();
        directory.map_or(Path::new("."), tempfile::TempDir::path)
    }

    fn wait_until_ready(&mut self) -> Result<(), DifferentialError> {
        let deadline = Instant::now() + PATIENCE;
        let ping = command(&["PING"]);
        while Instant::now() < deadline {
            let ended = self.child.try_wait();
            if let Ok(Some(status)) = ended {
                return Err(self.failure(&format!("ended with {status}")));
            }
            let reply = Client::connect(self.port).and_then(|mut client| client.call(&ping));
            if reply.is_ok_and(|reply| reply == b"+PONG\r\n") {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        Err(self.failure("does not answer"))
    }

    fn failure(&mut self, what: &str) -> DifferentialError {
        let kept = self.keep();
        let name = self.kind.name();
        DifferentialError::Server(format!("{name} {what}; its output is in {kept}"))
    }

    /// Leaves the folder behind for a look at it.
    pub(super) fn keep(&mut self) -> String {
        let path = self.path().display().to_string();
        if let Some(directory) = self.directory.take() {
            let _ = directory.keep();
        }
        path
    }

    /// Ends the process and waits for it.
    pub(super) fn stop(&mut self, stop: Stop) -> Result<(), DifferentialError> {
        let id = Pid::from_child(&self.child);
        match stop {
            Stop::Kill => self.child.kill().ok(),
            Stop::Terminate => kill_process(id, Signal::TERM).ok(),
            Stop::Shutdown => Client::connect(self.port)
                // The connection ends instead of a reply.
                .and_then(|mut client| client.send(&[command(&["SHUTDOWN"])]))
                .ok(),
        };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        Err(self.failure(&format!("does not end by {stop:?}")))
    }

    /// Stops it and starts it again on what it left behind.
    pub(super) fn restart(&mut self, stop: Stop) -> Result<(), DifferentialError> {
        self.stop(stop)?;
        let again = spawn(&self.program, self.port, self.path(), &self.arguments);
        match again {
            Ok(child) => self.child = child,
            Err(error) => return Err(self.failure(&format!("cannot start again: {error}"))),
        }
        self.wait_until_ready()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(
    program: &Path,
    port: u16,
    directory: &Path,
    arguments: &[String],
) -> std::io::Result<Child> {
    let output = File::options()
        .create(true)
        .append(true)
        .open(directory.join("output.log"))?;
    Command::new(program)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}
