//! Lists, sets, sorted sets and streams that are used as queues: each operation adds an
//! element that carries its number, or takes the first away.
//!
//! Owns their keys, their commands, and which operation a content belongs to. As no
//! element is added twice and a queue does not become empty again, a content belongs to
//! one operation only: one that was lost, done twice or undone shows. Knows no sockets;
//! pure.

use super::value;
use std::collections::VecDeque;
use thermocline_benches::client::write_request;
use thermocline_benches::reply::Reply;

/// Queues of each kind a writer has.
const QUEUES_OF_A_KIND: usize = 5;
/// All that a writer has.
pub(super) const QUEUES: usize = KINDS.len() * QUEUES_OF_A_KIND;
/// Lists, sets, sorted sets, streams.
const KINDS: [char; 4] = ['l', 't', 'z', 'x'];
/// The longest element.
const ELEMENT_BYTES: usize = 200;
/// From here on a queue may become shorter: more than there are operations in doubt at once.
const LEAST: usize = 40;
/// Where it becomes shorter; the first of each kind is one that has nodes.
const MOST: usize = 90;
const MOST_OF_LARGE: usize = 700;

/// A change of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The operation's number is added.
    Add,
    /// The first element, which is that of this operation, is taken away.
    Take(u64),
}

/// A queue through time.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// The elements where the history begins, and the last operation before.
    base: VecDeque<u64>,
    since: Option<u64>,
    /// Ascending by operation.
    changes: Vec<(u64, Change)>,
    /// After all changes.
    now: VecDeque<u64>,
}

fn apply(elements: &mut VecDeque<u64>, operation: u64, change: Change) {
    match change {
        Change::Add => elements.push_back(operation),
        Change::Take(first) => elements.retain(|element| *element != first),
    }
}

impl Queue {
    /// What to do next with queue `number`; `is_adding` where either may be.
    pub(super) fn choose(&self, number: usize, is_adding: bool) -> Change {
        let most = match number % QUEUES_OF_A_KIND {
            0 => MOST_OF_LARGE,
            _ => MOST,
        };
        match self.now.front() {
            Some(first) if self.now.len() >= LEAST && (!is_adding || self.now.len() > most) => {
                Change::Take(*first)
            }
            _ => Change::Add,
        }
    }

    /// Notes that `operation` was sent.
    pub(super) fn note(&mut self, operation: u64, change: Change) {
        self.changes.push((operation, change));
        apply(&mut self.now, operation, change);
    }

    /// Forgets an operation that was refused.
    pub(super) fn forget(&mut self, operation: u64) {
        let known = self.changes.len();
        self.changes.retain(|(number, _)| *number != operation);
        if self.changes.len() != known {
            self.now = self.base.clone();
            for (number, change) in &self.changes {
                apply(&mut self.now, *number, *change);
            }
        }
    }

    /// After which operation the queue was as it was found; `Err` for a content it never had.
    pub(super) fn version(&self, found: &[u64]) -> Result<Option<u64>, String> {
        let mut elements = self.base.clone();
        let mut version = (elements == found).then_some(self.since);
        for (operation, change) in &self.changes {
            apply(&mut elements, *operation, *change);
            if elements == found {
                version = Some(Some(*operation));
            }
        }
        version.ok_or_else(|| {
            let missing = elements.iter().filter(|it| !found.contains(it)).count();
            let more = found.iter().filter(|it| !elements.contains(it)).count();
            format!(
                "{} elements that were never there together: in the end there are {}, of which \
                 {missing} are missing, and {more} others are there",
                found.len(),
                elements.len()
            )
        })
    }

    /// Begins the history anew after `operation`.
    pub(super) fn rebase(&mut self, operation: u64) {
        for (number, change) in self.changes.drain(..) {
            if number <= operation {
                apply(&mut self.base, number, change);
                self.since = Some(number);
            }
        }
        self.now = self.base.clone();
    }
}

/// The key of queue `number`.
pub(super) fn key(writer: usize, number: usize) -> Vec<u8> {
    let (kind, number) = (kind(number), number % QUEUES_OF_A_KIND);
    format!("{kind}:{writer}:{number}").into_bytes()
}

fn kind(number: usize) -> char {
    KINDS[number / QUEUES_OF_A_KIND]
}

fn element(key: &[u8], operation: u64) -> Vec<u8> {
    let mut element = Vec::new();
    value::write(key, operation, ELEMENT_BYTES, &mut element);
    element
}

