//! Between clients: slow subscribers, order, MONITOR, invalidations by expiry and eviction.

use super::support::{Daemon, Raw, eventually, field};

/// The requests that MONITOR shows next, without time and address.
fn shown(raw: &mut Raw, count: usize) -> Vec<String> {
    let after_address = |line: String| {
        let (_, request) = line.split_once("] ").expect("an address");
        request.to_owned()
    };
    (0..count).map(|_| after_address(raw.line())).collect()
}

#[test]
fn a_publisher_waits_for_no_subscriber_and_the_slow_one_is_closed() {
    let daemon = Daemon::start(&["--client-output-buffer-limit", "pubsub", "1mb", "0", "0"]);
    let (mut slow, mut quick) = (daemon.connect(), daemon.connect());
    for raw in [&mut slow, &mut quick] {
        raw.send("subscribe c\r\n");
        raw.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    }
    let mut publisher = daemon.connect();
    let message = "m".repeat(60_000);
    let request = format!("*3\r\n$7\r\npublish\r\n$1\r\nc\r\n$60000\r\n{message}");
    // More than both sockets' buffers and the limit hold; `quick` reads all of it.
    for _ in 0..400 {
        let receivers = publisher.ask(&request);
        assert!([":1", ":2"].contains(&&*receivers), "{receivers}");
        quick.expect("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$60000\r\n");
        quick.expect(&message);
        quick.expect("\r\n");
    }
    eventually(&":1".to_owned(), || publisher.ask("publish c last"));
    let info = publisher.bulk("info stats");
    let closed = field(&info, "client_output_buffer_limit_disconnections");
    assert_eq!(closed, "1");
    assert!(daemon.log().contains("reached client-output-buffer-limit"));
    assert!(slow.rest().len() < 400 * 60_000);
}

#[test]
fn messages_of_one_publisher_keep_their_order_on_every_thread() {
    const MESSAGES: usize = 2000;
    let daemon = Daemon::start(&[]);
    let mut subscribers: Vec<Raw> = (0..6).map(|_| daemon.connect()).collect();
    for raw in &mut subscribers {
        raw.send("psubscribe c*\r\n");
        raw.expect("*3\r\n$10\r\npsubscribe\r\n$2\r\nc*\r\n:1\r\n");
    }
    std::thread::scope(|scope| {
        for publisher in 0..2 {
            let mut raw = daemon.connect();
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    raw.send(format!("publish c{publisher} {number}\r\n"));
                }
                for _ in 0..MESSAGES {
                    assert_eq!(raw.line(), ":6");
                }
            });
        }
        for raw in &mut subscribers {
            scope.spawn(move || {
                let mut next = [0; 2];
                for _ in 0..2 * MESSAGES {
                    let lines: Vec<String> = (0..9).map(|_| raw.line()).collect();
                    let publisher: usize = lines[6][1..].parse().expect("a number");
                    assert_eq!(lines[8], next[publisher].to_string());
                    next[publisher] += 1;
                }
            });
        }
    });
}

#[test]
fn nothing_is_left_of_a_client_that_is_gone() {
    let daemon = Daemon::start(&[]);
    let mut one = daemon.connect();
    let mut other = daemon.connect();
    one.send("hello 3\r\nsubscribe a\r\npsubscribe b*\r\nssubscribe c\r\n");
    one.send("client tracking on bcast prefix p\r\nmonitor\r\n");
    let counts = |raw: &mut Raw| {
        let info = raw.bulk("info all");
        [
            "pubsub_channels",
            "pubsub_patterns",
            "pubsubshard_channels",
            "tracking_total_prefixes",
            "tracking_clients",
            "pubsub_clients",
        ]
        .map(|name| field(&info, name))
    };
    eventually(&["1"; 6].map(str::to_owned), || counts(&mut other));
    let list = other.bulk("client list type pubsub");
    assert!(list.contains(" sub=1 psub=1 ssub=1 "), "{list}");
    assert!(list.contains(" flags=OPtB "), "{list}");
    drop(one);
    eventually(&["0"; 6].map(str::to_owned), || counts(&mut other));
    assert_eq!(other.ask("publish a x"), ":0");
}

