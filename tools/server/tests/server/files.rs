//! Too few open files: fewer clients, and those that are there go on.

use super::support::{Daemon, eventually, field};
use rustix::process::{Resource, Rlimit, prlimit};
use std::time::Instant;

#[test]
fn fewer_files_mean_fewer_clients_and_the_log_says_so() {
    let daemon = Daemon::start_limited(Some("-n 200"), &["--tier", "no"]);
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
    let (status, text) = daemon.start_another(Some("-n 100"), &[]);
    assert!(!status.success());
    assert!(
        text.contains("Your current 'ulimit -n' of 100 is not enough for the server to start."),
        "{text}"
    );
}

/// CVE-2025-48367: errors of accepting took all of the server's time.
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

/// An allocation that the system refuses ends a process. So that it does not come to that,
/// `maxmemory` is lowered to what fits the address space: writes are refused or sink, and
/// reads go on.
#[test]
fn less_address_space_means_less_memory_and_the_daemon_goes_on() {
    const LIMIT: Option<&str> = Some("-v 900000");
    for tier in ["no", "yes"] {
        let options = ["--maxmemory", "4gb", "--tier", tier];
        let daemon = Daemon::start_limited(LIMIT, &options);
        let log = daemon.log();
        assert!(
            log.contains("maxmemory of 4096 MiB has been reduced to "),
            "{log}"
        );
        let mut client = daemon.connect();
        let value = "v".repeat(10_000);
        let mut refused = 0;
        // More than the address space.
        for begin in (0..100_000).step_by(100) {
            let batch = (begin..begin + 100).map(|key| format!("set {key} {value}\r\n"));
            client.send(batch.collect::<String>());
            for _ in 0..100 {
                let reply = client.line();
                if reply != "+OK" {
                    assert!(reply.starts_with("-OOM "), "{reply}");
                    refused += 1;
                }
            }
        }
        assert_eq!(refused > 0, tier == "no", "{refused} refused");
        for key in [0, 77, 999] {
            assert!(client.bulk(&format!("get {key}")) == value, "key {key}");
        }
        let more = client.ask("config set maxmemory 2gb");
        assert_eq!(more, "+OK");
        let memory = client.bulk("info memory");
        let bytes: u64 = field(&memory, "maxmemory").parse().unwrap();
        assert!(bytes < 900_000 << 10, "{bytes}");
        assert_eq!(client.ask("ping"), "+PONG");
    }
    let daemon = Daemon::start(&[]);
    let (status, text) = daemon.start_another(Some("-v 300000"), &["--dir", "other"]);
    assert!(!status.success());
    assert!(text.contains("Your current 'ulimit -v' of"), "{text}");
}
