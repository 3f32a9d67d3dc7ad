//! The commands on lists: what each name runs, and what they share.
//!
//! Owns how elements are replied and how indexes of a client become those of a
//! list. Does not own the list itself, nor how a client waits. Handlers run under
//! the locks of the access, on any thread.

mod blocking;
mod pop;
mod read;
mod write;

use super::readers;
use crate::context::{Context, Failure, Handler};
use crate::reply::ReplyBuffer;
use std::ops::Range;
use thermocline_store::{Access, KeyId};
use thermocline_types::{Element, ListRef, ListUpdate, Update};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("blmove", blocking::blmove),
    ("blmpop", blocking::blmpop),
    ("blpop", blocking::blpop),
    ("brpop", blocking::brpop),
    ("brpoplpush", blocking::brpoplpush),
    ("lindex", read::lindex),
    ("linsert", write::linsert),
    ("llen", |context| context.read(readers::LLEN)),
    ("lmove", pop::lmove),
    ("lmpop", pop::lmpop),
    ("lpop", pop::lpop),
    ("lpos", read::lpos),
    ("lpush", write::lpush),
    ("lpushx", write::lpushx),
    ("lrange", read::lrange),
    ("lrem", write::lrem),
    ("lset", write::lset),
    ("ltrim", write::ltrim),
    ("rpop", pop::rpop),
    ("rpoplpush", pop::rpoplpush),
    ("rpush", write::rpush),
    ("rpushx", write::rpushx),
];

/// The list for a command that reads it: a use of the key.
fn used<'a>(access: &'a mut Access<'_, '_>, key: KeyId) -> Result<Option<ListRef<'a>>, Failure> {
    let entry = access.get(key);
    Ok(entry.map(|entry| entry.value.list()).transpose()?)
}

/// The list as a write finds it, before it changes it.
fn seen<'a>(access: &'a Access<'_, '_>, key: KeyId) -> Result<Option<ListRef<'a>>, Failure> {
    let entry = access.peek(key);
    Ok(entry.map(|entry| entry.value.list()).transpose()?)
}

/// Changes the list of key number `index`.
fn change(
    context: &mut Context<'_, '_, '_>,
    index: usize,
    update: ListUpdate<'_>,
) -> Result<(), Failure> {
    context.update(index, &Update::List(update))
}

fn reply_element(reply: &mut ReplyBuffer, element: Element<'_>) {
    element.with_text(|text| reply.bulk(text));
}

/// The place of an element that a client counts from the head, or with negative
/// numbers from the tail; `None` beyond the list.
fn place(index: i64, len: usize) -> Option<usize> {
    let from_head = if index < 0 {
        i64::try_from(len).ok()?.checked_add(index)?
    } else {
        index
    };
    usize::try_from(from_head).ok().filter(|place| *place < len)
}

/// The places from `first` to `last`, both counted as in [`place`], as far as there
/// are such.
fn range(first: i64, last: i64, len: usize) -> Range<usize> {
    let end = i64::try_from(len).unwrap_or(i64::MAX);
    let from_head = |index: i64| {
        if index < 0 {
            index.saturating_add(end)
        } else {
            index
        }
    };
    let first = from_head(first).max(0);
    let stop = from_head(last).saturating_add(1).min(end);
    if first >= stop {
        return 0..0;
    }
    first as usize..stop as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    #[test]
    fn every_list_command_of_the_table_has_a_handler() {
        let names: Vec<&str> = HANDLERS.iter().map(|(name, _)| *name).collect();
        let mut in_table: Vec<&str> = table::all()
            .iter()
            .filter(|command| command.group == table::Group::List)
            .map(|command| command.name)
            .collect();
        in_table.sort_unstable();
        assert_eq!(names, in_table);
    }

    #[test]
    fn indexes_count_from_either_end() {
        for (index, expected) in [(0, Some(0)), (2, Some(2)), (3, None), (-1, Some(2))] {
            assert_eq!(place(index, 3), expected);
        }
        assert_eq!((place(-3, 3), place(-4, 3)), (Some(0), None));
        assert_eq!((place(i64::MIN, 3), place(0, 0)), (None, None));
        for (first, last, expected) in [
            (0, -1, 0..3),
            (1, 1, 1..2),
            (-2, 100, 1..3),
            (-100, 0, 0..1),
            (2, 1, 0..0),
            (3, 9, 0..0),
            (0, -4, 0..0),
            (i64::MIN, i64::MAX, 0..3),
        ] {
            assert_eq!(range(first, last, 3), expected, "{first} {last}");
        }
        assert_eq!(range(0, -1, 0), 0..0);
    }
}
