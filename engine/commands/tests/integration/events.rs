//! The events that commands tell of, as Valkey 9.1.2 publishes them with
//! `notify-keyspace-events KEAmn`.

use super::harness::Client;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use thermocline_base::Lsn;
use thermocline_store::{Change, EventClass, Observer};

pub(super) const ALL: [EventClass; 12] = [
    EventClass::Generic,
    EventClass::String,
    EventClass::List,
    EventClass::Set,
    EventClass::Hash,
    EventClass::SortedSet,
    EventClass::Expired,
    EventClass::Evicted,
    EventClass::Stream,
    EventClass::Module,
    EventClass::Miss,
    EventClass::New,
];

/// Keeps what it is told, as `database:event:key` or the changed key alone.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Vec<String>>);

impl Observer for Recorder {
    fn observe(&self, changes: &[Change<'_>], _: Lsn) {
        let mut told = self.0.lock();
        told.extend(changes.iter().map(|change| match change {
            Change::Event {
                name,
                database,
                key,
                ..
            } => format!("{database}:{name}:{}", key.escape_ascii()),
            Change::Key(key) => key.escape_ascii().to_string(),
            Change::Flushed => "flushed".to_owned(),
            Change::Aside => "aside".to_owned(),
        }));
    }

    fn settle(&self) {}
}

impl Recorder {
    pub(super) fn of(client: &Client) -> Arc<Self> {
        let recorder = Arc::new(Self::default());
        client.store().set_observer(Arc::clone(&recorder) as _);
        recorder
    }

    pub(super) fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock()).join(" ")
    }
}

#[test]
fn every_command_tells_the_events_of_valkey() {
    let mut client = Client::new();
    let recorder = Recorder::of(&client);
    client.store().ask_for_events(ALL);
    for (line, expected) in EVENTS {
        client.run_line(line.as_bytes());
        assert_eq!(recorder.take(), *expected, "{line}");
    }
}

