//! A B+-tree of entries that counts them (R. Bayer, E. McCreight, 1972; order
//! statistics as in Cormen et al., chapter 14), copied on write.
//!
//! Owns the nodes. Does not know members apart from their scores, nor how a
//! sorted set is written down. Runs on whichever thread holds the shard; a clone
//! may be read on any other.
//!
//! A leaf is packed entries of at most some 2 KiB, which are walked; a branch refers to its
//! children, each with the number of entries under it and a lower bound of
//! them. So a rank, a place in the order and a change take one way from the
//! root. A clone copies one pointer; the first change after it copies the nodes
//! on its way.
//!
//! INVARIANT: all leaves are at the same depth and none but a root is empty. The
//! entries under a child are not below its bound, and all before it are. The
//! bound of a first child is not looked at.

use super::entries::{self, Entries, Entry};
use std::sync::Arc;

/// A leaf above this is split, if it has two entries.
const LEAF_MAX_BYTES: usize = 2048;
/// A branch above this is split.
const BRANCH_MAX_CHILDREN: usize = 64;
/// Leaves that are made of entries in order are filled up to this.
const LEAF_FILL_BYTES: usize = LEAF_MAX_BYTES / 4 * 3;
/// Branches that are made of nodes in order have this many children.
const BRANCH_FILL_CHILDREN: usize = BRANCH_MAX_CHILDREN / 4 * 3;

/// What a node takes besides what it owns: itself, and the two counters of its
/// `Arc`.
const NODE_BYTES: usize = size_of::<Node>() + 16;

/// A place in the order: that of an entry, or a shorter one before it.
#[derive(Clone, Debug)]
struct Bound {
    score: f64,
    member: Box<[u8]>,
}

impl Bound {
    fn lowest() -> Self {
        Self {
            score: f64::NEG_INFINITY,
            member: Box::default(),
        }
    }

    /// The shortest bound above `left` and not above `right`.
    fn between(left: Entry<'_>, right: Entry<'_>) -> Self {
        let same = left.1.iter().zip(right.1);
        let same = same.take_while(|(one, other)| one == other).count();
        let member_bytes = if left.0 < right.0 { 0 } else { same + 1 };
        Self {
            score: right.0,
            member: right.1[..member_bytes.min(right.1.len())].into(),
        }
    }

    fn entry(&self) -> Entry<'_> {
        (self.score, &self.member)
    }
}

#[derive(Clone, Debug)]
struct Child {
    low: Bound,
    /// Entries under it.
    count: usize,
    node: Arc<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<u8>),
    Branch(Vec<Child>),
}

impl Node {
    /// What it owns, but for the bounds of its children.
    const fn own_bytes(&self) -> usize {
        match self {
            Self::Leaf(body) => body.capacity(),
            Self::Branch(children) => children.capacity() * size_of::<Child>(),
        }
    }

    /// Whether it should be joined with a neighbour.
    const fn is_small(&self) -> bool {
        match self {
            Self::Leaf(body) => body.len() < LEAF_MAX_BYTES / 4,
            Self::Branch(children) => children.len() < BRANCH_MAX_CHILDREN / 4,
        }
    }
}

