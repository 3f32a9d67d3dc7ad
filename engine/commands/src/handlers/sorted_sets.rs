//! The commands on sorted sets: what each name runs, and what they share.
//!
//! Owns how a sorted set is found (for the commands on positions too), how its entries are replied and how a result is
//! stored. Does not own the sorted set itself. Handlers run under the locks of the
//! access, on any thread.
//!
//! Use order: the files of handlers use this one.

mod algebra;
mod blocking;
mod pop;
mod range;
mod read;
mod write;

use super::readers;
use crate::context::{Context, Failure, Handler};
use crate::reply::{ReplyBuffer, Version};
use thermocline_store::{Access, EventClass, KeyId, Settings};
use thermocline_types::sorted_set::Entry;
use thermocline_types::{SortedSetRef, Update};
pub(super) use write::{Options, add_entries};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("bzmpop", blocking::bzmpop),
    ("bzpopmax", blocking::bzpopmax),
    ("bzpopmin", blocking::bzpopmin),
    ("zadd", write::zadd),
    ("zcard", |context| context.read(readers::ZCARD)),
    ("zcount", read::zcount),
    ("zdiff", algebra::zdiff),
    ("zdiffstore", algebra::zdiffstore),
    ("zincrby", write::zincrby),
    ("zinter", algebra::zinter),
    ("zintercard", algebra::zintercard),
    ("zinterstore", algebra::zinterstore),
    ("zlexcount", read::zlexcount),
    ("zmpop", pop::zmpop),
    ("zmscore", |context| context.read(readers::ZMSCORE)),
    ("zpopmax", pop::zpopmax),
    ("zpopmin", pop::zpopmin),
    ("zrandmember", read::zrandmember),
    ("zrange", range::zrange),
    ("zrangebylex", range::zrangebylex),
    ("zrangebyscore", range::zrangebyscore),
    ("zrangestore", range::zrangestore),
    ("zrank", read::zrank),
    ("zrem", write::zrem),
    ("zremrangebylex", range::zremrangebylex),
    ("zremrangebyrank", range::zremrangebyrank),
    ("zremrangebyscore", range::zremrangebyscore),
    ("zrevrange", range::zrevrange),
    ("zrevrangebylex", range::zrevrangebylex),
    ("zrevrangebyscore", range::zrevrangebyscore),
    ("zrevrank", read::zrevrank),
    ("zscan", read::zscan),
    ("zscore", |context| context.read(readers::ZSCORE)),
    ("zunion", algebra::zunion),
    ("zunionstore", algebra::zunionstore),
];

/// An entry of one's own.
pub(super) type OwnedEntry = (f64, Vec<u8>);

/// The sorted set for a command that reads it: a use of the key.
pub(super) fn used<'a>(
    access: &'a mut Access<'_, '_>,
    key: KeyId,
) -> Result<Option<SortedSetRef<'a>>, Failure> {
    let entry = access.get(key);
    Ok(entry.map(|entry| entry.value.sorted_set()).transpose()?)
}

/// The sorted set as a write finds it, before it changes it.
fn seen<'a>(access: &'a Access<'_, '_>, key: KeyId) -> Result<Option<SortedSetRef<'a>>, Failure> {
    let entry = access.peek(key);
    Ok(entry.map(|entry| entry.value.sorted_set()).transpose()?)
}

/// An entry as one's own.
fn owned((score, member): Entry<'_>) -> OwnedEntry {
    (score, member.to_vec())
}

/// Replies members; with their scores RESP3 gets pairs, RESP2 one flat array.
fn reply_entries<'a>(
    reply: &mut ReplyBuffer,
    count: usize,
    entries: impl Iterator<Item = Entry<'a>>,
    scores: bool,
) {
    let paired = scores && reply.version() == Version::Three;
    let each = if scores && !paired { 2 } else { 1 };
    reply.array(count.saturating_mul(each));
    for (score, member) in entries {
        if paired {
            reply.array(2);
        }
        reply.bulk(member);
        if scores {
            reply.double(score);
        }
    }
}

/// Puts a result that was made in the full form in the place of what key `index` holds:
/// see [`store`].
pub(super) fn store_result(
    context: &mut Context<'_, '_, '_>,
    (index, event): (usize, &'static str),
    entries: &[OwnedEntry],
) -> Result<(), Failure> {
    let longest_bytes = entries.iter().map(|entry| entry.1.len()).max();
    let is_full = entries.len() > context.settings.zset_max_listpack_entries()
        || longest_bytes > Some(context.settings.zset_max_listpack_value());
    store(context, (index, event), is_full, entries)
}

/// Follows the form of a sorted set while members are added to it. Valkey's compact form
/// keeps whole scores as integers, so a score given to one in that form is never -0. That
/// is for the handler to see to: what an update holds must not depend on the form.
struct Growth {
    is_packed: bool,
    members: usize,
    most_members: usize,
    most_bytes: usize,
}

impl Growth {
    /// Of a sorted set before the first is added; `is_full` whatever it is.
    fn of(set: Option<SortedSetRef<'_>>, is_full: bool, settings: &Settings) -> Self {
        Self {
            is_packed: !is_full && !matches!(set, Some(SortedSetRef::Full(_))),
            members: set.map_or(0, |set| set.len()),
            most_members: settings.zset_max_listpack_entries(),
            most_bytes: settings.zset_max_listpack_value(),
        }
    }

    /// The score as it is kept.
    fn kept_score(&mut self, (score, member): Entry<'_>, is_new: bool) -> f64 {
        if is_new {
            self.is_packed &= self.members < self.most_members && member.len() <= self.most_bytes;
            self.members += 1;
        }
        if self.is_packed && score == 0.0 {
            0.0
        } else {
            score
        }
    }
}

/// Puts these entries, whose members all differ, in the place of what key `index` holds;
/// with none that key goes. `event` is what subscribers are told.
fn store(
    context: &mut Context<'_, '_, '_>,
    (index, event): (usize, &'static str),
    is_full: bool,
    entries: &[OwnedEntry],
) -> Result<(), Failure> {
    if entries.is_empty() {
        context.store_nothing(index);
    } else {
        let mut growth = Growth::of(None, is_full, context.settings);
        let kept = |(score, member): &'_ OwnedEntry| growth.kept_score((*score, member), true);
        let scores: Vec<f64> = entries.iter().map(kept).collect();
        let members = entries.iter().map(|entry| entry.1.as_slice());
        let entries = scores.into_iter().zip(members).collect();
        context.replace(index, &Update::SortedSetSet { is_full, entries })?;
        context.notify(EventClass::SortedSet, event, index);
    }
    context.reply.integer(entries.len() as i64);
    Ok(())
}

/// Takes these members out of key `index`, which holds `held` of them. `event` is what
/// subscribers are told.
fn take_out(
    context: &mut Context<'_, '_, '_>,
    (index, event): (usize, &'static str),
    members: &[OwnedEntry],
    held: usize,
) -> Result<(), Failure> {
    if members.len() == held {
        context.delete(index);
    } else {
        let members = members.iter().map(|entry| entry.1.as_slice()).collect();
        context.update(index, &Update::SortedSetRemove { members })?;
    }
    context.notify(EventClass::SortedSet, event, index);
    context.notify_if_gone(index);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    #[test]
    fn every_sorted_set_command_of_the_table_has_a_handler() {
        let names: Vec<&str> = HANDLERS.iter().map(|(name, _)| *name).collect();
        let in_table: Vec<&str> = table::all()
            .iter()
            .filter(|command| command.group == table::Group::SortedSet)
            .map(|command| command.name)
            .collect();
        assert_eq!(names, in_table);
    }
}
