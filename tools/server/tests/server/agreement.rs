//! Details in which a client, or a test suite written for Valkey, could tell the daemon from
//! Valkey 9.1.2. The expected replies are that server's.

use super::support::{Daemon, Raw, eventually, field};

/// A daemon that takes DEBUG, and a connection to it.
fn started() -> (Daemon, Raw) {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let raw = daemon.connect();
    (daemon, raw)
}

/// The number in a field of INFO.
fn figure(raw: &mut Raw, section: &str, name: &str) -> u64 {
    let info = raw.bulk(&format!("info {section}"));
    field(&info, name).parse().expect("it is a number")
}

#[test]
fn libraries_of_scripts_take_what_lua_5_1_takes() {
    let (_daemon, mut raw) = started();
    let encoded = raw.bulk("eval \"return cjson.encode({[-1]='a'})\" 0");
    assert_eq!(encoded, "{\"-1\":\"a\"}");
    let digits = raw.bulk("eval \"return bit.tohex(65535, -2147483648)\" 0");
    assert_eq!(digits, "0000FFFF");
    let many = "local a = {} for i = 1, 7999 do a[i] = i end \
                return redis.call('rpush', KEYS[1], unpack(a))";
    assert_eq!(raw.ask(&format!("eval \"{many}\" 1 list")), ":7999");
    assert_eq!(raw.bulk("lindex list -1"), "7999");
    let none = "return redis.pcall({'ping'}).err";
    let refused = raw.bulk(&format!("eval \"{none}\" 0"));
    assert_eq!(refused, "ERR Command arguments must be strings or integers");
}

#[test]
fn a_script_sees_a_set_in_order() {
    let (_daemon, mut raw) = started();
    assert_eq!(raw.ask("sadd set b a c aa"), ":4");
    for (command, expected) in [
        ("'sort', KEYS[1], 'by', '_'", "a aa b c"),
        ("'sort_ro', KEYS[1], 'by', '_', 'desc'", "c b aa a"),
    ] {
        let script = format!("return table.concat(redis.call({command}), ' ')");
        assert_eq!(raw.bulk(&format!("eval \"{script}\" 1 set")), expected);
    }
}

#[test]
fn functions_are_registered_only_while_their_library_is_loaded() {
    let (_daemon, mut raw) = started();
    let load = "function load \"#!lua name=l\\nlocal own = redis\\n\
                own.register_function('late', function() own.register_function('x', function() end) end)\\n\
                own.register_function('call', function() return own.call end)\"";
    assert_eq!(raw.bulk(load), "l");
    assert_eq!(
        raw.ask("fcall late 0"),
        "-ERR server.register_function can only be called on FUNCTION LOAD command script: \
         on @user_function:3."
    );
    assert_eq!(
        raw.ask("fcall call 0"),
        "-ERR user_function:4: Script attempted to access nonexistent global variable 'call' \
         script: on @user_function:4."
    );
    assert_eq!(
        raw.ask("function load \"#! name=x\\n\""),
        "-ERR Engine '' not found"
    );
}

#[test]
fn memory_stops_a_script_only_before_its_first_write() {
    let (_daemon, mut raw) = started();
    assert_eq!(raw.ask("config set maxmemory 1"), "+OK");
    eventually(&true, || raw.ask("set x v").starts_with("-OOM"));
    assert_eq!(raw.ask("config resetstat"), "+OK");
    let set = "return redis.call('set', KEYS[1], 'v')";
    let refused = raw.ask(&format!("eval \"{set}\" 1 k"));
    let text = "-OOM command not allowed when used memory > 'maxmemory'.";
    assert!(refused.starts_with(text), "{refused}");
    // The command's error is counted once, and the script's with it.
    assert_eq!(figure(&mut raw, "stats", "total_error_replies"), 1);
    let commands = raw.bulk("info commandstats");
    for (name, tail) in [
        ("set", "rejected_calls=1,failed_calls=0"),
        ("eval", "rejected_calls=0,failed_calls=1"),
    ] {
        let line = field(&commands, &format!("cmdstat_{name}"));
        assert!(line.ends_with(tail), "{line}");
    }
    let both = format!("redis.call('del', KEYS[1]) {set}");
    assert_eq!(raw.ask(&format!("eval \"{both}\" 1 k")), "+OK");
}

#[test]
fn quoted_and_unquoted_text_stand_side_by_side() {
    let (_daemon, mut raw) = started();
    assert_eq!(raw.bulk("echo \"\"\"a\"b-'c d'\"e\""), "ab-c de");
}

