//! What was asked in which order, what of it was acknowledged and when, and so
//! what must have survived.
//!
//! Owns the steps since the last check. The log is one order of all steps, so
//! what survives is a prefix of them: at least up to the last that was promised,
//! at most all, and never a part of one. One thread.

use crate::client::Client;
use crate::entry::{Change, Entry, State, Value, may_be};
use crate::model::{Model, Saved};
use crate::reply::Reply;
use crate::request::{Key, Reach, Request, libraries};
use crate::workload::DATABASES;
use std::collections::BTreeMap;
use std::sync::Arc;
use thermocline_base::Lsn;

/// What a key was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The wall clock then, ms.
    pub at_ms: i64,
    /// What it held; an error where it could not be read.
    pub entry: Result<Option<Entry>, String>,
}

/// What is called when the power may go, with what clients know; an error says what
/// is wrong, for people.
pub type Hook = Box<dyn FnMut(&History) -> Result<(), String> + Send>;

/// What was found of all keys.
pub type Found = BTreeMap<Key, Seen>;

#[derive(Debug)]
struct Step {
    requests: Vec<Request>,
    reply: Reply,
    now_ms: i64,
    changes: Vec<Change>,
}

/// A time that the wall clock showed before it went back: what had expired by then may
/// have gone, or not.
#[derive(Clone, Copy, Debug)]
struct Peak {
    /// How many steps there were.
    steps: usize,
    at_ms: i64,
}

/// A reply that was not to leave yet.
#[derive(Debug)]
struct Waiting {
    lsn: Lsn,
    /// How many steps the reply shows something of.
    shows: usize,
    /// The key that it shows to have expired.
    expired: Option<Expired>,
}

/// A key that was seen to have expired, and how many steps there were up to its last
/// change.
type Expired = (Key, usize);

/// What must have survived.
#[derive(Clone, Debug, Default)]
pub struct Promised {
    /// So many steps, and none that is later without those before it.
    pub steps: usize,
    /// Keys whose expiry was told; it may have been logged before steps that were not.
    expired: Vec<Expired>,
}

impl Promised {
    /// So many steps.
    #[must_use]
    pub const fn steps(steps: usize) -> Self {
        Self {
            steps,
            expired: Vec::new(),
        }
    }
}

/// What is promised of acknowledged steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// All survive.
    All,
    /// All survive that were acknowledged by this time of the monotonic clock, ms.
    Until(i64),
    /// All survive but those of one second: the disk was slow.
    AllButASecond,
    /// Any prefix may be found: something below the promises was damaged.
    None,
}

/// See the module.
#[derive(Debug, Default)]
pub struct History {
    base: State,
    /// Runs all steps; there is none before the first.
    model: Option<Model>,
    /// What it held at the last check.
    saved: Saved,
    peaks: Vec<Peak>,
    /// Whether the wall clock ever went back.
    has_jumped: bool,
    /// What a key may have held, too, that had expired when it was looked for at the last
    /// check: which of its changes were lost before did not show, and shows if the clock goes
    /// back and a loss of power takes its going back.
    hidden: BTreeMap<Key, Vec<Arc<Entry>>>,
    /// What the keys hold now.
    pub state: State,
    steps: Vec<Step>,
    /// For each key, the number of steps up to its last change.
    last_change: BTreeMap<Key, usize>,
    waiting: Vec<Waiting>,
    /// When replies left, and how many steps each shows something of.
    acknowledged: Vec<(i64, usize)>,
    /// When replies left that showed a key to have expired.
    expired: Vec<(i64, Expired)>,
    /// All that this process has shown to have expired: whatever the clock shows, it is gone.
    /// It stays in `state`, as a loss of power may take back that it went.
    gone: BTreeMap<Key, usize>,
    /// Replies that left, since the beginning.
    pub acknowledged_count: u64,
}

