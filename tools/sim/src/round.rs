//! One seed: several processes on one disk after another, and after each the
//! question whether what it promised is there.
//!
//! Owns how processes end and what is injected, and the judgement. The same seed
//! gives the same trace. One thread.

use crate::history::{Found, History, Promise};
use crate::life::{Life, Memory, Remains, Treatment};
use crate::plan::{self, Aim, Harm, Plan, Schedule};
use crate::workload::{DATABASES, Workload};
use std::panic::{AssertUnwindSafe, catch_unwind};
use thermocline_base::{Random, SimulatedTime, UnixMillis};
use thermocline_disk::{FaultRepeat, SimulatedDisk};
use thermocline_wal::Policy;

/// Where the simulated clock starts: in November 2026.
const START_MS: i64 = 1_795_000_000_000;
/// How long a log may take until it is writable again once the disk is well.
const HEALING_MS: i64 = 5_000;
/// How long it may take until what could not be read is tried again.
const RETRY_MS: i64 = 3_000;

/// What a round came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// A digest of all that was done and all replies.
    pub trace: u64,
    /// Processes.
    pub lives: u64,
    /// Losses of power.
    pub power_losses: u64,
    /// Faults that were met.
    pub faults: u64,
    /// Steps of clients.
    pub steps: u64,
    /// Replies that left.
    pub acknowledged: u64,
    /// Keys that sank.
    pub demotions: u64,
    /// Keys that came back.
    pub promotions: u64,
    /// Segments cleaned.
    pub cleaned: u64,
    /// Records moved by that.
    pub relocations: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Keys that expired.
    pub expired: u64,
    /// Whether silent damage was found, which ends a round.
    pub damage_found: u64,
}

impl Report {
    /// Adds another round.
    pub fn add(&mut self, other: &Self) {
        self.trace = Random::new(self.trace ^ other.trace).next_u64();
        self.lives += other.lives;
        self.power_losses += other.power_losses;
        self.faults += other.faults;
        self.steps += other.steps;
        self.acknowledged += other.acknowledged;
        self.demotions += other.demotions;
        self.promotions += other.promotions;
        self.cleaned += other.cleaned;
        self.relocations += other.relocations;
        self.checkpoints += other.checkpoints;
        self.expired += other.expired;
        self.damage_found += other.damage_found;
    }

    fn add_life(&mut self, remains: &Remains) {
        self.trace = Random::new(self.trace ^ remains.digest).next_u64();
        self.lives += 1;
        self.steps += remains.steps;
        self.demotions += remains.demotions;
        self.promotions += remains.promotions;
        self.cleaned += remains.cleaned;
        self.relocations += remains.relocations;
        self.checkpoints += remains.checkpoints;
        self.expired += remains.expired;
    }
}

struct Round {
    random: Random,
    plan: Plan,
    disk: SimulatedDisk,
    time: SimulatedTime,
    report: Report,
    /// What became of the processes, for people.
    story: Vec<String>,
}

/// Runs `seed`.
///
/// # Errors
/// The first broken promise, for people.
pub fn run(seed: u64) -> Result<Report, String> {
    run_with(seed, None)
}

/// Runs `seed` with this harm in place of what it draws.
///
/// # Errors
/// The first broken promise, for people.
pub fn run_with(seed: u64, harm: Option<(Harm, Aim)>) -> Result<Report, String> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut random = Random::new(seed);
        let mut plan = Plan::draw(&mut random);
        if let Some((harm, aim)) = harm {
            plan = Plan { harm, aim, ..plan };
        }
        let disk = SimulatedDisk::new(random.next_u64());
        let time = SimulatedTime::new(UnixMillis(START_MS));
        disk.set_time(time.clone());
        let workload = Workload::new(random.next_u64());
        let round = Round {
            random,
            plan,
            disk,
            time,
            report: Report::default(),
            story: Vec::new(),
        };
        let shown = format!("{plan:?}");
        round
            .run(workload)
            .map_err(|wrong| format!("{shown}: {wrong}"))
    }));
    match result {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied());
            Err(format!("a panic: {}", text.unwrap_or("of another kind")))
        }
    }
}

