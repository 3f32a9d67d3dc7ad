//! Requests, replies, sessions, transactions.

use super::support::{Daemon, eventually, field};
use redis::Commands;

#[test]
fn requests_of_every_form_are_answered_in_order() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    raw.send(
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n10\r\nincr a\r\n\r\n*0\r\nget 'a'\r\nPING hi\r\n",
    );
    raw.expect("+OK\r\n:11\r\n$2\r\n11\r\n$2\r\nhi\r\n");
    // A request in pieces.
    for piece in ["*2\r", "\n$3\r\nGE", "T\r\n$1\r\n", "a\r", "\n"] {
        raw.send(piece);
    }
    raw.expect("$2\r\n11\r\n");
    raw.send("hello 3\r\nhgetall none\r\nget none\r\n");
    assert_eq!(raw.line(), "%7");
    let rest = (0..25).map(|_| raw.line()).collect::<Vec<_>>().join(" ");
    assert!(
        rest.contains("server") && rest.contains("modules *0"),
        "{rest}"
    );
    raw.send("quit\r\n");
    assert_eq!(raw.rest(), "%0\r\n_\r\n+OK\r\n");
}

#[test]
fn bytes_that_are_no_request_end_the_connection_only() {
    let daemon = Daemon::start(&[]);
    for (input, expected) in [
        (
            "*1\r\n$x\r\n",
            "-ERR Protocol error: invalid bulk length\r\n",
        ),
        (
            "*99999999\r\n",
            "-ERR Protocol error: invalid multibulk length\r\n",
        ),
        (
            "\"open\r\n",
            "-ERR Protocol error: unbalanced quotes in request\r\n",
        ),
        (
            "PING\r\n*1\r\n:1\r\n",
            "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n",
        ),
        ("POST / HTTP/1.1\r\n", ""),
    ] {
        let mut raw = daemon.connect();
        raw.send(input);
        assert_eq!(raw.rest(), expected, "{input}");
    }
    let mut raw = daemon.connect();
    let reply = raw.ask("NOSUCH a b");
    assert_eq!(
        reply,
        "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "
    );
    assert_eq!(
        raw.ask("get"),
        "-ERR wrong number of arguments for 'get' command"
    );
    assert_eq!(
        raw.ask("client nosuch"),
        "-ERR unknown subcommand 'nosuch'. Try CLIENT HELP."
    );
    assert_eq!(raw.ask("ping"), "+PONG");
}

#[test]
fn a_client_library_pipelines_in_both_protocols() {
    let daemon = Daemon::start(&[]);
    for suffix in ["", "?protocol=resp3"] {
        let mut client = daemon.client_at(&format!("redis://127.0.0.1:{}/{suffix}", daemon.port));
        let mut pipeline = redis::pipe();
        for index in 0..1000 {
            pipeline.set(format!("k{index}"), index).ignore();
        }
        for index in 0..1000 {
            pipeline.get(format!("k{index}"));
        }
        let values: Vec<u32> = pipeline.query(&mut client).unwrap();
        assert_eq!(values, (0..1000).collect::<Vec<_>>());
        let () = client
            .hset_multiple("h", &[("a", "1"), ("b", "2")])
            .unwrap();
        let fields: std::collections::BTreeMap<String, u32> = client.hgetall("h").unwrap();
        assert_eq!(fields, [("a".to_owned(), 1), ("b".to_owned(), 2)].into());
    }
}

#[test]
fn a_pipeline_may_be_sent_whole_before_a_reply_is_read() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    let value = "v".repeat(100_000);
    assert_eq!(raw.ask(&format!("set a {}", &value[..60_000])), "+OK");
    // Replies of 60 MB fit no socket's buffer; the requests must be taken all the same.
    raw.send("get a\r\n".repeat(1000));
    raw.send("ping\r\n");
    for _ in 0..1000 {
        raw.expect("$60000\r\n");
        raw.expect(&value[..60_000]);
        raw.expect("\r\n");
    }
    raw.expect("+PONG\r\n");
}

