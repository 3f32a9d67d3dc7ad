//! Commands on whole keys, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare};
use std::time::Duration;
use thermocline_store::Policy;

/// Whether keys are there, and their names.
const KEYS: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"set a 1", b"+OK\r\n"),
    (b"type a", b"+string\r\n"),
    (b"type h", b"+hash\r\n"),
    (b"type nope", b"+none\r\n"),
    (b"exists a a h nope", b":3\r\n"),
    (b"touch a a nope", b":2\r\n"),
    (b"del a a nope", b":1\r\n"),
    (b"unlink h", b":1\r\n"),
    (b"del h nope", b":0\r\n"),
    (b"exists h", b":0\r\n"),
    (b"rename a b", b"-ERR no such key\r\n"),
    (b"set a 1 ex 100", b"+OK\r\n"),
    (b"rename a a", b"+OK\r\n"),
    (b"rename a b", b"+OK\r\n"),
    (b"exists a", b":0\r\n"),
    (b"ttl b", b":100\r\n"),
    (b"set c 1", b"+OK\r\n"),
    (b"renamenx b c", b":0\r\n"),
    (b"renamenx b b", b":0\r\n"),
    (b"renamenx nope c", b"-ERR no such key\r\n"),
    (b"renamenx b d", b":1\r\n"),
    (b"ttl d", b":100\r\n"),
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"rename d h", b"+OK\r\n"),
    (b"get h", b"$1\r\n1\r\n"),
    (b"ttl h", b":100\r\n"),
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"rename h e", b"+OK\r\n"),
    (b"type e", b"+hash\r\n"),
    (b"exists h", b":0\r\n"),
];

/// Values under other keys.
const COPIES: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"set c 1 ex 100", b"+OK\r\n"),
    (b"copy c c", b"-ERR source and destination objects are the same\r\n"),
    (b"copy nope nope", b"-ERR source and destination objects are the same\r\n"),
    (b"copy c e", b":1\r\n"),
    (b"ttl e", b":100\r\n"),
    (b"copy c e", b":0\r\n"),
    (b"copy c e replace", b":1\r\n"),
    (b"copy c e db 16", b"-ERR DB index is out of range\r\n"),
    (b"copy c e db -1", b"-ERR DB index is out of range\r\n"),
    (b"copy c e db abc", b"-ERR value is not an integer or out of range\r\n"),
    (b"copy c e db 99999999999", b"-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"),
    (b"copy c e foo", b"-ERR syntax error\r\n"),
    (b"copy c e db", b"-ERR syntax error\r\n"),
    (b"copy c e replace db", b"-ERR syntax error\r\n"),
    (b"copy c c db 0", b"-ERR source and destination objects are the same\r\n"),
    (b"copy c c db 1", b":1\r\n"),
    (b"copy c c db 1", b":0\r\n"),
    (b"copy c c db 1 replace", b":1\r\n"),
    (b"copy nope e db 1", b":0\r\n"),
    (b"copy h g", b":1\r\n"),
    (b"object encoding g", b"$8\r\nlistpack\r\n"),
    (b"copy h c replace", b":1\r\n"),
    (b"type c", b"+hash\r\n"),
    (b"ttl c", b":-1\r\n"),
    (b"set c 1 ex 100", b"+OK\r\n"),
    (b"move c 1", b":0\r\n"),
    (b"move c 0", b"-ERR source and destination objects are the same\r\n"),
    (b"move nope 0", b"-ERR source and destination objects are the same\r\n"),
    (b"move c abc", b"-ERR value is not an integer or out of range\r\n"),
    (b"move c 16", b"-ERR DB index is out of range\r\n"),
    (b"move c -1", b"-ERR DB index is out of range\r\n"),
    (b"move c 99999999999", b"-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"),
    (b"move nope 2", b":0\r\n"),
    (b"move c 2", b":1\r\n"),
    (b"exists c", b":0\r\n"),
    (b"select 2", b"+OK\r\n"),
    (b"get c", b"$1\r\n1\r\n"),
    (b"ttl c", b":100\r\n"),
    (b"select 1", b"+OK\r\n"),
    (b"ttl c", b":100\r\n"),
    (b"del c", b":1\r\n"),
    (b"select 2", b"+OK\r\n"),
    (b"copy c d db 1 replace", b":1\r\n"),
    (b"move c 1", b":1\r\n"),
    (b"move d 1", b":0\r\n"),
    (b"select 1", b"+OK\r\n"),
    (b"mget c d", b"*2\r\n$1\r\n1\r\n$1\r\n1\r\n"),
];