impl History {
    /// How many steps there are since the last check.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing was asked since the last check.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds a step that ran at `now_ms` and answered `reply`.
    ///
    /// # Errors
    /// If that is not what it should answer.
    pub fn push(
        &mut self,
        requests: Vec<Request>,
        reply: Reply,
        now_ms: i64,
        lsn: Lsn,
    ) -> Result<(), String> {
        let model = self.model.get_or_insert_default();
        model.run(&requests, now_ms, &reply)?;
        let reached = reached(&requests, &self.state);
        let mut changes = Vec::new();
        for key in &reached {
            let version = self.last_change.get(key).copied().unwrap_or(0);
            let is_gone = self.gone.get(key) == Some(&version);
            let before = self.state.get(key).filter(|_| !is_gone);
            let after = model.read(key, now_ms).map(Arc::new);
            // What left the key as it was, as far as anyone can see, is no change.
            if before.and_then(|entry| entry.at(now_ms)).as_ref() != after.as_deref() {
                changes.push((key.clone(), after));
            } else if let Some(after) = after {
                // Fields that have expired are nothing that is expected any more.
                self.state.insert(key.clone(), after);
            }
        }
        let step = Step {
            requests,
            reply,
            now_ms,
            changes,
        };
        self.add(step, &reached, lsn);
        Ok(())
    }

    /// Adds that a read at `now_ms` has found a key that was there to have expired. Whatever
    /// the clock shows later, it does not come back.
    pub fn push_expired(&mut self, key: &Key, reply: Reply, now_ms: i64, lsn: Lsn) {
        let model = self.model.get_or_insert_default();
        let _ = model.read(key, now_ms);
        let step = Step {
            requests: Client::reads(key),
            reply,
            now_ms,
            changes: Vec::new(),
        };
        let shows = self.last_change.get(key).copied().unwrap_or(0);
        self.add(step, &[], lsn);
        // Whoever looks after keys may have logged the expiry long before the last step.
        if let Some(waiting) = self.waiting.last_mut() {
            waiting.shows = shows;
            waiting.expired = Some((key.clone(), shows));
        }
        self.gone.insert(key.clone(), shows);
    }

    /// Notes that all fields of a hash that had expired by `now_ms` are gone.
    pub fn push_purged(&mut self, key: &Key, now_ms: i64) {
        if self.present(key).is_some_and(|entry| !entry.lives(now_ms)) {
            let version = self.last_change.get(key).copied().unwrap_or(0);
            self.gone.insert(key.clone(), version);
        }
    }

    /// What a read of a key finds at `now_ms`.
    #[must_use]
    pub fn expected(&self, key: &Key, now_ms: i64) -> Option<Entry> {
        self.present(key)?.at(now_ms)
    }

    /// What a key holds that has not been seen to have expired.
    #[must_use]
    pub fn present(&self, key: &Key) -> Option<&Entry> {
        let version = self.last_change.get(key).copied().unwrap_or(0);
        let entry = self.state.get(key)?;
        (self.gone.get(key) != Some(&version)).then_some(entry)
    }

    fn add(&mut self, step: Step, reached: &[Key], lsn: Lsn) {
        let number = self.steps.len() + 1;
        for (key, entry) in &step.changes {
            self.last_change.insert(key.clone(), number);
            match entry {
                Some(entry) => self.state.insert(key.clone(), Arc::clone(entry)),
                None => self.state.remove(key),
            };
        }
        let shows = if !step.changes.is_empty() {
            number
        } else if shows_nothing(&step.reply) {
            0
        } else {
            let last_changes = reached.iter().filter_map(|key| self.last_change.get(key));
            last_changes.max().copied().unwrap_or(0)
        };
        self.steps.push(step);
        self.waiting.push(Waiting {
            lsn,
            shows,
            expired: None,
        });
    }

