//! Streams: entries in the order of their ids, and the groups that read them.
//!
//! Owns the entries and the groups, and counts their memory. Does not know keys or the clock,
//! nor who waits for an entry. A clone is a capture: it is O(1) and shares the nodes, which
//! are copied when they change. Runs on whichever thread holds the shard, or holds a capture.
//!
//! Modules, lowest first: [`id`], `ordered` and `listpack`, [`node`], [`group`], this one,
//! then `serial` (its bytes in the tier and the log) and [`update`].
//!
//! INVARIANT: the ids of a node lie between its own and that of the next node; `length` is
//! the number of entries that are not deleted.

pub mod group;
pub mod id;
mod listpack;
pub mod node;
mod ordered;
mod serial;
pub mod update;

pub use group::{Consumer, ENTRIES_READ_UNKNOWN, Group, Pending};
pub use id::StreamId;
pub use node::{Node, StreamEntry};
use ordered::Ordered;
pub(crate) use serial::{StreamNumbers, StreamParts, deserialize, serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
pub use update::StreamUpdate;

/// What a group takes in the map besides what it holds, about, bytes.
const GROUP_BYTES: usize = 64 + size_of::<Group>();

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    nodes: Ordered<Arc<Node>>,
    node_bytes: usize,
    length: u64,
    last_id: StreamId,
    first_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    groups: Arc<BTreeMap<Arc<[u8]>, Group>>,
    group_bytes: usize,
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        // What it holds and how that is cut into nodes, not how much memory was set aside.
        let numbers = |it: &Self| (it.length, it.last_id, it.max_deleted_id, it.entries_added);
        numbers(self) == numbers(other) && self.nodes == other.nodes && self.groups == other.groups
    }
}

impl Eq for Stream {}

/// Up to where a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// This many entries stay.
    Length(u64),
    /// Entries from this id on stay.
    From(StreamId),
}

/// How a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// Up to where.
    pub to: TrimTo,
    /// Whether only whole nodes go.
    pub is_approximate: bool,
    /// At most so many entries go; 0 is no limit.
    pub limit: u64,
}

/// What a [`Trim`] comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrimPlan {
    /// All entries up to this id go.
    pub through: StreamId,
    /// How many that are.
    pub entries: u64,
}

