//! Measure 14: writes that are on the disk before they are acknowledged,
//! beside reads.

use crate::bench::BenchError;
use crate::bench::measure::contender::{Contender, Loads};
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::ratios;
use crate::bench::setup::{self, Context, Measured};
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::values::Values;

const KEYS: u64 = 500_000;
const VALUES: Values = Values::Fixed { bytes: 64 };
const PIPELINES: [usize; 2] = [1, 16];
const MIX: Mix = Mix { sets: 1, gets: 10 };
/// Of one measurement.
const SECONDS: f64 = 6.0;

pub(super) fn run(context: &Context, _: Wanted<'_>) -> Result<Findings, BenchError> {
    let keys = context.keys(KEYS);
    let always: &[(&str, &str)] = &[("appendfsync", "always")];
    let everysec: &[(&str, &str)] = &[("appendfsync", "everysec")];
    let ours = || context.thermocline.clone();
    let contenders = [
        Contender::new("Valkey always", context.valkey()?, always),
        Contender::new("Thermocline always", ours(), always),
        Contender::new("Thermocline everysec", ours(), everysec),
        Contender::new("Redis always", context.redis()?, always),
    ];
    let load = |pipeline| format!("SET:GET 1:10, pipeline {pipeline}");
    let mut loads = Loads::default();
    for round in 0..context.rounds {
        for contender in &contenders {
            context.tell("14", round, &contender.label);
            let (server, _directory) = contender.start()?;
            let fill = Workload {
                threads: setup::load_threads(),
                ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
            };
            Measured::run(&server, &fill)?.print_error(&contender.label);
            for pipeline in PIPELINES {
                let workload = Workload {
                    order: Order::Uniform { keys },
                    mix: MIX,
                    pipeline,
                    duration: Some(context.duration(SECONDS)),
                    seed: 1 + round as u64,
                    ..fill.clone()
                };
                let measured = Measured::run(&server, &workload)?;
                loads.add(&load(pipeline), &contender.label, &measured);
            }
            server.stop();
        }
    }
    let mut verdicts = Vec::new();
    for pipeline in PIPELINES {
        let rate = |server: &str| loads.get(&load(pipeline), server).per_second;
        let ours = rate("Thermocline always");
        for (base, limit) in [("Valkey always", 1.8), ("Thermocline everysec", 0.9)] {
            verdicts.push(Verdict::new(
                "14",
                format!("{}: always, requests/s over {base}", load(pipeline)),
                ratios(&ours, &rate(base)),
                Goal::AtLeast(limit),
            ));
        }
    }
    let title = format!("durable writes: {keys} keys of 64 B, uniform, 50 connections");
    Ok(Findings {
        verdicts,
        tables: vec![loads.table(title)],
    })
}
