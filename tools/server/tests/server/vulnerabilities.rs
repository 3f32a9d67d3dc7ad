//! Kinds of vulnerabilities that servers of this protocol had, each by the name it is known
//! by: what was sent is answered with one reply, and the daemon goes on.
//!
//! Others are shown where they belong: CVE-2025-21605 by `hostile`, CVE-2025-48367 by
//! `files`, CVE-2024-31228 by the patterns of the commands' crate, CVE-2026-25243 by the
//! payloads of the types' crate.

use super::support::{Daemon, Raw, eventually, field};

/// A request of words of any bytes.
fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Sends a request and PING in one piece: the line of the former's reply, which is all of
/// it, for the next is the latter's.
fn only_line(client: &mut Raw, words: &[&[u8]]) -> String {
    client.send([request(words), request(&[b"PING"])].concat());
    let line = client.line();
    assert_eq!(client.line(), "+PONG", "behind {line}");
    line
}

fn eval(client: &mut Raw, script: &str) -> String {
    only_line(client, &[b"EVAL", script.as_bytes(), b"0"])
}

/// CVE-2025-49844: the parser of Lua 5.1 let go of the name of a chunk, which the collector
/// then freed while it was parsed. LuaJIT's parser is another, and stays whole however often
/// the collector runs in between.
#[test]
fn chunks_are_parsed_while_the_collector_runs() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    let script = "collectgarbage('setpause', 0) collectgarbage('setstepmul', 1000000) \
                  local sum = 0 \
                  for i = 1, 300 do \
                    local text = 'local ' .. string.rep('a', i) .. ' = {\"' \
                      .. string.rep('x', i * 20) .. '\"} return #' .. string.rep('a', i) .. '[1]' \
                    local chunk = assert(loadstring(text, string.rep('n', i))) \
                    collectgarbage() sum = sum + chunk() \
                  end return sum";
    assert_eq!(eval(&mut client, script), ":903000");
    let broken = "for i = 1, 300 do collectgarbage() \
                  local ok, why = loadstring(string.rep('(', i * 10), string.rep('n', i)) \
                  if ok or type(why) ~= 'string' then return i end end return 'refused'";
    client.send(request(&[b"EVAL", broken.as_bytes(), b"0"]));
    client.expect("$7\r\nrefused\r\n");
}

/// CVE-2025-46817: `unpack` counted its results in an `int`, which ran over.
#[test]
fn unpack_of_more_than_there_can_be_is_an_error() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    for range in [
        "0, 2147483647",
        "-2147483648, 2147483647",
        "-2, 2147483647",
        "1, 1e15",
        "-1e15, 1e15",
        "2147483647, 2147483646 + 1e9",
    ] {
        let reply = eval(
            &mut client,
            &format!("return {{unpack({{1, 2}}, {range})}}"),
        );
        // A number beyond an int may also be taken for a low one.
        assert!(
            reply.starts_with("-ERR ") || reply == "*0",
            "{range}: {reply}"
        );
    }
    let none = eval(
        &mut client,
        "return #{unpack({1, 2}, 2147483647, -2147483648)}",
    );
    assert_eq!(none, ":0");
}

/// CVE-2025-67733: an error or a status of a script with line ends in it, or a zero byte
/// before them, was written as it stood, and what followed was the next reply.
#[test]
fn errors_and_states_of_scripts_are_one_line() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    for injected in [
        r"a\r\n+INJECTED\r\n",
        r"\r\n$1\r\nx\r\n",
        r"a\n:1\n",
        r"a\r:1\r",
        r"a\0b\r\n+INJECTED\r\n",
        r"\0\r\n+INJECTED\r\n",
    ] {
        for script in [
            format!("return redis.error_reply('{injected}')"),
            format!("return redis.status_reply('{injected}')"),
            format!("return {{err = '{injected}'}}"),
            format!("return {{ok = '{injected}'}}"),
            format!("error('{injected}')"),
            format!("error({{err = '{injected}'}})"),
            format!("return redis.call('set', 'k')  .. '{injected}'"),
            format!("return redis.call('{injected}')"),
            format!("return redis.pcall('{injected}')"),
            format!("redis.setresp(3) return {{err = '{injected}'}}"),
        ] {
            let line = eval(&mut client, &script);
            assert!(line.starts_with(['-', '+']), "{script}: {line}");
            assert!(!line.starts_with("+INJECTED"), "{script}: {line}");
        }
        let text = format!("x = '{injected}' y('");
        let name = [b"FUNCTION", &b"LOAD"[..], text.as_bytes()];
        assert!(only_line(&mut client, &name).starts_with('-'));
    }
    // Words of a client are repeated in errors too.
    for words in [
        [&b"nosuch\r\n+INJECTED\r\n"[..], b"a\r\n+INJECTED"],
        [b"CONFIG", b"a\r\n+INJECTED\r\n"],
    ] {
        assert!(only_line(&mut client, &words).starts_with("-ERR "));
    }
}

