//! Files, the command line, CONFIG.

use super::support::{Daemon, free_port};
use std::process::Command;

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
    raw.expect("*4\r\n$7\r\ntimeout\r\n$1\r\n5\r\n$9\r\nmaxmemory\r\n$10\r\n1073741824\r\n");
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
    let port = free_port().to_string();
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
