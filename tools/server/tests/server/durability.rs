//! What survives which end.

use super::support::{Daemon, field};
use redis::Commands;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let mut daemon = Daemon::start(&["--appendfsync", "always"]);
    for round in 0..3 {
        let mut client = daemon.client();
        for index in 0..50 {
            let () = client.set(format!("{round}:{index}"), index).unwrap();
        }
        let () = client.hset("h", round, "x").unwrap();
        daemon.kill_and_restart();
        let mut client = daemon.client();
        for past in 0..=round {
            for index in 0..50 {
                let value: u32 = client.get(format!("{past}:{index}")).unwrap();
                assert_eq!(value, index);
            }
        }
        let fields: usize = client.hlen("h").unwrap();
        assert_eq!(fields, round + 1);
    }
    assert!(daemon.log().contains("the last stop was not clean"));
}

#[test]
fn a_clean_stop_keeps_everything_and_says_so() {
    let mut daemon = Daemon::start(&["--pidfile", "pid"]);
    let pid_file = daemon.path("pid");
    assert!(pid_file.exists());
    let () = daemon.client().set("a", "1").unwrap();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(!pid_file.exists());
    daemon.restart();
    let value: String = daemon.client().get("a").unwrap();
    assert_eq!(value, "1");
    assert!(daemon.log().contains("the last stop was clean"));
    let info = daemon.connect().bulk("info persistence");
    assert_eq!(field(&info, "recovery_was_clean"), "1");
    // SHUTDOWN answers nothing and ends the daemon.
    let mut raw = daemon.connect();
    raw.send("set a 2\r\nshutdown\r\n");
    assert_eq!(raw.rest(), "+OK\r\n");
    assert_eq!(daemon.wait().code(), Some(0));
    daemon.restart();
    let value: String = daemon.client().get("a").unwrap();
    assert_eq!(value, "2");
}

#[test]
fn every_save_means_a_checkpoint() {
    let daemon = Daemon::start(&[]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("set a 1"), "+OK");
    assert_eq!(raw.ask("save"), "+OK");
    let info = raw.bulk("info persistence");
    assert_eq!(field(&info, "rdb_last_bgsave_status"), "ok");
    assert_ne!(field(&info, "rdb_saves"), "0");
    assert_eq!(raw.ask("bgsave"), "+Background saving started");
    assert!(
        raw.ask("bgrewriteaof")
            .starts_with("+Background append only file rewriting")
    );
    assert!(raw.ask("lastsave")[1..].parse::<u64>().unwrap() > 0);
    assert_eq!(raw.ask("set a 2"), "+OK");
    raw.send("waitaof 1 0 0\r\n");
    raw.expect("*2\r\n:1\r\n:0\r\n");
    assert_eq!(raw.ask("wait 0 0"), ":0");
}
