//! Files, the command line, CONFIG.

use super::support::{Daemon, field};
use std::process::Command;
use thermocline_benches::port::free_port;

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thermocline"));
    let output = command.args(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn version_and_help_are_printed() {
    let (code, out, _) = run(&["--version"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("Thermocline server v="), "{out}");
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("--tier-max-bytes"), "{out}");
}

#[test]
fn a_wrong_configuration_is_told_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("redis.conf");
    std::fs::write(&path, "port 7000\n\nmaxmemory plenty\n").unwrap();
    let (code, _, error) = run(&[path.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(
        error.ends_with("redis.conf:3: maxmemory: argument must be a memory value\n"),
        "{error}"
    );
    let (code, _, error) = run(&["--nosuch", "1"]);
    assert_eq!(code, Some(1));
    assert!(
        error.contains("command line:1: nosuch: unknown directive"),
        "{error}"
    );
}

#[test]
fn a_directory_in_use_is_refused() {
    let daemon = Daemon::start(&[]);
    let (status, error) = daemon.start_another(None, &[]);
    assert_eq!(status.code(), Some(1));
    assert!(error.contains("cannot open the data directory"), "{error}");
    assert_eq!(daemon.connect().ask("ping"), "+PONG");
}

#[test]
fn config_set_is_all_or_nothing() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    let reply = raw.ask("config set timeout 5 maxmemory plenty");
    assert_eq!(
        reply,
        "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a \
         memory value"
    );
    raw.send("config get timeout\r\n");
    raw.expect("*2\r\n$7\r\ntimeout\r\n$1\r\n0\r\n");
    assert_eq!(
        raw.ask("config set timeout 5 maxmemory 1gb appendfsync always"),
        "+OK"
    );
    raw.send("config get timeout maxmemory\r\n");
    raw.expect("*4\r\n$9\r\nmaxmemory\r\n$10\r\n1073741824\r\n$7\r\ntimeout\r\n$1\r\n5\r\n");
    assert!(
        raw.bulk("info memory")
            .contains("\r\nmaxmemory:1073741824\r\n")
    );
    assert_eq!(
        raw.ask("config set nosuch 1"),
        "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"
    );
    assert_eq!(
        raw.ask("config rewrite"),
        "-ERR The server is running without a config file"
    );
}

#[test]
fn config_rewrite_keeps_comments_and_takes_effect() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.conf");
    std::fs::write(&path, "# mine\nhash-max-listpack-entries 3\ntimeout 7\n").unwrap();
    // The file comes first on the command line: this daemon is started by hand.
    let port = free_port().unwrap().to_string();
    let data = directory.path().join("data");
    let mut child = Command::new(env!("CARGO_BIN_EXE_thermocline"))
        .arg(&path)
        .args(["--port", &port, "--bind", "127.0.0.1", "--dir"])
        .arg(&data)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
    let mut client = loop {
        assert!(child.try_wait().unwrap().is_none(), "the daemon ended");
        if let Ok(client) = client.get_connection() {
            break client;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let set = redis::cmd("CONFIG")
        .arg("SET")
        .arg("timeout")
        .arg(9)
        .exec(&mut client);
    let rewritten = redis::cmd("CONFIG").arg("REWRITE").exec(&mut client);
    let _ = redis::cmd("SHUTDOWN").arg("NOSAVE").exec(&mut client);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    set.unwrap();
    rewritten.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("# mine\nhash-max-listpack-entries 3\ntimeout 9\n"),
        "{text}"
    );
    assert!(text.contains(&format!("\nport {port}\n")), "{text}");
}

#[test]
fn fewer_databases_bound_every_command_that_names_one() {
    let daemon = Daemon::start(&["--databases", "4"]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("set a 1"), "+OK");
    let out_of_range = "-ERR DB index is out of range";
    for request in [
        "select 4",
        "move a 4",
        "copy a b db 4",
        "swapdb 0 4",
        "swapdb 4 0",
    ] {
        assert_eq!(raw.ask(request), out_of_range, "{request}");
    }
    for (request, reply) in [
        ("copy a b db 3", ":1"),
        ("swapdb 0 3", "+OK"),
        ("exists b", ":1"),
        ("move b 3", ":1"),
        ("select 3", "+OK"),
        ("get b", "$1"),
    ] {
        assert_eq!(raw.ask(request), reply, "{request}");
    }
    assert_eq!(raw.line(), "1");
    // In a transaction too, where a swap would change what the numbers mean.
    assert_eq!(raw.ask("multi"), "+OK");
    assert_eq!(raw.ask("swapdb 3 5"), "+QUEUED");
    assert_eq!(raw.ask("get b"), "+QUEUED");
    raw.send("exec\r\n");
    raw.expect(&format!("*2\r\n{out_of_range}\r\n$1\r\n1\r\n"));
}

#[test]
fn a_client_that_wishes_leaves_no_trace_of_its_reads() {
    let daemon = Daemon::start(&["--maxmemory-policy", "allkeys-lfu"]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("set a 1"), "+OK");
    let mut other = daemon.connect();
    let mut frequency = || other.ask("object freq a");
    let before = frequency();
    assert_eq!(raw.ask("client no-touch on"), "+OK");
    for _ in 0..3 {
        assert_eq!(raw.ask("get a"), "$1");
        assert_eq!(raw.line(), "1");
    }
    assert_eq!(frequency(), before);
    assert_eq!(raw.ask("touch a"), ":1");
    let touched = frequency();
    assert_ne!(touched, before);
    assert_eq!(raw.ask("strlen a"), ":1");
    assert_eq!(frequency(), touched);
    assert_eq!(raw.ask("client no-touch off"), "+OK");
    assert_eq!(raw.ask("strlen a"), ":1");
    assert_ne!(frequency(), touched);
}

/// Every setting that can be changed and matters, with what shows that it took effect.
#[test]
fn settings_take_effect_at_once() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    for (setting, section, field_name, expected) in [
        ("maxmemory 200mb", "memory", "maxmemory", "209715200"),
        (
            "maxmemory-policy allkeys-lru",
            "memory",
            "maxmemory_policy",
            "allkeys-lru",
        ),
        ("maxclients 321", "clients", "maxclients", "321"),
        (
            "tier-max-bytes 512mb",
            "tiering",
            "tier_max_bytes",
            "536870912",
        ),
    ] {
        assert_eq!(
            raw.ask(&format!("config set {setting}")),
            "+OK",
            "{setting}"
        );
        let info = raw.bulk(&format!("info {section}"));
        assert_eq!(field(&info, field_name), expected, "{setting}");
    }
    for (setting, requests) in [
        (
            "hash-max-listpack-entries 1",
            &[("hset h1 a 1 b 2", ":2"), ("object encoding h1", "$9")][..],
        ),
        (
            "hash-max-listpack-entries 8",
            &[("hset h2 a 1 b 2", ":2"), ("object encoding h2", "$8")],
        ),
        (
            "hash-max-listpack-value 2",
            &[("hset h3 a 123", ":1"), ("object encoding h3", "$9")],
        ),
        (
            "slowlog-log-slower-than 0",
            &[("slowlog reset", "+OK"), ("slowlog len", ":1")],
        ),
        (
            "slowlog-log-slower-than -1",
            &[("slowlog reset", "+OK"), ("slowlog len", ":0")],
        ),
        (
            "requirepass secret",
            &[
                (
                    "auth wrong",
                    "-WRONGPASS invalid username-password pair or user is disabled.",
                ),
                ("auth secret", "+OK"),
            ],
        ),
        (
            "requirepass ''",
            &[(
                "auth secret",
                "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            )],
        ),
    ] {
        assert_eq!(
            raw.ask(&format!("config set {setting}")),
            "+OK",
            "{setting}"
        );
        for (request, reply) in requests {
            assert_eq!(raw.ask(request), *reply, "{setting}: {request}");
            if reply.starts_with('$') {
                raw.line();
            }
        }
    }
    // What a new connection meets.
    assert_eq!(raw.ask("config set maxclients 1"), "+OK");
    assert!(
        daemon
            .connect()
            .rest()
            .starts_with("-ERR max number of clients")
    );
    assert_eq!(raw.ask("config set maxclients 100"), "+OK");
    assert_eq!(daemon.connect().ask("ping"), "+PONG");
    // A limit on arguments, and one on time without a request.
    assert_eq!(raw.ask("config set proto-max-bulk-len 1mb"), "+OK");
    let mut large = daemon.connect();
    large.send("*2\r\n$3\r\nget\r\n$2000000\r\n");
    assert_eq!(large.rest(), "-ERR Protocol error: invalid bulk length\r\n");
    let mut idle = daemon.connect();
    assert_eq!(idle.ask("ping"), "+PONG");
    assert_eq!(raw.ask("config set timeout 1"), "+OK");
    assert_eq!(idle.rest(), "");
}