/// The bytes of a word of a recording.
fn unescaped(word: &str) -> Vec<u8> {
    if word == "''" {
        return Vec::new();
    }
    let mut parts = word.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (byte, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(byte, 16).expect("two digits"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

/// Runs the recording, with the store started again after every so many requests.
fn compare_with_recording(requests_between_restarts: usize) {
    let mut client = Client::new();
    let mut recorder = Recorder::of(&client);
    client.store().ask_for_events(ALL);
    let mut lines = include_str!("events/families.txt").lines().peekable();
    let mut is_queueing = false;
    let mut requests = 0;
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            continue;
        }
        if requests == requests_between_restarts && !is_queueing {
            requests = 0;
            client.restart();
            recorder = Recorder::of(&client);
            client.store().ask_for_events(ALL);
        }
        requests += 1;
        is_queueing = line == "multi" || is_queueing && line != "exec";
        let words: Vec<Vec<u8>> = line.split(' ').map(unescaped).collect();
        let request: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        client.run(&request);
        let expected = lines.next_if(|line| line.starts_with(' '));
        assert_eq!(
            recorder.take(),
            expected.unwrap_or_default().trim(),
            "{line}"
        );
    }
}

#[test]
fn every_family_tells_the_events_of_valkey() {
    compare_with_recording(usize::MAX);
}

#[test]
fn cold_keys_of_every_family_tell_the_events_of_valkey() {
    compare_with_recording(7);
}

#[test]
fn a_key_of_any_type_is_told_of_when_it_expires() {
    let mut client = Client::new();
    let recorder = Recorder::of(&client);
    client.store().ask_for_events(ALL);
    for (line, written) in [
        ("rpush k a", "0:expired:k 0:new:k 0:rpush:k"),
        ("sadd k a", "0:expired:k 0:new:k 0:sadd:k"),
        ("zadd k 1 a", "0:expired:k 0:new:k 0:zadd:k"),
        ("xadd k 1-1 f v", "0:expired:k 0:new:k 0:xadd:k"),
        ("pfadd k a", "0:expired:k 0:new:k 0:pfadd:k"),
        ("setbit k 1 1", "0:expired:k 0:new:k 0:setbit:k"),
    ] {
        client.run_line(b"hset k f v");
        client.run_line(b"pexpire k 100");
        client.advance(Duration::from_millis(200));
        recorder.take();
        client.run_line(line.as_bytes());
        assert_eq!(recorder.take(), written, "{line}");
        client.run_line(b"pexpire k 100");
        client.advance(Duration::from_millis(200));
        recorder.take();
        client.run_line(b"type k");
        assert_eq!(recorder.take(), "0:expired:k 0:keymiss:k", "{line}");
    }
}

#[test]
fn an_expired_key_is_told_of_when_it_is_met() {
    let mut client = Client::new();
    let recorder = Recorder::of(&client);
    client.store().ask_for_events(ALL);
    client.run_line(b"set k v px 100");
    client.run_line(b"hset h a 1 b 2");
    client.run_line(b"hpexpire h 100 fields 1 a");
    client.advance(Duration::from_millis(200));
    recorder.take();
    client.run_line(b"get k");
    assert_eq!(recorder.take(), "0:expired:k 0:keymiss:k");
    client.run_line(b"hdel h a b");
    assert_eq!(recorder.take(), "0:hexpired:h 0:hdel:h 0:del:h");
}

#[test]
fn only_what_is_asked_for_is_told() {
    let mut client = Client::new();
    let recorder = Recorder::of(&client);
    client.run_line(b"set k v");
    client.run_line(b"flushall");
    assert_eq!(recorder.take(), "");
    client.store().ask_for_changes(true);
    client.run_line(b"mset a 1 b 2 a 3");
    client.run_line(b"get a");
    client.run_line(b"setrange a 0 ''");
    client.run_line(b"del a nokey");
    client.run_line(b"flushdb");
    assert_eq!(recorder.take(), "a b a a flushed");
    client.store().ask_for_events([EventClass::Generic]);
    client.run_line(b"set b 1 ex 10");
    assert_eq!(recorder.take(), "b 0:expire:b");
    client.store().ask_for_changes(false);
    client.run_line(b"multi");
    client.run_line(b"set b 1");
    client.run_line(b"copy b c db 3");
    client.run_line(b"del b");
    assert_eq!(recorder.take(), "", "nothing is told before EXEC");
    client.run_line(b"exec");
    assert_eq!(recorder.take(), "3:copy_to:c 0:del:b");
}

/// Lines and their events, in order, on a store that was empty at first.
const EVENTS: &[(&str, &str)] = &[
    ("get nokey", "0:keymiss:nokey"),
    ("exists nokey", "0:keymiss:nokey"),
    ("ttl nokey", "0:keymiss:nokey"),
    ("type nokey", "0:keymiss:nokey"),
    ("object encoding nokey", ""),
    ("strlen nokey", "0:keymiss:nokey"),
    ("getrange nokey 0 1", "0:keymiss:nokey"),
    ("mget nokey no2", "0:keymiss:nokey 0:keymiss:no2"),
    ("expiretime nokey", "0:keymiss:nokey"),
    ("dump nokey", "0:keymiss:nokey"),
    ("hget nokey f", "0:keymiss:nokey"),
    ("hgetall nokey", "0:keymiss:nokey"),
    ("hlen nokey", "0:keymiss:nokey"),
    ("hmget nokey f", "0:keymiss:nokey"),
    ("httl nokey FIELDS 1 f", "0:keymiss:nokey"),
    ("hrandfield nokey", "0:keymiss:nokey"),
    ("hexists nokey f", "0:keymiss:nokey"),
    ("hscan nokey 0", "0:keymiss:nokey"),
    ("set a 1", "0:new:a 0:set:a"),
    ("set a 2", "0:set:a"),
    ("set a 2 EX 100", "0:set:a 0:expire:a"),
    ("set a 2 KEEPTTL", "0:set:a"),
    ("set a 2 NX", ""),
    ("set b 2 XX", ""),
    ("set b 2 GET", "0:keymiss:b 0:new:b 0:set:b"),
    ("set b 2 GET", "0:set:b"),
    ("set p 1 PXAT 1", ""),
    ("set p 1", "0:new:p 0:set:p"),
    ("set p 1 PXAT 1", "0:expired:p"),
    ("setnx n 1", "0:new:n 0:set:n"),
    ("setnx n 2", ""),
    ("setex e 100 v", "0:new:e 0:set:e 0:expire:e"),
    ("psetex e 100000 v", "0:set:e 0:expire:e"),
    ("getset a 3", "0:set:a"),
    ("getset zz 3", "0:keymiss:zz 0:new:zz 0:set:zz"),
    ("getdel zz", "0:del:zz"),
    ("getdel zz", "0:keymiss:zz"),
    ("getex a", ""),
    ("getex nokey", "0:keymiss:nokey"),
    ("getex a EX 100", "0:expire:a"),
    ("getex a PERSIST", "0:persist:a"),
    ("getex a PERSIST", ""),
    ("getex a EXAT 1", "0:expired:a"),
    ("set a 1", "0:new:a 0:set:a"),
    ("append a 1", "0:append:a"),
    ("append a2 1", "0:new:a2 0:append:a2"),
    ("setrange a 0 5", "0:setrange:a"),
    ("setrange a 0 ''", ""),
    ("setrange newr 2 x", "0:new:newr 0:setrange:newr"),
    ("incr a", "0:incrby:a"),
    ("decr a", "0:incrby:a"),
    ("incrby cnt 4", "0:new:cnt 0:incrby:cnt"),
    ("decrby cnt 4", "0:incrby:cnt"),
    ("incrbyfloat cnt 1.5", "0:incrbyfloat:cnt"),
    ("mset m1 1 m2 2", "0:new:m1 0:set:m1 0:new:m2 0:set:m2"),
    ("mset m1 1 m1 2", "0:set:m1 0:set:m1"),
    ("msetnx m1 1 m3 3", ""),
    ("msetnx m3 1 m4 3", "0:new:m3 0:set:m3 0:new:m4 0:set:m4"),
    (
        "msetex 2 m3 1 m5 3 EX 100",
        "0:set:m3 0:expire:m3 0:new:m5 0:set:m5 0:expire:m5",
    ),
    ("msetex 2 m3 1 m5 3", "0:set:m3 0:set:m5"),
    ("msetex 2 m3 1 m6 3 NX", ""),
    ("msetex 1 m3 1 PXAT 1", "0:set:m3 0:expire:m3 0:expired:m3"),
    ("msetex 1 m4 1 KEEPTTL", "0:set:m4"),
    ("delifeq m4 0", ""),
    ("delifeq m4 1", "0:del:m4"),
    ("delifeq m4 1", ""),
    ("del m1 m2 m1", "0:del:m1 0:del:m2"),
    ("unlink m3 m5", "0:del:m5"),
    ("expire a 100", "0:expire:a"),
    ("expire a 100 NX", ""),
    ("pexpire a 100000", "0:expire:a"),
    ("expireat a 1", "0:expired:a"),
    ("set a 1", "0:new:a 0:set:a"),
    ("expire a -1", "0:expired:a"),
    ("expire a 1", ""),
    ("set a 1", "0:new:a 0:set:a"),
    ("pexpireat a 99999999999999", "0:expire:a"),
    ("persist a", "0:persist:a"),
    ("persist a", ""),
    ("set s 1", "0:new:s 0:set:s"),
    ("set t 2", "0:new:t 0:set:t"),
    ("rename s t", "0:new:t 0:rename_from:s 0:rename_to:t"),
    ("rename t t", ""),
    ("rename nokey t", ""),
    ("set s 1", "0:new:s 0:set:s"),
    ("renamenx s t", ""),
    ("renamenx s u", "0:new:u 0:rename_from:s 0:rename_to:u"),
    ("copy u v", "0:new:v 0:copy_to:v"),
    ("copy u v", ""),
    ("copy u v REPLACE", "0:new:v 0:copy_to:v"),
    ("copy u v DB 3 REPLACE", "3:new:v 3:copy_to:v"),
    ("copy nokey v", "0:keymiss:nokey"),
    ("move u 2", "2:new:u 0:move_from:u 2:move_to:u"),
    ("move nokey 2", ""),
    ("set u 1", "0:new:u 0:set:u"),
    ("move u 2", ""),
    ("set x 1", "0:new:x 0:set:x"),
    ("dump x", ""),
    ("hset h f 1 g 2", "0:new:h 0:hset:h"),
    ("hset h f 2", "0:hset:h"),
    ("hmset h f 1", "0:hset:h"),
    ("hsetnx h f 1", ""),
    ("hsetnx h z 1", "0:hset:h"),
    ("hincrby h f 1", "0:hincrby:h"),
    ("hincrby hh f 1", "0:new:hh 0:hincrby:hh"),
    ("hincrbyfloat h f 1.5", "0:hincrbyfloat:h"),
    ("hdel h nof", ""),
    ("hdel h f nof", "0:hdel:h"),
    ("hdel h g z", "0:hdel:h 0:del:h"),
    ("hdel h g", ""),
    ("hset h a 1 b 2 c 3 d 4", "0:new:h 0:hset:h"),
    ("hgetdel h FIELDS 1 a", "0:hdel:h"),
    ("hgetdel h FIELDS 1 nof", ""),
    ("hgetdel h FIELDS 3 b c d", "0:hdel:h 0:del:h"),
    ("hgetdel h FIELDS 1 b", ""),
    ("hset h a 1 b 2 c 3 d 4", "0:new:h 0:hset:h"),
    ("hexpire h 100 FIELDS 2 a b", "0:hexpire:h"),
    ("hexpire h 100 NX FIELDS 2 a b", ""),
    ("hexpire h 100 FIELDS 1 nof", ""),
    ("hpexpire h 100000 FIELDS 1 a", "0:hexpire:h"),
    ("hexpire h 0 FIELDS 1 a", "0:hexpired:h"),
    ("hexpireat h 1 FIELDS 2 b nof", "0:hexpired:h"),
    ("hpersist h FIELDS 1 c", ""),
    ("hexpire h 100 FIELDS 1 c", "0:hexpire:h"),
    ("hpersist h FIELDS 1 c", "0:hpersist:h"),
    ("hpersist h FIELDS 1 nof", ""),
    ("hexpire h 0 FIELDS 2 c d", "0:hexpired:h 0:del:h"),
    ("hset h a 1 b 2 c 3 d 4", "0:new:h 0:hset:h"),
    ("hgetex h FIELDS 1 a", ""),
    ("hgetex h EX 100 FIELDS 2 a nof", "0:hexpire:h"),
    ("hgetex h EX 100 FIELDS 1 nof", ""),
    ("hgetex h PERSIST FIELDS 1 a", "0:hpersist:h"),
    ("hgetex h PERSIST FIELDS 1 a", ""),
    ("hgetex h EXAT 1 FIELDS 1 a", "0:hexpired:h"),
    ("hgetex h EXAT 1 FIELDS 1 nof", ""),
    ("hgetex h EXAT 1 FIELDS 3 b c d", "0:hexpired:h 0:del:h"),
    ("hsetex h FIELDS 1 a 1", "0:new:h 0:hset:h"),
    ("hsetex h EX 100 FIELDS 2 a 1 b 2", "0:hset:h 0:hexpire:h"),
    ("hsetex h KEEPTTL FIELDS 2 a 1 b 2", "0:hset:h"),
    ("hsetex h FNX FIELDS 2 a 1 b 2", ""),
    (
        "hsetex h EXAT 1 FIELDS 1 a 1",
        "0:hset:h 0:hexpire:h 0:hexpired:h",
    ),
    (
        "hsetex h EXAT 1 FIELDS 1 nof 1",
        "0:hset:h 0:hexpire:h 0:hexpired:h",
    ),
    (
        "hsetex h EXAT 1 FIELDS 1 b 1",
        "0:hset:h 0:hexpire:h 0:hexpired:h 0:del:h",
    ),
    (
        "hsetex h2 EXAT 1 FIELDS 1 b 1",
        "0:new:h2 0:hset:h2 0:hexpire:h2 0:hexpired:h2 0:del:h2",
    ),
    ("set q 1", "0:new:q 0:set:q"),
    ("set k 1", "0:new:k 0:set:k"),
    ("set k 1", "0:set:k"),
    ("set k 2", "0:set:k"),
    ("del k", "0:del:k"),
    ("set x 1", "0:set:x"),
    ("hgetex nokey FIELDS 1 a", "0:keymiss:nokey"),
    ("hgetdel nokey FIELDS 1 a", ""),
    ("hincrby nokey2 a x", ""),
    ("object idletime nokey", ""),
    ("memory usage nokey", ""),
    ("hset h a 1", "0:new:h 0:hset:h"),
    ("hgetex h EX 100 FIELDS 1 a", "0:hexpire:h"),
    ("hgetex h EX 100 FIELDS 1 a", "0:hexpire:h"),
    ("hgetex h PXAT 99999999999999 FIELDS 1 a", "0:hexpire:h"),
    ("hgetex h PXAT 99999999999999 FIELDS 1 a", "0:hexpire:h"),
    ("getex x PXAT 1", "0:expired:x"),
    ("setrange nokey 0 ''", ""),
    ("setrange nokey 0 a", "0:new:nokey 0:setrange:nokey"),
    ("append app ''", "0:new:app 0:append:app"),
    ("append app ''", "0:append:app"),
    ("lcs no1 no2", "0:keymiss:no1 0:keymiss:no2"),
    ("hstrlen no1 a", "0:keymiss:no1"),
    ("hvals no1", "0:keymiss:no1"),
    ("substr no1 0 1", "0:keymiss:no1"),
];
