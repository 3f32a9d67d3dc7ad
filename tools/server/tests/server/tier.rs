//! More data than memory.

use super::support::{Daemon, eventually, field};

const KEYS: usize = 20_000;

fn value(index: usize) -> String {
    // Nothing that compresses well, so that the memory limit is felt.
    let mut state = index as u64;
    (0..60)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            format!("{:08x}", state >> 32)
        })
        .collect()
}

#[test]
fn cold_values_are_read_back_in_pipelines_and_after_a_restart() {
    let mut daemon = Daemon::start(&["--maxmemory", "6mb"]);
    for round in 0..2 {
        let mut client = daemon.client();
        if round == 0 {
            for chunk in 0..KEYS / 500 {
                let mut pipeline = redis::pipe();
                for index in chunk * 500..(chunk + 1) * 500 {
                    pipeline.set(format!("key:{index}"), value(index)).ignore();
                }
                let () = pipeline.query(&mut client).unwrap();
            }
            let mut raw = daemon.connect();
            assert_eq!(raw.ask("save"), "+OK");
            eventually(&true, || {
                field(&raw.bulk("info tiering"), "tier_cold_keys") != "0"
            });
        }
        // Neighbours in a pipeline lie on different pages.
        for chunk in 0..KEYS / 100 {
            let mut pipeline = redis::pipe();
            let indexes = (0..100).map(|step| (chunk + step * 211) % KEYS);
            for index in indexes.clone() {
                pipeline.get(format!("key:{index}"));
            }
            let values: Vec<String> = pipeline.query(&mut client).unwrap();
            for (index, found) in indexes.zip(values) {
                assert!(found == value(index), "key:{index} in round {round}");
            }
        }
        let mut raw = daemon.connect();
        assert_eq!(raw.ask("dbsize"), format!(":{KEYS}"));
        assert_ne!(field(&raw.bulk("info tiering"), "tier_reads"), "0");
        // One command over many cold keys, one in a transaction, one on a missing key.
        let mut several = redis::cmd("MGET");
        (0..200).for_each(|index| {
            several.arg(format!("key:{}", index * 97));
        });
        let values: Vec<String> = several.query(&mut client).unwrap();
        assert!(
            values
                .iter()
                .enumerate()
                .all(|(index, found)| *found == value(index * 97))
        );
        raw.send("multi\r\nstrlen key:1\r\nstrlen key:19999\r\nexists nothing\r\nexec\r\n");
        raw.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:480\r\n:480\r\n:0\r\n");
        if round == 0 {
            daemon.kill_and_restart();
        }
    }
}

/// What has to be in memory whole to be used must leave room for others.
#[test]
fn a_value_above_a_quarter_of_the_memory_grows_no_further() {
    const REFUSAL: &str = "-OOM command not allowed: the value of the key would take more than a \
                           quarter of 'maxmemory'.";
    let mut daemon = Daemon::start(&["--maxmemory", "32mb", "--appendfsync", "always"]);
    let mut raw = daemon.connect();
    let mut fill = |command: &str, key: &str, before: &str| {
        for first in (0..).step_by(500) {
            assert!(first < 1_000_000, "it grows for ever");
            let names: Vec<String> = (first..first + 500)
                .map(|number| format!("{before}member:{number:040}"))
                .collect();
            let reply = raw.ask(&format!("{command} {key} {}", names.join(" ")));
            if reply == REFUSAL {
                return first;
            }
            assert_eq!(reply, ":500");
        }
        unreachable!("it is refused or goes on")
    };
    let members = fill("sadd", "set", "");
    assert!(members > 50_000, "{members}");
    let places = fill("geoadd", "places", "1 1 ");
    for request in [
        "smove other set more",
        "setbit bits 4294967295 1",
        "setrange text 536870000 x",
        "bitfield bits set u8 #500000000 1",
        "eval \"return redis.call('setbit','bits',4294967295,1)\" 0",
    ] {
        let reply = raw.ask(request);
        // Nothing is moved from a key that is not there; a script tells where it failed.
        let expected = if request.starts_with("smove") {
            ":0"
        } else {
            REFUSAL
        };
        assert!(reply.starts_with(expected), "{request}: {reply}");
    }
    // What takes no more goes on, what only reads, and what takes the place of a value.
    assert_eq!(raw.ask("georadius places 50 50 1 m"), "*0");
    assert_eq!(raw.ask("zcard places"), format!(":{places}"));
    assert_eq!(raw.ask("zrangestore places places 0 9"), ":10");
    assert_eq!(raw.ask("geoadd places 1 1 more"), ":1");
    let gone = format!("srem set member:{:040}", 7);
    for round in 0..2 {
        assert_eq!(raw.ask("scard set"), format!(":{}", members - round));
        assert_eq!(raw.ask("exists bits text"), ":0");
        assert_eq!(
            raw.ask("sadd other x y"),
            if round == 0 { ":2" } else { ":0" }
        );
        if round == 0 {
            assert_eq!(raw.ask(&gone), ":1");
            daemon.kill_and_restart();
            raw = daemon.connect();
        }
    }
    assert_eq!(raw.ask("sinterstore set other"), ":2");
    assert_eq!(raw.ask("sadd set more"), ":1");
}

