//! Measure 15: what clients wait for while a data set grows from nothing.
//!
//! An open loop: SETs are due at a fixed pace and their latency counts from
//! then, so that a pause of the server is seen by every request due in it.

use crate::bench::BenchError;
use crate::bench::measure::contender::{Contender, Loads};
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::{Cell, Table, median};
use crate::bench::setup::{self, Context, Measured};
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::values::Values;

const KEYS: u64 = 20_000_000;
const VALUES: Values = Values::Fixed { bytes: 64 };
/// What one core of each server measured so far can do without a queue.
const PACE_PER_SECOND: f64 = 80_000.0;
/// Each takes four minutes a server.
const MOST_ROUNDS: usize = 3;
const LOAD: &str = "SET of new keys";

pub(super) fn run(context: &Context, _: Wanted<'_>) -> Result<Findings, BenchError> {
    let keys = context.keys(KEYS);
    // Nothing sinks: what is measured is the growth of the index.
    let maxmemory = ("maxmemory", "8gb");
    let contenders = [
        Contender::new("Thermocline", context.thermocline.clone(), &[maxmemory]),
        Contender::new("Valkey", context.valkey()?, &[maxmemory]),
        Contender::new("Redis", context.redis()?, &[maxmemory]),
    ];
    let mut loads = Loads::default();
    for round in 0..context.rounds.min(MOST_ROUNDS) {
        for contender in &contenders {
            context.tell("15", round, &contender.label);
            let (server, _directory) = contender.start()?;
            let growth = Workload {
                threads: setup::load_threads(),
                pace_per_second: Some(PACE_PER_SECOND),
                // What is due during a pause is sent behind it at once.
                pipeline: 256,
                ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
            };
            loads.add(LOAD, &contender.label, &Measured::run(&server, &growth)?);
            server.stop();
        }
    }
    let mut table = Table::new(
        "waits while growing",
        &["server", "p99.99 ms", "longest ms"],
    );
    let in_ms = |figures: &[f64]| figures.iter().map(|us| us / 1000.0).collect::<Vec<_>>();
    for contender in &contenders {
        let series = loads.get(LOAD, &contender.label);
        table.row(vec![
            Cell::text(&contender.label),
            Cell::Rounds(in_ms(&series.p9999_us)),
            Cell::Rounds(in_ms(&series.max_us)),
        ]);
    }
    let ours = loads.get(LOAD, "Thermocline");
    let kept_pace = median(&ours.per_second) > PACE_PER_SECOND * 0.95;
    let verdict = Verdict::new(
        "15",
        format!("ms a client waits at p99.99 while 0 grows to {keys} keys"),
        in_ms(&ours.p9999_us),
        Goal::AtMost(5.0),
    );
    let title = format!(
        "growth: 0 to {keys} keys of 64 B, {PACE_PER_SECOND} SETs a second due, 50 connections, everysec"
    );
    Ok(Findings {
        verdicts: vec![verdict.void_if(!kept_pace, "the machine could not keep the pace")],
        tables: vec![loads.table(title), table],
    })
}
