//! Scripts and functions of the real daemon: what survives, who waits, what is taken back.

use std::time::Duration;

use super::support::{Daemon, eventually, field};
use redis::{Commands, RedisResult, Value};

const LIBRARY: &str = "#!lua name=counters\n\
    redis.register_function('count', function(keys, by)\n\
        return redis.call('incrby', keys[1], by[1])\n\
    end)";

fn eval(client: &mut redis::Connection, script: &str, keys: &[&str]) -> RedisResult<Value> {
    let mut request = redis::cmd("EVAL");
    request.arg(script).arg(keys.len());
    for key in keys {
        request.arg(key);
    }
    request.query(client)
}

#[test]
fn functions_and_a_scripts_changes_survive_a_kill() {
    let mut daemon = Daemon::start(&["--appendfsync", "always"]);
    let mut client = daemon.client();
    let name: String = redis::cmd("FUNCTION")
        .arg(&["LOAD", LIBRARY])
        .query(&mut client)
        .unwrap();
    assert_eq!(name, "counters");
    for round in 1..=3_i64 {
        let count: i64 = redis::cmd("FCALL")
            .arg(&["count", "1", "n", "2"])
            .query(&mut client)
            .unwrap();
        assert_eq!(count, 2 * round);
        let script = "for i = 1, 100 do redis.call('rpush', KEYS[1], i) end \
                      return redis.call('llen', KEYS[1])";
        let length = eval(&mut client, script, &["list"]).unwrap();
        assert_eq!(length, Value::Int(100 * round));
        if round == 2 {
            let mut raw = daemon.connect();
            assert_eq!(raw.ask("save"), "+OK");
        }
        daemon.kill_and_restart();
        client = daemon.client();
        // Counted before one was called.
        let info: String = redis::cmd("INFO").arg("memory").query(&mut client).unwrap();
        assert_eq!(field(&info, "number_of_libraries"), "1");
        assert_eq!(field(&info, "number_of_functions"), "1");
    }
    let () = redis::cmd("FUNCTION")
        .arg("FLUSH")
        .query(&mut client)
        .unwrap();
    daemon.kill_and_restart();
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("function list"), "*0");
    assert_eq!(raw.ask("fcall count 1 n 1"), "-ERR Function not found");
    assert_eq!(raw.ask("llen list"), ":300");
}

#[test]
fn a_transaction_counts_the_functions_it_has_itself() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let counts = |stats: &Value| {
        let text = format!("{stats:?}");
        let numbers: Vec<i64> = text
            .match_indices("int(")
            .filter_map(|(at, _)| text[at + 4..].split(')').next()?.parse().ok())
            .collect();
        numbers
    };
    let mut stats = |commands: &[&[&str]]| {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for words in commands {
            pipe.cmd(words[0]).arg(&words[1..]);
        }
        let replies: Vec<Value> = pipe.query(&mut client).unwrap();
        replies.last().map(counts).unwrap_or_default()
    };
    let ask: &[&str] = &["FUNCTION", "STATS"];
    let load: &[&str] = &["FUNCTION", "LOAD", LIBRARY];
    assert_eq!(stats(&[load, ask]), [1, 1]);
    assert_eq!(stats(&[&["FUNCTION", "FLUSH"], ask]), [0, 0]);
    assert_eq!(
        stats(&[load, &["FUNCTION", "DELETE", "counters"], load, ask]),
        [1, 1]
    );
    assert_eq!(stats(&[ask]), [1, 1]);
}

#[test]
fn libraries_are_no_keys_that_anybody_hears_of() {
    let daemon = Daemon::start(&["--notify-keyspace-events", "KEAn"]);
    let mut tracking = daemon.connect();
    tracking.send("hello 3\r\n");
    tracking.send("client tracking on bcast\r\npsubscribe *\r\n");
    tracking.send("echo ready\r\n");
    while tracking.line() != "ready" {}
    let mut client = daemon.client();
    let _: String = redis::cmd("FUNCTION")
        .arg(&["LOAD", LIBRARY])
        .query(&mut client)
        .unwrap();
    tracking.send("echo told\r\n");
    tracking.expect("$4\r\ntold\r\n");
    tracking.send("echo later\r\n");
    tracking.expect("$5\r\nlater\r\n");
}

