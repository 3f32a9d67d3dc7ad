//! What one reply cannot show: whole scans, random choices, payloads of one
//! server read by the other, expiries that pass, clients that wait and clients that are told.
//!
//! Owns these operations, each of several commands. Runs on a session outside
//! of a transaction.

mod draws;
mod sessions;
mod told;
mod waiting;

use super::DifferentialError;
use super::generator::Generator;
use super::pair::{Pair, Session};
use super::resp::{Command, Reply, command};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long until something that expires is gone for sure.
const EXPIRY_WAIT: Duration = Duration::from_millis(120);
/// How long Valkey may take until it has deleted expired fields.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs one of the operations.
pub(super) fn run(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    match generator.random().below(70) {
        0..=4 => scan_keys(generator, pair, session),
        5..=9 => scan_hash(generator, pair, session),
        10..=13 => scan_members(generator, pair, session),
        14..=16 => draws::random_key(pair, session),
        17..=20 => draws::random_fields(generator, pair, session),
        21..=24 => draws::random_members(generator, pair, session),
        25..=26 => draws::pop_the_only_member(generator, pair, session),
        27..=29 => sessions::publish(generator, pair, session),
        30..=39 => sessions::watch(generator, pair),
        40..=43 => told::events(generator, pair),
        44..=47 => told::invalidations(generator, pair),
        48..=49 => told::requests(generator, pair),
        50..=55 => waiting::wait(generator, pair),
        56..=59 => sort_what_has_an_order(generator, pair, session),
        60..=65 => exchange_payloads(generator, pair, session),
        66..=68 if generator.changes_limits() => convert_integers(generator, pair, session),
        _ => let_expire(generator, pair, session),
    }
}

/// A scan to its end on each side has found the same.
fn scan_keys(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let mut options = Vec::new();
    if generator.random().chance(2) {
        options.extend([b"MATCH".to_vec(), generator.word("glob")]);
    }
    if generator.random().chance(3) {
        options.extend(command(&["TYPE", "hash"]));
    }
    let count = 100 + generator.random().below(1000);
    options.extend(command(&["COUNT", &count.to_string()]));
    scan(pair, session, &command(&["SCAN"]), &options, 1)
}

fn scan_hash(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let slot = if generator.random().chance(2) {
        "hash"
    } else {
        "bighash"
    };
    let start = vec![b"HSCAN".to_vec(), generator.word(slot)];
    let mut options = Vec::new();
    if generator.random().chance(2) {
        options.extend([b"MATCH".to_vec(), generator.word("glob")]);
    }
    let names_only = generator.random().chance(2);
    if names_only {
        options.extend(command(&["NOVALUES"]));
    }
    let count = 1 + generator.random().below(50);
    options.extend(command(&["COUNT", &count.to_string()]));
    scan(
        pair,
        session,
        &start,
        &options,
        if names_only { 1 } else { 2 },
    )
}

/// SSCAN and ZSCAN; scores are not asked for where their text depends on the form.
fn scan_members(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let (name, slot) = [
        ("SSCAN", "set"),
        ("SSCAN", "bigset"),
        ("ZSCAN", "zset"),
        ("ZSCAN", "bigzset"),
    ][generator.random().below(4) as usize];
    let start = vec![name.as_bytes().to_vec(), generator.word(slot)];
    let mut options = Vec::new();
    if generator.random().chance(2) {
        options.extend([b"MATCH".to_vec(), generator.word("glob")]);
    }
    let count = 1 + generator.random().below(50);
    options.extend(command(&["COUNT", &count.to_string()]));
    let names_only = name == "SSCAN" || generator.random().chance(2);
    if name == "ZSCAN" && names_only {
        options.extend(command(&["NOSCORES"]));
    }
    let each = if names_only { 1 } else { 2 };
    scan(pair, session, &start, &options, each)
}

/// Sets of integers outgrow a small limit. Sets made of others do not meanwhile: which form
/// these take depends on the order in Valkey's hash tables.
fn convert_integers(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let key = generator.word("intset");
    let mut commands = vec![command(&["CONFIG", "SET", "set-max-intset-entries", "4"])];
    for _ in 0..1 + generator.random().below(4) {
        let mut add = vec![b"SADD".to_vec(), key.clone()];
        let slot = if generator.random().chance(6) {
            "member"
        } else {
            "number"
        };
        add.extend((0..1 + generator.random().below(4)).map(|_| generator.word(slot)));
        let encoding = [b"OBJECT".to_vec(), b"ENCODING".to_vec(), key.clone()];
        commands.extend([add, encoding.to_vec()]);
    }
    commands.push(vec![b"SMEMBERS".to_vec(), key.clone()]);
    if generator.random().chance(3) {
        commands.push(vec![b"DEL".to_vec(), key]);
    }
    commands.push(command(&["CONFIG", "SET", "set-max-intset-entries", "512"]));
    pair.exchange(session, &commands).map(|_| ())
}

