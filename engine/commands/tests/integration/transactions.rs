//! Transactions, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thermocline_store::KeyName;

/// A call that is refused does not stop the others.
const ERRORS: &[(&[u8], &[u8])] = &[
    (b"multi", b"+OK\r\n"),
    (b"set a 1", b"+QUEUED\r\n"),
    (b"incrbyfloat a x", b"+QUEUED\r\n"),
    (b"append a 2", b"+QUEUED\r\n"),
    (b"get a", b"+QUEUED\r\n"),
    (b"msetnx b 1 b", b"+QUEUED\r\n"),
    (b"exec", b"*5\r\n+OK\r\n-ERR value is not a valid float\r\n:2\r\n$2\r\n12\r\n-ERR wrong number of arguments for 'msetnx' command\r\n"),
    (b"get a", b"$2\r\n12\r\n"),
    (b"multi", b"+OK\r\n"),
    (b"exec", b"*0\r\n"),
];

/// Databases change under the calls that follow.
const SWAPS: &[(&[u8], &[u8])] = &[
    (b"select 1", b"+OK\r\n"),
    (b"set k one", b"+OK\r\n"),
    (b"select 0", b"+OK\r\n"),
    (b"set k zero", b"+OK\r\n"),
    (b"multi", b"+OK\r\n"),
    (b"swapdb 0 1", b"+QUEUED\r\n"),
    (b"get k", b"+QUEUED\r\n"),
    (b"set k new", b"+QUEUED\r\n"),
    (b"copy k c db 2", b"+QUEUED\r\n"),
    (b"flushdb", b"+QUEUED\r\n"),
    (b"get k", b"+QUEUED\r\n"),
    (b"set k after", b"+QUEUED\r\n"),
    (b"dbsize", b"+QUEUED\r\n"),
    (b"swapdb 0 1", b"+QUEUED\r\n"),
    (b"get k", b"+QUEUED\r\n"),
    (b"dbsize", b"+QUEUED\r\n"),
    (b"scan 0", b"+QUEUED\r\n"),
    (b"keys *", b"+QUEUED\r\n"),
    (b"randomkey", b"+QUEUED\r\n"),
    (b"exec", b"*14\r\n+OK\r\n$3\r\none\r\n+OK\r\n:1\r\n+OK\r\n$-1\r\n+OK\r\n:1\r\n+OK\r\n$4\r\nzero\r\n:1\r\n*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n*1\r\n$1\r\nk\r\n$1\r\nk\r\n"),
    (b"select 1", b"+OK\r\n"),
    (b"get k", b"$5\r\nafter\r\n"),
    (b"dbsize", b":1\r\n"),
    (b"select 2", b"+OK\r\n"),
    (b"get c", b"$3\r\nnew\r\n"),
    (b"select 0", b"+OK\r\n"),
    (b"get k", b"$4\r\nzero\r\n"),
    (b"multi", b"+OK\r\n"),
    (b"set m 1", b"+QUEUED\r\n"),
    (b"move m 1", b"+QUEUED\r\n"),
    (b"swapdb 0 1", b"+QUEUED\r\n"),
    (b"get m", b"+QUEUED\r\n"),
    (b"flushall", b"+QUEUED\r\n"),
    (b"exists m k", b"+QUEUED\r\n"),
    (b"set m 2", b"+QUEUED\r\n"),
    (b"dbsize", b"+QUEUED\r\n"),
    (b"swapdb 0 16", b"+QUEUED\r\n"),
    (b"scan x", b"+QUEUED\r\n"),
    (b"exec", b"*10\r\n+OK\r\n:1\r\n+OK\r\n$1\r\n1\r\n+OK\r\n:0\r\n+OK\r\n:1\r\n-ERR DB index is out of range\r\n-ERR invalid cursor\r\n"),
    (b"dbsize", b":1\r\n"),
    (b"get m", b"$1\r\n2\r\n"),
    (b"select 1", b"+OK\r\n"),
    (b"dbsize", b":0\r\n"),
];

/// Whole databases between changes.
const SELECTED: &[(&[u8], &[u8])] = &[
    (b"multi", b"+OK\r\n"),
    (b"dbsize", b"+QUEUED\r\n"),
    (b"set a 1", b"+QUEUED\r\n"),
    (b"dbsize", b"+QUEUED\r\n"),
    (b"keys *", b"+QUEUED\r\n"),
    (b"del a", b"+QUEUED\r\n"),
    (b"keys *", b"+QUEUED\r\n"),
    (b"randomkey", b"+QUEUED\r\n"),
    (b"scan 0 count 5", b"+QUEUED\r\n"),
    (b"set b 1", b"+QUEUED\r\n"),
    (b"randomkey", b"+QUEUED\r\n"),
    (b"flushdb foo", b"+QUEUED\r\n"),
    (b"flushdb", b"+QUEUED\r\n"),
    (b"dbsize", b"+QUEUED\r\n"),
    (b"exec", b"*13\r\n:0\r\n+OK\r\n:1\r\n*1\r\n$1\r\na\r\n:1\r\n*0\r\n$-1\r\n*2\r\n$1\r\n0\r\n*0\r\n+OK\r\n$1\r\nb\r\n-ERR syntax error\r\n+OK\r\n:0\r\n"),
];

#[test]
fn a_refused_call_does_not_stop_the_others() {
    compare(ERRORS);
}

#[test]
fn later_calls_see_swapped_and_emptied_databases() {
    compare(SWAPS);
}

#[test]
fn whole_databases_are_looked_at_between_changes() {
    compare(SELECTED);
}