/// A daemon whose keys are nearly all cold.
fn mostly_cold(options: &[&str]) -> Daemon {
    let daemon = Daemon::start(&[&["--maxmemory", "6mb"], options].concat());
    let mut client = daemon.client();
    for chunk in 0..KEYS / 500 {
        let mut pipeline = redis::pipe();
        for index in chunk * 500..(chunk + 1) * 500 {
            pipeline.set(format!("key:{index}"), value(index)).ignore();
        }
        let () = pipeline.query(&mut client).unwrap();
    }
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("save"), "+OK");
    eventually(&true, || {
        field(&raw.bulk("info tiering"), "tier_cold_keys") != "0"
    });
    daemon
}

#[test]
fn the_time_that_the_disk_takes_is_told() {
    let daemon = mostly_cold(&["--appendfsync", "always"]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("config resetstat"), "+OK");
    let text = raw.bulk("info tiering");
    assert_eq!(field(&text, "tier_read_p99_usec"), "0");
    for index in (0..KEYS).step_by(97) {
        assert_eq!(raw.bulk(&format!("get key:{index}")), value(index));
    }
    let text = raw.bulk("info tiering");
    let number = |name| field(&text, name).parse::<f64>().unwrap();
    assert!(number("tier_read_p50_usec") > 0.0, "{text}");
    assert!(number("tier_read_p99_usec") >= number("tier_read_p50_usec"));
    assert_eq!(number("tier_reads_under_way"), 0.0);
    assert_eq!(number("tier_read_stall_ms"), 0.0);
    assert_eq!(raw.ask("set key value"), "+OK");
    let text = raw.bulk("info persistence");
    let number = |name| field(&text, name).parse::<u64>().unwrap();
    assert!(number("log_last_sync_usec") > 0, "{text}");
    assert!(number("log_longest_sync_usec") >= number("log_last_sync_usec"));
}

/// Request and reply of a step of the sliding window, among them ones that end a look ahead.
fn step(number: usize) -> (String, String) {
    let index = number * 7919 % KEYS;
    let found = value(index);
    match number % 50 {
        11 => (format!("set w:{number} x\r\n"), "+OK\r\n".to_owned()),
        12 => {
            let asked = number - 1;
            (format!("get w:{asked}\r\n"), "$1\r\nx\r\n".to_owned())
        }
        23 => (
            format!("multi\r\nstrlen key:{index}\r\nget key:{index}\r\nexec\r\n"),
            format!("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:480\r\n$480\r\n{found}\r\n"),
        ),
        31 => (
            "nonsense\r\n".to_owned(),
            "-ERR unknown command 'nonsense', with args beginning with: \r\n".to_owned(),
        ),
        37 => ("get nothing\r\n".to_owned(), "$-1\r\n".to_owned()),
        41 => (
            format!("select 1\r\nget key:{index}\r\nselect 0\r\n"),
            "+OK\r\n$-1\r\n+OK\r\n".to_owned(),
        ),
        _ => (
            format!(
                "*2\r\n$3\r\nGET\r\n${}\r\nkey:{index}\r\n",
                4 + index.to_string().len()
            ),
            format!("$480\r\n{found}\r\n"),
        ),
    }
}

