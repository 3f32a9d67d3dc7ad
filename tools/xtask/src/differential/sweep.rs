//! Compares the key spaces whole: every key of every database, its value, its
//! encoding and its expire times.
//!
//! Owns a connection of its own, so that no transaction is in the way.

use super::DifferentialError;
use super::pair::{Pair, Session};
use super::resp::{Command, Reply, command};
use std::collections::BTreeSet;

/// Databases of a server.
const DATABASES: usize = 16;
/// Keys looked at with one write.
const CHUNK_KEYS: usize = 32;
/// Bytes of requests after which replies are awaited.
const CHUNK_BYTES: usize = 32 * 1024;
/// The number told for its connection.
pub(super) const CONNECTION: usize = 99;

type Keys = BTreeSet<Vec<u8>>;

/// Compares everything; how many keys there are.
pub(super) fn run(pair: &mut Pair) -> Result<usize, DifferentialError> {
    let mut session = pair.session(CONNECTION)?;
    let mut count = 0;
    for database in 0..DATABASES {
        let select = command(&["SELECT", &database.to_string()]);
        pair.exchange(&mut session, &[select])?;
        let keys = keys(pair, &mut session, database)?;
        count += keys.len();
        let keys: Vec<_> = keys.into_iter().collect();
        for chunk in keys.chunks(CHUNK_KEYS) {
            compare_keys(pair, &mut session, chunk)?;
        }
        pair.exchange(&mut session, &[command(&["DBSIZE"])])?;
    }
    Ok(count)
}

/// The keys of both sides, which are the same.
fn keys(
    pair: &mut Pair,
    session: &mut Session,
    database: usize,
) -> Result<Keys, DifferentialError> {
    let mut found: [Keys; 2] = Default::default();
    let mut cursors = [b"0".to_vec(), b"0".to_vec()];
    let mut done = [false, false];
    while done != [true, true] {
        let steps = [step(&cursors[0]), step(&cursors[1])];
        let replies = pair.ask_each(session, [&steps[0], &steps[1]])?;
        for (side, raw) in replies.iter().enumerate() {
            let Some(reply) = Reply::parse(raw) else {
                continue;
            };
            let [cursor, elements] = reply.elements() else {
                return Err(pair.difference("SCAN", &steps[side], &replies[0], &replies[1]));
            };
            if !done[side] {
                let names = elements.elements().iter();
                found[side].extend(names.map(|key| key.bytes().to_vec()));
                cursors[side] = cursor.bytes().to_vec();
                done[side] = cursor.bytes() == b"0";
            }
        }
    }
    let [valkey, thermocline] = found;
    if valkey == thermocline {
        return Ok(valkey);
    }
    let missing: Vec<_> = valkey.difference(&thermocline).take(5).collect();
    let extra: Vec<_> = thermocline.difference(&valkey).take(5).collect();
    let name = |keys: &[&Vec<u8>]| {
        let names = keys.iter().map(|key| key.escape_ascii().to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    let what = format!("the keys of database {database} differ");
    let one = format!("{} keys, only here: {}", valkey.len(), name(&missing));
    let other = format!("{} keys, only here: {}", thermocline.len(), name(&extra));
    let example: Command = missing.into_iter().chain(extra).cloned().collect();
    Err(pair.difference(&what, &example, one.as_bytes(), other.as_bytes()))
}

fn step(cursor: &[u8]) -> Command {
    let mut step = vec![b"SCAN".to_vec(), cursor.to_vec()];
    step.extend(command(&["COUNT", "1000"]));
    step
}

fn on(words: &[&str], key: &[u8]) -> Command {
    let mut line = command(words);
    line.push(key.to_vec());
    line
}

/// Compares what a few keys are, then all they hold: each with one write.
fn compare_keys(
    pair: &mut Pair,
    session: &mut Session,
    keys: &[Vec<u8>],
) -> Result<(), DifferentialError> {
    let about = keys.iter().flat_map(|key| {
        [
            on(&["TYPE"], key),
            on(&["PTTL"], key),
            on(&["OBJECT", "ENCODING"], key),
        ]
    });
    let about = pair.exchange(session, &about.collect::<Vec<_>>())?;
    let types = about.chunks(3).map(|of_key| of_key[0].as_slice());
    let reads = keys.iter().zip(types);
    let reads = reads.flat_map(|(key, kind)| reads_of(kind, key));
    let (mut batch, mut batch_bytes, mut times) = (Vec::new(), 0, Vec::new());
    for read in reads {
        batch_bytes += read.iter().map(Vec::len).sum::<usize>();
        batch.push(read);
        if batch_bytes > CHUNK_BYTES {
            times.extend(read_all(pair, session, &std::mem::take(&mut batch))?);
            batch_bytes = 0;
        }
    }
    times.extend(read_all(pair, session, &batch)?);
    for times in times {
        pair.exchange(session, &[times])?;
    }
    Ok(())
}

/// Compares what the commands read; those that read the expire times of the fields of the
/// hashes among it.
fn read_all(
    pair: &mut Pair,
    session: &mut Session,
    reads: &[Command],
) -> Result<Vec<Command>, DifferentialError> {
    if reads.is_empty() {
        return Ok(Vec::new());
    }
    let replies = pair.exchange(session, reads)?;
    let hashes = reads.iter().zip(&replies);
    let hashes = hashes.filter(|(read, _)| read[0] == b"HGETALL");
    let times = hashes.filter_map(|(read, fields)| times_of(&read[1], fields));
    Ok(times.collect())
}

/// The commands that read a key of this type whole.
fn reads_of(kind: &[u8], key: &[u8]) -> Vec<Command> {
    let reads: &[(&[&str], &[&str])] = match kind {
        b"+hash\r\n" => &[(&["HGETALL"], &[]), (&["HLEN"], &[])],
        b"+list\r\n" => &[(&["LRANGE"], &["0", "-1"]), (&["LLEN"], &[])],
        b"+set\r\n" => &[(&["SMEMBERS"], &[]), (&["SCARD"], &[])],
        b"+zset\r\n" => &[
            (&["ZRANGEBYSCORE"], &["-inf", "+inf", "WITHSCORES"]),
            (&["ZCARD"], &[]),
        ],
        b"+stream\r\n" => &[(&["XINFO", "STREAM"], &["FULL", "COUNT", "0"])],
        _ => &[(&["GET"], &[])],
    };
    let read = |(before, after): &(&[&str], &[&str])| {
        let mut read = on(before, key);
        read.extend(command(after));
        read
    };
    reads.iter().map(read).collect()
}

/// The command that reads the expire times of a hash's fields, if it has any. `fields` is
/// the reply to HGETALL.
fn times_of(key: &[u8], fields: &[u8]) -> Option<Command> {
    let fields = Reply::parse(fields)?;
    let fields: Vec<_> = fields.elements().iter().step_by(2).collect();
    if fields.is_empty() {
        return None;
    }
    let mut times = on(&["HPEXPIRETIME"], key);
    times.extend(command(&["FIELDS", &fields.len().to_string()]));
    times.extend(fields.iter().map(|field| field.bytes().to_vec()));
    Some(times)
}
