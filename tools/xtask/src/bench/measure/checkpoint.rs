//! Measure 12: a checkpoint under writes, beside Valkey's BGSAVE.
//!
//! A tenth of the keys is dirty, and the writes that go on touch only those.
//! The load is an open loop far below what the servers can do, so that what
//! its latencies show is the checkpoint.

use crate::bench::BenchError;
use crate::bench::measure::contender::{Contender, Loads};
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::{Cell, Table, ratios};
use crate::bench::setup::{self, Context, Measured};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thermocline_benches::client::Client;
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::process::resident_bytes;
use thermocline_benches::server::{Kind, Server};
use thermocline_benches::values::Values;

const KEYS: u64 = 4_000_000;
const VALUES: Values = Values::Fixed { bytes: 256 };
const PACE_PER_SECOND: f64 = 20_000.0;
/// Of the load before the checkpoint.
const SECONDS: f64 = 10.0;
const LIMIT: Duration = Duration::from_secs(600);
const BEFORE: &str = "SET, no checkpoint";
const DURING: &str = "SET, during the checkpoint";
const COLUMNS: &[&str] = &[
    "server",
    "checkpoint s",
    "bytes of the checkpoint",
    "RSS before",
    "RSS at most above it",
    "copied on write",
];

/// One entry a round.
#[derive(Default)]
struct Cost {
    seconds: Vec<f64>,
    bytes: Vec<f64>,
    resident: u64,
    extra_share: Vec<f64>,
    copied_bytes: u64,
}

pub(super) fn run(context: &Context, _: Wanted<'_>) -> Result<Findings, BenchError> {
    let keys = context.keys(KEYS);
    // Only the checkpoints that are asked for.
    let by_hand = [
        ("maxmemory", "12gb"),
        ("checkpoint-interval-ms", "3600000"),
        ("checkpoint-wal-bytes", "8gb"),
    ];
    let contenders = [
        Contender::new("Thermocline", context.thermocline.clone(), &by_hand),
        Contender::new("Valkey", context.valkey()?, &[("appendonly", "no")]),
    ];
    let mut loads = Loads::default();
    let mut costs = [Cost::default(), Cost::default()];
    for round in 0..context.rounds {
        for (contender, cost) in contenders.iter().zip(&mut costs) {
            context.tell("12", round, &contender.label);
            let (server, directory) = contender.start()?;
            let data = directory.path().join("data");
            let fill = Workload {
                threads: setup::load_threads(),
                ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
            };
            Measured::run(&server, &fill)?.print_error(&contender.label);
            checkpoint(&mut server.client()?)?;
            let dirty = Workload {
                order: Order::all(keys / 10),
                version: |_| 2,
                ..fill
            };
            Measured::run(&server, &dirty)?.print_error(&contender.label);
            let writes = Workload {
                order: Order::Uniform { keys: keys / 10 },
                pace_per_second: Some(PACE_PER_SECOND),
                duration: Some(context.duration(SECONDS)),
                ..dirty
            };
            let quiet = Measured::run(&server, &writes)?;
            loads.add(BEFORE, &contender.label, &quiet);
            let kind = contender.program.kind;
            let during = measure(&server, &writes, &quiet, kind, &data, cost)?;
            loads.add(DURING, &contender.label, &during);
            server.stop();
        }
    }
    let [ours, theirs] = &costs;
    let series = loads.get(DURING, "Thermocline");
    let before = loads.get(BEFORE, "Thermocline");
    let verdict = |what: &str, figures, goal| Verdict::new("12", what, figures, goal);
    let in_ms = series.max_us.iter().map(|us| us / 1000.0).collect();
    let verdicts = vec![
        verdict(
            "bytes of a checkpoint with a tenth dirty over Valkey's RDB",
            ratios(&ours.bytes, &theirs.bytes),
            Goal::AtMost(0.2),
        ),
        verdict(
            "share of RSS on top during the checkpoint",
            ours.extra_share.clone(),
            Goal::AtMost(0.02),
        ),
        verdict(
            "p99.9 during the checkpoint over p99.9 without",
            ratios(&series.p999_us, &before.p999_us),
            Goal::AtMost(1.2),
        ),
        verdict(
            "longest wait of a client during the checkpoint, ms",
            in_ms,
            Goal::AtMost(2.0),
        ),
    ];
    let mut table = Table::new("what a checkpoint costs", COLUMNS);
    for (contender, cost) in contenders.iter().zip(&costs) {
        table.row(vec![
            Cell::text(&contender.label),
            Cell::Rounds(cost.seconds.clone()),
            Cell::Rounds(cost.bytes.clone()),
            Cell::Bytes(cost.resident),
            Cell::Rounds(cost.extra_share.clone()),
            Cell::Bytes(cost.copied_bytes),
        ]);
    }
    let title = format!(
        "checkpoint: {keys} keys of 256 B, a tenth dirty, {PACE_PER_SECOND} SETs a second due"
    );
    Ok(Findings {
        verdicts,
        tables: vec![loads.table(title), table],
    })
}

/// The load while one checkpoint runs, from its begin to its end.
fn measure(
    server: &Server,
    writes: &Workload<'_>,
    quiet: &Measured,
    kind: Kind,
    data: &Path,
    cost: &mut Cost,
) -> Result<Measured, BenchError> {
    let mut client = server.client()?;
    let resident = resident_bytes(server.pid())?;
    let ended = AtomicBool::new(false);
    let begin = Instant::now();
    let load = Workload {
        duration: None,
        stop: Some(&ended),
        seed: 2,
        ..writes.clone()
    };
    let (measured, checkpointed) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let result = checkpoint(&mut client);
            // ORDERING: only the flag itself is shared.
            ended.store(true, Ordering::Relaxed);
            result.map(|()| begin.elapsed())
        });
        let measured = Measured::run(server, &load);
        let asked = asking.join();
        let failed = || BenchError::Unexpected("the checkpoint's thread panicked".to_owned());
        (measured, asked.unwrap_or_else(|_| Err(failed())))
    });
    let (measured, elapsed) = (measured?, checkpointed?);
    let after = server.client()?.info()?;
    let bytes = if kind == Kind::Thermocline {
        // Less what the log writes in that time, which the time before shows.
        let seconds = |measured: &Measured| measured.outcome.elapsed.as_secs_f64();
        let log = quiet.usage.written_bytes as f64 / seconds(quiet) * seconds(&measured);
        measured.usage.written_bytes.saturating_sub(log as u64)
    } else {
        std::fs::metadata(data.join("dump.rdb"))?.len()
    };
    let above = measured.resident_bytes.saturating_sub(resident);
    cost.seconds.push(elapsed.as_secs_f64());
    cost.bytes.push(bytes as f64);
    cost.resident = cost.resident.max(resident);
    cost.extra_share.push(above as f64 / resident.max(1) as f64);
    cost.copied_bytes = cost.copied_bytes.max(after.number("rdb_last_cow_size"));
    Ok(measured)
}

/// Begins a checkpoint and waits for its end, with a look each millisecond.
fn checkpoint(client: &mut Client) -> Result<(), BenchError> {
    let saves = client.info()?.number("rdb_saves");
    client.order(&[b"BGSAVE"])?;
    let begin = Instant::now();
    loop {
        let information = client.info()?;
        let is_running = information.number("rdb_bgsave_in_progress") == 1;
        if !is_running && information.number("rdb_saves") > saves {
            return Ok(());
        }
        if begin.elapsed() > LIMIT {
            let limit = LIMIT.as_secs();
            return Err(BenchError::Unexpected(format!(
                "no checkpoint within {limit} s"
            )));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
