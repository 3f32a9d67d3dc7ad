//! The life of the daemon: configuration, recovery, threads, signals, end.
//!
//! Owns the order of the start and of the stop. The main thread: while the I/O threads
//! serve it deals out unix connections, takes samples for the rates and waits for a signal
//! or SHUTDOWN.

use std::fmt::Display;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thermocline_base::{Clock, Random};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::{Store, StoreOptions};
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use crate::command_line::{self, Request};
use crate::config::Config;
use crate::config::apply::{apply_all, log_policy};
use crate::config::table;
use crate::config_file;
use crate::server::{Facts, Server};
use crate::statistics::SAMPLE_MS;
use crate::thread::{self, Phase, Start};
use crate::{functions, limits, listener, log, notify};

/// Why the daemon did not start or did not end well; for people.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn failure(error: impl Display) -> Failure {
    Failure(error.to_string())
}

/// Runs what the command line asks for.
///
/// # Errors
/// Why it could not; already in the log if there is one.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (path, directives) = match command_line::read(arguments).map_err(failure)? {
        Request::Print(text) => {
            println!("{text}");
            return Ok(());
        }
        Request::Serve { path, directives } => (path, directives),
    };
    let config = read_config(path, directives)?;
    let level = log::start(&config.get("loglevel"), &config.get("logfile"));
    let level = level.map_err(|error| {
        failure(format!(
            "cannot open the log {}: {error}",
            config.get("logfile")
        ))
    })?;
    let served = serve(config, level);
    if let Err(error) = &served {
        error!("{error}");
    }
    served
}

fn read_config(
    path: Option<PathBuf>,
    given: Vec<config_file::Directive>,
) -> Result<Config, Failure> {
    let mut directives = Vec::new();
    let mut file = None;
    match path {
        Some(path) if path == Path::new("-") => {
            let mut text = Vec::new();
            let mut input = io::stdin().lock().take(config_file::FILE_BYTES + 1);
            input
                .read_to_end(&mut text)
                .map_err(|error| failure(format!("standard input: {error}")))?;
            directives = config_file::read_text("standard input", &text).map_err(failure)?;
        }
        Some(path) => {
            directives = config_file::read(&path).map_err(failure)?;
            file = Some(std::path::absolute(&path).unwrap_or(path));
        }
        None => {}
    }
    directives.extend(given);
    Config::new(&directives, file).map_err(failure)
}

fn serve(config: Config, level: Arc<log::Level>) -> Result<(), Failure> {
    let clock = Clock::system();
    info!(
        "Thermocline {} starts, pid {}, configuration {}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        config.file.as_ref().map_or_else(
            || "of the defaults".into(),
            |path| path.display().to_string()
        )
    );
    for name in config.without_effect() {
        warn!("the directive '{name}' has no effect in Thermocline");
    }
    reserve_files(&config)?;
    // Before the store, so that a port in use does not cost a recovery.
    let io_threads = usize::try_from(config.number("io-threads"))
        .unwrap_or(1)
        .max(1);
    let (tcp_listeners, mut listeners) =
        listener::bind_all(&config, io_threads).map_err(failure)?;
    let seed = random_seed().map_err(failure)?;
    let mut random = Random::new(seed);
    let (store, report) = open_store(&config, clock.clone(), random.next_u64())?;
    let unix_listener = listener::bind_unix(&config).map_err(failure)?;
    if unix_listener.is_some() {
        listeners.push(format!("name=unix,bind={}", config.get("unixsocket")));
    }
    let facts = Facts {
        run_id: format!(
            "{:016x}{:016x}{:08x}",
            random.next_u64(),
            random.next_u64(),
            random.next_u64() >> 32
        ),
        executable: std::env::current_exe()
            .map_or_else(|_| String::new(), |path| path.display().to_string()),
        listeners,
        supervised: notify::supervisor(&config.get("supervised")),
        started_at_s: clock.now().0.div_euclid(1000),
        io_threads,
        report,
        startup_bytes: store.statistics().used_bytes,
        address_space: limits::AddressSpace::of_process(io_threads),
    };
    if let Err(reason) = facts.address_space.check() {
        // What it says on the disk is as it was: nothing has been done.
        let _ = store.close(false);
        return Err(failure(reason));
    }
    let server = Arc::new(Server::new(store, config, facts, clock, level, seed));
    apply_all(&server);
    describe(&server);
    let pid_file = write_pid_file(&server)?;
    let served = serve_threads(&server, tcp_listeners, unix_listener);
    let checkpoint = server.stop.borrow().unwrap_or(true);
    let closed = server.store.close(checkpoint);
    for path in [pid_file, server.config.get("unixsocket")] {
        if !path.is_empty() {
            // It may be gone already.
            let _ = std::fs::remove_file(path);
        }
    }
    served.map_err(failure)?;
    closed.map_err(|error| failure(format!("the store did not close cleanly: {error}")))?;
    info!("Thermocline is stopped, bye bye");
    Ok(())
}

/// Sees to it that there are enough descriptors, or lowers `maxclients` to what there are.
fn reserve_files(config: &Config) -> Result<(), Failure> {
    let wanted = config.number("maxclients");
    let tier_bytes = if config.is_yes("tier") {
        limits::tier_at(
            config.number("tier-max-bytes"),
            Path::new(&config.get("dir")),
        )
    } else {
        0
    };
    let files = limits::raise_open_files(wanted, tier_bytes).map_err(failure)?;
    if files.clients < wanted {
        files.warn(wanted);
        if let Some(number) = table::number("maxclients") {
            config.replace(number, files.clients.to_string());
        }
    }
    Ok(())
}

