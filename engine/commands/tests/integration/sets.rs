//! Commands on sets, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare, compare_one};

/// Members added, looked at and removed.
const MEMBERS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"sadd t a b a c", b":3\r\n"),
    (b"sadd t c d", b":1\r\n"),
    (b"sadd t", b"-ERR wrong number of arguments for 'sadd' command\r\n"),
    (b"sadd s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"scard t", b":4\r\n"),
    (b"scard nope", b":0\r\n"),
    (b"scard s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"smembers t", b"*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"smembers nope", b"*0\r\n"),
    (b"smembers s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"sismember t a", b":1\r\n"),
    (b"sismember t nope", b":0\r\n"),
    (b"sismember nope a", b":0\r\n"),
    (b"sismember s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"smismember t a nope d", b"*3\r\n:1\r\n:0\r\n:1\r\n"),
    (b"smismember nope a b", b"*2\r\n:0\r\n:0\r\n"),
    (b"smismember s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"srem t a a nope", b":1\r\n"),
    (b"srem nope a", b":0\r\n"),
    (b"srem s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"smembers t", b"*3\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"type t", b"+set\r\n"),
    (b"object encoding t", b"$8\r\nlistpack\r\n"),
    (b"srem t b c d", b":3\r\n"),
    (b"exists t", b":0\r\n"),
    (b"sadd i 3 1 -2 2", b":4\r\n"),
    (b"smembers i", b"*4\r\n$2\r\n-2\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    (b"object encoding i", b"$6\r\nintset\r\n"),
    (b"sadd i 70000 5000000000 -5000000000", b":3\r\n"),
    (b"smembers i", b"*7\r\n$11\r\n-5000000000\r\n$2\r\n-2\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$5\r\n70000\r\n$10\r\n5000000000\r\n"),
    (b"sismember i 70000", b":1\r\n"),
    (b"sismember i 070000", b":0\r\n"),
    (b"srem i 3 -2 9", b":2\r\n"),
    (b"smembers i", b"*5\r\n$11\r\n-5000000000\r\n$1\r\n1\r\n$1\r\n2\r\n$5\r\n70000\r\n$10\r\n5000000000\r\n"),
    (b"sadd i x", b":1\r\n"),
    (b"object encoding i", b"$8\r\nlistpack\r\n"),
    (b"smembers i", b"*6\r\n$11\r\n-5000000000\r\n$1\r\n1\r\n$1\r\n2\r\n$5\r\n70000\r\n$10\r\n5000000000\r\n$1\r\nx\r\n"),
    (b"sismember i 5000000000", b":1\r\n"),
    (b"sadd e ''", b":1\r\n"),
    (b"sismember e ''", b":1\r\n"),
    (b"sadd e ''", b":0\r\n"),
    (b"smembers e", b"*1\r\n$0\r\n\r\n"),
];

/// Members moved and taken.
const MOVES: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"sadd t a 1", b":2\r\n"),
    (b"smove t u 1", b":1\r\n"),
    (b"object encoding u", b"$6\r\nintset\r\n"),
    (b"smove t u 1", b":0\r\n"),
    (b"smove t u nope", b":0\r\n"),
    (b"smove nope u a", b":0\r\n"),
    (b"smove nope s a", b":0\r\n"),
    (b"smove s u a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"smove t s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"smove t t a", b":1\r\n"),
    (b"smove t t nope", b":0\r\n"),
    (b"smembers t", b"*1\r\n$1\r\na\r\n"),
    (b"smove t u a", b":1\r\n"),
    (b"exists t", b":0\r\n"),
    (b"smembers u", b"*2\r\n$1\r\n1\r\n$1\r\na\r\n"),
    (b"spop nope", b"$-1\r\n"),
    (b"spop nope 2", b"*0\r\n"),
    (b"spop s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"spop s 2", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"spop u x", b"-ERR value is out of range, must be positive\r\n"),
    (b"spop u -1", b"-ERR value is out of range, must be positive\r\n"),
    (b"spop s -1", b"-ERR value is out of range, must be positive\r\n"),
    (b"spop u 1 2", b"-ERR syntax error\r\n"),
    (b"spop u 0", b"*0\r\n"),
    (b"spop u 99", b"*2\r\n$1\r\n1\r\n$1\r\na\r\n"),
    (b"exists u", b":0\r\n"),
    (b"sadd one m", b":1\r\n"),
    (b"spop one", b"$1\r\nm\r\n"),
    (b"exists one", b":0\r\n"),
    (b"sadd one m", b":1\r\n"),
    (b"spop one 1", b"*1\r\n$1\r\nm\r\n"),
    (b"exists one", b":0\r\n"),
    (b"srandmember nope", b"$-1\r\n"),
    (b"srandmember nope 5", b"*0\r\n"),
    (b"srandmember nope -5", b"*0\r\n"),
    (b"srandmember s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"srandmember s 1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"srandmember s x", b"-ERR value is not an integer or out of range\r\n"),
    (b"sadd one m", b":1\r\n"),
    (b"srandmember one", b"$1\r\nm\r\n"),
    (b"srandmember one 3", b"*1\r\n$1\r\nm\r\n"),
    (b"srandmember one -3", b"*3\r\n$1\r\nm\r\n$1\r\nm\r\n$1\r\nm\r\n"),
    (b"srandmember one 0", b"*0\r\n"),
    (b"srandmember one x", b"-ERR value is not an integer or out of range\r\n"),
    (b"srandmember one 1 2", b"-ERR syntax error\r\n"),
    (b"srandmember one -9223372036854775808", b"-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n"),
];

/// Several sets at once.
const ALGEBRA: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"sadd a 1 2 3 4", b":4\r\n"),
    (b"sadd b 2 4 6", b":3\r\n"),
    (b"sadd c x 2", b":2\r\n"),
    (b"sinter a b", b"*2\r\n$1\r\n2\r\n$1\r\n4\r\n"),
    (b"sinter a b c", b"*1\r\n$1\r\n2\r\n"),
    (b"sinter a nope", b"*0\r\n"),
    (
        b"sinter a s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"sinter nope s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"sinter a",
        b"*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n",
    ),
    (b"sdiff a b", b"*2\r\n$1\r\n1\r\n$1\r\n3\r\n"),
    (b"sdiff a b c", b"*2\r\n$1\r\n1\r\n$1\r\n3\r\n"),
    (b"sdiff nope a", b"*0\r\n"),
    (b"sdiff a a", b"*0\r\n"),
    (
        b"sdiff a nope",
        b"*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n",
    ),
    (
        b"sdiff a s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"sunion a b",
        b"*5\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n6\r\n",
    ),
    (b"sunion nope nope2", b"*0\r\n"),
    (
        b"sunion b s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"sunionstore d a c", b":5\r\n"),
    (b"scard d", b":5\r\n"),
    (b"object encoding d", b"$8\r\nlistpack\r\n"),
    (b"sinterstore d a b", b":2\r\n"),
    (b"smembers d", b"*2\r\n$1\r\n2\r\n$1\r\n4\r\n"),
    (b"object encoding d", b"$6\r\nintset\r\n"),
    (b"sinterstore d c b", b":1\r\n"),
    (b"object encoding d", b"$6\r\nintset\r\n"),
    (b"smembers d", b"*1\r\n$1\r\n2\r\n"),
    (b"sinterstore d a nope", b":0\r\n"),
    (b"exists d", b":0\r\n"),
    (b"sdiffstore d a b", b":2\r\n"),
    (b"smembers d", b"*2\r\n$1\r\n1\r\n$1\r\n3\r\n"),
    (b"sdiffstore d nope a", b":0\r\n"),
    (b"exists d", b":0\r\n"),
    (b"sunionstore s a", b":4\r\n"),
    (
        b"smembers s",
        b"*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n",
    ),
    (b"set s x", b"+OK\r\n"),
    (
        b"sunionstore d a s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"sinterstore d s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"sdiffstore d nope s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"expire a 100", b":1\r\n"),
    (b"sunionstore a a b", b":5\r\n"),
    (b"ttl a", b":-1\r\n"),
    (
        b"smembers a",
        b"*5\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n6\r\n",
    ),
    (b"sintercard 2 a b", b":3\r\n"),
    (b"sintercard 2 a b limit 1", b":1\r\n"),
    (b"sintercard 2 a b LIMIT 0", b":3\r\n"),
    (b"sintercard 2 a b limit 9", b":3\r\n"),
    (
        b"sintercard 3 a b",
        b"-ERR Number of keys can't be greater than number of args\r\n",
    ),
    (
        b"sintercard 0 a",
        b"-ERR numkeys should be greater than 0\r\n",
    ),
    (
        b"sintercard -1 a",
        b"-ERR numkeys should be greater than 0\r\n",
    ),
    (
        b"sintercard x a",
        b"-ERR numkeys should be greater than 0\r\n",
    ),
    (b"sintercard 1 a limit", b"-ERR syntax error\r\n"),
    (
        b"sintercard 1 a limit -1",
        b"-ERR LIMIT can't be negative\r\n",
    ),
    (
        b"sintercard 1 a limit x",
        b"-ERR LIMIT can't be negative\r\n",
    ),
    (b"sintercard 1 a foo 1", b"-ERR syntax error\r\n"),
    (b"sintercard 2 a nope", b":0\r\n"),
    (
        b"sintercard 1 s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"sintercard 2 nope s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
];

/// Scans of small sets.
const SCANS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"sadd t a b 11", b":3\r\n"),
    (
        b"sscan t 0",
        b"*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$2\r\n11\r\n",
    ),
    (b"sscan t 0 match a*", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"),
    (
        b"sscan t 0 count 1",
        b"*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$2\r\n11\r\n",
    ),
    (b"sscan t 0 count 0", b"-ERR syntax error\r\n"),
    (b"sscan t 0 foo", b"-ERR syntax error\r\n"),
    (
        b"sscan t 0 novalues",
        b"-ERR NOVALUES option can only be used in HSCAN\r\n",
    ),
    (b"sscan t x", b"-ERR invalid cursor\r\n"),
    (b"sscan nope 0", b"*2\r\n$1\r\n0\r\n*0\r\n"),
    (b"sscan nope 0 foo", b"*2\r\n$1\r\n0\r\n*0\r\n"),
    (
        b"sscan s 0",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"sscan s x", b"-ERR invalid cursor\r\n"),
];

/// Replies of the third protocol.
const RESP3: &[(&[u8], &[u8])] = &[
    (b"hello 3", b""),
    (b"sadd t a", b":1\r\n"),
    (b"smembers t", b"~1\r\n$1\r\na\r\n"),
    (b"smembers nope", b"~0\r\n"),
    (b"sismember t a", b":1\r\n"),
    (b"smismember t a b", b"*2\r\n:1\r\n:0\r\n"),
    (b"sinter t t", b"~1\r\n$1\r\na\r\n"),
    (b"sunion nope", b"~0\r\n"),
    (b"spop nope 1", b"~0\r\n"),
    (b"spop nope", b"_\r\n"),
    (b"srandmember t 2", b"*1\r\n$1\r\na\r\n"),
    (b"srandmember nope", b"_\r\n"),
    (b"spop t 1", b"~1\r\n$1\r\na\r\n"),
    (b"sscan nope 0", b"*2\r\n$1\r\n0\r\n*0\r\n"),
];

#[test]
fn sets_do_what_valkey_does() {
    for transcript in [MEMBERS, MOVES, ALGEBRA, SCANS, RESP3] {
        compare(transcript);
    }
}

fn joined(command: &str, key: &str, members: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut line = format!("{command} {key}");
    for member in members {
        line.push_str(&format!(" member:{member}"));
    }
    line.into_bytes()
}

/// The bulk strings of a flat reply.
fn bulks(reply: &[u8]) -> std::collections::BTreeSet<String> {
    let text = String::from_utf8(reply.to_vec()).expect("is text");
    let lines = text
        .split("\r\n")
        .filter(|line| line.starts_with("member:"));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_large_set_is_the_same_in_memory_and_when_read_back() {
    let mut client = Client::new();
    compare_one(&mut client, &(&joined("sadd", "t", 0..5000), b":5000\r\n"));
    for cold in [false, true, true] {
        if cold {
            client.restart();
        }
        compare_one(&mut client, &(b"object encoding t", b"$9\r\nhashtable\r\n"));
        compare_one(&mut client, &(b"scard t", b":5000\r\n"));
        compare_one(&mut client, &(b"sismember t member:4999", b":1\r\n"));
        assert_eq!(bulks(&client.run_line(b"smembers t")).len(), 5000);
        let (mut cursor, mut found) = ("0".to_owned(), std::collections::BTreeSet::new());
        loop {
            let reply = client.run_line(format!("sscan t {cursor} count 100").as_bytes());
            found.extend(bulks(&reply));
            let text = String::from_utf8(reply).expect("is text");
            cursor = text.split("\r\n").nth(2).expect("a cursor").to_owned();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found.len(), 5000);
    }
    let popped = bulks(&client.run_line(b"spop t 100"));
    assert_eq!(popped.len(), 100);
    client.restart();
    compare_one(&mut client, &(b"scard t", b":4900\r\n"));
    let left = bulks(&client.run_line(b"smembers t"));
    assert!(popped.is_disjoint(&left), "what was popped stays away");
    assert_eq!(bulks(&client.run_line(b"srandmember t 200")).len(), 200);
    assert!(bulks(&client.run_line(b"srandmember t -20")).is_subset(&left));
}

#[test]
fn a_dumped_set_restores_in_its_form() {
    let mut client = Client::new();
    let many = joined("sadd", "t:many", 0..300);
    for line in [&b"sadd t:integers 1 2 70000"[..], b"sadd t:few a b", &many] {
        client.run_line(line);
    }
    for (name, encoding) in [
        ("integers", &b"$6\r\nintset\r\n"[..]),
        ("few", b"$8\r\nlistpack\r\n"),
        ("many", b"$9\r\nhashtable\r\n"),
    ] {
        let (key, copy) = (format!("t:{name}"), format!("u:{name}"));
        let reply = client.run(&[b"dump", key.as_bytes()]);
        let start = reply
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line")
            + 1;
        let payload = &reply[start..reply.len() - 2];
        let restored = client.run(&[b"restore", copy.as_bytes(), b"0", payload]);
        assert_eq!(restored, b"+OK\r\n");
        assert_eq!(
            client.run(&[b"object", b"encoding", copy.as_bytes()]),
            encoding
        );
        let difference = client.run(&[b"sdiff", key.as_bytes(), copy.as_bytes()]);
        assert_eq!(difference, b"*0\r\n");
        let both = client.run(&[b"sinterstore", b"x", key.as_bytes(), copy.as_bytes()]);
        assert_eq!(both, client.run(&[b"scard", key.as_bytes()]));
    }
}