    /// Notes that the wall clock, which shows `wall_ms`, is about to go back.
    pub fn push_peak(&mut self, wall_ms: i64) {
        self.has_jumped = true;
        self.peaks.push(Peak {
            steps: self.steps.len(),
            at_ms: wall_ms,
        });
    }

    /// A key as DUMP would give it.
    pub fn dump(&mut self, key: &Key, now_ms: i64) -> Option<Vec<u8>> {
        self.model.as_mut()?.dump(key, now_ms)
    }

    /// Adds a reply to a read of `key`.
    pub fn push_read(&mut self, key: &Key, lsn: Lsn) {
        let shows = self.last_change.get(key).copied().unwrap_or(0);
        self.waiting.push(Waiting {
            lsn,
            shows,
            expired: None,
        });
    }

    /// Lets those replies leave that `may` says may, at `now_ms` of the monotonic
    /// clock.
    pub fn acknowledge(&mut self, now_ms: i64, may: impl Fn(Lsn) -> bool) {
        let acknowledged = &mut self.acknowledged;
        let expired = &mut self.expired;
        self.waiting.retain_mut(|waiting| {
            let leaves = may(waiting.lsn);
            if leaves {
                acknowledged.push((now_ms, waiting.shows));
                expired.extend(waiting.expired.take().map(|key| (now_ms, key)));
                self.acknowledged_count += 1;
            }
            !leaves
        });
    }