#[test]
fn a_key_that_had_expired_when_it_was_watched_does_not_change() {
    let (_daemon, mut raw) = started();
    assert_eq!(raw.ask("debug set-active-expire 0"), "+OK");
    for between in ["ping", "exists x", "flushdb"] {
        assert_eq!(raw.ask("set x 1 px 1"), "+OK");
        assert_eq!(raw.ask("debug sleep 0.02"), "+OK");
        assert_eq!(raw.ask("watch x"), "+OK");
        raw.ask(between);
        assert_eq!(raw.ask("multi"), "+OK");
        assert_eq!(raw.ask("ping"), "+QUEUED");
        assert_eq!(raw.ask("exec"), "*1", "{between}");
        assert_eq!(raw.line(), "+PONG");
    }
    // One that expires while it is watched does.
    assert_eq!(raw.ask("set x 1 px 50"), "+OK");
    assert_eq!(raw.ask("watch x"), "+OK");
    assert_eq!(raw.ask("debug sleep 0.1"), "+OK");
    assert_eq!(raw.ask("multi"), "+OK");
    assert_eq!(raw.ask("exec"), "*-1");
}

#[test]
fn debug_runs_in_transactions_and_where_asked_for_in_scripts() {
    let (_daemon, mut raw) = started();
    assert_eq!(raw.ask("multi"), "+OK");
    assert_eq!(raw.ask("debug sleep 0.001"), "+QUEUED");
    assert_eq!(raw.ask("exec"), "*1");
    assert_eq!(raw.line(), "+OK");
    let script = "redis.setresp(3) return redis.call('debug', 'protocol', 'attrib')";
    let denied = raw.ask(&format!("eval \"{script}\" 0"));
    let text = "-ERR This Valkey command is not allowed from script";
    assert!(denied.starts_with(text), "{denied}");
    assert_eq!(raw.ask("debug set-disable-deny-scripts 1"), "+OK");
    let reply = "Some real reply following the attribute";
    assert_eq!(raw.bulk(&format!("eval \"{script}\" 0")), reply);
    assert_eq!(raw.bulk("debug protocol attrib"), reply);
    raw.send("hello 3\r\ndebug protocol attrib\r\nquit\r\n");
    let attribute = "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n";
    let expected = format!("{attribute}$39\r\n{reply}\r\n+OK\r\n");
    let rest = raw.rest();
    assert!(rest.ends_with(&expected), "{rest}");
}

#[test]
fn a_client_that_wants_no_replies_gets_none_of_a_transaction() {
    let (_daemon, mut raw) = started();
    raw.send(
        "client reply off\r\nmulti\r\nping\r\nnosuch\r\nexec\r\nnosuch\r\nclient reply on\r\n",
    );
    raw.expect("+OK\r\n");
    raw.send("client reply skip\r\nmulti\r\nping\r\nexec\r\n");
    raw.expect("+QUEUED\r\n*1\r\n+PONG\r\n");
}

#[test]
fn a_pause_of_writes_holds_what_may_write() {
    let (daemon, mut raw) = started();
    assert_eq!(raw.ask("pfadd h x"), ":1");
    assert_eq!(raw.ask("client pause 60000 write"), "+OK");
    assert_eq!(raw.ask("eval \"#!lua flags=no-writes\\nreturn 3\" 0"), ":3");
    assert_eq!(raw.ask("eval_ro \"return 4\" 0"), ":4");
    let mut held: Vec<Raw> = (0..4).map(|_| daemon.connect()).collect();
    held[0].send("pfcount h\r\n");
    held[1].send("eval \"return 1\" 0\r\n");
    held[2].send("eval \"#!lua\\nreturn 1\" 0\r\n");
    assert_eq!(held[3].ask("multi"), "+OK");
    assert_eq!(held[3].ask("eval \"return 1\" 0"), "+QUEUED");
    held[3].send("exec\r\n");
    eventually(&4, || figure(&mut raw, "clients", "blocked_clients"));
    assert_eq!(raw.ask("client unpause"), "+OK");
    for client in &mut held[..3] {
        assert_eq!(client.line(), ":1");
    }
    held[3].expect("*1\r\n:1\r\n");
}

#[test]
fn hello_names_the_availability_zone() {
    let (_daemon, mut raw) = started();
    assert_eq!(raw.ask("config set availability-zone here"), "+OK");
    assert_eq!(raw.ask("hello 2"), "*16");
    let lines: Vec<String> = (0..29).map(|_| raw.line()).collect();
    assert!(lines.ends_with(&["availability_zone", "$4", "here"].map(str::to_owned)));
    assert_eq!(raw.ask("config set availability-zone \"\""), "+OK");
    assert_eq!(raw.ask("hello 2"), "*14");
}

