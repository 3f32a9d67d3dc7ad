//! Starts a server, waits until it answers, and makes sure that it ends.
//!
//! Owns the process and its port. Does not own the directory it works in. The
//! thread that starts a server must live as long as it: the kernel kills the
//! server when that thread ends, so that none outlives a killed benchmark.

use crate::address::Address;
use crate::client::{Client, ClientError};
use crate::load::Protocol;
use crate::memcached;
use crate::port::free_port;
use crate::reply::Reply;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use thiserror::Error;

/// A server that has not answered by then will not.
const START_LIMIT: Duration = Duration::from_secs(300);
/// A server that has not ended by then is killed.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// What `sockaddr_un` holds, with its closing zero.
const SOCKET_PATH_BYTES: usize = 108;
/// How long to wait before asking again.
const POLL: Duration = Duration::from_millis(1);

/// Why a server could not be started, measured or ended.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The program or its directory.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Its path.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended or stayed silent before it was ready.
    #[error("{program} did not become ready ({reason}); the end of its log:\n{log}")]
    NotReady {
        /// Its path.
        program: String,
        /// How it failed.
        reason: String,
        /// The last lines it wrote.
        log: String,
    },
}

/// Which server a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `thermocline`.
    Thermocline,
    /// `valkey-server`, its log switched on as Thermocline's is.
    Valkey,
    /// `redis-server`, started as Valkey.
    Redis,
    /// `memcached`, which has no log.
    Memcached,
}

/// A server's program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Which one.
    pub kind: Kind,
    /// Where it lies.
    pub path: PathBuf,
    /// A library loaded before its own, such as another allocator.
    pub preload: Option<PathBuf>,
}

impl Program {
    /// The program at `path`, with its own libraries.
    #[must_use]
    pub const fn new(kind: Kind, path: PathBuf) -> Self {
        Self {
            kind,
            path,
            preload: None,
        }
    }
}

/// A running server; killed when dropped.
pub struct Server {
    program: String,
    /// What starts it, for a restart on the same port and directory.
    command: Command,
    kind: Kind,
    child: Child,
    port: u16,
    /// Its Unix socket; none for memcached, which has one address.
    socket: Option<PathBuf>,
    log: PathBuf,
}

