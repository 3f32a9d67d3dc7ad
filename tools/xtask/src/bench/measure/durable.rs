//! Measure 14: writes that are on the disk before they are acknowledged,
//! beside reads.

use crate::bench::BenchError;
use crate::bench::measure::contender::Contender;
use crate::bench::measure::mixed;
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::ratios;
use crate::bench::setup::{self, Context};

const KEYS: u64 = 500_000;
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
    let threads = setup::load_threads();
    let loads = mixed::measure(context, "14", &contenders, keys, threads, SECONDS)?;
    let mut verdicts = Vec::new();
    for pipeline in mixed::PIPELINES {
        let rate = |server: &str| loads.get(&mixed::name(pipeline), server).per_second;
        let ours = rate("Thermocline always");
        for (base, limit) in [("Valkey always", 1.8), ("Thermocline everysec", 0.9)] {
            verdicts.push(Verdict::new(
                "14",
                format!("{}: always, requests/s over {base}", mixed::name(pipeline)),
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
