//! Durable writes beside reads: one SET for ten GETs at 50 connections, with a
//! sync before each acknowledgement, with a sync a second, and Valkey's
//! `always`.

use crate::bench::BenchError;
use crate::bench::hot::{Contender, Series};
use crate::bench::report::{Cell, Table};
use crate::bench::setup::{self, Context, Measured};
use std::collections::BTreeMap;
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::server::Server;
use thermocline_benches::values::Values;

const KEYS: u64 = 500_000;
const VALUES: Values = Values::Fixed { bytes: 64 };
const PIPELINES: [usize; 2] = [1, 16];
const MIX: Mix = Mix { sets: 1, gets: 10 };
/// Of one measurement.
const SECONDS: f64 = 4.0;
const COLUMNS: &[&str] = &[
    "pipeline",
    "server",
    "requests/s",
    "of Valkey always",
    "requests/CPU-s",
    "of Valkey always per CPU-s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "RSS",
    "bad replies",
];

pub(super) fn run(context: &Context) -> Result<Vec<Table>, BenchError> {
    let keys = context.keys(KEYS);
    let contenders = [
        Contender {
            label: "Valkey always",
            program: context.valkey()?,
            options: vec![("appendfsync", "always")],
        },
        Contender {
            label: "Thermocline always",
            program: context.thermocline.clone(),
            options: vec![("appendfsync", "always")],
        },
        Contender {
            label: "Thermocline everysec",
            program: context.thermocline.clone(),
            options: vec![("appendfsync", "everysec")],
        },
    ];
    let mut all: BTreeMap<(usize, usize), Series> = BTreeMap::new();
    for round in 0..context.rounds {
        for (who, contender) in contenders.iter().enumerate() {
            println!(
                "always: round {} of {}, {}",
                round + 1,
                context.rounds,
                contender.label
            );
            let directory = setup::directory("always")?;
            let server = Server::start(&contender.program, directory.path(), &contender.options)?;
            let fill = Workload {
                threads: setup::load_threads(),
                ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
            };
            Measured::run(&server, &fill)?.print_error(contender.label);
            for pipeline in PIPELINES {
                let workload = Workload {
                    order: Order::Uniform { keys },
                    mix: MIX,
                    pipeline,
                    duration: Some(context.duration(SECONDS)),
                    ..fill.clone()
                };
                let measured = Measured::run(&server, &workload)?;
                measured.print_error(contender.label);
                all.entry((pipeline, who)).or_default().add(&measured);
            }
            server.stop();
        }
    }
    let mut table = Table::new(
        format!("always: {keys} keys of 64 B, SET:GET 1:10, 50 connections"),
        COLUMNS,
    );
    for (&(pipeline, who), series) in &all {
        let Some(base) = all.get(&(pipeline, 0)) else {
            continue;
        };
        let mut row = vec![
            Cell::Count(pipeline as u64),
            Cell::text(contenders[who].label),
        ];
        row.extend(series.cells(base));
        table.row(row);
    }
    Ok(vec![table])
}
