//! `cargo xtask hostile`: clients that mean harm, of every kind there is, beside clients that
//! do not.
//!
//! Owns the run: the data, the well-behaved clients, whose every reply is checked, and the
//! bound of the daemon's memory, `maxmemory` + 10 % + 64 MiB. What the hostile ones do is in
//! `kinds`. One thread a client.

mod kinds;

use crate::bench::BenchError;
use crate::bench::setup::{self, Profile};
use crate::step::StepError;
use clap::Args;
use kinds::{KINDS, PASSWORD};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use thermocline_benches::client::{Client, ClientError, Information};
use thermocline_benches::process::{ResidentWatch, resident_bytes};
use thermocline_benches::reply::Reply;
use thermocline_benches::server::Server;

const MAXMEMORY_BYTES: u64 = 256 << 20;
/// What the process may take: `maxmemory`, a tenth of it, and 64 MiB.
const BOUND_BYTES: u64 = MAXMEMORY_BYTES / 10 * 11 + (64 << 20);
/// Clients that mean no harm.
const FRIENDS: usize = 8;
/// What clients may hold once the hostile ones are gone.
const LEFT_BYTES: u64 = 2 << 20;
/// By then what they held is given back.
const PATIENCE: Duration = Duration::from_secs(30);

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// How many hostile clients there are, the kinds in turn.
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// How long they go on, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Only the kinds with this in their name.
    #[arg(long)]
    kind: Option<String>,
    /// The daemon; built in debug mode where none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Runs the hostile clients, and fails if they do harm.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let program = setup::thermocline(options.binary.as_deref(), Profile::Debug)?;
    let directory = setup::directory("hostile")?;
    let maxmemory = MAXMEMORY_BYTES.to_string();
    let directives = [("maxmemory", maxmemory.as_str()), ("tier-max-bytes", "2gb")];
    let server = Server::start(&program, directory.path(), &directives)?;
    let mut client = server.client()?;
    kinds::fill(&mut client)?;
    // Only now: what waits until the server answers knows no password.
    client.order(&[b"CONFIG", b"SET", b"requirepass", PASSWORD])?;
    let wanted = options.kind.as_deref().unwrap_or_default();
    let chosen: Vec<_> = KINDS
        .iter()
        .filter(|kind| kind.name.contains(wanted))
        .collect();
    if chosen.is_empty() {
        return Err(missing(format!("no kind of client is called '{wanted}'")));
    }
    println!(
        "hostile: {} clients of {} kinds for {} s, maxmemory {} MiB",
        options.clients,
        chosen.len(),
        options.seconds,
        MAXMEMORY_BYTES >> 20
    );
    let watch = ResidentWatch::start(server.pid());
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let (port, stop) = (server.port(), AtomicBool::new(false));
    let friends = std::thread::scope(|scope| {
        for (number, kind) in (0..options.clients).zip(chosen.iter().cycle()) {
            let stop = &stop;
            scope.spawn(move || kind.run(port, number as u64, stop));
        }
        let friends: Vec<_> = (0..FRIENDS)
            .map(|number| scope.spawn(move || be_friendly(port, number, end)))
            .collect();
        let ended: Vec<_> = (friends.into_iter())
            .map(std::thread::ScopedJoinHandle::join)
            .collect();
        stop.store(true, Relaxed);
        ended
    });
    let resident = watch.finish();
    let mut requests = 0;
    for friend in friends {
        let friend = friend.map_err(|_| missing("a well-behaved client panicked".to_owned()))?;
        requests += friend.map_err(|why| {
            missing(format!(
                "a well-behaved client was harmed: {why}\n{}",
                server.log_end()
            ))
        })?;
    }
    let info = settled(&mut client)?;
    for name in [
        "evicted_clients",
        "client_output_buffer_limit_disconnections",
        "client_query_buffer_limit_disconnections",
        "rejected_connections",
        "total_connections_received",
        "total_error_replies",
        "mem_clients_normal",
        "tracking_total_bytes",
        "tier_demotions",
        "used_memory",
        "used_memory_records",
    ] {
        println!("hostile: {name} {}", info.text(name));
    }
    let megabytes = |bytes: u64| bytes >> 20;
    println!(
        "hostile: {requests} right replies to {FRIENDS} others; resident at most {} MiB of {}, \
         {} MiB at the end",
        megabytes(resident),
        megabytes(BOUND_BYTES),
        megabytes(resident_bytes(server.pid())?)
    );
    server.stop();
    if resident > BOUND_BYTES {
        return Err(missing(format!(
            "the daemon took {} MiB, more than maxmemory + 10 % + 64 MiB = {} MiB",
            megabytes(resident),
            megabytes(BOUND_BYTES)
        )));
    }
    Ok(())
}

fn missing(text: String) -> BenchError {
    StepError::Missing(text).into()
}

/// A client that has said who it is.
fn friend(port: u16) -> Result<Client, ClientError> {
    let mut client = Client::connect(port)?;
    client.order(&[b"AUTH", PASSWORD])?;
    Ok(client)
}

/// Uses the server as one should until `end`; how many replies came, all of them right.
fn be_friendly(port: u16, number: usize, end: Instant) -> Result<u64, String> {
    let failed = |error: ClientError| error.to_string();
    let mut client = friend(port).map_err(failed)?;
    let (mut requests, mut round) = (0, 0_u64);
    let counter = format!("friend:{number}:count");
    while Instant::now() < end {
        round += 1;
        let key = format!("friend:{number}:{}", round % 100);
        let value = format!("{round}:").repeat(100);
        let expect = |got: &Reply<'_>, expected: &Reply<'_>| {
            if got == expected {
                return Ok(());
            }
            let mut shown = format!("{got:?} instead of {expected:?}");
            shown.truncate(500);
            Err(shown)
        };
        let set: [&[u8]; 3] = [b"SET", key.as_bytes(), value.as_bytes()];
        expect(&client.ask(&set).map_err(failed)?, &Reply::Simple(b"OK"))?;
        let got = client.ask(&[b"GET", key.as_bytes()]).map_err(failed)?;
        expect(&got, &Reply::Bulk(Some(value.as_bytes())))?;
        let got = client.ask(&[b"INCR", counter.as_bytes()]).map_err(failed)?;
        expect(&got, &Reply::Integer(round.cast_signed()))?;
        requests += 3;
        if round % 50 == 0 {
            // A new connection now and then.
            client = friend(port).map_err(failed)?;
        }
    }
    Ok(requests)
}

/// What INFO tells once what the hostile clients held is given back.
fn settled(client: &mut Client) -> Result<Information, BenchError> {
    let begin = Instant::now();
    loop {
        let info = client.info()?;
        if info.number("mem_clients_normal") <= LEFT_BYTES {
            return Ok(info);
        }
        if begin.elapsed() > PATIENCE {
            return Err(missing(format!(
                "clients that are gone still hold {} bytes",
                info.text("mem_clients_normal")
            )));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