impl Round {
    fn run(mut self, workload: Workload) -> Result<Report, String> {
        let mut memory = Memory {
            history: History::default(),
            workload,
        };
        let mut promise = Promise::All;
        for number in 0..self.plan.lives {
            let started = self.start(memory)?;
            let Some(mut life) = started else {
                return Ok(self.finish(0));
            };
            let checked = self.check(&mut life, promise);
            let is_readable = match checked {
                Ok(is_readable) => is_readable,
                Err(wrong) => {
                    let story = self.story.join(", ");
                    return Err(format!(
                        "at the start of process {number} ({story}): {wrong}"
                    ));
                }
            };
            if !is_readable {
                self.report.damage_found += 1;
                let (memory, remains) = life.end();
                self.report.add_life(&remains);
                return Ok(self.finish(memory.history.acknowledged_count));
            }
            if self.disk.is_off() {
                // It was cut short, and what was promised before still is.
                self.story.push("lost power while it came up".to_owned());
                let (ended, remains) = life.end();
                self.report.add_life(&remains);
                self.report.power_losses += 1;
                self.disk.restart();
                memory = ended;
                continue;
            }
            let treatment = self.treat();
            self.live(&mut life, treatment)
                .map_err(|wrong| format!("in process {number}: {wrong}"))?;
            let (ended, next) = self.end(life, treatment)?;
            memory = ended;
            promise = next;
        }
        Ok(self.finish(memory.history.acknowledged_count))
    }

    fn finish(mut self, acknowledged: u64) -> Report {
        self.report.trace = Random::new(self.report.trace ^ self.disk.trace()).next_u64();
        self.report.faults = self.disk.faults_met();
        self.report.acknowledged = acknowledged;
        self.report
    }