/// Adds the request of `operation` to `out`.
pub(super) fn write_change(
    writer: usize,
    number: usize,
    operation: u64,
    change: Change,
    out: &mut Vec<u8>,
) {
    let key = key(writer, number);
    let id = |operation: u64| format!("{operation}-0").into_bytes();
    match (kind(number), change) {
        ('l', Change::Add) => write_request(&[b"RPUSH", &key, &element(&key, operation)], out),
        ('l', Change::Take(_)) => write_request(&[b"LPOP", &key], out),
        ('t', Change::Add) => write_request(&[b"SADD", &key, &element(&key, operation)], out),
        ('t', Change::Take(first)) => {
            write_request(&[b"SREM", &key, &element(&key, first)], out);
        }
        ('z', Change::Add) => {
            let score = operation.to_string();
            let element = element(&key, operation);
            write_request(&[b"ZADD", &key, score.as_bytes(), &element], out);
        }
        ('z', Change::Take(_)) => write_request(&[b"ZREMRANGEBYRANK", &key, b"0", b"0"], out),
        (_, Change::Add) => {
            let element = element(&key, operation);
            write_request(&[b"XADD", &key, &id(operation), b"e", &element], out);
        }
        (_, Change::Take(first)) => write_request(&[b"XDEL", &key, &id(first)], out),
    }
}

/// Adds the request that reads all of a queue to `out`.
pub(super) fn write_read(writer: usize, number: usize, out: &mut Vec<u8>) {
    let key = key(writer, number);
    match kind(number) {
        'l' => write_request(&[b"LRANGE", &key, b"0", b"-1"], out),
        't' => write_request(&[b"SMEMBERS", &key], out),
        'z' => write_request(&[b"ZRANGE", &key, b"0", b"-1"], out),
        _ => write_request(&[b"XRANGE", &key, b"-", b"+"], out),
    }
}

/// The operations whose elements a reply to [`write_read`] shows, in their order.
pub(super) fn elements(
    writer: usize,
    number: usize,
    reply: &Reply<'_>,
) -> Result<Vec<u64>, String> {
    let key = key(writer, number);
    let odd = |what: &dyn std::fmt::Debug| {
        let mut shown = format!("{what:?}");
        shown.truncate(100);
        format!("nobody wrote this: {shown}")
    };
    let Reply::Array(Some(items)) = reply else {
        return Err(odd(reply));
    };
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let content = match item {
            Reply::Bulk(Some(content)) => content,
            Reply::Array(Some(entry)) => match entry.as_slice() {
                [Reply::Bulk(Some(_)), Reply::Array(Some(pair))] => match pair.as_slice() {
                    [_, Reply::Bulk(Some(content))] => content,
                    _ => return Err(odd(item)),
                },
                _ => return Err(odd(item)),
            },
            _ => return Err(odd(item)),
        };
        let operation = value::version(&key, ELEMENT_BYTES, content);
        found.push(operation.ok_or_else(|| odd(item))?);
    }
    if kind(number) == 't' {
        found.sort_unstable();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        let mut queue = Queue::default();
        for operation in 1..=3 {
            queue.note(operation, Change::Add);
        }
        queue.note(5, Change::Take(1));
        queue
    }

    #[test]
    fn a_content_belongs_to_one_operation() {
        assert_eq!(queue().version(&[]), Ok(None));
        assert_eq!(queue().version(&[1, 2]), Ok(Some(2)));
        assert_eq!(queue().version(&[2, 3]), Ok(Some(5)));
    }

    #[test]
    fn a_lost_a_doubled_and_a_revived_element_show() {
        for found in [&[1, 3][..], &[2, 3, 3], &[1, 2, 3, 1], &[3]] {
            assert!(queue().version(found).is_err(), "{found:?}");
        }
    }

    #[test]
    fn what_was_refused_or_lost_was_never_there() {
        let mut queue = queue();
        queue.forget(5);
        assert_eq!(queue.version(&[1, 2, 3]), Ok(Some(3)));
        queue.rebase(2);
        queue.note(9, Change::Add);
        assert_eq!(queue.version(&[1, 2]), Ok(Some(2)));
        assert_eq!(queue.version(&[1, 2, 9]), Ok(Some(9)));
        assert!(queue.version(&[1, 2, 3, 9]).is_err());
    }
}
