//! Client-side caching where it races with others; the order of messages is compared in
//! `transcripts`.

use super::support::{Daemon, Raw, eventually};

const INVALIDATION: &str = "$10\r\ninvalidate\r\n*1\r\n$1\r\n";

fn tracker(daemon: &Daemon) -> Raw {
    let mut raw = daemon.connect();
    raw.send("hello 3\r\n");
    while raw.line() != "modules" {}
    raw.expect("*0\r\n");
    assert_eq!(raw.ask("client tracking on"), "+OK");
    raw
}

/// Another client changes a key while this one reads it with `request`, in whose reply the
/// value is the last line.
fn compare_with_cache(request: &str) {
    const ROUNDS: u32 = 3000;
    let daemon = Daemon::start(&[]);
    let mut tracker = tracker(&daemon);
    std::thread::scope(|scope| {
        let mut writer = daemon.connect();
        scope.spawn(move || {
            for number in 1..=ROUNDS {
                assert_eq!(writer.ask(&format!("set n {number}")), "+OK");
            }
        });
        // A cache as a client keeps it: what it holds and was not told to forget is the last
        // value once the writer is done.
        let mut cached = String::new();
        while cached != ROUNDS.to_string() {
            tracker.send(request);
            let mut is_answered = false;
            cached.clear();
            while !is_answered || !cached.is_empty() {
                match tracker.line().as_str() {
                    ">2" => {
                        tracker.expect(&format!("{INVALIDATION}n\r\n"));
                        cached.clear();
                    }
                    "+OK" | "+QUEUED" | "*1" => {}
                    "_" => is_answered = true,
                    _ => {
                        is_answered = true;
                        cached = tracker.line();
                        if cached == ROUNDS.to_string() {
                            break;
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn an_invalidation_never_comes_before_the_reply_it_is_about() {
    compare_with_cache("get n\r\n");
}

#[test]
fn an_invalidation_never_comes_before_the_transaction_it_is_about() {
    compare_with_cache("multi\r\nget n\r\nexec\r\n");
}

#[test]
fn what_a_client_waited_for_is_tracked_once_it_has_it() {
    let daemon = Daemon::start(&[]);
    let (mut tracker, mut other) = (tracker(&daemon), daemon.connect());
    tracker.send("xread block 0 streams s $\r\n");
    eventually(&true, || {
        other.bulk("client list type normal").contains(" flags=bt ")
    });
    assert_eq!(other.bulk("xadd s 1-1 f v"), "1-1");
    // The change it waited for is told before the reply or behind it.
    let reply = "$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n";
    for _ in 0..2 {
        match tracker.line().as_str() {
            ">2" => tracker.expect(&format!("{INVALIDATION}s\r\n")),
            head => {
                assert_eq!(head, "%1");
                tracker.expect(reply);
            }
        }
    }
    assert_eq!(other.bulk("xadd s 1-2 f v"), "1-2");
    tracker.expect(&format!(">2\r\n{INVALIDATION}s\r\n"));
}
