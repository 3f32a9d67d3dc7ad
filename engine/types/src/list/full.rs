//! A list of any size: a chain of nodes, copied on write.
//!
//! Owns the chain, its counts, and where an element goes: the rules are the
//! reference's quicklist's, node by node, so that encodings and DUMP payloads
//! are the same. Does not know keys or updates. Runs on whichever thread holds
//! the shard; a clone may be read on any other.
//!
//! A clone copies one pointer, so it is a cheap capture. The first change after
//! it copies the chain's pointers and one node; everything else stays shared.
//!
//! INVARIANT: no node is empty. A list that is no quicklist has one node at
//! most, which knows no limit.

use super::node::{Node, NodeElements, NodeLimit};
use super::update::End;
use crate::listpack::Element;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// What an `Arc` adds to what it holds: two counters.
const ARC_BYTES: usize = 16;

impl PartialEq for List {
    /// Of elements, form and nodes.
    fn eq(&self, other: &Self) -> bool {
        self.is_quicklist == other.is_quicklist && self.node_bodies().eq(other.node_bodies())
    }
}

impl Eq for List {}

/// See the module. Later changes to a clone and to its original are not seen by
/// the other.
#[derive(Clone, Debug, Default)]
pub struct List {
    nodes: Arc<VecDeque<Arc<Node>>>,
    len: usize,
    heap_bytes: usize,
    is_quicklist: bool,
}

/// An element's place: its node, and its number there.
type Place = (usize, usize);

fn heap_bytes(node: &Node) -> usize {
    ARC_BYTES + size_of::<Node>() + size_of::<Arc<Node>>() + node.body.capacity()
}

impl List {
    /// A list that is one listpack.
    pub(super) fn of_node(node: Node) -> Self {
        let mut list = Self::default();
        if node.count > 0 {
            list.add_node(0, node);
        }
        list
    }

    /// A quicklist of these nodes.
    pub(super) fn of_nodes(nodes: Vec<Node>) -> Self {
        let mut list = Self {
            is_quicklist: true,
            ..Self::default()
        };
        for (place, node) in nodes.into_iter().enumerate() {
            list.add_node(place, node);
        }
        list
    }

    /// Whether it is no quicklist and takes at most `most_bytes`, or is empty.
    pub(super) fn is_small(&self, most_bytes: usize) -> bool {
        match self.nodes.front() {
            None => true,
            Some(node) => !self.is_quicklist && node.body.len() <= most_bytes,
        }
    }

    /// The one node of a list that [is small](Self::is_small).
    pub(super) fn into_small_node(self, most_bytes: usize) -> Result<Node, Self> {
        if !self.is_small(most_bytes) {
            return Err(self);
        }
        let node = Arc::unwrap_or_clone(self.nodes).pop_front();
        Ok(node.map(Arc::unwrap_or_clone).unwrap_or_default())
    }

    /// An empty quicklist, to be filled node by node.
    pub(crate) fn quicklist() -> Self {
        Self::of_nodes(Vec::new())
    }

    /// Adds a node of these elements, if there are any, whatever the limits.
    pub(crate) fn append_packed_node(&mut self, elements: &[Vec<u8>]) {
        let mut node = Node::default();
        for element in elements {
            node.insert(node.count, element);
        }
        if node.count > 0 {
            self.add_node(self.nodes.len(), node);
        }
    }

    /// Adds a node of one element, plain unless that is an integer.
    pub(crate) fn append_plain_node(&mut self, element: &[u8]) {
        let node = match Element::of(element) {
            Element::Bytes(_) => Node::plain(element),
            Element::Integer(_) => Node::of(element),
        };
        self.add_node(self.nodes.len(), node);
    }

    /// Adds an element to a quicklist by the default limit.
    pub(crate) fn append(&mut self, element: &[u8]) {
        self.push(End::Tail, element, NodeLimit(-2));
    }

