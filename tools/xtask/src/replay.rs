//! `cargo xtask replay`: a recorded access pattern against the daemon.
//!
//! Owns the run: every key of the trace is written first, so that a GET that
//! finds nothing is a lost key; then the trace is played cache-aside (GET, and
//! SET where it finds nothing) from many connections that share one cursor, so
//! the order is the trace's but for what is on the way. Beside the share of
//! GETs that needed no disk stands what exact LRU and S3-FIFO would have had.

mod lru;
mod s3_fifo;
mod trace;

use crate::bench::BenchError;
use crate::bench::report::{self, Cell, Table};
use crate::bench::setup::{self, Measured, Profile};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use thermocline_benches::keys::{KEY_BYTES, Order};
use thermocline_benches::load::{Mix, Refill, Workload};
use thermocline_benches::server::{Program, Server};
use thermocline_benches::values::Values;
pub(crate) use trace::Trace;

/// Of a table of [`Played::cells`].
pub(crate) const COLUMNS: &[&str] = &[
    "of data",
    "maxmemory",
    "hot keys at the end",
    "GETs",
    "from RAM",
    "LRU in maxmemory",
    "LRU of as many keys",
    "S3-FIFO in maxmemory",
    "S3-FIFO of as many keys",
    "reads a GET",
    "GETs/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "max RSS",
    "lost",
    "wrong",
    "errors",
];

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// The trace, with lines of `first count ignored ignored`; may be
    /// compressed by zstd.
    file: PathBuf,
    /// The daemon's memory in percent of keys and values.
    #[arg(long, value_delimiter = ',', default_values_t = [5, 10, 20])]
    maxmemory_percent: Vec<u64>,
    /// The size of each value, of bytes that do not compress.
    #[arg(long, default_value_t = 1024)]
    value_bytes: usize,
    /// Connections, each with one request on the way.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Only this many requests of the trace.
    #[arg(long)]
    requests: Option<usize>,
    /// The daemon; built in release mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Plays the trace once for each size of memory.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let trace = Trace::read(&options.file, options.requests)?;
    let requests: Arc<[u32]> = Arc::from(trace.requests);
    let program = setup::thermocline(options.binary.as_deref(), Profile::Release)?;
    let name = options.file.file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let mut table = Table::new(
        format!(
            "{name}: {} requests to {} keys of {} B on {} connections",
            requests.len(),
            trace.keys,
            options.value_bytes,
            options.connections
        ),
        COLUMNS,
    );
    for &percent in &options.maxmemory_percent {
        println!("replay: {name} at {percent} %");
        let play = Play {
            program: &program,
            requests: &requests,
            keys: trace.keys,
            value_bytes: options.value_bytes,
            connections: options.connections,
            maxmemory_percent: percent,
        };
        table.row(play.run()?.cells);
    }
    let short = name.split('.').next().unwrap_or_default();
    report::publish(&format!("replay-{short}"), 1.0, 1, &[table])
}

/// A trace and how to play it.
pub(crate) struct Play<'a> {
    /// The daemon.
    pub(crate) program: &'a Program,
    /// Each a key's number.
    pub(crate) requests: &'a Arc<[u32]>,
    /// How many different keys.
    pub(crate) keys: u64,
    /// The size of each value.
    pub(crate) value_bytes: usize,
    /// Each with one request on the way.
    pub(crate) connections: usize,
    /// The daemon's memory in percent of keys and values.
    pub(crate) maxmemory_percent: u64,
}

/// What came of it: shares of the GETs.
pub(crate) struct Played {
    /// That needed no read of the disk.
    pub(crate) from_memory: f64,
    /// That exact LRU of `maxmemory` bytes of keys and values would have had.
    pub(crate) lru: f64,
    /// That S3-FIFO would have had.
    pub(crate) s3_fifo: f64,
    /// GETs that found nothing or something else, and errors.
    pub(crate) bad_replies: u64,
    /// All of it, by [`COLUMNS`].
    pub(crate) cells: Vec<Cell>,
}

impl Play<'_> {
    /// Writes every key, then plays the trace.
    pub(crate) fn run(&self) -> Result<Played, BenchError> {
        play(self)
    }
}

fn play(options: &Play<'_>) -> Result<Played, BenchError> {
    let Play {
        program,
        requests,
        keys,
        maxmemory_percent: percent,
        ..
    } = *options;
    let entry_bytes = (KEY_BYTES + options.value_bytes) as u64;
    let maxmemory_bytes = keys * entry_bytes * percent / 100;
    let directory = setup::directory("replay")?;
    let server = Server::start(
        program,
        directory.path(),
        &[("maxmemory", &maxmemory_bytes.to_string())],
    )?;
    let values = Values::Fixed {
        bytes: options.value_bytes,
    };
    let fill = Workload {
        threads: setup::load_threads(),
        ..Workload::pass(Order::all(keys), values, Mix::SET)
    };
    Measured::run(&server, &fill)?.print_error("fill");

    let mut client = server.client()?;
    let before = client.info()?;
    let workload = Workload {
        order: Order::Listed(Arc::clone(requests)),
        mix: Mix::GET,
        connections: options.connections,
        pipeline: 1,
        refill: Refill::Each,
        set_missing: true,
        ..fill
    };
    let measured = Measured::run(&server, &workload)?;
    measured.print_error("replay");
    let after = client.info()?;
    drop(client);
    server.stop();

    let outcome = &measured.outcome;
    let latency = &outcome.get_latency;
    let gets = requests.len() as u64;
    let reads = after.number("tier_reads") - before.number("tier_reads");
    let reads_per_get = reads as f64 / gets.max(1) as f64;
    let hot_keys = after.number("tier_hot_keys");
    // Concurrent GETs of one key share a read, so this is what the disk saw.
    let from_memory = (1.0 - reads_per_get).max(0.0);
    let held = maxmemory_bytes / entry_bytes;
    let lru = lru::hit_share(requests, keys, held);
    let s3_fifo = s3_fifo::hit_share(requests, keys, held);
    let cells = vec![
        Cell::Share(percent as f64 / 100.0),
        Cell::Bytes(maxmemory_bytes),
        Cell::Count(hot_keys),
        Cell::Count(gets),
        Cell::Share(from_memory),
        Cell::Share(lru),
        Cell::Share(lru::hit_share(requests, keys, hot_keys)),
        Cell::Share(s3_fifo),
        Cell::Share(s3_fifo::hit_share(requests, keys, hot_keys)),
        Cell::Decimal(reads_per_get),
        Cell::Decimal(outcome.per_second()),
        Cell::Decimal(latency.percentile_us(50.0)),
        Cell::Decimal(latency.percentile_us(99.0)),
        Cell::Decimal(latency.percentile_us(99.9)),
        Cell::Bytes(measured.resident_bytes),
        Cell::Count(outcome.missing),
        Cell::Count(outcome.wrong),
        Cell::Count(outcome.errors),
    ];
    Ok(Played {
        from_memory,
        lru,
        s3_fifo,
        bad_replies: measured.bad_replies(),
        cells,
    })
}

/// The share of `requests` that a cache answers, having seen all `keys` keys once in order,
/// as the daemon has when it is filled. `touch` uses a key, and says whether it was held.
fn hit_share(requests: &[u32], keys: u64, mut touch: impl FnMut(u32) -> bool) -> f64 {
    for key in 0..keys as u32 {
        touch(key);
    }
    let hits = requests.iter().filter(|&&key| touch(key)).count();
    hits as f64 / requests.len().max(1) as f64
}
