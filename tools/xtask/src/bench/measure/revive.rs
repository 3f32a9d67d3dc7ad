//! Measure 13: a kill, and how soon the first right answer comes again, beside
//! Valkey that reads an RDB file.
//!
//! Each server is filled once; then in each round both are written to, killed
//! and started in turn. The data set's pages are dropped from the page cache
//! before each start: a machine that comes up again has none.

use crate::bench::BenchError;
use crate::bench::measure::contender::Contender;
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::{Cell, Table, ratios};
use crate::bench::restart::{VALUES, wait_for_right_answer};
use crate::bench::setup::{self, Context, Measured};
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::server::Kind;

const KEYS: u64 = 10_000_000;
/// Of the writes before each kill.
const SECONDS: f64 = 2.0;

pub(super) fn run(context: &Context, _: Wanted<'_>) -> Result<Findings, BenchError> {
    let keys = context.keys(KEYS);
    let contenders = [
        Contender::new(
            "Thermocline",
            context.thermocline.clone(),
            &[("maxmemory", "8gb")],
        ),
        Contender::new("Valkey", context.valkey()?, &[("appendonly", "no")]),
    ];
    let fill = Workload {
        threads: setup::load_threads(),
        ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
    };
    let mut first_ms = [Vec::new(), Vec::new()];
    let mut directories = Vec::new();
    for (contender, times) in contenders.iter().zip(&mut first_ms) {
        println!("measure 13: filling {}", contender.label);
        let (mut server, directory) = contender.start()?;
        Measured::run(&server, &fill)?.print_error(&contender.label);
        if contender.program.kind == Kind::Valkey {
            server.client()?.order(&[b"SAVE"])?;
        }
        for round in 0..context.rounds {
            context.tell("13", round, &contender.label);
            let writes = Workload {
                order: Order::Uniform { keys },
                duration: Some(context.duration(SECONDS)),
                seed: round as u64,
                ..fill.clone()
            };
            Measured::run(&server, &writes)?.print_error(&contender.label);
            server.kill();
            forget_pages(directory.path())?;
            let begin = Instant::now();
            server = contender.spawn_in(directory.path())?;
            times.push(wait_for_right_answer(&mut server, begin)?);
        }
        server.stop();
        directories.push(directory);
    }
    let [ours, theirs] = &first_ms;
    let mut table = Table::new(
        format!("after a kill: {keys} keys of 100 B"),
        &["server", "to the first right GET ms"],
    );
    for (contender, times) in contenders.iter().zip(&first_ms) {
        table.row(vec![
            Cell::text(&contender.label),
            Cell::Rounds(times.clone()),
        ]);
    }
    let verdict = Verdict::new(
        "13",
        "time from the start to the first right GET over Valkey's from RDB",
        ratios(ours, theirs),
        Goal::AtMost(0.05),
    );
    Ok(Findings {
        verdicts: vec![verdict],
        tables: vec![table],
    })
}

/// Drops the pages of every file under `folder` that are written.
fn forget_pages(folder: &Path) -> Result<(), BenchError> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            forget_pages(&path)?;
        } else if let Ok(file) = File::open(&path) {
            file.sync_data()?;
            fadvise(&file, 0, None, Advice::DontNeed).map_err(std::io::Error::from)?;
        }
    }
    Ok(())
}