/// SORT of a list or a sorted set, which have an order without it: of a copy, since Valkey
/// changes the form of the sorted set that it sorts.
fn sort_what_has_an_order(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let (copied, stored) = (b"z:sorted".to_vec(), b"q:sorted".to_vec());
    let slots = ["zset", "geo", "bigzset", "list", "biglist"];
    let slot = slots[generator.random().below(slots.len() as u64) as usize];
    let source = generator.word(slot);
    let kind = vec![b"TYPE".to_vec(), source.clone()];
    let copy = vec![
        b"COPY".to_vec(),
        source,
        copied.clone(),
        b"REPLACE".to_vec(),
    ];
    let options: &[&[&str]] = &[
        &["ALPHA"],
        &["ALPHA", "DESC", "LIMIT", "1", "5"],
        &["BY", "nosort"],
        &["BY", "nosort", "DESC", "LIMIT", "0", "3"],
        &["ALPHA", "GET", "#", "GET", "s:*", "GET", "nosuch"],
        &["LIMIT", "0", "2"],
    ];
    let name = ["SORT", "SORT_RO"][generator.random().below(2) as usize];
    let chosen = options[generator.random().below(options.len() as u64) as usize];
    let mut sort = vec![name.as_bytes().to_vec(), copied.clone()];
    sort.extend(command(chosen));
    let mut store = sort.clone();
    store.extend([b"STORE".to_vec(), stored.clone()]);
    let read = vec![
        b"LRANGE".to_vec(),
        stored.clone(),
        b"0".to_vec(),
        b"-1".to_vec(),
    ];
    // What came there under another name may be a set, whose order is nobody's.
    let kinds = pair.ask(session, &kind)?;
    let has_order = |kind: &Vec<u8>| [&b"+zset\r\n"[..], b"+list\r\n"].contains(&&**kind);
    if !kinds.iter().all(has_order) {
        return Ok(());
    }
    let delete = vec![b"DEL".to_vec(), copied, stored];
    pair.exchange(session, &[copy, sort, store, read, delete])
        .map(|_| ())
}

fn scan(
    pair: &mut Pair,
    session: &mut Session,
    start: &Command,
    options: &[Vec<u8>],
    each: usize,
) -> Result<(), DifferentialError> {
    let step = |cursor: &[u8]| {
        let mut command = start.clone();
        command.push(cursor.to_vec());
        command.extend_from_slice(options);
        command
    };
    let mut cursors = [b"0".to_vec(), b"0".to_vec()];
    let mut found: [BTreeSet<Vec<Reply>>; 2] = Default::default();
    let mut first = true;
    while first || cursors.iter().any(|cursor| cursor != b"0") {
        // The side that is through asks again from the start, which adds nothing.
        let commands = [step(&cursors[0]), step(&cursors[1])];
        let replies = pair.ask_each(session, [&commands[0], &commands[1]])?;
        for (side, raw) in replies.iter().enumerate() {
            let done = !first && cursors[side] == b"0";
            match Reply::parse(raw).as_ref().map(Reply::elements) {
                Some([cursor, elements]) if !done => {
                    cursors[side] = cursor.bytes().to_vec();
                    found[side].extend(elements.elements().chunks(each).map(<[Reply]>::to_vec));
                }
                Some([_, _]) => {}
                // An error, of a wrong type, is the same on both.
                _ if replies[0] == replies[1] => return Ok(()),
                _ => return Err(disagree(pair, "SCAN", &commands[0], &replies)),
            }
        }
        first = false;
    }
    if found[0] != found[1] {
        let difference: Vec<_> = found[0].symmetric_difference(&found[1]).take(5).collect();
        let what = format!("a scan found different elements: {difference:?}");
        let sides = found.map(|side| format!("{} elements", side.len()).into_bytes());
        return Err(disagree(pair, &what, &step(b"0"), &sides));
    }
    Ok(())
}

fn disagree(
    pair: &mut Pair,
    what: &str,
    command: &Command,
    [valkey, thermocline]: &[Vec<u8>; 2],
) -> DifferentialError {
    pair.difference(what, command, valkey, thermocline)
}

