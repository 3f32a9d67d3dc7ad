//! The walk over all keys: the image's slots, the pages they lead to, and the
//! log's tail on top.
//!
//! Owns the batches: the slots of some shards, sorted by address, so that the
//! tier is read in order. Follows `crate::resolve`: the same effects count, and
//! one function applies them. One thread.
//!
//! INVARIANT: effects that need an old value are applied to nothing only if it
//! is sure that there was nothing: see `Lost`.

use super::pages::PageSource;
use super::{Offline, Tail, damage_of};
use crate::address::Address;
use crate::effect::KeyRef;
use crate::image;
use crate::index::Location;
use crate::pending::PendingEffect;
use crate::recovery;
use crate::resolve::{Valued, replay};
use crate::store::StoreError;
use crate::tier::{Corruption, Decompressor, Extent, PagePlace, TierRecord, page};
use std::collections::HashSet;
use std::ops::ControlFlow;
use thermocline_base::limits::SHARD_COUNT;
use thermocline_base::{DatabaseId, KeyHash, ShardId, UnixMillis};
use thermocline_types::{Form, Limits, Value, ValueRef};

/// How many slots are sorted by address together, at least: 16 MiB of them.
const BATCH_SLOTS: usize = 1 << 20;

/// How many keys that only the tail knows are listed at once.
const REST_KEYS: usize = 1024;

/// A key as it stands at the end of the log.
#[derive(Clone, Copy, Debug)]
pub struct OfflineKey<'a> {
    /// The number of its database.
    pub database: u8,
    /// The key.
    pub key: &'a [u8],
    /// What it holds.
    pub value: ValueRef<'a>,
    /// When it expires, or has expired: nobody looks at the clock here.
    pub expiry: Option<UnixMillis>,
}

/// What is told on the way.
pub trait KeyVisitor {
    /// The next key, in no order. A break ends the walk.
    fn key(&mut self, key: OfflineKey<'_>) -> ControlFlow<()>;

    /// Something is not what was written.
    fn damage(&mut self, damage: Corruption);

    /// The image names a record of `record_bytes` in the page or run at
    /// `place`, or the head of a long value names one of its parts there, and
    /// it is there; the log may have replaced it since.
    fn record(&mut self, place: PagePlace, record_bytes: usize) {
        let _ = (place, record_bytes);
    }

    /// Another slot of the image is done.
    fn progress(&mut self) {}
}

/// A slot with what makes it one of its shard and database. Ordered by address
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    address: Address,
    database: DatabaseId,
    shard: ShardId,
    stored: u32,
    /// Whether another slot of the database has the same bits of the hash.
    has_twin: bool,
}

/// What a slot knows of its key.
type Name = (DatabaseId, ShardId, u32);

impl Entry {
    const fn name(&self) -> Name {
        (self.database, self.shard, self.stored)
    }
}

/// Keys whose records are unknown because of damage.
#[derive(Default)]
struct Lost {
    /// Shards whose piece of the image is lost.
    shards: HashSet<ShardId>,
    /// Slots whose page is lost.
    slots: HashSet<Name>,
}

impl Lost {
    fn add(&mut self, slot: &Entry) {
        self.slots.insert(slot.name());
    }

    fn may_have(&self, database: DatabaseId, hash: KeyHash) -> bool {
        let shard = hash.shard();
        self.shards.contains(&shard) || self.slots.contains(&(database, shard, hash.stored()))
    }
}

struct Walk<'a> {
    offline: &'a Offline,
    tail: Tail,
    visitor: &'a mut dyn KeyVisitor,
    /// Reads the parts of long values, while the page of their head is held.
    parts: PageSource,
    decompressor: Decompressor,
    limits: Limits,
    lost: Lost,
    /// Keys of slots that have a twin.
    twins: HashSet<(DatabaseId, Vec<u8>)>,
}

impl Offline {
    /// Visits every key that is live at the end of the log, and takes the tail
    /// for it.
    ///
    /// # Errors
    /// If a dictionary of the manifest cannot be loaded.
    pub fn visit_keys(&self, tail: Tail, visitor: &mut dyn KeyVisitor) -> Result<(), StoreError> {
        let manifest = &self.manifest;
        let mut pages = PageSource::new(&self.disk, manifest);
        let mut walk = Walk {
            offline: self,
            tail,
            visitor,
            parts: PageSource::new(&self.disk, manifest),
            decompressor: Decompressor::new(&manifest.dictionaries)?,
            limits: Limits {
                field_seed: manifest.hash_seed,
                ..Limits::default()
            },
            lost: Lost::default(),
            twins: HashSet::new(),
        };
        let mut first = 0;
        while first < SHARD_COUNT {
            let (slots, end) = walk.gather(first)?;
            let mut groups = slots.chunk_by(|a, b| a.address == b.address);
            let walked = groups.try_for_each(|group| walk.resolve(&mut pages, group));
            if walked.is_break() || (first..end).try_for_each(|it| walk.rest_of(it)).is_break() {
                break;
            }
            walk.lost = Lost::default();
            walk.twins.clear();
            first = end;
        }
        Ok(())
    }
}

