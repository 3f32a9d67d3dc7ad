//! XDELEX, XACKDEL and the words `KEEPREF`, `DELREF` and `ACKED` of XADD and XTRIM, against
//! what Redis 8.2.3 replies and tells of.
//!
//! Not in the recording: `DELREF` and `ACKED` with `~`, for which 8.2 trims nothing at all. Here,
//! as in later versions, what can go goes.

use super::events::{ALL, Recorder};
use super::harness::Client;

/// Runs the recording, with the store started again after every so many requests.
fn compare_with_recording(requests_between_restarts: usize) {
    let mut client = Client::new();
    let mut recorder = Recorder::of(&client);
    client.store().ask_for_events(ALL);
    let mut lines = include_str!("references/recording.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .peekable();
    let mut requests = 0;
    while let Some(line) = lines.next() {
        if requests == requests_between_restarts {
            requests = 0;
            client.restart();
            recorder = Recorder::of(&client);
            client.store().ask_for_events(ALL);
        }
        requests += 1;
        let reply = client.run_line(line.as_bytes());
        let reply = String::from_utf8_lossy(&reply).replace("\r\n", "\\r\\n");
        let expected = lines.next().and_then(|line| line.strip_prefix("= "));
        assert_eq!(Some(reply.as_str()), expected, "{line}");
        let events = lines.next_if(|line| line.starts_with('!'));
        let events = events.and_then(|line| line.strip_prefix("! "));
        assert_eq!(recorder.take(), events.unwrap_or_default(), "{line}");
    }
}

#[test]
fn entries_go_with_regard_to_their_references_as_in_redis() {
    compare_with_recording(usize::MAX);
}

#[test]
fn entries_of_cold_streams_go_with_regard_to_their_references() {
    compare_with_recording(11);
}
