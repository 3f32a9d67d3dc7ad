//! The log's tail after the start: its effects are read again, those of keys that
//! someone waits for by their position, all others on one way through the tail.
//!
//! Owns the reading of the log. The way through it gathers effects until there are as
//! many as memory allows, and has them applied before it goes on. The keeper's thread.
//!
//! INVARIANT: what was applied has no reference any more and is passed over; an effect
//! is applied only if its reference is the next of its hash. So the way may begin anew
//! at any time, and keys may be brought up out of turn.

use super::Keeper;
use super::apply::Suspects;
use super::gathered::Gathered;
use super::load::REST;
use crate::effect::{DatabaseMap, Effect, effects};
use crate::payload::{CHAIN_OFFSET, Chains, LAST, NEW_CHAIN, WHOLE};
use crate::shard::Shard;
use crate::store::Store;
use hashbrown::HashSet;
use std::sync::Arc;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{CodecError, HashSeed, KeyHash, Lsn, Reader, ShardId};
use thermocline_wal::frame::FrameKind;
use thermocline_wal::{FrameReader, WINDOW_BYTES, WalError};

/// Bytes of effects that are gathered at least before they are applied, whatever the
/// budget, and at most.
const GATHERED_BYTES_MIN: u64 = 2 << 20;
const GATHERED_BYTES_MAX: u64 = 64 << 20;
/// The share of the data's budget that they may take.
const GATHERED_SHARE: u64 = 8;
/// Keys that someone waits for which are brought up together.
const WANTED: usize = 64;
/// Frames of one hash that stand closer than this are read together.
const CLOSE_BYTES: u64 = (WINDOW_BYTES / 4) as u64;

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
    /// How far the way through it has come.
    at: Lsn,
    chains: Chains,
    gathered: Gathered,
    /// The first of those gathered that is not applied; `None` while gathering.
    applied: Option<usize>,
    /// Shards of which this way has left effects behind.
    left: HashSet<ShardId>,
    pub(super) suspects: Suspects,
    /// Shards with a key whose effects made no sense to the last of them: no other try
    /// makes it whole.
    pub(super) lost: HashSet<ShardId>,
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

impl Tail {
    pub(super) fn new(reader: FrameReader, base: Lsn) -> Self {
        Self {
            reader,
            base,
            at: base,
            chains: Chains::default(),
            gathered: Gathered::default(),
            applied: None,
            left: HashSet::new(),
            suspects: Suspects::new(),
            lost: HashSet::new(),
        }
    }

    /// How far behind the start of the tail a frame starts, bytes.
    pub(super) const fn distance(&self, start: Lsn) -> u64 {
        start.bytes_since(self.base)
    }

    /// Whether the shard's damage stays, whatever is tried.
    pub(super) fn is_lost(&self, shard: ShardId) -> bool {
        self.lost.contains(&shard)
    }

