//! One SET to ten GETs, as measures 5 and 14 send them to their contenders.
//!
//! Owns the load and the rounds. Does not own who meets, nor the goals.

use crate::bench::BenchError;
use crate::bench::measure::contender::{Contender, Loads};
use crate::bench::setup::{Context, Measured};
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::values::Values;

/// Requests on the way on each connection.
pub(super) const PIPELINES: [usize; 2] = [1, 16];
const VALUES: Values = Values::Fixed { bytes: 64 };
const MIX: Mix = Mix { sets: 1, gets: 10 };

/// What the load of a pipeline is called in tables.
pub(super) fn name(pipeline: usize) -> String {
    format!("SET:GET 1:10, pipeline {pipeline}")
}

/// Measures each contender in each round on `keys` keys, for so many seconds a pipeline.
pub(super) fn measure(
    context: &Context,
    number: &str,
    contenders: &[Contender],
    keys: u64,
    threads: usize,
    seconds: f64,
) -> Result<Loads, BenchError> {
    let mut loads = Loads::default();
    for round in 0..context.rounds {
        for contender in contenders {
            context.tell(number, round, &contender.label);
            let (server, _directory) = contender.start()?;
            let fill = Workload {
                threads,
                ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
            };
            Measured::run(&server, &fill)?.print_error(&contender.label);
            for pipeline in PIPELINES {
                let workload = Workload {
                    order: Order::Uniform { keys },
                    mix: MIX,
                    pipeline,
                    duration: Some(context.duration(seconds)),
                    seed: 1 + round as u64,
                    ..fill.clone()
                };
                let measured = Measured::run(&server, &workload)?;
                loads.add(&name(pipeline), &contender.label, &measured);
            }
            server.stop();
        }
    }
    Ok(loads)
}