#[test]
fn transactions_are_whole_and_watch_sees_changes() {
    let daemon = Daemon::start(&[]);
    let mut one = daemon.connect();
    let mut other = daemon.connect();
    one.send(
        "set a 1\r\nwatch a\r\nmulti\r\nincr a\r\nselect 1\r\nset a x\r\nping\r\nexec\r\nget a\r\n",
    );
    one.expect("+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    one.expect("*4\r\n:2\r\n+OK\r\n+OK\r\n+PONG\r\n$1\r\nx\r\n");
    assert_eq!(one.ask("select 0"), "+OK");
    assert_eq!(one.ask("watch a b"), "+OK");
    assert_eq!(other.ask("set b 1"), "+OK");
    one.send("multi\r\nset a 9\r\nexec\r\nget a\r\n");
    one.expect("+OK\r\n+QUEUED\r\n*-1\r\n$1\r\n2\r\n");
    // Let go of, a key counts no more.
    one.send("watch a\r\nunwatch\r\n");
    one.expect("+OK\r\n+OK\r\n");
    assert_eq!(other.ask("incr a"), ":3");
    one.send("multi\r\nincr a\r\nexec\r\n");
    one.expect("+OK\r\n+QUEUED\r\n*1\r\n:4\r\n");
    one.send("multi\r\nset a\r\nset a 1\r\nexec\r\nexec\r\ndiscard\r\n");
    one.expect("+OK\r\n-ERR wrong number of arguments for 'set' command\r\n+QUEUED\r\n");
    one.expect("-EXECABORT Transaction discarded because of previous errors.\r\n");
    one.expect("-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n");
    one.send("multi\r\ninfo keyspace\r\nconfig resetstat\r\nexec\r\nping\r\n");
    one.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n");
    assert!(one.line().starts_with('$'));
    let text: Vec<String> = (0..5).map(|_| one.line()).collect();
    assert_eq!(text.last().map(String::as_str), Some("+OK"), "{text:?}");
    one.expect("+PONG\r\n");
}

#[test]
fn concurrent_watchers_lose_no_increment() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 50;
    let daemon = Daemon::start(&[]);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut raw = daemon.connect();
                let mut done = 0;
                while done < ROUNDS {
                    assert_eq!(raw.ask("watch n"), "+OK");
                    let head = raw.ask("get n");
                    let number: u32 = if head == "$-1" {
                        0
                    } else {
                        raw.line().parse().unwrap()
                    };
                    raw.send(format!("multi\r\nset n {}\r\nexec\r\n", number + 1));
                    raw.expect("+OK\r\n+QUEUED\r\n");
                    if raw.line() == "*1" {
                        raw.expect("+OK\r\n");
                        done += 1;
                    }
                }
            });
        }
    });
    assert_eq!(
        daemon.connect().bulk("get n"),
        (THREADS * ROUNDS).to_string()
    );
}

#[test]
fn clients_are_listed_named_muted_and_killed() {
    let daemon = Daemon::start(&[]);
    let mut one = daemon.connect();
    let mut other = daemon.connect();
    let other_id = other.ask("client id")[1..].to_owned();
    assert_eq!(other.ask("client setname other"), "+OK");
    let list = one.bulk("client list name other");
    assert!(list.starts_with(&format!("id={other_id} ")), "{list}");
    assert!(
        list.contains(" name=other ") && list.contains(" cmd=client|setname "),
        "{list}"
    );
    assert_eq!(one.ask("client kill id 99999"), ":0");
    assert_eq!(one.ask(&format!("client kill id {other_id}")), ":1");
    assert_eq!(other.rest(), "");
    eventually(&1, || one.bulk("client list").lines().count());
    one.send(
        "client reply off\r\nset a 1\r\nclient reply on\r\nclient reply skip\r\nget a\r\nget a\r\n",
    );
    one.expect("+OK\r\n$1\r\n1\r\n");
    // The one that asks goes last, after its reply.
    one.send("client kill type normal skipme no\r\n");
    assert_eq!(one.rest(), ":1\r\n");
}

#[test]
fn a_pause_holds_writes_back_until_it_ends() {
    let daemon = Daemon::start(&[]);
    let mut one = daemon.connect();
    let mut other = daemon.connect();
    assert_eq!(one.ask("client pause 60000 write"), "+OK");
    other.send("get a\r\nset a 1\r\n");
    other.expect("$-1\r\n");
    eventually(&"1".to_owned(), || {
        field(&one.bulk("info clients"), "blocked_clients")
    });
    assert_eq!(one.ask("client unpause"), "+OK");
    other.expect("+OK\r\n");
}

