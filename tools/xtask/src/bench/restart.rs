//! A kill under load: how soon the server answers right again, how soon all
//! is as it was, and whether what was acknowledged is there.
//!
//! Runs under `appendfsync always`, where nothing acknowledged may be lost.
//! Each round writes keys of its own, so that a loss is a missing key.

use crate::bench::BenchError;
use crate::bench::report::{Cell, Table};
use crate::bench::setup::{self, Context, Measured};
use std::sync::Arc;
use std::time::{Duration, Instant};
use thermocline_benches::client::Client;
use thermocline_benches::keys::{Order, write_key};
use thermocline_benches::load::{KeySet, LoadError, Mix, Workload};
use thermocline_benches::process::ResidentWatch;
use thermocline_benches::reply::Reply;
use thermocline_benches::server::Server;
use thermocline_benches::values::Values;

const KEYS: u64 = 20_000_000;
pub(super) const VALUES: Values = Values::Fixed { bytes: 100 };
const MAXMEMORY_BYTES: u64 = 512 << 20;
/// More keys than a round can write.
const KEYS_A_ROUND: u64 = 4_000_000;
/// Of the load before the kill.
const SECONDS: f64 = 4.0;
/// A server that has not settled by then is reported as an error.
const SETTLE_LIMIT: Duration = Duration::from_secs(600);
const COLUMNS: &[&str] = &[
    "round",
    "keys",
    "to the first right GET ms",
    "to settled ms",
    "recovery_ms",
    "log replayed",
    "acknowledged since the fill",
    "lost",
    "wrong",
    "errors",
    "max RSS",
];

pub(super) fn run(context: &Context) -> Result<Vec<Table>, BenchError> {
    let keys = context.keys(KEYS);
    let round_keys = context.keys(KEYS_A_ROUND);
    let maxmemory_bytes = context.maxmemory_bytes(MAXMEMORY_BYTES);
    let directory = setup::directory("restart")?;
    let maxmemory = maxmemory_bytes.to_string();
    let options = [("maxmemory", maxmemory.as_str()), ("appendfsync", "always")];
    let mut server = Server::start(&context.thermocline, directory.path(), &options)?;
    println!("restart: filling");
    let fill = Workload {
        threads: setup::load_threads(),
        ..Workload::pass(Order::all(keys), VALUES, Mix::SET)
    };
    Measured::run(&server, &fill)?.print_error("restart");

    let acknowledged = KeySet::new(keys + round_keys * context.rounds as u64);
    let mut table = Table::new(
        format!(
            "restart: {keys} keys of 100 B, maxmemory {} MiB, always, killed under SETs",
            maxmemory_bytes >> 20
        ),
        COLUMNS,
    );
    for round in 0..context.rounds {
        println!("restart: round {} of {}", round + 1, context.rounds);
        let first = keys + round as u64 * round_keys;
        let writes = Workload {
            order: Order::Sequential {
                first,
                step: 1,
                end: first + round_keys,
            },
            acknowledged: Some(&acknowledged),
            ..fill.clone()
        };
        kill_under_load(&mut server, &writes, context.duration(SECONDS))?;
        let begin = Instant::now();
        server = Server::spawn(&context.thermocline, directory.path(), &options)?;
        let watch = ResidentWatch::start(server.pid());
        let first_right_ms = wait_for_right_answer(&mut server, begin)?;
        let settled_ms = wait_until_settled(&mut server.client()?, begin)?;
        let information = server.client()?.info()?;
        let written = acknowledged.iter().map(|id| id as u32);
        let all: Vec<u32> = (0..keys as u32).chain(written).collect();
        let check = Workload {
            order: Order::Listed(Arc::from(all.as_slice())),
            mix: Mix::GET,
            ..fill.clone()
        };
        let measured = Measured::run(&server, &check)?;
        measured.print_error("restart");
        table.row(vec![
            Cell::Count(round as u64 + 1),
            Cell::Count(all.len() as u64),
            Cell::Decimal(first_right_ms),
            Cell::Decimal(settled_ms),
            Cell::Count(information.number("recovery_ms")),
            Cell::Bytes(information.number("recovery_log_bytes")),
            Cell::Count(all.len() as u64 - keys),
            Cell::Count(measured.outcome.missing),
            Cell::Count(measured.outcome.wrong),
            Cell::Count(measured.outcome.errors),
            Cell::Bytes(watch.finish()),
        ]);
    }
    server.stop();
    Ok(vec![table])
}

/// Kills the server once `writes` has run for `after`.
fn kill_under_load(
    server: &mut Server,
    writes: &Workload<'_>,
    after: Duration,
) -> Result<(), BenchError> {
    let port = server.port();
    let ended = std::thread::scope(|scope| {
        let load = scope.spawn(|| writes.run(port));
        std::thread::sleep(after);
        server.kill();
        load.join()
    });
    match ended {
        // The kill is what ends the load.
        Ok(Err(LoadError::Connection(_))) => Ok(()),
        Ok(Ok(outcome)) => Err(BenchError::Unexpected(format!(
            "the load ended before the kill, after {} writes and {} errors {}",
            outcome.requests,
            outcome.errors,
            outcome.first_error.unwrap_or_default()
        ))),
        Ok(Err(source)) => Err(BenchError::Load {
            source,
            log: server.log_end(),
        }),
        Err(_) => Err(BenchError::Unexpected("the load panicked".to_owned())),
    }
}

/// Asks for key 0 until its value comes back; milliseconds since `begin`.
pub(super) fn wait_for_right_answer(
    server: &mut Server,
    begin: Instant,
) -> Result<f64, BenchError> {
    server.wait_until_ready()?;
    let mut client = server.client()?;
    let (mut key, mut value) = (Vec::new(), Vec::new());
    write_key(0, &mut key);
    VALUES.write(0, 1, &mut value);
    loop {
        if client.ask(&[b"GET", &key])? == Reply::Bulk(Some(&value)) {
            return Ok(begin.elapsed().as_secs_f64() * 1000.0);
        }
        give_up_after(begin, "key 0 did not come back")?;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until nothing is left to load or to apply.
pub(super) fn wait_until_settled(client: &mut Client, begin: Instant) -> Result<f64, BenchError> {
    loop {
        let information = client.info()?;
        if information.number("recovery_pending_effects") == 0
            && information.number("recovery_shards_not_loaded") == 0
        {
            return Ok(begin.elapsed().as_secs_f64() * 1000.0);
        }
        give_up_after(begin, "the recovery did not end")?;
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn give_up_after(begin: Instant, what: &str) -> Result<(), BenchError> {
    if begin.elapsed() > SETTLE_LIMIT {
        return Err(BenchError::Unexpected(format!(
            "{what} within {} s",
            SETTLE_LIMIT.as_secs()
        )));
    }
    Ok(())
}
