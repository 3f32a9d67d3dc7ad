//! Losses of power in the midst of a process, on copies of its disk.
//!
//! Owns when they come, and what follows: the copy settles what was not durable as
//! chance has it, a process starts on it, and everything that was promised by then is
//! looked for. The process itself goes on, so that one of them is cut off at many of
//! its operations. One thread.

use crate::history::{History, Hook, Promise};
use crate::life::{Memory, Treatment};
use crate::machine::{Checked, Machine};
use crate::plan::Plan;
use crate::workload::Workload;
use parking_lot::Mutex;
use std::sync::Arc;
use thermocline_base::{Clock, Random, SimulatedTime, UnixMillis};
use thermocline_disk::SimulatedDisk;

/// One call of the disk in so many is a moment for a cut, as is the end of one turn in
/// so many.
const ONE_IN: u64 = 64;

/// See the module.
pub struct Cutter {
    plan: Plan,
    random: Random,
    /// Losses after which all that was promised was looked for.
    pub losses: u64,
    /// Losses in a start.
    pub lost_starts: u64,
    /// A digest of what the copies did.
    pub trace: u64,
}

impl Cutter {
    /// One whose every choice follows from `seed`.
    #[must_use]
    pub const fn new(plan: Plan, seed: u64) -> Self {
        Self {
            plan,
            random: Random::new(seed),
            losses: 0,
            lost_starts: 0,
            trace: 0,
        }
    }

    /// What one process has called.
    #[must_use]
    pub fn hook(
        this: &Arc<Mutex<Self>>,
        disk: &SimulatedDisk,
        time: &SimulatedTime,
        treatment: Treatment,
    ) -> Hook {
        let (this, disk, time) = (Arc::clone(this), disk.clone(), time.clone());
        Box::new(move |history| {
            let mut this = this.lock();
            if !this.random.chance(ONE_IN) || disk.is_off() {
                return Ok(());
            }
            let clock = Clock::Simulated(time.clone());
            let now_ms = i64::try_from(clock.monotonic().as_millis()).unwrap_or(i64::MAX);
            let has_faults = disk.faults_met() > 0;
            let promise = this.plan.promise(treatment.is_slow, has_faults, now_ms);
            let operation = disk.operations();
            let copied = this.cut(&disk, &clock, history, promise);
            copied.map_err(|wrong| format!("power cut before operation {operation} {wrong}"))
        })
    }

    fn cut(
        &mut self,
        disk: &SimulatedDisk,
        clock: &Clock,
        history: &History,
        promise: Promise,
    ) -> Result<(), String> {
        let copy = disk.copy(self.random.next_u64());
        let time = SimulatedTime::new(clock.now());
        copy.set_time(time.clone());
        copy.crash();
        time.advance(self.random.below(2000) as i64);
        let wall_ms = Clock::Simulated(time.clone()).now().0;
        let jump_ms = self.plan.jump(&mut self.random, wall_ms);
        if let Some(jump_ms) = jump_ms {
            time.jump(UnixMillis(jump_ms));
        }
        let peak_ms = jump_ms
            .filter(|jump_ms| *jump_ms < wall_ms)
            .map(|_| wall_ms);
        let random = Random::new(self.random.next_u64());
        let mut machine = Machine::new(self.plan, random, copy, time);
        loop {
            let memory = Memory {
                history: History::default(),
                workload: Workload::new(0, self.plan.traits),
            };
            let Some(mut life) = machine.start(memory)? else {
                break;
            };
            let checked = machine.check(&mut life, history, promise, peak_ms)?;
            let _ = life.end();
            match checked {
                Checked::Whole { .. } => {
                    self.losses += 1;
                    break;
                }
                Checked::Unreadable => break,
                Checked::LostPower => {
                    machine.story.push("lost power while it came up".to_owned());
                    machine.lost_starts += 1;
                    machine.disk.restart();
                }
            }
        }
        self.lost_starts += machine.lost_starts;
        self.trace = Random::new(self.trace ^ machine.disk.trace()).next_u64();
        Ok(())
    }
}