#[test]
fn the_books_know_of_expiry_errors_and_resets() {
    let (_daemon, mut raw) = started();
    assert_eq!(raw.ask("config resetstat"), "+OK");
    let commands = raw.bulk("info commandstats");
    assert!(field(&commands, "cmdstat_config|resetstat").starts_with("calls=1,"));
    for request in ["expire k -1", "set k 2 pxat 1", "getex k exat 1"] {
        assert_eq!(raw.ask("set k 1"), "+OK");
        raw.ask(request);
        if request.starts_with("getex") {
            raw.line();
        }
    }
    assert_eq!(figure(&mut raw, "stats", "expired_keys"), 3);
    assert_eq!(raw.ask("hset h a 1 b 2 c 3"), ":3");
    raw.send("hexpire h 0 fields 2 a b\r\n");
    raw.expect("*2\r\n:2\r\n:2\r\n");
    assert_eq!(figure(&mut raw, "stats", "expired_fields"), 2);
    assert_eq!(raw.ask("multi"), "+OK");
    assert_eq!(raw.ask("incr h"), "+QUEUED");
    assert_eq!(raw.ask("exec"), "*1");
    assert!(raw.line().starts_with("-WRONGTYPE"));
    let errors = raw.bulk("info errorstats");
    assert_eq!(field(&errors, "errorstat_WRONGTYPE"), "count=1");
    let commands = raw.bulk("info commandstats");
    assert!(field(&commands, "cmdstat_incr").ends_with("failed_calls=1"));
    let set = "config set latency-tracking-info-percentiles \"50.0 99.90\"";
    assert_eq!(raw.ask(set), "+OK");
    let latencies = raw.bulk("info latencystats");
    let line = field(&latencies, "latency_percentiles_usec_expire");
    assert!(
        line.starts_with("p50=") && line.contains(",p99.9="),
        "{line}"
    );
}

#[test]
fn a_smaller_table_of_tracked_keys_forgets_keys_at_once() {
    let (_daemon, mut raw) = started();
    raw.send("hello 3\r\n");
    raw.line();
    (0..25).for_each(|_| drop(raw.line()));
    assert_eq!(raw.ask("client tracking on"), "+OK");
    raw.send("mget a b\r\n");
    raw.expect("*2\r\n_\r\n_\r\n");
    raw.send("config set tracking-table-max-keys 1\r\n");
    raw.expect("+OK\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\n");
    let forgotten = raw.line();
    assert!(["a", "b"].contains(&forgotten.as_str()), "{forgotten}");
}

