//! HOTKEYS of the real daemon: the texts of Redis 8.6, and what is summed.

use super::support::{Daemon, Raw, eventually};

/// The reply to HOTKEYS GET: its lines up to and with the last sum.
fn report(client: &mut Raw) -> Vec<String> {
    let first = client.ask("hotkeys get");
    assert_eq!(first, "*1");
    let fields: usize = client.line()[1..].parse().expect("a number of fields");
    (0..fields).flat_map(|_| value(client)).collect()
}

/// A reply of any kind, flattened: texts and numbers, arrays without their heads.
fn value(client: &mut Raw) -> Vec<String> {
    let head = client.line();
    match head.as_bytes()[0] {
        b'$' => vec![client.line()],
        b'*' => {
            let length: usize = head[1..].parse().expect("a length");
            (0..length).flat_map(|_| value(client)).collect()
        }
        _ => vec![head[1..].to_owned()],
    }
}

/// The words between a field's name and the next one's.
fn sums(report: &[String], field: &str, next: Option<&str>) -> Vec<(String, u64)> {
    let place = |name: &str| report.iter().position(|word| word == name);
    let from = place(field).expect("the field is there") + 1;
    let to = next.map_or(report.len(), |next| place(next).expect("the next too"));
    report[from..to]
        .chunks(2)
        .map(|pair| (pair[0].clone(), pair[1].parse().expect("a sum")))
        .collect()
}

#[test]
fn a_session_is_asked_for_as_in_redis() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    let required = "-ERR METRICS parameter is required";
    let count = "-ERR METRICS count must be > 0 and <= 2";
    let mismatch = "-ERR METRICS count does not match number of metric types provided";
    let none = "-ERR METRICS no valid metrics passed. Supported: CPU|NET";
    let duration = "-ERR DURATION must be between 1 and 1000000";
    let sample = "-ERR SAMPLE ratio must be positive";
    let top = "-ERR COUNT must be between 1 and 64";
    let slots = "-ERR SLOTS parameter cannot be used in non-cluster mode";
    let syntax = "-ERR syntax error";
    let active = "-ERR hotkey tracking session already in progress";
    for (line, expected) in [
        (
            "hotkeys",
            "-ERR wrong number of arguments for 'hotkeys' command",
        ),
        (
            "hotkeys foo",
            "-ERR unknown subcommand 'foo'. Try HOTKEYS HELP.",
        ),
        ("hotkeys get", "$-1"),
        (
            "hotkeys get x",
            "-ERR wrong number of arguments for 'hotkeys|get' command",
        ),
        ("hotkeys stop", "$-1"),
        ("hotkeys reset", "+OK"),
        ("hotkeys start", required),
        ("hotkeys start count 5 metrics 1 cpu", required),
        ("hotkeys start metrics", required),
        ("hotkeys start metrics x cpu", count),
        ("hotkeys start metrics 0 cpu", count),
        ("hotkeys start metrics 3 cpu net", count),
        ("hotkeys start metrics 1", mismatch),
        ("hotkeys start metrics 2 cpu", mismatch),
        ("hotkeys start metrics 2 gpu", mismatch),
        ("hotkeys start metrics 1 gpu", none),
        ("hotkeys start metrics 2 gpu nyet", none),
        (
            "hotkeys start metrics 2 cpu cpu foo",
            "-ERR METRICS CPU defined more than once!",
        ),
        (
            "hotkeys start metrics 2 net net",
            "-ERR METRICS NET defined more than once!",
        ),
        ("hotkeys start metrics 1 cpu net", syntax),
        ("hotkeys start metrics 1 cpu foo", syntax),
        ("hotkeys start metrics 1 cpu count", syntax),
        ("hotkeys start metrics 1 cpu count 0", top),
        ("hotkeys start metrics 1 cpu count 65", top),
        ("hotkeys start metrics 1 cpu duration 0", duration),
        ("hotkeys start metrics 1 cpu duration 1000001", duration),
        ("hotkeys start metrics 1 cpu sample -1", sample),
        ("hotkeys start metrics 1 cpu sample 2147483648", sample),
        ("hotkeys start metrics 1 cpu slots", syntax),
        ("hotkeys start metrics 1 cpu slots 1 5", slots),
        ("hotkeys start metrics 2 gpu cpu count 5 count 6", "+OK"),
        ("hotkeys start metrics 9 foo", active),
        (
            "hotkeys reset",
            "-ERR hotkey tracking session in progress, stop tracking first",
        ),
        ("hotkeys stop", "+OK"),
        ("hotkeys stop", "$-1"),
        ("hotkeys start metrics 1 net", "+OK"),
        ("hotkeys stop", "+OK"),
        ("hotkeys reset", "+OK"),
        ("hotkeys get", "$-1"),
    ] {
        assert_eq!(client.ask(line), expected, "{line}");
    }
}

