//! Too few open files: fewer clients, and those that are there go on.

use super::support::{Daemon, eventually, field};
use rustix::process::{Resource, Rlimit, prlimit};
use std::time::Instant;

#[test]
fn fewer_files_mean_fewer_clients_and_the_log_says_so() {
    let daemon = Daemon::start_limited(Some(200), &["--tier", "no"]);
    let mut raw = daemon.connect();
    assert_eq!(
        raw.ask("config get maxclients"),
        "*2",
        "the lowered number is the one shown"
    );
    raw.expect("$10\r\nmaxclients\r\n$2\r\n72\r\n");
    assert_eq!(field(&raw.bulk("info clients"), "maxclients"), "72");
    assert!(
        daemon
            .log()
            .contains("maxclients has been reduced to 72 to compensate for low ulimit."),
        "{}",
        daemon.log()
    );
    assert_eq!(
        raw.ask("config set maxclients 500"),
        "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating \
         system is not able to handle the specified number of clients, try with 72"
    );
    assert_eq!(raw.ask("config set maxclients 70"), "+OK");
    let (status, text) = daemon.start_another(Some(100), &[]);
    assert!(!status.success());
    assert!(
        text.contains("Your current 'ulimit -n' of 100 is not enough for the server to start."),
        "{text}"
    );
}

#[test]
fn without_a_free_file_clients_go_on_and_newcomers_wait() {
    let daemon = Daemon::start(&["--tier", "no"]);
    let mut client = daemon.connect();
    assert_eq!(client.ask("set a 1"), "+OK");
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = |files: Option<u64>| {
        let limit = Rlimit {
            current: files,
            maximum,
        };
        let before = prlimit(Some(daemon.pid()), Resource::Nofile, limit);
        before.expect("a limit of a child can be changed")
    };
    let begun = Instant::now();
    let before = limit(Some(3));
    let mut newcomer = daemon.connect();
    newcomer.send("get a\r\n");
    let warnings = || {
        let log = daemon.log();
        log.matches("Accepting client connection").count()
    };
    eventually(&true, || warnings() >= 2);
    assert_eq!(client.ask("incr a"), ":2");
    let (warned, seconds) = (warnings() as u64, begun.elapsed().as_secs());
    assert!(warned <= seconds + 1, "{warned} warnings in {seconds} s");
    limit(before.current);
    newcomer.expect("$1\r\n2\r\n");
}

#[test]
fn with_all_files_in_use_newcomers_are_told() {
    let daemon = Daemon::start(&["--tier", "no"]);
    let mut client = daemon.connect();
    assert_eq!(client.ask("set a 1"), "+OK");
    let files = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid().as_raw_nonzero()));
    let numbers = files.expect("it runs").map(|file| {
        let name = file.expect("it can be read").file_name();
        name.to_string_lossy().parse().expect("a number")
    });
    // Only the gaps below the highest are free.
    let highest: u64 = numbers.max().expect("there are some");
    let limit = Rlimit {
        current: Some(highest + 1),
        maximum: rustix::process::getrlimit(Resource::Nofile).maximum,
    };
    prlimit(Some(daemon.pid()), Resource::Nofile, limit).expect("a child's can be changed");
    let mut served = Vec::new();
    let told = loop {
        let mut newcomer = daemon.connect();
        newcomer.send("ping\r\n");
        let line = newcomer.line();
        if line != "+PONG" {
            break line;
        }
        served.push(newcomer);
    };
    assert_eq!(told, "-ERR max number of clients reached");
    let mut again = daemon.connect();
    assert_eq!(again.rest(), "-ERR max number of clients reached\r\n");
    let stats = client.bulk("info stats");
    let rejected: u64 = field(&stats, "rejected_connections").parse().unwrap();
    assert!(rejected >= 2, "{rejected}");
    assert_eq!(client.ask("incr a"), ":2");
    drop(served);
    eventually(&"+PONG".to_owned(), || {
        let mut newcomer = daemon.connect();
        newcomer.send("ping\r\n");
        newcomer.line()
    });
}