fn open_store(
    config: &Config,
    clock: Clock,
    seed: u64,
) -> Result<(Arc<Store>, thermocline_store::StartReport), Failure> {
    let directory = config.get("dir");
    let in_directory = |error: &dyn Display| {
        failure(format!(
            "cannot open the data directory {directory}: {error}"
        ))
    };
    let choice = match config.get("io-backend").as_str() {
        "io_uring" => BackendChoice::IoUring,
        "posix" => BackendChoice::Posix,
        _ => BackendChoice::Auto,
    };
    let disk = Disk::open(Path::new(&directory), choice).map_err(|error| in_directory(&error))?;
    let options = StoreOptions {
        log: config
            .is_yes("appendonly")
            .then(|| log_policy(&config.get("appendfsync"))),
        tier: config.is_yes("tier"),
        clock,
        seed,
    };
    Store::open(disk, options).map_err(|error| in_directory(&error))
}

/// Randomness of the operating system.
fn random_seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Says what was found and what the daemon works with.
fn describe(server: &Server) {
    let report = &server.facts.report;
    let duration_ms = report.duration.as_millis();
    if report.is_new {
        info!("a new data directory: {}", server.config.get("dir"));
    } else {
        info!(
            "recovered from {} in {duration_ms} ms: {} keys in the last checkpoint, {} bytes of \
             log in {} frames after it, the last stop was {}",
            server.config.get("dir"),
            report.image_keys,
            report.log_bytes,
            report.frames,
            if report.was_sealed {
                "clean"
            } else {
                "not clean"
            }
        );
    }
    let (backend, reason) = server.store.backend();
    info!("disk backend {backend:?}: {reason}");
    let settings = server.store.settings();
    let megabytes = |bytes: u64| bytes >> 20;
    let maxmemory = match settings.maxmemory_bytes() {
        0 => "no limit".to_owned(),
        bytes => format!("{} MiB", megabytes(bytes)),
    };
    let tier = if server.config.is_yes("tier") {
        format!(
            "a tier of at most {} MiB",
            megabytes(settings.tier_max_bytes())
        )
    } else {
        "no tier".to_owned()
    };
    info!(
        "maxmemory {maxmemory}, policy {}, {tier}, {} I/O threads",
        settings.policy().name(),
        server.facts.io_threads
    );
    for listener in &server.facts.listeners {
        info!("listening: {listener}");
    }
}

/// Writes the pid file, if one is wanted; gives its path.
fn write_pid_file(server: &Server) -> Result<String, Failure> {
    let path = server.config.get("pidfile");
    if !path.is_empty() {
        std::fs::write(&path, format!("{}\n", std::process::id()))
            .map_err(|error| failure(format!("cannot write the pid file {path}: {error}")))?;
    }
    Ok(path)
}

/// Runs the I/O threads until the daemon is asked to stop.
fn serve_threads(
    server: &Arc<Server>,
    tcp_listeners: Vec<Vec<std::net::TcpListener>>,
    unix_listener: Option<std::os::unix::net::UnixListener>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    functions::load(server, &runtime);
    let (phase, _) = watch::channel(Phase::Starting);
    let (ready, mut readies) = mpsc::unbounded_channel();
    let mut dealers = Vec::new();
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for (index, listeners) in tcp_listeners.into_iter().enumerate() {
        let (dealer, unix_streams) = mpsc::unbounded_channel();
        dealers.push(dealer);
        let start = Start {
            server: Arc::clone(server),
            index,
            listeners,
            unix_streams,
            ready: ready.clone(),
            phase: phase.subscribe(),
        };
        let asking = Arc::clone(server);
        let thread = std::thread::Builder::new().name(format!("io-{index}"));
        threads.push(thread.spawn(move || {
            if let Err(error) = thread::run(start) {
                error!("I/O thread {index} ended: {error}");
                asking.stop.send_replace(Some(true));
            }
        })?);
    }
    let waited = runtime.block_on(async {
        let unix_listener = unix_listener.map(UnixListener::from_std).transpose()?;
        let mut stop = server.stop.subscribe();
        let mut signals = Signals::new()?;
        let serving = async {
            for _ in &threads {
                readies.recv().await;
            }
            info!("Ready to accept connections");
            notify::ready(&server.config.get("supervised"));
            phase.send_replace(Phase::Serving);
            tokio::join!(deal(server, unix_listener, &dealers), sample(server));
        };
        tokio::select! {
            _ = stop.wait_for(Option::is_some) => info!("SHUTDOWN: stopping"),
            name = signals.stop() => info!("received {name}, stopping"),
            () = serving => {}
        }
        io::Result::Ok(())
    });
    notify::stopping(&server.config.get("supervised"));
    server.scripts.abort();
    phase.send_replace(Phase::Stopping);
    for thread in threads {
        if thread.join().is_err() {
            error!("an I/O thread panicked");
        }
    }
    waited
}

/// The signals that mean something to the daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A closed terminal does not end a server.
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one that asks for a stop; gives its name.
    async fn stop(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {}
            }
        }
    }
}

async fn deal(
    server: &Server,
    listener: Option<UnixListener>,
    dealers: &[mpsc::UnboundedSender<std::os::unix::net::UnixStream>],
) {
    match listener {
        Some(listener) => listener::deal_unix(server, listener, dealers).await,
        None => std::future::pending().await,
    }
}

async fn sample(server: &Server) {
    loop {
        tokio::time::sleep(Duration::from_millis(SAMPLE_MS)).await;
        server.statistics.sample(server.now_ms());
    }
}
