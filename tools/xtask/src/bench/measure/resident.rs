//! Measures 6 and 7: the memory that a hot key takes above its own bytes and
//! its value's, without and with an expiry.
//!
//! Counted by the kernel, not by the server: resident memory after the fill
//! less that after a tenth of the fill, so that what a server takes once
//! (buffers, threads, for a checkpoint too) does not count, and what it takes a
//! key does. One round:
//! the figure is the same each time.

use crate::bench::BenchError;
use crate::bench::larger::{begin_checkpoint, wait_for_checkpoint};
use crate::bench::measure::contender::Contender;
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::{Cell, Table};
use crate::bench::setup::{self, Context, Measured};
use std::time::Duration;
use thermocline_benches::keys::{KEY_BYTES, Order};
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::process::resident_bytes;
use thermocline_benches::server::{Kind, Server};
use thermocline_benches::values::Values;

/// Sizes of values and how many keys have them.
const SIZES: [(usize, u64); 4] = [
    (8, 6_000_000),
    (64, 6_000_000),
    (256, 4_000_000),
    (1024, 2_000_000),
];
/// Nothing sinks and nothing is evicted below it.
const MEMORY_MB: u64 = 16_384;
/// Freed memory goes back to the system after this.
const SETTLE: Duration = Duration::from_secs(2);
const COLUMNS: &[&str] = &[
    "expiry",
    "value",
    "server",
    "keys",
    "B a key above its bytes",
    "the same after a checkpoint",
    "what is taken once included",
    "RSS",
    "bad replies",
];

pub(super) fn run(context: &Context, wanted: Wanted<'_>) -> Result<Findings, BenchError> {
    let bytes = (MEMORY_MB << 20).to_string();
    let megabytes = MEMORY_MB.to_string();
    let without_log: &[(&str, &str)] = &[("appendonly", "no"), ("maxmemory", &bytes)];
    let contenders = [
        Contender::new(
            "Thermocline",
            context.thermocline.clone(),
            &[("maxmemory", &bytes)],
        ),
        Contender::new("Valkey", context.valkey()?, without_log),
        Contender::new("Redis", context.redis()?, without_log),
        Contender::new(
            "memcached",
            context.memcached()?,
            &[("memory-limit", &megabytes)],
        ),
    ];
    let mut findings = Findings::default();
    let mut table = Table::new("memory of a hot key", COLUMNS);
    for (number, expiry, limit) in [("6", "none", 20.0), ("7", "each its own", 28.0)] {
        if !wanted.contains(&number) {
            continue;
        }
        for (value_bytes, keys) in SIZES {
            let keys = context.keys(keys);
            for contender in &contenders {
                println!("measure {number}: {value_bytes} B, {}", contender.label);
                let found = measure(contender, value_bytes, keys, number == "7")?;
                // Said at once: the whole takes long and may be ended.
                println!("measure {number}: {:.2} B a key", found.per_key);
                table.row(vec![
                    Cell::text(expiry),
                    Cell::Count(value_bytes as u64),
                    Cell::text(&contender.label),
                    Cell::Count(keys),
                    Cell::Decimal(found.per_key),
                    found.after_checkpoint.map_or(Cell::Nothing, Cell::Decimal),
                    Cell::Decimal(found.whole_per_key),
                    Cell::Bytes(found.resident_bytes),
                    Cell::Count(found.bad_replies),
                ]);
                if contender.program.kind == Kind::Thermocline {
                    let checkpointed = found.after_checkpoint.unwrap_or(found.per_key);
                    findings.verdicts.push(Verdict::new(
                        number,
                        format!("B a hot key above key and value, values of {value_bytes} B, expiry {expiry}"),
                        vec![found.per_key.max(checkpointed)],
                        Goal::AtMost(limit),
                    ));
                }
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

struct Found {
    per_key: f64,
    after_checkpoint: Option<f64>,
    whole_per_key: f64,
    resident_bytes: u64,
    bad_replies: u64,
}

fn measure(
    contender: &Contender,
    value_bytes: usize,
    keys: u64,
    expires: bool,
) -> Result<Found, BenchError> {
    let (server, _directory) = contender.start()?;
    let empty = settled(&server)?;
    let tenth = keys / 10;
    let first = fill(&server, 0, tenth, value_bytes, expires)?;
    let is_ours = contender.program.kind == Kind::Thermocline;
    if is_ours {
        checkpoint(&server)?;
    }
    let warm = settled(&server)?;
    let rest = fill(&server, tenth, keys, value_bytes, expires)?;
    let full = settled(&server)?;
    let own = (KEY_BYTES + value_bytes) as f64;
    let above =
        |bytes: u64, base: u64, count: u64| (bytes as f64 - base as f64) / count as f64 - own;
    let mut after_checkpoint = None;
    if is_ours {
        checkpoint(&server)?;
        after_checkpoint = Some(above(settled(&server)?, warm, keys - tenth));
    }
    server.stop();
    Ok(Found {
        per_key: above(full, warm, keys - tenth),
        after_checkpoint,
        whole_per_key: above(full, empty, keys),
        resident_bytes: full,
        bad_replies: first.bad_replies() + rest.bad_replies(),
    })
}

fn checkpoint(server: &Server) -> Result<(), BenchError> {
    let mut client = server.client()?;
    let ended = begin_checkpoint(&mut client)?;
    wait_for_checkpoint(&mut client, ended)
}

fn settled(server: &Server) -> Result<u64, BenchError> {
    std::thread::sleep(SETTLE);
    Ok(resident_bytes(server.pid())?)
}

fn fill(
    server: &Server,
    first: u64,
    end: u64,
    bytes: usize,
    expires: bool,
) -> Result<Measured, BenchError> {
    let order = Order::Sequential {
        first,
        step: 1,
        end,
    };
    let fill = Workload {
        threads: setup::load_threads(),
        // Within two days from tomorrow on: none expires while it is measured.
        expiry_seconds: expires.then_some(|id| 86_400 + (id % 86_400) as u32),
        ..Workload::pass(order, Values::Fixed { bytes }, Mix::SET)
    };
    let measured = Measured::run(server, &fill)?;
    measured.print_error("fill");
    Ok(measured)
}
