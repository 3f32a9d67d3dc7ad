//! What one reply cannot show: whole scans, random choices, payloads of one
//! server read by the other, and expiries that pass.
//!
//! Owns these operations, each of several commands. Runs on a session outside
//! of a transaction.

mod sessions;

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
    match generator.random().below(50) {
        40..=49 => sessions::watch(generator, pair),
        37..=39 if generator.changes_limits() => convert_integers(generator, pair, session),
        34..=36 => sessions::publish(generator, pair, session),
        0..=4 => scan_keys(generator, pair, session),
        5..=9 => scan_hash(generator, pair, session),
        24..=27 => scan_members(generator, pair, session),
        28..=31 => random_members(generator, pair, session),
        32..=33 => pop_the_only_member(generator, pair, session),
        10..=12 => random_key(pair, session),
        13..=16 => random_fields(generator, pair, session),
        17..=22 => exchange_payloads(generator, pair, session),
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

/// Random members of Thermocline are members of Valkey.
fn random_members(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let (name, slot, has) = [
        ("SRANDMEMBER", "set", "SMISMEMBER"),
        ("SRANDMEMBER", "bigset", "SMISMEMBER"),
        ("ZRANDMEMBER", "zset", "ZMSCORE"),
        ("ZRANDMEMBER", "bigzset", "ZMSCORE"),
    ][generator.random().below(4) as usize];
    let key = generator.word(slot);
    let count = (generator.random().below(60) as i64 - 20).to_string();
    let mut asked = vec![name.as_bytes().to_vec(), key.clone()];
    asked.extend(command(&[&count]));
    let replies = pair.ask(session, &asked)?;
    let parsed = [Reply::parse(&replies[0]), Reply::parse(&replies[1])];
    let [Some(one), Some(other)] = parsed else {
        return Err(disagree(pair, name, &asked, &replies));
    };
    let found = other.elements();
    if one.elements().len() != found.len() || one.is_error() && one != other {
        return Err(disagree(pair, name, &asked, &replies));
    }
    let different: BTreeSet<_> = found.iter().collect();
    if !count.starts_with('-') && different.len() != found.len() {
        return Err(disagree(pair, "a member is repeated", &asked, &replies));
    }
    if found.is_empty() {
        return Ok(());
    }
    // Both sides answer alike, and no answer is "no".
    let mut question = vec![has.as_bytes().to_vec(), key];
    question.extend(found.iter().map(|member| member.bytes().to_vec()));
    let answers = pair.ask(session, &question)?;
    let absent = |raw: &Vec<u8>| {
        let parsed = Reply::parse(raw);
        let answers = parsed.as_ref().map(Reply::elements).unwrap_or_default();
        answers.len() != found.len()
            || answers
                .iter()
                .any(|one| matches!(one, Reply::Line(line) if line == b":0\r\n" || line == b"_\r\n" || line == b"$-1\r\n"))
    };
    if answers[0] != answers[1] || answers.iter().any(absent) {
        return Err(disagree(pair, "a member is made up", &question, &answers));
    }
    Ok(())
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

/// What SPOP takes is for the server to choose, unless there is only one.
fn pop_the_only_member(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let key = b"t:one".to_vec();
    let on = |name: &str, words: &[Vec<u8>]| {
        let mut line = vec![name.as_bytes().to_vec(), key.clone()];
        line.extend_from_slice(words);
        line
    };
    let count = if generator.random().chance(2) {
        vec![b"1".to_vec()]
    } else {
        Vec::new()
    };
    let member = generator.word("member");
    pair.exchange(
        session,
        &[
            on("DEL", &[]),
            on("SADD", &[member]),
            on("SPOP", &count),
            on("EXISTS", &[]),
        ],
    )
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

/// A random key of one side is a key of both, of the same type.
fn random_key(pair: &mut Pair, session: &mut Session) -> Result<(), DifferentialError> {
    let asked = command(&["RANDOMKEY"]);
    let replies = pair.ask(session, &asked)?;
    let parsed = [Reply::parse(&replies[0]), Reply::parse(&replies[1])];
    match parsed {
        [Some(Reply::Bulk(one)), Some(Reply::Bulk(other))] => {
            for key in [one, other] {
                let key = vec![b"EXISTS".to_vec(), key];
                let exists = pair.ask(session, &key)?;
                if exists.iter().any(|reply| reply != b":1\r\n") {
                    return Err(disagree(pair, "a random key is none", &key, &exists));
                }
            }
            Ok(())
        }
        [one, other] if one == other => Ok(()),
        _ => Err(disagree(pair, "RANDOMKEY", &asked, &replies)),
    }
}

/// Random fields of Thermocline, with their values, are fields of Valkey.
fn random_fields(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let slot = if generator.random().chance(2) {
        "hash"
    } else {
        "bighash"
    };
    let key = generator.word(slot);
    let count = (generator.random().below(60) as i64 - 20).to_string();
    let mut asked = vec![b"HRANDFIELD".to_vec(), key.clone()];
    asked.extend(command(&[&count, "WITHVALUES"]));
    let replies = pair.ask(session, &asked)?;
    let parsed = [Reply::parse(&replies[0]), Reply::parse(&replies[1])];
    let [Some(one), Some(other)] = parsed else {
        return Err(disagree(pair, "HRANDFIELD", &asked, &replies));
    };
    let (ones, others) = (flat(&one), flat(&other));
    if ones.len() != others.len() || one.is_error() && one != other {
        return Err(disagree(pair, "HRANDFIELD", &asked, &replies));
    }
    let fields: BTreeSet<_> = others.iter().step_by(2).collect();
    if !count.starts_with('-') && fields.len() * 2 != others.len() {
        return Err(disagree(
            pair,
            "HRANDFIELD repeats a field",
            &asked,
            &replies,
        ));
    }
    for pair_of in others.chunks(2) {
        let [field, value] = pair_of else { continue };
        let get = vec![b"HGET".to_vec(), key.clone(), field.bytes().to_vec()];
        let [valkey, _] = pair.ask(session, &get)?;
        if Reply::parse(&valkey).as_ref() != Some(value) {
            return Err(disagree(
                pair,
                "HRANDFIELD made a field up",
                &asked,
                &replies,
            ));
        }
    }
    Ok(())
}

/// The elements, and those of inner pairs in RESP3, in one list.
fn flat(reply: &Reply) -> Vec<Reply> {
    let elements = reply.elements().iter();
    let inner = elements.flat_map(|element| match element {
        Reply::Aggregate(_, inner) => inner.clone(),
        other => vec![other.clone()],
    });
    inner.collect()
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