#[test]
fn counters_add_up_and_can_be_set_back() {
    let daemon = Daemon::start(&["--slowlog-log-slower-than", "0"]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("config resetstat"), "+OK");
    for _ in 0..5 {
        assert_eq!(raw.ask("get none"), "$-1");
    }
    assert!(raw.ask("hset").starts_with("-ERR"));
    assert!(raw.ask("set a 1 bad").starts_with("-ERR syntax"));
    let info = raw.bulk("info all");
    let get = field(&info, "cmdstat_get");
    assert!(get.starts_with("calls=5,") && get.ends_with("rejected_calls=0,failed_calls=0"));
    assert!(field(&info, "cmdstat_hset").starts_with("calls=0,"));
    assert!(field(&info, "cmdstat_set").ends_with("failed_calls=1"));
    assert_eq!(field(&info, "errorstat_ERR"), "count=2");
    assert_eq!(field(&info, "total_error_replies"), "2");
    assert_eq!(field(&info, "keyspace_misses"), "5");
    assert!(field(&info, "latency_percentiles_usec_get").starts_with("p50="));
    assert_ne!(raw.ask("slowlog len"), ":0");
    assert_eq!(raw.ask("config resetstat"), "+OK");
    let info = raw.bulk("info commandstats");
    assert!(!info.contains("cmdstat_get"), "{info}");
}

#[test]
fn the_digest_follows_content_and_not_order() {
    let daemon = Daemon::start(&["--enable-debug-command", "local"]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("debug populate 500 p 20"), "+OK");
    assert_eq!(raw.ask("dbsize"), ":500");
    raw.send("set a 1\r\nhset h x 1 y 2\r\n");
    raw.expect("+OK\r\n:2\r\n");
    let before = raw.ask("debug digest");
    assert_eq!(raw.ask("debug reload"), "+OK");
    assert_eq!(raw.ask("debug digest"), before);
    assert_eq!(raw.ask("incr a"), ":2");
    assert_ne!(raw.ask("debug digest"), before);
    raw.send("set a 1\r\ndel h\r\nhset h y 2 x 1\r\n");
    raw.expect("+OK\r\n:1\r\n:2\r\n");
    assert_eq!(raw.ask("debug digest"), before);
}

/// Subscribers learn of fields that nobody asks for, in Valkey's words.
#[test]
fn fields_that_expire_by_themselves_are_told() {
    let daemon = Daemon::start(&["--notify-keyspace-events", "KEA"]);
    let (mut raw, mut listener) = (daemon.connect(), daemon.connect());
    raw.send("hset two a 1 b 2\r\nhset only a 1\r\n");
    raw.expect(":2\r\n:1\r\n");
    listener.send("psubscribe __keyspace@0__:*\r\n");
    listener.expect("*3\r\n$10\r\npsubscribe\r\n$16\r\n__keyspace@0__:*\r\n:1\r\n");
    for key in ["two", "only"] {
        raw.send(format!("hpexpire {key} 100 fields 1 a\r\n"));
        raw.expect("*1\r\n:1\r\n");
        let told = format!(
            "*4\r\n$8\r\npmessage\r\n$16\r\n__keyspace@0__:*\r\n${}\r\n__keyspace@0__:{key}\r\n",
            15 + key.len()
        );
        let mut events = vec!["hexpire", "hexpired"];
        if key == "only" {
            events.push("del");
        }
        for event in events {
            listener.expect(&format!("{told}${}\r\n{event}\r\n", event.len()));
        }
    }
}

#[test]
fn expired_fields_go_by_themselves_and_stay_away_after_a_kill() {
    let mut daemon = Daemon::start(&["--appendfsync", "always"]);
    let mut raw = daemon.connect();
    // One compact hash, one that is not, and one that has nothing left.
    assert_eq!(raw.ask("hset small a 1 b 2"), ":2");
    assert_eq!(
        raw.ask(&format!("hset large a 1 b {}", "v".repeat(100))),
        ":2"
    );
    assert_eq!(raw.ask("hset all a 1"), ":1");
    for key in ["small", "large", "all"] {
        raw.send(format!("hpexpire {key} 50 fields 1 a\r\n"));
        raw.expect("*1\r\n:1\r\n");
    }
    for _ in 0..2 {
        // HLEN counts what has expired and is still there.
        for (request, reply) in [("hlen small", ":1"), ("hlen large", ":1"), ("dbsize", ":2")] {
            eventually(&reply.to_owned(), || raw.ask(request));
        }
        daemon.kill_and_restart();
        raw = daemon.connect();
    }
    assert_eq!(raw.ask("exists all"), ":0");
}
