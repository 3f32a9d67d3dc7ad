//! A map ordered by stream id, cut into chunks that captures share.
//!
//! Owns the chunks and counts their memory. Does not know what it maps to. Its clone is O(1)
//! and is a capture; a change copies one chunk, and the directory of chunks once for each
//! capture. Runs on whichever thread holds the shard, or holds a capture.
//!
//! INVARIANT: ids ascend strictly, and no chunk is empty.

use super::StreamId;
use std::sync::Arc;

/// Entries of a chunk before it is split.
const CHUNK_ENTRIES: usize = 128;
/// The two counters of an `Arc` and the vector behind them, bytes.
const SHELL_BYTES: usize = 16 + size_of::<Vec<u8>>();

type Chunk<V> = Vec<(StreamId, V)>;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Ordered<V> {
    chunks: Arc<Vec<Arc<Chunk<V>>>>,
    len: usize,
    /// Memory of the chunks, without the directory.
    chunk_bytes: usize,
}

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self {
            chunks: Arc::default(),
            len: 0,
            chunk_bytes: 0,
        }
    }
}

impl<V: PartialEq> PartialEq for Ordered<V> {
    fn eq(&self, other: &Self) -> bool {
        // Where chunks were split is history, not content.
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<V: Eq> Eq for Ordered<V> {}

fn chunk_bytes<V>(chunk: &Chunk<V>) -> usize {
    SHELL_BYTES + chunk.capacity() * size_of::<(StreamId, V)>()
}

impl<V> Ordered<V> {
    /// How many entries. O(1).
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap, without what the values have there. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        SHELL_BYTES + self.chunks.capacity() * size_of::<Arc<Chunk<V>>>() + self.chunk_bytes
    }

    /// The chunk where `id` is or would be.
    fn chunk_of(&self, id: StreamId) -> usize {
        let begins = |chunk: &Arc<Chunk<V>>| chunk.first().is_some_and(|(first, _)| *first <= id);
        self.chunks.partition_point(begins).saturating_sub(1)
    }

    /// Where in its chunk `id` is, or would be.
    fn place(chunk: &Chunk<V>, id: StreamId) -> Result<usize, usize> {
        chunk.binary_search_by(|(other, _)| other.cmp(&id))
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&V> {
        let chunk = self.chunks.get(self.chunk_of(id))?;
        let at = Self::place(chunk, id).ok()?;
        chunk.get(at).map(|(_, value)| value)
    }

    pub(super) fn first(&self) -> Option<(StreamId, &V)> {
        self.iter().next()
    }

    pub(super) fn last(&self) -> Option<(StreamId, &V)> {
        self.chunks.last()?.last().map(|(id, value)| (*id, value))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (StreamId, &V)> {
        let all = self.chunks.iter().flat_map(|chunk| chunk.iter());
        all.map(|(id, value)| (*id, value))
    }

    /// The entries at and after `id`, in order.
    pub(super) fn starting_at(&self, id: StreamId) -> impl Iterator<Item = (StreamId, &V)> {
        let from = self.chunks.get(self.chunk_of(id)..).unwrap_or_default();
        let all = from.iter().flat_map(|chunk| chunk.iter());
        // Only the first chunk has any before it.
        all.skip_while(move |(other, _)| *other < id)
            .map(|(id, value)| (*id, value))
    }

    /// The entries at and before `id`, the last first.
    pub(super) fn back_from(&self, id: StreamId) -> impl Iterator<Item = (StreamId, &V)> {
        let end = self.chunk_of(id).saturating_add(1).min(self.chunks.len());
        let upto = self.chunks.get(..end).unwrap_or_default();
        let all = upto.iter().rev().flat_map(|chunk| chunk.iter().rev());
        all.skip_while(move |(other, _)| *other > id)
            .map(|(id, value)| (*id, value))
    }
}

impl<V: Clone> Ordered<V> {
    /// Changes a chunk, keeping count of its memory; an empty one goes.
    fn change<T>(&mut self, at: usize, change: impl FnOnce(&mut Chunk<V>) -> T) -> Option<T> {
        let chunks = Arc::make_mut(&mut self.chunks);
        let slot = chunks.get_mut(at)?;
        let before = chunk_bytes(slot);
        let chunk = Arc::make_mut(slot);
        let result = change(chunk);
        self.chunk_bytes = self.chunk_bytes + chunk_bytes(chunk) - before;
        if chunk.is_empty() {
            self.chunk_bytes -= chunk_bytes(chunk);
            chunks.remove(at);
        }
        Some(result)
    }

    /// Puts a value at `id`; the one that was there.
    pub(super) fn insert(&mut self, id: StreamId, value: V) -> Option<V> {
        if self.chunks.is_empty() {
            self.add_chunk(0, vec![(id, value)]);
            self.len = 1;
            return None;
        }
        let at = self.chunk_of(id);
        let old = self.change(at, |chunk| match Self::place(chunk, id) {
            Ok(place) => Some(std::mem::replace(&mut chunk[place].1, value)),
            Err(place) => {
                chunk.insert(place, (id, value));
                None
            }
        })?;
        self.len += usize::from(old.is_none());
        if self
            .chunks
            .get(at)
            .is_some_and(|chunk| chunk.len() > CHUNK_ENTRIES)
        {
            self.split(at);
        }
        old
    }

    fn split(&mut self, at: usize) {
        // Entries that come in order leave full chunks behind.
        let is_last = at + 1 == self.chunks.len();
        let keep = if is_last {
            CHUNK_ENTRIES
        } else {
            CHUNK_ENTRIES / 2
        };
        let upper = self.change(at, |chunk| {
            let upper = chunk.split_off(keep.min(chunk.len()));
            chunk.shrink_to_fit();
            upper
        });
        if let Some(upper) = upper.filter(|upper| !upper.is_empty()) {
            self.add_chunk(at + 1, upper);
        }
    }

    fn add_chunk(&mut self, at: usize, chunk: Chunk<V>) {
        self.chunk_bytes += chunk_bytes(&chunk);
        Arc::make_mut(&mut self.chunks).insert(at, Arc::new(chunk));
    }

    /// Takes the value at `id` away.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<V> {
        self.get(id)?;
        let at = self.chunk_of(id);
        let removed = self.change(at, |chunk| {
            let place = Self::place(chunk, id).ok()?;
            let removed = chunk.remove(place).1;
            if chunk.capacity() > 4 + 2 * chunk.len() {
                chunk.shrink_to_fit();
            }
            Some(removed)
        })??;
        self.len -= 1;
        Some(removed)
    }

    /// Changes the value at `id`; `None` if there is none.
    pub(super) fn update<T>(
        &mut self,
        id: StreamId,
        change: impl FnOnce(&mut V) -> T,
    ) -> Option<T> {
        self.get(id)?;
        let at = self.chunk_of(id);
        self.change(at, |chunk| {
            let place = Self::place(chunk, id).ok()?;
            Some(change(&mut chunk[place].1))
        })?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use thermocline_base::Random;

    fn id(number: u64) -> StreamId {
        StreamId::new(number / 7, number % 7)
    }

    fn assert_true_counts<V>(map: &Ordered<V>) {
        assert_eq!(map.iter().count(), map.len());
        let bytes: usize = map.chunks.iter().map(|chunk| chunk_bytes(chunk)).sum();
        assert_eq!(bytes, map.chunk_bytes);
        assert!(
            map.chunks
                .iter()
                .all(|chunk| (1..=CHUNK_ENTRIES).contains(&chunk.len()))
        );
        assert!(
            map.iter()
                .map(|(id, _)| id)
                .is_sorted_by(|one, two| one < two)
        );
    }

    #[test]
    fn behaves_as_a_plain_map_and_leaves_captures_alone() {
        let mut random = Random::new(5);
        let (mut map, mut model) = (Ordered::default(), BTreeMap::new());
        for step in 0..20_000_u64 {
            let key = id(random.below(3000));
            if random.chance(3) || step % 4000 > 3000 {
                assert_eq!(map.remove(key), model.remove(&key));
            } else {
                assert_eq!(map.insert(key, step), model.insert(key, step));
            }
            if step % 1000 == 0 {
                let (capture, before) = (map.clone(), model.clone());
                map.update(key, |value| *value += 1);
                model.entry(key).and_modify(|value| *value += 1);
                let entries: Vec<_> = before.iter().map(|(id, value)| (*id, value)).collect();
                assert_eq!(capture.iter().collect::<Vec<_>>(), entries);
                assert_true_counts(&map);
                assert_true_counts(&capture);
                let from: Vec<_> = map
                    .starting_at(key)
                    .map(|(id, value)| (id, *value))
                    .collect();
                let expected = model.range(key..).map(|(id, value)| (*id, *value));
                assert_eq!(from, expected.collect::<Vec<_>>());
                let back: Vec<_> = map.back_from(key).map(|(id, _)| id).collect();
                let expected: Vec<_> = model.range(..=key).rev().map(|(id, _)| *id).collect();
                assert_eq!(back, expected);
            }
            assert_eq!(map.get(key), model.get(&key));
        }
        assert_eq!(map.first().map(|(id, _)| id), model.keys().next().copied());
        assert_eq!(map.last().map(|(id, _)| id), model.keys().last().copied());
    }

    #[test]
    fn ids_in_order_fill_their_chunks() {
        let mut map = Ordered::default();
        (0..10_000).for_each(|number| {
            map.insert(id(number), ());
        });
        assert_eq!(map.chunks.len(), 10_000_usize.div_ceil(CHUNK_ENTRIES));
        assert_true_counts(&map);
    }
}
