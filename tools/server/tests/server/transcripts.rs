//! Several connections at once, compared with recordings of Valkey 9.1.2.
//!
//! The recordings stand in `transcripts/`; each says how it is read.

use std::collections::BTreeMap;

use super::support::{Daemon, Raw, eventually, field};

/// What stands in the recordings for the reply of HELLO, which names the server.
const HELLO: &str = "<hello>";

struct Stage<'d> {
    daemon: &'d Daemon,
    connections: BTreeMap<String, Raw>,
    /// The client's number of each connection there has been.
    numbers: BTreeMap<String, String>,
}

impl Stage<'_> {
    fn connection(&mut self, name: &str) -> &mut Raw {
        if !self.connections.contains_key(name) {
            let mut raw = self.daemon.connect();
            let number = raw.ask("client id")[1..].to_owned();
            self.numbers.insert(name.to_owned(), number);
            self.connections.insert(name.to_owned(), raw);
        }
        self.connections.get_mut(name).expect("it is there")
    }

    fn with_numbers(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, number) in &self.numbers {
            text = text.replace(&format!("{{{name}}}"), number);
        }
        text
    }

    fn request(&mut self, name: &str, request: &str) {
        self.connection(name);
        if request == "CLOSE" {
            self.connections.remove(name);
            // The others may be asked about it next.
            let number = &self.numbers[name];
            let mut raw = self.daemon.connect();
            let query = format!("client list id {number}");
            eventually(&String::new(), || raw.bulk(&query));
            return;
        }
        if request == "WAITS" {
            let query = format!("client list id {}", self.numbers[name]);
            let mut raw = self.daemon.connect();
            eventually(&true, || raw.bulk(&query).contains(" flags=b "));
            return;
        }
        let request = self.with_numbers(request);
        let mut bytes = Vec::new();
        for part in request.split(" | ") {
            let words: Vec<&str> = part.split(' ').collect();
            bytes.extend(format!("*{}\r\n", words.len()).bytes());
            for word in words {
                let word = if word == "''" { "" } else { word };
                bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
            }
        }
        self.connection(name).send(bytes);
    }

    fn expect(&mut self, name: &str, expected: &str) {
        let expected = self.with_numbers(&unescaped(expected));
        let raw = self.connection(name);
        match expected.strip_prefix(HELLO) {
            None => raw.expect(&expected),
            Some(rest) => {
                while raw.line() != "modules" {}
                raw.expect("*0\r\n");
                raw.expect(rest);
            }
        }
    }

    /// Closes every connection, none of which has got anything else.
    fn end(&mut self) {
        for (name, mut raw) in std::mem::take(&mut self.connections) {
            raw.send("QUIT\r\n");
            let rest = raw.rest();
            assert!(rest.is_empty() || rest == "+OK\r\n", "{name} got {rest:?}");
        }
        let mut raw = self.daemon.connect();
        eventually(&"1".to_owned(), || {
            field(&raw.bulk("info clients"), "connected_clients")
        });
        raw.send("flushall\r\nconfig set notify-keyspace-events ''\r\n");
        raw.expect("+OK\r\n+OK\r\n");
        drop(raw);
    }
}

fn unescaped(text: &str) -> String {
    text.replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\\\", "\\")
}

fn compare(recording: &str) {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let mut stage = Stage {
        daemon: &daemon,
        connections: BTreeMap::new(),
        numbers: BTreeMap::new(),
    };
    for line in recording.lines().filter(|line| !line.starts_with('#')) {
        if line == "---" {
            stage.end();
        } else if let Some(got) = line.strip_prefix(' ') {
            let (name, expected) = got.split_once(' ').expect("a connection and its bytes");
            stage.expect(name, expected);
        } else {
            // Shown only where an expectation fails.
            eprintln!("{line}");
            let (name, request) = line.split_once(": ").expect("a connection and a request");
            stage.request(name, request);
        }
    }
    stage.end();
}

#[test]
fn channels_are_those_of_valkey() {
    compare(include_str!("transcripts/channels.txt"));
}

#[test]
fn client_side_caching_is_that_of_valkey() {
    compare(include_str!("transcripts/tracking.txt"));
}

#[test]
fn changes_and_reads_of_one_transaction_are_told_of_as_in_valkey() {
    compare(include_str!("transcripts/tracking_order.txt"));
}

#[test]
fn logs_pauses_and_lists_are_those_of_valkey() {
    compare(include_str!("transcripts/operations.txt"));
}

#[test]
fn scripts_are_those_of_valkey() {
    compare(include_str!("transcripts/scripts.txt"));
}

#[test]
fn events_of_keys_are_those_of_valkey() {
    compare(include_str!("transcripts/events.txt"));
}
