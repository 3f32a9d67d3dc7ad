//! The full hash: linear hashing (W. Litwin, VLDB 1980) over small nodes of
//! packed entries, copied on write.
//!
//! Owns the table and its counts. Does not know limits, the clock or how a
//! hash is written down. Runs on whichever thread holds the shard; a clone may
//! be read on any other.
//!
//! A clone copies one pointer, so it is a cheap capture. The first change after
//! it copies the directory's root, one chunk and one node; everything else
//! stays shared. Growth splits one node at a time: there is no rehash pause.
//!
//! INVARIANT: with `n` nodes and `L = floor(log2(n))`, a field of hash `h` is
//! in node `h mod 2^(L+1)` if that is below `n`, else in `h mod 2^L`. So a node
//! holds the fields that agree in their low bits; in the order of *bit-reversed*
//! hashes it is one contiguous range, and a position in that order means the
//! same however many nodes there are. That is what a scan's cursor is.

use super::HashEntry;
use super::packed::{self, Entries, Removed};
use std::sync::Arc;
use thermocline_base::{DatabaseId, HashSeed, Random, UnixMillis};

/// Nodes are split so that they hold this many bytes on average at most; a node
/// about to be split then holds some 700. More would make a look at a node, which walks
/// its entries, dearer than a miss of the cache; fewer would waste memory.
const NODE_LOAD_BYTES: usize = 512;

/// A single entry counts for no less and no more than this: many tiny ones make a long
/// walk too, and one huge value would ask for many empty nodes.
const ENTRY_LOAD_BYTES: std::ops::RangeInclusive<usize> = 16..=NODE_LOAD_BYTES;

/// What an entry of so many bytes counts for.
fn load_bytes(entry_bytes: usize) -> usize {
    entry_bytes.clamp(*ENTRY_LOAD_BYTES.start(), *ENTRY_LOAD_BYTES.end())
}

/// Nodes a chunk of the directory refers to.
const CHUNK_NODES: usize = 256;

/// What an `Arc` adds to what it holds: two counters.
const ARC_BYTES: usize = 16;

/// Tries at a fair random field before a less fair one is taken.
const RANDOM_TRIES: usize = 128;

#[derive(Clone, Debug, Default)]
struct Node {
    count: usize,
    body: Vec<u8>,
}

impl Node {
    const fn heap_bytes(&self) -> usize {
        ARC_BYTES + size_of::<Self>() + size_of::<Arc<Self>>() + self.body.capacity()
    }
}

type Chunk = Vec<Arc<Node>>;

/// A hash of any size. Its clone is a capture: later changes to either are not
/// seen by the other.
#[derive(Clone, Debug)]
pub struct FullHash {
    seed: HashSeed,
    chunks: Arc<Vec<Arc<Chunk>>>,
    nodes: usize,
    fields: usize,
    load_bytes: usize,
    heap_bytes: usize,
    expiring: usize,
    /// Not above the expiry of any field; meaningless without expiring fields.
    earliest: UnixMillis,
    /// Not below the count of any node.
    node_count_bound: usize,
}

impl FullHash {
    /// An empty hash whose fields are spread by `seed`.
    #[must_use]
    pub fn new(seed: HashSeed) -> Self {
        let node = Arc::new(Node::default());
        Self {
            seed,
            heap_bytes: node.heap_bytes(),
            chunks: Arc::new(vec![Arc::new(vec![node])]),
            nodes: 1,
            fields: 0,
            load_bytes: 0,
            expiring: 0,
            earliest: UnixMillis(i64::MAX),
            node_count_bound: 0,
        }
    }

    /// The seed that spreads its fields.
    #[must_use]
    pub const fn seed(&self) -> HashSeed {
        self.seed
    }

