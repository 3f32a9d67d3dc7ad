//! `cargo xtask applications`: task queues, caches and client libraries, as programs use
//! them, on a daemon with little memory.
//!
//! Owns the list of the tests under `applications/`, the daemon of each, its restarts when
//! the test asks for one, and the ballast that makes keys sink meanwhile. Does not know what
//! a test checks: its file says so. Main thread, and one for the ballast.

use crate::bench::BenchError;
use crate::bench::setup::{self, Profile};
use crate::install;
use crate::step::{StepError, workspace_root};
use clap::Args;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thermocline_base::Random;
use thermocline_benches::client::{Client, ClientError, write_request};
use thermocline_benches::server::{Program, Server};

/// What the daemon may take: less than the ballast alone.
const MAXMEMORY: &str = "8mb";
/// The database of the ballast; the tests use others, and empty only those.
const BALLAST_DATABASE: &[u8] = b"15";
const BALLAST_KEYS: u64 = 30_000;
const BALLAST_VALUE_BYTES: usize = 600;
/// How many keys are written at once, and how long after each time.
const BALLAST_BATCH: usize = 40;
const BALLAST_PAUSE: Duration = Duration::from_millis(25);
/// Why `appendfsync` is `always` where the daemon is killed: a queue must not lose a job.
const NOTHING_IS_LOST: &str = "always";
const DEFAULT_POLICY: &str = "everysec";

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// The daemon; built in debug mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Only the tests whose file has this in its name.
    #[arg(long)]
    only: Option<String>,
}

/// One test: its file, and the policy of the daemon's log.
struct Application {
    file: &'static str,
    policy: &'static str,
}

const APPLICATIONS: &[Application] = &[
    Application {
        file: "celery_queue.py",
        policy: NOTHING_IS_LOST,
    },
    Application {
        file: "rq_queue.py",
        policy: NOTHING_IS_LOST,
    },
    Application {
        file: "bullmq_queue.js",
        policy: NOTHING_IS_LOST,
    },
    Application {
        file: "task_queues.py",
        policy: DEFAULT_POLICY,
    },
    Application {
        file: "django_cache.py",
        policy: DEFAULT_POLICY,
    },
    Application {
        file: "redis_py_client.py",
        policy: DEFAULT_POLICY,
    },
    Application {
        file: "ioredis_client.js",
        policy: DEFAULT_POLICY,
    },
    Application {
        file: "node_redis_client.js",
        policy: DEFAULT_POLICY,
    },
];

/// What runs the tests.
struct Interpreters {
    python: PathBuf,
    node_modules: PathBuf,
    folder: PathBuf,
}

/// Runs every test; the first that fails ends the run.
pub(crate) fn run_all(options: &Options) -> Result<(), BenchError> {
    install::packages()?;
    let program = setup::thermocline(options.binary.as_deref(), Profile::Debug)?;
    let folder = workspace_root().join("tools/xtask/applications");
    let interpreters = Interpreters {
        python: install::python_requirements(&folder.join("requirements.txt"))?,
        node_modules: install::node_modules(&folder)?,
        folder,
    };
    let only = options.only.as_deref().unwrap_or_default();
    let chosen: Vec<_> = APPLICATIONS
        .iter()
        .filter(|application| application.file.contains(only))
        .collect();
    if chosen.is_empty() {
        let message = format!("no test has {only} in its name");
        return Err(StepError::Missing(message).into());
    }
    let begin = Instant::now();
    for application in &chosen {
        run_one(application, &program, &interpreters)?;
    }
    let seconds = begin.elapsed().as_secs();
    println!("applications: {} tests in {seconds} s", chosen.len());
    Ok(())
}