impl Server {
    /// Starts `program` on a free loopback port with `directory/data` as its
    /// data directory (kept if it exists) and `options` behind the common
    /// ones, and waits until it answers `PING`.
    ///
    /// # Errors
    /// It cannot be run, or is not ready within five minutes.
    pub fn start(
        program: &Program,
        directory: &Path,
        options: &[(&str, &str)],
    ) -> Result<Self, ServerError> {
        let mut server = Self::spawn(program, directory, options)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// As [`Server::start`], without the wait.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn spawn(
        program: &Program,
        directory: &Path,
        options: &[(&str, &str)],
    ) -> Result<Self, ServerError> {
        let shown = program.path.display().to_string();
        let failed = |source| ServerError::Start {
            program: shown.clone(),
            source,
        };
        let data = directory.join("data");
        fs::create_dir_all(&data).map_err(failed)?;
        let log = directory.join("server.log");
        let output = File::options().create(true).append(true).open(&log);
        let output = output.map_err(failed)?;
        let port = free_port().map_err(failed)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        command.arg(&program.path);
        if let Some(library) = &program.preload {
            command.env("LD_PRELOAD", library);
        }
        command.args(["--port", &port.to_string()]);
        if program.kind == Kind::Memcached {
            command.args(["--listen", "127.0.0.1", "--udp-port", "0", "--user", "root"]);
        } else {
            command.args(["--bind", "127.0.0.1", "--dir"]).arg(&data);
        }
        let socket = directory.join("socket");
        // One that a killed server left behind; there may be none.
        let _ = fs::remove_file(&socket);
        let has_socket =
            program.kind != Kind::Memcached && socket.as_os_str().len() < SOCKET_PATH_BYTES;
        if has_socket {
            command.arg("--unixsocket").arg(&socket);
        }
        if matches!(program.kind, Kind::Valkey | Kind::Redis) {
            command.args(["--save", "", "--appendonly", "yes"]);
        }
        for (name, value) in options {
            command.arg(format!("--{name}"));
            // memcached has options without a value.
            if program.kind != Kind::Memcached || !value.is_empty() {
                command.arg(value);
            }
        }
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().map_err(failed)?);
        command.stderr(output);
        let child = command.spawn().map_err(failed)?;
        Ok(Self {
            program: shown,
            command,
            kind: program.kind,
            child,
            port,
            socket: has_socket.then_some(socket),
            log,
        })
    }

    /// Kills the server, starts it again on the same port and directory, and waits until it
    /// answers `PING`.
    ///
    /// # Errors
    /// It cannot be run, or is not ready within five minutes.
    pub fn kill_and_restart(&mut self) -> Result<(), ServerError> {
        self.kill();
        self.child = self.command.spawn().map_err(|source| ServerError::Start {
            program: self.program.clone(),
            source,
        })?;
        self.wait_until_ready()
    }

    /// Waits until the server answers.
    ///
    /// # Errors
    /// It ends first, or takes longer than five minutes.
    pub fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let begin = Instant::now();
        while !self.answers() {
            match self.child.try_wait() {
                Ok(None) if begin.elapsed() < START_LIMIT => std::thread::sleep(POLL),
                Ok(None) => return Err(self.not_ready("no answer")),
                Ok(Some(status)) => return Err(self.not_ready(&status.to_string())),
                Err(error) => return Err(self.not_ready(&error.to_string())),
            }
        }
        Ok(())
    }

    /// Whether it serves on its port, and no other process does.
    fn answers(&self) -> bool {
        let pid = if self.kind == Kind::Memcached {
            memcached::stats(self.port).map(|stats| stats.number("pid"))
        } else {
            Client::connect(self.port).and_then(|mut client| {
                // Of itself it may tell while it still loads.
                let is_ready = client.ask(&[b"PING"])? == Reply::Simple(b"PONG");
                let information = client.info_section("server")?;
                let pid = information.number("process_id");
                Ok(if is_ready { pid } else { 0 })
            })
        };
        pid.is_ok_and(|pid| pid == u64::from(self.pid()))
    }

    fn not_ready(&self, reason: &str) -> ServerError {
        ServerError::NotReady {
            program: self.program.clone(),
            reason: reason.to_owned(),
            log: self.log_end(),
        }
    }

    /// The last lines of what the server wrote.
    #[must_use]
    pub fn log_end(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(12)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// Its loopback port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What it speaks.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match self.kind {
            Kind::Memcached => Protocol::Memcached,
            _ => Protocol::Resp,
        }
    }

    /// Its Unix socket; `None` for memcached, and where the directory's path is
    /// too long for one.
    #[must_use]
    pub fn unix_address(&self) -> Option<Address> {
        self.socket.clone().map(Address::Unix)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection of a RESP server.
    ///
    /// # Errors
    /// The server is gone.
    pub fn client(&self) -> Result<Client, ClientError> {
        Client::connect(self.port)
    }

    /// Ends it as a power loss would: at once.
    pub fn kill(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends it as an operator would, and kills it after a minute.
    pub fn stop(mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            // It may have ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let begin = Instant::now();
        while begin.elapsed() < STOP_LIMIT && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_is_reported_with_what_it_wrote() {
        let directory = tempfile::tempdir().expect("a directory");
        let program = Program::new(Kind::Thermocline, PathBuf::from("/bin/echo"));
        let error = Server::start(&program, directory.path(), &[("tier", "yes")])
            .err()
            .expect("an error")
            .to_string();
        assert!(error.contains("--bind 127.0.0.1"), "{error}");
        assert!(error.contains("--tier yes"), "{error}");
    }

    #[test]
    fn a_program_that_is_missing_is_reported() {
        let directory = tempfile::tempdir().expect("a directory");
        let program = Program::new(Kind::Valkey, PathBuf::from("/nowhere/valkey-server"));
        let error = Server::start(&program, directory.path(), &[]).err();
        let error = error.expect("an error").to_string();
        assert!(error.contains("/nowhere/valkey-server"), "{error}");
    }
}
