//! A machine with one disk: how processes come up on it, and whether what they find
//! is what was promised.
//!
//! Owns what may go wrong in a start, and the judgement after it. Does not know what
//! clients do later. One thread.

use crate::entry::State;
use crate::history::{Found, History, Promise};
use crate::life::{Life, Memory};
use crate::plan::{self, Harm, Plan};
use crate::workload::DATABASES;
use thermocline_base::{Random, SimulatedTime};
use thermocline_disk::{FaultRepeat, SimulatedDisk};

/// How long it may take until what could not be read is tried again.
const RETRY_MS: i64 = 3_000;

/// See the module.
pub struct Machine {
    /// Of all that happens to it.
    pub random: Random,
    /// What its seed has decided.
    pub plan: Plan,
    /// The disk.
    pub disk: SimulatedDisk,
    /// The clock.
    pub time: SimulatedTime,
    /// What became of the processes, for people.
    pub story: Vec<String>,
    /// How often a start lost power.
    pub lost_starts: u64,
}

/// What a start came to.
pub enum Checked {
    /// What so many steps leave, and nothing else.
    Whole {
        /// How many steps.
        count: usize,
        /// What was found.
        found: Found,
    },
    /// The power went meanwhile.
    LostPower,
    /// Parts cannot be read, where that may be.
    Unreadable,
}

impl Machine {
    /// One that nothing has happened to.
    #[must_use]
    pub const fn new(plan: Plan, random: Random, disk: SimulatedDisk, time: SimulatedTime) -> Self {
        Self {
            random,
            plan,
            disk,
            time,
            story: Vec::new(),
            lost_starts: 0,
        }
    }

    /// Starts a process, cut short by losses of power and failing for faults
    /// some times; `None` if damage keeps it from starting.
    ///
    /// # Errors
    /// If it does not start for no reason that may be.
    pub fn start(&mut self, mut memory: Memory) -> Result<Option<Life>, String> {
        loop {
            let calls = 1 + self.random.below(60);
            match self.random.below(8) {
                0 => self.disk.power_off_after(calls),
                1 if self.plan.harm == Harm::Errors => {
                    let injury = plan::error(&mut self.random);
                    self.disk.injure_call(calls, injury, FaultRepeat::Once);
                }
                _ => {}
            }
            let before = self.disk.faults_met();
            let started = Life::start(
                &self.disk,
                &self.time,
                self.plan.policy,
                &mut self.random,
                memory,
            );
            match started {
                Ok(life) => return Ok(Some(life)),
                Err(refused) => {
                    let (error, given_back) = *refused;
                    memory = given_back;
                    self.disk.set_between(None);
                    let had_fault = self.disk.faults_met() > before;
                    self.disk.clear_faults();
                    if self.disk.is_off() {
                        self.story.push("lost power in its start".to_owned());
                        self.lost_starts += 1;
                        self.disk.restart();
                    } else if had_fault {
                        self.story.push(format!("did not start: {error}"));
                        self.disk.kill();
                    } else if self.plan.harm == Harm::Damage {
                        return Ok(None);
                    } else {
                        let story = self.story.join(", ");
                        return Err(format!("it does not start ({story}): {error}"));
                    }
                }
            }
        }
    }

    /// Whether all is there that was promised in `history`, and nothing else. `peak_ms`:
    /// what the wall clock showed before it went back, if it did after all that is in
    /// `history`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn check(
        &mut self,
        life: &mut Life,
        history: &History,
        promise: Promise,
        peak_ms: Option<i64>,
    ) -> Result<Checked, String> {
        let checked = self.check_whole(life, history, promise, peak_ms);
        checked.map_err(|wrong| format!("({}): {wrong}", self.story.join(", ")))
    }

    fn check_whole(
        &mut self,
        life: &mut Life,
        history: &History,
        promise: Promise,
        peak_ms: Option<i64>,
    ) -> Result<Checked, String> {
        if self.random.chance(2) {
            life.settle();
        }
        let mut found = life.read_all();
        if self.disk.is_off() {
            // The power that was to go while it started went now.
            return Ok(Checked::LostPower);
        }
        let is_any = |found: &Found| found.values().any(|seen| seen.entry.is_err());
        if self.plan.harm == Harm::Errors && is_any(&found) {
            // What met a fault is tried again and found.
            self.disk.clear_faults();
            life.pass(RETRY_MS);
            found = life.read_all();
            if self.disk.is_off() {
                return Ok(Checked::LostPower);
            }
        }
        let mut unreadable = found.iter().filter_map(|(key, seen)| {
            let reason = seen.entry.as_ref().err()?;
            Some((key, reason))
        });
        let unreadable = unreadable.next();
        if let Some((key, reason)) = unreadable
            && self.plan.harm != Harm::Damage
        {
            return Err(format!("{key:?} cannot be read: {reason}"));
        }
        let wrong = life.load.lock().wrong.take();
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        let count = history.find_prefix(&found, &history.promised(promise), peak_ms)?;
        if unreadable.is_some() {
            return Ok(Checked::Unreadable);
        }
        if life.settle() && !self.disk.is_off() {
            check_keys(life, &found, &history.after(count))?;
        }
        Ok(Checked::Whole { count, found })
    }
}

/// Whether KEYS lists what there is: all that was found and has not expired since. It may
/// list a hash whose fields have all expired.
fn check_keys(life: &mut Life, found: &Found, state: &State) -> Result<(), String> {
    for database in 0..DATABASES {
        let Some(mut listed) = life.keys(database) else {
            continue;
        };
        let now_ms = life.store().now().0;
        let of_database = found.iter().filter(|((of, _), _)| *of == database);
        let mut expected: Vec<String> = of_database
            .filter_map(|((_, name), seen)| {
                let entry = seen.entry.as_ref().ok()?.as_ref()?;
                (entry.lives(now_ms) && name != "f").then(|| name.clone())
            })
            .collect();
        listed.retain(|name| {
            let known = state.get(&(database, name.clone()));
            let is_ghost = name.starts_with('e') && !expected.contains(name);
            !(is_ghost && known.is_none_or(|entry| !entry.lives(now_ms)))
        });
        listed.sort();
        expected.sort();
        if listed != expected {
            return Err(format!(
                "KEYS of database {database} lists {listed:?} and not {expected:?}"
            ));
        }
    }
    Ok(())
}