/// Runs one test on a daemon of its own.
fn run_one(
    application: &Application,
    program: &Program,
    interpreters: &Interpreters,
) -> Result<(), BenchError> {
    let begin = Instant::now();
    let file = application.file;
    println!("applications: {file}");
    let directory = setup::directory("applications")?;
    let options = [
        ("maxmemory", MAXMEMORY),
        ("appendfsync", application.policy),
    ];
    let mut server = Server::start(program, directory.path(), &options)?;
    let mut ballast = Ballast::new(server.port())?;
    ballast.fill()?;
    let mut sunk = 0;
    let is_over = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| ballast.go_on(&is_over));
        let result = drive(&mut interpreters.command(file), &mut server, &mut sunk);
        is_over.store(true, Ordering::SeqCst);
        result
    });
    if let Err(error) = result {
        let log = server.log_end();
        let kept = directory.keep();
        return Err(BenchError::Unexpected(format!(
            "{file}: {error}\nthe end of the daemon's log:\n{log}\nits data are kept in {}",
            kept.display()
        )));
    }
    let information = server.client()?.info()?;
    sunk += information.number("tier_demotions");
    let reads = information.number("tier_reads");
    server.stop();
    if sunk == 0 {
        let message = format!("{file}: no key sank, so less was tested than is meant");
        return Err(BenchError::Unexpected(message));
    }
    println!(
        "applications: {file} took {:.1} s; meanwhile {sunk} keys sank, {reads} reads of the tier",
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Runs the test to its end, and restarts the daemon each time it writes `restart`. What sank
/// before is added to `sunk`, since a daemon counts from its own start.
fn drive(command: &mut Command, server: &mut Server, sunk: &mut u64) -> Result<(), BenchError> {
    command.env("THERMOCLINE_PORT", server.port().to_string());
    let mut test = command.spawn()?;
    if let (Some(mut input), Some(output)) = (test.stdin.take(), test.stdout.take()) {
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("    {line}");
            if line == "restart" {
                *sunk += server.client()?.info()?.number("tier_demotions");
                server.kill_and_restart()?;
                input.write_all(b"restarted\n")?;
            }
        }
    }
    let status = test.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(BenchError::Unexpected(format!("the test ended ({status})")))
    }
}

impl Interpreters {
    /// The command that runs a test, with pipes for what it says and is told. It ends with
    /// this thread, as the daemon does.
    fn command(&self, file: &str) -> Command {
        let path = self.folder.join(file);
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        if path.extension() == Some(OsStr::new("js")) {
            command.arg("node");
        } else {
            command.arg(&self.python);
        }
        command.arg(path).current_dir(Path::new(&self.folder));
        command.env("NODE_PATH", &self.node_modules);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }
}

/// Keys that nobody reads, written all the time, so that those of the test sink.
struct Ballast {
    port: u16,
    random: Random,
    /// None after the daemon was killed, until it answers again.
    client: Option<Client>,
}

impl Ballast {
    fn new(port: u16) -> Result<Self, ClientError> {
        Ok(Self {
            port,
            random: Random::new(u64::from(port)),
            client: Some(Self::connect(port)?),
        })
    }

    fn connect(port: u16) -> Result<Client, ClientError> {
        let mut client = Client::connect(port)?;
        client.order(&[b"SELECT", BALLAST_DATABASE])?;
        Ok(client)
    }

    /// More than the daemon's memory, before the test begins.
    fn fill(&mut self) -> Result<(), ClientError> {
        let batches = BALLAST_KEYS / BALLAST_BATCH as u64;
        for _ in 0..batches {
            self.write()?;
        }
        Ok(())
    }

    /// Goes on until the test is over. The daemon may be gone at any moment.
    fn go_on(&mut self, is_over: &AtomicBool) {
        while !is_over.load(Ordering::SeqCst) {
            if self.client.is_none() {
                self.client = Self::connect(self.port).ok();
            }
            if self.write().is_err() {
                self.client = None;
            }
            std::thread::sleep(BALLAST_PAUSE);
        }
    }

    /// Writes some keys with values that do not compress.
    fn write(&mut self) -> Result<(), ClientError> {
        let Some(client) = &mut self.client else {
            return Ok(());
        };
        let mut requests = Vec::new();
        for _ in 0..BALLAST_BATCH {
            let key = format!("ballast:{}", self.random.below(BALLAST_KEYS));
            let mut value = Vec::with_capacity(BALLAST_VALUE_BYTES);
            while value.len() < BALLAST_VALUE_BYTES {
                value.extend_from_slice(&self.random.next_u64().to_le_bytes());
            }
            write_request(&[b"SET", key.as_bytes(), &value], &mut requests);
        }
        client.send(&requests)?;
        for _ in 0..BALLAST_BATCH {
            client.receive()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_in_the_folder_is_run() {
        let folder = workspace_root().join("tools/xtask/applications");
        let mut found: Vec<String> = std::fs::read_dir(&folder)
            .expect("the folder of the tests")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| {
                let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
                // What the others share defines it; what they run in workers has none.
                text.lines().any(|line| line.starts_with("run("))
            })
            .collect();
        let mut listed: Vec<_> = APPLICATIONS
            .iter()
            .map(|application| application.file)
            .collect();
        found.sort_unstable();
        listed.sort_unstable();
        assert_eq!(found, listed);
    }
}
