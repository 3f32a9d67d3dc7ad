//! A data set of many times the memory: four million documents of 1 KiB under
//! a `maxmemory` of 512 MiB.
//!
//! Owns the phases (load, read all, checkpoint and overwrite, read all) and
//! the bound that resident memory is held against: 1.10 × `maxmemory` +
//! 64 MiB. Every key is read and compared twice.

use crate::bench::BenchError;
use crate::bench::report::{Cell, Table};
use crate::bench::setup::{self, Context, Measured};
use std::time::{Duration, Instant};
use thermocline_benches::client::{Client, ClientError, Information};
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::server::Server;

const KEYS: u64 = 4_000_000;
const VALUE_BYTES: usize = 1024;
const MAXMEMORY_BYTES: u64 = 512 << 20;
/// A checkpoint that takes longer is reported as an error.
const CHECKPOINT_LIMIT: Duration = Duration::from_secs(600);
const COLUMNS: &[&str] = &[
    "phase",
    "requests",
    "requests/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "max µs",
    "CPU s",
    "read",
    "written",
    "max RSS",
    "of bound",
    "wrong",
    "missing",
    "errors",
];

/// What resident memory is held against.
pub(super) fn bound_bytes(maxmemory_bytes: u64) -> u64 {
    maxmemory_bytes + maxmemory_bytes / 10 + (64 << 20)
}

pub(super) fn run(context: &Context) -> Result<Vec<Table>, BenchError> {
    let keys = context.keys(KEYS);
    let maxmemory_bytes = context.maxmemory_bytes(MAXMEMORY_BYTES);
    let directory = setup::directory("larger")?;
    let server = Server::start(
        &context.thermocline,
        directory.path(),
        &[("maxmemory", &maxmemory_bytes.to_string())],
    )?;
    let values = setup::text_values(VALUE_BYTES)?;
    let pass = |order, mix, version| Workload {
        version,
        threads: setup::load_threads(),
        ..Workload::pass(order, values.clone(), mix)
    };
    let mut table = Table::new(
        format!(
            "larger: {keys} keys of {VALUE_BYTES} B text, maxmemory {} MiB, bound {} MiB",
            maxmemory_bytes >> 20,
            bound_bytes(maxmemory_bytes) >> 20
        ),
        COLUMNS,
    );
    let mut phase = |label: &str, workload: &Workload<'_>| {
        println!("larger: {label}");
        let measured = Measured::run(&server, workload)?;
        measured.print_error(label);
        table.row(row(label, &measured, maxmemory_bytes));
        Ok::<_, BenchError>(())
    };
    let every = |step: u64| Order::Sequential {
        first: 0,
        step,
        end: keys,
    };
    phase("load", &pass(every(1), Mix::SET, |_| 1))?;
    phase("read all", &pass(every(1), Mix::GET, |_| 1))?;
    let mut client = server.client()?;
    let ended = begin_checkpoint(&mut client)?;
    phase(
        "overwrite half, with BGSAVE",
        &pass(every(2), Mix::SET, |_| 2),
    )?;
    phase("overwrite a third", &pass(every(3), Mix::SET, |_| 3))?;
    wait_for_checkpoint(&mut client, ended)?;
    phase("read all again", &pass(every(1), Mix::GET, overwritten))?;
    let state = state(&client.info()?, keys);
    drop(client);
    server.stop();
    Ok(vec![table, state])
}

/// The version of a key after both overwrites.
const fn overwritten(id: u64) -> u32 {
    if id.is_multiple_of(3) {
        3
    } else if id.is_multiple_of(2) {
        2
    } else {
        1
    }
}