impl Walk<'_> {
    /// The slots of shards from `first` on, by address, and where to go on.
    fn gather(&mut self, first: usize) -> Result<(Vec<Entry>, usize), StoreError> {
        let mut slots = Vec::new();
        let mut shard = first;
        while shard < SHARD_COUNT && slots.len() < BATCH_SLOTS {
            self.gather_shard(ShardId(shard as u16), &mut slots)?;
            shard += 1;
        }
        slots.sort_unstable();
        Ok((slots, shard))
    }

    fn gather_shard(&mut self, shard: ShardId, slots: &mut Vec<Entry>) -> Result<(), StoreError> {
        let Some(directory) = &self.offline.directory else {
            self.lost.shards.insert(shard);
            return Ok(());
        };
        let Some(piece) = directory.of_shard(shard).last() else {
            return Ok(());
        };
        let databases = match recovery::read_pieces(&self.offline.disk, directory, shard) {
            Ok(databases) => databases,
            Err(error) => {
                self.lost.shards.insert(shard);
                let damage = damage_of(error, &image::file_name(piece.file))?;
                self.visitor.damage(damage);
                return Ok(());
            }
        };
        for (database, named) in databases {
            // A flushed database's keys are void.
            if self.tail.number_of(database).is_none() {
                continue;
            }
            let before = slots.len();
            for slot in named {
                let (Some(Location::Cold(address)), Some(stored)) =
                    (slot.location(), slot.cold_stored())
                else {
                    continue;
                };
                let mut has_twin = false;
                if slots.len() > before
                    && let Some(last) = slots.last_mut()
                    && last.stored == stored
                {
                    has_twin = true;
                    last.has_twin = true;
                }
                slots.push(Entry {
                    address,
                    database,
                    shard,
                    stored,
                    has_twin,
                });
            }
        }
        Ok(())
    }

    /// Reads an address, which all slots of `group` have, and yields the keys.
    fn resolve(&mut self, pages: &mut PageSource, group: &[Entry]) -> ControlFlow<()> {
        let Some(first) = group.first() else {
            return ControlFlow::Continue(());
        };
        let read = pages.read(first.address);
        let matched =
            read.and_then(|(place, bytes)| Ok((place, self.matches(group, place, bytes)?)));
        let (place, matches) = match matched {
            Ok(found) => found,
            Err(damage) => {
                group.iter().for_each(|slot| self.lost.add(slot));
                self.visitor.damage(damage);
                return ControlFlow::Continue(());
            }
        };
        for slots in group.chunk_by(|a, b| a.name() == b.name()) {
            let slot = slots[0];
            let mut found: Vec<_> = matches
                .iter()
                .filter(|(name, _)| *name == slot.name())
                .map(|(_, record)| record)
                .collect();
            // A dead record of another key may have the same bits: what was
            // written later lives.
            found.sort_by_key(|record| std::cmp::Reverse(record.lsn));
            if found.len() < slots.len() {
                self.lost.add(&slot);
                self.visitor.damage(Corruption {
                    file: place.segment.file_name(),
                    offset: place.offset(),
                    expected: format!(
                        "{} keys of shard {} with hash bits {:#010x}, as the image names them",
                        slots.len(),
                        slot.shard.0,
                        slot.stored
                    ),
                    found: format!("{} of them", found.len()),
                });
            }
            for record in found.into_iter().take(slots.len()) {
                self.visitor.record(place, record.encoded_bytes());
                match self.value_of(&slot, place, record) {
                    Ok(value) => {
                        let base = Some((value, record.expiry));
                        self.finish(slot.shard, record, base)?;
                    }
                    Err(damage) => {
                        self.lost.add(&slot);
                        self.visitor.damage(damage);
                    }
                }
            }
            slots.iter().for_each(|_| self.visitor.progress());
        }
        ControlFlow::Continue(())
    }

    /// The records of the page at `place` that slots of `group` may name, of
    /// each key the newest.
    fn matches<'p>(
        &self,
        group: &[Entry],
        place: PagePlace,
        bytes: &'p [u8],
    ) -> Result<Vec<(Name, TierRecord<'p>)>, Corruption> {
        let mut found: Vec<(Name, TierRecord<'p>)> = Vec::new();
        for record in page::records(bytes, place)? {
            let record = record?;
            if record.extent == Extent::Part {
                continue;
            }
            let hash = self
                .offline
                .manifest
                .hash_seed
                .hash(record.database, record.key);
            let name = (record.database, hash.shard(), hash.stored());
            if group.binary_search_by_key(&name, Entry::name).is_err() {
                continue;
            }
            let same = found
                .iter_mut()
                .find(|(_, it)| it.database == record.database && it.key == record.key);
            match same {
                Some((_, older)) if older.lsn <= record.lsn => *older = record,
                Some(_) => {}
                None => found.push((name, record)),
            }
        }
        Ok(found)
    }

    /// The value of a record, unless what is known of it contradicts itself.
    fn value_of(
        &mut self,
        slot: &Entry,
        place: PagePlace,
        record: &TierRecord<'_>,
    ) -> Result<Value, Corruption> {
        let damage = |expected, found| Corruption {
            file: place.segment.file_name(),
            offset: place.offset(),
            expected,
            found,
        };
        let end_lsn = self.offline.manifest.end_lsn;
        if record.lsn > end_lsn {
            let expected = format!("a record no newer than the image, whose log ends at {end_lsn}");
            return Err(damage(expected, format!("one of {}", record.lsn)));
        }
        if slot.has_twin && !self.twins.insert((record.database, record.key.to_vec())) {
            let expected = "a key that the image names once".to_owned();
            return Err(damage(expected, "one that it names twice".to_owned()));
        }
        let joined;
        let stored = match record.extent {
            Extent::Head => {
                let visitor = &mut *self.visitor;
                let mut found = |place, bytes| visitor.record(place, bytes);
                joined = self.parts.join(record, &mut found)?;
                record.value.with_stored(&joined)
            }
            Extent::Whole | Extent::Part => record.value,
        };
        let decoded = Form::from_u8(record.form)
            .map_err(|error| error.to_string())
            .and_then(|form| {
                let bytes = self.decompressor.decompress(stored);
                let bytes = bytes.map_err(|error| error.to_string())?;
                Value::deserialize(form, &bytes).map_err(|error| error.to_string())
            });
        decoded.map_err(|found| damage(format!("a value of form {}", record.form), found))
    }

    /// Applies the effects that count to a key with a record, and yields it.
    fn finish(&mut self, shard: ShardId, record: &TierRecord<'_>, base: Valued) -> ControlFlow<()> {
        let name = KeyRef {
            database: record.database,
            key: record.key,
        };
        let effects = self.tail.pending[shard.index()].take(name, Some(record.lsn));
        self.yield_key(name, base, &effects)
    }

    /// Yields the keys of a shard that only the log's tail knows.
    fn rest_of(&mut self, shard: usize) -> ControlFlow<()> {
        loop {
            let names = self.tail.pending[shard].some_keys(REST_KEYS);
            if names.is_empty() {
                return ControlFlow::Continue(());
            }
            for (database, key) in names {
                let name = KeyRef {
                    database,
                    key: &key,
                };
                let effects = self.tail.pending[shard].take(name, None);
                if let Some(damage) = self.lacks_its_record(name, effects.first()) {
                    self.visitor.damage(damage);
                } else {
                    self.yield_key(name, None, &effects)?;
                }
            }
        }
    }

    /// The damage that the first effect on a key needs the record of that key,
    /// which may be one of those that are lost.
    fn lacks_its_record(
        &self,
        name: KeyRef<'_>,
        first: Option<&PendingEffect>,
    ) -> Option<Corruption> {
        let first = first?;
        let hash = self
            .offline
            .manifest
            .hash_seed
            .hash(name.database, name.key);
        let replaces = first.effect().is_ok_and(|effect| effect.replaces_key());
        (!replaces && self.lost.may_have(name.database, hash)).then(|| {
            self.tail.summary.damaged_frame(
                first.frame_start,
                "an effect on a key whose record is intact",
                "one on a key whose record is lost".to_owned(),
            )
        })
    }

    fn yield_key(
        &mut self,
        name: KeyRef<'_>,
        base: Valued,
        effects: &[PendingEffect],
    ) -> ControlFlow<()> {
        let mut state = base;
        for waiting in effects {
            let effect = waiting.effect().map_err(|error| error.to_string());
            match effect.and_then(|effect| replay(&self.limits, state, &effect)) {
                Ok(next) => state = next,
                Err(found) => {
                    let damage = self.tail.summary.damaged_frame(
                        waiting.frame_start,
                        "an effect that its key's value allows",
                        found,
                    );
                    self.visitor.damage(damage);
                    return ControlFlow::Continue(());
                }
            }
        }
        let (Some((value, expiry)), Some(database)) = (state, self.tail.number_of(name.database))
        else {
            return ControlFlow::Continue(());
        };
        self.visitor.key(OfflineKey {
            database,
            key: name.key,
            value: value.as_ref(),
            expiry,
        })
    }
}
