//! Measure 8: the memory that a cold key takes, its name included.
//!
//! Counted twice. While the data set grows, by the server itself: its index
//! over its keys, at each twentieth of the growth, since an index that doubles
//! is cheap on average and dear at its worst. After a restart, by the kernel:
//! all keys are cold then, so resident memory less that of an empty server is
//! theirs, and the count of the server is held against it.

use crate::bench::BenchError;
use crate::bench::measure::contender::Contender;
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted};
use crate::bench::report::{Cell, Table, median};
use crate::bench::restart::wait_until_settled;
use crate::bench::setup::{self, Context, Measured};
use std::time::{Duration, Instant};
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::process::resident_bytes;
use thermocline_benches::values::Values;

const KEYS: u64 = 20_000_000;
const VALUES: Values = Values::Fixed { bytes: 100 };
const MAXMEMORY_BYTES: u64 = 512 << 20;
const STEPS: u64 = 40;
const SETTLE: Duration = Duration::from_secs(3);
const COLUMNS: &[&str] = &[
    "when",
    "keys",
    "hot keys",
    "index B a key",
    "all but records, B a key",
    "RSS less an empty server and records, B a key",
    "RSS",
];

pub(super) fn run(context: &Context, _: Wanted<'_>) -> Result<Findings, BenchError> {
    let keys = context.keys(KEYS);
    let maxmemory = context.maxmemory_bytes(MAXMEMORY_BYTES).to_string();
    let options = [("maxmemory", maxmemory.as_str())];
    let contender = Contender::new("Thermocline", context.thermocline.clone(), &options);
    let directory = setup::directory("measure")?;
    let server = contender.start_in(directory.path())?;
    std::thread::sleep(SETTLE);
    let empty_bytes = resident_bytes(server.pid())?;
    let empty_used = server.client()?.info()?.number("used_memory");
    let mut table = Table::new(
        format!(
            "memory of a cold key: keys of 16 B with 100 B, maxmemory {maxmemory} B, empty server {} MiB",
            empty_bytes >> 20
        ),
        COLUMNS,
    );
    let mut index_per_key = Vec::new();
    for step in 0..STEPS {
        println!("measure 8: step {} of {STEPS}", step + 1);
        let order = Order::Sequential {
            first: keys * step / STEPS,
            step: 1,
            end: keys * (step + 1) / STEPS,
        };
        let fill = Workload {
            threads: setup::load_threads(),
            ..Workload::pass(order, VALUES, Mix::SET)
        };
        Measured::run(&server, &fill)?.print_error("measure 8");
        let found = Found::of(&server, empty_bytes, empty_used)?;
        // Before that it is the fixed part of the index that is measured.
        if step >= STEPS / 10 {
            index_per_key.push(found.index_per_key);
        }
        if (step + 1) % (STEPS / 8) == 0 {
            table.row(found.cells("growing"));
        }
    }
    server.stop();
    let begin = Instant::now();
    let server = contender.start_in(directory.path())?;
    wait_until_settled(&mut server.client()?, begin)?;
    std::thread::sleep(SETTLE);
    let restarted = Found::of(&server, empty_bytes, empty_used)?;
    table.row(restarted.cells("after a restart"));
    server.stop();

    let worst = index_per_key.iter().copied().fold(0.0, f64::max);
    let average = median(&index_per_key);
    let verdict = |what: &str, figure, goal| Verdict::new("8", what, vec![figure], goal);
    Ok(Findings {
        verdicts: vec![
            verdict(
                "B of RAM a cold key, the key included, median over the growth",
                average,
                Goal::AtMost(12.0),
            ),
            verdict("the same at its worst", worst, Goal::AtMost(16.0)),
            verdict(
                "the same after a restart by RSS",
                restarted.resident_per_key,
                Goal::AtMost(12.0),
            ),
        ],
        tables: vec![table],
    })
}

struct Found {
    keys: u64,
    hot_keys: u64,
    index_per_key: f64,
    counted_per_key: f64,
    resident_per_key: f64,
    resident_bytes: u64,
}

impl Found {
    fn of(
        server: &thermocline_benches::server::Server,
        empty_bytes: u64,
        empty_used: u64,
    ) -> Result<Self, BenchError> {
        let information = server.client()?.info()?;
        let hot_keys = information.number("tier_hot_keys");
        let keys = hot_keys + information.number("tier_cold_keys");
        let records = information.number("used_memory_records");
        let resident = resident_bytes(server.pid())?;
        let per_key = |bytes: f64| bytes / keys.max(1) as f64;
        Ok(Self {
            keys,
            hot_keys,
            index_per_key: per_key(information.number("used_memory_index") as f64),
            counted_per_key: per_key(
                information.number("used_memory") as f64 - empty_used as f64 - records as f64,
            ),
            resident_per_key: per_key(resident as f64 - empty_bytes as f64 - records as f64),
            resident_bytes: resident,
        })
    }

    fn cells(&self, when: &str) -> Vec<Cell> {
        vec![
            Cell::text(when),
            Cell::Count(self.keys),
            Cell::Count(self.hot_keys),
            Cell::Decimal(self.index_per_key),
            Cell::Decimal(self.counted_per_key),
            Cell::Decimal(self.resident_per_key),
            Cell::Bytes(self.resident_bytes),
        ]
    }
}
