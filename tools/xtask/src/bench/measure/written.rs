//! Measure 11: the bytes that the whole process writes for each byte that
//! clients write, at ten times the memory.
//!
//! Counted by the kernel (`write_bytes` of proc(5)). The load is that of a
//! cache: reads by a Zipf law and one write for four reads by the same law, on
//! a tier so small that it must be cleaned. What is to come back after a crash
//! is written twice, once in the log, so the pure cache (`appendonly no`) is
//! held against the goal; the log's share is shown.

use crate::bench::BenchError;
use crate::bench::measure::contender::Contender;
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::{Cell, Table};
use crate::bench::setup::{self, Context, Measured};
use std::sync::Arc;
use thermocline_base::Random;
use thermocline_benches::keys::{KEY_BYTES, Order, Picker};
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::process::Usage;
use thermocline_benches::server::Server;
use thermocline_benches::values::Values;

const KEYS: u64 = 4_000_000;
const VALUE_BYTES: usize = 1024;
const MAXMEMORY_BYTES: u64 = 400 << 20;
/// The tier's room for the mix over what it holds after the fill.
const ROOM: f64 = 1.4;
/// What the tier keeps free whatever its size.
const RESERVE_BYTES: u64 = 160 << 20;
const MIX: Mix = Mix { sets: 1, gets: 4 };
/// Requests of the mix for each key: as much as the data set is
/// written again.
const REQUESTS_A_KEY: f64 = 5.0;
const COLUMNS: &[&str] = &[
    "values",
    "log",
    "phase",
    "user bytes",
    "written",
    "written a user byte",
    "tier written",
    "log written",
    "segments cleaned",
    "requests/s",
    "bad replies",
];

pub(super) fn run(context: &Context, _: Wanted<'_>) -> Result<Findings, BenchError> {
    let mut findings = Findings::default();
    let keys = context.keys(KEYS);
    let maxmemory = context.maxmemory_bytes(MAXMEMORY_BYTES);
    let mut table = Table::new(
        format!(
            "bytes written: {keys} keys of {VALUE_BYTES} B, maxmemory {} MiB, SET:GET 1:4 by Zipf 0.99",
            maxmemory >> 20
        ),
        COLUMNS,
    );
    let noise = Values::Fixed { bytes: VALUE_BYTES };
    let text = setup::text_values(VALUE_BYTES)?;
    for (kind, values) in [("noise", noise), ("text", text)] {
        for log in ["no", "yes"] {
            println!("measure 11: {kind}, log {log}");
            let bytes = maxmemory.to_string();
            let options = [("maxmemory", bytes.as_str()), ("appendonly", log)];
            let contender = Contender::new("Thermocline", context.thermocline.clone(), &options);
            let (server, _directory) = contender.start()?;
            let mut total = Phase::default();
            for phase in ["fill", "mix"] {
                let found = Phase::run(&server, phase, keys, &values)?;
                total.add(&found);
                table.row(found.cells(kind, log, phase));
                findings.judge(&found, kind, log, phase);
                if phase == "fill" {
                    limit_tier(&server)?;
                }
            }
            table.row(total.cells(kind, log, "both"));
            findings.judge(&total, kind, log, "both");
            server.stop();
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

impl Findings {
    fn judge(&mut self, found: &Phase, kind: &str, log: &str, phase: &str) {
        if log == "no" && phase != "fill" {
            let what = format!("bytes written a user byte, {kind}, pure cache, {phase}");
            let figure = vec![found.per_user_byte()];
            let verdict = Verdict::new("11", what, figure, Goal::AtMost(1.5));
            self.verdicts
                .push(verdict.void_if(found.cleaned == 0, "nothing was cleaned"));
        }
    }
}

/// Gives the tier little more room than it has taken: it must be cleaned then.
fn limit_tier(server: &Server) -> Result<(), BenchError> {
    let mut client = server.client()?;
    let used = client.info()?.number("tier_used_bytes");
    let limit = (used as f64 * ROOM) as u64 + RESERVE_BYTES;
    let limit = limit.to_string();
    client.order(&[b"CONFIG", b"SET", b"tier-max-bytes", limit.as_bytes()])?;
    Ok(())
}

/// What a phase wrote.
#[derive(Default)]
struct Phase {
    user_bytes: u64,
    written_bytes: u64,
    tier_bytes: u64,
    log_bytes: u64,
    cleaned: u64,
    per_second: f64,
    bad_replies: u64,
}

impl Phase {
    fn run(server: &Server, phase: &str, keys: u64, values: &Values) -> Result<Self, BenchError> {
        let before = server.client()?.info()?;
        let fill = Workload {
            threads: setup::load_threads(),
            ..Workload::pass(Order::all(keys), values.clone(), Mix::SET)
        };
        let workload = if phase == "fill" {
            fill
        } else {
            Workload {
                order: requests(keys),
                mix: MIX,
                ..fill
            }
        };
        let usage = Usage::of(server.pid())?;
        let measured = Measured::run(server, &workload)?;
        measured.print_error(phase);
        // What is still on its way to the disk belongs to the phase.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let written = Usage::of(server.pid())?.since(&usage);
        let after = server.client()?.info()?;
        let grown = |name: &str| after.number(name).saturating_sub(before.number(name));
        let sets = measured.outcome.sets;
        Ok(Self {
            user_bytes: sets * (KEY_BYTES + VALUE_BYTES) as u64,
            written_bytes: written.written_bytes,
            tier_bytes: grown("tier_written_bytes"),
            log_bytes: grown("log_appended_lsn"),
            cleaned: grown("tier_segments_cleaned"),
            per_second: measured.outcome.per_second(),
            bad_replies: measured.bad_replies(),
        })
    }

    fn add(&mut self, other: &Self) {
        self.user_bytes += other.user_bytes;
        self.written_bytes += other.written_bytes;
        self.tier_bytes += other.tier_bytes;
        self.log_bytes += other.log_bytes;
        self.cleaned += other.cleaned;
        self.bad_replies += other.bad_replies;
    }

    fn per_user_byte(&self) -> f64 {
        self.written_bytes as f64 / self.user_bytes.max(1) as f64
    }

    fn cells(&self, kind: &str, log: &str, phase: &str) -> Vec<Cell> {
        vec![
            Cell::text(kind),
            Cell::text(log),
            Cell::text(phase),
            Cell::Bytes(self.user_bytes),
            Cell::Bytes(self.written_bytes),
            Cell::Decimal(self.per_user_byte()),
            Cell::Bytes(self.tier_bytes),
            Cell::Bytes(self.log_bytes),
            Cell::Count(self.cleaned),
            Cell::Decimal(self.per_second),
            Cell::Count(self.bad_replies),
        ]
    }
}

/// The keys of the mix, drawn once so that it has an end.
fn requests(keys: u64) -> Order {
    let picker = Picker::new(Order::Zipf { keys });
    let mut random = Random::new(11);
    let count = (keys as f64 * REQUESTS_A_KEY) as usize;
    let drawn = std::iter::from_fn(|| picker.next(&mut random));
    let drawn: Vec<u32> = drawn.take(count).map(|id| id as u32).collect();
    Order::Listed(Arc::from(drawn.as_slice()))
}
