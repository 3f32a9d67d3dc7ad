//! Measures 9 and 10: GETs of a data set of ten times the memory, beside
//! memcached with extstore at equal memory, every key kept.
//!
//! Both servers are filled once and asked in turn, round by round; the other
//! one sleeps. extstore reads through the page cache, which would hold its
//! whole data set: the pages of its file are dropped all the time, so that
//! its memory is its own, as ours is.

use crate::bench::BenchError;
use crate::bench::fio;
use crate::bench::larger::{begin_checkpoint, wait_for_checkpoint};
use crate::bench::measure::contender::{Contender, Loads};
use crate::bench::measure::verdict::{Goal, Verdict};
use crate::bench::measure::{Findings, Wanted, page_cache};
use crate::bench::report::{Cell, Table, ratios};
use crate::bench::setup::{self, Context, Measured};
use std::path::Path;
use thermocline_benches::keys::Order;
use thermocline_benches::load::{Mix, Refill, Workload};
use thermocline_benches::process::resident_bytes;
use thermocline_benches::server::Server;

const KEYS: u64 = 4_000_000;
const VALUE_BYTES: usize = 1024;
const MEMORY_BYTES: u64 = 400 << 20;
const CONNECTIONS: usize = 50;
/// Of one measurement.
const SECONDS: f64 = 10.0;
/// Before the first round by Zipf: what is popular comes up.
const WARM_SECONDS: f64 = 30.0;
/// memcached may drop what it cannot write soon enough; it is written again.
const FILL_PASSES: usize = 8;
const FILL_PACE_PER_SECOND: f64 = 40_000.0;
const OURS: &str = "Thermocline";
const PEER: &str = "memcached with extstore";
const ZIPF: &str = "GET, Zipf 0.99, pipeline 1";
const UNIFORM: &str = "GET, uniform, pipeline 1";
const ZIPF_PIPELINED: &str = "GET, Zipf 0.99, pipeline 16";

