//! The load against a small server in this process that can be told to lie.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thermocline_benches::address::Address;
use thermocline_benches::client::Client;
use thermocline_benches::keys::Order;
use thermocline_benches::load::{KeySet, LoadError, Mix, Outcome, Refill, Workload};
use thermocline_benches::reply::{self, Reply};
use thermocline_benches::values::Values;

type Keys = Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>;

/// Serves GET, SET and PING on a port of its own; `SET` of the key `hang up`
/// closes the connection.
fn serve(keys: &Keys) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let keys = Arc::clone(keys);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keys = Arc::clone(&keys);
            std::thread::spawn(move || serve_connection(stream, &keys));
        }
    });
    port
}

fn serve_connection(mut stream: TcpStream, keys: &Keys) {
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        received.extend_from_slice(&chunk[..count]);
        let mut at = 0;
        let mut out = Vec::new();
        while let Ok(Some((Reply::Array(Some(words)), taken))) = reply::read(&received[at..]) {
            let words: Vec<&[u8]> = words
                .iter()
                .map(|word| match word {
                    Reply::Bulk(Some(word)) => *word,
                    other => panic!("{other:?}"),
                })
                .collect();
            match words[..] {
                [b"SET", b"key:000000000666", _] => return,
                [b"SET", key, value] => {
                    let mut keys = keys.lock().expect("no panic");
                    keys.insert(key.to_vec(), value.to_vec());
                    out.extend_from_slice(b"+OK\r\n");
                }
                [b"GET", key] => match keys.lock().expect("no panic").get(key) {
                    Some(value) => {
                        out.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
                        out.extend_from_slice(value);
                        out.extend_from_slice(b"\r\n");
                    }
                    None => out.extend_from_slice(b"$-1\r\n"),
                },
                _ => out.extend_from_slice(b"-ERR unknown\r\n"),
            }
            at += taken;
        }
        received.drain(..at);
        if stream.write_all(&out).is_err() {
            return;
        }
    }
}

/// Longer than the first receive buffer now and then.
const VALUES: Values = Values::Mixed {
    least: 1,
    greatest: 200_000,
};

fn run(port: u16, order: Order, mix: Mix, refill: Refill) -> Outcome {
    let workload = Workload {
        connections: 5,
        pipeline: 7,
        refill,
        ..Workload::pass(order, VALUES, mix)
    };
    workload.run(port).expect("the load ends")
}

#[test]
fn what_is_written_is_found_and_every_request_is_counted() {
    let keys = Keys::default();
    let port = serve(&keys);
    for refill in [Refill::Whole, Refill::Each] {
        let written = run(port, Order::all(300), Mix::SET, refill);
        assert_eq!((written.requests, written.errors), (300, 0));
        let read = run(port, Order::all(300), Mix::GET, refill);
        assert_eq!(
            (read.requests, read.wrong, read.missing, read.errors),
            (300, 0, 0, 0)
        );
        assert!(read.get_latency.percentile_us(50.0) > 0.0);
        assert!(read.set_latency.max_us() == 0.0 && written.set_latency.max_us() > 0.0);
    }
    assert_eq!(keys.lock().expect("no panic").len(), 300);
}

#[test]
fn a_changed_value_and_a_lost_key_are_noticed() {
    let keys = Keys::default();
    let port = serve(&keys);
    run(port, Order::all(100), Mix::SET, Refill::Whole);
    {
        let mut keys = keys.lock().expect("no panic");
        keys.remove(&b"key:000000000007"[..]);
        let other = keys[&b"key:000000000008"[..]].clone();
        keys.insert(b"key:000000000009".to_vec(), other);
        let value = keys.get_mut(&b"key:000000000010"[..]).expect("written");
        *value.last_mut().expect("not empty") ^= 1;
    }
    let read = run(port, Order::all(100), Mix::GET, Refill::Each);
    assert_eq!((read.wrong, read.missing), (2, 1));
}

