//! `cargo xtask connections`: ten thousand connections, most of them idle or slow.
//!
//! Owns the idle ones: some say nothing, some are amid a request that grows byte by byte,
//! some read a long reply byte by byte. Measures what the others notice of them, and what
//! each costs; fails if anybody gets an error or a wrong reply. Main thread, and one that
//! is slow for all.

use crate::bench::BenchError;
use crate::bench::setup::{self, Measured, Profile};
use crate::step::StepError;
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Refill, Workload};
use thermocline_benches::process::resident_bytes;
use thermocline_benches::server::Server;
use thermocline_benches::values::Values;

const KEYS: u64 = 10_000;
const VALUES: Values = Values::Fixed { bytes: 64 };
/// The value that slow readers ask for.
const LONG_BYTES: usize = 4 << 20;
/// How many of them there are: what they hold is counted, and bounded.
const SLOW_READERS: usize = 10;
/// Between two steps of a slow client.
const SLOW_STEP: Duration = Duration::from_micros(500);
/// What slow writers send in the end.
const REQUEST: &[u8] = b"*2\r\n$4\r\nECHO\r\n$29\r\nsome bytes, one after another\r\n";
const REPLY: &[u8] = b"$29\r\nsome bytes, one after another\r\n";
/// Descriptors beside those of the connections.
const OTHER_FILES: u64 = 200;
/// By then an idle connection must answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// Connections in all.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Those of them that are neither idle nor slow.
    #[arg(long, default_value_t = 1000)]
    active: usize,
    /// How long each of the three loads goes on, in seconds.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The daemon; built in release mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Makes the connections and measures.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let program = setup::thermocline(options.binary.as_deref(), Profile::Release)?;
    raise_open_files(options.connections as u64 + OTHER_FILES)?;
    let directory = setup::directory("connections")?;
    let maxclients = (options.connections + 10).to_string();
    let directives = [
        ("maxclients", maxclients.as_str()),
        ("maxmemory", "512mb"),
        ("tier-max-bytes", "1gb"),
    ];
    let server = Server::start(&program, directory.path(), &directives)?;
    let mut client = server.client()?;
    let long = vec![b'l'; LONG_BYTES];
    client.order(&[b"SET", b"long", &long])?;
    let load = Workload {
        connections: options.active,
        pipeline: 1,
        refill: Refill::Each,
        threads: setup::load_threads(),
        ..Workload::pass(Order::all(KEYS), VALUES, Mix::SET)
    };
    Measured::run(&server, &load)?;
    let load = Workload {
        order: Order::Uniform { keys: KEYS },
        mix: Mix { sets: 1, gets: 9 },
        duration: Some(Duration::from_secs_f64(options.seconds)),
        ..load
    };
    let measure = |label: &str| -> Result<f64, BenchError> {
        let measured = Measured::run(&server, &load)?;
        measured.print_error(label);
        let p99_us = measured.outcome.latency().percentile_us(99.0);
        println!(
            "connections: {} active {label}: {} requests, p99 {p99_us:.0} µs",
            options.active, measured.outcome.requests
        );
        if measured.bad_replies() > 0 {
            let text = format!("{} replies were wrong", measured.bad_replies());
            return Err(StepError::Missing(text).into());
        }
        Ok(p99_us)
    };
    let before_us = measure("alone")?;
    let bare_bytes = resident_bytes(server.pid())?;
    let idle = options.connections.saturating_sub(options.active);
    let mut crowd = Crowd::new(server.port(), idle.saturating_sub(SLOW_READERS))?;
    let crowded_bytes = resident_bytes(server.pid())?;
    crowd.read_slowly(server.port())?;
    let stop = AtomicBool::new(false);
    let among_us = std::thread::scope(|scope| {
        let slow = scope.spawn(|| crowd.be_slow(&stop));
        let measured = measure("among the idle and slow");
        stop.store(true, Relaxed);
        let ended = slow.join();
        ended.map_err(|_| StepError::Missing("the slow clients panicked".to_owned()))??;
        measured
    })?;
    crowd.finish()?;
    drop(crowd);
    let after_us = measure("alone again")?;
    let info = client.info()?;
    for name in [
        "rejected_connections",
        "evicted_clients",
        "client_output_buffer_limit_disconnections",
        "client_query_buffer_limit_disconnections",
    ] {
        if info.number(name) > 0 {
            let text = format!("{name} is {} where nobody did wrong", info.number(name));
            return Err(StepError::Missing(text).into());
        }
    }
    println!(
        "connections: p99 {:.2} times as long among {idle} idle and slow; an idle one takes {} bytes",
        among_us / f64::midpoint(before_us, after_us),
        crowded_bytes.saturating_sub(bare_bytes) / idle.max(1) as u64
    );
    server.stop();
    Ok(())
}

