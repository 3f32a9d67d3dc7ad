//! Measures 1 to 4: the server's CPU time a request where all keys fit.
//!
//! CPU time before throughput: client and server share the cores, and what a
//! request costs the server does not depend on who else runs. Each server is
//! started, filled and measured alone, in turn, round by round.

use crate::bench::BenchError;
use crate::bench::measure::contender::{Contender, Loads};
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::ratios;
use crate::bench::setup::{self, Context, Measured};
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::values::Values;

const KEYS: u64 = 1_000_000;
const VALUES: Values = Values::Fixed { bytes: 64 };
/// Of one measurement.
const SECONDS: f64 = 4.0;

struct Case {
    number: &'static str,
    load: &'static str,
    mix: Mix,
    pipeline: usize,
    /// Of Valkey's CPU time.
    limit: f64,
}

const CASES: [Case; 4] = [
    Case {
        number: "1",
        load: "GET, pipeline 64",
        mix: Mix::GET,
        pipeline: 64,
        limit: 0.45,
    },
    Case {
        number: "2",
        load: "GET, pipeline 16",
        mix: Mix::GET,
        pipeline: 16,
        limit: 0.75,
    },
    Case {
        number: "3",
        load: "GET, pipeline 1",
        mix: Mix::GET,
        pipeline: 1,
        limit: 0.95,
    },
    Case {
        number: "4",
        load: "SET, pipeline 16",
        mix: Mix::SET,
        pipeline: 16,
        limit: 0.65,
    },
];

pub(super) fn run(context: &Context, wanted: Wanted<'_>) -> Result<Findings, BenchError> {
    let keys = context.keys(KEYS);
    let sync = ("appendfsync", "everysec");
    let ours = || context.thermocline.clone();
    let memory = ("memory-limit", "4096");
    let contenders = [
        Contender::new("Valkey", context.valkey()?, &[sync]),
        Contender::new("Thermocline", ours(), &[sync]),
        Contender::new("Redis", context.redis()?, &[sync]),
        Contender::new(
            "Thermocline, 1 thread",
            ours(),
            &[sync, ("io-threads", "1")],
        ),
        Contender::new(
            "memcached",
            context.memcached()?,
            &[memory, ("threads", "2")],
        ),
    ];
    let cases = CASES.iter().filter(|case| wanted.contains(&case.number));
    let mut loads = Loads::default();
    for round in 0..context.rounds {
        for contender in &contenders {
            context.tell("1-4", round, &contender.label);
            let (server, _directory) = contender.start()?;
            let fill = Workload {
                threads: setup::load_threads(),
                ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
            };
            Measured::run(&server, &fill)?.print_error(&contender.label);
            for case in cases.clone() {
                let workload = Workload {
                    order: Order::Uniform { keys },
                    mix: case.mix,
                    pipeline: case.pipeline,
                    duration: Some(context.duration(SECONDS)),
                    seed: 1 + round as u64,
                    ..fill.clone()
                };
                let measured = Measured::run(&server, &workload)?;
                loads.add(case.load, &contender.label, &measured);
                // What is left of the cost without TCP.
                if let Some(address) = server.unix_address() {
                    let measured = Measured::run_at(&server, &address, &workload)?;
                    let load = format!("{}, Unix socket", case.load);
                    loads.add(&load, &contender.label, &measured);
                }
            }
            server.stop();
        }
    }
    let verdicts = cases.map(|case| {
        let cpu = |server| loads.get(case.load, server).cpu_us;
        Verdict::new(
            case.number,
            format!("{}: server CPU a request over Valkey's", case.load),
            ratios(&cpu("Thermocline"), &cpu("Valkey")),
            Goal::AtMost(case.limit),
        )
    });
    Ok(Findings {
        verdicts: verdicts.collect(),
        tables: vec![loads.table(format!(
            "hot keys: {keys} keys of 64 B, uniform, 50 connections, everysec"
        ))],
    })
}