#[test]
fn a_missing_key_is_written_when_the_load_says_so() {
    let keys = Keys::default();
    let port = serve(&keys);
    let workload = Workload {
        set_missing: true,
        ..Workload::pass(Order::all(100), VALUES, Mix::GET)
    };
    assert_eq!(workload.run(port).expect("an outcome").missing, 100);
    let again = workload.run(port).expect("an outcome");
    assert_eq!((again.missing, again.wrong), (0, 0));
}

#[test]
fn an_endless_order_ends_with_its_time() {
    let keys = Keys::default();
    let port = serve(&keys);
    for order in [Order::Uniform { keys: 50 }, Order::Zipf { keys: 50 }] {
        let workload = Workload {
            duration: Some(Duration::from_millis(100)),
            set_missing: true,
            ..Workload::pass(order, VALUES, Mix { sets: 1, gets: 3 })
        };
        let outcome = workload.run(port).expect("an outcome");
        assert_eq!((outcome.wrong, outcome.errors), (0, 0));
        assert!(outcome.requests > 0);
    }
}

#[test]
fn a_lost_connection_keeps_what_was_acknowledged() {
    let keys = Keys::default();
    let port = serve(&keys);
    let acknowledged = KeySet::new(1000);
    let workload = Workload {
        connections: 1,
        pipeline: 1,
        acknowledged: Some(&acknowledged),
        ..Workload::pass(Order::all(1000), Values::Fixed { bytes: 8 }, Mix::SET)
    };
    assert!(matches!(workload.run(port), Err(LoadError::Connection(_))));
    let acknowledged: Vec<u64> = acknowledged.iter().collect();
    assert_eq!(acknowledged, (0..666).collect::<Vec<u64>>());
}

#[test]
fn a_client_gets_errors_as_answers() {
    let port = serve(&Keys::default());
    let mut client = Client::connect(port).expect("connected");
    client.order(&[b"SET", b"a", b"1"]).expect("written");
    assert_eq!(
        client.ask(&[b"GET", b"a"]).expect("an answer"),
        Reply::Bulk(Some(b"1"))
    );
    let error = client.order(&[b"NONSENSE"]).expect_err("refused");
    assert!(error.to_string().contains("ERR unknown"), "{error}");
}

#[test]
fn an_open_loop_keeps_its_pace_and_counts_from_what_was_due() {
    let keys = Keys::default();
    let port = serve(&keys);
    let workload = Workload {
        connections: 3,
        pipeline: 4,
        pace_per_second: Some(2000.0),
        ..Workload::pass(Order::all(200), Values::Fixed { bytes: 8 }, Mix::SET)
    };
    let outcome = workload.run(port).expect("an outcome");
    assert_eq!((outcome.requests, outcome.errors), (200, 0));
    // The last is due after 99.5 ms: no load can have ended before.
    assert!(outcome.elapsed >= Duration::from_millis(99));
    let ended = Workload {
        order: Order::Uniform { keys: 200 },
        mix: Mix::GET,
        duration: Some(Duration::from_millis(50)),
        ..workload
    };
    let outcome = ended.run(port).expect("an outcome");
    assert_eq!((outcome.wrong, outcome.missing), (0, 0));
    // At most what was due in 50 ms, and a little for a late end.
    assert!(outcome.requests > 0);
}

#[test]
fn what_is_to_expire_is_written_so() {
    let port = serve(&Keys::default());
    let workload = Workload {
        expiry_seconds: Some(|_| 60),
        ..Workload::pass(Order::all(3), Values::Fixed { bytes: 8 }, Mix::SET)
    };
    // The small server knows no EX, and so shows that it was sent.
    assert_eq!(workload.run(port).expect("an outcome").errors, 3);
}

#[test]
fn a_load_goes_over_a_unix_socket_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            // Each read is one whole request: pipelines are of one.
            while let Ok(1..) = stream.read(&mut bytes) {
                if stream.write_all(b"+OK\r\n").is_err() {
                    return;
                }
            }
        }
    });
    let workload = Workload {
        connections: 1,
        pipeline: 1,
        ..Workload::pass(Order::all(20), Values::Fixed { bytes: 8 }, Mix::SET)
    };
    let outcome = workload.run(Address::Unix(path)).expect("an outcome");
    assert_eq!((outcome.sets, outcome.errors), (20, 0));
}
