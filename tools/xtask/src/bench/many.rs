//! Twenty million keys of 100 bytes under a `maxmemory` of 512 MiB: what a
//! key costs that is not there.

use crate::bench::BenchError;
use crate::bench::larger::{bound_bytes, state};
use crate::bench::report::{Cell, Table};
use crate::bench::setup::{self, Context, Measured};
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Workload};
use thermocline_benches::server::Server;
use thermocline_benches::values::Values;

const KEYS: u64 = 20_000_000;
const VALUES: Values = Values::Fixed { bytes: 100 };
const MAXMEMORY_BYTES: u64 = 512 << 20;
/// One key in this many is read back and compared.
const READ_ONE_IN: u64 = 20;
const COLUMNS: &[&str] = &[
    "phase",
    "requests",
    "requests/s",
    "p99 µs",
    "CPU s",
    "max RSS",
    "of bound",
    "RSS bytes a key",
    "wrong",
    "missing",
    "errors",
];

pub(super) fn run(context: &Context) -> Result<Vec<Table>, BenchError> {
    let keys = context.keys(KEYS);
    let maxmemory_bytes = context.maxmemory_bytes(MAXMEMORY_BYTES);
    let directory = setup::directory("many")?;
    let server = Server::start(
        &context.thermocline,
        directory.path(),
        &[("maxmemory", &maxmemory_bytes.to_string())],
    )?;
    let mut table = Table::new(
        format!(
            "many: {keys} keys of 16 B with 100 B that do not compress, maxmemory {} MiB, bound {} MiB",
            maxmemory_bytes >> 20,
            bound_bytes(maxmemory_bytes) >> 20
        ),
        COLUMNS,
    );
    let sample = Order::Sequential {
        first: 0,
        step: READ_ONE_IN,
        end: keys,
    };
    for (label, order, mix) in [
        ("load", Order::all(keys), Mix::SET),
        ("read one in twenty", sample, Mix::GET),
    ] {
        println!("many: {label}");
        let workload = Workload {
            threads: setup::load_threads(),
            ..Workload::pass(order, VALUES, mix)
        };
        let measured = Measured::run(&server, &workload)?;
        measured.print_error(label);
        let outcome = &measured.outcome;
        let resident = measured.resident_bytes;
        table.row(vec![
            Cell::text(label),
            Cell::Count(outcome.requests),
            Cell::Decimal(outcome.per_second()),
            Cell::Decimal(outcome.latency().percentile_us(99.0)),
            Cell::Decimal(measured.usage.cpu.as_secs_f64()),
            Cell::Bytes(resident),
            Cell::Share(resident as f64 / bound_bytes(maxmemory_bytes) as f64),
            Cell::Decimal(resident as f64 / keys as f64),
            Cell::Count(outcome.wrong),
            Cell::Count(outcome.missing),
            Cell::Count(outcome.errors),
        ]);
    }
    let state = state(&server.client()?.info()?, keys);
    server.stop();
    Ok(vec![table, state])
}
