//! Cold GETs with 32 and with 128 on the way, beside what the disk gives to fio
//! with as many reads of 4 KiB on the way.
//!
//! Keys are read uniformly from the part of the data set that sank first, so
//! that almost every GET is a read of the tier; how many were is counted.

use crate::bench::BenchError;
use crate::bench::fio;
use crate::bench::larger::{begin_checkpoint, wait_for_checkpoint};
use crate::bench::report::{Cell, Table, median, ratios};
use crate::bench::setup::{self, Context, Measured};
use thermocline_benches::address::Address;
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Refill, Workload};
use thermocline_benches::server::Server;

const KEYS: u64 = 4_000_000;
const VALUE_BYTES: usize = 1024;
const MAXMEMORY_BYTES: u64 = 512 << 20;
/// Requests on the way: the larger number keeps the disk busy also where it tells of its
/// reads only once it has none left, while the processor works on those that are done.
const DEPTH: usize = 32;
const LARGER_DEPTH: usize = 128;
/// Of one measurement.
const SECONDS: f64 = 8.0;
const COLUMNS: &[&str] = &[
    "what",
    "per second",
    "tier reads/s",
    "tier reads/s of fio",
    "tier reads a GET",
    "p50 µs",
    "p99 µs",
    "p99 of fio",
    "requests/CPU-s",
    "bad replies",
];

#[derive(Default)]
struct Series {
    per_second: Vec<f64>,
    reads_per_second: Vec<f64>,
    reads_per_request: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
    per_cpu_second: Vec<f64>,
    bad_replies: u64,
}

pub(super) fn run(context: &Context) -> Result<Vec<Table>, BenchError> {
    fio::check()?;
    let keys = context.keys(KEYS);
    let maxmemory_bytes = context.maxmemory_bytes(MAXMEMORY_BYTES);
    let directory = setup::directory("cold")?;
    let server = Server::start(
        &context.thermocline,
        directory.path(),
        &[("maxmemory", &maxmemory_bytes.to_string())],
    )?;
    let values = setup::text_values(VALUE_BYTES)?;
    let threads = setup::load_threads();
    println!("cold: filling");
    let fill = Workload {
        threads,
        ..Workload::pass(Order::all(keys), values, Mix::SET)
    };
    Measured::run(&server, &fill)?.print_error("cold");
    let mut client = server.client()?;
    let ended = begin_checkpoint(&mut client)?;
    wait_for_checkpoint(&mut client, ended)?;
    let files = fio::segment_files(&directory.path().join("data"))?;

    // Windows that slide: a request is sent for each reply.
    let tcp = Address::Tcp(server.port());
    let unix = server.unix_address().unwrap_or_else(|| tcp.clone());
    let shapes = [
        ("GET, 32 connections of 1 on the way", DEPTH, 1, &tcp),
        ("the same over a Unix socket", DEPTH, 1, &unix),
        ("GET, 4 connections of 8 on the way", 4, DEPTH / 4, &tcp),
        ("the same over a Unix socket", 4, DEPTH / 4, &unix),
        ("GET, 1 connection of 32 on the way", 1, DEPTH, &tcp),
        ("the same over a Unix socket", 1, DEPTH, &unix),
        (
            "GET, 8 connections of 16 on the way",
            8,
            LARGER_DEPTH / 8,
            &tcp,
        ),
    ];
    let mut disks = [DEPTH, LARGER_DEPTH].map(|depth| (depth, Series::default()));
    let mut gets = shapes.map(|_| Series::default());
    let mut engine = "";
    for round in 0..context.rounds {
        println!("cold: round {} of {}", round + 1, context.rounds);
        for (depth, disk) in &mut disks {
            let reads = fio::random_reads(&files, *depth, context.duration(SECONDS))?;
            engine = reads.engine;
            disk.reads_per_second.push(reads.per_second);
            disk.p99_us.push(reads.p99_us);
        }
        let pairs = gets.iter_mut().zip(shapes).enumerate();
        for (shape, (series, (_, connections, pipeline, address))) in pairs {
            let workload = Workload {
                order: Order::Uniform {
                    keys: keys / 10 * 8,
                },
                mix: Mix::GET,
                connections,
                pipeline,
                refill: Refill::Each,
                duration: Some(context.duration(SECONDS)),
                // No order comes twice: keys read before would be in memory.
                seed: 100 + (round * shapes.len() + shape) as u64,
                ..fill.clone()
            };
            let before = client.info()?.number("tier_reads");
            let measured = Measured::run_at(&server, address, &workload)?;
            let reads = (client.info()?.number("tier_reads") - before) as f64;
            measured.print_error("cold");
            series.add(&measured, reads);
        }
    }
    drop(client);
    server.stop();
    let mut table = Table::new(
        format!(
            "cold: {keys} keys of {VALUE_BYTES} B text, maxmemory {} MiB, fio on {} segment files with {engine}",
            maxmemory_bytes >> 20,
            files.len()
        ),
        COLUMNS,
    );
    for (depth, disk) in &disks {
        table.row(vec![
            Cell::Text(format!("fio, 4 KiB random, depth {depth}")),
            Cell::Rounds(disk.reads_per_second.clone()),
            Cell::Nothing,
            Cell::Nothing,
            Cell::Nothing,
            Cell::Nothing,
            Cell::Decimal(median(&disk.p99_us)),
            Cell::Nothing,
            Cell::Nothing,
            Cell::Nothing,
        ]);
    }
    for (series, (label, connections, pipeline, _)) in gets.iter().zip(shapes) {
        let depth = connections * pipeline;
        let disk = disks.iter().find(|(of, _)| *of == depth);
        let (_, disk) = disk.unwrap_or(&disks[0]);
        table.row(series.cells(label, disk));
    }
    Ok(vec![table])
}

impl Series {
    fn add(&mut self, measured: &Measured, reads: f64) {
        let outcome = &measured.outcome;
        let latency = outcome.latency();
        self.per_second.push(outcome.per_second());
        self.reads_per_second
            .push(reads / outcome.elapsed.as_secs_f64().max(1e-9));
        self.reads_per_request
            .push(reads / outcome.requests.max(1) as f64);
        self.p50_us.push(latency.percentile_us(50.0));
        self.p99_us.push(latency.percentile_us(99.0));
        self.per_cpu_second.push(measured.per_cpu_second());
        self.bad_replies += measured.bad_replies();
    }

    fn cells(&self, label: &str, disk: &Self) -> Vec<Cell> {
        vec![
            Cell::text(label),
            Cell::Rounds(self.per_second.clone()),
            Cell::Rounds(self.reads_per_second.clone()),
            Cell::Rounds(ratios(&self.reads_per_second, &disk.reads_per_second)),
            Cell::Decimal(median(&self.reads_per_request)),
            Cell::Decimal(median(&self.p50_us)),
            Cell::Decimal(median(&self.p99_us)),
            Cell::Rounds(ratios(&self.p99_us, &disk.p99_us)),
            Cell::Decimal(median(&self.per_cpu_second)),
            Cell::Count(self.bad_replies),
        ]
    }
}