    /// How many fields it holds, expired ones included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fields
    }

    /// Whether it holds no field.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// The bytes its nodes take on the heap, as this root sees them: nodes
    /// shared with a capture count in both.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// How many fields carry an expiry.
    #[must_use]
    pub const fn expiring(&self) -> usize {
        self.expiring
    }

    /// A time not after the earliest expiry; `None` without expiring fields.
    #[must_use]
    pub fn earliest_expiry_hint(&self) -> Option<UnixMillis> {
        (self.expiring > 0).then_some(self.earliest)
    }

    fn hash(&self, field: &[u8]) -> u64 {
        self.seed.hash(DatabaseId(0), field).0
    }

    const fn level(&self) -> u32 {
        self.nodes.ilog2()
    }

    fn node_of(&self, hash: u64) -> usize {
        let mask = (2_usize << self.level()) - 1;
        let node = hash as usize & mask;
        if node < self.nodes {
            node
        } else {
            node & (mask >> 1)
        }
    }

    /// How many low hash bits the fields of `node` share.
    const fn bits_of(&self, node: usize) -> u32 {
        let level = self.level();
        let whole = 1 << level;
        if node < self.nodes - whole || node >= whole {
            level + 1
        } else {
            level
        }
    }

    fn node(&self, node: usize) -> &Node {
        &self.chunks[node / CHUNK_NODES][node % CHUNK_NODES]
    }

    /// Changes one node, copying what a capture shares.
    fn change<R>(&mut self, node: usize, change: impl FnOnce(&mut Node) -> R) -> R {
        let chunk = &mut Arc::make_mut(&mut self.chunks)[node / CHUNK_NODES];
        let slot = &mut Arc::make_mut(chunk)[node % CHUNK_NODES];
        let before = slot.heap_bytes();
        let node = Arc::make_mut(slot);
        let result = change(node);
        if node.body.capacity() > 64 + 2 * node.body.len() {
            node.body.shrink_to_fit();
        }
        self.heap_bytes = self.heap_bytes - before + node.heap_bytes();
        self.node_count_bound = self.node_count_bound.max(node.count);
        result
    }

    /// The entry of `field`, expired or not.
    #[must_use]
    pub fn get(&self, field: &[u8]) -> Option<HashEntry<'_>> {
        let node = self.node(self.node_of(self.hash(field)));
        packed::find(&node.body, field).map(|(_, entry)| entry)
    }

    fn forget(&mut self, removed: Removed) {
        self.fields -= 1;
        self.load_bytes -= load_bytes(removed.entry_bytes);
        self.expiring -= usize::from(removed.expiry.is_some());
    }

    /// Sets a field with its value and expiry; whether the field is new.
    pub fn set(&mut self, entry: HashEntry<'_>) -> bool {
        let at = self.node_of(self.hash(entry.0));
        let (removed, added_bytes) = self.change(at, |node| {
            let before = node.body.len();
            let removed = packed::set(&mut node.body, entry);
            node.count += usize::from(removed.is_none());
            let gone = removed.map_or(0, |removed| removed.entry_bytes);
            (removed, node.body.len() + gone - before)
        });
        if let Some(removed) = removed {
            self.forget(removed);
        }
        self.count_in(added_bytes, entry.2);
        removed.is_none()
    }

    /// Sets a field without an expiry unless it is there; whether it was not. Copies
    /// nothing where it is.
    pub(crate) fn set_if_absent(&mut self, field: &[u8], value: &[u8]) -> bool {
        let at = self.node_of(self.hash(field));
        if packed::find(&self.node(at).body, field).is_some() {
            return false;
        }
        let added_bytes = self.change(at, |node| {
            node.count += 1;
            packed::append(&mut node.body, (field, value, None))
        });
        self.count_in(added_bytes, None);
        true
    }

    /// Counts an entry that was added, and makes room for more.
    fn count_in(&mut self, entry_bytes: usize, expiry: Option<UnixMillis>) {
        self.fields += 1;
        self.load_bytes += load_bytes(entry_bytes);
        if let Some(expiry) = expiry {
            self.earliest = if self.expiring == 0 {
                expiry
            } else {
                self.earliest.min(expiry)
            };
            self.expiring += 1;
        }
        while self.load_bytes > self.nodes * NODE_LOAD_BYTES {
            self.split();
        }
    }

    /// Removes a field; whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let at = self.node_of(self.hash(field));
        let found = packed::find(&self.node(at).body, field);
        let Some((bytes, (.., expiry))) = found else {
            return false;
        };
        let entry_bytes = bytes.len();
        self.change(at, |node| {
            node.body.drain(bytes);
            node.count -= 1;
        });
        self.forget(Removed {
            entry_bytes,
            expiry,
        });
        // A quarter full, well under where it splits, so that it cannot swing.
        while self.nodes > 1 && self.load_bytes * 4 < self.nodes * NODE_LOAD_BYTES {
            self.merge();
        }
        true
    }

    /// Adds one node and moves to it the fields of its source that belong there.
    fn split(&mut self) {
        let level = self.level();
        let source = self.nodes - (1 << level);
        let seed = self.seed;
        let moved = self.change(source, |node| {
            let (mut stay, mut moved) = (Node::default(), Node::default());
            for (at, entry) in Entries::new(&node.body) {
                let hash = seed.hash(DatabaseId(0), entry.0).0;
                let to = if hash >> level & 1 == 1 {
                    &mut moved
                } else {
                    &mut stay
                };
                to.body.extend_from_slice(&node.body[at]);
                to.count += 1;
            }
            stay.body.shrink_to_fit();
            moved.body.shrink_to_fit();
            *node = stay;
            moved
        });
        self.heap_bytes += moved.heap_bytes();
        let chunks = Arc::make_mut(&mut self.chunks);
        if self.nodes.is_multiple_of(CHUNK_NODES) {
            chunks.push(Arc::default());
        }
        let chunk = &mut chunks[self.nodes / CHUNK_NODES];
        Arc::make_mut(chunk).push(Arc::new(moved));
        self.nodes += 1;
    }

    /// Takes the last node away, giving its fields back to its source.
    fn merge(&mut self) {
        let last = self.nodes - 1;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(&mut chunks[last / CHUNK_NODES]);
        let Some(taken) = chunk.pop() else { return };
        if chunk.is_empty() {
            chunks.pop();
        }
        self.heap_bytes -= taken.heap_bytes();
        self.nodes = last;
        let source = last - (1 << self.level());
        self.change(source, |node| {
            node.body.extend_from_slice(&taken.body);
            node.count += taken.count;
        });
    }

    /// All entries, expired ones included, in the order of the nodes.
    pub fn iter(&self) -> impl Iterator<Item = HashEntry<'_>> + Clone {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.iter())
            .flat_map(|node| Entries::new(&node.body))
            .map(|(_, entry)| entry)
    }

    /// Visits the entries at and after `cursor`, whole nodes, until at least
    /// `count` were visited; the cursor to go on from, 0 at the end. A field
    /// that is there throughout a scan is visited, whatever else changes.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(HashEntry<'a>),
    ) -> u64 {
        let mut cursor = cursor;
        let mut visited = 0;
        // Empty nodes are bounded too, so that one call never walks them all.
        let mut nodes_left = count.saturating_mul(10).max(16);
        loop {
            let at = self.node_of(cursor.reverse_bits());
            // The range of this node begins at the top bits and is this long.
            let bits = self.bits_of(at);
            let span = 1_u64.checked_shl(64 - bits).unwrap_or(0);
            let begin = cursor & !span.wrapping_sub(1);
            for (_, entry) in Entries::new(&self.node(at).body) {
                if cursor == begin || self.hash(entry.0).reverse_bits() >= cursor {
                    visited += 1;
                    visit(entry);
                }
            }
            cursor = begin.wrapping_add(span);
            nodes_left -= 1;
            if cursor == 0 || visited >= count || nodes_left == 0 {
                return cursor;
            }
        }
    }

    /// A random entry among those `wanted`: every field as likely as another,
    /// unless nearly all nodes are much emptier than the fullest ever was.
    pub fn random<'a>(
        &'a self,
        random: &mut Random,
        wanted: impl Fn(&HashEntry<'a>) -> bool,
    ) -> Option<HashEntry<'a>> {
        if self.is_empty() {
            return None;
        }
        for _ in 0..RANDOM_TRIES {
            let node = self.node(random.below(self.nodes as u64) as usize);
            let nth = random.below(self.node_count_bound as u64) as usize;
            // A place above the node's count is a miss: so a fuller node is
            // taken in proportion to its fields.
            let found = Entries::new(&node.body).nth(nth).map(|(_, entry)| entry);
            if let Some(entry) = found.filter(|entry| wanted(entry)) {
                return Some(entry);
            }
        }
        let skip = random.below(self.fields as u64) as usize;
        let mut turned = self.iter().skip(skip).chain(self.iter().take(skip));
        turned.find(|entry| wanted(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn filled(fields: std::ops::Range<usize>) -> FullHash {
        let mut hash = FullHash::new(HashSeed(7));
        for field in fields {
            hash.set((format!("field-{field}").as_bytes(), b"some value", None));
        }
        hash
    }

    fn assert_counts_are_true(hash: &FullHash) {
        let nodes = || hash.chunks.iter().flat_map(|chunk| chunk.iter());
        assert_eq!(nodes().count(), hash.nodes);
        assert_eq!(nodes().map(|node| node.count).sum::<usize>(), hash.fields);
        assert_eq!(hash.iter().count(), hash.fields);
        assert_eq!(
            nodes().map(|node| node.heap_bytes()).sum::<usize>(),
            hash.heap_bytes
        );
        assert!(hash.iter().all(|entry| hash.get(entry.0) == Some(entry)));
    }

    #[test]
    fn grows_and_shrinks_by_single_nodes_with_true_counts() {
        let mut hash = filled(0..30_000);
        assert!(hash.nodes > CHUNK_NODES);
        assert_counts_are_true(&hash);
        for field in 100..30_000 {
            assert!(hash.remove(format!("field-{field}").as_bytes()));
        }
        assert!(!hash.remove(b"field-200"));
        assert!(hash.nodes < 20);
        assert_eq!(hash.len(), 100);
        assert_counts_are_true(&hash);
    }

    #[test]
    fn a_clone_is_a_capture_and_shares_what_did_not_change() {
        let mut hash = filled(0..20_000);
        let capture = hash.clone();
        let before: BTreeSet<Vec<u8>> = capture.iter().map(|entry| entry.0.to_vec()).collect();
        hash.set((b"new", b"value", None));
        hash.remove(b"field-3");
        let shared = (0..capture.nodes.min(hash.nodes))
            .filter(|&node| std::ptr::eq(capture.node(node), hash.node(node)))
            .count();
        assert!(shared + 5 > capture.nodes);
        for field in 0..20_000 {
            hash.remove(format!("field-{field}").as_bytes());
        }
        let after: BTreeSet<Vec<u8>> = capture.iter().map(|entry| entry.0.to_vec()).collect();
        assert_eq!(before, after);
        assert_counts_are_true(&capture);
        assert_counts_are_true(&hash);
    }

    #[test]
    fn scan_visits_every_field_that_stays_while_the_table_grows_and_shrinks() {
        for grow in [true, false] {
            let mut hash = filled(0..if grow { 500 } else { 20_000 });
            let mut seen = BTreeSet::new();
            let (mut cursor, mut step) = (0, 500);
            loop {
                cursor = hash.scan(cursor, 10, |entry| {
                    seen.insert(entry.0.to_vec());
                });
                if cursor == 0 {
                    break;
                }
                for _ in 0..200 {
                    let field = format!("field-{step}");
                    if grow && step < 20_000 {
                        hash.set((field.as_bytes(), b"some value", None));
                    } else if !grow {
                        hash.remove(field.as_bytes());
                    }
                    step += 1;
                }
            }
            for field in 0..500 {
                assert!(seen.contains(format!("field-{field}").as_bytes()));
            }
        }
    }

    #[test]
    fn any_cursor_is_taken() {
        let hash = filled(0..1000);
        for cursor in [1, u64::MAX, 1 << 63, 0x1234_5678_9abc_def0] {
            hash.scan(cursor, 5, |_| ());
        }
        assert_eq!(filled(0..3).scan(u64::MAX, 1, |_| ()), 0);
    }

    #[test]
    fn random_reaches_every_field_evenly_enough() {
        let hash = filled(0..300);
        let mut random = Random::new(1);
        let mut hits = std::collections::BTreeMap::new();
        for _ in 0..30_000 {
            let entry = hash.random(&mut random, |_| true);
            *hits.entry(entry.map(|entry| entry.0)).or_insert(0) += 1;
        }
        assert_eq!(hits.len(), 300);
        assert!(hits.values().all(|&hits| hits > 40 && hits < 200));
    }
}
