//! The keys of one shard and one database: the index with the records its hot
//! slots point to.
//!
//! Owns the records: each hot slot holds the only pointer to one, and dropping
//! the table frees them all. Counts their memory. Does not own what a value
//! means, nor large objects, which a record names by number. Under the shard's
//! lock, any thread.
//!
//! INVARIANT: `record_bytes` is the sum of [`Record::allocated_bytes`] over the
//! hot slots, `hot` their number, `expiring` how many of them expire.
#![expect(
    unsafe_code,
    reason = "a slot holds a record as a 48-bit number; this module pairs the two"
)]

use super::{Index, Location, Position, Slot};
use crate::address::Address;
use crate::record::{BorrowedRecord, RawRecord, Record};
use smallvec::SmallVec;
use thermocline_base::{DatabaseId, HashSeed, KeyHash};

/// Keys in a bucket, as they are filled on average.
const NEIGHBOURS_PER_BUCKET: usize = 6;
/// Most buckets, a cache line each, that a first read looks through.
const MARKS_BUCKETS_MAX: usize = 8;

/// A slot that may be the key: its place and where its record is.
pub type Candidate = (Position, Address);

/// What the index knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is in memory, at this place.
    Hot(Position),
    /// It is not in memory; these slots may be its, if any.
    Cold(SmallVec<[Candidate; 1]>),
}

/// See the module.
pub struct KeyTable {
    database: DatabaseId,
    seed: HashSeed,
    index: Index,
    record_bytes: usize,
    hot: usize,
    expiring: usize,
}

impl KeyTable {
    /// A table without keys, which allocates nothing.
    #[must_use]
    pub fn new(database: DatabaseId, seed: HashSeed) -> Self {
        Self {
            database,
            seed,
            index: Index::new(),
            record_bytes: 0,
            hot: 0,
            expiring: 0,
        }
    }

    /// Whose keys these are.
    #[must_use]
    pub const fn database(&self) -> DatabaseId {
        self.database
    }

    /// How many keys there are, hot and cold.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many keys are in memory.
    #[must_use]
    pub const fn hot(&self) -> usize {
        self.hot
    }

    /// How many keys in memory expire.
    #[must_use]
    pub const fn expiring(&self) -> usize {
        self.expiring
    }

    /// Memory of the records, bytes.
    #[must_use]
    pub const fn record_bytes(&self) -> usize {
        self.record_bytes
    }