/// CVE-2025-32023: of a sparse HyperLogLog the runs were added up without a look at how many
/// registers there are.
#[test]
fn runs_of_a_hyperloglog_beyond_its_registers_are_refused() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    let header = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80";
    let zeros = [0x7f, 0xff];
    // Runs of zeros that are 16,384 each, over and over up to 2^32 registers and beyond;
    // and a value at the end of what they reach.
    for (runs, end) in [
        (0, &b""[..]),
        (1, b"\x80"),
        (2, b""),
        (100, b"\x84\x84"),
        (131_072, b"\xff"),
        (262_144, b"\xff"),
        (0, b"\x7f"),
    ] {
        let value = [&header[..], &zeros.repeat(runs), end].concat();
        for words in [
            &[&b"PFCOUNT"[..], b"h"][..],
            &[b"PFADD", b"h", b"element"],
            &[b"PFMERGE", b"to", b"h"],
            &[b"PFCOUNT", b"h", b"other"],
            &[b"PFDEBUG", b"GETREG", b"h"],
            &[b"PFDEBUG", b"TODENSE", b"h"],
        ] {
            client.send(request(&[b"SET", b"h", &value]));
            client.expect("+OK\r\n");
            let line = only_line(&mut client, words);
            let name = words[0].escape_ascii();
            // An element may find its register before what is wrong, as in Valkey.
            let is_added = words[0] == b"PFADD" && line == ":1";
            assert!(
                line.starts_with('-') || is_added,
                "{name} of {runs} runs: {line}"
            );
        }
    }
}

/// CVE-2026-23479: a client was used after it had been freed where it was unblocked while
/// what it waited for was at work. Unblocked, killed, served and gone at the same time, in
/// one transaction and by several.
#[test]
fn a_client_that_is_unblocked_killed_and_served_at_once_is_gone_once() {
    let daemon = Daemon::start(&[]);
    let mut other = daemon.connect();
    for round in 0..60 {
        let mut waiting: Vec<Raw> = (0..4).map(|_| daemon.connect()).collect();
        let ids: Vec<String> = (waiting.iter_mut())
            .map(|client| client.ask("client id").replace(':', ""))
            .collect();
        for client in &mut waiting {
            client.send("blpop k 0\r\nblmove k l left left 0\r\nping\r\n");
        }
        eventually(&"4".to_owned(), || {
            field(&other.bulk("info clients"), "blocked_clients")
        });
        let [one, two, three, four] = &ids[..] else {
            unreachable!("there are four")
        };
        let steps = [
            format!("client unblock {one} error"),
            format!("client kill id {two}"),
            "rpush k a b".to_owned(),
            format!("client kill id {one}"),
            format!("client unblock {three}"),
            format!("client kill id {four} skipme no"),
            "rpush k c".to_owned(),
        ];
        let mut steps = steps.to_vec();
        steps.rotate_left(round % 7);
        if round % 2 == 0 {
            other.send(format!("multi\r\n{}\r\nexec\r\n", steps.join("\r\n")));
        } else {
            other.send(format!("{}\r\n", steps.join("\r\n")));
        }
        if round % 3 == 0 {
            drop(waiting);
        } else {
            // The one that was not killed goes on.
            waiting[2].close_sending();
            let rest = waiting[2].rest();
            assert!(
                rest.is_empty() || rest.contains("k\r\n") || rest.contains("*-1"),
                "{rest}"
            );
        }
        other = daemon.connect();
        eventually(&"0".to_owned(), || {
            field(&other.bulk("info clients"), "blocked_clients")
        });
        assert_eq!(other.ask("del k l").chars().next(), Some(':'));
    }
    assert_eq!(other.ask("ping"), "+PONG");
}

/// CVE-2021-29477 and CVE-2021-21309, CVE-2021-32625: sizes computed of lengths and offsets
/// ran over where `proto-max-bulk-len` was raised, in LCS, in bits and in ranges of strings.
#[test]
fn sizes_that_run_over_are_refused() {
    let daemon = Daemon::start(&["--maxmemory", "256mb"]);
    let mut client = daemon.connect();
    let long = vec![b'x'; 100_000];
    for key in [b"a", b"b"] {
        assert_eq!(only_line(&mut client, &[b"SET", key, &long]), "+OK");
    }
    // As far as it can be raised.
    let raised = client.ask("config set proto-max-bulk-len 9223372036854775807");
    assert!(raised == "+OK" || raised.starts_with("-ERR "), "{raised}");
    for words in [
        "LCS a b",
        "LCS a b LEN",
        "LCS a b IDX MINMATCHLEN 9223372036854775807",
        "SETBIT k 4294967296 1",
        "SETBIT k 9223372036854775807 1",
        "GETBIT a 18446744073709551615",
        "BITFIELD k SET u8 9223372036854775807 1",
        "BITFIELD k SET u8 #2305843009213693952 1",
        "BITFIELD k INCRBY i64 #576460752303423488 1",
        "SETRANGE k 9223372036854775807 x",
        "SETRANGE k 4294967295 x",
        "SETRANGE k -1 x",
        "BITPOS a 2",
        "GETRANGE a 9223372036854775808 1",
    ] {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let line = only_line(&mut client, &words);
        assert!(
            line.starts_with('-'),
            "{}: {line}",
            words.join(&b' ').escape_ascii()
        );
    }
    for announced in [
        "$9223372036854775807",
        "$-9223372036854775808",
        "$18446744073709551616",
    ] {
        let mut stranger = daemon.connect();
        stranger.send(format!("*2\r\n$3\r\nGET\r\n{announced}\r\nx"));
        stranger.close_sending();
        let rest = stranger.rest();
        assert!(
            rest.is_empty() || rest.starts_with("-ERR Protocol error"),
            "{rest}"
        );
    }
    assert_eq!(client.ask("exists k"), ":0");
    assert_eq!(client.ask("strlen a"), ":100000");
}