impl Stream {
    /// How many entries. O(1).
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.length
    }

    /// Whether it has no entry; its key stays.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The highest id there was.
    #[must_use]
    pub const fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The id of the first entry; 0-0 if there is none.
    #[must_use]
    pub const fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The highest id that was deleted one by one.
    #[must_use]
    pub const fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    #[must_use]
    pub const fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// The nodes with their ids, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (StreamId, &Node)> {
        self.nodes.iter().map(|(id, node)| (id, &**node))
    }

    /// How many nodes. O(1).
    #[must_use]
    pub const fn nodes_len(&self) -> usize {
        self.nodes.len()
    }

    /// The groups by name, in order.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, group))
    }

    /// The group of that name.
    #[must_use]
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    /// Bytes on the heap. O(1).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.nodes.heap_bytes() + self.node_bytes + self.group_bytes
    }

    /// The entries of a range of ids, in order.
    pub fn range(&self, ids: RangeInclusive<StreamId>) -> impl Iterator<Item = StreamEntry<'_>> {
        let (start, end) = ids.into_inner();
        let first = self
            .nodes
            .back_from(start)
            .next()
            .map_or(start, |(id, _)| id);
        self.nodes
            .starting_at(first)
            .take_while(move |(id, _)| *id <= end)
            .flat_map(|(id, node)| node.entries(id))
            .skip_while(move |entry| entry.id < start)
            .take_while(move |entry| entry.id <= end)
    }

    /// The entries of a range of ids, the last first.
    pub fn range_back(
        &self,
        ids: RangeInclusive<StreamId>,
    ) -> impl Iterator<Item = StreamEntry<'_>> {
        let (start, end) = ids.into_inner();
        self.nodes
            .back_from(end)
            .flat_map(|(id, node)| node.entries_back(id))
            .skip_while(move |entry| entry.id > end)
            .take_while(move |entry| entry.id >= start)
    }

    /// The entry of that id.
    #[must_use]
    pub fn entry(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        self.range(id..=id).next()
    }

    /// Whether an entry has that id.
    #[must_use]
    pub fn contains(&self, id: StreamId) -> bool {
        self.entry(id).is_some()
    }

    /// The id of the last entry; `None` if there is none.
    #[must_use]
    pub fn last_entry_id(&self) -> Option<StreamId> {
        let mut back = self.range_back(StreamId::MIN..=StreamId::MAX);
        back.next().map(|entry| entry.id)
    }

    /// What the trim comes to now; nothing is changed.
    #[must_use]
    pub fn plan_trim(&self, trim: Trim) -> TrimPlan {
        let mut plan = TrimPlan::default();
        let left = |plan: &TrimPlan| self.length - plan.entries;
        for (id, node) in self.nodes.iter() {
            let live = node.live();
            if matches!(trim.to, TrimTo::Length(most) if left(&plan) <= most)
                || (trim.limit > 0 && plan.entries.saturating_add(live) > trim.limit)
            {
                break;
            }
            let last = node.last_id(id);
            let is_whole = match trim.to {
                TrimTo::Length(most) => left(&plan).saturating_sub(live) >= most,
                TrimTo::From(first) => last < first,
            };
            if is_whole {
                plan.through = last;
                plan.entries += live;
                continue;
            }
            if trim.is_approximate {
                break;
            }
            for entry in node.entries(id) {
                let stays = match trim.to {
                    TrimTo::Length(most) => left(&plan) <= most,
                    TrimTo::From(first) => entry.id >= first,
                };
                if stays {
                    break;
                }
                plan.through = entry.id;
                plan.entries += 1;
            }
            break;
        }
        plan
    }

    /// Whether an id from `start` on may have been deleted one by one.
    #[must_use]
    pub fn may_have_gaps_from(&self, start: StreamId) -> bool {
        self.length > 0 && self.max_deleted_id != StreamId::MIN && start <= self.max_deleted_id
    }

    /// How many entries were added up to `id`, as far as that can be told: else
    /// [`ENTRIES_READ_UNKNOWN`].
    #[must_use]
    pub fn entries_read_at(&self, id: StreamId) -> i64 {
        let added = self.entries_added.cast_signed();
        if self.entries_added == 0 {
            return 0;
        }
        if id == self.last_id || (self.length == 0 && id < self.last_id) {
            return added;
        }
        let is_before_a_gap = id != StreamId::MIN && id < self.max_deleted_id;
        if id > self.last_id || is_before_a_gap {
            return ENTRIES_READ_UNKNOWN;
        }
        let has_no_gap =
            self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        let before = added.wrapping_sub_unsigned(self.length);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less if has_no_gap => before,
            std::cmp::Ordering::Equal if has_no_gap => before.wrapping_add(1),
            _ => ENTRIES_READ_UNKNOWN,
        }
    }

    /// How many entries a group has not read yet, as far as that can be told.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let added = self.entries_added.cast_signed();
        if self.entries_added == 0 {
            return Some(0);
        }
        if group.entries_read != ENTRIES_READ_UNKNOWN && !self.may_have_gaps_from(group.last_id) {
            return Some(added.wrapping_sub(group.entries_read));
        }
        let read = self.entries_read_at(group.last_id);
        (read != ENTRIES_READ_UNKNOWN).then(|| added.wrapping_sub(read))
    }

    /// Whether a group has the entry pending or has not read it yet.
    #[must_use]
    pub fn is_referenced(&self, id: StreamId) -> bool {
        let mut groups = self.groups.values();
        groups.any(|group| group.last_id < id || group.pending(id).is_some())
    }

    /// Whether a group has the entry pending.
    #[must_use]
    pub fn is_pending(&self, id: StreamId) -> bool {
        self.groups
            .values()
            .any(|group| group.pending(id).is_some())
    }

    fn add(&mut self, id: StreamId, fields: &[&[u8]], max_bytes: usize, max_entries: usize) {
        let tail = self.nodes.last();
        let open = tail.filter(|(_, node)| !node.is_full_for(fields, max_bytes, max_entries));
        match (
            open.map(|(node_id, _)| node_id),
            tail.map(|(node_id, _)| node_id),
        ) {
            (Some(node_id), _) => {
                self.change_node(node_id, |node| node.append(node_id, id, fields));
            }
            (None, full) => {
                if let Some(full) = full {
                    self.change_node(full, Node::shrink);
                }
                let node = Node::new(id, fields);
                self.node_bytes += node.heap_bytes();
                self.nodes.insert(id, Arc::new(node));
            }
        }
        self.length += 1;
        self.entries_added = self.entries_added.saturating_add(1);
        self.last_id = id;
        if self.length == 1 {
            self.first_id = id;
        }
    }

    /// Changes a node, keeping count of its memory.
    fn change_node<T>(&mut self, id: StreamId, change: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let (before, after, result) = self.nodes.update(id, |node| {
            let before = node.heap_bytes();
            let node = Arc::make_mut(node);
            let result = change(node);
            (before, node.heap_bytes(), result)
        })?;
        self.node_bytes = self.node_bytes + after - before;
        Some(result)
    }

    fn remove_node(&mut self, id: StreamId) {
        if let Some(node) = self.nodes.remove(id) {
            self.node_bytes -= node.heap_bytes();
            self.length = self.length.saturating_sub(node.live());
        }
    }

    /// Deletes an entry; whether it was there.
    fn delete(&mut self, id: StreamId) -> bool {
        let Some((node_id, node)) = self.nodes.back_from(id).next() else {
            return false;
        };
        if !node.entries(node_id).any(|entry| entry.id == id) {
            return false;
        }
        if node.live() == 1 {
            self.remove_node(node_id);
        } else {
            self.change_node(node_id, |node| node.delete(node_id, |other| other == id));
            self.length -= 1;
        }
        true
    }

    /// Deletes all entries up to an id.
    fn trim(&mut self, through: StreamId) {
        while let Some((node_id, node)) = self.nodes.first() {
            if node_id > through {
                break;
            }
            if node.last_id(node_id) <= through {
                self.remove_node(node_id);
                continue;
            }
            let gone = self.change_node(node_id, |node| node.delete(node_id, |id| id <= through));
            self.length = self.length.saturating_sub(gone.unwrap_or(0));
            break;
        }
        self.find_first();
    }

    /// Says anew which entry is the first.
    fn find_first(&mut self) {
        let first = self.range(StreamId::MIN..=StreamId::MAX).next();
        self.first_id = first.map_or(StreamId::MIN, |entry| entry.id);
    }

    /// Changes a group, keeping count of its memory.
    fn change_group(&mut self, name: &[u8], change: impl FnOnce(&mut Group)) {
        if let Some(group) = Arc::make_mut(&mut self.groups).get_mut(name) {
            let before = group.heap_bytes();
            change(group);
            self.group_bytes = self.group_bytes + group.heap_bytes() - before;
        }
    }

    /// Adds a group, unless there is one of that name.
    fn add_group(&mut self, name: &[u8], group: Group) {
        if !self.groups.contains_key(name) {
            self.group_bytes += GROUP_BYTES + name.len() + group.heap_bytes();
            Arc::make_mut(&mut self.groups).insert(name.into(), group);
        }
    }

    fn remove_group(&mut self, name: &[u8]) {
        if let Some(group) = Arc::make_mut(&mut self.groups).remove(name) {
            self.group_bytes -= GROUP_BYTES + name.len() + group.heap_bytes();
        }
    }
}

#[cfg(test)]
mod tests;