    /// Memory of the index, bytes.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.index.memory_bytes()
    }

    /// Looks the key up.
    #[must_use]
    pub fn find(&self, hash: KeyHash, key: &[u8]) -> Found {
        let mut hot = None;
        let mut cold = SmallVec::new();
        self.index.for_each_match(hash, |position, slot| {
            match slot.location() {
                // SAFETY: see `borrow`; the record is only compared here.
                Some(Location::Hot(raw)) if unsafe { raw.borrow() }.key() == key => {
                    hot = Some(position);
                }
                Some(Location::Cold(address)) => cold.push((position, address)),
                _ => {}
            }
        });
        hot.map_or(Found::Cold(cold), Found::Hot)
    }

    /// Asks the processor for the bucket of `hash`.
    pub fn prefetch_bucket(&self, hash: KeyHash) {
        self.index.lines(hash, prefetch);
    }

    /// Asks the processor for the record that `hash` may lead to.
    pub fn prefetch_record(&self, hash: KeyHash) {
        self.index.for_each_match(hash, |_, slot| {
            if let Some(Location::Hot(raw)) = slot.location() {
                prefetch(raw.as_ptr());
            }
        });
    }

    /// The slot at `position`, which is valid.
    #[must_use]
    pub fn slot(&self, position: Position) -> Slot {
        self.index.get(position)
    }

    /// Sets how often the key at `position` was used lately.
    pub fn set_frequency(&mut self, position: Position, frequency: u8) {
        let slot = self.index.get(position);
        if slot.frequency() != frequency {
            self.index.set(position, slot.with_frequency(frequency));
        }
    }

    /// Notes the first read of a cold key: a second one will bring it up if it
    /// comes soon.
    ///
    /// What is soon is told by the key's neighbours: each first read takes the
    /// mark of as many others as makes a mark last, on average, for as many
    /// cold reads as there are keys in memory. A key read less often would push
    /// out one that is read as often as itself; under a uniform load that is
    /// every key, and all its promotions would be in vain. While `has_room`,
    /// nothing is pushed out, and marks last.
    pub fn mark_cold(&mut self, position: Position, has_room: bool) {
        if !has_room {
            let per_bucket = self.hot.max(1) * NEIGHBOURS_PER_BUCKET;
            let buckets = (self.len() / per_bucket).clamp(1, MARKS_BUCKETS_MAX);
            self.index.age_cold_near(position, buckets);
        }
        self.set_frequency(position, 1);
    }

    fn raw(&self, position: Position) -> Option<RawRecord> {
        match self.index.get(position).location() {
            Some(Location::Hot(raw)) => Some(raw),
            _ => None,
        }
    }

    /// The record at `position`, if its slot is hot.
    #[must_use]
    pub fn record(&self, position: Position) -> Option<BorrowedRecord<'_>> {
        // SAFETY: a hot slot's record lives until the slot is replaced or
        // removed, or the record is changed; all of those take `&mut self`.
        self.raw(position).map(|raw| unsafe { raw.borrow() })
    }

    /// The record of a hot slot's `raw` pointer that this table yielded and
    /// that has not been changed since.
    fn borrow(&self, raw: RawRecord) -> BorrowedRecord<'_> {
        // SAFETY: only called with pointers just taken from this table's slots.
        unsafe { raw.borrow() }
    }

    /// Changes the record at `position`; nothing happens if its slot is not
    /// hot. The slot follows a record that moves.
    pub fn change(&mut self, position: Position, change: impl FnOnce(&mut Record)) {
        let slot = self.index.get(position);
        let Some(Location::Hot(raw)) = slot.location() else {
            return;
        };
        // SAFETY: the slot held the only pointer, and `&mut self` says that
        // nothing borrows the record. It goes back into the slot below; if
        // `change` panics the process ends (the daemon aborts) or the slot
        // dangles in a test that has failed already.
        let mut record = unsafe { Record::from_raw(raw) };
        self.record_bytes -= record.allocated_bytes();
        self.expiring -= usize::from(record.expiry().is_some());
        change(&mut record);
        self.record_bytes += record.allocated_bytes();
        self.expiring += usize::from(record.expiry().is_some());
        let moved = record.into_raw();
        if moved != raw {
            let hash = self.seed.hash(self.database, self.borrow(moved).key());
            let slot = Slot::hot(moved, hash).with_frequency(slot.frequency());
            self.index.set(position, slot);
        }
    }

    /// Adds a key that has no slot.
    pub fn insert(&mut self, hash: KeyHash, record: Record) {
        self.count(&record);
        let slot = Slot::hot(record.into_raw(), hash);
        self.insert_slot(hash, slot);
    }

    /// Adds a key of which only the slot is in memory, as an image has it;
    /// only the stored bits of `hash` are used.
    pub fn insert_cold(&mut self, hash: KeyHash, slot: Slot) {
        debug_assert!(matches!(slot.location(), Some(Location::Cold(_))));
        self.insert_slot(hash, slot);
    }

    fn insert_slot(&mut self, hash: KeyHash, slot: Slot) {
        let (seed, database) = (self.seed, self.database);
        self.index
            .insert(hash, slot, &|raw| hash_of(seed, database, raw));
    }

    fn count(&mut self, record: &Record) {
        self.record_bytes += record.allocated_bytes();
        self.hot += 1;
        self.expiring += usize::from(record.expiry().is_some());
    }

    /// Frees the record of a hot slot that is no longer in the index.
    fn release(&mut self, slot: Slot) {
        if let Some(Location::Hot(raw)) = slot.location() {
            // SAFETY: the slot was this table's and is gone, so this is the
            // only pointer left.
            let record = unsafe { Record::from_raw(raw) };
            self.record_bytes -= record.allocated_bytes();
            self.hot -= 1;
            self.expiring -= usize::from(record.expiry().is_some());
        }
    }

    /// The key at `position` is this record, whatever it was; its frequency
    /// stays. Positions stay valid.
    pub fn replace(&mut self, position: Position, hash: KeyHash, record: Record) {
        let old = self.index.get(position);
        self.count(&record);
        let slot = Slot::hot(record.into_raw(), hash).with_frequency(old.frequency());
        self.index.set(position, slot);
        self.release(old);
    }

    /// Only the slot of the key at `position` stays in memory.
    pub fn sink(&mut self, position: Position, hash: KeyHash, address: Address) {
        let old = self.index.get(position);
        let slot = Slot::cold(address, hash).with_frequency(old.frequency());
        self.index.set(position, slot);
        self.release(old);
    }

    /// The cold key at `position` has moved on the tier; only the stored bits
    /// of `hash` are used.
    pub fn relocate(&mut self, position: Position, hash: KeyHash, address: Address) {
        let frequency = self.index.get(position).frequency();
        let slot = Slot::cold(address, hash).with_frequency(frequency);
        self.index.set(position, slot);
    }

    /// Removes the key at `position`.
    pub fn remove(&mut self, position: Position) {
        let old = self.index.remove(position);
        self.release(old);
    }

    /// How many segments the index has, for [`KeyTable::segment`].
    #[must_use]
    pub fn segments(&self) -> usize {
        self.index.segments()
    }

    /// Gives the memory of segments from `first` on back, which hold no key.
    /// Only for a table that is being taken apart: nothing else works after.
    pub fn drop_segments(&mut self, first: usize) {
        self.index.truncate_segments(first);
    }

    /// The keys of one segment of the index, at most 448.
    #[must_use]
    pub fn segment(&self, segment: usize) -> SmallVec<[(Position, Slot); 64]> {
        self.index.segment_slots(segment).collect()
    }

    /// The hash of the key at `position`: from its record, or as much as a
    /// cold slot keeps of it.
    #[must_use]
    pub fn hash(&self, position: Position) -> Option<KeyHash> {
        let key = self.record(position)?;
        Some(self.seed.hash(self.database, key.key()))
    }

    /// Visits slots by stored hash, see [`Index::scan`].
    pub fn scan(
        &self,
        cursor: u32,
        count: usize,
        mut visit: impl FnMut(u32, Slot, Option<BorrowedRecord<'_>>),
    ) -> Option<u32> {
        let (seed, database) = (self.seed, self.database);
        let hasher = |raw| hash_of(seed, database, raw);
        self.index.scan(cursor, count, &hasher, |stored, slot| {
            match slot.location() {
                Some(Location::Hot(raw)) => visit(stored, slot, Some(self.borrow(raw))),
                _ => visit(stored, slot, None),
            }
        })
    }
}