    /// Each node's bytes, how many elements they are, and whether they are one
    /// plain one.
    pub(crate) fn node_bodies(&self) -> impl Iterator<Item = (&[u8], usize, bool)> {
        let nodes = self.nodes();
        nodes.map(|node| (node.body.as_slice(), node.count, node.is_plain))
    }

    /// How many elements it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it is a quicklist, as `OBJECT ENCODING` names it, and not a listpack.
    #[must_use]
    pub const fn is_quicklist(&self) -> bool {
        self.is_quicklist
    }

    /// The bytes its nodes take on the heap, as this root sees them: nodes
    /// shared with a capture count in both.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// What [`List::heap_bytes`] must be.
    #[cfg(test)]
    pub(super) fn recounted_heap_bytes(&self) -> usize {
        self.nodes().map(heap_bytes).sum()
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().map(AsRef::as_ref)
    }

    /// The elements from the head on; from both ends.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Element<'_>> {
        self.nodes.iter().flat_map(|node| node.elements())
    }

    /// The elements from `index` on.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = Element<'_>> {
        let (node, within) = self.place(index).unwrap_or((self.nodes.len(), 0));
        let nodes = self.nodes.range(node..);
        nodes.enumerate().flat_map(move |(number, node)| {
            let mut elements: NodeElements<'_> = node.elements();
            if number == 0
                && let Some(before) = within.checked_sub(1)
            {
                elements.nth(before);
            }
            elements
        })
    }

    /// The element at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        let (node, within) = self.place(index)?;
        let node = &self.nodes[node];
        if within <= node.count / 2 {
            node.elements().nth(within)
        } else {
            node.elements().nth_back(node.count - within - 1)
        }
    }

    /// Where the element `index` is: nodes are passed over from the nearer end.
    fn place(&self, index: usize) -> Option<Place> {
        if index >= self.len {
            return None;
        }
        if index < self.len / 2 {
            let mut left = index;
            for (number, node) in self.nodes.iter().enumerate() {
                if left < node.count {
                    return Some((number, left));
                }
                left -= node.count;
            }
            return None;
        }
        let mut after = self.len;
        for (number, node) in self.nodes.iter().enumerate().rev() {
            after -= node.count;
            if index >= after {
                return Some((number, index - after));
            }
        }
        None
    }

    /// Changes one node, copying what a capture shares; drops it if it is left
    /// empty. Whether it stays.
    fn change(&mut self, number: usize, change: impl FnOnce(&mut Node)) -> bool {
        let nodes = Arc::make_mut(&mut self.nodes);
        let slot = &mut nodes[number];
        self.heap_bytes -= heap_bytes(slot);
        self.len -= slot.count;
        let node = Arc::make_mut(slot);
        change(node);
        node.settle();
        if node.count == 0 {
            nodes.remove(number);
            return false;
        }
        self.len += node.count;
        self.heap_bytes += heap_bytes(node);
        true
    }

    fn add_node(&mut self, number: usize, node: Node) {
        self.len += node.count;
        self.heap_bytes += heap_bytes(&node);
        Arc::make_mut(&mut self.nodes).insert(number, Arc::new(node));
    }

    fn drop_node(&mut self, number: usize) -> Option<Arc<Node>> {
        let node = Arc::make_mut(&mut self.nodes).remove(number)?;
        self.len -= node.count;
        self.heap_bytes -= heap_bytes(&node);
        Some(node)
    }

    /// Before elements of `bytes` together are added: a listpack they do not
    /// fit becomes a quicklist.
    pub(super) fn make_room(&mut self, count: usize, bytes: usize, limit: NodeLimit) {
        let held = self.nodes.front().map_or(0, |node| node.body.len());
        let held = held + super::node::LISTPACK_FRAME_BYTES;
        if !self.is_quicklist && limit.is_exceeded(held + bytes, self.len + count) {
            self.is_quicklist = true;
        }
    }

    /// After a removal: a quicklist of one node that is half empty becomes a
    /// listpack.
    pub(super) fn shrink(&mut self, limit: NodeLimit) {
        if let (true, 1, Some(node)) = (self.is_quicklist, self.nodes.len(), self.nodes.front()) {
            self.is_quicklist = node.is_plain || limit.is_half_full(node.bytes(), self.len);
        }
    }

    /// After it was made: a quicklist of one node within the limit becomes a
    /// listpack.
    pub(crate) fn settle(&mut self, limit: NodeLimit) {
        if let (1, Some(node)) = (self.nodes.len(), self.nodes.front()) {
            self.is_quicklist = node.is_plain || limit.is_exceeded(node.bytes(), self.len);
        }
    }

    /// Adds an element at an end.
    pub(super) fn push(&mut self, end: End, text: &[u8], limit: NodeLimit) {
        let number = match end {
            End::Head => 0,
            End::Tail => self.nodes.len().saturating_sub(1),
        };
        let accepts = |node: &Arc<Node>| !self.is_quicklist || node.accepts(text.len(), limit);
        if self.nodes.get(number).is_some_and(accepts) {
            self.change(number, |node| {
                let at = if end == End::Head { 0 } else { node.count };
                node.insert(at, text);
            });
            return;
        }
        let place = match end {
            End::Head => 0,
            End::Tail => self.nodes.len(),
        };
        let is_plain = self.is_quicklist && limit.is_large(text.len());
        let node = if is_plain { Node::plain } else { Node::of };
        self.add_node(place, node(text));
    }

    /// Takes elements out at an end.
    pub(super) fn pop(&mut self, end: End, count: usize) {
        let count = count.min(self.len);
        let range = match end {
            End::Head => 0..count,
            End::Tail => self.len - count..self.len,
        };
        self.remove_range(range);
    }

    /// Takes elements out.
    pub(super) fn remove_range(&mut self, range: Range<usize>) {
        let mut left = range.end.min(self.len).saturating_sub(range.start);
        let Some((mut number, mut within)) = self.place(range.start) else {
            return;
        };
        while left > 0 && number < self.nodes.len() {
            let count = self.nodes[number].count;
            let taken = left.min(count - within);
            if taken == count {
                self.drop_node(number);
            } else {
                self.change(number, |node| node.remove(within..within + taken));
                number += 1;
            }
            within = 0;
            left -= taken;
        }
    }

    /// Takes out the first `most` elements equal to `text`, from an end on. How
    /// many there were.
    pub(super) fn remove_equal(&mut self, end: End, most: usize, text: &[u8]) -> usize {
        let wanted = Element::of(text);
        let mut removed = 0;
        let mut number = match end {
            End::Head => 0,
            End::Tail => self.nodes.len(),
        };
        loop {
            if end == End::Tail {
                let Some(before) = number.checked_sub(1) else {
                    return removed;
                };
                number = before;
            }
            let Some(node) = self.nodes.get(number).filter(|_| removed < most) else {
                return removed;
            };
            let is_wanted = |(at, element): (usize, Element<'_>)| (element == wanted).then_some(at);
            let found: Vec<usize> = node.elements().enumerate().filter_map(is_wanted).collect();
            let taken = found.len().min(most - removed);
            let found = match end {
                End::Head => &found[..taken],
                End::Tail => &found[found.len() - taken..],
            };
            let mut stays = true;
            if taken > 0 {
                stays = self.change(number, |node| node.remove_each(found));
                removed += taken;
            }
            if end == End::Head && stays {
                number += 1;
            }
        }
    }

    /// Puts an element beside the one at `index`; nothing if there is none.
    pub(super) fn insert(&mut self, index: usize, is_after: bool, text: &[u8], limit: NodeLimit) {
        let Some((number, within)) = self.place(index) else {
            return;
        };
        if !self.is_quicklist {
            self.change(number, |node| {
                node.insert(within + usize::from(is_after), text);
            });
            return;
        }
        self.insert_beside((number, within), is_after, text, limit);
    }

    fn insert_beside(&mut self, place: Place, is_after: bool, text: &[u8], limit: NodeLimit) {
        let (number, within) = place;
        let node = &self.nodes[number];
        let is_at_edge = if is_after {
            within + 1 == node.count
        } else {
            within == 0
        };
        let beyond = if is_after {
            number.checked_add(1)
        } else {
            number.checked_sub(1)
        };
        // Where a node of its own would go.
        let apart = number + usize::from(is_after);
        if limit.is_large(text.len()) {
            if !is_at_edge {
                self.split(number, within + usize::from(is_after));
            }
            let apart = if is_at_edge { apart } else { number + 1 };
            return self.add_node(apart, Node::plain(text));
        }
        if node.accepts(text.len(), limit) {
            self.change(number, |node| {
                node.insert(within + usize::from(is_after), text);
            });
            return;
        }
        if is_at_edge {
            let beyond = beyond.filter(|beyond| {
                let node = self.nodes.get(*beyond);
                node.is_some_and(|node| node.accepts(text.len(), limit))
            });
            match beyond {
                Some(beyond) => {
                    self.change(beyond, |node| {
                        node.insert(if is_after { 0 } else { node.count }, text);
                    });
                }
                None => self.add_node(apart, Node::of(text)),
            }
            return;
        }
        // The element goes into the part that its neighbour is not in.
        self.split(number, within + usize::from(is_after));
        if is_after {
            self.change(number + 1, |node| node.insert(0, text));
            self.merge_around(number, limit);
        } else {
            self.change(number, |node| node.insert(node.count, text));
            self.merge_around(number + 1, limit);
        }
    }

    /// Parts a packed node in two, in front of its element `within`.
    fn split(&mut self, number: usize, within: usize) {
        let mut rest = Node::default();
        self.change(number, |node| rest = node.split_off(within));
        if rest.count > 0 {
            self.add_node(number + 1, rest);
        }
    }

    /// Joins two neighbours, if one node may hold both. Whether it does.
    fn merge(&mut self, number: usize, limit: NodeLimit) -> bool {
        let pair = (self.nodes.get(number), self.nodes.get(number + 1));
        if !matches!(pair, (Some(one), Some(next)) if one.may_merge(next, limit)) {
            return false;
        }
        if let Some(next) = self.drop_node(number + 1) {
            self.change(number, |node| {
                node.body.extend_from_slice(&next.body);
                node.count += next.count;
            });
        }
        true
    }

    /// Joins what may be joined near a node that was split, in the reference's
    /// order: the two before it, the two behind it, it with its neighbours.
    fn merge_around(&mut self, center: usize, limit: NodeLimit) {
        let mut center = center;
        if center >= 2 && self.merge(center - 2, limit) {
            center -= 1;
        }
        self.merge(center + 1, limit);
        if center >= 1 && self.merge(center - 1, limit) {
            center -= 1;
        }
        self.merge(center, limit);
    }

    /// Puts another element in the place of that at `index`; nothing if there is
    /// none.
    pub(super) fn set(&mut self, index: usize, text: &[u8], limit: NodeLimit) {
        let Some((number, within)) = self.place(index) else {
            return;
        };
        let is_plain = self.nodes[number].is_plain;
        let is_large = self.is_quicklist && limit.is_large(text.len());
        if is_plain == is_large {
            self.change(number, |node| {
                if is_plain {
                    *node = Node::plain(text);
                } else {
                    node.replace(within, text);
                }
            });
            return;
        }
        if is_plain {
            self.insert_beside((number, within), true, text, limit);
            self.drop_node(number);
            return;
        }
        if within + 1 < self.nodes[number].count {
            self.split(number, within + 1);
        }
        self.add_node(number + 1, Node::plain(text));
        if self.change(number, |node| node.remove(within..within + 1)) {
            self.merge_around(number + 1, limit);
        }
    }
}
