//! Applying effects of the log's tail to their keys.
//!
//! Owns how a key's old value is had, what becomes of it, and that an effect is applied
//! once and in order. Does not read the log. The keeper's thread.
//!
//! As long as a hash has references nobody else sees or changes its keys, so the old
//! value is read, decoded and changed without a lock; under the lock it is only put in
//! its place, and the references of what was applied are taken away with it. A key may
//! have got some of its effects and wait for more, and may even sink meanwhile.
//!
//! Which effects count, given the record that the checkpoint's image names: all of them
//! from the last put or delete on; without such, those whose frame starts at or above
//! the record's LSN, which is exclusive. A record that was written since the start holds
//! exactly the effects whose references are gone.
//!
//! A key may be absent from the image because it was deleted after the checkpoint began.
//! An effect from before that may then make no sense: it is void, and damage only if no
//! put or delete of the key follows.

use super::Keeper;
use super::gathered::Gathered;
use super::load::SLICE;
use crate::address::Address;
use crate::effect::{Effect, KeyRef};
use crate::fault::{FaultSet, ReadRequest};
use crate::index::{Found, Position};
use crate::objects::OBJECT_FORM;
use crate::record::RecordParts;
use crate::resolve::{Valued, missing_parts, note_parts, replay};
use crate::shard::Shard;
use crate::tier::{PagePlace, TierRecord};
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;
use std::ops::Range;
use thermocline_base::bugs::{Bug, is_planted};
use thermocline_base::limits::PAGE_BYTES;
use thermocline_base::{DatabaseId, KeyHash, Lsn, ShardId};
use thermocline_types::Value;

/// Keys whose effects are applied together, and pages read for them, unless one key
/// needs more.
const KEYS: usize = 512;
const PAGES: usize = 1024;
/// How often reads that fail are tried again before they are left for later.
const TRIES: usize = 100;

/// Where a key is before its effects are applied.
enum Old {
    /// Not looked for yet, or to be left alone.
    Unknown,
    Absent,
    Hot,
    /// One of these slots may be its.
    Cold(SmallVec<[Address; 1]>),
}

/// One key with effects to be applied.
struct Job {
    database: DatabaseId,
    key: Box<[u8]>,
    /// Which of those gathered, in order.
    effects: SmallVec<[usize; 2]>,
    old: Old,
}

/// Effects on keys of one hash.
struct Run {
    hash: KeyHash,
    effects: Range<usize>,
    jobs: SmallVec<[Job; 1]>,
    /// Where the last frame starts of which something is to be applied.
    last: Option<Lsn>,
}

/// What becomes of a key.
enum Outcome {
    /// It is as the record that the image names.
    Same,
    /// Its slot is that of a record on the tier at this address, of so many bytes,
    /// if it has one there, and it holds this.
    New(Option<(Address, u64)>, Valued),
}

/// Why a key's effects could not be applied so far.
pub(super) type Suspects = HashMap<(DatabaseId, Box<[u8]>), String>;

/// What applying a group of effects came to.
pub(super) struct Applied {
    /// The first effect that is left.
    pub(super) next: usize,
    /// Shards of which effects had to be left for later.
    pub(super) left: SmallVec<[ShardId; 1]>,
}

impl Keeper {
    /// Applies effects from `from` on, which are sorted, to some hundred keys.
    pub(super) fn apply(&mut self, gathered: &Gathered, from: usize) -> Applied {
        let mut runs = Vec::new();
        let mut left = SmallVec::new();
        let (mut next, mut jobs, mut pages) = (from, 0, 0);
        while next < gathered.len() && jobs < KEYS && pages < PAGES {
            let range = gathered.run(next);
            next = range.end;
            let mut run = run_of(gathered, range);
            if !self.find(gathered, &mut run) {
                left.push(run.hash.shard());
                continue;
            }
            if run.last.is_some() {
                jobs += run.jobs.len();
                pages += pages_of(&run);
                runs.push(run);
            }
        }
        match self.read_for(&runs) {
            Ok(faults) => {
                for run in runs {
                    self.apply_run(gathered, run, &faults);
                }
            }
            Err(reason) => {
                tracing::error!(reason, "the log's tail cannot be applied; trying again");
                left.extend(runs.iter().map(|run| run.hash.shard()));
            }
        }
        self.store.control.loaded.notify_waiters();
        // Memory comes first: what was applied is hot.
        self.observe();
        self.relieve(4);
        Applied { next, left }
    }

