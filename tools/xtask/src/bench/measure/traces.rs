//! Measure 10a: the share of GETs that memory answers, beside exact LRU and
//! S3-FIFO in the same bytes.
//!
//! Plays the traces OLTP and P6 of the ARC paper, where `--traces` names their
//! folder, and a Zipf law with scans of the whole data set. The peers are
//! simulated and pay for nothing but keys and values.

use crate::bench::BenchError;
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::Table;
use crate::bench::setup::Context;
use crate::replay::{self, Play, Trace};
use std::sync::Arc;
use thermocline_base::Random;
use thermocline_benches::keys::{Order, Picker};

const KEYS: u64 = 400_000;
const VALUE_BYTES: usize = 1024;
const CONNECTIONS: usize = 32;
const PERCENTS: [u64; 3] = [5, 10, 20];
/// Requests of the Zipf law for each key.
const REQUESTS_A_KEY: u64 = 10;
/// A scan of a fifth of the keys begins after so many requests a key.
const SCAN_EVERY_A_KEY: u64 = 1;
const SCANNED_ONE_IN: u64 = 5;

pub(super) fn run(context: &Context, _: Wanted<'_>) -> Result<Findings, BenchError> {
    let mut findings = Findings::default();
    let mut sources = vec![(
        "Zipf with scans".to_owned(),
        zipf_with_scans(context.keys(KEYS)),
    )];
    match context.traces() {
        Some(folder) => {
            for name in ["OLTP", "P6"] {
                let trace = Trace::read(&folder.join(format!("{name}.lis.zst")), None)?;
                let requests = (trace.requests.len() as f64 * context.scale.min(1.0)) as usize;
                sources.push((name.to_owned(), trace.cut(requests)));
            }
        }
        None => println!("measure 10a: without OLTP and P6: name their folder with --traces"),
    }
    for (name, trace) in sources {
        let requests: Arc<[u32]> = Arc::from(trace.requests);
        let title = format!(
            "{name}: {} requests to {} keys of {VALUE_BYTES} B on {CONNECTIONS} connections",
            requests.len(),
            trace.keys
        );
        let mut table = Table::new(title, replay::COLUMNS);
        for percent in PERCENTS {
            println!("measure 10a: {name} at {percent} %");
            let play = Play {
                program: &context.thermocline,
                requests: &requests,
                keys: trace.keys,
                value_bytes: VALUE_BYTES,
                connections: CONNECTIONS,
                maxmemory_percent: percent,
            };
            let played = play.run()?;
            let points = |other: f64| (played.from_memory - other) * 100.0;
            for (peer, figure, limit) in [
                ("exact LRU", points(played.lru), 0.0),
                ("simulated S3-FIFO", points(played.s3_fifo), -0.5),
            ] {
                let what = format!("{name}, {percent} %: points from RAM above {peer}");
                let goal = Goal::AtLeast(limit);
                let verdict = Verdict::new("10a", what, vec![figure], goal);
                let is_lost = played.bad_replies > 0;
                let verdict = verdict.void_if(is_lost, "keys or requests were lost");
                findings.verdicts.push(verdict);
            }
            table.row(played.cells);
        }
        findings.tables.push(table);
    }
    Ok(findings)
}

/// Requests by a Zipf law, broken again and again by a scan.
fn zipf_with_scans(keys: u64) -> Trace {
    let picker = Picker::new(Order::Zipf { keys });
    let mut random = Random::new(10);
    let mut requests = Vec::new();
    let mut scanned = 0;
    for turn in 1..=keys * REQUESTS_A_KEY {
        requests.extend(picker.next(&mut random).map(|id| id as u32));
        if turn % (keys * SCAN_EVERY_A_KEY).max(1) == 0 {
            for _ in 0..keys / SCANNED_ONE_IN {
                requests.push((scanned % keys) as u32);
                scanned += 1;
            }
        }
    }
    Trace { requests, keys }
}