#[test]
fn a_dump_of_functions_restores_them() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let () = redis::cmd("FUNCTION")
        .arg(&["LOAD", LIBRARY])
        .query(&mut client)
        .unwrap();
    let dump: Vec<u8> = redis::cmd("FUNCTION")
        .arg("DUMP")
        .query(&mut client)
        .unwrap();
    let again: RedisResult<()> = redis::cmd("FUNCTION")
        .arg("RESTORE")
        .arg(&dump)
        .query(&mut client);
    let text = again.unwrap_err().to_string();
    assert!(text.contains("Library counters already exists"), "{text}");
    for policy in ["REPLACE", "FLUSH"] {
        let () = redis::cmd("FUNCTION")
            .arg("RESTORE")
            .arg(&dump)
            .arg(policy)
            .query(&mut client)
            .unwrap();
    }
    let count: i64 = redis::cmd("FCALL")
        .arg(&["count", "1", "n", "5"])
        .query(&mut client)
        .unwrap();
    assert_eq!(count, 5);
}

#[test]
fn who_waits_for_a_long_script_is_told_and_may_end_it() {
    let daemon = Daemon::start(&["--busy-reply-threshold", "50"]);
    let mut script = daemon.connect();
    let endless = "while true do pcall(function() while true do end end) end";
    script.send(format!(
        "*3\r\n$4\r\neval\r\n${}\r\n{endless}\r\n$1\r\n0\r\n",
        endless.len()
    ));
    let busy =
        "-BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    let mut other = daemon.connect();
    eventually(&busy.to_owned(), || other.ask("get a"));
    // New clients are served whatever thread they come to.
    for _ in 0..8 {
        let mut another = daemon.connect();
        assert_eq!(another.ask("set a 1"), busy);
        assert_eq!(another.ask("multi"), "+OK");
        assert_eq!(another.ask("discard"), "+OK");
    }
    assert_eq!(other.ask("function kill"), busy);
    assert_eq!(other.ask("script kill"), "+OK");
    script.expect("-ERR Script killed by user with SCRIPT KILL. script: on @user_script:1.\r\n");
    assert_eq!(other.ask("set a 1"), "+OK");
    assert_eq!(
        other.ask("script kill"),
        "-NOTBUSY No scripts in execution right now."
    );
}

#[test]
fn a_script_that_has_written_ends_with_the_server_and_leaves_nothing() {
    let mut daemon = Daemon::start(&["--busy-reply-threshold", "50"]);
    let mut script = daemon.connect();
    let endless = "redis.call('set','a',1) while true do end";
    script.send(format!(
        "*3\r\n$4\r\neval\r\n${}\r\n{endless}\r\n$1\r\n0\r\n",
        endless.len()
    ));
    let mut other = daemon.connect();
    eventually(&true, || {
        other.ask("script kill").starts_with("-UNKILLABLE")
    });
    assert!(other.ask("shutdown").starts_with("-BUSY"));
    other.send("shutdown nosave\r\n");
    assert_eq!(daemon.wait().code(), Some(0));
    daemon.restart();
    assert_eq!(daemon.connect().ask("exists a"), ":0");
}

#[test]
fn scripts_reach_cold_keys_that_they_did_not_declare() {
    let daemon = Daemon::start(&["--maxmemory", "6mb"]);
    let mut client = daemon.client();
    let filler = |index: u64| -> String {
        let mut state = index;
        let mut word = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            format!("{:08x}", state >> 32)
        };
        (0..60).map(|_| word()).collect()
    };
    for chunk in 0..30_u64 {
        let mut pipeline = redis::pipe();
        for index in chunk * 500..(chunk + 1) * 500 {
            pipeline.set(format!("key:{index}"), filler(index)).ignore();
        }
        let () = pipeline.query(&mut client).unwrap();
    }
    let () = client.set("n", 0).unwrap();
    assert_eq!(daemon.connect().ask("save"), "+OK");
    eventually(&true, || {
        field(&daemon.connect().bulk("info tiering"), "tier_cold_keys") != "0"
    });
    // A write first: each of the reruns that the reads cost has to take it back.
    let script = "local n = redis.call('incr', 'n') \
                  local lengths = 0 \
                  for i = 0, 39 do \
                      lengths = lengths + #redis.call('get', 'key:' .. (i * 373 + ARGV[1])) \
                  end \
                  redis.call('append', 'key:' .. ARGV[1], 'x') \
                  return {n, lengths}";
    for round in 0..5_i64 {
        let found: Vec<i64> = redis::cmd("EVAL")
            .arg(script)
            .arg(0)
            .arg(round)
            .query(&mut client)
            .unwrap();
        assert_eq!(found, [round + 1, 40 * 480]);
        let value: String = client.get(format!("key:{round}")).unwrap();
        assert_eq!(value, filler(round.unsigned_abs()) + "x");
    }
    let n: i64 = client.get("n").unwrap();
    assert_eq!(n, 5);
}

