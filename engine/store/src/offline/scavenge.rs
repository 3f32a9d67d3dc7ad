//! The records of shards whose part of the image is lost: found by looking
//! through the whole tier.
//!
//! Owns the search. What is found may be a key that has been deleted since, or a
//! version that was replaced: the image alone knew. So this is done only for who
//! asks to salvage, and each such key is told apart. One thread.
//!
//! INVARIANT: of each key the newest record counts, of the segment's present life
//! only, and none newer than the log that was read. Memory: the names of the keys
//! of such shards.

use super::keys::{KeyVisitor, Walk};
use super::pages::PageSource;
use super::resolver::Resolver;
use crate::address::Address;
use crate::tier::segment::{PAGES_PER_SEGMENT, SegmentEntry};
use crate::tier::{Extent, PagePlace, TierRecord, page};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{DatabaseId, Lsn, ShardId};

/// Where the newest record of each key stands.
type Newest = HashMap<(DatabaseId, Box<[u8]>), (Lsn, Address)>;

impl<V: KeyVisitor + ?Sized> Resolver<'_, V> {
    /// Yields what the tier still has of these shards, the log's effects on top.
    pub(super) fn scavenge(
        &mut self,
        walk: &Walk<'_>,
        pages: &mut PageSource,
        shards: &HashSet<ShardId>,
    ) -> ControlFlow<()> {
        let mut newest = Newest::new();
        for entry in &walk.offline.manifest.segments {
            // A file that cannot be read: its keys are among those lost.
            if let Ok(bytes) = walk.offline.read_segment(entry) {
                note_segment(walk, shards, entry, &bytes, &mut newest);
            }
        }
        let mut found: Vec<_> = newest.into_iter().collect();
        found.sort_unstable_by_key(|(_, (_, address))| *address);
        for ((database, key), (lsn, address)) in found {
            let Ok((place, bytes)) = pages.read(address) else {
                continue;
            };
            let mut records = match page::records(bytes, place) {
                Ok(records) => records.flatten().collect(),
                Err(_) => page::intact_records(bytes, place),
            };
            records.retain(|it| (it.database, it.key, it.lsn) == (database, &key[..], lsn));
            if let Some(record) = records.first() {
                self.yield_found(walk, place, record)?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Notes the newest records of the wanted shards in a segment.
fn note_segment(
    walk: &Walk<'_>,
    shards: &HashSet<ShardId>,
    entry: &SegmentEntry,
    bytes: &[u8],
    newest: &mut Newest,
) {
    let limit = walk.newest_lsn();
    let base = u32::from(entry.number.0) * PAGES_PER_SEGMENT;
    let mut number = 0;
    while let Some(rest) = bytes.get(number as usize * PAGE_BYTES..)
        && !rest.is_empty()
    {
        let place = PagePlace {
            segment: entry.number,
            incarnation: entry.incarnation,
            page: number,
        };
        let (records, pages): (Vec<TierRecord<'_>>, usize) = match page::records(rest, place) {
            Ok(records) => {
                let pages = records.pages();
                (records.flatten().collect(), pages)
            }
            Err(_) => (page::intact_records(rest, place), 1),
        };
        for record in records {
            let hash = walk.offline.manifest.hash_seed;
            let shard = hash.hash(record.database, record.key).shard();
            if record.extent == Extent::Part || record.lsn > limit || !shards.contains(&shard) {
                continue;
            }
            let extent_pages = page::pages_for(record.encoded_bytes()) as u32;
            let Some(address) = Address::new(base + number, extent_pages) else {
                continue;
            };
            let known = newest
                .entry((record.database, record.key.into()))
                .or_insert((record.lsn, address));
            if known.0 <= record.lsn {
                *known = (record.lsn, address);
            }
        }
        number += pages.max(1) as u32;
    }
}