/// One request is sent for each reply that came, torn where it hurts; replies come in order,
/// also once the client has sent its last and closed its side.
#[test]
fn a_sliding_window_of_cold_reads_keeps_its_order() {
    const STEPS: usize = 3000;
    for options in [&[][..], &["--io-backend", "posix"]] {
        let daemon = mostly_cold(options);
        let mut raw = daemon.connect();
        let before: u64 = field(&raw.bulk("info tiering"), "tier_reads")
            .parse()
            .unwrap();
        for number in 0..32 {
            raw.send(step(number).0);
        }
        for number in 0..STEPS {
            raw.expect(&step(number).1);
            if number + 32 < STEPS {
                let request = step(number + 32).0;
                let (head, tail) = request.split_at(number % request.len());
                raw.send(head);
                raw.send(tail);
            } else if number + 32 == STEPS {
                raw.close_sending();
            }
        }
        assert_eq!(raw.rest(), "");
        let mut raw = daemon.connect();
        let after: u64 = field(&raw.bulk("info tiering"), "tier_reads")
            .parse()
            .unwrap();
        let reads = after - before;
        assert!(
            reads > STEPS as u64 / 2,
            "{reads} reads: the keys were not cold"
        );
        assert!(
            reads < STEPS as u64 * 6 / 5,
            "{reads} reads: some were read twice"
        );
    }
}

/// Clients that go while their reads are under way leave the others alone.
#[test]
fn a_client_that_leaves_takes_nobody_along() {
    let daemon = mostly_cold(&[]);
    for round in 0..40 {
        let (mut leaving, mut staying) = (daemon.connect(), daemon.connect());
        for number in 0..64 {
            // The same pages for both.
            let request = format!("get key:{}\r\n", (round * 64 + number) * 7 % KEYS);
            leaving.send(&request);
            staying.send(&request);
        }
        drop(leaving);
        for number in 0..64 {
            let found = value((round * 64 + number) * 7 % KEYS);
            staying.expect(&format!("$480\r\n{found}\r\n"));
        }
    }
}

/// The pages of all keys are more than one command may hold at once.
#[test]
fn keys_names_more_keys_than_pages_fit_the_memory() {
    const PAGES: usize = 24_000;
    let daemon = Daemon::start(&["--maxmemory", "32mb"]);
    let mut client = daemon.client();

    for chunk in 0..PAGES / 400 {
        let mut pipeline = redis::pipe();
        for index in chunk * 400..(chunk + 1) * 400 {
            // Nothing that compresses: a page takes one of them.
            let mut random = thermocline_base::Random::new(index as u64);
            let bytes: Vec<u8> = (0..3000).map(|_| random.next_u64() as u8).collect();
            pipeline.set(format!("key:{index}"), bytes).ignore();
        }
        let () = pipeline.query(&mut client).unwrap();
    }
    let mut raw = daemon.connect();
    let cold: usize = field(&raw.bulk("info tiering"), "tier_cold_keys")
        .parse()
        .unwrap();
    assert!(cold > PAGES * 3 / 4, "{cold} keys are cold");
    let mut names: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut client).unwrap();
    assert_eq!(names.len(), PAGES);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), PAGES);
    let some: Vec<String> = redis::cmd("KEYS")
        .arg("key:123?")
        .query(&mut client)
        .unwrap();
    let expected: Vec<String> = (1230..1240).map(|index| format!("key:{index}")).collect();
    assert_eq!(some, expected);
}