    /// As [`Keeper::apply`], all of them.
    pub(super) fn apply_all(&mut self, gathered: &mut Gathered) {
        gathered.sort();
        let mut from = 0;
        while from < gathered.len() {
            from = self.apply(gathered, from).next;
        }
    }

    /// Where the keys of the run are, and which effects wait. False if they must be left
    /// for later: the shard has not come up, or an earlier effect was left.
    fn find(&self, gathered: &Gathered, run: &mut Run) -> bool {
        let shard = self.store.shards[run.hash.shard().index()].lock();
        let references = &shard.references;
        let distance = |index: usize| self.tail.distance(gathered.place(index).1);
        let waits = |index: usize| references.has(run.hash, distance(index));
        let Some(first) = run.effects.clone().find(|&index| waits(index)) else {
            return true;
        };
        let is_sound = shard.damage.is_none() && shard.is_loaded;
        if !is_sound || !references.is_next(run.hash, distance(first)) {
            return false;
        }
        for job in &mut run.jobs {
            job.effects.retain(|index| waits(*index));
            if job.effects.is_empty() {
                continue;
            }
            let found = (shard.table(job.database)).map(|table| table.find(run.hash, &job.key));
            job.old = match found {
                None => Old::Absent,
                Some(Found::Hot(_)) => Old::Hot,
                Some(Found::Cold(slots)) if slots.is_empty() => Old::Absent,
                Some(Found::Cold(slots)) => Old::Cold(slots.iter().map(|it| it.1).collect()),
            };
        }
        let last = run.effects.clone().rfind(|&index| waits(index));
        run.last = last.map(|index| gathered.place(index).1);
        true
    }

    /// Reads what the tier may hold for the keys of `runs`, each page once.
    fn read_for(&mut self, runs: &[Run]) -> Result<FaultSet, String> {
        let mut faults = FaultSet::new();
        let mut done = Vec::new();
        for _ in 0..TRIES {
            let reads = self.missing(runs, &faults);
            if reads.is_empty() {
                return Ok(faults);
            }
            self.reader.read_all(&reads, &mut done);
            let mut failure = None;
            for fetched in done.drain(..) {
                match fetched.page {
                    Ok(page) => faults.insert(fetched.request.address, page),
                    Err(error) => failure = Some(error),
                }
            }
            if let Some(error) = failure {
                tracing::error!(%error, "the tier cannot be read; trying again");
                if self.store.control.is_stopping() {
                    self.store.control.set_damage(error.to_string());
                    return Err(error.to_string());
                }
                self.store.log.wait(SLICE);
            }
        }
        Err("the tier cannot be read".to_owned())
    }

    /// What is still to be read.
    fn missing(&self, runs: &[Run], faults: &FaultSet) -> Vec<ReadRequest> {
        let mut reads: SmallVec<[ReadRequest; 2]> = SmallVec::new();
        let jobs = runs.iter().flat_map(|run| &run.jobs);
        for job in jobs {
            let Old::Cold(addresses) = &job.old else {
                continue;
            };
            let before = reads.len();
            for &address in addresses {
                let place = self.store.volume.place(address);
                let request = ReadRequest { address, place };
                if !faults.holds(&request) {
                    reads.push(request);
                }
            }
            // Damage shows when the key's effects are applied.
            if reads.len() == before
                && let Ok(Some((_, record))) = self.verified(job, faults)
            {
                missing_parts(&self.store, &record, faults, &mut reads);
            }
        }
        let mut seen = HashSet::new();
        let reads = reads.into_iter();
        reads.filter(|read| seen.insert(read.address)).collect()
    }

