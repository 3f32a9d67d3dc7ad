//! The log's tail after the start: its effects are read again, first those of
//! keys that someone waits for, then all, and applied.
//!
//! Owns the reading of the log. A pass goes through the tail once and collects
//! the effects of as many shards as memory allows; few passes are needed, as a
//! tail is bounded. The keeper's thread.
//!
//! INVARIANT: what a key waits for moves from `references` to `pending` at once,
//! under the shard's lock, all of it.

use super::Keeper;
use super::load::REST;
use crate::effect::{DatabaseMap, Effect, effects};
use crate::payload::{CHAIN_OFFSET, Chains, LAST, NEW_CHAIN, WHOLE};
use crate::pending::Pending;
use crate::store::Store;
use std::ops::Range;
use std::sync::Arc;
use thermocline_base::{CodecError, HashSeed, KeyHash, Lsn, Reader};
use thermocline_wal::frame::FrameKind;
use thermocline_wal::{Frame, FrameReader, WalError};

/// Bytes of effects that a pass collects at least, whatever the budget.
const PASS_BYTES_MIN: u64 = 4 << 20;
/// The share of the data's budget that a pass may collect.
const PASS_SHARE: u64 = 16;
/// What a pass collects where memory has no limit, bytes.
const PASS_BYTES: u64 = 64 << 20;

/// Why effects cannot be read again.
#[derive(Debug, thiserror::Error)]
pub(super) enum TailError {
    #[error(transparent)]
    Log(#[from] WalError),
    #[error("the log's frame at {lsn} does not decode: {source}")]
    Frame { lsn: Lsn, source: CodecError },
}

/// See the module.
pub(super) struct Tail {
    reader: FrameReader,
    /// Where the tail starts.
    base: Lsn,
    pass: Option<Pass>,
}

/// One way through the tail.
struct Pass {
    shards: Range<usize>,
    at: Lsn,
    chains: Chains,
    /// What was found, by shard.
    found: Vec<Pending>,
}

/// Which effects are wanted, and where they go.
struct Wanted<'w> {
    seed: HashSeed,
    map: DatabaseMap,
    take: &'w mut dyn FnMut(KeyHash, Lsn, &Effect<'_>),
}

impl Wanted<'_> {
    /// Gives the frame's effects on databases that are still there.
    fn feed(&mut self, chains: &mut Chains, start: Lsn, payload: &[u8]) -> Result<(), TailError> {
        let failed = |source| TailError::Frame { lsn: start, source };
        let Some((start, bytes)) = chains.feed(start, payload).map_err(failed)? else {
            return Ok(());
        };
        for effect in effects(&bytes) {
            let effect = effect.map_err(failed)?;
            let Some(key) = effect.key() else { continue };
            if self.map.lives(key.database) {
                (self.take)(self.seed.hash(key.database, key.key), start, &effect);
            }
        }
        Ok(())
    }

    /// As [`Wanted::feed`] for a frame of any kind.
    fn feed_frame(&mut self, chains: &mut Chains, frame: &Frame<'_>) -> Result<(), TailError> {
        match frame.kind {
            FrameKind::Data => self.feed(chains, frame.start, frame.payload),
            _ => Ok(()),
        }
    }
}

impl Tail {
    pub(super) const fn new(reader: FrameReader, base: Lsn) -> Self {
        Self {
            reader,
            base,
            pass: None,
        }
    }

    /// Reads the effects on keys of `hash` that stand in the frames at `starts`.
    fn read_frames(
        &mut self,
        store: &Store,
        hash: KeyHash,
        starts: &[Lsn],
    ) -> Result<Pending, TailError> {
        let mut found = Pending::default();
        let mut wanted = Wanted {
            seed: store.seed,
            map: store.database_map(),
            take: &mut |of, start, effect| {
                if (of.shard(), of.stored()) == (hash.shard(), hash.stored()) {
                    found.push(start, effect);
                }
            },
        };
        for &start in starts {
            let payload = self.reader.payload_at(start)?;
            match chain_start(&payload) {
                None => wanted.feed(&mut Chains::default(), start, &payload)?,
                Some(chain) => self.read_chain(chain, start, &mut wanted)?,
            }
        }
        Ok(found)
    }

