//! A node of a list: a listpack of some elements, or one element too large for
//! a listpack; and the limits of both.
//!
//! Owns what a node may hold and how its bytes change. Does not know the other
//! nodes. Runs on whichever thread holds the shard; a node that a capture
//! shares is copied before it changes.
//!
//! INVARIANT: a packed node's body is a walk of `count` entries; a plain node
//! holds one element, its body, and is no integer.

use crate::listpack::{self, Element, Entries};
use std::ops::Range;

/// The header and end mark of a listpack, bytes: nodes are measured as they
/// stand in an RDB file.
pub(crate) const LISTPACK_FRAME_BYTES: usize = 7;
/// What the reference allows for the encoding of one more element, bytes.
const ENTRY_OVERHEAD_BYTES: usize = 8;
/// Bytes of a node that is limited by its elements.
const COUNTED_NODE_BYTES: usize = 8192;

/// `list-max-listpack-size`: at most so many elements a node if positive;
/// -1 to -5: 4, 8, 16, 32, 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimit(pub i32);

impl NodeLimit {
    /// At most how many bytes, or else how many elements.
    fn parts(self) -> (Option<usize>, usize) {
        match self.0 {
            0.. => (None, self.0.clamp(1, i32::from(i16::MAX)) as usize),
            negative => {
                let step = negative.unsigned_abs().min(5) - 1;
                (Some(4096 << step), usize::MAX)
            }
        }
    }

    /// Whether a node of so many bytes and elements is too large.
    pub(crate) fn is_exceeded(self, bytes: usize, count: usize) -> bool {
        match self.parts() {
            (Some(limit_bytes), _) => bytes > limit_bytes,
            (None, limit) => bytes > COUNTED_NODE_BYTES || count > limit,
        }
    }

    /// Whether a node is more than half of what it may be.
    pub(crate) fn is_half_full(self, bytes: usize, count: usize) -> bool {
        match self.parts() {
            (Some(limit_bytes), _) => bytes > limit_bytes / 2,
            (None, limit) => count > limit / 2,
        }
    }

    /// Whether an element of so many bytes has a node of its own.
    pub(crate) fn is_large(self, bytes: usize) -> bool {
        bytes > self.parts().0.unwrap_or(COUNTED_NODE_BYTES)
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) count: usize,
    pub(crate) is_plain: bool,
    pub(crate) body: Vec<u8>,
}

/// Walks the elements of a node, from both ends.
#[derive(Clone, Debug)]
pub(crate) struct NodeElements<'a> {
    plain: Option<&'a [u8]>,
    entries: Entries<'a>,
}

impl<'a> NodeElements<'a> {
    pub(crate) const fn packed(body: &'a [u8]) -> Self {
        Self {
            plain: None,
            entries: Entries::new(body),
        }
    }
}

impl<'a> Iterator for NodeElements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let plain = self.plain.take().map(Element::Bytes);
        plain.or_else(|| self.entries.next().map(|(_, element)| element))
    }
}

impl DoubleEndedIterator for NodeElements<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let plain = self.plain.take().map(Element::Bytes);
        plain.or_else(|| self.entries.next_back().map(|(_, element)| element))
    }
}

