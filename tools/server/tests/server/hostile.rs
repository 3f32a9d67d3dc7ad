//! Clients that mean harm: what they make the server hold is bounded, and others are served.

use super::support::{Daemon, Raw, eventually, field};
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

/// A daemon of 64 MiB whose key `big` has 1 MiB, and a client of it.
fn start_with_big_value() -> (Daemon, Raw) {
    let daemon = Daemon::start(&["--maxmemory", "64mb"]);
    let mut friend = daemon.connect();
    let value = "v".repeat(1 << 20);
    friend.send(format!(
        "*3\r\n$3\r\nset\r\n$3\r\nbig\r\n$1048576\r\n{value}\r\n"
    ));
    friend.expect("+OK\r\n");
    (daemon, friend)
}

fn assert_bounded(daemon: &Daemon) {
    let (peak, limit) = (daemon.peak_bytes(), MAXMEMORY_BYTES / 10 * 11 + 64 * MIB);
    assert!(peak <= limit, "{} MiB at the peak", peak / MIB);
}

#[test]
fn a_hundred_hostile_clients_stay_within_the_memory() {
    let (daemon, mut friend) = start_with_big_value();
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

/// CVE-2025-21605: who had not authenticated could have output buffers grow without end.
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

#[test]
fn a_reply_larger_than_all_may_hold_is_never_written_whole() {
    let (daemon, mut friend) = start_with_big_value();
    let before = daemon.peak_bytes();
    let many = format!("mget{}\r\n", " big".repeat(10_000));
    for requests in [
        many.clone(),
        format!("multi\r\n{many}set after 1\r\nexec\r\n"),
    ] {
        let mut greedy = daemon.connect();
        greedy.send(requests);
        let rest = greedy.rest();
        assert!(!rest.contains("vvv"), "{} bytes", rest.len());
    }
    let script = "for i = 1, 100 do redis.call('mget', 'big', 'big', 'big', 'big', 'big', 'big', \
                  'big', 'big', 'big', 'big', 'big', 'big', 'big', 'big', 'big', 'big', 'big') end";
    friend.send(format!("eval \"{script}\" 0\r\n"));
    let reply = friend.line();
    assert!(
        reply.starts_with("-OOM the reply takes more memory"),
        "{reply}"
    );
    let stats = friend.bulk("info stats");
    assert_eq!(
        field(&stats, "client_output_buffer_limit_disconnections"),
        "2"
    );
    assert!(daemon.log().contains("its replies are more than"));
    // What was asked for is done: only its reply was too long.
    assert_eq!(friend.ask("exists after"), ":1");
    let grown = daemon.peak_bytes().saturating_sub(before);
    assert!(grown < 64 * MIB, "{} MiB more", grown / MIB);
}

#[test]
fn all_that_a_client_holds_is_counted() {
    let daemon = Daemon::start(&["--maxmemory", "64mb"]);
    let mut watcher = daemon.connect();
    let held = |watcher: &mut Raw, id: &str| -> u64 {
        let line = watcher.bulk(&format!("client list id {id}"));
        let mut words = line.split_whitespace();
        let word = words.find_map(|word| word.strip_prefix("tot-mem="));
        word.expect("it is there").parse().expect("a number")
    };
    let names = |count: usize| -> String {
        let names: Vec<String> = (0..count).map(|index| format!("name:{index}")).collect();
        names.join(" ")
    };
    let long = "n".repeat(50_000);
    for (request, least, field) in [
        (format!("subscribe {}", names(1000)), 300_000, "sub=1000"),
        (format!("watch {}", names(1000)), 150_000, "watch=1000"),
        (format!("client setname {long}"), 50_000, "name=nnn"),
        (
            format!("blpop {} {long} 0", names(1000)),
            200_000,
            "argv-mem=",
        ),
        (format!("multi\r\nset a {long}"), 50_000, "multi-mem="),
        (
            format!("*2\r\n$3\r\nget\r\n$100000\r\n{long}"),
            50_000,
            "qbuf=",
        ),
        (
            format!("hello 3\r\nclient tracking on bcast prefix {long}"),
            100_000,
            "redir=0",
        ),
    ] {
        let mut client = daemon.connect();
        let id = client.ask("client id")[1..].to_owned();
        let before = held(&mut watcher, &id);
        client.send(format!("{request}\r\n"));
        eventually(&true, || held(&mut watcher, &id) >= before + least);
        let line = watcher.bulk(&format!("client list id {id}"));
        assert!(line.contains(field), "{line}");
        assert!(!line.contains(&format!(" {field}0 ")), "{line}");
        drop(client);
        eventually(&String::new(), || {
            watcher.bulk(&format!("client list id {id}"))
        });
    }
    eventually(&true, || {
        let memory = watcher.bulk("info memory");
        let bytes: u64 = field(&memory, "mem_clients_normal").parse().unwrap();
        bytes <= 64 << 10
    });
}

#[test]
fn messages_that_nobody_reads_count_for_all() {
    let options = ["--maxmemory-clients", "3mb", "--client-output-buffer-limit"];
    let daemon = Daemon::start(&[&options[..], &["pubsub", "0", "0", "0"]].concat());
    let mut deaf = daemon.connect();
    assert_eq!(deaf.ask("subscribe news"), "*3");
    let mut publisher = daemon.connect();
    let message = "m".repeat(60_000);
    eventually(&"1".to_owned(), || {
        assert!(
            publisher
                .ask(&format!("publish news {message}"))
                .starts_with(':')
        );
        field(&publisher.bulk("info stats"), "evicted_clients")
    });
    eventually(&":0".to_owned(), || publisher.ask("publish news again"));
    assert_eq!(publisher.ask("ping"), "+PONG");
}

#[test]
fn the_table_of_tracked_keys_is_bounded_in_bytes() {
    let daemon = Daemon::start(&["--maxmemory-clients", "4mb"]);
    let mut reader = daemon.connect();
    reader.send("hello 3\r\n");
    while !reader.line().starts_with("*0") {}
    assert_eq!(reader.ask("client tracking on"), "+OK");
    let mut watcher = daemon.connect();
    for index in 0..100 {
        reader.send(format!("exists {index}:{}\r\n", "k".repeat(50_000)));
        let stats = watcher.bulk("info stats");
        let bytes: u64 = field(&stats, "tracking_total_bytes").parse().unwrap();
        assert!(bytes <= 2 * MIB + 60_000, "{bytes}");
    }
    // Those that had to go were told to the reader as changed.
    let mut told = 0;
    while told < 50 {
        told += usize::from(reader.line() == "$10" && reader.line() == "invalidate");
    }
}
