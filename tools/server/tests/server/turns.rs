//! Who has a turn when: those who ask for much do not keep the others.

use super::support::{Daemon, Raw, eventually, field};

/// Connections whose requests take long.
const LONG: usize = 8;
const LONG_REQUESTS: usize = 40;
/// Short requests of one connection: some sixteen turns of 256.
const SHORT_REQUESTS: usize = 16 * 256;

/// How many long requests were run, by INFO.
fn long_runs(information: &str) -> usize {
    let line = field(information, "cmdstat_lcs");
    let calls = line
        .strip_prefix("calls=")
        .and_then(|it| it.split(',').next());
    calls.and_then(|calls| calls.parse().ok()).unwrap_or(0)
}

#[test]
fn between_two_turns_of_another_only_one_of_those_that_take_long_has_one() {
    let daemon = Daemon::start(&["--io-threads", "1"]);
    let mut control = daemon.connect();
    // Their common part takes some milliseconds to find.
    for (key, letter) in [("a", "xy"), ("b", "yz")] {
        let value = letter.repeat(1000);
        assert_eq!(control.ask(&format!("set {key} {value}")), "+OK");
    }
    assert_eq!(control.ask("lcs a b len"), ":1000");
    let mut held: Vec<Raw> = Vec::new();
    for _ in 0..LONG {
        let mut long = daemon.connect();
        long.send("lcs a b len\r\n".repeat(LONG_REQUESTS));
        held.push(long);
    }
    eventually(&true, || {
        long_runs(&control.bulk("info commandstats")) >= 2 * LONG
    });
    // All of it is with the server before its first turn ends, so what the server does
    // between the two counts does not hang on the client.
    let shorts = "ping\r\n".repeat(SHORT_REQUESTS);
    let mut short = daemon.connect();
    short.send(format!(
        "info commandstats\r\n{shorts}info commandstats\r\n"
    ));
    let before = long_runs(&short.read_bulk());
    for _ in 0..SHORT_REQUESTS {
        short.expect("+PONG\r\n");
    }
    let meanwhile = long_runs(&short.read_bulk()) - before;
    let turns = SHORT_REQUESTS / 256;
    assert!(meanwhile > 0, "nothing ran beside it: this shows nothing");
    assert!(
        meanwhile < turns * LONG / 2,
        "{meanwhile} long requests were run in {turns} turns of another connection"
    );
}
