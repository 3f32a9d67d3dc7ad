//! Commands on whole databases, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare};
use std::collections::BTreeSet;
use std::time::Duration;

/// Counting, scanning, emptying and swapping.
const WHOLE: &[(&[u8], &[u8])] = &[
    (b"dbsize", b":0\r\n"),
    (b"set a 1", b"+OK\r\n"),
    (b"dbsize", b":1\r\n"),
    (b"flushdb foo", b"-ERR syntax error\r\n"),
    (b"flushdb async", b"+OK\r\n"),
    (b"dbsize", b":0\r\n"),
    (b"set a 1", b"+OK\r\n"),
    (b"flushdb sync", b"+OK\r\n"),
    (b"exists a", b":0\r\n"),
    (b"flushall async sync", b"-ERR syntax error\r\n"),
    (b"flushall foo", b"-ERR syntax error\r\n"),
    (b"flushdb sync sync", b"-ERR syntax error\r\n"),
    (b"set a 1", b"+OK\r\n"),
    (b"select 3", b"+OK\r\n"),
    (b"set a 3", b"+OK\r\n"),
    (b"dbsize", b":1\r\n"),
    (b"flushdb", b"+OK\r\n"),
    (b"exists a", b":0\r\n"),
    (b"select 0", b"+OK\r\n"),
    (b"get a", b"$1\r\n1\r\n"),
    (b"swapdb 0 1", b"+OK\r\n"),
    (b"exists a", b":0\r\n"),
    (b"swapdb a 1", b"-ERR invalid first DB index\r\n"),
    (b"swapdb 0 b", b"-ERR invalid second DB index\r\n"),
    (b"swapdb 0 16", b"-ERR DB index is out of range\r\n"),
    (b"swapdb -1 0", b"-ERR DB index is out of range\r\n"),
    (b"swapdb 0 99999999999", b"-ERR invalid second DB index\r\n"),
    (b"swapdb 99999999999 0", b"-ERR invalid first DB index\r\n"),
    (b"swapdb 16 b", b"-ERR invalid second DB index\r\n"),
    (b"swapdb 0 0", b"+OK\r\n"),
    (b"select 1", b"+OK\r\n"),
    (b"get a", b"$1\r\n1\r\n"),
    (b"swapdb 0 1", b"+OK\r\n"),
    (b"get a", b"$-1\r\n"),
    (b"select 0", b"+OK\r\n"),
    (b"get a", b"$1\r\n1\r\n"),
    (b"scan 0", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"),
    (b"scan abc", b"-ERR invalid cursor\r\n"),
    (b"scan -1", b"-ERR invalid cursor\r\n"),
    (b"scan abc foo", b"-ERR invalid cursor\r\n"),
    (b"scan 0 foo", b"-ERR syntax error\r\n"),
    (b"scan 0 count", b"-ERR syntax error\r\n"),
    (b"scan 0 count 0", b"-ERR syntax error\r\n"),
    (b"scan 0 count x", b"-ERR value is not an integer or out of range\r\n"),
    (b"scan 0 match a* type string", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"),
    (b"scan 0 type hash", b"*2\r\n$1\r\n0\r\n*0\r\n"),
    (b"scan 0 type foo", b"-ERR unknown type name 'foo'\r\n"),
    (b"scan 0 match z*", b"*2\r\n$1\r\n0\r\n*0\r\n"),
    (b"scan 99999999999999999999", b"-ERR invalid cursor\r\n"),
    (b"scan 0 count 99999999999", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"),
    (b"scan +0", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"),
    (b"scan 00", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"),
    (b"keys *", b"*1\r\n$1\r\na\r\n"),
    (b"keys z*", b"*0\r\n"),
    (b"keys a", b"*1\r\n$1\r\na\r\n"),
    (b"keys [a-c]", b"*1\r\n$1\r\na\r\n"),
    (b"randomkey", b"$1\r\na\r\n"),
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"scan 0 type hash", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nh\r\n"),
    (b"select 5", b"+OK\r\n"),
    (b"randomkey", b"$-1\r\n"),
    (b"keys *", b"*0\r\n"),
    (b"scan 0", b"*2\r\n$1\r\n0\r\n*0\r\n"),
    (b"set b 5", b"+OK\r\n"),
    (b"flushall", b"+OK\r\n"),
    (b"dbsize", b":0\r\n"),
    (b"select 0", b"+OK\r\n"),
    (b"dbsize", b":0\r\n"),
];

#[test]
fn databases_are_counted_scanned_emptied_and_swapped() {
    compare(WHOLE);
}

/// The keys of an array of bulk strings without line ends in them.
fn keys_of(reply: &[u8]) -> Vec<String> {
    let text = String::from_utf8(reply.to_vec()).expect("keys are text");
    let lines = text.split("\r\n").skip(1);
    let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('$'));
    keys.map(str::to_owned).collect()
}

#[test]
fn a_scan_meets_every_key() {
    let mut client = Client::new();
    let mut expected = BTreeSet::new();
    for number in 0..3000 {
        let key = format!("key:{number}");
        client.run(&[b"set", key.as_bytes(), b"1"]);
        expected.insert(key);
    }
    for count in ["1", "10", "1000", "100000"] {
        let mut found = BTreeSet::new();
        let mut cursor = "0".to_owned();
        loop {
            let reply = client.run(&[b"scan", cursor.as_bytes(), b"count", count.as_bytes()]);
            let text = String::from_utf8(reply).expect("keys are text");
            let mut parts = text.splitn(4, "\r\n");
            assert_eq!(parts.next(), Some("*2"));
            parts.next().expect("the cursor's length");
            parts.next().expect("a cursor").clone_into(&mut cursor);
            found.extend(keys_of(parts.next().expect("keys").as_bytes()));
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found, expected, "count {count}");
    }
    let found: BTreeSet<String> = keys_of(&client.run_line(b"keys *")).into_iter().collect();
    assert_eq!(found, expected);
    let mut few = keys_of(&client.run_line(b"keys key:29?7"));
    few.sort();
    let expected_few: Vec<String> = (0..10).map(|digit| format!("key:29{digit}7")).collect();
    assert_eq!(few, expected_few);
}

#[test]
fn a_random_key_is_one_of_the_keys() {
    let mut client = Client::new();
    client.run_line(b"mset a 1 b 2 c 3");
    for _ in 0..20 {
        let key = client.run_line(b"randomkey");
        assert!(
            [&b"$1\r\na\r\n"[..], b"$1\r\nb\r\n", b"$1\r\nc\r\n"].contains(&&*key),
            "{}",
            key.escape_ascii()
        );
    }
}

#[test]
fn expired_keys_are_not_listed() {
    let mut client = Client::new();
    client.run_line(b"set a 1 px 1000");
    client.run_line(b"set b 1");
    client.advance(Duration::from_millis(1001));
    assert_eq!(client.run_line(b"keys *"), b"*1\r\n$1\r\nb\r\n");
    let scanned = b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n";
    assert_eq!(client.run_line(b"scan 0 count 100"), scanned);
    for _ in 0..20 {
        assert_eq!(client.run_line(b"randomkey"), b"$1\r\nb\r\n");
    }
}