/// A hint that the line at `address` is read soon.
fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing the program can see and faults on no
    // address; SSE is part of the architecture.
    unsafe {
        std::arch::x86_64::_mm_prefetch(address.cast(), std::arch::x86_64::_MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

fn hash_of(seed: HashSeed, database: DatabaseId, raw: RawRecord) -> KeyHash {
    // SAFETY: only called by the index with pointers of its own hot slots,
    // whose records live; it is not kept.
    seed.hash(database, unsafe { raw.borrow() }.key())
}

impl Drop for KeyTable {
    fn drop(&mut self) {
        for segment in 0..self.index.segments() {
            for (_, slot) in self.segment(segment) {
                self.release(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordParts;
    use thermocline_base::UnixMillis;

    const DATABASE: DatabaseId = DatabaseId(3);
    const SEED: HashSeed = HashSeed(9);

    fn hash(key: &[u8]) -> KeyHash {
        SEED.hash(DATABASE, key)
    }

    fn record(key: &[u8], value: &[u8]) -> Record {
        Record::new(&RecordParts::new(1, key, value))
    }

    #[test]
    fn keys_sink_come_back_and_are_counted() {
        let mut table = KeyTable::new(DATABASE, SEED);
        for number in 0..5000_u32 {
            let key = number.to_le_bytes();
            table.insert(hash(&key), record(&key, &[7; 100]));
        }
        assert_eq!((table.len(), table.hot()), (5000, 5000));
        let full = table.record_bytes();
        for number in 0..2500_u32 {
            let key = number.to_le_bytes();
            let Found::Hot(position) = table.find(hash(&key), &key) else {
                panic!("key {number} is there");
            };
            let address = Address::new(number, 1).expect("in range");
            table.sink(position, hash(&key), address);
        }
        assert_eq!((table.len(), table.hot()), (5000, 2500));
        assert_eq!(table.record_bytes(), full / 2);
        for number in 0..2500_u32 {
            let key = number.to_le_bytes();
            let Found::Cold(candidates) = table.find(hash(&key), &key) else {
                panic!("key {number} is cold");
            };
            let (position, _) = *candidates
                .iter()
                .find(|(_, address)| address.page() == number)
                .expect("its slot is there");
            table.replace(position, hash(&key), record(&key, &[8; 100]));
        }
        assert_eq!(table.record_bytes(), full);
    }

    #[test]
    fn a_record_that_moves_is_found_again() {
        let mut table = KeyTable::new(DATABASE, SEED);
        table.insert(hash(b"key"), record(b"key", b"value"));
        let Found::Hot(position) = table.find(hash(b"key"), b"key") else {
            panic!("it is there");
        };
        table.change(position, |record| {
            record.set_value(2, &[1; 1000]);
            record.set_expiry(Some(UnixMillis(5)));
        });
        assert_eq!(table.expiring(), 1);
        let Found::Hot(position) = table.find(hash(b"key"), b"key") else {
            panic!("it is still there");
        };
        let found = table.record(position).map(|it| it.value().to_vec());
        assert_eq!(found, Some(vec![1; 1000]));
        table.remove(position);
        assert_eq!(
            (table.record_bytes(), table.expiring(), table.len()),
            (0, 0, 0)
        );
    }

    const HOT: u32 = 800;
    const COLD: u32 = 18_000;

    /// A table of [`HOT`] keys in memory and [`COLD`] on the tier.
    fn mostly_cold() -> KeyTable {
        let mut table = KeyTable::new(DATABASE, SEED);
        for number in 0..HOT + COLD {
            let key = number.to_le_bytes();
            table.insert(hash(&key), record(&key, b"value"));
        }
        for number in 0..COLD {
            let key = number.to_le_bytes();
            let Found::Hot(position) = table.find(hash(&key), &key) else {
                panic!("key {number} is there");
            };
            let address = Address::new(number, 1).expect("in range");
            table.sink(position, hash(&key), address);
        }
        table
    }

    /// Reads a cold key; whether it would come up. It stays where it is.
    fn read(table: &mut KeyTable, number: u32, has_room: bool) -> bool {
        let key = number.to_le_bytes();
        let Found::Cold(candidates) = table.find(hash(&key), &key) else {
            panic!("key {number} is cold");
        };
        let (position, _) = *candidates
            .iter()
            .find(|(_, address)| address.page() == number)
            .expect("its slot is there");
        if table.slot(position).frequency() > 0 {
            table.set_frequency(position, 0);
            return true;
        }
        table.mark_cold(position, has_room);
        false
    }

    #[test]
    fn a_uniform_load_brings_little_up() {
        let mut random = thermocline_base::Random::new(1);
        let mut come_up = |has_room| {
            let mut table = mostly_cold();
            let reads = 10 * u64::from(COLD);
            let uniform = (0..reads).map(|_| random.below(COLD.into()) as u32);
            let up = uniform.filter(|number| read(&mut table, *number, has_room));
            up.count() as f64 / reads as f64
        };
        let tight = come_up(false);
        assert!(tight > 0.01 && tight < 0.12, "{tight} of the reads");
        // Nothing is pushed out: each second read brings its key up.
        let roomy = come_up(true);
        assert!(roomy > 0.4, "{roomy} of the reads");
    }

    #[test]
    fn a_key_read_again_soon_comes_up_whatever_else_is_read() {
        let mut random = thermocline_base::Random::new(2);
        let mut table = mostly_cold();
        let (mut up, mut seconds) = (0, 0);
        for number in 0..COLD / 4 {
            assert!(!read(&mut table, number, false));
            // Others are read meanwhile, a tenth of what memory holds.
            for _ in 0..HOT / 10 {
                let other = COLD / 2 + random.below(u64::from(COLD / 2)) as u32;
                read(&mut table, other, false);
            }
            seconds += 1;
            up += u32::from(read(&mut table, number, false));
        }
        assert!(up * 10 > seconds * 7, "{up} of {seconds} second reads");
    }
}