#[test]
fn commands_of_the_session_are_asked_of_the_caller() {
    let mut client = Client::new();
    client.run_line(b"multi");
    client.run_line(b"set a 1");
    client.run_line(b"ping");
    client.run_line(b"get a");
    let reply = client.run_line(b"exec");
    assert_eq!(reply, b"*3\r\n+OK\r\n+OTHER\r\n$1\r\n1\r\n");
}

/// A client whose keys are all cold: `a` and `b` in database 0, `a` in 1.
fn cold_client() -> Client {
    let mut client = Client::new();
    client.run_line(b"mset a 1 b 2");
    client.run_line(b"select 1");
    client.run_line(b"set a one");
    client.run_line(b"select 0");
    client.restart();
    client
}

fn run_all(client: &mut Client, lines: &[&str]) -> String {
    client.run_line(b"multi");
    for line in lines {
        assert_eq!(client.run_line(line.as_bytes()), b"+QUEUED\r\n");
    }
    let reply = client.run_line(b"exec");
    String::from_utf8(reply).expect("is text")
}

#[test]
fn all_cold_keys_are_read_before_the_first_change() {
    let mut client = cold_client();
    let reply = run_all(
        &mut client,
        &["incr a", "append b x", "get a", "get b", "set c 3"],
    );
    assert_eq!(reply, "*5\r\n:2\r\n:2\r\n$1\r\n2\r\n$2\r\n2x\r\n+OK\r\n");
    assert!(client.pages_read > 0, "the keys were cold");
}

#[test]
fn cold_keys_are_found_behind_swaps_and_flushes() {
    let mut client = cold_client();
    let reply = run_all(
        &mut client,
        &["swapdb 0 1", "get a", "get b", "append a !", "get a"],
    );
    assert_eq!(
        reply,
        "*5\r\n+OK\r\n$3\r\none\r\n$-1\r\n:4\r\n$4\r\none!\r\n"
    );
    assert!(client.pages_read > 0, "the keys were cold");
    client.restart();
    client.run_line(b"select 1");
    assert_eq!(
        client.run_line(b"mget a b"),
        b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"
    );

    // The flush of one database is not that of another one's cold keys.
    let mut client = cold_client();
    client.run_line(b"select 1");
    let lines = [
        "swapdb 0 1",
        "flushdb",
        "swapdb 0 1",
        "append a !",
        "get a",
        "dbsize",
    ];
    let reply = run_all(&mut client, &lines);
    assert_eq!(
        reply,
        "*6\r\n+OK\r\n+OK\r\n+OK\r\n:4\r\n$4\r\none!\r\n:1\r\n"
    );
    client.run_line(b"select 0");
    assert_eq!(client.run_line(b"dbsize"), b":0\r\n");
    client.restart();
    assert_eq!(client.run_line(b"dbsize"), b":0\r\n");
}

#[test]
fn cold_databases_are_looked_at_after_changes() {
    let mut client = Client::new();
    for number in 0..300 {
        let key = format!("key:{number}");
        client.run(&[b"set", key.as_bytes(), b"1"]);
    }
    client.restart();
    let lines = [
        "del key:1 key:2 key:3",
        "scan 0 count 5",
        "randomkey",
        "keys key:29?",
        "dbsize",
        "swapdb 0 1",
        "randomkey",
        "flushall",
        "keys *",
        "scan 0",
    ];
    let reply = run_all(&mut client, &lines);
    assert!(reply.starts_with("*10\r\n:3\r\n*2\r\n"), "{reply}");
    assert!(!reply.contains("TRYAGAIN"), "{reply}");
    let end = ":297\r\n+OK\r\n$-1\r\n+OK\r\n*0\r\n*2\r\n$1\r\n0\r\n*0\r\n";
    assert!(reply.ends_with(end), "{reply}");
    assert!(reply.contains("*10\r\n$7\r\nkey:29"), "{reply}");
    assert!(client.pages_read > 0, "the keys were cold");
}

/// What Valkey 9.1.2 tells those that watch: which commands end their transactions.
#[test]
fn whoever_watches_a_key_is_told_of_what_clients_see() {
    let mut client = Client::new();
    let long = [b"zadd z xx 1 ", [b'm'; 65].as_slice()].concat();
    let lines: [(&[u8], &str, bool); 19] = [
        (b"xadd x 1-1 f v", "x", true),
        (b"xadd x 2-1 f v", "x", true),
        (b"xgroup create x g 0", "x", false),
        (b"xreadgroup group g c streams x >", "x", false),
        (b"xclaim x g d 0 1-1", "x", false),
        (b"xack x g 1-1", "x", false),
        (b"xsetid x 9-1", "x", false),
        (b"xdel x 1-1", "x", true),
        (b"xgroup destroy x g", "x", false),
        (b"xgroup create y g $ mkstream", "y", true),
        (b"set s hello", "s", true),
        (b"setbit s 0 0", "s", false),
        (b"bitfield s set u8 0 104", "s", false),
        (b"setbit s 0 1", "s", true),
        (b"zadd z 1 a", "z", true),
        (&long, "z", false),
        (b"rpush l a b", "l", true),
        (b"ltrim l 0 -1", "l", false),
        (b"ltrim l 0 0", "l", true),
    ];
    for (line, key, expected) in lines {
        let changed = Arc::new(AtomicBool::new(false));
        let name = KeyName {
            database: 0,
            key: key.as_bytes(),
        };
        client.store().watch(name, &changed);
        let reply = client.run_line(line);
        assert!(!reply.starts_with(b"-"), "{}", reply.escape_ascii());
        let told = changed.load(Ordering::Acquire);
        assert_eq!(told, expected, "{}", line.escape_ascii());
        client.store().unwatch(name, &changed);
    }
}
