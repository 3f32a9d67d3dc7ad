//! From a slot of the image to its key's value: the page it leads to, the record
//! in it, the log's effects on top.
//!
//! Owns what damage costs: a key is yielded whole or told lost. Follows
//! `crate::resolve`: the same effects count, and one function applies them. One
//! thread for each resolver; what several share is the walk's.
//!
//! INVARIANT: effects that need an old value are applied to nothing only if it
//! is sure that there was nothing: see `Lost`.

use super::keys::{Entry, KeyVisitor, Name, OfflineKey, Walk};
use super::pages::PageSource;
use crate::effect::KeyRef;
use crate::pending::PendingEffect;
use crate::resolve::{Valued, replay};
use crate::tier::{Corruption, Decompressor, Extent, PagePlace, TierRecord, page};
use std::ops::ControlFlow;
use thermocline_base::{DatabaseId, ShardId};
use thermocline_types::{Form, Value};

/// How many keys that only the tail knows are listed at once.
const REST_KEYS: usize = 1024;

/// Resolves slots for one visitor.
pub(super) struct Resolver<'v, V: KeyVisitor + ?Sized> {
    pub(super) visitor: &'v mut V,
    /// Reads the parts of long values, while the page of their head is held.
    parts: PageSource,
    decompressor: Decompressor,
}

impl<'v, V: KeyVisitor + ?Sized> Resolver<'v, V> {
    pub(super) const fn new(
        visitor: &'v mut V,
        parts: PageSource,
        decompressor: Decompressor,
    ) -> Self {
        Self {
            visitor,
            parts,
            decompressor,
        }
    }

