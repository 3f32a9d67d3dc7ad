//! CLIENT PAUSE: the data stay as they are until writes go on.

use std::time::Duration;

use super::support::{Daemon, Raw, eventually, field};

/// Long enough for what must not happen in the background meanwhile.
const WHILE: Duration = Duration::from_millis(300);

fn figure(raw: &mut Raw, name: &str) -> u64 {
    let text = field(&raw.bulk("info stats"), name);
    text.parse().expect("a number")
}

#[test]
fn what_expires_while_writes_are_paused_goes_when_they_go_on() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    // One is read meanwhile, and the other is what the expiry would find by itself.
    assert_eq!(raw.ask("set read 1 px 500"), "+OK");
    assert_eq!(raw.ask("set left 1 px 500"), "+OK");
    assert_eq!(raw.ask("client pause 60000 write"), "+OK");
    eventually(&":0".to_owned(), || raw.ask("exists read"));
    std::thread::sleep(WHILE);
    assert_eq!(figure(&mut raw, "expired_keys"), 0);
    assert_eq!(raw.ask("client unpause"), "+OK");
    eventually(&2, || figure(&mut raw, "expired_keys"));
    assert_eq!(raw.ask("dbsize"), ":0");
}

#[test]
fn fields_that_expire_while_writes_are_paused_go_when_they_go_on() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("hset h brief 1 kept 2"), ":2");
    assert_eq!(raw.ask("hset whole brief 1"), ":1");
    for hash in ["h", "whole"] {
        let request = format!("hpexpire {hash} 500 fields 1 brief");
        assert_eq!(raw.ask(&request), "*1");
        assert_eq!(raw.line(), ":1");
    }
    assert_eq!(raw.ask("client pause 60000 write"), "+OK");
    eventually(&":0".to_owned(), || raw.ask("hexists h brief"));
    // A read of any kind leaves what it does not show.
    assert_eq!(raw.ask("hget h brief"), "$-1");
    raw.send("hgetall h\r\nhkeys whole\r\nhpttl h fields 1 brief\r\n");
    raw.expect("*2\r\n$4\r\nkept\r\n$1\r\n2\r\n*0\r\n*1\r\n:-2\r\n");
    std::thread::sleep(WHILE);
    assert_eq!(figure(&mut raw, "expired_fields"), 0);
    assert_eq!(raw.ask("client unpause"), "+OK");
    eventually(&2, || figure(&mut raw, "expired_fields"));
    assert_eq!(raw.ask("hlen h"), ":1");
    assert_eq!(raw.ask("exists whole"), ":0");
}

#[test]
fn nothing_is_evicted_while_writes_are_paused() {
    let daemon = Daemon::start(&[
        "--maxmemory",
        "16mb",
        "--tier",
        "no",
        "--maxmemory-policy",
        "allkeys-random",
    ]);
    let (mut raw, mut writer) = (daemon.connect(), daemon.connect());
    let value = "v".repeat(10_000);
    for number in 0..2000 {
        assert_eq!(raw.ask(&format!("set {number} {value}")), "+OK");
    }
    assert_eq!(raw.ask("client pause 60000 write"), "+OK");
    let evicted = figure(&mut raw, "evicted_keys");
    assert_ne!(evicted, 0);
    assert_eq!(raw.ask("config set maxmemory 12mb"), "+OK");
    writer.send(format!("set waits {value}\r\n"));
    std::thread::sleep(WHILE);
    assert_eq!(figure(&mut raw, "evicted_keys"), evicted);
    // Writes go on with evictions, and none is refused for want of them.
    raw.send(format!("client unpause\r\nset new {value}\r\n"));
    raw.expect("+OK\r\n+OK\r\n");
    writer.expect("+OK\r\n");
    eventually(&true, || figure(&mut raw, "evicted_keys") > evicted);
}