#[test]
fn a_transaction_of_scripts_finds_cold_keys_where_its_swaps_put_them() {
    let mut daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    let value = "x".repeat(100);
    assert_eq!(raw.ask("select 1"), "+OK");
    assert_eq!(raw.ask(&format!("set text {value}")), "+OK");
    assert_eq!(raw.ask(&format!("rpush list {value}")), ":1");
    // All keys begin cold.
    daemon.terminate();
    daemon.restart();
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("multi"), "+OK");
    for request in [
        "eval return(1) 0",
        "swapdb 0 1",
        "rpush list b",
        "append text y",
        "eval return(redis.call(ARGV[1],KEYS[1])) 1 text strlen",
    ] {
        assert_eq!(raw.ask(request), "+QUEUED");
    }
    assert_eq!(raw.ask("exec"), "*5");
    let replies = [(); 5].map(|()| raw.line());
    assert_eq!(replies, [":1", "+OK", ":2", ":101", ":101"]);
}

#[test]
fn what_a_script_flushed_and_swapped_is_taken_back_with_the_rest_for_a_cold_key() {
    let mut daemon = Daemon::start(&["--appendfsync", "always"]);
    let mut raw = daemon.connect();
    let value = "x".repeat(100);
    for database in 0..3 {
        assert_eq!(raw.ask(&format!("select {database}")), "+OK");
        assert_eq!(raw.ask(&format!("set own{database} {value}")), "+OK");
        assert_eq!(raw.ask(&format!("set text {value}{database}")), "+OK");
    }
    // All keys begin cold.
    daemon.terminate();
    daemon.restart();
    let mut raw = daemon.connect();
    let mut caching = daemon.connect();
    caching.send("hello 3\r\n");
    while caching.line() != "modules" {}
    assert_eq!(caching.line(), "*0");
    assert_eq!(caching.ask("client tracking on"), "+OK");
    assert_eq!(caching.ask("exists nothing"), ":0");
    // One that watches what it flushes itself ends only if another changes it.
    assert_eq!(raw.ask("watch own0"), "+OK");
    assert_eq!(raw.ask("multi"), "+OK");
    for request in [
        "eval return(redis.call(ARGV[1])) 0 dbsize",
        "flushdb",
        "append new 1",
        "swapdb 0 1",
        "eval return(redis.call(ARGV[1],ARGV[2],ARGV[3])) 0 append text y",
        "swapdb 1 3",
        "swapdb 0 2",
        "eval return(redis.call(ARGV[1],ARGV[2])) 0 get own2",
        "eval return(redis.call(ARGV[1])) 0 dbsize",
    ] {
        assert_eq!(raw.ask(request), "+QUEUED");
    }
    assert_eq!(raw.ask("exec"), "*9");
    let replies = [(); 10].map(|()| raw.line());
    let expected = [
        ":2", "+OK", ":1", "+OK", ":102", "+OK", "+OK", "$100", &value, ":2",
    ];
    assert_eq!(replies, expected);
    // The flush was told once, however often it was taken back.
    caching.expect(">2\r\n$10\r\ninvalidate\r\n_\r\n");
    assert_eq!(caching.ask("exists nothing"), ":0");
    let flush = "redis.call('flushdb') redis.call('select',2) return redis.call('strlen','own1')";
    let found = eval(&mut daemon.client(), flush, &[]).unwrap();
    assert_eq!(found, Value::Int(100));
    caching.expect(">2\r\n$10\r\ninvalidate\r\n_\r\n");
    daemon.kill_and_restart();
    let mut raw = daemon.connect();
    for (database, keys) in [(0, ":0"), (1, ":0"), (2, ":2"), (3, ":1")] {
        assert_eq!(raw.ask(&format!("select {database}")), "+OK");
        assert_eq!(raw.ask("dbsize"), keys, "{database}");
    }
    assert_eq!(raw.bulk("get new"), "1");
    assert_eq!(raw.ask("select 2"), "+OK");
    assert_eq!(raw.bulk("get text"), value + "1y");
}

#[test]
fn a_script_ends_where_its_memory_does() {
    let daemon = Daemon::start(&[]);
    for script in [
        "return string.rep('x', 1e10)",
        "local t = {} for i = 1, 1e9 do t[i] = {i} end",
        "local s = 'x' while true do s = s .. s end",
        "local function f() return 1 + f() end return f()",
        "local t = {} for i = 1, 40 do t = {t, t} end return t",
        "local t = {} t[1] = t return t",
    ] {
        // Whatever becomes of it, the server goes on. The client may not: it refuses replies
        // that are nested deeply.
        let _ = eval(&mut daemon.client(), script, &[]);
        let pong: String = redis::cmd("PING").query(&mut daemon.client()).unwrap();
        assert_eq!(pong, "PONG", "{script}");
    }
}