    /// Starts a process, cut short by losses of power and failing for faults
    /// some times; `None` if damage keeps it from starting.
    fn start(&mut self, mut memory: Memory) -> Result<Option<Life>, String> {
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
                        self.report.power_losses += 1;
                        self.disk.restart();
                    } else if had_fault {
                        self.story.push(format!("did not start: {error}"));
                        self.disk.kill();
                    } else if self.plan.harm == Harm::Damage {
                        self.report.damage_found += 1;
                        return Ok(None);
                    } else {
                        let story = self.story.join(", ");
                        return Err(format!("it does not start ({story}): {error}"));
                    }
                }
            }
        }
    }

    /// Whether all that was promised is there and nothing else; false if parts
    /// cannot be read, where that may be.
    fn check(&mut self, life: &mut Life, promise: Promise) -> Result<bool, String> {
        if self.random.chance(2) {
            life.settle();
        }
        let mut found = life.read_all();
        if self.disk.is_off() {
            // The power that was to go while it started went now.
            return Ok(true);
        }
        let is_any = |found: &Found| found.values().any(|seen| seen.entry.is_err());
        if self.plan.harm == Harm::Errors && is_any(&found) {
            // What met a fault is tried again and found.
            self.disk.clear_faults();
            life.pass(RETRY_MS);
            found = life.read_all();
            if self.disk.is_off() {
                return Ok(true);
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
        let is_readable = unreadable.is_none();
        let wrong = life.load.lock().wrong.take();
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        let count = {
            let load = life.load.lock();
            let at_least = load.history.promised(promise);
            load.history.find_prefix(&found, at_least)?
        };
        if !is_readable {
            return Ok(false);
        }
        life.load.lock().history.rebase(count);
        if life.settle() && !self.disk.is_off() {
            self.check_keys(life)?;
        }
        Ok(true)
    }

    /// Whether KEYS lists what there is.
    fn check_keys(&self, life: &mut Life) -> Result<(), String> {
        for database in 0..DATABASES {
            let Some(mut listed) = life.keys(database) else {
                continue;
            };
            let now_ms = life.store().now().0;
            let mut expected: Vec<String> = {
                let load = life.load.lock();
                let state = load.history.state.iter();
                state
                    .filter(|((of, _), entry)| *of == database && entry.lives(now_ms))
                    .map(|((_, name), _)| name.clone())
                    .collect()
            };
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

    fn treat(&mut self) -> Treatment {
        // It may be armed from the start.
        self.disk.clear_faults();
        if self.random.chance(2) {
            let most = if self.random.chance(2) { 60 } else { 400 };
            let operations = self.random.below(most);
            self.disk.power_off_after(operations + 1);
        }
        Treatment {
            is_slow: self.random.chance(4),
        }
    }

    fn live(&mut self, life: &mut Life, treatment: Treatment) -> Result<(), String> {
        let drawn = 1 + self.random.below(self.plan.turns);
        let schedule = self.plan.schedule(&mut self.random, drawn);
        let mut turns = drawn;
        if let Some(Schedule { injured_at, .. }) = schedule
            && self.plan.aim == Aim::Log
            && self.random.chance(2)
        {
            // The power goes before a checkpoint does without what was lost.
            turns = drawn.min(injured_at + 1 + self.random.below(20));
        }
        life.load.lock().may_fail = schedule.is_some();
        for turn in 0..turns {
            if self.disk.is_off() {
                break;
            }
            if let Some(schedule) = schedule {
                if schedule.is_due(turn) {
                    self.plan.injure(&mut self.random, &self.disk);
                }
                if turn == schedule.healed_at {
                    self.disk.clear_faults();
                    self.check_healing(life)?;
                }
            }
            if self.plan.aim == Aim::Tier && self.random.chance(8) {
                life.store().request_checkpoint();
                life.step_keeper();
            }
            life.turn(self.plan.policy, treatment);
            let wrong = life.load.lock().wrong.take();
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
        }
        Ok(())
    }

    /// The disk is well: soon writes may begin, without anybody's help.
    fn check_healing(&self, life: &mut Life) -> Result<(), String> {
        if self.plan.harm == Harm::Damage {
            return Ok(());
        }
        life.store().settings().set_maxmemory_bytes(0);
        life.pass(HEALING_MS);
        if life.admits() || self.disk.is_off() {
            return Ok(());
        }
        Err(format!(
            "the disk has been well for {HEALING_MS} ms, and writes are refused: {:?}",
            life.store().admit(true)
        ))
    }

    /// Ends a process; what is promised of it.
    fn end(&mut self, life: Life, treatment: Treatment) -> Result<(Memory, Promise), String> {
        let choice = self.random.below(4);
        let is_off = self.disk.is_off();
        let (memory, remains, is_whole) = if choice == 0 && !is_off {
            let (memory, remains, closed) = life.stop(self.random.chance(2));
            if let Err(error) = &closed
                && self.disk.faults_met() == 0
                && !self.disk.is_off()
            {
                return Err(format!("it does not stop: {error}"));
            }
            (memory, remains, closed.is_ok())
        } else {
            let (memory, remains) = life.end();
            (memory, remains, false)
        };
        self.report.add_life(&remains);
        if let Some(wrong) = remains.wrong {
            return Err(wrong);
        }
        let has_faults = self.disk.faults_met() > 0;
        self.disk.clear_faults();
        let way = match (is_off, choice) {
            (true, _) => "lost power on the way",
            (_, 0) if is_whole => "stopped",
            (_, 0) => "could not stop",
            (_, 1) => "killed",
            _ => "lost power",
        };
        self.story.push(way.to_owned());
        if choice == 1 && !is_off {
            self.disk.kill();
        } else {
            self.disk.crash();
            self.report.power_losses += 1;
        }
        let promise = if self.plan.harm == Harm::Damage && has_faults {
            Promise::None
        } else if is_whole {
            Promise::All
        } else {
            match self.plan.policy {
                Policy::Always => Promise::All,
                _ if treatment.is_slow || has_faults => Promise::AllButASecond,
                _ => Promise::Until(remains.ended_ms - 1000),
            }
        };
        self.time.advance(self.random.below(2000) as i64);
        Ok((memory, promise))
    }
}
