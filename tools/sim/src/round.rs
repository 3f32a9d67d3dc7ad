//! One seed: several processes on one disk after another, and after each the
//! question whether what it promised is there.
//!
//! Owns how processes end and what is injected. The same seed gives the same trace.
//! One thread.

use crate::cut::Cutter;
use crate::history::{History, Promise};
use crate::life::{Life, Memory, Remains, Treatment};
use crate::machine::{Checked, Machine};
use crate::plan::{Aim, Harm, Plan, Schedule};
use crate::request::Key;
use crate::workload::Workload;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use thermocline_base::{Clock, Random, SimulatedTime, UnixMillis};
use thermocline_disk::SimulatedDisk;

/// Where the simulated clock starts: in November 2026.
const START_MS: i64 = 1_795_000_000_000;
/// How long a log may take until it is writable again once the disk is well.
const HEALING_MS: i64 = 5_000;

/// What a round came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// A digest of all that was done and all replies.
    pub trace: u64,
    /// Processes.
    pub lives: u64,
    /// Losses of power after which all that was promised was looked for: those that
    /// end a process, and those that a copy of its disk suffers while it goes on.
    pub power_losses: u64,
    /// Losses of power in a start, before anything could be looked for.
    pub lost_starts: u64,
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
        self.lost_starts += other.lost_starts;
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
    machine: Machine,
    /// Cuts the power of copies.
    cutter: Arc<Mutex<Cutter>>,
    report: Report,
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
        let workload = Workload::new(random.next_u64(), plan.traits);
        let cutter = Cutter::new(plan, random.next_u64());
        let round = Round {
            machine: Machine::new(plan, random, disk, time),
            cutter: Arc::new(Mutex::new(cutter)),
            report: Report::default(),
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
        let mut lost_power = false;
        for number in 0..self.machine.plan.lives {
            let Some(mut life) = self.machine.start(memory)? else {
                self.report.damage_found += 1;
                return Ok(self.finish(0));
            };
            let mut history = std::mem::take(&mut life.load.lock().history);
            let checked = self.machine.check(&mut life, &history, promise, None);
            let checked =
                checked.map_err(|wrong| format!("at the start of process {number} {wrong}"))?;
            if let Checked::Whole { count, found } = &checked {
                let mut dump = |key: &Key| life.dump(key);
                history.rebase(*count, found, &mut dump)?;
            }
            life.load.lock().history = history;
            match checked {
                Checked::Whole { .. } => {
                    self.report.power_losses += u64::from(std::mem::take(&mut lost_power));
                }
                Checked::LostPower => {}
                Checked::Unreadable => {
                    self.report.damage_found += 1;
                    let (memory, remains) = life.end();
                    self.report.add_life(&remains);
                    return Ok(self.finish(memory.history.acknowledged_count));
                }
            }
            if self.machine.disk.is_off() {
                // It was cut short, and what was promised before still is.
                self.machine
                    .story
                    .push("lost power while it came up".to_owned());
                let (ended, remains) = life.end();
                self.report.add_life(&remains);
                lost_power = true;
                self.machine.disk.restart();
                memory = ended;
                continue;
            }
            let treatment = self.treat();
            self.live(&mut life, treatment)
                .map_err(|wrong| format!("in process {number}: {wrong}"))?;
            let (ended, next) = self.end(life, treatment)?;
            lost_power = next.lost_power;
            memory = ended;
            promise = next.promise;
        }
        Ok(self.finish(memory.history.acknowledged_count))
    }

    fn finish(mut self, acknowledged: u64) -> Report {
        let cutter = self.cutter.lock();
        let trace = self.report.trace ^ self.machine.disk.trace() ^ cutter.trace;
        self.report.trace = Random::new(trace).next_u64();
        self.report.faults = self.machine.disk.faults_met();
        self.report.lost_starts = self.machine.lost_starts + cutter.lost_starts;
        self.report.power_losses += cutter.losses;
        self.report.acknowledged = acknowledged;
        drop(cutter);
        self.report
    }

    fn treat(&mut self) -> Treatment {
        // It may be armed from the start.
        self.machine.disk.clear_faults();
        if self.machine.random.chance(2) {
            let most = if self.machine.random.chance(2) {
                60
            } else {
                400
            };
            let operations = self.machine.random.below(most);
            self.machine.disk.power_off_after(operations + 1);
        }
        Treatment {
            is_slow: self.machine.random.chance(4),
        }
    }

    fn live(&mut self, life: &mut Life, treatment: Treatment) -> Result<(), String> {
        let drawn = 1 + self.machine.random.below(self.machine.plan.turns);
        let schedule = self.machine.plan.schedule(&mut self.machine.random, drawn);
        let mut turns = drawn;
        if let Some(Schedule { injured_at, .. }) = schedule
            && self.machine.plan.aim == Aim::Log
            && self.machine.random.chance(2)
        {
            // The power goes before a checkpoint does without what was lost.
            turns = drawn.min(injured_at + 1 + self.machine.random.below(20));
        }
        {
            let mut load = life.load.lock();
            load.may_fail = schedule.is_some();
            load.cutter = Some(Cutter::hook(
                &self.cutter,
                &self.machine.disk,
                &self.machine.time,
                treatment,
            ));
        }
        for turn in 0..turns {
            if self.machine.disk.is_off() {
                break;
            }
            if let Some(schedule) = schedule {
                if schedule.is_due(turn) {
                    self.machine
                        .plan
                        .injure(&mut self.machine.random, &self.machine.disk);
                }
                if turn == schedule.healed_at {
                    self.machine.disk.clear_faults();
                    self.check_healing(life)?;
                }
            }
            if self.machine.plan.aim == Aim::Tier && self.machine.random.chance(8) {
                life.store().request_checkpoint();
                life.step_keeper();
            }
            life.turn(self.machine.plan.policy, treatment);
            if self.machine.random.chance(40) {
                let plan = self.machine.plan;
                let now_ms = life.store().now().0;
                if let Some(jump_ms) = plan.jump(&mut self.machine.random, now_ms) {
                    life.set_clock(jump_ms);
                }
            }
            let wrong = life.load.lock().wrong.take();
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
        }
        Ok(())
    }

    /// The disk is well: soon writes may begin, without anybody's help.
    fn check_healing(&self, life: &mut Life) -> Result<(), String> {
        if self.machine.plan.harm == Harm::Damage {
            return Ok(());
        }
        life.store().settings().set_maxmemory_bytes(0);
        life.pass(HEALING_MS);
        if life.admits() || self.machine.disk.is_off() {
            return Ok(());
        }
        Err(format!(
            "the disk has been well for {HEALING_MS} ms, and writes are refused: {:?}",
            life.store().admit(true)
        ))
    }

    /// Ends a process; how, and what is promised of it.
    fn end(&mut self, life: Life, treatment: Treatment) -> Result<(Memory, Ended), String> {
        let choice = self.machine.random.below(4);
        let is_off = self.machine.disk.is_off();
        let (mut memory, remains, is_whole) = if choice == 0 && !is_off {
            let (memory, remains, closed) = life.stop(self.machine.random.chance(2));
            if let Err(error) = &closed
                && self.machine.disk.faults_met() == 0
                && !self.machine.disk.is_off()
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
        let has_faults = self.machine.disk.faults_met() > 0;
        self.machine.disk.clear_faults();
        let way = match (is_off, choice) {
            (true, _) => "lost power on the way",
            (_, 0) if is_whole => "stopped",
            (_, 0) => "could not stop",
            (_, 1) => "killed",
            _ => "lost power",
        };
        self.machine.story.push(way.to_owned());
        let lost_power = choice != 1 || is_off;
        if lost_power {
            self.machine.disk.crash();
        } else {
            self.machine.disk.kill();
        }
        let promise = if is_whole && !(self.machine.plan.harm == Harm::Damage && has_faults) {
            Promise::All
        } else {
            let plan = &self.machine.plan;
            plan.promise(treatment.is_slow, has_faults, remains.ended_ms)
        };
        let pause_ms = self.machine.random.below(2000) as i64;
        self.machine.time.advance(pause_ms);
        let wall_ms = Clock::Simulated(self.machine.time.clone()).now().0;
        let plan = self.machine.plan;
        if let Some(jump_ms) = plan.jump(&mut self.machine.random, wall_ms) {
            if jump_ms < wall_ms {
                memory.history.push_peak(wall_ms);
            }
            self.machine.time.jump(UnixMillis(jump_ms));
            self.machine
                .story
                .push(format!("clock set by {} ms", jump_ms - wall_ms));
        }
        let ended = Ended {
            lost_power,
            promise,
        };
        Ok((memory, ended))
    }
}

/// How a process ended.
struct Ended {
    lost_power: bool,
    promise: Promise,
}
