//! The commands of every family, with few and with many members, beside Valkey.
//!
//! Owns the loop that sends them: one thread and a few connections, each with a pipeline of
//! 16 prepared requests, so that what varies is the server's work; compared are requests a
//! CPU-second of the server. In each round each server is started, filled and measured
//! alone. Main thread.

mod cases;

use crate::bench::BenchError;
use crate::bench::report::{Cell, Table, median, ratios};
use crate::bench::setup::{self, Context};
use cases::{FAMILIES, Family};
use std::collections::BTreeMap;
use std::time::Instant;
use thermocline_base::Random;
use thermocline_benches::client::{Client, write_request};
use thermocline_benches::process::Usage;
use thermocline_benches::reply::Reply;
use thermocline_benches::server::{Program, Server};

const CONNECTIONS: usize = 8;
const PIPELINE: usize = 16;
/// Prepared pipelines of each connection, sent over and over.
const PREPARED: usize = 64;
/// Of one measurement.
const SECONDS: f64 = 0.7;
/// Keys and their members: few and many.
const SHAPES: [Shape; 2] = [
    Shape {
        keys: 1000,
        members: 10,
    },
    Shape {
        keys: 4,
        members: 100_000,
    },
];
const COLUMNS: &[&str] = &[
    "family",
    "members",
    "request",
    "Valkey requests/CPU-s",
    "Thermocline requests/CPU-s",
    "of Valkey per CPU-s",
    "of Valkey per second",
    "error replies",
];

#[derive(Clone, Copy)]
struct Shape {
    keys: u64,
    members: u64,
}

/// Figures of one case and one server, one entry a round.
#[derive(Default)]
struct Series {
    per_second: Vec<f64>,
    per_cpu_second: Vec<f64>,
    errors: u64,
}

/// A family, a shape and a request.
type Case = (usize, usize, &'static str);

pub(super) fn run(context: &Context) -> Result<Vec<Table>, BenchError> {
    let servers = [context.valkey()?, context.thermocline.clone()];
    let mut all: BTreeMap<Case, [Series; 2]> = BTreeMap::new();
    for round in 0..context.rounds {
        for (who, program) in servers.iter().enumerate() {
            for (shape_index, shape) in SHAPES.into_iter().enumerate() {
                println!(
                    "families: round {} of {}, {}, {} members",
                    round + 1,
                    context.rounds,
                    ["Valkey", "Thermocline"][who],
                    shape.members
                );
                measure(context, program, shape, |family, request, figures| {
                    let case = (family, shape_index, request);
                    let series = &mut all.entry(case).or_default()[who];
                    series.per_second.push(figures.0);
                    series.per_cpu_second.push(figures.1);
                    series.errors += figures.2;
                })?;
            }
        }
    }
    let mut table = Table::new(
        format!("families: {CONNECTIONS} connections, pipelines of {PIPELINE}, everysec"),
        COLUMNS,
    );
    for ((family, shape, request), [valkey, own]) in &all {
        table.row(vec![
            Cell::text(FAMILIES[*family].name),
            Cell::Count(SHAPES[*shape].members),
            Cell::text(*request),
            Cell::Decimal(median(&valkey.per_cpu_second)),
            Cell::Decimal(median(&own.per_cpu_second)),
            Cell::Rounds(ratios(&own.per_cpu_second, &valkey.per_cpu_second)),
            Cell::Rounds(ratios(&own.per_second, &valkey.per_second)),
            Cell::Count(valkey.errors + own.errors),
        ]);
    }
    Ok(vec![table])
}

/// One server's turn: each family filled and measured.
fn measure(
    context: &Context,
    program: &Program,
    shape: Shape,
    mut note: impl FnMut(usize, &'static str, (f64, f64, u64)),
) -> Result<(), BenchError> {
    let directory = setup::directory("families")?;
    let server = Server::start(program, directory.path(), &[("appendfsync", "everysec")])?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(server.client()?);
    }
    let mut random = Random::new(1);
    for (index, family) in FAMILIES.iter().enumerate() {
        fill(&mut clients[0], family, shape, &mut random)?;
        let small = if shape.members == SHAPES[0].members {
            family.small
        } else {
            &[]
        };
        for &request in family.both.iter().chain(small) {
            let figures = load(context, &server, &mut clients, request, shape, &mut random)?;
            note(index, request, figures);
        }
        clients[0].order(&[b"FLUSHALL"])?;
    }
    server.stop();
    Ok(())
}

fn fill(
    client: &mut Client,
    family: &Family,
    shape: Shape,
    random: &mut Random,
) -> Result<(), BenchError> {
    let mut requests = Vec::new();
    for key in 0..shape.keys {
        let mut waiting = 0;
        for member in 0..shape.members {
            write(family.fill, key, member, random, &mut requests);
            waiting += 1;
            if waiting == 1000 || member + 1 == shape.members {
                client.send(&requests)?;
                requests.clear();
                for _ in 0..std::mem::take(&mut waiting) {
                    if let Reply::Error(text) = client.receive()? {
                        let text = String::from_utf8_lossy(text);
                        return Err(BenchError::Unexpected(format!("{}: {text}", family.fill)));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Sends `line` for a while: requests a second, a CPU-second of the server, and errors.
fn load(
    context: &Context,
    server: &Server,
    clients: &mut [Client],
    line: &str,
    shape: Shape,
    random: &mut Random,
) -> Result<(f64, f64, u64), BenchError> {
    let in_turn = line.split(';').count();
    let mut prepared = Vec::new();
    for _ in 0..clients.len() * PREPARED {
        let mut requests = Vec::new();
        for _ in 0..PIPELINE.div_ceil(in_turn) {
            let (key, member) = (random.below(shape.keys), random.below(shape.members));
            write(line, key, member, random, &mut requests);
        }
        prepared.push(requests);
    }
    let replies = PIPELINE.div_ceil(in_turn) * in_turn;
    let before = Usage::of(server.pid())?;
    let begin = Instant::now();
    let (mut count, mut errors) = (0_u64, 0);
    let mut turn = 0;
    while begin.elapsed() < context.duration(SECONDS) {
        for (index, client) in clients.iter_mut().enumerate() {
            client.send(&prepared[(turn % PREPARED) * CONNECTIONS + index])?;
        }
        for client in clients.iter_mut() {
            for _ in 0..replies {
                errors += u64::from(matches!(client.receive()?, Reply::Error(_)));
                count += 1;
            }
        }
        turn += 1;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = Usage::of(server.pid())?.since(&before).cpu.as_secs_f64();
    // The kernel counts in steps of 10 ms; less than one is not known.
    let per_cpu_second = count as f64 / cpu.max(0.01);
    Ok((count as f64 / seconds, per_cpu_second, errors))
}

/// Appends the requests of a line, its places filled.
fn write(line: &str, key: u64, member: u64, random: &mut Random, out: &mut Vec<u8>) {
    for request in line.split(';') {
        let words: Vec<String> = request
            .split(' ')
            .map(|word| {
                let number = random.below(1 << 30).to_string();
                word.replace("{k}", &key.to_string())
                    .replace("{i}", &member.to_string())
                    .replace("{r}", &number)
            })
            .collect();
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        write_request(&words, out);
    }
}