/// Which of the children a place that is `after` some bounds lies in.
fn child_of(children: &[Child], after: impl Fn(Entry<'_>) -> bool) -> usize {
    children[1..].partition_point(|child| after(child.low.entry()))
}

/// Which of the children an entry is under, or would be.
fn child_at(children: &[Child], entry: Entry<'_>) -> usize {
    child_of(children, |low| entries::order(low, entry).is_le())
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: Arc<Node>,
    count: usize,
    heap_bytes: usize,
}

impl Tree {
    /// A tree without an entry.
    pub(crate) fn new() -> Self {
        Self {
            root: Arc::new(Node::Leaf(Vec::new())),
            count: 0,
            heap_bytes: NODE_BYTES,
        }
    }

    /// A tree of these entries, which are strictly ascending.
    pub(crate) fn from_sorted<'a>(sorted: impl Iterator<Item = Entry<'a>>) -> Self {
        let mut level = leaves(sorted);
        while level.len() > 1 {
            level = branches(level);
        }
        let Some(root) = level.pop() else {
            return Self::new();
        };
        let mut tree = Self {
            root: root.node,
            count: root.count,
            heap_bytes: 0,
        };
        tree.heap_bytes = measured(&tree.root);
        tree
    }

    /// How many entries it has.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// The bytes its nodes take on the heap, as this root sees them: nodes
    /// shared with a capture count in both.
    pub(crate) const fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// Adds an entry that is not there.
    pub(crate) fn insert(&mut self, entry: Entry<'_>) {
        let split = insert(&mut self.root, entry, &mut self.heap_bytes);
        self.count += 1;
        let Some(right) = split else { return };
        let left = Child {
            low: Bound::lowest(),
            count: self.count - right.count,
            node: Arc::clone(&self.root),
        };
        let root = Node::Branch(vec![left, right]);
        self.heap_bytes += NODE_BYTES + root.own_bytes();
        self.root = Arc::new(root);
    }

    /// Takes an entry out; whether it was there.
    pub(crate) fn remove(&mut self, entry: Entry<'_>) -> bool {
        if !remove(&mut self.root, entry, &mut self.heap_bytes) {
            return false;
        }
        self.count -= 1;
        while let Node::Branch(children) = &*self.root
            && let [only] = children.as_slice()
        {
            let node = Arc::clone(&only.node);
            self.heap_bytes -= NODE_BYTES + self.root.own_bytes() + only.low.member.len();
            self.root = node;
        }
        true
    }

    /// Gives an entry that is there another score if it then stands between the same entries
    /// of one leaf: most that are counted up do. Whether it has been done.
    pub(crate) fn rescore(&mut self, entry: Entry<'_>, score: f64) -> bool {
        let mut node = &*self.root;
        let at = loop {
            match node {
                Node::Leaf(body) => break entries::place_to_rescore(body, entry, score),
                Node::Branch(children) => node = &children[child_at(children, entry)].node,
            }
        };
        let Some(at) = at else {
            return false;
        };
        let mut node = &mut self.root;
        loop {
            let before_bytes = node.own_bytes();
            let inner = Arc::make_mut(node);
            // A copy of what a capture shares has no room to spare.
            self.heap_bytes = self.heap_bytes + inner.own_bytes() - before_bytes;
            match inner {
                Node::Leaf(body) => {
                    entries::rescore(body, at, score);
                    return true;
                }
                Node::Branch(children) => {
                    let at = child_at(children, entry);
                    node = &mut children[at].node;
                }
            }
        }
    }

    /// How many entries are `before`: those that are come first in the order.
    pub(crate) fn position(&self, before: impl Fn(Entry<'_>) -> bool) -> usize {
        let (mut node, mut passed) = (&*self.root, 0);
        loop {
            match node {
                Node::Leaf(body) => return passed + entries::position(body, &before),
                Node::Branch(children) => {
                    let at = child_of(children, &before);
                    passed += children[..at]
                        .iter()
                        .map(|child| child.count)
                        .sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// The leaf that has the entry of this rank, and which of the leaf's it is;
    /// an empty leaf if there are no more.
    pub(crate) fn leaf_of(&self, rank: usize) -> (&[u8], usize) {
        let (mut node, mut left) = (&*self.root, rank);
        loop {
            match node {
                Node::Leaf(body) => return (body, left),
                Node::Branch(children) => {
                    let within = children.iter().find(|child| {
                        let is_within = left < child.count;
                        if !is_within {
                            left -= child.count;
                        }
                        is_within
                    });
                    let Some(within) = within else {
                        return (&[], 0);
                    };
                    node = &within.node;
                }
            }
        }
    }
}

/// Leaves of these entries, each with the bound that parts it from the one
/// before.
fn leaves<'a>(sorted: impl Iterator<Item = Entry<'a>>) -> Vec<Child> {
    let mut leaves: Vec<Child> = Vec::new();
    let (mut body, mut count) = (Vec::new(), 0);
    let (mut low, mut last) = (Bound::lowest(), None);
    for entry in sorted {
        if let Some(last) = last
            && body.len() >= LEAF_FILL_BYTES
        {
            let next_low = Bound::between(last, entry);
            leaves.push(leaf(
                std::mem::replace(&mut low, next_low),
                count,
                &mut body,
            ));
            count = 0;
        }
        entries::put(&mut body, entry);
        count += 1;
        last = Some(entry);
    }
    leaves.push(leaf(low, count, &mut body));
    leaves
}

fn leaf(low: Bound, count: usize, body: &mut Vec<u8>) -> Child {
    let node = Arc::new(Node::Leaf(body.as_slice().to_vec()));
    body.clear();
    Child { low, count, node }
}

/// Branches over these nodes.
fn branches(nodes: Vec<Child>) -> Vec<Child> {
    let mut branches: Vec<Child> = Vec::new();
    let mut nodes = nodes.into_iter().peekable();
    while nodes.peek().is_some() {
        let children: Vec<Child> = nodes.by_ref().take(BRANCH_FILL_CHILDREN).collect();
        branches.push(Child {
            low: children[0].low.clone(),
            count: children.iter().map(|child| child.count).sum(),
            node: Arc::new(Node::Branch(children)),
        });
    }
    branches
}

/// What a node and all under it take.
fn measured(node: &Node) -> usize {
    let under = match node {
        Node::Leaf(_) => 0,
        Node::Branch(children) => children
            .iter()
            .map(|child| child.low.member.len() + measured(&child.node))
            .sum(),
    };
    NODE_BYTES + node.own_bytes() + under
}

/// Adds an entry under `node`; the new right neighbour if it was split.
fn insert(node: &mut Arc<Node>, entry: Entry<'_>, heap_bytes: &mut usize) -> Option<Child> {
    let before_bytes = node.own_bytes();
    let split = match Arc::make_mut(node) {
        Node::Leaf(body) => {
            entries::insert(body, entry);
            split_leaf(body)
        }
        Node::Branch(children) => {
            let at = child_at(children, entry);
            let child = &mut children[at];
            let right = insert(&mut child.node, entry, heap_bytes);
            child.count += 1;
            match right {
                None => None,
                Some(right) => {
                    child.count -= right.count;
                    children.insert(at + 1, right);
                    split_branch(children)
                }
            }
        }
    };
    *heap_bytes = *heap_bytes + node.own_bytes() - before_bytes;
    if let Some(right) = &split {
        *heap_bytes += NODE_BYTES + right.node.own_bytes() + right.low.member.len();
    }
    split
}

/// Moves the later half of a leaf's bytes to a new one, if it has too many.
fn split_leaf(body: &mut Vec<u8>) -> Option<Child> {
    if body.len() <= LEAF_MAX_BYTES {
        return None;
    }
    let mut walk = Entries::new(body).map(|(at, entry)| (at.start, entry));
    let mut left = walk.next()?;
    let mut right = walk.next()?;
    for next in walk {
        if next.0 > body.len() / 2 {
            break;
        }
        (left, right) = (right, next);
    }
    let low = Bound::between(left.1, right.1);
    let later = body[right.0..].to_vec();
    body.truncate(right.0);
    body.shrink_to_fit();
    Some(Child {
        low,
        count: Entries::new(&later).count(),
        node: Arc::new(Node::Leaf(later)),
    })
}

/// Moves the later half of a branch's children to a new one, if it has too many.
fn split_branch(children: &mut Vec<Child>) -> Option<Child> {
    if children.len() <= BRANCH_MAX_CHILDREN {
        return None;
    }
    let later = children.split_off(children.len() / 2);
    children.shrink_to_fit();
    Some(Child {
        low: later[0].low.clone(),
        count: later.iter().map(|child| child.count).sum(),
        node: Arc::new(Node::Branch(later)),
    })
}

/// Takes an entry out from under `node`; whether it was there.
fn remove(node: &mut Arc<Node>, entry: Entry<'_>, heap_bytes: &mut usize) -> bool {
    let before_bytes = node.own_bytes();
    let removed = match Arc::make_mut(node) {
        Node::Leaf(body) => {
            let removed = entries::remove(body, entry);
            if body.capacity() > 64 + 2 * body.len() {
                body.shrink_to_fit();
            }
            removed
        }
        Node::Branch(children) => {
            let at = child_at(children, entry);
            let child = &mut children[at];
            let removed = remove(&mut child.node, entry, heap_bytes);
            if removed {
                child.count -= 1;
                if child.node.is_small() {
                    join(children, at, heap_bytes);
                }
            }
            removed
        }
    };
    *heap_bytes = *heap_bytes + node.own_bytes() - before_bytes;
    removed
}

/// Joins the small child at `at` with a neighbour, where they fit into one node.
fn join(children: &mut Vec<Child>, at: usize, heap_bytes: &mut usize) {
    let left = if at + 1 < children.len() {
        at
    } else if let Some(left) = at.checked_sub(1) {
        left
    } else {
        return;
    };
    let fits = match (&*children[left].node, &*children[left + 1].node) {
        (Node::Leaf(one), Node::Leaf(other)) => {
            one.len() + other.len() <= LEAF_FILL_BYTES || one.is_empty() || other.is_empty()
        }
        (Node::Branch(one), Node::Branch(other)) => one.len() + other.len() <= BRANCH_FILL_CHILDREN,
        _ => false,
    };
    if !fits {
        return;
    }
    let right = children.remove(left + 1);
    *heap_bytes -= NODE_BYTES + right.node.own_bytes();
    let kept = &mut children[left];
    kept.count += right.count;
    *heap_bytes -= kept.node.own_bytes();
    match (
        Arc::make_mut(&mut kept.node),
        Arc::unwrap_or_clone(right.node),
    ) {
        (Node::Leaf(body), Node::Leaf(later)) => {
            *heap_bytes -= right.low.member.len();
            body.extend_from_slice(&later);
            body.shrink_to_fit();
        }
        (Node::Branch(nodes), Node::Branch(mut later)) => {
            // The bound that parted the two is that of the first child now.
            if let Some(first) = later.first_mut() {
                *heap_bytes -= first.low.member.len();
                first.low = right.low;
            }
            nodes.append(&mut later);
        }
        _ => {}
    }
    *heap_bytes += kept.node.own_bytes();
    // Children were taken out of the vector: its capacity stays as it was.
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermocline_base::Random;

    fn all(tree: &Tree) -> Vec<(f64, Vec<u8>)> {
        let mut found: Vec<(f64, Vec<u8>)> = Vec::new();
        while found.len() < tree.len() {
            let (body, skip) = tree.leaf_of(found.len());
            let before = found.len();
            found.extend(
                Entries::new(body)
                    .skip(skip)
                    .map(|(_, entry)| (entry.0, entry.1.to_vec())),
            );
            assert!(found.len() > before, "a leaf has entries");
        }
        found
    }

    fn depth(node: &Node) -> usize {
        match node {
            Node::Leaf(_) => 1,
            Node::Branch(children) => {
                let depths: Vec<usize> = children.iter().map(|child| depth(&child.node)).collect();
                assert!(depths.windows(2).all(|pair| pair[0] == pair[1]));
                depths[0] + 1
            }
        }
    }

    fn assert_is(tree: &Tree, model: &[(f64, Vec<u8>)]) {
        assert_eq!(tree.len(), model.len());
        assert_eq!(all(tree), model);
        assert_eq!(tree.heap_bytes, measured(&tree.root));
        depth(&tree.root);
        for (rank, (score, member)) in model.iter().enumerate().step_by(97) {
            let before = |entry: Entry<'_>| entries::order(entry, (*score, member)).is_lt();
            assert_eq!(tree.position(before), rank);
        }
        assert_eq!(tree.position(|_| true), model.len());
    }

    fn entry(random: &mut Random, scores: u64) -> (f64, Vec<u8>) {
        let member = format!("member:{:06}", random.below(1 << 40));
        (random.below(scores) as f64 - 5.0, member.into_bytes())
    }

    #[test]
    fn it_holds_what_a_sorted_vector_holds_with_true_counts() {
        for scores in [1, 20, 1 << 40] {
            let mut random = Random::new(scores);
            let (mut tree, mut model) = (Tree::new(), Vec::new());
            for growing in [true, false, true, false] {
                for _ in 0..30_000 {
                    if growing == (random.below(10) < 7) || model.is_empty() {
                        let added = entry(&mut random, scores);
                        tree.insert((added.0, &added.1));
                        model.push(added);
                    } else {
                        let at = random.below(model.len() as u64) as usize;
                        let gone = model.swap_remove(at);
                        assert!(tree.remove((gone.0, &gone.1)));
                    }
                }
                let mut sorted = model.clone();
                sorted.sort_by(|one, other| entries::order((one.0, &one.1), (other.0, &other.1)));
                assert_is(&tree, &sorted);
                let built = sorted
                    .iter()
                    .map(|(score, member)| (*score, member.as_slice()));
                assert_is(&Tree::from_sorted(built), &sorted);
            }
            for (score, member) in &model {
                assert!(tree.remove((*score, member)));
                assert!(!tree.remove((*score, member)));
            }
            assert_is(&tree, &[]);
            assert_eq!(depth(&tree.root), 1);
        }
    }

    #[test]
    fn ascending_and_descending_entries_and_long_ones_are_taken() {
        let member = |number: u32| [format!("{number:05}").into_bytes(), vec![b'x'; 3000]].concat();
        let members: Vec<(f64, Vec<u8>)> = (0..2000).map(|number| (1.0, member(number))).collect();
        let (mut ascending, mut descending) = (Tree::new(), Tree::new());
        for (score, member) in &members {
            ascending.insert((*score, member));
        }
        for (score, member) in members.iter().rev() {
            descending.insert((*score, member));
        }
        assert_is(&ascending, &members);
        assert_is(&descending, &members);
        for (score, member) in members.iter().skip(1) {
            assert!(ascending.remove((*score, member)));
            assert!(descending.remove((*score, member)));
        }
        assert_is(&ascending, &members[..1]);
        assert_is(&descending, &members[..1]);
    }

    #[test]
    fn a_clone_is_a_capture() {
        let mut tree = Tree::new();
        let mut random = Random::new(9);
        for _ in 0..20_000 {
            let added = entry(&mut random, 100);
            tree.insert((added.0, &added.1));
        }
        let (capture, before) = (tree.clone(), all(&tree));
        for (score, member) in before.iter().step_by(2) {
            assert!(tree.remove((*score, member)));
        }
        let left: Vec<_> = before.iter().skip(1).step_by(2).cloned().collect();
        assert_is(&tree, &left);
        assert_is(&capture, &before);
    }
}
