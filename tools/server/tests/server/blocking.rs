//! Clients that wait for keys: who is served, with what, and how a wait ends.

use super::support::{Daemon, Raw, eventually, field};

/// Sends a request that waits, and returns once it does.
fn block(daemon: &Daemon, client: &mut Raw, request: &str) {
    let mut asking = daemon.connect();
    let blocked = |asking: &mut Raw| field(&asking.bulk("info clients"), "blocked_clients");
    let before: usize = blocked(&mut asking).parse().unwrap();
    client.send(format!("{request}\r\n"));
    eventually(&(before + 1).to_string(), || blocked(&mut asking));
}

fn popped(key: &str, element: &str) -> String {
    let (first, second) = (key.len(), element.len());
    format!("*2\r\n${first}\r\n{key}\r\n${second}\r\n{element}\r\n")
}

#[test]
fn the_first_to_wait_is_the_first_to_be_served() {
    let daemon = Daemon::start(&[]);
    let mut writer = daemon.connect();
    let mut clients: Vec<Raw> = (0..4).map(|_| daemon.connect()).collect();
    block(&daemon, &mut clients[2], "blpop k 0");
    block(&daemon, &mut clients[0], "brpop other k 0");
    block(&daemon, &mut clients[3], "blmpop 0 1 k left count 2");
    block(&daemon, &mut clients[1], "blpop k 0");
    // The writer's next command finds what is left.
    writer.send("rpush k a b c d e\r\nlrange k 0 -1\r\nrpush k f\r\nllen k\r\n");
    writer.expect(":5\r\n*0\r\n:1\r\n:1\r\n");
    clients[2].expect(&popped("k", "a"));
    clients[0].expect(&popped("k", "e"));
    clients[3].expect("*2\r\n$1\r\nk\r\n*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
    clients[1].expect(&popped("k", "d"));
}

#[test]
fn a_client_is_served_by_chains_of_moves() {
    let daemon = Daemon::start(&[]);
    let mut writer = daemon.connect();
    let (mut one, mut two, mut three) = (daemon.connect(), daemon.connect(), daemon.connect());
    block(&daemon, &mut three, "blpop c 0");
    block(&daemon, &mut two, "brpoplpush b c 0");
    block(&daemon, &mut one, "blmove a b left right 0");
    assert_eq!(writer.ask("lpush a x"), ":1");
    one.expect("$1\r\nx\r\n");
    two.expect("$1\r\nx\r\n");
    three.expect(&popped("c", "x"));
    writer.send("exists a b c\r\n");
    writer.expect(":0\r\n");
}

#[test]
fn only_a_list_wakes_those_who_wait_for_one() {
    let daemon = Daemon::start(&[]);
    let (mut writer, mut client) = (daemon.connect(), daemon.connect());
    block(&daemon, &mut client, "blpop k j 0");
    writer.send("set k x\r\ndel k\r\nhset k f v\r\ndel k\r\n");
    writer.expect("+OK\r\n:1\r\n:1\r\n:1\r\n");
    // A list that is gone at the end of its transaction was never there.
    writer.send("multi\r\nrpush k 1\r\ndel k\r\nset k x\r\nexec\r\n");
    writer.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n:1\r\n+OK\r\n");
    assert_eq!(field(&writer.bulk("info clients"), "blocked_clients"), "1");
    // Woken by one key, the client meets the other.
    writer.send("rpush j 1\r\n");
    writer.expect(":1\r\n");
    client.expect("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    writer.send("del k\r\nllen j\r\n");
    writer.expect(":1\r\n:1\r\n");
    // The first key of the request comes first, whichever came up first.
    writer.send("del j\r\n");
    writer.expect(":1\r\n");
    block(&daemon, &mut client, "blpop k j 0");
    writer.send("multi\r\nrpush j 2\r\nrpush k 1\r\nexec\r\n");
    writer.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n");
    client.expect(&popped("k", "1"));
}

#[test]
fn every_way_a_list_comes_up_wakes() {
    let daemon = Daemon::start(&[]);
    let (mut writer, mut client) = (daemon.connect(), daemon.connect());
    for (preparation, wake) in [
        ("rpush x 1", "rename x k"),
        ("rpush x 1", "renamenx x k"),
        ("rpush x 1", "copy x k"),
        ("rpush x 1", "lmove x k left left"),
        ("rpush x 1", "sort x store k"),
    ] {
        // Some of the replies have more than one line.
        let mut writer = daemon.connect();
        assert_eq!(writer.ask(preparation), ":1");
        block(&daemon, &mut client, "blpop k 0");
        writer.ask(wake);
        client.expect(&popped("k", "1"));
        assert_eq!(daemon.connect().ask("flushall"), "+OK");
    }
    block(&daemon, &mut client, "blpop k 0");
    writer.send("select 1\r\nrpush k 1\r\nmove k 0\r\n");
    writer.expect("+OK\r\n:1\r\n:1\r\n");
    client.expect(&popped("k", "1"));
    block(&daemon, &mut client, "blpop k 0");
    writer.send("rpush k 2\r\nflushdb\r\nrpush k 3\r\nswapdb 0 1\r\n");
    writer.expect(":1\r\n+OK\r\n:1\r\n+OK\r\n");
    client.expect(&popped("k", "3"));
    // The wait stays with the number of its database.
    block(&daemon, &mut client, "blpop k 0");
    writer.send("swapdb 0 1\r\nflushall\r\nrpush k 4\r\nselect 0\r\nrpush k 5\r\n");
    writer.expect("+OK\r\n+OK\r\n:1\r\n+OK\r\n:1\r\n");
    client.expect(&popped("k", "5"));
}

/// CVE-2026-23479, where the rest of it is shown by `vulnerabilities`.
#[test]
fn waits_end_by_time_and_by_unblock() {
    let daemon = Daemon::start(&[]);
    let (mut writer, mut client) = (daemon.connect(), daemon.connect());
    client.send("blpop k 0.01\r\nblmove k l left left 0.01\r\nping\r\n");
    client.expect("*-1\r\n*-1\r\n+PONG\r\n");
    let id = client.ask("client id").replace(':', "");
    assert_eq!(writer.ask(&format!("client unblock {id}")), ":0");
    block(&daemon, &mut client, "blpop k 0");
    let list = writer.bulk(&format!("client list id {id}"));
    assert!(
        list.contains(" flags=b ") && list.contains(" cmd=blpop "),
        "{list}"
    );
    let info = writer.bulk("info clients");
    assert_eq!(field(&info, "total_blocking_keys"), "1");
    assert_eq!(field(&info, "clients_in_timeout_table"), "0");
    assert_eq!(writer.ask(&format!("client unblock {id} timeout")), ":1");
    client.expect("*-1\r\n");
    block(&daemon, &mut client, "blpop k j 1000");
    let info = writer.bulk("info clients");
    assert_eq!(field(&info, "total_blocking_keys"), "2");
    assert_eq!(field(&info, "clients_in_timeout_table"), "1");
    assert_eq!(writer.ask(&format!("client unblock {id} error")), ":1");
    client.expect("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    assert_eq!(writer.ask(&format!("client unblock {id} error")), ":0");
    // Nobody waits any more: what is pushed stays.
    writer.send("rpush k 1\r\nllen k\r\n");
    writer.expect(":1\r\n:1\r\n");
    let info = writer.bulk("info clients");
    assert_eq!(field(&info, "total_blocking_keys"), "0");
}

#[test]
fn a_client_that_goes_away_waits_no_more() {
    let daemon = Daemon::start(&[]);
    let (mut writer, mut gone, mut next) = (daemon.connect(), daemon.connect(), daemon.connect());
    // What it has sent already does not hide its end.
    block(&daemon, &mut gone, "blpop k 0\r\nping\r\nping");
    block(&daemon, &mut next, "blpop k 0");
    drop(gone);
    eventually(&"1".to_owned(), || {
        field(&writer.bulk("info clients"), "blocked_clients")
    });
    assert_eq!(writer.ask("rpush k 1"), ":1");
    next.expect(&popped("k", "1"));
    // Nor one that is killed.
    let id = next.ask("client id").replace(':', "");
    block(&daemon, &mut next, "blpop k 0");
    assert_eq!(writer.ask(&format!("client kill id {id}")), ":1");
    assert_eq!(next.rest(), "");
    eventually(&"0".to_owned(), || {
        field(&writer.bulk("info clients"), "blocked_clients")
    });
    writer.send("rpush k 1\r\nllen k\r\n");
    writer.expect(":1\r\n:1\r\n");
}

#[test]
fn requests_behind_a_wait_come_after_it() {
    let daemon = Daemon::start(&[]);
    let (mut writer, mut client) = (daemon.connect(), daemon.connect());
    block(&daemon, &mut client, "set a 1\r\nblpop k 0\r\nget a");
    client.send("rpush l x\r\nllen l\r\n");
    client.expect("+OK\r\n");
    assert_eq!(writer.ask("set a 2"), "+OK");
    assert_eq!(writer.ask("rpush k 1"), ":1");
    client.expect(&popped("k", "1"));
    client.expect("$1\r\n2\r\n:1\r\n:1\r\n");
    // Replies keep the protocol of their connection.
    client.send("hello 3\r\n");
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != "modules") {
        lines.push(client.line());
    }
    client.expect("*0\r\n");
    client.send("blpop k 0.01\r\n");
    client.expect("_\r\n");
}

#[test]
fn a_wait_that_needs_the_disk_keeps_its_place() {
    let mut daemon = Daemon::start(&["--appendfsync", "always"]);
    let mut writer = daemon.connect();
    assert_eq!(writer.ask("rpush target old"), ":1");
    assert_eq!(writer.ask("save"), "+OK");
    daemon.kill_and_restart();
    // The target is cold now, and nobody has read it.
    let mut writer = daemon.connect();
    let (mut mover, mut popper) = (daemon.connect(), daemon.connect());
    block(&daemon, &mut mover, "blmove k target left right 0");
    block(&daemon, &mut popper, "blpop k 0");
    assert_eq!(writer.ask("rpush k first second"), ":2");
    mover.expect("$5\r\nfirst\r\n");
    popper.expect(&popped("k", "second"));
    writer.send("lrange target 0 -1\r\nexists k\r\n");
    writer.expect("*2\r\n$3\r\nold\r\n$5\r\nfirst\r\n:0\r\n");
    // All of it is in the log.
    daemon.kill_and_restart();
    let mut writer = daemon.connect();
    writer.send("lrange target 0 -1\r\nexists k\r\n");
    writer.expect("*2\r\n$3\r\nold\r\n$5\r\nfirst\r\n:0\r\n");
}

#[test]
fn many_writers_and_waiters_lose_nothing() {
    const PAIRS: usize = 8;
    const ELEMENTS: usize = 400;
    let daemon = Daemon::start(&[]);
    let poppers: Vec<_> = (0..PAIRS)
        .map(|number| {
            let mut client = daemon.client();
            std::thread::spawn(move || {
                let order = if number % 2 == 0 {
                    ["a", "b"]
                } else {
                    ["b", "a"]
                };
                let mut elements = Vec::new();
                for _ in 0..ELEMENTS {
                    let (_, element): (String, usize) = redis::cmd("blpop")
                        .arg(&order)
                        .arg(0)
                        .query(&mut client)
                        .unwrap();
                    elements.push(element);
                }
                elements
            })
        })
        .collect();
    let pushers: Vec<_> = (0..PAIRS)
        .map(|pusher| {
            let mut client = daemon.client();
            std::thread::spawn(move || {
                for number in 0..ELEMENTS {
                    let key = if number % 3 == 0 { "a" } else { "b" };
                    let element = pusher * ELEMENTS + number;
                    let _: usize = redis::cmd("rpush")
                        .arg(key)
                        .arg(element)
                        .query(&mut client)
                        .unwrap();
                }
            })
        })
        .collect();
    pushers.into_iter().for_each(|it| it.join().unwrap());
    let mut elements: Vec<usize> = poppers
        .into_iter()
        .flat_map(|it| it.join().unwrap())
        .collect();
    elements.sort_unstable();
    assert_eq!(elements, (0..PAIRS * ELEMENTS).collect::<Vec<_>>());
    let mut client = daemon.connect();
    client.send("exists a b\r\n");
    client.expect(":0\r\n");
}