/// When keys expire.
const EXPIRY: &[(&[u8], &[u8])] = &[
    (b"set x 1", b"+OK\r\n"),
    (b"expire x 100 nx", b":1\r\n"),
    (b"expire x 100 nx", b":0\r\n"),
    (b"expire x 50 gt", b":0\r\n"),
    (b"expire x 200 gt", b":1\r\n"),
    (b"ttl x", b":200\r\n"),
    (b"expire x 50 lt", b":1\r\n"),
    (b"expire x 50 xx", b":1\r\n"),
    (b"ttl x", b":50\r\n"),
    (
        b"expire x 50 nx xx",
        b"-ERR NX and XX, GT or LT options at the same time are not compatible\r\n",
    ),
    (
        b"expire x 50 gt lt",
        b"-ERR GT and LT options at the same time are not compatible\r\n",
    ),
    (b"expire x 50 foo", b"-ERR Unsupported option foo\r\n"),
    (b"expire x abc foo", b"-ERR Unsupported option foo\r\n"),
    (
        b"expire x abc",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"expire x 9223372036854775807",
        b"-ERR invalid expire time in 'expire' command\r\n",
    ),
    (
        b"expire x -9223372036854775808",
        b"-ERR invalid expire time in 'expire' command\r\n",
    ),
    (
        b"pexpire x 9223372036854775807",
        b"-ERR invalid expire time in 'pexpire' command\r\n",
    ),
    (b"pexpire x -9223372036854775808", b":1\r\n"),
    (b"exists x", b":0\r\n"),
    (b"expireat nope 1", b":0\r\n"),
    (b"set x 1", b"+OK\r\n"),
    (b"expireat x 9999999999", b":1\r\n"),
    (b"expiretime x", b":9999999999\r\n"),
    (b"pexpiretime x", b":9999999999000\r\n"),
    (b"pexpireat x 9999999999499", b":1\r\n"),
    (b"expiretime x", b":9999999999\r\n"),
    (b"pexpireat x 9999999999500", b":1\r\n"),
    (b"expiretime x", b":10000000000\r\n"),
    (
        b"expireat x 9223372036854775807",
        b"-ERR invalid expire time in 'expireat' command\r\n",
    ),
    (b"persist x", b":1\r\n"),
    (b"persist x", b":0\r\n"),
    (b"persist nope", b":0\r\n"),
    (b"ttl x", b":-1\r\n"),
    (b"ttl nope", b":-2\r\n"),
    (b"pttl x", b":-1\r\n"),
    (b"pttl nope", b":-2\r\n"),
    (b"expiretime nope", b":-2\r\n"),
    (b"expiretime x", b":-1\r\n"),
    (b"pexpiretime x", b":-1\r\n"),
    (b"expire x 0", b":1\r\n"),
    (b"exists x", b":0\r\n"),
    (b"set x 1", b"+OK\r\n"),
    (b"expire x 50 xx", b":0\r\n"),
    (b"expire x 50 gt", b":0\r\n"),
    (b"expire x 50 lt", b":1\r\n"),
    (b"ttl x", b":50\r\n"),
    (b"expire x -1 nx", b":0\r\n"),
    (b"expire x -1 gt", b":0\r\n"),
    (b"expire x -1 lt", b":1\r\n"),
    (b"exists x", b":0\r\n"),
    (b"set x 1", b"+OK\r\n"),
    (b"pexpire x 99400", b":1\r\n"),
    (b"ttl x", b":99\r\n"),
    (b"pexpire x 99600", b":1\r\n"),
    (b"ttl x", b":100\r\n"),
];

