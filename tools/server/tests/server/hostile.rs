//! Clients that mean harm: what they make the server hold is bounded, and others are served.

use super::support::{Daemon, eventually, field};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

const MIB: u64 = 1 << 20;
const MAXMEMORY_BYTES: u64 = 64 * MIB;

/// A connection that sends what it can and never reads.
fn throw(port: u16, pieces: impl Iterator<Item = Vec<u8>>) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let limit = Some(Duration::from_secs(20));
    stream.set_write_timeout(limit).expect("it can be set");
    for piece in pieces {
        if stream.write_all(&piece).is_err() {
            break; // The server has had enough.
        }
    }
    stream
}

fn assert_bounded(daemon: &Daemon) {
    let (peak, limit) = (daemon.peak_bytes(), MAXMEMORY_BYTES / 10 * 11 + 64 * MIB);
    assert!(peak <= limit, "{} MiB at the peak", peak / MIB);
}

#[test]
fn a_hundred_hostile_clients_stay_within_the_memory() {
    let daemon = Daemon::start(&["--maxmemory", "64mb"]);
    let mut friend = daemon.connect();
    let value = "v".repeat(1 << 20);
    friend.send(format!(
        "*3\r\n$3\r\nset\r\n$3\r\nbig\r\n$1048576\r\n{value}\r\n"
    ));
    friend.expect("+OK\r\n");
    let port = daemon.port;
    let mut held = Vec::new();
    for _ in 0..25 {
        // Never reads.
        held.push(throw(
            port,
            std::iter::repeat_n(b"get big\r\n".to_vec(), 400),
        ));
        // An argument without an end.
        let begin = b"*2\r\n$3\r\nget\r\n$500000000\r\n".to_vec();
        let body = std::iter::repeat_n(vec![b'x'; 1 << 20], 8);
        held.push(throw(port, std::iter::once(begin).chain(body)));
        // Arguments without an end, and what looks like nesting.
        let begin = b"*1048576\r\n".to_vec();
        let body = std::iter::repeat_n(b"$0\r\n\r\n".repeat(10_000), 100);
        held.push(throw(port, std::iter::once(begin).chain(body)));
        held.push(throw(port, std::iter::once(b"*1\r\n".repeat(100_000))));
        // A transaction that is never run.
        let queued = format!("set a {}\r\n", "v".repeat(10_000)).repeat(100);
        let begin = b"multi\r\n".to_vec();
        let body = std::iter::repeat_n(queued.into_bytes(), 8);
        held.push(throw(port, std::iter::once(begin).chain(body)));
    }
    assert_eq!(friend.ask("set a 1"), "+OK");
    assert_eq!(friend.ask("incr a"), ":2");
    eventually(&true, || {
        let memory = friend.bulk("info memory");
        let bytes: u64 = field(&memory, "mem_clients_normal").parse().unwrap();
        bytes <= 16 * MIB
    });
    let evicted = field(&friend.bulk("info stats"), "evicted_clients");
    assert_ne!(evicted, "0");
    assert!(daemon.log().contains("Evicting client: id="));
    assert_bounded(&daemon);
    drop(held);
}

#[test]
fn strangers_hold_next_to_nothing() {
    let daemon = Daemon::start(&["--maxmemory", "64mb", "--requirepass", "secret"]);
    let mut friend = daemon.connect();
    assert_eq!(friend.ask("auth secret"), "+OK");
    let mut held = Vec::new();
    for _ in 0..50 {
        let pings = b"ping\r\n".repeat(10_000);
        held.push(throw(daemon.port, std::iter::repeat_n(pings, 50)));
        let argument = [b"$16000\r\n".to_vec(), vec![b'x'; 16_000], b"\r\n".to_vec()].concat();
        let begin = b"*10\r\n".to_vec();
        let body = std::iter::repeat_n(argument, 9);
        held.push(throw(daemon.port, std::iter::once(begin).chain(body)));
    }
    // Both kinds are closed, whoever keeps the other end open.
    eventually(&"1".to_owned(), || {
        field(&friend.bulk("info clients"), "connected_clients")
    });
    let stats = friend.bulk("info stats");
    assert_eq!(
        field(&stats, "client_query_buffer_limit_disconnections"),
        "50"
    );
    assert_bounded(&daemon);
    drop(held);
}

#[test]
fn the_client_that_holds_most_goes_unless_it_is_exempt() {
    let options = ["--maxmemory-clients", "3mb", "--client-output-buffer-limit"];
    let daemon = Daemon::start(&[&options[..], &["normal", "0", "0", "0"]].concat());
    let mut exempt = daemon.connect();
    assert_eq!(exempt.ask("client no-evict on"), "+OK");
    let value = "v".repeat(60_000);
    assert_eq!(exempt.ask(&format!("set a {value}")), "+OK");
    let mut small = daemon.connect();
    assert_eq!(small.ask("ping"), "+PONG");
    let mut greedy = daemon.connect();
    greedy.send("get a\r\n".repeat(400));
    eventually(&"1".to_owned(), || {
        field(&small.bulk("info stats"), "evicted_clients")
    });
    assert_eq!(small.ask("config set maxmemory-clients 40%"), "+OK");
    small.send("config get maxmemory-clients\r\n");
    small.expect("*2\r\n$17\r\nmaxmemory-clients\r\n$3\r\n40%\r\n");
    assert_eq!(small.ask("config set maxmemory-clients 3mb"), "+OK");
    // All of its replies come, though they are more than clients may hold.
    exempt.send("get a\r\n".repeat(400));
    for _ in 0..400 {
        assert_eq!(exempt.line(), "$60000");
        assert_eq!(exempt.line(), value);
    }
    assert_eq!(small.ask("ping"), "+PONG");
}