fn row(label: &str, measured: &Measured, maxmemory_bytes: u64) -> Vec<Cell> {
    let outcome = &measured.outcome;
    let latency = outcome.latency();
    vec![
        Cell::text(label),
        Cell::Count(outcome.requests),
        Cell::Decimal(outcome.per_second()),
        Cell::Decimal(latency.percentile_us(50.0)),
        Cell::Decimal(latency.percentile_us(99.0)),
        Cell::Decimal(latency.percentile_us(99.9)),
        Cell::Decimal(latency.max_us()),
        Cell::Decimal(measured.usage.cpu.as_secs_f64()),
        Cell::Bytes(measured.usage.read_bytes),
        Cell::Bytes(measured.usage.written_bytes),
        Cell::Bytes(measured.resident_bytes),
        Cell::Share(measured.resident_bytes as f64 / bound_bytes(maxmemory_bytes) as f64),
        Cell::Count(outcome.wrong),
        Cell::Count(outcome.missing),
        Cell::Count(outcome.errors),
    ]
}

/// Begins a checkpoint, after one that is running already; gives the number
/// of those that have ended.
pub(super) fn begin_checkpoint(client: &mut Client) -> Result<u64, BenchError> {
    let begin = Instant::now();
    loop {
        let ended = client.info()?.number("rdb_saves");
        match client.order(&[b"BGSAVE"]) {
            Ok(()) => return Ok(ended),
            Err(ClientError::Unexpected { answer, .. }) if answer.contains("in progress") => {
                pause(begin, &answer)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until a checkpoint more than `ended` has ended.
pub(super) fn wait_for_checkpoint(client: &mut Client, ended: u64) -> Result<(), BenchError> {
    let begin = Instant::now();
    loop {
        let information = client.info()?;
        let running = information.number("rdb_bgsave_in_progress") == 1;
        if !running && information.number("rdb_saves") > ended {
            return Ok(());
        }
        pause(begin, information.text("checkpoint_failure"))?;
    }
}

/// Waits a little, but not for ever.
fn pause(begin: Instant, why: &str) -> Result<(), BenchError> {
    if begin.elapsed() > CHECKPOINT_LIMIT {
        return Err(BenchError::Unexpected(format!(
            "no checkpoint within {} s: {why}",
            CHECKPOINT_LIMIT.as_secs()
        )));
    }
    std::thread::sleep(Duration::from_millis(10));
    Ok(())
}

/// What the server says of itself at the end.
pub(super) fn state(information: &Information, keys: u64) -> Table {
    let hot = information.number("tier_hot_keys");
    let cold = information.number("tier_cold_keys");
    let index_bytes = information.number("used_memory_index");
    let per_key = |bytes: u64, keys: u64| Cell::Decimal(bytes as f64 / keys.max(1) as f64);
    let mut table = Table::new("what INFO says at the end", &["figure", "value"]);
    let mut row = |name: &str, cell| table.row(vec![Cell::text(name), cell]);
    row("keys", Cell::Count(hot + cold));
    row("keys expected", Cell::Count(keys));
    row(
        "share of keys cold",
        Cell::Share(cold as f64 / (hot + cold).max(1) as f64),
    );
    row("index bytes a key", per_key(index_bytes, hot + cold));
    row(
        "all memory but records, bytes a cold key",
        per_key(
            information
                .number("used_memory")
                .saturating_sub(information.number("used_memory_records")),
            cold,
        ),
    );
    for (name, field) in [
        ("used memory", "used_memory"),
        ("of it records", "used_memory_records"),
        ("of it index", "used_memory_index"),
        ("of it buffers", "used_memory_buffers"),
        ("tier in use", "tier_used_bytes"),
        ("of it live", "tier_live_bytes"),
        ("tier written", "tier_written_bytes"),
    ] {
        row(name, Cell::Bytes(information.number(field)));
    }
    for (name, field) in [
        ("demotions", "tier_demotions"),
        ("promotions", "tier_promotions"),
        ("tier reads", "tier_reads"),
        ("segments cleaned", "tier_segments_cleaned"),
        ("relocations", "tier_relocations"),
        ("checkpoints", "rdb_saves"),
    ] {
        row(name, Cell::Count(information.number(field)));
    }
    for (name, field) in [
        ("compression", "tier_compression_ratio"),
        (
            "write amplification of the tier",
            "tier_write_amplification",
        ),
    ] {
        row(name, Cell::text(information.text(field)));
    }
    table
}
