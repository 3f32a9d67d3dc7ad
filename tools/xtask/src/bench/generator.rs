//! The load of this project beside `redis-benchmark`, against the same server:
//! whether the two agree on what a server can do.
//!
//! Both ask for random keys of the same names on as many connections with the
//! same pipelines. What is compared first is the server's CPU time a request,
//! which no generator should change.

use crate::bench::BenchError;
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
const PIPELINES: [usize; 2] = [1, 16];
/// Of one measurement.
const SECONDS: f64 = 5.0;
const COLUMNS: &[&str] = &["pipeline", "generator", "requests/s", "CPU µs a request"];

pub(super) fn run(context: &Context) -> Result<Vec<Table>, BenchError> {
    let keys = context.keys(KEYS);
    let directory = setup::directory("generator")?;
    let server = Server::start(
        &context.valkey()?,
        directory.path(),
        &[("appendonly", "no")],
    )?;
    let fill = Workload {
        threads: setup::load_threads(),
        ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
    };
    Measured::run(&server, &fill)?.print_error("generator");
    let title = format!("generators: GET of {keys} keys of 64 B from Valkey, 50 connections");
    let mut table = Table::new(title, COLUMNS);
    for pipeline in PIPELINES {
        let mut own = (Vec::new(), Vec::new());
        let mut other = (Vec::new(), Vec::new());
        for round in 0..context.rounds {
            context.tell("of the generators", round, &format!("pipeline {pipeline}"));
            let workload = Workload {
                order: Order::Uniform { keys },
                mix: Mix::GET,
                pipeline,
                duration: Some(context.duration(SECONDS)),
                ..fill.clone()
            };
            let measured = Measured::run(&server, &workload)?;
            own.0.push(measured.outcome.per_second());
            own.1.push(1e6 / measured.per_cpu_second());
            let requests = measured.outcome.requests.max(1000);
            let before = Usage::of(server.pid())?;
            other
                .0
                .push(redis_benchmark(&server, keys, pipeline, requests)?);
            let used = Usage::of(server.pid())?.since(&before);
            other.1.push(used.cpu.as_secs_f64() * 1e6 / requests as f64);
        }
        for (name, (per_second, cpu_us)) in [("ours", own), ("redis-benchmark", other)] {
            println!("{name}: {:.3} µs a request", median(&cpu_us));
            table.row(vec![
                Cell::Count(pipeline as u64),
                Cell::text(name),
                Cell::Rounds(per_second),
                Cell::Rounds(cpu_us),
            ]);
        }
    }
    server.stop();
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