#[test]
fn a_script_is_tracked_by_what_it_reads_and_not_by_what_it_names() {
    let (daemon, mut raw) = started();
    let mut other = daemon.connect();
    raw.send("hello 3\r\n");
    raw.line();
    (0..25).for_each(|_| drop(raw.line()));
    assert_eq!(raw.ask("client tracking on"), "+OK");
    raw.send("eval_ro \"redis.call('get', KEYS[1]) return 1\" 2 a b\r\n");
    raw.expect(":1\r\n");
    assert_eq!(other.ask("mset b 1 a 1"), "+OK");
    raw.expect(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n");
    assert_eq!(raw.ask("ping"), "+PONG");
}

#[test]
fn a_client_that_was_killed_is_not_listed() {
    let (daemon, mut raw) = started();
    for _ in 0..20 {
        let mut other = daemon.connect();
        let number = other.ask("client id")[1..].to_owned();
        raw.send(format!(
            "client kill id {number}\r\nclient list id {number}\r\n"
        ));
        raw.expect(":1\r\n$0\r\n\r\n");
    }
}

#[test]
fn time_stands_still_within_a_script_and_the_configuration_is_sorted() {
    let (_daemon, mut raw) = started();
    assert_eq!(raw.ask("debug set-disable-deny-scripts 1"), "+OK");
    let script = "local first = redis.call('time') redis.call('debug', 'sleep', '0.003') \
                  local later = redis.call('time') \
                  return first[1] == later[1] and first[2] == later[2]";
    assert_eq!(raw.ask(&format!("eval \"{script}\" 0")), ":1");
    let count: usize = raw.ask("config get *")[1..].parse().unwrap();
    let lines: Vec<String> = (0..2 * count).map(|_| raw.line()).collect();
    let names: Vec<&String> = lines.iter().skip(1).step_by(4).collect();
    assert!(names.is_sorted(), "{names:?}");
}

/// As Valkey 9.1.2 logs: each command of a transaction and of a script, and never EXEC.
#[test]
fn commands_of_transactions_and_scripts_are_logged_each() {
    let daemon = Daemon::start(&["--slowlog-log-slower-than", "0"]);
    let mut client = daemon.client();
    let mut logged = |pipe: &redis::Pipeline| {
        let _: redis::Value = redis::cmd("SLOWLOG")
            .arg("RESET")
            .query(&mut client)
            .unwrap();
        let _: redis::Value = pipe.query(&mut client).unwrap();
        let entries: Vec<redis::Value> = redis::cmd("SLOWLOG")
            .arg(&["GET", "-1"])
            .query(&mut client)
            .unwrap();
        let names = entries.iter().rev().map(|entry| {
            let redis::Value::Array(parts) = entry else {
                panic!("no entry: {entry:?}");
            };
            let words: Vec<String> = redis::from_redis_value(parts[3].clone()).unwrap();
            words[..words.len().min(2)].join(" ")
        });
        names.skip(1).collect::<Vec<_>>()
    };
    let script = "redis.call('set', KEYS[1], 1) redis.pcall('lpush', KEYS[1], 1) return 1";
    let mut plain = redis::pipe();
    plain.atomic();
    plain.cmd("SET").arg(&["a", "1"]).cmd("GET").arg("a");
    assert_eq!(logged(&plain), ["MULTI", "SET a", "GET a"]);
    let mut scripted = redis::pipe();
    scripted.cmd("EVAL").arg(&[script, "1", "b"]);
    let eval = format!("EVAL {script}");
    assert_eq!(logged(&scripted), ["set b", "lpush b", &eval]);
    let mut both = redis::pipe();
    both.atomic();
    both.cmd("SET").arg(&["a", "1"]);
    both.cmd("EVAL").arg(&[script, "1", "b"]);
    both.cmd("GET").arg("a");
    let expected = ["MULTI", "SET a", "set b", "lpush b", &eval, "GET a"];
    assert_eq!(logged(&both), expected);
    // Their time is counted, and what failed.
    let info: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut client)
        .unwrap();
    let line = |name: &str| field(&info, &format!("cmdstat_{name}"));
    assert!(line("lpush").starts_with("calls=2,") && line("lpush").ends_with("failed_calls=2"));
    assert!(line("set").starts_with("calls=4,") && line("set").ends_with("failed_calls=0"));
    assert!(!line("set").contains("usec=0,"));
}

#[test]
fn debug_is_refused_before_it_is_queued() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("multi"), "+OK");
    let refused = raw.ask("debug sleep 0");
    assert!(
        refused.starts_with("-ERR DEBUG command not allowed."),
        "{refused}"
    );
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(raw.ask("exec"), aborted);
}

#[test]
fn there_are_no_modules_and_none_is_loaded() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("module list"), "*0");
    let arity = "-ERR wrong number of arguments for 'module|unload' command";
    assert_eq!(raw.ask("module unload"), arity);
    let unknown = "-ERR unknown subcommand 'foo'. Try MODULE HELP.";
    assert_eq!(raw.ask("module foo"), unknown);
    assert_eq!(raw.ask("multi"), "+OK");
    assert_eq!(raw.ask("module list"), "+QUEUED");
    let refused = raw.ask("module load /a.so");
    assert!(
        refused.starts_with("-ERR MODULE command not allowed."),
        "{refused}"
    );
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(raw.ask("exec"), aborted);
}

/// What each request adds to hits and misses, as read off Valkey 9.1.2.
#[test]
fn looks_at_keys_count_as_hits_and_misses() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("set a 1"), "+OK");
    for (request, hits, misses) in [
        ("get a", 1, 0),
        ("exists a", 1, 0),
        ("exists a b", 1, 1),
        ("type b", 0, 1),
        ("ttl b", 0, 1),
        ("object encoding a", 1, 0),
        ("object encoding b", 0, 1),
        ("copy nox a", 0, 1),
        ("bitop and d a nox", 1, 1),
        ("set a 2", 0, 0),
    ] {
        assert_eq!(raw.ask("config resetstat"), "+OK");
        // Whatever it says, in as many lines.
        raw.send(format!("{request}\r\nping end\r\n"));
        while raw.line() != "end" {}
        let found =
            ["keyspace_hits", "keyspace_misses"].map(|name| figure(&mut raw, "stats", name));
        assert_eq!(found, [hits, misses], "{request}");
    }
}