/// Each side restores what the other dumped; the next comparison of all keys
/// looks at the result.
fn exchange_payloads(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let (slot, read) = [
        ("str", &["GET"][..]),
        ("bigstr", &["GET"]),
        ("hash", &["HGETALL"]),
        ("bighash", &["HGETALL"]),
        ("list", &["LRANGE", "0", "-1"]),
        ("biglist", &["LRANGE", "0", "-1"]),
        ("set", &["SMEMBERS"]),
        ("bigset", &["SMEMBERS"]),
        ("zset", &["ZRANGE", "0", "-1", "WITHSCORES"]),
        ("bigzset", &["ZRANGE", "0", "-1", "WITHSCORES"]),
        ("stream", &["XINFO", "STREAM"]),
        ("hll", &["GET"]),
        ("geo", &["ZRANGE", "0", "-1", "WITHSCORES"]),
    ][generator.random().below(13) as usize];
    let key = generator.word(slot);
    let mut target = generator.word("key");
    target.extend_from_slice(b":restored");
    let dump = vec![b"DUMP".to_vec(), key.clone()];
    let payloads = pair.ask(session, &dump)?;
    let parsed = [Reply::parse(&payloads[0]), Reply::parse(&payloads[1])];
    let [Some(Reply::Bulk(valkey)), Some(Reply::Bulk(thermocline))] = parsed else {
        if payloads[0] == payloads[1] {
            return Ok(());
        }
        return Err(disagree(pair, "DUMP", &dump, &payloads));
    };
    let restore = |payload: Vec<u8>| {
        let start = [b"RESTORE".to_vec(), target.clone(), b"0".to_vec(), payload];
        let mut command = start.to_vec();
        command.push(b"REPLACE".to_vec());
        command
    };
    let commands = [restore(thermocline), restore(valkey)];
    let replies = pair.ask_each(session, [&commands[0], &commands[1]])?;
    if replies[0] != replies[1] {
        return Err(disagree(
            pair,
            "RESTORE of the other's DUMP",
            &dump,
            &replies,
        ));
    }
    // A small value may be kept in another form than the one it came in.
    let line = if slot == "stream" {
        let mut line = command(&["XINFO", "STREAM"]);
        line.push(target);
        line.extend(command(&["FULL", "COUNT", "0"]));
        line
    } else {
        let mut line = vec![read[0].as_bytes().to_vec(), target];
        line.extend(command(&read[1..]));
        line
    };
    pair.exchange(session, &[line]).map(|_| ())
}

/// A key and fields that expire are gone for every command.
fn let_expire(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let (string, hash) = (b"s:expires".to_vec(), b"h:expires".to_vec());
    let on = |name: &str, key: &[u8], words: &[&str]| {
        let mut line = vec![name.as_bytes().to_vec(), key.to_vec()];
        line.extend(command(words));
        line
    };
    let in_hash = |name: &str, words: &[&str]| on(name, &hash, words);
    let all = generator.random().chance(3);
    let fields: &[&str] = if all {
        &["FIELDS", "3", "a", "b", "c"]
    } else {
        &["FIELDS", "2", "a", "b"]
    };
    pair.exchange(
        session,
        &[
            on("SET", &string, &["v", "PX", "60"]),
            in_hash("HSET", &["a", "1", "b", "2", "c", "3"]),
            in_hash("HPEXPIRE", &[&["60"], fields].concat()),
        ],
    )?;
    std::thread::sleep(EXPIRY_WAIT);
    pair.exchange(
        session,
        &[
            in_hash("HGETALL", &[]),
            in_hash("HKEYS", &[]),
            in_hash("HMGET", &["a", "b", "c"]),
            in_hash("HEXISTS", &["a"]),
            in_hash("HSTRLEN", &["b"]),
            in_hash("HRANDFIELD", &["-3"]),
            in_hash("HPTTL", &["FIELDS", "2", "a", "c"]),
            on("GET", &string, &[]),
            on("EXISTS", &string, &[]),
        ],
    )?;
    let writes: [&[Command]; 6] = [
        &[
            in_hash("HSETNX", &["a", "9"]),
            in_hash("HTTL", &["FIELDS", "1", "a"]),
        ],
        &[
            in_hash("HINCRBY", &["b", "5"]),
            in_hash("HTTL", &["FIELDS", "1", "b"]),
        ],
        &[in_hash("HSETEX", &["KEEPTTL", "FIELDS", "1", "a", "8"])],
        &[in_hash("HSETEX", &["FXX", "FIELDS", "1", "a", "8"])],
        &[in_hash("HEXPIRE", &["99999999", "FIELDS", "1", "a"])],
        &[in_hash("HGETEX", &["PERSIST", "FIELDS", "2", "a", "b"])],
    ];
    let chosen = generator.random().below(writes.len() as u64) as usize;
    pair.exchange(session, writes[chosen])?;
    // A write that names them deletes expired fields here; Valkey counts them
    // until it comes by.
    pair.exchange(session, &[in_hash("HDEL", &["a", "b", "c", "d"])])?;
    let exists = in_hash("EXISTS", &[]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let replies = pair.ask(session, &exists)?;
        if replies.iter().all(|reply| reply == b":0\r\n") {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(disagree(pair, "expired fields stay", &exists, &replies));
        }
        std::thread::sleep(EXPIRY_WAIT / 4);
    }
}