/// What keys cost and how they are kept.
const INSPECTION: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"set a 1", b"+OK\r\n"),
    (b"set b hello", b"+OK\r\n"),
    (b"set i 10000", b"+OK\r\n"),
    (b"set long aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", b"+OK\r\n"),
    (b"object refcount a", b":1\r\n"),
    (b"object refcount nope", b"$-1\r\n"),
    (b"object freq a", b"-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.\r\n"),
    (b"object freq nope", b"$-1\r\n"),
    (b"object idletime nope", b"$-1\r\n"),
    (b"object encoding a", b"$3\r\nint\r\n"),
    (b"object encoding b", b"$6\r\nembstr\r\n"),
    (b"object encoding long", b"$6\r\nembstr\r\n"),
    (b"set k vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"+OK\r\n"),
    (b"object encoding k", b"$6\r\nembstr\r\n"),
    (b"set k vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"+OK\r\n"),
    (b"object encoding k", b"$3\r\nraw\r\n"),
    (b"set kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"+OK\r\n"),
    (b"object encoding kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", b"$6\r\nembstr\r\n"),
    (b"set kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"+OK\r\n"),
    (b"object encoding kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", b"$3\r\nraw\r\n"),
    (b"set kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"+OK\r\n"),
    (b"object encoding kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", b"$6\r\nembstr\r\n"),
    (b"set kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"+OK\r\n"),
    (b"object encoding kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", b"$3\r\nraw\r\n"),
    (b"set kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk v", b"+OK\r\n"),
    (b"object encoding kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", b"$3\r\nraw\r\n"),
    (b"set 111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111 1", b"+OK\r\n"),
    (b"object encoding 111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111", b"$3\r\nint\r\n"),
    (b"object encoding h", b"$8\r\nlistpack\r\n"),
    (b"object encoding nope", b"$-1\r\n"),
    (b"object help", b"*15\r\n+OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+ENCODING <key>\r\n+    Return the kind of internal representation used in order to store the value\r\n+    associated with a <key>.\r\n+FREQ <key>\r\n+    Return the access frequency index of the <key>. The returned integer is\r\n+    proportional to the logarithm of the recent access frequency of the key.\r\n+IDLETIME <key>\r\n+    Return the idle time of the <key>, that is the approximated number of\r\n+    seconds elapsed since the last access to the key.\r\n+REFCOUNT <key>\r\n+    Return the number of references of the value associated with the specified\r\n+    <key>.\r\n+HELP\r\n+    Print this help.\r\n"),
    (b"object foo", b"-ERR unknown subcommand 'foo'. Try OBJECT HELP.\r\n"),
    (b"object encoding", b"-ERR wrong number of arguments for 'object|encoding' command\r\n"),
    (b"object encoding a b", b"-ERR wrong number of arguments for 'object|encoding' command\r\n"),
    (b"object", b"-ERR wrong number of arguments for 'object' command\r\n"),
    (b"memory usage nope", b"$-1\r\n"),
    (b"memory usage nope samples", b"-ERR syntax error\r\n"),
    (b"memory usage a samples -1", b"-ERR syntax error\r\n"),
    (b"memory usage a samples x", b"-ERR value is not an integer or out of range\r\n"),
    (b"memory usage a foo", b"-ERR syntax error\r\n"),
];

/// DUMP and RESTORE.
const SERIALIZED: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"set a 1", b"+OK\r\n"),
    (b"dump nope", b"$-1\r\n"),
    (b"restore a 0 x", b"-BUSYKEY Target key name already exists.\r\n"),
    (b"restore a 0 x replace", b"-ERR DUMP payload version or checksum are wrong\r\n"),
    (b"restore b 0 x", b"-ERR DUMP payload version or checksum are wrong\r\n"),
    (b"restore b -1 x", b"-ERR Invalid TTL value, must be >= 0\r\n"),
    (b"restore b abc x", b"-ERR value is not an integer or out of range\r\n"),
    (b"restore a abc x", b"-BUSYKEY Target key name already exists.\r\n"),
    (b"restore b 0 x foo", b"-ERR syntax error\r\n"),
    (b"restore b 0 x idletime", b"-ERR syntax error\r\n"),
    (b"restore b 0 x freq 256", b"-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n"),
    (b"restore b 0 x freq -1", b"-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n"),
    (b"restore b 0 x freq abc", b"-ERR value is not an integer or out of range\r\n"),
    (b"restore b 0 x idletime -1", b"-ERR Invalid IDLETIME value, must be >= 0\r\n"),
    (b"restore b 0 x idletime 1 freq 1", b"-ERR syntax error\r\n"),
    (b"restore b 0 ''", b"-ERR DUMP payload version or checksum are wrong\r\n"),
    (b"restore b 100500 \0\xc0\x01P\0\xe9R.'OSv\x08", b"+OK\r\n"),
    (b"get b", b"$1\r\n1\r\n"),
    (b"ttl b", b":101\r\n"),
    (b"restore b 0 \0\xc0\x01P\0\xe9R.'OSv\x08", b"-BUSYKEY Target key name already exists.\r\n"),
    (b"restore b 0 \0\xc0\x01P\0\xe9R.'OSv\x08 replace freq 5", b"+OK\r\n"),
    (b"ttl b", b":-1\r\n"),
    (b"restore b 1 \0\xc0\x01P\0\xe9R.'OSv\x08 replace absttl", b"+OK\r\n"),
    (b"exists b", b":0\r\n"),
    (b"restore b 1 \0\xc0\x01P\0\xe9R.'OSv\x08 absttl idletime 3", b"+OK\r\n"),
    (b"exists b", b":0\r\n"),
    (b"restore b 9999999999000 \0\xc0\x01P\0\xe9R.'OSv\x08 absttl", b"+OK\r\n"),
    (b"expiretime b", b":9999999999\r\n"),
    (b"type h", b"+hash\r\n"),
    (b"restore b 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"ttl b", b":-1\r\n"),
    (b"type b", b"+hash\r\n"),
];

#[test]
fn keys_are_found_named_and_deleted() {
    compare(KEYS);
}

#[test]
fn values_move_between_keys_and_databases() {
    compare(COPIES);
}

#[test]
fn times_are_set_and_told_as_in_valkey() {
    compare(EXPIRY);
}

#[test]
fn keys_are_inspected_as_in_valkey() {
    compare(INSPECTION);
}

#[test]
fn payloads_are_restored_as_in_valkey() {
    compare(SERIALIZED);
}

/// A hash of one field.
const HASH: &[u8] =
    b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace";

#[test]
fn an_expired_key_is_not_there_for_any_command() {
    let mut client = Client::new();
    for key in [b"a", b"b", b"c", b"d"] {
        client.run(&[b"set", key, b"1", b"px", b"1000"]);
    }
    client.advance(Duration::from_millis(1001));
    for (line, expected) in [
        (&b"exists a"[..], &b":0\r\n"[..]),
        (b"type a", b"+none\r\n"),
        (b"touch a", b":0\r\n"),
        (b"ttl a", b":-2\r\n"),
        (b"expire a 10", b":0\r\n"),
        (b"persist a", b":0\r\n"),
        (b"del a", b":0\r\n"),
        (b"rename b x", b"-ERR no such key\r\n"),
        (b"copy c x", b":0\r\n"),
        (b"move c 1", b":0\r\n"),
        (b"object encoding d", b"$-1\r\n"),
        (b"memory usage d", b"$-1\r\n"),
        (b"dump d", b"$-1\r\n"),
        (b"set x 1", b"+OK\r\n"),
        // A target that has expired is free.
        (b"renamenx x d", b":1\r\n"),
        (b"ttl d", b":-1\r\n"),
    ] {
        let found = client.run_line(line);
        assert_eq!(found, expected, "{}", line.escape_ascii());
    }
}

#[test]
fn idle_time_and_frequency_exclude_each_other() {
    let mut client = Client::new();
    client.run_line(b"set a 1");
    let idle = client.run_line(b"object idletime a");
    assert!(idle.starts_with(b":"), "{}", idle.escape_ascii());
    client.store().settings().set_policy(Policy::AllKeysLfu);
    let frequency = client.run_line(b"object freq a");
    assert!(frequency.starts_with(b":"), "{}", frequency.escape_ascii());
    let refused = client.run_line(b"object idletime a");
    let expected = "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please \
                    note that when switching between policies at runtime LRU and LFU data will \
                    take some time to adjust.\r\n";
    assert_eq!(refused, expected.as_bytes());
    // A key that is not there comes before the policy.
    assert_eq!(client.run_line(b"object idletime nope"), b"$-1\r\n");
}

#[test]
fn memory_usage_grows_with_the_value() {
    let mut client = Client::new();
    let mut usage = |value: &[u8]| -> i64 {
        client.run(&[b"set", b"a", value]);
        let reply = client.run_line(b"memory usage a samples 0");
        let number = reply
            .strip_prefix(b":")
            .and_then(|rest| rest.strip_suffix(b"\r\n"));
        let number = std::str::from_utf8(number.expect("is a number"));
        number.expect("is a number").parse().expect("is a number")
    };
    let (small, large) = (usage(b"x"), usage(&[b'x'; 100_000]));
    assert!(small > 0 && large >= small + 99_000, "{small} {large}");
}

#[test]
fn what_is_dumped_is_restored() {
    let mut client = Client::new();
    client.run_line(HASH);
    let text = b"abcabcabcabcabcabcabcabcabcabcabcabcabcabcabc";
    for value in [&b"12"[..], b"", b"text", text] {
        client.run(&[b"set", b"a", value]);
        restores(&mut client, b"a");
        assert_eq!(client.run(&[b"get", b"copy"]), client.run(&[b"get", b"a"]));
    }
    restores(&mut client, b"h");
    assert_eq!(client.run_line(b"type copy"), b"+hash\r\n");
}

/// Dumps a key and restores it as `copy`, whose dump is the same.
fn restores(client: &mut Client, key: &[u8]) {
    let dumped = client.run(&[b"dump", key]);
    let start = dumped
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a length")
        + 1;
    let payload = &dumped[start..dumped.len() - 2];
    let reply = client.run(&[b"restore", b"copy", b"0", payload, b"replace"]);
    assert_eq!(reply, b"+OK\r\n");
    assert_eq!(client.run(&[b"dump", b"copy"]), dumped);
}

#[test]
fn a_damaged_payload_is_refused_and_changes_nothing() {
    let mut client = Client::new();
    client.run_line(b"set a 1");
    let mut payload = b"\x00\xc0\x01P\x00\xe9R.'OSv\x08".to_vec();
    for place in 0..payload.len() {
        payload[place] ^= 1;
        let reply = client.run(&[b"restore", b"a", b"0", &payload, b"replace"]);
        assert_eq!(
            reply, b"-ERR DUMP payload version or checksum are wrong\r\n",
            "{place}"
        );
        payload[place] ^= 1;
    }
    // The footer is right, the value is of no type there is.
    let foreign = b"\x63\x05abcP\x00";
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Redis, foreign);
    let payload = [&foreign[..], &sum.to_le_bytes()].concat();
    let reply = client.run(&[b"restore", b"a", b"0", &payload, b"replace"]);
    assert_eq!(reply, b"-ERR Bad data format\r\n");
    assert_eq!(client.run_line(b"get a"), b"$1\r\n1\r\n");
}