    /// The record of the key on the tier, if one of its slots' is.
    fn verified<'f>(
        &self,
        job: &Job,
        faults: &'f FaultSet,
    ) -> Result<Option<(PlacedAt, TierRecord<'f>)>, String> {
        let Old::Cold(addresses) = &job.old else {
            return Ok(None);
        };
        for &address in addresses {
            let Some(page) = faults.get(address) else {
                continue;
            };
            let found = page.find(job.database, &job.key);
            if let Some(record) = found.map_err(|error| error.to_string())? {
                return Ok(Some(((address, page.place), record)));
            }
        }
        Ok(None)
    }

    /// Whether the record is one of those the image names.
    fn is_of_image(&self, place: PagePlace) -> bool {
        let segments = &self.manifest.segments;
        let found = segments.binary_search_by_key(&place.segment, |it| it.number);
        found.is_ok_and(|at| segments[at].incarnation == place.incarnation)
    }

    /// Applies the effects of a run and takes their references away.
    fn apply_run(&mut self, gathered: &Gathered, mut run: Run, faults: &FaultSet) {
        let store = std::sync::Arc::clone(&self.store);
        let index = run.hash.shard().index();
        let mut outcomes: SmallVec<[(Job, Outcome, Option<String>); 1]> = SmallVec::new();
        // Those in memory last: what they hold is taken, so nothing may fail after it.
        (run.jobs).sort_by_key(|job| matches!(job.old, Old::Hot));
        for job in run.jobs {
            if job.effects.is_empty() {
                continue;
            }
            let taken = match job.old {
                Old::Hot => take_hot(&store, &mut store.shards[index].lock(), run.hash, &job),
                _ => None,
            };
            let mut failure = self.tail.suspects.get(&suspect(&job)).cloned();
            let outcome = match self.outcome(gathered, &job, taken, faults, &mut failure) {
                Ok(outcome) => outcome,
                Err(reason) => {
                    tracing::error!(reason, "a change of the log's tail cannot be applied");
                    store.shards[index].lock().damage = Some(reason);
                    return;
                }
            };
            outcomes.push((job, outcome, failure));
        }
        let mut shard = store.shards[index].lock();
        for (job, outcome, failure) in outcomes {
            if let Outcome::New(old, valued) = outcome {
                put(&store, &mut shard, run.hash, &job, old, valued);
            }
            match failure {
                Some(failure) => self.tail.suspects.insert(suspect(&job), failure),
                None => self.tail.suspects.remove(&suspect(&job)),
            };
        }
        if let Some(last) = run.last {
            let distance = self.tail.distance(last);
            shard.references.remove_through(run.hash, distance);
        }
        if !self.tail.suspects.is_empty() && !shard.references.contains(run.hash) {
            self.judge(&mut shard, run.hash);
        }
        store.recount(&mut shard);
    }

    /// All effects on keys of this hash are applied: what made no sense of them and was
    /// not replaced is damage.
    fn judge(&mut self, shard: &mut Shard, hash: KeyHash) {
        let seed = self.store.seed;
        let is_same = |key: &(DatabaseId, Box<[u8]>)| {
            let other = seed.hash(key.0, &key.1);
            (other.shard(), other.stored()) == (hash.shard(), hash.stored())
        };
        let mut failed = (self.tail.suspects).extract_if(|key, _| is_same(key));
        if let Some((_, reason)) = failed.next() {
            tracing::error!(reason, "a change of the log's tail cannot be applied");
            shard.damage = Some(reason);
            self.tail.lost.insert(hash.shard());
        }
    }

    /// What the key holds after its effects. `failure` is why it has no sensible value.
    fn outcome(
        &self,
        gathered: &Gathered,
        job: &Job,
        taken: Valued,
        faults: &FaultSet,
        failure: &mut Option<String>,
    ) -> Result<Outcome, String> {
        let mut effects: SmallVec<[(Lsn, Effect<'_>); 2]> = SmallVec::new();
        let mut replaces = false;
        for &index in &job.effects {
            let effect = gathered.effect(index).map_err(|error| error.to_string())?;
            if effect.replaces_key() {
                effects.clear();
                replaces = true;
                *failure = None;
            }
            effects.push((gathered.place(index).1, effect));
        }
        let verified = self.verified(job, faults)?;
        if let Some(((_, place), record)) = &verified
            && !replaces
            && self.is_of_image(*place)
        {
            effects.retain(|(start, _)| match *start {
                start if start == record.lsn => !is_planted(Bug::GateOffByOne),
                start => start > record.lsn || is_planted(Bug::GateIgnored),
            });
            if effects.is_empty() {
                return Ok(Outcome::Same);
            }
        }
        let mut old = None;
        let mut valued = taken.filter(|_| !replaces);
        if let Some(((address, _), record)) = &verified {
            note_parts(&self.store, *address, record, faults);
            old = Some((*address, record.encoded_bytes() as u64));
            if !replaces {
                let decoded = self.store.decode(record, faults);
                let value = decoded.map_err(|fault| format!("{fault:?}"))?;
                valued = Some((value, record.expiry));
            }
        }
        let limits = self.store.limits();
        for (_, effect) in effects {
            valued = replay(&limits, valued, &effect).unwrap_or_else(|reason| {
                failure.get_or_insert(reason);
                None
            });
        }
        Ok(Outcome::New(old, valued))
    }
}

/// Where a record was read.
type PlacedAt = (Address, PagePlace);

fn suspect(job: &Job) -> (DatabaseId, Box<[u8]>) {
    (job.database, job.key.clone())
}

/// The keys of effects on one hash.
fn run_of(gathered: &Gathered, effects: Range<usize>) -> Run {
    let mut jobs: SmallVec<[Job; 1]> = SmallVec::new();
    for index in effects.clone() {
        let effect = gathered.effect(index).ok();
        let Some(KeyRef { database, key }) = effect.as_ref().and_then(Effect::key) else {
            continue;
        };
        let known = (jobs.iter_mut()).find(|job| job.database == database && *job.key == *key);
        match known {
            Some(job) => job.effects.push(index),
            None => jobs.push(Job {
                database,
                key: key.into(),
                effects: SmallVec::from_slice(&[index]),
                old: Old::Unknown,
            }),
        }
    }
    Run {
        hash: gathered.place(effects.start).0,
        effects,
        jobs,
        last: None,
    }
}

/// How many pages may have to be read for the run.
fn pages_of(run: &Run) -> usize {
    let pages = |job: &Job| match &job.old {
        Old::Cold(addresses) => addresses.iter().map(|it| it.pages() as usize).sum(),
        _ => 0,
    };
    run.jobs.iter().map(pages).sum()
}

/// Takes what a key in memory holds; its record keeps the shell of that, to be replaced
/// or removed next.
fn take_hot(store: &crate::store::Store, shard: &mut Shard, hash: KeyHash, job: &Job) -> Valued {
    let table = shard.table(job.database)?;
    let Found::Hot(position) = table.find(hash, &job.key) else {
        return None;
    };
    let parts = table.record(position)?.parts();
    if let Some(address) = parts.address {
        let bytes = store.copy_bytes_hint(address, &parts, &shard.objects);
        store.volume.record_died(address, u64::from(bytes));
    }
    let expiry = parts.expiry;
    let value = if parts.form == OBJECT_FORM {
        let number: SmallVec<[u8; 4]> = parts.value.into();
        Value::Object(shard.objects.remove(&number)?)
    } else {
        shard.objects.value(&parts).capture()
    };
    Some((value, expiry))
}

/// Puts what the key holds now in its place, under its shard's lock.
fn put(
    store: &crate::store::Store,
    shard: &mut Shard,
    hash: KeyHash,
    job: &Job,
    old: Option<(Address, u64)>,
    valued: Valued,
) {
    let (table, objects) = shard.table_or_new(job.database, store.seed);
    let position: Option<Position> = match table.find(hash, &job.key) {
        Found::Hot(position) => Some(position),
        Found::Cold(slots) => {
            let at = old.map(|(address, _)| address);
            let mut slots = slots.iter();
            slots.find(|it| Some(it.1) == at).map(|it| it.0)
        }
    };
    match (valued, position) {
        (None, None) => {}
        (None, Some(position)) => {
            table.remove(position);
            shard.epoch += 1;
        }
        (Some((value, expiry)), position) => {
            let (form, bytes) = objects.keep(value);
            let parts = RecordParts {
                expiry,
                ..RecordParts::new(form, &job.key, &bytes)
            };
            match position {
                Some(position) => table.replace(position, hash, &parts),
                None => {
                    table.insert(hash, &parts);
                    shard.epoch += 1;
                }
            }
        }
    }
    if let Some((address, bytes)) = old {
        store.volume.record_died(address, bytes);
    }
    shard.changed.insert(hash);
}

const _: () = assert!(PAGES * PAGE_BYTES <= 4 << 20, "little beside the data");
