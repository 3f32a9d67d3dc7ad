//! What was asked in which order, what of it was acknowledged and when, and so
//! what must have survived.
//!
//! Owns the steps since the last check. The log is one order of all steps, so
//! what survives is a prefix of them: at least up to the last that was promised,
//! at most all, and never a part of one. One thread.

use crate::model::{self, Change, Entry, Key, Request, State};
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
    changes: Vec<Change>,
}

/// A reply that was not to leave yet.
#[derive(Debug)]
struct Waiting {
    lsn: Lsn,
    /// How many steps the reply shows something of.
    shows: usize,
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
    /// What the keys hold now.
    pub state: State,
    steps: Vec<Step>,
    /// For each key, the number of steps up to its last change.
    last_change: BTreeMap<Key, usize>,
    waiting: Vec<Waiting>,
    /// When replies left, and how many steps each shows something of.
    acknowledged: Vec<(i64, usize)>,
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

    /// Adds a step that ran at `now_ms`.
    pub fn push(&mut self, requests: Vec<Request>, now_ms: i64, lsn: Lsn) {
        let changes = model::apply(&mut self.state, &requests, now_ms);
        let number = self.steps.len() + 1;
        for (key, _) in &changes {
            self.last_change.insert(key.clone(), number);
        }
        let shows = if changes.is_empty() {
            self.last_change_of(&requests)
        } else {
            number
        };
        self.steps.push(Step { requests, changes });
        self.waiting.push(Waiting { lsn, shows });
    }

    /// Adds a reply to a read of `key`.
    pub fn push_read(&mut self, key: &Key, lsn: Lsn) {
        let shows = self.last_change.get(key).copied().unwrap_or(0);
        self.waiting.push(Waiting { lsn, shows });
    }

    fn last_change_of(&self, requests: &[Request]) -> usize {
        let keys = requests.iter().filter_map(|request| {
            let name = request.words.get(1)?;
            let key = (request.database, String::from_utf8_lossy(name).into_owned());
            self.last_change.get(&key).copied()
        });
        keys.max().unwrap_or(0)
    }

    /// Lets those replies leave that `may` says may, at `now_ms` of the monotonic
    /// clock.
    pub fn acknowledge(&mut self, now_ms: i64, may: impl Fn(Lsn) -> bool) {
        let acknowledged = &mut self.acknowledged;
        self.waiting.retain(|waiting| {
            let leaves = may(waiting.lsn);
            if leaves {
                acknowledged.push((now_ms, waiting.shows));
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
    }

    /// How many steps must have survived.
    #[must_use]
    pub fn promised(&self, promise: Promise) -> usize {
        let by = |limit_ms: i64| {
            let kept = self.acknowledged.iter().filter(|(ms, _)| *ms <= limit_ms);
            kept.map(|(_, shows)| *shows).max().unwrap_or(0)
        };
        match promise {
            Promise::All => by(i64::MAX),
            Promise::Until(ms) => by(ms),
            // Of a shorter prefix more would be lost.
            Promise::AllButASecond => {
                let prefixes = 0..=self.steps.len();
                let mut enough = prefixes.filter(|count| self.lost_ms(*count) <= 1000);
                enough.next().unwrap_or(self.steps.len())
            }
            Promise::None => 0,
        }
    }

    /// How far those replies lie apart that show more than `count` steps, ms.
    fn lost_ms(&self, count: usize) -> i64 {
        let lost = self.acknowledged.iter().filter(|(_, shows)| *shows > count);
        let times = lost.map(|(ms, _)| *ms);
        let bounds = times.clone().min().zip(times.max());
        bounds.map_or(0, |(first, last)| last - first)
    }

    /// Whether `found` is what some prefix leaves, of `at_least` steps or more; the
    /// longest such prefix.
    ///
    /// # Errors
    /// What does not fit, for people.
    pub fn find_prefix(&self, found: &Found, at_least: usize) -> Result<usize, String> {
        let fits = |key: &Key, entry: Option<&Arc<Entry>>| match found.get(key) {
            Some(Seen {
                at_ms,
                entry: Ok(held),
            }) => entry.filter(|entry| entry.lives(*at_ms)).map(|it| &**it) == held.as_ref(),
            _ => true,
        };
        let mut state = self.base.clone();
        let mut wrong: BTreeMap<&Key, usize> = BTreeMap::new();
        for key in found.keys() {
            if !fits(key, state.get(key)) {
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
                if fits(key, entry.as_ref()) {
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

    /// The first `count` steps are what there is from now on.
    pub fn rebase(&mut self, count: usize) {
        for step in self.steps.drain(..).take(count) {
            for (key, entry) in step.changes {
                match entry {
                    Some(entry) => self.base.insert(key, entry),
                    None => self.base.remove(&key),
                };
            }
        }
        self.state = self.base.clone();
        self.last_change.clear();
        self.waiting.clear();
        self.acknowledged.clear();
    }
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
        model::Value::String(bytes) => bytes.len(),
        _ => whole.len(),
    };
    let expiry = entry
        .expiry_ms
        .map_or(String::new(), |ms| format!(" until {ms}"));
    format!("{short} ({bytes} bytes, digest {digest:08x}){expiry}")
}