#[test]
fn scripts_share_nothing_and_leave_nothing() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    for script in [
        "table.insert(redis, 1)",
        "rawset(string, 'upper', 1)",
        "getmetatable('').__index.upper = 1",
        "string.upper = nil",
        "setmetatable(_G, {})",
        "_G.x = 1",
    ] {
        let error = eval(&mut client, script, &[]).unwrap_err().to_string();
        assert!(error.contains("readonly table"), "{script}: {error}");
    }
    let script = "return ('a'):upper() .. string.upper('b') .. tostring(redis[1])";
    let found = eval(&mut client, script, &[]).unwrap();
    assert_eq!(found, Value::BulkString(b"ABnil".to_vec()));
}

#[test]
fn clients_that_wait_and_watch_hear_of_scripts() {
    let daemon = Daemon::start(&[]);
    let mut waiting = daemon.connect();
    waiting.send("blpop list 5\r\n");
    let mut watching = daemon.connect();
    assert_eq!(watching.ask("watch w"), "+OK");
    assert_eq!(watching.ask("multi"), "+OK");
    assert_eq!(watching.ask("get w"), "+QUEUED");
    std::thread::sleep(Duration::from_millis(50));
    let mut client = daemon.client();
    let script = "redis.call('set', 'w', 1) redis.call('rpush', 'list', 'a') return 1";
    assert_eq!(eval(&mut client, script, &[]).unwrap(), Value::Int(1));
    waiting.expect("*2\r\n$4\r\nlist\r\n$1\r\na\r\n");
    assert_eq!(watching.ask("exec"), "*-1");
}

/// As Valkey 9.1.2 answers; but a session it would begin.
#[test]
fn a_debugger_is_asked_for_alone_and_of_an_engine_that_is_there() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    let no_session = "-ERR this server has no debugger for scripts";
    for (line, expected) in [
        ("script debug no", "+OK"),
        ("SCRIPT DEBUG NO LUA", "+OK"),
        ("script debug yes", no_session),
        ("script debug sync lua", no_session),
        ("script debug foo", "-ERR Use SCRIPT DEBUG YES/SYNC/NO"),
        (
            "script debug foo x",
            "-ERR No scripting engine found with name 'x' to enable debug",
        ),
        (
            "script Debug no lua x",
            "-ERR unknown subcommand or wrong number of arguments for 'Debug'. Try SCRIPT HELP.",
        ),
        (
            "script debug",
            "-ERR wrong number of arguments for 'script|debug' command",
        ),
    ] {
        assert_eq!(client.ask(line), expected, "{line}");
    }
    let refused = "-ERR SCRIPT DEBUG must be called outside a pipeline\r\n";
    client.send("ping\r\nscript debug foo\r\n");
    client.expect(&format!("+PONG\r\n{refused}"));
    client.send("multi\r\nscript debug no\r\nexec\r\n");
    client.expect(&format!("+OK\r\n+QUEUED\r\n*1\r\n{refused}"));
}

#[test]
fn a_command_of_a_script_takes_more_words_than_the_machine_takes_arguments() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let added: usize = redis::cmd("eval")
        .arg(
            "local t = {} for i = 1, 20000 do t[i] = 'member:' .. i end \
             local added = 0 \
             for from = 1, 20000, 7500 do \
                 local to = math.min(from + 7499, 20000) \
                 added = added + redis.call('sadd', KEYS[1], unpack(t, from, to)) \
             end \
             return added",
        )
        .arg(1)
        .arg("set")
        .query(&mut client)
        .unwrap();
    assert_eq!(added, 20_000);
    let members: usize = redis::cmd("scard").arg("set").query(&mut client).unwrap();
    assert_eq!(members, 20_000);
}

#[test]
fn what_pcall_catches_is_what_valkey_gives() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    for (thrown, expected) in [
        ("'text'", "2 string nil"),
        ("{1}", "3 table nil"),
        ("{err='text'}", "2 string nil"),
        ("{err={}}", "3 table table"),
        ("{err=true}", "3 table boolean"),
        ("{err=5}", "2 number nil"),
        (
            "setmetatable({}, {__index=function() return 'text' end})",
            "2 string nil",
        ),
    ] {
        let script = format!(
            "local function tell(...) local _, second, third = ... \
             return select('#', ...) .. ' ' .. type(second) .. ' ' .. type(third) end \
             return tell(pcall(function() error({thrown}, 0) end))"
        );
        let told = eval(&mut client, &script, &[]).unwrap();
        assert_eq!(told, Value::BulkString(expected.into()), "{thrown}");
    }
}
