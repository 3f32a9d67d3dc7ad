//! Keys that all fit in memory: GET and SET of 64 bytes, the log on in both.
//!
//! In each round every server is started, filled and measured alone, one after
//! the other, so that slow minutes of the machine fall on all. Half the cores
//! are the load's: compare requests a CPU-second before requests a second.

use crate::bench::BenchError;
use crate::bench::report::{Cell, Table, median, ratios};
use crate::bench::setup::{self, Context, Measured};
use std::collections::BTreeMap;
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::server::{Program, Server};
use thermocline_benches::values::Values;

const KEYS: u64 = 1_000_000;
const VALUES: Values = Values::Fixed { bytes: 64 };
const PIPELINES: [usize; 3] = [1, 16, 64];
/// Of one measurement.
const SECONDS: f64 = 4.0;
const COLUMNS: &[&str] = &[
    "request",
    "pipeline",
    "server",
    "requests/s",
    "of Valkey",
    "requests/CPU-s",
    "of Valkey per CPU-s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "RSS",
    "bad replies",
];

/// A request (0 GET, 1 SET) and a pipeline.
type Case = (usize, usize);

/// A server under a name, with its own options.
pub(super) struct Contender {
    pub(super) label: &'static str,
    pub(super) program: Program,
    pub(super) options: Vec<(&'static str, &'static str)>,
}

/// Figures of one case and one server, one entry a round.
#[derive(Default)]
pub(super) struct Series {
    pub(super) per_second: Vec<f64>,
    pub(super) per_cpu_second: Vec<f64>,
    pub(super) p50_us: Vec<f64>,
    pub(super) p99_us: Vec<f64>,
    pub(super) p999_us: Vec<f64>,
    pub(super) resident_bytes: u64,
    pub(super) bad_replies: u64,
}

impl Series {
    pub(super) fn add(&mut self, measured: &Measured) {
        let latency = measured.outcome.latency();
        self.per_second.push(measured.outcome.per_second());
        self.per_cpu_second.push(measured.per_cpu_second());
        self.p50_us.push(latency.percentile_us(50.0));
        self.p99_us.push(latency.percentile_us(99.0));
        self.p999_us.push(latency.percentile_us(99.9));
        self.resident_bytes = self.resident_bytes.max(measured.resident_bytes);
        self.bad_replies += measured.bad_replies();
    }

    /// The cells behind the server's name, ratios to `base`.
    pub(super) fn cells(&self, base: &Self) -> Vec<Cell> {
        let of_base = |own: &[f64], base: &[f64]| Cell::Rounds(ratios(own, base));
        vec![
            Cell::Rounds(self.per_second.clone()),
            of_base(&self.per_second, &base.per_second),
            Cell::Rounds(self.per_cpu_second.clone()),
            of_base(&self.per_cpu_second, &base.per_cpu_second),
            Cell::Decimal(median(&self.p50_us)),
            Cell::Decimal(median(&self.p99_us)),
            Cell::Decimal(median(&self.p999_us)),
            Cell::Bytes(self.resident_bytes),
            Cell::Count(self.bad_replies),
        ]
    }
}

pub(super) fn run(context: &Context) -> Result<Vec<Table>, BenchError> {
    let keys = context.keys(KEYS);
    let everysec = ("appendfsync", "everysec");
    let contenders = [
        Contender {
            label: "Valkey",
            program: context.valkey()?,
            options: vec![everysec],
        },
        Contender {
            label: "Thermocline, 1 thread",
            program: context.thermocline.clone(),
            options: vec![everysec, ("io-threads", "1")],
        },
        Contender {
            label: "Thermocline",
            program: context.thermocline.clone(),
            options: vec![everysec],
        },
    ];
    let mut all: BTreeMap<(Case, usize), Series> = BTreeMap::new();
    for round in 0..context.rounds {
        for (who, contender) in contenders.iter().enumerate() {
            println!(
                "hot: round {} of {}, {}",
                round + 1,
                context.rounds,
                contender.label
            );
            for (case, measured) in measure(context, contender, keys)? {
                all.entry((case, who)).or_default().add(&measured);
            }
        }
    }
    let mut table = Table::new(
        format!("hot: {keys} keys of 64 B, 50 connections, everysec"),
        COLUMNS,
    );
    for (&((request, pipeline), who), series) in &all {
        let Some(base) = all.get(&((request, pipeline), 0)) else {
            continue;
        };
        let mut row = vec![
            Cell::text(["GET", "SET"][request]),
            Cell::Count(pipeline as u64),
            Cell::text(contenders[who].label),
        ];
        row.extend(series.cells(base));
        table.row(row);
    }
    Ok(vec![table])
}

/// One server's turn: filled, then each case.
fn measure(
    context: &Context,
    contender: &Contender,
    keys: u64,
) -> Result<Vec<(Case, Measured)>, BenchError> {
    let directory = setup::directory("hot")?;
    let server = Server::start(&contender.program, directory.path(), &contender.options)?;
    let fill = Workload {
        threads: setup::load_threads(),
        ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
    };
    Measured::run(&server, &fill)?.print_error(contender.label);
    let mut found = Vec::new();
    for (request, mix) in [Mix::GET, Mix::SET].into_iter().enumerate() {
        for pipeline in PIPELINES {
            let workload = Workload {
                order: Order::Uniform { keys },
                mix,
                pipeline,
                duration: Some(context.duration(SECONDS)),
                ..fill.clone()
            };
            let measured = Measured::run(&server, &workload)?;
            measured.print_error(contender.label);
            found.push(((request, pipeline), measured));
        }
    }
    server.stop();
    Ok(found)
}