/// The orders and pipelines of the loads.
fn cases(keys: u64) -> [(&'static str, Order, usize); 3] {
    [
        (ZIPF, Order::Zipf { keys }, 1),
        (UNIFORM, Order::Uniform { keys }, 1),
        (ZIPF_PIPELINED, Order::Zipf { keys }, 16),
    ]
}

pub(super) fn run(context: &Context, wanted: Wanted<'_>) -> Result<Findings, BenchError> {
    fio::check()?;
    let keys = context.keys(KEYS);
    let memory = context.maxmemory_bytes(MEMORY_BYTES);
    let values = setup::text_values(VALUE_BYTES)?;
    let fill = Workload {
        threads: setup::load_threads(),
        connections: CONNECTIONS,
        refill: Refill::Each,
        ..Workload::pass(Order::all(keys), values, Mix::SET)
    };

    let maxmemory = memory.to_string();
    let ours = Contender::new(
        OURS,
        context.thermocline.clone(),
        &[("maxmemory", &maxmemory)],
    );
    println!("measure 9: filling {OURS}");
    let (our_server, our_directory) = ours.start()?;
    Measured::run(&our_server, &fill)?.print_error(OURS);
    let mut client = our_server.client()?;
    let ended = begin_checkpoint(&mut client)?;
    wait_for_checkpoint(&mut client, ended)?;

    println!("measure 9: filling {PEER}");
    let directory = setup::directory("extstore")?;
    let file = directory.path().join("extstore");
    let peer = extstore(context, &file, keys, memory)?;
    let peer_server = peer.start_in(directory.path())?;
    let cache = page_cache::Dropped::start(&file);
    let peer_lost = fill_extstore(&peer_server, &fill)?;

    let files = fio::segment_files(&our_directory.path().join("data"))?;
    let mut loads = Loads::default();
    let (mut disk_reads, mut our_reads) = (Vec::new(), Vec::new());
    for round in 0..context.rounds {
        context.tell("9, 10", round, "fio");
        let found = fio::random_reads(&files, CONNECTIONS, context.duration(SECONDS))?;
        disk_reads.push(found.per_second);
        for (label, server) in [(OURS, &our_server), (PEER, &peer_server)] {
            context.tell("9, 10", round, label);
            for (case, (load, order, pipeline)) in cases(keys).into_iter().enumerate() {
                let workload = Workload {
                    order,
                    mix: Mix::GET,
                    pipeline,
                    duration: Some(context.duration(SECONDS)),
                    // No order comes twice.
                    seed: 100 + (round * 3 + case) as u64,
                    ..fill.clone()
                };
                if round == 0 && load == ZIPF {
                    let duration = Some(context.duration(WARM_SECONDS));
                    let warm = Workload {
                        duration,
                        ..workload.clone()
                    };
                    Measured::run(server, &warm)?.print_error(label);
                }
                let before = client.info()?.number("tier_reads");
                let measured = Measured::run(server, &workload)?;
                if load == UNIFORM && label == OURS {
                    let reads = client.info()?.number("tier_reads") - before;
                    our_reads.push(reads as f64 / measured.outcome.elapsed.as_secs_f64());
                }
                loads.add(load, label, &measured);
            }
        }
    }
    let mut state = Table::new(
        "what each holds at the end",
        &[
            "server",
            "RSS",
            "keys lost after the fill",
            "reads/s of the disk, uniform",
            "fio reads/s",
        ],
    );
    state.row(vec![
        Cell::text(OURS),
        Cell::Bytes(resident_bytes(our_server.pid())?),
        Cell::Count(0),
        Cell::Rounds(our_reads.clone()),
        Cell::Rounds(disk_reads.clone()),
    ]);
    state.row(vec![
        Cell::text(PEER),
        Cell::Bytes(resident_bytes(peer_server.pid())?),
        Cell::Count(peer_lost),
        Cell::Nothing,
        Cell::Nothing,
    ]);
    drop(cache);
    drop(client);
    our_server.stop();
    peer_server.stop();
    let device = ratios(&our_reads, &disk_reads);
    let lost = CASES
        .iter()
        .any(|load| loads.get(load, PEER).bad_replies > 0);
    let mut verdicts = verdicts(&loads, device);
    verdicts.retain(|verdict| wanted.contains(&verdict.measure));
    let verdicts = verdicts.into_iter();
    let title = format!(
        "ten times the memory: {keys} keys of {VALUE_BYTES} B text, {} MiB, {CONNECTIONS} connections",
        memory >> 20
    );
    Ok(Findings {
        verdicts: verdicts
            .map(|verdict| verdict.void_if(lost, "extstore did not keep every key"))
            .collect(),
        tables: vec![loads.table(title), state],
    })
}

const CASES: [&str; 3] = [ZIPF, UNIFORM, ZIPF_PIPELINED];

fn verdicts(loads: &Loads, device: Vec<f64>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (load, limit) in [(ZIPF, 3.0), (UNIFORM, 2.0), (ZIPF_PIPELINED, 5.0)] {
        let rate = |server| loads.get(load, server).per_second;
        verdicts.push(Verdict::new(
            "9",
            format!("{load}: GETs/s over extstore's"),
            ratios(&rate(OURS), &rate(PEER)),
            Goal::AtLeast(limit),
        ));
    }
    verdicts.push(Verdict::new(
        "9",
        format!("{UNIFORM}: reads/s over fio's at depth {CONNECTIONS}"),
        device,
        Goal::AtLeast(0.9),
    ));
    for (load, limit) in [(ZIPF, 0.35), (UNIFORM, 0.45)] {
        let p99 = |server| loads.get(load, server).p99_us;
        verdicts.push(Verdict::new(
            "10",
            format!("{load}: p99 of all GETs over extstore's"),
            ratios(&p99(OURS), &p99(PEER)),
            Goal::AtMost(limit),
        ));
    }
    verdicts
}

/// memcached with its values on `file`: what it needs for each key stays in
/// memory, so chunks as small as that, and no hash table that grows.
fn extstore(
    context: &Context,
    file: &Path,
    keys: u64,
    memory_bytes: u64,
) -> Result<Contender, BenchError> {
    let hash_power = (keys as f64).log2().floor().clamp(12.0, 32.0) as u32;
    // The hash table and the buffers for writing come on top of the slabs.
    let outside_bytes = (8_u64 << hash_power) + (24 << 20);
    let slab_megabytes = (memory_bytes.saturating_sub(outside_bytes) >> 20).max(16);
    let file_megabytes = ((keys * 1300) >> 20).max(512);
    let extended = format!(
        "ext_path={}:{file_megabytes}M,ext_item_size=200,ext_threads=8,ext_wbuf_size=4,\
         hashpower={hash_power},no_hashexpand,slab_sizes=80-96-120-160-240-480-960-1088-1200-1400-\
         2048-4096-16384-524288",
        file.display()
    );
    let options = [
        ("memory-limit", slab_megabytes.to_string()),
        ("threads", "2".to_owned()),
        ("disable-cas", String::new()),
        ("extended", extended),
    ];
    let options = options
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    Ok(Contender::new(PEER, context.memcached()?, &options))
}

/// Fills until every key is there; gives how many are not after all passes.
fn fill_extstore(server: &Server, fill: &Workload<'_>) -> Result<u64, BenchError> {
    // Its writer must keep up: what it cannot write soon enough it drops.
    let fill = Workload {
        pipeline: 4,
        pace_per_second: Some(FILL_PACE_PER_SECOND),
        ..fill.clone()
    };
    let mut lost = Measured::run(server, &fill)?.outcome.errors;
    for _ in 0..FILL_PASSES {
        let again = Workload {
            mix: Mix::GET,
            set_missing: true,
            ..fill.clone()
        };
        lost = Measured::run(server, &again)?.outcome.missing;
        println!("measure 9: {PEER} had lost {lost} keys");
        if lost == 0 {
            break;
        }
    }
    Ok(lost)
}