    /// What is held of memory, bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.reader.memory_bytes() + self.gathered.memory_bytes()
    }

    /// Begins the way through the tail anew.
    fn begin(&mut self) {
        self.at = self.base;
        self.chains = Chains::default();
        self.gathered.clear(0);
        self.applied = None;
        self.left.clear();
    }

    /// Adds to `gathered` the effects on keys of `hash` in the frame at `start`, reading
    /// about `bytes` where the frame has to be read.
    fn read_frame(
        &mut self,
        store: &Store,
        hash: KeyHash,
        start: Lsn,
        bytes: usize,
        gathered: &mut Gathered,
    ) -> Result<(), TailError> {
        let mut wanted = Wanted {
            seed: store.seed,
            map: store.database_map(),
            take: &mut |of, start, effect| {
                if (of.shard(), of.stored()) == (hash.shard(), hash.stored()) {
                    gathered.push(of, start, effect);
                }
            },
        };
        let chain = self.reader.visit_frame(start, bytes, |payload| {
            let chain = chain_start(payload);
            if chain.is_none() {
                wanted.feed(&mut Chains::default(), start, payload)?;
            }
            Ok::<_, TailError>(chain)
        })??;
        match chain {
            None => Ok(()),
            Some(chain) => self.read_chain(chain, start, &mut wanted),
        }
    }

    /// Reads the chain that begins at `from` and ends with the frame at `last`.
    fn read_chain(
        &mut self,
        from: Lsn,
        last: Lsn,
        wanted: &mut Wanted<'_>,
    ) -> Result<(), TailError> {
        let mut chains = Chains::default();
        let mut at = from;
        let mut failure = None;
        while at <= last && at < self.reader.end() && failure.is_none() {
            at = self.reader.visit_window(at, &mut |frame| {
                let is_part = frame.kind == FrameKind::Data
                    && frame.start <= last
                    && (frame.start == from || chain_start(frame.payload) == Some(from));
                if is_part && failure.is_none() {
                    failure = (wanted.feed(&mut chains, frame.start, frame.payload)).err();
                }
            })?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Goes on by one window; true once there is enough to be applied.
    fn gather(&mut self, store: &Store) -> Result<bool, TailError> {
        let budget = store.memory.budget_bytes(&store.settings);
        let most = budget.map_or(GATHERED_BYTES_MAX, |it| {
            (it / GATHERED_SHARE).clamp(GATHERED_BYTES_MIN, GATHERED_BYTES_MAX)
        });
        let mut failure = None;
        let Self {
            chains, gathered, ..
        } = self;
        let mut wanted = Wanted {
            seed: store.seed,
            map: store.database_map(),
            take: &mut |hash, start, effect| gathered.push(hash, start, effect),
        };
        self.at = self.reader.visit_window(self.at, &mut |frame| {
            if frame.kind == FrameKind::Data && failure.is_none() {
                failure = (wanted.feed(chains, frame.start, frame.payload)).err();
            }
        })?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        Ok(self.gathered.bytes() as u64 >= most || self.at >= self.reader.end())
    }

    /// All effects below here are applied or void, but for those left behind.
    fn finish(&mut self, store: &Store) {
        let below = self.distance(self.at);
        for (index, shard) in store.shards.iter().enumerate() {
            if !self.left.contains(&ShardId(index as u16)) {
                let mut shard = shard.lock();
                if is_sound(&shard) {
                    shard.references.remove_below(below);
                } else {
                    self.left.insert(ShardId(index as u16));
                }
            }
        }
        store.control.loaded.notify_waiters();
    }
}

/// Whether effects can be applied to keys of the shard.
fn is_sound(shard: &Shard) -> bool {
    shard.is_loaded && shard.damage.is_none()
}

impl Keeper {
    /// Brings up some of the keys that someone waits for; whether there were any.
    pub(super) fn load_wanted(&mut self) -> bool {
        let mut wanted = self.store.control.take_wanted(WANTED);
        if wanted.is_empty() {
            return false;
        }
        wanted.sort_unstable();
        wanted.dedup_by_key(|hash| (hash.shard(), hash.stored()));
        let mut gathered = Gathered::default();
        for hash in wanted {
            self.load_shard(hash.shard());
            if let Err(error) = self.read_effects(hash, &mut gathered) {
                tracing::error!(%error, "a change of the log's tail cannot be read");
                let mut shard = self.store.shards[hash.shard().index()].lock();
                shard.damage = Some(error.to_string());
            }
        }
        self.apply_all(&mut gathered);
        self.store.control.loaded.notify_waiters();
        true
    }

    /// Reads what the log holds for keys of this hash, and applies what is gathered as
    /// often as there is much of it.
    fn read_effects(&mut self, hash: KeyHash, gathered: &mut Gathered) -> Result<(), TailError> {
        let store = Arc::clone(&self.store);
        let shard = &store.shards[hash.shard().index()];
        let starts = shard.lock().references.frames(hash, self.tail.base);
        for (index, &start) in starts.iter().enumerate() {
            let next = starts.get(index + 1);
            let is_close = next.is_some_and(|next| next.bytes_since(start) <= CLOSE_BYTES);
            let bytes = if is_close { WINDOW_BYTES } else { PAGE_BYTES };
            self.tail.read_frame(&store, hash, start, bytes, gathered)?;
            if gathered.bytes() as u64 >= GATHERED_BYTES_MIN {
                self.apply_all(gathered);
                gathered.clear(GATHERED_BYTES_MIN as usize);
            }
        }
        Ok(())
    }

    /// Goes on through the log by a step; false once nothing is left there.
    pub(super) fn read_tail(&mut self) -> bool {
        let store = Arc::clone(&self.store);
        if let Some(from) = self.tail.applied {
            let gathered = std::mem::take(&mut self.tail.gathered);
            let applied = self.apply(&gathered, from);
            self.tail.left.extend(applied.left);
            self.tail.applied = Some(applied.next);
            let is_over = applied.next >= gathered.len();
            self.tail.gathered = gathered;
            if is_over {
                self.tail.finish(&store);
                self.tail.gathered.clear(GATHERED_BYTES_MAX as usize);
                self.tail.applied = None;
            }
            return true;
        }
        let waits = |shard: &parking_lot::Mutex<Shard>| {
            let shard = shard.lock();
            is_sound(&shard) && shard.references.len() > 0
        };
        if !store.shards.iter().any(waits) {
            self.tail.begin();
            self.tail.reader.forget();
            return false;
        }
        if self.tail.at >= self.tail.reader.end() {
            // What was left behind can be applied now.
            self.tail.begin();
            return true;
        }
        match self.tail.gather(&store) {
            Ok(true) => {
                self.tail.gathered.sort();
                self.tail.applied = Some(0);
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "the log's tail cannot be read; trying again");
                self.tail.begin();
                store.control.set_damage(error.to_string());
                self.load_rests_until = store.clock.monotonic() + REST;
            }
        }
        true
    }
}