/// Has the system allow so many open files.
fn raise_open_files(files: u64) -> Result<(), BenchError> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if maximum.is_some_and(|maximum| maximum < files) {
        let text = format!("{files} open files are needed: raise the hard limit (ulimit -Hn)");
        return Err(StepError::Missing(text).into());
    }
    let current = maximum;
    let raised = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    Ok(raised.map_err(std::io::Error::from)?)
}

/// Clients that are idle or slow.
struct Crowd {
    idle: Vec<TcpStream>,
    /// Each with how much of its request is sent.
    writers: Vec<(TcpStream, usize)>,
    /// Each with how much of the reply has come.
    readers: Vec<(TcpStream, usize)>,
}

impl Crowd {
    /// Connects them; half are idle, the others write slowly.
    fn new(port: u16, count: usize) -> std::io::Result<Self> {
        let mut crowd = Self {
            idle: Vec::new(),
            writers: Vec::new(),
            readers: Vec::new(),
        };
        for number in 0..count {
            let mut stream = connect(port)?;
            if number % 2 == 0 {
                ping(&mut stream)?;
                crowd.idle.push(stream);
            } else {
                let (begin, _) = REQUEST.split_at(6);
                stream.write_all(begin)?;
                crowd.writers.push((stream, begin.len()));
            }
        }
        Ok(crowd)
    }

    /// Connects a few that read slowly.
    fn read_slowly(&mut self, port: u16) -> std::io::Result<()> {
        for _ in 0..SLOW_READERS {
            let mut stream = connect(port)?;
            stream.write_all(b"GET long\r\n")?;
            self.readers.push((stream, 0));
        }
        Ok(())
    }

    /// A byte for one, then for the next.
    fn be_slow(&mut self, stop: &AtomicBool) -> std::io::Result<()> {
        let mut turn = 0;
        while !stop.load(Relaxed) {
            turn += 1;
            if let Some((stream, sent)) = of_turn(&mut self.writers, turn)
                && *sent + 1 < REQUEST.len()
            {
                stream.write_all(REQUEST.get(*sent..=*sent).unwrap_or_default())?;
                *sent += 1;
            }
            if let Some((stream, received)) = of_turn(&mut self.readers, turn) {
                stream.read_exact(&mut [0])?;
                *received += 1;
            }
            std::thread::sleep(SLOW_STEP);
        }
        Ok(())
    }

    /// All of them come to an end: each gets the right reply.
    fn finish(&mut self) -> Result<(), BenchError> {
        for stream in &mut self.idle {
            ping(stream)?;
        }
        for (stream, sent) in &mut self.writers {
            stream.write_all(REQUEST.get(*sent..).unwrap_or_default())?;
            expect(stream, REPLY)?;
        }
        let mut whole = format!("${LONG_BYTES}\r\n").into_bytes();
        whole.resize(whole.len() + LONG_BYTES, b'l');
        whole.extend(b"\r\n");
        for (stream, received) in &mut self.readers {
            expect(stream, whole.get(*received..).unwrap_or_default())?;
        }
        Ok(())
    }
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn of_turn<T>(all: &mut [T], turn: usize) -> Option<&mut T> {
    let count = all.len().max(1);
    all.get_mut(turn % count)
}

fn ping(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"PING\r\n")?;
    expect(stream, b"+PONG\r\n")
}

fn expect(stream: &mut TcpStream, expected: &[u8]) -> std::io::Result<()> {
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got)?;
    if got == expected {
        return Ok(());
    }
    let shown = got.get(..got.len().min(60)).unwrap_or_default();
    Err(std::io::Error::other(format!(
        "a connection that waited got another reply: {}",
        shown.escape_ascii()
    )))
}