    /// Whether all replies have left.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The process is gone: replies that had not left never will.
    pub fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.gone.clear();
    }

    /// What must have survived.
    #[must_use]
    pub fn promised(&self, promise: Promise) -> Promised {
        let by = |limit_ms: i64| {
            let kept = self.acknowledged.iter().filter(|(ms, _)| *ms <= limit_ms);
            let expired = self.expired.iter().filter(|(ms, _)| *ms <= limit_ms);
            Promised {
                steps: kept.map(|(_, shows)| *shows).max().unwrap_or(0),
                expired: expired.map(|(_, key)| key.clone()).collect(),
            }
        };
        match promise {
            Promise::All => by(i64::MAX),
            Promise::Until(ms) => by(ms),
            // Of a shorter prefix more would be lost.
            Promise::AllButASecond => {
                let prefixes = 0..=self.steps.len();
                let mut enough = prefixes.filter(|count| self.lost_ms(*count) <= 1000);
                Promised::steps(enough.next().unwrap_or(self.steps.len()))
            }
            Promise::None => Promised::default(),
        }
    }

    /// How far those replies lie apart that show more than `count` steps, ms.
    fn lost_ms(&self, count: usize) -> i64 {
        let lost = self.acknowledged.iter().filter(|(_, shows)| *shows > count);
        let times = lost.map(|(ms, _)| *ms);
        let bounds = times.clone().min().zip(times.max());
        bounds.map_or(0, |(first, last)| last - first)
    }

    /// Whether `found` is what some prefix leaves, of which all is there that is promised; the
    /// longest such prefix. `peak_ms`: what the wall clock showed before it went back after
    /// all steps, if it did.
    ///
    /// # Errors
    /// What does not fit, for people.
    pub fn find_prefix(
        &self,
        found: &Found,
        promised: &Promised,
        peak_ms: Option<i64>,
    ) -> Result<usize, String> {
        let at_least = promised.steps;
        // What the clock showed since so many steps.
        let peak_of = |since: usize| {
            let peaks = self.peaks.iter().filter(|peak| peak.steps >= since);
            let peaks = peaks.map(|peak| peak.at_ms).chain(peak_ms);
            peaks.max().unwrap_or(i64::MIN)
        };
        // What the key holds after its last change, which so many steps end with.
        let fits = |key: &Key, entry: Option<&Arc<Entry>>, since: usize| {
            let Some(Seen {
                at_ms,
                entry: Ok(held),
            }) = found.get(key)
            else {
                return true;
            };
            let is_gone = promised
                .expired
                .iter()
                .any(|(it, version)| it == key && *version == since);
            let peak_ms = peak_of(since);
            let is = |entry| may_be(entry, held.as_ref(), *at_ms, peak_ms);
            let entry = entry.filter(|_| !is_gone).map(|entry| &**entry);
            let hidden = self.hidden.get(key).filter(|_| since == 0 && !is_gone);
            is(entry) || hidden.is_some_and(|hidden| hidden.iter().any(|it| is(Some(it))))
        };
        let mut state = self.base.clone();
        let mut wrong: BTreeMap<&Key, usize> = BTreeMap::new();
        for key in found.keys() {
            if !fits(key, state.get(key), 0) {
                wrong.insert(key, 0);
            }
        }
        let mut best = None;
        let mut fewest: Option<(usize, Vec<Key>)> = None;
        let mut note = |count: usize, wrong: &BTreeMap<&Key, usize>| {
            if count < at_least {
                return;
            }
            if wrong.is_empty() {
                best = Some(count);
            }
            if fewest
                .as_ref()
                .is_none_or(|(_, keys)| wrong.len() <= keys.len())
            {
                fewest = Some((count, wrong.keys().copied().cloned().collect()));
            }
        };
        note(0, &wrong);
        for (index, step) in self.steps.iter().enumerate() {
            for (key, entry) in &step.changes {
                match entry {
                    Some(entry) => state.insert(key.clone(), Arc::clone(entry)),
                    None => state.remove(key),
                };
                if fits(key, entry.as_ref(), index + 1) {
                    wrong.remove(key);
                } else {
                    wrong.insert(key, index + 1);
                }
            }
            note(index + 1, &wrong);
        }
        best.ok_or_else(|| self.explain(found, at_least, fewest))
    }

    fn explain(&self, found: &Found, at_least: usize, fewest: Option<(usize, Vec<Key>)>) -> String {
        use std::fmt::Write;
        let mut text = format!(
            "no prefix of the {} steps since the last check fits, of which {at_least} were promised",
            self.steps.len()
        );
        let Some((count, keys)) = fewest else {
            return text;
        };
        let _ = write!(text, "; the nearest has {count} steps");
        let state = self.after(count);
        for key in keys.iter().take(2) {
            let expected = state
                .get(key)
                .map_or("nothing".to_owned(), |entry| show(entry));
            let held = match found.get(key).map(|seen| &seen.entry) {
                Some(Ok(Some(entry))) => show(entry),
                Some(Ok(None)) | None => "nothing".to_owned(),
                Some(Err(reason)) => reason.clone(),
            };
            let _ = write!(
                text,
                "\n  {key:?} should hold {expected}\n    and holds {held}"
            );
            let touches = |step: &&Step| step.changes.iter().any(|(it, _)| it == key);
            for step in self.steps.iter().filter(touches).rev().take(3) {
                let shown: Vec<_> = step.requests.iter().map(Request::shown).collect();
                let _ = write!(text, "\n      changed by {}", shown.join("; "));
            }
        }
        text
    }

    /// What the first `count` steps leave.
    #[must_use]
    pub fn after(&self, count: usize) -> State {
        let mut state = self.base.clone();
        for (key, entry) in self.steps.iter().take(count).flat_map(|it| &it.changes) {
            match entry {
                Some(entry) => state.insert(key.clone(), Arc::clone(entry)),
                None => state.remove(key),
            };
        }
        state
    }

    /// The first `count` steps are what there is from now on, as it was `found`. `dump` gives
    /// keys as DUMP does: those that had expired and are there again, as the clock went back.
    ///
    /// # Errors
    /// If the model cannot be brought there.
    pub fn rebase(
        &mut self,
        count: usize,
        found: &Found,
        dump: &mut dyn FnMut(&Key) -> Option<Vec<u8>>,
    ) -> Result<(), String> {
        let is_behind = count == self.steps.len();
        let is_certain = !self.has_jumped;
        let mut versions = std::mem::take(&mut self.hidden);
        if self.has_jumped {
            let changed = self.steps.iter().flat_map(|step| &step.changes);
            let changed = changed.filter_map(|(key, entry)| Some((key, entry.as_ref()?)));
            for (key, entry) in self.base.iter().chain(changed) {
                let of_key = versions.entry(key.clone()).or_default();
                of_key.push(Arc::clone(entry));
            }
        }
        let steps: Vec<Step> = self.steps.drain(..).take(count).collect();
        let last_ms = steps.last().map_or(0, |step| step.now_ms);
        if let Some(model) = self.model.as_mut()
            && !is_behind
        {
            model.load(&self.saved);
            for step in &steps {
                model.run(&step.requests, step.now_ms, &step.reply)?;
            }
        }
        for (key, entry) in steps.into_iter().flat_map(|step| step.changes) {
            match entry {
                Some(entry) => self.base.insert(key, entry),
                None => self.base.remove(&key),
            };
        }
        let looked_at = found.values().map(|seen| seen.at_ms);
        let now_ms = looked_at.max().unwrap_or(last_ms);
        if let Some(model) = self.model.as_mut() {
            for (key, seen) in found {
                let Ok(held) = &seen.entry else { continue };
                if !(is_behind && is_certain) {
                    model.follow(key, held.as_ref(), seen.at_ms, dump)?;
                }
                let expected = self.base.get(key).and_then(|entry| entry.at(seen.at_ms));
                if held.is_none()
                    && self.base.contains_key(key)
                    && let Some(versions) = versions.remove(key)
                {
                    self.hidden.insert(key.clone(), versions);
                }
                if expected.as_ref() != held.as_ref() {
                    match held {
                        Some(held) => self.base.insert(key.clone(), Arc::new(held.clone())),
                        None => self.base.remove(key),
                    };
                }
            }
            self.saved = model.save(&self.base, now_ms);
        }
        self.state = self.base.clone();
        // What had expired when it was looked for may be gone or not.
        self.peaks.clear();
        self.peaks.push(Peak {
            steps: 0,
            at_ms: now_ms,
        });
        self.last_change.clear();
        self.waiting.clear();
        self.acknowledged.clear();
        self.expired.clear();
        self.gone.clear();
        Ok(())
    }
}

