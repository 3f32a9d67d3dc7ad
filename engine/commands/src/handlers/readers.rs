//! Commands that reply to what one key holds, and do nothing else.
//!
//! Owns those that are asked most. They have a short road past the lists of an access: what
//! they reply follows from the entry alone, so it does not matter how it was found.
//! INVARIANT: an error is found before anything is written.

use super::expiry::{left_ms, seconds};
use super::hashes::reply_value;
use crate::context::{Look, Reader};
use crate::error::CommandError;
use crate::reply::ReplyBuffer;
use thermocline_types::{HashRef, SetRef, SortedSetRef};

/// Those that have a short road.
pub(crate) const READERS: &[(&str, Reader)] = &[
    ("exists", EXISTS),
    ("get", GET),
    ("hexists", HEXISTS),
    ("hget", HGET),
    ("hlen", HLEN),
    ("hmget", HMGET),
    ("llen", LLEN),
    ("pttl", PTTL),
    ("scard", SCARD),
    ("sismember", SISMEMBER),
    ("smismember", SMISMEMBER),
    ("strlen", STRLEN),
    ("ttl", TTL),
    ("type", TYPE),
    ("xlen", XLEN),
    ("zcard", ZCARD),
    ("zmscore", ZMSCORE),
    ("zscore", ZSCORE),
];

type Shown = Result<(), CommandError>;

/// Of one key; of several it is in `keys`.
const EXISTS: Reader = Reader::glance(2, |look, reply| {
    reply.integer(look.entry.is_some().into());
    Ok(())
});

pub(super) const TTL: Reader = Reader::glance(2, |look, reply| {
    reply.integer(left(look, seconds));
    Ok(())
});

pub(super) const PTTL: Reader = Reader::glance(2, |look, reply| {
    reply.integer(left(look, |left_ms| left_ms));
    Ok(())
});

fn left(look: &Look<'_>, unit: fn(i64) -> i64) -> i64 {
    match look.entry.map(|entry| entry.expiry) {
        None => -2,
        Some(None) => -1,
        Some(Some(expiry)) => unit(left_ms(expiry.0, look.now.0)),
    }
}

pub(super) const TYPE: Reader = Reader::glance(2, |look, reply| {
    let kind = look.entry.map(|entry| entry.value.kind());
    reply.simple(kind.map_or("none", |kind| kind.name()));
    Ok(())
});

pub(super) const GET: Reader = Reader::usage(2, |look, reply| {
    match look.entry.map(|entry| entry.value.string()).transpose()? {
        Some(string) => reply.bulk(string),
        None => reply.null(),
    }
    Ok(())
});

pub(super) const STRLEN: Reader = Reader::usage(2, |look, reply| {
    let string = look.entry.map(|entry| entry.value.string()).transpose()?;
    length(reply, string.map(<[u8]>::len))
});

pub(super) const LLEN: Reader = Reader::usage(2, |look, reply| {
    let list = look.entry.map(|entry| entry.value.list()).transpose()?;
    length(reply, list.map(|list| list.len()))
});

pub(super) const SCARD: Reader = Reader::usage(2, |look, reply| {
    length(reply, set(look)?.map(|set| set.len()))
});

pub(super) const ZCARD: Reader = Reader::usage(2, |look, reply| {
    length(reply, sorted_set(look)?.map(|set| set.len()))
});

/// Counts the expired fields that are still there, as Valkey does: the count
/// costs the same however many fields there are.
pub(super) const HLEN: Reader = Reader::usage(2, |look, reply| {
    length(reply, hash(look)?.map(|hash| hash.len()))
});

pub(super) const XLEN: Reader = Reader::usage(2, |look, reply| {
    let stream = look.entry.map(|entry| entry.value.stream()).transpose()?;
    length(reply, stream.map(|stream| stream.len() as usize))
});

fn length(reply: &mut ReplyBuffer, length: Option<usize>) -> Shown {
    reply.integer(length.unwrap_or(0) as i64);
    Ok(())
}

pub(super) const SISMEMBER: Reader = Reader::usage(3, |look, reply| {
    let found = set(look)?.is_some_and(|set| set.contains(look.arguments[2]));
    reply.integer(found.into());
    Ok(())
});

pub(super) const SMISMEMBER: Reader = Reader::usage(usize::MAX, |look, reply| {
    let (set, members) = (set(look)?, &look.arguments[2..]);
    reply.array(members.len());
    for member in members {
        let found = set.is_some_and(|set| set.contains(member));
        reply.integer(found.into());
    }
    Ok(())
});

pub(super) const ZSCORE: Reader = Reader::usage(3, |look, reply| {
    score(reply, sorted_set(look)?, look.arguments[2]);
    Ok(())
});

pub(super) const ZMSCORE: Reader = Reader::usage(usize::MAX, |look, reply| {
    let (set, members) = (sorted_set(look)?, &look.arguments[2..]);
    reply.array(members.len());
    for member in members {
        score(reply, set, member);
    }
    Ok(())
});

fn score(reply: &mut ReplyBuffer, set: Option<SortedSetRef<'_>>, member: &[u8]) {
    match set.and_then(|set| set.score(member)) {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

pub(super) const HGET: Reader = Reader::usage(3, |look, reply| {
    reply_value(reply, hash(look)?, look.arguments[2], look.now);
    Ok(())
});

pub(super) const HMGET: Reader = Reader::usage(usize::MAX, |look, reply| {
    let (hash, fields) = (hash(look)?, &look.arguments[2..]);
    reply.array(fields.len());
    for field in fields {
        reply_value(reply, hash, field, look.now);
    }
    Ok(())
});

pub(super) const HEXISTS: Reader = Reader::usage(3, |look, reply| {
    let found = hash(look)?.is_some_and(|hash| hash.contains(look.arguments[2], look.now));
    reply.integer(found.into());
    Ok(())
});

fn set<'a>(look: &Look<'a>) -> Result<Option<SetRef<'a>>, CommandError> {
    Ok(look.entry.map(|entry| entry.value.set()).transpose()?)
}

fn sorted_set<'a>(look: &Look<'a>) -> Result<Option<SortedSetRef<'a>>, CommandError> {
    let value = look.entry.map(|entry| entry.value.sorted_set());
    Ok(value.transpose()?)
}

fn hash<'a>(look: &Look<'a>) -> Result<Option<HashRef<'a>>, CommandError> {
    Ok(look.entry.map(|entry| entry.value.hash()).transpose()?)
}
