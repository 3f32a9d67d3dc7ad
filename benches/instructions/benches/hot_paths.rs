//! Instructions of the hot paths, counted by callgrind: 1,000 times each, so
//! that what a call costs once is small in the sum.
//!
//! `cargo xtask instructions` runs them and compares with what is kept. Only
//! the bodies of the functions marked as benchmarks are counted, not their
//! `setup`.

use gungraun::prelude::*;
use std::hint::black_box;
use tempfile::TempDir;
use thermocline_instructions::{KEYS, Prepared, VALUE, key, log, read, store, write};
use thermocline_server::resp::{Decoded, Decoder, Limits};
use thermocline_wal::{Flusher, Policy, Wal};

const TIMES: u64 = 1000;

fn gets() -> Vec<u8> {
    let requests = (0..TIMES).map(|id| format!("*2\r\n$3\r\nGET\r\n$16\r\n{}\r\n", key(id)));
    requests.collect::<String>().into_bytes()
}

fn sets() -> Vec<u8> {
    let value = String::from_utf8_lossy(VALUE);
    let requests = (0..TIMES).map(|id| {
        format!(
            "*3\r\n$3\r\nSET\r\n$16\r\n{}\r\n$64\r\n{value}\r\n",
            key(id)
        )
    });
    requests.collect::<String>().into_bytes()
}

#[library_benchmark]
#[bench::get(setup = gets)]
#[bench::set(setup = sets)]
fn resp_parse(bytes: Vec<u8>) -> usize {
    let (mut decoder, limits) = (Decoder::new(), Limits::default());
    let (mut at, mut words) = (0, 0);
    while let Ok(Decoded::Request {
        arguments,
        consumed,
        ..
    }) = decoder.decode(&bytes[at..], &limits)
    {
        words += black_box(arguments).len();
        at += consumed;
    }
    assert_eq!(at, bytes.len());
    words
}

fn held_keys() -> Prepared {
    store(None, 0, TIMES)
}

fn absent_keys() -> Prepared {
    store(None, KEYS, TIMES)
}

#[library_benchmark]
#[bench::hit(setup = held_keys)]
#[bench::miss(setup = absent_keys)]
fn index(prepared: Prepared) -> Prepared {
    let found = prepared
        .names
        .iter()
        .filter(|name| read(&prepared.store, name));
    black_box(found.count());
    prepared
}

fn held_keys_with_log() -> Prepared {
    store(Some(Policy::Never), 0, TIMES)
}

fn absent_keys_with_log() -> Prepared {
    store(Some(Policy::Never), KEYS, TIMES)
}

#[library_benchmark]
#[bench::replaced(setup = held_keys)]
#[bench::new(setup = absent_keys)]
#[bench::replaced_with_log(setup = held_keys_with_log)]
#[bench::new_with_log(setup = absent_keys_with_log)]
fn record_write(prepared: Prepared) -> Prepared {
    for name in &prepared.names {
        write(&prepared.store, name);
    }
    prepared
}

#[library_benchmark]
#[bench::frame_of_96_bytes(setup = log)]
fn wal_append((log, flusher, directory): (Wal, Flusher, TempDir)) -> (Wal, Flusher, TempDir) {
    for _ in 0..TIMES {
        let credit = log.try_credit(96).expect("the ring has room");
        black_box(log.append(credit, &[&[1; 32], &[2; 64]]));
    }
    (log, flusher, directory)
}

library_benchmark_group!(
    name = hot_paths,
    benchmarks = [resp_parse, index, record_write, wal_append]
);

main!(library_benchmark_groups = hot_paths);