/// Whether a request was refused before anything was looked at.
fn shows_nothing(reply: &Reply) -> bool {
    let refusals = ["ERR DUMP payload", "ERR Function not found", "ERR Bad data"];
    matches!(reply, Reply::Error(text) if refusals.iter().any(|it| text.starts_with(it)))
}

/// The keys that any of `requests` may change, each once.
fn reached(requests: &[Request], state: &State) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut is_everything = false;
    for request in requests {
        match request.reach() {
            Reach::Keys(some) => keys.extend(some),
            Reach::Everything => is_everything = true,
        }
    }
    if is_everything {
        // What is in one database, or comes there in this step, may be in another after it.
        keys.extend(state.keys().cloned());
        let moved = keys.iter().filter(|key| **key != libraries());
        let moved = moved.map(|(database, name)| (DATABASES - 1 - database, name.clone()));
        keys.extend(moved.collect::<Vec<_>>());
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// An entry for people: what tells one from another, not all of it.
fn show(entry: &Entry) -> String {
    let whole = format!("{:?}", entry.value);
    let digest = thermocline_base::checksum::crc32(whole.as_bytes());
    let mut short: String = whole.chars().take(60).collect();
    if short.len() < whole.len() {
        short.push('…');
    }
    let bytes = match &entry.value {
        Value::Shown(Reply::Bulk(Some(bytes))) => bytes.len(),
        _ => whole.len(),
    };
    let expiry = entry
        .expiry_ms
        .map_or(String::new(), |ms| format!(" until {ms}"));
    format!("{short} ({bytes} bytes, digest {digest:08x}){expiry}")
}
