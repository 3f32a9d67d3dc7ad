//! The commands on hashes: what each name runs, and what they share.
//!
//! Owns the rule that an expired field is not there: reads pass over it, and a
//! write that names it deletes or replaces it, so that replay needs no clock.
//! Does not own the hash itself, nor when fields expire without being asked
//! for. Handlers run under the locks of the access, on any thread.
//!
//! Use order: `options` and `random` stand alone; the files of handlers use
//! them and this one.

mod expire;
mod extended;
mod options;
mod random;
mod read;
mod write;

use super::readers;
use crate::context::{Failure, Handler};
use crate::reply::ReplyBuffer;
use thermocline_base::UnixMillis;
use thermocline_store::{Access, KeyId};
use thermocline_types::HashRef;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("hdel", write::hdel),
    ("hexists", |context| context.read(readers::HEXISTS)),
    ("hexpire", expire::hexpire),
    ("hexpireat", expire::hexpireat),
    ("hexpiretime", expire::hexpiretime),
    ("hget", |context| context.read(readers::HGET)),
    ("hgetall", read::hgetall),
    ("hgetdel", write::hgetdel),
    ("hgetex", extended::hgetex),
    ("hincrby", write::hincrby),
    ("hincrbyfloat", write::hincrbyfloat),
    ("hkeys", read::hkeys),
    ("hlen", |context| context.read(readers::HLEN)),
    ("hmget", |context| context.read(readers::HMGET)),
    ("hmset", write::hmset),
    ("hpersist", expire::hpersist),
    ("hpexpire", expire::hpexpire),
    ("hpexpireat", expire::hpexpireat),
    ("hpexpiretime", expire::hpexpiretime),
    ("hpttl", expire::hpttl),
    ("hrandfield", read::hrandfield),
    ("hscan", read::hscan),
    ("hset", write::hset),
    ("hsetex", extended::hsetex),
    ("hsetnx", write::hsetnx),
    ("hstrlen", read::hstrlen),
    ("httl", expire::httl),
    ("hvals", read::hvals),
];

/// The hash for a command that reads it: a use of the key.
fn used<'a>(access: &'a mut Access<'_, '_>, key: KeyId) -> Result<Option<HashRef<'a>>, Failure> {
    let entry = access.get(key);
    Ok(entry.map(|entry| entry.value.hash()).transpose()?)
}

/// The hash as a write finds it, before it changes it.
fn seen<'a>(access: &'a Access<'_, '_>, key: KeyId) -> Result<Option<HashRef<'a>>, Failure> {
    let entry = access.peek(key);
    Ok(entry.map(|entry| entry.value.hash()).transpose()?)
}

/// Replies the value of a field, or null.
pub(super) fn reply_value(
    reply: &mut ReplyBuffer,
    hash: Option<HashRef<'_>>,
    field: &[u8],
    now: UnixMillis,
) {
    match hash.and_then(|hash| hash.get(field, now)) {
        Some((_, value, _)) => reply.bulk(value),
        None => reply.null(),
    }
}

/// For each field whether the same one stands before it in the list.
fn repeated(fields: &[&[u8]]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..fields.len()).collect();
    order.sort_by_key(|at| fields[*at]);
    let mut repeated = vec![false; fields.len()];
    for pair in order.windows(2) {
        // The sort is stable, so of equal fields the first given comes first.
        repeated[pair[1]] = fields[pair[0]] == fields[pair[1]];
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    #[test]
    fn every_hash_command_of_the_table_has_a_handler() {
        for (name, _) in HANDLERS {
            assert!(table::lookup(name.as_bytes()).is_some(), "{name}");
        }
        let names: Vec<&str> = HANDLERS.iter().map(|(name, _)| *name).collect();
        let mut in_table: Vec<&str> = table::all()
            .iter()
            .filter(|command| command.group == table::Group::Hash)
            .map(|command| command.name)
            .collect();
        in_table.sort_unstable();
        assert_eq!(names, in_table);
    }

    #[test]
    fn of_equal_fields_only_the_later_are_repeated() {
        let fields: [&[u8]; 5] = [b"b", b"a", b"b", b"b", b""];
        assert_eq!(repeated(&fields), [false, false, true, true, false]);
        assert_eq!(repeated(&[]), []);
    }
}