#[test]
fn bytes_and_time_go_to_the_keys() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    assert_eq!(client.ask("hotkeys start metrics 2 net cpu count 3"), "+OK");
    for line in [
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n",
    ] {
        client.send(line);
        client.expect("+OK\r\n");
    }
    client.send("*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
    client.expect("$1\r\n2\r\n$-1\r\n");
    assert_eq!(client.ask("mset c 1 d 2 e 3"), "+OK");
    assert_eq!(client.ask("ping"), "+PONG");
    let now = report(&mut client);
    let head = [
        "tracking-active",
        "1",
        "sample-ratio",
        "1",
        "selected-slots",
        "0",
        "16383",
    ];
    assert_eq!(now[..7], head);
    // As Redis counts them: 27 + 5 bytes twice and 20 + 7; 20 + 5; a third of 56 + 5.
    let expected = [("a", 91), ("b", 25), ("c", 20)].map(|(key, sum)| (key.to_owned(), sum));
    assert_eq!(sums(&now, "by-net-bytes", None), expected);
    let by_time = sums(&now, "by-cpu-time-us", Some("by-net-bytes"));
    assert!(by_time.len() <= 3);
    assert!(by_time.is_sorted_by(|one, other| one.1 >= other.1));
    let at = now.iter().position(|word| word == "total-net-bytes");
    assert_eq!(now[at.expect("it is there") + 1], "177");
    assert_eq!(client.ask("hotkeys stop"), "+OK");
    assert_eq!(client.ask("set a later"), "+OK");
    let then = report(&mut client);
    assert_eq!(then[1], "0");
    assert_eq!(sums(&then, "by-net-bytes", None), expected);
}

#[test]
fn the_keys_of_transactions_and_scripts_count_too() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    assert_eq!(client.ask("hotkeys start metrics 1 net"), "+OK");
    for line in ["multi", "set often 1", "get often", "set seldom 1", "exec"] {
        client.ask(line);
    }
    client.expect("+OK\r\n$1\r\n1\r\n+OK\r\n");
    assert_eq!(
        client.ask("eval 'return redis.call(\"set\",KEYS[1],1)' 1 script"),
        "+OK"
    );
    assert_eq!(
        client.ask("eval 'return redis.call(\"set\",\"hidden\",1)' 0"),
        "+OK"
    );
    let mut keys = sums(&report(&mut client), "by-net-bytes", None);
    keys.sort();
    let names: Vec<_> = keys.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(names, ["often", "script", "seldom"]);
    assert!(keys[0].1 > keys[2].1, "{keys:?}");
}

#[test]
fn a_session_ends_by_itself() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    assert_eq!(client.ask("hotkeys start metrics 1 cpu duration 1"), "+OK");
    eventually(&"0".to_owned(), || report(&mut client)[1].clone());
    assert_eq!(client.ask("hotkeys stop"), "$-1");
    assert_eq!(client.ask("hotkeys start metrics 1 net"), "+OK");
}
