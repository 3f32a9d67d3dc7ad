//! The load of this project beside `redis-benchmark`, against the same servers:
//! whether the two agree on what a server can do.
//!
//! Both ask for random keys of the same names on as many connections with the
//! same pipelines. What is compared first is the server's CPU time a request,
//! which no generator should change, and what follows from it for two servers.

use crate::bench::BenchError;
use crate::bench::hot::Contender;
use crate::bench::report::{Cell, Table, median};
use crate::bench::setup::{self, Context, Measured};
use crate::step::{StepError, output};
use std::process::Command;
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::process::Usage;
use thermocline_benches::server::Server;
use thermocline_benches::values::Values;

const KEYS: u64 = 1_000_000;
const VALUES: Values = Values::Fixed { bytes: 64 };
const PIPELINES: [usize; 3] = [1, 16, 64];
/// Of one measurement.
const SECONDS: f64 = 4.0;
const COLUMNS: &[&str] = &[
    "server",
    "pipeline",
    "generator",
    "requests/s",
    "CPU µs a request",
];

/// Figures of one server, pipeline and generator, one entry a round.
#[derive(Default)]
struct Series {
    per_second: Vec<f64>,
    cpu_us: Vec<f64>,
}

pub(super) fn run(context: &Context) -> Result<Vec<Table>, BenchError> {
    let keys = context.keys(KEYS);
    let no_log = ("appendonly", "no");
    let contenders = [
        Contender {
            label: "Valkey",
            program: context.valkey()?,
            options: vec![no_log],
        },
        Contender {
            label: "Thermocline, 1 thread",
            program: context.thermocline.clone(),
            options: vec![no_log, ("io-threads", "1")],
        },
    ];
    let fill = Workload {
        threads: setup::load_threads(),
        ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
    };
    let title = format!("generators: GET of {keys} keys of 64 B, 50 connections");
    let mut table = Table::new(title, COLUMNS);
    for contender in &contenders {
        let directory = setup::directory("generator")?;
        let server = Server::start(&contender.program, directory.path(), &contender.options)?;
        Measured::run(&server, &fill)?.print_error("generator");
        for pipeline in PIPELINES {
            let workload = Workload {
                order: Order::Uniform { keys },
                mix: Mix::GET,
                pipeline,
                duration: Some(context.duration(SECONDS)),
                ..fill.clone()
            };
            let (mut own, mut other) = (Series::default(), Series::default());
            for round in 0..context.rounds {
                context.tell("of the generators", round, &format!("pipeline {pipeline}"));
                let measured = Measured::run(&server, &workload)?;
                own.per_second.push(measured.outcome.per_second());
                own.cpu_us.push(1e6 / measured.per_cpu_second());
                let requests = measured.outcome.requests.max(1000);
                let before = Usage::of(server.pid())?;
                let rate = redis_benchmark(&server, keys, pipeline, requests)?;
                other.per_second.push(rate);
                let used = Usage::of(server.pid())?.since(&before);
                let cpu_us = used.cpu.as_secs_f64() * 1e6 / requests as f64;
                other.cpu_us.push(cpu_us);
            }
            for (generator, series) in [("ours", own), ("redis-benchmark", other)] {
                let label = contender.label;
                println!(
                    "{label}, {generator}: {:.3} µs a request",
                    median(&series.cpu_us)
                );
                table.row(vec![
                    Cell::text(label),
                    Cell::Count(pipeline as u64),
                    Cell::text(generator),
                    Cell::Rounds(series.per_second),
                    Cell::Rounds(series.cpu_us),
                ]);
            }
        }
        server.stop();
    }
    Ok(vec![table])
}

/// Requests a second, as it says.
fn redis_benchmark(
    server: &Server,
    keys: u64,
    pipeline: usize,
    requests: u64,
) -> Result<f64, BenchError> {
    let program = setup::installed("redis-benchmark", "redis-tools")?;
    let printed = output(Command::new(program).args([
        "-p",
        &server.port().to_string(),
        "-t",
        "get",
        "--csv",
        "-c",
        "50",
        "-r",
        &keys.to_string(),
        "-P",
        &pipeline.to_string(),
        "-n",
        &requests.to_string(),
    ]))?;
    let printed = String::from_utf8_lossy(&printed);
    let rate = printed.lines().find_map(|line| {
        let rest = line.strip_prefix("\"GET\",\"")?;
        rest.split('"').next()?.parse().ok()
    });
    rate.ok_or_else(|| {
        StepError::Missing(format!("redis-benchmark printed no rate: {printed}")).into()
    })
}