    /// Reads the chain that begins at `from` and ends with the frame at `last`.
    fn read_chain(&self, from: Lsn, last: Lsn, wanted: &mut Wanted<'_>) -> Result<(), TailError> {
        let mut chains = Chains::default();
        let mut at = from;
        let mut failure = None;
        while at <= last && at < self.reader.end() && failure.is_none() {
            at = self.reader.visit_segment(at, &mut |frame| {
                let is_part = frame.kind == FrameKind::Data
                    && frame.start <= last
                    && (frame.start == from || chain_start(frame.payload) == Some(from));
                if is_part && failure.is_none() {
                    failure = wanted.feed_frame(&mut chains, &frame).err();
                }
            })?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Goes on with the pass by one segment of the log, or begins one; false if
    /// nothing is left to be read.
    fn step(&mut self, store: &Store) -> Result<bool, TailError> {
        let Some(pass) = &mut self.pass else {
            self.pass = Pass::begin(store, self.base);
            return Ok(self.pass.is_some());
        };
        if pass.at < self.reader.end() {
            let shards = pass.shards.clone();
            let found = &mut pass.found;
            let mut wanted = Wanted {
                seed: store.seed,
                map: store.database_map(),
                take: &mut |hash, start, effect| {
                    let shard = hash.shard().index();
                    if shards.contains(&shard) {
                        found[shard - shards.start].push(start, effect);
                    }
                },
            };
            let chains = &mut pass.chains;
            let mut failure = None;
            let at = self.reader.visit_segment(pass.at, &mut |frame| {
                if failure.is_none() {
                    failure = wanted.feed_frame(chains, &frame).err();
                }
            })?;
            if let Some(failure) = failure {
                return Err(failure);
            }
            pass.at = at;
        } else if let Some(pass) = self.pass.take() {
            pass.finish(store);
        }
        Ok(true)
    }
}

/// Where the chain starts whose later part this payload is.
fn chain_start(payload: &[u8]) -> Option<Lsn> {
    let (kind, rest) = payload.split_first()?;
    if *kind == WHOLE || *kind > LAST {
        return None;
    }
    const { assert!(CHAIN_OFFSET == 1) };
    let chain = Lsn(Reader::new(rest).u64().ok()?);
    (chain != NEW_CHAIN).then_some(chain)
}

impl Pass {
    /// A pass for the next shards that have something in the log; `None` if none
    /// has.
    fn begin(store: &Store, base: Lsn) -> Option<Self> {
        let budget = store.memory.budget_bytes(&store.settings);
        let most = budget.map_or(PASS_BYTES, |it| (it / PASS_SHARE).max(PASS_BYTES_MIN));
        let mut shards: Option<Range<usize>> = None;
        let mut bytes = 0;
        for (index, shard) in store.shards.iter().enumerate() {
            let shard = shard.lock();
            if shard.references.len() == 0 {
                continue;
            }
            bytes += shard.references.effect_bytes();
            shards = match shards {
                None => Some(index..index + 1),
                Some(range) if bytes <= most => Some(range.start..index + 1),
                full => return full.map(|range| Self::new(range, base)),
            };
        }
        shards.map(|range| Self::new(range, base))
    }

    fn new(shards: Range<usize>, base: Lsn) -> Self {
        Self {
            found: shards.clone().map(|_| Pending::default()).collect(),
            shards,
            at: base,
            chains: Chains::default(),
        }
    }

    /// Hands what was found to the shards, but for keys that had theirs before.
    fn finish(self, store: &Store) {
        for (index, mut found) in self.shards.zip(self.found) {
            let mut shard = store.shards[index].lock();
            let references = std::mem::take(&mut shard.references);
            found.retain(|database, key| references.contains(store.seed.hash(database, key)));
            shard.pending.absorb(found);
        }
        store.control.loaded.notify_waiters();
    }
}

impl Keeper {
    /// Brings up what the log holds for keys of this hash, whose shard has come
    /// up.
    pub(super) fn load_effects(&mut self, hash: KeyHash) {
        let store = Arc::clone(&self.store);
        let shard = &store.shards[hash.shard().index()];
        let starts = shard.lock().references.frames(hash, self.tail.base);
        if starts.is_empty() {
            return;
        }
        match self.tail.read_frames(&store, hash, &starts) {
            Ok(found) => {
                let mut shard = shard.lock();
                shard.references.remove(hash);
                shard.pending.absorb(found);
            }
            Err(error) => {
                tracing::error!(%error, "a change of the log's tail cannot be read");
                shard.lock().damage = Some(error.to_string());
            }
        }
        store.control.loaded.notify_waiters();
    }

    /// Reads on in the log; false once nothing is left there.
    pub(super) fn read_tail(&mut self) -> bool {
        let store = Arc::clone(&self.store);
        match self.tail.step(&store) {
            Ok(more) => more,
            Err(error) => {
                tracing::error!(%error, "the log's tail cannot be read; trying again");
                self.tail.pass = None;
                store.control.set_damage(error.to_string());
                self.load_rests_until = store.clock.monotonic() + REST;
                true
            }
        }
    }
}