#[test]
fn a_monitor_sees_requests_without_their_secrets() {
    let daemon = Daemon::start(&[]);
    let (mut monitor, mut other) = (daemon.connect(), daemon.connect());
    assert_eq!(monitor.ask("monitor"), "+OK");
    other.send("set k v\r\nnosuch\r\nget\r\nauth secret\r\nauth me secret\r\n");
    other.send("hello 2 auth me secret\r\nhello 2 setname x\r\nconfig get port\r\n");
    other.send("multi\r\nset k 1\r\npublish c x\r\nexec\r\nselect 3\r\necho \"a\\\"\\x00\\n\"\r\n");
    let seen = shown(&mut monitor, 11);
    let expected = [
        r#""set" "k" "v""#,
        r#""auth" "(redacted)""#,
        r#""auth" "(redacted)" "(redacted)""#,
        r#""hello" "2" "auth" "(redacted)" "(redacted)""#,
        r#""hello" "2" "setname" "x""#,
        r#""multi""#,
        r#""set" "k" "1""#,
        r#""publish" "c" "x""#,
        r#""exec""#,
        r#""select" "3""#,
        r#""echo" "a\"\x00\n""#,
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        monitor.ask("get k"),
        "-ERR Replica can't interact with the keyspace"
    );
    assert_eq!(monitor.ask("reset"), "+RESET");
    assert_eq!(monitor.ask("get k"), "$1");
}

#[test]
fn expiry_is_told_to_trackers_and_subscribers() {
    let daemon = Daemon::start(&["--notify-keyspace-events", "Ex"]);
    let (mut tracker, mut other) = (daemon.connect(), daemon.connect());
    tracker.send("hello 3\r\n");
    while tracker.line() != "modules" {}
    tracker.expect("*0\r\n");
    tracker.send("subscribe __keyevent@0__:expired\r\nclient tracking on\r\n");
    tracker.expect(">3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@0__:expired\r\n:1\r\n+OK\r\n");
    other.send("set k v px 300\r\n");
    other.expect("+OK\r\n");
    assert_eq!(tracker.ask("exists k"), ":1");
    // Nobody asks for the key again: it expires by itself. The two are told together.
    let event = ">3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:expired\r\n$1\r\nk\r\n";
    tracker.expect(&format!(
        "{event}>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
    ));
}

#[test]
fn sinking_is_told_to_nobody_and_eviction_is() {
    let daemon = Daemon::start(&[
        "--maxmemory",
        "16mb",
        "--tier",
        "no",
        "--maxmemory-policy",
        "allkeys-lru",
        "--notify-keyspace-events",
        "Ee",
    ]);
    let (mut listener, mut other) = (daemon.connect(), daemon.connect());
    listener.send("subscribe __keyevent@0__:evicted\r\n");
    listener.expect("*3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@0__:evicted\r\n:1\r\n");
    let value = "v".repeat(10_000);
    for number in 0..4000 {
        assert_eq!(other.ask(&format!("set {number} {value}")), "+OK");
    }
    listener.expect("*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:evicted\r\n");
    drop(daemon);

    let daemon = Daemon::start(&["--maxmemory", "16mb"]);
    let (mut tracker, mut other) = (daemon.connect(), daemon.connect());
    tracker.send("hello 3\r\n");
    while tracker.line() != "modules" {}
    tracker.expect("*0\r\n");
    assert_eq!(
        tracker.ask("client tracking on bcast prefix tracked"),
        "+OK"
    );
    assert_eq!(other.ask(&format!("set tracked {value}")), "+OK");
    tracker.expect(">2\r\n$10\r\ninvalidate\r\n*1\r\n$7\r\ntracked\r\n");
    for number in 0..4000 {
        assert_eq!(other.ask(&format!("set {number} {value}")), "+OK");
    }
    eventually(&true, || {
        field(&other.bulk("info tiering"), "tier_cold_keys") != "0"
    });
    for _ in 0..3 {
        assert_eq!(other.ask("strlen tracked"), ":10000");
    }
    // Only a change is heard of.
    assert_eq!(other.ask("del tracked"), ":1");
    tracker.expect(">2\r\n$10\r\ninvalidate\r\n*1\r\n$7\r\ntracked\r\n");
    assert_eq!(tracker.ask("ping"), "+PONG");
}

#[test]
fn too_many_tracked_keys_are_forgotten_with_a_word() {
    let daemon = Daemon::start(&["--tracking-table-max-keys", "10"]);
    let mut tracker = daemon.connect();
    tracker.send("hello 3\r\n");
    while tracker.line() != "modules" {}
    tracker.expect("*0\r\n");
    assert_eq!(tracker.ask("client tracking on"), "+OK");
    let mut told = 0;
    for number in 0..2000 {
        tracker.send(format!("get k{number}\r\n"));
    }
    tracker.send("ping\r\n");
    loop {
        match tracker.line().as_str() {
            ">2" => told += 1,
            "+PONG" => break,
            _ => {}
        }
    }
    assert_eq!(told, 1990);
    let mut other = daemon.connect();
    let info = other.bulk("info stats");
    assert_eq!(field(&info, "tracking_total_keys"), "10");
    assert_eq!(field(&info, "tracking_total_items"), "10");
}