    /// Reads an address, which all slots of `group` have, and yields the keys.
    pub(super) fn resolve(
        &mut self,
        walk: &Walk<'_>,
        pages: &mut PageSource,
        group: &[Entry],
    ) -> ControlFlow<()> {
        let Some(first) = group.first() else {
            return ControlFlow::Continue(());
        };
        let read = pages.read(first.address);
        let matched = read.and_then(|(place, bytes)| match matches(walk, group, place, bytes) {
            Err(damage) if walk.salvages => {
                self.visitor.damage(damage);
                let intact = page::intact_records(bytes, place).into_iter();
                Ok((place, matching(walk, group, intact), true))
            }
            matched => Ok((place, matched?, false)),
        });
        let (place, matches, is_told) = match matched {
            Ok(found) => found,
            Err(damage) => {
                let mut lost = walk.lost.lock();
                group.iter().for_each(|slot| lost.add(slot));
                drop(lost);
                let place = format!("{} at offset {}", damage.file, damage.offset);
                self.visitor.damage(damage);
                self.visitor.lost_slots(&place, group.len() as u64);
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
                walk.lost.lock().add(&slot);
                if !is_told {
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
                let count = slots.len().saturating_sub(found.len()) as u64;
                let at = format!("{} at offset {}", place.segment.file_name(), place.offset());
                self.visitor.lost_slots(&at, count);
            }
            for record in found.into_iter().take(slots.len()) {
                self.visitor.record(place, record.encoded_bytes());
                match self.value_of(walk, &slot, place, record) {
                    Ok(value) => {
                        let base = Some((value, record.expiry));
                        self.finish(walk, slot.shard, record, base)?;
                    }
                    Err(damage) => {
                        walk.lost.lock().add(&slot);
                        self.visitor.damage(damage);
                        self.visitor.lost_key(record.database, record.key);
                    }
                }
            }
            slots.iter().for_each(|_| self.visitor.progress());
        }
        ControlFlow::Continue(())
    }

    /// The value of a record that a slot names.
    fn value_of(
        &mut self,
        walk: &Walk<'_>,
        slot: &Entry,
        place: PagePlace,
        record: &TierRecord<'_>,
    ) -> Result<Value, Corruption> {
        let name = || (record.database, record.key.to_vec());
        if slot.has_twin && !walk.twins.lock().insert(name()) {
            return Err(Corruption {
                file: place.segment.file_name(),
                offset: place.offset(),
                expected: "a key that the image names once".to_owned(),
                found: "one that it names twice".to_owned(),
            });
        }
        self.decoded(walk, place, record)
    }

    /// The value of a record, unless what is known of it contradicts itself.
    fn decoded(
        &mut self,
        walk: &Walk<'_>,
        place: PagePlace,
        record: &TierRecord<'_>,
    ) -> Result<Value, Corruption> {
        let damage = |expected, found| Corruption {
            file: place.segment.file_name(),
            offset: place.offset(),
            expected,
            found,
        };
        let end_lsn = walk.newest_lsn();
        if record.lsn > end_lsn {
            let expected = format!("a record no newer than the image, whose log ends at {end_lsn}");
            return Err(damage(expected, format!("one of {}", record.lsn)));
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

    /// Yields a record that was found without a slot that names it.
    pub(super) fn yield_found(
        &mut self,
        walk: &Walk<'_>,
        place: PagePlace,
        record: &TierRecord<'_>,
    ) -> ControlFlow<()> {
        if walk.offline.is_scanned && !walk.tail.map.lives(record.database) {
            // Flushed, or of a map that is lost.
            self.visitor.lost_key(record.database, record.key);
            return ControlFlow::Continue(());
        }
        match self.decoded(walk, place, record) {
            Ok(value) => {
                self.visitor.found_without_image();
                let seed = walk.offline.manifest.hash_seed;
                let shard = seed.hash(record.database, record.key).shard();
                self.finish(walk, shard, record, Some((value, record.expiry)))
            }
            Err(damage) => {
                self.visitor.damage(damage);
                self.visitor.lost_key(record.database, record.key);
                ControlFlow::Continue(())
            }
        }
    }

    /// Applies the effects that count to a key with a record, and yields it.
    fn finish(
        &mut self,
        walk: &Walk<'_>,
        shard: ShardId,
        record: &TierRecord<'_>,
        base: Valued,
    ) -> ControlFlow<()> {
        let name = KeyRef {
            database: record.database,
            key: record.key,
        };
        let effects = walk.pending[shard.index()]
            .lock()
            .take(name, Some(record.lsn));
        self.yield_key(walk, name, base, &effects)
    }

    /// Yields the keys of a shard that only the log's tail knows.
    pub(super) fn rest_of(&mut self, walk: &Walk<'_>, shard: usize) -> ControlFlow<()> {
        loop {
            let names = walk.pending[shard].lock().some_keys(REST_KEYS);
            if names.is_empty() {
                return ControlFlow::Continue(());
            }
            for (database, key) in names {
                let name = KeyRef {
                    database,
                    key: &key,
                };
                let effects = walk.pending[shard].lock().take(name, None);
                if let Some(damage) = lacks_its_record(walk, name, effects.first()) {
                    self.visitor.damage(damage);
                    self.visitor.lost_key(name.database, name.key);
                } else {
                    self.yield_key(walk, name, None, &effects)?;
                }
            }
        }
    }

    fn yield_key(
        &mut self,
        walk: &Walk<'_>,
        name: KeyRef<'_>,
        base: Valued,
        effects: &[PendingEffect],
    ) -> ControlFlow<()> {
        let mut state = base;
        for waiting in effects {
            let effect = waiting.effect().map_err(|error| error.to_string());
            match effect.and_then(|effect| replay(&walk.limits, state, &effect)) {
                Ok(next) => state = next,
                Err(found) => {
                    let damage = walk.tail.summary.damaged_frame(
                        waiting.frame_start,
                        "an effect that its key's value allows",
                        found,
                    );
                    self.visitor.damage(damage);
                    self.visitor.lost_key(name.database, name.key);
                    return ControlFlow::Continue(());
                }
            }
        }
        let Some((value, expiry)) = state else {
            return ControlFlow::Continue(());
        };
        if name.database == DatabaseId::SYSTEM {
            return self.visitor.kept(name.key, value.as_ref());
        }
        let Some(database) = walk.tail.number_of(name.database) else {
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

/// The records of the page at `place` that slots of `group` may name, of each
/// key the newest.
fn matches<'p>(
    walk: &Walk<'_>,
    group: &[Entry],
    place: PagePlace,
    bytes: &'p [u8],
) -> Result<Vec<(Name, TierRecord<'p>)>, Corruption> {
    let records: Result<Vec<_>, _> = page::records(bytes, place)?.collect();
    Ok(matching(walk, group, records?.into_iter()))
}

fn matching<'p>(
    walk: &Walk<'_>,
    group: &[Entry],
    records: impl Iterator<Item = TierRecord<'p>>,
) -> Vec<(Name, TierRecord<'p>)> {
    let mut found: Vec<(Name, TierRecord<'p>)> = Vec::new();
    for record in records {
        if record.extent == Extent::Part {
            continue;
        }
        let seed = walk.offline.manifest.hash_seed;
        let hash = seed.hash(record.database, record.key);
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
    found
}

/// The damage that the first effect on a key needs the record of that key, which
/// may be one of those that are lost.
fn lacks_its_record(
    walk: &Walk<'_>,
    name: KeyRef<'_>,
    first: Option<&PendingEffect>,
) -> Option<Corruption> {
    let first = first?;
    let hash = walk
        .offline
        .manifest
        .hash_seed
        .hash(name.database, name.key);
    let replaces = first.effect().is_ok_and(|effect| effect.replaces_key());
    (!replaces && walk.lost.lock().may_have(name.database, hash)).then(|| {
        walk.tail.summary.damaged_frame(
            first.frame_start,
            "an effect on a key whose record is intact",
            "one on a key whose record is lost".to_owned(),
        )
    })
}
