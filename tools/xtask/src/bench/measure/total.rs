//! Measure 5: what two cores give in all, load included, each server at the
//! setting of its threads that is best for it.
//!
//! The load has as many threads as there are cores, so that it is never the
//! load that waits.

use crate::bench::BenchError;
use crate::bench::measure::contender::{Contender, Loads, Series};
use crate::bench::measure::mixed;
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::{median, ratios};
use crate::bench::setup::Context;

const KEYS: u64 = 1_000_000;
/// Of one measurement.
const SECONDS: f64 = 4.0;
const SERVERS: [&str; 4] = ["Thermocline", "Valkey", "Redis", "memcached"];
const SETTINGS: [&str; 2] = ["1", "2"];

fn label(server: &str, threads: &str) -> String {
    format!("{server}, threads {threads}")
}

pub(super) fn run(context: &Context, _: Wanted<'_>) -> Result<Findings, BenchError> {
    let keys = context.keys(KEYS);
    let mut contenders = Vec::new();
    for threads in SETTINGS {
        let program = context.thermocline.clone();
        let resp = [("appendfsync", "everysec"), ("io-threads", threads)];
        let with_reads = [resp[0], resp[1], ("io-threads-do-reads", "yes")];
        let memcached = [("memory-limit", "4096"), ("threads", threads)];
        contenders.extend([
            Contender::new(&label("Thermocline", threads), program, &resp),
            Contender::new(&label("Valkey", threads), context.valkey()?, &resp),
            Contender::new(&label("Redis", threads), context.redis()?, &with_reads),
            Contender::new(
                &label("memcached", threads),
                context.memcached()?,
                &memcached,
            ),
        ]);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let loads = mixed::measure(context, "5", &contenders, keys, threads, SECONDS)?;
    let mut verdicts = Vec::new();
    for pipeline in mixed::PIPELINES {
        let ours = best(&loads, &mixed::name(pipeline), "Thermocline");
        for peer in &SERVERS[1..] {
            let theirs = best(&loads, &mixed::name(pipeline), peer);
            verdicts.push(Verdict::new(
                "5",
                format!(
                    "{}: requests/s over {peer}'s, best threads of each",
                    mixed::name(pipeline)
                ),
                ratios(&ours.per_second, &theirs.per_second),
                Goal::AtLeast(1.0),
            ));
        }
    }
    let title = format!("two cores: {keys} keys of 64 B, uniform, 50 connections, everysec");
    Ok(Findings {
        verdicts,
        tables: vec![loads.table(title)],
    })
}

/// The setting with the greatest median.
fn best(loads: &Loads, load: &str, server: &str) -> Series {
    let all = SETTINGS.map(|threads| loads.get(load, &label(server, threads)));
    let order = |a: &Series, b: &Series| median(&a.per_second).total_cmp(&median(&b.per_second));
    all.into_iter().max_by(order).unwrap_or_default()
}