impl Node {
    /// A packed node of one element.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut body = Vec::with_capacity(listpack::entry_bytes(text));
        listpack::put(&mut body, text);
        Self {
            count: 1,
            is_plain: false,
            body,
        }
    }

    /// A node of one element that a listpack would be too large for.
    pub(crate) fn plain(text: &[u8]) -> Self {
        Self {
            count: 1,
            is_plain: true,
            body: text.to_vec(),
        }
    }

    /// Its size as the limits count it.
    pub(crate) const fn bytes(&self) -> usize {
        let frame = if self.is_plain {
            0
        } else {
            LISTPACK_FRAME_BYTES
        };
        self.body.len() + frame
    }

    /// Whether an element of so many bytes may join.
    pub(crate) fn accepts(&self, bytes: usize, limit: NodeLimit) -> bool {
        !self.is_plain
            && !limit.is_large(bytes)
            && !limit.is_exceeded(self.bytes() + bytes + ENTRY_OVERHEAD_BYTES, self.count + 1)
    }

    /// Whether two neighbours may become one node.
    pub(crate) fn may_merge(&self, next: &Self, limit: NodeLimit) -> bool {
        let bytes = self.bytes() + next.bytes() - LISTPACK_FRAME_BYTES.min(next.bytes());
        !self.is_plain && !next.is_plain && !limit.is_exceeded(bytes, self.count + next.count)
    }

    pub(crate) fn elements(&self) -> NodeElements<'_> {
        NodeElements {
            plain: self.is_plain.then_some(self.body.as_slice()),
            entries: Entries::new(if self.is_plain { &[] } else { &self.body }),
        }
    }

    /// Where the entry of element `index` of a packed node is; its end for `count`.
    fn place(&self, index: usize) -> Range<usize> {
        let end = self.body.len()..self.body.len();
        let mut entries = Entries::new(&self.body);
        let found = if index <= self.count / 2 {
            entries.nth(index)
        } else {
            let from_end = self.count.checked_sub(index + 1);
            from_end.and_then(|from_end| entries.nth_back(from_end))
        };
        found.map_or(end, |(range, _)| range)
    }

    /// Puts an element into a packed node, before that of `index`.
    pub(crate) fn insert(&mut self, index: usize, text: &[u8]) {
        let at = match index {
            0 => 0,
            _ if index >= self.count => self.body.len(),
            _ => self.place(index).start,
        };
        let bytes = listpack::entry_bytes(text);
        if self.body.capacity() - self.body.len() < bytes {
            // An eighth of slack: a node is small, so doubling would waste more
            // memory than the copies it saves.
            self.body.reserve_exact(bytes + self.body.len() / 8);
        }
        // Written at the end and turned to its place: nothing is allocated for it.
        listpack::put(&mut self.body, text);
        self.body[at..].rotate_right(bytes);
        self.count += 1;
    }

    /// Takes elements out; those of a plain node are all or none.
    pub(crate) fn remove(&mut self, elements: Range<usize>) {
        let end = elements.end.min(self.count);
        if elements.start >= end {
            return;
        }
        if self.is_plain {
            self.body.clear();
        } else {
            let start = self.place(elements.start).start;
            let stop = if end == self.count {
                self.body.len()
            } else {
                self.place(end).start
            };
            self.body.drain(start..stop);
        }
        self.count -= end - elements.start;
    }

    /// Takes out the elements of these ascending numbers, in one pass.
    pub(crate) fn remove_each(&mut self, numbers: &[usize]) {
        if self.is_plain {
            return self.remove(0..numbers.len());
        }
        let mut body = Vec::with_capacity(self.body.len());
        let mut numbers_left = numbers.iter().copied().peekable();
        for (number, (range, _)) in Entries::new(&self.body).enumerate() {
            if numbers_left.next_if_eq(&number).is_none() {
                body.extend_from_slice(&self.body[range]);
            }
        }
        self.count -= numbers.len();
        self.body = body;
    }

    /// Puts another element in the place of one of a packed node.
    pub(crate) fn replace(&mut self, index: usize, text: &[u8]) {
        let place = self.place(index);
        let mut entry = Vec::with_capacity(listpack::entry_bytes(text));
        listpack::put(&mut entry, text);
        self.body.splice(place, entry);
    }

    /// Parts a packed node in front of element `index`; the elements from there on.
    pub(crate) fn split_off(&mut self, index: usize) -> Self {
        let at = self.place(index).start;
        let body = self.body.split_off(at);
        let count = self.count - index.min(self.count);
        self.count -= count;
        self.body.shrink_to_fit();
        Self {
            count,
            is_plain: false,
            body,
        }
    }

    /// Gives room back that a removal left.
    pub(crate) fn settle(&mut self) {
        if self.body.capacity() > 64 + 2 * self.body.len() {
            self.body.shrink_to_fit();
        }
    }
}
